//! HTTP: one file for each audience, over one handle of a running node.
//!
//! - `submit`: signatories send events and get receipts;
//! - `proofs`: auditors get entries, receipts and proofs;
//! - `state_proof`: answers of the state with their proof; `multi_proof`: several entries with one proof;
//! - `lists`: everybody gets statements and parties;
//! - `signatories`: who signed, as JSON, CSV and JSON lines;
//! - `query`: what a request asks for;
//! - `about`: what the registry says of itself;
//! - `pages`: the same for people, in a browser;
//! - `around`: what every request goes through; `cross_origin`: who may ask; `conditional`: validators and compression; `openapi`: the document that describes all of this;
//! - `health`: whether it is well;
//! - `admin`: the operator's own listener;
//! - `observe`: what is counted and logged of every request;
//! - `views`: what the answers say, apart from how they look;
//! - `head`: requests that can be read in two ways are refused;
//! - `door`: who may write, and how much;
//! - `mirror`: the role in which nobody may;
//! - `problem`: the one place that turns errors into status codes; `problems`: what its codes mean.
//!
//! Every answer is built from one published tree and names it. Never from here: files, keys, the law.

mod about;
mod admin;
mod answer;
mod around;
mod conditional;
mod cross_origin;
mod door;
mod head;
mod health;
mod lists;
mod mirror;
mod multi_proof;
mod observe;
mod openapi;
mod pages;
mod prepare;
pub mod problem;
mod problems;
mod proofs;
mod query;
mod signatories;
mod state_proof;
mod submit;
mod views;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse as _, Response};
use tower::ServiceBuilder;
use tower::layer::layer_fn;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::limits::{Door, SharedLimits};
use crate::node::Handle;
use crate::read::static_files::{KeptTiles, StaticProblem};
pub use admin::admin;
use around::Around;
pub use mirror::MirroredLogs;
use problem::Problem;

/// The whole public API over a running node, without a socket, under the limits that are given.
pub fn app(handle: Handle, limits: Arc<SharedLimits>) -> Router {
    assemble(handle, limits, Router::new())
}

/// The same over a copy of a log, to be read alone, and the static files of every log that the mirror holds.
pub fn mirror(handle: Handle, limits: Arc<SharedLimits>, logs: MirroredLogs) -> Router {
    assemble(handle, limits, logs.router())
}

fn assemble(handle: Handle, limits: Arc<SharedLimits>, beside: Router) -> Router {
    let door = Arc::new(Door::new(limits));
    let (files, kept) = (mirror::static_files(&handle), KeptTiles::default());
    let people = handle.clone();
    let (api, _) = routes().split_for_parts();
    let api = pages::router()
        .merge(api)
        .method_not_allowed_fallback(async || {
            Problem::new("method-not-allowed", "another method belongs here")
        })
        // One layer of several: each layer of a router boxes every route once more.
        .layer(
            ServiceBuilder::new()
                .layer(from_fn(observe::routed))
                .layer(map_response(with_common_headers))
                .option_layer(
                    handle.upstream.is_some().then(|| from_fn_with_state(handle.clone(), mirror::guard)),
                )
                .layer(from_fn_with_state(Arc::clone(&door), door::guard)),
        )
        .with_state(handle);
    let all = api
        .merge(files.router_beside(&kept).merge(beside).layer(from_fn(observe::routed)))
        .fallback(async || Problem::not_found("such address; GET / lists what there is"));
    // Around the router as a whole: a layer of a router is a copy of it in every route, and each request
    // would pay for all of them.
    let around = ServiceBuilder::new()
        .layer(layer_fn(observe::Observed))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(conditional::compression())
        .service(Around::new(people, door, all, kept));
    Router::new().fallback_service(around)
}

async fn with_common_headers(mut response: Response) -> Response {
    around::common(&mut response);
    response
}

/// Every operation for programs, and the document that describes them. The static files have a router of
/// their own and are described by hand.
fn routes() -> OpenApiRouter<Handle> {
    OpenApiRouter::with_openapi(openapi::head())
        .routes(routes!(submit::submit))
        .routes(routes!(proofs::entry))
        .routes(routes!(proofs::receipt))
        .routes(routes!(prepare::prepare))
        .routes(routes!(proofs::inclusion))
        .routes(routes!(proofs::consistency))
        .routes(routes!(multi_proof::multi))
        .routes(routes!(state_proof::state))
        .routes(routes!(lists::statements))
        .routes(routes!(lists::statement))
        .routes(routes!(signatories::signatories))
        .routes(routes!(lists::party))
        .routes(routes!(lists::key))
        .routes(routes!(about::policy))
        .routes(routes!(about::registry))
        .routes(routes!(problems::problems))
        .routes(routes!(problems::problem))
        .routes(routes!(about::health))
        .routes(routes!(openapi::served))
}

/// For what only another version of the program changes.
const STEADY_CACHE: (HeaderName, HeaderValue) =
    (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));

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
