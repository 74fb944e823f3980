//! Keys, signatures and signed checkpoints: what opens a note, and every mutation that does not.

use undersigned_tlog::checkpoint::{
    Checkpoint, CheckpointError, OpenCheckpointError, Origin, SignCheckpointError, SignedCheckpoint,
};
use undersigned_tlog::hash::{empty_root, sha256};
use undersigned_tlog::note::{
    ALGORITHM_ECDSA, KeyName, NOTE_BYTES_MAX, Note, NoteError, NoteSigner, NoteText, OpenError,
    SIGNATURES_MAX, SignatureLine, TEXT_BYTES_MAX, VerifierKey, VerifierKeyError, VerifyError,
};
use undersigned_tlog::tree::TreeSize;

use crate::known::{CHECKPOINT, LOG_KEY, LOG_LINE, ORIGIN, WITNESS_KEY, log_signer, note, seed};

fn name(text: &str) -> KeyName {
    KeyName::new(text).unwrap()
}

/// A verifier key text with the right id for whatever it contains.
pub(crate) fn key_text(name: &str, bytes: &[u8]) -> String {
    let id = sha256(&[name.as_bytes(), b"\n", bytes]).to_hex();
    format!("{name}+{}+{}", &id[..8], undersigned_tlog::codec::base64_encode(bytes))
}

fn key_of(algorithm: u8, key: &[u8]) -> Result<VerifierKey, VerifierKeyError> {
    VerifierKey::parse(&key_text("a", &[&[algorithm], key].concat()))
}

#[test]
fn keys_of_small_order_and_second_encodings_are_refused() {
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut field_prime = [0xff; 32];
    (field_prime[0], field_prime[31]) = (0xed, 0x7f);
    let mut prime_plus_one = field_prime;
    prime_plus_one[0] = 0xee;
    let mut negative_identity = identity;
    negative_identity[31] = 0x80;
    let mut no_point = [0; 32];
    no_point[0] = 2;
    let order_eight = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a";
    let order_eight = undersigned_tlog::codec::hex_decode_array::<32>(order_eight).unwrap();
    for algorithm in [1, 4] {
        for weak in [[0; 32], identity, order_eight] {
            assert_eq!(key_of(algorithm, &weak), Err(VerifierKeyError::Weak));
        }
        for other in [field_prime, prime_plus_one, negative_identity, no_point] {
            assert_eq!(key_of(algorithm, &other), Err(VerifierKeyError::NotCanonical));
        }
    }
}

#[test]
fn keys_of_other_types_are_read_but_verify_nothing() {
    let text = NoteText::new("text\n").unwrap();
    for (algorithm, length) in [(0x04, 32), (0x06, 1312), (0x03, 1), (0xff, 40)] {
        let key = log_signer().verifier_key().key().iter().copied().cycle().take(length).collect::<Vec<_>>();
        let text_form = key_text("a", &[&[algorithm], &key[..]].concat());
        let key = VerifierKey::parse(&text_form).unwrap();
        assert_eq!((key.to_string(), key.can_verify()), (text_form, false));
        assert_eq!(key.verify(&text, &[0; 64]), Err(VerifyError::Unsupported { algorithm }));
    }
    assert!(matches!(key_of(0x06, &[0; 1311]), Err(VerifierKeyError::KeyLength { expected: 1312, .. })));
    assert!(matches!(key_of(0x01, &[0; 33]), Err(VerifierKeyError::KeyLength { expected: 32, .. })));
    assert_eq!(key_of(0x03, &[]), Err(VerifierKeyError::Base64));
    // The exception of signed-note: an ECDSA key id is a hash of the key alone.
    let key = VerifierKey::new(name("a"), ALGORITHM_ECDSA, b"SPKI").unwrap();
    assert_eq!(format!("{:08x}", key.key_id()), sha256(&[b"SPKI"]).to_hex()[..8]);
}

