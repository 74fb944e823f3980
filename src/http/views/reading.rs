//! A statement as somebody reads it: the words of one version, its history, and its register.

use std::sync::Arc;

use undersigned_registry::event::{Body, Text};
use undersigned_registry::id::{EventHash, StatementId, VersionId};

use super::act::{LEVEL, Lookup, Who};
use super::indexed_entry;
use super::register::{self, Part, Which};
use super::statement::{CountView, TextView, find_statement, text_views};
use crate::http::answer::{blocking, published, text_blob};
use crate::http::problem::Problem;
use crate::http::query::PageQuery;
use crate::node::Handle;
use crate::tiles::LogReader;

/// The longest text that stands in an answer, in bytes; a longer one is linked. Most manifestos have less
/// than a tenth of it, and 32 languages of it are 2 MiB.
const TEXT_SHOWN_BYTES_MAX: u64 = 64 * 1024;
/// How many versions of a statement are numbered; a number is 8 bytes.
const VERSIONS_COUNTED_MAX: usize = 10_000;
/// How many versions are listed, the newest.
const VERSIONS_SHOWN_MAX: usize = 100;
/// How many of those who left stand under the register of those who did not.
const LEFT_SHOWN: usize = 10;

/// What a reader asks for.
#[derive(Debug, Default)]
pub(in crate::http) struct Asked {
    /// The tree and page of the register, and the version.
    pub(in crate::http) page: PageQuery,
    /// Whether the register is of those who left.
    pub(in crate::http) only_left: bool,
}

/// A version in the history of a statement.
pub(in crate::http) struct Edition {
    pub(in crate::http) number: usize,
    pub(in crate::http) version: String,
    pub(in crate::http) entry: u64,
    pub(in crate::http) received: u64,
}

/// The words in one language.
pub(in crate::http) struct Words {
    pub(in crate::http) view: TextView,
    /// Left out where it was erased or is too long for a page.
    pub(in crate::http) text: Option<String>,
    pub(in crate::http) is_long: bool,
}

/// A version with its words and its register.
pub(in crate::http) struct Shown {
    pub(in crate::http) edition: Edition,
    pub(in crate::http) is_newest: bool,
    pub(in crate::http) words: Vec<Words>,
    /// Left out where an older tree has too many signatories to be counted for one answer.
    pub(in crate::http) count: Option<CountView>,
    pub(in crate::http) register: Part,
    /// The first of those who left, under a register of those who did not.
    pub(in crate::http) left: Part,
}

/// A statement, read.
pub(in crate::http) struct Reading {
    /// The tree that all of it is true for.
    pub(in crate::http) tree_size: u64,
    /// Whether that is the newest one.
    pub(in crate::http) is_newest_tree: bool,
    pub(in crate::http) statement: String,
    pub(in crate::http) slug: String,
    pub(in crate::http) kind: &'static str,
    pub(in crate::http) sponsor: Who,
    pub(in crate::http) entry: u64,
    pub(in crate::http) received: u64,
    /// Newest first.
    pub(in crate::http) editions: Vec<Edition>,
    pub(in crate::http) shown: Option<Shown>,
}

/// Reads a statement by its slug or id, as of the tree that was asked for.
pub(in crate::http) async fn reading(handle: &Handle, named: &str, asked: Asked) -> Result<Reading, Problem> {
    let (now, (id, record, newest)) = find_statement(handle, named).await?;
    let mut page = asked.page.page(published(handle).head.size)?;
    if asked.page.at.is_none() && asked.page.cursor.is_none() {
        page.size = now;
    }
    let size = page.size;
    if record.first >= size.get() {
        return Err(Problem::not_found("statement of this name in so small a tree"));
    }
    let version = asked.page.version.as_deref().map(version_id).transpose()?;
    handle.index.wait_for(size).await?;
    let (index, reader) = (Arc::clone(&handle.index), Arc::clone(&handle.reader));
    blocking(move || {
        let lookup = Lookup { index: &index, reader: &reader, size };
        let published = indexed_entry(&reader, record.first, size)?;
        let entries = index.versions(record.first, size, None, VERSIONS_COUNTED_MAX)?;
        let newest_entry = index.newest_version(record.first, size)?;
        let entry = match version {
            Some(version) => Some(
                index
                    .entry_of(EventHash(version.0))?
                    .filter(|at| *at < size.get())
                    .ok_or_else(|| Problem::not_found("such version of this statement"))?,
            ),
            None => newest_entry,
        };
        let shown = match entry {
            None => None,
            Some(entry) => {
                let (edition, texts) = edition(&lookup, id, &entries, entry)?;
                let count = match &newest {
                    Some((newest, _, tally)) if size == now && edition.version == newest.to_string() => {
                        Some(CountView::of(tally))
                    }
                    _ => register::count(&index, entry, size, LEVEL)?,
                };
                let which = if asked.only_left { Which::Left } else { Which::Standing };
                let mut first = page;
                (first.after, first.limit) = (None, LEFT_SHOWN);
                Some(Shown {
                    is_newest: Some(entry) == newest_entry,
                    words: words(&reader, &texts),
                    count,
                    register: register::part(&index, &reader, entry, which, &page)?,
                    left: register::part(&index, &reader, entry, Which::Left, &first)?,
                    edition,
                })
            }
        };
        let editions = entries
            .iter()
            .rev()
            .take(VERSIONS_SHOWN_MAX)
            .map(|entry| Ok(edition(&lookup, id, &entries, *entry)?.0))
            .collect::<Result<Vec<_>, Problem>>()?;
        Ok(Reading {
            tree_size: size.get(),
            is_newest_tree: size == now,
            statement: id.to_string(),
            slug: record.slug,
            kind: record.kind.name(),
            sponsor: lookup.who(record.sponsor)?,
            entry: record.first,
            received: published.received,
            editions,
            shown,
        })
    })
    .await
}

fn version_id(text: &str) -> Result<VersionId, Problem> {
    VersionId::from_hex(text)
        .map_err(|_| Problem::query("version must be a version id (64 lower-case hex digits)"))
}

/// The version that an entry publishes, which must be one of this statement, and its texts.
fn edition(
    lookup: &Lookup<'_>,
    of: StatementId,
    entries: &[u64],
    entry: u64,
) -> Result<(Edition, Vec<Text>), Problem> {
    let written = indexed_entry(lookup.reader, entry, lookup.size)?;
    let texts = match &written.envelope.event().body {
        Body::StatementVersion { statement, texts } if *statement == of => texts.clone(),
        _ => return Err(Problem::not_found("such version of this statement")),
    };
    let version = undersigned_registry::event::event_hash(written.envelope.event_bytes()).to_string();
    let number = entries.partition_point(|other| *other <= entry);
    Ok((Edition { number, version, entry, received: written.received }, texts))
}

fn words(reader: &LogReader, texts: &[Text]) -> Vec<Words> {
    text_views(reader, texts)
        .into_iter()
        .zip(texts)
        .map(|(view, text)| {
            let is_long = text.text.size > TEXT_SHOWN_BYTES_MAX;
            Words { view, text: if is_long { None } else { text_blob(reader, &text.text) }, is_long }
        })
        .collect()
}
