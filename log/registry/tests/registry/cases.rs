//! What the law refuses, told as logs and moments in them: each case is an envelope, the entries before it,
//! the code, and the right twin. `law` runs them, `vectors` writes them down for other languages.

use undersigned_registry::envelope::Envelope;
use undersigned_registry::event::{Admission, Body, Ending, Event, TextStatus};
use undersigned_registry::id::{EventHash, PartyId, RegistryId, StatementId, VersionId};
use undersigned_registry::key::Role;
use undersigned_tlog::hash::{Hash, sha256};

use crate::fixture::{
    DAY, Key, Of, START, Town, WINDOW, World, admin, hash_of, ids, key, open_event, policy, recovery,
    sign_key, signed, text, town, town_of,
};

pub(crate) struct Log {
    pub(crate) name: &'static str,
    pub(crate) entries: Vec<Vec<u8>>,
}

pub(crate) struct Refused {
    pub(crate) about: &'static str,
    pub(crate) rules: &'static [&'static str],
    pub(crate) log: &'static str,
    pub(crate) size: usize,
    pub(crate) envelope: Envelope,
    pub(crate) received: u64,
    pub(crate) code: &'static str,
    pub(crate) twin: (Envelope, u64),
}

pub(crate) struct Repeated {
    pub(crate) about: &'static str,
    pub(crate) log: &'static str,
    pub(crate) size: usize,
    pub(crate) envelope: Envelope,
    pub(crate) received: u64,
    pub(crate) entry: u64,
}

#[derive(Default)]
pub(crate) struct Cases {
    pub(crate) logs: Vec<Log>,
    pub(crate) refused: Vec<Refused>,
    pub(crate) repeated: Vec<Repeated>,
}

struct Teller<'a> {
    cases: &'a mut Cases,
    log: &'static str,
}

impl Teller<'_> {
    fn refuse(
        &mut self,
        world: &World,
        rules: &'static [&'static str],
        code: &'static str,
        about: &'static str,
        envelope: &Envelope,
        twin: &Envelope,
    ) {
        let at = world.now + 1;
        self.refuse_at(world, rules, code, about, (envelope, at), (twin, at));
    }

    fn refuse_at(
        &mut self,
        world: &World,
        rules: &'static [&'static str],
        code: &'static str,
        about: &'static str,
        (envelope, received): (&Envelope, u64),
        (twin, twin_received): (&Envelope, u64),
    ) {
        self.cases.refused.push(Refused {
            about,
            rules,
            log: self.log,
            size: world.entries.len(),
            envelope: envelope.clone(),
            received,
            code,
            twin: (twin.clone(), twin_received),
        });
    }

    fn repeat(&mut self, world: &World, about: &'static str, envelope: &Envelope, entry: u64) {
        self.cases.repeated.push(Repeated {
            about,
            log: self.log,
            size: world.entries.len(),
            envelope: envelope.clone(),
            received: world.now + 1,
            entry,
        });
    }

    fn close(self, world: World) {
        self.cases.logs.push(Log { name: self.log, entries: world.entries });
    }
}

pub(crate) fn all() -> Cases {
    let mut cases = Cases::default();
    genesis(&mut cases);
    common(&mut cases);
    threads(&mut cases);
    keys(&mut cases);
    statements(&mut cases);
    invited(&mut cases);
    time(&mut cases);
    cases
}

fn with(mut event: Event, change: impl FnOnce(&mut Event), keys: &[&Key]) -> Envelope {
    change(&mut event);
    signed(&event, keys)
}

fn nobody() -> Hash {
    sha256(&[b"nobody"])
}

