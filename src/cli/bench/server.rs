//! The server of a benchmark: this same program or a named one, in a process of its own, on loopback.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::super::CliError;
use crate::node::Place;

/// A running server; ended when dropped.
pub(super) struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// Starts it on a free port and waits until it serves.
    pub(super) fn start(place: &Place, named: Option<&Path>) -> Result<Self, CliError> {
        let failed = |error: std::io::Error| CliError::fault(format!("cannot start the server: {error}"));
        let program = match named {
            Some(program) => program.to_owned(),
            None => std::env::current_exe().map_err(failed)?,
        };
        let mut command = Command::new(&program);
        command.args(["--json", "serve", "--listen", "127.0.0.1:0", "--data"]).arg(&place.data);
        // All of the load comes from one address.
        command.args(["--address-writes-per-minute", "0"]);
        command.args(["--address-newcomers-per-hour", "0"]);
        command.args(["--organisation-writes-per-minute", "0"]);
        // Log lines go where an operator's would, into a file.
        let log = std::fs::File::create(place.data.with_extension("log")).map_err(failed)?;
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|error| CliError::file("start the server", &program, &error))?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line).map_err(failed)?;
        }
        let address = serde_json::from_str::<serde_json::Value>(&line)
            .ok()
            .and_then(|said| said.get("url")?.as_str()?.strip_prefix("http://")?.parse().ok());
        match address {
            Some(address) => Ok(Self { child, address }),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                let said = std::fs::read_to_string(place.data.with_extension("log")).unwrap_or_default();
                Err(CliError::local(format!("the server did not start\n{}", said.trim_end())))
            }
        }
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The most memory that the process has had resident.
    pub(super) fn rss_bytes_max(&self) -> Result<u64, CliError> {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(&path)
            .map_err(|error| CliError::file("read", std::path::Path::new(&path), &error))?;
        status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
            .map(|kilobytes| kilobytes.saturating_mul(1024))
            .ok_or_else(|| CliError::fault(format!("{path} does not say how much memory was used")))
    }

    /// The time that all processors have spent for it, in the program and in the kernel.
    pub(super) fn processor_time(&self) -> Result<Duration, CliError> {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = std::fs::read_to_string(&path)
            .map_err(|error| CliError::file("read", std::path::Path::new(&path), &error))?;
        // The program's name, in brackets, may hold anything; of what follows, user and system time are the
        // 12th and 13th (proc_pid_stat(5)).
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks = after_name.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
        let ticks: u64 = ticks
            .sum::<Result<_, _>>()
            .map_err(|_| CliError::fault(format!("{path} does not say how much time was used")))?;
        Ok(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
    }

    /// Ends it in order.
    pub(super) fn stop(mut self) -> Result<(), CliError> {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let status = self.child.wait().map_err(CliError::fault)?;
        if status.success() {
            Ok(())
        } else {
            Err(CliError::refused(format!("the server ended with {status}\nits figures count for nothing")))
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
