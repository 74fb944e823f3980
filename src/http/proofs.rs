//! Entries, receipts and proofs, for whoever checks the log.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use undersigned_tlog::hash::Hash;
use undersigned_tlog::proof::TlogProof;
use undersigned_tlog::tree::{LeafIndex, TreeSize};
use undersigned_tlog::wire::AddCheckpoint;

use super::answer::{self, Reference, blocking, entry_bytes, published, raw_json, resolve};
use super::problem::Problem;
use super::query::{Form, NoParameters, Parameters, Segment, maybe_number, negotiate, number};
use super::submit::receipt_response;
use crate::node::Handle;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const VARY: (HeaderName, HeaderValue) = (header::VARY, HeaderValue::from_static("accept"));

#[derive(Serialize)]
struct EntryView {
    index: u64,
    tree_size: u64,
    checkpoint: String,
    entry: Box<RawValue>,
}

/// `GET /v1/entries/{index or event hash}`.
pub(super) async fn entry(
    State(handle): State<Handle>,
    Segment(reference): Segment,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Response, Problem> {
    let published = published(&handle);
    let index = resolve(&handle, Reference::parse(&reference)?, published.head.size).await?;
    let reader = handle.reader.clone();
    let size = published.head.size;
    let bytes = blocking(move || entry_bytes(&reader, index, size)).await?;
    let view = EntryView {
        index,
        tree_size: size.get(),
        checkpoint: String::from_utf8_lossy(&published.checkpoint).into_owned(),
        entry: raw_json(bytes)?,
    };
    Ok(Json(view).into_response())
}

/// `GET /v1/receipts/{index or event hash}`.
pub(super) async fn receipt(
    State(handle): State<Handle>,
    Segment(reference): Segment,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Response, Problem> {
    let published = published(&handle);
    let index = resolve(&handle, Reference::parse(&reference)?, published.head.size).await?;
    let logged = handle.recent_entries.find(index);
    let reader = handle.reader.clone();
    let receipt = blocking(move || answer::receipt(&reader, &published, index, logged.as_deref())).await?;
    Ok(receipt_response(StatusCode::OK, index, receipt))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InclusionQuery {
    #[serde(deserialize_with = "number")]
    index: u64,
    #[serde(default, deserialize_with = "maybe_number")]
    size: Option<u64>,
}

#[derive(Serialize)]
struct InclusionView {
    index: u64,
    size: u64,
    root: String,
    hashes: Vec<String>,
    checkpoint: String,
}

/// `GET /v1/proof/inclusion?index=&size=`.
pub(super) async fn inclusion(
    State(handle): State<Handle>,
    headers: HeaderMap,
    Parameters(query): Parameters<InclusionQuery>,
) -> Result<Response, Problem> {
    let published = published(&handle);
    let size = checked_size("size", query.size, published.head.size)?;
    if query.index >= size.get() {
        return Err(Problem::query(format!("index must be below size {size}")));
    }
    let text = negotiate(&headers, &[Form::Json, Form::Text]) == Form::Text;
    if text && size != published.head.size {
        return Err(no_checkpoint(published.head.size));
    }
    let reader = handle.reader.clone();
    let current = published.clone();
    let index = query.index;
    let (root, hashes) = blocking(move || {
        if size == current.head.size {
            return Ok((current.head.root, answer::inclusion(&reader, &current, index)?));
        }
        // Older trees are prefixes of the published one: their nodes are nodes of it.
        let hashes = reader.inclusion_proof_within(LeafIndex::new(index), size, current.head.size)?;
        Ok((reader.root(size, current.head.size)?, hashes))
    })
    .await?;
    if text {
        let proof = TlogProof::new(None, LeafIndex::new(index), hashes, published.checkpoint.to_vec())
            .map_err(|error| Problem::internal(&error))?;
        return Ok(([(header::CONTENT_TYPE, TEXT), VARY], proof.to_bytes()).into_response());
    }
    let view = InclusionView {
        index,
        size: size.get(),
        root: root.to_base64(),
        hashes: base64(&hashes),
        checkpoint: String::from_utf8_lossy(&published.checkpoint).into_owned(),
    };
    Ok(([VARY], Json(view)).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConsistencyQuery {
    #[serde(deserialize_with = "number")]
    from: u64,
    #[serde(default, deserialize_with = "maybe_number")]
    to: Option<u64>,
}

#[derive(Serialize)]
struct ConsistencyView {
    from: u64,
    to: u64,
    hashes: Vec<String>,
    checkpoint: String,
}

/// `GET /v1/proof/consistency?from=&to=`.
pub(super) async fn consistency(
    State(handle): State<Handle>,
    headers: HeaderMap,
    Parameters(query): Parameters<ConsistencyQuery>,
) -> Result<Response, Problem> {
    let published = published(&handle);
    let to = checked_size("to", query.to, published.head.size)?;
    if query.from > to.get() {
        return Err(Problem::query(format!("from must be at most {to}")));
    }
    let text = negotiate(&headers, &[Form::Json, Form::Text]) == Form::Text;
    if text && to != published.head.size {
        return Err(no_checkpoint(published.head.size));
    }
    let from = TreeSize::new(query.from);
    let reader = handle.reader.clone();
    let current = published.clone();
    let hashes = blocking(move || match current.recent.consistency_proof(from, to) {
        Ok(proof) => Ok(proof),
        Err(_) => Ok(reader.consistency_proof_within(from, to, current.head.size)?),
    })
    .await?;
    if text {
        let body = AddCheckpoint::new(from, hashes, published.checkpoint.to_vec())
            .map_err(|error| Problem::internal(&error))?;
        return Ok(([(header::CONTENT_TYPE, TEXT), VARY], body.to_bytes()).into_response());
    }
    let view = ConsistencyView {
        from: from.get(),
        to: to.get(),
        hashes: base64(&hashes),
        checkpoint: String::from_utf8_lossy(&published.checkpoint).into_owned(),
    };
    Ok(([VARY], Json(view)).into_response())
}

fn checked_size(name: &str, asked: Option<u64>, published: TreeSize) -> Result<TreeSize, Problem> {
    match asked.map_or(published, TreeSize::new) {
        size if size.get() >= 1 && size <= published => Ok(size),
        _ => Err(Problem::query(format!("{name} must be 1 to {published}, the published tree size"))),
    }
}

fn no_checkpoint(published: TreeSize) -> Problem {
    Problem::query(format!(
        "as text/plain only proofs for the published size {published} can be had, for only it has a checkpoint"
    ))
}

fn base64(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(Hash::to_base64).collect()
}
