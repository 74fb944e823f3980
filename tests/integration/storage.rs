//! The storage fault table of `docs/operations.md`: each line on a copy of one real data folder.
//!
//! The names of the faults and what `serve` says are read from the table, so that table and program cannot
//! drift apart. After each fault the table's advice is followed, and the log must then serve every receipt
//! it gave and pass an audit.

mod cases;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use undersigned_registry::receipt::Receipt;
use undersigned_registry::verify::{Trust, verify};

use self::cases::{batch, change};
use crate::binary;
use crate::support::{
    Logged, Server, WITHOUT_RATES, assert_says, copy, init, listing, operations_table, party, say,
};

/// Entries of the folder: entry 0, a full bundle and more by eight senders, and after them enough batches
/// of one entry that those of the first bundle are deleted.
const SIZE: u64 = 1 + 8 * 33 + 80;
/// The batch of the newest entry.
const NEWEST_BATCH: &str = "private/batch/00000000000000000344";
const ORIGIN: &str = "test.registry.example/log";
const TILE: &str = "public/tile/0/000";
const BUNDLE: &str = "public/tile/entries/000";
const CHECKPOINT: &str = "public/checkpoint";
const LOG_KEY: &str = "private/log.key";
const GUARD: &str = "private/guard/guard";

/// A stopped registry, the same one an entry later, and another one of the same origin.
struct Bench {
    folder: tempfile::TempDir,
    data: PathBuf,
    trust: Trust,
    receipts: Vec<Vec<u8>>,
    later: PathBuf,
    other: PathBuf,
}

/// What the operator does, by the table.
enum Mend {
    /// Nothing: it starts.
    Starts,
    /// As above, with so many entries more.
    StartsLonger,
    /// Copies these files back from the backup.
    Restore(&'static [&'static str]),
    /// Moves this file away.
    Remove(&'static str),
    /// `repair batch`, which moves so many.
    SetAside(usize),
    /// `repair guard` with the newest receipt, after moving away what is left of the old one.
    MakeGuard,
    /// Gets the rest of the log from where it is.
    CatchUp,
}

/// One fault.
struct Case {
    name: &'static str,
    damage: fn(&Bench, &Path),
    /// What stands for the words in `<>`.
    fill: Vec<(&'static str, String)>,
    mend: Mend,
    /// Whether `audit` of the damaged folder must not end well.
    audit_fails: bool,
}

impl Bench {
    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (data, trust) = init(binary(), folder.path());
        let registry = trust.registry().unwrap().clone();
        let server = Server::try_start(binary(), &data, WITHOUT_RATES).unwrap();
        std::thread::scope(|scope| {
            for sender in 0..8u64 {
                let (client, registry) = (server.client(), &registry);
                scope.spawn(move || {
                    for number in 0..33 {
                        drop(client.submit(&party(registry, sender * 100 + number).0).unwrap());
                    }
                });
            }
        });
        let client = server.client();
        let receipts: Vec<Vec<u8>> = (0..80)
            .map(|number| client.submit(&party(&registry, 5_000 + number).0).unwrap().receipt)
            .collect();
        assert_eq!(server.stop().0, Some(0));
        assert!(!data.join("private/batch").join(format!("{:020}", 0)).exists(), "the first batch is gone");
        let later = folder.path().join("later");
        copy(&data, &later);
        let server = Server::start(binary(), &later);
        server.client().submit(&party(&registry, 9_000).0).unwrap();
        assert_eq!(server.stop().0, Some(0));
        let elsewhere = folder.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        let (other, other_trust) = init(binary(), &elsewhere);
        let server = Server::start(binary(), &other);
        server.client().submit(&party(other_trust.registry().unwrap(), 1).0).unwrap();
        assert_eq!(server.stop().0, Some(0));
        Self { folder, data, trust, receipts, later, other }
    }

    /// The log serves every receipt that it gave, and an audit of the folder is green.
    fn check_whole(&self, data: &Path, size: u64, name: &str) {
        let running =
            Logged::start(binary(), data, &[]).unwrap_or_else(|said| panic!("{name}: refused: {said:?}"));
        let client = running.client();
        assert_eq!(client.registry().unwrap().tree_size, size, "{name}");
        for receipt in self.receipts.iter().step_by(20) {
            let old = verify(&Receipt::parse(receipt).unwrap(), &self.trust).unwrap();
            let bytes = client.receipt(&old.event_hash.to_string()).unwrap();
            let new = verify(&Receipt::parse(&bytes).unwrap(), &self.trust).unwrap();
            assert_eq!((new.index, new.event_hash), (old.index, old.event_hash), "{name}");
        }
        // Looked up, so that the index is whole, too.
        assert_eq!(client.parties_by_domain("org-5000.example").unwrap().claimed_by.len(), 1, "{name}");
        drop(running);
        let (code, said, error) = self.audit(data);
        assert!(code == 0 && said.contains("GREEN"), "{name}: {said}{error}");
    }