#[test]
fn every_changed_byte_of_a_signed_note_is_refused() {
    let key = [VerifierKey::parse(LOG_KEY).unwrap()];
    let note = format!("{CHECKPOINT}\n{LOG_LINE}\n").into_bytes();
    Note::open(&note, &key).unwrap();
    for position in 0..note.len() {
        for bit in 0..8 {
            let mut changed = note.clone();
            changed[position] ^= 1 << bit;
            assert!(Note::open(&changed, &key).is_err(), "byte {position}, bit {bit}");
        }
        let mut shorter = note.clone();
        shorter.remove(position);
        assert!(Note::open(&shorter, &key).is_err(), "byte {position} left out");
        assert!(Note::open(&note[..position], &key).is_err(), "cut after {position} bytes");
        let mut longer = note.clone();
        longer.insert(position, b'A');
        assert!(Note::open(&longer, &key).is_err(), "byte {position} added");
    }
}

/// Ed25519 without the strict check of s accepts s + L as a second signature of the same text.
#[test]
fn the_second_form_of_a_signature_is_refused() {
    const L: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
    let order = undersigned_tlog::codec::hex_decode(L).unwrap();
    let line = Note::parse(note().as_bytes()).unwrap().unverified_signatures()[0].clone();
    let key = VerifierKey::parse(LOG_KEY).unwrap();
    let text = NoteText::new(CHECKPOINT).unwrap();
    key.verify(&text, line.blob()).unwrap();
    let mut signature = line.blob().to_vec();
    let mut carry = 0;
    for (byte, add) in signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        (*byte, carry) = (sum.to_le_bytes()[0], sum >> 8);
    }
    assert_eq!(carry, 0);
    assert_eq!(key.verify(&text, &signature), Err(VerifyError::Signature));
    for wrong_length in [&line.blob()[..63], &[line.blob(), &[0]].concat()] {
        assert_eq!(key.verify(&text, wrong_length), Err(VerifyError::Signature));
    }
}

/// Signed-note is silent about two lines of one key; Go keeps the first. We refuse the note.
#[test]
fn two_lines_of_one_known_key_are_refused_and_of_an_unknown_key_passed_over() {
    let known = VerifierKey::parse(LOG_KEY).unwrap();
    let (own_name, key_id) = (ORIGIN.to_owned(), known.key_id());
    let twice = format!("{CHECKPOINT}\n{LOG_LINE}\n{LOG_LINE}\n");
    let refused = Note::open(twice.as_bytes(), std::slice::from_ref(&known));
    assert_eq!(refused, Err(OpenError::Repeated { name: own_name.clone(), key_id }));

    let other = NoteSigner::from_seed(name("other.example"), &seed()).unwrap();
    let stranger = other.sign(&NoteText::new(CHECKPOINT).unwrap());
    let with_stranger = format!("{CHECKPOINT}\n{stranger}\n{LOG_LINE}\n{stranger}\n");
    let opened = Note::open(with_stranger.as_bytes(), std::slice::from_ref(&known)).unwrap();
    assert_eq!(opened.verified(), std::slice::from_ref(&known));
    assert_eq!(opened.note().unverified_signatures().len(), 3);

    let keys = [known, other.verifier_key().clone()];
    let wrong = SignatureLine::new(name(ORIGIN), key_id, vec![0; 64]).unwrap();
    for lines in [format!("{wrong}\n{stranger}"), format!("{stranger}\n{wrong}")] {
        let bytes = format!("{CHECKPOINT}\n{lines}\n");
        let refused = Note::open(bytes.as_bytes(), &keys);
        assert_eq!(refused, Err(OpenError::BadSignature { name: own_name.clone(), key_id }));
        // To who does not know the wrong key it is a note of the stranger.
        assert!(Note::open(bytes.as_bytes(), &keys[1..]).is_ok());
    }
}

