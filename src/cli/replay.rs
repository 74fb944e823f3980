//! `replay`: turns the history of a public list into a registry of its own, with generated keys.
//!
//! Every addition becomes an endorsement by a key that this program makes up for the row, every removal a
//! withdrawal, every return a new endorsement; each line's time is its `received`. It goes the way of every
//! submission: admission, intake, sequencer, store, index. The result shows how the list would have looked
//! in a registry. It proves nothing about the organisations: none of them signed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use undersigned_registry::envelope::{Envelope, Submission};
use undersigned_registry::event::{Admission, Body, Event, StatementKind, TextStatus, event_hash, is_domain};
use undersigned_registry::id::{EventHash, PartyId, RegistryId, StatementId, VersionId};
use undersigned_registry::key::Role;

use super::CliError;
use super::in_line::log_all;
use super::output::Output;
use super::party::NewParty;
use super::progress::Progress;
use super::statement::{Written, statement_event, version_event};
use crate::admission;
use crate::clock::{GivenClock, wall_clock};
use crate::keyring::PartyKey;
use crate::node::{self, Birth, Born, Handle, Node, Place};
use crate::telemetry::{self, LogFormat};
use check::{Differences, RowOf};
use history::{Act, Line, Naming, Step, clean_name, slug_of};

mod check;
mod history;

const EXAMPLE: &str = "Example:
  undersigned replay history.jsonl --data ./replayed --check
  undersigned serve --data ./replayed

One JSON object a line, with at least \"time\" (RFC 3339), \"act\" (added, removed, returned, changed), \"row\" \
and \"name\"; \"domain\" if it is known. Lines marked changed are skipped: nothing is signed anew by a rename. \
Names lose what the registry refuses (controls, surplus blanks); domains that it refuses are left out. \
At most 1,000,000 lines of 64 KiB, and 256 MiB in all.

For study: the keys are made up and thrown away, and no organisation on the list takes part.";

/// How long the signature of a replayed line is good, in seconds.
const SIGNED_FOR_SECONDS: u64 = 3_600;

/// How long before the first line the registry opens, in seconds.
const OPENED_BEFORE_SECONDS: u64 = 24 * 3_600;

/// The language of a name of which nobody knows the language (ISO 639-2).
const LANGUAGE_UNKNOWN: &str = "und";

/// Turn the history of a public list into a registry for study
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Args {
    /// The history, one JSON object a line
    history: PathBuf,
    /// Folder for the registry, absent or empty
    #[arg(long, value_name = "FOLDER")]
    data: PathBuf,
    /// Compare the list as of every step with the history's; exit 1 on any difference
    #[arg(long)]
    check: bool,
    /// Origin of the registry
    #[arg(long, default_value = "replay.example/log")]
    origin: String,
}

/// What was counted on the way.
#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    added: u64,
    removed: u64,
    returned: u64,
    changed: u64,
    without_domain: u64,
    /// Of those without: how many have one that the log does not take.
    refused_domains: u64,
    cleaned_names: u64,
    replaced_names: u64,
}

pub(super) fn run(args: &Args, output: Output) -> Result<(), CliError> {
    telemetry::start_quiet(LogFormat::Text);
    let begun = Instant::now();
    let steps = history::read(&args.history, wall_clock())?;
    refuse_unless_empty(&args.data)?;
    let slug = slug_of(&args.history);
    let (node, mut replay, born) = open(&args.data, &args.origin, &steps)?;
    let outcome = replay.play(&steps, &slug, output).and_then(|sizes| {
        let checked = if args.check { Some(replay.check(&steps, &sizes, output)?) } else { None };
        Ok((sizes, checked))
    });
    let (counts, entries) = (replay.counts, replay.handle.published.borrow().head.size.get());
    // The index is closed in order only once nobody else holds it.
    drop(replay);
    let stopped = node.stop();
    if outcome.is_err() {
        output.line(format!(
            "{} holds only a part of the history: remove it before another try",
            args.data.display()
        ));
    }
    let (sizes, checked) = outcome?;
    stopped?;
    let summary = Summary { args, born: &born, slug: &slug, counts, entries, sizes: &sizes };
    summary.say(output);
    output.object(&summary.as_json(checked.as_ref(), begun.elapsed().as_secs_f64()));
    if let Some(differences) = &checked {
        verdict(differences, sizes.len(), output)?;
    }
    summary.say_what_to_try(output);
    Ok(())
}

