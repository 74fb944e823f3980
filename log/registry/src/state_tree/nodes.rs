//! The nodes of the state tree, in two halves: what a walk down reads, and what a hash takes in.
//!
//! A walk reads a few bytes of each node on its way, a hash all of those of one path. Kept apart, four nodes of a
//! walk lie in one line of the processor's cache, and a tree of some hundred thousand records stays near it.
//!
//! Not here: which node stands where, and when one is hashed ([`super::tree`]).

use undersigned_tlog::hash::Hash;

use super::arena::Arena;
use super::tally::Tally;

/// What hangs below a place in the tree, with its sums.
#[derive(Debug)]
pub(super) struct Edge {
    /// Of the child; stale while the child is dirty.
    pub(super) sums: Sums,
    pub(super) child: Child,
}

/// What a node hashes of each side.
#[derive(Debug)]
pub(super) struct Sums {
    pub(super) hash: Hash,
    pub(super) tally: Tally,
}

/// A leaf is hashed when it is written, a node when the root is asked for. Above a dirty node all are dirty.
#[derive(Debug, Clone, Copy)]
pub(super) enum Child {
    Leaf(u32),
    Clean(u32),
    Dirty(u32),
}

/// Which child a number in a [`Fork`] is.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Leaf,
    Clean,
    Dirty,
}

/// The half of a node that a walk reads.
#[derive(Debug)]
pub(super) struct Fork {
    /// The children: that with bit `bits` zero, and that with it set.
    numbers: [u32; 2],
    /// The number of a leaf below; out of date while the node is dirty.
    pub(super) sample: u32,
    /// How many leading bits all keys below have in common. Greater than in the node above.
    pub(super) bits: u16,
    kinds: [Kind; 2],
}

/// Four of them to a line of 64 bytes.
const _: () = assert!(size_of::<Option<Fork>>() == 16, "a fork takes 16 bytes in its arena");

/// Nodes by number. Both arenas give the same numbers, as they take and free in the same order.
#[derive(Debug)]
pub(super) struct Nodes {
    forks: Arena<Fork>,
    sums: Arena<[Sums; 2]>,
}

impl Nodes {
    pub(super) const fn new() -> Self {
        Self { forks: Arena::new(), sums: Arena::new() }
    }

    pub(super) fn is_full(&self) -> bool {
        self.forks.is_full()
    }

    pub(super) fn insert(&mut self, edges: [Edge; 2], sample: u32, bits: u16) -> u32 {
        let [left, right] = edges;
        let ((left_kind, left_number), (right_kind, right_number)) =
            (left.child.split(), right.child.split());
        let number = self.forks.insert(Fork {
            numbers: [left_number, right_number],
            sample,
            bits,
            kinds: [left_kind, right_kind],
        });
        let same = self.sums.insert([left.sums, right.sums]);
        debug_assert_eq!(number, same, "both arenas number alike");
        number
    }

    pub(super) fn remove(&mut self, number: u32) -> [Edge; 2] {
        let fork = self.forks.remove(number);
        let [left, right] = self.sums.remove(number);
        [Edge { sums: left, child: fork.child(false) }, Edge { sums: right, child: fork.child(true) }]
    }

    pub(super) fn fork(&self, number: u32) -> &Fork {
        self.forks.at(number)
    }

    pub(super) fn fork_mut(&mut self, number: u32) -> &mut Fork {
        self.forks.at_mut(number)
    }

    pub(super) fn both_sums(&self, number: u32) -> &[Sums; 2] {
        self.sums.at(number)
    }

    pub(super) fn sums(&self, number: u32, side: bool) -> &Sums {
        let [left, right] = self.sums.at(number);
        if side { right } else { left }
    }

    pub(super) fn sums_mut(&mut self, number: u32, side: bool) -> &mut Sums {
        let [left, right] = self.sums.at_mut(number);
        if side { right } else { left }
    }
}

impl Fork {
    pub(super) const fn child(&self, side: bool) -> Child {
        let ([left, right], [left_kind, right_kind]) = (self.numbers, self.kinds);
        if side { Child::join(right_kind, right) } else { Child::join(left_kind, left) }
    }

    pub(super) const fn set_child(&mut self, side: bool, child: Child) {
        let ([left, right], [left_kind, right_kind]) = (&mut self.numbers, &mut self.kinds);
        let (kind, number) = if side { (right_kind, right) } else { (left_kind, left) };
        (*kind, *number) = child.split();
    }
}

impl Child {
    const fn join(kind: Kind, number: u32) -> Self {
        match kind {
            Kind::Leaf => Self::Leaf(number),
            Kind::Clean => Self::Clean(number),
            Kind::Dirty => Self::Dirty(number),
        }
    }

    const fn split(self) -> (Kind, u32) {
        match self {
            Self::Leaf(number) => (Kind::Leaf, number),
            Self::Clean(number) => (Kind::Clean, number),
            Self::Dirty(number) => (Kind::Dirty, number),
        }
    }
}
