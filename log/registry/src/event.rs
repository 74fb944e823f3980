//! Events: what is signed. Their members, their limits, their canonical bytes.
//!
//! Follows `docs/spec/events.md`, rules EV-1 to EV-36. Decoding knows the shape of an event only;
//! whether it may enter the log is [`crate::rules`].

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use undersigned_tlog::hash::{Hash, sha256};
use undersigned_tlog::note::VerifierKey;

use crate::id::{EventHash, KeyId, PartyId, RegistryId, StatementId, VersionId, is_origin};
use crate::json::{self, MemberError, MemberRule, Members, ObjectWriter, Value};
use crate::key::{KeyType, Role};

/// The first line of the signable bytes; it keeps an event from being taken for any other message.
pub const SIGNABLE_HEADER: &str = "undersigned event v1\n";

/// The largest event in bytes: it leaves room for 16 proofs in an entry of 32 KiB.
pub const EVENT_BYTES_MAX: usize = 24 * 1024;
/// How many keys may sign one event.
pub const SIGNERS_MAX: usize = 16;
/// How many keys one event may add or end.
pub const KEYS_PER_EVENT_MAX: usize = 15;
/// How many names a party may have, one for each language.
pub const NAMES_MAX: usize = 16;
/// How many language versions a statement version may have.
pub const TEXTS_MAX: usize = 32;
/// The largest name of a party in bytes.
pub const NAME_BYTES_MAX: u64 = 512;
/// The largest title in bytes.
pub const TITLE_BYTES_MAX: u64 = 1024;
/// The largest text of a statement in one language, in bytes.
pub const TEXT_BYTES_MAX: u64 = 256 * 1024;
/// The longest slug in bytes.
pub const SLUG_BYTES_MAX: usize = 64;
/// The longest domain in bytes (RFC 1035 section 2.3.4, without the trailing dot).
pub const DOMAIN_BYTES_MAX: usize = 253;
/// The longest window for `log_before` that a policy may set, in seconds: one year.
pub const LOG_WINDOW_SECONDS_MAX: u64 = 365 * 24 * 3600;
/// The longest `max_lag` that a policy may set, in seconds: one day.
pub const MAX_LAG_SECONDS_MAX: u64 = 24 * 3600;
/// How many log keys a registry may open with.
pub const LOG_KEYS_MAX: usize = 8;
/// The longest log key in bytes: a name of 255, and base64 of an ML-DSA-44 key.
pub const LOG_KEY_BYTES_MAX: usize = 2_100;

/// A text that lives beside the log, by hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobRef {
    /// SHA-256 of its bytes.
    pub sha256: Hash,
    /// Its length in bytes.
    pub size: u64,
}

impl BlobRef {
    /// The reference of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self { sha256: sha256(&[bytes]), size: u64::try_from(bytes.len()).unwrap_or(u64::MAX) }
    }

    /// Whether these are the bytes.
    #[must_use]
    pub fn names(&self, bytes: &[u8]) -> bool {
        Self::of(bytes) == *self
    }

    fn write(out: &mut Vec<u8>, blob: &Self) {
        ObjectWriter::new(out).hash("sha256", &blob.sha256).integer("size", blob.size).finish();
    }

    fn decode(place: &str, value: Value, bytes_max: u64) -> Result<Self, MemberError> {
        let mut members = Members::of(place, value)?;
        let blob = Self { sha256: members.hash("sha256")?, size: members.integer("size")? };
        members.finish()?;
        if blob.size == 0 || blob.size > bytes_max {
            return Err(MemberError::value("size", "at least 1 and within the limit of its place"));
        }
        Ok(blob)
    }
}

/// A party's name in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The language tag.
    pub language: String,
    /// The name.
    pub text: BlobRef,
}

/// A statement version in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The language tag.
    pub language: String,
    /// Whether this language version binds.
    pub status: TextStatus,
    /// The title.
    pub title: BlobRef,
    /// The whole text.
    pub text: BlobRef,
}

/// Whether a language version binds or only helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextStatus {
    /// Binding.
    Authentic,
    /// A courtesy translation.
    Courtesy,
}

impl TextStatus {
    /// The literal string of the format.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Authentic => "authentic",
            Self::Courtesy => "courtesy",
        }
    }
}

/// A key that an event adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// Its id; the raw key is in its proof.
    pub id: KeyId,
    /// What it may do.
    pub role: Role,
    /// What kind of key the id hashes.
    pub key_type: KeyType,
}

