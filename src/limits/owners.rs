//! Whose key it is, as far as that was seen: so that what a key signs counts for its organisation.
//!
//! A memory of what the law said, nothing that decides. It is told of what the law confirmed and of what it
//! denied, and may be emptied at any time.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use undersigned_registry::id::{KeyId, PartyId};

/// How many keys are remembered: at some 80 bytes each, 5 MB.
const KEYS_MAX: usize = 65_536;

/// Keys and the parties that the law said they belong to.
#[derive(Debug, Default)]
pub struct Owners {
    /// Held for one look-up.
    parties: Mutex<HashMap<KeyId, PartyId>>,
}

impl Owners {
    /// The party of a key, if it was seen.
    #[must_use]
    pub fn find(&self, key: &KeyId) -> Option<PartyId> {
        self.lock().get(key).copied()
    }

    /// The law said that these keys act for this party.
    pub fn learn(&self, keys: &[KeyId], party: PartyId) {
        let mut parties = self.lock();
        if parties.len().saturating_add(keys.len()) > KEYS_MAX {
            // Every one of them is learned again at its next use.
            parties.clear();
        }
        parties.extend(keys.iter().map(|key| (*key, party)));
    }

    /// The law said that one of these keys does not act for the party any more.
    pub fn forget(&self, keys: &[KeyId]) {
        let mut parties = self.lock();
        for key in keys {
            parties.remove(key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<KeyId, PartyId>> {
        self.parties.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
