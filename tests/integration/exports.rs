//! Files for other programs: completions for shells, pages for man(1).

use std::process::Command;

use crate::terminal::Terminal;

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
        assert!(script.contains("passphrase-file"), "{shell}");
    }
    std::fs::write(terminal.path("completions"), terminal.succeeds("completions bash")).unwrap();
    let told = Command::new("bash").args(["-n", "completions"]).current_dir(terminal.folder.path()).output();
    assert!(told.unwrap().status.success(), "bash reads it");
    let page = terminal.succeeds("man");
    assert!(page.contains(".TH undersigned 1") && page.contains("Exit codes:"), "{page}");
    std::fs::create_dir(terminal.path("man1")).unwrap();
    terminal.says("man man1", "a page for each command is in man1: man undersigned\n");
    for name in ["undersigned", "undersigned-key-import", "undersigned-export-signature"] {
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
