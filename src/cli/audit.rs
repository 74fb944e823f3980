//! `audit`: replays a whole log and says what holds, what does not, and what no audit can show.

mod state;

use std::path::{Path, PathBuf};

use serde_json::json;
use undersigned_client::Client;
use undersigned_registry::id::RegistryId;
use undersigned_registry::verify::Trust;

use super::error::chain;
use super::output::{Output, ended_by_time, time};
use super::progress::Progress;
use super::{CliError, verify};
use crate::audit::{
    AuditError, FolderSource, HttpSource, Replayed, Report, Rule, Source, SourceError, audit_each, audit_from,
};

const EXAMPLE: &str = "Examples:
  undersigned audit https://registry.example --policy registry.policy
  undersigned audit /srv/copy-of-the-log --policy registry.policy
  undersigned audit https://registry.example --policy registry.policy \\
      --state registry.audit

Reads static files only: a mirror, any web server with a copy, or a folder will do. Everything is read \
and checked again from entry 0; nothing that the registry says is believed. With --state an audit goes on \
from where the last one ended, and finds out whether the log still begins with what was audited then.";

/// Replay a whole log: every entry, signature, tile, rule and state root
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Args {
    /// Address of a registry or mirror, or a folder with its files
    #[arg(value_name = "SOURCE")]
    source: String,
    #[command(flatten)]
    anchor: AnchorArgs,
    /// File that keeps where this audit ends: the next one with it goes on from there
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
}

/// Whom an auditor trusts.
#[derive(Debug, clap::Args)]
pub(super) struct AnchorArgs {
    /// Trust anchor: a tlog-policy file [default: the one that the address itself serves]
    #[arg(long, value_name = "FILE", env = "UNDERSIGNED_POLICY")]
    policy: Option<PathBuf>,
    /// Which registry is meant, if the policy does not say so: origin#hash
    #[arg(long = "registry", value_name = "ORIGIN#HASH")]
    registry: Option<String>,
}

/// A log to read, and whom to believe about it.
pub(super) struct Subject {
    pub(super) source: Box<dyn Source>,
    pub(super) trust: Trust,
    /// Whether the trust anchor came from elsewhere than the log itself.
    pub(super) anchored: bool,
}

pub(super) fn run(args: &Args, output: Output) -> Result<(), CliError> {
    let subject = open(&args.source, &args.anchor)?;
    let kept = match &args.state {
        Some(path) => state::read(path, &subject.trust)?,
        None => None,
    };
    let audited = kept.as_ref().map(|kept| kept.checkpoint().to_vec());
    let bar = Progress::new("entries", output);
    let advance = |done: u64, of: u64| bar.at(done, of);
    let ended = audit_from(subject.source.as_ref(), &subject.trust, kept, &advance, &mut |_| {});
    bar.end();
    let (report, kept) = ended.map_err(|error| match &args.state {
        Some(path) => {
            let evidence = state::keep_evidence(path, audited.as_deref(), &error);
            with_evidence(failed(error), path, &evidence)
        }
        None => failed(error),
    })?;
    if let Some(path) = &args.state {
        state::write(path, &kept)?;
    }
    say(&report, subject.anchored, output);
    if let Some(path) = &args.state {
        output.line(format!("kept in {}: the next audit with it goes on from here", path.display()));
    }
    output.object(&as_json(&report, &subject));
    Ok(())
}

/// Adds to an error where the evidence is.
fn with_evidence(error: CliError, state: &Path, evidence: &[PathBuf]) -> CliError {
    if evidence.is_empty() {
        return error;
    }
    let files: Vec<String> = evidence.iter().map(|path| path.display().to_string()).collect();
    CliError::refused(format!(
        "{}\nboth are kept: {}; {} was left as it is",
        error.message(),
        files.join(", "),
        state.display()
    ))
}

