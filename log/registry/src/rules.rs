//! The admission law: the one place that says which event may enter the log, and what it does.
//!
//! Follows `docs/spec/events.md`, rules LA-1 to LA-34. [`decide`] is pure: the same facts and the same
//! envelope give the same answer to the server, the auditor and the browser. Nothing that may change
//! with the outside world is asked here.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use crate::entry::LAW_VERSION;
use crate::envelope::CheckedEnvelope;
use crate::event::{Admission, Body, EndedKey, Ending, Event, Name, NewKey, Policy, Text};
use crate::id::{EventHash, KeyId, PartyId, RegistryId, StatementId, VersionId};
use crate::key::Role;
use crate::record::{
    EndorsementRecord, KeyRecord, LIVE_KEYS_MAX, PartyRecord, Record, RegistryRecord, StateKey,
    StatementRecord, Status, VersionRecord,
};

/// What the law reads: the records of the state before the entry.
pub trait Facts {
    /// The record under a key, if there is one.
    fn record(&self, key: &StateKey) -> Option<&Record>;

    /// The smallest second at which a record falls due, [`NEVER`](crate::state_tree::NEVER) if none does.
    fn next_due(&self) -> u64;

    /// The endorsements that are due at a second, in the order of their keys.
    fn due(&self, second: u64) -> impl Iterator<Item = ((VersionId, PartyId), &EndorsementRecord)>;
}

/// How many endorsements one tick takes: two records for each, and so at most 1,024 written.
pub const TICK_LAPSES_MAX: usize = 512;

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

/// Which rule of the law refuses an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// LA-1: `registry.open` anywhere but at index 0, or anything else there.
    #[error("registry.open is entry 0, and entry 0 is registry.open")]
    NotGenesis,
    /// LA-2: the event names another registry.
    #[error("the event is meant for another registry than {expected}")]
    WrongRegistry {
        /// The id of this one.
        expected: RegistryId,
    },
    /// LA-3: `received` is smaller than that of an entry before.
    #[error("received goes back: {received} after {last}")]
    ReceivedBack {
        /// The entry's second.
        received: u64,
        /// The newest second in the log.
        last: u64,
    },
    /// LA-5: no such party.
    #[error("there is no party with this id")]
    UnknownParty,
    /// LA-6: a signer that the registry does not know.
    #[error("the key {key} is not registered")]
    UnknownKey {
        /// Which one.
        key: KeyId,
    },
    /// LA-7: a signer that belongs to somebody else.
    #[error("the key {key} belongs to another party")]
    ForeignKey {
        /// Which one.
        key: KeyId,
    },
    /// LA-8: a signer that was ended.
    #[error("the key {key} was ended by entry {to}")]
    EndedKey {
        /// Which one.
        key: KeyId,
        /// The entry that ended it.
        to: u64,
    },
    /// LA-9: no signer has the role that the event needs.
    #[error("no signer has the role \"{needed}\" or a higher one")]
    RoleTooLow {
        /// The lowest role that suffices.
        needed: Role,
    },
    /// LA-10: `after` is not the head of the thread.
    #[error("the thread moved on: its head is {}", HeadText(*head))]
    Stale {
        /// The head, if the record exists.
        head: Option<EventHash>,
    },
    /// LA-11: `log_before` has passed.
    #[error("log_before {log_before} has passed: it is {received}")]
    Expired {
        /// The event's limit.
        log_before: u64,
        /// The registry's clock.
        received: u64,
    },
    /// LA-12: `log_before` lies further away than the policy's window.
    #[error("log_before lies more than {window} seconds ahead")]
    LogBeforeTooFar {
        /// The policy's window in seconds.
        window: u64,
    },
    /// LA-13: a key that the event adds is registered already.
    #[error("the key {key} is registered already; a key belongs to one party for ever")]
    KeyInUse {
        /// Which one.
        key: KeyId,
    },
    /// LA-14: the registry admits by invitation, and no operator key signs.
    #[error("this registry admits by invitation: an admin key of its operator must be among the signers")]
    NotInvited,
    /// LA-15: a key to be ended is not a live key of the party.
    #[error("the key {key} is not a live key of this party")]
    KeyNotLive {
        /// Which one.
        key: KeyId,
    },
    /// LA-16: no admin or recovery key would be left.
    #[error("one live admin or recovery key must remain")]
    LastKey,
    /// LA-17: more live keys than the limit.
    #[error("a party has at most 32 live keys")]
    TooManyKeys,
    /// LA-18: the party is not the operator.
    #[error("only the operator may do this")]
    NotOperator,
    /// LA-19: a version of format and law that goes back or is not known.
    #[error("v must be at least {current} and at most {}", LAW_VERSION)]
    LawVersion {
        /// The one in force.
        current: u64,
    },
    /// LA-20: the slug is taken.
    #[error("the slug is taken, for ever")]
    SlugTaken,
    /// LA-21: no such statement.
    #[error("there is no statement with this id")]
    UnknownStatement,
    /// LA-22: the party is not the statement's sponsor.
    #[error("only the sponsor of the statement may publish its versions")]
    NotSponsor,
    /// LA-23: no such version of this statement.
    #[error("the statement has no version with this id")]
    UnknownVersion,
    /// LA-24: the version has no text in this language.
    #[error("the version has no text in this language")]
    LanguageNotListed,
    /// LA-25: the endorsement stands already.
    #[error("the party endorses this version already")]
    AlreadyEndorsed,
    /// LA-26: the endorsement is withdrawn already.
    #[error("the endorsement is withdrawn already")]
    AlreadyWithdrawn,
    /// LA-30: something is due, and a tick comes first.
    #[error("something fell due at {due}, and a registry.tick comes first")]
    TickFirst {
        /// The smallest due second.
        due: u64,
    },
    /// LA-31: a tick while nothing is due.
    #[error("nothing is due at {received}")]
    NothingDue {
        /// The entry's second.
        received: u64,
    },
    /// LA-32: a tick that names another due second or another entry before it.
    #[error("the tick after entry {previous} says that second {due} is due")]
    WrongTick {
        /// The smallest due second.
        due: u64,
        /// The index of the entry before.
        previous: u64,
    },
    /// LA-34: an end that is not ahead.
    #[error("not_after must lie after the registry's clock, which is at {received}")]
    NotAfterPassed {
        /// The registry's clock.
        received: u64,
    },
}

