//! The HTTP side of a log of any bytes: `POST /add` writes, `/checkpoint` and `/tile/...` read.
//!
//! A leaf's answer is its index in decimal, and comes once a checkpoint that covers it can be read.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::http::header::{ALLOW, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use undersigned::read::static_files::{Shown, StaticFiles, StaticProblem};
use undersigned::sequencer::{Intake, NotLogged, Running};

use super::law::{LEAF_BYTES_MAX, Leaf, NotALeaf, RawLaw};

/// Seconds after which a leaf that found no room may be sent again.
const RETRY_SECONDS: &str = "1";

/// The routes of a running log.
pub(crate) fn app(running: &Running<RawLaw>) -> Router {
    let published = running.published();
    let files = StaticFiles {
        store: Arc::clone(running.store()),
        published: Arc::new(move || {
            let tree = Arc::clone(&published.borrow());
            Shown { size: tree.head.size, checkpoint: Bytes::from_owner(Arc::clone(&tree.checkpoint)) }
        }),
        problem: Arc::new(static_problem),
    };
    Router::new()
        .route("/add", post(add).fallback(only_post))
        .layer(DefaultBodyLimit::max(LEAF_BYTES_MAX))
        .with_state(running.intake().clone())
        .merge(files.router())
}

async fn add(State(intake): State<Intake<RawLaw>>, body: Result<Bytes, BytesRejection>) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            return refused(NotALeaf::TooLong);
        }
        Err(_) => {
            return (StatusCode::BAD_REQUEST, "the body did not arrive whole\nsend it again\n")
                .into_response();
        }
    };
    let leaf = match Leaf::new(body.into()) {
        Ok(leaf) => leaf,
        Err(reason) => return refused(reason),
    };
    let bytes = leaf.len();
    let reply = match intake.submit(leaf, bytes) {
        Ok(receiver) => receiver.await,
        Err(later) => return unavailable(&format!("{later}: the leaf is not in the log\nsend it again\n")),
    };
    match reply {
        Ok(Ok(answer)) => answer.index.to_string().into_response(),
        Ok(Err(NotLogged::Refused(never))) => match never {},
        Ok(Err(NotLogged::Later(later))) => {
            unavailable(&format!("{later}: the leaf is not in the log\nsend it again\n"))
        }
        Err(_) => unavailable(
            "the log stopped, and the leaf may be in it or not\nlook for it when the log is back, or send it again\n",
        ),
    }
}

fn refused(reason: NotALeaf) -> Response {
    let status = match reason {
        NotALeaf::Empty => StatusCode::BAD_REQUEST,
        NotALeaf::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
    };
    (status, format!("{reason}\n")).into_response()
}

fn unavailable(text: &str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, RETRY_SECONDS)], text.to_owned()).into_response()
}

async fn only_post() -> Response {
    let text = "leaves are written with POST\n";
    (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "POST")], text).into_response()
}

fn static_problem(problem: StaticProblem) -> Response {
    let answer = match problem {
        StaticProblem::NotFound => (StatusCode::NOT_FOUND, "nothing is published under this name\n"),
        StaticProblem::Method => (StatusCode::METHOD_NOT_ALLOWED, "files are read with GET or HEAD\n"),
        StaticProblem::Busy => {
            (StatusCode::SERVICE_UNAVAILABLE, "too many files are being read\nask again\n")
        }
        StaticProblem::Unreadable => {
            (StatusCode::INTERNAL_SERVER_ERROR, "the file cannot be read; the log's own messages say why\n")
        }
    };
    answer.into_response()
}
