//! Proof files of every event type, their mutations and their limits, and what a lying registry can say.

use undersigned_registry::entry::Entry;
use undersigned_registry::envelope::Envelope;
use undersigned_registry::event::{Admission, Body, Ending, event_hash};
use undersigned_registry::id::{EventHash, KeyId, PartyId, RegistryId};
use undersigned_registry::json::Value;
use undersigned_registry::key::Role;
use undersigned_registry::ledger::Ledger;
use undersigned_registry::receipt::{
    BuildError, Parts, RECEIPT_BYTES_MAX, Receipt, StatePath, build, proved_keys,
};
use undersigned_registry::record::{KeyRecord, Record, StateKey, Status};
use undersigned_registry::rules::Facts as _;
use undersigned_registry::state_tree::{SubtreeProof, SumTree, Terminal};
use undersigned_registry::verify::{Trust, Verified, verify};
use undersigned_tlog::checkpoint::{Checkpoint, Origin, SignedCheckpoint};
use undersigned_tlog::edge::Frontier;
use undersigned_tlog::hash::{Hash, leaf_hash, node_hash, sha256};
use undersigned_tlog::note::{KeyName, NoteSigner};
use undersigned_tlog::policy::Policy;
use undersigned_tlog::proof::TlogProof;
use undersigned_tlog::tree::{LeafIndex, TreeSize};

use crate::codec::{changed, largest_text, string};
use crate::fixture::{
    Key, OPERATOR_NAME, ORIGIN, Of, TEXT, TEXT_FR, TITLE, TITLE_FR, Town, World, admin, key, log_signer,
    policy, sign_key, town_of,
};

/// RFC 6962, section 2.1, over leaf hashes.
pub(crate) fn tree_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => sha256(&[]),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&tree_root(left), &tree_root(right))
        }
    }
}

/// RFC 6962, section 2.1.1.
pub(crate) fn audit_path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut path, sibling) = if index < left.len() {
        (audit_path(index, left), tree_root(right))
    } else {
        (audit_path(index - left.len(), right), tree_root(left))
    };
    path.push(sibling);
    path
}

pub(crate) fn checkpoint_of(origin: &str, signer: &NoteSigner, size: usize, root: Hash) -> Vec<u8> {
    let size = TreeSize::new(size.try_into().unwrap());
    let checkpoint = Checkpoint::new(Origin::new(origin).unwrap(), size, root).unwrap();
    SignedCheckpoint::sign(checkpoint, signer).unwrap().bytes()
}

/// The checkpoint of a log that no policy here names.
pub(crate) fn foreign_checkpoint(size: usize, root: Hash) -> Vec<u8> {
    checkpoint_of("other.example", &other_signer(), size, root)
}

fn other_signer() -> NoteSigner {
    NoteSigner::from_seed(KeyName::new("other.example").unwrap(), &[9; 32]).unwrap()
}

pub(crate) fn policy_text(registry: Option<&RegistryId>) -> String {
    let origin = Origin::new(ORIGIN).unwrap();
    let comment = registry.map(|registry| (&origin, registry.genesis().0));
    let comment = comment.as_ref().map(|(origin, hash)| (*origin, hash));
    Policy::for_log(log_signer(7).verifier_key(), None, comment).unwrap()
}

/// A finished log and, for each entry, the paths of its receipt.
pub(crate) struct Log {
    pub(crate) registry: RegistryId,
    pub(crate) entries: Vec<Vec<u8>>,
    pub(crate) leaves: Vec<Hash>,
    cuts: Vec<Vec<StatePath>>,
    /// The records after each entry.
    pub(crate) states: Vec<Vec<(Vec<u8>, Record)>>,
}

impl Log {
    pub(crate) fn of(registry: RegistryId, entries: Vec<Vec<u8>>) -> Self {
        let mut ledger = Ledger::new();
        let (mut cuts, mut states) = (Vec::new(), Vec::new());
        for bytes in &entries {
            ledger.follow_entry(bytes).unwrap();
            let envelope = Entry::parse(bytes).unwrap().envelope;
            let keys = proved_keys(envelope.event(), event_hash(envelope.event_bytes()));
            cuts.push(keys.iter().map(|key| cut(&ledger, key)).collect());
            states.push(ledger.state().all().map(|(key, record)| (key.to_vec(), record.clone())).collect());
        }
        let leaves: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        let frontier = Frontier::new().append(&leaves).unwrap().frontier;
        assert_eq!(frontier.root(), tree_root(&leaves));
        Self { registry, entries, leaves, cuts, states }
    }

    fn event(&self, index: usize) -> Envelope {
        Entry::parse(&self.entries[index]).unwrap().envelope
    }

    pub(crate) fn checkpoint(&self, size: usize) -> Vec<u8> {
        checkpoint_of(ORIGIN, &log_signer(7), size, tree_root(&self.leaves[..size]))
    }

    /// The blobs that the service would send along: names and titles.
    fn blobs(&self, index: usize) -> Vec<Vec<u8>> {
        let mut named = self.event(index).event().blobs();
        for (key, record) in &self.states[index] {
            if !self.cuts[index].iter().any(|path| path.prefix == *key) {
                continue;
            }
            match record {
                Record::Party(party) => named.extend(party.names.iter().map(|name| name.text)),
                Record::Version(version) => named.extend(version.texts.iter().map(|text| text.title)),
                _ => {}
            }
        }
        let all = [OPERATOR_NAME, "Harbour Trust", "Mill Society", "Guests", TITLE, TITLE_FR, TEXT, TEXT_FR];
        all.iter()
            .map(|text| text.as_bytes().to_vec())
            .filter(|text| named.iter().any(|blob| blob.names(text)))
            .collect()
    }

    pub(crate) fn receipt(&self, index: usize) -> Vec<u8> {
        self.receipt_of(index, &self.blobs(index), &self.cuts[index])
    }