fn genesis(cases: &mut Cases) {
    let mut tell = Teller { cases, log: "genesis" };
    let world = World::open(Admission::Open);
    let owned = [world.operator_admin.clone(), world.operator_recovery.clone(), world.operator_sign.clone()];
    let keys: Vec<&Key> = owned.iter().collect();
    let open = open_event(Admission::Open, 9, &keys);
    let right = signed(&open, &keys);
    let early = admin(50);
    let party =
        with(world.event(None, &[&early], None, create_body("Early Bird", &early)), |_| (), &[&early]);
    let stranger = admin(51);
    let mut with_stranger = open.clone();
    with_stranger.signers = ids(&[keys[0], keys[1], keys[2], &stranger]);
    let four = [keys[0], keys[1], keys[2], &stranger];
    let second_law = with(
        open.clone(),
        |event| {
            if let Body::RegistryOpen { policy, .. } = &mut event.body {
                policy.v = 2;
            }
        },
        &keys,
    );
    let empty = World { entries: Vec::new(), ..world };
    let now = START;
    for (rules, code, about, envelope, received) in [
        (&["LA-1"][..], "not-genesis", "a party before the registry", &party, now),
        (&["LA-11"], "expired", "registry.open after its log_before", &right, now + DAY + 1),
        (
            &["LA-12"],
            "log-before-too-far",
            "registry.open whose log_before is past its own window",
            &right,
            now + DAY - WINDOW - 1,
        ),
        (&["LA-19"], "law-version", "registry.open with a law of the future", &second_law, now),
        (
            &["LA-6", "LA-28"],
            "unknown-key",
            "registry.open with a signer who is no key of the operator",
            &signed(&with_stranger, &four),
            now,
        ),
    ] {
        tell.refuse_at(&empty, rules, code, about, (envelope, received), (&right, now));
    }
    let mut world = World::open(Admission::Open);
    let other = signed(&open_event(Admission::Open, 10, &keys), &keys);
    let first = admin(52);
    let create = world.create("First Comer", &[&first]);
    tell.refuse(&world, &["LA-1"], "not-genesis", "another registry.open later", &other, &create);
    tell.repeat(&world, "registry.open once more", &right, 0);
    world.admit(&create);
    tell.repeat(&world, "registry.open once more, though another event came since", &right, 0);
    tell.close(world);
}

fn create_body(named: &str, key: &Key) -> Body {
    Body::PartyCreate {
        domain: None,
        names: vec![crate::fixture::name("en", named)],
        keys: vec![key.new_key()],
    }
}

