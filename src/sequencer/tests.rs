//! The sequencer under faults: every store call fails once, in every way, and every power cut follows.
//!
//! The law here is "any bytes", which also shows that the sequencer knows nothing of the registry. What
//! must hold after any fault and restart (`docs/spec/storage.md`, SO-7, SO-13, SO-15, SO-21, SO-23, SO-29): an
//! entry that was answered stands where it stood; no size was ever published with two roots; a refusal
//! before the commit leaves everything as it was.

use std::collections::BTreeMap;
use std::sync::Arc;

use undersigned_tlog::checkpoint::Origin;
use undersigned_tlog::hash::Hash;
use undersigned_tlog::note::{KeyName, NoteSigner};
use undersigned_tlog::tree::TreeSize;

use super::law::{Law, Outcome, Rejected, Tick};
use super::queue::{Later, NotLogged, Reply};
use super::{BATCH_BYTES_MAX, BATCH_ENTRIES_MAX, Intake, Orphans, RecoverError, Running, start};
use crate::clock::{Clock, ClockJumped, GivenClock};
use crate::signer::{Guard, Signer};
use crate::store::{Fault, MemoryStore, Name, PowerCut, Store};
use crate::tiles::LogReader;

const ORIGIN: &str = "bytes.example/log";

/// Any bytes are an entry, once; `no` is refused, and so is what comes behind it in the thread of bytes.
#[derive(Debug)]
struct AnyBytes {
    entries: Vec<Vec<u8>>,
    kept: usize,
    received: u64,
    max_lag: u64,
    /// Refuses to follow any entry, as another version of a law would.
    refuses: bool,
    /// How many ticks are due at this second.
    ticks: (usize, u64),
}

impl Default for AnyBytes {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            kept: 0,
            received: 0,
            max_lag: u64::MAX,
            refuses: false,
            ticks: (0, u64::MAX),
        }
    }
}

impl Law for AnyBytes {
    type Submission = Vec<u8>;
    type Refusal = &'static str;
    type Cut = ();

    fn identity(&self) -> String {
        ORIGIN.to_owned()
    }

    fn size(&self) -> u64 {
        self.entries.len().try_into().unwrap()
    }

    fn received(&self) -> u64 {
        self.received
    }

    fn max_lag(&self) -> u64 {
        self.max_lag
    }

    fn decide(&mut self, bytes: Vec<u8>, _: u64) -> Result<Outcome<()>, Rejected<&'static str>> {
        if bytes == b"no" {
            return Err(Rejected::Refused("no"));
        }
        if let Some(entry) = self.entries.iter().position(|entry| *entry == bytes) {
            return Ok(Outcome::Repeat { entry: entry.try_into().unwrap() });
        }
        self.entries.push(bytes.clone());
        Ok(Outcome::Entry { entry: bytes, blobs: Vec::new(), cut: () })
    }

    fn next_due(&self) -> Option<u64> {
        (self.ticked() < self.ticks.0).then_some(self.ticks.1)
    }

    fn tick(&mut self, received: u64) -> Result<Option<Tick<()>>, String> {
        let entry = format!("tick {}", self.ticked()).into_bytes();
        let is_due = self.next_due().is_some_and(|due| due <= received);
        Ok(is_due.then(|| self.entries.push(entry.clone())).map(|()| Tick { entry, cut: () }))
    }

    fn keep(&mut self) {
        self.kept = self.entries.len();
    }

    fn undo(&mut self) -> Result<(), String> {
        self.entries.truncate(self.kept);
        Ok(())
    }

    fn blobs(&self, _: &[u8]) -> Vec<Hash> {
        Vec::new()
    }

    fn follow(&mut self, entry: &[u8], _: bool) -> Result<(), String> {
        if self.refuses || self.entries.iter().any(|known| known == entry) {
            return Err("refused by this law".to_owned());
        }
        self.entries.push(entry.to_vec());
        self.kept = self.entries.len();
        Ok(())
    }
}

