//! Endorsements and withdrawals: rules LA-24 to LA-27 and LA-34.

use alloc::vec::Vec;

use super::{Facts, Law, Refusal};
use crate::id::{EventHash, PartyId, StatementId, VersionId};
use crate::key::Role;
use crate::record::{EndorsementRecord, PartyRecord, Record, StateKey, Status};

pub(super) fn put_endorsement(
    writes: &mut Vec<(StateKey, Record)>,
    version: &VersionId,
    party: &PartyId,
    record: EndorsementRecord,
) {
    writes.push((StateKey::by_party(party, version), Record::Endorsement(record.clone())));
    writes.push((StateKey::endorsement(version, party), Record::Endorsement(record)));
}

impl<F: Facts> Law<'_, F> {
    pub(super) fn endorse(
        &self,
        writes: &mut Vec<(StateKey, Record)>,
        hash: EventHash,
        statement: &StatementId,
        version: &VersionId,
        language: &str,
        not_after: Option<u64>,
    ) -> Result<(), Refusal> {
        let (party, PartyRecord { level, .. }) = self.acting(Role::Sign)?;
        let texts = self.version_of(statement, version)?;
        let before = self.endorsement(version, &party);
        self.follows(before.map(|record| record.event))?;
        self.in_time()?;
        if !texts.texts.iter().any(|text| text.language == language) {
            return Err(Refusal::LanguageNotListed);
        }
        if before.is_some_and(|record| record.status == Status::Active) {
            return Err(Refusal::AlreadyEndorsed);
        }
        if not_after.is_some_and(|last| last <= self.received) {
            return Err(Refusal::NotAfterPassed { received: self.received });
        }
        let record = EndorsementRecord {
            endorsed: Some(self.index),
            entry: self.index,
            event: hash,
            first: before.map_or(self.index, |record| record.first),
            language: Some(language.into()),
            level: *level,
            not_after,
            status: Status::Active,
        };
        put_endorsement(writes, version, &party, record);
        Ok(())
    }

    /// LA-27: nothing but a live key and an endorsement not yet withdrawn; and without `after` it ends
    /// a thread that is at its first event, so that nobody gets ahead of it.
    pub(super) fn withdraw(
        &self,
        writes: &mut Vec<(StateKey, Record)>,
        hash: EventHash,
        statement: &StatementId,
        version: &VersionId,
    ) -> Result<(), Refusal> {
        let (party, PartyRecord { level, .. }) = self.acting(Role::Sign)?;
        self.version_of(statement, version)?;
        let before = self.endorsement(version, &party);
        let at_first = before.is_some_and(|record| record.entry == record.first);
        if !(self.event.after.is_none() && at_first) {
            self.follows(before.map(|record| record.event))?;
        }
        let record = match before {
            Some(record) if record.status == Status::Withdrawn => return Err(Refusal::AlreadyWithdrawn),
            Some(record) => EndorsementRecord {
                entry: self.index,
                event: hash,
                status: Status::Withdrawn,
                ..record.clone()
            },
            None => EndorsementRecord {
                endorsed: None,
                entry: self.index,
                event: hash,
                first: self.index,
                language: None,
                level: *level,
                not_after: None,
                status: Status::Withdrawn,
            },
        };
        put_endorsement(writes, version, &party, record);
        Ok(())
    }
}
