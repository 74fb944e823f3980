//! A mirror from outside: the same bytes as the log's, the same reads without the log, nothing taken in, and
//! an end at any moment.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use undersigned_client::{Client, ClientError, Page};
use undersigned_registry::event::Body;
use undersigned_registry::id::RegistryId;
use undersigned_registry::receipt::Receipt;
use undersigned_registry::verify::{Trust, verify};
use undersigned_tlog::hash::{Hash, sha256};
use undersigned_tlog::tree::{LeafIndex, TreeSize, verify_consistency, verify_inclusion};

use crate::binary;
use crate::http::{Answer, request};
use crate::support::copies::assert_equal_copy;
use crate::support::{Server, init, init_named, listing, party, publish, say, thread_event};

const SPONSOR: u64 = 1_000_000;

/// The options of a mirror of some logs: address and data folder of each.
fn options(folder: &Path, logs: &[(&str, &Path)]) -> Vec<String> {
    let mut options = vec!["mirror".to_owned(), "--data".to_owned(), folder.display().to_string()];
    for (url, data) in logs {
        let policy = data.join("registry.policy").display().to_string();
        options.extend(["--from", url, "--policy", &policy].map(str::to_owned));
    }
    options
}

fn start(folder: &Path, logs: &[(&str, &Path)]) -> Server {
    let mut options = options(folder, logs);
    options.push("--json".to_owned());
    logs.iter().for_each(|_| options.extend(["--listen", "127.0.0.1:0"].map(str::to_owned)));
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    Server::spawn(binary(), &options).unwrap_or_else(|said| panic!("the mirror does not start: {said}"))
}

fn once(folder: &Path, url: &str, data: &Path) -> (i32, String, String) {
    let mut options = options(folder, &[(url, data)]);
    options.extend(["--once", "--log", "warn"].map(str::to_owned));
    say(binary(), &options.iter().map(String::as_str).collect::<Vec<_>>())
}

fn copy_of(folder: &Path, origin: &str) -> PathBuf {
    folder.join(sha256(&[origin.as_bytes()]).to_hex())
}

fn size_of(trust: &Trust, client: &Client) -> u64 {
    trust.open_checkpoint(&client.checkpoint().unwrap()).unwrap().size().get()
}

/// Waits until a mirror has what the log has.
fn reach(trust: &Trust, mirror: &Client, size: u64) {
    while size_of(trust, mirror) < size {
        std::thread::yield_now();
    }
}

/// Parties that enter, from several threads at a time.
fn enter(url: &str, registry: &RegistryId, numbers: std::ops::Range<u64>) {
    let next = AtomicU64::new(numbers.start);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let client = Client::new(url).unwrap();
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= numbers.end {
                        return;
                    }
                    client.submit(&party(registry, number).0).unwrap();
                }
            });
        }
    });
}

fn get(server: &Server, path: &str, accept: &str) -> Answer {
    request(server, "GET", path, &format!("Accept: {accept}\r\n"), b"")
}

