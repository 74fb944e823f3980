//! The admission law: the one place that says which event may enter the log, and what it does.
//!
//! Follows `docs/spec/events.md`, rules LA-1 to LA-34. [`decide`] is pure: the same facts and the same
//! envelope give the same answer to the server, the auditor and the browser. Nothing that may change
//! with the outside world is asked here.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::envelope::CheckedEnvelope;
use crate::event::{Body, Event, Policy};
use crate::id::{EventHash, KeyId, PartyId, RegistryId, StatementId, VersionId};
use crate::key::Role;
use crate::record::{
    EndorsementRecord, KeyRecord, PartyRecord, Record, RegistryRecord, StateKey, StatementRecord,
    VersionRecord,
};

mod endorsement;
mod party;
mod refusal;
mod registry;
mod statement;
mod time;

pub use refusal::Refusal;
pub use time::TICK_LAPSES_MAX;

/// What the law reads: the records of the state before the entry.
pub trait Facts {
    /// The record under a key, if there is one.
    fn record(&self, key: &StateKey) -> Option<&Record>;

    /// The smallest second at which a record falls due, [`NEVER`](crate::state_tree::NEVER) if none does.
    fn next_due(&self) -> u64;

    /// The endorsements that are due at a second, in the order of their keys.
    fn due(&self, second: u64) -> impl Iterator<Item = ((VersionId, PartyId), &EndorsementRecord)>;
}

/// What the law says of an envelope that it does not refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It becomes the next entry.
    Admit(Effects),
    /// It is in the log already, at this index, and still the head of its thread.
    Repeat {
        /// The index of its entry.
        entry: u64,
    },
}

/// What an entry does to the state: the records it writes, in the order of writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effects {
    writes: Vec<(StateKey, Record)>,
}

impl Effects {
    /// The records and their keys.
    #[must_use]
    pub fn into_writes(self) -> Vec<(StateKey, Record)> {
        self.writes
    }
}

/// Decides one envelope over the state before it.
///
/// `index` is the index the entry would have, `received` the registry's clock in POSIX seconds.
///
/// # Errors
/// The first rule that refuses it, in the order of `docs/spec/events.md`.
pub fn decide<F: Facts>(
    facts: &F,
    envelope: &CheckedEnvelope,
    index: u64,
    received: u64,
) -> Result<Decision, Refusal> {
    let event = envelope.event();
    let law = match facts.record(&StateKey::registry()) {
        Some(Record::Registry(record)) => Law { facts, event, index, received, registry: record },
        Some(_) => return Err(Refusal::NotGenesis),
        None => return registry::open(envelope, index, received),
    };
    law.decide(envelope.event_hash())
}

/// LA-11, LA-12.
fn in_time(event: &Event, received: u64, policy: &Policy) -> Result<(), Refusal> {
    let Some(log_before) = event.log_before else { return Ok(()) };
    if log_before < received {
        return Err(Refusal::Expired { log_before, received });
    }
    if log_before - received > policy.log_window {
        return Err(Refusal::LogBeforeTooFar { window: policy.log_window });
    }
    Ok(())
}

struct Law<'a, F> {
    facts: &'a F,
    event: &'a Event,
    index: u64,
    received: u64,
    registry: &'a RegistryRecord,
}

