//! Reading below a folder, never through a symbolic link. Absent is not unreadable.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::{Errno, ReadWriteFlags};

use super::error::clean;
use super::{DiskError, Folder, Operation, check_relative, split};

/// The largest file that is read. A batch of 1,024 entries of 32 KiB with its overhead is below 34 MiB.
pub const FILE_BYTES_MAX: u64 = 64 << 20;
/// The most entries a directory is listed with: 16 times what 65,536 blobs in one directory would be.
pub const LIST_ENTRIES_MAX: usize = 1 << 20;

/// NONBLOCK matters for a FIFO only, which then is refused instead of waited for.
pub(super) const READ: OFlags =
    OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK);
/// A dangling link would look like an absent file, and an unmounted volume like an empty log.
const BENEATH: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);
const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW).union(OFlags::DIRECTORY);

/// Room left on the file system of a folder, for a process without privileges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Free bytes.
    pub bytes: u64,
    /// Free inodes; none on file systems that do not count them (btrfs).
    pub inodes: Option<u64>,
}

/// An entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// The last component of its name.
    pub name: String,
    /// Whether it is a directory.
    pub is_directory: bool,
}

impl Folder {
    /// The bytes of a file, or none if there is no such name. Every other failure is an error, also one of
    /// a directory above it: absent is not unreadable.
    ///
    /// # Errors
    /// The file exists, or may exist, and cannot be read, or is larger than [`FILE_BYTES_MAX`].
    pub fn read(&self, rel: &str) -> Result<Option<Vec<u8>>, DiskError> {
        check_relative(&self.path, rel)?;
        match self.open_beneath(rel, READ) {
            Ok(file) => self.read_open(file.as_fd(), rel).map(Some),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(self.clean(rel, Operation::Open, errno)),
        }
    }

    /// The bytes of a file if they lie in the kernel's memory, so that reading them waits for no disk. None says
    /// nothing: ask [`Self::read`]. Kernels before 5.12 and some file systems never know.
    #[must_use]
    pub fn read_at_once(&self, rel: &str) -> Option<Vec<u8>> {
        check_relative(&self.path, rel).ok()?;
        let resolve = BENEATH | ResolveFlags::CACHED;
        let file = rustix::fs::openat2(&self.root, rel, READ, Mode::empty(), resolve).ok()?;
        let size = usize::try_from(self.check_regular(file.as_fd(), rel).ok()?).ok()?;
        let mut bytes = vec![0; size];
        let into = &mut [io::IoSliceMut::new(&mut bytes)];
        let count = rustix::io::preadv2(&file, into, 0, ReadWriteFlags::NOWAIT).ok()?;
        // Fewer bytes are those of the pages that are there.
        (count == size).then_some(bytes)
    }

    /// Whether the name exists, as file or directory.
    ///
    /// # Errors
    /// It cannot be told.
    pub fn exists(&self, rel: &str) -> Result<bool, DiskError> {
        check_relative(&self.path, rel)?;
        match self.open_beneath(rel, OFlags::PATH.union(OFlags::CLOEXEC)) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(self.clean(rel, Operation::Open, errno)),
        }
    }

    /// The entries of one directory, sorted by name; none if it is absent. Names that are not UTF-8 are
    /// none of ours and left out.
    ///
    /// # Errors
    /// The directory cannot be read, or has more than [`LIST_ENTRIES_MAX`] entries.
    pub fn list(&self, rel: &str) -> Result<Vec<Item>, DiskError> {
        let failed = |errno| self.clean(rel, Operation::List, errno);
        if !rel.is_empty() {
            check_relative(&self.path, rel)?;
        }
        let directory = match self.open_beneath_or_root(rel) {
            Ok(directory) => directory,
            Err(Errno::NOENT) => return Ok(Vec::new()),
            Err(errno) => return Err(failed(errno)),
        };
        let mut items = Vec::new();
        for entry in Dir::read_from(&directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if name == "." || name == ".." {
                continue;
            }
            if items.len() >= LIST_ENTRIES_MAX {
                return Err(failed(Errno::OVERFLOW));
            }
            let file_type = match entry.file_type() {
                FileType::Unknown => match rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                    Err(Errno::NOENT) => continue,
                    Err(errno) => return Err(failed(errno)),
                },
                known => known,
            };
            items.push(Item { name: name.to_owned(), is_directory: file_type.is_dir() });
        }
        items.sort_unstable();
        Ok(items)
    }

    /// The room that is left.
    ///
    /// # Errors
    /// The file system does not say.
    pub fn free_space(&self) -> Result<Space, DiskError> {
        let stat = rustix::fs::fstatvfs(&self.root)
            .map_err(|errno| clean(&self.path, Operation::MeasureSpace, errno))?;
        let inodes = (stat.f_files > 0).then_some(stat.f_favail);
        Ok(Space { bytes: stat.f_bavail.saturating_mul(stat.f_frsize), inodes })
    }

    pub(super) fn open_beneath_or_root(&self, rel: &str) -> Result<OwnedFd, Errno> {
        match rel {
            "" => rustix::fs::openat(&self.root, ".", DIRECTORY, Mode::empty()),
            _ => self.open_beneath(rel, DIRECTORY),
        }
    }

    /// Opens without following any symbolic link.
    pub(super) fn open_beneath(&self, rel: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        match rustix::fs::openat2(&self.root, rel, flags, Mode::empty(), BENEATH) {
            // Kernels before 5.6 and some sandboxes have no openat2.
            Err(Errno::NOSYS | Errno::PERM) => self.open_by_steps(rel, flags),
            opened_or_failed => opened_or_failed,
        }
    }

    pub(super) fn open_by_steps(&self, rel: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        let (parent_rel, name) = split(rel);
        let mut directory = rustix::fs::openat(&self.root, ".", DIRECTORY, Mode::empty())?;
        for step in parent_rel.split('/').filter(|step| !step.is_empty()) {
            directory = rustix::fs::openat(&directory, step, DIRECTORY, Mode::empty())?;
        }
        rustix::fs::openat(&directory, name, flags | OFlags::NOFOLLOW, Mode::empty())
    }

    pub(super) fn check_regular(&self, file: BorrowedFd<'_>, rel: &str) -> Result<u64, DiskError> {
        let stat = rustix::fs::fstat(file).map_err(|errno| self.clean(rel, Operation::Read, errno))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {}
            FileType::Directory => return Err(self.clean(rel, Operation::Read, Errno::ISDIR)),
            _ => return Err(self.clean(rel, Operation::Read, Errno::INVAL)),
        }
        match u64::try_from(stat.st_size) {
            Ok(size) if size <= FILE_BYTES_MAX => Ok(size),
            _ => Err(self.clean(rel, Operation::Read, Errno::FBIG)),
        }
    }

    pub(super) fn read_open(&self, file: BorrowedFd<'_>, rel: &str) -> Result<Vec<u8>, DiskError> {
        let size = self.check_regular(file, rel)?;
        let size = usize::try_from(size).map_err(|_| self.clean(rel, Operation::Read, Errno::FBIG))?;
        let mut bytes = vec![0; size];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match rustix::io::read(file, rest) {
                Ok(0) => break,
                Ok(count) => filled = filled.saturating_add(count),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(self.clean(rel, Operation::Read, errno)),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }
}
