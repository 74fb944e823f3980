//! The tests of the transparency log, in one binary: bytes in, bytes out.
//!
//! - `rfc6962`: the RFC's recursive definitions, written down a second time and sharing no code;
//! - `tree`, `tiles`, `edge`: our tree against that, against `rs_merkle`, and against mutations;
//! - `multi`: proofs of several leaves, and the forgeries that others accept;
//! - `known`: the answers that other implementations gave;
//! - `foreign`: the same questions to the crates `signed_note` and `tlog_tiles`;
//! - `notes`: keys, signatures, checkpoints;
//! - `properties`: round trips at random;
//! - `vectors`: the tables that every language reads, under `tests/vectors/tlog`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod edge;
mod foreign;
mod known;
mod multi;
mod notes;
mod properties;
mod rfc6962;
mod tiles;
mod tree;
mod vectors;
