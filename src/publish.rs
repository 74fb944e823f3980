//! Publishing: the newest applied tree becomes the one that everybody sees, and its waiters get answers.
//!
//! A loop of its own, so that the sequencer never waits for it: it takes all that was applied since the
//! last round and publishes the newest. Nothing is promised to anybody before this.

use std::collections::VecDeque;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{oneshot, watch};
use undersigned_tlog::checkpoint::SignedCheckpoint;
use undersigned_tlog::edge::Recent;
use undersigned_tlog::tree::TreeSize;

use crate::signer::Head;
use crate::store::{Store, StoreError, until_accepted};
use crate::telemetry::meters;

/// How many entries are remembered with their state paths, for answers that come twice: at about 6 kB
/// each, in a state of a million records, some 12 MB.
pub const RECENT_ENTRIES_MAX: usize = 2_048;

/// The tree that everybody sees. Every answer is built from one of these and names it.
#[derive(Debug)]
pub struct Published {
    /// Its size and root.
    pub head: Head,
    /// The signed checkpoint.
    pub checkpoint: Arc<[u8]>,
    /// The tiles of its newest proofs.
    pub recent: Recent,
}

/// An entry, and what its receipt is built from.
#[derive(Debug)]
pub struct Logged<C> {
    /// Its index.
    pub index: u64,
    /// Its bytes.
    pub entry: Arc<[u8]>,
    /// What was cut from the state when it was applied.
    pub cut: C,
}

/// The answer to a submission: where it is, under which tree.
#[derive(Debug)]
pub struct Answer<C> {
    /// The index of its entry.
    pub index: u64,
    /// Whether this submission made the entry; otherwise it was there before.
    pub is_new: bool,
    /// The entry, unless it is too old to be remembered.
    pub logged: Option<Arc<Logged<C>>>,
    /// A published tree that holds it.
    pub published: Arc<Published>,
}

/// Somebody who waits for an entry to be published; `E` is what a waiter is told who has no entry.
#[derive(Debug)]
pub struct Waiter<C, E> {
    /// The index of the entry.
    pub index: u64,
    /// Whether the waiter's submission made it.
    pub is_new: bool,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Result<Answer<C>, E>>,
}

/// A tree whose tiles are written and whose head is signed.
#[derive(Debug)]
pub struct Applied<C, E> {
    /// Its size and root.
    pub head: Head,
    /// The signed head.
    pub signed: SignedCheckpoint,
    /// The tiles of its newest proofs.
    pub recent: Recent,
    /// The entries that it adds.
    pub logged: Vec<Arc<Logged<C>>>,
    /// Who waits for it.
    pub waiters: Vec<Waiter<C, E>>,
}

/// The newest entries, remembered with what was cut at each.
#[derive(Debug)]
pub struct RecentEntries<C> {
    /// Consecutive indexes, oldest first; held for a look-up or a push only.
    entries: Mutex<VecDeque<Arc<Logged<C>>>>,
}

impl<C> Default for RecentEntries<C> {
    fn default() -> Self {
        Self { entries: Mutex::new(VecDeque::new()) }
    }
}

impl<C> RecentEntries<C> {
    /// The entry at an index, if it is remembered.
    #[must_use]
    pub fn find(&self, index: u64) -> Option<Arc<Logged<C>>> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let first = entries.front()?.index;
        let position = usize::try_from(index.checked_sub(first)?).ok()?;
        entries.get(position).cloned()
    }

    fn push(&self, logged: Vec<Arc<Logged<C>>>) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.extend(logged);
        let surplus = entries.len().saturating_sub(RECENT_ENTRIES_MAX);
        entries.drain(..surplus);
    }
}

/// The publish loop. Ends when the sequencer is gone and all is published.
///
/// # Errors
/// The checkpoint cannot be written and the outcome is unknown; the process must stop.
pub fn run<C, E>(
    store: &dyn Store,
    applied: &Receiver<Applied<C, E>>,
    published: &watch::Sender<Arc<Published>>,
    sizes: &watch::Sender<TreeSize>,
    recent_entries: &RecentEntries<C>,
) -> Result<(), StoreError> {
    while let Ok(first) = applied.recv() {
        meters::QUEUE_DEPTH.down(&["publish"]);
        let mut watch = meters::COMMIT_PHASE.watch();
        let mut newest = first;
        let mut waiters: Vec<Waiter<C, E>> = std::mem::take(&mut newest.waiters);
        recent_entries.push(std::mem::take(&mut newest.logged));
        while let Ok(mut next) = applied.try_recv() {
            meters::QUEUE_DEPTH.down(&["publish"]);
            waiters.append(&mut next.waiters);
            recent_entries.push(std::mem::take(&mut next.logged));
            newest = next;
        }
        let checkpoint = newest.signed.bytes();
        // Refused before anything happened, it is tried again: the entries are safe, and people wait.
        until_accepted(|| store.put_checkpoint(&checkpoint))?;
        let snapshot =
            Arc::new(Published { head: newest.head, checkpoint: checkpoint.into(), recent: newest.recent });
        published.send_replace(Arc::clone(&snapshot));
        sizes.send_replace(snapshot.head.size);
        watch.lap("publish");
        tracing::info!(size = snapshot.head.size.get(), waiters = waiters.len(), "published");
        for waiter in waiters.drain(..) {
            let answer = Answer {
                index: waiter.index,
                is_new: waiter.is_new,
                logged: recent_entries.find(waiter.index),
                published: Arc::clone(&snapshot),
            };
            // Who waited may have gone; the entry stays.
            let _ = waiter.reply.send(Ok(answer));
        }
    }
    Ok(())
}
