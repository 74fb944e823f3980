//! What happens to every request before and after its route.
//!
//! One step for all of it: each layer of its own is a copy of everything below it, made for every request. The
//! one address that the registry is there for, where signed events come in, is answered without the router, and so
//! are the tiles that lie in memory.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::HttpBody as _;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::response::{IntoResponse as _, Response};
use tower::Service;

use super::query::{NoParameters, Parameters};
use super::{conditional, cross_origin, door, head, observe, pages, submit};
use crate::limits::Door;
use crate::node::Handle;
use crate::read::accept::Waits;
use crate::read::static_files::{KeptTiles, TILE_ROUTE};

/// What an answer comes in.
pub(super) type Answering<T> = Pin<Box<dyn Future<Output = Result<T, Infallible>> + Send>>;

/// All routes, and what is around them. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Around(Arc<Inside>);

#[derive(Debug)]
struct Inside {
    handle: Handle,
    door: Arc<Door>,
    routes: Router,
    kept: KeptTiles,
}

impl Around {
    /// Puts it around the routes.
    pub(super) fn new(handle: Handle, door: Arc<Door>, routes: Router, kept: KeptTiles) -> Self {
        Self(Arc::new(Inside { handle, door, routes, kept }))
    }
}

impl Service<Request> for Around {
    type Response = Response;
    type Error = Infallible;
    type Future = Answering<Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let inside = Arc::clone(&self.0);
        Box::pin(async move { Ok(inside.answer(request).await) })
    }
}

impl Inside {
    /// Refuses what can be read in two ways, tells problems to people as pages, adds a validator to what was
    /// read, and says that any page may ask, in this order from the inside.
    async fn answer(&self, mut request: Request) -> Response {
        if *request.method() == Method::OPTIONS {
            return cross_origin::preflight();
        }
        let asked = conditional::Asked::take(&mut request);
        let response = match head::refusal(&request) {
            Some(refusal) => refusal,
            None => {
                let is_person = pages::is_person(&request);
                pages::for_people(&self.handle, is_person, self.routed(request).await)
            }
        };
        let mut response = conditional::validated(asked, response).await;
        // Before it may be compressed, which takes the length away and keeps the bytes.
        if let Some(bytes) = response.body().size_hint().exact() {
            response.extensions_mut().insert(Waits(bytes));
        }
        cross_origin::allow(response.headers_mut());
        response
    }

    async fn routed(&self, request: Request) -> Response {
        if self.is_submission(&request) {
            return self.submitted(request).await;
        }
        if let Some(response) = self.kept_tile(&request) {
            return response;
        }
        match self.routes.clone().call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    /// What the router and its layers would answer, if it is a tile that lies in memory.
    fn kept_tile(&self, request: &Request) -> Option<Response> {
        if *request.method() != Method::GET || !request.uri().path().starts_with("/tile/") {
            return None;
        }
        let mut response = self.kept.answer(request.uri().path())?;
        observe::note_route(&mut response, TILE_ROUTE);
        Some(response)
    }

    /// Whether the router would lead it to [`submit::submit`]. Parameters are left to the router to refuse.
    fn is_submission(&self, request: &Request) -> bool {
        *request.method() == Method::POST
            && request.uri().path() == door::ENTRIES
            && request.uri().query().is_none()
            && self.handle.upstream.is_none()
    }

    /// What the router and its layers do with a submission.
    async fn submitted(&self, request: Request) -> Response {
        let handle = self.handle.clone();
        let submit = async |request: Request| {
            submit::submit(State(handle), Parameters(NoParameters {}), request).await.into_response()
        };
        let mut response = door::guarded(&self.door, request, submit).await;
        common(&mut response);
        observe::note_route(&mut response, door::ENTRIES);
        response
    }
}

/// The headers of every answer of the interface, by program and by page.
pub(super) fn common(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
}