    fn receipt_of(&self, index: usize, blobs: &[Vec<u8>], paths: &[StatePath]) -> Vec<u8> {
        build(&Parts {
            entry: &self.entries[index],
            blobs,
            paths,
            index: index.try_into().unwrap(),
            hashes: &audit_path(index, &self.leaves),
            checkpoint: &self.checkpoint(self.leaves.len()),
        })
        .unwrap()
    }
}

fn cut(ledger: &Ledger, key: &StateKey) -> StatePath {
    let proof = ledger.state().prove(key).unwrap().encode();
    StatePath { prefix: key.as_bytes().to_vec(), proof }
}

/// The one call under test: the file, the policy, the registry named by hand.
pub(crate) fn check(
    file: &[u8],
    policy: &str,
    registry: Option<&RegistryId>,
) -> Result<Verified, &'static str> {
    let trust = Trust::parse(policy, registry.cloned()).map_err(|error| error.code())?;
    let receipt = Receipt::parse(file).map_err(|error| error.code())?;
    verify(&receipt, &trust).map_err(|error| error.code())
}

/// A log with every event type: which entry is which.
pub(crate) struct Story {
    pub(crate) log: Log,
    pub(crate) policy: String,
    pub(crate) guests: usize,
    pub(crate) endorse: usize,
    pub(crate) withdraw: usize,
    pub(crate) keys: usize,
    pub(crate) harbour: PartyId,
    pub(crate) mill: PartyId,
    pub(crate) of: Of,
    pub(crate) town: Town,
}

pub(crate) fn story() -> Story {
    let mut world = World::open(Admission::Invited);
    let guest = admin(80);
    let create = world.create_by("Guests", &[&guest], &[&world.operator_admin]);
    let guests = world.admit(&create);
    let open = world.set_policy(world.operator, &[&world.operator_admin], policy(Admission::Open));
    world.admit(&open);
    let mut town = town_of(world);
    let Town { world, harbour, mill, of } = &mut town;
    let of = *of;
    let first = world.endorse(of, harbour.0, &[&harbour.3]);
    world.admit(&first);
    let endorse = world.endorse(of, mill.0, &[&mill.3, &mill.2]);
    let endorse = world.admit(&endorse);
    let withdraw = world.withdraw(of, harbour.0, &[&harbour.3]);
    let withdraw = world.admit(&withdraw);
    let keys = world.keys(mill.0, &[&mill.2, &mill.3], &[&sign_key(81)], &[(&mill.3, Ending::Revoke)]);
    let keys = world.admit(&keys);
    let last = world.withdraw_after(of, PartyId(crate::fixture::hash_of(&create).0), &[&guest], None);
    world.admit(&last);
    let (registry, entries) = (world.registry.clone(), world.entries.clone());
    let place = |index: u64| usize::try_from(index).unwrap();
    Story {
        policy: policy_text(Some(&registry)),
        log: Log::of(registry, entries),
        guests: place(guests),
        endorse: place(endorse),
        withdraw: place(withdraw),
        keys: place(keys),
        harbour: harbour.0,
        mill: mill.0,
        of,
        town,
    }
}

/// RC-1, RC-4, RC-5, RC-20 to RC-38: every entry of the story has a receipt that says who did what.
#[test]
fn every_event_type_has_a_receipt() {
    let story = story();
    for index in 0..story.log.entries.len() {
        let file = story.log.receipt(index);
        let verified = check(&file, &story.policy, None).unwrap_or_else(|code| panic!("{index}: {code}"));
        let entry = Entry::parse(&story.log.entries[index]).unwrap();
        assert_eq!((verified.index, verified.tree_size), (index as u64, story.log.entries.len() as u64));
        assert_eq!((verified.received, verified.state), (entry.received, entry.state), "RC-38: stated");
        assert_eq!(verified.registry.as_ref(), Some(&story.log.registry));
        assert_eq!(&verified.event, entry.envelope.event());
        assert!(verified.signers.iter().all(|signer| signer.role.is_some() && signer.party.is_some()));
        assert!(verified.party_record.is_some(), "{index}");
        assert!(verified.party_name("en").is_some(), "{index}");
        assert_eq!(Receipt::parse(&file).unwrap().entry_bytes, story.log.entries[index], "RC-4");
    }
    let endorsed = check(&story.log.receipt(story.endorse), &story.policy, None).unwrap();
    assert_eq!(endorsed.party_name("fr"), Some("Mill Society"));
    assert_eq!((endorsed.title("fr"), endorsed.title("de")), (Some(TITLE_FR), Some(TITLE)));
    let roles: Vec<_> = endorsed.signers.iter().map(|signer| signer.role).collect();
    assert_eq!(roles, [Some(Role::Sign), Some(Role::Admin)]);
    assert!(endorsed.signers.iter().all(|signer| signer.party == Some(story.mill)));
    let tally: Vec<_> = endorsed.version_tally.as_ref().unwrap().columns().collect();
    assert_eq!(tally, [(0, 2)], "RC-37: two had signed after this signature");
    let left = check(&story.log.receipt(story.withdraw), &story.policy, None).unwrap();
    assert_eq!(left.endorsement.unwrap().status, Status::Withdrawn);
    let tally: Vec<_> = left.version_tally.as_ref().unwrap().columns().collect();
    assert_eq!(tally, [(0, 1), (5, 1)]);
    // RC-30: the operator signs an invitation and is not taken for the party.
    let invited = check(&story.log.receipt(story.guests), &story.policy, None).unwrap();
    let owners: Vec<_> = invited.signers.iter().map(|signer| signer.party).collect();
    assert_eq!(owners, [invited.party, Some(story.log.registry.operator())]);
}

