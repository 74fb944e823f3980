//! The members of an object, taken out one by one; what is left over is refused.
//!
//! Follows `docs/spec/entry.md`, rules EN-10 to EN-13.

use alloc::borrow::{Cow, ToOwned as _};
use alloc::string::String;
use alloc::vec::Vec;

use undersigned_tlog::hash::Hash;

use super::Value;

/// What is wrong with one member of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MemberRule {
    /// EN-10: it belongs there and is not there.
    #[error("is missing")]
    Missing,
    /// EN-11: it is there and does not belong there.
    #[error("is not a member of this object")]
    Unknown,
    /// EN-12: it has another JSON type.
    #[error("has the wrong JSON type")]
    Type,
    /// EN-13: its value is outside its rule.
    #[error("must be {0}")]
    Value(&'static str),
}

impl MemberRule {
    /// The stable code of the rule.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "member-missing",
            Self::Unknown => "member-unknown",
            Self::Type => "member-type",
            Self::Value(_) => "member-value",
        }
    }
}

/// An object that is canonical JSON and still not of its format: which member, which rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("member \"{member}\" {rule}")]
pub struct MemberError {
    /// The member's name.
    pub member: String,
    /// The rule it breaks.
    pub rule: MemberRule,
}

impl MemberError {
    pub(crate) fn new(member: &str, rule: MemberRule) -> Self {
        Self { member: member.to_owned(), rule }
    }

    pub(crate) fn value(member: &str, must_be: &'static str) -> Self {
        Self::new(member, MemberRule::Value(must_be))
    }
}

/// Takes the members out of an object one by one; [`Members::finish`] refuses what is left.
pub(crate) struct Members<'a> {
    members: Vec<(Cow<'a, str>, Value<'a>)>,
}

impl<'a> Members<'a> {
    /// The members of an object; `place` names it in the error.
    pub(crate) fn of(place: &str, value: Value<'a>) -> Result<Self, MemberError> {
        match value {
            Value::Object(members) => Ok(Self { members }),
            _ => Err(MemberError::new(place, MemberRule::Type)),
        }
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<Value<'a>> {
        let position = self.members.iter().position(|(member, _)| member == name)?;
        Some(self.members.remove(position).1)
    }

    pub(crate) fn value(&mut self, name: &str) -> Result<Value<'a>, MemberError> {
        self.take(name).ok_or_else(|| MemberError::new(name, MemberRule::Missing))
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Cow<'a, str>, MemberError> {
        text_of(name, self.value(name)?)
    }

    pub(crate) fn text_if(&mut self, name: &str) -> Result<Option<Cow<'a, str>>, MemberError> {
        self.take(name).map(|value| text_of(name, value)).transpose()
    }

    pub(crate) fn integer(&mut self, name: &str) -> Result<u64, MemberError> {
        integer_of(name, self.value(name)?)
    }

    pub(crate) fn integer_if(&mut self, name: &str) -> Result<Option<u64>, MemberError> {
        self.take(name).map(|value| integer_of(name, value)).transpose()
    }

    /// A member that is either `true` or absent (rule EN-15).
    pub(crate) fn flag(&mut self, name: &str) -> Result<bool, MemberError> {
        match self.take(name) {
            None => Ok(false),
            Some(Value::Bool(true)) => Ok(true),
            Some(Value::Bool(false)) => Err(MemberError::value(name, "true, or left out")),
            Some(_) => Err(MemberError::new(name, MemberRule::Type)),
        }
    }

    pub(crate) fn hash(&mut self, name: &str) -> Result<Hash, MemberError> {
        hash_of(name, self.value(name)?)
    }

    pub(crate) fn hash_if(&mut self, name: &str) -> Result<Option<Hash>, MemberError> {
        self.take(name).map(|value| hash_of(name, value)).transpose()
    }

    /// An array of `1..=items_max` items.
    pub(crate) fn list<T>(
        &mut self,
        name: &str,
        items_max: usize,
        item: impl Fn(&str, Value<'a>) -> Result<T, MemberError>,
    ) -> Result<Vec<T>, MemberError> {
        let value = self.value(name)?;
        list_of(name, value, items_max, item)
    }

    /// An array of `1..=items_max` items, or nothing: an empty array is refused, as it would be a
    /// second text for the same meaning (rule EN-14).
    pub(crate) fn list_if<T>(
        &mut self,
        name: &str,
        items_max: usize,
        item: impl Fn(&str, Value<'a>) -> Result<T, MemberError>,
    ) -> Result<Vec<T>, MemberError> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(value) => list_of(name, value, items_max, item),
        }
    }

    pub(crate) fn finish(self) -> Result<(), MemberError> {
        match self.members.first() {
            None => Ok(()),
            Some((name, _)) => Err(MemberError::new(name, MemberRule::Unknown)),
        }
    }
}

pub(crate) fn text_of<'a>(name: &str, value: Value<'a>) -> Result<Cow<'a, str>, MemberError> {
    match value {
        Value::Text(text) => Ok(text),
        _ => Err(MemberError::new(name, MemberRule::Type)),
    }
}

pub(crate) fn integer_of(name: &str, value: Value) -> Result<u64, MemberError> {
    match value {
        Value::Integer(integer) => Ok(integer),
        _ => Err(MemberError::new(name, MemberRule::Type)),
    }
}

pub(crate) fn hash_of(name: &str, value: Value) -> Result<Hash, MemberError> {
    Hash::from_hex(&text_of(name, value)?).map_err(|_| MemberError::value(name, "64 lower-case hex digits"))
}

fn list_of<'a, T>(
    name: &str,
    value: Value<'a>,
    items_max: usize,
    item: impl Fn(&str, Value<'a>) -> Result<T, MemberError>,
) -> Result<Vec<T>, MemberError> {
    match value {
        Value::List(items) if items.is_empty() => Err(MemberError::value(name, "a list that is not empty")),
        Value::List(items) if items.len() > items_max => Err(MemberError::value(name, "a shorter list")),
        Value::List(items) => items.into_iter().map(|value| item(name, value)).collect(),
        _ => Err(MemberError::new(name, MemberRule::Type)),
    }
}
