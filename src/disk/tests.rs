//! The disk's promises, one by one, on real folders; what needs root or a mount says when it is skipped.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use tempfile::TempDir;

use super::*;

const TEMP: &str = "private/tmp";

struct Home {
    directory: TempDir,
    folder: Folder,
}

impl Home {
    fn new() -> Self {
        let directory = TempDir::new().expect("a directory");
        let folder = Folder::open(directory.path(), TEMP).expect("opened");
        folder.sweep_temp().expect("prepared");
        Self { directory, folder }
    }

    fn path(&self, rel: &str) -> PathBuf {
        self.directory.path().join(rel)
    }

    fn check_no_temp(&self) {
        assert_eq!(self.folder.list(TEMP).expect("listed"), [], "no temporary file is left");
    }
}

/// A small file system of its own; none, with the reason on the terminal, without the right to mount.
struct Mount {
    _directory: TempDir,
    path: PathBuf,
}

impl Mount {
    fn new(options: &str) -> Option<Self> {
        let directory = TempDir::new().expect("a directory");
        let path = directory.path().join("mounted");
        fs::create_dir(&path).expect("made");
        let is_mounted = run("mount", &["-t", "tmpfs", "-o", options, "tmpfs"], &path);
        if !is_mounted {
            println!("skipped: mounting a tmpfs needs root");
        }
        is_mounted.then_some(Self { _directory: directory, path })
    }

    fn folder(&self) -> Folder {
        let folder = Folder::open(&self.path, TEMP).expect("opened");
        folder.sweep_temp().expect("prepared");
        folder
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        run("umount", &["-l"], &self.path);
    }
}

fn run(program: &str, arguments: &[&str], path: &Path) -> bool {
    Command::new(program).args(arguments).arg(path).output().is_ok_and(|output| output.status.success())
}

fn check_refused<T: std::fmt::Debug>(result: Result<T, DiskError>, errno: Errno) -> DiskError {
    let error = result.expect_err("refused");
    assert_eq!((error.stage, error.errno()), (Stage::Clean, Some(errno)), "{error}");
    error
}

#[test]
fn a_name_gets_its_bytes_once() {
    // docs/spec/storage.md, SO-6.
    let home = Home::new();
    for rel in ["file", "a/b/c/file", "a/b/other"] {
        for write in [Folder::create_durable, Folder::create_secret, Folder::create_visible] {
            let _ = home.folder.remove(rel, Durability::Durable).expect("removed");
            assert_eq!(write(&home.folder, rel, b"bytes").expect("created"), Created::New);
            assert_eq!(write(&home.folder, rel, b"bytes").expect("compared"), Created::Equal);
            for other in [&b""[..], b"byte", b"bytes ", b"other"] {
                assert_eq!(write(&home.folder, rel, other).expect("compared"), Created::Different);
            }
            assert_eq!(fs::read(home.path(rel)).expect("read"), b"bytes");
        }
    }
    home.check_no_temp();
}

#[test]
fn an_empty_file_is_a_file() {
    let home = Home::new();
    assert_eq!(home.folder.create_durable("empty", b"").expect("created"), Created::New);
    assert_eq!(home.folder.create_durable("empty", b"").expect("compared"), Created::Equal);
    assert_eq!(home.folder.read("empty").expect("read"), Some(Vec::new()));
}

#[test]
fn modes_are_as_documented() {
    let home = Home::new();
    let mode = |rel: &str| fs::metadata(home.path(rel)).expect("there").permissions().mode() & 0o777;
    assert_eq!(home.folder.create_secret("a/secret", b"").expect("created"), Created::New);
    assert_eq!(mode("a/secret"), 0o600);
    home.folder.replace_durable("key", b"", Access::Secret, Durability::Durable).expect("replaced");
    assert_eq!(mode("key"), 0o600);
    assert_eq!(mode(TEMP), 0o700);
}