/// A key that an event ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedKey {
    /// Which one.
    pub id: KeyId,
    /// Whether it ends in peace or in distrust.
    pub how: Ending,
}

/// Why a key ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// No longer used.
    Retire,
    /// No longer trusted.
    Revoke,
}

impl Ending {
    /// The literal string of the format.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Retire => "retire",
            Self::Revoke => "revoke",
        }
    }
}

/// Who may create a party.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Anybody.
    Open,
    /// Who has an operator's admin key among the signers.
    Invited,
}

impl Admission {
    /// The literal string of the format.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Invited => "invited",
        }
    }

    /// Reads the literal string of the format.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Open, Self::Invited].into_iter().find(|mode| mode.name() == name)
    }
}

/// What a statement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the words of the format")]
pub enum StatementKind {
    Accord,
    Declaration,
    Letter,
    Manifesto,
    Pledge,
    Treaty,
}

impl StatementKind {
    /// All kinds.
    pub const ALL: [Self; 6] =
        [Self::Accord, Self::Declaration, Self::Letter, Self::Manifesto, Self::Pledge, Self::Treaty];

    /// The literal string of the format.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accord => "accord",
            Self::Declaration => "declaration",
            Self::Letter => "letter",
            Self::Manifesto => "manifesto",
            Self::Pledge => "pledge",
            Self::Treaty => "treaty",
        }
    }

    /// Reads the literal string of the format.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// The rules that a registry states about itself and may change by `registry.policy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Who may create a party.
    pub admission: Admission,
    /// How far after `received` a `log_before` may lie, in seconds.
    pub log_window: u64,
    /// How far the registry's clock may lie from the first cosignature, in seconds.
    pub max_lag: u64,
    /// The version of format and law for the entries after the event.
    pub v: u64,
}

/// An event: what every one has, and what its type adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The registry it is meant for; only `registry.open` has none.
    pub registry: Option<RegistryId>,
    /// Who acts; absent in the events that make a party, and in `registry.tick`.
    pub party: Option<PartyId>,
    /// The keys that sign, exactly these, in this order; none of `registry.tick`.
    pub signers: Vec<KeyId>,
    /// The event at the head of the record that this one moves.
    pub after: Option<EventHash>,
    /// A second (POSIX) after which the registry must not log it; `withdraw` and `registry.tick` have none.
    pub log_before: Option<u64>,
    /// What its type adds.
    pub body: Body,
}

/// What an event's type adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// `registry.open`: entry 0.
    RegistryOpen {
        /// The origin of the log.
        origin: String,
        /// 32 random bytes.
        nonce: Hash,
        /// The log's verifier keys (signed-note vkeys).
        log_keys: Vec<String>,
        /// The operator's domain.
        domain: Option<String>,
        /// The operator's names.
        names: Vec<Name>,
        /// The operator's keys.
        keys: Vec<NewKey>,
        /// The policy from entry 1 on.
        policy: Policy,
    },
    /// `registry.policy`: the whole policy, stated anew.
    RegistryPolicy(Policy),
    /// `registry.tick`: time moves the state; nobody signs it.
    RegistryTick {
        /// The smallest due second of the state before it.
        due: u64,
        /// The index of the entry before it.
        previous: u64,
    },
    /// `party.create`: an organisation enters.
    PartyCreate {
        /// The domain it claims.
        domain: Option<String>,
        /// Its names.
        names: Vec<Name>,
        /// Its keys.
        keys: Vec<NewKey>,
    },
    /// `party.keys`: keys come and go.
    PartyKeys {
        /// Keys that are added.
        add: Vec<NewKey>,
        /// Keys that end.
        end: Vec<EndedKey>,
    },
    /// `statement.publish`: a statement gets its address.
    StatementPublish {
        /// What it is.
        kind: StatementKind,
        /// Its short name, taken for ever.
        slug: String,
    },
    /// `statement.version`: the exact text that is signed.
    StatementVersion {
        /// The statement.
        statement: StatementId,
        /// The text in each language.
        texts: Vec<Text>,
    },
    /// `endorse`: a party signs a version.
    Endorse {
        /// The statement.
        statement: StatementId,
        /// The version.
        version: VersionId,
        /// The language that was read.
        language: String,
        /// The last second (POSIX) in which it stands; `None`: it does not end by time.
        not_after: Option<u64>,
    },
    /// `withdraw`: a party ends its endorsement.
    Withdraw {
        /// The statement.
        statement: StatementId,
        /// The version.
        version: VersionId,
    },
}

