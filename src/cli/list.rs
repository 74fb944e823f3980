//! `list`: statements and signatories, as tables for people.
//!
//! Ids stand whole, so that they can be copied; a name stands last, behind the domain that its party claims,
//! so that a name in a script from right to left moves nothing else.

use serde_json::json;
use undersigned_client::{Page, Signatory, all_pages};

use super::naming::{about_statement, version_id};
use super::output::{Output, ended_by_time, shown, time};
use super::progress::Progress;
use super::show::{domain_of, name_of};
use super::table::table;
use super::{CliError, RegistryArgs};

const STATEMENTS_EXAMPLE: &str = "Example:
  undersigned list statements";
const SIGNATORIES_EXAMPLE: &str = "Examples:
  undersigned list signatories open-source-pledge
  undersigned list signatories open-source-pledge --at 100

In the order in which the parties signed or left. For a spreadsheet: undersigned export signatories.";

const GROUP_EXAMPLE: &str = "Examples:
  undersigned list statements
  undersigned list signatories open-source-pledge";

/// List statements or signatories
#[derive(Debug, clap::Subcommand)]
#[command(after_help = GROUP_EXAMPLE)]
pub(super) enum List {
    /// The statements of the registry
    #[command(after_help = STATEMENTS_EXAMPLE)]
    Statements {
        #[command(flatten)]
        registry: RegistryArgs,
    },
    /// Who signed a statement, and who left
    #[command(after_help = SIGNATORIES_EXAMPLE)]
    Signatories {
        /// Slug or id of the statement
        statement: String,
        #[command(flatten)]
        registry: RegistryArgs,
        /// Version [default: the newest]
        #[arg(long, value_name = "ID")]
        version: Option<String>,
        /// As of this tree size [default: now]
        #[arg(long, value_name = "SIZE")]
        at: Option<u64>,
    },
}

pub(super) fn list(what: &List, output: Output) -> Result<(), CliError> {
    match what {
        List::Statements { registry } => statements(registry, output),
        List::Signatories { statement, registry, version, at } => {
            let version = version.as_deref().map(|version| version_id(statement, version)).transpose()?;
            let first = Page { at: *at, version, ..Page::largest() };
            signatories(statement, registry, first, output)
        }
    }
}

fn statements(registry: &RegistryArgs, output: Output) -> Result<(), CliError> {
    let client = registry.client()?;
    let bar = Progress::new("statements", output);
    let mut pages = all_pages(Page::largest(), |page| client.statements(page));
    let found = pages.by_ref().inspect(|_| bar.advance(1)).collect::<Result<Vec<_>, _>>()?;
    let tree_size = pages.tree_size().unwrap_or_default();
    bar.end();
    if found.is_empty() {
        output.line(format!("no statements, as of {tree_size} entries"));
        output.line("publish one with: undersigned statement publish");
    } else {
        let rows = found.iter().map(|statement| {
            vec![
                shown(&statement.slug),
                shown(&statement.kind),
                time(statement.received),
                statement.statement.to_string(),
            ]
        });
        output.line(table(&["statement", "kind", "published", "id"], rows));
    }
    output.object(&json!({ "tree_size": tree_size, "statements": found }));
    Ok(())
}

fn signatories(
    statement: &str,
    registry: &RegistryArgs,
    first: Page,
    output: Output,
) -> Result<(), CliError> {
    let client = registry.client()?;
    let bar = Progress::new("signatories", output);
    let mut pages = all_pages(first, |page| client.signatories(statement, page));
    let found = pages.by_ref().inspect(|_| bar.advance(1)).collect::<Result<Vec<_>, _>>();
    let tree_size = pages.tree_size().unwrap_or_default();
    bar.end();
    let mut found = found.map_err(|error| about_statement(&client, statement, error))?;
    // The registry lists parties in the order in which they entered; people ask who signed when.
    found.sort_by_key(|signatory| signatory.entry);
    if !found.is_empty() {
        let rows = found.iter().map(|signatory| {
            vec![
                shown(&signatory.status),
                time(since(signatory)),
                signatory.party.to_string(),
                domain_of(signatory.domain.as_deref()),
                name_of(&signatory.names),
            ]
        });
        output.line(table(&["status", "since", "party", "domain", "name"], rows));
        output.line("");
    }
    let active = found.iter().filter(|signatory| signatory.status == "active").count();
    let lapsed = found.iter().filter(|signatory| signatory.status == "lapsed").count();
    // Who withdraws what it never signed stands in the list, and is not counted.
    let withdrawn = found
        .iter()
        .filter(|signatory| signatory.status == "withdrawn" && signatory.endorsed.is_some())
        .count();
    let by_time = ended_by_time(u64::try_from(lapsed).unwrap_or(u64::MAX));
    output.line(format!("{active} standing, {withdrawn} withdrawn{by_time}, as of {tree_size} entries"));
    if found.len() > 1 {
        output.line("in the order in which they signed, or left (since)");
    }
    output.object(&json!({"tree_size": tree_size, "signatories": found}));
    Ok(())
}

/// Since when it is so: what ended by time did so after its last second, not when it was signed.
fn since(signatory: &Signatory) -> u64 {
    match signatory.not_after {
        Some(last) if signatory.status == "lapsed" => last,
        _ => signatory.received,
    }
}
