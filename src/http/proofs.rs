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
use utoipa::{IntoParams, ToSchema};

use super::answer::{self, Reference, blocking, entry_bytes, published, raw_json, resolve};
use super::problem::Problem;
use super::query::{Form, NoParameters, Parameters, Segment, maybe_number, negotiate, number};
use super::submit::receipt_response;
use crate::node::Handle;

pub(super) const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
pub(super) const VARY: (HeaderName, HeaderValue) = (header::VARY, HeaderValue::from_static("accept"));

#[derive(Serialize, ToSchema)]
pub(super) struct EntryView {
    index: u64,
    tree_size: u64,
    checkpoint: String,
    #[schema(value_type = Object)]
    entry: Box<RawValue>,
}

/// `GET /v1/entries/{index or event hash}`.
#[utoipa::path(
    get,
    path = "/v1/entries/{reference}",
    operation_id = "entry",
    tag = "auditors",
    params(("reference" = String, Path, pattern = "^([0-9a-f]{64}|0|[1-9][0-9]{0,18})$", description = "index of the entry, or hash of its event")),
    responses((status = 200, body = EntryView, description = "the entry"))
)]
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
#[utoipa::path(
    get,
    path = "/v1/receipts/{reference}",
    operation_id = "receipt",
    tag = "auditors",
    params(("reference" = String, Path, pattern = "^([0-9a-f]{64}|0|[1-9][0-9]{0,18})$", description = "index of the entry, or hash of its event")),
    responses((status = 200, content_type = "text/plain", body = String, description = "the receipt, a C2SP tlog-proof file"))
)]
pub(super) async fn receipt(
    State(handle): State<Handle>,
    Segment(reference): Segment,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Response, Problem> {
    let published = published(&handle);
    let index = resolve(&handle, Reference::parse(&reference)?, published.head.size).await?;
    let logged = handle.recent_entries.find(index);
    let receipt = answer::receipt(&handle, published, index, logged).await?;
    Ok(receipt_response(StatusCode::OK, index, receipt))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct InclusionQuery {
    /// Index of the entry.
    #[serde(deserialize_with = "number")]
    #[param(minimum = 0)]
    index: u64,
    /// Size of the tree; the published one unless said otherwise.
    #[serde(default, deserialize_with = "maybe_number")]
    #[param(minimum = 1)]
    size: Option<u64>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct InclusionView {
    index: u64,
    size: u64,
    root: String,
    hashes: Vec<String>,
    checkpoint: String,
}

/// `GET /v1/proof/inclusion?index=&size=`.
#[utoipa::path(
    get,
    path = "/v1/proof/inclusion",
    operation_id = "inclusion",
    tag = "auditors",
    params(InclusionQuery),
    responses((status = 200, description = "the proof; as plain text a C2SP tlog-proof", content(
        (InclusionView = "application/json"),
        (String = "text/plain"),
    )))
)]
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

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ConsistencyQuery {
    /// Size of the earlier tree.
    #[serde(deserialize_with = "number")]
    #[param(minimum = 0)]
    from: u64,
    /// Size of the later tree; the published one unless said otherwise.
    #[serde(default, deserialize_with = "maybe_number")]
    #[param(minimum = 1)]
    to: Option<u64>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct ConsistencyView {
    from: u64,
    to: u64,
    hashes: Vec<String>,
    checkpoint: String,
}

/// `GET /v1/proof/consistency?from=&to=`.
#[utoipa::path(
    get,
    path = "/v1/proof/consistency",
    operation_id = "consistency",
    tag = "auditors",
    params(ConsistencyQuery),
    responses((status = 200, description = "the proof; as plain text a add-checkpoint body of C2SP tlog-witness", content(
        (ConsistencyView = "application/json"),
        (String = "text/plain"),
    )))
)]
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

pub(super) fn base64(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(Hash::to_base64).collect()
}
