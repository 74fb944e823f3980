//! Two crates that share no code with ours, as oracles: `signed_note` and `tlog_tiles` (from azul).
//!
//! They differ from us in two ways, and both are asserted here: `tlog_tiles` names a tile with its height
//! (`tile/8/0/000`), as Go's checksum database does; and `signed_note` does not check strictly, so that a
//! key of small order "signs" any text. We refuse that key.

use proptest::prelude::*;
use signed_note::{StandardSigner, StandardVerifier, VerifierList};
use tlog_tiles::HashReader;
use undersigned_tlog::checkpoint::{Checkpoint, Origin, SignedCheckpoint};
use undersigned_tlog::codec::base64_encode;
use undersigned_tlog::hash::{Hash, leaf_hash};
use undersigned_tlog::note::{KeyName, Note, NoteSigner, NoteText, VerifierKey, VerifierKeyError};
use undersigned_tlog::tile::{TileCoordinate, TilePath, Width, tiles_of};
use undersigned_tlog::tree::{
    TreeSize, consistency_proof, inclusion_proof, root, verify_consistency, verify_inclusion,
};

use crate::known::{CHECKPOINT, LOG_KEY, ORIGIN, WITNESS_LINE, log_signer, note, seed};
use crate::notes::key_text;
use crate::rfc6962::Oracle;
use crate::tiles::defined_tile;
use crate::tree::{index, size};

/// The private key of the known log in the form that `signed_note` and Go read.
fn foreign_signer() -> StandardSigner {
    let key_id = log_signer().verifier_key().key_id();
    let secret = base64_encode(&[&[1], &seed()[..]].concat());
    StandardSigner::new(&format!("PRIVATE+KEY+{ORIGIN}+{key_id:08x}+{secret}")).unwrap()
}

fn foreign_verifiers(keys: &[&str]) -> VerifierList {
    VerifierList::new(keys.iter().map(|key| Box::new(StandardVerifier::new(key).unwrap()) as _).collect())
}

fn foreign_check(bytes: &[u8], key: &str) -> Result<usize, String> {
    let note = signed_note::Note::from_bytes(bytes).map_err(|error| error.to_string())?;
    let verified = note.verify(&foreign_verifiers(&[key])).map_err(|error| error.to_string())?;
    Ok(verified.0.len())
}

#[test]
fn our_checkpoint_is_theirs_and_theirs_is_ours() {
    let origin = Origin::new(ORIGIN).unwrap();
    let ours = SignedCheckpoint::sign(Checkpoint::parse_text(CHECKPOINT).unwrap(), &log_signer()).unwrap();
    assert_eq!(foreign_check(&ours.bytes(), LOG_KEY), Ok(1));
    let read = tlog_tiles::Checkpoint::from_bytes(CHECKPOINT.as_bytes()).unwrap();
    let checkpoint = ours.checkpoint();
    assert_eq!(
        (read.origin(), read.size(), read.hash().0, read.extension()),
        (ORIGIN, checkpoint.size().get(), *checkpoint.root().as_bytes(), "")
    );
    let mut signed = signed_note::Note::new(CHECKPOINT.as_bytes(), &[]).unwrap();
    signed.add_sigs(&[&foreign_signer()]).unwrap();
    assert_eq!(signed.to_bytes(), ours.bytes());
    assert_eq!(read.to_bytes(), CHECKPOINT.as_bytes());
    let key = VerifierKey::parse(LOG_KEY).unwrap();
    assert_eq!(SignedCheckpoint::open(&signed.to_bytes(), Some(&origin), &[&key]), Ok(ours));
    // A cosignature that they do not know is passed over by both.
    assert!(note().contains(WITNESS_LINE));
    assert_eq!(foreign_check(note().as_bytes(), LOG_KEY), Ok(1));
}

/// Each changed bit that one of us refuses, the other refuses as well.
#[test]
fn a_changed_checkpoint_is_refused_by_both() {
    let key = VerifierKey::parse(LOG_KEY).unwrap();
    let signed =
        SignedCheckpoint::sign(Checkpoint::parse_text(CHECKPOINT).unwrap(), &log_signer()).unwrap().bytes();
    for position in 0..signed.len() {
        for bit in 0..8 {
            let mut changed = signed.clone();
            changed[position] ^= 1 << bit;
            assert!(Note::open(&changed, &[&key]).is_err(), "byte {position}, bit {bit}");
            assert!(foreign_check(&changed, LOG_KEY).is_err(), "byte {position}, bit {bit}");
        }
    }
}

