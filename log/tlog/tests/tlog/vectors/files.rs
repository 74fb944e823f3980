//! `policy.json`, `proof.json`, `add-checkpoint.json`: tlog-policy, tlog-proof, tlog-witness.

use undersigned_tlog::checkpoint::Origin;
use undersigned_tlog::hash::{Hash, empty_root};
use undersigned_tlog::note::{KeyName, NoteSigner, VerifierKey};
use undersigned_tlog::policy::{Policy, PolicyRule, Quorum};
use undersigned_tlog::proof::TlogProof;
use undersigned_tlog::wire::AddCheckpoint;

use super::{Case, Members, bytes_member, check_table, member, refused};
use crate::known::{LOG_KEY, ORIGIN, WITNESS_KEY, note};
use crate::notes::key_text;

/// The verifier key of a witness whose seed is this byte 32 times.
fn witness(name: &str, seed: u8) -> String {
    let signer = NoteSigner::from_seed(KeyName::new(name).unwrap(), &[seed; 32]).unwrap();
    key_text(name, &[&[4], signer.verifier_key().key()].concat())
}

fn log(name: &str, seed: u8) -> String {
    NoteSigner::from_seed(KeyName::new(name).unwrap(), &[seed; 32]).unwrap().verifier_key().to_string()
}

