//! `POST /v1/prepare`: where a thread stands, so that an event can be made and signed by any tool.
//!
//! The answer is a proposal: whoever signs reads the bytes, not this page. For `endorse` and `withdraw`
//! it has the whole event; for the others what the client cannot know by itself.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use undersigned_registry::event::{self, Body, Event};
use undersigned_registry::id::{EventHash, KeyId, PartyId, RegistryId, StatementId, VersionId};
use undersigned_registry::record::{Record, StateKey};
use undersigned_registry::rules::Facts as _;
use utoipa::ToSchema;

use super::answer::{ask, raw_json};
use super::door::Pass;
use super::problem::Problem;
use super::query::{Form, NoParameters, Parameters, negotiate};
use super::submit::expect_json;
use super::views::statement::find_statement;
use crate::node::Handle;
use crate::sequencer::RegistryLaw;

/// A request to prepare is small.
const PREPARE_BYTES_MAX: usize = 16 * 1024;

/// How long a prepared event may wait for its signature, in seconds, if the policy allows it: one day.
const SIGN_WITHIN_SECONDS: u64 = 24 * 3600;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PrepareRequest {
    /// The event type.
    r#type: String,
    /// The id of the key that will sign.
    key: String,
    /// The slug or id of the statement.
    statement: Option<String>,
    /// The version; the newest unless said otherwise.
    version: Option<String>,
    /// The language that was read; the first authentic one unless said otherwise.
    language: Option<String>,
    /// The last second (POSIX time) in which the endorsement is to stand; for ever unless said otherwise.
    not_after: Option<u64>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Prepared {
    tree_size: u64,
    registry: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    party: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    log_before: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    statement: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// What the bytes say, in words.
    summary: Vec<String>,
    /// The event, where it is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    event: Option<Box<RawValue>>,
}

/// What the state says about the thread that an event would move.
struct Thread {
    party: Option<PartyId>,
    after: Option<EventHash>,
    log_before: u64,
}

/// `POST /v1/prepare`; as `text/plain` the signable bytes themselves.
#[utoipa::path(
    post,
    path = "/v1/prepare",
    operation_id = "prepare",
    tag = "signatories",
    request_body = PrepareRequest,
    responses((status = 200, description = "where the thread stands, or the signable bytes", content(
        (Prepared = "application/json"),
        (String = "text/plain"),
    )))
)]
pub(super) async fn prepare(
    State(handle): State<Handle>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    expect_json(&parts.headers)?;
    let (body, _arriving) =
        Pass::of(&parts.extensions)?.read(body, &parts.headers, PREPARE_BYTES_MAX).await?;
    let request: PrepareRequest =
        serde_json::from_slice(&body).map_err(|error| wrong(format!("not a request to prepare: {error}")))?;
    let key = KeyId::from_hex(&request.key)
        .map_err(|_| wrong("key must be a key id (64 lower-case hex digits)"))?;
    match request.r#type.as_str() {
        "endorse" | "withdraw" => endorsement(&handle, &parts.headers, &request, key).await,
        "party.create" | "statement.publish" | "party.keys" | "registry.policy" | "statement.version" => {
            thread_only(&handle, &request, key).await
        }
        _ => Err(wrong("type must be one of the event types that can be prepared")),
    }
}

