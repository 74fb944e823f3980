//! Pages: the same views as the interface for programs, as HTML for people.
//!
//! Rendered here, whole without script, from templates that are compiled in and escape everything; nothing
//! is loaded from elsewhere. A page knows views and templates, never the storage. What a stranger wrote is
//! shown as text: escaped, apart from the words around it (`bdi`), its invisible characters made visible,
//! and the domain beside every name.

mod assets;
mod entry;
mod filters;
mod find;
mod frame;
mod home;
mod party;
mod problem;
mod registry;
mod statement;

use askama::Template;
use axum::Router;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::map_response;
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;

pub(super) use problem::{for_people, is_person};

use super::problem::Problem;
use super::query::{Form, negotiate};
use crate::node::Handle;

/// The addresses for people.
pub(super) fn router() -> Router<Handle> {
    Router::new()
        .route("/", get(home::home))
        .route("/statements/{statement}", get(statement::statement))
        .route("/parties/{party}", get(party::party))
        .route("/entries/{reference}", get(entry::entry))
        .route("/find", get(find::lead))
        .route("/check", get(registry::check))
        .route("/registry", get(registry::registry))
        .route_layer(map_response(dressed))
        .route("/statements/{statement}/signatories.csv", get(statement::csv))
        .route("/statements/{statement}/signatories.jsonl", get(statement::json_lines))
        .route("/assets/{name}", get(assets::asset))
}

/// Nothing is loaded but our own style and icon, nothing is run, nothing may frame a page, and a form goes
/// nowhere but here.
const CONTENT_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'",
);

async fn dressed(mut response: Response) -> Response {
    dress(response.headers_mut());
    response
}

/// The headers of everything that a browser shows.
fn dress(headers: &mut HeaderMap) {
    let all = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (
            header::HeaderName::from_static("cross-origin-opener-policy"),
            HeaderValue::from_static("same-origin"),
        ),
    ];
    for (name, value) in all {
        headers.insert(name, value);
    }
}

/// A template as an answer.
fn page(template: &impl Template) -> Result<Response, Problem> {
    let html = template.render().map_err(|error| Problem::internal(&error))?;
    Ok(Html(html).into_response())
}

/// Whether a person asks: their browser names HTML, and likes nothing more that could be had instead.
fn wants_page(headers: &HeaderMap, instead: Form) -> bool {
    negotiate(headers, &[instead, Form::Html]) == Form::Html
}
