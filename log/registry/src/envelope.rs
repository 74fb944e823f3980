//! Envelopes: an event with its proofs, first as it came, then with its signatures checked.
//!
//! Follows `docs/spec/entry.md`, rules EN-30 to EN-46. A [`CheckedEnvelope`] can only be made by
//! checking; nothing here needs a fact of the state, so the check runs on any core, for the server,
//! the auditor and the browser alike.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use undersigned_tlog::codec;

use crate::event::{self, EVENT_BYTES_MAX, Event, ParseError, SIGNERS_MAX};
use crate::id::{EventHash, KeyId};
use crate::json::{self, MemberError, Members, ObjectWriter, Value};
use crate::key::{self, KeyRefusal, Method, PUBLIC_KEY_BYTES, SIGNATURE_BYTES, SshHash};

/// The largest sum of all blobs of one submission, in bytes.
pub const BLOB_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// How many blobs one submission may carry: two for each of the 32 texts.
pub const BLOBS_MAX: usize = 64;

/// The largest submission in bytes: the blobs in base64 (4/3), the event, 16 proofs, and some room.
pub const SUBMISSION_BYTES_MAX: usize = 3 * 1024 * 1024;

/// One signer's proof: the raw key, how it signed, the signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// How it signed.
    pub method: Method,
    /// The raw public key; its id must be the signer's.
    pub key: [u8; PUBLIC_KEY_BYTES],
    /// The signature; of an OpenSSH signature the inner one.
    pub signature: [u8; SIGNATURE_BYTES],
}

impl Proof {
    /// The id of the key.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        key::key_id(self.method.key_type(), &self.key)
    }

    pub(crate) fn write(out: &mut Vec<u8>, proof: &Self) {
        let mut object = ObjectWriter::new(out);
        if let Method::SshSig(hash) = proof.method {
            object.text("hash", hash.name());
        }
        object
            .base64("key", &proof.key)
            .text("method", proof.method.name())
            .base64("signature", &proof.signature)
            .finish();
    }

    fn decode(place: &str, value: Value) -> Result<Self, MemberError> {
        let mut members = Members::of(place, value)?;
        let hash = members.text_if("hash")?;
        let method = match (&*members.text("method")?, hash) {
            ("ed25519", None) => Method::Ed25519,
            ("sshsig", Some(hash)) => Method::SshSig(
                SshHash::from_name(&hash)
                    .ok_or_else(|| MemberError::value("hash", "\"sha256\" or \"sha512\""))?,
            ),
            ("sshsig", None) => return Err(MemberError::new("hash", json::MemberRule::Missing)),
            ("ed25519", Some(_)) => return Err(MemberError::new("hash", json::MemberRule::Unknown)),
            _ => return Err(MemberError::value("method", "\"ed25519\" or \"sshsig\"")),
        };
        let proof = Self {
            method,
            key: base64_array("key", &members.text("key")?, "base64 of 32 bytes")?,
            signature: base64_array("signature", &members.text("signature")?, "base64 of 64 bytes")?,
        };
        members.finish()?;
        Ok(proof)
    }
}

/// An event and its proofs, well-formed; nothing is checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    event_bytes: Vec<u8>,
    event: Event,
    proofs: Vec<Proof>,
}

/// An envelope whose every signature was verified over these exact bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedEnvelope {
    envelope: Envelope,
    event_hash: EventHash,
}

/// Why an envelope is refused before any fact is asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// EN-31: there are more or fewer proofs than signers.
    #[error("{proofs} proofs for {signers} signers: there is one for each, in the order of \"signers\"")]
    ProofCount {
        /// How many proofs came.
        proofs: usize,
        /// How many signers the event names.
        signers: usize,
    },
    /// EN-32: a proof's key has another id than the signer at its place.
    #[error("the key of proof {position} is not the signer at that place")]
    ProofKey {
        /// Which proof, from 0.
        position: usize,
    },
    /// EN-34 to EN-36: a key that proves nothing.
    #[error("the key of proof {position}: {refusal}")]
    Key {
        /// Which proof, from 0.
        position: usize,
        /// The rule it breaks.
        refusal: KeyRefusal,
    },
    /// EN-37: a signature that does not verify strictly.
    #[error("the signature of proof {position} does not verify over the signable bytes of this event")]
    Signature {
        /// Which proof, from 0.
        position: usize,
    },
    /// EN-38: a key that the event adds does not sign it.
    #[error("a key that the event adds is not among its signers")]
    NewKeySilent,
}

