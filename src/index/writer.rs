//! The loop that writes the index behind the log, chunk by chunk.

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sled::IVec;
use tokio::sync::watch;
use undersigned_registry::entry::Entry;
use undersigned_registry::event::{Body, event_hash};
use undersigned_registry::id::EventHash;
use undersigned_registry::rules::TICK_LAPSES_MAX;
use undersigned_tlog::hash::HASH_BYTES;
use undersigned_tlog::tile::TILE_WIDTH;
use undersigned_tlog::tree::TreeSize;

use super::{ENDORSED, IndexError, LAPSED, Thread, Threads, WITHDRAWN, key, kind};
use crate::telemetry::meters;
use crate::tiles::LogReader;

/// The most operations until readers are told of them, and of one batch: larger ones cost sled gigabytes of memory.
const CHUNK_OPERATIONS_MAX: usize = 256;

pub(super) struct Writer {
    pub(super) db: sled::Db,
    pub(super) reader: Arc<LogReader>,
    pub(super) threads: Threads,
    pub(super) covered: watch::Sender<u64>,
    pub(super) stop: Arc<AtomicBool>,
    /// Event hashes of the chunk in the making, which sled does not know yet.
    pub(super) pending: HashMap<EventHash, u64>,
}

impl Writer {
    pub(super) fn run(mut self, published: watch::Receiver<TreeSize>, woken: watch::Receiver<()>) -> bool {
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
    pub(super) fn index_entry(
        &mut self,
        chunk: &mut Chunk,
        index: u64,
        entry: &Entry,
    ) -> Result<(), IndexError> {
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
pub(super) type Chunk = Vec<(Vec<u8>, IVec)>;

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

pub(super) fn parsed(index: u64, bytes: &[u8]) -> Result<Entry, IndexError> {
    Entry::parse(bytes).map_err(|error| IndexError::Log(format!("entry {index}: {error}")))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::index::{number, open_empty};
    use crate::store::MemoryStore;

    /// Whoever made an entry and whoever reads it write the same keys and values.
    #[test]
    fn a_thread_that_is_told_is_the_one_that_is_read() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let vectors = include_str!("../../tests/vectors/registry/logs.json");
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
