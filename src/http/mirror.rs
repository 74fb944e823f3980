//! The role of a mirror: everything can be read, nothing is taken in.
//!
//! The routes are those of the registry, over the mirror's own copy. A request to write is answered with where
//! the log is; it is not passed on, for a submission could be lost on the way and the receipt would not be
//! the mirror's to give. Beside its own routes a mirror serves the static files of every log that it holds
//! under `/<SHA-256 of the origin>/` (C2SP tlog-mirror).
//!
//! Not here: links below a prefix. Pages and `/v1` of each log have a listener of their own, so that every
//! address stands as the log has it, and a browser keeps apart what belongs to different logs.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::{Method, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use tower::Service as _;

use super::door;
use super::problem::Problem;
use super::static_problem;
use crate::node::Handle;
use crate::read::static_files::{Shown, StaticFiles};

/// The static files of the logs that a mirror holds, by the hash of their origin. Cheap to clone; all clones
/// are one list.
#[derive(Debug, Clone, Default)]
pub struct MirroredLogs(Arc<RwLock<BTreeMap<String, Router>>>);

impl MirroredLogs {
    /// Adds a log that is ready to be read.
    pub fn add(&self, origin_hash: String, handle: &Handle) {
        let router = static_files(handle).router();
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(origin_hash, router);
    }

    fn find(&self, origin_hash: &str) -> Option<Router> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(origin_hash).cloned()
    }

    /// The routes below the hashes.
    pub(super) fn router(self) -> Router {
        Router::new()
            .route("/{origin_hash}/checkpoint", any(below))
            .route("/{origin_hash}/tile/{*path}", any(below))
            .route("/{origin_hash}/blobs/{*path}", any(below))
            .with_state(self)
    }
}

/// The static files of a log.
pub(super) fn static_files(handle: &Handle) -> StaticFiles {
    let published = handle.published.clone();
    StaticFiles {
        store: Arc::clone(&handle.store),
        published: Arc::new(move || {
            let tree = Arc::clone(&published.borrow());
            Shown { size: tree.head.size, checkpoint: Bytes::from_owner(Arc::clone(&tree.checkpoint)) }
        }),
        problem: Arc::new(static_problem),
    }
}

async fn below(
    State(logs): State<MirroredLogs>,
    Path(parts): Path<Vec<(String, String)>>,
    mut request: Request,
) -> Response {
    let hash = parts.first().map(|(_, hash)| hash.as_str()).unwrap_or_default();
    let rest = request.uri().path().strip_prefix('/').and_then(|path| path.strip_prefix(hash));
    let uri = rest.and_then(|rest| rest.parse::<Uri>().ok());
    let (Some(mut files), Some(uri)) = (logs.find(hash), uri) else {
        return Problem::not_found("log with this hash in this mirror").into_response();
    };
    *request.uri_mut() = uri;
    match files.call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// Answers a request to write with where the log is.
pub(super) async fn guard(State(handle): State<Handle>, request: Request, next: Next) -> Response {
    let Some(upstream) = &handle.upstream else { return next.run(request).await };
    if !(*request.method() == Method::POST && door::is_write(request.uri().path())) {
        return next.run(request).await;
    }
    door::take_refused(request).await;
    let detail = format!("this is a mirror and takes nothing in; the log is at {}", upstream.url);
    Problem::new("read-only-mirror", detail).into_response()
}
