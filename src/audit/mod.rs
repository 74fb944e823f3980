//! Independent eyes: replays a whole log from its static files and says whether it kept every promise.
//!
//! Checked are the checkpoint under the auditor's own trust anchor, every entry from 0 on, every tile that
//! the tree implies, every signature, the law over every entry (`docs/spec/events.md`), and the state root
//! after each. What serves the log is not asked for anything but files, and nothing of it is used here: no
//! sequencer, no admission, no signer, no index.
//!
//! An audit that ended well can be kept ([`Kept`]), and another one continues from there. A mirror follows a
//! log by the same steps ([`Follower`]).
//!
//! Not here: blobs, which may be erased; cosignatures and other people's views of the log.

use std::time::{Duration, Instant};

use undersigned_registry::envelope::CheckedEnvelope;
use undersigned_registry::id::{RegistryId, StatementId, VersionId};
use undersigned_registry::ledger::Deviation;
use undersigned_registry::verify::{Trust, VerifyError};
use undersigned_tlog::checkpoint::SignedCheckpoint;
use undersigned_tlog::hash::Hash;
use undersigned_tlog::tile::TilePath;
use undersigned_tlog::tree::{LeafIndex, inclusion_proof, verify_inclusion};

mod check;
mod follow;
mod kept;
mod replay;
mod resume;
mod source;
#[cfg(test)]
mod tests;

use resume::Prover;

pub use follow::{Batch, Follower};
pub use kept::{Kept, KeptError};
pub use source::{FolderSource, HttpSource, Source, SourceError};

/// What an audit found of a log that kept every promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The log.
    pub origin: String,
    /// The registry that its entry 0 opened.
    pub registry: RegistryId,
    /// Whether the trust anchor named that registry; else only the log keys tie it to what was meant.
    pub registry_pinned: bool,
    /// The entry from which on this audit replayed; what came before an earlier one did.
    pub from: u64,
    /// The size that the log key signed; every entry below was replayed.
    pub tree_size: u64,
    /// The root that the log key signed.
    pub root: Hash,
    /// How many tiles of hashes were derived again and compared.
    pub tiles: u64,
    /// How many signatures were checked, those on the checkpoint aside.
    pub signatures: u64,
    /// How many parties there are, the operator included.
    pub parties: u64,
    /// How many statements there are.
    pub statements: u64,
    /// The count of every version, by slug and number.
    pub versions: Vec<VersionCount>,
    /// The registry's clock at entry 0, in POSIX seconds.
    pub first_received: u64,
    /// The registry's clock at the newest entry, in POSIX seconds.
    pub last_received: u64,
    /// How long it took.
    pub elapsed: Duration,
}

impl Report {
    /// Entries per second of the whole audit.
    #[must_use]
    pub fn entries_per_second(&self) -> u64 {
        // A log of a few entries is done within a tick of a coarse clock.
        let micros = self.elapsed.as_micros().max(1);
        u64::try_from(u128::from(self.tree_size.saturating_sub(self.from)).saturating_mul(1_000_000) / micros)
            .unwrap_or(u64::MAX)
    }
}

/// How a statement version stands, counted from the endorsements that were replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionCount {
    /// The version.
    pub version: VersionId,
    /// Its statement.
    pub statement: StatementId,
    /// The statement's slug.
    pub slug: String,
    /// The version's number, from 1.
    pub number: u64,
    /// How many parties endorse it.
    pub active: u64,
    /// How many withdrew what they had endorsed.
    pub withdrawn: u64,
    /// How many endorsements ended by time.
    pub lapsed: u64,
}

/// One entry that was replayed and kept every rule.
#[derive(Debug, Clone, Copy)]
pub struct Replayed<'a> {
    /// Its index.
    pub index: u64,
    /// The registry's clock, in POSIX seconds.
    pub received: u64,
    /// The event and its checked proofs.
    pub envelope: &'a CheckedEnvelope,
}

/// Why an audit did not end well.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The log cannot be read: nothing is shown about it. Try again.
    #[error("the log cannot be read")]
    Source(#[from] SourceError),
    /// What is served is not what an honest log serves.
    #[error("entry {entry}: {rule}")]
    Lied {
        /// The first entry that is wrong; the last one of the tree where only the root is.
        entry: u64,
        /// What does not hold. Boxed: the facts of a rule are large.
        rule: Box<Rule>,
        /// Whether the entry, as served, is in the tree that the log key signed. If so, and unless only a
        /// tile is wrong, the entry and the checkpoint convict the key's owner; if not, the files may be a
        /// damaged copy.
        in_signed_tree: bool,
    },
    /// The policy names several logs, and this is another one than the one that was audited.
    #[error("the log {audited} was audited before, and {served} is served")]
    OtherLog {
        /// The origin that was audited.
        audited: String,
        /// The origin that is served.
        served: String,
    },
    /// The log is shorter than it was: what is served is an old copy, or entries were taken away.
    #[error("{audited} entries were audited, and the checkpoint that is served now has {shown}")]
    Shrunk {
        /// The size that was audited.
        audited: u64,
        /// The size that is served.
        shown: u64,
        /// The checkpoint file that says so.
        served: Vec<u8>,
    },
    /// The log key signed two histories.
    #[error(
        "the log key signed two histories: the tree of {audited} entries that was audited has the root {audited_root}; the tree of {shown} that is served now begins with {beginning}"
    )]
    Forked {
        /// The size that was audited.
        audited: u64,
        /// Its root.
        audited_root: Hash,
        /// The size that is served.
        shown: u64,
        /// The root that its first `audited` entries have.
        beginning: Hash,
        /// The checkpoint file that is served.
        served: Vec<u8>,
    },
    /// The checkpoint is not one of a log that the trust anchor names.
    #[error("the checkpoint is not one that the policy trusts: {0}")]
    Trust(VerifyError),
}