/// RC-14: without a comment and without a word by hand, the registry's identity is unchecked, and said so.
#[test]
fn a_policy_without_a_registry_leaves_it_unchecked() {
    let story = story();
    let file = story.log.receipt(story.endorse);
    let bare = policy_text(None);
    assert_eq!(check(&file, &bare, None).unwrap().registry, None);
    let by_hand = check(&file, &bare, Some(&story.log.registry)).unwrap();
    assert_eq!(by_hand.registry, Some(story.log.registry.clone()));
    let other = RegistryId::new(ORIGIN, EventHash(sha256(&[b"other"]))).unwrap();
    assert_eq!(check(&file, &bare, Some(&other)), Err("registry"));
    assert_eq!(check(&file, &story.policy, Some(&other)), Err("policy-registry"), "RC-13");
}

/// RC-29 and RC-37: what no path shows is not said.
#[test]
fn without_paths_less_is_proved() {
    let story = story();
    let paths = &story.log.cuts[story.endorse];
    let bare = check(&story.log.receipt_of(story.endorse, &[], &[]), &story.policy, None).unwrap();
    assert!(bare.signers.iter().all(|signer| signer.role.is_none() && signer.party.is_none()));
    assert_eq!(
        (bare.party_record, bare.endorsement, bare.version_record, bare.version_tally),
        (None, None, None, None)
    );
    for kept in 0..paths.len() {
        let one = check(&story.log.receipt_of(story.endorse, &[], &paths[kept..=kept]), &story.policy, None)
            .unwrap();
        let said = [
            one.endorsement.is_some(),
            one.party_record.is_some(),
            one.signers[0].role.is_some(),
            one.signers[1].role.is_some(),
            one.version_record.is_some(),
        ];
        assert_eq!(said, [0, 1, 2, 3, 4].map(|place| place == kept));
        assert_eq!(one.version_tally.is_some(), kept == 0);
    }
    // A name is shown only beside what names it.
    let name = [b"Mill Society".to_vec()];
    assert_eq!(
        check(&story.log.receipt_of(story.endorse, &name, &[]), &story.policy, None),
        Err("foreign-blob")
    );
}

/// A refused receipt: the file, its policy, the registry named by hand, and the code.
pub(crate) struct Refused {
    pub(crate) about: String,
    pub(crate) rules: &'static [&'static str],
    pub(crate) file: Vec<u8>,
    pub(crate) policy: String,
    pub(crate) registry: Option<RegistryId>,
    pub(crate) code: &'static str,
}

pub(crate) fn rebuilt(
    file: &[u8],
    change: impl FnOnce(&mut Vec<u8>, &mut u64, &mut Vec<Hash>, &mut Vec<u8>),
) -> Vec<u8> {
    let proof = TlogProof::parse(file, RECEIPT_BYTES_MAX).unwrap();
    let mut extra = proof.unverified_extra().unwrap().to_vec();
    let mut index = proof.index().get();
    let mut hashes = proof.hashes().to_vec();
    let mut checkpoint = proof.unverified_checkpoint().to_vec();
    change(&mut extra, &mut index, &mut hashes, &mut checkpoint);
    TlogProof::new(Some(extra), LeafIndex::new(index), hashes, checkpoint).unwrap().to_bytes()
}

pub(crate) fn with_extra(file: &[u8], path: &[&str], new: Option<Value>) -> Vec<u8> {
    rebuilt(file, |extra, _, _, _| *extra = changed(extra, path, new))
}