impl Body {
    /// The literal event type.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::RegistryOpen { .. } => "registry.open",
            Self::RegistryPolicy(_) => "registry.policy",
            Self::RegistryTick { .. } => "registry.tick",
            Self::PartyCreate { .. } => "party.create",
            Self::PartyKeys { .. } => "party.keys",
            Self::StatementPublish { .. } => "statement.publish",
            Self::StatementVersion { .. } => "statement.version",
            Self::Endorse { .. } => "endorse",
            Self::Withdraw { .. } => "withdraw",
        }
    }
}

impl Event {
    /// Reads an event from its canonical bytes.
    ///
    /// # Errors
    /// Not canonical JSON, or not an event of the format.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        Ok(Self::decode(json::parse(bytes, EVENT_BYTES_MAX)?)?)
    }

    /// Reads an event from a parsed value.
    ///
    /// # Errors
    /// The first member that breaks a rule.
    pub fn decode(value: Value) -> Result<Self, MemberError> {
        let mut members = Members::of("event", value)?;
        let type_name = members.text("type")?;
        let Head { registry, party, signers, after, log_before } = Head::of(&type_name)
            .ok_or_else(|| MemberError::value("type", "one of the event types of docs/spec/events.md"))?;
        let registry = if registry { Some(registry_of(&mut members)?) } else { None };
        let party = if party { Some(PartyId(members.hash("party")?)) } else { None };
        let signers = if signers { signers_of(&mut members)? } else { Vec::new() };
        let after = match after {
            After::Never => None,
            After::Sometimes => members.hash_if("after")?.map(EventHash),
            After::Always => Some(EventHash(members.hash("after")?)),
        };
        let log_before = if log_before { Some(members.integer("log_before")?) } else { None };
        let body = decode_body(&type_name, &mut members)?;
        members.finish()?;
        Ok(Self { registry, party, signers, after, log_before, body })
    }

    /// The canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(640);
        let mut object = ObjectWriter::new(&mut out);
        let (add, admission, domain, end, keys, kind) = match &self.body {
            Body::RegistryOpen { policy, domain, keys, .. } => {
                (None, Some(policy.admission), domain.as_deref(), None, Some(keys), None)
            }
            Body::RegistryPolicy(policy) => (None, Some(policy.admission), None, None, None, None),
            Body::PartyCreate { domain, keys, .. } => (None, None, domain.as_deref(), None, Some(keys), None),
            Body::PartyKeys { add, end } => (Some(add), None, None, Some(end), None, None),
            Body::StatementPublish { kind, .. } => (None, None, None, None, None, Some(*kind)),
            _ => (None, None, None, None, None, None),
        };
        if let Some(add) = add.filter(|add| !add.is_empty()) {
            object.list("add", add, write_key);
        }
        object.text_if("admission", admission.map(Admission::name));
        object.hash_if("after", self.after.as_ref().map(EventHash::hash));
        object.text_if("domain", domain);
        let (due, previous) = match &self.body {
            Body::RegistryTick { due, previous } => (Some(*due), Some(*previous)),
            _ => (None, None),
        };
        object.integer_if("due", due);
        if let Some(end) = end.filter(|end| !end.is_empty()) {
            object.list("end", end, |out, key| {
                ObjectWriter::new(out).text("how", key.how.name()).hash("id", key.id.hash()).finish();
            });
        }
        if let Some(keys) = keys {
            object.list("keys", keys, write_key);
        }
        object.text_if("kind", kind.map(StatementKind::name));
        if let Body::Endorse { language, .. } = &self.body {
            object.text("language", language);
        }
        object.integer_if("log_before", self.log_before);
        if let Body::RegistryOpen { log_keys, .. } = &self.body {
            object.list("log_keys", log_keys, |out, key| json::write_string(out, key));
        }
        let policy = match &self.body {
            Body::RegistryOpen { policy, .. } | Body::RegistryPolicy(policy) => Some(policy),
            _ => None,
        };
        object.integer_if("log_window", policy.map(|policy| policy.log_window));
        object.integer_if("max_lag", policy.map(|policy| policy.max_lag));
        if let Body::RegistryOpen { names, .. } | Body::PartyCreate { names, .. } = &self.body {
            object.list("names", names, write_name);
        }
        match &self.body {
            Body::RegistryOpen { nonce, origin, .. } => {
                object.hash("nonce", nonce).text("origin", origin);
            }
            Body::Endorse { not_after, .. } => {
                object.integer_if("not_after", *not_after);
            }
            _ => {}
        }
        object.hash_if("party", self.party.as_ref().map(PartyId::hash));
        object.integer_if("previous", previous);
        object.text_if("registry", self.registry.as_ref().map(RegistryId::to_text).as_deref());
        if let Body::RegistryOpen { .. } = &self.body {
            object.text("retention", RETENTION);
        }
        if !self.signers.is_empty() {
            object.hashes("signers", self.signers.iter().map(KeyId::hash));
        }
        if let Body::StatementPublish { slug, .. } = &self.body {
            object.text("slug", slug);
        }
        let (statement, version) = match &self.body {
            Body::StatementVersion { statement, .. } => (Some(statement), None),
            Body::Endorse { statement, version, .. } | Body::Withdraw { statement, version } => {
                (Some(statement), Some(version))
            }
            _ => (None, None),
        };
        object.hash_if("statement", statement.map(StatementId::hash));
        if let Body::StatementVersion { texts, .. } = &self.body {
            object.list("texts", texts, write_text);
        }
        object.text("type", self.body.type_name());
        object.integer_if("v", policy.map(|policy| policy.v));
        object.hash_if("version", version.map(VersionId::hash));
        object.finish();
        out
    }

    /// The blobs that the event names, each once, in the order of first mention (rule EV-34): of a text
    /// its title, then the text itself.
    #[must_use]
    pub fn blobs(&self) -> Vec<BlobRef> {
        let mut blobs: Vec<BlobRef> = Vec::new();
        let mut add = |blob: &BlobRef| {
            if !blobs.contains(blob) {
                blobs.push(*blob);
            }
        };
        match &self.body {
            Body::RegistryOpen { names, .. } | Body::PartyCreate { names, .. } => {
                names.iter().for_each(|name| add(&name.text));
            }
            Body::StatementVersion { texts, .. } => {
                for text in texts {
                    add(&text.title);
                    add(&text.text);
                }
            }
            _ => {}
        }
        blobs
    }

    /// Who acts, given the hash of the event: the party it names or the one it makes; nobody in
    /// `registry.tick`.
    #[must_use]
    pub fn actor(&self, hash: EventHash) -> Option<PartyId> {
        match &self.body {
            Body::RegistryTick { .. } => None,
            _ => Some(self.party.unwrap_or(PartyId(hash.0))),
        }
    }

    /// The keys that the event adds.
    #[must_use]
    pub fn added_keys(&self) -> &[NewKey] {
        match &self.body {
            Body::RegistryOpen { keys, .. }
            | Body::PartyCreate { keys, .. }
            | Body::PartyKeys { add: keys, .. } => keys,
            _ => &[],
        }
    }
}

