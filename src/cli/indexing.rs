//! Tells the operator how far the index is while it is built again behind a serving log. Lists wait for it;
//! submissions and the static files do not.

use std::time::Duration;

use tokio::time::sleep;

use crate::node::Handle;
use crate::telemetry::long_step::LongStep;

/// How often the index is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Writes log lines until the index covers the tree that was there at the start.
pub(super) async fn report(handle: Handle) {
    let of = handle.published.borrow().head.size.get();
    let first = handle.index.covered();
    let mut step = LongStep::begin("the index is being built: lists wait for it");
    loop {
        let covered = handle.index.covered();
        if covered >= of {
            return step.end(covered.saturating_sub(first));
        }
        step.at(covered.saturating_sub(first), of - covered);
        sleep(LOOK_EVERY).await;
    }
}