/// What third parties can do with honest parts.
pub(crate) fn refused(story: &Story) -> Vec<Refused> {
    let (log, index) = (&story.log, story.endorse);
    let file = log.receipt(index);
    let size = log.entries.len();
    let mut cases = Vec::new();
    let mut case = |about: &str, rules, code, file: Vec<u8>, policy: &str, registry: Option<&RegistryId>| {
        let (about, policy, registry) = (about.to_owned(), policy.to_owned(), registry.cloned());
        cases.push(Refused { about, rules, file, policy, registry, code });
    };
    let ours = &story.policy;
    let text = String::from_utf8(file.clone()).unwrap();
    let (inclusion, state, value) = ("inclusion", "state-path", "member-value");

    case("another header", &["RC-1"], "proof-file", text.replacen("@v1", "@v2", 1).into(), ours, None);
    case(
        "cut short before its checkpoint",
        &["RC-1"],
        "proof-file",
        text.split("\n\n").next().unwrap().into(),
        ours,
        None,
    );
    case("an empty file", &["RC-1"], "proof-file", Vec::new(), ours, None);
    let long = [&file[..], &vec![b'a'; RECEIPT_BYTES_MAX]].concat();
    case("longer than 48,000 bytes", &["RC-2"], "proof-file", long, ours, None);
    let line = text.lines().find(|line| line.starts_with("extra ")).unwrap();
    case("no extra line", &["RC-3"], "no-extra", text.replace(&format!("{line}\n"), "").into(), ours, None);
    case(
        "an extra line of another version",
        &["RC-4"],
        value,
        with_extra(&file, &["v"], Some(Value::Integer(2))),
        ours,
        None,
    );
    case(
        "a word more in the extra line",
        &["RC-4"],
        "member-unknown",
        with_extra(&file, &["note"], string("a")),
        ours,
        None,
    );
    case("no entry", &["RC-4"], "member-missing", with_extra(&file, &["entry"], None), ours, None);
    let spaced = rebuilt(&file, |extra, _, _, _| extra.push(b' '));
    case("white space in the extra line", &["RC-4"], "json-whitespace", spaced, ours, None);
    case(
        "an empty list of paths",
        &["EN-14", "RC-8"],
        value,
        with_extra(&file, &["paths"], Some(Value::List(vec![]))),
        ours,
        None,
    );
    case(
        "an empty prefix",
        &["RC-8"],
        value,
        with_extra(&file, &["paths", "0", "prefix"], string("")),
        ours,
        None,
    );
    case(
        "a prefix of 66 bytes",
        &["RC-8"],
        value,
        with_extra(&file, &["paths", "0", "prefix"], string(&"00".repeat(66))),
        ours,
        None,
    );
    let paths = &log.cuts[index];
    let twice = log.receipt_of(index, &[], &[paths[0].clone(), paths[0].clone()]);
    case("the same path twice", &["RC-8"], value, twice, ours, None);
    let many: Vec<StatePath> = (0..25).map(|n| StatePath { prefix: vec![7, n], proof: vec![0] }).collect();
    case("25 paths", &["RC-8"], value, log.receipt_of(index, &[], &many), ours, None);
    let twice = [b"Mill Society".to_vec(), b"Mill Society".to_vec()];
    case("the same blob twice", &["RC-9"], value, log.receipt_of(index, &twice, paths), ours, None);

    case("a policy that is none", &["RC-10"], "policy", file.clone(), "log\n", None);
    let witness = NoteSigner::from_seed(KeyName::new("witness.example").unwrap(), &[3; 32]).unwrap();
    let cosigner = undersigned_tlog::note::VerifierKey::new(
        KeyName::new("witness.example").unwrap(),
        4,
        witness.verifier_key().key(),
    )
    .unwrap();
    let quorum = ours.replace("quorum none", &format!("witness w {cosigner}\nquorum w"));
    case("a policy that asks for cosignatures", &["RC-11"], "policy-quorum", file.clone(), &quorum, None);
    let odd = format!("# registry odd!origin#{}\n{}", "0".repeat(64), policy_text(None));
    case(
        "a policy whose comment names no possible origin",
        &["RC-12"],
        "policy-comment",
        file.clone(),
        &odd,
        None,
    );
    let other = RegistryId::new(ORIGIN, EventHash(sha256(&[b"other"]))).unwrap();
    case(
        "a policy for another registry than the one named by hand",
        &["RC-13"],
        "policy-registry",
        file.clone(),
        ours,
        Some(&other),
    );
    let theirs = policy_text(Some(&other));
    case(
        "a policy for another registry of the same origin",
        &["RC-24"],
        "registry",
        file.clone(),
        &theirs,
        None,
    );

    let other_signer = other_signer();
    let root = tree_root(&log.leaves);
    let elsewhere = foreign_checkpoint(size, root);
    let foreign = rebuilt(&file, |_, _, _, checkpoint| *checkpoint = elsewhere.clone());
    case(
        "the checkpoint of a log that the policy does not name",
        &["RC-20"],
        "unknown-log",
        foreign.clone(),
        ours,
        None,
    );
    let both = ours.replace("quorum", &format!("log {}\nquorum", other_signer.verifier_key()));
    case("the checkpoint of another log of the policy", &["RC-24"], "registry", foreign, &both, None);
    let forged = checkpoint_of(ORIGIN, &log_signer(8), size, root);
    let unsigned = rebuilt(&file, |_, _, _, checkpoint| *checkpoint = forged);
    case(
        "a checkpoint signed by another key of the same name",
        &["RC-21"],
        "checkpoint",
        unsigned,
        ours,
        None,
    );
    let two = ours.replace("quorum", &format!("log {}\nquorum", log_signer(8).verifier_key()));
    case("a log key of the policy that has not signed", &["RC-21"], "checkpoint", file.clone(), &two, None);
    let grown = text.replacen(&format!("{ORIGIN}\n{size}\n"), &format!("{ORIGIN}\n{}\n", size + 1), 1);
    case("a checkpoint with another size", &["RC-21"], "checkpoint", grown.into(), ours, None);

    let next = rebuilt(&file, |_, index, _, _| *index += 1);
    case("another index", &["RC-22"], inclusion, next, ours, None);
    let beyond = rebuilt(&file, |_, index, _, _| *index = size as u64);
    case("an index past the tree", &["RC-22"], inclusion, beyond, ours, None);
    let entry = String::from_utf8(log.entries[story.withdraw].clone()).unwrap();
    let swapped =
        rebuilt(&file, |extra, _, _, _| *extra = format!("{{\"entry\":{entry},\"v\":1}}").into_bytes());
    case("the entry of another index", &["RC-22"], inclusion, swapped, ours, None);
    let late = with_extra(&file, &["entry", "received"], Some(Value::Integer(1_790_000_000)));
    case("an entry with another time", &["RC-22"], inclusion, late, ours, None);
    let smaller = rebuilt(&file, |_, _, _, checkpoint| *checkpoint = log.checkpoint(size - 1));
    case("the checkpoint of a smaller tree", &["RC-22"], inclusion, smaller, ours, None);
    let cut = rebuilt(&file, |_, _, hashes, _| hashes.truncate(hashes.len() - 1));
    case("an audit path without its last hash", &["RC-22"], inclusion, cut, ours, None);
    let longer = rebuilt(&file, |_, _, hashes, _| hashes.push(root));
    case("an audit path with a hash more", &["RC-22"], inclusion, longer, ours, None);
    let turned = rebuilt(&file, |_, _, hashes, _| hashes.swap(0, 1));
    case("an audit path out of order", &["RC-22"], inclusion, turned, ours, None);

    let with = |path: StatePath| log.receipt_of(index, &[], &[path]);
    let key = |key: StateKey| key.as_bytes().to_vec();
    let path_for = |state: usize, at: &[u8]| {
        let tree = tree_of(&log.states[state]);
        StatePath { prefix: at.to_vec(), proof: tree.prove(at).unwrap().encode() }
    };
    let theirs = key(StateKey::endorsement(&story.of.1, &story.harbour));
    case(
        "the path of another party's endorsement",
        &["RC-27"],
        "foreign-path",
        with(path_for(index, &theirs)),
        ours,
        None,
    );
    let version = key(StateKey::endorsements_of(&story.of.1));
    case(
        "the path of the whole version",
        &["RC-27"],
        "foreign-path",
        with(path_for(index, &version)),
        ours,
        None,
    );
    let party = key(StateKey::party(&story.harbour));
    case("the path of another party", &["RC-27"], "foreign-path", with(path_for(index, &party)), ours, None);
    let own = key(StateKey::endorsement(&story.of.1, &story.mill));
    case("the path to a later state", &["RC-28"], state, with(path_for(story.withdraw, &own)), ours, None);
    case(
        "the path to an older state, where nothing was",
        &["RC-28"],
        state,
        with(path_for(index - 1, &own)),
        ours,
        None,
    );
    let crossed = StatePath { prefix: own.clone(), proof: path_for(index, &theirs).proof };
    case("another party's path under the own prefix", &["RC-28"], state, with(crossed), ours, None);
    let crossed = StatePath { prefix: own.clone(), proof: paths[1].proof.clone() };
    case("the party's path under the endorsement's prefix", &["RC-28"], state, with(crossed), ours, None);
    let mut altered = SubtreeProof::decode(&paths[0].proof).unwrap();
    if let Terminal::Leaf { record, .. } = &mut altered.terminal {
        *record =
            String::from_utf8(record.clone()).unwrap().replace("\"level\":0", "\"level\":2").into_bytes();
    }
    let lifted = StatePath { prefix: own.clone(), proof: altered.encode() };
    case("a record at a higher level", &["RC-28"], state, with(lifted), ours, None);
    let cut = StatePath { prefix: own.clone(), proof: paths[0].proof[..paths[0].proof.len() - 1].to_vec() };
    case("a path cut short", &["RC-28"], state, with(cut), ours, None);
    case(
        "a blob that nothing names",
        &["RC-36"],
        "foreign-blob",
        log.receipt_of(index, &[b"Other".to_vec()], paths),
        ours,
        None,
    );
    let name = [b"Harbour Trust".to_vec()];
    case("another party's name", &["RC-36"], "foreign-blob", log.receipt_of(index, &name, paths), ours, None);
    for lie in lies(story) {
        case(&lie.about, lie.rules, lie.code, lie.file, ours, None);
    }
    cases
}

