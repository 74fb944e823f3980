//! Random logs of all event types: after every entry its root is the naive one, a second ledger agrees (the
//! fixture follows every entry), and undoing leads back.

use undersigned_registry::entry::Entry;
use undersigned_registry::envelope::Envelope;
use undersigned_registry::event::{Admission, Ending};
use undersigned_registry::id::PartyId;
use undersigned_registry::key::Role;
use undersigned_registry::ledger::Verdict;
use undersigned_tlog::hash::sha256;

use crate::fixture::{Key, Of, Outcome, World, hash_of, key, policy};
use crate::naive;

/// Numbers that look random and are the same every time.
struct Dice {
    seed: u64,
    rolls: u64,
}

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.rolls += 1;
        let hash = sha256(&[&self.seed.to_be_bytes(), &self.rolls.to_be_bytes()]);
        let number = u64::from_be_bytes(hash.as_bytes()[..8].try_into().unwrap());
        usize::try_from(number % u64::try_from(sides).unwrap()).unwrap()
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.roll(items.len())]
    }
}

struct Member {
    id: PartyId,
    keys: Vec<Key>,
}

/// An envelope that may be right or wrong: what is refused must change nothing.
fn next(
    dice: &mut Dice,
    world: &World,
    members: &[Member],
    of: &[Of],
    number: u16,
) -> (Envelope, Option<Vec<Key>>) {
    let role = *dice.pick(&[Role::Sign, Role::Admin, Role::Recovery]);
    let fresh = key(1_000 + number, role);
    let operator = [&world.operator_admin];
    let Some(member) = (!members.is_empty()).then(|| dice.pick(members)) else {
        let keys = vec![key(1_000 + number, Role::Admin)];
        return (world.create("Somebody", &keys.iter().collect::<Vec<_>>()), Some(keys));
    };
    let signer = dice.pick(&member.keys);
    let choice = dice.roll(12);
    let envelope = match choice {
        0 => {
            let keys = vec![fresh, key(3_000 + number, Role::Admin)];
            let named = format!("Party {number}");
            return (world.create(&named, &keys.iter().collect::<Vec<_>>()), Some(keys));
        }
        1 => world.set_policy(world.operator, &operator, policy(Admission::Open)),
        2 => world.keys(member.id, &[signer], &[&fresh], &[]),
        3 => world.keys(member.id, &[signer], &[], &[(dice.pick(&member.keys), Ending::Revoke)]),
        4 => world.publish(member.id, &[signer], &format!("statement-{}", number % 40)),
        5 if !of.is_empty() => world.version(member.id, &[signer], dice.pick(of).0, crate::fixture::texts()),
        6..=7 if !of.is_empty() => world.endorse(*dice.pick(of), member.id, &[signer]),
        8 if !of.is_empty() => {
            let last = world.now + 1 + u64::try_from(dice.roll(6)).unwrap();
            world.endorse_until(*dice.pick(of), member.id, &[signer], last)
        }
        9..=10 if !of.is_empty() => world.withdraw(*dice.pick(of), member.id, &[signer]),
        11 if !of.is_empty() => world.withdraw_after(*dice.pick(of), member.id, &[signer], None),
        _ => world.publish(member.id, &[signer], &format!("statement-{number}")),
    };
    (envelope, None)
}

