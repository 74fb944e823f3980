//! The law of the registry, as the sequencer runs it: admission, and the state paths of each answer.

use std::sync::Arc;

use undersigned_registry::entry::Entry;
use undersigned_registry::envelope::{CheckedEnvelope, Envelope};
use undersigned_registry::event::{BlobRef, Body};
use undersigned_registry::id::EventHash;
use undersigned_registry::ledger::{AdmitError, Ledger, Verdict};
use undersigned_registry::receipt;
use undersigned_registry::record::{Record, StateKey};
use undersigned_registry::rules::{Facts as _, Refusal};
use undersigned_registry::state::Undo;
use undersigned_registry::state_tree::{SubtreeProof, Tally};

use undersigned_tlog::hash::Hash;

use super::law::{Kept, Law, Outcome, Piece, Rejected, Tick};
use crate::admission::CheckedSubmission;

mod copy;
mod records;
#[cfg(test)]
mod tests;

use copy::{Copy, PIECE_RECORDS_MAX};

/// What a receipt is built from beside the tree: cut when the entry was applied.
#[derive(Debug)]
pub struct Cut {
    /// State paths against the entry's own root.
    pub paths: Vec<CutPath>,
    /// The blobs that the entry and the proved records name and that are small enough to travel along.
    pub small_blobs: Vec<BlobRef>,
    /// Of an endorsement without an end, or a withdrawal: whose thread it is, for whoever lists entries.
    pub thread: Option<CutThread>,
}

/// What the records say of an entry whose bytes name party and version by hash alone.
#[derive(Debug, Clone, Copy)]
pub struct CutThread {
    /// The hash of its event.
    pub event: EventHash,
    /// The entry that created the party.
    pub party: u64,
    /// The entry that published the version.
    pub version: u64,
    /// Whether it endorses; otherwise it withdraws.
    pub endorses: bool,
}

/// A state path as it was cut. It is checked like this, and then written: who writes first must read it again.
#[derive(Debug)]
pub struct CutPath {
    /// What it proves something about.
    pub key: StateKey,
    /// The way from there to the root.
    pub proof: SubtreeProof,
    /// The sum that the tree has for what the proof ends in.
    pub tally: Tally,
}

/// The registry's law over its ledger.
#[derive(Debug, Default)]
pub struct RegistryLaw {
    ledger: Ledger,
    /// The batch in the making, oldest first.
    undo: Vec<Undo>,
    /// The log keys that entry 0 names, once it was seen.
    log_keys: Option<Vec<String>>,
    /// A copy of the state in the making.
    copy: Option<Copy>,
}

impl RegistryLaw {
    /// The law before entry 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The law after the entries of a ledger, to follow those that come after.
    #[must_use]
    pub fn resume(ledger: Ledger) -> Self {
        Self { ledger, ..Self::default() }
    }

    /// The ledger after the newest entry decided.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Cuts what the receipt of the newest entry shows of the state.
    fn cut(&self, envelope: &CheckedEnvelope) -> Result<Cut, String> {
        let state = self.ledger.state();
        let keys = receipt::proved_keys(envelope.event(), envelope.event_hash());
        let cut = |key: StateKey| {
            let (proof, tally) = state.prove_summed(&key).map_err(|fault| fault.to_string())?;
            Ok(CutPath { key, proof, tally })
        };
        let paths = keys.into_iter().map(cut).collect::<Result<_, String>>()?;
        let event = envelope.event();
        let party = event.actor(envelope.event_hash());
        let party = match party.and_then(|party| state.record(&StateKey::party(&party))) {
            Some(Record::Party(record)) => Some(record),
            _ => None,
        };
        let (version, endorses) = match &event.body {
            Body::Endorse { version, not_after, .. } => {
                (Some(version), Some(true).filter(|_| not_after.is_none()))
            }
            Body::Withdraw { version, .. } => (Some(version), Some(false)),
            _ => (None, None),
        };
        let version = match version.and_then(|version| state.record(&StateKey::version(version))) {
            Some(Record::Version(record)) => Some(record),
            _ => None,
        };
        let thread = match (party, version, endorses) {
            (Some(party), Some(version), Some(endorses)) => Some(CutThread {
                event: envelope.event_hash(),
                party: party.first,
                version: version.entry,
                endorses,
            }),
            _ => None,
        };
        let names = party.into_iter().flat_map(|record| record.names.iter().map(|name| name.text));
        let titles = version.into_iter().flat_map(|record| record.texts.iter().map(|text| text.title));
        let small_blobs = small_blobs(event.blobs().into_iter().chain(names).chain(titles));
        Ok(Cut { paths, small_blobs, thread })
    }
}

/// Those that a receipt carries of the names and titles of the event itself, of the party, and of the version
/// that is endorsed.
fn small_blobs(named: impl Iterator<Item = BlobRef>) -> Vec<BlobRef> {
    let mut left = receipt::RECEIPT_BLOBS_BYTES_MAX;
    let mut chosen: Vec<BlobRef> = Vec::new();
    for blob in named {
        let size = usize::try_from(blob.size).unwrap_or(usize::MAX);
        if blob.size <= receipt::RECEIPT_BLOB_BYTES_MAX && size <= left && !chosen.contains(&blob) {
            left -= size;
            chosen.push(blob);
        }
    }
    chosen
}

