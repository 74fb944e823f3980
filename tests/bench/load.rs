//! One generator for programs that are compared: `load --url URL --clients N --seconds N add|get|enter ...`.
//!
//! `add` writes leaves to a log of any bytes at `POST /add`, `get` reads paths in turns, `enter` lets parties
//! enter a registry, signed before it begins. Each client sends its next request when it has the last answer.
//! It prints one line of JSON with the figures. What was answered is checked after the load, and an answer
//! that is not true ends it with status 1; so does any answer but the right one, as the figures say.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test program: a broken invariant ends it")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand};
use undersigned_registry::verify::Trust;
use undersigned_tlog::checkpoint::{Origin, SignedCheckpoint};
use undersigned_tlog::hash::leaf_hash;
use undersigned_tlog::note::VerifierKey;
use undersigned_tlog::proof::TlogProof;
use undersigned_tlog::tree::verify_inclusion;

use support::load::{self, Load, RECEIPT, Requests, Run};

#[path = "../support/mod.rs"]
mod support;

/// Different leaves, which take turns; no log that is compared here minds one that it has.
const LEAVES: u64 = 4_096;
/// A proof of one entry is far below.
const PROOF_BYTES_MAX: usize = 64 * 1024;

/// Send load and print its figures as one line of JSON
#[derive(Debug, Parser)]
#[command(name = "load")]
struct Args {
    /// Where the server is: http:// and an address of loopback
    #[arg(long)]
    url: String,
    /// Connections, each with one request at a time
    #[arg(long)]
    clients: usize,
    /// How long requests are sent
    #[arg(long)]
    seconds: u64,
    /// How long a client waits before each request
    #[arg(long, default_value_t = 0)]
    pause_ms: u64,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Write leaves to POST /add of a new log
    Add {
        /// Bytes of a leaf
        #[arg(long, default_value_t = 1_000)]
        bytes: usize,
        /// The log's verifier key
        #[arg(long)]
        vkey: String,
        /// Answers are tlog-proof files, not indexes
        #[arg(long)]
        proofs: bool,
    },
    /// Read paths in turns
    Get {
        /// File with one path a line
        #[arg(long)]
        paths: PathBuf,
    },
    /// Let parties enter a registry
    Enter {
        /// Policy of the registry
        #[arg(long)]
        policy: PathBuf,
        /// How many at most
        #[arg(long)]
        count: u64,
    },
}

/// A leaf of random-looking letters, which no file system compresses.
fn leaf(number: u64, bytes: usize) -> Vec<u8> {
    let mut leaf = Vec::with_capacity(bytes + 64);
    let mut part = undersigned_tlog::hash::sha256(&[&number.to_be_bytes()]);
    while leaf.len() < bytes {
        leaf.extend_from_slice(part.to_hex().as_bytes());
        part = undersigned_tlog::hash::sha256(&[part.as_bytes()]);
    }
    leaf.truncate(bytes);
    leaf
}

/// The size of the tree that a log's checkpoint names now.
fn published(address: SocketAddr, key: &str) -> u64 {
    open(&load::read_once(address, "/checkpoint").expect("a checkpoint"), key).checkpoint().size().get()
}

fn open(checkpoint: &[u8], key: &str) -> SignedCheckpoint {
    let key = VerifierKey::parse(key).expect("a verifier key");
    let origin = Origin::new(key.name().as_str()).expect("an origin");
    SignedCheckpoint::open(checkpoint, Some(&origin), &[key]).expect("signed by the key of the log")
}

/// Every kept answer is true of the log as it is now published.
fn check_added(run: &Run, address: SocketAddr, key: &str, proofs: bool, leaf: &dyn Fn(u64) -> Vec<u8>) {
    let size = published(address, key);
    assert!(size >= run.answers(), "{} answers and {size} leaves", run.answers());
    for (number, answer) in &run.samples {
        let leaf = leaf(u64::try_from(*number).unwrap());
        if proofs {
            let proof = TlogProof::parse(answer, PROOF_BYTES_MAX).expect("a proof file");
            let signed = open(proof.unverified_checkpoint(), key);
            let (size, root) = (signed.checkpoint().size(), signed.checkpoint().root());
            verify_inclusion(&leaf_hash(&leaf), proof.index(), size, proof.hashes(), root)
                .expect("the answer proves the leaf");
        } else {
            let index: u64 = std::str::from_utf8(answer).unwrap().parse().expect("an index");
            assert!(index < size, "the index {index} of a log of {size}");
        }
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    let address: SocketAddr = args
        .url
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .parse()
        .expect("--url http://ADDRESS:PORT");
    let mut load = Load {
        clients: args.clients,
        time: Duration::from_secs(args.seconds),
        pause: Duration::from_millis(args.pause_ms),
        in_turns: true,
        wanted: 200,
        stop: Arc::default(),
    };
    let mut requests = Requests::default();
    match &args.what {
        What::Add { bytes, .. } => {
            for number in 0..LEAVES {
                let leaf = leaf(number, *bytes);
                requests.push(&load::post(address, "/add", "application/octet-stream", &leaf));
            }
        }
        What::Get { paths } => {
            let paths = std::fs::read_to_string(paths).expect("the file of --paths");
            paths.lines().for_each(|path| requests.push_get(address, path));
        }
        What::Enter { policy, count } => {
            let policy = std::fs::read_to_string(policy).expect("the file of --policy");
            let trust = Trust::parse(&policy, None).expect("a policy");
            requests = load::entering(trust.registry().expect("a registry"), 0..*count, address);
            (load.in_turns, load.wanted) = (false, RECEIPT);
        }
    }
    let run = match load::run(address, &Arc::new(requests), &load) {
        Ok(run) => run,
        Err(error) => {
            eprintln!("load: {error}");
            return ExitCode::FAILURE;
        }
    };
    if let What::Add { bytes, vkey, proofs } = &args.what {
        check_added(&run, address, vkey, *proofs, &|number| leaf(number, *bytes));
    }
    println!("{}", serde_json::to_string(&run.figures(args.clients)).unwrap());
    ExitCode::SUCCESS
}
