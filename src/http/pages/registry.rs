//! `/registry` and `/check`: which registry this is, and how to check it without believing it.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::Response;
use serde::Deserialize;

use super::filters;
use super::frame::Frame;
use super::page;
use crate::http::answer::published;
use crate::http::problem::Problem;
use crate::http::query::{Parameters, maybe_number};
use crate::http::views::registry::{RegistryView, anchor_fingerprint, registry as view};
use crate::node::Handle;

#[derive(Template)]
#[template(path = "registry.html", config = "src/http/pages/askama.toml")]
struct Registry {
    frame: Frame,
    view: RegistryView,
    policy: String,
    fingerprint: String,
}

/// `GET /registry`.
pub(in crate::http) async fn registry(State(handle): State<Handle>) -> Result<Response, Problem> {
    let view = view(&handle).await?;
    let (policy, fingerprint) = (handle.policy.to_string(), anchor_fingerprint(&handle));
    page(&Registry { frame: Frame::of(&handle), view, policy, fingerprint })
}

#[derive(Template)]
#[template(path = "check.html", config = "src/http/pages/askama.toml")]
struct Check {
    frame: Frame,
    /// Where the reader's browser found us.
    address: String,
    entry: u64,
    fingerprint: String,
    log_key: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct CheckQuery {
    #[serde(default, deserialize_with = "maybe_number")]
    entry: Option<u64>,
}

/// `GET /check?entry=`.
pub(in crate::http) async fn check(
    State(handle): State<Handle>,
    uri: Uri,
    headers: HeaderMap,
    Parameters(query): Parameters<CheckQuery>,
) -> Result<Response, Problem> {
    let size = published(&handle).head.size.get();
    let newest = size.saturating_sub(1);
    let entry = query.entry.unwrap_or(newest);
    if entry > newest {
        return Err(Problem::not_found("such entry in the published tree"));
    }
    let named = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = named.or_else(|| Some(uri.authority()?.as_str()));
    let mut response = page(&Check {
        frame: Frame::of(&handle),
        address: address(host, &handle),
        entry,
        fingerprint: anchor_fingerprint(&handle),
        log_key: handle.log_key.to_string(),
    })?;
    // The page repeats the Host header, so nothing between may keep it for others.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The address by which a reader came, as it may stand in a command: from the Host header if that has
/// nothing in it but a name and a port, else from the registry's own name. Behind a proxy that ends TLS we
/// cannot see the scheme; a host of this machine is taken for plain HTTP, every other for HTTPS, and the
/// page says that the reader's browser knows better.
fn address(host: Option<&str>, handle: &Handle) -> String {
    let is_plain = |host: &&str| {
        !host.is_empty()
            && host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']'))
    };
    let own = handle.registry.origin().split('/').next().unwrap_or_default();
    let host = host.filter(is_plain).unwrap_or(own);
    let is_here = ["127.", "localhost", "[::1]"].iter().any(|here| host.starts_with(here));
    format!("{}://{host}", if is_here { "http" } else { "https" })
}
