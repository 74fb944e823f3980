//! What the signatory registry is about, in pure code: what a client, an auditor or a judge calls.
//!
//! - [`json`]: the one codec for everything that is hashed;
//! - [`id`], [`key`]: names, keys, signatures;
//! - [`event`], [`envelope`], [`entry`]: what is signed, what is sent, what is logged;
//! - [`record`], [`state_tree`], [`state`]: the facts, and the root that commits to all of them;
//! - [`rules`]: the admission law;
//! - [`ledger`]: the law over a whole log, for the server, for recovery and for auditors;
//! - [`receipt`], [`state_proof`]: the proof files of one entry, and of the state after it;
//! - [`proof_file`]: which kind a file is; [`verify`]: what each proves.
//!
//! Not here: files, sockets, clocks, randomness, threads. Callers pass bytes and times in.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod entry;
pub mod envelope;
pub mod event;
pub mod id;
pub mod json;
pub mod key;
pub mod ledger;
pub mod proof_file;
pub mod receipt;
pub mod record;
pub mod rules;
pub mod state;
pub mod state_proof;
pub mod state_tree;
pub mod verify;
