//! The list of signatories from outside: its forms, its pages, and what it was at an earlier tree size.

use std::collections::BTreeMap;

use serde_json::Value;
use undersigned_client::Client;
use undersigned_registry::event::Body;
use undersigned_registry::id::{EventHash, PartyId, RegistryId, StatementId, VersionId};

use crate::http::{Answer, Running, request, running, running_with};
use crate::support::{WITHOUT_RATES, party, party_named, publish, thread_event};

const LIST: &str = "/v1/statements/pledge/signatories";

fn get_as(running: &Running, path: &str, accept: &str) -> Answer {
    request(&running.server, "GET", path, &format!("Accept: {accept}\r\n"), b"")
}

/// A statement, and a way to sign it.
struct Pledge {
    client: Client,
    registry: RegistryId,
    statement: StatementId,
    version: VersionId,
}

impl Pledge {
    fn published(running: &Running) -> Self {
        let client = running.server.client();
        let registry = running.registry.clone();
        let (statement, version) = publish(&client, &registry, 1_000_000, "pledge");
        Self { client, registry, statement, version }
    }

    fn move_thread(
        &self,
        number: u64,
        party: PartyId,
        after: Option<EventHash>,
        endorses: bool,
    ) -> EventHash {
        let (statement, version) = (self.statement, self.version);
        let body = if endorses {
            Body::Endorse { statement, version, language: "en".to_owned(), not_after: None }
        } else {
            Body::Withdraw { statement, version }
        };
        let (submission, hash) = thread_event(&self.registry, number, party, after, body);
        assert!(self.client.submit(&submission).unwrap().is_new);
        hash
    }

    fn signed_by(&self, number: u64) -> (PartyId, EventHash) {
        let (submission, id) = party(&self.registry, number);
        self.client.submit(&submission).unwrap();
        (id, self.move_thread(number, id, None, true))
    }
}

/// The rows of a CSV answer as maps, read by the grammar of RFC 4180.
fn csv_rows(body: &[u8]) -> Vec<BTreeMap<String, String>> {
    csv::ReaderBuilder::new().from_reader(body).deserialize().map(Result::unwrap).collect()
}

