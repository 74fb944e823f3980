//! Reading an event: which members its type has, and each by its rule.
//!
//! Follows `docs/spec/events.md`, rules EV-1 to EV-36.

use alloc::string::String;
use alloc::vec::Vec;

use undersigned_tlog::note::VerifierKey;

use super::members::{
    distinct, domain_of, ended_key, keys_of, language_of, names_of, new_key, not_after_of, policy_of,
    texts_of,
};
use super::words::is_slug;
use super::{Body, Event, KEYS_PER_EVENT_MAX, SIGNERS_MAX, StatementKind};
use crate::id::{EventHash, KeyId, PartyId, RegistryId, StatementId, VersionId, is_origin};
use crate::json::{self, MemberError, MemberRule, Members, Value};

pub(super) const RETENTION: &str = "never-prune";

/// How many log keys a registry may open with.
pub const LOG_KEYS_MAX: usize = 8;
/// The longest log key in bytes: a name of 255, and base64 of an ML-DSA-44 key.
pub const LOG_KEY_BYTES_MAX: usize = 2_100;

impl Event {
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
}

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
