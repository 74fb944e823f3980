//! `multi-proof.json`, `multi-proof-file.json`: several leaves at once, and the file they travel in.

use undersigned_tlog::codec::base64_encode;
use undersigned_tlog::hash::Hash;
use undersigned_tlog::multi_proof::{MULTI_PROOF_BYTES_MAX, MULTI_PROOF_HEADER, MultiProof};
use undersigned_tlog::tree::{LeafIndex, TreeSize, verify_multi_inclusion};

use super::{Case, Members, bytes_member, check_table, member, refused};
use crate::known::note;
use crate::multi::{built, forgeries, leaves};
use crate::rfc6962::Oracle;
use crate::tree::{index, size};

fn texts(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(Hash::to_base64).collect()
}

fn flipped(hash: &Hash) -> Hash {
    let mut raw = *hash.as_bytes();
    raw[17] ^= 1;
    Hash::from_bytes(raw)
}

/// MP-3, MP-10 to MP-12, MP-21 to MP-24.
#[test]
fn multi_proof() {
    let oracle = Oracle::counting(70_000);
    let wrong = "the proof does not lead to the root of the tree";
    let case = |name, known: Vec<(LeafIndex, Hash)>, of: TreeSize, proof: &[Hash], root: Hash, expected| {
        let input = vec![
            member("indexes", known.iter().map(|(index, _)| index.get()).collect::<Vec<_>>()),
            member("leaf_hashes", texts(&known.iter().map(|(_, hash)| *hash).collect::<Vec<_>>())),
            member("size", of.get()),
            member("proof", texts(proof)),
            member("root", root.to_base64()),
        ];
        let output = verify_multi_inclusion(&known, of, proof, &root);
        Case::new(name, input, output.map(|()| Members::new()), expected)
    };
    let range: Vec<usize> = (1_000..1_040).collect();
    let scattered: Vec<usize> = (0..40).map(|step| (step * 1_741 + 7) % 70_000).collect();
    let mut scattered = scattered;
    scattered.sort_unstable();
    let mut cases = Vec::new();
    for (name, places, count) in [
        ("the only leaf: no hashes", &[0][..], 1),
        ("both of two: no hashes", &[0, 1], 2),
        ("all of five: no hashes", &[0, 1, 2, 3, 4], 5),
        ("one of seven: the audit path of RFC 6962", &[4], 7),
        ("neighbours with a common parent", &[2, 3], 7),
        ("neighbours without", &[3, 4], 7),
        ("first and last, the last is promoted twice", &[0, 6], 7),
        ("the promoted leaf of five", &[4], 5),
        ("a range", &range, 70_000),
        ("scattered leaves", &scattered, 70_000),
        ("the ends of a large tree", &[0, 69_999], 70_000),
    ] {
        let (known, proof) = (leaves(&oracle, places), built(&oracle, places, count));
        cases.push(case(name, known, size(count), &proof, oracle.root(count), Ok(())));
    }
    let fake = Hash::from_bytes([0xFA; 32]);
    for (name, known, proof, error) in forgeries(&oracle, fake) {
        cases.push(case(name, known, size(3), &proof, oracle.root(3), refused(&error.to_string())));
    }
    let places = [1, 4, 6];
    let (known, proof, root) = (leaves(&oracle, &places), built(&oracle, &places, 7), oracle.root(7));
    assert_eq!(proof.len(), 3);
    let mut push = |name, known: Vec<(LeafIndex, Hash)>, proof: &[Hash], root, expected: &str| {
        cases.push(case(name, known, size(7), proof, root, refused(expected)));
    };
    let all = || known.clone();
    let with = |position: usize, leaf: (LeafIndex, Hash)| {
        let mut known = known.clone();
        known[position] = leaf;
        known
    };
    push("no leaf", vec![], &proof, root, "0 leaves where 1 to 1024 belong");
    push("another leaf", with(1, (index(4), fake)), &proof, root, wrong);
    push("another root", all(), &proof, flipped(&root), wrong);
    push(
        "a leaf at its neighbour's index",
        with(1, (index(5), known[1].1)),
        &proof,
        root,
        "the proof does not lead to the root of the tree",
    );
    let turned = vec![known[1], known[0], known[2]];
    push("leaves out of order", turned, &proof, root, "leaf 1 does not come after the one before it");
    let twice = vec![known[0], known[0], known[1], known[2]];
    push("the same leaf twice", twice, &proof, root, "leaf 1 does not come after the one before it");
    push("an index at the size", with(2, (index(7), fake)), &proof, root, "no leaf 7 in a tree of 7");
    push("a leaf less", known[..2].to_vec(), &proof, root, "3 proof hashes where 4 belong");
    push(
        "the hash of the leaf that is left out",
        known[..2].to_vec(),
        &[&proof[..2], &[known[2].1], &proof[2..]].concat(),
        root,
        wrong,
    );
    let last = [&proof[..2], &[flipped(&proof[2])]].concat();
    push("last hash changed", all(), &last, root, wrong);
    push("hashes out of order", all(), &[proof[1], proof[0], proof[2]], root, wrong);
    push("last hash missing", all(), &proof[..2], root, "2 proof hashes where 3 belong");
    push("first hash missing", all(), &proof[1..], root, "2 proof hashes where 3 belong");
    push("no hashes", all(), &[], root, "0 proof hashes where 3 belong");
    push("a hash too many", all(), &[&proof[..], &[root]].concat(), root, "4 proof hashes where 3 belong");
    let about =
        "Proofs of several leaves (docs/spec/multi-proof.md). Entry i of the log is the decimal i in ASCII.";
    check_table("multi-proof.json", about, vec![], cases);
}

