//! The tables that every language reads, under `tests/vectors/registry`. `UNDERSIGNED_WRITE_VECTORS=1` writes them
//! again. What is compared is what this code makes with what the files say; what the files say is then read and
//! judged from the files alone.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use undersigned_registry::entry::{Entry, leaf};
use undersigned_registry::envelope::Submission;
use undersigned_registry::event::{Event, ParseError, event_hash, signable};
use undersigned_registry::id::{PartyId, RegistryId};
use undersigned_registry::key::{KeyType, key_id, registrable, verifying_key};
use undersigned_registry::ledger::{AdmitError, Ledger, Verdict};
use undersigned_registry::record::Record;
use undersigned_registry::state_proof::Question;
use undersigned_registry::state_tree::NEVER;
use undersigned_registry::verify::{StateAnswer, VerifiedEntries, VerifiedState};
use undersigned_tlog::codec::{hex_decode, hex_decode_array, hex_encode};
use undersigned_tlog::hash::sha256;

use crate::codec::{self, Case};
use crate::fixture::{admin, recovery, sign_key};
use crate::{cases, multi_proofs, receipts, signatures, state_proofs};

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/registry"))
}

/// The file's content, after a comparison with what this code makes (or after writing it).
fn kept(name: &str, made: &Value) -> Value {
    let path = folder().join(name);
    if std::env::var_os("UNDERSIGNED_WRITE_VECTORS").is_some() {
        fs::create_dir_all(folder()).unwrap();
        fs::write(&path, format!("{}\n", serde_json::to_string_pretty(made).unwrap())).unwrap();
    }
    let read: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert!(read == *made, "{name} is not what this code makes; UNDERSIGNED_WRITE_VECTORS=1 writes it again");
    read
}

fn text_or_hex(bytes: &[u8]) -> (&'static str, String) {
    match core::str::from_utf8(bytes) {
        Ok(text) => ("text", text.into()),
        Err(_) => ("hex", hex_encode(bytes)),
    }
}

fn bytes_of(case: &Value) -> Vec<u8> {
    match case["text"].as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => hex_decode(case["hex"].as_str().unwrap()).unwrap(),
    }
}

fn table(cases: &[Case], keep: impl Fn(&Case) -> bool) -> Value {
    let row = |case: &Case| {
        let (form, text) = text_or_hex(&case.text);
        let mut row = json!({ "about": case.about, "rules": case.rules, form: text });
        if let Some(code) = case.code {
            row["code"] = code.into();
        }
        if let Some(member) = case.member {
            row["member"] = member.into();
        }
        row
    };
    let of = |refused: bool| {
        cases.iter().filter(|case| case.code.is_some() == refused && keep(case)).map(row).collect::<Vec<_>>()
    };
    json!({ "accept": of(false), "refuse": of(true) })
}

/// Reads every row of a table and compares the code.
fn judge(table: &Value, read: impl Fn(&[u8]) -> Result<(), &'static str>) {
    for (kind, row) in [("accept", None), ("refuse", Some("code"))] {
        let rows = table[kind].as_array().unwrap();
        assert!(!rows.is_empty());
        for case in rows {
            let code = row.map(|code| case[code].as_str().unwrap());
            assert_eq!(read(&bytes_of(case)).err(), code, "{}", case["about"]);
        }
    }
}

fn short(case: &Case) -> bool {
    // The longest texts are easier made than read: their limits are in the table of the page.
    case.text.len() < 16_000
}

#[test]
fn canonical_json() {
    let made = table(&codec::json_cases(), short);
    let read = |bytes: &[u8]| {
        undersigned_registry::json::parse(bytes, codec::JSON_BYTES_MAX)
            .map(drop)
            .map_err(|error| error.rule.code())
    };
    judge(&kept("json.json", &made), read);
}

