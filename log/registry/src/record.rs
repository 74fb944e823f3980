//! The records of the state: their keys, their canonical bytes, and the tally that follows from each.
//!
//! Follows `docs/spec/events.md`, rules RE-1 to RE-12. A record holds entry indexes and event
//! hashes, never its own leaf hash, and every fact that the law reads is in one of them.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use undersigned_tlog::hash::{HASH_BYTES, Hash, sha256};

use crate::event::{self, Name, Policy, StatementKind, Text};
use crate::id::{EventHash, KeyId, PartyId, StatementId, VersionId, is_origin};
use crate::json::{self, MemberError, Members, ObjectWriter};
use crate::key::{KeyType, Role};
use crate::state_tree::{self, NEVER, Tally};

/// The largest record in bytes.
pub const RECORD_BYTES_MAX: usize = 32 * 1024;

/// The tally column of withdrawn endorsements; columns 0 to 4 are the active ones by trust level.
pub const COLUMN_WITHDRAWN: u8 = 5;

/// The column of endorsements that ended by time.
pub const COLUMN_LAPSED: u8 = 6;

/// The highest trust level of a party.
pub const LEVEL_MAX: u8 = 4;

/// How many keys of a party may live at once.
pub const LIVE_KEYS_MAX: usize = 32;

/// The namespaces of the state: the first byte of every key (`docs/spec/state-tree.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the words of the format")]
#[repr(u8)]
pub enum Namespace {
    Registry = 0,
    Party = 1,
    Key = 2,
    Statement = 4,
    Version = 5,
    Slug = 6,
    Endorsement = 7,
    ByParty = 8,
}

impl Namespace {
    const ALL: [Self; 8] = [
        Self::Registry,
        Self::Party,
        Self::Key,
        Self::Statement,
        Self::Version,
        Self::Slug,
        Self::Endorsement,
        Self::ByParty,
    ];

    const fn byte(self) -> u8 {
        match self {
            Self::Registry => 0,
            Self::Party => 1,
            Self::Key => 2,
            Self::Statement => 4,
            Self::Version => 5,
            Self::Slug => 6,
            Self::Endorsement => 7,
            Self::ByParty => 8,
        }
    }

    const fn ids(self) -> usize {
        match self {
            Self::Registry => 0,
            Self::Party | Self::Key | Self::Statement | Self::Version | Self::Slug => 1,
            Self::Endorsement | Self::ByParty => 2,
        }
    }
}

/// The longest key of the state in bytes: a namespace and two ids.
pub const KEY_BYTES_MAX: usize = 65;

/// A key of the state: one namespace byte, then none, one or two 32-byte ids.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StateKey {
    bytes: [u8; KEY_BYTES_MAX],
    length: u8,
}

impl StateKey {
    fn new(namespace: Namespace, ids: &[&Hash]) -> Self {
        let mut bytes = [0; KEY_BYTES_MAX];
        let source = core::iter::once(namespace.byte()).chain(ids.iter().flat_map(|id| *id.as_bytes()));
        let mut length = 0u8;
        for (slot, byte) in bytes.iter_mut().zip(source) {
            *slot = byte;
            length = length.saturating_add(1);
        }
        Self { bytes, length }
    }

    /// The one record about the registry itself.
    #[must_use]
    pub fn registry() -> Self {
        Self::new(Namespace::Registry, &[])
    }

    /// The record of a party.
    #[must_use]
    pub fn party(party: &PartyId) -> Self {
        Self::new(Namespace::Party, &[party.hash()])
    }

    /// The record of a public key.
    #[must_use]
    pub fn key(key: &KeyId) -> Self {
        Self::new(Namespace::Key, &[key.hash()])
    }

    /// The record of a statement.
    #[must_use]
    pub fn statement(statement: &StatementId) -> Self {
        Self::new(Namespace::Statement, &[statement.hash()])
    }

    /// The record of a statement version.
    #[must_use]
    pub fn version(version: &VersionId) -> Self {
        Self::new(Namespace::Version, &[version.hash()])
    }

    /// The record that a slug is taken.
    #[must_use]
    pub fn slug(slug: &str) -> Self {
        Self::new(Namespace::Slug, &[&sha256(&[slug.as_bytes()])])
    }

    /// The record of one party's endorsement of one version.
    #[must_use]
    pub fn endorsement(version: &VersionId, party: &PartyId) -> Self {
        Self::new(Namespace::Endorsement, &[version.hash(), party.hash()])
    }

    /// The same record, found from the party's side.
    #[must_use]
    pub fn by_party(party: &PartyId, version: &VersionId) -> Self {
        Self::new(Namespace::ByParty, &[party.hash(), version.hash()])
    }

