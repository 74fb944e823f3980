//! One log, kept honestly, and one test for each way to cheat.

use std::path::Path;

use tempfile::TempDir;
use undersigned_registry::entry::Entry;
use undersigned_registry::envelope::{CheckError, CheckedEnvelope, Envelope};
use undersigned_registry::event::{
    Admission, BlobRef, Body, Event, Name, NewKey, Policy, StatementKind, Text, TextStatus,
};
use undersigned_registry::id::{EventHash, PartyId, RegistryId, StatementId, VersionId};
use undersigned_registry::key::{KeyType, Role};
use undersigned_registry::ledger::{Deviation, Ledger, Verdict};
use undersigned_registry::rules::Refusal;
use undersigned_registry::verify::Trust;
use undersigned_tlog::checkpoint::{Checkpoint, Origin, SignedCheckpoint};
use undersigned_tlog::edge::Frontier;
use undersigned_tlog::hash::{Hash, leaf_hash, sha256};
use undersigned_tlog::note::{KeyName, NoteSigner};
use undersigned_tlog::policy::Policy as TrustPolicy;
use undersigned_tlog::tile::{TilePath, Width, bundle_append};

use super::{AuditError, FolderSource, Report, Rule, SourceError, audit};
use crate::keyring::PartyKey;

mod resumed;

const ORIGIN: &str = "audit.example/log1";
const START: u64 = 1_790_000_000;
/// Entries 0 to 3 are the operator, the sponsor, the statement and its version; then parties, each followed
/// by its endorsement; the last entry is a withdrawal. More than one tile, so that level 1 exists.
const ENDORSING: u64 = 140;

fn key(number: u64) -> PartyKey {
    PartyKey::from_seed(sha256(&[&number.to_be_bytes()]).as_bytes(), "")
}

fn log_signer() -> NoteSigner {
    NoteSigner::from_seed(KeyName::new(ORIGIN).unwrap(), &[7; 32]).unwrap()
}

/// An honest registry in memory.
struct Honest {
    ledger: Ledger,
    entries: Vec<Vec<u8>>,
}

impl Honest {
    fn admit(&mut self, event: &Event, keys: &[&PartyKey]) -> EventHash {
        let bytes = event.encode();
        let proofs = keys.iter().map(|key| key.prove(&bytes)).collect();
        let checked: CheckedEnvelope = Envelope::new(bytes, proofs).unwrap().check().unwrap();
        let received = START + u64::try_from(self.entries.len()).unwrap();
        match self.ledger.admit(&checked, received).unwrap() {
            Verdict::Entry(admitted) => self.entries.push(admitted.entry),
            Verdict::Repeat { entry } => panic!("the event is entry {entry} already"),
        }
        checked.event_hash()
    }

    fn registry(&self) -> RegistryId {
        self.ledger.registry().unwrap()
    }

    fn event(&self, party: Option<PartyId>, key: &PartyKey, after: Option<EventHash>, body: Body) -> Event {
        let log_before = match body {
            Body::Withdraw { .. } => None,
            _ => Some(START + 10_000),
        };
        Event { registry: Some(self.registry()), party, signers: vec![key.id()], after, log_before, body }
    }

    fn enter(&mut self, number: u64) -> PartyId {
        let key = key(number);
        let keys = vec![NewKey { id: key.id(), role: Role::Admin, key_type: KeyType::Ed25519 }];
        let body = Body::PartyCreate { domain: None, names: names(), keys };
        PartyId(self.admit(&self.event(None, &key, None, body), &[&key]).0)
    }

