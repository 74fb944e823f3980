//! Keys: their types, roles and ids, which of them may be registered, and the one rule for a signature.
//!
//! Follows `docs/spec/entry.md`, rules EN-30 to EN-39. Every Ed25519 check of the project is
//! `verify_strict`; a batch check accepts signatures that the strict one refuses and is banned.

use core::fmt;

use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use ed25519_dalek::{Signature, VerifyingKey};
use ssh_key::{HashAlg, SshSig};
use undersigned_tlog::hash::sha256;

use crate::id::KeyId;

/// The namespace of every OpenSSH signature over an event (`ssh-keygen -Y sign -n undersigned`).
pub const SSHSIG_NAMESPACE: &str = "undersigned";

/// The length of a raw Ed25519 public key in bytes.
pub const PUBLIC_KEY_BYTES: usize = 32;

/// The length of an Ed25519 signature in bytes.
pub const SIGNATURE_BYTES: usize = 64;

/// What kind of key a key id hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// Ed25519, 32 raw bytes (RFC 8032).
    Ed25519,
}

impl KeyType {
    /// The literal string of the format.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        (name == "ed25519").then_some(Self::Ed25519)
    }
}

/// What a key may do; a higher role may do what a lower one may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// May endorse and withdraw.
    Sign,
    /// May also act for the party: keys, statements, policy.
    Admin,
    /// May also add and end recovery keys. Kept offline.
    Recovery,
}

impl Role {
    /// The literal string of the format.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sign => "sign",
            Self::Admin => "admin",
            Self::Recovery => "recovery",
        }
    }

    /// Reads the literal string of the format.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Sign, Self::Admin, Self::Recovery].into_iter().find(|role| role.name() == name)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a key signed the signable bytes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Ed25519 over the signable bytes.
    Ed25519,
    /// OpenSSH's signature format with the namespace `undersigned` and this message hash.
    SshSig(SshHash),
}

/// The message hash inside an OpenSSH signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SshHash {
    /// SHA-256.
    Sha256,
    /// SHA-512, the default of `ssh-keygen`.
    Sha512,
}

impl SshHash {
    /// The literal string of the format.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Sha256, Self::Sha512].into_iter().find(|hash| hash.name() == name)
    }
}

impl Method {
    /// The literal string of the format.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::SshSig(_) => "sshsig",
        }
    }

    /// The key type whose id a proof of this method must give (rule EN-33).
    #[must_use]
    pub const fn key_type(self) -> KeyType {
        match self {
            Self::Ed25519 | Self::SshSig(_) => KeyType::Ed25519,
        }
    }
}

/// Why a public key is refused (rules EN-34 to EN-36).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefusal {
    /// EN-34: not a point of the curve.
    #[error("the public key is not a point of the curve")]
    NotAPoint,
    /// EN-34: a second encoding of some point.
    #[error("the public key is not in its canonical encoding")]
    NotCanonical,
    /// EN-35: a point of small order: a signature by it proves nothing.
    #[error("the public key is a point of small order, which signs any message")]
    Weak,
    /// EN-36: a point with a torsion part, on which verifiers disagree.
    #[error("the public key has a torsion component, on which verifiers disagree")]
    Torsion,
}

impl KeyRefusal {
    /// The stable code of the rule.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotAPoint => "key-not-a-point",
            Self::NotCanonical => "key-not-canonical",
            Self::Weak => "key-weak",
            Self::Torsion => "key-torsion",
        }
    }
}

/// The id of a key: SHA-256(type || LF || raw public key) (rule EN-23).
#[must_use]
pub fn key_id(key_type: KeyType, public_key: &[u8; PUBLIC_KEY_BYTES]) -> KeyId {
    KeyId(sha256(&[key_type.name().as_bytes(), b"\n", public_key]))
}

/// Reads a public key for a signature check; cheap refusals only.
///
/// # Errors
/// Not a point, not canonical, or of small order.
pub fn verifying_key(public_key: &[u8; PUBLIC_KEY_BYTES]) -> Result<VerifyingKey, KeyRefusal> {
    let key = VerifyingKey::from_bytes(public_key).map_err(|_| KeyRefusal::NotAPoint)?;
    if !is_canonical(public_key) {
        return Err(KeyRefusal::NotCanonical);
    }
    if key.is_weak() {
        return Err(KeyRefusal::Weak);
    }
    Ok(key)
}

