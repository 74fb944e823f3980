//! What failed, on which path, and whether it may have come too late to be harmless.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// Whether a failure can have left something permanent behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It failed before the first fsync or rename (no space, no inode, no descriptor, read-only): nothing is
    /// committed, the temporary file was removed, and the same call may be made again later.
    Clean,
    /// It failed at or after the first fsync or rename: the bytes may be there after a restart or not. The
    /// caller must stop the process; every later write of this folder fails likewise.
    Uncertain,
}

/// What was being done when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each name says it all; the Display text is its documentation")]
pub enum Operation {
    CheckPath,
    Open,
    Create,
    Write,
    Sync,
    Rename,
    MakeDirectory,
    Read,
    List,
    Remove,
    MeasureSpace,
    Lock,
}

/// A file operation that failed.
#[derive(Debug, thiserror::Error)]
pub struct DiskError {
    /// The file or directory it was about.
    pub path: PathBuf,
    /// The step that failed.
    pub operation: Operation,
    /// Whether anything may have become permanent.
    pub stage: Stage,
    /// What the operating system said.
    pub source: io::Error,
}

pub(super) fn clean(path: &Path, operation: Operation, errno: Errno) -> DiskError {
    DiskError { path: path.to_owned(), operation, stage: Stage::Clean, source: errno.into() }
}

impl DiskError {
    /// No bytes, no inodes or no quota left.
    #[must_use]
    pub fn is_no_space(&self) -> bool {
        matches!(self.errno(), Some(Errno::NOSPC | Errno::DQUOT))
    }

    /// No descriptor left, in this process or in the system.
    #[must_use]
    pub fn is_no_descriptor(&self) -> bool {
        matches!(self.errno(), Some(Errno::MFILE | Errno::NFILE))
    }

    /// The file system is mounted read-only.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.errno() == Some(Errno::ROFS)
    }

    pub(super) fn errno(&self) -> Option<Errno> {
        self.source.raw_os_error().map(Errno::from_raw_os_error)
    }

    /// What the operator can do about it.
    fn advice(&self) -> Option<&'static str> {
        let found_out =
            (self.stage == Stage::Uncertain).then_some("start again: the start finds out what was written");
        let Some(errno) = self.errno() else { return found_out };
        match errno {
            Errno::IO => Some("the disk may be failing: look into the kernel's log, then start again"),
            Errno::ROFS => Some("mount the file system read-write"),
            Errno::NOSPC | Errno::DQUOT => Some("free bytes and inodes, or raise the quota"),
            Errno::MFILE | Errno::NFILE => Some("raise the limit of open files"),
            Errno::XDEV => Some("keep public and private on one file system"),
            Errno::LOOP => Some("symbolic links are not followed here: name the real folder"),
            _ => found_out,
        }
    }
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}", self.operation, self.path.display())?;
        match self.advice() {
            Some(advice) => write!(f, "\n{advice}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CheckPath => "use as a relative path",
            Self::Open => "open",
            Self::Create => "create",
            Self::Write => "write",
            Self::Sync => "make durable",
            Self::Rename => "rename into place",
            Self::MakeDirectory => "make the directory",
            Self::Read => "read",
            Self::List => "list",
            Self::Remove => "remove",
            Self::MeasureSpace => "measure the space of",
            Self::Lock => "lock",
        })
    }
}
