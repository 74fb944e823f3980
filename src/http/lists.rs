//! Statements, parties, keys: what everybody asks, as JSON.
//!
//! Lists come from the index as of one tree size; what is current comes from the state between two
//! batches, together with the size it is true for.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use undersigned_registry::id::{KeyId, PartyId};
use utoipa::ToSchema;

use super::problem::Problem;
use super::query::{ListQuery, NoParameters, Parameters, Segment};
use super::views;
use super::views::party::{ClaimsView, KeyView, PartyView};
use super::views::statement::{StatementView, StatementsView};
use crate::node::Handle;

/// What an address below `/v1/parties` holds.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum PartyOrClaims {
    Party(PartyView),
    Claims(ClaimsView),
}

/// `GET /v1/statements`.
#[utoipa::path(
    get,
    path = "/v1/statements",
    operation_id = "statements",
    tag = "everybody",
    params(ListQuery),
    responses((status = 200, body = StatementsView, description = "a page of the statements, oldest first"))
)]
pub(super) async fn statements(
    State(handle): State<Handle>,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Response, Problem> {
    Ok(Json(views::statement::statements(&handle, &query.into()).await?).into_response())
}

/// `GET /v1/statements/{slug or id}`.
#[utoipa::path(
    get,
    path = "/v1/statements/{statement}",
    operation_id = "statement",
    tag = "everybody",
    params(("statement" = String, Path, description = "slug or id")),
    responses((status = 200, body = StatementView, description = "the statement with its newest version"))
)]
pub(super) async fn statement(
    State(handle): State<Handle>,
    Segment(named): Segment,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Response, Problem> {
    Ok(Json(views::statement::statement(&handle, &named).await?).into_response())
}

/// `GET /v1/keys/{key id}`.
#[utoipa::path(
    get,
    path = "/v1/keys/{key}",
    operation_id = "key",
    tag = "everybody",
    params(("key" = String, Path, pattern = "^[0-9a-f]{64}$", description = "id of the key")),
    responses((status = 200, body = KeyView, description = "the key"))
)]
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
#[utoipa::path(
    get,
    path = "/v1/parties/{party}",
    operation_id = "party",
    tag = "everybody",
    params(("party" = String, Path, description = "id of a party, or a domain"), ListQuery),
    responses((status = 200, body = PartyOrClaims, description = "the party, or all that claim the domain"))
)]
pub(super) async fn party(
    State(handle): State<Handle>,
    Segment(named): Segment,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Response, Problem> {
    match PartyId::from_hex(&named) {
        // Keys and head are known as they are now, so a party as of another size would mix two trees.
        Ok(_) if query.at.is_some() => Err(Problem::query("a party is told as it is now: leave out at")),
        Ok(id) => Ok(Json(PartyOrClaims::Party(views::party::party(&handle, id, &query.into()).await?))
            .into_response()),
        Err(_) if undersigned_registry::event::is_domain(&named) => {
            Ok(Json(PartyOrClaims::Claims(views::party::claims(&handle, named, &query.into()).await?))
                .into_response())
        }
        Err(_) => Err(Problem::query("a party is named by its id (64 lower-case hex digits) or by a domain")),
    }
}
