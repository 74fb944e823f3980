//! Every refusal of the admission law, and the stories around it.

use undersigned_registry::entry::Entry;
use undersigned_registry::envelope::Envelope;
use undersigned_registry::event::{Admission, Ending};
use undersigned_registry::ledger::{AdmitError, Deviation, Ledger, Verdict};
use undersigned_registry::record::{COLUMN_WITHDRAWN, LIVE_KEYS_MAX, Record, StateKey};
use undersigned_registry::rules::Facts as _;
use undersigned_registry::state_tree::{Answer, Record as _, verify};
use undersigned_tlog::hash::Hash;

use crate::cases;
use crate::fixture::{Of, Outcome, Town, World, admin, policy, sign_key, town};
use crate::naive;

fn replay(entries: &[Vec<u8>]) -> Ledger {
    let mut ledger = Ledger::new();
    for entry in entries {
        ledger.follow_entry(entry).unwrap();
    }
    ledger
}

/// The code of a refusal, or the entry's index; takes an admitted entry back.
fn check(ledger: &mut Ledger, envelope: &Envelope, received: u64) -> Result<Outcome, &'static str> {
    let before = (ledger.size(), ledger.settle().unwrap());
    let outcome = match ledger.admit(&envelope.clone().check().unwrap(), received) {
        Ok(Verdict::Entry(admitted)) => {
            ledger.undo(admitted.undo);
            Ok(Outcome::Entry(admitted.index))
        }
        Ok(Verdict::Repeat { entry }) => Ok(Outcome::Repeat(entry)),
        Err(AdmitError::Refused(refusal)) => Err(refusal.code()),
        Err(fault) => panic!("{fault}"),
    };
    assert_eq!((ledger.size(), ledger.settle().unwrap()), before, "nothing changed");
    outcome
}

#[test]
fn each_rule_refuses_and_its_right_twin_is_admitted() {
    let cases = cases::all();
    for case in &cases.refused {
        let log = cases.logs.iter().find(|log| log.name == case.log).unwrap();
        let mut ledger = replay(&log.entries[..case.size]);
        let place = format!("{} at {}: {}", case.log, case.size, case.about);
        assert_eq!(check(&mut ledger, &case.envelope, case.received), Err(case.code), "{place}");
        let twin = check(&mut ledger, &case.twin.0, case.twin.1);
        assert_eq!(twin, Ok(Outcome::Entry(case.size.try_into().unwrap())), "twin of {place}");
    }
    for code in ALL_CODES {
        assert!(cases.refused.iter().any(|case| case.code == *code), "no case for {code}");
    }
}

/// Every code of `rules::Refusal`.
const ALL_CODES: &[&str] = &[
    "not-genesis",
    "wrong-registry",
    "received-back",
    "unknown-party",
    "unknown-key",
    "foreign-key",
    "ended-key",
    "role-too-low",
    "stale",
    "expired",
    "log-before-too-far",
    "key-in-use",
    "not-invited",
    "key-not-live",
    "last-key",
    "too-many-keys",
    "not-operator",
    "law-version",
    "slug-taken",
    "unknown-statement",
    "not-sponsor",
    "unknown-version",
    "language-not-listed",
    "already-endorsed",
    "already-withdrawn",
    "tick-first",
    "nothing-due",
    "wrong-tick",
    "not-after-passed",
];

#[test]
fn repeats_are_answered_with_the_same_index() {
    let cases = cases::all();
    for case in &cases.repeated {
        let log = cases.logs.iter().find(|log| log.name == case.log).unwrap();
        let mut ledger = replay(&log.entries[..case.size]);
        let outcome = check(&mut ledger, &case.envelope, case.received);
        assert_eq!(outcome, Ok(Outcome::Repeat(case.entry)), "{} at {}: {}", case.log, case.size, case.about);
    }
}

/// A repeat is the same event, whatever the proofs are: a second signature over it changes nothing.
#[test]
fn a_repeat_with_other_proofs_is_the_same_event() {
    use undersigned_registry::key::{Method, SshHash};
    let Town { mut world, harbour, of, .. } = town();
    let endorse = world.endorse(of, harbour.0, &[&harbour.3]);
    let index = world.admit(&endorse);
    let proof = harbour.3.prove(Method::SshSig(SshHash::Sha512), endorse.event_bytes());
    let other = Envelope::new(endorse.event_bytes().to_vec(), vec![proof]).unwrap();
    assert_eq!(world.submit(&other), Ok(Outcome::Repeat(index)));
}

/// A repeat is answered after its keys have ended too: it says nothing that the log does not say.
#[test]
fn a_repeat_needs_no_live_key() {
    let Town { mut world, harbour, of, .. } = town();
    let endorse = world.endorse(of, harbour.0, &[&harbour.3]);
    let index = world.admit(&endorse);
    let end = world.keys(harbour.0, &[&harbour.2], &[], &[(&harbour.3, Ending::Revoke)]);
    world.admit(&end);
    assert_eq!(world.submit(&endorse), Ok(Outcome::Repeat(index)));
}

