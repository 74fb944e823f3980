//! `inclusion.json`, `consistency.json`, `paths.json`: the tree and the names of its tiles.

use undersigned_tlog::hash::Hash;
use undersigned_tlog::tile::TilePath;
use undersigned_tlog::tree::{LeafIndex, TreeSize, verify_consistency, verify_inclusion};

use super::{Case, Members, check_table, member, refused};
use crate::rfc6962::Oracle;

fn texts(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(Hash::to_base64).collect()
}

fn flipped(hash: &Hash) -> Hash {
    let mut raw = *hash.as_bytes();
    raw[17] ^= 1;
    Hash::from_bytes(raw)
}

#[test]
fn inclusion() {
    let oracle = Oracle::counting(70_000);
    let wrong = "the proof does not lead to the root of the tree";
    let case = |name,
                leaf: Hash,
                index: u64,
                size: u64,
                proof: Vec<Hash>,
                root: Hash,
                expected: Result<(), String>| {
        let input = vec![
            member("leaf_hash", leaf.to_base64()),
            member("index", index),
            member("size", size),
            member("proof", texts(&proof)),
            member("root", root.to_base64()),
        ];
        let output = verify_inclusion(&leaf, LeafIndex::new(index), TreeSize::new(size), &proof, &root);
        Case::new(name, input, output.map(|()| Members::new()), expected)
    };
    let at = |m: usize, n: usize| (oracle.leaf(m), oracle.path(m, n), oracle.root(n));
    let mut cases = Vec::new();
    for (name, m, n) in [
        ("the only leaf", 0, 1),
        ("first of two", 0, 2),
        ("last of three, one hash", 2, 3),
        ("last of five, one hash", 4, 5),
        ("inside seven", 4, 7),
        ("last of a full tile", 255, 256),
        ("first after a full tile", 256, 257),
        ("in a large tree", 54_321, 70_000),
        ("at the right edge of a large tree", 69_999, 70_000),
    ] {
        let (leaf, path, root) = at(m, n);
        cases.push(case(name, leaf, m.try_into().unwrap(), n.try_into().unwrap(), path, root, Ok(())));
    }
    let (leaf, path, root) = at(4, 7);
    let mut push = |name, leaf, index, size, proof, root, expected| {
        cases.push(case(name, leaf, index, size, proof, root, refused(expected)));
    };
    push("another leaf", flipped(&leaf), 4, 7, path.clone(), root, wrong);
    push("another root", leaf, 4, 7, path.clone(), flipped(&root), wrong);
    push("another index", leaf, 5, 7, path.clone(), root, wrong);
    push(
        "another size of the same shape of path",
        leaf,
        4,
        8,
        path[..2].to_vec(),
        root,
        "2 proof hashes where 3 belong",
    );
    push("index at the size", leaf, 7, 7, path.clone(), root, "no leaf 7 in a tree of 7");
    push("a leaf of nothing", leaf, 0, 0, vec![], root, "no leaf 0 in a tree of 0");
    push("first hash changed", leaf, 4, 7, [&[flipped(&path[0])], &path[1..]].concat(), root, wrong);
    push("last hash changed", leaf, 4, 7, [&path[..2], &[flipped(&path[2])]].concat(), root, wrong);
    push("the wrong way round", leaf, 4, 7, path.iter().rev().copied().collect(), root, wrong);
    push("last hash missing", leaf, 4, 7, path[..2].to_vec(), root, "2 proof hashes where 3 belong");
    push("first hash missing", leaf, 4, 7, path[1..].to_vec(), root, "2 proof hashes where 3 belong");
    push("no hashes", leaf, 4, 7, vec![], root, "0 proof hashes where 3 belong");
    push("a hash too many", leaf, 4, 7, [&path[..], &[root]].concat(), root, "4 proof hashes where 3 belong");
    push("a hash for the only leaf", leaf, 0, 1, vec![leaf], root, "1 proof hashes where 0 belong");
    let about = "Inclusion proofs of RFC 6962, section 2.1.1. Entry i of the log is the decimal i in ASCII.";
    check_table("inclusion.json", about, vec![], cases);
}

