//! State proofs: every question over true and random states, mutations, and what a lying registry can say.

use proptest::prelude::*;
use undersigned_registry::entry::Entry;
use undersigned_registry::id::{PartyId, RegistryId, VersionId};
use undersigned_registry::json::Value;
use undersigned_registry::proof_file::ProofFile;
use undersigned_registry::receipt::{BuildError, Parts, Receipt, StatePath};
use undersigned_registry::record::{
    COLUMN_LAPSED, COLUMN_WITHDRAWN, EndorsementRecord, LEVEL_MAX, PartyRecord, Record, StateKey, Status,
    VersionRecord,
};
use undersigned_registry::state_proof::{Question, STATE_PROOF_BYTES_MAX, StateProof, build, path_for};
use undersigned_registry::state_tree::{NEVER, Step, SubtreeProof, SumTree, Tally, Terminal};
use undersigned_registry::verify::{StateAnswer, Trust, VerifiedState, verify_state};
use undersigned_tlog::hash::{Hash, leaf_hash, sha256};

use crate::fixture::{ORIGIN, TITLE, blob, log_signer, name, texts};
use crate::receipts::{
    Log, Refused, Story, audit_path, checkpoint_of, foreign_checkpoint, policy_text, rebuilt, story, tree_of,
    tree_root, with_extra,
};

/// The one call under test: the file, the policy, the registry named by hand.
pub(crate) fn check(
    file: &[u8],
    policy: &str,
    registry: Option<&RegistryId>,
) -> Result<VerifiedState, &'static str> {
    let trust = Trust::parse(policy, registry.cloned()).map_err(|error| error.code())?;
    let proof = StateProof::parse(file).map_err(|error| error.code())?;
    verify_state(&proof, &trust).map_err(|error| error.code())
}

fn paths_of(tree: &SumTree<Record>, question: &Question) -> Vec<StatePath> {
    let keys = question.keys();
    let held = |(place, key): &(usize, &StateKey)| *place == 0 || tree.get(key.as_bytes()).is_some();
    let keys = keys.iter().enumerate().take_while(held).map(|(_, key)| key);
    keys.map(|key| path_for(key, &tree.prove(key.as_bytes()).unwrap())).collect()
}

impl Log {
    /// The answer at N, under the checkpoint of M.
    pub(crate) fn state_proof(&self, n: usize, m: usize, question: &Question) -> Vec<u8> {
        let tree = tree_of(&self.states[n - 1]);
        self.state_proof_of(n, m, question, &[TITLE.as_bytes().to_vec()], &paths_of(&tree, question))
    }

    fn state_proof_of(
        &self,
        n: usize,
        m: usize,
        question: &Question,
        blobs: &[Vec<u8>],
        paths: &[StatePath],
    ) -> Vec<u8> {
        let blobs = if paths.len() < 2 { &[] } else { blobs };
        let (entry, hashes) = (&self.entries[n - 1], audit_path(n - 1, &self.leaves[..m]));
        let checkpoint = self.checkpoint(m);
        let parts =
            Parts { entry, blobs, paths, index: n as u64 - 1, hashes: &hashes, checkpoint: &checkpoint };
        build(question, &parts).unwrap()
    }
}

fn columns(tally: &Tally) -> Vec<(u8, u64)> {
    tally.columns().collect()
}

/// SP-1, SP-6, SP-20 to SP-28, SP-31, SP-33: the story at every size, under the checkpoint of every larger one.
#[test]
fn the_story_is_told_at_every_size() {
    let story = story();
    let (log, version) = (&story.log, story.of.1);
    let size = log.entries.len();
    for n in 1..=size {
        // Who withdrew without having endorsed is in no tally (RE-12).
        let naive = |status: Status| {
            let of_version = log.states[n - 1].iter().filter(|(key, _)| key[0] == 7);
            of_version
                .filter(|(_, record)| match record {
                    Record::Endorsement(record) => record.status == status && record.endorsed.is_some(),
                    _ => false,
                })
                .count() as u64
        };
        for m in n..=size {
            let verified =
                check(&log.state_proof(n, m, &Question::Count { version }), &story.policy, None).unwrap();
            assert_eq!((verified.size, verified.tree_size), (n as u64, m as u64));
            assert_eq!(verified.is_newest(), n == m, "SP-31");
            assert_eq!(
                (verified.active(), verified.withdrawn()),
                (naive(Status::Active), naive(Status::Withdrawn))
            );
            assert_eq!(verified.next_due, None);
            assert_eq!(verified.state, Entry::parse(&log.entries[n - 1]).unwrap().state, "SP-32");
        }
    }
    let at = |n: usize, question: Question| check(&log.state_proof(n, size, &question), &story.policy, None);
    // None, one, two; then one of them left.
    let count = |n| at(n, Question::Count { version }).map(|verified| columns(&verified.tally));
    assert_eq!(count(story.endorse - 1), Ok(vec![]), "SP-33");
    assert_eq!(count(story.endorse), Ok(vec![(0, 1)]));
    assert_eq!(count(story.endorse + 1), Ok(vec![(0, 2)]));
    assert_eq!(count(story.withdraw + 1), Ok(vec![(0, 1), (5, 1)]));
    let (mill, harbour) = (story.mill, story.harbour);
    let status = |party, n| match at(n, Question::Status { version, party }).map(|verified| verified.answer) {
        Ok(StateAnswer::Status(record)) => Ok(record.status),
        Ok(_) => panic!("another answer"),
        Err(code) => Err(code),
    };
    assert_eq!(status(harbour, size), Ok(Status::Withdrawn));
    assert_eq!(status(harbour, story.withdraw), Ok(Status::Active), "as of then");
    assert_eq!(status(mill, size), Ok(Status::Active), "an older entry moved the record");
    assert_eq!(status(mill, story.endorse), Err("other-answer"), "SP-26: not yet");
    let absent = at(story.endorse, Question::Absent { version, party: mill }).unwrap();
    assert_eq!((absent.answer.clone(), columns(&absent.tally)), (StateAnswer::Absent, vec![(0, 1)]), "SP-34");
    assert_eq!(absent.party_record.unwrap().level, 0);
    assert_eq!(absent.version_record.unwrap().number, 1);
    assert_eq!(at(size, Question::Absent { version, party: mill }).unwrap_err(), "other-answer", "SP-27");
    let operator = log.registry.operator();
    assert_eq!(at(size, Question::Absent { version, party: operator }).unwrap().answer, StateAnswer::Absent);
    assert_eq!(at(size, Question::Count { version }).unwrap().title("en"), Some(TITLE), "SP-35");
    // Who withdrew without having endorsed has a record, and is in no count.
    let created = Entry::parse(&log.entries[story.guests]).unwrap().envelope;
    let guests = PartyId(undersigned_registry::event::event_hash(created.event_bytes()).0);
    assert_eq!(status(guests, size), Ok(Status::Withdrawn), "SP-33");
    assert_eq!(at(size, Question::Absent { version, party: guests }).unwrap_err(), "other-answer", "SP-34");
    // Who is not in the registry has endorsed nothing, and the file shows no party.
    let nobody = PartyId(sha256(&[b"nobody"]));
    let unknown = at(size, Question::Absent { version, party: nobody }).unwrap();
    assert_eq!((unknown.answer, unknown.party_record), (StateAnswer::Absent, None));
}

