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

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use sled::IVec;
use tokio::sync::watch;
use undersigned_registry::entry::Entry;
use undersigned_registry::event::{Body, event_hash};
use undersigned_registry::id::EventHash;
use undersigned_registry::record::Status;
use undersigned_registry::rules::TICK_LAPSES_MAX;
use undersigned_tlog::hash::HASH_BYTES;
use undersigned_tlog::tile::TILE_WIDTH;
use undersigned_tlog::tree::TreeSize;

use crate::store::{Name, Store, StoreError};
use crate::telemetry::meters;
use crate::tiles::LogReader;

mod raw;

pub use raw::{RawWrites, write_raw};

/// The most operations until readers are told of them, and of one batch: larger ones cost sled gigabytes of memory.
const CHUNK_OPERATIONS_MAX: usize = 256;

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

struct Writer {
    db: sled::Db,
    reader: Arc<LogReader>,
    threads: Threads,
    covered: watch::Sender<u64>,
    stop: Arc<AtomicBool>,
    /// Event hashes of the chunk in the making, which sled does not know yet.
    pending: HashMap<EventHash, u64>,
}

impl Writer {
    fn run(mut self, published: watch::Receiver<TreeSize>, woken: watch::Receiver<()>) -> bool {
        // Readers are told that it is behind; the next start builds it anew.
        let worked = catch_unwind(AssertUnwindSafe(|| {
            let size = self.follow(published, woken)?;
            self.close(size)
        }));
        let worked = worked.unwrap_or_else(|_| Err(IndexError::Damaged("it panicked".to_owned())));
        if let Err(error) = &worked {
            tracing::error!(%error, "the index stopped");
        }
        worked.is_ok()
    }

    /// Indexes what is published until the log ends or the index is to stop; returns the size it saw last.
    fn follow(
        &mut self,
        mut published: watch::Receiver<TreeSize>,
        mut woken: watch::Receiver<()>,
    ) -> Result<TreeSize, IndexError> {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.map_err(|error| IndexError::Damaged(error.to_string()))?;
        loop {
            let size = *published.borrow_and_update();
            let mut watch = (*self.covered.borrow() < size.get()).then(|| meters::COMMIT_PHASE.watch());
            self.catch_up(size)?;
            if self.stop.load(Ordering::SeqCst) {
                return Ok(size);
            }
            if let Some(watch) = &mut watch {
                watch.lap("index");
            }
            let log_ended = runtime.block_on(async {
                tokio::select! {
                    changed = published.changed() => changed.is_err(),
                    _ = woken.changed() => false,
                }
            });
            if log_ended {
                return Ok(size);
            }
        }
    }

    /// Indexes all entries up to a size, chunk by chunk.
    fn catch_up(&mut self, size: TreeSize) -> Result<(), IndexError> {
        let mut next = *self.covered.borrow();
        let mut chunk = Chunk::new();
        while next < size.get() && !self.stop.load(Ordering::SeqCst) {
            if let Some(thread) = (self.threads)(next) {
                self.index_thread(&mut chunk, next, &thread);
                next += 1;
                if is_full(&chunk) {
                    self.write(&mut chunk, next)?;
                }
                continue;
            }
            let (bundle, entries);
            let found: &mut dyn Iterator<Item = &[u8]> = match self.reader.recent_entry(next) {
                Some(entry) => {
                    entries = [entry];
                    &mut entries.iter().map(|entry| &**entry)
                }
                None => {
                    bundle = self
                        .reader
                        .bundle(next / TILE_WIDTH, size)
                        .map_err(|error| IndexError::Log(error.to_string()))?;
                    let from = usize::try_from(next % TILE_WIDTH).unwrap_or(0);
                    &mut bundle.iter().skip(from).map(Vec::as_slice)
                }
            };
            for bytes in found {
                let entry = parsed(next, bytes)?;
                if let Body::RegistryTick { .. } = entry.envelope.event().body {
                    // What it ends may be in the chunk in the making.
                    self.write(&mut chunk, next)?;
                    self.lapse(next, entry.received)?;
                }
                self.index_entry(&mut chunk, next, &entry)?;
                next += 1;
                if is_full(&chunk) {
                    self.write(&mut chunk, next)?;
                }
            }
        }
        if !chunk.is_empty() {
            self.write(&mut chunk, next)?;
        }
        Ok(())
    }

