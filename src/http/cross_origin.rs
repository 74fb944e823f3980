//! Any page of any origin may ask: what a browser is told of that (the Fetch standard's CORS protocol).
//!
//! The same words for every origin and every answer, so that caches need not tell them apart, and so that
//! they cost nothing.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;

/// Every origin.
const ORIGIN: HeaderValue = HeaderValue::from_static("*");
/// What may be asked with.
const METHODS: HeaderValue = HeaderValue::from_static("GET,HEAD,POST");
/// Headers of a request that a page may set.
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static("content-type,accept,if-none-match");
/// Headers of an answer that a page may read, beside those that it always may.
const ANSWER_HEADERS: HeaderValue = HeaderValue::from_static(
    "content-disposition,etag,link,location,retry-after,undersigned-index,undersigned-tree-size",
);
/// How long a browser may remember it, in seconds: it never changes while a version runs.
const AGE_SECONDS: HeaderValue = HeaderValue::from_static("600");

/// Adds what stands on every answer.
pub(super) fn allow(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ORIGIN);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, ANSWER_HEADERS);
}

/// The answer to a browser that asks before it asks.
pub(super) fn preflight() -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, AGE_SECONDS);
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ORIGIN);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{INDEX_HEADER, TREE_SIZE_HEADER};

    #[test]
    fn pages_may_read_our_own_headers() {
        let mut headers = HeaderMap::new();
        allow(&mut headers);
        let shown = headers[header::ACCESS_CONTROL_EXPOSE_HEADERS].to_str().unwrap_or_default().to_owned();
        for own in [INDEX_HEADER, TREE_SIZE_HEADER, header::LOCATION] {
            assert!(shown.split(',').any(|name| name == own.as_str()), "{own}");
        }
        assert!(!shown.contains("set-cookie"));
    }
}
