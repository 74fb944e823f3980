//! Requests in, answers out, over a store in memory.

use axum::http::{Method, Request, StatusCode};
use axum::response::IntoResponse as _;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;
use undersigned_tlog::hash::sha256;
use undersigned_tlog::tile::bundle_append;

use super::*;
use crate::store::{Created, Fault, MemoryStore};

const WEEK: &str = "public, max-age=604800, immutable";

struct Site {
    store: Arc<MemoryStore>,
    router: Router,
    kept: KeptTiles,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Site {
    fn with_size(size: u64) -> Self {
        let store = Arc::new(MemoryStore::new());
        let files = StaticFiles {
            store: store.clone(),
            published: Arc::new(move || Shown {
                size: TreeSize::new(size),
                checkpoint: Bytes::from(format!("origin\n{size}\n")),
            }),
            problem: Arc::new(|problem| {
                let status = match problem {
                    StaticProblem::NotFound => StatusCode::NOT_FOUND,
                    StaticProblem::Method => StatusCode::METHOD_NOT_ALLOWED,
                    StaticProblem::Busy => StatusCode::SERVICE_UNAVAILABLE,
                    StaticProblem::Unreadable => StatusCode::INTERNAL_SERVER_ERROR,
                };
                (status, format!("{problem:?}")).into_response()
            }),
        };
        let kept = KeptTiles::default();
        Self { store, router: files.router_beside(&kept), kept }
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        let name = Name::tile(&TilePath::parse(path).expect("a tile path"));
        assert_eq!(self.store.create_pending(&name, bytes).expect("created"), Created::New);
    }

    fn ask(&self, method: Method, path: &str) -> Answer {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).expect("a request");
        let router = self.router.clone();
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let (head, body) = router.oneshot(request).await.expect("an answer").into_parts();
            let body = body.collect().await.expect("a body").to_bytes();
            Answer { status: head.status, headers: head.headers, body }
        })
    }

    fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path)
    }

    fn check_served(&self, path: &str, bytes: &[u8]) {
        let answer = self.get(path);
        assert_eq!((answer.status, &*answer.body), (StatusCode::OK, bytes), "{path}");
        answer.check_headers(&[("content-type", "application/octet-stream"), ("cache-control", WEEK)]);
    }

    fn check_not_found(&self, path: &str) {
        let answer = self.get(path);
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        // Names outside the three routes are the outer router's, with its own headers.
        if ["/checkpoint", "/tile/", "/blobs/"].iter().any(|route| path.starts_with(route)) {
            answer.check_headers(&[("cache-control", "no-store")]);
        }
    }
}

impl Answer {
    fn check_headers(&self, expected: &[(&str, &str)]) {
        let everywhere = [("access-control-allow-origin", "*"), ("x-content-type-options", "nosniff")];
        for (name, value) in expected.iter().chain(&everywhere) {
            let found = self.headers.get(*name).map(|found| found.to_str().expect("text"));
            assert_eq!(found, Some(*value), "{name}");
        }
    }
}

fn hashes(width: u8) -> Vec<u8> {
    (0..width).flat_map(|number| [number; HASH_BYTES]).collect()
}

fn full_hashes() -> Vec<u8> {
    (0..=255).flat_map(|number| [number; HASH_BYTES]).collect()
}

/// Entry number n has n bytes.
fn bundle(width: u16) -> Vec<u8> {
    let mut bundle = Vec::new();
    for number in 0..width {
        bundle_append(&mut bundle, &vec![7; usize::from(number)]).expect("short");
    }
    bundle
}

#[test]
fn the_checkpoint_is_text_that_nobody_keeps() {
    let site = Site::with_size(5);
    let answer = site.get("/checkpoint");
    assert_eq!((answer.status, &*answer.body), (StatusCode::OK, &b"origin\n5\n"[..]));
    answer.check_headers(&[("content-type", "text/plain; charset=utf-8"), ("cache-control", "no-cache")]);
}

#[test]
fn no_checkpoint_is_served_whose_tiles_would_be_refused() {
    // As it is between the moment when the file is replaced and the one when its tree is published.
    let site = Site::with_size(5);
    site.put("tile/0/000.p/5", &hashes(5));
    site.put("tile/0/000.p/6", &hashes(6));
    site.store.put_checkpoint(b"origin\n6\n").expect("put");
    assert_eq!(&*site.get("/checkpoint").body, b"origin\n5\n");
    site.check_not_found("/tile/0/000.p/6");
    site.check_served("/tile/0/000.p/5", &hashes(5));
}

