//! `GET /v1/statements/{slug or id}/signatories`: who signed and who left, as JSON, CSV or JSON lines.
//!
//! JSON comes in pages. CSV and JSON lines come whole unless a `limit` asks for a page: a spreadsheet or a
//! pipe has no use for a part. A whole list is sent page by page of one tree and one version, the next one
//! when the client took the last, so that a long list costs no more memory than a page; if a page fails on
//! the way the connection ends before its time, and the client knows that something is missing. A list
//! that fits into one part has a length and a validator like every other answer.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use http_body_util::channel::Channel;

use super::TREE_SIZE_HEADER;
use super::problem::Problem;
use super::query::{Form, PageQuery, Parameters, Segment, negotiate};
use super::views::signatory::{SignatoriesView, SignatoryView, signatories as view};
use crate::listing::{CsvTable, SIGNATORY_COLUMNS, SignatoryRow, json_line};
use crate::node::Handle;

/// Rows of a whole list that are read at a time: with 16 names of 1 KiB and 400 bytes around each they
/// are below 6 MiB.
const ROWS_AT_A_TIME: u64 = 256;

/// How many such parts wait for the client.
const PARTS_WAITING: usize = 1;

/// Forms of the list; the first one is for whoever does not say.
const FORMS: [Form; 3] = [Form::Json, Form::JsonLines, Form::Csv];

/// `GET /v1/statements/{slug or id}/signatories?version=&at=&limit=&cursor=`: in the order in which the
/// parties entered the registry, also those who left.
#[utoipa::path(
    get,
    path = "/v1/statements/{statement}/signatories",
    operation_id = "signatories",
    tag = "everybody",
    params(("statement" = String, Path, description = "slug or id"), PageQuery),
    responses((status = 200, description = "who signed, and who left", content(
        (SignatoriesView = "application/json"),
        (String = "application/jsonl"),
        (String = "text/csv"),
    )))
)]
pub(super) async fn signatories(
    State(handle): State<Handle>,
    Segment(named): Segment,
    headers: HeaderMap,
    Parameters(query): Parameters<PageQuery>,
) -> Result<Response, Problem> {
    let form = negotiate(&headers, &FORMS);
    let is_whole = form != Form::Json && query.limit.is_none();
    let asked =
        PageQuery { limit: if is_whole { Some(ROWS_AT_A_TIME) } else { query.limit }, ..query.clone() };
    let first = view(&handle, &named, &asked).await?;
    let (size, name) = (first.tree_size, file_name(&named, &first, form));
    let link = first.next.as_deref().filter(|_| !is_whole).map(|next| link(&first, &query, next));
    let mut response = match form {
        Form::Json => Json(first).into_response(),
        _ if is_whole && first.next.is_some() => whole(handle, named, asked, first, form)?,
        _ => rows(&first, form, true)?.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, media(form));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    headers.insert(TREE_SIZE_HEADER, HeaderValue::from(size));
    for (header, value) in [(header::CONTENT_DISPOSITION, name), (header::LINK, link)] {
        if let Some(value) = value {
            let value = HeaderValue::from_str(&value).map_err(|error| Problem::internal(&error))?;
            headers.insert(header, value);
        }
    }
    Ok(response)
}

fn media(form: Form) -> HeaderValue {
    HeaderValue::from_static(match form {
        Form::Csv => "text/csv; charset=utf-8; header=present",
        Form::JsonLines => "application/jsonl; charset=utf-8",
        _ => "application/json",
    })
}

/// The name under which a browser saves it; a slug has no character that means anything in a header.
fn file_name(named: &str, view: &SignatoriesView, form: Form) -> Option<String> {
    let ending = match form {
        Form::Csv => "csv",
        Form::JsonLines => "jsonl",
        _ => return None,
    };
    Some(format!("attachment; filename=\"{named}-at-{}.{ending}\"", view.tree_size))
}

/// Where the next page is (RFC 8288), with everything that this one was asked with.
fn link(view: &SignatoriesView, query: &PageQuery, next: &str) -> String {
    let limit = query.limit.map(|limit| format!("&limit={limit}")).unwrap_or_default();
    let version = query.version.as_ref().map(|version| format!("&version={version}")).unwrap_or_default();
    format!("</v1/statements/{}/signatories?cursor={next}{limit}{version}>; rel=\"next\"", view.statement)
}

/// The whole list from its first page on.
fn whole(
    handle: Handle,
    named: String,
    mut asked: PageQuery,
    first: SignatoriesView,
    form: Form,
) -> Result<Response, Problem> {
    let (mut sender, body) = Channel::<Bytes, std::io::Error>::new(PARTS_WAITING);
    let mut bytes = rows(&first, form, true)?;
    let mut next = first.next;
    // The cursor names the tree size already.
    asked.at = None;
    tokio::spawn(async move {
        loop {
            // Who asked may have gone.
            if sender.send_data(Bytes::from(bytes)).await.is_err() {
                return;
            }
            let Some(cursor) = next.take() else { return };
            asked.cursor = Some(cursor);
            let page = view(&handle, &named, &asked)
                .await
                .and_then(|page| Ok((rows(&page, form, false)?, page.next)));
            match page {
                Ok(page) => (bytes, next) = page,
                Err(problem) => {
                    tracing::warn!(code = problem.code(), "a list was cut off");
                    return sender.abort(std::io::Error::other("the list was cut off"));
                }
            }
        }
    });
    Ok(Body::new(body).into_response())
}

/// A page as rows, with the header of the table before them if it begins one.
fn rows(view: &SignatoriesView, form: Form, begins: bool) -> Result<Vec<u8>, Problem> {
    if form == Form::JsonLines {
        let lines = view.signatories.iter().map(json_line).collect::<Result<Vec<_>, _>>();
        return Ok(lines.map_err(|error| Problem::internal(&error))?.concat());
    }
    let mut table = CsvTable::default();
    if begins {
        table.row(SIGNATORY_COLUMNS).map_err(|error| Problem::internal(&error))?;
    }
    for signatory in &view.signatories {
        table.signatory(&row(signatory)).map_err(|error| Problem::internal(&error))?;
    }
    table.into_bytes().map_err(|error| Problem::internal(&error))
}

fn row(view: &SignatoryView) -> SignatoryRow<'_> {
    SignatoryRow {
        party: &view.party,
        name: view.names.iter().find_map(|name| Some((name.text.as_deref()?, name.language.as_str()))),
        domain: view.domain.as_deref(),
        level: view.level,
        status: view.status,
        received: view.received,
        entry: view.entry,
        endorsed: view.endorsed,
        not_after: view.not_after,
    }
}