    /// The prefix of all endorsements of a version: its subtree is the version's count.
    #[must_use]
    pub fn endorsements_of(version: &VersionId) -> Self {
        Self::new(Namespace::Endorsement, &[version.hash()])
    }

    /// The prefix of all that a party endorsed.
    #[must_use]
    pub fn endorsements_by(party: &PartyId) -> Self {
        Self::new(Namespace::ByParty, &[party.hash()])
    }

    /// The version and the party of the key of an endorsement record.
    #[must_use]
    pub fn endorsement_ids(key: &[u8]) -> Option<(VersionId, PartyId)> {
        let (namespace, ids) = key.split_first()?;
        let (version, party) = ids.split_at_checked(HASH_BYTES)?;
        let hash = |id: &[u8]| Some(Hash::from_bytes(id.try_into().ok()?));
        let ids = (VersionId(hash(version)?), PartyId(hash(party)?));
        (*namespace == Namespace::Endorsement.byte()).then_some(ids)
    }

    /// The bytes of the key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

impl fmt::Debug for StateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StateKey({})", undersigned_tlog::codec::hex_encode(self.as_bytes()))
    }
}

/// The namespace of a whole key; `None` where the byte is unknown or the length does not fit it.
#[must_use]
pub fn namespace_of(key: &[u8]) -> Option<Namespace> {
    let (first, ids) = key.split_first()?;
    Namespace::ALL
        .into_iter()
        .find(|namespace| namespace.byte() == *first && namespace.ids() * 32 == ids.len())
}

/// What the registry says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryRecord {
    /// Index of the entry at the head of the thread.
    pub entry: u64,
    /// Event at the head of the thread.
    pub event: EventHash,
    /// The operator's party, whose id is the event hash of `registry.open`.
    pub operator: PartyId,
    /// The origin of the log.
    pub origin: String,
    /// The policy in force for the next entry.
    pub policy: Policy,
    /// The time of the newest entry, in POSIX seconds.
    pub received: u64,
}

/// A party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartyRecord {
    /// The domain it claims.
    pub domain: Option<String>,
    /// Index of the entry at the head of the thread.
    pub entry: u64,
    /// Event at the head of the thread.
    pub event: EventHash,
    /// Index of the entry that created it.
    pub first: u64,
    /// The ids of its live keys, in increasing order.
    pub keys: Vec<KeyId>,
    /// Its trust level.
    pub level: u8,
    /// Its names.
    pub names: Vec<Name>,
}

/// A public key; it belongs to one party for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// Index of the entry that added it: it may sign the entries after that one.
    pub from: u64,
    /// Whose it is.
    pub party: PartyId,
    /// Whether it was ended in distrust.
    pub revoked: bool,
    /// What it may do.
    pub role: Role,
    /// Index of the entry that ended it: the last one it may sign.
    pub to: Option<u64>,
    /// What kind of key its id hashes.
    pub key_type: KeyType,
}

/// A statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementRecord {
    /// Index of the entry at the head of the thread.
    pub entry: u64,
    /// Event at the head of the thread.
    pub event: EventHash,
    /// Index of the entry that published it.
    pub first: u64,
    /// What it is.
    pub kind: StatementKind,
    /// Its slug.
    pub slug: String,
    /// The party that publishes it.
    pub sponsor: PartyId,
    /// The newest version.
    pub version: Option<VersionId>,
    /// How many versions there are.
    pub versions: u64,
}

/// A statement version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRecord {
    /// Index of the entry that published it.
    pub entry: u64,
    /// Its number, from 1.
    pub number: u64,
    /// The statement.
    pub statement: StatementId,
    /// Its texts.
    pub texts: Vec<Text>,
}

/// One party's endorsement of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndorsementRecord {
    /// Index of the newest `endorse`; absent where a withdrawal came before any endorsement.
    pub endorsed: Option<u64>,
    /// Index of the entry at the head of the thread.
    pub entry: u64,
    /// Event at the head of the thread.
    pub event: EventHash,
    /// Index of the thread's first entry.
    pub first: u64,
    /// The language that was read, with the newest `endorse`.
    pub language: Option<String>,
    /// The party's trust level.
    pub level: u8,
    /// The last second (POSIX) in which the newest `endorse` stands; `None`: it does not end by time.
    pub not_after: Option<u64>,
    /// Whether the endorsement stands.
    pub status: Status,
}

impl EndorsementRecord {
    /// The second at which the endorsement falls due: the first one at which it does not stand.
    #[must_use]
    pub fn due(&self) -> Option<u64> {
        self.not_after.filter(|_| self.status == Status::Active).map(|last| last.saturating_add(1))
    }
}

/// The status of an endorsement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It stands.
    Active,
    /// Its time is over.
    Lapsed,
    /// The party ended it.
    Withdrawn,
}