/// LA-2, LA-3, LA-5 to LA-12, LA-18, LA-19.
fn common(cases: &mut Cases) {
    let mut tell = Teller { cases, log: "common" };
    let Town { mut world, harbour, mill, of } = town();
    let (party, harbour_recovery, harbour_admin, harbour_sign) = &harbour;
    let right = world.endorse(of, *party, &[harbour_sign]);
    let event = right.event().clone();

    let twin_registry = World::open_with_nonce(Admission::Open, 10).registry;
    assert_eq!(twin_registry.origin(), world.registry.origin());
    let elsewhere = RegistryId::new("other.example", world.registry.genesis()).unwrap();
    for (about, registry) in [
        ("an event for a registry of the same origin and other nonce", twin_registry),
        ("an event for another origin with the same genesis", elsewhere),
    ] {
        let wrong = with(event.clone(), |event| event.registry = Some(registry), &[harbour_sign]);
        tell.refuse(&world, &["LA-2"], "wrong-registry", about, &wrong, &right);
    }

    let now = world.now;
    let about = "an entry earlier than the one before it";
    tell.refuse_at(&world, &["LA-3"], "received-back", about, (&right, now - 1), (&right, now));

    let unknown = with(event.clone(), |event| event.party = Some(PartyId(nobody())), &[harbour_sign]);
    tell.refuse(&world, &["LA-5"], "unknown-party", "a party that nobody created", &unknown, &right);
    let mut lost =
        world.keys(*party, &[harbour_admin], &[], &[(harbour_sign, Ending::Retire)]).event().clone();
    lost.party = Some(PartyId(nobody()));
    let lost = signed(&lost, &[harbour_admin]);
    tell.refuse(&world, &["LA-5"], "unknown-party", "keys of a party that nobody created", &lost, &right);

    let stranger = sign_key(60);
    let bad = world.endorse(of, *party, &[&stranger]);
    tell.refuse(&world, &["LA-6"], "unknown-key", "a key that nobody registered", &bad, &right);
    let bad = world.endorse(of, *party, &[harbour_sign, &stranger]);
    tell.refuse(&world, &["LA-6"], "unknown-key", "one known key and one unknown", &bad, &right);
    let bad = world.endorse(of, *party, &[&mill.3]);
    tell.refuse(&world, &["LA-7"], "foreign-key", "another party's key", &bad, &right);
    let bad = world.endorse(of, *party, &[harbour_admin, &mill.2]);
    tell.refuse(&world, &["LA-7"], "foreign-key", "an own key and another party's", &bad, &right);
    let bad = world.endorse(of, *party, &[&world.operator_admin]);
    tell.refuse(&world, &["LA-7"], "foreign-key", "the operator signs for a party", &bad, &right);

    let late =
        |log_before: u64| with(event.clone(), |event| event.log_before = Some(log_before), &[harbour_sign]);
    let at = now + 1;
    let (edge, far) = (late(at), late(at + WINDOW));
    let about = "log_before a second ago; in that very second it is right";
    tell.refuse_at(&world, &["LA-11"], "expired", about, (&late(at - 1), at), (&edge, at));
    let about = "log_before a second past the window; at its end it is right";
    tell.refuse_at(&world, &["LA-12"], "log-before-too-far", about, (&late(at + WINDOW + 1), at), (&far, at));
    let never = late((1 << 53) - 1);
    let about = "log_before in the far future";
    tell.refuse(&world, &["LA-12"], "log-before-too-far", about, &never, &right);

    // The role matrix: what a sign key may not do, an admin or recovery key may.
    let by = |signer: &Key| {
        [
            world.publish(*party, &[signer], "wide-roads"),
            world.version(*party, &[signer], of.0, crate::fixture::texts()),
            world.keys(*party, &[signer], &[&sign_key(61)], &[]),
            world.keys(*party, &[signer], &[], &[(harbour_admin, Ending::Retire)]),
        ]
    };
    for higher in [harbour_admin, harbour_recovery] {
        for (low, high) in by(harbour_sign).iter().zip(&by(higher)) {
            let about = "a sign key does what asks for an admin key";
            tell.refuse(&world, &["LA-9"], "role-too-low", about, low, high);
        }
    }
    let operator = world.operator;
    let next = crate::fixture::policy(Admission::Invited);
    let low = world.set_policy(operator, &[&world.operator_sign], next);
    for higher in [&world.operator_admin, &world.operator_recovery] {
        let high = world.set_policy(operator, &[higher], next);
        tell.refuse(&world, &["LA-9"], "role-too-low", "a sign key sets the policy", &low, &high);
    }
    for (about, add, end) in [
        ("an admin key adds a recovery key", vec![recovery(62)], vec![]),
        ("an admin key ends the recovery key", vec![], vec![(harbour_recovery, Ending::Revoke)]),
    ] {
        let add: Vec<&Key> = add.iter().collect();
        let low = world.keys(*party, &[harbour_admin], &add, &end);
        let high = world.keys(*party, &[harbour_recovery], &add, &end);
        tell.refuse(&world, &["LA-9"], "role-too-low", about, &low, &high);
    }
    let newcomer = admin(63);
    let alone = world.keys(*party, &[], &[&newcomer], &[]);
    let brought = world.keys(*party, &[harbour_admin], &[&newcomer], &[]);
    let about = "a stranger's key adds itself to a party";
    tell.refuse(&world, &["LA-9"], "role-too-low", about, &alone, &brought);

    let high = world.set_policy(operator, &[&world.operator_admin], next);
    let usurped = world.set_policy(*party, &[harbour_admin], next);
    tell.refuse(&world, &["LA-18"], "not-operator", "a party sets the policy", &usurped, &high);
    for (v, about) in [(2, "a law that nobody knows yet"), (0, "a law before the one in force")] {
        let mut wrong = next;
        wrong.v = v;
        let wrong = world.set_policy(operator, &[&world.operator_admin], wrong);
        tell.refuse(&world, &["LA-19"], "law-version", about, &wrong, &high);
    }
    world.admit(&high);
    tell.repeat(&world, "the policy in force once more", &high, 5);
    let back = world.set_policy(operator, &[&world.operator_admin], policy(Admission::Open));
    let mut stale = back.event().clone();
    stale.after = high.event().after;
    let stale = signed(&stale, &[&world.operator_admin]);
    tell.refuse(&world, &["LA-10"], "stale", "a policy after one that was superseded", &stale, &back);
    world.admit(&back);
    let next = world.set_policy(operator, &[&world.operator_admin], policy(Admission::Invited));
    tell.refuse(&world, &["LA-10"], "stale", "a policy that was superseded comes again", &high, &next);
    tell.close(world);
}

