//! Policies: which logs to believe, and which witnesses must have cosigned (C2SP tlog-policy).
//!
//! ```text
//! # registry <origin>#<64 hex digits>
//! log <verifier key> [<url>]
//! witness <name> <verifier key> [<url>]
//! group <name> all|any|<k> <name>...
//! quorum <name>|none
//! ```
//!
//! The whole file is read and every rule enforced, also for what cannot be checked yet. The comment
//! line `# registry` is ours: other programs skip it.
//!
//! Not here: checking cosignatures. Until they are, [`Policy::check_quorum_supported`] refuses a
//! policy that asks for some, so that nobody believes they were checked.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::checkpoint::Origin;
use crate::hash::Hash;
use crate::note::VerifierKey;

mod parse;

pub use parse::{PolicyError, PolicyRule};

/// The most `log` lines; the specification asks for at least 32.
pub const LOGS_MAX: usize = 64;

/// The most `witness` lines; the specification asks for at least 32.
pub const WITNESSES_MAX: usize = 64;

/// The most `group` lines; the specification asks for at least 32.
pub const GROUPS_MAX: usize = 64;

/// The longest policy in bytes: 64 logs and 64 witnesses of 3 KiB (an ML-DSA-44 key and two names),
/// 64 groups and as much again for comments: 2 * (64 + 64 + 64) * 3 KiB, rounded up.
pub const POLICY_BYTES_MAX: usize = 2 * 1024 * 1024;

/// A name of a witness or group: bytes without space, tab and line feed, compared as they are.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyName(Vec<u8>);

impl PolicyName {
    /// The bytes, UTF-8 or not.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// As UTF-8, with replacement characters where it is none.
impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PolicyName({self})")
    }
}

/// A `log` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The key; its name is the log's origin.
    pub key: VerifierKey,
    /// Where the log can be read.
    pub url: Option<String>,
}

/// A `witness` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessLine {
    /// The name inside this policy.
    pub name: PolicyName,
    /// The key, of a type that cosigns.
    pub key: VerifierKey,
    /// The submission prefix.
    pub url: Option<String>,
}

/// A `group` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupLine {
    /// The name inside this policy.
    pub name: PolicyName,
    /// How many of the members must have cosigned: 1 up to all.
    pub needed: usize,
    /// Witnesses and groups defined before; each is a member of one group at most.
    pub members: Vec<PolicyName>,
}

/// The `quorum` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Quorum {
    /// No cosignatures are asked for.
    None,
    /// This witness or group must have cosigned.
    Of(PolicyName),
}

/// The policy asks for cosignatures, which cannot be checked yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the policy asks for cosignatures of {quorum}, and this version cannot check cosignatures\n\
     use a policy with \"quorum none\", or a newer version"
)]
pub struct QuorumUnsupported {
    /// What the quorum line names.
    pub quorum: PolicyName,
}

/// A policy that keeps all rules of tlog-policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<LogLine>,
    witnesses: Vec<WitnessLine>,
    groups: Vec<GroupLine>,
    quorum: Quorum,
    registry: Option<(Origin, Hash)>,
}

impl Policy {
    /// The logs, in their order.
    #[must_use]
    pub fn logs(&self) -> &[LogLine] {
        &self.logs
    }

    /// The witnesses, in their order.
    #[must_use]
    pub fn witnesses(&self) -> &[WitnessLine] {
        &self.witnesses
    }

    /// The groups, in their order: the members of each stand before it.
    #[must_use]
    pub fn groups(&self) -> &[GroupLine] {
        &self.groups
    }

    /// What must have cosigned.
    #[must_use]
    pub const fn quorum(&self) -> &Quorum {
        &self.quorum
    }

    /// Refuses a policy whose quorum would have to be checked.
    ///
    /// # Errors
    /// The quorum is another than `none`.
    pub fn check_quorum_supported(&self) -> Result<(), QuorumUnsupported> {
        match &self.quorum {
            Quorum::None => Ok(()),
            Quorum::Of(name) => Err(QuorumUnsupported { quorum: name.clone() }),
        }
    }

    /// The keys of one log: all of them must sign its checkpoints
    /// ([`crate::checkpoint::SignedCheckpoint::open`]).
    #[must_use]
    pub fn log_keys(&self, origin: &Origin) -> Vec<&VerifierKey> {
        self.logs.iter().map(|log| &log.key).filter(|key| key.name() == origin.key_name()).collect()
    }

    /// What the comment line `# registry <origin>#<hash>` says: the origin, and the hash that tells
    /// this registry from every other one of the same name.
    #[must_use]
    pub fn registry_comment(&self) -> Option<(&str, Hash)> {
        self.registry.as_ref().map(|(origin, hash)| (origin.as_str(), *hash))
    }

    /// Writes the policy that believes one key of one log, without witnesses.
    ///
    /// # Errors
    /// The URL cannot stand in a policy.
    pub fn for_log(
        key: &VerifierKey,
        url: Option<&str>,
        registry: Option<(&Origin, &Hash)>,
    ) -> Result<String, PolicyError> {
        let mut policy = String::new();
        if let Some((origin, hash)) = registry {
            policy.push_str(&format!("# registry {origin}#{hash}\n"));
        }
        policy.push_str(&format!("log {key}"));
        if let Some(url) = url {
            policy.push_str(&format!(" {url}"));
        }
        policy.push_str("\nquorum none\n");
        // A URL with a space or a line feed would say something else: what was written must read as one log.
        let read = Self::parse(policy.as_bytes())?;
        match read.logs() {
            [log] if log.url.as_deref() == url => Ok(policy),
            _ => Err(PolicyError { line: 0, rule: PolicyRule::Url }),
        }
    }
}
