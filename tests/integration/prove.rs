//! `prove` as transcripts: one file for each answer, checked before it is written, verified without a network.

use crate::terminal::{Terminal, masked, run_in};

fn signed() -> Terminal {
    let terminal = Terminal::with_pledge();
    terminal.succeeds("endorse pledge --key org --out e.tlog-proof");
    terminal.succeeds("key new other");
    terminal.succeeds("party create --name Other --key other --out other.tlog-proof");
    terminal
}

/// The party that a receipt is about.
fn party(terminal: &Terminal, receipt: &str) -> String {
    let line = format!("verify {receipt} --policy registry.policy");
    terminal.json(&line)["receipts"][0]["party"].as_str().unwrap().to_owned()
}

#[test]
fn a_count_is_proved_in_one_file() {
    let terminal = signed();
    terminal.says(
        "prove count pledge --policy registry.policy --out count.tlog-proof",
        r#"
as of tree size 6 exactly 1 organisation endorses version HASH, 0 of them domain-verified, and 0 have withdrawn
proof    count.tlog-proof (check it offline: undersigned verify)
"#,
    );
    let line = "verify count.tlog-proof --policy registry.policy";
    let said = run_in(terminal.folder.path(), "http://127.0.0.1:1", line);
    assert_eq!((said.code, said.error.as_str()), (0, ""));
    assert_eq!(
        masked(&said.out),
        r#"count.tlog-proof: VERIFIED
  As of tree size 6 exactly 1 organisation endorses "A pledge" (version 1), 0 of them domain-verified, and 0 have withdrawn.
  The registry states this; anyone can check it by replay.
  What of this is proved, what the registry only states, and what is open:
  proved:
    - the log test.registry.example/log states the state root HASH in entry 5, in the tree of size 6 that the log key signed
    - the answer below follows from that root, and no other answer does
    - the registry is test.registry.example/log#HASH, as your policy says
  stated by the registry, checkable by replay:
    - as of tree size 6 exactly 1 organisation endorses version HASH, 0 of them domain-verified, and 0 have withdrawn
    - the version is number 1 of statement HASH, titled "A pledge"
    - entry 5 was received at TIME by the registry's clock
    - these lines rest on the state root in the entry; anyone can check it by replay: undersigned audit
    - this is the state now, as far as the checkpoint goes: its tree has the same size 6
  not proved:
    - how many organisations stand behind the parties: whoever is not domain-verified only claims to be one
    - that the checkpoint is the newest: no witness has cosigned it
"#
    );
    // A file is never replaced, and what is printed is the file itself.
    let before = std::fs::read(terminal.path("count.tlog-proof")).unwrap();
    terminal.fails(
        "prove count pledge --out count.tlog-proof",
        4,
        "error: count.tlog-proof exists already, and it was left as it is\nname another file with --out\n",
    );
    assert_eq!(std::fs::read(terminal.path("count.tlog-proof")).unwrap(), before);
    assert_eq!(terminal.succeeds("prove count pledge").into_bytes(), before, "nothing came since");
    // Its negative twins: a byte anywhere.
    for at in (0..before.len()).step_by(137) {
        let mut altered = before.clone();
        altered[at] ^= 1;
        std::fs::write(terminal.path("altered"), altered).unwrap();
        let said = terminal.run("verify altered --policy registry.policy");
        assert_eq!((said.code, said.out.as_str()), (1, ""), "byte {at}");
    }
}

