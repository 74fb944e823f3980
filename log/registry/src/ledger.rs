//! The ledger: the law over a whole log, entry by entry. Server, recovery and auditor share it.
//!
//! Follows `docs/spec/events.md`, rules LA-1 to LA-34 and RE-11. [`Ledger::admit`] makes the next entry;
//! [`Ledger::follow`] takes an entry that somebody else made and refuses what the law would not have made.

use alloc::vec::Vec;

use undersigned_tlog::hash::Hash;

use crate::entry::{self, Entry};
use crate::envelope::{CheckError, CheckedEnvelope};
use crate::event::{Body, Event, ParseError, Policy, event_hash};
use crate::id::{EventHash, RegistryId};
use crate::record::{Record, RegistryRecord, StateKey};
use crate::rules::{self, Decision, Facts as _, Refusal};
use crate::state::{State, StateFault, Undo};
use crate::state_tree::NEVER;

/// The state of a registry after some number of entries.
#[derive(Debug, Default)]
pub struct Ledger {
    state: State,
    size: u64,
}

/// What became of an envelope that the law did not refuse.
#[derive(Debug)]
pub enum Verdict {
    /// A new entry.
    Entry(Admitted),
    /// The event is in the log already, at this index.
    Repeat {
        /// The index of its entry.
        entry: u64,
    },
}

/// A new entry: its bytes, and how to take it back.
#[derive(Debug)]
pub struct Admitted {
    /// Its index.
    pub index: u64,
    /// Its bytes, the leaf of the log.
    pub entry: Vec<u8>,
    /// What [`Ledger::undo`] needs.
    pub undo: Undo,
}

/// Why an envelope does not become an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdmitError {
    /// The law refuses it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The event's bytes are no longer those whose signatures were checked: memory is failing.
    #[error("the event changed in memory after its signatures were checked")]
    Corrupt,
    /// The state tree refused what the law wrote.
    #[error(transparent)]
    Fault(#[from] StateFault),
}

