//! What a prover could try. Each true statement about a tree is put to every question it does not answer.

use alloc::vec;
use alloc::vec::Vec;

use undersigned_tlog::hash::{Hash, sha256};

use super::questions::questions;
use super::{
    Answer, MalformedProof, Numbers, ProofError, Record, Sample, Step, SubtreeProof, SumTree, Tally,
    TallyOverflow, Terminal, check, empty_root, tally_of, verify,
};
use crate::state_tree::hashing::{leaf_hash, node_hash};

/// The same path cut off at each of its nodes: every node of the tree as a terminal, with the true way up.
fn cuts(proof: &SubtreeProof) -> Vec<SubtreeProof> {
    let Terminal::Leaf { key, record } = &proof.terminal else { return vec![] };
    let mut hash = leaf_hash(key, record);
    let mut tally = tally_of(key, record).expect("a sample");
    let mut all = vec![proof.clone()];
    for (index, step) in proof.steps.iter().enumerate() {
        let set = key[usize::from(step.bits / 8)] & (0x80 >> (step.bits % 8)) != 0;
        let (own, beside) = ((hash, tally), (step.sibling, step.tally.clone()));
        let ((left, left_tally), (right, right_tally)) = if set { (beside, own) } else { (own, beside) };
        let mut prefix = key[..usize::from(step.bits.div_ceil(8))].to_vec();
        if let (Some(last), rest @ 1..) = (prefix.last_mut(), step.bits % 8) {
            *last &= !(0xFF >> rest);
        }
        hash = node_hash(&mut vec![], step.bits, &prefix, (&left, &left_tally), (&right, &right_tally));
        tally = left_tally.checked_add(&right_tally).expect("small sums");
        let terminal = Terminal::Node { bits: step.bits, prefix, left, left_tally, right, right_tally };
        all.push(SubtreeProof { terminal, steps: proof.steps[index + 1..].to_vec() });
    }
    all
}

/// Parent for child, child for parent, neighbour or cousin for absence, foreign prefixes and namespaces: all of them
/// are a true statement put to another question. For one question exactly one statement may pass, the honest one.
#[test]
fn one_question_has_one_proof() {
    for size in [1, 2, 3, 8, 24] {
        let mut numbers = Numbers(900 + u64::try_from(size).expect("small"));
        let (mut tree, keys) = numbers.tree(size);
        let root = tree.root().expect("small sums");
        let mut statements: Vec<SubtreeProof> = vec![];
        for key in &keys {
            for cut in cuts(&tree.prove(key).expect("hashed")) {
                if !statements.contains(&cut) {
                    statements.push(cut);
                }
            }
        }
        assert_eq!(statements.len(), 2 * size - 1, "every leaf and every node once");
        for question in questions(&mut numbers, &keys) {
            let honest = tree.prove(&question).expect("hashed");
            let passing: Vec<_> =
                statements.iter().filter(|proof| verify(proof, &question, &root, tally_of).is_ok()).collect();
            if keys.iter().any(|key| question.starts_with(key) && question != *key) {
                assert_eq!(passing, Vec::<&SubtreeProof>::new());
            } else {
                assert_eq!(passing, [&honest], "{question:?}");
            }
        }
    }
}

/// Five endorsements of one version, one of another, and a party: bits chosen by hand.
///
/// Under `7 V` the first bits of the party decide: 0000.., 0100.., 0101.., 1000.., 1100...
struct Example {
    tree: SumTree<Sample>,
    root: Hash,
}

fn endorsement(party: u8) -> Vec<u8> {
    [&[7][..], &[0xAA; 32], &[party; 32]].concat()
}

fn example() -> Example {
    let mut tree = SumTree::new();
    for (party, level) in [(0x00, 0), (0x40, 2), (0x50, 2), (0x80, 1), (0xC0, 2)] {
        let record = Sample::new(&Tally::column(level, 1), &[party]);
        tree.insert(&endorsement(party), record).expect("prefix-free");
    }
    let other = [&[7][..], &[0xAB; 32], &[0x40; 32]].concat();
    tree.insert(&other, Sample::new(&Tally::column(4, 1), b"other")).expect("prefix-free");
    let party = [&[1][..], &[0x40; 32]].concat();
    tree.insert(&party, Sample::new(&Tally::ZERO.with_next_due(99), b"party")).expect("prefix-free");
    let root = tree.root().expect("small sums");
    Example { tree, root }
}

impl Example {
    fn prove(&self, question: &[u8]) -> SubtreeProof {
        self.tree.prove(question).expect("hashed")
    }