#[test]
fn events() {
    let mut made = table(&codec::event_cases(), short);
    for row in made["accept"].as_array_mut().unwrap() {
        let bytes = bytes_of(row);
        let blobs: Vec<String> =
            Event::parse(&bytes).unwrap().blobs().iter().map(|blob| blob.sha256.to_hex()).collect();
        row["hash"] = event_hash(&bytes).to_string().into();
        row["signable_sha256"] = sha256(&[&signable(&bytes)]).to_hex().into();
        row["blobs"] = blobs.into();
    }
    let read = kept("events.json", &made);
    judge(&read, |bytes| Event::parse(bytes).map(drop).map_err(|error| error.code()));
    for row in read["accept"].as_array().unwrap() {
        let bytes = bytes_of(row);
        assert_eq!(row["hash"], sha256(&[&bytes]).to_hex(), "EN-20");
        let signable = [b"undersigned event v1\n", &bytes[..], b"\n"].concat();
        assert_eq!(row["signable_sha256"], sha256(&[&signable]).to_hex(), "EN-30");
    }
}

#[test]
fn keys() {
    let right: Vec<Value> = [sign_key(1), admin(2), recovery(3)]
        .iter()
        .map(|key| {
            json!({ "about": "a key", "rules": ["EN-23"], "type": "ed25519",
                "public": hex_encode(&key.public()), "id": key.id().to_string() })
        })
        .collect();
    let odd: Vec<Value> = signatures::odd_keys()
        .iter()
        .map(|(rule, about, code, public)| {
            json!({ "about": about, "rules": [rule], "type": "ed25519", "public": hex_encode(public), "code": code })
        })
        .collect();
    let read = kept("keys.json", &json!({ "accept": right, "refuse": odd }));
    let public = |row: &Value| hex_decode_array::<32>(row["public"].as_str().unwrap()).unwrap();
    for row in read["accept"].as_array().unwrap() {
        assert_eq!(key_id(KeyType::Ed25519, &public(row)).to_string(), row["id"].as_str().unwrap());
        assert!(registrable(&public(row)).is_ok() && verifying_key(&public(row)).is_ok());
    }
    for row in read["refuse"].as_array().unwrap() {
        assert_eq!(registrable(&public(row)).unwrap_err().code(), row["code"].as_str().unwrap());
    }
}

#[test]
fn submissions() {
    let made = table(&codec::submission_cases(), short);
    judge(&kept("submissions.json", &made), |bytes| {
        Submission::parse(bytes).map(drop).map_err(|error| error.code())
    });
}

#[test]
fn proofs() {
    let cases: Vec<Case> = signatures::cases()
        .into_iter()
        .map(|case| {
            // An envelope without proofs is refused by its form already.
            let code = if case.envelope.proofs().is_empty() { Some("member-missing") } else { case.code };
            let text = submission_text(&case.envelope).into_bytes();
            Case { about: case.about, rules: case.rules, text, code, member: None }
        })
        .collect();
    let check = |bytes: &[u8]| {
        // The blobs do not matter here: the envelope is read as an entry's.
        let text = core::str::from_utf8(bytes).unwrap();
        let sealed =
            format!("{},\"received\":0,\"state\":\"{}\",\"v\":1}}", &text[..text.len() - 1], "0".repeat(64));
        let entry = Entry::parse(sealed.as_bytes()).map_err(|error: ParseError| error.code())?;
        entry.envelope.check().map(drop).map_err(|error| error.code())
    };
    judge(&kept("proofs.json", &table(&cases, |_| true)), check);
}

#[test]
fn entries() {
    let mut made = table(&codec::entry_cases(), short);
    for row in made["accept"].as_array_mut().unwrap() {
        row["leaf"] = leaf(&bytes_of(row)).to_hex().into();
    }
    let read = kept("entries.json", &made);
    judge(&read, |bytes| Entry::parse(bytes).map(drop).map_err(|error| error.code()));
    for row in read["accept"].as_array().unwrap() {
        assert_eq!(row["leaf"], sha256(&[&[0], &bytes_of(row)]).to_hex(), "EN-54");
    }
}

