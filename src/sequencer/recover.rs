//! Start-up: from what is on the disk to a head that may be extended, or a refusal with the reason.
//!
//! Follows `docs/spec/storage.md`, rules SO-20 to SO-29. The head is found from the settled tiles and then
//! batch by batch, each under the name that the last one leads to; never from a listing. A batch is
//! believed because it replays. Nothing is served before this is done.

use undersigned_tlog::checkpoint::SignedCheckpoint;
use undersigned_tlog::edge::{Extension, Frontier};
use undersigned_tlog::hash::{Hash, leaf_hash};
use undersigned_tlog::tile::{TILE_WIDTH, TileNodes, TilePath, Width, entries_width};
use undersigned_tlog::tree::{TreeSize, consistency_proof, verify_consistency};

use super::batch::{Batch, BatchError};
use super::law::Law;
use super::orphans::{self, Orphans};
use super::plan::{Edge, EdgeError};
use super::refusal::RecoverError;
use super::{settle, snapshot};
use crate::clock::Clock;
use crate::signer::{Head, Signer};
use crate::store::{Name, Prefix, Store};
use crate::telemetry::long_step::LongStep;
use crate::tiles::{ReadError, read_bundle, read_tile};

/// A log that may be extended.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) edge: Edge,
    pub(crate) signed: SignedCheckpoint,
    /// How many batches were applied again.
    pub(crate) batches: u64,
    /// How many entries the snapshot had that the law went on from; none where it replayed the log.
    pub(crate) snapshot: TreeSize,
}

/// Brings a log's tiles, law, guard and checkpoint to its committed head.
///
/// # Errors
/// What is on the disk is not this log, not whole, or not readable; nothing was changed unless batches
/// above the settled tiles were applied.
pub(crate) fn recover<L: Law>(
    store: &dyn Store,
    law: &mut L,
    signer: &mut Signer,
    clock: &dyn Clock,
    orphans: Orphans,
) -> Result<Recovered, RecoverError> {
    let guard = signer.guard();
    let published = published(store, signer)?;
    // The guard is a copy of its own and may be the older one of the two.
    let newest_signed = published.filter(|published| published.size > guard.size).unwrap_or(guard);
    let signed_size = newest_signed.size;
    let settled = store.get_settled(&settle::marker())?.and_then(|bytes| settle::decode(&bytes));
    let (from, mut edge) = match settled {
        Some(settled) => (settled, read_edge(store, settled)?),
        None => begin_unsettled(store, newest_signed, published)?,
    };
    let begin = snapshot::resume(store, law, from)?;
    let snapshot = begin.size();
    replay_settled(store, law, begin, from)?;
    if guard.size <= from.size {
        check_extends(store, guard, from)?;
    }
    let mut batches = 0;
    while let Some((name, batch)) = next_batch(store, &edge, signed_size)? {
        edge = apply_batch(store, law, &edge, guard, signed_size, &name, &batch)?;
        batches += 1;
        check_clock(law, clock)?;
    }
    check_clock(law, clock)?;
    let key = signer.verifier_key().to_string();
    if !law.knows_key(&key) {
        return Err(RecoverError::Key { key });
    }
    let head = edge.head();
    if head.size < guard.size {
        return Err(RecoverError::Short { found: head.size, signed: guard.size });
    }
    if let Some(published) = published {
        raise_to_published(store, signer, published, head)?;
    }
    let proof = prove(store, signer.guard().size, head)
        .map_err(|source| RecoverError::Tiles { size: head.size, source })?;
    let signed = signer.sign(head, &proof)?;
    store.put_checkpoint(&signed.bytes())?;
    if settled != Some(head) {
        store.put_marker(&settle::marker(), &settle::encode(head))?;
    }
    if orphans == Orphans::Sweep {
        orphans::sweep(store, law, head.size)?;
    }
    warn_of_strays(store, head)?;
    Ok(Recovered { edge, signed, batches, snapshot })
}

fn read_edge(store: &dyn Store, head: Head) -> Result<Edge, RecoverError> {
    Edge::read(store, head).map_err(|source| RecoverError::Tiles { size: head.size, source })
}