    fn refused(&self, proof: &SubtreeProof, question: &[u8], rule: &str) {
        for verdict in
            [verify(proof, question, &self.root, tally_of), check(&proof.encode(), question, &self.root)]
        {
            assert_eq!(verdict.map_err(|error| error.rule()), Err(rule));
        }
    }
}

/// Whether the way up is true: prefixes and sides read from the terminal's own key or prefix, as every looser reading
/// does. What passes here and is refused by `verify` is a forgery that only the strict reading stops.
fn leads_to(root: &Hash, proof: &SubtreeProof) -> bool {
    let (label, mut hash, mut tally) = match &proof.terminal {
        Terminal::Nothing => return false,
        Terminal::Leaf { key, record } => {
            (key, leaf_hash(key, record), tally_of(key, record).expect("a sample"))
        }
        Terminal::Node { bits, prefix, left, left_tally, right, right_tally } => (
            prefix,
            node_hash(&mut vec![], *bits, prefix, (left, left_tally), (right, right_tally)),
            left_tally.checked_add(right_tally).expect("small sums"),
        ),
    };
    for step in &proof.steps {
        let set = label[usize::from(step.bits / 8)] & (0x80 >> (step.bits % 8)) != 0;
        let (own, beside) = ((&hash, &tally), (&step.sibling, &step.tally));
        let (left, right) = if set { (beside, own) } else { (own, beside) };
        hash = node_hash(&mut vec![], step.bits, label, left, right);
        tally = tally.checked_add(&step.tally).expect("small sums");
    }
    hash == *root
}

#[test]
fn a_child_cannot_pass_for_its_parent() {
    let example = example();
    let version = &endorsement(0)[..33];
    let honest = check(&example.prove(version).encode(), version, &example.root).expect("an honest proof");
    assert_eq!(honest.tally_at(version).map(|tally| tally.count(2)), Some(3));
    // The true node over 0x40 and 0x50, with its true way up through the version's own node.
    let child = cuts(&example.prove(&endorsement(0x40)))[1].clone();
    assert!(leads_to(&example.root, &child));
    example.refused(&child, version, "ST-22");
    // The same without the steps inside the version: the node hangs where the version's node should.
    let steps = child.steps.iter().filter(|step| step.bits < 264).cloned().collect();
    example.refused(&SubtreeProof { steps, ..child }, version, "ST-28");
}

#[test]
fn a_parent_cannot_pass_for_its_child() {
    let example = example();
    let version = &endorsement(0)[..33];
    let parent = example.prove(&[7]);
    assert!(matches!(parent.terminal, Terminal::Node { bits: 8..264, .. }));
    assert!(leads_to(&example.root, &parent));
    example.refused(&parent, version, "ST-27");
}

/// Reading one of absence, "the terminal does not extend the question": every node above proves it absent.
#[test]
fn an_ancestor_does_not_prove_absence() {
    let example = example();
    let all = cuts(&example.prove(&endorsement(0x40)));
    for ancestor in &all[1..] {
        assert!(leads_to(&example.root, ancestor));
        example.refused(ancestor, &endorsement(0x40), "ST-27");
    }
}

/// Reading two, "they diverge at the deepest step or below": the neighbour proves what hangs beside it absent.
#[test]
fn a_neighbour_does_not_prove_absence() {
    let example = example();
    let neighbour = example.prove(&endorsement(0x50));
    assert_eq!(neighbour.steps[0].bits, 267, "0x40 and 0x50 part here");
    assert!(leads_to(&example.root, &neighbour));
    example.refused(&neighbour, &endorsement(0x40), "ST-26");
    // And so does the node over both, for what hangs beside that.
    let node = cuts(&neighbour)[1].clone();
    assert!(leads_to(&example.root, &node));
    example.refused(&node, &endorsement(0x00), "ST-26");
}

/// Reading three, "they diverge below some step": a cousin far down proves what hangs half way absent.
#[test]
fn a_cousin_does_not_prove_absence() {
    let example = example();
    let cousin = example.prove(&endorsement(0x50));
    let lengths: Vec<u16> = cousin.steps.iter().map(|step| step.bits).collect();
    assert!(lengths.contains(&264) && lengths.contains(&265));
    assert!(leads_to(&example.root, &cousin));
    example.refused(&cousin, &endorsement(0x80), "ST-26");
    example.refused(&cousin, &endorsement(0x00), "ST-26");
    // Leaving the inner steps out meets the rule, and another root.
    let steps = cousin.steps.iter().filter(|step| step.bits < 264).cloned().collect();
    example.refused(&SubtreeProof { steps, ..cousin }, &endorsement(0x80), "ST-28");
}

