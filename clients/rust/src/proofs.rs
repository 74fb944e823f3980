//! Entries, receipts and proofs. All unverified: `undersigned_registry::verify` and
//! `undersigned_tlog::tree` check them.

use serde::Deserialize;
use undersigned_registry::id::{PartyId, VersionId};
use undersigned_registry::receipt::RECEIPT_BYTES_MAX;
use undersigned_registry::state_proof::{Question, STATE_PROOF_BYTES_MAX, StateProof};
use undersigned_tlog::hash::Hash;
use undersigned_tlog::multi_proof::{MULTI_PROOF_BYTES_MAX, MultiProof};

use crate::address::encoded;
use crate::members::{base64_hash, base64_hashes, raw};
use crate::transport::ANSWER_BYTES_MAX;
use crate::{Client, ClientError};

/// An entry, and the published tree it was read in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EntryAnswer {
    /// Which entry.
    pub index: u64,
    /// The size of the published tree.
    pub tree_size: u64,
    /// The published checkpoint file.
    pub checkpoint: String,
    /// The entry, byte for byte.
    #[serde(deserialize_with = "raw")]
    pub entry: Vec<u8>,
}

/// An inclusion proof (RFC 6962, section 2.1.1).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Inclusion {
    /// Which entry.
    pub index: u64,
    /// In the tree of this size.
    pub size: u64,
    /// The root that the server states for that tree.
    #[serde(deserialize_with = "base64_hash")]
    pub root: Hash,
    /// The path, the leaf's sibling first.
    #[serde(deserialize_with = "base64_hashes")]
    pub hashes: Vec<Hash>,
    /// The published checkpoint file; it may be of a larger tree.
    pub checkpoint: String,
}

/// A consistency proof (RFC 6962, section 2.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Consistency {
    /// The older size.
    pub from: u64,
    /// The newer size.
    pub to: u64,
    /// The proof.
    #[serde(deserialize_with = "base64_hashes")]
    pub hashes: Vec<Hash>,
    /// The published checkpoint file; it may be of a larger tree.
    pub checkpoint: String,
}

/// What is asked of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateQuestion {
    /// How many endorsed the version.
    Count,
    /// What became of this party's endorsement.
    Status(PartyId),
    /// That this party has none.
    Absent(PartyId),
}

/// Of which version it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateOf {
    /// The newest one of a statement, named by its slug or id.
    Statement(String),
    /// This one.
    Version(VersionId),
}

impl StateQuestion {
    const fn about(self, version: VersionId) -> Question {
        match self {
            Self::Count => Question::Count { version },
            Self::Status(party) => Question::Status { version, party },
            Self::Absent(party) => Question::Absent { version, party },
        }
    }
}

impl Client {
    /// The receipt file of an entry, named by its index or event hash.
    ///
    /// # Errors
    /// There is no such entry, or no answer came.
    pub fn receipt(&self, reference: &str) -> Result<Vec<u8>, ClientError> {
        let path = format!("v1/receipts/{}", encoded(reference));
        Ok(self.get(&path, RECEIPT_BYTES_MAX)?.body)
    }

    /// An entry, named by its index or event hash.
    ///
    /// # Errors
    /// There is no such entry, or no answer came.
    pub fn entry(&self, reference: &str) -> Result<EntryAnswer, ClientError> {
        self.get_json(&format!("v1/entries/{}", encoded(reference)), ANSWER_BYTES_MAX)
    }

    /// The inclusion proof of an entry in the tree of a size, the published one unless said otherwise.
    ///
    /// # Errors
    /// The index or size is outside the published tree, or no answer came.
    pub fn inclusion(&self, index: u64, size: Option<u64>) -> Result<Inclusion, ClientError> {
        let size = size.map(|size| format!("&size={size}")).unwrap_or_default();
        self.get_json(&format!("v1/proof/inclusion?index={index}{size}"), ANSWER_BYTES_MAX)
    }

    /// The proof that the tree of a size continues an older one; to the published size unless said
    /// otherwise.
    ///
    /// # Errors
    /// A size is outside the published tree, or no answer came.
    pub fn consistency(&self, from: u64, to: Option<u64>) -> Result<Consistency, ClientError> {
        let to = to.map(|to| format!("&to={to}")).unwrap_or_default();
        self.get_json(&format!("v1/proof/consistency?from={from}{to}"), ANSWER_BYTES_MAX)
    }

    /// A state proof file on the newest tree. It answers the question that was asked; whether it is true is for
    /// `undersigned_registry::verify::verify_state` to say.
    ///
    /// # Errors
    /// There is no such version or party, the answer is the other one, or no answer came.
    pub fn state_proof(&self, of: &StateOf, question: StateQuestion) -> Result<Vec<u8>, ClientError> {
        // The kind and the party are said by the same words as in the file.
        let (zero, named) = match of {
            StateOf::Version(version) => (*version, format!("version={version}")),
            StateOf::Statement(statement) => {
                (VersionId(Hash::from_bytes([0; 32])), format!("statement={}", encoded(statement)))
            }
        };
        let asked = question.about(zero);
        let party = asked.party().map(|party| format!("&party={party}")).unwrap_or_default();
        let path = format!("v1/proof/state?question={}&{named}{party}", asked.kind());
        let file = self.get_text(&path, STATE_PROOF_BYTES_MAX)?;
        let proof = StateProof::parse(&file)
            .map_err(|error| ClientError::answer(format!("{path}: no state proof: {error}")))?;
        let wanted = match of {
            StateOf::Version(_) => asked,
            StateOf::Statement(_) => question.about(proof.question.version()),
        };
        if proof.question == wanted {
            Ok(file)
        } else {
            Err(ClientError::answer(format!("{path}: the state proof answers another question")))
        }
    }

    /// A multi-proof file of these entries, under the published checkpoint. Whether it is true is for
    /// `undersigned_registry::verify::verify_entries` to say.
    ///
    /// # Errors
    /// The indexes do not increase or lie outside the tree, there are more than 1,024, or no answer came.
    pub fn multi_proof(&self, indexes: &[u64]) -> Result<Vec<u8>, ClientError> {
        let list: Vec<String> = indexes.iter().map(u64::to_string).collect();
        let path = format!("v1/proof/multi?index={}", list.join(","));
        let file = self.get_text(&path, MULTI_PROOF_BYTES_MAX)?;
        let proof = MultiProof::parse(&file)
            .map_err(|error| ClientError::answer(format!("no multi-proof: {error}")))?;
        if proof.entries().iter().map(|entry| entry.index.get()).eq(indexes.iter().copied()) {
            Ok(file)
        } else {
            Err(ClientError::answer("the multi-proof is of other entries"))
        }
    }
}
