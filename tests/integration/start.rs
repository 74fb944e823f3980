//! Starting: what is recovered, what is refused, and that a refusal changes nothing.
//!
//! Follows `docs/spec/storage.md`; each test names the rules it shows.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use undersigned_registry::receipt::Receipt;
use undersigned_registry::verify::{Trust, verify};

use crate::binary;
use crate::support::{Server, WITHOUT_RATES, copy, init, listing, party, say};

/// A stopped registry with some entries, its receipts, and its trust anchor.
struct Stopped {
    _folder: tempfile::TempDir,
    data: PathBuf,
    trust: Trust,
    receipts: Vec<Vec<u8>>,
}

/// Makes a registry of `parties` entries beside entry 0 and ends it, in order or by SIGKILL.
fn stopped(parties: u64, in_order: bool) -> Stopped {
    let folder = tempfile::tempdir().unwrap();
    let (data, trust) = init(binary(), folder.path());
    let server = Server::start(binary(), &data);
    let client = server.client();
    let receipts = (0..parties)
        .map(|number| client.submit(&party(trust.registry().unwrap(), number).0).unwrap().receipt)
        .collect();
    if in_order {
        assert_eq!(server.stop().0, Some(0));
    } else {
        server.kill();
    }
    Stopped { _folder: folder, data, trust, receipts }
}

impl Stopped {
    /// It starts, and every receipt still stands.
    fn check_starts(&self, data: &Path) {
        let server = Server::start(binary(), data);
        let client = server.client();
        for receipt in &self.receipts {
            let old = verify(&Receipt::parse(receipt).unwrap(), &self.trust).unwrap();
            let bytes = client.receipt(&old.event_hash.to_string()).unwrap();
            let new = verify(&Receipt::parse(&bytes).unwrap(), &self.trust).unwrap();
            assert_eq!((new.index, new.event_hash), (old.index, old.event_hash));
        }
        server.kill();
    }

    /// It is refused with exit code 4 and these words, and nothing on the disk has changed.
    fn check_refused(&self, data: &Path, words: &[&str]) {
        let before = listing(data);
        let said = Server::try_start(binary(), data, &[]).err().expect("the start is refused");
        assert!(said.starts_with("exit 4: "), "{said}");
        for word in words {
            assert!(said.contains(word), "{word:?} is not in: {said}");
        }
        assert!(
            said.contains("\"next\":\"") && !said.contains("\"next\":\"\""),
            "it says what to do: {said}"
        );
        let after: Vec<_> = listing(data).into_iter().filter(|(path, _)| !is_passing(path)).collect();
        let before: Vec<_> = before.into_iter().filter(|(path, _)| !is_passing(path)).collect();
        assert_eq!(after, before, "a refusal changes nothing");
    }

    fn batches(&self) -> Vec<PathBuf> {
        let mut batches: Vec<PathBuf> =
            fs::read_dir(self.data.join("private/batch")).unwrap().map(|item| item.unwrap().path()).collect();
        batches.sort();
        batches
    }
}

/// Locks, and files in the making that a killed process left: a start takes them away, whatever comes of it.
fn is_passing(path: &Path) -> bool {
    path.ends_with("lock") || path.starts_with("private/tmp") || path.starts_with("private/guard/tmp")
}

/// SO-4, SO-20: a wrong path, an empty folder (a volume that is not mounted), another version, a second
/// process, an occupied port.
#[test]
fn what_is_no_data_folder_of_ours_is_refused() {
    let registry = stopped(1, true);
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent");
    let said = Server::try_start(binary(), &absent, &[]).err().unwrap();
    assert!(
        said.contains("exit 4") && said.contains("holds no registry") && said.contains("mounted"),
        "{said}"
    );
    assert!(!absent.exists(), "serving makes nothing");
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let said = Server::try_start(binary(), &empty, &[]).err().unwrap();
    assert!(said.contains("holds no registry"), "{said}");
    assert!(listing(&empty).is_empty(), "serving makes nothing");
    let other = folder.path().join("other");
    copy(&registry.data, &other);
    fs::write(other.join("private/format"), "{\"data\":2,\"registry\":\"x\"}\n").unwrap();
    registry.check_refused(&other, &["version", "use the program that wrote it"]);
    fs::remove_file(other.join("private/format")).unwrap();
    registry.check_refused(&other, &["holds no registry"]);
    let server = Server::start(binary(), &registry.data);
    let said = Server::try_start(binary(), &registry.data, &[]).err().unwrap();
    assert!(said.contains("exit 4") && said.contains("another process"), "{said}");
    let address = server.url.trim_start_matches("http://").to_owned();
    let (code, _, error) = say(binary(), &["serve", "--data", other.to_str().unwrap(), "--listen", &address]);
    assert!(code == 4 && error.contains("--listen"), "{error}");
    server.kill();
    registry.check_starts(&registry.data);
}

