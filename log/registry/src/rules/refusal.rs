//! Which rule of the law refuses an event, and its stable code.
//!
//! Follows the table of codes in `docs/spec/events.md`.

use crate::entry::LAW_VERSION;
use crate::id::{EventHash, KeyId, RegistryId};
use crate::key::Role;

/// Which rule of the law refuses an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// LA-1: `registry.open` anywhere but at index 0, or anything else there.
    #[error("registry.open is entry 0, and entry 0 is registry.open")]
    NotGenesis,
    /// LA-2: the event names another registry.
    #[error("the event is meant for another registry than {expected}")]
    WrongRegistry {
        /// The id of this one.
        expected: RegistryId,
    },
    /// LA-3: `received` is smaller than that of an entry before.
    #[error("received goes back: {received} after {last}")]
    ReceivedBack {
        /// The entry's second.
        received: u64,
        /// The newest second in the log.
        last: u64,
    },
    /// LA-5: no such party.
    #[error("there is no party with this id")]
    UnknownParty,
    /// LA-6: a signer that the registry does not know.
    #[error("the key {key} is not registered")]
    UnknownKey {
        /// Which one.
        key: KeyId,
    },
    /// LA-7: a signer that belongs to somebody else.
    #[error("the key {key} belongs to another party")]
    ForeignKey {
        /// Which one.
        key: KeyId,
    },
    /// LA-8: a signer that was ended.
    #[error("the key {key} was ended by entry {to}")]
    EndedKey {
        /// Which one.
        key: KeyId,
        /// The entry that ended it.
        to: u64,
    },
    /// LA-9: no signer has the role that the event needs.
    #[error("no signer has the role \"{needed}\" or a higher one")]
    RoleTooLow {
        /// The lowest role that suffices.
        needed: Role,
    },
    /// LA-10: `after` is not the head of the thread.
    #[error("the thread moved on: its head is {}", HeadText(*head))]
    Stale {
        /// The head, if the record exists.
        head: Option<EventHash>,
    },
    /// LA-11: `log_before` has passed.
    #[error("log_before {log_before} has passed: it is {received}")]
    Expired {
        /// The event's limit.
        log_before: u64,
        /// The registry's clock.
        received: u64,
    },
    /// LA-12: `log_before` lies further away than the policy's window.
    #[error("log_before lies more than {window} seconds ahead")]
    LogBeforeTooFar {
        /// The policy's window in seconds.
        window: u64,
    },
    /// LA-13: a key that the event adds is registered already.
    #[error("the key {key} is registered already; a key belongs to one party for ever")]
    KeyInUse {
        /// Which one.
        key: KeyId,
    },
    /// LA-14: the registry admits by invitation, and no operator key signs.
    #[error("this registry admits by invitation: an admin key of its operator must be among the signers")]
    NotInvited,
    /// LA-15: a key to be ended is not a live key of the party.
    #[error("the key {key} is not a live key of this party")]
    KeyNotLive {
        /// Which one.
        key: KeyId,
    },
    /// LA-16: no admin or recovery key would be left.
    #[error("one live admin or recovery key must remain")]
    LastKey,
    /// LA-17: more live keys than the limit.
    #[error("a party has at most 32 live keys")]
    TooManyKeys,
    /// LA-18: the party is not the operator.
    #[error("only the operator may do this")]
    NotOperator,
    /// LA-19: a version of format and law that goes back or is not known.
    #[error("v must be at least {current} and at most {}", LAW_VERSION)]
    LawVersion {
        /// The one in force.
        current: u64,
    },
    /// LA-20: the slug is taken.
    #[error("the slug is taken, for ever")]
    SlugTaken,
    /// LA-21: no such statement.
    #[error("there is no statement with this id")]
    UnknownStatement,
    /// LA-22: the party is not the statement's sponsor.
    #[error("only the sponsor of the statement may publish its versions")]
    NotSponsor,
    /// LA-23: no such version of this statement.
    #[error("the statement has no version with this id")]
    UnknownVersion,
    /// LA-24: the version has no text in this language.
    #[error("the version has no text in this language")]
    LanguageNotListed,
    /// LA-25: the endorsement stands already.
    #[error("the party endorses this version already")]
    AlreadyEndorsed,
    /// LA-26: the endorsement is withdrawn already.
    #[error("the endorsement is withdrawn already")]
    AlreadyWithdrawn,
    /// LA-30: something is due, and a tick comes first.
    #[error("something fell due at {due}, and a registry.tick comes first")]
    TickFirst {
        /// The smallest due second.
        due: u64,
    },
    /// LA-31: a tick while nothing is due.
    #[error("nothing is due at {received}")]
    NothingDue {
        /// The entry's second.
        received: u64,
    },
    /// LA-32: a tick that names another due second or another entry before it.
    #[error("the tick after entry {previous} says that second {due} is due")]
    WrongTick {
        /// The smallest due second.
        due: u64,
        /// The index of the entry before.
        previous: u64,
    },
    /// LA-34: an end that is not ahead.
    #[error("not_after must lie after the registry's clock, which is at {received} (POSIX seconds)")]
    NotAfterPassed {
        /// The registry's clock.
        received: u64,
    },
}

struct HeadText(Option<EventHash>);

impl core::fmt::Display for HeadText {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            Some(head) => write!(f, "{head}, which \"after\" must name"),
            None => f.write_str("not there yet, and \"after\" must be left out"),
        }
    }
}

impl Refusal {
    /// The stable code of the rule.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotGenesis => "not-genesis",
            Self::WrongRegistry { .. } => "wrong-registry",
            Self::ReceivedBack { .. } => "received-back",
            Self::UnknownParty => "unknown-party",
            Self::UnknownKey { .. } => "unknown-key",
            Self::ForeignKey { .. } => "foreign-key",
            Self::EndedKey { .. } => "ended-key",
            Self::RoleTooLow { .. } => "role-too-low",
            Self::Stale { .. } => "stale",
            Self::Expired { .. } => "expired",
            Self::LogBeforeTooFar { .. } => "log-before-too-far",
            Self::KeyInUse { .. } => "key-in-use",
            Self::NotInvited => "not-invited",
            Self::KeyNotLive { .. } => "key-not-live",
            Self::LastKey => "last-key",
            Self::TooManyKeys => "too-many-keys",
            Self::NotOperator => "not-operator",
            Self::LawVersion { .. } => "law-version",
            Self::SlugTaken => "slug-taken",
            Self::UnknownStatement => "unknown-statement",
            Self::NotSponsor => "not-sponsor",
            Self::UnknownVersion => "unknown-version",
            Self::LanguageNotListed => "language-not-listed",
            Self::AlreadyEndorsed => "already-endorsed",
            Self::AlreadyWithdrawn => "already-withdrawn",
            Self::TickFirst { .. } => "tick-first",
            Self::NothingDue { .. } => "nothing-due",
            Self::WrongTick { .. } => "wrong-tick",
            Self::NotAfterPassed { .. } => "not-after-passed",
        }
    }
}
