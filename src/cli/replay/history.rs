//! The history of a public list: one JSON object a line, read whole and checked before anything is made.
//!
//! Pure but for the reading of the file. What the lines become is for the files beside this one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::Deserialize;
use undersigned_registry::event::{NAME_BYTES_MAX, SLUG_BYTES_MAX, is_slug};
use unicode_normalization::UnicodeNormalization as _;

use super::super::CliError;
use crate::admission::check_text;

/// The longest line of a history in bytes.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// The most lines of a history.
const LINES_MAX: usize = 1_000_000;

/// The largest history in bytes: the most lines of some 250 bytes each, as real lists have them.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// The longest name of a row in bytes; it stands in for a name that cannot be logged.
const ROW_BYTES_MAX: usize = 128;

/// A line of a history; what is not named here is not used.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Line {
    /// When, in RFC 3339.
    time: String,
    /// What happened.
    pub(super) act: Act,
    /// The stable name of the row.
    pub(super) row: String,
    /// The organisation's name, as printed.
    pub(super) name: String,
    /// Its domain, if known.
    pub(super) domain: Option<String>,
}

/// What happened to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Act {
    /// It is on the list for the first time.
    Added,
    /// It is no longer on the list.
    Removed,
    /// It is on the list again.
    Returned,
    /// It stays, with other words.
    Changed,
}

impl Act {
    const fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Returned => "returned",
            Self::Changed => "changed",
        }
    }
}

/// Consecutive lines of one second.
#[derive(Debug, Clone)]
pub(super) struct Step {
    /// POSIX seconds.
    pub(super) time: u64,
    /// The lines, in order.
    pub(super) lines: Vec<Line>,
}

/// The rows that are on the list.
pub(super) type Rows = BTreeSet<String>;

impl Step {
    /// Takes the list from before this step to after it.
    pub(super) fn advance(&self, rows: &mut Rows) {
        for line in &self.lines {
            match line.act {
                Act::Added | Act::Returned => drop(rows.insert(line.row.clone())),
                Act::Removed => drop(rows.remove(&line.row)),
                Act::Changed => {}
            }
        }
    }
}

/// Reads a history that ends before `now`.
///
/// # Errors
/// The file cannot be read, or a line of it is not one; then which line, and why.
pub(super) fn read(path: &Path, now: u64) -> Result<Vec<Step>, CliError> {
    let failed = |error: std::io::Error| CliError::file("read", path, &error);
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > FILE_BYTES_MAX {
        return Err(CliError::refused(format!(
            "{} has more than {FILE_BYTES_MAX} bytes\nnothing was made; replay a shorter history",
            path.display()
        )));
    }
    parse(&bytes, now).map_err(|(line, reason)| {
        CliError::refused(format!(
            "{}, line {line}: {reason}\nnothing was made; mend the file, or keep to its last good version",
            path.display()
        ))
    })
}

/// Reads the lines; the error is the number of the first bad one, and what is wrong with it.
pub(super) fn parse(bytes: &[u8], now: u64) -> Result<Vec<Step>, (usize, String)> {
    let mut steps: Vec<Step> = Vec::new();
    // Whether each row that ever was on the list is on it.
    let mut listed = BTreeMap::new();
    for (position, text) in
        bytes.strip_suffix(b"\n").unwrap_or(bytes).split(|byte| *byte == b'\n').enumerate()
    {
        let refuse = |reason: String| (position + 1, reason);
        if position >= LINES_MAX {
            return Err(refuse(format!("more than {LINES_MAX} lines")));
        }
        let (time, line) = parse_line(text, now).map_err(refuse)?;
        let is_listed = listed.get(&line.row).copied();
        let fits = match line.act {
            Act::Added => is_listed.is_none(),
            Act::Removed | Act::Changed => is_listed == Some(true),
            Act::Returned => is_listed == Some(false),
        };
        if !fits {
            let state = match is_listed {
                None => "was never on the list",
                Some(true) => "is on the list",
                Some(false) => "is off the list",
            };
            return Err(refuse(format!("the row {} {state} and cannot be {}", line.row, line.act.name())));
        }
        if line.act != Act::Changed {
            listed.insert(line.row.clone(), line.act != Act::Removed);
        }
        match steps.last_mut() {
            Some(step) if step.time == time => step.lines.push(line),
            Some(step) if step.time > time => {
                return Err(refuse("its time lies before that of the line above".to_owned()));
            }
            _ => steps.push(Step { time, lines: vec![line] }),
        }
    }
    Ok(steps)
}

