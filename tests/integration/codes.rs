//! Every code of `GET /v1/problems`, shown once over HTTP by whoever can bring it about from outside.
//!
//! Where a code cannot be brought about at will, the list says who shows it instead.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use undersigned::admission;
use undersigned::clock::{ClockJumped, GivenClock};
use undersigned::http;
use undersigned::keyring::PartyKey;
use undersigned::limits::{Limits, SharedLimits};
use undersigned::node::{Handle, Node, Place, operator_keys};
use undersigned::read::accept::{self, AcceptLimits};
use undersigned::sequencer::QUEUE_BYTES_MAX;
use undersigned_client::{Client, ClientError, Problem};
use undersigned_registry::entry::Entry;
use undersigned_registry::envelope::{Envelope, Proof, Submission};
use undersigned_registry::event::{
    Admission, BlobRef, Body, EndedKey, Ending, Event, Name, NewKey, Policy, StatementKind, Text, TextStatus,
};
use undersigned_registry::id::{EventHash, KeyId, PartyId, RegistryId, StatementId, VersionId};
use undersigned_registry::key::{KeyType, Method, Role, key_id};
use undersigned_tlog::hash::{Hash, sha256};

use crate::binary;
use crate::support::{Server, init, key, now, party, publish, sign, thread_event};

/// Who shows the codes that the tests below do not.
const SHOWN_ELSEWHERE: &[(&str, &str)] = &[
    ("address-limit", "door.rs"),
    ("bad-query", "http.rs"),
    ("bad-request", "refused.rs"),
    ("body-broken", "smuggling.rs"),
    ("body-too-large", "http.rs"),
    ("body-too-slow", "takes 15 s; src/read/accept/tests.rs has the timers"),
    ("has-endorsed", "proofs.rs"),
    ("head-broken", "smuggling.rs"),
    ("index-rebuilding", "only while a large index is built; src/index.rs"),
    ("json-length", "a body that long is refused before it is read as JSON; log/registry"),
    ("method-not-allowed", "http.rs"),
    ("newcomer-limit", "door.rs"),
    ("not-endorsed", "proofs.rs"),
    ("not-found", "http.rs"),
    ("organisation-limit", "door.rs"),
    ("read-only-mirror", "mirrors.rs"),
    ("reads-busy", "src/read/static_files/tests.rs"),
    ("received-back", "the sequencer never hands the law an earlier second; log/registry"),
    ("signable-header", "of files that the command line reads; cli.rs"),
    ("storage", "src/sequencer/tests.rs"),
    ("unsupported-media-type", "http.rs"),
    ("uri-too-long", "the HTTP library answers before us"),
];

fn number(raw: &[u8; 32]) -> KeyId {
    key_id(KeyType::Ed25519, raw)
}

/// A registry, and the codes that it has shown.
struct Shown {
    client: Client,
    registry: RegistryId,
    codes: BTreeSet<String>,
}

impl Shown {
    fn size(&self) -> u64 {
        self.client.registry().unwrap().tree_size
    }

    /// The bytes are refused with this code and the status that the list gives it; nothing is logged.
    fn refused(&mut self, code: &str, body: &[u8]) {
        let before = self.size();
        let problem = match self.client.submit_bytes(body) {
            Err(ClientError::Problem(problem)) => problem,
            other => panic!("{code}: not refused: {other:?}"),
        };
        assert_eq!(problem.code, code, "{problem:?}");
        let listed = self.client.problems().unwrap();
        let listed = listed.iter().find(|listed| listed.code == code).expect("every code is listed");
        assert_eq!(problem.status, listed.status, "{code}");
        assert_eq!(self.size(), before, "{code}: nothing is logged");
        self.codes.insert(code.to_owned());
    }

    fn event_refused(&mut self, code: &str, event: &Event, keys: &[&PartyKey]) {
        self.refused(code, &sign(event, keys, Vec::new()).0.encode());
    }

    fn accepted(&self, event: &Event, keys: &[&PartyKey], blobs: Vec<Vec<u8>>) -> EventHash {
        let (submission, hash) = sign(event, keys, blobs);
        assert!(self.client.submit(&submission).expect("accepted").is_new);
        hash
    }

    fn event(&self, party: PartyId, signer: &PartyKey, after: Option<EventHash>, body: Body) -> Event {
        Event {
            registry: Some(self.registry.clone()),
            party: Some(party),
            signers: vec![signer.id()],
            after,
            log_before: Some(now() + 600),
            body,
        }
    }

