//! What the tests of the whole program share: a running registry, and events to send to it.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "shared by test programs that each use a part"
)]

pub mod copies;
pub mod load;
pub mod wire;

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use undersigned::keyring::PartyKey;
use undersigned_client::Client;
use undersigned_registry::envelope::{Envelope, Submission};
use undersigned_registry::event::{
    BlobRef, Body, Event, Name, NewKey, StatementKind, Text, TextStatus, event_hash,
};
use undersigned_registry::id::{EventHash, PartyId, RegistryId, StatementId, VersionId};
use undersigned_registry::key::{KeyType, Role};
use undersigned_registry::verify::Trust;
use undersigned_tlog::hash::sha256;

/// How long a server has to end by itself; without it a test would wait for ever for what does not come.
pub const END_WITHIN: Duration = Duration::from_secs(120);

/// Options of a server that takes load from one place.
pub const WITHOUT_RATES: &[&str] = &[
    "--address-writes-per-minute=0",
    "--address-newcomers-per-hour=0",
    "--organisation-writes-per-minute=0",
    "--address-connections-max=0",
];

/// A registry that runs as a process of its own.
pub struct Server {
    child: Child,
    /// Where it serves.
    pub url: String,
    /// Where it serves its operator, if it was told to.
    pub admin_url: Option<String>,
}

impl Server {
    /// Starts the program and waits until it says where it serves; the error is what it said instead.
    pub fn try_start(binary: &Path, data: &Path, arguments: &[&str]) -> Result<Self, String> {
        let mut all = vec!["serve", "--listen", "127.0.0.1:0", "--json", "--data", data.to_str().unwrap()];
        all.extend(arguments);
        Self::spawn(binary, &all)
    }

    /// As [`Server::try_start`], with all its arguments given.
    pub fn spawn(binary: &Path, arguments: &[&str]) -> Result<Self, String> {
        Self::from_command(
            Command::new(binary).args(arguments).env("UNDERSIGNED_LOG", "warn").stderr(Stdio::piped()),
        )
    }

    /// Starts a command that serves with `--json`, and waits until it says where.
    pub fn from_command(command: &mut Command) -> Result<Self, String> {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the program starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        match serde_json::from_str::<serde_json::Value>(&line) {
            Ok(said) => {
                // A full pipe that nobody reads would stop the program at its next line.
                if let Some(mut lines) = child.stderr.take() {
                    std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
                }
                Ok(Self {
                    url: said["url"].as_str().unwrap().to_owned(),
                    admin_url: said["admin_url"].as_str().map(str::to_owned),
                    child,
                })
            }
            Err(_) => {
                let mut said = String::new();
                if let Some(mut stderr) = child.stderr.take() {
                    stderr.read_to_string(&mut said).unwrap();
                }
                let status = child.wait().unwrap();
                Err(format!("exit {}: {said}", status.code().unwrap_or(-1)))
            }
        }
    }

    /// As [`Server::try_start`]; it must start. Its tests come from one address, so it has no rates.
    pub fn start(binary: &Path, data: &Path) -> Self {
        Self::try_start(binary, data, WITHOUT_RATES)
            .unwrap_or_else(|said| panic!("the registry does not start: {said}"))
    }

