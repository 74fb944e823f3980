//! The right edge of a growing tree: all that appending needs, and all that the newest proofs need.
//!
//! A log keeps a [`Frontier`] in memory: the partial tiles of its tree (RFC 6962, section 2.1; C2SP
//! tlog-tiles), at most one on each level. Appending gives an [`Extension`]: the next frontier and
//! the tiles to write. [`Recent`] holds the tiles from some size on, and cuts the proofs of
//! everything appended since without reading anything.
//!
//! Cost: one hash per appended leaf, and O(log n) tile copies and root hashes per append.
//!
//! Not here: writing tiles, and deciding when a tree of some size is final.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::hash::{Hash, empty_root, node_hash};
use crate::tile::{TREE_TILE_LEVELS, Tile, TileCoordinate, Width, edge_tiles};
use crate::tree::TreeSize;

mod recent;

pub use recent::{NotHeld, Recent};

/// Why a frontier could not be made from tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrontierError<E> {
    /// The caller's function failed.
    #[error("a tile cannot be fetched")]
    Fetch(#[source] E),
    /// The caller's function gave a tile with fewer hashes than the tree has there.
    #[error("a tile has {found} hashes where at least {wanted} belong")]
    TooNarrow {
        /// The width that the tile has in the tree.
        wanted: Width,
        /// The width of the tile that came.
        found: Width,
    },
}

/// The tree would have more than 2^64-1 leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tree of {size} leaves cannot grow by {leaf_count}")]
pub struct TreeFull {
    /// The size of the tree.
    pub size: TreeSize,
    /// How many leaves were to be appended.
    pub leaf_count: usize,
}

/// The partial tiles of a tree, and its size and root. Cheap to clone: tiles are shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frontier {
    size: TreeSize,
    root: Hash,
    /// One place for each level of tiles; a tile stands there exactly while it has 1 to 255 hashes.
    partial: [Option<Arc<Tile>>; LEVELS],
}

/// [`TREE_TILE_LEVELS`] as the length of an array.
const LEVELS: usize = 8;

/// What an append adds to a tree.
#[derive(Debug, Clone)]
pub struct Extension {
    /// The edge of the tree with the new leaves.
    pub frontier: Frontier,
    /// Every tile that the append filled, and every partial tile that it changed or began, the latter
    /// at their newest width only. By level, each level from the left.
    pub tiles: Vec<(TileCoordinate, Arc<Tile>)>,
}

impl Default for Frontier {
    fn default() -> Self {
        Self::new()
    }
}

impl Frontier {
    /// The edge of the tree without leaves.
    #[must_use]
    pub fn new() -> Self {
        Self::with_root(TreeSize::EMPTY, [const { None }; LEVELS])
    }

    /// Reads the edge of the tree of `size` from its partial tiles, at most one on each level.
    ///
    /// The function is asked for each with the width it has in that tree, and may give a wider one.
    /// Whether the tiles are those of the tree is for the caller to check: compare [`Frontier::root`]
    /// with a root known from elsewhere.
    ///
    /// # Errors
    /// The function failed, or gave a tile that is too narrow.
    pub fn from_tiles<F, E>(size: TreeSize, mut fetch: F) -> Result<Self, FrontierError<E>>
    where
        F: FnMut(TileCoordinate, Width) -> Result<Arc<Tile>, E>,
    {
        let mut partial = [const { None }; LEVELS];
        for (coordinate, wanted) in edge_tiles(size) {
            let tile = fetch(coordinate, wanted).map_err(FrontierError::Fetch)?;
            let found = tile.width();
            let cut = tile.truncated(wanted).ok_or(FrontierError::TooNarrow { wanted, found })?;
            if let Some(place) = partial.get_mut(usize::from(coordinate.level())) {
                *place = Some(Arc::new(cut));
            }
        }
        Ok(Self::with_root(size, partial))
    }

    /// How many leaves the tree has.
    #[must_use]
    pub const fn size(&self) -> TreeSize {
        self.size
    }

    /// The root of the tree. It was computed when this value was made.
    #[must_use]
    pub const fn root(&self) -> Hash {
        self.root
    }

    /// The partial tiles of the tree, lowest level first.
    pub fn tiles(&self) -> impl Iterator<Item = (TileCoordinate, &Arc<Tile>)> {
        edge_tiles(self.size).filter_map(|(coordinate, _)| {
            let tile = self.partial.get(usize::from(coordinate.level()))?.as_ref()?;
            Some((coordinate, tile))
        })
    }

    /// The tree with more leaves; this value stays as it is.
    ///
    /// # Errors
    /// The tree would have more than 2^64-1 leaves.
    pub fn append(&self, leaf_hashes: &[Hash]) -> Result<Extension, TreeFull> {
        let full = TreeFull { size: self.size, leaf_count: leaf_hashes.len() };
        let size = self.size.plus(leaf_hashes.len()).ok_or(full)?;
        let mut partial = self.partial.clone();
        let mut tiles = Vec::new();
        let mut hashes = leaf_hashes.to_vec();
        for (level, place) in (0..TREE_TILE_LEVELS).zip(&mut partial) {
            let roots = fill_level(level, self.size, place, &hashes, &mut tiles);
            hashes = roots;
            if hashes.is_empty() {
                break;
            }
        }
        Ok(Extension { frontier: Self::with_root(size, partial), tiles })
    }

    fn with_root(size: TreeSize, partial: [Option<Arc<Tile>>; LEVELS]) -> Self {
        // The peaks come from the right, so each one is the left sibling of all that came before.
        let peaks = partial.iter().flatten().flat_map(|tile| tile.peaks());
        let root = peaks.reduce(|right, left| node_hash(&left, &right)).unwrap_or_else(empty_root);
        Self { size, root, partial }
    }
}

/// Appends hashes to one level of tiles; gives the roots of the tiles that this filled.
fn fill_level(
    level: u8,
    old_size: TreeSize,
    place: &mut Option<Arc<Tile>>,
    hashes: &[Hash],
    tiles: &mut Vec<(TileCoordinate, Arc<Tile>)>,
) -> Vec<Hash> {
    let mut roots = Vec::new();
    let mut rest = hashes;
    // The level is below 8, so the tiles before the partial one are counted by a shift of at most 64.
    let bits = (u32::from(level) + 1) * 8;
    let first = old_size.get().checked_shr(bits).unwrap_or(0);
    for index in first.. {
        if rest.is_empty() {
            break;
        }
        let held = place.as_ref().map_or(0, |tile| tile.width().get());
        let room = usize::try_from(Width::FULL.get().saturating_sub(held)).unwrap_or(0).min(rest.len());
        let (more, later) = rest.split_at(room);
        rest = later;
        let grown = place.take().map_or_else(|| Tile::from_hashes(more), |tile| tile.extended(more));
        // `more` has at least one hash and no more than there is room for, and the level is below 64.
        let (Ok(tile), Some(coordinate)) = (grown, TileCoordinate::new(level, index)) else { break };
        let tile = Arc::new(tile);
        match tile.root() {
            Some(root) => roots.push(root),
            None => *place = Some(Arc::clone(&tile)),
        }
        tiles.push((coordinate, tile));
    }
    roots
}