fn verdict(differences: &Differences, steps: usize, output: Output) -> Result<(), CliError> {
    if differences.count > 0 {
        return Err(CliError::refused(format!(
            "{} differences between the registry's list and the history; the first:\n{}",
            differences.count,
            differences.first.join("\n")
        )));
    }
    output.line(format!(
        "checked: as of each of {steps} steps the list from the index, the list from a replay of the entries and the count are those of the history"
    ));
    Ok(())
}

fn refuse_unless_empty(folder: &Path) -> Result<(), CliError> {
    let mut items = match std::fs::read_dir(folder) {
        Ok(items) => items,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(CliError::file("read the folder", folder, &error)),
    };
    if items.next().is_some() {
        return Err(CliError::local(format!("{} is not empty\nname another folder", folder.display())));
    }
    Ok(())
}

/// Makes the registry, a day before the first line, and opens it.
fn open(data: &Path, origin: &str, steps: &[Step]) -> Result<(Node, Replay, Born), CliError> {
    let first = steps.first().map(|step| step.time).unwrap_or_default();
    let opened = first.saturating_sub(OPENED_BEFORE_SECONDS);
    let clock = Arc::new(GivenClock::at(opened));
    let place = Place { data: data.to_owned(), guard: None };
    let birth = Birth {
        origin: origin.to_owned(),
        operator: "Replay of a public list".to_owned(),
        language: "en".to_owned(),
        domain: None,
        admission: Admission::Open,
    };
    let born = node::init(&place, &birth, clock.clone())?;
    let policy = policy_file(data);
    std::fs::write(&policy, &born.policy).map_err(|error| CliError::file("write", &policy, &error))?;
    let sponsor = PartyKey::read(&born.admin_key)?;
    let node = Node::open(&place, clock.clone())?;
    let replay = Replay {
        handle: node.handle(),
        clock,
        opened,
        registry: born.registry.clone(),
        sponsor,
        published: None,
        threads: BTreeMap::new(),
        counts: Counts::default(),
    };
    Ok((node, replay, born))
}

fn policy_file(data: &Path) -> PathBuf {
    data.join("registry.policy")
}

/// What the replay remembers of a row, to build its next event.
struct Thread {
    key: PartyKey,
    party: PartyId,
    head: EventHash,
}

struct Replay {
    handle: Handle,
    clock: Arc<GivenClock>,
    /// When the registry opened, in POSIX seconds.
    opened: u64,
    registry: RegistryId,
    sponsor: PartyKey,
    /// The statement and version that the rows endorse, once published.
    published: Option<(StatementId, VersionId)>,
    /// One for each row that ever was on the list.
    threads: BTreeMap<String, Thread>,
    counts: Counts,
}

impl Replay {
    /// Replays all steps, one after another; returns the tree size after each.
    fn play(&mut self, steps: &[Step], slug: &str, output: Output) -> Result<Vec<u64>, CliError> {
        self.publish(slug)?;
        let bar = Progress::of(length(steps), "steps replayed", output);
        let mut sizes = Vec::with_capacity(steps.len());
        for step in steps {
            self.clock.set(step.time);
            let mut submissions = Vec::new();
            for line in &step.lines {
                self.add_line(line, step.time, &mut submissions)?;
            }
            self.submit(submissions)?;
            sizes.push(self.handle.published.borrow().head.size.get());
            bar.advance(1);
        }
        bar.end();
        Ok(sizes)
    }

    fn check(&self, steps: &[Step], sizes: &[u64], output: Output) -> Result<Differences, CliError> {
        let (_, version) = self.published.ok_or_else(nothing_published)?;
        let row_of: RowOf<'_> =
            self.threads.iter().map(|(row, thread)| (thread.party, row.as_str())).collect();
        let bar = Progress::of(length(steps), "steps checked", output);
        let differences = check::check(&self.handle, version, &row_of, steps, sizes, &|| bar.advance(1));
        bar.end();
        differences
    }

    /// The statement that the rows endorse: a text that says what this registry is.
    fn publish(&mut self, slug: &str) -> Result<(), CliError> {
        let (registry, sponsor) = (self.registry.clone(), self.registry.operator());
        let log_before = self.opened.saturating_add(SIGNED_FOR_SECONDS);
        let key = &self.sponsor;
        let event = statement_event(registry.clone(), sponsor, key, StatementKind::Letter, slug, log_before);
        let (submission, hash) = signed(&event, key, Vec::new())?;
        let statement = StatementId(hash.0);
        let text = Written {
            language: "en".to_owned(),
            status: TextStatus::Authentic,
            title: format!("Replay of the public list {slug}"),
            text: TEXT.to_owned(),
        };
        let (event, blobs) = version_event(registry, sponsor, key, statement, hash, &[text], log_before);
        let (second, hash) = signed(&event, key, blobs)?;
        self.submit(vec![submission, second])?;
        self.published = Some((statement, VersionId(hash.0)));
        Ok(())
    }

