//! A generic transparency log in pure code: what a verifier needs, and nothing that touches the world.
//!
//! One module per specification. Nothing here knows what the entries mean.
//!
//! - [`codec`]: strict base64, hex and decimal;
//! - [`hash`]: SHA-256 and the RFC 6962 leaf and node hashes;
//! - [`tree`]: sizes, indexes, inclusion and consistency proofs (RFC 6962, section 2.1);
//! - [`tile`]: tiles, their paths, entry bundles (C2SP tlog-tiles);
//! - [`edge`]: the right edge of a growing tree, and the proofs that can be cut from it;
//! - [`note`]: signed notes, verifier keys, the Ed25519 signer (C2SP signed-note);
//! - [`checkpoint`]: signed tree heads (C2SP tlog-checkpoint);
//! - [`policy`]: whom to trust (C2SP tlog-policy);
//! - [`proof`]: the proof file (C2SP tlog-proof);
//! - [`multi_proof`]: the proof file of several entries;
//! - [`wire`]: the messages to witnesses (C2SP tlog-witness).
//!
//! Not here: files, sockets, clocks, randomness, threads. Callers pass bytes and times in.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod checkpoint;
pub mod codec;
pub mod edge;
pub mod hash;
mod lines;
pub mod multi_proof;
pub mod note;
pub mod policy;
pub mod proof;
pub mod tile;
pub mod tree;
pub mod wire;
