//! The root follows from the records, whatever was written, replaced and removed on the way (ST-13).

use alloc::vec;
use alloc::vec::Vec;

use super::{
    InsertError, NEVER, NotHashed, Numbers, RECORD_BYTES_MAX, Sample, SumTree, Tally, TallyOverflow,
};
use super::{empty_root, oracle};

#[test]
fn any_history_gives_the_root_of_its_records() {
    for seed in 0..12 {
        let mut numbers = Numbers(seed << 32);
        let (mut tree, mut keys, mut expected) = (SumTree::new(), Vec::new(), oracle::Sorted::new());
        for turn in 0..400 {
            if numbers.below(3) == 0 && !keys.is_empty() {
                let key: Vec<u8> = keys.swap_remove(numbers.below(keys.len()));
                assert_eq!(tree.remove(&key).map(|record: Sample| record.0), expected.remove(&key));
                assert_eq!(tree.remove(&key), None);
            } else {
                let key = numbers.key(&keys);
                let record = numbers.record();
                let former = expected.insert(key.clone(), record.0.clone());
                let replaced = tree.insert(&key, record).expect("fixed widths are prefix-free");
                assert_eq!(replaced.map(|record| record.0), former);
                if former.is_none() {
                    keys.push(key);
                }
            }
            assert_eq!(tree.len(), expected.len());
            // Hashing now and then leaves clean and dirty nodes beside each other.
            if numbers.below(7) == 0 {
                assert_eq!(tree.root(), Ok(oracle::root(&expected)), "seed {seed} turn {turn}");
                let sums =
                    oracle::by_prefix(&expected).remove(&vec![]).map_or(oracle::Sums::NONE, |(_, sums)| sums);
                assert!(sums.is(&tree.tally().expect("hashed")));
            }
            if turn % 50 == 0 {
                assert_eq!(oracle::records(&tree), expected);
                let in_order: Vec<_> = tree.iter(&[]).map(|(key, _)| key.to_vec()).collect();
                assert!(in_order.is_sorted(), "keys come in order");
            }
        }
        assert_eq!(tree.root(), Ok(oracle::root(&expected)));
        for key in keys {
            tree.remove(&key).expect("it was written");
        }
        assert!(tree.is_empty());
        assert_eq!(tree.root(), Ok(empty_root()));
    }
}

#[test]
fn writing_back_restores_the_root() {
    let mut numbers = Numbers(77);
    let (mut tree, keys) = numbers.tree(120);
    let before = tree.root();
    for _ in 0..20 {
        let mut undo = Vec::new();
        for _ in 0..30 {
            let key = numbers.key(&keys);
            let record = numbers.record();
            undo.push((key.clone(), tree.insert(&key, record).expect("prefix-free")));
            if numbers.below(9) == 0 {
                tree.root().expect("small sums");
            }
        }
        while let Some((key, former)) = undo.pop() {
            match former {
                Some(record) => drop(tree.insert(&key, record).expect("it was there")),
                None => drop(tree.remove(&key).expect("it was written")),
            }
        }
        assert_eq!(tree.root(), before);
        assert_eq!(tree.len(), 120);
    }
}

#[test]
fn iterates_over_exactly_the_prefix() {
    let (mut tree, keys) = Numbers(5).tree(100);
    for hashed in [true, false] {
        if !hashed {
            tree.insert(&[9; 65], Numbers(1).record()).expect("prefix-free");
        }
        for prefix in
            keys.iter().flat_map(|key| [0, 1, 33, key.len()].map(|end| key.get(..end).unwrap_or(key)))
        {
            let found: Vec<_> = tree.iter(prefix).map(|(key, _)| key.to_vec()).collect();
            let all = tree.iter(&[]).map(|(key, _)| key.to_vec());
            assert_eq!(found, all.filter(|key| key.starts_with(prefix)).collect::<Vec<_>>());
        }
        assert_eq!(tree.iter(&[3]).count() + tree.iter(&[7, 1, 2]).count() + tree.iter(&[0, 0]).count(), 0);
    }
}

