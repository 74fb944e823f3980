//! `/entries/{index or event hash}`: what an entry says in words, its proof, its receipt to take away.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::filters;
use super::frame::Frame;
use super::page;
use crate::http::problem::Problem;
use crate::http::query::Segment;
use crate::http::views::act::Deed;
use crate::http::views::entry::{EntryDetail, entry_detail};
use crate::node::Handle;

#[derive(Template)]
#[template(path = "entry.html", config = "src/http/pages/askama.toml")]
struct Entry {
    frame: Frame,
    detail: EntryDetail,
    /// The entry's JSON with white space for people; not the bytes that were signed.
    json: String,
}

/// `GET /entries/{index or event hash}`.
pub(in crate::http) async fn entry(
    State(handle): State<Handle>,
    Segment(reference): Segment,
) -> Result<Response, Problem> {
    let detail = entry_detail(&handle, &reference).await?;
    let value: serde_json::Value =
        serde_json::from_slice(&detail.json).map_err(|error| Problem::internal(&error))?;
    let json = serde_json::to_string_pretty(&value).map_err(|error| Problem::internal(&error))?;
    page(&Entry { frame: Frame::of(&handle), detail, json })
}
