//! That the records which a receipt proves are what the law would have made of its entry.
//!
//! Follows `docs/spec/receipt.md`, rules RC-29 to RC-35.

use alloc::vec::Vec;

use super::{Proved, Signer, Verified, VerifyError, find, must};
use crate::envelope::CheckedEnvelope;
use crate::event::{Body, Ending, Event, NewKey};
use crate::id::{KeyId, PartyId, RegistryId, StatementId, VersionId};
use crate::key::Role;
use crate::record::{KeyRecord, Record, RegistryRecord, StateKey, StatementRecord, Status};

/// RC-29, RC-30: whose the keys are, that they were live at this entry, and that they sufficed.
pub(super) fn signers(
    records: &[Proved],
    envelope: &CheckedEnvelope,
    party: Option<PartyId>,
    registry: &RegistryId,
    index: u64,
) -> Result<Vec<Signer>, VerifyError> {
    let event = envelope.event();
    // Nobody acts, and nobody signs (EN-31).
    let Some(party) = party else { return Ok(Vec::new()) };
    let mut signers = Vec::with_capacity(event.signers.len());
    for key in &event.signers {
        let Some(Proved { record: Record::Key(record), .. }) = find(records, &StateKey::key(key)) else {
            signers.push(Signer { key: *key, role: None, party: None });
            continue;
        };
        let added = event.added_keys().iter().find(|added| added.id == *key);
        // Who signs the making of a party without becoming its key is the operator, who invites.
        let invites = matches!(event.body, Body::PartyCreate { .. }) && added.is_none();
        let owner = if invites { registry.operator() } else { party };
        must(record.party == owner, "a signer's key belongs to another party")?;
        bind_key(record, added, event, key, index)?;
        signers.push(Signer { key: *key, role: Some(record.role), party: Some(owner) });
    }
    let needed = match event.body {
        Body::RegistryPolicy(_) | Body::StatementPublish { .. } | Body::StatementVersion { .. } => {
            Role::Admin
        }
        _ => Role::Sign,
    };
    let suffices = signers.iter().any(|signer| signer.role.is_none_or(|role| role >= needed));
    must(suffices, "no signer had the role that the event needs")?;
    Ok(signers)
}

fn bind_key(
    record: &KeyRecord,
    added: Option<&NewKey>,
    event: &Event,
    key: &KeyId,
    index: u64,
) -> Result<(), VerifyError> {
    match added {
        Some(added) => must(
            record.from == index && (record.role, record.key_type) == (added.role, added.key_type),
            "a key that the event adds is not recorded as added",
        )?,
        None => must(record.from < index, "a signer's key was not live at this entry")?,
    }
    let ended = match &event.body {
        Body::PartyKeys { end, .. } => end.iter().find(|ended| ended.id == *key),
        _ => None,
    };
    // The record is of the state after this entry, so an end is this entry's doing or came before it.
    match ended {
        Some(ended) => must(
            record.to == Some(index) && record.revoked == (ended.how == Ending::Revoke),
            "a key that the event ends is not recorded as ended",
        ),
        None => must(record.to.is_none(), "a signer's key was not live at this entry"),
    }
}

/// RC-31: the acting party.
pub(super) fn bind_party(verified: &mut Verified, records: &[Proved]) -> Result<(), VerifyError> {
    let of_party = verified.party.and_then(|party| find(records, &StateKey::party(&party)));
    let Some(Proved { record: Record::Party(record), .. }) = of_party else { return Ok(()) };
    let (hash, index) = (verified.event_hash, verified.index);
    let is_head = (record.event, record.entry) == (hash, index);
    match &verified.event.body {
        Body::RegistryOpen { domain, names, keys, .. } | Body::PartyCreate { domain, names, keys } => {
            must(is_head && record.first == index, "the party's record does not name this event")?;
            let told = record.domain == *domain && record.names == *names && record.level == 0;
            must(told, "the party's record does not say what the event says")?;
            let listed =
                record.keys.len() == keys.len() && keys.iter().all(|key| record.keys.contains(&key.id));
            must(listed, "the party's record does not list the keys of the event")?;
        }
        Body::PartyKeys { add, end } => {
            must(is_head && record.first < index, "the party's record does not name this event as its head")?;
            let listed = add.iter().all(|key| record.keys.contains(&key.id))
                && !end.iter().any(|key| record.keys.contains(&key.id));
            must(listed, "the party's record does not list the keys that the event leaves")?;
        }
        _ => must(
            record.first <= record.entry && record.entry < index,
            "the party's record was moved by another event at this entry",
        )?,
    }
    verified.party_record = Some((**record).clone());
    Ok(())
}