/// Without the marker (a folder restored from `public/`) the tiles alone must reach what was signed last;
/// or else what was published, from where batches may lead on.
fn begin_unsettled(
    store: &dyn Store,
    newest_signed: Head,
    published: Option<Head>,
) -> Result<(Head, Edge), RecoverError> {
    match (read_edge(store, newest_signed), published) {
        (Ok(edge), _) => Ok((newest_signed, edge)),
        (Err(error), Some(published)) if published.size < newest_signed.size => {
            read_edge(store, published).map(|edge| (published, edge)).map_err(|_| error)
        }
        (Err(error), _) => Err(error),
    }
}

/// A batch above the end of the log, which no other one leads to, is never read; but the log stops when it
/// comes to its name, so the operator is told while there is time.
fn warn_of_strays(store: &dyn Store, head: Head) -> Result<(), RecoverError> {
    let strays = store.list(&Prefix::batches(), Some(&Name::batch(head.size.get())), 1)?;
    if let Some(stray) = strays.first() {
        tracing::warn!(%stray, "a batch lies above the end of the log; set it aside with: undersigned repair batch");
    }
    Ok(())
}

/// The newest entry may lie ahead of the clock by so much and no more.
fn check_clock<L: Law>(law: &L, clock: &dyn Clock) -> Result<(), RecoverError> {
    match law.received().saturating_sub(clock.now()?) {
        ahead if ahead > law.max_lag() => Err(RecoverError::Clock { ahead }),
        _ => Ok(()),
    }
}

/// The law over the entries whose tiles are settled, from the edge on that it has come to; they were signed, so their signatures are trusted.
///
/// Their hashes are computed once more: each bundle must hold the leaves of its tile, each full tile must
/// follow from the bundles, and all of them together must give the root. So an old file that was lost or
/// damaged is found here, and the state is never built on entries that are not in the tree.
fn replay_settled<L: Law>(
    store: &dyn Store,
    law: &mut L,
    begin: Frontier,
    head: Head,
) -> Result<(), RecoverError> {
    let size = head.size;
    let tiles = |source| RecoverError::Tiles { size, source };
    let mut frontier = begin;
    let mut step = LongStep::begin("the log is replayed: nothing is served before it is done");
    while frontier.size() < size {
        let first = frontier.size().get();
        let bundle = first / TILE_WIDTH;
        let width = entries_width(bundle, size).ok_or_else(|| tiles(EdgeError::Full))?;
        let mut entries = read_bundle(store, bundle, width).map_err(|error| tiles(error.into()))?;
        let known = usize::try_from(first % TILE_WIDTH).unwrap_or(usize::MAX);
        let entries = entries.split_off(known.min(entries.len()));
        let leaves: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        let extension = frontier.append(&leaves).map_err(|_| tiles(EdgeError::Full))?;
        check_full_tiles(store, &extension, bundle).map_err(tiles)?;
        frontier = extension.frontier;
        for (index, entry) in (first..).zip(entries) {
            law.follow(&entry, true).map_err(|reason| RecoverError::Entry { index, reason })?;
        }
        step.at(frontier.size().get(), size.get().saturating_sub(frontier.size().get()));
    }
    step.end(size.get());
    if frontier.root() != head.root {
        return Err(tiles(EdgeError::Root { size }));
    }
    Ok(())
}

/// Compares the full tiles that a bundle completes with the stored ones.
fn check_full_tiles(store: &dyn Store, extension: &Extension, bundle: u64) -> Result<(), EdgeError> {
    for (coordinate, tile) in extension.tiles.iter().filter(|(_, tile)| tile.width().is_full()) {
        let stored = read_tile(store, *coordinate, Width::FULL)?;
        if stored.bytes() == tile.bytes() {
            continue;
        }
        let name = Name::tile(&TilePath::Hashes { coordinate: *coordinate, width: Width::FULL });
        return Err(match coordinate.level() {
            0 => EdgeError::Apart {
                tile: name,
                bundle: Name::tile(&TilePath::Entries { index: bundle, width: Width::FULL }),
            },
            _ => ReadError::Damaged { name }.into(),
        });
    }
    Ok(())
}

