//! A log that starts from a snapshot is the log that replays all of its entries: the same records, the same next
//! entries, the same heads. And whatever is wrong with a snapshot is as if there were none.
//!
//! The law is the registry's, as only a law with a state has anything to copy.

use std::sync::Arc;

use undersigned_registry::envelope::Submission;
use undersigned_registry::state_tree::Record as _;
use undersigned_tlog::checkpoint::Origin;
use undersigned_tlog::tile::TilePath;

use super::{Newest, Pace, object_name};
use crate::admission;
use crate::clock::GivenClock;
use crate::sequencer::script::{START, Script, log_signer};
use crate::sequencer::start::start_at_pace;
use crate::sequencer::{Orphans, RecoverError, RegistryLaw, Running};
use crate::signer::{Guard, Head, Signer};
use crate::store::{Fault, MemoryStore, Name, PowerCut, Prefix, Store};

const ORIGIN: &str = "snapshot.example/log";

/// A snapshot with every second settled batch, and at every end.
const OFTEN: Pace = Pace { running_min: 2, running_max: 2, ended: 1 };
const AT_THE_END: Pace = Pace { running_min: u64::MAX, running_max: u64::MAX, ended: 1 };
const NEVER: Pace = Pace { running_min: u64::MAX, running_max: u64::MAX, ended: u64::MAX };

/// The state, record by record.
type Records = Vec<(Vec<u8>, Vec<u8>)>;

/// A log in memory whose guard lies in a folder of its own.
struct Log {
    store: Arc<MemoryStore>,
    guard: tempfile::TempDir,
}

impl Log {
    fn new() -> Self {
        let guard = tempfile::tempdir().unwrap();
        drop(Guard::create(guard.path(), &Origin::new(ORIGIN).unwrap()).unwrap());
        Self { store: Arc::new(MemoryStore::new()), guard }
    }

    fn start(&self, pace: Pace, orphans: Orphans) -> Result<Running<RegistryLaw>, RecoverError> {
        let origin = Origin::new(ORIGIN).unwrap();
        let guard = Guard::open(self.guard.path(), &origin).unwrap();
        let signer = Signer::new(log_signer(ORIGIN), origin, guard);
        let store: Arc<dyn Store> = Arc::clone(&self.store) as Arc<dyn Store>;
        start_at_pace(store, RegistryLaw::new(), signer, Arc::new(GivenClock::at(START)), orphans, pace)
    }

    /// Runs from a start to an end in order, with some submissions between them.
    fn run(&self, pace: Pace, submissions: &[Submission]) -> Head {
        let running = self.start(pace, Orphans::None).unwrap();
        assert!(submit(&running, submissions), "all are answered");
        let head = running.published().borrow().head;
        running.stop().unwrap();
        head
    }

    fn newest(&self) -> Option<Newest> {
        Newest::decode(&self.store.get(&Newest::name().unwrap()).unwrap()?)
    }

    fn objects(&self) -> Vec<Name> {
        let newest = Newest::name().unwrap();
        let listed = self.store.list(&Prefix::private("snapshot").unwrap(), None, 1_000).unwrap();
        listed.into_iter().filter(|name| *name != newest).collect()
    }

    /// Starts it and looks at it; says how many entries its snapshot had.
    fn look(&self) -> (u64, Head, Records) {
        let running = self.start(NEVER, Orphans::None).unwrap();
        let found = (running.snapshot_size(), running.published().borrow().head, records(&running));
        running.stop().unwrap();
        found
    }
}

/// Submits one after another; false where the log stopped without an answer.
fn submit(running: &Running<RegistryLaw>, submissions: &[Submission]) -> bool {
    for submission in submissions {
        let checked = admission::admit(submission.clone()).unwrap();
        let Ok(receiver) = running.intake().submit(checked, 1_000) else { return false };
        match receiver.blocking_recv() {
            Ok(Ok(_)) => {}
            _ => return false,
        }
    }
    true
}

fn records(running: &Running<RegistryLaw>) -> Records {
    let all = running.intake().ask(|law| {
        let all = law.ledger().state().all();
        all.map(|(key, record)| (key.to_vec(), record.encode())).collect()
    });
    all.unwrap().blocking_recv().unwrap()
}

/// A fault at every call, the kinds in turns: another run puts another step of the loops at a call anyway.
fn faults(calls: u64) -> impl Iterator<Item = (u64, Fault)> {
    (0..calls).zip([Fault::Refused, Fault::Happened, Fault::Lost].into_iter().cycle())
}

/// The same submissions in a log that never had a snapshot nor another start.
fn unbroken(submissions: &[Submission]) -> (Head, Records) {
    let log = Log::new();
    let running = log.start(NEVER, Orphans::None).unwrap();
    assert!(submit(&running, submissions));
    let found = (running.published().borrow().head, records(&running));
    running.stop().unwrap();
    found
}

