//! Statements, signatories, parties, keys: what everybody asks.
//!
//! Lists come from the index as of one tree size; what is current comes from the state between two
//! batches, together with the size it is true for.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use undersigned_registry::entry::Entry;
use undersigned_registry::event::{Body, Name, Text};
use undersigned_registry::id::{EventHash, KeyId, PartyId, StatementId, VersionId};
use undersigned_registry::record::{
    KeyRecord, PartyRecord, Record, StateKey, StatementRecord, VersionRecord,
};
use undersigned_registry::rules::Facts as _;
use undersigned_registry::state_tree::Tally;
use undersigned_tlog::codec;
use undersigned_tlog::tree::TreeSize;

use super::answer::{PageQuery, Parameters, Segment, ask, blocking, published, text_blob};
use super::problem::Problem;
use crate::index::Listed;
use crate::node::Handle;
use crate::tiles::LogReader;

#[derive(Serialize)]
struct BlobView {
    sha256: String,
    size: u64,
    url: String,
}

#[derive(Serialize)]
struct NameView {
    language: String,
    /// Left out where the text was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    blob: BlobView,
}

#[derive(Serialize)]
struct TextView {
    language: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    title_blob: BlobView,
    text_blob: BlobView,
}

/// Endorsements of a version by trust level, and how many left.
#[derive(Serialize)]
pub(super) struct CountView {
    active: u64,
    active_by_level: [u64; 5],
    withdrawn: u64,
}

impl CountView {
    pub(super) fn of(tally: &Tally) -> Self {
        let active_by_level = [0u8, 1, 2, 3, 4].map(|level| tally.count(level));
        Self {
            active: active_by_level.iter().sum(),
            active_by_level,
            withdrawn: tally.count(undersigned_registry::record::COLUMN_WITHDRAWN),
        }
    }
}

fn blob_view(blob: &undersigned_registry::event::BlobRef) -> BlobView {
    let hex = blob.sha256.to_hex();
    let (first, rest) = hex.split_at_checked(2).unwrap_or_default();
    let (second, _) = rest.split_at_checked(2).unwrap_or_default();
    BlobView { url: format!("/blobs/{first}/{second}/{hex}"), sha256: hex.clone(), size: blob.size }
}

fn name_views(reader: &LogReader, names: &[Name]) -> Vec<NameView> {
    names
        .iter()
        .map(|name| NameView {
            language: name.language.clone(),
            text: text_blob(reader, &name.text),
            blob: blob_view(&name.text),
        })
        .collect()
}

fn text_views(reader: &LogReader, texts: &[Text]) -> Vec<TextView> {
    texts
        .iter()
        .map(|text| TextView {
            language: text.language.clone(),
            status: text.status.name(),
            title: text_blob(reader, &text.title),
            title_blob: blob_view(&text.title),
            text_blob: blob_view(&text.text),
        })
        .collect()
}

/// Reads an entry that the index names.
fn indexed_entry(reader: &LogReader, index: u64, size: TreeSize) -> Result<Entry, Problem> {
    let bytes = reader
        .entry(index, size)?
        .ok_or_else(|| Problem::internal(&format!("the index names entry {index} past the tree")))?;
    Entry::parse(&bytes).map_err(|error| Problem::internal(&format!("entry {index}: {error}")))
}

#[derive(Serialize)]
struct StatementItem {
    statement: String,
    slug: String,
    kind: &'static str,
    sponsor: String,
    entry: u64,
    received: u64,
}