    fn enter(&self, name: &[u8], keys: &[(&PartyKey, Role)]) -> (Event, Vec<Vec<u8>>) {
        let event = Event {
            registry: Some(self.registry.clone()),
            party: None,
            signers: keys.iter().map(|(key, _)| key.id()).collect(),
            after: None,
            log_before: Some(now() + 600),
            body: Body::PartyCreate {
                domain: None,
                names: vec![Name { language: "en".to_owned(), text: BlobRef::of(name) }],
                keys: keys.iter().map(|(key, role)| new_key(key, *role)).collect(),
            },
        };
        (event, vec![name.to_vec()])
    }
}

fn new_key(key: &PartyKey, role: Role) -> NewKey {
    NewKey { id: key.id(), role, key_type: KeyType::Ed25519 }
}

#[test]
fn every_code_is_shown_once() {
    let folder = tempfile::tempdir().unwrap();
    let (data, trust) = init(binary(), folder.path());
    let server = Server::start(binary(), &data);
    let client = server.client().with_pause(|_| {});
    let registry = trust.registry().unwrap().clone();
    let mut shown = Shown { client, registry, codes: BTreeSet::new() };
    forms(&mut shown);
    keys_and_texts(&mut shown);
    law(&mut shown);
    key_changes(&mut shown);
    operator(&mut shown, &data);
    let mut codes = shown.codes;
    codes.extend(from_inside().into_iter().map(str::to_owned));
    let listed: BTreeSet<String> =
        server.client().problems().unwrap().into_iter().map(|problem| problem.code.to_string()).collect();
    let elsewhere: BTreeSet<String> = SHOWN_ELSEWHERE.iter().map(|(code, _)| (*code).to_owned()).collect();
    assert!(codes.is_disjoint(&elsewhere), "shown here after all: {codes:?}");
    let not_shown: Vec<_> =
        listed.iter().filter(|code| !codes.contains(*code) && !elsewhere.contains(*code)).collect();
    assert!(not_shown.is_empty(), "codes that nobody shows: {not_shown:?}");
    assert!(elsewhere.union(&codes).all(|code| listed.contains(code)), "a code that is not in the list");
}

/// The form of the bytes.
fn forms(shown: &mut Shown) {
    let good = String::from_utf8(party(&shown.registry, 50).0.encode()).unwrap();
    let change = |from: &str, to: &str| {
        assert!(good.contains(from), "{from} is in the submission");
        good.replacen(from, to, 1).into_bytes()
    };
    let many = format!("\"event\":{{\"a\":[{}0],", "0,".repeat(5_000));
    let long = format!("\"domain\":\"{}\",", "a".repeat(25 * 1_024));
    let blobs = &good[1..good.find("\"event\"").unwrap()];
    for (code, body) in [
        ("json-syntax", b"{".to_vec()),
        ("json-whitespace", change("\"event\":", "\"event\": ")),
        ("json-name-order", change("\"log_before\":", "\"a\":1,\"log_before\":")),
        ("json-text", change("org-50.example", "\u{f6}.example")),
        ("json-number", change("\"log_before\":", "\"log_before\":1e")),
        ("json-depth", change("\"event\":{", "\"event\":[[[[[[[[[0]]]]]]]]],\"f\":{")),
        ("json-values", change("\"event\":{", &many)),
        ("member-value", change("\"domain\":\"org-50.example\",", &long)),
        ("member-unknown", change("\"domain\":", "\"d\":1,\"domain\":")),
        ("member-type", change("\"type\":\"party.create\"", "\"type\":1")),
        ("member-value", change("\"type\":\"party.create\"", "\"type\":\"party.destroy\"")),
        ("member-missing", change("\"method\":\"ed25519\",", "")),
        ("signature-invalid", change("org-50.example", "org-51.example")),
        ("blob-count", change(blobs, "")),
        ("blob-mismatch", change(blobs, "\"blobs\":[\"AAAA\"],")),
    ] {
        shown.refused(code, &body);
    }
}

