//! Keeps the tree in order: arrows between rooms go one way, heads and rule numbers are there.
//!
//! The table of rooms is the one of `docs/ARCHITECTURE.md`; change both in a commit of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms of `src/`, by row. A room imports from rooms of smaller rows, and from its own.
const ROWS: &[(u8, &str)] = &[
    (1, "clock"),
    (1, "limits"),
    (1, "listing"),
    (1, "telemetry"),
    (2, "disk"),
    (3, "keyring"),
    (4, "store"),
    (5, "tiles"),
    (6, "signer"),
    (6, "index"),
    (7, "admission"),
    (8, "publish"),
    (9, "sequencer"),
    (10, "read"),
    (11, "audit"),
    (11, "settings"),
    (12, "mirror"),
    (12, "node"),
    (13, "http"),
    (14, "cli"),
];

/// Arrows that go down the table and are forbidden all the same.
const NEVER: &[(&str, &[&str])] = &[
    ("sequencer", &["index"]),
    ("audit", &["sequencer", "admission", "signer", "index", "node", "publish"]),
    ("mirror", &["sequencer", "admission", "signer", "keyring", "index", "publish", "read"]),
    ("http", &["disk", "signer", "keyring"]),
];

/// What only one room may do.
const ONLY: &[(&str, &[&str])] = &[
    ("disk", &["fsync(", "sync_all(", "sync_data(", "renameat", "fs::rename("]),
    ("clock", &["SystemTime::now("]),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for item in fs::read_dir(&folder).expect("a folder of the tree") {
            let path = item.expect("an item of the tree").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn room_of(path: &Path) -> String {
    let relative = path.strip_prefix(root().join("src")).expect("a file of src");
    let first = relative.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// The product part of a file: what stands before its tests.
fn product(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or_default()
}

/// Every room that a text names as `crate::room`.
fn named_rooms(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split("crate::").skip(1))
        .flat_map(|rest| {
            // `crate::{a::B, c}` names several.
            let names: Vec<&str> = match rest.strip_prefix('{') {
                Some(list) => list.split(',').collect(),
                None => vec![rest],
            };
            names
                .into_iter()
                .map(|name| {
                    name.trim()
                        .chars()
                        .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
                        .collect()
                })
                .collect::<Vec<String>>()
        })
        .collect()
}

#[test]
fn arrows_between_rooms_go_one_way() {
    let rows: BTreeMap<&str, u8> = ROWS.iter().map(|(row, room)| (*room, *row)).collect();
    let mut wrong = Vec::new();
    for file in rust_files(&root().join("src")) {
        let room = room_of(&file);
        if room == "lib" || room == "main" {
            continue;
        }
        let row = *rows.get(room.as_str()).unwrap_or_else(|| panic!("the room {room} is not in the table"));
        let text = fs::read_to_string(&file).expect("a file of the tree");
        for other in named_rooms(product(&text)) {
            let Some(other_row) = rows.get(other.as_str()) else { continue };
            let same_room = other == room;
            let upward = *other_row >= row && !same_room;
            let never = NEVER.iter().any(|(from, to)| *from == room && to.contains(&other.as_str()));
            if upward || never {
                wrong.push(format!("{}: {room} -> {other}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that go the wrong way:\n{}", wrong.join("\n"));
}

#[test]
fn the_table_of_rooms_stands_in_the_architecture_page() {
    let page = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).expect("the architecture page");
    for (row, room) in ROWS {
        let line = format!("| {row} | `{room}` |");
        assert!(page.contains(&line), "docs/ARCHITECTURE.md lacks the line {line}");
    }
    // A room is a file, a folder, or both; lib.rs and main.rs are none.
    let rooms: BTreeSet<String> = fs::read_dir(root().join("src"))
        .expect("src")
        .map(|item| {
            item.expect("an item of src").file_name().to_string_lossy().trim_end_matches(".rs").to_owned()
        })
        .filter(|name| name != "lib" && name != "main")
        .collect();
    let table: BTreeSet<String> = ROWS.iter().map(|(_, room)| (*room).to_owned()).collect();
    assert_eq!(rooms, table, "every room of src stands in the table");
}

#[test]
fn what_one_room_alone_may_do_no_other_does() {
    let mut wrong = Vec::new();
    for file in rust_files(&root().join("src")) {
        let text = fs::read_to_string(&file).expect("a file of the tree");
        let relative =
            file.strip_prefix(root().join("src")).expect("a file of src").to_string_lossy().into_owned();
        for (seat, calls) in ONLY.iter() {
            if relative.trim_end_matches(".rs") == *seat || relative.starts_with(&format!("{seat}/")) {
                continue;
            }
            for call in *calls {
                let code = product(&text).lines().filter(|line| !line.trim_start().starts_with("//"));
                if code.clone().any(|line| line.contains(call)) {
                    wrong.push(format!("{relative} has {call}, which belongs to {seat}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_begins_with_what_it_is() {
    let mut wrong = Vec::new();
    for folder in ["src", "log", "clients/rust", "tests"] {
        for file in rust_files(&root().join(folder)) {
            if file.components().any(|part| part.as_os_str() == "target") {
                continue;
            }
            let text = fs::read_to_string(&file).expect("a file of the tree");
            if !text.starts_with("//!") {
                wrong.push(file.display().to_string());
            }
        }
    }
    assert!(wrong.is_empty(), "files without a head:\n{}", wrong.join("\n"));
}

#[test]
fn no_path_of_one_machine_stands_in_the_tree() {
    let mut wrong = Vec::new();
    for folder in ["src", "log", "clients/rust/src", "tests"] {
        for file in rust_files(&root().join(folder)) {
            let text = fs::read_to_string(&file).expect("a file of the tree");
            // Written apart, so that this file does not find itself.
            for path in [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")] {
                if text.contains(path) {
                    wrong.push(format!("{}: {path}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is measured beside ours is what ours is tested with.
#[test]
fn all_go_programs_take_the_same_tessera() {
    let version = |folder: &str| {
        let text = fs::read_to_string(root().join(folder).join("go.mod")).expect("a go.mod");
        let mut words = text.lines().map(|line| line.trim().trim_start_matches("require "));
        let line = words.find_map(|line| line.strip_prefix("github.com/transparency-dev/tessera "));
        line.expect("it requires Tessera").to_owned()
    };
    assert_eq!(version("tests/bench/go"), version("tests/interop/go"));
}

#[test]
fn no_page_knows_the_storage_and_no_view_the_html() {
    let mut wrong = Vec::new();
    for (folder, forbidden) in [
        ("src/http/pages", &["tiles", "index::", "store::", ".reader", ".index.", ".intake", ".store"][..]),
        ("src/http/views", &["askama", "pages::", "Html", "axum::"][..]),
    ] {
        for file in rust_files(&root().join(folder)) {
            let text = fs::read_to_string(&file).expect("a file of the tree");
            for word in forbidden {
                if product(&text).lines().any(|line| !line.starts_with("//") && line.contains(word)) {
                    wrong.push(format!("{}: {word}", file.display()));
                }
            }
        }
    }
    let templates = fs::read_dir(root().join("src/http/pages/templates")).expect("the templates");
    for template in templates {
        let path = template.expect("a template").path();
        let text = fs::read_to_string(&path).expect("a file of the tree");
        // Whatever would put out a text without escaping it.
        for word in ["|safe", "| safe", "escape(", "autoescape", "<script", " style="] {
            if text.contains(word) {
                wrong.push(format!("{}: {word}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
