//! Compares the list that a registry gives, as of every step's tree size, with the one of the history.
//!
//! Nothing of what was submitted is believed: the list is read back from the log on three paths, and only
//! the names of the rows come from the replay. The index answers as of the size; the state comes from a
//! replay of the stored entries, signatures and state roots included; the count is the sum that the state
//! tree itself carries.

use std::collections::BTreeMap;
use std::sync::Arc;

use undersigned_registry::entry::Entry;
use undersigned_registry::event::Body;
use undersigned_registry::id::{EventHash, PartyId, VersionId};
use undersigned_registry::ledger::Ledger;
use undersigned_registry::record::{LEVEL_MAX, Record, StateKey, Status};
use undersigned_tlog::hash::Hash;
use undersigned_tlog::tile::TILE_WIDTH;
use undersigned_tlog::tree::TreeSize;

use super::super::CliError;
use super::history::{Rows, Step};
use crate::index::{Index, IndexError};
use crate::node::Handle;
use crate::tiles::LogReader;

/// How many differences are kept to be shown.
const DIFFERENCES_KEPT_MAX: usize = 10;

/// What differs between the two lists.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Differences {
    /// How many differences there are.
    pub(super) count: u64,
    /// The first of them, in words.
    pub(super) first: Vec<String>,
}

impl Differences {
    fn add(&mut self, what: String) {
        self.count = self.count.saturating_add(1);
        if self.first.len() < DIFFERENCES_KEPT_MAX {
            self.first.push(what);
        }
    }

    /// Adds what is on one list and not on the other.
    fn compare(&mut self, place: &str, source: &str, wanted: &Rows, found: &Rows) {
        for row in wanted.difference(found) {
            self.add(format!("{place}: the list from the {source} misses {row}"));
        }
        for row in found.difference(wanted) {
            self.add(format!("{place}: the list from the {source} has {row}, which the history has not"));
        }
    }
}

/// Which rows the parties of the registry stand for.
pub(super) type RowOf<'a> = BTreeMap<PartyId, &'a str>;

/// Compares every step; `sizes` are the tree sizes after each.
///
/// # Errors
/// The log or the index cannot be read, or an entry is not what the law would have made.
pub(super) fn check(
    handle: &Handle,
    version: VersionId,
    row_of: &RowOf<'_>,
    steps: &[Step],
    sizes: &[u64],
    done: &dyn Fn(),
) -> Result<Differences, CliError> {
    let within = handle.published.borrow().head.size;
    wait_for_index(&handle.index, within)?;
    let mut log = Log {
        reader: &handle.reader,
        within,
        bundle: None,
        ledger: Ledger::new(),
        party_at: BTreeMap::new(),
    };
    let mut wanted = Rows::new();
    let mut differences = Differences::default();
    for (number, (step, size)) in (1..).zip(steps.iter().zip(sizes)) {
        step.advance(&mut wanted);
        log.follow_to(*size)?;
        let place = format!("step {number} (tree size {size})");
        let from_state = log.rows_of_state(version, row_of);
        differences.compare(&place, "state", &wanted, &from_state);
        let from_index = rows_of_index(&handle.index, version, *size, &log.party_at, row_of)?;
        differences.compare(&place, "index", &wanted, &from_index);
        let count = log.count(version)?;
        if usize::try_from(count) != Ok(wanted.len()) {
            differences.add(format!(
                "{place}: the state tree counts {count} standing, the history {}",
                wanted.len()
            ));
        }
        done();
    }
    Ok(differences)
}

/// Waits as long as the index gets on.
fn wait_for_index(index: &Index, size: TreeSize) -> Result<(), CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.map_err(CliError::fault)?;
    loop {
        let before = index.covered();
        match runtime.block_on(index.wait_for(size)) {
            Ok(()) => return Ok(()),
            Err(IndexError::Behind { covered, .. }) if covered > before => {}
            Err(error) => return Err(CliError::fault(error)),
        }
    }
}

/// The log, read back from its files and followed from entry 0.
struct Log<'a> {
    reader: &'a LogReader,
    /// The size of the tree that everybody sees.
    within: TreeSize,
    /// The bundle read last.
    bundle: Option<(u64, Arc<Vec<Vec<u8>>>)>,
    ledger: Ledger,
    /// The party that each `party.create` made, by the index of its entry.
    party_at: BTreeMap<u64, PartyId>,
}

