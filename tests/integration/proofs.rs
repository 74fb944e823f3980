//! State proofs and multi-proofs over HTTP: every answer verifies, and every question that means nothing is told.

use undersigned_client::{Client, ClientError, StateOf, StateQuestion};
use undersigned_registry::event::Body;
use undersigned_registry::id::{PartyId, StatementId, VersionId};
use undersigned_registry::proof_file::ProofFile;
use undersigned_registry::state_proof::StateProof;
use undersigned_registry::verify::{
    StateAnswer, VerifiedEntries, VerifiedState, verify_entries, verify_state,
};
use undersigned_tlog::hash::sha256;

use crate::http::{Running, get, request, running};
use crate::support::{party, publish, thread_event};

struct Signed {
    running: Running,
    client: Client,
    statement: StatementId,
    version: VersionId,
    /// The sponsor, who has not endorsed; one who has; one who left.
    parties: [PartyId; 3],
}

fn signed() -> Signed {
    let running = running();
    let client = running.server.client();
    let (statement, version) = publish(&client, &running.registry, 1, "pledge");
    let sponsor = client.statement("pledge").unwrap().sponsor;
    let mut parties = vec![sponsor];
    for number in [2, 3] {
        let (submission, id) = party(&running.registry, number);
        client.submit(&submission).unwrap();
        let body = Body::Endorse { statement, version, language: "en".to_owned(), not_after: None };
        let (submission, endorsed) = thread_event(&running.registry, number, id, None, body);
        client.submit(&submission).unwrap();
        if number == 3 {
            let body = Body::Withdraw { statement, version };
            let (submission, _) = thread_event(&running.registry, number, id, Some(endorsed), body);
            client.submit(&submission).unwrap();
        }
        parties.push(id);
    }
    Signed { running, client, statement, version, parties: parties.try_into().unwrap() }
}

impl Signed {
    fn state(&self, of: &StateOf, question: StateQuestion) -> Result<VerifiedState, ClientError> {
        let file = self.client.state_proof(of, question)?;
        Ok(verify_state(&StateProof::parse(&file).unwrap(), &self.running.trust).unwrap())
    }

    fn entries(&self, indexes: &[u64]) -> Result<VerifiedEntries, ClientError> {
        match ProofFile::parse(&self.client.multi_proof(indexes)?).unwrap() {
            ProofFile::Entries(proof) => Ok(verify_entries(&proof, &self.running.trust).unwrap()),
            other => panic!("another kind: {other:?}"),
        }
    }
}

fn code(result: Result<VerifiedState, ClientError>) -> String {
    result.unwrap_err().code().unwrap_or("none").to_owned()
}

#[test]
fn the_state_answers_with_a_proof() {
    let signed = signed();
    let size = signed.running.size();
    let [sponsor, stays, left] = signed.parties;
    let slug = StateOf::Statement("pledge".to_owned());
    for of in [&slug, &StateOf::Statement(signed.statement.to_string()), &StateOf::Version(signed.version)] {
        let counted = signed.state(of, StateQuestion::Count).unwrap();
        assert_eq!((counted.active(), counted.withdrawn()), (1, 1));
        assert_eq!((counted.size, counted.tree_size, counted.is_newest()), (size, size, true));
        assert_eq!((counted.question.version(), counted.title("en")), (signed.version, Some("A pledge")));
        let status = signed.state(of, StateQuestion::Status(stays)).unwrap();
        assert!(matches!(status.answer, StateAnswer::Status(_)));
        assert_eq!(status.party_name("en"), Some("Organisation 2"));
        let absent = signed.state(of, StateQuestion::Absent(sponsor)).unwrap();
        assert_eq!((absent.answer, absent.tally), (StateAnswer::Absent, counted.tally));
    }
    // The negative twins: the other answer, and what is not there.
    assert_eq!(code(signed.state(&slug, StateQuestion::Status(sponsor))), "not-endorsed");
    assert_eq!(code(signed.state(&slug, StateQuestion::Absent(stays))), "has-endorsed");
    assert_eq!(
        code(signed.state(&slug, StateQuestion::Absent(left))),
        "has-endorsed",
        "withdrawn is not absent"
    );
    let nobody = PartyId(sha256(&[b"nobody"]));
    assert_eq!(code(signed.state(&slug, StateQuestion::Absent(nobody))), "not-found");
    assert_eq!(code(signed.state(&StateOf::Statement("none".to_owned()), StateQuestion::Count)), "not-found");
    let none = StateOf::Version(VersionId(sha256(&[b"none"])));
    assert_eq!(code(signed.state(&none, StateQuestion::Count)), "not-found");
}