#[test]
fn paths_that_could_leave_the_folder_are_refused() {
    let home = Home::new();
    let deep = "a/".repeat(PATH_COMPONENTS_MAX) + "a";
    for rel in ["", "/", "/etc/passwd", "..", "../a", "a/../b", "a//b", "a/", ".", "./a", "a\0b", &deep] {
        let folder = &home.folder;
        let refusals = [
            folder.create_durable(rel, b"").map(drop),
            folder.create_visible(rel, b"").map(drop),
            folder.create_secret(rel, b"").map(drop),
            folder.replace_durable(rel, b"", Access::Public, Durability::Durable),
            folder.settle(&[rel]),
            folder.read(rel).map(drop),
            folder.read_settled(rel).map(drop),
            folder.exists(rel).map(drop),
            folder.remove(rel, Durability::Durable).map(drop),
            folder.make_directory(rel, Access::Public),
        ];
        for refusal in refusals {
            let error = check_refused(refusal, Errno::INVAL);
            assert_eq!(error.operation, Operation::CheckPath, "{rel:?}");
        }
    }
    let items = home.folder.list("").expect("listed");
    assert_eq!(items, [Item { name: "private".into(), is_directory: true }]);
}

#[test]
fn absent_is_not_unreadable() {
    // docs/spec/storage.md, SO-8.
    let home = Home::new();
    assert_eq!(home.folder.create_durable("a/file", b"bytes").expect("created"), Created::New);
    symlink("a", home.path("link")).expect("linked");
    symlink("nowhere", home.path("dangling")).expect("linked");
    fs::File::create(home.path("large")).and_then(|file| file.set_len(FILE_BYTES_MAX + 1)).expect("sparse");
    assert!(run("mkfifo", &[], &home.path("fifo")), "mkfifo");

    // Reading without waiting knows the bytes or says nothing; never that there are none.
    let at_once = home.folder.read_at_once("a/file");
    assert!(at_once.is_none_or(|bytes| bytes == b"bytes"));
    for rel in
        ["a/absent", "absent/absent", "a/file/below", "a", "large", "fifo", "link", "link/file", "../x"]
    {
        assert_eq!(home.folder.read_at_once(rel), None, "{rel}");
    }

    type Read = fn(&Folder, &str) -> Result<Option<Vec<u8>>, DiskError>;
    for read in [Folder::read as Read, Folder::read_settled] {
        assert_eq!(read(&home.folder, "a/file").expect("read").as_deref(), Some(&b"bytes"[..]));
        assert_eq!(read(&home.folder, "a/absent").expect("absent"), None);
        assert_eq!(read(&home.folder, "absent/absent").expect("absent"), None);
        check_refused(read(&home.folder, "a/file/below"), Errno::NOTDIR);
        check_refused(read(&home.folder, "a"), Errno::ISDIR);
        check_refused(read(&home.folder, "large"), Errno::FBIG);
        check_refused(read(&home.folder, "fifo"), Errno::INVAL);
        check_refused(read(&home.folder, "link"), Errno::LOOP);
        for rel in ["link/file", "dangling/file"] {
            // A missing volume behind a link must not look like an empty folder.
            let error = read(&home.folder, rel).expect_err("a link");
            assert!(matches!(error.errno(), Some(Errno::LOOP | Errno::NOTDIR)), "{error}");
        }
    }
    check_refused(home.folder.exists("a/file/below"), Errno::NOTDIR);
    check_refused(home.folder.list("a/file"), Errno::NOTDIR);
    assert_eq!(home.folder.list("absent").expect("absent"), []);
    check_refused(home.folder.create_durable("a/file/below", b""), Errno::NOTDIR);
    check_refused(home.folder.create_durable("dangling/file", b""), Errno::NOTDIR);
    assert!(home.folder.exists("a").expect("told") && !home.folder.exists("b").expect("told"));
}

#[test]
fn without_openat2_the_same_is_refused() {
    let home = Home::new();
    assert_eq!(home.folder.create_durable("a/file", b"bytes").expect("created"), Created::New);
    symlink("a", home.path("link")).expect("linked");
    symlink("file", home.path("a/link")).expect("linked");
    let open = |rel| home.folder.open_by_steps(rel, READ);
    assert!(open("a/file").is_ok());
    assert_eq!(open("a/absent").expect_err("absent"), Errno::NOENT);
    assert_eq!(open("a/file/below").expect_err("a file"), Errno::NOTDIR);
    assert_eq!(open("link/file").expect_err("a link"), Errno::NOTDIR);
    assert_eq!(open("a/link").expect_err("a link"), Errno::LOOP);
}

