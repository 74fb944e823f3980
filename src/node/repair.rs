//! Repairs that an operator asks for by name: a guard that was lost, a batch that cannot be applied.
//!
//! Follows `docs/spec/storage.md`, rules SO-32 and SO-33. Neither of them can make the
//! log sign two histories: a guard is made only where there is none, only at a head that the log key is seen
//! to have signed, and the next start checks the whole log against it; and a batch is moved away only if
//! no head above it was ever signed.

use std::path::PathBuf;
use std::sync::Arc;

use undersigned_tlog::checkpoint::SignedCheckpoint;
use undersigned_tlog::hash::Hash;
use undersigned_tlog::tree::TreeSize;

use super::{NodeError, Opened, Place, open_folder};
use crate::clock::Clock;
use crate::index;
use crate::sequencer::{self, Orphans, RecoverError, RegistryLaw};
use crate::signer::{Guard, Head, Signer};
use crate::store::{Created, LIST_NAMES_MAX, Name, Prefix, Store, StoreError};
use crate::tiles::LogReader;

/// Where batches go that are set aside, below `private/`.
const ASIDE: &str = "set-aside";

/// A checkpoint that somebody else kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Where it comes from, for messages.
    pub source: String,
    /// The signed checkpoint. Unverified.
    pub bytes: Vec<u8>,
}

/// A guard that was made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardMade {
    /// Its folder.
    pub path: PathBuf,
    /// Its size.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// Each checkpoint that was looked at, with its size, and whether the tiles here give its root.
    pub seen: Vec<(String, u64, bool)>,
}

/// A batch that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aside {
    /// Its name until now.
    pub from: String,
    /// Its name from now on.
    pub to: String,
    /// Why it could not be applied; none if nothing led to it.
    pub reason: Option<String>,
}

/// Why nothing was repaired.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// The folder cannot be opened, or something else is wrong with it.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A checkpoint is not one of this log.
    #[error(
        "{source_name} is no checkpoint that this log's key signed: {reason}\ngive checkpoints or receipts of this log, as they were published; no guard was made"
    )]
    Checkpoint {
        /// Where it comes from.
        source_name: String,
        /// What is wrong.
        reason: String,
    },
    /// The log key signed two trees.
    #[error(
        "{source_name} has another tree of size {size} than {other}\nthe log key signed two histories or the tiles are damaged: keep both files, do not serve this folder; no guard was made"
    )]
    Fork {
        /// Where the one comes from.
        source_name: String,
        /// The size.
        size: TreeSize,
        /// Where the other comes from.
        other: String,
    },
}

macro_rules! from_node {
    ($($error:ty),*) => {$(
        impl From<$error> for RepairError {
            fn from(error: $error) -> Self {
                Self::Node(error.into())
            }
        }
    )*};
}
from_node!(
    StoreError,
    crate::signer::GuardError,
    crate::store::NameError,
    sequencer::Stopped,
    index::IndexError
);

/// Makes a guard that was lost again, at the newest head that the published checkpoint or one of `shown`
/// proves to have been signed.
///
/// The next start holds the whole log against it, so that a folder that ends before it, or has another
/// tree, is refused then as it would have been under the old guard.
///
/// # Errors
/// There is a guard, a checkpoint is not of this log, or two of them contradict each other or the tiles.
pub fn restore_guard(place: &Place, shown: &[Shown]) -> Result<GuardMade, RepairError> {
    let Opened { store, origin, log_key, .. } = open_folder(place)?;
    let key = log_key.verifier_key().clone();
    let store: Arc<dyn Store> = Arc::new(store);
    let mut shown = shown.to_vec();
    // An empty one is what a power cut leaves.
    let own = store.get(&Name::checkpoint())?.filter(|bytes| bytes.iter().any(|byte| *byte != 0));
    shown.extend(own.map(|bytes| Shown { source: Name::checkpoint().to_string(), bytes }));
    let mut heads: Vec<(String, Head)> = Vec::new();
    for Shown { source, bytes } in shown {
        let opened =
            SignedCheckpoint::open(&bytes, Some(&origin), std::slice::from_ref(&key)).map_err(|error| {
                RepairError::Checkpoint { source_name: source.clone(), reason: error.to_string() }
            })?;
        let head = Head { size: opened.size(), root: *opened.root() };
        let other = heads.iter().find(|(_, other)| other.size == head.size && other.root != head.root);
        if let Some((other, _)) = other {
            return Err(RepairError::Fork { source_name: source, size: head.size, other: other.clone() });
        }
        heads.push((source, head));
    }
    let newest = heads.iter().map(|(_, head)| *head).max_by_key(|head| head.size).unwrap_or(Head::empty());
    let reader = LogReader::new(Arc::clone(&store));
    let mut seen = Vec::new();
    for (source, head) in heads {
        // Where tiles are missing or torn nothing is said here; the next start applies the batches first.
        let root = reader.root(head.size, head.size).ok();
        if root.is_some_and(|root| root != head.root) {
            let other = "the tiles of this folder".to_owned();
            return Err(RepairError::Fork { source_name: source, size: head.size, other });
        }
        seen.push((source, head.size.get(), root.is_some()));
    }
    Guard::restore(&place.guard(), &origin, newest)?;
    Ok(GuardMade { path: place.guard(), size: newest.size.get(), root: newest.root, seen })
}