#[test]
fn the_key_that_signs_everything_is_refused_by_us_alone() {
    let mut identity = [0; 32];
    identity[0] = 1;
    let key = key_text(ORIGIN, &[&[1], &identity[..]].concat());
    assert_eq!(VerifierKey::parse(&key), Err(VerifierKeyError::Weak));
    // R the identity, s zero: the equation holds for every text.
    let key_id = u32::from_str_radix(key.split('+').nth(1).unwrap(), 16).unwrap();
    let blob = [&key_id.to_be_bytes()[..], &identity[..], &[0; 32]].concat();
    for text in ["anything\n", CHECKPOINT] {
        let forged = format!("{text}\n\u{2014} {ORIGIN} {}\n", base64_encode(&blob));
        assert_eq!(foreign_check(forged.as_bytes(), &key), Ok(1));
    }
}

proptest! {
    #[test]
    fn notes_verify_both_ways(seed in any::<[u8; 32]>(), lines in "([ -~\u{a1}-\u{ff}]{0,30}\n){1,6}",
                              name in "[a-z]{1,12}(\\.[a-z]{1,8}){0,2}(/[a-z0-9]{1,8})?") {
        let ours = NoteSigner::from_seed(KeyName::new(&name).unwrap(), &seed).unwrap();
        let public = ours.verifier_key().to_string();
        let text = NoteText::new(&lines).unwrap();
        let bytes = Note::new(text.clone(), vec![ours.sign(&text)]).unwrap().to_bytes();
        prop_assert_eq!(foreign_check(&bytes, &public), Ok(1));

        let secret = base64_encode(&[&[1], &seed[..]].concat());
        let key_id = ours.verifier_key().key_id();
        prop_assert_eq!(key_id, signed_note::key_id(&name, &[&[1], ours.verifier_key().key()].concat()));
        let theirs = StandardSigner::new(&format!("PRIVATE+KEY+{name}+{key_id:08x}+{secret}")).unwrap();
        let mut signed = signed_note::Note::new(lines.as_bytes(), &[]).unwrap();
        signed.add_sigs(&[&theirs]).unwrap();
        prop_assert_eq!(&signed.to_bytes(), &bytes);
        prop_assert!(Note::open(&signed.to_bytes(), &[VerifierKey::parse(&public).unwrap()]).is_ok());
    }

    #[test]
    fn tiles_have_the_same_names(level in 0..64_u8, index in any::<u64>(), width in 1..=256_u32) {
        let coordinate = TileCoordinate::new(level, index).unwrap();
        let ours = TilePath::Hashes { coordinate, width: Width::new(u64::from(width)).unwrap() };
        let theirs = tlog_tiles::Tile::new(8, level, index, width, false);
        prop_assert_eq!(without_height(&theirs.path()), ours.to_string());
        let entries = TilePath::Entries { index, width: Width::new(u64::from(width)).unwrap() };
        let theirs = tlog_tiles::Tile::new(8, 0, index, width, true).path();
        prop_assert_eq!(without_height(&theirs).replace("data", "entries"), entries.to_string());
    }
}

/// `tile/8/0/000` as C2SP has it: `tile/0/000`.
fn without_height(path: &str) -> String {
    path.replacen("tile/8/", "tile/", 1)
}

/// The hashes of a tree as `tlog_tiles` numbers them.
struct Stored(Vec<tlog_tiles::Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        let at = |index: &u64| usize::try_from(*index).ok().and_then(|index| self.0.get(index).copied());
        indexes.iter().map(at).collect::<Option<_>>().ok_or(tlog_tiles::Error::IndexesNotInTree)
    }
}

impl Stored {
    /// A log whose entry i is the decimal i, as `Oracle::counting` makes it.
    fn counting(size: u64) -> Self {
        let mut stored = Self(Vec::new());
        for index in 0..size {
            let entry = index.to_string();
            assert_eq!(tlog_tiles::record_hash(entry.as_bytes()).0, *leaf_hash(entry.as_bytes()).as_bytes());
            let more = tlog_tiles::stored_hashes(index, entry.as_bytes(), &stored).unwrap();
            stored.0.extend(more);
        }
        stored
    }
}

fn ours(hashes: &[tlog_tiles::Hash]) -> Vec<Hash> {
    hashes.iter().map(|hash| Hash::from_bytes(hash.0)).collect()
}

fn theirs(hash: &Hash) -> tlog_tiles::Hash {
    tlog_tiles::Hash(*hash.as_bytes())
}

