//! Tiles: the tree cut into files of up to 256 hashes that never change (C2SP tlog-tiles).
//!
//! Tile `index` of level L holds the hashes of the perfect subtrees of 256^L leaves, 256 of them in a
//! row. A level above 0 counts full tiles only, so a node has one place and one value for ever.
//!
//! - here: where a tile lies and how wide it is in a tree of some size;
//! - `path`: the names of tiles and entry bundles;
//! - `hashes`: a parsed tile with all its inner nodes;
//! - `nodes`: cutting proofs from tiles that are fetched one by one;
//! - `bundle`: the entries themselves.
//!
//! Not here: fetching, storing, compressing; which partial tiles a log keeps.

use core::fmt;

use crate::tree::TreeSize;

mod bundle;
mod hashes;
mod nodes;
mod path;

pub use bundle::{Bundle, BundleError, BundleReader, ENTRY_BYTES_MAX, EntryTooLarge, bundle_append};
pub use hashes::{Tile, TileError};
pub use nodes::{TILES_HELD_MAX, TileNodes, TileNodesError};
pub use path::{PATH_BYTES_MAX, PathError, TilePath};

/// How many hashes a full tile, and how many entries a full bundle has.
pub const TILE_WIDTH: u64 = 256;

/// The levels of the tree that one tile spans: 2^8 = [`TILE_WIDTH`].
pub const TILE_LEVELS: u8 = 8;

/// The tile levels that a tree of up to 2^64-1 leaves can fill: 64 bits in steps of 8.
pub const TREE_TILE_LEVELS: u8 = 8;

/// The highest level that a tile path can name.
pub const TILE_LEVEL_MAX: u8 = 63;

/// Which tile: its level (0..=63) and its number on that level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileCoordinate {
    level: u8,
    index: u64,
}

impl TileCoordinate {
    /// The tile `index` of `level`; `None` if the level is above [`TILE_LEVEL_MAX`].
    #[must_use]
    pub const fn new(level: u8, index: u64) -> Option<Self> {
        if level > TILE_LEVEL_MAX { None } else { Some(Self { level, index }) }
    }

    /// The tile that holds node `index` of tree level `level`, at the lowest tile level that has it,
    /// and the node's place in there. `None` if the tree level is above 63.
    #[must_use]
    pub const fn of_node(level: u8, index: u64) -> Option<(Self, Place)> {
        if level > 63 {
            return None;
        }
        let within_level = level % TILE_LEVELS;
        // A tile has 2^(8 - within) nodes of that level in a row.
        let row_bits = TILE_LEVELS - within_level;
        let index_in_tile = index & ((1 << row_bits) - 1);
        let tile = Self { level: level / TILE_LEVELS, index: index >> row_bits };
        Some((tile, Place { within_level, index_in_tile }))
    }

    /// The level, 0 for the tiles of leaf hashes.
    #[must_use]
    pub const fn level(self) -> u8 {
        self.level
    }

    /// The number on its level, counted from zero.
    #[must_use]
    pub const fn index(self) -> u64 {
        self.index
    }

    /// The leaf after the last one that this tile covers once it is full; `None` past 2^64-1.
    #[must_use]
    pub fn leaf_end(self) -> Option<u64> {
        let leaves_of_full = 256_u64.checked_pow(u32::from(self.level).saturating_add(1))?;
        self.index.checked_add(1)?.checked_mul(leaves_of_full)
    }
}

/// Where in a tile a node lies: how many levels above the tile's own hashes, and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// 0 for the hashes of the tile itself.
    pub within_level: u8,
    /// Counted from zero inside the tile.
    pub index_in_tile: u64,
}

/// How many hashes a tile or how many entries a bundle has: 1..=256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Width(u64);

impl Width {
    /// The width of a full tile or bundle.
    pub const FULL: Self = Self(TILE_WIDTH);

    /// A width; `None` outside 1..=256.
    #[must_use]
    pub const fn new(width: u64) -> Option<Self> {
        if width == 0 || width > TILE_WIDTH { None } else { Some(Self(width)) }
    }

    /// The number of hashes or entries.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Whether there are 256.
    #[must_use]
    pub const fn is_full(self) -> bool {
        self.0 == TILE_WIDTH
    }
}

impl fmt::Display for Width {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How wide a tile is in a tree of `size`; `None` if that tree does not have it.
#[must_use]
pub fn width_of(coordinate: TileCoordinate, size: TreeSize) -> Option<Width> {
    let start = coordinate.index.checked_mul(TILE_WIDTH)?;
    let left = hashes_on_level(coordinate.level, size).checked_sub(start)?;
    Width::new(left.min(TILE_WIDTH))
}

/// How many entries bundle `index` has in a tree of `size`; `None` if that tree does not have it.
#[must_use]
pub fn entries_width(index: u64, size: TreeSize) -> Option<Width> {
    width_of(TileCoordinate { level: 0, index }, size)
}

/// All tiles of a tree of `size` with their widths, level by level, each level from the left.
///
/// Lazy and without storage: a tree of 2^40 leaves has 2^32 tiles.
pub fn tiles_of(size: TreeSize) -> impl Iterator<Item = (TileCoordinate, Width)> {
    (0..TREE_TILE_LEVELS).flat_map(move |level| {
        let count = hashes_on_level(level, size).div_ceil(TILE_WIDTH);
        (0..count).filter_map(move |index| {
            let coordinate = TileCoordinate { level, index };
            width_of(coordinate, size).map(|width| (coordinate, width))
        })
    })
}

/// The partial tiles of a tree of `size`, at most one on each level: all that an appender needs.
pub fn edge_tiles(size: TreeSize) -> impl Iterator<Item = (TileCoordinate, Width)> {
    (0..TREE_TILE_LEVELS).filter_map(move |level| {
        let index = hashes_on_level(level, size) / TILE_WIDTH;
        let coordinate = TileCoordinate { level, index };
        width_of(coordinate, size).map(|width| (coordinate, width))
    })
}

/// How many hashes all tiles of a level have together: floor(size / 256^level).
fn hashes_on_level(level: u8, size: TreeSize) -> u64 {
    let bits = u32::from(level) * u32::from(TILE_LEVELS);
    size.get().checked_shr(bits).unwrap_or(0)
}