#[test]
fn consistency() {
    let oracle = Oracle::counting(70_000);
    let case =
        |name, sizes: (u64, u64), roots: (Hash, Hash), proof: Vec<Hash>, expected: Result<(), String>| {
            let input = vec![
                member("from", sizes.0),
                member("to", sizes.1),
                member("from_root", roots.0.to_base64()),
                member("to_root", roots.1.to_base64()),
                member("proof", texts(&proof)),
            ];
            let (from, to) = (TreeSize::new(sizes.0), TreeSize::new(sizes.1));
            let output = verify_consistency(from, to, &roots.0, &roots.1, &proof);
            Case::new(name, input, output.map(|()| Members::new()), expected)
        };
    let mut cases = Vec::new();
    for (name, m, n) in [
        ("one to two, the old root is not sent", 1, 2),
        ("three to five", 3, 5),
        ("four to seven, the old root is not sent", 4, 7),
        ("six to eight", 6, 8),
        ("a full tile to one leaf more", 256, 257),
        ("one leaf short of a full tile", 255, 256),
        ("far apart", 257, 70_000),
        ("the same tree", 7, 7),
    ] {
        let roots = (oracle.root(m), oracle.root(n));
        cases.push(case(
            name,
            (m.try_into().unwrap(), n.try_into().unwrap()),
            roots,
            oracle.proof(m, n),
            Ok(()),
        ));
    }
    let nothing = oracle.root(0);
    cases.push(case("from nothing", (0, 7), (nothing, oracle.root(7)), vec![], Ok(())));
    cases.push(case("from nothing to nothing", (0, 0), (nothing, nothing), vec![], Ok(())));

    let proof = oracle.proof(3, 7);
    let (old, new) = (oracle.root(3), oracle.root(7));
    let mut push =
        |name, sizes, roots, proof, expected| cases.push(case(name, sizes, roots, proof, refused(expected)));
    let (no_old, no_new) = (
        "the proof does not lead to the root of the older tree",
        "the proof does not lead to the root of the tree",
    );
    push("another old root", (3, 7), (flipped(&old), new), proof.clone(), no_old);
    push("another new root", (3, 7), (old, flipped(&new)), proof.clone(), no_new);
    push("another old size", (2, 7), (old, new), proof[..2].to_vec(), no_new);
    push("first hash changed", (3, 7), (old, new), [&[flipped(&proof[0])], &proof[1..]].concat(), no_old);
    push("last hash changed", (3, 7), (old, new), [&proof[..3], &[flipped(&proof[3])]].concat(), no_new);
    push("last hash missing", (3, 7), (old, new), proof[..3].to_vec(), "3 proof hashes where 4 belong");
    push("no hashes", (3, 7), (old, new), vec![], "0 proof hashes where 4 belong");
    push(
        "a hash too many",
        (3, 7),
        (old, new),
        [&proof[..], &[new]].concat(),
        "5 proof hashes where 4 belong",
    );
    push(
        "the old root sent where it is not",
        (4, 7),
        (oracle.root(4), new),
        [&[oracle.root(4)], &oracle.proof(4, 7)[..]].concat(),
        "2 proof hashes where 1 belong",
    );
    push("the same size, another root", (7, 7), (old, new), vec![], no_new);
    push("the same size, a hash", (7, 7), (new, new), vec![new], "1 proof hashes where 0 belong");
    push("from nothing, another old root", (0, 7), (old, new), vec![], no_old);
    push("from nothing, a hash", (0, 7), (nothing, new), vec![new], "1 proof hashes where 0 belong");
    push("a tree that shrinks", (7, 3), (new, old), proof, "tree size 3 is smaller than 7");
    let about =
        "Consistency proofs of RFC 6962, section 2.1.2. Entry i of the log is the decimal i in ASCII.";
    check_table("consistency.json", about, vec![], cases);
}

