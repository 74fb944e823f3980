//! The trust anchor: which logs, by which keys, and which registry is meant.
//!
//! Follows `docs/spec/receipt.md`, rules RC-10 to RC-13, RC-20 and RC-21.

use alloc::string::{String, ToString as _};

use undersigned_tlog::checkpoint::{Origin, SignedCheckpoint};
use undersigned_tlog::policy::Policy;

use super::VerifyError;
use crate::id::{EventHash, RegistryId};

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
