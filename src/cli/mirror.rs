//! `mirror`: keeps verified copies of logs, and serves each read-only.
//!
//! Each log has a thread that follows it and a listener that serves its pages and `/v1`; every listener serves
//! the static files of all logs under the hash of their origin. A log that cannot be reached or that breaks a
//! rule is told of in log lines; what was mirrored of it is served on.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use sd_notify::NotifyState;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use undersigned_client::Client;
use undersigned_registry::ledger::Ledger;
use undersigned_registry::verify::Trust;

use super::error::chain;
use super::output::Output;
use super::serve::{Endings, bind, notify, raise_descriptor_limit, serving_runtime};
use super::{CliError, verify};
use crate::audit::{AuditError, HttpSource, SourceError};
use crate::http::{self, MirroredLogs};
use crate::limits::SharedLimits;
use crate::mirror::{Mirror, MirrorError, Round, Standing, follow, origin_hash};
use crate::node::{Handle, Replica, ReplicaError, Upstream};
use crate::read::accept::{self, AcceptLimits};
use crate::telemetry::{self, LogFilter, LogFormat};

const EXAMPLE: &str = "Examples:
  undersigned mirror --data copies --from https://registry.example \\
    --policy registry.policy --listen 127.0.0.1:6963
  undersigned mirror --data copies --from https://registry.example \\
    --policy registry.policy --once
  undersigned audit copies/<SHA-256 of the origin> --policy registry.policy

Everything is verified before it is stored: checkpoints, tiles, entries, signatures, law, state roots. Give \
--from, --policy and --listen once more for each further log. Ends within 10 seconds of SIGTERM or Ctrl-C, with \
exit code 1 if a log broke a rule; after any end, also by power cut, start it again.";

/// Keep verified copies of logs, and serve them read-only
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Args {
    /// Folder for the copies, one folder in it for each log
    #[arg(long, value_name = "FOLDER")]
    data: PathBuf,
    /// Address of a log; or of another mirror of it
    #[arg(long = "from", value_name = "URL", required = true)]
    from: Vec<String>,
    /// Trust anchor of that log, in the same order: a tlog-policy file with its "# registry" line
    #[arg(long = "policy", value_name = "FILE", required = true)]
    policy: Vec<PathBuf>,
    /// Address to serve that log at, in the same order [default, for one log: 127.0.0.1:6963]
    #[arg(long = "listen", value_name = "ADDRESS:PORT")]
    listen: Vec<SocketAddr>,
    /// Seconds between two looks at a log
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    every: u64,
    /// Mirror what there is now and end, without serving
    #[arg(long, conflicts_with_all = ["listen", "every"])]
    once: bool,
    /// Which log lines are written: a level, or levels by part of the program
    #[arg(long, value_name = "FILTER", env = "UNDERSIGNED_LOG", default_value = "info")]
    log: LogFilter,
    /// How log lines look
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
}

const LISTEN_DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 6963);

/// A log to be mirrored.
struct Subject {
    url: String,
    client: Client,
    trust: Trust,
}

pub(super) fn run(args: &Args, output: Output) -> Result<(), CliError> {
    telemetry::start(args.log_format, &args.log);
    let subjects = subjects(args)?;
    if args.once {
        return subjects.into_iter().try_for_each(|subject| once(&args.data, subject, output));
    }
    let listen = match (args.listen.as_slice(), subjects.len()) {
        ([], 1) => vec![LISTEN_DEFAULT],
        (given, count) if given.len() == count => given.to_vec(),
        _ => {
            return Err(CliError::refused(
                "each log is served at an address of its own\ngive --listen as often as --from, in the same order",
            ));
        }
    };
    raise_descriptor_limit();
    let runtime = serving_runtime()?;
    let listeners =
        listen.into_iter().map(|address| runtime.block_on(bind(address))).collect::<Result<Vec<_>, _>>()?;
    let endings = runtime.block_on(async { Endings::take() }).map_err(CliError::fault)?;
    told(&subjects, &listeners, output)?;
    let served = runtime.block_on(serve_all(args, subjects, listeners, endings));
    notify(NotifyState::Stopping);
    // Handlers hold the indexes until their connections are gone.
    runtime.shutdown_timeout(Duration::from_secs(1));
    let refused = served?.into_iter().map(Following::end).collect::<Result<Vec<_>, _>>()?;
    output.line("stopped in order");
    match refused.into_iter().flatten().next() {
        Some(refused) => Err(refused),
        None => Ok(()),
    }
}

