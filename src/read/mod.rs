//! What every role that serves has in common: the accept loop and the static read side.
//!
//! - `accept`: connections with limits, and an end that nobody can block;
//! - `static_files`: checkpoint, tiles, bundles and blobs as they lie in a store;
//! - `validator`: what an answer's `ETag` is.
//!
//! Not here: the dynamic API and the texts of errors (`http`).

pub mod accept;
pub mod static_files;
pub mod validator;
