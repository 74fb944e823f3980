//! The limits at the door: who asks too much is told when to come again, and nobody else is.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use undersigned_registry::event::{Body, Event};
use undersigned_registry::id::{EventHash, RegistryId, StatementId, VersionId};
use undersigned_tlog::hash::sha256;

use crate::binary;
use crate::support::wire::{Answer, answer, connect_from, exchange, post};
use crate::support::{Server, init, key, now, party, publish, sign, thread_event};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));
const NEXT_DOOR: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

struct Registry {
    _folder: tempfile::TempDir,
    server: Server,
    id: RegistryId,
    statement: StatementId,
    version: VersionId,
}

impl Registry {
    /// A registry with a statement, then the same under these limits; what was used up before does not count.
    fn with(limits: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (data, trust): (PathBuf, _) = init(binary(), folder.path());
        let id = trust.registry().unwrap().clone();
        let server = Server::start(binary(), &data);
        let (statement, version) = publish(&server.client(), &id, 1, "pledge");
        for number in [2, 3] {
            server.client().submit(&party(&id, number).0).unwrap();
        }
        server.stop();
        let server = Server::try_start(binary(), &data, limits).unwrap();
        Self { _folder: folder, server, id, statement, version }
    }

    fn send_with(&self, from: IpAddr, headers: &str, body: &[u8]) -> Answer {
        let address = self.server.url.trim_start_matches("http://");
        answer(&exchange(&mut connect_from(from, address), &post("/v1/entries", headers, body)))
    }

    fn send(&self, from: IpAddr, body: &[u8]) -> Answer {
        self.send_with(from, "", body)
    }

    fn endorsement(&self, number: u64, after: Option<EventHash>) -> (Vec<u8>, EventHash) {
        let body = Body::Endorse {
            statement: self.statement,
            version: self.version,
            language: "en".to_owned(),
            not_after: None,
        };
        self.thread(number, after, body)
    }

    fn withdrawal(&self, number: u64, after: EventHash) -> (Vec<u8>, EventHash) {
        self.thread(number, Some(after), Body::Withdraw { statement: self.statement, version: self.version })
    }

    fn thread(&self, number: u64, after: Option<EventHash>, body: Body) -> (Vec<u8>, EventHash) {
        let party = self.server.client().key(&key(number).id()).unwrap().party;
        let (submission, hash) = thread_event(&self.id, number, party, after, body);
        (submission.encode(), hash)
    }

    fn enter(&self, number: u64) -> Vec<u8> {
        party(&self.id, number).0.encode()
    }

    fn size(&self) -> u64 {
        self.server.client().registry().unwrap().tree_size
    }

