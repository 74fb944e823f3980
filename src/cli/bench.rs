//! `bench`: how fast this machine signs, decides, proves and answers, with what is measured said beside it.
//!
//! The server is this same program (or a named one) in a process of its own, the generator shares its
//! cores, and every request was signed before its row begins. Set-up is not timed. A figure is worth
//! comparing only with another of the same run or the same quiet machine, which is why the rate of bare
//! signature checks, the floor under everything, stands first.

mod crypto;
mod indexing;
mod load;
mod offline;
mod population;
mod proved;
mod reads;
mod say;
mod server;
mod starting;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::CliError;
use super::output::Output;
use crate::telemetry::{self, LogFormat};
use load::{Figures, Load, LoadError};
use population::{Population, Wanted};
use reads::Proofs;
use server::Server;
use starting::Starts;

const EXAMPLE: &str = "Example:
  undersigned bench
  undersigned bench --json --clients 1,64 --seconds 5 \\
      --parties 20000 --endorsed 2000
  undersigned bench --server ./undersigned-before

Needs a quiet machine to mean anything. Writes some hundred MB into a temporary folder and removes it.";

/// How many requests a client of a row can send in a second at most, for the size of its pool: a durable
/// answer takes a file system more than 0.5 ms.
const REQUESTS_PER_CLIENT_SECOND_MAX: usize = 2_000;

/// The status of an answer that is a receipt of a new entry.
const RECEIPT: u16 = 201;

/// Measure receipts, proofs, audits and sizes on this machine, beside its signature checks
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Args {
    /// Clients of each row, one row after another
    #[arg(long, value_delimiter = ',', default_value = "1,64,1024", value_name = "N,N")]
    clients: Vec<usize>,
    /// Seconds of each row
    #[arg(long, default_value_t = 20, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Organisations in the registry, each with a key of its own; a row has at most as many requests
    #[arg(long, default_value_t = 400_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    parties: u64,
    /// Endorsements that stand already when the first row begins
    #[arg(long, default_value_t = 100_000, value_name = "N")]
    endorsed: u64,
    /// Different names among the organisations, which each blob is stored for [default: each has its own]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    names: Option<u64>,
    /// Empty folder for the registry, removed at the end [default: one among the temporary files]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Another undersigned program to serve with, to compare two of them [default: this one]
    #[arg(long, value_name = "FILE")]
    server: Option<PathBuf>,
}

/// One row of the load: so many clients, each sending its next request when it has the last answer.
#[derive(Debug, Serialize)]
struct Row {
    /// Answers that count are receipts.
    #[serde(flatten)]
    figures: Figures,
    /// The time of processors that the server's process took for a receipt, in microseconds: unlike the rate, it
    /// does not change with what else the machine does.
    server_processor_us: f64,
    /// Receipts that were checked offline after the row; one that fails ends the run.
    verified: usize,
}

/// What is printed, and with `--json` the whole of it.
#[derive(Debug, Serialize)]
struct Report {
    verify_strict_per_second_one_core: f64,
    receipts: Vec<Row>,
    receipt_bytes_mean: u64,
    /// Of the server's process, at its highest.
    rss_bytes_max: u64,
    /// Records in the state tree when the server ends.
    state_records: u64,
    /// Entries that the index did not cover when the last row ended.
    index_lag_entries_end: u64,
    /// From there until it covered all.
    index_drain_seconds: f64,
    stored_bytes_per_entry: u64,
    proofs_per_second: Proofs,
    /// On one core.
    receipt_verifications_per_second: f64,
    audit_entries_per_second: f64,
    index_rebuild_entries_per_second: f64,
    /// Keys and values a second; `index_inserts_per_entry` of `setup` go to an entry.
    sled_raw_inserts_per_second: f64,
    tile_reads_per_second: f64,
    starts: Starts,
    setup: Setup,
    machine: Machine,
}

/// What the rows stand on.
#[derive(Debug, Serialize)]
struct Setup {
    parties: u64,
    endorsed: u64,
    entries: u64,
    seconds: f64,
    index_inserts_per_entry: f64,
}

#[derive(Debug, Serialize)]
struct Machine {
    cores: usize,
    processor: String,
    kernel: String,
}

