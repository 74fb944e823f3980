//! Signed notes: a text and signatures by named keys (C2SP signed-note v1.1.0).
//!
//! ```text
//! <text, one or more lines>\n
//! \n
//! — <key name> <base64 of key id (4 bytes) and signature>\n     one or more
//! ```
//!
//! A key signs the text with its last line feed and without the empty line. Stricter than the
//! specification: base64 has one form, a note with two lines of one known key is refused, and limits hold.
//!
//! - here: the note as a value, and its bytes;
//! - `name`: key names; `key`: verifier keys and their check; `signer`: the Ed25519 signer;
//! - `open`: which keys signed a note.
//!
//! Not here: what a text means ([`crate::checkpoint`]), cosignatures with a time.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::codec::{base64_decode, base64_encode};

mod key;
mod name;
mod open;
mod signer;

pub use key::{
    ALGORITHM_ECDSA, ALGORITHM_ED25519, ALGORITHM_ED25519_COSIGNATURE, ALGORITHM_ML_DSA_44, VerifierKey,
    VerifierKeyError, VerifyError,
};
pub use name::{KeyName, NameError};
pub use open::{OpenError, OpenNote};
pub use signer::NoteSigner;

/// The most signature lines of a note; the specification asks for at least 16.
pub const SIGNATURES_MAX: usize = 64;

/// The longest text in bytes.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;

/// The longest note in bytes: the text, and 5 KiB for each signature line (an ML-DSA-44 one has 3.3 kB).
pub const NOTE_BYTES_MAX: usize = TEXT_BYTES_MAX + SIGNATURES_MAX * 5 * 1024;

/// Key id and at least one byte of signature.
const BLOB_BYTES_MIN: usize = 5;

/// What a signature line begins with: an em dash and a space.
const LINE_START: &str = "\u{2014} ";

/// Why bytes are no signed note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Longer than [`NOTE_BYTES_MAX`], or the text than [`TEXT_BYTES_MAX`].
    #[error("the note is too long")]
    TooLong,
    /// Not UTF-8.
    #[error("the note is not utf-8")]
    NotUtf8,
    /// A byte below 0x20 other than the line feed.
    #[error("the note contains a control character")]
    Control,
    /// No empty line between text and signatures.
    #[error("no empty line before the signatures")]
    NoEmptyLine,
    /// A text that does not end in a line feed.
    #[error("the text does not end in a line feed")]
    TextNotEnded,
    /// Nothing after the empty line, or a last line without a line feed.
    #[error("no signature lines, or the last one does not end in a line feed")]
    SignaturesNotEnded,
    /// More than [`SIGNATURES_MAX`].
    #[error("more than {SIGNATURES_MAX} signature lines")]
    TooManySignatures,
    /// Not em dash, space, name, space, base64.
    #[error("signature line {number} is not an em dash, a key name and base64")]
    Line {
        /// Which signature line, counted from 1.
        number: usize,
    },
    /// The base64 is not canonical, or too short for a key id and a signature.
    #[error("signature line {number} is not the canonical base64 of a key id and a signature")]
    Blob {
        /// Which signature line, counted from 1.
        number: usize,
    },
}

/// The text of a note: UTF-8 without control characters other than the line feed that also ends it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NoteText(String);

impl NoteText {
    /// Checks a text.
    ///
    /// # Errors
    /// Too long, a control character, or no line feed at the end.
    pub fn new(text: &str) -> Result<Self, NoteError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(NoteError::TooLong);
        }
        if has_control(text) {
            return Err(NoteError::Control);
        }
        if text.ends_with('\n') { Ok(Self(text.to_string())) } else { Err(NoteError::TextNotEnded) }
    }

    /// The text with its last line feed: what is signed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One signature line, of whoever: nothing about it is checked but its form.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SignatureLine {
    name: KeyName,
    key_id: u32,
    blob: Vec<u8>,
}

