//! `replay`: turns the history of a public list into a registry of its own, with generated keys.
//!
//! Every addition becomes an endorsement by a key that this program makes up for the row, every removal a
//! withdrawal, every return a new endorsement; each line's time is its `received`. The result shows how the
//! list would have looked in a registry. It proves nothing about the organisations: none of them signed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;
use undersigned_registry::entry::Entry;
use undersigned_registry::envelope::{CheckedEnvelope, Envelope, Submission};
use undersigned_registry::event::{
    Admission, Body, Event, NAME_BYTES_MAX, SLUG_BYTES_MAX, StatementKind, TextStatus, is_domain, is_slug,
};
use undersigned_registry::id::{EventHash, PartyId, RegistryId, StatementId, VersionId};
use undersigned_registry::key::Role;
use undersigned_registry::ledger::Ledger;
use undersigned_registry::record::{Record, StateKey, Status};
use undersigned_tlog::tree::TreeSize;

use super::CliError;
use super::output::{Output, progress};
use super::party::NewParty;
use super::statement::{Written, statement_event, version_event};
use crate::admission::{self, check_text};
use crate::clock::GivenClock;
use crate::index::IndexError;
use crate::keyring::PartyKey;
use crate::node::{self, Birth, Handle, Node, Place};
use crate::sequencer::NotLogged;
use crate::telemetry::{self, LogFormat};

const EXAMPLE: &str = "Example:
  undersigned replay history.jsonl --data ./replayed --check
  undersigned serve --data ./replayed

One JSON object a line, with at least \"time\" (RFC 3339), \"act\" (added, removed, returned, changed), \"row\"
and \"name\"; \"domain\" if it is known. Lines marked changed are skipped: nothing is signed anew by a rename.";

/// The longest line of a history in bytes.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// The most lines of a history.
const LINES_MAX: usize = 1_000_000;
/// How many submissions are in line at once; the intake takes more.
const IN_LINE_MAX: usize = 1_000;
/// How long the signature of a replayed line is good, in seconds.
const SIGNED_FOR_SECONDS: u64 = 3_600;
/// How long before the first line the registry opens, in seconds.
const OPENED_BEFORE_SECONDS: u64 = 24 * 3_600;
/// How many differences are printed.
const DIFFERENCES_SHOWN_MAX: usize = 10;

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

/// A line of a history; what is not named here is not used.
#[derive(Debug, Clone, Deserialize)]
struct Line {
    time: String,
    act: Act,
    row: String,
    name: String,
    domain: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Act {
    Added,
    Removed,
    Returned,
    Changed,
}

/// The lines of one second.
#[derive(Debug)]
struct Step {
    time: u64,
    lines: Vec<Line>,
}

/// What was counted on the way.
#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    added: u64,
    removed: u64,
    returned: u64,
    changed: u64,
    without_domain: u64,
    cleaned_names: u64,
}

/// The rows on the list after a step, as the history says.
type Rows = BTreeSet<String>;

/// A step that was replayed: the tree size after it, and who should be on the list then.
#[derive(Debug)]
struct Replayed {
    size: u64,
    rows: Rows,
}

