//! The accept loop: HTTP/1.1 and HTTP/2 with limits on everything, and an end that nobody can block.
//!
//! `axum::serve` has no timer for headers, and its graceful end waits for ever for a half-sent one. Here
//! - when all places are taken a newcomer gets that of a connection that waits for its client (`places`);
//!   only when we work for all of them newcomers wait in the kernel's queue;
//! - a connection must send its first byte, and each HTTP/1 header, within a time;
//! - one that has no request in flight for a time is closed, whatever it sends meanwhile (an unfinished
//!   HTTP/2 preface or header, pings): this ends idle keep-alive of both versions;
//! - one whose peer does not take the answer for a time is cut, also where HTTP/2 hides that from the socket;
//! - answers that peers do not take are held in memory up to a bound (`held`), beyond it they are told 503;
//! - on shutdown connections without a request end after a moment, requests in flight have until the
//!   deadline, then all are cut.
//!
//! Handlers find the peer's address as [`axum::extract::ConnectInfo<SocketAddr>`].
//!
//! Not here: time limits for handlers and request bodies, rates (`limits`), TLS.

mod activity;
mod held;
mod places;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, timeout};
use tower::Service as _;

use crate::limits::SharedLimits;
use crate::telemetry::meters;
pub use held::{CONNECTION_HELD_BYTES_MAX, HELD_BYTES_MAX, Waits};

use activity::{Activity, ArrivingBody, CountedBody, Handling, InFlight, TimedWrites};
use held::{Held, NoRoom, Shares};
use places::{Newcomer, Places};

/// Time for the first byte of a connection.
pub const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for each whole header, counted on a kept-alive connection from the answer before it.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Time without a request in flight; it is looked at that often, so a connection ends after one to two of it.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Time in which a peer must take some of an answer.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(20);
/// Time that a connection without a request has to say goodbye.
pub const FAREWELL_TIMEOUT: Duration = Duration::from_millis(500);
/// Time from the shutdown to the cut: below the 10 s after which a supervisor kills.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(8);
/// HTTP/2 streams at a time on one connection.
pub const STREAMS_MAX: u32 = 128;

/// An HTTP/1 header, and hyper's buffer for it.
const HEADER_BYTES_MAX: usize = 32 << 10;
/// An HTTP/2 header list, uncompressed.
const HEADER_LIST_BYTES_MAX: u32 = 16 << 10;
/// Header lines of an HTTP/1 request; browsers send about 20.
const HEADER_LINES_MAX: usize = 64;
/// Streams that a peer opened and reset before we looked at them (rapid reset, CVE-2023-44487).
const PENDING_RESETS_MAX: usize = 20;
/// Streams that we reset because of a peer's mistakes before the connection ends (CVE-2025-8671).
const LOCAL_RESETS_MAX: usize = 64;
/// Bytes of an answer that one HTTP/2 stream takes over at a time, beside the answer itself.
const STREAM_SEND_BYTES_MAX: usize = 64 << 10;
/// Pause after a failure to accept that may pass, such as no descriptors, and between two looks for a
/// place while we work for all connections.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Failures to accept in a row until the listener is given up: one minute of pauses.
const ACCEPT_FAILURES_MAX: u32 = 1_200;

/// The limits of the accept loop; each default is the constant of the same name.
#[derive(Debug, Clone)]
pub struct AcceptLimits {
    /// How many connections, and from where.
    pub shared: Arc<SharedLimits>,
    /// Time for the first byte of a connection.
    pub first_byte_timeout: Duration,
    /// Time for each whole HTTP/1 header.
    pub header_timeout: Duration,
    /// Time without a request in flight.
    pub idle_timeout: Duration,
    /// Time in which a peer must take some of an answer.
    pub write_timeout: Duration,
    /// Time that a connection without a request has to say goodbye.
    pub farewell_timeout: Duration,
    /// Time from the shutdown to the cut.
    pub drain_timeout: Duration,
    /// HTTP/2 streams at a time on one connection.
    pub streams_max: u32,
}

impl Default for AcceptLimits {
    fn default() -> Self {
        Self {
            shared: Arc::default(),
            first_byte_timeout: FIRST_BYTE_TIMEOUT,
            header_timeout: HEADER_TIMEOUT,
            idle_timeout: IDLE_TIMEOUT,
            write_timeout: WRITE_TIMEOUT,
            farewell_timeout: FAREWELL_TIMEOUT,
            drain_timeout: DRAIN_TIMEOUT,
            streams_max: STREAMS_MAX,
        }
    }
}

/// How the connections ended that were open at the shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that ended before the deadline.
    pub ended: usize,
    /// Connections that were cut at the deadline.
    pub cut: usize,
}

/// The listener stopped working.
#[derive(Debug, thiserror::Error)]
#[error("cannot accept connections any more")]
pub struct AcceptError {
    /// The last failure.
    #[from]
    source: io::Error,
}

