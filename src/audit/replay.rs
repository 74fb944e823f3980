//! The part of an audit that goes entry by entry: the tree, the law, the state, and what came of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use undersigned_registry::id::{RegistryId, StatementId, VersionId};
use undersigned_registry::ledger::Ledger;
use undersigned_registry::record::{Namespace, Record, Status, namespace_of};
use undersigned_registry::verify::Trust;
use undersigned_tlog::checkpoint::SignedCheckpoint;
use undersigned_tlog::edge::Recent;
use undersigned_tlog::hash::{HASH_BYTES, Hash};
use undersigned_tlog::tile::{TILE_WIDTH, Tile, TileCoordinate, TilePath, entries_width};
use undersigned_tlog::tree::LeafIndex;

use super::check::Portion;
use super::follow::{Last, Past};
use super::resume::Prover;
use super::source::{Source, SourceError};
use super::{AuditError, Report, Rule, VersionCount, is_included};

/// Tiles and where they stand.
type Tiles = Vec<(TileCoordinate, Arc<Tile>)>;

/// The replay of a tree, on from what was replayed before.
pub(super) struct Replay<'a> {
    source: &'a dyn Source,
    trust: &'a Trust,
    signed: &'a SignedCheckpoint,
    past: &'a mut Past,
    prover: Prover<'a>,
    /// The first size that could not be shown to be a beginning of the signed tree. From there on entries
    /// are replayed only to name the one that is wrong.
    unproved: Option<u64>,
}

impl<'a> Replay<'a> {
    pub(super) const fn new(
        source: &'a dyn Source,
        trust: &'a Trust,
        signed: &'a SignedCheckpoint,
        past: &'a mut Past,
    ) -> Self {
        let prover = Prover::new(source, signed.size());
        Self { source, trust, signed, past, prover, unproved: None }
    }

    /// A replay of which it is known that it cannot end well.
    pub(super) fn in_doubt(
        source: &'a dyn Source,
        trust: &'a Trust,
        signed: &'a SignedCheckpoint,
        past: &'a mut Past,
    ) -> Self {
        let from = past.frontier.size().get();
        Self { unproved: Some(from), ..Self::new(source, trust, signed, past) }
    }

    pub(super) const fn size(&self) -> u64 {
        self.past.ledger.size()
    }

