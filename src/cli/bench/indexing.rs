//! The index behind the log: how far it lies back after the last row, how soon it has caught up, how fast
//! it is built again from the files, and how fast sled itself takes the same.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::sync::watch;
use undersigned_tlog::tree::TreeSize;

use super::super::CliError;
use super::load;
use crate::index;
use crate::node::Place;
use crate::store::{LocalStore, Store};
use crate::tiles::LogReader;

/// How often the server is asked how far its index is.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// An index that has not caught up by then will not.
const DRAIN_MAX: Duration = Duration::from_secs(60);
/// How long the index is built at most; the rate is of what it covers by then.
const REBUILD_MAX: Duration = Duration::from_secs(40);

/// What `/healthz` says, as far as it matters here.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Covered {
    tree_size: u64,
    indexed: u64,
}

/// How the index followed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drain {
    pub(super) lag_entries: u64,
    pub(super) seconds: f64,
    pub(super) size: TreeSize,
}

/// Asks the server for its lag, and again until there is none.
pub(super) fn drain(address: SocketAddr) -> Result<Drain, CliError> {
    let look = || -> Result<Covered, CliError> {
        let answer = load::read_once(address, "/healthz")?;
        serde_json::from_slice(&answer).map_err(CliError::fault)
    };
    let begun = Instant::now();
    let first = look()?;
    let mut last = first;
    while last.indexed < last.tree_size {
        if begun.elapsed() > DRAIN_MAX {
            return Err(CliError::refused(format!(
                "the index covers {} of {} entries and does not catch up\nsee what the server says about it",
                last.indexed, last.tree_size
            )));
        }
        std::thread::sleep(LOOK_EVERY);
        last = look()?;
    }
    Ok(Drain {
        lag_entries: first.tree_size.saturating_sub(first.indexed),
        seconds: begun.elapsed().as_secs_f64(),
        size: TreeSize::new(last.tree_size),
    })
}

/// What building the index again gave.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rebuilt {
    pub(super) entries_per_second: f64,
    /// What sled alone takes of the same inserts.
    pub(super) raw_inserts_per_second: f64,
    pub(super) inserts_per_entry: f64,
}

/// Builds the index of a folder that nobody serves anew, as a start after a crash does, then writes the same
/// into an empty folder.
pub(super) fn rebuild(place: &Place, size: TreeSize, raw: &Path) -> Result<Rebuilt, CliError> {
    let store: Arc<dyn Store> = Arc::new(LocalStore::open(&place.data).map_err(CliError::fault)?);
    let reader = Arc::new(LogReader::new(Arc::clone(&store)));
    index::distrust(store.as_ref()).map_err(CliError::fault)?;
    let (_sizes, published) = watch::channel(size);
    let begun = Instant::now();
    let (index, indexer) = index::start(&place.index(), Arc::clone(&reader), Box::new(|_| None), published)
        .map_err(CliError::fault)?;
    while index.covered() < size.get() && begun.elapsed() < REBUILD_MAX {
        std::thread::sleep(LOOK_EVERY);
    }
    let (entries, elapsed) = (index.covered(), begun.elapsed());
    indexer.stop(store.as_ref(), index, false);
    let raw = index::write_raw(raw, &reader, size, entries).map_err(CliError::fault)?;
    let count = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    Ok(Rebuilt {
        entries_per_second: count(entries) / elapsed.as_secs_f64(),
        raw_inserts_per_second: count(raw.inserts) / raw.elapsed.as_secs_f64(),
        inserts_per_entry: count(raw.inserts) / count(entries.max(1)),
    })
}