/// Why an entry is not what the law would have made: misbehaviour of the registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Deviation {
    /// Not an entry at all.
    #[error("not an entry: {0}")]
    Parse(#[from] ParseError),
    /// A signature or key that proves nothing.
    #[error("{0}")]
    Check(#[from] CheckError),
    /// The law refuses it.
    #[error("the law refuses it: {0}")]
    Refused(Refusal),
    /// The event is in the log twice.
    #[error("the event is already entry {entry}")]
    Repeat {
        /// The index of the first one.
        entry: u64,
    },
    /// The entry states another root than the one that follows.
    #[error("it states the state root {stated}; replay gives {computed}")]
    State {
        /// The root in the entry.
        stated: Hash,
        /// The root that follows from the entries so far.
        computed: Hash,
    },
    /// The state tree refused what the law wrote.
    #[error(transparent)]
    Fault(#[from] StateFault),
}

impl Ledger {
    /// The ledger before entry 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The ledger after `size` entries, from a state that somebody kept. Nothing says that it is the right one:
    /// compare [`Ledger::settle`] with the state root in entry `size - 1` (rule RE-11).
    #[must_use]
    pub const fn resume(size: u64, state: State) -> Self {
        Self { state, size }
    }

    /// How many entries there are.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The state after the newest entry.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Which registry this is; `None` before entry 0.
    #[must_use]
    pub fn registry(&self) -> Option<RegistryId> {
        let record = self.registry_record()?;
        RegistryId::new(&record.origin, EventHash(record.operator.0))
    }

    /// The time of the newest entry in POSIX seconds; 0 before entry 0.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.registry_record().map_or(0, |record| record.received)
    }

    /// The policy in force for the next entry; `None` before entry 0.
    #[must_use]
    pub fn policy(&self) -> Option<Policy> {
        self.registry_record().map(|record| record.policy)
    }

    /// What the registry says of itself; `None` before entry 0.
    #[must_use]
    pub fn registry_record(&self) -> Option<&RegistryRecord> {
        match self.state.record(&StateKey::registry())? {
            Record::Registry(record) => Some(record),
            _ => None,
        }
    }

    /// Decides an envelope and, where the law admits it, makes the next entry.
    ///
    /// # Errors
    /// The law's refusal, or a fault of this machine; the ledger is then as it was before.
    pub fn admit(&mut self, envelope: &CheckedEnvelope, received: u64) -> Result<Verdict, AdmitError> {
        let effects = match rules::decide(&self.state, envelope, self.size, received)? {
            Decision::Admit(effects) => effects,
            Decision::Repeat { entry } => return Ok(Verdict::Repeat { entry }),
        };
        // The second hash of the same bytes: a bit that flipped since the check is found here.
        if event_hash(envelope.event_bytes()) != envelope.event_hash() {
            return Err(AdmitError::Corrupt);
        }
        let (root, undo) = self.state.apply(effects)?;
        let index = self.size;
        self.size += 1;
        Ok(Verdict::Entry(Admitted { index, entry: entry::seal(envelope, received, &root), undo }))
    }

    /// The smallest second at which something falls due; `None`: time alone changes nothing.
    #[must_use]
    pub fn next_due(&self) -> Option<u64> {
        Some(self.state.next_due()).filter(|due| *due != NEVER)
    }

    /// Makes the `registry.tick` that time asks for, if something is due at `received`.
    ///
    /// # Errors
    /// As [`Ledger::admit`]; the law refuses no tick that is made here.
    pub fn tick(&mut self, received: u64) -> Result<Option<Admitted>, AdmitError> {
        let Some(due) = self.next_due().filter(|due| *due <= received) else { return Ok(None) };
        let event = Event {
            registry: self.registry(),
            party: None,
            signers: Vec::new(),
            after: None,
            log_before: None,
            body: Body::RegistryTick { due, previous: self.size.saturating_sub(1) },
        };
        let envelope = CheckedEnvelope::unsigned(event);
        match self.admit(&envelope, received)? {
            Verdict::Entry(admitted) => Ok(Some(admitted)),
            Verdict::Repeat { .. } => Ok(None),
        }
    }

    /// Takes back the newest entry.
    pub fn undo(&mut self, undo: Undo) {
        self.state.undo(undo);
        self.size = self.size.saturating_sub(1);
    }

    /// Computes the root again after entries were taken back.
    ///
    /// # Errors
    /// A fault of the state tree.
    pub fn settle(&mut self) -> Result<Hash, StateFault> {
        self.state.root()
    }

    /// Follows one entry of a log: its envelope, already checked or trusted, and the registry's two words.
    ///
    /// # Errors
    /// The entry is not what the law would have made of it.
    pub fn follow(
        &mut self,
        envelope: &CheckedEnvelope,
        received: u64,
        stated: Hash,
    ) -> Result<(), Deviation> {
        let effects = match rules::decide(&self.state, envelope, self.size, received) {
            Ok(Decision::Admit(effects)) => effects,
            Ok(Decision::Repeat { entry }) => return Err(Deviation::Repeat { entry }),
            Err(refusal) => return Err(Deviation::Refused(refusal)),
        };
        let (computed, undo) = self.state.apply(effects)?;
        if computed != stated {
            self.state.undo(undo);
            // Proofs are cut from the last hashed state: hash the one that stands again.
            self.state.root()?;
            return Err(Deviation::State { stated, computed });
        }
        self.size += 1;
        Ok(())
    }

    /// Follows one entry from its bytes, signatures included.
    ///
    /// # Errors
    /// As [`Ledger::follow`], and for bytes that are no entry or whose signatures do not verify.
    pub fn follow_entry(&mut self, bytes: &[u8]) -> Result<(), Deviation> {
        let entry = Entry::parse(bytes)?;
        let envelope = entry.envelope.check()?;
        self.follow(&envelope, entry.received, entry.state)
    }
}