fn parse_line(text: &[u8], now: u64) -> Result<(u64, Line), String> {
    if text.len() > LINE_BYTES_MAX {
        return Err(format!("longer than {LINE_BYTES_MAX} bytes"));
    }
    if text.trim_ascii().is_empty() {
        return Err("it is empty".to_owned());
    }
    let line: Line = serde_json::from_slice(text).map_err(|error| {
        // The parser saw one line and calls it line 1: only its column means something here.
        let said = error.to_string();
        let what = said.split(" at line ").next().unwrap_or_default();
        format!("{what} (column {})", error.column())
    })?;
    let time = humantime::parse_rfc3339(&line.time)
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .map(|since| since.as_secs())
        .ok_or_else(|| format!("{:?} is no time in RFC 3339", line.time))?;
    if time > now {
        // `serve` would refuse a log whose entries lie ahead of its clock.
        return Err("its time lies in the future".to_owned());
    }
    if line.row.len() > ROW_BYTES_MAX || check_text(line.row.as_bytes(), true).is_err() {
        return Err(format!("{:?} is no name of a row: one line of at most {ROW_BYTES_MAX} bytes", line.row));
    }
    Ok((time, line))
}

/// What became of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// It is logged as printed.
    Kept,
    /// What the door refuses was taken out of it.
    Cleaned,
    /// Nothing was left: the row's name stands in for it.
    Replaced,
}

/// A name as it may be logged.
///
/// One that the door accepts is kept. Else white space becomes single blanks, characters that the door
/// refuses are dropped, the rest is brought into NFC and cut to the longest name of the log.
pub(super) fn clean_name(name: &str, row: &str) -> (String, Naming) {
    let limit = usize::try_from(NAME_BYTES_MAX).unwrap_or(usize::MAX);
    if name.len() <= limit && check_text(name.as_bytes(), true).is_ok() {
        return (name.to_owned(), Naming::Kept);
    }
    let visible = name
        .chars()
        .map(|letter| if letter.is_whitespace() { ' ' } else { letter })
        .filter(|letter| check_text(letter.nfc().collect::<String>().as_bytes(), false).is_ok());
    let composed: String = visible.nfc().collect();
    let mut cleaned = composed.split_whitespace().collect::<Vec<_>>().join(" ");
    while cleaned.len() > limit {
        cleaned.pop();
    }
    let cleaned = cleaned.trim_end();
    if check_text(cleaned.as_bytes(), true).is_ok() {
        (cleaned.to_owned(), Naming::Cleaned)
    } else {
        (row.to_owned(), Naming::Replaced)
    }
}

