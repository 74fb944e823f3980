//! Takes the storage away from under a running registry, and gives it back: `storage BINARY`, run by
//! `tests/faults/storage` in a mount namespace of its own.
//!
//! Each scene is a line of the table "While it serves" in `docs/operations.md`, from which it reads what
//! `serve` must say. After each, what was acknowledged must stand, the log must go on, and an audit must be
//! green. The table of phases is played with strace, which makes one system call fail on one directory.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test program: a broken invariant ends it")]

#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use undersigned_client::ClientError;
use undersigned_registry::envelope::Submission;
use undersigned_registry::event::Body;
use undersigned_registry::receipt::Receipt;
use undersigned_registry::verify::{Trust, verify};

use support::{FaultRow, Logged, Said, assert_says, operations_rows, operations_table, party, say};

/// Twice what must be free for a batch to begin (64 MiB) would be roomy; this leaves some MB for the log.
const DISK: &str = "size=96m";
/// As above with room for the files of a registry and 1,024 more.
const FEW_INODES: &str = "size=96m,nr_inodes=1600";
/// The guard has one small file, and one in the making.
const GUARD_DISK: &str = "size=64k";
const INDEX_DISK: &str = "size=64m";

/// A registry on small disks of its own, and what it acknowledged.
struct Stage {
    disk: PathBuf,
    data: PathBuf,
    guard: PathBuf,
    trust: Trust,
    receipts: Vec<Vec<u8>>,
    next: u64,
    /// Sent again, byte for byte, until it is answered.
    submission: Submission,
}

