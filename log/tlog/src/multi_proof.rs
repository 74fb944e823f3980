//! Multi-proof files: several entries of a log and one proof for all (docs/spec/multi-proof.md, MP-1 to MP-5).
//!
//! ```text
//! undersigned multi-proof v1\n
//! entry <decimal index> <base64 entry>\n    1 to 1,024
//! \n
//! <base64 hash>\n                           as many as indexes and size ask for
//! \n
//! <signed checkpoint>
//! ```
//!
//! Not here: the checks. The checkpoint is opened with [`crate::checkpoint::SignedCheckpoint`], the proof
//! checked with [`crate::tree::verify_multi_inclusion`].

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::{base64_decode, base64_encode, decimal};
use crate::hash::Hash;
use crate::lines::{HashLinesError, Lines, write_hashes};
use crate::tree::{LeafIndex, MULTI_LEAVES_MAX, PROOF_HASHES_MAX};

/// The first line of every multi-proof file.
pub const MULTI_PROOF_HEADER: &str = "undersigned multi-proof v1";

/// The largest multi-proof file in bytes: 1,024 entries of 2 kB make 3 MB in base64, and 6,000 hashes 270 kB.
pub const MULTI_PROOF_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The most hashes of a multi-proof: a whole path for each leaf, which is more than any needs.
pub const MULTI_PROOF_HASHES_MAX: usize = MULTI_LEAVES_MAX * PROOF_HASHES_MAX;

/// Why bytes are no multi-proof file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MultiProofFileError {
    /// MP-2: longer than [`MULTI_PROOF_BYTES_MAX`].
    #[error("the multi-proof file has more than {MULTI_PROOF_BYTES_MAX} bytes")]
    TooLong,
    /// MP-1: the first line is another.
    #[error("the first line is not {MULTI_PROOF_HEADER:?}")]
    Header,
    /// MP-3: no entry, or more than [`MULTI_LEAVES_MAX`].
    #[error("1 to {MULTI_LEAVES_MAX} entries belong here")]
    EntryCount,
    /// MP-4: a line before the empty one that is no entry.
    #[error("entry {number} is not \"entry\", a decimal without leading zeros and canonical base64")]
    Entry {
        /// Which entry, counted from 1.
        number: usize,
    },
    /// MP-5: the hash lines.
    #[error("the hash lines are wrong")]
    Hashes(#[from] HashLinesError),
    /// MP-5: nothing after the second empty line.
    #[error("no checkpoint after the empty line")]
    NoCheckpoint,
}

/// An entry that a multi-proof is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvedEntry {
    /// The index that it claims.
    pub index: LeafIndex,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The parts of a multi-proof file. Nothing about them is checked but their form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MultiProof {
    entries: Vec<ProvedEntry>,
    hashes: Vec<Hash>,
    checkpoint: Vec<u8>,
}

impl MultiProof {
    /// A multi-proof of these parts. `checkpoint` is the signed checkpoint file, byte for byte.
    ///
    /// # Errors
    /// Too few or too many entries or hashes, an entry of no bytes, or no checkpoint.
    pub fn new(
        entries: Vec<ProvedEntry>,
        hashes: Vec<Hash>,
        checkpoint: Vec<u8>,
    ) -> Result<Self, MultiProofFileError> {
        if !(1..=MULTI_LEAVES_MAX).contains(&entries.len()) {
            return Err(MultiProofFileError::EntryCount);
        }
        if let Some(position) = entries.iter().position(|entry| entry.bytes.is_empty()) {
            return Err(MultiProofFileError::Entry { number: position.saturating_add(1) });
        }
        if hashes.len() > MULTI_PROOF_HASHES_MAX {
            return Err(HashLinesError::TooMany { hashes_max: MULTI_PROOF_HASHES_MAX }.into());
        }
        if checkpoint.is_empty() {
            return Err(MultiProofFileError::NoCheckpoint);
        }
        Ok(Self { entries, hashes, checkpoint })
    }

    /// Reads a multi-proof file. [`MultiProof::to_bytes`] gives the same bytes back.
    ///
    /// # Errors
    /// The rule that the bytes break.
    pub fn parse(bytes: &[u8]) -> Result<Self, MultiProofFileError> {
        if bytes.len() > MULTI_PROOF_BYTES_MAX {
            return Err(MultiProofFileError::TooLong);
        }
        let mut lines = Lines::new(bytes);
        if lines.next_line() != Some(MULTI_PROOF_HEADER) {
            return Err(MultiProofFileError::Header);
        }
        let mut entries = Vec::new();
        loop {
            let number = entries.len().saturating_add(1);
            match lines.next_line() {
                Some("") => break,
                Some(_) if entries.len() == MULTI_LEAVES_MAX => return Err(MultiProofFileError::EntryCount),
                line => {
                    let entry = line.and_then(parse_entry).ok_or(MultiProofFileError::Entry { number })?;
                    entries.push(entry);
                }
            }
        }
        let hashes = lines.hashes(MULTI_PROOF_HASHES_MAX)?;
        Self::new(entries, hashes, lines.rest().to_vec())
    }

    /// The multi-proof file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = String::from(MULTI_PROOF_HEADER);
        text.push('\n');
        for entry in &self.entries {
            text.push_str(&format!("entry {} {}\n", entry.index, base64_encode(&entry.bytes)));
        }
        text.push('\n');
        let mut bytes = text.into_bytes();
        write_hashes(&mut bytes, &self.hashes);
        bytes.extend_from_slice(&self.checkpoint);
        bytes
    }

    /// The entries, in the order of the file.
    #[must_use]
    pub fn entries(&self) -> &[ProvedEntry] {
        &self.entries
    }

    /// The proof: layer by layer from the leaves, from left to right.
    #[must_use]
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// The signed checkpoint file, opened by nobody.
    #[must_use]
    pub fn unverified_checkpoint(&self) -> &[u8] {
        &self.checkpoint
    }
}

fn parse_entry(line: &str) -> Option<ProvedEntry> {
    let (index, base64) = line.strip_prefix("entry ")?.split_once(' ')?;
    let (index, bytes) = (decimal(index).ok()?, base64_decode(base64).ok()?);
    (!bytes.is_empty()).then_some(ProvedEntry { index: LeafIndex::new(index), bytes })
}
