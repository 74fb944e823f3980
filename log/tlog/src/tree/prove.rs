//! Cutting roots, inclusion and consistency proofs from node hashes: RFC 6962, sections 2.1 to 2.1.2.
//!
//! The recursive definitions of the RFC are walked from the root down in a loop; a proof is collected
//! root child first and turned round at the end. Nothing here checks what the source hands out: a
//! caller that does not trust it verifies the proof ([`crate::tree::verify_inclusion`]).

use alloc::vec::Vec;

use super::{LeafIndex, Nodes, TreeSize};
use crate::hash::{Hash, empty_root, node_hash};

/// Why a proof or root could not be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProveError<E> {
    /// The tree has no such leaf.
    #[error("no leaf {index} in a tree of {size}")]
    IndexOutsideTree {
        /// The leaf asked for.
        index: LeafIndex,
        /// The tree asked for.
        size: TreeSize,
    },
    /// A tree never shrinks, so nothing proves that it did.
    #[error("no proof from tree size {from} back to {to}")]
    Shrinks {
        /// The older size asked for.
        from: TreeSize,
        /// The newer size asked for.
        to: TreeSize,
    },
    /// The source did not give a node hash.
    #[error("a node of the tree cannot be had")]
    Nodes(#[source] E),
}

/// The root of the tree of `size` leaves (RFC 6962, section 2.1).
///
/// # Errors
/// The source does not give a node.
pub fn root<N: Nodes>(size: TreeSize, nodes: &mut N) -> Result<Hash, ProveError<N::Error>> {
    range_hash(0, size.get(), nodes).map_err(ProveError::Nodes)
}

/// The hash of node `index` of a layer of the tree of `size` leaves, counted from the leaves: of what the tree
/// has of the leaves `index * 2^level .. (index + 1) * 2^level`. Layer by layer these are the nodes that several
/// leaves at once are proved with.
///
/// # Errors
/// The tree has no leaf there, or the source does not give a node.
pub fn subtree_root<N: Nodes>(
    level: u8,
    index: u64,
    size: TreeSize,
    nodes: &mut N,
) -> Result<Hash, ProveError<N::Error>> {
    let outside = ProveError::IndexOutsideTree { index: LeafIndex::new(index), size };
    let span = 1_u64.checked_shl(u32::from(level));
    let start = span.and_then(|span| index.checked_mul(span));
    let (Some(span), Some(start)) = (span, start.filter(|start| *start < size.get())) else {
        return Err(outside);
    };
    range_hash(start, span.min(size.get() - start), nodes).map_err(ProveError::Nodes)
}

/// The audit path of a leaf, its sibling first (RFC 6962, section 2.1.1).
///
/// # Errors
/// The leaf lies outside the tree, or the source does not give a node.
pub fn inclusion_proof<N: Nodes>(
    index: LeafIndex,
    size: TreeSize,
    nodes: &mut N,
) -> Result<Vec<Hash>, ProveError<N::Error>> {
    if !size.contains(index) {
        return Err(ProveError::IndexOutsideTree { index, size });
    }
    let mut proof = Vec::new();
    let (mut start, mut width, mut within) = (0, size.get(), index.get());
    while let Some(left) = left_width(width) {
        // `left < width`, and the range lies in the tree, so neither sum nor difference leaves u64.
        let right = width - left;
        let sibling = if within < left {
            width = left;
            range_hash(start + left, right, nodes)
        } else {
            let sibling = range_hash(start, left, nodes);
            (start, width, within) = (start + left, right, within - left);
            sibling
        };
        proof.push(sibling.map_err(ProveError::Nodes)?);
    }
    proof.reverse();
    Ok(proof)
}

/// The proof that the tree of `from` leaves is the beginning of the tree of `to` (RFC 6962, section 2.1.2).
///
/// It is empty when `from` is 0 or equals `to`: there the roots alone decide.
///
/// # Errors
/// `from` is larger than `to`, or the source does not give a node.
pub fn consistency_proof<N: Nodes>(
    from: TreeSize,
    to: TreeSize,
    nodes: &mut N,
) -> Result<Vec<Hash>, ProveError<N::Error>> {
    if from > to {
        return Err(ProveError::Shrinks { from, to });
    }
    let mut proof = Vec::new();
    if from == TreeSize::EMPTY || from == to {
        return Ok(proof);
    }
    let (mut start, mut width, mut old) = (0, to.get(), from.get());
    // RFC 6962 calls this b: the old tree is a whole left subtree, whose root the verifier has already.
    let mut old_root_is_known = true;
    while old < width {
        let Some(left) = left_width(width) else { break };
        let right = width - left;
        let sibling = if old <= left {
            width = left;
            range_hash(start + left, right, nodes)
        } else {
            old_root_is_known = false;
            let sibling = range_hash(start, left, nodes);
            (start, width, old) = (start + left, right, old - left);
            sibling
        };
        proof.push(sibling.map_err(ProveError::Nodes)?);
    }
    if !old_root_is_known {
        proof.push(range_hash(start, width, nodes).map_err(ProveError::Nodes)?);
    }
    proof.reverse();
    Ok(proof)
}

/// The width of the left half that RFC 6962 splits off: the largest power of two below `width`.
fn left_width(width: u64) -> Option<u64> {
    let last = width.checked_sub(1)?;
    last.checked_ilog2().map(|level| 1 << level)
}

/// The RFC 6962 hash of the leaves `start .. start + width`, where `start` is a multiple of the
/// smallest power of two that is not below `width`. That holds for every range that the walks meet.
fn range_hash<N: Nodes>(start: u64, width: u64, nodes: &mut N) -> Result<Hash, N::Error> {
    let mut peaks = Vec::new();
    let mut offset = start;
    let levels = u8::try_from(u64::BITS - width.leading_zeros()).unwrap_or(0);
    for level in (0..levels).rev() {
        let span = 1_u64 << level;
        if width & span != 0 {
            peaks.push(nodes.node(level, offset >> level)?);
            // No carry: `start` has no bit at or below the highest bit of `width`.
            offset |= span;
        }
    }
    Ok(peaks.into_iter().rev().reduce(|right, left| node_hash(&left, &right)).unwrap_or_else(empty_root))
}
