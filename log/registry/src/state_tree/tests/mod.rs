//! Tests of the state tree at its boundary, against code that shares nothing with it but SHA-256.

extern crate std;

mod built;
mod forgeries;
mod histories;
mod mutations;
mod oracle;
mod questions;
mod vectors;

use alloc::vec::Vec;

use undersigned_tlog::hash::{Hash, sha256};

use super::*;

/// A record that says its own tally: the encoding of the tally, then anything.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Sample(Vec<u8>);

impl Sample {
    fn new(tally: &Tally, rest: &[u8]) -> Self {
        let mut bytes = Vec::new();
        tally.encode(&mut bytes);
        bytes.extend_from_slice(rest);
        Self(bytes)
    }
}

impl Record for Sample {
    fn encode(&self) -> Vec<u8> {
        self.0.clone()
    }

    fn tally(&self, key: &[u8]) -> Tally {
        tally_of(key, &self.0).expect("a sample begins with its tally")
    }
}

fn tally_of(_key: &[u8], mut record: &[u8]) -> Option<Tally> {
    Tally::decode(&mut record).ok()
}

/// The one call under test: bytes, question and root in, answer out.
fn check(proof: &[u8], question: &[u8], root: &Hash) -> Result<Verified, ProofError> {
    verify(&SubtreeProof::decode(proof)?, question, root, tally_of)
}

/// Numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(1);
        let hash = sha256(&[&self.0.to_be_bytes()]);
        u64::from_be_bytes(*hash.as_bytes().first_chunk().expect("32 bytes"))
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).expect("small")).expect("small")
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    fn id(&mut self) -> [u8; 32] {
        *sha256(&[&self.next().to_be_bytes()]).as_bytes()
    }

    /// A key of the registry's layout: mixed namespaces and widths, few versions, and now and then a neighbour that
    /// differs from a former key in the last bit only.
    fn key(&mut self, former: &[Vec<u8>]) -> Vec<u8> {
        if !former.is_empty() && self.below(5) == 0 {
            let mut key = former[self.below(former.len())].clone();
            if key.len() > 1 {
                *key.last_mut().expect("not empty") ^= 1;
            }
            return key;
        }
        let namespace = [0, 1, 2, 4, 5, 6, 7, 7, 7, 7, 8, 8][self.below(12)];
        let shared = sha256(&[b"shared", &[u8::try_from(self.below(3)).expect("small")]]);
        let mut key = Vec::from([namespace]);
        match namespace {
            0 => {}
            7 | 8 => {
                key.extend_from_slice(shared.as_bytes());
                key.extend_from_slice(&self.id());
            }
            _ => key.extend_from_slice(&self.id()),
        }
        key
    }

    fn record(&mut self) -> Sample {
        let column = u8::try_from(self.below(6)).expect("small");
        let value = [0, 1, 1, 1, 3, 1 << 33][self.below(6)];
        let due = if self.below(4) == 0 { 1_790_000_000 + self.next() % 1_000_000 } else { NEVER };
        Sample::new(&Tally::column(column, value).with_next_due(due), &self.next().to_be_bytes())
    }

    /// A hashed tree of `size` records.
    fn tree(&mut self, size: usize) -> (SumTree<Sample>, Vec<Vec<u8>>) {
        let (mut tree, mut keys) = (SumTree::new(), Vec::new());
        while keys.len() < size {
            let key = self.key(&keys);
            let record = self.record();
            if tree.insert(&key, record).expect("fixed widths are prefix-free").is_none() {
                keys.push(key);
            }
        }
        tree.root().expect("small sums");
        keys.sort();
        (tree, keys)
    }
}
