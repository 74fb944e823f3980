//! A checkpoint with its signatures, as a value that only a check or the signer makes (C2SP tlog-checkpoint).
//!
//! Not here: cosignatures, and the guard that decides what a log key may sign.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::borrow::Borrow;

use super::{Checkpoint, CheckpointError, Origin};
use crate::hash::Hash;
use crate::note::{KeyName, Note, NoteError, NoteSigner, NoteText, OpenError, VerifierKey};
use crate::tree::TreeSize;

/// Why a signed checkpoint is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenCheckpointError {
    /// Not a note signed by a given key.
    #[error("not a note signed by the given keys")]
    Note(#[from] OpenError),
    /// A signed note, but not a checkpoint.
    #[error("the signed note is not a checkpoint")]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint of another log.
    #[error("a checkpoint of {found}, not of {expected}")]
    Origin {
        /// The log asked for.
        expected: Origin,
        /// The log that the checkpoint names.
        found: Origin,
    },
    /// None of the given keys has the origin's name.
    #[error("none of the given keys is a key of {origin}")]
    NoLogKey {
        /// The log that the checkpoint names.
        origin: Origin,
    },
    /// A given key of the origin is of a type that cannot be checked here.
    #[error("signatures of the log key {key} cannot be checked, and every key of the log must have signed")]
    Unsupported {
        /// The verifier key.
        key: String,
    },
    /// A given key of the origin has not signed.
    #[error("the log key {key} has not signed, and every key of the log must have")]
    Unsigned {
        /// The verifier key.
        key: String,
    },
}

/// Why a checkpoint was not signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignCheckpointError {
    /// The key of a log has the log's name.
    #[error("a key named {name} cannot sign a checkpoint of {origin}")]
    Name {
        /// The name of the key.
        name: KeyName,
        /// The log that the checkpoint names.
        origin: Origin,
    },
    /// The text is no note text.
    #[error("the checkpoint cannot be written as a note")]
    Note(#[from] NoteError),
}

/// A checkpoint that all given keys of its log have signed: only the check, or the signer, makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: Note,
    verified: Vec<VerifierKey>,
}

impl SignedCheckpoint {
    /// Opens a signed checkpoint under the given keys, of any log or of the one asked for.
    ///
    /// **Every** given key whose name is the checkpoint's origin must have signed, and there must be
    /// one. C2SP tlog-policy is content with any of them; here a log signs with all its keys, so a
    /// checkpoint that lacks one is not the log's, or was made by a thief of the others. Given keys
    /// with other names are cosigners: they need not have signed, but a wrong line rejects.
    ///
    /// # Errors
    /// The rule that was broken.
    pub fn open<K: Borrow<VerifierKey>>(
        bytes: &[u8],
        origin: Option<&Origin>,
        keys: &[K],
    ) -> Result<Self, OpenCheckpointError> {
        let opened = match Note::open(bytes, keys) {
            Err(OpenError::NoKnownKey) => return Err(nobody_signed(bytes, origin, keys)),
            other => other?,
        };
        let checkpoint = Checkpoint::parse_text(opened.text().as_str())?;
        check_origin(&checkpoint, origin)?;
        check_log_keys(&checkpoint.origin, keys, opened.verified())?;
        let verified = opened.verified().to_vec();
        Ok(Self { checkpoint, note: opened.into_note(), verified })
    }

    /// Signs a checkpoint with the key of its log.
    ///
    /// # Errors
    /// The key has another name than the log.
    pub fn sign(checkpoint: Checkpoint, signer: &NoteSigner) -> Result<Self, SignCheckpointError> {
        let name = signer.verifier_key().name();
        if name != checkpoint.origin.key_name() {
            return Err(SignCheckpointError::Name { name: name.clone(), origin: checkpoint.origin });
        }
        let text = NoteText::new(&checkpoint.text())?;
        let line = signer.sign(&text);
        let note = Note::new(text, Vec::from([line]))?;
        Ok(Self { checkpoint, note, verified: Vec::from([signer.verifier_key().clone()]) })
    }

    /// The checkpoint.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The name of the log.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        self.checkpoint.origin()
    }

    /// How many leaves the tree has.
    #[must_use]
    pub const fn size(&self) -> TreeSize {
        self.checkpoint.size()
    }

    /// The root of the tree.
    #[must_use]
    pub const fn root(&self) -> &Hash {
        self.checkpoint.root()
    }

    /// The note, with lines of unknown keys too.
    #[must_use]
    pub const fn note(&self) -> &Note {
        &self.note
    }

    /// The given keys that have signed.
    #[must_use]
    pub fn verified(&self) -> &[VerifierKey] {
        &self.verified
    }

    /// The checkpoint file, byte for byte as it came.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        // A note has one form, so what was parsed is what is written.
        self.note.to_bytes()
    }
}

fn check_origin(checkpoint: &Checkpoint, wanted: Option<&Origin>) -> Result<(), OpenCheckpointError> {
    match wanted {
        Some(expected) if *expected != checkpoint.origin => {
            Err(OpenCheckpointError::Origin { expected: expected.clone(), found: checkpoint.origin.clone() })
        }
        _ => Ok(()),
    }
}

fn check_log_keys<K: Borrow<VerifierKey>>(
    origin: &Origin,
    keys: &[K],
    verified: &[VerifierKey],
) -> Result<(), OpenCheckpointError> {
    let mut log_keys =
        keys.iter().map(Borrow::borrow).filter(|key| key.name() == origin.key_name()).peekable();
    if log_keys.peek().is_none() {
        return Err(OpenCheckpointError::NoLogKey { origin: origin.clone() });
    }
    for key in log_keys {
        if !key.can_verify() {
            return Err(OpenCheckpointError::Unsupported { key: key.to_string() });
        }
        if !verified.contains(key) {
            return Err(OpenCheckpointError::Unsigned { key: key.to_string() });
        }
    }
    Ok(())
}

/// The best reason why a note without a verified line is refused.
fn nobody_signed<K: Borrow<VerifierKey>>(
    bytes: &[u8],
    origin: Option<&Origin>,
    keys: &[K],
) -> OpenCheckpointError {
    let refuse = || -> Result<(), OpenCheckpointError> {
        let note = Note::parse(bytes).map_err(OpenError::from)?;
        let checkpoint = Checkpoint::parse_text(note.text().as_str())?;
        check_origin(&checkpoint, origin)?;
        check_log_keys(&checkpoint.origin, keys, &[])
    };
    refuse().err().unwrap_or(OpenCheckpointError::Note(OpenError::NoKnownKey))
}
