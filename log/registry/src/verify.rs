//! What a receipt proves. Every binding is checked, and what is not proved is said.
//!
//! Follows `docs/spec/receipt.md`, rules RC-10 to RC-38. The input is a receipt and a trust anchor; no
//! network, no clock, no state of the caller. The other kinds of proof files are checked beside it: `state`
//! for the answer to a question about the state, `entries` for several entries at once.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use undersigned_tlog::checkpoint::{Origin, SignedCheckpoint};
use undersigned_tlog::hash::Hash;
use undersigned_tlog::policy::Policy;
use undersigned_tlog::tree::{LeafIndex, verify_inclusion};

use crate::entry::{self, Entry};
use crate::envelope::{CheckError, CheckedEnvelope};
use crate::event::{BlobRef, Body, Ending, Event, NewKey, ParseError};
use crate::id::{EventHash, KeyId, PartyId, RegistryId, StatementId, VersionId};
use crate::key::Role;
use crate::receipt::{self, Receipt, StatePath};
use crate::record::{
    EndorsementRecord, KeyRecord, PartyRecord, Record, RegistryRecord, StateKey, StatementRecord, Status,
    VersionRecord,
};
use crate::state_tree::{self, Answer, SubtreeProof, Tally};

mod entries;
mod state;

pub use entries::{VerifiedEntries, VerifiedEntry, verify_entries};
pub use state::{StateAnswer, VerifiedState, verify_state};

/// Whom the verifier trusts.
#[derive(Debug, Clone)]
pub struct Trust {
    policy: Policy,
    registry: Option<RegistryId>,
}

/// Why a policy file is no trust anchor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// RC-10: not a tlog-policy file.
    #[error("not a tlog-policy file: {0}")]
    Policy(#[from] undersigned_tlog::policy::PolicyError),
    /// RC-11: it asks for cosignatures.
    #[error(transparent)]
    Quorum(#[from] undersigned_tlog::policy::QuorumUnsupported),
    /// RC-12: the registry in the comment line cannot be a registry of this format.
    #[error("the policy's comment names a registry whose origin breaks the rules: \"{origin}\"")]
    Comment {
        /// The origin in the comment.
        origin: String,
    },
    /// RC-13: the registry named by hand is not the one in the policy's comment.
    #[error("the policy is for the registry {in_policy}, not for {given}")]
    Registry {
        /// From the comment line.
        in_policy: RegistryId,
        /// From the caller.
        given: RegistryId,
    },
}

impl TrustError {
    /// The stable code of the rule.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Policy(_) => "policy",
            Self::Quorum(_) => "policy-quorum",
            Self::Comment { .. } => "policy-comment",
            Self::Registry { .. } => "policy-registry",
        }
    }
}

impl Trust {
    /// Reads a tlog-policy file; `registry` says by hand which registry is meant.
    ///
    /// # Errors
    /// The file is not a policy, asks for more than can be checked, or contradicts `registry`.
    pub fn parse(policy: &str, registry: Option<RegistryId>) -> Result<Self, TrustError> {
        let policy = Policy::parse(policy.as_bytes())?;
        policy.check_quorum_supported()?;
        // A comment that cannot be matched must not leave the registry silently unchecked.
        let in_policy = match policy.registry_comment() {
            None => None,
            Some((origin, genesis)) => Some(
                RegistryId::new(origin, EventHash(genesis))
                    .ok_or_else(|| TrustError::Comment { origin: origin.to_string() })?,
            ),
        };
        let registry = match (in_policy, registry) {
            (Some(in_policy), Some(given)) if in_policy != given => {
                return Err(TrustError::Registry { in_policy, given });
            }
            (in_policy, given) => given.or(in_policy),
        };
        Ok(Self { policy, registry })
    }

    /// Which registry is meant, if the anchor says so.
    #[must_use]
    pub const fn registry(&self) -> Option<&RegistryId> {
        self.registry.as_ref()
    }

    /// The policy.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Opens a checkpoint: every `log` line that names its origin must verify (rule RC-21).
    ///
    /// # Errors
    /// The origin is unknown, or a signature is missing or wrong.
    pub fn open_checkpoint(&self, bytes: &[u8]) -> Result<SignedCheckpoint, VerifyError> {
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let origin = core::str::from_utf8(line)
            .ok()
            .and_then(|line| Origin::new(line).ok())
            .ok_or(VerifyError::UnknownLog { origin: String::from_utf8_lossy(line).into_owned() })?;
        let keys = self.policy.log_keys(&origin);
        if keys.is_empty() {
            return Err(VerifyError::UnknownLog { origin: origin.to_string() });
        }
        SignedCheckpoint::open(bytes, Some(&origin), &keys).map_err(VerifyError::Checkpoint)
    }
}

