//! Problems: the one place that turns errors into status codes and documents (RFC 9457).
//!
//! Each has a stable code, what is wrong in words, and what to do next. Internal messages never leave;
//! they are logged here under the code that does.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use undersigned_registry::rules::Refusal;

use crate::admission::Refused;
use crate::index::IndexError;
use crate::sequencer::{Later, NotLogged};
use crate::tiles::ReadError;

/// How long a client waits before it tries again, in seconds.
const RETRY_AFTER_SECONDS: u64 = 2;

/// What every code means: its status, its title, what to do. Sorted by code.
pub const CODES: &[(&str, StatusCode, &str, &str)] = &[
    (
        "address-limit",
        StatusCode::TOO_MANY_REQUESTS,
        "too much comes from your address",
        "try again after the time in Retry-After; a withdrawal of a standing endorsement is let through",
    ),
    (
        "already-endorsed",
        StatusCode::CONFLICT,
        "the endorsement stands already",
        "nothing to do; its receipt can be fetched again (undersigned receipt; undersigned show party lists the entries)",
    ),
    (
        "already-withdrawn",
        StatusCode::CONFLICT,
        "the endorsement is withdrawn already",
        "nothing to do; its receipt can be fetched again (undersigned receipt; undersigned show party lists the entries)",
    ),
    (
        "blob-count",
        StatusCode::BAD_REQUEST,
        "blobs are missing or too many",
        "send each blob that the event names once, in the order of first mention",
    ),
    (
        "blob-mismatch",
        StatusCode::BAD_REQUEST,
        "a blob is not the one the event names",
        "send the exact bytes whose SHA-256 and size the event names",
    ),
    (
        "body-broken",
        StatusCode::BAD_REQUEST,
        "the body is not what its headers say",
        "send the body whole, with its true length or in well-formed chunks",
    ),
    (
        "body-too-large",
        StatusCode::PAYLOAD_TOO_LARGE,
        "the body is too large",
        "a submission has at most 3,145,728 bytes, its blobs at most 2,097,152",
    ),
    (
        "body-too-slow",
        StatusCode::REQUEST_TIMEOUT,
        "the body did not arrive in time",
        "send it again over a faster connection",
    ),
    (
        "bad-query",
        StatusCode::BAD_REQUEST,
        "a parameter is missing or out of range",
        "see the parameter named in the detail",
    ),
    (
        "bad-request",
        StatusCode::BAD_REQUEST,
        "the body is not what this address takes",
        "see the member named in the detail, and docs/http.md",
    ),
    ("ended-key", StatusCode::FORBIDDEN, "a signer's key was ended", "sign with a live key of the party"),
    (
        "expired",
        StatusCode::UNPROCESSABLE_ENTITY,
        "log_before has passed",
        "prepare the event again and sign it anew",
    ),
    (
        "foreign-key",
        StatusCode::FORBIDDEN,
        "a signer's key belongs to another party",
        "sign with a key of the party that acts",
    ),
    (
        "has-endorsed",
        StatusCode::CONFLICT,
        "the party has an endorsement of this version",
        "ask for its status instead: undersigned prove status, or question=status",
    ),
    (
        "head-broken",
        StatusCode::BAD_REQUEST,
        "the head of the request can be read in two ways",
        "send it as RFC 9112 says; if a proxy sent it, mend the proxy",
    ),
    (
        "index-rebuilding",
        StatusCode::SERVICE_UNAVAILABLE,
        "lists are not available yet",
        "try again shortly; submissions and proofs work",
    ),
    (
        "internal",
        StatusCode::INTERNAL_SERVER_ERROR,
        "something failed on our side",
        "try again later; what was logged is safe",
    ),
    ("json-depth", StatusCode::BAD_REQUEST, "JSON nested too deep", "nest at most 8 levels"),
    (
        "json-length",
        StatusCode::BAD_REQUEST,
        "a JSON text too long for its place",
        "see the limits in the specification",
    ),
    (
        "json-name-order",
        StatusCode::BAD_REQUEST,
        "JSON members out of order or twice",
        "send canonical JSON (RFC 8785): members sorted, none twice",
    ),
    (
        "json-number",
        StatusCode::BAD_REQUEST,
        "a number that is no integer of the format",
        "use integers from 0 to 2^53-1 in their shortest form",
    ),
    ("json-syntax", StatusCode::BAD_REQUEST, "not JSON of the format", "send canonical JSON (RFC 8785)"),
    (
        "json-text",
        StatusCode::BAD_REQUEST,
        "a string that is not printable ASCII",
        "human text goes into blobs, domains as A-labels",
    ),
    (
        "json-values",
        StatusCode::BAD_REQUEST,
        "JSON with too many values",
        "a submission has at most 4,096 values",
    ),
    (
        "json-whitespace",
        StatusCode::BAD_REQUEST,
        "white space in the JSON",
        "send canonical JSON (RFC 8785) without white space or line feed",
    ),
    (
        "key-in-use",
        StatusCode::CONFLICT,
        "a key is registered already",
        "if it entered before, undersigned show key ID says as which party; for another party make a new key",
    ),
    (
        "key-not-a-point",
        StatusCode::BAD_REQUEST,
        "not an Ed25519 public key",
        "send the raw 32-byte public key in base64",
    ),
    ("key-not-canonical", StatusCode::BAD_REQUEST, "a key in a second encoding", "make a new key"),
    (
        "key-not-live",
        StatusCode::CONFLICT,
        "a key to be ended is not live",
        "look at the party's live keys first",
    ),
    ("key-torsion", StatusCode::BAD_REQUEST, "a key on which verifiers disagree", "make a new key"),
    ("key-weak", StatusCode::BAD_REQUEST, "a key that signs anything", "make a new key"),
    (
        "language-not-listed",
        StatusCode::UNPROCESSABLE_ENTITY,
        "the version has no text in this language",
        "name one of the version's languages",
    ),
    (
        "last-key",
        StatusCode::UNPROCESSABLE_ENTITY,
        "no admin or recovery key would be left",
        "add a new one in the same event",
    ),
    (
        "law-version",
        StatusCode::UNPROCESSABLE_ENTITY,
        "an unknown version of the law",
        "use the version that the registry states",
    ),
    (
        "log-before-too-far",
        StatusCode::UNPROCESSABLE_ENTITY,
        "log_before lies too far ahead",
        "choose a second within the registry's window",
    ),
    (
        "member-missing",
        StatusCode::BAD_REQUEST,
        "a member is missing",
        "see the event table in the specification",
    ),
    (
        "member-type",
        StatusCode::BAD_REQUEST,
        "a member has the wrong JSON type",
        "see the event table in the specification",
    ),
    (
        "member-unknown",
        StatusCode::BAD_REQUEST,
        "a member does not belong there",
        "leave it out, or sign the event again without it",
    ),
    (
        "member-value",
        StatusCode::BAD_REQUEST,
        "a member's value is outside its rule",
        "see the rule in the detail",
    ),
    (
        "method-not-allowed",
        StatusCode::METHOD_NOT_ALLOWED,
        "this method is not for this address",
        "see the Allow header",
    ),
    (
        "newcomer-limit",
        StatusCode::TOO_MANY_REQUESTS,
        "too many unknown keys come from your address",
        "try again after the time in Retry-After, or from another address",
    ),
    (
        "new-key-silent",
        StatusCode::BAD_REQUEST,
        "a key that is added does not sign",
        "every new key signs the event that adds it",
    ),
    (
        "not-after-passed",
        StatusCode::UNPROCESSABLE_ENTITY,
        "the endorsement would end before it begins",
        "name a not_after that lies ahead of the registry's clock, or none, and sign anew",
    ),
    (
        "not-found",
        StatusCode::NOT_FOUND,
        "there is nothing at this address",
        "check the index, hash, slug or id",
    ),
    (
        "not-genesis",
        StatusCode::UNPROCESSABLE_ENTITY,
        "registry.open is entry 0 only",
        "this registry is open already",
    ),
    (
        "not-invited",
        StatusCode::FORBIDDEN,
        "this registry admits by invitation",
        "ask the operator to sign the event as well",
    ),
    (
        "not-endorsed",
        StatusCode::NOT_FOUND,
        "the party has no endorsement of this version",
        "ask for its absence instead (question=absent, undersigned prove absent)",
    ),
    ("not-operator", StatusCode::FORBIDDEN, "only the operator may do this", "sign with the operator's key"),
    (
        "not-sponsor",
        StatusCode::FORBIDDEN,
        "only the sponsor may do this",
        "sign as the party that published the statement",
    ),
    (
        "organisation-limit",
        StatusCode::TOO_MANY_REQUESTS,
        "the organisation submits too much at a time",
        "try again after the time in Retry-After; a withdrawal of a standing endorsement is let through",
    ),
    (
        "outcome-unknown",
        StatusCode::SERVICE_UNAVAILABLE,
        "the registry stopped while it worked on this",
        "submit the same bytes again: if it was logged, the answer is its receipt",
    ),
    (
        "proof-count",
        StatusCode::BAD_REQUEST,
        "proofs and signers do not match",
        "one proof for each signer, in their order",
    ),
    (
        "proof-key",
        StatusCode::BAD_REQUEST,
        "a proof's key is not the signer's",
        "the raw key's id must be the signer at that place",
    ),
    (
        "queue-full",
        StatusCode::SERVICE_UNAVAILABLE,
        "too many submissions are waiting",
        "try again after the time in Retry-After",
    ),
    ("received-back", StatusCode::SERVICE_UNAVAILABLE, "the registry's clock goes back", "try again later"),
    (
        "role-too-low",
        StatusCode::FORBIDDEN,
        "no signer has the role that is needed",
        "sign with a key of a higher role",
    ),
    (
        "signature-invalid",
        StatusCode::BAD_REQUEST,
        "a signature does not verify",
        "sign the signable bytes: the header line, the event's canonical JSON, a line feed",
    ),
    (
        "signable-header",
        StatusCode::BAD_REQUEST,
        "not the signable bytes of an event",
        "begin with the line \"undersigned event v1\"",
    ),
    ("slug-taken", StatusCode::CONFLICT, "the slug is taken", "choose another one"),
    (
        "stale",
        StatusCode::CONFLICT,
        "the thread moved on",
        "prepare the event again: \"after\" names the newest event of its thread",
    ),
    (
        "read-only-mirror",
        StatusCode::MISDIRECTED_REQUEST,
        "a mirror takes nothing in",
        "send it to the registry itself, whose address is named beside this",
    ),
    (
        "reads-busy",
        StatusCode::SERVICE_UNAVAILABLE,
        "too many reads at a time",
        "try again after the time in Retry-After",
    ),
    (
        "stopping",
        StatusCode::SERVICE_UNAVAILABLE,
        "the registry is stopping",
        "try again after the time in Retry-After",
    ),
    (
        "storage",
        StatusCode::SERVICE_UNAVAILABLE,
        "the disk has no room for another entry",
        "nothing was logged; the operator must make room",
    ),
    (
        "text-control",
        StatusCode::BAD_REQUEST,
        "text with an invisible or control character",
        "send plain text; line feeds only",
    ),
    ("text-ends", StatusCode::BAD_REQUEST, "a name or title with white space at an end", "trim it"),
    ("text-not-nfc", StatusCode::BAD_REQUEST, "text that is not NFC", "normalise it to Unicode form C"),
    ("text-not-utf8", StatusCode::BAD_REQUEST, "text that is not UTF-8", "encode it in UTF-8"),
    ("text-one-line", StatusCode::BAD_REQUEST, "a name or title of several lines", "put it on one line"),
    (
        "too-many-keys",
        StatusCode::UNPROCESSABLE_ENTITY,
        "too many live keys",
        "end some first; 32 may live at once",
    ),
    (
        "clock",
        StatusCode::SERVICE_UNAVAILABLE,
        "the registry's clock is not to be believed",
        "nothing was logged; the operator must look at it",
    ),
    (
        "unknown-key",
        StatusCode::FORBIDDEN,
        "a signer's key is not registered",
        "enter with it (undersigned party create), or let an admin of the party add it (undersigned party keys)",
    ),
    ("unknown-party", StatusCode::UNPROCESSABLE_ENTITY, "no such party", "create it first"),
    ("unknown-statement", StatusCode::UNPROCESSABLE_ENTITY, "no such statement", "check the statement's id"),
    (
        "unknown-version",
        StatusCode::UNPROCESSABLE_ENTITY,
        "no such version of this statement",
        "check the version's id",
    ),
    (
        "unsupported-media-type",
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "not application/json",
        "send Content-Type: application/json",
    ),
    ("uri-too-long", StatusCode::URI_TOO_LONG, "the address is too long", "shorten it"),
    (
        "wrong-registry",
        StatusCode::UNPROCESSABLE_ENTITY,
        "the event is meant for another registry",
        "sign an event that names this registry",
    ),
];

