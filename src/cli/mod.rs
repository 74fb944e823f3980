//! The command line: one file for each verb, over the Rust client and the rooms of a node.
//!
//! Options are parsed here into what a verb needs; verbs do the work and print. What is written for
//! people goes to standard output; errors, with a line that says what to do next, to standard error.

mod audit;
mod bench;
mod config;
mod demo;
mod endorse;
mod error;
mod export;
mod files;
mod foreign;
mod in_line;
mod indexing;
mod init;
mod key;
mod list;
mod manual;
mod mirror;
mod naming;
mod output;
mod party;
mod policy;
mod progress;
mod prove;
mod receipt;
mod repair;
mod replay;
mod serve;
mod show;
mod signing;
mod statement;
mod table;
mod verify;
mod words;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use error::CliError;
use output::Output;

/// The registry that verbs talk to unless told otherwise.
pub const REGISTRY_DEFAULT: &str = "http://127.0.0.1:6962";

const NOTES: &str = "Examples:
  undersigned demo
  undersigned endorse our-pledge --key ~/.ssh/id_ed25519

Each command has an example of its own: undersigned endorse --help

Exit codes:
  0  done, and every check held
  1  refused, or a check did not hold
  2  the command line is wrong
  3  the registry cannot be reached or is busy: try again
  4  a file or folder of this machine is in the way";

/// A verifiable registry of signatories.
#[derive(Debug, Parser)]
#[command(name = "undersigned", version, about, max_term_width = 100, after_help = NOTES)]
struct Cli {
    /// Print one JSON object instead of text
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Demo(demo::Args),
    Init(init::Args),
    Serve(serve::Args),
    Mirror(mirror::Args),
    #[command(subcommand)]
    Config(config::Verb),
    #[command(subcommand)]
    Key(key::Verb),
    #[command(subcommand)]
    Party(party::Verb),
    #[command(subcommand)]
    Statement(statement::Verb),
    Endorse(endorse::EndorseArgs),
    Withdraw(endorse::WithdrawArgs),
    Prepare(foreign::PrepareArgs),
    Submit(foreign::SubmitArgs),
    Receipt(receipt::Args),
    #[command(subcommand)]
    Prove(prove::Verb),
    #[command(subcommand)]
    Repair(repair::Verb),
    Replay(replay::Args),
    Policy(policy::Args),
    Verify(verify::Args),
    Audit(audit::Args),
    Bench(bench::Args),
    #[command(subcommand)]
    Export(export::Verb),
    #[command(subcommand)]
    Show(show::Show),
    #[command(subcommand)]
    List(list::List),
    Completions(manual::CompletionsArgs),
    Man(manual::ManArgs),
}

/// Which registry to talk to.
#[derive(Debug, Clone, clap::Args)]
struct RegistryArgs {
    /// Address of the registry
    #[arg(long, value_name = "URL", env = "UNDERSIGNED_REGISTRY", default_value = REGISTRY_DEFAULT)]
    registry: String,
}

impl RegistryArgs {
    fn client(&self) -> Result<undersigned_client::Client, CliError> {
        Ok(undersigned_client::Client::new(&self.registry)?)
    }
}

/// Runs the program over the process's arguments.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new(cli.json);
    let done = match cli.verb {
        Verb::Demo(args) => demo::run(&args, output),
        Verb::Init(args) => init::run(&args, output),
        Verb::Serve(args) => serve::run(&args, output),
        Verb::Mirror(args) => mirror::run(&args, output),
        Verb::Config(verb) => config::run(&verb, output),
        Verb::Key(verb) => key::run(&verb, output),
        Verb::Party(verb) => party::run(&verb, output),
        Verb::Statement(verb) => statement::run(&verb, output),
        Verb::Endorse(args) => endorse::endorse(&args, output),
        Verb::Withdraw(args) => endorse::withdraw(&args, output),
        Verb::Prepare(args) => foreign::prepare(&args, output),
        Verb::Submit(args) => foreign::submit(&args, output),
        Verb::Repair(verb) => repair::run(&verb, output),
        Verb::Replay(args) => replay::run(&args, output),
        Verb::Receipt(args) => receipt::run(&args, output),
        Verb::Prove(verb) => prove::run(&verb, output),
        Verb::Policy(args) => policy::run(&args, output),
        Verb::Verify(args) => verify::run(&args, output),
        Verb::Audit(args) => audit::run(&args, output),
        Verb::Bench(args) => bench::run(&args, output),
        Verb::Export(verb) => export::run(&verb, output),
        Verb::Show(verb) => show::show(&verb, output),
        Verb::List(verb) => list::list(&verb, output),
        Verb::Completions(args) => {
            manual::completions(&args, output);
            Ok(())
        }
        Verb::Man(args) => manual::man(&args, output),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => output.fail(&error),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    #[test]
    fn every_verb_is_well_defined_and_has_an_example() {
        let mut command = Cli::command().disable_help_subcommand(true);
        command.build();
        command.clone().debug_assert();
        let mut waiting = vec![command];
        let mut verbs = 0;
        while let Some(verb) = waiting.pop() {
            let name = verb.get_display_name().unwrap_or_default().to_owned();
            waiting.extend(verb.get_subcommands().cloned());
            verbs += usize::from(verb.get_subcommands().next().is_none());
            let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            let begins = help.starts_with("Example:\n  ") || help.starts_with("Examples:\n  ");
            assert!(begins, "{name} has no example");
            assert!(help.contains("undersigned"), "{name}: {help}");
            // Sentences are broken by the terminal alone, and commands fit the narrowest that is usual.
            let lines: Vec<&str> = help.lines().collect();
            assert!(lines.iter().all(|line| !line.starts_with(' ') || line.len() < 80), "{name}: {help}");
            let is_sentence = |line: &str| !line.is_empty() && !line.starts_with(' ') && !line.ends_with(':');
            let broken = lines.windows(2).find(|pair| pair.iter().all(|line| is_sentence(line)));
            assert_eq!(broken, None, "{name}");
            assert!(verb.get_about().is_some(), "{name} does not say what it is for");
        }
        assert!(verbs >= 25, "{verbs} verbs were found");
    }
}