/// Which binding of a receipt does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// RC-20: the checkpoint is of a log that the policy does not name.
    #[error("the policy names no log with the origin \"{origin}\"")]
    UnknownLog {
        /// The checkpoint's first line.
        origin: String,
    },
    /// RC-21: the checkpoint's signatures.
    #[error("the checkpoint: {0}")]
    Checkpoint(undersigned_tlog::checkpoint::OpenCheckpointError),
    /// RC-22: the entry is not at the index in the checkpoint's tree.
    #[error("the entry is not in the tree of the checkpoint: {0}")]
    Inclusion(undersigned_tlog::tree::ProofError),
    /// RC-24: the entry is of another registry.
    #[error("the entry is meant for the registry {found}, not for {expected}")]
    Registry {
        /// From the entry.
        found: String,
        /// From the trust anchor, or the checkpoint's origin.
        expected: String,
    },
    /// RC-23: a signature or key of the entry.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// RC-25: `registry.open` elsewhere than at index 0, or another event there.
    #[error("registry.open is entry 0, and entry 0 is registry.open")]
    NotGenesis,
    /// RC-26: the registry logged the event after the second that its signers allowed.
    #[error("the registry logged the event at {received}, after its log_before {log_before}")]
    Expired {
        /// The event's limit.
        log_before: u64,
        /// The registry's clock.
        received: u64,
    },
    /// RC-27: a path for a key that the event does not call for.
    #[error("state path {position} is for a key that this event does not call for")]
    ForeignPath {
        /// Which one, from 0.
        position: usize,
    },
    /// RC-28: a state path does not lead from its record to the entry's state root.
    #[error("state path {position}: {reason}")]
    Path {
        /// Which one, from 0.
        position: usize,
        /// What the walk refused.
        reason: String,
    },
    /// RC-29 to RC-35: a proved record is not what the law would have made of the entry.
    #[error("the state contradicts the entry: {0}")]
    Contradiction(&'static str),
    /// SP-26, SP-27: the path shows something else than the question claims.
    #[error("the state answers otherwise: {0}")]
    OtherAnswer(&'static str),
    /// MP-21 to MP-24: the entries are not where they claim to be in the checkpoint's tree.
    #[error("the entries are not in the tree of the checkpoint: {0}")]
    Entries(undersigned_tlog::tree::MultiProofError),
    /// MP-25: an entry of a multi-proof that is none of the format.
    #[error("entry {index}: {error}")]
    Entry {
        /// Its index.
        index: u64,
        /// The rule that it breaks.
        error: ParseError,
    },
    /// RC-36: a blob that nothing in the receipt names.
    #[error("blob {position} is not named by the entry or by a proved record")]
    ForeignBlob {
        /// Which one, from 0.
        position: usize,
    },
}

impl VerifyError {
    /// The stable code of the rule.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownLog { .. } => "unknown-log",
            Self::Checkpoint(_) => "checkpoint",
            Self::Inclusion(_) | Self::Entries(_) => "inclusion",
            Self::Entry { error, .. } => error.code(),
            Self::OtherAnswer(_) => "other-answer",
            Self::Registry { .. } => "registry",
            Self::Check(error) => error.code(),
            Self::NotGenesis => "not-genesis",
            Self::Expired { .. } => "expired",
            Self::ForeignPath { .. } => "foreign-path",
            Self::Path { .. } => "state-path",
            Self::Contradiction(_) => "state-contradiction",
            Self::ForeignBlob { .. } => "foreign-blob",
        }
    }
}

/// One signer of the entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// The key.
    pub key: KeyId,
    /// Its role, where a state path shows whose it was and that it was live at this entry.
    pub role: Option<Role>,
    /// Whose it was, where a state path shows it: the party's that acts, or, of a `party.create` by
    /// invitation, the operator's.
    pub party: Option<PartyId>,
}