/// The hash of an event, from its canonical bytes (rule EN-20).
#[must_use]
pub fn event_hash(event: &[u8]) -> EventHash {
    EventHash(sha256(&[event]))
}

/// The bytes that every method signs: the header line, the canonical JSON, LF (rule EN-30).
#[must_use]
pub fn signable(event: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(SIGNABLE_HEADER.len() + event.len() + 1);
    bytes.extend_from_slice(SIGNABLE_HEADER.as_bytes());
    bytes.extend_from_slice(event);
    bytes.push(b'\n');
    bytes
}

/// Takes the event out of its signable bytes.
///
/// # Errors
/// Another header, no line feed at the end, or not an event.
pub fn event_of_signable(bytes: &[u8]) -> Result<&[u8], ParseError> {
    let event = bytes
        .strip_prefix(SIGNABLE_HEADER.as_bytes())
        .and_then(|rest| rest.strip_suffix(b"\n"))
        .ok_or(ParseError::Signable)?;
    Event::parse(event)?;
    Ok(event)
}

/// Why bytes are not an event or an entry of the format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not canonical JSON of the format.
    #[error(transparent)]
    Json(#[from] json::JsonError),
    /// A member breaks its rule.
    #[error(transparent)]
    Member(#[from] MemberError),
    /// Not the signable bytes of an event.
    #[error(
        "not a signable file: it begins with the line \"undersigned event v1\" and ends with a line feed"
    )]
    Signable,
}

