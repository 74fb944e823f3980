//! The shared vectors in tests/vectors/state-tree: what this code makes is what the files say, and what the files say
//! is accepted or refused by bytes alone. `UNDERSIGNED_WRITE_VECTORS=1` writes the files again.

extern crate std;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use serde_json::{Map, Value, json};
use undersigned_tlog::codec::{hex_decode, hex_encode};
use undersigned_tlog::hash::{Hash, sha256};

use super::{
    Answer, InsertError, MalformedTally, NEVER, ProofError, Record, Step, SubtreeProof, SumTree, Tally,
    Terminal, Verified, empty_root, verify,
};
use crate::state_tree::hashing::{leaf_hash, node_hash};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/state-tree");

/// A record of the vectors: readable text, and a tally that stands beside it.
#[derive(Clone, Debug, PartialEq)]
struct Written {
    text: String,
    tally: Tally,
}

impl Record for Written {
    fn encode(&self) -> Vec<u8> {
        self.text.clone().into_bytes()
    }

    fn tally(&self, _key: &[u8]) -> Tally {
        self.tally.clone()
    }
}

fn written(text: &str, tally: Tally) -> Written {
    Written { text: text.to_string(), tally }
}

fn level(level: u8) -> Written {
    written(&format!("{{\"level\":{level},\"status\":\"active\"}}"), Tally::column(level, 1))
}

fn withdrawn() -> Written {
    written("{\"status\":\"withdrawn\"}", Tally::column(5, 1))
}

/// `namespace`, then ids of 32 equal bytes, so that the bits can be read off.
fn key(namespace: u8, ids: &[u8]) -> Vec<u8> {
    let mut key = vec![namespace];
    for id in ids {
        key.extend([*id; 32]);
    }
    key
}

type Records = Vec<(Vec<u8>, Written)>;

/// The trees of the vectors: name, what to look at, records.
fn trees() -> Vec<(&'static str, &'static str, Records)> {
    let registry = || (key(0, &[]), written("{\"received\":1790000000}", Tally::ZERO));
    let endorsement = |party: u8, record: Written| (key(7, &[0xAA, party]), record);
    let mut neighbour = key(7, &[0xAA, 0x50]);
    *neighbour.last_mut().expect("not empty") ^= 1;
    vec![
        ("empty", "no record: H(0x12)", vec![]),
        ("one leaf", "the root is the leaf's own hash; a key of one byte", vec![registry()]),
        (
            "two leaves",
            "keys 00 and 01aa.. part at bit 7: one node with a prefix of 7 zero bits, and a due second",
            vec![
                registry(),
                (key(1, &[0xAA]), written("{\"due\":1800000000}", Tally::ZERO.with_next_due(1_800_000_000))),
            ],
        ),
        (
            "shared prefixes",
            "five endorsements of version aa.., two of version ab.., by-party records and a party",
            vec![
                registry(),
                (key(1, &[0x40]), written("{\"due\":1800000000}", Tally::ZERO.with_next_due(1_800_000_000))),
                endorsement(0x00, level(0)),
                endorsement(0x40, level(2)),
                endorsement(0x50, level(2)),
                endorsement(0x80, withdrawn()),
                endorsement(
                    0xC0,
                    written(
                        "{\"due\":1795000000,\"level\":3,\"status\":\"active\"}",
                        Tally::column(3, 1).with_next_due(1_795_000_000),
                    ),
                ),
                (key(7, &[0xAB, 0x40]), level(2)),
                (key(7, &[0xAB, 0x80]), level(1)),
                (key(8, &[0x40, 0xAA]), level(2)),
                (key(8, &[0x40, 0xAB]), level(2)),
            ],
        ),
        (
            "neighbours",
            "two keys of 65 bytes that differ in their last bit: a node of 519 bits",
            vec![endorsement(0x50, level(2)), (neighbour, level(4))],
        ),
    ]
}

/// The generated tree: key i is 07 || 32 bytes aa || SHA-256(i as u32 BE), record `{"level":i mod 5}`.
fn thousand() -> SumTree<Written> {
    let mut tree = SumTree::new();
    for i in 0..1_000_u32 {
        let mut key = key(7, &[0xAA]);
        key.extend_from_slice(sha256(&[&i.to_be_bytes()]).as_bytes());
        let column = u8::try_from(i % 5).expect("below 5");
        let record = written(&format!("{{\"level\":{column}}}"), Tally::column(column, 1));
        tree.insert(&key, record).expect("fixed widths");
    }
    tree
}

