//! Invented parties with keys from fixed bytes, and a log of theirs. Every entry is followed by a second ledger.

use ed25519_dalek::{Signer as _, SigningKey};
use undersigned_registry::envelope::{CheckedEnvelope, Envelope, Proof};
use undersigned_registry::event::{
    Admission, BlobRef, Body, EndedKey, Ending, Event, Name, NewKey, Policy, StatementKind, Text, TextStatus,
};
use undersigned_registry::id::{EventHash, KeyId, PartyId, RegistryId, StatementId, VersionId};
use undersigned_registry::key::{KeyType, Method, Role, SshHash, key_id};
use undersigned_registry::ledger::{AdmitError, Ledger, Verdict};
use undersigned_registry::record::{Record, StateKey};
use undersigned_registry::rules::Facts as _;
use undersigned_tlog::hash::{Hash, sha256};
use undersigned_tlog::note::{KeyName, NoteSigner};

pub(crate) const ORIGIN: &str = "log.registry.example";
pub(crate) const START: u64 = 1_790_000_000;
pub(crate) const WINDOW: u64 = 7 * 24 * 3600;
pub(crate) const DAY: u64 = 24 * 3600;

/// A key from one number.
#[derive(Clone)]
pub(crate) struct Key {
    signing: SigningKey,
    pub(crate) role: Role,
}

pub(crate) fn key(number: u16, role: Role) -> Key {
    let seed = sha256(&[b"a key of the tests", &number.to_be_bytes()]);
    Key { signing: SigningKey::from_bytes(seed.as_bytes()), role }
}

pub(crate) fn sign_key(number: u16) -> Key {
    key(number, Role::Sign)
}

pub(crate) fn admin(number: u16) -> Key {
    key(number, Role::Admin)
}

pub(crate) fn recovery(number: u16) -> Key {
    key(number, Role::Recovery)
}

impl Key {
    pub(crate) fn public(&self) -> [u8; 32] {
        self.signing.verifying_key().to_bytes()
    }

    pub(crate) fn id(&self) -> KeyId {
        key_id(KeyType::Ed25519, &self.public())
    }

    pub(crate) fn new_key(&self) -> NewKey {
        NewKey { id: self.id(), role: self.role, key_type: KeyType::Ed25519 }
    }

    pub(crate) fn raw_signature(&self, bytes: &[u8]) -> [u8; 64] {
        self.signing.sign(bytes).to_bytes()
    }

    pub(crate) fn prove(&self, method: Method, event: &[u8]) -> Proof {
        let signable = [b"undersigned event v1\n", event, b"\n"].concat();
        let signed = match method {
            Method::Ed25519 => signable,
            Method::SshSig(hash) => sshsig_signed(b"undersigned", hash, &signable),
        };
        Proof { method, key: self.public(), signature: self.raw_signature(&signed) }
    }
}

/// What `ssh-keygen -Y sign` signs, written from OpenSSH's `PROTOCOL.sshsig`: the magic, then namespace,
/// reserved, hash name and hash, each with its length.
pub(crate) fn sshsig_signed(namespace: &[u8], hash: SshHash, message: &[u8]) -> Vec<u8> {
    use sha2::Digest as _;
    let (name, digest): (&[u8], Vec<u8>) = match hash {
        SshHash::Sha256 => (b"sha256", sha2::Sha256::digest(message).to_vec()),
        SshHash::Sha512 => (b"sha512", sha2::Sha512::digest(message).to_vec()),
    };
    let mut bytes = b"SSHSIG".to_vec();
    for part in [namespace, b"", name, &digest] {
        bytes.extend(u32::try_from(part.len()).unwrap().to_be_bytes());
        bytes.extend(part);
    }
    bytes
}

pub(crate) fn signed(event: &Event, keys: &[&Key]) -> Envelope {
    let bytes = event.encode();
    let proofs = keys.iter().map(|key| key.prove(Method::Ed25519, &bytes)).collect();
    Envelope::new(bytes, proofs).unwrap()
}

pub(crate) fn hash_of(envelope: &Envelope) -> EventHash {
    EventHash(sha256(&[envelope.event_bytes()]))
}

pub(crate) fn ids(keys: &[&Key]) -> Vec<KeyId> {
    keys.iter().map(|key| key.id()).collect()
}

pub(crate) fn blob(text: &str) -> BlobRef {
    BlobRef::of(text.as_bytes())
}

