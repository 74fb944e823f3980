//! `/`: the statements, and where to go from here.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use serde::Deserialize;

use super::filters;
use super::frame::Frame;
use super::{page, wants_page};
use crate::http::about;
use crate::http::problem::Problem;
use crate::http::query::{Form, PageQuery, Parameters};
use crate::http::views::overview::{Overview, overview};
use crate::node::Handle;

/// How many statements stand on a page.
const STATEMENTS_SHOWN: u64 = 25;

#[derive(Template)]
#[template(path = "home.html", config = "src/http/pages/askama.toml")]
struct Home {
    frame: Frame,
    overview: Overview,
    is_first: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct HomeQuery {
    cursor: Option<String>,
}

/// `GET /`: the start page, for programs as text.
pub(in crate::http) async fn home(
    State(handle): State<Handle>,
    headers: HeaderMap,
    Parameters(query): Parameters<HomeQuery>,
) -> Result<Response, Problem> {
    let mut response = if wants_page(&headers, Form::Text) {
        let is_first = query.cursor.is_none();
        let asked =
            PageQuery { limit: Some(STATEMENTS_SHOWN), cursor: query.cursor, at: None, version: None };
        let overview = overview(&handle, &asked).await?;
        page(&Home { frame: Frame::of(&handle), overview, is_first })?
    } else {
        about::start(State(handle)).await
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    Ok(response)
}
