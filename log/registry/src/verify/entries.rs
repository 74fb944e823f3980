//! What a multi-proof proves: several entries of one tree.
//!
//! Follows `docs/spec/multi-proof.md`, rules MP-20 to MP-30.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use undersigned_tlog::hash::Hash;
use undersigned_tlog::multi_proof::MultiProof;
use undersigned_tlog::tree::verify_multi_inclusion;

use super::{Trust, VerifyError, check_entry};
use crate::entry::{self, Entry};
use crate::event::Event;
use crate::id::{EventHash, PartyId, RegistryId};

/// One entry that a multi-proof proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedEntry {
    /// Its index.
    pub index: u64,
    /// Its exact bytes.
    pub bytes: Vec<u8>,
    /// The event's hash.
    pub event_hash: EventHash,
    /// The event.
    pub event: Event,
    /// Who acts; nobody in a `registry.tick`.
    pub party: Option<PartyId>,
    /// The registry's clock in POSIX seconds; stated by the registry.
    pub received: u64,
}

/// What a multi-proof proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedEntries {
    /// The log.
    pub origin: String,
    /// The registry, where the trust anchor names it; `None`: its identity is unchecked.
    pub registry: Option<RegistryId>,
    /// The size of the checkpoint's tree.
    pub tree_size: u64,
    /// The root of the checkpoint's tree.
    pub tree_root: Hash,
    /// The entries, in the order of their indexes.
    pub entries: Vec<VerifiedEntry>,
}

/// Checks a multi-proof against a trust anchor.
///
/// # Errors
/// The first check that does not hold.
pub fn verify_entries(proof: &MultiProof, trust: &Trust) -> Result<VerifiedEntries, VerifyError> {
    let checkpoint = trust.open_checkpoint(proof.unverified_checkpoint())?;
    let head = checkpoint.checkpoint();
    let leaves: Vec<_> =
        proof.entries().iter().map(|proved| (proved.index, entry::leaf(&proved.bytes))).collect();
    verify_multi_inclusion(&leaves, head.size(), proof.hashes(), head.root())
        .map_err(VerifyError::Entries)?;
    let entries = proof.entries().iter().map(|proved| {
        let index = proved.index.get();
        let entry = Entry::parse(&proved.bytes).map_err(|error| VerifyError::Entry { index, error })?;
        let (envelope, _) = check_entry(&entry, index, head.origin(), trust)?;
        let event = envelope.event();
        Ok(VerifiedEntry {
            index,
            bytes: proved.bytes.clone(),
            event_hash: envelope.event_hash(),
            event: event.clone(),
            party: event.actor(envelope.event_hash()),
            received: entry.received,
        })
    });
    Ok(VerifiedEntries {
        origin: head.origin().to_string(),
        registry: trust.registry().cloned(),
        tree_size: head.size().get(),
        tree_root: *head.root(),
        entries: entries.collect::<Result<_, VerifyError>>()?,
    })
}
