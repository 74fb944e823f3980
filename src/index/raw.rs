//! How fast sled itself takes what the index writes: the measure for building the index again.
//!
//! The same keys and values in the same order, into an empty folder with the same settings.
//! Only the writing is timed: reading the log, parsing entries and looking up events are left out.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use undersigned_tlog::tile::TILE_WIDTH;
use undersigned_tlog::tree::TreeSize;

use super::writer::{Chunk, Writer, parsed};
use super::{IndexError, open_empty};
use crate::tiles::LogReader;

/// How many bundles are turned into keys and values before these are written: some MB.
const BUNDLES_AHEAD: usize = 64;

/// What was written, and in which time.
#[derive(Debug, Clone, Copy)]
pub struct RawWrites {
    /// Keys and values.
    pub inserts: u64,
    /// Of the writing alone.
    pub elapsed: Duration,
}

/// Writes what the index holds of the first `entries` entries.
///
/// # Errors
/// The log cannot be read, or sled failed.
pub fn write_raw(
    path: &Path,
    reader: &Arc<LogReader>,
    size: TreeSize,
    entries: u64,
) -> Result<RawWrites, IndexError> {
    let mut writer = Writer {
        db: open_empty(path)?,
        reader: Arc::clone(reader),
        covered: watch::channel(0).0,
        stop: Arc::new(AtomicBool::new(false)),
        threads: Box::new(|_| None),
        // Never cleared here, so that no event is looked up in sled.
        pending: HashMap::new(),
    };
    let mut raw = RawWrites { inserts: 0, elapsed: Duration::ZERO };
    let bundles: Vec<u64> = (0..entries.div_ceil(TILE_WIDTH)).collect();
    for bundles in bundles.chunks(BUNDLES_AHEAD) {
        let pairs = writer.pairs(bundles, size, entries)?;
        raw.inserts = raw.inserts.saturating_add(u64::try_from(pairs.len()).unwrap_or(0));
        let begun = Instant::now();
        for (key, value) in pairs {
            writer.db.insert(key, value)?;
        }
        raw.elapsed = raw.elapsed.saturating_add(begun.elapsed());
    }
    Ok(raw)
}

impl Writer {
    /// The keys and values of some bundles, as far as they lie below `entries`.
    fn pairs(&mut self, bundles: &[u64], size: TreeSize, entries: u64) -> Result<Chunk, IndexError> {
        let mut pairs = Chunk::new();
        for bundle in bundles {
            let read =
                self.reader.bundle(*bundle, size).map_err(|error| IndexError::Log(error.to_string()))?;
            let first = bundle.saturating_mul(TILE_WIDTH);
            for (index, bytes) in (first..entries).zip(read.iter()) {
                self.index_entry(&mut pairs, index, &parsed(index, bytes)?)?;
            }
        }
        Ok(pairs)
    }
}
