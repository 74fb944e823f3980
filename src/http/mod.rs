//! HTTP: one file for each audience, over one handle of a running node.
//!
//! - `submit`: signatories send events and get receipts;
//! - `proofs`: auditors get entries, receipts and proofs;
//! - `lists`: everybody gets statements and parties;
//! - `signatories`: who signed, as JSON, CSV and JSON lines;
//! - `query`: what a request asks for;
//! - `about`: what the registry says of itself;
//! - `pages`: the same for people, in a browser;
//! - `views`: what the answers say, apart from how they look;
//! - `head`: requests that can be read in two ways are refused;
//! - `door`: who may write, and how much;
//! - `problem`: the one place that turns errors into status codes; `problems`: what its codes mean.
//!
//! Every answer is built from one published tree and names it. Never from here: files, keys, the law.

mod about;
mod answer;
mod door;
mod head;
mod lists;
mod pages;
mod prepare;
pub mod problem;
mod problems;
mod proofs;
mod query;
mod signatories;
mod submit;
mod views;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{Any, CorsLayer};
use tower_http::set_header::SetResponseHeaderLayer;
use undersigned_registry::envelope::SUBMISSION_BYTES_MAX;

use crate::limits::{Door, SharedLimits};
use crate::node::Handle;
use crate::read::static_files::{Shown, StaticFiles, StaticProblem};
use problem::Problem;

/// The whole public API over a running node, without a socket, under the limits that are given.
pub fn app(handle: Handle, limits: Arc<SharedLimits>) -> Router {
    let door = Arc::new(Door::new(limits));
    let published = handle.published.clone();
    let files = StaticFiles {
        store: Arc::clone(&handle.store),
        published: Arc::new(move || {
            let tree = Arc::clone(&published.borrow());
            Shown { size: tree.head.size, checkpoint: Bytes::from_owner(Arc::clone(&tree.checkpoint)) }
        }),
        problem: Arc::new(static_problem),
    };
    let people = handle.clone();
    let api = Router::new()
        .merge(pages::router())
        .route(door::ENTRIES, post(submit::submit))
        .route("/v1/entries/{reference}", get(proofs::entry))
        .route("/v1/receipts/{reference}", get(proofs::receipt))
        .route("/v1/prepare", post(prepare::prepare))
        .route("/v1/proof/inclusion", get(proofs::inclusion))
        .route("/v1/proof/consistency", get(proofs::consistency))
        .route("/v1/statements", get(lists::statements))
        .route("/v1/statements/{statement}", get(lists::statement))
        .route("/v1/statements/{statement}/signatories", get(signatories::signatories))
        .route("/v1/parties/{party}", get(lists::party))
        .route("/v1/keys/{key}", get(lists::key))
        .route("/v1/policy", get(about::policy))
        .route("/v1/registry", get(about::registry))
        .route("/v1/problems", get(problems::problems))
        .route("/v1/problems/{code}", get(problems::problem))
        .route("/healthz", get(about::health))
        .method_not_allowed_fallback(async || {
            Problem::new("method-not-allowed", "another method belongs here")
        })
        .layer(from_fn_with_state(door, door::guard))
        .layer(SetResponseHeaderLayer::if_not_present(
            header::CACHE_CONTROL,
            HeaderValue::from_static("no-cache"),
        ))
        .layer(SetResponseHeaderLayer::overriding(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .with_state(handle);
    let all = api
        .merge(files.router())
        .fallback(async || Problem::not_found("such address; GET / lists what there is"));
    pages::for_people(all, people)
        .layer(DefaultBodyLimit::max(SUBMISSION_BYTES_MAX))
        .layer(from_fn(head::clear))
        .layer(
            CorsLayer::new()
                .allow_origin(Any)
                .allow_methods([Method::GET, Method::HEAD, Method::POST])
                .allow_headers([header::CONTENT_TYPE, header::ACCEPT])
                .expose_headers([
                    header::CONTENT_DISPOSITION,
                    header::ETAG,
                    header::LINK,
                    header::LOCATION,
                    header::RETRY_AFTER,
                    INDEX_HEADER,
                    TREE_SIZE_HEADER,
                ]),
        )
        .layer(CatchPanicLayer::custom(panicked))
}

/// The index of the entry that an answer is about.
pub const INDEX_HEADER: HeaderName = HeaderName::from_static("undersigned-index");

/// The tree size that a list is true for.
pub const TREE_SIZE_HEADER: HeaderName = HeaderName::from_static("undersigned-tree-size");

fn static_problem(problem: StaticProblem) -> Response {
    match problem {
        StaticProblem::NotFound => {
            Problem::not_found("file of this name in the published tree").into_response()
        }
        StaticProblem::Method => {
            Problem::new("method-not-allowed", "the read side answers GET and HEAD").into_response()
        }
        StaticProblem::Busy => Problem::new("reads-busy", "too many reads at a time").into_response(),
        StaticProblem::Unreadable => Problem::new("internal", "the file cannot be read").into_response(),
    }
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    let mut response = Problem::internal(&"a handler panicked").into_response();
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}