impl AnyBytes {
    fn ticked(&self) -> usize {
        self.entries.iter().filter(|entry| entry.starts_with(b"tick ")).count()
    }
}

/// A log in memory whose guard lies in a folder of its own.
struct Bench {
    store: Arc<MemoryStore>,
    guard: tempfile::TempDir,
    clock: Arc<GivenClock>,
    /// Every head that anybody was ever shown.
    roots: BTreeMap<u64, Hash>,
    /// Every entry that was answered: its index and bytes.
    answered: BTreeMap<u64, Vec<u8>>,
}

impl Bench {
    fn new() -> Self {
        let guard = tempfile::tempdir().unwrap();
        drop(Guard::create(guard.path(), &Origin::new(ORIGIN).unwrap()).unwrap());
        Self {
            store: Arc::new(MemoryStore::new()),
            guard,
            clock: Arc::new(GivenClock::at(1_000)),
            roots: BTreeMap::new(),
            answered: BTreeMap::new(),
        }
    }

    fn start(&self) -> Result<Running<AnyBytes>, RecoverError> {
        self.start_under(AnyBytes::default())
    }

    fn start_under(&self, law: AnyBytes) -> Result<Running<AnyBytes>, RecoverError> {
        let origin = Origin::new(ORIGIN).unwrap();
        let key = NoteSigner::from_seed(KeyName::new(ORIGIN).unwrap(), &[7; 32]).unwrap();
        let guard = Guard::open(self.guard.path(), &origin).unwrap();
        let store: Arc<dyn Store> = Arc::clone(&self.store) as Arc<dyn Store>;
        start(store, law, Signer::new(key, origin, guard), self.clock.clone(), Orphans::None)
    }

    /// Submits some bytes and waits; `None` where the log stopped without an answer.
    fn submit(&mut self, running: &Running<AnyBytes>, bytes: &[u8]) -> Option<Reply<AnyBytes>> {
        let receiver = match running.intake().submit(bytes.to_vec(), bytes.len()) {
            Ok(receiver) => receiver,
            Err(later) => return Some(Err(NotLogged::Later(later))),
        };
        let reply = receiver.blocking_recv().ok()?;
        if let Ok(answer) = &reply {
            let head = answer.published.head;
            assert!(answer.index < head.size.get(), "an answer names a tree that holds the entry");
            let before = self.roots.insert(head.size.get(), head.root);
            assert!(before.is_none_or(|before| before == head.root), "two roots of size {}", head.size);
            self.answered.insert(answer.index, bytes.to_vec());
        }
        Some(reply)
    }

    /// After a restart without faults everything that was answered stands, and the log goes on.
    fn check_whole(&mut self, what: &str) {
        let running = self.start().unwrap_or_else(|error| panic!("{what}: does not start: {error}"));
        let head = running.published().borrow().head;
        let reader = LogReader::new(Arc::clone(running.store()));
        for (index, bytes) in &self.answered {
            let entry = reader.entry(*index, head.size).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(entry.as_ref(), Some(bytes), "{what}: entry {index} moved or is lost");
        }
        for (size, root) in &self.roots {
            let found = reader.root(TreeSize::new(*size), head.size);
            assert_eq!(found.ok().as_ref(), Some(root), "{what}: size {size} has another root now");
        }
        let reply = self.submit(&running, format!("after {what}").as_bytes());
        assert!(matches!(reply, Some(Ok(_))), "{what}: the log goes on: {reply:?}");
        running.stop().unwrap_or_else(|error| panic!("{what}: {error}"));
    }

    /// Some entries, a refusal and a repeat; stops where the log does.
    fn work(&mut self, running: &Running<AnyBytes>) {
        for bytes in ["one", "two", "no", "two", "three", "four"] {
            if self.submit(running, bytes.as_bytes()).is_none() {
                return;
            }
        }
    }
}

