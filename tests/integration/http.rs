//! HTTP from outside: every refusal is a problem document and logs nothing; its right twin is accepted.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use undersigned_registry::event::{Body, Event};
use undersigned_registry::id::{PartyId, RegistryId};
use undersigned_registry::receipt::Receipt;
use undersigned_registry::verify::{Trust, verify};
use undersigned_tlog::hash::leaf_hash;
use undersigned_tlog::tree::{LeafIndex, TreeSize, verify_consistency, verify_inclusion};

use crate::binary;
use crate::support::{Server, init, key, now, party, publish, sign, thread_event};

/// An answer, as it came.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends exactly these bytes and reads the answer to its end.
pub(crate) fn raw(server: &Server, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
    let mut bytes = Vec::new();
    // The peer may close while we still write or read; what came counts.
    let _ = stream.write_all(request);
    let _ = stream.read_to_end(&mut bytes);
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("an answer with headers");
    let headers = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = headers.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, headers, body: bytes[end + 4..].to_vec() }
}

pub(crate) fn request(server: &Server, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
    let mut bytes = format!(
        "{method} {path} HTTP/1.1\r\nHost: registry\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    raw(server, &bytes)
}

pub(crate) fn get(server: &Server, path: &str) -> Answer {
    request(server, "GET", path, "", b"")
}

fn post(server: &Server, body: &[u8]) -> Answer {
    request(server, "POST", "/v1/entries", "Content-Type: application/json\r\n", body)
}

pub(crate) struct Running {
    _folder: tempfile::TempDir,
    pub(crate) server: Server,
    pub(crate) trust: Trust,
    pub(crate) registry: RegistryId,
}

pub(crate) fn running() -> Running {
    running_with(&[])
}

/// A registry that is served with some options.
pub(crate) fn running_with(options: &[&str]) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let (data, trust) = init(binary(), folder.path());
    let server = Server::try_start(binary(), &data, options).expect("the registry starts");
    let registry = trust.registry().unwrap().clone();
    Running { _folder: folder, server, trust, registry }
}

impl Running {
    pub(crate) fn size(&self) -> u64 {
        self.server.client().registry().unwrap().tree_size
    }

    /// The answer is this problem, in the form of all problems.
    pub(crate) fn check_problem(&self, answer: &Answer, status: u16, code: &str) {
        assert_eq!(answer.status, status, "{code}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{code}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{code}");
        let document = answer.json();
        assert_eq!(document["code"], code, "{document}");
        assert_eq!(document["status"], status);
        for member in ["type", "title", "detail", "next"] {
            assert!(!document[member].as_str().unwrap().is_empty(), "{code} has {member}");
        }
        let about = get(&self.server, document["type"].as_str().unwrap());
        assert_eq!(about.json()["code"], code, "the type leads to what the code means");
    }

    /// A body that is refused: the problem, and nothing is logged.
    pub(crate) fn check_refused(&self, body: &[u8], status: u16, code: &str) {
        let before = self.size();
        self.check_problem(&post(&self.server, body), status, code);
        assert_eq!(self.size(), before, "{code}: nothing is logged");
    }

    pub(crate) fn check_accepted(&self, body: &[u8]) {
        let before = self.size();
        let answer = post(&self.server, body);
        assert_eq!(answer.status, 201, "{}", answer.text());
        assert_eq!(self.size(), before + 1);
        let verified = verify(&Receipt::parse(&answer.body).unwrap(), &self.trust).unwrap();
        assert_eq!(answer.header("undersigned-index"), Some(verified.index.to_string().as_str()));
    }
}