#[test]
fn without_renameat2_a_link_does_not_replace_either() {
    let home = Home::new();
    let root = open_directory(home.directory.path()).expect("opened");
    let temp = home.folder.write_temp(b"first", Access::Public).expect("written");
    home.folder.link_to_absent(&temp.rel, root.as_fd(), "name").expect("linked");
    home.check_no_temp();
    let temp = home.folder.write_temp(b"second", Access::Public).expect("written");
    assert_eq!(home.folder.link_to_absent(&temp.rel, root.as_fd(), "name"), Err(Errno::EXIST));
    home.folder.discard(&temp);
    assert_eq!(home.folder.read("name").expect("read").as_deref(), Some(&b"first"[..]));
    home.check_no_temp();
}

#[test]
fn replacing_leaves_nothing_beside() {
    let home = Home::new();
    for durability in [Durability::Durable, Durability::FileOnly] {
        for bytes in [&b"first"[..], b"second and longer", b""] {
            home.folder.replace_durable("a/marker", bytes, Access::Public, durability).expect("replaced");
            assert_eq!(home.folder.read("a/marker").expect("read").as_deref(), Some(bytes));
        }
    }
    let names: Vec<Item> = home.folder.list("a").expect("listed");
    assert_eq!(names, [Item { name: "marker".into(), is_directory: false }]);
    home.check_no_temp();
}

#[test]
fn visible_files_settle_once_and_again() {
    let home = Home::new();
    let rels: Vec<String> = (0..PENDING_FILES_MAX + 10).map(|n| format!("t/{}/{n}", n % 3)).collect();
    for rel in &rels {
        assert_eq!(home.folder.create_visible(rel, rel.as_bytes()).expect("created"), Created::New);
    }
    assert_eq!(locked(&home.folder.pending).len(), PENDING_FILES_MAX);
    home.folder.settle(&rels).expect("settled");
    assert!(locked(&home.folder.pending).is_empty());
    home.folder.settle(&rels).expect("settled again");
    assert!(locked(&home.folder.known_directories).contains("t/1"));
}

#[test]
fn after_an_uncertain_failure_nothing_is_written() {
    // docs/spec/storage.md, SO-7.
    let home = Home::new();
    let error = home.folder.settle(&["absent"]).expect_err("absent");
    assert_eq!(error.stage, Stage::Uncertain);
    let folder = &home.folder;
    for failure in [
        folder.create_durable("a", b"").map(drop),
        folder.create_visible("a", b"").map(drop),
        folder.replace_durable("a", b"", Access::Public, Durability::FileOnly),
        folder.remove("a", Durability::FileOnly).map(drop),
        folder.make_directory("a", Access::Public),
        folder.check_writable(&[]),
        folder.settle(&["a"]),
    ] {
        assert_eq!(failure.expect_err("stopped").stage, Stage::Uncertain);
    }
    assert_eq!(folder.read("a").expect("reads go on"), None);
}

#[test]
fn removing_is_idempotent_and_is_for_files() {
    let home = Home::new();
    assert_eq!(home.folder.create_visible("a/file", b"").expect("created"), Created::New);
    assert!(home.folder.remove("a/file", Durability::Durable).expect("removed"));
    assert!(!home.folder.remove("a/file", Durability::Durable).expect("was removed"));
    assert!(!home.folder.remove("absent/file", Durability::FileOnly).expect("never there"));
    check_refused(home.folder.remove("a", Durability::FileOnly), Errno::ISDIR);
}

#[test]
fn the_sweep_takes_temporary_files_and_nothing_else() {
    let home = Home::new();
    fs::write(home.path("private/tmp/1-7"), b"left").expect("written");
    fs::write(home.path("private/key"), b"kept").expect("written");
    assert_eq!(home.folder.sweep_temp().expect("swept"), 1);
    assert_eq!(home.folder.sweep_temp().expect("swept"), 0);
    assert!(home.path("private/key").exists());
}

#[test]
fn a_temporary_name_in_the_way_is_passed_by() {
    let home = Home::new();
    let in_the_way = format!("private/tmp/{}-0", std::process::id());
    fs::write(home.path(&in_the_way), b"left").expect("written");
    assert_eq!(home.folder.create_durable("a", b"bytes").expect("created"), Created::New);
    assert_eq!(fs::read(home.path(&in_the_way)).expect("read"), b"left");
}