    /// One by one: a batch of sled's would be whole after a crash, which this index never is, and it wakes
    /// all of sled's threads to write what there is. Readers pass over what lies beyond their tree.
    fn write(&mut self, chunk: &mut Chunk, covered: u64) -> Result<(), IndexError> {
        for (key, value) in chunk.drain(..) {
            self.db.insert(key, value)?;
        }
        self.pending.clear();
        self.covered.send_replace(covered);
        Ok(())
    }

    /// Says what is covered, for the next start. Only now: an index that was not closed is thrown away.
    fn close(&self, size: TreeSize) -> Result<(), IndexError> {
        let covered = *self.covered.borrow();
        let root = self
            .reader
            .root(TreeSize::new(covered), size)
            .map_err(|error| IndexError::Log(error.to_string()))?;
        let mut value = covered.to_be_bytes().to_vec();
        value.extend_from_slice(root.as_bytes());
        self.db.insert([kind::COVERED], value)?;
        Ok(())
    }

    /// The operations of an entry that is known without reading it; the same as [`Self::index_entry`] has.
    fn index_thread(&mut self, chunk: &mut Chunk, index: u64, thread: &Thread) {
        let Thread { event, party, version, endorses } = thread;
        self.pending.insert(*event, index);
        let (at, party, version) = (index.to_be_bytes(), party.to_be_bytes(), version.to_be_bytes());
        let value = if *endorses { ENDORSED } else { WITHDRAWN };
        chunk.extend([
            (key(kind::ENTRY, &[event.hash().as_bytes()]), IVec::from(&at)),
            (key(kind::PARTY, &[&party, &at]), IVec::default()),
            (key(kind::THREAD, &[&version, &party, &at]), IVec::from(value)),
        ]);
    }

    /// The operations of one entry.
    fn index_entry(&mut self, chunk: &mut Chunk, index: u64, entry: &Entry) -> Result<(), IndexError> {
        let event = entry.envelope.event();
        let hash = event_hash(entry.envelope.event_bytes());
        let mut put = |key: Vec<u8>, value: &[u8]| chunk.push((key, IVec::from(value)));
        put(key(kind::ENTRY, &[hash.hash().as_bytes()]), &index.to_be_bytes());
        self.pending.insert(hash, index);
        let at = index.to_be_bytes();
        let party = match event.party {
            Some(party) => Some(self.known(EventHash(party.0))?),
            None => None,
        };
        if let Some(party) = party {
            put(key(kind::PARTY, &[&party, &at]), &[]);
        }
        match &event.body {
            Body::PartyCreate { domain, .. } | Body::RegistryOpen { domain, .. } => {
                put(key(kind::PARTY, &[&at, &at]), &[]);
                if let Some(domain) = domain {
                    put(key(kind::DOMAIN, &[domain.as_bytes(), &[0], &at]), &[]);
                }
            }
            Body::StatementPublish { slug, .. } => {
                put(key(kind::STATEMENT, &[&at]), &[]);
                put(key(kind::SLUG, &[slug.as_bytes()]), &at);
            }
            Body::StatementVersion { statement, .. } => {
                let statement = self.known(EventHash(statement.0))?;
                put(key(kind::VERSION, &[&statement, &at]), &[]);
            }
            Body::Endorse { version, .. } | Body::Withdraw { version, .. } => {
                let version = self.known(EventHash(version.0))?;
                let value = if matches!(event.body, Body::Endorse { .. }) { ENDORSED } else { WITHDRAWN };
                if let Some(party) = party {
                    put(key(kind::THREAD, &[&version, &party, &at]), value);
                }
                if let (Body::Endorse { version: id, not_after: Some(last), .. }, Some(party), Some(of)) =
                    (&event.body, party, &event.party)
                {
                    let ids = [id.hash().as_bytes().as_slice(), of.hash().as_bytes()].concat();
                    put(key(kind::DUE, &[&(last + 1).to_be_bytes(), &ids]), &[version, party, at].concat());
                }
            }
            Body::RegistryPolicy(_) | Body::RegistryTick { .. } | Body::PartyKeys { .. } => {}
        }
        Ok(())
    }

