//! The command line as transcripts: what a person types, reads, and gets told when it is wrong.
//!
//! Ids, keys and times are masked; everything else is compared to the letter, standard error included.

use std::process::Command;

use crate::binary;
use crate::support::Server;
use crate::terminal::{Terminal, masked, run_in};

#[test]
fn a_key_is_made_once_and_shown() {
    let terminal = Terminal::new();
    let made = terminal.succeeds("key new org");
    assert!(made.starts_with(
        "private key  org (keep it; nobody can make it again)\n             without a passphrase: whoever copies the file can sign with it\npublic key   org.pub\n"
    ));
    let shown = terminal.succeeds("key show org.pub");
    assert_eq!(terminal.succeeds("key show org"), shown, "the private file shows the same");
    assert!(made.ends_with(&shown), "{made} / {shown}");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&terminal.path("org").metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let before = std::fs::read(terminal.path("org")).unwrap();
    let told = "error: org exists already, and a key is never overwritten\nchoose another name\n";
    terminal.fails("key new org", 4, told);
    assert_eq!(std::fs::read(terminal.path("org")).unwrap(), before);
    let told = "error: there is no key file absent\nmake one with: undersigned key new absent\n";
    terminal.fails("key show absent", 4, told);
}

#[test]
fn from_entering_to_leaving() {
    let terminal = Terminal::new();
    terminal.succeeds("key new org");
    terminal.says(
        "party create --name Org --domain org.example --key org --policy registry.policy --out party.tlog-proof",
        r#"
party HASH, called "Org", entered the registry with 2 keys
entry    1 of test.registry.example/log
event    HASH
receipt  party.tlog-proof (keep it: it proves this for ever, offline)
party    HASH (this is how the registry names you)

recovery key  org-recovery
  Its use: if your other keys are lost or stolen, it alone can end them and add new ones:
    undersigned party keys --key org-recovery --add admin=NEW-KEY --revoke OLD-KEY-ID
  Move it off this machine now: onto a medium or paper that lies in a safe, at another place.
  Whoever has it can take the organisation over; nobody can make it again, the registry neither.
"#,
    );
    terminal.says(
        "statement publish pledge --kind pledge --key org --text en=pledge.txt --policy registry.policy --out v.tlog-proof",
        r#"
party HASH, called "Org", published a text in 1 language: "A pledge"
entry    3 of test.registry.example/log
event    HASH
receipt  v.tlog-proof (keep it: it proves this for ever, offline)
statement HASH
version   HASH
Now others can sign: undersigned endorse pledge --key FILE
"#,
    );
    terminal.says(
        "endorse pledge --key org --out endorsed.tlog-proof",
        r#"
party HASH, called "Org", endorsed "A pledge" (version HASH), as read in "en"
entry    4 of test.registry.example/log
event    HASH
receipt  endorsed.tlog-proof (keep it: it proves this for ever, offline)
note     checked against the policy that this registry serves of itself; from now on do better:
         undersigned policy --out registry.policy     (once; then compare the fingerprint that
         it prints with the one that the operator publishes elsewhere)
         and add to every command: --policy registry.policy
"#,
    );
    terminal.fails(
        "endorse pledge --key org",
        1,
        "error: the party endorses this version already\nnothing to do; its receipt again: undersigned receipt HASH --out FILE\n",
    );
    terminal.says(
        "withdraw pledge --key org --policy registry.policy --out left.tlog-proof",
        r#"
party HASH, called "Org", withdrew its endorsement of "A pledge" (version HASH)
entry    5 of test.registry.example/log
event    HASH
receipt  left.tlog-proof (keep it: it proves this for ever, offline)
"#,
    );
    terminal.fails(
        "withdraw pledge --key org",
        1,
        "error: the endorsement is withdrawn already\nnothing to do; its receipt again: undersigned receipt HASH --out FILE\n",
    );
    terminal.tabulates(
        "list signatories pledge",
        "
status  since  party  domain  name
withdrawn  TIME  HASH  org.example  Org

0 standing, 1 withdrawn, as of 6 entries
",
    );
    terminal.tabulates(
        "list signatories pledge --at 5",
        "
status  since  party  domain  name
active  TIME  HASH  org.example  Org

1 standing, 0 withdrawn, as of 5 entries
",
    );
    terminal.tabulates(
        "list statements",
        "
statement  kind  published  id
pledge  pledge  TIME  HASH
",
    );
    terminal.tabulates(
        "show statement pledge",
        r#"
pledge "pledge"
statement  HASH
sponsor  HASH (org.example, Org)
versions  1
version  HASH (number 1)

language  text  bytes  sha256 of the text  title
en  authentic  22  HASH  A pledge

0 standing, 1 withdrawn, as of 6 entries
read a text: undersigned show statement pledge --text en
"#,
    );
    terminal.tabulates(
        "show party org.example",
        "
one party claims org.example (anybody can claim a domain)

party  entry  name
HASH  1  Org
",
    );
    let entry = terminal.succeeds("show entry 5");
    assert!(
        masked(&entry).starts_with(
            "entry     5 in the tree of 6 entries\ntype      withdraw\nparty     HASH (org.example, Org)\nreceived  TIME\nevent     HASH\n\n{\n"
        ),
        "{entry}"
    );
    // A receipt is fetched again, also of what was superseded, and stands under the newest checkpoint.
    terminal.says("receipt 4 --out again.tlog-proof", "receipt of entry 4 written to again.tlog-proof\n");
    let told = "error: again.tlog-proof exists already, and a receipt is never overwritten\nname another file with --out\n";
    terminal.fails("receipt 5 --out again.tlog-proof", 4, told);
    // Nothing is lost in a device.
    terminal.says("receipt 5 --out /dev/null", "receipt of entry 5 written to /dev/null\n");
    let verified = terminal.succeeds("verify endorsed.tlog-proof again.tlog-proof --policy registry.policy");
    assert!(
        verified.contains("endorsed.tlog-proof: VERIFIED") && verified.contains("again.tlog-proof: VERIFIED")
    );
    assert!(verified.contains("in the tree of size 5") && verified.contains("in the tree of size 6"));
}

