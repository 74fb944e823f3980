//! Lists as files for tools that are not ours: CSV for spreadsheets, JSON lines for programs.
//!
//! The one place that writes them, for the HTTP interface and the command line alike. CSV follows RFC 4180
//! (commas, CRLF, every cell quoted, one header row) in UTF-8 without a byte order mark. A name is what a
//! stranger chose, and a spreadsheet takes some beginnings for formulas; in CSV these are made harmless by
//! an apostrophe before them. JSON lines carry every text as it is.
//!
//! Not here: where the rows come from, and files.

use serde::Serialize;

/// The columns of a list of signatories, in their order.
pub const SIGNATORY_COLUMNS: [&str; 11] = [
    "party",
    "name",
    "language",
    "domain",
    "level",
    "status",
    "received",
    "received_utc",
    "entry",
    "endorsed",
    "not_after",
];

/// One signatory as a row; the columns are [`SIGNATORY_COLUMNS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignatoryRow<'a> {
    /// The party's id.
    pub party: &'a str,
    /// Its first name that is not erased, with the language of that name.
    pub name: Option<(&'a str, &'a str)>,
    /// The domain that it claims.
    pub domain: Option<&'a str>,
    /// Its trust level.
    pub level: u8,
    /// Whether its endorsement stands.
    pub status: &'a str,
    /// When the newest entry of its thread was logged (POSIX seconds).
    pub received: u64,
    /// That entry.
    pub entry: u64,
    /// The newest endorsement, if there was one.
    pub endorsed: Option<u64>,
    /// The last second in which the endorsement stands (POSIX), where it ends by itself.
    pub not_after: Option<u64>,
}

/// Why rows cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("rows cannot be written as CSV")]
pub struct ListingError(#[from] csv::Error);

/// A table in the making, as CSV.
#[derive(Debug)]
pub struct CsvTable {
    writer: csv::Writer<Vec<u8>>,
}

impl Default for CsvTable {
    fn default() -> Self {
        let writer = csv::WriterBuilder::new()
            .terminator(csv::Terminator::CRLF)
            .quote_style(csv::QuoteStyle::Always)
            .from_writer(Vec::new());
        Self { writer }
    }
}

impl CsvTable {
    /// Adds a row; all rows of a table have as many cells as the first one.
    ///
    /// # Errors
    /// The row has another number of cells.
    pub fn row<'a>(&mut self, cells: impl IntoIterator<Item = &'a str>) -> Result<(), ListingError> {
        let cells: Vec<String> = cells.into_iter().map(harmless).collect();
        Ok(self.writer.write_record(cells)?)
    }

    /// Adds the row of a signatory.
    ///
    /// # Errors
    /// The table has other columns.
    pub fn signatory(&mut self, row: &SignatoryRow<'_>) -> Result<(), ListingError> {
        let (name, language) = row.name.unwrap_or_default();
        let received_utc = utc(row.received);
        let number = |number: u64| number.to_string();
        self.row([
            row.party,
            name,
            language,
            row.domain.unwrap_or_default(),
            &row.level.to_string(),
            row.status,
            &number(row.received),
            &received_utc,
            &number(row.entry),
            &row.endorsed.map(number).unwrap_or_default(),
            &row.not_after.map(number).unwrap_or_default(),
        ])
    }

    /// The bytes of all rows.
    ///
    /// # Errors
    /// Memory cannot be written to, which does not happen.
    pub fn into_bytes(self) -> Result<Vec<u8>, ListingError> {
        self.writer.into_inner().map_err(|error| ListingError(error.into_error().into()))
    }
}

/// A value as one line of JSON.
///
/// # Errors
/// The value has no JSON form.
pub fn json_line(value: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}

/// POSIX seconds as a date and time in UTC (RFC 3339); empty past the year 9999.
fn utc(seconds: u64) -> String {
    rfc3339(seconds).unwrap_or_default()
}

/// The last second that RFC 3339 can write.
const YEAR_9999_END: u64 = 253_402_300_799;

