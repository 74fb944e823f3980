//! `/find?q=`: leads from what a person has in hand to its page, and without it to the start.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::http::views::find::{Found, find};
use crate::node::Handle;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct FindQuery {
    #[serde(default)]
    q: String,
}

/// `GET /find?q=`. The addresses are made of ids, slugs, domains and numbers alone, which need no escaping.
pub(in crate::http) async fn lead(
    State(handle): State<Handle>,
    Parameters(query): Parameters<FindQuery>,
) -> Result<Response, Problem> {
    // Nothing was asked for yet: the form stands on every page.
    if query.q.trim().is_empty() {
        return Ok(Redirect::to("/").into_response());
    }
    let address = match find(&handle, &query.q).await? {
        Found::Entry(index) => format!("/entries/{index}"),
        Found::Party(party) => format!("/parties/{party}"),
        Found::Domain(domain) => format!("/parties/{domain}"),
        Found::Statement(slug) => format!("/statements/{slug}"),
        Found::Version { statement, version } => format!("/statements/{statement}?version={version}"),
    };
    Ok(Redirect::to(&address).into_response())
}
