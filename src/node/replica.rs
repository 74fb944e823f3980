//! A folder with a log that somebody else extends and has verified, opened to be read: state, index and
//! published tree, without a sequencer, a signer or a key. A mirror is served by it.
//!
//! It is told of each checkpoint once everything that it names is durable, and follows the entries from the
//! folder itself. Their signatures were checked by who stored them; each must still state the state root that
//! follows.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::watch;
use undersigned_registry::id::RegistryId;
use undersigned_registry::ledger::Ledger;
use undersigned_registry::verify::Trust;
use undersigned_tlog::checkpoint::{Origin, SignedCheckpoint};
use undersigned_tlog::edge::{Frontier, FrontierError, Recent};
use undersigned_tlog::tile::TILE_WIDTH;
use undersigned_tlog::tree::TreeSize;

use super::{Handle, INDEX, NodeError, Shared, Upstream, trust_policy};
use crate::index::{self, Index, Indexer};
use crate::publish::{Published, RecentEntries};
use crate::sequencer::{self, Intake, Law as _, RegistryLaw};
use crate::signer::Head;
use crate::store::Store;
use crate::tiles::{LogReader, ReadError, read_tile};

/// Why a copy cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ReplicaError {
    /// The node around it.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A file of the copy cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// An entry of the copy does not follow, although it did when it was stored.
    #[error(
        "entry {index} of the copy does not follow: {reason}\nthe disk or the memory is at fault: check both, then start it again"
    )]
    Entry {
        /// Its index.
        index: u64,
        /// What does not hold.
        reason: String,
    },
    /// The tiles of the copy do not have the root of its checkpoint.
    #[error(
        "the tiles of the copy do not have the root of the checkpoint of {size} entries\nthe disk is at fault: check it, then start it again"
    )]
    Root {
        /// The size.
        size: TreeSize,
    },
}

/// A copy that is served.
#[derive(Debug)]
pub struct Replica {
    law: Arc<Mutex<RegistryLaw>>,
    intake: Intake<RegistryLaw>,
    published: watch::Sender<Arc<Published>>,
    sizes: watch::Sender<TreeSize>,
    stopped: watch::Sender<bool>,
    recent_entries: Arc<RecentEntries<Arc<sequencer::Cut>>>,
    registry: RegistryId,
    policy: String,
    log_key: String,
    upstream: Arc<Upstream>,
    store: Arc<dyn Store>,
    reader: Arc<LogReader>,
    index: Arc<Index>,
    indexer: Indexer,
    questions: JoinHandle<()>,
}

impl Replica {
    /// Opens the copy in a store as of a checkpoint; `ledger` is the state after some of its entries.
    ///
    /// # Errors
    /// The trust anchor names no registry, or the copy cannot be read.
    pub fn open(
        folder: &Path,
        store: Arc<dyn Store>,
        trust: &Trust,
        ledger: Ledger,
        checkpoint: (&SignedCheckpoint, &[u8]),
        upstream: Upstream,
    ) -> Result<Self, ReplicaError> {
        let (signed, bytes) = checkpoint;
        let registry = trust.registry().cloned();
        let registry = registry.ok_or_else(|| NodeError::NotInitialised { data: folder.to_owned() })?;
        let origin = Origin::new(registry.origin())
            .map_err(|_| NodeError::Origin { origin: registry.origin().to_owned() })?;
        let log_key = trust.policy().log_keys(&origin).first().copied().cloned();
        let log_key = log_key.ok_or_else(|| NodeError::Origin { origin: registry.origin().to_owned() })?;
        let reader = Arc::new(LogReader::new(Arc::clone(&store)));
        let mut law = RegistryLaw::resume(ledger);
        catch_up(&reader, &mut law, signed.size())?;
        let snapshot = Arc::new(snapshot(store.as_ref(), signed, bytes)?);
        let (published, _) = watch::channel(snapshot);
        let (sizes, watched) = watch::channel(signed.size());
        let (stopped, _) = watch::channel(false);
        let (index, indexer) =
            index::start(&folder.join(INDEX), Arc::clone(&reader), Box::new(|_| None), watched)
                .map_err(NodeError::from)?;
        let (intake, law) = (Intake::new(), Arc::new(Mutex::new(law)));
        let questions = {
            let (intake, law, stopped) = (intake.clone(), Arc::clone(&law), stopped.clone());
            let work = move || {
                sequencer::answer(&intake, &law);
                stopped.send_replace(true);
            };
            std::thread::Builder::new()
                .name("questions".to_owned())
                .spawn(work)
                .map_err(|error| NodeError::from(sequencer::RecoverError::Threads(error)))?
        };
        Ok(Self {
            policy: trust_policy(&log_key, &registry)?,
            log_key: log_key.to_string(),
            upstream: Arc::new(upstream),
            recent_entries: Arc::default(),
            law,
            intake,
            published,
            sizes,
            stopped,
            registry,
            store,
            reader,
            index,
            indexer,
            questions,
        })
    }