    /// What a tick ends (LA-33): of what is due the first in the order of version id and party id. Found
    /// without the law, as the index has no state: what was withdrawn or endorsed anew is passed over.
    fn lapse(&self, tick: u64, received: u64) -> Result<(), IndexError> {
        let mut lapsing: BTreeMap<[u8; 2 * HASH_BYTES], Due> = BTreeMap::new();
        let mut gone: Vec<IVec> = Vec::new();
        let mut from = key(kind::DUE, &[]);
        let until = key(kind::DUE, &[&received.saturating_add(1).to_be_bytes()]);
        'seconds: loop {
            for item in self.db.range(from.clone()..until.clone()) {
                let (key, value) = item?;
                let (due, ids) = Due::read(&key, &value)?;
                let is_full = lapsing.len() == TICK_LAPSES_MAX;
                if is_full && lapsing.last_key_value().is_some_and(|(last, _)| *last < ids) {
                    // Within a second the ids increase: the others of this one come later, too.
                    from = self::key(kind::DUE, &[&due.second.saturating_add(1).to_be_bytes()]);
                    continue 'seconds;
                }
                if !due.is_head(&self.db)? {
                    gone.push(key);
                    continue;
                }
                lapsing.insert(ids, due);
                if lapsing.len() > TICK_LAPSES_MAX {
                    lapsing.pop_last();
                }
            }
            break;
        }
        let lapsing: Vec<Due> = lapsing.into_values().collect();
        for lapsing in lapsing.chunks(CHUNK_OPERATIONS_MAX / 2) {
            let mut batch = sled::Batch::default();
            for due in lapsing {
                batch.insert(key(kind::THREAD, &[&due.thread, &tick.to_be_bytes()]), LAPSED);
                batch.remove(due.key.clone());
            }
            self.db.apply_batch(batch)?;
        }
        for gone in gone.chunks(CHUNK_OPERATIONS_MAX) {
            let mut batch = sled::Batch::default();
            gone.iter().for_each(|key| batch.remove(key.clone()));
            self.db.apply_batch(batch)?;
        }
        Ok(())
    }

    /// The entry of an event that the law says is in the log already.
    fn known(&self, hash: EventHash) -> Result<[u8; 8], IndexError> {
        if let Some(index) = self.pending.get(&hash) {
            return Ok(index.to_be_bytes());
        }
        let value = self.db.get(key(kind::ENTRY, &[hash.hash().as_bytes()]))?;
        value
            .and_then(|value| <[u8; 8]>::try_from(value.as_ref()).ok())
            .ok_or_else(|| IndexError::Damaged(format!("event {hash} is missing")))
    }
}

/// The most operations of one entry: its hash, two lists, a domain or an end.
const ENTRY_OPERATIONS_MAX: usize = 4;

/// What is written at once, in this order.
type Chunk = Vec<(Vec<u8>, IVec)>;

/// Whether the next entry may have no room any more.
const fn is_full(chunk: &Chunk) -> bool {
    chunk.len() > CHUNK_OPERATIONS_MAX - ENTRY_OPERATIONS_MAX
}

/// An endorsement that ends by itself.
struct Due {
    key: IVec,
    /// The first second at which it does not stand.
    second: u64,
    /// Version and party, by their entries.
    thread: [u8; 16],
    /// The entry that endorsed.
    endorsed: [u8; 8],
}

impl Due {
    fn read(key: &IVec, value: &IVec) -> Result<(Self, [u8; 2 * HASH_BYTES]), IndexError> {
        let damaged = || IndexError::Damaged("what ends by itself".to_owned());
        let (second, ids) = key.get(1..).and_then(|key| key.split_first_chunk::<8>()).ok_or_else(damaged)?;
        let (thread, endorsed) = value.split_first_chunk::<16>().ok_or_else(damaged)?;
        let due = Self {
            key: key.clone(),
            second: u64::from_be_bytes(*second),
            thread: *thread,
            endorsed: endorsed.try_into().map_err(|_| damaged())?,
        };
        Ok((due, ids.try_into().map_err(|_| damaged())?))
    }

