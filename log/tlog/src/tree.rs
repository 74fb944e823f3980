//! The Merkle tree of RFC 6962, section 2.1: sizes, positions, roots and proofs.
//!
//! `prove` cuts proofs from a source of node hashes, `verify` and `multi` check them; they share no code
//! beyond the types here, so that a slip in one is a failed check in the other.
//!
//! Not here: where node hashes are kept ([`crate::tile`], [`crate::edge`]), and who signed a root
//! ([`crate::checkpoint`]).

use core::fmt;

use crate::hash::Hash;

mod multi;
mod prove;
mod verify;

pub use multi::{MULTI_LEAVES_MAX, MultiProofError, verify_multi_inclusion};
pub use prove::{ProveError, consistency_proof, inclusion_proof, root, subtree_root};
pub use verify::{ProofError, root_from_inclusion, verify_consistency, verify_inclusion};

/// The most hashes that a proof in a note file or a witness request has (C2SP tlog-proof, tlog-witness).
///
/// Enough for every tree of up to 2^63 leaves: a path has at most one hash per bit of the size less one.
pub const PROOF_HASHES_MAX: usize = 63;

/// How many leaves a tree has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TreeSize(u64);

impl TreeSize {
    /// The size of the tree without leaves.
    pub const EMPTY: Self = Self(0);

    /// A size, in leaves.
    #[must_use]
    pub const fn new(leaf_count: u64) -> Self {
        Self(leaf_count)
    }

    /// The number of leaves.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The size after `leaf_count` more leaves; `None` past 2^64-1.
    #[must_use]
    pub fn plus(self, leaf_count: usize) -> Option<Self> {
        u64::try_from(leaf_count).ok().and_then(|count| self.0.checked_add(count)).map(Self)
    }

    /// Whether the tree has a leaf of this index.
    #[must_use]
    pub const fn contains(self, index: LeafIndex) -> bool {
        index.0 < self.0
    }
}

/// A decimal without leading zeros, as in checkpoints.
impl fmt::Display for TreeSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The position of a leaf, counted from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LeafIndex(u64);

impl LeafIndex {
    /// A position, counted from zero.
    #[must_use]
    pub const fn new(leaf_index: u64) -> Self {
        Self(leaf_index)
    }

    /// The position, counted from zero.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// A decimal without leading zeros, as in proof files.
impl fmt::Display for LeafIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A source of node hashes, from which roots and proofs are cut.
///
/// The same node has the same hash in every tree that holds it, so a source needs no tree size.
pub trait Nodes {
    /// Why a hash could not be had.
    type Error;

    /// The hash of the perfect subtree over the leaves `index * 2^level .. (index + 1) * 2^level`.
    ///
    /// Callers ask only for nodes whose leaves all lie in the tree that they cut from.
    ///
    /// # Errors
    /// The source does not hold the node, or could not read it.
    fn node(&mut self, level: u8, index: u64) -> Result<Hash, Self::Error>;
}
