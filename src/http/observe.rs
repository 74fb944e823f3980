//! What is counted and logged of every request: its route, its status, and the code of its refusal.
//!
//! Never what it carried, and not whose it was: neither bodies nor addresses reach a log line here.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;

use super::problem::Problem;
use crate::telemetry::meters;

/// What stands for the route of a request that has none.
const NO_ROUTE: &str = "none";

/// Leaves its route in the answer: only inside the router it is known.
pub(super) async fn routed(request: Request, next: Next) -> Response {
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    if let Some(matched) = matched {
        response.extensions_mut().insert(matched);
    }
    response
}

/// Counts a request and its answer, and writes one line for a refusal.
pub(super) async fn observe(request: Request, next: Next) -> Response {
    let method = method(request.method());
    let begun = Instant::now();
    let response = next.run(request).await;
    let route = response.extensions().get::<MatchedPath>().map_or(NO_ROUTE, MatchedPath::as_str);
    let status = response.status();
    meters::REQUESTS.add(&[route, method, status.as_str()], 1);
    meters::REQUEST_SECONDS.record(&[route], begun.elapsed());
    if let Some(code) = response.extensions().get::<Problem>().map(Problem::code) {
        meters::PROBLEMS.add(&[code], 1);
        let status = status.as_u16();
        // What is read wrongly is nobody's loss, and over a limit every client can make as many lines as
        // it likes: those are counted, and written for who looks closer.
        if method == "POST" && status != 429 {
            tracing::info!(code, status, route, "refused");
        } else {
            tracing::debug!(code, status, route, "refused");
        }
    }
    response
}

/// A client may invent methods, and each would be a time series.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
