//! undersigned: a verifiable registry of signatories.
//!
//! The rooms, in rows; a room imports only from rooms above it and from `log/` (`docs/ARCHITECTURE.md`
//! has the table, `tests/tidy.rs` keeps it).
#![forbid(unsafe_code)]

pub mod clock;
pub mod limits;
pub mod listing;
pub mod telemetry;

pub mod disk;

pub mod keyring;

pub mod store;

pub mod tiles;

pub mod index;
pub mod signer;

pub mod admission;

pub mod publish;
pub mod sequencer;

pub mod read;

pub mod audit;
pub mod settings;

pub mod mirror;
pub mod node;

pub mod cli;
pub mod http;
