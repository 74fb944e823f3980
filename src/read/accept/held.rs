//! Answers that are in memory until their peers take them: counted, and bounded.
//!
//! A peer that opens no window, or reads slowly, keeps whole answers waiting, and HTTP/2 lets it do so with many
//! on one connection. What would be too much is not held: its peer is told to come again.
//!
//! An answer that is made piece by piece has one piece at a time in memory and is not counted; one that only
//! leaves in pieces, because it is compressed on its way, says how much waits behind it ([`Waits`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::{Body, Bytes, HttpBody as _};
use axum::http::{HeaderValue, Response, StatusCode, header};

/// Bytes of answers that wait in memory, of all connections. An answer that many wait for is counted for each.
pub const HELD_BYTES_MAX: u64 = 512 << 20;
/// The same of one connection; a single answer may be larger.
pub const CONNECTION_HELD_BYTES_MAX: u64 = 16 << 20;

/// How many bytes an answer keeps in memory until its body has been taken; stands in its extensions.
#[derive(Debug, Clone, Copy)]
pub struct Waits(pub u64);

/// How many bytes wait, against a bound.
#[derive(Debug)]
pub(super) struct Held {
    bytes: AtomicU64,
    bytes_max: u64,
}

impl Held {
    pub(super) fn of_all() -> Arc<Self> {
        Self::within(HELD_BYTES_MAX)
    }

    pub(super) fn of_connection() -> Arc<Self> {
        Self::within(CONNECTION_HELD_BYTES_MAX)
    }

    fn within(bytes_max: u64) -> Arc<Self> {
        Arc::new(Self { bytes: AtomicU64::new(0), bytes_max })
    }

    /// Counts an answer, if there is room for it or nothing else waits.
    fn take(self: &Arc<Self>, bytes: u64) -> Option<Share> {
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let share = Share { of: Arc::clone(self), bytes };
        (before == 0 || before.saturating_add(bytes) <= self.bytes_max).then_some(share)
    }
}

/// An answer's part of what is held, until it is dropped.
#[derive(Debug)]
struct Share {
    of: Arc<Held>,
    bytes: u64,
}

impl Drop for Share {
    fn drop(&mut self) {
        self.of.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// An answer's part of what its connection and all hold.
#[derive(Debug)]
pub(super) struct Shares {
    _connection: Share,
    _all: Share,
}

impl Shares {
    /// Counts what an answer keeps in memory; `None` where nothing is to be counted.
    ///
    /// # Errors
    /// There is no room for it.
    pub(super) fn take(
        answer: &Response<Body>,
        connection: &Arc<Held>,
        all: &Arc<Held>,
    ) -> Result<Option<Self>, NoRoom> {
        let waits = || answer.extensions().get::<Waits>().map(|waits| waits.0);
        let bytes = answer.body().size_hint().exact().or_else(waits).filter(|bytes| *bytes > 0);
        let Some(bytes) = bytes else { return Ok(None) };
        let connection = connection.take(bytes).ok_or(NoRoom)?;
        let all = all.take(bytes).ok_or(NoRoom)?;
        Ok(Some(Self { _connection: connection, _all: all }))
    }

    /// The bytes, which are counted until nobody has them any more: neither we nor what sends them.
    pub(super) fn with(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(Counted { bytes, _shares: self })
    }
}

struct Counted {
    bytes: Bytes,
    _shares: Shares,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// There is no room for an answer.
#[derive(Debug)]
pub(super) struct NoRoom;

impl NoRoom {
    /// What is said instead: come again.
    pub(super) fn answer() -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_makes_room_and_what_waits_takes_it() {
        let (connection, other, all) = (Held::within(10), Held::within(10), Held::within(15));
        let answer = |length: usize| Response::new(Body::from(vec![0; length]));
        let take = |length: usize, of: &Arc<Held>| Shares::take(&answer(length), of, &all);
        let first = take(6, &connection)
            .expect("there is room")
            .expect("it is counted")
            .with(Bytes::from_static(b"123456"));
        assert!(take(5, &connection).is_err(), "of one connection");
        let _second = take(4, &connection).expect("there is room, and what was refused is not counted");
        assert!(take(6, &other).is_err(), "of all");
        let piece = first.slice(2..3);
        drop(first);
        assert!(take(6, &other).is_err(), "a piece of it waits to be sent");
        assert_eq!(&*piece, b"3");
        drop(piece);
        assert!(take(6, &other).is_ok());
        // One alone may be larger, and an empty one is none.
        assert!(Shares::take(&answer(99), &Held::within(10), &Held::within(10)).is_ok());
        assert!(matches!(take(0, &connection), Ok(None)));
    }

    /// Compressed on its way an answer has no length, and its bytes waited uncounted.
    #[test]
    fn what_leaves_in_pieces_counts_for_what_waits_behind_it() {
        let (connection, all) = (Held::within(10), Held::within(10));
        let pieces =
            || Response::new(Body::new(http_body_util::channel::Channel::<Bytes, std::io::Error>::new(1).1));
        assert!(matches!(Shares::take(&pieces(), &connection, &all), Ok(None)), "made piece by piece");
        let mut compressed = pieces();
        compressed.extensions_mut().insert(Waits(6));
        let first = Shares::take(&compressed, &connection, &all).expect("there is room");
        assert!(first.is_some() && Shares::take(&compressed, &connection, &all).is_err());
        drop(first);
        assert!(Shares::take(&compressed, &connection, &all).is_ok());
    }
}
