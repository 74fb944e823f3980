//! What the sequencer asks of a law: it knows neither events nor records, only entries.
//!
//! The registry is one law ([`crate::sequencer::RegistryLaw`]); a log of any bytes would be another.

use undersigned_tlog::hash::Hash;

/// Why a law does not make an entry of a submission.
#[derive(Debug)]
pub enum Rejected<R> {
    /// The submitter's fault: the rule that refuses it.
    Refused(R),
    /// Our fault: the process must stop, for its memory or its state cannot be believed.
    Fatal(String),
}

/// What a law made of a submission.
#[derive(Debug)]
pub enum Outcome<C> {
    /// The next entry.
    Entry {
        /// The leaf's bytes.
        entry: Vec<u8>,
        /// Blobs that must be durable before the entry is committed.
        blobs: Vec<Vec<u8>>,
        /// What the answer is built from beside the tree, cut at this entry.
        cut: C,
    },
    /// It is in the log already, at this index.
    Repeat {
        /// The index of its entry.
        entry: u64,
    },
}

/// An entry that time made.
#[derive(Debug)]
pub struct Tick<C> {
    /// The leaf's bytes.
    pub entry: Vec<u8>,
    /// What its receipt is built from beside the tree.
    pub cut: C,
}

/// A part of a copy of a law's state: whole records, as the law writes them.
#[derive(Debug)]
pub struct Piece {
    /// The records. Pieces may be put together, in their order.
    pub bytes: Vec<u8>,
    /// How many there are.
    pub records: u64,
}

/// A copy of a law's state that was kept from another run. Nothing of it is believed.
pub struct Kept<'a> {
    /// After how many entries it was made.
    pub size: u64,
    /// Entry 0, which is in the tree.
    pub first: &'a [u8],
    /// Entry `size - 1`, which is in the tree.
    pub last: &'a [u8],
    /// How many objects of pieces there are.
    pub objects: usize,
    /// Reads one of them, from any thread.
    pub object: &'a (dyn Fn(usize) -> Result<Vec<u8>, String> + Sync),
}

/// A law over a log: it decides, one submission after another, over a state of its own.
///
/// Entries decided since the last [`Law::keep`] are a batch in the making; [`Law::undo`] takes all of
/// them back. The sequencer is the only caller and owns the law.
pub trait Law: Send + 'static {
    /// What comes from the door, checked as far as bytes go.
    type Submission: Send + 'static;
    /// Which rule refuses.
    type Refusal: Send + 'static;
    /// What answers are built from beside the tree.
    type Cut: Send + Sync + 'static;

    /// The name of the log, as it stands in batch objects; empty before entry 0.
    fn identity(&self) -> String;

    /// How many entries the state holds.
    fn size(&self) -> u64;

    /// The time of the newest entry in POSIX seconds; `received` never lies before it.
    fn received(&self) -> u64;

    /// How far ahead of this machine's clock an entry's time may lie, in seconds.
    fn max_lag(&self) -> u64;

    /// Decides one submission and, unless it refuses, applies it.
    ///
    /// # Errors
    /// The refusal, after which the state is as before; or a fault.
    fn decide(
        &mut self,
        submission: Self::Submission,
        received: u64,
    ) -> Result<Outcome<Self::Cut>, Rejected<Self::Refusal>>;

    /// The smallest second at which time alone moves the state; `None`: it never does.
    fn next_due(&self) -> Option<u64> {
        None
    }

    /// Makes and applies the entry that time asks for, if something is due at `received`. Nothing else is
    /// decided while something is.
    ///
    /// # Errors
    /// A fault of this machine.
    fn tick(&mut self, _received: u64) -> Result<Option<Tick<Self::Cut>>, String> {
        Ok(None)
    }

    /// The batch is committed: what was decided can no longer be taken back.
    fn keep(&mut self);

    /// The batch was not committed: takes back all since the last [`Law::keep`].
    ///
    /// # Errors
    /// The state cannot be restored; the process must stop.
    fn undo(&mut self) -> Result<(), String>;

    /// The blobs that an entry names, by hash: what a start after an unclean end does not sweep away.
    fn blobs(&self, entry: &[u8]) -> Vec<Hash>;

    /// Whether the log may be signed with this verifier key's private side. A law without an opinion, or
    /// before entry 0, says yes.
    fn knows_key(&self, _key: &str) -> bool {
        true
    }

    /// Begins a copy of the state as it is now, when all that was decided is kept; one that was begun before is
    /// forgotten. A law that has no state worth copying says no, and its log is replayed at every start.
    fn begin_copy(&mut self) -> bool {
        false
    }

    /// The next piece of the copy: of the state as it was when the copy was begun, whatever was kept since. None
    /// when it is whole.
    fn next_piece(&mut self) -> Option<Piece> {
        None
    }

    /// Forgets the copy.
    fn end_copy(&mut self) {}

    /// Takes its state from a copy, if that is the one that the entry it was made after states.
    ///
    /// # Errors
    /// It is not, or cannot be read; the law is as before.
    fn restore(&mut self, _kept: &Kept<'_>) -> Result<(), String> {
        Err("this law keeps no copy of its state".to_owned())
    }

    /// Follows an entry that is in the log already. `trusted` says that its tree was signed by this log
    /// before, so that signatures need no second check.
    ///
    /// # Errors
    /// The law would not have made this entry.
    fn follow(&mut self, entry: &[u8], trusted: bool) -> Result<(), String>;
}