impl Status {
    /// The literal string of the format.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Lapsed => "lapsed",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Reads the literal string of the format.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Active, Self::Lapsed, Self::Withdrawn].into_iter().find(|status| status.name() == name)
    }
}

/// A record of the state.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant is its record")]
pub enum Record {
    Registry(alloc::boxed::Box<RegistryRecord>),
    Party(alloc::boxed::Box<PartyRecord>),
    Key(KeyRecord),
    Statement(alloc::boxed::Box<StatementRecord>),
    Version(alloc::boxed::Box<VersionRecord>),
    Slug(StatementId),
    Endorsement(EndorsementRecord),
}

impl Record {
    /// Reads the record that stands under a key.
    ///
    /// # Errors
    /// Not canonical JSON, or not a record of the key's namespace.
    pub fn decode(key: &[u8], bytes: &[u8]) -> Result<Self, event::ParseError> {
        let value = json::parse(bytes, RECORD_BYTES_MAX)?;
        let namespace = namespace_of(key).ok_or_else(|| MemberError::value("key", "a key of the state"))?;
        let mut members = Members::of("record", value)?;
        let record = decode_members(namespace, &mut members)?;
        members.finish()?;
        Ok(record)
    }

    /// The tally of a leaf (rule RE-12), for [`state_tree::verify`]; `None` if the record is none.
    #[must_use]
    pub fn tally_of(key: &[u8], bytes: &[u8]) -> Option<Tally> {
        Some(state_tree::Record::tally(&Self::decode(key, bytes).ok()?, key))
    }
}

impl state_tree::Record for Record {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        let mut object = ObjectWriter::new(&mut out);
        match self {
            Self::Registry(record) => object
                .text("admission", record.policy.admission.name())
                .integer("entry", record.entry)
                .hash("event", record.event.hash())
                .integer("log_window", record.policy.log_window)
                .integer("max_lag", record.policy.max_lag)
                .hash("operator", record.operator.hash())
                .text("origin", &record.origin)
                .integer("received", record.received)
                .integer("v", record.policy.v),
            Self::Party(record) => object
                .text_if("domain", record.domain.as_deref())
                .integer("entry", record.entry)
                .hash("event", record.event.hash())
                .integer("first", record.first)
                .hashes("keys", record.keys.iter().map(KeyId::hash))
                .integer("level", u64::from(record.level))
                .list("names", &record.names, event::write_name),
            Self::Key(record) => object
                .integer("from", record.from)
                .hash("party", record.party.hash())
                .flag("revoked", record.revoked)
                .text("role", record.role.name())
                .integer_if("to", record.to)
                .text("type", record.key_type.name()),
            Self::Statement(record) => object
                .integer("entry", record.entry)
                .hash("event", record.event.hash())
                .integer("first", record.first)
                .text("kind", record.kind.name())
                .text("slug", &record.slug)
                .hash("sponsor", record.sponsor.hash())
                .hash_if("version", record.version.as_ref().map(VersionId::hash))
                .integer("versions", record.versions),
            Self::Version(record) => object
                .integer("entry", record.entry)
                .integer("number", record.number)
                .hash("statement", record.statement.hash())
                .list("texts", &record.texts, event::write_text),
            Self::Slug(statement) => object.hash("statement", statement.hash()),
            Self::Endorsement(record) => object
                .integer_if("endorsed", record.endorsed)
                .integer("entry", record.entry)
                .hash("event", record.event.hash())
                .integer("first", record.first)
                .text_if("language", record.language.as_deref())
                .integer("level", u64::from(record.level))
                .integer_if("not_after", record.not_after)
                .text("status", record.status.name()),
        };
        object.finish();
        out
    }

    fn tally(&self, key: &[u8]) -> Tally {
        let Self::Endorsement(record) = self else { return Tally::ZERO };
        let counted = match (record.status, record.endorsed) {
            (Status::Active, _) => Tally::column(record.level, 1),
            (Status::Lapsed, _) => Tally::column(COLUMN_LAPSED, 1),
            (Status::Withdrawn, Some(_)) => Tally::column(COLUMN_WITHDRAWN, 1),
            (Status::Withdrawn, None) => Tally::ZERO,
        };
        // Of the two records of an endorsement one falls due, or a tick would find it twice.
        let is_by_party = key.first() == Some(&Namespace::ByParty.byte());
        counted.with_next_due(record.due().filter(|_| !is_by_party).unwrap_or(NEVER))
    }
}

