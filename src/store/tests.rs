//! The duties of a store, checked by one suite over every implementation; then what is special to each.

use std::sync::{Arc, Barrier};

use tempfile::TempDir;
use undersigned_tlog::hash::Hash;
use undersigned_tlog::tile::TilePath;

use super::*;

fn tile(path: &str) -> Name {
    Name::tile(&TilePath::parse(path).expect("a tile path"))
}

fn blob(byte: u8) -> Name {
    Name::blob(&Hash::from_bytes([byte; 32]))
}

fn private(path: &str) -> Name {
    Name::private(path).expect("a private name")
}

fn local() -> (TempDir, LocalStore) {
    let directory = TempDir::new().expect("a directory");
    let store = LocalStore::init(&directory.path().join("log")).expect("a new store");
    (directory, store)
}

fn on_every_store(check: impl Fn(Arc<dyn Store>)) {
    check(Arc::new(MemoryStore::new()));
    let (_directory, store) = local();
    check(Arc::new(store));
}

fn read(store: &dyn Store, name: &Name) -> Option<Vec<u8>> {
    let plain = store.get(name).expect("readable");
    assert_eq!(store.get_settled(name).expect("readable"), plain, "{name}");
    let at_once = store.get_at_once(name);
    assert!(at_once.is_none() || at_once == plain, "{name}: what is had at once is what is there");
    plain
}

fn names(store: &dyn Store, prefix: &Prefix) -> Vec<String> {
    let listed = store.list(prefix, None, LIST_NAMES_MAX).expect("listed");
    listed.iter().map(ToString::to_string).collect()
}

#[test]
fn a_hint_is_replaced_whole_and_a_power_cut_may_take_it() {
    on_every_store(|store| {
        let hint = private("hint");
        for bytes in [&b"one"[..], b"", b"two"] {
            store.put_hint(&hint, bytes).expect("replaced");
            assert_eq!(read(&*store, &hint).as_deref(), Some(bytes));
        }
        for name in [Name::batch(0), Name::checkpoint(), blob(1), tile("tile/0/000")] {
            let refused = store.put_hint(&name, b"");
            assert!(matches!(refused, Err(StoreError::Misuse { .. })), "{name}");
        }
    });
    let store = MemoryStore::new();
    for (cut, left) in
        [(PowerCut::None, Some(&b"one!"[..])), (PowerCut::Torn, Some(b"on")), (PowerCut::Absent, None)]
    {
        store.put_hint(&private("hint"), b"one!").expect("replaced");
        store.restart(cut);
        assert_eq!(store.get(&private("hint")).expect("readable").as_deref(), left);
    }
}

#[test]
fn create_gives_a_name_its_bytes_once() {
    on_every_store(|store| {
        for name in [Name::batch(0), Name::batch(u64::MAX), blob(1), private("a/b/c")] {
            assert_eq!(read(&*store, &name), None);
            assert_eq!(store.create(&name, b"one").expect("created"), Created::New);
            assert_eq!(store.create(&name, b"one").expect("compared"), Created::Equal);
            for other in [&b"two"[..], b"", b"on", b"one "] {
                assert_eq!(store.create(&name, other).expect("compared"), Created::Different);
            }
            assert_eq!(read(&*store, &name).as_deref(), Some(&b"one"[..]));
        }
    });
}

#[test]
fn pending_objects_are_seen_at_once_and_settle_together() {
    on_every_store(|store| {
        let all = [tile("tile/0/000.p/3"), tile("tile/entries/x001/067"), tile("tile/1/x012/345"), blob(2)];
        for name in &all {
            assert_eq!(store.create_pending(name, b"bytes").expect("created"), Created::New);
            assert_eq!(store.create_pending(name, b"bytes").expect("compared"), Created::Equal);
            assert_eq!(store.create_pending(name, b"other").expect("compared"), Created::Different);
            assert_eq!(store.get(name).expect("readable").as_deref(), Some(&b"bytes"[..]));
        }
        store.settle(&all).expect("settled");
        store.settle(&all).expect("settled again");
        store.settle(&[]).expect("nothing to settle");
        assert_eq!(store.create(&blob(2), b"bytes").expect("compared"), Created::Equal);
    });
}

