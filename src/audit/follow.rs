//! A log that is followed from outside, checkpoint by checkpoint: the one way in which an audit and a mirror
//! find out what a log holds.
//!
//! Each step is taken whole before anybody hears of it: the checkpoint under the trust anchor; that its tree
//! begins with the one before; then, bundle by bundle, hashes, tiles, signatures, law and state roots, and
//! that the entries so far are a beginning of the very tree that the log key signed. Only then a
//! [`Batch`] is handed over.
//!
//! Not here: where the files come from (`source`), and what becomes of a batch.

use undersigned_registry::ledger::Ledger;
use undersigned_registry::verify::Trust;
use undersigned_tlog::checkpoint::SignedCheckpoint;
use undersigned_tlog::edge::Frontier;
use undersigned_tlog::hash::Hash;
use undersigned_tlog::tile::{Tile, TileCoordinate};

use std::sync::Arc;

use super::check::{CheckedEntry, Portions};
use super::kept::{self, Counts, Kept};
use super::replay::{Replay, report};
use super::resume;
use super::source::{Source, SourceError};
use super::{AuditError, Replayed, Report};

/// What was replayed so far.
#[derive(Debug)]
pub(super) struct Past {
    pub(super) ledger: Ledger,
    pub(super) frontier: Frontier,
    pub(super) counts: Counts,
    pub(super) last: Option<Last>,
}

/// The newest entry, and the proof that it is the last leaf of the tree that was replayed.
#[derive(Debug)]
pub(super) struct Last {
    pub(super) entry: Vec<u8>,
    pub(super) proof: Vec<Hash>,
}

/// A checkpoint that the trust anchor accepts, with the file that it came in.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) bytes: Vec<u8>,
    pub(super) signed: SignedCheckpoint,
}

/// A log as far as it was followed.
#[derive(Debug)]
pub struct Follower {
    trust: Trust,
    past: Past,
    /// The newest checkpoint that leads on from those before.
    seen: Option<Seen>,
    /// Whether all that was replayed was handed over: it stopped between two bundles, if it stopped.
    is_whole: bool,
}

/// Entries that kept every rule, all of one bundle, in a tree that the log key signed.
#[derive(Debug)]
pub struct Batch<'a> {
    /// The number of the bundle.
    pub bundle: u64,
    /// All entries of the bundle up to the newest; those before `first` were handed over earlier.
    pub entries: &'a [Vec<u8>],
    /// The index of the first new entry.
    pub first: u64,
    /// The tiles that these entries filled.
    pub filled: Vec<(TileCoordinate, Arc<Tile>)>,
    pub(super) checked: &'a [Result<CheckedEntry, undersigned_registry::ledger::Deviation>],
}

impl Batch<'_> {
    /// The new entries.
    pub fn replayed(&self) -> impl Iterator<Item = Replayed<'_>> {
        // None is an error: those are found before a batch is made.
        (self.first..).zip(self.checked.iter().flatten()).map(|(index, entry)| Replayed {
            index,
            received: entry.received,
            envelope: &entry.envelope,
        })
    }
}

impl Follower {
    /// Follows a log from entry 0 on.
    #[must_use]
    pub fn new(trust: Trust) -> Self {
        let counts = Counts { tiles: 0, signatures: 0, first_received: 0 };
        let past = Past { ledger: Ledger::new(), frontier: Frontier::new(), counts, last: None };
        Self { trust, past, seen: None, is_whole: true }
    }

    /// Goes on from what was kept.
    #[must_use]
    pub fn resume(trust: Trust, kept: Kept) -> Self {
        let Kept { seen, past, .. } = kept;
        Self { trust, past, seen: Some(seen), is_whole: true }
    }

