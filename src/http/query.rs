//! What a request asks for: parts of the address, parameters, pages, and the form of the answer.
//!
//! Strict: a parameter stands once, is known to its operation, and a number has one text. A request that
//! means two things, or that we would only half understand, is refused.

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use headers::HeaderMapExt as _;
use headers_accept::Accept;
use mediatype::MediaType;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use undersigned_tlog::codec;
use undersigned_tlog::tree::TreeSize;
use utoipa::IntoParams;

use super::problem::Problem;

/// How many items a page has unless asked otherwise.
pub(super) const LIMIT_DEFAULT: u64 = 100;
/// The most items of one page.
pub(super) const LIMIT_MAX: u64 = 1_000;

/// What stands before our own words where parameters cannot be read; it says nothing to who asks.
const READING: &str = "Failed to deserialize query string: ";

/// A part of the address; what is no UTF-8 names nothing.
#[derive(Debug)]
pub(super) struct Segment(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(segment) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::not_found("such address"))?;
        Ok(Self(segment))
    }
}

/// The parameters of an address, each once and each known.
#[derive(Debug)]
pub(super) struct Parameters<Q>(pub(super) Q);

impl<S: Send + Sync, Q: DeserializeOwned> FromRequestParts<S> for Parameters<Q> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(query) = Query::<Q>::from_request_parts(parts, state).await.map_err(|error| {
            let text = error.body_text();
            Problem::query(text.strip_prefix(READING).unwrap_or(&text))
        })?;
        Ok(Self(query))
    }
}

/// An operation without parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoParameters {}

/// A number that is there: decimal digits in their shortest form.
pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    codec::decimal(&text)
        .map_err(|_| D::Error::custom(format!("{text:?} is not a number from 0 to 2^64-1 in decimal digits")))
}

/// A number that may be there.
pub(super) fn maybe_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    number(deserializer).map(Some)
}

/// Which page of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// How many items, 1 to 1,000; 100 unless said otherwise.
    #[serde(default, deserialize_with = "maybe_number")]
    #[param(minimum = 1, maximum = 1000)]
    pub(super) limit: Option<u64>,
    /// The `next` of the page before.
    #[param(pattern = "^[1-9][0-9]{0,18}[.](0|[1-9][0-9]{0,18})$")]
    pub(super) cursor: Option<String>,
    /// The tree size to answer for; the published one unless said otherwise.
    #[serde(default, deserialize_with = "maybe_number")]
    #[param(minimum = 1)]
    pub(super) at: Option<u64>,
}

/// Which page of a version's signatories, and of which version.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    /// How many items, 1 to 1,000. Unless said otherwise 100 as JSON; as CSV and JSON lines all.
    #[serde(default, deserialize_with = "maybe_number")]
    #[param(minimum = 1, maximum = 1000)]
    pub(super) limit: Option<u64>,
    /// The `next` of the page before.
    #[param(pattern = "^[1-9][0-9]{0,18}[.](0|[1-9][0-9]{0,18})$")]
    pub(super) cursor: Option<String>,
    /// The tree size to answer for; the published one unless said otherwise.
    #[serde(default, deserialize_with = "maybe_number")]
    #[param(minimum = 1)]
    pub(super) at: Option<u64>,
    /// The version; the newest in the tree unless said otherwise.
    #[param(pattern = "^[0-9a-f]{64}$")]
    pub(super) version: Option<String>,
}

impl From<ListQuery> for PageQuery {
    fn from(ListQuery { limit, cursor, at }: ListQuery) -> Self {
        Self { limit, cursor, at, version: None }
    }
}

/// A page, checked: bound to one tree size, so that pages fit together while the log grows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    pub(super) size: TreeSize,
    pub(super) after: Option<u64>,
    pub(super) limit: usize,
}

impl PageQuery {
    pub(super) fn page(&self, published: TreeSize) -> Result<Page, Problem> {
        let limit = self.limit.unwrap_or(LIMIT_DEFAULT);
        let limit = usize::try_from(limit)
            .ok()
            .filter(|_| (1..=LIMIT_MAX).contains(&limit))
            .ok_or_else(|| Problem::query(format!("limit must be 1 to {LIMIT_MAX}")))?;
        let (size, after) = match &self.cursor {
            Some(cursor) => cursor
                .split_once('.')
                .and_then(|(size, after)| Some((codec::decimal(size).ok()?, codec::decimal(after).ok()?)))
                .map(|(size, after)| (Some(size), Some(after)))
                .ok_or_else(|| Problem::query("cursor must be one that this list returned"))?,
            None => (self.at, None),
        };
        if let (Some(at), Some(size)) = (self.at, size)
            && at != size
        {
            return Err(Problem::query("cursor and at name different tree sizes"));
        }
        let size = size.map_or(published, TreeSize::new);
        if size > published || size.get() == 0 {
            return Err(Problem::query(format!("at must be 1 to {published}, the published tree size")));
        }
        Ok(Page { size, after, limit })
    }
}

impl Page {
    /// The cursor of the next page, if this one is full.
    pub(super) fn next(&self, last: Option<u64>, count: usize) -> Option<String> {
        last.filter(|_| count == self.limit).map(|last| format!("{}.{last}", self.size))
    }
}

/// A form that an answer can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    JsonLines,
    Csv,
    Text,
    Html,
}

impl Form {
    /// Its media type without parameters.
    const fn media(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::JsonLines => "application/jsonl",
            Self::Csv => "text/csv",
            Self::Text => "text/plain",
            Self::Html => "text/html",
        }
    }
}

/// The form that the client likes best of those that there are (RFC 9110, section 12.5.1). The first one
/// stands for whoever says nothing, nothing that can be read, or nothing that can be had: an answer that
/// names its form helps more than a refusal.
pub(super) fn negotiate(headers: &HeaderMap, forms: &[Form]) -> Form {
    let media: Vec<MediaType<'_>> =
        forms.iter().filter_map(|form| MediaType::parse(form.media()).ok()).collect();
    let accept = headers.typed_try_get::<Accept>().ok().flatten();
    let chosen = accept.and_then(|accept| accept.negotiate(&media).map(ToString::to_string));
    let wanted = forms.iter().find(|form| chosen.as_deref() == Some(form.media()));
    wanted.or(forms.first()).copied().unwrap_or(Form::Json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderValue, header};

    fn check(accept: &[&'static str], form: Form) {
        let mut headers = HeaderMap::new();
        for line in accept {
            headers.append(header::ACCEPT, HeaderValue::from_static(line));
        }
        let forms = [Form::Json, Form::JsonLines, Form::Csv, Form::Html];
        assert_eq!(negotiate(&headers, &forms), form, "{accept:?}");
    }

    #[test]
    fn the_client_chooses_the_form() {
        check(&[], Form::Json);
        check(&["*/*"], Form::Json);
        check(&["text/csv"], Form::Csv);
        check(&["application/jsonl"], Form::JsonLines);
        check(&["text/csv;q=0.1, application/json"], Form::Json);
        check(&["text/csv;q=0, */*"], Form::Json);
        check(&["application/json;q=0.5, text/*"], Form::Csv);
        check(&["application/json;q=0.5", "text/csv"], Form::Csv);
        // A browser.
        check(&["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], Form::Html);
        // What cannot be had, and what cannot be read.
        check(&["image/png"], Form::Json);
        check(&["not an accept header"], Form::Json);
    }
}
