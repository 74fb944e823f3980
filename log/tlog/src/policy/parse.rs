//! Reading a policy file line by line (C2SP tlog-policy). Every refusal names its line.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{
    GROUPS_MAX, GroupLine, LOGS_MAX, LogLine, POLICY_BYTES_MAX, Policy, PolicyName, Quorum, WITNESSES_MAX,
    WitnessLine,
};
use crate::checkpoint::Origin;
use crate::codec::decimal;
use crate::hash::Hash;
use crate::note::{ALGORITHM_ED25519_COSIGNATURE, ALGORITHM_ML_DSA_44, VerifierKey, VerifierKeyError};

/// Why a file is no policy, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the policy: {rule}")]
pub struct PolicyError {
    /// Counted from 1; 0 for the file as a whole.
    pub line: usize,
    /// The rule that was broken.
    pub rule: PolicyRule,
}

/// The rules of a policy file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyRule {
    /// Longer than [`POLICY_BYTES_MAX`].
    #[error("a policy has at most {POLICY_BYTES_MAX} bytes")]
    TooLong,
    /// Tab, line feed, 0x20-0x7e and 0x80-0xff only; no carriage return.
    #[error("a control character")]
    Control,
    /// Not log, witness, group or quorum.
    #[error("a line begins with log, witness, group or quorum")]
    Keyword,
    /// Too few or too many fields.
    #[error("the wrong number of fields")]
    Fields,
    /// Not a verifier key.
    #[error("not a verifier key: {0}")]
    Key(VerifierKeyError),
    /// Not UTF-8, or more than one field.
    #[error("the url is not one field of utf-8")]
    Url,
    /// The same public key twice among the logs or among the witnesses, whatever name and type.
    #[error("a public key that an earlier line has already")]
    DuplicateKey,
    /// A witness key of a type that does not cosign.
    #[error("a witness key is of type 0x04 or 0x06, not {algorithm:#04x}")]
    WitnessType {
        /// The type byte that came.
        algorithm: u8,
    },
    /// More than [`LOGS_MAX`], [`WITNESSES_MAX`] or [`GROUPS_MAX`].
    #[error("too many lines of this kind")]
    TooMany,
    /// Witnesses and groups share one set of names.
    #[error("the name {0} is defined already")]
    DuplicateName(PolicyName),
    /// `none` means that no quorum is asked for.
    #[error("none is not a name of a witness, group or member")]
    None,
    /// A name that no earlier line defines.
    #[error("the name {0} is not defined before this line")]
    Undefined(PolicyName),
    /// A name may be a member of one group only, once.
    #[error("{0} is a member of a group already")]
    MemberTwice(PolicyName),
    /// Not all, any, or a canonical decimal from 1 to the number of members.
    #[error("a group needs all, any or a number from 1 to {members} of its members")]
    Threshold {
        /// The number of members on the line.
        members: usize,
    },
    /// A second `quorum` line.
    #[error("a second quorum line")]
    SecondQuorum,
    /// No `quorum` line.
    #[error("no quorum line")]
    NoQuorum,
    /// A comment that begins with the word registry, but has another form.
    #[error("a registry comment has the form \"# registry <origin>#<64 hex digits>\"")]
    RegistryForm,
    /// A second registry comment.
    #[error("a second registry comment")]
    SecondRegistry,
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// The first line that breaks a rule, and the rule.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        if bytes.len() > POLICY_BYTES_MAX {
            return Err(PolicyError { line: 0, rule: PolicyRule::TooLong });
        }
        let mut reader = Reader::default();
        for (line, bytes) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
            reader.read_line(bytes).map_err(|rule| PolicyError { line, rule })?;
        }
        let quorum = reader.quorum.ok_or(PolicyError { line: 0, rule: PolicyRule::NoQuorum })?;
        let Reader { logs, witnesses, groups, registry, .. } = reader;
        Ok(Self { logs, witnesses, groups, quorum, registry })
    }
}

/// What the lines so far have said.
#[derive(Default)]
struct Reader {
    logs: Vec<LogLine>,
    witnesses: Vec<WitnessLine>,
    groups: Vec<GroupLine>,
    quorum: Option<Quorum>,
    registry: Option<(Origin, Hash)>,
    log_keys: BTreeSet<Vec<u8>>,
    witness_keys: BTreeSet<Vec<u8>>,
    /// Every witness and group, and whether it is a member of a group.
    names: BTreeMap<PolicyName, bool>,
}

impl Reader {
    fn read_line(&mut self, line: &[u8]) -> Result<(), PolicyRule> {
        if line.iter().any(|byte| matches!(byte, 0..=0x08 | 0x0a..=0x1f | 0x7f)) {
            return Err(PolicyRule::Control);
        }
        if line.trim_ascii_start().starts_with(b"#") {
            return self.read_comment(line);
        }
        let fields: Vec<&[u8]> = fields(line).collect();
        match fields.split_first() {
            None => Ok(()),
            Some((&b"log", fields)) => self.read_log(fields),
            Some((&b"witness", fields)) => self.read_witness(fields),
            Some((&b"group", fields)) => self.read_group(fields),
            Some((&b"quorum", fields)) => self.read_quorum(fields),
            Some(_) => Err(PolicyRule::Keyword),
        }
    }

