//! Proofs of several leaves: against `rs_merkle`, against single proofs, against forgeries and mutations.

use proptest::prelude::*;
use rs_merkle::utils::indices::proof_indices_by_layers;
use rs_merkle::{MerkleProof, MerkleTree};
use undersigned_tlog::hash::{Hash, empty_root};
use undersigned_tlog::tree::{
    LeafIndex, MULTI_LEAVES_MAX, MultiProofError, ProveError, TreeSize, inclusion_proof, subtree_root,
    verify_inclusion, verify_multi_inclusion,
};

use crate::rfc6962::{Oracle, Raw};
use crate::tree::{Rfc6962, index, size, spoiled};

/// The leaves at some places of the oracle's log.
pub(crate) fn leaves(oracle: &Oracle, places: &[usize]) -> Vec<(LeafIndex, Hash)> {
    places.iter().map(|place| (index(*place), oracle.leaf(*place))).collect()
}

/// MP-12: the layout of `rs_merkle`, filled with nodes of the log, as the service does it.
pub(crate) fn built(oracle: &Oracle, places: &[usize], count: usize) -> Vec<Hash> {
    let layers = proof_indices_by_layers(places, count);
    let nodes = layers
        .into_iter()
        .zip(0_u8..)
        .flat_map(|(layer, level)| layer.into_iter().map(move |node| (level, u64::try_from(node).unwrap())));
    nodes.map(|(level, node)| subtree_root(level, node, size(count), &mut &*oracle).unwrap()).collect()
}

/// The one call under test.
fn check(
    leaves: &[(LeafIndex, Hash)],
    count: usize,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), MultiProofError> {
    verify_multi_inclusion(leaves, size(count), proof, root)
}

fn agrees(oracle: &Oracle, tree: &MerkleTree<Rfc6962>, places: &[usize], count: usize) {
    let proof = built(oracle, places, count);
    let theirs = tree.proof(places);
    let raw: Vec<Raw> = proof.iter().map(|hash| *hash.as_bytes()).collect();
    assert_eq!(theirs.proof_hashes(), raw, "{places:?} of {count}");
    let (root, known) = (oracle.root(count), leaves(oracle, places));
    check(&known, count, &proof, &root).unwrap_or_else(|error| panic!("{places:?} of {count}: {error}"));
    let hashes: Vec<Raw> = places.iter().map(|place| oracle.raw_leaves()[*place]).collect();
    assert!(theirs.verify(*root.as_bytes(), places, &hashes, count));
}

