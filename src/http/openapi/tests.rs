//! The document against its golden file, against the list of codes, and against itself.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::http::problem::CODES;

/// Codes that no operation answers, and why.
const NOWHERE: &[(&str, &str)] = &[
    ("signable-header", "of files that the command line reads"),
    ("uri-too-long", "the HTTP library answers before us"),
];

fn operations() -> Vec<(String, Value)> {
    let document = document().unwrap();
    let paths = document["paths"].as_object().unwrap().clone();
    let methods = |path: Value| path.as_object().unwrap().clone().into_iter();
    paths.into_iter().flat_map(|(_, path)| methods(path)).collect()
}

#[test]
fn the_golden_file_is_the_document() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let text = String::from_utf8(text().unwrap()).unwrap();
    if std::env::var_os("UNDERSIGNED_RENEW").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        golden == text,
        "the interface is not what docs/openapi.json says; if that is meant, renew it and read the difference:\n\
         UNDERSIGNED_RENEW=1 cargo test --lib http::openapi && git diff docs/openapi.json"
    );
    assert!(text.contains("\"openapi\": \"3.1.0\""));
}

#[test]
fn every_code_is_in_an_operation() {
    let named: BTreeSet<&str> = codes::operations().flat_map(codes::of_operation).collect();
    let nowhere: BTreeSet<&str> = NOWHERE.iter().map(|(code, _)| *code).collect();
    let all: BTreeSet<&str> = CODES.iter().map(|(code, ..)| *code).collect();
    assert_eq!(named.intersection(&nowhere).count(), 0, "answered after all");
    let known: BTreeSet<&str> = named.union(&nowhere).copied().collect();
    let missing: Vec<_> = all.difference(&known).collect();
    assert!(missing.is_empty(), "codes that no operation answers (src/http/openapi/codes.rs): {missing:?}");
    let unknown: Vec<_> = known.difference(&all).collect();
    assert!(unknown.is_empty(), "codes that are in no list: {unknown:?}");
    // And they stand in the document.
    let document = String::from_utf8(text().unwrap()).unwrap();
    assert!(named.iter().all(|code| document.contains(&format!("\"{code}\""))));
}

#[test]
fn every_operation_has_its_problems() {
    let described: BTreeSet<String> = operations()
        .iter()
        .map(|(_, operation)| operation["operationId"].as_str().unwrap().to_owned())
        .collect();
    let listed: BTreeSet<String> = codes::operations().map(str::to_owned).collect();
    assert_eq!(described, listed, "src/http/openapi/codes.rs has a row for each operation");
    for (method, operation) in operations() {
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.contains_key("500") && responses.contains_key("405"), "{operation}");
        assert_eq!(responses.contains_key("304"), method == "get", "{operation}");
        for (status, response) in responses {
            assert!(!response["description"].as_str().unwrap().is_empty(), "{status} of {operation}");
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn check(document: &Value, value: &Value) {
        if let Some(place) = value.get("$ref").and_then(Value::as_str) {
            assert!(document.pointer(place.trim_start_matches('#')).is_some(), "{place}");
        }
        match value {
            Value::Object(members) => members.values().for_each(|member| check(document, member)),
            Value::Array(items) => items.iter().for_each(|item| check(document, item)),
            _ => {}
        }
    }
    let document = document().unwrap();
    check(&document, &document);
    let schemas = serde_json::to_string(&document["components"]["schemas"]["StatementView"]).unwrap();
    assert!(!schemas.contains("null"), "{schemas}");
}