fn decode_members(namespace: Namespace, members: &mut Members) -> Result<Record, MemberError> {
    Ok(match namespace {
        Namespace::Registry => Record::Registry(alloc::boxed::Box::new(RegistryRecord {
            entry: members.integer("entry")?,
            event: EventHash(members.hash("event")?),
            operator: PartyId(members.hash("operator")?),
            origin: Some(members.text("origin")?.into_owned())
                .filter(|origin| is_origin(origin))
                .ok_or_else(|| MemberError::value("origin", "an origin"))?,
            policy: event::policy_of(members)?,
            received: members.integer("received")?,
        })),
        Namespace::Party => Record::Party(alloc::boxed::Box::new(PartyRecord {
            domain: event::domain_of(members)?,
            entry: members.integer("entry")?,
            event: EventHash(members.hash("event")?),
            first: members.integer("first")?,
            keys: live_keys_of(members)?,
            level: level_of(members)?,
            names: event::names_of(members)?,
        })),
        Namespace::Key => {
            let record = KeyRecord {
                from: members.integer("from")?,
                party: PartyId(members.hash("party")?),
                revoked: members.flag("revoked")?,
                role: event::role_of(members)?,
                to: members.integer_if("to")?,
                key_type: event::key_type_of(members)?,
            };
            if record.revoked && record.to.is_none() {
                return Err(MemberError::value("revoked", "left out of the record of a live key"));
            }
            Record::Key(record)
        }
        Namespace::Statement => {
            let record = StatementRecord {
                entry: members.integer("entry")?,
                event: EventHash(members.hash("event")?),
                first: members.integer("first")?,
                kind: StatementKind::from_name(&members.text("kind")?)
                    .ok_or_else(|| MemberError::value("kind", "a kind of statement"))?,
                slug: Some(members.text("slug")?.into_owned())
                    .filter(|slug| event::is_slug(slug))
                    .ok_or_else(|| MemberError::value("slug", "a slug"))?,
                sponsor: PartyId(members.hash("sponsor")?),
                version: members.hash_if("version")?.map(VersionId),
                versions: members.integer("versions")?,
            };
            if record.version.is_some() != (record.versions > 0) {
                return Err(MemberError::value("version", "there exactly where \"versions\" is not 0"));
            }
            Record::Statement(alloc::boxed::Box::new(record))
        }
        Namespace::Version => Record::Version(alloc::boxed::Box::new(VersionRecord {
            entry: members.integer("entry")?,
            number: members.integer("number")?,
            statement: StatementId(members.hash("statement")?),
            texts: event::texts_of(members)?,
        })),
        Namespace::Slug => Record::Slug(StatementId(members.hash("statement")?)),
        Namespace::Endorsement | Namespace::ByParty => Record::Endorsement(endorsement_of(members)?),
    })
}

/// Rule RE-8: what was never endorsed has no language and does not stand, and only what has an end lapses.
fn endorsement_of(members: &mut Members) -> Result<EndorsementRecord, MemberError> {
    let record = EndorsementRecord {
        endorsed: members.integer_if("endorsed")?,
        entry: members.integer("entry")?,
        event: EventHash(members.hash("event")?),
        first: members.integer("first")?,
        language: members
            .text_if("language")?
            .map(|language| event::language_of("language", language))
            .transpose()?,
        level: level_of(members)?,
        not_after: event::not_after_of(members)?,
        status: Status::from_name(&members.text("status")?)
            .ok_or_else(|| MemberError::value("status", "\"active\", \"lapsed\" or \"withdrawn\""))?,
    };
    if record.endorsed.is_some() != record.language.is_some() {
        return Err(MemberError::value("language", "there exactly where \"endorsed\" is"));
    }
    if record.status == Status::Active && record.endorsed.is_none() {
        return Err(MemberError::value("endorsed", "there where the status is \"active\""));
    }
    if record.not_after.is_some() && record.endorsed.is_none() {
        return Err(MemberError::value("not_after", "left out where \"endorsed\" is"));
    }
    if record.status == Status::Lapsed && record.not_after.is_none() {
        return Err(MemberError::value("not_after", "there where the status is \"lapsed\""));
    }
    Ok(record)
}

/// At least one key, in increasing order.
fn live_keys_of(members: &mut Members) -> Result<Vec<KeyId>, MemberError> {
    let keys = members.list("keys", LIVE_KEYS_MAX, |name, value| Ok(KeyId(json::hash_of(name, value)?)))?;
    if keys.is_sorted_by(|earlier, later| earlier < later) {
        Ok(keys)
    } else {
        Err(MemberError::value("keys", "a list in increasing order in which nothing comes twice"))
    }
}

fn level_of(members: &mut Members) -> Result<u8, MemberError> {
    u8::try_from(members.integer("level")?)
        .ok()
        .filter(|level| *level <= LEVEL_MAX)
        .ok_or_else(|| MemberError::value("level", "0 to 4"))
}
