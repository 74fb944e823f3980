//! Builds a tree from all of its records in the order of their keys (docs/spec/state-tree.md, ST-1 to ST-13).
//!
//! Each node is made and hashed once, when no further key can come below it; nothing is looked up. What does not
//! depend on other records, a leaf's hash and tally, is worked out beforehand in a [`Leaf`], on any core.
//! The tree is the one that writing the same records in any order gives.
//!
//! Not here: whether they are the right records. Who built from them compares the root.

use alloc::vec::Vec;

use undersigned_tlog::hash::Hash;

use super::bits;
use super::hashing::{leaf_hash, node_hash};
use super::nodes::{Child, Edge, Sums};
use super::proof::RECORD_BYTES_MAX;
use super::tally::{Tally, TallyOverflow};
use super::tree::{self, InsertError, Key, NODE_BYTES_USUAL, Record, SumTree};

/// A record that is ready to be put in a tree.
#[derive(Debug)]
pub struct Leaf<R> {
    record: R,
    key: Key,
    hash: Hash,
    tally: Tally,
}

impl<R: Record> Leaf<R> {
    /// Hashes a record under its key.
    ///
    /// # Errors
    /// The key has a wrong length, or the record is too long.
    pub fn new(key: &[u8], record: R) -> Result<Self, InsertError> {
        let stored_key = Key::new(key).ok_or(InsertError::KeyLength { found: key.len() })?;
        let encoded = record.encode();
        if encoded.len() > RECORD_BYTES_MAX {
            return Err(InsertError::RecordLength { found: encoded.len() });
        }
        let (hash, tally) = (leaf_hash(key, &encoded), record.tally(key));
        Ok(Self { record, key: stored_key, hash, tally })
    }
}

/// Why leaves give no tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// A key does not come after the one before it, or begins with it (ST-2).
    #[error("keys are out of order, or one begins with another")]
    Order,
    /// The tree holds as many records as it can number.
    #[error("state tree is full")]
    Full,
    /// A sum does not fit (ST-8).
    #[error("sums do not fit")]
    Overflow(#[from] TallyOverflow),
}

/// A tree in the making.
#[derive(Debug)]
pub struct Builder<R: Record> {
    tree: SumTree<R>,
    /// The nodes above the last leaf whose right side is still open, from the root down: their lengths increase, so
    /// there is at most one for each bit of a key.
    open: Vec<Open>,
    /// What hangs below the last of them on the right, whole; none before the first leaf.
    last: Option<Edge>,
    /// The number of the last leaf.
    last_leaf: u32,
    scratch: Vec<u8>,
}

/// A node whose left side is whole.
#[derive(Debug)]
struct Open {
    bits: u16,
    left: Edge,
}

impl<R: Record> Default for Builder<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: Record> Builder<R> {
    /// A tree without records so far.
    #[must_use]
    pub fn new() -> Self {
        Self {
            tree: SumTree::new(),
            open: Vec::new(),
            last: None,
            last_leaf: 0,
            scratch: Vec::with_capacity(NODE_BYTES_USUAL),
        }
    }

    /// Adds the record with the next key.
    ///
    /// # Errors
    /// Its key does not come after the last one, or the tree cannot take it; the builder is of no use then.
    pub fn push(&mut self, leaf: Leaf<R>) -> Result<(), BuildError> {
        let Leaf { record, key, hash, tally } = leaf;
        if self.tree.is_full() {
            return Err(BuildError::Full);
        }
        if let Some(before) = self.last.take() {
            let last_key = self.tree.leaf_key(self.last_leaf);
            let common = bits::common_bits(last_key, key.as_bytes());
            // Past the end of a key no bit is set, so neither key begins with the other.
            let is_after = common < bits::bit_length(last_key) && bits::bit(key.as_bytes(), common);
            if !is_after {
                return Err(BuildError::Order);
            }
            let left = self.close(before, common)?;
            self.open.push(Open { bits: common, left });
        }
        self.last_leaf = self.tree.put_leaf(tree::Leaf { record, key });
        self.last = Some(Edge { sums: Sums { hash, tally }, child: Child::Leaf(self.last_leaf) });
        Ok(())
    }

    /// The tree, hashed.
    ///
    /// # Errors
    /// A sum does not fit.
    pub fn finish(mut self) -> Result<SumTree<R>, BuildError> {
        if let Some(last) = self.last.take() {
            let root = self.close(last, 0)?;
            self.tree.set_root(root);
        }
        Ok(self.tree)
    }

    /// Makes the open nodes of at least `bits` bits, the lowest first; returns the edge to the highest.
    fn close(&mut self, mut right: Edge, bits: u16) -> Result<Edge, BuildError> {
        while self.open.last().is_some_and(|open| open.bits >= bits) {
            let Some(Open { bits, left }) = self.open.pop() else { break };
            let tally = left.sums.tally.checked_add(&right.sums.tally)?;
            let sample = self.last_leaf;
            let key = self.tree.leaf_key(sample);
            let hash = node_hash(&mut self.scratch, bits, key, left.sums.parts(), right.sums.parts());
            let node = self.tree.put_node([left, right], sample, bits);
            right = Edge { sums: Sums { hash, tally }, child: Child::Clean(node) };
        }
        Ok(right)
    }
}
