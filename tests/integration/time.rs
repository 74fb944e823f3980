//! What ends by itself: the log moves by its clock alone, and everything that reads it says so.

use std::sync::Arc;

use undersigned::admission;
use undersigned::clock::GivenClock;
use undersigned::node::{Handle, Node, Place};
use undersigned_client::Page;
use undersigned_registry::envelope::Submission;
use undersigned_registry::event::{BlobRef, Body, StatementKind, Text, TextStatus};
use undersigned_registry::id::{EventHash, PartyId, StatementId, VersionId};
use undersigned_registry::ledger::Ledger;
use undersigned_registry::record::{Record, StateKey, Status};
use undersigned_registry::rules::{Facts as _, TICK_LAPSES_MAX};
use undersigned_tlog::tree::TreeSize;

use crate::binary;
use crate::http::request;
use crate::support::{Server, init, now, party, thread_event};
use crate::terminal::Terminal;

/// How many entries the log has published, asked of nobody but the file that anyone may read: a question to
/// the state would wake the log.
fn size(terminal: &Terminal) -> u64 {
    let checkpoint = String::from_utf8(terminal.server.client().checkpoint().unwrap()).unwrap();
    checkpoint.lines().nth(1).unwrap().parse().unwrap()
}

/// In so many seconds, as somebody would write it.
fn date_in(seconds: u64) -> String {
    let time = std::time::SystemTime::now() + std::time::Duration::from_secs(seconds);
    humantime::format_rfc3339_seconds(time).to_string()
}

/// A pledge that somebody has signed until a second that has passed, and the entries: the endorsement, the tick.
fn lapsed() -> (Terminal, u64, u64, String) {
    let terminal = Terminal::with_pledge();
    let before = size(&terminal);
    let last = date_in(2);
    let said = terminal.succeeds(&format!("endorse pledge --key org --not-after {last} --out e.tlog-proof"));
    assert!(said.contains(&format!(", until {last}")), "{said}");
    while size(&terminal) < before + 2 {
        std::thread::yield_now();
    }
    (terminal, before, before + 1, last)
}

/// LA-30 to LA-33 from outside: nobody asks and nobody submits, and still the endorsement ends.
#[test]
fn an_idle_log_ends_what_is_over_and_says_so_everywhere() {
    let (terminal, endorse, tick, last) = lapsed();
    let client = terminal.server.client();
    let count = client.statement("pledge").unwrap().version.unwrap().count;
    assert_eq!((count.active, count.withdrawn, count.lapsed), (0, 0, 1));
    let listed = client.signatories("pledge", &Page::default()).unwrap().signatories;
    let [one] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!((one.status.as_str(), one.entry, one.endorsed), ("lapsed", endorse, Some(endorse)));
    // As it was, and as it is.
    let at = |size: u64| {
        let path = format!("/v1/statements/pledge/signatories?at={size}");
        let list = request(&terminal.server, "GET", &path, "", b"").json();
        list["signatories"][0]["status"].as_str().unwrap().to_owned()
    };
    assert_eq!((at(endorse + 1), at(tick + 1)), ("active".to_owned(), "lapsed".to_owned()));
    let page = request(&terminal.server, "GET", &format!("/entries/{endorse}"), "Accept: text/html\r\n", b"");
    assert!(page.text().contains("ended by itself"), "{}", page.text());
    let page = request(&terminal.server, "GET", &format!("/entries/{tick}"), "Accept: text/html\r\n", b"");
    assert!(page.text().contains("Nobody: the registry makes this entry"), "{}", page.text());
    let page = request(&terminal.server, "GET", "/statements/pledge", "Accept: text/html\r\n", b"");
    assert!(page.text().contains("1 ended by time"), "{}", page.text());

    let table = terminal.succeeds("list signatories pledge");
    assert!(table.contains(&format!("lapsed  {last}")), "since its last second: {table}");
    let party = listed[0].party;
    terminal.succeeds(&format!(
        "prove status pledge --party {party} --policy registry.policy --out s.tlog-proof"
    ));
    let said = terminal.succeeds("verify s.tlog-proof --policy registry.policy");
    assert!(said.contains("has ended by itself, after 20"), "{said}");
    assert!(said.contains("and 0 have withdrawn, 1 ended by time"), "{said}");
    let said = terminal.succeeds("prove count pledge --policy registry.policy --out c.tlog-proof");
    assert!(said.contains("no organisation endorses"), "{said}");
    terminal.succeeds(&format!("receipt {tick} --policy registry.policy --out t.tlog-proof"));
    let said = terminal.succeeds("verify t.tlog-proof --policy registry.policy");
    assert!(said.contains("wrote down that"), "{said}");
    let audited = terminal.json(&format!("audit {} --policy registry.policy", terminal.server.url));
    assert_eq!(
        (&audited["versions"][0]["lapsed"], &audited["versions"][0]["active"]),
        (&1.into(), &0.into())
    );

    // The thread goes on from the endorsement: the party signs anew, and leaves.
    terminal.succeeds("endorse pledge --key org --out again.tlog-proof");
    assert_eq!(client.statement("pledge").unwrap().version.unwrap().count.active, 1);
    terminal.succeeds("withdraw pledge --key org --out w.tlog-proof");
    let listed = client.signatories("pledge", &Page::default()).unwrap().signatories;
    assert_eq!(listed[0].status, "withdrawn");
}