    /// A client of it.
    pub fn client(&self) -> Client {
        Client::new(&self.url).unwrap()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, and nothing else.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; returns the exit code and how long it took.
    pub fn stop(mut self) -> (Option<i32>, Duration) {
        let begun = Instant::now();
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        (self.child.wait().unwrap().code(), begun.elapsed())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A test that failed leaves no process behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a verb of the program to its end.
pub fn run(binary: &Path, arguments: &[&str]) -> Output {
    Command::new(binary).args(arguments).output().expect("the program starts")
}

/// Runs a verb; returns exit code, standard output, standard error.
pub fn say(binary: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = run(binary, arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// Makes a registry in `<folder>/registry` and returns its data folder and trust anchor.
pub fn init(binary: &Path, folder: &Path) -> (PathBuf, Trust) {
    init_named(binary, folder, "registry", "test.registry.example/log")
}

/// Makes a registry of another origin in `<folder>/<name>`.
pub fn init_named(binary: &Path, folder: &Path, name: &str, origin: &str) -> (PathBuf, Trust) {
    let data = folder.join(name);
    let (code, _, error) = say(binary, &["init", "--origin", origin, "--data", data.to_str().unwrap()]);
    assert_eq!(code, 0, "{error}");
    let policy = std::fs::read_to_string(data.join("registry.policy")).unwrap();
    (data, Trust::parse(&policy, None).unwrap())
}

/// The wall clock in POSIX seconds.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A key that follows from a number.
pub fn key(number: u64) -> PartyKey {
    PartyKey::from_seed(sha256(&[b"test key", &number.to_be_bytes()]).as_bytes(), "")
}

/// Signs an event with some keys.
pub fn sign(event: &Event, keys: &[&PartyKey], blobs: Vec<Vec<u8>>) -> (Submission, EventHash) {
    let bytes = event.encode();
    let proofs = keys.iter().map(|key| key.prove(&bytes)).collect();
    let hash = event_hash(&bytes);
    (Submission::new(Envelope::new(bytes, proofs).unwrap(), blobs).unwrap(), hash)
}

/// A party that enters under the key of a number.
pub fn party(registry: &RegistryId, number: u64) -> (Submission, PartyId) {
    party_named(registry, number, &format!("Organisation {number}"))
}

/// The same under a name of its own.
pub fn party_named(registry: &RegistryId, number: u64, name: &str) -> (Submission, PartyId) {
    let key = key(number);
    let name = name.as_bytes().to_vec();
    let event = Event {
        registry: Some(registry.clone()),
        party: None,
        signers: vec![key.id()],
        after: None,
        log_before: Some(now() + 3_600),
        body: Body::PartyCreate {
            domain: Some(format!("org-{number}.example")),
            names: vec![Name { language: "en".to_owned(), text: BlobRef::of(&name) }],
            keys: vec![NewKey { id: key.id(), role: Role::Admin, key_type: KeyType::Ed25519 }],
        },
    };
    let (submission, hash) = sign(&event, &[&key], vec![name]);
    (submission, PartyId(hash.0))
}

/// A statement and its first version, by the party of a number; both are submitted.
pub fn publish(client: &Client, registry: &RegistryId, number: u64, slug: &str) -> (StatementId, VersionId) {
    let (submission, sponsor) = party(registry, number);
    client.submit(&submission).unwrap();
    let key = key(number);
    let head = |after, body| Event {
        registry: Some(registry.clone()),
        party: Some(sponsor),
        signers: vec![key.id()],
        after,
        log_before: Some(now() + 3_600),
        body,
    };
    let event = head(None, Body::StatementPublish { kind: StatementKind::Pledge, slug: slug.to_owned() });
    let (submission, published) = sign(&event, &[&key], Vec::new());
    client.submit(&submission).unwrap();
    let statement = StatementId(published.0);
    let (title, text) = (b"A pledge".to_vec(), b"We sign what we mean.\n".to_vec());
    let texts = vec![Text {
        language: "en".to_owned(),
        status: TextStatus::Authentic,
        title: BlobRef::of(&title),
        text: BlobRef::of(&text),
    }];
    let event = head(Some(published), Body::StatementVersion { statement, texts });
    let (submission, version) = sign(&event, &[&key], vec![title, text]);
    client.submit(&submission).unwrap();
    (statement, VersionId(version.0))
}

/// An endorsement or withdrawal by the party of a number, after another event.
pub fn thread_event(
    registry: &RegistryId,
    number: u64,
    party: PartyId,
    after: Option<EventHash>,
    body: Body,
) -> (Submission, EventHash) {
    let key = key(number);
    let log_before = (!matches!(body, Body::Withdraw { .. })).then(|| now() + 3_600);
    let event = Event {
        registry: Some(registry.clone()),
        party: Some(party),
        signers: vec![key.id()],
        after,
        log_before,
        body,
    };
    sign(&event, &[&key], Vec::new())
}

/// Copies a folder with everything in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for item in std::fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let target = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            copy(&item.path(), &target);
        } else {
            std::fs::copy(item.path(), target).unwrap();
        }
    }
}

/// Every file below a folder with the hash of its bytes, to see that nothing changed.
pub fn listing(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for item in std::fs::read_dir(&next).unwrap() {
            let path = item.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                files.push((path.strip_prefix(folder).unwrap().to_owned(), sha256(&[&bytes]).to_hex()));
            }
        }
    }
    files.sort();
    files
}

/// A row of a fault table in `docs/operations.md`.
pub struct FaultRow {
    /// The fault.
    pub fault: String,
    /// What `serve` does and prints.
    pub says: String,
    /// What the operator does.
    pub advice: String,
}

