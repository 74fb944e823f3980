//! The Ed25519 signer of notes (C2SP signed-note, type 0x01). Deterministic, so pure.
//!
//! Not here: where seeds come from and are kept, and the guard that decides what a log key may sign.

use core::fmt;

use ed25519_dalek::{Signer as _, SigningKey};

use super::{ALGORITHM_ED25519, KeyName, NoteText, SignatureLine, VerifierKey, VerifierKeyError};

/// A named Ed25519 key that signs. Its seed is wiped from memory when it is dropped.
pub struct NoteSigner {
    key: SigningKey,
    verifier: VerifierKey,
}

impl NoteSigner {
    /// A signer from its 32-byte seed (RFC 8032, section 5.1.5). The caller wipes its own copy.
    ///
    /// # Errors
    /// The public key is one that nobody should trust; no seed is known that leads there.
    pub fn from_seed(name: KeyName, seed: &[u8; 32]) -> Result<Self, VerifierKeyError> {
        let key = SigningKey::from_bytes(seed);
        let verifier = VerifierKey::new(name, ALGORITHM_ED25519, key.verifying_key().as_bytes())?;
        Ok(Self { key, verifier })
    }

    /// The key that verifies what this one signs.
    #[must_use]
    pub const fn verifier_key(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Signs a text. The same text always gives the same line.
    #[must_use]
    pub fn sign(&self, text: &NoteText) -> SignatureLine {
        let signature = self.key.sign(text.as_str().as_bytes());
        SignatureLine {
            name: self.verifier.name().clone(),
            key_id: self.verifier.key_id(),
            blob: signature.to_bytes().to_vec(),
        }
    }
}

/// The name and the public key, never the seed.
impl fmt::Debug for NoteSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NoteSigner({})", self.verifier)
    }
}
