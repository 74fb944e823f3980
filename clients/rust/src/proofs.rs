//! Entries, receipts and proofs. All unverified: `undersigned_registry::verify` and
//! `undersigned_tlog::tree` check them.

use serde::Deserialize;
use undersigned_registry::receipt::RECEIPT_BYTES_MAX;
use undersigned_tlog::hash::Hash;

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
}
