//! Statements and their versions: rules LA-20 to LA-23.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{Facts, Law, Refusal};
use crate::event::{StatementKind, Text};
use crate::id::{EventHash, StatementId, VersionId};
use crate::key::Role;
use crate::record::{Record, StateKey, StatementRecord, VersionRecord};

impl<F: Facts> Law<'_, F> {
    /// LA-20.
    pub(super) fn statement_publish(
        &self,
        writes: &mut Vec<(StateKey, Record)>,
        hash: EventHash,
        kind: StatementKind,
        slug: &str,
    ) -> Result<(), Refusal> {
        let (sponsor, _) = self.acting(Role::Admin)?;
        self.in_time()?;
        if self.facts.record(&StateKey::slug(slug)).is_some() {
            return Err(Refusal::SlugTaken);
        }
        let statement = StatementId(hash.0);
        let record = StatementRecord {
            entry: self.index,
            event: hash,
            first: self.index,
            kind,
            slug: slug.into(),
            sponsor,
            version: None,
            versions: 0,
        };
        writes.push((StateKey::statement(&statement), Record::Statement(Box::new(record))));
        writes.push((StateKey::slug(slug), Record::Slug(statement)));
        Ok(())
    }

    /// LA-21, LA-22.
    pub(super) fn statement_version(
        &self,
        writes: &mut Vec<(StateKey, Record)>,
        hash: EventHash,
        id: &StatementId,
        texts: &[Text],
    ) -> Result<(), Refusal> {
        let (party, _) = self.acting(Role::Admin)?;
        let statement = self.statement(id).ok_or(Refusal::UnknownStatement)?;
        if statement.sponsor != party {
            return Err(Refusal::NotSponsor);
        }
        self.follows(Some(statement.event))?;
        self.in_time()?;
        let version = VersionId(hash.0);
        let number = statement.versions.saturating_add(1);
        let record = VersionRecord { entry: self.index, number, statement: *id, texts: texts.to_vec() };
        writes.push((StateKey::version(&version), Record::Version(Box::new(record))));
        let record = StatementRecord {
            entry: self.index,
            event: hash,
            version: Some(version),
            versions: number,
            ..statement.clone()
        };
        writes.push((StateKey::statement(id), Record::Statement(Box::new(record))));
        Ok(())
    }

    /// LA-23.
    pub(super) fn version_of(
        &self,
        statement: &StatementId,
        version: &VersionId,
    ) -> Result<&VersionRecord, Refusal> {
        if self.facts.record(&StateKey::statement(statement)).is_none() {
            return Err(Refusal::UnknownStatement);
        }
        self.version(version).filter(|record| record.statement == *statement).ok_or(Refusal::UnknownVersion)
    }
}
