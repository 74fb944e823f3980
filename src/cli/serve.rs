//! `serve`: serves a registry from its folder.

mod reload;

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;

use sd_notify::NotifyState;
use serde_json::json;
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::CliError;
use super::config::Configuration;
use super::error::chain;
use super::output::Output;
use crate::clock::SystemClock;
use crate::http;
use crate::limits::SharedLimits;
use crate::node::{Node, Place};
use crate::read::accept::{self, AcceptLimits};
use crate::settings::Effective;
use crate::telemetry;
use crate::telemetry::meters::{self, Readings, TIDY_PERIOD};

const EXAMPLE: &str = "Example:
  undersigned serve --data /srv/registry --listen 127.0.0.1:6962
  undersigned serve --config /etc/undersigned/registry.toml

Ends within 10 seconds of SIGTERM or Ctrl-C, and some more to keep a state of millions of records; SIGHUP reads \
the limits of the configuration again. After any end, also by power cut, start it again: it finds out by itself \
what was committed.";

const NO_DATA_FOLDER: &str = "it is not said where the registry lies
name its folder with --data-folder, UNDERSIGNED_DATA_FOLDER, or data_folder in the configuration file";

/// Serve a registry
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Args {
    #[command(flatten)]
    configuration: Configuration,
}

/// The listener of the operator, with what it reads out.
struct AdminSide {
    listener: TcpListener,
    readings: Readings,
}

/// The signals that end the process in order.
pub(super) struct Endings {
    terminate: Signal,
    interrupt: Signal,
}

impl Endings {
    pub(super) fn take() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for one of them.
    pub(super) async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => tracing::info!("SIGTERM: stopping"),
            _ = self.interrupt.recv() => tracing::info!("interrupted: stopping"),
        }
    }
}

/// What an operator can send while it serves.
struct Signals {
    hangup: Signal,
    endings: Endings,
}

pub(super) fn run(args: &Args, output: Output) -> Result<(), CliError> {
    let effective = args.configuration.read()?;
    let settings = &effective.settings;
    telemetry::start(settings.log_format, &settings.log);
    raise_descriptor_limit();
    let data = settings.data_folder.clone().ok_or_else(|| CliError::local(NO_DATA_FOLDER))?;
    let runtime = serving_runtime()?;
    // Bound before recovery, so that an occupied port is told at once; nothing is accepted before it.
    let listener = runtime.block_on(bind(settings.listen))?;
    let admin = settings.admin_listen.map(|address| open_admin(&runtime, address)).transpose()?;
    // Taken before recovery too: a reload that comes early must not end the process.
    let hangup = runtime.block_on(async { signal(SignalKind::hangup()) }).map_err(CliError::fault)?;
    let place = Place { data, guard: settings.guard.clone() };
    let node = Node::open(&place, Arc::new(SystemClock::new()))?;
    // Taken before the address is told: whoever reads it may already send one of these.
    let endings = runtime.block_on(async { Endings::take() }).map_err(CliError::fault)?;
    let url = |listener: &TcpListener| listener.local_addr().map(|address| format!("http://{address}"));
    let served_at = url(&listener).map_err(CliError::fault)?;
    let admin_at = admin.as_ref().map(|admin| url(&admin.listener)).transpose().map_err(CliError::fault)?;
    output.line(format!("serving {} at {served_at}", node.registry()));
    if let Some(admin_at) = &admin_at {
        output.line(format!("for the operator: {admin_at}/metrics"));
    }
    output.object(&json!({"registry": node.registry().to_text(), "url": served_at, "admin_url": admin_at}));
    notify(NotifyState::Ready);
    runtime.spawn(super::indexing::report(node.handle()));
    let signals = Signals { hangup, endings };
    runtime.block_on(until_stopped(listener, admin, signals, &node, &args.configuration, effective))?;
    notify(NotifyState::Stopping);
    // Handlers hold the index until their connections are gone.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    node.stop()?;
    output.line("stopped in order");
    Ok(())
}

/// Binds the operator's listener and begins to count.
fn open_admin(runtime: &tokio::runtime::Runtime, address: SocketAddr) -> Result<AdminSide, CliError> {
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "the admin listener has no password: only machines you trust may reach it");
    }
    let listener = runtime.block_on(bind(address))?;
    let readings = meters::start().map_err(CliError::fault)?;
    Ok(AdminSide { listener, readings })
}

/// Tells the supervisor, if it is one that listens (systemd's `Type=notify`).
pub(super) fn notify(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "the supervisor cannot be told");
    }
}

/// Threads that may wait for a disk at the same time. Each keeps memory of its own while it lives, and more than
/// these do not read faster; what comes beyond waits its turn. Nobody waits for a client on one of them.
const BLOCKING_THREADS_MAX: usize = 32;

/// What connections are served in.
pub(super) fn serving_runtime() -> Result<tokio::runtime::Runtime, CliError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .build()
        .map_err(CliError::fault)
}

/// Every connection and every file needs a descriptor; the usual soft limit of 1,024 is less than the
/// connections that are accepted.
pub(super) fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
        if let Err(error) = raised {
            tracing::warn!(%error, current = limit.current, "the limit of open files could not be raised");
        }
    }
}

/// Connections that the kernel keeps until they are accepted. Where it is full newcomers lose a second at
/// least, so a flood must not fill it; the kernel may allow less.
const BACKLOG: u32 = 4_096;

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart may take the port over from connections that are ending.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Binds a listener, with a message that says what to do where that fails.
pub(super) async fn bind(address: SocketAddr) -> Result<TcpListener, CliError> {
    listen(address).map_err(|error| {
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
    admin: Option<AdminSide>,
    signals: Signals,
    node: &Node,
    configuration: &Configuration,
    effective: Effective,
) -> Result<(), CliError> {
    let Signals { hangup, mut endings } = signals;
    let mut stopped = node.stopped();
    let shutdown = async move {
        tokio::select! {
            () = endings.wait() => {}
            _ = stopped.wait_for(|stopped| *stopped) => tracing::error!("the log stopped"),
        }
    };
    let shared = Arc::new(SharedLimits::new(effective.settings.limits.clone()));
    let app = http::app(node.handle(), Arc::clone(&shared));
    let limits =
        AcceptLimits { shared: Arc::clone(&shared), ..effective.settings.connections.accept_limits() };
    let (shown, settings) = watch::channel(effective.to_json());
    // Ended when this is dropped.
    let mut beside = JoinSet::new();
    if let Some(AdminSide { listener, readings }) = admin {
        let app = http::admin(node.handle(), readings.clone(), settings);
        beside.spawn(async move {
            if let Err(error) = accept::serve(listener, app, AcceptLimits::default(), pending()).await {
                tracing::error!(%error, "the admin listener ended");
            }
        });
        beside.spawn(async move {
            let mut ticks = tokio::time::interval(TIDY_PERIOD);
            loop {
                ticks.tick().await;
                readings.tidy();
            }
        });
    }
    beside.spawn(reload::on_hangup(hangup, configuration.clone(), effective, shown, move |settings| {
        shared.replace(settings.limits.clone());
    }));
    let drained = accept::serve(listener, app, limits, shutdown)
        .await
        .map_err(|error| CliError::fault(chain(&error)))?;
    tracing::info!(ended = drained.ended, cut = drained.cut, "connections ended");
    Ok(())
}