/// How many store calls one whole run makes, start and stop included.
fn calls_of_a_run() -> u64 {
    let mut bench = Bench::new();
    let running = bench.start().unwrap();
    bench.work(&running);
    running.stop().unwrap();
    assert_eq!(bench.answered.len(), 4);
    bench.store.calls()
}

#[test]
fn every_fault_at_every_call_is_survived() {
    let calls = calls_of_a_run();
    for fault in [Fault::Refused, Fault::Happened, Fault::Lost] {
        for call in 0..calls {
            for power_cut in [PowerCut::None, PowerCut::Absent, PowerCut::Empty, PowerCut::Torn] {
                let what = format!("{fault:?} at call {call}, then {power_cut:?}");
                let mut bench = Bench::new();
                bench.store.fail_call(call, fault);
                if let Ok(running) = bench.start() {
                    bench.work(&running);
                    // It may have stopped by itself; that is what a restart is for.
                    let _ = running.stop();
                }
                bench.store.restart(power_cut);
                bench.check_whole(&what);
            }
        }
    }
}

#[test]
fn every_fault_in_a_recovery_is_survived_by_the_next() {
    let mut recovered = Bench::new();
    let running = recovered.start().unwrap();
    recovered.work(&running);
    running.stop().unwrap();
    let before = recovered.store.calls();
    let first_end = before - 12;
    recovered.start().unwrap().stop().unwrap();
    let calls = recovered.store.calls() - before;
    for fault in [Fault::Refused, Fault::Happened, Fault::Lost] {
        for call in 0..calls + 12 {
            for power_cut in [PowerCut::None, PowerCut::Torn] {
                let what = format!("{fault:?} at call {call} of a recovery, then {power_cut:?}");
                let mut bench = Bench::new();
                // The first run ends in a fault of its own, so that there is something to recover.
                bench.store.fail_call(first_end, Fault::Lost);
                let running = bench.start().unwrap();
                bench.work(&running);
                let _ = running.stop();
                bench.store.restart(PowerCut::Torn);
                bench.store.fail_call(bench.store.calls() + call, fault);
                if let Ok(running) = bench.start() {
                    bench.submit(&running, b"between");
                    let _ = running.stop();
                }
                bench.store.restart(power_cut);
                bench.check_whole(&what);
            }
        }
    }
}

#[test]
fn a_batch_that_is_refused_leaves_everything_as_it_was() {
    // SO-16.
    let mut bench = Bench::new();
    let running = bench.start().unwrap();
    assert!(matches!(bench.submit(&running, b"one"), Some(Ok(_))));
    bench.store.refuse_write(&Name::batch(1));
    let reply = bench.submit(&running, b"two");
    assert!(matches!(reply, Some(Err(NotLogged::Later(Later::Storage)))), "{reply:?}");
    let size = running.published().borrow().head.size;
    let reply = bench.submit(&running, b"next");
    let index = reply.unwrap().unwrap().index;
    assert_eq!(index, size.get(), "the refused entry left no gap");
    running.stop().unwrap();
    bench.check_whole("a refused batch");
}

/// More ticks than a batch takes, due before the start: they come with nobody asking, and before what waits.
#[test]
fn what_is_due_comes_first_and_by_itself() {
    let mut bench = Bench::new();
    let running = bench.start_under(AnyBytes { ticks: (40, 900), ..AnyBytes::default() }).unwrap();
    let reply = bench.submit(&running, b"one").unwrap().unwrap();
    assert_eq!(reply.index, 40);
    running.stop().unwrap();

    let bench = Bench::new();
    let running = bench.start_under(AnyBytes { ticks: (40, 900), ..AnyBytes::default() }).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut published = running.published().clone();
    runtime.block_on(published.wait_for(|published| published.head.size.get() == 40)).unwrap();
    drop(published);
    running.stop().unwrap();
    assert!(bench.store.get(&Name::batch(16)).unwrap().is_some(), "batches of a bounded size");
}

