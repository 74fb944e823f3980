//! `receipt`: fetches a receipt again.

use std::path::PathBuf;

use serde_json::json;

use super::output::Output;
use super::verify;
use super::{CliError, RegistryArgs};

const EXAMPLE: &str = "Example:
  undersigned receipt 12 --out 12.tlog-proof";

/// Fetch a receipt again, under the newest checkpoint
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Args {
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

pub(super) fn run(args: &Args, output: Output) -> Result<(), CliError> {
    let client = args.registry.client()?;
    let receipt = client.receipt(&args.entry)?;
    let (trust, anchored) = match &args.policy {
        Some(path) => (verify::read_trust(path, None)?, true),
        None => (verify::served_trust(&client, None)?, false),
    };
    let verified = verify::check(&receipt, &trust).map_err(|error| {
        CliError::refused(format!(
            "the registry's receipt does not verify: {error}\nnothing was written; check that the policy is this registry's, and audit the log: undersigned audit"
        ))
    })?;
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
