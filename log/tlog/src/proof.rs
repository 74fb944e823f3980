//! Proof files, also called spicy signatures (C2SP tlog-proof@v1).
//!
//! ```text
//! c2sp.org/tlog-proof@v1\n
//! extra <base64>\n                 absent if there is none
//! index <decimal>\n
//! <base64 hash>\n                  0 to 63, the leaf's sibling first
//! \n
//! <signed checkpoint>
//! ```
//!
//! Not here: the checks. The leaf hash comes from the application, the checkpoint is opened with
//! [`crate::checkpoint::SignedCheckpoint`], the path checked with [`crate::tree::verify_inclusion`].
//! `extra` is signed by nobody.

use alloc::format;
use alloc::vec::Vec;

use crate::codec::{base64_decode, base64_encode_onto, decimal};
use crate::hash::Hash;
use crate::lines::{Lines, write_hashes};
use crate::tree::{LeafIndex, PROOF_HASHES_MAX};

pub use crate::lines::HashLinesError;

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// The header, the index and the names of the lines. Room to begin with, no limit.
const LINES_BYTES_USUAL: usize = 128;

/// Why bytes are no proof file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofFileError {
    /// Longer than the caller allows.
    #[error("the proof file has {bytes} bytes, the most is {bytes_max}")]
    TooLong {
        /// The length that came.
        bytes: usize,
        /// The length that the caller allows.
        bytes_max: usize,
    },
    /// The first line is another.
    #[error("the first line is not {HEADER}")]
    Header,
    /// An `extra` line without bytes, or not in canonical base64.
    #[error("the extra line is not the canonical base64 of at least one byte")]
    Extra,
    /// No `index` line where one belongs, or not a canonical decimal.
    #[error("no index line with a decimal without leading zeros")]
    Index,
    /// The hash lines.
    #[error("the hash lines are wrong")]
    Hashes(#[from] HashLinesError),
    /// Nothing after the empty line.
    #[error("no checkpoint after the empty line")]
    NoCheckpoint,
}

/// The parts of a proof file. Nothing about them is checked but their form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    extra: Option<Vec<u8>>,
    index: LeafIndex,
    hashes: Vec<Hash>,
    checkpoint: Vec<u8>,
}

impl TlogProof {
    /// A proof of these parts. `checkpoint` is the signed checkpoint file, byte for byte.
    ///
    /// # Errors
    /// An `extra` of no bytes, more than 63 hashes, or no checkpoint.
    pub fn new(
        extra: Option<Vec<u8>>,
        index: LeafIndex,
        hashes: Vec<Hash>,
        checkpoint: Vec<u8>,
    ) -> Result<Self, ProofFileError> {
        if extra.as_ref().is_some_and(Vec::is_empty) {
            return Err(ProofFileError::Extra);
        }
        if hashes.len() > PROOF_HASHES_MAX {
            return Err(HashLinesError::TooMany { hashes_max: PROOF_HASHES_MAX }.into());
        }
        if checkpoint.is_empty() {
            return Err(ProofFileError::NoCheckpoint);
        }
        Ok(Self { extra, index, hashes, checkpoint })
    }

    /// Reads a proof file of at most `bytes_max` bytes. [`TlogProof::to_bytes`] gives the same bytes back.
    ///
    /// # Errors
    /// The rule that the bytes break.
    pub fn parse(bytes: &[u8], bytes_max: usize) -> Result<Self, ProofFileError> {
        if bytes.len() > bytes_max {
            return Err(ProofFileError::TooLong { bytes: bytes.len(), bytes_max });
        }
        let mut lines = Lines::new(bytes);
        if lines.next_line() != Some(HEADER) {
            return Err(ProofFileError::Header);
        }
        let mut line = lines.next_line().ok_or(ProofFileError::Index)?;
        let mut extra = None;
        if let Some(base64) = line.strip_prefix("extra ") {
            extra = Some(base64_decode(base64).map_err(|_| ProofFileError::Extra)?);
            line = lines.next_line().ok_or(ProofFileError::Index)?;
        }
        let index = line.strip_prefix("index ").and_then(|index| decimal(index).ok());
        let index = index.map(LeafIndex::new).ok_or(ProofFileError::Index)?;
        let hashes = lines.hashes(PROOF_HASHES_MAX)?;
        Self::new(extra, index, hashes, lines.rest().to_vec())
    }

    /// The proof file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let extra_bytes = self.extra.as_ref().map_or(0, Vec::len);
        // Base64 makes four of three; a line of hash has 45 bytes, those around it are short.
        let bytes = extra_bytes / 3 * 4 + self.hashes.len() * 45 + self.checkpoint.len() + LINES_BYTES_USUAL;
        let mut out = Vec::with_capacity(bytes);
        out.extend_from_slice(HEADER.as_bytes());
        out.push(b'\n');
        if let Some(extra) = &self.extra {
            out.extend_from_slice(b"extra ");
            base64_encode_onto(&mut out, extra);
            out.push(b'\n');
        }
        out.extend_from_slice(format!("index {}\n", self.index).as_bytes());
        write_hashes(&mut out, &self.hashes);
        out.extend_from_slice(&self.checkpoint);
        out
    }

    /// What the application put beside the proof. Signed by nobody.
    #[must_use]
    pub fn unverified_extra(&self) -> Option<&[u8]> {
        self.extra.as_deref()
    }

    /// The leaf that the proof is about.
    #[must_use]
    pub const fn index(&self) -> LeafIndex {
        self.index
    }

    /// The audit path, the leaf's sibling first.
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