/// LA-4, LA-10, LA-25 to LA-27: one endorsement through its life, every old event replayed in between.
fn threads(cases: &mut Cases) {
    let mut tell = Teller { cases, log: "threads" };
    let Town { mut world, harbour, mill, of } = town();
    let (party, _, _, signer) = &harbour;
    let keys = [signer];

    // Made in advance, before any endorsement: what a careful party keeps in its drawer.
    let drawer = world.withdraw_after(of, *party, &keys, None);
    let endorse = world.endorse(of, *party, &keys);
    let ghost = EventHash(nobody());
    let wrong = world.endorse_after(of, *party, &keys, Some(ghost));
    let about = "a first endorsement with an after";
    tell.refuse(&world, &["LA-10"], "stale", about, &wrong, &endorse);
    let wrong = world.withdraw_after(of, *party, &keys, Some(ghost));
    let about = "a withdrawal after an event that never was";
    tell.refuse(&world, &["LA-10", "LA-27"], "stale", about, &wrong, &drawer);
    let first = world.admit(&endorse);
    tell.repeat(&world, "the endorsement at the head of its thread", &endorse, first);

    let withdraw = world.withdraw(of, *party, &keys);
    let again = world.endorse(of, *party, &keys);
    let about = "a standing endorsement endorsed again";
    tell.refuse(&world, &["LA-25"], "already-endorsed", about, &again, &withdraw);
    let wrong = world.endorse_after(of, *party, &keys, None);
    let wrong = with(
        wrong.event().clone(),
        |event| event.log_before = event.log_before.map(|second| second + 1),
        &keys,
    );
    let about = "a second first endorsement; without after the withdrawal from the drawer is right";
    tell.refuse(&world, &["LA-10", "LA-27"], "stale", about, &wrong, &drawer);
    let second = world.admit(&withdraw);
    tell.repeat(&world, "the withdrawal at the head of its thread", &withdraw, second);

    let back = world.endorse(of, *party, &keys);
    let about = "the endorsement again after it was withdrawn";
    tell.refuse(&world, &["LA-4", "LA-10"], "stale", about, &endorse, &back);
    let about = "the withdrawal from the drawer after another withdrawal";
    tell.refuse(&world, &["LA-10", "LA-27"], "stale", about, &drawer, &back);
    let twice = world.withdraw(of, *party, &keys);
    let about = "a withdrawal of what is withdrawn";
    tell.refuse(&world, &["LA-26"], "already-withdrawn", about, &twice, &back);
    let third = world.admit(&back);
    tell.repeat(&world, "the second endorsement at the head of its thread", &back, third);

    let end = world.withdraw(of, *party, &keys);
    for (about, old) in [
        ("the first endorsement again while the second stands", &endorse),
        ("the first withdrawal again while the second endorsement stands", &withdraw),
        ("the withdrawal from the drawer while the second endorsement stands", &drawer),
    ] {
        tell.refuse(&world, &["LA-4", "LA-10"], "stale", about, old, &end);
    }
    world.admit(&end);
    let anew = world.endorse(of, *party, &keys);
    for old in [&endorse, &withdraw, &drawer, &back] {
        let about = "an old event of the thread after its end";
        tell.refuse(&world, &["LA-4", "LA-10"], "stale", about, old, &anew);
    }

    // The other party withdraws before it endorses: what it signed and what was not yet logged ends.
    let (party, _, _, signer) = &mill;
    let keys = [signer];
    let waiting = world.endorse_after(of, *party, &keys, None);
    let drawer = world.withdraw_after(of, *party, &keys, None);
    let fourth = world.admit(&drawer);
    tell.repeat(&world, "a withdrawal that came before any endorsement", &drawer, fourth);
    let after = world.endorse(of, *party, &keys);
    let about = "an endorsement signed before the withdrawal that came first";
    tell.refuse(&world, &["LA-10"], "stale", about, &waiting, &after);
    let again = world.withdraw_after(of, *party, &[&mill.2], None);
    let about = "a second withdrawal without after where nothing stands";
    tell.refuse(&world, &["LA-26", "LA-27"], "already-withdrawn", about, &again, &after);
    world.admit(&after);
    let about = "the withdrawal that came first does not end what was signed after it";
    let right = world.withdraw(of, *party, &keys);
    tell.refuse(&world, &["LA-27"], "stale", about, &drawer, &right);
    let again = world.withdraw_after(of, *party, &[&mill.2], None);
    let about = "a withdrawal without after where the thread is past its first event";
    tell.refuse(&world, &["LA-27"], "stale", about, &again, &right);
    tell.close(world);
}

