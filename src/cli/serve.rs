//! `serve`: serves a registry from its folder.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::CliError;
use super::config::Configuration;
use super::error::chain;
use super::limits::LimitArgs;
use super::output::Output;
use crate::clock::SystemClock;
use crate::http;
use crate::limits::SharedLimits;
use crate::node::{Node, Place};
use crate::read::accept::{self, AcceptLimits};
use crate::settings::{Effective, Settings};
use crate::telemetry;

const EXAMPLE: &str = "Example:
  undersigned serve --data /srv/registry --listen 127.0.0.1:6962
  undersigned serve --config /etc/undersigned/registry.toml

Ends within 10 seconds of SIGTERM or Ctrl-C. After any end, also by power cut, start it again:
it finds out by itself what was committed.";

const NO_DATA_FOLDER: &str = "it is not said where the registry lies
name its folder with --data-folder, UNDERSIGNED_DATA_FOLDER, or data_folder in the configuration file";

/// Serve a registry
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Args {
    #[command(flatten)]
    configuration: Configuration,
    #[command(flatten)]
    limits: LimitArgs,
}

pub(super) fn run(args: &Args, output: Output) -> Result<(), CliError> {
    let Effective { settings, .. } = args.configuration.read()?;
    telemetry::start(settings.log_format, &settings.log);
    raise_descriptor_limit();
    let data = settings.data_folder.clone().ok_or_else(|| CliError::local(NO_DATA_FOLDER))?;
    let runtime = tokio::runtime::Runtime::new().map_err(CliError::fault)?;
    // Bound before recovery, so that an occupied port is told at once; nothing is accepted before it.
    let listener = runtime.block_on(bind(settings.listen))?;
    let place = Place { data, guard: settings.guard.clone() };
    let node = Node::open(&place, Arc::new(SystemClock::new()))?;
    let address = listener.local_addr().map_err(CliError::fault)?;
    output.line(format!("serving {} at http://{address}", node.registry()));
    output.object(&json!({"registry": node.registry().to_text(), "url": format!("http://{address}")}));
    let limits = Arc::new(SharedLimits::new(args.limits.limits()));
    runtime.spawn(super::indexing::report(node.handle()));
    runtime.block_on(until_stopped(listener, &node, &settings, limits))?;
    // Handlers hold the index until their connections are gone.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    node.stop()?;
    output.line("stopped in order");
    Ok(())
}

/// Every connection and every file needs a descriptor; the usual soft limit of 1,024 is less than the
/// connections that are accepted.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
        if let Err(error) = raised {
            tracing::warn!(%error, current = limit.current, "the limit of open files could not be raised");
        }
    }
}

/// Binds a listener, with a message that says what to do where that fails.
pub(super) async fn bind(address: SocketAddr) -> Result<TcpListener, CliError> {
    TcpListener::bind(address).await.map_err(|error| {
        let next = match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                "another program listens there: choose another port with --listen"
            }
            _ => "choose another address with --listen",
        };
        CliError::local(format!("cannot listen on {address}: {error}\n{next}"))
    })
}

/// Serves until a signal comes or the log stops by itself.
async fn until_stopped(
    listener: TcpListener,
    node: &Node,
    settings: &Settings,
    shared: Arc<SharedLimits>,
) -> Result<(), CliError> {
    let failed = |error: std::io::Error| CliError::fault(error);
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut stopped = node.stopped();
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
            _ = interrupt.recv() => tracing::info!("interrupted: stopping"),
            _ = stopped.wait_for(|stopped| *stopped) => tracing::error!("the log stopped"),
        }
    };
    let app = http::app(node.handle(), Arc::clone(&shared));
    let limits = AcceptLimits { shared, ..settings.connections.accept_limits() };
    let drained = accept::serve(listener, app, limits, shutdown)
        .await
        .map_err(|error| CliError::fault(chain(&error)))?;
    tracing::info!(ended = drained.ended, cut = drained.cut, "connections ended");
    Ok(())
}