pub(super) fn run(args: &Args, output: Output) -> Result<(), CliError> {
    telemetry::start_quiet(LogFormat::Text);
    let steps = read(&args.history)?;
    let first = steps.first().map(|step| step.time).unwrap_or_default();
    refuse_unless_empty(&args.data)?;
    let clock = Arc::new(GivenClock::at(first.saturating_sub(OPENED_BEFORE_SECONDS)));
    let place = Place { data: args.data.clone(), guard: None };
    let birth = Birth {
        origin: args.origin.clone(),
        operator: "Replay of a public list".to_owned(),
        language: "en".to_owned(),
        domain: None,
        admission: Admission::Open,
    };
    let born = node::init(&place, &birth, clock.clone())?;
    let node = Node::open(&place, clock.clone())?;
    let slug = slug_of(&args.history);
    let mut replay = Replay {
        handle: node.handle(),
        clock,
        registry: born.registry.clone(),
        sponsor: PartyKey::read(&born.admin_key)?,
        threads: BTreeMap::new(),
        counts: Counts::default(),
        statement: StatementId(born.registry.genesis().0),
        version: VersionId(born.registry.genesis().0),
    };
    let replayed = replay.play(&steps, &slug, output);
    let checked = replayed.and_then(|replayed| {
        let differences = if args.check { replay.check(&replayed, output)? } else { Vec::new() };
        Ok((replayed, differences))
    });
    let parties: u64 = u64::try_from(replay.threads.len()).unwrap_or(u64::MAX);
    let counts = replay.counts;
    let entries = replay.handle.published.borrow().head.size.get();
    drop(replay);
    node.stop()?;
    let (replayed, differences) = checked?;
    let Counts { added, removed, returned, changed, without_domain, cleaned_names } = counts;
    output.line(format!("{} steps replayed into {entries} entries of {}", replayed.len(), born.registry));
    output.line(format!(
        "  {added} added, {removed} removed, {returned} returned; {changed} changed lines skipped"
    ));
    output.line(format!(
        "  {parties} parties, {without_domain} of them without a domain; {cleaned_names} names cleaned"
    ));
    output.line(
        "None of these organisations took part: the keys are made up, the list is somebody else's claim.",
    );
    output.object(&json!({
        "registry": born.registry.to_text(),
        "statement": slug,
        "entries": entries,
        "steps": replayed.len(),
        "steps_checked": if args.check { replayed.len() } else { 0 },
        "differences": differences,
        "added": added,
        "removed": removed,
        "returned": returned,
        "changed_skipped": changed,
        "parties": parties,
        "without_domain": without_domain,
        "cleaned_names": cleaned_names,
    }));
    if !differences.is_empty() {
        let shown: Vec<&str> = differences.iter().take(DIFFERENCES_SHOWN_MAX).map(String::as_str).collect();
        return Err(CliError::refused(format!(
            "{} differences between the list in the registry and the history:\n{}",
            differences.len(),
            shown.join("\n")
        )));
    }
    if args.check {
        output.line(format!(
            "checked: at each of {} steps the list as of its tree size is the history's",
            replayed.len()
        ));
    }
    output.line(format!("Look at it: undersigned serve --data {}", args.data.display()));
    output.line(format!(
        "            undersigned list signatories {slug} --at {}",
        replayed.first().map_or(0, |step| step.size)
    ));
    Ok(())
}

/// Reads a history whole before anything is made of it.
fn read(path: &Path) -> Result<Vec<Step>, CliError> {
    let text = std::fs::read_to_string(path).map_err(|error| CliError::file("read", path, &error))?;
    parse(&text).map_err(|(line, reason)| {
        CliError::refused(format!(
            "{}, line {line}: {reason}\nnothing was made; mend the file, or keep to its last good version",
            path.display()
        ))
    })
}

fn parse(text: &str) -> Result<Vec<Step>, (usize, String)> {
    let mut steps: Vec<Step> = Vec::new();
    let mut listed = BTreeMap::new();
    for (position, text) in text.lines().enumerate() {
        let number = position + 1;
        let refuse = |reason: String| (number, reason);
        if number > LINES_MAX {
            return Err(refuse(format!("more than {LINES_MAX} lines")));
        }
        if text.len() > LINE_BYTES_MAX {
            return Err(refuse(format!("longer than {LINE_BYTES_MAX} bytes")));
        }
        let line: Line = serde_json::from_str(text).map_err(|error| refuse(error.to_string()))?;
        let time = humantime::parse_rfc3339(&line.time)
            .ok()
            .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
            .map(|since| since.as_secs())
            .ok_or_else(|| refuse(format!("{:?} is no time in RFC 3339", line.time)))?;
        let is_listed = listed.get(&line.row).copied();
        let fits = match line.act {
            Act::Added => is_listed.is_none(),
            Act::Removed | Act::Changed => is_listed == Some(true),
            Act::Returned => is_listed == Some(false),
        };
        if !fits {
            return Err(refuse(format!("the row {} cannot be {:?} here", line.row, line.act)));
        }
        if line.act != Act::Changed {
            listed.insert(line.row.clone(), line.act != Act::Removed);
        }
        match steps.last_mut() {
            Some(step) if step.time == time => step.lines.push(line),
            Some(step) if step.time > time => {
                return Err(refuse("its time lies before the line above".to_owned()));
            }
            _ => steps.push(Step { time, lines: vec![line] }),
        }
    }
    if steps.is_empty() { Err((1, "the history is empty".to_owned())) } else { Ok(steps) }
}