#[test]
fn records() {
    let mut made = json!({ "accept": [], "refuse": [] });
    for case in codec::record_cases() {
        let (form, text) = text_or_hex(&case.record);
        let mut row =
            json!({ "about": case.about, "rules": case.rules, "key": hex_encode(&case.key), form: text });
        match case.code {
            Some(code) => row["code"] = code.into(),
            None => {
                let tally = Record::tally_of(&case.key, &case.record).unwrap();
                row["tally"] = tally.columns().map(|(column, count)| json!([column, count])).collect();
                if tally.next_due() != NEVER {
                    row["next_due"] = tally.next_due().into();
                }
            }
        }
        made[if case.code.is_some() { "refuse" } else { "accept" }].as_array_mut().unwrap().push(row);
    }
    let read = kept("records.json", &made);
    let key = |row: &Value| hex_decode(row["key"].as_str().unwrap()).unwrap();
    for row in read["accept"].as_array().unwrap() {
        let tally = Record::tally_of(&key(row), &bytes_of(row)).unwrap();
        let columns: Vec<Value> = tally.columns().map(|(column, count)| json!([column, count])).collect();
        assert_eq!(row["tally"], Value::from(columns));
        assert_eq!(row["next_due"].as_u64().unwrap_or(NEVER), tally.next_due());
    }
    for row in read["refuse"].as_array().unwrap() {
        let code = Record::decode(&key(row), &bytes_of(row)).unwrap_err().code();
        assert_eq!(code, row["code"].as_str().unwrap(), "{}", row["about"]);
    }
}

fn submission_text(envelope: &undersigned_registry::envelope::Envelope) -> String {
    let entry = Entry { envelope: envelope.clone(), received: 0, state: sha256(&[]), v: 1 }.encode();
    let entry = String::from_utf8(entry).unwrap();
    format!("{}}}", entry.rsplit_once(",\"received\":").unwrap().0)
}

fn envelope_of(text: &Value) -> undersigned_registry::envelope::Envelope {
    let text = text.as_str().unwrap();
    let sealed =
        format!("{},\"received\":0,\"state\":\"{}\",\"v\":1}}", &text[..text.len() - 1], "0".repeat(64));
    Entry::parse(sealed.as_bytes()).unwrap().envelope
}

