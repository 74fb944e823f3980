//! Requests that two programs could read differently: the hidden one behind them is never acted upon.

use std::net::{IpAddr, Ipv4Addr};

use crate::binary;
use crate::support::wire::{answer, connect_from, exchange};
use crate::support::{Server, init, party};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The head of a request whose body is the next thing.
fn head(lines: &str) -> String {
    format!("POST /v1/entries HTTP/1.1\r\nHost: registry\r\nContent-Type: application/json\r\n{lines}\r\n")
}

/// What a front program and the registry could take for different requests, and the problem code where the
/// registry answers by itself (the HTTP library answers the others with a bare 400).
fn cases() -> Vec<(&'static str, String, Option<&'static str>)> {
    let chunked = |body: &str| format!("{}{body}", head("Transfer-Encoding: chunked\r\n"));
    let end = "0\r\n\r\n";
    let seven = "{\"a\":1}";
    let mut cases = vec![
        // Both lengths: chunks rule, and the connection ends.
        (
            "a length, then chunks",
            head("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n") + end,
            Some("json-syntax"),
        ),
        (
            "chunks, then a length",
            head("Transfer-Encoding: chunked\r\nContent-Length: 6\r\n") + end,
            Some("json-syntax"),
        ),
        ("chunks in HTTP/1.0", chunked(end).replace("HTTP/1.1", "HTTP/1.0"), None),
        ("two lengths", head("Content-Length: 7\r\nContent-Length: 8\r\n") + seven, None),
        ("two types", head("Content-Type: text/plain\r\nContent-Length: 7\r\n") + seven, Some("head-broken")),
        ("two hosts", head("Host: other\r\nContent-Length: 7\r\n") + seven, Some("head-broken")),
        (
            "no host",
            (head("Content-Length: 7\r\n") + seven).replace("Host: registry\r\n", ""),
            Some("head-broken"),
        ),
        (
            "a broken host",
            (head("Content-Length: 7\r\n") + seven).replace("registry", "a b"),
            Some("head-broken"),
        ),
        (
            "a user at a host",
            (head("Content-Length: 7\r\n") + seven).replace("registry", "x@registry"),
            Some("head-broken"),
        ),
        (
            "two codings",
            head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n") + end,
            Some("head-broken"),
        ),
        ("another coding before", head("Transfer-Encoding: gzip, chunked\r\n") + end, Some("head-broken")),
        ("another coding after", head("Transfer-Encoding: chunked, identity\r\n") + end, None),
        ("a coding that is none", head("Transfer-Encoding: xchunked\r\n") + end, None),
        ("a coding behind a control character", head("Transfer-Encoding: \x0bchunked\r\n") + end, None),
        ("a space before the colon", head("Transfer-Encoding : chunked\r\n") + end, None),
        ("a folded line", head("X-Note: one\r\n two\r\nContent-Length: 7\r\n") + seven, None),
        ("a folded coding", head("Transfer-Encoding:\r\n chunked\r\n") + end, None),
        ("a bare carriage return", head("X-Note: one\rContent-Length: 7\r\n") + seven, None),
        ("a zero byte", head("X-Note: one\0\r\nContent-Length: 7\r\n") + seven, None),
        ("a space in a name", head("X Note: one\r\nContent-Length: 7\r\n") + seven, None),
        ("tabs in the first line", (head("Content-Length: 7\r\n") + seven).replacen(' ', "\t", 2), None),
        (
            "a version that is none",
            (head("Content-Length: 7\r\n") + seven).replace("HTTP/1.1", "HTTP/3.7"),
            None,
        ),
    ];
    for length in ["+7", "-7", "0x7", "", "7, 7", "7 7", "99999999999999999999999"] {
        cases.push(("a length that is none", head(&format!("Content-Length: {length}\r\n")) + seven, None));
    }
    for body in [
        "zz\r\n{\"a\":1}\r\n0\r\n\r\n",
        "-7\r\n{\"a\":1}\r\n0\r\n\r\n",
        "+7\r\n{\"a\":1}\r\n0\r\n\r\n",
        "0x7\r\n{\"a\":1}\r\n0\r\n\r\n",
        "10000000000000007\r\n{\"a\":1}\r\n0\r\n\r\n",
        "3\r\n{\"a\":1}\r\n0\r\n\r\n",
        "7\n{\"a\":1}\n0\n\n",
        "7;note\nmore\r\n{\"a\":1}\r\n0\r\n\r\n",
        "\r\n7\r\n{\"a\":1}\r\n0\r\n\r\n",
    ] {
        cases.push(("a broken chunk", chunked(body), Some("body-broken")));
    }
    cases
}

