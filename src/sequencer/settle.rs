//! Making tiles durable behind the log, and then letting go of the batches that they came from.
//!
//! A batch object alone carries the durability of its entries. This loop makes their tiles durable,
//! reads them back, writes the marker `private/settled`, and only then deletes what is superseded: old
//! batches beyond the newest 64, and partial tiles whose full form is durable.

use std::collections::VecDeque;
use std::sync::mpsc::Receiver;

use tokio::sync::watch;
use undersigned_registry::json::{self, ObjectWriter, Value};
use undersigned_tlog::hash::{Hash, sha256};
use undersigned_tlog::tile::TilePath;
use undersigned_tlog::tree::TreeSize;

use crate::signer::Head;
use crate::store::{LIST_NAMES_MAX, Name, Prefix, Store, StoreError, until_accepted};
use crate::telemetry::meters;

/// How many batches stay after their tiles are durable.
pub(super) const BATCHES_KEPT: usize = 64;

/// A marker file has a size and a root.
const MARKER_BYTES_MAX: usize = 256;

/// What one batch wrote.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) batch: Name,
    pub(super) head: Head,
    /// Each object with the hash of its bytes.
    pub(super) objects: Vec<(Name, Hash)>,
    pub(super) filled: Vec<TilePath>,
}

/// Why settling stopped.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A tile reads back other than it was written.
    #[error(
        "{name} reads back other than it was written\nthe disk cannot be trusted; its batch is still there, so a restart repairs the file"
    )]
    ReadBack {
        /// Which one.
        name: Name,
    },
}

/// The name of the marker.
#[must_use]
pub(super) fn marker() -> Name {
    Name::private("settled").unwrap_or_else(|_| Name::checkpoint())
}

/// The bytes of the marker for a head.
#[must_use]
pub(super) fn encode(head: Head) -> Vec<u8> {
    let mut line = Vec::new();
    ObjectWriter::new(&mut line).hash("root", &head.root).integer("size", head.size.get()).finish();
    line.push(b'\n');
    line
}

/// Reads the marker.
#[must_use]
pub(super) fn decode(bytes: &[u8]) -> Option<Head> {
    let Value::Object(members) = json::parse(bytes.strip_suffix(b"\n")?, MARKER_BYTES_MAX).ok()? else {
        return None;
    };
    match members.as_slice() {
        [(root_name, Value::Text(root)), (size_name, Value::Integer(size))]
            if root_name == "root" && size_name == "size" =>
        {
            Some(Head { size: TreeSize::new(*size), root: Hash::from_hex(root).ok()? })
        }
        _ => None,
    }
}

/// The settle loop; `settled` is told up to where all is durable. Ends when the sequencer is gone and all is durable.
///
/// # Errors
/// The store failed or a file reads back other than it was written; the process must stop.
pub(super) fn run(
    store: &dyn Store,
    written: &Receiver<Written>,
    settled: &watch::Sender<TreeSize>,
) -> Result<(), SettleError> {
    let mut kept: Option<VecDeque<Name>> = None;
    while let Ok(first) = written.recv() {
        let mut round = vec![first];
        round.extend(written.try_iter());
        round.iter().for_each(|_| meters::QUEUE_DEPTH.down(&["settle"]));
        let mut watch = meters::COMMIT_PHASE.watch();
        if kept.is_none() {
            kept = Some(batches_before(store, &round)?);
        }
        let kept = kept.get_or_insert_default();
        let size = round.last().map(|written| written.head.size);
        settle(store, round, kept)?;
        watch.lap("settle");
        size.map(|size| settled.send_replace(size));
        while kept.len() > BATCHES_KEPT {
            if let Some(oldest) = kept.pop_front() {
                // A crash here leaves a batch below the marker, which nobody reads.
                until_accepted(|| store.delete(&oldest))?;
            }
        }
    }
    Ok(())
}

fn settle(store: &dyn Store, round: Vec<Written>, kept: &mut VecDeque<Name>) -> Result<(), SettleError> {
    let Some(head) = round.last().map(|written| written.head) else { return Ok(()) };
    // Also a partial form that a later batch of the same round superseded: torn by a power cut it would stand
    // under its final name, and the batch that repairs it may be gone by then.
    let names: Vec<Name> =
        round.iter().flat_map(|written| &written.objects).map(|(name, _)| name.clone()).collect();
    until_accepted(|| store.settle(&names))?;
    for (name, hash) in round.iter().flat_map(|written| &written.objects) {
        if store.get(name)?.map(|bytes| sha256(&[&bytes])) != Some(*hash) {
            return Err(SettleError::ReadBack { name: name.clone() });
        }
    }
    until_accepted(|| store.put_marker(&marker(), &encode(head)))?;
    for written in round {
        kept.push_back(written.batch);
        for path in written.filled {
            for partial in store.list(&Prefix::partials(&path), None, LIST_NAMES_MAX)? {
                until_accepted(|| store.delete(&partial))?;
            }
        }
    }
    Ok(())
}

/// The batches of earlier runs, oldest first, for deletion only: the head is never found from a list.
fn batches_before(store: &dyn Store, round: &[Written]) -> Result<VecDeque<Name>, StoreError> {
    let Some(first) = round.first().map(|written| &written.batch) else { return Ok(VecDeque::new()) };
    let mut names = VecDeque::new();
    loop {
        let page = store.list(&Prefix::batches(), names.back(), LIST_NAMES_MAX)?;
        let is_last = page.len() < LIST_NAMES_MAX;
        names.extend(page.into_iter().filter(|name| name < first));
        if is_last {
            return Ok(names);
        }
    }
}
