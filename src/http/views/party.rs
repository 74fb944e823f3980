//! Parties, their keys, and who claims a domain.

use std::sync::Arc;

use serde::Serialize;
use undersigned_registry::event::Body;
use undersigned_registry::id::{KeyId, PartyId};
use undersigned_registry::record::{KeyRecord, PartyRecord, Record, StateKey};
use undersigned_registry::rules::Facts as _;
use undersigned_tlog::codec;
use undersigned_tlog::tree::TreeSize;
use utoipa::ToSchema;

use super::{NameView, indexed_entry, name_views};
use crate::http::answer::{ask, blocking, published};
use crate::http::problem::Problem;
use crate::http::query::PageQuery;
use crate::node::Handle;
use crate::tiles::LogReader;

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct KeyView {
    pub(in crate::http) key: String,
    pub(in crate::http) party: String,
    pub(in crate::http) role: &'static str,
    pub(in crate::http) r#type: &'static str,
    pub(in crate::http) from: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) to: Option<u64>,
    pub(in crate::http) revoked: bool,
    /// The raw public key in base64, as the entry that added it shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) public_key: Option<String>,
}

fn key_view(reader: &LogReader, id: &KeyId, record: &KeyRecord, size: TreeSize) -> Result<KeyView, Problem> {
    let added = indexed_entry(reader, record.from, size)?;
    let raw = added.envelope.proofs().iter().find(|proof| proof.key_id() == *id).map(|proof| proof.key);
    Ok(KeyView {
        key: id.to_string(),
        party: record.party.to_string(),
        role: record.role.name(),
        r#type: record.key_type.name(),
        from: record.from,
        to: record.to,
        revoked: record.revoked,
        public_key: raw.map(|raw| codec::base64_encode(&raw)),
    })
}

/// A key by its id.
pub(in crate::http) async fn key(handle: &Handle, id: KeyId) -> Result<KeyView, Problem> {
    let (size, record) = ask(handle, move |law| match law.ledger().state().record(&StateKey::key(&id)) {
        Some(Record::Key(record)) => Some(record.clone()),
        _ => None,
    })
    .await?;
    let record = record.ok_or_else(|| Problem::not_found("key with this id in the registry"))?;
    let reader = Arc::clone(&handle.reader);
    blocking(move || key_view(&reader, &id, &record, size)).await
}

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct PartyView {
    pub(in crate::http) tree_size: u64,
    pub(in crate::http) party: String,
    pub(in crate::http) names: Vec<NameView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) domain: Option<String>,
    pub(in crate::http) level: u8,
    pub(in crate::http) head: String,
    pub(in crate::http) entry: u64,
    pub(in crate::http) keys: Vec<KeyView>,
    /// The indexes of the party's entries, oldest first; a page of them.
    pub(in crate::http) entries: Vec<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) next: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct ClaimView {
    pub(in crate::http) party: String,
    pub(in crate::http) names: Vec<NameView>,
    pub(in crate::http) entry: u64,
}

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct ClaimsView {
    pub(in crate::http) tree_size: u64,
    pub(in crate::http) domain: String,
    /// Anybody can claim a domain: these parties do, and nothing here says that they may.
    pub(in crate::http) claimed_by: Vec<ClaimView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) next: Option<String>,
}

/// A party by its id, with a page of its entries.
pub(in crate::http) async fn party(
    handle: &Handle,
    id: PartyId,
    query: &PageQuery,
) -> Result<PartyView, Problem> {
    let (size, found) = ask(handle, move |law| {
        let state = law.ledger().state();
        let Some(Record::Party(record)) = state.record(&StateKey::party(&id)) else { return None };
        let keys: Vec<(KeyId, KeyRecord)> = record
            .keys
            .iter()
            .filter_map(|key| match state.record(&StateKey::key(key)) {
                Some(Record::Key(record)) => Some((*key, record.clone())),
                _ => None,
            })
            .collect();
        Some(((**record).clone(), keys))
    })
    .await?;
    let (record, keys): (PartyRecord, _) = found.ok_or_else(|| Problem::not_found("party with this id"))?;
    let page = query.page(size)?;
    handle.index.wait_for(page.size).await?;
    let (index, reader) = (Arc::clone(&handle.index), Arc::clone(&handle.reader));
    blocking(move || {
        let keys = keys
            .iter()
            .map(|(key, record)| key_view(&reader, key, record, size))
            .collect::<Result<_, Problem>>()?;
        let entries = index.entries_of_party(record.first, page.size, page.after, page.limit)?;
        Ok(PartyView {
            tree_size: size.get(),
            party: id.to_string(),
            names: name_views(&reader, &record.names),
            domain: record.domain,
            level: record.level,
            head: record.event.to_string(),
            entry: record.first,
            keys,
            next: page.next(entries.last().copied(), entries.len()),
            entries,
        })
    })
    .await
}

/// A page of the parties that claim a domain.
pub(in crate::http) async fn claims(
    handle: &Handle,
    domain: String,
    query: &PageQuery,
) -> Result<ClaimsView, Problem> {
    let page = query.page(published(handle).head.size)?;
    handle.index.wait_for(page.size).await?;
    let (index, reader) = (Arc::clone(&handle.index), Arc::clone(&handle.reader));
    blocking(move || {
        let found = index.parties_by_domain(&domain, page.size, page.after, page.limit)?;
        let next = page.next(found.last().copied(), found.len());
        let claimed_by = found
            .into_iter()
            .map(|at| {
                let created = indexed_entry(&reader, at, page.size)?;
                let names = match &created.envelope.event().body {
                    Body::PartyCreate { names, .. } | Body::RegistryOpen { names, .. } => names.as_slice(),
                    _ => &[],
                };
                let party = undersigned_registry::event::event_hash(created.envelope.event_bytes());
                Ok(ClaimView { party: party.to_string(), names: name_views(&reader, names), entry: at })
            })
            .collect::<Result<_, Problem>>()?;
        Ok(ClaimsView { tree_size: page.size.get(), domain, claimed_by, next })
    })
    .await
}