/// The fault table under a heading of `docs/operations.md`.
pub fn operations_table(heading: &str) -> Vec<FaultRow> {
    let rows = operations_rows(heading, "| fault |").into_iter();
    rows.map(|cells| {
        let [fault, says, advice] = <[String; 3]>::try_from(cells).expect("three cells");
        FaultRow { fault, says, advice }
    })
    .collect()
}

/// The cells of the table under a heading of `docs/operations.md`, without its head.
pub fn operations_rows(heading: &str, head: &str) -> Vec<Vec<String>> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.md");
    let text = std::fs::read_to_string(page).unwrap();
    let section = text.lines().skip_while(|line| *line != heading).skip(1);
    let rows = section
        .take_while(|line| !line.starts_with('#'))
        .filter(|line| line.starts_with("| ") && !line.starts_with(head));
    rows.map(|line| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect())
        .collect()
}

/// What `serve` said when it refused or ended.
#[derive(Debug)]
pub struct Said {
    /// Its exit code.
    pub code: i32,
    /// What was wrong.
    pub error: String,
    /// What to do.
    pub next: String,
}

/// A registry whose log lines go to a file beside the folder that its folder lies in.
pub struct Logged {
    child: Child,
    url: String,
    data: PathBuf,
}

impl Logged {
    /// Starts the program on a folder; the error is what it said instead of serving.
    pub fn start(binary: &Path, data: &Path, arguments: &[&str]) -> Result<Self, Said> {
        let log = std::fs::File::create(log_file(data)).unwrap();
        let mut child = Command::new(binary)
            .args(["serve", "--listen", "127.0.0.1:0", "--json", "--data"])
            .arg(data)
            .args(arguments)
            .env("UNDERSIGNED_LOG", "warn")
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said = serde_json::from_str::<serde_json::Value>(&line);
        let url = said.map(|said| said["url"].as_str().unwrap().to_owned());
        let running =
            Self { child, url: url.as_deref().unwrap_or_default().to_owned(), data: data.to_owned() };
        if url.is_ok() { Ok(running) } else { Err(running.end()) }
    }

    /// A client of it that does not wait before it tries again.
    pub fn client(&self) -> Client {
        Client::new(&self.url).unwrap().with_pause(|_| {})
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The log lines so far of whoever served this folder last.
    pub fn log(data: &Path) -> String {
        std::fs::read_to_string(log_file(data)).unwrap()
    }

    /// Waits until it has ended by itself, which it must within [`END_WITHIN`].
    pub fn end(mut self) -> Said {
        let begun = Instant::now();
        let ended = loop {
            match self.child.try_wait().unwrap() {
                Some(ended) => break ended,
                None if begun.elapsed() < END_WITHIN => std::thread::sleep(Duration::from_millis(5)),
                None => panic!("it should have ended by itself: {}", Self::log(&self.data)),
            }
        };
        let code = ended.code().unwrap_or(-1);
        let log = Self::log(&self.data);
        let last = log.lines().last().unwrap_or_default();
        let said: serde_json::Value =
            serde_json::from_str(last).unwrap_or_else(|_| panic!("no error in: {log}"));
        let word = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
        Said { code, error: word("error"), next: word("next") }
    }

    /// SIGTERM; it must end in order.
    pub fn stop(mut self) {
        // Who answers has come as far as to listen to signals.
        self.client().checkpoint().unwrap();
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success(), "{}", Self::log(&self.data));
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Beside the parent: that one may be a small file system, and full.
fn log_file(data: &Path) -> PathBuf {
    data.parent().unwrap().with_extension("log")
}

/// The words of a fault table with what stands in `<>` filled in; where `<why>`, `<key>` or `<file>` is left,
/// anything may stand.
pub fn assert_says(said: &str, template: &str, fill: &[(&str, String)], name: &str) {
    let mut expected = template.trim_matches('`').to_owned();
    for (word, value) in fill {
        expected = expected.replace(&format!("<{word}>"), value);
    }
    let pieces =
        ["<why>", "<key>", "<file>"].iter().fold(expected.clone(), |text, word| text.replace(word, "\0"));
    let mut rest = Some(said);
    let mut pieces = pieces.split('\0');
    rest = rest.and_then(|rest| rest.strip_prefix(pieces.next().unwrap_or_default()));
    let mut open = false;
    for piece in pieces {
        open = true;
        rest = rest.and_then(|rest| match piece {
            "" => Some(""),
            _ => rest.split_once(piece).map(|(_, after)| after),
        });
    }
    let fits = rest.is_some_and(|rest| rest.is_empty());
    assert!(fits, "{name}: {said:?} is not {expected:?} (anything in between: {open})");
}
