//! A mirror: one log, followed from outside and kept in a folder, byte for byte as the log serves it.
//!
//! Everything is verified before it is stored, by the same steps as in an audit ([`crate::audit::Follower`]):
//! the checkpoint and that it leads on from the last, then tiles, entries, signatures, law and state roots.
//! Tiles, bundles and blobs are durable before the mirror's own `checkpoint` names them, so that it never
//! promises what it does not have. It holds no log key, and nothing that it stored is ever deleted but partial
//! tiles whose full form is there.
//!
//! - `place`: where a log lies below the mirror's folder, and what is kept of it;
//! - `keep`: writing what was verified;
//! - `blobs`: names and texts, which the log may have erased;
//! - `evidence`: what is put away of a log that broke a rule;
//! - `follow`: round after round, until it is told to stop.
//!
//! Never from here: sequencer, signer, index, HTTP handlers. Who serves the copy is told of each checkpoint.

mod blobs;
mod evidence;
mod follow;
mod keep;
mod place;

use std::sync::Arc;

use undersigned_client::ClientError;
use undersigned_registry::verify::Trust;
use undersigned_tlog::checkpoint::SignedCheckpoint;
use undersigned_tlog::hash::Hash;
use undersigned_tlog::tile::{TileCoordinate, Width};

use crate::audit::{AuditError, Follower, HttpSource, Kept, Source, SourceError};
use crate::disk::DiskError;
use crate::store::{Name, OpenError, Store, StoreError};
use crate::telemetry::long_step::LongStep;
use keep::Keeper;
use place::Place;

pub use follow::{Standing, follow};
pub use place::origin_hash;

/// A log to be mirrored: its static files, and the texts beside them. Nothing of them is believed.
pub trait Log: Source {
    /// A blob's bytes; `None` if the log does not have it any more.
    ///
    /// # Errors
    /// It cannot be told now.
    fn blob(&self, hash: &Hash) -> Result<Option<Vec<u8>>, SourceError>;
}

impl Log for HttpSource {
    fn blob(&self, hash: &Hash) -> Result<Option<Vec<u8>>, SourceError> {
        let name = Name::blob(hash);
        let path = name.as_str().strip_prefix("public/").unwrap_or_default();
        match self.client().get_bytes(path) {
            // No blob is so long.
            Err(ClientError::TooLarge { .. }) => Ok(None),
            found => Ok(found?),
        }
    }
}

/// Why a mirror cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// The policy does not say which registry is meant.
    #[error(
        "the policy names no registry\ntake the one that the registry hands out: it has a line \"# registry ORIGIN#HASH\""
    )]
    NoRegistry,
    /// The folder is of another registry.
    #[error(
        "{path} is the mirror of {found}, and the policy names {expected}\nname another folder, or the policy of that registry"
    )]
    OtherRegistry {
        /// The folder.
        path: String,
        /// What it says.
        found: String,
        /// What the policy says.
        expected: String,
    },
    /// The mirror's own copy does not verify.
    #[error(
        "the copy in {path} is damaged: {problem}\nnothing is served from it: put it back from a backup, or move it away and mirror anew"
    )]
    Copy {
        /// The folder.
        path: String,
        /// What does not hold.
        problem: Box<AuditError>,
    },
    /// The log cannot be read, or broke a rule.
    #[error(transparent)]
    Log(#[from] AuditError),
    /// The log cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The folder cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The folder cannot be made.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Something cannot be written or read there.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state file cannot be read.
    #[error("cannot read {path}: {source}")]
    State {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
}

impl MirrorError {
    /// Whether the log itself broke a rule, so that nothing of it is taken any more.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::Log(error) if !matches!(error, AuditError::Source(_)))
    }

    /// Whether the same may work later: the log cannot be reached, or the disk has no room.
    #[must_use]
    pub const fn is_later(&self) -> bool {
        match self {
            Self::Log(AuditError::Source(_)) | Self::Source(_) => true,
            Self::Store(error) => matches!(error, StoreError::Refused { .. }),
            _ => false,
        }
    }
}

/// What one round came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// The log has the checkpoint that the mirror has.
    Same,
    /// The mirror has a newer one.
    Newer,
}

