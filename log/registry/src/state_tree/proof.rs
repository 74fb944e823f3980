//! Subtree proofs and their one binary encoding (docs/spec/state-tree.md, ST-14 to ST-19).
//!
//! A proof answers one question: what lies under this key prefix? Decoding checks the form of the bytes and
//! nothing else; what a proof proves, and whether it does, is found by [`super::verify()`].
//!
//! ```text
//! terminal, one of
//!   0x00                                                                          nothing
//!   0x01 | key length u8 | key | record length u32 BE | record                    leaf
//!   0x02 | bits u16 BE | prefix | left hash 32 | left tally | right hash 32 | right tally   node
//! then
//!   step count u16 BE | step count times: bits u16 BE | sibling hash 32 | sibling tally
//! ```

use alloc::vec::Vec;

use undersigned_tlog::hash::{HASH_BYTES, Hash};

use super::bits::{self, KEY_BITS_MAX, KEY_BYTES_MAX};
use super::reader;
use super::tally::{MalformedTally, Tally};

/// The longest record in bytes: as an entry, 32 KiB.
pub const RECORD_BYTES_MAX: usize = 32 * 1024;

/// The most steps: their lengths in bits differ and are smaller than the longest key, 65 * 8.
pub const STEPS_MAX: usize = 520;

/// A record under its key, and a step with all columns in use. Room to begin with, no limits.
const TERMINAL_BYTES_USUAL: usize = 512;
const STEP_BYTES_USUAL: usize = 2 + HASH_BYTES + 1 + 6 * 9 + 8;

const NOTHING: u8 = 0;
const LEAF: u8 = 1;
const NODE: u8 = 2;

/// What was found under a prefix, and the way from there to the root. Unverified until [`super::verify()`] says so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SubtreeProof {
    /// Where the walk for the prefix ended.
    pub terminal: Terminal,
    /// From the terminal to the root.
    pub steps: Vec<Step>,
}

/// Where a walk ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Terminal {
    /// The tree has no records.
    Nothing,
    /// One record.
    Leaf {
        /// Its whole key.
        key: Vec<u8>,
        /// Its bytes.
        record: Vec<u8>,
    },
    /// A node with at least two records below.
    Node {
        /// The length of the prefix in bits.
        bits: u16,
        /// What all keys below begin with, in whole bytes, unused bits zero.
        prefix: Vec<u8>,
        /// The hash of what has bit `bits` zero.
        left: Hash,
        /// The tally of the same.
        left_tally: Tally,
        /// The hash of what has bit `bits` set.
        right: Hash,
        /// The tally of the same.
        right_tally: Tally,
    },
}

/// One node on the way to the root. Its prefix and its side come from the question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// The length of the node's prefix in bits.
    pub bits: u16,
    /// The hash of the child beside the way.
    pub sibling: Hash,
    /// The tally of the same.
    pub tally: Tally,
}

/// Why bytes are not the encoding of a subtree proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MalformedProof {
    /// A terminal kind other than 0, 1 and 2 (ST-14).
    #[error("terminal kind {found}")]
    Kind {
        /// The kind that came.
        found: u8,
    },
    /// A leaf's key has 1 to [`KEY_BYTES_MAX`] bytes (ST-15).
    #[error("terminal key of {found} bytes")]
    KeyLength {
        /// The length that came.
        found: usize,
    },
    /// A record has at most [`RECORD_BYTES_MAX`] bytes (ST-16).
    #[error("record of {found} bytes")]
    RecordLength {
        /// The length that came.
        found: usize,
    },
    /// A node's prefix is shorter than the longest key (ST-17).
    #[error("node prefix of {found} bits")]
    NodeBits {
        /// The length that came.
        found: u16,
    },
    /// A node's prefix is not its bits in whole bytes with unused bits zero (ST-17).
    #[error("node prefix is not canonical")]
    NodePrefix,
    /// A tally is not in its one encoding (ST-4 to ST-6).
    #[error("malformed tally")]
    Tally(#[from] MalformedTally),
    /// More than [`STEPS_MAX`] steps (ST-18).
    #[error("{found} steps")]
    StepCount {
        /// The number that came.
        found: usize,
    },
    /// The bytes end inside the proof (ST-19).
    #[error("proof ends early")]
    Truncated,
    /// Bytes follow the proof (ST-19).
    #[error("{found} bytes after the proof")]
    Trailing {
        /// How many.
        found: usize,
    },
}

impl MalformedProof {
    /// The rule of docs/spec/state-tree.md that was broken.
    #[must_use]
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::Kind { .. } => "ST-14",
            Self::KeyLength { .. } => "ST-15",
            Self::RecordLength { .. } => "ST-16",
            Self::NodeBits { .. } | Self::NodePrefix => "ST-17",
            Self::Tally(malformed) => malformed.rule(),
            Self::StepCount { .. } => "ST-18",
            Self::Truncated | Self::Trailing { .. } => "ST-19",
        }
    }
}

