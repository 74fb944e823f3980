//! Audits that go on from where the last one ended: what is kept, what is wrong with the file, and what is
//! wrong with the log.

use std::path::Path;

use undersigned_tlog::hash::sha256;

use crate::binary;
use crate::support::{Server, copy, listing};
use crate::terminal::{Terminal, masked, run_in};

const AUDIT: &str = "audit registry --policy registry.policy --state kept";

/// The same bytes with a last line that fits them.
fn with_end(text: &str) -> String {
    let body = text.rsplit_once("sha256 ").unwrap().0;
    format!("{body}sha256 {}\n", sha256(&[body.as_bytes()]).to_hex())
}

/// The files beside the state file that hold evidence.
fn evidence(terminal: &Terminal) -> Vec<String> {
    let mut names: Vec<String> = listing(terminal.folder.path())
        .into_iter()
        .map(|(path, _)| path.display().to_string())
        .filter(|name| name.starts_with("kept."))
        .collect();
    names.sort();
    names
}

#[test]
fn an_audit_goes_on_from_where_the_last_one_ended() {
    let terminal = Terminal::with_pledge();
    let first = terminal.succeeds(AUDIT);
    assert!(first.contains("from entry 0 to entry 3\nchecked:"), "{first}");
    assert!(first.ends_with("kept in kept: the next audit with it goes on from here\n"), "{first}");
    // Nothing new: the same end again. How many tiles were compared on the way is counted on.
    let kept = || {
        let text = std::fs::read_to_string(terminal.path("kept")).unwrap();
        let counted = |line: &&str| line.starts_with("tiles ") || line.starts_with("sha256 ");
        text.lines().filter(|line| !counted(line)).map(str::to_owned).collect::<Vec<_>>()
    };
    let before = kept();
    let again = terminal.succeeds(AUDIT);
    assert!(again.contains("4 of them audited before, and still the beginning of the log; 0 new"), "{again}");
    // What was not read again is not said to be checked.
    assert!(first.contains("all entries (4) hash") && !first.contains("not read again"), "{first}");
    assert!(again.contains("the new entries (0) hash") && !again.contains("all entries"), "{again}");
    assert!(
        again.contains("still has the first 4 entries as they were audited: they were not read again"),
        "{again}"
    );
    assert!(kept() == before, "the same is kept");
    terminal.succeeds("endorse pledge --key org --out 1.tlog-proof");
    let json = terminal.json(AUDIT);
    assert_eq!((&json["from"], &json["tree_size"]), (&4.into(), &5.into()));
    terminal.succeeds("withdraw pledge --key org --out 2.tlog-proof");
    // Over HTTP as well.
    let line = AUDIT.replace("audit registry ", &format!("audit {} ", terminal.server.url));
    let json = terminal.json(&line);
    assert_eq!(
        (&json["from"], &json["tree_size"], &json["versions"][0]["withdrawn"]),
        (&5.into(), &6.into(), &1.into())
    );
    assert_eq!(evidence(&terminal), Vec::<String>::new());
}

