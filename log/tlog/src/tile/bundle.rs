//! Entry bundles: each entry behind its length in two big-endian bytes (C2SP tlog-tiles, "Log Entries").
//!
//! ```text
//! +-----------+-------------+-----------+-------------+
//! | u16 BE n  | n bytes     | u16 BE m  | m bytes     | ...
//! +-----------+-------------+-----------+-------------+
//! ```
//!
//! A bundle has 1 to 256 entries. [`BundleReader`] reads a longer run in the same encoding too.
//! Not here: compression, and whether the entries are those of the tree (compare leaf hashes).

use alloc::vec::Vec;

use super::TILE_WIDTH;

/// The longest entry in bytes: what two length bytes can say.
pub const ENTRY_BYTES_MAX: usize = 65_535;

/// An entry is longer than [`ENTRY_BYTES_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an entry of {bytes} bytes, the most is {ENTRY_BYTES_MAX}")]
pub struct EntryTooLarge {
    /// The length of the entry.
    pub bytes: usize,
}

/// Why bytes are no bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The bytes end inside a length or an entry.
    #[error("the bytes end inside entry {entry}")]
    Truncated {
        /// Which entry, counted from zero.
        entry: u64,
    },
    /// A bundle has at least one entry.
    #[error("no entries")]
    Empty,
    /// A bundle has at most 256 entries.
    #[error("more than {TILE_WIDTH} entries")]
    TooMany,
}

/// Appends one entry to a bundle.
///
/// # Errors
/// The entry is longer than [`ENTRY_BYTES_MAX`]; the bundle is unchanged.
pub fn bundle_append(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), EntryTooLarge> {
    let length = u16::try_from(entry.len()).map_err(|_| EntryTooLarge { bytes: entry.len() })?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// Reading whole bundles.
pub struct Bundle;

impl Bundle {
    /// The 1 to 256 entries of a bundle, which must end with its last entry.
    ///
    /// # Errors
    /// No entries, too many, or bytes that end inside one.
    pub fn parse(bytes: &[u8]) -> Result<Vec<&[u8]>, BundleError> {
        let mut entries = Vec::new();
        for entry in BundleReader::new(bytes) {
            if u64::try_from(entries.len()) == Ok(TILE_WIDTH) {
                return Err(BundleError::TooMany);
            }
            entries.push(entry?);
        }
        if entries.is_empty() { Err(BundleError::Empty) } else { Ok(entries) }
    }
}

/// Reads a run of entries of any length, one by one; it ends after the last entry or the first error.
#[derive(Debug, Clone)]
pub struct BundleReader<'a> {
    rest: &'a [u8],
    entry: u64,
}

impl<'a> BundleReader<'a> {
    /// Reads these bytes from their beginning.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, entry: 0 }
    }
}

impl<'a> Iterator for BundleReader<'a> {
    type Item = Result<&'a [u8], BundleError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let split = self
            .rest
            .split_first_chunk::<2>()
            .and_then(|(length, rest)| rest.split_at_checked(usize::from(u16::from_be_bytes(*length))));
        let Some((entry, rest)) = split else {
            self.rest = &[];
            return Some(Err(BundleError::Truncated { entry: self.entry }));
        };
        self.rest = rest;
        self.entry = self.entry.saturating_add(1);
        Some(Ok(entry))
    }
}
