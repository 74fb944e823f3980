//! Reading a log from its store: tiles, bundles, entries by index, proofs of any size.
//!
//! Everything here reads files that never change; the last few full bundles are kept in memory. A bundle is
//! compared with its tile of hashes each time it is read, so that no page and no list shows an entry that a disk
//! has altered. Nothing more is believed: who needs certainty compares with a root that was signed.

mod multi;
mod texts;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use undersigned_tlog::hash::{Hash, leaf_hash, sha256};
use undersigned_tlog::tile::{
    Bundle, TILE_WIDTH, Tile, TileCoordinate, TileError, TileNodes, TilePath, Width, entries_width,
};
use undersigned_tlog::tree::{self, LeafIndex, ProveError, TreeSize};

use crate::store::{Name, Store, StoreError};
use texts::Texts;

/// Why a part of the log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A tile or bundle is missing.
    #[error("{name} is missing")]
    Missing {
        /// Which one.
        name: Name,
    },
    /// A tile or bundle has the wrong length or form.
    #[error("{name} is damaged")]
    Damaged {
        /// Which one.
        name: Name,
    },
    /// A bundle that the tree does not have.
    #[error("the tree has no such bundle")]
    Outside,
    /// No proof in a tree of this size: the question lies outside it, or a tile cannot be read.
    #[error("no proof can be cut in the tree of size {size}")]
    Proof {
        /// The size.
        size: TreeSize,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How many full bundles are kept: at 256 entries of about 1.2 kB each, some 10 MB.
const BUNDLES_KEPT: usize = 32;

/// The entries of one bundle.
type Entries = Arc<Vec<Vec<u8>>>;

/// Finds an entry that is still in memory.
pub type Recent = Box<dyn Fn(u64) -> Option<Arc<[u8]>> + Send + Sync>;

/// Reads entries, blobs and proofs of a log that lies in a store.
pub struct LogReader {
    store: Arc<dyn Store>,
    recent: Recent,
    /// Full bundles, the newest read last; held for a look-up or a push only.
    kept: Mutex<VecDeque<(u64, Entries)>>,
    texts: Texts,
}

impl fmt::Debug for LogReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogReader").field("store", &self.store).finish_non_exhaustive()
    }
}