/// What fell due while nobody served is ended before the first answer, and an index built anew lists the same.
#[test]
fn what_fell_due_while_nothing_ran_ends_at_the_next_start() {
    let terminal = Terminal::with_pledge();
    let last = date_in(1);
    terminal.succeeds(&format!("endorse pledge --key org --not-after {last} --out e.tlog-proof"));
    let size = size(&terminal);
    let Terminal { folder, server } = terminal;
    server.kill();
    while date_in(0) <= last {
        std::thread::yield_now();
    }
    let data = folder.path().join("registry");
    let server = Server::start(binary(), &data);
    let terminal = Terminal { folder, server };
    terminal.succeeds("key new other");
    terminal.succeeds("party create --name Other --key other --out other.tlog-proof");
    let receipt = terminal.json("verify other.tlog-proof --policy registry.policy");
    assert_eq!(receipt["receipts"][0]["index"], size + 1, "the tick came first");
    let list = || {
        let client = terminal.server.client();
        let list = client.signatories("pledge", &Page::default()).unwrap();
        list.signatories.iter().map(|one| (one.status.clone(), one.entry)).collect::<Vec<_>>()
    };
    assert_eq!(list(), [("lapsed".to_owned(), size - 1)]);
}

/// What ends lies ahead, and is written as a day or a second.
#[test]
fn an_end_that_is_none_is_refused_with_what_to_write() {
    let terminal = Terminal::with_pledge();
    let said = terminal.run("endorse pledge --key org --not-after 2020-01-01");
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.error.contains("not_after must lie after the registry's clock"), "{said:?}");
    for wrong in ["tomorrow", "2030", "31.12.2030", "2030-13-01", "1893456000"] {
        let said = terminal.run(&format!("endorse pledge --key org --not-after {wrong}"));
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.error.contains("write a day as 2030-12-31"), "{said:?}");
    }
    let said = terminal.succeeds("endorse pledge --key org --not-after 2100-12-31 --out e.tlog-proof");
    assert!(said.contains("until 2100-12-31T23:59:59Z"), "{said}");
}

/// One endorsement up to the end of the year 9999 is due in the year 10000, which no date can be written for:
/// `verify` ended with a panic at every state proof of that registry.
#[test]
fn an_end_past_all_dates_breaks_no_proof() {
    let terminal = Terminal::with_pledge();
    let said = terminal.succeeds("endorse pledge --key org --not-after 9999-12-31 --out e.tlog-proof");
    assert!(said.contains("until 9999-12-31T23:59:59Z"), "{said}");
    terminal.succeeds("prove count pledge --out count.tlog-proof");
    let said = terminal.succeeds("verify e.tlog-proof count.tlog-proof --policy registry.policy");
    assert!(said.contains("anything from 253402300800 on: then time alone may change"), "{said}");
    let json = terminal.json("verify count.tlog-proof --policy registry.policy");
    assert_eq!(json["state_proofs"][0]["next_due"], "253402300800");
    for line in ["list signatories pledge", "show entry 4", "audit registry --policy registry.policy"] {
        terminal.succeeds(line);
    }
}

/// Submits in one go and waits for all.
fn submit(handle: &Handle, submissions: Vec<Submission>) {
    let waiting: Vec<_> = submissions
        .into_iter()
        .map(|submission| {
            let bytes = submission.encode();
            handle.intake.submit(admission::check(&bytes).unwrap(), bytes.len()).unwrap()
        })
        .collect();
    for answer in waiting {
        answer.blocking_recv().unwrap().unwrap_or_else(|_| panic!("admitted"));
    }
}