/// SP-4: neither kind is taken for the other, and each is recognised.
#[test]
fn a_receipt_is_no_state_proof_and_the_other_way_round() {
    let story = story();
    let receipt = story.log.receipt(story.endorse);
    let question = Question::Status { version: story.of.1, party: story.mill };
    let state = story.log.state_proof(story.endorse + 1, story.endorse + 1, &question);
    assert_eq!(Receipt::parse(&state).unwrap_err().code(), "member-unknown");
    assert_eq!(StateProof::parse(&receipt).unwrap_err().code(), "member-missing");
    assert!(matches!(ProofFile::parse(&receipt), Ok(ProofFile::Receipt(_))));
    assert!(matches!(ProofFile::parse(&state), Ok(ProofFile::State(_))));
    assert_eq!(ProofFile::parse(b"").unwrap_err().code(), "proof-file");
    assert_eq!(ProofFile::parse(b"undersigned multi-proof v1\n").unwrap_err().code(), "multi-proof-file");
    assert_eq!(ProofFile::parse(b"undersigned multi-proof v11\n").unwrap_err().code(), "proof-file");
}

/// SP-2, SP-7: the blobs go first, then the paths from the last, and the answer stays.
#[test]
fn what_does_not_fit_is_left_out_in_order() {
    let story = story();
    let question = Question::Status { version: story.of.1, party: story.mill };
    let path = |byte: u8, bytes: usize| StatePath { prefix: vec![byte], proof: vec![0; bytes] };
    let made = |paths: &[StatePath], checkpoint: &[u8]| {
        let blobs = [vec![7; 8_000]];
        let entry = &story.log.entries[story.endorse];
        build(&question, &Parts { entry, blobs: &blobs, paths, index: 9, hashes: &[], checkpoint })
    };
    let kept = |paths: &[StatePath]| {
        let file = made(paths, b"checkpoint").unwrap();
        assert!(file.len() <= STATE_PROOF_BYTES_MAX);
        let proof = StateProof::parse(&file).unwrap();
        (proof.blobs.len(), proof.paths.len())
    };
    assert_eq!(kept(&[path(1, 900), path(2, 900), path(3, 900)]), (1, 3));
    assert_eq!(kept(&[path(1, 10_000), path(2, 10_000), path(3, 9_000)]), (0, 3));
    assert_eq!(kept(&[path(1, 10_000), path(2, 10_000), path(3, 19_000)]), (0, 2));
    assert_eq!(kept(&[path(1, 30_000), path(2, 10_000)]), (0, 1));
    assert_eq!(made(&[path(1, 40_000)], b"checkpoint"), Err(BuildError::TooLarge));
    assert_eq!(made(&[], b"checkpoint"), Err(BuildError::Parts));
    assert_eq!(made(&[path(1, 9)], b""), Err(BuildError::Parts));
}

/// A state of made-up parties and versions, and an entry that holds its root.
struct Small {
    tree: SumTree<Record>,
    records: Vec<(Vec<u8>, Record)>,
    versions: Vec<VersionId>,
    parties: Vec<PartyId>,
    sealed: Sealed,
}

/// An entry of the story with another state, the last of a tree, under a checkpoint.
struct Sealed {
    entry: Vec<u8>,
    index: usize,
    hashes: Vec<Hash>,
    checkpoint: Vec<u8>,
}

