//! The names of keys (C2SP signed-note, "Format").

use alloc::string::{String, ToString};
use core::fmt;

/// Why a text is no key name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// A name has at least one character.
    #[error("the name is empty")]
    Empty,
    /// A Unicode space, which parts the fields of a signature line.
    #[error("the name contains a space")]
    Space,
    /// A plus sign, which parts the fields of a verifier key.
    #[error("the name contains a plus sign")]
    Plus,
    /// A byte below 0x20, which no note may contain.
    #[error("the name contains a control character")]
    Control,
}

/// A name without Unicode spaces, plus signs and control characters, and not empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

impl KeyName {
    /// Checks a name.
    ///
    /// # Errors
    /// The rule that the name breaks.
    pub fn new(name: &str) -> Result<Self, NameError> {
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        for character in name.chars() {
            if character.is_whitespace() {
                return Err(NameError::Space);
            }
            if character == '+' {
                return Err(NameError::Plus);
            }
            if character < ' ' {
                return Err(NameError::Control);
            }
        }
        Ok(Self(name.to_string()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