#[test]
fn a_mirror_has_the_same_bytes_and_answers_every_read_without_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let (data, trust) = init(binary(), folder.path());
    let registry = trust.registry().unwrap().clone();
    let log = Server::start(binary(), &data);
    let copies = folder.path().join("mirror");
    let mirror = start(&copies, &[(&log.url, &data)]);
    let copy = copy_of(&copies, registry.origin());

    // Load while it follows; killed in the middle of it.
    let client = log.client();
    let (statement, version) = publish(&client, &registry, SPONSOR, "pledge");
    enter(&log.url, &registry, 0..120);
    reach(&trust, &mirror.client(), 100);
    let (log_url, numbers) = (log.url.clone(), 120..280);
    let mirror = std::thread::scope(|scope| {
        scope.spawn(|| enter(&log_url, &registry, numbers));
        mirror.kill();
        start(&copies, &[(&log.url, &data)])
    });
    let (submission, member) = party(&registry, 500_000);
    client.submit(&submission).unwrap();
    let body = Body::Endorse { statement, version, language: "en".to_owned(), not_after: None };
    client.submit(&thread_event(&registry, 500_000, member, None, body).0).unwrap();
    let size = size_of(&trust, &client);
    assert_eq!(size, 1 + 3 + 280 + 2);
    let reads = client.clone();
    reach(&trust, &mirror.client(), size);

    // What the log says of itself, to be compared with what the mirror says later.
    let paths = [
        "/v1/policy",
        "/v1/registry",
        "/v1/statements",
        "/v1/statements/pledge",
        "/v1/statements/pledge/signatories",
        &format!("/v1/parties/{member}"),
        "/v1/parties/org-7.example",
        "/v1/entries/0",
        "/v1/entries/285",
        "/v1/proof/inclusion?index=17",
        "/v1/proof/inclusion?index=17&size=40",
        "/v1/proof/consistency?from=17",
        "/v1/problems",
        "/openapi.json",
        "/checkpoint",
        "/tile/0/000",
        "/tile/entries/000",
        "/tile/entries/001.p/3",
    ]
    .map(str::to_owned);
    let said: Vec<Answer> = paths.iter().map(|path| get(&log, path, "*/*")).collect();
    let pages = ["/", "/statements/pledge", "/entries/285", "/registry", "/check", "/parties/org-7.example"];
    let shown: Vec<Answer> = pages.iter().map(|path| get(&log, path, "text/html")).collect();
    let receipt = reads.receipt("285").unwrap();
    log.kill();

    assert!(assert_equal_copy(&data.join("public"), &copy.join("public")) > 290);
    for (path, expected) in paths.iter().zip(said) {
        let answer = get(&mirror, path, "*/*");
        assert_eq!((answer.status, expected.status), (200, 200), "{path}");
        assert_eq!(answer.body, expected.body, "{path}");
    }
    for (path, expected) in pages.iter().zip(shown) {
        let answer = get(&mirror, path, "text/html");
        assert_eq!((answer.status, expected.status), (200, 200), "{path}");
        let text = String::from_utf8(answer.body).unwrap();
        assert!(text.contains("This is a mirror") && text.contains(&log_url), "{path}: {text}");
        let expected = String::from_utf8(expected.body).unwrap();
        assert!(!expected.contains("This is a mirror"), "{path}");
    }
    let receipt = Receipt::parse(&receipt).unwrap();
    let own = Receipt::parse(&mirror.client().receipt("285").unwrap()).unwrap();
    for receipt in [&receipt, &own] {
        assert_eq!(verify(receipt, &trust).unwrap().index, 285);
    }
    assert_eq!(receipt.entry, own.entry);
    let (code, out, error) = say(
        binary(),
        &["audit", copy.to_str().unwrap(), "--policy", data.join("registry.policy").to_str().unwrap()],
    );
    assert!(code == 0 && out.contains("GREEN"), "{out}{error}");

    // Nothing is taken in, and it is said where the log is.
    let newcomer = party(&registry, 999).0;
    let submitted = mirror.client().submit(&newcomer);
    let Err(ClientError::Problem(problem)) = &submitted else { panic!("{submitted:?}") };
    assert_eq!((problem.status, problem.code.as_str()), (421, "read-only-mirror"));
    assert!(problem.detail.contains(&log_url), "{problem:?}");
    let answer = request(&mirror, "POST", "/v1/prepare", "Content-Type: application/json\r\n", b"{}");
    assert_eq!(answer.status, 421);
    let answer = request(&mirror, "POST", "/v1/statements", "Content-Type: application/json\r\n", b"{}");
    assert_eq!(answer.status, 405, "not an address that takes anything");
    let health = get(&mirror, "/healthz", "*/*");
    assert!(String::from_utf8(health.body).unwrap().contains("\"intake\":\"mirror\""));

    // Below the hash of its origin too, as mirrors name it.
    let hash = sha256(&[registry.origin().as_bytes()]).to_hex();
    let below = Client::new(&format!("{}/{hash}", mirror.url)).unwrap();
    assert_eq!(below.checkpoint().unwrap(), mirror.client().checkpoint().unwrap());
    let (code, out, error) = say(
        binary(),
        &["audit", below.base_url(), "--policy", data.join("registry.policy").to_str().unwrap()],
    );
    assert!(code == 0 && out.contains("GREEN"), "{out}{error}");
    let none = "0".repeat(64);
    assert_eq!(get(&mirror, &format!("/{none}/checkpoint"), "*/*").status, 404);

    // It ends in order, and goes on without the log.
    assert_eq!(mirror.stop().0, Some(0));
    assert!(copy.join("private/state").exists());
    let before = listing(&copy.join("public"));
    let mirror = start(&copies, &[(&log_url, &data)]);
    assert_eq!(size_of(&trust, &mirror.client()), size);
    assert_eq!(mirror.client().statements(&Page::default()).unwrap().statements.len(), 1);
    assert_eq!(listing(&copy.join("public")), before);
}

