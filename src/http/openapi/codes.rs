//! Which problems each operation answers.
//!
//! The tests hold this table against `problem::CODES`: a code that no operation names, and an operation
//! that the table does not name, fail them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::headers::of_problem;
use crate::http::problem::CODES;

/// What every operation may answer. `method-not-allowed` is for the other methods of its address.
const ALWAYS: &[&str] = &["head-broken", "internal", "method-not-allowed"];

/// Questions to the state between two batches.
const STATE: &[&str] = &["queue-full", "stopping"];

/// Questions to the index.
const INDEX: &[&str] = &["index-rebuilding"];

const QUERY: &[&str] = &["bad-query"];
const NAMED: &[&str] = &["not-found"];
const FILE: &[&str] = &["not-found", "reads-busy"];

/// Whatever takes a body.
const BODY: &[&str] = &[
    "address-limit",
    "body-broken",
    "body-too-large",
    "body-too-slow",
    "queue-full",
    "unsupported-media-type",
];

/// How much a newcomer and an organisation may submit.
const SHARES: &[&str] = &["newcomer-limit", "organisation-limit"];

/// What the door refuses of a submission, from its bytes alone.
const DOOR: &[&str] = &[
    "blob-count",
    "blob-mismatch",
    "json-depth",
    "json-length",
    "json-name-order",
    "json-number",
    "json-syntax",
    "json-text",
    "json-values",
    "json-whitespace",
    "key-not-a-point",
    "key-not-canonical",
    "key-torsion",
    "key-weak",
    "member-missing",
    "member-type",
    "member-unknown",
    "member-value",
    "new-key-silent",
    "proof-count",
    "proof-key",
    "signature-invalid",
    "text-control",
    "text-ends",
    "text-not-nfc",
    "text-not-utf8",
    "text-one-line",
];

/// What the law refuses of an event.
const LAW: &[&str] = &[
    "already-endorsed",
    "already-withdrawn",
    "ended-key",
    "expired",
    "foreign-key",
    "key-in-use",
    "key-not-live",
    "language-not-listed",
    "last-key",
    "law-version",
    "log-before-too-far",
    "not-after-passed",
    "not-genesis",
    "not-invited",
    "not-operator",
    "not-sponsor",
    "received-back",
    "role-too-low",
    "slug-taken",
    "stale",
    "too-many-keys",
    "unknown-key",
    "unknown-party",
    "unknown-statement",
    "unknown-version",
    "wrong-registry",
];

/// Why a submission is not logged now.
const LATER: &[&str] = &["clock", "outcome-unknown", "stopping", "storage"];

/// What writes is answered by a mirror.
const MIRROR: &[&str] = &["read-only-mirror"];

const PREPARE: &[&str] = &["bad-request", "not-found", "unknown-key"];

/// The problems of each operation, besides those of every one.
const OPERATIONS: &[(&str, &[&[&str]])] = &[
    ("submit", &[QUERY, BODY, SHARES, DOOR, LAW, LATER, MIRROR]),
    ("prepare", &[QUERY, BODY, STATE, PREPARE, MIRROR]),
    ("entry", &[QUERY, NAMED, INDEX]),
    ("receipt", &[QUERY, NAMED, INDEX]),
    ("inclusion", &[QUERY]),
    ("consistency", &[QUERY]),
    ("multi", &[QUERY, &["reads-busy"]]),
    ("state", &[QUERY, NAMED, STATE, &["has-endorsed", "not-endorsed"]]),
    ("statements", &[QUERY, INDEX]),
    ("statement", &[QUERY, NAMED, STATE]),
    ("signatories", &[QUERY, NAMED, STATE, INDEX]),
    ("party", &[QUERY, NAMED, STATE, INDEX]),
    ("key", &[QUERY, NAMED, STATE]),
    ("policy", &[QUERY]),
    ("registry", &[QUERY, STATE]),
    ("problems", &[QUERY]),
    ("problem", &[QUERY, NAMED]),
    ("health", &[QUERY]),
    ("openapi", &[QUERY]),
    ("checkpoint", &[FILE]),
    ("tile", &[FILE]),
    ("partialTile", &[FILE]),
    ("bundle", &[FILE]),
    ("partialBundle", &[FILE]),
    ("blob", &[FILE]),
];

/// The codes that an operation answers; none if the table does not know it.
pub(super) fn of_operation(id: &str) -> Vec<&'static str> {
    let Some((_, groups)) = OPERATIONS.iter().find(|(operation, _)| *operation == id) else {
        return Vec::new();
    };
    let mut codes: Vec<&str> = groups.iter().copied().flatten().chain(ALWAYS).copied().collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// The answers of an operation that are problems, by status.
pub(super) fn responses(id: &str) -> Map<String, Value> {
    let mut by_status: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
    for wanted in of_operation(id) {
        for (code, status, ..) in CODES.iter().filter(|(code, ..)| *code == wanted) {
            by_status.entry(status.as_u16()).or_default().push(code);
        }
    }
    by_status
        .into_iter()
        .map(|(status, codes)| {
            let schema = json!({"allOf": [
                {"$ref": "#/components/schemas/Problem"},
                {"properties": {"code": {"enum": codes}, "status": {"const": status}}},
            ]});
            let response = json!({
                "description": format!("{}; as a page for whoever asks with a browser", codes.join(", ")),
                "headers": of_problem(status),
                "content": {
                    "application/problem+json": {"schema": schema},
                    "text/html": {"schema": {"type": "string"}},
                },
            });
            (status.to_string(), response)
        })
        .collect()
}

/// What every problem looks like.
pub(super) fn problem_schema() -> Value {
    let text = json!({"type": "string", "minLength": 1});
    json!({
        "type": "object",
        "description": "a problem (RFC 9457)",
        "required": ["type", "title", "status", "code", "detail", "next"],
        "properties": {
            "type": {"type": "string", "pattern": "^/v1/problems/[a-z0-9-]+$"},
            "title": text,
            "status": {"type": "integer"},
            "code": {"type": "string", "description": "stable, for programs; /v1/problems lists all"},
            "detail": text,
            "next": text,
        },
    })
}

#[cfg(test)]
pub(super) fn operations() -> impl Iterator<Item = &'static str> {
    OPERATIONS.iter().map(|(id, _)| *id)
}
