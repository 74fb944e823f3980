//! What a verified multi-proof says, in words.

use undersigned_registry::verify::{VerifiedEntries, VerifiedEntry};

use super::{Words, describe};
use crate::cli::output::time;

/// Says what a multi-proof proved.
pub(in crate::cli) fn explain(verified: &VerifiedEntries) -> Words {
    let what = format!(
        "{} of the log {}, in the tree of size {} that the log key signed",
        super::count_of(u64::try_from(verified.entries.len()).unwrap_or(u64::MAX), "entry", "entries"),
        verified.origin,
        verified.tree_size,
    );
    let mut words =
        Words { summary: vec![super::sentence(&format!("this file proves {what}"))], ..Words::default() };
    let Words { proved, stated, not_proved, .. } = &mut words;
    proved.push(what);
    match &verified.registry {
        Some(registry) => proved.push(format!("the registry is {registry}, as your policy says")),
        None => not_proved.push(super::registry_unchecked()),
    }
    for entry in &verified.entries {
        let said = describe(&entry.event, &super::named(entry.party), None);
        proved.push(format!("entry {}: {}: {said}", entry.index, signers(entry)));
        stated.push(format!("entry {} was received at {}", entry.index, time(entry.received)));
    }
    not_proved.push(
        "whose the keys are, and what stands or was withdrawn since: that is for receipts and state proofs"
            .to_owned(),
    );
    not_proved.push("the dates: no witness has cosigned the tree".to_owned());
    words
}

fn signers(entry: &VerifiedEntry) -> String {
    let keys: Vec<String> = entry.event.signers.iter().map(ToString::to_string).collect();
    let signed = if keys.len() == 1 { "the key" } else { "the keys" };
    format!("{signed} {} signed these words", keys.join(" "))
}
