//! The sequencer's loop: take what arrived, decide it, commit it, sign it, apply it, hand it on.
//!
//! One thread, one law, one edge. The next batch is whatever arrived while the last one was being
//! committed, and what other cores are checking at that moment; nothing waits where nothing is coming. Each step
//! says what a crash there leaves behind.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use undersigned_registry::json::INTEGER_MAX;
use undersigned_tlog::hash::{Hash, sha256};
use undersigned_tlog::tree::ProveError;

use super::batch::{BATCH_BYTES_MAX, BATCH_ENTRIES_MAX, Batch};
use super::law::{Law, Outcome, Rejected, Tick};
use super::orphans::NewBlobs;
use super::plan::{Edge, EdgeError, Plan};
use super::queue::{Intake, Later, NotLogged, Taken, Waiting};
use super::settle::Written;
use crate::clock::Clock;
use crate::publish::{Applied, Logged, Waiter};
use crate::signer::{Head, SignError, Signer};
use crate::store::{Created, Name, Store, StoreError};
use crate::telemetry::meters::{self, Watch};

/// How far the clock may lie behind the newest entry before intake stops, in seconds: two clocks of one
/// machine may be read in the wrong order, nothing more.
const CLOCK_BEHIND_SECONDS_MAX: u64 = 5;

/// The room that must be left on the disk for a batch to begin: its object, its tiles and bundles (each
/// at most twice a batch), the guard, the checkpoint, and as much again for the index.
const SPACE_RESERVE_BYTES: u64 = 8 * (4 << 20) + (32 << 20);

/// How many ticks one batch takes: each moves as much of the state as some 500 endorsements, and who waits
/// for an answer waits for them all.
const TICKS_PER_BATCH_MAX: usize = 16;

/// How long an idle log goes without looking at the clock while something will fall due: clocks are set, and
/// machines sleep.
const CLOCK_LOOK_SECONDS_MAX: u64 = 60;

/// How long it waits to try again what is due and could not be committed.
const TICK_AGAIN_SECONDS: u64 = 10;

/// The inodes that must be left: a batch has fewer files.
const SPACE_RESERVE_INODES: u64 = 1_024;

/// Why the sequencer stopped: nothing may be built on what is in memory, a restart reads the truth.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    /// The store failed with an unknown outcome.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another writer extended the log.
    #[error(
        "{name} exists with other bytes: another process extended this log\nmake sure that only one serves it, then start again"
    )]
    OtherWriter {
        /// The batch.
        name: Name,
    },
    /// A tile exists with other bytes.
    #[error(
        "{name} exists with other bytes than this log's tree has there\nthe folder holds files of another log or damaged ones; check it with: undersigned audit"
    )]
    OtherTile {
        /// The tile.
        name: Name,
    },
    /// The signer refused.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The law's state cannot be believed any more.
    #[error(
        "{0}\nthe memory of this machine may be failing; start again, and check the machine if it happens again"
    )]
    Law(String),
    /// No plan could be made of admitted entries.
    #[error(transparent)]
    Edge(#[from] EdgeError),
    /// No consistency proof could be cut.
    #[error("no consistency proof from the guard to the new head: {0}")]
    Proof(String),
    /// The loop that publishes or settles is gone.
    #[error("the log's {0} loop has stopped")]
    LoopGone(&'static str),
}

/// What the publish loop is handed.
pub(crate) type ToPublish<L> = Applied<<L as Law>::Cut, NotLogged<<L as Law>::Refusal>>;

/// All that the loop owns.
pub(crate) struct Sequencer<L: Law> {
    pub(crate) law: L,
    pub(crate) edge: Edge,
    pub(crate) signer: Signer,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) applied: SyncSender<ToPublish<L>>,
    pub(crate) written: SyncSender<Written>,
    pub(crate) new_blobs: NewBlobs,
}

/// Where the answer to a submission goes.
type ReplyTo<L> = tokio::sync::oneshot::Sender<super::queue::Reply<L>>;

/// What the law made of the submissions of a batch.
struct Decided<L: Law> {
    entries: Vec<Vec<u8>>,
    cuts: Vec<L::Cut>,
    blobs: Vec<Vec<u8>>,
    /// Refusals rest on the entries before them in the same batch, so nobody is told before those are
    /// committed.
    refused: Vec<(ReplyTo<L>, L::Refusal)>,
    waiters: Vec<Waiter<L::Cut, NotLogged<L::Refusal>>>,
}

impl<L: Law> Decided<L> {
    fn new(waiting: usize) -> Self {
        Self {
            entries: Vec::with_capacity(waiting),
            cuts: Vec::with_capacity(waiting),
            blobs: Vec::new(),
            refused: Vec::new(),
            waiters: Vec::with_capacity(waiting),
        }
    }
}

