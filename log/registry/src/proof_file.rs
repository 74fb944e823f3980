//! Which kind of proof a file is: receipt, state proof or multi-proof.
//!
//! Follows `docs/spec/receipt.md`, `docs/spec/state-proof.md` (SP-4) and `docs/spec/multi-proof.md` (MP-1). Each
//! kind has its own reader; this only chooses among them, and the reader refuses what is not of its kind.

use alloc::boxed::Box;

use undersigned_tlog::multi_proof::{
    MULTI_PROOF_BYTES_MAX, MULTI_PROOF_HEADER, MultiProof, MultiProofFileError,
};
use undersigned_tlog::proof::TlogProof;

use crate::json::{self, Value};
use crate::receipt::{Receipt, ReceiptError};
use crate::state_proof::{STATE_PROOF_BYTES_MAX, StateProof};

/// The largest proof file of any kind.
pub const PROOF_FILE_BYTES_MAX: usize = MULTI_PROOF_BYTES_MAX;

/// A well-formed proof file; nothing is proved yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProofFile {
    /// What one entry did.
    Receipt(Box<Receipt>),
    /// The answer to a question about the state.
    State(Box<StateProof>),
    /// Several entries.
    Entries(MultiProof),
}

/// Why bytes are no proof file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofFileError {
    /// Neither receipt nor state proof.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// No multi-proof, though it begins as one.
    #[error("not a multi-proof file: {0}")]
    Entries(#[from] MultiProofFileError),
}

impl ProofFileError {
    /// The stable code of the rule.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Receipt(error) => error.code(),
            Self::Entries(_) => "multi-proof-file",
        }
    }
}

impl ProofFile {
    /// Reads a proof file of any kind.
    ///
    /// # Errors
    /// The first rule of its format that is broken; of a receipt's where the file does not say what it is.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofFileError> {
        if bytes.strip_prefix(MULTI_PROOF_HEADER.as_bytes()).is_some_and(|rest| rest.starts_with(b"\n")) {
            return Ok(Self::Entries(MultiProof::parse(bytes)?));
        }
        if asks(bytes) {
            return Ok(Self::State(Box::new(StateProof::parse(bytes)?)));
        }
        Ok(Self::Receipt(Box::new(Receipt::parse(bytes)?)))
    }
}

/// Whether the `extra` line has a question.
fn asks(bytes: &[u8]) -> bool {
    let Ok(proof) = TlogProof::parse(bytes, STATE_PROOF_BYTES_MAX) else { return false };
    let extra = proof.unverified_extra().and_then(|extra| json::parse(extra, STATE_PROOF_BYTES_MAX).ok());
    matches!(extra, Some(Value::Object(members)) if members.iter().any(|(name, _)| name == "question"))
}
