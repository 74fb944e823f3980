//! Writing what was verified: tiles and bundles as the log has them, durable before a checkpoint names them.
//!
//! A name that is there with other bytes lies past the checkpoint that is served, or was torn by a power cut:
//! the verified bytes take its place.

use std::panic::resume_unwind;
use std::sync::Arc;

use undersigned_tlog::tile::{
    TILE_WIDTH, Tile, TileCoordinate, TilePath, Width, bundle_append, edge_tiles, entries_width, width_of,
};
use undersigned_tlog::tree::TreeSize;

use super::{Log, MirrorError, blobs};
use crate::audit::{Batch, SourceError};
use crate::store::{Created, LIST_NAMES_MAX, Name, Prefix, Store, StoreError};

/// How many files may wait to be made durable: as many as a folder keeps open for it.
const PENDING_MAX: usize = 256;

/// How many threads make them durable.
const SETTLING_MAX: usize = 8;

/// Writes what one log's mirror takes.
#[derive(Debug)]
pub(super) struct Keeper {
    store: Arc<dyn Store>,
    /// Written, not yet durable.
    pending: Vec<Name>,
    /// The newest bundle, while it is partial.
    edge: Option<(TilePath, Vec<u8>)>,
}

impl Keeper {
    pub(super) const fn new(store: Arc<dyn Store>) -> Self {
        Self { store, pending: Vec::new(), edge: None }
    }

    /// Asks the log again for the blobs that it did not have.
    pub(super) fn ask_again(&self, log: &dyn Log) -> Result<(), MirrorError> {
        blobs::ask_again(self.store.as_ref(), log)
    }

    /// Keeps the entries of a batch, the tiles that they filled, and what they name.
    pub(super) fn take(&mut self, batch: &Batch<'_>, log: &dyn Log) -> Result<(), MirrorError> {
        let named = batch.replayed().flat_map(|entry| {
            entry.envelope.event().blobs().into_iter().map(move |blob| (blob.sha256, entry.index))
        });
        self.pending.extend(blobs::take(self.store.as_ref(), log, named.collect())?);
        let mut bytes = Vec::new();
        for entry in batch.entries {
            bundle_append(&mut bytes, entry).map_err(|_| unreadable(log, batch.bundle))?;
        }
        let width = u64::try_from(batch.entries.len()).ok().and_then(Width::new);
        let width = width.ok_or_else(|| unreadable(log, batch.bundle))?;
        let path = TilePath::Entries { index: batch.bundle, width };
        if width.is_full() {
            self.edge = None;
            self.write(&path, &bytes)?;
        } else {
            // Only the last bundle of a tree is partial.
            self.edge = Some((path, bytes));
        }
        for (coordinate, tile) in &batch.filled {
            let path = TilePath::Hashes { coordinate: *coordinate, width: tile.width() };
            self.write(&path, tile.bytes())?;
        }
        if self.pending.len() >= PENDING_MAX { self.settle() } else { Ok(()) }
    }

    /// Writes the partial tiles of the tree, and makes all of it durable.
    pub(super) fn finish<'a>(
        &mut self,
        edge: impl Iterator<Item = (TileCoordinate, &'a Arc<Tile>)>,
    ) -> Result<(), MirrorError> {
        for (coordinate, tile) in edge {
            let path = TilePath::Hashes { coordinate, width: tile.width() };
            self.write(&path, tile.bytes())?;
        }
        if let Some((path, bytes)) = self.edge.take() {
            let written = self.write(&path, &bytes);
            self.edge = Some((path, bytes));
            written?;
        }
        self.settle()
    }

    /// Deletes the partial forms of the old edge that the new tree has full. A reader who was told of an older
    /// tree finds what it names in the full form; of a tile that is still partial every form stays.
    ///
    /// A crash here leaves some of them: they are true, and in nobody's way.
    pub(super) fn sweep(&self, old: TreeSize, new: TreeSize) -> Result<(), MirrorError> {
        let hashes = edge_tiles(old)
            .filter(|(coordinate, _)| width_of(*coordinate, new).is_some_and(Width::is_full))
            .map(|(coordinate, width)| TilePath::Hashes { coordinate, width });
        let index = old.get() / TILE_WIDTH;
        let entries = entries_width(index, new)
            .filter(|width| width.is_full())
            .map(|width| TilePath::Entries { index, width });
        for path in hashes.chain(entries) {
            for partial in self.store.list(&Prefix::partials(&path), None, LIST_NAMES_MAX)? {
                self.store.delete(&partial)?;
            }
        }
        Ok(())
    }

    /// Several threads at a time: file systems write out together what is asked for together.
    fn settle(&mut self) -> Result<(), MirrorError> {
        let each = self.pending.len().div_ceil(SETTLING_MAX).max(1);
        let store = self.store.as_ref();
        let settled: Vec<Result<(), StoreError>> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                self.pending.chunks(each).map(|names| scope.spawn(move || store.settle(names))).collect();
            // A panic in there is one here.
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
                .collect()
        });
        settled.into_iter().collect::<Result<(), StoreError>>()?;
        self.pending.clear();
        Ok(())
    }

    fn write(&mut self, path: &TilePath, bytes: &[u8]) -> Result<(), StoreError> {
        let name = Name::tile(path);
        match self.store.create_pending(&name, bytes)? {
            Created::New | Created::Equal => self.pending.push(name),
            Created::Different => {
                tracing::warn!(%name, "the file was torn or altered; the verified one takes its place");
                self.store.replace_from_batch(&name, bytes)?;
            }
        }
        Ok(())
    }
}

fn unreadable(log: &dyn Log, bundle: u64) -> SourceError {
    SourceError::Damaged { name: log.name(), path: format!("bundle {bundle}") }
}
