//! Known answers: the eight leaves of RFC 6962's reference implementation, and a log of five entries
//! whose keys, checkpoint, proofs and tile were made with Python's cryptography and Go's x/mod.

use undersigned_tlog::checkpoint::{Checkpoint, Origin, SignedCheckpoint};
use undersigned_tlog::codec::hex_decode;
use undersigned_tlog::hash::{Hash, leaf_hash, sha256};
use undersigned_tlog::note::{KeyName, NoteSigner, NoteText, VerifierKey};
use undersigned_tlog::proof::TlogProof;
use undersigned_tlog::tile::{Bundle, Tile, bundle_append};
use undersigned_tlog::tree::{
    consistency_proof, inclusion_proof, root, verify_consistency, verify_inclusion,
};

use crate::rfc6962::Oracle;
use crate::tree::{index, size};

pub(crate) const ORIGIN: &str = "registry.example/log1";
pub(crate) const LOG_KEY: &str =
    "registry.example/log1+4517142d+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
pub(crate) const WITNESS_KEY: &str =
    "witness.example/w1+20324abe+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X";
pub(crate) const CHECKPOINT: &str =
    "registry.example/log1\n5\nGqaNMHSQWlgfhMu9D3U3lJBP2ARRvEwT5p2aU7xZUCw=\n";
pub(crate) const LOG_LINE: &str = "\u{2014} registry.example/log1 RRcULbrpu16pqlQV1QFWk+59ncNKptTkRNFan3U4y3wHchR3HexXTTxyKVzQklTdHwPFCiu6mOebNOTdfUGf8JaOOgU=";
pub(crate) const WITNESS_LINE: &str = "\u{2014} witness.example/w1 IDJKvgAAAABpVbkA2ClcwzxGV1ydc5+4hmMtrn1bJOBYOB3BL08608wTFRtbvBck16//kaHbeWK+gJ3r01cvajNgXxnK1Ei2bHMnBg==";
const INCLUSION_2_OF_5: [&str; 3] = [
    "J0ebarMh0u5HdFL2i6UndI6GPK/o+9HfK/idFXDRtpc=",
    "LyelCCwdQq+kiKw1Cp/EOQwIT1T3Hs3/hZ6Y24QptHk=",
    "GUu1otW9EOXRqm/V1CmAs1bK8dpiPNmYfEv6L4F3Htc=",
];
const CONSISTENCY_3_TO_5: &str = "BJ19zbVrz+vTEzBMmDnxlqPUtu873AsIKY+TrIGR8Kg=";
const ROOT_3: &str = "pkvybgkSj2/i/m+LLYyAHhZrV8BHp82bK4Ceepai8cs=";

pub(crate) fn seed() -> [u8; 32] {
    std::array::from_fn(|byte| u8::try_from(byte).unwrap())
}

pub(crate) fn log_signer() -> NoteSigner {
    NoteSigner::from_seed(KeyName::new(ORIGIN).unwrap(), &seed()).unwrap()
}

/// The note of the five entries, signed by the log and cosigned by the witness.
pub(crate) fn note() -> String {
    format!("{CHECKPOINT}\n{LOG_LINE}\n{WITNESS_LINE}\n")
}

fn entries() -> Vec<Vec<u8>> {
    (0..5).map(|number| format!("entry-{number}").into_bytes()).collect()
}

pub(crate) fn hash(base64: &str) -> Hash {
    Hash::from_base64(base64).unwrap()
}

