//! The live state tree: a compressed binary Merkle sum tree in memory (docs/spec/state-tree.md, ST-1 to ST-13).
//!
//! Every edge carries the hash and the tally of what hangs on it, so that rehashing a path touches the nodes of
//! that path and nothing beside it. A node does not hold its prefix: it knows its length and one leaf below it,
//! and any key below begins with the prefix. Writing marks the nodes above a leaf as dirty, [`SumTree::root`]
//! hashes those and no others.
//!
//! The shape, and so the root, depends on the records alone and never on their history. Undoing is therefore
//! writing back: `insert` returns what it replaced and `remove` what it took.
//!
//! Not here: what a record means (the caller's [`Record`]), checking proofs ([`super::verify()`]), storage.

use alloc::vec::Vec;
use core::mem;
use core::num::NonZeroU8;

use undersigned_tlog::hash::{HASH_BYTES, Hash};

use super::arena::Arena;
use super::bits::{self, KEY_BYTES_MAX};
use super::hashing::{empty_root, leaf_hash, node_hash};
use super::nodes::{Child, Edge, Fork, Nodes, Sums};
use super::proof::{RECORD_BYTES_MAX, Step, SubtreeProof, Terminal};
use super::tally::{Tally, TallyOverflow};

/// What the tree keeps under a key.
pub trait Record {
    /// The bytes that are hashed and proved, at most [`RECORD_BYTES_MAX`]. Equal records have equal bytes.
    fn encode(&self) -> Vec<u8>;

    /// What this record adds to the sums above `key`. It follows from key and bytes alone: verifiers compute it.
    fn tally(&self, key: &[u8]) -> Tally;
}

/// Why a record was not written. The tree is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InsertError {
    /// A key has 1 to [`KEY_BYTES_MAX`] bytes (ST-1).
    #[error("key of {found} bytes")]
    KeyLength {
        /// The length that came.
        found: usize,
    },
    /// The key begins a key of the tree, or a key of the tree begins it (ST-2).
    #[error("key is the beginning of another, or another of it")]
    NotPrefixFree,
    /// A record has at most [`RECORD_BYTES_MAX`] bytes (ST-16), or no proof could carry it.
    #[error("record of {found} bytes")]
    RecordLength {
        /// The length that came.
        found: usize,
    },
    /// The tree holds as many records as it can number: 2^32.
    #[error("state tree is full")]
    Full,
}

/// Something was written since the last [`SumTree::root`]; ask for the root first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("state tree has unhashed changes")]
pub struct NotHashed;

/// What a node hashes while its tallies have six columns: 1 + 2 + 65 + 2 * (32 + 1 + 6 * 9 + 8) bytes. Room to
/// begin with, no limit.
pub(super) const NODE_BYTES_USUAL: usize = 258;

/// What one entry makes dirty in such a tree: three paths. Room to begin with, no limit.
const DIRTY_USUAL: usize = 64;

/// Records by key, with the Merkle root and the sums over them.
#[derive(Debug)]
pub struct SumTree<R: Record> {
    /// Absent exactly while there is no record.
    root: Option<Edge>,
    nodes: Nodes,
    leaves: Arena<Leaf<R>>,
}

#[derive(Debug)]
pub(super) struct Leaf<R> {
    pub(super) record: R,
    pub(super) key: Key,
}

/// A key kept in place: most are 33 or 65 bytes, and a pointer with its allocation would take more.
#[derive(Debug)]
pub(super) struct Key {
    bytes: [u8; KEY_BYTES_MAX],
    length: NonZeroU8,
}

/// Where an edge is held.
#[derive(Debug, Clone, Copy)]
enum Place {
    Root,
    Under { node: u32, side: bool },
}

/// A dirty node whose hash is to be worked out.
#[derive(Debug)]
struct Frame {
    place: Place,
    node: u32,
    /// A side that is dirty as well: the leaf that it is hashed with is warm.
    dirty: Option<bool>,
}

impl<R: Record> Default for SumTree<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: Record> SumTree<R> {
    /// The tree without records.
    #[must_use]
    pub const fn new() -> Self {
        Self { root: None, nodes: Nodes::new(), leaves: Arena::new() }
    }