    fn new() -> Self {
        let mut log = Self { ledger: Ledger::new(), entries: Vec::new() };
        let (admin, recovery) = (key(1_000), key(1_001));
        let keys = [(&admin, Role::Admin), (&recovery, Role::Recovery)];
        let open = Event {
            registry: None,
            party: None,
            signers: vec![admin.id(), recovery.id()],
            after: None,
            log_before: Some(START + 10_000),
            body: Body::RegistryOpen {
                origin: ORIGIN.to_owned(),
                nonce: Hash::from_bytes([9; 32]),
                log_keys: vec![log_signer().verifier_key().to_string()],
                domain: None,
                names: names(),
                keys: keys
                    .map(|(key, role)| NewKey { id: key.id(), role, key_type: KeyType::Ed25519 })
                    .to_vec(),
                policy: Policy { admission: Admission::Open, log_window: 604_800, max_lag: 300, v: 1 },
            },
        };
        log.admit(&open, &[&admin, &recovery]);
        let sponsor = log.enter(0);
        let body = Body::StatementPublish { kind: StatementKind::Pledge, slug: "pledge".to_owned() };
        let head = log.admit(&log.event(Some(sponsor), &key(0), None, body), &[&key(0)]);
        let statement = StatementId(head.0);
        let text = BlobRef::of(b"text");
        let texts = vec![Text {
            language: "en".to_owned(),
            status: TextStatus::Authentic,
            title: BlobRef::of(b"title"),
            text,
        }];
        let body = Body::StatementVersion { statement, texts };
        let version =
            VersionId(log.admit(&log.event(Some(sponsor), &key(0), Some(head), body), &[&key(0)]).0);
        let mut last = (sponsor, head);
        for number in 1..=ENDORSING {
            let party = log.enter(number);
            let body = Body::Endorse { statement, version, language: "en".to_owned(), not_after: None };
            let head = log.admit(&log.event(Some(party), &key(number), None, body), &[&key(number)]);
            last = (party, head);
        }
        let (party, head) = last;
        let body = Body::Withdraw { statement, version };
        log.admit(&log.event(Some(party), &key(ENDORSING), Some(head), body), &[&key(ENDORSING)]);
        log
    }

    fn trust(&self) -> Trust {
        trust(&self.registry())
    }
}

fn names() -> Vec<Name> {
    vec![Name { language: "en".to_owned(), text: BlobRef::of(b"name") }]
}

fn trust(registry: &RegistryId) -> Trust {
    let origin = Origin::new(ORIGIN).unwrap();
    let genesis = registry.genesis();
    let named = Some((&origin, genesis.hash()));
    Trust::parse(&TrustPolicy::for_log(log_signer().verifier_key(), None, named).unwrap(), None).unwrap()
}

/// Publishes entries as a log key that signs anything would: all tiles fit, and so does the root.
fn publish(entries: &[Vec<u8>]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let leaves: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
    let extension = Frontier::new().append(&leaves).unwrap();
    for (coordinate, tile) in &extension.tiles {
        let path = TilePath::Hashes { coordinate: *coordinate, width: tile.width() };
        write(folder.path(), &path.to_string(), tile.bytes());
    }
    for (index, entries) in (0..).zip(entries.chunks(256)) {
        let mut bytes = Vec::new();
        entries.iter().for_each(|entry| bundle_append(&mut bytes, entry).unwrap());
        let width = Width::new(u64::try_from(entries.len()).unwrap()).unwrap();
        write(folder.path(), &TilePath::Entries { index, width }.to_string(), &bytes);
    }
    write(folder.path(), "checkpoint", &sign(extension.frontier.size(), extension.frontier.root()));
    folder
}

fn sign(size: undersigned_tlog::tree::TreeSize, root: Hash) -> Vec<u8> {
    let checkpoint = Checkpoint::new(Origin::new(ORIGIN).unwrap(), size, root).unwrap();
    SignedCheckpoint::sign(checkpoint, &log_signer()).unwrap().note().to_bytes()
}

