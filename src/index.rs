//! The index: where to find what the log holds, by hash, by party, by statement, by domain.
//!
//! Kept in sled, and **a cache that can be thrown away**: it holds nothing that the tiles do not, it
//! decides nothing, and the append path never waits for it. sled's flush is not durable on Linux, so
//! nothing here asks it to be: a marker that is written after a clean close, and taken away before the
//! next opening, says whether the folder may be used again; anything odd means that it is built anew.
//! Written behind the log in chunks; the size and root that it covers are written when it is closed, as an
//! index that was not closed is of no use.
//!
//! Every reader asks with the size of the tree it answers for, and waits until the index covers it, so
//! that no answer is stale.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;
use undersigned_registry::id::EventHash;
use undersigned_registry::record::Status;
use undersigned_tlog::tree::TreeSize;

use crate::store::{Name, Store, StoreError};
use crate::tiles::LogReader;

mod lists;
mod raw;
mod writer;

pub use raw::{RawWrites, write_raw};
use writer::Writer;

/// sled's page cache, as sled counts it: by what pages take on the disk. In memory it is more than ten times that, so
/// that 64 MiB never filled and a million entries took 480 MB. A smaller one reads pages again, which costs processor
/// time: with 12 MiB a third more for each insert once there are a million entries.
const CACHE_BYTES: u64 = 12 << 20;

/// How long a reader waits for the index to cover its tree.
pub const WAIT_MAX: Duration = Duration::from_secs(2);

/// What the marker says after a close in order.
const CLOSED: &[u8] = b"closed in order\n";
/// What it says while the index is open, and so after any other end.
const OPEN: &[u8] = b"open\n";

/// What the index cannot answer.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// It does not cover the tree yet.
    #[error("the index covers {covered} of {wanted} entries and is catching up")]
    Behind {
        /// How many entries it covers.
        covered: u64,
        /// How many the answer needs.
        wanted: u64,
    },
    /// sled failed or its content is not what was written.
    #[error("the index is damaged: {0}\nit is built anew at the next start")]
    Damaged(String),
    /// The log that it is built from cannot be read.
    #[error("the log cannot be read: {0}")]
    Log(String),
}

impl From<sled::Error> for IndexError {
    fn from(error: sled::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// One party on the list of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// The entry that created the party.
    pub party_entry: u64,
    /// The newest entry of the thread, in the tree asked for.
    pub entry: u64,
    /// The newest endorsement in it, if there was one.
    pub endorsed: Option<u64>,
    /// Whether it stands.
    pub status: Status,
}

/// The kinds of keys; the first byte of each.
mod kind {
    pub(super) const ENTRY: u8 = b'e';
    pub(super) const DOMAIN: u8 = b'd';
    pub(super) const SLUG: u8 = b'g';
    pub(super) const STATEMENT: u8 = b's';
    pub(super) const VERSION: u8 = b'v';
    pub(super) const THREAD: u8 = b't';
    pub(super) const PARTY: u8 = b'p';
    /// What ends by itself, by the second at which it does not stand any more, version id and party id.
    pub(super) const DUE: u8 = b'u';
    pub(super) const COVERED: u8 = b'0';
}

const ENDORSED: &[u8] = &[1];
const WITHDRAWN: &[u8] = &[0];
const LAPSED: &[u8] = &[2];

/// The index. Cheap to share.
#[derive(Debug)]
pub struct Index {
    db: sled::Db,
    covered: watch::Receiver<u64>,
}

/// What a new entry adds that only endorses or withdraws, from whoever made it: the law knew its party and its
/// version, so that nothing has to be read or looked up again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thread {
    /// The hash of its event.
    pub event: EventHash,
    /// The entry that created the party.
    pub party: u64,
    /// The entry that published the version.
    pub version: u64,
    /// Whether it endorses, without an end; otherwise it withdraws.
    pub endorses: bool,
}

/// Finds what a new entry adds; none says nothing, and the entry itself is read.
pub type Threads = Box<dyn Fn(u64) -> Option<Thread> + Send>;

/// The loop that writes the index.
#[derive(Debug)]
pub struct Indexer {
    /// Says at its end whether the index holds what it covers.
    thread: JoinHandle<bool>,
    stop: Arc<AtomicBool>,
    wake: watch::Sender<()>,
}

fn marker() -> Result<Name, IndexError> {
    Name::private("index-clean").map_err(|error| IndexError::Damaged(error.to_string()))
}

fn store_error(error: StoreError) -> IndexError {
    IndexError::Log(error.to_string())
}

