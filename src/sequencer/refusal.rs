//! Why a log is not served: each reason, and what the operator does about it.
//!
//! The first lines stand in the fault table of `docs/operations.md`, which a test holds them to.

use undersigned_tlog::tree::TreeSize;

use super::plan::EdgeError;
use crate::clock::ClockJumped;
use crate::signer::SignError;
use crate::store::{Name, StoreError};

/// Why a log is not served.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// Tiles are missing, damaged, or not those of the signed head.
    #[error(
        "the tiles do not give the signed tree of size {size}: {source}\nrestore public/tile from a backup or a mirror; nothing was changed"
    )]
    Tiles {
        /// The size.
        size: TreeSize,
        /// What is wrong.
        source: EdgeError,
    },
    /// The log ends before what was signed.
    #[error(
        "the log ends at size {found}, but size {signed} was signed\na part of the folder is missing or an older copy was restored; get the rest from a newer backup or a mirror; nothing was signed"
    )]
    Short {
        /// Where it ends.
        found: TreeSize,
        /// What was signed.
        signed: TreeSize,
    },
    /// Another tree was signed than the one that is there.
    #[error(
        "the log key signed another tree of size {size} than the one in this folder\nthis folder is not the log that was served last; nothing was changed"
    )]
    Fork {
        /// The size.
        size: TreeSize,
    },
    /// A batch cannot be read or does not replay.
    #[error("{name} {reason}\n{}", advice(*signed))]
    Batch {
        /// Which one.
        name: Name,
        /// What is wrong with it.
        reason: String,
        /// Whether the head that it makes may have been signed.
        signed: bool,
    },
    /// An entry of the settled log does not replay.
    #[error(
        "entry {index} does not replay: {reason}\nthe folder is damaged or was written by another version of the law; check it with: undersigned audit"
    )]
    Entry {
        /// Its index.
        index: u64,
        /// What the law says.
        reason: String,
    },
    /// The published checkpoint is not this log's.
    #[error(
        "public/checkpoint is not signed by this log's key: {reason}\nif log.key was exchanged, restore it; if this file alone is damaged, move it away and start again: it is made anew; if public/ is of another log, restore the folder from one backup; nothing was changed"
    )]
    Checkpoint {
        /// What is wrong.
        reason: String,
    },
    /// The key that lies there is not the log's.
    #[error(
        "private/log.key is {key}, which entry 0 of this log does not name\nrestore the log's own key from where it was put away; nothing was signed"
    )]
    Key {
        /// Its public side.
        key: String,
    },
    /// The newest entry lies ahead of the clock.
    #[error(
        "the newest entry is dated {ahead} s ahead of this machine's clock\nset the clock right and start again"
    )]
    Clock {
        /// How far, in seconds.
        ahead: u64,
    },
    /// The clock cannot be believed.
    #[error(transparent)]
    ClockJumped(#[from] ClockJumped),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The signer refused.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The system gives no threads.
    #[error("the system gives no thread for the log's loops")]
    Threads(#[source] std::io::Error),
}

const UNSIGNED_ADVICE: &str = "it was never signed, so nobody relies on it: set it aside with undersigned repair batch, and start again";
const SIGNED_ADVICE: &str = "it was signed: restore this file from a backup; nothing was changed";

/// What to do about a batch depends on whether the head it makes was ever signed.
const fn advice(signed: bool) -> &'static str {
    if signed { SIGNED_ADVICE } else { UNSIGNED_ADVICE }
}