#[test]
fn a_new_folder_is_made_once_and_needs_a_parent() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("log");
    for _ in 0..2 {
        drop(Folder::create(&path, TEMP, Access::Public).expect("made"));
    }
    check_refused(Folder::create(&directory.path().join("a/b"), TEMP, Access::Public), Errno::NOENT);
    check_refused(Folder::open(&directory.path().join("absent"), TEMP), Errno::NOENT);
    check_refused(Folder::open(&path, "../tmp"), Errno::INVAL);
}

#[test]
fn a_lock_is_held_by_one_and_ends_with_it() {
    let home = Home::new();
    for path in [home.directory.path().to_owned(), home.path("guard.lock")] {
        let lock = lock_exclusive(&path).expect("taken");
        let error = lock_exclusive(&path).expect_err("held");
        assert!(matches!(error, LockError::Held { .. }), "{error}");
        drop(lock);
        drop(lock_exclusive(&path).expect("released"));
    }
    let error = lock_exclusive(&home.path("absent/lock")).expect_err("no such directory");
    assert!(matches!(error, LockError::Disk(_)), "{error}");
}

#[test]
fn a_full_disk_is_a_clean_refusal_and_leaves_no_temporary_file() {
    let Some(mount) = Mount::new("size=64k") else { return };
    let folder = mount.folder();
    let space = folder.free_space().expect("told");
    assert!(space.bytes <= 64 << 10, "{space:?}");
    let large = vec![1; 1 << 20];
    for refusal in [
        folder.create_durable("a/large", &large).map(drop),
        folder.create_visible("a/large", &large).map(drop),
        folder.replace_durable("a/large", &large, Access::Public, Durability::Durable),
    ] {
        let error = check_refused(refusal, Errno::NOSPC);
        assert!(error.is_no_space() && !error.is_read_only() && !error.is_no_descriptor());
        assert_eq!(folder.list(TEMP).expect("listed"), [], "the temporary file was removed");
        assert_eq!(folder.read("a/large").expect("read"), None);
    }
    assert_eq!(folder.create_durable("a/small", b"fits").expect("created"), Created::New);
}

#[test]
fn no_inodes_are_a_clean_refusal() {
    let Some(mount) = Mount::new("size=1m,nr_inodes=6") else { return };
    let folder = mount.folder();
    let mut created = 0;
    let error = loop {
        match folder.create_durable(&format!("file{created}"), b"") {
            Ok(_) => created += 1,
            Err(error) => break error,
        }
        assert!(created < 6, "the inodes never ended");
    };
    assert!(error.is_no_space() && error.stage == Stage::Clean, "{error}");
    assert_eq!(folder.free_space().expect("told").inodes, Some(0));
    check_refused(folder.create_durable("new/directory", b""), Errno::NOSPC);
    check_refused(folder.check_writable(&[]), Errno::NOSPC);
}

#[test]
fn a_read_only_mount_is_said_at_start() {
    let Some(mount) = Mount::new("size=64k") else { return };
    let folder = mount.folder();
    assert_eq!(folder.create_durable("file", b"bytes").expect("created"), Created::New);
    folder.check_writable(&["", "private"]).expect("writable");
    assert!(run("mount", &["-o", "remount,ro"], &mount.path), "remounted");
    let error = check_refused(folder.check_writable(&[]), Errno::ROFS);
    assert!(error.is_read_only());
    assert!(error.to_string().ends_with("\nmount the file system read-write"), "{error}");
    check_refused(folder.create_durable("other", b""), Errno::ROFS);
    check_refused(folder.remove("file", Durability::FileOnly), Errno::ROFS);
    assert_eq!(folder.create_durable("file", b"bytes").expect("compared"), Created::Equal);
    assert_eq!(folder.read("file").expect("read").as_deref(), Some(&b"bytes"[..]));
}

#[test]
fn a_target_on_another_file_system_is_said_at_start() {
    let Some(mount) = Mount::new("size=64k") else { return };
    let folder = Folder::open(mount.path.parent().expect("a parent"), TEMP).expect("opened");
    folder.sweep_temp().expect("prepared");
    folder.check_writable(&["", "private", "absent"]).expect("the same file system");
    let checked = folder.check_writable(&["mounted"]);
    check_refused(checked, Errno::XDEV);
}