#[test]
fn the_same_comes_as_json() {
    let signed = signed();
    let server = &signed.running.server;
    let [_, stays, _] = signed.parties;
    let answer = get(server, &format!("/v1/proof/state?question=status&statement=pledge&party={stays}"));
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let json = answer.json();
    assert_eq!((&json["question"], &json["status"]), (&"status".into(), &"active".into()));
    assert_eq!((&json["count"]["active"], &json["count"]["withdrawn"]), (&1.into(), &1.into()));
    assert_eq!(json["size"], json["tree_size"]);
    assert_eq!(json["paths"].as_array().unwrap().len(), 3);
    assert!(json["next_due"].is_null() && json["entry"]["state"].is_string());
    let json = get(server, "/v1/proof/multi?index=0,2,3").json();
    let indexes: Vec<_> =
        json["entries"].as_array().unwrap().iter().map(|entry| entry["index"].clone()).collect();
    assert_eq!(indexes, [0, 2, 3]);
    let text = request(server, "GET", "/v1/proof/multi?index=1", "Accept: text/plain\r\n", b"");
    assert_eq!(text.header("content-type"), Some("text/plain; charset=utf-8"));
    assert!(text.text().starts_with("undersigned multi-proof v1\nentry 1 "));
}

#[test]
fn several_entries_have_one_proof() {
    let signed = signed();
    let size = signed.running.size();
    let all: Vec<u64> = (0..size).collect();
    for indexes in [&all[..], &all[..1], &all[2..4], &[0, size - 1]] {
        let verified = signed.entries(indexes).unwrap();
        let found: Vec<u64> = verified.entries.iter().map(|entry| entry.index).collect();
        assert_eq!((found.as_slice(), verified.tree_size), (indexes, size));
    }
    for indexes in [&[1, 1][..], &[2, 1], &[size], &[]] {
        assert_eq!(signed.entries(indexes).unwrap_err().code(), Some("bad-query"), "{indexes:?}");
    }
}

#[test]
fn questions_that_mean_nothing_are_refused() {
    let signed = signed();
    let id = "0".repeat(64);
    let many: Vec<String> = (0..1_025).map(|index| index.to_string()).collect();
    for query in [
        "state".to_owned(),
        "state?question=count".to_owned(),
        "state?question=list&statement=pledge".to_owned(),
        "state?question=Count&statement=pledge".to_owned(),
        format!("state?question=count&statement=pledge&version={id}"),
        format!("state?question=count&statement=pledge&party={id}"),
        "state?question=status&statement=pledge".to_owned(),
        "state?question=absent&statement=pledge&party=example.org".to_owned(),
        "state?question=count&version=x".to_owned(),
        "state?question=count&question=count&statement=pledge".to_owned(),
        "state?question=count&statement=pledge&at=1".to_owned(),
        "multi".to_owned(),
        "multi?index=".to_owned(),
        "multi?index=0,".to_owned(),
        "multi?index=,0".to_owned(),
        "multi?index=00".to_owned(),
        "multi?index=-1".to_owned(),
        "multi?index=0,0".to_owned(),
        "multi?index=1,0".to_owned(),
        "multi?index=0&index=1".to_owned(),
        "multi?index=0;1".to_owned(),
        "multi?index=99".to_owned(),
        "multi?index=0,18446744073709551615".to_owned(),
        "multi?index=18446744073709551616".to_owned(),
        "multi?index=0&size=1".to_owned(),
        format!("multi?index={}", many.join(",")),
    ] {
        let answer = get(&signed.running.server, &format!("/v1/proof/{query}"));
        signed.running.check_problem(&answer, 400, "bad-query");
    }
}
