//! A tile with all its inner nodes (C2SP tlog-tiles, "Merkle Tree").
//!
//! Every perfect subtree inside the tile is hashed once, when the tile is made: one hash per entry.
//! So a server that cuts 256 proofs from one tile does not hash the tile 256 times, and a tile that
//! grows hashes only what is new.
//!
//! Not here: whether the hashes are those of some tree; that a proof up to a signed root tells.

use alloc::vec::Vec;

use super::{TILE_LEVELS, TILE_WIDTH, Width};
use crate::hash::{HASH_BYTES, Hash, node_hash};

/// The rows of a tile: its own hashes, and one for each of the [`TILE_LEVELS`] levels above them.
const ROWS: usize = 9;

/// Why bytes are no tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// Not a whole number of hashes.
    #[error("{bytes} bytes are not a whole number of hashes")]
    NotWholeHashes {
        /// The number of bytes that came.
        bytes: usize,
    },
    /// None, or more than 256.
    #[error("{hashes} hashes where 1 to {TILE_WIDTH} belong")]
    Width {
        /// The number of hashes that came.
        hashes: usize,
    },
}

/// 1 to 256 hashes of a row of perfect subtrees, and the hashes of all perfect subtrees above them.
#[derive(Clone, PartialEq, Eq)]
pub struct Tile {
    /// One row for each level from 0 to 8; each row has half as many hashes as the one below, rounded down.
    rows: Vec<Vec<[u8; HASH_BYTES]>>,
    width: Width,
}

impl Tile {
    /// Reads a tile file.
    ///
    /// # Errors
    /// Not 1 to 256 times 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TileError> {
        let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
        if !rest.is_empty() {
            return Err(TileError::NotWholeHashes { bytes: bytes.len() });
        }
        Self::grown(Vec::new(), hashes)
    }

    /// Makes a tile of these hashes.
    ///
    /// # Errors
    /// None, or more than 256 hashes.
    pub fn from_hashes(hashes: &[Hash]) -> Result<Self, TileError> {
        let row: Vec<_> = hashes.iter().map(|hash| *hash.as_bytes()).collect();
        Self::grown(Vec::new(), &row)
    }

    /// This tile with more hashes at its right end; only what is new is hashed.
    ///
    /// # Errors
    /// More than 256 hashes together.
    pub fn extended(&self, hashes: &[Hash]) -> Result<Self, TileError> {
        let more: Vec<_> = hashes.iter().map(|hash| *hash.as_bytes()).collect();
        Self::grown(self.rows.clone(), &more)
    }

    /// The left part of this tile, as the log once served it; `None` if this tile is narrower.
    #[must_use]
    pub fn truncated(&self, width: Width) -> Option<Self> {
        if width > self.width {
            return None;
        }
        let mut rows = self.rows.clone();
        for (level, row) in (0..).zip(&mut rows) {
            row.truncate(usize::try_from(width.get() >> level).ok()?);
        }
        Some(Self { rows, width })
    }

    /// How many hashes the tile has.
    #[must_use]
    pub const fn width(&self) -> Width {
        self.width
    }

    /// The tile file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.rows.first().map(|row| row.as_flattened()).unwrap_or_default()
    }

    /// The hash of the perfect subtree number `index_in_tile` of those that span 2^`within_level`
    /// hashes of this tile; `None` if it does not lie wholly inside.
    #[must_use]
    pub fn hash(&self, within_level: u8, index_in_tile: u64) -> Option<Hash> {
        let row = self.rows.get(usize::from(within_level))?;
        row.get(usize::try_from(index_in_tile).ok()?).map(|bytes| Hash::from_bytes(*bytes))
    }

    /// The hash of the whole tile, which stands in the tile above; `None` unless the tile is full.
    #[must_use]
    pub fn root(&self) -> Option<Hash> {
        self.hash(TILE_LEVELS, 0)
    }

    /// The roots of the perfect subtrees that the tile's hashes fall into, the smallest and rightmost first.
    pub(crate) fn peaks(&self) -> impl Iterator<Item = Hash> {
        // A last hash without a partner to the right of it has no hash above it.
        let unpaired = self.rows.iter().filter(|row| row.len() % 2 == 1);
        unpaired.filter_map(|row| row.last()).map(|bytes| Hash::from_bytes(*bytes))
    }

    /// Appends to the lowest row and hashes what that completes, row by row.
    fn grown(mut rows: Vec<Vec<[u8; HASH_BYTES]>>, more: &[[u8; HASH_BYTES]]) -> Result<Self, TileError> {
        let held = rows.first().map_or(0, Vec::len);
        let hashes = held.saturating_add(more.len());
        let refused = TileError::Width { hashes };
        let width = u64::try_from(hashes).ok().and_then(Width::new).ok_or(refused)?;
        rows.resize_with(ROWS, Vec::new);
        if let Some(lowest) = rows.first_mut() {
            lowest.extend_from_slice(more);
        }
        for level in 1..ROWS {
            let (lower, upper) = rows.split_at_mut(level);
            if let (Some(below), Some(row)) = (lower.last(), upper.first_mut()) {
                // Each hash covers two of the row below; those hashed before are skipped.
                let pairs = below.as_chunks::<2>().0.iter().skip(row.len());
                row.extend(pairs.map(|[left, right]| {
                    *node_hash(&Hash::from_bytes(*left), &Hash::from_bytes(*right)).as_bytes()
                }));
            }
        }
        Ok(Self { rows, width })
    }
}

impl core::fmt::Debug for Tile {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Tile({} hashes)", self.width)
    }
}
