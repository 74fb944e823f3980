//! Roots and proofs against the RFC's definitions and `rs_merkle`; every mutation of a proof is refused.

use rs_merkle::{Hasher, MerkleTree};
use undersigned_tlog::hash::{Hash, empty_root, node_hash, sha256};
use undersigned_tlog::tree::{
    LeafIndex, ProofError, ProveError, TreeSize, consistency_proof, inclusion_proof, root,
    root_from_inclusion, verify_consistency, verify_inclusion,
};

use crate::rfc6962::{Oracle, Raw};

/// RFC 6962 in the terms of `rs_merkle` (its own hasher has no prefixes).
#[derive(Clone)]
pub(crate) struct Rfc6962;

impl Hasher for Rfc6962 {
    type Hash = Raw;

    fn hash(data: &[u8]) -> Raw {
        *sha256(&[&[0], data]).as_bytes()
    }

    fn concat_and_hash(left: &Raw, right: Option<&Raw>) -> Raw {
        right.map_or(*left, |right| *sha256(&[&[1], left, right]).as_bytes())
    }
}

pub(crate) fn size(count: usize) -> TreeSize {
    TreeSize::new(u64::try_from(count).unwrap())
}

pub(crate) fn index(position: usize) -> LeafIndex {
    LeafIndex::new(u64::try_from(position).unwrap())
}

#[test]
fn roots_are_those_of_the_definition_and_of_rs_merkle() {
    let oracle = Oracle::counting(300);
    assert_eq!(root(TreeSize::EMPTY, &mut &oracle), Ok(empty_root()));
    for n in 1..=300 {
        let ours = root(size(n), &mut &oracle).unwrap();
        assert_eq!(ours, oracle.root(n), "size {n}");
        let theirs = MerkleTree::<Rfc6962>::from_leaves(&oracle.raw_leaves()[..n]).root();
        assert_eq!(Some(*ours.as_bytes()), theirs, "size {n}");
    }
}

#[test]
fn every_inclusion_proof_is_that_of_the_definition_and_of_rs_merkle_and_verifies() {
    let oracle = Oracle::counting(300);
    for n in 1..=300 {
        let tree = MerkleTree::<Rfc6962>::from_leaves(&oracle.raw_leaves()[..n]);
        for m in 0..n {
            let proof = inclusion_proof(index(m), size(n), &mut &oracle).unwrap();
            assert_eq!(proof, oracle.path(m, n), "leaf {m} of {n}");
            let theirs: Vec<_> =
                tree.proof(&[m]).proof_hashes().iter().copied().map(Hash::from_bytes).collect();
            assert_eq!(proof, theirs, "leaf {m} of {n}");
            verify_inclusion(&oracle.leaf(m), index(m), size(n), &proof, &oracle.root(n)).unwrap();
        }
    }
}

#[test]
fn every_consistency_proof_is_that_of_the_definition_and_verifies() {
    let oracle = Oracle::counting(130);
    for n in 1..=130 {
        for m in 1..=n {
            let proof = consistency_proof(size(m), size(n), &mut &oracle).unwrap();
            assert_eq!(proof, oracle.proof(m, n), "{m} to {n}");
            verify_consistency(size(m), size(n), &oracle.root(m), &oracle.root(n), &proof).unwrap();
        }
    }
}

/// All ways to spoil one list of hashes: a flipped bit in each byte, a hash left out, doubled, added
/// at either end, two neighbours swapped.
pub(crate) fn spoiled(proof: &[Hash]) -> Vec<Vec<Hash>> {
    let mut all = Vec::new();
    for position in 0..proof.len() {
        for byte in 0..32 {
            let mut raw = *proof[position].as_bytes();
            raw[byte] ^= 1 << (byte % 8);
            let mut flipped = proof.to_vec();
            flipped[position] = Hash::from_bytes(raw);
            all.push(flipped);
        }
        let mut shorter = proof.to_vec();
        let taken = shorter.remove(position);
        all.push(shorter);
        let mut doubled = proof.to_vec();
        doubled.insert(position, taken);
        all.push(doubled);
        if position > 0 && proof[position] != proof[position - 1] {
            let mut swapped = proof.to_vec();
            swapped.swap(position, position - 1);
            all.push(swapped);
        }
    }
    for extra in [empty_root(), proof.first().copied().unwrap_or_else(empty_root)] {
        all.push([&[extra], proof].concat());
        all.push([proof, &[extra]].concat());
    }
    all
}

