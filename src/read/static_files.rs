//! The static read side: checkpoint, tiles, entry bundles (C2SP tlog-tiles) and blobs, as they lie in a store.
//!
//! A path is parsed by the grammar of what it names and never joined, so that no request can name another
//! file. Tiles are served up to the published size alone: what lies above it may still be taken back, and a
//! cache would keep it. Below it a partial tile of any width is served: if its own file has been deleted it
//! is cut from a wider one, whose bytes begin with it. A file that does not have the length or the entries
//! its name promises is never served (a power cut can leave it torn).
//!
//! The checkpoint is the one that those tiles belong to, not the file of that name: the file is replaced
//! a moment earlier, and who read it then would be refused the tiles that it names.
//!
//! Reads never wait for writes. They run where blocking is allowed, a bounded number at a time; whole tiles and
//! bundles that were read lately are answered from memory (`kept`).
//!
//! Not here: compression, the mirror's prefix (nest the router), and the text of errors: the caller gives a
//! function that makes it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::get;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use undersigned_tlog::hash::{HASH_BYTES, Hash};
use undersigned_tlog::tile::{BundleReader, TileCoordinate, TilePath, Width, entries_width, width_of};
use undersigned_tlog::tree::TreeSize;

use super::validator::validator;
use crate::store::{Name, Store, StoreError};
use crate::telemetry::meters;
use crate::tiles::read_blob;
use kept::{Found, Kept};

mod kept;

/// Reads at a time; each holds a thread and at most one bundle of 16.8 MiB, usually one of 0.2 MiB.
pub const READS_MAX: usize = 64;
/// Whole tiles of hashes in memory: 2,048, those above half a million entries.
pub const HASHES_KEPT_BYTES_MAX: usize = 16 << 20;
/// Whole bundles in memory: some 160 of 0.2 MiB.
pub const BUNDLES_KEPT_BYTES_MAX: usize = 32 << 20;
/// Time that a request waits for its turn to read.
pub const READ_WAIT_MAX: Duration = Duration::from_secs(5);

/// Where tiles and bundles are.
pub const TILE_ROUTE: &str = "/tile/{*path}";

/// A checkpoint is always asked for anew; a cache may keep it to learn that it is still the same.
const CHECKPOINT_CACHE: HeaderValue = HeaderValue::from_static("no-cache");
/// A week: a tile never changes, but its partial forms stop being asked for.
const TILE_CACHE: HeaderValue = HeaderValue::from_static("public, max-age=604800, immutable");
/// Five minutes: a blob never changes, but it can be erased, and caches must follow.
const BLOB_CACHE: HeaderValue = HeaderValue::from_static("public, max-age=300, immutable");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const PLAIN_TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const OCTET_STREAM: HeaderValue = HeaderValue::from_static("application/octet-stream");
/// A blob holds what strangers wrote; no browser may run it.
const BLOB_POLICY: HeaderValue = HeaderValue::from_static("sandbox; default-src 'none'");
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD");
/// Seconds after which a read that found no turn may be tried again.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// Why there is no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StaticProblem {
    /// Not the name of anything, not published, or erased: 404.
    NotFound,
    /// Neither GET nor HEAD: 405, the `Allow` header is added here.
    Method,
    /// Too many reads at a time: 503, the `Retry-After` header is added here.
    Busy,
    /// The file is there but cannot be read, or is not what its name promises: 500, logged here.
    Unreadable,
}

/// A published tree, as much of it as the static files show.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Its size: no tile is served beyond it.
    pub size: TreeSize,
    /// The signed checkpoint.
    pub checkpoint: Bytes,
}

/// What the static read side needs to know from outside.
#[derive(Clone)]
pub struct StaticFiles {
    /// Where the objects are.
    pub store: Arc<dyn Store>,
    /// The newest published tree, asked for each request.
    pub published: Arc<dyn Fn() -> Shown + Send + Sync>,
    /// Makes the answer for a problem: status, media type and body.
    pub problem: Arc<dyn Fn(StaticProblem) -> Response + Send + Sync>,
}

impl StaticFiles {
    /// The routes `/checkpoint`, `/tile/...` and `/blobs/...`, to be merged or nested.
    pub fn router(self) -> Router {
        self.router_beside(&KeptTiles::default())
    }

    /// The same routes; the tiles that they keep are in the reach of who has `kept`.
    pub fn router_beside(self, kept: &KeptTiles) -> Router {
        let files = Files { files: self, turns: Arc::new(Semaphore::new(READS_MAX)), kept: kept.clone() };
        Router::new()
            .route("/checkpoint", get(checkpoint).fallback(method))
            .route(TILE_ROUTE, get(tile).fallback(method))
            .route("/blobs/{*path}", get(blob).fallback(method))
            .route_layer(map_response(with_common_headers))
            .with_state(files)
    }
}