#[test]
fn verify_says_what_is_proved_and_needs_no_registry() {
    let terminal = Terminal::with_pledge();
    terminal.succeeds("endorse pledge --key org --out e.tlog-proof");
    let line = "verify e.tlog-proof --policy registry.policy";
    // The address leads nowhere: nobody is asked.
    let said = run_in(terminal.folder.path(), "http://127.0.0.1:1", line);
    assert_eq!((said.code, said.error.as_str()), (0, ""));
    assert_eq!(
        masked(&said.out),
        r#"e.tlog-proof: VERIFIED
  "Org", which claims the domain org.example, endorsed "A pledge" (version 1), as read in "en".
  It is entry 4 of the log test.registry.example/log, received at TIME by its clock, in the tree of 5 entries that the log key signed.
  What of this is proved, what the registry only states, and what is open:
  proved:
    - the key HASH signed these words: party HASH endorsed version HASH, as read in "en"
    - they are entry 4 of the log test.registry.example/log, in the tree of size 5 that the log key signed
    - the registry is test.registry.example/log#HASH, as your policy says
  stated by the registry, checkable by replay:
    - the key HASH belonged to party HASH, with the role "admin", and was live at this entry
    - party HASH calls itself "Org"
    - the party's trust level is 0 (claimed)
    - the party claims the domain org.example
    - the version is titled "A pledge"
    - it is version 1 of statement HASH, published by entry 3
    - the text in "en" (authentic) has 22 bytes and the SHA-256 HASH
    - received at TIME by the registry's clock
    - after this entry the endorsement is active
    - after this entry the version has exactly 1 standing endorsement, and 0 withdrawn
    - the last lines rest on the state root in the entry; anyone can check it by replay: undersigned audit
  not proved:
    - that the party has anything to do with org.example: nobody has checked it
    - the date: no witness has cosigned the tree
    - what came after entry 4: this receipt is of that moment, and the party may have withdrawn or signed since
"#
    );
    let receipt = std::fs::read(terminal.path("e.tlog-proof")).unwrap();
    // Its negative twins: a byte anywhere, cut off, another registry's policy.
    for at in (0..receipt.len()).step_by(97) {
        let mut altered = receipt.clone();
        altered[at] ^= 1;
        std::fs::write(terminal.path("altered.tlog-proof"), altered).unwrap();
        let said = terminal.run("verify altered.tlog-proof --policy registry.policy");
        assert_eq!((said.code, said.out.as_str()), (1, ""), "byte {at}");
        assert!(
            said.error.starts_with("error: altered.tlog-proof: NOT VERIFIED: "),
            "byte {at}: {}",
            said.error
        );
        assert!(said.error.contains("\nthis file proves nothing under this policy; "), "{}", said.error);
    }
    std::fs::write(terminal.path("cut.tlog-proof"), &receipt[..receipt.len() / 2]).unwrap();
    assert_eq!(terminal.run("verify cut.tlog-proof --policy registry.policy").code, 1);
    // One bad file among good ones fails the whole command.
    let said = terminal.run("verify cut.tlog-proof e.tlog-proof absent --policy registry.policy");
    assert_eq!(
        (said.code, said.error.as_str()),
        (
            1,
            "error: 2 of 3 files are not verified: cut.tlog-proof, absent\nwhat is wrong with each is said above; the others hold\n"
        )
    );
    assert!(said.out.starts_with("cut.tlog-proof: NOT VERIFIED: "), "{}", said.out);
    assert!(
        said.out.contains("\ne.tlog-proof: VERIFIED\n") && said.out.contains("cannot read absent: "),
        "{}",
        said.out
    );
    let said = terminal.run("--json verify cut.tlog-proof e.tlog-proof --policy registry.policy");
    let told: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((said.code, &told["receipts"][0]["file"]), (1, &"e.tlog-proof".into()));
    assert_eq!(told["not_verified"][0]["file"], "cut.tlog-proof");
    assert!(told["not_verified"][0]["error"].is_string() && told["not_verified"][0]["next"].is_string());
    let other = Terminal::new();
    std::fs::copy(other.path("registry.policy"), terminal.path("other.policy")).unwrap();
    let said = terminal.run("verify e.tlog-proof --policy other.policy");
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    assert!(said.error.contains("NOT VERIFIED"), "{}", said.error);
    // The right key and another genesis: still another registry.
    let policy = std::fs::read_to_string(terminal.path("registry.policy")).unwrap();
    let genesis = policy.split('#').nth(2).unwrap().split('\n').next().unwrap().to_owned();
    std::fs::write(terminal.path("genesis.policy"), policy.replace(&genesis, &"0".repeat(64))).unwrap();
    let said = terminal.run("verify e.tlog-proof --policy genesis.policy");
    assert_eq!(said.code, 1);
    assert!(said.error.contains("NOT VERIFIED"), "{}", said.error);
    let file = "error: cannot read absent: No such file or directory (os error 2)\ncheck the path";
    let said = terminal.run("verify absent --policy registry.policy");
    assert!(said.code == 4 && said.error.starts_with(file), "{said:?}");
    assert_eq!(terminal.run("verify e.tlog-proof --policy absent").code, 4);
}