pub(crate) fn name(language: &str, text: &str) -> Name {
    Name { language: language.into(), text: blob(text) }
}

pub(crate) fn text(language: &str, status: TextStatus, title: &str, whole: &str) -> Text {
    Text { language: language.into(), status, title: blob(title), text: blob(whole) }
}

pub(crate) const TITLE: &str = "Accord on Clear Rivers";
pub(crate) const TEXT: &str = "We keep the rivers clear.\n";
pub(crate) const TITLE_FR: &str = "Accord sur les rivieres claires";
pub(crate) const TEXT_FR: &str = "Nous gardons les rivieres claires.\n";
pub(crate) const OPERATOR_NAME: &str = "Registry Foundation";

pub(crate) fn texts() -> Vec<Text> {
    vec![text("en", TextStatus::Authentic, TITLE, TEXT), text("fr", TextStatus::Courtesy, TITLE_FR, TEXT_FR)]
}

pub(crate) fn policy(admission: Admission) -> Policy {
    Policy { admission, log_window: WINDOW, max_lag: 60, v: 1 }
}

pub(crate) fn log_signer(number: u8) -> NoteSigner {
    NoteSigner::from_seed(KeyName::new(ORIGIN).unwrap(), &[number; 32]).unwrap()
}

pub(crate) fn open_event(admission: Admission, nonce: u8, keys: &[&Key]) -> Event {
    Event {
        registry: None,
        party: None,
        signers: ids(keys),
        after: None,
        log_before: Some(START + DAY),
        body: Body::RegistryOpen {
            origin: ORIGIN.into(),
            nonce: Hash::from_bytes([nonce; 32]),
            log_keys: vec![log_signer(7).verifier_key().to_string()],
            domain: Some("registry.example".into()),
            names: vec![name("en", OPERATOR_NAME)],
            keys: keys.iter().map(|key| key.new_key()).collect(),
            policy: policy(admission),
        },
    }
}

/// A log of invented parties.
pub(crate) struct World {
    pub(crate) ledger: Ledger,
    pub(crate) follower: Ledger,
    pub(crate) entries: Vec<Vec<u8>>,
    pub(crate) now: u64,
    pub(crate) registry: RegistryId,
    pub(crate) operator: PartyId,
    pub(crate) operator_admin: Key,
    pub(crate) operator_recovery: Key,
    pub(crate) operator_sign: Key,
}

impl World {
    pub(crate) fn open(admission: Admission) -> Self {
        Self::open_with_nonce(admission, 9)
    }

    pub(crate) fn open_with_nonce(admission: Admission, nonce: u8) -> Self {
        let (operator_admin, operator_recovery, operator_sign) = (admin(1), recovery(2), sign_key(3));
        let keys = [&operator_admin, &operator_recovery, &operator_sign];
        let open = signed(&open_event(admission, nonce, &keys), &keys);
        let genesis = hash_of(&open);
        let mut world = Self {
            ledger: Ledger::new(),
            follower: Ledger::new(),
            entries: Vec::new(),
            now: START,
            registry: RegistryId::new(ORIGIN, genesis).unwrap(),
            operator: PartyId(genesis.0),
            operator_admin,
            operator_recovery,
            operator_sign,
        };
        world.admit(&open);
        world
    }

