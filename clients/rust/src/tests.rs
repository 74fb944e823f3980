//! The client against a fake server: what it sends, and what it makes of every kind of answer.

use std::net::TcpListener;

use undersigned_registry::id::{KeyId, PartyId, VersionId};
use undersigned_tlog::codec;
use undersigned_tlog::hash::sha256;
use undersigned_tlog::tile::{TILE_WIDTH, TileCoordinate, TilePath, Width, bundle_append};

use crate::fake_server::{FakeServer, json_reply, problem_reply, reply};
use crate::*;

const RECEIPT: &[u8] = b"c2sp.org/tlog-proof@v1\n";
const LATER: &[&str] = &["Retry-After: 2"];

fn receipt_reply(status: &str) -> Vec<u8> {
    reply(status, &["Content-Type: text/plain; charset=utf-8", "Undersigned-Index: 7"], RECEIPT)
}

fn hex(byte: char) -> String {
    std::iter::repeat_n(byte, 64).collect()
}

#[test]
fn a_submission_is_sent_as_it_is_and_answered_with_its_receipt() {
    let server = FakeServer::start(vec![receipt_reply("201 Created"), receipt_reply("200 OK")]);
    let client = server.client();
    let new = client.submit_bytes(b"{\"event\":1}").expect("a receipt");
    assert_eq!(new, Submitted { index: 7, is_new: true, receipt: RECEIPT.to_vec() });
    assert!(!client.submit_bytes(b"{}").expect("a receipt").is_new);
    let request = server.asked()[0].to_ascii_lowercase();
    assert!(request.starts_with("post /v1/entries http/1.1\r\n"), "{request}");
    assert!(request.contains("\r\ncontent-type: application/json\r\n"), "{request}");
    assert!(request.contains(concat!(
        "\r\nuser-agent: undersigned-client/",
        env!("CARGO_PKG_VERSION"),
        "\r\n"
    )));
    assert!(request.ends_with("\r\n\r\n{\"event\":1}"), "{request}");
}

#[test]
fn a_submission_is_sent_again_when_the_registry_asks_for_it() {
    let later = || problem_reply("503 Service Unavailable", "queue-full", LATER);
    let server = FakeServer::start(vec![later(), later(), receipt_reply("201 Created")]);
    assert_eq!(server.client().submit_bytes(b"{}").expect("a receipt").index, 7);
    assert_eq!(server.asked().len(), 3);
    assert_eq!(server.pauses_ms(), [2_000, 2_000]);
}

#[test]
fn a_submission_is_sent_a_limited_number_of_times() {
    let later = || problem_reply("503 Service Unavailable", "queue-full", LATER);
    let server = FakeServer::start(std::iter::repeat_with(later).take(9).collect());
    let error = server.client().submit_bytes(b"{}").expect_err("never");
    assert!(error.is_later());
    assert_eq!(error.retry_after().map(|wait| wait.as_secs()), Some(2));
    assert_eq!(error.code(), Some("queue-full"));
    assert_eq!(server.asked().len(), usize::try_from(ATTEMPTS_MAX).expect("small"));
}

#[test]
fn nothing_else_is_sent_again() {
    for answer in [
        problem_reply("503 Service Unavailable", "queue-full", &[]),
        problem_reply("503 Service Unavailable", "queue-full", &["Retry-After: 3600"]),
        problem_reply("409 Conflict", "stale", LATER),
        problem_reply("500 Internal Server Error", "internal", LATER),
        reply("200 OK", &[], RECEIPT),
        reply("201 Created", &["Undersigned-Index: 07"], RECEIPT),
    ] {
        let server = FakeServer::start(vec![answer.clone(), receipt_reply("201 Created")]);
        server.client().submit_bytes(b"{}").expect_err("no receipt");
        assert_eq!(
            (server.asked().len(), server.pauses_ms()),
            (1, vec![]),
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }
}

#[test]
fn a_submission_is_sent_again_after_a_broken_connection() {
    let cut = reply("201 Created", &[], RECEIPT)[..60].to_vec();
    let server = FakeServer::start(vec![Vec::new(), cut, receipt_reply("200 OK")]);
    assert_eq!(server.client().submit_bytes(b"{}").expect("a receipt").index, 7);
    assert_eq!(server.asked().len(), 3);
    assert_eq!(server.pauses_ms(), [250, 500]);
}

#[test]
fn nobody_there_says_what_to_check() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    drop(listener);
    let error = Client::new(&url).expect("an address").registry().expect_err("nobody");
    assert_eq!(
        error.to_string(),
        format!("cannot reach {url}/v1/registry\nis the registry running? check the address")
    );
    let source = std::error::Error::source(&error).expect("the network's word").to_string();
    assert!(source.to_lowercase().contains("refused"), "{source}");
    assert!(error.is_fault());
}

