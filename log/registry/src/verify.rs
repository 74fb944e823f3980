//! What a receipt proves. Every binding is checked, and what is not proved is said.
//!
//! Follows `docs/spec/receipt.md`, rules RC-10 to RC-38. The input is a receipt and a trust anchor; no
//! network, no clock, no state of the caller. The other kinds of proof files are checked beside it: `state`
//! for the answer to a question about the state, `entries` for several entries at once.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use undersigned_tlog::checkpoint::Origin;
use undersigned_tlog::hash::Hash;
use undersigned_tlog::tree::{LeafIndex, verify_inclusion};

use crate::entry::{self, Entry};
use crate::envelope::CheckedEnvelope;
use crate::event::{BlobRef, Body, Event};
use crate::id::{EventHash, KeyId, PartyId, RegistryId};
use crate::key::Role;
use crate::receipt::{self, Receipt, StatePath};
use crate::record::{EndorsementRecord, PartyRecord, Record, StateKey, VersionRecord};
use crate::state_tree::{self, Answer, SubtreeProof, Tally};

mod bind;
mod entries;
mod error;
mod state;
mod trust;

pub use entries::{VerifiedEntries, VerifiedEntry, verify_entries};
pub use error::VerifyError;
pub use state::{StateAnswer, VerifiedState, verify_state};
pub use trust::{Trust, TrustError};

/// One signer of the entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// The key.
    pub key: KeyId,
    /// Its role, where a state path shows whose it was and that it was live at this entry.
    pub role: Option<Role>,
    /// Whose it was, where a state path shows it: the party's that acts, or, of a `party.create` by
    /// invitation, the operator's.
    pub party: Option<PartyId>,
}

/// What a receipt proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The log.
    pub origin: String,
    /// The registry, where the trust anchor names it; `None`: its identity is unchecked.
    pub registry: Option<RegistryId>,
    /// The entry's index.
    pub index: u64,
    /// The size of the checkpoint's tree.
    pub tree_size: u64,
    /// The root of the checkpoint's tree.
    pub tree_root: Hash,
    /// The event's hash.
    pub event_hash: EventHash,
    /// The event.
    pub event: Event,
    /// The registry's clock in POSIX seconds; stated by the registry.
    pub received: u64,
    /// The state root after the entry; stated by the registry, checkable by replay.
    pub state: Hash,
    /// Who acts; nobody in a `registry.tick`.
    pub party: Option<PartyId>,
    /// The party's record at this entry, if a path shows it.
    pub party_record: Option<PartyRecord>,
    /// The signers.
    pub signers: Vec<Signer>,
    /// The endorsement's record at this entry, if the event moves one and a path shows it.
    pub endorsement: Option<EndorsementRecord>,
    /// The version's record, if a path shows it.
    pub version_record: Option<VersionRecord>,
    /// The tally of all endorsements of the version at this entry, if the path shows it.
    pub version_tally: Option<Tally>,
    /// Texts that the receipt carries and something in it names.
    pub blobs: Vec<(BlobRef, Vec<u8>)>,
}

impl Verified {
    /// The bytes of a blob, if the receipt carries it.
    #[must_use]
    pub fn blob(&self, blob: &BlobRef) -> Option<&[u8]> {
        self.blobs.iter().find(|(named, _)| named == blob).map(|(_, bytes)| bytes.as_slice())
    }

    /// The party's name: in this language if there is one, else the first.
    #[must_use]
    pub fn party_name(&self, language: &str) -> Option<&str> {
        let names = self.party_record.as_ref().map(|record| &record.names).or(match &self.event.body {
            Body::PartyCreate { names, .. } | Body::RegistryOpen { names, .. } => Some(names),
            _ => None,
        })?;
        let name = names.iter().find(|name| name.language == language).or_else(|| names.first())?;
        core::str::from_utf8(self.blob(&name.text)?).ok()
    }

    /// The statement's title: in this language if there is one, else the first.
    #[must_use]
    pub fn title(&self, language: &str) -> Option<&str> {
        let texts = self.version_record.as_ref().map(|record| &record.texts).or(match &self.event.body {
            Body::StatementVersion { texts, .. } => Some(texts),
            _ => None,
        })?;
        let text = texts.iter().find(|text| text.language == language).or_else(|| texts.first())?;
        core::str::from_utf8(self.blob(&text.title)?).ok()
    }
}

/// Checks a receipt against a trust anchor.
///
/// # Errors
/// The first binding that does not hold.
pub fn verify(receipt: &Receipt, trust: &Trust) -> Result<Verified, VerifyError> {
    let checkpoint = trust.open_checkpoint(&receipt.checkpoint)?;
    let head = checkpoint.checkpoint();
    verify_inclusion(
        &entry::leaf(&receipt.entry_bytes),
        LeafIndex::new(receipt.index),
        head.size(),
        &receipt.hashes,
        head.root(),
    )
    .map_err(VerifyError::Inclusion)?;
    let (envelope, registry) = check_entry(&receipt.entry, receipt.index, head.origin(), trust)?;
    let records = prove_records(receipt, &envelope)?;
    let party = envelope.event().actor(envelope.event_hash());
    let signers = bind::signers(&records, &envelope, party, &registry, receipt.index)?;
    let mut verified = Verified {
        origin: head.origin().to_string(),
        registry: trust.registry().cloned(),
        index: receipt.index,
        tree_size: head.size().get(),
        tree_root: *head.root(),
        event_hash: envelope.event_hash(),
        event: envelope.event().clone(),
        received: receipt.entry.received,
        state: receipt.entry.state,
        party,
        party_record: None,
        signers,
        endorsement: None,
        version_record: None,
        version_tally: None,
        blobs: Vec::new(),
    };
    bind::bind_party(&mut verified, &records)?;
    bind::bind_moved(&mut verified, &records, &registry)?;
    bind_blobs(&mut verified, &receipt.blobs)?;
    Ok(verified)
}