impl Sealed {
    fn new(story: &Story, state: Hash) -> Self {
        let index = story.log.entries.len() - 1;
        let mut entry = Entry::parse(&story.log.entries[index]).unwrap();
        entry.state = state;
        let entry = entry.encode();
        let mut leaves = story.log.leaves[..index].to_vec();
        leaves.push(leaf_hash(&entry));
        let checkpoint = checkpoint_of(ORIGIN, &log_signer(7), leaves.len(), tree_root(&leaves));
        Self { hashes: audit_path(index, &leaves), entry, index, checkpoint }
    }

    fn file(&self, question: &Question, paths: &[StatePath]) -> Vec<u8> {
        let (entry, index) = (&self.entry, self.index as u64);
        let (hashes, checkpoint) = (&self.hashes, &self.checkpoint);
        build(question, &Parts { entry, blobs: &[], paths, index, hashes, checkpoint }).unwrap()
    }
}

fn version_record(story: &Story) -> VersionRecord {
    VersionRecord { entry: 1, number: 1, statement: story.of.0, texts: texts() }
}

fn party_record(level: u8) -> PartyRecord {
    let event = undersigned_registry::id::EventHash(sha256(&[b"event"]));
    let names = vec![name("en", "A Party")];
    PartyRecord {
        domain: None,
        entry: 2,
        event,
        first: 2,
        keys: vec![undersigned_registry::id::KeyId(sha256(&[b"key"]))],
        level,
        names,
    }
}

fn endorsement(level: u8, status: Status) -> EndorsementRecord {
    EndorsementRecord {
        endorsed: Some(3),
        entry: 4,
        event: undersigned_registry::id::EventHash(sha256(&[b"event"])),
        first: 3,
        language: Some("en".into()),
        level,
        not_after: (status == Status::Lapsed).then_some(1),
        status,
    }
}

impl Small {
    /// `marks[version][party]`: none, or what became of it. Whoever is at level 3 signs until a day.
    fn new(story: &Story, levels: &[u8], marks: &[Vec<Option<Status>>]) -> Self {
        let id = |what: &str, number: usize| sha256(&[what.as_bytes(), &(number as u64).to_be_bytes()]);
        let parties: Vec<PartyId> = (0..levels.len()).map(|number| PartyId(id("party", number))).collect();
        let versions: Vec<VersionId> =
            (0..marks.len()).map(|number| VersionId(id("version", number))).collect();
        let mut records: Vec<(Vec<u8>, Record)> = Vec::new();
        let mut put = |key: StateKey, record: Record| records.push((key.as_bytes().to_vec(), record));
        for (party, level) in parties.iter().zip(levels) {
            put(StateKey::party(party), Record::Party(Box::new(party_record(*level))));
        }
        for (version, marks) in versions.iter().zip(marks) {
            put(StateKey::version(version), Record::Version(Box::new(version_record(story))));
            for ((party, level), mark) in parties.iter().zip(levels).zip(marks) {
                let Some(status) = mark else { continue };
                let mut record = endorsement(*level, *status);
                if *status == Status::Active && *level == 3 {
                    record.not_after = Some(LAST_DAY + u64::from(party.hash().as_bytes()[0]));
                }
                let record = Record::Endorsement(record);
                put(StateKey::endorsement(version, party), record.clone());
                put(StateKey::by_party(party, version), record);
            }
        }
        let mut tree = tree_of(&records);
        let sealed = Sealed::new(story, tree.root().unwrap());
        Self { tree, records, versions, parties, sealed }
    }

    fn file(&self, question: &Question) -> Vec<u8> {
        self.sealed.file(question, &paths_of(&self.tree, question))
    }

    /// Counted one by one.
    fn recount(&self, version: &VersionId) -> Vec<(u8, u64)> {
        let prefix = StateKey::endorsements_of(version);
        let mut counts = [0_u64; 7];
        for (key, record) in &self.records {
            if let (true, Record::Endorsement(record)) = (key.starts_with(prefix.as_bytes()), record) {
                let column = match record.status {
                    Status::Active => record.level,
                    Status::Lapsed => COLUMN_LAPSED,
                    Status::Withdrawn => COLUMN_WITHDRAWN,
                };
                counts[usize::from(column)] += 1;
            }
        }
        (0_u8..).zip(counts).filter(|(_, count)| *count > 0).collect()
    }

    /// The first second at which one of all that stand does not.
    fn next_due(&self) -> Option<u64> {
        let last = |(_, record): &(Vec<u8>, Record)| match record {
            Record::Endorsement(record) if record.status == Status::Active => record.not_after,
            _ => None,
        };
        self.records.iter().filter_map(last).min().map(|last| last + 1)
    }

    /// Every question that can be asked, and whether the file must be accepted.
    fn questions(&self) -> Vec<(Question, bool)> {
        let mut all = Vec::new();
        for version in &self.versions {
            all.push((Question::Count { version: *version }, true));
            for party in &self.parties {
                let key = StateKey::endorsement(version, party);
                let present = self.tree.get(key.as_bytes()).is_some();
                all.push((Question::Status { version: *version, party: *party }, present));
                all.push((Question::Absent { version: *version, party: *party }, !present));
            }
        }
        all
    }
}

/// The levels of the parties, and their marks by version.
type Made = (Vec<u8>, Vec<Vec<Option<Status>>>);

/// What ends in the small trees ends from here on.
const LAST_DAY: u64 = 1_900_000_000;

/// Parties, versions and marks of a tree with [`KEYS_MAX`] keys: 99 + 3 + 2 * 199 = 500.
const LARGEST: (usize, usize, usize) = (99, 3, 199);
const KEYS_MAX: usize = 500;