/// Whether the bytes of a point are its one encoding (RFC 8032, section 5.1.3): y is smaller than
/// p = 2^255 - 19, and the point with x = 0 has no sign. Encoding the point again would tell as well, and
/// costs an inversion.
fn is_canonical(point: &[u8; PUBLIC_KEY_BYTES]) -> bool {
    let [low, middle @ .., high] = point;
    let (y_high, has_sign) = (high & 0x7f, high & 0x80 != 0);
    let is_past_p = y_high == 0x7f && middle.iter().all(|byte| *byte == 0xff) && *low >= 0xed;
    // x is 0 where y is 1 or p - 1.
    let is_one = y_high == 0 && middle.iter().all(|byte| *byte == 0) && *low == 1;
    let is_minus_one = y_high == 0x7f && middle.iter().all(|byte| *byte == 0xff) && *low == 0xec;
    !(is_past_p || has_sign && (is_one || is_minus_one))
}

/// Checks a public key that is about to be registered: one encoding, no torsion, so that every
/// verifier of the field agrees about its signatures.
///
/// # Errors
/// The rule that the key breaks.
pub fn registrable(public_key: &[u8; PUBLIC_KEY_BYTES]) -> Result<VerifyingKey, KeyRefusal> {
    let key = verifying_key(public_key)?;
    if is_torsion_free(&key.to_edwards()) { Ok(key) } else { Err(KeyRefusal::Torsion) }
}

/// Whether a point has no torsion part: (L - 1) P = -P exactly where L P = 0, with L the order of the base
/// point. The time it takes may tell the point, which is public; a check that hides it takes a quarter more.
fn is_torsion_free(point: &EdwardsPoint) -> bool {
    let (minus_one, none_of_the_base) = (-Scalar::ONE, Scalar::ZERO);
    EdwardsPoint::vartime_double_scalar_mul_basepoint(&minus_one, point, &none_of_the_base) == -*point
}

/// The bytes that a key signs under a method, made from the signable bytes of an event (rule EN-39).
///
/// For [`Method::Ed25519`] they are the same; for [`Method::SshSig`] they are OpenSSH's envelope of
/// their hash (`PROTOCOL.sshsig`).
#[must_use]
pub fn signed_bytes(method: Method, signable: &[u8]) -> alloc::vec::Vec<u8> {
    let hash = match method {
        Method::Ed25519 => return signable.to_vec(),
        Method::SshSig(SshHash::Sha256) => HashAlg::Sha256,
        Method::SshSig(SshHash::Sha512) => HashAlg::Sha512,
    };
    // The one error is an empty namespace, and ours is a constant; `verifies` refuses an empty message.
    SshSig::signed_data(SSHSIG_NAMESPACE, hash, signable).unwrap_or_default()
}

/// Checks one signature over the signable bytes of an event, strictly (rule EN-37).
#[must_use]
pub fn verifies(
    method: Method,
    key: &VerifyingKey,
    signable: &[u8],
    signature: &[u8; SIGNATURE_BYTES],
) -> bool {
    let signature = Signature::from_bytes(signature);
    match method {
        Method::Ed25519 => key.verify_strict(signable, &signature).is_ok(),
        Method::SshSig(_) => {
            let signed = signed_bytes(method, signable);
            !signed.is_empty() && key.verify_strict(&signed, &signature).is_ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};

    use super::*;

    #[test]
    fn torsion_is_found_in_every_class_and_nowhere_else() {
        for number in 0..50_u32 {
            let hash = sha256(&[&number.to_be_bytes()]);
            let scalar = Scalar::from_bytes_mod_order(*hash.as_bytes());
            // The first is the point zero, which has no torsion either.
            let clean = if number == 0 { EdwardsPoint::default() } else { ED25519_BASEPOINT_POINT * scalar };
            for torsion in EIGHT_TORSION {
                let point = clean + torsion;
                assert_eq!(is_torsion_free(&point), point.is_torsion_free(), "{number}");
                assert_eq!(is_torsion_free(&point), torsion == EdwardsPoint::default(), "{number}");
            }
        }
    }

    /// The one encoding is what encoding the point again gives.
    fn check(bytes: [u8; PUBLIC_KEY_BYTES]) {
        if let Ok(key) = VerifyingKey::from_bytes(&bytes) {
            assert_eq!(is_canonical(&bytes), key.to_edwards().compress().0 == bytes, "{bytes:?}");
        }
    }

    #[test]
    fn one_encoding_is_told_from_another_without_making_it() {
        // Around 0 and around p, where the second encodings lie, with and without the sign.
        for low in 0..=u8::MAX {
            for (middle, high) in [(0, 0), (0, 0x80), (0xff, 0x7f), (0xff, 0xff), (0, 0x7f), (0xff, 0)] {
                let mut bytes = [middle; PUBLIC_KEY_BYTES];
                bytes[0] = low;
                bytes[PUBLIC_KEY_BYTES - 1] = high;
                check(bytes);
            }
        }
        for number in 0..200_u32 {
            check(*sha256(&[&number.to_be_bytes()]).as_bytes());
        }
    }
}
