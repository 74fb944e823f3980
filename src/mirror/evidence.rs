//! What is put away when a log breaks a rule: never over anything, never deleted.
//!
//! Below `private/evidence/`, each file under a name made of its bytes: the checkpoint that the copy is served
//! under, the one that the log served, the bundle with the entry that is wrong, and the words that were said.

use undersigned_tlog::hash::sha256;
use undersigned_tlog::tile::{TILE_WIDTH, Width, bundle_append, entries_width};

use super::Log;
use crate::audit::AuditError;
use crate::store::{Created, Name, Store, StoreError};

/// Puts it away, and says where.
pub(super) fn keep(
    store: &dyn Store,
    log: &dyn Log,
    adopted: Option<&[u8]>,
    error: &AuditError,
) -> Result<Vec<String>, StoreError> {
    let mut kept = Vec::new();
    let mut put = |what: &str, bytes: &[u8]| -> Result<(), StoreError> {
        let digest = sha256(&[bytes]).to_hex();
        let path = format!("evidence/{what}-{}", digest.get(..16).unwrap_or(&digest));
        let name = Name::private(&path)
            .map_err(|error| StoreError::Unreadable { subject: path.clone(), source: Box::new(error) })?;
        match store.create(&name, bytes)? {
            // Named by its bytes: what is there already is the same.
            Created::New | Created::Equal | Created::Different => kept.push(name.as_str().to_owned()),
        }
        Ok(())
    };
    if let Some(adopted) = adopted {
        put("mirrored", adopted)?;
    }
    let served = match error {
        AuditError::Shrunk { served, .. } | AuditError::Forked { served, .. } => Some(served.clone()),
        // The log may answer otherwise by now: what it says is kept as it comes.
        _ => log.checkpoint().ok(),
    };
    if let Some(served) = &served {
        put("served", served)?;
    }
    if let AuditError::Lied { entry, .. } = error
        && let Some(bundle) = bundle(log, served.as_deref(), *entry)
    {
        put("bundle", &bundle)?;
    }
    put("said", format!("{error}\n").as_bytes())?;
    Ok(kept)
}

/// The bundle of an entry as the log serves it, as far as its checkpoint says that it has one.
fn bundle(log: &dyn Log, checkpoint: Option<&[u8]>, entry: u64) -> Option<Vec<u8>> {
    let size = std::str::from_utf8(checkpoint?).ok()?.lines().nth(1)?.parse().ok()?;
    let index = entry / TILE_WIDTH;
    let width: Width = entries_width(index, undersigned_tlog::tree::TreeSize::new(size))?;
    let mut bytes = Vec::new();
    for entry in log.bundle(index, width).ok()? {
        bundle_append(&mut bytes, &entry).ok()?;
    }
    Some(bytes)
}