fn any_small() -> impl Strategy<Value = Made> {
    // At most 71 parties and 3 versions: 71 + 3 + 2 * 213 = 500 keys.
    (1_usize..=71, 1_usize..=3).prop_flat_map(|(parties, versions)| {
        let mark = prop_oneof![2 => Just(None), 4 => any_status().prop_map(Some)];
        let marks = prop::collection::vec(mark, parties..=parties);
        (
            prop::collection::vec(0..=LEVEL_MAX, parties..=parties),
            prop::collection::vec(marks, versions..=versions),
        )
    })
}

fn any_status() -> impl Strategy<Value = Status> {
    prop_oneof![3 => Just(Status::Active), 1 => Just(Status::Lapsed), 1 => Just(Status::Withdrawn)]
}

/// As many keys as there are at most, with present and absent ones under each version.
fn largest() -> impl Strategy<Value = Made> {
    let (parties, versions, marks) = LARGEST;
    let all = prop::collection::vec(any_status(), marks).prop_map(move |marks| {
        let mut all: Vec<Option<Status>> = marks.into_iter().map(Some).collect();
        all.resize(parties * versions, None);
        all
    });
    let all = all.prop_shuffle().prop_map(move |all| all.chunks(parties).map(<[_]>::to_vec).collect());
    (prop::collection::vec(0..=LEVEL_MAX, parties), all)
}

/// Every question about every key, present or absent, and every tally recounted; gives the number of keys.
fn check_every_question((levels, marks): &Made) -> Result<usize, TestCaseError> {
    let story = story();
    let small = Small::new(&story, levels, marks);
    for (question, holds) in small.questions() {
        let found = check(&small.file(&question), &story.policy, None);
        prop_assert_eq!(found.as_ref().err().copied(), (!holds).then_some("other-answer"), "{:?}", question);
        let Ok(verified) = found else { continue };
        prop_assert_eq!(columns(&verified.tally), small.recount(&question.version()));
        prop_assert_eq!(verified.next_due, small.next_due(), "SP-31");
        match (&question, &verified.answer) {
            (Question::Count { .. }, StateAnswer::Count) => {}
            (Question::Absent { .. }, StateAnswer::Absent) => {}
            (Question::Status { version, party }, StateAnswer::Status(record)) => {
                let kept = small.tree.get(StateKey::endorsement(version, party).as_bytes());
                prop_assert_eq!(kept, Some(&Record::Endorsement(record.clone())));
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }
    Ok(small.tree.len())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1, ..ProptestConfig::default() })]

    /// SP-25 to SP-28, SP-33, at the upper end of the range that the next test draws from.
    #[test]
    fn every_question_about_500_keys_is_answered_rightly(made in largest()) {
        prop_assert_eq!(check_every_question(&made)?, KEYS_MAX);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// SP-25 to SP-28, SP-33: every question about every key, present or absent, and every tally recounted.
    #[test]
    fn every_question_is_answered_rightly(made in any_small()) {
        prop_assert!(check_every_question(&made)? <= KEYS_MAX);
    }

    /// No byte of a file can be changed, and no field of a path, so that it still proves something.
    #[test]
    fn mutations_prove_nothing((levels, marks) in any_small(), pick in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let story = story();
        let small = Small::new(&story, &levels, &marks);
        let questions: Vec<Question> =
            small.questions().into_iter().filter(|(_, holds)| *holds).map(|(question, _)| question).collect();
        let question = *pick.get(&questions);
        let file = small.file(&question);
        prop_assert!(check(&file, &story.policy, None).is_ok());
        for place in 0..file.len() {
            let mut changed = file.clone();
            changed[place] ^= 1 << bit;
            prop_assert!(check(&changed, &story.policy, None).is_err(), "byte {place}");
        }
        for cut in [0, 1, file.len() / 2, file.len() - 1] {
            prop_assert!(check(&file[..cut], &story.policy, None).is_err(), "cut to {cut}");
        }
        let paths = paths_of(&small.tree, &question);
        for position in 0..paths.len() {
            for wrong in spoiled(&SubtreeProof::decode(&paths[position].proof).unwrap()) {
                let mut changed = paths.clone();
                changed[position].proof = wrong.encode();
                let found = check(&small.sealed.file(&question, &changed), &story.policy, None);
                prop_assert!(found.is_err(), "path {position}: {wrong:?}");
            }
        }
        // The same paths for another question.
        for other in small.questions().into_iter().map(|(other, _)| other).filter(|other| *other != question) {
            let found = check(&small.sealed.file(&other, &paths), &story.policy, None);
            prop_assert!(found.is_err(), "{other:?} with the paths of {question:?}");
        }
    }
}

