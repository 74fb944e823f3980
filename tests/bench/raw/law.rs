//! The law "any bytes": whatever comes is the next entry, also when it came before.
//!
//! Its whole state is how many entries there are, so that a load test measures the log and not the law.

use undersigned::sequencer::{Law, Outcome, Rejected};
use undersigned_tlog::hash::Hash;
use undersigned_tlog::tile::ENTRY_BYTES_MAX;

/// The fewest bytes of a leaf: nobody means to log nothing.
pub(crate) const LEAF_BYTES_MIN: usize = 1;

/// The most bytes of a leaf: a bundle says the length in 16 bits, so it is one byte less than 64 KiB.
pub(crate) const LEAF_BYTES_MAX: usize = ENTRY_BYTES_MAX;

/// Why bytes are no leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotALeaf {
    /// There are none.
    #[error(
        "the body is empty\nsend the leaf's bytes as the body, {LEAF_BYTES_MIN} to {LEAF_BYTES_MAX} of them"
    )]
    Empty,
    /// There are too many.
    #[error("the body is too long\nsend a leaf of at most {LEAF_BYTES_MAX} bytes")]
    TooLong,
}

/// Bytes that may be a leaf.
#[derive(Debug)]
pub(crate) struct Leaf(Vec<u8>);

impl Leaf {
    /// Takes bytes of a length that a leaf may have.
    ///
    /// # Errors
    /// Another length.
    pub(crate) fn new(bytes: Vec<u8>) -> Result<Self, NotALeaf> {
        match bytes.len() {
            ..LEAF_BYTES_MIN => Err(NotALeaf::Empty),
            LEAF_BYTES_MIN..=LEAF_BYTES_MAX => Ok(Self(bytes)),
            _ => Err(NotALeaf::TooLong),
        }
    }

    /// How many bytes.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// No leaf is refused: its length was checked at the door.
#[derive(Debug)]
pub(crate) enum Never {}

/// The law over one log.
#[derive(Debug)]
pub(crate) struct RawLaw {
    origin: String,
    size: u64,
    /// How many of them are committed.
    kept: u64,
}

impl RawLaw {
    /// The law of a log without entries.
    pub(crate) fn new(origin: &str) -> Self {
        Self { origin: origin.to_owned(), size: 0, kept: 0 }
    }
}

impl Law for RawLaw {
    type Submission = Leaf;
    type Refusal = Never;
    type Cut = ();

    fn identity(&self) -> String {
        self.origin.clone()
    }

    fn size(&self) -> u64 {
        self.size
    }

    /// Entries carry no time, so none lies ahead of the clock.
    fn received(&self) -> u64 {
        0
    }

    fn max_lag(&self) -> u64 {
        0
    }

    fn decide(&mut self, leaf: Leaf, _: u64) -> Result<Outcome<()>, Rejected<Never>> {
        self.size += 1;
        Ok(Outcome::Entry { entry: leaf.0, blobs: Vec::new(), cut: () })
    }

    fn keep(&mut self) {
        self.kept = self.size;
    }

    fn undo(&mut self) -> Result<(), String> {
        self.size = self.kept;
        Ok(())
    }

    fn blobs(&self, _: &[u8]) -> Vec<Hash> {
        Vec::new()
    }

    fn follow(&mut self, entry: &[u8], _: bool) -> Result<(), String> {
        if entry.len() < LEAF_BYTES_MIN {
            return Err("an entry without bytes, which this law never makes".to_owned());
        }
        self.size += 1;
        self.kept = self.size;
        Ok(())
    }
}