    /// The answer says when to come again, and not at once.
    fn check_over(&self, answer: &Answer, code: &str) {
        assert_eq!((answer.status, answer.code().as_str()), (429, code), "{answer:?}");
        let seconds: u64 = answer.header("retry-after").expect("when").parse().unwrap();
        assert!((1..=3_600).contains(&seconds), "{seconds}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

#[test]
fn an_address_has_a_limit_and_its_neighbour_its_own() {
    let registry = Registry::with(&["--address-writes-per-minute", "2"]);
    assert_eq!(registry.send(HERE, &registry.enter(10)).status, 201);
    // What is refused counts as well.
    assert_eq!(registry.send(HERE, b"nothing").code(), "json-syntax");
    let before = registry.size();
    registry.check_over(&registry.send(HERE, &registry.enter(11)), "address-limit");
    // Before the body: it need not be one, and 10 GB of it are not read.
    registry.check_over(&registry.send(HERE, b"nothing"), "address-limit");
    let huge = b"POST /v1/entries HTTP/1.1\r\nHost: registry\r\nContent-Length: 10000000000\r\n\r\n";
    let address = registry.server.url.trim_start_matches("http://").to_owned();
    registry.check_over(&answer(&exchange(&mut connect_from(HERE, &address), huge)), "address-limit");
    assert_eq!(registry.size(), before, "reads have no limit, and nothing was logged");
    registry.check_over(
        &answer(&exchange(&mut connect_from(HERE, &address), &post("/v1/prepare", "", b"{}"))),
        "address-limit",
    );
    assert_eq!(registry.send(NEXT_DOOR, &registry.enter(12)).status, 201);
}

#[test]
fn an_organisation_has_a_limit_wherever_it_comes_from() {
    let registry =
        Registry::with(&["--organisation-writes-per-minute", "2", "--address-newcomers-per-hour", "1"]);
    let (endorsed, head) = registry.endorsement(2, None);
    assert_eq!(registry.send(HERE, &endorsed).status, 201);
    // Bad signatures, and a stranger's key in its name, use up nothing of it: they count for the stranger.
    let mut torn = String::from_utf8(endorsed.clone()).unwrap();
    torn = torn.replacen("\"language\":\"en\"", "\"language\":\"fr\"", 1);
    for _ in 0..5 {
        assert_eq!(registry.send(HERE, torn.as_bytes()).code(), "signature-invalid");
    }
    let owner = registry.server.client().key(&key(2).id()).unwrap().party;
    let stranger = |number: u64| {
        let event = Event {
            registry: Some(registry.id.clone()),
            party: Some(owner),
            signers: vec![key(number).id()],
            after: Some(head),
            log_before: Some(now() + 600),
            body: Body::Endorse {
                statement: registry.statement,
                version: registry.version,
                language: "en".to_owned(),
                not_after: None,
            },
        };
        sign(&event, &[&key(number)], Vec::new()).0.encode()
    };
    assert_eq!(registry.send(NEXT_DOOR, &stranger(90)).code(), "unknown-key");
    registry.check_over(&registry.send(NEXT_DOOR, &stranger(91)), "newcomer-limit");
    // Its own signed event, which everybody has, sent again by anybody: answered, and it counts for nothing.
    for _ in 0..5 {
        assert_eq!(registry.send(NEXT_DOOR, &endorsed).status, 200);
        assert_eq!(
            registry.send(NEXT_DOOR, &registry.endorsement(2, Some(head)).0).code(),
            "already-endorsed"
        );
    }
    // Its second entry, from elsewhere; the third is over the limit, from wherever.
    let (withdrawal, withdrawn) = registry.withdrawal(2, head);
    assert_eq!(registry.send(HERE, &withdrawal).status, 201);
    let (again, head) = registry.endorsement(2, Some(withdrawn));
    assert_eq!(registry.send(NEXT_DOOR, &again).status, 201);
    for _ in 0..5 {
        assert_eq!(registry.send(NEXT_DOOR, &endorsed).status, 429, "nothing is told apart beyond the limit");
    }
    let (withdrawal, withdrawn) = registry.withdrawal(2, head);
    assert_eq!(registry.send(HERE, &withdrawal).status, 201, "leaving is free");
    for from in [HERE, NEXT_DOOR] {
        registry.check_over(
            &registry.send(from, &registry.endorsement(2, Some(withdrawn)).0),
            "organisation-limit",
        );
    }
    // Others have their own.
    assert_eq!(registry.send(HERE, &registry.endorsement(3, None).0).status, 201);
}

#[test]
fn newcomers_have_a_limit_for_each_address() {
    let registry = Registry::with(&["--address-newcomers-per-hour", "2"]);
    for number in [10, 11] {
        assert_eq!(registry.send(HERE, &registry.enter(number)).status, 201);
    }
    registry.check_over(&registry.send(HERE, &registry.enter(12)), "newcomer-limit");
    assert_eq!(registry.send(NEXT_DOOR, &registry.enter(13)).status, 201);
    assert_eq!(
        registry.send(HERE, &registry.endorsement(10, None).0).status,
        201,
        "who is in is no newcomer"
    );
}

#[test]
fn a_withdrawal_that_is_one_gets_through_and_no_other() {
    for limit in ["--address-writes-per-minute", "--organisation-writes-per-minute"] {
        let registry = Registry::with(&[limit, "1"]);
        let (endorsed, head) = registry.endorsement(2, None);
        assert_eq!(registry.send(HERE, &endorsed).status, 201);
        assert_eq!(
            registry.send(HERE, &registry.endorsement(2, Some(head)).0).status,
            429,
            "the limit holds"
        );
        let (withdrawal, withdrawn) = registry.withdrawal(2, head);
        // Nobody gets through with a withdrawal that is none: over other bytes, without an endorsement, not
        // the newest of its thread.
        let elsewhere = Body::Withdraw { statement: registry.statement, version: VersionId(head.0) };
        let elsewhere = registry.thread(2, Some(head), elsewhere).0;
        let signed = String::from_utf8(withdrawal.clone()).unwrap();
        let torn = signed.replace(&registry.version.to_string(), &VersionId(head.0).to_string());
        assert_eq!(registry.send(HERE, torn.as_bytes()).code(), "signature-invalid", "{limit}");
        assert_eq!(registry.send(HERE, &elsewhere).status, 429, "{limit}");
        let stale = registry.send(HERE, &registry.withdrawal(2, EventHash(sha256(&[b"another"]))).0);
        assert_eq!((stale.status, stale.code().as_str()), (409, "stale"), "{limit}: the law decides");
        assert_eq!(registry.send(HERE, &withdrawal).status, 201, "{limit}");
        assert_eq!(registry.send(HERE, &withdrawal).status, 429, "{limit}: its repeat is counted");
        // It does not stand any more, so another is under the limit like everything else.
        assert_eq!(registry.send(HERE, &registry.withdrawal(2, withdrawn).0).status, 429, "{limit}");
    }
}

#[test]
fn withdrawals_are_never_counted_and_looks_at_others_have_a_limit() {
    let limits = ["--address-writes-per-minute", "2", "--address-withdrawal-looks-per-minute", "1"];
    let registry = Registry::with(&limits);
    let mut head = None;
    for _ in 0..2 {
        let (endorsed, endorsement) = registry.endorsement(2, head);
        assert_eq!(registry.send(HERE, &endorsed).status, 201);
        let (withdrawal, withdrawn) = registry.withdrawal(2, endorsement);
        assert_eq!(registry.send(HERE, &withdrawal).status, 201, "within the limit, and not counted");
        head = Some(withdrawn);
    }
    // The limit is used up. A withdrawal that stands goes on, and gives its look back.
    for (number, head) in [(2, head), (3, None)] {
        let (endorsed, endorsement) = registry.endorsement(number, head);
        assert_eq!(registry.send(HERE, &endorsed).status, 429);
        assert_eq!(registry.send(NEXT_DOOR, &endorsed).status, 201);
        // That look went to an endorsement; next door nothing is used up.
        registry
            .check_over(&registry.send(HERE, &registry.withdrawal(number, endorsement).0), "address-limit");
        assert_eq!(registry.send(NEXT_DOOR, &registry.withdrawal(number, endorsement).0).status, 201);
    }
}

#[test]
fn a_proxy_is_believed_if_it_is_trusted_and_nobody_else() {
    let limits = ["--address-writes-per-minute", "1", "--trusted-proxies", "127.0.0.1"];
    let registry = Registry::with(&limits);
    let through = |from, header: &str| registry.send_with(from, header, b"nothing").status;
    // Two clients behind the proxy have a limit each; what a client invents stands further left.
    assert_eq!(through(HERE, "X-Forwarded-For: 192.0.2.1\r\n"), 400);
    assert_eq!(through(HERE, "X-Forwarded-For: 198.51.100.9, 192.0.2.1\r\n"), 429);
    assert_eq!(through(HERE, "X-Forwarded-For: 192.0.2.2\r\n"), 400);
    // One /64 is one address.
    assert_eq!(through(HERE, "X-Forwarded-For: 2001:db8::1\r\n"), 400);
    assert_eq!(through(HERE, "X-Forwarded-For: 2001:db8::2\r\n"), 429);
    assert_eq!(through(HERE, "X-Forwarded-For: 2001:db8:0:1::1\r\n"), 400);
    // What cannot be read is the proxy itself, and so is the other header.
    assert_eq!(through(HERE, "X-Forwarded-For: nobody\r\n"), 400);
    assert_eq!(through(HERE, "Forwarded: for=192.0.2.77\r\n"), 429);
    // Who is no proxy is not believed.
    assert_eq!(through(NEXT_DOOR, "X-Forwarded-For: 192.0.2.3\r\n"), 400);
    assert_eq!(through(NEXT_DOOR, "X-Forwarded-For: 192.0.2.4\r\n"), 429);
    let registry = Registry::with(&[&limits[..], &["--proxy-header", "forwarded"]].concat());
    let through = |from, header: &str| registry.send_with(from, header, b"nothing").status;
    assert_eq!(through(HERE, "Forwarded: for=\"[2001:db8::1]:4711\";proto=https\r\n"), 400);
    assert_eq!(through(HERE, "Forwarded: for=\"[2001:db8::2]:4711\";proto=https\r\n"), 429);
}

#[test]
fn sixty_four_organisations_behind_one_address_enter_and_sign() {
    // The limits as they are unless set: an office, a workshop, a university.
    let registry = Registry::with(&[]);
    for number in 100..164 {
        assert_eq!(registry.send(HERE, &registry.enter(number)).status, 201, "{number}");
    }
    for number in 100..164 {
        assert_eq!(registry.send(HERE, &registry.endorsement(number, None).0).status, 201, "{number}");
    }
}
