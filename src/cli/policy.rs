//! `policy`: fetches the trust anchor, and prints what to compare by another way.

use std::path::PathBuf;

use serde_json::json;
use undersigned_registry::verify::Trust;
use undersigned_tlog::hash::sha256;

use super::output::Output;
use super::{CliError, RegistryArgs};

const EXAMPLE: &str = "Example:
  undersigned policy --out registry.policy

Then compare the fingerprint with one that reached you by another way: the operator's site, a letter,
a telephone call. From then on nothing that the registry says needs to be believed.";

/// Fetch the trust anchor of a registry
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Args {
    #[command(flatten)]
    registry: RegistryArgs,
    /// File to write it to
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &Args, output: Output) -> Result<(), CliError> {
    let policy = args.registry.client()?.policy()?;
    let trust = Trust::parse(&policy, None).map_err(|error| {
        CliError::refused(format!(
            "the registry's policy cannot be used: {error}\ncheck that the address is the registry's"
        ))
    })?;
    let registry = trust.registry().map(undersigned_registry::id::RegistryId::to_text);
    let fingerprint = fingerprint(&policy);
    match &args.out {
        Some(path) => {
            keep_anchor(path, &policy)?;
            output.line(format!("policy       {}", path.display()));
        }
        None => output.line(policy.trim_end()),
    }
    output.line(format!("registry     {}", registry.as_deref().unwrap_or("(not named)")));
    output.line(format!("fingerprint  {fingerprint}"));
    output.line("Compare the fingerprint by another way before you rely on it.");
    output.object(&json!({"policy": policy, "registry": registry, "fingerprint": fingerprint}));
    Ok(())
}

/// Writes the anchor to a new file; one that is there is never replaced by another.
fn keep_anchor(path: &std::path::Path, policy: &str) -> Result<(), CliError> {
    match std::fs::read_to_string(path) {
        Ok(kept) if kept == policy => Ok(()),
        Ok(kept) => Err(CliError::refused(format!(
            "{} holds another trust anchor (fingerprint {}), and it was left as it is\n\
             the registry at this address now says {}: find out by another way which is right, or name another file",
            path.display(),
            fingerprint(&kept),
            fingerprint(policy),
        ))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            std::fs::write(path, policy).map_err(|error| CliError::file("write", path, &error))
        }
        Err(error) => Err(CliError::file("read", path, &error)),
    }
}

/// The SHA-256 of the policy file, in groups that can be read out.
pub(super) fn fingerprint(policy: &str) -> String {
    let hex = sha256(&[policy.as_bytes()]).to_hex();
    hex.as_bytes().chunks(8).map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ")
}
