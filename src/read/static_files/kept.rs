//! Whole tiles and bundles that were read lately, in memory, each with the validator of its bytes.
//!
//! They never change, and most readers ask for the same few: one that is kept needs no thread that may block,
//! no file, no check and no hash. It was whole when it was read; what happens to its file later is for the
//! next start, and for who reads the folder.
//!
//! Not here: partial tiles, which are asked for once or twice, and blobs, which can be erased.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::http::HeaderValue;
use undersigned_tlog::tile::{TilePath, Width};

/// What a tile is answered with.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) bytes: Bytes,
    pub(super) validator: HeaderValue,
}

/// Whole tiles and bundles up to a number of bytes; the oldest go first.
#[derive(Debug)]
pub(super) struct Kept {
    bytes_max: usize,
    /// Taken for a lookup or an entry, never across a wait; no other lock is taken under it.
    tiles: Mutex<Tiles>,
}

#[derive(Debug, Default)]
struct Tiles {
    found: HashMap<TilePath, Found>,
    /// The same paths, oldest first.
    order: VecDeque<TilePath>,
    bytes: usize,
}

impl Kept {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, tiles: Mutex::default() }
    }

    pub(super) fn find(&self, path: &TilePath) -> Option<Found> {
        self.tiles().found.get(path).cloned()
    }

    /// Keeps it if it is whole.
    pub(super) fn keep(&self, path: &TilePath, found: &Found) {
        let bytes = found.bytes.len();
        if !is_whole(path) || bytes > self.bytes_max {
            return;
        }
        let mut tiles = self.tiles();
        // Two requests may have read it at the same time.
        if tiles.found.insert(*path, found.clone()).is_some() {
            return;
        }
        tiles.order.push_back(*path);
        tiles.bytes = tiles.bytes.saturating_add(bytes);
        while tiles.bytes > self.bytes_max {
            let Some(oldest) = tiles.order.pop_front() else { break };
            let freed = tiles.found.remove(&oldest).map_or(0, |found| found.bytes.len());
            tiles.bytes = tiles.bytes.saturating_sub(freed);
        }
    }

    fn tiles(&self) -> MutexGuard<'_, Tiles> {
        // A panic between the steps of `keep` leaves at worst a tile that is never the oldest.
        self.tiles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_whole(path: &TilePath) -> bool {
    let (TilePath::Hashes { width, .. } | TilePath::Entries { width, .. }) = path;
    *width == Width::FULL
}
