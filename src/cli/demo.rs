//! `demo`: the whole path in one command, on the embedded store, with invented organisations.
//!
//! It talks to its own registry over HTTP as anybody would, and believes nothing of it: every receipt is
//! checked offline, a consistency proof spans the run, and an audit replays everything.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use undersigned_client::Client;
use undersigned_registry::event::{Admission, StatementKind, TextStatus};
use undersigned_registry::id::{EventHash, PartyId, StatementId};
use undersigned_registry::key::Role;
use undersigned_registry::verify::{Trust, Verified};
use undersigned_tlog::tree::verify_consistency;

use super::CliError;
use super::endorse::{Wish, prepare};
use super::output::Output;
use super::party::NewParty;
use super::signing::Session;
use super::statement::{statement_event, version_event, written};
use super::{serve, words};
use crate::audit;
use crate::clock::{SystemClock, wall_clock};
use crate::http;
use crate::keyring::{self, PartyKey};
use crate::node::{self, Birth, Node, Place};
use crate::read::accept::{self, AcceptLimits};
use crate::telemetry::{self, LogFormat};

const EXAMPLE: &str = "Example:
  undersigned demo
  undersigned demo --once --data ./empty-folder

Organisations and text are invented. Nothing leaves this machine.";

const ORIGIN: &str = "demo.registry.example/log1";
const SLUG: &str = "clear-signatures";
const MANIFESTO_EN: &str = include_str!("fixtures/manifesto.en.txt");
const MANIFESTO_FR: &str = include_str!("fixtures/manifesto.fr.txt");
const PORT: u16 = 6962;

/// Invented organisations on reserved domains (RFC 2606).
const ORGANISATIONS: [(&str, &str, &str); 6] = [
    ("en", "Lighthouse Commons", "lighthouse-commons.example"),
    ("pl", "Fundacja Źródło", "zrodlo.example"),
    ("de", "Verein Offene Brücke", "offene-bruecke.example"),
    ("ar", "جمعية الجسر", "aljisr.example"),
    ("en", "Northwind Cooperative", "northwind-coop.example"),
    ("fr", "Collectif des Marées", "marees.example"),
];

/// Try everything on this machine: a registry, a manifesto, signatures, receipts, an audit
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Args {
    /// End after the checks instead of staying up
    #[arg(long)]
    once: bool,
    /// Folder for the demo's data, absent or empty [default: a new one among the temporary files]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

pub(super) fn run(args: &Args, output: Output) -> Result<(), CliError> {
    telemetry::start_quiet(LogFormat::Text);
    let data = empty_folder(args.data.as_deref(), "demo")?;
    let place = Place { data: data.join("registry"), guard: Some(data.join("guard")) };
    let clock = Arc::new(SystemClock::new());
    let birth = Birth {
        origin: ORIGIN.to_owned(),
        operator: "Demo Registry".to_owned(),
        language: "en".to_owned(),
        domain: Some("registry.example".to_owned()),
        admission: Admission::Open,
    };
    let born = node::init(&place, &birth, clock.clone())?;
    let policy = data.join("registry.policy");
    std::fs::write(&policy, &born.policy).map_err(|error| CliError::file("write", &policy, &error))?;
    output.line(format!("registry   {}", born.registry));
    output.line(format!("data       {}", data.display()));

    let node = Node::open(&place, clock)?;
    let failed = |error: std::io::Error| CliError::fault(error);
    let runtime = tokio::runtime::Runtime::new().map_err(failed)?;
    let listener = runtime.block_on(async {
        match serve::bind(([127, 0, 0, 1], PORT).into()).await {
            Ok(listener) => Ok(listener),
            // The usual port is taken: any other will do for a demo.
            Err(_) => serve::bind(([127, 0, 0, 1], 0).into()).await,
        }
    })?;
    let url = format!("http://{}", listener.local_addr().map_err(failed)?);
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let limits = AcceptLimits::default();
    let app = http::app(node.handle(), Arc::clone(&limits.shared));
    let server = runtime.spawn(accept::serve(listener, app, limits, async move {
        let _ = ended.await;
    }));
    let result = (|| {
        let trust = Trust::parse(&born.policy, None).map_err(CliError::broken)?;
        let client = Client::new(&url)?;
        let demo = Demo { session: Session { client, trust, anchored: true }, data: &data, output };
        let summary = demo.play()?;
        demo.say_what_to_try((!args.once).then_some(&url), &policy);
        output.object(&summary);
        Ok(())
    })();
    if result.is_ok() && !args.once {
        output.line("\nCtrl-C ends the demo.");
        runtime.block_on(async {
            let _ = tokio::signal::ctrl_c().await;
        });
    }
    let _ = end.send(());
    let _ = runtime.block_on(server);
    runtime.shutdown_timeout(Duration::from_secs(1));
    node.stop()?;
    result
}

/// The folder that was named if it is empty, or a new one among the temporary files.
pub(super) fn empty_folder(named: Option<&Path>, what: &str) -> Result<PathBuf, CliError> {
    let path = match named {
        Some(path) => path.to_owned(),
        None => {
            let random = keyring::random_bytes()?;
            let suffix: String = random.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
            std::env::temp_dir().join(format!("undersigned-{what}-{suffix}"))
        }
    };
    let failed = |error: std::io::Error| CliError::file("make the folder", &path, &error);
    std::fs::create_dir_all(&path).map_err(failed)?;
    if std::fs::read_dir(&path).map_err(failed)?.next().is_some() {
        return Err(CliError::local(format!(
            "{} is not empty\nname an empty folder with --data, or leave it out",
            path.display()
        )));
    }
    Ok(path)
}

struct Organisation {
    name: &'static str,
    party: PartyId,
    key: PartyKey,
}

struct Demo<'a> {
    session: Session,
    data: &'a Path,
    output: Output,
}