#[test]
fn tiles_are_served_up_to_the_published_size() {
    // C2SP's example: 70,000 leaves are 273 full tiles and a partial one of 112.
    let site = Site::with_size(70_000);
    for path in ["tile/0/000", "tile/0/272", "tile/1/000"] {
        site.put(path, &full_hashes());
        site.check_served(&format!("/{path}"), &full_hashes());
    }
    for (path, width) in [("tile/0/273.p/112", 112), ("tile/1/001.p/17", 17), ("tile/2/000.p/1", 1)] {
        site.put(path, &hashes(width));
        site.check_served(&format!("/{path}"), &hashes(width));
    }
    // These are on disk, but in no published tree.
    for path in ["tile/0/273.p/113", "tile/0/273", "tile/0/274.p/1", "tile/1/001.p/18", "tile/2/000.p/2"] {
        let width = path.rsplit_once(".p/").map_or(0, |(_, width)| width.parse().expect("a width"));
        site.put(path, &if width == 0 { full_hashes() } else { hashes(width) });
        site.check_not_found(&format!("/{path}"));
    }
    // These are in the tree, but not on disk.
    site.check_not_found("/tile/0/001");
    site.check_not_found("/tile/entries/273.p/112");
}

#[test]
fn the_published_size_is_read_for_each_request() {
    let site = Site::with_size(4);
    site.put("tile/0/000.p/5", &hashes(5));
    site.check_not_found("/tile/0/000.p/5");
    let site = Site::with_size(5);
    site.put("tile/0/000.p/5", &hashes(5));
    site.check_served("/tile/0/000.p/5", &hashes(5));
}

#[test]
fn a_deleted_partial_tile_is_cut_from_a_wider_one() {
    let site = Site::with_size(300);
    site.put("tile/0/000", &full_hashes());
    site.put("tile/0/001.p/44", &hashes(44));
    site.put("tile/entries/000", &bundle(256));
    site.put("tile/entries/001.p/44", &bundle(44));
    for width in [1, 2, 43, 44] {
        site.check_served(&format!("/tile/0/001.p/{width}"), &hashes(width));
        site.check_served(&format!("/tile/entries/001.p/{width}"), &bundle(u16::from(width)));
    }
    for width in [1, 45, 255] {
        site.check_served(&format!("/tile/0/000.p/{width}"), &hashes(width));
        site.check_served(&format!("/tile/entries/000.p/{width}"), &bundle(u16::from(width)));
    }
}

#[test]
fn a_full_tile_ahead_of_the_checkpoint_helps_for_what_is_published() {
    // The partial one was deleted, and the new checkpoint is not yet known to this request.
    let site = Site::with_size(200);
    site.put("tile/entries/000", &bundle(256));
    site.check_served("/tile/entries/000.p/200", &bundle(200));
    site.check_not_found("/tile/entries/000.p/201");
    site.check_not_found("/tile/entries/000");
}

#[test]
fn a_torn_tile_is_never_served() {
    let mut trailing = bundle(3);
    trailing.push(0);
    let cases: [(&str, &[u8]); 8] = [
        ("tile/0/000.p/3", b""),
        ("tile/0/000.p/3", &hashes(2)),
        ("tile/0/000.p/3", &hashes(4)),
        ("tile/0/000.p/3", &[0; 95]),
        ("tile/entries/000.p/3", b""),
        ("tile/entries/000.p/3", &bundle(2)),
        ("tile/entries/000.p/3", &bundle(4)),
        ("tile/entries/000.p/3", &trailing),
    ];
    for (path, bytes) in cases {
        let site = Site::with_size(3);
        site.put(path, bytes);
        for asked in [path, &path.replace("p/3", "p/1")] {
            let answer = site.get(&format!("/{asked}"));
            assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{asked} {bytes:?}");
            answer.check_headers(&[("cache-control", "no-store")]);
        }
    }
}

#[test]
fn a_whole_tile_is_read_once_and_a_partial_one_each_time() {
    let site = Site::with_size(300);
    let tiles = [
        ("tile/0/000", full_hashes(), true),
        ("tile/entries/000", bundle(256), true),
        ("tile/0/001.p/44", hashes(44), false),
        ("tile/entries/001.p/44", bundle(44), false),
    ];
    for (path, bytes, is_kept) in tiles {
        site.put(path, &bytes);
        let asked = format!("/{path}");
        let first = site.get(&asked).headers.get(ETAG).cloned();
        assert_eq!(first, Some(validator(&bytes)), "{path}");
        let calls = site.store.calls();
        site.check_served(&asked, &bytes);
        assert_eq!(site.store.calls() == calls, is_kept, "{path}");
        assert_eq!(site.get(&asked).headers.get(ETAG).cloned(), first, "{path}");
    }
}