#[test]
fn whatever_hides_behind_a_broken_request_is_not_acted_upon() {
    let folder = tempfile::tempdir().unwrap();
    let (data, trust) = init(binary(), folder.path());
    let server = Server::start(binary(), &data);
    let address = server.url.trim_start_matches("http://").to_owned();
    let hidden = party(trust.registry().unwrap(), 1).0.encode();
    let hidden = {
        let mut bytes = head(&format!("Content-Length: {}\r\n", hidden.len())).into_bytes();
        bytes.extend_from_slice(&hidden);
        bytes
    };
    for (what, broken, code) in cases() {
        let mut bytes = broken.clone().into_bytes();
        bytes.extend_from_slice(&hidden);
        let all = exchange(&mut connect_from(LOOPBACK, &address), &bytes);
        let said = String::from_utf8_lossy(&all).into_owned();
        assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "{what}: {broken:?}: {said}");
        let answer = answer(&all);
        assert_eq!(answer.status, 400, "{what}: {said}");
        assert_eq!(answer.code(), code.unwrap_or_default(), "{what}: {broken:?}: {said}");
        assert_eq!(server.client().registry().unwrap().tree_size, 1, "{what}: nothing is logged");
    }
    // The right twin: two requests that can be read in one way are both answered, and the second is logged.
    let mut bytes = (head("Content-Length: 7\r\n") + "{\"a\":1}").into_bytes();
    bytes.extend_from_slice(
        &String::from_utf8(hidden).unwrap().replace("Host:", "Connection: close\r\nHost:").into_bytes(),
    );
    let said = String::from_utf8_lossy(&exchange(&mut connect_from(LOOPBACK, &address), &bytes)).into_owned();
    assert!(said.starts_with("HTTP/1.1 400 ") && said.contains("HTTP/1.1 201 "), "{said}");
    assert_eq!(server.client().registry().unwrap().tree_size, 2);
}

#[test]
fn a_bare_line_feed_ends_a_line_and_hides_nothing() {
    // RFC 9112 section 2.2 lets a server take it for the end of a line; the HTTP library does. What follows
    // is then a line of the head in our eyes, and never the beginning of another request.
    let folder = tempfile::tempdir().unwrap();
    let (data, trust) = init(binary(), folder.path());
    let server = Server::start(binary(), &data);
    let address = server.url.trim_start_matches("http://").to_owned();
    let body = String::from_utf8(party(trust.registry().unwrap(), 1).0.encode()).unwrap();
    let inner = head(&format!("Content-Length: {}\r\n", body.len())) + &body;
    // As the value of a header in the eyes of a front program that knows only whole line ends.
    let bytes = format!("GET /checkpoint HTTP/1.1\r\nHost: registry\r\nX-Note: a\n{inner}");
    let said = exchange(&mut connect_from(LOOPBACK, &address), bytes.as_bytes());
    let said = String::from_utf8_lossy(&said).into_owned();
    assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "{said}");
    assert!(said.starts_with("HTTP/1.1 400 "), "a request line is no header: {said}");
    assert_eq!(server.client().registry().unwrap().tree_size, 1);
}