/// SO-3: a folder that cannot be written is refused with the reason.
#[test]
fn a_read_only_mount_is_refused() {
    let registry = stopped(1, true);
    let data = registry.data.to_str().unwrap();
    let script = format!(
        "mount --bind {data} {data} && mount -o remount,ro,bind {data} && exec {} serve --listen 127.0.0.1:0 --data {data}",
        binary().display()
    );
    let output = Command::new("unshare").args(["-m", "sh", "-c", &script]).output();
    let Some(output) = output.ok().filter(|output| output.status.code() != Some(1)) else {
        println!("skipped: no private mounts here (unshare -m needs root)");
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("Read-only") && said.contains("read-write"), "{said}");
    registry.check_starts(&registry.data);
}

/// SO-30: `init` again is refused on a whole registry, and finishes a half-made one.
#[test]
fn init_never_overwrites_and_finishes_what_was_cut_off() {
    let registry = stopped(1, true);
    let data = registry.data.to_str().unwrap();
    let before = listing(&registry.data);
    let (code, _, error) = say(binary(), &["init", "--origin", "test.registry.example/log", "--data", data]);
    assert!(code == 4 && error.contains("already holds the registry"), "{error}");
    assert_eq!(listing(&registry.data), before);
    // Cut off after entry 0 was committed, before the format file: the same registry comes out.
    let folder = tempfile::tempdir().unwrap();
    let (half, trust) = init(binary(), folder.path());
    fs::remove_file(half.join("private/format")).unwrap();
    let said = Server::try_start(binary(), &half, &[]).err().unwrap();
    assert!(said.contains("holds no registry"), "{said}");
    let half_text = half.to_str().unwrap();
    let (code, _, error) =
        say(binary(), &["init", "--origin", "other.registry.example/log", "--data", half_text]);
    assert_eq!(code, 4, "another origin is refused: {error}");
    let (code, out, error) =
        say(binary(), &["init", "--origin", "test.registry.example/log", "--data", half_text, "--json"]);
    assert_eq!(code, 0, "{error}");
    assert!(out.contains(&trust.registry().unwrap().to_text()), "the same registry: {out}");
    // Cut off earlier, with only the keys made.
    let keys_only = folder.path().join("keys");
    fs::create_dir_all(keys_only.join("private")).unwrap();
    fs::copy(half.join("private/log.key"), keys_only.join("private/log.key")).unwrap();
    let (code, _, error) = say(
        binary(),
        &["init", "--origin", "test.registry.example/log", "--data", keys_only.to_str().unwrap()],
    );
    assert_eq!(code, 0, "{error}");
    Server::start(binary(), &keys_only).kill();
}

/// SO-30: `init` killed at any moment leaves what `init` can finish, or nothing.
#[test]
fn init_killed_half_way_is_finished_by_init() {
    for microseconds in (0..12_000).step_by(800) {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("registry");
        let arguments = ["init", "--origin", "test.registry.example/log", "--data", data.to_str().unwrap()];
        let mut child = Command::new(binary())
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // The moment is what the test is about.
        std::thread::park_timeout(Duration::from_micros(microseconds));
        child.kill().unwrap();
        child.wait().unwrap();
        let (code, _, error) = say(binary(), &arguments);
        assert!(code == 0 || error.contains("already holds"), "killed after {microseconds} us: {error}");
        Server::start(binary(), &data).kill();
    }
}

/// SO-29, R6: an index that is missing, damaged, or of another log is built anew.
#[test]
fn an_index_is_a_cache() {
    let registry = stopped(5, true);
    registry.check_starts(&registry.data);
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    copy(&registry.data, &missing);
    fs::remove_dir_all(missing.join("private/index")).unwrap();
    registry.check_starts(&missing);
    let damaged = folder.path().join("damaged");
    copy(&registry.data, &damaged);
    fs::write(damaged.join("private/index-clean"), "closed in order\n").unwrap();
    for item in fs::read_dir(damaged.join("private/index")).unwrap() {
        let path = item.unwrap().path();
        if path.is_file() {
            fs::write(path, [0xa5; 4_096]).unwrap();
        }
    }
    registry.check_starts(&damaged);
    // An index that is ahead of the log, as after a restored backup: that of a longer log.
    let longer = stopped(9, true);
    let ahead = folder.path().join("ahead");
    copy(&registry.data, &ahead);
    fs::remove_dir_all(ahead.join("private/index")).unwrap();
    copy(&longer.data.join("private/index"), &ahead.join("private/index"));
    fs::write(ahead.join("private/index-clean"), "closed in order\n").unwrap();
    registry.check_starts(&ahead);
}

