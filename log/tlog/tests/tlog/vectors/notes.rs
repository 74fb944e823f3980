//! `notes.json`, `keys.json`, `checkpoints.json`: signed-note and tlog-checkpoint.

use undersigned_tlog::checkpoint::{Checkpoint, SignedCheckpoint};
use undersigned_tlog::note::{KeyName, Note, NoteSigner, NoteText, SignatureLine, VerifierKey};

use super::{Case, bytes_member, check_table, member, refused};
use crate::known::{CHECKPOINT, LOG_KEY, LOG_LINE, ORIGIN, WITNESS_KEY, WITNESS_LINE, log_signer, note};
use crate::notes::key_text;

fn signed(text: &str) -> String {
    format!("{text}\n{}\n", log_signer().sign(&NoteText::new(text).unwrap()))
}

#[test]
fn notes() {
    let key = VerifierKey::parse(LOG_KEY).unwrap();
    let line = |number| {
        format!("not a signed note: signature line {number} is not an em dash, a key name and base64")
    };
    let blob = |number| {
        format!(
            "not a signed note: signature line {number} is not the canonical base64 of a key id and a signature"
        )
    };
    let (line_1, line_2, blob_1) = (line(1), line(2), blob(1));
    let wrong = "the signature of the key registry.example/log1+4517142d is wrong";
    let control = refused("not a signed note: the note contains a control character");
    let no_end =
        refused("not a signed note: no signature lines, or the last one does not end in a line feed");
    let base64 = LOG_LINE.rsplit_once(' ').unwrap().1;
    let zeros = SignatureLine::new(KeyName::new(ORIGIN).unwrap(), key.key_id(), vec![0; 64]).unwrap();
    let whole = note();
    // The last character before the padding has two bits that carry nothing.
    let pad_bits = whole.replace("OOgU=", "OOgV=");
    let unpadded = whole.replace("OOgU=", "OOgU");
    let url_alphabet = LOG_LINE.replace('+', "-").replace("/", "_");
    let cases: Vec<(&'static str, Vec<u8>, Result<(), String>)> = vec![
        ("by the log and a witness", whole.clone().into(), Ok(())),
        ("by the log alone", format!("{CHECKPOINT}\n{LOG_LINE}\n").into(), Ok(())),
        ("unknown key first", format!("{CHECKPOINT}\n{WITNESS_LINE}\n{LOG_LINE}\n").into(), Ok(())),
        ("unknown key twice", format!("{whole}{WITNESS_LINE}\n").into(), Ok(())),
        ("one line feed of text", signed("\n").into(), Ok(())),
        ("empty lines in the text", signed("a\n\n\nb\n\n").into(), Ok(())),
        ("a text that looks signed", signed(&whole).into(), Ok(())),
        ("text beyond ascii", signed("\u{fc}\u{6f22}\u{1f58b}\n").into(), Ok(())),
        ("empty", vec![], refused("not a signed note: no empty line before the signatures")),
        ("no signatures", format!("{CHECKPOINT}\n").into(), no_end.clone()),
        (
            "no empty line",
            format!("{CHECKPOINT}{LOG_LINE}\n").into(),
            refused("not a signed note: no empty line before the signatures"),
        ),
        (
            "an empty line with a space",
            format!("{CHECKPOINT} \n{LOG_LINE}\n").into(),
            refused("not a signed note: no empty line before the signatures"),
        ),
        ("last line not ended", whole.trim_end().into(), no_end.clone()),
        ("two line feeds at the end", format!("{whole}\n").into(), no_end.clone()),
        ("line feeds of windows", whole.replace('\n', "\r\n").into(), control.clone()),
        ("a tab in the text", format!("a\tb\n\n{LOG_LINE}\n").into(), control.clone()),
        ("a nul in the text", format!("a\0b\n\n{LOG_LINE}\n").into(), control.clone()),
        (
            "not utf-8",
            [b"a\xff\n\n", LOG_LINE.as_bytes(), b"\n"].concat(),
            refused("not a signed note: the note is not utf-8"),
        ),
        (
            "a surrogate",
            [b"a\xed\xa0\x80\n\n", LOG_LINE.as_bytes(), b"\n"].concat(),
            refused("not a signed note: the note is not utf-8"),
        ),
        ("a hyphen for the dash", whole.replace('\u{2014}', "-").into(), refused(&line_1)),
        ("an en dash for the dash", whole.replace('\u{2014}', "\u{2013}").into(), refused(&line_1)),
        ("no space after the dash", whole.replace("\u{2014} r", "\u{2014}r").into(), refused(&line_1)),
        ("no name", format!("{CHECKPOINT}\n\u{2014}  {base64}\n").into(), refused(&line_1)),
        ("no base64", format!("{CHECKPOINT}\n\u{2014} {ORIGIN}\n").into(), refused(&line_1)),
        ("a plus in a name", format!("{whole}\u{2014} a+b {base64}\n").into(), refused(&line(3))),
        (
            "a no-break space in a name",
            format!("{whole}\u{2014} a\u{a0}b {base64}\n").into(),
            refused(&line(3)),
        ),
        (
            "a line of text after a signature",
            format!("{CHECKPOINT}\n{LOG_LINE}\nmore\n").into(),
            refused(&line_2),
        ),
        ("pad bits that are not zero", pad_bits.into(), refused(&blob_1)),
        ("no padding", unpadded.into(), refused(&blob_1)),
        ("a space after the base64", format!("{CHECKPOINT}\n{LOG_LINE} \n").into(), refused(&blob_1)),
        ("the other alphabet of base64", format!("{CHECKPOINT}\n{url_alphabet}\n").into(), refused(&blob_1)),
        (
            "a key id without a signature",
            format!("{CHECKPOINT}\n\u{2014} {ORIGIN} RRcULQ==\n").into(),
            refused(&blob_1),
        ),
        ("a known key with a wrong signature", format!("{CHECKPOINT}\n{zeros}\n").into(), refused(wrong)),
        ("another text", whole.replace("\n5\n", "\n6\n").into(), refused(wrong)),
        ("a text with a line feed more", whole.replace("\n\n", "\n\n\n").into(), refused(wrong)),
        ("a short signature", format!("{CHECKPOINT}\n\u{2014} {ORIGIN} RRcULbrp\n").into(), refused(wrong)),
        (
            "a known key twice",
            format!("{whole}{LOG_LINE}\n").into(),
            refused("two signature lines of the key registry.example/log1+4517142d"),
        ),
        (
            "by nobody known",
            format!("{CHECKPOINT}\n{WITNESS_LINE}\n").into(),
            refused("none of the given keys has signed the note"),
        ),
        (
            "the name of a known key, another id",
            format!("{CHECKPOINT}\n\u{2014} {ORIGIN} AAAA{}\n", &base64[4..]).into(),
            refused("none of the given keys has signed the note"),
        ),
        (
            "the id of a known key, another name",
            format!("{CHECKPOINT}\n\u{2014} other {base64}\n").into(),
            refused("none of the given keys has signed the note"),
        ),
    ];
    let cases = cases.into_iter().map(|(name, bytes, expected)| {
        let output = Note::open(&bytes, std::slice::from_ref(&key)).map(|opened| {
            assert_eq!(opened.note().to_bytes(), bytes);
            vec![member("text", opened.text().as_str())]
        });
        Case::new(name, vec![bytes_member("note", &bytes)], output, expected)
    });
    let about = "Signed notes of C2SP signed-note, opened under one known key.";
    check_table("notes.json", about, vec![member("keys", vec![LOG_KEY])], cases.collect());
}

