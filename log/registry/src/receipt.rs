//! Receipts: one C2SP tlog-proof file that proves one entry, and what it did, for ever.
//!
//! Follows `docs/spec/receipt.md`, rules RC-1 to RC-9. The file's `extra` line carries the entry, the
//! small blobs it relies on, and state paths against the entry's own `state`. What a receipt proves is
//! [`crate::verify`].

use alloc::vec::Vec;

use undersigned_tlog::codec;
use undersigned_tlog::hash::Hash;
use undersigned_tlog::proof::TlogProof;
use undersigned_tlog::tree::LeafIndex;

use crate::entry::Entry;
use crate::envelope::{BLOBS_MAX, decode_blobs};
use crate::event::{Body, Event, ParseError};
use crate::id::{EventHash, StatementId};
use crate::json::{self, MemberError, Members, ObjectWriter};
use crate::record::{KEY_BYTES_MAX, StateKey};

/// The largest receipt in bytes: a line of a C2SP program ends at 64 KiB, and base64 adds a third.
pub const RECEIPT_BYTES_MAX: usize = 48_000;

/// The largest blob that a receipt carries, in bytes; longer texts travel beside it.
pub const RECEIPT_BLOB_BYTES_MAX: u64 = 1_024;

/// The most bytes of blobs that a receipt carries in all.
pub const RECEIPT_BLOBS_BYTES_MAX: usize = 8_192;

/// How many state paths a receipt may carry: the moved record, 16 signers, party, version, and room.
pub const PATHS_MAX: usize = 24;

/// A state path: what stands under a prefix of the state at the entry's own root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatePath {
    /// The key, or a prefix of keys.
    pub prefix: Vec<u8>,
    /// The encoded subtree proof (`docs/spec/state-tree.md`).
    pub proof: Vec<u8>,
}

/// What a receipt is made of.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// The entry's bytes.
    pub entry: &'a [u8],
    /// The small blobs that the entry and its paths rely on.
    pub blobs: &'a [Vec<u8>],
    /// State paths against the entry's own root.
    pub paths: &'a [StatePath],
    /// The entry's index.
    pub index: u64,
    /// The inclusion proof under the checkpoint.
    pub hashes: &'a [Hash],
    /// The signed checkpoint.
    pub checkpoint: &'a [u8],
}

/// Why no receipt or state proof can be made, which no entry and proof within their limits reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// Even the bare entry does not fit.
    #[error("the file would be larger than its format allows")]
    TooLarge,
    /// The inclusion proof or the checkpoint has no place in a proof file.
    #[error("the parts are not those of a proof file")]
    Parts,
}

/// Writes a receipt. Where it would be too large it leaves out the blobs, then path after path from the
/// last, so that the record that the event moves is the last to go (rule RC-6).
///
/// # Errors
/// The parts make no proof file, or even the bare entry does not fit.
pub fn build(parts: &Parts<'_>) -> Result<Vec<u8>, BuildError> {
    build_within(parts, 0, RECEIPT_BYTES_MAX, None)
}

/// Writes a receipt, or a state proof where there is a question, of at most `bytes_max` bytes and with at
/// least `paths_min` paths.
pub(crate) fn build_within(
    parts: &Parts<'_>,
    paths_min: usize,
    bytes_max: usize,
    question: Option<&[u8]>,
) -> Result<Vec<u8>, BuildError> {
    let fewer = (paths_min..=parts.paths.len()).rev().filter_map(|count| parts.paths.get(..count));
    // At most PATHS_MAX + 2 writes of what fits an entry and its paths: bounded work on the rare large one.
    for (blobs, paths) in
        core::iter::once((parts.blobs, parts.paths)).chain(fewer.map(|paths| (&[][..], paths)))
    {
        let file = write(parts, blobs, paths, question)?;
        if file.len() <= bytes_max {
            return Ok(file);
        }
    }
    Err(BuildError::TooLarge)
}

