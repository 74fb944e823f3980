//! How soon a server answers after a start: after SIGKILL, and after an end in order.
//!
//! Timed from the moment before the process is made until the first receipt and the first proof of the state have
//! come over HTTP. The log is as large as the rows left it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::super::CliError;
use super::super::output::Output;
use super::RECEIPT;
use super::load::{self, Load};
use super::population::Population;
use super::server::Server;

/// How long the first receipt may take.
const RECEIPT_TIME_MAX: Duration = Duration::from_secs(600);

/// One start.
#[derive(Debug, Serialize)]
pub(super) struct Start {
    pub(super) receipt_seconds: f64,
    pub(super) proof_seconds: f64,
    /// Entries behind the newest snapshot of the state.
    pub(super) replayed_entries: u64,
    /// The most memory that the process had resident until the proof.
    pub(super) rss_bytes_max: u64,
}

/// Both of them.
#[derive(Debug, Serialize)]
pub(super) struct Starts {
    pub(super) after_kill: Start,
    pub(super) after_end: Start,
    /// From SIGTERM until the process was gone, with a snapshot written.
    pub(super) end_seconds: f64,
}

/// Kills the server, starts it, ends it in order, starts it again, and ends it; `row` is the first of two of which no
/// request was sent.
pub(super) fn measure(
    server: Server,
    program: Option<&Path>,
    population: &mut Population,
    row: usize,
    output: Output,
) -> Result<Starts, CliError> {
    drop(server);
    let (server, after_kill) = start(program, population, row, output)?;
    let begun = Instant::now();
    server.stop()?;
    let end_seconds = begun.elapsed().as_secs_f64();
    let (server, after_end) = start(program, population, row.saturating_add(1), output)?;
    server.stop()?;
    Ok(Starts { after_kill, after_end, end_seconds })
}

fn start(
    program: Option<&Path>,
    population: &mut Population,
    row: usize,
    output: Output,
) -> Result<(Server, Start), CliError> {
    let replayed_entries = population.entries().saturating_sub(snapshot_size(&population.place().data));
    let nowhere = ([127, 0, 0, 1], 0).into();
    let requests = Arc::new(population.requests(row, 1, nowhere, output)?);
    let load = Load {
        clients: 1,
        time: RECEIPT_TIME_MAX,
        pause: Duration::ZERO,
        in_turns: false,
        wanted: RECEIPT,
        stop: Arc::default(),
    };
    let begun = Instant::now();
    let server = Server::start(population.place(), program)?;
    let run = load::run(server.address(), &requests, &load)?;
    let receipt_seconds = begun.elapsed().as_secs_f64();
    if run.answers() != 1 {
        return Err(CliError::refused(
            "the server did not answer its first submission with a receipt\nthe figures count for nothing",
        ));
    }
    population.count_endorsed(1);
    let version = population.versions().first().copied();
    let version = version.ok_or_else(|| CliError::fault("there is no version to count"))?;
    load::read_once(server.address(), &format!("/v1/proof/state?question=count&version={version}"))?;
    let proof_seconds = begun.elapsed().as_secs_f64();
    let rss_bytes_max = server.rss_bytes_max()?;
    Ok((server, Start { receipt_seconds, proof_seconds, replayed_entries, rss_bytes_max }))
}

/// How many entries the newest snapshot has; none where there is none.
fn snapshot_size(data: &Path) -> u64 {
    let newest = std::fs::read_to_string(data.join("private/snapshot/newest")).unwrap_or_default();
    newest
        .lines()
        .next()
        .and_then(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .and_then(|said| said.get("size")?.as_u64())
        .unwrap_or(0)
}