/// SO-13, SO-27: a batch above what was signed that is torn or foreign is refused and may be moved away;
/// below it must be restored.
#[test]
fn a_batch_that_does_not_replay_is_refused() {
    let registry = stopped(4, false);
    let next = registry.data.join("private/batch").join(format!("{:020}", 5));
    for (bytes, word) in [(&b""[..], "not a whole batch"), (&[0u8; 300][..], "not a whole batch")] {
        fs::write(&next, bytes).unwrap();
        registry.check_refused(&registry.data, &[word, "undersigned repair batch"]);
    }
    // A batch of another log, whole, at the right size.
    let other = stopped(6, false);
    let foreign = other.batches().into_iter().find(|path| path.ends_with(format!("{:020}", 5))).unwrap();
    fs::copy(&foreign, &next).unwrap();
    registry.check_refused(&registry.data, &["another tree", "undersigned repair batch"]);
    fs::remove_file(&next).unwrap();
    registry.check_starts(&registry.data);
    // Torn below the guard, with the settled marker taken back to before it.
    let registry = stopped(4, false);
    let settled = registry.data.join("private/settled");
    let empty_root = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    fs::write(&settled, format!("{{\"root\":\"{empty_root}\",\"size\":0}}\n")).unwrap();
    let batches = registry.batches();
    let whole = fs::read(&batches[2]).unwrap();
    fs::write(&batches[2], &whole[..whole.len() / 2]).unwrap();
    let said = Server::try_start(binary(), &registry.data, &[]).err().expect("refused");
    assert!(said.contains("not a whole batch") && said.contains("restore this file"), "{said}");
    fs::write(&batches[2], whole).unwrap();
    registry.check_starts(&registry.data);
}

/// SO-21, SO-23: tiles in the range of a kept batch are written from it again; others are refused.
#[test]
fn torn_tiles_are_repaired_from_their_batch_or_refused() {
    let registry = stopped(4, false);
    let empty_root = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let folder = tempfile::tempdir().unwrap();
    let torn = folder.path().join("torn");
    copy(&registry.data, &torn);
    fs::write(torn.join("private/settled"), format!("{{\"root\":\"{empty_root}\",\"size\":0}}\n")).unwrap();
    fs::write(torn.join("public/tile/0/000.p/5"), "").unwrap();
    fs::write(torn.join("public/tile/entries/000.p/5"), vec![0; 900]).unwrap();
    fs::write(torn.join("public/checkpoint"), "").unwrap();
    registry.check_starts(&torn);
    // Without the batch nothing says what the tile was.
    let lost = folder.path().join("lost");
    copy(&registry.data, &lost);
    // The settle loop may not have come as far before the kill.
    registry.check_starts(&lost);
    fs::write(lost.join("public/tile/0/000.p/5"), "").unwrap();
    registry.check_refused(&lost, &["public/tile/0/000.p/5", "damaged", "backup"]);
    fs::remove_file(lost.join("public/tile/0/000.p/5")).unwrap();
    registry.check_refused(&lost, &["public/tile/0/000.p/5", "missing", "backup"]);
}

