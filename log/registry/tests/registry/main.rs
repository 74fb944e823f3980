//! The tests of the registry's pure code, in one binary: bytes in, bytes out.
//!
//! - `fixture`: invented parties with keys from fixed bytes, and a log of theirs;
//! - `naive`: the state root a second time, straight from `docs/spec/state-tree.md`, sharing no code;
//! - `codec`: canonical JSON, events, entries, records, submissions: every refusal and its right twin;
//! - `signatures`: keys and proofs, `SSHSIG` built by hand from OpenSSH's description;
//! - `cases`, `law`: every refusal of the admission law, and the stories around it;
//! - `histories`: random logs, the root after every entry, following and undoing;
//! - `receipts`: proof files of every event type, their mutations and their limits;
//! - `state_proofs`, `multi_proofs`: the other kinds of proof files;
//! - `time`: what ends by itself, and the ticks that end it;
//! - `vectors`: the tables that every language reads, under `tests/vectors/registry`;
//! - `tidy`: rules, code and tests name each other.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod cases;
mod codec;
mod fixture;
mod histories;
mod law;
mod multi_proofs;
mod naive;
mod receipts;
mod signatures;
mod state_proofs;
mod tidy;
mod time;
mod vectors;
