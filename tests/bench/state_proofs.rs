//! How large state proofs are and how long they take, at a million endorsements of one statement.
//!
//! `state-proofs [PARTIES [SAMPLES [COLUMNS]]]`: a state of PARTIES parties (1,000,000), each with its record, one
//! endorsement and its by-party record; SAMPLES questions of each kind (1,000); COLUMNS 1 (all endorsements stand
//! at level 0) or 6 (all levels, and some withdrawn, so that tallies are as long as they get). It prints sizes,
//! times, and times in strict signature checks of one core in the same run, beside the figures aimed at.
//! Nothing here fails for being slow: it is for a quiet machine, and no test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a program for measuring: a broken state ends it"
)]

use std::time::{Duration, Instant};

use ed25519_dalek::{Signer as _, SigningKey};
use undersigned_registry::event::{Admission, BlobRef, Name, Policy};
use undersigned_registry::id::{EventHash, KeyId, PartyId, VersionId};
use undersigned_registry::record::{
    EndorsementRecord, PartyRecord, Record, RegistryRecord, StateKey, Status,
};
use undersigned_registry::state_tree::{Answer, SubtreeProof, SumTree, verify};
use undersigned_tlog::hash::{Hash, sha256};

/// Endorsements of one batch, each with a root of its own.
const BATCH: u64 = 256;
const BATCHES: u64 = 20;
const SIGNATURES: u32 = 2_000;

fn hash(what: &str, number: u64) -> Hash {
    sha256(&[what.as_bytes(), &number.to_be_bytes()])
}

fn party_id(number: u64) -> PartyId {
    PartyId(hash("party", number))
}

fn party(number: u64, level: u8) -> Record {
    Record::Party(Box::new(PartyRecord {
        domain: Some(format!("org-{number}.example")),
        entry: number,
        event: EventHash(hash("party", number)),
        first: number,
        keys: vec![KeyId(hash("key", number))],
        level,
        names: vec![Name { language: "en".to_owned(), text: BlobRef::of(&number.to_be_bytes()) }],
    }))
}

fn endorsement(number: u64, level: u8, status: Status) -> Record {
    Record::Endorsement(EndorsementRecord {
        endorsed: Some(number),
        entry: number,
        event: EventHash(hash("endorse", number)),
        first: number,
        language: Some("en".to_owned()),
        level,
        not_after: None,
        status,
    })
}

fn registry(received: u64) -> Record {
    Record::Registry(Box::new(RegistryRecord {
        entry: 0,
        event: EventHash(hash("registry", 0)),
        operator: party_id(0),
        origin: "registry.example/log".to_owned(),
        policy: Policy { admission: Admission::Open, log_window: 604_800, max_lag: 3_600, v: 1 },
        received,
    }))
}

/// What the law writes for an endorsement: both records of it, and the registry's clock.
fn endorse(tree: &mut SumTree<Record>, version: &VersionId, number: u64, record: &Record) {
    let party = party_id(number);
    let mut put = |key: StateKey, record: Record| drop(tree.insert(key.as_bytes(), record).unwrap());
    put(StateKey::endorsement(version, &party), record.clone());
    put(StateKey::by_party(&party, version), record.clone());
    put(StateKey::registry(), registry(1_790_000_000 + number));
}

/// Times in order, for the median and the tail.
struct Times(Vec<Duration>);

impl Times {
    fn at(&self, per_cent: usize) -> Duration {
        self.0[(self.0.len() - 1) * per_cent / 100]
    }

    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }
}

struct Kind {
    name: &'static str,
    bytes_aim: usize,
    questions: Vec<StateKey>,
    is_present: bool,
}

