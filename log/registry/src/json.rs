//! The one codec for everything that is hashed or signed: canonical JSON (RFC 8785), restricted.
//!
//! Follows `docs/spec/entry.md`, rules EN-1 to EN-15. The restriction makes the canonical text of a
//! value independent of any Unicode table or number formatter: strings are printable ASCII, numbers
//! are integers from 0 to 2^53-1, there is no null, and nesting and size have limits. The reader
//! accepts canonical bytes only, so that equal values are equal bytes.
//!
//! Not here: what the members mean (see [`crate::event`], [`crate::record`], [`crate::entry`]).

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use undersigned_tlog::codec;
use undersigned_tlog::hash::Hash;

mod members;

pub use members::{MemberError, MemberRule};
pub(crate) use members::{Members, hash_of, text_of};

/// The largest integer of the format: 2^53-1, the last that every JSON reader keeps exact.
pub const INTEGER_MAX: u64 = (1 << 53) - 1;

/// How deep arrays and objects may nest; the outermost object is depth 1.
pub const DEPTH_MAX: u32 = 8;

/// How many values one text may have, objects and arrays counted too. An entry of the format has fewer
/// than 500, a receipt fewer than 700; without a limit 3 MiB of zeros would become 100 MB in memory.
pub const VALUES_MAX: u32 = 4_096;

/// A parsed value. Its strings are those of the text wherever they stand there without an escape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// `true` or `false`.
    Bool(bool),
    /// An integer from 0 to [`INTEGER_MAX`].
    Integer(u64),
    /// Printable ASCII.
    Text(Cow<'a, str>),
    /// An array.
    List(Vec<Value<'a>>),
    /// An object; the names are strictly increasing.
    Object(Vec<(Cow<'a, str>, Value<'a>)>),
}

/// Which rule of the format a text breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonRule {
    /// EN-1: not JSON at all, or a `null`.
    #[error("not a JSON value of the format (objects, arrays, strings, integers, booleans)")]
    Syntax,
    /// EN-2: white space between tokens, before or after the value.
    #[error("white space or other bytes around a token")]
    Whitespace,
    /// EN-3: names not in strictly increasing order, or one of them twice.
    #[error("member names are not in increasing order, or one comes twice")]
    NameOrder,
    /// EN-4: a byte that is not printable ASCII, or an escape other than `\"` and `\\`.
    #[error("a string with something else than printable ASCII, or with a needless escape")]
    Text,
    /// EN-5: a sign, a fraction, an exponent, a leading zero, or more than 2^53-1.
    #[error("a number that is not an integer from 0 to 2^53-1 in its shortest form")]
    Number,
    /// EN-6: deeper than [`DEPTH_MAX`].
    #[error("nested deeper than 8 levels")]
    Depth,
    /// EN-8: more values than [`VALUES_MAX`].
    #[error("more than 4,096 values")]
    Values,
    /// EN-7: longer than the limit of its place.
    #[error("too long for its place")]
    Length,
}

impl JsonRule {
    /// The stable code of the rule, as it stands in problem documents and vectors.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Syntax => "json-syntax",
            Self::Whitespace => "json-whitespace",
            Self::NameOrder => "json-name-order",
            Self::Text => "json-text",
            Self::Number => "json-number",
            Self::Depth => "json-depth",
            Self::Values => "json-values",
            Self::Length => "json-length",
        }
    }
}

/// A text that is not canonical JSON of the format: the rule, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{rule}, at byte {offset}")]
pub struct JsonError {
    /// The rule that is broken.
    pub rule: JsonRule,
    /// Where the reader stood, in bytes from the start.
    pub offset: usize,
}

/// Reads one canonical value of at most `bytes_max` bytes.
///
/// # Errors
/// The first rule that the text breaks.
pub fn parse(bytes: &[u8], bytes_max: usize) -> Result<Value<'_>, JsonError> {
    if bytes.len() > bytes_max {
        return Err(JsonError { rule: JsonRule::Length, offset: bytes_max });
    }
    let mut reader = Reader { bytes, offset: 0, values: 0 };
    let value = reader.value(1)?;
    if reader.offset != bytes.len() {
        return Err(reader.error(JsonRule::Whitespace));
    }
    Ok(value)
}

/// Writes a value; the inverse of [`parse`].
#[must_use]
pub fn write(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write_value(&mut out, value);
    out
}

struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
    values: u32,
}