/// A log as far as it is mirrored.
#[derive(Debug)]
pub struct Mirror {
    trust: Trust,
    place: Place,
    /// None after it stopped inside a bundle: then it begins again from the mirror's own copy.
    follower: Option<Follower>,
    keeper: Keeper,
    /// The checkpoint that the copy is served under.
    adopted: Option<(SignedCheckpoint, Vec<u8>)>,
    /// How many entries the kept state covers.
    kept: u64,
    /// Whether the blobs that were missing have been asked for again since the start.
    asked_again: bool,
    /// The checkpoint that an earlier process was about to reach.
    aim: Option<Vec<u8>>,
}

/// How many entries are so many that the checkpoint which they lead to is noted before they are fetched. After a
/// kill the mirror reaches that one first: else a log that grows faster than it is verified between two kills
/// would move the aim away each time.
const AIM_ENTRIES_MIN: u64 = 256;

/// A log as of a checkpoint that it showed before.
struct AsOf<'a> {
    log: &'a dyn Log,
    checkpoint: &'a [u8],
}

impl Source for AsOf<'_> {
    fn checkpoint(&self) -> Result<Vec<u8>, SourceError> {
        Ok(self.checkpoint.to_vec())
    }

    fn bundle(&self, index: u64, width: Width) -> Result<Vec<Vec<u8>>, SourceError> {
        self.log.bundle(index, width)
    }

    fn tile(&self, coordinate: TileCoordinate, width: Width) -> Result<Vec<u8>, SourceError> {
        self.log.tile(coordinate, width)
    }

    fn name(&self) -> String {
        self.log.name()
    }
}

/// How many entries are verified again at most after a kill, beside an eighth of all: the state is written
/// whole each time, so it is written the more seldom the larger it is.
const KEPT_EVERY_MIN: u64 = 4_096;

impl Mirror {
    /// Opens the mirror of the log that the trust anchor names, below a folder; what was kept there is
    /// verified again from the last state that was written.
    ///
    /// # Errors
    /// The folder cannot be used, or the copy in it does not verify.
    pub fn open(data: &std::path::Path, trust: Trust) -> Result<Self, MirrorError> {
        let registry = trust.registry().ok_or(MirrorError::NoRegistry)?.clone();
        let place = Place::open(data, &registry)?;
        let keeper = Keeper::new(Arc::clone(place.store()));
        let mut mirror = Self {
            trust,
            place,
            follower: None,
            keeper,
            adopted: None,
            kept: 0,
            asked_again: false,
            aim: None,
        };
        mirror.restore()?;
        mirror.aim = mirror.place.read_aim(&mirror.trust, mirror.size())?;
        Ok(mirror)
    }

    /// Where the copy lies.
    #[must_use]
    pub const fn store(&self) -> &Arc<dyn Store> {
        self.place.store()
    }