/// A receipt and the policy go to somebody who has no registry to ask: by mail, which changes texts.
#[test]
fn a_third_person_checks_what_came_by_mail() {
    let terminal = Terminal::with_pledge();
    terminal.succeeds("endorse pledge --key org --policy registry.policy --out e.tlog-proof");
    let text = terminal.succeeds("show statement pledge --text en");
    let third = tempfile::tempdir().unwrap();
    for name in ["e.tlog-proof", "registry.policy"] {
        std::fs::copy(terminal.path(name), third.path().join(name)).unwrap();
    }
    let run = |line: &str| run_in(third.path(), "http://127.0.0.1:1", line);
    let fingerprint =
        |said: &str| said.lines().find(|line| line.starts_with("fingerprint")).unwrap().to_owned();
    let offline = run("policy --file registry.policy");
    assert_eq!((offline.code, offline.error.as_str()), (0, ""));
    assert_eq!(fingerprint(&offline.out), fingerprint(&terminal.succeeds("policy")));
    let said = run("verify e.tlog-proof --policy registry.policy");
    assert_eq!(said.code, 0, "{said:?}");
    // The text that came along is the one that was signed, and any other is not.
    let sha256 = |bytes: &[u8]| undersigned_tlog::hash::sha256(&[bytes]).to_hex();
    assert!(said.out.contains(&sha256(text.as_bytes())), "{}", said.out);
    assert!(!said.out.contains(&sha256(b"We sign what we do not mean.\n")));
    for (name, told) in [("e.tlog-proof", "NOT VERIFIED"), ("registry.policy", "no trust anchor")] {
        let original = std::fs::read_to_string(third.path().join(name)).unwrap();
        std::fs::write(third.path().join(name), original.replace('\n', "\r\n")).unwrap();
        let said = run("verify e.tlog-proof --policy registry.policy");
        let expected = format!(
            "error: {name}: {told}: its line ends were changed (CR LF), as mail programs and editors do\nask for it again as an attachment, packed (zip) if that does not help\n"
        );
        assert_eq!((said.code, said.out.as_str(), said.error), (1, "", expected));
        std::fs::write(third.path().join(name), original).unwrap();
    }
}