    /// Adds what one line becomes.
    fn add_line(
        &mut self,
        line: &Line,
        time: u64,
        submissions: &mut Vec<Submission>,
    ) -> Result<(), CliError> {
        let log_before = time.saturating_add(SIGNED_FOR_SECONDS);
        match line.act {
            Act::Changed => {
                self.counts.changed += 1;
                return Ok(());
            }
            Act::Added => {
                self.counts.added += 1;
                submissions.push(self.enter(line, log_before)?);
            }
            Act::Removed => self.counts.removed += 1,
            Act::Returned => self.counts.returned += 1,
        }
        let (statement, version) = self.published.ok_or_else(nothing_published)?;
        // The history was read whole: a row is added before anything else happens to it.
        let thread = self
            .threads
            .get_mut(&line.row)
            .ok_or_else(|| CliError::broken(format!("the row {} was never added", line.row)))?;
        let withdraws = line.act == Act::Removed;
        let event = Event {
            registry: Some(self.registry.clone()),
            party: Some(thread.party),
            signers: vec![thread.key.id()],
            after: (line.act != Act::Added).then_some(thread.head),
            log_before: (!withdraws).then_some(log_before),
            body: if withdraws {
                Body::Withdraw { statement, version }
            } else {
                Body::Endorse { statement, version, language: "en".to_owned(), not_after: None }
            },
        };
        let (submission, hash) = signed(&event, &thread.key, Vec::new())?;
        thread.head = hash;
        submissions.push(submission);
        Ok(())
    }

    /// A row enters as a party, with a key that is made up for it.
    fn enter(&mut self, line: &Line, log_before: u64) -> Result<Submission, CliError> {
        let key = PartyKey::generate("")?;
        let (name, naming) = clean_name(&line.name, &line.row);
        self.counts.cleaned_names += u64::from(naming == Naming::Cleaned);
        self.counts.replaced_names += u64::from(naming == Naming::Replaced);
        let domain = line.domain.clone().filter(|domain| is_domain(domain));
        self.counts.without_domain += u64::from(domain.is_none());
        self.counts.refused_domains += u64::from(domain.is_none() && line.domain.is_some());
        let party = NewParty {
            names: vec![(LANGUAGE_UNKNOWN.to_owned(), name)],
            domain,
            keys: vec![(Role::Admin, &key)],
            invitation: None,
            log_before,
        };
        let (event, blobs) = party.event(self.registry.clone());
        let (submission, hash) = signed(&event, &key, blobs)?;
        self.threads.insert(line.row.clone(), Thread { key, party: PartyId(hash.0), head: hash });
        Ok(submission)
    }

    /// Puts submissions in line, in order, and waits until all are published.
    fn submit(&self, submissions: Vec<Submission>) -> Result<(), CliError> {
        let checked = submissions.into_iter().map(|submission| {
            let bytes = submission.encode().len();
            Ok((admission::admit(submission).map_err(CliError::broken)?, bytes))
        });
        log_all(&self.handle, checked)
    }
}

/// The text that every row endorses.
const TEXT: &str = "This registry replays the history of a public list for study.

No organisation on the list has signed here, was asked, or has taken part in any way. The keys were made up by the program that replays the list, and thrown away. What is logged is a claim made by somebody else: that the list stood like this at these times.
";

fn nothing_published() -> CliError {
    CliError::broken("the statement is not published yet")
}

fn length(steps: &[Step]) -> u64 {
    u64::try_from(steps.len()).unwrap_or(u64::MAX)
}

fn signed(event: &Event, key: &PartyKey, blobs: Vec<Vec<u8>>) -> Result<(Submission, EventHash), CliError> {
    let unfit = |error: String| CliError::broken(format!("an event cannot be made: {error}"));
    let bytes = event.encode();
    let hash = event_hash(&bytes);
    let proofs = vec![key.prove(&bytes)];
    let envelope = Envelope::new(bytes, proofs).map_err(|error| unfit(error.to_string()))?;
    Ok((Submission::new(envelope, blobs).map_err(|error| unfit(error.to_string()))?, hash))
}

/// What is said at the end.
struct Summary<'a> {
    args: &'a Args,
    born: &'a Born,
    slug: &'a str,
    counts: Counts,
    entries: u64,
    sizes: &'a [u64],
}

