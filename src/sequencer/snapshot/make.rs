//! Writing a snapshot: while the log runs, and when it ends in order.
//!
//! The copy is asked for piece by piece, as questions are: between two batches, one piece at a time, and the next
//! when this thread has written the one before. So the sequencer never waits for it, and nothing turns while
//! nothing is to be done.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::runtime::Runtime;
use tokio::sync::watch;
use undersigned_tlog::tree::TreeSize;

use super::{Newest, OBJECT_BYTES, OBJECTS_MAX, delete_others, object_name};
use crate::sequencer::law::{Law, Piece};
use crate::sequencer::queue::Intake;
use crate::store::{Created, Store, StoreError};

/// The room that a snapshot leaves on the disk: four times what a batch asks for.
const SPACE_RESERVE_BYTES: u64 = 256 << 20;

/// When a snapshot is written: how many entries would have to be replayed without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sequencer) struct Pace {
    /// While the log runs: after a quarter of its entries, but no fewer and no more than these.
    pub(in crate::sequencer) running_min: u64,
    pub(in crate::sequencer) running_max: u64,
    /// At an end in order.
    pub(in crate::sequencer) ended: u64,
}

impl Pace {
    /// Replaying takes some 20 to 50 us an entry: a small log needs no snapshot, and a large one starts in
    /// seconds after any end.
    pub(in crate::sequencer) const USUAL: Self =
        Self { running_min: 50_000, running_max: 100_000, ended: 2_000 };

    pub(super) const fn is_due(self, newest: u64, size: u64) -> bool {
        let quarter = newest / 4;
        let between = match (quarter < self.running_min, quarter > self.running_max) {
            (true, _) => self.running_min,
            (_, true) => self.running_max,
            _ => quarter,
        };
        size.saturating_sub(newest) >= between
    }
}

/// The thread that writes snapshots while the log runs.
pub(in crate::sequencer) struct Maker<L: Law> {
    pub(in crate::sequencer) store: Arc<dyn Store>,
    pub(in crate::sequencer) intake: Intake<L>,
    /// Up to where the log is durable.
    pub(in crate::sequencer) settled: watch::Receiver<TreeSize>,
    /// What it waits in.
    pub(in crate::sequencer) runtime: Runtime,
    pub(in crate::sequencer) pace: Pace,
    /// The size of the newest snapshot. Written here, read when the log ends.
    pub(in crate::sequencer) newest: Arc<AtomicU64>,
}

/// How writing one went.
enum Made {
    Whole,
    /// There is no room, or nothing to copy; the next try is as far away as the next snapshot would be.
    GivenUp,
    /// The log ends.
    Interrupted,
}

/// Where the pieces of a copy come from.
trait Pieces {
    /// Begins one; the size of the log it is of. None: the log ends. Zero: there is none to be had.
    fn begin(&mut self) -> Option<u64>;
    /// The next piece; none: the log ends.
    fn next(&mut self) -> Option<Option<Piece>>;
    /// Forgets it.
    fn forget(&mut self);
    /// Waits until the log is durable up to a size; false: the log ends.
    fn wait_until_settled(&mut self, size: u64) -> bool;
}

impl<L: Law> Maker<L> {
    /// Runs until the log ends.
    ///
    /// # Errors
    /// The store failed with an unknown outcome; the process must stop.
    pub(in crate::sequencer) fn run(self) -> Result<(), StoreError> {
        let Self { store, intake, mut settled, runtime, pace, newest } = self;
        let mut tried = newest.load(Ordering::Relaxed);
        loop {
            let size = settled.borrow_and_update().get();
            if pace.is_due(tried, size) {
                let mut pieces = Running { intake: &intake, settled: &mut settled, runtime: &runtime };
                match make(store.as_ref(), &mut pieces, &newest)? {
                    Made::Whole => tried = newest.load(Ordering::Relaxed),
                    Made::GivenUp => tried = size,
                    Made::Interrupted => return Ok(()),
                }
            }
            if runtime.block_on(settled.changed()).is_err() {
                return Ok(());
            }
        }
    }
}

/// Writes the last snapshot of a log that has ended in order, if there is enough in it.
///
/// # Errors
/// The store failed with an unknown outcome.
pub(in crate::sequencer) fn make_last<L: Law>(
    store: &dyn Store,
    law: &mut L,
    pace: Pace,
    newest: &AtomicU64,
) -> Result<(), StoreError> {
    if law.size().saturating_sub(newest.load(Ordering::Relaxed)) >= pace.ended {
        make(store, &mut Ended(law), newest)?;
    }
    Ok(())
}

/// A log that takes submissions meanwhile.
struct Running<'a, L: Law> {
    intake: &'a Intake<L>,
    settled: &'a mut watch::Receiver<TreeSize>,
    runtime: &'a Runtime,
}