#[derive(Clone)]
struct Files {
    files: StaticFiles,
    /// One permit for each read at a time.
    turns: Arc<Semaphore>,
    kept: KeptTiles,
}

/// Whole tiles and bundles that were read lately. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct KeptTiles {
    hashes: Arc<Kept>,
    bundles: Arc<Kept>,
}

impl Default for KeptTiles {
    fn default() -> Self {
        Self {
            hashes: Arc::new(Kept::new(HASHES_KEPT_BYTES_MAX)),
            bundles: Arc::new(Kept::new(BUNDLES_KEPT_BYTES_MAX)),
        }
    }
}

impl KeptTiles {
    fn of(&self, path: &TilePath) -> &Arc<Kept> {
        match path {
            TilePath::Hashes { .. } => &self.hashes,
            TilePath::Entries { .. } => &self.bundles,
        }
    }

    /// The answer to a GET of this path, if it names a tile that is kept: the same as that of the routes, for who
    /// need not go through them.
    #[must_use]
    pub fn answer(&self, path: &str) -> Option<Response> {
        let path = parse_tile(path)?;
        let mut response = whole(self.of(&path).find(&path)?);
        common(&mut response);
        Some(response)
    }
}

async fn checkpoint(State(files): State<Files>) -> Response {
    let checkpoint = (files.files.published)().checkpoint;
    files.answer(Ok(checkpoint), [(CONTENT_TYPE, PLAIN_TEXT), (CACHE_CONTROL, CHECKPOINT_CACHE)])
}

async fn tile(State(files): State<Files>, uri: Uri) -> Response {
    let found = match parse_tile(uri.path()) {
        Some(path) => files.tile(path).await,
        None => Err(StaticProblem::NotFound),
    };
    match found {
        Ok(found) => whole(found),
        Err(problem) => files.problem(problem),
    }
}

async fn blob(State(files): State<Files>, uri: Uri) -> Response {
    let read = match parse_blob(uri.path()) {
        Some(hash) => files.read(move |files| found(read_blob(files.store.as_ref(), &hash))).await,
        None => Err(StaticProblem::NotFound),
    };
    let headers =
        [(CONTENT_TYPE, OCTET_STREAM), (CACHE_CONTROL, BLOB_CACHE), (CONTENT_SECURITY_POLICY, BLOB_POLICY)];
    files.answer(read, headers)
}

async fn method(State(files): State<Files>) -> Response {
    files.problem(StaticProblem::Method)
}

impl Files {
    /// A tile or bundle, from memory or from the store.
    async fn tile(&self, path: TilePath) -> Result<Found, StaticProblem> {
        let kept = self.kept.of(&path);
        // It was published when it was read, and what is published stays.
        if let Some(found) = kept.find(&path) {
            return Ok(found);
        }
        let kept = Arc::clone(kept);
        self.read(move |files| {
            let bytes = read_tile(files, &path)?;
            let found = Found { validator: validator(&bytes), bytes };
            kept.keep(&path, &found);
            Ok(found)
        })
        .await
    }

    /// Waits for a turn, then reads on a thread that may block.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&StaticFiles) -> Result<T, StaticProblem> + Send + 'static,
    ) -> Result<T, StaticProblem> {
        let waiting = meters::QUEUE_DEPTH.one_more(&["reads"]);
        let Ok(Ok(turn)) = timeout(READ_WAIT_MAX, Arc::clone(&self.turns).acquire_owned()).await else {
            return Err(StaticProblem::Busy);
        };
        drop(waiting);
        let files = self.files.clone();
        let done = tokio::task::spawn_blocking(move || {
            let _until_read = turn;
            read(&files)
        });
        done.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a read ended without an answer");
            Err(StaticProblem::Unreadable)
        })
    }

    fn answer<const N: usize>(
        &self,
        read: Result<Bytes, StaticProblem>,
        headers: [(HeaderName, HeaderValue); N],
    ) -> Response {
        match read {
            Ok(bytes) => with_headers(bytes, headers),
            Err(problem) => self.problem(problem),
        }
    }

    fn problem(&self, problem: StaticProblem) -> Response {
        let mut response = (self.files.problem)(problem);
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, NO_STORE);
        match problem {
            StaticProblem::Method => drop(headers.insert(ALLOW, METHODS)),
            StaticProblem::Busy => drop(headers.insert(RETRY_AFTER, RETRY_SECONDS)),
            StaticProblem::NotFound | StaticProblem::Unreadable => {}
        }
        response
    }
}