/// Whether a batch was committed.
enum Committed {
    Yes,
    /// Nothing was written that counts; the reason passes.
    No(Later),
}

/// How a batch ended.
enum Ended {
    /// Its entries were committed.
    Committed,
    /// None could be.
    Closed(Later),
    /// There was none to commit: all were refused, repeated or gone.
    Nothing,
}

impl<L: Law> Sequencer<L> {
    /// Runs until the intake is closed and empty; gives the law back then.
    pub(crate) fn run(mut self, intake: &Intake<L>) -> Result<L, Fatal> {
        while let Some(Taken { waiting, questions }) =
            intake.take(BATCH_ENTRIES_MAX, BATCH_BYTES_MAX, self.patience(intake.closed_for()))
        {
            let closed_for = intake.closed_for();
            let is_idle = waiting.is_empty() && questions.is_empty();
            // Between two batches: all that the law decided is committed.
            for question in questions {
                question(&mut self.law);
            }
            // What could not be committed is not tried again with every question.
            let asks_for_tick = self.is_due() && (closed_for.is_none() || is_idle);
            if !waiting.is_empty() || asks_for_tick {
                match self.batch(waiting)? {
                    Ended::Committed => intake.note_closed_for(None),
                    Ended::Closed(later) => {
                        intake.note_closed_for(Some(later));
                        meters::BATCHES.add(&[if later == Later::Clock { "clock" } else { "storage" }], 1);
                    }
                    Ended::Nothing => {}
                }
            }
        }
        Ok(self.law)
    }

    /// How long to wait for work: until time alone asks for an entry. `None`: for ever.
    fn patience(&self, closed_for: Option<Later>) -> Option<Duration> {
        let due = self.law.next_due()?;
        let seconds = match (closed_for, self.clock.now()) {
            (None, Ok(now)) => due.saturating_sub(now).min(CLOCK_LOOK_SECONDS_MAX),
            _ => TICK_AGAIN_SECONDS,
        };
        Some(Duration::from_secs(seconds))
    }

    fn is_due(&self) -> bool {
        self.law.next_due().is_some_and(|due| self.clock.now().is_ok_and(|now| due <= now))
    }

    /// What is due, and then what waits. More ticks than a batch takes are batches of their own before it.
    fn batch(&mut self, waiting: Vec<Waiting<L>>) -> Result<Ended, Fatal> {
        let received = match self.read_clock() {
            Ok(received) => received,
            Err(later) => {
                refuse_all::<L>(waiting.into_iter().map(|waiting| waiting.reply), later);
                return Ok(Ended::Closed(later));
            }
        };
        loop {
            let mut watch = meters::COMMIT_PHASE.watch();
            let mut decided = Decided::new(waiting.len());
            if self.tick(&mut decided, received)? {
                self.decide(&mut decided, waiting, received)?;
                return self.conclude(decided, &mut watch);
            }
            if let Ended::Closed(later) = self.conclude(decided, &mut watch)? {
                refuse_all::<L>(waiting.into_iter().map(|waiting| waiting.reply), later);
                return Ok(Ended::Closed(later));
            }
        }
    }

    /// Makes the ticks that are due, as many as fit; returns whether nothing is due any more.
    fn tick(&mut self, decided: &mut Decided<L>, received: u64) -> Result<bool, Fatal> {
        for _ in 0..TICKS_PER_BATCH_MAX {
            let Some(Tick { entry, cut }) = self.law.tick(received).map_err(Fatal::Law)? else {
                return Ok(true);
            };
            decided.entries.push(entry);
            decided.cuts.push(cut);
        }
        Ok(self.law.next_due().is_none_or(|due| due > received))
    }

    /// Commits what was decided, and answers.
    fn conclude(&mut self, mut decided: Decided<L>, watch: &mut Watch) -> Result<Ended, Fatal> {
        let refused = std::mem::take(&mut decided.refused);
        if decided.entries.is_empty() {
            tell_refusals::<L>(refused);
            self.hand_on_repeats(decided.waiters)?;
            return Ok(Ended::Nothing);
        }
        let plan = self.edge.plan(&decided.entries)?;
        watch.lap("decide");
        let batch = Batch {
            identity: self.law.identity(),
            old: plan.old,
            new: plan.new,
            entries: std::mem::take(&mut decided.entries),
        };
        match self.commit(&batch, &decided.blobs, watch)? {
            Committed::Yes => {
                decided.entries = batch.entries;
                self.law.keep();
                tell_refusals::<L>(refused);
            }
            Committed::No(later) => {
                self.law.undo().map_err(Fatal::Law)?;
                let replies = decided.waiters.into_iter().map(|waiter| waiter.reply);
                refuse_all::<L>(replies.chain(refused.into_iter().map(|(reply, _)| reply)), later);
                return Ok(Ended::Closed(later));
            }
        }
        self.finish(plan, decided, watch)?;
        Ok(Ended::Committed)
    }