#[derive(Serialize)]
struct StatementsView {
    tree_size: u64,
    statements: Vec<StatementItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// `GET /v1/statements`.
pub(super) async fn statements(
    State(handle): State<Handle>,
    Parameters(query): Parameters<PageQuery>,
) -> Result<Response, Problem> {
    let page = query.page(published(&handle).head.size)?;
    handle.index.wait_for(page.size).await?;
    let (index, reader) = (Arc::clone(&handle.index), Arc::clone(&handle.reader));
    let view = blocking(move || {
        let entries = index.statements(page.size, page.after, page.limit)?;
        let next = page.next(entries.last().copied(), entries.len());
        let statements = entries
            .into_iter()
            .map(|at| statement_item(&reader, at, page.size))
            .collect::<Result<_, Problem>>()?;
        Ok(StatementsView { tree_size: page.size.get(), statements, next })
    })
    .await?;
    Ok(Json(view).into_response())
}

fn statement_item(reader: &LogReader, at: u64, size: TreeSize) -> Result<StatementItem, Problem> {
    let entry = indexed_entry(reader, at, size)?;
    let event = entry.envelope.event();
    let (Body::StatementPublish { kind, slug }, Some(party)) = (&event.body, event.party) else {
        return Err(Problem::internal(&format!("entry {at} publishes no statement")));
    };
    Ok(StatementItem {
        statement: undersigned_registry::event::event_hash(entry.envelope.event_bytes()).to_string(),
        slug: slug.clone(),
        kind: kind.name(),
        sponsor: party.to_string(),
        entry: at,
        received: entry.received,
    })
}

#[derive(Serialize)]
struct VersionView {
    version: String,
    number: u64,
    entry: u64,
    texts: Vec<TextView>,
    count: CountView,
}

#[derive(Serialize)]
struct StatementView {
    tree_size: u64,
    statement: String,
    slug: String,
    kind: &'static str,
    sponsor: String,
    head: String,
    entry: u64,
    versions: u64,
    /// The newest version; left out while there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<VersionView>,
}

/// What the state knows of a statement: itself and its newest version with the count.
type StatementFacts = (StatementId, StatementRecord, Option<(VersionId, VersionRecord, Tally)>);

/// Finds a statement by its id or slug.
pub(super) async fn find_statement(
    handle: &Handle,
    named: &str,
) -> Result<(TreeSize, StatementFacts), Problem> {
    let (by_id, slug) = (StatementId::from_hex(named).ok(), named.to_owned());
    let (size, found) = ask(handle, move |law| {
        let state = law.ledger().state();
        let id = match (by_id, state.record(&StateKey::slug(&slug))) {
            (Some(id), _) => id,
            (None, Some(Record::Slug(id))) => *id,
            (None, _) => return None,
        };
        let Some(Record::Statement(record)) = state.record(&StateKey::statement(&id)) else { return None };
        let version = record.version.and_then(|version| {
            let Some(Record::Version(texts)) = state.record(&StateKey::version(&version)) else {
                return None;
            };
            let tally = state.tally(&StateKey::endorsements_of(&version)).ok()?;
            Some((version, (**texts).clone(), tally))
        });
        Some((id, (**record).clone(), version))
    })
    .await?;
    Ok((size, found.ok_or_else(|| Problem::not_found("statement with this slug or id"))?))
}

/// `GET /v1/statements/{slug or id}`.
pub(super) async fn statement(
    State(handle): State<Handle>,
    Segment(named): Segment,
) -> Result<Response, Problem> {
    let (size, (id, record, version)) = find_statement(&handle, &named).await?;
    let reader = Arc::clone(&handle.reader);
    let version = match version {
        None => None,
        Some((version, texts, tally)) => Some(
            blocking(move || {
                Ok(VersionView {
                    version: version.to_string(),
                    number: texts.number,
                    entry: texts.entry,
                    texts: text_views(&reader, &texts.texts),
                    count: CountView::of(&tally),
                })
            })
            .await?,
        ),
    };
    let view = StatementView {
        tree_size: size.get(),
        statement: id.to_string(),
        slug: record.slug,
        kind: record.kind.name(),
        sponsor: record.sponsor.to_string(),
        head: record.event.to_string(),
        entry: record.first,
        versions: record.versions,
        version,
    };
    Ok(Json(view).into_response())
}

#[derive(Serialize)]
struct SignatoryView {
    party: String,
    names: Vec<NameView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<String>,
    level: u8,
    status: &'static str,
    entry: u64,
    received: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    endorsed: Option<u64>,
}

#[derive(Serialize)]
struct SignatoriesView {
    tree_size: u64,
    statement: String,
    version: String,
    signatories: Vec<SignatoryView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// `GET /v1/statements/{slug or id}/signatories?version=&at=&limit=&cursor=`: in the order in which the
/// parties entered the registry, also those who left.
pub(super) async fn signatories(
    State(handle): State<Handle>,
    Segment(named): Segment,
    Parameters(query): Parameters<PageQuery>,
) -> Result<Response, Problem> {
    let (_, (id, record, _)) = find_statement(&handle, &named).await?;
    let page = query.page(published(&handle).head.size)?;
    let asked = match &query.version {
        Some(version) => Some(
            VersionId::from_hex(version)
                .map_err(|_| Problem::query("version must be a version id (64 lower-case hex digits)"))?,
        ),
        None => None,
    };
    handle.index.wait_for(page.size).await?;
    let (index, reader) = (Arc::clone(&handle.index), Arc::clone(&handle.reader));
    let view = blocking(move || {
        // The newest one of the page's tree: all pages of a list are of one version, too.
        let at = match asked {
            Some(version) => index.entry_of(EventHash(version.0))?,
            None => index.newest_version(record.first, page.size)?,
        };
        let (at, version) = at
            .filter(|at| *at < page.size.get())
            .and_then(|at| Some((at, version_at(&reader, at, id, page.size).transpose()?)))
            .ok_or_else(|| Problem::not_found("such version of this statement in this tree"))?;
        let version = version?;
        let listed = index.signatories(at, page.size, page.after, page.limit)?;
        let next = page.next(listed.last().map(|listed| listed.party_entry), listed.len());
        let signatories = listed
            .iter()
            .map(|listed| signatory_view(&reader, listed, page.size))
            .collect::<Result<_, Problem>>()?;
        Ok(SignatoriesView {
            tree_size: page.size.get(),
            statement: id.to_string(),
            version: version.to_string(),
            signatories,
            next,
        })
    })
    .await?;
    Ok(Json(view).into_response())
}

/// The version that an entry publishes, if it is one of this statement.
fn version_at(
    reader: &LogReader,
    at: u64,
    of: StatementId,
    size: TreeSize,
) -> Result<Option<VersionId>, Problem> {
    let entry = indexed_entry(reader, at, size)?;
    let is_version =
        matches!(&entry.envelope.event().body, Body::StatementVersion { statement, .. } if *statement == of);
    let hash = undersigned_registry::event::event_hash(entry.envelope.event_bytes());
    Ok(is_version.then_some(VersionId(hash.0)))
}

fn signatory_view(reader: &LogReader, listed: &Listed, size: TreeSize) -> Result<SignatoryView, Problem> {
    let created = indexed_entry(reader, listed.party_entry, size)?;
    let newest = indexed_entry(reader, listed.entry, size)?;
    let event = created.envelope.event();
    let (names, domain) = match &event.body {
        Body::PartyCreate { names, domain, .. } | Body::RegistryOpen { names, domain, .. } => (names, domain),
        _ => return Err(Problem::internal(&format!("entry {} creates no party", listed.party_entry))),
    };
    Ok(SignatoryView {
        party: undersigned_registry::event::event_hash(created.envelope.event_bytes()).to_string(),
        names: name_views(reader, names),
        domain: domain.clone(),
        // No event of this version of the law raises a level.
        level: 0,
        status: listed.status.name(),
        entry: listed.entry,
        received: newest.received,
        endorsed: listed.endorsed,
    })
}

#[derive(Serialize)]
pub(super) struct KeyView {
    key: String,
    party: String,
    role: &'static str,
    r#type: &'static str,
    from: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<u64>,
    revoked: bool,
    /// The raw public key in base64, as the entry that added it shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
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

/// `GET /v1/keys/{key id}`.
pub(super) async fn key(State(handle): State<Handle>, Segment(key): Segment) -> Result<Response, Problem> {
    let id = KeyId::from_hex(&key)
        .map_err(|_| Problem::query("a key is named by its id (64 lower-case hex digits)"))?;
    let (size, record) = ask(&handle, move |law| match law.ledger().state().record(&StateKey::key(&id)) {
        Some(Record::Key(record)) => Some(record.clone()),
        _ => None,
    })
    .await?;
    let record = record.ok_or_else(|| Problem::not_found("key with this id in the registry"))?;
    let reader = Arc::clone(&handle.reader);
    let view = blocking(move || key_view(&reader, &id, &record, size)).await?;
    Ok(Json(view).into_response())
}

#[derive(Serialize)]
struct PartyView {
    tree_size: u64,
    party: String,
    names: Vec<NameView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<String>,
    level: u8,
    head: String,
    entry: u64,
    keys: Vec<KeyView>,
    /// The indexes of the party's entries, oldest first; a page of them.
    entries: Vec<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize)]
struct ClaimView {
    party: String,
    names: Vec<NameView>,
    entry: u64,
}

#[derive(Serialize)]
struct ClaimsView {
    tree_size: u64,
    domain: String,
    /// Anybody can claim a domain: these parties do, and nothing here says that they may.
    claimed_by: Vec<ClaimView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// `GET /v1/parties/{id or domain}`: one party by its id, or all that claim a domain.
pub(super) async fn party(
    State(handle): State<Handle>,
    Segment(named): Segment,
    Parameters(query): Parameters<PageQuery>,
) -> Result<Response, Problem> {
    match PartyId::from_hex(&named) {
        Ok(id) => party_by_id(&handle, id, &query).await,
        Err(_) if undersigned_registry::event::is_domain(&named) => claims(&handle, named, &query).await,
        Err(_) => Err(Problem::query("a party is named by its id (64 lower-case hex digits) or by a domain")),
    }
}

async fn party_by_id(handle: &Handle, id: PartyId, query: &PageQuery) -> Result<Response, Problem> {
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
    let view = blocking(move || {
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
    .await?;
    Ok(Json(view).into_response())
}

async fn claims(handle: &Handle, domain: String, query: &PageQuery) -> Result<Response, Problem> {
    let page = query.page(published(handle).head.size)?;
    handle.index.wait_for(page.size).await?;
    let (index, reader) = (Arc::clone(&handle.index), Arc::clone(&handle.reader));
    let view = blocking(move || {
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
    .await?;
    Ok(Json(view).into_response())
}