    /// Publishes a newer checkpoint, of which everything is in the store.
    ///
    /// # Errors
    /// The copy cannot be read or does not follow; what was published before stays.
    pub fn publish(&self, signed: &SignedCheckpoint, bytes: &[u8]) -> Result<(), ReplicaError> {
        let snapshot = Arc::new(snapshot(self.store.as_ref(), signed, bytes)?);
        {
            // Held until it is published: no question is answered from a state that nobody can see yet.
            let mut law = self.law.lock().unwrap_or_else(PoisonError::into_inner);
            catch_up(&self.reader, &mut law, signed.size())?;
            self.published.send_replace(snapshot);
        }
        self.sizes.send_replace(signed.size());
        Ok(())
    }

    /// What handlers share.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle(Arc::new(Shared {
            registry: self.registry.clone(),
            policy: self.policy.as_str().into(),
            log_key: self.log_key.as_str().into(),
            intake: self.intake.clone(),
            published: self.published.subscribe(),
            recent_entries: Arc::clone(&self.recent_entries),
            reader: Arc::clone(&self.reader),
            index: Arc::clone(&self.index),
            stopped: self.stopped.subscribe(),
            store: Arc::clone(&self.store),
            upstream: Some(Arc::clone(&self.upstream)),
        }))
    }

    /// Ends the questions and closes the index.
    pub fn stop(self) {
        self.intake.close();
        let in_order = self.questions.join().is_ok();
        drop(self.reader);
        self.indexer.stop(self.store.as_ref(), self.index, in_order);
    }
}

/// Follows the entries up to a size.
fn catch_up(reader: &LogReader, law: &mut RegistryLaw, size: TreeSize) -> Result<(), ReplicaError> {
    while law.size() < size.get() {
        let first = law.size();
        let entries = reader.bundle(first / TILE_WIDTH, size)?;
        let skipped = usize::try_from(first % TILE_WIDTH).unwrap_or(usize::MAX);
        let left = entries.get(skipped..).unwrap_or_default();
        if left.is_empty() {
            return Err(ReadError::Outside.into());
        }
        for (index, entry) in (first..).zip(left) {
            law.follow(entry, true).map_err(|reason| ReplicaError::Entry { index, reason })?;
        }
    }
    Ok(())
}

/// A published tree, with the tiles of its edge from the store.
fn snapshot(store: &dyn Store, signed: &SignedCheckpoint, bytes: &[u8]) -> Result<Published, ReplicaError> {
    let size = signed.size();
    let edge = Frontier::from_tiles(size, |coordinate, width| read_tile(store, coordinate, width));
    let edge = edge.map_err(|error| match error {
        FrontierError::Fetch(error) => ReplicaError::Read(error),
        FrontierError::TooNarrow { .. } => ReplicaError::Root { size },
    })?;
    if edge.root() != *signed.root() {
        return Err(ReplicaError::Root { size });
    }
    let head = Head { size, root: edge.root() };
    Ok(Published { head, checkpoint: bytes.into(), recent: Recent::new(&edge) })
}