/// Proofs, keys that prove nothing, and texts that are none.
fn keys_and_texts(shown: &mut Shown) {
    let (two, three) = (key(52), key(53));
    let (event, blobs) = shown.enter(b"Name", &[(&two, Role::Admin)]);
    shown.refused("proof-count", &sign(&event, &[&two, &three], blobs.clone()).0.encode());
    shown.refused("proof-key", &sign(&event, &[&three], blobs).0.encode());
    let (mut silent, blobs) = shown.enter(b"Name", &[(&two, Role::Admin), (&three, Role::Sign)]);
    silent.signers = vec![two.id()];
    shown.refused("new-key-silent", &sign(&silent, &[&two], blobs).0.encode());
    let mut identity = [0; 32];
    identity[0] = 1;
    // p + 1 is a second text of the identity's y.
    let mut second_text = [0xff; 32];
    (second_text[0], second_text[31]) = (0xee, 0x7f);
    let mut no_point = [0; 32];
    no_point[0] = 2;
    for (code, raw) in [
        ("key-weak", identity),
        ("key-not-canonical", second_text),
        ("key-not-a-point", no_point),
        ("key-torsion", torsion_key()),
    ] {
        let (mut event, blobs) = shown.enter(b"Name", &[(&two, Role::Admin)]);
        event.signers = vec![number(&raw)];
        if let Body::PartyCreate { keys, .. } = &mut event.body {
            keys[0].id = number(&raw);
        }
        let proof = Proof { method: Method::Ed25519, key: raw, signature: [0; 64] };
        let envelope = Envelope::new(event.encode(), vec![proof]).unwrap();
        shown.refused(code, &Submission::new(envelope, blobs).unwrap().encode());
    }
    for (code, name) in [
        ("text-not-utf8", &b"\xff"[..]),
        ("text-not-nfc", "e\u{301}".as_bytes()),
        ("text-control", "abc\u{202e}def".as_bytes()),
        ("text-one-line", b"a\nb"),
        ("text-ends", b" a"),
    ] {
        let (event, blobs) = shown.enter(name, &[(&two, Role::Admin)]);
        shown.refused(code, &sign(&event, &[&two], blobs).0.encode());
    }
    let (event, blobs) = shown.enter(b"Name", &[(&two, Role::Admin)]);
    shown.accepted(&event, &[&two], blobs);
}

/// The key of the shared vectors that has a torsion component.
fn torsion_key() -> [u8; 32] {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/registry/keys.json");
    let vectors: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let refused = vectors["refuse"].as_array().unwrap();
    let torsion =
        refused.iter().find(|vector| vector["code"] == "key-torsion").expect("the vectors have one");
    *Hash::from_hex(torsion["public"].as_str().unwrap()).unwrap().as_bytes()
}

