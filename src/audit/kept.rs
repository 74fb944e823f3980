//! What an audit keeps, so that the next one continues instead of beginning at entry 0
//! (`docs/spec/audit-state.md`).
//!
//! Whatever in it an audit rests on is proved by the checkpoint that it holds: the records by the state root
//! in the last entry, that entry by its inclusion proof, the edge of the tree by its root, the checkpoint by
//! the log key. So a file that was altered is found out as such, and is never taken for a lie of the log.
//!
//! Not here: files, and what to do when the log contradicts what was kept (`resume`).

use undersigned_registry::entry::{Entry, leaf};
use undersigned_registry::id::RegistryId;
use undersigned_registry::ledger::Ledger;
use undersigned_registry::record::Record;
use undersigned_registry::state::Restoring;
use undersigned_registry::state_tree::Record as _;
use undersigned_registry::verify::Trust;
use undersigned_tlog::checkpoint::SignedCheckpoint;
use undersigned_tlog::codec::{base64_decode, base64_encode, decimal, hex_decode, hex_encode};
use undersigned_tlog::edge::Frontier;
use undersigned_tlog::hash::{HASH_BYTES, Hash, sha256};
use undersigned_tlog::tile::Tile;
use undersigned_tlog::tree::{LeafIndex, verify_inclusion};

use std::sync::Arc;

use super::follow::{Last, Past, Seen};

/// An audit that ended well, as far as another one needs it.
#[derive(Debug)]
pub struct Kept {
    pub(super) registry: RegistryId,
    /// The checkpoint, with its file byte for byte: evidence, should the log ever contradict it.
    pub(super) seen: Seen,
    pub(super) past: Past,
}

/// What the report counts and the log does not prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) tiles: u64,
    pub(super) signatures: u64,
    pub(super) first_received: u64,
}

/// Why what was kept cannot be used. None of these says anything about the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeptError {
    /// It is no such file.
    #[error("it is not the state of an audit")]
    NotOne,
    /// It was cut off, overwritten or altered.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    /// It is of another registry.
    #[error("it is of the registry {found}, and the policy names {expected}")]
    OtherRegistry {
        /// What the file is of.
        found: RegistryId,
        /// What the trust anchor names.
        expected: RegistryId,
    },
    /// Its checkpoint is none under this trust anchor.
    #[error("its checkpoint is not one that the policy trusts: {0}")]
    OtherPolicy(String),
}

impl Kept {
    /// The size of the tree that was audited.
    #[must_use]
    pub const fn tree_size(&self) -> u64 {
        self.seen.signed.size().get()
    }

    /// The checkpoint that was audited, as the log signed it.
    #[must_use]
    pub fn checkpoint(&self) -> &[u8] {
        &self.seen.bytes
    }

    /// The state after the entries that were audited.
    #[must_use]
    pub fn into_ledger(self) -> Ledger {
        self.past.ledger
    }

    /// The bytes of the file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(&self.registry, &self.seen, &self.past)
    }

    /// Reads what was kept, and checks all that it proves of itself.
    ///
    /// # Errors
    /// It is damaged, or not of the log that the trust anchor names.
    pub fn decode(bytes: &[u8], trust: &Trust) -> Result<Self, KeptError> {
        let text = whole(bytes)?;
        let mut lines = text.lines().skip(1);
        let registry = RegistryId::parse(member(&mut lines, "registry")?).ok_or(MALFORMED)?;
        if let Some(expected) = trust.registry().filter(|expected| **expected != registry) {
            return Err(KeptError::OtherRegistry { found: registry, expected: expected.clone() });
        }
        let counts = Counts {
            tiles: number(&mut lines, "tiles")?,
            signatures: number(&mut lines, "signatures")?,
            first_received: number(&mut lines, "first-received")?,
        };
        let checkpoint = binary(&mut lines, "checkpoint")?;
        let edge = binary(&mut lines, "edge")?;
        let proof = binary(&mut lines, "proof")?;
        let last_entry = binary(&mut lines, "entry")?;
        let signed =
            trust.open_checkpoint(&checkpoint).map_err(|error| KeptError::OtherPolicy(error.to_string()))?;
        let frontier = frontier(&signed, &edge)?;
        let last_proof = proof
            .chunks(HASH_BYTES)
            .map(|hash| Hash::from_slice(hash).map_err(|_| MALFORMED))
            .collect::<Result<Vec<_>, _>>()?;
        let ledger = ledger(&signed, &last_entry, &last_proof, lines)?;
        if ledger.registry().as_ref() != Some(&registry) {
            return Err(KeptError::Damaged("its records are of another registry"));
        }
        let last = Some(Last { entry: last_entry, proof: last_proof });
        let past = Past { ledger, frontier, counts, last };
        Ok(Self { registry, seen: Seen { bytes: checkpoint, signed }, past })
    }
}

