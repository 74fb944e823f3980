//! What a state proof proves: the answer to its question, as of the size of its entry.
//!
//! Follows `docs/spec/state-proof.md`, rules SP-20 to SP-35. Every prefix is made from the question, and the
//! records that are shown may have been moved by any earlier entry.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use undersigned_tlog::hash::Hash;
use undersigned_tlog::tree::{LeafIndex, verify_inclusion};

use super::{Trust, VerifyError, blobs_of, check_entry, matched, must, record_at, walk};
use crate::entry;
use crate::event::BlobRef;
use crate::id::RegistryId;
use crate::record::{
    COLUMN_LAPSED, COLUMN_WITHDRAWN, EndorsementRecord, PartyRecord, Record, Status, VersionRecord,
};
use crate::record::{LEVEL_MAX, StateKey};
use crate::state_proof::{Question, StateProof};
use crate::state_tree::{Answer, NEVER, Tally};

/// The answer to a question about the state. The version's count is said beside it in every case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateAnswer {
    /// SP-25: only the count was asked for.
    Count,
    /// SP-26: the party's endorsement, as it stands at this size.
    Status(EndorsementRecord),
    /// SP-27: the party has no endorsement of the version.
    Absent,
}

/// What a state proof proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedState {
    /// The log.
    pub origin: String,
    /// The registry, where the trust anchor names it; `None`: its identity is unchecked.
    pub registry: Option<RegistryId>,
    /// What was asked.
    pub question: Question,
    /// The answer.
    pub answer: StateAnswer,
    /// N: the size of the tree that the answer is true for.
    pub size: u64,
    /// M: the size of the checkpoint's tree.
    pub tree_size: u64,
    /// The root of the checkpoint's tree.
    pub tree_root: Hash,
    /// The state root at N; stated by the registry, checkable by replay.
    pub state: Hash,
    /// The registry's clock at entry N - 1, in POSIX seconds; stated by the registry.
    pub received: u64,
    /// The endorsements of the version, by column.
    pub tally: Tally,
    /// From this second on time alone may have changed the answer; `None`: never.
    pub next_due: Option<u64>,
    /// The version's record, if a path shows it.
    pub version_record: Option<VersionRecord>,
    /// The party's record, if the question has one and a path shows it.
    pub party_record: Option<PartyRecord>,
    /// Texts that the file carries and a record names.
    pub blobs: Vec<(BlobRef, Vec<u8>)>,
}

impl VerifiedState {
    /// SP-31: whether nothing follows in the tree of the checkpoint.
    #[must_use]
    pub const fn is_newest(&self) -> bool {
        self.size == self.tree_size
    }

    /// How many endorsements of the version stand.
    #[must_use]
    pub fn active(&self) -> u64 {
        (0..=LEVEL_MAX).fold(0, |sum, level| self.tally.count(level).saturating_add(sum))
    }

    /// How many endorsements of the version are withdrawn.
    #[must_use]
    pub fn withdrawn(&self) -> u64 {
        self.tally.count(COLUMN_WITHDRAWN)
    }

    /// How many endorsements of the version ended by time.
    #[must_use]
    pub fn lapsed(&self) -> u64 {
        self.tally.count(COLUMN_LAPSED)
    }

    /// The party's name: in this language if there is one, else the first.
    #[must_use]
    pub fn party_name(&self, language: &str) -> Option<&str> {
        let names = &self.party_record.as_ref()?.names;
        let name = names.iter().find(|name| name.language == language).or_else(|| names.first())?;
        self.text(&name.text)
    }

    /// The version's title: in this language if there is one, else the first.
    #[must_use]
    pub fn title(&self, language: &str) -> Option<&str> {
        let texts = &self.version_record.as_ref()?.texts;
        let text = texts.iter().find(|text| text.language == language).or_else(|| texts.first())?;
        self.text(&text.title)
    }

    fn text(&self, blob: &BlobRef) -> Option<&str> {
        let (_, bytes) = self.blobs.iter().find(|(named, _)| named == blob)?;
        core::str::from_utf8(bytes).ok()
    }
}

