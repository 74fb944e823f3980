//! What events and records are made of: names, texts, keys, the policy. Their limits, their reading and writing.
//!
//! Follows `docs/spec/events.md`, rules EV-10 to EV-35; records hold the same members.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use undersigned_tlog::hash::{Hash, sha256};

use super::words::{is_domain, is_language};
use crate::id::KeyId;
use crate::json::{self, MemberError, Members, ObjectWriter, Value};
use crate::key::{KeyType, Role};

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
/// The longest window for `log_before` that a policy may set, in seconds: one year.
pub const LOG_WINDOW_SECONDS_MAX: u64 = 365 * 24 * 3600;
/// The longest `max_lag` that a policy may set, in seconds: one day.
pub const MAX_LAG_SECONDS_MAX: u64 = 24 * 3600;

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

/// A last second, after which there is another one (rule EV-35).
pub(crate) fn not_after_of(members: &mut Members) -> Result<Option<u64>, MemberError> {
    match members.integer_if("not_after")? {
        Some(json::INTEGER_MAX) => Err(MemberError::value("not_after", "at most 2^53-2 seconds")),
        not_after => Ok(not_after),
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

pub(super) fn keys_of(members: &mut Members, name: &str) -> Result<Vec<NewKey>, MemberError> {
    let keys = members.list(name, KEYS_PER_EVENT_MAX, new_key)?;
    distinct(name, &keys, |key| key.id)?;
    if !keys.iter().any(|key| key.role >= Role::Admin) {
        return Err(MemberError::value("keys", "a list with an admin or a recovery key"));
    }
    Ok(keys)
}

pub(super) fn new_key(place: &str, value: Value) -> Result<NewKey, MemberError> {
    let mut members = Members::of(place, value)?;
    let key = NewKey {
        id: KeyId(members.hash("id")?),
        role: role_of(&mut members)?,
        key_type: key_type_of(&mut members)?,
    };
    members.finish()?;
    Ok(key)
}

pub(super) fn ended_key(place: &str, value: Value) -> Result<EndedKey, MemberError> {
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

pub(super) fn distinct<T, K: PartialEq>(
    name: &str,
    items: &[T],
    key: impl Fn(&T) -> K,
) -> Result<(), MemberError> {
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