impl SignatureLine {
    /// A line; `None` if the signature is empty.
    #[must_use]
    pub fn new(name: KeyName, key_id: u32, blob: Vec<u8>) -> Option<Self> {
        if blob.is_empty() { None } else { Some(Self { name, key_id, blob }) }
    }

    /// The name of the key that claims to have signed.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// Its key id.
    #[must_use]
    pub const fn key_id(&self) -> u32 {
        self.key_id
    }

    /// What follows the key id: for Ed25519 the 64 bytes of the signature.
    #[must_use]
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// Reads one line without its line feed.
    fn parse(line: &str, number: usize) -> Result<Self, NoteError> {
        let malformed = NoteError::Line { number };
        let (name, base64) =
            line.strip_prefix(LINE_START).and_then(|rest| rest.split_once(' ')).ok_or(malformed)?;
        let name = KeyName::new(name).map_err(|_| malformed)?;
        let bytes = base64_decode(base64).map_err(|_| NoteError::Blob { number })?;
        match bytes.split_first_chunk::<4>() {
            Some((key_id, blob)) if bytes.len() >= BLOB_BYTES_MIN => {
                Ok(Self { name, key_id: u32::from_be_bytes(*key_id), blob: blob.to_vec() })
            }
            _ => Err(NoteError::Blob { number }),
        }
    }
}

/// The line without a line feed.
impl fmt::Display for SignatureLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.key_id.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.blob);
        write!(f, "{LINE_START}{} {}", self.name, base64_encode(&bytes))
    }
}

/// A note in its right form. Nobody has checked a signature: see [`Note::open`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: NoteText,
    signatures: Vec<SignatureLine>,
}

impl Note {
    /// A note of these parts.
    ///
    /// # Errors
    /// No signatures, too many, or too long together.
    pub fn new(text: NoteText, signatures: Vec<SignatureLine>) -> Result<Self, NoteError> {
        if signatures.is_empty() {
            return Err(NoteError::SignaturesNotEnded);
        }
        if signatures.len() > SIGNATURES_MAX {
            return Err(NoteError::TooManySignatures);
        }
        let note = Self { text, signatures };
        if note.to_bytes().len() > NOTE_BYTES_MAX { Err(NoteError::TooLong) } else { Ok(note) }
    }

    /// Reads a note. [`Note::to_bytes`] gives the same bytes back.
    ///
    /// # Errors
    /// The rule that the bytes break.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong);
        }
        let whole = core::str::from_utf8(bytes).map_err(|_| NoteError::NotUtf8)?;
        if has_control(whole) {
            return Err(NoteError::Control);
        }
        // A text may have empty lines of its own, signatures cannot: so the last one parts them.
        let (text, signatures) = whole.rsplit_once("\n\n").ok_or(NoteError::NoEmptyLine)?;
        let lines = signatures.strip_suffix('\n').ok_or(NoteError::SignaturesNotEnded)?;
        let mut parsed = Vec::new();
        for (number, line) in (1..).zip(lines.split('\n')) {
            if number > SIGNATURES_MAX {
                return Err(NoteError::TooManySignatures);
            }
            parsed.push(SignatureLine::parse(line, number)?);
        }
        let mut text = text.to_string();
        text.push('\n');
        if text.len() > TEXT_BYTES_MAX {
            return Err(NoteError::TooLong);
        }
        Ok(Self { text: NoteText(text), signatures: parsed })
    }

    /// The text.
    #[must_use]
    pub const fn text(&self) -> &NoteText {
        &self.text
    }

    /// The signature lines, in their order, checked by nobody.
    #[must_use]
    pub fn unverified_signatures(&self) -> &[SignatureLine] {
        &self.signatures
    }

    /// The note as a file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut note = self.text.as_str().to_string();
        note.push('\n');
        for line in &self.signatures {
            note.push_str(&line.to_string());
            note.push('\n');
        }
        note.into_bytes()
    }
}

fn has_control(text: &str) -> bool {
    text.bytes().any(|byte| byte < 0x20 && byte != b'\n')
}