const LEAVES: usize = 1_300;

/// Sizes and positions: every edge of a tile, and others spread by a step that divides nothing.
fn some(below: usize) -> impl Iterator<Item = usize> {
    let edges = [0, 1, 2, 254, 255, 256, 257, 511, 512, 513, 1_023, 1_024, 1_025];
    let last = below.saturating_sub(1);
    edges.into_iter().filter(move |edge| *edge < below).chain((3..below).step_by(37)).chain([last])
}

#[test]
fn roots_and_proofs_of_many_sizes_are_theirs_and_each_verifies_the_others() {
    let oracle = Oracle::counting(LEAVES);
    let stored = Stored::counting(LEAVES.try_into().unwrap());
    let (mut inclusions, mut consistencies) = (0, 0);
    for n in some(LEAVES + 1).filter(|n| *n > 0) {
        let (our_size, their_size) = (size(n), u64::try_from(n).unwrap());
        let our_root = root(our_size, &mut &oracle).unwrap();
        let their_root = tlog_tiles::tree_hash(their_size, &stored).unwrap();
        assert_eq!(theirs(&our_root), their_root, "size {n}");
        for m in some(n) {
            let (position, leaf) = (u64::try_from(m).unwrap(), oracle.leaf(m));
            let our_proof = inclusion_proof(index(m), our_size, &mut &oracle).unwrap();
            let their_proof = tlog_tiles::prove_record(their_size, position, &stored).unwrap();
            assert_eq!(our_proof, ours(&their_proof), "leaf {m} of {n}");
            verify_inclusion(&leaf, index(m), our_size, &ours(&their_proof), &our_root).unwrap();
            let check = |proof: &Vec<_>, position, leaf| {
                tlog_tiles::check_record(proof, their_size, their_root, position, theirs(leaf))
            };
            let mut proof: Vec<_> = our_proof.iter().map(theirs).collect();
            check(&proof, position, &leaf).unwrap();
            assert!(check(&proof, position, &our_root).is_err() || n == 1, "another leaf {m} of {n}");
            assert!(check(&proof, position ^ 1, &leaf).is_err(), "leaf {m} of {n} at another index");
            proof.push(their_root);
            assert!(check(&proof, position, &leaf).is_err(), "a longer proof of leaf {m} of {n}");
            inclusions += 1;
        }
        for m in some(n + 1).filter(|m| *m > 0) {
            let (old_size, old_root) = (u64::try_from(m).unwrap(), oracle.root(m));
            let our_proof = consistency_proof(size(m), our_size, &mut &oracle).unwrap();
            let their_proof = tlog_tiles::prove_tree(their_size, old_size, &stored).unwrap();
            assert_eq!(our_proof, ours(&their_proof), "{m} to {n}");
            verify_consistency(size(m), our_size, &old_root, &our_root, &ours(&their_proof)).unwrap();
            let check = |proof: &Vec<_>, old: &Hash| {
                tlog_tiles::check_tree(proof, their_size, their_root, old_size, theirs(old))
            };
            let mut proof: Vec<_> = our_proof.iter().map(theirs).collect();
            check(&proof, &old_root).unwrap();
            assert!(check(&proof, &leaf_hash(b"another")).is_err(), "another old root, {m} to {n}");
            proof.push(their_root);
            assert!(check(&proof, &old_root).is_err(), "a longer proof, {m} to {n}");
            consistencies += 1;
        }
    }
    assert!(inclusions > 500 && consistencies > 500, "{inclusions} and {consistencies} proofs are too few");
}

#[test]
fn a_tree_has_the_same_tiles_of_the_same_bytes() {
    let oracle = Oracle::counting(LEAVES);
    let stored = Stored::counting(LEAVES.try_into().unwrap());
    for n in some(LEAVES + 1).filter(|n| *n > 0) {
        let tree_size = TreeSize::new(u64::try_from(n).unwrap());
        let mut our_tiles: Vec<_> = tiles_of(tree_size)
            .map(|(coordinate, width)| {
                let path = TilePath::Hashes { coordinate, width }.to_string();
                (path, defined_tile(&oracle, coordinate, width))
            })
            .collect();
        let mut their_tiles: Vec<_> = tlog_tiles::Tile::new_tiles(8, 0, tree_size.get())
            .iter()
            .map(|tile| (without_height(&tile.path()), tile.read_data(&stored).unwrap()))
            .collect();
        our_tiles.sort();
        their_tiles.sort();
        assert_eq!(our_tiles, their_tiles, "size {n}");
    }
}
