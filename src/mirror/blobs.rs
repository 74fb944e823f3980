//! Names and texts beside the log. Each is stored only if its bytes have the hash that a verified entry names.
//!
//! A log may erase one, or have it damaged: the entry stands without it, so the mirror notes that it is
//! missing and goes on. What is missing is asked for again at each start.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;

use undersigned_tlog::hash::{Hash, sha256};

use super::{Log, MirrorError};
use crate::audit::SourceError;
use crate::store::{Created, LIST_NAMES_MAX, Name, Prefix, Store, StoreError};

/// How many blobs are fetched at a time; one has at most 2 MiB.
const FETCHES_MAX: usize = 8;

const MISSING: &str = "missing";

/// Fetches the blobs that entries name, unless they are there; gives the names that are not durable yet.
pub(super) fn take(
    store: &dyn Store,
    log: &dyn Log,
    named: BTreeMap<Hash, u64>,
) -> Result<Vec<Name>, MirrorError> {
    let mut wanted = Vec::new();
    let mut written = Vec::new();
    for (hash, entry) in named {
        if is_there(store, &hash)? {
            // From before a crash, perhaps: it need not be durable.
            written.push(Name::blob(&hash));
        } else if store.get(&missing(&hash)?)?.is_none() {
            wanted.push((hash, entry));
        }
    }
    let line = Mutex::new(wanted.into_iter());
    let next = || line.lock().unwrap_or_else(PoisonError::into_inner).next();
    let fetched = std::thread::scope(|scope| {
        let fetch = || -> Result<Vec<Name>, MirrorError> {
            let mut written = Vec::new();
            while let Some((hash, entry)) = next() {
                written.extend(fetch_one(store, log, &hash, entry)?);
            }
            Ok(written)
        };
        let threads: Vec<_> = (1..FETCHES_MAX).map(|_| scope.spawn(fetch)).collect();
        let mut all = vec![fetch()];
        all.extend(threads.into_iter().map(|thread| {
            thread.join().unwrap_or_else(|_| Err(SourceError::Empty { name: log.name() }.into()))
        }));
        all
    });
    for names in fetched {
        written.extend(names?);
    }
    Ok(written)
}

/// Asks once more for what was missing.
pub(super) fn ask_again(store: &dyn Store, log: &dyn Log) -> Result<(), MirrorError> {
    let prefix = Prefix::private(MISSING).map_err(|_| SourceError::Empty { name: log.name() })?;
    let mut after = None;
    loop {
        let page = store.list(&prefix, after.as_ref(), LIST_NAMES_MAX)?;
        for marker in &page {
            let hex = marker.as_str().rsplit('/').next().unwrap_or_default();
            let Ok(hash) = Hash::from_hex(hex) else { continue };
            let Some(bytes) = good(log, &hash)? else { continue };
            let name = Name::blob(&hash);
            write(store, &name, &bytes)?;
            store.settle(std::slice::from_ref(&name))?;
            store.delete(marker)?;
            tracing::info!(blob = hex, "the log has a blob again that was missing");
        }
        after = page.last().cloned();
        if page.len() < LIST_NAMES_MAX {
            return Ok(());
        }
    }
}

/// Whether the store has the blob whole. One that a power cut tore is taken away.
fn is_there(store: &dyn Store, hash: &Hash) -> Result<bool, StoreError> {
    let name = Name::blob(hash);
    match store.get(&name)? {
        None => Ok(false),
        Some(bytes) if sha256(&[&bytes]) == *hash => Ok(true),
        Some(_) => {
            tracing::warn!(%name, "the blob was torn; it is fetched again");
            store.delete(&name)?;
            Ok(false)
        }
    }
}

fn fetch_one(store: &dyn Store, log: &dyn Log, hash: &Hash, entry: u64) -> Result<Option<Name>, MirrorError> {
    match good(log, hash)? {
        Some(bytes) => {
            let name = Name::blob(hash);
            write(store, &name, &bytes)?;
            Ok(Some(name))
        }
        None => {
            tracing::warn!(blob = %hash, entry, "the log does not have this blob: erased or damaged there; noted as missing");
            let marker = missing(hash)?;
            match store.create(&marker, format!("entry {entry}\n").as_bytes())? {
                // Two entries may name it.
                Created::New | Created::Equal | Created::Different => Ok(None),
            }
        }
    }
}

/// The blob, if the log has it whole.
fn good(log: &dyn Log, hash: &Hash) -> Result<Option<Vec<u8>>, SourceError> {
    Ok(log.blob(hash)?.filter(|bytes| sha256(&[bytes]) == *hash))
}

fn write(store: &dyn Store, name: &Name, bytes: &[u8]) -> Result<(), StoreError> {
    match store.create_pending(name, bytes)? {
        // Its hash was compared; a name with other bytes was deleted before.
        Created::New | Created::Equal | Created::Different => Ok(()),
    }
}

fn missing(hash: &Hash) -> Result<Name, StoreError> {
    Name::private(&format!("{MISSING}/{}", hash.to_hex()))
        .map_err(|error| StoreError::Unreadable { subject: MISSING.to_owned(), source: Box::new(error) })
}
