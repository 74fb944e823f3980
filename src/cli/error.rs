//! What a verb failed with: a message, what to do next, and the exit code.

use std::path::Path;

use undersigned_client::ClientError;

use crate::keyring::KeyError;
use crate::node::NodeError;

/// A failure of a verb. The first line says what is wrong, the ones after it what to do.
#[derive(Debug)]
pub struct CliError {
    kind: Kind,
    message: String,
}

/// Which exit code it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A check did not hold, or somebody refused.
    Refused,
    /// The registry cannot be reached or is busy.
    Unreachable,
    /// A file or folder is in the way.
    Local,
}

impl CliError {
    /// A check did not hold.
    pub fn refused(message: impl Into<String>) -> Self {
        Self { kind: Kind::Refused, message: message.into() }
    }

    /// A file or folder is in the way.
    pub fn local(message: impl Into<String>) -> Self {
        Self { kind: Kind::Local, message: message.into() }
    }

    /// A file cannot be read or written.
    pub fn file(act: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::local(format!("cannot {act} {}: {error}", path.display()))
    }

    /// The exit code.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self.kind {
            Kind::Refused => 1,
            Kind::Unreachable => 3,
            Kind::Local => 4,
        }
    }

    /// The message, of one line or more.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        let kind = match &error {
            ClientError::Unreachable { .. } => Kind::Unreachable,
            _ if error.retry_after().is_some() => Kind::Unreachable,
            _ => Kind::Refused,
        };
        Self { kind, message: error.to_string() }
    }
}

impl From<KeyError> for CliError {
    fn from(error: KeyError) -> Self {
        Self::local(error.to_string())
    }
}

impl From<NodeError> for CliError {
    fn from(error: NodeError) -> Self {
        Self::local(chain(&error))
    }
}

/// An error and its causes, each on the line of the one it explains.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            let (first, rest) =
                text.split_once('\n').map_or((text.clone(), String::new()), |(first, rest)| {
                    (first.to_owned(), format!("\n{rest}"))
                });
            text = format!("{first}: {cause_text}{rest}");
        }
        source = cause.source();
    }
    text
}