fn write(
    parts: &Parts<'_>,
    blobs: &[Vec<u8>],
    paths: &[StatePath],
    question: Option<&[u8]>,
) -> Result<Vec<u8>, BuildError> {
    // Prefixes in hex, proofs and blobs in base64, and the names around them.
    let in_json = |bytes: usize| bytes / 3 * 4 + 32;
    let blobs_bytes: usize = blobs.iter().map(|blob| in_json(blob.len())).sum();
    let paths_bytes: usize = paths.iter().map(|path| path.prefix.len() * 2 + in_json(path.proof.len())).sum();
    let question_bytes = question.map_or(0, <[u8]>::len);
    let mut extra = Vec::with_capacity(parts.entry.len() + blobs_bytes + paths_bytes + question_bytes + 128);
    let mut object = ObjectWriter::new(&mut extra);
    if !blobs.is_empty() {
        object.list("blobs", blobs, |out, blob| json::write_base64(out, blob));
    }
    object.raw("entry", parts.entry);
    if !paths.is_empty() {
        object.list("paths", paths, |out, path| {
            ObjectWriter::new(out).hex("prefix", &path.prefix).base64("proof", &path.proof).finish();
        });
    }
    if let Some(question) = question {
        object.raw("question", question);
    }
    object.integer("v", 1).finish();
    TlogProof::new(Some(extra), LeafIndex::new(parts.index), parts.hashes.to_vec(), parts.checkpoint.to_vec())
        .map(|proof| proof.to_bytes())
        .map_err(|_| BuildError::Parts)
}

/// The keys whose records a receipt of this event proves: the record it moves, the party, each signer's
/// key, and for an endorsement or withdrawal the version (rule RC-5). No path for another key belongs into
/// the receipt.
#[must_use]
pub fn proved_keys(event: &Event, hash: EventHash) -> Vec<StateKey> {
    let Some(party) = event.actor(hash) else { return Vec::new() };
    let moved = match &event.body {
        Body::RegistryOpen { .. } | Body::RegistryPolicy(_) | Body::RegistryTick { .. } => {
            StateKey::registry()
        }
        Body::PartyCreate { .. } | Body::PartyKeys { .. } => StateKey::party(&party),
        Body::StatementPublish { .. } => StateKey::statement(&StatementId(hash.0)),
        Body::StatementVersion { statement, .. } => StateKey::statement(statement),
        Body::Endorse { version, .. } | Body::Withdraw { version, .. } => {
            StateKey::endorsement(version, &party)
        }
    };
    let mut keys = Vec::with_capacity(3 + event.signers.len());
    keys.push(moved);
    if moved != StateKey::party(&party) {
        keys.push(StateKey::party(&party));
    }
    keys.extend(event.signers.iter().map(StateKey::key));
    if let Body::Endorse { version, .. } | Body::Withdraw { version, .. } = &event.body {
        keys.push(StateKey::version(version));
    }
    keys
}

/// A well-formed receipt; nothing is proved yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The index that it claims.
    pub index: u64,
    /// The inclusion proof.
    pub hashes: Vec<Hash>,
    /// The signed checkpoint.
    pub checkpoint: Vec<u8>,
    /// The entry's exact bytes.
    pub entry_bytes: Vec<u8>,
    /// The entry.
    pub entry: Entry,
    /// Blobs, each to be matched with a hash.
    pub blobs: Vec<Vec<u8>>,
    /// State paths against the entry's own root.
    pub paths: Vec<StatePath>,
}

/// Why bytes are not a receipt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// RC-1, RC-2: not a tlog-proof file within the limit.
    #[error("not a tlog-proof file: {0}")]
    Proof(#[from] undersigned_tlog::proof::ProofFileError),
    /// RC-3: a tlog-proof without the `extra` line of a receipt.
    #[error("a proof file without an extra line: it is a proof of some entry, not a receipt")]
    NoExtra,
    /// RC-4: the `extra` line is not of the format.
    #[error("the extra line: {0}")]
    Extra(#[from] ParseError),
}

impl ReceiptError {
    /// The stable code of the rule.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Proof(_) => "proof-file",
            Self::NoExtra => "no-extra",
            Self::Extra(error) => error.code(),
        }
    }
}

