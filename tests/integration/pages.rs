//! The pages from outside: what a browser gets, what it is told to refuse, and what strangers cannot do.

use std::collections::BTreeSet;

use undersigned_client::Client;
use undersigned_registry::event::Body;
use undersigned_registry::id::{EventHash, PartyId, StatementId, VersionId};

use crate::http::{Answer, Running, get, request, running};
use crate::support::{party_named, publish, thread_event};

/// What browsers send when somebody follows a link.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
const SPONSOR: u64 = 1_000_000;

fn browse(running: &Running, path: &str) -> Answer {
    request(&running.server, "GET", path, &format!("Accept: {BROWSER}\r\n"), b"")
}

/// A registry with a statement.
struct Scene {
    running: Running,
    client: Client,
    statement: StatementId,
    version: VersionId,
}

impl Scene {
    fn set() -> Self {
        let running = running();
        let client = running.server.client();
        let (statement, version) = publish(&client, &running.registry, SPONSOR, "pledge");
        Self { client, statement, version, running }
    }

    fn enter(&self, number: u64, name: &str) -> PartyId {
        let (submission, party) = party_named(&self.running.registry, number, name);
        self.client.submit(&submission).unwrap();
        party
    }

    fn move_thread(
        &self,
        number: u64,
        party: PartyId,
        after: Option<EventHash>,
        body: Body,
    ) -> (u64, EventHash) {
        let (submission, hash) = thread_event(&self.running.registry, number, party, after, body);
        (self.client.submit(&submission).unwrap().index, hash)
    }

    fn endorse(&self, number: u64, party: PartyId) -> (u64, EventHash) {
        self.endorse_after(number, party, None)
    }

    fn endorse_after(&self, number: u64, party: PartyId, after: Option<EventHash>) -> (u64, EventHash) {
        let (statement, version) = (self.statement, self.version);
        self.move_thread(
            number,
            party,
            after,
            Body::Endorse { statement, version, language: "en".to_owned(), not_after: None },
        )
    }

    fn withdraw(&self, number: u64, party: PartyId, after: EventHash) -> u64 {
        self.leave(number, party, after).0
    }

    fn leave(&self, number: u64, party: PartyId, after: EventHash) -> (u64, EventHash) {
        let (statement, version) = (self.statement, self.version);
        self.move_thread(number, party, Some(after), Body::Withdraw { statement, version })
    }