/// Every single field of a path changed: counts, due seconds, hashes, lengths, records, kinds; a step less, a step
/// more, two turned round.
fn spoiled(proof: &SubtreeProof) -> Vec<SubtreeProof> {
    let more = |tally: &Tally| {
        let counted = tally.checked_add(&Tally::column(0, 1)).unwrap();
        [counted, tally.clone().with_next_due(7), Tally::ZERO.with_next_due(tally.next_due())]
            .into_iter()
            .filter(|other| other != tally)
            .collect::<Vec<_>>()
    };
    let other = |hash: &Hash| sha256(&[hash.as_bytes()]);
    let mut all = vec![SubtreeProof { terminal: Terminal::Nothing, steps: proof.steps.clone() }];
    let mut with = |terminal: Terminal| all.push(SubtreeProof { terminal, steps: proof.steps.clone() });
    match &proof.terminal {
        Terminal::Nothing => {}
        Terminal::Leaf { key, record } => {
            let mut near = key.clone();
            *near.last_mut().unwrap() ^= 1;
            with(Terminal::Leaf { key: near, record: record.clone() });
            let text = String::from_utf8(record.clone()).unwrap();
            for (from, to) in
                [("active", "withdrawn"), ("withdrawn", "active"), ("\"entry\":", "\"entry\":1")]
            {
                if text.contains(from) {
                    with(Terminal::Leaf {
                        key: key.clone(),
                        record: text.replacen(from, to, 1).into_bytes(),
                    });
                }
            }
        }
        Terminal::Node { bits, prefix, left, left_tally, right, right_tally } => {
            let node = |left: Hash, left_tally: Tally, right: Hash, right_tally: Tally| Terminal::Node {
                bits: *bits,
                prefix: prefix.clone(),
                left,
                left_tally,
                right,
                right_tally,
            };
            with(node(other(left), left_tally.clone(), *right, right_tally.clone()));
            with(node(*left, left_tally.clone(), other(right), right_tally.clone()));
            with(node(*right, right_tally.clone(), *left, left_tally.clone()));
            more(left_tally)
                .into_iter()
                .for_each(|tally| with(node(*left, tally, *right, right_tally.clone())));
            more(right_tally)
                .into_iter()
                .for_each(|tally| with(node(*left, left_tally.clone(), *right, tally)));
            if left_tally != right_tally {
                // The same sum, split another way.
                with(node(*left, right_tally.clone(), *right, left_tally.clone()));
            }
        }
    }
    for position in 0..proof.steps.len() {
        let step = &proof.steps[position];
        let mut put = |step: Step| {
            let mut changed = proof.clone();
            changed.steps[position] = step;
            all.push(changed);
        };
        put(Step { bits: step.bits + 1, ..step.clone() });
        put(Step { bits: step.bits.saturating_sub(1) + u16::from(step.bits == 0) * 2, ..step.clone() });
        put(Step { sibling: other(&step.sibling), ..step.clone() });
        more(&step.tally).into_iter().for_each(|tally| put(Step { tally, ..step.clone() }));
        let mut fewer = proof.clone();
        let taken = fewer.steps.remove(position);
        let mut twice = proof.clone();
        twice.steps.insert(position, taken);
        all.extend([fewer, twice]);
        if position > 0 {
            let mut turned = proof.clone();
            turned.steps.swap(position, position - 1);
            all.push(turned);
        }
    }
    all
}