impl LogReader {
    /// Reads from this store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self::with_recent(store, Box::new(|_| None))
    }

    /// Reads from this store what is not in memory any more.
    #[must_use]
    pub fn with_recent(store: Arc<dyn Store>, recent: Recent) -> Self {
        Self { store, recent, kept: Mutex::new(VecDeque::new()), texts: Texts::default() }
    }

    /// An entry that is still in memory, where it was put before its tree was published.
    #[must_use]
    pub fn recent_entry(&self, index: u64) -> Option<Arc<[u8]>> {
        (self.recent)(index)
    }

    /// Where the log lies.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }

    /// The entry at `index` in a tree of `size`; `None` past its end.
    ///
    /// # Errors
    /// Its bundle is missing, damaged or unreadable.
    pub fn entry(&self, index: u64, size: TreeSize) -> Result<Option<Vec<u8>>, ReadError> {
        if index >= size.get() {
            return Ok(None);
        }
        let entries = self.bundle(index / TILE_WIDTH, size)?;
        let position = usize::try_from(index % TILE_WIDTH).unwrap_or(usize::MAX);
        Ok(entries.get(position).cloned())
    }

    /// The entries of one bundle as far as a tree of `size` has them.
    ///
    /// # Errors
    /// The bundle is missing, damaged or unreadable.
    pub fn bundle(&self, index: u64, size: TreeSize) -> Result<Entries, ReadError> {
        if let Some(entries) = self.find(index) {
            return Ok(entries);
        }
        let width = entries_width(index, size).ok_or(ReadError::Outside)?;
        let entries = Arc::new(read_bundle(self.store.as_ref(), index, width)?);
        self.check(index, width, &entries)?;
        if width.is_full() {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push_back((index, Arc::clone(&entries)));
            if kept.len() > BUNDLES_KEPT {
                kept.pop_front();
            }
        }
        Ok(entries)
    }

    /// Whether the entries of a bundle are those that its tile of hashes was made of.
    fn check(&self, index: u64, width: Width, entries: &[Vec<u8>]) -> Result<(), ReadError> {
        let coordinate = TileCoordinate::new(0, index).ok_or(ReadError::Outside)?;
        let tile = read_tile(self.store.as_ref(), coordinate, width)?;
        let is_hashed = |(position, entry): (u64, &Vec<u8>)| tile.hash(0, position) == Some(leaf_hash(entry));
        if (0..).zip(entries).all(is_hashed) {
            return Ok(());
        }
        let name = Name::tile(&TilePath::Entries { index, width });
        tracing::error!(%name, "a bundle and its tile of hashes differ; restore both from a backup or a mirror");
        Err(ReadError::Damaged { name })
    }

    fn find(&self, index: u64) -> Option<Entries> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|(kept, _)| *kept == index).map(|(_, entries)| Arc::clone(entries))
    }

    /// A blob's bytes, unless it was erased. One that is damaged counts as erased: proofs stand without
    /// it, and other words are never passed off as those that were signed.
    ///
    /// # Errors
    /// The store failed.
    pub fn blob(&self, hash: &Hash) -> Result<Option<Vec<u8>>, StoreError> {
        read_blob(self.store.as_ref(), hash)
    }

    /// A blob's bytes, if they can be had without waiting for a disk. None says nothing: ask
    /// [`LogReader::blob`].
    #[must_use]
    pub fn blob_at_once(&self, hash: &Hash) -> Option<Vec<u8>> {
        let now = Instant::now();
        if let Some(bytes) = self.texts.find(hash, now) {
            return Some(bytes);
        }
        let bytes = self.store.get_at_once(&Name::blob(hash)).filter(|bytes| sha256(&[bytes]) == *hash)?;
        self.texts.keep(*hash, &bytes, now);
        Some(bytes)
    }

    /// The inclusion proof of an entry, from stored tiles.
    ///
    /// # Errors
    /// The index lies outside the tree, or a tile is missing or damaged.
    pub fn inclusion_proof(&self, index: LeafIndex, size: TreeSize) -> Result<Vec<Hash>, ReadError> {
        self.inclusion_proof_within(index, size, size)
    }

    /// The inclusion proof of an entry in a tree of `size`, from the tiles of a tree of `within` that
    /// extends it: their nodes are the same.
    ///
    /// # Errors
    /// As [`LogReader::inclusion_proof`].
    pub fn inclusion_proof_within(
        &self,
        index: LeafIndex,
        size: TreeSize,
        within: TreeSize,
    ) -> Result<Vec<Hash>, ReadError> {
        tree::inclusion_proof(index, size, &mut self.nodes(within)).map_err(|error| proof_error(error, size))
    }

    /// The consistency proof between two sizes, from the tiles of a tree of `within` that extends both.
    ///
    /// # Errors
    /// The sizes are the wrong way round, or a tile is missing or damaged.
    pub fn consistency_proof_within(
        &self,
        from: TreeSize,
        to: TreeSize,
        within: TreeSize,
    ) -> Result<Vec<Hash>, ReadError> {
        tree::consistency_proof(from, to, &mut self.nodes(within)).map_err(|error| proof_error(error, to))
    }

    /// The root of a tree of `size`, from the tiles of a tree of `within` that extends it.
    ///
    /// # Errors
    /// A tile is missing or damaged.
    pub fn root(&self, size: TreeSize, within: TreeSize) -> Result<Hash, ReadError> {
        tree::root(size, &mut self.nodes(within)).map_err(|_| ReadError::Proof { size })
    }

    fn nodes(
        &self,
        size: TreeSize,
    ) -> TileNodes<impl FnMut(TileCoordinate, Width) -> Result<Arc<Tile>, ReadError>> {
        TileNodes::new(size, |coordinate, width| read_tile(self.store.as_ref(), coordinate, width))
    }
}

fn proof_error<E>(_: ProveError<E>, size: TreeSize) -> ReadError {
    ReadError::Proof { size }
}

