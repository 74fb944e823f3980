//! The settings of a registry that is served: one table for flags, environment, file and reference.
//!
//! The table is [`Settings`]: each field is a setting under its name (`listen`), as a flag (`--listen`), in
//! the environment (`UNDERSIGNED_LISTEN`) and in the configuration file (`listen`, below the section that
//! its heading names). What is said of it stands in its doc comment and nowhere else. A flag goes before
//! the environment, that before the file, that before the default.
//!
//! - `file`: the configuration file, read but not believed;
//! - `effective`: what is in force, and where each value came from;
//! - `reference`: the table in words, and as a file to begin with.
//!
//! Not here: what the settings do, and when the file is read again (`cli::serve`).

mod effective;
mod file;
mod reference;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::Resettable;

use crate::limits::Limits;
use crate::read::accept::AcceptLimits;
use crate::telemetry::{LogFilter, LogFormat};

pub use effective::{Change, Effective, Given, Origin, SettingsError, Value};
pub use file::{File, FileError};
pub use reference::{example, reference};

/// What an operator may set.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct Settings {
    /// Folder that init made
    ///
    /// It must be set. A relative path begins where the program is started.
    #[arg(long, visible_alias = "data", value_name = "FOLDER", env = "UNDERSIGNED_DATA_FOLDER")]
    pub data_folder: Option<PathBuf>,
    /// Address to listen on
    ///
    /// Plain HTTP. Behind a proxy that speaks TLS it stays on loopback; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:6962", env = "UNDERSIGNED_LISTEN")]
    pub listen: SocketAddr,
    /// Address of the operator's own listener, with metrics, health and settings
    ///
    /// It has no password: loopback, or a network of machines that are trusted. Unset nothing is counted.
    #[arg(long, value_name = "ADDRESS", env = "UNDERSIGNED_ADMIN_LISTEN")]
    pub admin_listen: Option<SocketAddr>,
    /// Folder of the guard, if init put it elsewhere
    ///
    /// The guard remembers the newest tree that was signed. On storage of its own it notices that the data
    /// folder is an older copy, and the key then signs nothing. Unset it lies in the data folder.
    #[arg(long, value_name = "FOLDER", env = "UNDERSIGNED_GUARD")]
    pub guard: Option<PathBuf>,
    /// How log lines look
    ///
    /// As text for people or as JSON, one object a line. They go to standard error, and never hold
    /// bodies, texts, addresses of clients or keys.
    #[arg(long, value_enum, default_value = "text", env = "UNDERSIGNED_LOG_FORMAT")]
    pub log_format: LogFormat,
    /// Which log lines are written
    ///
    /// A level (error, warn, info, debug, trace), or several for parts of the program: "warn,undersigned::sequencer=debug".
    #[arg(long, value_name = "FILTER", default_value = "info", env = "UNDERSIGNED_LOG")]
    pub log: LogFilter,
    /// The times of connections.
    #[command(flatten, next_help_heading = "Connections")]
    pub connections: Connections,
    /// The limits at the door.
    #[command(flatten, next_help_heading = "Limits")]
    pub limits: Limits,
}

/// The times of connections.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct Connections {
    /// Time for the first byte of a connection
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_time, env = "UNDERSIGNED_FIRST_BYTE_TIMEOUT")]
    pub first_byte_timeout: Duration,
    /// Time for each whole header
    ///
    /// Counted on a kept-alive connection from the answer before it.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_time, env = "UNDERSIGNED_HEADER_TIMEOUT")]
    pub header_timeout: Duration,
    /// Time that a connection may stay open without a request
    ///
    /// It is looked at that often, so a connection ends after one to two of it. A proxy should give up its
    /// idle connections earlier.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_time, env = "UNDERSIGNED_IDLE_TIMEOUT")]
    pub idle_timeout: Duration,
    /// Time in which a client must take some of an answer
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = parse_time, env = "UNDERSIGNED_WRITE_TIMEOUT")]
    pub write_timeout: Duration,
    /// Time from the signal to end until connections are cut
    ///
    /// Less than what the supervisor waits before it kills (systemd: TimeoutStopSec).
    #[arg(long, value_name = "TIME", default_value = "8s", value_parser = parse_time, env = "UNDERSIGNED_DRAIN_TIMEOUT")]
    pub drain_timeout: Duration,
    /// HTTP/2 streams at a time on one connection
    ///
    /// Answers that wait for their peer take 16 MiB of memory at most on one connection, and 512 MiB on all;
    /// beyond that a request is answered 503.
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=1_024), env = "UNDERSIGNED_STREAMS_MAX")]
    pub streams_max: u32,
}

impl Settings {
    /// These, but what needs a restart as it was.
    fn keeping(&self, earlier: &Self) -> Self {
        Self { limits: self.limits.clone(), ..earlier.clone() }
    }
}

impl Connections {
    /// As the accept loop takes them.
    #[must_use]
    pub fn accept_limits(&self) -> AcceptLimits {
        AcceptLimits {
            first_byte_timeout: self.first_byte_timeout,
            header_timeout: self.header_timeout,
            idle_timeout: self.idle_timeout,
            write_timeout: self.write_timeout,
            drain_timeout: self.drain_timeout,
            streams_max: self.streams_max,
            ..AcceptLimits::default()
        }
    }
}

/// The shortest time that can be set: a packet's way around the world and back is shorter.
const TIME_MIN: Duration = Duration::from_millis(500);
/// The longest: who keeps a connection longer has forgotten it.
const TIME_MAX: Duration = Duration::from_secs(3_600);

fn parse_time(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text)
        .map_err(|_| "not a time; write it as 500ms, 10s, 2m or 1m 30s".to_owned())?;
    if (TIME_MIN..=TIME_MAX).contains(&time) {
        Ok(time)
    } else {
        Err(format!(
            "a time here is from {} to {}",
            humantime::format_duration(TIME_MIN),
            humantime::format_duration(TIME_MAX)
        ))
    }
}

/// The parts of the configuration file, with what is said of each; the first has no name.
const SECTIONS: &[(&str, &str)] = &[
    ("", "Where the registry lies and how it is reached."),
    ("connections", "When a connection is ended. Times are written as `500ms`, `10s`, `2m`."),
    (
        "limits",
        "How much one address, one organisation and all together may ask for; in every number 0 is no limit. \
         A rate of N per minute lets N come at once and then one more every N-th part of a minute. \
         An address is an IPv4 address, or the /64 of an IPv6 address.",
    ),
];

/// The settings that are read again on SIGHUP, by section.
const RELOADED_SECTIONS: &[&str] = &["limits"];

/// The section that a setting stands in: the help heading that it has.
fn section_of(setting: &clap::Arg) -> String {
    setting.get_help_heading().map(str::to_lowercase).unwrap_or_default()
}

/// The table: every setting as clap knows it, without the values that the environment has for it.
fn table() -> clap::Command {
    let command = clap::Command::new("settings").no_binary_name(true).disable_help_flag(true);
    <Settings as clap::Args>::augment_args(command).mut_args(|setting| setting.env(Resettable::Reset))
}

#[cfg(test)]
mod tests;
