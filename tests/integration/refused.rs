//! Bad requests, by the table: addresses that climb out, absurd numbers, bodies that are no JSON. Each gets
//! the code that is documented, and nothing is logged.

use crate::http::{get, request, running};

#[test]
fn addresses_that_climb_out_or_name_nothing() {
    let running = running();
    for path in [
        "/tile/0/../../private/log.key",
        "/tile/0/%2e%2e/%2e%2e/private/log.key",
        "/tile/0/..%2f..%2fprivate%2flog.key",
        "/tile/0/..%5c..%5cprivate%5clog.key",
        "/tile/entries/../../private/log.key",
        "/tile/entries/%2e%2e/checkpoint",
        "/tile//0/000.p/1",
        "/tile/./0/000.p/1",
        "/tile/0/000.p/1/",
        "/tile/0/000.p/1%00",
        "/tile/0/000.p/%31",
        "/tile/00/000.p/1",
        "/tile/64/000",
        "/tile/-1/000",
        "/tile/18446744073709551616/000",
        "/tile/0/000.p/0",
        "/tile/0/000.p/256",
        "/tile/0/000.p/01",
        "/tile/0/000.p/99999999999999999999",
        "/tile/0/0",
        "/tile/0/0000",
        "/tile/0/x000/000",
        "/tile/0/001/000",
        "/tile/0/x999/x999/x999/x999/x999/x999/999",
        "/tile/0/x999/x999/x999/x999/x999/x999/x999/x999/999.p/255",
        "/blobs/../private/log.key",
        "/blobs/%2e%2e/private/log.key",
        "/blobs/ab/cd/../../../private/log.key",
        "/blobs/ab/cd/abcd",
        "/blobs/AB/CD/ABCD",
        "/checkpoint/",
        "/checkpoint/..",
        "//checkpoint",
        "/private/log.key",
        "/../private/log.key",
    ] {
        running.check_problem(&get(&running.server, path), 404, "not-found");
    }
    // The right twins.
    for path in ["/tile/0/000.p/1", "/tile/entries/000.p/1", "/checkpoint"] {
        assert_eq!(get(&running.server, path).status, 200, "{path}");
    }
    assert_eq!(running.size(), 1, "nothing is logged");
}