    /// Whether nothing has moved the thread since.
    fn is_head(&self, db: &sled::Db) -> Result<bool, IndexError> {
        let newest = db.scan_prefix(key(kind::THREAD, &[&self.thread])).next_back().transpose()?;
        Ok(newest.is_some_and(|(key, _)| key.ends_with(&self.endorsed)))
    }
}

fn parsed(index: u64, bytes: &[u8]) -> Result<Entry, IndexError> {
    Entry::parse(bytes).map_err(|error| IndexError::Log(format!("entry {index}: {error}")))
}

fn key(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = vec![kind];
    parts.iter().for_each(|part| key.extend_from_slice(part));
    key
}

fn number(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}

impl Index {
    /// How many entries it covers.
    #[must_use]
    pub fn covered(&self) -> u64 {
        *self.covered.borrow()
    }

    /// Waits until the index covers a tree.
    ///
    /// # Errors
    /// It does not within [`WAIT_MAX`].
    pub async fn wait_for(&self, size: TreeSize) -> Result<(), IndexError> {
        let mut covered = self.covered.clone();
        let waited = tokio::time::timeout(WAIT_MAX, covered.wait_for(|covered| *covered >= size.get())).await;
        match waited {
            Ok(Ok(_)) => Ok(()),
            _ => Err(IndexError::Behind { covered: self.covered(), wanted: size.get() }),
        }
    }

    /// The entry of an event.
    ///
    /// # Errors
    /// sled failed.
    pub fn entry_of(&self, hash: EventHash) -> Result<Option<u64>, IndexError> {
        let value = self.db.get(key(kind::ENTRY, &[hash.hash().as_bytes()]))?;
        Ok(value.and_then(|value| number(&value)))
    }

    /// The entry that published the statement with this slug.
    ///
    /// # Errors
    /// sled failed.
    pub fn statement_by_slug(&self, slug: &str) -> Result<Option<u64>, IndexError> {
        let value = self.db.get(key(kind::SLUG, &[slug.as_bytes()]))?;
        Ok(value.and_then(|value| number(&value)))
    }

