//! Events: what is signed. Their members, their limits, their canonical bytes.
//!
//! Follows `docs/spec/events.md`, rules EV-1 to EV-36. Decoding knows the shape of an event only;
//! whether it may enter the log is [`crate::rules`].

use alloc::string::String;
use alloc::vec::Vec;

use undersigned_tlog::hash::{Hash, sha256};

use crate::id::{EventHash, KeyId, PartyId, RegistryId, StatementId, VersionId};
use crate::json::{self, MemberError, ObjectWriter};

mod decode;
mod members;
mod words;

pub use decode::{LOG_KEY_BYTES_MAX, LOG_KEYS_MAX};
pub use members::{
    Admission, BlobRef, EndedKey, Ending, KEYS_PER_EVENT_MAX, LOG_WINDOW_SECONDS_MAX, MAX_LAG_SECONDS_MAX,
    NAME_BYTES_MAX, NAMES_MAX, Name, NewKey, Policy, StatementKind, TEXT_BYTES_MAX, TEXTS_MAX,
    TITLE_BYTES_MAX, Text, TextStatus,
};
pub use words::{DOMAIN_BYTES_MAX, SLUG_BYTES_MAX, is_domain, is_language, is_slug};

use decode::RETENTION;
pub(crate) use members::{
    domain_of, key_type_of, language_of, names_of, not_after_of, policy_of, role_of, texts_of, write_key,
    write_name, write_text,
};

/// The first line of the signable bytes; it keeps an event from being taken for any other message.
pub const SIGNABLE_HEADER: &str = "undersigned event v1\n";

/// The largest event in bytes: it leaves room for 16 proofs in an entry of 32 KiB.
pub const EVENT_BYTES_MAX: usize = 24 * 1024;
/// How many keys may sign one event.
pub const SIGNERS_MAX: usize = 16;

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
