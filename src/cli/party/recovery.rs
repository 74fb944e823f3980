//! The recovery key that an organisation enters with, and what its people are told about it.

use std::path::{Path, PathBuf};

use super::super::CliError;
use super::super::output::Output;
use super::super::signing::UnlockArgs;
use crate::keyring::PartyKey;

/// A recovery key in its file.
pub(super) struct Recovery {
    pub(super) key: PartyKey,
    pub(super) path: PathBuf,
}

/// Reads the recovery key, or makes it where its file is not there. One that an attempt left behind, which
/// the registry then refused, serves again.
pub(super) fn ready(named: Option<&Path>, key: &Path, unlock: &UnlockArgs) -> Result<Recovery, CliError> {
    let path = named.map_or_else(|| beside(key), Path::to_owned);
    // Made without a passphrase: it lies where only the right people get, and perhaps for years.
    let key = if path.exists() {
        unlock.read(&path)?
    } else {
        let key = PartyKey::generate("recovery")?;
        key.write_new(&path, None)?;
        key
    };
    Ok(Recovery { key, path })
}

fn beside(key: &Path) -> PathBuf {
    let name = key.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    key.with_file_name(format!("{name}-recovery"))
}

impl Recovery {
    /// What it is for, and what to do with it now.
    pub(super) fn explain(&self, output: Output) {
        let path = self.path.display();
        output.line("");
        output.line(format!("recovery key  {path}"));
        output.line(
            "  Its use: if your other keys are lost or stolen, it alone can end them and add new ones:",
        );
        output
            .line(format!("    undersigned party keys --key {path} --add admin=NEW-KEY --revoke OLD-KEY-ID"));
        output.line(
            "  Move it off this machine now: onto a medium or paper that lies in a safe, at another place.",
        );
        output.line("  Whoever has it can take the organisation over; nobody can make it again, the registry neither.");
    }
}
