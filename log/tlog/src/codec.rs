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

/// Room for what [`base64_decode_array`] decodes without asking for memory: a signature has 64 bytes, and its
/// text 88.
const ARRAY_ROOM_BYTES: usize = 96;

/// Encodes as padded base64.
#[must_use]
pub fn base64_encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Writes padded base64 behind what is there.
pub fn base64_encode_onto(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    // Four characters for each three bytes begun.
    out.resize(start.saturating_add(bytes.len().div_ceil(3).saturating_mul(4)), 0);
    let room = out.get_mut(start..).unwrap_or_default();
    let written = STANDARD.encode_slice(bytes, room);
    debug_assert_eq!(written.ok(), Some(room.len()), "the room is that of the encoding");
}

/// Decodes canonical, padded base64.
///
/// # Errors
/// [`DecodeError::Base64`] for anything but the one encoding of the value.
pub fn base64_decode(text: &str) -> Result<Vec<u8>, DecodeError> {
    STANDARD.decode(text).map_err(|_| DecodeError::Base64)
}

/// Decodes canonical, padded base64 of exactly `N` bytes.
///
/// # Errors
/// As [`base64_decode`], or another length.
pub fn base64_decode_array<const N: usize>(text: &str) -> Result<[u8; N], DecodeError> {
    const { assert!(N < ARRAY_ROOM_BYTES, "there is room for what is asked for") };
    let mut room = [0; ARRAY_ROOM_BYTES];
    let found = if text.len() <= ARRAY_ROOM_BYTES {
        STANDARD.decode_slice(text, &mut room).map_err(|_| DecodeError::Base64)?
    } else {
        base64_decode(text)?.len()
    };
    let bytes = room.get(..found).and_then(|bytes| <[u8; N]>::try_from(bytes).ok());
    bytes.ok_or(DecodeError::Length { expected: N, found })
}

/// Encodes as lower-case hex.
#[must_use]
pub fn hex_encode(bytes: &[u8]) -> String {
    hex::encode(bytes)
}

/// Writes lower-case hex behind what is there.
pub fn hex_encode_onto(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start.saturating_add(bytes.len().saturating_mul(2)), 0);
    let written = hex::encode_to_slice(bytes, out.get_mut(start..).unwrap_or_default());
    debug_assert!(written.is_ok(), "the room is that of the encoding");
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
    if text.len() != N.saturating_mul(2) {
        return Err(DecodeError::Length { expected: N, found: hex_decode(text)?.len() });
    }
    let mut bytes = [0; N];
    let mut are_digits = true;
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().as_chunks::<2>().0) {
        let [high, low] = pair.map(nibble);
        are_digits &= high < 16 && low < 16;
        *byte = high << 4 | low;
    }
    if are_digits { Ok(bytes) } else { Err(DecodeError::Hex) }
}

/// The value of a lower-case hex digit; 16 and more for anything else.
const fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => u8::MAX,
    }
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
    fn what_has_a_length_is_read_in_place() {
        assert_eq!(base64_decode_array("AAE="), Ok([0, 1]));
        assert_eq!(base64_decode_array::<2>("AAF="), Err(DecodeError::Base64));
        assert_eq!(base64_decode_array::<3>("AAE="), Err(DecodeError::Length { expected: 3, found: 2 }));
        assert_eq!(base64_decode_array::<1>("AAE="), Err(DecodeError::Length { expected: 1, found: 2 }));
        let long = base64_encode(&[7; ARRAY_ROOM_BYTES]);
        let length = DecodeError::Length { expected: 2, found: ARRAY_ROOM_BYTES };
        assert_eq!(base64_decode_array::<2>(&long), Err(length));
        assert_eq!(hex_decode_array("0aff"), Ok([10, 255]));
        for other in ["0aF0", "0a f", "0x00", "0a\u{e9}"] {
            assert_eq!(hex_decode_array::<2>(other), Err(DecodeError::Hex), "{other}");
        }
        assert_eq!(hex_decode_array::<2>("0affff"), Err(DecodeError::Length { expected: 2, found: 3 }));
        assert_eq!(hex_decode_array::<2>("0aF"), Err(DecodeError::Hex));
    }

    #[test]
    fn what_is_written_behind_is_the_same_as_alone() {
        for length in 0..100u8 {
            let bytes: Vec<u8> = (0..length).collect();
            let (mut base64, mut hex) = (b"before ".to_vec(), b"before ".to_vec());
            base64_encode_onto(&mut base64, &bytes);
            hex_encode_onto(&mut hex, &bytes);
            assert_eq!(base64.strip_prefix(b"before "), Some(base64_encode(&bytes).as_bytes()));
            assert_eq!(hex.strip_prefix(b"before "), Some(hex_encode(&bytes).as_bytes()));
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
