//! What the program says of itself while it runs: structured lines on standard error.
//!
//! One line for each refusal, commit and publish; no bodies, no secrets.

use tracing_subscriber::EnvFilter;

/// How the lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines, one JSON object a line.
    Json,
}

/// Starts the output; `UNDERSIGNED_LOG` filters it (default `info`).
pub fn start(format: LogFormat) {
    start_at(format, "info");
}

/// As [`start`], with nothing below an error by default: for verbs that speak for themselves.
pub fn start_quiet(format: LogFormat) {
    start_at(format, "error");
}

fn start_at(format: LogFormat, level: &str) {
    let filter = EnvFilter::try_from_env("UNDERSIGNED_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(is_terminal);
    // A second start in one process (tests, `demo`) keeps the first one.
    let _ = match format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}