#[test]
fn a_kept_tile_is_answered_the_same_without_the_routes() {
    let site = Site::with_size(260);
    site.put("tile/0/000", &full_hashes());
    site.put("tile/0/001.p/4", &hashes(4));
    assert!(site.kept.answer("/tile/0/000").is_none(), "nobody has read it yet");
    for path in ["/tile/0/000", "/tile/0/001.p/4"] {
        site.get(path);
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let response = site.kept.answer("/tile/0/000").expect("kept");
    let (head, body) = response.into_parts();
    let body = runtime.block_on(async { body.collect().await.expect("a body").to_bytes() });
    let mut routed = site.get("/tile/0/000");
    // What the router adds, hyper adds too.
    routed.headers.remove("content-length");
    assert_eq!((head.status, head.headers, body), (routed.status, routed.headers, routed.body));
    for path in ["/tile/0/001.p/4", "/tile/0/002", "tile/0/000", "/tile/0/000/", "/tile/", "/checkpoint"] {
        assert!(site.kept.answer(path).is_none(), "{path}");
    }
}

#[test]
fn the_oldest_tile_makes_room_and_one_without_room_is_not_kept() {
    let bytes = Bytes::from(full_hashes());
    let path = |number: u8| TilePath::parse(&format!("tile/0/00{number}")).expect("a tile path");
    let found = Found { validator: validator(&bytes), bytes: bytes.clone() };
    let kept = Kept::new(2 * bytes.len());
    let held = || [0, 1, 2, 3].map(|number| kept.find(&path(number)).is_some());
    for number in [0, 1, 0] {
        kept.keep(&path(number), &found);
    }
    assert_eq!(held(), [true, true, false, false], "once more is not twice");
    kept.keep(&path(2), &found);
    assert_eq!(held(), [false, true, true, false]);
    kept.keep(&path(3), &found);
    assert_eq!(held(), [false, false, true, true]);
    let small = Kept::new(bytes.len() - 1);
    small.keep(&path(0), &found);
    assert!(small.find(&path(0)).is_none());
}

#[test]
fn unreadable_is_not_absent() {
    let site = Site::with_size(3);
    for path in ["/tile/0/000.p/3", &format!("/blobs/00/00/{}", "0".repeat(64))] {
        site.store.fail_call(site.store.calls(), Fault::Refused);
        let answer = site.get(path);
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        answer.check_headers(&[("cache-control", "no-store")]);
    }
}

#[test]
fn blobs_are_bytes_that_no_browser_runs() {
    let site = Site::with_size(0);
    let name = Name::blob(&sha256(&[b"<script>"]));
    let path = name.as_str().strip_prefix("public").expect("public");
    site.check_not_found(path);
    assert_eq!(site.store.create(&name, b"<script>").expect("created"), Created::New);
    let answer = site.get(path);
    assert_eq!((answer.status, &*answer.body), (StatusCode::OK, &b"<script>"[..]));
    answer.check_headers(&[
        ("content-type", "application/octet-stream"),
        ("content-security-policy", "sandbox; default-src 'none'"),
        ("cache-control", "public, max-age=300, immutable"),
    ]);
    site.store.delete(&name).expect("erased");
    site.check_not_found(path);
    // Other words under the same name are given to nobody.
    assert_eq!(site.store.create(&name, b"<scrape>").expect("created"), Created::New);
    site.check_not_found(path);
}

#[test]
fn nothing_else_has_a_name() {
    let site = Site::with_size(1 << 20);
    site.put("tile/0/000", &full_hashes());
    let hash = "ab".repeat(32);
    for path in [
        "/tile/0/000/",
        "/tile//0/000",
        "/tile/0/%30%30%30",
        "/tile/0/00",
        "/tile/0/0000",
        "/tile/0/x000/000",
        "/tile/00/000",
        "/tile/64/000",
        "/tile/0/000.p/0",
        "/tile/0/000.p/256",
        "/tile/0/000.p/01",
        "/tile/../checkpoint",
        "/tile/0/../0/000",
        "/tile/%2e%2e/private/key",
        "/tile/data/000",
        "/tile/entries/x18446744073709551616/000",
        "/blobs/../checkpoint",
        "/blobs/ab/ab/",
        "/blobs/ab/cd/abababab",
        &format!("/blobs/AB/AB/{}", hash.to_uppercase()),
        &format!("/blobs/00/ab/{hash}"),
        &format!("/blobs/ab/ab/{hash}/"),
        "/private/batch/00000000000000000000",
        "/public/checkpoint",
    ] {
        site.check_not_found(path);
    }
}

#[test]
fn head_has_the_headers_of_get_and_no_body() {
    let site = Site::with_size(3);
    site.put("tile/0/000.p/3", &hashes(3));
    let answer = site.ask(Method::HEAD, "/tile/0/000.p/3");
    assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
    answer.check_headers(&[("content-length", "96"), ("cache-control", WEEK)]);
}

#[test]
fn other_methods_are_refused() {
    let site = Site::with_size(3);
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
        for path in ["/checkpoint", "/tile/0/000", "/blobs/x"] {
            let answer = site.ask(method.clone(), path);
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            answer.check_headers(&[("allow", "GET, HEAD"), ("cache-control", "no-store")]);
        }
    }
}
