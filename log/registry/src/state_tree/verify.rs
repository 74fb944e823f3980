//! Checks a subtree proof against a root (docs/spec/state-tree.md, ST-20 to ST-31).
//!
//! Prefix and side of every step are read from the question, so that the walk is the one the question takes in
//! the tree of that root, and no other. At each node of that walk the node's own bytes decide what follows: a
//! length below the question's with the question's bits goes on, anything else ends it. For one root and one
//! question there is therefore at most one proof that passes, whoever built the tree; two would be a collision
//! of SHA-256.
//!
//! Not here: whether the root is the registry's (receipts and checkpoints), and whether the tree under it follows
//! from the log (replay). A tree that was not built by the rules can state wrong sums for what it hides.

use alloc::vec::Vec;

use undersigned_tlog::hash::Hash;

use super::bits::{self, KEY_BYTES_MAX};
use super::hashing::{empty_root, leaf_hash, node_hash};
use super::proof::{MalformedProof, SubtreeProof, Terminal};
use super::tally::{Tally, TallyOverflow};

/// What lies under the prefix that was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// Exactly one record. Its key is the prefix asked for, or begins with it.
    Record {
        /// The whole key.
        key: Vec<u8>,
        /// The record's bytes.
        record: Vec<u8>,
        /// What the verifier computed from the record.
        tally: Tally,
    },
    /// Two or more records, known by their sum.
    Subtree {
        /// The sum over all of them.
        tally: Tally,
    },
    /// No record.
    Absent,
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The proof breaks a limit or form that decoding would have refused.
    #[error("malformed proof")]
    Malformed(#[from] MalformedProof),
    /// A question is 1 to [`KEY_BYTES_MAX`] whole bytes (ST-20).
    #[error("question of {found} bytes")]
    QuestionLength {
        /// The length that came.
        found: usize,
    },
    /// A step is not shorter than the step before it (ST-21).
    #[error("step of {bits} bits is not shorter than the one below it")]
    StepOrder {
        /// The length of the step.
        bits: u16,
    },
    /// A step is not above the whole of what was asked for (ST-22).
    #[error("step of {bits} bits is not above the question")]
    StepBelowQuestion {
        /// The length of the step.
        bits: u16,
    },
    /// Nothing hangs at a step, or the tree is not empty (ST-23).
    #[error("nothing is no answer in a tree with records")]
    NotEmpty,
    /// The caller's rules give the record no tally (ST-24).
    #[error("record has no tally under the rules")]
    Record,
    /// The terminal leaves the question at a bit that the deepest step has already decided (ST-26).
    #[error("terminal leaves the question at bit {diverges}, at or above the deepest step of {deepest} bits")]
    Neighbour {
        /// The first bit in which the terminal and the question differ.
        diverges: u16,
        /// The length of the deepest step.
        deepest: u16,
    },
    /// The question goes on below the terminal (ST-27).
    #[error("terminal is only a beginning of the question")]
    TerminalAboveQuestion,
    /// A sum does not fit (ST-8).
    #[error("sums of the proof do not fit")]
    Overflow(#[from] TallyOverflow),
    /// The walk does not lead to the root (ST-28).
    #[error("proof leads to another root")]
    Root,
}

impl ProofError {
    /// The rule of docs/spec/state-tree.md that was broken.
    #[must_use]
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::Malformed(malformed) => malformed.rule(),
            Self::QuestionLength { .. } => "ST-20",
            Self::StepOrder { .. } => "ST-21",
            Self::StepBelowQuestion { .. } => "ST-22",
            Self::NotEmpty => "ST-23",
            Self::Record => "ST-24",
            Self::Neighbour { .. } => "ST-26",
            Self::TerminalAboveQuestion => "ST-27",
            Self::Overflow(_) => "ST-8",
            Self::Root => "ST-28",
        }
    }
}

/// A proof that passed, with the sums seen on the way. Only [`verify`] makes one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verified {
    /// What lies under the prefix.
    pub answer: Answer,
    /// The sum over the whole tree. It mixes namespaces: of its columns none is a count of anything (ST-9).
    pub root_tally: Tally,
    /// The smallest second at which anything in the whole tree falls due, or [`super::NEVER`].
    pub next_due: u64,
    question: Vec<u8>,
    end: End,
    /// The length and the sum of each step's node, from the terminal to the root.
    sums: Vec<(u16, Tally)>,
}

/// Where the walk ended, as far as sums of shorter prefixes need it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct End {
    hash: Hash,
    tally: Tally,
    /// How many leading bits the terminal shares with the question; all of them if it extends it.
    common: u16,
}

impl Verified {
    /// The sum over everything under `prefix`, which must be a beginning of the question in whole bytes, at least
    /// one, or the question itself. `None` for any other prefix. Nothing under it is [`Tally::ZERO`].
    ///
    /// This needs no further evidence (ST-29). Drop from the proof the steps that are at least as long as the
    /// prefix, and let what they led up to be the terminal: what is left is a proof that [`verify`] accepts for the
    /// shorter question, because its remaining steps are shorter than the prefix. There are three cases:
    /// - some step is at least as long as the prefix: the shortest such step's node extends the prefix and the next
    ///   step is above the prefix, so the node is the whole of what lies under it (two records or more);
    /// - else, the terminal shares the whole prefix: the same holds for the terminal (one record, or a node), also
    ///   when it proved the absence of something longer;
    /// - else the terminal leaves the question inside the prefix and below every step, which proves that nothing
    ///   lies under the prefix. The empty tree is of this kind.
    #[must_use]
    pub fn tally_at(&self, prefix: &[u8]) -> Option<Tally> {
        if prefix.is_empty() || !self.question.starts_with(prefix) {
            return None;
        }
        let length = bits::bit_length(prefix);
        let whole = self.sums.iter().rev().find(|(bits, _)| *bits >= length);
        Some(match whole {
            Some((_, tally)) => tally.clone(),
            None if self.end.common >= length => self.end.tally.clone(),
            None => Tally::ZERO,
        })
    }