/// An event was signed for the registry of the policy and sent to another one, which said only that it was
/// not its own.
#[test]
fn nothing_is_signed_for_another_registry_than_the_one_that_answers() {
    let terminal = Terminal::with_pledge();
    let other = Terminal::new();
    std::fs::copy(other.path("registry.policy"), terminal.path("other.policy")).unwrap();
    for line in [
        "endorse pledge --key org --policy other.policy",
        "prepare endorse pledge --public-key org.pub --out event.txt --policy other.policy",
    ] {
        let said = terminal.run(line);
        assert_eq!((said.code, said.out.as_str()), (1, ""), "{line}");
        assert!(said.error.starts_with("error: the policy is that of the registry "), "{}", said.error);
        assert!(
            said.error.contains("\nnothing was signed; name the other policy with --policy"),
            "{}",
            said.error
        );
    }
    assert!(!terminal.path("event.txt").exists());
}

#[test]
fn another_tool_signs() {
    let terminal = Terminal::with_pledge();
    terminal.says(
        "prepare endorse pledge --public-key org.pub --out event.txt",
        r"
wrote event.txt for the key HASH to sign
  endorse pledge in the registry test.registry.example/log#HASH
  to be submitted before TIME
Sign exactly this file, for example:
  ssh-keygen -Y sign -n undersigned -f KEY event.txt
  undersigned submit event.txt --signature event.txt.sig
",
    );
    let event = std::fs::read_to_string(terminal.path("event.txt")).unwrap();
    assert!(event.starts_with("undersigned event v1\n{") && event.ends_with("}\n"), "{event}");
    let sign = |namespace: &str, file: &str| {
        let output = Command::new("ssh-keygen")
            .args(["-q", "-Y", "sign", "-n", namespace, "-f", "org", file])
            .current_dir(terminal.folder.path())
            .output()
            .expect("ssh-keygen is installed by tests/run");
        assert!(output.status.success(), "{output:?}");
    };
    std::fs::copy(terminal.path("event.txt"), terminal.path("other.txt")).unwrap();
    sign("other", "other.txt");
    terminal.fails(
        "submit event.txt --signature other.txt.sig",
        1,
        "error: other.txt.sig is not a signature for this registry: its namespace is \"other\"\nsign with: ssh-keygen -Y sign -n undersigned ...\n",
    );
    // A signature over other words: the registry's own refusal.
    std::fs::write(terminal.path("changed.txt"), event.replace("\"en\"", "\"pl\"")).unwrap();
    sign("undersigned", "changed.txt");
    let said = terminal.run("submit event.txt --signature changed.txt.sig");
    assert_eq!(said.code, 1);
    assert!(said.error.contains("does not verify"), "{}", said.error);
    std::fs::write(terminal.path("no-event.txt"), "something else\n").unwrap();
    assert_eq!(terminal.run("submit no-event.txt --signature changed.txt.sig").code, 1);
    std::fs::write(terminal.path("short.sig"), [7; 63]).unwrap();
    let said = terminal.run("submit event.txt --signature short.sig");
    assert!(said.code == 1 && said.error.contains("short.sig is not a signature\n"), "{said:?}");
    sign("undersigned", "event.txt");
    terminal.says(
        "submit event.txt --signature event.txt.sig --policy registry.policy --out s.tlog-proof",
        r#"
party HASH, called "Org", endorsed "A pledge" (version HASH), as read in "en"
entry    4 of test.registry.example/log
event    HASH
receipt  s.tlog-proof (keep it: it proves this for ever, offline)
"#,
    );
    let again = terminal.succeeds("submit event.txt --signature event.txt.sig --out again.tlog-proof");
    assert!(again.starts_with("(this event was in the log already; here is its receipt again)\n"), "{again}");
}