#[test]
fn a_spoiled_inclusion_proof_is_refused() {
    let oracle = Oracle::counting(40);
    for n in 1..=40 {
        let root = oracle.root(n);
        for m in 0..n {
            let proof = oracle.path(m, n);
            let check = |leaf: &Hash, position, proof: &[Hash], root: &Hash| {
                verify_inclusion(leaf, index(position), size(n), proof, root)
            };
            let leaf = oracle.leaf(m);
            check(&leaf, m, &proof, &root).unwrap();
            for bad in spoiled(&proof) {
                assert!(check(&leaf, m, &bad, &root).is_err(), "leaf {m} of {n}");
            }
            for other in (0..n + 3).filter(|other| *other != m) {
                assert!(check(&leaf, other, &proof, &root).is_err(), "leaf {m} of {n} as {other}");
            }
            for byte in 0..32 {
                let mut raw = *leaf.as_bytes();
                raw[byte] ^= 0x10;
                let spoiled_leaf = check(&Hash::from_bytes(raw), m, &proof, &root);
                assert_eq!(spoiled_leaf, Err(ProofError::Root));
                let mut raw = *root.as_bytes();
                raw[byte] ^= 0x10;
                assert_eq!(check(&leaf, m, &proof, &Hash::from_bytes(raw)), Err(ProofError::Root));
            }
        }
    }
}

#[test]
fn a_spoiled_consistency_proof_is_refused() {
    let oracle = Oracle::counting(32);
    for n in 1..=32 {
        for m in 0..=n {
            let proof = consistency_proof(size(m), size(n), &mut &oracle).unwrap();
            let (old, new) = (oracle.root(m), oracle.root(n));
            let check = |old: &Hash, new: &Hash, proof: &[Hash]| {
                verify_consistency(size(m), size(n), old, new, proof)
            };
            check(&old, &new, &proof).unwrap();
            for bad in spoiled(&proof) {
                assert!(check(&old, &new, &bad).is_err(), "{m} to {n}");
            }
            let other = node_hash(&old, &new);
            assert!(check(&other, &new, &proof).is_err(), "{m} to {n}");
            // From nothing, everything follows: there the new root is bound by its signature alone.
            assert_eq!(check(&old, &other, &proof).is_err(), m > 0, "{m} to {n}");
        }
    }
}

#[test]
fn sizes_and_positions_outside_a_tree_are_refused() {
    let oracle = Oracle::counting(8);
    let zero = LeafIndex::new(0);
    let outside = ProofError::IndexOutsideTree { index: zero, size: TreeSize::EMPTY };
    assert_eq!(root_from_inclusion(&oracle.leaf(0), zero, TreeSize::EMPTY, &[]), Err(outside));
    let none = inclusion_proof(index(8), size(8), &mut &oracle);
    assert_eq!(none, Err(ProveError::IndexOutsideTree { index: index(8), size: size(8) }));
    let back = consistency_proof(size(5), size(4), &mut &oracle);
    assert_eq!(back, Err(ProveError::Shrinks { from: size(5), to: size(4) }));
    let back = verify_consistency(size(5), size(4), &oracle.root(5), &oracle.root(4), &[]);
    assert_eq!(back, Err(ProofError::Shrinks { from: size(5), to: size(4) }));
    let from_wrong_nothing = verify_consistency(size(0), size(4), &oracle.root(4), &oracle.root(4), &[]);
    assert_eq!(from_wrong_nothing, Err(ProofError::OldRoot));
    let both_wrong_nothing = verify_consistency(size(0), size(0), &oracle.root(4), &oracle.root(4), &[]);
    assert_eq!(both_wrong_nothing, Err(ProofError::OldRoot));
}

/// A tree of 2^64-1 leaves that are all alike: the largest sizes go through the same arithmetic.
#[test]
fn the_largest_trees_do_not_overflow() {
    struct Alike(Vec<Hash>);
    impl undersigned_tlog::tree::Nodes for Alike {
        type Error = String;
        fn node(&mut self, level: u8, index: u64) -> Result<Hash, String> {
            if index >= u64::MAX >> level {
                return Err(format!("node {index} of level {level}"));
            }
            self.0.get(usize::from(level)).copied().ok_or_else(|| "level".to_owned())
        }
    }
    let mut levels = vec![empty_root()];
    for level in 0..63 {
        levels.push(node_hash(&levels[level], &levels[level]));
    }
    let leaf = levels[0];
    let mut nodes = Alike(levels);
    let sizes = [u64::MAX, u64::MAX - 1, (1 << 63) + 1, 1 << 63, (1 << 63) - 1];
    for n in sizes.map(TreeSize::new) {
        let new = root(n, &mut nodes).unwrap();
        for m in [0, 1, (1 << 62) + 7, (1 << 63) - 1, 1 << 63, n.get() - 1].map(LeafIndex::new) {
            let proof = inclusion_proof(m, n, &mut nodes);
            if !n.contains(m) {
                assert!(proof.is_err() && verify_inclusion(&leaf, m, n, &[], &new).is_err());
                continue;
            }
            let proof = proof.unwrap();
            verify_inclusion(&leaf, m, n, &proof, &new).unwrap();
            let from = TreeSize::new(m.get());
            let old = root(from, &mut nodes).unwrap();
            let growth = consistency_proof(from, n, &mut nodes).unwrap();
            verify_consistency(from, n, &old, &new, &growth).unwrap();
            assert!(verify_consistency(from, n, &old, &new, &[growth, vec![leaf]].concat()).is_err());
        }
    }
}