/// LA-33 in the index, which has no state: at every size it lists what the law made, also between two ticks of
/// one second, and whatever was withdrawn or endorsed anew meanwhile.
#[test]
fn the_index_ends_what_the_law_ends() {
    const MEMBERS: u64 = TICK_LAPSES_MAX as u64 + 120;
    let folder = tempfile::tempdir().unwrap();
    let (data, trust) = init(binary(), folder.path());
    let registry = trust.registry().unwrap().clone();
    let begin = now();
    let clock = Arc::new(GivenClock::at(begin));
    let node = Node::open(&Place { data, guard: None }, clock.clone()).unwrap();
    let handle = node.handle();

    let (sponsor_event, sponsor) = party(&registry, 9_999);
    submit(&handle, vec![sponsor_event]);
    let publish = Body::StatementPublish { kind: StatementKind::Pledge, slug: "pledge".to_owned() };
    let (publish, published) = thread_event(&registry, 9_999, sponsor, None, publish);
    submit(&handle, vec![publish]);
    let statement = StatementId(published.0);
    let text = b"We sign what we mean.".to_vec();
    let texts = vec![Text {
        language: "en".to_owned(),
        status: TextStatus::Authentic,
        title: BlobRef::of(&text),
        text: BlobRef::of(&text),
    }];
    let body = Body::StatementVersion { statement, texts };
    let (version, version_hash) = thread_event_with(&registry, sponsor, published, body, vec![text]);
    submit(&handle, vec![version]);
    let version = VersionId(version_hash.0);
    let endorse = |number: u64, party: PartyId, after: Option<EventHash>, not_after: Option<u64>| {
        let body = Body::Endorse { statement, version, language: "en".to_owned(), not_after };
        thread_event(&registry, number, party, after, body)
    };
    let members: Vec<(Submission, PartyId)> = (0..MEMBERS).map(|number| party(&registry, number)).collect();
    let ids: Vec<PartyId> = members.iter().map(|(_, id)| *id).collect();
    submit(&handle, members.into_iter().map(|(submission, _)| submission).collect());
    let signed: Vec<(Submission, EventHash)> = (0..MEMBERS)
        .zip(&ids)
        .map(|(number, party)| endorse(number, *party, None, Some(begin + 100 + number % 5)))
        .collect();
    let heads: Vec<EventHash> = signed.iter().map(|(_, hash)| *hash).collect();
    submit(&handle, signed.into_iter().map(|(submission, _)| submission).collect());
    // Some leave, and of these some come back, for ever or for longer.
    let mut left = Vec::new();
    let mut back = Vec::new();
    for number in (0..MEMBERS).filter(|number| number % 7 == 0) {
        let at = usize::try_from(number).unwrap();
        let body = Body::Withdraw { statement, version };
        let (submission, hash) = thread_event(&registry, number, ids[at], Some(heads[at]), body);
        left.push(submission);
        let end = [None, Some(begin + 102), Some(begin + 900)][at / 7 % 3];
        if number % 2 == 0 {
            back.push(endorse(number, ids[at], Some(hash), end).0);
        }
    }
    submit(&handle, left);
    submit(&handle, back);
    clock.set(begin + 200);
    submit(&handle, vec![party(&registry, 10_000).0]);

    let size = TreeSize::new(handle.published.borrow().head.size.get());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(handle.index.wait_for(size)).unwrap();
    let version_entry = handle.index.entry_of(EventHash(version.0)).unwrap().unwrap();
    let mut ledger = Ledger::new();
    let mut entries: Vec<EventHash> = Vec::new();
    let mut ticks = 0;
    let mut seen = std::collections::BTreeSet::new();
    for index in 0..size.get() {
        let bytes = handle.reader.entry(index, size).unwrap().unwrap();
        ledger.follow_entry(&bytes).unwrap();
        let entry = undersigned_registry::entry::Entry::parse(&bytes).unwrap();
        entries.push(undersigned_registry::event::event_hash(entry.envelope.event_bytes()));
        let is_tick = matches!(entry.envelope.event().body, Body::RegistryTick { .. });
        ticks += u64::from(is_tick);
        if !is_tick && index % 97 != 0 && index + 2 < size.get() {
            continue;
        }
        let listed = handle.index.signatories(version_entry, TreeSize::new(index + 1), None, 10_000).unwrap();
        for one in &listed {
            let party = PartyId(entries[usize::try_from(one.party_entry).unwrap()].0);
            let Some(Record::Endorsement(record)) =
                ledger.state().record(&StateKey::endorsement(&version, &party))
            else {
                panic!("listed without a record");
            };
            assert_eq!((one.status, one.entry), (record.status, record.entry), "entry {index}");
            seen.insert(format!("{ticks} {:?}", one.status));
        }
        let records = ledger.state().records(&StateKey::endorsements_of(&version)).count();
        assert_eq!(listed.len(), records, "entry {index}");
    }
    assert_eq!(ticks, 2);
    for kind in [Status::Active, Status::Lapsed, Status::Withdrawn] {
        assert!(seen.contains(&format!("1 {kind:?}")) && seen.contains(&format!("2 {kind:?}")), "{seen:?}");
    }
    drop(handle);
    node.stop().unwrap();
}

fn thread_event_with(
    registry: &undersigned_registry::id::RegistryId,
    sponsor: PartyId,
    after: EventHash,
    body: Body,
    blobs: Vec<Vec<u8>>,
) -> (Submission, EventHash) {
    let signed = undersigned_registry::event::Event {
        registry: Some(registry.clone()),
        party: Some(sponsor),
        signers: vec![crate::support::key(9_999).id()],
        after: Some(after),
        log_before: Some(now() + 3_600),
        body,
    };
    crate::support::sign(&signed, &[&crate::support::key(9_999)], blobs)
}