    /// The one reading of the clock for a batch; it never goes back along the log.
    fn read_clock(&self) -> Result<u64, Later> {
        let last = self.law.received();
        match self.clock.now() {
            // No entry could say a later second than that.
            Ok(now) if now > INTEGER_MAX => Err(Later::Clock),
            Ok(now) if last.saturating_sub(now) <= CLOCK_BEHIND_SECONDS_MAX => Ok(now.max(last)),
            Ok(now) => {
                tracing::error!(now, last, "the clock lies behind the newest entry; intake is closed");
                Err(Later::Clock)
            }
            Err(jump) => {
                tracing::error!(%jump, "the clock jumped; intake is closed until a restart");
                Err(Later::Clock)
            }
        }
    }

    /// Runs the law over what waits, in order.
    fn decide(
        &mut self,
        decided: &mut Decided<L>,
        waiting: Vec<Waiting<L>>,
        received: u64,
    ) -> Result<(), Fatal> {
        for Waiting { submission, reply, .. } in waiting {
            if reply.is_closed() {
                // Who sent it has gone before anything was done.
                continue;
            }
            let index = self.law.size();
            match self.law.decide(submission, received) {
                Ok(Outcome::Entry { entry, blobs, cut }) => {
                    decided.entries.push(entry);
                    decided.cuts.push(cut);
                    decided.blobs.extend(blobs);
                    decided.waiters.push(Waiter { index, is_new: true, reply });
                }
                Ok(Outcome::Repeat { entry }) => {
                    decided.waiters.push(Waiter { index: entry, is_new: false, reply });
                }
                Err(Rejected::Refused(refusal)) => decided.refused.push((reply, refusal)),
                Err(Rejected::Fatal(reason)) => return Err(Fatal::Law(reason)),
            }
        }
        Ok(())
    }

    /// Blobs, then the batch object: creating it is the commit.
    ///
    /// A crash before it leaves blobs that nothing names; a crash after it leaves a committed batch that
    /// the next start applies.
    fn commit(&mut self, batch: &Batch, blobs: &[Vec<u8>], watch: &mut Watch) -> Result<Committed, Fatal> {
        if !has_room(self.store.as_ref()) {
            return Ok(Committed::No(Later::Storage));
        }
        let hashes: Vec<Hash> = blobs.iter().map(|blob| sha256(&[blob])).collect();
        let new = match self.new_blobs.list(self.store.as_ref(), batch.old.size, &hashes) {
            Ok(new) => new,
            Err(error) if error.is_fatal() => return Err(error.into()),
            Err(error) => {
                tracing::error!(%error, "nothing committed; intake is closed until there is room");
                return Ok(Committed::No(Later::Storage));
            }
        };
        let written = self.store_blobs(blobs).and_then(|()| {
            watch.lap("blobs");
            let name = Name::batch(batch.old.size.get());
            let bytes = batch.encode().map_err(|error| Fatal::Law(error.to_string()))?;
            match self.store.create(&name, &bytes)? {
                // `Equal` is our own write of which the first answer was lost.
                Created::New | Created::Equal => Ok(()),
                Created::Different => Err(Fatal::OtherWriter { name }),
            }
        });
        match written {
            Ok(()) => {
                watch.lap("create");
                meters::BATCHES.add(&["committed"], 1);
                meters::ENTRIES.add(&[], batch.new.size.get().saturating_sub(batch.old.size.get()));
                tracing::info!(size = batch.new.size.get(), entries = batch.entries.len(), "committed");
                Ok(Committed::Yes)
            }
            Err(Fatal::Store(error @ StoreError::Refused { .. })) => {
                tracing::error!(%error, "nothing committed; intake is closed until there is room");
                self.delete_new_blobs(&new)?;
                Ok(Committed::No(Later::Storage))
            }
            Err(fatal) => Err(fatal),
        }
    }

    /// The batch that they came with was not committed, and no other entry names them.
    fn delete_new_blobs(&self, new: &[Name]) -> Result<(), Fatal> {
        for name in new {
            match self.store.delete(name) {
                Ok(()) => {}
                Err(error) if error.is_fatal() => return Err(error.into()),
                Err(error) => tracing::warn!(%error, "a blob that no entry names stays"),
            }
        }
        Ok(())
    }

