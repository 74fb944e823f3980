//! The state root a second time: one recursive pass over sorted records, written from
//! `docs/spec/state-tree.md` (ST-10, ST-11, ST-12, ST-13) and sharing no code with the tree.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use undersigned_registry::json::{Value, parse};
use undersigned_registry::ledger::Ledger;
use undersigned_registry::record::Record;
use undersigned_registry::state_tree::Record as _;
use undersigned_tlog::hash::Hash;

pub(crate) type Counts = BTreeMap<u8, u64>;

/// Counts by column, and the next due second.
type Sum = (Counts, u64);

/// The tally of a record, read from its JSON and its namespace (rule RE-12).
fn tally(key: &[u8], record: &[u8]) -> Sum {
    if key[0] != 7 && key[0] != 8 {
        return (Counts::new(), u64::MAX);
    }
    let Ok(Value::Object(members)) = parse(record, 100_000) else { panic!("a record is an object") };
    let member = |name: &str| members.iter().find(|(found, _)| found == name).map(|(_, value)| value);
    let level = match member("level") {
        Some(Value::Integer(level)) => u8::try_from(*level).unwrap(),
        other => panic!("{other:?}"),
    };
    let status = match member("status") {
        Some(Value::Text(status)) => &**status,
        other => panic!("{other:?}"),
    };
    let due = match member("not_after") {
        Some(Value::Integer(last)) if status == "active" && key[0] == 7 => last + 1,
        _ => u64::MAX,
    };
    let counts = match (status, member("endorsed")) {
        ("active", _) => Counts::from([(level, 1)]),
        ("lapsed", _) => Counts::from([(6, 1)]),
        (_, Some(_)) => Counts::from([(5, 1)]),
        (_, None) => Counts::new(),
    };
    (counts, due)
}

fn add(left: &Sum, right: &Sum) -> Sum {
    let mut sum = left.0.clone();
    for (column, value) in &right.0 {
        *sum.entry(*column).or_insert(0) += value;
    }
    (sum, left.1.min(right.1))
}

fn encode((counts, due): &Sum) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(counts.len()).unwrap()];
    for (column, value) in counts {
        bytes.push(*column);
        bytes.extend(value.to_be_bytes());
    }
    bytes.extend(due.to_be_bytes());
    bytes
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}

/// Bit 0 is the highest of the first byte (ST-3).
fn bit(key: &[u8], position: usize) -> bool {
    key[position / 8] & (0x80 >> (position % 8)) != 0
}

fn subtree(records: &[(Vec<u8>, Vec<u8>)]) -> ([u8; 32], Sum) {
    let [(first, record)] = records else {
        let (first, last) = (&records[0].0, &records[records.len() - 1].0);
        let bits = (0..).find(|position| bit(first, *position) != bit(last, *position)).unwrap();
        let split = records.iter().position(|(key, _)| bit(key, bits)).unwrap();
        let (left, right) = (subtree(&records[..split]), subtree(&records[split..]));
        let mut prefix = first[..bits.div_ceil(8)].to_vec();
        if bits % 8 != 0 {
            *prefix.last_mut().unwrap() &= 0xff << (8 - bits % 8);
        }
        let length = u16::try_from(bits).unwrap().to_be_bytes();
        let (left_tally, right_tally) = (encode(&left.1), encode(&right.1));
        let node = hash(&[&[0x11], &length, &prefix, &left.0, &left_tally, &right.0, &right_tally]);
        return (node, add(&left.1, &right.1));
    };
    (hash(&[&[0x10], first, &hash(&[record])]), tally(first, record))
}

pub(crate) fn root(ledger: &Ledger) -> Hash {
    let records = records(ledger);
    if records.is_empty() {
        return Hash::from_bytes(hash(&[&[0x12]]));
    }
    Hash::from_bytes(subtree(&records).0)
}

pub(crate) fn records(ledger: &Ledger) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut all = all_records(ledger);
    all.sort();
    all
}

fn all_records(ledger: &Ledger) -> Vec<(Vec<u8>, Vec<u8>)> {
    let encode = |(key, record): (&[u8], &Record)| (key.to_vec(), record.encode());
    ledger.state().all().map(encode).collect()
}

/// The endorsements of a version, counted one by one.
pub(crate) fn count(ledger: &Ledger, version: &Hash) -> Counts {
    let mut prefix = vec![7];
    prefix.extend(version.as_bytes());
    all_records(ledger)
        .iter()
        .filter(|(key, _)| key.starts_with(&prefix))
        .fold((Counts::new(), u64::MAX), |sum, (key, record)| add(&sum, &tally(key, record)))
        .0
}
