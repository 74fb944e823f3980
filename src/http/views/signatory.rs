//! Who signed a version, and who left.

use std::sync::Arc;

use serde::Serialize;
use undersigned_registry::event::Body;
use undersigned_registry::id::{EventHash, StatementId, VersionId};
use undersigned_tlog::tree::TreeSize;
use utoipa::ToSchema;

use super::statement::find_statement;
use super::{NameView, indexed_entry, name_views};
use crate::http::answer::{blocking, published};
use crate::http::problem::Problem;
use crate::http::query::PageQuery;
use crate::index::Listed;
use crate::node::Handle;
use crate::tiles::LogReader;

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct SignatoryView {
    pub(in crate::http) party: String,
    pub(in crate::http) names: Vec<NameView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) domain: Option<String>,
    pub(in crate::http) level: u8,
    pub(in crate::http) status: &'static str,
    pub(in crate::http) entry: u64,
    pub(in crate::http) received: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) endorsed: Option<u64>,
    /// The last second in which the endorsement stands, where it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) not_after: Option<u64>,
}

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct SignatoriesView {
    pub(in crate::http) tree_size: u64,
    pub(in crate::http) statement: String,
    pub(in crate::http) version: String,
    pub(in crate::http) signatories: Vec<SignatoryView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) next: Option<String>,
}

/// A page of a version's signatories, in the order in which the parties entered the registry, also those
/// who left.
pub(in crate::http) async fn signatories(
    handle: &Handle,
    named: &str,
    query: &PageQuery,
) -> Result<SignatoriesView, Problem> {
    let (_, (id, record, _)) = find_statement(handle, named).await?;
    let page = query.page(published(handle).head.size)?;
    let asked = match &query.version {
        Some(version) => Some(
            VersionId::from_hex(version)
                .map_err(|_| Problem::query("version must be a version id (64 lower-case hex digits)"))?,
        ),
        None => None,
    };
    handle.index.wait_for(page.size).await?;
    let (index, reader) = (Arc::clone(&handle.index), Arc::clone(&handle.reader));
    blocking(move || {
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
    .await
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

pub(in crate::http) fn signatory_view(
    reader: &LogReader,
    listed: &Listed,
    size: TreeSize,
) -> Result<SignatoryView, Problem> {
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
        not_after: match &newest.envelope.event().body {
            Body::Endorse { not_after, .. } => *not_after,
            _ => None,
        },
    })
}
