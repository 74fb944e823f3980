//! Whether a tree goes on from one that was seen before, or contradicts what was signed then.

use std::collections::BTreeMap;
use std::sync::Arc;

use undersigned_tlog::checkpoint::SignedCheckpoint;
use undersigned_tlog::hash::Hash;
use undersigned_tlog::tile::{Tile, TileCoordinate, TileNodes, Width};
use undersigned_tlog::tree::{TreeSize, consistency_proof, root, verify_consistency};

use super::source::{Source, SourceError};
use super::{AuditError, Rule};

/// Checks that the tree that is signed now begins with the one that was audited.
///
/// # Errors
/// It does not, or it cannot be told as files are missing.
pub(super) fn check(
    source: &dyn Source,
    before: &SignedCheckpoint,
    signed: &SignedCheckpoint,
    served: &[u8],
) -> Result<(), AuditError> {
    if signed.origin() != before.origin() {
        let (audited, served) = (before.origin().to_string(), signed.origin().to_string());
        return Err(AuditError::OtherLog { audited, served });
    }
    let (audited, now) = (before.size(), signed.size());
    if now < audited {
        return Err(AuditError::Shrunk { audited: audited.get(), shown: now.get(), served: served.to_vec() });
    }
    if now == audited {
        return match signed.root() == before.root() {
            true => Ok(()),
            false => Err(forked(before, signed, *signed.root(), served)),
        };
    }
    let mut tree = Prover::new(source, now);
    if tree.begins_with(audited, before.root(), signed)? {
        return Ok(());
    }
    // The same files with their own beginning: if that leads to the signed root, they are the tree that the
    // key signed, and it begins otherwise than the one that it signed before. If not, they prove nothing.
    let beginning = tree.ask(|nodes| root(audited, nodes).ok())?;
    let leads_on = match &beginning {
        Some(beginning) => tree.begins_with(audited, beginning, signed)?,
        None => false,
    };
    match beginning.filter(|_| leads_on) {
        Some(beginning) => Err(forked(before, signed, beginning, served)),
        None => Err(AuditError::Lied {
            entry: audited.get().saturating_sub(1),
            rule: Box::new(Rule::Consistency { audited: audited.get(), size: now.get() }),
            in_signed_tree: false,
        }),
    }
}

fn forked(
    before: &SignedCheckpoint,
    signed: &SignedCheckpoint,
    beginning: Hash,
    served: &[u8],
) -> AuditError {
    AuditError::Forked {
        audited: before.size().get(),
        audited_root: *before.root(),
        shown: signed.size().get(),
        beginning,
        served: served.to_vec(),
    }
}

/// The nodes of a tree as its source gives them; tiles that were read are held.
pub(super) struct Prover<'a> {
    source: &'a dyn Source,
    nodes_of: TreeSize,
    held: BTreeMap<TileCoordinate, Arc<Tile>>,
}

pub(super) type SourceNodes<'a> =
    TileNodes<Box<dyn FnMut(TileCoordinate, Width) -> Result<Arc<Tile>, ()> + 'a>>;

/// How many tiles are held: those that every proof of one tree shares are at most one on each of 8 levels,
/// on its right edge and on the path to a leaf, and a tile of hashes has 8 KiB.
const TILES_HELD_MAX: usize = 64;

impl<'a> Prover<'a> {
    pub(super) const fn new(source: &'a dyn Source, size: TreeSize) -> Self {
        Self { source, nodes_of: size, held: BTreeMap::new() }
    }

    /// Asks something of the nodes; a file that cannot be read is an error of its own.
    pub(super) fn ask<T>(
        &mut self,
        ask: impl FnOnce(&mut SourceNodes<'_>) -> Option<T>,
    ) -> Result<Option<T>, SourceError> {
        let Self { source, nodes_of, held } = self;
        let mut unread = None;
        let answer = {
            let fetch = |coordinate, width| {
                if let Some(tile) = held.get(&coordinate) {
                    return Ok(Arc::clone(tile));
                }
                let bytes = source.tile(coordinate, width).map_err(|error| unread = Some(error))?;
                let tile = Tile::from_bytes(&bytes).map(Arc::new).map_err(|_| ())?;
                if held.len() >= TILES_HELD_MAX {
                    held.clear();
                }
                held.insert(coordinate, Arc::clone(&tile));
                Ok(tile)
            };
            let mut nodes: SourceNodes<'_> = TileNodes::new(*nodes_of, Box::new(fetch));
            ask(&mut nodes)
        };
        match (answer, unread) {
            (Some(answer), _) => Ok(Some(answer)),
            (None, Some(error)) => Err(error),
            (None, None) => Ok(None),
        }
    }

    /// Whether the tree begins with one of this size and root.
    pub(super) fn begins_with(
        &mut self,
        size: TreeSize,
        beginning: &Hash,
        of: &SignedCheckpoint,
    ) -> Result<bool, SourceError> {
        if size == of.size() {
            return Ok(beginning == of.root());
        }
        let proof = self.ask(|nodes| consistency_proof(size, of.size(), nodes).ok())?;
        Ok(proof
            .is_some_and(|proof| verify_consistency(size, of.size(), beginning, of.root(), &proof).is_ok()))
    }
}
