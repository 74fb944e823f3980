//! What can go wrong with a call, apart by what a caller does about it.
//!
//! Every message is one line of what is wrong and, where there is something to do, a second line that
//! says it.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

/// Why a call gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is none.
    #[error(
        "{url:?} is no address of a registry: {what}\nwrite it in full, for example https://registry.example or http://localhost:8080"
    )]
    Url {
        /// What was given.
        url: String,
        /// The rule it breaks.
        what: &'static str,
    },
    /// Nobody answered there, or the connection broke.
    #[error("cannot reach {url}\nis the registry running? check the address")]
    Unreachable {
        /// The address that was called.
        url: String,
        /// What the network said.
        source: std::io::Error,
    },
    /// The registry said no, not now, or that it failed.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// Something answered, but not what a registry answers here.
    #[error(
        "not the answer of a registry: {what}\ncheck that the address is that of a registry, and that this program is not older than it"
    )]
    Answer {
        /// What does not belong there.
        what: String,
    },
    /// The answer is longer than anything that belongs there; it was not read to its end.
    #[error(
        "the answer from {url} has more than {bytes_max} bytes\nask for less, for example a smaller page; if that does not help, the server is not what it should be"
    )]
    TooLarge {
        /// The address that was called.
        url: String,
        /// The most that was allowed.
        bytes_max: usize,
    },
}

impl ClientError {
    /// Whether the request itself was refused: sending it again unchanged does not help.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Problem(problem) if (400..500).contains(&problem.status)) && !self.is_later()
    }

    /// Whether the registry asks to come back later: it is busy (503), or we ask for much (429).
    #[must_use]
    pub fn is_later(&self) -> bool {
        matches!(self, Self::Problem(problem) if matches!(problem.status, SERVICE_UNAVAILABLE | TOO_MANY_REQUESTS))
    }

    /// Whether it is a fault, of the network, the server or the address: neither refused nor later.
    #[must_use]
    pub fn is_fault(&self) -> bool {
        !self.is_refusal() && !self.is_later()
    }

    /// How long the registry asks to wait, if it asks to come back later and says when.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Problem(problem) if self.is_later() => problem.retry_after_seconds.map(Duration::from_secs),
            _ => None,
        }
    }

    /// The stable code of a problem.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Problem(problem) => Some(&problem.code),
            _ => None,
        }
    }

    /// Whether sending the same again may help by itself, because the connection was refused or broke. Not
    /// so for a name that does not exist, a certificate, or a call that took all its time.
    pub(crate) fn is_broken_connection(&self) -> bool {
        use std::io::ErrorKind::{
            BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, NotConnected, UnexpectedEof,
        };
        matches!(self, Self::Unreachable { source, .. } if matches!(
            source.kind(),
            BrokenPipe | ConnectionAborted | ConnectionRefused | ConnectionReset | NotConnected | UnexpectedEof
        ))
    }

    pub(crate) fn answer(what: impl Into<String>) -> Self {
        Self::Answer { what: what.into() }
    }
}

pub(crate) const SERVICE_UNAVAILABLE: u16 = 503;
pub(crate) const TOO_MANY_REQUESTS: u16 = 429;

/// A problem document (RFC 9457) of the registry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The stable code, for programs.
    pub code: String,
    /// What the code means.
    pub title: String,
    /// What is wrong in this case.
    pub detail: String,
    /// What to do.
    pub next: String,
    /// The seconds of `Retry-After`, if there was one.
    #[serde(skip)]
    pub retry_after_seconds: Option<u64>,
}

impl std::error::Error for Problem {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text is the server's: nothing in it may move the cursor of a terminal or forge a line.
        f.write_str(&one_line(&self.detail))?;
        if self.next.is_empty() { Ok(()) } else { write!(f, "\n{}", one_line(&self.next)) }
    }
}

/// A server's text on one line, without control characters.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(status: u16, retry_after_seconds: Option<u64>) -> ClientError {
        let text = |text: &str| text.to_owned();
        ClientError::Problem(Problem {
            status,
            code: text("stale"),
            title: text("the thread moved on"),
            detail: text("the head is\u{1b}[2J another\nforged"),
            next: text("prepare the event again"),
            retry_after_seconds,
        })
    }

    #[test]
    fn refusal_later_and_fault_are_apart() {
        for (error, refusal, later) in [
            (problem(409, None), true, false),
            (problem(400, Some(2)), true, false),
            (problem(503, Some(2)), false, true),
            (problem(503, None), false, true),
            (problem(429, Some(2)), false, true),
            (problem(429, None), false, true),
            (problem(500, Some(2)), false, false),
            (ClientError::answer("x"), false, false),
        ] {
            assert_eq!((error.is_refusal(), error.is_later()), (refusal, later), "{error:?}");
            assert_eq!(error.is_fault(), !refusal && !later);
        }
        assert_eq!(problem(503, Some(2)).retry_after(), Some(Duration::from_secs(2)));
        assert_eq!(problem(429, Some(2)).retry_after(), Some(Duration::from_secs(2)));
        assert_eq!(problem(503, None).retry_after(), None);
        assert_eq!(problem(400, Some(2)).retry_after(), None);
    }

    #[test]
    fn a_problem_has_two_lines_without_control_characters() {
        assert_eq!(problem(409, None).to_string(), "the head is [2J another forged\nprepare the event again");
    }
}