/// What the law refuses of a party, a statement and an endorsement.
fn law(shown: &mut Shown) {
    let (statement, version) = publish(&shown.client, &shown.registry, 60, "pledge");
    let (entered, id) = party(&shown.registry, 61);
    shown.client.submit(&entered).unwrap();
    let (own, sponsor_key) = (key(61), key(60));
    let endorse = Body::Endorse { statement, version, language: "en".to_owned(), not_after: None };
    let good = shown.event(id, &own, None, endorse.clone());
    let nobody = sha256(&[b"nobody"]);
    let elsewhere = RegistryId::new(shown.registry.origin(), EventHash(nobody));
    shown.event_refused("wrong-registry", &Event { registry: elsewhere, ..good.clone() }, &[&own]);
    shown.event_refused("unknown-party", &Event { party: Some(PartyId(nobody)), ..good.clone() }, &[&own]);
    shown.event_refused("expired", &Event { log_before: Some(now() - 9), ..good.clone() }, &[&own]);
    let over = Body::Endorse { statement, version, language: "en".to_owned(), not_after: Some(now() - 9) };
    shown.event_refused("not-after-passed", &Event { body: over, ..good.clone() }, &[&own]);
    let far = Event { log_before: Some(now() + 40 * 24 * 3_600), ..good.clone() };
    shown.event_refused("log-before-too-far", &far, &[&own]);
    shown.event_refused("stale", &Event { after: Some(EventHash(nobody)), ..good.clone() }, &[&own]);
    let stranger = key(99);
    shown.event_refused("unknown-key", &Event { signers: vec![stranger.id()], ..good.clone() }, &[&stranger]);
    let foreign = Event { signers: vec![sponsor_key.id()], ..good.clone() };
    shown.event_refused("foreign-key", &foreign, &[&sponsor_key]);
    let in_french = Body::Endorse { statement, version, language: "fr".to_owned(), not_after: None };
    shown.event_refused("language-not-listed", &Event { body: in_french, ..good.clone() }, &[&own]);
    let no_version =
        Body::Endorse { statement, version: VersionId(nobody), language: "en".to_owned(), not_after: None };
    shown.event_refused("unknown-version", &Event { body: no_version, ..good.clone() }, &[&own]);
    let taken = Body::StatementPublish { kind: StatementKind::Accord, slug: "pledge".to_owned() };
    shown.event_refused("slug-taken", &shown.event(id, &own, None, taken), &[&own]);
    let text = Text {
        language: "en".to_owned(),
        status: TextStatus::Authentic,
        title: BlobRef::of(b"T"),
        text: BlobRef::of(b"U"),
    };
    let version_of = |statement| Body::StatementVersion { statement, texts: vec![text.clone()] };
    let blobs = || vec![b"T".to_vec(), b"U".to_vec()];
    let unknown = shown.event(id, &own, Some(EventHash(nobody)), version_of(StatementId(nobody)));
    shown.refused("unknown-statement", &sign(&unknown, &[&own], blobs()).0.encode());
    let not_ours = shown.event(id, &own, Some(EventHash(version.0)), version_of(statement));
    shown.refused("not-sponsor", &sign(&not_ours, &[&own], blobs()).0.encode());
    let endorsed = shown.accepted(&good, &[&own], Vec::new());
    shown.event_refused("already-endorsed", &shown.event(id, &own, Some(endorsed), endorse), &[&own]);
    let withdraw =
        |after| thread_event(&shown.registry, 61, id, after, Body::Withdraw { statement, version });
    let (submission, withdrawn) = withdraw(Some(endorsed));
    shown.client.submit(&submission).unwrap();
    let again = withdraw(Some(withdrawn)).0.encode();
    shown.refused("already-withdrawn", &again);
    let mut other = Event::parse(entered.envelope.event_bytes()).unwrap();
    other.log_before = Some(now() + 1_234);
    shown.refused("key-in-use", &sign(&other, &[&own], entered.blobs).0.encode());
}

/// What the law refuses of changes to keys.
fn key_changes(shown: &mut Shown) {
    let (admin, signing) = (key(70), key(71));
    let (event, blobs) = shown.enter(b"Many Keys", &[(&admin, Role::Admin), (&signing, Role::Sign)]);
    let created = shown.accepted(&event, &[&admin, &signing], blobs);
    let id = PartyId(created.0);
    let publishing = Body::StatementPublish { kind: StatementKind::Letter, slug: "letter".to_owned() };
    let low = shown.event(id, &signing, None, publishing);
    shown.event_refused("role-too-low", &low, &[&signing]);
    let end = |id, how| Body::PartyKeys { add: Vec::new(), end: vec![EndedKey { id, how }] };
    let unknown = shown.event(id, &admin, Some(created), end(key(98).id(), Ending::Retire));
    shown.event_refused("key-not-live", &unknown, &[&admin]);
    let last = shown.event(id, &admin, Some(created), end(admin.id(), Ending::Revoke));
    shown.event_refused("last-key", &last, &[&admin]);
    let retire = shown.event(id, &admin, Some(created), end(signing.id(), Ending::Retire));
    let mut head = shown.accepted(&retire, &[&admin], Vec::new());
    let ended = shown.event(
        id,
        &signing,
        None,
        Body::StatementPublish { kind: StatementKind::Letter, slug: "letter".to_owned() },
    );
    shown.event_refused("ended-key", &ended, &[&signing]);
    // 1 key lives; 15 and 15 more make 31; two more are one too many.
    for (first, count) in [(1_000u64, 15u64), (1_015, 15), (1_030, 2)] {
        let added: Vec<PartyKey> = (first..first + count).map(key).collect();
        let add = added.iter().map(|key| new_key(key, Role::Sign)).collect();
        let mut event = shown.event(id, &admin, Some(head), Body::PartyKeys { add, end: Vec::new() });
        event.signers.extend(added.iter().map(PartyKey::id));
        let keys: Vec<&PartyKey> = std::iter::once(&admin).chain(&added).collect();
        if count == 2 {
            shown.event_refused("too-many-keys", &event, &keys);
        } else {
            head = shown.accepted(&event, &keys, Vec::new());
        }
    }
}