pub(super) fn run(args: &Args, output: Output) -> Result<(), CliError> {
    telemetry::start_quiet(LogFormat::Text);
    if args.endorsed > args.parties {
        return Err(CliError::local(format!(
            "{} endorsements need as many organisations, and there are {}\nraise --parties or lower --endorsed",
            args.endorsed, args.parties
        )));
    }
    let folder = Folder::make(args.data.clone())?;
    let verify_strict = crypto::strict_checks_per_second();
    output.line(format!("signature checks   {verify_strict:>10.0}/s on one core (Ed25519, strict)"));

    let begun = Instant::now();
    // The last two are for the first receipt after each start.
    let rows = args.clients.len().saturating_add(2);
    let names = args.names.unwrap_or(u64::MAX);
    let wanted = Wanted { parties: args.parties, endorsed: args.endorsed, names, rows };
    let mut population = Population::make(&folder.path, &wanted, output)?;
    let mut setup = Setup {
        parties: args.parties,
        endorsed: args.endorsed,
        entries: population.entries(),
        seconds: begun.elapsed().as_secs_f64(),
        index_inserts_per_entry: 0.0,
    };
    output.line(format!(
        "set up             {} organisations, {} entries in {:.1} s (not part of any figure)",
        setup.parties, setup.entries, setup.seconds
    ));

    let server = Server::start(population.place(), args.server.as_deref())?;
    output.line("                    clients  receipts/s    p50 ms    p99 ms  refused  errors  server us");
    let mut receipts = Vec::with_capacity(args.clients.len());
    let (mut answered, mut bytes) = (0u64, 0u64);
    let mut samples = Vec::new();
    for (row, clients) in args.clients.iter().copied().enumerate() {
        let seconds = usize::try_from(args.seconds).unwrap_or(usize::MAX);
        let pool = clients.saturating_mul(seconds).saturating_mul(REQUESTS_PER_CLIENT_SECOND_MAX);
        let requests = Arc::new(population.requests(row, pool, server.address(), output)?);
        let load = Load {
            clients,
            time: Duration::from_secs(args.seconds),
            pause: Duration::ZERO,
            in_turns: false,
            wanted: RECEIPT,
            stop: Arc::default(),
        };
        let before = server.processor_time()?;
        let run = load::run(server.address(), &requests, &load)?;
        let (figures, count) = (run.figures(clients), run.answers());
        let spent = server.processor_time()?.saturating_sub(before);
        let server_processor_us = spent.as_secs_f64() * 1e6 / count.max(1) as f64;
        bytes += run.bytes;
        let kept: Vec<Vec<u8>> = run.samples.into_iter().map(|(_, receipt)| receipt).collect();
        let verified = population.verify(&kept)?;
        output.line(format!(
            "receipts           {:>8}  {:>10.0}  {:>8.2}  {:>8.2}  {:>7}  {:>6}  {:>9.0}",
            figures.clients,
            figures.per_second,
            figures.p50_ms,
            figures.p99_ms,
            figures.refused,
            figures.errors,
            server_processor_us
        ));
        answered += count;
        population.count_endorsed(count);
        receipts.push(Row { figures, server_processor_us, verified });
        samples.extend(kept);
    }
    let row_time = Duration::from_secs(args.seconds);
    let drain = indexing::drain(server.address())?;
    let read = reads::measure(server.address(), &population, drain.size, reads::READ_TIME.min(row_time))?;
    let rss_bytes_max = server.rss_bytes_max()?;
    let program = args.server.as_deref();
    let starts = starting::measure(server, program, &mut population, args.clients.len(), output)?;
    let entries = population.entries();
    let stored_bytes = folder.stored_bytes()?;
    let verify_time = offline::VERIFY_TIME.min(row_time);
    let verifications = offline::receipts_per_second(&samples, population.trust(), verify_time)?;
    let audit_entries_per_second = offline::audit(&population.place().data, population.trust())?;
    let rebuilt = indexing::rebuild(population.place(), drain.size, &folder.path.join("raw"))?;
    setup.index_inserts_per_entry = rebuilt.inserts_per_entry;
    let report = Report {
        verify_strict_per_second_one_core: verify_strict,
        receipts,
        receipt_bytes_mean: bytes.checked_div(answered).unwrap_or(0),
        rss_bytes_max,
        state_records: population.state_records(),
        index_lag_entries_end: drain.lag_entries,
        index_drain_seconds: drain.seconds,
        stored_bytes_per_entry: stored_bytes.checked_div(entries).unwrap_or(0),
        proofs_per_second: read.proofs,
        receipt_verifications_per_second: verifications,
        audit_entries_per_second,
        index_rebuild_entries_per_second: rebuilt.entries_per_second,
        sled_raw_inserts_per_second: rebuilt.raw_inserts_per_second,
        tile_reads_per_second: read.tiles,
        starts,
        setup,
        machine: machine(),
    };
    say::say(&report, output);
    output.object(&serde_json::to_value(&report).map_err(CliError::fault)?);
    Ok(())
}

impl From<LoadError> for CliError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Failed(_) => Self::fault(error),
            LoadError::Unread(_) => Self::refused(error.to_string()),
        }
    }
}

/// The folder of the run, removed when it is over.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn make(named: Option<PathBuf>) -> Result<Self, CliError> {
        super::demo::empty_folder(named.as_deref(), "bench").map(|path| Self { path })
    }

    /// The bytes of all files, as the file system counts their blocks.
    fn stored_bytes(&self) -> Result<u64, CliError> {
        use std::os::unix::fs::MetadataExt as _;
        let failed = |path: &std::path::Path, error| CliError::file("read", path, &error);
        let mut bytes = 0u64;
        let mut folders = vec![self.path.clone()];
        while let Some(folder) = folders.pop() {
            for item in std::fs::read_dir(&folder).map_err(|error| failed(&folder, error))? {
                let path = item.map_err(|error| failed(&folder, error))?.path();
                let about = std::fs::symlink_metadata(&path).map_err(|error| failed(&path, error))?;
                if about.is_dir() {
                    folders.push(path);
                } else {
                    bytes = bytes.saturating_add(about.blocks().saturating_mul(512));
                }
            }
        }
        Ok(bytes)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is left for the owner of the temporary folder.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

fn machine() -> Machine {
    let first_line = |path: &str, wanted: &str| {
        std::fs::read_to_string(path)
            .ok()
            .and_then(|text| text.lines().find(|line| line.starts_with(wanted)).map(str::to_owned))
            .unwrap_or_default()
    };
    let processor = first_line("/proc/cpuinfo", "model name");
    Machine {
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        processor: processor.split_once(':').map_or("", |(_, name)| name.trim()).to_owned(),
        kernel: first_line("/proc/version", "Linux").split_whitespace().take(3).collect::<Vec<_>>().join(" "),
    }
}