/// Whole logs, each entry with the root after it in its `state` and the root of the tree up to it.
#[test]
fn logs_and_what_the_law_refuses() {
    let cases = cases::all();
    let logs: Vec<Value> = cases
        .logs
        .iter()
        .map(|log| {
            let mut ledger = Ledger::new();
            let mut frontier = undersigned_tlog::edge::Frontier::new();
            let rows: Vec<Value> = log
                .entries
                .iter()
                .map(|entry| {
                    ledger.follow_entry(entry).unwrap();
                    frontier = frontier.append(&[leaf(entry)]).unwrap().frontier;
                    json!({ "entry": core::str::from_utf8(entry).unwrap(), "tree_root": frontier.root().to_hex() })
                })
                .collect();
            let registry = ledger.registry().unwrap().to_text();
            json!({ "name": log.name, "rules": ["RE-11", "LA-29"], "registry": registry, "entries": rows })
        })
        .collect();
    let read = kept("logs.json", &json!({ "logs": logs }));
    for log in read["logs"].as_array().unwrap() {
        let mut ledger = Ledger::new();
        for row in log["entries"].as_array().unwrap() {
            ledger.follow_entry(row["entry"].as_str().unwrap().as_bytes()).unwrap();
        }
        assert_eq!(ledger.registry(), RegistryId::parse(log["registry"].as_str().unwrap()));
    }
    let refused: Vec<Value> = cases
        .refused
        .iter()
        .map(|case| {
            json!({ "about": case.about, "rules": case.rules, "log": case.log, "size": case.size,
                "envelope": submission_text(&case.envelope), "received": case.received, "code": case.code,
                "twin": { "envelope": submission_text(&case.twin.0), "received": case.twin.1 } })
        })
        .collect();
    let repeated: Vec<Value> = cases
        .repeated
        .iter()
        .map(|case| {
            json!({ "about": case.about, "rules": ["LA-4"], "log": case.log, "size": case.size,
                "envelope": submission_text(&case.envelope), "received": case.received, "entry": case.entry })
        })
        .collect();
    let law = kept("law.json", &json!({ "refuse": refused, "repeat": repeated }));
    let ledger_at = |row: &Value| {
        let log = read["logs"].as_array().unwrap().iter().find(|log| log["name"] == row["log"]).unwrap();
        let size = usize::try_from(row["size"].as_u64().unwrap()).unwrap();
        let mut ledger = Ledger::new();
        for entry in &log["entries"].as_array().unwrap()[..size] {
            ledger.follow_entry(entry["entry"].as_str().unwrap().as_bytes()).unwrap();
        }
        ledger
    };
    let decide = |ledger: &mut Ledger, row: &Value| {
        let envelope = envelope_of(&row["envelope"]).check().unwrap();
        ledger.admit(&envelope, row["received"].as_u64().unwrap())
    };
    for row in law["refuse"].as_array().unwrap() {
        let mut ledger = ledger_at(row);
        match decide(&mut ledger, row) {
            Err(AdmitError::Refused(refusal)) => assert_eq!(refusal.code(), row["code"].as_str().unwrap()),
            other => panic!("{}: {other:?}", row["about"]),
        }
        assert!(
            matches!(decide(&mut ledger, &row["twin"]), Ok(Verdict::Entry(_))),
            "twin of {}",
            row["about"]
        );
    }
    for row in law["repeat"].as_array().unwrap() {
        let verdict = decide(&mut ledger_at(row), row);
        let Ok(Verdict::Repeat { entry }) = verdict else { panic!("{}: {verdict:?}", row["about"]) };
        assert_eq!(Some(entry), row["entry"].as_u64());
    }
}

#[test]
fn receipts() {
    let story = receipts::story();
    let say = |verified: &undersigned_registry::verify::Verified| {
        let signers: Vec<Value> = verified
            .signers
            .iter()
            .map(|signer| {
                json!({ "key": signer.key.to_string(), "role": signer.role.map(|role| role.name()),
                    "party": signer.party.map(|party| party.to_string()) })
            })
            .collect();
        json!({
            "index": verified.index, "tree_size": verified.tree_size, "event_hash": verified.event_hash.to_string(),
            "received": verified.received, "state": verified.state.to_hex(), "party": verified.party.map(|party| party.to_string()),
            "registry": verified.registry.as_ref().map(RegistryId::to_text), "signers": signers,
            "name": verified.party_name("en"), "title": verified.title("en"),
            "domain": verified.party_record.as_ref().and_then(|record| record.domain.clone()),
            "status": verified.endorsement.as_ref().map(|record| record.status.name()),
            "tally": verified.version_tally.as_ref().map(|tally| {
                tally.columns().map(|(column, count)| json!([column, count])).collect::<Vec<_>>()
            }),
        })
    };
    let text = |file: &[u8]| match core::str::from_utf8(file) {
        Ok(text) => Value::from(text),
        Err(_) => panic!("a receipt is text"),
    };
    let mut accept: Vec<Value> = (0..story.log.entries.len())
        .map(|index| {
            let file = story.log.receipt(index);
            let proved = say(&receipts::check(&file, &story.policy, None).unwrap());
            json!({ "about": format!("entry {index} with all its paths"), "rules": ["RC-4", "RC-5", "RC-7", "RC-37", "RC-38"],
                "policy": story.policy, "receipt": text(&file), "proved": proved })
        })
        .collect();
    let bare = receipts::policy_text(None);
    let file = story.log.receipt(story.endorse);
    let proved = say(&receipts::check(&file, &bare, None).unwrap());
    accept.push(json!({ "about": "a policy that names no registry", "rules": ["RC-14"], "policy": bare,
        "receipt": text(&file), "proved": proved }));
    let refuse: Vec<Value> = receipts::refused(&story)
        .iter()
        .filter(|case| case.file.len() <= 48_000)
        .map(|case| {
            json!({ "about": case.about, "rules": case.rules, "policy": case.policy, "receipt": text(&case.file),
                "registry": case.registry.as_ref().map(RegistryId::to_text), "code": case.code })
        })
        .collect();
    let read = kept("receipts.json", &json!({ "accept": accept, "refuse": refuse }));
    let check = |row: &Value| {
        let registry = row["registry"].as_str().map(|text| RegistryId::parse(text).unwrap());
        let (file, policy) = (row["receipt"].as_str().unwrap(), row["policy"].as_str().unwrap());
        receipts::check(file.as_bytes(), policy, registry.as_ref())
    };
    for row in read["accept"].as_array().unwrap() {
        assert_eq!(say(&check(row).unwrap()), row["proved"], "{}", row["about"]);
    }
    for row in read["refuse"].as_array().unwrap() {
        assert_eq!(check(row).err(), row["code"].as_str(), "{}", row["about"]);
    }
}