/// What only the operator may do; at the end the registry admits by invitation alone.
fn operator(shown: &mut Shown, data: &Path) {
    let (admin, recovery) = operator_keys(data);
    let (admin, recovery) = (PartyKey::read(&admin).unwrap(), PartyKey::read(&recovery).unwrap());
    let opened = Entry::parse(&shown.client.entry("0").unwrap().entry).unwrap();
    let genesis = shown.registry.genesis();
    let mut another = opened.envelope.event().clone();
    if let Body::RegistryOpen { nonce, .. } = &mut another.body {
        *nonce = sha256(&[b"another"]);
    }
    another.log_before = Some(now() + 600);
    let name = shown.client.blob(&another.blobs()[0].sha256).unwrap().unwrap();
    shown.refused("not-genesis", &sign(&another, &[&admin, &recovery], vec![name]).0.encode());
    let policy = Policy { admission: Admission::Invited, log_window: 604_800, max_lag: 300, v: 1 };
    let by_party =
        shown.event(PartyId(party(&shown.registry, 61).1.0), &key(61), None, Body::RegistryPolicy(policy));
    // The party of key 61 as the registry knows it.
    let known = shown.client.key(&key(61).id()).unwrap().party;
    let by_party = Event { party: Some(known), after: Some(genesis), ..by_party };
    shown.event_refused("not-operator", &by_party, &[&key(61)]);
    let operator = PartyId(genesis.0);
    let newer = Body::RegistryPolicy(Policy { v: 2, ..policy });
    let newer = shown.event(operator, &admin, Some(genesis), newer);
    shown.event_refused("law-version", &newer, &[&admin]);
    let invited = shown.event(operator, &admin, Some(genesis), Body::RegistryPolicy(policy));
    shown.accepted(&invited, &[&admin], Vec::new());
    let (event, blobs) = shown.enter(b"Stranger", &[(&key(80), Role::Admin)]);
    shown.refused("not-invited", &sign(&event, &[&key(80)], blobs).0.encode());
    let (mut event, blobs) = shown.enter(b"Guest", &[(&key(81), Role::Admin)]);
    event.signers.push(admin.id());
    shown.accepted(&event, &[&key(81), &admin], blobs);
}