async fn endorsement(
    handle: &Handle,
    headers: &HeaderMap,
    request: &PrepareRequest,
    key: KeyId,
) -> Result<Response, Problem> {
    let named = request.statement.as_deref().ok_or_else(|| wrong("statement is missing"))?;
    let (_, (statement, record, newest)) = find_statement(handle, named).await?;
    let version = match &request.version {
        Some(version) => VersionId::from_hex(version)
            .map_err(|_| wrong("version must be a version id (64 lower-case hex digits)"))?,
        None => newest
            .as_ref()
            .map(|(version, ..)| *version)
            .ok_or_else(|| Problem::not_found("version of this statement yet"))?,
    };
    let withdraws = request.r#type == "withdraw";
    let (size, found) = ask(handle, move |law| {
        let party = party_of(law, &key)?;
        let after = match law.ledger().state().record(&StateKey::endorsement(&version, &party)) {
            Some(Record::Endorsement(record)) => Some(record.event),
            _ => None,
        };
        let language = match law.ledger().state().record(&StateKey::version(&version)) {
            Some(Record::Version(texts)) if texts.statement == statement => {
                texts.texts.first().map(|text| text.language.clone())
            }
            _ => None,
        };
        Some((Thread { party: Some(party), after, log_before: log_before(law) }, language))
    })
    .await?;
    let (thread, first_language) = found.ok_or_else(|| unknown_key(&key))?;
    // A version that is there has a text at least.
    let first_language =
        first_language.ok_or_else(|| Problem::not_found("such version of this statement"))?;
    let language = request.language.clone().unwrap_or(first_language);
    let body = if withdraws {
        Body::Withdraw { statement, version }
    } else {
        Body::Endorse { statement, version, language: language.clone(), not_after: request.not_after }
    };
    let event = Event {
        registry: Some(handle.registry.clone()),
        party: thread.party,
        signers: vec![key],
        after: thread.after,
        log_before: (!withdraws).then_some(thread.log_before),
        body,
    };
    let bytes = event.encode();
    Event::parse(&bytes).map_err(|error| wrong(error.to_string()))?;
    if negotiate(headers, &[Form::Json, Form::Text]) == Form::Text {
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        return Ok(([(header::CONTENT_TYPE, text)], event::signable(&bytes)).into_response());
    }
    let act = if withdraws { "withdraws its endorsement of" } else { "endorses" };
    let mut summary = vec![
        format!("party {} {act} the {} \"{}\"", text(thread.party.as_ref()), record.kind.name(), record.slug),
        format!("version {version} of statement {statement}"),
        format!("in the registry {}", handle.registry),
    ];
    if !withdraws {
        summary.push(format!("as read in the language \"{language}\""));
        summary.push(match request.not_after {
            Some(last) => format!("it ends by itself after second {last} (POSIX time)"),
            None => "it does not end by itself".to_owned(),
        });
        summary.push(format!("to be logged before second {} (POSIX time)", thread.log_before));
    }
    let prepared = Prepared {
        tree_size: size.get(),
        registry: handle.registry.to_text(),
        party: thread.party.map(|party| party.to_string()),
        after: thread.after.map(|after| after.to_string()),
        log_before: thread.log_before,
        statement: Some(statement.to_string()),
        version: Some(version.to_string()),
        summary,
        event: Some(raw_json(bytes)?),
    };
    Ok(Json(prepared).into_response())
}

async fn thread_only(handle: &Handle, request: &PrepareRequest, key: KeyId) -> Result<Response, Problem> {
    let statement = match (request.r#type.as_str(), request.statement.as_deref()) {
        ("statement.version", Some(named)) => Some(find_statement(handle, named).await?.1),
        ("statement.version", None) => return Err(wrong("statement is missing")),
        _ => None,
    };
    let creates = request.r#type == "party.create";
    let kind = request.r#type.clone();
    let (size, found) = ask(handle, move |law| {
        let state = law.ledger().state();
        let party = party_of(law, &key);
        let after = match kind.as_str() {
            "party.keys" => match state.record(&StateKey::party(party.as_ref()?)) {
                Some(Record::Party(record)) => Some(record.event),
                _ => None,
            },
            "registry.policy" => law.ledger().registry_record().map(|record| record.event),
            _ => None,
        };
        (creates || party.is_some()).then(|| Thread { party, after, log_before: log_before(law) })
    })
    .await?;
    let thread = found.ok_or_else(|| unknown_key(&key))?;
    let id: Option<StatementId> = statement.as_ref().map(|(id, ..)| *id);
    let prepared = Prepared {
        tree_size: size.get(),
        registry: RegistryId::to_text(&handle.registry),
        party: thread.party.map(|party| party.to_string()),
        after: statement.map(|(_, record, _)| record.event).or(thread.after).map(|after| after.to_string()),
        log_before: thread.log_before,
        statement: id.map(|id| id.to_string()),
        version: None,
        summary: vec![format!("{} in the registry {}", request.r#type, handle.registry)],
        event: None,
    };
    Ok(Json(prepared).into_response())
}

fn party_of(law: &RegistryLaw, key: &KeyId) -> Option<PartyId> {
    match law.ledger().state().record(&StateKey::key(key)) {
        Some(Record::Key(record)) => Some(record.party),
        _ => None,
    }
}

/// A day from now, or the policy's window if that is shorter.
fn log_before(law: &RegistryLaw) -> u64 {
    let window = law.ledger().policy().map_or(0, |policy| policy.log_window);
    // The newest entry may be old on a quiet log, so the wall clock counts; it only proposes.
    crate::clock::wall_clock().max(law.ledger().received()).saturating_add(window.min(SIGN_WITHIN_SECONDS))
}

fn wrong(detail: impl Into<String>) -> Problem {
    Problem::new("bad-request", detail)
}

fn unknown_key(key: &KeyId) -> Problem {
    Problem::new("unknown-key", format!("the key {key} is not registered"))
}

fn text(party: Option<&PartyId>) -> String {
    party.map(PartyId::to_string).unwrap_or_default()
}
