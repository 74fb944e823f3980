//! An entry as somebody looks at it: what it says, who signed it, whether it still stands, its proof.

use std::sync::Arc;

use undersigned_registry::entry::{Entry, leaf};
use undersigned_registry::event::{Body, event_hash};
use undersigned_registry::id::{PartyId, VersionId};
use undersigned_registry::record::{EndorsementRecord, KeyRecord, Record, StateKey, Status};
use undersigned_registry::rules::Facts as _;

use super::act::{Act, Lookup};
use super::indexed_entry;
use crate::http::answer::{self, Reference, ask, blocking, entry_bytes, published, resolve};
use crate::http::problem::Problem;
use crate::node::Handle;

/// A key that signed an entry.
pub(in crate::http) struct Signer {
    pub(in crate::http) key: String,
    pub(in crate::http) method: &'static str,
    pub(in crate::http) role: Option<&'static str>,
    /// Whose the key is.
    pub(in crate::http) party: Option<String>,
    /// Whether it was ended in distrust since.
    pub(in crate::http) is_revoked: bool,
}

/// What became of the endorsement that an entry makes or ends.
pub(in crate::http) struct Standing {
    pub(in crate::http) is_active: bool,
    pub(in crate::http) is_lapsed: bool,
    /// The last second in which it stands or stood, where it ends by itself.
    pub(in crate::http) not_after: Option<u64>,
    /// The newest entry that endorses; none if there never was one: a withdrawal may come first.
    pub(in crate::http) endorsed: Option<u64>,
    /// The newest entry of its thread.
    pub(in crate::http) entry: u64,
}

/// An entry, looked at.
pub(in crate::http) struct EntryDetail {
    /// The published tree that the proof is for.
    pub(in crate::http) tree_size: u64,
    pub(in crate::http) act: Act,
    pub(in crate::http) event_hash: String,
    pub(in crate::http) leaf_hash: String,
    pub(in crate::http) root: String,
    /// The state after the entry, which it commits to.
    pub(in crate::http) state_root: String,
    /// How many hashes lead from the leaf to the root; checked.
    pub(in crate::http) path_length: usize,
    pub(in crate::http) receipt_bytes: usize,
    pub(in crate::http) signers: Vec<Signer>,
    pub(in crate::http) standing: Option<Standing>,
    /// The entry as canonical JSON.
    pub(in crate::http) json: Vec<u8>,
}

/// An entry by its index or event hash, with everything about it checked anew.
pub(in crate::http) async fn entry_detail(handle: &Handle, reference: &str) -> Result<EntryDetail, Problem> {
    let index = resolve(handle, Reference::parse(reference)?, published(handle).head.size).await?;
    let reader = Arc::clone(&handle.reader);
    let size = published(handle).head.size;
    let entry = blocking(move || indexed_entry(&reader, index, size)).await?;
    let (size, (endorsement, keys)) = facts(handle, &entry).await?;
    // The state was asked of a tree that is published by now, so this one is not older.
    let published = published(handle);
    let logged = handle.recent_entries.find(index);
    handle.index.wait_for(size).await?;
    let (lookup_index, reader) = (Arc::clone(&handle.index), Arc::clone(&handle.reader));
    blocking(move || {
        let json = entry_bytes(&reader, index, size)?;
        // Builds it and checks it: the path against the published root, what it holds against the entry.
        let receipt = answer::read_receipt(&reader, &published, index, logged.as_deref())?;
        let path_length = answer::inclusion(&reader, &published, index)?.len();
        let lookup = Lookup { index: &lookup_index, reader: &reader, size };
        let signers = entry.envelope.proofs().iter().zip(keys).map(|(proof, record)| Signer {
            key: proof.key_id().to_string(),
            method: proof.method.name(),
            role: record.as_ref().map(|record| record.role.name()),
            party: record.as_ref().map(|record| record.party.to_string()),
            is_revoked: record.is_some_and(|record| record.revoked),
        });
        Ok(EntryDetail {
            tree_size: published.head.size.get(),
            act: lookup.act_of(index, &entry)?,
            event_hash: event_hash(entry.envelope.event_bytes()).to_string(),
            leaf_hash: leaf(&json).to_hex(),
            root: published.head.root.to_hex(),
            state_root: entry.state.to_hex(),
            path_length,
            receipt_bytes: receipt.len(),
            signers: signers.collect(),
            standing: endorsement.map(|record| Standing {
                is_active: record.status == Status::Active,
                is_lapsed: record.status == Status::Lapsed,
                not_after: record.not_after,
                endorsed: record.endorsed,
                entry: record.entry,
            }),
            json,
        })
    })
    .await
}

type EntryFacts = (Option<EndorsementRecord>, Vec<Option<KeyRecord>>);

/// What the state knows now of the endorsement and the keys of an entry.
async fn facts(
    handle: &Handle,
    entry: &Entry,
) -> Result<(undersigned_tlog::tree::TreeSize, EntryFacts), Problem> {
    let event = entry.envelope.event();
    let thread: Option<(VersionId, PartyId)> = match (&event.body, event.party) {
        (Body::Endorse { version, .. } | Body::Withdraw { version, .. }, Some(party)) => {
            Some((*version, party))
        }
        _ => None,
    };
    let signers = event.signers.clone();
    ask(handle, move |law| {
        let state = law.ledger().state();
        let endorsement = thread.and_then(|(version, party)| {
            match state.record(&StateKey::endorsement(&version, &party)) {
                Some(Record::Endorsement(record)) => Some(record.clone()),
                _ => None,
            }
        });
        let keys = signers
            .iter()
            .map(|key| match state.record(&StateKey::key(key)) {
                Some(Record::Key(record)) => Some(record.clone()),
                _ => None,
            })
            .collect();
        (endorsement, keys)
    })
    .await
}