    fn page(&self, path: &str) -> String {
        let answer = browse(&self.running, path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
        check_guards(&answer, path);
        answer.text()
    }
}

/// No page can run, load or frame anything, whatever stands in it.
fn check_guards(answer: &Answer, path: &str) {
    let policy = answer.header("content-security-policy").unwrap_or_else(|| panic!("{path} has no policy"));
    for part in [
        "default-src 'none'",
        "style-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{path}: {policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains("script-src"), "{path}: {policy}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
    assert_eq!(answer.header("referrer-policy"), Some("same-origin"), "{path}");
    assert_eq!(answer.header("cross-origin-opener-policy"), Some("same-origin"), "{path}");
    let html = answer.text();
    for forbidden in
        ["<script", " style=", "<style", "<iframe", "<img", "src=\"http", " onclick", "javascript:"]
    {
        assert!(!html.contains(forbidden), "{path} has {forbidden}");
    }
    assert_eq!(html.matches("<h1").count(), 1, "{path} has one heading of its own");
    assert!(html.contains("<html lang=\"en\">") && html.contains("<main id=\"main\""), "{path}");
}

/// The addresses of this registry that a page leads to.
fn links(html: &str) -> Vec<String> {
    let targets = html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    targets
        .map(|target| target.replace("&#38;", "&").replace("&amp;", "&"))
        .inspect(|target| assert!(target.starts_with(['/', '#']), "{target} leads elsewhere"))
        .filter(|target| target.starts_with('/'))
        .map(|target| target.split('#').next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn every_link_of_every_page_leads_somewhere() {
    let scene = Scene::set();
    let first = scene.enter(1, "Lighthouse Commons");
    scene.endorse(1, first);
    let second = scene.enter(2, "Collectif des Marées");
    let (_, endorsed) = scene.endorse(2, second);
    scene.withdraw(2, second, endorsed);
    let mut seen = BTreeSet::new();
    let mut waiting = vec!["/".to_owned(), "/nowhere".to_owned()];
    while let Some(path) = waiting.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        assert!(seen.len() < 500, "so small a registry has no end");
        let answer = browse(&scene.running, &path);
        let wanted = if path == "/nowhere" { 404 } else { 200 };
        assert_eq!(answer.status, wanted, "{path}: {}", answer.text());
        // What the interface for programs says in HTML has guards of its own.
        let is_page = answer.header("content-type") == Some("text/html; charset=utf-8");
        if is_page && !path.starts_with("/v1/") {
            check_guards(&answer, &path);
            waiting.extend(links(&answer.text()));
        }
    }
    for needed in ["/check", "/registry", "/statements/pledge", "/v1/policy", "/parties/org-2.example"] {
        assert!(seen.contains(needed), "nothing leads to {needed}: {seen:?}");
    }
}

#[test]
fn names_of_strangers_are_text() {
    let scene = Scene::set();
    let hostile = scene.enter(1, "<script>alert(1)</script>");
    let quoted = scene.enter(2, "A\" onmouseover=\"alert(1)' &amp;");
    let arabic = scene.enter(3, "جمعية الجسر");
    let (index, _) = scene.endorse(1, hostile);
    scene.endorse(2, quoted);
    scene.endorse(3, arabic);
    let escaped = "<bdi lang=\"en\">&#60;script&#62;alert(1)&#60;/script&#62;</bdi>";
    for path in [
        "/statements/pledge".to_owned(),
        format!("/entries/{index}"),
        format!("/parties/{hostile}"),
        "/parties/org-1.example".to_owned(),
    ] {
        let page = scene.page(&path);
        assert!(page.contains(escaped), "{path}: {page}");
    }
    let page = scene.page("/statements/pledge");
    assert!(page.contains("A&#34; onmouseover=&#34;alert(1)&#39; &#38;amp;</bdi>"), "{page}");
    assert!(page.contains("<bdi lang=\"en\">جمعية الجسر</bdi>"), "{page}");
    // The domain and what was checked of it stand beside each name.
    for number in 1..=3 {
        let beside = format!("<bdi class=\"domain\">org-{number}.example</bdi>, level 0: claimed</span>");
        assert!(page.contains(&beside), "{page}");
    }
}

#[test]
fn who_signs_and_who_left_stand_apart() {
    let scene = Scene::set();
    let stays = scene.enter(1, "Stays");
    scene.endorse(1, stays);
    let leaves = scene.enter(2, "Leaves");
    let (signed, hash) = scene.endorse(2, leaves);
    let before = scene.running.size();
    let left = scene.withdraw(2, leaves, hash);
    let page = scene.page("/statements/pledge");
    let (signs, rest) = page.split_once("id=\"left\"").expect("a part for those who left");
    assert!(
        signs
            .contains("<strong>1</strong> organisation signs this version, and <a href=\"#left\">1 left</a>")
    );
    assert!(signs.contains(">Stays<") && !signs.contains(">Leaves<"), "{signs}");
    assert!(rest.contains(">Leaves<") && !rest.contains(">Stays<"), "{rest}");
    assert!(scene.page("/statements/pledge?show=left").contains(">Leaves<"));
    assert!(scene.page("/").contains("<strong>1</strong> organisation signs, 1 left"));
    assert!(
        scene
            .page(&format!("/entries/{signed}"))
            .contains(&format!("withdrawn later, in <a href=\"/entries/{left}\">"))
    );
    assert!(scene.page(&format!("/entries/{left}")).contains("With this entry the party left."));
    // Who signs and leaves a second time: neither the first signature nor the first withdrawal is the last.
    let twice = scene.enter(3, "Twice");
    let (first, hash) = scene.endorse(3, twice);
    let (first_left, hash) = scene.leave(3, twice, hash);
    let (again, hash) = scene.endorse_after(3, twice, Some(hash));
    for entry in [first, first_left] {
        let page = scene.page(&format!("/entries/{entry}"));
        assert!(
            page.contains(&format!("This party signs today, by <a href=\"/entries/{again}\">")),
            "{page}"
        );
    }
    let (second_left, _) = scene.leave(3, twice, hash);
    for entry in [first, first_left] {
        let page = scene.page(&format!("/entries/{entry}"));
        let told = format!("does not sign today: it left by <a href=\"/entries/{second_left}\">");
        assert!(page.contains(&told) && !page.contains("withdrawn later"), "{page}");
    }
    let page = scene.page(&format!("/entries/{again}"));
    assert!(page.contains(&format!("withdrawn later, in <a href=\"/entries/{second_left}\">")), "{page}");
    // To take away: both, with what each did, in the form that the address says.
    let list = |ending| browse(&scene.running, &format!("/statements/pledge/signatories.{ending}"));
    for (ending, media) in [("csv", "text/csv"), ("jsonl", "application/jsonl")] {
        let answer = list(ending);
        assert_eq!(answer.status, 200, "{ending}: {}", answer.text());
        assert!(answer.header("content-type").unwrap().starts_with(media), "{ending}");
        assert!(answer.text().contains("Stays") && answer.text().contains("Leaves"), "{}", answer.text());
    }
    assert_eq!(browse(&scene.running, "/statements/absent/signatories.csv").status, 404);
    // As it was before.
    let then = scene.page(&format!("/statements/pledge?at={before}"));
    assert!(then.contains("<strong>2</strong> organisations sign this version."), "{then}");
    assert!(then.contains("an older tree") && then.contains("Nobody has left."), "{then}");
}

#[test]
fn a_long_register_has_pages_that_fit_together() {
    let scene = Scene::set();
    for number in 1..=53 {
        let party = scene.enter(number, &format!("Signatory {number:02}"));
        scene.endorse(number, party);
    }
    let first = scene.page("/statements/pledge");
    assert!(first.contains("<strong>53</strong> organisations sign"));
    assert!(first.contains(">Signatory 50<") && !first.contains(">Signatory 51<"));
    let next = links(&first).into_iter().find(|link| link.contains("cursor=")).expect("a next page");
    // Whoever enters now is on no page of this tree.
    let late = scene.enter(54, "Signatory 54");
    scene.endorse(54, late);
    let second = scene.page(&next);
    assert!(!second.contains(">Signatory 50<") && second.contains(">Signatory 51<"), "{second}");
    assert!(second.contains(">Signatory 53<") && !second.contains(">Signatory 54<"), "{second}");
    assert!(!second.contains("cursor="), "the last page");
}

#[test]
fn browsers_get_pages_and_programs_do_not() {
    let scene = Scene::set();
    for (accept, is_page) in [
        (BROWSER, true),
        ("text/html", true),
        ("text/html;q=0.8, text/plain;q=0.5", true),
        ("text/plain, text/html;q=0.5", false),
        ("text/html;q=0", false),
        ("*/*", false),
        ("text/plain", false),
    ] {
        let answer = request(&scene.running.server, "GET", "/", &format!("Accept: {accept}\r\n"), b"");
        let wanted = if is_page { "text/html; charset=utf-8" } else { "text/plain; charset=utf-8" };
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(wanted)), "{accept}");
        assert!(answer.headers.to_ascii_lowercase().contains("vary: accept"), "{}", answer.headers);
    }
    assert!(get(&scene.running.server, "/").text().contains("/v1/statements"));
}

#[test]
fn problems_are_pages_for_people_and_documents_for_programs() {
    let scene = Scene::set();
    for (path, status, code) in [
        ("/nowhere", 404, "not-found"),
        ("/entries/999", 404, "not-found"),
        ("/entries/abc", 400, "bad-query"),
        ("/statements/absent", 404, "not-found"),
        ("/statements/pledge?at=0", 400, "bad-query"),
        ("/statements/pledge?show=all", 400, "bad-query"),
        ("/statements/pledge?version=abc", 400, "bad-query"),
        ("/statements/pledge?unknown=1", 400, "bad-query"),
        ("/parties/Not%20a%20domain", 400, "bad-query"),
        ("/parties/%ff", 404, "not-found"),
        ("/find?x=1", 400, "bad-query"),
        ("/find?q=%3Cscript%3Ealert(1)%3C/script%3E", 404, "not-found"),
        ("/check?entry=999", 404, "not-found"),
        ("/assets/0123456789abcdef.css", 404, "not-found"),
        ("/tile/0/999", 404, "not-found"),
        ("/v1/receipts/999", 404, "not-found"),
    ] {
        let page = browse(&scene.running, path);
        assert_eq!(page.status, status, "{path}");
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
        assert_eq!(page.header("cache-control"), Some("no-store"), "{path}");
        check_guards(&page, path);
        assert!(page.text().contains(&format!("<code>{code}</code>")), "{path}: {}", page.text());
        scene.running.check_problem(&get(&scene.running.server, path), status, code);
    }
    // What changes something is for programs, whatever they accept.
    let answer = request(&scene.running.server, "POST", "/v1/entries", "Accept: text/html\r\n", b"");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
}

#[test]
fn what_a_person_has_in_hand_leads_to_its_page() {
    let scene = Scene::set();
    let party = scene.enter(1, "Found");
    let (_, hash) = scene.endorse(1, party);
    let (statement, version) = (scene.statement, scene.version);
    for (sought, page) in [
        ("0".to_owned(), "/entries/0".to_owned()),
        ("pledge".to_owned(), "/statements/pledge".to_owned()),
        (statement.to_string(), "/statements/pledge".to_owned()),
        (version.to_string(), format!("/statements/{statement}?version={version}")),
        (party.to_string(), format!("/parties/{party}")),
        (hash.to_string(), format!("/entries/{}", scene.running.size() - 1)),
        ("ORG-1.example".to_owned(), "/parties/org-1.example".to_owned()),
        ("https%3A%2F%2Forg-1.example%2Fabout".to_owned(), "/parties/org-1.example".to_owned()),
        ("office%40org-1.example".to_owned(), "/parties/org-1.example".to_owned()),
    ] {
        let answer = browse(&scene.running, &format!("/find?q={sought}"));
        assert_eq!((answer.status, answer.header("location")), (303, Some(page.as_str())), "{sought}");
        assert_eq!(browse(&scene.running, &page).status, 200, "{page}");
    }
    // Nothing in hand: the start page, where the form is.
    for nothing in ["/find", "/find?q=", "/find?q=%20"] {
        let answer = browse(&scene.running, nothing);
        assert_eq!((answer.status, answer.header("location")), (303, Some("/")), "{nothing}");
    }
}

#[test]
fn the_style_sheet_is_kept_for_ever_under_its_hash() {
    let scene = Scene::set();
    let style =
        links(&scene.page("/")).into_iter().find(|link| link.ends_with(".css")).expect("a style sheet");
    let answer = browse(&scene.running, &style);
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/css; charset=utf-8")));
    assert_eq!(answer.header("cache-control"), Some("public, max-age=31536000, immutable"));
    let hash = undersigned_tlog::hash::sha256(&[&answer.body]).to_hex();
    assert_eq!(style, format!("/assets/{}.css", &hash[..16]));
    assert!(
        !answer.text().contains("url(") && !answer.text().contains("@import"),
        "nothing is loaded from elsewhere"
    );
}

#[test]
fn the_commands_of_the_check_page_name_the_address_that_was_asked() {
    let scene = Scene::set();
    let ask = |host: &str| {
        let bytes =
            format!("GET /check HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\nConnection: close\r\n\r\n");
        let answer = crate::http::raw(&scene.running.server, bytes.as_bytes());
        assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")));
        answer.text()
    };
    assert!(ask("127.0.0.1:6962").contains("REGISTRY=http://127.0.0.1:6962</code>"));
    assert!(ask("registry.example").contains("REGISTRY=https://registry.example</code>"));
    // A host with anything but a name and a port in it stands in no command.
    let page = ask("x$(id)");
    assert!(
        page.contains("REGISTRY=https://test.registry.example</code>") && !page.contains("$(id)"),
        "{page}"
    );
}