#[test]
fn policy() {
    let hash = empty_root().to_hex();
    let comment = format!("# registry {ORIGIN}#{hash}\n");
    let (a, b, c) = (witness("a.example", 1), witness("b.example", 2), witness("c.example", 3));
    let three = format!("witness A {a}\nwitness B {b}\nwitness C {c}\n");
    let log_line = format!("log {LOG_KEY}\n");
    let same_key = key_text("other.example", &[&[1], VerifierKey::parse(LOG_KEY).unwrap().key()].concat());
    let same_witness = key_text("d.example", &[&[4], VerifierKey::parse(&a).unwrap().key()].concat());
    let post_quantum = key_text("a.example", &[&[6], &[7; 1312][..]].concat());
    let logs: String = (1..=65).map(|seed| format!("log {}\n", log("l.example", seed))).collect();
    let witnesses: String =
        (1..=65).map(|seed| format!("witness w{seed} {}\n", witness("w.example", seed))).collect();
    let first =
        |lines: &str, count| lines.lines().take(count).fold(String::new(), |all, line| all + line + "\n");
    let at = |line: usize, rule: &str| format!("line {line} of the policy: {rule}");
    let threshold = |line, members| {
        at(line, &format!("a group needs all, any or a number from 1 to {members} of its members"))
    };
    let registry = at(1, "a registry comment has the form \"# registry <origin>#<64 hex digits>\"");
    let cases: Vec<(&'static str, Vec<u8>, Result<(), String>)> = vec![
        ("the least", b"quorum none".to_vec(), Ok(())),
        ("one log", format!("{log_line}quorum none\n").into(), Ok(())),
        (
            "one log with its url and registry",
            format!("{comment}log {LOG_KEY} https://{ORIGIN}\nquorum none\n").into(),
            Ok(()),
        ),
        ("two keys of one log", format!("{log_line}log {}\nquorum none\n", log(ORIGIN, 9)).into(), Ok(())),
        (
            "spaces, tabs, empty lines and comments",
            format!("\n \t\n # x\n#\n\tlog \t {LOG_KEY} \nquorum\tnone\t\n\n").into(),
            Ok(()),
        ),
        (
            "bytes that are no utf-8, in a comment and a name",
            [b"# \xff\nwitness \xfe ".as_slice(), a.as_bytes(), b"\nquorum \xfe\n"].concat(),
            Ok(()),
        ),
        (
            "a witness as the quorum",
            format!("{log_line}witness W {WITNESS_KEY} https://w/\nquorum W\n").into(),
            Ok(()),
        ),
        (
            "groups of groups",
            format!("{log_line}{three}group G 2 A B\ngroup H any C\ngroup I all G H\nquorum I\n").into(),
            Ok(()),
        ),
        (
            "a witness of two keys",
            format!("witness A {a}\nwitness P {post_quantum}\ngroup W any A P\nquorum W\n").into(),
            Ok(()),
        ),
        ("the quorum before lines it does not need", format!("quorum none\n{log_line}").into(), Ok(())),
        (
            "words that are reserved elsewhere as names",
            format!("witness all {a}\ngroup log any all\nquorum log\n").into(),
            Ok(()),
        ),
        ("64 logs", format!("{}quorum none\n", first(&logs, 64)).into(), Ok(())),
        ("64 witnesses", format!("{}quorum none\n", first(&witnesses, 64)).into(), Ok(())),
        ("65 logs", format!("{logs}quorum none\n").into(), Err(at(65, "too many lines of this kind"))),
        (
            "65 witnesses",
            format!("{witnesses}quorum none\n").into(),
            Err(at(65, "too many lines of this kind")),
        ),
        (
            "a comment about the registry, not the line",
            b"# registry: see below\nquorum none\n".to_vec(),
            Ok(()),
        ),
        ("no quorum", log_line.clone().into(), Err(at(0, "no quorum line"))),
        ("empty", vec![], Err(at(0, "no quorum line"))),
        ("two quorums", b"quorum none\nquorum none\n".to_vec(), Err(at(2, "a second quorum line"))),
        ("a quorum of two", format!("{three}quorum A B\n").into(), Err(at(4, "the wrong number of fields"))),
        (
            "a quorum defined later",
            format!("quorum A\n{three}").into(),
            Err(at(1, "the name A is not defined before this line")),
        ),
        (
            "a quorum in other letters",
            b"quorum None\n".to_vec(),
            Err(at(1, "the name None is not defined before this line")),
        ),
        ("line feeds of windows", b"quorum none\r\n".to_vec(), Err(at(1, "a control character"))),
        ("a form feed", b"quorum\x0cnone\n".to_vec(), Err(at(1, "a control character"))),
        ("a delete character", b"# \x7f\nquorum none\n".to_vec(), Err(at(1, "a control character"))),
        (
            "an unknown word",
            b"quorum none\nLog x\n".to_vec(),
            Err(at(2, "a line begins with log, witness, group or quorum")),
        ),
        ("a comment after a line", b"quorum none # all\n".to_vec(), Err(at(1, "the wrong number of fields"))),
        ("a log without a key", b"log\nquorum none\n".to_vec(), Err(at(1, "the wrong number of fields"))),
        (
            "a log with two urls",
            format!("log {LOG_KEY} a b\n").into(),
            Err(at(1, "the wrong number of fields")),
        ),
        (
            "a log with a wrong key",
            format!("log {}\n", LOG_KEY.replace("2d+", "2e+")).into(),
            Err(at(1, "not a verifier key: the key id is 4517142e, but name and key give 4517142d")),
        ),
        (
            "a url that is no utf-8",
            [b"log ".as_slice(), LOG_KEY.as_bytes(), b" \xff\nquorum none\n"].concat(),
            Err(at(1, "the url is not one field of utf-8")),
        ),
        (
            "a log twice",
            format!("{log_line}{log_line}quorum none\n").into(),
            Err(at(2, "a public key that an earlier line has already")),
        ),
        (
            "one public key under two log names",
            format!("{log_line}log {same_key}\nquorum none\n").into(),
            Err(at(2, "a public key that an earlier line has already")),
        ),
        (
            "one public key for two witnesses",
            format!("witness A {a}\nwitness D {same_witness}\nquorum none\n").into(),
            Err(at(2, "a public key that an earlier line has already")),
        ),
        (
            "a witness with the key of a log",
            format!("witness A {LOG_KEY}\n").into(),
            Err(at(1, "a witness key is of type 0x04 or 0x06, not 0x01")),
        ),
        (
            "a witness without a name",
            format!("witness {a}\n").into(),
            Err(at(1, "the wrong number of fields")),
        ),
        (
            "a witness named none",
            format!("witness none {a}\n").into(),
            Err(at(1, "none is not a name of a witness, group or member")),
        ),
        (
            "a group named none",
            format!("{three}group none any A\n").into(),
            Err(at(4, "none is not a name of a witness, group or member")),
        ),
        (
            "none in a group",
            format!("{three}group G any none\n").into(),
            Err(at(4, "none is not a name of a witness, group or member")),
        ),
        (
            "a name twice",
            format!("witness A {a}\nwitness A {b}\n").into(),
            Err(at(2, "the name A is defined already")),
        ),
        (
            "a group with the name of a witness",
            format!("{three}group A any B\n").into(),
            Err(at(4, "the name A is defined already")),
        ),
        (
            "a member that is not defined",
            format!("{three}group G any X\n").into(),
            Err(at(4, "the name X is not defined before this line")),
        ),
        (
            "a group in itself",
            format!("{three}group G any G\n").into(),
            Err(at(4, "the name G is not defined before this line")),
        ),
        (
            "a member twice in one group",
            format!("{three}group G 2 A A\n").into(),
            Err(at(4, "A is a member of a group already")),
        ),
        (
            "a member of two groups",
            format!("{three}group G any A B\ngroup H any A C\n").into(),
            Err(at(5, "A is a member of a group already")),
        ),
        ("a group without members", format!("{three}group G all\n").into(), Err(threshold(4, 0))),
        ("none of two", format!("{three}group G 0 A B\n").into(), Err(threshold(4, 2))),
        ("three of two", format!("{three}group G 3 A B\n").into(), Err(threshold(4, 2))),
        ("a leading zero", format!("{three}group G 01 A B\n").into(), Err(threshold(4, 2))),
        ("a word that is no number", format!("{three}group G most A B\n").into(), Err(threshold(4, 2))),
        (
            "a registry comment without a hash",
            format!("# registry {ORIGIN}\nquorum none\n").into(),
            Err(registry.clone()),
        ),
        (
            "a registry comment with a short hash",
            format!("# registry {ORIGIN}#{}\nquorum none\n", &hash[1..]).into(),
            Err(registry.clone()),
        ),
        (
            "a registry comment in upper case",
            format!("# registry {ORIGIN}#{}\nquorum none\n", hash.to_uppercase()).into(),
            Err(registry.clone()),
        ),
        (
            "a registry comment without an origin",
            format!("# registry #{hash}\nquorum none\n").into(),
            Err(registry.clone()),
        ),
        (
            "a registry comment with more words",
            format!("# registry {ORIGIN}#{hash} old\nquorum none\n").into(),
            Err(registry.clone()),
        ),
        (
            "a registry comment without its space",
            format!("#registry {ORIGIN}#{hash}\nquorum none\n").into(),
            Err(registry),
        ),
        (
            "two registry comments",
            format!("{comment}{comment}quorum none\n").into(),
            Err(at(2, "a second registry comment")),
        ),
    ];
    let cases = cases.into_iter().map(|(name, bytes, expected)| {
        let output = Policy::parse(&bytes).map(|policy| described(&policy));
        Case::new(name, vec![bytes_member("policy", &bytes)], output, expected)
    });
    let about = "Policies of C2SP tlog-policy; the registry comment is this project's. Limits: 64 logs, witnesses, groups.";
    check_table("policy.json", about, vec![], cases.collect());
}