impl<L: Law> Running<'_, L> {
    fn ask<A: Send + 'static>(&self, question: impl FnOnce(&mut L) -> A + Send + 'static) -> Option<A> {
        self.intake.ask_for_copy(question).ok()?.blocking_recv().ok()
    }
}

impl<L: Law> Pieces for Running<'_, L> {
    fn begin(&mut self) -> Option<u64> {
        self.ask(begin)
    }

    fn next(&mut self) -> Option<Option<Piece>> {
        self.ask(L::next_piece)
    }

    fn forget(&mut self) {
        // Where the log ends nobody goes on with it.
        let _ = self.ask(L::end_copy);
    }

    fn wait_until_settled(&mut self, size: u64) -> bool {
        self.runtime.block_on(self.settled.wait_for(|settled| settled.get() >= size)).is_ok()
    }
}

/// A log that has ended, all of it durable.
struct Ended<'a, L: Law>(&'a mut L);

impl<L: Law> Pieces for Ended<'_, L> {
    fn begin(&mut self) -> Option<u64> {
        Some(begin(self.0))
    }

    fn next(&mut self) -> Option<Option<Piece>> {
        Some(self.0.next_piece())
    }

    fn forget(&mut self) {
        self.0.end_copy();
    }

    fn wait_until_settled(&mut self, _size: u64) -> bool {
        true
    }
}

fn begin<L: Law>(law: &mut L) -> u64 {
    if law.size() > 0 && law.begin_copy() { law.size() } else { 0 }
}

/// Writes one snapshot and lets go of the one before.
///
/// A crash in here leaves the snapshot before, and objects that nothing names, which the next one deletes.
fn make(store: &dyn Store, pieces: &mut dyn Pieces, newest: &AtomicU64) -> Result<Made, StoreError> {
    let made = match write(store, pieces, newest.load(Ordering::Relaxed)) {
        Ok(Ok(made)) => made,
        Ok(Err(Failed::Interrupted)) => return Ok(Made::Interrupted),
        Ok(Err(Failed::NoCopy)) => return Ok(Made::GivenUp),
        Ok(Err(Failed::NoRoom)) => {
            tracing::warn!(
                "no snapshot of the state is written: there is no room, or too much of it; the next start replays more"
            );
            pieces.forget();
            return Ok(Made::GivenUp);
        }
        Err(error) if error.is_fatal() => return Err(error),
        Err(error) => {
            tracing::warn!(%error, "no snapshot of the state could be written; the next start replays more");
            pieces.forget();
            return Ok(Made::GivenUp);
        }
    };
    newest.store(made.size, Ordering::Relaxed);
    tracing::info!(
        size = made.size,
        records = made.records,
        objects = made.objects,
        "a snapshot of the state was written"
    );
    Ok(Made::Whole)
}

/// Why there is no new snapshot, though nothing failed.
enum Failed {
    Interrupted,
    NoCopy,
    NoRoom,
}

fn write(
    store: &dyn Store,
    pieces: &mut dyn Pieces,
    before: u64,
) -> Result<Result<Newest, Failed>, StoreError> {
    let Ok(name) = Newest::name() else { return Ok(Err(Failed::NoCopy)) };
    // What a crash left, also under the names that come now.
    delete_others(store, before)?;
    let size = match pieces.begin() {
        None => return Ok(Err(Failed::Interrupted)),
        Some(size) if size == 0 || size == before => return Ok(Err(Failed::NoCopy)),
        Some(size) => size,
    };
    let mut made = Newest { objects: 0, records: 0, size };
    let mut object = Vec::new();
    loop {
        let Some(piece) = pieces.next() else { return Ok(Err(Failed::Interrupted)) };
        let is_last = piece.is_none();
        if let Some(piece) = piece {
            object.extend_from_slice(&piece.bytes);
            made.records = made.records.saturating_add(piece.records);
        }
        if object.len() >= OBJECT_BYTES || (is_last && !object.is_empty()) {
            let name = object_name(size, made.objects).ok().filter(|_| made.objects < OBJECTS_MAX);
            let Some(name) = name.filter(|_| has_room(store)) else { return Ok(Err(Failed::NoRoom)) };
            if store.create(&name, &object)? == Created::Different {
                return Ok(Err(Failed::NoRoom));
            }
            made.objects = made.objects.saturating_add(1);
            object.clear();
        }
        if is_last {
            break;
        }
    }
    // A start goes on from settled entries only, and the snapshot before is of use until then.
    if !pieces.wait_until_settled(size) {
        return Ok(Err(Failed::Interrupted));
    }
    store.put_marker(&name, &made.encode())?;
    // A crash here leaves both snapshots; the next one deletes the older.
    delete_others(store, size)?;
    Ok(Ok(made))
}

/// Not knowing is no.
fn has_room(store: &dyn Store) -> bool {
    match store.free_space() {
        Ok(None) => true,
        Ok(Some(space)) => space.bytes >= SPACE_RESERVE_BYTES,
        Err(_) => false,
    }
}