#[test]
fn a_problem_is_read() {
    let server = FakeServer::start(vec![problem_reply("409 Conflict", "stale", &[])]);
    let error = server.client().registry().expect_err("a problem");
    assert!(error.is_refusal());
    assert_eq!(error.to_string(), "a detail\na next step");
    let ClientError::Problem(problem) = error else { panic!("not a problem") };
    assert_eq!((problem.status, problem.code.as_str(), problem.title.as_str()), (409, "stale", "a title"));
}

#[test]
fn the_status_line_rules_over_the_document() {
    let document = problem_reply("503 Service Unavailable", "queue-full", LATER);
    let lie = String::from_utf8(document).expect("text").replace("HTTP/1.1 503", "HTTP/1.1 400");
    let server = FakeServer::start(vec![lie.into_bytes()]);
    assert!(server.client().submit_bytes(b"{}").expect_err("a problem").is_refusal());
}

#[test]
fn what_is_no_answer_of_a_registry_is_told_as_such() {
    let html: &[&str] = &["Content-Type: text/html"];
    for (answer, told) in [
        (reply("200 OK", html, b"<html>"), "text/html where JSON belongs"),
        (reply("200 OK", &[], b""), "no content type where JSON belongs"),
        (json_reply("{\"origin\":1}"), "where JSON belongs"),
        (reply("502 Bad Gateway", html, b"<html>"), "status 502 and text/html"),
        (reply("503 Service Unavailable", html, b"<html>"), "status 503 and text/html"),
        (reply("404 Not Found", &["Content-Type: application/problem+json"], b"{}"), "status 404"),
        (reply("301 Moved", &["Location: https://b.example/"], b""), "redirects to https://b.example/;"),
        (b"SSH-2.0-OpenSSH_9.9\r\n\r\n".to_vec(), "does not speak HTTP"),
    ] {
        let server = FakeServer::start(vec![answer.clone()]);
        let error = server.client().registry().expect_err("no registry");
        assert!(matches!(error, ClientError::Answer { .. }), "{error:?}");
        assert!(error.to_string().contains(told), "{error}");
    }
}

#[test]
fn a_proxy_under_load_counts_as_later() {
    let server = FakeServer::start(vec![reply("503 Busy", LATER, b"busy"), receipt_reply("201 Created")]);
    assert!(server.client().submit_bytes(b"{}").expect("a receipt").is_new);
}

#[test]
fn an_answer_has_its_size_and_no_byte_more() {
    let bytes = |length| reply("200 OK", &[], &vec![b'x'; length]);
    let at_most = CHECKPOINT_BYTES_MAX;
    let server = FakeServer::start(vec![bytes(at_most), bytes(at_most + 1)]);
    assert_eq!(server.client().checkpoint().expect("at the limit").len(), at_most);
    let error = server.client().checkpoint().expect_err("past the limit");
    assert!(matches!(error, ClientError::TooLarge { bytes_max: CHECKPOINT_BYTES_MAX, .. }), "{error:?}");

    // Without a length, and in a problem too.
    let mut endless = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
    endless.resize(at_most * 2, b'x');
    let long = reply("404 Not Found", &[], &vec![b' '; PROBLEM_BYTES_MAX + 1]);
    let server = FakeServer::start(vec![endless, long]);
    assert!(matches!(server.client().checkpoint(), Err(ClientError::TooLarge { .. })));
    assert!(matches!(
        server.client().registry(),
        Err(ClientError::TooLarge { bytes_max: PROBLEM_BYTES_MAX, .. })
    ));
}

