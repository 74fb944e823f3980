//! What a verified state proof says, in words.

use undersigned_registry::record::{EndorsementRecord, LEVEL_MAX, Status};
use undersigned_registry::verify::{StateAnswer, VerifiedState};

use super::{Words, level};
use crate::cli::output::{ended_by_time, shown, time};

/// From this trust level on a party's domain was checked.
const LEVEL_DOMAIN: u8 = 2;

/// Says what a state proof proved.
///
/// Proved is that the registry stated this root for this size; the answer itself rests on the root.
pub(in crate::cli) fn explain(verified: &VerifiedState) -> Words {
    let mut words = Words { summary: summary(verified), ..Words::default() };
    let Words { proved, stated, not_proved, .. } = &mut words;
    let index = verified.size.saturating_sub(1);
    proved.push(format!(
        "the log {} states the state root {} in entry {index}, in the tree of size {} that the log key signed",
        verified.origin, verified.state, verified.tree_size,
    ));
    proved.push("the answer below follows from that root, and no other answer does".to_owned());
    match &verified.registry {
        Some(registry) => proved.push(format!("the registry is {registry}, as your policy says")),
        None => not_proved.push(super::registry_unchecked()),
    }
    stated.extend(answers(verified));
    version(verified, stated, not_proved);
    party(verified, stated, not_proved);
    stated.push(format!("entry {index} was received at {} by the registry's clock", time(verified.received)));
    stated.push(
        "these lines rest on the state root in the entry; anyone can check it by replay: undersigned audit"
            .to_owned(),
    );
    later(verified, stated, not_proved);
    words
}

/// The first words of `verify`: the answer in the registry's names, and what it rests on.
fn summary(verified: &VerifiedState) -> Vec<String> {
    let version = match (verified.title("en"), &verified.version_record) {
        (Some(title), Some(record)) => format!("\"{}\" (version {})", shown(title), record.number),
        _ => format!("version {}", verified.question.version()),
    };
    let party = match (verified.party_name("en"), verified.question.party()) {
        (Some(name), _) => format!("\"{}\"", shown(name)),
        (None, Some(party)) => format!("party {party}"),
        (None, None) => String::new(),
    };
    let answers = about(verified, &version, &party);
    let mut sentences: Vec<String> = answers.iter().map(|answer| super::sentence(answer)).collect();
    sentences.push("The registry states this; anyone can check it by replay.".to_owned());
    sentences
}

/// The answer, and the count that comes with every answer, each in one line.
pub(in crate::cli) fn answers(verified: &VerifiedState) -> Vec<String> {
    let party = verified.question.party().map(|party| format!("party {party}")).unwrap_or_default();
    about(verified, &format!("version {}", verified.question.version()), &party)
}

fn about(verified: &VerifiedState, version: &str, party: &str) -> Vec<String> {
    let size = verified.size;
    let about = match &verified.answer {
        StateAnswer::Count => None,
        StateAnswer::Status(record) => {
            Some(format!("as of tree size {size} the endorsement of {version} by {party} {}", became(record)))
        }
        StateAnswer::Absent => Some(format!(
            "as of tree size {size} {party} has no endorsement of {version}, neither standing nor ended nor withdrawn"
        )),
    };
    about.into_iter().chain(std::iter::once(count(verified, version))).collect()
}

fn became(record: &EndorsementRecord) -> String {
    let read = match (&record.endorsed, &record.language) {
        (Some(entry), Some(language)) => {
            format!("signed by entry {entry}, as read in \"{}\"", shown(language))
        }
        _ => "never signed".to_owned(),
    };
    match record.status {
        Status::Active => format!("stands{}; {read}", super::until(record.not_after)),
        Status::Lapsed => {
            let last = record.not_after.map(time).unwrap_or_default();
            format!("has ended by itself, after {last}; {read}")
        }
        Status::Withdrawn => format!("is withdrawn, by entry {}; {read}", record.entry),
    }
}

/// "as of tree size N exactly 237 organisations endorse ..., 61 of them domain-verified, and 4 have withdrawn".
fn count(verified: &VerifiedState, version: &str) -> String {
    let checked =
        (LEVEL_DOMAIN..=LEVEL_MAX).fold(0_u64, |sum, level| sum.saturating_add(verified.tally.count(level)));
    let standing = match verified.active() {
        0 => format!("no organisation endorses {version}"),
        1 => format!("exactly 1 organisation endorses {version}, {checked} of them domain-verified"),
        many => format!("exactly {many} organisations endorse {version}, {checked} of them domain-verified"),
    };
    let left = match verified.withdrawn() {
        1 => "1 has withdrawn".to_owned(),
        many => format!("{many} have withdrawn"),
    };
    let by_time = ended_by_time(verified.lapsed());
    format!("as of tree size {} {standing}, and {left}{by_time}", verified.size)
}

fn version(verified: &VerifiedState, stated: &mut Vec<String>, not_proved: &mut Vec<String>) {
    let Some(record) = &verified.version_record else {
        not_proved.push("that there is such a version: this file has no state path for it".to_owned());
        return;
    };
    let title = verified.title("en").map(|title| format!(", titled \"{}\"", shown(title)));
    stated.push(format!(
        "the version is number {} of statement {}{}",
        record.number,
        record.statement,
        title.unwrap_or_default()
    ));
}

fn party(verified: &VerifiedState, stated: &mut Vec<String>, not_proved: &mut Vec<String>) {
    let Some(party) = verified.question.party() else {
        not_proved.push(
            "how many organisations stand behind the parties: whoever is not domain-verified only claims to be one"
                .to_owned(),
        );
        return;
    };
    match &verified.party_record {
        None => not_proved.push("that there is such a party: this file has no state path for it".to_owned()),
        Some(record) => {
            let name = verified.party_name("en").map(|name| format!("calls itself \"{}\" and ", shown(name)));
            stated.push(format!(
                "party {party} {}has the trust level {} ({})",
                name.unwrap_or_default(),
                record.level,
                level(record.level)
            ));
            if let Some(domain) = &record.domain {
                let claim = if record.level < LEVEL_DOMAIN { "claims" } else { "controls" };
                stated.push(format!("the party {claim} the domain {}", shown(domain)));
            }
        }
    }
    if verified.answer == StateAnswer::Absent {
        not_proved.push(
            "that the organisation has not signed under another party id, or another version; anybody can claim a name or domain"
                .to_owned(),
        );
    }
}

/// What may have changed since.
fn later(verified: &VerifiedState, stated: &mut Vec<String>, not_proved: &mut Vec<String>) {
    if verified.is_newest() {
        stated.push(format!(
            "this is the state now, as far as the checkpoint goes: its tree has the same size {}",
            verified.tree_size
        ));
        not_proved.push("that the checkpoint is the newest: no witness has cosigned it".to_owned());
    } else {
        not_proved.push(format!(
            "that it is still so: {} in the tree of the checkpoint came later",
            super::count_of(verified.tree_size.saturating_sub(verified.size), "entry", "entries")
        ));
    }
    if let Some(due) = verified.next_due {
        not_proved.push(format!("anything from {} on: then time alone may change the answer", time(due)));
    }
}
