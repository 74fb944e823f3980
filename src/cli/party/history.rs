//! Every key that a party ever had, by role and state. A party's record names its live keys only; the
//! others are found by walking its thread of events back to the one that created it.

use undersigned_client::{Client, KeyInfo, Party};
use undersigned_registry::entry::Entry;
use undersigned_registry::event::{Body, NewKey};
use undersigned_registry::id::KeyId;

use super::super::CliError;

/// The most changes of keys that are walked back: a party that changes its keys every week for 19 years.
const CHANGES_MAX: usize = 1_000;

/// The keys of a party in the order in which they came, live and ended.
pub(in super::super) fn keys_of(client: &Client, party: &Party) -> Result<Vec<KeyInfo>, CliError> {
    let mut changes: Vec<Vec<KeyId>> = Vec::new();
    let mut next = Some(party.head);
    while let Some(event) = next.filter(|_| changes.len() < CHANGES_MAX) {
        let answer = client.entry(&event.to_string())?;
        let entry = Entry::parse(&answer.entry).map_err(|error| {
            CliError::refused(format!(
                "entry {} is not one of the log: {error}\naudit the log: undersigned audit",
                answer.index
            ))
        })?;
        let event = entry.envelope.event();
        let (Body::PartyCreate { keys, .. }
        | Body::RegistryOpen { keys, .. }
        | Body::PartyKeys { add: keys, .. }) = &event.body
        else {
            break;
        };
        changes.push(keys.iter().map(|key: &NewKey| key.id).collect());
        next = event.after;
    }
    let mut keys = Vec::new();
    for id in changes.iter().rev().flatten() {
        // The live ones have been told already.
        match party.keys.iter().find(|key| key.key == *id) {
            Some(key) => keys.push(key.clone()),
            None => keys.push(client.key(id)?),
        }
    }
    Ok(keys)
}