/// EN-60 to EN-64: only written down here; the service's door reads this table.
#[test]
fn texts() {
    let row = |refused: bool| {
        codec::texts_at_the_door()
            .into_iter()
            .filter(|case| case.4.is_some() == refused)
            .map(|(about, rule, bytes, one_line, code)| {
                let (form, text) = text_or_hex(bytes);
                let mut row = json!({ "about": about, "rules": [rule], "one_line": one_line, form: text });
                if let Some(code) = code {
                    row["code"] = code.into();
                }
                row
            })
            .collect::<Vec<_>>()
    };
    kept("texts.json", &json!({ "accept": row(false), "refuse": row(true) }));
}

/// The rows of proof files that are refused, and what comes of them.
fn refused_files(cases: &[receipts::Refused], bytes_max: usize) -> Vec<Value> {
    cases
        .iter()
        .filter(|case| case.file.len() <= bytes_max)
        .map(|case| {
            json!({ "about": case.about, "rules": case.rules, "policy": case.policy,
                "file": core::str::from_utf8(&case.file).unwrap(),
                "registry": case.registry.as_ref().map(RegistryId::to_text), "code": case.code })
        })
        .collect()
}

/// Judges every row of a table of proof files.
fn judge_files<T>(
    read: &Value,
    check: impl Fn(&[u8], &str, Option<&RegistryId>) -> Result<T, &'static str>,
    say: impl Fn(&T) -> Value,
) {
    let judged = |row: &Value| {
        let registry = row["registry"].as_str().map(|text| RegistryId::parse(text).unwrap());
        check(row["file"].as_str().unwrap().as_bytes(), row["policy"].as_str().unwrap(), registry.as_ref())
    };
    for row in read["accept"].as_array().unwrap() {
        assert_eq!(
            say(&judged(row).unwrap_or_else(|code| panic!("{code}"))),
            row["proved"],
            "{}",
            row["about"]
        );
    }
    for row in read["refuse"].as_array().unwrap() {
        assert_eq!(judged(row).err(), row["code"].as_str(), "{}", row["about"]);
    }
}