struct HeadText(Option<EventHash>);

impl core::fmt::Display for HeadText {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            Some(head) => write!(f, "{head}, which \"after\" must name"),
            None => f.write_str("not there yet, and \"after\" must be left out"),
        }
    }
}

impl Refusal {
    /// The stable code of the rule.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotGenesis => "not-genesis",
            Self::WrongRegistry { .. } => "wrong-registry",
            Self::ReceivedBack { .. } => "received-back",
            Self::UnknownParty => "unknown-party",
            Self::UnknownKey { .. } => "unknown-key",
            Self::ForeignKey { .. } => "foreign-key",
            Self::EndedKey { .. } => "ended-key",
            Self::RoleTooLow { .. } => "role-too-low",
            Self::Stale { .. } => "stale",
            Self::Expired { .. } => "expired",
            Self::LogBeforeTooFar { .. } => "log-before-too-far",
            Self::KeyInUse { .. } => "key-in-use",
            Self::NotInvited => "not-invited",
            Self::KeyNotLive { .. } => "key-not-live",
            Self::LastKey => "last-key",
            Self::TooManyKeys => "too-many-keys",
            Self::NotOperator => "not-operator",
            Self::LawVersion { .. } => "law-version",
            Self::SlugTaken => "slug-taken",
            Self::UnknownStatement => "unknown-statement",
            Self::NotSponsor => "not-sponsor",
            Self::UnknownVersion => "unknown-version",
            Self::LanguageNotListed => "language-not-listed",
            Self::AlreadyEndorsed => "already-endorsed",
            Self::AlreadyWithdrawn => "already-withdrawn",
            Self::TickFirst { .. } => "tick-first",
            Self::NothingDue { .. } => "nothing-due",
            Self::WrongTick { .. } => "wrong-tick",
            Self::NotAfterPassed { .. } => "not-after-passed",
        }
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
        None => return open(envelope, index, received),
    };
    law.decide(envelope.event_hash())
}