    /// The entries that created the parties which claim a domain, after `after`, up to `limit`.
    ///
    /// # Errors
    /// sled failed.
    pub fn parties_by_domain(
        &self,
        domain: &str,
        size: TreeSize,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<u64>, IndexError> {
        self.numbers(key(kind::DOMAIN, &[domain.as_bytes(), &[0]]), after, size, limit)
    }

    /// The entries that published statements, after `after`, up to `limit`.
    ///
    /// # Errors
    /// sled failed.
    pub fn statements(
        &self,
        size: TreeSize,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<u64>, IndexError> {
        self.numbers(key(kind::STATEMENT, &[]), after, size, limit)
    }

    /// The entries that published the versions of a statement, after `after`, up to `limit`.
    ///
    /// # Errors
    /// sled failed.
    pub fn versions(
        &self,
        statement: u64,
        size: TreeSize,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<u64>, IndexError> {
        self.numbers(key(kind::VERSION, &[&statement.to_be_bytes()]), after, size, limit)
    }

    /// The entry that published the newest version of a statement in a tree.
    ///
    /// # Errors
    /// sled failed.
    pub fn newest_version(&self, statement: u64, size: TreeSize) -> Result<Option<u64>, IndexError> {
        let prefix = key(kind::VERSION, &[&statement.to_be_bytes()]);
        let end = key(kind::VERSION, &[&statement.to_be_bytes(), &size.get().to_be_bytes()]);
        match self.db.range(prefix.clone()..end).next_back() {
            Some(item) => Ok(item?.0.get(prefix.len()..).and_then(number)),
            None => Ok(None),
        }
    }

    /// The entries of a party, after `after`, up to `limit`.
    ///
    /// # Errors
    /// sled failed.
    pub fn entries_of_party(
        &self,
        party: u64,
        size: TreeSize,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<u64>, IndexError> {
        self.numbers(key(kind::PARTY, &[&party.to_be_bytes()]), after, size, limit)
    }

    /// The last eight bytes of the keys with a prefix, where they lie in the tree.
    fn numbers(
        &self,
        prefix: Vec<u8>,
        after: Option<u64>,
        size: TreeSize,
        limit: usize,
    ) -> Result<Vec<u64>, IndexError> {
        let Some(start) = after.map_or(Some(0), |after| after.checked_add(1)) else { return Ok(Vec::new()) };
        let mut first = prefix.clone();
        first.extend_from_slice(&start.to_be_bytes());
        let mut found = Vec::new();
        for item in self.db.range(first..) {
            let (key, _) = item?;
            if found.len() == limit || !key.starts_with(&prefix) {
                break;
            }
            match key.get(prefix.len()..).and_then(number) {
                Some(index) if index < size.get() => found.push(index),
                Some(_) => break,
                None => {}
            }
        }
        Ok(found)
    }

    /// The parties on the list of a version as of a tree size, those after the party `after` first, up to
    /// `limit`: the state of each thread is that of its newest entry in the tree.
    ///
    /// # Errors
    /// sled failed.
    pub fn signatories(
        &self,
        version: u64,
        size: TreeSize,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Listed>, IndexError> {
        let prefix = key(kind::THREAD, &[&version.to_be_bytes()]);
        let Some(start) = after.map_or(Some(0), |after| after.checked_add(1)) else { return Ok(Vec::new()) };
        let mut first = prefix.clone();
        first.extend_from_slice(&start.to_be_bytes());
        let mut found: Vec<Listed> = Vec::new();
        for item in self.db.range(first..) {
            let (key, value): (IVec, IVec) = item?;
            let Some(rest) = key.strip_prefix(prefix.as_slice()) else { break };
            let (Some(party_entry), Some(entry)) =
                (rest.get(..8).and_then(number), rest.get(8..).and_then(number))
            else {
                return Err(IndexError::Damaged("a key of a thread".to_owned()));
            };
            if entry >= size.get() {
                continue;
            }
            let endorses = value.as_ref() == ENDORSED;
            let status = if endorses { Status::Active } else { Status::Withdrawn };
            let listed = found.last_mut().filter(|last| last.party_entry == party_entry);
            if value.as_ref() == LAPSED {
                // Time moves the status, and the head of the thread stays.
                if let Some(last) = listed {
                    last.status = Status::Lapsed;
                }
            } else if let Some(last) = listed {
                last.entry = entry;
                last.status = status;
                last.endorsed = if endorses { Some(entry) } else { last.endorsed };
            } else if found.len() == limit {
                break;
            } else {
                found.push(Listed { party_entry, entry, endorsed: endorses.then_some(entry), status });
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::store::MemoryStore;

    /// Whoever made an entry and whoever reads it write the same keys and values.
    #[test]
    fn a_thread_that_is_told_is_the_one_that_is_read() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let vectors = include_str!("../tests/vectors/registry/logs.json");
        let vectors: Value = serde_json::from_str(vectors).expect("the vectors are JSON");
        let mut compared = 0;
        for (log, vector) in vectors["logs"].as_array().expect("logs").iter().enumerate() {
            let mut writer = Writer {
                db: open_empty(&folder.path().join(log.to_string())).expect("an empty index"),
                reader: Arc::new(LogReader::new(Arc::new(MemoryStore::new()))),
                threads: Box::new(|_| None),
                covered: watch::channel(0).0,
                stop: Arc::default(),
                pending: HashMap::new(),
            };
            for (index, item) in (0u64..).zip(vector["entries"].as_array().expect("entries")) {
                let bytes = item["entry"].as_str().expect("an entry's text").as_bytes();
                let entry = parsed(index, bytes).expect("an entry");
                let (mut read, mut told) = (Chunk::new(), Chunk::new());
                writer.index_entry(&mut read, index, &entry).expect("what it names is known");
                let event = entry.envelope.event();
                let (version, endorses) = match &event.body {
                    Body::Endorse { version, not_after: None, .. } => (version, true),
                    Body::Withdraw { version, .. } => (version, false),
                    _ => continue,
                };
                let place = |hash| number(&writer.known(EventHash(hash)).expect("it is known"));
                let thread = Thread {
                    event: event_hash(entry.envelope.event_bytes()),
                    party: place(event.party.expect("a party").0).expect("a number"),
                    version: place(version.0).expect("a number"),
                    endorses,
                };
                writer.index_thread(&mut told, index, &thread);
                assert_eq!(told, read, "entry {index} of log {log}");
                compared += 1;
            }
        }
        assert!(compared > 0, "the vectors have endorsements");
    }
}
