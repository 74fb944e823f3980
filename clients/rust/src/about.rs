//! What a registry says of itself. A trust anchor that comes from the registry it is to judge proves
//! nothing: compare it with one from elsewhere.

use serde::Deserialize;
use undersigned_registry::id::{EventHash, PartyId, RegistryId};

use crate::members::written;
use crate::transport::ANSWER_BYTES_MAX;
use crate::{Client, ClientError};

/// What a registry says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RegistryInfo {
    /// Origin and genesis.
    #[serde(deserialize_with = "written")]
    pub registry: RegistryId,
    /// The origin line of its log.
    pub origin: String,
    /// The event hash of its `registry.open`.
    #[serde(deserialize_with = "written")]
    pub genesis: EventHash,
    /// The log's verifier keys (C2SP signed-note).
    pub log_keys: Vec<String>,
    /// The operator's party.
    #[serde(deserialize_with = "written")]
    pub operator: PartyId,
    /// Who may enter: `open` or `invited`.
    pub admission: String,
    /// The most seconds between signing and logging.
    pub log_window: u64,
    /// The most seconds that the clock may be off.
    pub max_lag: u64,
    /// The version of the law.
    pub v: u64,
    /// What is kept, and how long.
    pub retention: String,
    /// The size of the published tree.
    pub tree_size: u64,
    /// When the newest entry was logged (POSIX seconds).
    pub received: u64,
    /// The published checkpoint file.
    pub checkpoint: String,
    /// Mirrors that it names.
    pub mirrors: Vec<String>,
    /// Witnesses that it asks.
    pub witnesses: Vec<String>,
}

/// What a problem code means.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ProblemCode {
    /// The stable code.
    pub code: String,
    /// Its HTTP status.
    pub status: u16,
    /// What it means.
    pub title: String,
    /// What to do.
    pub next: String,
}

impl Client {
    /// The registry's trust anchor, a tlog-policy file.
    ///
    /// # Errors
    /// It is not text, or no answer came.
    pub fn policy(&self) -> Result<String, ClientError> {
        let answer = self.get("v1/policy", ANSWER_BYTES_MAX)?;
        String::from_utf8(answer.body).map_err(|_| ClientError::answer("v1/policy: not UTF-8"))
    }

    /// What the registry says of itself.
    ///
    /// # Errors
    /// No answer came, or another one.
    pub fn registry(&self) -> Result<RegistryInfo, ClientError> {
        self.get_json("v1/registry", ANSWER_BYTES_MAX)
    }

    /// What its problem codes mean.
    ///
    /// # Errors
    /// No answer came, or another one.
    pub fn problems(&self) -> Result<Vec<ProblemCode>, ClientError> {
        self.get_json("v1/problems", ANSWER_BYTES_MAX)
    }
}
