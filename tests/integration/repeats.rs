//! The same event sent again: once, a thousand times at once, and after it was superseded.

use std::sync::Arc;
use std::thread;

use undersigned_client::ClientError;
use undersigned_registry::event::Body;
use undersigned_registry::receipt::Receipt;
use undersigned_registry::verify::{Verified, verify};

use crate::binary;
use crate::support::{Server, init, party, publish, thread_event};

#[test]
fn a_thousand_times_at_once_is_one_leaf() {
    let folder = tempfile::tempdir().unwrap();
    let (data, trust) = init(binary(), folder.path());
    let registry = trust.registry().unwrap().clone();
    let server = Server::start(binary(), &data);
    let client = server.client();
    let (statement, version) = publish(&client, &registry, 1, "pledge");
    let (submission, signer) = party(&registry, 2);
    client.submit(&submission).unwrap();
    let body = Body::Endorse { statement, version, language: "en".to_owned(), not_after: None };
    let (submission, event) = thread_event(&registry, 2, signer, None, body);
    let before = client.registry().unwrap().tree_size;
    let bytes = Arc::new(submission.encode());
    let senders: Vec<_> = (0..50)
        .map(|_| {
            let (client, bytes) = (client.clone(), Arc::clone(&bytes));
            thread::spawn(move || -> Vec<_> {
                (0..20).map(|_| client.submit_bytes(&bytes).expect("every repeat is answered")).collect()
            })
        })
        .collect();
    let answers: Vec<_> = senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect();
    assert_eq!(answers.len(), 1_000);
    assert_eq!(client.registry().unwrap().tree_size, before + 1, "one leaf");
    assert_eq!(answers.iter().filter(|answer| answer.is_new).count(), 1, "one of them made it");
    let proved: Vec<Verified> = answers
        .iter()
        .map(|answer| {
            verify(&Receipt::parse(&answer.receipt).unwrap(), &trust).expect("each receipt verifies")
        })
        .collect();
    for verified in &proved {
        assert_eq!((verified.index, verified.event_hash, verified.state), (before, event, proved[0].state));
    }
}

#[test]
fn superseded_events_are_stale_and_their_receipts_stay() {
    let folder = tempfile::tempdir().unwrap();
    let (data, trust) = init(binary(), folder.path());
    let registry = trust.registry().unwrap().clone();
    let server = Server::start(binary(), &data);
    let client = server.client();
    let (statement, version) = publish(&client, &registry, 1, "pledge");
    let (submission, signer) = party(&registry, 2);
    client.submit(&submission).unwrap();
    let mut sent = Vec::new();
    let mut after = None;
    for round in 0..3 {
        let body = if round % 2 == 0 {
            Body::Endorse { statement, version, language: "en".to_owned(), not_after: None }
        } else {
            Body::Withdraw { statement, version }
        };
        let (submission, event) = thread_event(&registry, 2, signer, after, body);
        let submitted = client.submit(&submission).unwrap();
        assert!(submitted.is_new);
        // Every earlier event of the thread, once more: refused, and nothing is logged.
        let size = client.registry().unwrap().tree_size;
        for (old, _, _) in &sent {
            match client.submit(old) {
                Err(ClientError::Problem(problem)) => {
                    assert_eq!((problem.status, problem.code.as_str()), (409, "stale"))
                }
                other => panic!("an old event was not refused as stale: {other:?}"),
            }
        }
        // Its twin, the head of the thread: answered again with the same entry.
        let again = client.submit(&submission).unwrap();
        assert_eq!((again.index, again.is_new), (submitted.index, false));
        assert_eq!(client.registry().unwrap().tree_size, size);
        sent.push((submission, event, submitted.index));
        after = Some(event);
    }
    for (_, event, index) in &sent {
        for reference in [event.to_string(), index.to_string()] {
            let receipt = Receipt::parse(&client.receipt(&reference).unwrap()).unwrap();
            let verified = verify(&receipt, &trust).expect("the receipt of a superseded event verifies");
            assert_eq!((verified.event_hash, verified.index), (*event, *index));
        }
    }
    assert_eq!(client.statement("pledge").unwrap().version.unwrap().count.active, 1);
}

#[test]
fn answers_are_the_same_after_a_restart_without_the_index() {
    let folder = tempfile::tempdir().unwrap();
    let (data, trust) = init(binary(), folder.path());
    let registry = trust.registry().unwrap().clone();
    let server = Server::start(binary(), &data);
    let (submission, id) = party(&registry, 7);
    let first = server.client().submit(&submission).unwrap();
    server.kill();
    std::fs::remove_dir_all(data.join("private/index")).unwrap();
    let server = Server::start(binary(), &data);
    let again = server.client().submit(&submission).unwrap();
    assert_eq!((again.index, again.is_new), (first.index, false));
    assert_eq!(server.client().party(&id).unwrap().entries, vec![first.index]);
}
