//! Starting and stopping the loops of a log: sequencer, publish, settle, snapshot.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;

use tokio::sync::watch;
use undersigned_tlog::tree::TreeSize;

use super::law::Law;
use super::orphans::{NewBlobs, Orphans};
use super::queue::Intake;
use super::recover;
use super::refusal::RecoverError;
use super::run::{Fatal, Sequencer};
use super::settle::{self, SettleError};
use super::snapshot::{self, Maker, Pace};
use crate::clock::Clock;
use crate::publish::{self, Published, RecentEntries};
use crate::signer::Signer;
use crate::store::{Store, StoreError};
use crate::telemetry::meters;

/// How many applied trees may wait to be published, and written ones to be settled; the sequencer waits
/// when it is that far ahead.
const AHEAD_MAX: usize = 64;

/// A log that takes submissions.
#[derive(Debug)]
pub struct Running<L: Law> {
    intake: Intake<L>,
    published: watch::Receiver<Arc<Published>>,
    sizes: watch::Receiver<TreeSize>,
    recent_entries: Arc<RecentEntries<L::Cut>>,
    store: Arc<dyn Store>,
    stopped: watch::Receiver<bool>,
    threads: Vec<JoinHandle<Result<(), Stopped>>>,
    /// Gives the law back when the sequencer has ended in order.
    law: mpsc::Receiver<L>,
    pace: Pace,
    /// The size of the newest snapshot.
    newest: Arc<AtomicU64>,
}

/// Why a loop ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// The sequencer.
    #[error(transparent)]
    Sequencer(#[from] Fatal),
    /// The publish loop.
    #[error("publishing: {0}")]
    Publish(#[from] StoreError),
    /// The settle loop.
    #[error("making tiles durable: {0}")]
    Settle(#[from] SettleError),
    /// The loop that writes snapshots.
    #[error("writing a snapshot of the state: {0}")]
    Snapshot(#[source] StoreError),
    /// A loop panicked.
    #[error("a loop of the log panicked; the log itself is safe, start again")]
    Panicked,
}

/// Recovers a log and starts its loops.
///
/// # Errors
/// The log is not fit to be served.
pub fn start<L: Law>(
    store: Arc<dyn Store>,
    law: L,
    signer: Signer,
    clock: Arc<dyn Clock>,
    orphans: Orphans,
) -> Result<Running<L>, RecoverError> {
    start_at_pace(store, law, signer, clock, orphans, Pace::USUAL)
}

/// The same with snapshots as often as a test wants them.
pub(super) fn start_at_pace<L: Law>(
    store: Arc<dyn Store>,
    mut law: L,
    mut signer: Signer,
    clock: Arc<dyn Clock>,
    orphans: Orphans,
    pace: Pace,
) -> Result<Running<L>, RecoverError> {
    let recovered = recover::recover(store.as_ref(), &mut law, &mut signer, clock.as_ref(), orphans)?;
    tracing::info!(size = recovered.edge.head().size.get(), batches = recovered.batches, "recovered");
    let first = Published {
        head: recovered.edge.head(),
        checkpoint: recovered.signed.bytes().into(),
        recent: recovered.edge.recent().clone(),
    };
    let (sizes_sender, sizes) = watch::channel(first.head.size);
    let (published_sender, published) = watch::channel(Arc::new(first));
    meters::QUEUE_LIMIT.set_size(&["publish"], AHEAD_MAX);
    meters::QUEUE_LIMIT.set_size(&["settle"], AHEAD_MAX);
    let (applied, to_publish) = mpsc::sync_channel(AHEAD_MAX);
    let (written, to_settle) = mpsc::sync_channel(AHEAD_MAX);
    let (settled_sender, settled) = watch::channel(*sizes.borrow());
    let (law_sender, law_back) = mpsc::sync_channel(1);
    let newest = Arc::new(AtomicU64::new(recovered.snapshot.get()));
    let recent_entries = Arc::new(RecentEntries::default());
    let intake = Intake::new();
    let maker = Maker {
        store: Arc::clone(&store),
        intake: intake.clone(),
        settled,
        runtime: tokio::runtime::Builder::new_current_thread().build().map_err(RecoverError::Threads)?,
        pace,
        newest: Arc::clone(&newest),
    };
    let sequencer = Sequencer {
        law,
        edge: recovered.edge,
        signer,
        store: Arc::clone(&store),
        clock,
        applied,
        written,
        new_blobs: NewBlobs::new(),
    };
    // Dropped by whichever loop ends first: the receiver then sees that the log has stopped.
    let (stop_sender, stopped) = watch::channel(false);
    let stop_sender = Arc::new(stop_sender);
    let spawn = |name: &str, work: Box<dyn FnOnce() -> Result<(), Stopped> + Send>| {
        let intake = intake.clone();
        let stop_sender = Arc::clone(&stop_sender);
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))
                .unwrap_or(Err(Stopped::Panicked));
            if let Err(error) = &result {
                tracing::error!(%error, "the log stops");
            }
            // Whoever ends first ends all: nobody may wait for a loop that is gone.
            intake.close();
            stop_sender.send_replace(true);
            result
        })
    };
    let line = intake.clone();
    let publish_store = Arc::clone(&store);
    let publish_recent = Arc::clone(&recent_entries);
    let settle_store = Arc::clone(&store);
    let threads = [
        spawn(
            "sequencer",
            Box::new(move || {
                // Also after a panic: the handlers hold the line, so it does not go away by itself.
                let abandoned = AbandonedAtEnd(line);
                let law = sequencer.run(&abandoned.0)?;
                // Nobody takes it where the process ends without waiting.
                let _ = law_sender.send(law);
                Ok(())
            }),
        ),
        spawn(
            "publish",
            Box::new(move || {
                Ok(publish::run(
                    publish_store.as_ref(),
                    &to_publish,
                    &published_sender,
                    &sizes_sender,
                    &publish_recent,
                )?)
            }),
        ),
        spawn(
            "settle",
            Box::new(move || Ok(settle::run(settle_store.as_ref(), &to_settle, &settled_sender)?)),
        ),
        spawn("snapshot", Box::new(move || maker.run().map_err(Stopped::Snapshot))),
    ];
    let threads = threads.into_iter().collect::<io::Result<Vec<_>>>().map_err(RecoverError::Threads)?;
    Ok(Running {
        intake,
        published,
        sizes,
        recent_entries,
        store,
        stopped,
        threads,
        law: law_back,
        pace,
        newest,
    })
}