fn run(seed: u64, steps: u16) -> (usize, usize) {
    let mut dice = Dice { seed, rolls: 0 };
    let mut world = World::open(Admission::Open);
    let (mut members, mut of): (Vec<Member>, Vec<Of>) = (Vec::new(), Vec::new());
    let (mut admitted, mut refused, mut ticks) = (0, 0, 0);
    for number in 0..steps {
        let (envelope, keys) = next(&mut dice, &world, &members, &of, number);
        let received = world.now + u64::try_from(dice.roll(3)).unwrap();
        if world.tick_at(received).is_some() {
            let entry = Entry::parse(world.entries.last().unwrap()).unwrap();
            assert_eq!(entry.state, naive::root(&world.ledger), "RE-11: a tick, seed {seed}, step {number}");
            ticks += 1;
        }
        // First there and back again: the same bytes must come out the second time.
        let before = world.ledger.settle().unwrap();
        let mut tried = None;
        if let Ok(Verdict::Entry(entry)) = world.ledger.admit(&envelope.clone().check().unwrap(), received) {
            world.ledger.undo(entry.undo);
            tried = Some(entry.entry);
        }
        assert_eq!(world.ledger.settle().unwrap(), before, "undone");
        assert_eq!(naive::root(&world.ledger), before);
        match world.submit_at(&envelope, received) {
            Ok(Outcome::Entry(_)) => {
                assert_eq!(world.entries.last(), tried.as_ref());
                let entry = Entry::parse(world.entries.last().unwrap()).unwrap();
                assert_eq!(entry.state, naive::root(&world.ledger), "RE-11: seed {seed}, step {number}");
                admitted += 1;
            }
            Ok(Outcome::Repeat(_)) => continue,
            Err(_) => {
                refused += 1;
                continue;
            }
        }
        if let Some(keys) = keys {
            members.push(Member { id: PartyId(hash_of(&envelope).0), keys });
        }
        let body = &envelope.event().body;
        if let undersigned_registry::event::Body::PartyKeys { add, .. } = body
            && let Some(added) = add.first()
        {
            let id = envelope.event().party.unwrap();
            let member = members.iter_mut().find(|member| member.id == id).unwrap();
            member.keys.push(key(1_000 + number, added.role));
        }
        if let undersigned_registry::event::Body::StatementVersion { statement, .. } = body {
            of.push((*statement, undersigned_registry::id::VersionId(hash_of(&envelope).0)));
        }
        if let undersigned_registry::event::Body::StatementPublish { .. } = body {
            let statement = undersigned_registry::id::StatementId(hash_of(&envelope).0);
            let admins: Vec<Key> = members.iter().flat_map(|member| member.keys.clone()).collect();
            let party = envelope.event().party.unwrap();
            for signer in admins.iter().filter(|key| key.role >= Role::Admin) {
                let version = world.version(party, &[signer], statement, crate::fixture::texts());
                if world.submit_at(&version, world.now).is_ok() {
                    of.push((statement, undersigned_registry::id::VersionId(hash_of(&version).0)));
                    break;
                }
            }
        }
    }
    for (_, version) in &of {
        let count = naive::count(&world.ledger, version.hash());
        assert!(count.keys().all(|column| [0, 5, 6].contains(column)));
    }
    let namespaces: Vec<u8> = naive::records(&world.ledger).iter().map(|(key, _)| key[0]).collect();
    assert!([0, 1, 2, 4, 5, 6, 7, 8].iter().all(|namespace| namespaces.contains(namespace)));
    assert!(ticks > 0, "time passes in every history");
    (admitted, refused)
}

/// RE-11, ST-13: the root after every entry is a pure function of the records, and the records of the log.
#[test]
fn random_logs_have_the_naive_root_after_every_entry() {
    for seed in 0..4 {
        let (admitted, refused) = run(seed, 160);
        assert!(admitted > 60 && refused > 15, "{admitted} admitted, {refused} refused");
    }
}

/// RE-11: several entries are taken back together, newest first.
#[test]
fn a_batch_is_undone_as_a_whole() {
    let crate::fixture::Town { mut world, harbour, mill, of } = crate::fixture::town();
    let before = world.fingerprint();
    let mut undo = Vec::new();
    let mut roots = vec![before.1];
    for step in 0..3u64 {
        let envelope = match step {
            0 => world.endorse(of, harbour.0, &[&harbour.3]),
            1 => world.withdraw(of, harbour.0, &[&harbour.3]),
            _ => world.keys(mill.0, &[&mill.3], &[], &[(&mill.3, Ending::Revoke)]),
        };
        match world.ledger.admit(&envelope.check().unwrap(), world.now + step).unwrap() {
            Verdict::Entry(entry) => undo.push(entry.undo),
            Verdict::Repeat { .. } => panic!("nothing is a repeat"),
        }
        roots.push(naive::root(&world.ledger));
    }
    assert!(roots.iter().enumerate().all(|(place, root)| !roots[..place].contains(root)));
    undo.into_iter().rev().for_each(|undo| world.ledger.undo(undo));
    assert_eq!(world.fingerprint(), before);
    assert_eq!(naive::root(&world.ledger), before.1);
}
