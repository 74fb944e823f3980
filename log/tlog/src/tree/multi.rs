//! Checking that several leaves are in a tree by one proof (docs/spec/multi-proof.md, MP-10 to MP-24).
//!
//! The tree is that of RFC 6962, walked layer by layer: the nodes 2i and 2i + 1 of a layer make the node i of
//! the next one, and a last node without a neighbour is promoted as it is. A proof holds, layer by layer and
//! from left to right, the neighbours that do not follow from the leaves. Which these are depends on the
//! indexes and the size alone, so a proof has exactly one right length, and it is known before anything is
//! hashed.
//!
//! Not here: making proofs; the nodes come from wherever they are kept.

use alloc::vec::Vec;

use super::{LeafIndex, TreeSize};
use crate::hash::{Hash, node_hash};

/// The most leaves of one proof. At 10^6 leaves a proof of as many has about 6,000 hashes.
pub const MULTI_LEAVES_MAX: usize = 1_024;

/// Why a proof of several leaves proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MultiProofError {
    /// MP-3: a proof has 1 to [`MULTI_LEAVES_MAX`] leaves.
    #[error("{found} leaves where 1 to {MULTI_LEAVES_MAX} belong")]
    LeafCount {
        /// The number that came.
        found: usize,
    },
    /// MP-21: the same leaf twice, or one that comes too late.
    #[error("leaf {index} does not come after the one before it")]
    Order {
        /// The leaf at fault.
        index: LeafIndex,
    },
    /// MP-22: the tree has no such leaf.
    #[error("no leaf {index} in a tree of {size}")]
    IndexOutsideTree {
        /// The leaf claimed.
        index: LeafIndex,
        /// The size of the tree.
        size: TreeSize,
    },
    /// MP-23: leaves and size have exactly one length of proof.
    #[error("{found} proof hashes where {expected} belong")]
    Length {
        /// The number that leaves and size ask for.
        expected: usize,
        /// The number that came.
        found: usize,
    },
    /// MP-24: the proof leads to another root than the tree has.
    #[error("the proof does not lead to the root of the tree")]
    Root,
}

/// Checks that these are the leaves at these indexes of the tree of `size` with this root.
///
/// `size` and `root` come from a checkpoint that somebody signed, never from the file that holds the proof.
///
/// # Errors
/// The indexes do not strictly increase or lie outside the tree, the proof has another length than they ask
/// for, or it leads to another root.
pub fn verify_multi_inclusion(
    leaves: &[(LeafIndex, Hash)],
    size: TreeSize,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), MultiProofError> {
    check_indexes(leaves, size)?;
    let expected = hash_count(leaves, size);
    if proof.len() != expected {
        return Err(MultiProofError::Length { expected, found: proof.len() });
    }
    let layer = leaves.iter().map(|(index, hash)| (index.get(), *hash)).collect();
    let mut hashes = proof.iter().copied();
    match climb(layer, size.get(), || hashes.next(), node_hash) {
        Some(found) if found == *root => Ok(()),
        _ => Err(MultiProofError::Root),
    }
}

/// MP-3, MP-21, MP-22.
fn check_indexes(leaves: &[(LeafIndex, Hash)], size: TreeSize) -> Result<(), MultiProofError> {
    if !(1..=MULTI_LEAVES_MAX).contains(&leaves.len()) {
        return Err(MultiProofError::LeafCount { found: leaves.len() });
    }
    let mut before = None;
    for (index, _) in leaves {
        if before.is_some_and(|before| *index <= before) {
            return Err(MultiProofError::Order { index: *index });
        }
        if !size.contains(*index) {
            return Err(MultiProofError::IndexOutsideTree { index: *index, size });
        }
        before = Some(*index);
    }
    Ok(())
}

/// How many hashes a proof of these leaves has (MP-12): the same walk, without hashes.
fn hash_count(leaves: &[(LeafIndex, Hash)], size: TreeSize) -> usize {
    let mut count = 0_usize;
    let layer = leaves.iter().map(|(index, _)| (index.get(), ())).collect();
    let counted = || {
        count = count.saturating_add(1);
        Some(())
    };
    climb(layer, size.get(), counted, |(), ()| ());
    count
}

/// Climbs from nodes of the lowest layer to the root. `sibling` gives the neighbours that are not known, layer
/// by layer and from left to right; `None` if it gives too few.
///
/// The nodes strictly increase and lie in the layer, so a known neighbour is always the next one.
fn climb<T>(
    leaves: Vec<(u64, T)>,
    size: u64,
    mut sibling: impl FnMut() -> Option<T>,
    join: impl Fn(&T, &T) -> T,
) -> Option<T> {
    let (mut layer, mut width) = (leaves, size);
    while width > 1 {
        let mut parents = Vec::with_capacity(layer.len());
        let mut nodes = layer.into_iter().peekable();
        while let Some((node, own)) = nodes.next() {
            let neighbour = node ^ 1;
            let known = nodes.next_if(|(next, _)| *next == neighbour).map(|(_, known)| known);
            let other = match known {
                None if neighbour < width => Some(sibling()?),
                known => known,
            };
            let parent = match other {
                Some(right) if neighbour > node => join(&own, &right),
                Some(left) => join(&left, &own),
                None => own,
            };
            parents.push((node >> 1, parent));
        }
        layer = parents;
        width = width.div_ceil(2);
    }
    layer.pop().map(|(_, root)| root)
}
