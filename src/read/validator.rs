//! The validator of an answer (RFC 9110 section 8.8.3): the hash of its bytes.
//!
//! So it needs no knowledge of what it validates and cannot be wrong. It is weak, because the same answer may
//! go out compressed.

use axum::http::HeaderValue;
use undersigned_tlog::hash::sha256;

/// Digits of the hash in a validator: 128 bits.
const DIGITS: usize = 32;

/// The `ETag` of an answer of these bytes.
#[must_use]
pub fn validator(bytes: &[u8]) -> HeaderValue {
    let hash = sha256(&[bytes]).to_hex();
    let text = format!("W/\"{}\"", hash.get(..DIGITS).unwrap_or(&hash));
    HeaderValue::from_str(&text).expect("hexadecimal digits are visible ASCII")
}
