//! What a connection is doing: whether it waits for us or for its client, and when it last got on.
//!
//! Written by its requests, bodies and writes; read by the connection's own timer and by the accept loop
//! when it needs a place. All of it is a hint for timers: nothing else rests on it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::held::Shares;

/// What one connection is doing.
#[derive(Debug)]
pub(super) struct Activity {
    /// When the accept loop began: the zero of `got_on`.
    zero: Instant,
    /// When a request, a part of its body, its answer or a part of that came last, in nanoseconds.
    got_on: AtomicU64,
    /// Requests whose answer is not yet handed over in full.
    in_flight: AtomicUsize,
    /// Requests that the handler has not answered.
    handling: AtomicUsize,
    /// Requests whose body is still arriving.
    receiving: AtomicUsize,
    /// The peer has yet to take bytes of an answer.
    is_write_waiting: AtomicBool,
}

impl Activity {
    pub(super) fn new(zero: Instant) -> Self {
        let activity = Self {
            zero,
            got_on: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            handling: AtomicUsize::new(0),
            receiving: AtomicUsize::new(0),
            is_write_waiting: AtomicBool::new(false),
        };
        activity.gets_on();
        activity
    }

    /// When it last got on.
    pub(super) fn got_on(&self) -> u64 {
        self.got_on.load(Ordering::Relaxed)
    }

    /// Nothing is to be done, by us or by the client.
    pub(super) fn is_quiet(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) == 0 && !self.is_write_waiting.load(Ordering::Relaxed)
    }

    /// An answer lies ready, or a body is awaited, and the peer's window is shut.
    pub(super) fn is_stuck(&self) -> bool {
        !self.is_quiet() && !self.is_write_waiting.load(Ordering::Relaxed) && self.waits_for_client()
    }

    /// Whatever happens next is up to the client: no handler works on a request that is here in full.
    pub(super) fn waits_for_client(&self) -> bool {
        self.handling.load(Ordering::Relaxed) <= self.receiving.load(Ordering::Relaxed)
    }

    fn gets_on(&self) {
        let now = u64::try_from(self.zero.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.got_on.store(now, Ordering::Relaxed);
    }
}

/// A request in flight, from its header to the last byte of its answer's body.
pub(super) struct InFlight(Arc<Activity>);

impl InFlight {
    pub(super) fn new(activity: &Arc<Activity>) -> Self {
        activity.in_flight.fetch_add(1, Ordering::Relaxed);
        activity.gets_on();
        Self(Arc::clone(activity))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.0.gets_on();
    }
}

/// A request in the hands of its handler.
pub(super) struct Handling(Arc<Activity>);

impl Handling {
    pub(super) fn new(activity: &Arc<Activity>) -> Self {
        activity.handling.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(activity))
    }
}

impl Drop for Handling {
    fn drop(&mut self) {
        self.0.handling.fetch_sub(1, Ordering::Relaxed);
        self.0.gets_on();
    }
}

/// The body of a request, while it arrives.
pub(super) struct ArrivingBody {
    body: Incoming,
    /// None when it is here in full.
    activity: Option<Arc<Activity>>,
}

impl ArrivingBody {
    pub(super) fn new(body: Incoming, activity: &Arc<Activity>) -> Self {
        let activity = (!body.is_end_stream()).then(|| Arc::clone(activity));
        if let Some(activity) = &activity {
            activity.receiving.fetch_add(1, Ordering::Relaxed);
        }
        Self { body, activity }
    }

    fn ended(&mut self) {
        if let Some(activity) = self.activity.take() {
            activity.receiving.fetch_sub(1, Ordering::Relaxed);
            activity.gets_on();
        }
    }
}

impl Drop for ArrivingBody {
    fn drop(&mut self) {
        self.ended();
    }
}

impl HttpBody for ArrivingBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(activity) = &self.activity {
            activity.gets_on();
        }
        if !matches!(frame, Some(Ok(_))) || self.body.is_end_stream() {
            self.ended();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer, which keeps its request in flight.
pub(super) struct CountedBody {
    pub(super) body: Body,
    pub(super) in_flight: InFlight,
    /// None once its bytes have them; what comes in pieces keeps them to its end.
    pub(super) shares: Option<Shares>,
}

impl HttpBody for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        // An answer of known length is one piece.
        let is_one_piece = self.body.size_hint().exact().is_some();
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        self.in_flight.0.gets_on();
        let shares = if is_one_piece { self.shares.take() } else { None };
        Poll::Ready(match (frame, shares) {
            (Some(Ok(frame)), Some(shares)) => Some(Ok(frame.map_data(|bytes| shares.with(bytes)))),
            (frame, _) => frame,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream that fails when its peer takes nothing for a time.
pub(super) struct TimedWrites {
    stream: TcpStream,
    activity: Arc<Activity>,
    time: Duration,
    /// Runs while a write waits.
    running: Option<Pin<Box<Sleep>>>,
}

impl TimedWrites {
    pub(super) fn new(stream: TcpStream, activity: Arc<Activity>, time: Duration) -> Self {
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
