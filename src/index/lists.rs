//! What the index answers, each for the tree that is asked for.

use sled::IVec;
use undersigned_registry::id::EventHash;
use undersigned_registry::record::Status;
use undersigned_tlog::tree::TreeSize;

use super::{ENDORSED, Index, IndexError, LAPSED, Listed, WAIT_MAX, key, kind, number};

impl Index {
    /// How many entries it covers.
    #[must_use]
    pub fn covered(&self) -> u64 {
        *self.covered.borrow()
    }

    /// Waits until the index covers a tree.
    ///
    /// # Errors
    /// It does not within [`WAIT_MAX`].
    pub async fn wait_for(&self, size: TreeSize) -> Result<(), IndexError> {
        let mut covered = self.covered.clone();
        let waited = tokio::time::timeout(WAIT_MAX, covered.wait_for(|covered| *covered >= size.get())).await;
        match waited {
            Ok(Ok(_)) => Ok(()),
            _ => Err(IndexError::Behind { covered: self.covered(), wanted: size.get() }),
        }
    }

    /// The entry of an event.
    ///
    /// # Errors
    /// sled failed.
    pub fn entry_of(&self, hash: EventHash) -> Result<Option<u64>, IndexError> {
        let value = self.db.get(key(kind::ENTRY, &[hash.hash().as_bytes()]))?;
        Ok(value.and_then(|value| number(&value)))
    }

    /// The entry that published the statement with this slug.
    ///
    /// # Errors
    /// sled failed.
    pub fn statement_by_slug(&self, slug: &str) -> Result<Option<u64>, IndexError> {
        let value = self.db.get(key(kind::SLUG, &[slug.as_bytes()]))?;
        Ok(value.and_then(|value| number(&value)))
    }

    /// The entries that created the parties which claim a domain, after `after`, up to `limit`.
    ///
    /// # Errors
    /// sled failed.
    pub fn parties_by_domain(
        &self,
        domain: &str,
        size: TreeSize,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<u64>, IndexError> {
        self.numbers(key(kind::DOMAIN, &[domain.as_bytes(), &[0]]), after, size, limit)
    }

    /// The entries that published statements, after `after`, up to `limit`.
    ///
    /// # Errors
    /// sled failed.
    pub fn statements(
        &self,
        size: TreeSize,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<u64>, IndexError> {
        self.numbers(key(kind::STATEMENT, &[]), after, size, limit)
    }

    /// The entries that published the versions of a statement, after `after`, up to `limit`.
    ///
    /// # Errors
    /// sled failed.
    pub fn versions(
        &self,
        statement: u64,
        size: TreeSize,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<u64>, IndexError> {
        self.numbers(key(kind::VERSION, &[&statement.to_be_bytes()]), after, size, limit)
    }

    /// The entry that published the newest version of a statement in a tree.
    ///
    /// # Errors
    /// sled failed.
    pub fn newest_version(&self, statement: u64, size: TreeSize) -> Result<Option<u64>, IndexError> {
        let prefix = key(kind::VERSION, &[&statement.to_be_bytes()]);
        let end = key(kind::VERSION, &[&statement.to_be_bytes(), &size.get().to_be_bytes()]);
        match self.db.range(prefix.clone()..end).next_back() {
            Some(item) => Ok(item?.0.get(prefix.len()..).and_then(number)),
            None => Ok(None),
        }
    }

    /// The entries of a party, after `after`, up to `limit`.
    ///
    /// # Errors
    /// sled failed.
    pub fn entries_of_party(
        &self,
        party: u64,
        size: TreeSize,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<u64>, IndexError> {
        self.numbers(key(kind::PARTY, &[&party.to_be_bytes()]), after, size, limit)
    }

    /// The last eight bytes of the keys with a prefix, where they lie in the tree.
    fn numbers(
        &self,
        prefix: Vec<u8>,
        after: Option<u64>,
        size: TreeSize,
        limit: usize,
    ) -> Result<Vec<u64>, IndexError> {
        let Some(start) = after.map_or(Some(0), |after| after.checked_add(1)) else { return Ok(Vec::new()) };
        let mut first = prefix.clone();
        first.extend_from_slice(&start.to_be_bytes());
        let mut found = Vec::new();
        for item in self.db.range(first..) {
            let (key, _) = item?;
            if found.len() == limit || !key.starts_with(&prefix) {
                break;
            }
            match key.get(prefix.len()..).and_then(number) {
                Some(index) if index < size.get() => found.push(index),
                Some(_) => break,
                None => {}
            }
        }
        Ok(found)
    }

    /// The parties on the list of a version as of a tree size, those after the party `after` first, up to
    /// `limit`: the state of each thread is that of its newest entry in the tree.
    ///
    /// # Errors
    /// sled failed.
    pub fn signatories(
        &self,
        version: u64,
        size: TreeSize,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Listed>, IndexError> {
        let prefix = key(kind::THREAD, &[&version.to_be_bytes()]);
        let Some(start) = after.map_or(Some(0), |after| after.checked_add(1)) else { return Ok(Vec::new()) };
        let mut first = prefix.clone();
        first.extend_from_slice(&start.to_be_bytes());
        let mut found: Vec<Listed> = Vec::new();
        for item in self.db.range(first..) {
            let (key, value): (IVec, IVec) = item?;
            let Some(rest) = key.strip_prefix(prefix.as_slice()) else { break };
            let (Some(party_entry), Some(entry)) =
                (rest.get(..8).and_then(number), rest.get(8..).and_then(number))
            else {
                return Err(IndexError::Damaged("a key of a thread".to_owned()));
            };
            if entry >= size.get() {
                continue;
            }
            let endorses = value.as_ref() == ENDORSED;
            let status = if endorses { Status::Active } else { Status::Withdrawn };
            let listed = found.last_mut().filter(|last| last.party_entry == party_entry);
            if value.as_ref() == LAPSED {
                // Time moves the status, and the head of the thread stays.
                if let Some(last) = listed {
                    last.status = Status::Lapsed;
                }
            } else if let Some(last) = listed {
                last.entry = entry;
                last.status = status;
                last.endorsed = if endorses { Some(entry) } else { last.endorsed };
            } else if found.len() == limit {
                break;
            } else {
                found.push(Listed { party_entry, entry, endorsed: endorses.then_some(entry), status });
            }
        }
        Ok(found)
    }
}