#[test]
fn state_proofs() {
    let story = receipts::story();
    let say = |verified: &VerifiedState| {
        let columns: Vec<Value> =
            verified.tally.columns().map(|(column, count)| json!([column, count])).collect();
        let (answer, status) = match &verified.answer {
            StateAnswer::Count => ("count", None),
            StateAnswer::Status(record) => ("status", Some(record.status.name())),
            StateAnswer::Absent => ("absent", None),
        };
        json!({
            "answer": answer, "status": status, "size": verified.size, "tree_size": verified.tree_size,
            "tally": columns, "next_due": verified.next_due, "state": verified.state.to_hex(),
            "version": verified.question.version().to_string(),
            "party": verified.question.party().map(|party| party.to_string()),
            "registry": verified.registry.as_ref().map(RegistryId::to_text), "title": verified.title("en"),
            "level": verified.party_record.as_ref().map(|record| record.level),
        })
    };
    let (log, version, size) = (&story.log, story.of.1, story.log.entries.len());
    let count = Question::Count { version };
    let operator = log.registry.operator();
    let questions = [
        ("none has endorsed", story.endorse - 1, size, count),
        ("one has endorsed: the path ends in its record", story.endorse, size, count),
        ("two have endorsed", story.endorse + 1, size, count),
        ("one stands, one is withdrawn", story.withdraw + 1, size, count),
        ("the newest state: N is M", size, size, count),
        ("before the version was there", 2, size, count),
        (
            "an endorsement that stands, moved by an older entry",
            size,
            size,
            Question::Status { version, party: story.mill },
        ),
        ("a withdrawn endorsement", size, size, Question::Status { version, party: story.harbour }),
        ("a party that has not endorsed", size, size, Question::Absent { version, party: operator }),
        (
            "a party that had not endorsed yet",
            story.endorse,
            size,
            Question::Absent { version, party: story.mill },
        ),
        (
            "a party that is none",
            size,
            size,
            Question::Absent { version, party: PartyId(sha256(&[b"nobody"])) },
        ),
    ];
    let accept: Vec<Value> = questions
        .iter()
        .map(|(about, n, m, question)| {
            let file = log.state_proof(*n, *m, question);
            let proved = say(&state_proofs::check(&file, &story.policy, None).unwrap());
            json!({ "about": about, "rules": ["SP-1", "SP-3", "SP-5", "SP-6", "SP-8", "SP-32", "SP-33"],
                "policy": story.policy, "file": core::str::from_utf8(&file).unwrap(), "proved": proved })
        })
        .collect();
    let refuse = refused_files(&state_proofs::refused(&story), 64_000);
    let made = json!({ "accept": accept, "refuse": refuse, "large": state_proofs::large() });
    judge_files(&kept("state-proofs.json", &made), state_proofs::check, say);
}

#[test]
fn multi_proofs() {
    let story = receipts::story();
    let say = |verified: &VerifiedEntries| {
        let entries: Vec<Value> = verified
            .entries
            .iter()
            .map(|entry| {
                json!({ "index": entry.index, "event_hash": entry.event_hash.to_string(),
                    "party": entry.party.map(|party| party.to_string()), "received": entry.received })
            })
            .collect();
        json!({ "tree_size": verified.tree_size, "entries": entries,
            "registry": verified.registry.as_ref().map(RegistryId::to_text) })
    };
    let all: Vec<usize> = (0..story.log.entries.len()).collect();
    let accept: Vec<Value> = [
        ("one entry", &[story.endorse][..]),
        ("two entries", &[1, story.endorse]),
        ("first and last", &[0, all.len() - 1]),
        ("all entries: no hashes", &all),
    ]
    .iter()
    .map(|(about, places)| {
        let file = story.log.multi_proof(places);
        let proved = say(&multi_proofs::check(&file, &story.policy, None).unwrap());
        json!({ "about": about, "rules": ["MP-1", "MP-12", "MP-30"], "policy": story.policy,
            "file": core::str::from_utf8(&file).unwrap(), "proved": proved })
    })
    .collect();
    let refuse = refused_files(&multi_proofs::refused(&story), usize::MAX);
    let made = json!({ "accept": accept, "refuse": refuse });
    judge_files(&kept("multi-proofs.json", &made), multi_proofs::check, say);
}