/// The answer with a tile or bundle.
fn whole(Found { bytes, validator }: Found) -> Response {
    with_headers(bytes, [(CONTENT_TYPE, OCTET_STREAM), (CACHE_CONTROL, TILE_CACHE), (ETAG, validator)])
}

fn with_headers<const N: usize>(bytes: Bytes, headers: [(HeaderName, HeaderValue); N]) -> Response {
    let mut response = Response::new(Body::from(bytes));
    *response.headers_mut() = HeaderMap::from_iter(headers);
    response
}

async fn with_common_headers(mut response: Response) -> Response {
    common(&mut response);
    response
}

fn common(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

fn parse_tile(path: &str) -> Option<TilePath> {
    TilePath::parse(path.strip_prefix('/')?).ok()
}

/// The hash that a blob's address names; the address of a blob is its only one.
fn parse_blob(path: &str) -> Option<Hash> {
    let (_, hash) = path.strip_prefix("/blobs/")?.rsplit_once('/')?;
    let hash = Hash::from_hex(hash).ok()?;
    (Name::blob(&hash).as_str().strip_prefix("public") == Some(path)).then_some(hash)
}

/// A tile, from its own file or from the beginning of a wider one.
fn read_tile(files: &StaticFiles, path: &TilePath) -> Result<Bytes, StaticProblem> {
    let tile = Wanted::from(path);
    let published = tile.width_at((files.published)().size).ok_or(StaticProblem::NotFound)?;
    if tile.width > published {
        return Err(StaticProblem::NotFound);
    }
    // Its own file; else the one of the published size; else the full one, which was made before the
    // others were deleted, even if that happens between these reads.
    for width in [tile.width, published, Width::FULL] {
        let name = Name::tile(&tile.path_with(width));
        match found(files.store.get(&name)) {
            Ok(bytes) => {
                return tile.cut(bytes, width).ok_or_else(|| {
                    tracing::error!(%name, "the file is not what its name promises: torn or altered");
                    StaticProblem::Unreadable
                });
            }
            Err(StaticProblem::NotFound) => {}
            Err(problem) => return Err(problem),
        }
    }
    Err(StaticProblem::NotFound)
}

fn found(read: Result<Option<Vec<u8>>, StoreError>) -> Result<Bytes, StaticProblem> {
    match read {
        Ok(Some(bytes)) => Ok(Bytes::from(bytes)),
        Ok(None) => Err(StaticProblem::NotFound),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "cannot read a public object");
            Err(StaticProblem::Unreadable)
        }
    }
}

/// The tile or bundle that was asked for.
struct Wanted {
    /// None for a bundle of entries.
    hashes: Option<TileCoordinate>,
    index: u64,
    width: Width,
}

impl From<&TilePath> for Wanted {
    fn from(path: &TilePath) -> Self {
        match *path {
            TilePath::Hashes { coordinate, width } => {
                Self { hashes: Some(coordinate), index: coordinate.index(), width }
            }
            TilePath::Entries { index, width } => Self { hashes: None, index, width },
        }
    }
}

impl Wanted {
    fn width_at(&self, size: TreeSize) -> Option<Width> {
        match self.hashes {
            Some(coordinate) => width_of(coordinate, size),
            None => entries_width(self.index, size),
        }
    }

    fn path_with(&self, width: Width) -> TilePath {
        match self.hashes {
            Some(coordinate) => TilePath::Hashes { coordinate, width },
            None => TilePath::Entries { index: self.index, width },
        }
    }

    /// The first `self.width` hashes or entries of a file of `width`; none if it is no such file.
    fn cut(&self, bytes: Bytes, width: Width) -> Option<Bytes> {
        let end = match self.hashes {
            Some(_) => {
                let bytes_of = |width: Width| usize::try_from(width.get()).ok()?.checked_mul(HASH_BYTES);
                (bytes_of(width)? == bytes.len()).then(|| bytes_of(self.width))??
            }
            None => end_of_entries(&bytes, self.width, width)?,
        };
        (end <= bytes.len()).then(|| bytes.slice(..end))
    }
}

/// Where entry number `wanted` of a bundle ends that has exactly `all` entries; none if it has not.
fn end_of_entries(bundle: &[u8], wanted: Width, all: Width) -> Option<usize> {
    let mut count: u64 = 0;
    let mut end: usize = 0;
    let mut wanted_end = None;
    for entry in BundleReader::new(bundle) {
        count = count.checked_add(1)?;
        end = end.checked_add(2)?.checked_add(entry.ok()?.len())?;
        if count == wanted.get() {
            wanted_end = Some(end);
        }
    }
    wanted_end.filter(|_| count == all.get())
}

#[cfg(test)]
mod tests;