/// LA-8, LA-13, LA-15 to LA-17.
fn keys(cases: &mut Cases) {
    let mut tell = Teller { cases, log: "keys" };
    let Town { mut world, harbour, mill, of } = town();
    let (party, recovery_key, admin_key, signer) = &harbour;
    let fresh = sign_key(70);
    let right = world.keys(*party, &[admin_key], &[&fresh], &[]);
    let in_use = &["LA-13"][..];
    let about = "a key that the party has already";
    let bad = world.keys(*party, &[admin_key], &[signer], &[]);
    tell.refuse(&world, in_use, "key-in-use", about, &bad, &right);
    let about = "a key of another party";
    let bad = world.keys(*party, &[admin_key], &[&mill.3], &[]);
    tell.refuse(&world, in_use, "key-in-use", about, &bad, &right);
    let newcomer = admin(71);
    let create = world.create("Newcomers", &[&newcomer]);
    let bad = world.create("Newcomers", &[&newcomer, &mill.2]);
    tell.refuse(&world, in_use, "key-in-use", "a new party with another party's key", &bad, &create);
    let bad = world.create("Newcomers", &[&world.operator_admin]);
    tell.refuse(&world, in_use, "key-in-use", "a new party with the operator's key", &bad, &create);

    let not_live = &["LA-15"][..];
    let retire = world.keys(*party, &[admin_key], &[], &[(signer, Ending::Retire)]);
    let bad = world.keys(*party, &[admin_key], &[], &[(&mill.3, Ending::Revoke)]);
    tell.refuse(&world, not_live, "key-not-live", "the end of another party's key", &bad, &retire);
    let bad = world.keys(*party, &[admin_key], &[], &[(&sign_key(72), Ending::Revoke)]);
    tell.refuse(&world, not_live, "key-not-live", "the end of a key that nobody registered", &bad, &retire);
    let bad = world.keys(*party, &[admin_key], &[&fresh], &[(&fresh, Ending::Retire)]);
    tell.refuse(&world, not_live, "key-not-live", "a key that comes and goes in one event", &bad, &retire);

    // Any key may end itself, and no other key of its rank.
    let first = world.admit(&right);
    tell.repeat(&world, "the newest event of the party's keys", &right, first);
    let itself = world.keys(*party, &[signer], &[], &[(signer, Ending::Revoke)]);
    let other = world.keys(*party, &[signer], &[], &[(&fresh, Ending::Revoke)]);
    let about = "a sign key ends another sign key; it may end itself";
    tell.refuse(&world, &["LA-9"], "role-too-low", about, &other, &itself);
    let both = world.keys(*party, &[signer], &[], &[(signer, Ending::Revoke), (&fresh, Ending::Revoke)]);
    let about = "a sign key ends itself and another";
    tell.refuse(&world, &["LA-9"], "role-too-low", about, &both, &itself);
    world.admit(&itself);
    let endorse = world.endorse(of, *party, &[&fresh]);
    let bad = world.endorse(of, *party, &[signer]);
    tell.refuse(&world, &["LA-8"], "ended-key", "a key that was ended", &bad, &endorse);
    let bad = world.endorse(of, *party, &[signer, recovery_key]);
    let about = "a key that was ended beside one that lives";
    tell.refuse(&world, &["LA-8"], "ended-key", about, &bad, &endorse);
    let bad = world.withdraw_after(of, *party, &[signer], None);
    let right = world.withdraw_after(of, *party, &[&fresh], None);
    tell.refuse(&world, &["LA-8"], "ended-key", "a withdrawal by a key that was ended", &bad, &right);
    let bad = world.keys(*party, &[admin_key], &[], &[(signer, Ending::Retire)]);
    let right = world.keys(*party, &[admin_key], &[], &[(&fresh, Ending::Retire)]);
    tell.refuse(&world, not_live, "key-not-live", "a key that was ended ends again", &bad, &right);
    let bad = world.keys(*party, &[admin_key], &[signer], &[]);
    let right = world.keys(*party, &[admin_key], &[&sign_key(73)], &[]);
    tell.refuse(&world, in_use, "key-in-use", "a key that was ended comes back", &bad, &right);
    let bad = world.create("Newcomers", &[&newcomer, signer]);
    tell.refuse(&world, in_use, "key-in-use", "another party's ended key", &bad, &create);
    let stale = with(
        right.event().clone(),
        |event| event.after = Some(EventHash(party.0)),
        &[admin_key, &sign_key(73)],
    );
    let about = "keys after an event that was superseded";
    tell.refuse(&world, &["LA-10"], "stale", about, &stale, &right);

    // The last key of rank stays.
    let last = &["LA-16"][..];
    let all: &[(&Key, Ending)] = &[(admin_key, Ending::Retire), (recovery_key, Ending::Retire)];
    let one = world.keys(*party, &[recovery_key], &[], &all[..1]);
    let bad = world.keys(*party, &[recovery_key], &[], all);
    tell.refuse(&world, last, "last-key", "the end of every admin and recovery key", &bad, &one);
    world.admit(&one);
    let bad = world.keys(*party, &[recovery_key], &[], &all[1..]);
    let successor = admin(74);
    let right = world.keys(*party, &[recovery_key], &[&successor], &all[1..]);
    tell.refuse(
        &world,
        last,
        "last-key",
        "the last recovery key ends itself without a successor",
        &bad,
        &right,
    );
    let heir = sign_key(75);
    let bad = world.keys(*party, &[recovery_key], &[&heir], &all[1..]);
    let about = "the last recovery key leaves a sign key behind";
    tell.refuse(&world, last, "last-key", about, &bad, &right);

    // 32 live keys: recovery and `fresh` live, 30 more fit.
    let more: Vec<Key> = (100..130).map(|number| key(number, Role::Sign)).collect();
    for part in more.chunks(15) {
        let part: Vec<&Key> = part.iter().collect();
        let envelope = world.keys(*party, &[recovery_key], &part, &[]);
        world.admit(&envelope);
    }
    let over = sign_key(130);
    let bad = world.keys(*party, &[recovery_key], &[&over], &[]);
    let right = world.keys(*party, &[recovery_key], &[&over], &[(&fresh, Ending::Retire)]);
    tell.refuse(&world, &["LA-17"], "too-many-keys", "a 33rd live key", &bad, &right);
    tell.close(world);
}