#[test]
fn bad_bytes_are_refused_at_the_door() {
    let running = running();
    let good = String::from_utf8(party(&running.registry, 1).0.encode()).unwrap();
    let change = |from: &str, to: &str| {
        assert!(good.contains(from), "{from} is in the submission");
        good.replacen(from, to, 1).into_bytes()
    };
    for (body, code) in [
        (b"".to_vec(), "json-syntax"),
        (b"null".to_vec(), "json-syntax"),
        (format!(" {good}").into_bytes(), "json-whitespace"),
        (format!("{good}\n").into_bytes(), "json-whitespace"),
        (change("{\"blobs\":", "{\"z\":1,\"blobs\":"), "json-name-order"),
        (
            change("\"domain\":\"org-1.example\",", "\"domain\":\"a.b\",\"domain\":\"org-1.example\","),
            "json-name-order",
        ),
        (change("org-1.example", "\u{f6}rg.example"), "json-text"),
        (change("org-1.example", "\\u006frg.example"), "json-text"),
        (change("\"log_before\":", "\"log_before\":1.5e3"), "json-number"),
        (change("\"log_before\":", "\"log_before\":-"), "json-number"),
        (change("\"event\":{", "\"event\":[[[[[[[[[0]]]]]]]]],\"x\":{"), "json-depth"),
        (change("\"type\":\"party.create\"", "\"type\":\"party.create\",\"zz\":1"), "member-unknown"),
        (change("\"type\":\"party.create\"", "\"type\":7"), "member-type"),
        (change("\"domain\":\"org-1.example\"", "\"domain\":\"NO\""), "member-value"),
        (change("\"method\":\"ed25519\",", ""), "member-missing"),
        (change("org-1.example", "org-2.example"), "signature-invalid"),
    ] {
        running.check_refused(&body, 400, code);
    }
    let blobs = &good[..good.find(",\"event\"").unwrap()];
    running.check_refused(good.replacen(&format!("{}{}", blobs, ","), "{", 1).as_bytes(), 400, "blob-count");
    running.check_refused(
        good.replacen(blobs, "{\"blobs\":[\"T3RoZXI=\"]", 1).as_bytes(),
        400,
        "blob-mismatch",
    );
    running.check_accepted(good.as_bytes());
}

#[test]
fn the_law_refuses_with_its_codes() {
    let running = running();
    let registry = &running.registry;
    let (submission, id) = party(registry, 1);
    running.check_accepted(&submission.encode());
    let (statement, version) = publish(&running.server.client(), registry, 2, "pledge");
    let endorse = Body::Endorse { statement, version, language: "en".to_owned(), not_after: None };
    let event = |party: PartyId, body: &Body| Event {
        registry: Some(registry.clone()),
        party: Some(party),
        signers: vec![key(1).id()],
        after: None,
        log_before: Some(now() + 600),
        body: body.clone(),
    };
    let send = |event: &Event| sign(event, &[&key(1)], Vec::new()).0.encode();
    let good = event(id, &endorse);
    let elsewhere =
        RegistryId::new(registry.origin(), undersigned_registry::id::EventHash(leaf_hash(b"other")));
    let cases = [
        (Event { registry: elsewhere, ..good.clone() }, 422, "wrong-registry"),
        (Event { party: Some(PartyId(leaf_hash(b"nobody"))), ..good.clone() }, 422, "unknown-party"),
        (Event { log_before: Some(now() - 10), ..good.clone() }, 422, "expired"),
        (Event { log_before: Some(now() + 40 * 24 * 3_600), ..good.clone() }, 422, "log-before-too-far"),
        (
            Event { after: Some(undersigned_registry::id::EventHash(leaf_hash(b"x"))), ..good.clone() },
            409,
            "stale",
        ),
        (
            Event {
                body: Body::Endorse { statement, version, language: "fr".to_owned(), not_after: None },
                ..good.clone()
            },
            422,
            "language-not-listed",
        ),
        (
            Event {
                body: Body::Endorse {
                    statement,
                    version: undersigned_registry::id::VersionId(leaf_hash(b"no version")),
                    language: "en".to_owned(),
                    not_after: None,
                },
                ..good.clone()
            },
            422,
            "unknown-version",
        ),
    ];
    for (event, status, code) in &cases {
        running.check_refused(&send(event), *status, code);
    }
    let stranger = Event { signers: vec![key(9).id()], ..good.clone() };
    running.check_refused(&sign(&stranger, &[&key(9)], Vec::new()).0.encode(), 403, "unknown-key");
    let foreign = Event { signers: vec![key(2).id()], ..good.clone() };
    running.check_refused(&sign(&foreign, &[&key(2)], Vec::new()).0.encode(), 403, "foreign-key");
    let missing = Event { signers: vec![key(1).id(), key(2).id()], ..good.clone() };
    running.check_refused(&send(&missing), 400, "proof-count");
    let (again, _) = party(registry, 1);
    let mut other = Event::parse(again.envelope.event_bytes()).unwrap();
    other.log_before = Some(now() + 1_234);
    running.check_refused(&sign(&other, &[&key(1)], again.blobs).0.encode(), 409, "key-in-use");
    running.check_accepted(&send(&good));
    let withdraw = thread_event(registry, 1, id, None, Body::Withdraw { statement, version }).0;
    running.check_accepted(&withdraw.encode());
}

