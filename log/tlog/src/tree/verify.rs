//! Checking inclusion and consistency proofs: RFC 6962, sections 2.1.1 and 2.1.2, strictly.
//!
//! A proof has exactly one right length for its sizes, computed before anything is hashed. Its lower
//! ("inner") hashes lie between the leaf and the point where its path meets the right edge; above
//! that ("border") every hash is a left sibling. Nothing here reads a tree.

use super::{LeafIndex, TreeSize};
use crate::hash::{Hash, empty_root, node_hash};

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The tree has no such leaf.
    #[error("no leaf {index} in a tree of {size}")]
    IndexOutsideTree {
        /// The leaf claimed.
        index: LeafIndex,
        /// The tree claimed.
        size: TreeSize,
    },
    /// A tree never shrinks.
    #[error("tree size {to} is smaller than {from}")]
    Shrinks {
        /// The older size claimed.
        from: TreeSize,
        /// The newer size claimed.
        to: TreeSize,
    },
    /// Each position and size has exactly one length of proof.
    #[error("{found} proof hashes where {expected} belong")]
    Length {
        /// The number of hashes that the sizes ask for.
        expected: u64,
        /// The number of hashes that came.
        found: usize,
    },
    /// The proof leads to another root than the tree has.
    #[error("the proof does not lead to the root of the tree")]
    Root,
    /// The proof leads to another root than the older tree has.
    #[error("the proof does not lead to the root of the older tree")]
    OldRoot,
}

/// The root that the tree of `size` has if `leaf` is its leaf `index` and `proof` is right.
///
/// # Errors
/// The leaf lies outside the tree, or the proof has another length than `index` and `size` ask for.
pub fn root_from_inclusion(
    leaf: &Hash,
    index: LeafIndex,
    size: TreeSize,
    proof: &[Hash],
) -> Result<Hash, ProofError> {
    if !size.contains(index) {
        return Err(ProofError::IndexOutsideTree { index, size });
    }
    let shape = Shape::of(index.get(), size.get());
    let wrong = ProofError::Length { expected: shape.hash_count(), found: proof.len() };
    let (inner, border) = shape.split(proof).ok_or(wrong)?;
    Ok(climb_border(climb_inner(*leaf, index.get(), inner), border))
}

/// Checks that `leaf` is leaf `index` of the tree of `size` with this root (RFC 6962, section 2.1.1).
///
/// # Errors
/// As [`root_from_inclusion`], or the root is another.
pub fn verify_inclusion(
    leaf: &Hash,
    index: LeafIndex,
    size: TreeSize,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if root_from_inclusion(leaf, index, size, proof)? == *root { Ok(()) } else { Err(ProofError::Root) }
}

/// Checks that the tree of `from` is the beginning of the tree of `to` (RFC 6962, section 2.1.2).
///
/// With equal sizes the proof must be empty and the roots equal; from size 0 it must be empty and
/// `from_root` the empty root.
///
/// # Errors
/// The sizes are the wrong way round, the proof has the wrong length, or leads to another root.
pub fn verify_consistency(
    from: TreeSize,
    to: TreeSize,
    from_root: &Hash,
    to_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if from > to {
        return Err(ProofError::Shrinks { from, to });
    }
    if from == TreeSize::EMPTY && *from_root != empty_root() {
        return Err(ProofError::OldRoot);
    }
    if from == TreeSize::EMPTY || from == to {
        if !proof.is_empty() {
            return Err(ProofError::Length { expected: 0, found: proof.len() });
        }
        return if from == to && from_root != to_root { Err(ProofError::Root) } else { Ok(()) };
    }
    verify_growth(from.get(), to.get(), from_root, to_root, proof)
}

/// The case 0 < from < to.
fn verify_growth(
    from: u64,
    to: u64,
    from_root: &Hash,
    to_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    // The last perfect subtree of the old tree is the "leaf" from which both roots are climbed to.
    let level = from.trailing_zeros();
    let node = (from >> level) - 1;
    let shape = Shape::of(node, to.div_ceil(1 << level));
    // If that subtree is the whole old tree, its hash is the old root and is not sent.
    let is_whole = from.is_power_of_two();
    let expected = shape.hash_count().saturating_add(u64::from(!is_whole));
    let wrong = ProofError::Length { expected, found: proof.len() };
    let (seed, path) = if is_whole { (from_root, proof) } else { proof.split_first().ok_or(wrong)? };
    let (inner, border) = shape.split(path).ok_or(wrong)?;
    if climb_border(climb_left(*seed, node, inner), border) != *from_root {
        return Err(ProofError::OldRoot);
    }
    if climb_border(climb_inner(*seed, node, inner), border) != *to_root {
        return Err(ProofError::Root);
    }
    Ok(())
}

/// How many hashes of a path lie below the right edge, and how many along it.
#[derive(Clone, Copy)]
struct Shape {
    inner: u32,
    border: u32,
}

impl Shape {
    /// The shape of the path from node `index` of `count` nodes on one level; `index < count`.
    fn of(index: u64, count: u64) -> Self {
        let last = count.saturating_sub(1);
        let inner = u64::BITS - (index ^ last).leading_zeros();
        let border = index.checked_shr(inner).unwrap_or(0).count_ones();
        Self { inner, border }
    }

    fn hash_count(self) -> u64 {
        u64::from(self.inner) + u64::from(self.border)
    }

    /// Splits a path of exactly the right length into its inner and its border hashes.
    fn split(self, path: &[Hash]) -> Option<(&[Hash], &[Hash])> {
        let (inner, border) = path.split_at_checked(usize::try_from(self.inner).ok()?)?;
        (u64::try_from(border.len()) == Ok(u64::from(self.border))).then_some((inner, border))
    }
}

/// Climbs from node `index`; each bit of it says on which side the sibling stands.
fn climb_inner(seed: Hash, index: u64, siblings: &[Hash]) -> Hash {
    let mut index = index;
    siblings.iter().fold(seed, |hash, sibling| {
        let is_right_child = index & 1 == 1;
        index >>= 1;
        if is_right_child { node_hash(sibling, &hash) } else { node_hash(&hash, sibling) }
    })
}

/// Climbs like [`climb_inner`] in the older tree, which has nothing to the right of the node.
fn climb_left(seed: Hash, index: u64, siblings: &[Hash]) -> Hash {
    let mut index = index;
    siblings.iter().fold(seed, |hash, sibling| {
        let is_right_child = index & 1 == 1;
        index >>= 1;
        if is_right_child { node_hash(sibling, &hash) } else { hash }
    })
}

/// Climbs along the right edge: every sibling stands on the left.
fn climb_border(seed: Hash, siblings: &[Hash]) -> Hash {
    siblings.iter().fold(seed, |hash, sibling| node_hash(sibling, &hash))
}
