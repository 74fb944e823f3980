//! That the proofs which are counted prove something: the first one of each kind is verified, against the
//! policy and against entry 0 as it lies in the folder.

use std::sync::Arc;

use undersigned_registry::verify::Trust;
use undersigned_tlog::checkpoint::SignedCheckpoint;
use undersigned_tlog::hash::{Hash, leaf_hash};
use undersigned_tlog::proof::TlogProof;
use undersigned_tlog::tree::{TreeSize, verify_consistency, verify_inclusion};
use undersigned_tlog::wire::AddCheckpoint;

use super::super::{CliError, verify};
use super::load::ANSWER_BYTES_MAX;
use super::population::Population;
use crate::store::LocalStore;
use crate::tiles::LogReader;

/// Whoever verifies what was read.
pub(super) struct Verifier<'a> {
    trust: &'a Trust,
    /// The hash of entry 0, and so the root of the tree of one entry.
    first: Hash,
}

impl<'a> Verifier<'a> {
    pub(super) fn new(population: &'a Population, size: TreeSize) -> Result<Self, CliError> {
        let store = LocalStore::open_for_reading(&population.place().data).map_err(CliError::fault)?;
        let entry = LogReader::new(Arc::new(store)).entry(0, size).map_err(CliError::fault)?;
        let entry = entry.ok_or_else(|| CliError::fault("the log has no entry 0"))?;
        Ok(Self { trust: population.trust(), first: leaf_hash(&entry) })
    }

    /// A proof that entry 0 is in the tree.
    pub(super) fn inclusion(&self, bytes: &[u8]) -> Result<(), CliError> {
        let proof = TlogProof::parse(bytes, ANSWER_BYTES_MAX).map_err(unproved)?;
        let signed = self.signed(proof.unverified_checkpoint())?;
        verify_inclusion(&self.first, proof.index(), signed.size(), proof.hashes(), signed.root())
            .map_err(unproved)
    }

    /// A proof that the tree begins with entry 0.
    pub(super) fn consistency(&self, bytes: &[u8]) -> Result<(), CliError> {
        let proof = AddCheckpoint::parse(bytes).map_err(unproved)?;
        let signed = self.signed(proof.unverified_checkpoint())?;
        verify_consistency(proof.old(), signed.size(), &self.first, signed.root(), proof.proof())
            .map_err(unproved)
    }

    /// A state proof.
    pub(super) fn state(&self, bytes: &[u8]) -> Result<(), CliError> {
        verify::check_any(bytes, self.trust).map(drop).map_err(unproved)
    }

    fn signed(&self, checkpoint: &[u8]) -> Result<SignedCheckpoint, CliError> {
        self.trust.open_checkpoint(checkpoint).map_err(unproved)
    }
}

fn unproved(error: impl std::fmt::Display) -> CliError {
    CliError::broken(format!("a proof of this run does not verify: {error}"))
}
