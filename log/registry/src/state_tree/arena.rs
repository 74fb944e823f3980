//! Slots with stable numbers: where the state tree keeps its nodes and leaves.
//!
//! Freed slots are used again before the arena grows, and it grows by one chunk of slots, which never moves: an
//! arena that was copied into a larger one would need more than twice its memory for that moment, of gigabytes.
//! Numbers come only from [`Arena::insert`] and never from input; using one that was freed is broken logic of the
//! tree and panics.

use alloc::vec::Vec;

/// The slots of a chunk: 64 kB of what a walk reads of nodes, some 600 kB of their sums, 750 kB of leaves. What is not
/// used yet of the last one is not touched, and the list of chunks is 24 kB for four million slots.
const CHUNK_SLOTS: usize = 4_096;

#[derive(Debug)]
pub(super) struct Arena<T> {
    /// All are full but the last.
    chunks: Vec<Vec<Option<T>>>,
    free: Vec<u32>,
}

impl<T> Arena<T> {
    pub(super) const fn new() -> Self {
        Self { chunks: Vec::new(), free: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.slots().saturating_sub(self.free.len())
    }

    /// Whether every number that 32 bits can say is taken.
    pub(super) fn is_full(&self) -> bool {
        self.free.is_empty() && u32::try_from(self.slots()).is_err()
    }

    /// Stores a value and names its slot. The caller has asked [`Arena::is_full`].
    pub(super) fn insert(&mut self, value: T) -> u32 {
        if let Some(number) = self.free.pop() {
            *self.slot_mut(number) = Some(value);
            return number;
        }
        let number = u32::try_from(self.slots()).expect("the tree asks for room before it inserts");
        match self.chunks.last_mut().filter(|last| last.len() < CHUNK_SLOTS) {
            Some(last) => last.push(Some(value)),
            None => {
                let mut chunk = Vec::with_capacity(CHUNK_SLOTS);
                chunk.push(Some(value));
                self.chunks.push(chunk);
            }
        }
        number
    }

    pub(super) fn remove(&mut self, number: u32) -> T {
        let value = self.slot_mut(number).take().expect("an edge leads to a live slot");
        self.free.push(number);
        value
    }

    pub(super) fn at(&self, number: u32) -> &T {
        let slot = place(number).and_then(|(chunk, slot)| self.chunks.get(chunk)?.get(slot)?.as_ref());
        slot.expect("an edge leads to a live slot")
    }

    pub(super) fn at_mut(&mut self, number: u32) -> &mut T {
        self.slot_mut(number).as_mut().expect("an edge leads to a live slot")
    }

    fn slot_mut(&mut self, number: u32) -> &mut Option<T> {
        let slot = place(number).and_then(|(chunk, slot)| self.chunks.get_mut(chunk)?.get_mut(slot));
        slot.expect("an edge leads to a slot of its arena")
    }

    /// Slots so far, free ones included.
    fn slots(&self) -> usize {
        let last = self.chunks.last().map_or(0, Vec::len);
        self.chunks.len().saturating_sub(1).saturating_mul(CHUNK_SLOTS).saturating_add(last)
    }
}

/// The chunk of a slot, and where in it the slot is.
fn place(number: u32) -> Option<(usize, usize)> {
    let number = usize::try_from(number).ok()?;
    Some((number / CHUNK_SLOTS, number % CHUNK_SLOTS))
}
