//! Canonical JSON, events, entries, records, submissions: every refusal and its right twin.

use proptest::prelude::*;
use undersigned_registry::entry::{ENTRY_BYTES_MAX, Entry, leaf};
use undersigned_registry::envelope::{BLOB_BYTES_MAX, Envelope, SUBMISSION_BYTES_MAX, Submission};
use undersigned_registry::event::{
    Admission, Body, EVENT_BYTES_MAX, Ending, Event, KEYS_PER_EVENT_MAX, NAMES_MAX, SIGNERS_MAX, TEXTS_MAX,
    TextStatus, event_hash, event_of_signable, is_domain, is_language, is_slug, signable,
};
use undersigned_registry::id::{RegistryId, is_origin};
use undersigned_registry::json::{self, Value};
use undersigned_registry::key::{Method, SshHash};
use undersigned_registry::record::Record;
use undersigned_registry::state_tree::Record as _;
use undersigned_tlog::codec::base64_encode;
use undersigned_tlog::hash::sha256;

use crate::fixture::{
    ORIGIN, TEXT, TEXT_FR, TITLE, TITLE_FR, Town, World, admin, blob, key, name, open_event, policy,
    sign_key, signed, text, texts, town,
};
use crate::naive;

/// A text, the rules it shows, and the code of its refusal; accepted where there is none.
pub(crate) struct Case {
    pub(crate) about: &'static str,
    pub(crate) rules: &'static [&'static str],
    pub(crate) text: Vec<u8>,
    pub(crate) code: Option<&'static str>,
    /// The member that is refused.
    pub(crate) member: Option<&'static str>,
}

fn refused(
    about: &'static str,
    rules: &'static [&'static str],
    code: &'static str,
    member: Option<&'static str>,
    text: Vec<u8>,
) -> Case {
    Case { about, rules, text, code: Some(code), member }
}

/// How the limits of the tests of JSON read: the limit of an entry.
pub(crate) const JSON_BYTES_MAX: usize = ENTRY_BYTES_MAX;

pub(crate) fn json_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (about, rules, text) in [
        ("an empty object", &["EN-1"][..], "{}"),
        ("an empty array", &["EN-1"], "[]"),
        ("zero", &["EN-5"], "0"),
        ("2^53-1", &["EN-5"], "9007199254740991"),
        ("true", &["EN-1"], "true"),
        ("false", &["EN-1"], "false"),
        (
            "every printable ASCII character",
            &["EN-4"],
            r##"" !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~""##,
        ),
        ("names in the order of their bytes", &["EN-3"], r#"{"":1,"A":2,"_":3,"a":4,"aa":5,"b":6}"#),
        ("8 levels", &["EN-6"], r#"[[[[[[[{"a":1}]]]]]]]"#),
    ] {
        cases.push(Case { about, rules, text: text.into(), code: None, member: None });
    }
    for (about, rule, code, text) in [
        ("nothing", &["EN-1"][..], "json-syntax", &b""[..]),
        ("null", &["EN-1"], "json-syntax", b"null"),
        ("a null member", &["EN-1"], "json-syntax", b"{\"a\":null}"),
        ("a literal cut short", &["EN-1"], "json-syntax", b"tru"),
        ("a literal in capitals", &["EN-1"], "json-syntax", b"True"),
        ("an object without its end", &["EN-1"], "json-syntax", b"{\"a\":1"),
        ("a name without a value", &["EN-1"], "json-syntax", b"{\"a\"}"),
        ("a name without quotes", &["EN-1"], "json-syntax", b"{a:1}"),
        ("a comma before the end of an array", &["EN-1"], "json-syntax", b"[1,]"),
        ("a comma before the end of an object", &["EN-1"], "json-syntax", b"{\"a\":1,}"),
        ("an array without its end", &["EN-1"], "json-syntax", b"[1"),
        ("a string without its end", &["EN-1"], "json-syntax", b"\"abc"),
        ("single quotes", &["EN-1"], "json-syntax", b"'a'"),
        ("a byte order mark", &["EN-1"], "json-syntax", b"\xef\xbb\xbf{}"),
        ("a space before", &["EN-2"], "json-whitespace", b" {}"),
        ("a space after", &["EN-2"], "json-whitespace", b"{} "),
        ("a line feed after", &["EN-2"], "json-whitespace", b"{}\n"),
        ("a second value", &["EN-2"], "json-whitespace", b"{}{}"),
        ("a space after a colon", &["EN-2"], "json-whitespace", b"{\"a\": 1}"),
        ("a space after a comma", &["EN-2"], "json-whitespace", b"[1, 2]"),
        ("a tab inside an empty object", &["EN-2"], "json-whitespace", b"{\t}"),
        ("names that go back", &["EN-3"], "json-name-order", b"{\"b\":1,\"a\":2}"),
        ("a name twice", &["EN-3"], "json-name-order", b"{\"a\":1,\"a\":2}"),
        ("a name twice, deep inside", &["EN-3"], "json-name-order", b"[{\"x\":{\"a\":1,\"a\":1}}]"),
        ("an escape that is not needed", &["EN-4"], "json-text", b"\"\\u0041\""),
        ("an escaped slash", &["EN-4"], "json-text", b"\"\\/\""),
        ("an escaped line feed", &["EN-4"], "json-text", b"\"\\n\""),
        ("an escape cut short", &["EN-4"], "json-text", b"\"\\"),
        ("a letter beyond ASCII", &["EN-4"], "json-text", "\"\u{e9}\"".as_bytes()),
        ("a byte that is no UTF-8", &["EN-4"], "json-text", b"\"\xff\""),
        ("a delete character", &["EN-4"], "json-text", b"\"\x7f\""),
        ("a tab in a string", &["EN-4"], "json-text", b"\"a\tb\""),
        ("a zero byte in a string", &["EN-4"], "json-text", b"\"\0\""),
        ("a name beyond ASCII", &["EN-4"], "json-text", "{\"\u{e9}\":1}".as_bytes()),
        ("minus zero", &["EN-5"], "json-number", b"-0"),
        ("a negative number", &["EN-5"], "json-number", b"-1"),
        ("a leading zero", &["EN-5"], "json-number", b"01"),
        ("a fraction", &["EN-5"], "json-number", b"1.0"),
        ("an exponent", &["EN-5"], "json-number", b"1e3"),
        ("2^53", &["EN-5"], "json-number", b"9007199254740992"),
        ("2^64", &["EN-5"], "json-number", b"18446744073709551616"),
        ("9 levels", &["EN-6"], "json-depth", b"[[[[[[[[[1]]]]]]]]]"),
        (
            "9 levels of objects",
            &["EN-6"],
            "json-depth",
            br#"{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{}}}}}}}}}"#,
        ),
    ] {
        cases.push(refused(about, rule, code, None, text.to_vec()));
    }
    let zeros = |count: usize| format!("[{}0]", "0,".repeat(count - 1)).into_bytes();
    let text = zeros(4_095);
    cases.push(Case { about: "4,096 values", rules: &["EN-8"], text, code: None, member: None });
    cases.push(refused("4,097 values", &["EN-8"], "json-values", None, zeros(4_096)));
    let long = |count: usize| format!("\"{}\"", "a".repeat(count - 2)).into_bytes();
    let text = long(JSON_BYTES_MAX);
    cases.push(Case {
        about: "as long as an entry may be",
        rules: &["EN-7"],
        text,
        code: None,
        member: None,
    });
    let text = long(JSON_BYTES_MAX + 1);
    cases.push(refused("longer than an entry may be", &["EN-7"], "json-length", None, text));
    cases
}

/// EN-9: what is accepted is written back the same.
#[test]
fn canonical_json_is_accepted_and_nothing_else() {
    for case in json_cases() {
        let read = json::parse(&case.text, JSON_BYTES_MAX);
        assert_eq!(read.as_ref().err().map(|error| error.rule.code()), case.code, "{}", case.about);
        if let Ok(value) = read {
            assert_eq!(json::write(&value), case.text, "{}", case.about);
        }
    }
}

/// One step into a value: a name, or a place in a list.
fn at<'a, 'v>(value: &'a mut Value<'v>, path: &[&str]) -> &'a mut Value<'v> {
    path.iter().fold(value, |value, step| match value {
        Value::Object(members) => &mut members.iter_mut().find(|(name, _)| name == step).unwrap().1,
        Value::List(items) => &mut items[step.parse::<usize>().unwrap()],
        _ => panic!("no way to {step}"),
    })
}

/// The text with one member changed, added or taken out, canonical again.
pub(crate) fn changed<'a>(text: &'a [u8], path: &[&'a str], new: Option<Value<'a>>) -> Vec<u8> {
    let mut value = json::parse(text, SUBMISSION_BYTES_MAX).unwrap();
    let (last, parents) = path.split_last().unwrap();
    match at(&mut value, parents) {
        Value::Object(members) => {
            members.retain(|(name, _)| name != last);
            if let Some(new) = new {
                members.push(((*last).into(), new));
                members.sort_by(|a, b| a.0.cmp(&b.0));
            }
        }
        Value::List(items) => match (last.parse::<usize>(), new) {
            (Ok(place), Some(new)) if place < items.len() => items[place] = new,
            (Ok(place), None) => drop(items.remove(place)),
            (_, Some(new)) => items.push(new),
            (Err(_), None) => panic!("no such place"),
        },
        _ => panic!("no members"),
    }
    json::write(&value)
}

pub(crate) fn string(text: &str) -> Option<Value<'static>> {
    Some(Value::Text(text.to_owned().into()))
}