impl ParseError {
    /// The stable code of the rule.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Json(error) => error.rule.code(),
            Self::Member(error) => error.rule.code(),
            Self::Signable => "signable-header",
        }
    }
}

const RETENTION: &str = "never-prune";

/// Which of the members that most events have an event type has (rules EV-1 to EV-6).
struct Head {
    registry: bool,
    party: bool,
    signers: bool,
    after: After,
    log_before: bool,
}

enum After {
    Never,
    Sometimes,
    Always,
}

impl Head {
    fn of(type_name: &str) -> Option<Self> {
        let usual =
            Self { registry: true, party: true, signers: true, after: After::Never, log_before: true };
        Some(match type_name {
            "registry.open" => Self { registry: false, party: false, ..usual },
            "registry.tick" => Self { party: false, signers: false, log_before: false, ..usual },
            "party.create" => Self { party: false, ..usual },
            "statement.publish" => usual,
            "registry.policy" | "party.keys" | "statement.version" => Self { after: After::Always, ..usual },
            "endorse" => Self { after: After::Sometimes, ..usual },
            "withdraw" => Self { after: After::Sometimes, log_before: false, ..usual },
            _ => return None,
        })
    }
}

fn signers_of(members: &mut Members) -> Result<Vec<KeyId>, MemberError> {
    let signers =
        members.list("signers", SIGNERS_MAX, |name, value| Ok(KeyId(json::hash_of(name, value)?)))?;
    distinct("signers", &signers, |id| *id)?;
    Ok(signers)
}

fn registry_of(members: &mut Members) -> Result<RegistryId, MemberError> {
    RegistryId::parse(&members.text("registry")?)
        .ok_or_else(|| MemberError::value("registry", "the origin, \"#\" and 64 lower-case hex digits"))
}

fn decode_body(type_name: &str, members: &mut Members) -> Result<Body, MemberError> {
    Ok(match type_name {
        "registry.open" => {
            let origin = members.text("origin")?;
            if !is_origin(&origin) {
                return Err(MemberError::value("origin", "a URL without scheme, of at most 255 bytes"));
            }
            let log_keys =
                members.list("log_keys", LOG_KEYS_MAX, |name, value| log_key(name, value, &origin))?;
            distinct("log_keys", &log_keys, Clone::clone)?;
            if members.text("retention")? != RETENTION {
                return Err(MemberError::value("retention", "\"never-prune\""));
            }
            Body::RegistryOpen {
                origin: origin.into_owned(),
                nonce: members.hash("nonce")?,
                log_keys,
                domain: domain_of(members)?,
                names: names_of(members)?,
                keys: keys_of(members, "keys")?,
                policy: policy_of(members)?,
            }
        }
        "registry.policy" => Body::RegistryPolicy(policy_of(members)?),
        "registry.tick" => {
            Body::RegistryTick { due: members.integer("due")?, previous: members.integer("previous")? }
        }
        "party.create" => Body::PartyCreate {
            domain: domain_of(members)?,
            names: names_of(members)?,
            keys: keys_of(members, "keys")?,
        },
        "party.keys" => {
            let add = members.list_if("add", KEYS_PER_EVENT_MAX, new_key)?;
            let end = members.list_if("end", KEYS_PER_EVENT_MAX, ended_key)?;
            if add.is_empty() && end.is_empty() {
                return Err(MemberError::new("add", MemberRule::Missing));
            }
            distinct("add", &add, |key| key.id)?;
            distinct("end", &end, |key| key.id)?;
            Body::PartyKeys { add, end }
        }
        "statement.publish" => {
            let kind = StatementKind::from_name(&members.text("kind")?).ok_or_else(|| {
                MemberError::value("kind", "accord, declaration, letter, manifesto, pledge or treaty")
            })?;
            let slug = members.text("slug")?;
            if !is_slug(&slug) {
                return Err(MemberError::value(
                    "slug",
                    "1 to 64 of a-z, 0-9 and single hyphens between them",
                ));
            }
            Body::StatementPublish { kind, slug: slug.into_owned() }
        }
        "statement.version" => {
            let statement = StatementId(members.hash("statement")?);
            let texts = texts_of(members)?;
            Body::StatementVersion { statement, texts }
        }
        "endorse" => Body::Endorse {
            statement: StatementId(members.hash("statement")?),
            version: VersionId(members.hash("version")?),
            language: language_of("language", members.text("language")?)?,
            not_after: not_after_of(members)?,
        },
        // The type was checked before; every other name was refused there.
        _ => Body::Withdraw {
            statement: StatementId(members.hash("statement")?),
            version: VersionId(members.hash("version")?),
        },
    })
}

