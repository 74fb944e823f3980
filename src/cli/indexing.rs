//! Tells the operator how far the index is while it is built again behind a serving log, with rate and time
//! left. Lists wait for it; submissions and the static files do not.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::node::Handle;

/// What is done sooner needs no line.
const FIRST_AFTER: Duration = Duration::from_secs(2);
/// How often a line comes after the first.
const EVERY: Duration = Duration::from_secs(10);

/// Writes a log line now and then until the index covers the tree that was there at the start.
pub(super) async fn report(handle: Handle) {
    let of = handle.published.borrow().head.size.get();
    let (begun, first) = (Instant::now(), handle.index.covered());
    let mut pause = FIRST_AFTER;
    while handle.index.covered() < of {
        sleep(pause).await;
        pause = EVERY;
        let covered = handle.index.covered();
        if covered >= of {
            break;
        }
        let (per_second, seconds_left) = pace(covered.saturating_sub(first), of - covered, begun.elapsed());
        tracing::info!(covered, of, per_second, seconds_left, "the index is being built: lists wait for it");
    }
    if pause == EVERY {
        tracing::info!(of, seconds = begun.elapsed().as_secs(), "the index covers the log");
    }
}

/// The rate so far, and how long the rest takes at that rate.
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
}
