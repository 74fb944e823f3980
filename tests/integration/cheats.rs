//! A server that cheats: a log that was mirrored and audited honestly up to a point goes on in ways that no log
//! may, under its own key. Mirror and audit refuse each and say which entry; the mirror's copy stays as it
//! was; and the honest twin of each is taken.

use std::path::{Path, PathBuf};

use undersigned::disk::Folder;
use undersigned::keyring::read_log_key;
use undersigned_client::Client;
use undersigned_registry::entry::Entry;
use undersigned_registry::event::Body;
use undersigned_tlog::hash::{Hash, sha256};
use undersigned_tlog::note::NoteSigner;

use crate::binary;
use crate::support::copies::{FileServer, assert_equal_copy, entries, publish_entries};
use crate::support::{Server, copy, init, listing, party, publish, say, thread_event};

const ORIGIN: &str = "test.registry.example/log";
/// Each enters and endorses; with entry 0, the sponsor, the statement and its version 264 entries, more than
/// one bundle.
const ENDORSING: u64 = 130;
/// What was mirrored and audited before the log began to cheat.
const BEFORE: usize = 200;

/// An honest log, its key, and a mirror and an audit of its beginning.
struct Scene {
    folder: tempfile::TempDir,
    entries: Vec<Vec<u8>>,
    key: NoteSigner,
    server: FileServer,
}

impl Scene {
    fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (data, trust) = init(binary(), folder.path());
        let registry = trust.registry().unwrap().clone();
        let server = Server::start(binary(), &data);
        let client = Client::new(&server.url).unwrap();
        let (statement, version) = publish(&client, &registry, 1_000_000, "pledge");
        for number in 0..ENDORSING {
            let (submission, party) = party(&registry, number);
            client.submit(&submission).unwrap();
            let body = Body::Endorse { statement, version, language: "en".to_owned(), not_after: None };
            client.submit(&thread_event(&registry, number, party, None, body).0).unwrap();
        }
        assert_eq!(server.stop().0, Some(0));
        let key = read_log_key(&Folder::open(&data, "tmp").unwrap(), "private/log.key", ORIGIN).unwrap();
        let entries = entries(&data.join("public"));
        let server = FileServer::start(folder.path());
        let scene = Self { folder, entries, key, server };
        let before = scene.log("before", &scene.entries[..BEFORE]);
        scene.server.show(&before);
        assert_eq!(scene.mirror("mirror-before").0, 0);
        assert_eq!(scene.audit("kept-before").0, 0);
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A log of these entries, with the texts of the honest one.
    fn log(&self, name: &str, entries: &[Vec<u8>]) -> PathBuf {
        let public = self.path(name);
        publish_entries(&public, ORIGIN, &self.key, entries);
        std::os::unix::fs::symlink(self.path("registry/public/blobs"), public.join("blobs")).unwrap();
        public
    }

    fn policy(&self) -> String {
        self.path("registry/registry.policy").display().to_string()
    }

    fn mirror(&self, folder: &str) -> (i32, String) {
        let data = self.path(folder).display().to_string();
        let (policy, url) = (self.policy(), &self.server.url);
        let line =
            ["mirror", "--once", "--log", "error", "--data", &data, "--from", url, "--policy", &policy];
        let (code, _, error) = say(binary(), &line);
        (code, error)
    }

    fn audit(&self, state: &str) -> (i32, String) {
        let state = self.path(state).display().to_string();
        let (code, _, error) =
            say(binary(), &["audit", &self.server.url, "--policy", &self.policy(), "--state", &state]);
        (code, error)
    }

    /// The folder of the log in a mirror.
    fn copy_of(&self, mirror: &str) -> PathBuf {
        self.path(mirror).join(sha256(&[ORIGIN.as_bytes()]).to_hex())
    }

    /// Shows a cheating log: mirror and audit refuse it with these words. Then the honest one: both take it.
    fn check(&self, kind: &str, cheating: &Path, told: &str) {
        let (mirror, kept) = (format!("mirror-{kind}"), format!("kept-{kind}"));
        copy(&self.path("mirror-before"), &self.path(&mirror));
        std::fs::copy(self.path("kept-before"), self.path(&kept)).unwrap();
        let public = self.copy_of(&mirror).join("public");
        let before = listing(&public);

        self.server.show(cheating);
        let (code, mirror_said) = self.mirror(&mirror);
        assert!(code == 1 && mirror_said.contains(told), "{kind}: {code} {mirror_said}");
        assert!(mirror_said.contains("the last good copy stays as it was"), "{mirror_said}");
        assert_eq!(listing(&public), before, "{kind}: the copy stays as it was");
        let evidence = listing(&self.copy_of(&mirror).join("private/evidence"));
        let served = std::fs::read(cheating.join("checkpoint")).unwrap();
        let served = sha256(&[&served]).to_hex();
        assert!(evidence.iter().any(|(_, hash)| *hash == served), "{kind}: {evidence:?}");
        let (code, audit_said) = self.audit(&kept);
        assert!(code == 1 && audit_said.contains(told), "{kind}: {code} {audit_said}");

        // The honest twin, with the same mirror: what was put away stays.
        let honest = self.path("honest");
        self.server.show(&honest);
        let (code, said) = self.mirror(&mirror);
        assert_eq!((code, said.as_str()), (0, ""), "{kind}");
        assert_equal_copy(&honest, &public);
        assert_eq!(listing(&public.join("tile")), listing(&honest.join("tile")), "no partial tile is left");
        assert_eq!(listing(&self.copy_of(&mirror).join("private/evidence")), evidence);
        assert_eq!(self.audit(&kept).0, 0, "{kind}");
    }
}