#[test]
fn a_bad_file_is_no_lie_of_the_log() {
    let terminal = Terminal::with_pledge();
    terminal.succeeds(AUDIT);
    let good = std::fs::read_to_string(terminal.path("kept")).unwrap();
    let damaged = "this says nothing about the log, and the file was left as it is: take it from a backup, or move it away and audit from entry 0";
    let other = "name another file with --state for this log, or the policy that the file was made under";
    let line_of = |name: &str| good.lines().find(|line| line.starts_with(name)).unwrap();
    let record = good.lines().find(|line| line.starts_with('7')).or(good.lines().nth(10)).unwrap();
    let foreign = Terminal::with_pledge();
    foreign.succeeds(AUDIT);
    let another = std::fs::read_to_string(foreign.path("kept")).unwrap();
    let foreign_entry = another.lines().find(|line| line.starts_with("entry ")).unwrap();
    for (what, text, told, next) in [
        ("empty", String::new(), "it is damaged: it is empty", damaged),
        ("cut", good[..good.len() / 2].to_owned(), "it is damaged: its end is missing", damaged),
        ("cut by one", good[..good.len() - 1].to_owned(), "it is damaged: its end is missing", damaged),
        (
            "zeroed",
            format!("{}{}", &good[..100], "\0".repeat(good.len() - 100)),
            "it is damaged: it has zero bytes, as a power cut leaves them",
            damaged,
        ),
        (
            "altered",
            good.replace("tiles 1", "tiles 2"),
            "it is damaged: its last line does not fit what stands above it",
            damaged,
        ),
        (
            "something else",
            "hello\n".to_owned(),
            "it is not the state of an audit",
            "name another file with --state",
        ),
        // Altered by somebody who made the last line fit.
        (
            "edge",
            with_end(&good.replace(line_of("edge "), "edge ")),
            "it is damaged: its edge of the tree does not have the root of its checkpoint",
            damaged,
        ),
        (
            "entry",
            with_end(&good.replace(line_of("entry "), foreign_entry)),
            "it is damaged: its last entry is not in the tree of its checkpoint",
            damaged,
        ),
        (
            "record",
            with_end(&good.replace(&format!("{record}\n"), "")),
            "it is damaged: its records do not give the state root of its last entry",
            damaged,
        ),
        (
            "number",
            with_end(&good.replace(line_of("signatures "), "signatures many")),
            "it is damaged: a line of it is not what stands there",
            damaged,
        ),
        (
            "another registry",
            another.clone(),
            "it is of the registry test.registry.example/log#HASH, and the policy names test.registry.example/log#HASH",
            other,
        ),
        (
            "another checkpoint",
            with_end(&good.replace(
                line_of("checkpoint "),
                another.lines().find(|line| line.starts_with("checkpoint ")).unwrap(),
            )),
            "it is damaged: its edge of the tree does not have the root of its checkpoint",
            damaged,
        ),
    ] {
        std::fs::write(terminal.path("kept"), &text).unwrap();
        let said = terminal.run(AUDIT);
        assert_eq!((said.code, said.out.as_str()), (4, ""), "{what}: {said:?}");
        let expected = if what == "another checkpoint" {
            // Signed by another log's key: the policy is asked first.
            assert!(said.error.contains("its checkpoint is not one that the policy trusts"), "{said:?}");
            continue;
        } else {
            format!("error: the state file kept cannot be used: {told}\n{next}\n")
        };
        assert_eq!(masked(&said.error), expected, "{what}");
        assert_eq!(std::fs::read_to_string(terminal.path("kept")).unwrap(), text, "{what}: left as it is");
    }
    assert_eq!(evidence(&terminal), Vec::<String>::new());
    std::fs::write(terminal.path("kept"), &good).unwrap();
    terminal.succeeds(AUDIT);
}

/// Logs one more entry in a copy of the registry.
fn go_on(terminal: &Terminal, data: &str, line: &str) {
    let server = Server::start(binary(), &terminal.path(data));
    let said = run_in(terminal.folder.path(), &server.url, line);
    assert_eq!(said.code, 0, "{said:?}");
    let (code, _) = server.stop();
    assert_eq!(code, Some(0));
}

/// Stops the registry, and leaves two copies of its folder that go on apart.
fn two_histories() -> (tempfile::TempDir, Terminal) {
    let terminal = Terminal::with_pledge();
    let Terminal { folder, server } = terminal;
    let (code, _) = server.stop();
    assert_eq!(code, Some(0));
    copy(&folder.path().join("registry"), &folder.path().join("one"));
    copy(&folder.path().join("registry"), &folder.path().join("other"));
    // The terminal of the tests below talks to nobody: audits read folders.
    let server = Server::start(binary(), &folder.path().join("registry"));
    (tempfile::tempdir().unwrap(), Terminal { folder, server })
}

