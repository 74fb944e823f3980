//! The part of an audit that goes entry by entry: the tree, the law, the state, and what came of them.

use std::collections::BTreeMap;
use std::time::Duration;

use undersigned_registry::id::{RegistryId, StatementId, VersionId};
use undersigned_registry::ledger::Ledger;
use undersigned_registry::record::{Namespace, Record, Status, namespace_of};
use undersigned_registry::verify::Trust;
use undersigned_tlog::checkpoint::SignedCheckpoint;
use undersigned_tlog::edge::Frontier;
use undersigned_tlog::hash::{HASH_BYTES, Hash};
use undersigned_tlog::tile::{TILE_WIDTH, Tile, TileCoordinate, TilePath, entries_width};

use super::check::{Portion, Portions};
use super::kept::Counts;
use super::source::{Source, SourceError};
use super::{AuditError, Replayed, Report, Rule, VersionCount, is_included};

/// Where a replay begins.
pub(super) struct Begin {
    pub(super) ledger: Ledger,
    pub(super) frontier: Frontier,
    pub(super) counts: Counts,
}

impl Begin {
    /// At entry 0.
    pub(super) fn anew() -> Self {
        let counts = Counts { tiles: 0, signatures: 0, first_received: 0 };
        Self { ledger: Ledger::new(), frontier: Frontier::new(), counts }
    }
}

/// Replays the entries of the signed tree from where it begins; gives where another one can begin.
pub(super) fn replay(
    source: &dyn Source,
    trust: &Trust,
    signed: &SignedCheckpoint,
    begin: Begin,
    progress: &dyn Fn(u64, u64),
    each: &mut dyn FnMut(Replayed<'_>),
) -> Result<(Report, Begin), AuditError> {
    let (size, from) = (signed.size(), begin.ledger.size());
    let Begin { ledger, frontier, counts } = begin;
    let mut replay = Replay { source, trust, signed, ledger, frontier, counts, each };
    let new = size.get().saturating_sub(from);
    progress(0, new);
    std::thread::scope(|scope| {
        for portion in Portions::start(scope, source, from, size) {
            replay.portion(&portion?)?;
            progress(replay.ledger.size().saturating_sub(from), new);
        }
        Ok::<(), AuditError>(())
    })?;
    let mut report = replay.finish()?;
    report.from = from;
    Ok((report, Begin { ledger: replay.ledger, frontier: replay.frontier, counts: replay.counts }))
}

struct Replay<'a> {
    source: &'a dyn Source,
    trust: &'a Trust,
    signed: &'a SignedCheckpoint,
    ledger: Ledger,
    frontier: Frontier,
    counts: Counts,
    each: &'a mut dyn FnMut(Replayed<'_>),
}