#[test]
fn status_and_absence_are_proved() {
    let terminal = signed();
    let (org, other) = (party(&terminal, "e.tlog-proof"), party(&terminal, "other.tlog-proof"));
    let status = |party: &str| format!("prove status pledge --party {party} --policy registry.policy");
    let absent = |party: &str| format!("prove absent pledge --party {party} --policy registry.policy");
    let said = terminal.succeeds(&format!("{} --out status.tlog-proof", status(&org)));
    assert_eq!(
        masked(&said),
        "as of tree size 6 the endorsement of version HASH by party HASH stands; signed by entry 4, as read in \"en\"\n\
         as of tree size 6 exactly 1 organisation endorses version HASH, 0 of them domain-verified, and 0 have withdrawn\n\
         proof    status.tlog-proof (check it offline: undersigned verify)\n"
    );
    let said = terminal.succeeds(&format!("{} --out absent.tlog-proof", absent(&other)));
    assert!(masked(&said).starts_with(
        "as of tree size 6 party HASH has no endorsement of version HASH, neither standing nor ended nor withdrawn\n"
    ));
    // The other answer is told, with what to ask instead.
    terminal.fails(
        &status(&other),
        1,
        "error: the party has no endorsement of this version\nask for its absence instead (question=absent, undersigned prove absent)\n",
    );
    terminal.fails(
        &absent(&org),
        1,
        "error: the party has an endorsement of this version, and it is active\nask for its status instead: undersigned prove status, or question=status\n",
    );
    terminal.fails(
        &absent("example.org"),
        1,
        "error: \"example.org\" is no party id\nan id has 64 lower-case hex digits; find it with: undersigned show party DOMAIN\n",
    );
    let nobody = "0".repeat(64);
    let said = terminal.run(&status(&nobody));
    assert!(
        said.code == 1 && said.error.contains("\nundersigned show party DOMAIN prints the id"),
        "{said:?}"
    );
    let said = terminal.run("prove count plege --policy registry.policy");
    assert!(said.code == 1 && said.error.contains("\ndid you mean pledge? "), "{said:?}");
    let said = terminal.run(&format!(
        "prove entries {}",
        (0..1_025).map(|index| index.to_string()).collect::<Vec<_>>().join(" ")
    ));
    assert!(said.code == 1 && said.error.starts_with("error: index: "), "{said:?}");
    terminal.succeeds("withdraw pledge --key org --out w.tlog-proof");
    let said = terminal.succeeds(&format!("{} --out left.tlog-proof", status(&org)));
    assert!(masked(&said).starts_with(
        "as of tree size 7 the endorsement of version HASH by party HASH is withdrawn, by entry 6; signed by entry 4, as read in \"en\"\n\
         as of tree size 7 no organisation endorses version HASH, and 1 has withdrawn\n"
    ));
    // Old files stay true as of their size, all kinds are checked together, and machines are told the same.
    let entries = "prove entries 4 6 4 --policy registry.policy --out two.multi-proof";
    assert!(terminal.succeeds(entries).starts_with("2 entries of the tree of size 7\n"));
    let line = "verify e.tlog-proof status.tlog-proof absent.tlog-proof left.tlog-proof two.multi-proof --policy registry.policy";
    let told = terminal.json(line);
    assert_eq!(told["receipts"].as_array().unwrap().len(), 1);
    let states = told["state_proofs"].as_array().unwrap();
    let kinds: Vec<_> = states.iter().map(|state| state["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["status", "absent", "status"]);
    assert_eq!((&states[0]["status"], &states[2]["status"]), (&"active".into(), &"withdrawn".into()));
    assert_eq!((&states[1]["active"], &states[1]["party"]), (&1.into(), &other.as_str().into()));
    let entries = told["multi_proofs"][0]["entries"].as_array().unwrap();
    assert_eq!((&entries[0]["type"], &entries[1]["type"]), (&"endorse".into(), &"withdraw".into()));
    let said = terminal.succeeds("verify absent.tlog-proof --policy registry.policy");
    assert!(said.contains("    - that the organisation has not signed under another party id, or another version; anybody can claim a name or domain\n"));
    // One answer on standard output is one object or one file, never both.
    let told = terminal.json("prove count pledge --out c.tlog-proof");
    assert_eq!(
        (&told["active"], &told["is_newest"], &told["anchored"]),
        (&0.into(), &true.into(), &false.into())
    );
    // Whoever withdraws what it never signed is on record, and not counted.
    terminal.succeeds("withdraw pledge --key other --out o.tlog-proof");
    terminal.fails(
        &absent(&other),
        1,
        "error: the party never signed this version, but withdrew from it, and that is on record\nask for its status instead: undersigned prove status, or question=status\n",
    );
    let list = terminal.succeeds("list signatories pledge");
    assert!(list.contains("\n0 standing, 1 withdrawn, as of 8 entries\n"), "{list}");
}

#[test]
fn mistakes_are_told_with_what_to_do() {
    let terminal = signed();
    terminal.fails(
        "prove count none",
        1,
        "error: there is no statement with this slug or id\nsee which there are: undersigned list statements\n",
    );
    terminal.fails(
        "prove count --version x",
        1,
        "error: \"x\" is no version id, which has 64 lower-case hex digits\nundersigned show statement SLUG prints its newest version and the languages of that\n",
    );
    terminal.fails(
        "prove entries 99",
        1,
        "error: index must be below 6, the published tree size\nsee what the command takes with --help\n",
    );
    for line in ["prove count", "prove status pledge", "prove entries", "prove entries x", "prove"] {
        assert_eq!(terminal.run(line).code, 2, "{line}");
    }
    // Another registry's anchor: nothing is written.
    let other = Terminal::new();
    std::fs::copy(other.path("registry.policy"), terminal.path("other.policy")).unwrap();
    let said = terminal.run("prove count pledge --policy other.policy --out c.tlog-proof");
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    assert!(said.error.starts_with("error: the registry's proof does not verify: "), "{}", said.error);
    assert!(!terminal.path("c.tlog-proof").exists());
}
