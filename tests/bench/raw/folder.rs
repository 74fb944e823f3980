//! The folder of a log of any bytes: made where there is none, opened where there is one.
//!
//! It has the registry's layout and a mark of its own, `private/raw-log`, so that neither program ever extends
//! the other's log.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use undersigned::clock::SystemClock;
use undersigned::disk::{DiskError, Folder};
use undersigned::keyring::{self, KeyError};
use undersigned::sequencer::{self, Orphans, RecoverError, Running};
use undersigned::signer::{Guard, GuardError, Signer};
use undersigned::store::{Created, LocalStore, Name, NameError, OpenError, Store, StoreError};
use undersigned_tlog::checkpoint::{Origin, OriginError};
use undersigned_tlog::note::NoteSigner;

use super::law::RawLaw;

/// Holds the origin; written last, so that a folder which has it is whole.
const MARK: &str = "raw-log";
const LOG_KEY: &str = "private/log.key";
const GUARD: &str = "private/guard";
const TEMP: &str = "private/tmp";

/// Why a log is not started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    /// Something else is there.
    #[error("{} is not empty and holds no log of any bytes\nname an empty folder, or one that this program made", data.display())]
    Other {
        /// The folder.
        data: PathBuf,
    },
    /// Another log is there.
    #[error("the log in {} is {found}, not {wanted}\nleave --origin away, or name another folder", data.display())]
    Origin {
        /// The folder.
        data: PathBuf,
        /// Its origin.
        found: String,
        /// The one that was asked for.
        wanted: String,
    },
    /// Not a name of a log.
    #[error("{origin:?} cannot be an origin\nuse a URL without scheme, such as raw.example/log")]
    Name {
        /// What was given.
        origin: String,
        /// What is wrong with it.
        source: OriginError,
    },
    /// The folder cannot be looked at.
    #[error("cannot read {}", data.display())]
    Read {
        /// The folder.
        data: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The folder.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// An object.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The log key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The guard.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// The log.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// A name inside the program.
    #[error(transparent)]
    Object(#[from] NameError),
}

/// A log of any bytes that takes leaves.
#[derive(Debug)]
pub(crate) struct RawLog {
    /// Its loops.
    pub(crate) running: Running<RawLaw>,
    /// Its origin.
    pub(crate) origin: String,
    /// Its verifier key.
    pub(crate) verifier_key: String,
}

/// Starts the log in a folder; makes it there if the folder is absent or empty, with `origin` or the default.
///
/// # Errors
/// The folder holds something else, or the log is not fit to be served.
pub(crate) fn start(data: &Path, origin: Option<&str>, origin_default: &str) -> Result<RawLog, FolderError> {
    let is_new = is_empty(data)?;
    let opened = if is_new { make(data, origin.unwrap_or(origin_default))? } else { open(data)? };
    let Opened { store, key, origin: found } = opened;
    if let Some(wanted) = origin.filter(|wanted| *wanted != found.as_str()) {
        return Err(FolderError::Origin {
            data: data.to_owned(),
            found: found.to_string(),
            wanted: wanted.to_owned(),
        });
    }
    let guard = Guard::open(&data.join(GUARD), &found)?;
    let verifier_key = key.verifier_key().to_string();
    let law = RawLaw::new(found.as_str());
    let signer = Signer::new(key, found.clone(), guard);
    let running =
        sequencer::start(Arc::new(store), law, signer, Arc::new(SystemClock::new()), Orphans::None)?;
    Ok(RawLog { running, origin: found.to_string(), verifier_key })
}

/// A folder that is held by this process, before anything of its log is read.
struct Opened {
    store: LocalStore,
    key: NoteSigner,
    origin: Origin,
}

fn is_empty(data: &Path) -> Result<bool, FolderError> {
    match fs::read_dir(data) {
        Ok(mut items) => Ok(items.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(source) => Err(FolderError::Read { data: data.to_owned(), source }),
    }
}

/// A crash in here leaves a folder without a mark, which is refused from then on: there is nothing in it.
fn make(data: &Path, name: &str) -> Result<Opened, FolderError> {
    let origin = parse(name)?;
    let store = LocalStore::init(data)?;
    let key = keyring::create_log_key(&Folder::open(data, TEMP)?, LOG_KEY, name)?;
    drop(Guard::create(&data.join(GUARD), &origin)?);
    match store.create(&Name::private(MARK)?, name.as_bytes())? {
        Created::New | Created::Equal => Ok(Opened { store, key, origin }),
        Created::Different => Err(FolderError::Other { data: data.to_owned() }),
    }
}

fn open(data: &Path) -> Result<Opened, FolderError> {
    let other = || FolderError::Other { data: data.to_owned() };
    // Looked at before the store is opened, which would put folders of its own into a stranger's.
    if !data.join("private").join(MARK).is_file() {
        return Err(other());
    }
    let store = LocalStore::open(data)?;
    let mark = store.get(&Name::private(MARK)?)?.ok_or_else(other)?;
    let origin = parse(std::str::from_utf8(&mark).map_err(|_| other())?)?;
    let key = keyring::read_log_key(&Folder::open(data, TEMP)?, LOG_KEY, origin.as_str())?;
    Ok(Opened { store, key, origin })
}

fn parse(origin: &str) -> Result<Origin, FolderError> {
    Origin::new(origin).map_err(|source| FolderError::Name { origin: origin.to_owned(), source })
}