impl<'a> Reader<'a> {
    const fn error(&self, rule: JsonRule) -> JsonError {
        JsonError { rule, offset: self.offset }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.offset).copied()
    }

    /// Where a token must stand: says whether white space or something else is there instead.
    fn misplaced(&self) -> JsonError {
        match self.peek() {
            Some(b' ' | b'\t' | b'\n' | b'\r') => self.error(JsonRule::Whitespace),
            _ => self.error(JsonRule::Syntax),
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.peek() == Some(byte) {
            self.offset += 1;
            Ok(())
        } else {
            Err(self.misplaced())
        }
    }

    fn literal(&mut self, text: &[u8], value: Value<'a>) -> Result<Value<'a>, JsonError> {
        if self.bytes.get(self.offset..).is_some_and(|rest| rest.starts_with(text)) {
            self.offset += text.len();
            Ok(value)
        } else {
            Err(self.error(JsonRule::Syntax))
        }
    }

    /// The recursion is bounded by [`DEPTH_MAX`], not by the input.
    fn value(&mut self, depth: u32) -> Result<Value<'a>, JsonError> {
        self.values += 1;
        if self.values > VALUES_MAX {
            return Err(self.error(JsonRule::Values));
        }
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.text().map(Value::Text),
            Some(b't') => self.literal(b"true", Value::Bool(true)),
            Some(b'f') => self.literal(b"false", Value::Bool(false)),
            Some(b'0'..=b'9' | b'-') => self.integer().map(Value::Integer),
            _ => Err(self.misplaced()),
        }
    }

    fn enter(&mut self, depth: u32) -> Result<(), JsonError> {
        if depth > DEPTH_MAX {
            return Err(self.error(JsonRule::Depth));
        }
        self.offset += 1;
        Ok(())
    }

    fn object(&mut self, depth: u32) -> Result<Value<'a>, JsonError> {
        self.enter(depth)?;
        let mut members: Vec<(Cow<'a, str>, Value<'a>)> = Vec::new();
        if self.peek() == Some(b'}') {
            self.offset += 1;
            return Ok(Value::Object(members));
        }
        loop {
            let start = self.offset;
            if self.peek() != Some(b'"') {
                return Err(self.misplaced());
            }
            let name = self.text()?;
            if members.last().is_some_and(|(last, _)| *last >= name) {
                return Err(JsonError { rule: JsonRule::NameOrder, offset: start });
            }
            self.expect(b':')?;
            let value = self.value(depth + 1)?;
            members.push((name, value));
            match self.peek() {
                Some(b',') => self.offset += 1,
                Some(b'}') => {
                    self.offset += 1;
                    return Ok(Value::Object(members));
                }
                _ => return Err(self.misplaced()),
            }
        }
    }

    fn list(&mut self, depth: u32) -> Result<Value<'a>, JsonError> {
        self.enter(depth)?;
        let mut items = Vec::new();
        if self.peek() == Some(b']') {
            self.offset += 1;
            return Ok(Value::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            match self.peek() {
                Some(b',') => self.offset += 1,
                Some(b']') => {
                    self.offset += 1;
                    return Ok(Value::List(items));
                }
                _ => return Err(self.misplaced()),
            }
        }
    }

    fn text(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.offset += 1;
        let plain = self.plain();
        if self.peek() == Some(b'"') {
            self.offset += 1;
            return Ok(Cow::Borrowed(plain));
        }
        let mut text = String::from(plain);
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.offset += 1;
                    return Ok(Cow::Owned(text));
                }
                Some(b'\\') => {
                    match self.bytes.get(self.offset + 1) {
                        Some(b'"') => text.push('"'),
                        Some(b'\\') => text.push('\\'),
                        _ => return Err(self.error(JsonRule::Text)),
                    }
                    self.offset += 2;
                }
                Some(0x20..=0x7e) => text.push_str(self.plain()),
                Some(_) => return Err(self.error(JsonRule::Text)),
                None => return Err(self.error(JsonRule::Syntax)),
            }
        }
    }

    /// What stands here of a string up to its end, an escape, or a byte that no string has.
    fn plain(&mut self) -> &'a str {
        let rest = self.bytes.get(self.offset..).unwrap_or_default();
        let is_plain = |byte: &u8| matches!(byte, 0x20..=0x7e) && !matches!(byte, b'"' | b'\\');
        let length = rest.iter().position(|byte| !is_plain(byte)).unwrap_or(rest.len());
        self.offset += length;
        // Printable ASCII is UTF-8.
        rest.get(..length).and_then(|plain| core::str::from_utf8(plain).ok()).unwrap_or_default()
    }

    fn integer(&mut self) -> Result<u64, JsonError> {
        let rest = self.bytes.get(self.offset..).unwrap_or_default();
        let length = rest
            .iter()
            .take_while(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
            .count();
        let value = rest
            .get(..length)
            .and_then(|digits| core::str::from_utf8(digits).ok())
            .and_then(|digits| codec::decimal(digits).ok())
            .filter(|value| *value <= INTEGER_MAX)
            .ok_or_else(|| self.error(JsonRule::Number))?;
        self.offset += length;
        Ok(value)
    }
}