/// A problem: what an error says outside.
#[derive(Debug, Clone)]
pub struct Problem {
    code: &'static str,
    detail: String,
    retry_after: Option<Duration>,
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    code: &'a str,
    detail: &'a str,
    next: &'a str,
}

impl Problem {
    /// A problem of a code, with what is wrong in this case.
    #[must_use]
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), retry_after: None }
    }

    /// The same, with the time after which it may be tried again.
    #[must_use]
    pub const fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.row().0
    }

    /// Nothing at this address.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new("not-found", format!("there is no {what}"))
    }

    /// A parameter of the query is wrong.
    #[must_use]
    pub fn query(detail: impl Into<String>) -> Self {
        Self::new("bad-query", detail)
    }

    /// A fault of ours: the reason is logged, not told.
    #[must_use]
    pub fn internal(reason: &dyn std::fmt::Display) -> Self {
        tracing::error!(%reason, "internal problem");
        Self::new("internal", "the reason is in the operator's log")
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// What is wrong in this case.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Its status, its title, what to do.
    pub(super) fn row(&self) -> (StatusCode, &'static str, &'static str) {
        CODES.iter().find(|(code, ..)| *code == self.code).map_or(
            (StatusCode::INTERNAL_SERVER_ERROR, "a problem", "try again later"),
            |(_, status, title, next)| (*status, *title, *next),
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, title, next) = self.row();
        let document = Document {
            r#type: format!("/v1/problems/{}", self.code),
            title,
            status: status.as_u16(),
            code: self.code,
            detail: &self.detail,
            next,
        };
        let mut response = (status, Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            let seconds = self.retry_after.map_or(RETRY_AFTER_SECONDS, whole_seconds);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // A person gets the same in another form, and it is counted and logged by its code.
        response.extensions_mut().insert(self);
        response
    }
}

/// A time in whole seconds, never too early and never 0: that would mean at once.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1)
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        Self::new(refused.code(), refused.to_string())
    }
}

