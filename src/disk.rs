//! Files that survive a power cut: the only file of the project that fsyncs and renames.
//!
//! Every operation works on a [`Folder`], an open directory, and names files relative to it. The order is
//! always the same (`docs/spec/storage.md`): the parent directory is opened first, so that an error of an
//! earlier write to it is not lost with its inode; then a temporary file is written and fsynced; then it is
//! renamed to its name; then the directory is fsynced, and every directory above it whose own entry this
//! process has not yet seen made durable. System calls go through rustix, because std's `sync_all` repeats
//! an interrupted fsync, and a second fsync can report success for data that the first one lost.
//!
//! An error says whether it came too late to be harmless: see [`Stage`]. After an uncertain one the folder
//! refuses every later write, so that going on is impossible to write.
//!
//! Not here: what the files mean, which of them may be replaced (`store`), file-system allow-lists.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

mod error;
mod lock;
mod reading;

use error::clean;
pub use error::{DiskError, Operation, Stage};
pub use lock::{Lock, LockError, lock_exclusive};
use reading::READ;
pub use reading::{FILE_BYTES_MAX, Item, LIST_ENTRIES_MAX, Space};

/// The most components of a relative path; the deepest tile (`public/tile/entries/x001/.../067.p/5`) has 11.
pub const PATH_COMPONENTS_MAX: usize = 16;

/// Visible files kept open until [`Folder::settle`], so that a failed write-back is reported to us. Files
/// above the limit are opened again, which is as good unless their inode was evicted meanwhile.
const PENDING_FILES_MAX: usize = 256;
/// Directories remembered as durable; at 100 bytes each 800 kB. When full all are forgotten: more fsyncs.
const KNOWN_DIRECTORIES_MAX: usize = 8_192;
/// Names tried for a temporary file: a temporary folder is swept at start, so that more than a few files in
/// the way mean that another process uses the folder.
const TEMP_NAMES_TRIED_MAX: u32 = 1_024;

/// What creating a name that may exist came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Created {
    /// The name was absent and now has these bytes.
    New,
    /// The name existed with the same bytes.
    Equal,
    /// The name existed with other bytes and was left alone.
    Different,
}

/// Who may read a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Mode 0644, directories 0755 (less the umask).
    Public,
    /// Mode 0600, directories 0700.
    Secret,
}

/// How far a replaced file, or a removal, is pushed before the call returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The bytes and the name survive a power cut.
    Durable,
    /// The directory is not fsynced: after a power cut the name has the old bytes or the new ones, whole.
    FileOnly,
}

/// An open directory, and files below it.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    root: OwnedFd,
    /// The directory for temporary files, relative to the root and on the same file system.
    temp: String,
    /// Numbers temporary files; taken by every writer, order is of no matter.
    next_temp: AtomicU64,
    /// Set by the first uncertain failure and never cleared; every write reads it first.
    is_stopped: AtomicBool,
    /// Directories whose own entry this process made durable: a cache, held for no system call.
    known_directories: Mutex<HashSet<String>>,
    /// Visible files that nobody settled yet: held for no system call, never together with the lock above.
    pending: Mutex<HashMap<String, OwnedFd>>,
}

