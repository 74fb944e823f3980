//! Entries: the leaves of the log. An envelope, sealed with the registry's own two words.
//!
//! Follows `docs/spec/entry.md`, rules EN-50 to EN-56. `received` and `state` are the registry's;
//! everything else is the signer's.

use alloc::vec::Vec;

use undersigned_tlog::hash::{Hash, leaf_hash};

use crate::envelope::{CheckedEnvelope, Envelope, Proof, write_envelope};
use crate::event::ParseError;
use crate::json::{self, MemberError, Members, ObjectWriter};

/// The largest entry in bytes.
pub const ENTRY_BYTES_MAX: usize = 32 * 1024;

/// The version of format and law that this program knows.
pub const LAW_VERSION: u64 = 1;

/// A well-formed entry; its signatures are not checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The event and its proofs.
    pub envelope: Envelope,
    /// The registry's clock in POSIX seconds.
    pub received: u64,
    /// The root of the state tree after this entry.
    pub state: Hash,
    /// The version of format and law.
    pub v: u64,
}

impl Entry {
    /// Reads an entry.
    ///
    /// # Errors
    /// Not canonical JSON, or not an entry of the format.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        Self::decode(json::parse(bytes, ENTRY_BYTES_MAX)?)
    }

    pub(crate) fn decode(value: json::Value) -> Result<Self, ParseError> {
        let mut members = Members::of("entry", value)?;
        let envelope = Envelope::take(&mut members)?;
        let entry = Self {
            envelope,
            received: members.integer("received")?,
            state: members.hash("state")?,
            v: members.integer("v")?,
        };
        members.finish()?;
        if entry.v != LAW_VERSION {
            return Err(MemberError::value("v", "1, the one version that this program knows").into());
        }
        Ok(entry)
    }

    /// The canonical bytes; the inverse of [`Entry::parse`].
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(self.envelope.event_bytes(), self.envelope.proofs(), self.received, &self.state)
    }
}

/// The bytes of the entry that a checked envelope becomes.
#[must_use]
pub fn seal(envelope: &CheckedEnvelope, received: u64, state: &Hash) -> Vec<u8> {
    encode(envelope.event_bytes(), envelope.proofs(), received, state)
}

/// The leaf hash of an entry's bytes.
#[must_use]
pub fn leaf(entry: &[u8]) -> Hash {
    leaf_hash(entry)
}

fn encode(event: &[u8], proofs: &[Proof], received: u64, state: &Hash) -> Vec<u8> {
    let mut out = Vec::with_capacity(event.len() + 256 * proofs.len() + 160);
    let mut object = ObjectWriter::new(&mut out);
    write_envelope(&mut object, event, proofs);
    object.integer("received", received).hash("state", state).integer("v", LAW_VERSION).finish();
    out
}
