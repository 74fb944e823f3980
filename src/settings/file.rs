//! The configuration file: TOML, one value for each setting, in sections.
//!
//! Read into names, texts and line numbers only. Whether a name is a setting and its text a value is
//! decided by the table (`effective`), so that a file can say nothing that a flag could not.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

/// No configuration is longer: the example with every setting has 10 kB.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A configuration file, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where it lies.
    pub path: PathBuf,
    /// What it sets, in the order of names.
    pub(super) lines: Vec<Line>,
}

/// One setting of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// The section that it stands in; empty above the first.
    pub(super) section: String,
    /// Its name.
    pub(super) name: String,
    /// Its value, or the values of a list.
    pub(super) values: Vec<String>,
    /// Its line, counted from 1.
    pub(super) number: usize,
}

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot read the configuration file {path}: {source}\ncheck the path of --config and who may read it", path = path.display())]
    Read {
        /// Where it lies.
        path: PathBuf,
        /// What the disk said.
        source: io::Error,
    },
    /// It is too long or not text.
    #[error("{path} is no configuration file: {why}\nbegin with: undersigned config example", path = path.display())]
    Form {
        /// Where it lies.
        path: PathBuf,
        /// What is wrong.
        why: &'static str,
    },
    /// A line is not TOML, or sets what cannot be set.
    #[error("{path}, line {line}: {what}\n{next}", path = path.display())]
    Line {
        /// Where it lies.
        path: PathBuf,
        /// Which line.
        line: usize,
        /// What is wrong.
        what: String,
        /// What to do.
        next: String,
    },
}

impl File {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or is not TOML of the form that settings have.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        use std::io::Read as _;
        let failed = |source| FileError::Read { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
        let form = |why| FileError::Form { path: path.to_owned(), why };
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > FILE_BYTES_MAX {
            return Err(form("it has more than 1 MiB"));
        }
        let text = String::from_utf8(bytes).map_err(|_| form("it is not UTF-8"))?;
        Self::parse(path, &text)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// It is not TOML of the form that settings have.
    pub fn parse(path: &Path, text: &str) -> Result<Self, FileError> {
        let at = |span: Option<Range<usize>>, what: String, next: &str| FileError::Line {
            path: path.to_owned(),
            line: line_of(text, span.map_or(0, |span| span.start)),
            what,
            next: next.to_owned(),
        };
        let document = DeTable::parse(text).map_err(|error| {
            at(error.span(), error.message().to_owned(), "a line is: name = value; texts stand in \"quotes\"")
        })?;
        let mut lines = Vec::new();
        for (name, value) in document.get_ref() {
            match value.get_ref() {
                DeValue::Table(section) => {
                    for (inner, value) in section {
                        let values = values_of(value.get_ref()).map_err(|what| {
                            at(Some(inner.span()), format!("{} {what}", inner.get_ref()), FORMS)
                        })?;
                        lines.push(Line {
                            section: name.get_ref().to_string(),
                            name: inner.get_ref().to_string(),
                            values,
                            number: line_of(text, inner.span().start),
                        });
                    }
                }
                other => {
                    let values = values_of(other)
                        .map_err(|what| at(Some(name.span()), format!("{} {what}", name.get_ref()), FORMS))?;
                    lines.push(Line {
                        section: String::new(),
                        name: name.get_ref().to_string(),
                        values,
                        number: line_of(text, name.span().start),
                    });
                }
            }
        }
        Ok(Self { path: path.to_owned(), lines })
    }
}

const FORMS: &str = "a setting is a \"text\", a number, true or false, or a [\"list\"] of them";

/// The text of a value, as a flag would have it.
fn values_of(value: &DeValue<'_>) -> Result<Vec<String>, &'static str> {
    match value {
        DeValue::Array(list) => list
            .iter()
            .map(|item| one_of(item.get_ref()).ok_or("is a list of something that no setting takes"))
            .collect(),
        other => one_of(other).map(|one| vec![one]).ok_or("is of a kind that no setting takes"),
    }
}

fn one_of(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        DeValue::Boolean(is) => Some(is.to_string()),
        DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => None,
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count().saturating_add(1)
}
