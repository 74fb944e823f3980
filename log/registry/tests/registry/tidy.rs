//! Rules, code and tests name each other: every numbered rule of a page is named by a vector or test, and every
//! rule that is named anywhere stands in its page.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Which page numbers its rules how. A page that is not written yet is skipped, and so are its prefixes.
const PAGES: &[(&str, &[&str])] = &[
    ("entry.md", &["EN"]),
    ("events.md", &["EV", "RE", "LA"]),
    ("multi-proof.md", &["MP"]),
    ("receipt.md", &["RC"]),
    ("state-proof.md", &["SP"]),
    ("state-tree.md", &["ST"]),
    ("storage.md", &["SO"]),
];

/// Where rules are named, from the root of the checkout.
const NAMED_IN: &[&str] = &["src", "log", "clients", "tests", "docs"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn files(folder: &Path, out: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.map(|entry| entry.unwrap().path()) {
        let name = entry.file_name().unwrap().to_string_lossy().into_owned();
        if entry.is_dir() && !["target", "node_modules", "proptest-regressions"].contains(&name.as_str()) {
            files(&entry, out);
        }
        let known = [".rs", ".json", ".md", ".ts", ".py", ".txt"];
        if entry.is_file() && known.iter().any(|end| name.ends_with(end)) {
            out.push(entry);
        }
    }
}

/// The rules that a text names: a prefix as a word of its own, a hyphen, a number. `A-1 to A-3` names all three.
fn named(text: &str, prefixes: &BTreeSet<&str>) -> BTreeSet<(String, u32)> {
    let mut found = BTreeSet::new();
    let mut last: Option<(String, u32)> = None;
    let mut rest = text;
    while let Some(hyphen) = rest.find('-') {
        let (before, after) = (&rest[..hyphen], &rest[hyphen + 1..]);
        rest = after;
        let Some(prefix) = prefixes.iter().find(|prefix| before.ends_with(**prefix)) else { continue };
        let boundary = before[..before.len() - prefix.len()].chars().next_back();
        let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
        if boundary.is_some_and(|char| char.is_ascii_alphanumeric() || char == '-') || digits.is_empty() {
            continue;
        }
        let number: u32 = digits.parse().unwrap();
        let between = &before[..before.len() - prefix.len()];
        if let Some((first, from)) = &last
            && first == prefix
            && between.trim_matches(|char: char| char.is_ascii_digit()) == " to "
        {
            found.extend((*from..=number).map(|number| (first.clone(), number)));
        }
        found.insert(((*prefix).to_owned(), number));
        last = Some(((*prefix).to_owned(), number));
    }
    found
}

/// The rules that a page defines: `**XX-n**` or `**XX-n.**` at the beginning of a line.
fn defined(page: &str, prefixes: &[&str]) -> Vec<(String, u32)> {
    let prefixes: BTreeSet<&str> = prefixes.iter().copied().collect();
    page.lines()
        .filter_map(|line| line.strip_prefix("**")?.split_once("**").map(|(rule, _)| rule))
        .map(|rule| rule.strip_suffix('.').unwrap_or(rule).to_owned())
        .filter(|rule| !rule.contains(' '))
        .flat_map(|rule| named(&rule, &prefixes))
        .collect()
}

fn is_test(path: &Path, text: &str) -> Option<String> {
    let parts: Vec<_> =
        path.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    if parts.iter().any(|part| part == "tests") {
        // Another page's own examples would be no test of it; this file names no rule.
        return (!path.ends_with("tidy.rs")).then(|| text.to_owned());
    }
    if path.ends_with("tests.rs") {
        return Some(text.to_owned());
    }
    text.split_once("#[cfg(test)]").map(|(_, tests)| tests.to_owned())
}

#[test]
fn rules_and_tests_name_each_other() {
    let root = root();
    let mut rules: BTreeMap<(String, u32), usize> = BTreeMap::new();
    let mut prefixes = BTreeSet::new();
    for (page, of_page) in PAGES {
        let Ok(text) = fs::read_to_string(root.join("docs/spec").join(page)) else { continue };
        prefixes.extend(of_page.iter().copied());
        for rule in defined(&text, of_page) {
            let twice = rules.insert(rule.clone(), 0);
            assert!(twice.is_none(), "{page} defines {}-{} twice", rule.0, rule.1);
        }
    }
    assert!(rules.len() > 100, "the pages are found");
    let mut paths = Vec::new();
    NAMED_IN.iter().for_each(|folder| files(&root.join(folder), &mut paths));
    let mut unknown = BTreeSet::new();
    for path in paths {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for rule in named(&text, &prefixes) {
            // A range in a comment may span numbers that were left free: its ends must exist.
            if !rules.contains_key(&rule) && text.contains(&format!("{}-{}", rule.0, rule.1)) {
                unknown.insert(format!("{}-{} in {}", rule.0, rule.1, path.display()));
            }
        }
        let Some(tests) = is_test(path.strip_prefix(&root).unwrap(), &text) else { continue };
        // A range in a heading names its ends only: what lies between needs a name of its own.
        for rule in named(&tests.replace(" to ", " .. "), &prefixes) {
            rules.entry(rule).and_modify(|count| *count += 1);
        }
    }
    let untested: Vec<String> = rules
        .iter()
        .filter(|(_, count)| **count == 0)
        .map(|((prefix, number), _)| format!("{prefix}-{number}"))
        .collect();
    assert_eq!(unknown, BTreeSet::new(), "rules that no page defines");
    assert_eq!(untested, Vec::<String>::new(), "rules that no vector or test names");
}

#[test]
fn ranges_and_words_are_read_rightly() {
    let prefixes = BTreeSet::from(["QX"]);
    let read = |text| named(text, &prefixes).into_iter().map(|(_, number)| number).collect::<Vec<_>>();
    assert_eq!(read("QX-1, rules QX-4 to QX-6."), [1, 4, 5, 6]);
    assert_eq!(read("AQX-1 QX- QX-a X-1 (QX-20)"), [20]);
}
