//! The three encodings that the formats share, each with exactly one text for each value.
//!
//! Base64 is RFC 4648 section 4 with padding and zero pad bits; hex is lower case; decimals have no
//! sign and no leading zeros. Everything else is refused, so that equal values are equal bytes.

use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Why a text is not the canonical encoding of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not padded base64 with zero pad bits (RFC 4648 section 4).
    #[error("not canonical base64")]
    Base64,
    /// Not an even number of lower-case hex digits.
    #[error("not lower-case hex")]
    Hex,
    /// Not a decimal without sign or leading zeros that fits into 64 bits.
    #[error("not a canonical decimal")]
    Decimal,
    /// The right alphabet, the wrong number of bytes.
    #[error("{found} bytes where {expected} belong")]
    Length {
        /// The number of bytes the value has.
        expected: usize,
        /// The number of bytes that came.
        found: usize,
    },
}

/// Encodes as padded base64.
#[must_use]
pub fn base64_encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Decodes canonical, padded base64.
///
/// # Errors
/// [`DecodeError::Base64`] for anything but the one encoding of the value.
pub fn base64_decode(text: &str) -> Result<Vec<u8>, DecodeError> {
    STANDARD.decode(text).map_err(|_| DecodeError::Base64)
}

/// Encodes as lower-case hex.
#[must_use]
pub fn hex_encode(bytes: &[u8]) -> String {
    hex::encode(bytes)
}

/// Decodes lower-case hex.
///
/// # Errors
/// [`DecodeError::Hex`] for upper case, other characters or an odd length.
pub fn hex_decode(text: &str) -> Result<Vec<u8>, DecodeError> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(DecodeError::Hex);
    }
    hex::decode(text).map_err(|_| DecodeError::Hex)
}

/// Decodes lower-case hex of exactly `N` bytes.
///
/// # Errors
/// As [`hex_decode`], or another length.
pub fn hex_decode_array<const N: usize>(text: &str) -> Result<[u8; N], DecodeError> {
    let bytes = hex_decode(text)?;
    <[u8; N]>::try_from(bytes.as_slice()).map_err(|_| DecodeError::Length { expected: N, found: bytes.len() })
}

/// Reads a decimal without sign and leading zeros.
///
/// # Errors
/// [`DecodeError::Decimal`] for anything else, and for values past 2^64-1.
pub fn decimal(text: &str) -> Result<u64, DecodeError> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if canonical { text.parse().map_err(|_| DecodeError::Decimal) } else { Err(DecodeError::Decimal) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_has_one_base64() {
        assert_eq!(base64_decode("AAE=").as_deref(), Ok(&[0u8, 1][..]));
        for other in ["AAE", "AAF=", "AAE= ", "AA\nE=", "A-E="] {
            assert_eq!(base64_decode(other), Err(DecodeError::Base64), "{other}");
        }
    }

    #[test]
    fn each_value_has_one_hex() {
        assert_eq!(hex_decode("0aff").as_deref(), Ok(&[10u8, 255][..]));
        for other in ["0aF0", "0a f", "abc", "0x00"] {
            assert_eq!(hex_decode(other), Err(DecodeError::Hex), "{other}");
        }
    }

    #[test]
    fn each_value_has_one_decimal() {
        assert_eq!(decimal("0"), Ok(0));
        assert_eq!(decimal("18446744073709551615"), Ok(u64::MAX));
        for other in ["", "00", "01", "+1", "-1", " 1", "1 ", "18446744073709551616", "1e3"] {
            assert_eq!(decimal(other), Err(DecodeError::Decimal), "{other}");
        }
    }
}