/// A last second, after which there is another one (rule EV-35).
pub(crate) fn not_after_of(members: &mut Members) -> Result<Option<u64>, MemberError> {
    match members.integer_if("not_after")? {
        Some(json::INTEGER_MAX) => Err(MemberError::value("not_after", "at most 2^53-2 seconds")),
        not_after => Ok(not_after),
    }
}

/// A verifier key in the text form of signed notes whose name is the origin (rule EV-22).
fn log_key(place: &str, value: Value, origin: &str) -> Result<String, MemberError> {
    let text = json::text_of(place, value)?;
    let is_key_of_log = text.len() <= LOG_KEY_BYTES_MAX
        && VerifierKey::parse(&text).is_ok_and(|key| key.name().as_str() == origin);
    if is_key_of_log {
        Ok(text.into_owned())
    } else {
        Err(MemberError::value(place, "verifier keys named by the origin, of at most 2,100 bytes each"))
    }
}

pub(crate) fn policy_of(members: &mut Members) -> Result<Policy, MemberError> {
    let policy = Policy {
        admission: Admission::from_name(&members.text("admission")?)
            .ok_or_else(|| MemberError::value("admission", "\"open\" or \"invited\""))?,
        log_window: members.integer("log_window")?,
        max_lag: members.integer("max_lag")?,
        v: members.integer("v")?,
    };
    if !(1..=LOG_WINDOW_SECONDS_MAX).contains(&policy.log_window) {
        return Err(MemberError::value("log_window", "1 to 31,536,000 seconds"));
    }
    if !(1..=MAX_LAG_SECONDS_MAX).contains(&policy.max_lag) {
        return Err(MemberError::value("max_lag", "1 to 86,400 seconds"));
    }
    Ok(policy)
}

pub(crate) fn domain_of(members: &mut Members) -> Result<Option<String>, MemberError> {
    match members.text_if("domain")? {
        Some(domain) if !is_domain(&domain) => {
            Err(MemberError::value("domain", "a lower-case domain with at least one dot (A-labels)"))
        }
        domain => Ok(domain.map(Cow::into_owned)),
    }
}

pub(crate) fn names_of(members: &mut Members) -> Result<Vec<Name>, MemberError> {
    let names = members.list("names", NAMES_MAX, |place, value| {
        let mut members = Members::of(place, value)?;
        let name = Name {
            language: language_of("language", members.text("language")?)?,
            text: BlobRef::decode("text", members.value("text")?, NAME_BYTES_MAX)?,
        };
        members.finish()?;
        Ok(name)
    })?;
    distinct("names", &names, |name| name.language.clone())?;
    Ok(names)
}

fn keys_of(members: &mut Members, name: &str) -> Result<Vec<NewKey>, MemberError> {
    let keys = members.list(name, KEYS_PER_EVENT_MAX, new_key)?;
    distinct(name, &keys, |key| key.id)?;
    if !keys.iter().any(|key| key.role >= Role::Admin) {
        return Err(MemberError::value("keys", "a list with an admin or a recovery key"));
    }
    Ok(keys)
}

fn new_key(place: &str, value: Value) -> Result<NewKey, MemberError> {
    let mut members = Members::of(place, value)?;
    let key = NewKey {
        id: KeyId(members.hash("id")?),
        role: role_of(&mut members)?,
        key_type: key_type_of(&mut members)?,
    };
    members.finish()?;
    Ok(key)
}

fn ended_key(place: &str, value: Value) -> Result<EndedKey, MemberError> {
    let mut members = Members::of(place, value)?;
    let how = match &*members.text("how")? {
        "retire" => Ending::Retire,
        "revoke" => Ending::Revoke,
        _ => return Err(MemberError::value("how", "\"retire\" or \"revoke\"")),
    };
    let key = EndedKey { id: KeyId(members.hash("id")?), how };
    members.finish()?;
    Ok(key)
}

pub(crate) fn role_of(members: &mut Members) -> Result<Role, MemberError> {
    Role::from_name(&members.text("role")?)
        .ok_or_else(|| MemberError::value("role", "\"sign\", \"admin\" or \"recovery\""))
}