impl Receipt {
    /// Reads a receipt.
    ///
    /// # Errors
    /// The first rule of the format that is broken.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReceiptError> {
        let proof = TlogProof::parse(bytes, RECEIPT_BYTES_MAX)?;
        let extra = proof.unverified_extra().ok_or(ReceiptError::NoExtra)?;
        let Extra { question: (), blobs, entry_bytes, entry, paths } =
            Extra::parse(extra, RECEIPT_BYTES_MAX, |_| Ok(()), paths_of)?;
        Ok(Self {
            index: proof.index().get(),
            hashes: proof.hashes().to_vec(),
            checkpoint: proof.unverified_checkpoint().to_vec(),
            entry_bytes,
            entry,
            blobs,
            paths,
        })
    }
}

/// The `extra` line of a receipt (RC-4), or of a state proof, which has a question in it (SP-3).
pub(crate) struct Extra<Q> {
    pub(crate) question: Q,
    pub(crate) blobs: Vec<Vec<u8>>,
    pub(crate) entry_bytes: Vec<u8>,
    pub(crate) entry: Entry,
    pub(crate) paths: Vec<StatePath>,
}

impl<Q> Extra<Q> {
    /// Reads the line; the question comes first, for it is what a receipt lacks (SP-4).
    pub(crate) fn parse(
        bytes: &[u8],
        bytes_max: usize,
        question: fn(&mut Members<'_>) -> Result<Q, MemberError>,
        paths: fn(&mut Members<'_>) -> Result<Vec<StatePath>, ParseError>,
    ) -> Result<Self, ParseError> {
        let value = json::parse(bytes, bytes_max)?;
        let mut members = Members::of("extra", value)?;
        let question = question(&mut members)?;
        let encoded = members.list_if("blobs", BLOBS_MAX, json::text_of)?;
        distinct("blobs", &encoded)?;
        let entry_bytes = json::write(&members.value("entry")?);
        let paths = paths(&mut members)?;
        if members.integer("v")? != 1 {
            return Err(MemberError::value("v", "1").into());
        }
        members.finish()?;
        let entry = Entry::parse(&entry_bytes)?;
        Ok(Self { question, blobs: decode_blobs(&encoded)?, entry_bytes, entry, paths })
    }
}

fn paths_of(members: &mut Members<'_>) -> Result<Vec<StatePath>, ParseError> {
    let paths = members.list_if("paths", PATHS_MAX, path_of)?;
    distinct("paths", &paths.iter().map(|path| &path.prefix).collect::<Vec<_>>())?;
    Ok(paths)
}

/// RC-8, RC-9: the same path or blob twice would be a second file for the same proof.
fn distinct<T: PartialEq>(name: &str, items: &[T]) -> Result<(), ParseError> {
    let twice = items
        .iter()
        .enumerate()
        .any(|(position, item)| items.iter().take(position).any(|earlier| earlier == item));
    if twice { Err(MemberError::value(name, "a list in which nothing comes twice").into()) } else { Ok(()) }
}

pub(crate) fn path_of(place: &str, value: json::Value) -> Result<StatePath, MemberError> {
    let mut members = Members::of(place, value)?;
    let path = StatePath {
        prefix: codec::hex_decode(&members.text("prefix")?)
            .ok()
            .filter(|prefix| (1..=KEY_BYTES_MAX).contains(&prefix.len()))
            .ok_or_else(|| MemberError::value("prefix", "1 to 65 bytes in lower-case hex"))?,
        proof: codec::base64_decode(&members.text("proof")?)
            .map_err(|_| MemberError::value("proof", "canonical base64"))?,
    };
    members.finish()?;
    Ok(path)
}