    /// The number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.leaves.len()
    }

    /// Whether there is no record.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// The record under a key.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<&R> {
        self.find(key).map(|leaf| &self.leaves.at(leaf).record)
    }

    /// Writes a record and returns the one it replaced. Hashes the leaf at once, the nodes above it later.
    ///
    /// # Errors
    /// The key has a wrong length or would begin another key, the record is too long, or the tree is full. Nothing
    /// was written then.
    pub fn insert(&mut self, key: &[u8], record: R) -> Result<Option<R>, InsertError> {
        let stored_key = Key::new(key).ok_or(InsertError::KeyLength { found: key.len() })?;
        let encoded = record.encode();
        if encoded.len() > RECORD_BYTES_MAX {
            return Err(InsertError::RecordLength { found: encoded.len() });
        }
        let sums = Sums { hash: leaf_hash(key, &encoded), tally: record.tally(key) };
        let Some(root) = &self.root else {
            let leaf = self.leaves.insert(Leaf { record, key: stored_key });
            self.root = Some(Edge { sums, child: Child::Leaf(leaf) });
            return Ok(None);
        };

        let neighbour = self.sample_below(self.locate(root.child, key));
        let neighbour_key = self.leaves.at(neighbour).key.as_bytes();
        let common = bits::common_bits(key, neighbour_key);
        if key == neighbour_key {
            let (place, _) = self.mark(key, u16::MAX);
            *self.sums_mut(place) = sums;
            return Ok(Some(mem::replace(&mut self.leaves.at_mut(neighbour).record, record)));
        }
        if common == bits::bit_length(key) || common == bits::bit_length(neighbour_key) {
            return Err(InsertError::NotPrefixFree);
        }
        if self.is_full() {
            return Err(InsertError::Full);
        }

        let leaf = self.leaves.insert(Leaf { record, key: stored_key });
        let written = Edge { sums, child: Child::Leaf(leaf) };
        let (place, _) = self.mark(key, common);
        let child = self.child(place);
        let beside = Edge { sums: mem::replace(self.sums_mut(place), Sums::vacant()), child };
        let edges = if bits::bit(key, common) { [beside, written] } else { [written, beside] };
        let node = self.nodes.insert(edges, leaf, common);
        self.set_child(place, Child::Dirty(node));
        Ok(None)
    }

    /// Takes a record out. The root is then what it would be had the record never been written.
    pub fn remove(&mut self, key: &[u8]) -> Option<R> {
        let leaf = self.find(key)?;
        match self.mark(key, u16::MAX) {
            (Place::Root, _) => self.root = None,
            (Place::Under { node, side }, above) => {
                let [left, right] = self.nodes.remove(node);
                self.set_edge(above, if side { left } else { right });
            }
        }
        Some(self.leaves.remove(leaf).record)
    }

    /// The root hash. Works only on the nodes above what was written since the last call.
    ///
    /// # Errors
    /// A sum does not fit. The tree stays usable: take the offending record back and ask again.
    pub fn root(&mut self) -> Result<Hash, TallyOverflow> {
        let mut scratch = Vec::with_capacity(NODE_BYTES_USUAL);
        // From the last, children come before parents, and the paths of several records take turns: hashes that
        // follow each other do not wait for each other.
        let mut dirty = self.dirty_from_the_root();
        while let Some(Frame { place, node: number, dirty: warm }) = dirty.pop() {
            let fork = self.nodes.fork(number);
            let sample = match (fork.child(false), fork.child(true), warm) {
                (_, _, Some(side)) => self.sample_below(fork.child(side)),
                (Child::Leaf(leaf), _, None) | (_, Child::Leaf(leaf), None) => leaf,
                (left, _, None) => self.sample_below(left),
            };
            let [left, right] = self.nodes.both_sums(number);
            let tally = left.tally.checked_add(&right.tally)?;
            let key = self.leaves.at(sample).key.as_bytes();
            let hash = node_hash(&mut scratch, fork.bits, key, left.parts(), right.parts());
            self.nodes.fork_mut(number).sample = sample;
            self.set_edge(place, Edge { sums: Sums { hash, tally }, child: Child::Clean(number) });
        }
        Ok(self.root.as_ref().map_or_else(empty_root, |root| root.sums.hash))
    }

    /// All dirty nodes, those nearer to the root first.
    fn dirty_from_the_root(&self) -> Vec<Frame> {
        let mut dirty = Vec::with_capacity(DIRTY_USUAL);
        if let Some(Edge { child: Child::Dirty(node), .. }) = self.root {
            dirty.push(Frame { place: Place::Root, node, dirty: None });
        }
        let mut next = 0;
        while let Some(node) = dirty.get(next).map(|frame: &Frame| frame.node) {
            let fork = self.nodes.fork(node);
            for side in [false, true] {
                if let Child::Dirty(child) = fork.child(side) {
                    dirty.push(Frame { place: Place::Under { node, side }, node: child, dirty: None });
                    if let Some(frame) = dirty.get_mut(next) {
                        frame.dirty = Some(side);
                    }
                }
            }
            next += 1;
        }
        dirty
    }

    /// The sum over all records, all namespaces together: of use for its due second (ST-9).
    ///
    /// # Errors
    /// Something was written since the last [`SumTree::root`].
    pub fn tally(&self) -> Result<Tally, NotHashed> {
        match &self.root {
            None => Ok(Tally::ZERO),
            Some(Edge { child: Child::Dirty(_), .. }) => Err(NotHashed),
            Some(root) => Ok(root.sums.tally.clone()),
        }
    }

    /// The records that fall due by a second, in the order of their keys. Walks to these alone.
    ///
    /// # Errors
    /// Something was written since the last [`SumTree::root`].
    pub fn due(&self, second: u64) -> Result<Due<'_, R>, NotHashed> {
        let stack = match &self.root {
            Some(Edge { child: Child::Dirty(_), .. }) => return Err(NotHashed),
            root => root.iter().filter(|root| root.sums.tally.next_due() <= second).map(|root| root.child),
        };
        Ok(Due { second, below: Records { tree: self, stack: stack.collect() } })
    }

    /// The proof of what lies under a key or a key prefix, or that nothing does.
    ///
    /// Two questions have no proof, and [`super::verify()`] refuses what is returned for them: the empty prefix
    /// (ST-20), and a prefix longer than a key it begins with (ST-27).
    ///
    /// # Errors
    /// Something was written since the last [`SumTree::root`].
    pub fn prove(&self, prefix: &[u8]) -> Result<SubtreeProof, NotHashed> {
        self.prove_summed(prefix).map(|(proof, _)| proof)
    }

    /// The same, with the sum over what the proof ends in.
    ///
    /// # Errors
    /// As [`SumTree::prove`].
    pub fn prove_summed(&self, prefix: &[u8]) -> Result<(SubtreeProof, Tally), NotHashed> {
        let root = match &self.root {
            None => {
                return Ok((SubtreeProof { terminal: Terminal::Nothing, steps: Vec::new() }, Tally::ZERO));
            }
            Some(Edge { child: Child::Dirty(_), .. }) => return Err(NotHashed),
            Some(root) => root,
        };
        let nearest = self.leaves.at(self.sample_below(self.locate(root.child, prefix)));
        let common = bits::common_bits(prefix, nearest.key.as_bytes());
        let (mut child, mut sums) = (root.child, &root.sums);
        let mut steps = Vec::with_capacity(self.depth(child, prefix, common));
        // No node has exactly `common` bits unless it extends the whole prefix: it would have led to a key that
        // agrees with the prefix in one bit more.
        while let Some((number, fork)) = self.fork_of(child).filter(|(_, fork)| fork.bits < common) {
            let side = bits::bit(prefix, fork.bits);
            let beside = self.nodes.sums(number, !side);
            steps.push(Step { bits: fork.bits, sibling: beside.hash, tally: beside.tally.clone() });
            (child, sums) = (fork.child(side), self.nodes.sums(number, side));
        }
        steps.reverse();
        Ok((SubtreeProof { terminal: self.terminal(child), steps }, sums.tally.clone()))
    }

    /// The records whose keys begin with `prefix`, in the order of their keys.
    pub fn iter<'a>(&'a self, prefix: &[u8]) -> Records<'a, R> {
        let located = self.root.as_ref().map(|root| self.locate(root.child, prefix));
        let begins =
            |child: &Child| self.leaves.at(self.sample_below(*child)).key.as_bytes().starts_with(prefix);
        Records { tree: self, stack: located.filter(begins).into_iter().collect() }
    }

    /// The records whose keys come after `key`, in the order of their keys; all of them after the empty key.
    pub fn iter_after<'a>(&'a self, key: &[u8]) -> Records<'a, R> {
        let mut stack = Vec::new();
        if let Some(root) = &self.root {
            let nearest = self.leaves.at(self.sample_below(self.locate(root.child, key))).key.as_bytes();
            let common = bits::common_bits(key, nearest);
            let mut child = root.child;
            while let Some((_, fork)) = self.fork_of(child).filter(|(_, fork)| fork.bits < common) {
                let side = bits::bit(key, fork.bits);
                stack.extend((!side).then_some(fork.child(true)));
                child = fork.child(side);
            }
            // All keys below have exactly `common` bits of `key`, so the next bit says on which side of it they are.
            let is_after = match common == bits::bit_length(key) {
                true => nearest.len() > key.len(),
                false => common < bits::bit_length(nearest) && !bits::bit(key, common),
            };
            stack.extend(is_after.then_some(child));
        }
        Records { tree: self, stack }
    }

    /// Whether no further record can be numbered.
    pub(super) fn is_full(&self) -> bool {
        self.leaves.is_full() || self.nodes.is_full()
    }

    /// The key of a leaf that was put here.
    pub(super) fn leaf_key(&self, leaf: u32) -> &[u8] {
        self.leaves.at(leaf).key.as_bytes()
    }

    /// Stores a leaf that no edge leads to yet.
    pub(super) fn put_leaf(&mut self, leaf: Leaf<R>) -> u32 {
        self.leaves.insert(leaf)
    }

    /// Stores a node that no edge leads to yet.
    pub(super) fn put_node(&mut self, edges: [Edge; 2], sample: u32, bits: u16) -> u32 {
        self.nodes.insert(edges, sample, bits)
    }

    /// Says where the tree begins, once all below is there.
    pub(super) fn set_root(&mut self, root: Edge) {
        self.root = Some(root);
    }

    fn terminal(&self, child: Child) -> Terminal {
        match child {
            Child::Leaf(leaf) => {
                let leaf = self.leaves.at(leaf);
                Terminal::Leaf { key: leaf.key.as_bytes().to_vec(), record: leaf.record.encode() }
            }
            Child::Clean(number) | Child::Dirty(number) => {
                let fork = self.nodes.fork(number);
                let mut prefix = Vec::with_capacity(bits::byte_length(fork.bits));
                bits::push_prefix(&mut prefix, self.leaves.at(fork.sample).key.as_bytes(), fork.bits);
                let [left, right] = self.nodes.both_sums(number);
                Terminal::Node {
                    bits: fork.bits,
                    prefix,
                    left: left.hash,
                    left_tally: left.tally.clone(),
                    right: right.hash,
                    right_tally: right.tally.clone(),
                }
            }
        }
    }

    /// The number of the leaf that has exactly this key.
    fn find(&self, key: &[u8]) -> Option<u32> {
        match self.locate(self.root.as_ref()?.child, key) {
            Child::Leaf(leaf) if self.leaves.at(leaf).key.as_bytes() == key => Some(leaf),
            _ => None,
        }
    }

    /// Follows the bits of `prefix` down to the first leaf, or node at least as long as it. The bits that nodes
    /// skip are not compared: the caller compares one key below, which stands for all.
    fn locate(&self, mut child: Child, prefix: &[u8]) -> Child {
        let length = bits::bit_length(prefix);
        while let Some((_, fork)) = self.fork_of(child).filter(|(_, fork)| fork.bits < length) {
            child = fork.child(bits::bit(prefix, fork.bits));
        }
        child
    }

    /// How many nodes with fewer than `until` bits there are on the way along `key`. Proofs are kept for a while, by
    /// the thousand, so each has room for its steps and no more.
    fn depth(&self, mut child: Child, key: &[u8], until: u16) -> usize {
        let mut depth = 0;
        while let Some((_, fork)) = self.fork_of(child).filter(|(_, fork)| fork.bits < until) {
            child = fork.child(bits::bit(key, fork.bits));
            depth += 1;
        }
        depth
    }

    /// Some leaf below: the one a clean node remembers, else the first.
    fn sample_below(&self, mut child: Child) -> u32 {
        loop {
            match child {
                Child::Leaf(leaf) => return leaf,
                Child::Clean(node) => return self.nodes.fork(node).sample,
                Child::Dirty(node) => child = self.nodes.fork(node).child(false),
            }
        }
    }

    /// Marks every node along `key` with fewer than `until` bits as dirty. Returns the place of the edge below
    /// them, and the place of the edge that leads to the last of them (the same where there is none).
    fn mark(&mut self, key: &[u8], until: u16) -> (Place, Place) {
        let (mut place, mut above) = (Place::Root, Place::Root);
        while let Child::Clean(number) | Child::Dirty(number) = self.child(place) {
            let length = self.nodes.fork(number).bits;
            if length >= until {
                break;
            }
            self.set_child(place, Child::Dirty(number));
            above = place;
            place = Place::Under { node: number, side: bits::bit(key, length) };
        }
        (place, above)
    }

    fn fork_of(&self, child: Child) -> Option<(u32, &Fork)> {
        match child {
            Child::Leaf(_) => None,
            Child::Clean(node) | Child::Dirty(node) => Some((node, self.nodes.fork(node))),
        }
    }

    fn child(&self, place: Place) -> Child {
        match place {
            Place::Root => self.root.as_ref().expect(HAS_ROOT).child,
            Place::Under { node, side } => self.nodes.fork(node).child(side),
        }
    }

    fn set_child(&mut self, place: Place, child: Child) {
        match place {
            Place::Root => self.root.as_mut().expect(HAS_ROOT).child = child,
            Place::Under { node, side } => self.nodes.fork_mut(node).set_child(side, child),
        }
    }

    fn sums_mut(&mut self, place: Place) -> &mut Sums {
        match place {
            Place::Root => &mut self.root.as_mut().expect(HAS_ROOT).sums,
            Place::Under { node, side } => self.nodes.sums_mut(node, side),
        }
    }

    fn set_edge(&mut self, place: Place, edge: Edge) {
        *self.sums_mut(place) = edge.sums;
        self.set_child(place, edge.child);
    }
}

