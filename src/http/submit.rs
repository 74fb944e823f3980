//! `POST /v1/entries`: a signed event comes in, its receipt goes out.

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use undersigned_registry::envelope::{SUBMISSION_BYTES_MAX, Submission};

use super::INDEX_HEADER;
use super::answer::receipt;
use super::door::{Pass, Signers, Visit, Way};
use super::problem::Problem;
use super::query::{NoParameters, Parameters};
use crate::admission::{self, Refused};
use crate::limits;
use crate::node::Handle;
use crate::sequencer::NotLogged;

/// `POST /v1/entries`.
#[utoipa::path(
    post,
    path = "/v1/entries",
    operation_id = "submit",
    tag = "signatories",
    responses(
        (status = 201, content_type = "text/plain", body = String, description = "the receipt of the new entry"),
        (status = 200, content_type = "text/plain", body = String, description = "the receipt of the entry that was there already"),
    )
)]
pub(super) async fn submit(
    State(handle): State<Handle>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let pass = Pass::of(&parts.extensions)?;
    expect_json(&parts.headers)?;
    let mut visit = pass.clone().visit();
    let answer = match pass.read(body, &parts.headers, SUBMISSION_BYTES_MAX).await {
        Ok((body, arriving)) => log(&handle, &mut visit, body, arriving).await,
        Err(problem) => Err(problem),
    };
    visit.end(answer)
}

/// Checks a submission, waits for its entry, and makes the receipt.
async fn log(
    handle: &Handle,
    visit: &mut Visit,
    body: Bytes,
    arriving: limits::Body,
) -> Result<Response, Problem> {
    let coming = handle.intake.coming();
    let parsed = Submission::parse(&body);
    visit.begin(parsed.as_ref().ok().map(|submission| submission.envelope.event()))?;
    let submission = parsed.map_err(Refused::from)?;
    // Signatures are checked here, on whichever core is free, never on the sequencer's path.
    let submission = admission::admit(submission)?;
    let signers = Signers::of(&submission);
    let reply = match visit.way(handle, &submission).await? {
        Way::Ordinary => handle.intake.submit(submission, body.len())?,
        Way::Reserved => handle.intake.submit_reserved(submission, body.len())?,
    };
    // From here on the intake counts it.
    drop((body, arriving, coming));
    let unknown = || Problem::new("outcome-unknown", "the registry stopped before it answered");
    let answer = reply.await.map_err(|_| unknown())?.map_err(|not_logged| {
        if let NotLogged::Refused(refusal) = &not_logged {
            visit.refused(&signers, refusal);
        }
        Problem::from(not_logged)
    })?;
    let index = answer.index;
    let status = if answer.is_new { StatusCode::CREATED } else { StatusCode::OK };
    if answer.is_new {
        visit.logged(&signers);
    }
    let receipt = receipt(handle, answer.published, index, answer.logged).await?;
    Ok(receipt_response(status, index, receipt))
}

pub(super) fn receipt_response(status: StatusCode, index: u64, receipt: Vec<u8>) -> Response {
    let location = HeaderValue::from_str(&format!("/v1/receipts/{index}"));
    let mut response = (status, receipt).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_str(&format!("inline; filename=\"{index}.tlog-proof\""))
            .unwrap_or_else(|_| HeaderValue::from_static("inline")),
    );
    headers.insert(INDEX_HEADER, HeaderValue::from(index));
    if let (StatusCode::CREATED, Ok(location)) = (status, location) {
        headers.insert(header::LOCATION, location);
    }
    response
}

pub(super) fn expect_json(headers: &HeaderMap) -> Result<(), Problem> {
    let is_json = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"));
    if is_json {
        Ok(())
    } else {
        Err(Problem::new("unsupported-media-type", "the body must be application/json"))
    }
}
