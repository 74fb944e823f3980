//! Problems for people: the same status and words as the document for programs, as a page.

use askama::Template;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;

use super::filters;
use super::frame::Frame;
use super::{dress, wants_page};
use crate::http::problem::Problem;
use crate::http::query::Form;
use crate::node::Handle;

#[derive(Template)]
#[template(path = "problem.html", config = "src/http/pages/askama.toml")]
struct ProblemPage<'a> {
    frame: Frame,
    status: StatusCode,
    heading: &'a str,
    code: &'a str,
    title: &'a str,
    detail: &'a str,
    next: &'a str,
}

/// Whether a person asks, whose problems are told as a page.
pub(in crate::http) fn is_person(request: &Request) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD) && wants_page(request.headers(), Form::Json)
}

/// Answers a person with a page where a program gets a problem document.
pub(in crate::http) fn for_people(handle: &Handle, is_person: bool, mut response: Response) -> Response {
    let Some(problem) = response.extensions().get::<Problem>().cloned() else { return response };
    response.headers_mut().append(header::VARY, HeaderValue::from_static("accept"));
    if !is_person {
        return response;
    }
    let (status, title, next) = problem.row();
    let heading = match status {
        StatusCode::NOT_FOUND => "There is nothing at this address",
        StatusCode::BAD_REQUEST => "This address cannot be understood",
        StatusCode::SERVICE_UNAVAILABLE => "Not now: try again in a moment",
        status if status.is_server_error() => "Something failed on our side",
        _ => "This cannot be done",
    };
    let (code, detail) = (problem.code(), problem.detail());
    let rendered =
        ProblemPage { frame: Frame::of(handle), status, heading, code, title, detail, next }.render();
    // Where no page can be made, the document for programs still says what is wrong.
    let Ok(html) = rendered else { return response };
    let headers = response.headers_mut();
    dress(headers);
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    *response.body_mut() = Body::from(html);
    response
}