#[test]
fn a_line_belongs_to_a_key_by_name_and_id_together() {
    let key = VerifierKey::parse(LOG_KEY).unwrap();
    for (other, id) in [("other.example", key.key_id()), (ORIGIN, key.key_id() ^ 1)] {
        let line = SignatureLine::new(name(other), id, vec![0; 64]).unwrap();
        let alone = format!("{CHECKPOINT}\n{line}\n");
        assert_eq!(Note::open(alone.as_bytes(), std::slice::from_ref(&key)), Err(OpenError::NoKnownKey));
        let beside = format!("{CHECKPOINT}\n{line}\n{LOG_LINE}\n");
        assert!(Note::open(beside.as_bytes(), std::slice::from_ref(&key)).is_ok());
    }
    assert_eq!(Note::open::<VerifierKey>(note().as_bytes(), &[]), Err(OpenError::NoKnownKey));
}

#[test]
fn the_limits_of_a_note() {
    let text = "t".repeat(TEXT_BYTES_MAX - 1) + "\n";
    assert!(NoteText::new(&text).is_ok());
    assert_eq!(NoteText::new(&format!("t{text}")), Err(NoteError::TooLong));
    assert!(Note::parse(format!("{text}\n{LOG_LINE}\n").as_bytes()).is_ok());
    assert_eq!(Note::parse(format!("t{text}\n{LOG_LINE}\n").as_bytes()), Err(NoteError::TooLong));
    assert_eq!(Note::parse(&vec![b'a'; NOTE_BYTES_MAX + 1]), Err(NoteError::TooLong));
    assert_eq!(Note::parse(&vec![b'a'; NOTE_BYTES_MAX]), Err(NoteError::NoEmptyLine));

    let many = |count: usize| format!("t\n\n{}", format!("{LOG_LINE}\n").repeat(count));
    assert!(Note::parse(many(SIGNATURES_MAX).as_bytes()).is_ok());
    assert_eq!(Note::parse(many(SIGNATURES_MAX + 1).as_bytes()), Err(NoteError::TooManySignatures));
    let line = Note::parse(many(1).as_bytes()).unwrap().unverified_signatures()[0].clone();
    let text = NoteText::new("t\n").unwrap();
    assert!(Note::new(text.clone(), vec![line.clone(); SIGNATURES_MAX]).is_ok());
    let too_many = Note::new(text.clone(), vec![line; SIGNATURES_MAX + 1]);
    assert_eq!(too_many, Err(NoteError::TooManySignatures));
    assert_eq!(Note::new(text.clone(), vec![]), Err(NoteError::SignaturesNotEnded));
    // Lines of post-quantum signatures fit: 64 of 2,432 bytes.
    let large = SignatureLine::new(name("pq.example"), 1, vec![7; 2428]).unwrap();
    assert!(Note::new(text.clone(), vec![large; SIGNATURES_MAX]).is_ok());
    let huge = SignatureLine::new(name("pq.example"), 1, vec![7; NOTE_BYTES_MAX]).unwrap();
    assert_eq!(Note::new(text, vec![huge]), Err(NoteError::TooLong));
    assert_eq!(SignatureLine::new(name("a"), 1, vec![]), None);
}

