//! `GET /v1/proof/state`: how many endorsed a version, what became of one endorsement, or that there is none.
//!
//! The paths are cut between two batches, for the state at exactly the size that the law has reached; the entry
//! that holds their root is the last one of that size (docs/spec/state-proof.md).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use undersigned_registry::entry;
use undersigned_registry::event::BlobRef;
use undersigned_registry::id::{PartyId, StatementId, VersionId};
use undersigned_registry::receipt::{Parts, StatePath};
use undersigned_registry::record::{Record, StateKey};
use undersigned_registry::rules::Facts as _;
use undersigned_registry::state;
use undersigned_registry::state_proof::{self, Question, path_for};
use undersigned_registry::state_tree::NEVER;
use undersigned_tlog::codec;
use undersigned_tlog::tree::{LeafIndex, verify_inclusion};
use utoipa::{IntoParams, ToSchema};

use super::answer::{self, ask, blobs, blocking, check_paths, entry_bytes, published, raw_json, small_blobs};
use super::problem::Problem;
use super::proofs::{TEXT, VARY, base64};
use super::query::{Form, Parameters, negotiate};
use super::views::statement::CountView;
use crate::node::Handle;
use crate::publish::Published;
use crate::tiles::LogReader;

/// What can be asked.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Asked {
    Count,
    Status,
    Absent,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct StateQuery {
    /// What is asked: how many endorsed, what became of a party's endorsement, or that it has none.
    #[param(inline)]
    question: Asked,
    /// Slug or id of the statement, whose newest version is meant; this or `version`.
    statement: Option<String>,
    /// The version; this or `statement`.
    #[param(pattern = "^[0-9a-f]{64}$")]
    version: Option<String>,
    /// The party, for `status` and `absent`.
    #[param(pattern = "^[0-9a-f]{64}$")]
    party: Option<String>,
}

/// The same, checked.
#[derive(Debug, Clone)]
struct Wanted {
    of: Of,
    about: About,
}

#[derive(Debug, Clone)]
enum Of {
    Statement(String),
    Version(VersionId),
}

#[derive(Debug, Clone, Copy)]
enum About {
    Count,
    Status(PartyId),
    Absent(PartyId),
}

impl StateQuery {
    fn wanted(self) -> Result<Wanted, Problem> {
        let id = |name: &str| Problem::query(format!("{name} must be an id (64 lower-case hex digits)"));
        let of = match (self.statement, self.version) {
            (Some(statement), None) => Of::Statement(statement),
            (None, Some(version)) => Of::Version(VersionId::from_hex(&version).map_err(|_| id("version"))?),
            _ => return Err(Problem::query("name either the statement or the version")),
        };
        let party = self.party.map(|party| PartyId::from_hex(&party).map_err(|_| id("party"))).transpose()?;
        let about = match (self.question, party) {
            (Asked::Count, None) => About::Count,
            (Asked::Status, Some(party)) => About::Status(party),
            (Asked::Absent, Some(party)) => About::Absent(party),
            (Asked::Count, Some(_)) => {
                return Err(Problem::query("a count is of all parties: leave out party"));
            }
            (_, None) => return Err(Problem::query("name the party")),
        };
        Ok(Wanted { of, about })
    }
}

/// What was cut from the state.
struct Cut {
    question: Question,
    paths: Vec<StatePath>,
    blobs: Vec<BlobRef>,
    count: CountView,
    status: Option<&'static str>,
}

/// Finds the records of a question and cuts its paths, all from one state.
fn cut(state: &state::State, wanted: &Wanted) -> Result<Cut, Problem> {
    let fault = |error: state::StateFault| Problem::internal(&error);
    let version = match &wanted.of {
        Of::Version(version) => *version,
        Of::Statement(named) => newest_version(state, named)?,
    };
    let Some(Record::Version(texts)) = state.record(&StateKey::version(&version)) else {
        return Err(Problem::not_found("version with this id"));
    };
    let mut named: Vec<BlobRef> = texts.texts.iter().map(|text| text.title).collect();
    let (question, party) = match wanted.about {
        About::Count => (Question::Count { version }, None),
        About::Status(party) => (Question::Status { version, party }, Some(party)),
        About::Absent(party) => (Question::Absent { version, party }, Some(party)),
    };
    let mut status = None;
    if let Some(party) = party {
        let Some(Record::Party(record)) = state.record(&StateKey::party(&party)) else {
            return Err(Problem::not_found("party with this id"));
        };
        named.extend(record.names.iter().map(|name| name.text));
        status = match state.record(&StateKey::endorsement(&version, &party)) {
            Some(Record::Endorsement(record)) => Some((record.status.name(), record.endorsed.is_some())),
            _ => None,
        };
    }
    match (&question, status) {
        (Question::Status { .. }, None) => {
            return Err(Problem::new("not-endorsed", "the party has no endorsement of this version"));
        }
        (Question::Absent { .. }, Some((status, was_made))) => {
            let detail = if was_made {
                format!("the party has an endorsement of this version, and it is {status}")
            } else {
                "the party never signed this version, but withdrew from it, and that is on record".to_owned()
            };
            return Err(Problem::new("has-endorsed", detail));
        }
        _ => {}
    }
    let keys = question.keys();
    let paths = keys.iter().map(|key| Ok(path_for(key, &state.prove(key).map_err(fault)?)));
    let tally = state.tally(&StateKey::endorsements_of(&version)).map_err(fault)?;
    Ok(Cut {
        question,
        paths: paths.collect::<Result<_, Problem>>()?,
        blobs: small_blobs(named),
        count: CountView::of(&tally),
        status: status.map(|(status, _)| status),
    })
}