fn tally(world: &World, of: Of) -> naive::Counts {
    let prefix = StateKey::endorsements_of(&of.1);
    let mut root = Hash::from_bytes([0; 32]);
    if let Some(entry) = world.entries.last() {
        root = Entry::parse(entry).unwrap().state;
    }
    let proof = world.ledger.state().prove(&prefix).unwrap();
    let proved = verify(&proof, prefix.as_bytes(), &root, Record::tally_of).unwrap();
    let counts = match proved.answer {
        Answer::Record { tally, .. } | Answer::Subtree { tally } => tally.columns().collect(),
        Answer::Absent => naive::Counts::new(),
    };
    assert_eq!(counts, naive::count(&world.ledger, of.1.hash()));
    counts
}

/// LA-25 to LA-27, RE-8, RE-12: a thread keeps its first entry; the tally follows its head.
#[test]
fn an_endorsement_through_its_life() {
    let Town { mut world, harbour, mill, of } = town();
    assert_eq!(tally(&world, of), [].into());
    let mut log = Vec::new();
    for step in 0..4 {
        let keys = [[&harbour.3], [&harbour.2], [&harbour.1], [&harbour.3]][step];
        let envelope = match step % 2 {
            0 => world.endorse(of, harbour.0, &keys),
            _ => world.withdraw(of, harbour.0, &keys),
        };
        log.push(world.admit(&envelope));
        let column = if step % 2 == 0 { 0 } else { COLUMN_WITHDRAWN };
        assert_eq!(tally(&world, of), [(column, 1)].into());
        let Some(Record::Endorsement(record)) =
            world.ledger.state().record(&StateKey::endorsement(&of.1, &harbour.0))
        else {
            panic!("there is a record");
        };
        assert_eq!(
            (record.first, record.entry, record.endorsed),
            (log[0], log[step], Some(log[step / 2 * 2]))
        );
        let beside = world.ledger.state().record(&StateKey::by_party(&harbour.0, &of.1)).unwrap();
        assert_eq!(beside.encode(), Record::Endorsement(record.clone()).encode(), "RE-9");
    }
    // Withdrawn first: a record outside every tally, which a later endorsement moves into one.
    let early = world.withdraw(of, mill.0, &[&mill.3]);
    world.admit(&early);
    assert_eq!(tally(&world, of), [(COLUMN_WITHDRAWN, 1)].into());
    let after = world.endorse(of, mill.0, &[&mill.3]);
    world.admit(&after);
    assert_eq!(tally(&world, of), [(0, 1), (COLUMN_WITHDRAWN, 1)].into());
}

/// LA-27: a withdrawal made in advance ends the endorsement that got ahead of it, and no later one.
#[test]
fn a_withdrawal_without_after_ends_a_thread_at_its_first_event() {
    let Town { mut world, harbour, of, .. } = town();
    let drawer = world.withdraw_after(of, harbour.0, &[&harbour.3], None);
    let endorse = world.endorse(of, harbour.0, &[&harbour.3]);
    world.admit(&endorse);
    world.admit(&drawer);
    assert_eq!(tally(&world, of), [(COLUMN_WITHDRAWN, 1)].into());
    let back = world.endorse(of, harbour.0, &[&harbour.3]);
    world.admit(&back);
    assert_eq!(world.submit(&drawer), Err("stale"));
    assert_eq!(tally(&world, of), [(0, 1)].into());
}

/// LA-27: neither another policy, nor a newer version, nor the time stops a withdrawal.
#[test]
fn nothing_but_a_dead_key_stops_a_withdrawal() {
    let Town { mut world, harbour, mill, of } = town();
    let endorse = world.endorse(of, mill.0, &[&mill.3]);
    world.admit(&endorse);
    let withdraw = world.withdraw(of, mill.0, &[&mill.3]);
    let closed = world.set_policy(world.operator, &[&world.operator_admin], policy(Admission::Invited));
    world.admit(&closed);
    let newer = world.version(harbour.0, &[&harbour.2], of.0, crate::fixture::texts());
    world.admit(&newer);
    world.now += 50 * 365 * crate::fixture::DAY;
    world.admit(&withdraw);
}

