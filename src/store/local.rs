//! A store in a local folder: `public/`, which any web server can serve, and `private/`.
//!
//! How a file becomes durable is `disk`'s; here is which of its ways each verb takes.

use std::path::{Path, PathBuf};

use super::{
    Created, LIST_NAMES_MAX, Name, Prefix, Shortage, Space, Store, StoreError, check_use,
    name::{Kind, NAME_BYTES_MAX},
};
use crate::disk::{
    self, Access, DiskError, Durability, Folder, Lock, LockError, Operation, PATH_COMPONENTS_MAX, Stage,
};

const TEMP: &str = "private/tmp";
/// Made again where it is absent: a folder that was restored from `public/` alone has no batches.
const BATCHES: &str = "private/batch";
/// All directories that a data folder has from its first moment, parents first.
const DIRECTORIES: [(&str, Access); 5] = [
    ("public", Access::Public),
    ("public/tile", Access::Public),
    ("public/blobs", Access::Public),
    ("private", Access::Secret),
    (BATCHES, Access::Secret),
];

/// Objects as files below one folder.
#[derive(Debug)]
pub struct LocalStore {
    folder: Folder,
    /// Held from before the first read; none if opened for reading.
    lock: Option<Lock>,
}

/// Why a folder could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error(transparent)]
    Lock(LockError),
    /// A directory that `init` makes is missing: not a data folder, or a volume that is not mounted.
    #[error(
        "{} has no {missing}, so it is no whole data folder\nmount its volume or restore it from a backup; init is for a new log only; nothing was changed",
        path.display()
    )]
    NotInitialised {
        /// The folder.
        path: PathBuf,
        /// The first directory that is missing.
        missing: &'static str,
    },
    /// It cannot be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl LocalStore {
    /// Makes the directories of a data folder, durable, and opens it; the folder itself is made if its
    /// parent exists. Run again it completes what a crash left undone.
    ///
    /// # Errors
    /// As [`Self::open`], or a directory cannot be made.
    pub fn init(path: &Path) -> Result<Self, OpenError> {
        let folder = Folder::create(path, TEMP, Access::Public)?;
        let lock = disk::lock_exclusive(path).map_err(OpenError::Lock)?;
        for (directory, access) in DIRECTORIES {
            folder.make_directory(directory, access)?;
        }
        Self::prepare(folder, lock)
    }

    /// Opens a data folder for the one process that serves it: locks it, removes temporary files, and
    /// checks that it can be written.
    ///
    /// # Errors
    /// Another process serves it, it was never initialised, or it cannot be written.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let folder = Folder::open(path, TEMP)?;
        let lock = disk::lock_exclusive(path).map_err(OpenError::Lock)?;
        check_directories(&folder)?;
        if !folder.exists(BATCHES)? {
            // Batches that were signed and are missed are found out by recovery, which knows how far the
            // log must reach.
            tracing::warn!("there was no {BATCHES}; an empty one is made");
            folder.make_directory(BATCHES, Access::Secret)?;
        }
        Self::prepare(folder, lock)
    }

    /// Opens a data folder beside whoever serves it: every write is refused.
    ///
    /// # Errors
    /// It was never initialised, or cannot be opened.
    pub fn open_for_reading(path: &Path) -> Result<Self, OpenError> {
        let folder = Folder::open(path, TEMP)?;
        check_directories(&folder)?;
        Ok(Self { folder, lock: None })
    }

    /// Where it is, for messages.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn prepare(folder: Folder, lock: Lock) -> Result<Self, OpenError> {
        let removed = folder.sweep_temp()?;
        if removed > 0 {
            tracing::info!(removed, "removed temporary files of an earlier process");
        }
        let targets = DIRECTORIES.map(|(directory, _)| directory);
        folder.check_writable(&targets)?;
        Ok(Self { folder, lock: Some(lock) })
    }

    /// The folder, for a verb that writes `name`.
    fn writable(&self, name: &Name) -> Result<&Folder, StoreError> {
        match self.lock {
            Some(_) => Ok(&self.folder),
            None => Err(StoreError::Refused {
                name: name.clone(),
                shortage: Shortage::ReadOnly,
                source: "opened for reading".into(),
            }),
        }
    }
}

impl Store for LocalStore {
    fn get(&self, name: &Name) -> Result<Option<Vec<u8>>, StoreError> {
        self.folder.read(name.as_str()).map_err(|error| reading(name, error))
    }

    fn get_at_once(&self, name: &Name) -> Option<Vec<u8>> {
        self.folder.read_at_once(name.as_str())
    }

    fn get_settled(&self, name: &Name) -> Result<Option<Vec<u8>>, StoreError> {
        self.folder.read_settled(name.as_str()).map_err(|error| reading(name, error))
    }

    fn create(&self, name: &Name, bytes: &[u8]) -> Result<Created, StoreError> {
        check_use(name.kind().may_create(), name, "create")?;
        let folder = self.writable(name)?;
        let created = match name.kind() {
            Kind::Blob => folder.create_durable(name.as_str(), bytes),
            _ => folder.create_secret(name.as_str(), bytes),
        };
        created.map_err(|error| writing(name, error))
    }

    fn create_pending(&self, name: &Name, bytes: &[u8]) -> Result<Created, StoreError> {
        check_use(name.kind().may_create_pending(), name, "create_pending")?;
        let created = self.writable(name)?.create_visible(name.as_str(), bytes);
        created.map_err(|error| writing(name, error))
    }

