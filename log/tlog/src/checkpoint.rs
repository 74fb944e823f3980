//! Checkpoints: a log's signed statement of its size and root (C2SP tlog-checkpoint v1.1.0).
//!
//! ```text
//! <origin>\n
//! <tree size>\n
//! <base64 root, 44 characters>\n
//! ```
//!
//! Stricter than the specification: no extension lines, an origin of at most 255 bytes that is a key
//! name, and [`SignedCheckpoint::open`] wants the signature of *every* given key of the origin.
//!
//! Not here: whether two checkpoints are consistent ([`crate::tree::verify_consistency`]), cosignatures,
//! and how old a checkpoint is: its text has no time.

use alloc::format;
use alloc::string::String;
use core::fmt;

use crate::codec::decimal;
use crate::hash::{Hash, empty_root};
use crate::note::{KeyName, NameError};
use crate::tree::TreeSize;

mod signed;

pub use signed::{OpenCheckpointError, SignCheckpointError, SignedCheckpoint};

/// The longest origin in bytes: the ML-DSA-44 message of tlog-cosignature gives its length in one byte.
pub const ORIGIN_BYTES_MAX: usize = 255;

/// Why a text is no origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// Not a key name, which every origin is here.
    #[error("the origin is not a key name")]
    Name(#[from] NameError),
    /// Longer than [`ORIGIN_BYTES_MAX`].
    #[error("the origin has {bytes} bytes, the most is {ORIGIN_BYTES_MAX}")]
    TooLong {
        /// The length that came.
        bytes: usize,
    },
}

/// The name of a log, and of its keys: a key name of at most 255 bytes, by custom its URL without scheme.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(KeyName);

impl Origin {
    /// Checks an origin.
    ///
    /// # Errors
    /// Not a key name, or too long.
    pub fn new(origin: &str) -> Result<Self, OriginError> {
        if origin.len() > ORIGIN_BYTES_MAX {
            return Err(OriginError::TooLong { bytes: origin.len() });
        }
        Ok(Self(KeyName::new(origin)?))
    }

    /// The origin.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The name that the keys of this log have.
    #[must_use]
    pub const fn key_name(&self) -> &KeyName {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a text is no checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Fewer than three lines, or the last one does not end in a line feed.
    #[error("not three lines of origin, tree size and root")]
    Lines,
    /// The first line is no origin.
    #[error("the first line is not an origin")]
    Origin(#[from] OriginError),
    /// The second line is no canonical decimal.
    #[error("the tree size is not a decimal without leading zeros")]
    Size,
    /// The third line is no canonical base64 of 32 bytes.
    #[error("the root is not the canonical base64 of 32 bytes")]
    Root,
    /// Lines after the root, which no signature of tlog-cosignature's second kind would cover.
    #[error("extension lines after the root")]
    Extension,
    /// A tree without leaves has one root, SHA-256 of nothing.
    #[error("the root of a tree without leaves is not the empty root")]
    EmptyRoot,
}

/// An origin, a tree size and a root, signed by nobody yet.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Checkpoint {
    origin: Origin,
    size: TreeSize,
    root: Hash,
}

impl Checkpoint {
    /// A checkpoint of these parts.
    ///
    /// # Errors
    /// [`CheckpointError::EmptyRoot`] for size 0 with another root than the empty one.
    pub fn new(origin: Origin, size: TreeSize, root: Hash) -> Result<Self, CheckpointError> {
        if size == TreeSize::EMPTY && root != empty_root() {
            return Err(CheckpointError::EmptyRoot);
        }
        Ok(Self { origin, size, root })
    }

    /// Reads the text of a checkpoint. [`Checkpoint::text`] gives the same text back.
    ///
    /// # Errors
    /// The rule that the text breaks.
    pub fn parse_text(text: &str) -> Result<Self, CheckpointError> {
        let (origin, rest) = text.split_once('\n').ok_or(CheckpointError::Lines)?;
        let (size, rest) = rest.split_once('\n').ok_or(CheckpointError::Lines)?;
        let (root, rest) = rest.split_once('\n').ok_or(CheckpointError::Lines)?;
        if !rest.is_empty() {
            return Err(CheckpointError::Extension);
        }
        let origin = Origin::new(origin)?;
        let size = decimal(size).map(TreeSize::new).map_err(|_| CheckpointError::Size)?;
        let root = Hash::from_base64(root).map_err(|_| CheckpointError::Root)?;
        Self::new(origin, size, root)
    }

    /// The three lines that are signed.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root.to_base64())
    }

    /// The name of the log.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// How many leaves the tree has.
    #[must_use]
    pub const fn size(&self) -> TreeSize {
        self.size
    }

    /// The root of the tree.
    #[must_use]
    pub const fn root(&self) -> &Hash {
        &self.root
    }
}