impl<F: Facts> Law<'_, F> {
    fn decide(&self, hash: EventHash) -> Result<Decision, Refusal> {
        match &self.event.registry {
            Some(named) if self.is_of(named) => {}
            None if self.registry.operator.0 == hash.0 => {
                // registry.open once more; its record is named after it.
                return Ok(Decision::Repeat { entry: 0 });
            }
            Some(_) => {
                let expected = RegistryId::new(&self.registry.origin, EventHash(self.registry.operator.0));
                let wrong = |expected| Refusal::WrongRegistry { expected };
                return Err(expected.map_or(Refusal::NotGenesis, wrong));
            }
            None => return Err(Refusal::NotGenesis),
        }
        if self.received < self.registry.received {
            return Err(Refusal::ReceivedBack { received: self.received, last: self.registry.received });
        }
        if let Some(entry) = self.entry_of(hash) {
            return Ok(Decision::Repeat { entry });
        }
        let mut writes = Vec::with_capacity(4);
        self.nothing_due()?;
        match &self.event.body {
            Body::RegistryOpen { .. } => return Err(Refusal::NotGenesis),
            Body::RegistryPolicy(policy) => return self.policy(hash, policy),
            Body::RegistryTick { due, previous } => self.tick(&mut writes, *due, *previous)?,
            Body::PartyCreate { domain, names, keys } => {
                self.party_create(&mut writes, hash, domain.clone(), names, keys)?;
            }
            Body::PartyKeys { add, end } => self.party_keys(&mut writes, hash, add, end)?,
            Body::StatementPublish { kind, slug } => {
                self.statement_publish(&mut writes, hash, *kind, slug)?;
            }
            Body::StatementVersion { statement, texts } => {
                self.statement_version(&mut writes, hash, statement, texts)?;
            }
            Body::Endorse { statement, version, language, not_after } => {
                self.endorse(&mut writes, hash, statement, version, language, *not_after)?;
            }
            Body::Withdraw { statement, version } => self.withdraw(&mut writes, hash, statement, version)?,
        }
        let mut registry = self.registry.clone();
        registry.received = self.received;
        writes.push((StateKey::registry(), Record::Registry(Box::new(registry))));
        Ok(Decision::Admit(Effects { writes }))
    }

    /// Whether an event that names this registry is meant for the one of this state.
    fn is_of(&self, named: &RegistryId) -> bool {
        named.origin() == self.registry.origin && named.operator() == self.registry.operator
    }

    /// LA-4: the entry that an event is, where the state still names it: as the head of the record it
    /// moves, or as the event that a record is named after.
    fn entry_of(&self, hash: EventHash) -> Option<u64> {
        match &self.event.body {
            Body::RegistryOpen { .. } | Body::RegistryTick { .. } => None,
            Body::RegistryPolicy(_) => (self.registry.event == hash).then_some(self.registry.entry),
            Body::PartyCreate { .. } => self.party(&PartyId(hash.0)).map(|party| party.first),
            Body::PartyKeys { .. } => {
                let party = self.party(&self.event.party?)?;
                (party.event == hash).then_some(party.entry)
            }
            Body::StatementPublish { .. } => {
                self.statement(&StatementId(hash.0)).map(|statement| statement.first)
            }
            Body::StatementVersion { .. } => self.version(&VersionId(hash.0)).map(|version| version.entry),
            Body::Endorse { version, .. } | Body::Withdraw { version, .. } => {
                let record = self.endorsement(version, &self.event.party?)?;
                (record.event == hash).then_some(record.entry)
            }
        }
    }

    /// LA-5 to LA-9: the acting party, whose live keys all signers are, one of them of the role needed; and its
    /// record.
    fn acting(&self, needed: Role) -> Result<(PartyId, &PartyRecord), Refusal> {
        let party = self.event.party.ok_or(Refusal::UnknownParty)?;
        let record = self.party(&party).ok_or(Refusal::UnknownParty)?;
        let mut highest = None;
        for signer in &self.event.signers {
            highest = highest.max(Some(self.live_key(signer, &party)?.role));
        }
        if highest >= Some(needed) { Ok((party, record)) } else { Err(Refusal::RoleTooLow { needed }) }
    }

    fn live_key(&self, id: &KeyId, party: &PartyId) -> Result<&KeyRecord, Refusal> {
        let record = self.key(id).ok_or(Refusal::UnknownKey { key: *id })?;
        if record.party != *party {
            return Err(Refusal::ForeignKey { key: *id });
        }
        match record.to {
            Some(to) => Err(Refusal::EndedKey { key: *id, to }),
            None => Ok(record),
        }
    }

    /// LA-10.
    fn follows(&self, head: Option<EventHash>) -> Result<(), Refusal> {
        if self.event.after == head { Ok(()) } else { Err(Refusal::Stale { head }) }
    }

    fn in_time(&self) -> Result<(), Refusal> {
        in_time(self.event, self.received, &self.registry.policy)
    }

    fn party(&self, id: &PartyId) -> Option<&PartyRecord> {
        match self.facts.record(&StateKey::party(id))? {
            Record::Party(record) => Some(record),
            _ => None,
        }
    }

    fn key(&self, id: &KeyId) -> Option<&KeyRecord> {
        match self.facts.record(&StateKey::key(id))? {
            Record::Key(record) => Some(record),
            _ => None,
        }
    }

    fn statement(&self, id: &StatementId) -> Option<&StatementRecord> {
        match self.facts.record(&StateKey::statement(id))? {
            Record::Statement(record) => Some(record),
            _ => None,
        }
    }

    fn version(&self, id: &VersionId) -> Option<&VersionRecord> {
        match self.facts.record(&StateKey::version(id))? {
            Record::Version(record) => Some(record),
            _ => None,
        }
    }

    fn endorsement(&self, version: &VersionId, party: &PartyId) -> Option<&EndorsementRecord> {
        match self.facts.record(&StateKey::endorsement(version, party))? {
            Record::Endorsement(record) => Some(record),
            _ => None,
        }
    }
}