#[test]
fn one_mirror_holds_many_logs() {
    let folder = tempfile::tempdir().unwrap();
    let (one, one_trust) = init_named(binary(), folder.path(), "one", "one.example/log");
    let (other, other_trust) = init_named(binary(), folder.path(), "other", "other.example/log");
    let logs = [Server::start(binary(), &one), Server::start(binary(), &other)];
    enter(&logs[1].url, other_trust.registry().unwrap(), 0..3);
    let copies = folder.path().join("mirror");
    let mirror = start(&copies, &[(&logs[0].url, &one), (&logs[1].url, &other)]);
    for (trust, data, size) in [(&one_trust, &one, 1), (&other_trust, &other, 4)] {
        let origin = trust.registry().unwrap().origin();
        let hash = sha256(&[origin.as_bytes()]).to_hex();
        // Both below one address, as soon as there is a copy.
        let below = Client::new(&format!("{}/{hash}", mirror.url)).unwrap();
        while below.checkpoint().map_or(0, |bytes| trust.open_checkpoint(&bytes).unwrap().size().get()) < size
        {
            std::thread::yield_now();
        }
        assert_equal_copy(&data.join("public"), &copy_of(&copies, origin).join("public"));
    }
    // The first address is the first log's.
    assert_eq!(mirror.client().registry().unwrap().origin, "one.example/log");
    assert_eq!(mirror.stop().0, Some(0));
}

#[test]
fn what_the_log_erased_is_noted_and_does_not_stop_the_mirror() {
    let folder = tempfile::tempdir().unwrap();
    let (data, trust) = init(binary(), folder.path());
    let registry = trust.registry().unwrap().clone();
    let log = Server::start(binary(), &data);
    enter(&log.url, &registry, 0..3);
    let name = |number: u64| sha256(&[format!("Organisation {number}").as_bytes()]).to_hex();
    let blob = |public: &Path, hex: &str| public.join("blobs").join(&hex[..2]).join(&hex[2..4]).join(hex);
    let (erased, altered) = (blob(&data.join("public"), &name(1)), blob(&data.join("public"), &name(2)));
    let (words, others) = (std::fs::read(&erased).unwrap(), std::fs::read(&altered).unwrap());
    std::fs::remove_file(&erased).unwrap();
    std::fs::write(&altered, "other words").unwrap();
    let copies = folder.path().join("mirror");
    let (code, _, error) = once(&copies, &log.url, &data);
    assert_eq!(code, 0, "{error}");
    let copy = copy_of(&copies, registry.origin());
    for number in [1, 2] {
        assert!(error.contains(&name(number)), "it says which: {error}");
        assert!(copy.join("private/missing").join(name(number)).exists());
        assert!(!blob(&copy.join("public"), &name(number)).exists());
    }
    assert!(!error.contains(&name(0)) && blob(&copy.join("public"), &name(0)).exists());
    // The log has them again: the next start fetches them.
    std::fs::write(&erased, words).unwrap();
    std::fs::write(&altered, others).unwrap();
    let (code, _, error) = once(&copies, &log.url, &data);
    assert_eq!((code, error.as_str()), (0, ""));
    assert_equal_copy(&data.join("public"), &copy.join("public"));
    assert!(listing(&copy.join("private/missing")).is_empty());
}