#[test]
fn settling_what_is_absent_is_fatal_and_nothing_is_written_after_it() {
    on_every_store(|store| {
        let error = store.settle(&[tile("tile/0/000")]).expect_err("absent");
        assert!(error.is_fatal(), "{error}");
        for error in [
            store.create(&Name::batch(0), b"").expect_err("stopped"),
            store.create_pending(&blob(0), b"").expect_err("stopped"),
            store.put_checkpoint(b"").expect_err("stopped"),
            store.put_marker(&private("a"), b"").expect_err("stopped"),
            store.replace_from_batch(&tile("tile/0/000"), b"").expect_err("stopped"),
            store.delete(&Name::batch(0)).expect_err("stopped"),
        ] {
            assert!(error.is_fatal(), "{error}");
        }
        assert_eq!(store.get(&Name::batch(0)).expect("reads go on"), None);
    });
}

#[test]
fn what_may_be_replaced_is_replaced() {
    on_every_store(|store| {
        for bytes in [&b"first"[..], b"second, longer", b""] {
            store.put_checkpoint(bytes).expect("put");
            assert_eq!(read(&*store, &Name::checkpoint()).as_deref(), Some(bytes));
            store.put_marker(&private("clean"), bytes).expect("put");
            assert_eq!(read(&*store, &private("clean")).as_deref(), Some(bytes));
            store.replace_from_batch(&tile("tile/0/000"), bytes).expect("replaced");
            store.replace_from_batch(&tile("tile/0/000"), bytes).expect("made durable");
            assert_eq!(read(&*store, &tile("tile/0/000")).as_deref(), Some(bytes));
        }
    });
}

#[test]
fn every_verb_refuses_the_names_it_is_not_meant_for() {
    let batch = Name::batch(0);
    let full = tile("tile/0/000");
    let partial = tile("tile/entries/000.p/1");
    let marker = private("marker");
    let all = [&batch, &full, &partial, &marker, &blob(3), &Name::checkpoint()].map(Clone::clone);
    on_every_store(|store| {
        let misused = |result: Result<(), StoreError>| matches!(result, Err(StoreError::Misuse { .. }));
        for name in &all {
            let is_tile = *name == full || *name == partial;
            let is_checkpoint = *name == Name::checkpoint();
            assert_eq!(misused(store.create(name, b"").map(drop)), is_tile || is_checkpoint, "{name}");
            let may_wait = is_tile || *name == blob(3);
            assert_eq!(misused(store.create_pending(name, b"").map(drop)), !may_wait, "{name}");
            assert_eq!(misused(store.replace_from_batch(name, b"")), !is_tile, "{name}");
            assert_eq!(misused(store.put_marker(name, b"")), *name != marker, "{name}");
            assert_eq!(misused(store.delete(name)), is_checkpoint || *name == full, "{name}");
        }
    });
}

#[test]
fn delete_is_idempotent_and_frees_the_name() {
    on_every_store(|store| {
        store.delete(&Name::batch(7)).expect("never there");
        assert_eq!(store.create(&Name::batch(7), b"one").expect("created"), Created::New);
        assert_eq!(store.create(&blob(4), b"text").expect("created"), Created::New);
        assert_eq!(store.create_pending(&tile("tile/0/000.p/2"), b"t").expect("created"), Created::New);
        for name in [Name::batch(7), blob(4), tile("tile/0/000.p/2")] {
            store.delete(&name).expect("deleted");
            store.delete(&name).expect("deleted before");
            assert_eq!(read(&*store, &name), None);
        }
        assert_eq!(store.create(&Name::batch(7), b"two").expect("created"), Created::New);
    });
}

