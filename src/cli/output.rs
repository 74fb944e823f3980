//! Printing: text for people, or one JSON object for machines.

use std::io::Write as _;
use std::process::ExitCode;

use super::CliError;
use crate::admission::check_text;
use crate::listing;

/// How a verb prints.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    json: bool,
}

impl Output {
    pub(super) const fn new(json: bool) -> Self {
        Self { json }
    }

    pub(super) const fn is_json(self) -> bool {
        self.json
    }

    /// A line for people.
    pub(super) fn line(self, text: impl AsRef<str>) {
        if !self.json {
            // A reader that went away is no reason to fail.
            let _ = writeln!(std::io::stdout(), "{}", text.as_ref());
        }
    }

    /// The one object for machines.
    pub(super) fn object(self, value: &serde_json::Value) {
        if self.json {
            let _ = writeln!(std::io::stdout(), "{value}");
        }
    }

    /// Bytes as they are, in both modes: for verbs whose result is a file.
    pub(super) fn raw(self, bytes: &[u8]) {
        let _ = std::io::stdout().write_all(bytes);
    }

    pub(super) fn fail(self, error: &CliError) -> ExitCode {
        if self.json {
            let (what, next) = error.message().split_once('\n').unwrap_or((error.message(), ""));
            let value = serde_json::json!({"error": what, "next": next, "exit_code": error.code()});
            let _ = writeln!(std::io::stderr(), "{value}");
        } else {
            let _ = writeln!(std::io::stderr(), "error: {}", error.message());
        }
        ExitCode::from(error.code())
    }
}

/// A second in POSIX time as people write it (UTC), or as the number that it is past the year 9999.
pub(super) fn time(seconds: u64) -> String {
    listing::rfc3339(seconds).unwrap_or_else(|| seconds.to_string())
}

/// What counts end with where time has ended something.
pub(super) fn ended_by_time(lapsed: u64) -> String {
    if lapsed == 0 { String::new() } else { format!(", {lapsed} ended by time") }
}

/// Human text from a stranger, as it may be shown: text that the door would refuse (controls, direction
/// controls, invisible characters) is escaped, so that it cannot pass for something else.
pub(super) fn shown(text: &str) -> String {
    if check_text(text.as_bytes(), true).is_ok() {
        // Names stand in quotation marks here, so that none can end its own and go on as our words.
        text.replace('\\', "\\\\").replace('"', "\\\"")
    } else {
        text.escape_default().to_string()
    }
}

/// A name in quotation marks.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", shown(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One endorsement that ended in the year 10000 made `verify` panic at every state proof of its registry.
    #[test]
    fn every_second_has_a_text() {
        assert_eq!(time(0), "1970-01-01T00:00:00Z");
        assert_eq!(time(253_402_300_799), "9999-12-31T23:59:59Z");
        for far in [253_402_300_800, (1 << 53) - 1, u64::MAX] {
            assert_eq!(time(far), far.to_string());
        }
    }

    /// A party called itself `A" (party B) withdrew; "C`, and the receipt's words seemed to say so of B.
    #[test]
    fn no_name_can_end_its_own_quotation() {
        assert_eq!(shown("Zażółć"), "Zażółć");
        assert_eq!(shown("A\" withdrew \"B"), "A\\\" withdrew \\\"B");
        assert_eq!(shown("A\\\" B"), "A\\\\\\\" B");
        assert_eq!(shown("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(shown("a\nb"), "a\\nb");
    }
}