#[test]
fn the_limits_are_those_of_the_log() {
    let items = u64::try_from(crate::files::ITEMS_MAX).expect("small");
    assert_eq!(items, TILE_WIDTH);
    let blob = u64::try_from(BLOB_BYTES_MAX).expect("small");
    assert_eq!(blob, undersigned_registry::envelope::BLOB_BYTES_MAX);
}

#[test]
fn a_file_that_is_not_there_is_none() {
    let html: &[&str] = &["Content-Type: text/html"];
    let server = FakeServer::start(vec![
        reply("404 Not Found", html, b"<html>"),
        problem_reply("404 Not Found", "not-found", &[]),
        problem_reply("500 Internal Server Error", "internal", &[]),
        problem_reply("404 Not Found", "not-found", &[]),
    ]);
    let client = server.client();
    assert_eq!(client.get_bytes("/tile/0/000").expect("an answer"), None);
    assert_eq!(client.blob(&sha256(&[b"gone"])).expect("an answer"), None);
    assert!(client.get_bytes("tile/0/000").expect_err("a fault").is_fault());
    assert!(
        client.checkpoint().expect_err("no log").to_string().contains("there is no checkpoint under http://")
    );
    assert_eq!(server.lines()[0], "GET /tile/0/000 HTTP/1.1");
}

#[test]
fn a_blob_is_the_one_its_hash_names() {
    let hash = sha256(&[b"text"]);
    let server = FakeServer::start(vec![reply("200 OK", &[], b"text"), reply("200 OK", &[], b"tex")]);
    assert_eq!(server.client().blob(&hash).expect("an answer"), Some(b"text".to_vec()));
    assert!(server.client().blob(&hash).expect_err("forged").to_string().contains("damaged or forged"));
    let hex = hash.to_hex();
    assert_eq!(server.lines()[0], format!("GET /blobs/{}/{}/{hex} HTTP/1.1", &hex[..2], &hex[2..4]));
}

fn bundle(count: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in 0..count {
        bundle_append(&mut bytes, format!("entry {entry}").as_bytes()).expect("short");
    }
    bytes
}

#[test]
fn a_bundle_has_its_width_or_is_cut_from_the_full_one() {
    let gone = || problem_reply("404 Not Found", "not-found", &[]);
    let ok = |body: &[u8]| reply("200 OK", &[], body);
    let width = Width::new(3).expect("1 to 256");
    let get = |answers: Vec<Vec<u8>>| {
        let server = FakeServer::start(answers);
        let answer = server.client().bundle(1234, width);
        (answer, server.lines().len())
    };
    let full = bundle(TILE_WIDTH);
    let (answer, calls) = get(vec![ok(&bundle(3))]);
    assert_eq!((answer.expect("direct"), calls), (Some(bundle(3)), 1));
    let (answer, calls) = get(vec![gone(), ok(&full)]);
    assert_eq!((answer.expect("cut"), calls), (Some(bundle(3)), 2));
    let (answer, calls) = get(vec![gone(), gone()]);
    assert_eq!((answer.expect("neither"), calls), (None, 2));
    for wrong in [bundle(2), bundle(4), full, bundle(3)[..10].to_vec(), Vec::new()] {
        let (answer, _) = get(vec![ok(&wrong)]);
        assert!(matches!(answer, Err(ClientError::Answer { .. })), "{answer:?}");
    }
    let (answer, _) = get(vec![gone(), ok(&bundle(2))]);
    assert!(matches!(answer, Err(ClientError::Answer { .. })));
}

#[test]
fn a_tile_has_its_width_or_is_cut_from_the_full_one() {
    let full: Vec<u8> = (0..=255_u8).flat_map(|byte| [byte; 32]).collect();
    let gone = problem_reply("404 Not Found", "not-found", &[]);
    let server = FakeServer::start(vec![
        gone.clone(),
        reply("200 OK", &[], &full),
        gone,
        reply("200 OK", &[], &full[..63]),
    ]);
    let coordinate = TileCoordinate::new(1, 67).expect("a level");
    let partial = TilePath::Hashes { coordinate, width: Width::new(2).expect("1 to 256") };
    assert_eq!(server.client().tile(&partial).expect("an answer"), Some(full[..64].to_vec()));
    let whole = TilePath::Hashes { coordinate, width: Width::FULL };
    assert_eq!(server.client().tile(&whole).expect("an answer"), None);
    assert!(server.client().tile(&partial).expect_err("short").to_string().contains("fewer than 2"));
    assert_eq!(server.lines()[..2], ["GET /tile/1/067.p/2 HTTP/1.1", "GET /tile/1/067 HTTP/1.1"]);
}

