//! Cutting proofs from tiles that are fetched one by one (C2SP tlog-tiles).
//!
//! A proof in a tree of any size touches a handful of tiles; the whole tree is never needed.
//! Nothing here checks that a fetched tile belongs to a tree: verify the proof against a signed root.
//!
//! Not here: where tiles come from. The caller's function reads a disk, a server or a map.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use super::{Tile, TileCoordinate, Width, width_of};
use crate::hash::Hash;
use crate::tree::{Nodes, TreeSize};

/// How many tiles a [`TileNodes`] keeps before it forgets them all and fetches again.
///
/// One proof touches at most 8 tiles on its path and 8 along the right edge; 64 of about 16 KiB are 1 MiB.
pub const TILES_HELD_MAX: usize = 64;

/// Why a node could not be had from tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TileNodesError<E> {
    /// The caller's function failed.
    #[error("a tile cannot be fetched")]
    Fetch(#[source] E),
    /// The tree of this size does not have the node.
    #[error("node {index} of level {level} lies outside the tree")]
    OutsideTree {
        /// The tree level of the node.
        level: u8,
        /// Its number on that level.
        index: u64,
    },
    /// The caller's function gave a tile with fewer hashes than the tree has there.
    #[error("a tile has {found} hashes where at least {wanted} belong")]
    TooNarrow {
        /// The width that the tile has in the tree.
        wanted: Width,
        /// The width of the tile that came.
        found: Width,
    },
}

/// Node hashes of a tree of one size, read from tiles.
///
/// The function is asked for each tile with the width it has in that tree, and may give a wider one
/// (the full tile, say, when the partial one is gone): the surplus is never looked at.
pub struct TileNodes<F> {
    size: TreeSize,
    fetch: F,
    held: BTreeMap<TileCoordinate, Arc<Tile>>,
}

impl<F, E> TileNodes<F>
where
    F: FnMut(TileCoordinate, Width) -> Result<Arc<Tile>, E>,
{
    /// A source for proofs in the tree of `size`, or in an older and smaller one.
    #[must_use]
    pub const fn new(size: TreeSize, fetch: F) -> Self {
        Self { size, fetch, held: BTreeMap::new() }
    }

    fn tile(&mut self, coordinate: TileCoordinate, wanted: Width) -> Result<Arc<Tile>, TileNodesError<E>> {
        if let Some(tile) = self.held.get(&coordinate) {
            return Ok(Arc::clone(tile));
        }
        let tile = (self.fetch)(coordinate, wanted).map_err(TileNodesError::Fetch)?;
        if tile.width() < wanted {
            return Err(TileNodesError::TooNarrow { wanted, found: tile.width() });
        }
        if self.held.len() >= TILES_HELD_MAX {
            self.held.clear();
        }
        self.held.insert(coordinate, Arc::clone(&tile));
        Ok(tile)
    }
}

impl<F, E> Nodes for TileNodes<F>
where
    F: FnMut(TileCoordinate, Width) -> Result<Arc<Tile>, E>,
{
    type Error = TileNodesError<E>;

    fn node(&mut self, level: u8, index: u64) -> Result<Hash, Self::Error> {
        let outside = || TileNodesError::OutsideTree { level, index };
        let (coordinate, place) = TileCoordinate::of_node(level, index).ok_or_else(outside)?;
        // `of_node` has refused levels past 63, so the shift is defined.
        if index >= self.size.get() >> level {
            return Err(outside());
        }
        let wanted = width_of(coordinate, self.size).ok_or_else(outside)?;
        let tile = self.tile(coordinate, wanted)?;
        tile.hash(place.within_level, place.index_in_tile).ok_or_else(outside)
    }
}
