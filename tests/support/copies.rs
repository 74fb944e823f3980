//! Logs as static files: publishing entries under a log key, a web server over a folder that can be exchanged
//! while it runs, and whether a copy has every file that a checkpoint implies.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use undersigned_tlog::checkpoint::{Checkpoint, Origin, SignedCheckpoint};
use undersigned_tlog::edge::Frontier;
use undersigned_tlog::hash::{Hash, leaf_hash};
use undersigned_tlog::note::NoteSigner;
use undersigned_tlog::tile::{Bundle, TilePath, Width, bundle_append, entries_width, tiles_of};
use undersigned_tlog::tree::TreeSize;

/// A web server with the static files of a folder.
pub struct FileServer {
    /// Where it serves.
    pub url: String,
    root: Arc<Mutex<PathBuf>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl FileServer {
    /// Serves a folder.
    pub fn start(root: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let root = Arc::new(Mutex::new(root.to_owned()));
        let stop = Arc::new(AtomicBool::new(false));
        let (shared, stopping) = (Arc::clone(&root), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopping.load(Ordering::SeqCst) {
                    return;
                }
                let root = shared.lock().unwrap().clone();
                let Ok(stream) = stream else { continue };
                // The client may go at any time.
                std::thread::spawn(move || drop(answer(&root, stream)));
            }
        });
        Self { url, root, stop, thread: Some(thread) }
    }

    /// Serves another folder from now on.
    pub fn show(&self, root: &Path) {
        *self.root.lock().unwrap() = root.to_owned();
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the loop.
        drop(TcpStream::connect(self.url.trim_start_matches("http://")));
        drop(self.thread.take().map(JoinHandle::join));
    }
}

fn answer(root: &Path, mut stream: TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    // To the empty line: closing on unread bytes would reset the connection.
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let path = first.split(' ').nth(1).unwrap_or("/").trim_start_matches('/');
    let (status, body) = match std::fs::read(root.join(path)) {
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body)
}

/// The entries of a log that lies in a `public` folder.
pub fn entries(public: &Path) -> Vec<Vec<u8>> {
    let checkpoint = std::fs::read_to_string(public.join("checkpoint")).unwrap();
    let size = TreeSize::new(checkpoint.lines().nth(1).unwrap().parse().unwrap());
    let mut all = Vec::new();
    for index in 0..size.get().div_ceil(256) {
        let width = entries_width(index, size).unwrap();
        let path = TilePath::Entries { index, width }.to_string();
        let bytes = std::fs::read(public.join(path)).unwrap();
        all.extend(Bundle::parse(&bytes).unwrap().into_iter().map(<[u8]>::to_vec));
    }
    all
}

/// Publishes entries as a log would, under its key.
pub fn publish_entries(public: &Path, origin: &str, signer: &NoteSigner, entries: &[Vec<u8>]) {
    let leaves: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
    let extension = Frontier::new().append(&leaves).unwrap();
    for (coordinate, tile) in &extension.tiles {
        let path = TilePath::Hashes { coordinate: *coordinate, width: tile.width() };
        write(public, &path.to_string(), tile.bytes());
    }
    for (index, entries) in (0..).zip(entries.chunks(256)) {
        let width = Width::new(u64::try_from(entries.len()).unwrap()).unwrap();
        let mut bytes = Vec::new();
        entries.iter().for_each(|entry| bundle_append(&mut bytes, entry).unwrap());
        write(public, &TilePath::Entries { index, width }.to_string(), &bytes);
    }
    let (size, root) = (extension.frontier.size(), extension.frontier.root());
    let checkpoint = Checkpoint::new(Origin::new(origin).unwrap(), size, root).unwrap();
    write(public, "checkpoint", &SignedCheckpoint::sign(checkpoint, signer).unwrap().bytes());
}

fn write(public: &Path, path: &str, bytes: &[u8]) {
    let path = public.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// Every path that the checkpoint of a log implies, and every blob, is the same file in a copy; says how many.
pub fn assert_equal_copy(public: &Path, copy: &Path) -> usize {
    let checkpoint = std::fs::read_to_string(public.join("checkpoint")).unwrap();
    let size = TreeSize::new(checkpoint.lines().nth(1).unwrap().parse().unwrap());
    let mut paths = vec!["checkpoint".to_owned()];
    paths
        .extend(tiles_of(size).map(|(coordinate, width)| TilePath::Hashes { coordinate, width }.to_string()));
    paths
        .extend((0..size.get().div_ceil(256)).map(|index| {
            TilePath::Entries { index, width: entries_width(index, size).unwrap() }.to_string()
        }));
    let blobs = super::listing(&public.join("blobs"));
    paths.extend(blobs.iter().map(|(path, _)| format!("blobs/{}", path.display())));
    for path in &paths {
        let there = std::fs::read(public.join(path)).unwrap_or_else(|error| panic!("log: {path}: {error}"));
        let here = std::fs::read(copy.join(path)).unwrap_or_else(|error| panic!("mirror: {path}: {error}"));
        assert!(there == here, "{path} differs");
    }
    assert_eq!(super::listing(&copy.join("blobs")), blobs, "no blob but those of the log");
    paths.len()
}