impl CheckError {
    /// The stable code of the rule.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ProofCount { .. } => "proof-count",
            Self::ProofKey { .. } => "proof-key",
            Self::Key { refusal, .. } => refusal.code(),
            Self::Signature { .. } => "signature-invalid",
            Self::NewKeySilent => "new-key-silent",
        }
    }
}

/// A submission: an envelope and the blobs that its event names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The envelope.
    pub envelope: Envelope,
    /// The blobs, in the order of [`Event::blobs`].
    pub blobs: Vec<Vec<u8>>,
}

/// Why bytes are not a submission.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmissionError {
    /// Not well-formed.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// EN-44: a blob that the event names is missing.
    #[error("{given} blobs where the event names {named}: send each once, in the order of first mention")]
    BlobCount {
        /// How many came.
        given: usize,
        /// How many the event names.
        named: usize,
    },
    /// EN-45: a blob is not the one that the event names at its place.
    #[error("blob {position} is not the one that the event names at that place: its hash or size differs")]
    BlobMismatch {
        /// Which blob, from 0.
        position: usize,
    },
}

impl SubmissionError {
    /// The stable code of the rule.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Parse(error) => error.code(),
            Self::BlobCount { .. } => "blob-count",
            Self::BlobMismatch { .. } => "blob-mismatch",
        }
    }
}

impl Envelope {
    /// Joins an event's canonical bytes and its proofs.
    ///
    /// # Errors
    /// The bytes are not an event.
    pub fn new(event_bytes: Vec<u8>, proofs: Vec<Proof>) -> Result<Self, ParseError> {
        let event = Event::parse(&event_bytes)?;
        Ok(Self { event_bytes, event, proofs })
    }

    pub(crate) fn take(members: &mut Members) -> Result<Self, ParseError> {
        let value = members.value("event")?;
        let event_bytes = json::write(&value);
        if event_bytes.len() > EVENT_BYTES_MAX {
            return Err(MemberError::value("event", "at most 24,576 bytes long").into());
        }
        let event = Event::decode(value)?;
        let is_signed = !event.signers.is_empty();
        let proofs = if is_signed { members.list("proofs", SIGNERS_MAX, Proof::decode)? } else { Vec::new() };
        Ok(Self { event_bytes, event, proofs })
    }

    /// The event.
    #[must_use]
    pub const fn event(&self) -> &Event {
        &self.event
    }

    /// The canonical bytes of the event.
    #[must_use]
    pub fn event_bytes(&self) -> &[u8] {
        &self.event_bytes
    }

    /// The proofs, one for each signer.
    #[must_use]
    pub fn proofs(&self) -> &[Proof] {
        &self.proofs
    }

    /// Verifies every signature over the exact bytes of the event (rules EN-31 to EN-38).
    ///
    /// # Errors
    /// The first proof that breaks a rule.
    pub fn check(self) -> Result<CheckedEnvelope, CheckError> {
        let signers = &self.event.signers;
        if signers.len() != self.proofs.len() {
            return Err(CheckError::ProofCount { proofs: self.proofs.len(), signers: signers.len() });
        }
        let added = self.event.added_keys();
        if added.iter().any(|key| !signers.contains(&key.id)) {
            return Err(CheckError::NewKeySilent);
        }
        let event_hash = event::event_hash(&self.event_bytes);
        let signable = event::signable(&self.event_bytes);
        for (position, (signer, proof)) in signers.iter().zip(&self.proofs).enumerate() {
            if proof.key_id() != *signer {
                return Err(CheckError::ProofKey { position });
            }
            let is_added = added.iter().any(|key| key.id == *signer);
            let read = if is_added { key::registrable } else { key::verifying_key };
            let verifying = read(&proof.key).map_err(|refusal| CheckError::Key { position, refusal })?;
            if !key::verifies(proof.method, &verifying, &signable, &proof.signature) {
                return Err(CheckError::Signature { position });
            }
        }
        Ok(CheckedEnvelope { envelope: self, event_hash })
    }
}

impl CheckedEnvelope {
    /// Takes an envelope's signatures on trust: only for entries of a tree that this registry committed
    /// after checking them, so that a restart need not check them again. An auditor never calls this.
    #[must_use]
    pub fn unverified_trusted(envelope: Envelope) -> Self {
        let event_hash = event::event_hash(&envelope.event_bytes);
        Self { envelope, event_hash }
    }