/// What third parties can do with honest parts, and what a registry can say that signs what it likes.
#[allow(clippy::too_many_lines, reason = "one list of cases")]
pub(crate) fn refused(story: &Story) -> Vec<Refused> {
    let (log, version, mill, harbour) = (&story.log, story.of.1, story.mill, story.harbour);
    let (n, m) = (story.withdraw + 1, log.entries.len());
    let operator = log.registry.operator();
    let status = Question::Status { version, party: mill };
    let absent = Question::Absent { version, party: operator };
    let count = Question::Count { version };
    let mut cases = Vec::new();
    let ours = &story.policy;
    let mut case = |about: &str, rules, code, file: Vec<u8>| {
        let (about, policy) = (about.to_owned(), ours.clone());
        cases.push(Refused { about, rules, file, policy, registry: None, code });
    };
    let file = log.state_proof(n, m, &status);
    let text = String::from_utf8(file.clone()).unwrap();
    let line = text.lines().find(|line| line.starts_with("extra ")).unwrap();
    case("another header", &["SP-1"], "proof-file", text.replacen("@v1", "@v2", 1).into());
    case("no extra line", &["SP-1"], "no-extra", text.replace(&format!("{line}\n"), "").into());
    case("longer than 64,000 bytes", &["SP-2"], "proof-file", [&file[..], &[b'a'; 64_000]].concat());
    case("a receipt", &["SP-4"], "member-missing", log.receipt(story.withdraw));
    case("no paths", &["SP-3"], "member-missing", with_extra(&file, &["paths"], None));
    case(
        "an empty list of paths",
        &["SP-3"],
        "member-value",
        with_extra(&file, &["paths"], Some(Value::List(vec![]))),
    );
    case("another v", &["SP-3"], "member-value", with_extra(&file, &["v"], Some(Value::Integer(2))));
    let word = |text: &str| Some(Value::Text(text.to_owned().into()));
    case("a member more", &["SP-3"], "member-unknown", with_extra(&file, &["witness"], word("x")));
    case(
        "an unknown kind",
        &["SP-5"],
        "member-value",
        with_extra(&file, &["question", "kind"], word("list")),
    );
    case(
        "a status without a party",
        &["SP-5"],
        "member-missing",
        with_extra(&file, &["question", "party"], None),
    );
    case(
        "a count of a party",
        &["SP-5"],
        "member-unknown",
        with_extra(&file, &["question", "kind"], word("count")),
    );
    case(
        "a status that is called absence",
        &["SP-27"],
        "other-answer",
        with_extra(&file, &["question", "kind"], word("absent")),
    );
    let absence = log.state_proof(n, m, &absent);
    case(
        "an absence that is called status",
        &["SP-26"],
        "other-answer",
        with_extra(&absence, &["question", "kind"], word("status")),
    );
    let theirs = with_extra(&file, &["question", "party"], word(&harbour.to_string()));
    case("another party in the question", &["SP-6", "SP-23"], "foreign-path", theirs);
    let none = with_extra(&file, &["question", "version"], word(&sha256(&[b"none"]).to_hex()));
    case("another version in the question", &["SP-6", "SP-23"], "foreign-path", none);
    let elsewhere = foreign_checkpoint(m, tree_root(&log.leaves));
    let foreign = rebuilt(&file, |_, _, _, checkpoint| *checkpoint = elsewhere);
    case("the checkpoint of a log that the policy does not name", &["SP-20"], "unknown-log", foreign);
    let unsigned = rebuilt(&file, |_, _, _, checkpoint| {
        let text = String::from_utf8(checkpoint.clone()).unwrap();
        *checkpoint =
            text.replacen(&format!("{ORIGIN}\n{m}\n"), &format!("{ORIGIN}\n{}\n", m + 1), 1).into_bytes();
    });
    case("a checkpoint with another size", &["SP-20"], "checkpoint", unsigned);
    case("another N", &["SP-21"], "inclusion", rebuilt(&file, |_, index, _, _| *index += 1));
    case("an N past M", &["SP-21"], "inclusion", rebuilt(&file, |_, index, _, _| *index = m as u64));
    let older = rebuilt(&file, |_, _, _, checkpoint| *checkpoint = log.checkpoint(n - 1));
    case("the checkpoint of a tree before N", &["SP-21"], "inclusion", older);
    let state = with_extra(&file, &["entry", "state"], word(&sha256(&[b"state"]).to_hex()));
    case("an entry with another state", &["SP-21"], "inclusion", state);

    let tree = tree_of(&log.states[n - 1]);
    let honest = paths_of(&tree, &status);
    let key = |key: StateKey| key.as_bytes().to_vec();
    let at =
        |prefix: &[u8]| StatePath { prefix: prefix.to_vec(), proof: tree.prove(prefix).unwrap().encode() };
    let own = key(StateKey::endorsement(&version, &mill));
    let of_version = key(StateKey::endorsements_of(&version));
    let with = |question: &Question, paths: &[StatePath]| log.state_proof_of(n, m, question, &[], paths);
    let under =
        |prefix: &[u8], proof: &SubtreeProof| StatePath { prefix: prefix.to_vec(), proof: proof.encode() };
    let bytes = |prefix: &[u8], proof: Vec<u8>| StatePath { prefix: prefix.to_vec(), proof };

    let turned = [honest[0].clone(), honest[2].clone(), honest[1].clone()];
    case("paths in another order", &["SP-6"], "foreign-path", with(&status, &turned));
    case("the answer's path missing", &["SP-6"], "foreign-path", with(&status, &honest[1..]));
    let more = [honest[0].clone(), honest[1].clone(), at(&key(StateKey::party(&mill)))];
    case(
        "the path of a party in a count",
        &["SP-6"],
        "foreign-path",
        with(&count, &[at(&of_version), more[1].clone(), more[2].clone()]),
    );
    let by_party = key(StateKey::by_party(&mill, &version));
    case(
        "the by-party record for the endorsement",
        &["SP-23"],
        "foreign-path",
        with(&status, &[at(&by_party)]),
    );
    let by_prefix = key(StateKey::endorsements_by(&mill));
    case(
        "all that a party endorsed for the version's count",
        &["SP-23"],
        "foreign-path",
        with(&count, &[at(&by_prefix)]),
    );
    case(
        "the by-party proof under the version's prefix",
        &["SP-24"],
        "state-path",
        with(&count, &[bytes(&of_version, at(&by_prefix).proof)]),
    );
    case(
        "the whole namespace for the version's count",
        &["SP-23"],
        "foreign-path",
        with(&count, &[at(&[7])]),
    );
    case("one endorsement for the version's count", &["SP-23"], "foreign-path", with(&count, &[at(&own)]));
    case(
        "the path of one endorsement under the version's prefix",
        &["SP-24"],
        "state-path",
        with(&count, &[bytes(&of_version, at(&own).proof)]),
    );
    let earlier = tree_of(&log.states[story.endorse - 1]);
    case(
        "the path to an older state",
        &["SP-24"],
        "state-path",
        with(
            &absent,
            &[under(
                &key(StateKey::endorsement(&version, &operator)),
                &earlier.prove(&key(StateKey::endorsement(&version, &operator))).unwrap(),
            )],
        ),
    );
    let theirs = at(&key(StateKey::endorsement(&version, &harbour)));
    case(
        "another party's path under the own prefix",
        &["SP-24"],
        "state-path",
        with(&status, &[bytes(&own, theirs.proof)]),
    );
    let cut = honest[0].proof[..honest[0].proof.len() - 1].to_vec();
    case("a path cut short", &["SP-24"], "state-path", with(&status, &[bytes(&own, cut)]));
    let long = [&honest[0].proof[..], &[0]].concat();
    case("a path with a byte more", &["SP-24"], "state-path", with(&status, &[bytes(&own, long)]));
    let party = key(StateKey::party(&mill));
    let gone = SubtreeProof::decode(&at(&key(StateKey::party(&harbour))).proof).unwrap();
    let swapped = [honest[0].clone(), honest[1].clone(), under(&party, &gone)];
    case("another party's record", &["SP-24", "SP-28"], "state-path", with(&status, &swapped));
    let name = [b"Harbour Trust".to_vec()];
    case(
        "a name of another party",
        &["SP-30"],
        "foreign-blob",
        log.state_proof_of(n, m, &status, &name, &honest),
    );

    // A larger version, so that it has halves and neighbours.
    let marks = vec![
        (0..40)
            .map(|party| match (party % 4, party % 5) {
                (3, _) => None,
                (1, 0) => Some(Status::Lapsed),
                (_, 0) => Some(Status::Withdrawn),
                _ => Some(Status::Active),
            })
            .collect::<Vec<_>>(),
        vec![None; 40],
    ];
    let levels: Vec<u8> = (0..40).map(|party| party % 5).collect();
    let small = Small::new(story, &levels, &marks);
    let version = small.versions[0];
    let count = Question::Count { version };
    let prefix = key(StateKey::endorsements_of(&version));
    let whole = small.tree.prove(&prefix).unwrap();
    assert!(check(&small.file(&count), ours, None).is_ok(), "the honest file, by the same hands");
    let Terminal::Node { bits, prefix: label, left, left_tally, right, right_tally } = whole.terminal.clone()
    else {
        panic!("forty parties make a node")
    };
    let mut forged = |about: &str, rules, code, question: &Question, proof: &SubtreeProof| {
        let first = question.keys()[0].as_bytes().to_vec();
        case(about, rules, code, small.sealed.file(question, &[under(&first, proof)]));
    };
    let node = |left_tally: Tally, right_tally: Tally| SubtreeProof {
        terminal: Terminal::Node { bits, prefix: label.clone(), left, left_tally, right, right_tally },
        steps: whole.steps.clone(),
    };
    let one_more = left_tally.checked_add(&Tally::column(2, 1)).unwrap();
    forged("a forged sum: one more", &["SP-24"], "state-path", &count, &node(one_more, right_tally.clone()));
    forged(
        "a forged split: the same sum",
        &["SP-24"],
        "state-path",
        &count,
        &node(right_tally.clone(), left_tally.clone()),
    );
    let mut step = whole.clone();
    step.steps[0].tally = step.steps[0].tally.checked_add(&Tally::column(2, 1)).unwrap();
    forged("a forged sum beside the way", &["SP-24"], "state-path", &count, &step);
    let mut due = whole.clone();
    due.steps[0].tally = due.steps[0].tally.clone().with_next_due(1_800_000_000);
    forged("a forged due second", &["SP-24", "SP-31"], "state-path", &count, &due);
    // The half of the version, with its true path through the version's own node.
    let member = small.records.iter().find(|(at, _)| at.starts_with(&prefix)).unwrap().0.clone();
    let long = small.tree.prove(&member).unwrap();
    let above = long.steps.iter().position(|step| step.bits == bits).unwrap();
    let half = |below: &[u8]| small.tree.prove(below).unwrap();
    let mut child = half(&member);
    child.steps = long.steps[above..].to_vec();
    forged("a child for its parent", &["SP-24"], "state-path", &count, &child);
    let present = small
        .parties
        .iter()
        .find(|party| small.tree.get(StateKey::endorsement(&version, party).as_bytes()).is_some())
        .unwrap();
    let missing = small
        .parties
        .iter()
        .find(|party| small.tree.get(StateKey::endorsement(&version, party).as_bytes()).is_none())
        .unwrap();
    let gone = Question::Absent { version, party: *present };
    forged("a forged neighbour: the version's node as absence", &["SP-24"], "state-path", &gone, &whole);
    let next = small
        .parties
        .iter()
        .find(|party| {
            *party != present && small.tree.get(StateKey::endorsement(&version, party).as_bytes()).is_some()
        })
        .unwrap();
    let beside = small.tree.prove(StateKey::endorsement(&version, next).as_bytes()).unwrap();
    forged("a forged neighbour: another endorsement as absence", &["SP-24"], "state-path", &gone, &beside);
    let other = Question::Absent { version: small.versions[1], party: *present };
    let empty = small.tree.prove(other.keys()[0].as_bytes()).unwrap();
    forged("the absence from another version", &["SP-24"], "state-path", &gone, &empty);
    let nothing = SubtreeProof { terminal: Terminal::Nothing, steps: vec![] };
    forged("an empty tree", &["SP-24"], "state-path", &gone, &nothing);
    let there = Question::Status { version, party: *missing };
    forged("the record of a neighbour as status", &["SP-24"], "state-path", &there, &beside);

    // Roots over records that no law would make.
    let mut bent = |about: &str, key: &StateKey, question: &Question, change: &dyn Fn(&mut Record)| {
        let mut records = small.records.clone();
        change(&mut records.iter_mut().find(|(at, _)| at == key.as_bytes()).unwrap().1);
        let mut tree = tree_of(&records);
        let sealed = Sealed::new(story, tree.root().unwrap());
        case(about, &["SP-29"], "state-contradiction", sealed.file(question, &paths_of(&tree, question)));
    };
    let stands = small.parties.iter().find(|party| {
        let record = small.tree.get(StateKey::endorsement(&version, party).as_bytes());
        matches!(record, Some(Record::Endorsement(record)) if record.status == Status::Active)
    });
    let party = *stands.unwrap();
    let question = Question::Status { version, party };
    let (own, of_party, of_version) =
        (StateKey::endorsement(&version, &party), StateKey::party(&party), StateKey::version(&version));
    let newer = small.sealed.index as u64 + 1;
    let on = |change: fn(&mut EndorsementRecord, u64)| {
        move |record: &mut Record| {
            if let Record::Endorsement(record) = record {
                change(record, newer);
            }
        }
    };
    bent("an endorsement of tomorrow", &own, &question, &on(|record, newer| record.entry = newer));
    bent("an endorsement that began after its head", &own, &question, &on(|record, _| record.first = 5));
    bent("an endorsement after its head", &own, &question, &on(|record, _| record.endorsed = Some(5)));
    bent(
        "an endorsement before the version",
        &own,
        &question,
        &on(|record, _| (record.endorsed, record.first) = (Some(1), 1)),
    );
    bent(
        "an endorsement at another level",
        &own,
        &question,
        &on(|record, _| record.level = (record.level + 1) % 5),
    );
    bent("a party of tomorrow", &of_party, &question, &|record| {
        if let Record::Party(record) = record {
            record.entry = newer;
        }
    });
    bent("a version of tomorrow", &of_version, &count, &|record| {
        if let Record::Version(record) = record {
            record.entry = newer;
        }
    });
    cases
}

