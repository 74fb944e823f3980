//! What is put away when a log breaks a rule: never over anything, never deleted, and not without end.
//!
//! Below `private/evidence/`, each file under a name made of its bytes: the checkpoint that the copy is served
//! under, the one that the log served, the bundle with the entry that is wrong, and the words that were said.

use undersigned_tlog::hash::sha256;
use undersigned_tlog::tile::{TILE_WIDTH, Width, bundle_append, entries_width};

use super::Log;
use crate::audit::AuditError;
use crate::store::{Created, Name, Prefix, Store, StoreError};

/// So many files are put away of a log that breaks rules again and again: somebody on the way, without any key,
/// could fill the disk otherwise. Bundles have 8 MiB at most, so it is half a GiB at the very worst.
const FILES_MAX: usize = 64;
/// So many of what the log key itself signed and must not have: nobody else can make these.
const SIGNED_FILES_MAX: usize = 256;

/// Puts it away, and says where; nothing once there is enough.
pub(super) fn keep(
    store: &dyn Store,
    log: &dyn Log,
    adopted: Option<&[u8]>,
    error: &AuditError,
) -> Result<Vec<String>, StoreError> {
    let is_signed = matches!(error, AuditError::Shrunk { .. } | AuditError::Forked { .. });
    let files_max = if is_signed { SIGNED_FILES_MAX } else { FILES_MAX };
    let there = Prefix::private("evidence").map_err(|error| StoreError::Unreadable {
        subject: "evidence".to_owned(),
        source: Box::new(error),
    })?;
    if store.list(&there, None, files_max)?.len() >= files_max {
        return Ok(Vec::new());
    }
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

#[cfg(test)]
mod tests {
    use undersigned_tlog::hash::Hash;
    use undersigned_tlog::tile::TileCoordinate;

    use super::*;
    use crate::audit::{Source, SourceError};
    use crate::store::MemoryStore;

    /// A log that says nothing.
    struct Silent;

    fn missing<T>() -> Result<T, SourceError> {
        Err(SourceError::Missing { name: "it".to_owned(), path: "anything".to_owned() })
    }

    impl Source for Silent {
        fn checkpoint(&self) -> Result<Vec<u8>, SourceError> {
            missing()
        }

        fn bundle(&self, _: u64, _: Width) -> Result<Vec<Vec<u8>>, SourceError> {
            missing()
        }

        fn tile(&self, _: TileCoordinate, _: Width) -> Result<Vec<u8>, SourceError> {
            missing()
        }

        fn name(&self) -> String {
            "it".to_owned()
        }
    }

    impl Log for Silent {
        fn blob(&self, _: &Hash) -> Result<Option<Vec<u8>>, SourceError> {
            missing()
        }
    }

    /// Somebody between the log and its mirror altered another byte each time, and each bundle was kept.
    #[test]
    fn evidence_does_not_fill_the_disk_and_what_the_log_key_signed_still_has_room() {
        let store = MemoryStore::default();
        let other =
            |number: usize| AuditError::OtherLog { audited: "a".to_owned(), served: number.to_string() };
        for number in 0..FILES_MAX {
            assert_eq!(keep(&store, &Silent, None, &other(number)).expect("kept").len(), 1, "{number}");
        }
        assert!(keep(&store, &Silent, None, &other(FILES_MAX)).expect("enough").is_empty());
        let shrunk = AuditError::Shrunk { audited: 2, shown: 1, served: b"signed".to_vec() };
        assert_eq!(keep(&store, &Silent, None, &shrunk).expect("kept").len(), 2);
    }
}
