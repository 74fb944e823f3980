//! `replay`: a synthetic history always, real ones where they are at hand.

use std::path::{Path, PathBuf};

use crate::binary;
use crate::support::{listing, say};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Replays a history, checks every step, and audits the folder that came of it.
fn check(history: &Path) -> serde_json::Value {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("replayed");
    let data_text = data.to_str().unwrap();
    let arguments = ["replay", history.to_str().unwrap(), "--data", data_text, "--check", "--json"];
    let (code, out, error) = say(binary(), &arguments);
    assert_eq!(code, 0, "{error}");
    let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(answer["differences"], 0);
    assert_eq!(answer["steps"], answer["steps_checked"]);
    let policy = PathBuf::from(answer["policy_file"].as_str().unwrap());
    let (code, out, error) =
        say(binary(), &["audit", data_text, "--policy", policy.to_str().unwrap(), "--json"]);
    assert_eq!(code, 0, "{out}{error}");
    let audited: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(audited["tree_size"], answer["entries"]);
    answer
}

#[test]
fn a_synthetic_history_is_the_same_list_at_every_step() {
    let answer = check(&root().join("tests/fixtures/synthetic-history.jsonl"));
    for count in ["added", "removed", "returned", "changed_skipped", "without_domain", "cleaned_names"] {
        assert!(answer[count].as_u64().unwrap() > 0, "the fixture has {count}");
    }
}

#[test]
fn real_histories_are_the_same_lists_at_every_step() {
    let named = std::env::var_os("UNDERSIGNED_DATA").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| root().join("../shared/data"));
    let mut replayed = 0;
    for set in ["fsfe-pmpc", "digitale-zivilgesellschaft", "opentofu-manifesto", "gplcc"] {
        let history = folder.join(set).join("history.jsonl");
        if history.is_file() {
            let answer = check(&history);
            println!("{set}: {} entries, {} steps", answer["entries"], answer["steps"]);
            replayed += 1;
        } else {
            println!("skipped: {set} is not in {} (name the folder with UNDERSIGNED_DATA)", folder.display());
        }
    }
    println!("{replayed} real histories replayed");
}

#[test]
fn a_broken_history_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let history = folder.path().join("history.jsonl");
    let good = std::fs::read_to_string(root().join("tests/fixtures/synthetic-history.jsonl")).unwrap();
    let broken = good.lines().take(40).chain(["{\"time\":"]).collect::<Vec<_>>().join("\n");
    std::fs::write(&history, broken).unwrap();
    let data = folder.path().join("data");
    let (code, _, error) =
        say(binary(), &["replay", history.to_str().unwrap(), "--data", data.to_str().unwrap(), "--check"]);
    assert_eq!(code, 1);
    assert!(error.contains("line 41") && error.contains("nothing was made"), "{error}");
    assert!(!data.exists(), "a refused history leaves no folder");
}

#[test]
fn a_folder_with_something_in_it_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine"), "mine").unwrap();
    let before = listing(folder.path());
    let history = root().join("tests/fixtures/synthetic-history.jsonl");
    let (code, _, error) =
        say(binary(), &["replay", history.to_str().unwrap(), "--data", folder.path().to_str().unwrap()]);
    assert_eq!(code, 4);
    assert!(error.contains("is not empty"), "{error}");
    assert_eq!(listing(folder.path()), before);
}
