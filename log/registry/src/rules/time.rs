//! Time: rules LA-30 to LA-33. What is due comes first, and ticks alone move it.

use alloc::vec::Vec;

use super::endorsement::put_endorsement;
use super::{Facts, Law, Refusal};
use crate::event::Body;
use crate::record::{EndorsementRecord, Record, StateKey, Status};

/// How many endorsements one tick takes: two records for each, and so at most 1,024 written.
pub const TICK_LAPSES_MAX: usize = 512;

impl<F: Facts> Law<'_, F> {
    /// LA-30: what is due comes first.
    pub(super) fn nothing_due(&self) -> Result<(), Refusal> {
        let due = self.facts.next_due();
        match &self.event.body {
            Body::RegistryTick { .. } | Body::RegistryPolicy(_) => Ok(()),
            _ if due <= self.received => Err(Refusal::TickFirst { due }),
            _ => Ok(()),
        }
    }

    /// LA-31 to LA-33: what is due lapses, in the order of its keys.
    pub(super) fn tick(
        &self,
        writes: &mut Vec<(StateKey, Record)>,
        due: u64,
        previous: u64,
    ) -> Result<(), Refusal> {
        let next = self.facts.next_due();
        if next > self.received {
            return Err(Refusal::NothingDue { received: self.received });
        }
        // Entry 0 was decided elsewhere, so there is an entry before this one.
        let before = self.index.saturating_sub(1);
        if (due, previous) != (next, before) {
            return Err(Refusal::WrongTick { due: next, previous: before });
        }
        for ((version, party), record) in self.facts.due(self.received).take(TICK_LAPSES_MAX) {
            let record = EndorsementRecord { status: Status::Lapsed, ..record.clone() };
            put_endorsement(writes, &version, &party, record);
        }
        Ok(())
    }
}