/// What a receipt proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The log.
    pub origin: String,
    /// The registry, where the trust anchor names it; `None`: its identity is unchecked.
    pub registry: Option<RegistryId>,
    /// The entry's index.
    pub index: u64,
    /// The size of the checkpoint's tree.
    pub tree_size: u64,
    /// The root of the checkpoint's tree.
    pub tree_root: Hash,
    /// The event's hash.
    pub event_hash: EventHash,
    /// The event.
    pub event: Event,
    /// The registry's clock in POSIX seconds; stated by the registry.
    pub received: u64,
    /// The state root after the entry; stated by the registry, checkable by replay.
    pub state: Hash,
    /// Who acts; nobody in a `registry.tick`.
    pub party: Option<PartyId>,
    /// The party's record at this entry, if a path shows it.
    pub party_record: Option<PartyRecord>,
    /// The signers.
    pub signers: Vec<Signer>,
    /// The endorsement's record at this entry, if the event moves one and a path shows it.
    pub endorsement: Option<EndorsementRecord>,
    /// The version's record, if a path shows it.
    pub version_record: Option<VersionRecord>,
    /// The tally of all endorsements of the version at this entry, if the path shows it.
    pub version_tally: Option<Tally>,
    /// Texts that the receipt carries and something in it names.
    pub blobs: Vec<(BlobRef, Vec<u8>)>,
}

impl Verified {
    /// The bytes of a blob, if the receipt carries it.
    #[must_use]
    pub fn blob(&self, blob: &BlobRef) -> Option<&[u8]> {
        self.blobs.iter().find(|(named, _)| named == blob).map(|(_, bytes)| bytes.as_slice())
    }

    /// The party's name: in this language if there is one, else the first.
    #[must_use]
    pub fn party_name(&self, language: &str) -> Option<&str> {
        let names = self.party_record.as_ref().map(|record| &record.names).or(match &self.event.body {
            Body::PartyCreate { names, .. } | Body::RegistryOpen { names, .. } => Some(names),
            _ => None,
        })?;
        let name = names.iter().find(|name| name.language == language).or_else(|| names.first())?;
        core::str::from_utf8(self.blob(&name.text)?).ok()
    }

    /// The statement's title: in this language if there is one, else the first.
    #[must_use]
    pub fn title(&self, language: &str) -> Option<&str> {
        let texts = self.version_record.as_ref().map(|record| &record.texts).or(match &self.event.body {
            Body::StatementVersion { texts, .. } => Some(texts),
            _ => None,
        })?;
        let text = texts.iter().find(|text| text.language == language).or_else(|| texts.first())?;
        core::str::from_utf8(self.blob(&text.title)?).ok()
    }
}

/// Checks a receipt against a trust anchor.
///
/// # Errors
/// The first binding that does not hold.
pub fn verify(receipt: &Receipt, trust: &Trust) -> Result<Verified, VerifyError> {
    let checkpoint = trust.open_checkpoint(&receipt.checkpoint)?;
    let head = checkpoint.checkpoint();
    verify_inclusion(
        &entry::leaf(&receipt.entry_bytes),
        LeafIndex::new(receipt.index),
        head.size(),
        &receipt.hashes,
        head.root(),
    )
    .map_err(VerifyError::Inclusion)?;
    let (envelope, registry) = check_entry(&receipt.entry, receipt.index, head.origin(), trust)?;
    let records = prove_records(receipt, &envelope)?;
    let party = envelope.event().actor(envelope.event_hash());
    let signers = signers(&records, &envelope, party, &registry, receipt.index)?;
    let mut verified = Verified {
        origin: head.origin().to_string(),
        registry: trust.registry.clone(),
        index: receipt.index,
        tree_size: head.size().get(),
        tree_root: *head.root(),
        event_hash: envelope.event_hash(),
        event: envelope.event().clone(),
        received: receipt.entry.received,
        state: receipt.entry.state,
        party,
        party_record: None,
        signers,
        endorsement: None,
        version_record: None,
        version_tally: None,
        blobs: Vec::new(),
    };
    bind_party(&mut verified, &records)?;
    bind_moved(&mut verified, &records, &registry)?;
    bind_blobs(&mut verified, &receipt.blobs)?;
    Ok(verified)
}

/// RC-23 to RC-26: what is asked of an entry at its index, whatever kind of file it is proved by.
fn check_entry(
    entry: &Entry,
    index: u64,
    origin: &Origin,
    trust: &Trust,
) -> Result<(CheckedEnvelope, RegistryId), VerifyError> {
    let envelope = entry.envelope.clone().check()?;
    let registry = check_registry(&envelope, origin.as_str(), trust.registry.as_ref())?;
    check_place(&envelope, index, entry.received)?;
    Ok((envelope, registry))
}

