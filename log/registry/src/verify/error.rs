//! Which binding of a proof file does not hold, and its rule.

use alloc::string::String;

use crate::envelope::CheckError;
use crate::event::ParseError;

/// Which binding of a receipt does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// RC-20: the checkpoint is of a log that the policy does not name.
    #[error("the policy names no log with the origin \"{origin}\"")]
    UnknownLog {
        /// The checkpoint's first line.
        origin: String,
    },
    /// RC-21: the checkpoint's signatures.
    #[error("the checkpoint: {0}")]
    Checkpoint(undersigned_tlog::checkpoint::OpenCheckpointError),
    /// RC-22: the entry is not at the index in the checkpoint's tree.
    #[error("the entry is not in the tree of the checkpoint: {0}")]
    Inclusion(undersigned_tlog::tree::ProofError),
    /// RC-24: the entry is of another registry.
    #[error("the entry is meant for the registry {found}, not for {expected}")]
    Registry {
        /// From the entry.
        found: String,
        /// From the trust anchor, or the checkpoint's origin.
        expected: String,
    },
    /// RC-23: a signature or key of the entry.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// RC-25: `registry.open` elsewhere than at index 0, or another event there.
    #[error("registry.open is entry 0, and entry 0 is registry.open")]
    NotGenesis,
    /// RC-26: the registry logged the event after the second that its signers allowed.
    #[error("the registry logged the event at {received}, after its log_before {log_before}")]
    Expired {
        /// The event's limit.
        log_before: u64,
        /// The registry's clock.
        received: u64,
    },
    /// RC-27: a path for a key that the event does not call for.
    #[error("state path {position} is for a key that this event does not call for")]
    ForeignPath {
        /// Which one, from 0.
        position: usize,
    },
    /// RC-28: a state path does not lead from its record to the entry's state root.
    #[error("state path {position}: {reason}")]
    Path {
        /// Which one, from 0.
        position: usize,
        /// What the walk refused.
        reason: String,
    },
    /// RC-29 to RC-35: a proved record is not what the law would have made of the entry.
    #[error("the state contradicts the entry: {0}")]
    Contradiction(&'static str),
    /// SP-26, SP-27: the path shows something else than the question claims.
    #[error("the state answers otherwise: {0}")]
    OtherAnswer(&'static str),
    /// MP-21 to MP-24: the entries are not where they claim to be in the checkpoint's tree.
    #[error("the entries are not in the tree of the checkpoint: {0}")]
    Entries(undersigned_tlog::tree::MultiProofError),
    /// MP-25: an entry of a multi-proof that is none of the format.
    #[error("entry {index}: {error}")]
    Entry {
        /// Its index.
        index: u64,
        /// The rule that it breaks.
        error: ParseError,
    },
    /// RC-36: a blob that nothing in the receipt names.
    #[error("blob {position} is not named by the entry or by a proved record")]
    ForeignBlob {
        /// Which one, from 0.
        position: usize,
    },
}

impl VerifyError {
    /// The stable code of the rule.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownLog { .. } => "unknown-log",
            Self::Checkpoint(_) => "checkpoint",
            Self::Inclusion(_) | Self::Entries(_) => "inclusion",
            Self::Entry { error, .. } => error.code(),
            Self::OtherAnswer(_) => "other-answer",
            Self::Registry { .. } => "registry",
            Self::Check(error) => error.code(),
            Self::NotGenesis => "not-genesis",
            Self::Expired { .. } => "expired",
            Self::ForeignPath { .. } => "foreign-path",
            Self::Path { .. } => "state-path",
            Self::Contradiction(_) => "state-contradiction",
            Self::ForeignBlob { .. } => "foreign-blob",
        }
    }
}