/// LA-20 to LA-24.
fn statements(cases: &mut Cases) {
    let mut tell = Teller { cases, log: "statements" };
    let Town { mut world, harbour, mill, of } = town();
    let (party, _, admin_key, signer) = &harbour;
    tell.repeat(&world, "the newest version of a statement", &entry_envelope(&world, 4), 4);
    tell.repeat(&world, "the event that a statement is named after", &entry_envelope(&world, 3), 3);
    tell.repeat(&world, "the event that a party is named after", &entry_envelope(&world, 1), 1);
    let right = world.publish(mill.0, &[&mill.2], "open-mills");
    let about = "a slug that another statement has";
    let bad = world.publish(mill.0, &[&mill.2], "clear-rivers");
    tell.refuse(&world, &["LA-20"], "slug-taken", about, &bad, &right);
    let bad = with(
        world.publish(*party, &[admin_key], "clear-rivers").event().clone(),
        |event| event.log_before = event.log_before.map(|second| second - 1),
        &[admin_key],
    );
    tell.refuse(&world, &["LA-20"], "slug-taken", "the sponsor's own slug again", &bad, &right);

    let nothing = StatementId(nobody());
    let right = world.version(*party, &[admin_key], of.0, crate::fixture::texts());
    let mut bad = right.event().clone();
    bad.body = Body::StatementVersion { statement: nothing, texts: crate::fixture::texts() };
    let bad = signed(&bad, &[admin_key]);
    let about = "a version of a statement that nobody published";
    tell.refuse(&world, &["LA-21"], "unknown-statement", about, &bad, &right);
    let bad = world.version(mill.0, &[&mill.2], of.0, crate::fixture::texts());
    tell.refuse(&world, &["LA-22"], "not-sponsor", "a version by another party", &bad, &right);
    let bad = with(right.event().clone(), |event| event.after = Some(EventHash(of.0.0)), &[admin_key]);
    let about = "a version after an event that was superseded";
    tell.refuse(&world, &["LA-10"], "stale", about, &bad, &right);

    let endorse = world.endorse(of, *party, &[signer]);
    let withdraw = world.withdraw(of, *party, &[signer]);
    for (about, wrong) in [
        ("of a statement that nobody published", (nothing, of.1)),
        ("of the sponsor's party id as a statement", (StatementId(party.0), of.1)),
    ] {
        let bad = world.endorse(wrong, *party, &[signer]);
        tell.refuse(&world, &["LA-21"], "unknown-statement", about, &bad, &endorse);
        let bad = world.withdraw(wrong, *party, &[signer]);
        tell.refuse(&world, &["LA-21"], "unknown-statement", about, &bad, &withdraw);
    }
    let second = world.add_statement(mill.0, &[&mill.2], "open-mills");
    for (about, wrong) in [
        ("a version that nobody published", (of.0, VersionId(nobody()))),
        ("a version of another statement", (of.0, second.1)),
    ] {
        let wrong: Of = wrong;
        let bad = world.endorse(wrong, *party, &[signer]);
        tell.refuse(&world, &["LA-23"], "unknown-version", about, &bad, &endorse);
        let bad = world.withdraw(wrong, *party, &[signer]);
        tell.refuse(&world, &["LA-23"], "unknown-version", about, &bad, &withdraw);
    }
    let bad = with(
        endorse.event().clone(),
        |event| {
            event.body =
                Body::Endorse { statement: of.0, version: of.1, language: "de".into(), not_after: None };
        },
        &[signer],
    );
    let about = "a language that the version does not list";
    tell.refuse(&world, &["LA-24"], "language-not-listed", about, &bad, &endorse);
    world.admit(&endorse);
    let newer = world.version(
        *party,
        &[admin_key],
        of.0,
        vec![text("de", TextStatus::Authentic, "Abkommen", "Wir halten die Fluesse klar.\n")],
    );
    world.admit(&newer);
    let newest = (of.0, VersionId(hash_of(&newer).0));
    let right = with(
        world.endorse(newest, *party, &[signer]).event().clone(),
        |event| {
            event.body = Body::Endorse {
                statement: newest.0,
                version: newest.1,
                language: "de".into(),
                not_after: None,
            };
        },
        &[signer],
    );
    let bad = world.endorse(newest, *party, &[signer]);
    let about = "a language that only an older version lists";
    tell.refuse(&world, &["LA-24"], "language-not-listed", about, &bad, &right);
    tell.repeat(
        &world,
        "an older version of the statement, which a record is named after",
        &entry_envelope(&world, 4),
        4,
    );
    tell.close(world);
}