#[test]
fn absurd_sizes_and_cursors() {
    const HUGE: &str = "18446744073709551616";
    let running = running();
    let lists = ["/v1/statements", "/v1/parties/org.example"];
    let pages = [
        "limit=0",
        "limit=1001",
        "limit=-1",
        "limit=+1",
        "limit=01",
        "limit=1.0",
        "limit=1e2",
        "limit=",
        "limit",
        "limit=%20",
        "limit=%31%30x",
        "limit=%ff",
        "limit=1&limit=1",
        "limit=\u{661}",
        "at=0",
        "at=2",
        "at=+1",
        "at=18446744073709551615",
        "at=",
        "at=1&at=1",
        "at=1&cursor=2.0",
        "cursor=",
        "cursor=x",
        "cursor=1",
        "cursor=1.",
        "cursor=.1",
        "cursor=0.0",
        "cursor=2.0",
        "cursor=01.0",
        "cursor=1.-1",
        "cursor=1.0.0",
        "cursor=1.0&cursor=1.0",
        "version=x",
        "format=csv",
        "limit=1&=",
    ];
    let numbers = |name: &str| [format!("{name}={HUGE}"), format!("{name}={}", "9".repeat(2_000))];
    for list in lists {
        let long = ["limit", "at", "cursor"].map(numbers).concat();
        for page in pages.iter().map(ToString::to_string).chain(long) {
            let path = format!("{list}?{page}");
            // What stands in a request line is ASCII.
            let path = path.replace('\u{661}', "%D9%A1");
            running.check_problem(&get(&running.server, &path), 400, "bad-query");
        }
        for page in ["limit=1", "limit=1000", "at=1", "cursor=1.0", "cursor=1.18446744073709551615"] {
            assert_eq!(get(&running.server, &format!("{list}?{page}")).status, 200, "{list}?{page}");
        }
    }
    for path in [
        format!("/v1/proof/inclusion?index={HUGE}"),
        "/v1/proof/inclusion?index=0&size=0".to_owned(),
        "/v1/proof/inclusion?index=0&size=2".to_owned(),
        "/v1/proof/inclusion?index=+0".to_owned(),
        "/v1/proof/inclusion?index=00".to_owned(),
        "/v1/proof/inclusion?index=1&size=1".to_owned(),
        "/v1/proof/inclusion?index=18446744073709551615&size=18446744073709551615".to_owned(),
        format!("/v1/proof/consistency?from={HUGE}"),
        "/v1/proof/consistency?from=0&to=0".to_owned(),
        "/v1/proof/consistency?from=2".to_owned(),
        "/v1/proof/consistency?to=1".to_owned(),
        format!("/v1/entries/{HUGE}"),
        "/v1/entries/-1".to_owned(),
        "/v1/receipts/+1".to_owned(),
        "/v1/receipts/0x1".to_owned(),
        format!("/v1/parties/{}?at=1", "0".repeat(64)),
        "/v1/registry?x=1".to_owned(),
        "/v1/policy?at=1".to_owned(),
        "/v1/entries/0?at=1".to_owned(),
    ] {
        running.check_problem(&get(&running.server, &path), 400, "bad-query");
    }
    for path in ["/v1/proof/inclusion?index=0&size=1", "/v1/proof/consistency?from=0&to=1", "/v1/entries/0"] {
        assert_eq!(get(&running.server, path).status, 200, "{path}");
    }
    assert_eq!(running.size(), 1, "nothing is logged");
}

#[test]
fn bodies_that_are_not_what_they_should_be() {
    let running = running();
    for address in ["/v1/entries", "/v1/prepare"] {
        for media in [
            "",
            "Content-Type: text/plain\r\n",
            "Content-Type: application/x-www-form-urlencoded\r\n",
            "Content-Type: multipart/form-data; boundary=x\r\n",
            "Content-Type: application/json5\r\n",
            "Content-Type: application/jsonl\r\n",
            "Content-Type: json\r\n",
            "Content-Type: \r\n",
            "Content-Type: \u{ff}\r\n",
        ] {
            let answer = request(&running.server, "POST", address, media, b"{}");
            running.check_problem(&answer, 415, "unsupported-media-type");
        }
    }
    let json = "Content-Type: application/json; charset=utf-8\r\n";
    let prepare = |body: &str| request(&running.server, "POST", "/v1/prepare", json, body.as_bytes());
    let key = "0".repeat(64);
    for body in [
        "",
        "{",
        "null",
        "[]",
        "{}",
        "\u{feff}{}",
        "{\"type\":\"endorse\"}",
        "{\"type\":1,\"key\":2}",
        "{\"type\":\"endorse\",\"key\":\"zz\"}",
        &format!("{{\"type\":\"endorse\",\"key\":\"{key}\"}}"),
        &format!("{{\"type\":\"registry.open\",\"key\":\"{key}\"}}"),
        &format!("{{\"type\":\"party.create\",\"key\":\"{key}\",\"key\":\"{key}\"}}"),
        &format!("{{\"type\":\"party.create\",\"key\":\"{key}\",\"surprise\":1}}"),
        &format!("{{\"type\":{},\"key\":\"{key}\"}}", "[".repeat(5_000)),
    ] {
        running.check_problem(&prepare(body), 400, "bad-request");
    }
    running.check_problem(&prepare(&" ".repeat(16 * 1_024 + 1)), 413, "body-too-large");
    assert_eq!(prepare(&format!("{{\"type\":\"party.create\",\"key\":\"{key}\"}}")).status, 200);
    assert_eq!(running.size(), 1, "nothing is logged");
}
