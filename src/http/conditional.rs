//! Caching: a validator on every answer that can be asked for again, 304 for whoever has it, compression.
//!
//! The validator is the hash of the answer's bytes (`read::validator`): an answer bound to a tree size changes
//! all the same when a text of it is erased, and then caches must follow. Making the answer costs as much as
//! without it; what is saved is the way. Tiles come with theirs.
//!
//! Nothing here is secret and no answer carries what another client sent, so that the length of a
//! compressed answer tells nothing (BREACH). Hashes do not compress; what is sent as bytes (tiles, bundles,
//! blobs) is left alone, because the read side must take no time from the write side.

use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use headers::{ETag, HeaderMapExt as _, IfNoneMatch};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{And, NotForContentType, Predicate as _, SizeAbove};

use super::problem::Problem;
use crate::read::validator::validator;

/// Answers below this are sent as they are: in a packet of 1,500 bytes there is nothing to win.
const COMPRESS_BYTES_MIN: usize = 1_024;

/// The media type of tiles, bundles and blobs.
const BYTES: &str = "application/octet-stream";

/// What a request says of the answer that its client may have already.
#[derive(Debug)]
pub(super) struct Asked {
    has: Option<IfNoneMatch>,
    reads: bool,
}

impl Asked {
    /// Reads it from a request. HEAD goes on as GET, because the validator is of the body; the router around
    /// all of this takes the body away.
    pub(super) fn take(request: &mut Request) -> Self {
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        if *request.method() == Method::HEAD {
            *request.method_mut() = Method::GET;
        }
        Self { has: request.headers().typed_try_get::<IfNoneMatch>().ok().flatten(), reads }
    }
}

/// Adds a validator to what was read, and answers 304 to whoever has it. No error is ever kept.
pub(super) async fn validated(asked: Asked, mut response: Response) -> Response {
    let Asked { has, reads } = asked;
    if response.status().is_client_error() || response.status().is_server_error() {
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        return response;
    }
    // What has no length yet is a list on its way, which nobody has seen whole.
    let is_whole = response.body().size_hint().exact().is_some();
    if !reads || response.status() != StatusCode::OK || !is_whole {
        return response;
    }
    if !response.headers().contains_key(header::ETAG) {
        let (mut parts, body) = response.into_parts();
        // The body lies in memory already, whatever its length.
        let bytes = match axum::body::to_bytes(body, usize::MAX).await {
            Ok(bytes) => bytes,
            Err(error) => return Problem::internal(&error).into_response(),
        };
        // Said here, because a 304 says it too and has no body to compress any more.
        if bytes.len() >= COMPRESS_BYTES_MIN
            && parts.headers.get(header::CONTENT_TYPE).is_none_or(|media| media != BYTES)
        {
            parts.headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
        }
        parts.headers.insert(header::ETAG, validator(&bytes));
        response = Response::from_parts(parts, Body::from(bytes));
    }
    let is_known = has.is_some_and(|has| {
        response.headers().typed_get::<ETag>().is_some_and(|etag| !has.precondition_passes(&etag))
    });
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        for about_the_body in [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::CONTENT_DISPOSITION] {
            response.headers_mut().remove(about_the_body);
        }
        *response.body_mut() = Body::empty();
    }
    response
}

/// Compresses texts with gzip for whoever takes it. Better methods win little on hashes and cost more.
pub(super) fn compression() -> CompressionLayer<And<SizeAbove, NotForContentType>> {
    let size = u64::try_from(COMPRESS_BYTES_MIN).unwrap_or(u64::MAX);
    CompressionLayer::new().compress_when(SizeAbove::new(size).and(NotForContentType::const_new(BYTES)))
}