/// LA-14, and who may sign a `party.create`.
fn invited(cases: &mut Cases) {
    let mut tell = Teller { cases, log: "invited" };
    let mut world = World::open(Admission::Invited);
    let (newcomer, operator) = (admin(80), world.operator_admin.clone());
    let right = world.create_by("Guests", &[&newcomer], &[&operator]);
    let bad = world.create("Guests", &[&newcomer]);
    tell.refuse(&world, &["LA-14"], "not-invited", "a party that nobody invited", &bad, &right);
    let bad = world.create_by("Guests", &[&newcomer], &[&world.operator_sign]);
    let about = "an invitation by a sign key of the operator";
    tell.refuse(&world, &["LA-14"], "not-invited", about, &bad, &right);
    let bad = world.create_by("Guests", &[&newcomer], &[&sign_key(81)]);
    tell.refuse(&world, &["LA-6"], "unknown-key", "an invitation by a stranger", &bad, &right);
    world.admit(&right);
    let guest = admin(82);
    let right = world.create_by("More Guests", &[&guest], &[&world.operator_recovery]);
    let bad = world.create_by("More Guests", &[&guest], &[&newcomer]);
    tell.refuse(&world, &["LA-7"], "foreign-key", "an invitation by a party", &bad, &right);
    let open = world.set_policy(world.operator, &[&operator], policy(Admission::Open));
    world.admit(&open);
    let free = world.create("More Guests", &[&guest]);
    world.admit(&free);
    let town = town_of(world);
    tell.close(town.world);
}

