//! The signer: holds the log key and the guard, and signs committed heads only.
//!
//! The guard is (origin, size, root) of the newest head that was signed, on storage of its own, advanced
//! before the key is used. The key signs only what a consistency proof shows to extend the guard: never
//! a smaller size, never another root at the same size (`docs/spec/storage.md`). Together they are what a
//! cluster would move into a process of its own.

use std::path::{Path, PathBuf};

use undersigned_registry::json::{self, ObjectWriter, Value};
use undersigned_tlog::checkpoint::{Checkpoint, Origin, SignedCheckpoint};
use undersigned_tlog::hash::{Hash, empty_root};
use undersigned_tlog::note::{NoteSigner, VerifierKey};
use undersigned_tlog::tree::{TreeSize, verify_consistency};

use crate::disk::{self, Access, DiskError, Durability, Folder, Lock, LockError};
use crate::telemetry::meters;

/// The guard's file in its folder.
const GUARD_FILE: &str = "guard";
/// Where its temporary files stand.
const GUARD_TEMP: &str = "tmp";
/// The lock that a running process holds.
const GUARD_LOCK: &str = "lock";
/// A guard file is far smaller.
const GUARD_BYTES_MAX: usize = 1_024;

/// A head of the log: its size and root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// How many entries.
    pub size: TreeSize,
    /// The root over them.
    pub root: Hash,
}

impl Head {
    /// The head of the log without entries.
    #[must_use]
    pub fn empty() -> Self {
        Self { size: TreeSize::EMPTY, root: empty_root() }
    }
}

/// Why a guard cannot be opened or advanced.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// There is none.
    #[error(
        "there is no guard in {path}, and without it the log key signs nothing\n\
         if it lies elsewhere, name the place with --guard; if it is lost, make it again from what mirrors and signatories hold: undersigned repair guard"
    )]
    Absent {
        /// Its folder.
        path: PathBuf,
    },
    /// Not a guard, or one of another log.
    #[error(
        "{path} is not the guard of {origin}\nname the right place with --guard; if the file is damaged, move it away and make it again: undersigned repair guard"
    )]
    Form {
        /// The file.
        path: PathBuf,
        /// The log's origin.
        origin: String,
    },
    /// There is one, and a guard is never made over.
    #[error(
        "{path} exists, and a guard that is there is never replaced\nstart the registry with: undersigned serve; only a guard that is damaged may be moved away first"
    )]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Somebody else holds it.
    #[error("another process holds the guard\nonly one may serve a log; stop the other one first")]
    Held,
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// Why the signer does not sign.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The head does not extend the guard.
    #[error("the head of size {size} does not extend the guard of size {guard}: {reason}")]
    NotConsistent {
        /// The head's size.
        size: TreeSize,
        /// The guard's size.
        guard: TreeSize,
        /// What the check said.
        reason: String,
    },
    /// The guard cannot be advanced.
    #[error(transparent)]
    Guard(#[from] GuardError),
}

/// The guard: the newest head that the key was used for.
#[derive(Debug)]
pub struct Guard {
    folder: Folder,
    origin: Origin,
    head: Head,
    /// Held as long as the guard is open.
    _lock: Lock,
}

impl Guard {
    /// Makes the guard of a new log, at size 0; leaves one that is there already as it is.
    ///
    /// # Errors
    /// The disk failed, or what is there is not the guard of this log.
    pub fn create(path: &Path, origin: &Origin) -> Result<Self, GuardError> {
        let folder = Folder::create(path, GUARD_TEMP, Access::Secret)?;
        folder.make_directory(GUARD_TEMP, Access::Secret)?;
        if folder.read(GUARD_FILE)?.is_none() {
            let bytes = encode(origin, Head::empty());
            let created = folder.create_secret(GUARD_FILE, &bytes)?;
            debug_assert_eq!(created, disk::Created::New, "the lock of the data folder excludes others");
        }
        drop(folder);
        Self::open(path, origin)
    }

    /// Makes a guard that was lost again, at a head that is known to have been signed; never over another.
    ///
    /// A crash here leaves no guard, or this one.
    ///
    /// # Errors
    /// There is one, or the disk failed.
    pub fn restore(path: &Path, origin: &Origin, head: Head) -> Result<(), GuardError> {
        let folder = Folder::create(path, GUARD_TEMP, Access::Secret)?;
        folder.make_directory(GUARD_TEMP, Access::Secret)?;
        match folder.create_secret(GUARD_FILE, &encode(origin, head))? {
            disk::Created::New => Ok(()),
            disk::Created::Equal | disk::Created::Different => {
                Err(GuardError::Exists { path: path.join(GUARD_FILE) })
            }
        }
    }