/// What a policy says, in the terms of the table.
fn described(policy: &Policy) -> Members {
    let logs: Vec<_> = policy.logs().iter().map(|log| log.key.to_string()).collect();
    let witnesses: Vec<_> = policy.witnesses().iter().map(|witness| witness.key.to_string()).collect();
    let groups: Vec<_> = policy
        .groups()
        .iter()
        .map(|group| {
            let members: Vec<_> = group.members.iter().map(ToString::to_string).collect();
            format!("{}: {} of {}", group.name, group.needed, members.join(" "))
        })
        .collect();
    let mut members = vec![member("logs", logs), member("witnesses", witnesses), member("groups", groups)];
    let quorum = match policy.quorum() {
        Quorum::None => b"none",
        Quorum::Of(name) => name.as_bytes(),
    };
    members.push(bytes_member("quorum", quorum));
    assert_eq!(policy.check_quorum_supported().is_ok(), quorum == b"none");
    if let Some((origin, hash)) = policy.registry_comment() {
        members.push(member("registry", format!("{origin}#{hash}")));
    }
    members
}

#[test]
fn a_written_policy_reads_back() {
    let key = VerifierKey::parse(LOG_KEY).unwrap();
    let (origin, hash) = (Origin::new(ORIGIN).unwrap(), empty_root());
    let text = Policy::for_log(&key, Some("https://registry.example/log1"), Some((&origin, &hash))).unwrap();
    assert_eq!(
        text,
        format!("# registry {ORIGIN}#{hash}\nlog {LOG_KEY} https://registry.example/log1\nquorum none\n")
    );
    let policy = Policy::parse(text.as_bytes()).unwrap();
    assert_eq!(policy.log_keys(&origin), [&key]);
    assert_eq!(policy.log_keys(&Origin::new("other").unwrap()), Vec::<&VerifierKey>::new());
    assert_eq!(policy.registry_comment(), Some((ORIGIN, hash)));
    assert_eq!(policy.check_quorum_supported(), Ok(()));
    assert_eq!(Policy::for_log(&key, None, None).unwrap(), format!("log {LOG_KEY}\nquorum none\n"));
    for url in ["", "a b", "a\nquorum none", "a\t", "a\r", "a\n# x"] {
        assert!(Policy::for_log(&key, Some(url), None).is_err(), "{url:?}");
    }
    let refused = Policy::for_log(&key, Some("a\n#"), None).unwrap_err();
    assert_eq!(refused.rule, PolicyRule::Url);
    let group = Policy::parse(format!("witness W {WITNESS_KEY}\nquorum W\n").as_bytes()).unwrap();
    let unsupported = group.check_quorum_supported().unwrap_err().to_string();
    assert!(unsupported.starts_with("the policy asks for cosignatures of W, and this version cannot check"));
}