/// Makes a change to the text of one entry; what comes out is still an entry.
fn edited(entries: &[Vec<u8>], index: usize, from: &str, to: &str) -> Vec<Vec<u8>> {
    let mut entries = entries.to_vec();
    let text = String::from_utf8(entries[index].clone()).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    entries[index] = text.replacen(from, to, 1).into_bytes();
    Entry::parse(&entries[index]).expect("an entry");
    entries
}

#[test]
fn a_log_that_cheats_is_refused_by_mirror_and_audit_and_its_honest_twin_is_taken() {
    let scene = Scene::set();
    let honest = &scene.entries;
    scene.log("honest", honest);
    let endorses = |index: &usize| String::from_utf8_lossy(&honest[*index]).contains("\"language\":\"en\"");
    let endorsement = (BEFORE + 10..).find(endorses).unwrap();
    let received = |index: usize| Entry::parse(&honest[index]).unwrap().received;

    let log = scene.log("edit", &edited(honest, endorsement, "\"language\":\"en\"", "\"language\":\"fr\""));
    scene.check("edit", &log, &format!("entry {endorsement}: "));

    let mut entries = honest.clone();
    entries.remove(210);
    scene.check("drop", &scene.log("drop", &entries), "entry 210: ");

    let mut entries = honest.clone();
    entries.swap(210, 211);
    scene.check("reorder", &scene.log("reorder", &entries), "entry 210: ");

    let back = received(220) - 1_000;
    let entries =
        edited(honest, 220, &format!("\"received\":{}", received(220)), &format!("\"received\":{back}"));
    scene.check("back-date", &scene.log("back-date", &entries), "entry 220: the law refuses it: ");

    let state = Entry::parse(&honest[215]).unwrap().state.to_hex();
    let entries = edited(honest, 215, &state, &Hash::from_bytes([3; 32]).to_hex());
    let told = format!("entry 215: it states the state root {}", Hash::from_bytes([3; 32]));
    scene.check("state-root", &scene.log("state-root", &entries), &told);

    let log = scene.log("tile", honest);
    let mut tile = std::fs::read(log.join("tile/0/000")).unwrap();
    tile[205 * 32] ^= 1;
    std::fs::write(log.join("tile/0/000"), tile).unwrap();
    scene.check("tile", &log, "entry 205: tile/0/000 does not have the hash that follows from the entries");

    let told = "200 entries were audited, and the checkpoint that is served now has 150";
    scene.check("rollback", &scene.log("rollback", &honest[..150]), told);

    let now = received(BEFORE - 1);
    let last = (format!("\"received\":{now}"), format!("\"received\":{}", now + 1));
    let entries = edited(&honest[..BEFORE], BEFORE - 1, &last.0, &last.1);
    let told = "the log key signed two histories: the tree of 200 entries that was audited has the root ";
    scene.check("fork", &scene.log("fork", &entries), told);

    // Longer, and another one before what was mirrored.
    let now = received(100);
    let entries = edited(honest, 100, &format!("\"received\":{now}"), &format!("\"received\":{}", now + 1));
    scene.check("longer-fork", &scene.log("longer-fork", &entries), told);

    // Not the log's own doing, but of whoever serves it: an entry of the part that was mirrored before.
    let log = scene.log("copy", honest);
    let path = log.join("tile/entries/000");
    let mut bundle = std::fs::read(&path).unwrap();
    let at = bundle.windows(12).position(|part| part == b"\"received\":1").unwrap();
    bundle[at + 13] ^= 1;
    std::fs::write(&path, bundle).unwrap();
    scene.check("copy", &log, "entry 0: tile/0/000 does not have the hash");

    // Another key.
    let other = NoteSigner::from_seed(undersigned_tlog::note::KeyName::new(ORIGIN).unwrap(), &[9; 32]);
    let public = scene.path("key");
    publish_entries(&public, ORIGIN, &other.unwrap(), honest);
    scene.check("key", &public, "the checkpoint is not one that the policy trusts");
}

#[test]
fn of_a_log_that_cheats_from_the_first_entry_nothing_is_served() {
    let scene = Scene::set();
    let log = scene.log("first", &edited(&scene.entries, 5, "\"language\":\"en\"", "\"language\":\"fr\""));
    scene.server.show(&log);
    let (code, said) = scene.mirror("mirror-first");
    assert!(code == 1 && said.contains("entry 5: "), "{said}");
    let public = scene.copy_of("mirror-first").join("public");
    assert!(!public.join("checkpoint").exists());
    let files: Vec<_> = listing(&public).into_iter().map(|(path, _)| path).collect();
    assert!(files.iter().all(|path| !path.starts_with("tile")), "nothing of it is stored: {files:?}");
}
