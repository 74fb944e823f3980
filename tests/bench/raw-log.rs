//! A log of any bytes, for load tools that know tiles and nothing of registries.
//!
//! `raw-log --data FOLDER --listen ADDRESS`: the sequencer, the store, the signer and the read path of the
//! registry under a law that takes whatever comes. `POST /add` answers with the index once the leaf is
//! published. It prints one line of JSON when it listens: `url`, `vkey`, `origin`, `size`. It trusts whoever
//! can reach it: for loopback, and no service.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use mimalloc::MiMalloc;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use undersigned::limits::{Limits, SharedLimits};
use undersigned::read::accept::{self, AcceptLimits};

use raw::{door, folder};

#[path = "raw/mod.rs"]
mod raw;

/// The allocator of the program itself, so that both are measured with the same one.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The origin of a new log.
const ORIGIN_DEFAULT: &str = "raw.example/log";

/// Serve a log of any bytes: POST /add writes, /checkpoint and /tile/ read
///
/// Prints one line of JSON with url, vkey, origin and size when it listens. Ends on SIGINT or SIGTERM.
#[derive(Debug, Parser)]
#[command(name = "raw-log")]
struct Args {
    /// Folder of the log; made here if it is absent or empty
    #[arg(long, value_name = "FOLDER")]
    data: PathBuf,
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Origin of a new log, or a check of the one that is there [default of a new one: raw.example/log]
    #[arg(long)]
    origin: Option<String>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(std::io::stderr).init();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("raw-log: {}", with_causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

/// The causes stand behind the first line; what to do next stands below it.
fn with_causes(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    let (first, advice) = text.split_once('\n').unwrap_or((&text, ""));
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    let first = causes.fold(first.to_owned(), |said, cause| format!("{said}: {cause}"));
    if advice.is_empty() { first } else { format!("{first}\n{advice}") }
}

fn run(args: &Args) -> Result<(), Box<dyn std::error::Error>> {
    let log = folder::start(&args.data, args.origin.as_deref(), ORIGIN_DEFAULT)?;
    let served = tokio::runtime::Runtime::new()?.block_on(serve(args.listen, &log));
    // The runtime is gone: nobody submits any more.
    log.running.stop()?;
    served
}

async fn serve(address: SocketAddr, log: &folder::RawLog) -> Result<(), Box<dyn std::error::Error>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let listener = listen(address)
        .map_err(|error| format!("cannot listen on {address}: {error}\nchoose another one with --listen"))?;
    let size = log.running.published().borrow().head.size.get();
    let said = json!({
        "url": format!("http://{}", listener.local_addr()?),
        "vkey": log.verifier_key,
        "origin": log.origin,
        "size": size,
    });
    println!("{said}");
    let mut stopped = log.running.stopped();
    let shutdown = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = stopped.wait_for(|stopped| *stopped) => tracing::error!("the log stopped"),
        }
    };
    // All of a load comes from one address.
    let shared = Arc::new(SharedLimits::new(Limits::without_rates()));
    let limits = AcceptLimits { shared, ..AcceptLimits::default() };
    accept::serve(listener, door::app(&log.running), limits, shutdown).await?;
    Ok(())
}

/// A listener before which as many connections may wait as a load opens at once.
fn listen(address: SocketAddr) -> std::io::Result<tokio::net::TcpListener> {
    /// Connections that the kernel holds until they are accepted.
    const BACKLOG: u32 = 1_024;
    let socket = match address {
        SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4(),
        SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6(),
    }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
