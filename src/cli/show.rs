//! `show`: one entry, statement, party or key.
//!
//! Everything here is what the registry tells; receipts and an audit prove it. Its words are escaped, so that
//! none of them moves the cursor or passes for ours.

use serde_json::json;
use undersigned_client::{Client, KeyInfo, Name};
use undersigned_registry::entry::Entry;
use undersigned_registry::id::PartyId;

use super::naming;
use super::output::{Output, ended_by_time, quoted, shown, time};
use super::party::keys_of;
use super::table::table;
use super::words::level;
use super::{CliError, RegistryArgs};
use crate::admission::check_text;

const ENTRY_EXAMPLE: &str = "Example:
  undersigned show entry 12";
const STATEMENT_EXAMPLE: &str = "Examples:
  undersigned show statement open-source-pledge
  undersigned show statement open-source-pledge --text en > pledge.en.txt";
const PARTY_EXAMPLE: &str = "Examples:
  undersigned show party example.org
  undersigned show party \\
      4f1c0ae2ab3b7f50a3f33cd8d1d29f0ba8fcb7a4a29a5b8a4f5a7b3b0d9d5c11";
const KEY_EXAMPLE: &str = "Examples:
  undersigned show key \\
      5d41402abc4b2a76b9719d911017c592ae5f0c3b1d8a3a6f64e8c2a1b0f9e8d7
  undersigned key show ~/.ssh/id_ed25519.pub      (which id a key file has)";

const GROUP_EXAMPLE: &str = "Examples:
  undersigned show statement open-source-pledge
  undersigned show statement open-source-pledge --text en
  undersigned show party example.org
  undersigned show entry 12";

/// Show one thing
#[derive(Debug, clap::Subcommand)]
#[command(after_help = GROUP_EXAMPLE)]
pub(super) enum Show {
    /// An entry of the log
    #[command(after_help = ENTRY_EXAMPLE)]
    Entry {
        /// Index of the entry, or hash of the event
        entry: String,
        #[command(flatten)]
        registry: RegistryArgs,
    },
    /// A statement
    #[command(after_help = STATEMENT_EXAMPLE)]
    Statement {
        /// Its slug or id
        statement: String,
        /// Print the text in this language and nothing else: the exact bytes that its hash stands for
        #[arg(long, value_name = "LANGUAGE")]
        text: Option<String>,
        #[command(flatten)]
        registry: RegistryArgs,
    },
    /// A party, with every key that it has or had
    #[command(after_help = PARTY_EXAMPLE)]
    Party {
        /// Its id, or a domain
        party: String,
        #[command(flatten)]
        registry: RegistryArgs,
    },
    /// A key
    #[command(after_help = KEY_EXAMPLE)]
    Key {
        /// Its id
        key: String,
        #[command(flatten)]
        registry: RegistryArgs,
    },
}

pub(super) fn show(what: &Show, output: Output) -> Result<(), CliError> {
    match what {
        Show::Entry { entry, registry } => show_entry(&registry.client()?, entry, output),
        Show::Statement { statement, text: None, registry } => {
            show_statement(&registry.client()?, statement, output)
        }
        Show::Statement { statement, text: Some(language), registry } => {
            show_text(&registry.client()?, statement, language, output)
        }
        Show::Party { party, registry } => match naming::party_or_domain(party)? {
            Some(id) => show_party(&registry.client()?, &id, output),
            None => show_claims(&registry.client()?, party, output),
        },
        Show::Key { key, registry } => show_key(&registry.client()?, key, output),
    }
}

fn show_entry(client: &Client, named: &str, output: Output) -> Result<(), CliError> {
    let answer = client.entry(named).map_err(naming::about_entry)?;
    let unfit = |error: String| {
        CliError::refused(format!(
            "what the registry gives as entry {} is none: {error}\naudit the log: undersigned audit",
            answer.index
        ))
    };
    let entry = Entry::parse(&answer.entry).map_err(|error| unfit(error.to_string()))?;
    let value: serde_json::Value =
        serde_json::from_slice(&answer.entry).map_err(|error| unfit(error.to_string()))?;
    let event = entry.envelope.event();
    output.line(format!("entry     {} in the tree of {} entries", answer.index, answer.tree_size));
    output.line(format!("type      {}", event.body.type_name()));
    if let Some(party) = event.party {
        output.line(format!("party     {}", who(client, &party)));
    }
    output.line(format!("received  {}", time(entry.received)));
    output
        .line(format!("event     {}", undersigned_registry::event::event_hash(entry.envelope.event_bytes())));
    output.line("");
    output.line(serde_json::to_string_pretty(&value).unwrap_or_default());
    output.object(&json!({"index": answer.index, "tree_size": answer.tree_size, "entry": value}));
    Ok(())
}

fn show_statement(client: &Client, named: &str, output: Output) -> Result<(), CliError> {
    let found = client.statement(named).map_err(|error| naming::about_statement(client, named, error))?;
    output.line(format!("{} {}", shown(&found.kind), quoted(&found.slug)));
    output.line(format!("statement  {}", found.statement));
    output.line(format!("sponsor    {}", who(client, &found.sponsor)));
    output.line(format!("versions   {}", found.versions));
    if let Some(version) = &found.version {
        output.line(format!("version    {} (number {})", version.version, version.number));
        output.line("");
        let rows = version.texts.iter().map(|text| {
            let title = text.title.as_deref().map_or_else(|| "(erased)".to_owned(), shown);
            let blob = &text.text_blob;
            vec![
                shown(&text.language),
                shown(&text.status),
                blob.size.to_string(),
                blob.sha256.to_hex(),
                title,
            ]
        });
        output.line(table(&["language", "text", "bytes", "sha256 of the text", "title"], rows));
        output.line("");
        output.line(format!(
            "{} standing, {} withdrawn{}, as of {} entries",
            version.count.active,
            version.count.withdrawn,
            ended_by_time(version.count.lapsed),
            found.tree_size
        ));
        if let Some(text) = version.texts.first() {
            let (slug, language) = (shown(&found.slug), shown(&text.language));
            output.line(format!("read a text: undersigned show statement {slug} --text {language}"));
        }
    }
    output.object(&serde_json::to_value(&found).unwrap_or_default());
    Ok(())
}

