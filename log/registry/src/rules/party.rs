//! Parties and their keys: rules LA-9 and LA-13 to LA-17.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Facts, Law, Refusal};
use crate::event::{Admission, EndedKey, Ending, Name, NewKey};
use crate::id::{EventHash, KeyId, PartyId};
use crate::key::Role;
use crate::record::{KeyRecord, LIVE_KEYS_MAX, PartyRecord, Record, StateKey};

pub(super) fn make_party(
    writes: &mut Vec<(StateKey, Record)>,
    event: EventHash,
    index: u64,
    domain: Option<String>,
    names: &[Name],
    keys: &[NewKey],
) {
    let party = PartyId(event.0);
    let record = PartyRecord {
        domain,
        entry: index,
        event,
        first: index,
        keys: sorted(keys.iter().map(|key| key.id)),
        level: 0,
        names: names.to_vec(),
    };
    writes.push((StateKey::party(&party), Record::Party(Box::new(record))));
    writes.extend(keys.iter().map(|key| new_key(key, party, index)));
}

pub(super) fn new_key(key: &NewKey, party: PartyId, index: u64) -> (StateKey, Record) {
    let record =
        KeyRecord { from: index, party, revoked: false, role: key.role, to: None, key_type: key.key_type };
    (StateKey::key(&key.id), Record::Key(record))
}

pub(super) fn sorted(ids: impl Iterator<Item = KeyId>) -> Vec<KeyId> {
    let mut ids: Vec<KeyId> = ids.collect();
    ids.sort_unstable();
    ids
}

impl<F: Facts> Law<'_, F> {
    pub(super) fn party_create(
        &self,
        writes: &mut Vec<(StateKey, Record)>,
        hash: EventHash,
        domain: Option<String>,
        names: &[Name],
        keys: &[NewKey],
    ) -> Result<(), Refusal> {
        self.unused(keys)?;
        let mut invited = false;
        for signer in self.event.signers.iter().filter(|signer| !keys.iter().any(|key| key.id == **signer)) {
            let key = self.live_key(signer, &self.registry.operator)?;
            invited |= key.role >= Role::Admin;
        }
        if self.registry.policy.admission == Admission::Invited && !invited {
            return Err(Refusal::NotInvited);
        }
        self.in_time()?;
        make_party(writes, hash, self.index, domain, names, keys);
        Ok(())
    }

    pub(super) fn party_keys(
        &self,
        writes: &mut Vec<(StateKey, Record)>,
        hash: EventHash,
        add: &[NewKey],
        end: &[EndedKey],
    ) -> Result<(), Refusal> {
        let id = self.event.party.ok_or(Refusal::UnknownParty)?;
        let party = self.party(&id).ok_or(Refusal::UnknownParty)?;
        self.unused(add)?;
        let standing: Vec<KeyId> = self
            .event
            .signers
            .iter()
            .copied()
            .filter(|signer| !add.iter().any(|key| key.id == *signer))
            .collect();
        // The highest role among the signers that the party had before this event.
        let mut highest = None;
        for signer in &standing {
            highest = highest.max(Some(self.live_key(signer, &id)?.role));
        }
        let needs = |role: Role| {
            let needed = role.max(Role::Admin);
            if highest >= Some(needed) { Ok(()) } else { Err(Refusal::RoleTooLow { needed }) }
        };
        self.follows(Some(party.event))?;
        self.in_time()?;
        for key in add {
            needs(key.role)?;
            writes.push(new_key(key, id, self.index));
        }
        let mut live: Vec<KeyId> = party.keys.clone();
        for EndedKey { id: key, how } in end {
            let Some(record) = self.key(key).filter(|record| record.party == id && record.to.is_none())
            else {
                return Err(Refusal::KeyNotLive { key: *key });
            };
            if !standing.contains(key) {
                needs(record.role)?;
            }
            live.retain(|id| id != key);
            let record =
                KeyRecord { to: Some(self.index), revoked: *how == Ending::Revoke, ..record.clone() };
            writes.push((StateKey::key(key), Record::Key(record)));
        }
        let steady = live.iter().any(|key| self.key(key).is_some_and(|record| record.role >= Role::Admin))
            || add.iter().any(|key| key.role >= Role::Admin);
        if !steady {
            return Err(Refusal::LastKey);
        }
        let keys = sorted(live.into_iter().chain(add.iter().map(|key| key.id)));
        if keys.len() > LIVE_KEYS_MAX {
            return Err(Refusal::TooManyKeys);
        }
        let record = PartyRecord { entry: self.index, event: hash, keys, ..party.clone() };
        writes.push((StateKey::party(&id), Record::Party(Box::new(record))));
        Ok(())
    }

    /// LA-13.
    pub(super) fn unused(&self, keys: &[NewKey]) -> Result<(), Refusal> {
        match keys.iter().find(|key| self.facts.record(&StateKey::key(&key.id)).is_some()) {
            Some(key) => Err(Refusal::KeyInUse { key: key.id }),
            None => Ok(()),
        }
    }
}
