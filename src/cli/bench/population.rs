//! The registry of a benchmark: organisations with keys of their own, a statement with a version for each
//! row, endorsements that stand already, and the signed requests of the rows.
//!
//! Everything goes through the same admission and the same law as over HTTP; only the way in is shorter.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;

use undersigned_registry::envelope::{Envelope, Submission};
use undersigned_registry::event::{Admission, Body, Event, StatementKind, TextStatus, event_hash};
use undersigned_registry::id::{EventHash, PartyId, RegistryId, StatementId, VersionId};
use undersigned_registry::key::Role;
use undersigned_registry::verify::Trust;
use undersigned_tlog::hash::sha256;

use super::super::CliError;
use super::super::in_line::{IN_LINE_MAX, log_all};
use super::super::output::Output;
use super::super::party::NewParty;
use super::super::progress::Progress;
use super::super::statement::{Written, statement_event, version_event};
use super::load::Requests;
use crate::admission::{self, CheckedSubmission};
use crate::clock::{SystemClock, wall_clock};
use crate::keyring::PartyKey;
use crate::node::{self, Birth, Handle, Node, Place};

/// How long an event may wait to be logged, in seconds: longer than any run.
const LOGGED_WITHIN_SECONDS: u64 = 24 * 3600;
const SLUG: &str = "bench";

/// What is to be there before the first row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) parties: u64,
    pub(super) endorsed: u64,
    /// How many different names they have; more than there are parties: each its own.
    pub(super) names: u64,
    pub(super) rows: usize,
}

/// A registry that stands.
pub(super) struct Population {
    place: Place,
    registry: RegistryId,
    trust: Trust,
    statement: StatementId,
    /// Of the endorsements that stand already, and one for each row.
    versions: Vec<VersionId>,
    parties: Vec<PartyId>,
    /// So many parties, from the first on, endorsed the first version.
    endorsed: u64,
    entries: u64,
    state_records: u64,
}

/// A submission before its check, with the hash of its event.
type Made = Result<(CheckedSubmission, usize, EventHash), CliError>;

impl Population {
    /// Makes the registry in a folder and closes it again.
    pub(super) fn make(folder: &Path, wanted: &Wanted, output: Output) -> Result<Self, CliError> {
        let place = Place { data: folder.join("registry"), guard: None };
        let birth = Birth {
            origin: "bench.registry.example/log1".to_owned(),
            operator: "Benchmark".to_owned(),
            language: "en".to_owned(),
            domain: None,
            admission: Admission::Open,
        };
        let clock = Arc::new(SystemClock::new());
        let born = node::init(&place, &birth, clock.clone())?;
        let trust = Trust::parse(&born.policy, None).map_err(CliError::broken)?;
        let operator = PartyKey::read(&born.admin_key)?;
        let node = Node::open(&place, clock)?;
        let handle = node.handle();
        let (statement, versions) = publish(&handle, &born.registry, &operator, wanted.rows)?;
        let registry = &born.registry;
        let parties = fill(&handle, wanted.parties, "organisations", output, &|number| {
            let name = name(number % wanted.names.max(1));
            made(&entering(registry, number, &name), &key(number), vec![name])
        })?;
        let parties: Vec<PartyId> = parties.into_iter().map(|hash| PartyId(hash.0)).collect();
        let first = versions.first().copied().ok_or_else(|| CliError::fault("no version was published"))?;
        let endorse = |number: u64| {
            let party = party_at(&parties, number)?;
            made(&endorsement(registry, statement, first, party, &key(number)), &key(number), Vec::new())
        };
        fill(&handle, wanted.endorsed, "endorsements", output, &endorse)?;
        let asked = handle.intake.ask(|law| (law.ledger().size(), law.ledger().state().len()));
        let (entries, records) = asked
            .map_err(CliError::fault)?
            .blocking_recv()
            .map_err(|_| CliError::fault("the log stopped; see the line above"))?;
        drop(handle);
        node.stop()?;
        let state_records = u64::try_from(records).unwrap_or(u64::MAX);
        Ok(Self {
            place,
            registry: born.registry,
            trust,
            statement,
            versions,
            parties,
            endorsed: wanted.endorsed,
            entries,
            state_records,
        })
    }

