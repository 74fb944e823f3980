//! A law that goes on from the newest snapshot, where that is one of this very log.

use undersigned_tlog::edge::Frontier;
use undersigned_tlog::hash::leaf_hash;
use undersigned_tlog::tile::{TILE_WIDTH, TileNodes, entries_width};
use undersigned_tlog::tree::{LeafIndex, TreeSize, inclusion_proof, verify_inclusion};

use super::{Newest, object_name};
use crate::sequencer::law::{Kept, Law};
use crate::signer::Head;
use crate::store::{Store, StoreError};
use crate::tiles::{read_bundle, read_tile};

/// Where the law stands now: the edge of the tree of the entries that it need not replay, empty without a
/// snapshot.
///
/// # Errors
/// The store failed where it says whether there is a snapshot; an odd snapshot is none.
pub(in crate::sequencer) fn resume<L: Law>(
    store: &dyn Store,
    law: &mut L,
    head: Head,
) -> Result<Frontier, StoreError> {
    let Ok(name) = Newest::name() else { return Ok(Frontier::new()) };
    let Some(bytes) = store.get(&name)? else { return Ok(Frontier::new()) };
    match Newest::decode(&bytes).ok_or_else(|| "its first file is damaged".to_owned()) {
        Ok(newest) => match load(store, law, newest, head) {
            Ok(frontier) => {
                tracing::info!(
                    size = newest.size,
                    records = newest.records,
                    "the state is that of a snapshot"
                );
                return Ok(frontier);
            }
            Err(reason) => warn(&reason),
        },
        Err(reason) => warn(&reason),
    }
    Ok(Frontier::new())
}

fn warn(reason: &str) {
    tracing::warn!(reason, "the snapshot of the state is of no use; the log is replayed instead");
}

/// Loads it; the law is as before where that fails.
fn load<L: Law>(store: &dyn Store, law: &mut L, newest: Newest, head: Head) -> Result<Frontier, String> {
    let Newest { objects, size, .. } = newest;
    if size == 0 || size > head.size.get() {
        return Err(format!("it is of {size} entries, and the settled log has {}", head.size));
    }
    let first = entry(store, 0, head)?;
    let last = entry(store, size.saturating_sub(1), head)?;
    // That its tree is the beginning of this one is found out when the entries behind it lead to the head.
    let frontier =
        Frontier::from_tiles(TreeSize::new(size), |coordinate, width| read_tile(store, coordinate, width));
    let frontier = frontier.map_err(|error| error.to_string())?;
    let object = |number: usize| {
        let number = u64::try_from(number).unwrap_or(u64::MAX);
        let name = object_name(size, number).map_err(|error| error.to_string())?;
        let bytes = store.get(&name).map_err(|error| error.to_string())?;
        bytes.ok_or_else(|| format!("{name} is missing"))
    };
    law.restore(&Kept {
        size,
        first: &first,
        last: &last,
        objects: usize::try_from(objects).unwrap_or(usize::MAX),
        object: &object,
    })?;
    Ok(frontier)
}

/// An entry that is proved to be in the tree of the head.
fn entry(store: &dyn Store, index: u64, head: Head) -> Result<Vec<u8>, String> {
    let bundle = index / TILE_WIDTH;
    let width = entries_width(bundle, head.size).ok_or("the tree has no such entry")?;
    let mut entries = read_bundle(store, bundle, width).map_err(|error| error.to_string())?;
    let position = usize::try_from(index % TILE_WIDTH).unwrap_or(usize::MAX);
    if position >= entries.len() {
        return Err(format!("entry {index} is missing"));
    }
    let entry = entries.swap_remove(position);
    let mut nodes = TileNodes::new(head.size, |coordinate, width| read_tile(store, coordinate, width));
    let leaf = LeafIndex::new(index);
    inclusion_proof(leaf, head.size, &mut nodes)
        .ok()
        .and_then(|proof| verify_inclusion(&leaf_hash(&entry), leaf, head.size, &proof, &head.root).ok())
        .ok_or_else(|| format!("entry {index} is not proved by the tiles"))?;
    Ok(entry)
}
