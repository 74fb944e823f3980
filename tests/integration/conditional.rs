//! What caches and clients are told: validators, 304, how long an answer may be kept, compression, HEAD,
//! OPTIONS, and that no error is ever kept.

use std::io::Read as _;

use crate::http::{Answer, Running, get, request, running};
use crate::support::party;

const BYTES: &str = "application/octet-stream";

fn get_with(running: &Running, path: &str, headers: &str) -> Answer {
    request(&running.server, "GET", path, headers, b"")
}

/// A registry with a few parties, and the address of a blob.
fn with_parties() -> (Running, String) {
    let running = running();
    let mut blob = String::new();
    for number in 0..5 {
        let (submission, _) = party(&running.registry, number);
        let hash = submission.envelope.event().blobs()[0].sha256.to_hex();
        blob = format!("/blobs/{}/{}/{hash}", &hash[..2], &hash[2..4]);
        running.server.client().submit(&submission).unwrap();
    }
    (running, blob)
}

#[test]
fn each_class_of_answers_may_be_kept_as_long_as_it_is_true() {
    let (running, blob) = with_parties();
    let tile = "public, max-age=604800, immutable";
    for (path, cache, media) in [
        ("/tile/0/000.p/6", tile, BYTES),
        ("/tile/entries/000.p/6", tile, BYTES),
        (blob.as_str(), "public, max-age=300, immutable", BYTES),
        ("/checkpoint", "no-cache", "text/plain; charset=utf-8"),
        ("/v1/problems", "public, max-age=300", "application/json"),
        ("/v1/problems/stale", "public, max-age=300", "application/json"),
        ("/openapi.json", "public, max-age=300", "application/json"),
        ("/healthz", "no-store", "application/json"),
        ("/v1/registry", "no-cache", "application/json"),
        ("/v1/policy", "no-cache", "text/plain; charset=utf-8"),
        ("/v1/statements", "no-cache", "application/json"),
        ("/v1/parties/org-1.example", "no-cache", "application/json"),
        ("/v1/entries/1", "no-cache", "application/json"),
        ("/v1/receipts/1", "no-cache", "text/plain; charset=utf-8"),
        ("/v1/proof/inclusion?index=1&size=3", "no-cache", "application/json"),
        ("/v1/proof/consistency?from=1&to=3", "no-cache", "application/json"),
    ] {
        let first = get(&running.server, path);
        assert_eq!((first.status, first.header("cache-control")), (200, Some(cache)), "{path}");
        assert_eq!(first.header("content-type"), Some(media), "{path}");
        let etag = first.header("etag").unwrap_or_else(|| panic!("{path} has no validator")).to_owned();
        assert!(etag.starts_with("W/\""), "{path}: {etag}");
        // Who has it gets nothing but the news that it is the same.
        for has in [etag.as_str(), "*", &format!("\"other\", {etag}"), etag.trim_start_matches("W/")] {
            let again = get_with(&running, path, &format!("If-None-Match: {has}\r\n"));
            assert_eq!((again.status, again.body.len()), (304, 0), "{path} for {has}");
            assert_eq!(again.header("etag"), Some(etag.as_str()));
            assert_eq!(again.header("cache-control"), Some(cache));
            assert_eq!(again.header("vary"), first.header("vary"));
            assert_eq!(again.header("content-type"), None, "{path}");
        }
        for has in ["W/\"00000000000000000000000000000000\"", "not a validator", ""] {
            let again = get_with(&running, path, &format!("If-None-Match: {has}\r\n"));
            assert_eq!((again.status, &again.body), (200, &first.body), "{path} for {has}");
        }
        // HEAD says the same without the body.
        let head = request(&running.server, "HEAD", path, "", b"");
        assert_eq!((head.status, head.body.len()), (200, 0), "HEAD {path}");
        for name in ["etag", "cache-control", "content-type", "content-length", "vary"] {
            assert_eq!(head.header(name), first.header(name), "{name} of HEAD {path}");
        }
    }
    // A validator ends with what it validates.
    let etag = |path: &str| get(&running.server, path).header("etag").unwrap().to_owned();
    let before = [etag("/checkpoint"), etag("/v1/registry"), etag("/v1/receipts/1")];
    let kept = etag("/v1/proof/consistency?from=1&to=3").len();
    running.server.client().submit(&party(&running.registry, 9).0).unwrap();
    let after = [etag("/checkpoint"), etag("/v1/registry"), etag("/v1/receipts/1")];
    assert!(before.iter().zip(&after).all(|(before, after)| before != after), "{before:?} {after:?}");
    assert_eq!(kept, 36);
}