/// MP-10, MP-11, MP-12, MP-23, MP-24: all sizes to 70 with all subsets of one and two, and all subsets to 10.
#[test]
fn every_small_subset_is_proved_as_rs_merkle_lays_it_out() {
    let oracle = Oracle::counting(70);
    for count in 1..=70 {
        let tree = MerkleTree::<Rfc6962>::from_leaves(&oracle.raw_leaves()[..count]);
        for first in 0..count {
            agrees(&oracle, &tree, &[first], count);
            let single = inclusion_proof(index(first), size(count), &mut &oracle).unwrap();
            assert_eq!(built(&oracle, &[first], count), single, "one leaf: the audit path of RFC 6962");
            verify_inclusion(&oracle.leaf(first), index(first), size(count), &single, &oracle.root(count))
                .unwrap();
            (first + 1..count).for_each(|second| agrees(&oracle, &tree, &[first, second], count));
        }
        agrees(&oracle, &tree, &(0..count).collect::<Vec<_>>(), count);
        if count <= 10 {
            for set in 1_usize..1 << count {
                let places: Vec<usize> = (0..count).filter(|place| set >> place & 1 == 1).collect();
                agrees(&oracle, &tree, &places, count);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Random subsets of larger trees; each leaf of them is proved by its own audit path too.
    #[test]
    fn random_subsets_are_proved(
        count in 1_usize..1_500,
        chosen in proptest::collection::btree_set(0_usize..1_500, 1..80),
    ) {
        let oracle = Oracle::counting(count);
        let places: Vec<usize> = chosen.into_iter().filter(|place| *place < count).collect();
        prop_assume!(!places.is_empty());
        let tree = MerkleTree::<Rfc6962>::from_leaves(oracle.raw_leaves());
        agrees(&oracle, &tree, &places, count);
        for place in places {
            let path = oracle.path(place, count);
            let (leaf, root) = (oracle.leaf(place), oracle.root(count));
            prop_assert!(verify_inclusion(&leaf, index(place), size(count), &path, &root).is_ok());
        }
    }

    /// Whatever list of hashes comes, ours accepts no more than the honest one.
    #[test]
    fn spoiled_proofs_are_refused(
        count in 1_usize..60,
        chosen in proptest::collection::btree_set(0_usize..60, 1..12),
        bit in 0_u8..8,
    ) {
        let oracle = Oracle::counting(count);
        let places: Vec<usize> = chosen.into_iter().filter(|place| *place < count).collect();
        prop_assume!(!places.is_empty());
        let (proof, root) = (built(&oracle, &places, count), oracle.root(count));
        let known = leaves(&oracle, &places);
        for wrong in spoiled(&proof) {
            prop_assert!(check(&known, count, &wrong, &root).is_err());
        }
        for position in 0..known.len() {
            let mut changed = known.clone();
            let mut raw = *changed[position].1.as_bytes();
            raw[position % 32] ^= 1 << bit;
            changed[position].1 = Hash::from_bytes(raw);
            prop_assert_eq!(check(&changed, count, &proof, &root), Err(MultiProofError::Root));
            for other in (0..count + 2).filter(|other| *other != places[position]) {
                let mut moved = known.clone();
                moved[position].0 = index(other);
                prop_assert!(check(&moved, count, &proof, &root).is_err(), "leaf {} as {other}", places[position]);
            }
            let mut fewer = known.clone();
            let taken = fewer.remove(position);
            prop_assert!(check(&fewer, count, &proof, &root).is_err());
            let mut twice = known.clone();
            twice.insert(position, taken);
            prop_assert_eq!(
                check(&twice, count, &proof, &root),
                Err(MultiProofError::Order { index: taken.0 })
            );
            if position > 0 {
                let mut swapped = known.clone();
                swapped.swap(position, position - 1);
                prop_assert!(check(&swapped, count, &proof, &root).is_err());
            }
        }
    }
}

/// MP-21 to MP-23: three files that `rs_merkle` 1.5.0 accepts. In each, the last leaf or hash is made up.
#[test]
fn the_forgeries_are_refused() {
    let oracle = Oracle::counting(3);
    let root = oracle.root(3);
    let fake = Hash::from_bytes([0xFA; 32]);
    let theirs = |proof: &[Hash], leaves: &[(LeafIndex, Hash)]| {
        let proof = MerkleProof::<Rfc6962>::new(proof.iter().map(|hash| *hash.as_bytes()).collect());
        let places: Vec<usize> =
            leaves.iter().map(|(index, _)| usize::try_from(index.get()).unwrap()).collect();
        let hashes: Vec<Raw> = leaves.iter().map(|(_, hash)| *hash.as_bytes()).collect();
        proof.verify(*root.as_bytes(), &places, &hashes, 3)
    };
    for (name, known, proof, expected) in forgeries(&oracle, fake) {
        assert!(theirs(&proof, &known), "{name}: the reason why nobody but we checks proofs");
        assert_eq!(check(&known, 3, &proof, &root), Err(expected), "{name}");
    }
}

pub(crate) type Forgery = (&'static str, Vec<(LeafIndex, Hash)>, Vec<Hash>, MultiProofError);

/// In the tree of three: the same index twice, an index past the end, a hash too many.
pub(crate) fn forgeries(oracle: &Oracle, fake: Hash) -> Vec<Forgery> {
    let leaf = |place| oracle.leaf(place);
    vec![
        (
            "the same index twice, the second time with another leaf",
            vec![(index(0), leaf(0)), (index(1), leaf(1)), (index(1), fake)],
            vec![leaf(2)],
            MultiProofError::Order { index: index(1) },
        ),
        (
            "an index past the end",
            vec![(index(0), leaf(0)), (index(4), fake)],
            vec![leaf(1), fake, leaf(2), fake],
            MultiProofError::IndexOutsideTree { index: index(4), size: size(3) },
        ),
        (
            "a hash that nobody reads",
            vec![(index(0), leaf(0)), (index(1), leaf(1))],
            vec![leaf(2), fake],
            MultiProofError::Length { expected: 1, found: 2 },
        ),
    ]
}

/// MP-3, MP-22: no leaf, too many, and the edges of the tree.
#[test]
fn counts_and_edges() {
    let oracle = Oracle::counting(1_100);
    let root = oracle.root(1_100);
    assert_eq!(check(&[], 1_100, &[], &root), Err(MultiProofError::LeafCount { found: 0 }));
    let most: Vec<usize> = (0..MULTI_LEAVES_MAX).collect();
    assert_eq!(check(&leaves(&oracle, &most), 1_100, &built(&oracle, &most, 1_100), &root), Ok(()));
    let more: Vec<usize> = (0..=MULTI_LEAVES_MAX).collect();
    let refused = check(&leaves(&oracle, &more), 1_100, &built(&oracle, &more, 1_100), &root);
    assert_eq!(refused, Err(MultiProofError::LeafCount { found: 1_025 }));
    let far = [(LeafIndex::new(u64::MAX), empty_root())];
    let largest = TreeSize::new(u64::MAX);
    assert!(matches!(
        verify_multi_inclusion(&far, largest, &[], &root),
        Err(MultiProofError::IndexOutsideTree { .. })
    ));
    let near = [(LeafIndex::new(u64::MAX - 1), empty_root())];
    let refused = verify_multi_inclusion(&near, largest, &[], &root);
    assert!(matches!(refused, Err(MultiProofError::Length { found: 0, .. })));
    let nothing = verify_multi_inclusion(&near[..], TreeSize::EMPTY, &[], &empty_root());
    assert!(matches!(nothing, Err(MultiProofError::IndexOutsideTree { .. })));
}

#[test]
fn no_node_outside_the_tree_has_a_hash() {
    let oracle = Oracle::counting(6);
    assert_eq!(subtree_root(1, 2, size(6), &mut &oracle), Ok(Hash::from_bytes(oracle.mth(4, 6))));
    assert_eq!(subtree_root(2, 1, size(6), &mut &oracle), Ok(Hash::from_bytes(oracle.mth(4, 6))));
    assert_eq!(subtree_root(0, 5, size(6), &mut &oracle), Ok(oracle.leaf(5)));
    for (level, node) in [(0, 6), (1, 3), (3, 1), (63, 2), (64, 0), (255, u64::MAX)] {
        let refused = subtree_root(level, node, size(6), &mut &oracle);
        assert!(matches!(refused, Err(ProveError::IndexOutsideTree { .. })), "{level} {node}");
    }
}
