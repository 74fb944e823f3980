//! `GET /v1/problems`: what every problem code means, on one page, and `GET /v1/problems/{code}`, where the
//! `type` of a problem leads. JSON for programs, a page for people, plain text for terminals.
//!
//! All words here are our own constants; nothing that anybody sent is shown.

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::{CODES, Problem};
use super::query::{Form, NoParameters, Parameters, Segment, negotiate};

/// Forms of these pages; the first one is for whoever does not say.
const FORMS: [Form; 3] = [Form::Json, Form::Html, Form::Text];

/// Nothing on the page may load or run anything.
const CONTENT_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// A code and what it means.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CodeView {
    code: &'static str,
    status: u16,
    title: &'static str,
    next: &'static str,
}

/// All codes, sorted.
fn code_views() -> Vec<CodeView> {
    let mut views: Vec<CodeView> = CODES
        .iter()
        .map(|(code, status, title, next)| CodeView { code, status: status.as_u16(), title, next })
        .collect();
    views.sort_unstable_by_key(|view| view.code);
    views
}

/// `GET /v1/problems`.
#[utoipa::path(
    get,
    path = "/v1/problems",
    operation_id = "problems",
    tag = "everybody",
    responses((status = 200, description = "what it means", content(
        (Vec<CodeView> = "application/json"),
        (String = "text/html"),
        (String = "text/plain"),
    )))
)]
pub(super) async fn problems(
    headers: HeaderMap,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Response {
    let views = code_views();
    let mut response = match negotiate(&headers, &FORMS) {
        Form::Html => page("Problems", &views),
        Form::Text => text(&views),
        _ => Json(views).into_response(),
    };
    describe(&mut response);
    response
}

/// `GET /v1/problems/{code}`.
#[utoipa::path(
    get,
    path = "/v1/problems/{code}",
    operation_id = "problem",
    tag = "everybody",
    params(("code" = String, Path, description = "code of the problem")),
    responses((status = 200, description = "what it means", content(
        (CodeView = "application/json"),
        (String = "text/html"),
        (String = "text/plain"),
    )))
)]
pub(super) async fn problem(
    headers: HeaderMap,
    Segment(asked): Segment,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Response, Problem> {
    let mut views = code_views();
    views.retain(|view| view.code == asked);
    let view = views.pop().ok_or_else(|| Problem::not_found("problem with this code"))?;
    let mut response = match negotiate(&headers, &FORMS) {
        Form::Html => page(view.code, &[view]),
        Form::Text => text(&[view]),
        _ => Json(view).into_response(),
    };
    describe(&mut response);
    Ok(response)
}

fn describe(response: &mut Response) {
    let (cache, steady) = super::STEADY_CACHE;
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    headers.insert(cache, steady);
}

fn text(views: &[CodeView]) -> Response {
    let lines: String = views
        .iter()
        .map(|CodeView { code, status, title, next }| {
            format!("{code} ({status})\n  {title}\n  what to do: {next}\n\n")
        })
        .collect();
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    ([(header::CONTENT_TYPE, text)], lines).into_response()
}

fn page(title: &str, views: &[CodeView]) -> Response {
    let terms: String = views
        .iter()
        .map(|CodeView { code, status, title, next }| {
            let (title, next) = (escaped(title), escaped(next));
            format!("<dt id=\"{code}\"><code>{code}</code> ({status})</dt>\n<dd>{title}.<br>What to do: {next}.</dd>\n")
        })
        .collect();
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <main>\n<h1>{title}</h1>\n<dl>\n{terms}</dl>\n\
         <p><a href=\"/v1/problems\">All problems</a></p>\n</main>\n</html>\n"
    );
    let media = HeaderValue::from_static("text/html; charset=utf-8");
    ([(header::CONTENT_TYPE, media), (header::CONTENT_SECURITY_POLICY, CONTENT_POLICY)], html).into_response()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
