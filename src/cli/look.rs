//! `receipt`, `show` and `list`: looking at a registry.

use std::path::PathBuf;

use serde_json::json;
use undersigned_client::{KeyInfo, Name, Page, all_pages};
use undersigned_registry::id::{KeyId, PartyId, VersionId};
use undersigned_registry::verify::Trust;

use super::output::{Output, short, shown, time};
use super::party::keys_of;
use super::signing::event_hash;
use super::table::table;
use super::verify;
use super::words::level;
use super::{CliError, RegistryArgs};

const RECEIPT_EXAMPLE: &str = "Example:
  undersigned receipt 12 --out 12.tlog-proof";
const SHOW_EXAMPLE: &str = "Example:
  undersigned show statement open-source-pledge
  undersigned show party example.org
  undersigned show entry 12";
const LIST_EXAMPLE: &str = "Example:
  undersigned list statements
  undersigned list signatories open-source-pledge
  undersigned list signatories open-source-pledge --at 100";

/// Fetch a receipt again, under the newest checkpoint
#[derive(Debug, clap::Args)]
#[command(after_help = RECEIPT_EXAMPLE)]
pub(super) struct ReceiptArgs {
    /// Index of the entry, or hash of the event
    entry: String,
    #[command(flatten)]
    registry: RegistryArgs,
    /// Trust anchor to check it against
    #[arg(long, value_name = "FILE", env = "UNDERSIGNED_POLICY")]
    policy: Option<PathBuf>,
    /// File to write it to [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Show one thing
#[derive(Debug, clap::Subcommand)]
#[command(after_help = SHOW_EXAMPLE)]
pub(super) enum Show {
    /// An entry of the log
    Entry {
        /// Index of the entry, or hash of the event
        entry: String,
        #[command(flatten)]
        registry: RegistryArgs,
    },
    /// A statement
    Statement {
        /// Its slug or id
        statement: String,
        #[command(flatten)]
        registry: RegistryArgs,
    },
    /// A party
    Party {
        /// Its id, or a domain
        party: String,
        #[command(flatten)]
        registry: RegistryArgs,
    },
    /// A key
    Key {
        /// Its id
        key: String,
        #[command(flatten)]
        registry: RegistryArgs,
    },
}

/// List statements or signatories
#[derive(Debug, clap::Subcommand)]
#[command(after_help = LIST_EXAMPLE)]
pub(super) enum List {
    /// The statements of the registry
    Statements {
        #[command(flatten)]
        registry: RegistryArgs,
    },
    /// Who signed a statement, and who left
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

pub(super) fn receipt(args: &ReceiptArgs, output: Output) -> Result<(), CliError> {
    let client = args.registry.client()?;
    let receipt = client.receipt(&args.entry)?;
    let (trust, anchored) = match &args.policy {
        Some(path) => (verify::read_trust(path, None)?, true),
        None => (
            Trust::parse(&client.policy()?, None).map_err(|error| {
                CliError::refused(format!("the registry's policy cannot be used: {error}"))
            })?,
            false,
        ),
    };
    let verified = verify::check(&receipt, &trust)
        .map_err(|error| CliError::refused(format!("the registry's receipt does not verify: {error}")))?;
    match &args.out {
        Some(path) => {
            std::fs::write(path, &receipt).map_err(|error| CliError::file("write", path, &error))?;
            output.line(format!("receipt of entry {} written to {}", verified.index, path.display()));
            output.object(&json!({"index": verified.index, "receipt": path, "anchored": anchored}));
        }
        None => output.raw(&receipt),
    }
    Ok(())
}

pub(super) fn show(what: &Show, output: Output) -> Result<(), CliError> {
    match what {
        Show::Entry { entry, registry } => {
            let answer = registry.client()?.entry(entry)?;
            output.line(format!("entry {} in the tree of {} entries", answer.index, answer.tree_size));
            let value: serde_json::Value = serde_json::from_slice(&answer.entry)
                .map_err(|error| CliError::refused(format!("the registry's entry is no JSON: {error}")))?;
            output.line(serde_json::to_string_pretty(&value).unwrap_or_default());
            output.object(&json!({"index": answer.index, "tree_size": answer.tree_size, "entry": value}));
        }
        Show::Statement { statement, registry } => {
            let found = registry.client()?.statement(statement)?;
            output.line(format!("{} \"{}\"", found.kind, found.slug));
            output.line(format!("statement  {}", found.statement));
            output.line(format!("sponsor    {}", found.sponsor));
            output.line(format!("versions   {}", found.versions));
            if let Some(version) = &found.version {
                output.line(format!("version    {} (number {})", version.version, version.number));
                for text in &version.texts {
                    let title = text.title.as_deref().map_or_else(|| "(erased)".to_owned(), shown);
                    output.line(format!("  {} {}: {title}", text.language, text.status));
                }
                output.line(format!(
                    "{} organisations endorse it, {} left (tree of {} entries)",
                    version.count.active, version.count.withdrawn, found.tree_size
                ));
            }
            output.object(&serde_json::to_value(&found).unwrap_or_default());
        }
        Show::Party { party, registry } => show_party(party, registry, output)?,
        Show::Key { key, registry } => {
            let found = registry.client()?.key(&KeyId(event_hash("key id", key)?.0))?;
            output.line(format!("key      {}", found.key));
            output.line(format!("party    {}", found.party));
            output.line(format!("role     {}", found.role));
            let end = found.to.map_or("still live".to_owned(), |to| format!("ended by entry {to}"));
            output.line(format!("added by entry {}, {end}", found.from));
            output.object(&serde_json::to_value(&found).unwrap_or_default());
        }
    }
    Ok(())
}

fn show_party(party: &str, registry: &RegistryArgs, output: Output) -> Result<(), CliError> {
    let client = registry.client()?;
    if let Ok(id) = PartyId::from_hex(party) {
        let found = client.party(&id)?;
        for name in &found.names {
            let text = name.text.as_deref().map_or_else(|| "(name erased)".to_owned(), quoted);
            output.line(text);
        }
        output.line(match &found.domain {
            Some(domain) if found.level < 2 => {
                format!("domain   {domain} (claimed: nobody has checked it)")
            }
            Some(domain) => format!("domain   {domain}"),
            None => "domain   (none)".to_owned(),
        });
        output.line(format!("party    {}", found.party));
        output.line(format!("level    {} ({})", found.level, level(found.level)));
        let entries: Vec<String> = found.entries.iter().map(u64::to_string).collect();
        output.line(format!("entries  {}", entries.join(" ")));
        let keys = keys_of(&client, &found)?;
        output.line("");
        let rows = keys.iter().map(|key| vec![key.role.clone(), state_of(key), key.key.to_string()]);
        output.line(table(&["role", "state", "key"], rows));
        let mut object = serde_json::to_value(&found).unwrap_or_default();
        object["keys"] = serde_json::to_value(&keys).unwrap_or_default();
        output.object(&object);
        return Ok(());
    }
    let found = client.parties_by_domain(party)?;
    output.line(format!(
        "{} parties claim {} (anybody can claim a domain):",
        found.claimed_by.len(),
        found.domain
    ));
    for claim in &found.claimed_by {
        output.line(format!("  {}  {}", claim.party, name_of(&claim.names)));
    }
    output.object(&serde_json::to_value(&found).unwrap_or_default());
    Ok(())
}

pub(super) fn list(what: &List, output: Output) -> Result<(), CliError> {
    match what {
        List::Statements { registry } => {
            let client = registry.client()?;
            let found =
                all_pages(Page::largest(), |page| client.statements(page)).collect::<Result<Vec<_>, _>>()?;
            for statement in &found {
                output.line(format!(
                    "{:<32} {:<12} {}  {}",
                    statement.slug,
                    statement.kind,
                    time(statement.received),
                    short(&statement.statement)
                ));
            }
            output.object(&json!({ "statements": found }));
        }
        List::Signatories { statement, registry, version, at } => {
            let client = registry.client()?;
            let version = version.as_deref().map(|version| event_hash("version id", version)).transpose()?;
            let first = Page { at: *at, version: version.map(|hash| VersionId(hash.0)), ..Page::largest() };
            let mut pages = all_pages(first, |page| client.signatories(statement, page));
            let found = pages.by_ref().collect::<Result<Vec<_>, _>>()?;
            let tree_size = pages.tree_size().unwrap_or_default();
            for signatory in &found {
                output.line(format!(
                    "{:<10} {}  {}  {:<32} {}",
                    signatory.status,
                    time(signatory.received),
                    short(&signatory.party),
                    signatory.domain.as_deref().unwrap_or("(no domain)"),
                    name_of(&signatory.names)
                ));
            }
            let active = found.iter().filter(|signatory| signatory.status == "active").count();
            output.line(format!(
                "{active} standing, {} withdrawn, as of {} entries",
                found.len() - active,
                tree_size
            ));
            output.object(&json!({"tree_size": tree_size, "signatories": found}));
        }
    }
    Ok(())
}

/// From which entry on a key may sign, and up to which.
fn state_of(key: &KeyInfo) -> String {
    match key.to {
        None => format!("live, added by entry {}", key.from),
        Some(to) if key.revoked => format!("revoked by entry {to}, added by entry {}", key.from),
        Some(to) => format!("retired by entry {to}, added by entry {}", key.from),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", shown(text))
}

/// A name to print: the first one that is there.
fn name_of(names: &[Name]) -> String {
    names
        .iter()
        .find_map(|name| name.text.as_deref().map(shown))
        .unwrap_or_else(|| "(name erased)".to_owned())
}