/// LA-1, LA-28: entry 0 makes the registry and its operator.
fn open(envelope: &CheckedEnvelope, index: u64, received: u64) -> Result<Decision, Refusal> {
    let Body::RegistryOpen { origin, domain, names, keys, policy, .. } = &envelope.event().body else {
        return Err(Refusal::NotGenesis);
    };
    if index != 0 {
        return Err(Refusal::NotGenesis);
    }
    in_time(envelope.event(), received, policy)?;
    check_law_version(policy, LAW_VERSION)?;
    let silent = envelope.event().signers.iter().find(|signer| !keys.iter().any(|key| key.id == **signer));
    if let Some(key) = silent {
        return Err(Refusal::UnknownKey { key: *key });
    }
    let event = envelope.event_hash();
    let operator = PartyId(event.0);
    let mut writes = vec![(
        StateKey::registry(),
        Record::Registry(Box::new(RegistryRecord {
            entry: 0,
            event,
            operator,
            origin: origin.clone(),
            policy: *policy,
            received,
        })),
    )];
    make_party(&mut writes, event, 0, domain.clone(), names, keys);
    Ok(Decision::Admit(Effects { writes }))
}

fn make_party(
    writes: &mut Vec<(StateKey, Record)>,
    event: EventHash,
    index: u64,
    domain: Option<alloc::string::String>,
    names: &[Name],
    keys: &[NewKey],
) {
    let party = PartyId(event.0);
    let record = PartyRecord {
        domain,
        entry: index,
        event,
        first: index,
        keys: sorted(keys.iter().map(|key| key.id)),
        level: 0,
        names: names.to_vec(),
    };
    writes.push((StateKey::party(&party), Record::Party(Box::new(record))));
    writes.extend(keys.iter().map(|key| new_key(key, party, index)));
}

fn new_key(key: &NewKey, party: PartyId, index: u64) -> (StateKey, Record) {
    let record =
        KeyRecord { from: index, party, revoked: false, role: key.role, to: None, key_type: key.key_type };
    (StateKey::key(&key.id), Record::Key(record))
}

