//! Verifier keys, `<name>+<key id>+<base64 of type and key>` (C2SP signed-note, "Verifier keys").
//!
//! Keys of every type are read, so that a policy can name them; plain Ed25519 alone is checked here.
//! A key that cannot be checked verifies nothing. Ed25519 keys of small order or in a second encoding
//! are refused when they are read, and every check is `verify_strict`.

use alloc::vec::Vec;
use core::fmt;

use ed25519_dalek::{Signature, VerifyingKey};

use super::{KeyName, NoteText};
use crate::codec::{base64_decode, base64_encode, hex_decode_array};
use crate::hash::sha256;

/// Ed25519 over the text of the note.
pub const ALGORITHM_ED25519: u8 = 0x01;
/// ECDSA, whose key id is a hash of the key alone.
pub const ALGORITHM_ECDSA: u8 = 0x02;
/// Ed25519 cosignature with a time (C2SP tlog-cosignature).
pub const ALGORITHM_ED25519_COSIGNATURE: u8 = 0x04;
/// ML-DSA-44 with a time (C2SP tlog-cosignature).
pub const ALGORITHM_ML_DSA_44: u8 = 0x06;

/// The longest verifier key in bytes: far above an ML-DSA-44 key (1,752 of base64) and its name.
const KEY_TEXT_BYTES_MAX: usize = 16 * 1024;
const ED25519_KEY_BYTES: usize = 32;
const ML_DSA_44_KEY_BYTES: usize = 1312;

/// Why a text is no verifier key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifierKeyError {
    /// Longer than any key.
    #[error("the verifier key is too long")]
    TooLong,
    /// Not three parts with a plus sign between them.
    #[error("not <name>+<key id>+<base64 key>")]
    Form,
    /// The name is not a key name.
    #[error("the name of the verifier key is not a key name")]
    Name(#[source] super::NameError),
    /// The id is not 8 lower-case hex digits.
    #[error("the key id is not 8 lower-case hex digits")]
    KeyIdForm,
    /// The key is not the canonical base64 of a type byte and a key.
    #[error("the key is not the canonical base64 of a type byte and a key")]
    Base64,
    /// A type whose keys have another length.
    #[error("a key of type {algorithm:#04x} has {expected} bytes, not {found}")]
    KeyLength {
        /// The type byte.
        algorithm: u8,
        /// The length of such keys in bytes.
        expected: usize,
        /// The length that came.
        found: usize,
    },
    /// The id is not the one that name, type and key have.
    #[error("the key id is {found:08x}, but name and key give {expected:08x}")]
    KeyId {
        /// The id that name, type and key have.
        expected: u32,
        /// The id in the text.
        found: u32,
    },
    /// Not a point of the curve, or not in its one encoding.
    #[error("the Ed25519 key is not the canonical encoding of a point of the curve")]
    NotCanonical,
    /// A point of small order: a signature by it proves nothing.
    #[error("the Ed25519 key is of small order, so its signatures prove nothing")]
    Weak,
}

/// Why a signature is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Keys of this type are read but cannot be checked here.
    #[error("signatures of key type {algorithm:#04x} cannot be checked")]
    Unsupported {
        /// The type byte.
        algorithm: u8,
    },
    /// Not a signature by this key over this text.
    #[error("the signature is not one by this key over this text")]
    Signature,
}

/// A named public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: KeyName,
    key_id: u32,
    algorithm: u8,
    key: Vec<u8>,
    /// Present for the one type that can be checked.
    ed25519: Option<VerifyingKey>,
}