/// An intake that nobody takes from any more once this is dropped.
struct AbandonedAtEnd<L: Law>(Intake<L>);

impl<L: Law> Drop for AbandonedAtEnd<L> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl<L: Law> Running<L> {
    /// Where submissions and questions go in.
    #[must_use]
    pub const fn intake(&self) -> &Intake<L> {
        &self.intake
    }

    /// The tree that everybody sees, and how to wait for the next one.
    #[must_use]
    pub fn published(&self) -> watch::Receiver<Arc<Published>> {
        self.published.clone()
    }

    /// The size of that tree alone.
    #[must_use]
    pub fn sizes(&self) -> watch::Receiver<TreeSize> {
        self.sizes.clone()
    }

    /// The newest entries.
    #[must_use]
    pub const fn recent_entries(&self) -> &Arc<RecentEntries<L::Cut>> {
        &self.recent_entries
    }

    /// Where the log is kept.
    #[must_use]
    pub const fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// How many entries the newest snapshot of the state had; none: 0.
    #[must_use]
    pub fn snapshot_size(&self) -> u64 {
        self.newest.load(Ordering::Relaxed)
    }

    /// Becomes true when a loop has ended, told to or not.
    #[must_use]
    pub fn stopped(&self) -> watch::Receiver<bool> {
        self.stopped.clone()
    }

    /// Closes the intake, lets what waits be decided, published and settled, ends the loops, and writes a
    /// snapshot of the state for the next start.
    ///
    /// # Errors
    /// Why a loop had ended before it was told to.
    pub fn stop(mut self) -> Result<(), Stopped> {
        self.intake.close();
        let results: Vec<_> =
            self.threads.drain(..).map(|thread| thread.join().unwrap_or(Err(Stopped::Panicked))).collect();
        let mut reasons: Vec<Stopped> = results.into_iter().filter_map(Result::err).collect();
        // A loop that ended because another one was gone does not know why.
        let cause =
            reasons.iter().position(|reason| !matches!(reason, Stopped::Sequencer(Fatal::LoopGone(_))));
        match reasons.is_empty() {
            true => self.make_last_snapshot(),
            false => Err(reasons.swap_remove(cause.unwrap_or(0))),
        }
    }

    /// All is durable now, so that the next start replays nothing.
    fn make_last_snapshot(&self) -> Result<(), Stopped> {
        match self.law.try_recv() {
            Ok(mut law) => snapshot::make_last(self.store.as_ref(), &mut law, self.pace, &self.newest)
                .map_err(Stopped::Snapshot),
            Err(_) => Ok(()),
        }
    }
}
