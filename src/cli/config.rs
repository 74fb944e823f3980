//! `config`: what is in force and where it came from, the reference of settings, a file to begin with.

use std::path::PathBuf;

use super::CliError;
use super::output::Output;
use crate::settings::{self, Effective, File, Given, SettingsError};
use clap::Subcommand;

const CHECK_EXAMPLE: &str = "Example:
  undersigned config check --config /etc/undersigned/registry.toml

It takes the flags and the environment of serve, so that a whole command line can be checked before it is \
started or reloaded. Exit code 4: the file cannot be used; the message names the line.";

const EXAMPLE_EXAMPLE: &str = "Example:
  undersigned config example > registry.toml";

const REFERENCE_EXAMPLE: &str = "Example:
  undersigned config reference | less";

const GROUP_EXAMPLE: &str = "Examples:
  undersigned config example > registry.toml
  undersigned config check --config registry.toml";

/// Check a configuration, read about settings
#[derive(Debug, Subcommand)]
#[command(after_help = GROUP_EXAMPLE)]
pub(super) enum Verb {
    /// Say which settings are in force, and where each came from
    #[command(after_help = CHECK_EXAMPLE)]
    Check(Configuration),
    /// Print a configuration file with every setting at its default
    #[command(after_help = EXAMPLE_EXAMPLE)]
    Example,
    /// Print the reference of all settings, in Markdown
    #[command(after_help = REFERENCE_EXAMPLE)]
    Reference,
}

/// The settings of `serve`, from wherever they come.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Configuration {
    /// File with settings, for what neither a flag nor the environment sets
    #[arg(long, value_name = "FILE", env = "UNDERSIGNED_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    given: Given,
}

impl Configuration {
    /// Reads the file, if one is named, and says what is in force.
    pub(super) fn read(&self) -> Result<Effective, SettingsError> {
        let file = self.config.as_deref().map(File::read).transpose()?;
        self.given.with(file.as_ref())
    }
}

impl From<SettingsError> for CliError {
    fn from(error: SettingsError) -> Self {
        Self::local(error.to_string())
    }
}

pub(super) fn run(verb: &Verb, output: Output) -> Result<(), CliError> {
    match verb {
        Verb::Check(configuration) => check(configuration, output),
        Verb::Example => {
            output.raw(settings::example().as_bytes());
            Ok(())
        }
        Verb::Reference => {
            output.raw(settings::reference().as_bytes());
            Ok(())
        }
    }
}

fn check(configuration: &Configuration, output: Output) -> Result<(), CliError> {
    let effective = configuration.read()?;
    let rows = effective
        .values
        .iter()
        .map(|value| (value.full_name(), value.text.clone(), value.origin.to_string()));
    let rows: Vec<_> = rows.collect();
    let widest = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(0);
    let name_width = widest(&mut rows.iter().map(|(name, ..)| name.chars().count()));
    let text_width =
        widest(&mut rows.iter().map(|(_, text, _)| text.as_deref().unwrap_or("-").chars().count()));
    for (name, text, origin) in &rows {
        let text = text.as_deref().unwrap_or("-");
        output.line(format!("{name:name_width$}  {text:text_width$}  {origin}"));
    }
    output.object(&effective.to_json());
    Ok(())
}
