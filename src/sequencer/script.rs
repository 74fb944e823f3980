//! Submissions to a registry for the tests of this room: always the same ones.

use undersigned_registry::envelope::{Envelope, Submission};
use undersigned_registry::event::{
    Admission, BlobRef, Body, Event, Name as PartyName, NewKey, Policy, StatementKind, Text, TextStatus,
    event_hash,
};
use undersigned_registry::id::{EventHash, PartyId, RegistryId, StatementId, VersionId};
use undersigned_registry::key::{KeyType, Role};
use undersigned_tlog::hash::{Hash, sha256};
use undersigned_tlog::note::{KeyName, NoteSigner};

use crate::keyring::PartyKey;

pub(super) const START: u64 = 1_790_000_000;

fn key(number: u64) -> PartyKey {
    PartyKey::from_seed(sha256(&[&number.to_be_bytes()]).as_bytes(), "")
}

pub(super) fn log_signer(origin: &str) -> NoteSigner {
    NoteSigner::from_seed(KeyName::new(origin).unwrap(), &[7; 32]).unwrap()
}

fn new_key(key: &PartyKey, role: Role) -> NewKey {
    NewKey { id: key.id(), role, key_type: KeyType::Ed25519 }
}

/// What is submitted, in its order: events name each other by their hashes alone.
pub(super) struct Script {
    origin: &'static str,
    genesis: Option<EventHash>,
    pub(super) submissions: Vec<Submission>,
}

impl Script {
    /// An operator, a sponsor with a statement and its version, and parties that endorse it, of which every fifth
    /// withdraws: 4 entries, and 11 for each five parties.
    pub(super) fn new(origin: &'static str, parties: u64) -> Self {
        let mut script = Self { origin, genesis: None, submissions: Vec::new() };
        let (admin, recovery) = (key(1_000_000), key(1_000_001));
        let body = Body::RegistryOpen {
            origin: origin.to_owned(),
            nonce: Hash::from_bytes([9; 32]),
            log_keys: vec![log_signer(origin).verifier_key().to_string()],
            domain: None,
            names: vec![],
            keys: vec![new_key(&admin, Role::Admin), new_key(&recovery, Role::Recovery)],
            policy: Policy { admission: Admission::Open, log_window: 604_800, max_lag: 300, v: 1 },
        };
        script.genesis = Some(script.add(None, None, body, &[&admin, &recovery]));
        let sponsor = script.enter(0);
        let body = Body::StatementPublish { kind: StatementKind::Pledge, slug: "pledge".to_owned() };
        let head = script.add(Some(sponsor), None, body, &[&key(0)]);
        let statement = StatementId(head.0);
        let (title, text) = (BlobRef::of(b"title"), BlobRef::of(b"text"));
        let texts = vec![Text { language: "en".to_owned(), status: TextStatus::Authentic, title, text }];
        let body = Body::StatementVersion { statement, texts };
        let version = VersionId(script.add(Some(sponsor), Some(head), body, &[&key(0)]).0);
        for number in 1..=parties {
            let party = script.enter(number);
            let not_after = number.is_multiple_of(4).then_some(START + 20_000);
            let body = Body::Endorse { statement, version, language: "en".to_owned(), not_after };
            let head = script.add(Some(party), None, body, &[&key(number)]);
            if number % 5 == 0 {
                let body = Body::Withdraw { statement, version };
                script.add(Some(party), Some(head), body, &[&key(number)]);
            }
        }
        script
    }

    fn enter(&mut self, number: u64) -> PartyId {
        let key = key(number);
        let body = Body::PartyCreate {
            domain: number.is_multiple_of(3).then(|| format!("org-{number}.example")),
            names: vec![],
            keys: vec![new_key(&key, Role::Admin)],
        };
        PartyId(self.add(None, None, body, &[&key]).0)
    }

    fn add(
        &mut self,
        party: Option<PartyId>,
        after: Option<EventHash>,
        mut body: Body,
        keys: &[&PartyKey],
    ) -> EventHash {
        let number = self.submissions.len();
        let mut blobs = vec![];
        match &mut body {
            Body::RegistryOpen { names, .. } | Body::PartyCreate { names, .. } => {
                blobs.push(format!("Organisation {number}").into_bytes());
                let text = BlobRef::of(&blobs[0]);
                names.push(PartyName { language: "en".to_owned(), text });
            }
            Body::StatementVersion { .. } => blobs = vec![b"title".to_vec(), b"text".to_vec()],
            _ => {}
        }
        let event = Event {
            registry: self.genesis.map(|genesis| RegistryId::new(self.origin, genesis).unwrap()),
            party,
            signers: keys.iter().map(|key| key.id()).collect(),
            after,
            log_before: (!matches!(body, Body::Withdraw { .. })).then_some(START + 10_000),
            body,
        };
        let bytes = event.encode();
        let proofs = keys.iter().map(|key| key.prove(&bytes)).collect();
        let hash = event_hash(&bytes);
        let envelope = Envelope::new(bytes, proofs).unwrap();
        self.submissions.push(Submission::new(envelope, blobs).unwrap());
        hash
    }
}
