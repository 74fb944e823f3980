//! The plan of a batch: from the right edge and some entries to everything that is written for them.
//!
//! Pure. Commit and recovery make the same plan from the same entries, so that what a restart writes is
//! what the first run wrote.

use undersigned_tlog::edge::{Extension, Frontier, FrontierError, Recent};
use undersigned_tlog::hash::{Hash, leaf_hash};
use undersigned_tlog::tile::{TILE_WIDTH, TilePath, bundle_append, entries_width};
use undersigned_tlog::tree::TreeSize;

use crate::signer::Head;
use crate::store::{Name, Store};
use crate::tiles::{ReadError, read_bundle, read_tile};

/// How many leaves back the tiles of the newest proofs are kept in memory: 16 full tiles.
const RECENT_LEAVES: u64 = 16 * TILE_WIDTH;

/// The right edge of the log: what the next plan starts from.
#[derive(Debug, Clone)]
pub struct Edge {
    frontier: Frontier,
    recent: Recent,
    /// The entries of the partial bundle, encoded.
    partial_bundle: Vec<u8>,
}

/// All that a batch writes, and the edge after it.
#[derive(Debug)]
pub struct Plan {
    /// The edge after the batch.
    pub edge: Edge,
    /// The head before it.
    pub old: Head,
    /// The head after it.
    pub new: Head,
    /// Tiles and bundles, each under the name it has for ever.
    pub objects: Vec<(Name, Vec<u8>)>,
    /// Tiles and bundles that the batch filled: their partial forms are superseded.
    pub filled: Vec<TilePath>,
}

/// Why no edge can be made of what is stored, or no plan of an edge.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// A tile or bundle cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The tiles give another root than the one that was signed.
    #[error("the tiles of size {size} give another root than the one that was signed")]
    Root {
        /// The size.
        size: TreeSize,
    },
    /// The entries of the last bundle are not those of the tiles.
    #[error("{name} does not hold the entries whose hashes are in the tree")]
    Bundle {
        /// Which bundle.
        name: Name,
    },
    /// A bundle and the tile over its entries contradict each other.
    #[error("{bundle} does not hold the entries whose hashes are in {tile}: one of the two is damaged")]
    Apart {
        /// The tile of hashes.
        tile: Name,
        /// The bundle.
        bundle: Name,
    },
    /// An entry that no bundle can hold, or a tree past 2^64-1.
    #[error("the tree cannot grow by these entries")]
    Full,
}

impl Default for Edge {
    fn default() -> Self {
        Self::new()
    }
}

impl Edge {
    /// The edge of the log without entries.
    #[must_use]
    pub fn new() -> Self {
        let frontier = Frontier::new();
        Self { recent: Recent::new(&frontier), frontier, partial_bundle: Vec::new() }
    }

    /// Reads the edge of a head from stored tiles, and checks that they give its root and that the last
    /// bundle holds the entries that they hash.
    ///
    /// # Errors
    /// A tile is missing or damaged, or they are not those of the head.
    pub fn read(store: &dyn Store, head: Head) -> Result<Self, EdgeError> {
        let frontier =
            Frontier::from_tiles(head.size, |coordinate, width| read_tile(store, coordinate, width))
                .map_err(|error| match error {
                    FrontierError::Fetch(error) => EdgeError::Read(error),
                    FrontierError::TooNarrow { .. } => EdgeError::Root { size: head.size },
                })?;
        if frontier.root() != head.root {
            return Err(EdgeError::Root { size: head.size });
        }
        let partial_bundle = read_partial_bundle(store, &frontier)?;
        Ok(Self { recent: Recent::new(&frontier), frontier, partial_bundle })
    }

    /// The head that this is the edge of.
    #[must_use]
    pub fn head(&self) -> Head {
        Head { size: self.frontier.size(), root: self.frontier.root() }
    }

    /// The tiles of the newest proofs.
    #[must_use]
    pub const fn recent(&self) -> &Recent {
        &self.recent
    }

    /// Plans a batch.
    ///
    /// # Errors
    /// The entries fit no bundle, or the tree is full.
    pub fn plan(&self, entries: &[Vec<u8>]) -> Result<Plan, EdgeError> {
        let leaves: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        let extension = self.frontier.append(&leaves).map_err(|_| EdgeError::Full)?;
        let recent = self.recent.extended(&extension);
        let since = TreeSize::new(extension.frontier.size().get().saturating_sub(RECENT_LEAVES));
        let mut objects: Vec<(Name, Vec<u8>)> = Vec::new();
        let mut filled = Vec::new();
        for (coordinate, tile) in &extension.tiles {
            let path = TilePath::Hashes { coordinate: *coordinate, width: tile.width() };
            objects.push((Name::tile(&path), tile.bytes().to_vec()));
            filled.extend(tile.width().is_full().then_some(path));
        }
        let partial_bundle = self.plan_bundles(entries, &mut objects, &mut filled)?;
        let Extension { frontier, .. } = extension;
        let edge = Self { frontier, recent: recent.pruned(since.max(recent.since())), partial_bundle };
        Ok(Plan { old: self.head(), new: edge.head(), edge, objects, filled })
    }

    /// Cuts the entries into bundles; returns what the last, partial one then holds.
    fn plan_bundles(
        &self,
        entries: &[Vec<u8>],
        objects: &mut Vec<(Name, Vec<u8>)>,
        filled: &mut Vec<TilePath>,
    ) -> Result<Vec<u8>, EdgeError> {
        let mut bytes = self.partial_bundle.clone();
        let mut size = self.frontier.size().get();
        let mut rest = entries;
        while !rest.is_empty() {
            let index = size / TILE_WIDTH;
            let room = usize::try_from(TILE_WIDTH - size % TILE_WIDTH).unwrap_or(1);
            let (now, later) = rest.split_at(room.min(rest.len()));
            for entry in now {
                bundle_append(&mut bytes, entry).map_err(|_| EdgeError::Full)?;
            }
            rest = later;
            size = TreeSize::new(size).plus(now.len()).ok_or(EdgeError::Full)?.get();
            let width = entries_width(index, TreeSize::new(size)).ok_or(EdgeError::Full)?;
            let path = TilePath::Entries { index, width };
            if width.is_full() {
                objects.push((Name::tile(&path), std::mem::take(&mut bytes)));
                filled.push(path);
            } else {
                objects.push((Name::tile(&path), bytes.clone()));
            }
        }
        Ok(bytes)
    }
}

fn read_partial_bundle(store: &dyn Store, frontier: &Frontier) -> Result<Vec<u8>, EdgeError> {
    let Some((_, tile)) = frontier.tiles().find(|(coordinate, _)| coordinate.level() == 0) else {
        return Ok(Vec::new());
    };
    let index = frontier.size().get() / TILE_WIDTH;
    let width = tile.width();
    let name = Name::tile(&TilePath::Entries { index, width });
    let mut bytes = Vec::new();
    for (position, entry) in (0u64..).zip(read_bundle(store, index, width)?) {
        if tile.hash(0, position) != Some(leaf_hash(&entry)) {
            return Err(EdgeError::Bundle { name });
        }
        bundle_append(&mut bytes, &entry).map_err(|_| EdgeError::Full)?;
    }
    Ok(bytes)
}