pub(crate) fn tree_of(records: &[(Vec<u8>, Record)]) -> SumTree<Record> {
    let mut tree = SumTree::new();
    for (key, record) in records {
        tree.insert(key, record.clone()).unwrap();
    }
    tree.root().unwrap();
    tree
}

struct Lie {
    about: String,
    rules: &'static [&'static str],
    code: &'static str,
    file: Vec<u8>,
}

/// A receipt by a registry that signs what it likes: this envelope at this index, over these records.
fn lying_receipt(envelope: &Envelope, index: usize, received: u64, records: &[(Vec<u8>, Record)]) -> Vec<u8> {
    let mut tree = tree_of(records);
    let state = tree.root().unwrap();
    let entry = Entry { envelope: envelope.clone(), received, state, v: 1 }.encode();
    let keys = proved_keys(envelope.event(), event_hash(envelope.event_bytes()));
    let paths: Vec<StatePath> = keys
        .iter()
        .filter(|key| tree.get(key.as_bytes()).is_some())
        .map(|key| StatePath {
            prefix: key.as_bytes().to_vec(),
            proof: tree.prove(key.as_bytes()).unwrap().encode(),
        })
        .collect();
    let mut leaves = vec![sha256(&[b"what came before"]); index];
    leaves.push(leaf_hash(&entry));
    build(&Parts {
        entry: &entry,
        blobs: &[],
        paths: &paths,
        index: index as u64,
        hashes: &audit_path(index, &leaves),
        checkpoint: &checkpoint_of(ORIGIN, &log_signer(7), leaves.len(), tree_root(&leaves)),
    })
    .unwrap()
}