#[test]
fn lists_are_sorted_cut_and_go_on() {
    on_every_store(|store| {
        assert_eq!(names(&*store, &Prefix::batches()), Vec::<String>::new());
        for old_size in [300, 5, 70_000, 0] {
            assert_eq!(store.create(&Name::batch(old_size), b"").expect("created"), Created::New);
        }
        let batches = Prefix::batches();
        let sizes: Vec<Option<u64>> =
            store.list(&batches, None, 9).expect("listed").iter().map(Name::batch_old_size).collect();
        assert_eq!(sizes, [Some(0), Some(5), Some(300), Some(70_000)]);
        assert_eq!(store.list(&batches, None, 2).expect("listed"), [Name::batch(0), Name::batch(5)]);
        assert_eq!(store.list(&batches, Some(&Name::batch(5)), 1).expect("listed"), [Name::batch(300)]);
        assert_eq!(store.list(&batches, Some(&Name::batch(6)), 1).expect("listed"), [Name::batch(300)]);
        assert_eq!(store.list(&batches, Some(&Name::batch(70_000)), 1).expect("listed"), []);
        assert_eq!(store.list(&batches, None, 0).expect("listed"), []);
    });
}

#[test]
fn lists_of_deep_names_page_in_the_order_of_whole_names() {
    let paths = [
        "tile/0/000",
        "tile/0/000.p/1",
        "tile/0/000.p/16",
        "tile/0/000.p/2",
        "tile/0/001",
        "tile/0/x001/000",
        "tile/0/x001/000.p/7",
        "tile/1/000.p/1",
        "tile/entries/000",
    ];
    on_every_store(|store| {
        for path in paths.iter().rev() {
            assert_eq!(store.create_pending(&tile(path), b"t").expect("created"), Created::New);
        }
        let expected: Vec<String> = paths.iter().map(|path| format!("public/{path}")).collect();
        assert_eq!(names(&*store, &Prefix::tiles()), expected);
        for limit in 1..=paths.len() {
            let mut found = Vec::new();
            let mut page = store.list(&Prefix::tiles(), None, limit).expect("listed");
            while let Some(last) = page.last().cloned() {
                found.extend(page.iter().map(ToString::to_string));
                page = store.list(&Prefix::tiles(), Some(&last), limit).expect("listed");
            }
            assert_eq!(found, expected, "pages of {limit}");
        }
        let partials = Prefix::partials(&TilePath::parse("tile/0/000").expect("a tile path"));
        assert_eq!(names(&*store, &partials), expected.get(1..4).expect("three partials"));
        assert_eq!(names(&*store, &Prefix::blobs()), Vec::<String>::new());
    });
}

#[test]
fn of_many_writers_one_creates_the_name() {
    const WRITERS: u8 = 8;
    on_every_store(|store| {
        for round in 0..20 {
            let name = Name::batch(round);
            let start = Arc::new(Barrier::new(usize::from(WRITERS)));
            let writers: Vec<_> = (0..WRITERS)
                .map(|writer| {
                    let (store, start, name) = (Arc::clone(&store), Arc::clone(&start), name.clone());
                    std::thread::spawn(move || {
                        start.wait();
                        store.create(&name, &[writer; 5000]).expect("decided")
                    })
                })
                .collect();
            let outcomes: Vec<Created> =
                writers.into_iter().map(|writer| writer.join().expect("no panic")).collect();
            let winners: Vec<usize> =
                (0..outcomes.len()).filter(|&index| outcomes.get(index) == Some(&Created::New)).collect();
            let [winner] = winners.as_slice() else { panic!("{outcomes:?}") };
            let winner = u8::try_from(*winner).expect("eight writers");
            assert_eq!(read(&*store, &name), Some(vec![winner; 5000]));
            assert!(outcomes.iter().all(|outcome| *outcome != Created::Equal), "{outcomes:?}");
        }
    });
}

