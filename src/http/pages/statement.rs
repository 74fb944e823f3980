//! `/statements/{slug or id}`: the words, how many signed, who, and who left.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use serde::Deserialize;

use super::filters;
use super::frame::Frame;
use super::page;
use crate::http::problem::Problem;
use crate::http::query::{PageQuery, Parameters, Segment, maybe_number};
use crate::http::signatories::signatories;
use crate::http::views::act::first_name;
use crate::http::views::reading::{Asked, Reading, Shown, Words, reading};
use crate::http::views::signatory::SignatoryView;
use crate::http::views::statement::CountView;
use crate::node::Handle;

/// How many signatories stand on a page.
const SIGNATORIES_SHOWN: u64 = 50;

#[derive(Template)]
#[template(path = "statement.html", config = "src/http/pages/askama.toml")]
struct Statement {
    frame: Frame,
    reading: Reading,
    /// The title to call it by: language and text.
    title: Option<(String, String)>,
    only_left: bool,
    is_first: bool,
    /// What the links to other pages of the register carry along.
    carried: String,
}

impl Statement {
    /// The signatories of a page by trust level, the highest first.
    fn by_level<'a>(&self, signatories: &'a [SignatoryView]) -> Vec<(u8, Vec<&'a SignatoryView>)> {
        (0..=4)
            .rev()
            .map(|level| (level, signatories.iter().filter(|one| one.level == level).collect::<Vec<_>>()))
            .filter(|(_, found)| !found.is_empty())
            .collect()
    }

    /// The trust levels that any signatory has, the highest first, and how many have it.
    fn levels(&self, count: &CountView) -> Vec<(u8, u64)> {
        let counts = (0u8..).zip(count.active_by_level).filter(|(_, of_level)| *of_level > 0);
        let mut levels: Vec<(u8, u64)> = counts.collect();
        levels.reverse();
        levels
    }

    /// The name to call a signatory by: language and text.
    fn name(&self, signatory: &SignatoryView) -> Option<(String, String)> {
        first_name(&signatory.names)
    }

    /// The words that stand open: the first binding ones.
    fn is_open(&self, shown: &Shown, words: &Words) -> bool {
        shown
            .words
            .iter()
            .find(|words| words.view.status == "authentic")
            .or(shown.words.first())
            .is_some_and(|first| first.view.language == words.view.language)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct StatementQuery {
    #[serde(default, deserialize_with = "maybe_number")]
    at: Option<u64>,
    cursor: Option<String>,
    version: Option<String>,
    show: Option<String>,
}

/// `GET /statements/{slug or id}?at=&version=&show=left&cursor=`.
pub(in crate::http) async fn statement(
    State(handle): State<Handle>,
    Segment(named): Segment,
    Parameters(query): Parameters<StatementQuery>,
) -> Result<Response, Problem> {
    let only_left = match query.show.as_deref() {
        None => false,
        Some("left") => true,
        Some(_) => return Err(Problem::query("show can be \"left\", or left out")),
    };
    let version = query.version.as_ref().map(|version| format!("&version={version}")).unwrap_or_default();
    let carried = if only_left { format!("{version}&show=left") } else { version };
    let is_first = query.cursor.is_none();
    let asked = Asked {
        page: PageQuery {
            limit: Some(SIGNATORIES_SHOWN),
            cursor: query.cursor,
            at: query.at,
            version: query.version,
        },
        only_left,
    };
    let reading = reading(&handle, &named, asked).await?;
    let title = reading.shown.as_ref().and_then(|shown| {
        let binding = shown.words.iter().filter(|words| words.view.status == "authentic");
        binding
            .chain(&shown.words)
            .find_map(|words| Some((words.view.language.clone(), words.view.title.clone()?)))
    });
    page(&Statement { frame: Frame::of(&handle), reading, title, only_left, is_first, carried })
}

/// `GET /statements/{slug or id}/signatories.csv`: a link cannot say which form it wants, so the address does.
pub(in crate::http) async fn csv(
    handle: State<Handle>,
    named: Segment,
    query: Parameters<PageQuery>,
) -> Result<Response, Problem> {
    signatories(handle, named, accepting("text/csv"), query).await
}

/// The same as JSON lines.
pub(in crate::http) async fn json_lines(
    handle: State<Handle>,
    named: Segment,
    query: Parameters<PageQuery>,
) -> Result<Response, Problem> {
    signatories(handle, named, accepting("application/jsonl"), query).await
}

fn accepting(media: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(media))])
}
