//! The batch object: one create-only file, named by the size it extends, that commits a run of entries.
//!
//! Follows `docs/spec/storage.md`, rules SO-10 to SO-16: one line of canonical JSON, then the entries in
//! the encoding of an entry bundle. It is the write-ahead record and the lock in one.

use std::borrow::Cow;

use undersigned_registry::json::{self, ObjectWriter, Value};
use undersigned_tlog::hash::Hash;
use undersigned_tlog::tile::{BundleReader, bundle_append};
use undersigned_tlog::tree::TreeSize;

use crate::signer::Head;

/// The most entries of one batch.
pub const BATCH_ENTRIES_MAX: usize = 1_024;

/// The most bytes of entries in one batch: 1,024 entries of 4 KiB.
pub const BATCH_BYTES_MAX: usize = 4 << 20;

/// The header line has an origin, two sizes and three hashes.
const HEADER_BYTES_MAX: usize = 1_024;

/// A batch, as it is read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The name of the log.
    pub identity: String,
    /// The head it extends.
    pub old: Head,
    /// The head it makes.
    pub new: Head,
    /// The entries in between.
    pub entries: Vec<Vec<u8>>,
}

/// Why bytes are not a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// The first line is not the header of a batch, or is not there.
    #[error("its first line is not the header of a batch")]
    Header,
    /// What follows is not a run of entries.
    #[error("its entries are cut off or have bytes around them")]
    Entries,
    /// The sizes and the number of entries disagree.
    #[error("its sizes do not fit the number of its entries")]
    Sizes,
}

impl Batch {
    /// The bytes of the object.
    ///
    /// # Errors
    /// An entry is larger than a bundle can hold, which no law makes.
    pub fn encode(&self) -> Result<Vec<u8>, BatchError> {
        let mut bytes =
            Vec::with_capacity(512 + self.entries.iter().map(|entry| entry.len() + 2).sum::<usize>());
        ObjectWriter::new(&mut bytes)
            .hash("new_root", &self.new.root)
            .integer("new_size", self.new.size.get())
            .hash("old_root", &self.old.root)
            .integer("old_size", self.old.size.get())
            .text("registry", &self.identity)
            .finish();
        bytes.push(b'\n');
        for entry in &self.entries {
            bundle_append(&mut bytes, entry).map_err(|_| BatchError::Entries)?;
        }
        Ok(bytes)
    }

    /// Reads a batch.
    ///
    /// # Errors
    /// The rule that the bytes break.
    pub fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        let end = bytes.iter().position(|byte| *byte == b'\n').ok_or(BatchError::Header)?;
        let (header, rest) = bytes.split_at(end);
        let (identity, old, new) = parse_header(header).ok_or(BatchError::Header)?;
        let entries: Vec<Vec<u8>> = BundleReader::new(rest.get(1..).unwrap_or_default())
            .map(|entry| entry.map(<[u8]>::to_vec))
            .collect::<Result<_, _>>()
            .map_err(|_| BatchError::Entries)?;
        if entries.is_empty() || old.size.plus(entries.len()) != Some(new.size) {
            return Err(BatchError::Sizes);
        }
        Ok(Self { identity, old, new, entries })
    }
}

fn parse_header(header: &[u8]) -> Option<(String, Head, Head)> {
    let Value::Object(members) = json::parse(header, HEADER_BYTES_MAX).ok()? else { return None };
    let mut members = members.into_iter();
    let mut head = |root: &str, size: &str| {
        let (Value::Text(hash), Value::Integer(count)) =
            (member(members.next()?, root)?, member(members.next()?, size)?)
        else {
            return None;
        };
        Some(Head { size: TreeSize::new(count), root: Hash::from_hex(&hash).ok()? })
    };
    let new = head("new_root", "new_size")?;
    let old = head("old_root", "old_size")?;
    let Value::Text(identity) = member(members.next()?, "registry")? else { return None };
    members.next().is_none().then_some((identity.into_owned(), old, new))
}

fn member<'a>((name, value): (Cow<'a, str>, Value<'a>), expected: &str) -> Option<Value<'a>> {
    (name == expected).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> Batch {
        Batch {
            identity: "registry.example/log1#".to_owned() + &"0".repeat(64),
            old: Head { size: TreeSize::new(5), root: Hash::from_bytes([1; 32]) },
            new: Head { size: TreeSize::new(7), root: Hash::from_bytes([2; 32]) },
            entries: vec![b"one".to_vec(), Vec::new()],
        }
    }

    #[test]
    fn a_batch_reads_back() {
        let bytes = batch().encode();
        assert_eq!(bytes.and_then(|bytes| Batch::parse(&bytes)), Ok(batch()));
    }

    #[test]
    fn a_torn_or_foreign_batch_is_none() {
        // docs/spec/storage.md, SO-10 and SO-12.
        let bytes = batch().encode().unwrap_or_default();
        assert_eq!(Batch::parse(b""), Err(BatchError::Header));
        assert_eq!(Batch::parse(&[0; 200]), Err(BatchError::Header));
        for length in 0..bytes.len() {
            assert!(Batch::parse(&bytes[..length]).is_err(), "cut to {length}");
        }
        let other = Batch { new: Head { size: TreeSize::new(8), ..batch().new }, ..batch() };
        assert_eq!(other.encode().and_then(|bytes| Batch::parse(&bytes)), Err(BatchError::Sizes));
        let mut more = bytes;
        more.push(0);
        assert_eq!(Batch::parse(&more), Err(BatchError::Entries));
    }
}