/// What does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rule {
    /// The entry's own bytes, signatures, place under the law, or state root.
    #[error(transparent)]
    Deviation(#[from] Deviation),
    /// Entry 0 opens another registry than the trust anchor names.
    #[error("it opens the registry {found}; the policy names {expected}")]
    Registry {
        /// From the trust anchor.
        expected: RegistryId,
        /// From entry 0.
        found: RegistryId,
    },
    /// Entry 0 opens a registry of another origin than that of the log it stands in.
    #[error("it opens a registry of the origin {found}, in the log {origin}")]
    Origin {
        /// The log.
        origin: String,
        /// From entry 0.
        found: String,
    },
    /// A tile has another hash than the entries below it give.
    #[error("{tile} does not have the hash that follows from the entries")]
    Tile {
        /// Which tile.
        tile: TilePath,
    },
    /// The files do not lead from the tree that was audited to the one that is signed now.
    #[error(
        "the tiles do not lead from the {audited} entries that were audited to the {size} that are signed now"
    )]
    Consistency {
        /// The size that was audited.
        audited: u64,
        /// The size of the signed tree.
        size: u64,
    },
    /// The entries give another root than the one that was signed.
    #[error("the {size} entries up to this one have the root {computed}; the log key signed {signed}")]
    Root {
        /// The size of the signed tree.
        size: u64,
        /// From the entries.
        computed: Hash,
        /// From the checkpoint.
        signed: Hash,
    },
}

impl Rule {
    /// The stable code of the rule.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Deviation(Deviation::Parse(error)) => error.code(),
            Self::Deviation(Deviation::Check(error)) => error.code(),
            Self::Deviation(Deviation::Refused(refusal)) => refusal.code(),
            Self::Deviation(Deviation::Repeat { .. }) => "repeat",
            Self::Deviation(Deviation::State { .. }) => "state-root",
            Self::Deviation(Deviation::Fault(_)) => "state-fault",
            Self::Registry { .. } => "registry",
            Self::Origin { .. } => "origin",
            Self::Tile { .. } => "tile",
            Self::Root { .. } => "root",
            Self::Consistency { .. } => "consistency",
        }
    }
}

/// Audits a log up to its newest checkpoint; `progress` hears how many entries of how many are done.
///
/// # Errors
/// The log cannot be read, is not the one that is trusted, or broke a rule.
pub fn audit(source: &dyn Source, trust: &Trust, progress: &dyn Fn(u64, u64)) -> Result<Report, AuditError> {
    audit_each(source, trust, progress, &mut |_| {})
}

/// As [`audit`], and shows every entry as it was replayed. What `each` gathers is whole only once the audit
/// has ended well.
///
/// # Errors
/// As [`audit`].
pub fn audit_each(
    source: &dyn Source,
    trust: &Trust,
    progress: &dyn Fn(u64, u64),
    each: &mut dyn FnMut(Replayed<'_>),
) -> Result<Report, AuditError> {
    Ok(audit_from(source, trust, None, progress, each)?.0)
}

/// As [`audit_each`], going on from where an earlier audit ended; gives what the next one can go on from.
///
/// # Errors
/// As [`audit`], or the log contradicts what was kept. Then keep both checkpoints: together they are the
/// evidence.
pub fn audit_from(
    source: &dyn Source,
    trust: &Trust,
    kept: Option<Kept>,
    progress: &dyn Fn(u64, u64),
    each: &mut dyn FnMut(Replayed<'_>),
) -> Result<(Report, Kept), AuditError> {
    let begun = Instant::now();
    let mut follower = match kept {
        None => Follower::new(trust.clone()),
        Some(kept) => Follower::resume(trust.clone(), kept),
    };
    let from = follower.size();
    follower.look(source)?;
    follower.advance(source, progress, &mut |batch| {
        batch.replayed().for_each(&mut *each);
        Ok::<(), AuditError>(())
    })?;
    let mut report = follower.report()?;
    (report.from, report.elapsed) = (from, begun.elapsed());
    let empty = || SourceError::Empty { name: source.name() };
    Ok((report, follower.into_kept().ok_or_else(empty)?))
}

/// Reads the checkpoint and opens it under the trust anchor.
///
/// # Errors
/// It cannot be read, or is not one of a trusted log.
pub fn open_checkpoint(source: &dyn Source, trust: &Trust) -> Result<SignedCheckpoint, AuditError> {
    let bytes = source.checkpoint()?;
    trust.open_checkpoint(&bytes).map_err(AuditError::Trust)
}

/// Whether a leaf is at this index of the signed tree, by a proof cut from the source's tiles.
///
/// # Errors
/// A tile cannot be read.
pub fn is_included(
    source: &dyn Source,
    signed: &SignedCheckpoint,
    index: u64,
    leaf: &Hash,
) -> Result<bool, SourceError> {
    let (index, size) = (LeafIndex::new(index), signed.size());
    let proof = Prover::new(source, size).ask(|nodes| inclusion_proof(index, size, nodes).ok())?;
    // A tile of the wrong form leads to no root: the same as a wrong one.
    Ok(proof.is_some_and(|proof| verify_inclusion(leaf, index, size, &proof, signed.root()).is_ok()))
}
