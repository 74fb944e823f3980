//! The three hashes of the state tree (docs/spec/state-tree.md, ST-10 to ST-12).
//!
//! Their first bytes differ from each other and from those of the log's tree (0x00, 0x01), so that no value of
//! one kind is ever a value of another.

use alloc::vec::Vec;

use undersigned_tlog::hash::{Hash, sha256};

use super::bits;
use super::tally::Tally;

const LEAF: u8 = 0x10;
const NODE: u8 = 0x11;
const EMPTY: u8 = 0x12;

/// The root of the tree without records: H(0x12).
#[must_use]
pub fn empty_root() -> Hash {
    sha256(&[&[EMPTY]])
}

/// H(0x10 || key || H(record)).
pub(super) fn leaf_hash(key: &[u8], record: &[u8]) -> Hash {
    sha256(&[&[LEAF], key, sha256(&[record]).as_bytes()])
}

/// H(0x11 || bits u16 BE || prefix || left hash || left tally || right hash || right tally).
///
/// The prefix is the first `bits` bits of `key`, which is any byte string that begins with it. `scratch` is
/// overwritten; it is passed in so that a walk allocates once.
pub(super) fn node_hash(
    scratch: &mut Vec<u8>,
    bits: u16,
    key: &[u8],
    left: (&Hash, &Tally),
    right: (&Hash, &Tally),
) -> Hash {
    scratch.clear();
    scratch.push(NODE);
    scratch.extend_from_slice(&bits.to_be_bytes());
    bits::push_prefix(scratch, key, bits);
    for (hash, tally) in [left, right] {
        scratch.extend_from_slice(hash.as_bytes());
        tally.encode(scratch);
    }
    sha256(&[scratch])
}
