//! Kills a mirror at random moments while its log takes all the load that it can, and compares what it has in
//! the end with what the log has, byte for byte.
//!
//! `mirror BINARY KILLS [SEED]`: clients send events that are signed ahead from the first to the last kill
//! without a pause. Between two kills the mirror runs for a random time; whenever it answers, what it serves must be a checkpoint of
//! the log that is not older than the one before, with every tile that it names. At the end every path that
//! the final checkpoint implies and every blob are equal, the log is taken away, and an audit of the mirror's
//! folder replays all.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test program: a broken invariant ends it")]

#[path = "../support/mod.rs"]
mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use undersigned::audit;
use undersigned::mirror::origin_hash;
use undersigned_client::Client;
use undersigned_registry::id::RegistryId;
use undersigned_registry::verify::Trust;
use undersigned_tlog::hash::sha256;
use undersigned_tlog::tile::{TilePath, edge_tiles};

use support::copies::assert_equal_copy;
use support::load::{self, Load, RECEIPT, Requests};
use support::{Server, init, now};

/// Enough to keep a registry on two cores busy.
const CLIENTS: usize = 64;
/// Events that are signed at a time, and how many times ahead of the load: more than ten seconds of it.
const EVENTS: u64 = 8_192;
const AHEAD: usize = 4;
/// Longer than any run.
const LOAD_MAX: Duration = Duration::from_secs(3_600);
/// A round ends after a random time up to this and the time that the mirror last took to answer with its copy,
/// so that kills fall into every phase of starting and following.
const ROUND_MAX: Duration = Duration::from_millis(1_500);

fn start(binary: &Path, data: &Path, log: &str, policy: &Path) -> Server {
    let data = data.to_str().unwrap();
    let line = [
        "mirror",
        "--json",
        "--log",
        "error",
        "--listen",
        "127.0.0.1:0",
        "--data",
        data,
        "--from",
        log,
        "--policy",
        policy.to_str().unwrap(),
    ];
    Server::spawn(binary, &line).unwrap_or_else(|said| panic!("the mirror does not start: {said}"))
}

/// Ends the load also where a check does not hold.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Clients let parties enter until they are told to stop; gives how many did. `ahead` has what they send.
fn load(address: SocketAddr, ahead: &mpsc::Receiver<Requests>, stop: &Arc<AtomicBool>) -> u64 {
    let mut entered = 0;
    while !stop.load(Ordering::SeqCst) {
        let requests = Arc::new(ahead.recv().unwrap());
        let load = Load {
            clients: CLIENTS,
            time: LOAD_MAX,
            pause: Duration::ZERO,
            in_turns: false,
            wanted: RECEIPT,
            stop: Arc::clone(stop),
        };
        let run = load::run(address, &requests, &load).unwrap();
        // A full queue says so; everything else would be a fault.
        assert_eq!(run.figures(CLIENTS).errors, 0, "every answer is a receipt or says later");
        entered += run.answers();
    }
    entered
}

/// Signs ahead of the load, until nobody takes it any more.
fn sign_ahead(registry: &RegistryId, address: SocketAddr, ahead: &mpsc::SyncSender<Requests>) {
    let chunks = (0_u64..).map(|chunk| chunk * EVENTS..(chunk + 1) * EVENTS);
    for numbers in chunks {
        if ahead.send(load::entering(registry, numbers, address)).is_err() {
            return;
        }
    }
}

fn per_second(count: u64, time: Duration) -> u64 {
    let milliseconds = u64::try_from(time.as_millis()).unwrap().max(1);
    count.saturating_mul(1_000) / milliseconds
}