fn mount(arguments: &[&str]) {
    let output = Command::new("mount").args(arguments).output().unwrap();
    assert!(output.status.success(), "mount {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn tmpfs(path: &Path, options: &str) {
    fs::create_dir_all(path).unwrap();
    mount(&["-t", "tmpfs", "-o", options, "tmpfs", text(path)]);
}

fn remount(path: &Path, how: &str) {
    mount(&["-o", &format!("remount,{how}"), text(path)]);
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Writes until there is no room.
fn fill(folder: &Path) {
    let mut file = fs::File::create(folder.join("filler")).unwrap();
    while file.write(&[1; 4_096]).is_ok_and(|count| count > 0) {}
}

/// Makes files until there are no inodes.
fn fill_inodes(folder: &Path) {
    fs::create_dir(folder.join("fillers")).unwrap();
    for number in 0.. {
        if fs::File::create(folder.join("fillers").join(number.to_string())).is_err() {
            return;
        }
    }
}

const RENAMES: &str = "renameat,renameat2";
/// The columns of the table of phases.
const PHASE_FAULTS: [(&str, &str); 4] =
    [(RENAMES, "ENOSPC"), (RENAMES, "EROFS"), ("openat,openat2", "EMFILE"), ("fsync", "EIO")];

impl Stage {
    fn set(binary: &Path, root: &Path, options: &str) -> Self {
        let (disk, guard) = (root.join("disk"), root.join("guard"));
        tmpfs(&disk, options);
        tmpfs(&guard, GUARD_DISK);
        let data = disk.join("registry");
        let guard = guard.join("guard");
        let (code, _, error) = say(
            binary,
            &["init", "--origin", "small.example/log", "--data", text(&data), "--guard", text(&guard)],
        );
        assert_eq!(code, 0, "{error}");
        // sled keeps its file open for writing, which would hinder a mount from becoming read-only.
        tmpfs(&data.join("private/index"), INDEX_DISK);
        let policy = fs::read_to_string(data.join("registry.policy")).unwrap();
        let trust = Trust::parse(&policy, None).unwrap();
        let (submission, _) = party(trust.registry().unwrap(), 0);
        let mut stage = Self { disk, data, guard, trust, receipts: Vec::new(), next: 0, submission };
        let server = stage.start(binary);
        stage.submit(&server);
        stage.submit(&server);
        server.stop();
        stage
    }

    fn start(&self, binary: &Path) -> Logged {
        self.try_start(binary).unwrap_or_else(|said| panic!("it does not start: {said:?}"))
    }

    fn try_start(&self, binary: &Path) -> Result<Logged, Said> {
        Logged::start(binary, &self.data, &["--guard", text(&self.guard)])
    }

    fn try_submit(&self, server: &Logged) -> Result<Vec<u8>, ClientError> {
        server.client().submit(&self.submission).map(|submitted| submitted.receipt)
    }

    fn submit(&mut self, server: &Logged) {
        let receipt = self.try_submit(server).expect("it is taken");
        self.answered(receipt);
    }

    fn answered(&mut self, receipt: Vec<u8>) {
        self.receipts.push(receipt);
        self.next += 1;
        self.submission = party(self.trust.registry().unwrap(), self.next).0;
    }

    /// Refused for want of storage, while everything can be read.
    fn check_refuses(&self, server: &Logged) {
        let error = self.try_submit(server).expect_err("there is no room");
        assert_eq!(error.code(), Some("storage"), "{error}");
        self.check_reads(server);
    }

    fn check_reads(&self, server: &Logged) {
        let client = server.client();
        for receipt in &self.receipts {
            let old = verify(&Receipt::parse(receipt).unwrap(), &self.trust).unwrap();
            let bytes = client.receipt(&old.event_hash.to_string()).unwrap();
            let new = verify(&Receipt::parse(&bytes).unwrap(), &self.trust).unwrap();
            assert_eq!((new.index, new.event_hash), (old.index, old.event_hash));
        }
        assert!(client.checkpoint().unwrap().starts_with(b"small.example/log\n"));
    }

    /// The log goes on, everything stands, the audit is green; then it ends in order.
    fn check_goes_on(&mut self, server: Logged, binary: &Path) {
        self.submit(&server);
        self.check_reads(&server);
        server.stop();
        let policy = self.data.join("registry.policy");
        let (code, said, error) = say(binary, &["audit", text(&self.data), "--policy", text(&policy)]);
        assert!(code == 0 && said.contains("GREEN"), "{said}{error}");
    }

    /// After an end by itself: the batch that was committed is there, and who was not answered gets it.
    fn check_comes_back(&mut self, binary: &Path, size: u64) {
        let server = self.start(binary);
        assert_eq!(server.client().registry().unwrap().tree_size, size + 1, "what was committed is applied");
        self.submit(&server);
        assert_eq!(server.client().registry().unwrap().tree_size, size + 1, "it was in already");
        self.check_goes_on(server, binary);
    }

    fn logs(&self, words: &str) {
        let log = Logged::log(&self.data);
        assert!(log.contains(words), "{words:?} is not in: {log}");
    }

    fn leave(self) {
        for path in
            [self.data.join("private/index"), self.disk.clone(), self.guard.parent().unwrap().to_owned()]
        {
            let status = Command::new("umount").arg("-l").arg(&path).status().unwrap();
            assert!(status.success());
        }
    }
}

/// The rows of the table, each of which some scene must play.
struct Table {
    rows: Vec<FaultRow>,
    played: BTreeSet<String>,
}

impl Table {
    /// What `serve` says at a fault: what stands between backquotes last, or the whole cell.
    fn says(&mut self, fault: &str) -> String {
        let row =
            self.rows.iter().find(|row| row.fault == fault).unwrap_or_else(|| panic!("no line {fault}"));
        self.played.insert(fault.to_owned());
        println!("{fault}");
        row.says.rsplit('`').nth(1).unwrap_or(&row.says).to_owned()
    }

    fn check_end(&mut self, fault: &str, stage: &Stage, said: &Said) {
        let template = self.says(fault);
        let fill = [("data", text(&stage.data).to_owned()), ("guard", text(&stage.guard).to_owned())];
        assert_eq!(said.code, 4, "{fault}");
        assert_says(&said.error, &template, &fill, fault);
        assert!(!said.next.is_empty(), "{fault}: it says what to do");
    }
}

fn disk_full(binary: &Path, root: &Path, table: &mut Table) {
    let mut stage = Stage::set(binary, root, DISK);
    let server = stage.start(binary);
    fill(&stage.disk);
    stage.check_refuses(&server);
    stage.logs(&table.says("disk is full"));
    fs::remove_file(stage.disk.join("filler")).unwrap();
    stage.check_goes_on(server, binary);
    fill(&stage.disk);
    let said = stage.try_start(binary).err().expect("refused");
    table.check_end("start on a full disk", &stage, &said);
    fs::remove_file(stage.disk.join("filler")).unwrap();
    let server = stage.start(binary);
    stage.check_goes_on(server, binary);
    stage.leave();
}

fn no_inodes(binary: &Path, root: &Path, table: &mut Table) {
    let mut stage = Stage::set(binary, root, FEW_INODES);
    let server = stage.start(binary);
    fill_inodes(&stage.disk);
    stage.check_refuses(&server);
    stage.logs(&table.says("no inodes are left"));
    fs::remove_dir_all(stage.disk.join("fillers")).unwrap();
    stage.check_goes_on(server, binary);
    fill_inodes(&stage.disk);
    let said = stage.try_start(binary).err().expect("refused");
    table.check_end("start without inodes", &stage, &said);
    fs::remove_dir_all(stage.disk.join("fillers")).unwrap();
    let server = stage.start(binary);
    stage.check_goes_on(server, binary);
    stage.leave();
}

fn read_only(binary: &Path, root: &Path, table: &mut Table) {
    let mut stage = Stage::set(binary, root, DISK);
    let server = stage.start(binary);
    let registry = stage.trust.registry().unwrap().clone();
    let (submission, id) = party(&registry, 78);
    server.client().submit(&submission).expect("it is taken");
    let (statement, version) = support::publish(&server.client(), &registry, 77, "pledge");
    until_read_only(&stage.disk);
    // At its blobs.
    stage.check_refuses(&server);
    // At its batch: an endorsement has no blobs.
    let body = Body::Endorse { statement, version, language: "en".to_owned(), not_after: None };
    let (endorsement, _) = support::thread_event(&registry, 78, id, None, body);
    let error = server.client().submit(&endorsement).expect_err("read-only");
    assert_eq!(error.code(), Some("storage"), "{error}");
    stage.logs(&table.says("mount becomes read-only"));
    remount(&stage.disk, "rw");
    server.client().submit(&endorsement).expect("it is taken");
    stage.check_goes_on(server, binary);
    remount(&stage.disk, "ro");
    let said = stage.try_start(binary).err().expect("refused");
    table.check_end("start on a read-only mount", &stage, &said);
    remount(&stage.disk, "rw");
    let server = stage.start(binary);
    stage.check_goes_on(server, binary);
    stage.leave();
}

/// A mount becomes read-only only when nobody writes: what was answered may still be being settled.
fn until_read_only(path: &Path) {
    loop {
        let status =
            Command::new("mount").args(["-o", "remount,ro"]).arg(path).stderr(Stdio::null()).status();
        if status.unwrap().success() {
            return;
        }
        std::thread::yield_now();
    }
}

fn guard_fails(binary: &Path, root: &Path, table: &mut Table) {
    let mut stage = Stage::set(binary, root, DISK);
    let disk = stage.guard.parent().unwrap().to_owned();
    let faults: [(&str, Act, Act); 2] = [
        ("guard's disk is full", fill, |disk| fs::remove_file(disk.join("filler")).unwrap()),
        ("guard's mount becomes read-only", |disk| remount(disk, "ro"), |disk| remount(disk, "rw")),
    ];
    for (fault, take, give) in faults {
        let server = stage.start(binary);
        let size = server.client().registry().unwrap().tree_size;
        take(&disk);
        stage.try_submit(&server).expect_err("nothing is signed without the guard");
        table.check_end(fault, &stage, &server.end());
        give(&disk);
        stage.check_comes_back(binary, size);
    }
    stage.leave();
}

/// Something done to a disk.
type Act = fn(&Path);

/// The process may lose its descriptors at any moment of a commit; whether it ends is not the point.
fn no_descriptors(binary: &Path, root: &Path, table: &mut Table) {
    let mut stage = Stage::set(binary, root, DISK);
    let server = stage.start(binary);
    let client = server.client();
    // The connection is there before the descriptors are gone.
    assert!(client.checkpoint().is_ok());
    let limit = |count: &str| {
        let pid = server.pid().to_string();
        let status =
            Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={count}:4096")]).status();
        assert!(status.unwrap().success());
    };
    limit("3");
    let error = client.submit(&stage.submission).expect_err("there is no descriptor");
    table.says("no descriptors are left");
    assert!(error.code().is_none_or(|code| code == "storage"), "{error}");
    limit("4096");
    stage.check_goes_on(server, binary);
    stage.leave();
}

/// A running strace that makes system calls on one directory fail.
struct Failing(Child);

impl Failing {
    /// `directory` lies in `folder`; calls name it by a descriptor of it, or by its path from the folder.
    fn attach(pid: u32, folder: &Path, directory: &str, calls: &str, error: &str) -> Self {
        let absolute = folder.join(directory);
        let mut child = Command::new("strace")
            .args(["-f", "-p", &pid.to_string(), "-P", text(absolute.as_path()).trim_end_matches('/')])
            .args(if directory.is_empty() { vec![] } else { vec!["-P", directory] })
            .args(["-e", &format!("trace={calls}"), "-e", &format!("inject={calls}:error={error}")])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let attached = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("attached")));
        assert!(attached.is_some(), "strace attaches");
        // Nobody may wait for the pipe to be read.
        std::thread::spawn(move || lines.for_each(drop));
        Self(child)
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// After the commit and the guard: tiles, checkpoint, and making them durable.
fn writes_fail(binary: &Path, root: &Path, table: &mut Table) {
    let mut stage = Stage::set(binary, root, DISK);
    for (fault, path, calls, error) in [
        ("a write of a tile fails", "public/tile/0/000.p", RENAMES, "ENOSPC"),
        ("a write of the checkpoint fails for good", "public", RENAMES, "EIO"),
        ("a tile cannot be made durable", "public/tile/entries/000.p", "fsync", "EIO"),
    ] {
        let server = stage.start(binary);
        let size = server.client().registry().unwrap().tree_size;
        let failing = Failing::attach(server.pid(), &stage.data, path, calls, error);
        // Whether it was answered before the end depends on how far behind the log its tiles are settled.
        let answered = stage.try_submit(&server);
        table.check_end(fault, &stage, &server.end());
        drop((failing, answered));
        stage.check_comes_back(binary, size);
    }
    stage.leave();
}

/// Every phase of a commit, and every fault in it, by the table: what was answered stands, what was not
/// comes in by being sent again, and nothing is there twice.
fn each_phase(binary: &Path, root: &Path, _: &mut Table) {
    let mut stage = Stage::set(binary, root, DISK);
    for row in operations_rows("### At each phase of a commit", "| phase |") {
        let [phase, cells @ ..] = row.as_slice() else { panic!("a row has cells") };
        assert_eq!(cells.len(), PHASE_FAULTS.len());
        for ((calls, error), expected) in PHASE_FAULTS.iter().zip(cells) {
            let hex =
                undersigned_tlog::hash::sha256(&[format!("Organisation {}", stage.next).as_bytes()]).to_hex();
            let blobs = format!("public/blobs/{}/{}", &hex[..2], &hex[2..4]);
            let (folder, directory) = match phase.as_str() {
                "list of new blobs" => (&stage.data, "private/new-blobs"),
                "blobs" => (&stage.data, blobs.as_str()),
                "batch object" => (&stage.data, "private/batch"),
                "guard" => (&stage.guard, ""),
                "tiles and bundles" => (&stage.data, "public/tile/0/000.p"),
                "checkpoint" => (&stage.data, "public"),
                "settled marker" => (&stage.data, "private"),
                other => panic!("no phase {other}"),
            };
            if expected == "-" {
                continue;
            }
            let server = stage.start(binary);
            let size = server.client().registry().unwrap().tree_size;
            let failing = Failing::attach(server.pid(), folder, directory, calls, error);
            println!("{phase}: {calls} {error}: {expected}");
            let (submission, client) = (stage.submission.clone(), server.client());
            let sender = std::thread::spawn(move || client.submit(&submission));
            match expected.as_str() {
                "503" => {
                    let error = sender.join().unwrap().expect_err("nothing is committed");
                    assert_eq!(error.code(), Some("storage"), "{phase}: {error}");
                    assert_eq!(server.client().registry().unwrap().tree_size, size, "{phase}");
                    drop(failing);
                    stage.submit(&server);
                    server.stop();
                }
                "ends" => {
                    let said = server.end();
                    assert!(said.code == 4 && !said.next.is_empty(), "{phase}: {said:?}");
                    drop((failing, sender.join().unwrap()));
                    let server = stage.start(binary);
                    stage.submit(&server);
                    server.stop();
                }
                other => panic!("{phase}: what is {other}"),
            }
            let server = stage.start(binary);
            assert_eq!(
                server.client().registry().unwrap().tree_size,
                size + 1,
                "{phase}: once and not twice"
            );
            stage.check_reads(&server);
            server.stop();
        }
    }
    let server = stage.start(binary);
    stage.check_goes_on(server, binary);
    stage.leave();
}

/// The index is behind the log and can be thrown away: its disk full, the log goes on.
fn index_full(binary: &Path, root: &Path, table: &mut Table) {
    let mut stage = Stage::set(binary, root, DISK);
    let index = stage.data.join("private/index");
    let server = stage.start(binary);
    fill(&index);
    for _ in 0..40 {
        stage.submit(&server);
    }
    table.says("index's disk is full");
    if let Err(error) = server.client().parties_by_domain("org-0.example") {
        assert_eq!(error.code(), Some("index-rebuilding"), "{error}");
    }
    drop(server);
    fs::remove_file(index.join("filler")).unwrap();
    let server = stage.start(binary);
    stage.check_goes_on(server, binary);
    stage.leave();
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [binary] = arguments.as_slice() else {
        eprintln!("usage: storage BINARY");
        return ExitCode::from(2);
    };
    let binary = PathBuf::from(binary);
    let folder = tempfile::tempdir().unwrap();
    let rows = operations_table("### While it serves");
    let mut table = Table { rows, played: BTreeSet::new() };
    for scene in
        [disk_full, no_inodes, read_only, guard_fails, no_descriptors, writes_fail, index_full, each_phase]
    {
        scene(&binary, folder.path(), &mut table);
    }
    let named: BTreeSet<String> = table.rows.iter().map(|row| row.fault.clone()).collect();
    assert_eq!(named, table.played, "every line of the table was played");
    println!("{} faults, everything acknowledged stands", table.played.len());
    ExitCode::SUCCESS
}
