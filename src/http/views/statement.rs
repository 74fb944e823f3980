//! Statements: their texts, their newest version, and how many signed it.

use std::sync::Arc;

use serde::Serialize;
use undersigned_registry::event::{Body, Text};
use undersigned_registry::id::{StatementId, VersionId};
use undersigned_registry::record::{
    COLUMN_LAPSED, COLUMN_WITHDRAWN, Record, StateKey, StatementRecord, VersionRecord,
};
use undersigned_registry::rules::Facts as _;
use undersigned_registry::state_tree::Tally;
use undersigned_tlog::tree::TreeSize;
use utoipa::ToSchema;

use super::{BlobView, blob_view, indexed_entry};
use crate::http::answer::{ask, blocking, published, text_blob};
use crate::http::problem::Problem;
use crate::http::query::PageQuery;
use crate::node::Handle;
use crate::tiles::LogReader;

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct TextView {
    pub(in crate::http) language: String,
    pub(in crate::http) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) title: Option<String>,
    pub(in crate::http) title_blob: BlobView,
    pub(in crate::http) text_blob: BlobView,
}

/// Endorsements of a version by trust level, how many left, and how many ended by time.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct CountView {
    pub(in crate::http) active: u64,
    pub(in crate::http) active_by_level: [u64; 5],
    pub(in crate::http) withdrawn: u64,
    pub(in crate::http) lapsed: u64,
}

impl CountView {
    pub(in crate::http) fn of(tally: &Tally) -> Self {
        let active_by_level = [0u8, 1, 2, 3, 4].map(|level| tally.count(level));
        Self {
            active: active_by_level.iter().sum(),
            active_by_level,
            withdrawn: tally.count(COLUMN_WITHDRAWN),
            lapsed: tally.count(COLUMN_LAPSED),
        }
    }
}

pub(in crate::http) fn text_views(reader: &LogReader, texts: &[Text]) -> Vec<TextView> {
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

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct StatementItem {
    pub(in crate::http) statement: String,
    pub(in crate::http) slug: String,
    pub(in crate::http) kind: &'static str,
    pub(in crate::http) sponsor: String,
    pub(in crate::http) entry: u64,
    pub(in crate::http) received: u64,
}

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct StatementsView {
    pub(in crate::http) tree_size: u64,
    pub(in crate::http) statements: Vec<StatementItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) next: Option<String>,
}

/// A page of the statements, oldest first.
pub(in crate::http) async fn statements(
    handle: &Handle,
    query: &PageQuery,
) -> Result<StatementsView, Problem> {
    let page = query.page(published(handle).head.size)?;
    handle.index.wait_for(page.size).await?;
    let (index, reader) = (Arc::clone(&handle.index), Arc::clone(&handle.reader));
    blocking(move || {
        let entries = index.statements(page.size, page.after, page.limit)?;
        let next = page.next(entries.last().copied(), entries.len());
        let statements = entries
            .into_iter()
            .map(|at| statement_item(&reader, at, page.size))
            .collect::<Result<_, Problem>>()?;
        Ok(StatementsView { tree_size: page.size.get(), statements, next })
    })
    .await
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

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct VersionView {
    pub(in crate::http) version: String,
    pub(in crate::http) number: u64,
    pub(in crate::http) entry: u64,
    pub(in crate::http) texts: Vec<TextView>,
    pub(in crate::http) count: CountView,
}

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct StatementView {
    pub(in crate::http) tree_size: u64,
    pub(in crate::http) statement: String,
    pub(in crate::http) slug: String,
    pub(in crate::http) kind: &'static str,
    pub(in crate::http) sponsor: String,
    pub(in crate::http) head: String,
    pub(in crate::http) entry: u64,
    pub(in crate::http) versions: u64,
    /// The newest version; left out while there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) version: Option<VersionView>,
}

/// What the state knows of a statement: itself and its newest version with the count.
type StatementFacts = (StatementId, StatementRecord, Option<(VersionId, VersionRecord, Tally)>);

/// Finds a statement by its id or slug.
pub(in crate::http) async fn find_statement(
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

/// A statement by its slug or id, with its newest version.
pub(in crate::http) async fn statement(handle: &Handle, named: &str) -> Result<StatementView, Problem> {
    let (size, (id, record, version)) = find_statement(handle, named).await?;
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
    Ok(StatementView {
        tree_size: size.get(),
        statement: id.to_string(),
        slug: record.slug,
        kind: record.kind.name(),
        sponsor: record.sponsor.to_string(),
        head: record.event.to_string(),
        entry: record.first,
        versions: record.versions,
        version,
    })
}