/// Sets aside the batch above everything that was signed that keeps the log from starting, and those
/// above it, or else the strays above the end of the log. What is set aside stays in the folder.
///
/// # Errors
/// The log does not start for another reason, which is returned.
pub fn set_batch_aside(place: &Place, clock: Arc<dyn Clock>) -> Result<Vec<Aside>, RepairError> {
    let Opened { store, origin, log_key, .. } = open_folder(place)?;
    let guard = Guard::open(&place.guard(), &origin)?;
    let signer = Signer::new(log_key, origin, guard);
    let store: Arc<dyn Store> = Arc::new(store);
    let orphans = if index::ended_in_order(store.as_ref())? { Orphans::None } else { Orphans::Sweep };
    // The same steps as a start: whatever leads up to the batch is applied, and then it is met.
    let (end, reason) = match sequencer::start(Arc::clone(&store), RegistryLaw::new(), signer, clock, orphans)
    {
        Ok(running) => {
            let end = running.published().borrow().head.size.get();
            running.stop()?;
            (end, None)
        }
        Err(RecoverError::Batch { name, reason, signed: false }) => {
            (name.batch_old_size().unwrap_or(u64::MAX), Some((name, reason)))
        }
        Err(other) => return Err(NodeError::from(other).into()),
    };
    let mut aside = Vec::new();
    for name in batches_from(store.as_ref(), end)? {
        let Some(bytes) = store.get(&name)? else { continue };
        let to = Name::private(&format!(
            "{ASIDE}/{:020}-{}",
            name.batch_old_size().unwrap_or(end),
            digest(&bytes)
        ))?;
        // Named by its content, so whatever is there has these bytes, or an accident of the disk.
        match store.create(&to, &bytes)? {
            Created::New | Created::Equal => {}
            Created::Different => {
                return Err(StoreError::Unreadable {
                    subject: to.to_string(),
                    source: "it has other bytes than its name says".into(),
                }
                .into());
            }
        }
        // A crash here leaves the batch under both names: the command is run again.
        store.delete(&name)?;
        let why = reason.as_ref().filter(|(failed, _)| *failed == name).map(|(_, reason)| reason.clone());
        aside.push(Aside { from: name.to_string(), to: to.to_string(), reason: why });
    }
    Ok(aside)
}

fn digest(bytes: &[u8]) -> String {
    undersigned_tlog::hash::sha256(&[bytes]).to_hex().chars().take(16).collect()
}

/// The batches at and above a size.
fn batches_from(store: &dyn Store, size: u64) -> Result<Vec<Name>, StoreError> {
    let mut names: Vec<Name> = Vec::new();
    let mut after = size.checked_sub(1).map(Name::batch);
    loop {
        let page = store.list(&Prefix::batches(), after.as_ref(), LIST_NAMES_MAX)?;
        let is_last = page.len() < LIST_NAMES_MAX;
        after = page.last().cloned();
        names.extend(page);
        if is_last {
            return Ok(names);
        }
    }
}