fn check_contradiction(terminal: &Terminal, folder: &str, told: &str) {
    let kept = std::fs::read(terminal.path("kept")).unwrap();
    let line = AUDIT.replace("audit registry ", &format!("audit {folder} "));
    let said = terminal.run(&line);
    assert_eq!((said.code, said.out.as_str()), (1, ""), "{said:?}");
    assert!(masked(&said.error).starts_with(told), "{}", masked(&said.error));
    assert_eq!(std::fs::read(terminal.path("kept")).unwrap(), kept, "what was kept is evidence");
    let files = evidence(terminal);
    assert_eq!(files.len(), 2, "{files:?}");
    assert!(files[0].starts_with("kept.audited-") && files[1].starts_with("kept.served-"), "{files:?}");
    for (file, checkpoint) in files.iter().zip(["one", folder]) {
        let served = terminal.path(checkpoint).join("public/checkpoint");
        assert_eq!(std::fs::read(terminal.path(file)).unwrap(), std::fs::read(served).unwrap());
        assert!(said.error.contains(file.as_str()), "{}", said.error);
    }
    // Said again, and nothing more is written.
    let before = listing(terminal.folder.path());
    assert_eq!(terminal.run(&line).error, said.error);
    let kept_files = |list: Vec<(std::path::PathBuf, String)>| {
        list.into_iter()
            .filter(|(path, _)| path.starts_with(Path::new("")) && !path.starts_with("registry"))
            .collect::<Vec<_>>()
    };
    assert_eq!(kept_files(listing(terminal.folder.path())), kept_files(before));
}

#[test]
fn a_log_that_forked_or_shrank_has_lied() {
    for (more, told) in [
        // The same size with another entry at its end, and a longer one.
        (
            1,
            "error: RED: the log has forked: the log key signed two histories: the tree of 5 entries that was audited has the root ",
        ),
        (
            3,
            "error: RED: the log has forked: the log key signed two histories: the tree of 5 entries that was audited has the root ",
        ),
    ] {
        let (_held, terminal) = two_histories();
        go_on(&terminal, "one", "endorse pledge --key org --out one.tlog-proof");
        for number in 0..more {
            let slug = format!(
                "statement publish other{number} --key org --text en=pledge.txt --out o{number}.tlog-proof"
            );
            go_on(
                &terminal,
                "other",
                if number == 0 { "withdraw pledge --key org --out other.tlog-proof" } else { &slug },
            );
        }
        terminal.succeeds(&AUDIT.replace("audit registry ", "audit one "));
        check_contradiction(&terminal, "other", told);
    }
    // A copy from before: an honest mirror that stands still says the same, so the words are milder.
    let (_held, terminal) = two_histories();
    go_on(&terminal, "one", "endorse pledge --key org --out one.tlog-proof");
    terminal.succeeds(&AUDIT.replace("audit registry ", "audit one "));
    check_contradiction(
        &terminal,
        "other",
        "error: RED: the log has shrunk: 5 entries were audited, and the checkpoint that is served now has 4\na log never shrinks: ",
    );
    // Damaged files convict nobody: the tiles lead to neither of the two signed trees.
    let (_held, terminal) = two_histories();
    terminal.succeeds(&AUDIT.replace("audit registry ", "audit one "));
    go_on(&terminal, "one", "endorse pledge --key org --out one.tlog-proof");
    let tile = terminal.path("one").join("public/tile/0/000.p/5");
    let mut bytes = std::fs::read(&tile).unwrap();
    // The leaf that is new: the proof leads through it.
    bytes[4 * 32] ^= 1;
    std::fs::write(&tile, bytes).unwrap();
    let said = terminal.run(&AUDIT.replace("audit registry ", "audit one "));
    assert_eq!(said.code, 1, "{said:?}");
    assert_eq!(
        said.error,
        "error: RED: entry 4: tile/0/000.p/5 does not have the hash that follows from the entries (tile)\nthe files are not those of the tree that the log key signed: audit another copy; if it says the same, tell the registry's auditors\n"
    );
    assert_eq!(evidence(&terminal), Vec::<String>::new());
}