fn tree(name: &str) -> SumTree<Written> {
    if name == "thousand" {
        let mut tree = thousand();
        tree.root().expect("small sums");
        return tree;
    }
    let (_, _, records) = trees().into_iter().find(|(found, ..)| *found == name).expect("a tree of the list");
    let mut tree = SumTree::new();
    for (key, record) in records {
        tree.insert(&key, record).expect("prefix-free");
    }
    tree.root().expect("small sums");
    tree
}

fn tally_json(tally: &Tally) -> Value {
    let counts: Map<String, Value> =
        tally.columns().map(|(column, value)| (column.to_string(), json!(value.to_string()))).collect();
    let next_due =
        if tally.next_due() == NEVER { json!("never") } else { json!(tally.next_due().to_string()) };
    json!({ "counts": counts, "next_due": next_due })
}

fn tally_from(value: &Value) -> Tally {
    let counts = value["counts"].as_object().expect("counts");
    let sum = counts.iter().fold(Tally::ZERO, |sum, (column, value)| {
        let value = value.as_str().expect("a decimal").parse().expect("a decimal");
        sum.checked_add(&Tally::column(column.parse().expect("a column"), value)).expect("it fits")
    });
    match value["next_due"].as_str().expect("a decimal or never") {
        "never" => sum,
        second => sum.with_next_due(second.parse().expect("a decimal")),
    }
}