fn refuse_unless_empty(folder: &Path) -> Result<(), CliError> {
    let items = match std::fs::read_dir(folder) {
        Ok(items) => items,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(CliError::file("read the folder", folder, &error)),
    };
    if items.into_iter().next().is_some() {
        return Err(CliError::local(format!("{} is not empty\nname another folder", folder.display())));
    }
    Ok(())
}

/// A slug from the file's place: the folder's name if the file is called `history`, else its own.
fn slug_of(path: &Path) -> String {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let folder = path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let name = match folder {
        Some(folder) if stem == "history" => folder,
        _ => stem,
    };
    let parts: Vec<String> = name
        .to_ascii_lowercase()
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect();
    let slug: String = parts.join("-").chars().take(SLUG_BYTES_MAX).collect();
    let slug = slug.trim_matches('-').to_owned();
    if is_slug(&slug) { slug } else { "list".to_owned() }
}

/// A name as it may be logged: blanks collapsed, what the door refuses taken out; whether that changed it.
fn clean(name: &str, row: &str) -> (String, bool) {
    let limit = usize::try_from(NAME_BYTES_MAX).unwrap_or(usize::MAX);
    let fits = |text: &str| text.len() <= limit && check_text(text.as_bytes(), true).is_ok();
    if fits(name) {
        return (name.to_owned(), false);
    }
    let kept: String =
        name.chars().filter(|letter| check_text(letter.to_string().as_bytes(), false).is_ok()).collect();
    let cleaned = kept.split_whitespace().collect::<Vec<_>>().join(" ");
    if fits(&cleaned) { (cleaned, true) } else { (row.to_owned(), true) }
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
    registry: RegistryId,
    sponsor: PartyKey,
    threads: BTreeMap<String, Thread>,
    counts: Counts,
    statement: StatementId,
    version: VersionId,
}