/// Serves `app` on `listener` until `shutdown` is ready, then ends the connections.
///
/// # Errors
/// Accepting failed again and again for a minute; connections are cut.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    limits: AcceptLimits,
    shutdown: impl Future<Output = ()>,
) -> Result<Drained, AcceptError> {
    let shared = Arc::new(Shared { http: http(&limits), limits, app, held: Held::of_all() });
    let (stop, stopping) = watch::channel(false);
    let zero = Instant::now();
    // Dropping it cuts the connections.
    let mut connections = JoinSet::new();
    let mut places = Places::default();
    // Accepted, but without a place.
    let mut newcomer = None;
    let mut failures: u32 = 0;
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(ended) = connections.join_next_with_id(), if !connections.is_empty() => {
                places.free(report(ended));
            }
            accepted = listener.accept(), if newcomer.is_none() => match accepted {
                Ok(accepted) => {
                    failures = 0;
                    newcomer = Some(accepted);
                }
                Err(error) if is_of_the_peer(&error) => {}
                Err(error) => {
                    failures = failures.saturating_add(1);
                    if failures >= ACCEPT_FAILURES_MAX {
                        return Err(error.into());
                    }
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            () = tokio::time::sleep(ACCEPT_PAUSE), if newcomer.is_some() => {}
        }
        let Some((stream, peer)) = newcomer.take() else { continue };
        let current = shared.limits.shared.current();
        let group = Places::group(&current, peer.ip());
        match places.ask(group, &current) {
            Newcomer::Admitted => {
                let activity = Arc::new(Activity::new(zero));
                let connection =
                    connection(stream, peer, Arc::clone(&activity), Arc::clone(&shared), stopping.clone());
                places.take(group, activity, connections.spawn(connection));
            }
            Newcomer::Refused => drop(stream),
            Newcomer::Waits => newcomer = Some((stream, peer)),
        }
    }
    // Newcomers are refused by the kernel from here on.
    drop((listener, newcomer));
    stop.send_replace(true);
    let open = places.len();
    let deadline = Instant::now() + shared.limits.drain_timeout;
    while let Ok(Some(ended)) = tokio::time::timeout_at(deadline, connections.join_next_with_id()).await {
        places.free(report(ended));
    }
    let cut = places.len();
    connections.shutdown().await;
    Ok(Drained { ended: open.saturating_sub(cut), cut })
}

/// What all connections share; nothing in it changes.
struct Shared {
    http: auto::Builder<TokioExecutor>,
    limits: AcceptLimits,
    app: Router,
    /// Bytes of answers that wait, of all connections.
    held: Arc<Held>,
}

fn http(limits: &AcceptLimits) -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(HEADER_BYTES_MAX)
        .max_headers(HEADER_LINES_MAX);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_max)
        .max_header_list_size(HEADER_LIST_BYTES_MAX)
        .max_pending_accept_reset_streams(PENDING_RESETS_MAX)
        .max_local_error_reset_streams(LOCAL_RESETS_MAX)
        .max_send_buf_size(STREAM_SEND_BYTES_MAX);
    http
}

/// Which connection ended.
fn report(ended: Result<(Id, ()), JoinError>) -> Id {
    match ended {
        Ok((id, ())) => id,
        Err(error) => {
            if error.is_panic() {
                tracing::error!("a connection ended with a panic");
            }
            error.id()
        }
    }
}

/// The peer was gone before it was accepted; the next one may be fine.
fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    activity: Arc<Activity>,
    shared: Arc<Shared>,
    mut stopping: watch::Receiver<bool>,
) {
    let _open = meters::CONNECTIONS.one_more(&[]);
    meters::ACCEPTED.add(&[], 1);
    let limits = &shared.limits;
    // hyper reads the version before it starts a timer, so the first byte has a time of its own.
    let mut first = [0];
    tokio::select! {
        first = timeout(limits.first_byte_timeout, stream.peek(&mut first)) => {
            if !matches!(first, Ok(Ok(1))) {
                return;
            }
        }
        _ = stopping.wait_for(|is_stopping| *is_stopping) => return,
    }
    // Answers are written whole; waiting for more would only delay them. A failure costs time alone.
    let _ = stream.set_nodelay(true);

    let service = {
        let (activity, app) = (Arc::clone(&activity), shared.app.clone());
        let (held, all) = (Held::of_connection(), Arc::clone(&shared.held));
        service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            let in_flight = InFlight::new(&activity);
            let handling = Handling::new(&activity);
            let answer = app.clone().call(request.map(|body| Body::new(ArrivingBody::new(body, &activity))));
            let (held, all) = (Arc::clone(&held), Arc::clone(&all));
            async move {
                let mut answer: Response<Body> = answer.await?;
                drop(handling);
                let shares = Shares::take(&answer, &held, &all).unwrap_or_else(|NoRoom| {
                    answer = NoRoom::answer();
                    None
                });
                Ok::<_, Infallible>(answer.map(|body| CountedBody { body, in_flight, shares }))
            }
        })
    };
    let io = TokioIo::new(TimedWrites::new(stream, Arc::clone(&activity), limits.write_timeout));
    let mut http = std::pin::pin!(shared.http.serve_connection(io, service));
    let mut idle = std::pin::pin!(tokio::time::sleep(limits.idle_timeout));
    let mut seen = activity.got_on();
    let mut was_quiet = false;
    let mut is_leaving = false;
    loop {
        tokio::select! {
            // First, so that what is ready to be written is written before the look at the activity.
            biased;
            // Errors are the peer's: a reset, a broken request, a time that ran out.
            _ended = http.as_mut() => return,
            _ = stopping.wait_for(|is_stopping| *is_stopping), if !is_leaving => {
                is_leaving = true;
            }
            () = idle.as_mut() => {
                let got_on = activity.got_on();
                let is_still = got_on == seen && activity.waits_for_client();
                let is_quiet = activity.is_quiet();
                if is_leaving && is_quiet && was_quiet {
                    return;
                }
                if !is_leaving && is_still && activity.is_stuck() {
                    return;
                }
                is_leaving |= is_quiet && is_still;
                seen = got_on;
                was_quiet = is_quiet;
            }
        }
        if is_leaving {
            http.as_mut().graceful_shutdown();
        }
        // Two looks in a row must find it quiet: an answer may be on its way between two tasks in one.
        let pause = if is_leaving { limits.farewell_timeout / 2 } else { limits.idle_timeout };
        idle.as_mut().reset(Instant::now() + pause);
    }
}

#[cfg(test)]
mod tests;
