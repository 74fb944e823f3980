//! Files for other programs: lists for spreadsheets, completions for shells, pages for man(1).

use std::process::Command;

use crate::terminal::{Terminal, masked};

#[test]
fn signatories_are_exported_whole_and_harmless() {
    let terminal = Terminal::with_pledge();
    terminal.succeeds("key new formula");
    terminal.succeeds("party create --name =HYPERLINK(1) --key formula --out f.tlog-proof");
    terminal.succeeds("endorse pledge --key formula --out 1.tlog-proof");
    terminal.succeeds("endorse pledge --key org --out 2.tlog-proof");
    terminal.succeeds("withdraw pledge --key org --out 3.tlog-proof");
    terminal
        .says("export signatories pledge --out list.csv", "2 rows, as of 8 entries, written to list.csv\n");
    let csv = std::fs::read_to_string(terminal.path("list.csv")).unwrap();
    let now = masked(&csv);
    let lines: Vec<&str> = now.split("\r\n").collect();
    assert_eq!(lines.len(), 4, "a header, two rows, and nothing after the last end of a line: {csv}");
    assert!(lines[0].starts_with("\"party\",\"name\",\"language\",\"domain\""), "{csv}");
    assert!(lines[1].starts_with("\"HASH\",\"Org\",\"en\",\"org.example\",\"0\",\"withdrawn\","), "{csv}");
    // A spreadsheet would follow the link: the apostrophe makes it a text.
    assert!(lines[2].starts_with("\"HASH\",\"'=HYPERLINK(1)\",\"en\",\"\",\"0\",\"active\","), "{csv}");
    terminal.fails(
        "export signatories pledge --out list.csv",
        4,
        "error: list.csv exists already, and it was left as it is\nname another file with --out\n",
    );
    assert_eq!(std::fs::read_to_string(terminal.path("list.csv")).unwrap(), csv);
    // Programs get every text as it is, and a list of the past as it was.
    let lines = terminal.succeeds("export signatories pledge --format jsonl");
    let rows: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[1]["names"][0]["text"], "=HYPERLINK(1)");
    let before = terminal.succeeds("export signatories pledge --format jsonl --at 7");
    assert!(before.lines().all(|line| line.contains("\"active\"")), "{before}");
    terminal.fails(
        "export signatories none --out x.csv",
        1,
        "error: there is no statement with this slug or id\nsee which there are: undersigned list statements\n",
    );
    assert!(!terminal.path("x.csv").exists());
    assert_eq!(terminal.json("export signatories pledge --out y.csv")["tree_size"], 8);
}

#[test]
fn names_of_any_script_stand_in_columns() {
    let terminal = Terminal::with_pledge();
    for (number, name) in ["東京の会", "Źródło", "جمعية", "q\u{301}"].iter().enumerate() {
        terminal.succeeds(&format!("key new key{number}"));
        terminal.succeeds(&format!(
            "party create --name {name} --domain d{number}.example --key key{number} --out p{number}.tlog-proof"
        ));
        terminal.succeeds(&format!("endorse pledge --key key{number} --out e{number}.tlog-proof"));
    }
    let list = terminal.succeeds("list signatories pledge");
    let starts: Vec<usize> =
        list.lines().take_while(|line| !line.is_empty()).map(|line| line.rfind("  ").unwrap() + 2).collect();
    assert_eq!(starts.len(), 5, "{list}");
    assert!(starts.windows(2).all(|pair| pair[0] == pair[1]), "names begin in one column: {list}");
    assert!(list.lines().all(|line| line.trim_end() == line), "{list}");
}

#[test]
fn shells_and_man_read_the_same_definition_as_help() {
    let terminal = Terminal::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = terminal.succeeds(&format!("completions {shell}"));
        assert!(script.contains("passphrase-file") && script.contains("signatories"), "{shell}");
    }
    std::fs::write(terminal.path("completions"), terminal.succeeds("completions bash")).unwrap();
    let told = Command::new("bash").args(["-n", "completions"]).current_dir(terminal.folder.path()).output();
    assert!(told.unwrap().status.success(), "bash reads it");
    let page = terminal.succeeds("man");
    assert!(page.contains(".TH undersigned 1") && page.contains("Exit codes:"), "{page}");
    std::fs::create_dir(terminal.path("man1")).unwrap();
    terminal.says("man man1", "a page for each command is in man1: man undersigned\n");
    for name in ["undersigned", "undersigned-key-import", "undersigned-export-signatories"] {
        let page = std::fs::read_to_string(terminal.path("man1").join(format!("{name}.1"))).unwrap();
        assert!(page.contains(&format!(".TH {name} 1")), "{page}");
        assert!(name == "undersigned" || page.contains("Example"), "{page}");
    }
    terminal.fails(
        "man none",
        4,
        "error: cannot write manual pages to none: No such file or directory (os error 2)\ncheck the path\n",
    );
}
