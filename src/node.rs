//! A node: one data folder, opened, recovered and running, with everything that answers from it.
//!
//! The rooms meet here and nowhere else: store, signer, sequencer, index. `init` makes a folder that can
//! be opened; opening never makes a log. `replica` opens a folder that somebody else extends.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;
use undersigned_registry::envelope::{Envelope, Submission};
use undersigned_registry::event::{Admission, BlobRef, Body, Event, Name as PartyName, NewKey, Policy};
use undersigned_registry::id::RegistryId;
use undersigned_registry::json::{self, ObjectWriter, Value};
use undersigned_registry::key::{KeyType, Role};
use undersigned_tlog::checkpoint::Origin;
use undersigned_tlog::hash::Hash;
use undersigned_tlog::note::{NoteSigner, VerifierKey};
use undersigned_tlog::policy::Policy as TrustPolicy;

use crate::admission;
use crate::clock::Clock;
use crate::disk::{DiskError, Folder};
use crate::index::{self, Index, IndexError, Indexer};
use crate::keyring::{self, KeyError, PartyKey};
use crate::publish::Published;
use crate::sequencer::{self, CutThread, NotLogged, Orphans, RecoverError, RegistryLaw, Running, Stopped};
use crate::signer::{Guard, GuardError, Signer};
use crate::store::{LocalStore, Name, NameError, OpenError as StoreOpenError, Store, StoreError};
use crate::tiles::LogReader;

mod repair;
mod replica;

pub use repair::{Aside, GuardMade, RepairError, Shown, restore_guard, set_batch_aside};
pub use replica::{Replica, ReplicaError};

/// The version of the data folder that this program reads and writes.
pub const DATA_VERSION: u64 = 1;

/// How far ahead `log_before` may lie unless the policy says otherwise: 7 days, in seconds.
pub const LOG_WINDOW_DEFAULT: u64 = 7 * 24 * 3600;

/// How far the clock may lie from the first cosignature unless the policy says otherwise, in seconds.
pub const MAX_LAG_DEFAULT: u64 = 300;

/// The operator's files in a data folder.
const LOG_KEY: &str = "private/log.key";
const ADMIN_KEY: &str = "private/operator-admin";
const RECOVERY_KEY: &str = "private/operator-recovery";
const GUARD: &str = "private/guard";
const INDEX: &str = "private/index";
const TEMP: &str = "private/tmp";
const FORMAT_BYTES_MAX: usize = 1_024;

/// Where a node's data lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The data folder.
    pub data: PathBuf,
    /// The guard's folder, if it lies elsewhere.
    pub guard: Option<PathBuf>,
}

impl Place {
    fn guard(&self) -> PathBuf {
        self.guard.clone().unwrap_or_else(|| self.data.join(GUARD))
    }

    /// The folder of the index.
    #[must_use]
    pub fn index(&self) -> PathBuf {
        self.data.join(INDEX)
    }
}

/// What a new registry says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Birth {
    /// The origin of the log; it can never change.
    pub origin: String,
    /// The operator's name.
    pub operator: String,
    /// The language of that name.
    pub language: String,
    /// The operator's domain.
    pub domain: Option<String>,
    /// Who may create a party.
    pub admission: Admission,
}

/// What `init` made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Born {
    /// Which registry it is.
    pub registry: RegistryId,
    /// The log's verifier key.
    pub log_key: String,
    /// The trust anchor.
    pub policy: String,
    /// The operator's admin key file.
    pub admin_key: PathBuf,
    /// The operator's recovery key file.
    pub recovery_key: PathBuf,
}

