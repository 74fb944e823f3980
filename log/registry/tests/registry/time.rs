//! What ends by itself: rules LA-30 to LA-34, RE-8 and RE-12, as stories of a log over time.

use undersigned_registry::ledger::{Deviation, Ledger};
use undersigned_registry::record::{
    COLUMN_LAPSED, COLUMN_WITHDRAWN, EndorsementRecord, Record, StateKey, Status,
};
use undersigned_registry::rules::{Facts as _, TICK_LAPSES_MAX};
use undersigned_registry::state_tree::{Record as _, verify};
use undersigned_registry::{entry::Entry, id::PartyId, id::VersionId, state_tree::NEVER};

use crate::fixture::{Outcome, Town, World, admin, town};
use crate::{naive, receipts};

fn record(world: &World, version: &VersionId, party: &PartyId) -> EndorsementRecord {
    match world.ledger.state().record(&StateKey::endorsement(version, party)) {
        Some(Record::Endorsement(record)) => record.clone(),
        other => panic!("{other:?}"),
    }
}

/// RE-8, RE-9, RE-12: the party's event stays the head of its thread; status and tally move, in both records.
#[test]
fn an_endorsement_stands_to_its_last_second_and_lapses_with_the_next_tick() {
    let Town { mut world, harbour, mill, of } = town();
    let last = world.now + 100;
    let until = world.endorse_until(of, harbour.0, &[&harbour.3], last);
    let index = world.admit(&until);
    let standing = record(&world, &of.1, &harbour.0);
    assert_eq!((standing.status, standing.due()), (Status::Active, Some(last + 1)));
    assert_eq!(world.ledger.next_due(), Some(last + 1));
    let other = world.endorse(of, mill.0, &[&mill.3]);
    assert_eq!(world.submit_at(&other, last), Ok(Outcome::Entry(index + 1)), "the last second");
    assert_eq!(naive::count(&world.ledger, of.1.hash()), [(0, 2)].into());
    assert_eq!(world.tick_at(last), None);

    let tick = world.tick_at(last + 1).unwrap();
    assert_eq!(tick, index + 2);
    let lapsed = record(&world, &of.1, &harbour.0);
    assert_eq!(lapsed, EndorsementRecord { status: Status::Lapsed, ..standing });
    let beside = world.ledger.state().record(&StateKey::by_party(&harbour.0, &of.1)).unwrap();
    assert_eq!(beside.encode(), Record::Endorsement(lapsed).encode(), "RE-9");
    assert_eq!(naive::count(&world.ledger, of.1.hash()), [(0, 1), (COLUMN_LAPSED, 1)].into());
    assert_eq!(world.ledger.next_due(), None);
    let entry = Entry::parse(world.entries.last().unwrap()).unwrap();
    assert_eq!(entry.state, naive::root(&world.ledger));
    assert!(entry.envelope.proofs().is_empty() && entry.envelope.event().signers.is_empty());

    // And then either way on.
    let withdraw = world.withdraw(of, harbour.0, &[&harbour.3]);
    world.admit(&withdraw);
    assert_eq!(naive::count(&world.ledger, of.1.hash()), [(0, 1), (COLUMN_WITHDRAWN, 1)].into());
    let back = world.endorse_until(of, harbour.0, &[&harbour.3], world.now + 50);
    world.admit(&back);
    assert_eq!(naive::count(&world.ledger, of.1.hash()), [(0, 2)].into());
    assert_eq!(record(&world, &of.1, &harbour.0).first, index);
}

/// What was withdrawn no longer falls due, and without an end nothing does.
#[test]
fn only_what_stands_falls_due() {
    let Town { mut world, harbour, mill, of } = town();
    let until = world.endorse_until(of, harbour.0, &[&harbour.3], world.now + 20);
    world.admit(&until);
    let forever = world.endorse(of, mill.0, &[&mill.3]);
    world.admit(&forever);
    let withdraw = world.withdraw(of, harbour.0, &[&harbour.3]);
    world.admit(&withdraw);
    assert_eq!(world.ledger.next_due(), None);
    let ended = record(&world, &of.1, &harbour.0);
    assert_eq!((ended.status, ended.due()), (Status::Withdrawn, None));
    assert!(ended.not_after.is_some(), "the record says what was endorsed");
    assert_eq!(world.tick_at(world.now + 1_000), None);
}

/// LA-27: the withdrawal from the drawer still ends a thread at its first event after time has.
#[test]
fn a_lapse_makes_no_signed_event_stale() {
    let Town { mut world, harbour, of, .. } = town();
    let drawer = world.withdraw_after(of, harbour.0, &[&harbour.3], None);
    let until = world.endorse_until(of, harbour.0, &[&harbour.3], world.now + 20);
    let index = world.admit(&until);
    world.tick_at(world.now + 30).unwrap();
    assert_eq!(world.submit(&until), Ok(Outcome::Repeat(index)), "LA-4");
    world.admit(&drawer);
    assert_eq!(record(&world, &of.1, &harbour.0).status, Status::Withdrawn);
}