/// Each log with its trust anchor, which must say which registry is meant.
fn subjects(args: &Args) -> Result<Vec<Subject>, CliError> {
    if args.from.len() != args.policy.len() {
        return Err(CliError::refused(
            "each log needs its trust anchor\ngive --policy as often as --from, in the same order",
        ));
    }
    let mut origins = std::collections::BTreeSet::new();
    let mut subjects = Vec::new();
    for (url, policy) in args.from.iter().zip(&args.policy) {
        let trust = verify::read_trust(policy, None)?;
        let registry = trust.registry().ok_or(MirrorError::NoRegistry)?;
        if !origins.insert(registry.origin().to_owned()) {
            return Err(CliError::refused(format!(
                "the origin {} is named twice\nname each log once",
                registry.origin()
            )));
        }
        subjects.push(Subject { url: url.clone(), client: Client::new(url)?, trust });
    }
    Ok(subjects)
}

/// Says what is served where; nothing is answered before there is a first verified copy.
fn told(subjects: &[Subject], listeners: &[TcpListener], output: Output) -> Result<(), CliError> {
    let mut logs = Vec::new();
    for (subject, listener) in subjects.iter().zip(listeners) {
        let url = format!("http://{}", listener.local_addr().map_err(CliError::fault)?);
        let registry = subject.trust.registry().ok_or(MirrorError::NoRegistry)?;
        output.line(format!("mirroring {registry} from {} at {url}", subject.url));
        let hash = origin_hash(registry.origin());
        logs.push(json!({
            "registry": registry.to_text(), "from": subject.url, "url": url, "folder": hash,
            "static_url": format!("{url}/{hash}"),
        }));
    }
    let first = logs.first().and_then(|log| log.get("url")).cloned().unwrap_or_default();
    output.object(&json!({"url": first, "logs": logs}));
    Ok(())
}

/// Mirrors what there is now.
fn once(data: &Path, subject: Subject, output: Output) -> Result<(), CliError> {
    let log = HttpSource::new(subject.client);
    let mut mirror = Mirror::open(data, subject.trust)?;
    // The first round may only reach what an earlier process was about to reach.
    let done = match mirror.round(&log) {
        Ok(Round::Newer) => mirror.round(&log),
        done => done,
    };
    if let Err(error) = done {
        let kept = mirror.keep_evidence(&log, &error)?;
        let folder = mirror.folder().display().to_string();
        let error = CliError::from(error);
        mirror.close()?;
        return Err(if kept.is_empty() {
            error
        } else {
            CliError::refused(format!(
                "{}\nthe last good copy stays as it was; the evidence lies in {folder}: {}",
                error.message(),
                kept.join(", ")
            ))
        });
    }
    let folder = mirror.folder().display().to_string();
    let size = mirror.adopted().map_or(0, |(signed, _)| signed.size().get());
    mirror.close()?;
    output.line(format!("mirrored {size} entries of {} into {folder}", subject.url));
    output.object(&json!({"from": subject.url, "tree_size": size, "folder": folder}));
    Ok(())
}

/// A log that is followed by a thread of its own.
struct Following {
    /// What it came to, once it has ended.
    ended: Receiver<Result<Option<CliError>, CliError>>,
    /// Dropped, it ends.
    stop: Sender<()>,
}

/// How long a mirror that is told to stop may take to finish what it is at. One that waits for its log, or is
/// in the middle of a long way, is then left as by a kill: the next start goes on from what is durable.
const END_TIMEOUT: Duration = Duration::from_secs(5);

impl Following {
    /// Ends it; gives what the log is refused for, if it is.
    fn end(self) -> Result<Option<CliError>, CliError> {
        drop(self.stop);
        match self.ended.recv_timeout(END_TIMEOUT) {
            Ok(ended) => ended,
            Err(RecvTimeoutError::Timeout) => {
                tracing::warn!(
                    "a mirror is in the middle of its work; the next start goes on from what is durable"
                );
                Ok(None)
            }
            Err(RecvTimeoutError::Disconnected) => Err(CliError::fault("a mirror panicked")),
        }
    }
}