    fn audit(&self, data: &Path) -> (i32, String, String) {
        let policy = self.data.join("registry.policy");
        say(binary(), &["audit", data.to_str().unwrap(), "--policy", policy.to_str().unwrap()])
    }

    fn check(&self, case: &Case, says: &str) {
        let name = case.name;
        let folder = self.folder.path().join("copy");
        let data = folder.join("registry");
        copy(&self.data, &data);
        (case.damage)(self, &data);
        if case.audit_fails {
            let (code, said, _) = self.audit(&data);
            assert!(code != 0 && !said.contains("GREEN"), "{name}: {said}");
        }
        let before = listing(&data);
        let started = Logged::start(binary(), &data, &[]);
        let mut fill = case.fill.clone();
        fill.push(("data", data.display().to_string()));
        match (says.strip_prefix("refuses: "), started) {
            (Some(template), Err(said)) => {
                assert_eq!(said.code, 4, "{name}");
                assert_says(&said.error, template, &fill, name);
                assert!(!said.next.is_empty(), "{name}: it says what to do next");
                assert_eq!(lasting(listing(&data)), lasting(before), "{name}: a refusal changes nothing");
            }
            (None, Ok(running)) => {
                let expected = says.strip_prefix("starts, and logs ");
                assert!(expected.is_some() || says == "starts", "{name}: {says}");
                running.stop();
                let log = Logged::log(&data);
                assert!(log.contains(expected.map_or("", |words| words.trim_matches('`'))), "{name}: {log}");
            }
            (_, Err(said)) => panic!("{name}: refused: {said:?}"),
            (_, Ok(_)) => panic!("{name}: it started"),
        }
        let mut size = SIZE;
        match &case.mend {
            Mend::Starts => {}
            Mend::StartsLonger => size += 1,
            Mend::Restore(files) => {
                for file in *files {
                    let target = data.join(file);
                    if self.data.join(file).is_dir() {
                        copy(&self.data.join(file), &target);
                    } else {
                        fs::copy(self.data.join(file), target).unwrap();
                    }
                }
            }
            Mend::Remove(file) => fs::remove_file(data.join(file)).unwrap(),
            Mend::SetAside(count) => {
                let (code, said, error) =
                    say(binary(), &["repair", "batch", "--data", data.to_str().unwrap()]);
                assert_eq!(code, 0, "{name}: {error}");
                assert_eq!(said.matches("moved ").count(), *count, "{name}: {said}");
                assert_eq!(
                    listing(&data.join("private/set-aside")).len(),
                    *count,
                    "{name}: nothing is deleted"
                );
            }
            Mend::MakeGuard => self.make_guard(&data, name),
            Mend::CatchUp => {
                let batch = format!("private/batch/{SIZE:020}");
                fs::copy(self.later.join(&batch), data.join(&batch)).unwrap();
                size += 1;
            }
        }
        self.check_whole(&data, size, name);
        let guard = fs::read_to_string(data.join(GUARD)).unwrap();
        assert!(guard.contains(&format!("\"size\":{size}}}")), "{name}: {guard}");
        fs::remove_dir_all(&folder).unwrap();
    }

    /// A lost guard is made again at the newest signed head, and never where there is one.
    fn make_guard(&self, data: &Path, name: &str) {
        let guard = data.join("private/guard/guard");
        if guard.exists() {
            fs::remove_file(&guard).unwrap();
        }
        let receipt = data.with_extension("tlog-proof");
        fs::write(&receipt, &self.receipts[10]).unwrap();
        let arguments = ["repair", "guard", "--data", data.to_str().unwrap(), "--checkpoint"];
        let run = |file: &Path| say(binary(), &[&arguments[..], &[file.to_str().unwrap()]].concat());
        // A checkpoint of another log makes none.
        let (code, _, error) = run(&self.other.join("public/checkpoint"));
        assert!(code == 1 && error.contains("no checkpoint that this log's key signed"), "{name}: {error}");
        assert!(!guard.exists(), "{name}");
        let (code, said, error) = run(&receipt);
        assert!(code == 0 && said.contains(&format!("guard   size {SIZE}, ")), "{name}: {said}{error}");
        assert_eq!(
            fs::read(&guard).unwrap(),
            fs::read(self.data.join("private/guard/guard")).unwrap(),
            "{name}"
        );
        let (code, _, error) = run(&receipt);
        assert!(code == 4 && error.contains("never replaced"), "{name}: {error}");
    }
}

