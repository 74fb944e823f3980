//! `repair`: what an operator does by name after a loss: a guard made again, a batch set aside.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Subcommand;
use serde_json::json;
use undersigned_client::{CHECKPOINT_BYTES_MAX, Client};
use undersigned_registry::receipt::{RECEIPT_BYTES_MAX, Receipt};

use super::CliError;
use super::error::chain;
use super::output::Output;
use crate::clock::SystemClock;
use crate::node::{self, Place, RepairError, Shown};

const GUARD_EXAMPLE: &str = "Example:
  undersigned repair guard --data /srv/registry \\
      --checkpoint https://mirror.example --checkpoint 812.tlog-proof

The guard says up to where the log key has signed. Made too low, it would let the key sign a second \
history, so ask everybody who may hold a newer checkpoint first: mirrors, auditors, and the signatories \
of the last days for their newest receipt. The guard is made at the newest that is found, and never over \
one that is there.";

const BATCH_EXAMPLE: &str = "Example:
  undersigned repair batch --data /srv/registry --guard /mnt/guard

For a log that serve refuses because of a batch that was never signed. Nobody holds a receipt for what is \
in it. It is moved to private/set-aside, not deleted. A batch that was signed is never moved: restore it.";

const GROUP_EXAMPLE: &str = "Examples:
  undersigned repair guard --data /srv/registry \\
      --checkpoint https://mirror.example
  undersigned repair batch --data /srv/registry";

/// Repair a data folder while nothing serves it
#[derive(Debug, Subcommand)]
#[command(after_help = GROUP_EXAMPLE)]
pub(super) enum Verb {
    /// Make a guard that was lost again, from checkpoints that others kept
    #[command(after_help = GUARD_EXAMPLE)]
    Guard(GuardArgs),
    /// Set aside a batch that was never signed and cannot be applied
    #[command(after_help = BATCH_EXAMPLE)]
    Batch(BatchArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct GuardArgs {
    #[command(flatten)]
    folders: FolderArgs,
    /// Address of a mirror, or a file with a checkpoint or a receipt; may be given many times
    #[arg(long = "checkpoint", value_name = "URL|FILE", required = true)]
    checkpoints: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct BatchArgs {
    #[command(flatten)]
    folders: FolderArgs,
}

#[derive(Debug, clap::Args)]
struct FolderArgs {
    /// Folder that init made
    #[arg(long, value_name = "FOLDER", env = "UNDERSIGNED_DATA_FOLDER")]
    data: PathBuf,
    /// Folder of the guard, if it lies elsewhere
    #[arg(long, value_name = "FOLDER", env = "UNDERSIGNED_GUARD")]
    guard: Option<PathBuf>,
}

impl FolderArgs {
    fn place(&self) -> Place {
        Place { data: self.data.clone(), guard: self.guard.clone() }
    }

    /// The command line that serves these folders.
    fn serve(&self) -> String {
        let guard =
            self.guard.as_deref().map_or(String::new(), |path| format!(" --guard {}", path.display()));
        format!("undersigned serve --data {}{guard}", self.data.display())
    }
}

pub(super) fn run(verb: &Verb, output: Output) -> Result<(), CliError> {
    match verb {
        Verb::Guard(args) => guard(args, output),
        Verb::Batch(args) => batch(args, output),
    }
}

fn guard(args: &GuardArgs, output: Output) -> Result<(), CliError> {
    let shown = args.checkpoints.iter().map(|source| read(source)).collect::<Result<Vec<_>, _>>()?;
    let made = node::restore_guard(&args.folders.place(), &shown)?;
    for (source, size, compared) in &made.seen {
        let note = if *compared { "the tiles here agree" } else { "the tiles here do not reach it yet" };
        output.line(format!("seen    {source}: size {size}, {note}"));
    }
    output.line(format!("guard   size {}, root {}, in {}", made.size, made.root, made.path.display()));
    output.line("");
    output.line(format!(
        "Whoever holds a checkpoint or receipt of more than {} entries contradicts this guard: if you have",
        made.size
    ));
    output.line("not asked everybody who may, do it before you serve.");
    output.line(format!("Next: {}", args.folders.serve()));
    let seen: Vec<_> = made
        .seen
        .iter()
        .map(|(source, size, compared)| json!({"source": source, "size": size, "compared": compared}))
        .collect();
    output.object(&json!({"size": made.size, "root": made.root.to_hex(), "guard": made.path, "seen": seen}));
    Ok(())
}

fn batch(args: &BatchArgs, output: Output) -> Result<(), CliError> {
    let aside = node::set_batch_aside(&args.folders.place(), Arc::new(SystemClock::new()))?;
    for one in &aside {
        output.line(format!("moved   {} to {}", one.from, one.to));
        output.line(format!(
            "        {}",
            one.reason.as_deref().unwrap_or("nothing that is in the log leads to it")
        ));
    }
    if aside.is_empty() {
        output.line("nothing to set aside: every batch is part of the log");
    }
    output.line(format!("Next: {}", args.folders.serve()));
    let list: Vec<_> =
        aside.iter().map(|one| json!({"from": one.from, "to": one.to, "reason": one.reason})).collect();
    output.object(&json!({ "set_aside": list }));
    Ok(())
}

/// Reads a checkpoint from a mirror, or from a file, which may be a receipt with one in it.
fn read(source: &str) -> Result<Shown, CliError> {
    if source.contains("://") {
        let bytes = Client::new(source)?.checkpoint()?;
        return Ok(Shown { source: source.to_owned(), bytes });
    }
    let path = Path::new(source);
    let failed = |error: std::io::Error| CliError::file("read", path, &error);
    let limit = u64::try_from(RECEIPT_BYTES_MAX.max(CHECKPOINT_BYTES_MAX)).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .map_err(failed)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    let bytes = Receipt::parse(&bytes).map_or(bytes, |receipt| receipt.checkpoint.clone());
    Ok(Shown { source: source.to_owned(), bytes })
}

impl From<RepairError> for CliError {
    fn from(error: RepairError) -> Self {
        match error {
            RepairError::Node(_) => Self::local(chain(&error)),
            RepairError::Checkpoint { .. } | RepairError::Fork { .. } => Self::refused(chain(&error)),
        }
    }
}