impl Demo<'_> {
    fn play(&self) -> Result<serde_json::Value, CliError> {
        let output = self.output;
        let before = self.head()?;
        output.line("\n1. Organisations enter, each with keys of its own");
        let organisations = ORGANISATIONS
            .iter()
            .map(|organisation| self.enter(organisation))
            .collect::<Result<Vec<_>, _>>()?;
        output.line("\n2. The first publishes a manifesto in two languages");
        self.publish(organisations.first().ok_or_else(|| CliError::broken("no organisations"))?)?;
        output.line("\n3. All sign it; each answer is a receipt, checked offline before it counts");
        let mut latencies = Vec::new();
        let mut receipts = Vec::new();
        for organisation in &organisations {
            let (path, verified) = self.endorse(organisation, "endorse", &mut latencies)?;
            output.line(format!(
                "   entry {:>2}  {}  -> {}",
                verified.index,
                organisation.name,
                path.display()
            ));
            receipts.push(path);
        }
        output.line("\n4. One leaves; nobody can refuse it, and it stays visible");
        let leaver = organisations.last().ok_or_else(|| CliError::broken("no organisations"))?;
        let (path, verified) = self.endorse(leaver, "withdraw", &mut latencies)?;
        output.line(format!("   entry {:>2}  {}  -> {}", verified.index, leaver.name, path.display()));
        receipts.push(path.clone());
        output.line("\n5. What the last receipt says, read with the network off");
        self.read_back(&receipts)?;
        output.line("\n6. Nothing before was changed or removed");
        let after = self.head()?;
        self.check_consistency(before, after)?;
        output.line(format!(
            "   the tree of size {} is the beginning of the tree of size {}",
            before.0, after.0
        ));
        output.line("\n7. An audit replays everything: signatures, law, state, tiles");
        let source = audit::HttpSource::new(self.session.client.clone());
        let report = audit::audit(&source, &self.session.trust, &|_, _| {}).map_err(super::audit::failed)?;
        output.line(format!(
            "   GREEN: {} entries, {} signatures, root {}",
            report.tree_size, report.signatures, report.root
        ));
        let list = self.session.client.statement(SLUG)?;
        let count = list.version.map(|version| (version.count.active, version.count.withdrawn));
        let expected = u64::try_from(organisations.len()).unwrap_or(0) - 1;
        if count != Some((expected, 1)) {
            return Err(CliError::broken(format!("the count should be {expected} and 1, but is {count:?}")));
        }
        output.line(format!("   {expected} organisations endorse the manifesto, 1 left"));
        latencies.sort_unstable();
        let median = latencies.get(latencies.len() / 2).copied().unwrap_or_default();
        output.line(format!(
            "\nFrom signature to verified receipt on this idle log: {:.1} ms (median of {}, over HTTP, durable on disk)",
            median.as_secs_f64() * 1000.0,
            latencies.len()
        ));
        Ok(json!({
            "registry": self.session.registry()?.to_text(),
            "tree_size": report.tree_size,
            "endorsing": expected,
            "withdrawn": 1,
            "receipts": receipts,
            "idle_latency_ms_median": median.as_secs_f64() * 1000.0,
            "audit": "green",
        }))
    }

    fn enter(&self, (language, name, domain): &(&str, &'static str, &str)) -> Result<Organisation, CliError> {
        let (key, sign) = (PartyKey::generate(domain)?, PartyKey::generate(domain)?);
        let party = NewParty {
            names: vec![((*language).to_owned(), (*name).to_owned())],
            domain: Some((*domain).to_owned()),
            keys: vec![(Role::Admin, &key), (Role::Sign, &sign)],
            invitation: None,
            log_before: wall_clock() + 3600,
        };
        let (event, blobs) = party.event(self.session.registry()?);
        let (_, verified) = self.session.sign_and_submit(&event, &[&key, &sign], blobs)?;
        self.output.line(format!("   entry {:>2}  {name} ({domain})", verified.index));
        Ok(Organisation { name, party: PartyId(verified.event_hash.0), key })
    }

    fn publish(&self, sponsor: &Organisation) -> Result<(), CliError> {
        let registry = self.session.registry()?;
        let log_before = wall_clock() + 3600;
        let event = statement_event(
            registry.clone(),
            sponsor.party,
            &sponsor.key,
            StatementKind::Manifesto,
            SLUG,
            log_before,
        );
        let (_, published) = self.session.sign_and_submit(&event, &[&sponsor.key], Vec::new())?;
        let texts = [("en", TextStatus::Authentic, MANIFESTO_EN), ("fr", TextStatus::Courtesy, MANIFESTO_FR)]
            .into_iter()
            .map(|(language, status, content)| written(language, status, content))
            .collect::<Result<Vec<_>, _>>()
            .map_err(CliError::refused)?;
        let statement = StatementId(published.event_hash.0);
        let after: EventHash = published.event_hash;
        let (event, blobs) =
            version_event(registry, sponsor.party, &sponsor.key, statement, after, &texts, log_before);
        let (_, version) = self.session.sign_and_submit(&event, &[&sponsor.key], blobs)?;
        self.output.line(format!("   entry {:>2}  {}", version.index, words::act(&version)));
        Ok(())
    }

    fn endorse(
        &self,
        organisation: &Organisation,
        kind: &'static str,
        latencies: &mut Vec<Duration>,
    ) -> Result<(PathBuf, Verified), CliError> {
        let language = (kind == "endorse").then_some("en");
        let wish = Wish { kind, statement: SLUG, version: None, language, not_after: None };
        let event = prepare(&self.session, organisation.key.id(), &wish)?;
        let begun = Instant::now();
        let (submitted, verified) = self.session.sign_and_submit(&event, &[&organisation.key], Vec::new())?;
        latencies.push(begun.elapsed());
        let path = self.data.join(format!("{}.tlog-proof", submitted.index));
        std::fs::write(&path, &submitted.receipt).map_err(|error| CliError::file("write", &path, &error))?;
        Ok((path, verified))
    }

    /// Reads every receipt file again and checks it under the policy file alone.
    fn read_back(&self, receipts: &[PathBuf]) -> Result<(), CliError> {
        for (position, path) in receipts.iter().enumerate() {
            let bytes = std::fs::read(path).map_err(|error| CliError::file("read", path, &error))?;
            let verified = super::verify::check(&bytes, &self.session.trust)
                .map_err(|error| CliError::broken(format!("{}: {error}", path.display())))?;
            if position + 1 == receipts.len() {
                let words = words::explain(&verified);
                words.proved.iter().for_each(|line| self.output.line(format!("   proved: {line}")));
                words.stated.iter().for_each(|line| self.output.line(format!("   stated: {line}")));
                words.not_proved.iter().for_each(|line| self.output.line(format!("   not proved: {line}")));
            }
            // Its negative twin: one flipped bit, and nothing is proved.
            let mut altered = bytes;
            let middle = altered.len() / 2;
            if let Some(byte) = altered.get_mut(middle) {
                *byte ^= 1;
            }
            if super::verify::check(&altered, &self.session.trust).is_ok() {
                return Err(CliError::broken("an altered receipt was accepted"));
            }
        }
        Ok(())
    }

    fn head(&self) -> Result<(u64, undersigned_tlog::hash::Hash), CliError> {
        let bytes = self.session.client.checkpoint()?;
        let opened = self.session.trust.open_checkpoint(&bytes).map_err(CliError::broken)?;
        Ok((opened.size().get(), *opened.root()))
    }

    fn check_consistency(
        &self,
        (from, from_root): (u64, undersigned_tlog::hash::Hash),
        (to, to_root): (u64, undersigned_tlog::hash::Hash),
    ) -> Result<(), CliError> {
        let proof = self.session.client.consistency(from, Some(to))?.hashes;
        let (from, to) =
            (undersigned_tlog::tree::TreeSize::new(from), undersigned_tlog::tree::TreeSize::new(to));
        verify_consistency(from, to, &from_root, &to_root, &proof)
            .map_err(|error| CliError::broken(format!("the log is not append-only: {error}")))
    }

    /// With an address where the demo stays up.
    fn say_what_to_try(&self, url: Option<&str>, policy: &Path) {
        let output = self.output;
        if let Some(url) = url {
            output.line("\nLook at it:");
            output.line(format!("  open {url}/ in a browser, or: curl {url}/"));
            output.line(format!("  curl {url}/v1/statements/{SLUG}"));
            output.line(format!("  curl {url}/v1/statements/{SLUG}/signatories"));
            output.line(format!("  curl {url}/v1/receipts/9"));
            output.line(format!("  curl {url}/checkpoint"));
        }
        output.line("\nCheck it; neither line needs a network:");
        output.line(format!(
            "  undersigned verify {}/*.tlog-proof --policy {}",
            self.data.display(),
            policy.display()
        ));
        output.line(format!(
            "  undersigned audit {} --policy {}",
            self.data.join("registry").display(),
            policy.display()
        ));
        output.line(format!("All of it stays in {} until you delete it.", self.data.display()));
    }
}
