//! The state tree a second time: one pass over sorted records, recursive, slow, with its own sums and encoding.

extern crate std;

use alloc::vec;
use alloc::vec::Vec;
use std::collections::BTreeMap;

use super::{Sample, SumTree, Tally};
use undersigned_tlog::hash::{Hash, sha256};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sums {
    counts: BTreeMap<u8, u64>,
    next_due: u64,
}

impl Sums {
    pub(super) const NONE: Self = Self { counts: BTreeMap::new(), next_due: u64::MAX };

    /// Reads a sample's own words; checks nothing.
    fn of_record(record: &[u8]) -> Self {
        let number = |at: usize| u64::from_be_bytes(record[at..at + 8].try_into().expect("8 bytes"));
        let length = usize::from(record[0]);
        let counts = (0..length).map(|i| (record[1 + 9 * i], number(2 + 9 * i))).collect();
        Self { counts, next_due: number(1 + 9 * length) }
    }

    fn add(&self, other: &Self) -> Self {
        let mut sum = self.clone();
        for (column, value) in &other.counts {
            *sum.counts.entry(*column).or_insert(0) += value;
        }
        sum.next_due = sum.next_due.min(other.next_due);
        sum
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![u8::try_from(self.counts.len()).expect("few columns")];
        for (column, value) in &self.counts {
            bytes.push(*column);
            bytes.extend(value.to_be_bytes());
        }
        bytes.extend(self.next_due.to_be_bytes());
        bytes
    }

    pub(super) fn is(&self, tally: &Tally) -> bool {
        let mut encoded = Vec::new();
        tally.encode(&mut encoded);
        encoded == self.bytes()
    }
}

pub(super) type Sorted = BTreeMap<Vec<u8>, Vec<u8>>;

/// The records of a tree, through its iterator.
pub(super) fn records(tree: &SumTree<Sample>) -> Sorted {
    tree.iter(&[]).map(|(key, record)| (key.to_vec(), record.0.clone())).collect()
}

pub(super) fn root(records: &Sorted) -> Hash {
    if records.is_empty() {
        return sha256(&[&[0x12]]);
    }
    subtree(&records.iter().map(|(key, record)| (key.as_slice(), record.as_slice())).collect::<Vec<_>>()).0
}

fn is_set(key: &[u8], bit: usize) -> bool {
    key[bit / 8] & (0x80 >> (bit % 8)) != 0
}

fn subtree(records: &[(&[u8], &[u8])]) -> (Hash, Sums) {
    if let [(key, record)] = records {
        return (sha256(&[&[0x10], key, sha256(&[record]).as_bytes()]), Sums::of_record(record));
    }
    let (first, last) = (records[0].0, records[records.len() - 1].0);
    let bits = (0..).find(|bit| is_set(first, *bit) != is_set(last, *bit)).expect("keys differ");
    let middle = records.partition_point(|(key, _)| !is_set(key, bits));
    let ((left, left_sums), (right, right_sums)) = (subtree(&records[..middle]), subtree(&records[middle..]));
    let mut prefix: Vec<u8> = first[..bits.div_ceil(8)].to_vec();
    if bits % 8 != 0 {
        let unused = 8 - bits % 8;
        let byte = prefix.pop().expect("not empty");
        prefix.push(byte >> unused << unused);
    }
    let length = u16::try_from(bits).expect("short keys").to_be_bytes();
    let (left_bytes, right_bytes) = (left_sums.bytes(), right_sums.bytes());
    let hash =
        sha256(&[&[0x11], &length, &prefix, left.as_bytes(), &left_bytes, right.as_bytes(), &right_bytes]);
    (hash, left_sums.add(&right_sums))
}

/// For every byte prefix of every key, the empty one included: how many records begin with it, and their sum.
pub(super) fn by_prefix(records: &Sorted) -> BTreeMap<Vec<u8>, (usize, Sums)> {
    let mut all = BTreeMap::new();
    for (key, record) in records {
        for length in 0..=key.len() {
            let (count, sums) = all.entry(key[..length].to_vec()).or_insert((0, Sums::NONE));
            *count += 1;
            *sums = sums.add(&Sums::of_record(record));
        }
    }
    all
}