/// Without locks and what a start always clears away.
fn lasting(files: Vec<(PathBuf, String)>) -> Vec<(PathBuf, String)> {
    let is_passing = |path: &Path| {
        path.ends_with("lock") || path.starts_with("private/tmp") || path.starts_with("private/guard/tmp")
    };
    files.into_iter().filter(|(path, _)| !is_passing(path)).collect()
}

/// SO-4, SO-13, SO-17, SO-21 to SO-27, SO-31 to SO-33, on real files and with the real program.
#[test]
fn every_storage_fault_of_the_table_is_mended_or_refused() {
    let bench = Bench::make();
    let table = operations_table("## Storage faults");
    let cases = cases::all();
    let named: BTreeSet<&str> = table.iter().map(|row| row.fault.as_str()).collect();
    let tested: BTreeSet<&str> = cases.iter().map(|case| case.name).collect();
    assert_eq!(named, tested, "the table and the tests name the same faults");
    for case in &cases {
        let row = table.iter().find(|row| row.fault == case.name).unwrap();
        assert!(!row.advice.is_empty(), "{}: the table says what to do", case.name);
        bench.check(case, &row.says);
    }
}

/// SO-33: a batch that was signed is never set aside, also where it is the one that does not replay.
#[test]
fn a_signed_batch_is_never_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let (data, _) = init(binary(), folder.path());
    let before = fs::read(data.join("private/settled")).unwrap();
    let root = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    fs::write(data.join("private/settled"), format!("{{\"root\":\"{root}\",\"size\":0}}\n")).unwrap();
    let whole = fs::read(batch(&data, 0)).unwrap();
    fs::write(batch(&data, 0), &whole[..100]).unwrap();
    let (code, _, error) = say(binary(), &["repair", "batch", "--data", data.to_str().unwrap()]);
    assert!(code == 4 && error.contains("it was signed: restore this file"), "{error}");
    assert!(batch(&data, 0).exists() && !data.join("private/set-aside").exists(), "nothing was moved");
    fs::write(batch(&data, 0), whole).unwrap();
    fs::write(data.join("private/settled"), before).unwrap();
    let (code, said, error) = say(binary(), &["repair", "batch", "--data", data.to_str().unwrap()]);
    assert!(code == 0 && said.contains("nothing to set aside"), "{said}{error}");
}

/// SO-32: a guard is not made against the tiles, not from nothing, and not while somebody serves.
#[test]
fn a_guard_is_made_from_what_fits_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (data, _) = init(binary(), folder.path());
    let kept = folder.path().join("kept");
    fs::copy(data.join(CHECKPOINT), &kept).unwrap();
    let guard = fs::read(data.join(GUARD)).unwrap();
    fs::remove_file(data.join(GUARD)).unwrap();
    let repair = ["repair", "guard", "--data", data.to_str().unwrap()];
    let with = [&repair[..], &["--checkpoint", kept.to_str().unwrap()]].concat();
    assert_eq!(say(binary(), &repair).0, 2, "it wants a checkpoint");
    let tile = data.join("public/tile/0/000.p/1");
    change(&tile, |bytes| bytes[0] ^= 1);
    let (code, _, error) = say(binary(), &with);
    assert!(
        code == 1 && error.contains("has another tree of size 1 than the tiles of this folder"),
        "{error}"
    );
    assert!(!data.join(GUARD).exists(), "none was made");
    change(&tile, |bytes| bytes[0] ^= 1);
    // Another registry of the same origin signs with another key.
    let other = folder.path().join("other");
    fs::create_dir(&other).unwrap();
    let (other, _) = init(binary(), &other);
    let foreign = other.join(CHECKPOINT);
    let (code, _, error) = say(binary(), &[&with[..], &["--checkpoint", foreign.to_str().unwrap()]].concat());
    assert!(code == 1 && error.contains("is no checkpoint that this log's key signed"), "{error}");
    let (code, said, error) = say(binary(), &with);
    assert!(code == 0 && said.contains("the tiles here agree"), "{said}{error}");
    assert_eq!(fs::read(data.join(GUARD)).unwrap(), guard);
    let server = Server::start(binary(), &data);
    let (code, _, error) = say(binary(), &with);
    assert!(code == 4 && error.contains("another process"), "{error}");
    server.kill();
}
