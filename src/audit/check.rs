//! The part of an audit that needs no facts, on every core: reading, hashing, parsing, signatures.
//!
//! Each thread takes every n-th bundle and hands it on through a channel of its own, so that the one who
//! replays takes them in the order of the log and nobody runs far ahead.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Scope, available_parallelism};

use undersigned_registry::entry::{Entry, leaf};
use undersigned_registry::envelope::CheckedEnvelope;
use undersigned_registry::ledger::Deviation;
use undersigned_tlog::hash::Hash;
use undersigned_tlog::tile::{TILE_WIDTH, TileCoordinate, entries_width};
use undersigned_tlog::tree::TreeSize;

use super::source::{Source, SourceError};

/// A bundle that was read, with what could be checked of it alone.
#[derive(Debug)]
pub(super) struct Portion {
    /// How many entries at its beginning were audited before.
    pub(super) skipped: usize,
    /// The number of the bundle.
    pub(super) index: u64,
    /// All its entries, as far as the tree has them.
    pub(super) bundle: Vec<Vec<u8>>,
    /// The leaf hash of every entry that was audited before.
    pub(super) before: Vec<Hash>,
    /// The leaf hash of every other entry.
    pub(super) leaves: Vec<Hash>,
    /// The tile of leaf hashes that the source serves for the bundle.
    pub(super) tile: Vec<u8>,
    /// The entries up to and including the first that is wrong by itself.
    pub(super) entries: Vec<Result<CheckedEntry, Deviation>>,
}

/// An entry whose signatures hold.
#[derive(Debug)]
pub(super) struct CheckedEntry {
    pub(super) envelope: CheckedEnvelope,
    pub(super) received: u64,
    pub(super) state: Hash,
}

/// The bundles of a tree, in order.
#[derive(Debug)]
pub(super) struct Portions {
    receivers: Vec<Receiver<Result<Portion, SourceError>>>,
    next: usize,
}

/// How many bundles of one thread may wait: with the one in its hands, and entries of about 1.2 kB that
/// take 4 times that when parsed and kept, some 4 MB for each thread; at most 3 x 34 MB if every entry is as
/// large as can be.
const WAITING_MAX: usize = 2;

/// The most threads: more only wait for the one who replays.
const THREADS_MAX: usize = 32;

impl Portions {
    /// Starts reading. The threads end when all is read, at the first bundle that cannot be, or when this
    /// value is dropped.
    pub(super) fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        source: &'scope dyn Source,
        from: u64,
        size: TreeSize,
    ) -> Self {
        let threads = available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
        let receivers = (0_u64..)
            .take(threads)
            .map(|first| {
                let (sender, receiver) = sync_channel(WAITING_MAX);
                scope.spawn(move || read_all(source, from, size, first, threads, &sender));
                receiver
            })
            .collect();
        Self { receivers, next: 0 }
    }
}

impl Iterator for Portions {
    type Item = Result<Portion, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        let portion = self.receivers.get(self.next)?.recv().ok()?;
        self.next = (self.next + 1) % self.receivers.len();
        Some(portion)
    }
}

fn read_all(
    source: &dyn Source,
    from: u64,
    size: TreeSize,
    first: u64,
    threads: usize,
    sender: &SyncSender<Result<Portion, SourceError>>,
) {
    // Nothing is left where the audited tree ends where this one does.
    let bundle_count = if from < size.get() { size.get().div_ceil(TILE_WIDTH) } else { 0 };
    let first = (from / TILE_WIDTH).saturating_add(first);
    for index in (first..bundle_count).step_by(threads) {
        let portion = read(source, from, size, index);
        let failed = portion.is_err();
        // Nobody takes it any more: the audit has ended.
        if sender.send(portion).is_err() || failed {
            return;
        }
    }
}

fn read(source: &dyn Source, from: u64, size: TreeSize, index: u64) -> Result<Portion, SourceError> {
    let outside = || SourceError::Missing { name: source.name(), path: format!("bundle {index}") };
    // Every index below the bundle count lies in the tree, and level 0 exists.
    let width = entries_width(index, size).ok_or_else(outside)?;
    let coordinate = TileCoordinate::new(0, index).ok_or_else(outside)?;
    let bundle = source.bundle(index, width)?;
    let tile = source.tile(coordinate, width)?;
    // Only the bundle in which the audited tree ended has entries before it.
    let skipped = from.saturating_sub(index.saturating_mul(TILE_WIDTH));
    let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
    let (audited, left) = bundle.split_at_checked(skipped).unwrap_or_default();
    let leaves_of = |entries: &[Vec<u8>]| entries.iter().map(|entry| leaf(entry)).collect();
    let (before, leaves) = (leaves_of(audited), leaves_of(left));
    let mut entries = Vec::with_capacity(left.len());
    for bytes in left {
        let checked = check(bytes);
        let wrong = checked.is_err();
        entries.push(checked);
        if wrong {
            break;
        }
    }
    Ok(Portion { skipped, index, bundle, before, leaves, tile, entries })
}

fn check(bytes: &[u8]) -> Result<CheckedEntry, Deviation> {
    let Entry { envelope, received, state, .. } = Entry::parse(bytes)?;
    Ok(CheckedEntry { envelope: envelope.check()?, received, state })
}