impl Replay<'_> {
    fn portion(&mut self, portion: &Portion) -> Result<(), AuditError> {
        let first = self.ledger.size();
        // The first leaf that the source's own tile contradicts; what comes before it is replayed, so that
        // the entry named is the first one that is wrong in any way.
        let served = portion.tile.get(portion.skipped.saturating_mul(HASH_BYTES)..).unwrap_or_default();
        let differs = first_difference(&leaf_bytes(&portion.leaves), served);
        for ((index, entry), leaf) in (first..).zip(&portion.entries).zip(&portion.leaves) {
            if differs.is_some_and(|position| index - first == position) {
                return Err(self.wrong_leaf(index, leaf));
            }
            let entry = match entry {
                Ok(entry) => entry,
                Err(deviation) => return Err(self.lied(index, leaf, deviation.clone().into())),
            };
            self.ledger
                .follow(&entry.envelope, entry.received, entry.state)
                .map_err(|deviation| self.lied(index, leaf, deviation.into()))?;
            if index == 0 {
                self.counts.first_received = entry.received;
                self.check_registry().map_err(|rule| self.lied(index, leaf, rule))?;
            }
            let signatures = u64::try_from(entry.envelope.proofs().len()).unwrap_or(u64::MAX);
            self.counts.signatures = self.counts.signatures.saturating_add(signatures);
            (self.each)(Replayed { index, received: entry.received, envelope: &entry.envelope });
        }
        self.grow(portion)
    }

    /// Appends the leaves, and compares every tile that this filled.
    fn grow(&mut self, portion: &Portion) -> Result<(), AuditError> {
        // A signed size that the entries reach is below 2^64, and a bundle never passes it.
        let extension = self.frontier.append(&portion.leaves).map_err(|_| self.ended())?;
        self.frontier = extension.frontier;
        for (coordinate, tile) in &extension.tiles {
            if tile.width().is_full() {
                let served = (coordinate.level() == 0).then_some(portion.tile.as_slice());
                self.compare(*coordinate, tile, served)?;
            }
        }
        Ok(())
    }

    fn compare(
        &mut self,
        coordinate: TileCoordinate,
        tile: &Tile,
        served: Option<&[u8]>,
    ) -> Result<(), AuditError> {
        let differs = match served {
            Some(served) => first_difference(tile.bytes(), served),
            None => first_difference(tile.bytes(), &self.source.tile(coordinate, tile.width())?),
        };
        self.counts.tiles = self.counts.tiles.saturating_add(1);
        let Some(position) = differs else { return Ok(()) };
        // The first entry below the hash that differs; no tile of the tree reaches past 2^64.
        let leaves_of_hash = TILE_WIDTH.saturating_pow(u32::from(coordinate.level()));
        let hash = coordinate.index().saturating_mul(TILE_WIDTH).saturating_add(position);
        let path = TilePath::Hashes { coordinate, width: tile.width() };
        Err(AuditError::Lied {
            entry: hash.saturating_mul(leaves_of_hash),
            rule: Box::new(Rule::Tile { tile: path }),
            in_signed_tree: self.frontier.root() == *self.signed.root(),
        })
    }

    fn check_registry(&self) -> Result<(), Rule> {
        let Some(found) = self.ledger.registry() else { return Ok(()) };
        let origin = self.signed.origin().as_str();
        if found.origin() != origin {
            return Err(Rule::Origin { origin: origin.to_owned(), found: found.origin().to_owned() });
        }
        match self.trust.registry() {
            Some(expected) if *expected != found => Err(Rule::Registry { expected: expected.clone(), found }),
            _ => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<Report, AuditError> {
        let registry = self.ledger.registry().ok_or_else(|| self.ended())?;
        let partial: Vec<_> = self.frontier.tiles().map(|(at, tile)| (at, tile.clone())).collect();
        for (coordinate, tile) in partial {
            self.compare(coordinate, &tile, None)?;
        }
        let (size, computed, signed) = (self.signed.size(), self.frontier.root(), *self.signed.root());
        if self.frontier.size() != size {
            return Err(self.ended().into());
        }
        if computed != signed {
            return Err(AuditError::Lied {
                entry: size.get().saturating_sub(1),
                rule: Box::new(Rule::Root { size: size.get(), computed, signed }),
                in_signed_tree: false,
            });
        }
        Ok(self.report(registry))
    }

    fn report(&self, registry: RegistryId) -> Report {
        let Survey { parties, slugs, mut versions } = Survey::of(&self.ledger);
        for count in versions.values_mut() {
            count.slug = slugs.get(&count.statement).cloned().unwrap_or_default();
        }
        let mut versions: Vec<VersionCount> = versions.into_values().collect();
        versions.sort_by(|one, other| (&one.slug, one.number).cmp(&(&other.slug, other.number)));
        Report {
            origin: self.signed.origin().to_string(),
            registry,
            registry_pinned: self.trust.registry().is_some(),
            tree_size: self.ledger.size(),
            root: *self.signed.root(),
            from: 0,
            tiles: self.counts.tiles,
            signatures: self.counts.signatures,
            parties,
            statements: u64::try_from(slugs.len()).unwrap_or(u64::MAX),
            versions,
            first_received: self.counts.first_received,
            last_received: self.ledger.received(),
            elapsed: Duration::ZERO,
        }
    }

    fn wrong_leaf(&self, index: u64, leaf: &Hash) -> AuditError {
        let at = index / TILE_WIDTH;
        let tile = TileCoordinate::new(0, at)
            .zip(entries_width(at, self.signed.size()))
            .map(|(coordinate, width)| TilePath::Hashes { coordinate, width });
        match tile {
            Some(tile) => self.lied(index, leaf, Rule::Tile { tile }),
            None => self.ended().into(),
        }
    }

    fn lied(&self, entry: u64, leaf: &Hash, rule: Rule) -> AuditError {
        // An unreadable tile leaves the question open: then nobody is convicted.
        let in_signed_tree = is_included(self.source, self.signed, entry, leaf).unwrap_or(false);
        AuditError::Lied { entry, rule: Box::new(rule), in_signed_tree }
    }

    /// The bundles ended before the tree did. The threads cover all of it, so only an empty one ends here.
    fn ended(&self) -> SourceError {
        SourceError::Empty { name: self.source.name() }
    }
}

/// What stands in the state at the end.
struct Survey {
    parties: u64,
    slugs: BTreeMap<StatementId, String>,
    versions: BTreeMap<VersionId, VersionCount>,
}

impl Survey {
    fn of(ledger: &Ledger) -> Self {
        let mut survey = Self { parties: 0, slugs: BTreeMap::new(), versions: BTreeMap::new() };
        // Keys come in order, so every version stands before the endorsements of any.
        for (key, record) in ledger.state().all() {
            survey.take(key, record);
        }
        survey
    }

    fn take(&mut self, key: &[u8], record: &Record) {
        match record {
            Record::Party(_) => self.parties = self.parties.saturating_add(1),
            Record::Statement(record) => {
                if let Some(id) = id_in(key) {
                    self.slugs.insert(StatementId(id), record.slug.clone());
                }
            }
            Record::Version(record) => {
                if let Some(version) = id_in(key).map(VersionId) {
                    let (statement, number) = (record.statement, record.number);
                    let slug = String::new();
                    let count = VersionCount { version, statement, slug, number, active: 0, withdrawn: 0 };
                    self.versions.insert(version, count);
                }
            }
            // The same record stands under the party as well; one of the two is counted.
            Record::Endorsement(record) if namespace_of(key) == Some(Namespace::Endorsement) => {
                let count = id_in(key).and_then(|id| self.versions.get_mut(&VersionId(id)));
                match (count, record.status) {
                    (Some(count), Status::Active) => count.active = count.active.saturating_add(1),
                    (Some(count), Status::Withdrawn) => count.withdrawn = count.withdrawn.saturating_add(1),
                    (None, _) => {}
                }
            }
            Record::Registry(_) | Record::Key(_) | Record::Slug(_) | Record::Endorsement(_) => {}
        }
    }
}

/// The first id in a key of the state.
fn id_in(key: &[u8]) -> Option<Hash> {
    Hash::from_slice(key.get(1..1 + HASH_BYTES)?).ok()
}

fn leaf_bytes(leaves: &[Hash]) -> Vec<u8> {
    leaves.iter().flat_map(|leaf| *leaf.as_bytes()).collect()
}

/// The number of the first hash in which two tiles differ.
fn first_difference(derived: &[u8], served: &[u8]) -> Option<u64> {
    if derived == served {
        return None;
    }
    let (derived, served) = (derived.chunks(HASH_BYTES), served.chunks(HASH_BYTES));
    let equal = derived.zip(served).take_while(|(one, other)| one == other).count();
    Some(u64::try_from(equal).unwrap_or(u64::MAX))
}
