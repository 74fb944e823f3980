//! `prove`: fetches a proof about the newest tree, checks it, and writes it into one file.

use std::path::{Path, PathBuf};

use serde_json::json;
use undersigned_client::{Client, StateOf, StateQuestion};
use undersigned_registry::id::PartyId;

use super::export::write_new;
use super::output::Output;
use super::signing::note_unanchored;
use super::verify::{self, Checked};
use super::{CliError, RegistryArgs, files, naming, words};

const COUNT_EXAMPLE: &str = "Examples:
  undersigned prove count open-source-pledge --out count.tlog-proof
  undersigned verify count.tlog-proof --policy registry.policy";
const STATUS_EXAMPLE: &str = "Examples:
  undersigned show party example.org      (prints the id of who claims it)
  undersigned prove status open-source-pledge --party ID --out its.tlog-proof";
const ABSENT_EXAMPLE: &str = "Example:
  undersigned prove absent open-source-pledge --party ID --out none.tlog-proof

It proves that this party id has no endorsement of this version. An organisation may have another id, \
and anybody can claim a domain.";
const ENTRIES_EXAMPLE: &str = "Example:
  undersigned prove entries 3 5 9 --out entries.multi-proof";

const GROUP_EXAMPLE: &str = "Examples:
  undersigned prove count open-source-pledge --out count.tlog-proof
  undersigned verify count.tlog-proof --policy registry.policy";

/// Prove a count, a status, an absence or several entries in one file
#[derive(Debug, clap::Subcommand)]
#[command(after_help = GROUP_EXAMPLE)]
pub(super) enum Verb {
    /// How many endorse a version
    #[command(after_help = COUNT_EXAMPLE)]
    Count {
        #[command(flatten)]
        of: OfArgs,
        #[command(flatten)]
        to: ToArgs,
    },
    /// What became of a party's endorsement
    #[command(after_help = STATUS_EXAMPLE)]
    Status {
        #[command(flatten)]
        of: OfArgs,
        #[command(flatten)]
        by: PartyArgs,
        #[command(flatten)]
        to: ToArgs,
    },
    /// That a party has not endorsed a version
    #[command(after_help = ABSENT_EXAMPLE)]
    Absent {
        #[command(flatten)]
        of: OfArgs,
        #[command(flatten)]
        by: PartyArgs,
        #[command(flatten)]
        to: ToArgs,
    },
    /// Several entries at once, up to 1,024
    #[command(after_help = ENTRIES_EXAMPLE)]
    Entries {
        /// Indexes of the entries
        #[arg(required = true, value_name = "INDEX")]
        indexes: Vec<u64>,
        #[command(flatten)]
        to: ToArgs,
    },
}

/// Which version is meant.
#[derive(Debug, clap::Args)]
pub(super) struct OfArgs {
    /// Slug or id of the statement, whose newest version is meant
    #[arg(required_unless_present = "version", conflicts_with = "version")]
    statement: Option<String>,
    /// Version, instead of the statement
    #[arg(long, value_name = "ID")]
    version: Option<String>,
}

/// Whose endorsement is meant.
#[derive(Debug, clap::Args)]
pub(super) struct PartyArgs {
    /// Party
    #[arg(long, value_name = "ID")]
    party: String,
}

/// From where, checked against what, to where.
#[derive(Debug, clap::Args)]
pub(super) struct ToArgs {
    #[command(flatten)]
    registry: RegistryArgs,
    /// Trust anchor to check it against
    #[arg(long, value_name = "FILE", env = "UNDERSIGNED_POLICY")]
    policy: Option<PathBuf>,
    /// New file to write it to [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(verb: &Verb, output: Output) -> Result<(), CliError> {
    match verb {
        Verb::Count { of, to } => state(StateQuestion::Count, of, to, output),
        Verb::Status { of, by, to } => state(StateQuestion::Status(by.id()?), of, to, output),
        Verb::Absent { of, by, to } => state(StateQuestion::Absent(by.id()?), of, to, output),
        Verb::Entries { indexes, to } => {
            let mut indexes = indexes.clone();
            indexes.sort_unstable();
            indexes.dedup();
            prove(to, output, |client| client.multi_proof(&indexes).map_err(CliError::from))
        }
    }
}

impl PartyArgs {
    fn id(&self) -> Result<PartyId, CliError> {
        PartyId::from_hex(&self.party).map_err(|_| {
            CliError::refused(format!(
                "{:?} is no party id\nan id has 64 lower-case hex digits; find it with: undersigned show party DOMAIN",
                self.party
            ))
        })
    }
}

fn state(question: StateQuestion, of: &OfArgs, to: &ToArgs, output: Output) -> Result<(), CliError> {
    let of = match (&of.statement, &of.version) {
        (_, Some(version)) => StateOf::Version(naming::version_id("SLUG", version)?),
        (statement, None) => StateOf::Statement(statement.clone().unwrap_or_default()),
    };
    let named = match &of {
        StateOf::Statement(statement) => Some(statement.clone()),
        StateOf::Version(_) => None,
    };
    prove(to, output, |client| {
        client.state_proof(&of, question).map_err(|error| match (&named, question) {
            // What is missing may be the party.
            (Some(statement), _) if client.statement(statement).is_err() => {
                naming::about_statement(client, statement, error)
            }
            (Some(_), StateQuestion::Status(_) | StateQuestion::Absent(_)) if naming::is_missing(&error) => {
                CliError::from(error).with_next(
                    "undersigned show party DOMAIN prints the id of a party; nothing can be proved about an id that never entered",
                )
            }
            _ => error.into(),
        })
    })
}

/// Fetches, checks, and only then writes.
fn prove(
    to: &ToArgs,
    output: Output,
    fetch: impl FnOnce(&Client) -> Result<Vec<u8>, CliError>,
) -> Result<(), CliError> {
    if let Some(path) = to.out.as_deref().filter(|path| files::is_taken(path)) {
        return Err(super::export::exists(path));
    }
    let client = to.registry.client()?;
    let (trust, anchored) = match &to.policy {
        Some(path) => (verify::read_trust(path, None)?, true),
        None => (verify::served_trust(&client, None)?, false),
    };
    let file = fetch(&client)?;
    let checked = verify::check_any(&file, &trust).map_err(|error| {
        CliError::refused(format!(
            "the registry's proof does not verify: {error}\nnothing was written; check that the policy is this registry's, and audit the log: undersigned audit"
        ))
    })?;
    match &to.out {
        Some(path) => {
            write_new(path, &file)?;
            report(&checked, path, anchored, output);
        }
        None => output.raw(&file),
    }
    Ok(())
}

fn report(checked: &Checked, path: &Path, anchored: bool, output: Output) {
    match checked {
        Checked::State(verified) => {
            words::state::answers(verified).into_iter().for_each(|line| output.line(line))
        }
        Checked::Entries(verified) => {
            let count = u64::try_from(verified.entries.len()).unwrap_or(u64::MAX);
            output.line(format!(
                "{} of the tree of size {}",
                words::count_of(count, "entry", "entries"),
                verified.tree_size
            ));
        }
        Checked::Receipt(_) => {}
    }
    output.line(format!("proof    {} (check it offline: undersigned verify)", path.display()));
    if !anchored {
        note_unanchored(output);
    }
    let mut object = verify::object(checked, path);
    if let Some(members) = object.as_object_mut() {
        members.insert("anchored".to_owned(), json!(anchored));
    }
    output.object(&object);
}
