//! Slots with stable numbers: where the state tree keeps its nodes and leaves.
//!
//! Freed slots are used again before the arena grows, and it grows by an eighth, so that it never holds much more
//! than what lives in it. Numbers come only from [`Arena::insert`] and never from input; using one that was freed
//! is broken logic of the tree and panics.

use alloc::vec::Vec;

/// The least growth in slots.
const GROWTH_SLOTS_MIN: usize = 64;

#[derive(Debug)]
pub(super) struct Arena<T> {
    slots: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Arena<T> {
    pub(super) const fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len().saturating_sub(self.free.len())
    }

    /// Whether every number that 32 bits can say is taken.
    pub(super) fn is_full(&self) -> bool {
        self.free.is_empty() && u32::try_from(self.slots.len()).is_err()
    }

    /// Asks for room for so many values in all. It is no matter if it is not given.
    pub(super) fn reserve(&mut self, slots: usize) {
        let _ = self.slots.try_reserve_exact(slots.saturating_sub(self.slots.len()));
    }

    /// Stores a value and names its slot. The caller has asked [`Arena::is_full`].
    pub(super) fn insert(&mut self, value: T) -> u32 {
        if let Some(number) = self.free.pop() {
            *self.slot_mut(number) = Some(value);
            return number;
        }
        let number = u32::try_from(self.slots.len()).expect("the tree asks for room before it inserts");
        if self.slots.len() == self.slots.capacity() {
            self.slots.reserve_exact((self.slots.len() / 8).max(GROWTH_SLOTS_MIN));
        }
        self.slots.push(Some(value));
        number
    }

    pub(super) fn remove(&mut self, number: u32) -> T {
        let value = self.slot_mut(number).take().expect("an edge leads to a live slot");
        self.free.push(number);
        value
    }

    pub(super) fn at(&self, number: u32) -> &T {
        let slot = usize::try_from(number).ok().and_then(|index| self.slots.get(index)?.as_ref());
        slot.expect("an edge leads to a live slot")
    }

    pub(super) fn at_mut(&mut self, number: u32) -> &mut T {
        self.slot_mut(number).as_mut().expect("an edge leads to a live slot")
    }

    fn slot_mut(&mut self, number: u32) -> &mut Option<T> {
        let slot = usize::try_from(number).ok().and_then(|index| self.slots.get_mut(index));
        slot.expect("an edge leads to a slot of its arena")
    }
}