impl VerifierKey {
    /// A key of these parts.
    ///
    /// # Errors
    /// The key has the wrong length for its type, or is one that proves nothing.
    pub fn new(name: KeyName, algorithm: u8, key: &[u8]) -> Result<Self, VerifierKeyError> {
        let length = |expected| {
            let found = key.len();
            if found == expected {
                Ok(())
            } else {
                Err(VerifierKeyError::KeyLength { algorithm, expected, found })
            }
        };
        let mut ed25519 = None;
        match algorithm {
            ALGORITHM_ED25519 | ALGORITHM_ED25519_COSIGNATURE => {
                length(ED25519_KEY_BYTES)?;
                let point = ed25519_key(key)?;
                ed25519 = (algorithm == ALGORITHM_ED25519).then_some(point);
            }
            ALGORITHM_ML_DSA_44 => length(ML_DSA_44_KEY_BYTES)?,
            _ if key.is_empty() => return Err(VerifierKeyError::Base64),
            _ => {}
        }
        let key_id = key_id(&name, algorithm, key);
        Ok(Self { name, key_id, algorithm, key: key.to_vec(), ed25519 })
    }

    /// Reads a verifier key. Its `Display` gives the same text back.
    ///
    /// # Errors
    /// The rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, VerifierKeyError> {
        if text.len() > KEY_TEXT_BYTES_MAX {
            return Err(VerifierKeyError::TooLong);
        }
        // Base64 contains plus signs, names and ids do not: so the first two part the fields.
        let (name, rest) = text.split_once('+').ok_or(VerifierKeyError::Form)?;
        let (id, base64) = rest.split_once('+').ok_or(VerifierKeyError::Form)?;
        let name = KeyName::new(name).map_err(VerifierKeyError::Name)?;
        let found = hex_decode_array(id).map(u32::from_be_bytes).map_err(|_| VerifierKeyError::KeyIdForm)?;
        let bytes = base64_decode(base64).map_err(|_| VerifierKeyError::Base64)?;
        let (algorithm, key) = bytes.split_first().ok_or(VerifierKeyError::Base64)?;
        let expected = key_id(&name, *algorithm, key);
        if found != expected {
            return Err(VerifierKeyError::KeyId { expected, found });
        }
        Self::new(name, *algorithm, key)
    }

    /// The name; for a log's key the log's origin.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// The first four bytes of a hash of name, type and key. It finds a key, it does not secure one.
    #[must_use]
    pub const fn key_id(&self) -> u32 {
        self.key_id
    }

    /// The type byte.
    #[must_use]
    pub const fn algorithm(&self) -> u8 {
        self.algorithm
    }

    /// The public key without its type byte.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// Whether signatures of this type can be checked here.
    #[must_use]
    pub const fn can_verify(&self) -> bool {
        self.ed25519.is_some()
    }

    /// Checks what follows the key id in a signature line.
    ///
    /// # Errors
    /// A type that cannot be checked, or not a signature by this key over this text.
    pub fn verify(&self, text: &NoteText, blob: &[u8]) -> Result<(), VerifyError> {
        let unsupported = VerifyError::Unsupported { algorithm: self.algorithm };
        let key = self.ed25519.as_ref().ok_or(unsupported)?;
        let signature = Signature::from_slice(blob).map_err(|_| VerifyError::Signature)?;
        key.verify_strict(text.as_str().as_bytes(), &signature).map_err(|_| VerifyError::Signature)
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::from([self.algorithm]);
        bytes.extend_from_slice(&self.key);
        write!(f, "{}+{:08x}+{}", self.name, self.key_id, base64_encode(&bytes))
    }
}

/// SHA-256(name || LF || type || key), for ECDSA SHA-256(key); the first four bytes, big-endian.
fn key_id(name: &KeyName, algorithm: u8, key: &[u8]) -> u32 {
    let hash = if algorithm == ALGORITHM_ECDSA {
        sha256(&[key])
    } else {
        sha256(&[name.as_str().as_bytes(), b"\n", &[algorithm], key])
    };
    let [a, b, c, d, ..] = *hash.as_bytes();
    u32::from_be_bytes([a, b, c, d])
}

fn ed25519_key(key: &[u8]) -> Result<VerifyingKey, VerifierKeyError> {
    let point = VerifyingKey::try_from(key).map_err(|_| VerifierKeyError::NotCanonical)?;
    if point.to_edwards().compress().as_bytes() != key {
        return Err(VerifierKeyError::NotCanonical);
    }
    if point.is_weak() { Err(VerifierKeyError::Weak) } else { Ok(point) }
}