/// What a registry could say against its own law, and a verifier finds without a replay.
#[allow(clippy::too_many_lines, reason = "one list of lies")]
fn lies(story: &Story) -> Vec<Lie> {
    let log = &story.log;
    let mut lies: Vec<Lie> = Vec::new();
    let at = |index: usize| Entry::parse(&log.entries[index]).unwrap();
    // The honest receipt, made by the same hands, is accepted: what is refused below is the lie.
    for index in 0..log.entries.len() {
        let entry = at(index);
        let file = lying_receipt(&entry.envelope, index, entry.received, &log.states[index]);
        assert!(check(&file, &story.policy, None).is_ok(), "{index}");
    }
    let mut lie = |about: &str, rules, code, file| lies.push(Lie { about: about.into(), rules, code, file });
    let wrong = "state-contradiction";

    let entry = at(story.endorse);
    let honest = &log.states[story.endorse];
    let open = at(0);
    let misplaced = lying_receipt(&open.envelope, 5, open.received, &log.states[0]);
    lie("registry.open at index 5", &["RC-25"], "not-genesis", misplaced);
    let first = lying_receipt(&entry.envelope, 0, entry.received, honest);
    lie("an endorsement at index 0", &["RC-25"], "not-genesis", first);
    let limit = entry.envelope.event().log_before.unwrap();
    let late = lying_receipt(&entry.envelope, story.endorse, limit + 1, honest);
    lie("an event logged after its log_before", &["RC-26"], "expired", late);
    let edge = lying_receipt(&entry.envelope, story.endorse, limit, honest);
    assert!(check(&edge, &story.policy, None).is_ok(), "in the very second it is right");
    let elsewhere = World::open_with_nonce(Admission::Open, 10);
    let twin = town_of(elsewhere);
    let theirs = twin.world.endorse(twin.of, twin.mill.0, &[&twin.mill.3]);
    lie(
        "an event of a registry of the same origin",
        &["RC-24"],
        "registry",
        lying_receipt(&theirs, story.endorse, entry.received, honest),
    );
    let proofs = entry.envelope.proofs().iter().cloned().map(|mut proof| {
        proof.signature[3] ^= 1;
        proof
    });
    let unsigned = Envelope::new(entry.envelope.event_bytes().to_vec(), proofs.collect()).unwrap();
    lie(
        "an entry whose signature is none",
        &["RC-23"],
        "signature-invalid",
        lying_receipt(&unsigned, story.endorse, entry.received, honest),
    );
    let swapped = vec![entry.envelope.proofs()[1].clone(), entry.envelope.proofs()[0].clone()];
    let swapped = Envelope::new(entry.envelope.event_bytes().to_vec(), swapped).unwrap();
    lie(
        "an entry with the signatures of other keys",
        &["RC-23"],
        "proof-key",
        lying_receipt(&swapped, story.endorse, entry.received, honest),
    );

    let mut bend = |about: &str, rules, index: usize, key: StateKey, change: &dyn Fn(&mut Record)| {
        let entry = at(index);
        let mut records = log.states[index].clone();
        let record = &mut records.iter_mut().find(|(at, _)| at == key.as_bytes()).unwrap().1;
        change(record);
        lie(about, rules, wrong, lying_receipt(&entry.envelope, index, entry.received, &records));
    };
    let (key, mill) = (StateKey::key(&entry.envelope.event().signers[0]), StateKey::party(&story.mill));
    fn on_key(change: impl Fn(&mut KeyRecord)) -> impl Fn(&mut Record) {
        move |record| {
            if let Record::Key(record) = record {
                change(record)
            }
        }
    }
    let (harbour, endorse) = (story.harbour, story.endorse);
    bend("a signer's key is another party's", &["RC-29"], endorse, key, &on_key(|key| key.party = harbour));
    bend(
        "a signer's key is newer than the entry",
        &["RC-29"],
        endorse,
        key,
        &on_key(|key| key.from = endorse as u64),
    );
    bend("a signer's key had ended", &["RC-29"], endorse, key, &on_key(|key| key.to = Some(1)));
    bend(
        "a signer's key ends with an event that does not end it",
        &["RC-29"],
        endorse,
        key,
        &on_key(|key| key.to = Some(endorse as u64)),
    );
    let guests = story.guests;
    let creation = at(guests);
    let added = StateKey::key(&creation.envelope.event().signers[0]);
    let inviter = StateKey::key(&creation.envelope.event().signers[1]);
    bend("an invitation by another party", &["RC-30"], guests, inviter, &on_key(|key| key.party = harbour));
    bend("an added key in another role", &["RC-29"], guests, added, &on_key(|key| key.role = Role::Recovery));
    bend("an added key that is older", &["RC-29"], guests, added, &on_key(|key| key.from = 0));
    let ended = StateKey::key(&at(story.keys).envelope.event().signers[1]);
    bend(
        "an ended key that lives on",
        &["RC-29"],
        story.keys,
        ended,
        &on_key(|key| (key.to, key.revoked) = (None, false)),
    );
    bend("a revoked key that is retired", &["RC-29"], story.keys, ended, &on_key(|key| key.revoked = false));
    let publish = story.guests + 4;
    let sponsor_key = StateKey::key(&at(publish).envelope.event().signers[0]);
    bend("a statement by a sign key", &["RC-30"], publish, sponsor_key, &on_key(|key| key.role = Role::Sign));

    let party_of = |change: fn(&mut undersigned_registry::record::PartyRecord)| {
        move |record: &mut Record| {
            if let Record::Party(record) = record {
                change(record)
            }
        }
    };
    let created = StateKey::party(&PartyId(event_hash(creation.envelope.event_bytes()).0));
    bend(
        "a new party with another domain",
        &["RC-31"],
        guests,
        created,
        &party_of(|party| party.domain = None),
    );
    bend("a new party at a level", &["RC-31"], guests, created, &party_of(|party| party.level = 2));
    bend(
        "a new party older than its making",
        &["RC-31"],
        guests,
        created,
        &party_of(|party| party.first = 0),
    );
    bend(
        "a new party with a key more",
        &["RC-31"],
        guests,
        created,
        &party_of(|party| {
            party.keys.push(KeyId(Hash::from_bytes([0xff; 32])));
        }),
    );
    bend(
        "a party whose keys did not move",
        &["RC-31"],
        story.keys,
        mill,
        &party_of(|party| party.entry -= 1),
    );
    bend(
        "a party without the key that was added",
        &["RC-31"],
        story.keys,
        mill,
        &party_of(|party| {
            party.keys.retain(|key| *key != sign_key(81).id());
        }),
    );
    bend(
        "a party that moved with an endorsement",
        &["RC-31"],
        endorse,
        mill,
        &party_of(|party| party.entry = 10_000),
    );

    let registry_of = |change: fn(&mut undersigned_registry::record::RegistryRecord)| {
        move |record: &mut Record| {
            if let Record::Registry(record) = record {
                change(record)
            }
        }
    };
    let policy = story.guests + 1;
    for index in [0, policy] {
        let registry = StateKey::registry();
        bend(
            "a registry with another policy",
            &["RC-32"],
            index,
            registry,
            &registry_of(|registry| registry.policy.max_lag += 1),
        );
        bend(
            "a registry with another time",
            &["RC-32"],
            index,
            registry,
            &registry_of(|registry| registry.received += 1),
        );
        bend(
            "a registry that did not move",
            &["RC-32"],
            index,
            registry,
            &registry_of(|registry| registry.entry += 1),
        );
        bend(
            "a registry of another origin",
            &["RC-32"],
            index,
            registry,
            &registry_of(|registry| registry.origin = "b.example".into()),
        );
    }
    let statement_of = |change: fn(&mut undersigned_registry::record::StatementRecord)| {
        move |record: &mut Record| {
            if let Record::Statement(record) = record {
                change(record)
            }
        }
    };
    let statement = StateKey::statement(&story.of.0);
    for index in [publish, publish + 1] {
        bend(
            "a statement of another sponsor",
            &["RC-33"],
            index,
            statement,
            &statement_of(|statement| statement.sponsor.0 = Hash::from_bytes([1; 32])),
        );
        bend(
            "a statement that did not move",
            &["RC-33"],
            index,
            statement,
            &statement_of(|statement| statement.entry = 1),
        );
        bend(
            "a statement from another entry",
            &["RC-33"],
            index,
            statement,
            &statement_of(|statement| statement.first = 1_000),
        );
    }
    bend(
        "a statement under another slug",
        &["RC-33"],
        publish,
        statement,
        &statement_of(|statement| statement.slug = "other".into()),
    );
    bend(
        "a statement whose newest version is another",
        &["RC-33"],
        publish + 1,
        statement,
        &statement_of(|statement| {
            statement.version = Some(undersigned_registry::id::VersionId(Hash::from_bytes([1; 32])));
        }),
    );
    let version_of = |change: fn(&mut undersigned_registry::record::VersionRecord)| {
        move |record: &mut Record| {
            if let Record::Version(record) = record {
                change(record)
            }
        }
    };
    let version = StateKey::version(&story.of.1);
    bend(
        "a version of another statement",
        &["RC-34"],
        endorse,
        version,
        &version_of(|version| version.statement.0 = Hash::from_bytes([1; 32])),
    );
    bend(
        "a version newer than its endorsement",
        &["RC-34"],
        endorse,
        version,
        &version_of(|version| version.entry = 1_000),
    );
    bend(
        "a version without the language that was read",
        &["RC-34"],
        endorse,
        version,
        &version_of(|version| {
            version.texts.remove(0);
            version.texts[0].status = undersigned_registry::event::TextStatus::Authentic;
        }),
    );
    let endorsement_of = |change: fn(&mut undersigned_registry::record::EndorsementRecord)| {
        move |record: &mut Record| {
            if let Record::Endorsement(record) = record {
                change(record)
            }
        }
    };
    let own = StateKey::endorsement(&story.of.1, &story.mill);
    bend(
        "an endorsement that is withdrawn at once",
        &["RC-35"],
        endorse,
        own,
        &endorsement_of(|record| record.status = Status::Withdrawn),
    );
    bend(
        "an endorsement in another language",
        &["RC-35"],
        endorse,
        own,
        &endorsement_of(|record| record.language = Some("fr".into())),
    );
    bend(
        "an endorsement with an end that nobody signed",
        &["RC-35"],
        endorse,
        own,
        &endorsement_of(|record| record.not_after = Some(1_900_000_000)),
    );
    bend(
        "an endorsement by another event",
        &["RC-35"],
        endorse,
        own,
        &endorsement_of(|record| record.event.0 = Hash::from_bytes([1; 32])),
    );
    bend(
        "an endorsement of another entry",
        &["RC-35"],
        endorse,
        own,
        &endorsement_of(|record| record.entry = 1),
    );
    bend(
        "an endorsement counted at another level",
        &["RC-35"],
        endorse,
        own,
        &endorsement_of(|record| record.level = 4),
    );
    let theirs = StateKey::endorsement(&story.of.1, &story.harbour);
    bend(
        "a withdrawal after which it stands",
        &["RC-35"],
        story.withdraw,
        theirs,
        &endorsement_of(|record| record.status = Status::Active),
    );
    lies
}

