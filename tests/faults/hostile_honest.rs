//! The honest client of the hostile-load program: it submits and reads, and takes no for an answer only
//! once it is told when to come again.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use undersigned_client::Client;
use undersigned_registry::envelope::Submission;
use undersigned_registry::event::Body;
use undersigned_registry::id::{EventHash, RegistryId, StatementId, VersionId};
use undersigned_registry::receipt::Receipt;
use undersigned_registry::verify::{Trust, verify};

use crate::support::{key, party, thread_event};

/// Organisations that endorse and withdraw by turns, and readers.
const ORGANISATIONS: u64 = 4;
const READERS: usize = 2;
/// The pause of an organisation after an answer: all of them together stay within the limit of their one
/// address, so that what is refused was the attackers' doing.
const PAUSE: Duration = Duration::from_millis(500);
/// The pause of a reader.
const READ_PAUSE: Duration = Duration::from_millis(10);
/// Attempts of one request until it counts as unanswered.
const ATTEMPTS_MAX: u32 = 50;
/// The number of the first organisation; that of the one that probes.
const FIRST: u64 = 100;
const PROBE: u64 = 99;

/// A registry, and what honest clients know of it.
pub(crate) struct Registry {
    pub(crate) url: String,
    pub(crate) id: RegistryId,
    pub(crate) trust: Trust,
    pub(crate) statement: StatementId,
    pub(crate) version: VersionId,
}

/// The newest event of each organisation's thread, and whether it stands; grows with every answer.
static HEADS: Mutex<Vec<(u64, Option<EventHash>, bool)>> = Mutex::new(Vec::new());
/// Every receipt that was handed out.
static RECEIPTS: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());
/// Entries that probes have made since they were last counted.
static PROBES: AtomicU64 = AtomicU64::new(0);

/// Times of answers.
#[derive(Debug, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    /// So many hundredths were as fast as this, in milliseconds.
    pub(crate) fn part(&self, hundredths: usize) -> f64 {
        let mut times = self.0.clone();
        times.sort_unstable();
        let place = (times.len() * hundredths / 100).min(times.len().saturating_sub(1));
        times.get(place).map_or(0.0, |time| time.as_secs_f64() * 1_000.0)
    }
}

/// What an honest client saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) submits: Times,
    pub(crate) reads: Times,
    /// Attempts that had to be made again.
    pub(crate) again: u64,
    /// Entries that were made.
    pub(crate) logged: u64,
}

impl Seen {
    fn add(&mut self, other: Self) {
        self.submits.0.extend(other.submits.0);
        self.reads.0.extend(other.reads.0);
        self.again += other.again;
        self.logged += other.logged;
    }
}

impl Registry {
    fn client(&self) -> Client {
        Client::new(&self.url).unwrap()
    }

    /// The organisations enter.
    pub(crate) fn enter(&self) {
        for number in (FIRST..FIRST + ORGANISATIONS).chain([PROBE]) {
            self.client().submit(&party(&self.id, number).0).unwrap();
            HEADS.lock().unwrap().push((number, None, false));
        }
    }

    /// The next event of an organisation.
    fn next(&self, client: &Client, number: u64) -> (Submission, EventHash) {
        let (_, head, stands) =
            *HEADS.lock().unwrap().iter().find(|(other, ..)| *other == number).expect("it entered");
        let body = if stands {
            Body::Withdraw { statement: self.statement, version: self.version }
        } else {
            Body::Endorse {
                statement: self.statement,
                version: self.version,
                language: "en".to_owned(),
                not_after: None,
            }
        };
        let id = answered(&mut 0, || client.key(&key(number).id())).party;
        thread_event(&self.id, number, id, head, body)
    }

    fn note(number: u64, event: EventHash, receipt: Vec<u8>) {
        RECEIPTS.lock().unwrap().push(receipt);
        for head in HEADS.lock().unwrap().iter_mut().filter(|(other, ..)| *other == number) {
            (head.1, head.2) = (Some(event), !head.2);
        }
    }

    /// Whether a newcomer is read to and written for at the first attempt.
    pub(crate) fn is_well(&self) -> bool {
        let client = self.client();
        if client.checkpoint().is_err() {
            return false;
        }
        let (submission, event) = self.next(&client, PROBE);
        let mut again = 0;
        let submitted = answered(&mut again, || client.submit(&submission));
        Self::note(PROBE, event, submitted.receipt);
        PROBES.fetch_add(1, Ordering::Relaxed);
        again == 0
    }

    /// Entries that probes made since the last call.
    pub(crate) fn take_probes(&self) -> u64 {
        PROBES.swap(0, Ordering::Relaxed)
    }

    /// Every receipt that was handed out under attack verifies offline.
    pub(crate) fn check_receipts(&self) {
        let receipts = RECEIPTS.lock().unwrap();
        assert!(!receipts.is_empty());
        for receipt in receipts.iter() {
            verify(&Receipt::parse(receipt).unwrap(), &self.trust).expect("an honest receipt verifies");
        }
    }
}

/// Asks until there is an answer; a connection that was cut and an answer that says later count as again.
fn answered<A>(again: &mut u64, mut ask: impl FnMut() -> Result<A, undersigned_client::ClientError>) -> A {
    let mut last = None;
    for _ in 0..ATTEMPTS_MAX {
        match ask() {
            Ok(answer) => return answer,
            Err(error) => {
                assert!(!error.is_refusal(), "an honest request is never refused: {error}");
                *again += 1;
                let wait = error.retry_after().unwrap_or(PAUSE);
                last = Some(error);
                thread::sleep(wait);
            }
        }
    }
    panic!("an honest request has no answer: {last:?}");
}

/// Organisations and readers at work for a time.
pub(crate) fn run(registry: &Registry, time: Duration) -> Seen {
    let over = AtomicBool::new(false);
    let mut all = Seen::default();
    thread::scope(|scope| {
        let writers = (FIRST..FIRST + ORGANISATIONS).map(|number| {
            let over = &over;
            scope.spawn(move || write(registry, number, over))
        });
        let readers = (0..READERS).map(|_| {
            let over = &over;
            scope.spawn(move || read(registry, over))
        });
        let working: Vec<_> = writers.chain(readers.collect::<Vec<_>>()).collect();
        thread::sleep(time);
        over.store(true, Ordering::Relaxed);
        for one in working {
            all.add(one.join().expect("an honest client ends in order"));
        }
    });
    all
}

fn write(registry: &Registry, number: u64, over: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    let client = registry.client();
    while !over.load(Ordering::Relaxed) {
        let (submission, event) = registry.next(&client, number);
        let begun = Instant::now();
        let submitted = answered(&mut seen.again, || client.submit(&submission));
        seen.submits.0.push(begun.elapsed());
        // After an answer that was lost on the way the same bytes are answered as a repeat.
        seen.logged += 1;
        Registry::note(number, event, submitted.receipt);
        thread::sleep(PAUSE);
    }
    seen
}

fn read(registry: &Registry, over: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    while !over.load(Ordering::Relaxed) {
        // A newcomer each time: he must get a connection.
        let client = registry.client();
        let begun = Instant::now();
        answered(&mut seen.again, || client.checkpoint());
        seen.reads.0.push(begun.elapsed());
        let begun = Instant::now();
        answered(&mut seen.again, || client.receipt("1"));
        seen.reads.0.push(begun.elapsed());
        thread::sleep(READ_PAUSE);
    }
    seen
}
