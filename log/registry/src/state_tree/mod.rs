//! The state tree: one root over everything the registry holds, with sums (docs/spec/state-tree.md).
//!
//! It is a compressed binary Merkle tree over the bits of the keys, in which every inner node also commits to the
//! sums of its two children. A root therefore commits to each record, to the number of records of each kind under
//! each key prefix, to the absence of every other key, and to the next second at which anything falls due.
//!
//! ```text
//! leaf  = H(0x10 || key || H(record))
//! node  = H(0x11 || bits u16 BE || prefix || left hash || left tally || right hash || right tally)
//! empty = H(0x12)
//! ```
//!
//! For example, under the version `V` stand the endorsements of parties `A` (trust level 2) and `B` (level 0):
//! keys `7 V A` and `7 V B`, tallies {2: 1} and {0: 1}. If A and B differ first in bit 3, the node above them has
//! `bits` = 8 + 256 + 3 and the sum {0: 1, 2: 1}. A proof for the prefix `7 V` ends in that node, and every step
//! above it is shorter than `7 V`, so this is the whole of `7 V`: two signatories, one with a proven domain. A
//! proof for `7 V A` ends in A's record, and passes the same node on its way: it tells the count too.
//!
//! - [`Tally`]: sums by column;
//! - [`SumTree`]: the live tree, which caller-defined [`Record`]s are written to and proofs are cut from;
//! - [`Builder`]: the same tree from all of its records at once;
//! - [`SubtreeProof`]: a proof and its encoding;
//! - [`verify()`]: what it proves.
//!
//! Not here: keys and records and which tally they have (events and rules), whose root it is (receipts), storage.

mod arena;
mod bits;
mod build;
mod hashing;
mod nodes;
mod proof;
mod reader;
mod tally;
mod tree;
mod verify;

#[cfg(test)]
mod tests;

pub use bits::KEY_BYTES_MAX;
pub use build::{BuildError, Builder, Leaf};
pub use hashing::empty_root;
pub use proof::{MalformedProof, RECORD_BYTES_MAX, STEPS_MAX, Step, SubtreeProof, Terminal};
pub use tally::{COLUMNS_MAX, MalformedTally, NEVER, Tally, TallyOverflow};
pub use tree::{Due, InsertError, NotHashed, Record, Records, SumTree};
pub use verify::{Answer, ProofError, Verified, verify};
