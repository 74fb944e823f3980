//! Where the log keeps its objects: few verbs, and one of them is what safety rests on (`docs/spec/storage.md`).
//!
//! That one is [`Store::create`]: a name gets its bytes once. A batch that could be created has been
//! committed; one that exists with other bytes belongs to another writer. All other objects are derived
//! from batches or can be made again, and every verb refuses the names it is not meant for.
//!
//! - `name`: the names that exist, and which verb may touch which;
//! - `local`: a folder of files;
//! - `memory`: a map with faults, for tests;
//! - `patience`: trying again what was refused before anything happened.
//!
//! Every call may wait for a disk: call from a thread that may wait, never from an async task.
//!
//! Not here: what the bytes mean, retries, and the decision to stop the process, which is the caller's.

use std::error::Error;
use std::fmt;

pub use crate::disk::{Created, Space};

mod local;
mod memory;
mod name;
mod patience;

pub use local::{LocalStore, OpenError};
pub use memory::{Fault, MemoryStore, PowerCut};
pub use name::{NAME_BYTES_MAX, Name, NameError, Prefix};
pub use patience::until_accepted;

/// The most names that one call of [`Store::list`] returns, whatever it is asked for: 1,000 as on S3.
pub const LIST_NAMES_MAX: usize = 1_000;

/// Objects by name.
///
/// Duties of an implementation, checked by one suite for all of them:
/// - what a durable verb returned survives a power cut, and so does the absence of other bytes;
/// - an object is seen whole or not at all, by everybody;
/// - of several writers that create a name at once, exactly one sees [`Created::New`];
/// - [`None`] means that the store was asked and has no such name; every failure is an error;
/// - after [`StoreError::Uncertain`] every later write fails likewise.
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// The bytes of an object, or none if there is no such name.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`].
    fn get(&self, name: &Name) -> Result<Option<Vec<u8>>, StoreError>;

    /// The bytes of an object, if they can be had without waiting for a disk or a network. None says nothing:
    /// ask [`Self::get`].
    fn get_at_once(&self, _name: &Name) -> Option<Vec<u8>> {
        None
    }

    /// As [`Self::get`], for recovery: what it returns has been made durable first, so that nothing is
    /// built on bytes that the next power cut takes away.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] or [`StoreError::Uncertain`].
    fn get_settled(&self, name: &Name) -> Result<Option<Vec<u8>>, StoreError>;

    /// Creates an object, durable on return, or compares it with the one that has the name. For batches,
    /// blobs and private objects.
    ///
    /// # Errors
    /// Any; see the variants.
    fn create(&self, name: &Name, bytes: &[u8]) -> Result<Created, StoreError>;

    /// Creates an object that everybody sees but that a power cut may take or tear until
    /// [`Self::settle`]. For tiles and bundles, which a batch repairs, and for blobs, which are settled
    /// before their batch is created.
    ///
    /// # Errors
    /// Any; see the variants.
    fn create_pending(&self, name: &Name, bytes: &[u8]) -> Result<Created, StoreError>;

    /// Makes pending objects durable, also those that were [`Created::Equal`]. Who deletes a batch
    /// because of this reads them back first.
    ///
    /// # Errors
    /// [`StoreError::Refused`]: settle all of them again later. [`StoreError::Uncertain`]: also if one
    /// is absent.
    fn settle(&self, names: &[Name]) -> Result<(), StoreError>;

    /// Gives a tile or bundle these bytes, durable. For recovery alone: the tile lies in the range of a
    /// batch that still exists, and may be torn by a power cut. An equal one is only made durable.
    ///
    /// # Errors
    /// Any; see the variants.
    fn replace_from_batch(&self, name: &Name, bytes: &[u8]) -> Result<(), StoreError>;

    /// Replaces the published checkpoint. A power cut leaves the old one or this one, whole.
    ///
    /// # Errors
    /// Any; see the variants.
    fn put_checkpoint(&self, bytes: &[u8]) -> Result<(), StoreError>;

    /// Replaces a small private object, durable on return.
    ///
    /// # Errors
    /// Any; see the variants.
    fn put_marker(&self, name: &Name, bytes: &[u8]) -> Result<(), StoreError>;

    /// Replaces a small private object without waiting for a disk: the end of the process leaves the old one or
    /// this one, whole; a power cut may leave any older one, or a torn one.
    ///
    /// # Errors
    /// Any; see the variants.
    fn put_hint(&self, name: &Name, bytes: &[u8]) -> Result<(), StoreError>;

    /// The first names below `prefix` in byte order, after `after` if given, at most `limit` and at most
    /// [`LIST_NAMES_MAX`]. What lies there without being a name of ours is left out. Never the source of
    /// the head: that is found by asking for names.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`].
    fn list(&self, prefix: &Prefix, after: Option<&Name>, limit: usize) -> Result<Vec<Name>, StoreError>;

    /// Deletes a batch, a blob, a partial tile or a private object; one that is absent is fine. Blobs are
    /// gone for good on return, the others may come back with a power cut.
    ///
    /// # Errors
    /// Any; see the variants.
    fn delete(&self, name: &Name) -> Result<(), StoreError>;

    /// The room that is left; none if the store has no such limit.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`].
    fn free_space(&self) -> Result<Option<Space>, StoreError>;
}

/// Why a store did not do what it was asked; each variant is another duty of the caller.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing happened. Close the intake, answer "later", try again.
    #[error("nothing was written to {name}")]
    Refused {
        /// The object.
        name: Name,
        /// What is short.
        shortage: Shortage,
        /// What the storage said.
        source: Cause,
    },
    /// It may have happened or not, and only a restart tells. Stop the process; do not try again.
    #[error("it is unknown whether {name} was written\nthe process must end; the next start finds out")]
    Uncertain {
        /// The object.
        name: Name,
        /// What the storage said.
        source: Cause,
    },
    /// The object exists, or may exist, and cannot be read. This is never absence.
    #[error("cannot read {subject}")]
    Unreadable {
        /// The object, the prefix of a list, or the store.
        subject: String,
        /// What the storage said.
        source: Cause,
    },
    /// The verb is not meant for this name: a mistake in the calling code. Nothing happened.
    #[error("{verb} is not meant for {name}")]
    Misuse {
        /// The object.
        name: Name,
        /// The method that was called.
        verb: &'static str,
    },
}

/// What the storage said, to be logged.
pub type Cause = Box<dyn Error + Send + Sync>;

/// Why a write was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortage {
    /// No bytes, inodes or quota.
    Space,
    /// No file descriptors.
    Descriptors,
    /// Mounted read-only, or opened for reading.
    ReadOnly,
    /// Something else that came before anything was written.
    Other,
}

impl StoreError {
    /// Whether the process must end.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        matches!(self, Self::Uncertain { .. })
    }

    /// Whether the write was refused for want of room.
    #[must_use]
    pub const fn is_no_space(&self) -> bool {
        matches!(self, Self::Refused { shortage: Shortage::Space, .. })
    }
}

/// Refuses a name that the verb is not meant for.
fn check_use(is_allowed: bool, name: &Name, verb: &'static str) -> Result<(), StoreError> {
    if is_allowed { Ok(()) } else { Err(StoreError::Misuse { name: name.clone(), verb }) }
}

#[cfg(test)]
mod tests;