/// Checks a state proof against a trust anchor.
///
/// # Errors
/// The first check that does not hold.
pub fn verify_state(proof: &StateProof, trust: &Trust) -> Result<VerifiedState, VerifyError> {
    let checkpoint = trust.open_checkpoint(&proof.checkpoint)?;
    let head = checkpoint.checkpoint();
    let leaf = entry::leaf(&proof.entry_bytes);
    verify_inclusion(&leaf, LeafIndex::new(proof.index), head.size(), &proof.hashes, head.root())
        .map_err(VerifyError::Inclusion)?;
    check_entry(&proof.entry, proof.index, head.origin(), trust)?;
    let shown = Shown::of(proof)?;
    bind(&shown, proof.index)?;
    let named = blobs_of(shown.party.as_ref(), shown.version.as_ref());
    Ok(VerifiedState {
        origin: head.origin().to_string(),
        registry: trust.registry().cloned(),
        question: proof.question,
        answer: shown.answer,
        // The index lies in a tree whose size is a u64, so one more is one too.
        size: proof.index.saturating_add(1),
        tree_size: head.size().get(),
        tree_root: *head.root(),
        state: proof.entry.state,
        received: proof.entry.received,
        tally: shown.tally,
        next_due: Some(shown.next_due).filter(|due| *due != NEVER),
        version_record: shown.version,
        party_record: shown.party,
        blobs: matched(&named, &proof.blobs)?,
    })
}

/// What the paths show.
struct Shown {
    answer: StateAnswer,
    tally: Tally,
    next_due: u64,
    version: Option<VersionRecord>,
    party: Option<PartyRecord>,
}

impl Shown {
    /// SP-23 to SP-28.
    fn of(proof: &StateProof) -> Result<Self, VerifyError> {
        let keys = proof.question.keys();
        for (position, path) in proof.paths.iter().enumerate() {
            if keys.get(position).is_none_or(|key| key.as_bytes() != path.prefix) {
                return Err(VerifyError::ForeignPath { position });
            }
        }
        let [first, others @ ..] = proof.paths.as_slice() else {
            return Err(VerifyError::ForeignPath { position: 0 });
        };
        let root = &proof.entry.state;
        let walked = walk(first, 0, root)?;
        let answer = match (&proof.question, &walked.answer) {
            (Question::Count { .. }, _) => StateAnswer::Count,
            (Question::Status { .. }, Answer::Record { .. }) => match record_at(&walked, first, 0)? {
                Record::Endorsement(record) => StateAnswer::Status(record),
                _ => return Err(VerifyError::OtherAnswer("the record is no endorsement")),
            },
            (Question::Status { .. }, _) => {
                return Err(VerifyError::OtherAnswer("the party has no endorsement of this version"));
            }
            (Question::Absent { .. }, Answer::Absent) => StateAnswer::Absent,
            (Question::Absent { .. }, _) => {
                return Err(VerifyError::OtherAnswer("the party has an endorsement of this version"));
            }
        };
        let of_version = StateKey::endorsements_of(&proof.question.version());
        // The version's prefix begins every question, so there is always a sum for it (ST-29).
        let tally = walked.tally_at(of_version.as_bytes()).unwrap_or_default();
        let mut shown = Self { answer, tally, next_due: walked.next_due, version: None, party: None };
        for (path, position) in others.iter().zip(1..) {
            match record_at(&walk(path, position, root)?, path, position)? {
                Record::Version(record) => shown.version = Some(*record),
                Record::Party(record) => shown.party = Some(*record),
                // The prefix is a version's or a party's, and a record is read by its key's namespace.
                _ => return Err(VerifyError::ForeignPath { position }),
            }
        }
        Ok(shown)
    }
}

/// SP-29: nothing is newer than the entry, and what is counted is counted at the party's level.
fn bind(shown: &Shown, index: u64) -> Result<(), VerifyError> {
    if let Some(version) = &shown.version {
        must(version.entry <= index, "the version is newer than the state")?;
    }
    if let Some(party) = &shown.party {
        let in_order = party.first <= party.entry && party.entry <= index;
        must(in_order, "the party's record is newer than the state")?;
    }
    let StateAnswer::Status(record) = &shown.answer else { return Ok(()) };
    let in_order = record.first <= record.entry && record.entry <= index;
    must(in_order, "the endorsement's record is newer than the state")?;
    if let Some(endorsed) = record.endorsed {
        must(endorsed <= record.entry, "the endorsement is newer than its record")?;
        let after = shown.version.as_ref().is_none_or(|version| version.entry < endorsed);
        must(after, "the endorsement is older than the version")?;
    }
    match &shown.party {
        Some(party) if record.status == Status::Active => {
            must(record.level == party.level, "the endorsement is counted at another level than the party's")
        }
        _ => Ok(()),
    }
}