impl SubtreeProof {
    /// The one encoding. A proof that breaks a limit gives bytes that are no encoding of it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(TERMINAL_BYTES_USUAL + self.steps.len() * STEP_BYTES_USUAL);
        match &self.terminal {
            Terminal::Nothing => out.push(NOTHING),
            Terminal::Leaf { key, record } => {
                out.push(LEAF);
                out.push(u8::try_from(key.len()).unwrap_or(u8::MAX));
                out.extend_from_slice(key);
                out.extend_from_slice(&u32::try_from(record.len()).unwrap_or(u32::MAX).to_be_bytes());
                out.extend_from_slice(record);
            }
            Terminal::Node { bits, prefix, left, left_tally, right, right_tally } => {
                out.push(NODE);
                out.extend_from_slice(&bits.to_be_bytes());
                out.extend_from_slice(prefix);
                for (hash, tally) in [(left, left_tally), (right, right_tally)] {
                    out.extend_from_slice(hash.as_bytes());
                    tally.encode(&mut out);
                }
            }
        }
        out.extend_from_slice(&u16::try_from(self.steps.len()).unwrap_or(u16::MAX).to_be_bytes());
        for step in &self.steps {
            out.extend_from_slice(&step.bits.to_be_bytes());
            out.extend_from_slice(step.sibling.as_bytes());
            step.tally.encode(&mut out);
        }
        out
    }

    /// Reads a proof that fills `bytes`. Equal proofs are equal bytes.
    ///
    /// # Errors
    /// The bytes are not the one encoding of a proof.
    pub fn decode(mut bytes: &[u8]) -> Result<Self, MalformedProof> {
        let input = &mut bytes;
        let terminal = Terminal::decode(input)?;
        let step_count = read_u16(input)?;
        if usize::from(step_count) > STEPS_MAX {
            return Err(MalformedProof::StepCount { found: step_count.into() });
        }
        let mut steps = Vec::new();
        for _ in 0..step_count {
            let bits = read_u16(input)?;
            let (sibling, tally) = read_sums(input)?;
            steps.push(Step { bits, sibling, tally });
        }
        if !input.is_empty() {
            return Err(MalformedProof::Trailing { found: input.len() });
        }
        Ok(Self { terminal, steps })
    }

    /// Whether a proof that was not decoded keeps to the form that decoding assures.
    pub(super) fn check_form(&self) -> Result<(), MalformedProof> {
        if self.steps.len() > STEPS_MAX {
            return Err(MalformedProof::StepCount { found: self.steps.len() });
        }
        match &self.terminal {
            Terminal::Nothing => Ok(()),
            Terminal::Leaf { key, record } => {
                check_key_length(key.len())?;
                check_record_length(record.len())
            }
            Terminal::Node { bits, prefix, .. } => check_node_prefix(*bits, prefix),
        }
    }
}

impl Terminal {
    fn decode(input: &mut &[u8]) -> Result<Self, MalformedProof> {
        let [kind] = reader::array(input).ok_or(MalformedProof::Truncated)?;
        match kind {
            NOTHING => Ok(Self::Nothing),
            LEAF => {
                let [length] = reader::array(input).ok_or(MalformedProof::Truncated)?;
                check_key_length(length.into())?;
                let key = reader::bytes(input, length.into()).ok_or(MalformedProof::Truncated)?.to_vec();
                let length = u32::from_be_bytes(reader::array(input).ok_or(MalformedProof::Truncated)?);
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                check_record_length(length)?;
                let record = reader::bytes(input, length).ok_or(MalformedProof::Truncated)?.to_vec();
                Ok(Self::Leaf { key, record })
            }
            NODE => {
                let bits = read_u16(input)?;
                check_node_bits(bits)?;
                let prefix =
                    reader::bytes(input, bits::byte_length(bits)).ok_or(MalformedProof::Truncated)?;
                check_node_prefix(bits, prefix)?;
                let (left, left_tally) = read_sums(input)?;
                let (right, right_tally) = read_sums(input)?;
                Ok(Self::Node { bits, prefix: prefix.to_vec(), left, left_tally, right, right_tally })
            }
            found => Err(MalformedProof::Kind { found }),
        }
    }
}

fn check_key_length(found: usize) -> Result<(), MalformedProof> {
    if (1..=KEY_BYTES_MAX).contains(&found) { Ok(()) } else { Err(MalformedProof::KeyLength { found }) }
}

fn check_record_length(found: usize) -> Result<(), MalformedProof> {
    if found <= RECORD_BYTES_MAX { Ok(()) } else { Err(MalformedProof::RecordLength { found }) }
}

fn check_node_bits(found: u16) -> Result<(), MalformedProof> {
    if found < KEY_BITS_MAX { Ok(()) } else { Err(MalformedProof::NodeBits { found }) }
}

fn check_node_prefix(bits: u16, prefix: &[u8]) -> Result<(), MalformedProof> {
    check_node_bits(bits)?;
    if bits::is_canonical_prefix(prefix, bits) { Ok(()) } else { Err(MalformedProof::NodePrefix) }
}

fn read_u16(input: &mut &[u8]) -> Result<u16, MalformedProof> {
    reader::array(input).map(u16::from_be_bytes).ok_or(MalformedProof::Truncated)
}

fn read_sums(input: &mut &[u8]) -> Result<(Hash, Tally), MalformedProof> {
    let hash = reader::array::<HASH_BYTES>(input).map(Hash::from_bytes).ok_or(MalformedProof::Truncated)?;
    Ok((hash, Tally::decode(input)?))
}