impl Log<'_> {
    fn follow_to(&mut self, size: u64) -> Result<(), CliError> {
        while self.ledger.size() < size {
            let index = self.ledger.size();
            let bytes = self.entry(index)?;
            self.follow(index, &bytes).map_err(|error| {
                CliError::refused(format!("entry {index}: {error}\nthis log is not fit for use"))
            })?;
        }
        Ok(())
    }

    fn follow(&mut self, index: u64, bytes: &[u8]) -> Result<(), String> {
        let entry = Entry::parse(bytes).map_err(|error| error.to_string())?;
        let envelope = entry.envelope.check().map_err(|error| error.to_string())?;
        self.ledger.follow(&envelope, entry.received, entry.state).map_err(|error| error.to_string())?;
        if matches!(envelope.event().body, Body::PartyCreate { .. }) {
            self.party_at.insert(index, PartyId(envelope.event_hash().0));
        }
        Ok(())
    }

    fn entry(&mut self, index: u64) -> Result<Vec<u8>, CliError> {
        let failed = |error: String| CliError::fault(format!("the log cannot be read back: {error}"));
        let number = index / TILE_WIDTH;
        let bundle = match &self.bundle {
            Some((kept, bundle)) if *kept == number => Arc::clone(bundle),
            _ => self.reader.bundle(number, self.within).map_err(|error| failed(error.to_string()))?,
        };
        self.bundle = Some((number, Arc::clone(&bundle)));
        let position = usize::try_from(index % TILE_WIDTH).unwrap_or(usize::MAX);
        bundle.get(position).cloned().ok_or_else(|| failed(format!("entry {index} is missing")))
    }

    /// The rows whose endorsement stands, from all records of the version.
    fn rows_of_state(&self, version: VersionId, row_of: &RowOf<'_>) -> Rows {
        self.ledger
            .state()
            .records(&StateKey::endorsements_of(&version))
            .filter(|(_, record)| {
                matches!(record, Record::Endorsement(record) if record.status == Status::Active)
            })
            .map(|(key, _)| row_name(party_of_key(key), row_of))
            .collect()
    }

    /// How many endorsements of the version stand, as the state tree sums them.
    fn count(&self, version: VersionId) -> Result<u64, CliError> {
        let tally = self.ledger.state().tally(&StateKey::endorsements_of(&version));
        let tally = tally.map_err(CliError::fault)?;
        Ok((0..=LEVEL_MAX).map(|level| tally.count(level)).sum())
    }
}

/// The party at the end of the key of an endorsement's record.
fn party_of_key(key: &[u8]) -> Option<PartyId> {
    let (_, party) = key.split_last_chunk::<32>()?;
    Some(PartyId(Hash::from_bytes(*party)))
}

/// The row of a party; a party that the replay did not make gets a name that no row has.
fn row_name(party: Option<PartyId>, row_of: &RowOf<'_>) -> String {
    match party {
        Some(party) => row_of.get(&party).map_or_else(|| format!("party {party}"), |row| (*row).to_owned()),
        None => "a record without a party".to_owned(),
    }
}

fn rows_of_index(
    index: &Index,
    version: VersionId,
    size: u64,
    party_at: &BTreeMap<u64, PartyId>,
    row_of: &RowOf<'_>,
) -> Result<Rows, CliError> {
    let failed = |error: IndexError| CliError::fault(format!("the index cannot be read: {error}"));
    let Some(version) = index.entry_of(EventHash(version.0)).map_err(failed)? else {
        return Err(CliError::broken("the index does not know the statement"));
    };
    // The list has at most as many parties as the history has rows.
    let listed = index.signatories(version, TreeSize::new(size), None, usize::MAX).map_err(failed)?;
    Ok(listed
        .iter()
        .filter(|one| one.status == Status::Active)
        .map(|one| row_name(party_at.get(&one.party_entry).copied(), row_of))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(names: &[&str]) -> Rows {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn every_difference_is_counted_and_the_first_are_told() {
        let wanted = rows(&["a", "b"]);
        for (found, count) in
            [(rows(&["a", "b"]), 0), (rows(&["a"]), 1), (rows(&["a", "b", "c"]), 1), (rows(&["c"]), 3)]
        {
            let mut differences = Differences::default();
            differences.compare("step 1", "index", &wanted, &found);
            assert_eq!(differences.count, count);
            assert_eq!(u64::try_from(differences.first.len()), Ok(count));
        }
        let many: Rows = (0..100).map(|number| number.to_string()).collect();
        let mut differences = Differences::default();
        differences.compare("step 1", "state", &many, &Rows::new());
        assert_eq!((differences.count, differences.first.len()), (100, DIFFERENCES_KEPT_MAX));
    }
}
