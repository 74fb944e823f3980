//! `completions` and `man`: what shells and man(1) read, made from the same definition as `--help`.

use std::path::PathBuf;

use clap::CommandFactory as _;
use clap_complete::Shell;
use serde_json::json;

use super::output::Output;
use super::{Cli, CliError};

const COMPLETIONS_EXAMPLE: &str = "Examples:
  undersigned completions bash \\
      > ~/.local/share/bash-completion/completions/undersigned
  undersigned completions zsh > ~/.zfunc/_undersigned
  undersigned completions fish > ~/.config/fish/completions/undersigned.fish";
const MAN_EXAMPLE: &str = "Examples:
  undersigned man | man -l -
  undersigned man /usr/local/share/man/man1";

/// Print what a shell needs to complete commands and options
#[derive(Debug, clap::Args)]
#[command(after_help = COMPLETIONS_EXAMPLE)]
pub(super) struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Print the manual page, or write one for each command
#[derive(Debug, clap::Args)]
#[command(after_help = MAN_EXAMPLE)]
pub(super) struct ManArgs {
    /// Folder for all pages; pages of an older version are replaced [default: one page, to standard output]
    folder: Option<PathBuf>,
}

pub(super) fn completions(args: &CompletionsArgs, output: Output) {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), NAME, &mut script);
    output.raw(&script);
}

pub(super) fn man(args: &ManArgs, output: Output) -> Result<(), CliError> {
    match &args.folder {
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command())
                .render(&mut page)
                .map_err(|error| CliError::local(format!("the page cannot be made: {error}\nread --help")))?;
            output.raw(&page);
        }
        Some(folder) => {
            clap_mangen::generate_to(Cli::command(), folder)
                .map_err(|error| CliError::file("write manual pages to", folder, &error))?;
            output.line(format!("a page for each command is in {}: man undersigned", folder.display()));
            output.object(&json!({"folder": folder}));
        }
    }
    Ok(())
}

const NAME: &str = "undersigned";