    fn settle(&self, names: &[Name]) -> Result<(), StoreError> {
        let Some(first) = names.first() else { return Ok(()) };
        let rels: Vec<&str> = names.iter().map(Name::as_str).collect();
        self.writable(first)?.settle(&rels).map_err(|error| {
            // The error knows the path; the name is for the caller, who treats all of them alike.
            let failed = names.iter().find(|name| error.path.ends_with(name.as_str()));
            writing(failed.unwrap_or(first), error)
        })
    }

    fn replace_from_batch(&self, name: &Name, bytes: &[u8]) -> Result<(), StoreError> {
        check_use(name.kind().may_replace_from_batch(), name, "replace_from_batch")?;
        let folder = self.writable(name)?;
        let current = folder.read_settled(name.as_str()).map_err(|error| reading(name, error))?;
        if current.as_deref() == Some(bytes) {
            return Ok(());
        }
        let replaced = folder.replace_durable(name.as_str(), bytes, Access::Public, Durability::Durable);
        replaced.map_err(|error| writing(name, error))
    }

    fn put_checkpoint(&self, bytes: &[u8]) -> Result<(), StoreError> {
        let name = Name::checkpoint();
        let folder = self.writable(&name)?;
        let replaced = folder.replace_durable(name.as_str(), bytes, Access::Public, Durability::FileOnly);
        replaced.map_err(|error| writing(&name, error))
    }

    fn put_marker(&self, name: &Name, bytes: &[u8]) -> Result<(), StoreError> {
        check_use(name.kind().may_put_marker(), name, "put_marker")?;
        let folder = self.writable(name)?;
        let replaced = folder.replace_durable(name.as_str(), bytes, Access::Secret, Durability::Durable);
        replaced.map_err(|error| writing(name, error))
    }

    fn put_hint(&self, name: &Name, bytes: &[u8]) -> Result<(), StoreError> {
        check_use(name.kind().may_put_marker(), name, "put_hint")?;
        let replaced = self.writable(name)?.replace_visible(name.as_str(), bytes, Access::Secret);
        replaced.map_err(|error| writing(name, error))
    }

    fn list(&self, prefix: &Prefix, after: Option<&Name>, limit: usize) -> Result<Vec<Name>, StoreError> {
        let limit = limit.min(LIST_NAMES_MAX);
        let after = after.map_or("", Name::as_str);
        let mut names = Vec::new();
        // Paths that are still to be visited, the next one last; directories end in a slash, so that the
        // order is that of whole names. At most one directory's entries for each level of the tree.
        let mut waiting = vec![prefix.as_str().to_owned()];
        while let Some(path) = waiting.pop() {
            if names.len() >= limit {
                break;
            }
            let Some(directory) = path.strip_suffix('/') else {
                names.extend(Name::parse(&path).ok().filter(|name| name.as_str() > after));
                continue;
            };
            let is_before = path.as_str() < after && !after.starts_with(&path);
            if is_before || path.len() > NAME_BYTES_MAX || path.split('/').count() > PATH_COMPONENTS_MAX {
                continue;
            }
            let listed = self.folder.list(directory);
            let items = listed.map_err(|error| unreadable(&path, error))?;
            let mut paths: Vec<String> = items
                .into_iter()
                .map(|item| format!("{path}{}{}", item.name, if item.is_directory { "/" } else { "" }))
                .collect();
            paths.sort_unstable_by(|a, b| b.cmp(a));
            waiting.append(&mut paths);
        }
        Ok(names)
    }

    fn delete(&self, name: &Name) -> Result<(), StoreError> {
        check_use(name.kind().may_delete(), name, "delete")?;
        let durability = match name.kind() {
            Kind::Blob => Durability::Durable,
            _ => Durability::FileOnly,
        };
        let removed = self.writable(name)?.remove(name.as_str(), durability);
        removed.map(|_was_there| ()).map_err(|error| writing(name, error))
    }

    fn free_space(&self) -> Result<Option<Space>, StoreError> {
        self.folder.free_space().map(Some).map_err(|error| unreadable("the free space", error))
    }
}

fn check_directories(folder: &Folder) -> Result<(), OpenError> {
    for (directory, _) in DIRECTORIES {
        if directory != BATCHES && !folder.exists(directory)? {
            return Err(OpenError::NotInitialised { path: folder.path().to_owned(), missing: directory });
        }
    }
    Ok(())
}

fn reading(name: &Name, error: DiskError) -> StoreError {
    match error.stage {
        Stage::Clean => unreadable(name.as_str(), error),
        Stage::Uncertain => StoreError::Uncertain { name: name.clone(), source: Box::new(error) },
    }
}

fn unreadable(subject: &str, error: DiskError) -> StoreError {
    StoreError::Unreadable { subject: subject.to_owned(), source: Box::new(error) }
}

fn writing(name: &Name, error: DiskError) -> StoreError {
    let name = name.clone();
    if error.stage == Stage::Uncertain {
        return StoreError::Uncertain { name, source: Box::new(error) };
    }
    if error.operation == Operation::Read {
        // What already has the name could not be compared.
        return unreadable(name.as_str(), error);
    }
    let shortage = if error.is_no_space() {
        Shortage::Space
    } else if error.is_no_descriptor() {
        Shortage::Descriptors
    } else if error.is_read_only() {
        Shortage::ReadOnly
    } else {
        Shortage::Other
    };
    StoreError::Refused { name, shortage, source: Box::new(error) }
}