/// SO-17, SO-25, SO-26: the guard and the published checkpoint.
#[test]
fn a_guard_or_checkpoint_that_does_not_fit_is_refused() {
    let registry = stopped(3, true);
    let folder = tempfile::tempdir().unwrap();
    let guard = |data: &Path| data.join("private/guard/guard");
    let without = folder.path().join("without");
    copy(&registry.data, &without);
    fs::remove_file(guard(&without)).unwrap();
    registry.check_refused(&without, &["no guard", "undersigned repair guard"]);
    let line = fs::read_to_string(guard(&registry.data)).unwrap();
    let ahead = folder.path().join("ahead");
    copy(&registry.data, &ahead);
    fs::write(guard(&ahead), line.replace("\"size\":4", "\"size\":9")).unwrap();
    registry.check_refused(&ahead, &["ends at size 4", "size 9 was signed"]);
    let fork = folder.path().join("fork");
    copy(&registry.data, &fork);
    let root_at = line.find("\"root\":\"").unwrap() + 8;
    let mut other = line.clone();
    other.replace_range(
        root_at..root_at + 4,
        if line[root_at..].starts_with("0000") { "1111" } else { "0000" },
    );
    fs::write(guard(&fork), other).unwrap();
    registry.check_refused(&fork, &["another tree"]);
    let foreign = folder.path().join("foreign");
    copy(&registry.data, &foreign);
    fs::copy(stopped(1, true).data.join("public/checkpoint"), foreign.join("public/checkpoint")).unwrap();
    registry.check_refused(&foreign, &["public/checkpoint", "another log"]);
    // An older copy of the folder under the newer guard.
    let older = folder.path().join("older");
    copy(&registry.data, &older);
    let server = Server::start(binary(), &registry.data);
    server.client().submit(&party(registry.trust.registry().unwrap(), 77).0).unwrap();
    server.stop();
    fs::copy(guard(&registry.data), guard(&older)).unwrap();
    fs::copy(registry.data.join("public/checkpoint"), older.join("public/checkpoint")).unwrap();
    registry.check_refused(&older, &["ends at size 4", "size 5 was signed", "backup"]);
    registry.check_starts(&registry.data);
}

/// SO-15: a stop in order, also while somebody has sent half a header, ends within ten seconds with
/// everything answered.
#[test]
fn a_stop_in_order_answers_everybody() {
    let folder = tempfile::tempdir().unwrap();
    let (data, trust) = init(binary(), folder.path());
    let server = Server::start(binary(), &data);
    let registry = trust.registry().unwrap().clone();
    let address = server.url.trim_start_matches("http://").to_owned();
    let mut half = std::net::TcpStream::connect(&address).unwrap();
    half.write_all(b"POST /v1/entries HTTP/1.1\r\nHost: x\r\nContent-").unwrap();
    let writers: Vec<_> = (0..4u64)
        .map(|writer| {
            let (client, registry) = (server.client().with_pause(|_| {}), registry.clone());
            std::thread::spawn(move || {
                let mut receipts = Vec::new();
                for number in 0.. {
                    match client.submit(&party(&registry, writer * 100_000 + number).0) {
                        Ok(submitted) => receipts.push(submitted.receipt),
                        Err(_) => return receipts,
                    }
                }
                receipts
            })
        })
        .collect();
    // Under load: some entries are there.
    while server.client().registry().unwrap().tree_size < 20 {
        std::thread::yield_now();
    }
    let (code, took) = server.stop();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");
    let receipts: Vec<Vec<u8>> = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
    let closed = fs::read_to_string(data.join("private/index-clean")).unwrap();
    assert_eq!(closed, "closed in order\n", "the index was closed in order");
    let stopped = Stopped { _folder: folder, data: data.clone(), trust, receipts };
    stopped.check_starts(&data);
}

/// SO-31: after an end that was not in order, a blob that came with a batch that was not committed is gone, and the
/// others stay: those that an entry names, and those that nobody listed.
#[test]
fn orphaned_blobs_are_swept_after_an_unclean_end() {
    let registry = stopped(3, false);
    let orphan = |byte: &str| {
        let path = registry.data.join(format!("public/blobs/{byte}/{byte}/{}", byte.repeat(32)));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "nobody names this").unwrap();
        path
    };
    let (listed, unlisted) = (orphan("ab"), orphan("cd"));
    let blobs = |data: &Path| listing(&data.join("public/blobs"));
    let before = blobs(&registry.data);
    // The list of a process that ended before it committed, and which also names what is in the log.
    let named =
        before.iter().filter_map(|(path, _)| path.file_name()?.to_str().map(|hex| format!("\"{hex}\"")));
    let named: Vec<String> = named.filter(|hex| !hex.contains(&"cd".repeat(32))).collect();
    let list = format!("{{\"blobs\":[{}],\"old_size\":0}}\n", named.join(","));
    fs::write(registry.data.join("private/new-blobs/list"), list).unwrap();
    registry.check_starts(&registry.data);
    assert!(!listed.exists(), "the orphan is gone");
    assert!(unlisted.exists(), "a blob that no process listed is nobody's to delete");
    assert_eq!(blobs(&registry.data).len(), before.len() - 1, "the blobs of entries stay");
}