mod memory {
    use super::*;

    #[test]
    fn faults_come_where_they_are_put_and_in_three_kinds() {
        let store = MemoryStore::new();
        assert_eq!(store.create(&Name::batch(0), b"a").expect("created"), Created::New);
        store.fail_call(store.calls(), Fault::Refused);
        let error = store.create(&Name::batch(1), b"a").expect_err("refused");
        assert!(error.is_no_space() && !error.is_fatal(), "{error}");
        assert_eq!(store.get(&Name::batch(1)).expect("read"), None);
        assert_eq!(store.create(&Name::batch(1), b"a").expect("the store goes on"), Created::New);

        for (fault, found) in [(Fault::Happened, Some(b"a".to_vec())), (Fault::Lost, None)] {
            let name = Name::batch(if fault == Fault::Lost { 2 } else { 3 });
            store.fail_call(store.calls(), fault);
            assert!(store.create(&name, b"a").expect_err("uncertain").is_fatal());
            assert!(store.put_checkpoint(b"").expect_err("stopped").is_fatal());
            store.restart(PowerCut::Absent);
            assert_eq!(store.get(&name).expect("read"), found, "{fault:?}");
        }

        store.fail_call(store.calls(), Fault::Lost);
        let error = store.get(&Name::batch(0)).expect_err("unreadable, and not absent");
        assert!(matches!(error, StoreError::Unreadable { .. }), "{error}");
    }

    #[test]
    fn a_power_cut_takes_what_was_pending_and_nothing_else() {
        for (power_cut, found) in [
            (PowerCut::None, Some(&b"tile"[..])),
            (PowerCut::Absent, None),
            (PowerCut::Empty, Some(b"")),
            (PowerCut::Torn, Some(b"ti")),
        ] {
            let store = MemoryStore::new();
            let (pending, settled) = (tile("tile/0/000"), tile("tile/0/001"));
            for name in [&pending, &settled] {
                assert_eq!(store.create_pending(name, b"tile").expect("created"), Created::New);
            }
            store.settle(std::slice::from_ref(&settled)).expect("settled");
            store.restart(power_cut);
            assert_eq!(store.get(&pending).expect("read").as_deref(), found);
            assert_eq!(store.get(&settled).expect("read").as_deref(), Some(&b"tile"[..]));
        }
    }

    #[test]
    fn others_can_write_behind_our_back() {
        let store = MemoryStore::new();
        store.plant(&Name::batch(0), Some(b"theirs"));
        assert_eq!(store.create(&Name::batch(0), b"ours").expect("compared"), Created::Different);
        store.plant(&Name::batch(0), None);
        assert_eq!(store.create(&Name::batch(0), b"ours").expect("created"), Created::New);
    }
}

mod local {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_folder_that_nobody_initialised_is_no_log() {
        let directory = TempDir::new().expect("a directory");
        let error = LocalStore::open(directory.path()).expect_err("empty");
        assert!(matches!(error, OpenError::NotInitialised { missing: "public", .. }), "{error}");
        let error = LocalStore::open(&directory.path().join("absent")).expect_err("absent");
        assert!(matches!(error, OpenError::Disk(_)), "{error}");
        assert!(fs::read_dir(directory.path()).expect("a directory").next().is_none(), "nothing was made");
    }

    #[test]
    fn init_again_completes_what_a_crash_left() {
        let (directory, store) = super::local();
        drop(store);
        let path = directory.path().join("log");
        fs::remove_dir(path.join("public/blobs")).expect("removed");
        let error = LocalStore::open(&path).expect_err("incomplete");
        assert!(matches!(error, OpenError::NotInitialised { missing: "public/blobs", .. }), "{error}");
        drop(LocalStore::init(&path).expect("completed"));
        LocalStore::open(&path).expect("opened");
    }