impl Law for RegistryLaw {
    type Submission = CheckedSubmission;
    type Refusal = Refusal;
    type Cut = Arc<Cut>;

    fn identity(&self) -> String {
        self.ledger.registry().map(|registry| registry.to_text()).unwrap_or_default()
    }

    fn size(&self) -> u64 {
        self.ledger.size()
    }

    fn received(&self) -> u64 {
        self.ledger.received()
    }

    fn max_lag(&self) -> u64 {
        self.ledger.policy().map_or(0, |policy| policy.max_lag)
    }

    fn decide(
        &mut self,
        submission: CheckedSubmission,
        received: u64,
    ) -> Result<Outcome<Arc<Cut>>, Rejected<Refusal>> {
        let CheckedSubmission { envelope, blobs } = submission;
        match self.ledger.admit(&envelope, received) {
            Ok(Verdict::Entry(admitted)) => {
                self.undo.push(admitted.undo);
                let cut = self.cut(&envelope).map_err(Rejected::Fatal)?;
                Ok(Outcome::Entry { entry: admitted.entry, blobs, cut: Arc::new(cut) })
            }
            Ok(Verdict::Repeat { entry }) => Ok(Outcome::Repeat { entry }),
            Err(AdmitError::Refused(refusal)) => Err(Rejected::Refused(refusal)),
            Err(fault) => Err(Rejected::Fatal(fault.to_string())),
        }
    }

    fn next_due(&self) -> Option<u64> {
        self.ledger.next_due()
    }

    fn tick(&mut self, received: u64) -> Result<Option<Tick<Arc<Cut>>>, String> {
        let Some(admitted) = self.ledger.tick(received).map_err(|fault| fault.to_string())? else {
            return Ok(None);
        };
        self.undo.push(admitted.undo);
        // It moves no record of its own, so its receipt shows none.
        let cut = Arc::new(Cut { paths: Vec::new(), small_blobs: Vec::new(), thread: None });
        Ok(Some(Tick { entry: admitted.entry, cut }))
    }

    fn keep(&mut self) {
        match &mut self.copy {
            Some(copy) => self.undo.drain(..).for_each(|undo| copy.keep(undo)),
            None => self.undo.clear(),
        }
    }

    fn undo(&mut self) -> Result<(), String> {
        while let Some(undo) = self.undo.pop() {
            self.ledger.undo(undo);
        }
        self.ledger.settle().map(drop).map_err(|fault| fault.to_string())
    }

    fn blobs(&self, entry: &[u8]) -> Vec<Hash> {
        let named = Entry::parse(entry).map(|entry| entry.envelope.event().blobs()).unwrap_or_default();
        named.into_iter().map(|blob| blob.sha256).collect()
    }

    fn knows_key(&self, key: &str) -> bool {
        self.log_keys.as_ref().is_none_or(|keys| keys.iter().any(|known| known == key))
    }

    fn begin_copy(&mut self) -> bool {
        self.copy = Some(Copy::default());
        true
    }

    fn next_piece(&mut self) -> Option<Piece> {
        let piece = self.copy.as_mut()?.next(self.ledger.state(), PIECE_RECORDS_MAX);
        if piece.is_none() {
            self.copy = None;
        }
        piece
    }

    fn end_copy(&mut self) {
        self.copy = None;
    }

    fn restore(&mut self, kept: &Kept<'_>) -> Result<(), String> {
        let last = Entry::parse(kept.last).map_err(|error| error.to_string())?;
        let mut ledger = copy::restore(kept)?;
        if ledger.settle().map_err(|fault| fault.to_string())? != last.state {
            return Err(format!(
                "its records do not give the state root in entry {}",
                kept.size.saturating_sub(1)
            ));
        }
        *self = Self { log_keys: log_keys(kept.first), ..Self::resume(ledger) };
        Ok(())
    }

    fn follow(&mut self, entry: &[u8], trusted: bool) -> Result<(), String> {
        if self.ledger.size() == 0 {
            self.log_keys = log_keys(entry);
        }
        if !trusted {
            return self.ledger.follow_entry(entry).map_err(|deviation| deviation.to_string());
        }
        let entry = Entry::parse(entry).map_err(|error| error.to_string())?;
        let Entry { envelope, received, state, .. } = entry;
        let envelope: CheckedEnvelope = trust(envelope);
        self.ledger.follow(&envelope, received, state).map_err(|deviation| deviation.to_string())
    }
}

/// The log keys that entry 0 names.
fn log_keys(first: &[u8]) -> Option<Vec<String>> {
    match &Entry::parse(first).ok()?.envelope.event().body {
        Body::RegistryOpen { log_keys, .. } => Some(log_keys.clone()),
        _ => None,
    }
}

fn trust(envelope: Envelope) -> CheckedEnvelope {
    CheckedEnvelope::unverified_trusted(envelope)
}