    /// Replays the entries of one bundle; gives the tiles that they filled if all so far is the beginning of
    /// the tree that the log key signed.
    pub(super) fn portion(&mut self, portion: &Portion) -> Result<Option<Tiles>, AuditError> {
        self.check_before(portion)?;
        let first = self.past.ledger.size();
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
            self.past
                .ledger
                .follow(&entry.envelope, entry.received, entry.state)
                .map_err(|deviation| self.lied(index, leaf, deviation.into()))?;
            if index == 0 {
                self.past.counts.first_received = entry.received;
                self.check_registry().map_err(|rule| self.lied(index, leaf, rule))?;
            }
            let signatures = u64::try_from(entry.envelope.proofs().len()).unwrap_or(u64::MAX);
            self.past.counts.signatures = self.past.counts.signatures.saturating_add(signatures);
        }
        let filled = self.grow(portion)?;
        if self.unproved.is_none() {
            let (size, root) = (self.past.frontier.size(), self.past.frontier.root());
            if !self.prover.begins_with(size, &root, self.signed)? {
                self.unproved = Some(size.get());
            }
        }
        Ok(self.unproved.is_none().then_some(filled))
    }

    /// What the bundle has of entries that were audited before must still be what it was.
    fn check_before(&self, portion: &Portion) -> Result<(), AuditError> {
        let level_0 = self.past.frontier.tiles().find(|(coordinate, _)| coordinate.level() == 0);
        let audited = level_0.map(|(_, tile)| tile.bytes()).unwrap_or_default();
        let served = leaf_bytes(&portion.before);
        let Some(position) = first_difference(&served, audited.get(..served.len()).unwrap_or_default())
        else {
            return Ok(());
        };
        let index = portion.index.saturating_mul(TILE_WIDTH).saturating_add(position);
        let leaf = usize::try_from(position).ok().and_then(|position| portion.before.get(position));
        Err(leaf.map_or_else(|| self.ended().into(), |leaf| self.wrong_leaf(index, leaf)))
    }

    /// Appends the leaves, and compares every tile that this filled.
    fn grow(&mut self, portion: &Portion) -> Result<Tiles, AuditError> {
        let before = Recent::new(&self.past.frontier);
        // A signed size that the entries reach is below 2^64, and a bundle never passes it.
        let extension = self.past.frontier.append(&portion.leaves).map_err(|_| self.ended())?;
        let size = extension.frontier.size();
        let last = LeafIndex::new(size.get().saturating_sub(1));
        let proof = before.extended(&extension).inclusion_proof(last, size).map_err(|_| self.ended())?;
        self.past.last = portion.bundle.last().map(|entry| Last { entry: entry.clone(), proof });
        self.past.frontier = extension.frontier;
        let filled: Vec<_> = extension.tiles.into_iter().filter(|(_, tile)| tile.width().is_full()).collect();
        for (coordinate, tile) in &filled {
            let served = (coordinate.level() == 0).then_some(portion.tile.as_slice());
            self.compare(*coordinate, tile, served)?;
        }
        Ok(filled)
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
        self.past.counts.tiles = self.past.counts.tiles.saturating_add(1);
        let Some(position) = differs else { return Ok(()) };
        // The first entry below the hash that differs; no tile of the tree reaches past 2^64.
        let leaves_of_hash = TILE_WIDTH.saturating_pow(u32::from(coordinate.level()));
        let hash = coordinate.index().saturating_mul(TILE_WIDTH).saturating_add(position);
        let path = TilePath::Hashes { coordinate, width: tile.width() };
        Err(AuditError::Lied {
            entry: hash.saturating_mul(leaves_of_hash),
            rule: Box::new(Rule::Tile { tile: path }),
            in_signed_tree: self.past.frontier.root() == *self.signed.root(),
        })
    }

    fn check_registry(&self) -> Result<(), Rule> {
        let Some(found) = self.past.ledger.registry() else { return Ok(()) };
        let origin = self.signed.origin().as_str();
        if found.origin() != origin {
            return Err(Rule::Origin { origin: origin.to_owned(), found: found.origin().to_owned() });
        }
        match self.trust.registry() {
            Some(expected) if *expected != found => Err(Rule::Registry { expected: expected.clone(), found }),
            _ => Ok(()),
        }
    }

    /// Compares the partial tiles and the root, once all entries are replayed.
    pub(super) fn finish(&mut self) -> Result<(), AuditError> {
        self.past.ledger.registry().ok_or_else(|| self.ended())?;
        let partial: Vec<_> = self.past.frontier.tiles().map(|(at, tile)| (at, tile.clone())).collect();
        for (coordinate, tile) in partial {
            self.compare(coordinate, &tile, None)?;
        }
        let (size, computed, signed) = (self.signed.size(), self.past.frontier.root(), *self.signed.root());
        if self.past.frontier.size() != size {
            return Err(self.ended().into());
        }
        let rule = match self.unproved {
            None => return Ok(()),
            // The files were other ones when the proof was asked for.
            Some(audited) if computed == signed => Rule::Consistency { audited, size: size.get() },
            Some(_) => Rule::Root { size: size.get(), computed, signed },
        };
        let entry = size.get().saturating_sub(1);
        Err(AuditError::Lied { entry, rule: Box::new(rule), in_signed_tree: false })
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

/// What the state says at the end.
pub(super) fn report(
    past: &Past,
    signed: &SignedCheckpoint,
    registry: RegistryId,
    registry_pinned: bool,
) -> Report {
    let Survey { parties, slugs, mut versions } = Survey::of(&past.ledger);
    for count in versions.values_mut() {
        count.slug = slugs.get(&count.statement).cloned().unwrap_or_default();
    }
    let mut versions: Vec<VersionCount> = versions.into_values().collect();
    versions.sort_by(|one, other| (&one.slug, one.number).cmp(&(&other.slug, other.number)));
    Report {
        origin: signed.origin().to_string(),
        registry,
        registry_pinned,
        tree_size: past.ledger.size(),
        root: *signed.root(),
        from: 0,
        tiles: past.counts.tiles,
        signatures: past.counts.signatures,
        parties,
        statements: u64::try_from(slugs.len()).unwrap_or(u64::MAX),
        versions,
        first_received: past.counts.first_received,
        last_received: past.ledger.received(),
        elapsed: Duration::ZERO,
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
                    let (active, withdrawn, lapsed) = (0, 0, 0);
                    let count = VersionCount { version, statement, slug, number, active, withdrawn, lapsed };
                    self.versions.insert(version, count);
                }
            }
            // The same record stands under the party as well; one of the two is counted.
            Record::Endorsement(record) if namespace_of(key) == Some(Namespace::Endorsement) => {
                let count = id_in(key).and_then(|id| self.versions.get_mut(&VersionId(id)));
                let Some(count) = count else { return };
                let number = match (record.status, record.endorsed) {
                    (Status::Active, _) => &mut count.active,
                    (Status::Lapsed, _) => &mut count.lapsed,
                    (Status::Withdrawn, Some(_)) => &mut count.withdrawn,
                    // Who withdraws what was never endorsed leaves nothing (RE-12).
                    (Status::Withdrawn, None) => return,
                };
                *number = number.saturating_add(1);
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