    pub(super) const fn place(&self) -> &Place {
        &self.place
    }

    pub(super) const fn trust(&self) -> &Trust {
        &self.trust
    }

    /// All versions: the one whose endorsements stood first, then one of each row.
    pub(super) fn versions(&self) -> &[VersionId] {
        &self.versions
    }

    /// A version, and parties that have not endorsed it: the operator where all others have.
    pub(super) fn absent(&self) -> Option<(VersionId, Vec<PartyId>)> {
        let from = usize::try_from(self.endorsed).unwrap_or(usize::MAX);
        let rest = self.parties.get(from..).unwrap_or_default();
        let parties = if rest.is_empty() { vec![self.registry.operator()] } else { rest.to_vec() };
        self.versions.first().map(|version| (*version, parties))
    }

    /// Entries in the log.
    pub(super) const fn entries(&self) -> u64 {
        self.entries
    }

    /// Records in the state tree.
    pub(super) const fn state_records(&self) -> u64 {
        self.state_records
    }

    /// Counts what a row added: an entry each, and two records, by version and by party.
    pub(super) const fn count_endorsed(&mut self, receipts: u64) {
        self.entries += receipts;
        self.state_records += receipts * 2;
    }

    /// Signs the requests of a row: each by another organisation, for the row's version.
    pub(super) fn requests(
        &mut self,
        row: usize,
        count_max: usize,
        address: SocketAddr,
        output: Output,
    ) -> Result<Requests, CliError> {
        let version = self
            .versions
            .get(row.saturating_add(1))
            .copied()
            .ok_or_else(|| CliError::fault("there is no version for this row"))?;
        let count = u64::try_from(self.parties.len().min(count_max)).unwrap_or(0);
        let bar = Progress::of(count, "requests signed", output);
        let make = |number: u64| -> Result<Vec<u8>, CliError> {
            let key = key(number);
            let event =
                endorsement(&self.registry, self.statement, version, party_at(&self.parties, number)?, &key);
            let (submission, _) = signed(&event, &key, Vec::new())?;
            let body = submission.encode();
            let mut request = format!(
                "POST /v1/entries HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                body.len()
            )
            .into_bytes();
            request.extend_from_slice(&body);
            Ok(request)
        };
        let mut requests = Requests::default();
        in_order(count, &make, |request| {
            requests.push(&request?);
            bar.advance(1);
            Ok(())
        })?;
        bar.end();
        Ok(requests)
    }

    /// Checks receipts offline.
    pub(super) fn verify(&self, receipts: &[Vec<u8>]) -> Result<usize, CliError> {
        for receipt in receipts {
            super::super::verify::check(receipt, &self.trust).map_err(|error| {
                CliError::broken(format!("a receipt of this run does not verify: {error}"))
            })?;
        }
        Ok(receipts.len())
    }
}

/// The statement, with the version that endorsements stand on already and one for each row.
fn publish(
    handle: &Handle,
    registry: &RegistryId,
    key: &PartyKey,
    rows: usize,
) -> Result<(StatementId, Vec<VersionId>), CliError> {
    let log_before = wall_clock().saturating_add(LOGGED_WITHIN_SECONDS);
    let sponsor = registry.operator();
    let event = statement_event(registry.clone(), sponsor, key, StatementKind::Pledge, SLUG, log_before);
    let (submission, bytes, hash) = made(&event, key, Vec::new())?;
    log_all(handle, [Ok((submission, bytes))])?;
    let statement = StatementId(hash.0);
    let (mut after, mut versions) = (hash, Vec::with_capacity(rows.saturating_add(1)));
    for number in 0..=rows {
        let text = Written {
            language: "en".to_owned(),
            status: TextStatus::Authentic,
            title: format!("Benchmark, version {number}"),
            text: format!(
                "Version {number} of a text that exists to be endorsed by invented organisations.\n"
            ),
        };
        let (event, blobs) =
            version_event(registry.clone(), sponsor, key, statement, after, &[text], log_before);
        let (submission, bytes, hash) = made(&event, key, blobs)?;
        log_all(handle, [Ok((submission, bytes))])?;
        after = hash;
        versions.push(VersionId(hash.0));
    }
    Ok((statement, versions))
}