#[test]
fn what_is_not_due_does_not_come() {
    let mut bench = Bench::new();
    let law = AnyBytes { ticks: (3, 2_000), ..AnyBytes::default() };
    let running = bench.start_under(law).unwrap();
    assert_eq!(bench.submit(&running, b"one").unwrap().unwrap().index, 0);
    bench.clock.set(1_999);
    assert_eq!(bench.submit(&running, b"two").unwrap().unwrap().index, 1);
    bench.clock.set(2_000);
    assert_eq!(bench.submit(&running, b"three").unwrap().unwrap().index, 5);
    assert_eq!(bench.submit(&running, b"four").unwrap().unwrap().index, 6);
    running.stop().unwrap();
}

/// A tick that cannot be committed is taken back; who waits is told "later", and the next try makes it again.
#[test]
fn a_tick_that_is_refused_is_made_again() {
    let mut bench = Bench::new();
    let running = bench.start_under(AnyBytes { ticks: (20, 2_000), ..AnyBytes::default() }).unwrap();
    assert_eq!(bench.submit(&running, b"one").unwrap().unwrap().index, 0);
    bench.store.refuse_write(&Name::batch(1));
    bench.clock.set(2_000);
    let reply = bench.submit(&running, b"two");
    assert!(matches!(reply, Some(Err(NotLogged::Later(Later::Storage)))), "{reply:?}");
    assert_eq!(bench.submit(&running, b"two").unwrap().unwrap().index, 21);
    running.stop().unwrap();
}

#[test]
fn another_writer_stops_the_log() {
    let mut bench = Bench::new();
    let running = bench.start().unwrap();
    assert!(matches!(bench.submit(&running, b"one"), Some(Ok(_))));
    bench.store.plant(&Name::batch(1), Some(b"somebody else's"));
    assert!(bench.submit(&running, b"two").is_none(), "nobody is answered");
    assert!(running.stop().is_err());
    bench.store.plant(&Name::batch(1), None);
    bench.store.restart(PowerCut::None);
    bench.check_whole("another writer");
}

/// Who stood in line behind the batch that stopped the log once waited for ever: the handlers keep the line
/// alive, so their replies were never dropped, and the end of the process cut them off without an answer.
#[test]
fn whoever_stands_in_line_when_the_log_stops_is_told() {
    let mut bench = Bench::new();
    let running = bench.start().unwrap();
    assert!(matches!(bench.submit(&running, b"one"), Some(Ok(_))));
    bench.store.plant(&Name::batch(1), Some(b"somebody else's"));
    // The sequencer waits in a question until both stand in line; each fills a batch of its own.
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let asked = running.intake().ask(move |_| wait.recv().is_ok()).unwrap();
    let first = running.intake().submit(b"two".to_vec(), BATCH_BYTES_MAX).unwrap();
    let second = running.intake().submit(b"three".to_vec(), BATCH_BYTES_MAX).unwrap();
    go.send(()).unwrap();
    assert_eq!(asked.blocking_recv(), Ok(true));
    assert!(first.blocking_recv().is_err(), "the outcome of the first is unknown");
    let told = second.blocking_recv().expect("the second is answered");
    assert!(matches!(told, Err(NotLogged::Later(Later::Stopping))), "{told:?}");
    assert_eq!(running.intake().submit(b"four".to_vec(), 4).err(), Some(Later::Stopping));
    assert!(running.intake().ask(|law| law.size()).is_err());
    assert!(running.stop().is_err());
    bench.store.plant(&Name::batch(1), None);
    bench.store.restart(PowerCut::None);
    bench.check_whole("a line behind another writer");
}