fn write_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Integer(integer) => write_integer(out, *integer),
        Value::Text(text) => write_text(out, text),
        Value::List(items) => {
            out.push(b'[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                write_value(out, item);
            }
            out.push(b']');
        }
        Value::Object(members) => {
            out.push(b'{');
            for (position, (name, member)) in members.iter().enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                write_text(out, name);
                out.push(b':');
                write_value(out, member);
            }
            out.push(b'}');
        }
    }
}

fn write_integer(out: &mut Vec<u8>, value: u64) {
    // 20 digits hold 2^64-1.
    let mut digits = [0u8; 20];
    let mut rest = value;
    let mut length = 0;
    for slot in digits.iter_mut().rev() {
        *slot = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        length += 1;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - length..).unwrap_or_default());
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    let is_escaped = |byte: &u8| matches!(byte, b'"' | b'\\');
    out.reserve(text.len() + 2);
    out.push(b'"');
    for part in text.as_bytes().split_inclusive(is_escaped) {
        match part.split_last() {
            Some((escaped, before)) if is_escaped(escaped) => {
                out.extend_from_slice(before);
                out.extend_from_slice(&[b'\\', *escaped]);
            }
            _ => out.extend_from_slice(part),
        }
    }
    out.push(b'"');
}

/// Writes one object, member by member, in the order of the names.
///
/// The names are literals of this project; that they increase is asserted in debug builds and
/// checked for every format by reading back what was written.
pub struct ObjectWriter<'a> {
    out: &'a mut Vec<u8>,
    last: &'static str,
}

impl fmt::Debug for ObjectWriter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectWriter").field("last", &self.last).finish_non_exhaustive()
    }
}

impl<'a> ObjectWriter<'a> {
    /// Opens an object.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, last: "" }
    }

    fn name(&mut self, name: &'static str) -> &mut Vec<u8> {
        debug_assert!(self.last < name, "members are written in increasing order of their names");
        if !self.last.is_empty() {
            self.out.push(b',');
        }
        self.last = name;
        // A name of this project has nothing to escape.
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// A string member.
    pub fn text(&mut self, name: &'static str, value: &str) -> &mut Self {
        write_text(self.name(name), value);
        self
    }

    /// A string member, if there is one.
    pub fn text_if(&mut self, name: &'static str, value: Option<&str>) -> &mut Self {
        if let Some(value) = value {
            self.text(name, value);
        }
        self
    }

    /// An integer member.
    pub fn integer(&mut self, name: &'static str, value: u64) -> &mut Self {
        write_integer(self.name(name), value);
        self
    }

    /// An integer member, if there is one.
    pub fn integer_if(&mut self, name: &'static str, value: Option<u64>) -> &mut Self {
        if let Some(value) = value {
            self.integer(name, value);
        }
        self
    }

    /// A member that is `true`; left out when it is not.
    pub fn flag(&mut self, name: &'static str, value: bool) -> &mut Self {
        if value {
            self.name(name).extend_from_slice(b"true");
        }
        self
    }

    /// A hash member in hex.
    pub fn hash(&mut self, name: &'static str, value: &Hash) -> &mut Self {
        let out = self.name(name);
        write_hash(out, value);
        self
    }

    /// A hash member in hex, if there is one.
    pub fn hash_if(&mut self, name: &'static str, value: Option<&Hash>) -> &mut Self {
        if let Some(value) = value {
            self.hash(name, value);
        }
        self
    }

    /// A member of bytes in hex.
    pub fn hex(&mut self, name: &'static str, bytes: &[u8]) -> &mut Self {
        write_hex(self.name(name), bytes);
        self
    }

    /// A member of bytes in base64.
    pub fn base64(&mut self, name: &'static str, bytes: &[u8]) -> &mut Self {
        write_base64(self.name(name), bytes);
        self
    }

    /// A member whose canonical text is already there.
    pub fn raw(&mut self, name: &'static str, canonical: &[u8]) -> &mut Self {
        self.name(name).extend_from_slice(canonical);
        self
    }

    /// An array member; `write` writes each item's canonical text.
    pub fn list<T>(
        &mut self,
        name: &'static str,
        items: impl IntoIterator<Item = T>,
        write: impl Fn(&mut Vec<u8>, T),
    ) -> &mut Self {
        let out = self.name(name);
        out.push(b'[');
        for (position, item) in items.into_iter().enumerate() {
            if position > 0 {
                out.push(b',');
            }
            write(out, item);
        }
        out.push(b']');
        self
    }

    /// An array of hashes in hex.
    pub fn hashes<'h>(&mut self, name: &'static str, items: impl IntoIterator<Item = &'h Hash>) -> &mut Self {
        self.list(name, items, write_hash)
    }

    /// Closes the object.
    pub fn finish(&mut self) {
        self.out.push(b'}');
    }
}

