//! What a verb failed with: a message, what to do next, and the exit code.

use std::path::Path;

use undersigned_client::ClientError;

use super::REGISTRY_DEFAULT;
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
    /// The command line lacks something.
    Usage,
    /// The registry cannot be reached or is busy.
    Unreachable,
    /// A file or folder is in the way.
    Local,
}

impl CliError {
    /// A check did not hold.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(Kind::Refused, message.into())
    }

    /// The command line lacks something.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message.into())
    }

    /// A file or folder is in the way.
    pub fn local(message: impl Into<String>) -> Self {
        Self::new(Kind::Local, message.into())
    }

    /// A file cannot be read or written.
    pub fn file(act: &str, path: &Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        let next = match error.kind() {
            ErrorKind::NotFound => "check the path",
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                "check the permissions, or name another place"
            }
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "free space, or name another place",
            ErrorKind::IsADirectory | ErrorKind::NotADirectory => "name a file",
            ErrorKind::InvalidData => "name a text file",
            _ => "check the path and the disk",
        };
        Self::local(format!("cannot {act} {}: {error}\n{next}", path.display()))
    }

    /// Something of the system or of this program that a person can do little about.
    pub fn fault(error: impl std::fmt::Display) -> Self {
        Self::local(format!("{error}\nrun it again; if it stays, report it with this line"))
    }

    /// A check that this program makes of itself did not hold.
    pub fn broken(error: impl std::fmt::Display) -> Self {
        Self::refused(format!("{error}\nthis is a fault of the program: report it with the lines above"))
    }

    /// Every error names the next step; what comes from elsewhere without one gets that of its kind.
    fn new(kind: Kind, mut message: String) -> Self {
        if !message.contains('\n') {
            message.push('\n');
            message.push_str(match kind {
                Kind::Refused | Kind::Usage => "see what the command takes with --help",
                Kind::Unreachable => "try again later",
                Kind::Local => "check the folder and the disk, then run it again",
            });
        }
        Self { kind, message }
    }

    /// The same error with another next step, where the caller knows a better one.
    #[must_use]
    pub fn with_next(self, next: impl std::fmt::Display) -> Self {
        let what = self.message.lines().next().unwrap_or_default();
        Self { message: format!("{what}\n{next}"), ..self }
    }

    /// The exit code.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self.kind {
            Kind::Refused => 1,
            Kind::Usage => 2,
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
        let told = Self::new(kind, error.to_string());
        // What the registry tells programs is of no use at a terminal, where options have other names.
        match (&error, error.code()) {
            // Nobody has said where the registry is.
            (ClientError::Unreachable { url, .. }, _) if url.starts_with(REGISTRY_DEFAULT) => told.with_next(
                "start one here with undersigned serve, or name the address of another: --registry URL or UNDERSIGNED_REGISTRY (audit: SOURCE)",
            ),
            (_, Some("bad-query")) => told.with_next("see what the command takes with --help"),
            _ => told,
        }
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

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    #[test]
    fn what_comes_without_a_next_step_gets_one() {
        assert_eq!(CliError::refused("a\nb").message(), "a\nb");
        for error in
            [CliError::refused("a"), CliError::local("a"), CliError::fault("a"), CliError::broken("a")]
        {
            assert!(error.message().starts_with("a\n") && error.message().len() > 2, "{error:?}");
        }
        let absent = std::io::Error::from(std::io::ErrorKind::NotFound);
        let told = CliError::file("read", Path::new("x"), &absent);
        assert_eq!(told.message(), "cannot read x: entity not found\ncheck the path");
    }

    #[test]
    fn who_has_named_no_registry_is_told_how() {
        let told = |url: &str| {
            let source = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
            let error = CliError::from(ClientError::Unreachable { url: url.to_owned(), source });
            (error.code(), error.message().lines().nth(1).unwrap().to_owned())
        };
        let (code, next) = told(&format!("{REGISTRY_DEFAULT}/v1/policy"));
        assert!(code == 3 && next.contains("--registry URL"), "{next}");
        assert_eq!(
            told("https://registry.example"),
            (3, "is the registry running? check the address".to_owned())
        );
    }

    /// Every message that a verb writes by itself says what to do next, in words of its own.
    #[test]
    fn every_error_of_the_verbs_names_the_next_step() {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let mut folders = vec![root.join("src/cli")];
        let (mut messages, mut bare) = (0, Vec::new());
        while let Some(folder) = folders.pop() {
            for item in std::fs::read_dir(folder).unwrap() {
                let path = item.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                let product = text.split("#[cfg(test)]").next().unwrap();
                for argument in arguments(product) {
                    messages += 1;
                    if !argument.contains("\\n")
                        && !PASSED_ON.contains(&argument.trim().trim_end_matches(','))
                    {
                        bare.push(format!("{}: {argument}", path.display()));
                    }
                }
            }
        }
        assert!(messages > 40, "{messages} messages were found");
        assert!(bare.is_empty(), "messages without a next step:\n{}", bare.join("\n"));
    }

    /// Messages that are made elsewhere, with their next step.
    const PASSED_ON: &[&str] = &[
        "format!(\"{} is not {expected}\", path.display())",
        "format!(\"{}: {reason}\", path.display())",
        "NO_DATA_FOLDER",
        "NO_POLICY",
    ];

    /// What stands between the parentheses of every `CliError::refused(...)` and its like.
    fn arguments(text: &str) -> Vec<&str> {
        let mut found = Vec::new();
        for begin in ["CliError::refused(", "CliError::local(", "CliError::usage("] {
            for (at, _) in text.match_indices(begin) {
                let rest = &text[at + begin.len()..];
                let mut open = 1;
                let end = rest.find(|letter| {
                    open += match letter {
                        '(' => 1,
                        ')' => -1,
                        _ => 0,
                    };
                    open == 0
                });
                found.push(&rest[..end.unwrap()]);
            }
        }
        found
    }
}