#[test]
fn keys() {
    let good = log_signer().verifier_key().key().to_vec();
    let with = |name: &str, bytes: &[u8]| key_text(name, bytes);
    let mut identity = [0; 32];
    identity[0] = 1;
    let id = "the key id is 4517142e, but name and key give 4517142d";
    let (form, id_form) = ("not <name>+<key id>+<base64 key>", "the key id is not 8 lower-case hex digits");
    let base64 = "the key is not the canonical base64 of a type byte and a key";
    let not_a_name = |why: &str| format!("the name of the verifier key is not a key name: {why}");
    let length = "a key of type 0x01 has 32 bytes, not 31";
    let cases: Vec<(&'static str, String, Result<(), String>)> = vec![
        ("ed25519", LOG_KEY.into(), Ok(())),
        ("ed25519 that cosigns", WITNESS_KEY.into(), Ok(())),
        ("a type that nobody knows", with("a", &[0x7f, 1, 2, 3]), Ok(())),
        ("a plus in the base64", with("a", &[0x7f, 0xef, 0xbe, 0xfb]), Ok(())),
        ("empty", String::new(), refused(form)),
        ("two parts", "a+00000000".into(), refused(form)),
        ("no name", with("", &[1, 2]), refused(&not_a_name("the name is empty"))),
        ("a space in the name", with("a b", &[1, 2]), refused(&not_a_name("the name contains a space"))),
        ("another id", LOG_KEY.replace("4517142d", "4517142e"), refused(id)),
        ("upper-case id", LOG_KEY.replace("4517142d", "4517142D"), refused(id_form)),
        ("short id", LOG_KEY.replace("4517142d", "4517142"), refused(id_form)),
        ("long id", LOG_KEY.replace("4517142d", "004517142d"), refused(id_form)),
        (
            "another name",
            LOG_KEY.replace("log1", "log2"),
            refused("the key id is 4517142d, but name and key give b44e1d2d"),
        ),
        ("no key", with("a", &[]), refused(base64)),
        ("a type byte alone", with("a", &[0x7f]), refused(base64)),
        ("not base64", LOG_KEY.replace("AQOh", "AQO!"), refused(base64)),
        ("no padding", with("a", &[0x7f, 1, 2, 3]).replace("==", ""), refused(base64)),
        ("a line feed at the end", format!("{LOG_KEY}\n"), refused(base64)),
        ("31 bytes", with("a", &[&[1], &good[..31]].concat()), refused(length)),
        (
            "a key of small order",
            with("a", &[&[1], &identity[..]].concat()),
            refused("the Ed25519 key is of small order, so its signatures prove nothing"),
        ),
        (
            "all zeros, also of small order",
            with("a", &[&[1], &[0; 32][..]].concat()),
            refused("the Ed25519 key is of small order, so its signatures prove nothing"),
        ),
        (
            "a second encoding of a point",
            with("a", &[&[1], &[0xff; 31][..], &[0x7f]].concat()),
            refused("the Ed25519 key is not the canonical encoding of a point of the curve"),
        ),
        (
            "not a point",
            with("a", &[&[1, 2], &[0; 31][..]].concat()),
            refused("the Ed25519 key is not the canonical encoding of a point of the curve"),
        ),
    ];
    let cases = cases.into_iter().map(|(name, text, expected)| {
        let output = VerifierKey::parse(&text).map(|key| {
            assert_eq!(key.to_string(), text);
            vec![
                member("key_name", key.name().as_str()),
                member("key_id", u64::from(key.key_id())),
                member("algorithm", u64::from(key.algorithm())),
                member("key", undersigned_tlog::codec::base64_encode(key.key())),
            ]
        });
        Case::new(name, vec![member("verifier_key", text)], output, expected)
    });
    let about = "Verifier keys of C2SP signed-note. Small-order and non-canonical Ed25519 keys are refused.";
    check_table("keys.json", about, vec![], cases.collect());
}