#[test]
fn a_log_that_starts_from_snapshots_is_the_one_that_never_ended() {
    // SO-35, SO-37.
    let script = Script::new(ORIGIN, 40);
    let mut log = Log::new();
    for pace in [AT_THE_END, OFTEN] {
        let mut begin = 0;
        log = Log::new();
        for end in [1, 2, 3, 7, 30, 31, 60, script.submissions.len()] {
            let head = log.run(pace, &script.submissions[begin..end]);
            let expected = unbroken(&script.submissions[..end]);
            assert_eq!(head, expected.0);
            let size = u64::try_from(end).unwrap();
            assert_eq!(log.newest().map(|newest| newest.size), Some(size), "an end in order leaves one");
            let (snapshot, head, records) = log.look();
            assert_eq!((snapshot, head, records), (size, expected.0, expected.1));
            begin = end;
        }
    }
    let size = log.newest().unwrap().size;
    let prefix = object_name(size, 0).unwrap().to_string();
    assert_eq!(log.objects().len(), 1, "the ones before are gone");
    assert_eq!(log.objects()[0].as_str(), prefix);
}

#[test]
fn a_start_from_a_snapshot_does_not_read_what_lies_before() {
    // SO-37: the bundle is missed where the log is replayed.
    let script = Script::new(ORIGIN, 270);
    let log = Log::new();
    let head = log.run(AT_THE_END, &script.submissions[..560]);
    let bundle = Name::tile(&TilePath::parse("tile/entries/001").unwrap());
    let bytes = log.store.get(&bundle).unwrap();
    log.store.plant(&bundle, None);
    assert_eq!(log.look().1, head);
    let end = log.run(NEVER, &script.submissions[560..]);
    assert_eq!(log.look(), {
        let (head, records) = unbroken(&script.submissions);
        (560, head, records)
    });
    log.store.plant(&Newest::name().unwrap(), None);
    let missed = log.start(NEVER, Orphans::None);
    assert!(matches!(missed, Err(RecoverError::Tiles { .. })), "{missed:?}");
    log.store.plant(&bundle, bytes.as_deref());
    assert_eq!(log.look().1, end);
}

/// Whatever is there of a snapshot, the log is the same; returns whether the snapshot was used.
fn check_harmless(log: &Log, expected: &(Head, Records), what: &str) -> bool {
    let (snapshot, head, records) = log.look();
    assert_eq!(&(head, records), expected, "{what}");
    snapshot > 0
}

#[test]
fn whatever_is_odd_about_a_snapshot_means_that_the_log_is_replayed() {
    // SO-38.
    let script = Script::new(ORIGIN, 7);
    let log = Log::new();
    log.run(AT_THE_END, &script.submissions);
    let expected = unbroken(&script.submissions);
    assert!(check_harmless(&log, &expected, "untouched"));
    let (newest, objects) = (Newest::name().unwrap(), log.objects());
    for (name, step) in [(&newest, 1), (&objects[0], 7)] {
        let whole = log.store.get(name).unwrap().unwrap();
        let refuse = |bytes: Option<&[u8]>, what: &str| {
            log.store.plant(name, bytes);
            assert!(!check_harmless(&log, &expected, what), "{name}: {what} passed for a snapshot");
            log.store.plant(name, Some(&whole));
        };
        refuse(None, "absent");
        refuse(Some(&[]), "empty");
        refuse(Some(&whole[..whole.len() / 2]), "torn");
        refuse(Some(&[&whole[..], b"\0"].concat()), "longer");
        refuse(Some(&vec![0; whole.len()]), "zeros");
        for index in (0..whole.len()).step_by(step) {
            let mut flipped = whole.clone();
            flipped[index] ^= 1 << (index % 8);
            refuse(Some(&flipped), &format!("bit in byte {index} of {}", whole.len()));
        }
    }
    // Numbers that fit their checksum and nothing else.
    let honest = log.newest().unwrap();
    for wrong in [
        Newest { size: honest.size + 1, ..honest },
        Newest { size: honest.size - 1, ..honest },
        Newest { size: 0, ..honest },
        Newest { objects: 0, ..honest },
        Newest { objects: 2, ..honest },
    ] {
        log.store.plant(&newest, Some(&wrong.encode()));
        assert!(!check_harmless(&log, &expected, "wrong numbers"), "{wrong:?}");
    }
    // How many records there are is said for their room alone.
    for records in [0, 1, undersigned_registry::json::INTEGER_MAX] {
        log.store.plant(&newest, Some(&Newest { records, ..honest }.encode()));
        assert!(check_harmless(&log, &expected, "a wrong number of records"));
    }
    assert!(check_harmless(&log, &expected, "untouched again"));
}

