//! Acts: who did what in an entry, with the names that a reader knows things by.
//!
//! All of it is read from the log itself: the entry, and the entries that it names.

use undersigned_registry::entry::Entry;
use undersigned_registry::event::{Body, event_hash};
use undersigned_registry::id::{EventHash, PartyId, StatementId, VersionId};
use undersigned_tlog::tree::TreeSize;

use super::{NameView, indexed_entry, name_views};
use crate::http::answer::text_blob;
use crate::http::problem::Problem;
use crate::index::Index;
use crate::tiles::LogReader;

/// No event of this version of the law raises a level.
pub(in crate::http) const LEVEL: u8 = 0;

/// A party as it stands beside what it did.
#[derive(Debug, Clone)]
pub(in crate::http) struct Who {
    pub(in crate::http) party: String,
    /// Its first name that was not erased: language and text.
    pub(in crate::http) name: Option<(String, String)>,
    pub(in crate::http) domain: Option<String>,
    pub(in crate::http) level: u8,
}

/// The first name that can still be read.
pub(in crate::http) fn first_name(names: &[NameView]) -> Option<(String, String)> {
    names.iter().find_map(|name| Some((name.language.clone(), name.text.clone()?)))
}

/// A statement version as something that an act is about.
#[derive(Debug, Clone)]
pub(in crate::http) struct Subject {
    pub(in crate::http) slug: String,
    pub(in crate::http) version: String,
    /// The first title that was not erased: language and text.
    pub(in crate::http) title: Option<(String, String)>,
}

/// What an entry does.
#[derive(Debug, Clone)]
pub(in crate::http) enum Deed {
    Opened {
        origin: String,
    },
    SetPolicy {
        admission: &'static str,
    },
    /// Time passed this second.
    Ticked {
        due: u64,
    },
    Entered {
        keys: usize,
    },
    /// Keys that came, with their roles, and keys that ended, with how.
    ChangedKeys {
        added: Vec<(String, &'static str)>,
        ended: Vec<(String, &'static str)>,
    },
    Published {
        kind: &'static str,
        slug: String,
    },
    Wrote {
        subject: Subject,
        languages: Vec<String>,
    },
    Endorsed {
        subject: Subject,
        language: String,
        not_after: Option<u64>,
    },
    Withdrew {
        subject: Subject,
    },
}

/// Who did what, and when the registry received it.
#[derive(Debug, Clone)]
pub(in crate::http) struct Act {
    pub(in crate::http) index: u64,
    pub(in crate::http) received: u64,
    pub(in crate::http) who: Who,
    pub(in crate::http) deed: Deed,
}

/// Looks up what entries name, in one tree.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Lookup<'a> {
    pub(in crate::http) index: &'a Index,
    pub(in crate::http) reader: &'a LogReader,
    pub(in crate::http) size: TreeSize,
}

impl Lookup<'_> {
    /// What the entry at an index says.
    pub(in crate::http) fn act(&self, at: u64) -> Result<Act, Problem> {
        let entry = indexed_entry(self.reader, at, self.size)?;
        self.act_of(at, &entry)
    }

    /// What this entry says.
    pub(in crate::http) fn act_of(&self, index: u64, entry: &Entry) -> Result<Act, Problem> {
        let event = entry.envelope.event();
        let who = match (event.party, &event.body, &event.registry) {
            (Some(party), ..) => self.who(party)?,
            // Nobody signs it; the registry makes it.
            (None, Body::RegistryTick { .. }, Some(registry)) => self.who(registry.operator())?,
            (None, ..) => self.who_made(entry)?,
        };
        let deed = match &event.body {
            Body::RegistryOpen { origin, .. } => Deed::Opened { origin: origin.clone() },
            Body::RegistryPolicy(policy) => Deed::SetPolicy { admission: policy.admission.name() },
            Body::RegistryTick { due, .. } => Deed::Ticked { due: *due },
            Body::PartyCreate { keys, .. } => Deed::Entered { keys: keys.len() },
            Body::PartyKeys { add, end } => Deed::ChangedKeys {
                added: add.iter().map(|key| (key.id.to_string(), key.role.name())).collect(),
                ended: end.iter().map(|key| (key.id.to_string(), key.how.name())).collect(),
            },
            Body::StatementPublish { kind, slug } => {
                Deed::Published { kind: kind.name(), slug: slug.clone() }
            }
            Body::StatementVersion { statement, texts } => Deed::Wrote {
                subject: self.subject(*statement, VersionId(event_hash(entry.envelope.event_bytes()).0))?,
                languages: texts.iter().map(|text| text.language.clone()).collect(),
            },
            Body::Endorse { statement, version, language, not_after } => Deed::Endorsed {
                subject: self.subject(*statement, *version)?,
                language: language.clone(),
                not_after: *not_after,
            },
            Body::Withdraw { statement, version } => {
                Deed::Withdrew { subject: self.subject(*statement, *version)? }
            }
        };
        Ok(Act { index, received: entry.received, who, deed })
    }

    /// A party by its id, as the event that made it says.
    pub(in crate::http) fn who(&self, party: PartyId) -> Result<Who, Problem> {
        self.who_made(&self.entry_of(EventHash(party.0))?.1)
    }

    fn who_made(&self, created: &Entry) -> Result<Who, Problem> {
        let party = event_hash(created.envelope.event_bytes()).to_string();
        let (Body::PartyCreate { names, domain, .. } | Body::RegistryOpen { names, domain, .. }) =
            &created.envelope.event().body
        else {
            return Err(Problem::internal(&format!("event {party} makes no party")));
        };
        let name = first_name(&name_views(self.reader, names));
        Ok(Who { party, name, domain: domain.clone(), level: LEVEL })
    }

    fn subject(&self, statement: StatementId, version: VersionId) -> Result<Subject, Problem> {
        let (_, published) = self.entry_of(EventHash(statement.0))?;
        let Body::StatementPublish { slug, .. } = &published.envelope.event().body else {
            return Err(Problem::internal(&format!("event {statement} publishes no statement")));
        };
        let (_, written) = self.entry_of(EventHash(version.0))?;
        let Body::StatementVersion { texts, .. } = &written.envelope.event().body else {
            return Err(Problem::internal(&format!("event {version} is no version of a statement")));
        };
        let title =
            texts.iter().find_map(|text| Some((text.language.clone(), text_blob(self.reader, &text.title)?)));
        Ok(Subject { slug: slug.clone(), version: version.to_string(), title })
    }

    /// The entry of an event that the law says is in the log.
    fn entry_of(&self, hash: EventHash) -> Result<(u64, Entry), Problem> {
        let at = self
            .index
            .entry_of(hash)?
            .ok_or_else(|| Problem::internal(&format!("event {hash} is not in the index")))?;
        Ok((at, indexed_entry(self.reader, at, self.size)?))
    }
}
