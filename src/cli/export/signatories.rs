//! `export signatories`: a list of signatories as a file for a spreadsheet or a program.
//!
//! The rows are written by the room that writes them for HTTP as well. The list is what the registry tells:
//! receipts and an audit prove it.

use std::path::PathBuf;

use serde_json::json;
use undersigned_client::{Page, Signatory, all_pages};

use super::super::naming::{about_statement, version_id};
use super::super::output::Output;
use super::super::progress::Progress;
use super::super::words::count;
use super::super::{CliError, RegistryArgs, files};
use super::write_new;
use crate::listing::{CsvTable, SIGNATORY_COLUMNS, SignatoryRow, json_line};

const EXAMPLE: &str = "Examples:
  undersigned export signatories open-source-pledge --out signatories.csv
  undersigned export signatories open-source-pledge --format jsonl --at 100

The whole list is of one tree size, which is printed: give it with --at for the same list again. In CSV \
an apostrophe stands before whatever a spreadsheet would take for a formula; JSON lines have every text \
as it is.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(in super::super) struct Args {
    /// Slug or id of the statement
    statement: String,
    #[command(flatten)]
    registry: RegistryArgs,
    /// What kind of file
    #[arg(long, value_enum, default_value = "csv")]
    format: Format,
    /// Version [default: the newest]
    #[arg(long, value_name = "ID")]
    version: Option<String>,
    /// As of this tree size [default: now]
    #[arg(long, value_name = "SIZE")]
    at: Option<u64>,
    /// File to write it to; one that is there is left as it is [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For spreadsheets
    Csv,
    /// For programs: one JSON object on each line
    Jsonl,
}

pub(in super::super) fn run(args: &Args, output: Output) -> Result<(), CliError> {
    // Told before a long list is fetched.
    if let Some(path) = args.out.as_deref().filter(|path| files::is_taken(path)) {
        return Err(super::exists(path));
    }
    let client = args.registry.client()?;
    let version = args.version.as_deref().map(|id| version_id(&args.statement, id)).transpose()?;
    let first = Page { at: args.at, version, ..Page::largest() };
    let bar = Progress::new("signatories", output);
    let mut pages = all_pages(first, |page| client.signatories(&args.statement, page));
    let mut rows = Rows::new(args.format)?;
    let mut number = 0_usize;
    for signatory in pages.by_ref() {
        let signatory = signatory.map_err(|error| about_statement(&client, &args.statement, error))?;
        rows.add(&signatory)?;
        number += 1;
        bar.advance(1);
    }
    let tree_size = pages.tree_size().unwrap_or_default();
    bar.end();
    let bytes = rows.into_bytes()?;
    match &args.out {
        Some(path) => {
            write_new(path, &bytes)?;
            let signatories = count(number, "row");
            output.line(format!("{signatories}, as of {tree_size} entries, written to {}", path.display()));
            output.object(&json!({"rows": number, "tree_size": tree_size, "file": path}));
        }
        None => output.raw(&bytes),
    }
    Ok(())
}

/// The file in the making.
enum Rows {
    Csv(Box<CsvTable>),
    Lines(Vec<u8>),
}

impl Rows {
    fn new(format: Format) -> Result<Self, CliError> {
        match format {
            Format::Jsonl => Ok(Self::Lines(Vec::new())),
            Format::Csv => {
                let mut table = CsvTable::default();
                table.row(SIGNATORY_COLUMNS).map_err(unwritten)?;
                Ok(Self::Csv(Box::new(table)))
            }
        }
    }

    fn add(&mut self, signatory: &Signatory) -> Result<(), CliError> {
        match self {
            Self::Lines(bytes) => bytes.extend(json_line(signatory).map_err(unwritten)?),
            Self::Csv(table) => {
                let named = signatory.names.iter().find_map(|name| Some((name.text.as_deref()?, name)));
                table
                    .signatory(&SignatoryRow {
                        party: &signatory.party.to_string(),
                        name: named.map(|(text, name)| (text, name.language.as_str())),
                        domain: signatory.domain.as_deref(),
                        level: signatory.level,
                        status: &signatory.status,
                        received: signatory.received,
                        entry: signatory.entry,
                        endorsed: signatory.endorsed,
                        not_after: signatory.not_after,
                    })
                    .map_err(unwritten)?;
            }
        }
        Ok(())
    }

    fn into_bytes(self) -> Result<Vec<u8>, CliError> {
        match self {
            Self::Lines(bytes) => Ok(bytes),
            Self::Csv(table) => table.into_bytes().map_err(unwritten),
        }
    }
}

fn unwritten(error: impl std::error::Error) -> CliError {
    CliError::local(format!("a row cannot be written: {error}\ntry the other format with --format"))
}