    /// A blob is named by its hash, so whatever else stands under its name is damage, and the right bytes
    /// are at hand: it is repaired. Otherwise one rotten file would let any stranger who sends the same
    /// words stop the log.
    fn store_blobs(&self, blobs: &[Vec<u8>]) -> Result<(), Fatal> {
        let mut names: Vec<Name> = Vec::with_capacity(blobs.len());
        for blob in blobs {
            let name = Name::blob(&sha256(&[blob]));
            match self.store.create_pending(&name, blob)? {
                Created::New | Created::Equal => {}
                Created::Different => {
                    tracing::error!(%name, "a blob was damaged on the disk; it is written again");
                    // A crash here leaves no blob: of an entry it was lost before, else nobody names it.
                    self.store.delete(&name)?;
                    match self.store.create_pending(&name, blob)? {
                        Created::New | Created::Equal => {}
                        Created::Different => return Err(Fatal::OtherTile { name }),
                    }
                }
            }
            names.push(name);
        }
        if !names.is_empty() {
            self.store.settle(&names)?;
        }
        Ok(())
    }

    /// Signs the committed head, writes its tiles, and hands it to the loops that publish and settle.
    ///
    /// A crash in here leaves a committed batch: the next start signs the same head and writes the same
    /// tiles.
    fn finish(&mut self, plan: Plan, decided: Decided<L>, watch: &mut Watch) -> Result<(), Fatal> {
        let Plan { edge, old, new, objects, filled } = plan;
        let recent = edge.recent().clone();
        let proof = consistency(&recent, self.signer.guard(), new).map_err(Fatal::Proof)?;
        let signed = self.signer.sign(new, &proof)?;
        watch.lap("sign");
        apply(self.store.as_ref(), &objects)?;
        watch.lap("apply");
        self.edge = edge;
        let first = old.size.get();
        let logged = (first..)
            .zip(decided.entries.into_iter().zip(decided.cuts))
            .map(|(index, (entry, cut))| Arc::new(Logged { index, entry: entry.into(), cut }))
            .collect();
        meters::QUEUE_DEPTH.up(&["publish"]);
        self.applied
            .send(Applied { head: new, signed, recent, logged, waiters: decided.waiters })
            .map_err(|_| Fatal::LoopGone("publish"))?;
        let objects = objects.into_iter().map(|(name, bytes)| (name, sha256(&[&bytes]))).collect();
        meters::QUEUE_DEPTH.up(&["settle"]);
        self.written
            .send(Written { batch: Name::batch(first), head: new, objects, filled })
            .map_err(|_| Fatal::LoopGone("settle"))
    }

    /// A batch that only repeats what is in the log: the tree stays, its waiters are answered under it.
    fn hand_on_repeats(&mut self, waiters: Vec<Waiter<L::Cut, NotLogged<L::Refusal>>>) -> Result<(), Fatal> {
        if waiters.is_empty() {
            return Ok(());
        }
        let head = self.edge.head();
        let signed = self.signer.sign(head, &[])?;
        let recent = self.edge.recent().clone();
        meters::QUEUE_DEPTH.up(&["publish"]);
        self.applied
            .send(Applied { head, signed, recent, logged: Vec::new(), waiters })
            .map_err(|_| Fatal::LoopGone("publish"))
    }
}

/// Whether a batch may begin. Not knowing is no: nothing has been written yet.
#[must_use]
pub fn has_room(store: &dyn Store) -> bool {
    match store.free_space() {
        Ok(None) => true,
        Ok(Some(space)) => {
            let bytes = space.bytes >= SPACE_RESERVE_BYTES;
            let inodes = space.inodes.is_none_or(|inodes| inodes >= SPACE_RESERVE_INODES);
            if !(bytes && inodes) {
                tracing::error!(
                    bytes = space.bytes,
                    inodes = space.inodes,
                    "no room for a batch; intake is closed"
                );
            }
            bytes && inodes
        }
        Err(error) => {
            tracing::error!(%error, "the room on the disk is unknown; intake is closed");
            false
        }
    }
}

/// Writes tiles and bundles, create-only: what exists with equal bytes is done.
pub(super) fn apply(store: &dyn Store, objects: &[(Name, Vec<u8>)]) -> Result<(), Fatal> {
    for (name, bytes) in objects {
        match store.create_pending(name, bytes)? {
            Created::New | Created::Equal => {}
            Created::Different => return Err(Fatal::OtherTile { name: name.clone() }),
        }
    }
    Ok(())
}

fn consistency(
    recent: &undersigned_tlog::edge::Recent,
    from: Head,
    to: Head,
) -> Result<Vec<undersigned_tlog::hash::Hash>, String> {
    recent.consistency_proof(from.size, to.size).map_err(|error: ProveError<_>| error.to_string())
}

fn tell_refusals<L: Law>(refused: Vec<(ReplyTo<L>, L::Refusal)>) {
    for (reply, refusal) in refused {
        let _ = reply.send(Err(NotLogged::Refused(refusal)));
    }
}

fn refuse_all<L: Law>(replies: impl Iterator<Item = ReplyTo<L>>, later: Later) {
    for reply in replies {
        let _ = reply.send(Err(NotLogged::Later(later)));
    }
}