/// LA-29: which records each event writes, and nothing else; every entry moves the registry's clock.
#[test]
fn each_event_writes_its_records_and_no_others() {
    let Town { mut world, harbour, mill, of } = town();
    let fresh = sign_key(90);
    let events = [
        (world.endorse(of, harbour.0, &[&harbour.3]), vec![0u8, 7, 8]),
        (world.withdraw(of, mill.0, &[&mill.3]), vec![0, 7, 8]),
        (world.keys(mill.0, &[&mill.2], &[&fresh], &[(&mill.3, Ending::Retire)]), vec![0, 1, 2, 2]),
        (world.publish(mill.0, &[&mill.2], "open-mills"), vec![0, 4, 6]),
        (world.version(harbour.0, &[&harbour.2], of.0, crate::fixture::texts()), vec![0, 4, 5]),
        (world.create("Third Party", &[&admin(91), &sign_key(92)]), vec![0, 1, 2, 2]),
    ];
    let policy_event = world.set_policy(world.operator, &[&world.operator_admin], policy(Admission::Open));
    for (envelope, namespaces) in events.into_iter().chain([(policy_event, vec![0])]) {
        let before = naive::records(&world.ledger);
        // Made before the others were logged: the thread may have moved on only by these very events.
        world.admit(&envelope);
        let after = naive::records(&world.ledger);
        let changed: Vec<u8> = after.iter().filter(|r| !before.contains(r)).map(|(key, _)| key[0]).collect();
        assert_eq!(changed, namespaces, "{}", envelope.event().body.type_name());
        assert!(
            before.iter().all(|(key, _)| after.iter().any(|(other, _)| other == key)),
            "nothing is removed"
        );
        let Some(Record::Registry(record)) = world.ledger.state().record(&StateKey::registry()) else {
            panic!("there is a registry");
        };
        assert_eq!(record.received, world.now);
    }
}

/// LA-28: entry 0 writes the registry and its operator, whose id is the genesis.
#[test]
fn entry_0_makes_the_registry_and_its_operator() {
    let world = World::open(Admission::Open);
    let keys: Vec<u8> = naive::records(&world.ledger).iter().map(|(key, _)| key[0]).collect();
    assert_eq!(keys, [0, 1, 2, 2, 2]);
    assert_eq!(world.ledger.registry(), Some(world.registry.clone()));
    assert_eq!(world.registry.operator(), world.operator);
    assert!(world.ledger.state().record(&StateKey::party(&world.operator)).is_some());
}

/// LA-17 at its edge, and the order of the ids in the party's record (RE-3).
#[test]
fn a_party_lists_its_live_keys_in_order() {
    let Town { mut world, harbour, .. } = town();
    let more: Vec<_> = (100..115).map(sign_key).collect();
    let refs: Vec<_> = more.iter().collect();
    let first = world.keys(harbour.0, &[&harbour.2], &refs, &[]);
    world.admit(&first);
    let Some(Record::Party(record)) = world.ledger.state().record(&StateKey::party(&harbour.0)) else {
        panic!("there is a party");
    };
    assert_eq!(record.keys.len(), 18);
    assert!(record.keys.is_sorted() && record.keys.len() < LIVE_KEYS_MAX);
}

/// ST-30: the last sum of a path is the root's, over both namespaces with tallies.
#[test]
fn without_an_end_nothing_falls_due() {
    let Town { mut world, harbour, of, .. } = town();
    let endorse = world.endorse(of, harbour.0, &[&harbour.3]);
    world.admit(&endorse);
    let root = Entry::parse(world.entries.last().unwrap()).unwrap().state;
    let key = StateKey::registry();
    let proof = world.ledger.state().prove(&key).unwrap();
    let proved = verify(&proof, key.as_bytes(), &root, Record::tally_of).unwrap();
    assert_eq!(proved.root_tally.columns().collect::<Vec<_>>(), [(0, 2)]);
    assert_eq!(proved.next_due, undersigned_registry::state_tree::NEVER);
}

/// What an auditor finds: the entries that the law would not have made, each by its name.
#[test]
fn an_auditor_refuses_what_the_law_would_not_have_made() {
    let Town { mut world, harbour, of, .. } = town();
    let endorse = world.endorse(of, harbour.0, &[&harbour.3]);
    let mut auditor = replay(&world.entries);
    let before = (auditor.size(), auditor.settle().unwrap());
    world.admit(&endorse);
    let right = world.entries.last().unwrap().clone();
    let text = String::from_utf8(right.clone()).unwrap();
    let entry = Entry::parse(&right).unwrap();

    let stated = text.replace(&entry.state.to_hex(), &"0".repeat(64));
    let deviation = auditor.follow_entry(stated.as_bytes()).unwrap_err();
    assert!(matches!(deviation, Deviation::State { computed, .. } if computed == entry.state));
    assert!(auditor.state().prove(&StateKey::registry()).is_ok(), "proofs can still be cut");

    let late = text.replace(&format!("\"received\":{}", entry.received), "\"received\":1790000001");
    let deviation = auditor.follow_entry(late.as_bytes()).unwrap_err();
    assert!(matches!(&deviation, Deviation::Refused(refusal) if refusal.code() == "received-back"));

    let forged = text.replace(r#""language":"en""#, r#""language":"fr""#);
    assert!(matches!(auditor.follow_entry(forged.as_bytes()), Err(Deviation::Check(_))));
    assert!(matches!(auditor.follow_entry(b"{}"), Err(Deviation::Parse(_))));
    assert_eq!((auditor.size(), auditor.settle().unwrap()), before, "nothing was followed");
    auditor.follow_entry(&right).unwrap();
    let twice = auditor.follow_entry(&right).unwrap_err();
    assert_eq!(twice, Deviation::Repeat { entry: world.ledger.size() - 1 });
}
