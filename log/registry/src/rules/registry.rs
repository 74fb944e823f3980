//! The registry opens, and changes its policy: rules LA-1, LA-18, LA-19 and LA-28.

use alloc::boxed::Box;
use alloc::vec;

use super::party::make_party;
use super::{Decision, Effects, Facts, Law, Refusal, in_time};
use crate::entry::LAW_VERSION;
use crate::envelope::CheckedEnvelope;
use crate::event::{Body, Policy};
use crate::id::{EventHash, PartyId};
use crate::key::Role;
use crate::record::{Record, RegistryRecord, StateKey};

/// LA-1, LA-28: entry 0 makes the registry and its operator.
pub(super) fn open(envelope: &CheckedEnvelope, index: u64, received: u64) -> Result<Decision, Refusal> {
    let Body::RegistryOpen { origin, domain, names, keys, policy, .. } = &envelope.event().body else {
        return Err(Refusal::NotGenesis);
    };
    if index != 0 {
        return Err(Refusal::NotGenesis);
    }
    in_time(envelope.event(), received, policy)?;
    check_law_version(policy, LAW_VERSION)?;
    let silent = envelope.event().signers.iter().find(|signer| !keys.iter().any(|key| key.id == **signer));
    if let Some(key) = silent {
        return Err(Refusal::UnknownKey { key: *key });
    }
    let event = envelope.event_hash();
    let operator = PartyId(event.0);
    let mut writes = vec![(
        StateKey::registry(),
        Record::Registry(Box::new(RegistryRecord {
            entry: 0,
            event,
            operator,
            origin: origin.clone(),
            policy: *policy,
            received,
        })),
    )];
    make_party(&mut writes, event, 0, domain.clone(), names, keys);
    Ok(Decision::Admit(Effects { writes }))
}

/// LA-19.
pub(super) fn check_law_version(policy: &Policy, current: u64) -> Result<(), Refusal> {
    if (current..=LAW_VERSION).contains(&policy.v) { Ok(()) } else { Err(Refusal::LawVersion { current }) }
}

impl<F: Facts> Law<'_, F> {
    pub(super) fn policy(&self, hash: EventHash, policy: &Policy) -> Result<Decision, Refusal> {
        let (party, _) = self.acting(Role::Admin)?;
        if party != self.registry.operator {
            return Err(Refusal::NotOperator);
        }
        self.follows(Some(self.registry.event))?;
        self.in_time()?;
        check_law_version(policy, self.registry.policy.v)?;
        let record = RegistryRecord {
            entry: self.index,
            event: hash,
            policy: *policy,
            received: self.received,
            ..self.registry.clone()
        };
        Ok(Decision::Admit(Effects {
            writes: vec![(StateKey::registry(), Record::Registry(Box::new(record)))],
        }))
    }
}