/// The bytes of the file in which this is kept.
pub(super) fn encode(registry: &RegistryId, seen: &Seen, past: &Past) -> Vec<u8> {
    let edge: Vec<u8> = past.frontier.tiles().flat_map(|(_, tile)| tile.bytes().to_vec()).collect();
    let (entry, proof) =
        past.last.as_ref().map(|last| (last.entry.as_slice(), last.proof.as_slice())).unwrap_or_default();
    let proof: Vec<u8> = proof.iter().flat_map(|hash| *hash.as_bytes()).collect();
    let mut out = format!(
        "{MAGIC}\nregistry {registry}\ntiles {}\nsignatures {}\nfirst-received {}\ncheckpoint {}\nedge {}\nproof {}\nentry {}\n",
        past.counts.tiles,
        past.counts.signatures,
        past.counts.first_received,
        base64_encode(&seen.bytes),
        base64_encode(&edge),
        base64_encode(&proof),
        base64_encode(entry),
    )
    .into_bytes();
    for (key, record) in past.ledger.state().all() {
        out.extend_from_slice(hex_encode(key).as_bytes());
        out.push(b' ');
        out.extend_from_slice(&record.encode());
        out.push(b'\n');
    }
    let end = format!("{END}{}\n", sha256(&[&out]).to_hex());
    out.extend_from_slice(end.as_bytes());
    out
}

/// The text above the last line, if that line fits it.
fn whole(bytes: &[u8]) -> Result<&str, KeptError> {
    if bytes.is_empty() {
        return Err(KeptError::Damaged("it is empty"));
    }
    if bytes.contains(&0) {
        return Err(KeptError::Damaged("it has zero bytes, as a power cut leaves them"));
    }
    if !bytes.starts_with(MAGIC.as_bytes()) {
        return Err(KeptError::NotOne);
    }
    let cut = KeptError::Damaged("its end is missing");
    let body = bytes.strip_suffix(b"\n").ok_or(cut.clone())?;
    let last = body.iter().rposition(|byte| *byte == b'\n').ok_or(cut.clone())?.saturating_add(1);
    let (above, end) = bytes.split_at_checked(last).ok_or(cut.clone())?;
    let stated = end.strip_prefix(END.as_bytes()).ok_or(cut)?;
    if stated.strip_suffix(b"\n") != Some(sha256(&[above]).to_hex().as_bytes()) {
        return Err(KeptError::Damaged("its last line does not fit what stands above it"));
    }
    std::str::from_utf8(above).map_err(|_| MALFORMED)
}

/// The edge of the tree, which must have the root that was signed.
fn frontier(signed: &SignedCheckpoint, mut edge: &[u8]) -> Result<Frontier, KeptError> {
    let frontier = Frontier::from_tiles(signed.size(), |_, width| {
        let length = usize::try_from(width.get()).unwrap_or(usize::MAX).saturating_mul(HASH_BYTES);
        let (tile, rest) = edge.split_at_checked(length).ok_or(())?;
        edge = rest;
        Tile::from_bytes(tile).map(Arc::new).map_err(|_| ())
    });
    frontier
        .ok()
        .filter(|frontier| frontier.root() == *signed.root())
        .ok_or(KeptError::Damaged("its edge of the tree does not have the root of its checkpoint"))
}

/// The ledger, whose records must give the state root of the last entry, which must be in the signed tree.
fn ledger<'a>(
    signed: &SignedCheckpoint,
    last_entry: &[u8],
    proof: &[Hash],
    lines: impl Iterator<Item = &'a str>,
) -> Result<Ledger, KeptError> {
    let size = signed.size();
    let last = LeafIndex::new(size.get().saturating_sub(1));
    verify_inclusion(&leaf(last_entry), last, size, proof, signed.root())
        .map_err(|_| KeptError::Damaged("its last entry is not in the tree of its checkpoint"))?;
    let entry = Entry::parse(last_entry).map_err(|_| MALFORMED)?;
    let other = KeptError::Damaged("its records do not give the state root of its last entry");
    let mut state = Restoring::new();
    for line in lines {
        let (key, record) = line.split_once(' ').ok_or(MALFORMED)?;
        let key = hex_decode(key).map_err(|_| MALFORMED)?;
        let record = Record::decode(&key, record.as_bytes()).map_err(|_| MALFORMED)?;
        let record = Restoring::prepare(&key, record).map_err(|_| other.clone())?;
        state.push(record).map_err(|_| other.clone())?;
    }
    let mut ledger = Ledger::resume(size.get(), state.finish().map_err(|_| other.clone())?);
    match ledger.settle() {
        Ok(root) if root == entry.state => Ok(ledger),
        _ => Err(other),
    }
}

fn member<'a>(lines: &mut impl Iterator<Item = &'a str>, name: &str) -> Result<&'a str, KeptError> {
    let line = lines.next().ok_or(MALFORMED)?;
    line.strip_prefix(name).and_then(|rest| rest.strip_prefix(' ')).ok_or(MALFORMED)
}

fn number<'a>(lines: &mut impl Iterator<Item = &'a str>, name: &str) -> Result<u64, KeptError> {
    decimal(member(lines, name)?).map_err(|_| MALFORMED)
}

fn binary<'a>(lines: &mut impl Iterator<Item = &'a str>, name: &str) -> Result<Vec<u8>, KeptError> {
    base64_decode(member(lines, name)?).map_err(|_| MALFORMED)
}

const MAGIC: &str = "undersigned audit state v1";
const END: &str = "sha256 ";
const MALFORMED: KeptError = KeptError::Damaged("a line of it is not what stands there");