/// RC-23 to RC-26: what is asked of an entry at its index, whatever kind of file it is proved by.
fn check_entry(
    entry: &Entry,
    index: u64,
    origin: &Origin,
    trust: &Trust,
) -> Result<(CheckedEnvelope, RegistryId), VerifyError> {
    let envelope = entry.envelope.clone().check()?;
    let registry = check_registry(&envelope, origin.as_str(), trust.registry())?;
    check_place(&envelope, index, entry.received)?;
    Ok((envelope, registry))
}

/// RC-24: which registry the entry is of.
fn check_registry(
    envelope: &CheckedEnvelope,
    origin: &str,
    trusted: Option<&RegistryId>,
) -> Result<RegistryId, VerifyError> {
    let found = match (&envelope.event().registry, &envelope.event().body) {
        (Some(registry), _) => Some(registry.clone()),
        (None, Body::RegistryOpen { origin, .. }) => RegistryId::new(origin, envelope.event_hash()),
        (None, _) => None,
    };
    let named = found.as_ref().map(RegistryId::to_text).unwrap_or_default();
    found
        .filter(|found| found.origin() == origin && trusted.is_none_or(|trusted| trusted == found))
        .ok_or_else(|| VerifyError::Registry {
            found: named,
            expected: trusted.map_or_else(|| origin.to_string(), RegistryId::to_text),
        })
}

/// RC-25, RC-26: what the law asks of every entry and needs no state.
fn check_place(envelope: &CheckedEnvelope, index: u64, received: u64) -> Result<(), VerifyError> {
    if matches!(envelope.event().body, Body::RegistryOpen { .. }) != (index == 0) {
        return Err(VerifyError::NotGenesis);
    }
    match envelope.event().log_before {
        Some(log_before) if log_before < received => Err(VerifyError::Expired { log_before, received }),
        _ => Ok(()),
    }
}

struct Proved {
    key: Vec<u8>,
    record: Record,
    verified: state_tree::Verified,
}

/// RC-27, RC-28: every path is called for, and is walked to the entry's own root.
fn prove_records(receipt: &Receipt, envelope: &CheckedEnvelope) -> Result<Vec<Proved>, VerifyError> {
    let called_for = receipt::proved_keys(envelope.event(), envelope.event_hash());
    let mut proved = Vec::with_capacity(receipt.paths.len());
    for (position, path) in receipt.paths.iter().enumerate() {
        if !called_for.iter().any(|key| key.as_bytes() == path.prefix) {
            return Err(VerifyError::ForeignPath { position });
        }
        let verified = walk(path, position, &receipt.entry.state)?;
        let record = record_at(&verified, path, position)?;
        proved.push(Proved { key: path.prefix.clone(), record, verified });
    }
    Ok(proved)
}

/// RC-28, SP-24: the path is accepted for its prefix and the entry's root.
fn walk(path: &StatePath, position: usize, root: &Hash) -> Result<state_tree::Verified, VerifyError> {
    let refuse = |reason: String| VerifyError::Path { position, reason };
    let proof = SubtreeProof::decode(&path.proof).map_err(|error| refuse(error.to_string()))?;
    state_tree::verify(&proof, &path.prefix, root, Record::tally_of)
        .map_err(|error| refuse(error.to_string()))
}

/// RC-28, SP-28: the path ends in the record whose key is its prefix.
fn record_at(
    verified: &state_tree::Verified,
    path: &StatePath,
    position: usize,
) -> Result<Record, VerifyError> {
    let refuse = |reason: String| VerifyError::Path { position, reason };
    match &verified.answer {
        Answer::Record { key, record, .. } if *key == path.prefix => {
            Record::decode(key, record).map_err(|error| refuse(error.to_string()))
        }
        _ => Err(refuse("it does not show the record that belongs under its prefix".into())),
    }
}

fn find<'a>(records: &'a [Proved], key: &StateKey) -> Option<&'a Proved> {
    records.iter().find(|proved| proved.key == key.as_bytes())
}

const fn must(holds: bool, otherwise: &'static str) -> Result<(), VerifyError> {
    if holds { Ok(()) } else { Err(VerifyError::Contradiction(otherwise)) }
}

/// RC-36.
fn bind_blobs(verified: &mut Verified, blobs: &[Vec<u8>]) -> Result<(), VerifyError> {
    let mut named = verified.event.blobs();
    named.extend(blobs_of(verified.party_record.as_ref(), verified.version_record.as_ref()));
    verified.blobs = matched(&named, blobs)?;
    Ok(())
}

/// The texts that these records name.
fn blobs_of(party: Option<&PartyRecord>, version: Option<&VersionRecord>) -> Vec<BlobRef> {
    let names = party.into_iter().flat_map(|record| record.names.iter().map(|name| name.text));
    let texts = version.into_iter().flat_map(|record| &record.texts);
    names.chain(texts.flat_map(|text| [text.title, text.text])).collect()
}

/// RC-36, SP-30: each blob is one that is named.
fn matched(named: &[BlobRef], blobs: &[Vec<u8>]) -> Result<Vec<(BlobRef, Vec<u8>)>, VerifyError> {
    let known = |(position, bytes): (usize, &Vec<u8>)| {
        let blob = BlobRef::of(bytes);
        if named.contains(&blob) {
            Ok((blob, bytes.clone()))
        } else {
            Err(VerifyError::ForeignBlob { position })
        }
    };
    blobs.iter().enumerate().map(known).collect()
}