/// Whether the last process that had the index ended in order.
///
/// # Errors
/// The store failed.
pub fn ended_in_order(store: &dyn Store) -> Result<bool, IndexError> {
    Ok(store.get(&marker()?).map_err(store_error)?.as_deref() == Some(CLOSED))
}

/// Says that the index is to be built anew at the next start.
///
/// # Errors
/// The store failed.
pub fn distrust(store: &dyn Store) -> Result<(), IndexError> {
    // Written over, not deleted: what was deleted may come back with a power cut.
    store.put_marker(&marker()?, OPEN).map_err(store_error)
}

/// Opens the index of a log, or begins a new one, and starts the loop that writes it.
///
/// # Errors
/// No index can be opened at this path, not even an empty one.
pub fn start(
    path: &Path,
    reader: Arc<LogReader>,
    threads: Threads,
    published: watch::Receiver<TreeSize>,
) -> Result<(Arc<Index>, Indexer), IndexError> {
    let store = reader.store();
    let trusted = ended_in_order(store)?;
    // From here on a crash means that the folder is not trusted.
    distrust(store)?;
    let size = *published.borrow();
    let usable = if trusted { open_usable(path, &reader, size) } else { None };
    let (db, covered) = match usable {
        Some(usable) => usable,
        None => (open_empty(path)?, 0),
    };
    tracing::info!(covered, of = size.get(), "index opened");
    let (covered_sender, covered_receiver) = watch::channel(covered);
    let stop = Arc::new(AtomicBool::new(false));
    let (wake, woken) = watch::channel(());
    let writer = Writer {
        db: db.clone(),
        reader,
        threads,
        covered: covered_sender,
        stop: Arc::clone(&stop),
        pending: HashMap::new(),
    };
    let thread = std::thread::Builder::new()
        .name("index".to_owned())
        .spawn(move || writer.run(published, woken))
        .map_err(|error| IndexError::Damaged(error.to_string()))?;
    Ok((Arc::new(Index { db, covered: covered_receiver }), Indexer { thread, stop, wake }))
}

fn config(path: &Path) -> sled::Config {
    sled::Config::new().path(path).cache_capacity(CACHE_BYTES).flush_every_ms(None)
}

/// Opens an index that was closed in order, if it covers a beginning of this very log.
fn open_usable(path: &Path, reader: &LogReader, size: TreeSize) -> Option<(sled::Db, u64)> {
    // sled can panic on what a power cut left; the marker makes that unlikely, this makes it harmless.
    let opened = catch_unwind(AssertUnwindSafe(|| -> Option<(sled::Db, u64)> {
        let db = config(path).open().ok()?;
        let value = db.get([kind::COVERED]).ok()??;
        let (covered, root) = value.split_at_checked(8)?;
        let covered = number(covered)?;
        let fits =
            covered <= size.get() && reader.root(TreeSize::new(covered), size).ok()?.as_bytes() == root;
        fits.then_some((db, covered))
    }));
    let usable = opened.ok().flatten();
    if usable.is_none() {
        tracing::warn!("the index does not belong to this log or is damaged; it is built anew");
    }
    usable
}

/// Puts aside whatever is there and begins anew.
fn open_empty(path: &Path) -> Result<sled::Db, IndexError> {
    clear(path).map_err(|error| IndexError::Damaged(error.to_string()))?;
    let path: PathBuf = path.to_owned();
    catch_unwind(AssertUnwindSafe(move || config(&path).open()))
        .map_err(|_| IndexError::Damaged("it cannot be created".to_owned()))?
        .map_err(IndexError::from)
}

/// Empties a folder; the folder itself stays, since it may be a mount.
fn clear(path: &Path) -> std::io::Result<()> {
    let items = match std::fs::read_dir(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        items => items?,
    };
    for item in items {
        let item = item?;
        if item.file_type()?.is_dir() {
            std::fs::remove_dir_all(item.path())?;
        } else {
            std::fs::remove_file(item.path())?;
        }
    }
    Ok(())
}

impl Indexer {
    /// Ends the loop and closes the index; if the whole node ends in order, says so to the next start.
    pub fn stop(self, store: &dyn Store, index: Arc<Index>, in_order: bool) {
        self.stop.store(true, Ordering::SeqCst);
        self.wake.send_replace(());
        if !self.thread.join().unwrap_or(false) {
            return;
        }
        let flushed = index.db.flush();
        drop(index);
        if let (true, Ok(_), Ok(marker)) = (in_order, flushed, marker())
            && let Err(error) = store.put_marker(&marker, CLOSED)
        {
            tracing::warn!(%error, "the index will be built anew at the next start");
        }
    }
}

fn key(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = vec![kind];
    parts.iter().for_each(|part| key.extend_from_slice(part));
    key
}

fn number(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}
