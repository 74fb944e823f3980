//! What the signatory registry is about, in pure code: what a client, an auditor or a judge calls.
//!
//! - [`json`]: the one codec for everything that is hashed;
//! - [`id`], [`key`]: names, keys, signatures;
//! - [`event`], [`envelope`], [`entry`]: what is signed, what is sent, what is logged;
//! - [`record`], [`state_tree`], [`state`]: the facts, and the root that commits to all of them;
//! - [`rules`]: the admission law;
//! - [`ledger`]: the law over a whole log, for the server, for recovery and for auditors;
//! - [`receipt`], [`verify`]: the proof file of one entry, and what it proves.
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
pub mod receipt;
pub mod record;
pub mod rules;
pub mod state;
pub mod state_tree;
pub mod verify;