#[test]
fn what_is_not_there_or_not_meant_says_so() {
    let running = running();
    let server = &running.server;
    for (path, status, code) in [
        ("/nothing", 404, "not-found"),
        ("/v1/entries/99", 404, "not-found"),
        ("/v1/entries/01", 400, "bad-query"),
        ("/v1/entries/%ff", 404, "not-found"),
        ("/v1/receipts/18446744073709551615", 404, "not-found"),
        ("/v1/statements/none", 404, "not-found"),
        ("/v1/parties/NOT%20ONE", 400, "bad-query"),
        ("/v1/keys/zz", 400, "bad-query"),
        ("/v1/proof/inclusion", 400, "bad-query"),
        ("/v1/proof/inclusion?index=0&size=99", 400, "bad-query"),
        ("/v1/proof/inclusion?index=5", 400, "bad-query"),
        ("/v1/proof/inclusion?index=-1", 400, "bad-query"),
        ("/v1/proof/inclusion?index=0&index=0", 400, "bad-query"),
        ("/v1/proof/consistency?from=2&to=1", 400, "bad-query"),
        ("/v1/statements?limit=0", 400, "bad-query"),
        ("/v1/statements?limit=1000000", 400, "bad-query"),
        ("/v1/statements?cursor=x", 400, "bad-query"),
        ("/v1/statements?cursor=99.0", 400, "bad-query"),
        ("/v1/statements?surprise=1", 400, "bad-query"),
        ("/tile/0/000", 404, "not-found"),
        ("/tile/0/000.p/2", 404, "not-found"),
        ("/tile/0/000.p/256", 404, "not-found"),
        ("/tile/0/../../private/log.key", 404, "not-found"),
        ("/tile/0/%2e%2e/%2e%2e/private/log.key", 404, "not-found"),
        ("/tile/64/000", 404, "not-found"),
        ("/blobs/../private/log.key", 404, "not-found"),
        ("/private/log.key", 404, "not-found"),
    ] {
        running.check_problem(&get(server, path), status, code);
    }
    for (method, path) in [("DELETE", "/v1/entries/0"), ("PUT", "/v1/entries"), ("POST", "/checkpoint")] {
        let answer = request(server, method, path, "", b"");
        running.check_problem(&answer, 405, "method-not-allowed");
        assert!(answer.header("allow").is_some(), "{method} {path} has an Allow header");
    }
    let answer = request(server, "POST", "/v1/entries", "Content-Type: text/plain\r\n", b"{}");
    running.check_problem(&answer, 415, "unsupported-media-type");
    let answer = raw(
        server,
        b"POST /v1/entries HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 10000000000\r\n\r\n{",
    );
    running.check_problem(&answer, 413, "body-too-large");
    let mut chunked = b"POST /v1/entries HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..4 {
        chunked.extend_from_slice(b"100000\r\n");
        chunked.extend_from_slice(&vec![b'1'; 0x10_0000]);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    running.check_problem(&raw(server, &chunked), 413, "body-too-large");
    // Both lengths in one request: smuggling.
    let both = b"POST /v1/entries HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert!((400..500).contains(&raw(server, both).status));
    assert_eq!(running.size(), 1, "nothing is logged");
}

