//! State proofs: a receipt's file that answers one question about the state after its entry.
//!
//! Follows `docs/spec/state-proof.md`, rules SP-1 to SP-8. What a file proves is found by
//! [`crate::verify::verify_state`].

use alloc::vec::Vec;

use undersigned_tlog::hash::Hash;
use undersigned_tlog::proof::TlogProof;

use crate::entry::Entry;
use crate::id::{PartyId, VersionId};
use crate::json::{MemberError, Members, ObjectWriter, Value};
use crate::receipt::{self, BuildError, Extra, Parts, ReceiptError, StatePath};
use crate::record::StateKey;

/// The largest state proof in bytes: an entry of 32 KiB, its proofs and the answer's path, twice in base64,
/// take less, and the longest line stays below the 64 KiB at which other programs stop reading.
pub const STATE_PROOF_BYTES_MAX: usize = 64_000;

/// The answer, the version's record, the party's record.
pub const STATE_PATHS_MAX: usize = 3;

/// What is asked of the state (SP-5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// How many endorsed a version.
    Count {
        /// Which one.
        version: VersionId,
    },
    /// What became of one party's endorsement of a version.
    Status {
        /// Which version.
        version: VersionId,
        /// Whose endorsement.
        party: PartyId,
    },
    /// That a party has no endorsement of a version.
    Absent {
        /// Which version.
        version: VersionId,
        /// Which party.
        party: PartyId,
    },
}

impl Question {
    /// Its kind, as the format writes it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Count { .. } => "count",
            Self::Status { .. } => "status",
            Self::Absent { .. } => "absent",
        }
    }

    /// The version it is about.
    #[must_use]
    pub const fn version(&self) -> VersionId {
        match self {
            Self::Count { version } | Self::Status { version, .. } | Self::Absent { version, .. } => *version,
        }
    }

    /// The party it is about, if it is about one.
    #[must_use]
    pub const fn party(&self) -> Option<PartyId> {
        match self {
            Self::Count { .. } => None,
            Self::Status { party, .. } | Self::Absent { party, .. } => Some(*party),
        }
    }

    /// The prefixes of its paths, in their order: the answer's, the version's record, the party's (SP-6).
    #[must_use]
    pub fn keys(&self) -> Vec<StateKey> {
        let version = self.version();
        let mut keys = Vec::with_capacity(STATE_PATHS_MAX);
        keys.push(match self.party() {
            None => StateKey::endorsements_of(&version),
            Some(party) => StateKey::endorsement(&version, &party),
        });
        keys.push(StateKey::version(&version));
        keys.extend(self.party().as_ref().map(StateKey::party));
        keys
    }

    fn write(&self, out: &mut Vec<u8>) {
        ObjectWriter::new(out)
            .text("kind", self.kind())
            .hash_if("party", self.party().as_ref().map(PartyId::hash))
            .hash("version", self.version().hash())
            .finish();
    }

    fn of(value: Value) -> Result<Self, MemberError> {
        let mut members = Members::of("question", value)?;
        let kind = members.text("kind")?;
        let version = VersionId(members.hash("version")?);
        let question = match &*kind {
            "count" => Self::Count { version },
            "status" => Self::Status { version, party: PartyId(members.hash("party")?) },
            "absent" => Self::Absent { version, party: PartyId(members.hash("party")?) },
            _ => return Err(MemberError::value("kind", "count, status or absent")),
        };
        members.finish()?;
        Ok(question)
    }
}

/// Writes a state proof. Where it would be too large it leaves out the blobs, then path after path from the
/// last, but never the first (SP-7).
///
/// # Errors
/// There is no path, the parts make no proof file, or even the bare answer does not fit.
pub fn build(question: &Question, parts: &Parts<'_>) -> Result<Vec<u8>, BuildError> {
    if parts.paths.is_empty() {
        return Err(BuildError::Parts);
    }
    let mut asked = Vec::with_capacity(192);
    question.write(&mut asked);
    receipt::build_within(parts, 1, STATE_PROOF_BYTES_MAX, Some(&asked))
}

/// A well-formed state proof; nothing is proved yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateProof {
    /// What it claims to answer.
    pub question: Question,
    /// The index that it claims for the entry.
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
    /// State paths against the entry's own root; at least one.
    pub paths: Vec<StatePath>,
}

impl StateProof {
    /// Reads a state proof.
    ///
    /// # Errors
    /// The first rule of the format that is broken.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReceiptError> {
        let proof = TlogProof::parse(bytes, STATE_PROOF_BYTES_MAX)?;
        let extra = proof.unverified_extra().ok_or(ReceiptError::NoExtra)?;
        let Extra { question, blobs, entry_bytes, entry, paths } = Extra::parse(
            extra,
            STATE_PROOF_BYTES_MAX,
            |members| Question::of(members.value("question")?),
            |members| Ok(members.list("paths", STATE_PATHS_MAX, receipt::path_of)?),
        )?;
        Ok(Self {
            question,
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

/// The path for a key, as a proof file carries it.
#[must_use]
pub fn path_for(key: &StateKey, proof: &crate::state_tree::SubtreeProof) -> StatePath {
    StatePath { prefix: key.as_bytes().to_vec(), proof: proof.encode() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use undersigned_tlog::hash::sha256;

    /// SP-5: each question has one text.
    #[test]
    fn questions_are_canonical() {
        let (version, party) = (VersionId(sha256(&[b"version"])), PartyId(sha256(&[b"party"])));
        for question in [
            Question::Count { version },
            Question::Status { version, party },
            Question::Absent { version, party },
        ] {
            let mut text = Vec::new();
            question.write(&mut text);
            let value = crate::json::parse(&text, 512).expect("it is canonical JSON");
            assert_eq!(Question::of(value), Ok(question));
            assert_eq!(question.keys().len(), 2 + usize::from(question.party().is_some()));
        }
    }
}
