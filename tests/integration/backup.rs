//! Backup, loss of the machine, restore: the rehearsal of what `docs/operations.md` tells operators to do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use undersigned_registry::receipt::Receipt;
use undersigned_registry::verify::{Trust, verify};

use crate::binary;
use crate::support::{Server, WITHOUT_RATES, copy, party, say};

const ORIGIN: &str = "backup.registry.example/log";

/// A registry with its guard on other storage, serving, and every receipt it gave.
struct Lost {
    folder: tempfile::TempDir,
    data: PathBuf,
    guard: PathBuf,
    trust: Trust,
}

impl Lost {
    fn init() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (data, guard) = (folder.path().join("registry"), folder.path().join("guard"));
        let (code, _, error) =
            say(binary(), &["init", "--origin", ORIGIN, "--data", text(&data), "--guard", text(&guard)]);
        assert_eq!(code, 0, "{error}");
        let policy = fs::read_to_string(data.join("registry.policy")).unwrap();
        Self { folder, data, guard, trust: Trust::parse(&policy, None).unwrap() }
    }

    fn serve(&self, data: &Path, guard: &Path) -> Result<Server, String> {
        let mut arguments = vec!["--guard", text(guard)];
        arguments.extend(WITHOUT_RATES);
        Server::try_start(binary(), data, &arguments)
    }

    /// Submits one party and returns its receipt.
    fn submit(&self, server: &Server, number: u64) -> Vec<u8> {
        server.client().submit(&party(self.trust.registry().unwrap(), number).0).unwrap().receipt
    }

    /// The keys and the format file, as they were put away after `init`.
    fn put_away(&self) -> PathBuf {
        let keys = self.folder.path().join("keys");
        fs::create_dir(&keys).unwrap();
        for name in ["format", "log.key", "operator-admin", "operator-recovery"] {
            fs::copy(self.data.join("private").join(name), keys.join(name)).unwrap();
        }
        keys
    }

    /// A new machine: a copy of `public/` and what was put away, and nothing else.
    fn restore(&self, name: &str, public: &Path, keys: &Path) -> PathBuf {
        let data = self.folder.path().join(name);
        fs::create_dir(&data).unwrap();
        copy(public, &data.join("public"));
        copy(keys, &data.join("private"));
        data
    }

    fn audit(&self, data: &Path) -> String {
        let policy = self.folder.path().join("registry.policy");
        fs::write(&policy, fs::read(self.data.join("registry.policy")).unwrap()).unwrap();
        let (code, said, error) = say(binary(), &["audit", text(data), "--policy", text(&policy)]);
        assert!(code == 0 && said.contains("GREEN"), "{said}{error}");
        said
    }

    /// Every receipt stands where it stood, and its party is found by its domain.
    fn check_serves(&self, data: &Path, guard: &Path, receipts: &[(u64, Vec<u8>)]) {
        let server = self.serve(data, guard).unwrap();
        let client = server.client();
        for (number, receipt) in receipts {
            let old = verify(&Receipt::parse(receipt).unwrap(), &self.trust).unwrap();
            let bytes = client.receipt(&old.event_hash.to_string()).unwrap();
            let new = verify(&Receipt::parse(&bytes).unwrap(), &self.trust).unwrap();
            assert_eq!((new.index, new.event_hash), (old.index, old.event_hash));
            let found = client.parties_by_domain(&format!("org-{number}.example")).unwrap();
            assert_eq!(found.claimed_by.len(), 1, "org-{number}.example is found");
        }
        // It goes on.
        self.submit(&server, 900_000 + u64::try_from(data.as_os_str().len()).unwrap());
        assert_eq!(server.stop().0, Some(0));
        self.audit(data);
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The three lines of `docs/operations.md`; the second one again while `cp` says that a file vanished.
fn back_up(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::copy(from.join("checkpoint"), to.join("checkpoint.new")).unwrap();
    // A file vanishes at most once for each bundle that is filled meanwhile.
    for _ in 0..100 {
        let copied = Command::new("cp")
            .args(["-r", "--update"])
            .args([from.join("tile"), from.join("blobs"), to.to_owned()])
            .output()
            .unwrap();
        if copied.status.success() {
            fs::rename(to.join("checkpoint.new"), to.join("checkpoint")).unwrap();
            return;
        }
        let said = String::from_utf8_lossy(&copied.stderr).into_owned();
        assert!(said.contains("No such file"), "{said}");
    }
    panic!("the copy never came to an end");
}

/// The whole rehearsal: a backup under load, the loss of the machine, and every way back. SO-34.
#[test]
fn a_lost_machine_comes_back_from_public_keys_and_guard() {
    let lost = Lost::init();
    let keys = lost.put_away();
    let server = lost.serve(&lost.data, &lost.guard).unwrap();
    let mut receipts = Vec::new();
    let backup = lost.folder.path().join("backup");
    let done = AtomicBool::new(false);
    // Backed up while entries come in, past the end of a bundle, whose partial tiles vanish.
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8u64)
            .map(|writer| {
                let (lost, server, done) = (&lost, &server, &done);
                scope.spawn(move || {
                    let mut receipts = Vec::new();
                    for number in (writer * 10_000).. {
                        receipts.push((number, lost.submit(server, number)));
                        if done.load(Ordering::SeqCst) && receipts.len() >= 36 {
                            return receipts;
                        }
                    }
                    receipts
                })
            })
            .collect();
        while server.client().registry().unwrap().tree_size < 200 {
            std::thread::yield_now();
        }
        back_up(&lost.data.join("public"), &backup.join("public"));
        done.store(true, Ordering::SeqCst);
        receipts = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
    });
    let said = lost.audit(&backup);
    assert!(said.contains(" entries, root "), "{said}");
    // More is signed after the backup, and a mirror follows later.
    receipts.push((500_000, lost.submit(&server, 500_000)));
    let mirror = lost.folder.path().join("mirror");
    back_up(&lost.data.join("public"), &mirror);
    let size = server.client().registry().unwrap().tree_size;
    // The machine is lost, without warning; its guard was on other storage.
    server.kill();

    // From the older backup alone: refused, since the guard knows what was signed.
    let older = lost.restore("older", &backup.join("public"), &keys);
    let said = lost.serve(&older, &lost.guard).err().expect("refused");
    assert!(said.contains("exit 4") && said.contains("the log ends at size"), "{said}");
    assert!(said.contains(&format!("but size {size} was signed")) && said.contains("mirror"), "{said}");
    // Also where the guard was lost as well, and made again from a receipt of a signatory.
    let receipt = lost.folder.path().join("newest.tlog-proof");
    fs::write(&receipt, &receipts.last().unwrap().1).unwrap();
    let made = lost.folder.path().join("made");
    let (code, said, error) = say(
        binary(),
        &["repair", "guard", "--data", text(&older), "--guard", text(&made), "--checkpoint", text(&receipt)],
    );
    assert!(code == 0 && said.contains("do not reach it yet"), "{said}{error}");
    let said = lost.serve(&older, &made).err().expect("refused");
    assert!(said.contains(&format!("but size {size} was signed")), "{said}");
    // The rest from the mirror, and the log goes on with every entry that was acknowledged.
    back_up(&mirror, &older.join("public"));
    let guard = lost.folder.path().join("guard-2");
    copy(&lost.guard, &guard);
    lost.check_serves(&older, &guard, &receipts);

    // From `public/` alone, as the mirror has it: tiles, law, guard agree; lookups are made again.
    let public = lost.restore("public-alone", &mirror, &keys);
    assert!(!public.join("private/index").exists());
    let guard = lost.folder.path().join("guard-3");
    copy(&lost.guard, &guard);
    lost.check_serves(&public, &guard, &receipts);

    // The rest may also come from the old disk's batches.
    let batches = lost.restore("batches", &backup.join("public"), &keys);
    copy(&lost.data.join("private/batch"), &batches.join("private/batch"));
    let guard = lost.folder.path().join("guard-4");
    copy(&lost.guard, &guard);
    let begins = fs::read_to_string(backup.join("public/checkpoint")).unwrap();
    let begins: u64 = begins.lines().nth(1).unwrap().parse().unwrap();
    if lost.data.join(format!("private/batch/{begins:020}")).exists() {
        lost.check_serves(&batches, &guard, &receipts);
    } else {
        let said = lost.serve(&batches, &guard).err().expect("refused");
        assert!(said.contains("the log ends at size"), "{said}");
    }
}