fn sorted(ids: impl Iterator<Item = KeyId>) -> Vec<KeyId> {
    let mut ids: Vec<KeyId> = ids.collect();
    ids.sort_unstable();
    ids
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

/// LA-19.
fn check_law_version(policy: &Policy, current: u64) -> Result<(), Refusal> {
    if (current..=LAW_VERSION).contains(&policy.v) { Ok(()) } else { Err(Refusal::LawVersion { current }) }
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
        let expected = RegistryId::new(&self.registry.origin, EventHash(self.registry.operator.0));
        match (&self.event.registry, expected) {
            (Some(registry), Some(expected)) if *registry == expected => {}
            (None, _) if self.registry.operator.0 == hash.0 => {
                // registry.open once more; its record is named after it.
                return Ok(Decision::Repeat { entry: 0 });
            }
            (Some(_), Some(expected)) => return Err(Refusal::WrongRegistry { expected }),
            _ => return Err(Refusal::NotGenesis),
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
                let sponsor = self.acting(Role::Admin)?;
                self.in_time()?;
                if self.facts.record(&StateKey::slug(slug)).is_some() {
                    return Err(Refusal::SlugTaken);
                }
                let statement = StatementId(hash.0);
                let record = StatementRecord {
                    entry: self.index,
                    event: hash,
                    first: self.index,
                    kind: *kind,
                    slug: slug.clone(),
                    sponsor,
                    version: None,
                    versions: 0,
                };
                writes.push((StateKey::statement(&statement), Record::Statement(Box::new(record))));
                writes.push((StateKey::slug(slug), Record::Slug(statement)));
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

    /// LA-30: what is due comes first.
    fn nothing_due(&self) -> Result<(), Refusal> {
        let due = self.facts.next_due();
        match &self.event.body {
            Body::RegistryTick { .. } | Body::RegistryPolicy(_) => Ok(()),
            _ if due <= self.received => Err(Refusal::TickFirst { due }),
            _ => Ok(()),
        }
    }

    /// LA-31 to LA-33: what is due lapses, in the order of its keys.
    fn tick(&self, writes: &mut Vec<(StateKey, Record)>, due: u64, previous: u64) -> Result<(), Refusal> {
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

    fn policy(&self, hash: EventHash, policy: &Policy) -> Result<Decision, Refusal> {
        let party = self.acting(Role::Admin)?;
        if party != self.registry.operator {
            return Err(Refusal::NotOperator);
        }
        self.follows(Some(self.registry.event))?;
        self.in_time()?;
        check_law_version(policy, self.registry.policy.v)?;
        let record = RegistryRecord {
            entry: self.index,
            event: hash,
            policy: *policy,
            received: self.received,
            ..self.registry.clone()
        };
        Ok(Decision::Admit(Effects {
            writes: vec![(StateKey::registry(), Record::Registry(Box::new(record)))],
        }))
    }

    fn party_create(
        &self,
        writes: &mut Vec<(StateKey, Record)>,
        hash: EventHash,
        domain: Option<alloc::string::String>,
        names: &[Name],
        keys: &[NewKey],
    ) -> Result<(), Refusal> {
        self.unused(keys)?;
        let mut invited = false;
        for signer in self.event.signers.iter().filter(|signer| !keys.iter().any(|key| key.id == **signer)) {
            let key = self.live_key(signer, &self.registry.operator)?;
            invited |= key.role >= Role::Admin;
        }
        if self.registry.policy.admission == Admission::Invited && !invited {
            return Err(Refusal::NotInvited);
        }
        self.in_time()?;
        make_party(writes, hash, self.index, domain, names, keys);
        Ok(())
    }

    fn party_keys(
        &self,
        writes: &mut Vec<(StateKey, Record)>,
        hash: EventHash,
        add: &[NewKey],
        end: &[EndedKey],
    ) -> Result<(), Refusal> {
        let id = self.event.party.ok_or(Refusal::UnknownParty)?;
        let party = self.party(&id).ok_or(Refusal::UnknownParty)?;
        self.unused(add)?;
        let standing: Vec<KeyId> = self
            .event
            .signers
            .iter()
            .copied()
            .filter(|signer| !add.iter().any(|key| key.id == *signer))
            .collect();
        // The highest role among the signers that the party had before this event.
        let mut highest = None;
        for signer in &standing {
            highest = highest.max(Some(self.live_key(signer, &id)?.role));
        }
        let needs = |role: Role| {
            let needed = role.max(Role::Admin);
            if highest >= Some(needed) { Ok(()) } else { Err(Refusal::RoleTooLow { needed }) }
        };
        self.follows(Some(party.event))?;
        self.in_time()?;
        for key in add {
            needs(key.role)?;
            writes.push(new_key(key, id, self.index));
        }
        let mut live: Vec<KeyId> = party.keys.clone();
        for EndedKey { id: key, how } in end {
            let Some(record) = self.key(key).filter(|record| record.party == id && record.to.is_none())
            else {
                return Err(Refusal::KeyNotLive { key: *key });
            };
            if !standing.contains(key) {
                needs(record.role)?;
            }
            live.retain(|id| id != key);
            let record =
                KeyRecord { to: Some(self.index), revoked: *how == Ending::Revoke, ..record.clone() };
            writes.push((StateKey::key(key), Record::Key(record)));
        }
        let steady = live.iter().any(|key| self.key(key).is_some_and(|record| record.role >= Role::Admin))
            || add.iter().any(|key| key.role >= Role::Admin);
        if !steady {
            return Err(Refusal::LastKey);
        }
        let keys = sorted(live.into_iter().chain(add.iter().map(|key| key.id)));
        if keys.len() > LIVE_KEYS_MAX {
            return Err(Refusal::TooManyKeys);
        }
        let record = PartyRecord { entry: self.index, event: hash, keys, ..party.clone() };
        writes.push((StateKey::party(&id), Record::Party(Box::new(record))));
        Ok(())
    }

    fn statement_version(
        &self,
        writes: &mut Vec<(StateKey, Record)>,
        hash: EventHash,
        id: &StatementId,
        texts: &[Text],
    ) -> Result<(), Refusal> {
        let party = self.acting(Role::Admin)?;
        let statement = self.statement(id).ok_or(Refusal::UnknownStatement)?;
        if statement.sponsor != party {
            return Err(Refusal::NotSponsor);
        }
        self.follows(Some(statement.event))?;
        self.in_time()?;
        let version = VersionId(hash.0);
        let number = statement.versions.saturating_add(1);
        let record = VersionRecord { entry: self.index, number, statement: *id, texts: texts.to_vec() };
        writes.push((StateKey::version(&version), Record::Version(Box::new(record))));
        let record = StatementRecord {
            entry: self.index,
            event: hash,
            version: Some(version),
            versions: number,
            ..statement.clone()
        };
        writes.push((StateKey::statement(id), Record::Statement(Box::new(record))));
        Ok(())
    }

    fn endorse(
        &self,
        writes: &mut Vec<(StateKey, Record)>,
        hash: EventHash,
        statement: &StatementId,
        version: &VersionId,
        language: &str,
        not_after: Option<u64>,
    ) -> Result<(), Refusal> {
        let party = self.acting(Role::Sign)?;
        let texts = self.version_of(statement, version)?;
        let before = self.endorsement(version, &party);
        self.follows(before.map(|record| record.event))?;
        self.in_time()?;
        if !texts.texts.iter().any(|text| text.language == language) {
            return Err(Refusal::LanguageNotListed);
        }
        if before.is_some_and(|record| record.status == Status::Active) {
            return Err(Refusal::AlreadyEndorsed);
        }
        if not_after.is_some_and(|last| last <= self.received) {
            return Err(Refusal::NotAfterPassed { received: self.received });
        }
        let level = self.party(&party).ok_or(Refusal::UnknownParty)?.level;
        let record = EndorsementRecord {
            endorsed: Some(self.index),
            entry: self.index,
            event: hash,
            first: before.map_or(self.index, |record| record.first),
            language: Some(language.into()),
            level,
            not_after,
            status: Status::Active,
        };
        put_endorsement(writes, version, &party, record);
        Ok(())
    }

    /// LA-27: nothing but a live key and an endorsement not yet withdrawn; and without `after` it ends
    /// a thread that is at its first event, so that nobody gets ahead of it.
    fn withdraw(
        &self,
        writes: &mut Vec<(StateKey, Record)>,
        hash: EventHash,
        statement: &StatementId,
        version: &VersionId,
    ) -> Result<(), Refusal> {
        let party = self.acting(Role::Sign)?;
        self.version_of(statement, version)?;
        let before = self.endorsement(version, &party);
        let at_first = before.is_some_and(|record| record.entry == record.first);
        if !(self.event.after.is_none() && at_first) {
            self.follows(before.map(|record| record.event))?;
        }
        let level = self.party(&party).ok_or(Refusal::UnknownParty)?.level;
        let record = match before {
            Some(record) if record.status == Status::Withdrawn => return Err(Refusal::AlreadyWithdrawn),
            Some(record) => EndorsementRecord {
                entry: self.index,
                event: hash,
                status: Status::Withdrawn,
                ..record.clone()
            },
            None => EndorsementRecord {
                endorsed: None,
                entry: self.index,
                event: hash,
                first: self.index,
                language: None,
                level,
                not_after: None,
                status: Status::Withdrawn,
            },
        };
        put_endorsement(writes, version, &party, record);
        Ok(())
    }

    /// LA-5 to LA-9: the acting party, whose live keys all signers are, one of them of the role needed.
    fn acting(&self, needed: Role) -> Result<PartyId, Refusal> {
        let party = self.event.party.ok_or(Refusal::UnknownParty)?;
        if self.facts.record(&StateKey::party(&party)).is_none() {
            return Err(Refusal::UnknownParty);
        }
        let mut highest = None;
        for signer in &self.event.signers {
            highest = highest.max(Some(self.live_key(signer, &party)?.role));
        }
        if highest >= Some(needed) { Ok(party) } else { Err(Refusal::RoleTooLow { needed }) }
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

    /// LA-13.
    fn unused(&self, keys: &[NewKey]) -> Result<(), Refusal> {
        match keys.iter().find(|key| self.facts.record(&StateKey::key(&key.id)).is_some()) {
            Some(key) => Err(Refusal::KeyInUse { key: key.id }),
            None => Ok(()),
        }
    }

    /// LA-10.
    fn follows(&self, head: Option<EventHash>) -> Result<(), Refusal> {
        if self.event.after == head { Ok(()) } else { Err(Refusal::Stale { head }) }
    }

    fn in_time(&self) -> Result<(), Refusal> {
        in_time(self.event, self.received, &self.registry.policy)
    }

    /// LA-23.
    fn version_of(&self, statement: &StatementId, version: &VersionId) -> Result<&VersionRecord, Refusal> {
        if self.facts.record(&StateKey::statement(statement)).is_none() {
            return Err(Refusal::UnknownStatement);
        }
        self.version(version).filter(|record| record.statement == *statement).ok_or(Refusal::UnknownVersion)
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

fn put_endorsement(
    writes: &mut Vec<(StateKey, Record)>,
    version: &VersionId,
    party: &PartyId,
    record: EndorsementRecord,
) {
    writes.push((StateKey::by_party(party, version), Record::Endorsement(record.clone())));
    writes.push((StateKey::endorsement(version, party), Record::Endorsement(record)));
}