#[test]
fn checkpoints() {
    let root = "GqaNMHSQWlgfhMu9D3U3lJBP2ARRvEwT5p2aU7xZUCw=";
    let empty = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let text = |origin: &str, size: &str, root: &str| format!("{origin}\n{size}\n{root}\n");
    let not = |why: &str| format!("the signed note is not a checkpoint: {why}");
    let (lines, size) = (
        not("not three lines of origin, tree size and root"),
        not("the tree size is not a decimal without leading zeros"),
    );
    let (extension, wrong_root) =
        (not("extension lines after the root"), not("the root is not the canonical base64 of 32 bytes"));
    let nothing = not("the root of a tree without leaves is not the empty root");
    let origin = |why: &str| not(&format!("the first line is not an origin: {why}"));
    let cases: Vec<(&'static str, String, Result<(), String>)> = vec![
        ("five leaves", CHECKPOINT.into(), Ok(())),
        ("no leaves", text(ORIGIN, "0", empty), Ok(())),
        ("the largest size that every reader of JSON holds", text(ORIGIN, "9007199254740991", root), Ok(())),
        ("no leaves, another root", text(ORIGIN, "0", root), refused(&nothing)),
        ("a leading zero", text(ORIGIN, "05", root), refused(&size)),
        ("two zeros", text(ORIGIN, "00", empty), refused(&size)),
        ("a sign", text(ORIGIN, "+5", root), refused(&size)),
        ("a negative size", text(ORIGIN, "-5", root), refused(&size)),
        ("a space before the size", text(ORIGIN, " 5", root), refused(&size)),
        ("no size", text(ORIGIN, "", root), refused(&size)),
        ("2^64", text(ORIGIN, "18446744073709551616", root), refused(&size)),
        ("hex", text(ORIGIN, "0x5", root), refused(&size)),
        (
            "a short root",
            text(ORIGIN, "5", "GqaNMHSQWlgfhMu9D3U3lJBP2ARRvEwT5p2aU7xZUA=="),
            refused(&wrong_root),
        ),
        (
            "a long root",
            text(ORIGIN, "5", "GqaNMHSQWlgfhMu9D3U3lJBP2ARRvEwT5p2aU7xZUCwA"),
            refused(&wrong_root),
        ),
        ("pad bits that are not zero", text(ORIGIN, "5", &root.replace("Cw=", "Cx=")), refused(&wrong_root)),
        ("no padding", text(ORIGIN, "5", root.trim_end_matches('=')), refused(&wrong_root)),
        ("no root", text(ORIGIN, "5", ""), refused(&wrong_root)),
        ("two lines", format!("{ORIGIN}\n5\n"), refused(&lines)),
        ("one line", format!("{ORIGIN}\n"), refused(&lines)),
        ("an extension line", format!("{CHECKPOINT}more\n"), refused(&extension)),
        ("an empty line at the end", format!("{CHECKPOINT}\n"), refused(&extension)),
        (
            "no origin",
            text("", "5", root),
            refused(&origin("the origin is not a key name: the name is empty")),
        ),
        (
            "a space in the origin",
            text("a b", "5", root),
            refused(&origin("the origin is not a key name: the name contains a space")),
        ),
        (
            "a plus in the origin",
            text("a+b", "5", root),
            refused(&origin("the origin is not a key name: the name contains a plus sign")),
        ),
        (
            "256 bytes of origin",
            text(&"o".repeat(256), "5", root),
            refused(&origin("the origin has 256 bytes, the most is 255")),
        ),
    ];
    let key = log_signer().verifier_key().clone();
    let mut table: Vec<Case> = cases
        .into_iter()
        .map(|(name, text, expected)| opened(name, &signed(&text), &key, expected))
        .collect();
    let other = signed(&text("other.example", "5", root));
    table.push(opened(
        "another log, signed by our key",
        &other,
        &key,
        refused("none of the given keys is a key of other.example"),
    ));
    let stranger = NoteSigner::from_seed(KeyName::new(ORIGIN).unwrap(), &[9; 32]).unwrap();
    let line = stranger.sign(&NoteText::new(CHECKPOINT).unwrap());
    let unsigned = format!("the log key {LOG_KEY} has not signed, and every key of the log must have");
    table.push(opened(
        "by another key of the same name",
        &format!("{CHECKPOINT}\n{line}\n"),
        &key,
        refused(&unsigned),
    ));
    let about = "Signed checkpoints of C2SP tlog-checkpoint, opened under one known key. Extension lines are refused.";
    check_table("checkpoints.json", about, vec![member("keys", vec![LOG_KEY])], table);
}

fn opened(name: &'static str, note: &str, key: &VerifierKey, expected: Result<(), String>) -> Case {
    let output = SignedCheckpoint::open(note.as_bytes(), None, std::slice::from_ref(key)).map(|signed| {
        assert_eq!(signed.bytes(), note.as_bytes());
        assert_eq!(Checkpoint::parse_text(&signed.checkpoint().text()).as_ref(), Ok(signed.checkpoint()));
        vec![
            member("origin", signed.origin().as_str()),
            member("size", signed.size().get()),
            member("root", signed.root().to_base64()),
        ]
    });
    Case::new(name, vec![member("checkpoint", note)], output, expected)
}
