//! The log itself, as files: checkpoint, tiles, entry bundles, blobs (C2SP tlog-tiles).
//!
//! A mirror or any web server with a copy answers these as well. Nothing is checked but form and length;
//! only a blob is compared with its hash, since its name is all there is to check it with.

use undersigned_registry::entry::ENTRY_BYTES_MAX;
use undersigned_tlog::hash::{HASH_BYTES, Hash, sha256};
use undersigned_tlog::note::NOTE_BYTES_MAX;
use undersigned_tlog::tile::{BundleReader, TilePath, Width};

use crate::transport::Found;
use crate::{Client, ClientError};

/// The most hashes of a tile and entries of a bundle.
pub(crate) const ITEMS_MAX: usize = 256;

/// The longest checkpoint file.
pub const CHECKPOINT_BYTES_MAX: usize = NOTE_BYTES_MAX;

/// The longest tile: 256 hashes of 32 bytes.
pub const TILE_BYTES_MAX: usize = ITEMS_MAX * HASH_BYTES;

/// The longest entry bundle: 256 entries of at most 32 KiB, each behind two bytes: 8 MiB and 512 bytes.
pub const BUNDLE_BYTES_MAX: usize = ITEMS_MAX * (2 + ENTRY_BYTES_MAX);

/// The longest blob: what one submission may carry in all.
pub const BLOB_BYTES_MAX: usize = 2 * 1024 * 1024;

/// The longest file: a bundle.
pub const FILE_BYTES_MAX: usize = BUNDLE_BYTES_MAX;

impl Client {
    /// The bytes at any path under the address; `None` if there is nothing (404).
    ///
    /// # Errors
    /// Anything else than an answer of at most [`FILE_BYTES_MAX`] bytes.
    pub fn get_bytes(&self, path: &str) -> Result<Option<Vec<u8>>, ClientError> {
        self.file(path, FILE_BYTES_MAX)
    }

    /// The published checkpoint, byte for byte. Unverified.
    ///
    /// # Errors
    /// [`ClientError::Answer`] if there is none: then no log is served there.
    pub fn checkpoint(&self) -> Result<Vec<u8>, ClientError> {
        self.file("checkpoint", CHECKPOINT_BYTES_MAX)?
            .ok_or_else(|| ClientError::answer(format!("there is no checkpoint under {}", self.base_url())))
    }

    /// A tile of hashes or a bundle of entries, of exactly the width asked for. A partial one that is gone
    /// is cut from the full one. `None` if there is neither. Unverified.
    ///
    /// # Errors
    /// Something else stands there, or no answer came.
    pub fn tile(&self, path: &TilePath) -> Result<Option<Vec<u8>>, ClientError> {
        let (width, full, bytes_max) = match *path {
            TilePath::Hashes { coordinate, width } => {
                (width, TilePath::Hashes { coordinate, width: Width::FULL }, TILE_BYTES_MAX)
            }
            TilePath::Entries { index, width } => {
                (width, TilePath::Entries { index, width: Width::FULL }, BUNDLE_BYTES_MAX)
            }
        };
        let shorter = || ClientError::answer(format!("{path} has fewer than {width} items or is cut off"));
        if let Some(bytes) = self.file(&path.to_string(), bytes_max)? {
            let end = end_of(path, &bytes, width).ok_or_else(shorter)?;
            if end != bytes.len() {
                return Err(ClientError::answer(format!("{path} has more than {width} items")));
            }
            return Ok(Some(bytes));
        }
        if width.is_full() {
            return Ok(None);
        }
        let Some(mut bytes) = self.file(&full.to_string(), bytes_max)? else { return Ok(None) };
        let end = end_of(path, &bytes, width).ok_or_else(shorter)?;
        bytes.truncate(end);
        Ok(Some(bytes))
    }

    /// An entry bundle, as [`Client::tile`].
    ///
    /// # Errors
    /// As [`Client::tile`].
    pub fn bundle(&self, index: u64, width: Width) -> Result<Option<Vec<u8>>, ClientError> {
        self.tile(&TilePath::Entries { index, width })
    }

    /// A blob by its SHA-256; `None` if it was erased or never there. Its bytes are those that the hash
    /// names.
    ///
    /// # Errors
    /// Other bytes stand there, or no answer came.
    pub fn blob(&self, sha256_of_blob: &Hash) -> Result<Option<Vec<u8>>, ClientError> {
        let hex = sha256_of_blob.to_hex();
        let (first, rest) = hex.split_at_checked(2).unwrap_or_default();
        let (second, _) = rest.split_at_checked(2).unwrap_or_default();
        let path = format!("blobs/{first}/{second}/{hex}");
        let bytes = self.file(&path, BLOB_BYTES_MAX)?;
        if bytes.as_ref().is_some_and(|bytes| sha256(&[bytes]) != *sha256_of_blob) {
            return Err(ClientError::answer(format!("{path} is damaged or forged: its hash is another")));
        }
        Ok(bytes)
    }

    fn file(&self, path: &str, bytes_max: usize) -> Result<Option<Vec<u8>>, ClientError> {
        Ok(match self.get_if_there(path, bytes_max)? {
            Found::There(answer) => Some(answer.body),
            Found::Nothing(_) => None,
        })
    }
}

/// Where the item number `width` of a tile or bundle ends; `None` if the bytes end before.
fn end_of(path: &TilePath, bytes: &[u8], width: Width) -> Option<usize> {
    let width = usize::try_from(width.get()).ok()?;
    let end = match path {
        TilePath::Hashes { .. } => width.checked_mul(HASH_BYTES)?,
        TilePath::Entries { .. } => {
            let mut entries = BundleReader::new(bytes);
            let mut end = 0_usize;
            for _ in 0..width {
                end = end.checked_add(2)?.checked_add(entries.next()?.ok()?.len())?;
            }
            end
        }
    };
    (end <= bytes.len()).then_some(end)
}