impl Summary<'_> {
    fn say(&self, output: Output) {
        let counts = &self.counts;
        output.line(format!("registry  {}", self.born.registry));
        output.line(format!("statement {}", self.slug));
        output.line(format!("{} steps became {} entries", self.sizes.len(), self.entries));
        output.line(format!(
            "  {} added, {} removed, {} returned; {} changed lines skipped",
            counts.added, counts.removed, counts.returned, counts.changed
        ));
        output.line(format!(
            "  {} parties, {} of them without a domain ({} have one that the log does not take)",
            counts.added, counts.without_domain, counts.refused_domains
        ));
        output.line(format!(
            "  {} names cleaned, {} replaced by the name of the row",
            counts.cleaned_names, counts.replaced_names
        ));
        output.line(
            "NOBODY ON THE LIST SIGNED OR TOOK PART: the keys are made up, the list is somebody else's claim.",
        );
    }

    fn as_json(&self, checked: Option<&Differences>, seconds: f64) -> serde_json::Value {
        let counts = &self.counts;
        json!({
            "registry": self.born.registry.to_text(),
            "statement": self.slug,
            "policy_file": policy_file(&self.args.data),
            "took_part": false,
            "entries": self.entries,
            "steps": self.sizes.len(),
            "steps_checked": checked.map_or(0, |_| self.sizes.len()),
            "differences": checked.map(|differences| differences.count),
            "first_differences": checked.map_or(&[][..], |differences| differences.first.as_slice()),
            "added": counts.added,
            "removed": counts.removed,
            "returned": counts.returned,
            "changed_skipped": counts.changed,
            "parties": counts.added,
            "without_domain": counts.without_domain,
            "refused_domains": counts.refused_domains,
            "cleaned_names": counts.cleaned_names,
            "replaced_names": counts.replaced_names,
            "seconds": seconds,
        })
    }

    fn say_what_to_try(&self, output: Output) {
        let data = self.args.data.display();
        let size = self.sizes.get(self.sizes.len() / 2).copied().unwrap_or(self.entries);
        output.line("Look at it:");
        output.line(format!("  undersigned serve --data {data}"));
        output.line(format!("  undersigned list signatories {} --at {size}", self.slug));
        output
            .line(format!("  undersigned audit {data} --policy {}", policy_file(&self.args.data).display()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of one row each: time, act, row.
    fn steps(lines: &[(u64, &str, &str)]) -> Vec<Step> {
        let text: Vec<String> = lines
            .iter()
            .map(|(second, act, row)| {
                format!(
                    r#"{{"time":"2020-01-01T00:00:{second:02}Z","act":"{act}","row":"{row}","name":"N {row}"}}"#
                )
            })
            .collect();
        history::parse(text.join("\n").as_bytes(), u64::MAX).unwrap()
    }

    /// The history that is replayed, and twins of it, each with one lie in it.
    #[test]
    fn a_history_other_than_the_one_replayed_is_found_out() {
        let told = [
            (1, "added", "a"),
            (1, "added", "b"),
            (2, "removed", "a"),
            (3, "added", "c"),
            (4, "returned", "a"),
            (5, "removed", "b"),
        ];
        let folder = tempfile::tempdir().unwrap();
        let honest = steps(&told);
        let (node, mut replay, _) = open(&folder.path().join("data"), "replay.example/log", &honest).unwrap();
        let quiet = Output::new(true);
        let sizes = replay.play(&honest, "list", quiet).unwrap();
        assert_eq!(replay.check(&honest, &sizes, quiet).unwrap(), Differences::default());

        let removal_hidden = [told[0], told[1], (2, "changed", "a"), told[3], (4, "changed", "a"), told[5]];
        let other_row = [told[0], told[1], (2, "removed", "b"), told[3], (4, "returned", "b"), told[5]];
        let never_added = [told[0], (1, "added", "d"), told[2], told[3], told[4], (5, "removed", "d")];
        let return_hidden = [told[0], told[1], told[2], told[3], (4, "changed", "c"), told[5]];
        for lie in [removal_hidden, other_row, never_added, return_hidden] {
            let found = replay.check(&steps(&lie), &sizes, quiet).unwrap();
            for source in ["state", "index"] {
                let part = format!("the list from the {source}");
                assert!(found.first.iter().any(|line| line.contains(&part)), "{lie:?}: {found:?}");
            }
        }
        // Each list as of the step after.
        let too_late: Vec<u64> = sizes.iter().skip(1).chain(sizes.last()).copied().collect();
        assert!(replay.check(&honest, &too_late, quiet).unwrap().count > 0, "lists as of other sizes");
        drop(replay);
        node.stop().unwrap();
    }
}