fn next_batch(
    store: &dyn Store,
    edge: &Edge,
    signed_size: TreeSize,
) -> Result<Option<(Name, Batch)>, RecoverError> {
    let head = edge.head();
    let name = Name::batch(head.size.get());
    let Some(bytes) = store.get_settled(&name)? else { return Ok(None) };
    let refuse =
        |reason: String| RecoverError::Batch { name: name.clone(), reason, signed: head.size < signed_size };
    let batch = Batch::parse(&bytes).map_err(|error: BatchError| {
        refuse(format!("is not a whole batch ({} bytes): {error}", bytes.len()))
    })?;
    if batch.old != head {
        return Err(refuse("extends another tree than the one that is there".to_owned()));
    }
    Ok(Some((name, batch)))
}

fn apply_batch<L: Law>(
    store: &dyn Store,
    law: &mut L,
    edge: &Edge,
    guard: Head,
    signed_size: TreeSize,
    name: &Name,
    batch: &Batch,
) -> Result<Edge, RecoverError> {
    let refuse = |reason: String| RecoverError::Batch {
        name: name.clone(),
        reason,
        signed: batch.old.size < signed_size,
    };
    let trusted = batch.new.size <= guard.size;
    for (index, entry) in (batch.old.size.get()..).zip(&batch.entries) {
        law.follow(entry, trusted)
            .map_err(|reason| refuse(format!("does not replay at entry {index}: {reason}")))?;
    }
    law.keep();
    // Asked after its entries: the first batch is what gives the log its name.
    if batch.identity != law.identity() {
        return Err(refuse(format!("is of the log {:?}", batch.identity)));
    }
    let plan = edge.plan(&batch.entries).map_err(|error| refuse(error.to_string()))?;
    if plan.new != batch.new {
        return Err(refuse("states another root than its entries give".to_owned()));
    }
    // A guard inside a batch was never signed by this log: heads are signed at the ends of batches.
    let contradicts = (batch.old.size < guard.size && guard.size < batch.new.size)
        || (guard.size == batch.new.size && guard.root != batch.new.root);
    if contradicts {
        return Err(RecoverError::Fork { size: guard.size });
    }
    // A power cut may have torn them; the batch is there, so they are written from it.
    for (object, bytes) in &plan.objects {
        store.replace_from_batch(object, bytes)?;
    }
    Ok(plan.edge)
}

/// Checks that one head extends another, from stored tiles.
fn check_extends(store: &dyn Store, from: Head, to: Head) -> Result<(), RecoverError> {
    let proof =
        prove(store, from.size, to).map_err(|source| RecoverError::Tiles { size: to.size, source })?;
    verify_consistency(from.size, to.size, &from.root, &to.root, &proof)
        .map_err(|_| RecoverError::Fork { size: from.size })
}

fn prove(store: &dyn Store, from: TreeSize, to: Head) -> Result<Vec<Hash>, EdgeError> {
    let mut nodes = TileNodes::new(to.size, |coordinate, width| read_tile(store, coordinate, width));
    consistency_proof(from, to.size, &mut nodes).map_err(|_| EdgeError::Root { size: to.size })
}

/// The head of the published checkpoint; none if there is none, or only what a power cut left of it.
fn published(store: &dyn Store, signer: &Signer) -> Result<Option<Head>, RecoverError> {
    let Some(bytes) = store.get(&Name::checkpoint())? else { return Ok(None) };
    match SignedCheckpoint::open(&bytes, Some(signer.origin()), &[signer.verifier_key()]) {
        Ok(opened) => Ok(Some(Head { size: opened.size(), root: *opened.root() })),
        Err(error) if bytes.is_empty() || bytes.iter().all(|byte| *byte == 0) => {
            tracing::warn!(%error, "public/checkpoint was torn by a power cut; it is made again");
            Ok(None)
        }
        Err(error) => Err(RecoverError::Checkpoint { reason: error.to_string() }),
    }
}

/// A published checkpoint that is newer than the guard was signed, too: the guard is raised to it.
fn raise_to_published(
    store: &dyn Store,
    signer: &mut Signer,
    published: Head,
    head: Head,
) -> Result<(), RecoverError> {
    if published.size > head.size {
        return Err(RecoverError::Short { found: head.size, signed: published.size });
    }
    check_extends(store, published, head)?;
    if published.size > signer.guard().size {
        let proof = prove(store, signer.guard().size, published)
            .map_err(|source| RecoverError::Tiles { size: published.size, source })?;
        signer.raise(published, &proof)?;
    }
    Ok(())
}