#[test]
fn absence_is_proved_by_what_hangs_where_the_question_would() {
    let example = example();
    // 0x60 would part from 0x40 and 0x50 at bit 266, below the step of 265 and above their own node of 267.
    let absent = endorsement(0x60);
    let proof = example.prove(&absent);
    assert!(matches!(proof.terminal, Terminal::Node { bits: 267, .. }));
    let verified = check(&proof.encode(), &absent, &example.root).expect("an honest proof");
    assert_eq!(verified.answer, Answer::Absent);
    assert_eq!(verified.tally_at(&absent[..33]).map(|tally| tally.count(2)), Some(3), "the count as well");
    assert_eq!(verified.tally_at(&absent), Some(Tally::ZERO));
    assert_eq!(verified.next_due, 99);
}

#[test]
fn another_namespace_proves_nothing() {
    let example = example();
    let by_party = [&[8][..], &endorsement(0x40)[1..]].concat();
    example.refused(&example.prove(&endorsement(0x40)), &by_party, "ST-26");
    example.refused(&example.prove(&endorsement(0x40)[..33]), &by_party[..33], "ST-26");
    let mut moved = example.prove(&endorsement(0x40));
    if let Terminal::Leaf { key, .. } = &mut moved.terminal {
        key[0] = 8;
    }
    example.refused(&moved, &by_party, "ST-28");
    example.refused(&moved, &endorsement(0x40), "ST-26");
}

#[test]
fn steps_keep_their_order_and_their_place() {
    let example = example();
    let question = endorsement(0x40);
    let honest = example.prove(&question);
    let with = |change: &dyn Fn(&mut Vec<Step>)| {
        let mut proof = honest.clone();
        change(&mut proof.steps);
        proof
    };
    example.refused(&with(&|steps| steps.swap(0, 1)), &question, "ST-21");
    example.refused(&with(&|steps| steps.reverse()), &question, "ST-21");
    example.refused(&with(&|steps| steps.insert(1, steps[1].clone())), &question, "ST-21");
    example.refused(&with(&|steps| steps[0].bits = steps[1].bits), &question, "ST-21");
    example.refused(&with(&|steps| steps[0].bits = 520), &question, "ST-22");
    example.refused(&with(&|steps| steps[0].bits = u16::MAX), &question, "ST-22");
    example.refused(&with(&|steps| steps[0].bits += 1), &question, "ST-28");
    example.refused(&with(&|steps| drop(steps.remove(0))), &question, "ST-28");
    example.refused(&with(&|steps| drop(steps.pop())), &question, "ST-28");
    example.refused(&with(&Vec::clear), &question, "ST-28");
    let mut version = example.prove(&question[..33]);
    version.steps[0].bits = 264;
    example.refused(&version, &question[..33], "ST-22");
}

#[test]
fn altered_sums_lead_elsewhere() {
    let example = example();
    for question in [&endorsement(0x40)[..], &endorsement(0x40)[..33]] {
        let honest = example.prove(question);
        for index in 0..honest.steps.len() {
            let former = honest.steps[index].tally.clone();
            for tally in [
                former.checked_add(&Tally::column(2, 1)).expect("small"),
                former.checked_add(&Tally::column(9, 1)).expect("small"),
                former.clone().with_next_due(5),
                Tally::ZERO,
            ] {
                if tally != former {
                    let mut proof = honest.clone();
                    proof.steps[index].tally = tally;
                    example.refused(&proof, question, "ST-28");
                }
            }
        }
    }
    let question = &endorsement(0x40)[..33];
    let mut proof = example.prove(question);
    if let Terminal::Node { left_tally, right_tally, .. } = &mut proof.terminal {
        core::mem::swap(left_tally, right_tally);
    }
    example.refused(&proof, question, "ST-28");
}

#[test]
fn a_leaf_counts_what_the_rules_say_and_nothing_else() {
    let example = example();
    let question = endorsement(0x40);
    let proof = example.prove(&question);
    let other = |_: &[u8], _: &[u8]| Some(Tally::column(2, 2));
    assert_eq!(verify(&proof, &question, &example.root, other), Err(ProofError::Root));
    assert_eq!(verify(&proof, &question, &example.root, |_, _| None), Err(ProofError::Record));
}

