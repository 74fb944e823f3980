//! Keys and proofs: what is refused before any fact is asked, and `SSHSIG` built by hand.

use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use ed25519_dalek::SigningKey;
use sha2::{Digest as _, Sha512};
use undersigned_registry::envelope::{Envelope, Proof};
use undersigned_registry::event::{Body, Event};
use undersigned_registry::id::KeyId;
use undersigned_registry::key::{KeyType, Method, Role, SshHash, key_id, registrable, verifying_key};

use crate::fixture::{Town, World, admin, name, sign_key, sshsig_signed, town};

/// A proof case: the envelope, and the code of its refusal.
pub(crate) struct Case {
    pub(crate) about: &'static str,
    pub(crate) rules: &'static [&'static str],
    pub(crate) envelope: Envelope,
    pub(crate) code: Option<&'static str>,
}

/// The order of the group, little-endian: `s + L` is a second text of `s`.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

fn plus_order(signature: &[u8; 64]) -> [u8; 64] {
    let mut malleable = *signature;
    let mut carry = 0u16;
    for (byte, order) in malleable[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = u8::try_from(sum & 0xff).unwrap();
        carry = sum >> 8;
    }
    malleable
}

/// Signs under a public key that is the honest one plus a point of small order. A verifier without
/// cofactor accepts it where the challenge is a multiple of 8; the seeds are tried until one does.
fn mixed_order_key() -> [u8; 32] {
    let honest = SigningKey::from_bytes(&[77; 32]).verifying_key();
    let mixed: EdwardsPoint = CompressedEdwardsY(honest.to_bytes()).decompress().unwrap() + EIGHT_TORSION[1];
    mixed.compress().0
}

fn create_with(world: &World, public: [u8; 32]) -> Envelope {
    let id = key_id(KeyType::Ed25519, &public);
    let body = Body::PartyCreate {
        domain: None,
        names: vec![name("en", "Odd Keys")],
        keys: vec![undersigned_registry::event::NewKey { id, role: Role::Admin, key_type: KeyType::Ed25519 }],
    };
    let mut event = world.event(None, &[], None, body);
    event.signers = vec![id];
    // The identity "signs" anything with R = identity and s = 0.
    let mut signature = [0; 64];
    signature[0] = 1;
    Envelope::new(event.encode(), vec![Proof { method: Method::Ed25519, key: public, signature }]).unwrap()
}

/// Public keys that no registry takes, with the code.
pub(crate) fn odd_keys() -> Vec<(&'static str, &'static str, &'static str, [u8; 32])> {
    let mut keys = Vec::new();
    let hex = |text: &str| undersigned_tlog::codec::hex_decode_array::<32>(text).unwrap();
    let small = |index: usize| EIGHT_TORSION[index].compress().0;
    keys.push(("EN-35", "the identity", "key-weak", small(0)));
    for index in 1..8 {
        keys.push(("EN-35", "a point of small order", "key-weak", small(index)));
    }
    let mut identity_negative = small(0);
    identity_negative[31] |= 0x80;
    keys.push(("EN-34", "the identity with the sign bit set", "key-not-canonical", identity_negative));
    let p_plus = |low: u8| {
        let mut bytes = [0xff; 32];
        (bytes[0], bytes[31]) = (0xed + low, 0x7f);
        bytes
    };
    keys.push(("EN-34", "y = p, a second text of 0", "key-not-canonical", p_plus(0)));
    keys.push(("EN-34", "y = p + 1, a second text of the identity", "key-not-canonical", p_plus(1)));
    keys.push(("EN-34", "y = p + 3, a second text of 3", "key-not-canonical", p_plus(3)));
    keys.push(("EN-34", "y = 2, not on the curve", "key-not-a-point", {
        let mut bytes = [0; 32];
        bytes[0] = 2;
        bytes
    }));
    keys.push(("EN-36", "an honest key plus a point of order 8", "key-torsion", mixed_order_key()));
    let mut sign = mixed_order_key();
    sign[31] ^= 0x80;
    keys.push(("EN-36", "the same with the other sign", "key-torsion", sign));
    // The two points of order 8 with y beyond the sign bit, from the published lists.
    keys.push((
        "EN-35",
        "order 8",
        "key-weak",
        hex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    ));
    keys.push((
        "EN-35",
        "order 8",
        "key-weak",
        hex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    ));
    keys
}