/// SO-24: the signatures of a batch that was never signed by the log are checked before it is built on.
#[test]
fn a_batch_above_the_guard_is_checked_whole() {
    let registry = stopped(3, true);
    let folder = tempfile::tempdir().unwrap();
    let earlier = folder.path().join("earlier");
    copy(&registry.data, &earlier);
    let server = Server::start(binary(), &registry.data);
    server.client().submit(&party(registry.trust.registry().unwrap(), 50).0).unwrap();
    server.stop();
    // The folder as it was, and the batch that came after: committed, not signed.
    let name = format!("private/batch/{:020}", 4);
    let batch = fs::read(registry.data.join(&name)).unwrap();
    let honest = folder.path().join("honest");
    copy(&earlier, &honest);
    fs::write(honest.join(&name), &batch).unwrap();
    let server = Server::start(binary(), &honest);
    assert_eq!(server.client().registry().unwrap().tree_size, 5, "a committed batch is applied");
    server.kill();
    // Its negative twin: one letter of the signature is another.
    let mark = b"\"signature\":\"";
    let at = batch.windows(mark.len()).position(|window| window == mark).unwrap() + mark.len();
    let mut altered = batch;
    altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
    fs::write(earlier.join(&name), altered).unwrap();
    registry.check_refused(&earlier, &["does not replay at entry 4", "signature", "repair batch"]);
}

/// SO-5, SO-15: every barrier of a commit, in order, as the kernel saw them.
#[test]
fn each_step_of_a_commit_is_durable_before_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let data = folder.path().join("registry");
    let traced = Command::new("strace")
        .args(["-f", "-y", "-e", "trace=fsync,renameat2,renameat", "-o", trace.to_str().unwrap()])
        .arg(binary())
        .args(["init", "--origin", "trace.registry.example/log", "--data", data.to_str().unwrap()])
        .stdout(Stdio::null())
        .status();
    if !traced.is_ok_and(|status| status.success()) {
        println!("skipped: strace does not work here");
        return;
    }
    let text = fs::read_to_string(&trace).unwrap();
    let root = data.to_str().unwrap();
    // One thread is the sequencer: the one that makes the batch.
    let batch_line =
        text.lines().find(|line| line.contains("private/batch>") && line.contains("rename")).unwrap();
    let thread = batch_line.split(' ').next().unwrap();
    let steps: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with(thread) && line.contains('(') && line.contains(root))
        .collect();
    let position = |what: &dyn Fn(&str) -> bool, name: &str| {
        steps
            .iter()
            .position(|line| what(line))
            .unwrap_or_else(|| panic!("no {name} in:\n{}", steps.join("\n")))
    };
    let batch =
        position(&|line| line.contains("rename") && line.contains("private/batch>"), "rename of the batch");
    let temporary = steps[batch].split('"').nth(1).unwrap();
    assert!(
        steps[..batch].iter().any(|line| line.contains("fsync") && line.contains(temporary)),
        "the batch's bytes first"
    );
    let directory = position(
        &|line| line.contains("fsync") && line.contains("private/batch>"),
        "fsync of the batch's folder",
    );
    let guard =
        position(&|line| line.contains("rename") && line.contains("private/guard"), "rename of the guard");
    let guarded =
        steps.iter().rposition(|line| line.contains("fsync") && line.contains("private/guard>")).unwrap();
    let tile = position(&|line| line.contains("rename") && line.contains("public/tile"), "rename of a tile");
    let order = [batch, directory, guard, guarded, tile];
    assert!(order.windows(2).all(|pair| pair[0] < pair[1]), "{order:?} in:\n{}", steps.join("\n"));
}