#[test]
fn the_read_side_has_its_headers() {
    let running = running();
    let (submission, _) = party(&running.registry, 1);
    let blob = submission.envelope.event().blobs()[0].sha256.to_hex();
    running.check_accepted(&submission.encode());
    let tile = get(&running.server, "/tile/0/000.p/2");
    assert_eq!((tile.status, tile.body.len()), (200, 64));
    assert_eq!(tile.header("content-type"), Some("application/octet-stream"));
    assert!(tile.header("cache-control").unwrap().contains("immutable"));
    let bundle = get(&running.server, "/tile/entries/000.p/2");
    assert_eq!(bundle.status, 200);
    let checkpoint = get(&running.server, "/checkpoint");
    assert_eq!(checkpoint.header("content-type"), Some("text/plain; charset=utf-8"));
    assert!(!checkpoint.header("cache-control").unwrap().contains("immutable"));
    let stored = get(&running.server, &format!("/blobs/{}/{}/{blob}", &blob[..2], &blob[2..4]));
    assert_eq!(stored.text(), "Organisation 1");
    assert!(stored.header("content-security-policy").unwrap().contains("sandbox"));
    let answers = [&tile, &bundle, &checkpoint, &stored];
    for answer in answers {
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
    let preflight = request(
        &running.server,
        "OPTIONS",
        "/v1/entries",
        "Origin: https://page.example\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type\r\n",
        b"",
    );
    assert_eq!(preflight.status, 200);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
}

#[test]
fn proofs_of_every_index_and_size_verify() {
    let running = running();
    let client = running.server.client();
    for number in 0..12 {
        client.submit(&party(&running.registry, number).0).unwrap();
    }
    let size = running.size();
    let leaves: Vec<_> =
        (0..size).map(|index| leaf_hash(&client.entry(&index.to_string()).unwrap().entry)).collect();
    let mut roots = Vec::new();
    for tree in 1..=size {
        for index in 0..tree {
            let proof = client.inclusion(index, Some(tree)).unwrap();
            verify_inclusion(
                &leaves[usize::try_from(index).unwrap()],
                LeafIndex::new(index),
                TreeSize::new(tree),
                &proof.hashes,
                &proof.root,
            )
            .unwrap();
            if index == 0 {
                roots.push(proof.root);
            }
        }
    }
    for from in 1..=size {
        for to in from..=size {
            let proof = client.consistency(from, Some(to)).unwrap();
            let root = |size: u64| &roots[usize::try_from(size - 1).unwrap()];
            verify_consistency(TreeSize::new(from), TreeSize::new(to), root(from), root(to), &proof.hashes)
                .unwrap();
        }
    }
    let opened = running.trust.open_checkpoint(&client.checkpoint().unwrap()).unwrap();
    assert_eq!(opened.root(), roots.last().unwrap(), "the newest root is the signed one");
}

#[test]
fn pages_fit_together_while_the_log_grows() {
    let running = running();
    let client = running.server.client();
    let (statement, version) = publish(&client, &running.registry, 1_000, "pledge");
    let sign_on = |number: u64| {
        let (submission, id) = party(&running.registry, number);
        client.submit(&submission).unwrap();
        let body = Body::Endorse { statement, version, language: "en".to_owned(), not_after: None };
        client.submit(&thread_event(&running.registry, number, id, None, body).0).unwrap();
    };
    (0..7).for_each(sign_on);
    let mut path = "/v1/statements/pledge/signatories?limit=3".to_owned();
    let mut seen = Vec::new();
    let mut sizes = Vec::new();
    for page in 0.. {
        let answer = get(&running.server, &path).json();
        sizes.push(answer["tree_size"].as_u64().unwrap());
        seen.extend(answer["signatories"].as_array().unwrap().iter().map(|one| one["party"].clone()));
        sign_on(100 + page);
        match answer["next"].as_str() {
            Some(next) => path = format!("/v1/statements/pledge/signatories?limit=3&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 7, "who came later is not on the later pages");
    assert!(sizes.windows(2).all(|pair| pair[0] == pair[1]), "all pages are of one tree: {sizes:?}");
    let all = get(&running.server, "/v1/statements/pledge/signatories").json();
    assert_eq!(all["signatories"].as_array().unwrap().len(), 7 + sizes.len());
}

/// A list is of one version of one statement, whatever is asked and whatever is published meanwhile.
///
/// Any event's hash was once taken for a version, so that the signatories of one statement were listed under
/// another; and without `version` each page was of the version that was newest when it was asked for.
#[test]
fn a_list_is_of_one_version_of_its_own_statement() {
    let running = running();
    let client = running.server.client();
    let registry = &running.registry;
    let (statement, version) = publish(&client, registry, 1_000, "pledge");
    let (_, foreign) = publish(&client, registry, 2_000, "accord");
    let first_entry = client.registry().unwrap().tree_size;
    for number in 0..4 {
        let (submission, id) = party(registry, number);
        client.submit(&submission).unwrap();
        let body = Body::Endorse { statement, version, language: "en".to_owned(), not_after: None };
        client.submit(&thread_event(registry, number, id, None, body).0).unwrap();
    }
    let path = "/v1/statements/pledge/signatories?limit=2";
    let first = get(&running.server, path).json();
    assert_eq!(first["signatories"].as_array().unwrap().len(), 2);
    // A new version appears between two pages.
    let sponsor = client.statement("pledge").unwrap().sponsor;
    let text = b"Another text.\n".to_vec();
    let title = b"A pledge, again".to_vec();
    let event = Event {
        registry: Some(registry.clone()),
        party: Some(sponsor),
        signers: vec![key(1_000).id()],
        after: Some(client.statement("pledge").unwrap().head),
        log_before: Some(now() + 600),
        body: Body::StatementVersion {
            statement,
            texts: vec![undersigned_registry::event::Text {
                language: "en".to_owned(),
                status: undersigned_registry::event::TextStatus::Authentic,
                title: undersigned_registry::event::BlobRef::of(&title),
                text: undersigned_registry::event::BlobRef::of(&text),
            }],
        },
    };
    running.check_accepted(&sign(&event, &[&key(1_000)], vec![title, text]).0.encode());
    let second = get(&running.server, &format!("{path}&cursor={}", first["next"].as_str().unwrap())).json();
    assert_eq!(second["version"], first["version"], "both pages are of one version");
    assert_eq!(second["signatories"].as_array().unwrap().len(), 2);
    let newest = get(&running.server, path).json();
    assert_ne!(newest["version"], first["version"]);
    assert_eq!(newest["signatories"].as_array().unwrap().len(), 0, "a new version starts without signatures");
    let earlier = get(&running.server, &format!("{path}&at={}", first["tree_size"])).json();
    assert_eq!(earlier["signatories"], first["signatories"], "as of an earlier tree it is as it was");
    // Versions of other statements, events that are none, versions that did not exist yet.
    for other in [foreign.to_string(), statement.to_string(), "0".repeat(64)] {
        running.check_problem(&get(&running.server, &format!("{path}&version={other}")), 404, "not-found");
    }
    let yet = format!("{path}&at={first_entry}&version={}", newest["version"].as_str().unwrap());
    running.check_problem(&get(&running.server, &yet), 404, "not-found");
    running.check_problem(&get(&running.server, &format!("{path}&at=1")), 404, "not-found");
    running.check_problem(&get(&running.server, &format!("{path}&version=zz")), 400, "bad-query");
}