/// Reads one tile of hashes: with the width asked for or, where that was superseded, in its full form.
///
/// # Errors
/// It is missing or damaged.
pub fn read_tile(
    store: &dyn Store,
    coordinate: TileCoordinate,
    width: Width,
) -> Result<Arc<Tile>, ReadError> {
    let name = Name::tile(&TilePath::Hashes { coordinate, width });
    let full = Name::tile(&TilePath::Hashes { coordinate, width: Width::FULL });
    let bytes = get_either(store, &name, &full)?;
    let tile = Tile::from_bytes(&bytes).map_err(|_: TileError| ReadError::Damaged { name: name.clone() })?;
    tile.truncated(width).map(Arc::new).ok_or(ReadError::Damaged { name })
}

/// Reads the entries of one bundle: with the width asked for or, where that was superseded, the first
/// ones of its full form.
///
/// # Errors
/// It is missing or damaged.
pub fn read_bundle(store: &dyn Store, index: u64, width: Width) -> Result<Vec<Vec<u8>>, ReadError> {
    let name = Name::tile(&TilePath::Entries { index, width });
    let full = Name::tile(&TilePath::Entries { index, width: Width::FULL });
    let bytes = get_either(store, &name, &full)?;
    let damaged = || ReadError::Damaged { name: name.clone() };
    let entries = Bundle::parse(&bytes).map_err(|_| damaged())?;
    let count = usize::try_from(width.get()).map_err(|_| damaged())?;
    let entries = entries.get(..count).ok_or_else(damaged)?;
    Ok(entries.iter().map(|entry| entry.to_vec()).collect())
}

/// Reads a blob, unless it was erased. One that is damaged counts as erased, and is named in the log.
///
/// # Errors
/// The store failed.
pub fn read_blob(store: &dyn Store, hash: &Hash) -> Result<Option<Vec<u8>>, StoreError> {
    let name = Name::blob(hash);
    let Some(bytes) = store.get(&name)? else { return Ok(None) };
    if sha256(&[&bytes]) == *hash {
        return Ok(Some(bytes));
    }
    tracing::error!(%name, "a blob is damaged on the disk; restore it from a backup or a mirror");
    Ok(None)
}

fn get_either(store: &dyn Store, name: &Name, full: &Name) -> Result<Vec<u8>, ReadError> {
    if let Some(bytes) = store.get(name)? {
        return Ok(bytes);
    }
    store.get(full)?.ok_or_else(|| ReadError::Missing { name: name.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Created;
    use crate::store::MemoryStore;

    /// A log of three entries, of which a disk has altered what is named here.
    fn reader(entries: [&[u8]; 3], hashed: [&[u8]; 3]) -> LogReader {
        let store = MemoryStore::default();
        let width = Width::new(3).expect("a width");
        let coordinate = TileCoordinate::new(0, 0).expect("a tile");
        let hashes: Vec<u8> = hashed.iter().flat_map(|entry| *leaf_hash(entry).as_bytes()).collect();
        let mut bundle = Vec::new();
        for entry in entries {
            bundle.extend_from_slice(&u16::try_from(entry.len()).expect("short").to_be_bytes());
            bundle.extend_from_slice(entry);
        }
        for (path, bytes) in [
            (TilePath::Hashes { coordinate, width }, hashes),
            (TilePath::Entries { index: 0, width }, bundle),
        ] {
            assert_eq!(store.create_pending(&Name::tile(&path), &bytes).expect("it is new"), Created::New);
        }
        LogReader::new(Arc::new(store))
    }

    /// An edited entry in an old bundle stood on pages and lists as if somebody had signed it.
    #[test]
    fn an_entry_that_a_disk_altered_is_not_read() {
        let size = TreeSize::new(3);
        let good: [&[u8]; 3] = [b"first", b"second", b"third"];
        let read = reader(good, good).entry(1, size).expect("it is whole");
        assert_eq!(read.as_deref(), Some(&b"second"[..]));
        let altered: [&[u8]; 3] = [b"first", b"secund", b"third"];
        for reader in [reader(altered, good), reader(good, altered)] {
            for index in 0..3 {
                assert!(matches!(reader.entry(index, size), Err(ReadError::Damaged { .. })), "{index}");
            }
        }
    }
}