#[test]
fn the_eight_leaves_of_rfc_6962() {
    let leaves =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    let oracle = Oracle::new(&leaves.map(|leaf| hex_decode(leaf).unwrap()));
    let root = root(size(8), &mut &oracle).unwrap();
    assert_eq!(root.to_hex(), "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
}

#[test]
fn the_log_of_five_entries() {
    let oracle = Oracle::new(&entries());
    assert_eq!(leaf_hash(b"entry-2"), oracle.leaf(2));
    let proof = inclusion_proof(index(2), size(5), &mut &oracle).unwrap();
    assert_eq!(proof, INCLUSION_2_OF_5.map(hash));
    let checkpoint = Checkpoint::parse_text(CHECKPOINT).unwrap();
    verify_inclusion(&oracle.leaf(2), index(2), checkpoint.size(), &proof, checkpoint.root()).unwrap();

    let growth = consistency_proof(size(3), size(5), &mut &oracle).unwrap();
    let expected = [&[hash(CONSISTENCY_3_TO_5)], &INCLUSION_2_OF_5.map(hash)[..]].concat();
    assert_eq!(growth, expected);
    verify_consistency(size(3), size(5), &hash(ROOT_3), checkpoint.root(), &growth).unwrap();
}

#[test]
fn the_bundle_and_the_tile() {
    let mut bundle = Vec::new();
    for entry in entries() {
        bundle_append(&mut bundle, &entry).unwrap();
    }
    let known = "0007656e7472792d300007656e7472792d310007656e7472792d320007656e7472792d330007656e7472792d34";
    assert_eq!(bundle, hex_decode(known).unwrap());
    assert_eq!(Bundle::parse(&bundle).unwrap(), entries());
    let leaves: Vec<_> = entries().iter().map(|entry| leaf_hash(entry)).collect();
    let tile = Tile::from_hashes(&leaves).unwrap();
    assert_eq!(tile.bytes().len(), 160);
    let known = "989366cfb10f5dd2da8b8bbc2edde16e26bab99ce76da96f93e2cc246fe2f758";
    assert_eq!(sha256(&[tile.bytes()]).to_hex(), known);
}

#[test]
fn the_keys_and_the_checkpoint() {
    let signer = log_signer();
    assert_eq!(signer.verifier_key().to_string(), LOG_KEY);
    let key = VerifierKey::parse(LOG_KEY).unwrap();
    assert_eq!(&key, signer.verifier_key());
    assert_eq!((key.name().as_str(), key.key_id(), key.algorithm()), (ORIGIN, 0x4517_142d, 1));
    let witness = VerifierKey::parse(WITNESS_KEY).unwrap();
    assert_eq!((witness.to_string().as_str(), witness.can_verify()), (WITNESS_KEY, false));

    let line = signer.sign(&NoteText::new(CHECKPOINT).unwrap());
    assert_eq!(line.to_string(), LOG_LINE);
    let origin = Origin::new(ORIGIN).unwrap();
    let hash = sha256(&[origin.as_str().as_bytes()]).to_hex();
    assert_eq!(hash, "f4ccb328ad48b63bc30cb7a2407081f6c7dc4b9818bbf746f9ab1c5654ea031b");

    let opened = SignedCheckpoint::open(note().as_bytes(), Some(&origin), &[key, witness]).unwrap();
    assert_eq!(opened.checkpoint().text(), CHECKPOINT);
    assert_eq!(opened.bytes(), note().as_bytes());
    let signed = SignedCheckpoint::sign(opened.checkpoint().clone(), &signer).unwrap();
    assert_eq!(signed.bytes(), format!("{CHECKPOINT}\n{LOG_LINE}\n").as_bytes());
}

#[test]
fn a_proof_file_is_checked_from_its_bytes_alone() {
    let proof =
        TlogProof::new(None, index(2), INCLUSION_2_OF_5.map(hash).to_vec(), note().into_bytes()).unwrap();
    let file = format!("c2sp.org/tlog-proof@v1\nindex 2\n{}\n\n{}", INCLUSION_2_OF_5.join("\n"), note());
    assert_eq!(proof.to_bytes(), file.as_bytes());
    let read = TlogProof::parse(file.as_bytes(), file.len()).unwrap();
    assert_eq!(read, proof);
    let keys = [VerifierKey::parse(LOG_KEY).unwrap()];
    let checkpoint = SignedCheckpoint::open(read.unverified_checkpoint(), None, &keys).unwrap();
    let leaf = leaf_hash(b"entry-2");
    verify_inclusion(&leaf, read.index(), checkpoint.size(), read.hashes(), checkpoint.root()).unwrap();
}