/// A registry inside this process, with a clock that says what it is told.
struct Inside {
    node: Node,
    handle: Handle,
    client: Client,
    address: String,
    registry: RegistryId,
    clock: Arc<GivenClock>,
    end: tokio::sync::oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Inside {
    fn start(data: &Path, registry: &RegistryId) -> Self {
        Self::start_with(data, registry, Limits::default())
    }

    fn start_with(data: &Path, registry: &RegistryId, limits: Limits) -> Self {
        let clock = Arc::new(GivenClock::at(now()));
        let place = Place { data: data.to_owned(), guard: None };
        let node = Node::open(&place, clock.clone()).unwrap();
        let handle = node.handle();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (end, ended) = tokio::sync::oneshot::channel();
        let limits = AcceptLimits { shared: Arc::new(SharedLimits::new(limits)), ..AcceptLimits::default() };
        let app = http::app(node.handle(), Arc::clone(&limits.shared));
        let serving = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let ended = async { drop(ended.await) };
                accept::serve(listener, app, limits, ended).await.unwrap();
            });
        });
        let client = Client::new(&format!("http://{address}")).unwrap().with_pause(|_| {});
        Self { node, handle, client, address, registry: registry.clone(), clock, end, serving }
    }

    fn problem(&self, number: u64) -> Problem {
        match self.client.submit(&party(&self.registry, number).0) {
            Err(ClientError::Problem(problem)) => problem,
            other => panic!("not refused: {other:?}"),
        }
    }

    /// One attempt, without the client's repeats; the whole answer as text.
    fn post_once(&self, number: u64) -> JoinHandle<String> {
        let body = party(&self.registry, number).0.encode();
        let mut stream = TcpStream::connect(&self.address).unwrap();
        std::thread::spawn(move || {
            let head = format!(
                "POST /v1/entries HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&body).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        })
    }

    /// Holds the sequencer between two batches until the sender is used or dropped.
    fn hold(&self) -> std::sync::mpsc::Sender<()> {
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let (held, is_held) = std::sync::mpsc::channel();
        let asked = self.handle.intake.ask(move |_| {
            held.send(()).unwrap();
            let _ = wait.recv();
        });
        drop(asked.unwrap());
        is_held.recv().unwrap();
        go
    }

    fn end(self) -> Result<(), String> {
        drop(self.handle);
        self.end.send(()).unwrap();
        self.serving.join().unwrap();
        self.node.stop().map_err(|error| error.to_string())
    }
}

/// The codes of a registry that is not well: its clock, its disk, its end.
fn from_inside() -> Vec<&'static str> {
    let folder = tempfile::tempdir().unwrap();
    let (data, trust) = init(binary(), folder.path());
    let registry = trust.registry().unwrap().clone();
    // Eight requests to write are more than the good ones here; faults of ours are three times as many, and
    // not one of them counts.
    let limits = Limits { address_writes_per_minute: 8, address_newcomers_per_hour: 8, ..Limits::default() };
    let inside = Inside::start_with(&data, &registry, limits);
    inside.client.submit(&party(&registry, 1).0).unwrap();
    // A clock that jumped, or went back: intake stops, reads go on, and so does everything once it is right.
    inside.clock.report_jump(Some(ClockJumped { seconds: 86_400 }));
    assert_eq!((inside.problem(2).status, inside.problem(2).code.as_str()), (503, "clock"));
    inside.clock.report_jump(None);
    inside.clock.set(now() - 3_600);
    assert_eq!(inside.problem(2).code, "clock");
    assert_eq!(inside.client.registry().unwrap().tree_size, 2);
    inside.client.receipt("1").unwrap();
    inside.clock.set(now() + 5);
    inside.client.submit(&party(&registry, 2).0).unwrap();
    // A file that cannot be read: the reason is in the log, not in the answer.
    // Once it is settled nobody but readers looks at it.
    while !std::fs::read_to_string(data.join("private/settled")).unwrap().contains("\"size\":3}") {
        std::thread::yield_now();
    }
    let bundle = data.join("public/tile/entries/000.p/3");
    let whole = std::fs::read(&bundle).unwrap();
    std::fs::write(&bundle, "damaged").unwrap();
    match inside.client.entry("1") {
        Err(ClientError::Problem(problem)) => {
            assert_eq!((problem.status, problem.code.as_str()), (500, "internal"));
            let said = format!("{} {} {}", problem.title, problem.detail, problem.next);
            assert!(!said.contains("entries/000") && !said.contains(data.to_str().unwrap()), "{said}");
        }
        other => panic!("not refused: {other:?}"),
    }
    std::fs::write(&bundle, whole).unwrap();
    inside.client.entry("1").unwrap();
    // A line that is full by its bytes.
    let go = inside.hold();
    let submission = admission::check(&party(&registry, 3).0.encode()).unwrap();
    let waiting = inside.handle.intake.submit(submission, QUEUE_BYTES_MAX).unwrap();
    let full = inside.problem(4);
    assert_eq!((full.status, full.code.as_str()), (503, "queue-full"));
    assert!(full.retry_after_seconds.is_some());
    // Reads go on: they wait for nobody who writes.
    assert!(!inside.client.checkpoint().unwrap().is_empty());
    inside.client.receipt("1").unwrap();
    inside.client.entry("2").unwrap();
    go.send(()).unwrap();
    assert!(waiting.blocking_recv().unwrap().is_ok());
    inside.client.submit(&party(&registry, 4).0).unwrap();
    // The sequencer dies with a submission in its hands: nobody knows, and the next is told that it stops.
    let go = inside.hold();
    drop(inside.handle.intake.ask(|_| -> () { panic!("a question of this test") }).unwrap());
    let posted = inside.post_once(5);
    while inside.handle.intake.depth().0 == 0 {
        std::thread::yield_now();
    }
    go.send(()).unwrap();
    let answer = posted.join().unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\"outcome-unknown\""), "{answer}");
    assert!(answer.contains("submit the same bytes again"), "{answer}");
    let stopping = inside.problem(6);
    assert_eq!((stopping.status, stopping.code.as_str()), (503, "stopping"));
    assert!(inside.end().is_err(), "the reason is told at the end");
    // The advice is good: the same bytes again, to the next one.
    let next = Inside::start(&data, &registry);
    let again = next.client.submit(&party(&registry, 5).0).unwrap();
    assert_eq!((again.index, again.is_new), (5, true));
    next.end().unwrap();
    vec!["clock", "internal", "queue-full", "outcome-unknown", "stopping"]
}
