//! The register of a version: its signatories by whether they stand or left, in one tree.
//!
//! The index keeps them in the order in which the parties entered the registry; here they are looked
//! through for those that a reader asked for.

use undersigned_registry::record::Status;
use undersigned_tlog::tree::TreeSize;

use super::signatory::{SignatoryView, signatory_view};
use super::statement::CountView;
use crate::http::problem::Problem;
use crate::http::query::Page;
use crate::index::{Index, IndexError, Listed};
use crate::tiles::LogReader;

/// Signatories that one answer looks through at most, some 200 bytes of the index each. A page that finds
/// too few among them is short, and its cursor goes on where it stopped.
const LOOKED_AT_MAX: usize = 20_000;
/// How many of them are asked of the index at a time.
const LOOKED_AT_ONCE: usize = 1_000;

/// Which signatories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Which {
    /// Whose endorsement stands.
    Standing,
    /// Whose endorsement was withdrawn or ended by time. A withdrawal before any endorsement leaves nothing.
    Left,
}

impl Which {
    fn has(self, listed: &Listed) -> bool {
        match self {
            Self::Standing => listed.status == Status::Active,
            Self::Left => listed.status != Status::Active && listed.endorsed.is_some(),
        }
    }
}

/// A page of a register.
pub(in crate::http) struct Part {
    pub(in crate::http) signatories: Vec<SignatoryView>,
    pub(in crate::http) next: Option<String>,
}

/// A page of those signatories of a version that a reader asked for; `version` is its entry.
pub(in crate::http) fn part(
    index: &Index,
    reader: &LogReader,
    version: u64,
    which: Which,
    page: &Page,
) -> Result<Part, Problem> {
    let mut found: Vec<Listed> = Vec::new();
    let stopped = walk(index, version, page.size, page.after, |listed| {
        let is_asked_for = which.has(listed);
        let goes_on = !is_asked_for || found.len() < page.limit;
        if is_asked_for && goes_on {
            found.push(*listed);
        }
        goes_on
    })?;
    let signatories = found
        .iter()
        .map(|listed| signatory_view(reader, listed, page.size))
        .collect::<Result<_, Problem>>()?;
    Ok(Part { signatories, next: stopped.map(|after| format!("{}.{after}", page.size)) })
}

/// Counts a register as of a tree; nothing if it is too long to be counted for one answer.
pub(in crate::http) fn count(
    index: &Index,
    version: u64,
    size: TreeSize,
    level: u8,
) -> Result<Option<CountView>, IndexError> {
    let (mut active, mut left, mut lapsed) = (0u64, 0u64, 0u64);
    let stopped = walk(index, version, size, None, |listed| {
        active = active.saturating_add(u64::from(Which::Standing.has(listed)));
        left = left.saturating_add(u64::from(Which::Left.has(listed)));
        lapsed = lapsed.saturating_add(u64::from(listed.status == Status::Lapsed));
        true
    })?;
    let mut active_by_level = [0; 5];
    if let Some(count) = active_by_level.get_mut(usize::from(level)) {
        *count = active;
    }
    let withdrawn = left.saturating_sub(lapsed);
    Ok(stopped.is_none().then_some(CountView { active, active_by_level, withdrawn, lapsed }))
}

/// Shows signatories one after another until `look` has enough, the register ends or too many were looked
/// at; unless it ended, returns the last one that `look` took.
fn walk(
    index: &Index,
    version: u64,
    size: TreeSize,
    mut after: Option<u64>,
    mut look: impl FnMut(&Listed) -> bool,
) -> Result<Option<u64>, IndexError> {
    for _ in 0..LOOKED_AT_MAX.div_ceil(LOOKED_AT_ONCE) {
        let listed = index.signatories(version, size, after, LOOKED_AT_ONCE)?;
        for one in &listed {
            if !look(one) {
                return Ok(after);
            }
            after = Some(one.party_entry);
        }
        if listed.len() < LOOKED_AT_ONCE {
            return Ok(None);
        }
    }
    Ok(after)
}
