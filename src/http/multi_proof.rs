//! `GET /v1/proof/multi?index=3,5,9`: several entries of the published tree and one proof for all.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use tokio::sync::Semaphore;
use undersigned_registry::entry;
use undersigned_tlog::codec;
use undersigned_tlog::hash::Hash;
use undersigned_tlog::multi_proof::{MULTI_PROOF_BYTES_MAX, MultiProof, ProvedEntry};
use undersigned_tlog::tree::{LeafIndex, MULTI_LEAVES_MAX, verify_multi_inclusion};
use utoipa::{IntoParams, ToSchema};

use super::answer::{blocking, entry_bytes, published, raw_json};
use super::problem::Problem;
use super::proofs::{TEXT, VARY, base64};
use super::query::{Form, Parameters, negotiate};
use crate::node::Handle;
use crate::publish::Published;
use crate::tiles::LogReader;

/// How many are made at a time: each may read 1,024 bundles, and reading must take nothing from writing.
const MULTI_PROOFS_AT_A_TIME: usize = 4;

static PLACES: Semaphore = Semaphore::const_new(MULTI_PROOFS_AT_A_TIME);

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct MultiQuery {
    /// Indexes of the entries, strictly increasing, 1 to 1,024, with commas between them.
    #[serde(deserialize_with = "indexes")]
    #[param(style = Form, explode = false, min_items = 1, max_items = 1024, example = json!([0]))]
    index: Vec<u64>,
}

fn indexes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    // One more than may be is enough to refuse it, however many come.
    let parts = text.split(',').take(MULTI_LEAVES_MAX.saturating_add(1));
    let indexes: Vec<u64> = parts
        .map(codec::decimal)
        .collect::<Result<_, _>>()
        .map_err(|_| D::Error::custom("index must be decimal numbers with commas between them"))?;
    if indexes.len() > MULTI_LEAVES_MAX {
        return Err(D::Error::custom(format!("index must have at most {MULTI_LEAVES_MAX} numbers")));
    }
    if !indexes.is_sorted_by(|before, after| before < after) {
        return Err(D::Error::custom("the numbers of index must increase, none twice"));
    }
    Ok(indexes)
}

#[derive(Serialize, ToSchema)]
pub(super) struct MultiView {
    tree_size: u64,
    entries: Vec<MultiEntry>,
    hashes: Vec<String>,
    checkpoint: String,
}

#[derive(Serialize, ToSchema)]
struct MultiEntry {
    index: u64,
    #[schema(value_type = Object)]
    entry: Box<RawValue>,
}

/// `GET /v1/proof/multi?index=`.
#[utoipa::path(
    get,
    path = "/v1/proof/multi",
    operation_id = "multi",
    tag = "auditors",
    params(MultiQuery),
    responses((status = 200, description = "the entries and the proof; as plain text a multi-proof file", content(
        (MultiView = "application/json"),
        (String = "text/plain"),
    )))
)]
pub(super) async fn multi(
    State(handle): State<Handle>,
    headers: HeaderMap,
    Parameters(query): Parameters<MultiQuery>,
) -> Result<Response, Problem> {
    let published = published(&handle);
    let size = published.head.size;
    if query.index.last().is_some_and(|last| *last >= size.get()) {
        return Err(Problem::query(format!("index must be below {size}, the published tree size")));
    }
    let _place = PLACES
        .try_acquire()
        .map_err(|_| Problem::new("reads-busy", "too many multi-proofs are being made at a time"))?;
    let reader = handle.reader.clone();
    let current = published.clone();
    let (entries, hashes) = blocking(move || prove(&reader, &current, &query.index)).await?;
    let checkpoint = published.checkpoint.to_vec();
    if negotiate(&headers, &[Form::Json, Form::Text]) == Form::Text {
        let proof =
            MultiProof::new(entries, hashes, checkpoint).map_err(|error| Problem::internal(&error))?;
        return Ok(([(header::CONTENT_TYPE, TEXT), VARY], proof.to_bytes()).into_response());
    }
    let entries = entries
        .into_iter()
        .map(|proved| Ok(MultiEntry { index: proved.index.get(), entry: raw_json(proved.bytes)? }));
    let view = MultiView {
        tree_size: size.get(),
        entries: entries.collect::<Result<_, Problem>>()?,
        hashes: base64(&hashes),
        checkpoint: String::from_utf8_lossy(&checkpoint).into_owned(),
    };
    Ok(([VARY], Json(view)).into_response())
}

/// The entries and the hashes, checked against the published root before they leave.
fn prove(
    reader: &LogReader,
    published: &Published,
    indexes: &[u64],
) -> Result<(Vec<ProvedEntry>, Vec<Hash>), Problem> {
    let size = published.head.size;
    let hashes = reader.multi_proof(indexes, size)?;
    // In the file: 45 bytes for a hash, and for an entry its base64 with at most 32 bytes around it.
    let mut bytes = hashes.len().saturating_mul(45).saturating_add(published.checkpoint.len());
    let mut entries = Vec::with_capacity(indexes.len());
    for index in indexes {
        let entry = entry_bytes(reader, *index, size)?;
        bytes = bytes.saturating_add(entry.len().div_ceil(3).saturating_mul(4)).saturating_add(32);
        if bytes > MULTI_PROOF_BYTES_MAX {
            return Err(Problem::query(format!(
                "these entries make a file of more than {MULTI_PROOF_BYTES_MAX} bytes; ask for fewer at a time"
            )));
        }
        entries.push(ProvedEntry { index: LeafIndex::new(*index), bytes: entry });
    }
    let leaves: Vec<_> = entries.iter().map(|proved| (proved.index, entry::leaf(&proved.bytes))).collect();
    verify_multi_inclusion(&leaves, size, &hashes, &published.head.root)
        .map_err(|error| Problem::internal(&format!("a multi-proof does not verify: {error}")))?;
    Ok((entries, hashes))
}