/// RC-24: which registry the entry is of.
fn check_registry(
    envelope: &CheckedEnvelope,
    origin: &str,
    trusted: Option<&RegistryId>,
) -> Result<RegistryId, VerifyError> {
    let found = match (&envelope.event().registry, &envelope.event().body) {
        (Some(registry), _) => Some(registry.clone()),
        (None, Body::RegistryOpen { origin, .. }) => RegistryId::new(origin, envelope.event_hash()),
        (None, _) => None,
    };
    let named = found.as_ref().map(RegistryId::to_text).unwrap_or_default();
    found
        .filter(|found| found.origin() == origin && trusted.is_none_or(|trusted| trusted == found))
        .ok_or_else(|| VerifyError::Registry {
            found: named,
            expected: trusted.map_or_else(|| origin.to_string(), RegistryId::to_text),
        })
}

/// RC-25, RC-26: what the law asks of every entry and needs no state.
fn check_place(envelope: &CheckedEnvelope, index: u64, received: u64) -> Result<(), VerifyError> {
    if matches!(envelope.event().body, Body::RegistryOpen { .. }) != (index == 0) {
        return Err(VerifyError::NotGenesis);
    }
    match envelope.event().log_before {
        Some(log_before) if log_before < received => Err(VerifyError::Expired { log_before, received }),
        _ => Ok(()),
    }
}

struct Proved {
    key: Vec<u8>,
    record: Record,
    verified: state_tree::Verified,
}

/// RC-27, RC-28: every path is called for, and is walked to the entry's own root.
fn prove_records(receipt: &Receipt, envelope: &CheckedEnvelope) -> Result<Vec<Proved>, VerifyError> {
    let called_for = receipt::proved_keys(envelope.event(), envelope.event_hash());
    let mut proved = Vec::with_capacity(receipt.paths.len());
    for (position, path) in receipt.paths.iter().enumerate() {
        if !called_for.iter().any(|key| key.as_bytes() == path.prefix) {
            return Err(VerifyError::ForeignPath { position });
        }
        let verified = walk(path, position, &receipt.entry.state)?;
        let record = record_at(&verified, path, position)?;
        proved.push(Proved { key: path.prefix.clone(), record, verified });
    }
    Ok(proved)
}

/// RC-28, SP-24: the path is accepted for its prefix and the entry's root.
fn walk(path: &StatePath, position: usize, root: &Hash) -> Result<state_tree::Verified, VerifyError> {
    let refuse = |reason: String| VerifyError::Path { position, reason };
    let proof = SubtreeProof::decode(&path.proof).map_err(|error| refuse(error.to_string()))?;
    state_tree::verify(&proof, &path.prefix, root, Record::tally_of)
        .map_err(|error| refuse(error.to_string()))
}

/// RC-28, SP-28: the path ends in the record whose key is its prefix.
fn record_at(
    verified: &state_tree::Verified,
    path: &StatePath,
    position: usize,
) -> Result<Record, VerifyError> {
    let refuse = |reason: String| VerifyError::Path { position, reason };
    match &verified.answer {
        Answer::Record { key, record, .. } if *key == path.prefix => {
            Record::decode(key, record).map_err(|error| refuse(error.to_string()))
        }
        _ => Err(refuse("it does not show the record that belongs under its prefix".into())),
    }
}

fn find<'a>(records: &'a [Proved], key: &StateKey) -> Option<&'a Proved> {
    records.iter().find(|proved| proved.key == key.as_bytes())
}

const fn must(holds: bool, otherwise: &'static str) -> Result<(), VerifyError> {
    if holds { Ok(()) } else { Err(VerifyError::Contradiction(otherwise)) }
}

/// RC-29, RC-30: whose the keys are, that they were live at this entry, and that they sufficed.
fn signers(
    records: &[Proved],
    envelope: &CheckedEnvelope,
    party: Option<PartyId>,
    registry: &RegistryId,
    index: u64,
) -> Result<Vec<Signer>, VerifyError> {
    let event = envelope.event();
    // Nobody acts, and nobody signs (EN-31).
    let Some(party) = party else { return Ok(Vec::new()) };
    let mut signers = Vec::with_capacity(event.signers.len());
    for key in &event.signers {
        let Some(Proved { record: Record::Key(record), .. }) = find(records, &StateKey::key(key)) else {
            signers.push(Signer { key: *key, role: None, party: None });
            continue;
        };
        let added = event.added_keys().iter().find(|added| added.id == *key);
        // Who signs the making of a party without becoming its key is the operator, who invites.
        let invites = matches!(event.body, Body::PartyCreate { .. }) && added.is_none();
        let owner = if invites { registry.operator() } else { party };
        must(record.party == owner, "a signer's key belongs to another party")?;
        bind_key(record, added, event, key, index)?;
        signers.push(Signer { key: *key, role: Some(record.role), party: Some(owner) });
    }
    let needed = match event.body {
        Body::RegistryPolicy(_) | Body::StatementPublish { .. } | Body::StatementVersion { .. } => {
            Role::Admin
        }
        _ => Role::Sign,
    };
    let suffices = signers.iter().any(|signer| signer.role.is_none_or(|role| role >= needed));
    must(suffices, "no signer had the role that the event needs")?;
    Ok(signers)
}