#[test]
fn each_binding_is_checked() {
    let story = story();
    let cases = refused(&story);
    for case in &cases {
        let found = check(&case.file, &case.policy, case.registry.as_ref()).map(|verified| verified.index);
        assert_eq!(found, Err(case.code), "{}", case.about);
    }
    for code in [
        "unknown-log",
        "checkpoint",
        "inclusion",
        "registry",
        "not-genesis",
        "expired",
        "foreign-path",
        "state-path",
        "state-contradiction",
        "foreign-blob",
        "proof-file",
        "no-extra",
        "policy",
        "policy-quorum",
        "policy-comment",
        "policy-registry",
        "signature-invalid",
        "proof-key",
    ] {
        assert!(cases.iter().any(|case| case.code == code), "{code}");
    }
}

/// Every bit of a file matters, or changes nothing of what is proved.
#[test]
fn no_single_byte_can_be_changed() {
    let story = story();
    let file = story.log.receipt(story.endorse);
    let trust = Trust::parse(&story.policy, None).unwrap();
    let honest = verify(&Receipt::parse(&file).unwrap(), &trust).unwrap();
    let mut other = file.clone();
    for place in 0..file.len() {
        for mask in [1, 0x20, 0x80] {
            other[place] = file[place] ^ mask;
            if let Ok(receipt) = Receipt::parse(&other)
                && let Ok(verified) = verify(&receipt, &trust)
            {
                assert_eq!(verified, honest, "byte {place} with {mask:#04x}");
            }
        }
        other[place] = file[place];
        assert!(
            Receipt::parse(&file[..place]).is_err() || check(&file[..place], &story.policy, None).is_err()
        );
    }
}

