//! What is counted and logged of every request: its route, its status, and the code of its refusal.
//!
//! Never what it carried, and not whose it was: neither bodies nor addresses reach a log line here.

use std::convert::Infallible;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use tower::Service;

use super::around::Answering;
use super::problem::Problem;
use crate::telemetry::meters;

/// What stands for the route of a request that has none.
const NO_ROUTE: &str = "none";

/// The route of an answer that came without the router.
#[derive(Debug, Clone, Copy)]
struct Route(&'static str);

/// Leaves its route in the answer: only inside the router it is known.
pub(super) async fn routed(request: Request, next: Next) -> Response {
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    if let Some(matched) = matched {
        response.extensions_mut().insert(matched);
    }
    response
}

/// The same for an answer that came without the router.
pub(super) fn note_route(response: &mut Response, route: &'static str) {
    response.extensions_mut().insert(Route(route));
}

/// Counts requests to a service and its answers, and writes one line for a refusal.
#[derive(Debug, Clone)]
pub(super) struct Observed<S>(pub(super) S);

impl<S, B> Service<Request> for Observed<S>
where
    S: Service<Request, Response = axum::http::Response<B>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = Infallible;
    type Future = Answering<S::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let (method, begun) = (method(request.method()), Instant::now());
        let answer = self.0.call(request);
        Box::pin(async move {
            let response = answer.await?;
            observe(method, begun, &response);
            Ok(response)
        })
    }
}

fn observe<B>(method: &'static str, begun: Instant, response: &axum::http::Response<B>) {
    let (extensions, status) = (response.extensions(), response.status());
    let matched = || extensions.get::<MatchedPath>().map_or(NO_ROUTE, MatchedPath::as_str);
    let route = extensions.get::<Route>().map_or_else(matched, |Route(route)| route);
    meters::REQUESTS.add(&[route, method, status.as_str()], 1);
    meters::REQUEST_SECONDS.record(&[route], begun.elapsed());
    if let Some(code) = extensions.get::<Problem>().map(Problem::code) {
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
