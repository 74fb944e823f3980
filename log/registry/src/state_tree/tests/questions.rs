//! Every question about a tree has the right answer, and every sum on the way is right (ST-20 to ST-31).

use alloc::vec::Vec;

use super::{Answer, Numbers, ProofError, SubtreeProof, SumTree, check, empty_root, oracle};

/// Every key and byte prefix, each also with one bit changed and with one byte more.
pub(super) fn questions(numbers: &mut Numbers, keys: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = (0..=10).map(|namespace| Vec::from([namespace])).collect();
    for key in keys {
        for length in 1..=key.len() {
            let prefix = key[..length].to_vec();
            let mut changed = prefix.clone();
            changed[numbers.below(length)] ^= 0x80 >> numbers.below(8);
            let mut last_bit = prefix.clone();
            last_bit[length - 1] ^= 1;
            let mut longer = prefix.clone();
            longer.push(numbers.byte());
            all.extend([prefix, changed, last_bit, longer]);
        }
    }
    all.retain(|question| question.len() <= 65);
    all.sort();
    all.dedup();
    all
}

fn check_all(size: usize, seed: u64) {
    let mut numbers = Numbers(seed << 32);
    let (mut tree, keys) = numbers.tree(size);
    let root = tree.root().expect("small sums");
    let (records, none) = (oracle::records(&tree), oracle::Sums::NONE);
    let sums = oracle::by_prefix(&records);
    let whole = &sums.get([].as_slice()).map_or(oracle::Sums::NONE, |(_, sums)| sums.clone());
    for question in questions(&mut numbers, &keys) {
        let proof = tree.prove(&question).expect("hashed");
        let bytes = proof.encode();
        assert_eq!(SubtreeProof::decode(&bytes).as_ref(), Ok(&proof));
        let verified = check(&bytes, &question, &root);
        if keys.iter().any(|key| question.starts_with(key) && question != *key) {
            assert_eq!(verified, Err(ProofError::TerminalAboveQuestion));
            continue;
        }
        let verified = verified.expect("an honest proof");
        match (sums.get(&question), &verified.answer) {
            (None, Answer::Absent) => assert_eq!(verified.subtree_root(), empty_root()),
            (Some((1, expected)), Answer::Record { key, record, tally }) => {
                assert!(key.starts_with(&question));
                assert_eq!(records.get(key), Some(record));
                assert!(expected.is(tally));
            }
            (Some((2.., expected)), Answer::Subtree { tally }) => assert!(expected.is(tally)),
            other => panic!("{question:?}: {other:?}"),
        }
        assert!(whole.is(&verified.root_tally));
        assert_eq!(verified.next_due, verified.root_tally.next_due());
        for length in 1..=question.len() {
            let expected = sums.get(&question[..length]).map_or(&none, |(_, sums)| sums);
            let found = verified.tally_at(&question[..length]).expect("a beginning of the question");
            assert!(expected.is(&found), "{question:?} at {length}");
        }
        assert_eq!(verified.tally_at(&[]), None);
        assert_eq!(verified.tally_at(&[question.as_slice(), &[0]].concat()), None);
        let mut foreign = question.clone();
        foreign[0] ^= 1;
        assert_eq!(verified.tally_at(&foreign), None);
    }
}

#[test]
fn every_question_has_its_answer_and_its_sums() {
    for size in 0..12 {
        check_all(size, 1 + u64::try_from(size).expect("small"));
    }
    for (size, seed) in [(17, 20), (40, 21), (100, 22), (200, 23), (500, 24)] {
        check_all(size, seed);
    }
}

#[test]
fn a_complete_list_rebuilds_the_root_of_its_subtree() {
    let (mut tree, keys) = Numbers(31).tree(80);
    let root = tree.root().expect("small sums");
    for question in keys.iter().flat_map(|key| [1, 33, 65].map(|end| key.get(..end).unwrap_or(key))) {
        let proof = tree.prove(question).expect("hashed").encode();
        let verified = check(&proof, question, &root).expect("an honest proof");
        let mut list = SumTree::new();
        for (key, record) in tree.iter(question) {
            list.insert(key, record.clone()).expect("prefix-free");
        }
        assert_eq!(list.root(), Ok(verified.subtree_root()));
        assert_eq!(list.tally().ok(), verified.tally_at(question));
        let first = list.iter(&[]).next().map(|(key, _)| key.to_vec()).expect("not empty");
        list.remove(&first);
        assert_ne!(list.root(), Ok(verified.subtree_root()), "one left out");
    }
}

#[test]
fn the_empty_question_and_the_too_long_one_are_refused() {
    for size in [0, 1, 9] {
        let (mut tree, _) = Numbers(4).tree(size);
        let root = tree.root().expect("small sums");
        for question in [&[][..], &[7; 66]] {
            let proof = tree.prove(question).expect("hashed").encode();
            let refused = ProofError::QuestionLength { found: question.len() };
            assert_eq!(check(&proof, question, &root), Err(refused));
        }
    }
}