/// Why a data folder cannot be made or opened.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// It holds a registry.
    #[error("{data} already holds the registry {registry}\nserve it with: undersigned serve --data {data}", data = data.display())]
    Exists {
        /// The folder.
        data: PathBuf,
        /// Which registry.
        registry: RegistryId,
    },
    /// It holds none.
    #[error("{data} holds no registry\nif there was one, check that its volume is mounted and that private/format was restored; a new one is made with: undersigned init --data {data} --origin ORIGIN", data = data.display())]
    NotInitialised {
        /// The folder.
        data: PathBuf,
    },
    /// It was written by another version.
    #[error("{data} has data of version {found:?}, and this program knows version {DATA_VERSION}\nuse the program that wrote it", data = data.display())]
    Format {
        /// The folder.
        data: PathBuf,
        /// What it says.
        found: String,
    },
    /// `init` was begun with another origin.
    #[error(
        "init was begun here with the origin {begun}\nrun it again with that origin, or choose another folder"
    )]
    OtherOrigin {
        /// The earlier one.
        begun: String,
    },
    /// Not an origin.
    #[error("{origin:?} cannot be an origin\nuse a URL without scheme, such as registry.example.org/log1")]
    Origin {
        /// What was given.
        origin: String,
    },
    /// The first entry is refused.
    #[error("the registry cannot open: {0}")]
    Genesis(String),
    /// The log key is absent, damaged, or of another log.
    #[error(
        "{path} is not there or is not the log key of {origin}\nrestore it from where it was put away: no other key can sign for this log; nothing was changed",
        path = path.display()
    )]
    LogKey {
        /// The file.
        path: PathBuf,
        /// The log's origin.
        origin: String,
    },
    /// The folder is not the registry it says.
    #[error(
        "the log is of the registry {found}, but private/format says {expected}\nthe folder mixes two registries; restore it from one backup"
    )]
    Mixed {
        /// What the log says.
        found: String,
        /// What the format file says.
        expected: RegistryId,
    },
    /// The folder.
    #[error(transparent)]
    Store(#[from] StoreOpenError),
    /// An object.
    #[error(transparent)]
    Object(#[from] StoreError),
    /// A key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The guard.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// The log.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// The index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A loop ended.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// A disk operation.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A name inside the program.
    #[error(transparent)]
    Name(#[from] NameError),
}

/// Makes a registry in a folder: keys, guard, entry 0, and the format file last. Run again after a crash
/// it finishes what was begun; it never overwrites.
///
/// # Errors
/// The folder holds a registry, or something cannot be made.
pub fn init(place: &Place, birth: &Birth, clock: Arc<dyn Clock>) -> Result<Born, NodeError> {
    let origin =
        Origin::new(&birth.origin).ok().filter(|origin| undersigned_registry::id::is_origin(origin.as_str()));
    let origin = origin.ok_or_else(|| NodeError::Origin { origin: birth.origin.clone() })?;
    let store = LocalStore::init(&place.data)?;
    if let Some(registry) = read_format(&place.data, &store)? {
        return Err(NodeError::Exists { data: place.data.clone(), registry });
    }
    let folder = Folder::open(&place.data, TEMP)?;
    let log_key = match keyring::read_log_key(&folder, LOG_KEY, origin.as_str()) {
        Ok(key) => key,
        Err(KeyError::Absent { .. }) => keyring::create_log_key(&folder, LOG_KEY, origin.as_str())?,
        Err(KeyError::Form { .. }) => {
            return Err(NodeError::OtherOrigin { begun: "of the log key that lies there".to_owned() });
        }
        Err(error) => return Err(error.into()),
    };
    let verifier_key = log_key.verifier_key().clone();
    let admin = party_key(&place.data.join(ADMIN_KEY), "operator admin")?;
    let recovery = party_key(&place.data.join(RECOVERY_KEY), "operator recovery")?;
    let guard = Guard::create(&place.guard(), &origin)?;
    let signer = Signer::new(log_key, origin.clone(), guard);
    let store: Arc<dyn Store> = Arc::new(store);
    let now = clock.now().map_err(RecoverError::from)?;
    let running = sequencer::start(Arc::clone(&store), RegistryLaw::new(), signer, clock, Orphans::None)?;
    // Entry 0 may be there from a run that was cut off; it is then the registry's birth.
    if running.published().borrow().head.size.get() == 0 {
        let genesis = genesis(birth, &verifier_key, &admin, &recovery, now)?;
        submit(&running, genesis)?;
    }
    let registry = registry_of(&running)?;
    running.stop()?;
    let name = Name::private("format")?;
    // The last step: a crash before it leaves a folder that only `init` opens.
    match store.create(&name, &encode_format(&registry))? {
        crate::store::Created::New | crate::store::Created::Equal => {}
        crate::store::Created::Different => {
            return Err(NodeError::Format { data: place.data.clone(), found: "something else".to_owned() });
        }
    }
    Ok(Born {
        policy: trust_policy(&verifier_key, &registry)?,
        log_key: verifier_key.to_string(),
        registry,
        admin_key: place.data.join(ADMIN_KEY),
        recovery_key: place.data.join(RECOVERY_KEY),
    })
}

fn party_key(path: &Path, comment: &str) -> Result<PartyKey, NodeError> {
    match PartyKey::read(path) {
        Ok(key) => Ok(key),
        Err(KeyError::Absent { .. }) => {
            let key = PartyKey::generate(comment)?;
            key.write_new(path, None)?;
            Ok(key)
        }
        Err(error) => Err(error.into()),
    }
}

fn genesis(
    birth: &Birth,
    log_key: &VerifierKey,
    admin: &PartyKey,
    recovery: &PartyKey,
    now: u64,
) -> Result<Submission, NodeError> {
    let name = birth.operator.as_bytes().to_vec();
    let keys: Vec<NewKey> = [(admin, Role::Admin), (recovery, Role::Recovery)]
        .into_iter()
        .map(|(key, role)| NewKey { id: key.id(), role, key_type: KeyType::Ed25519 })
        .collect();
    let event = Event {
        registry: None,
        party: None,
        signers: keys.iter().map(|key| key.id).collect(),
        after: None,
        log_before: Some(now.saturating_add(LOG_WINDOW_DEFAULT)),
        body: Body::RegistryOpen {
            origin: birth.origin.clone(),
            nonce: Hash::from_bytes(keyring::random_bytes()?),
            log_keys: vec![log_key.to_string()],
            domain: birth.domain.clone(),
            names: vec![PartyName { language: birth.language.clone(), text: BlobRef::of(&name) }],
            keys,
            policy: Policy {
                admission: birth.admission,
                log_window: LOG_WINDOW_DEFAULT,
                max_lag: MAX_LAG_DEFAULT,
                v: 1,
            },
        },
    };
    let bytes = event.encode();
    let proofs = vec![admin.prove(&bytes), recovery.prove(&bytes)];
    let refused = |error: String| NodeError::Genesis(error);
    let envelope = Envelope::new(bytes, proofs).map_err(|error| refused(error.to_string()))?;
    Submission::new(envelope, vec![name]).map_err(|error| refused(error.to_string()))
}

/// Submits one event and waits for it, from a thread that may wait.
fn submit(running: &Running<RegistryLaw>, submission: Submission) -> Result<(), NodeError> {
    let bytes = submission.encode().len();
    let checked = admission::admit(submission).map_err(|error| NodeError::Genesis(error.to_string()))?;
    let reply = running
        .intake()
        .submit(checked, bytes)
        .map_err(|later| NodeError::Genesis(later.to_string()))?
        .blocking_recv()
        .map_err(|_| NodeError::Genesis("the log stopped".to_owned()))?;
    match reply {
        Ok(_) => Ok(()),
        Err(NotLogged::Refused(refusal)) => Err(NodeError::Genesis(refusal.to_string())),
        Err(NotLogged::Later(later)) => Err(NodeError::Genesis(later.to_string())),
    }
}

fn registry_of(running: &Running<RegistryLaw>) -> Result<RegistryId, NodeError> {
    running
        .intake()
        .ask(|law| law.ledger().registry())
        .ok()
        .and_then(|answer| answer.blocking_recv().ok().flatten())
        .ok_or_else(|| NodeError::Genesis("the log has no first entry".to_owned()))
}

fn encode_format(registry: &RegistryId) -> Vec<u8> {
    let mut line = Vec::new();
    ObjectWriter::new(&mut line).integer("data", DATA_VERSION).text("registry", &registry.to_text()).finish();
    line.push(b'\n');
    line
}

fn read_format(data: &Path, store: &dyn Store) -> Result<Option<RegistryId>, NodeError> {
    let Some(bytes) = store.get(&Name::private("format")?)? else { return Ok(None) };
    let found = String::from_utf8_lossy(&bytes).trim_end().to_owned();
    let format = || NodeError::Format { data: data.to_owned(), found: found.clone() };
    let line = bytes.strip_suffix(b"\n").ok_or_else(format)?;
    let Ok(Value::Object(members)) = json::parse(line, FORMAT_BYTES_MAX) else { return Err(format()) };
    match members.as_slice() {
        [(data_name, Value::Integer(DATA_VERSION)), (registry_name, Value::Text(registry))]
            if data_name == "data" && registry_name == "registry" =>
        {
            RegistryId::parse(registry).map(Some).ok_or_else(format)
        }
        _ => Err(format()),
    }
}

/// The trust anchor of a registry: its log key and its genesis, as a tlog-policy file.
fn trust_policy(log_key: &VerifierKey, registry: &RegistryId) -> Result<String, NodeError> {
    let refused = |error: String| NodeError::Genesis(error);
    let origin = Origin::new(registry.origin()).map_err(|error| refused(error.to_string()))?;
    TrustPolicy::for_log(log_key, None, Some((&origin, registry.genesis().hash())))
        .map_err(|error| refused(error.to_string()))
}

/// A data folder that is held by this process, before anything of its log is read.
struct Opened {
    store: LocalStore,
    registry: RegistryId,
    origin: Origin,
    log_key: NoteSigner,
}

fn open_folder(place: &Place) -> Result<Opened, NodeError> {
    if !place.data.join("private").is_dir() {
        return Err(NodeError::NotInitialised { data: place.data.clone() });
    }
    let store = LocalStore::open(&place.data)?;
    let registry = read_format(&place.data, &store)?
        .ok_or_else(|| NodeError::NotInitialised { data: place.data.clone() })?;
    let origin = Origin::new(registry.origin())
        .map_err(|_| NodeError::Origin { origin: registry.origin().to_owned() })?;
    let folder = Folder::open(&place.data, TEMP)?;
    let log_key = keyring::read_log_key(&folder, LOG_KEY, origin.as_str()).map_err(|error| match error {
        KeyError::Absent { path } | KeyError::Form { path, .. } => {
            NodeError::LogKey { path, origin: origin.to_string() }
        }
        other => other.into(),
    })?;
    Ok(Opened { store, registry, origin, log_key })
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    running: Running<RegistryLaw>,
    registry: RegistryId,
    policy: String,
    log_key: String,
    reader: Arc<LogReader>,
    index: Arc<Index>,
    indexer: Indexer,
}

/// What handlers share of a node; every request takes copies, which cost a count.
#[derive(Debug, Clone)]
pub struct Handle(Arc<Shared>);

impl std::ops::Deref for Handle {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// What a [`Handle`] leads to.
#[derive(Debug)]
pub struct Shared {
    /// Which registry this is.
    pub registry: RegistryId,
    /// The trust anchor.
    pub policy: Arc<str>,
    /// The log's verifier key.
    pub log_key: Arc<str>,
    /// Where submissions and questions go in.
    pub intake: sequencer::Intake<RegistryLaw>,
    /// The tree that everybody sees.
    pub published: watch::Receiver<Arc<Published>>,
    /// The newest entries, with what was cut at each.
    pub recent_entries: Arc<crate::publish::RecentEntries<Arc<sequencer::Cut>>>,
    /// Entries, blobs and proofs.
    pub reader: Arc<LogReader>,
    /// Where to find them.
    pub index: Arc<Index>,
    /// Becomes true when a loop of the log has ended.
    pub stopped: watch::Receiver<bool>,
    /// The store, for the static read side.
    pub store: Arc<dyn Store>,
    /// The log that this is a mirror of; none for the log itself.
    pub upstream: Option<Arc<Upstream>>,
}

/// The log behind a mirror.
#[derive(Debug)]
pub struct Upstream {
    /// Its address.
    pub url: String,
    /// Why the mirror follows it no longer, if so: it broke a rule.
    pub refused: watch::Receiver<Option<Arc<str>>>,
}

/// What the law knew of an entry, as the index takes it.
const fn thread(cut: CutThread) -> index::Thread {
    let CutThread { event, party, version, endorses } = cut;
    index::Thread { event, party, version, endorses }
}

impl Node {
    /// Opens a data folder, recovers its log and starts it.
    ///
    /// # Errors
    /// It holds no registry of this version, another process serves it, or its log is not fit to be
    /// extended.
    pub fn open(place: &Place, clock: Arc<dyn Clock>) -> Result<Self, NodeError> {
        let Opened { store, registry, origin, log_key } = open_folder(place)?;
        let verifier_key = log_key.verifier_key().clone();
        let guard = Guard::open(&place.guard(), &origin)?;
        if place.guard.is_none() {
            tracing::warn!(
                "the guard lies in the data folder: without witnesses an older copy of the folder would go unnoticed; --guard names other storage"
            );
        }
        let signer = Signer::new(log_key, origin, guard);
        let store: Arc<dyn Store> = Arc::new(store);
        // The index's own marker says how the last process ended.
        let orphans = if index::ended_in_order(store.as_ref())? { Orphans::None } else { Orphans::Sweep };
        let running = sequencer::start(Arc::clone(&store), RegistryLaw::new(), signer, clock, orphans)?;
        let found = registry_of(&running)?;
        if found != registry {
            return Err(NodeError::Mixed { found: found.to_text(), expected: registry });
        }
        let recent = Arc::clone(running.recent_entries());
        let recent = Box::new(move |index| recent.find(index).map(|logged| Arc::clone(&logged.entry)));
        let reader = Arc::new(LogReader::with_recent(store, recent));
        let recent = Arc::clone(running.recent_entries());
        let threads = Box::new(move |index| recent.find(index)?.cut.thread.map(thread));
        let (index, indexer) = index::start(&place.index(), Arc::clone(&reader), threads, running.sizes())?;
        let policy = trust_policy(&verifier_key, &registry)?;
        Ok(Self { running, policy, log_key: verifier_key.to_string(), registry, reader, index, indexer })
    }

    /// What handlers share.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle(Arc::new(Shared {
            registry: self.registry.clone(),
            policy: self.policy.as_str().into(),
            log_key: self.log_key.as_str().into(),
            intake: self.running.intake().clone(),
            published: self.running.published(),
            recent_entries: Arc::clone(self.running.recent_entries()),
            reader: Arc::clone(&self.reader),
            index: Arc::clone(&self.index),
            stopped: self.running.stopped(),
            store: Arc::clone(self.running.store()),
            upstream: None,
        }))
    }

    /// Which registry this is.
    #[must_use]
    pub const fn registry(&self) -> &RegistryId {
        &self.registry
    }

    /// The trust anchor.
    #[must_use]
    pub fn policy(&self) -> &str {
        &self.policy
    }

    /// Becomes true when a loop of the log has ended.
    #[must_use]
    pub fn stopped(&self) -> watch::Receiver<bool> {
        self.running.stopped()
    }

    /// Decides what waits, publishes it, answers everybody, closes the index.
    ///
    /// # Errors
    /// Why a loop had ended before it was told to.
    pub fn stop(self) -> Result<(), NodeError> {
        let store = Arc::clone(self.running.store());
        let stopped = self.running.stop();
        drop(self.reader);
        self.indexer.stop(store.as_ref(), self.index, stopped.is_ok());
        Ok(stopped?)
    }
}

/// The operator's key files in a data folder: admin, recovery.
#[must_use]
pub fn operator_keys(data: &Path) -> (PathBuf, PathBuf) {
    (data.join(ADMIN_KEY), data.join(RECOVERY_KEY))
}