impl From<Later> for Problem {
    fn from(later: Later) -> Self {
        let code = match later {
            Later::Full => "queue-full",
            Later::Storage => "storage",
            Later::Clock => "clock",
            Later::Stopping => "stopping",
        };
        Self::new(code, later.to_string())
    }
}

impl From<NotLogged<Refusal>> for Problem {
    fn from(not_logged: NotLogged<Refusal>) -> Self {
        match not_logged {
            NotLogged::Refused(refusal) => Self::new(refusal.code(), refusal.to_string()),
            NotLogged::Later(later) => later.into(),
        }
    }
}

impl From<IndexError> for Problem {
    fn from(error: IndexError) -> Self {
        match error {
            IndexError::Behind { .. } => Self::new("index-rebuilding", error.to_string()),
            error => Self::internal(&error),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        Self::internal(&error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_told_to_come_again_too_early() {
        for (wait, seconds) in [(0, 1), (1, 1), (999, 1), (1_000, 1), (1_001, 2), (59_500, 60)] {
            assert_eq!(whole_seconds(Duration::from_millis(wait)), seconds, "{wait} ms");
        }
    }

    #[test]
    fn every_code_stands_once() {
        let mut codes: Vec<&str> = CODES.iter().map(|(code, ..)| *code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), CODES.len());
    }
}
