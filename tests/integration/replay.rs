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
    let history = root().join("tests/fixtures/synthetic-history.jsonl");
    let answer = check(&history);
    let text = std::fs::read_to_string(history).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (act, count) in [
        ("added", "added"),
        ("added", "parties"),
        ("removed", "removed"),
        ("returned", "returned"),
        ("changed", "changed_skipped"),
    ] {
        let told = lines.iter().filter(|line| line["act"] == act).count();
        assert_eq!(answer[count], told, "{count}");
    }
    // Beside what the lines say: the opening, and the statement and its text.
    let acted = lines.iter().filter(|line| line["act"] != "changed").count();
    let entered = lines.iter().filter(|line| line["act"] == "added").count();
    assert_eq!(answer["entries"], 3 + acted + entered);
    for (count, expected) in
        [("without_domain", 7), ("refused_domains", 2), ("cleaned_names", 3), ("replaced_names", 1)]
    {
        assert_eq!(answer[count], expected, "{count}");
    }
    assert_eq!(answer["took_part"], false);
}

/// What a person sees who serves the folder: the list of the history's end, over HTTP.
#[test]
fn a_replayed_registry_serves_the_list_of_the_history() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("replayed");
    let history = root().join("tests/fixtures/synthetic-history.jsonl");
    let (code, out, error) =
        say(binary(), &["replay", history.to_str().unwrap(), "--data", data.to_str().unwrap()]);
    assert_eq!(code, 0, "{error}");
    assert!(out.contains("NOBODY ON THE LIST SIGNED OR TOOK PART"), "{out}");
    assert!(out.contains("undersigned list signatories synthetic-history --at"), "{out}");
    let mut listed = std::collections::BTreeMap::new();
    for line in std::fs::read_to_string(history).unwrap().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        listed.insert(line["row"].as_str().unwrap().to_owned(), line["act"] != "removed");
    }
    let server = crate::support::Server::start(binary(), &data);
    let (code, out, error) =
        say(binary(), &["list", "signatories", "synthetic-history", "--registry", &server.url, "--json"]);
    let text = server.client().statement("synthetic-history").unwrap();
    server.kill();
    assert_eq!(code, 0, "{error}");
    let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
    let signatories = answer["signatories"].as_array().unwrap();
    let standing = signatories.iter().filter(|one| one["status"] == "active").count();
    assert_eq!(standing, listed.values().filter(|stands| **stands).count());
    assert_eq!(signatories.len(), listed.len(), "who left stays visible");
    assert_eq!(text.kind, "letter");
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
