//! Blobs that no entry names: what a process leaves that ended between storing the blobs of a batch and committing
//! it (`docs/spec/storage.md`, SO-31).
//!
//! Before the blobs of a batch are stored, those that are not there yet are listed in a private file, which nobody
//! waits for. So a start looks at these alone, however many blobs there are. An entry that names one of them can
//! only stand behind the end of the log at the time, as the blob was not there before.

use std::collections::HashSet;

use undersigned_registry::json::{self, ObjectWriter, Value};
use undersigned_tlog::hash::Hash;
use undersigned_tlog::tile::{TILE_WIDTH, entries_width};
use undersigned_tlog::tree::TreeSize;

use super::law::Law;
use super::refusal::RecoverError;
use crate::store::{Name, NameError, Store, StoreError};
use crate::tiles::read_bundle;

/// What becomes of blobs that no entry names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orphans {
    /// The last end was in order: there are none.
    None,
    /// The last end was not: they are looked for and deleted.
    Sweep,
}

/// The largest list that is read: 4 MiB of entries name no more than some 60,000 blobs.
const LIST_BYTES_MAX: usize = 16 << 20;

/// How far behind the end of the log a list may lie: it is of the newest batch or of the one before, which emptied
/// or replaced it. One that lies further back is what a power cut brought back.
const ENTRIES_BEHIND_MAX: u64 = 4_096;

/// The list of the batch in the making, as the sequencer keeps it.
#[derive(Debug)]
pub(super) struct NewBlobs {
    /// Whether the file may name any.
    is_listed: bool,
}

impl NewBlobs {
    /// Nothing is known of what an earlier process left.
    pub(super) const fn new() -> Self {
        Self { is_listed: true }
    }

    /// Lists which of these blobs are new with the batch that extends the log from `old_size`, and returns them.
    ///
    /// A crash here leaves this list or the one before, and no blob that it should name.
    ///
    /// # Errors
    /// The store failed.
    pub(super) fn list(
        &mut self,
        store: &dyn Store,
        old_size: TreeSize,
        blobs: &[Hash],
    ) -> Result<Vec<Name>, StoreError> {
        let mut new = Vec::new();
        for hash in blobs {
            if store.get(&Name::blob(hash))?.is_none() {
                new.push(*hash);
            }
        }
        if let Ok(list) = name()
            && (self.is_listed || !new.is_empty())
        {
            store.put_hint(&list, &encode(old_size, &new))?;
            self.is_listed = !new.is_empty();
        }
        Ok(new.iter().map(Name::blob).collect())
    }
}

fn name() -> Result<Name, NameError> {
    Name::private("new-blobs/list")
}

fn encode(old_size: TreeSize, blobs: &[Hash]) -> Vec<u8> {
    let mut line = Vec::new();
    ObjectWriter::new(&mut line).hashes("blobs", blobs).integer("old_size", old_size.get()).finish();
    line.push(b'\n');
    line
}

fn decode(bytes: &[u8]) -> Option<(u64, Vec<Hash>)> {
    let Value::Object(members) = json::parse(bytes.strip_suffix(b"\n")?, LIST_BYTES_MAX).ok()? else {
        return None;
    };
    match members.as_slice() {
        [(blobs_name, Value::List(blobs)), (size_name, Value::Integer(size))]
            if blobs_name == "blobs" && size_name == "old_size" =>
        {
            let hash = |value: &Value| match value {
                Value::Text(text) => Hash::from_hex(text).ok(),
                _ => None,
            };
            Some((*size, blobs.iter().map(hash).collect::<Option<_>>()?))
        }
        _ => None,
    }
}

/// Deletes the blobs that the last process listed and no entry names; `size` is that of the recovered log.
///
/// A crash here leaves some of them, and the list: the next start goes on.
///
/// # Errors
/// The store failed, or the newest entries cannot be read.
pub(super) fn sweep<L: Law>(store: &dyn Store, law: &L, size: TreeSize) -> Result<(), RecoverError> {
    let Ok(list) = name() else { return Ok(()) };
    let listed = store.get(&list)?.and_then(|bytes| decode(&bytes));
    let Some((old_size, blobs)) = listed.filter(|(_, blobs)| !blobs.is_empty()) else { return Ok(()) };
    if size.get().checked_sub(old_size).is_none_or(|behind| behind > ENTRIES_BEHIND_MAX) {
        tracing::info!(old_size, "the list of new blobs is an old one; blobs that no entry names may stay");
        return Ok(());
    }
    let named = named_from(store, law, old_size, size)?;
    let mut swept = 0u64;
    for hash in blobs.iter().filter(|hash| !named.contains(*hash)) {
        store.delete(&Name::blob(hash))?;
        swept = swept.saturating_add(1);
    }
    if swept > 0 {
        tracing::info!(swept, "deleted blobs that no entry names");
    }
    Ok(())
}

/// The blobs that the entries from `first` on name.
fn named_from<L: Law>(
    store: &dyn Store,
    law: &L,
    first: u64,
    size: TreeSize,
) -> Result<HashSet<Hash>, RecoverError> {
    let mut named = HashSet::new();
    let mut bundle = first / TILE_WIDTH;
    while let Some(width) = entries_width(bundle, size) {
        let entries = read_bundle(store, bundle, width)
            .map_err(|error| RecoverError::Tiles { size, source: error.into() })?;
        // The whole bundle, also the entries in it that are older: they do no harm.
        named.extend(entries.iter().flat_map(|entry| law.blobs(entry)));
        bundle = bundle.saturating_add(1);
    }
    Ok(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_reads_back_and_nothing_else_is_one() {
        let blobs = [Hash::from_bytes([1; 32]), Hash::from_bytes([2; 32])];
        for blobs in [&blobs[..], &[]] {
            assert_eq!(decode(&encode(TreeSize::new(7), blobs)), Some((7, blobs.to_vec())));
        }
        let whole = encode(TreeSize::new(7), &blobs);
        for end in 0..whole.len() {
            assert_eq!(decode(&whole[..end]), None, "torn after {end} bytes");
        }
        assert_eq!(decode(&vec![0; whole.len()]), None);
        assert_eq!(decode(b"{\"blobs\":[\"00\"],\"old_size\":7}\n"), None);
    }
}