fn measure(tree: &SumTree<Record>, root: &Hash, kind: &Kind, signature: Duration) {
    let (mut made, mut checked, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
    for question in &kind.questions {
        let begin = Instant::now();
        let proof = tree.prove(question.as_bytes()).unwrap().encode();
        made.push(begin.elapsed());
        let begin = Instant::now();
        let decoded = SubtreeProof::decode(&proof).unwrap();
        let verified = verify(&decoded, question.as_bytes(), root, Record::tally_of).unwrap();
        checked.push(begin.elapsed());
        assert_eq!(verified.answer != Answer::Absent, kind.is_present);
        bytes.push(proof.len());
    }
    bytes.sort_unstable();
    let largest = *bytes.last().unwrap();
    let (made, checked) = (Times::of(made), Times::of(checked));
    let ratio = |time: Duration| time.as_secs_f64() / signature.as_secs_f64();
    println!(
        "{:8} {} to {largest} bytes (aim {}); made in {:?}, 99 of 100 in {:?} (aim 5 ms), {:.2} signature checks; verified in {:?}, 99 of 100 in {:?} (aim 1 ms), {:.2} signature checks",
        kind.name,
        bytes[0],
        kind.bytes_aim,
        made.at(50),
        made.at(99),
        ratio(made.at(50)),
        checked.at(50),
        checked.at(99),
        ratio(checked.at(50)),
    );
}

/// One strict signature check under a decoded key, the unit of this machine.
fn signature_check() -> Duration {
    let key = SigningKey::from_bytes(hash("key", 0).as_bytes());
    let message = [7_u8; 450];
    let (signature, decoded) = (key.sign(&message), key.verifying_key());
    let begin = Instant::now();
    for _ in 0..SIGNATURES {
        assert!(decoded.verify_strict(&message, &signature).is_ok());
    }
    begin.elapsed() / SIGNATURES
}

fn main() {
    let argument = |place: usize, default: u64| {
        std::env::args().nth(place).map_or(default, |text| text.parse().expect("a number"))
    };
    let (parties, samples, columns) = (argument(1, 1_000_000), argument(2, 1_000), argument(3, 1));
    let version = VersionId(hash("version", 0));
    let level = |number: u64| if columns == 1 { 0 } else { u8::try_from(number % 5).unwrap() };
    let status = |number: u64| {
        if columns > 1 && number.is_multiple_of(7) { Status::Withdrawn } else { Status::Active }
    };
    let signature = signature_check();
    println!("one strict signature check: {signature:?}");

    let begin = Instant::now();
    let mut tree = SumTree::new();
    for number in 0..parties {
        tree.insert(StateKey::party(&party_id(number)).as_bytes(), party(number, level(number))).unwrap();
        endorse(&mut tree, &version, number, &endorsement(number, level(number), status(number)));
    }
    let root = tree.root().unwrap();
    println!("{} records of {parties} parties in {:?}", tree.len(), begin.elapsed());

    let spread = |number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % parties;
    let of = |number: u64| StateKey::endorsement(&version, &party_id(number));
    let count = StateKey::endorsements_of(&version);
    for kind in [
        Kind {
            name: "count",
            bytes_aim: 2_000,
            questions: (0..samples).map(|_| count).collect(),
            is_present: true,
        },
        Kind {
            name: "status",
            bytes_aim: 2_000,
            questions: (0..samples).map(|number| of(spread(number))).collect(),
            is_present: true,
        },
        Kind {
            name: "absence",
            bytes_aim: 2_500,
            questions: (0..samples).map(|number| of(parties + number)).collect(),
            is_present: false,
        },
    ] {
        measure(&tree, &root, &kind, signature);
    }

    // New parties endorse; each has a root of its own, as each entry of a batch has.
    let mut times = Vec::new();
    for batch in 0..BATCHES {
        let numbers = (0..BATCH).map(|place| parties + batch * BATCH + place);
        let records: Vec<(u64, Record)> =
            numbers.map(|number| (number, endorsement(number, level(number), Status::Active))).collect();
        let begin = Instant::now();
        for (number, record) in &records {
            endorse(&mut tree, &version, *number, record);
            tree.root().unwrap();
        }
        times.push(begin.elapsed());
    }
    let times = Times::of(times);
    println!(
        "{BATCH} endorsements, each with its root: {:?}, slowest of {BATCHES} {:?} (aim 15 ms), {:.1} signature checks",
        times.at(50),
        times.at(100),
        times.at(50).as_secs_f64() / signature.as_secs_f64(),
    );
}
