//! The state: all records under one root, changed only by the effects of the law, and undone as a whole.
//!
//! Follows `docs/spec/events.md`, rule RE-11. The tree itself is [`crate::state_tree`].

use alloc::vec::Vec;

use undersigned_tlog::hash::Hash;

use crate::id::{PartyId, VersionId};
use crate::record::{EndorsementRecord, Record, StateKey};
use crate::rules::{Effects, Facts};
use crate::state_tree::{Builder, Leaf, NEVER, SubtreeProof, SumTree, Tally, Terminal};

/// All records of the registry at one entry.
#[derive(Debug, Default)]
pub struct State {
    tree: SumTree<Record>,
}

/// What a write replaced, so that it can be undone.
#[derive(Debug)]
pub struct Undo {
    replaced: Vec<(StateKey, Option<Record>)>,
}

/// A state that cannot be what the law made: a tally past 2^64-1, or a key inside another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the state tree refused a write of the law")]
pub struct StateFault;

/// A record that was kept from another run, ready to be put in a state.
pub type Restored = Leaf<Record>;

/// A state in the making, from all of its records. Nothing says that they are the right ones: compare the root
/// with the one in the entry after which they stood.
#[derive(Debug, Default)]
pub struct Restoring {
    builder: Builder<Record>,
}

impl Restoring {
    /// A state without records so far.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Hashes a record under its key: the part of restoring that any core may do.
    ///
    /// # Errors
    /// [`StateFault`]: no state has such a key or record.
    pub fn prepare(key: &[u8], record: Record) -> Result<Restored, StateFault> {
        Leaf::new(key, record).map_err(|_| StateFault)
    }

    /// Adds the record with the next key.
    ///
    /// # Errors
    /// [`StateFault`]: its key does not come after the last one.
    pub fn push(&mut self, record: Restored) -> Result<(), StateFault> {
        self.builder.push(record).map_err(|_| StateFault)
    }

    /// The state that has these records.
    ///
    /// # Errors
    /// [`StateFault`]: a tally overflows.
    pub fn finish(self) -> Result<State, StateFault> {
        Ok(State { tree: self.builder.finish().map_err(|_| StateFault)? })
    }
}

impl Undo {
    /// What was written over, in the order of writing: each key, and the record that stood there.
    pub fn into_replaced(self) -> impl Iterator<Item = (StateKey, Option<Record>)> {
        self.replaced.into_iter()
    }
}

impl State {
    /// The state before entry 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes the effects of one entry and computes the new root.
    ///
    /// # Errors
    /// [`StateFault`] where the tree refuses; the state is then as it was before.
    pub fn apply(&mut self, effects: Effects) -> Result<(Hash, Undo), StateFault> {
        let mut undo = Undo { replaced: Vec::with_capacity(4) };
        for (key, record) in effects.into_writes() {
            match self.tree.insert(key.as_bytes(), record) {
                Ok(replaced) => undo.replaced.push((key, replaced)),
                Err(_) => return self.take_back(undo),
            }
        }
        match self.tree.root() {
            Ok(root) => Ok((root, undo)),
            Err(_) => self.take_back(undo),
        }
    }

    /// Undoes a write that was refused, so that proofs can be cut again at once.
    fn take_back<T>(&mut self, undo: Undo) -> Result<T, StateFault> {
        self.undo(undo);
        self.root()?;
        Err(StateFault)
    }

    /// Takes back what one [`State::apply`] wrote; entries are undone in reverse order.
    pub fn undo(&mut self, undo: Undo) {
        for (key, replaced) in undo.replaced.into_iter().rev() {
            match replaced {
                // A key that stood in the tree can stand there again.
                Some(record) => drop(self.tree.insert(key.as_bytes(), record)),
                None => drop(self.tree.remove(key.as_bytes())),
            }
        }
    }

    /// The root over all records.
    ///
    /// # Errors
    /// [`StateFault`] where a tally overflows, which no admitted history reaches.
    pub fn root(&mut self) -> Result<Hash, StateFault> {
        self.tree.root().map_err(|_| StateFault)
    }

    /// Proves what stands under a key or a prefix, against the root of the newest [`State::apply`].
    ///
    /// # Errors
    /// [`StateFault`] where writes were undone since and the root was not asked for.
    pub fn prove(&self, prefix: &StateKey) -> Result<SubtreeProof, StateFault> {
        self.tree.prove(prefix.as_bytes()).map_err(|_| StateFault)
    }

    /// The same, with the sum over what the proof ends in.
    ///
    /// # Errors
    /// As [`State::prove`].
    pub fn prove_summed(&self, prefix: &StateKey) -> Result<(SubtreeProof, Tally), StateFault> {
        self.tree.prove_summed(prefix.as_bytes()).map_err(|_| StateFault)
    }

    /// The sum over everything under a prefix.
    ///
    /// # Errors
    /// As [`State::prove`]; or the sum overflows, which no admitted history reaches.
    pub fn tally(&self, prefix: &StateKey) -> Result<Tally, StateFault> {
        match self.prove(prefix)?.terminal {
            Terminal::Leaf { key, record } if key.starts_with(prefix.as_bytes()) => {
                Record::tally_of(&key, &record).ok_or(StateFault)
            }
            Terminal::Node { prefix: shared, left_tally, right_tally, .. }
                if shared.starts_with(prefix.as_bytes()) =>
            {
                left_tally.checked_add(&right_tally).map_err(|_| StateFault)
            }
            _ => Ok(Tally::ZERO),
        }
    }

    /// The records under a prefix, in the order of their keys.
    pub fn records(&self, prefix: &StateKey) -> impl Iterator<Item = (&[u8], &Record)> {
        self.tree.iter(prefix.as_bytes())
    }

    /// All records, in the order of their keys.
    pub fn all(&self) -> impl Iterator<Item = (&[u8], &Record)> {
        self.tree.iter(&[])
    }

    /// The records whose keys come after some bytes, in the order of their keys.
    pub fn all_after(&self, key: &[u8]) -> impl Iterator<Item = (&[u8], &Record)> {
        self.tree.iter_after(key)
    }

    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tree.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tree.len() == 0
    }
}

impl Facts for State {
    fn record(&self, key: &StateKey) -> Option<&Record> {
        self.tree.get(key.as_bytes())
    }

    fn next_due(&self) -> u64 {
        // Only between an undone entry and the next root is there no sum, and nothing is decided there.
        self.tree.tally().map_or(NEVER, |tally| tally.next_due())
    }

    fn due(&self, second: u64) -> impl Iterator<Item = ((VersionId, PartyId), &EndorsementRecord)> {
        self.tree.due(second).into_iter().flatten().filter_map(|(key, record)| match record {
            Record::Endorsement(record) => Some((StateKey::endorsement_ids(key)?, record)),
            _ => None,
        })
    }
}
