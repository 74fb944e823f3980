//! Round trips at random: whatever is written reads back, and whatever is read writes back.

use proptest::prelude::*;
use undersigned_tlog::checkpoint::{Checkpoint, Origin};
use undersigned_tlog::edge::Frontier;
use undersigned_tlog::hash::{Hash, leaf_hash};
use undersigned_tlog::note::{Note, VerifierKey};
use undersigned_tlog::policy::Policy;
use undersigned_tlog::proof::TlogProof;
use undersigned_tlog::tile::{Bundle, Tile, TileCoordinate, TilePath, Width, bundle_append};
use undersigned_tlog::tree::{LeafIndex, TreeSize, verify_consistency, verify_inclusion};
use undersigned_tlog::wire::AddCheckpoint;

use crate::known::note;
use crate::rfc6962::Oracle;

fn hashes(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Hash>> {
    prop::collection::vec(any::<[u8; 32]>().prop_map(Hash::from_bytes), count)
}

fn paths() -> impl Strategy<Value = TilePath> {
    let index = prop_oneof![0..1_u64 << 40, any::<u64>()];
    (0..=64_u8, index, 1..=256_u64).prop_map(|(level, index, width)| {
        let width = Width::new(width).unwrap();
        match TileCoordinate::new(level, index) {
            Some(coordinate) => TilePath::Hashes { coordinate, width },
            None => TilePath::Entries { index, width },
        }
    })
}

proptest! {
    #[test]
    fn a_path_reads_back(path in paths()) {
        prop_assert_eq!(TilePath::parse(&path.to_string()), Ok(path));
    }

    #[test]
    fn what_reads_as_a_path_is_its_name(text in "(tile/)?(0|[0-9]{1,2}|entries)/(x[0-9]{3}/){0,3}[0-9]{2,4}(\\.p/[0-9]{1,3})?") {
        if let Ok(path) = TilePath::parse(&text) {
            prop_assert_eq!(path.to_string(), text);
        }
    }

    /// No input stops a parser, and what it accepts it writes back byte for byte.
    #[test]
    fn accepted_bytes_are_written_back(mut bytes in prop::sample::select(documents()),
                                       position in any::<prop::sample::Index>(),
                                       insert in prop::collection::vec(any::<u8>(), 0..3)) {
        let at = position.index(bytes.len());
        let end = bytes.len().min(at + insert.len() % 2);
        bytes.splice(at..end, insert);
        if let Ok(note) = Note::parse(&bytes) {
            prop_assert_eq!(note.to_bytes(), bytes.clone());
        }
        if let Ok(proof) = TlogProof::parse(&bytes, 100_000) {
            prop_assert_eq!(proof.to_bytes(), bytes.clone());
        }
        if let Ok(request) = AddCheckpoint::parse(&bytes) {
            prop_assert_eq!(request.to_bytes(), bytes.clone());
        }
        if let Ok(tile) = Tile::from_bytes(&bytes) {
            prop_assert_eq!(tile.bytes(), &bytes[..]);
        }
        if let Ok(text) = str::from_utf8(&bytes) {
            if let Ok(checkpoint) = Checkpoint::parse_text(text) {
                prop_assert_eq!(checkpoint.text(), text);
            }
            if let Ok(key) = VerifierKey::parse(text) {
                prop_assert_eq!(key.to_string(), text);
            }
        }
        if let Ok(entries) = Bundle::parse(&bytes) {
            let mut written = Vec::new();
            for entry in entries {
                bundle_append(&mut written, entry).unwrap();
            }
            prop_assert_eq!(written, bytes.clone());
        }
        let _ = Policy::parse(&bytes);
    }

    #[test]
    fn proof_files_and_requests_read_back(extra in prop::option::of(prop::collection::vec(any::<u8>(), 1..50)),
                                          number in any::<u64>(), hashes in hashes(0..64),
                                          checkpoint in prop::collection::vec(any::<u8>(), 1..50)) {
        let proof = TlogProof::new(extra, LeafIndex::new(number), hashes.clone(), checkpoint.clone()).unwrap();
        prop_assert_eq!(TlogProof::parse(&proof.to_bytes(), 10_000), Ok(proof));
        let request = AddCheckpoint::new(TreeSize::new(number), hashes, checkpoint).unwrap();
        prop_assert_eq!(AddCheckpoint::parse(&request.to_bytes()), Ok(request));
    }

    #[test]
    fn checkpoints_read_back(origin in "[!-*,-~]{1,255}", size in 1..=u64::MAX, root in any::<[u8; 32]>()) {
        let origin = Origin::new(&origin).unwrap();
        let checkpoint = Checkpoint::new(origin, TreeSize::new(size), Hash::from_bytes(root)).unwrap();
        prop_assert_eq!(Checkpoint::parse_text(&checkpoint.text()), Ok(checkpoint));
    }

    /// Random proofs for random places prove nothing, and stop nothing.
    #[test]
    fn random_proofs_are_refused(index in any::<u64>(), size in any::<u64>(), hashes in hashes(0..70)) {
        let (leaf, root) = (leaf_hash(b"leaf"), leaf_hash(b"root"));
        let (index, size) = (LeafIndex::new(index), TreeSize::new(size));
        prop_assert!(verify_inclusion(&leaf, index, size, &hashes, &root).is_err());
        let from = TreeSize::new(index.get().max(1));
        prop_assert!(verify_consistency(from, size, &leaf, &root, &hashes).is_err());
    }

    #[test]
    fn batches_of_any_size_give_one_tree(batches in prop::collection::vec(0..700_usize, 1..8)) {
        let oracle = Oracle::counting(batches.iter().sum());
        let leaves = oracle.leaves();
        let mut frontier = Frontier::new();
        let mut at = 0;
        for batch in batches {
            frontier = frontier.append(&leaves[at..at + batch]).unwrap().frontier;
            at += batch;
            prop_assert_eq!(frontier.root(), oracle.root(at));
        }
    }
}

/// One good document of each kind, for the mutations above.
fn documents() -> Vec<Vec<u8>> {
    let hash = "J0ebarMh0u5HdFL2i6UndI6GPK/o+9HfK/idFXDRtpc=";
    let key = crate::known::LOG_KEY;
    let witness = crate::known::WITNESS_KEY;
    vec![
        note().into_bytes(),
        crate::known::CHECKPOINT.into(),
        key.into(),
        format!("c2sp.org/tlog-proof@v1\nextra AAE=\nindex 2\n{hash}\n\n{}", note()).into_bytes(),
        format!("old 3\n{hash}\n{hash}\n\n{}", note()).into_bytes(),
        format!(
            "# registry a#{}\nlog {key} https://a\nwitness w {witness}\ngroup g any w\nquorum g\n",
            "0".repeat(64)
        )
        .into_bytes(),
        vec![0, 1, 65, 0, 0, 0, 2, 66, 67],
        vec![9; 64],
    ]
}