fn entry_envelope(world: &World, index: usize) -> Envelope {
    undersigned_registry::entry::Entry::parse(&world.entries[index]).unwrap().envelope
}

/// LA-30 to LA-34: what time ends.
fn time(cases: &mut Cases) {
    let mut tell = Teller { cases, log: "time" };
    let Town { mut world, harbour, mill, of } = town();
    let (last, next) = (world.now + 10, world.ledger.size() - 1);
    let right = world.endorse(of, mill.0, &[&mill.3]);
    let about = "a tick while nothing has an end";
    tell.refuse(&world, &["LA-31"], "nothing-due", about, &world.tick_of(last, next), &right);
    let until = |second| world.endorse_until(of, harbour.0, &[&harbour.3], second);
    let (now, right) = (world.now + 1, until(last));
    let about = "an end that is now; a second later is right";
    tell.refuse_at(&world, &["LA-34"], "not-after-passed", about, (&until(now), now), (&until(now + 1), now));
    let about = "an end that has passed";
    tell.refuse_at(&world, &["LA-34"], "not-after-passed", about, (&until(now - 1), now), (&right, now));
    let first = world.admit(&right);
    tell.repeat(&world, "an endorsement with an end", &right, first);

    let (due, before) = (last + 1, world.ledger.size() - 1);
    let tick = world.tick_of(due, before);
    let others = [
        world.endorse(of, mill.0, &[&mill.3]),
        world.withdraw(of, harbour.0, &[&harbour.3]),
        world.create("Third Party", &[&admin(30)]),
        world.publish(mill.0, &[&mill.2], "open-mills"),
        world.version(harbour.0, &[&harbour.2], of.0, crate::fixture::texts()),
        world.keys(mill.0, &[&mill.2], &[&sign_key(31)], &[]),
    ];
    for other in &others {
        let about = "another event while something is due; it is right at the last second";
        tell.refuse_at(&world, &["LA-30"], "tick-first", about, (other, due), (other, last));
    }
    let about = "a tick at the last second of what it would end";
    tell.refuse_at(&world, &["LA-31", "EV-35"], "nothing-due", about, (&tick, last), (&tick, due));
    for (about, wrong) in [
        ("a tick that names an earlier second", world.tick_of(last, before)),
        ("a tick that names its own second", world.tick_of(due + 5, before)),
        ("a tick that names an older entry", world.tick_of(due, before - 1)),
        ("a tick that names itself", world.tick_of(due, before + 1)),
    ] {
        let at = due + 5;
        tell.refuse_at(&world, &["LA-32", "EV-36"], "wrong-tick", about, (&wrong, at), (&tick, at));
    }
    let policy = world.set_policy(world.operator, &[&world.operator_admin], policy(Admission::Open));
    let about = "another event while something is due; a policy is let through";
    tell.refuse_at(&world, &["LA-30"], "tick-first", about, (&others[0], due), (&policy, due));
    world.tick_at(due);
    tell.repeat(&world, "an endorsement that lapsed, still the head of its thread", &right, first);
    let about = "the tick again; what it ended is withdrawn as what stands";
    tell.refuse(
        &world,
        &["LA-31"],
        "nothing-due",
        about,
        &tick,
        &world.withdraw(of, harbour.0, &[&harbour.3]),
    );
    let back = world.endorse(of, harbour.0, &[&harbour.3]);
    let without = world.endorse_after(of, harbour.0, &[&harbour.3], None);
    let about = "a first endorsement after a lapse; it follows the one that lapsed";
    tell.refuse(&world, &["LA-10"], "stale", about, &without, &back);
    world.admit(&back);
    tell.close(world);
}