/// RC-2, RC-6: the largest events of every type, in a state of 20,000 keys, and what is left out.
#[test]
fn the_largest_receipts_fit() {
    let Town { mut world, harbour, mill, of: _ } = crate::fixture::town();
    let sixteen: Vec<Key> =
        (200..216).map(|number| key(number, if number == 200 { Role::Admin } else { Role::Sign })).collect();
    let fifteen: Vec<&Key> = sixteen.iter().take(15).collect();
    let more = world.keys(mill.0, &[&mill.1], &fifteen, &[]);
    world.admit(&more);
    let statement = world.publish(mill.0, &fifteen, "largest");
    world.admit(&statement);
    let statement = undersigned_registry::id::StatementId(crate::fixture::hash_of(&statement).0);
    let texts = (0..32).map(largest_text).collect();
    let version = world.version(mill.0, &[fifteen.clone(), vec![&mill.2]].concat(), statement, texts);
    world.admit(&version);
    let version = undersigned_registry::id::VersionId(crate::fixture::hash_of(&version).0);
    let body = Body::Endorse { statement, version, language: "aaa-Latn-001".into(), not_after: None };
    let signers = [fifteen.clone(), vec![&mill.2]].concat();
    let endorse = world.make(Some(mill.0), &signers, None, body);
    world.admit(&endorse);
    let after = world.head(&StateKey::endorsement(&version, &mill.0));
    let withdraw = world.make(Some(mill.0), &signers, after, Body::Withdraw { statement, version });
    world.admit(&withdraw);
    let ends: Vec<_> = fifteen.iter().skip(1).map(|key| (*key, Ending::Revoke)).collect();
    let keys = world.keys(mill.0, &fifteen, &[&sign_key(230)], &ends);
    world.admit(&keys);
    let everyone: Vec<&Key> =
        [vec![&world.operator_admin], vec![&world.operator_recovery, &world.operator_sign]].concat();
    let policy = world.set_policy(world.operator, &everyone, policy(Admission::Open));
    world.admit(&policy);
    let _ = harbour;

    let policy = policy_text(Some(&world.registry));
    let log = Log::of(world.registry.clone(), world.entries.clone());
    let mut left_out = 0;
    for index in 0..log.entries.len() {
        let entry = Entry::parse(&log.entries[index]).unwrap();
        let mut records = log.states[index].clone();
        // A registry with 20,000 more keys, so that paths are deep.
        let strange = KeyRecord {
            from: 0,
            party: PartyId(sha256(&[b"x"])),
            revoked: false,
            role: Role::Sign,
            to: None,
            key_type: undersigned_registry::key::KeyType::Ed25519,
        };
        records.extend((0..20_000u32).map(|number| {
            let id = KeyId(sha256(&[&number.to_be_bytes()]));
            (StateKey::key(&id).as_bytes().to_vec(), Record::Key(strange.clone()))
        }));
        let file = lying_receipt(&entry.envelope, index, entry.received, &records);
        assert!(file.len() <= RECEIPT_BYTES_MAX, "{index}: {}", file.len());
        let receipt = Receipt::parse(&file).unwrap();
        let wanted = proved_keys(entry.envelope.event(), event_hash(entry.envelope.event_bytes()));
        assert!(!receipt.paths.is_empty());
        assert!(
            receipt.paths.iter().zip(&wanted).all(|(path, key)| path.prefix == key.as_bytes()),
            "the first stay"
        );
        left_out += wanted.len() - receipt.paths.len();
        assert!(check(&file, &policy, None).is_ok(), "{index}");
    }
    assert!(left_out > 0, "some of these were too large for all their paths");
}

/// RC-6: the blobs go first, then the paths from the last, and a bare entry that is too large is refused.
#[test]
fn what_does_not_fit_is_left_out_in_order() {
    let story = story();
    let log = &story.log;
    let index = story.endorse;
    let hashes = audit_path(index, &log.leaves);
    let checkpoint = log.checkpoint(log.entries.len());
    let blob = vec![vec![7; 8_000]];
    let path = |byte: u8, bytes: usize| StatePath { prefix: vec![byte], proof: vec![0; bytes] };
    let made = |paths: &[StatePath], checkpoint: &[u8]| {
        let parts = Parts {
            entry: &log.entries[index],
            blobs: &blob,
            paths,
            index: index as u64,
            hashes: &hashes,
            checkpoint,
        };
        build(&parts)
    };
    let parsed = |paths: &[StatePath]| Receipt::parse(&made(paths, &checkpoint).unwrap()).unwrap();
    let all = parsed(&[path(1, 10_000), path(2, 10_000)]);
    assert_eq!((all.blobs.len(), all.paths.len()), (0, 2));
    let small = parsed(&[path(1, 1_000), path(2, 1_000)]);
    assert_eq!((small.blobs.len(), small.paths.len()), (1, 2));
    let some = parsed(&[path(1, 10_000), path(2, 10_000), path(3, 10_000)]);
    assert_eq!(some.paths.iter().map(|path| path.prefix[0]).collect::<Vec<_>>(), [1, 2]);
    let none = parsed(&[path(1, 40_000)]);
    assert!(none.paths.is_empty());
    assert_eq!(made(&[], &vec![b'a'; 48_000]), Err(BuildError::TooLarge));
    assert_eq!(made(&[], b""), Err(BuildError::Parts));
}

/// RC-5: which records a receipt shows, the one that the event moves first.
#[test]
fn a_receipt_shows_the_records_its_event_calls_for() {
    let story = story();
    let namespaces: Vec<(String, Vec<u8>)> = (0..story.log.entries.len())
        .map(|index| {
            let envelope = story.log.event(index);
            let name = envelope.event().body.type_name().to_owned();
            (name, story.log.cuts[index].iter().map(|path| path.prefix[0]).collect())
        })
        .collect();
    let of = |name: &str| namespaces.iter().find(|(found, _)| found == name).unwrap().1.clone();
    assert_eq!(of("registry.open"), [0, 1, 2, 2, 2]);
    assert_eq!(of("registry.policy"), [0, 1, 2]);
    assert_eq!(of("party.create"), [1, 2, 2]);
    assert_eq!(of("party.keys"), [1, 2, 2, 2]);
    assert_eq!(of("statement.publish"), [4, 1, 2]);
    assert_eq!(of("statement.version"), [4, 1, 2]);
    assert_eq!(of("endorse"), [7, 1, 2, 5]);
    assert_eq!(of("withdraw"), [7, 1, 2, 5]);
    assert!(story.town.world.ledger.state().record(&StateKey::registry()).is_some());
}
