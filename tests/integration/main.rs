//! The whole program from outside: processes, files and HTTP, on loopback and in folders of their own.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod audits;
mod backup;
mod bench;
mod cheats;
mod cli;
mod codes;
mod conditional;
mod door;
mod exports;
mod http;
mod keys;
mod lists;
mod mirrors;
mod operators;
mod pages;
mod proofs;
mod prove;
mod raw_log;
mod refused;
mod repeats;
mod replay;
mod smuggling;
mod start;
mod storage;
mod terminal;
mod time;

use std::path::Path;

/// The program under test.
fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_undersigned"))
}