    /// A comment whose first word is `registry` is ours, and then its form is exact: a slip in it must
    /// not leave a registry silently unchecked.
    fn read_comment(&mut self, line: &[u8]) -> Result<(), PolicyRule> {
        let text = line.trim_ascii_start().strip_prefix(b"#").unwrap_or_default();
        if fields(text).next() != Some(b"registry") {
            return Ok(());
        }
        let malformed = PolicyRule::RegistryForm;
        let Some((origin, hash)) = core::str::from_utf8(line)
            .ok()
            .and_then(|line| line.strip_prefix("# registry "))
            .and_then(|value| value.rsplit_once('#'))
        else {
            return Err(malformed);
        };
        let (Ok(origin), Ok(hash)) = (Origin::new(origin), Hash::from_hex(hash)) else {
            return Err(malformed);
        };
        if self.registry.replace((origin, hash)).is_some() {
            return Err(PolicyRule::SecondRegistry);
        }
        Ok(())
    }

    fn read_log(&mut self, fields: &[&[u8]]) -> Result<(), PolicyRule> {
        let (key, url) = match fields {
            [key] => (key, None),
            [key, url] => (key, Some(url)),
            _ => return Err(PolicyRule::Fields),
        };
        if self.logs.len() >= LOGS_MAX {
            return Err(PolicyRule::TooMany);
        }
        let key = parse_key(key)?;
        if !self.log_keys.insert(key.key().to_vec()) {
            return Err(PolicyRule::DuplicateKey);
        }
        self.logs.push(LogLine { key, url: url.map(|url| parse_url(url)).transpose()? });
        Ok(())
    }

    fn read_witness(&mut self, fields: &[&[u8]]) -> Result<(), PolicyRule> {
        let (name, key, url) = match fields {
            [name, key] => (name, key, None),
            [name, key, url] => (name, key, Some(url)),
            _ => return Err(PolicyRule::Fields),
        };
        if self.witnesses.len() >= WITNESSES_MAX {
            return Err(PolicyRule::TooMany);
        }
        let name = self.define(name)?;
        let key = parse_key(key)?;
        if !matches!(key.algorithm(), ALGORITHM_ED25519_COSIGNATURE | ALGORITHM_ML_DSA_44) {
            return Err(PolicyRule::WitnessType { algorithm: key.algorithm() });
        }
        if !self.witness_keys.insert(key.key().to_vec()) {
            return Err(PolicyRule::DuplicateKey);
        }
        self.witnesses.push(WitnessLine { name, key, url: url.map(|url| parse_url(url)).transpose()? });
        Ok(())
    }

    fn read_group(&mut self, fields: &[&[u8]]) -> Result<(), PolicyRule> {
        let [name, threshold, members @ ..] = fields else { return Err(PolicyRule::Fields) };
        if self.groups.len() >= GROUPS_MAX {
            return Err(PolicyRule::TooMany);
        }
        let needed = parse_threshold(threshold, members.len())?;
        let members = members.iter().map(|member| self.join(member)).collect::<Result<Vec<_>, _>>()?;
        // Only now: a group is no member of itself.
        let name = self.define(name)?;
        self.groups.push(GroupLine { name, needed, members });
        Ok(())
    }

    fn read_quorum(&mut self, fields: &[&[u8]]) -> Result<(), PolicyRule> {
        let [name] = fields else { return Err(PolicyRule::Fields) };
        if self.quorum.is_some() {
            return Err(PolicyRule::SecondQuorum);
        }
        let quorum = if *name == NONE {
            Quorum::None
        } else {
            let name = PolicyName(name.to_vec());
            if !self.names.contains_key(&name) {
                return Err(PolicyRule::Undefined(name));
            }
            Quorum::Of(name)
        };
        self.quorum = Some(quorum);
        Ok(())
    }

    fn define(&mut self, name: &[u8]) -> Result<PolicyName, PolicyRule> {
        if name == NONE {
            return Err(PolicyRule::None);
        }
        let name = PolicyName(name.to_vec());
        if self.names.insert(name.clone(), false).is_some() {
            return Err(PolicyRule::DuplicateName(name));
        }
        Ok(name)
    }

    fn join(&mut self, member: &[u8]) -> Result<PolicyName, PolicyRule> {
        if member == NONE {
            return Err(PolicyRule::None);
        }
        let name = PolicyName(member.to_vec());
        match self.names.get_mut(&name) {
            None => Err(PolicyRule::Undefined(name)),
            Some(true) => Err(PolicyRule::MemberTwice(name)),
            Some(is_member) => {
                *is_member = true;
                Ok(name)
            }
        }
    }
}

fn fields(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|field| !field.is_empty())
}

fn parse_key(field: &[u8]) -> Result<VerifierKey, PolicyRule> {
    let text = core::str::from_utf8(field).map_err(|_| PolicyRule::Key(VerifierKeyError::Form))?;
    VerifierKey::parse(text).map_err(PolicyRule::Key)
}

fn parse_url(field: &[u8]) -> Result<String, PolicyRule> {
    core::str::from_utf8(field).map(ToString::to_string).map_err(|_| PolicyRule::Url)
}

fn parse_threshold(field: &[u8], members: usize) -> Result<usize, PolicyRule> {
    let needed = match field {
        b"all" => Some(members),
        b"any" => Some(1),
        number => core::str::from_utf8(number)
            .ok()
            .and_then(|number| decimal(number).ok())
            .and_then(|number| usize::try_from(number).ok()),
    };
    needed.filter(|needed| (1..=members).contains(needed)).ok_or(PolicyRule::Threshold { members })
}

/// The quorum that asks for nothing, predefined by tlog-policy.
const NONE: &[u8] = b"none";
