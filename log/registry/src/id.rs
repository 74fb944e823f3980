//! The names of things: every one is a SHA-256, every kind a type of its own.
//!
//! Follows `docs/spec/entry.md`, rules EN-20 to EN-25.

use alloc::format;
use alloc::string::String;
use core::fmt;

use undersigned_tlog::codec::DecodeError;
use undersigned_tlog::hash::Hash;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Hash);

        impl $name {
            /// Reads 64 lower-case hex digits.
            ///
            /// # Errors
            /// Anything else.
            pub fn from_hex(text: &str) -> Result<Self, DecodeError> {
                Hash::from_hex(text).map(Self)
            }

            /// The hash itself.
            #[must_use]
            pub const fn hash(&self) -> &Hash {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

id! {
    /// SHA-256 of an event's canonical JSON, without header or line feed.
    EventHash
}
id! {
    /// The event hash of the `party.create` that made the party; the operator's is that of `registry.open`.
    PartyId
}
id! {
    /// The event hash of a `statement.publish`.
    StatementId
}
id! {
    /// The event hash of a `statement.version`.
    VersionId
}
id! {
    /// SHA-256 of key type, LF and raw public key.
    KeyId
}

/// Which registry an event is meant for: the origin of its log and the event hash of its `registry.open`.
///
/// Written `origin#hash`. The hash covers 32 random bytes, so that no second log of the same name
/// and the same keys can use a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryId {
    origin: String,
    genesis: EventHash,
}

/// The longest origin in bytes: the length prefix of an ML-DSA cosignature is one byte.
pub const ORIGIN_BYTES_MAX: usize = 255;

impl RegistryId {
    /// Joins an origin and the event hash of its `registry.open`; `None` if the origin breaks its rule.
    #[must_use]
    pub fn new(origin: &str, genesis: EventHash) -> Option<Self> {
        is_origin(origin).then(|| Self { origin: origin.into(), genesis })
    }

    /// Reads `origin#hash`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (origin, genesis) = text.split_once('#')?;
        Self::new(origin, EventHash::from_hex(genesis).ok()?)
    }

    /// The log's origin line.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The event hash of `registry.open`.
    #[must_use]
    pub const fn genesis(&self) -> EventHash {
        self.genesis
    }

    /// The operator's party id, which is the genesis hash.
    #[must_use]
    pub const fn operator(&self) -> PartyId {
        PartyId(self.genesis.0)
    }

    /// `origin#hash`.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{}#{}", self.origin, self.genesis)
    }
}

impl fmt::Display for RegistryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.origin, self.genesis)
    }
}

/// Whether a text can be an origin: 1 to 255 of the characters of a URL without scheme, query,
/// fragment, space or `+`.
#[must_use]
pub fn is_origin(text: &str) -> bool {
    (1..=ORIGIN_BYTES_MAX).contains(&text.len())
        && !text.contains("://")
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/[]".contains(&byte))
}