#[test]
fn a_clock_that_cannot_be_believed_stops_intake_and_nothing_else() {
    let mut bench = Bench::new();
    let running = bench.start().unwrap();
    assert!(matches!(bench.submit(&running, b"one"), Some(Ok(_))));
    let jump = ClockJumped { seconds: 3_600 };
    bench.clock.report_jump(Some(jump));
    assert_eq!(bench.clock.now(), Err(jump));
    let reply = bench.submit(&running, b"two");
    assert!(matches!(reply, Some(Err(NotLogged::Later(Later::Clock)))), "{reply:?}");
    let answer = running.intake().ask(|law| law.size()).unwrap().blocking_recv();
    assert_eq!(answer, Ok(1), "questions are still answered");
    bench.clock.report_jump(None);
    assert!(matches!(bench.submit(&running, b"two"), Some(Ok(_))));
    running.stop().unwrap();
}

#[test]
fn batches_beyond_the_newest_are_deleted_and_partial_tiles_too() {
    // SO-18, SO-19.
    let mut bench = Bench::new();
    let running = bench.start().unwrap();
    for number in 0..300u32 {
        assert!(matches!(bench.submit(&running, &number.to_be_bytes()), Some(Ok(_))));
    }
    running.stop().unwrap();
    let count = |prefix| bench.store.list(&prefix, None, 1_000).unwrap();
    assert_eq!(count(crate::store::Prefix::batches()).len(), super::settle::BATCHES_KEPT);
    let full = undersigned_tlog::tile::TilePath::parse("tile/entries/000").unwrap();
    assert!(count(crate::store::Prefix::partials(&full)).is_empty(), "the full bundle replaced them");
    bench.check_whole("300 batches");
}

#[test]
fn a_log_that_does_not_replay_is_not_served() {
    // SO-22: the settled entries; SO-27: a batch that is not settled.
    let mut bench = Bench::new();
    let running = bench.start().unwrap();
    bench.work(&running);
    running.stop().unwrap();
    let refusing = || AnyBytes { refuses: true, ..AnyBytes::default() };
    assert!(matches!(bench.start_under(refusing()), Err(RecoverError::Entry { index: 0, .. })));
    let unsettled = Bench::new();
    unsettled.store.fail_call(unsettled_call(), Fault::Lost);
    let mut unsettled = unsettled;
    let running = unsettled.start().unwrap();
    unsettled.work(&running);
    let _ = running.stop();
    unsettled.store.restart(PowerCut::None);
    assert!(matches!(
        unsettled.start_under(refusing()),
        Err(RecoverError::Batch { .. } | RecoverError::Entry { .. })
    ));
    bench.check_whole("a law that refuses");
    unsettled.check_whole("a law that refuses a batch");
}

/// A call near the end of a run, so that something is left to recover.
fn unsettled_call() -> u64 {
    calls_of_a_run() - 12
}

#[test]
fn a_batch_from_the_future_is_not_built_on() {
    // SO-28: the clock of this machine is at 1,000.
    let mut bench = Bench::new();
    bench.store.fail_call(unsettled_call(), Fault::Lost);
    let running = bench.start().unwrap();
    bench.work(&running);
    let _ = running.stop();
    bench.store.restart(PowerCut::None);
    let law = |received| AnyBytes { received, max_lag: 300, ..AnyBytes::default() };
    let is_batch_left = matches!(bench.start_under(law(9_000)), Err(RecoverError::Clock { ahead: 8_000 }));
    assert!(is_batch_left, "a batch far ahead of the clock is refused");
    bench.start_under(law(1_200)).expect("one within max_lag is not").stop().unwrap();
    // After an end in order no batch is left to apply, and the newest entry is judged all the same.
    assert!(matches!(bench.start_under(law(9_000)), Err(RecoverError::Clock { ahead: 8_000 })));
}

