//! `POST /v1/entries`: a signed event comes in, its receipt goes out.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::Semaphore;
use undersigned_registry::envelope::SUBMISSION_BYTES_MAX;

use super::INDEX_HEADER;
use super::answer::{blocking, receipt};
use super::problem::Problem;
use super::query::{NoParameters, Parameters};
use crate::admission;
use crate::node::Handle;

/// How long a body may take, whatever its size.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);

/// A body of more bytes than this is a large one: statements with their texts, not signatures.
const LARGE_BODY_BYTES: usize = 64 * 1024;

/// How many large bodies may arrive at once: 32 of 3 MiB are below 100 MiB, while the small ones of all
/// connections together are below 128 MiB.
const LARGE_BODIES_MAX: usize = 32;

/// One permit for each large body that arrives.
static LARGE_BODIES: Semaphore = Semaphore::const_new(LARGE_BODIES_MAX);

/// `POST /v1/entries`.
pub(super) async fn submit(
    State(handle): State<Handle>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    expect_json(&parts.headers)?;
    let body = read_body(body, &parts.headers, SUBMISSION_BYTES_MAX).await?;
    // Signatures are checked here, on whichever core is free, never on the sequencer's path.
    let submission = admission::check(&body)
        .map_err(Problem::from)
        .inspect_err(|problem| tracing::info!(code = problem.code(), "refused at the door"))?;
    let reply = handle.intake.submit(submission, body.len())?;
    drop(body);
    let unknown = || Problem::new("outcome-unknown", "the registry stopped before it answered");
    let answer = reply
        .await
        .map_err(|_| unknown())?
        .map_err(Problem::from)
        .inspect_err(|problem| tracing::info!(code = problem.code(), "refused by the law"))?;
    let index = answer.index;
    let status = if answer.is_new { StatusCode::CREATED } else { StatusCode::OK };
    let reader = handle.reader.clone();
    let receipt =
        blocking(move || receipt(&reader, &answer.published, index, answer.logged.as_deref())).await?;
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

pub(super) async fn read_body(
    body: Body,
    headers: &HeaderMap,
    bytes_max: usize,
) -> Result<axum::body::Bytes, Problem> {
    let too_large = || Problem::new("body-too-large", format!("the limit here is {bytes_max} bytes"));
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<usize>().ok());
    if announced.is_some_and(|announced| announced > bytes_max) {
        return Err(too_large());
    }
    // A body without a length may grow to the limit, so it counts as a large one. The permit is held
    // while the body arrives; afterwards the intake counts its bytes.
    let is_large = announced.is_none_or(|announced| announced > LARGE_BODY_BYTES);
    let _permit = match is_large.then(|| LARGE_BODIES.try_acquire()).transpose() {
        Ok(permit) => permit,
        Err(_) => return Err(Problem::new("queue-full", "too many large submissions are arriving")),
    };
    match tokio::time::timeout(BODY_TIMEOUT, axum::body::to_bytes(body, bytes_max)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => Err(too_large()),
        Err(_) => Err(Problem::new("body-too-slow", "the body took longer than 15 s")),
    }
}
