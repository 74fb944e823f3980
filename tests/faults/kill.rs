//! Kills a registry at random moments under load, and checks after each restart that nothing was lost and
//! nothing forked.
//!
//! `kill BINARY ROUNDS [SEED]`: in each round the registry is started on the same folder, eight writers send
//! it events, and it gets SIGKILL at a random moment. Then, against the restarted one: every acknowledged
//! receipt still verifies and its entry still stands at its index; the new checkpoint extends every
//! checkpoint seen before; no size was ever signed with two roots. At the end an audit replays all.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test program: a broken invariant ends it")]

#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use undersigned::audit;
use undersigned_client::Client;
use undersigned_registry::id::{EventHash, RegistryId};
use undersigned_registry::receipt::Receipt;
use undersigned_registry::verify::{Trust, verify};
use undersigned_tlog::hash::{Hash, sha256};
use undersigned_tlog::tree::{TreeSize, verify_consistency};

use support::{Server, init, now, party};

const WRITERS: u64 = 8;
/// A round ends after a random time up to this, so that kills fall into every phase of many commits.
const ROUND_MILLISECONDS_MAX: u64 = 400;

/// Numbers that follow from a seed, so that a failure can be run again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = sha256(&[&self.0.to_be_bytes()]);
        u64::from_be_bytes(mixed.as_bytes()[..8].try_into().unwrap())
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// What the registry acknowledged.
struct Acknowledged {
    index: u64,
    event: EventHash,
    receipt: Vec<u8>,
}

/// What was seen so far; grows from round to round.
struct Witness {
    trust: Trust,
    roots: BTreeMap<u64, Hash>,
    all: Vec<Acknowledged>,
}

impl Witness {
    /// Notes a signed head; the same size must never be seen with another root.
    fn note(&mut self, checkpoint: &[u8]) -> (TreeSize, Hash) {
        let opened = self.trust.open_checkpoint(checkpoint).expect("a checkpoint that the log key signed");
        let (size, root) = (opened.size(), *opened.root());
        let before = self.roots.insert(size.get(), root);
        assert!(before.is_none_or(|before| before == root), "size {size} was signed with two roots");
        (size, root)
    }

    /// Checks an acknowledged receipt offline, and notes its checkpoint.
    fn check_offline(&mut self, acknowledged: &Acknowledged) {
        let receipt = Receipt::parse(&acknowledged.receipt).expect("a receipt");
        let verified = verify(&receipt, &self.trust).expect("an acknowledged receipt verifies");
        assert_eq!((verified.index, verified.event_hash), (acknowledged.index, acknowledged.event));
        self.note(&receipt.checkpoint);
    }

    /// Checks against a restarted registry that acknowledged entries stand where they stood.
    fn check_kept(&mut self, client: &Client, which: &[usize]) {
        for position in which {
            let (index, event) = (self.all[*position].index, self.all[*position].event);
            let bytes = client.receipt(&index.to_string()).expect("the receipt of an acknowledged entry");
            let receipt = Receipt::parse(&bytes).expect("a receipt");
            let verified = verify(&receipt, &self.trust).expect("the receipt verifies after the restart");
            assert_eq!((verified.index, verified.event_hash), (index, event), "an entry moved");
        }
    }

    /// Checks that the newest checkpoint extends every one that was ever seen.
    fn check_append_only(&mut self, client: &Client) {
        let (size, root) = self.note(&client.checkpoint().unwrap());
        for (from, from_root) in &self.roots {
            assert!(*from <= size.get(), "size {from} was signed, but the log now has {size}");
            let proof = client.consistency(*from, Some(size.get())).expect("a consistency proof").hashes;
            verify_consistency(TreeSize::new(*from), size, from_root, &root, &proof)
                .unwrap_or_else(|error| panic!("size {from} is no beginning of {size}: {error}"));
        }
        // One for each size would grow without end; the ends of the range and a sample tell as much.
        while self.roots.len() > 200 {
            let drop = *self.roots.keys().nth(100).unwrap();
            self.roots.remove(&drop);
        }
    }
}