const HASH: &str = "J0ebarMh0u5HdFL2i6UndI6GPK/o+9HfK/idFXDRtpc=";

#[test]
fn proof() {
    let note = note();
    let header = "c2sp.org/tlog-proof@v1";
    let lines = |count| format!("{HASH}\n").repeat(count);
    let whole = format!("{header}\nindex 2\n{}\n{note}", lines(3));
    let with_index = |index: &str| format!("{header}\nindex {index}\n\n{note}");
    let no_index = "no index line with a decimal without leading zeros";
    let no_extra = "the extra line is not the canonical base64 of at least one byte";
    let not_a_hash = "the hash lines are wrong: hash 1 is not the canonical base64 of 32 bytes";
    let cases: Vec<(&'static str, Vec<u8>, Result<(), String>)> = vec![
        ("three hashes", whole.clone().into(), Ok(())),
        ("no hashes", with_index("0").into(), Ok(())),
        ("63 hashes", format!("{header}\nindex 2\n{}\n{note}", lines(63)).into(), Ok(())),
        ("extra bytes", format!("{header}\nextra AAE=\nindex 2\n\n{note}").into(), Ok(())),
        ("the largest index of JSON", with_index("9007199254740991").into(), Ok(())),
        (
            "64 hashes",
            format!("{header}\nindex 2\n{}\n{note}", lines(64)).into(),
            refused("the hash lines are wrong: more than 63 hashes"),
        ),
        ("empty", vec![], refused("the first line is not c2sp.org/tlog-proof@v1")),
        (
            "another version",
            whole.replace("@v1", "@v2").into(),
            refused("the first line is not c2sp.org/tlog-proof@v1"),
        ),
        (
            "a space after the header",
            whole.replace("@v1", "@v1 ").into(),
            refused("the first line is not c2sp.org/tlog-proof@v1"),
        ),
        (
            "an empty line first",
            format!("\n{whole}").into(),
            refused("the first line is not c2sp.org/tlog-proof@v1"),
        ),
        (
            "line feeds of windows",
            whole.replace('\n', "\r\n").into(),
            refused("the first line is not c2sp.org/tlog-proof@v1"),
        ),
        ("extra without bytes", format!("{header}\nextra \nindex 2\n\n{note}").into(), refused(no_extra)),
        ("extra with pad bits", format!("{header}\nextra AAF=\nindex 2\n\n{note}").into(), refused(no_extra)),
        (
            "extra twice",
            format!("{header}\nextra AAE=\nextra AAE=\nindex 2\n\n{note}").into(),
            refused(no_index),
        ),
        (
            "extra after the index",
            format!("{header}\nindex 2\nextra AAE=\n\n{note}").into(),
            refused(not_a_hash),
        ),
        ("no index", format!("{header}\n\n{note}").into(), refused(no_index)),
        ("a leading zero", with_index("02").into(), refused(no_index)),
        ("a sign", with_index("+2").into(), refused(no_index)),
        ("an empty index", with_index("").into(), refused(no_index)),
        ("two spaces", with_index(" 2").into(), refused(no_index)),
        ("2^64", with_index("18446744073709551616").into(), refused(no_index)),
        ("the header alone", format!("{header}\n").into(), refused(no_index)),
        ("a short hash", format!("{header}\nindex 2\nAAE=\n\n{note}").into(), refused(not_a_hash)),
        (
            "a hash without padding",
            format!("{header}\nindex 2\n{}\n\n{note}", HASH.trim_end_matches('=')).into(),
            refused(not_a_hash),
        ),
        (
            "a hash in hex",
            format!("{header}\nindex 2\n{}\n\n{note}", "0".repeat(64)).into(),
            refused(not_a_hash),
        ),
        (
            "a byte that is no utf-8",
            [format!("{header}\nindex 2\n").as_bytes(), b"\xff\n\n", note.as_bytes()].concat(),
            refused(not_a_hash),
        ),
        (
            "no empty line",
            format!("{header}\nindex 2\n{HASH}\n").into(),
            refused("the hash lines are wrong: no empty line after the hashes"),
        ),
        (
            "no checkpoint",
            format!("{header}\nindex 2\n{HASH}\n\n").into(),
            refused("no checkpoint after the empty line"),
        ),
        (
            "too long",
            format!("{whole}{}", "x".repeat(4000)).into(),
            refused("the proof file has 4484 bytes, the most is 4000"),
        ),
    ];
    let cases = cases.into_iter().map(|(name, bytes, expected)| {
        let output = TlogProof::parse(&bytes, 4000).map(|proof| {
            assert_eq!(proof.to_bytes(), bytes);
            let mut members = vec![
                member("index", proof.index().get()),
                member("hashes", proof.hashes().iter().map(Hash::to_base64).collect::<Vec<_>>()),
                bytes_member("checkpoint", proof.unverified_checkpoint()),
            ];
            if let Some(extra) = proof.unverified_extra() {
                members.push(member("extra", undersigned_tlog::codec::base64_encode(extra)));
            }
            members
        });
        Case::new(name, vec![bytes_member("proof", &bytes)], output, expected)
    });
    let about = "Proof files of C2SP tlog-proof@v1, of at most 4000 bytes in this table: their form, not what they prove.";
    check_table("proof.json", about, vec![], cases.collect());
}