#[test]
fn typical_mistakes_are_told_with_what_to_do() {
    let terminal = Terminal::with_pledge();
    terminal.succeeds("key new stranger");
    for (line, code, told) in [
        (
            "endorse pledge --key stranger",
            1,
            "error: the key HASH is not registered\nenter with it (undersigned party create), or let an admin of the party add it (undersigned party keys)\n",
        ),
        (
            "endorse nothing --key org",
            1,
            "error: there is no statement with this slug or id\nsee which there are: undersigned list statements\n",
        ),
        (
            "endorse pledge --key org --version zz",
            1,
            "error: \"zz\" is no version id, which has 64 lower-case hex digits\nundersigned show statement pledge prints its newest version and the languages of that\n",
        ),
        (
            "endorse pledge --key org --version 0000000000000000000000000000000000000000000000000000000000000000",
            1,
            "error: there is no such version of this statement\nundersigned show statement pledge prints its newest version and the languages of that\n",
        ),
        (
            "endorse pledge --key org --language pl",
            1,
            "error: the version has no text in this language\nundersigned show statement HASH prints its newest version and the languages of that\n",
        ),
        (
            "endorse Pledges --key org",
            1,
            "error: there is no statement with this slug or id\ndid you mean pledge? all of them: undersigned list statements\n",
        ),
        (
            "endorse pledge --key org.pub",
            4,
            "error: org.pub is the public key, which cannot sign\nname the private key file, the one without .pub: org\n",
        ),
        (
            "show party Org",
            1,
            "error: \"Org\" is neither the id of a party nor a domain, and names are not looked up\nundersigned list signatories SLUG prints the ids of those who signed, undersigned show party DOMAIN of those who claim a domain\n",
        ),
        (
            "show statement pledge --text pl",
            1,
            "error: the statement has no text in \"pl\"\nname one of its languages with --text: en\n",
        ),
        (
            "verify pledge.txt",
            2,
            "error: a proof is worth something only to somebody who knows the registry's key, and no policy is named\nname the policy file with --policy; get one from the operator or with: undersigned policy --out registry.policy, and compare its fingerprint with what the operator publishes elsewhere (more with --help)\n",
        ),
        (
            "endorse pledge --key gone",
            4,
            "error: there is no key file gone\nmake one with: undersigned key new gone\n",
        ),
        (
            "party create --name Org --domain Org.Example --key org",
            1,
            "error: \"Org.Example\" is no domain of the log\nwrite the bare domain in lower case: org.example\n",
        ),
        (
            "statement publish Not_A_Slug --key org --text en=pledge.txt",
            1,
            "error: \"Not_A_Slug\" is no slug\nuse a-z, 0-9 and single hyphens, at most 64 characters\n",
        ),
        (
            "statement publish pledge --key org --text english=pledge.txt",
            2,
            "error: \"english\" is no language tag\nwrite a short one in lower case, such as en, fr or pt-br\n",
        ),
        (
            "prepare endorse pledge --public-key org.pub --out pledge.txt",
            4,
            "error: pledge.txt exists already, and it was left as it is\nname another file with --out\n",
        ),
        (
            "statement publish pledge --key org --text pledge.txt",
            2,
            "error: \"pledge.txt\" is no text to publish\nwrite LANGUAGE=FILE, such as en=pledge.txt\n",
        ),
        (
            "show key zz",
            1,
            "error: \"zz\" is no key id, which has 64 lower-case hex digits\nundersigned key show FILE prints that of a key file, undersigned show party ID those of a party\n",
        ),
        (
            "show entry 99",
            1,
            "error: there is no such entry in the published tree\nname an entry by its index, from 0, or by the hash of its event; receipts and undersigned show party ID print them\n",
        ),
        (
            "list signatories pledge --at 999",
            1,
            "error: at must be 1 to 4, the published tree size\nsee what the command takes with --help\n",
        ),
        (
            "list statements --registry http://127.0.0.1:1",
            3,
            "error: cannot reach http://127.0.0.1:1/v1/statements?limit=1000\nis the registry running? check the address\n",
        ),
        (
            "list statements --registry registry.example",
            1,
            "error: \"registry.example\" is no address of a registry: it does not say http:// or https://\nwrite it in full, for example https://registry.example or http://localhost:8080\n",
        ),
    ] {
        terminal.fails(line, code, told);
    }
    for line in [
        "nonsense",
        "verify",
        "endorse pledge",
        "prepare endorse pledge --out x",
        "serve --data x --listen y",
    ] {
        let said = terminal.run(line);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{line}: {said:?}");
        assert!(said.error.starts_with("error: ") && said.error.contains("--help"), "{line}: {}", said.error);
    }
}