/// SO-21: an old file far from the edge of the tree that was lost or damaged, when its batch is long gone.
///
/// The start once read the right edge and the last bundle alone, so such a log was served, and the damage
/// came to light when somebody asked for a proof through it.
#[test]
fn damage_far_from_the_edge_is_found_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let (data, trust) = init(binary(), folder.path());
    let server = Server::try_start(binary(), &data, WITHOUT_RATES).unwrap();
    let registry = trust.registry().unwrap().clone();
    let senders: Vec<_> = (0..8u64)
        .map(|sender| {
            let (client, registry) = (server.client(), registry.clone());
            std::thread::spawn(move || {
                (0..33).for_each(|number| {
                    drop(client.submit(&party(&registry, sender * 100 + number).0).unwrap())
                })
            })
        })
        .collect();
    senders.into_iter().for_each(|sender| sender.join().unwrap());
    // Enough batches, one after another, that those of the first bundle are deleted.
    let receipts = (0..80)
        .map(|number| server.client().submit(&party(&registry, 5_000 + number).0).unwrap().receipt)
        .collect();
    assert_eq!(server.stop().0, Some(0));
    let registry = Stopped { _folder: folder, data, trust, receipts };
    assert!(!registry.data.join(format!("private/batch/{:020}", 0)).exists(), "the first batch is gone");
    for (name, damage, words) in [
        ("public/tile/0/000", None, ["public/tile/0/000", "missing"]),
        ("public/tile/0/000", Some(vec![0; 8_192]), ["public/tile/0/000", "damaged"]),
        ("public/tile/entries/000", None, ["public/tile/entries/000", "missing"]),
        ("public/tile/entries/000", Some(Vec::new()), ["public/tile/entries/000", "damaged"]),
    ] {
        let whole = fs::read(registry.data.join(name)).unwrap();
        fs::remove_file(registry.data.join(name)).unwrap();
        if let Some(bytes) = damage {
            fs::write(registry.data.join(name), bytes).unwrap();
        }
        registry.check_refused(&registry.data, &words);
        fs::write(registry.data.join(name), whole).unwrap();
    }
    // One letter of an old signature: the entry parses, and the law, which trusts old signatures, agrees.
    let name = registry.data.join("public/tile/entries/000");
    let whole = fs::read(&name).unwrap();
    let mark = b"\"signature\":\"";
    let at = whole.windows(mark.len()).position(|window| window == mark).unwrap() + mark.len();
    let mut altered = whole.clone();
    altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
    fs::write(&name, altered).unwrap();
    registry.check_refused(&registry.data, &["public/tile/entries/000", "public/tile/0/000", "backup"]);
    fs::write(&name, whole).unwrap();
    registry.check_starts(&registry.data);
}

/// SO-27: a batch below a checkpoint that was published must be restored, also where the guard is an older
/// copy and knows nothing of it: the advice to move it away would lose what people hold receipts for.
#[test]
fn what_was_published_is_never_called_unsigned() {
    let registry = stopped(2, true);
    let old_guard = fs::read(registry.data.join("private/guard/guard")).unwrap();
    let old_settled = fs::read(registry.data.join("private/settled")).unwrap();
    let server = Server::start(binary(), &registry.data);
    server.client().submit(&party(registry.trust.registry().unwrap(), 50).0).unwrap();
    server.stop();
    fs::write(registry.data.join("private/guard/guard"), old_guard).unwrap();
    fs::write(registry.data.join("private/settled"), old_settled).unwrap();
    let batch = registry.data.join(format!("private/batch/{:020}", 3));
    let whole = fs::read(&batch).unwrap();
    fs::write(&batch, &whole[..100]).unwrap();
    registry.check_refused(&registry.data, &["not a whole batch", "restore this file"]);
    fs::remove_file(&batch).unwrap();
    registry.check_refused(&registry.data, &["ends at size 3", "size 4 was signed"]);
    fs::write(&batch, whole).unwrap();
    registry.check_starts(&registry.data);
}

/// A blob that rotted on the disk is written again when somebody sends the same words.
///
/// The log once stopped at it, at every try: a stranger could end the registry by entering under the name
/// of a party whose blob was damaged.
#[test]
fn a_damaged_blob_is_repaired_by_whoever_sends_it_again() {
    let registry = stopped(1, true);
    let id = registry.trust.registry().unwrap().clone();
    let (submission, _) = party(&id, 0);
    let hex = submission.envelope.event().blobs()[0].sha256.to_hex();
    let blob = registry.data.join("public/blobs").join(&hex[..2]).join(&hex[2..4]).join(&hex);
    let server = Server::start(binary(), &registry.data);
    fs::write(&blob, "rotten").unwrap();
    // Another party with the same name, so that the same blob is stored once more.
    let (_, twin) = party(&id, 1);
    let mut event =
        undersigned_registry::event::Event::parse(party(&id, 1).0.envelope.event_bytes()).unwrap();
    let names = submission.envelope.event().blobs()[0];
    if let undersigned_registry::event::Body::PartyCreate { names: own, .. } = &mut event.body {
        own[0].text = names;
    }
    let (again, hash) = crate::support::sign(&event, &[&crate::support::key(1)], submission.blobs.clone());
    assert_ne!(hash.0, twin.0, "it is another event");
    server.client().submit(&again).expect("the log goes on");
    assert_eq!(fs::read(&blob).unwrap(), submission.blobs[0], "the blob is whole again");
    assert_eq!(server.stop().0, Some(0));
}
