//! What a verified receipt says, in words: what is proved, what the registry only states, what is not
//! proved. The other kinds of proof files have their words in `state` and `entries`.

use undersigned_registry::event::{Body, Event, Text};
use undersigned_registry::id::PartyId;
use undersigned_registry::record::{COLUMN_LAPSED, COLUMN_WITHDRAWN, Status};
use undersigned_registry::verify::Verified;

use super::output::{ended_by_time, shown, time};

pub(super) mod entries;
pub(super) mod state;

/// Who did what, and the three lists.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// Two sentences: the act, and where it stands.
    pub(super) summary: Vec<String>,
    pub(super) proved: Vec<String>,
    pub(super) stated: Vec<String>,
    pub(super) not_proved: Vec<String>,
}

/// Says what a receipt proved.
///
/// Proved is what signatures and hashes show to somebody who trusts nobody but the log key's list of
/// entries. Whose key it is, and what a party or a text is called, is what the registry's state says.
pub(super) fn explain(verified: &Verified) -> Words {
    let mut words = Words { summary: summary(verified), ..Words::default() };
    let Words { proved, stated, not_proved, .. } = &mut words;
    let said = describe(&verified.event, &named(verified.party), None);
    for signer in &verified.signers {
        proved.push(format!("the key {} signed these words: {said}", signer.key));
    }
    proved.push(format!(
        "they are entry {} of the log {}, in the tree of size {} that the log key signed",
        verified.index, verified.origin, verified.tree_size,
    ));
    match &verified.registry {
        Some(registry) => proved.push(format!("the registry is {registry}, as your policy says")),
        None => not_proved.push(registry_unchecked()),
    }
    for signer in &verified.signers {
        match signer.role {
            Some(role) => stated.push(format!(
                "the key {} belonged to party {}, with the role \"{role}\", and was live at this entry",
                signer.key,
                signer.party.or(verified.party).map(|party| party.to_string()).unwrap_or_default(),
            )),
            None => not_proved.push(format!(
                "that the key {} is the party's: this receipt has no state path for it",
                signer.key
            )),
        }
    }
    party(verified, stated, not_proved);
    if let Some(title) = verified.title(language(&verified.event)) {
        stated.push(format!("the version is titled \"{}\"", shown(title)));
    }
    texts(verified, proved, stated, not_proved);
    stated.push(format!("received at {} by the registry's clock", time(verified.received)));
    not_proved.push("the date: no witness has cosigned the tree".to_owned());
    endorsement(verified, stated, not_proved);
    not_proved.push(format!(
        "what came after entry {}: this receipt is of that moment, and the party may have withdrawn or signed since",
        verified.index
    ));
    words
}

/// The language in which names and titles are shown: the one that was read, where the event says so.
fn language(event: &Event) -> &str {
    match &event.body {
        Body::Endorse { language, .. } => language,
        _ => "en",
    }
}

/// The first words of `verify`: the act in the registry's names, without an id, and where it stands.
fn summary(verified: &Verified) -> Vec<String> {
    let language = language(&verified.event);
    let name = verified.party_name(language).map(|name| format!("\"{}\"", shown(name)));
    let domain = verified.party_record.as_ref().map(|record| match &record.domain {
        Some(domain) if record.level < 2 => format!(", which claims the domain {domain},"),
        Some(domain) => format!(", which controls the domain {domain},"),
        None => ", which names no domain,".to_owned(),
    });
    let who = name.unwrap_or_else(|| named(verified.party)) + &domain.unwrap_or_default();
    let title = verified.title(language).map(|title| format!("\"{}\"", shown(title)));
    let version = match (title, &verified.version_record) {
        (Some(title), Some(record)) => Some(format!("{title} (version {})", record.number)),
        _ => None,
    };
    let act = match (&verified.event.body, version) {
        (Body::Endorse { language, not_after, .. }, Some(version)) => {
            format!("{who} endorsed {version}, as read in \"{language}\"{}", until(*not_after))
        }
        (Body::Withdraw { .. }, Some(version)) => format!("{who} withdrew its endorsement of {version}"),
        _ => act_of(verified, &who),
    };
    vec![
        format!("{act}."),
        format!(
            "It is entry {} of the log {}, received at {} by its clock, in the tree of {} entries that the log key signed.",
            verified.index,
            verified.origin,
            time(verified.received),
            verified.tree_size
        ),
    ]
}

/// Words that stand alone.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    first + letters.as_str() + "."
}

/// Which words were signed: the hash of each text, so that a copy can be compared.
fn texts(
    verified: &Verified,
    proved: &mut Vec<String>,
    stated: &mut Vec<String>,
    not_proved: &mut Vec<String>,
) {
    let (texts, said) = match (&verified.event.body, &verified.version_record) {
        (Body::StatementVersion { texts, .. }, _) => (texts, proved),
        (Body::Endorse { .. } | Body::Withdraw { .. }, Some(record)) => {
            stated.push(format!(
                "it is version {} of statement {}, published by entry {}",
                record.number, record.statement, record.entry
            ));
            (&record.texts, stated)
        }
        (Body::Endorse { .. } | Body::Withdraw { .. }, None) => {
            not_proved.push("which words the version has: this receipt has no state path for it".to_owned());
            return;
        }
        _ => return,
    };
    for Text { language, status, text, .. } in texts {
        said.push(format!(
            "the text in \"{language}\" ({}) has {} bytes and the SHA-256 {}",
            status.name(),
            text.size,
            text.sha256.to_hex()
        ));
    }
}

