//! Each fault of the table: how it is made, and what the operator does about it.

use std::fs;
use std::path::{Path, PathBuf};

use undersigned_tlog::hash::sha256;

use super::{BUNDLE, Bench, CHECKPOINT, Case, GUARD, LOG_KEY, Mend, NEWEST_BATCH, ORIGIN, SIZE, TILE};

/// All of them.
pub(super) fn all() -> Vec<Case> {
    [batch_cases(), public_cases(), private_cases()].into_iter().flatten().collect()
}

pub(super) fn batch(data: &Path, size: u64) -> PathBuf {
    data.join("private/batch").join(format!("{size:020}"))
}

/// Writes the file anew as `change` makes it.
pub(super) fn change(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(file).unwrap();
    change(&mut bytes);
    fs::write(file, bytes).unwrap();
}

/// Another letter in the last signature of some entries.
fn alter_signature(bytes: &mut [u8]) {
    let mark = b"\"signature\":\"";
    let at = bytes.windows(mark.len()).rposition(|window| window == mark).unwrap() + mark.len();
    bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
}

/// The root before the newest entry, from the batch of that.
fn root_before(data: &Path) -> String {
    let bytes = fs::read(data.join(NEWEST_BATCH)).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    text.split("\"old_root\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

/// Takes the marker back to before the newest batch.
fn unsettle(data: &Path) {
    let root = root_before(data);
    fs::write(data.join("private/settled"), format!("{{\"root\":\"{root}\",\"size\":{}}}\n", SIZE - 1))
        .unwrap();
}

/// The blob of the name of the party that a receipt of the bench is about.
fn named_blob(data: &Path) -> PathBuf {
    let hex: String = sha256(&[b"Organisation 5000"]).to_hex();
    data.join("public/blobs").join(&hex[..2]).join(&hex[2..4]).join(&hex)
}

fn case(name: &'static str, mend: Mend, damage: fn(&Bench, &Path)) -> Case {
    Case { name, damage, fill: Vec::new(), mend, audit_fails: false }
}

impl Case {
    fn fill(mut self, word: &'static str, value: impl ToString) -> Self {
        self.fill.push((word, value.to_string()));
        self
    }

    fn audit_fails(mut self) -> Self {
        self.audit_fails = true;
        self
    }
}

fn batch_cases() -> Vec<Case> {
    let next = format!("{SIZE:020}");
    let last = format!("{:020}", SIZE - 1);
    vec![
        case("batch above the end is torn", Mend::SetAside(1), |bench, data| {
            fs::write(batch(data, SIZE), &fs::read(batch(&bench.later, SIZE)).unwrap()[..100]).unwrap();
        })
        .fill("n", &next)
        .fill("k", 100),
        case("batch above the end is cut off", Mend::SetAside(1), |bench, data| {
            fs::write(batch(data, SIZE), &fs::read(batch(&bench.later, SIZE)).unwrap()[..600]).unwrap();
        })
        .fill("n", &next)
        .fill("k", 600),
        case("batch above the end is empty", Mend::SetAside(1), |_, data| {
            fs::write(batch(data, SIZE), "").unwrap();
        })
        .fill("n", &next),
        case("batch above the end is foreign", Mend::SetAside(2), |bench, data| {
            fs::copy(batch(&bench.other, 1), batch(data, SIZE)).unwrap();
            // What only this one could lead to goes with it.
            fs::copy(batch(&bench.other, 1), batch(data, SIZE + 1)).unwrap();
        })
        .fill("n", &next),
        case("batch above the end is altered", Mend::SetAside(1), |bench, data| {
            fs::copy(batch(&bench.later, SIZE), batch(data, SIZE)).unwrap();
            change(&batch(data, SIZE), |bytes| alter_signature(bytes));
        })
        .fill("n", &next)
        .fill("m", SIZE),
        case("batch above the end is whole", Mend::StartsLonger, |bench, data| {
            fs::copy(batch(&bench.later, SIZE), batch(data, SIZE)).unwrap();
        }),
        case("signed batch is torn", Mend::Restore(&[NEWEST_BATCH]), |_, data| {
            unsettle(data);
            change(&batch(data, SIZE - 1), |bytes| bytes.truncate(600));
        })
        .fill("n", &last)
        .fill("k", 600),
        case("signed batch is missing", Mend::Restore(&[NEWEST_BATCH]), |_, data| {
            unsettle(data);
            fs::remove_file(batch(data, SIZE - 1)).unwrap();
        })
        .fill("n", SIZE - 1)
        .fill("m", SIZE),
        case("old batch lies there again", Mend::Starts, |bench, data| {
            fs::copy(batch(&bench.other, 0), batch(data, 0)).unwrap();
        }),
        case("stray batch lies above the end", Mend::SetAside(1), |bench, data| {
            fs::copy(batch(&bench.other, 1), batch(data, SIZE + 9)).unwrap();
        }),
        case("`private/batch` is missing", Mend::Starts, |_, data| {
            fs::remove_dir_all(data.join("private/batch")).unwrap();
        }),
    ]
}

fn public_cases() -> Vec<Case> {
    vec![
        case("tile is missing", Mend::Restore(&[TILE]), |_, data| fs::remove_file(data.join(TILE)).unwrap())
            .fill("n", SIZE)
            .audit_fails(),
        case("tile is cut off", Mend::Restore(&[TILE]), |_, data| {
            change(&data.join(TILE), |bytes| bytes.truncate(320));
        })
        .fill("n", SIZE)
        .audit_fails(),
        case("tile is altered", Mend::Restore(&[TILE]), |_, data| {
            change(&data.join(TILE), |bytes| bytes[1_000] ^= 1);
        })
        .fill("n", SIZE)
        .audit_fails(),
        case("tile at the edge is altered", Mend::Restore(&["public/tile"]), |_, data| {
            change(&data.join(format!("public/tile/0/001.p/{}", SIZE - 256)), |bytes| bytes[0] ^= 1);
        })
        .fill("n", SIZE)
        .audit_fails(),
        case("bundle is missing", Mend::Restore(&[BUNDLE]), |_, data| {
            fs::remove_file(data.join(BUNDLE)).unwrap();
        })
        .fill("n", SIZE)
        .audit_fails(),
        case("bundle is cut off", Mend::Restore(&[BUNDLE]), |_, data| {
            change(&data.join(BUNDLE), |bytes| bytes.truncate(5_000));
        })
        .fill("n", SIZE)
        .audit_fails(),
        case("bundle is altered", Mend::Restore(&[BUNDLE]), |_, data| {
            change(&data.join(BUNDLE), |bytes| alter_signature(bytes));
        })
        .fill("n", SIZE)
        .audit_fails(),
        case("`public/tile` is missing", Mend::Restore(&["public/tile"]), |_, data| {
            fs::remove_dir_all(data.join("public/tile")).unwrap();
        })
        .audit_fails(),
        case("checkpoint is missing", Mend::Starts, |_, data| {
            fs::remove_file(data.join(CHECKPOINT)).unwrap();
        })
        .audit_fails(),
        case("checkpoint is empty", Mend::Starts, |_, data| fs::write(data.join(CHECKPOINT), "").unwrap())
            .audit_fails(),
        case("checkpoint is cut off", Mend::Remove(CHECKPOINT), |_, data| {
            change(&data.join(CHECKPOINT), |bytes| bytes.truncate(60));
        })
        .audit_fails(),
        case("checkpoint is altered", Mend::Remove(CHECKPOINT), |_, data| {
            change(&data.join(CHECKPOINT), |bytes| {
                let at = bytes.len() - 20;
                bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            });
        })
        .audit_fails(),
        case("checkpoint is of another log", Mend::Remove(CHECKPOINT), |bench, data| {
            fs::copy(bench.other.join(CHECKPOINT), data.join(CHECKPOINT)).unwrap();
        })
        .audit_fails(),
        case("blob is missing", Mend::Starts, |_, data| fs::remove_file(named_blob(data)).unwrap()),
        case("blob is altered", Mend::Starts, |_, data| fs::write(named_blob(data), "Other words").unwrap()),
    ]
}

fn private_cases() -> Vec<Case> {
    vec![
        case("log key is missing", Mend::Restore(&[LOG_KEY]), |_, data| {
            fs::remove_file(data.join(LOG_KEY)).unwrap();
        })
        .fill("origin", ORIGIN),
        case("log key is of another origin", Mend::Restore(&[LOG_KEY]), |_, data| {
            change(&data.join(LOG_KEY), |bytes| {
                *bytes = String::from_utf8_lossy(bytes).replace(ORIGIN, "x.example/log").into_bytes();
            });
        })
        .fill("origin", ORIGIN),
        case("log key is another one of this origin", Mend::Restore(&[LOG_KEY]), |bench, data| {
            fs::copy(bench.other.join(LOG_KEY), data.join(LOG_KEY)).unwrap();
        }),
        case(
            "log key is another one, and there is no checkpoint",
            Mend::Restore(&[LOG_KEY, CHECKPOINT]),
            |bench, data| {
                fs::copy(bench.other.join(LOG_KEY), data.join(LOG_KEY)).unwrap();
                fs::remove_file(data.join(CHECKPOINT)).unwrap();
            },
        ),
        case("guard is lost", Mend::MakeGuard, |_, data| fs::remove_file(data.join(GUARD)).unwrap()),
        case("guard is empty", Mend::MakeGuard, |_, data| fs::write(data.join(GUARD), "").unwrap())
            .fill("origin", ORIGIN),
        case("guard is of another log", Mend::Restore(&[GUARD]), |bench, data| {
            fs::copy(bench.other.join(GUARD), data.join(GUARD)).unwrap();
        })
        .fill("m", 2),
        case("guard is ahead", Mend::CatchUp, |bench, data| {
            fs::copy(bench.later.join(GUARD), data.join(GUARD)).unwrap();
        })
        .fill("n", SIZE)
        .fill("m", SIZE + 1),
        case("guard is behind", Mend::Starts, |bench, data| {
            let root = root_before(&bench.data);
            let line = format!("{{\"origin\":\"{ORIGIN}\",\"root\":\"{root}\",\"size\":{}}}\n", SIZE - 1);
            fs::write(data.join(GUARD), line).unwrap();
        }),
        case("settled marker is missing", Mend::Starts, |_, data| {
            fs::remove_file(data.join("private/settled")).unwrap();
        }),
        case("settled marker is garbled", Mend::Starts, |_, data| {
            fs::write(data.join("private/settled"), [0; 90]).unwrap();
        }),
        case("index is missing", Mend::Starts, |_, data| {
            fs::remove_dir_all(data.join("private/index")).unwrap();
        }),
        case("index is damaged", Mend::Starts, |_, data| {
            for item in fs::read_dir(data.join("private/index")).unwrap() {
                let path = item.unwrap().path();
                if path.is_file() {
                    fs::write(path, [0xa5; 4_096]).unwrap();
                }
            }
        }),
        case("`private/format` is missing", Mend::Restore(&["private/format"]), |_, data| {
            fs::remove_file(data.join("private/format")).unwrap();
        }),
    ]
}
