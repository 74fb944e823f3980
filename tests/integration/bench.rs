//! The benchmark's short form: what it prints, never how fast.

use std::collections::BTreeSet;
use std::process::{Command, Output};

use crate::binary;

fn bench(arguments: &[&str]) -> Output {
    Command::new(binary()).args(["bench", "--json"]).args(arguments).output().unwrap()
}

/// All that `--json` prints, no more and no less.
const KEYS: &[&str] = &[
    "verify_strict_per_second_one_core",
    "receipts",
    "receipt_bytes_mean",
    "rss_bytes_max",
    "state_records",
    "index_lag_entries_end",
    "index_drain_seconds",
    "stored_bytes_per_entry",
    "proofs_per_second",
    "receipt_verifications_per_second",
    "audit_entries_per_second",
    "index_rebuild_entries_per_second",
    "sled_raw_inserts_per_second",
    "tile_reads_per_second",
    "starts",
    "setup",
    "machine",
];
const ROW_KEYS: &[&str] = &[
    "clients",
    "seconds",
    "per_second",
    "p50_ms",
    "p99_ms",
    "refused",
    "errors",
    "ran_out",
    "server_processor_us",
    "verified",
];

fn keys(value: &serde_json::Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn every_figure_is_there_and_stands_on_receipts_that_verify() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("bench");
    let parties = ["--parties", "300", "--endorsed", "40", "--names", "7"];
    let rest = ["--clients", "1,4", "--seconds", "1", "--data", data.to_str().unwrap()];
    let output = bench(&[&parties[..], &rest[..]].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(keys(&report), KEYS.iter().copied().collect());
    for (figure, value) in report.as_object().unwrap().iter().filter(|(_, value)| value.is_number()) {
        let is_rate = figure != "index_lag_entries_end";
        assert!(!is_rate || value.as_f64().unwrap() > 0.0, "{figure}: {report}");
    }
    let proofs = &report["proofs_per_second"];
    assert_eq!(keys(proofs), BTreeSet::from(["inclusion", "consistency", "count", "absent"]));
    assert!(proofs.as_object().unwrap().values().all(|rate| rate.as_f64().unwrap() > 0.0), "{proofs}");
    assert!(report["setup"]["index_inserts_per_entry"].as_f64().unwrap() > 2.0, "{report}");
    let starts = &report["starts"];
    assert_eq!(keys(starts), BTreeSet::from(["after_kill", "after_end", "end_seconds"]));
    for start in [&starts["after_kill"], &starts["after_end"]] {
        assert!(start["receipt_seconds"].as_f64() <= start["proof_seconds"].as_f64(), "{starts}");
        assert!(start["replayed_entries"].as_u64() >= report["setup"]["entries"].as_u64(), "{starts}");
    }
    let rows = report["receipts"].as_array().unwrap();
    assert_eq!(rows.iter().map(|row| row["clients"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 4]);
    for row in rows {
        assert_eq!(keys(row), ROW_KEYS.iter().copied().collect());
        assert_eq!((&row["refused"], &row["errors"]), (&0.into(), &0.into()), "{row}");
        assert!(row["verified"].as_u64().unwrap() > 0, "{row}");
        assert!(row["per_second"].as_f64().unwrap() > 0.0, "{row}");
        assert!(row["server_processor_us"].as_f64().unwrap() > 0.0, "{row}");
        assert!(row["p50_ms"].as_f64().unwrap() <= row["p99_ms"].as_f64().unwrap(), "{row}");
    }
    // Genesis, the statement, five versions, then organisations and endorsements.
    assert_eq!(report["setup"]["entries"], 1 + 1 + 5 + 300 + 40);
    assert!(report["stored_bytes_per_entry"].as_u64().unwrap() > 0, "{report}");
    assert!(!data.exists(), "the benchmark takes its folder away");
}

/// A row whose requests ran out has not kept its clients busy, and says so.
#[test]
fn a_row_that_ran_out_says_so() {
    let output = bench(&["--parties", "5", "--endorsed", "0", "--clients", "2", "--seconds", "60"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["receipts"][0]["ran_out"], true, "{report}");
    assert_eq!(report["receipts"][0]["errors"], 0, "{report}");
}

#[test]
fn a_folder_with_something_in_it_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine"), "mine").unwrap();
    let output = bench(&["--parties", "5", "--endorsed", "0", "--data", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8(output.stderr).unwrap().contains("is not empty"));
    assert!(folder.path().join("mine").exists());
}

/// The program that serves may be another one; one that is none is named.
#[test]
fn another_program_can_serve() {
    let short = ["--parties", "5", "--endorsed", "5", "--clients", "1", "--seconds", "1"];
    let output = bench(&[&short[..], &["--server", binary().to_str().unwrap()]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let output = bench(&[&short[..], &["--server", "/nowhere/undersigned"]].concat());
    assert_eq!(output.status.code(), Some(4));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("cannot start the server /nowhere/undersigned"), "{said}");
}

#[test]
fn more_endorsements_than_organisations_cannot_be() {
    let output = bench(&["--parties", "5", "--endorsed", "6"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8(output.stderr).unwrap().contains("raise --parties"));
}
