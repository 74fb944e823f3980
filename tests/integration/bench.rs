//! The benchmark's short form: what it prints, never how fast.

use std::process::{Command, Output};

use crate::binary;

fn bench(arguments: &[&str]) -> Output {
    Command::new(binary()).args(["bench", "--json"]).args(arguments).output().unwrap()
}

#[test]
fn every_figure_is_there_and_stands_on_receipts_that_verify() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("bench");
    let parties = ["--parties", "300", "--endorsed", "40"];
    let rest = ["--clients", "1,4", "--seconds", "1", "--data", data.to_str().unwrap()];
    let output = bench(&[&parties[..], &rest[..]].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for figure in ["verify_strict_per_second_one_core", "receipt_bytes_mean", "rss_bytes_max"] {
        assert!(report[figure].as_f64().unwrap() > 0.0, "{figure}: {report}");
    }
    let rows = report["receipts"].as_array().unwrap();
    assert_eq!(rows.iter().map(|row| row["clients"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 4]);
    for row in rows {
        assert_eq!((&row["refused"], &row["errors"]), (&0.into(), &0.into()), "{row}");
        assert!(row["verified"].as_u64().unwrap() > 0, "{row}");
        assert!(row["per_second"].as_f64().unwrap() > 0.0, "{row}");
        assert!(row["p50_ms"].as_f64().unwrap() <= row["p99_ms"].as_f64().unwrap(), "{row}");
    }
    // Genesis, the statement, three versions, then organisations and endorsements.
    assert_eq!(report["setup"]["entries"], 1 + 1 + 3 + 300 + 40);
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

#[test]
fn more_endorsements_than_organisations_cannot_be() {
    let output = bench(&["--parties", "5", "--endorsed", "6"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8(output.stderr).unwrap().contains("raise --parties"));
}
