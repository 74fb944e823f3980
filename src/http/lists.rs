//! Statements, parties, keys: what everybody asks, as JSON.
//!
//! Lists come from the index as of one tree size; what is current comes from the state between two
//! batches, together with the size it is true for.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use undersigned_registry::id::{KeyId, PartyId};

use super::problem::Problem;
use super::query::{ListQuery, NoParameters, Parameters, Segment};
use super::views;
use crate::node::Handle;

/// `GET /v1/statements`.
pub(super) async fn statements(
    State(handle): State<Handle>,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Response, Problem> {
    Ok(Json(views::statement::statements(&handle, &query.into()).await?).into_response())
}

/// `GET /v1/statements/{slug or id}`.
pub(super) async fn statement(
    State(handle): State<Handle>,
    Segment(named): Segment,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Response, Problem> {
    Ok(Json(views::statement::statement(&handle, &named).await?).into_response())
}

/// `GET /v1/keys/{key id}`.
pub(super) async fn key(
    State(handle): State<Handle>,
    Segment(key): Segment,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Response, Problem> {
    let id = KeyId::from_hex(&key)
        .map_err(|_| Problem::query("a key is named by its id (64 lower-case hex digits)"))?;
    Ok(Json(views::party::key(&handle, id).await?).into_response())
}

/// `GET /v1/parties/{id or domain}`: one party by its id, or all that claim a domain.
pub(super) async fn party(
    State(handle): State<Handle>,
    Segment(named): Segment,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Response, Problem> {
    match PartyId::from_hex(&named) {
        // Keys and head are known as they are now, so a party as of another size would mix two trees.
        Ok(_) if query.at.is_some() => Err(Problem::query("a party is told as it is now: leave out at")),
        Ok(id) => Ok(Json(views::party::party(&handle, id, &query.into()).await?).into_response()),
        Err(_) if undersigned_registry::event::is_domain(&named) => {
            Ok(Json(views::party::claims(&handle, named, &query.into()).await?).into_response())
        }
        Err(_) => Err(Problem::query("a party is named by its id (64 lower-case hex digits) or by a domain")),
    }
}