    /// The folder of this log.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        self.place.path()
    }

    /// The checkpoint that the copy is served under, and its file; none before the first one.
    #[must_use]
    pub fn adopted(&self) -> Option<(&SignedCheckpoint, &[u8])> {
        self.adopted.as_ref().map(|(signed, bytes)| (signed, bytes.as_slice()))
    }

    fn size(&self) -> u64 {
        self.adopted.as_ref().map_or(0, |(signed, _)| signed.size().get())
    }

    /// What was last kept, read again: for who serves the copy.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read_kept(&self) -> Result<Option<Kept>, MirrorError> {
        self.place.read_state(&self.trust)
    }

    /// Replays the mirror's own copy, on from the kept state.
    fn restore(&mut self) -> Result<(), MirrorError> {
        let kept = self.place.read_state(&self.trust)?;
        self.kept = kept.as_ref().map_or(0, Kept::tree_size);
        if let Some(kept) = &kept {
            self.place.restore_checkpoint(&self.trust, kept)?;
        }
        let mut follower = match kept {
            Some(kept) => Follower::resume(self.trust.clone(), kept),
            None => Follower::new(self.trust.clone()),
        };
        if let Some(own) = self.place.copy() {
            let path = self.place.path().display().to_string();
            let damaged = |problem| MirrorError::Copy { path: path.clone(), problem: Box::new(problem) };
            let step = std::cell::RefCell::new(LongStep::begin("the copy is verified again"));
            let progress = |done: u64, of: u64| step.borrow_mut().at(done, of.saturating_sub(done));
            let from = follower.size();
            follower.look(&own).map_err(damaged)?;
            follower.advance(&own, &progress, &mut |_| Ok::<(), AuditError>(())).map_err(damaged)?;
            step.into_inner().end(follower.size().saturating_sub(from));
            self.adopted = follower.checkpoint().map(|(signed, bytes)| (signed.clone(), bytes.to_vec()));
        }
        self.follower = Some(follower);
        Ok(())
    }

    /// Looks at the log once, and takes what is new.
    ///
    /// # Errors
    /// The log cannot be reached or broke a rule, or something cannot be written. The copy stays as it is.
    pub fn round(&mut self, log: &dyn Log) -> Result<Round, MirrorError> {
        if self.follower.is_none() {
            self.restore()?;
        }
        let mut follower = self.follower.take().ok_or(MirrorError::NoRegistry)?;
        let done = self.round_with(&mut follower, log);
        // Where it stopped between two bundles it goes on from there.
        if done.is_ok() || follower.is_whole() {
            self.follower = Some(follower);
        }
        done
    }

    fn round_with(&mut self, follower: &mut Follower, log: &dyn Log) -> Result<Round, MirrorError> {
        if !self.asked_again {
            self.keeper.ask_again(log)?;
            self.asked_again = true;
        }
        match self.aim.take() {
            Some(checkpoint) => follower.look(&AsOf { log, checkpoint: &checkpoint })?,
            None => follower.look(log)?,
        }
        let Some((signed, bytes)) =
            follower.checkpoint().map(|(signed, bytes)| (signed.clone(), bytes.to_vec()))
        else {
            return Ok(Round::Same);
        };
        if self.adopted.as_ref().is_some_and(|(_, adopted)| *adopted == bytes) {
            return Ok(Round::Same);
        }
        if !follower.is_at_checkpoint() {
            if signed.size().get().saturating_sub(follower.size()) >= AIM_ENTRIES_MIN {
                self.place.write_aim(&bytes)?;
            }
            let step = std::cell::RefCell::new(LongStep::begin("entries are mirrored"));
            let progress = |done: u64, of: u64| step.borrow_mut().at(done, of.saturating_sub(done));
            let from = follower.size();
            let keeper = &mut self.keeper;
            follower.advance(log, &progress, &mut |batch| keeper.take(batch, log))?;
            step.into_inner().end(follower.size().saturating_sub(from));
        }
        self.keeper.finish(follower.edge())?;
        // Everything that it names is durable. A crash before it leaves files that nobody is told of.
        self.store().put_checkpoint(&bytes)?;
        let before = self.adopted.replace((signed, bytes));
        let size = follower.size();
        if let Some((before, _)) = before {
            self.keeper.sweep(before.size(), undersigned_tlog::tree::TreeSize::new(size))?;
        }
        tracing::info!(origin = %self.place.origin(), size, "mirrored");
        if size.saturating_sub(self.kept) >= KEPT_EVERY_MIN.max(self.kept / 8) {
            self.keep(follower)?;
        }
        Ok(Round::Newer)
    }

    /// Writes the state that the next start goes on from.
    fn keep(&mut self, follower: &Follower) -> Result<(), MirrorError> {
        if let Some(bytes) = follower.encode() {
            self.place.write_state(&bytes)?;
            self.kept = follower.size();
        }
        Ok(())
    }

    /// Puts away what shows that the log broke a rule; says where it lies.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep_evidence(&self, log: &dyn Log, error: &MirrorError) -> Result<Vec<String>, MirrorError> {
        let MirrorError::Log(lie) = error else { return Ok(Vec::new()) };
        if !error.is_refusal() {
            return Ok(Vec::new());
        }
        let adopted = self.adopted.as_ref().map(|(_, bytes)| bytes.as_slice());
        Ok(evidence::keep(self.store().as_ref(), log, adopted, lie)?)
    }

    /// Ends in order: the next start has nothing to verify again.
    ///
    /// # Errors
    /// The state cannot be written.
    pub fn close(mut self) -> Result<(), MirrorError> {
        match self.follower.take() {
            Some(follower) if follower.size() > self.kept && self.is_adopted(&follower) => {
                self.keep(&follower)
            }
            _ => Ok(()),
        }
    }

    fn is_adopted(&self, follower: &Follower) -> bool {
        let adopted = self.adopted.as_ref().map(|(_, bytes)| bytes.as_slice());
        follower.checkpoint().map(|(_, bytes)| bytes) == adopted
    }
}