/// Writes a string's canonical text, for the items of [`ObjectWriter::list`].
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    write_text(out, text);
}

/// Writes bytes as a string of lower-case hex.
pub(crate) fn write_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    codec::hex_encode_onto(out, bytes);
    out.push(b'"');
}

/// Writes bytes as a string of base64, which has nothing to escape.
pub(crate) fn write_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    codec::base64_encode_onto(out, bytes);
    out.push(b'"');
}

fn write_hash(out: &mut Vec<u8>, hash: &Hash) {
    write_hex(out, hash.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), &'static str> {
        let value = parse(text.as_bytes(), 200).map_err(|error| error.rule.code())?;
        assert_eq!(write(&value), text.as_bytes(), "what is accepted is written back the same");
        Ok(())
    }

    #[test]
    fn canonical_texts_are_accepted() {
        for text in [
            "{}",
            "[]",
            "0",
            "9007199254740991",
            "true",
            r#""a \" \\ /""#,
            r#"{"a":1,"b":{"c":[true,false,"x"]}}"#,
            "[[[[[[[[1]]]]]]]]",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn each_rule_refuses() {
        for (text, code) in [
            ("", "json-syntax"),
            ("nul", "json-syntax"),
            ("null", "json-syntax"),
            ("{\"a\":1", "json-syntax"),
            ("{\"a\"}", "json-syntax"),
            ("{a:1}", "json-syntax"),
            ("[1,]", "json-syntax"),
            ("\"abc", "json-syntax"),
            ("tru", "json-syntax"),
            (" {}", "json-whitespace"),
            ("{} ", "json-whitespace"),
            ("{}\n", "json-whitespace"),
            ("{}{}", "json-whitespace"),
            ("{\"a\": 1}", "json-whitespace"),
            ("[1, 2]", "json-whitespace"),
            ("{\"b\":1,\"a\":2}", "json-name-order"),
            ("{\"a\":1,\"a\":2}", "json-name-order"),
            ("\"\\u0041\"", "json-text"),
            ("\"\\/\"", "json-text"),
            ("\"\\n\"", "json-text"),
            ("\"\u{e9}\"", "json-text"),
            ("\"\u{7f}\"", "json-text"),
            ("\"a\tb\"", "json-text"),
            ("-0", "json-number"),
            ("-1", "json-number"),
            ("01", "json-number"),
            ("1.0", "json-number"),
            ("1e3", "json-number"),
            ("9007199254740992", "json-number"),
            ("99999999999999999999999", "json-number"),
            ("[[[[[[[[[1]]]]]]]]]", "json-depth"),
        ] {
            assert_eq!(check(text), Err(code), "{text}");
        }
    }

    #[test]
    fn strings_are_copied_only_where_they_have_escapes() {
        let borrowed = |text: &str| match parse(text.as_bytes(), 200) {
            Ok(Value::Text(text)) => (matches!(text, Cow::Borrowed(_)), text.into_owned()),
            other => panic!("{other:?}"),
        };
        assert_eq!(borrowed(r#""plain""#), (true, "plain".into()));
        assert_eq!(borrowed(r#""""#), (true, "".into()));
        assert_eq!(borrowed(r#""a\"b\\""#), (false, r#"a"b\"#.into()));
        assert_eq!(borrowed(r#""\"""#), (false, "\"".into()));
    }

    #[test]
    fn a_text_past_its_limit_is_not_read() {
        let error = parse(b"[1,2,3]", 6).map_err(|error| error.rule);
        assert_eq!(error, Err(JsonRule::Length));
        assert!(parse(b"[1,2,3]", 7).is_ok());
    }

    #[test]
    fn the_object_writer_writes_what_the_reader_accepts() {
        let mut out = Vec::new();
        ObjectWriter::new(&mut out)
            .flag("a", true)
            .flag("b", false)
            .integer("c", INTEGER_MAX)
            .integer_if("d", None)
            .hash("e", &Hash::from_bytes([0xab; 32]))
            .list("f", ["x", "y\""], write_string)
            .text("g", "")
            .finish();
        assert!(parse(&out, 1_000).is_ok_and(|value| write(&value) == out));
    }
}
