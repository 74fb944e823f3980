//! Multi-proofs of a registry: every pair of entries of the story, and what third parties can do with them.

use undersigned_registry::entry::Entry;
use undersigned_registry::id::{EventHash, RegistryId};
use undersigned_registry::verify::{Trust, VerifiedEntries, verify_entries};
use undersigned_tlog::hash::{Hash, leaf_hash, node_hash, sha256};
use undersigned_tlog::multi_proof::{MultiProof, ProvedEntry};
use undersigned_tlog::tree::LeafIndex;

use crate::fixture::{ORIGIN, log_signer};
use crate::receipts::{
    Log, Refused, Story, checkpoint_of, foreign_checkpoint, policy_text, story, tree_root,
};

/// The one call under test: the file, the policy, the registry named by hand.
pub(crate) fn check(
    file: &[u8],
    policy: &str,
    registry: Option<&RegistryId>,
) -> Result<VerifiedEntries, &'static str> {
    let trust = Trust::parse(policy, registry.cloned()).map_err(|error| error.code())?;
    let proof = MultiProof::parse(file).map_err(|_| "multi-proof-file")?;
    verify_entries(&proof, &trust).map_err(|error| error.code())
}

/// MP-10 to MP-12, a second time: whole layers, and in each the neighbours of what is known.
fn proof_of(places: &[usize], leaves: &[Hash]) -> Vec<Hash> {
    let (mut layer, mut known) = (leaves.to_vec(), places.to_vec());
    let mut proof = Vec::new();
    while layer.len() > 1 {
        for node in &known {
            let neighbour = node ^ 1;
            if neighbour < layer.len() && !known.contains(&neighbour) {
                proof.push(layer[neighbour]);
            }
        }
        layer = layer
            .chunks(2)
            .map(|pair| if let [left, right] = pair { node_hash(left, right) } else { pair[0] })
            .collect();
        known = known.iter().map(|node| node / 2).collect();
        known.dedup();
    }
    proof
}

fn file_of(entries: &[(usize, Vec<u8>)], hashes: Vec<Hash>, checkpoint: Vec<u8>) -> Vec<u8> {
    let entries = entries
        .iter()
        .map(|(index, bytes)| ProvedEntry { index: LeafIndex::new(*index as u64), bytes: bytes.clone() });
    MultiProof::new(entries.collect(), hashes, checkpoint).unwrap().to_bytes()
}

impl Log {
    fn entries_at(&self, places: &[usize]) -> Vec<(usize, Vec<u8>)> {
        places.iter().map(|place| (*place, self.entries[*place].clone())).collect()
    }

    pub(crate) fn multi_proof(&self, places: &[usize]) -> Vec<u8> {
        let hashes = proof_of(places, &self.leaves);
        file_of(&self.entries_at(places), hashes, self.checkpoint(self.entries.len()))
    }
}

/// MP-20, MP-25, MP-30: every pair, every single one, and all together; each entry says who did what.
#[test]
fn every_pair_of_entries_is_proved() {
    let story = story();
    let size = story.log.entries.len();
    let proved = |places: &[usize]| {
        let verified = check(&story.log.multi_proof(places), &story.policy, None).unwrap();
        assert_eq!(verified.tree_size, size as u64);
        assert_eq!(verified.registry.as_ref(), Some(&story.log.registry));
        for (entry, place) in verified.entries.iter().zip(places) {
            assert_eq!((entry.index, &entry.bytes), (*place as u64, &story.log.entries[*place]));
            let parsed = Entry::parse(&entry.bytes).unwrap();
            assert_eq!((&entry.event, entry.received), (parsed.envelope.event(), parsed.received));
        }
        verified
    };
    for first in 0..size {
        proved(&[first]);
        (first + 1..size).for_each(|second| drop(proved(&[first, second])));
    }
    let all = proved(&(0..size).collect::<Vec<_>>());
    assert_eq!(all.entries[story.endorse].party, Some(story.mill));
}

/// No byte of a file can be changed so that it still proves something.
#[test]
fn mutations_prove_nothing() {
    let story = story();
    let file = story.log.multi_proof(&[1, story.endorse]);
    for place in 0..file.len() {
        let mut changed = file.clone();
        changed[place] ^= 1 << (place % 8);
        assert!(check(&changed, &story.policy, None).is_err(), "byte {place}");
    }
}

