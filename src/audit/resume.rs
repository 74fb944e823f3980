//! Whether a log goes on from where an earlier audit left it, or contradicts what it signed then.

use std::sync::Arc;

use undersigned_tlog::checkpoint::SignedCheckpoint;
use undersigned_tlog::hash::Hash;
use undersigned_tlog::tile::{Tile, TileNodes};
use undersigned_tlog::tree::{TreeSize, consistency_proof, root, verify_consistency};

use super::kept::Kept;
use super::source::{Source, SourceError};
use super::{AuditError, Rule};

/// Checks that the tree that is signed now begins with the one that was audited.
///
/// # Errors
/// It does not, or it cannot be told as files are missing.
pub(super) fn check(
    source: &dyn Source,
    kept: &Kept,
    signed: &SignedCheckpoint,
    served: &[u8],
) -> Result<(), AuditError> {
    if signed.origin() != kept.signed.origin() {
        let (audited, served) = (kept.signed.origin().to_string(), signed.origin().to_string());
        return Err(AuditError::OtherLog { audited, served });
    }
    let (audited, now) = (kept.signed.size(), signed.size());
    if now < audited {
        return Err(AuditError::Shrunk { audited: audited.get(), shown: now.get(), served: served.to_vec() });
    }
    if now == audited {
        return match signed.root() == kept.signed.root() {
            true => Ok(()),
            false => Err(forked(kept, signed, *signed.root(), served)),
        };
    }
    let proof = nodes(source, now, |nodes| consistency_proof(audited, now, nodes).ok())?;
    let begins_with = |old: &Hash| {
        proof
            .as_ref()
            .is_some_and(|proof| verify_consistency(audited, now, old, signed.root(), proof).is_ok())
    };
    if begins_with(kept.signed.root()) {
        return Ok(());
    }
    // The same files with their own beginning: if that leads to the signed root, they are the tree that the
    // key signed, and it begins otherwise than the one that it signed before. If not, they prove nothing.
    let beginning = nodes(source, now, |nodes| root(audited, nodes).ok())?;
    match beginning.filter(begins_with) {
        Some(beginning) => Err(forked(kept, signed, beginning, served)),
        None => Err(AuditError::Lied {
            entry: audited.get().saturating_sub(1),
            rule: Box::new(Rule::Consistency { audited: audited.get(), size: now.get() }),
            in_signed_tree: false,
        }),
    }
}

fn forked(kept: &Kept, signed: &SignedCheckpoint, beginning: Hash, served: &[u8]) -> AuditError {
    AuditError::Forked {
        audited: kept.tree_size(),
        audited_root: *kept.signed.root(),
        shown: signed.size().get(),
        beginning,
        served: served.to_vec(),
    }
}

pub(super) type SourceNodes<'a> = TileNodes<
    Box<
        dyn FnMut(
                undersigned_tlog::tile::TileCoordinate,
                undersigned_tlog::tile::Width,
            ) -> Result<Arc<Tile>, ()>
            + 'a,
    >,
>;

/// Asks something of the nodes of a tree; a file that cannot be read is an error of its own.
pub(super) fn nodes<T>(
    source: &dyn Source,
    size: TreeSize,
    ask: impl FnOnce(&mut SourceNodes<'_>) -> Option<T>,
) -> Result<Option<T>, SourceError> {
    let mut unread = None;
    let answer = {
        let fetch = |coordinate, width| {
            let bytes = source.tile(coordinate, width).map_err(|error| unread = Some(error))?;
            Tile::from_bytes(&bytes).map(Arc::new).map_err(|_| ())
        };
        let mut nodes: SourceNodes<'_> = TileNodes::new(size, Box::new(fetch));
        ask(&mut nodes)
    };
    match (answer, unread) {
        (Some(answer), _) => Ok(Some(answer)),
        (None, Some(error)) => Err(error),
        (None, None) => Ok(None),
    }
}
