//! The clock: the only room that asks what time it is.
//!
//! `received` comes from a [`Clock`] that is handed in, so that a replay of an old list and a test can
//! give their own. The rule against jumps belongs to the system clock: one that moves against the
//! machine's uptime stops intake until somebody has looked.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// How far the wall clock may move against the uptime since the start, in seconds. A clock that is
/// slewed by NTP stays within a fraction of a second a day.
pub const JUMP_SECONDS_MAX: u64 = 60;

/// The clock cannot be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system clock jumped by {seconds} s against the uptime since the start")]
pub struct ClockJumped {
    /// How far, in seconds.
    pub seconds: i64,
}

/// Where `received` comes from.
pub trait Clock: Send + Sync + 'static {
    /// The time in POSIX seconds.
    ///
    /// # Errors
    /// The clock cannot be believed; nothing may be dated with it.
    fn now(&self) -> Result<u64, ClockJumped>;
}

/// The machine's clock, compared with its uptime.
#[derive(Debug)]
pub struct SystemClock {
    /// Wall clock less uptime at the start, in seconds.
    offset_at_start: i64,
}

impl SystemClock {
    /// Takes the clock as it stands now for the right one.
    #[must_use]
    pub fn new() -> Self {
        Self { offset_at_start: wall_seconds().saturating_sub(uptime_seconds()) }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Result<u64, ClockJumped> {
        let wall = wall_seconds();
        let moved = wall.saturating_sub(uptime_seconds()).saturating_sub(self.offset_at_start);
        match u64::try_from(wall) {
            Ok(now) if moved.unsigned_abs() <= JUMP_SECONDS_MAX => Ok(now),
            _ => Err(ClockJumped { seconds: moved }),
        }
    }
}

/// The wall clock in POSIX seconds, without the rule against jumps: for messages and for expiry times
/// that a client proposes.
#[must_use]
pub fn wall_clock() -> u64 {
    u64::try_from(wall_seconds()).unwrap_or(0)
}

fn wall_seconds() -> i64 {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

/// Seconds since boot, sleep included, so that a suspended machine is not taken for a jump.
fn uptime_seconds() -> i64 {
    clock_gettime(ClockId::Boottime).tv_sec
}

/// A clock that shows what it was told: for replays of old lists and for tests.
#[derive(Debug, Default)]
pub struct GivenClock {
    /// POSIX seconds; written by whoever drives the replay.
    now: AtomicU64,
    /// A jump to report instead; written by tests.
    jump: Mutex<Option<ClockJumped>>,
}

impl GivenClock {
    /// A clock that shows this second until told otherwise.
    #[must_use]
    pub fn at(now: u64) -> Self {
        Self { now: AtomicU64::new(now), jump: Mutex::new(None) }
    }

    /// Shows another second.
    pub fn set(&self, now: u64) {
        self.now.store(now, Ordering::SeqCst);
    }

    /// Reports a jump from now on, or stops doing so.
    pub fn report_jump(&self, jump: Option<ClockJumped>) {
        if let Ok(mut slot) = self.jump.lock() {
            *slot = jump;
        }
    }
}

impl Clock for GivenClock {
    fn now(&self) -> Result<u64, ClockJumped> {
        match self.jump.lock().ok().and_then(|slot| *slot) {
            Some(jump) => Err(jump),
            None => Ok(self.now.load(Ordering::SeqCst)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_is_believed_while_it_moves_with_the_uptime() {
        let clock = SystemClock::new();
        assert!(clock.now().is_ok_and(|now| now > 1_700_000_000));
    }

    #[test]
    fn a_jump_in_either_direction_is_not_believed() {
        for seconds in [-3_600, 3_600] {
            let clock = SystemClock { offset_at_start: SystemClock::new().offset_at_start - seconds };
            let jumped = clock.now().map_err(|jump| (jump.seconds - seconds).abs() <= 1);
            assert_eq!(jumped, Err(true), "{seconds}");
        }
    }
}
