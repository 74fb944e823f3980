//! The log of any bytes (`tests/bench/raw-log.rs`): the sequencer and the read path under another law.
//!
//! Its router is asked without a socket. What a kill under load does to it, `tests/bench/hammer` tries.

use std::path::Path;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::{ALLOW, RETRY_AFTER};
use axum::http::{Method, Request, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;
use undersigned::node::{Node, NodeError, Place};
use undersigned_tlog::checkpoint::{Origin, SignedCheckpoint};
use undersigned_tlog::note::VerifierKey;
use undersigned_tlog::tile::Bundle;

use raw::folder::{self, FolderError, RawLog};
use raw::law::LEAF_BYTES_MAX;

#[path = "../bench/raw/mod.rs"]
mod raw;

const ORIGIN: &str = "raw.example/test";

fn start(data: &Path) -> RawLog {
    folder::start(data, None, ORIGIN).unwrap()
}

fn ask(app: &Router, method: Method, path: &str, body: impl Into<Body>) -> (Response<()>, Bytes) {
    let request = Request::builder().method(method).uri(path).body(body.into()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (parts, body) = app.clone().oneshot(request).await.unwrap().into_parts();
        (Response::from_parts(parts, ()), body.collect().await.unwrap().to_bytes())
    })
}

/// The index that a leaf gets.
fn add(app: &Router, leaf: &'static [u8]) -> String {
    let (answer, body) = ask(app, Method::POST, "/add", leaf);
    assert_eq!(answer.status(), StatusCode::OK);
    String::from_utf8(body.to_vec()).unwrap()
}

/// The size of the tree that everybody sees, if its checkpoint verifies.
fn verified_size(app: &Router, verifier_key: &str) -> Option<u64> {
    let (_, checkpoint) = ask(app, Method::GET, "/checkpoint", Body::empty());
    let key = VerifierKey::parse(verifier_key).unwrap();
    let origin = Origin::new(ORIGIN).unwrap();
    let signed = SignedCheckpoint::open(&checkpoint, Some(&origin), &[key]).ok()?;
    Some(signed.checkpoint().size().get())
}

#[test]
fn leaves_get_consecutive_indexes_also_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let log = start(data.path());
    let app = raw::door::app(&log.running);
    assert_eq!((add(&app, b"one"), add(&app, b"two")), ("0".to_owned(), "1".to_owned()));
    assert_eq!(verified_size(&app, &log.verifier_key), Some(2), "an answer comes after publication");
    let before = log.verifier_key.clone();
    // The router holds the store, and with it the lock of the folder.
    drop(app);
    log.running.stop().unwrap();

    let log = start(data.path());
    assert_eq!((log.origin.as_str(), log.verifier_key.as_str()), (ORIGIN, before.as_str()));
    let app = raw::door::app(&log.running);
    assert_eq!(verified_size(&app, &before), Some(2));
    assert_eq!(add(&app, b"one"), "2", "the same bytes again are another entry");
    assert_eq!(verified_size(&app, &before), Some(3));
    let (_, bundle) = ask(&app, Method::GET, "/tile/entries/000.p/3", Body::empty());
    assert_eq!(Bundle::parse(&bundle).unwrap(), [&b"one"[..], b"two", b"one"]);
    let (beyond, _) = ask(&app, Method::GET, "/tile/entries/000.p/4", Body::empty());
    assert_eq!(beyond.status(), StatusCode::NOT_FOUND);
    let elsewhere = tempfile::tempdir().unwrap();
    let other = start(elsewhere.path());
    assert_eq!(verified_size(&app, &other.verifier_key), None, "each log has a key of its own");
    other.running.stop().unwrap();
    log.running.stop().unwrap();
}

#[test]
fn what_is_no_leaf_is_refused_and_leaves_the_log_as_it_was() {
    let data = tempfile::tempdir().unwrap();
    let log = start(data.path());
    let app = raw::door::app(&log.running);
    let check = |method: Method, body: Vec<u8>, status: StatusCode, reason: &str| {
        let (answer, text) = ask(&app, method, "/add", body);
        assert_eq!(answer.status(), status);
        assert!(String::from_utf8_lossy(&text).starts_with(reason), "{text:?}");
        answer
    };
    check(Method::POST, Vec::new(), StatusCode::BAD_REQUEST, "the body is empty\n");
    let long = vec![7; LEAF_BYTES_MAX + 1];
    check(Method::POST, long, StatusCode::PAYLOAD_TOO_LARGE, "the body is too long\n");
    let method =
        check(Method::GET, Vec::new(), StatusCode::METHOD_NOT_ALLOWED, "leaves are written with POST\n");
    assert_eq!(method.headers()[ALLOW], "POST");
    assert_eq!(verified_size(&app, &log.verifier_key), Some(0));
    check(Method::POST, vec![7; LEAF_BYTES_MAX], StatusCode::OK, "0");
    check(Method::POST, vec![7], StatusCode::OK, "1");
    log.running.stop().unwrap();
    let later = check(Method::POST, vec![7], StatusCode::SERVICE_UNAVAILABLE, "the registry is stopping: ");
    assert_eq!(later.headers()[RETRY_AFTER], "1");
}

#[test]
fn only_its_own_folder_is_opened_and_only_an_empty_one_is_filled() {
    let parent = tempfile::tempdir().unwrap();
    let strange = parent.path().join("strange");
    std::fs::create_dir(&strange).unwrap();
    std::fs::write(strange.join("notes"), "mine").unwrap();
    assert!(matches!(folder::start(&strange, None, ORIGIN), Err(FolderError::Other { .. })));
    assert_eq!(std::fs::read_dir(&strange).unwrap().count(), 1, "nothing was put into it");

    let data = parent.path().join("log");
    let wrong = folder::start(&data, Some("not an origin"), ORIGIN);
    assert!(matches!(wrong, Err(FolderError::Name { .. })));
    assert!(!data.exists(), "nothing was made");
    folder::start(&data, Some("raw.example/other"), ORIGIN).unwrap().running.stop().unwrap();
    assert!(matches!(folder::start(&data, Some(ORIGIN), ORIGIN), Err(FolderError::Origin { .. })));
    let log = start(&data);
    assert_eq!(log.origin, "raw.example/other", "the default is for a new log");
    log.running.stop().unwrap();
    let clock = std::sync::Arc::new(undersigned::clock::SystemClock::new());
    let served = Node::open(&Place { data, guard: None }, clock);
    let is_refused = matches!(served, Err(NodeError::NotInitialised { .. }));
    assert!(is_refused, "the registry does not take it for one of its own");
}
