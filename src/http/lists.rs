//! Statements, signatories, parties, keys: what everybody asks, as JSON.
//!
//! Lists come from the index as of one tree size; what is current comes from the state between two
//! batches, together with the size it is true for.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use undersigned_registry::id::{KeyId, PartyId};

use super::answer::{PageQuery, Parameters, Segment};
use super::problem::Problem;
use super::views;
use crate::node::Handle;

/// `GET /v1/statements`.
pub(super) async fn statements(
    State(handle): State<Handle>,
    Parameters(query): Parameters<PageQuery>,
) -> Result<Response, Problem> {
    Ok(Json(views::statement::statements(&handle, &query).await?).into_response())
}

/// `GET /v1/statements/{slug or id}`.
pub(super) async fn statement(
    State(handle): State<Handle>,
    Segment(named): Segment,
) -> Result<Response, Problem> {
    Ok(Json(views::statement::statement(&handle, &named).await?).into_response())
}

/// `GET /v1/statements/{slug or id}/signatories?version=&at=&limit=&cursor=`: in the order in which the
/// parties entered the registry, also those who left.
pub(super) async fn signatories(
    State(handle): State<Handle>,
    Segment(named): Segment,
    Parameters(query): Parameters<PageQuery>,
) -> Result<Response, Problem> {
    Ok(Json(views::signatory::signatories(&handle, &named, &query).await?).into_response())
}

/// `GET /v1/keys/{key id}`.
pub(super) async fn key(State(handle): State<Handle>, Segment(key): Segment) -> Result<Response, Problem> {
    let id = KeyId::from_hex(&key)
        .map_err(|_| Problem::query("a key is named by its id (64 lower-case hex digits)"))?;
    Ok(Json(views::party::key(&handle, id).await?).into_response())
}

/// `GET /v1/parties/{id or domain}`: one party by its id, or all that claim a domain.
pub(super) async fn party(
    State(handle): State<Handle>,
    Segment(named): Segment,
    Parameters(query): Parameters<PageQuery>,
) -> Result<Response, Problem> {
    match PartyId::from_hex(&named) {
        Ok(id) => Ok(Json(views::party::party(&handle, id, &query).await?).into_response()),
        Err(_) if undersigned_registry::event::is_domain(&named) => {
            Ok(Json(views::party::claims(&handle, named, &query).await?).into_response())
        }
        Err(_) => Err(Problem::query("a party is named by its id (64 lower-case hex digits) or by a domain")),
    }
}