    /// Opens the guard of a log and locks it.
    ///
    /// # Errors
    /// It is absent, held by another process, not of this log, or unreadable.
    pub fn open(path: &Path, origin: &Origin) -> Result<Self, GuardError> {
        if !path.is_dir() {
            return Err(GuardError::Absent { path: path.to_owned() });
        }
        let lock = disk::lock_exclusive(&path.join(GUARD_LOCK)).map_err(|error| match error {
            LockError::Held { .. } => GuardError::Held,
            LockError::Disk(error) => GuardError::Disk(error),
        })?;
        let folder = Folder::open(path, GUARD_TEMP)?;
        folder.sweep_temp()?;
        let bytes =
            folder.read_settled(GUARD_FILE)?.ok_or_else(|| GuardError::Absent { path: path.to_owned() })?;
        let head = decode(&bytes, origin)
            .ok_or_else(|| GuardError::Form { path: path.join(GUARD_FILE), origin: origin.to_string() })?;
        meters::GUARD_SIZE.set_count(&[], head.size.get());
        Ok(Self { folder, origin: origin.clone(), head, _lock: lock })
    }

    /// The newest head that the key was used for.
    #[must_use]
    pub const fn head(&self) -> Head {
        self.head
    }

    /// Advances the guard along a consistency proof; a crash here leaves the old one or the new one.
    fn advance(&mut self, head: Head, proof: &[Hash]) -> Result<(), SignError> {
        let Head { size, root } = head;
        let guard = self.head.size;
        verify_consistency(guard, size, &self.head.root, &root, proof)
            .map_err(|error| SignError::NotConsistent { size, guard, reason: error.to_string() })?;
        if head != self.head {
            let bytes = encode(&self.origin, head);
            self.folder
                .replace_durable(GUARD_FILE, &bytes, Access::Secret, Durability::Durable)
                .map_err(GuardError::from)?;
            self.head = head;
            meters::GUARD_SIZE.set_count(&[], head.size.get());
        }
        Ok(())
    }
}

fn encode(origin: &Origin, head: Head) -> Vec<u8> {
    let mut line = Vec::new();
    ObjectWriter::new(&mut line)
        .text("origin", origin.as_str())
        .hash("root", &head.root)
        .integer("size", head.size.get())
        .finish();
    line.push(b'\n');
    line
}

fn decode(bytes: &[u8], origin: &Origin) -> Option<Head> {
    let Value::Object(members) = json::parse(bytes.strip_suffix(b"\n")?, GUARD_BYTES_MAX).ok()? else {
        return None;
    };
    let head = match members.as_slice() {
        [(name, Value::Text(named)), (_, Value::Text(root)), (_, Value::Integer(size))]
            if name == "origin" && named == origin.as_str() =>
        {
            Head { size: TreeSize::new(*size), root: Hash::from_hex(root).ok()? }
        }
        _ => return None,
    };
    // What is read must be what would be written: no second text for the same guard.
    (encode(origin, head) == bytes).then_some(head)
}

/// The log key together with its guard.
#[derive(Debug)]
pub struct Signer {
    key: NoteSigner,
    origin: Origin,
    guard: Guard,
}

impl Signer {
    /// Joins a key and its guard.
    #[must_use]
    pub const fn new(key: NoteSigner, origin: Origin, guard: Guard) -> Self {
        Self { key, origin, guard }
    }

    /// The newest head that was signed.
    #[must_use]
    pub const fn guard(&self) -> Head {
        self.guard.head()
    }

    /// The log's origin.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The public side of the log key.
    #[must_use]
    pub fn verifier_key(&self) -> VerifierKey {
        self.key.verifier_key().clone()
    }

    /// Raises the guard to a head that is known to have been signed before, without signing.
    ///
    /// # Errors
    /// The head does not extend the guard, or the guard cannot be written.
    pub fn raise(&mut self, head: Head, proof: &[Hash]) -> Result<(), SignError> {
        self.guard.advance(head, proof)
    }

    /// Signs a committed head: the guard first, then the key. A crash between the two signs the same
    /// head again at the next start.
    ///
    /// # Errors
    /// The head does not extend the guard, or the guard cannot be written.
    pub fn sign(&mut self, head: Head, proof: &[Hash]) -> Result<SignedCheckpoint, SignError> {
        self.guard.advance(head, proof)?;
        let unfit = |reason: String| SignError::NotConsistent { size: head.size, guard: head.size, reason };
        let checkpoint = Checkpoint::new(self.origin.clone(), head.size, head.root)
            .map_err(|error| unfit(error.to_string()))?;
        SignedCheckpoint::sign(checkpoint, &self.key).map_err(|error| unfit(error.to_string()))
    }
}
