//! `init`: makes a registry in a folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use undersigned_registry::event::{Admission, is_language};

use super::CliError;
use super::naming::check_domain;
use super::output::Output;
use crate::clock::SystemClock;
use crate::node::{self, Birth, Place};

const EXAMPLE: &str = "Example:
  undersigned init --data /srv/registry --origin registry.example.org/log1 \\
      --operator \"Example Foundation\"

Run again after a crash it finishes what was begun; it never overwrites.";

/// Make a new registry in a folder
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Args {
    /// Folder for the registry's data; made if its parent exists
    #[arg(long, value_name = "FOLDER")]
    data: PathBuf,
    /// Origin of the log: its address without scheme. It can never change
    #[arg(long)]
    origin: String,
    /// Folder for the guard, on other storage than the data
    #[arg(long, value_name = "FOLDER")]
    guard: Option<PathBuf>,
    /// Name of the organisation that operates the registry [default: the origin]
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
    /// Language of that name
    #[arg(long, default_value = "en")]
    language: String,
    /// Domain of the operator
    #[arg(long, value_name = "DOMAIN")]
    operator_domain: Option<String>,
    /// Who may enter: anybody, or only whom the operator invites
    #[arg(long, value_parser = ["open", "invited"], default_value = "open")]
    admission: String,
}

pub(super) fn run(args: &Args, output: Output) -> Result<(), CliError> {
    if !is_language(&args.language) {
        return Err(CliError::refused(format!(
            "{:?} is no language tag\nuse one such as en, pl or zh-Hant",
            args.language
        )));
    }
    args.operator_domain.as_deref().map_or(Ok(()), check_domain)?;
    [Some(&args.data), args.guard.as_ref()].into_iter().flatten().try_for_each(|folder| beside(folder))?;
    let place = Place { data: args.data.clone(), guard: args.guard.clone() };
    let birth = Birth {
        origin: args.origin.clone(),
        operator: args.operator.clone().unwrap_or_else(|| args.origin.clone()),
        language: args.language.clone(),
        domain: args.operator_domain.clone(),
        admission: Admission::from_name(&args.admission).unwrap_or(Admission::Open),
    };
    let born = node::init(&place, &birth, Arc::new(SystemClock::new()))?;
    let policy = args.data.join("registry.policy");
    std::fs::write(&policy, &born.policy).map_err(|error| CliError::file("write", &policy, &error))?;
    output.line(format!("registry     {}", born.registry));
    output.line(format!("log key      {}", born.log_key));
    output.line(format!("admin key    {}", born.admin_key.display()));
    output.line(format!("recovery key {}", born.recovery_key.display()));
    output.line(format!("trust anchor {}", policy.display()));
    output.line("");
    output.line("The origin can never change. Move the recovery key off this machine and put it away.");
    output.line(
        "Give the trust anchor to everybody who checks receipts, and publish its fingerprint elsewhere:",
    );
    output.line(format!("  {}", super::policy::fingerprint(&born.policy)));
    output.line("");
    output.line(format!("Next: undersigned serve --data {}", args.data.display()));
    output.object(&json!({
        "registry": born.registry.to_text(),
        "log_key": born.log_key,
        "policy": born.policy,
        "policy_file": policy,
        "fingerprint": super::policy::fingerprint(&born.policy),
        "admin_key": born.admin_key,
        "recovery_key": born.recovery_key,
    }));
    Ok(())
}

/// A folder is made where it is named, but no tree of folders: that would hide a slip of the pen, or a volume
/// that is not mounted.
fn beside(folder: &Path) -> Result<(), CliError> {
    match folder.parent().filter(|parent| !parent.as_os_str().is_empty() && !parent.exists()) {
        Some(parent) => Err(CliError::local(format!(
            "{} cannot be made: there is no folder {1}\ncheck the path, or make that folder first: mkdir -p {1}",
            folder.display(),
            parent.display()
        ))),
        None => Ok(()),
    }
}