/// The text itself, as it was signed: checked against the hash that the version names.
fn show_text(client: &Client, named: &str, language: &str, output: Output) -> Result<(), CliError> {
    let found = client.statement(named).map_err(|error| naming::about_statement(client, named, error))?;
    let texts = found.version.map(|version| version.texts).unwrap_or_default();
    let Some(text) = texts.iter().find(|text| text.language == language) else {
        let languages: Vec<String> = texts.iter().map(|text| shown(&text.language)).collect();
        return Err(CliError::refused(format!(
            "the statement has no text in {language:?}\nname one of its languages with --text: {}",
            languages.join(", ")
        )));
    };
    let bytes = client.blob(&text.text_blob.sha256)?.ok_or_else(|| {
        CliError::refused(
            "the text was erased at this registry\nits hash stays in the log: whoever has a copy can be checked with it",
        )
    })?;
    check_text(&bytes, false).map_err(|rule| {
        CliError::refused(format!(
            "the text that the registry serves is not shown: {rule}\naudit the log: undersigned audit"
        ))
    })?;
    output.raw(&bytes);
    Ok(())
}

fn show_party(client: &Client, id: &PartyId, output: Output) -> Result<(), CliError> {
    let found = client.party(id).map_err(naming::about_party)?;
    for name in &found.names {
        let text = name.text.as_deref().map_or_else(|| "(name erased)".to_owned(), quoted);
        output.line(format!("name     {text}"));
    }
    let claim = if found.level < 2 { " (claimed: nobody has checked it)" } else { "" };
    output.line(match &found.domain {
        Some(domain) => format!("domain   {}{claim}", shown(domain)),
        None => "domain   (none)".to_owned(),
    });
    output.line(format!("party    {}", found.party));
    output.line(format!("level    {} ({})", found.level, level(found.level)));
    let entries: Vec<String> = found.entries.iter().map(u64::to_string).collect();
    output.line(format!("entries  {}", entries.join(" ")));
    let keys = keys_of(client, &found)?;
    output.line("");
    let rows = keys.iter().map(|key| vec![shown(&key.role), state_of(key), key.key.to_string()]);
    output.line(table(&["role", "state", "key"], rows));
    let mut object = serde_json::to_value(&found).unwrap_or_default();
    object["keys"] = serde_json::to_value(&keys).unwrap_or_default();
    output.object(&object);
    Ok(())
}

fn show_claims(client: &Client, domain: &str, output: Output) -> Result<(), CliError> {
    let found = client.parties_by_domain(domain)?;
    match found.claimed_by.len() {
        0 => {
            output.line(format!("nobody claims {}", shown(&found.domain)));
            output.line("look among the signatories of a statement: undersigned list signatories SLUG");
        }
        1 => output.line(format!("one party claims {} (anybody can claim a domain)", shown(&found.domain))),
        many => {
            output.line(format!("{many} parties claim {} (anybody can claim a domain)", shown(&found.domain)))
        }
    }
    if !found.claimed_by.is_empty() {
        output.line("");
        let rows = found
            .claimed_by
            .iter()
            .map(|claim| vec![claim.party.to_string(), claim.entry.to_string(), name_of(&claim.names)]);
        output.line(table(&["party", "entry", "name"], rows));
    }
    output.object(&serde_json::to_value(&found).unwrap_or_default());
    Ok(())
}

fn show_key(client: &Client, id: &str, output: Output) -> Result<(), CliError> {
    let found = client.key(&naming::key_id(id)?).map_err(naming::about_key)?;
    output.line(format!("key      {}", found.key));
    output.line(format!("party    {}", who(client, &found.party)));
    output.line(format!("role     {}", shown(&found.role)));
    output.line(format!("state    {}", state_of(&found)));
    output.object(&serde_json::to_value(&found).unwrap_or_default());
    Ok(())
}

/// A party's id with its name and domain, where the registry tells them.
fn who(client: &Client, id: &PartyId) -> String {
    match client.party(id) {
        Ok(found) => {
            let domain = found.domain.as_deref().map_or_else(|| "no domain".to_owned(), shown);
            let name = first_name(&found.names).unwrap_or_else(|| "name erased".to_owned());
            format!("{id} ({domain}, {name})")
        }
        Err(_) => id.to_string(),
    }
}

/// From which entry on a key may sign, and up to which.
fn state_of(key: &KeyInfo) -> String {
    match key.to {
        None => format!("live, added by entry {}", key.from),
        Some(to) if key.revoked => format!("revoked by entry {to}, added by entry {}", key.from),
        Some(to) => format!("retired by entry {to}, added by entry {}", key.from),
    }
}

/// The domain that stands beside every name.
pub(super) fn domain_of(domain: Option<&str>) -> String {
    domain.map_or_else(|| "(no domain)".to_owned(), shown)
}

/// A name to print: the first one that is there.
pub(super) fn name_of(names: &[Name]) -> String {
    first_name(names).unwrap_or_else(|| "(name erased)".to_owned())
}

fn first_name(names: &[Name]) -> Option<String> {
    names.iter().find_map(|name| name.text.as_deref().map(shown))
}
