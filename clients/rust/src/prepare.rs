//! `POST /v1/prepare`: where a thread stands, so that an event can be made and signed.
//!
//! The answer is a proposal of the server. Whoever signs reads the event's bytes, not the summary.

use serde::{Deserialize, Serialize};
use undersigned_registry::id::{EventHash, KeyId, PartyId, RegistryId, StatementId, VersionId};

use crate::members::{raw_if, write, write_if, written, written_if};
use crate::transport::{ANSWER_BYTES_MAX, json};
use crate::{Client, ClientError};

/// What is to be prepared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PrepareRequest {
    /// The event type, for example `endorse`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The key that will sign.
    #[serde(serialize_with = "write")]
    pub key: KeyId,
    /// The slug or id of the statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// The version; the newest unless said otherwise.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "write_if")]
    pub version: Option<VersionId>,
    /// The language that was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The last second (POSIX) in which the endorsement is to stand; for ever unless said otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_after: Option<u64>,
}

impl PrepareRequest {
    /// A request for an event type and the key that will sign; the rest is left to the registry.
    #[must_use]
    pub fn new(event_type: impl Into<String>, key: KeyId) -> Self {
        Self {
            event_type: event_type.into(),
            key,
            statement: None,
            version: None,
            language: None,
            not_after: None,
        }
    }
}

/// Where the thread stands, and for `endorse` and `withdraw` the whole event.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Prepared {
    /// The size of the tree that this is true for.
    pub tree_size: u64,
    /// The registry.
    #[serde(deserialize_with = "written")]
    pub registry: RegistryId,
    /// The party of the key.
    #[serde(default, deserialize_with = "written_if")]
    pub party: Option<PartyId>,
    /// The event that stands at the record's head; none while there is no record.
    #[serde(default, deserialize_with = "written_if")]
    pub after: Option<EventHash>,
    /// A proposal for `log_before` (POSIX seconds).
    pub log_before: u64,
    /// The statement's id.
    #[serde(default, deserialize_with = "written_if")]
    pub statement: Option<StatementId>,
    /// The version's id.
    #[serde(default, deserialize_with = "written_if")]
    pub version: Option<VersionId>,
    /// What the bytes say, in the server's words.
    pub summary: Vec<String>,
    /// The event, byte for byte, where it is complete.
    #[serde(default, deserialize_with = "raw_if")]
    pub event: Option<Vec<u8>>,
}

impl Client {
    /// Asks where a thread stands. Logs nothing.
    ///
    /// # Errors
    /// The key or statement is unknown, or no answer came.
    pub fn prepare(&self, request: &PrepareRequest) -> Result<Prepared, ClientError> {
        let body = serde_json::to_vec(request)
            .map_err(|error| ClientError::answer(format!("the request cannot be written: {error}")))?;
        json("v1/prepare", &self.post("v1/prepare", &body, ANSWER_BYTES_MAX)?)
    }
}
