//! Key files on the disk: read whole and within a limit, written once, never replaced.

use std::io::Read as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use zeroize::Zeroizing;

use super::KeyError;
use crate::disk::{Access, Created, DiskError, Folder};

/// The most bytes of a key file or passphrase file: a key of RSA with 16,384 bits, the largest that a
/// person might name by mistake, has some 13,000 in PEM.
const KEY_FILE_BYTES_MAX: u64 = 65_536;

/// The permission bits of everybody but the owner.
const OTHERS: u32 = 0o077;

/// Reads a file that should be no secret; it is wiped all the same, as people name the wrong one of two.
pub(super) fn read_text(path: &Path) -> Result<Zeroizing<String>, KeyError> {
    read(path, &open(path)?)
}

/// Reads a secret file, and only if nobody but its owner can.
pub(super) fn read_secret(path: &Path) -> Result<Zeroizing<String>, KeyError> {
    let file = open(path)?;
    // Asked of the open file, so that it cannot be exchanged in between.
    let metadata = file.metadata().map_err(|source| disk_error(path, source))?;
    let mode = metadata.permissions().mode() & 0o7777;
    // A pipe (`<(pass show key)`) has nobody's permissions to speak of. Of a file that belongs to somebody
    // else, such as one mounted into a container, the owner decides who reads it.
    let is_mine = metadata.uid() == rustix::process::getuid().as_raw();
    let is_stream = metadata.file_type().is_fifo() || metadata.file_type().is_char_device();
    if is_mine && !is_stream && mode & OTHERS != 0 {
        // A public key may be read by everybody; whoever names it by mistake is not told to hide it.
        return match read(path, &file) {
            Ok(text) if is_public(&text) => Err(KeyError::PublicHalf { path: path.to_owned() }),
            _ => Err(KeyError::Open { path: path.to_owned(), mode }),
        };
    }
    read(path, &file)
}

fn is_public(text: &str) -> bool {
    text.starts_with("ssh-") || text.starts_with("-----BEGIN PUBLIC KEY-----")
}

fn open(path: &Path) -> Result<std::fs::File, KeyError> {
    std::fs::File::open(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => KeyError::Absent { path: path.to_owned() },
        _ => disk_error(path, source),
    })
}

fn read(path: &Path, file: &std::fs::File) -> Result<Zeroizing<String>, KeyError> {
    // Room for the largest file from the start: a buffer that grows leaves copies of the secret behind.
    let mut text =
        Zeroizing::new(String::with_capacity(usize::try_from(KEY_FILE_BYTES_MAX).unwrap_or_default()));
    let form = |expected| KeyError::Form { path: path.to_owned(), expected };
    match file.take(KEY_FILE_BYTES_MAX).read_to_string(&mut text) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            return Err(form("a text file, as keys are\nname the key file, in OpenSSH's form or PEM"));
        }
        Err(error) => return Err(disk_error(path, error)),
    }
    if u64::try_from(text.len()).is_ok_and(|length| length < KEY_FILE_BYTES_MAX) {
        Ok(text)
    } else {
        Err(form("a key file: it is too large\nname the key file, in OpenSSH's form or PEM"))
    }
}

/// Writes a new file; one that is there is never replaced.
///
/// A crash here leaves the file whole or not at all, and perhaps an empty temporary folder.
pub(super) fn create(path: &Path, bytes: &[u8], access: Access) -> Result<(), KeyError> {
    let parent =
        path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let failed = |error| disk(path, error);
    // The temporary file stands beside the key, so that the rename stays on one file system.
    // Named by process and call, so that two of them in one folder do not sweep each other's away.
    let temporary = format!(
        ".undersigned-tmp-{}-{}",
        std::process::id(),
        TEMPORARY_NUMBER.fetch_add(1, Ordering::Relaxed)
    );
    let folder = Folder::open(parent, &temporary).map_err(failed)?;
    folder.sweep_temp().map_err(failed)?;
    let name = file_name(path);
    let created = match access {
        Access::Secret => folder.create_secret(&name, bytes),
        Access::Public => folder.create_durable(&name, bytes),
    };
    let swept = std::fs::remove_dir(parent.join(&temporary));
    match created.map_err(failed)? {
        Created::New => {
            drop(swept);
            Ok(())
        }
        Created::Equal | Created::Different => Err(KeyError::Exists { path: path.to_owned() }),
    }
}

pub(super) fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

pub(super) fn disk(path: &Path, error: DiskError) -> KeyError {
    disk_error(path, error.source)
}

fn disk_error(path: &Path, source: std::io::Error) -> KeyError {
    KeyError::Disk { path: path.to_owned(), source }
}

/// Numbers the temporary folders of this process; order is of no matter.
static TEMPORARY_NUMBER: AtomicU64 = AtomicU64::new(0);
