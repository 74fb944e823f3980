//! The file in which an audit keeps what the next one goes on from, and the evidence beside it.
//!
//! Three things are kept apart: a file that cannot be used says nothing about the log (exit code 4), a log
//! that contradicts a good file has lied (exit code 1), and in neither case is the file replaced.

use std::path::{Path, PathBuf};

use undersigned_registry::verify::Trust;
use undersigned_tlog::hash::sha256;

use super::super::CliError;
use super::super::error::chain;
use crate::audit::{AuditError, Kept, KeptError};
use crate::disk::{Access, Created, DiskError, Durability, Folder};

/// Reads what an earlier audit kept; nothing if there is no such file yet.
pub(super) fn read(path: &Path, trust: &Trust) -> Result<Option<Kept>, CliError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(CliError::file("read", path, &error)),
    };
    Kept::decode(&bytes, trust).map(Some).map_err(|error| {
        let next = match error {
            KeptError::OtherRegistry { .. } | KeptError::OtherPolicy(_) => {
                "name another file with --state for this log, or the policy that the file was made under"
            }
            KeptError::NotOne => "name another file with --state",
            KeptError::Damaged(_) => {
                "this says nothing about the log, and the file was left as it is: take it from a backup, or move it away and audit from entry 0"
            }
        };
        CliError::local(format!("the state file {} cannot be used: {error}\n{next}", path.display()))
    })
}

/// Keeps an audit that ended well in place of the one before it.
///
/// A crash here leaves the old file or the new one, whole.
pub(super) fn write(path: &Path, kept: &Kept) -> Result<(), CliError> {
    let bytes = kept.encode();
    in_folder(path, |folder, name| {
        folder.replace_durable(name, &bytes, Access::Public, Durability::Durable)
    })
    .map_err(|error| {
        CliError::local(format!(
            "the audit ended well, but its state cannot be kept: {}\nname another file with --state, or free space",
            chain(&error)
        ))
    })
}

/// Where the log contradicts what it signed before, both checkpoints are kept beside the state file, each
/// under a name of its own; says where they are.
pub(super) fn keep_evidence(path: &Path, audited: Option<&[u8]>, error: &AuditError) -> Vec<PathBuf> {
    let served = match error {
        AuditError::Shrunk { served, .. } | AuditError::Forked { served, .. } => served,
        AuditError::Source(_)
        | AuditError::Lied { .. }
        | AuditError::Trust(_)
        | AuditError::OtherLog { .. } => return Vec::new(),
    };
    [("audited", audited), ("served", Some(served.as_slice()))]
        .into_iter()
        .filter_map(|(what, bytes)| evidence(path, what, bytes?).ok())
        .collect()
}

fn evidence(path: &Path, what: &str, bytes: &[u8]) -> Result<PathBuf, DiskError> {
    let digest = sha256(&[bytes]).to_hex();
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let file = path.with_file_name(format!("{name}.{what}-{}", digest.get(..16).unwrap_or(&digest)));
    in_folder(&file, |folder, name| match folder.create_durable(name, bytes)? {
        // Named by its bytes: what is there already is the same.
        Created::New | Created::Equal | Created::Different => Ok(()),
    })?;
    Ok(file)
}

/// Runs a durable write beside a file, with a temporary folder of this process.
fn in_folder<T>(
    path: &Path,
    write: impl FnOnce(&Folder, &str) -> Result<T, DiskError>,
) -> Result<T, DiskError> {
    let parent =
        path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    // On the same file system as the file, so that the rename is one step.
    let temporary = format!(".undersigned-audit-{}", std::process::id());
    let folder = Folder::open(parent, &temporary)?;
    folder.sweep_temp()?;
    let written = write(&folder, &name);
    // Left behind it is empty and in nobody's way.
    drop(std::fs::remove_dir(parent.join(&temporary)));
    written
}