#[test]
fn json_answers_parse_and_say_the_same() {
    let terminal = Terminal::with_pledge();
    let json = |line: &str| terminal.json(line);
    let endorsed = json("endorse pledge --key org --out e.tlog-proof");
    assert_eq!(
        (&endorsed["index"], &endorsed["is_new"], &endorsed["anchored"]),
        (&4.into(), &true.into(), &false.into())
    );
    let verified = json("verify e.tlog-proof --policy registry.policy");
    let receipt = &verified["receipts"][0];
    assert_eq!((&receipt["verified"], &receipt["index"]), (&true.into(), &4.into()));
    assert_eq!(receipt["event"], endorsed["event"]);
    for (line, member) in [
        ("key show org", "key"),
        ("key new another", "openssh"),
        ("show entry 4", "entry"),
        ("show statement pledge", "slug"),
        ("show party org.example", "claimed_by"),
        ("list statements", "statements"),
        ("list signatories pledge", "signatories"),
        ("policy", "fingerprint"),
        ("prepare withdraw pledge --public-key org.pub --out w.txt", "file"),
        ("receipt 4 --out r.tlog-proof", "has_state"),
        ("withdraw pledge --key org --out w.tlog-proof", "event"),
    ] {
        assert!(!json(line)[member].is_null(), "{line} has {member}");
    }
    // Failures as well, on standard error.
    for (line, code) in [("show statement none", 1), ("verify absent --policy registry.policy", 4)] {
        let said = terminal.run(&format!("--json {line}"));
        assert_eq!((said.code, said.out.as_str()), (code, ""));
        let told: serde_json::Value = serde_json::from_str(&said.error).unwrap();
        assert_eq!(told["exit_code"], code);
        assert!(told["error"].is_string() && told["next"].is_string(), "{told}");
    }
}

#[test]
fn the_help_of_every_verb_has_an_example() {
    let folder = tempfile::tempdir().unwrap();
    let mut waiting = vec![String::new()];
    let mut verbs = 0;
    while let Some(verb) = waiting.pop() {
        let line = format!("{verb} --help").trim_start().to_owned();
        let help = run_in(folder.path(), "http://127.0.0.1:1", &line);
        assert_eq!((help.code, help.error.as_str()), (0, ""), "{line}");
        let has_example = help.out.contains("Example:\n  ") || help.out.contains("Examples:\n  ");
        let commands: Vec<String> = help
            .out
            .lines()
            .skip_while(|line| *line != "Commands:")
            .skip(1)
            .take_while(|line| line.starts_with("  "))
            .filter(|line| !line.starts_with("   "))
            .filter_map(|line| line.split_whitespace().next())
            .filter(|command| *command != "help")
            .map(|command| format!("{verb} {command}").trim().to_owned())
            .collect();
        verbs += usize::from(commands.is_empty());
        assert!(has_example, "{line} has no example:\n{}", help.out);
        waiting.extend(commands);
    }
    assert!(verbs >= 25, "{verbs} verbs were found");
}

/// The state after an entry is remembered for the newest ones and until a restart; a receipt without it says so.
#[test]
fn a_receipt_that_is_fetched_later_says_what_it_lacks() {
    let Terminal { folder, server } = Terminal::with_pledge();
    let said = run_in(folder.path(), &server.url, "--json receipt 1 --out early.tlog-proof");
    assert!(said.code == 0 && said.out.contains("\"has_state\":true"), "{said:?}");
    let said = run_in(folder.path(), &server.url, "receipt 1 --out whole.tlog-proof");
    assert!(said.code == 0 && !said.out.contains("It proves the entry. "), "{said:?}");
    server.stop();
    let server = Server::start(binary(), &folder.path().join("registry"));
    let said = run_in(folder.path(), &server.url, "--json receipt 1 --out late.tlog-proof");
    assert!(said.code == 0 && said.out.contains("\"has_state\":false"), "{said:?}");
    let said = run_in(folder.path(), &server.url, "receipt 1 --out bare.tlog-proof");
    assert!(said.code == 0 && said.out.contains("\nIt proves the entry. "), "{said:?}");
}