#[test]
fn an_entry_keeps_its_bytes() {
    let odd = r#"{"b":1.50, "a" : "\u0041"}"#;
    let body = format!(r#"{{"index":3,"tree_size":9,"checkpoint":"c\n","entry":{odd},"later":true}}"#);
    let server = FakeServer::start(vec![json_reply(&body)]);
    let answer = server.client().entry("3/../?x").expect("an entry");
    assert_eq!(answer.entry, odd.as_bytes());
    assert_eq!((answer.index, answer.tree_size, answer.checkpoint.as_str()), (3, 9, "c\n"));
    assert_eq!(server.lines(), ["GET /v1/entries/3%2F..%2F%3Fx HTTP/1.1"]);
}

#[test]
fn proofs_are_read() {
    let hash = sha256(&[b"x"]);
    let b64 = codec::base64_encode(hash.as_bytes());
    let inclusion =
        format!(r#"{{"index":3,"size":9,"root":"{b64}","hashes":["{b64}","{b64}"],"checkpoint":"c"}}"#);
    let consistency = format!(r#"{{"from":3,"to":9,"hashes":["{b64}"],"checkpoint":"c"}}"#);
    let server = FakeServer::start(vec![
        json_reply(&inclusion),
        json_reply(&consistency),
        json_reply(&consistency.replace("=\"", "\"")),
    ]);
    let client = server.client();
    let answer = client.inclusion(3, None).expect("a proof");
    assert_eq!((answer.root, answer.hashes), (hash, vec![hash, hash]));
    assert_eq!(client.consistency(3, Some(9)).expect("a proof").hashes, [hash]);
    assert!(matches!(client.consistency(3, None), Err(ClientError::Answer { .. })));
    assert_eq!(
        server.lines(),
        [
            "GET /v1/proof/inclusion?index=3 HTTP/1.1",
            "GET /v1/proof/consistency?from=3&to=9 HTTP/1.1",
            "GET /v1/proof/consistency?from=3 HTTP/1.1"
        ]
    );
}

#[test]
fn prepare_sends_only_what_was_said_and_reads_the_event_as_it_is() {
    let (a, b) = (hex('a'), hex('b'));
    let whole = format!(
        r#"{{"tree_size":9,"registry":"r.example/log#{a}","party":"{b}","log_before":5,"summary":["x"],"event":{{"z":1}}}}"#
    );
    let thread = format!(r#"{{"tree_size":9,"registry":"r.example/log#{a}","log_before":5,"summary":[]}}"#);
    let server = FakeServer::start(vec![json_reply(&whole), json_reply(&thread)]);
    let key = KeyId::from_hex(&a).expect("hex");
    let mut request = PrepareRequest::new("endorse", key);
    request.statement = Some("accord".to_owned());
    let prepared = server.client().prepare(&request).expect("an event");
    assert_eq!(prepared.event.as_deref(), Some(&b"{\"z\":1}"[..]));
    assert_eq!(prepared.party, PartyId::from_hex(&b).ok());
    assert_eq!((prepared.after, prepared.registry.origin()), (None, "r.example/log"));
    assert!(
        server.asked()[0].ends_with(&format!(r#"{{"type":"endorse","key":"{a}","statement":"accord"}}"#))
    );
    assert_eq!(server.client().prepare(&request).expect("a thread").event, None);
}

#[test]
fn lists_parties_and_keys_are_read() {
    let id = hex('c');
    let blob = format!(r#"{{"sha256":"{id}","size":4,"url":"/blobs/cc/cc/{id}"}}"#);
    let names =
        format!(r#"[{{"language":"en","text":"A","blob":{blob}}},{{"language":"fr","blob":{blob}}}]"#);
    let key = format!(
        r#"{{"key":"{id}","party":"{id}","role":"admin","type":"ed25519","from":1,"revoked":false}}"#
    );
    let count = r#"{"active":3,"active_by_level":[1,2,0,0,0],"lapsed":2,"withdrawn":1}"#;
    let text = format!(r#"{{"language":"en","status":"authentic","title_blob":{blob},"text_blob":{blob}}}"#);
    let server = FakeServer::start(vec![
        json_reply(&format!(
            r#"{{"tree_size":9,"statement":"{id}","slug":"s","kind":"accord","sponsor":"{id}","head":"{id}","entry":2,"versions":1,"version":{{"version":"{id}","number":1,"entry":3,"texts":[{text}],"count":{count}}}}}"#
        )),
        json_reply(&format!(
            r#"{{"tree_size":9,"party":"{id}","names":{names},"domain":"a.example","level":0,"head":"{id}","entry":1,"keys":[{key}],"entries":[1,4]}}"#
        )),
        json_reply(&format!(
            r#"{{"tree_size":9,"domain":"a.example","claimed_by":[{{"party":"{id}","names":{names},"entry":1}}]}}"#
        )),
        json_reply(&key),
    ]);
    let client = server.client();
    let party = PartyId::from_hex(&id).expect("hex");
    assert_eq!(client.statement("s").expect("a statement").version.expect("a version").count.active, 3);
    let answer = client.party(&party).expect("a party");
    assert_eq!((answer.keys.len(), answer.entries), (1, vec![1, 4]));
    assert_eq!(answer.names[1].text, None);
    assert_eq!(client.parties_by_domain("a.example").expect("claims").claimed_by[0].party, party);
    assert_eq!(client.key(&KeyId::from_hex(&id).expect("hex")).expect("a key").key_type, "ed25519");
    assert_eq!(server.lines()[2], "GET /v1/parties/a.example?limit=1000 HTTP/1.1");
}

#[test]
fn a_registry_tells_of_itself() {
    let id = hex('d');
    let info = format!(
        r#"{{"registry":"r.example/log#{id}","origin":"r.example/log","genesis":"{id}","log_keys":["k"],"operator":"{id}","admission":"open","log_window":604800,"max_lag":3600,"v":1,"retention":"never-prune","tree_size":9,"received":5,"checkpoint":"c","mirrors":[],"witnesses":[]}}"#
    );
    let codes = r#"[{"code":"stale","status":409,"title":"t","next":"n"}]"#;
    let server = FakeServer::start(vec![
        json_reply(&info),
        json_reply(codes),
        reply("200 OK", &["Content-Type: text/plain"], b"log k\n"),
        reply("200 OK", &[], RECEIPT),
    ]);
    let client = server.client();
    assert_eq!(client.registry().expect("info").log_window, 604_800);
    assert_eq!(client.problems().expect("codes")[0].code, "stale");
    assert_eq!(client.policy().expect("a policy"), "log k\n");
    assert_eq!(client.receipt("7").expect("a receipt"), RECEIPT);
}

fn statements_reply(tree_size: u64, entries: &[u64], next: Option<&str>) -> Vec<u8> {
    let id = hex('e');
    let items: Vec<String> = entries
        .iter()
        .map(|at| {
            format!(r#"{{"statement":"{id}","slug":"s{at}","kind":"accord","sponsor":"{id}","entry":{at},"received":1}}"#)
        })
        .collect();
    let next = next.map(|next| format!(r#","next":"{next}""#)).unwrap_or_default();
    json_reply(&format!(r#"{{"tree_size":{tree_size},"statements":[{}]{next}}}"#, items.join(",")))
}

fn walk(server: &FakeServer) -> (Result<Vec<u64>, ClientError>, Option<u64>) {
    let client = server.client();
    let first = Page { limit: Some(2), at: Some(9), ..Page::default() };
    let mut pages = all_pages(first, |page| client.statements(page));
    let items = pages.by_ref().map(|item| item.map(|item| item.entry)).collect();
    (items, pages.tree_size())
}

#[test]
fn all_pages_are_walked() {
    let server = FakeServer::start(vec![
        statements_reply(9, &[1, 2], Some("9.2")),
        statements_reply(9, &[4, 5], Some("9.5")),
        statements_reply(9, &[], None),
    ]);
    let (items, tree_size) = walk(&server);
    assert_eq!((items.expect("all"), tree_size), (vec![1, 2, 4, 5], Some(9)));
    assert_eq!(
        server.lines(),
        [
            "GET /v1/statements?limit=2&at=9 HTTP/1.1",
            "GET /v1/statements?limit=2&cursor=9.2 HTTP/1.1",
            "GET /v1/statements?limit=2&cursor=9.5 HTTP/1.1"
        ]
    );
}

#[test]
fn a_walk_does_not_go_in_circles_or_change_trees() {
    for second in [
        statements_reply(9, &[4], Some("9.2")),
        statements_reply(9, &[], Some("9.9")),
        statements_reply(10, &[4], None),
        problem_reply("503 Service Unavailable", "index-rebuilding", LATER),
    ] {
        let server = FakeServer::start(vec![statements_reply(9, &[1, 2], Some("9.2")), second]);
        walk(&server).0.expect_err("a wrong second page");
        assert_eq!(server.asked().len(), 2);
    }
}

/// The first file that a table of the shared vectors accepts, and the id that its question or entries name.
fn accepted(table: &str) -> (Vec<u8>, serde_json::Value) {
    let path = format!("{}/../../tests/vectors/registry/{table}", env!("CARGO_MANIFEST_DIR"));
    let read: serde_json::Value =
        serde_json::from_slice(&std::fs::read(path).expect("a table")).expect("JSON");
    let row = &read["accept"][0];
    (row["file"].as_str().expect("a file").as_bytes().to_vec(), row["proved"].clone())
}

fn text_reply(body: &[u8]) -> Vec<u8> {
    reply("200 OK", &["Content-Type: text/plain; charset=utf-8"], body)
}

#[test]
fn a_state_proof_answers_the_question_that_was_asked() {
    let (file, proved) = accepted("state-proofs.json");
    let version = VersionId::from_hex(proved["version"].as_str().expect("an id")).expect("an id");
    let other = VersionId(sha256(&[b"other"]));
    let party = PartyId(sha256(&[b"party"]));
    let server =
        FakeServer::start(vec![text_reply(&file); 5].into_iter().chain([text_reply(RECEIPT)]).collect());
    let client = server.client();
    let slug = StateOf::Statement("a pledge".to_owned());
    assert_eq!(client.state_proof(&slug, StateQuestion::Count).expect("the file"), file);
    assert_eq!(client.state_proof(&StateOf::Version(version), StateQuestion::Count).expect("the file"), file);
    let asked = &server.asked()[0];
    assert!(
        asked.starts_with("GET /v1/proof/state?question=count&statement=a%20pledge HTTP/1.1\r\n"),
        "{asked}"
    );
    assert!(asked.to_ascii_lowercase().contains("\r\naccept: text/plain\r\n"), "{asked}");
    for (of, question) in [
        (StateOf::Version(other), StateQuestion::Count),
        (StateOf::Version(version), StateQuestion::Status(party)),
        (slug.clone(), StateQuestion::Absent(party)),
    ] {
        let error = client.state_proof(&of, question).expect_err("another question").to_string();
        assert!(error.contains("answers another question"), "{error}");
    }
    let asked = &server.asked()[3];
    assert!(asked.contains(&format!("question=status&version={version}&party={party} ")), "{asked}");
    let error = client.state_proof(&slug, StateQuestion::Count).expect_err("a receipt").to_string();
    assert!(error.contains("no state proof"), "{error}");
}

#[test]
fn a_multi_proof_is_of_the_entries_that_were_asked_for() {
    let (file, proved) = accepted("multi-proofs.json");
    let index = proved["entries"][0]["index"].as_u64().expect("an index");
    let server = FakeServer::start(vec![text_reply(&file), text_reply(&file), text_reply(RECEIPT)]);
    let client = server.client();
    assert_eq!(client.multi_proof(&[index]).expect("the file"), file);
    let error = client.multi_proof(&[index, index + 1]).expect_err("fewer entries").to_string();
    assert!(error.contains("of other entries"), "{error}");
    assert!(server.asked()[1].starts_with(&format!("GET /v1/proof/multi?index={index},{} ", index + 1)));
    assert!(client.multi_proof(&[index]).expect_err("a receipt").to_string().contains("no multi-proof"));
}
