//! A private snapshot of the law's state, so that a start need not replay the whole log.
//!
//! Follows `docs/spec/storage.md`, rules SO-35 to SO-39. It is a hint: what is read from it is believed only where it
//! gives the state root that an entry of the tree states, and whatever else is odd about it means that the log
//! is replayed from entry 0 on. So its objects have no checksum: that root is one.
//!
//! - `make`: when one is written, and how;
//! - `load`: a law that goes on from it.

mod load;
mod make;
#[cfg(test)]
mod tests;

use undersigned_registry::json::{self, ObjectWriter, Value};
use undersigned_tlog::hash::sha256;

use crate::store::{LIST_NAMES_MAX, Name, NameError, Prefix, Store, StoreError};

pub(super) use load::resume;
pub(super) use make::{Maker, Pace, make_last};

/// An object is closed when it has so many bytes: it is read whole, and no fsync of one keeps a commit waiting
/// for long.
const OBJECT_BYTES: usize = 4 << 20;

/// The most objects of a snapshot: 256 GiB of records.
const OBJECTS_MAX: u64 = 1 << 16;

/// The line has three numbers; below it stands its SHA-256.
const NEWEST_BYTES_MAX: usize = 256;

/// What the snapshots' folder is called below `private/`.
const FOLDER: &str = "snapshot";

/// The newest snapshot that is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Newest {
    objects: u64,
    records: u64,
    /// How many entries the log had.
    size: u64,
}

impl Newest {
    fn name() -> Result<Name, NameError> {
        Name::private(&format!("{FOLDER}/newest"))
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        ObjectWriter::new(&mut bytes)
            .integer("objects", self.objects)
            .integer("records", self.records)
            .integer("size", self.size)
            .finish();
        bytes.push(b'\n');
        let end = format!("{}\n", sha256(&[&bytes]).to_hex());
        bytes.extend_from_slice(end.as_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > NEWEST_BYTES_MAX {
            return None;
        }
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let Value::Object(members) = json::parse(bytes.get(..end)?, NEWEST_BYTES_MAX).ok()? else {
            return None;
        };
        let found = match members.as_slice() {
            [
                (objects_name, Value::Integer(objects)),
                (records_name, Value::Integer(records)),
                (size_name, Value::Integer(size)),
            ] if objects_name == "objects" && records_name == "records" && size_name == "size" => {
                Self { objects: *objects, records: *records, size: *size }
            }
            _ => return None,
        };
        // One form: whatever else stands in the file, its last line included, is other bytes.
        (found.encode() == bytes && found.objects <= OBJECTS_MAX).then_some(found)
    }
}

/// The name of one object of a snapshot.
fn object_name(size: u64, number: u64) -> Result<Name, NameError> {
    Name::private(&format!("{FOLDER}/{size:020}-{number:06}"))
}

/// Deletes the objects of all snapshots but the one of `size`.
fn delete_others(store: &dyn Store, size: u64) -> Result<(), StoreError> {
    let (Ok(prefix), Ok(newest)) = (Prefix::private(FOLDER), Newest::name()) else { return Ok(()) };
    let kept = format!("{prefix}{size:020}-", prefix = prefix.as_str());
    let mut after: Option<Name> = None;
    loop {
        let page = store.list(&prefix, after.as_ref(), LIST_NAMES_MAX)?;
        for name in page.iter().filter(|name| **name != newest && !name.as_str().starts_with(&kept)) {
            store.delete(name)?;
        }
        match page.last() {
            Some(last) if page.len() == LIST_NAMES_MAX => after = Some(last.clone()),
            _ => return Ok(()),
        }
    }
}
