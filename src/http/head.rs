//! The head of a request, read in one way only.
//!
//! Two programs in a row that read a request differently can be made to see different requests in the same
//! bytes. The HTTP library refuses most of what is ambiguous and ends the connection (two lengths, a length
//! beside chunks, folded lines); here is the rest: lines that may stand once stand once, the only transfer
//! coding is `chunked`, and an HTTP/1.1 request says which host it means.

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderName, HeaderValue, Version, header};
use axum::response::{IntoResponse as _, Response};

use super::problem::Problem;

/// Lines that two readers would choose differently from if there were several.
const ONCE: [HeaderName; 4] =
    [header::HOST, header::CONTENT_TYPE, header::CONTENT_LENGTH, header::TRANSFER_ENCODING];

/// The answer to a request whose head can be read in two ways.
pub(super) fn refusal(request: &Request) -> Option<Response> {
    let rule = broken(request)?;
    let mut response = Problem::new("head-broken", rule).into_response();
    if request.version() < Version::HTTP_2 {
        // What follows on this connection may be anything.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Some(response)
}

/// The rule that a request breaks.
fn broken(request: &Request) -> Option<&'static str> {
    let headers = request.headers();
    let count = |name: &HeaderName| headers.get_all(name).iter().count();
    if ONCE.iter().any(|name| count(name) > 1) {
        return Some("Host, Content-Type, Content-Length and Transfer-Encoding stand once");
    }
    let is_chunked = |coding: &HeaderValue| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    if headers.get(header::TRANSFER_ENCODING).is_some_and(|coding| !is_chunked(coding)) {
        return Some("the only transfer coding here is chunked");
    }
    let host = headers.get(header::HOST);
    if host.is_none() && request.version() == Version::HTTP_11 {
        return Some("Host is missing");
    }
    let is_authority = |host: &HeaderValue| {
        host.to_str().is_ok_and(|host| host.parse::<Authority>().is_ok() && !host.contains('@'))
    };
    host.is_some_and(|host| !is_authority(host)).then_some("Host is no host and port")
}