#[test]
fn a_guard_that_cannot_advance_stops_the_log_after_the_commit() {
    // SO-15, SO-17: the batch is committed, the key was not used; nobody is answered, the restart signs it.
    let mut bench = Bench::new();
    let running = bench.start().unwrap();
    assert!(matches!(bench.submit(&running, b"one"), Some(Ok(_))));
    let checkpoint = bench.store.get(&Name::checkpoint()).unwrap();
    // Without its folder for temporary files the guard cannot be written.
    std::fs::remove_dir(bench.guard.path().join("tmp")).unwrap();
    assert!(bench.submit(&running, b"two").is_none(), "nobody is answered");
    assert!(running.stop().is_err());
    assert_eq!(bench.store.get(&Name::checkpoint()).unwrap(), checkpoint, "nothing was signed");
    bench.store.restart(PowerCut::Torn);
    let running = bench.start().unwrap();
    assert_eq!(running.published().borrow().head.size.get(), 2, "what was committed is in the log");
    let again = bench.submit(&running, b"two").unwrap().unwrap();
    assert_eq!((again.index, again.is_new), (1, false), "sent again it is answered with its entry");
    running.stop().unwrap();
    bench.check_whole("a guard that cannot advance");
}

#[test]
fn a_batch_has_limits() {
    // SO-14.
    let intake: Intake<AnyBytes> = Intake::new();
    let waiting: Vec<_> =
        (0..3).map(|_| intake.submit(b"x".to_vec(), BATCH_BYTES_MAX - 1).unwrap()).collect();
    assert_eq!(intake.take(BATCH_ENTRIES_MAX, BATCH_BYTES_MAX, None).unwrap().waiting.len(), 1);
    assert_eq!(intake.take(1, usize::MAX, None).unwrap().waiting.len(), 1);
    drop(waiting);
    let intake: Intake<AnyBytes> = Intake::new();
    let mut waiting = Vec::new();
    let full = loop {
        match intake.submit(Vec::new(), 1) {
            Ok(receiver) => waiting.push(receiver),
            Err(later) => break later,
        }
    };
    assert_eq!((full, waiting.len()), (Later::Full, super::QUEUE_ENTRIES_MAX));
    assert_eq!(
        intake.take(BATCH_ENTRIES_MAX, BATCH_BYTES_MAX, None).unwrap().waiting.len(),
        BATCH_ENTRIES_MAX
    );
    intake.close();
    assert_eq!(intake.submit(Vec::new(), 1).err(), Some(Later::Stopping));
}

#[test]
fn what_is_reserved_is_taken_first_and_has_room_when_there_is_none() {
    let intake: Intake<AnyBytes> = Intake::new();
    let mut waiting: Vec<_> =
        (0..2).map(|_| intake.submit(b"ordinary".to_vec(), super::QUEUE_BYTES_MAX / 2).unwrap()).collect();
    assert_eq!(intake.submit(b"ordinary".to_vec(), 1).err(), Some(Later::Full));
    for _ in 0..super::RESERVED_ENTRIES_MAX {
        waiting.push(intake.submit_reserved(b"reserved".to_vec(), 1).unwrap());
    }
    assert_eq!(
        intake.submit_reserved(b"reserved".to_vec(), 1).err(),
        Some(Later::Full),
        "it has a limit too"
    );
    assert_eq!(intake.depth().0, 2 + super::RESERVED_ENTRIES_MAX);
    let taken = intake.take(super::RESERVED_ENTRIES_MAX + 1, usize::MAX, None).unwrap().waiting;
    let (last, first) = taken.split_last().unwrap();
    assert!(first.iter().all(|waiting| waiting.submission == b"reserved"));
    assert_eq!(last.submission, b"ordinary", "and then the others go on");
    // Bytes that were taken make room again.
    assert!(intake.submit_reserved(b"reserved".to_vec(), super::RESERVED_BYTES_MAX).is_ok());
    assert!(intake.submit_reserved(b"reserved".to_vec(), 1).is_err());
    // So do questions.
    let full = loop {
        if intake.ask(|_| ()).is_err() {
            break intake.ask_reserved(|_| ());
        }
    };
    assert!(full.is_ok(), "a question about the reserved line has room when others have none");
    intake.abandon();
    assert_eq!(intake.submit_reserved(Vec::new(), 1).err(), Some(Later::Stopping));
}
