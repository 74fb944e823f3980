//! The style sheet and the icon: compiled in, named by what they hold, so that a browser keeps them for ever.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use undersigned_tlog::hash::sha256;

use crate::http::problem::Problem;

const STYLE: &str = include_str!("style.css");
const ICON: &str = include_str!("icon.svg");

/// A year, the longest that caches take seriously: another style has another name.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// The names under which the two are served.
#[derive(Debug)]
pub(super) struct Names {
    style: String,
    icon: String,
}

static NAMES: LazyLock<Names> = LazyLock::new(|| Names {
    style: format!("{}.css", fingerprint(STYLE)),
    icon: format!("{}.svg", fingerprint(ICON)),
});

fn fingerprint(content: &str) -> String {
    sha256(&[content.as_bytes()]).to_hex().chars().take(16).collect()
}

/// The address of the style sheet.
pub(super) fn style() -> String {
    format!("/assets/{}", NAMES.style)
}

/// The address of the icon.
pub(super) fn icon() -> String {
    format!("/assets/{}", NAMES.icon)
}

/// `GET /assets/{name}`.
pub(super) async fn asset(Path(name): Path<String>) -> Result<Response, Problem> {
    let (content, media) = if name == NAMES.style {
        (STYLE, "text/css; charset=utf-8")
    } else if name == NAMES.icon {
        (ICON, "image/svg+xml")
    } else {
        return Err(Problem::not_found("file of this name"));
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media)),
        (header::CACHE_CONTROL, FOR_EVER),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'")),
    ];
    Ok((headers, content).into_response())
}
