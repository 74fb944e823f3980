//! What the handlers share: the published tree an answer is built from, references, pages, receipts.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use undersigned_registry::event::BlobRef;
use undersigned_registry::id::EventHash;
use undersigned_registry::receipt::{self, Parts as ReceiptParts};
use undersigned_registry::record::Record;
use undersigned_registry::state_tree::{self, SubtreeProof};
use undersigned_registry::{entry, json};
use undersigned_tlog::codec;
use undersigned_tlog::hash::Hash;
use undersigned_tlog::tree::{LeafIndex, TreeSize, verify_inclusion};

use super::problem::Problem;
use crate::node::Handle;
use crate::publish::{Logged, Published};
use crate::sequencer::{Cut, RegistryLaw};
use crate::tiles::{LogReader, ReadError};

/// How many items a page has unless asked otherwise.
pub(super) const LIMIT_DEFAULT: usize = 100;
/// The most items of one page.
pub(super) const LIMIT_MAX: usize = 1_000;

/// The published tree, as it is now.
pub(super) fn published(handle: &Handle) -> Arc<Published> {
    Arc::clone(&handle.published.borrow())
}

/// Runs something that may wait for a disk on a thread that may.
pub(super) async fn blocking<A: Send + 'static>(
    work: impl FnOnce() -> Result<A, Problem> + Send + 'static,
) -> Result<A, Problem> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(Problem::internal(&error)))
}

/// Asks the state between two batches; the answer comes with the tree size it is true for, which is
/// published by then.
pub(super) async fn ask<A: Send + 'static>(
    handle: &Handle,
    question: impl FnOnce(&RegistryLaw) -> A + Send + 'static,
) -> Result<(TreeSize, A), Problem> {
    let receiver = handle.intake.ask(move |law| (law.ledger().size(), question(law)))?;
    let (size, answer) =
        receiver.await.map_err(|_| Problem::new("stopping", "the registry stopped before it answered"))?;
    let size = TreeSize::new(size);
    let mut published = handle.published.clone();
    // Its batch is committed, so the publish loop gets there, or the process stops and the sender is gone.
    let reached = published.wait_for(|published| published.head.size >= size).await.is_ok();
    if reached { Ok((size, answer)) } else { Err(Problem::new("stopping", "the registry is stopping")) }
}

/// A part of the address; what is no UTF-8 names nothing.
#[derive(Debug)]
pub(super) struct Segment(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(segment) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::not_found("such address"))?;
        Ok(Self(segment))
    }
}

/// The parameters of an address, each once and each known.
#[derive(Debug)]
pub(super) struct Parameters<Q>(pub(super) Q);

impl<S: Send + Sync, Q: DeserializeOwned> FromRequestParts<S> for Parameters<Q> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(query) = Query::<Q>::from_request_parts(parts, state)
            .await
            .map_err(|error| Problem::query(error.body_text()))?;
        Ok(Self(query))
    }
}

/// How an address names an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reference {
    Index(u64),
    Hash(EventHash),
}

impl Reference {
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        if let Ok(hash) = EventHash::from_hex(text) {
            return Ok(Self::Hash(hash));
        }
        codec::decimal(text).map(Self::Index).map_err(|_| {
            Problem::query("an entry is named by its index or by its event hash (64 lower-case hex digits)")
        })
    }
}

/// Finds the index of an entry, waiting for the index where a hash is given.
pub(super) async fn resolve(handle: &Handle, reference: Reference, size: TreeSize) -> Result<u64, Problem> {
    let found = match reference {
        Reference::Index(index) => Some(index),
        Reference::Hash(hash) => {
            handle.index.wait_for(size).await?;
            let index = Arc::clone(&handle.index);
            blocking(move || Ok(index.entry_of(hash)?)).await?
        }
    };
    found
        .filter(|index| *index < size.get())
        .ok_or_else(|| Problem::not_found("such entry in the published tree"))
}

/// The entry's bytes: remembered, or from its bundle.
pub(super) fn entry_bytes(reader: &LogReader, index: u64, size: TreeSize) -> Result<Vec<u8>, Problem> {
    reader.entry(index, size)?.ok_or_else(|| Problem::not_found("such entry in the published tree"))
}

/// The inclusion proof of an entry in the published tree: from memory if it is recent, else from tiles.
pub(super) fn inclusion(
    reader: &LogReader,
    published: &Published,
    index: u64,
) -> Result<Vec<Hash>, ReadError> {
    let (index, size) = (LeafIndex::new(index), published.head.size);
    match published.recent.inclusion_proof(index, size) {
        Ok(proof) => Ok(proof),
        Err(_) => reader.inclusion_proof(index, size),
    }
}

/// Builds the receipt of an entry, and checks it before it leaves: the inclusion path against the
/// published root, the state paths against the entry's own root.
pub(super) fn receipt(
    reader: &LogReader,
    published: &Published,
    index: u64,
    logged: Option<&Logged<Arc<Cut>>>,
) -> Result<Vec<u8>, Problem> {
    let read;
    let bytes: &[u8] = match logged {
        Some(logged) => &logged.entry,
        None => {
            read = entry_bytes(reader, index, published.head.size)?;
            &read
        }
    };
    let hashes = inclusion(reader, published, index)?;
    verify_inclusion(
        &entry::leaf(bytes),
        LeafIndex::new(index),
        published.head.size,
        &hashes,
        &published.head.root,
    )
    .map_err(|error| Problem::internal(&format!("receipt {index} does not verify: {error}")))?;
    let paths = logged.map(|logged| logged.cut.paths.as_slice()).unwrap_or_default();
    check_paths(bytes, paths, index)?;
    let refs = match logged {
        Some(logged) => logged.cut.small_blobs.clone(),
        None => small_blobs_of_entry(bytes),
    };
    let blobs = blobs(reader, &refs)?;
    let parts = ReceiptParts {
        entry: bytes,
        blobs: &blobs,
        paths,
        index,
        hashes: &hashes,
        checkpoint: &published.checkpoint,
    };
    receipt::build(&parts).map_err(|error| Problem::internal(&error))
}

