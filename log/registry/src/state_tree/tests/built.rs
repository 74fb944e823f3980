//! Built at once is what is written one by one: the same root, records, proofs, and the same tree to go on from.

use alloc::vec;
use alloc::vec::Vec;

use super::{
    BuildError, Builder, InsertError, KEY_BYTES_MAX, Leaf, Numbers, RECORD_BYTES_MAX, Sample, SumTree, Tally,
    empty_root, oracle,
};

fn build(records: &[(Vec<u8>, Sample)]) -> Result<SumTree<Sample>, BuildError> {
    let mut builder = Builder::new();
    for (key, record) in records {
        builder.push(Leaf::new(key, record.clone()).expect("of the lengths that a tree takes"))?;
    }
    builder.finish()
}

fn records_of(tree: &SumTree<Sample>) -> Vec<(Vec<u8>, Sample)> {
    tree.iter(&[]).map(|(key, record)| (key.to_vec(), record.clone())).collect()
}

#[test]
fn a_built_tree_is_the_written_one() {
    // ST-13.
    for size in [0, 1, 2, 3, 5, 17, 64, 300] {
        let mut numbers = Numbers(7_000 + u64::try_from(size).expect("small"));
        let (mut written, keys) = numbers.tree(size);
        let mut built = build(&records_of(&written)).expect("in order");
        assert_eq!(built.len(), size);
        assert_eq!(built.tally().ok(), written.tally().ok(), "it is hashed");
        for key in &keys {
            assert_eq!(built.prove(key), written.prove(key));
        }
        // It is whole: it goes on as the other does.
        for _ in 0..40 {
            let key = numbers.key(&keys);
            let record = numbers.record();
            let replaced = written.insert(&key, record.clone()).expect("prefix-free");
            assert_eq!(built.insert(&key, record).expect("prefix-free"), replaced);
        }
        for key in keys.iter().step_by(3) {
            assert_eq!(built.remove(key), written.remove(key));
        }
        assert_eq!(built.root(), written.root());
        assert_eq!(built.root(), Ok(oracle::root(&oracle::records(&built))));
    }
    assert_eq!(build(&[]).expect("no records").root(), Ok(empty_root()));
}

#[test]
fn keys_out_of_order_are_refused() {
    // ST-2.
    let record = || Sample::new(&Tally::column(0, 1), b"");
    let key = |bytes: &[u8]| (bytes.to_vec(), record());
    assert!(build(&[key(&[1, 0]), key(&[1, 1]), key(&[2])]).is_ok());
    for wrong in [
        [key(&[2]), key(&[1])],
        [key(&[1]), key(&[1])],
        [key(&[1]), key(&[1, 0])],
        [key(&[1]), key(&[1, 255])],
        [key(&[1, 0]), key(&[1])],
        [key(&[1, 255]), key(&[1])],
    ] {
        assert_eq!(build(&wrong).map(|tree| tree.len()), Err(BuildError::Order), "{wrong:?}");
    }
    let mut numbers = Numbers(7_777);
    let (tree, _) = numbers.tree(60);
    let records = records_of(&tree);
    for _ in 0..40 {
        let mut wrong = records.clone();
        let (a, b) = (numbers.below(60), numbers.below(60));
        wrong.swap(a, b);
        assert_eq!(build(&wrong).is_err(), a != b);
    }
}

#[test]
fn leaves_have_the_lengths_of_the_tree() {
    // ST-1 and ST-16.
    let record = |length| Sample(vec![0; length]);
    assert!(Leaf::new(&[1; KEY_BYTES_MAX], record(RECORD_BYTES_MAX)).is_ok());
    for length in [0, KEY_BYTES_MAX + 1] {
        let refused = Leaf::new(&vec![1; length], record(9)).err();
        assert_eq!(refused, Some(InsertError::KeyLength { found: length }));
    }
    let refused = Leaf::new(&[1], record(RECORD_BYTES_MAX + 1)).err();
    assert_eq!(refused, Some(InsertError::RecordLength { found: RECORD_BYTES_MAX + 1 }));
}

#[test]
fn sums_that_do_not_fit_are_refused() {
    // ST-8.
    let most = |key: u8| (vec![key], Sample::new(&Tally::column(0, u64::MAX), b""));
    assert!(build(&[most(1)]).is_ok());
    assert!(matches!(build(&[most(1), most(2)]), Err(BuildError::Overflow(_))));
}

#[test]
fn going_on_after_a_key_misses_none() {
    for size in [0, 1, 2, 3, 40] {
        let mut numbers = Numbers(9_000 + u64::try_from(size).expect("small"));
        let (tree, keys) = numbers.tree(size);
        let mut cursors = keys.clone();
        cursors.push(Vec::new());
        for _ in 0..200 {
            let mut cursor = numbers.key(&keys);
            cursor.truncate(1 + numbers.below(cursor.len()));
            cursors.push(cursor.clone());
            cursor.push(numbers.byte());
            cursors.push(cursor);
        }
        for cursor in cursors {
            let after: Vec<&[u8]> = tree.iter_after(&cursor).map(|(key, _)| key).collect();
            let expected: Vec<&[u8]> = keys.iter().map(Vec::as_slice).filter(|key| **key > *cursor).collect();
            assert_eq!(after, expected, "{cursor:?}");
        }
    }
}