/// Writers send events until they are told to stop or the registry is gone.
fn load(url: &str, registry: &RegistryId, first: u64, stop: &Arc<AtomicBool>) -> Vec<Acknowledged> {
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (url, registry) = (url.to_owned(), registry.clone());
            let (stop, acknowledged) = (Arc::clone(stop), Arc::clone(&acknowledged));
            thread::spawn(move || {
                // A registry that was killed does not come back in this round: no pauses, no tries.
                let client = Client::new(&url).unwrap().with_pause(|_| {});
                let mut number = first + writer;
                while !stop.load(Ordering::SeqCst) {
                    let (submission, party) = party(&registry, number);
                    let event = EventHash(party.0);
                    let Ok(submitted) = client.submit(&submission) else { return };
                    acknowledged.lock().unwrap().push(Acknowledged {
                        index: submitted.index,
                        event,
                        receipt: submitted.receipt,
                    });
                    number += WRITERS;
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    std::mem::take(&mut *acknowledged.lock().unwrap())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [binary, rounds, rest @ ..] = arguments.as_slice() else {
        eprintln!("usage: kill BINARY ROUNDS [SEED]");
        return ExitCode::from(2);
    };
    let rounds: u64 = rounds.parse().expect("ROUNDS is a number");
    let seed = rest.first().map_or_else(now, |seed| seed.parse().expect("SEED is a number"));
    println!("seed {seed}");
    let binary = std::fs::canonicalize(binary).expect("BINARY exists");
    let folder = tempfile::tempdir().unwrap();
    let (data, trust) = init(&binary, folder.path());
    let registry = trust.registry().unwrap().clone();
    let mut witness = Witness { trust, roots: BTreeMap::new(), all: Vec::new() };
    let mut random = Random(seed);
    let begun = Instant::now();
    for round in 0..rounds {
        let server = Server::start(&binary, &data);
        let client = Client::new(&server.url).unwrap();
        witness.check_append_only(&client);
        // All of the last rounds and a sample of the older ones; the audit at the end covers every entry.
        let count = witness.all.len();
        let mut which: Vec<usize> = (count.saturating_sub(64)..count).collect();
        which.extend(
            (0..16)
                .filter(|_| count > 0)
                .map(|_| usize::try_from(random.below(u64::try_from(count).unwrap())).unwrap()),
        );
        witness.check_kept(&client, &which);
        let stop = Arc::new(AtomicBool::new(false));
        let wait = Duration::from_millis(random.below(ROUND_MILLISECONDS_MAX));
        let killer = {
            let stop = Arc::clone(&stop);
            thread::spawn(move || {
                // The random moment is what this program is about; nothing is waited for.
                thread::park_timeout(wait);
                server.kill();
                stop.store(true, Ordering::SeqCst);
            })
        };
        // Numbers of a round begin where no earlier round reached.
        let acknowledged = load(client.base_url(), &registry, round * 1_000_000, &stop);
        killer.join().unwrap();
        let new = acknowledged.len();
        for one in acknowledged {
            witness.check_offline(&one);
            witness.all.push(one);
        }
        println!(
            "round {:>3}: killed after {:>3} ms, {new} acknowledged, {} in all",
            round + 1,
            wait.as_millis(),
            witness.all.len()
        );
    }
    let server = Server::start(&binary, &data);
    let client = Client::new(&server.url).unwrap();
    witness.check_append_only(&client);
    let all: Vec<usize> = (0..witness.all.len()).collect();
    witness.check_kept(&client, &all);
    let source = audit::HttpSource::new(client);
    let report = audit::audit(&source, &witness.trust, &|_, _| {}).expect("the audit is green");
    server.kill();
    println!(
        "{} entries, {} acknowledged, audit green, {:.0} s",
        report.tree_size,
        witness.all.len(),
        begun.elapsed().as_secs_f64()
    );
    println!("{rounds} passed, 0 failed");
    ExitCode::SUCCESS
}
