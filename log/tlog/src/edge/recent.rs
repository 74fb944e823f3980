//! The tiles of a tree from some size on, in memory, for the proofs that everybody asks for.
//!
//! A path of RFC 6962 never leaves the tiles that hold its own nodes and those to the right of them:
//! siblings stand in one tile. So all tiles that end behind leaf `since` are enough for the inclusion
//! proof of every leaf from `since` on in every size from there up to the newest, and for the
//! consistency proof between any two such sizes.
//!
//! Not here: older proofs, which are cut from stored tiles ([`crate::tile::TileNodes`]).

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{Extension, Frontier};
use crate::hash::Hash;
use crate::tile::{Tile, TileCoordinate};
use crate::tree::{self, LeafIndex, Nodes, ProveError, TreeSize};

/// A node that lies wholly before the size from which tiles are held, or outside the newest tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("node {index} of level {level} is not among the recent tiles")]
pub struct NotHeld {
    /// The tree level of the node.
    pub level: u8,
    /// Its number on that level.
    pub index: u64,
}

/// The recent part of a tree. Cheap to clone and to share between threads; a clone never changes.
#[derive(Debug, Clone)]
pub struct Recent {
    since: TreeSize,
    newest: TreeSize,
    /// Each tile at the greatest width seen. Nothing in it is ever changed, only replaced by wider.
    tiles: Arc<BTreeMap<TileCoordinate, Arc<Tile>>>,
}

impl Recent {
    /// Holds what a frontier holds: proofs from its size on can be cut as soon as the tree grows.
    #[must_use]
    pub fn new(frontier: &Frontier) -> Self {
        let tiles = frontier.tiles().map(|(coordinate, tile)| (coordinate, Arc::clone(tile))).collect();
        Self { since: frontier.size(), newest: frontier.size(), tiles: Arc::new(tiles) }
    }

    /// This and the tiles of an append to the newest tree that it knows.
    #[must_use]
    pub fn extended(&self, extension: &Extension) -> Self {
        let mut tiles = BTreeMap::clone(&self.tiles);
        for (coordinate, tile) in &extension.tiles {
            let held = tiles.entry(*coordinate).or_insert_with(|| Arc::clone(tile));
            if held.width() < tile.width() {
                *held = Arc::clone(tile);
            }
        }
        Self { since: self.since, newest: self.newest.max(extension.frontier.size()), tiles: Arc::new(tiles) }
    }

    /// This without the tiles that only proofs from before `since` need.
    ///
    /// A `since` before the present one changes nothing; one past the newest size counts as that.
    #[must_use]
    pub fn pruned(&self, since: TreeSize) -> Self {
        let since = since.max(self.since).min(self.newest);
        let is_kept = |coordinate: &TileCoordinate| coordinate.leaf_end().is_none_or(|end| end > since.get());
        let kept = self.tiles.iter().filter(|(coordinate, _)| is_kept(coordinate));
        let tiles = kept.map(|(coordinate, tile)| (*coordinate, Arc::clone(tile))).collect();
        Self { since, newest: self.newest, tiles: Arc::new(tiles) }
    }

    /// The size from which on proofs can be cut.
    #[must_use]
    pub const fn since(&self) -> TreeSize {
        self.since
    }

    /// The size of the newest tree in which proofs can be cut.
    #[must_use]
    pub const fn newest(&self) -> TreeSize {
        self.newest
    }

    /// How many tiles are held, of at most about 16 KiB each.
    #[must_use]
    pub fn tile_count(&self) -> usize {
        self.tiles.len()
    }

    /// The inclusion proof of a leaf from [`Recent::since`] on, in a tree up to [`Recent::newest`].
    ///
    /// # Errors
    /// The leaf lies outside the tree, or the proof needs older tiles.
    pub fn inclusion_proof(
        &self,
        index: LeafIndex,
        size: TreeSize,
    ) -> Result<Vec<Hash>, ProveError<NotHeld>> {
        tree::inclusion_proof(index, size, &mut &*self)
    }

    /// The consistency proof between two sizes from [`Recent::since`] up to [`Recent::newest`].
    ///
    /// # Errors
    /// The sizes are the wrong way round, or the proof needs older tiles.
    pub fn consistency_proof(&self, from: TreeSize, to: TreeSize) -> Result<Vec<Hash>, ProveError<NotHeld>> {
        tree::consistency_proof(from, to, &mut &*self)
    }
}

/// A shared reference is the source, so that many threads can cut proofs from one value.
impl Nodes for &Recent {
    type Error = NotHeld;

    fn node(&mut self, level: u8, index: u64) -> Result<Hash, NotHeld> {
        let missing = NotHeld { level, index };
        let (coordinate, place) = TileCoordinate::of_node(level, index).ok_or(missing)?;
        let tile = self.tiles.get(&coordinate).ok_or(missing)?;
        tile.hash(place.within_level, place.index_in_tile).ok_or(missing)
    }
}