const fn integer(value: u64) -> Option<Value<'static>> {
    Some(Value::Integer(value))
}

const fn list(items: Vec<Value<'_>>) -> Option<Value<'_>> {
    Some(Value::List(items))
}

fn value_of<'a>(text: &'a [u8], path: &[&str]) -> Value<'a> {
    let mut value = json::parse(text, SUBMISSION_BYTES_MAX).unwrap();
    at(&mut value, path).clone()
}

/// The right events, one of each type and some at their limits.
pub(crate) fn right_events() -> Vec<(&'static str, &'static [&'static str], Envelope)> {
    let Town { mut world, harbour, mill, of } = town();
    let keys = [&world.operator_admin, &world.operator_recovery];
    let open = signed(&open_event(Admission::Invited, 3, &keys), &keys);
    let endorse = world.endorse(of, mill.0, &[&mill.3]);
    let early = world.withdraw(of, harbour.0, &[&harbour.3]);
    let mut events: Vec<(&'static str, &'static [&'static str], Envelope)> = vec![
        ("registry.open", &["EV-20", "EV-21", "EV-22", "EV-23", "EV-24"], open),
        (
            "registry.policy",
            &["EV-25", "EV-5"],
            world.set_policy(world.operator, &keys, policy(Admission::Open)),
        ),
        ("party.create", &["EV-10", "EV-12", "EV-14", "EV-26"], world.create("Third Party", &[&admin(30)])),
        (
            "party.keys that adds and ends",
            &["EV-27"],
            world.keys(
                mill.0,
                &[&mill.1],
                &[&sign_key(31)],
                &[(&mill.3, Ending::Revoke), (&mill.2, Ending::Retire)],
            ),
        ),
        ("party.keys that adds", &["EV-27"], world.keys(mill.0, &[&mill.2], &[&sign_key(31)], &[])),
        (
            "party.keys that ends",
            &["EV-27"],
            world.keys(mill.0, &[&mill.3], &[], &[(&mill.3, Ending::Retire)]),
        ),
        ("statement.publish", &["EV-28", "EV-29"], world.publish(mill.0, &[&mill.2], "a-1")),
        (
            "statement.version",
            &["EV-30", "EV-31", "EV-34"],
            world.version(harbour.0, &[&harbour.2], of.0, texts()),
        ),
        ("endorse without after", &["EV-5", "EV-32"], endorse.clone()),
        ("withdraw without after", &["EV-6", "EV-33"], early),
    ];
    world.admit(&endorse);
    events.push(("withdraw", &["EV-33"], world.withdraw(of, mill.0, &[&mill.3])));
    events.push(("endorse with after", &["EV-5"], world.endorse(of, mill.0, &[&mill.3])));
    let until = world.endorse_until(of, mill.0, &[&mill.3], json::INTEGER_MAX - 1);
    events.push(("endorse with the latest end", &["EV-35"], until));
    events.push(("registry.tick", &["EV-36"], world.tick_of(1_790_000_000, 4)));
    let sixteen: Vec<_> =
        (200..216).map(|number| key(number, undersigned_registry::key::Role::Sign)).collect();
    let sixteen: Vec<_> = sixteen.iter().collect();
    events.push(("16 signers", &["EV-4"], world.endorse(of, mill.0, &sixteen)));
    let many: Vec<_> = (0..TEXTS_MAX).map(largest_text).collect();
    events.push(("32 texts", &["EV-30"], world.version(harbour.0, &[&harbour.2], of.0, many)));
    let mut nameless = world.create("Nameless", &[&admin(30)]).event().clone();
    if let Body::PartyCreate { domain, names, .. } = &mut nameless.body {
        *domain = None;
        *names =
            (0..NAMES_MAX).map(|number| name(&format!("{}-Latn-001", letters(number)), "Nameless")).collect();
    }
    events.push((
        "party.create without domain, with 16 names",
        &["EV-10", "EV-12"],
        signed(&nameless, &[&admin(30)]),
    ));
    events
}

fn letters(number: usize) -> String {
    let letter = |number: usize| char::from(b'a' + u8::try_from(number % 26).unwrap());
    [letter(number / 26), letter(number), 'a'].into_iter().collect()
}

pub(crate) fn largest_text(number: usize) -> undersigned_registry::event::Text {
    let language = format!("{}-Latn-001", letters(number));
    let mut text = text(&language, TextStatus::Authentic, "title", "text");
    (text.title.size, text.text.size) = (1024, 256 * 1024);
    (text.title.sha256, text.text.sha256) =
        (sha256(&[language.as_bytes()]), sha256(&[b"t", language.as_bytes()]));
    text
}

pub(crate) fn event_cases() -> Vec<Case> {
    let events = right_events();
    let of = |about: &str| events.iter().find(|event| event.0 == about).unwrap().2.event_bytes().to_vec();
    let (open, change, create) = (of("registry.open"), of("registry.policy"), of("party.create"));
    let (keys, publish, version) =
        (of("party.keys that adds and ends"), of("statement.publish"), of("statement.version"));
    let (endorse, withdraw) = (of("endorse without after"), of("withdraw without after"));
    let tick = of("registry.tick");
    let id = |text: &str| string(&sha256(&[text.as_bytes()]).to_hex());
    let mut cases: Vec<Case> = events
        .iter()
        .map(|(about, rules, envelope)| Case {
            about,
            rules,
            text: envelope.event_bytes().to_vec(),
            code: None,
            member: None,
        })
        .collect();
    let (missing, unknown, kind, value) = ("member-missing", "member-unknown", "member-type", "member-value");
    let mut no = |about, rules, code, member, base: &[u8], path: &[&str], new| {
        cases.push(refused(about, rules, code, Some(member), changed(base, path, new)));
    };
    no("no type", &["EN-10", "EV-2"], missing, "type", &endorse, &["type"], None);
    no("an unknown type", &["EV-2"], value, "type", &endorse, &["type"], string("endorse.all"));
    no("a type that is a number", &["EN-12"], kind, "type", &endorse, &["type"], integer(1));
    no("an unknown member", &["EN-11", "EV-8"], unknown, "zeal", &endorse, &["zeal"], integer(1));
    no("a member of another type", &["EN-11", "EV-8"], unknown, "slug", &endorse, &["slug"], string("a"));
    no(
        "an unknown member inside",
        &["EN-11"],
        unknown,
        "note",
        &create,
        &["names", "0", "note"],
        string("a"),
    );
    no(
        "an end past the last second",
        &["EV-35"],
        value,
        "not_after",
        &endorse,
        &["not_after"],
        integer(json::INTEGER_MAX),
    );
    no("an end in words", &["EV-35"], kind, "not_after", &endorse, &["not_after"], string("2030"));
    no("withdraw with an end", &["EV-35"], unknown, "not_after", &withdraw, &["not_after"], integer(9));
    no("a tick without a second", &["EV-36"], missing, "due", &tick, &["due"], None);
    no("a tick without a place", &["EV-36"], missing, "previous", &tick, &["previous"], None);
    no(
        "a tick with signers",
        &["EV-4"],
        unknown,
        "signers",
        &tick,
        &["signers"],
        list(vec![id("k").unwrap()]),
    );
    no("a tick with a party", &["EV-3"], unknown, "party", &tick, &["party"], id("p"));
    no("a tick with log_before", &["EV-6"], unknown, "log_before", &tick, &["log_before"], integer(9));
    no("a tick with after", &["EV-5"], unknown, "after", &tick, &["after"], id("e"));
    no("no registry", &["EV-1"], missing, "registry", &endorse, &["registry"], None);
    no("registry.open with a registry", &["EV-1"], unknown, "registry", &open, &["registry"], id("r"));
    let upper = format!("{ORIGIN}#{}", "A".repeat(64));
    for (about, text) in [
        ("a registry without a genesis", ORIGIN.to_owned()),
        ("a genesis in capitals", upper),
        ("a genesis too short", format!("{ORIGIN}#{}", "0".repeat(63))),
        ("an origin with a space", format!("a b#{}", "0".repeat(64))),
        ("no origin", format!("#{}", "0".repeat(64))),
        ("an origin of 256 bytes", format!("{}#{}", "a".repeat(256), "0".repeat(64))),
    ] {
        no(about, &["EN-24", "EV-1"], value, "registry", &endorse, &["registry"], string(&text));
    }
    no("no party", &["EV-3"], missing, "party", &endorse, &["party"], None);
    no("party.create with a party", &["EV-3"], unknown, "party", &create, &["party"], id("p"));
    no("registry.open with a party", &["EV-3"], unknown, "party", &open, &["party"], id("p"));
    no("a party in capitals", &["EN-25"], value, "party", &endorse, &["party"], string(&"A".repeat(64)));
    no(
        "a party that is an object",
        &["EN-12"],
        kind,
        "party",
        &endorse,
        &["party"],
        Some(Value::Object(vec![])),
    );
    no("no signers", &["EV-4"], missing, "signers", &endorse, &["signers"], None);
    no(
        "an empty list of signers",
        &["EN-14", "EV-4"],
        value,
        "signers",
        &endorse,
        &["signers"],
        list(vec![]),
    );
    no("signers that are no list", &["EN-12"], kind, "signers", &endorse, &["signers"], id("s"));
    let first = value_of(&endorse, &["signers", "0"]);
    no(
        "a signer twice",
        &["EV-4"],
        value,
        "signers",
        &endorse,
        &["signers"],
        list(vec![first.clone(), first]),
    );
    let seventeen = (0..=SIGNERS_MAX).map(|n| id(&n.to_string()).unwrap()).collect();
    no("17 signers", &["EV-4"], value, "signers", &endorse, &["signers"], list(seventeen));
    for (about, base) in
        [("registry.policy", &change), ("party.keys", &keys), ("statement.version", &version)]
    {
        no(about, &["EV-5"], missing, "after", base, &["after"], None);
    }
    for (about, base) in
        [("registry.open", &open), ("party.create", &create), ("statement.publish", &publish)]
    {
        no(about, &["EV-5"], unknown, "after", base, &["after"], id("a"));
    }
    for base in [&open, &change, &create, &keys, &publish, &version, &endorse] {
        no("no log_before", &["EV-6"], missing, "log_before", base, &["log_before"], None);
    }
    no("withdraw with log_before", &["EV-6"], unknown, "log_before", &withdraw, &["log_before"], integer(1));
    no("no names", &["EV-10"], missing, "names", &create, &["names"], None);
    let one = value_of(&create, &["names", "0"]);
    no(
        "a language twice",
        &["EV-10"],
        value,
        "names",
        &create,
        &["names"],
        list(vec![one.clone(), one.clone()]),
    );
    let seventeen = (0..=NAMES_MAX)
        .map(|n| {
            Value::Object(vec![
                ("language".into(), Value::Text(letters(n).into())),
                ("text".into(), value_of(&create, &["names", "0", "text"])),
            ])
        })
        .collect();
    no("17 names", &["EV-10"], value, "names", &create, &["names"], list(seventeen));
    for (about, tag) in [
        ("a language in capitals", "EN"),
        ("a language of one letter", "e"),
        ("a language of four letters", "engl"),
        ("a region in lower case", "pt-br"),
        ("a script in capitals", "zh-HANT"),
        ("a region before a script", "zh-TW-Hant"),
        ("a variant", "de-1996"),
        ("nothing after a hyphen", "en-"),
        ("no language", ""),
    ] {
        no(about, &["EV-11"], value, "language", &create, &["names", "0", "language"], string(tag));
    }
    let label = "a".repeat(64);
    for (about, domain) in [
        ("a domain in capitals", "Mill.example"),
        ("a domain without a dot", "example"),
        ("a domain with a dot at its end", "mill.example."),
        ("a label that begins with a hyphen", "-mill.example"),
        ("a label that ends with a hyphen", "mill-.example"),
        ("an empty label", "mill..example"),
        ("an underscore", "_mill.example"),
        ("a label of 64 bytes", &format!("{label}.example")),
        ("a domain of 254 bytes", &format!("{}bc", "abcd.".repeat(50) + "ef")),
        ("no domain", ""),
    ] {
        no(about, &["EV-12"], value, "domain", &create, &["domain"], string(domain));
    }
    let name_blob = ["names", "0", "text"];
    let path = |last| [name_blob[0], name_blob[1], name_blob[2], last];
    no("a blob of no bytes", &["EV-13"], value, "size", &create, &path("size"), integer(0));
    no("a name of 513 bytes", &["EV-13"], value, "size", &create, &path("size"), integer(513));
    no("a blob without a hash", &["EN-46"], missing, "sha256", &create, &path("sha256"), None);
    no("a blob with a short hash", &["EN-25"], value, "sha256", &create, &path("sha256"), string("00"));
    no(
        "a blob with a word more",
        &["EN-46"],
        unknown,
        "salted",
        &create,
        &path("salted"),
        Some(Value::Bool(true)),
    );
    let title = ["texts", "0", "title", "size"];
    no("a title of 1,025 bytes", &["EV-13"], value, "size", &version, &title, integer(1_025));
    let whole = ["texts", "0", "text", "size"];
    no("a text of 262,145 bytes", &["EV-13"], value, "size", &version, &whole, integer(262_145));
    no("no keys", &["EV-14"], missing, "keys", &create, &["keys"], None);
    let one = value_of(&create, &["keys", "0"]);
    no("a key twice", &["EV-14"], value, "keys", &create, &["keys"], list(vec![one.clone(), one.clone()]));
    let new_key = |n: usize| {
        Value::Object(vec![
            ("id".into(), id(&n.to_string()).unwrap()),
            ("role".into(), Value::Text("admin".into())),
            ("type".into(), Value::Text("ed25519".into())),
        ])
    };
    let sixteen: Vec<Value> = (0..=KEYS_PER_EVENT_MAX).map(new_key).collect();
    no("16 new keys", &["EV-14"], value, "keys", &create, &["keys"], list(sixteen.clone()));
    no("16 added keys", &["EV-27"], value, "add", &keys, &["add"], list(sixteen));
    no("an unknown role", &["EV-14"], value, "role", &create, &["keys", "0", "role"], string("owner"));
    no(
        "an unknown key type",
        &["EN-33", "EV-14"],
        value,
        "type",
        &create,
        &["keys", "0", "type"],
        string("rsa"),
    );
    no("only a sign key", &["EV-26"], value, "keys", &create, &["keys", "0", "role"], string("sign"));
    no(
        "an origin with a scheme and space",
        &["EV-20"],
        value,
        "origin",
        &open,
        &["origin"],
        string("https: x"),
    );
    no("no nonce", &["EV-21"], missing, "nonce", &open, &["nonce"], None);
    no("a nonce of 31 bytes", &["EV-21"], value, "nonce", &open, &["nonce"], string(&"0".repeat(62)));
    no("no log keys", &["EV-22"], missing, "log_keys", &open, &["log_keys"], None);
    no("free text as a log key", &["EV-22"], value, "log_keys", &open, &["log_keys", "0"], string("hello"));
    let other = undersigned_tlog::note::NoteSigner::from_seed(
        undersigned_tlog::note::KeyName::new("other.example").unwrap(),
        &[7; 32],
    )
    .unwrap();
    let other = string(&other.verifier_key().to_string());
    no("a log key of another log", &["EV-22"], value, "log_keys", &open, &["log_keys", "0"], other);
    let one = value_of(&open, &["log_keys", "0"]);
    no("a log key twice", &["EV-22"], value, "log_keys", &open, &["log_keys"], list(vec![one.clone(), one]));
    let nine = (0..9)
        .map(|n| Value::Text(crate::fixture::log_signer(n).verifier_key().to_string().into()))
        .collect();
    no("9 log keys", &["EV-22"], value, "log_keys", &open, &["log_keys"], list(nine));
    no("another retention", &["EV-23"], value, "retention", &open, &["retention"], string("prune"));
    for base in [&open, &change] {
        no(
            "an unknown admission",
            &["EN-13", "EV-24"],
            value,
            "admission",
            base,
            &["admission"],
            string("closed"),
        );
        no("no window", &["EV-24"], value, "log_window", base, &["log_window"], integer(0));
        no(
            "a window past a year",
            &["EV-24"],
            value,
            "log_window",
            base,
            &["log_window"],
            integer(31_536_001),
        );
        no("no lag", &["EV-24"], value, "max_lag", base, &["max_lag"], integer(0));
        no("a lag past a day", &["EV-24"], value, "max_lag", base, &["max_lag"], integer(86_401));
        no("no v", &["EV-24"], missing, "v", base, &["v"], None);
    }
    no("a policy with an origin", &["EV-25"], unknown, "origin", &change, &["origin"], string(ORIGIN));
    let bare = changed(&keys, &["end"], None);
    no("keys that neither come nor go", &["EV-27"], missing, "add", &bare, &["add"], None);
    no("an empty list of added keys", &["EN-14"], value, "add", &keys, &["add"], list(vec![]));
    let end = value_of(&keys, &["end", "0"]);
    no("an end twice", &["EV-27"], value, "end", &keys, &["end"], list(vec![end.clone(), end]));
    no("an unknown end", &["EV-27"], value, "how", &keys, &["end", "0", "how"], string("lose"));
    no("an end with a role", &["EV-27"], unknown, "role", &keys, &["end", "0", "role"], string("sign"));
    no("an unknown kind", &["EV-28"], value, "kind", &publish, &["kind"], string("poem"));
    for (about, slug) in [
        ("no slug", ""),
        ("a slug in capitals", "Rivers"),
        ("a hyphen first", "-rivers"),
        ("a hyphen last", "rivers-"),
        ("two hyphens", "clear--rivers"),
        ("a slug with a dot", "clear.rivers"),
        ("a slug of 65 bytes", &"a".repeat(65)),
    ] {
        no(about, &["EV-29"], value, "slug", &publish, &["slug"], string(slug));
    }
    let one = value_of(&version, &["texts", "0"]);
    no(
        "a text language twice",
        &["EV-30"],
        value,
        "texts",
        &version,
        &["texts"],
        list(vec![one.clone(), one.clone()]),
    );
    let courtesy = changed(&version, &["texts", "1"], None);
    let status = ["texts", "0", "status"];
    no("no authentic text", &["EV-31"], value, "texts", &courtesy, &status, string("courtesy"));
    no("an unknown status", &["EV-31"], value, "status", &version, &status, string("draft"));
    let many = (0..=TEXTS_MAX)
        .map(|n| {
            let mut text = one.clone();
            *at(&mut text, &["language"]) = Value::Text(letters(n).into());
            text
        })
        .collect();
    no("33 texts", &["EV-30"], value, "texts", &version, &["texts"], list(many));
    no("a text without a title", &["EV-30"], missing, "title", &version, &["texts", "0", "title"], None);
    no("no language", &["EV-32"], missing, "language", &endorse, &["language"], None);
    no("no version", &["EV-32"], missing, "version", &endorse, &["version"], None);
    no("no statement", &["EV-33"], missing, "statement", &withdraw, &["statement"], None);
    no("withdraw with a language", &["EV-33"], unknown, "language", &withdraw, &["language"], string("en"));
    cases.push(refused("an event that is a list", &["EN-12"], "member-type", Some("event"), b"[]".to_vec()));
    let long = format!("{}{}", "\"", "a".repeat(EVENT_BYTES_MAX));
    cases.push(refused("an event of 24,577 bytes", &["EV-7"], "json-length", None, long.into_bytes()));
    cases
}

#[test]
fn events_of_the_format_are_accepted_and_nothing_else() {
    let cases = event_cases();
    for case in &cases {
        let read = Event::parse(&case.text);
        let found = read.as_ref().err().map(undersigned_registry::event::ParseError::code);
        let text = String::from_utf8_lossy(&case.text);
        assert_eq!(found, case.code, "{}: {text}", case.about);
        match read {
            Ok(event) => assert_eq!(event.encode(), case.text, "{}", case.about),
            Err(undersigned_registry::event::ParseError::Member(error)) => {
                assert_eq!(Some(error.member.as_str()), case.member, "{}", case.about);
            }
            Err(_) => {}
        }
    }
}

/// EV-7, EN-55: the largest events fit, and so do their entries.
#[test]
fn the_largest_events_fit_into_entries() {
    for (about, _, envelope) in right_events() {
        assert!(envelope.event_bytes().len() <= EVENT_BYTES_MAX, "{about}");
    }
    // 16 proofs of 192 bytes, the words around them, and an event of the most bytes.
    const { assert!(EVENT_BYTES_MAX + 16 * 192 + 131 <= ENTRY_BYTES_MAX) };
}

/// EN-20 to EN-24, EN-30: hashes, ids and signable bytes.
#[test]
fn names_are_hashes_of_exact_bytes() {
    let Town { world, harbour, of, .. } = town();
    let create = Entry::parse(&world.entries[1]).unwrap().envelope;
    let event = create.event_bytes();
    assert_eq!(event_hash(event).0, sha256(&[event]));
    assert_eq!(harbour.0.0, sha256(&[event]), "EN-21");
    let event_of =
        |index: usize| Entry::parse(&world.entries[index]).unwrap().envelope.event_bytes().to_vec();
    assert_eq!((of.0.0, of.1.0), (sha256(&[&event_of(3)]), sha256(&[&event_of(4)])), "EN-22");
    assert_eq!(world.operator.0, world.registry.genesis().0);
    let mut typed = b"ed25519\n".to_vec();
    typed.extend(harbour.1.public());
    assert_eq!(harbour.1.id().0, sha256(&[&typed]));
    let text = world.registry.to_text();
    assert_eq!(RegistryId::parse(&text), Some(world.registry.clone()));
    assert_eq!(text, format!("{ORIGIN}#{}", world.registry.genesis()));
    let bytes = signable(event);
    assert_eq!(bytes, [b"undersigned event v1\n", event, b"\n"].concat());
    assert_eq!(event_of_signable(&bytes).unwrap(), event);
    for wrong in [
        &bytes[..bytes.len() - 1],
        &bytes[1..],
        &[&bytes[..], b"\n"].concat(),
        &bytes.iter().map(|b| if *b == b'1' { b'2' } else { *b }).collect::<Vec<_>>(),
        event,
        b"",
    ] {
        assert!(event_of_signable(wrong).is_err());
    }
    assert_eq!(event_of_signable(b"hello").unwrap_err().code(), "signable-header");
}

#[test]
fn words_of_the_format_keep_their_rules() {
    for good in ["a", "a1", "clear-rivers-2026", &"a".repeat(64)] {
        assert!(is_slug(good), "{good}");
    }
    for good in ["mill.example", "xn--mhle-0ra.example", "a.b.c.example", "1.example"] {
        assert!(is_domain(good), "{good}");
    }
    for good in ["en", "haw", "zh-Hant", "pt-BR", "es-419", "zh-Hant-TW"] {
        assert!(is_language(good), "{good}");
    }
    for (origin, right) in [
        ("log.example", true),
        ("log.example/2026", true),
        ("log.example:8080", true),
        ("a+b", false),
        ("a b", false),
        ("a?b", false),
        ("a#b", false),
        ("", false),
    ] {
        assert_eq!(is_origin(origin), right, "{origin}");
    }
}

/// EV-34: each blob once, of each text its title first.
#[test]
fn an_event_names_its_blobs_in_order() {
    let Town { world, harbour, of, .. } = town();
    let mut twice = texts();
    twice[1].title = twice[0].title;
    let version = world.version(harbour.0, &[&harbour.2], of.0, twice);
    assert_eq!(version.event().blobs(), [blob(TITLE), blob(TEXT), blob(TEXT_FR)]);
    let endorse = world.endorse(of, harbour.0, &[&harbour.3]);
    assert_eq!(endorse.event().blobs(), []);
}

/// A submission of a version with its four blobs, and one of an endorsement.
pub(crate) fn submissions() -> (Vec<u8>, Vec<u8>) {
    let Town { world, harbour, of, .. } = town();
    let version = world.version(harbour.0, &[&harbour.2], of.0, texts());
    let blobs = [TITLE, TEXT, TITLE_FR, TEXT_FR].map(|text| text.as_bytes().to_vec()).to_vec();
    let version = Submission::new(version, blobs).unwrap().encode();
    let bytes = world.endorse(of, harbour.0, &[&harbour.3, &harbour.2]).event_bytes().to_vec();
    let proofs = vec![
        harbour.3.prove(Method::SshSig(SshHash::Sha512), &bytes),
        harbour.2.prove(Method::Ed25519, &bytes),
    ];
    let endorse = Submission::new(Envelope::new(bytes, proofs).unwrap(), Vec::new()).unwrap().encode();
    (version, endorse)
}

/// What a submission of a tick would look like.
fn world_tick() -> Vec<u8> {
    let tick = town().world.tick_of(1_790_000_000, 4);
    [b"{\"event\":", tick.event_bytes(), b"}"].concat()
}

pub(crate) fn submission_cases() -> Vec<Case> {
    let (version, endorse) = submissions();
    let mut cases = vec![
        Case {
            about: "an event with its blobs",
            rules: &["EN-40", "EN-42", "EN-43"],
            text: version.clone(),
            code: None,
            member: None,
        },
        Case {
            about: "an event that names no blobs",
            rules: &["EN-42"],
            text: endorse.clone(),
            code: None,
            member: None,
        },
    ];
    let (missing, unknown, kind, value) = ("member-missing", "member-unknown", "member-type", "member-value");
    let mut no = |about, rules, code, member, base: &[u8], path: &[&str], new| {
        cases.push(refused(about, rules, code, member, changed(base, path, new)));
    };
    no("no event", &["EN-40"], missing, Some("event"), &endorse, &["event"], None);
    no("no proofs", &["EN-40"], missing, Some("proofs"), &endorse, &["proofs"], None);
    no(
        "an empty list of proofs",
        &["EN-14", "EN-40"],
        value,
        Some("proofs"),
        &endorse,
        &["proofs"],
        list(vec![]),
    );
    let tick = world_tick();
    no("a tick", &["EN-47"], value, Some("type"), &tick, &["blobs"], None);
    no(
        "a tick with proofs",
        &["EN-31"],
        unknown,
        Some("proofs"),
        &tick,
        &["proofs"],
        list(vec![integer(1).unwrap()]),
    );
    no("a word of the registry", &["EN-40"], unknown, Some("received"), &endorse, &["received"], integer(1));
    no(
        "an empty list of blobs",
        &["EN-14", "EN-42"],
        value,
        Some("blobs"),
        &endorse,
        &["blobs"],
        list(vec![]),
    );
    no("blobs that are no list", &["EN-12"], kind, Some("blobs"), &endorse, &["blobs"], string("AAAA"));
    no(
        "a blob in another base64",
        &["EN-42"],
        value,
        Some("blobs"),
        &version,
        &["blobs", "0"],
        string("AAA"),
    );
    no(
        "a blob that the event does not name",
        &["EN-44"],
        "blob-count",
        None,
        &endorse,
        &["blobs"],
        list(vec![string("AAAA").unwrap()]),
    );
    no("a blob missing", &["EN-44"], "blob-count", None, &version, &["blobs", "3"], None);
    no("no blobs", &["EN-44"], "blob-count", None, &version, &["blobs"], None);
    let two = [0, 1].map(|place: usize| value_of(&version, &["blobs", &place.to_string()]));
    let swapped = changed(&version, &["blobs", "0"], Some(two[1].clone()));
    no(
        "two blobs in the wrong order",
        &["EN-43", "EN-45"],
        "blob-mismatch",
        None,
        &swapped,
        &["blobs", "1"],
        Some(two[0].clone()),
    );
    no(
        "another blob",
        &["EN-45"],
        "blob-mismatch",
        None,
        &version,
        &["blobs", "2"],
        string(&base64_encode(b"other")),
    );
    let longer = base64_encode(format!("{TITLE} ").as_bytes());
    no(
        "a blob with a byte more",
        &["EN-45"],
        "blob-mismatch",
        None,
        &version,
        &["blobs", "0"],
        string(&longer),
    );
    let proof = |last| ["proofs", "0", last];
    no("no method", &["EN-33"], missing, Some("method"), &endorse, &proof("method"), None);
    no(
        "an unknown method",
        &["EN-33"],
        value,
        Some("method"),
        &endorse,
        &["proofs", "1", "method"],
        string("rsa"),
    );
    no("sshsig without a hash", &["EN-33"], missing, Some("hash"), &endorse, &proof("hash"), None);
    no("sshsig with another hash", &["EN-33"], value, Some("hash"), &endorse, &proof("hash"), string("sha1"));
    no(
        "ed25519 with a hash",
        &["EN-33"],
        unknown,
        Some("hash"),
        &endorse,
        &["proofs", "1", "hash"],
        string("sha512"),
    );
    no(
        "a key of 31 bytes",
        &["EN-25"],
        value,
        Some("key"),
        &endorse,
        &proof("key"),
        string(&base64_encode(&[1; 31])),
    );
    no(
        "a signature of 63 bytes",
        &["EN-25"],
        value,
        Some("signature"),
        &endorse,
        &proof("signature"),
        string(&base64_encode(&[1; 63])),
    );
    let key = value_of(&endorse, &["proofs", "0", "key"]);
    let Value::Text(key) = key else { panic!("a key is a string") };
    let unpadded = key.trim_end_matches('=').to_owned();
    no(
        "a key without its padding",
        &["EN-25"],
        value,
        Some("key"),
        &endorse,
        &proof("key"),
        string(&unpadded),
    );
    no("a proof with a word more", &["EN-33"], unknown, Some("note"), &endorse, &proof("note"), string("a"));
    cases.push(refused(
        "white space",
        &["EN-2", "EN-40"],
        "json-whitespace",
        None,
        [&endorse[..], b"\n"].concat(),
    ));
    cases
}

#[test]
fn submissions_of_the_format_are_accepted_and_nothing_else() {
    for case in submission_cases() {
        let read = Submission::parse(&case.text);
        assert_eq!(
            read.as_ref().err().map(undersigned_registry::envelope::SubmissionError::code),
            case.code,
            "{}",
            case.about
        );
        if let Ok(submission) = read {
            assert_eq!(submission.encode(), case.text, "{}", case.about);
        }
    }
}

/// EN-41, EN-42: the limits of a submission.
#[test]
fn submissions_have_limits() {
    let long = vec![b' '; SUBMISSION_BYTES_MAX + 1];
    assert_eq!(Submission::parse(&long).unwrap_err().code(), "json-length");
    let (_, endorse) = submissions();
    let big = base64_encode(&vec![0; usize::try_from(BLOB_BYTES_MAX).unwrap()]);
    let with = |blobs: &[&str]| {
        let blobs = blobs.iter().map(|blob| Value::Text((*blob).into())).collect();
        Submission::parse(&changed(&endorse, &["blobs"], list(blobs))).unwrap_err().code()
    };
    assert_eq!(with(&[&big]), "blob-count", "2 MiB are read");
    assert_eq!(with(&[&big, "AA=="]), "member-value");
    assert_eq!(with(&["AA=="; 65]), "member-value");
}

pub(crate) fn entry_cases() -> Vec<Case> {
    let Town { mut world, harbour, of, .. } = town();
    let envelope = world.endorse(of, harbour.0, &[&harbour.3]);
    world.admit(&envelope);
    let entry = world.entries.last().unwrap().clone();
    let mut cases = vec![Case {
        about: "an entry",
        rules: &["EN-50", "EN-54", "EN-56"],
        text: entry.clone(),
        code: None,
        member: None,
    }];
    let end = world.endorse_until(of, harbour.0, &[&harbour.3], world.now + 5);
    let end = changed(&entry, &["event"], Some(value_of(end.event_bytes(), &[])));
    cases.push(Case {
        about: "an entry with an end",
        rules: &["EV-35"],
        text: end,
        code: None,
        member: None,
    });
    let late = {
        let Town { mut world, harbour, of, .. } = town();
        let until = world.endorse_until(of, harbour.0, &[&harbour.3], world.now + 5);
        world.admit(&until);
        world.tick_at(world.now + 9);
        world.entries.pop().unwrap()
    };
    cases.push(Case {
        about: "a tick",
        rules: &["EN-31", "EN-50"],
        text: late.clone(),
        code: None,
        member: None,
    });
    cases.push(refused(
        "a tick with proofs",
        &["EN-31"],
        "member-unknown",
        Some("proofs"),
        changed(&late, &["proofs"], list(vec![integer(1).unwrap()])),
    ));
    cases.push(refused(
        "no proofs",
        &["EN-31"],
        "member-missing",
        Some("proofs"),
        changed(&entry, &["proofs"], None),
    ));
    for (about, rules, code, member, path, new) in [
        ("no received", &["EN-51"][..], "member-missing", "received", "received", None),
        ("received as a string", &["EN-51"], "member-type", "received", "received", string("1")),
        ("no state", &["EN-52"], "member-missing", "state", "state", None),
        ("a state in capitals", &["EN-52"], "member-value", "state", "state", string(&"A".repeat(64))),
        ("no v", &["EN-53"], "member-missing", "v", "v", None),
        ("v 0", &["EN-53"], "member-value", "v", "v", integer(0)),
        ("v 2", &["EN-53"], "member-value", "v", "v", integer(2)),
        (
            "blobs in an entry",
            &["EN-50"],
            "member-unknown",
            "blobs",
            "blobs",
            list(vec![string("AAAA").unwrap()]),
        ),
        ("no event", &["EN-50"], "member-missing", "event", "event", None),
    ] {
        cases.push(refused(about, rules, code, Some(member), changed(&entry, &[path], new)));
    }
    cases.push(refused(
        "a line feed after",
        &["EN-2"],
        "json-whitespace",
        None,
        [&entry[..], b"\n"].concat(),
    ));
    let long = [&entry[..], &vec![b' '; ENTRY_BYTES_MAX]].concat();
    cases.push(refused("an entry past 32 KiB", &["EN-55"], "json-length", None, long));
    cases
}

#[test]
fn entries_of_the_format_are_accepted_and_nothing_else() {
    for case in entry_cases() {
        let read = Entry::parse(&case.text);
        assert_eq!(
            read.as_ref().err().map(undersigned_registry::event::ParseError::code),
            case.code,
            "{}",
            case.about
        );
        if let Ok(entry) = read {
            assert_eq!(entry.encode(), case.text);
            assert_eq!(leaf(&case.text), sha256(&[&[0], &case.text]), "EN-54");
        }
    }
}

/// RE-1 to RE-10: a key and the bytes of its record.
pub(crate) struct RecordCase {
    pub(crate) about: &'static str,
    pub(crate) rules: &'static [&'static str],
    pub(crate) key: Vec<u8>,
    pub(crate) record: Vec<u8>,
    pub(crate) code: Option<&'static str>,
}

pub(crate) fn record_world() -> World {
    let Town { mut world, harbour, mill, of } = town();
    let endorse = world.endorse(of, harbour.0, &[&harbour.3]);
    world.admit(&endorse);
    let early = world.withdraw(of, mill.0, &[&mill.3]);
    world.admit(&early);
    let end = world.keys(mill.0, &[&mill.3], &[], &[(&mill.3, Ending::Revoke)]);
    world.admit(&end);
    let bare = world.publish(mill.0, &[&mill.2], "open-mills");
    world.admit(&bare);
    let newer = world.version(harbour.0, &[&harbour.2], of.0, texts());
    world.admit(&newer);
    let newest = (of.0, undersigned_registry::id::VersionId(crate::fixture::hash_of(&newer).0));
    let lapses = world.endorse_until(newest, mill.0, &[&mill.2], world.now + 5);
    world.admit(&lapses);
    world.tick_at(world.now + 10);
    let until = world.endorse_until(newest, harbour.0, &[&harbour.3], world.now + 100);
    world.admit(&until);
    world
}

pub(crate) fn record_cases() -> Vec<RecordCase> {
    let world = record_world();
    let mut cases = Vec::new();
    let records = naive::records(&world.ledger);
    let about = [
        "the registry",
        "a party",
        "a key",
        "",
        "a statement",
        "a version",
        "a slug",
        "an endorsement",
        "the same from the party's side",
    ];
    let rules: [&'static [&'static str]; 9] = [
        &["RE-1", "RE-2"],
        &["RE-3"],
        &["RE-4"],
        &[],
        &["RE-5"],
        &["RE-6"],
        &["RE-7"],
        &["RE-8", "RE-12"],
        &["RE-9"],
    ];
    for (key, record) in &records {
        let namespace = usize::from(key[0]);
        cases.push(RecordCase {
            about: about[namespace],
            rules: rules[namespace],
            key: key.clone(),
            record: record.clone(),
            code: None,
        });
    }
    let of = |namespace: u8, holds: &str| {
        records
            .iter()
            .find(|(key, record)| key[0] == namespace && String::from_utf8_lossy(record).contains(holds))
            .unwrap()
            .clone()
    };
    let mut no = |about, rules, code, (key, record): (Vec<u8>, Vec<u8>), path: &[&str], new| {
        cases.push(RecordCase { about, rules, key, record: changed(&record, path, new), code: Some(code) });
    };
    let value = "member-value";
    no("a policy out of its limits", &["RE-2"], value, of(0, ""), &["max_lag"], integer(0));
    let harbour = of(1, "harbour").1;
    let keys = value_of(&harbour, &["keys"]);
    let Value::List(mut keys) = keys else { panic!("keys are a list") };
    keys.reverse();
    no("keys out of order", &["RE-3"], value, of(1, "harbour"), &["keys"], list(keys));
    no("a level past 4", &["RE-3"], value, of(1, "harbour"), &["level"], integer(5));
    no("a domain in capitals", &["RE-3"], value, of(1, "harbour"), &["domain"], string("A.example"));
    no("a live key that is revoked", &["RE-4"], value, of(2, "admin"), &["revoked"], Some(Value::Bool(true)));
    no("false written out", &["EN-15"], value, of(2, "admin"), &["revoked"], Some(Value::Bool(false)));
    no("a newest version of no versions", &["RE-5"], value, of(4, "clear"), &["versions"], integer(0));
    no("versions without a newest", &["RE-5"], value, of(4, "open-mills"), &["versions"], integer(1));
    no("a slug in capitals", &["RE-5"], value, of(4, "clear"), &["slug"], string("A"));
    no(
        "a version without an authentic text",
        &["RE-6"],
        value,
        of(5, ""),
        &["texts", "0", "status"],
        string("courtesy"),
    );
    no("an unknown member", &["RE-7", "RE-10"], "member-unknown", of(6, ""), &["party"], string("a"));
    no("active and never endorsed", &["RE-8"], value, of(7, "withdrawn"), &["status"], string("active"));
    no("a language and never endorsed", &["RE-8"], value, of(7, "withdrawn"), &["language"], string("en"));
    no("endorsed in no language", &["RE-8"], value, of(7, "active"), &["language"], None);
    no("lapsed without an end", &["RE-8"], value, of(7, "lapsed"), &["not_after"], None);
    no("an end and never endorsed", &["RE-8"], value, of(7, "withdrawn"), &["not_after"], integer(9));
    no(
        "an end past the last second",
        &["RE-8"],
        value,
        of(7, "lapsed"),
        &["not_after"],
        integer(json::INTEGER_MAX),
    );
    no("an unknown status", &["RE-8"], value, of(8, "active"), &["status"], string("paused"));
    let (party, record) = of(1, "harbour");
    let foreign = [&[2], &party[1..]].concat();
    cases.push(RecordCase {
        about: "a party's record under a key's name",
        rules: &["RE-1"],
        key: foreign,
        record: record.clone(),
        code: Some("member-missing"),
    });
    for (about, key) in [
        ("an unknown namespace", [&[3], &party[1..]].concat()),
        ("a key too short", party[..32].to_vec()),
        ("a key too long", [&party[..], &[0]].concat()),
    ] {
        cases.push(RecordCase { about, rules: &["RE-1"], key, record: record.clone(), code: Some(value) });
    }
    cases.push(RecordCase {
        about: "white space",
        rules: &["RE-10"],
        key: party,
        record: [&record[..], b" "].concat(),
        code: Some("json-whitespace"),
    });
    cases
}