#[test]
fn refuses_keys_that_begin_each_other() {
    let mut tree = SumTree::new();
    let record = || Numbers(3).record();
    for key in [&[7, 1, 2][..], &[7, 1, 3], &[8, 0]] {
        assert_eq!(tree.insert(key, record()), Ok(None));
    }
    let root = tree.root();
    for key in [&[7][..], &[7, 1], &[8], &[7, 1, 2, 0], &[7, 1, 3, 255], &[8, 0, 0, 0]] {
        assert_eq!(tree.insert(key, record()), Err(InsertError::NotPrefixFree), "{key:?}");
        assert_eq!(tree.get(key), None);
        assert_eq!(tree.remove(key), None);
    }
    assert_eq!(tree.insert(&[], record()), Err(InsertError::KeyLength { found: 0 }));
    assert_eq!(tree.insert(&[1; 66], record()), Err(InsertError::KeyLength { found: 66 }));
    assert_eq!(tree.root(), root);
    assert_eq!(tree.len(), 3);
}

#[test]
fn refuses_keys_that_begin_each_other_in_any_set() {
    for seed in 0..40 {
        let mut numbers = Numbers(seed << 20);
        let (mut tree, mut expected) = (SumTree::new(), oracle::Sorted::new());
        for _ in 0..120 {
            let key: Vec<u8> = (0..=numbers.below(4)).map(|_| numbers.byte() & 0x83).collect();
            let clash = expected.keys().any(|k| *k != key && (k.starts_with(&key) || key.starts_with(k)));
            let record = numbers.record();
            let written = tree.insert(&key, record.clone());
            assert_eq!(written.is_err(), clash, "{key:?}");
            if !clash {
                expected.insert(key, record.0);
            }
        }
        assert_eq!(tree.root(), Ok(oracle::root(&expected)));
    }
}

#[test]
fn refuses_records_that_no_proof_could_carry() {
    let mut tree = SumTree::new();
    let mut record = Sample::new(&Tally::ZERO, &[]);
    record.0.resize(RECORD_BYTES_MAX, b'x');
    assert_eq!(tree.insert(&[1], record.clone()), Ok(None));
    record.0.push(b'x');
    let too_long = InsertError::RecordLength { found: RECORD_BYTES_MAX + 1 };
    assert_eq!(tree.insert(&[2], record), Err(too_long));
    assert_eq!(tree.len(), 1);
}

#[test]
fn a_sum_that_does_not_fit_is_refused_and_can_be_taken_back() {
    let mut tree = SumTree::new();
    let most = Sample::new(&Tally::column(0, u64::MAX), &[]);
    let one = Sample::new(&Tally::column(0, 1), &[]);
    tree.insert(&[7, 0], most).expect("prefix-free");
    let before = tree.root().expect("it fits");
    tree.insert(&[7, 1], one.clone()).expect("prefix-free");
    assert_eq!(tree.root(), Err(TallyOverflow));
    assert_eq!(tree.root(), Err(TallyOverflow), "asking again changes nothing");
    assert_eq!(tree.tally(), Err(NotHashed));
    assert_eq!(tree.remove(&[7, 1]), Some(one));
    assert_eq!(tree.root(), Ok(before));
    assert_eq!(tree.tally(), Ok(Tally::column(0, u64::MAX)));
}

#[test]
fn proves_nothing_before_the_root_is_known() {
    let (mut tree, keys) = Numbers(8).tree(10);
    tree.insert(&keys[3], Sample::new(&Tally::ZERO.with_next_due(7), &[])).expect("it was there");
    assert_eq!(tree.prove(&keys[0]), Err(NotHashed));
    assert_eq!(tree.tally(), Err(NotHashed));
    tree.root().expect("small sums");
    assert!(tree.prove(&keys[0]).is_ok());
    assert_eq!(tree.tally().map(|tally| tally.next_due()), Ok(7));
    assert_eq!(SumTree::<Sample>::new().tally().map(|tally| tally.next_due()), Ok(NEVER));
}
