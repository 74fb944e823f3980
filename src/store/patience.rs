//! Trying again what a store refused before anything happened: for work behind the log, whose failure
//! nobody can be told.

use std::time::Duration;

use super::StoreError;

/// How often, and the pause between: about a minute in all, after which the process stops and its
/// supervisor starts it again.
const TRIES_MAX: u32 = 240;
const PAUSE: Duration = Duration::from_millis(250);

/// Calls until the store no longer refuses; every other outcome is returned at once.
///
/// # Errors
/// What the store said, in the end.
pub fn until_accepted<A>(mut act: impl FnMut() -> Result<A, StoreError>) -> Result<A, StoreError> {
    for _ in 0..TRIES_MAX {
        match act() {
            Err(error @ StoreError::Refused { .. }) => {
                tracing::error!(%error, "refused; will try again");
                std::thread::sleep(PAUSE);
            }
            done => return done,
        }
    }
    act()
}
