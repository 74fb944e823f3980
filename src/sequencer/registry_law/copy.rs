//! A copy of the state, taken piece by piece between batches, and a state made of one again.
//!
//! The copy is the state as it was when it was begun. Before the law's writes are kept, what they wrote over is put
//! aside where the copy has not been yet, and copied from there: a few records for each entry that comes
//! meanwhile, and none after the copy has gone past. Only committed batches are seen: what was put aside is what
//! stood there at the beginning, and a batch that was undone never gets here.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use undersigned_registry::ledger::Ledger;
use undersigned_registry::record::{Record, StateKey};
use undersigned_registry::state::{Restored, Restoring, State, Undo};

use super::records;
use crate::sequencer::law::{Kept, Piece};

/// How many records are looked at for one piece: one or two milliseconds between two batches. Fewer would let a copy
/// of millions take longer than the log takes to need the next one.
pub(super) const PIECE_RECORDS_MAX: usize = 4_096;

/// How many records of a copy are prepared at once; one more thread puts them together.
const WORKERS_MAX: usize = 4;

/// How many objects of prepared records each of them may be ahead.
const AHEAD_MAX: usize = 2;

/// A copy in the making.
#[derive(Debug, Default)]
pub(super) struct Copy {
    /// The key up to which it has come; empty at the beginning.
    after: Vec<u8>,
    /// What stood under the keys behind that when the copy was begun, where it was written over.
    aside: BTreeMap<StateKey, Option<Record>>,
}

impl Copy {
    /// Puts aside what one entry wrote over.
    pub(super) fn keep(&mut self, undo: Undo) {
        for (key, replaced) in undo.into_replaced() {
            if key.as_bytes() > self.after.as_slice() {
                self.aside.entry(key).or_insert(replaced);
            }
        }
    }

    /// The next piece, for which no more than so many records are looked at; none when all was copied.
    pub(super) fn next(&mut self, state: &State, records_max: usize) -> Option<Piece> {
        let mut piece = Piece { bytes: Vec::new(), records: 0 };
        let mut last = None;
        for (key, record) in state.all_after(&self.after).take(records_max) {
            let aside = self.aside.first_entry().filter(|first| first.key().as_bytes() == key);
            let replaced = aside.map(|first| first.remove());
            let copied = match &replaced {
                None => Some(record),
                Some(replaced) => replaced.as_ref(),
            };
            if let Some(record) = copied {
                // The law writes no record that the tree refuses, and those that it takes have a form here.
                records::write(&mut piece.bytes, key, record)?;
                piece.records = piece.records.saturating_add(1);
            }
            last = Some(key);
        }
        self.after = last?.to_vec();
        Some(piece)
    }
}

/// The state of a copy, whose root nobody has compared yet.
///
/// Records are read and hashed on several cores, each object by one, and put together in their order here.
pub(super) fn restore(kept: &Kept<'_>) -> Result<Ledger, String> {
    let workers = thread::available_parallelism().map_or(1, usize::from).clamp(1, WORKERS_MAX);
    let mut state = Restoring::new();
    thread::scope(|scope| {
        let lines: Vec<Receiver<_>> = (0..workers)
            .map(|worker| {
                let (line, receiver) = sync_channel(AHEAD_MAX);
                scope.spawn(move || prepare(kept, worker, workers, &line));
                receiver
            })
            .collect();
        for line in lines.iter().cycle().take(kept.objects) {
            let prepared = line.recv().map_err(|_| "it could not be read".to_owned())?;
            for record in prepared? {
                state.push(record).map_err(|_| "its records are out of order".to_owned())?;
            }
        }
        Ok::<(), String>(())
    })?;
    let state = state.finish().map_err(|fault| fault.to_string())?;
    Ok(Ledger::resume(kept.size, state))
}

/// Prepares every object whose turn it is. Ends early when nobody takes them any more.
fn prepare(kept: &Kept<'_>, worker: usize, workers: usize, line: &SyncSender<Result<Vec<Restored>, String>>) {
    for object in (worker..kept.objects).step_by(workers) {
        let prepared = (kept.object)(object).and_then(|bytes| prepare_object(&bytes));
        let is_last = prepared.is_err();
        if line.send(prepared).is_err() || is_last {
            return;
        }
    }
}

fn prepare_object(bytes: &[u8]) -> Result<Vec<Restored>, String> {
    let mut rest = bytes;
    let mut prepared = Vec::new();
    while !rest.is_empty() {
        let (key, record) = records::read(&mut rest).ok_or("it has bytes that are no record")?;
        prepared.push(Restoring::prepare(key, record).map_err(|fault| fault.to_string())?);
    }
    Ok(prepared)
}