/// What the mirror serves now: a checkpoint of the log, with its tiles; none while it has no copy yet.
fn look(mirror: &Client, trust: &Trust) -> Option<u64> {
    let signed = trust.open_checkpoint(&mirror.checkpoint().ok()?).expect("signed by the log key");
    for (coordinate, width) in edge_tiles(signed.size()) {
        let path = TilePath::Hashes { coordinate, width };
        // It may be killed in between, but never says that it has not what its checkpoint names.
        match mirror.tile(&path) {
            Ok(tile) => assert!(tile.is_some(), "{path} of {} is not there", signed.size()),
            Err(_) => return None,
        }
    }
    Some(signed.size().get())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [binary, kills, rest @ ..] = arguments.as_slice() else {
        eprintln!("usage: mirror BINARY KILLS [SEED]");
        return ExitCode::from(2);
    };
    let kills: u64 = kills.parse().expect("KILLS is a number");
    let seed = rest.first().map_or_else(now, |seed| seed.parse().expect("SEED is a number"));
    println!("seed {seed}");
    let random = |round: u64| {
        let mixed = sha256(&[&seed.to_be_bytes(), &round.to_be_bytes()]);
        u64::from_be_bytes(mixed.as_bytes()[..8].try_into().unwrap())
    };
    let binary = std::fs::canonicalize(binary).expect("BINARY exists");
    let folder = tempfile::tempdir().unwrap();
    let (data, trust) = init(&binary, folder.path());
    let registry = trust.registry().unwrap().clone();
    let entering_registry = registry.clone();
    let (policy, copies) = (data.join("registry.policy"), folder.path().join("mirror"));
    let log = Server::start(&binary, &data);
    let (url, address) = (log.url.clone(), log.url.trim_start_matches("http://").parse().unwrap());
    let stop = Arc::new(AtomicBool::new(false));
    let (mut newest, mut took) = (0, Duration::ZERO);
    let (entered, lasted) = thread::scope(|scope| {
        let ending = StopAtEnd(&stop);
        let (sender, ahead) = mpsc::sync_channel(AHEAD);
        scope.spawn(move || sign_ahead(&entering_registry, address, &sender));
        let begun = Instant::now();
        let entering = scope.spawn(|| load(address, &{ ahead }, &stop));
        for round in 1..=kills {
            let mirror = start(&binary, &copies, &url, &policy);
            let client = mirror.client().with_pause(|_| {});
            let within = u64::try_from((ROUND_MAX + took).as_millis()).unwrap();
            let wait = Duration::from_millis(random(round) % within);
            let started = Instant::now();
            let killer = scope.spawn(move || {
                // The random moment is what this program is about; nothing is waited for.
                thread::park_timeout(wait);
                mirror.kill();
            });
            let mut answered = None;
            while !killer.is_finished() {
                if let Some(size) = look(&client, &trust) {
                    assert!(size >= newest, "the mirror went back from {newest} to {size}");
                    answered = answered.or_else(|| Some(started.elapsed()));
                    newest = size;
                }
            }
            killer.join().unwrap();
            took = answered.unwrap_or(took.max(wait));
            println!("kill {round:>2} after {:>4} ms: the mirror had {newest} entries", wait.as_millis());
        }
        drop(ending);
        (entering.join().unwrap(), begun.elapsed())
    });
    let size = trust.open_checkpoint(&log.client().checkpoint().unwrap()).unwrap().size().get();
    println!(
        "the log took {} entries a second; the mirror had {newest} of {size}, {} a second",
        per_second(entered, lasted),
        per_second(newest, lasted)
    );
    let begun = Instant::now();
    let mirror = start(&binary, &copies, &url, &policy);
    while look(&mirror.client(), &trust) != Some(size) {
        thread::yield_now();
    }
    println!("all {size} entries are there {:.1} s after the last start", begun.elapsed().as_secs_f64());
    log.kill();
    let copy = copies.join(origin_hash(registry.origin()));
    let files = assert_equal_copy(&data.join("public"), &copy.join("public"));
    std::fs::remove_dir_all(&data).unwrap();
    assert_eq!(look(&mirror.client(), &trust), Some(size), "the log is gone, the mirror answers");
    assert_eq!(mirror.client().registry().unwrap().tree_size, size);
    let (code, took) = mirror.stop();
    assert_eq!(code, Some(0));
    println!("it ended in order within {:.1} s", took.as_secs_f64());
    let source = audit::FolderSource::open(&copy).unwrap();
    let report = audit::audit(&source, &trust, &|_, _| {}).expect("the audit is green");
    assert_eq!(report.tree_size, size);
    println!(
        "{kills} kills while {entered} parties entered in {:.1} s: {files} files of {size} entries are equal, the audit is green",
        lasted.as_secs_f64()
    );
    ExitCode::SUCCESS
}
