//! Attacks a registry from many addresses of loopback while an honest client submits and reads.
//!
//! `hostile BINARY [SECONDS]`: 5,000 half-open connections, 20,000 bad signatures a second, bodies of 10 GB
//! and without an end, HTTP/2 rapid reset; each for so many seconds, then all together. The limits of the
//! registry are those that it has unless told otherwise. Figures are printed; what fails it are facts: an
//! honest request without an answer, something logged that is not honest, memory beyond its bound, no
//! recovery.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test program: a broken invariant ends it")]

#[path = "hostile_attacks.rs"]
mod attacks;
#[path = "hostile_honest.rs"]
mod honest;
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use attacks::{Attack, Figures};
use support::{Server, init, party, publish};

/// Memory of the server at its highest: 2,048 connections with 64 KiB of buffers (128 MiB), bodies that
/// arrive (128 MiB), the queue (64 MiB), the index (64 MiB), as much again for what the allocator keeps.
const SERVER_BYTES_MAX: u64 = 768 << 20;

/// Seconds of one attack unless said otherwise.
const SECONDS: u64 = 6;

/// How long a registry may take to be itself again before this is called no recovery.
const RECOVERY_MAX: Duration = Duration::from_secs(60);

/// Every half-open connection needs a descriptor here.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
    let enough = limit.maximum.is_none_or(|maximum| maximum >= 8_192);
    assert!(enough, "8,192 descriptors are needed; raise the limit (ulimit -Hn) and run again");
}

/// A line of `/proc/PID/status` in bytes.
fn memory(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).expect("a line of the status");
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

/// How long it takes until newcomers are read to and written for at once, several times in a row.
fn recovery(registry: &honest::Registry) -> Duration {
    let begun = Instant::now();
    let mut good = 0;
    while good < 5 {
        assert!(begun.elapsed() < RECOVERY_MAX, "the registry did not recover in {RECOVERY_MAX:?}");
        good = if registry.is_well() { good + 1 } else { 0 };
    }
    begun.elapsed()
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [binary, rest @ ..] = arguments.as_slice() else {
        eprintln!("usage: hostile BINARY [SECONDS]");
        return ExitCode::from(2);
    };
    let seconds = rest.first().map_or(SECONDS, |seconds| seconds.parse().expect("SECONDS is a number"));
    raise_descriptor_limit();
    let folder = tempfile::tempdir().unwrap();
    let (data, trust) = init(Path::new(binary), folder.path());
    let server = Server::try_start(Path::new(binary), &data, &[]).expect("the registry starts");
    let id = trust.registry().unwrap().clone();
    let (statement, version) = publish(&server.client(), &id, 1, "pledge");
    let registry = Arc::new(honest::Registry { url: server.url.clone(), id, trust, statement, version });
    registry.enter();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut logged = server.client().registry().unwrap().tree_size;
    let bad = {
        // An event that was altered after it was signed.
        let whole = String::from_utf8(party(&registry.id, 7_000).0.encode()).unwrap();
        whole.replacen("org-7000.example", "org-7001.example", 1).into_bytes()
    };
    let attacks = [
        ("nobody", &[][..]),
        ("5,000 half-open", &[Attack::HalfOpen]),
        ("bad signatures", &[Attack::BadSignatures]),
        ("huge bodies", &[Attack::HugeBodies]),
        ("rapid reset", &[Attack::RapidReset]),
        ("all together", &Attack::ALL),
    ];
    println!(
        "attack             submit p50/p99 ms   read p50/p99 ms   again  recovered  memory   of the attack"
    );
    for (name, attacks) in attacks {
        let figures = Arc::new(Figures::default());
        let address = server.url.trim_start_matches("http://").parse().unwrap();
        let attackers = attacks::start(&runtime, attacks, address, &bad, &figures);
        let honest = honest::run(&registry, Duration::from_secs(seconds));
        drop(attackers);
        let recovered = recovery(&registry);
        let size = server.client().registry().unwrap().tree_size;
        let expected = logged + honest.logged + registry.take_probes();
        assert_eq!(size, expected, "{name}: every honest event is logged once, and nothing else");
        logged = size;
        let resident = memory(server.pid(), "VmRSS:");
        println!(
            "{name:<17} {:>9.1} /{:>7.1} {:>8.1} /{:>7.1} {:>7} {:>8.2} s {:>4} MiB   {}",
            honest.submits.part(50),
            honest.submits.part(99),
            honest.reads.part(50),
            honest.reads.part(99),
            honest.again,
            recovered.as_secs_f64(),
            resident >> 20,
            figures.line(seconds),
        );
    }
    let highest = memory(server.pid(), "VmHWM:");
    assert!(highest <= SERVER_BYTES_MAX, "the server took {} MiB", highest >> 20);
    registry.check_receipts();
    let (code, _) = server.stop();
    assert_eq!(code, Some(0), "and it ends in order");
    println!(
        "{logged} entries, all of them honest; at most {} MiB; {} attackers gone",
        highest >> 20,
        attacks::COUNT.load(Ordering::Relaxed)
    );
    println!("1 passed, 0 failed");
    ExitCode::SUCCESS
}