/// LA-33: in the order of the keys, so many at a time; the rest stays due, and nothing comes between but policy.
#[test]
fn a_tick_takes_what_fits_in_the_order_of_the_keys() {
    let Town { mut world, harbour, of, .. } = town();
    let extra = 3;
    let mut parties = Vec::new();
    for number in 0..TICK_LAPSES_MAX + extra {
        let key = admin(2_000 + u16::try_from(number).unwrap());
        let party = world.add_party("A Member", &[&key]);
        // Due at different seconds, the later keys not later: the order is that of keys.
        let last = 1_900_000_000 + u64::try_from(number % 7).unwrap();
        let until = world.endorse_until(of, party, &[&key], last);
        world.admit(&until);
        parties.push(party);
    }
    parties.sort_by_key(|party| *party.hash().as_bytes());
    let late = 1_900_000_100;
    let before = naive::records(&world.ledger);
    world.tick_at(late).unwrap();
    let changed = naive::records(&world.ledger).iter().filter(|record| !before.contains(record)).count();
    assert_eq!(changed, 2 * TICK_LAPSES_MAX + 1, "and the registry's record");
    let lapsed = |world: &World| -> Vec<bool> {
        parties.iter().map(|party| record(world, &of.1, party).status == Status::Lapsed).collect()
    };
    let (done, left) = (vec![true; TICK_LAPSES_MAX], vec![false; extra]);
    assert_eq!(lapsed(&world), [done, left].concat());
    let endorse = world.endorse(of, harbour.0, &[&harbour.3]);
    assert_eq!(world.submit_at(&endorse, late), Err("tick-first"));
    world.tick_at(late).unwrap();
    assert_eq!(lapsed(&world), vec![true; TICK_LAPSES_MAX + extra]);
    assert_eq!(world.ledger.next_due(), None);
    assert_eq!(world.submit_at(&endorse, late).map(drop), Ok(()));
}

/// ST-30, SP-31: every path says when time alone may change what it shows.
#[test]
fn every_path_yields_the_next_due_second() {
    let Town { mut world, harbour, mill, of } = town();
    for (party, key, last) in [(harbour.0, &harbour.3, 500), (mill.0, &mill.3, 300)] {
        let until = world.endorse_until(of, party, &[key], world.now + last);
        world.admit(&until);
    }
    let first_due = record(&world, &of.1, &mill.0).due().unwrap();
    let shown = |world: &World, key: &StateKey| {
        let root = Entry::parse(world.entries.last().unwrap()).unwrap().state;
        let proof = world.ledger.state().prove(key).unwrap();
        verify(&proof, key.as_bytes(), &root, Record::tally_of).unwrap().next_due
    };
    let keys = [StateKey::registry(), StateKey::party(&mill.0), StateKey::endorsements_of(&of.1)];
    assert!(keys.iter().all(|key| shown(&world, key) == first_due));
    world.tick_at(first_due).unwrap();
    let second_due = record(&world, &of.1, &harbour.0).due().unwrap();
    assert!(keys.iter().all(|key| shown(&world, key) == second_due));
    world.tick_at(second_due).unwrap();
    assert!(keys.iter().all(|key| shown(&world, key) == NEVER));
}

/// An auditor finds a tick that was withheld, and one that leaves out what was due.
#[test]
fn an_auditor_refuses_a_withheld_and_a_false_tick() {
    let Town { mut world, harbour, mill, of } = town();
    let until = world.endorse_until(of, harbour.0, &[&harbour.3], world.now + 20);
    world.admit(&until);
    let endorse = world.endorse(of, mill.0, &[&mill.3]);
    let entries = world.entries.clone();
    let auditor = || {
        let mut ledger = Ledger::new();
        entries.iter().for_each(|entry| ledger.follow_entry(entry).unwrap());
        ledger
    };
    world.admit(&endorse);
    let honest = String::from_utf8(world.entries.pop().unwrap()).unwrap();
    let late = honest
        .replace(&format!("\"received\":{}", world.now), &format!("\"received\":{}", world.now + 1_000));
    let deviation = auditor().follow_entry(late.as_bytes()).unwrap_err();
    assert!(matches!(&deviation, Deviation::Refused(refusal) if refusal.code() == "tick-first"));

    let mut world = World { ledger: auditor(), follower: auditor(), entries: entries.clone(), ..world };
    let unmoved = world.ledger.settle().unwrap();
    world.tick_at(world.now + 1_000).unwrap();
    let tick = String::from_utf8(world.entries.pop().unwrap()).unwrap();
    let state = Entry::parse(tick.as_bytes()).unwrap().state;
    let idle = tick.replace(&state.to_hex(), &unmoved.to_hex());
    assert!(matches!(auditor().follow_entry(idle.as_bytes()), Err(Deviation::State { .. })));
    assert!(auditor().follow_entry(tick.as_bytes()).is_ok());
}

/// RC-5, EN-31: a tick is proved like any entry; nobody signed it, and it moves no record of its own.
#[test]
fn a_tick_has_a_receipt_without_signers() {
    let Town { mut world, harbour, of, .. } = town();
    let last = world.now + 20;
    let until = world.endorse_until(of, harbour.0, &[&harbour.3], last);
    let endorse = usize::try_from(world.admit(&until)).unwrap();
    let tick = usize::try_from(world.tick_at(world.now + 30).unwrap()).unwrap();
    let log = receipts::Log::of(world.registry.clone(), world.entries.clone());
    let policy = receipts::policy_text(Some(&world.registry));
    let verified = receipts::check(&log.receipt(tick), &policy, None).unwrap();
    assert_eq!((verified.party, verified.party_record), (None, None));
    assert!(verified.signers.is_empty() && verified.endorsement.is_none());
    let verified = receipts::check(&log.receipt(endorse), &policy, None).unwrap();
    assert_eq!(verified.endorsement.unwrap().not_after, Some(last));
}