const HAS_ROOT: &str = "a walk starts only in a tree with records";

impl Sums {
    /// Stands for a moment where sums were taken from.
    const fn vacant() -> Self {
        Self { hash: Hash::from_bytes([0; HASH_BYTES]), tally: Tally::ZERO }
    }

    pub(super) const fn parts(&self) -> (&Hash, &Tally) {
        (&self.hash, &self.tally)
    }
}

impl Key {
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        let length = NonZeroU8::new(u8::try_from(key.len()).ok()?)?;
        let mut bytes = [0; KEY_BYTES_MAX];
        bytes.get_mut(..key.len())?.copy_from_slice(key);
        Some(Self { bytes, length })
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length.get())).unwrap_or(&self.bytes)
    }
}

/// The records under a prefix, from [`SumTree::iter`].
#[derive(Debug)]
pub struct Records<'a, R: Record> {
    tree: &'a SumTree<R>,
    /// What is still to be visited, the next last. Holds at most one child for each bit of a key.
    stack: Vec<Child>,
}

impl<'a, R: Record> Iterator for Records<'a, R> {
    type Item = (&'a [u8], &'a R);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.stack.pop()? {
                Child::Leaf(number) => {
                    let leaf = self.tree.leaves.at(number);
                    return Some((leaf.key.as_bytes(), &leaf.record));
                }
                Child::Clean(number) | Child::Dirty(number) => {
                    let fork = self.tree.nodes.fork(number);
                    self.stack.extend([fork.child(true), fork.child(false)]);
                }
            }
        }
    }
}

/// The records that fall due by a second, from [`SumTree::due`].
#[derive(Debug)]
pub struct Due<'a, R: Record> {
    second: u64,
    below: Records<'a, R>,
}

impl<'a, R: Record> Iterator for Due<'a, R> {
    type Item = (&'a [u8], &'a R);

    fn next(&mut self) -> Option<Self::Item> {
        let Records { tree, stack } = &mut self.below;
        loop {
            match stack.pop()? {
                Child::Leaf(number) => {
                    let leaf = tree.leaves.at(number);
                    return Some((leaf.key.as_bytes(), &leaf.record));
                }
                Child::Clean(number) | Child::Dirty(number) => {
                    let fork = tree.nodes.fork(number);
                    let is_due = |side: &bool| tree.nodes.sums(number, *side).tally.next_due() <= self.second;
                    stack.extend([true, false].into_iter().filter(is_due).map(|side| fork.child(side)));
                }
            }
        }
    }
}