    /// A folder restored from `public/` and the keys alone has no batches, and recovery needs none.
    #[test]
    fn a_folder_without_batches_opens() {
        let (directory, store) = super::local();
        drop(store);
        let path = directory.path().join("log");
        fs::remove_dir(path.join("private/batch")).expect("removed");
        LocalStore::open(&path).expect("opened");
        assert!(path.join("private/batch").is_dir());
    }

    #[test]
    fn one_process_serves_a_folder_and_others_may_read() {
        let (directory, store) = super::local();
        let path = directory.path().join("log");
        store.put_checkpoint(b"five").expect("put");
        for error in
            [LocalStore::open(&path), LocalStore::init(&path)].map(|opened| opened.expect_err("held"))
        {
            assert!(error.to_string().starts_with("another process is serving "), "{error}");
        }
        let reader = LocalStore::open_for_reading(&path).expect("opened");
        assert_eq!(reader.get(&Name::checkpoint()).expect("read").as_deref(), Some(&b"five"[..]));
        let error = reader.put_checkpoint(b"six").expect_err("for reading");
        assert!(matches!(error, StoreError::Refused { shortage: Shortage::ReadOnly, .. }), "{error}");
        drop(store);
        LocalStore::open(&path).expect("the lock went with the store");
    }

    #[test]
    fn private_objects_are_for_the_owner_and_public_ones_for_all() {
        let (directory, store) = super::local();
        assert_eq!(store.create(&Name::batch(0), b"").expect("created"), Created::New);
        store.put_marker(&private("clean"), b"").expect("put");
        store.put_checkpoint(b"").expect("put");
        let mode = |path: &str| {
            let metadata = fs::metadata(directory.path().join("log").join(path)).expect("there");
            metadata.permissions().mode() & 0o777
        };
        for path in ["private", "private/batch", "private/tmp"] {
            assert_eq!(mode(path), 0o700, "{path}");
        }
        for path in [Name::batch(0).as_str(), "private/clean"] {
            assert_eq!(mode(path), 0o600, "{path}");
        }
        assert_eq!(mode("public/checkpoint") & 0o600, 0o600);
    }

    #[test]
    fn strays_are_not_listed_and_temporary_files_go_at_the_next_start() {
        let (directory, store) = super::local();
        let path = directory.path().join("log");
        for stray in ["private/batch/5", "private/batch/readme", "private/tmp/1-1"] {
            fs::write(path.join(stray), b"stray").expect("written");
        }
        fs::create_dir(path.join("private/batch/00000000000000000009")).expect("made");
        assert_eq!(names(&store, &Prefix::batches()), Vec::<String>::new());
        let error = store.get(&Name::batch(9)).expect_err("a directory is not absent");
        assert!(matches!(error, StoreError::Unreadable { .. }), "{error}");
        let error = store.create(&Name::batch(9), b"").expect_err("a directory is not absent");
        assert!(matches!(error, StoreError::Unreadable { .. }), "{error}");
        drop(store);
        let _store = LocalStore::open(&path).expect("opened");
        assert!(!path.join("private/tmp/1-1").exists());
    }

    #[test]
    fn a_torn_tile_is_different_until_it_is_replaced_from_its_batch() {
        let (directory, store) = super::local();
        let name = tile("tile/0/000");
        assert_eq!(store.create_pending(&name, b"whole").expect("created"), Created::New);
        fs::write(directory.path().join("log").join(name.as_str()), b"").expect("torn");
        assert_eq!(store.create_pending(&name, b"whole").expect("compared"), Created::Different);
        store.replace_from_batch(&name, b"whole").expect("replaced");
        assert_eq!(store.create_pending(&name, b"whole").expect("compared"), Created::Equal);
    }

    #[test]
    fn free_space_is_told() {
        let (_directory, store) = super::local();
        let space = store.free_space().expect("told").expect("a disk has a limit");
        assert!(space.bytes > 0);
    }
}
