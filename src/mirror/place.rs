//! Where a log lies below the mirror's folder: `<SHA-256 of its origin, in hex>/`, as C2SP tlog-mirror names
//! it, with `public/` as the log has it and `private/` for the mirror alone.
//!
//! The state in `private/state` is that of an audit (`docs/spec/audit-state.md`). It proves itself; one that
//! does not is left aside and the copy is verified from entry 0.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use undersigned_registry::id::RegistryId;
use undersigned_registry::verify::Trust;
use undersigned_tlog::hash::sha256;

use super::MirrorError;
use crate::audit::{FolderSource, Kept};
use crate::disk::{Access, Folder};
use crate::store::{Created, LocalStore, Name, Store};

/// The name of a log's folder: the SHA-256 of its origin, in lower-case hex.
#[must_use]
pub fn origin_hash(origin: &str) -> String {
    sha256(&[origin.as_bytes()]).to_hex()
}

/// The folder of one log.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    origin: String,
    store: Arc<dyn Store>,
}

/// Which registry the folder is of: one line.
const REGISTRY: &str = "mirror-of";
const STATE: &str = "state";
const STATE_PATH: &str = "private/state";
/// The checkpoint that the mirror is about to reach.
const AIM: &str = "aim";

impl Place {
    /// Makes or opens it, for this process alone.
    pub(super) fn open(data: &Path, registry: &RegistryId) -> Result<Self, MirrorError> {
        Folder::create(data, "tmp", Access::Public)?;
        let path = data.join(origin_hash(registry.origin()));
        let store = LocalStore::init(&path)?;
        let line = format!("{}\n", registry.to_text()).into_bytes();
        let name = private(REGISTRY);
        if store.create(&name, &line)? == Created::Different {
            let found = store.get(&name)?.unwrap_or_default();
            return Err(MirrorError::OtherRegistry {
                path: path.display().to_string(),
                found: String::from_utf8_lossy(&found).trim_end().to_owned(),
                expected: registry.to_text(),
            });
        }
        Ok(Self { path, origin: registry.origin().to_owned(), store: Arc::new(store) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    pub(super) const fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The copy, read like any other; none before the first checkpoint.
    pub(super) fn copy(&self) -> Option<FolderSource> {
        FolderSource::open(&self.path).ok()
    }

    /// The state that was kept, if it proves itself.
    pub(super) fn read_state(&self, trust: &Trust) -> Result<Option<Kept>, MirrorError> {
        // Not through the store, whose files are small: a state grows with the registry.
        let path = self.path.join(STATE_PATH);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(MirrorError::State { path: path.display().to_string(), source }),
        };
        match Kept::decode(&bytes, trust) {
            Ok(kept) => Ok(Some(kept)),
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "the kept state is not used; the copy is verified from entry 0");
                Ok(None)
            }
        }
    }

    pub(super) fn write_state(&self, bytes: &[u8]) -> Result<(), MirrorError> {
        Ok(self.store.put_marker(&private(STATE), bytes)?)
    }

    /// The checkpoint that an earlier process was about to reach, if it is one and the copy lies behind it.
    pub(super) fn read_aim(&self, trust: &Trust, size: u64) -> Result<Option<Vec<u8>>, MirrorError> {
        let aim = self.store.get(&private(AIM))?;
        Ok(aim.filter(|bytes| trust.open_checkpoint(bytes).is_ok_and(|signed| signed.size().get() > size)))
    }

    pub(super) fn write_aim(&self, checkpoint: &[u8]) -> Result<(), MirrorError> {
        Ok(self.store.put_marker(&private(AIM), checkpoint)?)
    }

    /// After a power cut the published checkpoint may be an older one than the state was kept for; what the
    /// newer one names was durable before.
    pub(super) fn restore_checkpoint(&self, trust: &Trust, kept: &Kept) -> Result<(), MirrorError> {
        let published = self.store.get(&Name::checkpoint())?;
        let size = published
            .and_then(|bytes| trust.open_checkpoint(&bytes).ok())
            .map_or(0, |signed| signed.size().get());
        if size < kept.tree_size() {
            self.store.put_checkpoint(kept.checkpoint())?;
        }
        Ok(())
    }
}

fn private(name: &str) -> Name {
    // The constants above are names; the checkpoint can be neither created nor put as a marker.
    Name::private(name).unwrap_or_else(|_| Name::checkpoint())
}