fn check_paths(entry: &[u8], paths: &[receipt::StatePath], index: u64) -> Result<(), Problem> {
    if paths.is_empty() {
        return Ok(());
    }
    let wrong = |reason: String| Problem::internal(&format!("state path of entry {index}: {reason}"));
    let root = state_root(entry).ok_or_else(|| wrong("the entry has no state".to_owned()))?;
    for path in paths {
        let proof = SubtreeProof::decode(&path.proof).map_err(|error| wrong(error.to_string()))?;
        state_tree::verify(&proof, &path.prefix, &root, Record::tally_of)
            .map_err(|error| wrong(error.to_string()))?;
    }
    Ok(())
}

/// The state root stands at a fixed place near the end of every entry: `"state":"<64 hex>","v":1}`.
fn state_root(entry: &[u8]) -> Option<Hash> {
    let tail = entry.strip_suffix(b"\",\"v\":1}")?;
    let hex = tail.get(tail.len().checked_sub(64)?..)?;
    Hash::from_hex(std::str::from_utf8(hex).ok()?).ok()
}

/// Without what was cut at the entry only the event itself says which blobs it names.
fn small_blobs_of_entry(bytes: &[u8]) -> Vec<BlobRef> {
    let named = entry::Entry::parse(bytes).map(|entry| entry.envelope.event().blobs()).unwrap_or_default();
    let mut left = receipt::RECEIPT_BLOBS_BYTES_MAX;
    named
        .into_iter()
        .filter(|blob| blob.size <= receipt::RECEIPT_BLOB_BYTES_MAX)
        .take_while(|blob| {
            let size = usize::try_from(blob.size).unwrap_or(usize::MAX);
            let fits = size <= left;
            left = left.saturating_sub(size);
            fits
        })
        .collect()
}

/// Blobs that are still there; an erased one is left out.
fn blobs(reader: &LogReader, refs: &[BlobRef]) -> Result<Vec<Vec<u8>>, Problem> {
    let mut blobs = Vec::with_capacity(refs.len());
    for blob in refs {
        match reader.blob(&blob.sha256) {
            Ok(Some(bytes)) if blob.names(&bytes) => blobs.push(bytes),
            Ok(Some(_)) => return Err(Problem::internal(&format!("blob {} is damaged", blob.sha256))),
            Ok(None) => {}
            Err(error) => return Err(Problem::internal(&error)),
        }
    }
    Ok(blobs)
}

/// A small text blob for a list: `None` where it was erased or is no text.
pub(super) fn text_blob(reader: &LogReader, blob: &BlobRef) -> Option<String> {
    let bytes = reader.blob(&blob.sha256).ok().flatten()?;
    String::from_utf8(bytes).ok()
}

/// Whether the client wants the file that a C2SP program reads.
pub(super) fn wants_text(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.split(',').any(|part| part.trim().starts_with("text/plain")))
}

/// Which page of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    pub(super) limit: Option<usize>,
    pub(super) cursor: Option<String>,
    /// The tree size to answer for.
    pub(super) at: Option<u64>,
    /// Only for signatories: which version.
    pub(super) version: Option<String>,
}

/// A page, checked: bound to one tree size, so that pages fit together while the log grows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    pub(super) size: TreeSize,
    pub(super) after: Option<u64>,
    pub(super) limit: usize,
}

impl PageQuery {
    pub(super) fn page(&self, published: TreeSize) -> Result<Page, Problem> {
        let limit = self.limit.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(Problem::query(format!("limit must be 1 to {LIMIT_MAX}")));
        }
        let (size, after) = match &self.cursor {
            Some(cursor) => cursor
                .split_once('.')
                .and_then(|(size, after)| Some((codec::decimal(size).ok()?, codec::decimal(after).ok()?)))
                .map(|(size, after)| (Some(size), Some(after)))
                .ok_or_else(|| Problem::query("cursor must be one that this list returned"))?,
            None => (self.at, None),
        };
        if let (Some(at), Some(size)) = (self.at, size)
            && at != size
        {
            return Err(Problem::query("cursor and at name different tree sizes"));
        }
        let size = size.map_or(published, TreeSize::new);
        if size > published || size.get() == 0 {
            return Err(Problem::query(format!("at must be 1 to {published}, the published tree size")));
        }
        Ok(Page { size, after, limit })
    }
}

impl Page {
    /// The cursor of the next page, if this one is full.
    pub(super) fn next(&self, last: Option<u64>, count: usize) -> Option<String> {
        last.filter(|_| count == self.limit).map(|last| format!("{}.{last}", self.size))
    }
}

/// An entry's bytes as they stand inside a JSON answer.
pub(super) fn raw_json(bytes: Vec<u8>) -> Result<Box<serde_json::value::RawValue>, Problem> {
    debug_assert!(json::parse(&bytes, entry::ENTRY_BYTES_MAX).is_ok(), "entries are canonical JSON");
    let text = String::from_utf8(bytes).map_err(|error| Problem::internal(&error))?;
    serde_json::value::RawValue::from_string(text).map_err(|error| Problem::internal(&error))
}