fn bind_key(
    record: &KeyRecord,
    added: Option<&NewKey>,
    event: &Event,
    key: &KeyId,
    index: u64,
) -> Result<(), VerifyError> {
    match added {
        Some(added) => must(
            record.from == index && (record.role, record.key_type) == (added.role, added.key_type),
            "a key that the event adds is not recorded as added",
        )?,
        None => must(record.from < index, "a signer's key was not live at this entry")?,
    }
    let ended = match &event.body {
        Body::PartyKeys { end, .. } => end.iter().find(|ended| ended.id == *key),
        _ => None,
    };
    // The record is of the state after this entry, so an end is this entry's doing or came before it.
    match ended {
        Some(ended) => must(
            record.to == Some(index) && record.revoked == (ended.how == Ending::Revoke),
            "a key that the event ends is not recorded as ended",
        ),
        None => must(record.to.is_none(), "a signer's key was not live at this entry"),
    }
}

/// RC-31: the acting party.
fn bind_party(verified: &mut Verified, records: &[Proved]) -> Result<(), VerifyError> {
    let of_party = verified.party.and_then(|party| find(records, &StateKey::party(&party)));
    let Some(Proved { record: Record::Party(record), .. }) = of_party else { return Ok(()) };
    let (hash, index) = (verified.event_hash, verified.index);
    let is_head = (record.event, record.entry) == (hash, index);
    match &verified.event.body {
        Body::RegistryOpen { domain, names, keys, .. } | Body::PartyCreate { domain, names, keys } => {
            must(is_head && record.first == index, "the party's record does not name this event")?;
            let told = record.domain == *domain && record.names == *names && record.level == 0;
            must(told, "the party's record does not say what the event says")?;
            let listed =
                record.keys.len() == keys.len() && keys.iter().all(|key| record.keys.contains(&key.id));
            must(listed, "the party's record does not list the keys of the event")?;
        }
        Body::PartyKeys { add, end } => {
            must(is_head && record.first < index, "the party's record does not name this event as its head")?;
            let listed = add.iter().all(|key| record.keys.contains(&key.id))
                && !end.iter().any(|key| record.keys.contains(&key.id));
            must(listed, "the party's record does not list the keys that the event leaves")?;
        }
        _ => must(
            record.first <= record.entry && record.entry < index,
            "the party's record was moved by another event at this entry",
        )?,
    }
    verified.party_record = Some((**record).clone());
    Ok(())
}

/// RC-32 to RC-35: the other records, of the registry, the statement, the endorsement and the version.
fn bind_moved(verified: &mut Verified, records: &[Proved], registry: &RegistryId) -> Result<(), VerifyError> {
    if let Some(Proved { record: Record::Registry(record), .. }) = find(records, &StateKey::registry()) {
        bind_registry(verified, record, registry)?;
    }
    let statement = match &verified.event.body {
        Body::StatementPublish { .. } => StatementId(verified.event_hash.0),
        Body::StatementVersion { statement, .. } => *statement,
        Body::Endorse { statement, version, .. } | Body::Withdraw { statement, version } => {
            let (statement, version) = (*statement, *version);
            bind_version(verified, records, statement, version)?;
            return bind_endorsement(verified, records, version);
        }
        _ => return Ok(()),
    };
    match find(records, &StateKey::statement(&statement)) {
        Some(Proved { record: Record::Statement(record), .. }) => bind_statement(verified, record),
        _ => Ok(()),
    }
}

