//! Long steps of a process that nobody watches: log lines with rate and time left.

use std::time::{Duration, Instant};

/// What is done sooner needs no line.
pub const FIRST_AFTER: Duration = Duration::from_secs(2);
/// How often a line comes after the first.
pub const EVERY: Duration = Duration::from_secs(10);

/// A step that says now and then how far it is.
#[derive(Debug)]
pub struct LongStep {
    /// What is going on, and who waits for it.
    what: &'static str,
    begun: Instant,
    /// When the next line is due, from the beginning on.
    due: Duration,
}

impl LongStep {
    /// Begins now.
    #[must_use]
    pub fn begin(what: &'static str) -> Self {
        Self { what, begun: Instant::now(), due: FIRST_AFTER }
    }

    /// So many are done and so many are left; a line is written if one is due.
    pub fn at(&mut self, done: u64, left: u64) {
        let elapsed = self.begun.elapsed();
        if elapsed < self.due {
            return;
        }
        self.due = elapsed.saturating_add(EVERY);
        let (per_second, seconds_left) = pace(done, left, elapsed);
        tracing::info!(done, left, per_second, seconds_left, "{}", self.what);
    }

    /// All is done; said if anything was said before.
    pub fn end(self, done: u64) {
        if self.due > FIRST_AFTER {
            tracing::info!(done, seconds = self.begun.elapsed().as_secs(), "done: {}", self.what);
        }
    }
}

/// The rate so far, and how many seconds the rest takes at that rate; `None` while nobody knows.
fn pace(done: u64, left: u64, elapsed: Duration) -> (u64, Option<u64>) {
    let millis = elapsed.as_millis().max(1);
    let rate = u64::try_from(u128::from(done).saturating_mul(1_000) / millis).unwrap_or(u64::MAX);
    (rate, left.checked_div(rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_so_far_tells_the_time_left() {
        assert_eq!(pace(1_000, 4_500, Duration::from_secs(2)), (500, Some(9)));
        assert_eq!(pace(0, 10, Duration::from_secs(2)), (0, None), "nobody knows");
        assert_eq!(pace(5, 0, Duration::ZERO), (5_000, Some(0)));
    }

    #[test]
    fn a_line_is_due_after_two_seconds_and_then_every_ten() {
        let mut step = LongStep::begin("testing");
        step.at(1, 9);
        assert_eq!(step.due, FIRST_AFTER, "nothing was said");
        step.begun = step.begun.checked_sub(FIRST_AFTER).unwrap();
        step.at(2, 8);
        let due = step.due;
        assert!(due >= FIRST_AFTER + EVERY);
        step.at(3, 7);
        assert_eq!(step.due, due, "said once");
    }
}
