//! How ids, hashes and raw JSON stand in answers and requests.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};
use serde_json::value::RawValue;
use undersigned_registry::id::{EventHash, KeyId, PartyId, RegistryId, StatementId, VersionId};
use undersigned_tlog::hash::Hash;

/// What is written as one string.
pub(crate) trait Written: Sized {
    /// What belongs there, for the message.
    const WHAT: &'static str;
    /// Reads it.
    fn read(text: &str) -> Option<Self>;
}

macro_rules! written_in_hex {
    ($($name:ident),*) => {$(
        impl Written for $name {
            const WHAT: &'static str = "64 lower-case hex digits";
            fn read(text: &str) -> Option<Self> {
                Self::from_hex(text).ok()
            }
        }
    )*};
}

written_in_hex!(EventHash, KeyId, PartyId, StatementId, VersionId, Hash);

impl Written for RegistryId {
    const WHAT: &'static str = "origin#hash";
    fn read(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

fn read<E: serde::de::Error, A: Written>(text: &str) -> Result<A, E> {
    A::read(text).ok_or_else(|| E::custom(format!("not {}", A::WHAT)))
}

pub(crate) fn written<'de, D: Deserializer<'de>, A: Written>(from: D) -> Result<A, D::Error> {
    read(&String::deserialize(from)?)
}

/// With `#[serde(default)]`, for a member that may be left out.
pub(crate) fn written_if<'de, D: Deserializer<'de>, A: Written>(from: D) -> Result<Option<A>, D::Error> {
    Option::<String>::deserialize(from)?.map(|text| read(&text)).transpose()
}

pub(crate) fn base64_hash<'de, D: Deserializer<'de>>(from: D) -> Result<Hash, D::Error> {
    Hash::from_base64(&String::deserialize(from)?).map_err(D::Error::custom)
}

pub(crate) fn base64_hashes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Hash>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    texts.iter().map(|text| Hash::from_base64(text).map_err(D::Error::custom)).collect()
}

/// The exact bytes of a value, as they stand in the answer.
pub(crate) fn raw<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    Ok(Box::<RawValue>::deserialize(from)?.get().as_bytes().to_vec())
}

/// With `#[serde(default)]`, for a raw value that may be left out.
pub(crate) fn raw_if<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
    raw(from).map(Some)
}

pub(crate) fn write<S: Serializer, A: std::fmt::Display>(id: &A, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(id)
}

pub(crate) fn write_if<S: Serializer, A: std::fmt::Display>(
    id: &Option<A>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match id {
        Some(id) => to.collect_str(id),
        None => to.serialize_none(),
    }
}