#[test]
fn every_given_key_of_the_log_must_have_signed() {
    let origin = Origin::new(ORIGIN).unwrap();
    let log = VerifierKey::parse(LOG_KEY).unwrap();
    let second = NoteSigner::from_seed(name(ORIGIN), &[9; 32]).unwrap();
    let witness = VerifierKey::parse(WITNESS_KEY).unwrap();
    let open =
        |bytes: &str, keys: &[&VerifierKey]| SignedCheckpoint::open(bytes.as_bytes(), Some(&origin), keys);
    let note = note();
    assert!(open(&note, &[&log]).is_ok());
    assert!(open(&note, &[&log, &witness]).is_ok());
    // A second key of the log that has not signed.
    let key = second.verifier_key().to_string();
    assert_eq!(
        open(&note, &[&log, second.verifier_key()]),
        Err(OpenCheckpointError::Unsigned { key: key.clone() })
    );
    assert_eq!(open(&note, &[second.verifier_key()]), Err(OpenCheckpointError::Unsigned { key }));
    let both = format!("{note}{}\n", second.sign(&NoteText::new(CHECKPOINT).unwrap()));
    let opened = open(&both, &[&log, second.verifier_key()]).unwrap();
    assert_eq!(opened.verified().len(), 2);
    assert_eq!(opened.bytes(), both.as_bytes());
    // A second key of the log whose signatures cannot be checked yet.
    let post_quantum = VerifierKey::new(name(ORIGIN), 6, &[7; 1312]).unwrap();
    let unsupported = Err(OpenCheckpointError::Unsupported { key: post_quantum.to_string() });
    assert_eq!(open(&note, &[&log, &post_quantum]), unsupported);
    assert_eq!(open(&note, &[&post_quantum]), unsupported);
    // Somebody else's key signs no checkpoint of this log.
    let stranger = NoteSigner::from_seed(name("other.example"), &seed()).unwrap();
    let line = stranger.sign(&NoteText::new(CHECKPOINT).unwrap());
    let foreign = format!("{CHECKPOINT}\n{line}\n");
    let no_log_key = Err(OpenCheckpointError::NoLogKey { origin: origin.clone() });
    assert_eq!(open(&foreign, &[stranger.verifier_key()]), no_log_key);
    assert_eq!(open(&note, &[&witness]), no_log_key);
    // Another log asked for.
    let other = Origin::new("other.example").unwrap();
    let refused = SignedCheckpoint::open(note.as_bytes(), Some(&other), &[log]);
    assert_eq!(refused, Err(OpenCheckpointError::Origin { expected: other, found: origin }));
}

#[test]
fn a_signed_text_that_is_no_checkpoint_is_refused() {
    let signer = log_signer();
    let keys = [signer.verifier_key().clone()];
    for (text, error) in [
        ("registry.example/log1\n5\n", CheckpointError::Lines),
        ("registry.example/log1\n05\nGqaNMHSQWlgfhMu9D3U3lJBP2ARRvEwT5p2aU7xZUCw=\n", CheckpointError::Size),
        (
            "registry.example/log1\n5\nGqaNMHSQWlgfhMu9D3U3lJBP2ARRvEwT5p2aU7xZUCw=\nmore\n",
            CheckpointError::Extension,
        ),
        (
            "registry.example/log1\n0\nGqaNMHSQWlgfhMu9D3U3lJBP2ARRvEwT5p2aU7xZUCw=\n",
            CheckpointError::EmptyRoot,
        ),
    ] {
        let line = signer.sign(&NoteText::new(text).unwrap());
        let note = format!("{text}\n{line}\n");
        let refused = SignedCheckpoint::open(note.as_bytes(), None, &keys);
        assert_eq!(refused, Err(OpenCheckpointError::Checkpoint(error)));
    }
}

#[test]
fn only_a_key_of_the_log_signs_its_checkpoints() {
    let checkpoint = Checkpoint::new(Origin::new(ORIGIN).unwrap(), TreeSize::EMPTY, empty_root()).unwrap();
    let signed = SignedCheckpoint::sign(checkpoint.clone(), &log_signer()).unwrap();
    let keys = [VerifierKey::parse(LOG_KEY).unwrap()];
    assert_eq!(SignedCheckpoint::open(&signed.bytes(), None, &keys), Ok(signed));
    let stranger = NoteSigner::from_seed(name("other.example"), &seed()).unwrap();
    let refused = SignedCheckpoint::sign(checkpoint, &stranger);
    assert!(matches!(refused, Err(SignCheckpointError::Name { .. })));
    assert!(format!("{stranger:?}").starts_with("NoteSigner(other.example+"), "the seed is not printed");
}