impl Replay {
    fn play(&mut self, steps: &[Step], slug: &str, output: Output) -> Result<Vec<Replayed>, CliError> {
        self.publish(slug)?;
        let bar = progress(u64::try_from(steps.len()).unwrap_or(u64::MAX), "replaying", output);
        let mut rows = Rows::new();
        let mut replayed = Vec::with_capacity(steps.len());
        for step in steps {
            self.clock.set(step.time);
            let mut submissions = Vec::new();
            for line in &step.lines {
                self.add_line(line, step.time, &mut submissions)?;
                match line.act {
                    Act::Added | Act::Returned => drop(rows.insert(line.row.clone())),
                    Act::Removed => drop(rows.remove(&line.row)),
                    Act::Changed => {}
                }
            }
            self.submit(submissions)?;
            let size = self.handle.published.borrow().head.size.get();
            replayed.push(Replayed { size, rows: rows.clone() });
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(replayed)
    }

    /// The statement that the rows endorse: a text that says what this registry is.
    fn publish(&mut self, slug: &str) -> Result<(), CliError> {
        let now = crate::clock::Clock::now(self.clock.as_ref())
            .map_err(|jump| CliError::local(jump.to_string()))?;
        let log_before = now + SIGNED_FOR_SECONDS;
        let sponsor = self.registry.operator();
        let event = statement_event(
            self.registry.clone(),
            sponsor,
            &self.sponsor,
            StatementKind::Letter,
            slug,
            log_before,
        );
        let (submission, hash) = signed(&event, &[&self.sponsor], Vec::new())?;
        self.submit(vec![submission])?;
        self.statement = StatementId(hash.0);
        let text = Written {
            language: "en".to_owned(),
            status: TextStatus::Authentic,
            title: format!("Replay of the public list {slug}"),
            text: "This registry replays the history of a public list for study.\n\
                   The keys were made up by the program that replays it. None of the organisations on the list has \
                   signed here or taken part in any way: what is logged is a claim made by somebody else.\n"
                .to_owned(),
        };
        let (event, blobs) = version_event(
            self.registry.clone(),
            sponsor,
            &self.sponsor,
            self.statement,
            hash,
            &[text],
            log_before,
        );
        let (submission, hash) = signed(&event, &[&self.sponsor], blobs)?;
        self.submit(vec![submission])?;
        self.version = VersionId(hash.0);
        Ok(())
    }

    /// Adds what one line becomes.
    fn add_line(
        &mut self,
        line: &Line,
        time: u64,
        submissions: &mut Vec<Submission>,
    ) -> Result<(), CliError> {
        let log_before = time + SIGNED_FOR_SECONDS;
        match line.act {
            Act::Changed => {
                self.counts.changed += 1;
                return Ok(());
            }
            Act::Added => {
                self.counts.added += 1;
                let key = PartyKey::generate("")?;
                let (name, cleaned) = clean(&line.name, &line.row);
                let domain = line.domain.clone().filter(|domain| is_domain(domain));
                self.counts.cleaned_names += u64::from(cleaned);
                self.counts.without_domain += u64::from(domain.is_none());
                let party = NewParty {
                    names: vec![("und".to_owned(), name)],
                    domain,
                    keys: vec![(Role::Admin, &key)],
                    invitation: None,
                    log_before,
                };
                let (event, blobs) = party.event(self.registry.clone());
                let (submission, hash) = signed(&event, &[&key], blobs)?;
                submissions.push(submission);
                self.threads.insert(line.row.clone(), Thread { key, party: PartyId(hash.0), head: hash });
            }
            Act::Removed => self.counts.removed += 1,
            Act::Returned => self.counts.returned += 1,
        }
        let (statement, version) = (self.statement, self.version);
        // `parse` has seen that the row was added before.
        let thread = self
            .threads
            .get_mut(&line.row)
            .ok_or_else(|| CliError::refused(format!("the row {} was never added", line.row)))?;
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
                Body::Endorse { statement, version, language: "en".to_owned() }
            },
        };
        let (submission, hash) = signed(&event, &[&thread.key], Vec::new())?;
        thread.head = hash;
        submissions.push(submission);
        Ok(())
    }

    /// Puts submissions in line, in order, and waits until all are published.
    fn submit(&self, submissions: Vec<Submission>) -> Result<(), CliError> {
        let mut submissions = submissions.into_iter().peekable();
        while submissions.peek().is_some() {
            let mut waiting = Vec::new();
            for submission in submissions.by_ref().take(IN_LINE_MAX) {
                let bytes = submission.encode().len();
                let checked =
                    admission::admit(submission).map_err(|error| CliError::refused(error.to_string()))?;
                let reply = self.handle.intake.submit(checked, bytes);
                waiting.push(reply.map_err(|later| CliError::local(later.to_string()))?);
            }
            for reply in waiting {
                match reply.blocking_recv() {
                    Ok(Ok(_)) => {}
                    Ok(Err(NotLogged::Refused(refusal))) => {
                        return Err(CliError::refused(refusal.to_string()));
                    }
                    Ok(Err(NotLogged::Later(later))) => return Err(CliError::local(later.to_string())),
                    Err(_) => return Err(CliError::local("the log stopped; see the line above")),
                }
            }
        }
        Ok(())
    }

    /// Compares, at every step's tree size, the list that the registry gives with the history's: once from
    /// the index as of that size, once from the state that a replay of the entries gives.
    fn check(&self, steps: &[Replayed], output: Output) -> Result<Vec<String>, CliError> {
        let log = |error: String| CliError::local(format!("the log cannot be read back: {error}"));
        let size = self.handle.published.borrow().head.size;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.map_err(|error| CliError::local(error.to_string()))?;
        while let Err(IndexError::Behind { .. }) = runtime.block_on(self.handle.index.wait_for(size)) {}
        let parties: BTreeMap<PartyId, &str> =
            self.threads.iter().map(|(row, thread)| (thread.party, row.as_str())).collect();
        let bar = progress(u64::try_from(steps.len()).unwrap_or(u64::MAX), "checking", output);
        let mut ledger = Ledger::new();
        let mut differences = Vec::new();
        for (number, step) in steps.iter().enumerate() {
            while ledger.size() < step.size {
                let bytes =
                    self.handle.reader.entry(ledger.size(), size).map_err(|error| log(error.to_string()))?;
                let bytes = bytes.ok_or_else(|| log("an entry is missing".to_owned()))?;
                let entry = Entry::parse(&bytes).map_err(|error| log(error.to_string()))?;
                let envelope: CheckedEnvelope =
                    entry.envelope.check().map_err(|error| log(error.to_string()))?;
                ledger
                    .follow(&envelope, entry.received, entry.state)
                    .map_err(|error| log(error.to_string()))?;
            }
            let from_state = rows_of_state(&ledger, &self.version, &parties);
            let from_index = self.rows_of_index(TreeSize::new(step.size), &parties)?;
            for (source, rows) in [("state", from_state), ("index", from_index)] {
                differences.extend(compare(number, step, source, &rows));
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(differences)
    }

    fn rows_of_index(&self, size: TreeSize, parties: &BTreeMap<PartyId, &str>) -> Result<Rows, CliError> {
        let failed = |error: String| CliError::local(format!("the index cannot be read: {error}"));
        let version = self
            .handle
            .index
            .entry_of(EventHash(self.version.0))
            .map_err(|error| failed(error.to_string()))?;
        let version = version.ok_or_else(|| failed("it does not know the version".to_owned()))?;
        let listed = self
            .handle
            .index
            .signatories(version, size, None, usize::MAX)
            .map_err(|error| failed(error.to_string()))?;
        let mut rows = Rows::new();
        for one in listed.iter().filter(|one| one.status == Status::Active) {
            let bytes =
                self.handle.reader.entry(one.party_entry, size).map_err(|error| failed(error.to_string()))?;
            let entry = bytes
                .and_then(|bytes| Entry::parse(&bytes).ok())
                .ok_or_else(|| failed("it names an entry that is none".to_owned()))?;
            let party = undersigned_registry::event::event_hash(entry.envelope.event_bytes());
            rows.insert(
                parties.get(&PartyId(party.0)).map_or_else(|| party.to_string(), |row| (*row).to_owned()),
            );
        }
        Ok(rows)
    }
}

fn rows_of_state(ledger: &Ledger, version: &VersionId, parties: &BTreeMap<PartyId, &str>) -> Rows {
    parties
        .iter()
        .filter(|(party, _)| {
            let key = StateKey::endorsement(version, party);
            let record = undersigned_registry::rules::Facts::record(ledger.state(), &key);
            matches!(record, Some(Record::Endorsement(record)) if record.status == Status::Active)
        })
        .map(|(_, row)| (*row).to_owned())
        .collect()
}

/// What is on one list and not on the other.
fn compare(number: usize, step: &Replayed, source: &str, rows: &Rows) -> Vec<String> {
    let missing = step.rows.difference(rows).map(|row| format!("misses {row}"));
    let surplus = rows.difference(&step.rows).map(|row| format!("has {row}, which the history has not"));
    missing
        .chain(surplus)
        .map(|what| {
            format!("step {} (tree size {}): the list from the {source} {what}", number + 1, step.size)
        })
        .collect()
}

fn signed(
    event: &Event,
    keys: &[&PartyKey],
    blobs: Vec<Vec<u8>>,
) -> Result<(Submission, EventHash), CliError> {
    let unfit = |error: String| CliError::refused(format!("an event cannot be made: {error}"));
    let bytes = event.encode();
    let hash = undersigned_registry::event::event_hash(&bytes);
    let proofs = keys.iter().map(|key| key.prove(&bytes)).collect();
    let envelope = Envelope::new(bytes, proofs).map_err(|error| unfit(error.to_string()))?;
    Ok((Submission::new(envelope, blobs).map_err(|error| unfit(error.to_string()))?, hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(time: &str, act: &str, row: &str) -> String {
        format!(r#"{{"time":"{time}","act":"{act}","row":"{row}","name":"N"}}"#)
    }

    #[test]
    fn lines_of_one_second_are_one_step() {
        let text = [
            line("2020-01-01T00:00:00Z", "added", "a"),
            line("2020-01-01T00:00:00Z", "added", "b"),
            line("2020-01-01T00:00:01Z", "removed", "a"),
            line("2020-01-01T00:00:02Z", "returned", "a"),
        ]
        .join("\n");
        let steps = parse(&text).expect("a good history");
        assert_eq!(steps.iter().map(|step| step.lines.len()).collect::<Vec<_>>(), [2, 1, 1]);
    }

    #[test]
    fn a_broken_history_is_refused_with_its_line() {
        let good = line("2020-01-01T00:00:05Z", "added", "a");
        for (second, part) in [
            ("{", "EOF"),
            (line("yesterday", "added", "b").as_str(), "RFC 3339"),
            (line("2020-01-01T00:00:04Z", "added", "b").as_str(), "before the line above"),
            (line("2020-01-01T00:00:06Z", "added", "a").as_str(), "cannot be Added"),
            (line("2020-01-01T00:00:06Z", "removed", "b").as_str(), "cannot be Removed"),
            (line("2020-01-01T00:00:06Z", "returned", "a").as_str(), "cannot be Returned"),
            (line("2020-01-01T00:00:06Z", "signed", "b").as_str(), "unknown variant"),
        ] {
            let (number, reason) = parse(&format!("{good}\n{second}")).expect_err(second);
            assert!(number == 2 && reason.contains(part), "line {number}: {reason}");
        }
        assert!(parse("").is_err());
    }

    #[test]
    fn every_difference_is_told() {
        let rows = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Rows>();
        let step = Replayed { size: 9, rows: rows(&["a", "b"]) };
        assert!(compare(0, &step, "index", &rows(&["a", "b"])).is_empty());
        assert_eq!(compare(0, &step, "index", &rows(&["a"])).len(), 1);
        assert_eq!(compare(0, &step, "index", &rows(&["a", "b", "c"])).len(), 1);
        assert_eq!(compare(0, &step, "state", &rows(&["c"])).len(), 3);
    }

    #[test]
    fn names_are_cleaned_of_what_the_door_refuses() {
        assert_eq!(clean("p≡p", "r1"), ("p≡p".to_owned(), false));
        assert_eq!(clean("  Two\tWords\u{202e} ", "r1").0, "TwoWords");
        assert!(clean("e\u{301}", "r1").1);
        assert_eq!(clean("\u{200b}", "r1"), ("r1".to_owned(), true));
    }

    #[test]
    fn the_slug_comes_from_the_folder_or_the_file() {
        assert_eq!(slug_of(Path::new("lists/fsfe-pmpc/history.jsonl")), "fsfe-pmpc");
        assert_eq!(slug_of(Path::new("My List.jsonl")), "my-list");
        assert_eq!(slug_of(Path::new("history.jsonl")), "history");
        assert_eq!(slug_of(Path::new("示.jsonl")), "list");
    }
}
