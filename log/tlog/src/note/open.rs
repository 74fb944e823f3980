//! Which keys signed a note (C2SP signed-note, "Signatures").
//!
//! A line belongs to a key if name *and* id match; all other lines are passed over. A line of a given
//! key that does not verify rejects the note, and so does a second line of one key: a note says each
//! thing once, and a reader must not depend on which of two lines another reader looked at. A key of
//! a type that cannot be checked here counts as not given.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::borrow::Borrow;

use super::{Note, NoteError, NoteText, SignatureLine, VerifierKey};

/// Why a note is not accepted under the given keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not a note.
    #[error("not a signed note")]
    Note(#[from] NoteError),
    /// Two given keys have one name and id, so that a line cannot say whose it is.
    #[error("two of the given keys have the name and id {name}+{key_id:08x}")]
    AmbiguousKey {
        /// The name of both.
        name: String,
        /// The id of both.
        key_id: u32,
    },
    /// A given key has two lines.
    #[error("two signature lines of the key {name}+{key_id:08x}")]
    Repeated {
        /// The name of the key.
        name: String,
        /// Its id.
        key_id: u32,
    },
    /// A line of a given key is not a signature by it.
    #[error("the signature of the key {name}+{key_id:08x} is wrong")]
    BadSignature {
        /// The name of the key.
        name: String,
        /// Its id.
        key_id: u32,
    },
    /// No given key has signed.
    #[error("none of the given keys has signed the note")]
    NoKnownKey,
}

/// A note and the keys that have verified. Only [`Note::open`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenNote {
    note: Note,
    verified: Vec<VerifierKey>,
}

impl Note {
    /// Reads a note and checks the lines of the given keys; at least one of them must have signed.
    ///
    /// # Errors
    /// The rule that was broken.
    pub fn open<K: Borrow<VerifierKey>>(bytes: &[u8], keys: &[K]) -> Result<OpenNote, OpenError> {
        let note = Self::parse(bytes)?;
        let mut verified: Vec<VerifierKey> = Vec::new();
        for line in note.unverified_signatures() {
            let Some(key) = key_of(line, keys)? else { continue };
            let (name, key_id) = (key.name().to_string(), key.key_id());
            if verified.contains(key) {
                return Err(OpenError::Repeated { name, key_id });
            }
            if key.verify(note.text(), line.blob()).is_err() {
                return Err(OpenError::BadSignature { name, key_id });
            }
            verified.push(key.clone());
        }
        if verified.is_empty() { Err(OpenError::NoKnownKey) } else { Ok(OpenNote { note, verified }) }
    }
}

/// The one given key that a line belongs to, if it can be checked.
fn key_of<'a, K: Borrow<VerifierKey>>(
    line: &SignatureLine,
    keys: &'a [K],
) -> Result<Option<&'a VerifierKey>, OpenError> {
    let is_named = |key: &&VerifierKey| key.name() == line.name() && key.key_id() == line.key_id();
    let mut named = keys.iter().map(Borrow::borrow).filter(|key| key.can_verify()).filter(is_named);
    let first = named.next();
    if named.any(|other| Some(other) != first) {
        return Err(OpenError::AmbiguousKey { name: line.name().to_string(), key_id: line.key_id() });
    }
    Ok(first)
}

impl OpenNote {
    /// The note with all its lines.
    #[must_use]
    pub const fn note(&self) -> &Note {
        &self.note
    }

    /// The text.
    #[must_use]
    pub const fn text(&self) -> &NoteText {
        self.note.text()
    }

    /// Gives up the checked keys and keeps the note.
    #[must_use]
    pub fn into_note(self) -> Note {
        self.note
    }

    /// The given keys that have signed, in the order of their lines.
    #[must_use]
    pub fn verified(&self) -> &[VerifierKey] {
        &self.verified
    }
}
