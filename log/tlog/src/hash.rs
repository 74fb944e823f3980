//! SHA-256 and the Merkle tree hashes of RFC 6962, section 2.1.
//!
//! All hashing of the project goes through this module, so that the crate behind it has one seat.

use alloc::string::String;
use core::fmt;

use sha2::{Digest, Sha256};

use crate::codec::{self, DecodeError};

/// The length of every hash in bytes.
pub const HASH_BYTES: usize = 32;

/// A SHA-256 value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; HASH_BYTES]);

impl Hash {
    /// A hash from its 32 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; HASH_BYTES]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; HASH_BYTES] {
        &self.0
    }

    /// Reads exactly 32 bytes.
    ///
    /// # Errors
    /// The slice has another length.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, DecodeError> {
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| DecodeError::Length { expected: HASH_BYTES, found: bytes.len() })
    }

    /// Reads 64 lower-case hex digits.
    ///
    /// # Errors
    /// Upper case, another character, or another length.
    pub fn from_hex(text: &str) -> Result<Self, DecodeError> {
        codec::hex_decode_array(text).map(Self)
    }

    /// 64 lower-case hex digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        codec::hex_encode(&self.0)
    }

    /// Reads the 44 characters of canonical, padded base64 (RFC 4648 section 4).
    ///
    /// # Errors
    /// Not canonical base64, or not 32 bytes.
    pub fn from_base64(text: &str) -> Result<Self, DecodeError> {
        codec::base64_decode_array(text).map(Self)
    }

    /// 44 characters of padded base64 (RFC 4648 section 4).
    #[must_use]
    pub fn to_base64(&self) -> String {
        codec::base64_encode(&self.0)
    }
}

impl AsRef<[u8]> for Hash {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

/// Lower-case hex, as in [`Hash::to_hex`].
impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// SHA-256 of the concatenation of `parts`.
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> Hash {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part);
    }
    Hash(digest.finalize().into())
}

/// The hash of a leaf: SHA-256(0x00 || entry).
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    sha256(&[&[0x00], entry])
}

/// The hash of an inner node: SHA-256(0x01 || left || right).
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[0x01], &left.0, &right.0])
}

/// The root of the tree without leaves: SHA-256 of nothing.
#[must_use]
pub fn empty_root() -> Hash {
    sha256(&[])
}
