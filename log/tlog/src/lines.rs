//! Reading the line files that proofs and witness requests are: one line at a time, hashes up to an
//! empty line, and the rest as it came (C2SP tlog-proof, tlog-witness).
//!
//! Not here: notes, whose text and signatures are split from the end ([`crate::note`]).

use alloc::vec::Vec;

use crate::codec::base64_encode_onto;
use crate::hash::Hash;

/// Why a list of hash lines is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashLinesError {
    /// Not 44 characters of canonical base64.
    #[error("hash {number} is not the canonical base64 of 32 bytes")]
    NotAHash {
        /// Which hash, counted from 1.
        number: usize,
    },
    /// More than the form has.
    #[error("more than {hashes_max} hashes")]
    TooMany {
        /// The most that it has.
        hashes_max: usize,
    },
    /// The file ends before the empty line.
    #[error("no empty line after the hashes")]
    NotEnded,
}

/// What is left of a line file.
pub(crate) struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next line, without its line feed; `None` if no line feed is left.
    ///
    /// Every line has a form of ASCII characters. One that is not UTF-8 comes as the replacement
    /// character, which no form allows.
    pub(crate) fn next_line(&mut self) -> Option<&'a str> {
        let end = self.rest.iter().position(|byte| *byte == b'\n')?;
        let (line, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest.split_first()?.1;
        Some(core::str::from_utf8(line).unwrap_or("\u{fffd}"))
    }

    /// The hash lines up to and with the empty line that ends them.
    pub(crate) fn hashes(&mut self, hashes_max: usize) -> Result<Vec<Hash>, HashLinesError> {
        let mut hashes = Vec::new();
        loop {
            match self.next_line() {
                None => return Err(HashLinesError::NotEnded),
                Some("") => return Ok(hashes),
                Some(_) if hashes.len() == hashes_max => return Err(HashLinesError::TooMany { hashes_max }),
                Some(line) => {
                    let number = hashes.len().saturating_add(1);
                    hashes.push(Hash::from_base64(line).map_err(|_| HashLinesError::NotAHash { number })?);
                }
            }
        }
    }

    /// All that no line was taken from.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.rest
    }
}

/// Writes hash lines and the empty line that ends them.
pub(crate) fn write_hashes(out: &mut Vec<u8>, hashes: &[Hash]) {
    for hash in hashes {
        base64_encode_onto(out, hash.as_bytes());
        out.push(b'\n');
    }
    out.push(b'\n');
}