pub(crate) fn refused(story: &Story) -> Vec<Refused> {
    let log = &story.log;
    let (size, places) = (log.entries.len(), [1, story.endorse, story.withdraw]);
    let (entries, hashes) = (log.entries_at(&places), proof_of(&places, &log.leaves));
    let checkpoint = log.checkpoint(size);
    let mut cases = Vec::new();
    let mut case = |about: &str, rules, code, file: Vec<u8>, policy: &str, registry: Option<&RegistryId>| {
        let (about, policy, registry) = (about.to_owned(), policy.to_owned(), registry.cloned());
        cases.push(Refused { about, rules, file, policy, registry, code });
    };
    let ours = &story.policy;
    let made =
        |entries: &[(usize, Vec<u8>)], hashes: &[Hash]| file_of(entries, hashes.to_vec(), checkpoint.clone());
    let inclusion = "inclusion";
    case("a receipt", &["MP-1"], "multi-proof-file", log.receipt(1), ours, None);
    let elsewhere = foreign_checkpoint(size, tree_root(&log.leaves));
    let foreign = file_of(&entries, hashes.clone(), elsewhere);
    case(
        "the checkpoint of a log that the policy does not name",
        &["MP-20"],
        "unknown-log",
        foreign,
        ours,
        None,
    );
    let text = String::from_utf8(made(&entries, &hashes)).unwrap();
    let grown = text.replacen(&format!("{ORIGIN}\n{size}\n"), &format!("{ORIGIN}\n{}\n", size + 1), 1);
    case("a checkpoint with another size", &["MP-20"], "checkpoint", grown.into(), ours, None);
    let twice = [entries[0].clone(), entries[0].clone(), entries[1].clone(), entries[2].clone()];
    case("the same entry twice", &["MP-21"], inclusion, made(&twice, &hashes), ours, None);
    let turned = [entries[1].clone(), entries[0].clone(), entries[2].clone()];
    case("entries out of order", &["MP-21"], inclusion, made(&turned, &hashes), ours, None);
    let beyond = [entries[0].clone(), (size, entries[1].1.clone())];
    case("an index past the end", &["MP-22"], inclusion, made(&beyond, &hashes), ours, None);
    case("a hash less", &["MP-23"], inclusion, made(&entries, &hashes[1..]), ours, None);
    case(
        "a hash more",
        &["MP-23"],
        inclusion,
        made(&entries, &[&hashes[..], &hashes[..1]].concat()),
        ours,
        None,
    );
    let swapped =
        [entries[0].clone(), (entries[1].0, entries[2].1.clone()), (entries[2].0, entries[1].1.clone())];
    case("two entries at each other's index", &["MP-24"], inclusion, made(&swapped, &hashes), ours, None);
    let other = RegistryId::new(ORIGIN, EventHash(sha256(&[b"other"]))).unwrap();
    case(
        "another registry",
        &["MP-25"],
        "registry",
        made(&entries, &hashes),
        &policy_text(None),
        Some(&other),
    );
    // A log that holds what is no entry, or one in a place that is not its own.
    let strange = |index: usize, bytes: &[u8]| {
        let mut leaves = log.leaves.clone();
        leaves[index] = leaf_hash(bytes);
        let checkpoint = checkpoint_of(ORIGIN, &log_signer(7), size, tree_root(&leaves));
        file_of(&[(index, bytes.to_vec())], proof_of(&[index], &leaves), checkpoint)
    };
    case("an entry that is none", &["MP-25"], "json-syntax", strange(2, b"hello"), ours, None);
    case("registry.open again", &["MP-25"], "not-genesis", strange(2, &log.entries[0]), ours, None);
    let mut unsigned = Entry::parse(&log.entries[story.endorse]).unwrap();
    unsigned.received = unsigned.envelope.event().log_before.unwrap() + 1;
    case("an entry logged too late", &["MP-25"], "expired", strange(4, &unsigned.encode()), ours, None);
    cases
}

#[test]
fn the_refused_are_refused() {
    let story = story();
    for case in refused(&story) {
        let found = check(&case.file, &case.policy, case.registry.as_ref());
        assert_eq!(found.err(), Some(case.code), "{}", case.about);
    }
}