#[test]
fn records_of_the_format_are_accepted_and_nothing_else() {
    let cases = record_cases();
    for namespace in [0, 1, 2, 4, 5, 6, 7, 8] {
        assert!(cases.iter().any(|case| case.code.is_none() && case.key[0] == namespace));
    }
    for case in cases {
        let read = Record::decode(&case.key, &case.record);
        let text = String::from_utf8_lossy(&case.record);
        assert_eq!(
            read.as_ref().err().map(undersigned_registry::event::ParseError::code),
            case.code,
            "{}: {text}",
            case.about
        );
        assert_eq!(Record::tally_of(&case.key, &case.record).is_some(), case.code.is_none(), "RE-12");
        if let Ok(record) = read {
            assert_eq!(record.encode(), case.record, "{}", case.about);
        }
    }
}

/// Nothing that a stranger sends may panic: every cut and every byte flipped, of everything that is read.
#[test]
fn no_bytes_panic() {
    let (version, endorse) = submissions();
    let entry = town().world.entries[4].clone();
    for text in [version, endorse, entry] {
        for place in 0..text.len() {
            let mut other = text.clone();
            other[place] ^= 1;
            for bytes in [&text[..place], &other] {
                let _ = Submission::parse(bytes).map(|read| read.envelope.check());
                let _ = Entry::parse(bytes);
                let _ = event_of_signable(bytes);
            }
        }
    }
}