impl Folder {
    /// Makes a directory with a durable entry in its parent, which must exist, and opens it; an existing
    /// one is just opened.
    ///
    /// A crash here leaves no directory, or an empty one.
    ///
    /// # Errors
    /// The directory cannot be made or opened.
    pub fn create(path: &Path, temp: &str, access: Access) -> Result<Self, DiskError> {
        match rustix::fs::mkdir(path, access.directory_mode()) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(clean(path, Operation::MakeDirectory, errno)),
        }
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            Some(_) => Path::new("."),
            None => path,
        };
        let directory = open_directory(parent)?;
        sync(directory.as_fd(), parent)?;
        Self::open(path, temp)
    }

    /// Opens an existing directory. `temp` names the directory for temporary files below it, which
    /// [`Self::sweep_temp`] makes; a folder that is only read does not need it.
    ///
    /// # Errors
    /// The directory is absent or cannot be opened, or `temp` is no relative path.
    pub fn open(path: &Path, temp: &str) -> Result<Self, DiskError> {
        check_relative(path, temp)?;
        Ok(Self {
            path: path.to_owned(),
            root: open_directory(path)?,
            temp: temp.to_owned(),
            next_temp: AtomicU64::new(0),
            is_stopped: AtomicBool::new(false),
            known_directories: Mutex::new(HashSet::new()),
            pending: Mutex::new(HashMap::new()),
        })
    }

    /// Where the folder is, for messages.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the directory for temporary files if it is absent and removes what an earlier process left in
    /// it. Only the process that holds the lock may do this. Returns how many files it removed.
    ///
    /// A crash here leaves some of them, for the next start.
    ///
    /// # Errors
    /// The directory cannot be made or read, or a file cannot be removed.
    pub fn sweep_temp(&self) -> Result<usize, DiskError> {
        self.make_directory(&self.temp, Access::Secret)?;
        let mut removed = 0;
        for item in self.list(&self.temp)? {
            if !item.is_directory && self.remove(&join(&self.temp, &item.name), Durability::FileOnly)? {
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Makes a directory, and those above it, durable.
    ///
    /// A crash here leaves some of the directories, empty.
    ///
    /// # Errors
    /// A directory cannot be made (clean) or fsynced (uncertain).
    pub fn make_directory(&self, rel: &str, access: Access) -> Result<(), DiskError> {
        check_relative(&self.path, rel)?;
        self.check_not_stopped(rel)?;
        let directory = self.open_directory_making(rel, access)?;
        self.sync_directory_and_above(directory.as_fd(), rel)
    }

    /// Gives `rel` these bytes, durable, if the name is absent; never touches a name that exists.
    ///
    /// `Equal` is as durable as `New`: the file that was there and its parents are fsynced too. A crash
    /// here leaves the name absent or with all bytes, and perhaps a temporary file that
    /// [`Self::sweep_temp`] removes.
    ///
    /// # Errors
    /// See [`Stage`].
    pub fn create_durable(&self, rel: &str, bytes: &[u8]) -> Result<Created, DiskError> {
        self.create_file(rel, bytes, Access::Public, Finality::Durable)
    }

    /// As [`Self::create_durable`], readable by the owner alone.
    ///
    /// # Errors
    /// See [`Stage`].
    pub fn create_secret(&self, rel: &str, bytes: &[u8]) -> Result<Created, DiskError> {
        self.create_file(rel, bytes, Access::Secret, Finality::Durable)
    }

    /// As [`Self::create_durable`] without any fsync: the file is whole for whoever opens it, but becomes
    /// durable only with [`Self::settle`].
    ///
    /// A power cut before that leaves the name absent, with all bytes, or **torn: short, empty or zeros**.
    ///
    /// # Errors
    /// See [`Stage`]; uncertain only if the rename failed in a way that does not say whether it happened.
    pub fn create_visible(&self, rel: &str, bytes: &[u8]) -> Result<Created, DiskError> {
        self.create_file(rel, bytes, Access::Public, Finality::Visible)
    }

    /// Makes visible files durable: fsyncs each, then each of their directories once.
    ///
    /// A crash here leaves each file as a crash before it or after it would. Whoever builds on the files
    /// reads them back first.
    ///
    /// # Errors
    /// Clean if a file could not be opened for want of descriptors: settle all of them again later.
    /// Uncertain if a file is absent or any fsync failed.
    pub fn settle<S: AsRef<str>>(&self, rels: &[S]) -> Result<(), DiskError> {
        let mut parents = BTreeSet::new();
        for rel in rels {
            let rel = rel.as_ref();
            check_relative(&self.path, rel)?;
            self.check_not_stopped(rel)?;
            let kept = locked(&self.pending).remove(rel);
            let file = match kept {
                Some(file) => file,
                None => match self.open_beneath(rel, READ) {
                    Ok(file) => file,
                    Err(Errno::NOENT) => return Err(self.uncertain(rel, Operation::Open, Errno::NOENT)),
                    Err(errno) => return Err(self.clean(rel, Operation::Open, errno)),
                },
            };
            self.sync(file.as_fd(), rel)?;
            parents.insert(split(rel).0);
        }
        for parent in parents {
            let directory = self.open_parent(parent)?;
            self.sync_directory_and_above(directory.as_fd(), parent)?;
        }
        Ok(())
    }

    /// Gives `rel` these bytes, whatever it had before.
    ///
    /// A crash here leaves the old bytes or the new ones, whole, and perhaps a temporary file.
    ///
    /// # Errors
    /// See [`Stage`].
    pub fn replace_durable(
        &self,
        rel: &str,
        bytes: &[u8],
        access: Access,
        durability: Durability,
    ) -> Result<(), DiskError> {
        check_relative(&self.path, rel)?;
        self.check_not_stopped(rel)?;
        let (parent_rel, name) = split(rel);
        let parent = self.open_directory_making(parent_rel, Access::Public)?;
        let temp = self.write_temp(bytes, access)?;
        self.sync(temp.file.as_fd(), &temp.rel)?;
        rustix::fs::renameat(&self.root, &temp.rel, &parent, name)
            .map_err(|errno| self.uncertain(rel, Operation::Rename, errno))?;
        locked(&self.pending).remove(rel);
        match durability {
            Durability::Durable => self.sync_directory_and_above(parent.as_fd(), parent_rel),
            Durability::FileOnly => Ok(()),
        }
    }

    /// Gives `rel` these bytes, whatever it had before, without any fsync.
    ///
    /// The end of the process leaves the old bytes or the new ones, whole. A power cut leaves any older bytes, or
    /// these, or **torn ones: short, empty or zeros**.
    ///
    /// # Errors
    /// See [`Stage`]; uncertain only if the rename failed in a way that does not say whether it happened.
    pub fn replace_visible(&self, rel: &str, bytes: &[u8], access: Access) -> Result<(), DiskError> {
        check_relative(&self.path, rel)?;
        self.check_not_stopped(rel)?;
        let (parent_rel, name) = split(rel);
        let parent = self.open_directory_making(parent_rel, Access::Public)?;
        let temp = self.write_temp(bytes, access)?;
        match rustix::fs::renameat(&self.root, &temp.rel, &parent, name) {
            Ok(()) => Ok(()),
            Err(errno) if is_resource(errno) => {
                self.discard(&temp);
                Err(self.clean(rel, Operation::Rename, errno))
            }
            Err(errno) => Err(self.uncertain(rel, Operation::Rename, errno)),
        }
    }

    /// As [`Self::read`], for recovery: what it returns is durable, file and parents are fsynced first. An
    /// absence is made durable likewise where the directory exists.
    ///
    /// # Errors
    /// As [`Self::read`]; uncertain if an fsync failed.
    pub fn read_settled(&self, rel: &str) -> Result<Option<Vec<u8>>, DiskError> {
        check_relative(&self.path, rel)?;
        self.check_not_stopped(rel)?;
        let (parent_rel, name) = split(rel);
        let parent = match self.open_beneath_or_root(parent_rel) {
            Ok(parent) => parent,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(self.clean(parent_rel, Operation::Open, errno)),
        };
        let file = match rustix::fs::openat(&parent, name, READ, Mode::empty()) {
            Ok(file) => Some(file),
            Err(Errno::NOENT) => None,
            Err(errno) => return Err(self.clean(rel, Operation::Open, errno)),
        };
        if let Some(file) = &file {
            self.check_regular(file.as_fd(), rel)?;
            self.sync(file.as_fd(), rel)?;
        }
        self.sync_directory_and_above(parent.as_fd(), parent_rel)?;
        file.map(|file| self.read_open(file.as_fd(), rel)).transpose()
    }

    /// Removes a file; false if there is none.
    ///
    /// A crash here leaves the file or no file; with [`Durability::FileOnly`] it may also come back later.
    ///
    /// # Errors
    /// Clean if it cannot be removed, uncertain if the directory cannot be fsynced.
    pub fn remove(&self, rel: &str, durability: Durability) -> Result<bool, DiskError> {
        check_relative(&self.path, rel)?;
        self.check_not_stopped(rel)?;
        let (parent_rel, name) = split(rel);
        let parent = match self.open_beneath_or_root(parent_rel) {
            Ok(parent) => parent,
            Err(Errno::NOENT) => return Ok(false),
            Err(errno) => return Err(self.clean(parent_rel, Operation::Open, errno)),
        };
        let was_there = match rustix::fs::unlinkat(&parent, name, AtFlags::empty()) {
            Ok(()) => true,
            Err(Errno::NOENT) => false,
            Err(errno) => return Err(self.clean(rel, Operation::Remove, errno)),
        };
        locked(&self.pending).remove(rel);
        if durability == Durability::Durable {
            self.sync(parent.as_fd(), parent_rel)?;
        }
        Ok(was_there)
    }

    /// Start-up check: a file can be written and fsynced in the folder for temporary files, and each of
    /// `targets` that exists is on the same file system, so that renames into it will work.
    ///
    /// A crash here leaves a temporary file.
    ///
    /// # Errors
    /// The reason why not: [`DiskError::is_read_only`], [`DiskError::is_no_space`], or another file system.
    pub fn check_writable(&self, targets: &[&str]) -> Result<(), DiskError> {
        let temp = self.write_temp(b"start-up check\n", Access::Secret)?;
        let synced = self.sync(temp.file.as_fd(), &temp.rel);
        self.discard(&temp);
        synced?;
        let home = rustix::fs::fstat(&temp.file)
            .map_err(|errno| self.clean(&self.temp, Operation::Open, errno))?
            .st_dev;
        for rel in targets {
            let device = match self.open_beneath_or_root(rel) {
                Ok(directory) => rustix::fs::fstat(&directory).map(|stat| stat.st_dev),
                Err(Errno::NOENT) => continue,
                Err(errno) => Err(errno),
            };
            match device {
                Ok(device) if device == home => {}
                Ok(_) => return Err(self.clean(rel, Operation::Rename, Errno::XDEV)),
                Err(errno) => return Err(self.clean(rel, Operation::Open, errno)),
            }
        }
        Ok(())
    }

    fn create_file(
        &self,
        rel: &str,
        bytes: &[u8],
        access: Access,
        finality: Finality,
    ) -> Result<Created, DiskError> {
        check_relative(&self.path, rel)?;
        self.check_not_stopped(rel)?;
        let (parent_rel, name) = split(rel);
        let parent = self.open_directory_making(parent_rel, Access::Public)?;
        if let Some(created) = self.compare(parent.as_fd(), rel, bytes, finality)? {
            return Ok(created);
        }
        let temp = self.write_temp(bytes, access)?;
        if finality == Finality::Durable {
            self.sync(temp.file.as_fd(), &temp.rel)?;
        }
        match self.rename_to_absent(&temp.rel, parent.as_fd(), name) {
            Ok(()) => {}
            Err(Errno::EXIST) => {
                // Another writer was faster: its bytes decide. Ours never had a name that anybody reads.
                self.discard(&temp);
                return match self.compare(parent.as_fd(), rel, bytes, finality)? {
                    Some(created) => Ok(created),
                    None => Err(self.uncertain(rel, Operation::Rename, Errno::NOENT)),
                };
            }
            Err(errno) if finality == Finality::Visible && is_resource(errno) => {
                self.discard(&temp);
                return Err(self.clean(rel, Operation::Rename, errno));
            }
            Err(errno) => return Err(self.uncertain(rel, Operation::Rename, errno)),
        }
        match finality {
            Finality::Durable => self.sync_directory_and_above(parent.as_fd(), parent_rel)?,
            Finality::Visible => {
                let mut pending = locked(&self.pending);
                if pending.len() < PENDING_FILES_MAX {
                    pending.insert(rel.to_owned(), temp.file);
                }
            }
        }
        Ok(Created::New)
    }

    /// Compares what has the name with `bytes`; none if nothing has. Makes an equal file durable if asked.
    fn compare(
        &self,
        parent: BorrowedFd<'_>,
        rel: &str,
        bytes: &[u8],
        finality: Finality,
    ) -> Result<Option<Created>, DiskError> {
        let (parent_rel, name) = split(rel);
        let file = match rustix::fs::openat(parent, name, READ, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(self.clean(rel, Operation::Open, errno)),
        };
        if self.read_open(file.as_fd(), rel)? != bytes {
            return Ok(Some(Created::Different));
        }
        if finality == Finality::Durable {
            self.sync(file.as_fd(), rel)?;
            self.sync_directory_and_above(parent, parent_rel)?;
        }
        Ok(Some(Created::Equal))
    }

    /// Renames without replacing. File systems that know no such rename get a hard link, which does not
    /// replace either, and lose the temporary name afterwards.
    fn rename_to_absent(&self, temp: &str, parent: BorrowedFd<'_>, name: &str) -> Result<(), Errno> {
        match rustix::fs::renameat_with(&self.root, temp, parent, name, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => self.link_to_absent(temp, parent, name),
            renamed_or_failed => renamed_or_failed,
        }
    }

    fn link_to_absent(&self, temp: &str, parent: BorrowedFd<'_>, name: &str) -> Result<(), Errno> {
        rustix::fs::linkat(&self.root, temp, parent, name, AtFlags::empty())?;
        rustix::fs::unlinkat(&self.root, temp, AtFlags::empty())
    }

    /// Writes a temporary file without fsync; on failure nothing is left.
    fn write_temp(&self, bytes: &[u8], access: Access) -> Result<Temp, DiskError> {
        self.check_not_stopped(&self.temp)?;
        let temp = self.open_temp(access)?;
        match write_all(temp.file.as_fd(), bytes) {
            Ok(()) => Ok(temp),
            Err(source) => {
                self.discard(&temp);
                let path = self.path.join(&temp.rel);
                Err(DiskError { path, operation: Operation::Write, stage: Stage::Clean, source })
            }
        }
    }

    fn open_temp(&self, access: Access) -> Result<Temp, DiskError> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let process = std::process::id();
        let mut last = Errno::EXIST;
        for _ in 0..TEMP_NAMES_TRIED_MAX {
            let number = self.next_temp.fetch_add(1, Ordering::Relaxed);
            let rel = join(&self.temp, &format!("{process}-{number}"));
            match rustix::fs::openat(&self.root, &rel, flags, access.file_mode()) {
                Ok(file) => return Ok(Temp { rel, file }),
                Err(errno @ (Errno::EXIST | Errno::INTR)) => last = errno,
                Err(errno) => return Err(self.clean(&rel, Operation::Create, errno)),
            }
        }
        Err(self.clean(&self.temp, Operation::Create, last))
    }

    /// Removes a temporary file; what cannot be removed is swept at the next start.
    fn discard(&self, temp: &Temp) {
        if let Err(errno) = rustix::fs::unlinkat(&self.root, &temp.rel, AtFlags::empty()) {
            tracing::warn!(file = %temp.rel, error = %errno, "a temporary file stays until the next start");
        }
    }

    /// Opens a directory below the root, making what is missing of it, not yet durable.
    fn open_directory_making(&self, rel: &str, access: Access) -> Result<OwnedFd, DiskError> {
        match self.open_beneath_or_root(rel) {
            Ok(directory) => return Ok(directory),
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(self.clean(rel, Operation::Open, errno)),
        }
        for (end, _) in rel.match_indices('/').chain([(rel.len(), "")]) {
            let Some(directory) = rel.get(..end) else { continue };
            match rustix::fs::mkdirat(&self.root, directory, access.directory_mode()) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(self.clean(directory, Operation::MakeDirectory, errno)),
            }
        }
        self.open_parent(rel)
    }

    fn open_parent(&self, rel: &str) -> Result<OwnedFd, DiskError> {
        self.open_beneath_or_root(rel).map_err(|errno| self.clean(rel, Operation::Open, errno))
    }

    /// Fsyncs an open directory, and every directory above it whose child this process has not yet seen
    /// made durable: also one that somebody else has just made and not fsynced.
    fn sync_directory_and_above(&self, directory: BorrowedFd<'_>, rel: &str) -> Result<(), DiskError> {
        self.sync(directory, rel)?;
        let mut made_durable = Vec::new();
        let mut child = rel;
        while !child.is_empty() && !locked(&self.known_directories).contains(child) {
            let above = split(child).0;
            let opened = self.open_beneath_or_root(above);
            let above_directory = opened.map_err(|errno| self.uncertain(above, Operation::Open, errno))?;
            self.sync(above_directory.as_fd(), above)?;
            made_durable.push(child.to_owned());
            child = above;
        }
        if !made_durable.is_empty() {
            let mut known = locked(&self.known_directories);
            if known.len() > KNOWN_DIRECTORIES_MAX {
                known.clear();
            }
            known.extend(made_durable);
        }
        Ok(())
    }

    /// One fsync, never repeated. Its failure stops the folder.
    fn sync(&self, file: BorrowedFd<'_>, rel: &str) -> Result<(), DiskError> {
        rustix::fs::fsync(file).map_err(|errno| self.uncertain(rel, Operation::Sync, errno))
    }

    fn check_not_stopped(&self, rel: &str) -> Result<(), DiskError> {
        if !self.is_stopped.load(Ordering::SeqCst) {
            return Ok(());
        }
        Err(DiskError {
            path: self.path.join(rel),
            operation: Operation::Write,
            stage: Stage::Uncertain,
            source: io::Error::other("an earlier write failed with an unknown outcome"),
        })
    }

    fn clean(&self, rel: &str, operation: Operation, errno: Errno) -> DiskError {
        clean(&self.path.join(rel), operation, errno)
    }

    fn uncertain(&self, rel: &str, operation: Operation, errno: Errno) -> DiskError {
        self.is_stopped.store(true, Ordering::SeqCst);
        DiskError { path: self.path.join(rel), operation, stage: Stage::Uncertain, source: errno.into() }
    }
}