#[test]
fn add_checkpoint() {
    let note = note();
    let lines = |count| format!("{HASH}\n").repeat(count);
    let body = |old: &str, count| format!("{old}\n{}\n{note}", lines(count));
    let no_old = "the first line is not old and a decimal without leading zeros";
    let cases: Vec<(&'static str, Vec<u8>, Result<(), String>)> = vec![
        ("the first time", body("old 0", 0).into(), Ok(())),
        ("four hashes", body("old 3", 4).into(), Ok(())),
        ("63 hashes", body("old 3", 63).into(), Ok(())),
        ("64 hashes", body("old 3", 64).into(), refused("the hash lines are wrong: more than 63 hashes")),
        ("empty", vec![], refused(no_old)),
        ("no old", format!("\n{note}").into(), refused(no_old)),
        ("a leading zero", body("old 03", 1).into(), refused(no_old)),
        ("a negative size", body("old -3", 1).into(), refused(no_old)),
        ("no size", body("old ", 1).into(), refused(no_old)),
        ("no word", body("3", 1).into(), refused(no_old)),
        ("a space at the end", body("old 3 ", 1).into(), refused(no_old)),
        ("line feeds of windows", body("old 3", 1).replace('\n', "\r\n").into(), refused(no_old)),
        (
            "a hash that is none",
            format!("old 3\n{HASH}\nAAE=\n\n{note}").into(),
            refused("the hash lines are wrong: hash 2 is not the canonical base64 of 32 bytes"),
        ),
        (
            "no empty line",
            format!("old 3\n{HASH}\n").into(),
            refused("the hash lines are wrong: no empty line after the hashes"),
        ),
        ("no checkpoint", format!("old 3\n{HASH}\n\n").into(), refused("no checkpoint after the empty line")),
    ];
    let cases = cases.into_iter().map(|(name, bytes, expected)| {
        let output = AddCheckpoint::parse(&bytes).map(|request| {
            assert_eq!(request.to_bytes(), bytes);
            vec![
                member("old", request.old().get()),
                member("hashes", request.proof().iter().map(Hash::to_base64).collect::<Vec<_>>()),
                bytes_member("checkpoint", request.unverified_checkpoint()),
            ]
        });
        Case::new(name, vec![bytes_member("body", &bytes)], output, expected)
    });
    let about = "Bodies of C2SP tlog-witness add-checkpoint: their form, not what they prove.";
    check_table("add-checkpoint.json", about, vec![], cases.collect());
}
