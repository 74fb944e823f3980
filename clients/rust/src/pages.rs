//! Lists in pages, and walking all of them.

use crate::ClientError;
use crate::address::encoded;
use undersigned_registry::id::VersionId;

/// The most items of one page that a registry gives.
pub const PAGE_LIMIT_MAX: u32 = 1_000;

/// The most pages that [`all_pages`] asks for: 100 million items at the largest page.
const PAGES_MAX: u32 = 100_000;

/// Which page of a list; the first one of the published tree unless said otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// How many items, 1 to [`PAGE_LIMIT_MAX`].
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
    /// The tree size to answer for.
    pub at: Option<u64>,
    /// Of signatories only: which version of the statement; the newest unless said otherwise.
    pub version: Option<VersionId>,
}

impl Page {
    /// The first page, as large as it may be.
    #[must_use]
    pub fn largest() -> Self {
        Self { limit: Some(PAGE_LIMIT_MAX), ..Self::default() }
    }

    /// The query of an address, with its question mark, or nothing.
    pub(crate) fn query(&self) -> String {
        let parameters: Vec<String> = [
            self.limit.map(|limit| format!("limit={limit}")),
            self.cursor.as_ref().map(|cursor| format!("cursor={}", encoded(cursor))),
            self.at.map(|at| format!("at={at}")),
            self.version.map(|version| format!("version={version}")),
        ]
        .into_iter()
        .flatten()
        .collect();
        if parameters.is_empty() { String::new() } else { format!("?{}", parameters.join("&")) }
    }
}

/// An answer that is a page of a list.
pub trait Listing {
    /// What is listed.
    type Item;

    /// The tree size that the list is true for.
    fn tree_size(&self) -> u64;

    /// The items, and the cursor of the next page.
    fn into_parts(self) -> (Vec<Self::Item>, Option<String>);
}

/// Walks a list from a page to its end, asking for each page when it is needed.
///
/// All pages are of one tree size. The walk ends after the first error.
pub fn all_pages<L, F>(first: Page, fetch: F) -> AllPages<L, F>
where
    L: Listing,
    F: FnMut(&Page) -> Result<L, ClientError>,
{
    AllPages { next: Some(first), fetch, items: Vec::new().into_iter(), tree_size: None, left: PAGES_MAX }
}

/// The items of all pages; made by [`all_pages`].
pub struct AllPages<L: Listing, F> {
    next: Option<Page>,
    fetch: F,
    items: std::vec::IntoIter<L::Item>,
    tree_size: Option<u64>,
    left: u32,
}

impl<L: Listing, F: FnMut(&Page) -> Result<L, ClientError>> AllPages<L, F> {
    /// The tree size that the list is true for, once the first page is there.
    #[must_use]
    pub const fn tree_size(&self) -> Option<u64> {
        self.tree_size
    }

    /// Asks for the next page; the server is not trusted to come to an end by itself.
    fn turn(&mut self, page: Page) -> Result<(), ClientError> {
        self.left = self
            .left
            .checked_sub(1)
            .ok_or_else(|| ClientError::answer(format!("the list has not ended after {PAGES_MAX} pages")))?;
        let listing = (self.fetch)(&page)?;
        let tree_size = listing.tree_size();
        if self.tree_size.is_some_and(|first| first != tree_size) {
            return Err(ClientError::answer("the pages of a list are of different tree sizes"));
        }
        self.tree_size = Some(tree_size);
        let (items, cursor) = listing.into_parts();
        if cursor.is_some() && (items.is_empty() || cursor == page.cursor) {
            return Err(ClientError::answer("a list whose next page is not further on"));
        }
        self.items = items.into_iter();
        // The cursor names the tree size already.
        self.next = cursor.map(|cursor| Page { cursor: Some(cursor), at: None, ..page });
        Ok(())
    }
}

impl<L: Listing, F: FnMut(&Page) -> Result<L, ClientError>> Iterator for AllPages<L, F> {
    type Item = Result<L::Item, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.items.next() {
                return Some(Ok(item));
            }
            let page = self.next.take()?;
            if let Err(error) = self.turn(page) {
                return Some(Err(error));
            }
        }
    }
}