pub(crate) fn key_type_of(members: &mut Members) -> Result<KeyType, MemberError> {
    KeyType::from_name(&members.text("type")?).ok_or_else(|| MemberError::value("type", "\"ed25519\""))
}

/// The texts of a version, one for each language, at least one of them authentic (rules EV-30, EV-31).
pub(crate) fn texts_of(members: &mut Members) -> Result<Vec<Text>, MemberError> {
    let texts = members.list("texts", TEXTS_MAX, decode_text)?;
    distinct("texts", &texts, |text| text.language.clone())?;
    if !texts.iter().any(|text| text.status == TextStatus::Authentic) {
        return Err(MemberError::value("texts", "a list with at least one authentic text"));
    }
    Ok(texts)
}

fn decode_text(place: &str, value: Value) -> Result<Text, MemberError> {
    let mut members = Members::of(place, value)?;
    let text = Text {
        language: language_of("language", members.text("language")?)?,
        status: match &*members.text("status")? {
            "authentic" => TextStatus::Authentic,
            "courtesy" => TextStatus::Courtesy,
            _ => return Err(MemberError::value("status", "\"authentic\" or \"courtesy\"")),
        },
        title: BlobRef::decode("title", members.value("title")?, TITLE_BYTES_MAX)?,
        text: BlobRef::decode("text", members.value("text")?, TEXT_BYTES_MAX)?,
    };
    members.finish()?;
    Ok(text)
}

pub(crate) fn language_of(name: &str, language: Cow<'_, str>) -> Result<String, MemberError> {
    if is_language(&language) {
        Ok(language.into_owned())
    } else {
        Err(MemberError::value(name, "a language tag such as \"en\", \"zh-Hant\" or \"pt-BR\""))
    }
}

fn distinct<T, K: PartialEq>(name: &str, items: &[T], key: impl Fn(&T) -> K) -> Result<(), MemberError> {
    let twice = items
        .iter()
        .enumerate()
        .any(|(position, item)| items.iter().take(position).any(|earlier| key(earlier) == key(item)));
    if twice { Err(MemberError::value(name, "a list in which nothing comes twice")) } else { Ok(()) }
}

pub(crate) fn write_key(out: &mut Vec<u8>, key: &NewKey) {
    ObjectWriter::new(out)
        .hash("id", key.id.hash())
        .text("role", key.role.name())
        .text("type", key.key_type.name())
        .finish();
}

pub(crate) fn write_name(out: &mut Vec<u8>, name: &Name) {
    let mut blob = Vec::new();
    BlobRef::write(&mut blob, &name.text);
    ObjectWriter::new(out).text("language", &name.language).raw("text", &blob).finish();
}

pub(crate) fn write_text(out: &mut Vec<u8>, text: &Text) {
    let (mut title, mut whole) = (Vec::new(), Vec::new());
    BlobRef::write(&mut title, &text.title);
    BlobRef::write(&mut whole, &text.text);
    ObjectWriter::new(out)
        .text("language", &text.language)
        .text("status", text.status.name())
        .raw("text", &whole)
        .raw("title", &title)
        .finish();
}

/// Whether a text is a slug: 1 to 64 of `a-z`, `0-9` and single hyphens between them.
#[must_use]
pub fn is_slug(text: &str) -> bool {
    (1..=SLUG_BYTES_MAX).contains(&text.len())
        && text.split('-').all(|part| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        })
}

/// Whether a text is a domain in the form of the log: lower-case A-labels, at least two of them.
#[must_use]
pub fn is_domain(text: &str) -> bool {
    text.len() <= DOMAIN_BYTES_MAX
        && text.contains('.')
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        })
}

/// Whether a text is a language tag of the format: language (2 or 3 letters), then perhaps a script
/// (`Hant`), then perhaps a region (`BR` or `419`), after RFC 5646.
#[must_use]
pub fn is_language(text: &str) -> bool {
    let mut parts = text.split('-').peekable();
    let primary = parts.next().is_some_and(|part| {
        (2..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_lowercase())
    });
    parts.next_if(|part| {
        part.len() == 4
            && part.bytes().enumerate().all(|(position, byte)| {
                if position == 0 { byte.is_ascii_uppercase() } else { byte.is_ascii_lowercase() }
            })
    });
    parts.next_if(|part| {
        (part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_uppercase()))
            || (part.len() == 3 && part.bytes().all(|byte| byte.is_ascii_digit()))
    });
    primary && parts.next().is_none()
}
