//! The body of a request to a witness (C2SP tlog-witness, `add-checkpoint`).
//!
//! ```text
//! old <size>\n
//! <base64 hash>\n                  0 to 63
//! \n
//! <signed checkpoint>
//! ```
//!
//! Not here: the HTTP around it, and the witness's checks in their order.

use alloc::format;
use alloc::vec::Vec;

use crate::codec::decimal;
use crate::hash::Hash;
use crate::lines::{Lines, write_hashes};
use crate::note::NOTE_BYTES_MAX;
use crate::tree::{PROOF_HASHES_MAX, TreeSize};

pub use crate::lines::HashLinesError;

/// The longest body in bytes: `old` and 20 digits with a line feed, 63 lines of 45, an empty line, a note.
pub const ADD_CHECKPOINT_BYTES_MAX: usize = 25 + PROOF_HASHES_MAX * 45 + 1 + NOTE_BYTES_MAX;

/// Why bytes are no such body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddCheckpointError {
    /// Longer than [`ADD_CHECKPOINT_BYTES_MAX`].
    #[error("the request has {bytes} bytes, the most is {ADD_CHECKPOINT_BYTES_MAX}")]
    TooLong {
        /// The length that came.
        bytes: usize,
    },
    /// The first line is not `old` and a canonical decimal.
    #[error("the first line is not old and a decimal without leading zeros")]
    Old,
    /// The hash lines.
    #[error("the hash lines are wrong")]
    Hashes(#[from] HashLinesError),
    /// Nothing after the empty line.
    #[error("no checkpoint after the empty line")]
    NoCheckpoint,
}

/// What a log asks a witness to cosign. Nothing about it is checked but its form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    old: TreeSize,
    proof: Vec<Hash>,
    checkpoint: Vec<u8>,
}

impl AddCheckpoint {
    /// A request of these parts. `checkpoint` is the signed checkpoint file, byte for byte.
    ///
    /// # Errors
    /// More than 63 hashes, no checkpoint, or too long together.
    pub fn new(old: TreeSize, proof: Vec<Hash>, checkpoint: Vec<u8>) -> Result<Self, AddCheckpointError> {
        if proof.len() > PROOF_HASHES_MAX {
            return Err(HashLinesError::TooMany { hashes_max: PROOF_HASHES_MAX }.into());
        }
        if checkpoint.is_empty() {
            return Err(AddCheckpointError::NoCheckpoint);
        }
        let request = Self { old, proof, checkpoint };
        let bytes = request.to_bytes().len();
        if bytes > ADD_CHECKPOINT_BYTES_MAX {
            Err(AddCheckpointError::TooLong { bytes })
        } else {
            Ok(request)
        }
    }

    /// Reads a body. [`AddCheckpoint::to_bytes`] gives the same bytes back.
    ///
    /// # Errors
    /// The rule that the bytes break.
    pub fn parse(bytes: &[u8]) -> Result<Self, AddCheckpointError> {
        if bytes.len() > ADD_CHECKPOINT_BYTES_MAX {
            return Err(AddCheckpointError::TooLong { bytes: bytes.len() });
        }
        let mut lines = Lines::new(bytes);
        let old =
            lines.next_line().and_then(|line| line.strip_prefix("old ")).and_then(|old| decimal(old).ok());
        let old = old.map(TreeSize::new).ok_or(AddCheckpointError::Old)?;
        let proof = lines.hashes(PROOF_HASHES_MAX)?;
        Self::new(old, proof, lines.rest().to_vec())
    }

    /// The body.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("old {}\n", self.old).into_bytes();
        write_hashes(&mut bytes, &self.proof);
        bytes.extend_from_slice(&self.checkpoint);
        bytes
    }

    /// The size that the witness is thought to have cosigned last.
    #[must_use]
    pub const fn old(&self) -> TreeSize {
        self.old
    }

    /// The consistency proof from there to the checkpoint.
    #[must_use]
    pub fn proof(&self) -> &[Hash] {
        &self.proof
    }

    /// The signed checkpoint file, opened by nobody.
    #[must_use]
    pub fn unverified_checkpoint(&self) -> &[u8] {
        &self.checkpoint
    }
}
