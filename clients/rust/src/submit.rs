//! `POST /v1/entries`: sends a signed event and gets its receipt.

use undersigned_registry::envelope::Submission;
use undersigned_registry::receipt::RECEIPT_BYTES_MAX;
use undersigned_tlog::codec;

use crate::{Client, ClientError};

/// The header with the index of the entry that an answer is about.
const INDEX_HEADER: &str = "undersigned-index";

const CREATED: u16 = 201;

/// What a submission was answered with. Unverified: check the receipt before relying on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// Which entry it is.
    pub index: u64,
    /// Whether this very answer logged it; `false` too if an earlier attempt did, whose answer was lost.
    pub is_new: bool,
    /// The receipt file.
    pub receipt: Vec<u8>,
}

impl Client {
    /// Submits a signed event and waits for its receipt.
    ///
    /// It is sent again, [`crate::ATTEMPTS_MAX`] times in all, if the registry asks for that (503 or 429
    /// with `Retry-After`) or the connection breaks. That is safe: the same event is logged once, and answered
    /// again with the same entry.
    ///
    /// # Errors
    /// A problem of the registry; after a broken connection the outcome is unknown: submit the same again.
    pub fn submit(&self, submission: &Submission) -> Result<Submitted, ClientError> {
        self.submit_bytes(&submission.encode())
    }

    /// Submits bytes as they are, as [`Client::submit`].
    ///
    /// # Errors
    /// As [`Client::submit`].
    pub fn submit_bytes(&self, body: &[u8]) -> Result<Submitted, ClientError> {
        self.repeated(|| {
            let answer = self.post("v1/entries", body, RECEIPT_BYTES_MAX)?;
            let index = answer
                .headers
                .get(INDEX_HEADER)
                .and_then(|value| value.to_str().ok())
                .and_then(|value| codec::decimal(value).ok())
                .ok_or_else(|| ClientError::answer(format!("no {INDEX_HEADER} header beside the receipt")))?;
            Ok(Submitted { index, is_new: answer.status == CREATED, receipt: answer.body })
        })
    }
}