/// What it is, its rule, the bytes, whether it is a name or title, the code.
pub(crate) type DoorCase = (&'static str, &'static str, &'static [u8], bool, Option<&'static str>);

/// A text of the door's rules EN-60 to EN-64: the bytes, whether it is a name or title, and the code. The service
/// checks them; here they are only written down, since this crate knows no Unicode table.
pub(crate) fn texts_at_the_door() -> Vec<DoorCase> {
    vec![
        ("a name in Polish", "EN-60", "Za\u{17c}\u{f3}\u{142}\u{107}".as_bytes(), true, None),
        (
            "a name in Persian with a non-joiner",
            "EN-62",
            "\u{645}\u{6cc}\u{200c}\u{62e}".as_bytes(),
            true,
            None,
        ),
        ("a text of several lines", "EN-63", b"one\n\ntwo\n", false, None),
        ("a text that ends with a space", "EN-64", b"one ", false, None),
        ("a byte that is no UTF-8", "EN-60", b"\xff", false, Some("text-not-utf8")),
        ("a surrogate", "EN-60", b"\xed\xa0\x80", false, Some("text-not-utf8")),
        ("a letter and its accent apart", "EN-61", "e\u{301}".as_bytes(), false, Some("text-not-nfc")),
        ("a carriage return", "EN-62", b"a\r\nb", false, Some("text-control")),
        ("a tab", "EN-62", b"a\tb", false, Some("text-control")),
        ("an escape character", "EN-62", b"a\x1b[2Jb", true, Some("text-control")),
        ("a byte order mark", "EN-62", "\u{feff}a".as_bytes(), false, Some("text-control")),
        ("a direction override", "EN-62", "abc\u{202e}def".as_bytes(), true, Some("text-control")),
        ("a zero-width space", "EN-62", "\u{200b}".as_bytes(), true, Some("text-control")),
        ("a name of two lines", "EN-63", b"a\nb", true, Some("text-one-line")),
        ("a space before a name", "EN-64", b" a", true, Some("text-ends")),
        ("a name of spaces", "EN-64", b"  ", true, Some("text-ends")),
    ]
}

fn any_value() -> impl Strategy<Value = Value<'static>> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        (0..=json::INTEGER_MAX).prop_map(Value::Integer),
        "[ -~]{0,12}".prop_map(|text| Value::Text(text.into())),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::List),
            prop::collection::btree_map("[ -~]{0,6}", inner, 0..6).prop_map(|members| {
                Value::Object(members.into_iter().map(|(name, value)| (name.into(), value)).collect())
            }),
        ]
    })
}

proptest! {
    /// EN-9, and what `serde_json` makes of the same text.
    #[test]
    fn what_is_written_is_read_back(value in any_value()) {
        let text = json::write(&value);
        prop_assert_eq!(json::parse(&text, 1 << 20), Ok(value));
        let other: serde_json::Value = serde_json::from_slice(&text).unwrap();
        prop_assert_eq!(serde_json::to_vec(&other).unwrap(), text);
    }

    /// Whatever is accepted is canonical, and nothing panics.
    #[test]
    fn what_is_accepted_is_canonical(text in "[\\[\\]{}:,\"a0-9tруе\\\\ ]{0,24}") {
        if let Ok(value) = json::parse(text.as_bytes(), 1 << 20) {
            prop_assert_eq!(json::write(&value), text.as_bytes());
        }
    }
}