/// POSIX seconds as a date and time in UTC; none past the year 9999. Whoever endorses may name such an end, and
/// the library that writes dates panics at it.
#[must_use]
pub fn rfc3339(seconds: u64) -> Option<String> {
    let time = std::time::UNIX_EPOCH.checked_add(std::time::Duration::from_secs(seconds))?;
    (seconds <= YEAR_9999_END).then(|| humantime::format_rfc3339_seconds(time).to_string())
}

/// A cell that no spreadsheet takes for a formula: an apostrophe stands before each character that begins
/// one at the beginning of a cell. Programs that expect semicolons or tabs between cells split at these
/// even inside our quotes, so that what follows one may begin a cell too.
fn harmless(cell: &str) -> String {
    let mut safe = String::with_capacity(cell.len() + 1);
    let mut at_beginning = true;
    for character in cell.chars() {
        if at_beginning && FORMULA_BEGINNINGS.contains(&character) {
            safe.push('\'');
        }
        let begins_cell = matches!(character, ';' | '\t' | '\r' | '\n');
        at_beginning = begins_cell || (at_beginning && (character.is_whitespace() || character == '"'));
        safe.push(character);
    }
    safe
}

/// What a formula begins with in one spreadsheet or another, also in full width.
const FORMULA_BEGINNINGS: [char; 10] =
    ['=', '+', '-', '@', '\t', '\r', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

#[cfg(test)]
mod tests {
    use super::*;

    fn written(rows: &[&[&str]]) -> String {
        let mut table = CsvTable::default();
        for row in rows {
            table.row(row.iter().copied()).expect("rows of one width");
        }
        String::from_utf8(table.into_bytes().expect("memory")).expect("UTF-8")
    }

    #[test]
    fn cells_are_quoted_and_lines_end_as_rfc_4180_says() {
        assert_eq!(
            written(&[&["a", "b \"c\", d"], &["", "line\nline"]]),
            "\"a\",\"b \"\"c\"\", d\"\r\n\"\",\"line\nline\"\r\n"
        );
        let mut table = CsvTable::default();
        table.row(["a", "b"]).expect("the first row");
        assert!(table.row(["a"]).is_err(), "a row of another width");
    }

    #[test]
    fn no_cell_begins_a_formula() {
        for (cell, safe) in [
            ("=1+1", "'=1+1"),
            ("+48 22", "'+48 22"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("  =1", "  '=1"),
            ("\"=1", "\"'=1"),
            ("\u{ff1d}1", "'\u{ff1d}1"),
            ("\t=1", "'\t'=1"),
            ("Fund; =cmd|' /C calc'!A0", "Fund; '=cmd|' /C calc'!A0"),
            // Names stay as they are where nothing begins a formula.
            ("Jan-Maria & S\u{f6}hne, a=b", "Jan-Maria & S\u{f6}hne, a=b"),
            ("", ""),
        ] {
            assert_eq!(harmless(cell), safe);
        }
    }

    #[test]
    fn a_signatory_is_a_row_of_the_columns() {
        let row = SignatoryRow {
            party: "ab",
            name: Some(("=HYPERLINK(\"x\")", "en")),
            domain: None,
            level: 0,
            status: "withdrawn",
            received: 1_700_000_000,
            entry: 9,
            endorsed: Some(7),
            not_after: Some(1_800_000_000),
        };
        let mut table = CsvTable::default();
        table.row(SIGNATORY_COLUMNS).expect("the header");
        table.signatory(&row).expect("a row");
        let text = String::from_utf8(table.into_bytes().expect("memory")).expect("UTF-8");
        let (_, second) = text.split_once("\r\n").expect("two lines");
        assert_eq!(
            second,
            "\"ab\",\"'=HYPERLINK(\"\"x\"\")\",\"en\",\"\",\"0\",\"withdrawn\",\"1700000000\",\"2023-11-14T22:13:20Z\",\"9\",\"7\",\"1800000000\"\r\n"
        );
        assert_eq!(utc(u64::MAX), "");
    }

    #[test]
    fn json_lines_carry_texts_as_they_are() {
        assert_eq!(json_line(&"=1\n").expect("a string"), b"\"=1\\n\"\n");
    }
}
