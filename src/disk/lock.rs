//! One process for each folder: an exclusive lock that goes with its process.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::error::clean;
use super::{Access, DiskError, Operation};

/// A held lock; dropping it, or the end of the process, releases it.
#[derive(Debug)]
pub struct Lock {
    held: OwnedFd,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing alone would not do: a process that is being started holds a copy until it runs.
        let _ = rustix::fs::flock(&self.held, FlockOperation::Unlock);
    }
}

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error(
        "another process is serving {}\nstop that process first, or name another folder",
        path.display()
    )]
    Held {
        /// What is locked.
        path: PathBuf,
    },
    /// It cannot be told.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// Takes an exclusive lock (flock) on a directory or on a file that is never replaced, and does not wait.
/// A path that does not exist is made as an empty file of mode 0600.
///
/// A crash here leaves that file, unlocked.
///
/// # Errors
/// Another process holds the lock, or the path cannot be opened.
pub fn lock_exclusive(path: &Path) -> Result<Lock, LockError> {
    let failed = |errno| clean(path, Operation::Lock, errno);
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let held = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(held) => held,
        Err(Errno::NOENT) => {
            rustix::fs::open(path, flags | OFlags::CREATE, Access::Secret.file_mode()).map_err(failed)?
        }
        Err(errno) => return Err(failed(errno).into()),
    };
    match rustix::fs::flock(&held, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Lock { held }),
        Err(Errno::WOULDBLOCK) => Err(LockError::Held { path: path.to_owned() }),
        Err(errno) => Err(failed(errno).into()),
    }
}
