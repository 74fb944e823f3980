//! `receipt`: fetches a receipt again.

use std::path::PathBuf;

use serde_json::json;

use super::naming::about_entry;
use super::output::Output;
use super::signing::{receipt_exists, write_receipt};
use super::verify;
use super::{CliError, RegistryArgs, files};

const EXAMPLE: &str = "Example:
  undersigned receipt 12 --out 12.tlog-proof";

/// Fetch a receipt again, under the newest checkpoint
///
/// It proves the entry for ever. The state after the entry is in it only while the registry remembers that:
/// of the newest entries, and until it is started again. Keep the receipt that comes with a signature.
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
    /// File to write it to; one that is there is left as it is [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &Args, output: Output) -> Result<(), CliError> {
    let client = args.registry.client()?;
    // Told before anything is fetched.
    if let Some(path) = args.out.as_deref().filter(|path| files::is_taken(path)) {
        return Err(receipt_exists(path, ""));
    }
    let receipt = client.receipt(&args.entry).map_err(about_entry)?;
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
            write_receipt(path, &receipt)?;
            output.line(format!("receipt of entry {} written to {}", verified.index, path.display()));
            let has_state = verified.party_record.is_some();
            if !has_state && verified.party.is_some() {
                output.line("It proves the entry. What the state was after it, with the party's name and the words of the version, is in the receipt that came with the signature; what it is now: undersigned prove status");
            }
            output.object(&json!({"index": verified.index, "receipt": path, "anchored": anchored, "has_state": has_state}));
        }
        None => output.raw(&receipt),
    }
    Ok(())
}