    /// The root of the tree that has exactly the records under the question (ST-31): a list is complete if
    /// [`super::SumTree::root`] of its records is this. It is [`empty_root`] where the answer is absence.
    #[must_use]
    pub fn subtree_root(&self) -> Hash {
        match self.answer {
            Answer::Absent => empty_root(),
            Answer::Record { .. } | Answer::Subtree { .. } => self.end.hash,
        }
    }
}

/// Checks a proof for the question `prefix` against `root`.
///
/// `tally_of` computes the tally of a record from its key and bytes by the caller's rules, which also refuse a
/// record that is not theirs. It is asked at most once, and before the root is known to fit: it must stand any
/// input.
///
/// # Errors
/// The first rule that is broken.
pub fn verify(
    proof: &SubtreeProof,
    prefix: &[u8],
    root: &Hash,
    tally_of: impl Fn(&[u8], &[u8]) -> Option<Tally>,
) -> Result<Verified, ProofError> {
    check_lengths(proof, prefix)?;
    let deepest = proof.steps.first().map(|step| step.bits);
    let (present, end) = match &proof.terminal {
        Terminal::Nothing => return verify_empty(proof, prefix, root),
        Terminal::Leaf { key, record } => {
            let (extends, common) = compare(prefix, key, bits::bit_length(key), deepest)?;
            let tally = tally_of(key, record).ok_or(ProofError::Record)?;
            let end = End { hash: leaf_hash(key, record), tally: tally.clone(), common };
            let answer = extends.then(|| Answer::Record { key: key.clone(), record: record.clone(), tally });
            (answer, end)
        }
        Terminal::Node { bits, prefix: node_prefix, left, left_tally, right, right_tally } => {
            let (extends, common) = compare(prefix, node_prefix, *bits, deepest)?;
            let tally = left_tally.checked_add(right_tally)?;
            let (left, right) = ((left, left_tally), (right, right_tally));
            let hash = node_hash(&mut Vec::new(), *bits, node_prefix, left, right);
            let answer = extends.then(|| Answer::Subtree { tally: tally.clone() });
            (answer, End { hash, tally, common })
        }
    };

    let mut scratch = Vec::new();
    let mut sums: Vec<(u16, Tally)> = Vec::with_capacity(proof.steps.len());
    let (mut hash, mut tally) = (end.hash, end.tally.clone());
    for step in &proof.steps {
        let (own, beside) = ((&hash, &tally), (&step.sibling, &step.tally));
        let (left, right) = if bits::bit(prefix, step.bits) { (beside, own) } else { (own, beside) };
        hash = node_hash(&mut scratch, step.bits, prefix, left, right);
        tally = tally.checked_add(&step.tally)?;
        sums.push((step.bits, tally.clone()));
    }
    if hash != *root {
        return Err(ProofError::Root);
    }
    let next_due = tally.next_due();
    let answer = present.unwrap_or(Answer::Absent);
    Ok(Verified { answer, root_tally: tally, next_due, question: prefix.to_vec(), end, sums })
}

/// ST-20 to ST-22, and the form of a proof that was not decoded.
fn check_lengths(proof: &SubtreeProof, prefix: &[u8]) -> Result<(), ProofError> {
    if !(1..=KEY_BYTES_MAX).contains(&prefix.len()) {
        return Err(ProofError::QuestionLength { found: prefix.len() });
    }
    proof.check_form()?;
    let mut below = None;
    for step in &proof.steps {
        if step.bits >= bits::bit_length(prefix) {
            return Err(ProofError::StepBelowQuestion { bits: step.bits });
        }
        if below.is_some_and(|below| step.bits >= below) {
            return Err(ProofError::StepOrder { bits: step.bits });
        }
        below = Some(step.bits);
    }
    Ok(())
}

/// How a terminal stands to the question: whether it extends it, and how many leading bits they share (ST-25 to
/// ST-27).
fn compare(
    question: &[u8],
    label: &[u8],
    bits: u16,
    deepest: Option<u16>,
) -> Result<(bool, u16), ProofError> {
    let common = bits::common_bits(question, label).min(bits);
    if common == bits::bit_length(question) {
        return Ok((true, common));
    }
    if common == bits {
        return Err(ProofError::TerminalAboveQuestion);
    }
    match deepest {
        Some(deepest) if common <= deepest => Err(ProofError::Neighbour { diverges: common, deepest }),
        _ => Ok((false, common)),
    }
}

/// ST-23: a tree without records answers every question.
fn verify_empty(proof: &SubtreeProof, prefix: &[u8], root: &Hash) -> Result<Verified, ProofError> {
    if !proof.steps.is_empty() || *root != empty_root() {
        return Err(ProofError::NotEmpty);
    }
    let end = End { hash: empty_root(), tally: Tally::ZERO, common: 0 };
    let (root_tally, next_due) = (Tally::ZERO, Tally::ZERO.next_due());
    Ok(Verified {
        answer: Answer::Absent,
        root_tally,
        next_due,
        question: prefix.to_vec(),
        end,
        sums: Vec::new(),
    })
}