/// Who did what, in one sentence.
pub(super) fn act(verified: &Verified) -> String {
    let language = language(&verified.event);
    let name = verified.party_name(language).map_or_else(
        || named(verified.party),
        |name| format!("{}, called \"{}\",", named(verified.party), shown(name)),
    );
    act_of(verified, &name)
}

fn act_of(verified: &Verified, name: &str) -> String {
    let title = verified.title(language(&verified.event)).map(|title| format!("\"{}\"", shown(title)));
    describe(&verified.event, name, title.as_deref())
}

fn describe(event: &Event, name: &str, title: Option<&str>) -> String {
    let version = |version: &dyn std::fmt::Display| match title {
        Some(title) => format!("{title} (version {version})"),
        None => format!("version {version}"),
    };
    match &event.body {
        Body::RegistryOpen { origin, .. } => format!("{name} opened the registry {origin}"),
        Body::RegistryTick { due, .. } => {
            format!("{name} wrote down that {} has passed, which ends what was signed until then", time(*due))
        }
        Body::RegistryPolicy(policy) => {
            format!("{name} set the registry's policy: admission {}", policy.admission.name())
        }
        Body::PartyCreate { keys, .. } => {
            format!("{name} entered the registry with {}", count(keys.len(), "key"))
        }
        Body::PartyKeys { add, end } => {
            format!("{name} added {} and ended {}", count(add.len(), "key"), count(end.len(), "key"))
        }
        Body::StatementPublish { kind, slug } => format!("{name} published the {} \"{slug}\"", kind.name()),
        Body::StatementVersion { texts, .. } => {
            format!(
                "{name} published a text in {}: {}",
                count(texts.len(), "language"),
                title.unwrap_or("(title elsewhere)")
            )
        }
        Body::Endorse { version: id, language, not_after, .. } => {
            format!("{name} endorsed {}, as read in \"{language}\"{}", version(id), until(*not_after))
        }
        Body::Withdraw { version: id, .. } => format!("{name} withdrew its endorsement of {}", version(id)),
    }
}

/// Who acts; the registry where nobody does.
fn named(party: Option<PartyId>) -> String {
    party.map_or_else(|| "the registry".to_owned(), |party| format!("party {party}"))
}

/// Until when an endorsement stands, where it ends by itself.
pub(super) fn until(not_after: Option<u64>) -> String {
    not_after.map(|last| format!(", until {}", time(last))).unwrap_or_default()
}

/// What a trust level means.
pub(super) fn level(level: u8) -> &'static str {
    ["claimed", "mailbox on the domain", "domain control", "legal entity", "authority of the person"]
        .get(usize::from(level))
        .copied()
        .unwrap_or("unknown")
}

/// Without a registry in the anchor.
fn registry_unchecked() -> String {
    "which registry of that name this is: your policy has no \"# registry\" line; give --registry".to_owned()
}

/// "1 entry", "2 entries".
pub(super) fn count_of(number: u64, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

/// "1 key", "2 keys".
pub(super) fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

fn party(verified: &Verified, stated: &mut Vec<String>, not_proved: &mut Vec<String>) {
    let Some(record) = &verified.party_record else {
        not_proved.push("the party's name and domain: this receipt has no state path for them".to_owned());
        return;
    };
    if let Some(name) = verified.party_name(language(&verified.event)) {
        stated.push(format!("{} calls itself \"{}\"", named(verified.party), shown(name)));
    }
    stated.push(format!("the party's trust level is {} ({})", record.level, level(record.level)));
    if let Some(domain) = &record.domain {
        let claim = if record.level < 2 { "claims" } else { "controls" };
        stated.push(format!("the party {claim} the domain {domain}"));
        if record.level < 2 {
            not_proved
                .push(format!("that the party has anything to do with {domain}: nobody has checked it"));
        }
    } else {
        not_proved.push("who the party is beyond its name and keys: it names no domain".to_owned());
    }
}

fn endorsement(verified: &Verified, stated: &mut Vec<String>, not_proved: &mut Vec<String>) {
    if !matches!(verified.event.body, Body::Endorse { .. } | Body::Withdraw { .. }) {
        return;
    }
    match &verified.endorsement {
        Some(record) => stated.push(format!(
            "after this entry the endorsement is {}",
            match record.status {
                Status::Active => "active",
                Status::Lapsed => "over by time",
                Status::Withdrawn => "withdrawn",
            }
        )),
        None => {
            not_proved.push("the status after this entry: this receipt has no state path for it".to_owned())
        }
    }
    if let Some(tally) = &verified.version_tally {
        let active: u64 = (0u8..=4).map(|level| tally.count(level)).sum();
        stated.push(format!(
            "after this entry the version has exactly {}, and {} withdrawn{}",
            count(usize::try_from(active).unwrap_or(usize::MAX), "standing endorsement"),
            tally.count(COLUMN_WITHDRAWN),
            ended_by_time(tally.count(COLUMN_LAPSED))
        ));
    }
    if verified.endorsement.is_some() || verified.party_record.is_some() || verified.version_record.is_some()
    {
        stated.push("the last lines rest on the state root in the entry; anyone can check it by replay: undersigned audit".to_owned());
    }
}