/// A slug from the file's place: the folder's name if the file is called `history`, else its own.
pub(super) fn slug_of(path: &Path) -> String {
    let text = |part: &std::ffi::OsStr| part.to_string_lossy().into_owned();
    let stem = path.file_stem().map(text).unwrap_or_default();
    let name = match path.parent().and_then(Path::file_name).map(text) {
        Some(folder) if stem == "history" => folder,
        _ => stem,
    };
    let parts: Vec<String> = name
        .to_ascii_lowercase()
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect();
    let slug: String = parts.join("-").chars().take(SLUG_BYTES_MAX).collect();
    let slug = slug.trim_end_matches('-').to_owned();
    if is_slug(&slug) { slug } else { "list".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000;

    fn line(time: &str, act: &str, row: &str) -> String {
        format!(r#"{{"time":"{time}","act":"{act}","row":"{row}","name":"N"}}"#)
    }

    #[test]
    fn lines_of_one_second_are_one_step() {
        let text = [
            line("2020-01-01T00:00:00Z", "added", "a"),
            line("2020-01-01T00:00:00Z", "added", "b"),
            line("2020-01-01T00:00:01Z", "removed", "a"),
            line("2020-01-01T00:00:02Z", "returned", "a"),
        ]
        .join("\n");
        let steps = parse(text.as_bytes(), NOW).unwrap();
        assert_eq!(steps.iter().map(|step| step.lines.len()).collect::<Vec<_>>(), [2, 1, 1]);
        let mut rows = Rows::new();
        let counts: Vec<usize> = steps
            .iter()
            .map(|step| {
                step.advance(&mut rows);
                rows.len()
            })
            .collect();
        assert_eq!(counts, [2, 1, 2]);
    }

    #[test]
    fn a_broken_history_is_refused_with_its_line() {
        let good = line("2020-01-01T00:00:05Z", "added", "a");
        for (second, part) in [
            ("{", "EOF while parsing an object (column 1)"),
            ("", "it is empty"),
            (line("yesterday", "added", "b").as_str(), "RFC 3339"),
            (line("2020-01-01T00:00:04Z", "added", "b").as_str(), "before that of the line above"),
            (line("2030-01-01T00:00:04Z", "added", "b").as_str(), "in the future"),
            (line("2020-01-01T00:00:06Z", "added", "a").as_str(), "is on the list and cannot be added"),
            (
                line("2020-01-01T00:00:06Z", "removed", "b").as_str(),
                "was never on the list and cannot be removed",
            ),
            (
                line("2020-01-01T00:00:06Z", "changed", "b").as_str(),
                "was never on the list and cannot be changed",
            ),
            (line("2020-01-01T00:00:06Z", "returned", "a").as_str(), "is on the list and cannot be returned"),
            (line("2020-01-01T00:00:06Z", "signed", "b").as_str(), "unknown variant"),
            (line("2020-01-01T00:00:06Z", "added", "").as_str(), "no name of a row"),
            (
                line("2020-01-01T00:00:06Z", "added", &"b".repeat(ROW_BYTES_MAX + 1)).as_str(),
                "no name of a row",
            ),
            (line("2020-01-01T00:00:06Z", "added", &"b".repeat(LINE_BYTES_MAX)).as_str(), "longer than"),
        ] {
            let text = format!("{good}\n{second}\n");
            let (number, reason) = parse(text.as_bytes(), NOW).expect_err(part);
            assert!(number == 2 && reason.contains(part), "line {number}: {reason}");
        }
        let foreign = [good.as_bytes(), b"\n{\"row\":\"\xff\"}\n"].concat();
        assert!(parse(&foreign, NOW).is_err_and(|(number, _)| number == 2), "bytes that are no UTF-8");
        assert!(parse(b"", NOW).is_err_and(|(number, _)| number == 1));
    }

    #[test]
    fn names_are_cleaned_of_what_the_door_refuses() {
        let long = "ä".repeat(300);
        for (name, cleaned, naming) in [
            ("p≡p", "p≡p", Naming::Kept),
            ("  Two\tWords\u{202e}\n", "Two Words", Naming::Cleaned),
            ("Cafe\u{301}", "Café", Naming::Cleaned),
            ("a\u{200b}\u{301}", "á", Naming::Cleaned),
            ("Narrow\u{202f}blank ", "Narrow blank", Naming::Cleaned),
            (long.as_str(), &long[..512], Naming::Cleaned),
            ("\u{200b}", "r1", Naming::Replaced),
            ("", "r1", Naming::Replaced),
        ] {
            assert_eq!(clean_name(name, "r1"), (cleaned.to_owned(), naming), "{name:?}");
        }
    }

    #[test]
    fn the_slug_comes_from_the_folder_or_the_file() {
        for (path, slug) in [
            ("lists/fsfe-pmpc/history.jsonl", "fsfe-pmpc"),
            ("My List.jsonl", "my-list"),
            ("history.jsonl", "history"),
            ("示.jsonl", "list"),
        ] {
            assert_eq!(slug_of(Path::new(path)), slug);
        }
    }
}