pub(crate) fn cases() -> Vec<Case> {
    let Town { world, harbour, of, .. } = town();
    let (signer, second) = (&harbour.3, &harbour.2);
    let event = world.endorse(of, harbour.0, &[signer]).event_bytes().to_vec();
    let one = |proof: Proof| Envelope::new(event.clone(), vec![proof]).unwrap();
    let mut cases = Vec::new();
    let mut case = |about, rules, envelope, code| cases.push(Case { about, rules, envelope, code });
    let right = signer.prove(Method::Ed25519, &event);
    case("ed25519 over the signable bytes", &["EN-30", "EN-37"][..], one(right.clone()), None);
    for hash in [SshHash::Sha256, SshHash::Sha512] {
        let proof = signer.prove(Method::SshSig(hash), &event);
        case("an OpenSSH signature", &["EN-33", "EN-39"], one(proof.clone()), None);
        let other = if hash == SshHash::Sha256 { SshHash::Sha512 } else { SshHash::Sha256 };
        let mislabelled = Proof { method: Method::SshSig(other), ..proof.clone() };
        case(
            "an OpenSSH signature with the other hash's name",
            &["EN-39"],
            one(mislabelled),
            Some("signature-invalid"),
        );
        let plain = Proof { method: Method::Ed25519, ..proof };
        case("an OpenSSH signature as ed25519", &["EN-33"], one(plain), Some("signature-invalid"));
        let plain = Proof { method: Method::SshSig(hash), ..right.clone() };
        case("an ed25519 signature as sshsig", &["EN-33"], one(plain), Some("signature-invalid"));
        for namespace in [&b"file"[..], b"git", b"undersigned2", b""] {
            let signable = [b"undersigned event v1\n", &event[..], b"\n"].concat();
            let signature = signer.raw_signature(&sshsig_signed(namespace, hash, &signable));
            let proof = Proof { method: Method::SshSig(hash), key: signer.public(), signature };
            case(
                "an OpenSSH signature of another namespace",
                &["EN-39"],
                one(proof),
                Some("signature-invalid"),
            );
        }
    }
    let bare = Proof { signature: signer.raw_signature(&event), ..right.clone() };
    case("a signature over the event without its header", &["EN-30"], one(bare), Some("signature-invalid"));
    let malleable = Proof { signature: plus_order(&right.signature), ..right.clone() };
    case("the signature with s + L", &["EN-37"], one(malleable), Some("signature-invalid"));
    let mut flipped = right.clone();
    flipped.signature[10] ^= 1;
    case("a signature with a bit flipped", &["EN-37"], one(flipped), Some("signature-invalid"));
    let zero = Proof { signature: [0; 64], ..right.clone() };
    case("a signature of zeros", &["EN-37"], one(zero), Some("signature-invalid"));
    let none = Envelope::new(event.clone(), Vec::new()).unwrap();
    case("no proof", &["EN-31"], none, Some("proof-count"));
    let two = Envelope::new(event.clone(), vec![right.clone(), right.clone()]).unwrap();
    case("two proofs of one signer", &["EN-31"], two, Some("proof-count"));
    case(
        "the proof of another key",
        &["EN-32"],
        one(second.prove(Method::Ed25519, &event)),
        Some("proof-key"),
    );
    let both = world.endorse(of, harbour.0, &[signer, second]);
    case("two signers", &["EN-31"], both.clone(), None);
    let swapped = both.proofs().iter().rev().cloned().collect();
    let swapped = Envelope::new(both.event_bytes().to_vec(), swapped).unwrap();
    case("two proofs in the wrong order", &["EN-32"], swapped, Some("proof-key"));
    let one_bad =
        vec![both.proofs()[0].clone(), Proof { signature: right.signature, ..both.proofs()[1].clone() }];
    let one_bad = Envelope::new(both.event_bytes().to_vec(), one_bad).unwrap();
    case("one good signature and one of another key", &["EN-37"], one_bad, Some("signature-invalid"));
    let silent = {
        let newcomer = admin(40);
        let mut event: Event = world.create("Silent Keys", &[&newcomer, &sign_key(41)]).event().clone();
        event.signers = vec![newcomer.id()];
        let bytes = event.encode();
        let proof = newcomer.prove(Method::Ed25519, &bytes);
        Envelope::new(bytes, vec![proof]).unwrap()
    };
    case("a key that is added and does not sign", &["EN-38"], silent, Some("new-key-silent"));
    case(
        "a key that is added and signs",
        &["EN-38"],
        world.create("Loud Keys", &[&admin(40), &sign_key(41)]),
        None,
    );
    for (_, about, code, public) in odd_keys() {
        let rules: &'static [&'static str] = match code {
            "key-weak" => &["EN-35"],
            "key-torsion" => &["EN-36"],
            _ => &["EN-34"],
        };
        case(about, rules, create_with(&world, public), Some(code));
    }
    cases
}

#[test]
fn each_proof_is_checked() {
    for case in cases() {
        let found = case.envelope.clone().check().err().map(|error| error.code());
        assert_eq!(found, case.code, "{}", case.about);
    }
}

#[test]
fn odd_keys_are_not_registered() {
    for (rule, about, code, public) in odd_keys() {
        assert_eq!(registrable(&public).unwrap_err().code(), code, "{rule}: {about}");
        // A key with torsion was never registered, so signature checks need not look for it again.
        assert_eq!(verifying_key(&public).is_ok(), code == "key-torsion", "{rule}: {about}");
    }
    assert!(registrable(&admin(1).public()).is_ok());
}

/// EN-36: why torsion is asked about at registration. A signature can be made that a check with cofactor
/// accepts and one without refuses, and the other way round; the key would mean different things to them.
#[test]
fn a_mixed_order_key_signs_now_and_then() {
    let seed = SigningKey::from_bytes(&[77; 32]);
    let public = mixed_order_key();
    let key = ed25519_dalek::VerifyingKey::from_bytes(&public).unwrap();
    let scalar = seed.to_scalar();
    let accepted = (0..64u8)
        .filter(|message| {
            let nonce = curve25519_dalek::Scalar::from_bytes_mod_order_wide(
                &Sha512::digest([b"nonce", &[*message][..]].concat()).into(),
            );
            let r = EdwardsPoint::mul_base(&nonce).compress().0;
            let challenge =
                Sha512::new().chain_update(r).chain_update(public).chain_update([*message]).finalize();
            let challenge = curve25519_dalek::Scalar::from_bytes_mod_order_wide(&challenge.into());
            let s = nonce + challenge * scalar;
            let signature = ed25519_dalek::Signature::from_components(r, s.to_bytes());
            key.verify_strict(&[*message], &signature).is_ok()
        })
        .count();
    assert!(0 < accepted && accepted < 64, "{accepted} of 64");
}

/// EN-23: an id is over the key type and the key.
#[test]
fn key_ids_are_distinct() {
    let ids: Vec<KeyId> = (0..20).map(|number| sign_key(number).id()).collect();
    assert!(ids.iter().enumerate().all(|(place, id)| !ids[..place].contains(id)));
}
