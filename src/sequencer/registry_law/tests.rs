//! Copies of the state: what is copied is the state of one moment, and each record reads back as it was written.

use proptest::prelude::*;
use undersigned_registry::event::{BlobRef, Name};
use undersigned_registry::id::{EventHash, KeyId, PartyId, VersionId};
use undersigned_registry::key::{KeyType, Role};
use undersigned_registry::record::{EndorsementRecord, KeyRecord, PartyRecord, Record, StateKey, Status};
use undersigned_tlog::hash::Hash;

use super::copy::Copy;
use super::{RegistryLaw, records};
use crate::admission;
use crate::sequencer::law::Law as _;
use crate::sequencer::script::{START, Script};

fn hash() -> impl Strategy<Value = Hash> {
    any::<[u8; 32]>().prop_map(Hash::from_bytes)
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..300u64, 0..=undersigned_registry::json::INTEGER_MAX]
}

fn party() -> impl Strategy<Value = Record> {
    let name = ("[a-z]{2,3}", hash(), number())
        .prop_map(|(language, sha256, size)| Name { language, text: BlobRef { sha256, size } });
    (
        proptest::option::of(prop_oneof!["[a-z]{1,20}\\.example", "[a-z]{250}"]),
        (number(), hash(), number(), 0..5u8),
        proptest::collection::vec(hash().prop_map(KeyId), 0..4),
        proptest::collection::vec(name, 0..4),
    )
        .prop_map(|(domain, (entry, event, first, level), keys, names)| {
            let event = EventHash(event);
            Record::Party(Box::new(PartyRecord { domain, entry, event, first, keys, level, names }))
        })
}

fn key() -> impl Strategy<Value = Record> {
    let role = prop_oneof![Just(Role::Sign), Just(Role::Admin), Just(Role::Recovery)];
    (number(), hash(), any::<bool>(), role, proptest::option::of(number())).prop_map(
        |(from, party, revoked, role, to)| {
            let (party, key_type) = (PartyId(party), KeyType::Ed25519);
            Record::Key(KeyRecord { from, party, revoked, role, to, key_type })
        },
    )
}

fn endorsement() -> impl Strategy<Value = Record> {
    let status = prop_oneof![Just(Status::Active), Just(Status::Withdrawn), Just(Status::Lapsed)];
    let language = proptest::option::of("[a-z]{2,8}");
    let numbers = (proptest::option::of(number()), number(), number(), proptest::option::of(number()));
    (numbers, hash(), language, 0..5u8, status).prop_map(
        |((endorsed, entry, first, not_after), event, language, level, status)| {
            let event = EventHash(event);
            Record::Endorsement(EndorsementRecord {
                endorsed,
                entry,
                event,
                first,
                language,
                level,
                not_after,
                status,
            })
        },
    )
}

proptest! {
    #[test]
    fn records_read_back_as_they_were_written(
        written in proptest::collection::vec(
            (hash(), hash(), prop_oneof![party(), key(), endorsement()]),
            0..8,
        ),
        cut in any::<prop::sample::Index>(),
    ) {
        // SO-36.
        let keyed: Vec<(StateKey, &Record)> = written
            .iter()
            .map(|(a, b, record)| (StateKey::endorsement(&VersionId(*a), &PartyId(*b)), record))
            .collect();
        let mut bytes = Vec::new();
        for (key, record) in &keyed {
            prop_assert!(records::write(&mut bytes, key.as_bytes(), record).is_some());
        }
        let mut rest = bytes.as_slice();
        for (key, record) in &keyed {
            let (found_key, found) = records::read(&mut rest).expect("it was written");
            prop_assert_eq!((found_key, &found), (key.as_bytes(), *record));
        }
        prop_assert!(rest.is_empty());
        // Cut off anywhere inside a record, that record is none.
        let mut rest = &bytes[..cut.index(bytes.len() + 1)];
        let mut whole = 0;
        while !rest.is_empty() && records::read(&mut rest).is_some() {
            whole += 1;
        }
        prop_assert!(rest.is_empty() || whole < keyed.len());
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut rest = bytes.as_slice();
        while records::read(&mut rest).is_some() {}
    }
}

/// All records of a state.
fn records_of(law: &RegistryLaw) -> Vec<(Vec<u8>, Record)> {
    law.ledger().state().all().map(|(key, record)| (key.to_vec(), record.clone())).collect()
}

#[test]
fn a_copy_is_the_state_of_the_moment_it_was_begun() {
    // SO-36. Batches of one to three entries come between its pieces; every third of them is taken back.
    let script = Script::new("copy.example/log", 30);
    for (begin, piece_records) in [(1, 1), (4, 1), (20, 3), (20, 7), (40, 1_000)] {
        let mut law = RegistryLaw::new();
        let mut next = 0;
        let mut batch = |law: &mut RegistryLaw, entries: usize, is_kept: bool| {
            for submission in script.submissions.iter().skip(next).take(entries) {
                let checked = admission::admit(submission.clone()).unwrap();
                assert!(law.decide(checked, START).is_ok());
            }
            if is_kept {
                law.keep();
                next += entries;
            } else {
                law.undo().unwrap();
            }
        };
        (0..begin).for_each(|_| batch(&mut law, 1, true));
        let expected = records_of(&law);
        law.copy = Some(Copy::default());
        let (mut bytes, mut copied, mut turn) = (Vec::new(), 0, 0);
        while let Some(copy) = &mut law.copy {
            match copy.next(law.ledger.state(), piece_records) {
                Some(piece) => {
                    bytes.extend_from_slice(&piece.bytes);
                    copied += piece.records;
                }
                None => law.copy = None,
            }
            batch(&mut law, 1 + turn % 3, turn % 3 != 2);
            turn += 1;
        }
        let mut rest = bytes.as_slice();
        let found: Vec<_> = std::iter::from_fn(|| records::read(&mut rest))
            .map(|(key, record)| (key.to_vec(), record))
            .collect();
        assert_eq!(found, expected, "begun at entry {begin}, {piece_records} records at once");
        assert_eq!(u64::try_from(found.len()), Ok(copied));
        assert!(rest.is_empty() && (turn < 2 || records_of(&law) != expected));
    }
}