/// Follows and serves all logs until a signal comes or a mirror cannot go on.
async fn serve_all(
    args: &Args,
    subjects: Vec<Subject>,
    listeners: Vec<TcpListener>,
    mut endings: Endings,
) -> Result<Vec<Following>, CliError> {
    let logs = MirroredLogs::default();
    let (ending, ended) = watch::channel(false);
    let mut followings = Vec::new();
    let mut serving = JoinSet::new();
    for (subject, listener) in subjects.into_iter().zip(listeners) {
        let (ready, becomes_ready) = tokio::sync::oneshot::channel();
        let (stop, stopping) = channel();
        let (data, pause) = (args.data.clone(), Duration::from_secs(args.every));
        let hash =
            subject.trust.registry().map(|registry| origin_hash(registry.origin())).unwrap_or_default();
        let ending = ending.clone();
        let (end, ended_with) = channel();
        std::thread::Builder::new()
            .name("mirror".to_owned())
            .spawn(move || {
                // Nobody waits for it any more if it took too long.
                let _ = end.send(mirror_one(&data, subject, pause, &stopping, ready));
                // Whichever cannot go on ends all: a supervisor starts it again, and the lines say why.
                ending.send_replace(true);
            })
            .map_err(CliError::fault)?;
        followings.push(Following { ended: ended_with, stop });
        serving.spawn(serve_one(listener, becomes_ready, hash, logs.clone(), ended.clone()));
    }
    notify(NotifyState::Ready);
    let mut one_ended = ended.clone();
    tokio::select! {
        () = endings.wait() => {}
        _ = one_ended.wait_for(|ended| *ended) => tracing::error!("a mirror cannot go on"),
    }
    ending.send_replace(true);
    while let Some(served) = serving.join_next().await {
        served.map_err(CliError::fault)??;
    }
    Ok(followings)
}

/// Serves one log once there is a verified copy of it.
async fn serve_one(
    listener: TcpListener,
    ready: tokio::sync::oneshot::Receiver<Handle>,
    hash: String,
    logs: MirroredLogs,
    mut ended: watch::Receiver<bool>,
) -> Result<(), CliError> {
    let handle = tokio::select! {
        ready = ready => match ready {
            Ok(handle) => handle,
            Err(_) => return Ok(()),
        },
        _ = ended.wait_for(|ended| *ended) => return Ok(()),
    };
    logs.add(hash, &handle);
    let limits = AcceptLimits::default();
    let app = http::mirror(handle, Arc::new(SharedLimits::default()), logs);
    let shutdown = async move {
        let _ = ended.wait_for(|ended| *ended).await;
    };
    let drained = accept::serve(listener, app, limits, shutdown).await;
    drained.map(drop).map_err(|error| CliError::fault(chain(&error)))
}

/// Follows one log, and has it served from the first verified copy on. Gives what it is refused for at the end.
fn mirror_one(
    data: &Path,
    subject: Subject,
    pause: Duration,
    stop: &Receiver<()>,
    ready: tokio::sync::oneshot::Sender<Handle>,
) -> Result<Option<CliError>, CliError> {
    let Subject { url, client, trust } = subject;
    let log = HttpSource::new(client);
    let mut mirror = Mirror::open(data, trust.clone())?;
    let (refused, refusals) = watch::channel(None);
    let mut upstream = Some((Upstream { url, refused: refusals }, ready));
    let mut replica: Option<Replica> = None;
    let mut serve = |mirror: &Mirror| -> Result<(), CliError> {
        let Some(checkpoint) = mirror.adopted() else { return Ok(()) };
        match (&replica, upstream.take()) {
            (Some(replica), _) => replica.publish(checkpoint.0, checkpoint.1)?,
            (None, Some((upstream, ready))) => {
                let ledger = mirror.read_kept()?.map_or_else(Ledger::new, |kept| kept.into_ledger());
                let store = Arc::clone(mirror.store());
                let opened = Replica::open(mirror.folder(), store, &trust, ledger, checkpoint, upstream)?;
                // Nobody listens any more if the process is stopping.
                let _ = ready.send(opened.handle());
                replica = Some(opened);
            }
            (None, None) => {}
        }
        Ok(())
    };
    serve(&mirror)?;
    let mut stands = |standing: &Standing| {
        refused.send_replace(match standing {
            Standing::Refuses(why) => Some(Arc::from(why.as_str())),
            Standing::Follows | Standing::Waits(_) => None,
        });
    };
    let followed = follow(&mut mirror, &log, pause, stop, &mut stands, &mut serve);
    if let Some(replica) = replica {
        replica.stop();
    }
    let closed = mirror.close();
    let standing = followed?;
    closed?;
    Ok(match standing {
        Standing::Refuses(why) => Some(CliError::refused(format!(
            "the log was refused: {why}\nthe last good copy stays; the evidence lies below private/evidence in its folder"
        ))),
        Standing::Follows | Standing::Waits(_) => None,
    })
}

impl From<MirrorError> for CliError {
    fn from(error: MirrorError) -> Self {
        match error {
            MirrorError::Log(error) => super::audit::failed(error),
            MirrorError::Source(SourceError::Http(error)) => Self::from(error),
            MirrorError::Source(error) => super::audit::failed(AuditError::Source(error)),
            other => Self::local(chain(&other)),
        }
    }
}

impl From<ReplicaError> for CliError {
    fn from(error: ReplicaError) -> Self {
        Self::local(chain(&error))
    }
}