/// A whole tile that was read lately is answered without the router, from memory.
#[test]
fn a_tile_from_memory_is_answered_as_one_from_the_disk() {
    let running = running();
    std::thread::scope(|scope| {
        for lane in 0..8 {
            let running = &running;
            scope.spawn(move || {
                let client = running.server.client();
                for number in lane * 32..(lane + 1) * 32 {
                    client.submit(&party(&running.registry, number).0).unwrap();
                }
            });
        }
    });
    for path in ["/tile/0/000", "/tile/entries/000"] {
        let from_disk = get(&running.server, path);
        assert_eq!(from_disk.status, 200, "{path}");
        let etag = from_disk.header("etag").unwrap();
        for query in ["", "?", "?from=here"] {
            let from_memory = get(&running.server, &format!("{path}{query}"));
            assert_eq!(lines(&from_memory), lines(&from_disk), "{path}{query}");
            assert!(from_memory.body == from_disk.body, "the bytes of {path}{query}");
        }
        for has in [etag, "*"] {
            let unchanged = get_with(&running, path, &format!("If-None-Match: {has}\r\n"));
            assert_eq!((unchanged.status, unchanged.body.len()), (304, 0), "{path} for {has}");
        }
        // These go through the router.
        let head = request(&running.server, "HEAD", path, "", b"");
        assert_eq!((lines(&head), head.body.len()), (lines(&from_disk), 0), "HEAD {path}");
        assert_eq!(request(&running.server, "DELETE", path, "", b"").status, 405, "{path}");
        assert_eq!(get(&running.server, &format!("{path}/")).status, 404, "{path}/");
        // An answer to one who may send what can be read in two ways is a refusal, from memory, too.
        let two_ways = get_with(&running, path, "Host: another\r\n");
        assert_eq!(two_ways.status, 400, "{path}");
    }
}

/// The status line and headers of an answer, whatever their order; the time is of no matter.
fn lines(answer: &Answer) -> Vec<&str> {
    let is_time = |line: &&str| line.starts_with("date:");
    let mut lines: Vec<&str> = answer.headers.lines().filter(|line| !is_time(line)).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn no_error_is_kept() {
    let (running, _) = with_parties();
    for (method, path, status) in [
        ("GET", "/nothing", 404),
        ("GET", "/tile/0/000", 404),
        ("GET", "/v1/entries/99", 404),
        ("GET", "/v1/statements?limit=0", 400),
        ("GET", "/v1/entries/%ff", 404),
        ("POST", "/v1/entries", 415),
        ("POST", "/v1/prepare", 415),
        ("POST", "/checkpoint", 405),
        ("DELETE", "/v1/registry", 405),
        ("PUT", "/v1/entries", 405),
        ("TRACE", "/v1/policy", 405),
        ("PATCH", "/tile/0/000.p/1", 405),
        ("BREW", "/v1/registry", 405),
    ] {
        let answer = request(&running.server, method, path, "If-None-Match: *\r\n", b"");
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{method} {path}");
        assert_eq!(answer.header("etag"), None, "{method} {path}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{method} {path}");
        assert_eq!(answer.header("allow").is_some(), status == 405, "{method} {path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{method} {path}");
    }
    let head = request(&running.server, "HEAD", "/v1/entries/99", "", b"");
    assert_eq!((head.status, head.body.len(), head.header("cache-control")), (404, 0, Some("no-store")));
    let head = request(&running.server, "HEAD", "/v1/prepare", "", b"");
    assert_eq!((head.status, head.header("allow")), (405, Some("POST")));
}

#[test]
fn texts_are_compressed_for_whoever_takes_it() {
    let (running, blob) = with_parties();
    for (path, is_text) in [
        ("/v1/problems", true),
        ("/openapi.json", true),
        ("/v1/receipts/1", true),
        ("/tile/entries/000.p/6", false),
        ("/tile/0/000.p/6", false),
        (blob.as_str(), false),
        // Short.
        ("/healthz", false),
        ("/checkpoint", false),
    ] {
        let plain = get(&running.server, path);
        let packed = get_with(&running, path, "Accept-Encoding: gzip, deflate, br\r\n");
        assert_eq!(packed.header("content-encoding"), is_text.then_some("gzip"), "{path}");
        assert_eq!(packed.header("etag"), plain.header("etag"), "{path}");
        if is_text {
            let vary = packed.headers.to_lowercase();
            assert!(vary.contains("accept-encoding"), "{path}: {vary}");
            let body = if packed.header("transfer-encoding").is_some() {
                crate::lists::unchunked(&packed).body
            } else {
                packed.body.clone()
            };
            assert!(body.len() < plain.body.len(), "{path}: {} of {}", body.len(), plain.body.len());
            let mut text = Vec::new();
            flate2::read::GzDecoder::new(body.as_slice()).read_to_end(&mut text).unwrap();
            assert_eq!(text, plain.body, "{path}");
        }
    }
}

#[test]
fn every_origin_may_ask() {
    let (running, _) = with_parties();
    for path in ["/v1/entries", "/v1/registry", "/checkpoint", "/nothing"] {
        let asked = "Origin: https://page.example\r\nAccess-Control-Request-Method: POST\r\n";
        let answer = request(&running.server, "OPTIONS", path, asked, b"");
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!(answer.header("access-control-allow-methods"), Some("GET,HEAD,POST"));
        assert_eq!(answer.header("access-control-allow-headers"), Some("content-type,accept,if-none-match"));
        assert_eq!(answer.header("access-control-allow-credentials"), None, "nobody is logged in here");
    }
    let answer = get_with(&running, "/v1/receipts/1", "Origin: https://page.example\r\n");
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert!(answer.header("access-control-expose-headers").unwrap().contains("undersigned-index"));
}

#[test]
fn the_document_that_is_served_is_the_one_that_is_kept() {
    let running = running();
    let served = get(&running.server, "/openapi.json");
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    assert!(served.text() == std::fs::read_to_string(&path).unwrap(), "it is not {}", path.display());
}