/// The key of an invented organisation.
fn key(number: u64) -> PartyKey {
    let seed = sha256(&[b"undersigned bench organisation", &number.to_be_bytes()]);
    PartyKey::from_seed(seed.as_bytes(), "")
}

fn name(number: u64) -> Vec<u8> {
    format!("Invented Organisation {number}").into_bytes()
}

fn party_at(parties: &[PartyId], number: u64) -> Result<PartyId, CliError> {
    let position = usize::try_from(number).ok();
    position
        .and_then(|position| parties.get(position).copied())
        .ok_or_else(|| CliError::fault(format!("there is no organisation {number}")))
}

fn entering(registry: &RegistryId, number: u64, name: &[u8]) -> Event {
    let key = key(number);
    let party = NewParty {
        names: vec![("en".to_owned(), String::from_utf8_lossy(name).into_owned())],
        domain: Some(format!("organisation-{number}.example")),
        keys: vec![(Role::Admin, &key)],
        invitation: None,
        log_before: wall_clock().saturating_add(LOGGED_WITHIN_SECONDS),
    };
    party.event(registry.clone()).0
}

fn endorsement(
    registry: &RegistryId,
    statement: StatementId,
    version: VersionId,
    party: PartyId,
    key: &PartyKey,
) -> Event {
    Event {
        registry: Some(registry.clone()),
        party: Some(party),
        signers: vec![key.id()],
        after: None,
        log_before: Some(wall_clock().saturating_add(LOGGED_WITHIN_SECONDS)),
        body: Body::Endorse { statement, version, language: "en".to_owned(), not_after: None },
    }
}

fn signed(event: &Event, key: &PartyKey, blobs: Vec<Vec<u8>>) -> Result<(Submission, EventHash), CliError> {
    let unfit = |error: String| CliError::broken(format!("an event cannot be made: {error}"));
    let bytes = event.encode();
    let hash = event_hash(&bytes);
    let proofs = vec![key.prove(&bytes)];
    let envelope = Envelope::new(bytes, proofs).map_err(|error| unfit(error.to_string()))?;
    Ok((Submission::new(envelope, blobs).map_err(|error| unfit(error.to_string()))?, hash))
}

fn made(event: &Event, key: &PartyKey, blobs: Vec<Vec<u8>>) -> Made {
    let (submission, hash) = signed(event, key, blobs)?;
    let bytes = submission.encode().len();
    let checked = admission::admit(submission).map_err(CliError::broken)?;
    Ok((checked, bytes, hash))
}

/// Makes so many submissions and logs them, in order; returns their event hashes.
fn fill(
    handle: &Handle,
    count: u64,
    what: &str,
    output: Output,
    make: &(dyn Fn(u64) -> Made + Sync),
) -> Result<Vec<EventHash>, CliError> {
    let bar = Progress::of(count, what, output);
    let mut hashes = Vec::new();
    let mut line = Vec::with_capacity(IN_LINE_MAX);
    in_order(count, make, |made| {
        let (submission, bytes, hash) = made?;
        hashes.push(hash);
        line.push(Ok((submission, bytes)));
        if line.len() == IN_LINE_MAX {
            log_all(handle, std::mem::take(&mut line))?;
        }
        bar.advance(1);
        Ok(())
    })?;
    log_all(handle, line)?;
    bar.end();
    Ok(hashes)
}

/// Makes the things with the numbers below `count` on all cores and uses them here, in order.
fn in_order<T: Send>(
    count: u64,
    make: &(dyn Fn(u64) -> T + Sync),
    mut use_one: impl FnMut(T) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let receivers: Vec<mpsc::Receiver<T>> = (0..workers)
            .map(|worker| {
                let (sender, receiver) = mpsc::sync_channel(IN_LINE_MAX);
                let first = u64::try_from(worker).unwrap_or(0);
                scope.spawn(move || {
                    for number in (first..count).step_by(workers) {
                        if sender.send(make(number)).is_err() {
                            return;
                        }
                    }
                });
                receiver
            })
            .collect();
        for receiver in (0..count).zip(receivers.iter().cycle()).map(|(_, receiver)| receiver) {
            let one = receiver.recv().map_err(|_| CliError::fault("a worker of the benchmark panicked"))?;
            use_one(one)?;
        }
        Ok(())
    })
}