    /// How many entries were replayed.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.past.ledger.size()
    }

    /// The newest checkpoint that leads on from those before, and its file. Its tree may be larger than what
    /// was replayed.
    #[must_use]
    pub fn checkpoint(&self) -> Option<(&SignedCheckpoint, &[u8])> {
        self.seen.as_ref().map(|seen| (&seen.signed, seen.bytes.as_slice()))
    }

    /// Whether everything up to the newest checkpoint was replayed.
    #[must_use]
    pub fn is_at_checkpoint(&self) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.signed.size() == self.past.frontier.size())
    }

    /// Whether one may go on with it after an error: else it stopped in the middle of a bundle, and only what
    /// was kept can be gone on from.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// The partial tiles of what was replayed.
    pub fn edge(&self) -> impl Iterator<Item = (TileCoordinate, &Arc<Tile>)> {
        self.past.frontier.tiles()
    }

    /// Reads the checkpoint of now; it must lead on from the one before.
    ///
    /// # Errors
    /// It cannot be read, is not trusted, or contradicts what was signed before.
    pub fn look(&mut self, source: &dyn Source) -> Result<(), AuditError> {
        let bytes = source.checkpoint()?;
        let signed = self.trust.open_checkpoint(&bytes).map_err(AuditError::Trust)?;
        if let Some(seen) = &self.seen {
            match resume::check(source, &seen.signed, &signed, &bytes) {
                Err(doubt @ AuditError::Lied { .. }) => return Err(self.wrong_entry(source, &signed, doubt)),
                checked => checked?,
            }
        }
        self.seen = Some(Seen { bytes, signed });
        Ok(())
    }

    /// The tiles do not lead on from what was replayed: replays what comes after it, to say which entry is
    /// wrong. Nothing is handed over.
    fn wrong_entry(
        &mut self,
        source: &dyn Source,
        signed: &SignedCheckpoint,
        doubt: AuditError,
    ) -> AuditError {
        self.is_whole = false;
        let from = self.past.ledger.size();
        let mut replay = Replay::in_doubt(source, &self.trust, signed, &mut self.past);
        let replayed = std::thread::scope(|scope| {
            for portion in Portions::start(scope, source, from, signed.size()) {
                replay.portion(&portion?)?;
            }
            replay.finish()
        });
        match replayed {
            Err(found @ AuditError::Lied { .. }) => found,
            _ => doubt,
        }
    }

    /// Replays up to the newest checkpoint; `progress` hears how many new entries of how many are done.
    ///
    /// # Errors
    /// The files cannot be read or break a rule, or `take` failed.
    pub fn advance<E: From<AuditError>>(
        &mut self,
        source: &dyn Source,
        progress: &dyn Fn(u64, u64),
        take: &mut dyn FnMut(&Batch<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(seen) = &self.seen else {
            return Err(AuditError::from(SourceError::Empty { name: source.name() }).into());
        };
        let (from, size) = (self.past.ledger.size(), seen.signed.size());
        let mut replay = Replay::new(source, &self.trust, &seen.signed, &mut self.past);
        let is_whole = &mut self.is_whole;
        let new = size.get().saturating_sub(from);
        progress(0, new);
        std::thread::scope(|scope| {
            for portion in Portions::start(scope, source, from, size) {
                let portion = portion.map_err(AuditError::from)?;
                let first = replay.size();
                *is_whole = false;
                if let Some(filled) = replay.portion(&portion)? {
                    take(&Batch {
                        bundle: portion.index,
                        entries: &portion.bundle,
                        first,
                        filled,
                        checked: &portion.entries,
                    })?;
                    *is_whole = true;
                }
                progress(replay.size().saturating_sub(from), new);
            }
            Ok::<(), E>(())
        })?;
        Ok(replay.finish()?)
    }

    /// What a log that was followed up to its newest checkpoint holds.
    ///
    /// # Errors
    /// Nothing was followed yet.
    pub fn report(&self) -> Result<Report, AuditError> {
        let (signed, registry) = self
            .seen
            .as_ref()
            .map(|seen| &seen.signed)
            .zip(self.past.ledger.registry())
            .ok_or_else(|| SourceError::Empty { name: "what was followed".to_owned() })?;
        Ok(report(&self.past, signed, registry, self.trust.registry().is_some()))
    }

    /// What another one can go on from; `None` before the newest checkpoint is reached.
    #[must_use]
    pub fn into_kept(self) -> Option<Kept> {
        if !self.is_at_checkpoint() {
            return None;
        }
        let registry = self.past.ledger.registry()?;
        Some(Kept { registry, seen: self.seen?, past: self.past })
    }

    /// The bytes of what [`Self::into_kept`] gives.
    #[must_use]
    pub fn encode(&self) -> Option<Vec<u8>> {
        if !self.is_at_checkpoint() {
            return None;
        }
        Some(kept::encode(&self.past.ledger.registry()?, self.seen.as_ref()?, &self.past))
    }
}