fn json_lines(answer: &Answer) -> Vec<Value> {
    assert!(answer.body.ends_with(b"\n"), "the last line is whole");
    answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The body of an answer that came in chunks.
pub(crate) fn unchunked(answer: &Answer) -> Answer {
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    let (mut rest, mut body, mut parts) = (answer.body.as_slice(), Vec::new(), 0);
    loop {
        let line = rest.windows(2).position(|window| window == b"\r\n").expect("the length of a chunk");
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        rest = &rest[line + 2..];
        if length == 0 {
            assert!(parts > 0 && rest == b"\r\n", "the answer came to its end");
            return Answer { status: answer.status, headers: answer.headers.clone(), body };
        }
        body.extend_from_slice(&rest[..length]);
        rest = &rest[length + 2..];
        parts += 1;
    }
}

#[test]
fn the_forms_of_a_list_say_the_same() {
    let running = running();
    let pledge = Pledge::published(&running);
    let formula = "=HYPERLINK(\"https://evil.example\";\"click\")";
    let (submission, first) = party_named(&running.registry, 1, formula);
    pledge.client.submit(&submission).unwrap();
    pledge.move_thread(1, first, None, true);
    let (second, endorsed) = pledge.signed_by(2);
    pledge.move_thread(2, second, Some(endorsed), false);
    pledge.signed_by(3);

    let json = get_as(&running, LIST, "application/json");
    assert_eq!(
        (json.header("content-type"), json.header("vary")),
        (Some("application/json"), Some("accept"))
    );
    let list = json.json();
    let listed = list["signatories"].as_array().unwrap();
    assert_eq!(listed.len(), 3);
    let size = list["tree_size"].to_string();

    let lines = get_as(&running, LIST, "application/jsonl");
    assert_eq!(lines.header("content-type"), Some("application/jsonl; charset=utf-8"));
    assert_eq!(&json_lines(&lines), listed, "a line is an item of the JSON list");

    let table = get_as(&running, LIST, "text/csv");
    assert!(table.header("etag").is_some(), "a short list has a validator");
    assert_eq!(table.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
    let name = format!("attachment; filename=\"pledge-at-{size}.csv\"");
    assert_eq!(table.header("content-disposition"), Some(name.as_str()));
    assert_eq!(table.header("undersigned-tree-size"), Some(size.as_str()));
    assert_eq!(table.header("link"), None, "the list is whole");
    let head = "\"party\",\"name\",\"language\",\"domain\",\"level\",\"status\",\"received\",\"received_utc\",\"entry\",\"endorsed\",\"not_after\"\r\n";
    assert!(table.text().starts_with(head), "{}", table.text());
    let rows = csv_rows(&table.body);
    assert_eq!(rows.len(), listed.len());
    for (row, item) in rows.iter().zip(listed) {
        for column in ["party", "domain", "status"] {
            assert_eq!(row[column], item[column].as_str().unwrap(), "{column}");
        }
        for column in ["level", "received", "entry", "endorsed"] {
            assert_eq!(row[column], item[column].to_string(), "{column}");
        }
    }
    assert_eq!(rows[0]["name"], "'=HYPERLINK(\"https://evil.example\";\"click\")", "no formula in a table");
    assert_eq!(listed[0]["names"][0]["text"], formula, "JSON carries the name as it is");
    assert_eq!((rows[1]["status"].as_str(), rows[2]["name"].as_str()), ("withdrawn", "Organisation 3"));
    assert_eq!(rows[2]["received_utc"].len(), "2026-01-01T00:00:00Z".len());
}

#[test]
fn a_whole_list_and_its_pages_fit_together_while_the_log_grows() {
    // More than are read at a time (256), so that a whole list takes two turns.
    const SIGNED: u64 = 260;
    let running = running_with(WITHOUT_RATES);
    let pledge = Pledge::published(&running);
    std::thread::scope(|scope| {
        for part in 0..8 {
            let pledge = &pledge;
            scope.spawn(move || {
                (0..SIGNED).filter(|number| number % 8 == part).for_each(|number| {
                    pledge.signed_by(number);
                });
            });
        }
    });
    let whole = unchunked(&get_as(&running, LIST, "text/csv"));
    let rows = csv_rows(&whole.body);
    assert_eq!((rows.len(), whole.header("etag")), (260, None));
    let size = whole.header("undersigned-tree-size").unwrap().to_owned();
    // By pages, each found by the link of the one before, with submissions in between.
    let mut path = format!("{LIST}?limit=100");
    let mut paged = Vec::new();
    for page in 0.. {
        let answer = get_as(&running, &path, "text/csv");
        assert_eq!(answer.header("undersigned-tree-size"), Some(size.as_str()), "all pages are of one tree");
        paged.extend(csv_rows(&answer.body));
        pledge.signed_by(10_000 + page);
        let Some(link) = answer.header("link") else { break };
        path = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned();
    }
    assert_eq!(paged, rows);
    // The rest of a list from a cursor on, as lines.
    let first = get_as(&running, &format!("{LIST}?limit=200&at={size}"), "application/jsonl");
    let cursor = first.header("link").unwrap().split(['=', '&']).nth(1).unwrap();
    let rest = get_as(&running, &format!("{LIST}?cursor={cursor}"), "application/jsonl");
    let parties: Vec<String> = json_lines(&first)
        .iter()
        .chain(&json_lines(&rest))
        .map(|line| line["party"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(parties, rows.iter().map(|row| row["party"].clone()).collect::<Vec<_>>());
}

#[test]
fn a_list_as_of_a_size_is_what_it_was_then() {
    let running = running();
    let pledge = Pledge::published(&running);
    let mut then: BTreeMap<u64, Value> = BTreeMap::new();
    let mut remember = || {
        let list = get_as(&running, LIST, "application/json").json();
        then.insert(list["tree_size"].as_u64().unwrap(), list);
    };
    remember();
    let mut heads = Vec::new();
    for number in 0..3 {
        let (submission, id) = party(&running.registry, number);
        pledge.client.submit(&submission).unwrap();
        remember();
        heads.push((number, id, pledge.move_thread(number, id, None, true)));
        remember();
    }
    // Everybody leaves, one comes back, and leaves again.
    for (number, id, head) in &mut heads {
        *head = pledge.move_thread(*number, *id, Some(*head), false);
        remember();
    }
    let (number, id, mut head) = heads[1];
    for endorses in [true, false, true] {
        head = pledge.move_thread(number, id, Some(head), endorses);
        remember();
    }
    assert_eq!(then.len(), 13);
    for (size, list) in &then {
        let now = get_as(&running, &format!("{LIST}?at={size}"), "application/json").json();
        assert_eq!(&now, list, "as of {size}");
    }
    let by_status = |size: &u64, status: &str| {
        let listed = then[size]["signatories"].as_array().unwrap();
        listed.iter().filter(|item| item["status"] == status).count()
    };
    let newest = then.keys().next_back().unwrap();
    assert_eq!((by_status(newest, "active"), by_status(newest, "withdrawn")), (1, 2));
    assert_eq!((by_status(&(newest - 6), "active"), by_status(&(newest - 6), "withdrawn")), (3, 0));
}

#[test]
fn the_type_of_a_problem_leads_to_a_page_for_people_and_programs() {
    let running = running();
    let problem = get_as(&running, "/v1/entries/99", "*/*").json();
    let place = problem["type"].as_str().unwrap();
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for path in [place, "/v1/problems"] {
        let page = get_as(&running, path, browser);
        assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
        assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
        assert!(page.text().contains("<code>not-found</code> (404)"), "{}", page.text());
        let text = get_as(&running, path, "text/plain");
        assert_eq!(text.header("content-type"), Some("text/plain; charset=utf-8"));
        assert!(
            text.text().contains("not-found (404)\n  there is nothing at this address\n"),
            "{}",
            text.text()
        );
    }
    let all = get_as(&running, "/v1/problems", "application/json").json();
    let codes: Vec<&str> =
        all.as_array().unwrap().iter().map(|code| code["code"].as_str().unwrap()).collect();
    assert!(codes.is_sorted() && codes.len() > 60, "{codes:?}");
    running.check_problem(&get_as(&running, "/v1/problems/none", "*/*"), 404, "not-found");
}
