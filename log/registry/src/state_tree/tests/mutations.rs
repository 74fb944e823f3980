//! No other bytes pass for a proof: each has one encoding, and each byte of it is bound to the root.

use alloc::vec::Vec;

use proptest::prelude::*;

use super::questions::questions;
use super::{Numbers, ProofError, check};

/// Every value in every byte.
fn refuse_all_values(proof: &[u8], refuses: impl Fn(&[u8]) -> bool) {
    for index in 0..proof.len() {
        let mut changed = proof.to_vec();
        for difference in 1..=255 {
            changed[index] = proof[index] ^ difference;
            assert!(refuses(&changed), "byte {index} with {difference:#x}");
        }
    }
}

/// One other value in every byte, another one in each proof.
fn refuse_one_value(proof: &[u8], numbers: &mut Numbers, refuses: impl Fn(&[u8]) -> bool) {
    for index in 0..proof.len() {
        let mut changed = proof.to_vec();
        changed[index] ^= 1 << numbers.below(8);
        assert!(refuses(&changed), "byte {index}");
    }
}

#[test]
fn every_single_byte_matters() {
    // Every byte of every proof is changed once, and to every value in a few of them; of the largest tree one
    // question in ten is asked.
    for (size, thorough_every) in [(0, 1), (1, 1), (2, 16), (3, 64), (5, 128), (17, 64), (200, 128)] {
        let mut numbers = Numbers(500 + u64::try_from(size).expect("small"));
        let (mut tree, keys) = numbers.tree(size);
        let root = tree.root().expect("small sums");
        let mut all = questions(&mut numbers, &keys);
        all.retain(|question| size < 17 || [1, 33, 65].contains(&question.len()));
        let all = all.iter().step_by(if size < 200 { 1 } else { 10 });
        for (index, question) in all.enumerate() {
            let proof = tree.prove(question).expect("hashed").encode();
            match check(&proof, question, &root) {
                Ok(_) => {}
                Err(ProofError::TerminalAboveQuestion) => continue,
                Err(error) => panic!("an honest proof was refused: {error}"),
            }
            let refuses = |bytes: &[u8]| check(bytes, question, &root).is_err();
            if index % thorough_every == 0 {
                refuse_all_values(&proof, refuses);
            } else {
                refuse_one_value(&proof, &mut numbers, refuses);
            }
        }
    }
}

#[test]
fn no_shorter_and_no_longer_proof_passes() {
    let mut numbers = Numbers(41);
    let (mut tree, keys) = numbers.tree(30);
    let root = tree.root().expect("small sums");
    for question in keys.iter().flat_map(|key| [&key[..1], key]) {
        let proof = tree.prove(question).expect("hashed").encode();
        for end in 0..proof.len() {
            assert!(check(&proof[..end], question, &root).is_err(), "{end}");
        }
        for more in [&[0][..], &[0; 43], &proof] {
            let refused = check(&[&proof, more].concat(), question, &root);
            assert_eq!(refused.map_err(|error| error.rule()), Err("ST-19"));
        }
    }
}

/// One change to an encoded proof.
#[derive(Clone, Debug)]
enum Edit {
    Set(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Delete(prop::sample::Index, usize),
    /// Goes on as a proof of another question from here.
    Splice(prop::sample::Index, prop::sample::Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, value)| Edit::Set(at, value)),
        (any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 1..44))
            .prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        (any::<prop::sample::Index>(), 1..44_usize).prop_map(|(at, length)| Edit::Delete(at, length)),
        (any::<prop::sample::Index>(), any::<prop::sample::Index>())
            .prop_map(|(at, other)| Edit::Splice(at, other)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn edited_proofs_are_refused(
        seed in any::<u32>(),
        size in 1..40_usize,
        chosen in any::<prop::sample::Index>(),
        length in prop::sample::select(Vec::from([1_usize, 33, 65])),
        edits in prop::collection::vec(edit(), 1..4),
    ) {
        let (mut tree, keys) = Numbers(u64::from(seed) << 24).tree(size);
        let root = tree.root().expect("small sums");
        let key = chosen.get(&keys);
        let question = key.get(..length).unwrap_or(key);
        let honest = tree.prove(question).expect("hashed").encode();
        let mut bytes = honest.clone();
        for edit in edits {
            match edit {
                Edit::Set(at, value) if !bytes.is_empty() => { let at = at.index(bytes.len()); bytes[at] = value; }
                Edit::Set(..) => {}
                Edit::Insert(at, more) => { let at = at.index(bytes.len() + 1); bytes.splice(at..at, more); }
                Edit::Delete(at, length) => {
                    let at = at.index(bytes.len() + 1);
                    bytes.drain(at..(at + length).min(bytes.len()));
                }
                Edit::Splice(at, other) => {
                    let other = tree.prove(other.get::<Vec<u8>>(&keys)).expect("hashed").encode();
                    let at = at.index(bytes.len() + 1);
                    bytes.truncate(at);
                    bytes.extend(other.iter().skip(at));
                }
            }
        }
        prop_assert_eq!(check(&bytes, question, &root).is_ok(), bytes == honest);
    }

    #[test]
    fn any_bytes_decode_to_themselves_or_not_at_all(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(proof) = super::SubtreeProof::decode(&bytes) {
            prop_assert_eq!(proof.encode(), bytes);
        }
    }
}