#[test]
fn a_snapshot_of_another_time_or_log_is_none() {
    // SO-38: a folder that was restored from an older copy, with a snapshot that is newer; and one of two logs.
    let script = Script::new(ORIGIN, 7);
    let (older, newer) = (Log::new(), Log::new());
    older.run(NEVER, &script.submissions[..12]);
    newer.run(AT_THE_END, &script.submissions);
    let other_script = Script::new("other.example/log", 7);
    let other = Log::new();
    other.run(AT_THE_END, &other_script.submissions[..12]);
    let expected = unbroken(&script.submissions[..12]);
    for from in [&newer, &other] {
        for name in from.objects().iter().chain([&Newest::name().unwrap()]) {
            older.store.plant(name, from.store.get(name).unwrap().as_deref());
        }
        assert!(!check_harmless(&older, &expected, "a foreign snapshot"));
    }
    // It goes on, and its next snapshot takes their place.
    let head = older.run(AT_THE_END, &script.submissions[12..]);
    assert_eq!(older.look(), {
        let (expected, records) = unbroken(&script.submissions);
        assert_eq!(head, expected);
        (expected.size.get(), expected, records)
    });
    assert_eq!(older.objects().len(), 1, "what the others left is gone");
}

#[test]
fn every_fault_around_a_snapshot_is_survived() {
    // SO-39: also a crash at every step of writing one, which is what an uncertain write is followed by.
    let script = Script::new(ORIGIN, 2);
    let whole = Log::new();
    whole.run(OFTEN, &script.submissions);
    let calls = whole.store.calls();
    let expected = unbroken(&script.submissions);
    for (call, fault) in faults(calls) {
        let what = format!("{fault:?} at call {call}");
        let log = Log::new();
        log.store.fail_call(call, fault);
        if let Ok(running) = log.start(OFTEN, Orphans::None) {
            submit(&running, &script.submissions);
            // It may have stopped by itself; that is what a restart is for.
            let _ = running.stop();
        }
        log.store.restart(if call % 2 == 0 { PowerCut::None } else { PowerCut::Torn });
        let running = log.start(OFTEN, Orphans::None).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(submit(&running, &script.submissions), "{what}: the log goes on");
        running.stop().unwrap_or_else(|error| panic!("{what}: {error}"));
        check_harmless(&log, &expected, &what);
    }
}

/// All blobs in a store.
fn blobs(store: &MemoryStore) -> Vec<Name> {
    store.list(&Prefix::blobs(), None, 1_000).unwrap()
}

#[test]
fn blobs_of_a_batch_that_was_not_committed_are_swept_and_no_others() {
    // SO-31, and SO-16: also at once where it was refused.
    let script = Script::new(ORIGIN, 2);
    let whole = Log::new();
    whole.run(NEVER, &script.submissions);
    let calls = whole.store.calls();
    let expected = blobs(&whole.store);
    for (call, fault) in faults(calls) {
        let what = format!("{fault:?} at call {call}");
        let log = Log::new();
        log.store.fail_call(call, fault);
        if let Ok(running) = log.start(NEVER, Orphans::None) {
            submit(&running, &script.submissions);
            let _ = running.stop();
        }
        log.store.restart(PowerCut::None);
        let running = log.start(NEVER, Orphans::Sweep).unwrap_or_else(|error| panic!("{what}: {error}"));
        let size = running.published().borrow().head.size.get();
        running.stop().unwrap();
        let answered = Log::new();
        answered.run(NEVER, &script.submissions[..usize::try_from(size).unwrap()]);
        assert_eq!(blobs(&log.store), blobs(&answered.store), "{what}: the blobs of {size} entries");
        log.run(NEVER, &script.submissions);
        assert_eq!(blobs(&log.store), expected, "{what}: the log goes on");
    }
}

#[test]
fn a_list_of_blobs_that_lies_far_back_is_not_believed() {
    // SO-31: what a power cut brought back may name blobs of any entry since.
    let script = Script::new(ORIGIN, 7);
    let log = Log::new();
    log.run(NEVER, &script.submissions);
    let all = blobs(&log.store);
    let list = |old_size: u64| {
        let hashes: Vec<String> =
            all.iter().filter_map(Name::blob_hash).map(|hash| format!("\"{hash}\"")).collect();
        let line = format!("{{\"blobs\":[{}],\"old_size\":{old_size}}}\n", hashes.join(","));
        log.store.plant(&Name::private("new-blobs/list").unwrap(), Some(line.as_bytes()));
        log.start(NEVER, Orphans::Sweep).unwrap().stop().unwrap();
        blobs(&log.store).len()
    };
    assert_eq!(list(1 << 40), all.len(), "of a longer log");
    assert_eq!(list(0), all.len(), "all are named by the entries behind it");
}

#[test]
fn snapshots_come_less_often_as_the_log_grows_up_to_a_bound() {
    // SO-35.
    let pace = Pace { running_min: 100, running_max: 1_000, ended: 10 };
    let due = |newest: u64| (newest..).find(|size| pace.is_due(newest, *size)).unwrap() - newest;
    assert_eq!(
        [0, 400, 404, 2_000, 4_000, 4_004, 1 << 40].map(due),
        [100, 100, 101, 500, 1_000, 1_000, 1_000]
    );
}