fn write(folder: &Path, path: &str, bytes: &[u8]) {
    let path = folder.join("public").join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// Changes one file of a published log.
fn change(folder: &TempDir, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let file = folder.path().join("public").join(path);
    let mut bytes = std::fs::read(&file).unwrap();
    change(&mut bytes);
    std::fs::write(&file, bytes).unwrap();
}

fn check(folder: &TempDir, trust: &Trust) -> Result<Report, AuditError> {
    audit(&FolderSource::open(folder.path()).unwrap(), trust, &|_, _| {})
}

#[track_caller]
fn lie(folder: &TempDir, trust: &Trust) -> (u64, Rule, bool) {
    match check(folder, trust) {
        Err(AuditError::Lied { entry, rule, in_signed_tree }) => (entry, *rule, in_signed_tree),
        other => panic!("not caught: {other:?}"),
    }
}

/// Makes the same change to the text of one entry.
fn edit(entries: &mut [Vec<u8>], index: usize, from: &str, to: &str) {
    let text = String::from_utf8(entries[index].clone()).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    entries[index] = text.replacen(from, to, 1).into_bytes();
    Entry::parse(&entries[index]).expect("an edited entry is still an entry");
}

fn received(index: u64) -> String {
    format!("\"received\":{}", START + index)
}

#[test]
fn an_honest_log_is_green() {
    let log = Honest::new();
    let folder = publish(&log.entries);
    let size = u64::try_from(log.entries.len()).unwrap();
    let heard = std::cell::RefCell::new(Vec::new());
    let source = FolderSource::open(folder.path()).unwrap();
    let report =
        audit(&source, &log.trust(), &|done, of| heard.borrow_mut().push((done, of))).expect("it is honest");
    assert_eq!((report.tree_size, report.signatures), (size, size + 1));
    assert_eq!((report.parties, report.statements), (ENDORSING + 2, 1));
    // Level 0: one full tile and one partial; level 1: one partial.
    assert_eq!(report.tiles, 3);
    assert_eq!((report.first_received, report.last_received), (START, START + size - 1));
    assert_eq!(report.registry, log.registry());
    assert!(report.registry_pinned);
    let counts: Vec<_> =
        report.versions.iter().map(|c| (c.slug.as_str(), c.number, c.active, c.withdrawn)).collect();
    assert_eq!(counts, [("pledge", 1, ENDORSING - 1, 1)]);
    assert_eq!(*heard.borrow(), [(0, size), (256, size), (size, size)]);
}

#[test]
fn partial_files_may_have_been_replaced_by_full_ones() {
    let log = Honest::new();
    let folder = publish(&log.entries);
    // The checkpoint of an earlier tree, whose partial tiles are gone.
    let leaves: Vec<Hash> = log.entries[..100].iter().map(|entry| leaf_hash(entry)).collect();
    let frontier = Frontier::new().append(&leaves).unwrap().frontier;
    write(folder.path(), "checkpoint", &sign(frontier.size(), frontier.root()));
    assert_eq!(check(&folder, &log.trust()).unwrap().tree_size, 100);
}

#[test]
fn an_entry_edited_in_a_copy_is_named() {
    let log = Honest::new();
    let folder = publish(&log.entries);
    change(&folder, "tile/entries/000", |bytes| {
        let at = bytes.windows(21).position(|part| part == received(57).as_bytes()).unwrap();
        bytes[at + 20] ^= 1;
    });
    let (entry, rule, in_signed_tree) = lie(&folder, &log.trust());
    assert_eq!((entry, rule.code(), in_signed_tree), (57, "tile", false));
}

#[test]
fn an_edited_entry_is_named() {
    let mut log = Honest::new();
    edit(&mut log.entries, 57, "\"language\":\"en\"", "\"language\":\"fr\"");
    let (entry, rule, in_signed_tree) = lie(&publish(&log.entries), &log.trust());
    assert_eq!(rule, Rule::Deviation(Deviation::Check(CheckError::Signature { position: 0 })));
    assert_eq!((entry, in_signed_tree), (57, true));
}

#[test]
fn a_dropped_entry_is_named() {
    let mut log = Honest::new();
    log.entries.remove(101);
    let (entry, rule, in_signed_tree) = lie(&publish(&log.entries), &log.trust());
    assert_eq!((entry, rule.code(), in_signed_tree), (101, "state-root", true));
}

#[test]
fn reordered_entries_are_named() {
    // Two parties that enter in the other order: each is lawful by itself, and only the state tells.
    let mut log = Honest::new();
    log.entries.swap(100, 102);
    let (entry, rule, in_signed_tree) = lie(&publish(&log.entries), &log.trust());
    assert_eq!((entry, rule.code(), in_signed_tree), (100, "state-root", true));
    // A party that endorses before it exists.
    let mut log = Honest::new();
    log.entries.swap(100, 101);
    let (entry, rule, in_signed_tree) = lie(&publish(&log.entries), &log.trust());
    assert_eq!((entry, rule.code(), in_signed_tree), (100, "unknown-party", true));
}

#[test]
fn a_back_dated_entry_is_named() {
    let mut log = Honest::new();
    edit(&mut log.entries, 200, &received(200), &received(150));
    let (entry, rule, in_signed_tree) = lie(&publish(&log.entries), &log.trust());
    let back = Refusal::ReceivedBack { received: START + 150, last: START + 199 };
    assert_eq!(rule, Rule::Deviation(Deviation::Refused(back)));
    assert_eq!((entry, in_signed_tree), (200, true));
}

#[test]
fn a_wrong_state_root_is_named() {
    let mut log = Honest::new();
    let state = Entry::parse(&log.entries[270]).unwrap().state.to_hex();
    edit(&mut log.entries, 270, &state, &Hash::from_bytes([3; 32]).to_hex());
    let (entry, rule, in_signed_tree) = lie(&publish(&log.entries), &log.trust());
    assert_eq!((entry, rule.code(), in_signed_tree), (270, "state-root", true));
}

#[test]
fn a_wrong_signature_is_named() {
    let mut log = Honest::new();
    let text = String::from_utf8(log.entries[11].clone()).unwrap();
    let at = text.find("\"signature\":\"").unwrap() + 13;
    let (old, new) = if text.as_bytes()[at] == b'A' { ("A", "B") } else { ("", "A") };
    let from = format!("\"signature\":\"{}", &text[at..=at]);
    let to = format!("\"signature\":\"{}", if old.is_empty() { "A" } else { new });
    edit(&mut log.entries, 11, &from, &to);
    let (entry, rule, in_signed_tree) = lie(&publish(&log.entries), &log.trust());
    assert_eq!(rule, Rule::Deviation(Deviation::Check(CheckError::Signature { position: 0 })));
    assert_eq!((entry, in_signed_tree), (11, true));
}

#[test]
fn a_tile_that_differs_is_named() {
    let log = Honest::new();
    // A full tile of leaves, a partial one, and a tile above.
    let partial = log.entries.len() - 256;
    for (path, position, entry) in [
        ("tile/0/000".to_owned(), 33, 33),
        (format!("tile/0/001.p/{partial}"), 5, 261),
        ("tile/1/000.p/1".to_owned(), 0, 0),
    ] {
        let folder = publish(&log.entries);
        change(&folder, &path, |bytes| bytes[position * 32 + 31] ^= 0x80);
        let (found, rule, _) = lie(&folder, &log.trust());
        assert_eq!((found, rule.code()), (entry, "tile"), "{path}");
        assert!(rule.to_string().starts_with(&path), "{rule}");
    }
}

#[test]
fn a_foreign_registry_is_named() {
    let log = Honest::new();
    let expected = RegistryId::new(ORIGIN, EventHash(Hash::from_bytes([1; 32]))).unwrap();
    let (entry, rule, in_signed_tree) = lie(&publish(&log.entries), &trust(&expected));
    assert_eq!((entry, in_signed_tree), (0, true));
    assert_eq!(rule, Rule::Registry { expected, found: log.registry() });
}

#[test]
fn a_checkpoint_of_another_root_is_named() {
    let log = Honest::new();
    let folder = publish(&log.entries);
    let size = undersigned_tlog::tree::TreeSize::new(u64::try_from(log.entries.len()).unwrap());
    write(folder.path(), "checkpoint", &sign(size, Hash::from_bytes([5; 32])));
    let (entry, rule, in_signed_tree) = lie(&folder, &log.trust());
    assert_eq!((entry, rule.code(), in_signed_tree), (size.get() - 1, "root", false));
}

#[test]
fn what_cannot_be_read_and_whom_nobody_trusts_are_told_apart() {
    let log = Honest::new();
    let folder = publish(&log.entries);
    std::fs::remove_file(folder.path().join("public/tile/entries/000")).unwrap();
    assert!(matches!(check(&folder, &log.trust()), Err(AuditError::Source(SourceError::Missing { .. }))));
    change(&folder, "checkpoint", |bytes| {
        let at = bytes.len() - 5;
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    });
    assert!(matches!(check(&folder, &log.trust()), Err(AuditError::Trust(_))));
    write(
        folder.path(),
        "checkpoint",
        &sign(undersigned_tlog::tree::TreeSize::EMPTY, undersigned_tlog::hash::empty_root()),
    );
    assert!(matches!(check(&folder, &log.trust()), Err(AuditError::Source(SourceError::Empty { .. }))));
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(FolderSource::open(empty.path()), Err(SourceError::Missing { .. })));
}
