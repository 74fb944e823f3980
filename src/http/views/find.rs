//! Finding something by what a person has in hand: a slug, a domain, an index, an id of any kind.

use std::sync::Arc;

use undersigned_registry::event::{is_domain, is_slug};
use undersigned_registry::id::{EventHash, KeyId, PartyId, StatementId, VersionId};
use undersigned_registry::record::{Record, StateKey};
use undersigned_registry::rules::Facts as _;
use undersigned_tlog::codec;

use crate::http::answer::{ask, blocking, published};
use crate::http::problem::Problem;
use crate::node::Handle;

/// The longest text that is looked for, in bytes: a domain has at most 253.
const SOUGHT_BYTES_MAX: usize = 256;

/// What was found, by what names it in an address.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::http) enum Found {
    Entry(u64),
    Party(PartyId),
    /// A domain that somebody may claim.
    Domain(String),
    Statement(String),
    Version {
        statement: String,
        version: String,
    },
}

/// Finds what a text names.
pub(in crate::http) async fn find(handle: &Handle, text: &str) -> Result<Found, Problem> {
    let text = text.trim().to_ascii_lowercase();
    if text.len() > SOUGHT_BYTES_MAX {
        return Err(Problem::query(format!("what is sought has at most {SOUGHT_BYTES_MAX} bytes")));
    }
    if let Ok(index) = codec::decimal(&text)
        && index < published(handle).head.size.get()
    {
        return Ok(Found::Entry(index));
    }
    if let Ok(hash) = EventHash::from_hex(&text) {
        return by_id(handle, hash).await;
    }
    if is_slug(&text) {
        let slug = text.clone();
        let (_, known) =
            ask(handle, move |law| law.ledger().state().record(&StateKey::slug(&slug)).is_some()).await?;
        if known {
            return Ok(Found::Statement(text));
        }
    }
    // Addresses are pasted with what stands before and after the domain.
    let host = text.split_once("://").map_or(text.as_str(), |(_, rest)| rest);
    let host = host.split(['/', ':', '?', '#']).next().unwrap_or_default().trim_end_matches('.');
    let host = host.rsplit_once('@').map_or(host, |(_, domain)| domain);
    if host.contains('.') && is_domain(host) {
        return Ok(Found::Domain(host.to_owned()));
    }
    Err(Problem::not_found(
        "statement of this name, and it is no domain, entry number or id; domains with letters beyond a to z \
         are sought in their xn-- form",
    ))
}

/// An id of 64 hex digits can be that of anything.
async fn by_id(handle: &Handle, hash: EventHash) -> Result<Found, Problem> {
    let (size, found) = ask(handle, move |law| {
        let state = law.ledger().state();
        let id = hash.0;
        if state.record(&StateKey::party(&PartyId(id))).is_some() {
            return Some(Found::Party(PartyId(id)));
        }
        if let Some(Record::Statement(statement)) = state.record(&StateKey::statement(&StatementId(id))) {
            return Some(Found::Statement(statement.slug.clone()));
        }
        if let Some(Record::Version(version)) = state.record(&StateKey::version(&VersionId(id))) {
            let (statement, version) = (version.statement.to_string(), VersionId(id).to_string());
            return Some(Found::Version { statement, version });
        }
        match state.record(&StateKey::key(&KeyId(id))) {
            Some(Record::Key(key)) => Some(Found::Party(key.party)),
            _ => None,
        }
    })
    .await?;
    if let Some(found) = found {
        return Ok(found);
    }
    handle.index.wait_for(size).await?;
    let index = Arc::clone(&handle.index);
    let entry = blocking(move || Ok(index.entry_of(hash)?)).await?;
    entry
        .filter(|entry| *entry < size.get())
        .map(Found::Entry)
        .ok_or_else(|| Problem::not_found("party, key, statement, version or entry with this id"))
}
