//! The tables that every language reads: `tests/vectors/tlog/*.json`.
//!
//! The cases stand here with what must come out; the code is checked against that, then the file
//! against both. After a change of the cases write the files anew with
//! `UNDERSIGNED_WRITE_VECTORS=1 cargo test -p undersigned-tlog --test tlog` and read the difference.
//!
//! In a file, a case with a member `refused` must be refused, for the reason that it gives in our
//! words; every other case must be accepted and give the members shown. Bytes that are no UTF-8 stand
//! in a member whose name ends in `_base64`.

use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;

use undersigned_tlog::codec::base64_encode;

mod files;
mod multi;
mod notes;
mod proofs;

/// As much of JSON as the tables need.
pub(crate) enum Json {
    Text(String),
    Number(u64),
    List(Vec<Json>),
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Json {
    fn from(number: u64) -> Self {
        assert!(number < 1 << 53, "a number that not every reader of JSON holds");
        Self::Number(number)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Json {
    fn from(list: Vec<T>) -> Self {
        Self::List(list.into_iter().map(Into::into).collect())
    }
}

pub(crate) type Members = Vec<(String, Json)>;

/// A member of these bytes, as text if they are UTF-8.
pub(crate) fn bytes_member(name: &str, bytes: &[u8]) -> (String, Json) {
    match str::from_utf8(bytes) {
        Ok(text) => (name.to_owned(), text.into()),
        Err(_) => (format!("{name}_base64"), base64_encode(bytes).into()),
    }
}

pub(crate) fn member(name: &str, value: impl Into<Json>) -> (String, Json) {
    (name.to_owned(), value.into())
}

/// One case: what comes in, and what comes out or why not.
pub(crate) struct Case {
    name: &'static str,
    input: Members,
    output: Result<Members, String>,
}

impl Case {
    /// A case whose outcome must be the expected one: `Ok`, or the reason for the refusal.
    pub(crate) fn new<E: Error>(
        name: &'static str,
        input: Members,
        output: Result<Members, E>,
        expected: Result<(), String>,
    ) -> Self {
        let output = output.map_err(|error| reason(&error));
        assert_eq!(output.as_ref().map(|_| &()), expected.as_ref(), "{name}");
        Self { name, input, output }
    }
}

/// What a case expects that must be refused.
pub(crate) fn refused(reason: &str) -> Result<(), String> {
    Err(reason.to_owned())
}

/// The message of an error and of all that caused it.
fn reason(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", reason(source)),
        None => error.to_string(),
    }
}

/// Compares a committed table with its cases, or writes it.
pub(crate) fn check_table(file: &str, about: &str, shared: Members, cases: Vec<Case>) {
    let mut json = String::from("{\n");
    writeln!(json, "  \"about\": {},", quoted(about)).unwrap();
    for (name, value) in shared {
        writeln!(json, "  {}: {},", quoted(&name), rendered(&value)).unwrap();
    }
    json.push_str("  \"cases\": [");
    for (number, case) in cases.into_iter().enumerate() {
        json.push_str(if number == 0 { "\n    {" } else { ",\n    {" });
        let outcome = case.output.unwrap_or_else(|reason| vec![member("refused", reason)]);
        let members = [member("name", case.name)].into_iter().chain(case.input).chain(outcome);
        for (number, (name, value)) in members.enumerate() {
            json.push_str(if number == 0 { "\n" } else { ",\n" });
            write!(json, "      {}: {}", quoted(&name), rendered(&value)).unwrap();
        }
        json.push_str("\n    }");
    }
    json.push_str("\n  ]\n}\n");

    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/tlog")).join(file);
    if std::env::var_os("UNDERSIGNED_WRITE_VECTORS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &json).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert!(committed == json, "{file} is not what its cases say; see the head of vectors.rs");
}

fn rendered(value: &Json) -> String {
    match value {
        Json::Text(text) => quoted(text),
        Json::Number(number) => number.to_string(),
        Json::List(list) => format!("[{}]", list.iter().map(rendered).collect::<Vec<_>>().join(", ")),
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            ' '..='~' => quoted.push(character),
            other => other.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                write!(quoted, "\\u{unit:04x}").unwrap();
            }),
        }
    }
    quoted.push('"');
    quoted
}