/// MP-1, MP-2, MP-3, MP-4, MP-5.
#[test]
fn multi_proof_file() {
    let note = note();
    let hash = Hash::from_bytes([0x27; 32]).to_base64();
    let entry = |index: &str, text: &str| format!("entry {index} {}\n", base64_encode(text.as_bytes()));
    let (one, two) = (entry("0", "zero"), entry("7", "seven"));
    let file = |entries: &str, hashes: &str| format!("{MULTI_PROOF_HEADER}\n{entries}\n{hashes}\n{note}");
    let hash_line = format!("{hash}\n");
    let at = |number| {
        format!("entry {number} is not \"entry\", a decimal without leading zeros and canonical base64")
    };
    let header = "the first line is not \"undersigned multi-proof v1\"";
    let no_entry = "1 to 1024 entries belong here";
    let cases: Vec<(&'static str, String, Result<(), String>)> = vec![
        ("one entry, no hashes", file(&one, ""), Ok(())),
        ("two entries, two hashes", file(&format!("{one}{two}"), &hash_line.repeat(2)), Ok(())),
        ("indexes in any order: the form does not say", file(&format!("{two}{one}{one}"), ""), Ok(())),
        ("empty", String::new(), refused(header)),
        (
            "the header of one proof",
            file(&one, "").replace(MULTI_PROOF_HEADER, "c2sp.org/tlog-proof@v1"),
            refused(header),
        ),
        ("another version", file(&one, "").replace(" v1\n", " v2\n"), refused(header)),
        ("line feeds of windows", file(&one, "").replace('\n', "\r\n"), refused(header)),
        ("no entry", file("", &hash_line), refused(no_entry)),
        ("a leading zero", file(&entry("07", "seven"), ""), refused(&at(1))),
        ("a negative index", file(&entry("-7", "seven"), ""), refused(&at(1))),
        ("an index past 64 bits", file(&entry("18446744073709551616", "far"), ""), refused(&at(1))),
        ("no index", file("entry emVybw==\n", ""), refused(&at(1))),
        ("two spaces", file("entry 0  emVybw==\n", ""), refused(&at(1))),
        ("a space at the end", file("entry 0 emVybw== \n", ""), refused(&at(1))),
        ("base64 without padding", file("entry 0 emVybw\n", ""), refused(&at(1))),
        ("base64 with spare bits", file("entry 0 emVybx==\n", ""), refused(&at(1))),
        ("an entry of no bytes", file(&format!("{two}entry 8 \n"), ""), refused(&at(2))),
        ("a word in front", file(&format!("{two}leaf 8 emVybw==\n"), ""), refused(&at(2))),
        ("cut short in its entries", format!("{MULTI_PROOF_HEADER}\n{one}"), refused(&at(2))),
        (
            "a hash that is none",
            file(&one, &format!("{hash_line}AAE=\n")),
            refused("the hash lines are wrong: hash 2 is not the canonical base64 of 32 bytes"),
        ),
        (
            "cut short in its hashes",
            format!("{MULTI_PROOF_HEADER}\n{one}\n{hash_line}"),
            refused("the hash lines are wrong: no empty line after the hashes"),
        ),
        (
            "no checkpoint",
            format!("{MULTI_PROOF_HEADER}\n{one}\n{hash_line}\n"),
            refused("no checkpoint after the empty line"),
        ),
    ];
    let cases = cases.into_iter().map(|(name, text, expected)| {
        let output = MultiProof::parse(text.as_bytes()).map(|proof| {
            assert_eq!(proof.to_bytes(), text.as_bytes());
            let indexes: Vec<u64> = proof.entries().iter().map(|entry| entry.index.get()).collect();
            let entries: Vec<String> =
                proof.entries().iter().map(|entry| base64_encode(&entry.bytes)).collect();
            vec![
                member("indexes", indexes),
                member("entries_base64", entries),
                member("hashes", texts(proof.hashes())),
                bytes_member("checkpoint", proof.unverified_checkpoint()),
            ]
        });
        Case::new(name, vec![member("file", text.as_str())], output, expected)
    });
    let about = "Multi-proof files (docs/spec/multi-proof.md): their form, not what they prove.";
    check_table("multi-proof-file.json", about, vec![], cases.collect());

    // What would be long in a table: the most entries, one more, and a file past its limit.
    let most = file(&one.repeat(1_024), "");
    assert!(MultiProof::parse(most.as_bytes()).is_ok());
    let more = file(&one.repeat(1_025), "");
    assert_eq!(MultiProof::parse(more.as_bytes()).unwrap_err().to_string(), no_entry);
    let room = MULTI_PROOF_BYTES_MAX - file(&one, "").len();
    let full = file(&one, "") + &"a".repeat(room);
    assert!(MultiProof::parse(full.as_bytes()).is_ok());
    assert!(MultiProof::parse((full + "a").as_bytes()).unwrap_err().to_string().contains("4194304 bytes"));
    let hashes = file(&one, &hash_line.repeat(64_512));
    assert!(MultiProof::parse(hashes.as_bytes()).is_ok());
    let hashes = file(&one, &hash_line.repeat(64_513));
    assert!(MultiProof::parse(hashes.as_bytes()).is_err());
}