    /// An event that nobody signs, and so has no signature to check: a `registry.tick` that the registry
    /// makes.
    pub(crate) fn unsigned(event: Event) -> Self {
        let event_bytes = event.encode();
        Self::unverified_trusted(Envelope { event_bytes, event, proofs: Vec::new() })
    }

    /// The event.
    #[must_use]
    pub const fn event(&self) -> &Event {
        &self.envelope.event
    }

    /// The canonical bytes of the event.
    #[must_use]
    pub fn event_bytes(&self) -> &[u8] {
        &self.envelope.event_bytes
    }

    /// The event hash, taken before the signatures were checked.
    #[must_use]
    pub const fn event_hash(&self) -> EventHash {
        self.event_hash
    }

    /// The proofs, one for each signer.
    #[must_use]
    pub fn proofs(&self) -> &[Proof] {
        &self.envelope.proofs
    }
}

impl Submission {
    /// Reads a submission: canonical JSON `{"blobs":[...],"event":{...},"proofs":[...]}`, `blobs` left
    /// out where the event names none (rules EN-40 to EN-47).
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn parse(bytes: &[u8]) -> Result<Self, SubmissionError> {
        let value = json::parse(bytes, SUBMISSION_BYTES_MAX).map_err(ParseError::from)?;
        let mut members = Members::of("submission", value).map_err(ParseError::from)?;
        let encoded = members.list_if("blobs", BLOBS_MAX, json::text_of).map_err(ParseError::from)?;
        let envelope = Envelope::take(&mut members)?;
        members.finish().map_err(ParseError::from)?;
        let blobs = decode_blobs(&encoded).map_err(ParseError::from)?;
        Self::new(envelope, blobs)
    }

    /// Joins an envelope and its blobs.
    ///
    /// # Errors
    /// The event is the registry's to make; or a blob is missing, too many, or not the one that the event
    /// names.
    pub fn new(envelope: Envelope, blobs: Vec<Vec<u8>>) -> Result<Self, SubmissionError> {
        if envelope.event.signers.is_empty() {
            let signed = "the type of an event that somebody signs; the registry makes ticks by itself";
            return Err(SubmissionError::Parse(MemberError::value("type", signed).into()));
        }
        let named = envelope.event.blobs();
        if named.len() != blobs.len() {
            return Err(SubmissionError::BlobCount { given: blobs.len(), named: named.len() });
        }
        if let Some(position) = named.iter().zip(&blobs).position(|(blob, bytes)| !blob.names(bytes)) {
            return Err(SubmissionError::BlobMismatch { position });
        }
        Ok(Self { envelope, blobs })
    }

    /// The canonical bytes; the inverse of [`Submission::parse`].
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut object = ObjectWriter::new(&mut out);
        if !self.blobs.is_empty() {
            object.list("blobs", &self.blobs, |out, blob| json::write_base64(out, blob));
        }
        write_envelope(&mut object, &self.envelope.event_bytes, &self.envelope.proofs);
        object.finish();
        out
    }
}

/// The event and, where somebody signed it, the proofs (rule EN-31).
pub(crate) fn write_envelope(object: &mut ObjectWriter<'_>, event: &[u8], proofs: &[Proof]) {
    object.raw("event", event);
    if !proofs.is_empty() {
        object.list("proofs", proofs, Proof::write);
    }
}

pub(crate) fn decode_blobs(encoded: &[Cow<'_, str>]) -> Result<Vec<Vec<u8>>, MemberError> {
    let blobs: Vec<Vec<u8>> = encoded
        .iter()
        .map(|text| codec::base64_decode(text).map_err(|_| MemberError::value("blobs", "canonical base64")))
        .collect::<Result<_, _>>()?;
    let bytes: u64 = blobs.iter().map(|blob| u64::try_from(blob.len()).unwrap_or(u64::MAX)).sum();
    if bytes > BLOB_BYTES_MAX {
        return Err(MemberError::value("blobs", "2,097,152 bytes at most in all"));
    }
    Ok(blobs)
}

fn base64_array<const N: usize>(
    name: &str,
    text: &str,
    must_be: &'static str,
) -> Result<[u8; N], MemberError> {
    codec::base64_decode_array(text).map_err(|_| MemberError::value(name, must_be))
}