/// RC-32 to RC-35: the other records, of the registry, the statement, the endorsement and the version.
pub(super) fn bind_moved(
    verified: &mut Verified,
    records: &[Proved],
    registry: &RegistryId,
) -> Result<(), VerifyError> {
    if let Some(Proved { record: Record::Registry(record), .. }) = find(records, &StateKey::registry()) {
        bind_registry(verified, record, registry)?;
    }
    let statement = match &verified.event.body {
        Body::StatementPublish { .. } => StatementId(verified.event_hash.0),
        Body::StatementVersion { statement, .. } => *statement,
        Body::Endorse { statement, version, .. } | Body::Withdraw { statement, version } => {
            let (statement, version) = (*statement, *version);
            bind_version(verified, records, statement, version)?;
            return bind_endorsement(verified, records, version);
        }
        _ => return Ok(()),
    };
    match find(records, &StateKey::statement(&statement)) {
        Some(Proved { record: Record::Statement(record), .. }) => bind_statement(verified, record),
        _ => Ok(()),
    }
}

fn bind_registry(
    verified: &Verified,
    record: &RegistryRecord,
    registry: &RegistryId,
) -> Result<(), VerifyError> {
    let is_head = (record.event, record.entry) == (verified.event_hash, verified.index);
    must(is_head, "the registry's record does not name this event as its head")?;
    must(record.received == verified.received, "the registry's record has another time than the entry")?;
    let same = record.operator == registry.operator() && record.origin == registry.origin();
    must(same, "the registry's record is of another registry")?;
    match &verified.event.body {
        Body::RegistryOpen { policy, .. } | Body::RegistryPolicy(policy) => {
            must(record.policy == *policy, "the registry's record has another policy than the event")
        }
        _ => Ok(()),
    }
}

fn bind_statement(verified: &Verified, record: &StatementRecord) -> Result<(), VerifyError> {
    let (hash, index) = (verified.event_hash, verified.index);
    let is_head = (record.event, record.entry) == (hash, index);
    must(is_head, "the statement's record does not name this event as its head")?;
    must(
        Some(record.sponsor) == verified.party,
        "the statement has another sponsor than the party that acts",
    )?;
    let told = match &verified.event.body {
        Body::StatementPublish { kind, slug } => {
            record.first == index && record.versions == 0 && (record.kind, &record.slug) == (*kind, slug)
        }
        _ => record.first < index && record.version == Some(VersionId(hash.0)),
    };
    must(told, "the statement's record does not say what the event says")
}

fn bind_version(
    verified: &mut Verified,
    records: &[Proved],
    statement: StatementId,
    version: VersionId,
) -> Result<(), VerifyError> {
    let Some(Proved { record: Record::Version(record), .. }) = find(records, &StateKey::version(&version))
    else {
        return Ok(());
    };
    must(record.statement == statement, "the version is of another statement")?;
    must(record.entry < verified.index, "the version was not published before this entry")?;
    if let Body::Endorse { language, .. } = &verified.event.body {
        let listed = record.texts.iter().any(|text| text.language == *language);
        must(listed, "the version has no text in the language that was endorsed")?;
    }
    verified.version_record = Some((**record).clone());
    Ok(())
}

fn bind_endorsement(
    verified: &mut Verified,
    records: &[Proved],
    version: VersionId,
) -> Result<(), VerifyError> {
    let of_party = verified.party.and_then(|party| find(records, &StateKey::endorsement(&version, &party)));
    let Some(proved) = of_party else { return Ok(()) };
    let Record::Endorsement(record) = &proved.record else { return Ok(()) };
    let (hash, index) = (verified.event_hash, verified.index);
    let is_head = (record.event, record.entry) == (hash, index);
    must(is_head && record.first <= index, "the endorsement's record does not name this event as its head")?;
    let told = match &verified.event.body {
        Body::Endorse { language, not_after, .. } => {
            (record.status, record.endorsed, record.not_after) == (Status::Active, Some(index), *not_after)
                && record.language.as_ref() == Some(language)
        }
        _ => record.status == Status::Withdrawn && record.endorsed.is_none_or(|endorsed| endorsed < index),
    };
    must(told, "the endorsement's record does not say what the event says")?;
    if let Some(party) = &verified.party_record {
        must(record.level == party.level, "the endorsement is counted at another level than the party's")?;
    }
    verified.version_tally = proved.verified.tally_at(StateKey::endorsements_of(&version).as_bytes());
    verified.endorsement = Some(record.clone());
    Ok(())
}
