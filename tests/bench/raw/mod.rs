//! A log of any bytes on the registry's own machinery: sequencer, store, signer and read path under another law.
//!
//! - `law`: any bytes are an entry;
//! - `folder`: makes such a log in an empty folder, and starts it;
//! - `door`: `POST /add` and the static read side.
//!
//! Not here: arguments and listening (`tests/bench/raw-log.rs`). What a real log needs beside this, it has in
//! the registry: limits for each client, identity, a state to prove.

pub(crate) mod door;
pub(crate) mod folder;
pub(crate) mod law;