fn bind_registry(
    verified: &Verified,
    record: &RegistryRecord,
    registry: &RegistryId,
) -> Result<(), VerifyError> {
    let is_head = (record.event, record.entry) == (verified.event_hash, verified.index);
    must(is_head, "the registry's record does not name this event as its head")?;
    must(record.received == verified.received, "the registry's record has another time than the entry")?;
    let same = record.operator == registry.operator() && record.origin == registry.origin();
    must(same, "the registry's record is of another registry")?;
    match &verified.event.body {
        Body::RegistryOpen { policy, .. } | Body::RegistryPolicy(policy) => {
            must(record.policy == *policy, "the registry's record has another policy than the event")
        }
        _ => Ok(()),
    }
}

fn bind_statement(verified: &Verified, record: &StatementRecord) -> Result<(), VerifyError> {
    let (hash, index) = (verified.event_hash, verified.index);
    let is_head = (record.event, record.entry) == (hash, index);
    must(is_head, "the statement's record does not name this event as its head")?;
    must(
        Some(record.sponsor) == verified.party,
        "the statement has another sponsor than the party that acts",
    )?;
    let told = match &verified.event.body {
        Body::StatementPublish { kind, slug } => {
            record.first == index && record.versions == 0 && (record.kind, &record.slug) == (*kind, slug)
        }
        _ => record.first < index && record.version == Some(VersionId(hash.0)),
    };
    must(told, "the statement's record does not say what the event says")
}

fn bind_version(
    verified: &mut Verified,
    records: &[Proved],
    statement: StatementId,
    version: VersionId,
) -> Result<(), VerifyError> {
    let Some(Proved { record: Record::Version(record), .. }) = find(records, &StateKey::version(&version))
    else {
        return Ok(());
    };
    must(record.statement == statement, "the version is of another statement")?;
    must(record.entry < verified.index, "the version was not published before this entry")?;
    if let Body::Endorse { language, .. } = &verified.event.body {
        let listed = record.texts.iter().any(|text| text.language == *language);
        must(listed, "the version has no text in the language that was endorsed")?;
    }
    verified.version_record = Some((**record).clone());
    Ok(())
}

fn bind_endorsement(
    verified: &mut Verified,
    records: &[Proved],
    version: VersionId,
) -> Result<(), VerifyError> {
    let of_party = verified.party.and_then(|party| find(records, &StateKey::endorsement(&version, &party)));
    let Some(proved) = of_party else { return Ok(()) };
    let Record::Endorsement(record) = &proved.record else { return Ok(()) };
    let (hash, index) = (verified.event_hash, verified.index);
    let is_head = (record.event, record.entry) == (hash, index);
    must(is_head && record.first <= index, "the endorsement's record does not name this event as its head")?;
    let told = match &verified.event.body {
        Body::Endorse { language, not_after, .. } => {
            (record.status, record.endorsed, record.not_after) == (Status::Active, Some(index), *not_after)
                && record.language.as_ref() == Some(language)
        }
        _ => record.status == Status::Withdrawn && record.endorsed.is_none_or(|endorsed| endorsed < index),
    };
    must(told, "the endorsement's record does not say what the event says")?;
    if let Some(party) = &verified.party_record {
        must(record.level == party.level, "the endorsement is counted at another level than the party's")?;
    }
    verified.version_tally = proved.verified.tally_at(StateKey::endorsements_of(&version).as_bytes());
    verified.endorsement = Some(record.clone());
    Ok(())
}

/// RC-36.
fn bind_blobs(verified: &mut Verified, blobs: &[Vec<u8>]) -> Result<(), VerifyError> {
    let mut named = verified.event.blobs();
    named.extend(blobs_of(verified.party_record.as_ref(), verified.version_record.as_ref()));
    verified.blobs = matched(&named, blobs)?;
    Ok(())
}

/// The texts that these records name.
fn blobs_of(party: Option<&PartyRecord>, version: Option<&VersionRecord>) -> Vec<BlobRef> {
    let names = party.into_iter().flat_map(|record| record.names.iter().map(|name| name.text));
    let texts = version.into_iter().flat_map(|record| &record.texts);
    names.chain(texts.flat_map(|text| [text.title, text.text])).collect()
}

/// RC-36, SP-30: each blob is one that is named.
fn matched(named: &[BlobRef], blobs: &[Vec<u8>]) -> Result<Vec<(BlobRef, Vec<u8>)>, VerifyError> {
    let known = |(position, bytes): (usize, &Vec<u8>)| {
        let blob = BlobRef::of(bytes);
        if named.contains(&blob) {
            Ok((blob, bytes.clone()))
        } else {
            Err(VerifyError::ForeignBlob { position })
        }
    };
    blobs.iter().enumerate().map(known).collect()
}