/// Opens an address or a folder. A folder cannot say whom to trust; a registry can, for what it is worth.
pub(super) fn open(source: &str, anchor: &AnchorArgs) -> Result<Subject, CliError> {
    let client = source.contains("://").then(|| Client::new(source)).transpose()?;
    let (trust, anchored) = match (&anchor.policy, &client) {
        (Some(path), _) => (verify::read_trust(path, anchor.registry.as_deref())?, true),
        (None, Some(client)) => {
            let registry = anchor.registry.as_deref().map(named).transpose()?;
            (verify::served_trust(client, registry)?, false)
        }
        (None, None) => {
            return Err(CliError::refused(format!(
                "no trust anchor for {source}\nname one with --policy: a folder cannot say whom to trust"
            )));
        }
    };
    let source: Box<dyn Source> = match client {
        Some(client) => Box::new(HttpSource::new(client)),
        None => Box::new(FolderSource::open(Path::new(source)).map_err(unreadable)?),
    };
    Ok(Subject { source, trust, anchored })
}

fn named(text: &str) -> Result<RegistryId, CliError> {
    RegistryId::parse(text).ok_or_else(|| {
        CliError::refused(format!("{text:?} names no registry\nwrite the origin, \"#\" and 64 hex digits"))
    })
}

/// Audits with a progress bar on standard error, where that is a terminal.
pub(super) fn replay(
    subject: &Subject,
    output: Output,
    each: &mut dyn FnMut(Replayed<'_>),
) -> Result<Report, CliError> {
    let bar = Progress::new("entries", output);
    let advance = |done: u64, of: u64| bar.at(done, of);
    let report = audit_each(subject.source.as_ref(), &subject.trust, &advance, each);
    bar.end();
    report.map_err(failed)
}

/// An audit that did not end well, for people.
pub(super) fn failed(error: AuditError) -> CliError {
    match error {
        AuditError::Source(error) => unreadable(error),
        AuditError::Trust(error) => CliError::refused(format!(
            "RED: the checkpoint is not one that the policy trusts: {error}\nthis is another log, or somebody without the log key made it; check that the policy is the registry's"
        )),
        AuditError::OtherLog { .. } => {
            CliError::local(format!("{error}\nname another file with --state for this log"))
        }
        AuditError::Shrunk { .. } => CliError::refused(format!(
            "RED: the log has shrunk: {error}\na log never shrinks: this is an old copy, or entries were taken away; ask at another address, and if it says the same, tell the registry's auditors"
        )),
        AuditError::Forked { .. } => CliError::refused(format!(
            "RED: the log has forked: {error}\nthe two checkpoints prove it: give them to everybody who relies on this registry"
        )),
        AuditError::Lied { entry, rule, in_signed_tree } => {
            // A tile that does not fit a right entry convicts nobody: whoever copied it may have damaged it.
            let meaning = if in_signed_tree && !matches!(*rule, Rule::Tile { .. }) {
                "the log key signed a tree with this entry in it: keep a copy of the files and tell the registry's auditors"
            } else {
                "the files are not those of the tree that the log key signed: audit another copy; if it says the same, tell the registry's auditors"
            };
            CliError::refused(format!("RED: entry {entry}: {rule} ({})\n{meaning}", rule.code()))
        }
    }
}

fn unreadable(error: SourceError) -> CliError {
    match error {
        SourceError::Http(error) => CliError::from(error),
        other => CliError::local(format!(
            "the log cannot be read: {}\nnothing is shown about it; try again, or take another copy",
            chain(&other)
        )),
    }
}

fn say(report: &Report, anchored: bool, output: Output) {
    output.line(format!("registry  {}", report.registry));
    output.line(format!("tree      {} entries, root {}", report.tree_size, report.root));
    output.line(format!("received  {} to {}", time(report.first_received), time(report.last_received)));
    output.line(format!(
        "GREEN: the log {} kept every rule, from entry 0 to entry {}",
        report.origin,
        report.tree_size.saturating_sub(1)
    ));
    if report.from > 0 {
        output.line(format!(
            "           {} of them audited before, and still the beginning of the log; {} new",
            report.from,
            report.tree_size.saturating_sub(report.from)
        ));
    }
    output.line("checked:");
    checked(report).iter().for_each(|line| output.line(format!("  - {line}")));
    output.line("counted:");
    output.line(format!("  - parties: {}, statements: {}", report.parties, report.statements));
    for count in &report.versions {
        output.line(format!(
            "  - \"{}\" version {}: {} endorse it, {} left{}",
            count.slug,
            count.number,
            count.active,
            count.withdrawn,
            ended_by_time(count.lapsed)
        ));
    }
    output.line("not shown by an audit:");
    not_shown(report, anchored).iter().for_each(|line| output.line(format!("  - {line}")));
    output.line(format!(
        "{:.1} s, {} entries a second",
        report.elapsed.as_secs_f64(),
        report.entries_per_second()
    ));
}

fn checked(report: &Report) -> Vec<String> {
    let checkpoint = "the checkpoint: signed by every key that the policy names for this log".to_owned();
    let mut lines = if report.from == 0 {
        vec![
            checkpoint,
            format!(
                "all entries ({}) hash to the tiles that are served ({}), and to the root that was signed",
                report.tree_size, report.tiles
            ),
            format!("all signatures ({}), each over the exact words of its entry", report.signatures),
            "the law: every entry is what the rules admit at its place, received never goes back".to_owned(),
            "the state root in every entry: each count, list and status that it proves".to_owned(),
        ]
    } else {
        vec![
            checkpoint,
            format!(
                "the new entries ({}) hash to the tiles that are served, and with those audited before to the root that was signed",
                report.tree_size.saturating_sub(report.from)
            ),
            "the signatures of the new entries, each over the exact words of its entry".to_owned(),
            "the law: every new entry is what the rules admit at its place, received never goes back"
                .to_owned(),
            "the state root in every new entry: each count, list and status that it proves".to_owned(),
        ]
    };
    if report.registry_pinned {
        lines.push("entry 0: it opens the registry that the trust anchor names".to_owned());
    }
    lines
}

fn not_shown(report: &Report, anchored: bool) -> Vec<String> {
    let mut lines = vec![
        "who stands behind a key: names and domains are claims of their parties".to_owned(),
        "that others are shown the same log: no witness has cosigned it; compare size and root with theirs"
            .to_owned(),
        "that the registry's clock is right: received is its own word".to_owned(),
        "the texts and names beside the log: they are named by hash and may have been erased".to_owned(),
        "what was refused or never logged".to_owned(),
    ];
    if report.from > 0 {
        lines.insert(
            0,
            format!(
                "that this source still has the first {} entries as they were audited: they were not read again; without --state they are",
                report.from
            ),
        );
    }
    if !anchored {
        lines.insert(0, "WHOSE LOG THIS IS: the trust anchor came from the audited registry itself; fetch it once (undersigned policy --out registry.policy), compare the fingerprint with the one that the operator publishes elsewhere, and give it with --policy".to_owned());
    }
    if !report.registry_pinned {
        lines.insert(
            0,
            "which registry of that name this is: the policy has no \"# registry\" line; give --registry"
                .to_owned(),
        );
    }
    lines
}

fn as_json(report: &Report, subject: &Subject) -> serde_json::Value {
    let versions: Vec<_> = report
        .versions
        .iter()
        .map(|count| {
            json!({
                "version": count.version.to_string(),
                "statement": count.statement.to_string(),
                "slug": count.slug,
                "number": count.number,
                "active": count.active,
                "withdrawn": count.withdrawn,
                "lapsed": count.lapsed,
            })
        })
        .collect();
    json!({
        "audit": "green",
        "source": subject.source.name(),
        "anchored": subject.anchored,
        "registry_pinned": report.registry_pinned,
        "origin": report.origin,
        "registry": report.registry.to_text(),
        "from": report.from,
        "tree_size": report.tree_size,
        "root": report.root.to_hex(),
        "tiles": report.tiles,
        "signatures": report.signatures,
        "parties": report.parties,
        "statements": report.statements,
        "versions": versions,
        "first_received": report.first_received,
        "last_received": report.last_received,
        "seconds": report.elapsed.as_secs_f64(),
        "entries_per_second": report.entries_per_second(),
        "not_shown": not_shown(report, subject.anchored),
    })
}