/// Compares a file with what this code makes, or writes it, and returns what it says.
fn vectors(name: &str, made: Value) -> Value {
    let path = format!("{FOLDER}/{name}");
    if std::env::var_os("UNDERSIGNED_WRITE_VECTORS").is_some() {
        let text = serde_json::to_string_pretty(&made).expect("JSON") + "\n";
        std::fs::write(&path, text).expect("the folder of the vectors can be written");
    }
    let text = std::fs::read_to_string(&path).expect("the vectors are there");
    let found: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(found, made, "{name}");
    found
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn bytes(value: &Value) -> Vec<u8> {
    hex_decode(value.as_str().expect("hex")).expect("hex")
}

fn hash(value: &Value) -> Hash {
    Hash::from_hex(value.as_str().expect("hex")).expect("a hash")
}

#[test]
fn tallies() {
    let sum = |columns: &[(u8, u64)]| {
        columns.iter().fold(Tally::ZERO, |sum, (column, value)| {
            sum.checked_add(&Tally::column(*column, *value)).expect("it fits")
        })
    };
    let accept = [
        ("nothing counted, nothing due", Tally::ZERO),
        ("one column", Tally::column(2, 1)),
        ("a due second and no column", Tally::ZERO.with_next_due(1_800_000_000)),
        ("due at second 0", Tally::ZERO.with_next_due(0)),
        (
            "six columns",
            sum(&[(0, 176), (1, 12), (2, 40), (3, 9), (4, 1), (5, 4)]).with_next_due(1_795_000_000),
        ),
        ("the first and the last column, the greatest value", sum(&[(0, u64::MAX), (255, 1)])),
        ("a value past 32 bits", Tally::column(0, 1 << 32)),
        ("seven columns", sum(&[(0, 1), (1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (6, 1)])),
    ];
    let accept = accept.map(|(about, tally)| {
        let mut encoding = vec![];
        tally.encode(&mut encoding);
        let rules = ["ST-4", "ST-5", "ST-6", "ST-7"];
        json!({ "about": about, "rules": rules, "tally": tally_json(&tally), "encoding": hex_encode(&encoding) })
    });
    let never = "ffffffffffffffff";
    let one = "0000000000000001";
    let reject = [
        ("no bytes", "ST-4", String::new()),
        ("no due second", "ST-4", "00".to_string()),
        ("due second cut short", "ST-4", format!("00{}", &never[2..])),
        ("one column announced, none there", "ST-4", format!("01{never}")),
        ("columns fall", "ST-5", format!("0202{one}01{one}{never}")),
        ("a column twice", "ST-5", format!("0202{one}02{one}{never}")),
        ("a zero written", "ST-6", format!("01020000000000000000{never}")),
    ];
    let reject =
        reject.map(|(about, rule, encoding)| json!({ "about": about, "rule": rule, "encoding": encoding }));
    let overflow = [
        ("a column passes 2^64-1", Tally::column(0, u64::MAX), Tally::column(0, 1)),
        (
            "256 columns",
            (0..255).fold(Tally::ZERO, |t, c| t.checked_add(&Tally::column(c, 1)).expect("fits")),
            { Tally::column(255, 1) },
        ),
    ];
    let overflow = overflow.map(|(about, left, right)| {
        let encoded = [left, right].map(|tally| {
            let mut encoding = vec![];
            tally.encode(&mut encoding);
            hex_encode(&encoding)
        });
        json!({ "about": about, "rule": "ST-8", "left": encoded[0], "right": encoded[1] })
    });
    let found = vectors("tallies.json", json!({ "accept": accept, "reject": reject, "overflow": overflow }));

    let decode = |value: &Value| -> Result<Tally, MalformedTally> {
        let encoding = bytes(value);
        let mut input = encoding.as_slice();
        let tally = Tally::decode(&mut input)?;
        assert!(input.is_empty());
        Ok(tally)
    };
    for vector in list(&found["accept"]) {
        assert_eq!(decode(&vector["encoding"]), Ok(tally_from(&vector["tally"])));
    }
    for vector in list(&found["reject"]) {
        let refused = decode(&vector["encoding"]).map_err(|error| error.rule());
        assert_eq!(refused, Err(vector["rule"].as_str().expect("a rule")));
    }
    for vector in list(&found["overflow"]) {
        let (left, right) = (decode(&vector["left"]).expect("good"), decode(&vector["right"]).expect("good"));
        assert!(left.checked_add(&right).is_err());
    }
}

#[test]
fn roots() {
    let mut made = vec![];
    for (name, about, records) in trees() {
        let mut tree = tree(name);
        let mut rules = vec!["ST-1", "ST-13"];
        rules.push(match records.len() {
            0 => "ST-12",
            1 => "ST-10",
            _ => "ST-11",
        });
        let records: Vec<Value> = records
            .iter()
            .map(|(key, record)| {
                json!({ "key": hex_encode(key), "record": record.text, "tally": tally_json(&record.tally) })
            })
            .collect();
        made.push(json!({
            "name": name, "about": about, "rules": rules, "records": records,
            "root": tree.root().expect("small sums").to_hex(), "tally": tally_json(&tree.tally().expect("hashed")),
        }));
    }
    let mut tree = thousand();
    made.push(json!({
        "name": "thousand", "rules": ["ST-10", "ST-11", "ST-13"],
        "about": "for i in 0..1000: key 07 || 32 bytes aa || SHA-256(i as u32 BE), record {\"level\":i mod 5}, \
            tally {i mod 5: 1}",
        "root": tree.root().expect("small sums").to_hex(), "tally": tally_json(&tree.tally().expect("hashed")),
    }));
    let refused: [(&str, &str, &[&[u8]]); 7] = [
        ("ST-1", "a key of no bytes", &[&[]]),
        ("ST-1", "a key of 66 bytes", &[&[7; 66]]),
        ("ST-2", "a key that begins with another", &[&[7, 1], &[7, 1, 2]]),
        ("ST-2", "a key that begins another", &[&[7, 1, 2], &[7, 1]]),
        ("ST-2", "a key that begins two others", &[&[7, 1, 2], &[7, 1, 3], &[7, 1]]),
        ("ST-2", "a key that begins all others", &[&[7, 1, 2], &[7, 0x81], &[7]]),
        ("ST-2", "a key that begins with another by a byte of zeros", &[&[7], &[7, 0]]),
    ];
    let refused = refused.map(|(rule, about, keys)| {
        let keys: Vec<_> = keys.iter().map(|key| hex_encode(key)).collect();
        json!({ "rule": rule, "about": about, "keys": keys })
    });
    let found = vectors("roots.json", json!({ "trees": made, "refused_keys": refused }));

    // From the file alone, and written in another order.
    for vector in list(&found["trees"]).iter().filter(|vector| vector["records"].is_array()) {
        let mut tree = SumTree::new();
        for record in list(&vector["records"]).iter().rev() {
            let text = record["record"].as_str().expect("text");
            tree.insert(&bytes(&record["key"]), written(text, tally_from(&record["tally"])))
                .expect("prefix-free");
        }
        assert_eq!(tree.root(), Ok(hash(&vector["root"])), "{}", vector["name"]);
        assert_eq!(tree.tally(), Ok(tally_from(&vector["tally"])));
    }
    for vector in list(&found["refused_keys"]) {
        let mut tree = SumTree::new();
        let keys: Vec<_> = list(&vector["keys"]).iter().map(bytes).collect();
        let (last, former) = keys.split_last().expect("not empty");
        for key in former {
            assert_eq!(tree.insert(key, level(0)), Ok(None));
        }
        let rule = match tree.insert(last, level(0)) {
            Err(InsertError::KeyLength { .. }) => "ST-1",
            Err(InsertError::NotPrefixFree) => "ST-2",
            other => panic!("{other:?}"),
        };
        assert_eq!(Some(rule), vector["rule"].as_str());
    }
}

fn check(vector: &Value) -> Result<Verified, ProofError> {
    let proof = SubtreeProof::decode(&bytes(&vector["proof"]))?;
    let tally_of = |_: &[u8], _: &[u8]| vector.get("leaf_tally").map(tally_from);
    verify(&proof, &bytes(&vector["question"]), &hash(&vector["root"]), tally_of)
}

fn answer_json(answer: &Answer) -> Value {
    match answer {
        Answer::Absent => json!({ "kind": "absent" }),
        Answer::Subtree { tally } => json!({ "kind": "subtree", "tally": tally_json(tally) }),
        Answer::Record { key, record, tally } => json!({
            "kind": "record", "key": hex_encode(key), "tally": tally_json(tally),
            "record": core::str::from_utf8(record).expect("ASCII"),
        }),
    }
}

/// A proof as the vectors have it. The leaf's tally is what the rules of the records would give.
fn proof_json(tree: &mut SumTree<Written>, question: &[u8], proof: &SubtreeProof) -> Value {
    let mut vector = json!({
        "root": tree.root().expect("small sums").to_hex(),
        "question": hex_encode(question),
        "proof": hex_encode(&proof.encode()),
    });
    if let Terminal::Leaf { key, .. } = &proof.terminal
        && let Some(record) = tree.get(key)
    {
        vector["leaf_tally"] = tally_json(&record.tally);
    }
    vector
}

#[test]
fn proofs() {
    let cases: [(&str, &str, Vec<u8>, &[&str]); 15] = [
        ("empty", "nothing is under anything", key(7, &[0xAA]), &["ST-23", "ST-29"]),
        ("one leaf", "the only record", key(0, &[]), &["ST-24", "ST-25"]),
        ("one leaf", "absence beside the only record", key(7, &[0xAA]), &["ST-26"]),
        ("two leaves", "one of two", key(1, &[0xAA]), &["ST-25", "ST-28"]),
        ("two leaves", "absence where no step has decided", key(7, &[0xAA]), &["ST-26"]),
        (
            "shared prefixes",
            "status: the record, and the count of its version on the way",
            key(7, &[0xAA, 0x40]),
            &["ST-25", "ST-29"],
        ),
        ("shared prefixes", "status of one who left", key(7, &[0xAA, 0x80]), &["ST-25", "ST-29"]),
        ("shared prefixes", "count: all of a version", key(7, &[0xAA]), &["ST-25", "ST-29", "ST-31"]),
        ("shared prefixes", "count of two", key(7, &[0xAB]), &["ST-25"]),
        (
            "shared prefixes",
            "count of none: the version has no signatory",
            key(7, &[0xEE]),
            &["ST-26", "ST-29"],
        ),
        ("shared prefixes", "all endorsements: one namespace", key(7, &[]), &["ST-9", "ST-25"]),
        ("shared prefixes", "count of one: the only party", key(1, &[]), &["ST-25"]),
        (
            "shared prefixes",
            "absence: this party has not signed this version; the count of the version is proved as well",
            key(7, &[0xAA, 0x60]),
            &["ST-26", "ST-29"],
        ),
        ("shared prefixes", "status by party", key(8, &[0x40, 0xAB]), &["ST-25"]),
        ("neighbours", "one of two that differ in the last bit", key(7, &[0xAA, 0x50]), &["ST-25"]),
    ];
    let mut made = vec![];
    for (name, about, question, rules) in cases {
        let mut tree = tree(name);
        let proof = tree.prove(&question).expect("hashed");
        let mut vector = proof_json(&mut tree, &question, &proof);
        let verified = check(&vector).expect("an honest proof");
        vector["tree"] = json!(name);
        vector["about"] = json!(about);
        vector["rules"] = json!(rules);
        vector["answer"] = answer_json(&verified.answer);
        vector["root_tally"] = tally_json(&verified.root_tally);
        vector["subtree_root"] = json!(verified.subtree_root().to_hex());
        let beginnings = [1, 33, 65].into_iter().filter_map(|length| question.get(..length));
        vector["sums"] = beginnings
            .map(|prefix| {
                let tally = verified.tally_at(prefix).expect("a beginning of the question");
                json!({ "prefix": hex_encode(prefix), "tally": tally_json(&tally) })
            })
            .collect();
        made.push(vector);
    }
    let found = vectors("proofs.json", json!(made));

    for vector in list(&found) {
        let verified = check(vector).expect("an honest proof");
        assert_eq!(answer_json(&verified.answer), vector["answer"]);
        assert_eq!(verified.root_tally, tally_from(&vector["root_tally"]));
        assert_eq!(verified.next_due, verified.root_tally.next_due());
        assert_eq!(verified.subtree_root(), hash(&vector["subtree_root"]));
        for sum in list(&vector["sums"]) {
            assert_eq!(verified.tally_at(&bytes(&sum["prefix"])), Some(tally_from(&sum["tally"])));
        }
        let proof = bytes(&vector["proof"]);
        for index in 0..proof.len() {
            let mut twin = vector.clone();
            let mut changed = proof.clone();
            changed[index] ^= 1;
            twin["proof"] = json!(hex_encode(&changed));
            assert!(check(&twin).is_err(), "{} with byte {index} changed", vector["about"]);
        }
    }
}

/// One true proof, changed, with the rule that refuses it.
struct Forgery {
    rule: &'static str,
    about: &'static str,
    question: Vec<u8>,
    proof: Vec<u8>,
}

fn forgeries(tree: &SumTree<Written>) -> Vec<Forgery> {
    let version = key(7, &[0xAA]);
    let signed = key(7, &[0xAA, 0x40]);
    let absent = key(7, &[0xAA, 0x60]);
    let prove = |question: &[u8]| tree.prove(question).expect("hashed");
    let status = prove(&signed);
    let count = prove(&version);
    let mut all = vec![];
    let mut add = |rule, about, question: &[u8], proof: Vec<u8>| {
        all.push(Forgery { rule, about, question: question.to_vec(), proof });
    };
    let edited = |proof: &SubtreeProof, change: &dyn Fn(&mut SubtreeProof)| {
        let mut proof = proof.clone();
        change(&mut proof);
        proof.encode()
    };
    let edited_bytes = |proof: &SubtreeProof, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = proof.encode();
        change(&mut bytes);
        bytes
    };

    // The form.
    add("ST-14", "a terminal kind that does not exist", &signed, edited_bytes(&status, &|b| b[0] = 3));
    add("ST-15", "a key of no bytes", &signed, edited_bytes(&status, &|b| drop(b.splice(1..67, [0]))));
    add(
        "ST-15",
        "a key of 66 bytes",
        &signed,
        edited_bytes(&status, &|b| {
            b[1] = 66;
            b.insert(2, 7);
        }),
    );
    add(
        "ST-16",
        "a record of 32,769 bytes announced",
        &signed,
        edited_bytes(&status, &|b| {
            b.splice(67..71, [0, 0, 0x80, 1]);
        }),
    );
    add(
        "ST-17",
        "a node as long as the longest key",
        &version,
        edited_bytes(&count, &|b| {
            b.splice(1..3, [2, 8]);
        }),
    );
    add("ST-17", "an unused bit of a node's prefix set", &absent, {
        edited_bytes(&prove(&absent), &|b| b[3 + 33] |= 1)
    });
    add("ST-18", "521 steps announced", &signed, {
        let at = status.encode().len()
            - SubtreeProof { steps: status.steps.clone(), ..nothing() }.encode().len()
            + 1;
        edited_bytes(&status, &|b| drop(b.splice(at..at + 2, [2, 9])))
    });
    add("ST-19", "no bytes", &signed, vec![]);
    add("ST-19", "the last byte is missing", &version, {
        // The end of a tally: its own rule speaks first, so this cuts inside a hash.
        edited_bytes(&count, &|b| b.truncate(3 + 33 + 20))
    });
    add("ST-4", "cut inside the last tally", &signed, edited_bytes(&status, &|b| b.truncate(b.len() - 1)));
    add("ST-19", "a byte after the proof", &signed, edited_bytes(&status, &|b| b.push(0)));
    let tally_at = 3 + 33 + 32;
    add(
        "ST-6",
        "a zero count written out in the left tally",
        &version,
        edited_bytes(&count, &|b| {
            b.splice(tally_at + 2..tally_at + 10, [0; 8]);
        }),
    );
    add(
        "ST-5",
        "the columns of the left tally in falling order",
        &version,
        edited_bytes(&count, &|b| {
            b.swap(tally_at + 1, tally_at + 10);
        }),
    );

    // The question.
    add("ST-20", "the empty question", &[], prove(&[]).encode());
    add("ST-20", "a question of 66 bytes", &[7; 66], prove(&[7; 66]).encode());

    // The steps.
    add("ST-21", "two steps change places", &signed, edited(&status, &|p| p.steps.swap(0, 1)));
    add("ST-21", "a step twice", &signed, edited(&status, &|p| p.steps.insert(0, p.steps[0].clone())));
    add(
        "ST-21",
        "two steps of equal length",
        &signed,
        edited(&status, &|p| p.steps[0].bits = p.steps[1].bits),
    );
    let child = under(&status);
    add(
        "ST-22",
        "a child for its parent: the node over 40.. and 50.. as the version",
        &version,
        child.encode(),
    );
    add("ST-22", "a step as long as the question", &version, edited(&count, &|p| p.steps[0].bits = 264));
    add("ST-28", "the same child without the steps below the question", &version, {
        edited(&child, &|p| p.steps.retain(|step| step.bits < 264))
    });

    // The end.
    add("ST-23", "nothing, in a tree with records", &absent, nothing().encode());
    add("ST-23", "nothing, with the steps of a true proof", &absent, {
        edited(&prove(&absent), &|p| p.terminal = Terminal::Nothing)
    });
    add(
        "ST-26",
        "a neighbour for absence: 50.. stands for 40..",
        &signed,
        prove(&key(7, &[0xAA, 0x50])).encode(),
    );
    add("ST-26", "a node for absence of what hangs beside it", &key(7, &[0xAA, 0x00]), child.encode());
    add("ST-26", "a cousin for absence: 50.. stands for 80..", &key(7, &[0xAA, 0x80]), {
        prove(&key(7, &[0xAA, 0x50])).encode()
    });
    add("ST-28", "a cousin without the steps in between", &key(7, &[0xAA, 0x80]), {
        edited(&prove(&key(7, &[0xAA, 0x50])), &|p| p.steps.retain(|step| step.bits < 264))
    });
    add("ST-27", "an ancestor for absence: the version's node stands for 40..", &signed, count.encode());
    add("ST-27", "a parent for its child: both versions as one", &version, prove(&key(7, &[])).encode());
    add("ST-27", "a question longer than a key", &[&[0][..], &[7; 32]].concat(), prove(&[0, 7]).encode());

    // Sums and places.
    add(
        "ST-28",
        "one more of level 2 beside the way",
        &signed,
        edited(&status, &|p| {
            p.steps[2].tally = p.steps[2].tally.checked_add(&Tally::column(2, 1)).expect("small");
        }),
    );
    add(
        "ST-28",
        "another due second",
        &signed,
        edited(&status, &|p| {
            p.steps[2].tally = p.steps[2].tally.clone().with_next_due(1);
        }),
    );
    add(
        "ST-28",
        "the version's two tallies change places",
        &version,
        edited(&count, &|p| {
            if let Terminal::Node { left_tally, right_tally, .. } = &mut p.terminal {
                core::mem::swap(left_tally, right_tally);
            }
        }),
    );
    add("ST-28", "another namespace: the key moved to 8, asked for there", &key(8, &[0xAA, 0x40]), {
        edited(&status, &|p| {
            if let Terminal::Leaf { key, .. } = &mut p.terminal {
                key[0] = 8;
            }
        })
    });
    add(
        "ST-26",
        "another namespace: the true record, asked for under 8",
        &key(8, &[0xAA, 0x40]),
        status.encode(),
    );
    add("ST-28", "a foreign version: its own record moved here", &key(7, &[0xAB, 0x50]), {
        edited(&prove(&key(7, &[0xAA, 0x50])), &|p| {
            if let Terminal::Leaf { key, .. } = &mut p.terminal {
                key[1..33].copy_from_slice(&[0xAB; 32]);
            }
        })
    });
    add("ST-28", "no steps", &signed, edited(&status, &|p| p.steps.clear()));
    all
}

fn nothing() -> SubtreeProof {
    SubtreeProof { terminal: Terminal::Nothing, steps: vec![] }
}

/// The deepest node above a proved record, as a terminal with its true way up.
fn under(status: &SubtreeProof) -> SubtreeProof {
    let Terminal::Leaf { key, record } = &status.terminal else { panic!("a record was proved") };
    let step = &status.steps[0];
    assert!(key[usize::from(step.bits / 8)] & (0x80 >> (step.bits % 8)) == 0, "40.. is on the left of 50..");
    let mut prefix = key[..usize::from(step.bits / 8)].to_vec();
    prefix.push(key[prefix.len()] & !(0xFF >> (step.bits % 8)));
    let terminal = Terminal::Node {
        bits: step.bits,
        prefix,
        left: leaf_hash(key, record),
        left_tally: Tally::column(2, 1),
        right: step.sibling,
        right_tally: step.tally.clone(),
    };
    SubtreeProof { terminal, steps: status.steps[1..].to_vec() }
}

#[test]
fn rejects() {
    let mut tree = tree("shared prefixes");
    let mut made = vec![];
    for Forgery { rule, about, question, proof } in forgeries(&tree) {
        let mut vector = json!({
            "tree": "shared prefixes", "rule": rule, "about": about, "question": hex_encode(&question),
            "proof": hex_encode(&proof), "root": tree.root().expect("small sums").to_hex(),
        });
        // The rules give every leaf here a tally, so that no other rule hides behind ST-24.
        if let Ok(SubtreeProof { terminal: Terminal::Leaf { record, .. }, .. }) = SubtreeProof::decode(&proof)
        {
            let text = core::str::from_utf8(&record).expect("ASCII");
            let known = tree.iter(&[]).find(|(_, known)| known.text == text).expect("a record of the tree");
            vector["leaf_tally"] = tally_json(&known.1.tally);
        }
        made.push(vector);
    }

    let status = key(7, &[0xAA, 0x40]);
    let honest = tree.prove(&status).expect("hashed");
    let mut add = |rule: &str, about: &str, changes: Value| {
        let mut vector = proof_json(&mut tree, &status, &honest);
        vector["rule"] = json!(rule);
        vector["about"] = json!(about);
        for (name, value) in changes.as_object().expect("members") {
            vector[name] = value.clone();
        }
        if vector["leaf_tally"].is_null() {
            vector.as_object_mut().expect("an object").remove("leaf_tally");
        }
        made.push(vector);
    };
    add("ST-24", "the rules give this record no tally", json!({ "leaf_tally": null }));
    add(
        "ST-28",
        "the rules give this record another tally",
        json!({ "leaf_tally": tally_json(&Tally::column(2, 2)) }),
    );
    add("ST-28", "another root", json!({ "root": sha256(&[]).to_hex() }));
    add("ST-28", "the root of the empty tree", json!({ "root": empty_root().to_hex() }));
    add("ST-23", "the empty tree with steps", {
        let proof = SubtreeProof { terminal: Terminal::Nothing, steps: honest.steps.clone() };
        json!({ "root": empty_root().to_hex(), "proof": hex_encode(&proof.encode()), "leaf_tally": null })
    });
    // The root fits: whoever wraps a sum around would accept this.
    let most = Tally::column(0, u64::MAX);
    let step = Step { bits: 300, sibling: sha256(&[]), tally: Tally::column(0, 1) };
    let leaf = leaf_hash(&status, b"most");
    let root = node_hash(&mut vec![], 300, &status, (&leaf, &most), (&step.sibling, &step.tally));
    let terminal = Terminal::Leaf { key: status.clone(), record: b"most".to_vec() };
    let proof = SubtreeProof { terminal, steps: vec![step] };
    add(
        "ST-8",
        "the sum at the root does not fit",
        json!({
            "root": root.to_hex(), "proof": hex_encode(&proof.encode()), "leaf_tally": tally_json(&most),
        }),
    );
    let found = vectors("rejects.json", json!(made));

    for vector in list(&found) {
        let rule = check(vector).map_err(|error| error.rule());
        assert_eq!(rule.err(), vector["rule"].as_str(), "{}", vector["about"]);
    }
}