/// The recipe of a state of 1,000 parties, its root, and the answers: made by anybody from these words.
pub(crate) fn large() -> serde_json::Value {
    let id = |what: &str, number: u64| sha256(&[what.as_bytes(), &number.to_be_bytes()]);
    let version = VersionId(id("version", 0));
    let party = |number: u64| PartyId(id("party", number));
    let mut tree: SumTree<Record> = SumTree::new();
    for number in 0..1_000 {
        let status = if number % 7 == 0 { Status::Withdrawn } else { Status::Active };
        let record = Record::Endorsement(endorsement(u8::try_from(number % 5).unwrap(), status));
        tree.insert(StateKey::endorsement(&version, &party(number)).as_bytes(), record).unwrap();
    }
    let root = tree.root().unwrap();
    let mut all = Vec::new();
    let mut largest = 0;
    for number in 0..2_000 {
        let key = StateKey::endorsement(&version, &party(number));
        let proof = tree.prove(key.as_bytes()).unwrap();
        let verified =
            undersigned_registry::state_tree::verify(&proof, key.as_bytes(), &root, Record::tally_of)
                .unwrap();
        let present = verified.answer != undersigned_registry::state_tree::Answer::Absent;
        assert_eq!(present, number < 1_000);
        let bytes = proof.encode();
        largest = largest.max(bytes.len());
        all.extend(bytes);
    }
    let counted = tree.prove(StateKey::endorsements_of(&version).as_bytes()).unwrap().encode();
    let record = undersigned_registry::state_tree::Record::encode(&Record::Endorsement(endorsement(
        1,
        Status::Active,
    )));
    serde_json::json!({
        "about": "1,000 random keys in few words: SHA-256 of a word and a number of 8 bytes, big endian, names version 0 \
            and parties 0 to 999; party n has an endorsement at level n mod 5, withdrawn where n mod 7 is 0; no other record",
        "rules": ["SP-33", "ST-13", "ST-25", "ST-26"],
        "record_of_party_1": String::from_utf8(record).unwrap(),
        "root": root.to_hex(),
        "tally": columns(&tree.tally().unwrap()).iter().map(|(column, count)| serde_json::json!([column, count])).collect::<Vec<_>>(),
        "count_path": undersigned_tlog::codec::hex_encode(&counted),
        "paths_sha256": sha256(&[&all]).to_hex(),
        "paths_about": "the encoded proofs for parties 0 to 999, present, then 1,000 to 1,999, absent, one after the other",
        "path_bytes_max": largest,
    })
}