fn newest_version(state: &state::State, named: &str) -> Result<VersionId, Problem> {
    let id = StatementId::from_hex(named).ok().or_else(|| match state.record(&StateKey::slug(named)) {
        Some(Record::Slug(id)) => Some(*id),
        _ => None,
    });
    match id.and_then(|id| state.record(&StateKey::statement(&id))) {
        Some(Record::Statement(record)) => {
            record.version.ok_or_else(|| Problem::not_found("version of this statement yet"))
        }
        _ => Err(Problem::not_found("statement with this slug or id")),
    }
}

#[derive(Serialize, ToSchema)]
pub(super) struct StateView {
    question: &'static str,
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    party: Option<String>,
    /// The size that the answer is true for.
    size: u64,
    /// The size of the checkpoint's tree.
    tree_size: u64,
    count: CountView,
    /// The status of the party's endorsement, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    /// The second from which on time alone may have changed the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_due: Option<u64>,
    #[schema(value_type = Object)]
    entry: Box<RawValue>,
    paths: Vec<PathView>,
    hashes: Vec<String>,
    checkpoint: String,
}

#[derive(Serialize, ToSchema)]
struct PathView {
    prefix: String,
    proof: String,
}

/// `GET /v1/proof/state?question=&statement=&version=&party=`.
#[utoipa::path(
    get,
    path = "/v1/proof/state",
    operation_id = "state",
    tag = "auditors",
    params(StateQuery),
    responses((status = 200, description = "the answer with its proof; as plain text a state proof, a C2SP tlog-proof", content(
        (StateView = "application/json"),
        (String = "text/plain"),
    )))
)]
pub(super) async fn state(
    State(handle): State<Handle>,
    headers: HeaderMap,
    Parameters(query): Parameters<StateQuery>,
) -> Result<Response, Problem> {
    let wanted = query.wanted()?;
    let (size, cut) = ask(&handle, move |law| cut(law.ledger().state(), &wanted)).await?;
    let cut = cut?;
    // The answer holds the state after this entry, whatever came since.
    let index = size.get().checked_sub(1).ok_or_else(|| Problem::not_found("entry yet"))?;
    let published = published(&handle);
    let logged = handle.recent_entries.find(index);
    let reader = Arc::clone(&handle.reader);
    let text = negotiate(&headers, &[Form::Json, Form::Text]) == Form::Text;
    blocking(move || {
        let entry = match &logged {
            Some(logged) => logged.entry.to_vec(),
            None => entry_bytes(&reader, index, published.head.size)?,
        };
        respond(&reader, &published, index, entry, cut, text)
    })
    .await
}

/// Checks inclusion and paths before they leave, and writes them in the form that is wanted.
fn respond(
    reader: &LogReader,
    published: &Published,
    index: u64,
    entry: Vec<u8>,
    cut: Cut,
    text: bool,
) -> Result<Response, Problem> {
    let hashes = answer::inclusion(reader, published, index)?;
    let (leaf, head) = (entry::leaf(&entry), &published.head);
    verify_inclusion(&leaf, LeafIndex::new(index), head.size, &hashes, &head.root)
        .map_err(|error| Problem::internal(&format!("state proof at {index}: {error}")))?;
    let walked = check_paths(&entry, &cut.paths, index)?;
    let checkpoint = &published.checkpoint;
    if text {
        let blobs = blobs(reader, &cut.blobs)?;
        let parts =
            Parts { entry: &entry, blobs: &blobs, paths: &cut.paths, index, hashes: &hashes, checkpoint };
        let file = state_proof::build(&cut.question, &parts).map_err(|error| Problem::internal(&error))?;
        return Ok(([(header::CONTENT_TYPE, TEXT), VARY], file).into_response());
    }
    let path = |path: &StatePath| PathView {
        prefix: codec::hex_encode(&path.prefix),
        proof: codec::base64_encode(&path.proof),
    };
    let view = StateView {
        question: cut.question.kind(),
        version: cut.question.version().to_string(),
        party: cut.question.party().map(|party| party.to_string()),
        size: index.saturating_add(1),
        tree_size: head.size.get(),
        count: cut.count,
        status: cut.status,
        next_due: walked.first().map(|walked| walked.next_due).filter(|due| *due != NEVER),
        entry: raw_json(entry)?,
        paths: cut.paths.iter().map(path).collect(),
        hashes: base64(&hashes),
        checkpoint: String::from_utf8_lossy(checkpoint).into_owned(),
    };
    Ok(([VARY], Json(view)).into_response())
}