#[test]
fn what_is_in_the_way_is_said_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let (data, trust) = init(binary(), folder.path());
    let registry = trust.registry().unwrap().clone();
    let log = Server::start(binary(), &data);
    enter(&log.url, &registry, 0..5);
    let copies = folder.path().join("mirror");
    assert_eq!(once(&copies, &log.url, &data).0, 0);
    let copy = copy_of(&copies, registry.origin());
    // A damaged copy is not served and not put right in silence; without the kept state all of it is read.
    let bundle = copy.join("public/tile/entries/000.p/6");
    let good = std::fs::read(&bundle).unwrap();
    let mut bad = good.clone();
    bad[40] ^= 1;
    std::fs::write(&bundle, &bad).unwrap();
    std::fs::remove_file(copy.join("private/state")).unwrap();
    let (code, _, error) = once(&copies, &log.url, &data);
    assert_eq!(code, 4);
    assert!(
        error.contains("is damaged: entry 0: ") && error.contains("put it back from a backup"),
        "{error}"
    );
    assert_eq!(std::fs::read(&bundle).unwrap(), bad, "it is left as it is");
    // Its honest twin; a state that does not prove itself is left aside.
    std::fs::write(&bundle, &good).unwrap();
    std::fs::write(copy.join("private/state"), "undersigned audit state v1\n").unwrap();
    let (code, _, error) = once(&copies, &log.url, &data);
    assert_eq!(code, 0, "{error}");
    assert!(error.contains("the kept state is not used"), "{error}");
    // Another registry of the same origin.
    let (other, _) = init_named(binary(), folder.path(), "other", registry.origin());
    let (code, _, error) = once(&copies, &log.url, &other);
    assert!(code == 4 && error.contains("is the mirror of"), "{error}");
    // A policy that does not say which registry is meant.
    let policy = std::fs::read_to_string(data.join("registry.policy")).unwrap();
    let without: String =
        policy.lines().filter(|line| !line.starts_with("# registry")).collect::<Vec<_>>().join("\n");
    std::fs::create_dir(folder.path().join("bare")).unwrap();
    std::fs::write(folder.path().join("bare/registry.policy"), without + "\n").unwrap();
    let (code, _, error) = once(&copies, &log.url, &folder.path().join("bare"));
    assert!(code == 4 && error.contains("the policy names no registry"), "{error}");
    // Nobody there.
    let url = log.url.clone();
    log.kill();
    let (code, _, error) = once(&copies, &url, &data);
    assert!(code == 3 && error.contains("cannot reach"), "{error}");
    // As many trust anchors and addresses as logs.
    let (code, _, error) =
        say(binary(), &["mirror", "--data", "x", "--from", &url, "--policy", "a", "--policy", "b"]);
    assert!(code == 1 && error.contains("give --policy as often as --from"), "{error}");
}

#[test]
fn a_proof_of_a_mirror_is_one_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let (data, trust) = init(binary(), folder.path());
    let registry = trust.registry().unwrap().clone();
    let log = Server::start(binary(), &data);
    enter(&log.url, &registry, 0..20);
    let old = trust.open_checkpoint(&log.client().checkpoint().unwrap()).unwrap();
    let mirror = start(&folder.path().join("mirror"), &[(&log.url, &data)]);
    enter(&log.url, &registry, 20..40);
    let new = trust.open_checkpoint(&log.client().checkpoint().unwrap()).unwrap();
    reach(&trust, &mirror.client(), new.size().get());
    let proof = mirror.client().consistency(old.size().get(), None).unwrap().hashes;
    verify_consistency(old.size(), new.size(), old.root(), new.root(), &proof).unwrap();
    let inclusion = mirror.client().inclusion(30, None).unwrap();
    let entry = mirror.client().entry("30").unwrap();
    let leaf = undersigned_registry::entry::leaf(&entry.entry);
    let check = |root: &Hash| {
        verify_inclusion(&leaf, LeafIndex::new(30), TreeSize::new(inclusion.size), &inclusion.hashes, root)
    };
    check(new.root()).unwrap();
    assert!(check(old.root()).is_err());
}
