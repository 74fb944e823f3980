//! The whole life of an organisation's keys at the command line: made, imported, locked, added, ended, lost.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::terminal::Terminal;

impl Terminal {
    /// A file that its owner alone can read.
    fn secret(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn tool(&self, program: &str, arguments: &[&str]) {
        let output = Command::new(program).args(arguments).current_dir(self.folder.path()).output().unwrap();
        assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    }

    /// The id of a key file.
    fn key_id(&self, file: &str) -> String {
        let shown = self.succeeds(&format!("key show {file}"));
        let line = shown.lines().find_map(|line| line.strip_prefix("key id ")).unwrap();
        line.trim().to_owned()
    }
}

#[test]
fn keys_of_openssl_and_openssh_are_imported_and_used_as_they_are() {
    let terminal = Terminal::new();
    terminal.secret("word", "correct horse\n");
    terminal.tool("openssl", &["genpkey", "-algorithm", "ed25519", "-out", "key.pem"]);
    let lock = "pkcs8 -topk8 -in key.pem -passout file:word -out locked.pem";
    terminal.tool("openssl", &lock.split(' ').collect::<Vec<_>>());
    std::fs::set_permissions(terminal.path("locked.pem"), std::fs::Permissions::from_mode(0o600)).unwrap();
    terminal.tool("ssh-keygen", &["-q", "-t", "ed25519", "-N", "correct horse", "-f", "locked-ssh"]);
    let imported = terminal.succeeds("key import key.pem from-pem --comment office");
    assert!(imported.contains("without a passphrase"), "{imported}");
    assert!(imported.ends_with("key.pem is left as it was; delete it if one copy is enough\n"), "{imported}");
    terminal.succeeds("key import locked.pem from-locked --passphrase-file word");
    assert_eq!(terminal.key_id("from-pem"), terminal.key_id("from-locked.pub"));
    // What was locked stays locked, by the same words.
    terminal.fails(
        "endorse pledge --key from-locked --passphrase-file absent",
        4,
        "error: absent cannot be used: entity not found\ncheck the path and its permissions\n",
    );
    terminal.tool("ssh-keygen", &["-q", "-y", "-P", "correct horse", "-f", "from-locked"]);
    // Signed with, without an import: locked PEM enters, locked OpenSSH is added.
    let enter = "party create --name Org --key locked.pem --passphrase-file word --out p.tlog-proof";
    assert!(terminal.succeeds(enter).contains("recovery key  locked.pem-recovery\n"));
    let add = "party keys --key locked.pem --passphrase-file word --add sign=locked-ssh --out k.tlog-proof";
    assert!(terminal.succeeds(add).contains("now      3 keys live: 1 recovery, 1 admin, 1 sign "));
    terminal.secret("other", "battery staple\n");
    terminal.fails(
        "endorse pledge --key locked-ssh --passphrase-file other",
        4,
        "error: the passphrase does not open locked-ssh\ntry again; nobody can open it without the right one\n",
    );
    // Nobody to ask: there is no terminal here.
    let said = Command::new("setsid")
        .arg("--wait")
        .arg(crate::binary())
        .args(["endorse", "pledge", "--key", "locked-ssh"])
        .current_dir(terminal.folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8(said.stderr).unwrap();
    assert_eq!(said.status.code(), Some(4), "{told}");
    assert!(
        told.starts_with(
            "error: the passphrase of locked-ssh cannot be asked for, as there is no terminal: "
        ) && told.ends_with("\nname a file that holds it with --passphrase-file\n"),
        "{told}"
    );
    // As ssh does.
    std::fs::set_permissions(terminal.path("from-pem"), std::fs::Permissions::from_mode(0o644)).unwrap();
    terminal.fails(
        "endorse pledge --key from-pem",
        4,
        "error: other users of this machine can read from-pem (mode 0644), so it is not used, as ssh would not\nif nobody has copied it, make it yours alone: chmod 600 from-pem\n",
    );
}

#[test]
fn a_passphrase_is_asked_for_on_the_terminal() {
    let terminal = Terminal::with_pledge();
    let said = terminal.at_a_terminal("key new locked --passphrase", "correct horse\nwrong\n");
    assert_eq!(said.code, 4, "{said:?}");
    assert!(said.out.contains("error: the passphrase for locked is not the same both times\n"), "{said:?}");
    assert!(!terminal.path("locked").exists());
    let said = terminal.at_a_terminal("key new locked --passphrase", "correct horse\ncorrect horse\n");
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.starts_with("New passphrase for locked: \nThe same again: \nprivate key  locked "));
    assert!(!said.out.contains("horse"), "what is typed is not shown: {said:?}");
    // Once for a command, with another chance for who mistypes.
    let add = "party keys --key org --add sign=locked --out k.tlog-proof";
    let said = terminal.at_a_terminal(add, "wrong\ncorrect horse\n");
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.out.matches("Passphrase of locked: ").count(), 2, "{said:?}");
    let endorse = "endorse pledge --key locked --out e.tlog-proof";
    let said = terminal.at_a_terminal(endorse, "correct horse\n");
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.out.matches("Passphrase of locked: ").count(), 1, "{said:?}");
    let said = terminal.at_a_terminal("withdraw pledge --key locked", "a\nb\nc\n");
    assert_eq!(said.code, 4, "{said:?}");
    assert!(said.out.ends_with("error: the passphrase does not open locked\ntry again; nobody can open it without the right one\n"), "{said:?}");
}

