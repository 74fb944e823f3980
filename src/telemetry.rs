//! What the program says of itself while it runs: structured lines on standard error.
//!
//! One line for each refusal, commit and publish; no bodies, no secrets. What is counted: `meters`; what takes long: `long_step`.

pub mod long_step;
pub mod meters;

use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// How the lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines, one JSON object a line.
    Json,
}

/// Which lines are written: levels by part of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter(String);

impl FromStr for LogFilter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A part without "=" names a level; the filter itself would take any other word for a module.
        let are_levels = text
            .split(',')
            .filter(|part| !part.contains(['=', '[']))
            .all(|part| part.trim().parse::<LevelFilter>().is_ok());
        match EnvFilter::builder().parse(text) {
            Ok(_) if are_levels => Ok(Self(text.to_owned())),
            _ => Err("not a filter; write a level (error, warn, info, debug, trace)".to_owned()),
        }
    }
}

/// Starts the output.
pub fn start(format: LogFormat, filter: &LogFilter) {
    start_with(format, EnvFilter::new(&filter.0));
}

/// For verbs that speak for themselves: nothing below an error, unless `UNDERSIGNED_LOG` says so.
pub fn start_quiet(format: LogFormat) {
    start_with(
        format,
        EnvFilter::try_from_env("UNDERSIGNED_LOG").unwrap_or_else(|_| EnvFilter::new("error")),
    );
}

fn start_with(format: LogFormat, filter: EnvFilter) {
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(is_terminal);
    // A second start in one process (tests, `demo`) keeps the first one.
    let _ = match format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}