#[test]
fn paths() {
    let index =
        "the index is not in groups of three digits, all but the last with x, without an empty first group";
    let width = "the partial width is not a decimal from 1 to 255 without leading zeros";
    let level = "the level is not a decimal from 0 to 63 without leading zeros";
    let prefix = "not tile/<level>/<index> or tile/entries/<index>";
    let cases = [
        ("tile/0/000", Ok(())),
        ("tile/0/000.p/1", Ok(())),
        ("tile/0/999.p/255", Ok(())),
        ("tile/0/x001/000", Ok(())),
        ("tile/7/x001/x234/067.p/8", Ok(())),
        ("tile/63/x999/999", Ok(())),
        ("tile/entries/000", Ok(())),
        ("tile/entries/x001/x234/067.p/8", Ok(())),
        ("tile/entries/x018/x446/x744/x073/x709/x551/615", Ok(())),
        ("", refused(prefix)),
        ("tile", refused(prefix)),
        ("tile/", refused(prefix)),
        ("tile/0", refused(prefix)),
        ("/tile/0/000", refused(prefix)),
        ("Tile/0/000", refused(prefix)),
        ("tile/0/", refused(index)),
        ("tile/0/0", refused(index)),
        ("tile/0/00", refused(index)),
        ("tile/0/0000", refused(index)),
        ("tile/0/1000", refused(index)),
        ("tile/0/x000/000", refused(index)),
        ("tile/0/x000/x001/000", refused(index)),
        ("tile/0/001/000", refused(index)),
        ("tile/0/x001", refused(index)),
        ("tile/0/x001/x000", refused(index)),
        ("tile/0/x001/00", refused(index)),
        ("tile/0/x01/000", refused(index)),
        ("tile/0/X001/000", refused(index)),
        ("tile/0/xx001/000", refused(index)),
        ("tile/0/x001//000", refused(index)),
        ("tile/0/000/", refused(index)),
        ("tile/0/ 00", refused(index)),
        ("tile/0/+00", refused(index)),
        ("tile/0/-01", refused(index)),
        ("tile/0/000\n", refused(index)),
        ("tile/0/\u{661}\u{662}\u{663}", refused(index)),
        ("tile/0/000.p", refused(index)),
        ("tile/0/000.P/1", refused(index)),
        ("tile/0/../000", refused(index)),
        ("tile/0/000.p/", refused(width)),
        ("tile/0/000.p/0", refused(width)),
        ("tile/0/000.p/01", refused(width)),
        ("tile/0/000.p/256", refused(width)),
        ("tile/0/000.p/+1", refused(width)),
        ("tile/0/000.p/1/", refused(width)),
        ("tile/0/000.p/1.p/1", refused(width)),
        ("tile/00/000", refused(level)),
        ("tile/64/000", refused(level)),
        ("tile/256/000", refused(level)),
        ("tile/-1/000", refused(level)),
        ("tile//000", refused(level)),
        ("tile/data/000", refused(level)),
        ("tile/Entries/000", refused(level)),
        ("tile/8/0/000", refused(index)),
        ("tile/entries/x018/x446/x744/x073/x709/x551/616", refused("the index does not fit into 64 bits")),
        (
            "tile/entries/x001/x000/x000/x000/x000/x000/x000/000",
            refused("the index does not fit into 64 bits"),
        ),
        ("tile/entries/x001/x000/x000/x000/x000/x000/x000/x000/000.p/255", refused("longer than 52 bytes")),
    ];
    let cases = cases.into_iter().map(|(text, expected)| {
        let output = TilePath::parse(text).map(|path| {
            assert_eq!(path.to_string(), text);
            match path {
                TilePath::Hashes { coordinate, width } => vec![
                    member("kind", "hashes"),
                    member("level", u64::from(coordinate.level())),
                    member("index", coordinate.index().to_string()),
                    member("width", width.get()),
                ],
                TilePath::Entries { index, width } => vec![
                    member("kind", "entries"),
                    member("index", index.to_string()),
                    member("width", width.get()),
                ],
            }
        });
        Case::new(text, vec![], output, expected)
    });
    let about = "Paths of C2SP tlog-tiles: the name of a case is the path. Indexes are decimals in strings.";
    check_table("paths.json", about, vec![], cases.collect());
}