#[test]
fn the_refused_are_refused() {
    let story = story();
    for case in refused(&story) {
        let found = check(&case.file, &case.policy, case.registry.as_ref());
        assert_eq!(found.err(), Some(case.code), "{}", case.about);
    }
    // SP-22: an entry of another registry.
    let question = Question::Count { version: story.of.1 };
    let file = story.log.state_proof(3, 3, &question);
    let other = RegistryId::new(ORIGIN, undersigned_registry::id::EventHash(sha256(&[b"other"]))).unwrap();
    assert_eq!(check(&file, &policy_text(None), Some(&other)).err(), Some("registry"));
    assert_eq!(check(&file, &policy_text(None), None).unwrap().registry, None);
    assert!(blob("x").names(b"x") && NEVER == u64::MAX);
}

/// SP-31: the root's next due second is told, whatever was asked.
#[test]
fn the_next_due_second_is_told() {
    #[derive(Clone)]
    struct Due(Record);
    impl undersigned_registry::state_tree::Record for Due {
        fn encode(&self) -> Vec<u8> {
            undersigned_registry::state_tree::Record::encode(&self.0)
        }
        fn tally(&self, key: &[u8]) -> Tally {
            let tally = undersigned_registry::state_tree::Record::tally(&self.0, key);
            if key[0] == 7 { tally.with_next_due(1_800_000_000) } else { tally }
        }
    }
    let story = story();
    let small = Small::new(&story, &[0, 2, 2], &[vec![Some(Status::Active), Some(Status::Active), None]]);
    let mut tree = SumTree::new();
    for (key, record) in &small.records {
        tree.insert(key, Due(record.clone())).unwrap();
    }
    let sealed = Sealed::new(&story, tree.root().unwrap());
    let version = VersionId(sha256(&[b"version that nobody endorsed"]));
    let question = Question::Count { version };
    let key = question.keys()[0];
    let file = sealed.file(&question, &[path_for(&key, &tree.prove(key.as_bytes()).unwrap())]);
    let verified = check(&file, &story.policy, None).unwrap();
    assert_eq!((verified.active(), verified.next_due), (0, Some(1_800_000_000)));
}
