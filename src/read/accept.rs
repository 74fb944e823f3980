//! The accept loop: HTTP/1.1 and HTTP/2 with limits on everything, and an end that nobody can block.
//!
//! `axum::serve` has no timer for headers, and its graceful end waits for ever for a half-sent one. Here
//! - when all connections are taken nothing more is accepted: newcomers wait in the kernel's queue, and a
//!   place comes free because every connection below ends by itself;
//! - a connection must send its first byte, and each HTTP/1 header, within a time;
//! - one that has no request in flight for a time is closed, whatever it sends meanwhile (an unfinished
//!   HTTP/2 preface or header, pings): this ends idle keep-alive of both versions;
//! - one whose peer does not take the answer for a time is cut;
//! - on shutdown connections without a request end after a moment, requests in flight have until the
//!   deadline, then all are cut.
//!
//! Handlers find the peer's address as [`axum::extract::ConnectInfo<SocketAddr>`].
//!
//! Not here: time limits for handlers and request bodies, limits per peer, TLS.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, timeout};
use tower::Service as _;

/// Connections at a time: 1,024 busy clients, as many witnesses and browsers again, within 4,096
/// descriptors together with files.
pub const CONNECTIONS_MAX: usize = 2_048;
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
/// Bytes of answers that one HTTP/2 stream may hold in memory: with all streams 8 MiB a connection.
const STREAM_SEND_BYTES_MAX: usize = 64 << 10;
/// Pause after a failure to accept that may pass, such as no descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Failures to accept in a row until the listener is given up: one minute of pauses.
const ACCEPT_FAILURES_MAX: u32 = 1_200;

/// The limits of the accept loop; each default is the constant of the same name.
#[derive(Debug, Clone)]
pub struct AcceptLimits {
    /// Connections at a time.
    pub connections_max: usize,
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
            connections_max: CONNECTIONS_MAX,
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
    let shared = Arc::new(Shared { http: http(&limits), limits, app });
    let (stop, stopping) = watch::channel(false);
    // Its length is the number of connections; dropping it cuts them.
    let mut connections = JoinSet::new();
    let mut failures: u32 = 0;
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let has_room = connections.len() < shared.limits.connections_max;
        tokio::select! {
            () = &mut shutdown => break,
            Some(ended) = connections.join_next(), if !connections.is_empty() => report(ended),
            accepted = listener.accept(), if has_room => match accepted {
                Ok((stream, peer)) => {
                    failures = 0;
                    connections.spawn(connection(stream, peer, Arc::clone(&shared), stopping.clone()));
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
        }
    }
    // Newcomers are refused by the kernel from here on.
    drop(listener);
    stop.send_replace(true);
    let open = connections.len();
    let deadline = Instant::now() + shared.limits.drain_timeout;
    while let Ok(Some(ended)) = tokio::time::timeout_at(deadline, connections.join_next()).await {
        report(ended);
    }
    let cut = connections.len();
    connections.shutdown().await;
    Ok(Drained { ended: open.saturating_sub(cut), cut })
}

/// What all connections share; nothing in it changes.
struct Shared {
    http: auto::Builder<TokioExecutor>,
    limits: AcceptLimits,
    app: Router,
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

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!("a connection ended with a panic");
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
    shared: Arc<Shared>,
    mut stopping: watch::Receiver<bool>,
) {
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

    let activity = Arc::new(Activity::default());
    let service = {
        let (activity, app) = (Arc::clone(&activity), shared.app.clone());
        service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            let in_flight = InFlight::new(&activity);
            let answer = app.clone().call(request);
            async move {
                let answer: Response<Body> = answer.await?;
                Ok::<_, Infallible>(answer.map(|body| CountedBody { body, _in_flight: in_flight }))
            }
        })
    };
    let io = TokioIo::new(TimedWrites::new(stream, Arc::clone(&activity), limits.write_timeout));
    let mut http = std::pin::pin!(shared.http.serve_connection(io, service));
    let mut idle = std::pin::pin!(tokio::time::sleep(limits.idle_timeout));
    let mut seen_requests = 0;
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
                let requests = activity.requests.load(Ordering::Relaxed);
                let is_quiet = activity.is_quiet();
                if is_leaving && is_quiet && was_quiet {
                    return;
                }
                is_leaving |= is_quiet && requests == seen_requests;
                seen_requests = requests;
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

/// What a connection is doing. Written by its requests and its writes, read when its idle time is over.
#[derive(Debug, Default)]
struct Activity {
    /// Requests since the beginning.
    requests: AtomicUsize,
    /// Requests whose answer is not yet handed over in full.
    in_flight: AtomicUsize,
    /// The peer has yet to take bytes of an answer.
    is_write_waiting: AtomicBool,
}

impl Activity {
    fn is_quiet(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) == 0 && !self.is_write_waiting.load(Ordering::Relaxed)
    }
}

/// A request in flight, from its header to the last byte of its answer's body.
struct InFlight(Arc<Activity>);

impl InFlight {
    fn new(activity: &Arc<Activity>) -> Self {
        activity.requests.fetch_add(1, Ordering::Relaxed);
        activity.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(activity))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The body of an answer, which keeps its request in flight.
struct CountedBody {
    body: Body,
    _in_flight: InFlight,
}

impl HttpBody for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream that fails when its peer takes nothing for a time.
struct TimedWrites {
    stream: TcpStream,
    activity: Arc<Activity>,
    time: Duration,
    /// Runs while a write waits.
    running: Option<Pin<Box<Sleep>>>,
}

impl TimedWrites {
    fn new(stream: TcpStream, activity: Arc<Activity>, time: Duration) -> Self {
        Self { stream, activity, time, running: None }
    }

    fn timed<T>(&mut self, written: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            if self.running.take().is_some() {
                self.activity.is_write_waiting.store(false, Ordering::Relaxed);
            }
            return written;
        }
        self.activity.is_write_waiting.store(true, Ordering::Relaxed);
        let time = self.time;
        let running = self.running.get_or_insert_with(|| Box::pin(tokio::time::sleep(time)));
        ready!(running.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for TimedWrites {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for TimedWrites {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.timed(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.timed(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
