//! What the handlers share: the published tree an answer is built from, references, receipts.

use std::sync::Arc;

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
use crate::sequencer::{Cut, CutPath, RegistryLaw};
use crate::tiles::{LogReader, ReadError};

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

/// The receipt of an entry: at once if all that it is made of lies in memory, else from a thread that may
/// wait for the disk.
pub(super) async fn receipt(
    handle: &Handle,
    published: Arc<Published>,
    index: u64,
    logged: Option<Arc<Logged<Arc<Cut>>>>,
) -> Result<Vec<u8>, Problem> {
    if let Some(logged) = &logged
        && let Ok(hashes) = published.recent.inclusion_proof(LeafIndex::new(index), published.head.size)
        && let Some(blobs) = blobs_at_once(&handle.reader, &logged.cut.small_blobs)
    {
        return checked_receipt(&published, index, &logged.entry, &hashes, &logged.cut.paths, &blobs);
    }
    let reader = Arc::clone(&handle.reader);
    blocking(move || read_receipt(&reader, &published, index, logged.as_deref())).await
}

/// The same on a thread that may wait for the disk.
pub(super) fn read_receipt(
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
    let paths = logged.map(|logged| logged.cut.paths.as_slice()).unwrap_or_default();
    let refs = match logged {
        Some(logged) => logged.cut.small_blobs.clone(),
        None => small_blobs_of_entry(bytes),
    };
    let blobs = blobs(reader, &refs)?;
    checked_receipt(published, index, bytes, &hashes, paths, &blobs)
}

/// Builds the receipt of an entry, and checks it before it leaves: the inclusion path against the
/// published root, the state paths against the entry's own root.
fn checked_receipt(
    published: &Published,
    index: u64,
    entry: &[u8],
    hashes: &[Hash],
    cut: &[CutPath],
    blobs: &[Vec<u8>],
) -> Result<Vec<u8>, Problem> {
    let head = published.head;
    verify_inclusion(&entry::leaf(entry), LeafIndex::new(index), head.size, hashes, &head.root)
        .map_err(|error| Problem::internal(&format!("receipt {index} does not verify: {error}")))?;
    let paths = checked_paths(entry, cut, index)?;
    let parts =
        ReceiptParts { entry, blobs, paths: &paths, index, hashes, checkpoint: &published.checkpoint };
    receipt::build(&parts).map_err(|error| Problem::internal(&error))
}

/// Walks state paths as they were cut to the root in the entry, and writes them.
///
/// The sum of each comes from the tree, not from reading the record as whoever gets the receipt does: the hash
/// of the node above binds both the sum and the record, so that neither can have changed and still lead to the
/// root.
fn checked_paths(entry: &[u8], cut: &[CutPath], index: u64) -> Result<Vec<receipt::StatePath>, Problem> {
    if cut.is_empty() {
        return Ok(Vec::new());
    }
    let root = root_for_paths(entry, index)?;
    let check = |path: &CutPath| {
        let prefix = path.key.as_bytes();
        state_tree::verify(&path.proof, prefix, &root, |_, _| Some(path.tally.clone()))
            .map_err(|error| wrong_path(index, &error))?;
        Ok(receipt::StatePath { prefix: prefix.to_vec(), proof: path.proof.encode() })
    };
    cut.iter().map(check).collect()
}

/// Walks state paths to the root in the entry, each before it leaves.
pub(super) fn check_paths(
    entry: &[u8],
    paths: &[receipt::StatePath],
    index: u64,
) -> Result<Vec<state_tree::Verified>, Problem> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let root = root_for_paths(entry, index)?;
    let walk = |path: &receipt::StatePath| {
        let proof = SubtreeProof::decode(&path.proof).map_err(|error| wrong_path(index, &error))?;
        state_tree::verify(&proof, &path.prefix, &root, Record::tally_of)
            .map_err(|error| wrong_path(index, &error))
    };
    paths.iter().map(walk).collect()
}

fn root_for_paths(entry: &[u8], index: u64) -> Result<Hash, Problem> {
    state_root(entry).ok_or_else(|| wrong_path(index, &"the entry has no state"))
}

fn wrong_path(index: u64, reason: &dyn std::fmt::Display) -> Problem {
    Problem::internal(&format!("state path of entry {index}: {reason}"))
}

/// The state root stands at a fixed place near the end of every entry: `"state":"<64 hex>","v":1}`.
fn state_root(entry: &[u8]) -> Option<Hash> {
    let tail = entry.strip_suffix(b"\",\"v\":1}")?;
    let hex = tail.get(tail.len().checked_sub(64)?..)?;
    Hash::from_hex(std::str::from_utf8(hex).ok()?).ok()
}

/// Without what was cut at the entry only the event itself says which blobs it names.
fn small_blobs_of_entry(bytes: &[u8]) -> Vec<BlobRef> {
    small_blobs(entry::Entry::parse(bytes).map(|entry| entry.envelope.event().blobs()).unwrap_or_default())
}

/// Those of the blobs that are small enough to travel along.
pub(super) fn small_blobs(named: Vec<BlobRef>) -> Vec<BlobRef> {
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
pub(super) fn blobs(reader: &LogReader, refs: &[BlobRef]) -> Result<Vec<Vec<u8>>, Problem> {
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

fn blobs_at_once(reader: &LogReader, refs: &[BlobRef]) -> Option<Vec<Vec<u8>>> {
    let is_named =
        |blob: &BlobRef, bytes: &[u8]| u64::try_from(bytes.len()).is_ok_and(|size| size == blob.size);
    refs.iter().map(|blob| reader.blob_at_once(&blob.sha256).filter(|bytes| is_named(blob, bytes))).collect()
}

/// A small text blob for a list: `None` where it was erased or is no text.
pub(super) fn text_blob(reader: &LogReader, blob: &BlobRef) -> Option<String> {
    let bytes = reader.blob(&blob.sha256).ok().flatten()?;
    String::from_utf8(bytes).ok()
}

/// An entry's bytes as they stand inside a JSON answer.
pub(super) fn raw_json(bytes: Vec<u8>) -> Result<Box<serde_json::value::RawValue>, Problem> {
    debug_assert!(json::parse(&bytes, entry::ENTRY_BYTES_MAX).is_ok(), "entries are canonical JSON");
    let text = String::from_utf8(bytes).map_err(|error| Problem::internal(&error))?;
    serde_json::value::RawValue::from_string(text).map_err(|error| Problem::internal(&error))
}
