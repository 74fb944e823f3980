//! RFC 6962, sections 2.1 to 2.1.2, word for word and recursive: the oracle. It hashes by itself.

use std::cell::RefCell;
use std::collections::HashMap;

use sha2::{Digest, Sha256};
use undersigned_tlog::hash::Hash;

pub(crate) type Raw = [u8; 32];

/// D[n], and every MTH computed so far.
pub(crate) struct Oracle {
    leaves: Vec<Raw>,
    memo: RefCell<HashMap<(usize, usize), Raw>>,
}

fn sha(parts: &[&[u8]]) -> Raw {
    let mut digest = Sha256::new();
    parts.iter().for_each(|part| digest.update(part));
    digest.finalize().into()
}

impl Oracle {
    pub(crate) fn new(entries: &[Vec<u8>]) -> Self {
        let leaves = entries.iter().map(|entry| sha(&[&[0], entry])).collect();
        Self { leaves, memo: RefCell::default() }
    }

    /// A log whose entry i is the decimal i.
    pub(crate) fn counting(size: usize) -> Self {
        Self::new(&(0..size).map(|index| index.to_string().into_bytes()).collect::<Vec<_>>())
    }

    pub(crate) fn leaves(&self) -> Vec<Hash> {
        self.leaves.iter().map(|leaf| Hash::from_bytes(*leaf)).collect()
    }

    pub(crate) fn leaf(&self, index: usize) -> Hash {
        Hash::from_bytes(self.leaves[index])
    }

    pub(crate) fn raw_leaves(&self) -> &[Raw] {
        &self.leaves
    }

    /// MTH(D[start:end])
    pub(crate) fn mth(&self, start: usize, end: usize) -> Raw {
        match end - start {
            0 => sha(&[]),
            1 => self.leaves[start],
            n => {
                if let Some(known) = self.memo.borrow().get(&(start, end)) {
                    return *known;
                }
                let k = split(n);
                let hash = sha(&[&[1], &self.mth(start, start + k), &self.mth(start + k, end)]);
                self.memo.borrow_mut().insert((start, end), hash);
                hash
            }
        }
    }

    pub(crate) fn root(&self, size: usize) -> Hash {
        Hash::from_bytes(self.mth(0, size))
    }

    /// PATH(m, D[0:n])
    pub(crate) fn path(&self, m: usize, n: usize) -> Vec<Hash> {
        self.path_in(m, 0, n).into_iter().map(Hash::from_bytes).collect()
    }

    fn path_in(&self, m: usize, start: usize, end: usize) -> Vec<Raw> {
        let n = end - start;
        if n == 1 {
            return Vec::new();
        }
        let k = split(n);
        if m < k {
            let mut path = self.path_in(m, start, start + k);
            path.push(self.mth(start + k, end));
            path
        } else {
            let mut path = self.path_in(m - k, start + k, end);
            path.push(self.mth(start, start + k));
            path
        }
    }

    /// PROOF(m, D[0:n]) for 0 < m < n
    pub(crate) fn proof(&self, m: usize, n: usize) -> Vec<Hash> {
        self.subproof(m, 0, n, true).into_iter().map(Hash::from_bytes).collect()
    }

    fn subproof(&self, m: usize, start: usize, end: usize, b: bool) -> Vec<Raw> {
        let n = end - start;
        if m == n {
            return if b { Vec::new() } else { vec![self.mth(start, end)] };
        }
        let k = split(n);
        if m <= k {
            let mut proof = self.subproof(m, start, start + k, b);
            proof.push(self.mth(start + k, end));
            proof
        } else {
            let mut proof = self.subproof(m - k, start + k, end, false);
            proof.push(self.mth(start, start + k));
            proof
        }
    }
}

/// "the largest power of two smaller than n"
fn split(n: usize) -> usize {
    let mut k = 1;
    while k * 2 < n {
        k *= 2;
    }
    k
}

/// A source of nodes straight from the definition.
impl undersigned_tlog::tree::Nodes for &Oracle {
    type Error = String;

    fn node(&mut self, level: u8, index: u64) -> Result<Hash, String> {
        let span = 1_usize.checked_shl(u32::from(level)).ok_or("level")?;
        let start = usize::try_from(index).unwrap().checked_mul(span).ok_or("index")?;
        let end = start.checked_add(span).filter(|end| *end <= self.leaves.len()).ok_or("outside")?;
        Ok(Hash::from_bytes(self.mth(start, end)))
    }
}