impl Access {
    const fn file_mode(self) -> Mode {
        match self {
            Self::Public => Mode::from_raw_mode(0o644),
            Self::Secret => Mode::from_raw_mode(0o600),
        }
    }

    const fn directory_mode(self) -> Mode {
        match self {
            Self::Public => Mode::from_raw_mode(0o755),
            Self::Secret => Mode::from_raw_mode(0o700),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finality {
    Durable,
    Visible,
}

#[derive(Debug)]
struct Temp {
    rel: String,
    file: OwnedFd,
}

/// Failures of a rename that are decided before it changes anything, and that room would cure.
fn is_resource(errno: Errno) -> bool {
    matches!(errno, Errno::NOSPC | Errno::DQUOT | Errno::ROFS | Errno::NOMEM)
}

fn open_directory(path: &Path) -> Result<OwnedFd, DiskError> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::DIRECTORY;
    rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| clean(path, Operation::Open, errno))
}

fn sync(file: BorrowedFd<'_>, path: &Path) -> Result<(), DiskError> {
    rustix::fs::fsync(file).map_err(|errno| DiskError {
        path: path.to_owned(),
        operation: Operation::Sync,
        stage: Stage::Uncertain,
        source: errno.into(),
    })
}

fn write_all(file: BorrowedFd<'_>, bytes: &[u8]) -> Result<(), io::Error> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match rustix::io::write(file, rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// Refuses whatever could leave the folder: absolute paths, `..`, `.`, empty components, NUL.
fn check_relative(folder: &Path, rel: &str) -> Result<(), DiskError> {
    let is_component = |part: &str| !matches!(part, "" | "." | "..");
    let is_good = rel.split('/').all(is_component)
        && rel.split('/').count() <= PATH_COMPONENTS_MAX
        && !rel.contains('\0');
    if is_good {
        return Ok(());
    }
    // Not joined: an absolute path would replace the folder's.
    let path = [folder.as_os_str().as_bytes(), b"/", rel.as_bytes()].concat();
    Err(clean(Path::new(OsStr::from_bytes(&path)), Operation::CheckPath, Errno::INVAL))
}

/// The directory and the last component of a relative path.
fn split(rel: &str) -> (&str, &str) {
    rel.rsplit_once('/').unwrap_or(("", rel))
}

fn join(directory: &str, name: &str) -> String {
    format!("{directory}/{name}")
}

/// Both locks guard caches that are whole between any two statements, so a poisoned one is still good.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
