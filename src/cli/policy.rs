//! `policy`: fetches the trust anchor, or reads one from a file, and prints what to compare by another way.

use std::path::{Path, PathBuf};

use serde_json::json;
use undersigned_registry::verify::Trust;
use undersigned_tlog::hash::sha256;

use super::output::Output;
use super::verify;
use super::{CliError, RegistryArgs};

const EXAMPLE: &str = "Examples:
  undersigned policy --out registry.policy
  undersigned policy --file registry.policy      (asks nobody)

Then compare the fingerprint with one that reached you by another way: the operator's site, a letter, \
a telephone call. From then on nothing that the registry says needs to be believed. The fingerprint is the SHA-256 of the file: sha256sum registry.policy prints the same digits.";

/// Fetch the trust anchor of a registry, or look at one in a file
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Args {
    #[command(flatten)]
    registry: RegistryArgs,
    /// File to write it to; one that holds another anchor is left as it is
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Ask no registry: say the fingerprint of an anchor that is in this file
    #[arg(long, value_name = "FILE", conflicts_with = "out")]
    file: Option<PathBuf>,
}

pub(super) fn run(args: &Args, output: Output) -> Result<(), CliError> {
    if let Some(path) = &args.file {
        return of_file(path, output);
    }
    let policy = args.registry.client()?.policy()?;
    let trust = Trust::parse(&policy, None).map_err(|error| {
        CliError::refused(format!(
            "the registry's policy cannot be used: {error}\ncheck that the address is the registry's"
        ))
    })?;
    match &args.out {
        Some(path) => {
            keep_anchor(path, &policy)?;
            output.line(format!("policy       {}", path.display()));
        }
        None => output.line(policy.trim_end()),
    }
    say(&policy, &trust, output);
    Ok(())
}

/// What a file holds that came by mail or on a stick, with the network off.
fn of_file(path: &Path, output: Output) -> Result<(), CliError> {
    let trust = verify::read_trust(path, None)?;
    let policy = std::fs::read_to_string(path).map_err(|error| CliError::file("read", path, &error))?;
    output.line(format!("policy       {}", path.display()));
    say(&policy, &trust, output);
    Ok(())
}

fn say(policy: &str, trust: &Trust, output: Output) {
    let registry = trust.registry().map(undersigned_registry::id::RegistryId::to_text);
    let fingerprint = fingerprint(policy);
    output.line(format!("registry     {}", registry.as_deref().unwrap_or("(not named)")));
    output.line(format!("fingerprint  {fingerprint}"));
    output.line(
        "Compare the fingerprint with the one that the operator publishes elsewhere: on its site, in print,",
    );
    output.line("by telephone. If they are the same, give the file to every command with --policy.");
    output.object(&json!({"policy": policy, "registry": registry, "fingerprint": fingerprint}));
}

/// Writes the anchor to a new file; one that is there is never replaced by another.
fn keep_anchor(path: &Path, policy: &str) -> Result<(), CliError> {
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