#[test]
fn only_the_empty_tree_is_proved_by_nothing() {
    let example = example();
    let nothing = SubtreeProof { terminal: Terminal::Nothing, steps: vec![] };
    let question = endorsement(0x60);
    assert_eq!(verify(&nothing, &question, &empty_root(), tally_of).map(|v| v.answer), Ok(Answer::Absent));
    example.refused(&nothing, &question, "ST-23");
    let mut with_steps = example.prove(&question);
    with_steps.terminal = Terminal::Nothing;
    example.refused(&with_steps, &question, "ST-23");
    assert_eq!(verify(&with_steps, &question, &empty_root(), tally_of), Err(ProofError::NotEmpty));
    let honest = example.prove(&question);
    assert_eq!(verify(&honest, &question, &empty_root(), tally_of), Err(ProofError::Root));
}

#[test]
fn one_kind_of_terminal_is_no_other() {
    let example = example();
    let question = endorsement(0x40);
    let leaf = example.prove(&question).encode();
    let node = example.prove(&question[..33]).encode();
    for (bytes, question) in [(leaf, &question[..]), (node, &question[..33])] {
        for kind in 0..=255 {
            let mut swapped = bytes.clone();
            swapped[0] = kind;
            assert_eq!(check(&swapped, question, &example.root).is_ok(), kind == bytes[0], "{kind}");
        }
    }
}

#[test]
fn sums_that_do_not_fit_are_refused() {
    let question = endorsement(0);
    let record = Sample::new(&Tally::column(0, u64::MAX), &[]);
    let terminal = Terminal::Leaf { key: question.clone(), record: record.0.clone() };
    let step = Step { bits: 300, sibling: sha256(&[]), tally: Tally::column(0, 1) };
    // A registry that committed to this root wrapped its sum around.
    let leaf = leaf_hash(&question, &record.0);
    let own = (&leaf, &record.tally(&question));
    let root = node_hash(&mut vec![], 300, &question, own, (&step.sibling, &step.tally));
    let proof = SubtreeProof { terminal, steps: vec![step] };
    assert_eq!(verify(&proof, &question, &root, tally_of), Err(ProofError::Overflow(TallyOverflow)));
    let (hash, most) = (sha256(&[]), Tally::column(0, u64::MAX));
    let terminal = Terminal::Node {
        bits: 300,
        prefix: question[..38].to_vec(),
        left: hash,
        left_tally: most.clone(),
        right: hash,
        right_tally: most,
    };
    let proof = SubtreeProof { terminal, steps: vec![] };
    assert_eq!(verify(&proof, &question[..33], &hash, tally_of), Err(ProofError::Overflow(TallyOverflow)));
}

#[test]
fn proofs_made_by_hand_are_held_to_the_same_form() {
    let example = example();
    let question = endorsement(0x40);
    let refused = |proof: SubtreeProof, expected: MalformedProof| {
        let verdict = verify(&proof, &question, &example.root, tally_of);
        assert_eq!(verdict, Err(ProofError::Malformed(expected)));
        assert!(check(&proof.encode(), &question, &example.root).is_err());
    };
    let leaf = |key: &[u8], record: usize| {
        let terminal = Terminal::Leaf { key: key.to_vec(), record: vec![0; record] };
        SubtreeProof { terminal, steps: vec![] }
    };
    refused(leaf(&[], 1), MalformedProof::KeyLength { found: 0 });
    refused(leaf(&[7; 66], 1), MalformedProof::KeyLength { found: 66 });
    refused(leaf(&[7; 321], 1), MalformedProof::KeyLength { found: 321 });
    refused(leaf(&question, 32 * 1024 + 1), MalformedProof::RecordLength { found: 32 * 1024 + 1 });
    let node = |bits: u16, prefix: &[u8]| {
        let (hash, tally) = (sha256(&[]), Tally::ZERO);
        let terminal = Terminal::Node {
            bits,
            prefix: prefix.to_vec(),
            left: hash,
            left_tally: tally.clone(),
            right: hash,
            right_tally: tally,
        };
        SubtreeProof { terminal, steps: vec![] }
    };
    refused(node(520, &[7; 65]), MalformedProof::NodeBits { found: 520 });
    refused(node(9, &[7]), MalformedProof::NodePrefix);
    refused(node(9, &[7, 0x40]), MalformedProof::NodePrefix);
    refused(node(8, &[7, 0]), MalformedProof::NodePrefix);
    let mut long = example.prove(&question);
    long.steps = vec![long.steps[0].clone(); 521];
    refused(long, MalformedProof::StepCount { found: 521 });
}
