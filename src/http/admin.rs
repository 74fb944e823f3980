//! For the operator alone, on a listener of its own: readings for Prometheus, health, settings.
//!
//! It has no password and no TLS: the address is what protects it, so it belongs on loopback or in a
//! network of machines that are trusted. It tells nothing secret and changes nothing.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use tokio::sync::watch;

use super::health::look;
use super::problem::Problem;
use crate::node::Handle;
use crate::read::static_files::READS_MAX;
use crate::sequencer::{
    Later, QUESTIONS_MAX, QUEUE_BYTES_MAX, QUEUE_ENTRIES_MAX, RESERVED_BYTES_MAX, RESERVED_ENTRIES_MAX,
};
use crate::telemetry::meters::{self, Readings};

/// What the operator's routes answer from.
#[derive(Debug, Clone)]
struct Admin {
    handle: Handle,
    readings: Readings,
    settings: watch::Receiver<serde_json::Value>,
}

/// The routes of the admin listener; `settings` are those in force, as they are shown.
pub fn admin(handle: Handle, readings: Readings, settings: watch::Receiver<serde_json::Value>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(health))
        .route("/settings", get(show_settings))
        .fallback(async || Problem::not_found("such address; there are /metrics, /healthz and /settings"))
        .with_state(Admin { handle, readings, settings })
}

/// `GET /metrics`: what has been counted, and what stands now.
async fn metrics(State(admin): State<Admin>) -> Response {
    gauge(&admin.handle);
    let text = admin.readings.text();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// Reads what is not counted as it happens.
fn gauge(handle: &Handle) {
    let size = handle.published.borrow().head.size.get();
    let indexed = handle.index.covered();
    meters::TREE_SIZE.set_count(&[], size);
    meters::INDEXED.set_count(&[], indexed);
    meters::INDEX_LAG.set_count(&[], size.saturating_sub(indexed));
    let (entries, bytes) = handle.intake.depth();
    meters::QUEUE_DEPTH.set_size(&["intake"], entries);
    // With the reserved line, which the depth counts as well.
    meters::QUEUE_LIMIT.set_size(&["intake"], QUEUE_ENTRIES_MAX.saturating_add(RESERVED_ENTRIES_MAX));
    meters::QUEUE_BYTES.set_size(&["intake"], bytes);
    meters::QUEUE_LIMIT_BYTES.set_size(&["intake"], QUEUE_BYTES_MAX.saturating_add(RESERVED_BYTES_MAX));
    meters::QUEUE_LIMIT.set_size(&["reads"], READS_MAX);
    meters::QUEUE_DEPTH.set_size(&["questions"], handle.intake.questions());
    meters::QUEUE_LIMIT.set_size(&["questions"], QUESTIONS_MAX);
    let closed = handle.intake.closed_for();
    let is = |reason| u64::from(closed == Some(reason));
    meters::INTAKE_CLOSED.set_count(&["storage"], is(Later::Storage));
    meters::INTAKE_CLOSED.set_count(&["clock"], is(Later::Clock));
    meters::INTAKE_CLOSED.set_count(&["stopped"], u64::from(*handle.stopped.borrow()));
}

/// `GET /healthz`: whether somebody has to come.
async fn health(State(admin): State<Admin>) -> Result<Response, Problem> {
    let health = look(&admin.handle).await?;
    if health.is_open() {
        Ok(Json(health).into_response())
    } else {
        Err(Problem::new(health.intake, "nothing can be committed; reads go on"))
    }
}

/// `GET /settings`: what is in force, and where each value came from.
async fn show_settings(State(admin): State<Admin>) -> Response {
    Json(admin.settings.borrow().clone()).into_response()
}