    /// The one call under test: what becomes of an envelope, by its code where it is refused.
    pub(crate) fn submit_at(&mut self, envelope: &Envelope, received: u64) -> Result<Outcome, &'static str> {
        let checked = envelope.clone().check().map_err(|error| error.code())?;
        self.submit_checked(&checked, received)
    }

    fn submit_checked(&mut self, checked: &CheckedEnvelope, received: u64) -> Result<Outcome, &'static str> {
        let before = self.fingerprint();
        match self.ledger.admit(checked, received) {
            Ok(Verdict::Entry(admitted)) => {
                assert_eq!(admitted.index, before.0);
                self.follower.follow_entry(&admitted.entry).unwrap();
                assert_eq!(self.follower.settle(), self.ledger.settle());
                self.entries.push(admitted.entry);
                self.now = received;
                Ok(Outcome::Entry(admitted.index))
            }
            Ok(Verdict::Repeat { entry }) => {
                assert_eq!(self.fingerprint(), before, "a repeat changes nothing");
                Ok(Outcome::Repeat(entry))
            }
            Err(AdmitError::Refused(refusal)) => {
                assert_eq!(self.fingerprint(), before, "a refusal changes nothing");
                Err(refusal.code())
            }
            Err(fault) => panic!("{fault}"),
        }
    }

    pub(crate) fn submit(&mut self, envelope: &Envelope) -> Result<Outcome, &'static str> {
        self.submit_at(envelope, self.now)
    }

    /// Size, state root, and the clock.
    pub(crate) fn fingerprint(&mut self) -> (u64, Hash, u64) {
        (self.ledger.size(), self.ledger.settle().unwrap(), self.ledger.received())
    }

    /// Admits what must be admitted, one second after the last.
    pub(crate) fn admit(&mut self, envelope: &Envelope) -> u64 {
        let now = self.now + u64::from(!self.entries.is_empty());
        match self.submit_at(envelope, now) {
            Ok(Outcome::Entry(index)) => index,
            other => panic!("{other:?} for {}", String::from_utf8_lossy(envelope.event_bytes())),
        }
    }

    pub(crate) fn event(
        &self,
        party: Option<PartyId>,
        signers: &[&Key],
        after: Option<EventHash>,
        body: Body,
    ) -> Event {
        let limited = !matches!(body, Body::Withdraw { .. });
        Event {
            registry: Some(self.registry.clone()),
            party,
            signers: ids(signers),
            after,
            log_before: limited.then_some(self.now + DAY),
            body,
        }
    }

    pub(crate) fn make(
        &self,
        party: Option<PartyId>,
        signers: &[&Key],
        after: Option<EventHash>,
        body: Body,
    ) -> Envelope {
        signed(&self.event(party, signers, after, body), signers)
    }

    pub(crate) fn head(&self, key: &StateKey) -> Option<EventHash> {
        match self.ledger.state().record(key)? {
            Record::Registry(record) => Some(record.event),
            Record::Party(record) => Some(record.event),
            Record::Statement(record) => Some(record.event),
            Record::Endorsement(record) => Some(record.event),
            _ => None,
        }
    }

    pub(crate) fn create(&self, named: &str, keys: &[&Key]) -> Envelope {
        self.create_by(named, keys, &[])
    }

    pub(crate) fn create_by(&self, named: &str, keys: &[&Key], inviters: &[&Key]) -> Envelope {
        let signers: Vec<&Key> = keys.iter().chain(inviters).copied().collect();
        let body = Body::PartyCreate {
            domain: Some(format!("{}.example", named.to_lowercase().replace(' ', "-"))),
            names: vec![name("en", named)],
            keys: keys.iter().map(|key| key.new_key()).collect(),
        };
        self.make(None, &signers, None, body)
    }

    pub(crate) fn add_party(&mut self, named: &str, keys: &[&Key]) -> PartyId {
        let envelope = self.create(named, keys);
        self.admit(&envelope);
        PartyId(hash_of(&envelope).0)
    }

    pub(crate) fn keys(
        &self,
        party: PartyId,
        signers: &[&Key],
        add: &[&Key],
        end: &[(&Key, Ending)],
    ) -> Envelope {
        let all: Vec<&Key> = signers.iter().chain(add).copied().collect();
        let body = Body::PartyKeys {
            add: add.iter().map(|key| key.new_key()).collect(),
            end: end.iter().map(|(key, how)| EndedKey { id: key.id(), how: *how }).collect(),
        };
        self.make(Some(party), &all, self.head(&StateKey::party(&party)), body)
    }

    pub(crate) fn publish(&self, party: PartyId, signers: &[&Key], slug: &str) -> Envelope {
        let body = Body::StatementPublish { kind: StatementKind::Accord, slug: slug.into() };
        self.make(Some(party), signers, None, body)
    }

    pub(crate) fn version(
        &self,
        party: PartyId,
        signers: &[&Key],
        statement: StatementId,
        texts: Vec<Text>,
    ) -> Envelope {
        let body = Body::StatementVersion { statement, texts };
        self.make(Some(party), signers, self.head(&StateKey::statement(&statement)), body)
    }

    pub(crate) fn add_statement(
        &mut self,
        party: PartyId,
        signers: &[&Key],
        slug: &str,
    ) -> (StatementId, VersionId) {
        let publish = self.publish(party, signers, slug);
        self.admit(&publish);
        let statement = StatementId(hash_of(&publish).0);
        let version = self.version(party, signers, statement, texts());
        self.admit(&version);
        (statement, VersionId(hash_of(&version).0))
    }

    pub(crate) fn endorsement_head(&self, of: Of, party: PartyId) -> Option<EventHash> {
        self.head(&StateKey::endorsement(&of.1, &party))
    }

    pub(crate) fn endorse(&self, of: Of, party: PartyId, signers: &[&Key]) -> Envelope {
        self.endorse_after(of, party, signers, self.endorsement_head(of, party))
    }

    pub(crate) fn endorse_after(
        &self,
        of: Of,
        party: PartyId,
        signers: &[&Key],
        after: Option<EventHash>,
    ) -> Envelope {
        let body = Body::Endorse { statement: of.0, version: of.1, language: "en".into(), not_after: None };
        self.make(Some(party), signers, after, body)
    }

    /// An endorsement that ends by itself.
    pub(crate) fn endorse_until(&self, of: Of, party: PartyId, signers: &[&Key], last: u64) -> Envelope {
        let body =
            Body::Endorse { statement: of.0, version: of.1, language: "en".into(), not_after: Some(last) };
        self.make(Some(party), signers, self.endorsement_head(of, party), body)
    }

    /// A tick, right or wrong; nobody signs it.
    pub(crate) fn tick_of(&self, due: u64, previous: u64) -> Envelope {
        let event = Event {
            registry: Some(self.registry.clone()),
            party: None,
            signers: Vec::new(),
            after: None,
            log_before: None,
            body: Body::RegistryTick { due, previous },
        };
        signed(&event, &[])
    }

    /// The tick that the registry makes at a second, if something is due.
    pub(crate) fn tick_at(&mut self, received: u64) -> Option<u64> {
        let due = self.ledger.next_due().filter(|due| *due <= received)?;
        let tick = self.tick_of(due, self.ledger.size() - 1);
        let before = self.ledger.settle().unwrap();
        let made = self.ledger.tick(received).unwrap().unwrap();
        self.ledger.undo(made.undo);
        assert_eq!(self.ledger.settle().unwrap(), before, "undone");
        let Ok(Outcome::Entry(index)) = self.submit_at(&tick, received) else { panic!("a tick is admitted") };
        assert_eq!(self.entries.last(), Some(&made.entry), "the registry makes this one");
        Some(index)
    }

    pub(crate) fn withdraw(&self, of: Of, party: PartyId, signers: &[&Key]) -> Envelope {
        self.withdraw_after(of, party, signers, self.endorsement_head(of, party))
    }

    pub(crate) fn withdraw_after(
        &self,
        of: Of,
        party: PartyId,
        signers: &[&Key],
        after: Option<EventHash>,
    ) -> Envelope {
        let body = Body::Withdraw { statement: of.0, version: of.1 };
        self.make(Some(party), signers, after, body)
    }

    pub(crate) fn set_policy(&self, party: PartyId, signers: &[&Key], policy: Policy) -> Envelope {
        let after = self.head(&StateKey::registry());
        self.make(Some(party), signers, after, Body::RegistryPolicy(policy))
    }
}

/// A statement and its version.
pub(crate) type Of = (StatementId, VersionId);

/// What became of an envelope that was not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Entry(u64),
    Repeat(u64),
}

/// A world with two parties of three keys each, and a statement of the first.
pub(crate) struct Town {
    pub(crate) world: World,
    /// Party, recovery, admin, sign key.
    pub(crate) harbour: (PartyId, Key, Key, Key),
    pub(crate) mill: (PartyId, Key, Key, Key),
    pub(crate) of: Of,
}

pub(crate) fn town() -> Town {
    town_of(World::open(Admission::Open))
}

pub(crate) fn town_of(mut world: World) -> Town {
    let keys = |first: u16| (recovery(first), admin(first + 1), sign_key(first + 2));
    let (a, b) = (keys(10), keys(20));
    let harbour = world.add_party("Harbour Trust", &[&a.0, &a.1, &a.2]);
    let mill = world.add_party("Mill Society", &[&b.0, &b.1, &b.2]);
    let of = world.add_statement(harbour, &[&a.1], "clear-rivers");
    Town { world, harbour: (harbour, a.0, a.1, a.2), mill: (mill, b.0, b.1, b.2), of }
}