#[test]
fn keys_come_and_go_and_the_recovery_key_saves_who_lost_all_others() {
    let terminal = Terminal::with_pledge();
    let mode = terminal.path("org-recovery").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    terminal.succeeds("key new officer");
    terminal.succeeds("key new new");
    terminal.says(
        "party keys --key org --add sign=officer --policy registry.policy --out 1.tlog-proof",
        r#"
party HASH, called "Org", added 1 key and ended 0 keys
entry    4 of test.registry.example/log
event    HASH
receipt  1.tlog-proof (keep it: it proves this for ever, offline)
added    HASH (sign)
         it may endorse and withdraw, in every entry after 4
now      3 keys live: 1 recovery, 1 admin, 1 sign (undersigned show party HASH)
"#,
    );
    terminal.succeeds("endorse pledge --key officer --out e.tlog-proof");
    terminal.fails(
        "party keys --key officer --revoke org.pub",
        1,
        "error: no signer has the role \"admin\" or a higher one\nsign with a key of a higher role\n",
    );
    // By the beginning of its id.
    let officer = terminal.key_id("officer");
    terminal.says(
        &format!(
            "party keys --key org --retire {} --policy registry.policy --out 2.tlog-proof",
            &officer[..8]
        ),
        r#"
party HASH, called "Org", added 0 keys and ended 1 key
entry    6 of test.registry.example/log
event    HASH
receipt  2.tlog-proof (keep it: it proves this for ever, offline)
retired  HASH
         it signs nothing after entry 6; what it signed before stands, and it never comes back
now      2 keys live: 1 recovery, 1 admin, 0 sign (undersigned show party HASH)
"#,
    );
    assert_eq!(terminal.run("withdraw pledge --key officer").code, 1, "an ended key signs nothing");
    // The admin key is stolen, and the thief has not been here yet.
    terminal.says(
        "party keys --key org-recovery --add admin=new --revoke org.pub --policy registry.policy --out 3.tlog-proof",
        r#"
party HASH, called "Org", added 1 key and ended 1 key
entry    7 of test.registry.example/log
event    HASH
receipt  3.tlog-proof (keep it: it proves this for ever, offline)
added    HASH (admin)
         it may endorse, withdraw, publish, and add and end sign and admin keys, in every entry after 7
revoked  HASH
         it signs nothing after entry 7; what it signed before stands, and it never comes back
         look for entries that are not yours, and withdraw or publish anew what is wrong
now      2 keys live: 1 recovery, 1 admin, 0 sign (undersigned show party HASH)
"#,
    );
    assert_eq!(terminal.run("withdraw pledge --key org").code, 1, "a revoked key signs nothing");
    terminal.succeeds("withdraw pledge --key new --out w.tlog-proof");
    let party =
        terminal.json("show party org.example")["claimed_by"][0]["party"].as_str().unwrap().to_owned();
    terminal.tabulates(
        &format!("show party {party}"),
        "
name  \"Org\"
domain  org.example (claimed: nobody has checked it)
party  HASH
level  0 (claimed)
entries  1 2 3 4 5 6 7 8

role  state  key
admin  revoked by entry 7, added by entry 1  HASH
recovery  live, added by entry 1  HASH
sign  retired by entry 6, added by entry 4  HASH
admin  live, added by entry 7  HASH
",
    );
    assert_eq!(terminal.json(&format!("show party {party}"))["keys"].as_array().unwrap().len(), 4);
}

#[test]
fn mistakes_with_keys_are_told_with_what_to_do() {
    let terminal = Terminal::with_pledge();
    std::fs::set_permissions(terminal.path("org.pub"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let party =
        terminal.json("show party org.example")["claimed_by"][0]["party"].as_str().unwrap().to_owned();
    for (line, code, told) in [
        (
            "party keys --key org",
            1,
            "error: nothing to change\nname a key with --add, --retire or --revoke\n".to_owned(),
        ),
        (
            "party keys --key org --add org",
            1,
            "error: \"org\" is no key to add\nwrite sign=FILE, admin=FILE or recovery=FILE\n".to_owned(),
        ),
        (
            "party keys --key org --retire 00000000",
            1,
            "error: no live key of the party begins with 00000000\nlist the keys with: undersigned show party HASH\n".to_owned(),
        ),
        (
            "party keys --key org --retire 0000000",
            1,
            "error: \"0000000\" is neither a key id, nor the beginning of one, nor a file\nwrite the id (64 lower-case hex digits), its first 8 or more, or name the .pub file\n".to_owned(),
        ),
        (
            "key import org.pub copy",
            4,
            "error: org.pub is the public key, which cannot sign\nname the private key file, the one without .pub: org\n".to_owned(),
        ),
        (
            "key import org org-recovery",
            4,
            "error: org-recovery exists already, and a key is never overwritten\nchoose another name\n".to_owned(),
        ),
    ] {
        terminal.fails(line, code, &told.replace("PARTY", &party));
    }
    // Whoever wants none is told what that means.
    terminal.succeeds("key new alone");
    let said =
        terminal.succeeds("party create --name Alone --key alone --no-recovery-key --out a.tlog-proof");
    assert!(
        said.ends_with(
            "There is no recovery key: if all keys are lost, nobody can act for this party again.\n"
        )
    );
    assert!(!terminal.path("alone-recovery").exists());
    let said = terminal.run("party keys --key alone --retire alone.pub");
    assert_eq!((said.code, said.out.as_str()), (1, ""), "the last admin key stays: {said:?}");
}
