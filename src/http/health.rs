//! Whether the registry is well: seen the way a reader sees it, through the store and the trust anchor.
//!
//! Two questions, two answers. `GET /healthz` of the public interface asks whether reads are right: it is
//! not 200 when the log's loops have ended, or when the checkpoint in the store is not signed by the log
//! key or lies behind what was published. That the intake is closed for want of room or of a believable
//! clock is said in its body but leaves it at 200, because reads go on and a balancer must not take them
//! away. `GET /healthz` of the admin listener asks whether somebody has to come: it is 503 then as well.

use std::sync::Arc;

use serde::Serialize;
use undersigned_registry::verify::Trust;
use utoipa::ToSchema;

use super::answer::blocking;
use super::problem::Problem;
use crate::node::Handle;
use crate::sequencer::Later;
use crate::store::Name;

/// What a look at the registry found.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(super) struct Health {
    pub(super) tree_size: u64,
    pub(super) indexed: u64,
    pub(super) waiting: usize,
    /// `open`, or why nothing can be committed; on a mirror `mirror`, or `log-refused` where the log broke a
    /// rule and is followed no longer.
    pub(super) intake: &'static str,
}

impl Health {
    /// Whether submissions can become entries.
    pub(super) fn is_open(&self) -> bool {
        self.intake == OPEN
    }
}

const OPEN: &str = "open";

/// Looks at the registry.
pub(super) async fn look(handle: &Handle) -> Result<Health, Problem> {
    if *handle.stopped.borrow() {
        return Err(Problem::new("stopping", "a loop of the log has ended; the process must be restarted"));
    }
    // Taken before the file is read: what is published is never ahead of the file.
    let published = Arc::clone(&handle.published.borrow());
    let (store, policy) = (Arc::clone(&handle.store), Arc::clone(&handle.policy));
    let size = published.head.size;
    blocking(move || {
        let wrong = |reason: &dyn std::fmt::Display| Problem::internal(&format!("health: {reason}"));
        let trust = Trust::parse(&policy, None).map_err(|error| wrong(&error))?;
        let bytes = store
            .get(&Name::checkpoint())
            .map_err(|error| wrong(&error))?
            .ok_or_else(|| wrong(&"there is no checkpoint in the store"))?;
        let signed = trust.open_checkpoint(&bytes).map_err(|error| wrong(&error))?;
        let found = signed.checkpoint();
        let is_same_or_later =
            found.size() > size || (found.size() == size && *found.root() == published.head.root);
        if is_same_or_later {
            Ok(())
        } else {
            Err(wrong(&format!(
                "the checkpoint in the store is not the one of size {size} that was published"
            )))
        }
    })
    .await?;
    Ok(Health {
        tree_size: size.get(),
        indexed: handle.index.covered(),
        waiting: handle.intake.depth().0,
        intake: intake(handle).await?,
    })
}

/// Why the newest batch could not be committed, if the reason still holds.
async fn intake(handle: &Handle) -> Result<&'static str, Problem> {
    if let Some(upstream) = &handle.upstream {
        return Ok(if upstream.refused.borrow().is_some() { "log-refused" } else { "mirror" });
    }
    match handle.intake.closed_for() {
        None => Ok(OPEN),
        Some(Later::Storage) => {
            // Room may have been made since; nobody knows until the next submission, except by looking.
            let store = Arc::clone(&handle.store);
            blocking(move || Ok(crate::sequencer::has_room(store.as_ref())))
                .await
                .map(|has_room| if has_room { OPEN } else { "storage" })
        }
        Some(Later::Clock) => Ok("clock"),
        Some(Later::Full | Later::Stopping) => Ok("stopping"),
    }
}
