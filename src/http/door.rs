//! The door of every route that writes: who asks too much is told when to come again.
//!
//! In this order, so that what is cheap comes first and nobody uses up the share of another:
//! 1. by address, before the body is read ([`guard`], over all routes, so that none can be forgotten);
//! 2. by the bytes that arrive ([`Pass::read`]);
//! 3. by the organisation, once its signatures are checked ([`Visit::way`]). Whose a key is the state says,
//!    never the event: a stranger's event counts for his address. And only what becomes an entry counts for
//!    an organisation: its signed events are public, so anybody can send them again.
//!
//! A withdrawal has a way around all of them, and around a full queue, once its signatures are checked and
//! the state says that the endorsement stands. Looking at it costs, so looks have a share of their own; it
//! is given back when the withdrawal is logged.
//!
//! What ends in a fault of ours (5xx) is given back as well.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{Extensions, HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http_body_util::BodyExt as _;
use undersigned_registry::event::{self, Event};
use undersigned_registry::id::{KeyId, PartyId};
use undersigned_registry::record::{Record, StateKey, Status};
use undersigned_registry::rules::{Facts as _, Refusal};

use super::problem::Problem;
use crate::admission::CheckedSubmission;
use crate::limits::{self, Door, Group, NoRoom, Share};
use crate::node::Handle;
use crate::sequencer::{BATCH_BYTES_MAX, BATCH_ENTRIES_MAX, RegistryLaw};

/// Where submissions come in: the one route with withdrawals in it.
pub(super) const ENTRIES: &str = "/v1/entries";

/// Where events are prepared.
const PREPARE: &str = "/v1/prepare";

/// The largest body that may be a withdrawal: an event of at most 1 KiB with 16 proofs of 300 bytes, twice
/// over. A larger one is not looked at when the address is over its limit.
const WITHDRAWAL_BYTES_MAX: usize = 16 * 1_024;

/// How long a body may take, whatever its size.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);

/// How long the rest of a refused body is taken, so that the client gets to read the answer.
const REFUSED_BODY_TIMEOUT: Duration = Duration::from_secs(1);

/// Room that a body gets before its first byte; it grows with what arrives, never with what is announced.
const BODY_BYTES_FIRST: usize = 4 * 1_024;

/// What the guard found out about a request to write.
#[derive(Debug, Clone)]
pub(super) struct Pass {
    door: Arc<Door>,
    group: Group,
    /// The address is over its limit for so long: only a withdrawal may go on. A look is taken for it.
    over: Option<Duration>,
}

/// Marks the answer to a request that is exempt from all limits.
#[derive(Debug, Clone, Copy)]
struct Exempt;

/// Lets requests to write in, as long as their address is within its limit.
pub(super) async fn guard(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return next.run(request).await;
    }
    guarded(&door, request, |request| next.run(request)).await
}

/// The same for a request that writes.
pub(super) async fn guarded<F: Future<Output = Response>>(
    door: &Arc<Door>,
    mut request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let group = group(door, &request);
    let writes = Share::Writes(group);
    let over = door.take(writes).err();
    if let Some(wait) = over
        && !(may_withdraw(&request) && door.take(Share::WithdrawalLooks(group)).is_ok())
    {
        take_refused(request).await;
        return over_limit(wait).into_response();
    }
    request.extensions_mut().insert(Pass { door: Arc::clone(door), group, over });
    let response = next(request).await;
    let is_free = response.status().is_server_error() || response.extensions().get::<Exempt>().is_some();
    if over.is_none() && is_free {
        door.give_back(writes);
    }
    response
}

/// Whether an address takes requests to write.
pub(super) fn is_write(path: &str) -> bool {
    [ENTRIES, PREPARE].contains(&path)
}

/// Takes the body of a request that is refused whatever is in it, if it is small.
pub(super) async fn take_refused(request: Request) {
    if announced(request.headers()).is_some_and(|bytes| bytes <= WITHDRAWAL_BYTES_MAX) {
        take_rest(&mut request.into_body(), WITHDRAWAL_BYTES_MAX).await;
    }
}

fn group(door: &Door, request: &Request) -> Group {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    // Without a socket, as in a test of the router, all come from one place.
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip());
    let lines = request.headers().get_all(door.limits().proxy_header.name());
    let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
    if !lines.is_empty() {
        door.note_proxy(peer);
    }
    door.group(peer, lines.into_iter())
}

/// Whether a request is small enough, and in the right place, to be a withdrawal.
fn may_withdraw(request: &Request) -> bool {
    request.uri().path() == ENTRIES
        && announced(request.headers()).is_some_and(|bytes| bytes <= WITHDRAWAL_BYTES_MAX)
}

fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Takes up to so many bytes of a body that nobody will read: closing on unread bytes would reset the
/// connection, and the client might never see why it was refused.
async fn take_rest(body: &mut Body, bytes_max: usize) {
    let mut left = bytes_max;
    let rest = async {
        while let Some(Ok(frame)) = body.frame().await {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            let Some(fewer) = left.checked_sub(bytes) else { return };
            left = fewer;
        }
    };
    // Whatever comes of it, the answer is the same.
    let _ = tokio::time::timeout(REFUSED_BODY_TIMEOUT, rest).await;
}

fn over_limit(wait: Duration) -> Problem {
    Problem::new("address-limit", "too many requests to write came from your address").with_retry_after(wait)
}

impl Pass {
    /// The pass that the guard gave to a request.
    pub(super) fn of(extensions: &Extensions) -> Result<Self, Problem> {
        extensions.get::<Self>().cloned().ok_or_else(|| Problem::internal(&"a route without a guard"))
    }

    /// Reads a body of at most so many bytes. They are counted as arriving until the second part of the
    /// answer is dropped.
    pub(super) async fn read(
        &self,
        body: Body,
        headers: &HeaderMap,
        bytes_max: usize,
    ) -> Result<(Bytes, limits::Body), Problem> {
        let too_large = || Problem::new("body-too-large", format!("the limit here is {bytes_max} bytes"));
        let mut body = body;
        if let Some(bytes) = announced(headers).filter(|announced| *announced > bytes_max) {
            // Twice the limit is a mistake; more is not worth the time.
            if bytes <= bytes_max.saturating_mul(2) {
                take_rest(&mut body, bytes).await;
            }
            return Err(too_large());
        }
        let mut arriving = self.door.body(self.group);
        let whole = async {
            let mut whole = Vec::with_capacity(BODY_BYTES_FIRST);
            while let Some(frame) = body.frame().await {
                let frame =
                    frame.map_err(|_| Problem::new("body-broken", "the body is not what its headers say"))?;
                let Ok(bytes) = frame.into_data() else { continue };
                if whole.len().saturating_add(bytes.len()) > bytes_max {
                    drop(whole);
                    take_rest(&mut body, bytes_max).await;
                    return Err(too_large());
                }
                self.door
                    .add(&mut arriving, u64::try_from(bytes.len()).unwrap_or(u64::MAX))
                    .map_err(no_room)?;
                whole.extend_from_slice(&bytes);
            }
            Ok(Bytes::from(whole))
        };
        let too_slow = |_| Problem::new("body-too-slow", "the body took longer than 15 s");
        let whole = tokio::time::timeout(BODY_TIMEOUT, whole).await.map_err(too_slow)??;
        Ok((whole, arriving))
    }

    /// Begins to take account of a submission.
    pub(super) fn visit(self) -> Visit {
        let look = self.over.map(|_| Share::WithdrawalLooks(self.group));
        Visit { taken: look.into_iter().collect(), withdraws: false, pass: self }
    }
}

fn no_room(no_room: NoRoom) -> Problem {
    match no_room {
        NoRoom::Group => Problem::new("address-limit", "too many bytes are arriving from your address"),
        NoRoom::All => Problem::new("queue-full", "too many bytes are arriving"),
    }
}

/// A submission at the door, and what was taken for it.
#[derive(Debug)]
pub(super) struct Visit {
    pass: Pass,
    taken: Vec<Share>,
    withdraws: bool,
}

/// Which line a submission stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// That of everybody.
    Ordinary,
    /// The one that is taken first and has room of its own.
    Reserved,
}

impl Visit {
    /// Refuses, before any signature is checked, what may not go on for its address's sake. What is no
    /// submission has no event.
    pub(super) fn begin(&mut self, event: Option<&Event>) -> Result<(), Problem> {
        self.withdraws = event.is_some_and(|event| matches!(event.body, event::Body::Withdraw { .. }));
        match self.pass.over {
            Some(wait) if !self.withdraws => Err(over_limit(wait)),
            _ => Ok(()),
        }
    }

    /// Finds out which way a submission may go whose signatures are checked.
    pub(super) async fn way(
        &mut self,
        handle: &Handle,
        submission: &CheckedSubmission,
    ) -> Result<Way, Problem> {
        let event = submission.envelope.event();
        let over = match self.pass.over {
            Some(wait) => Some(over_limit(wait)),
            None => self.charge(handle, event).await?.err(),
        };
        let is_crowded = || {
            let (entries, bytes) = handle.intake.depth();
            entries >= BATCH_ENTRIES_MAX || bytes >= BATCH_BYTES_MAX
        };
        let ordinary = |over: Option<Problem>| over.map_or(Ok(Way::Ordinary), Err);
        if !self.withdraws || (over.is_none() && !is_crowded()) {
            return ordinary(over);
        }
        let look = Share::WithdrawalLooks(self.pass.group);
        if !self.taken.contains(&look) {
            if self.pass.door.take(look).is_err() {
                return ordinary(over);
            }
            self.taken.push(look);
        }
        let event = event.clone();
        let stands = handle.intake.ask_reserved(move |law| stands(law, &event))?;
        if stands.await.map_err(|_| stopped())? { Ok(Way::Reserved) } else { ordinary(over) }
    }

    /// Takes from the share of the organisation that signs; the inner error says that it is used up.
    async fn charge(&mut self, handle: &Handle, event: &Event) -> Result<Result<(), Problem>, Problem> {
        let limits = self.pass.door.limits();
        if limits.organisation_writes_per_minute == 0 && limits.address_newcomers_per_hour == 0 {
            return Ok(Ok(()));
        }
        // A party that enters has keys that nobody knows.
        let owner = match (event.party, event.signers.first()) {
            (Some(_), Some(key)) => self.owner(handle, *key).await?,
            _ => None,
        };
        let share = owner.map_or(Share::Newcomers(self.pass.group), Share::Organisation);
        Ok(match self.pass.door.take(share) {
            Ok(()) => {
                self.taken.push(share);
                Ok(())
            }
            Err(wait) => Err(match share {
                Share::Organisation(_) => {
                    Problem::new("organisation-limit", "your organisation submits too much at a time")
                }
                _ => Problem::new(
                    "newcomer-limit",
                    "too many keys that this registry does not know come from your address",
                ),
            }
            .with_retry_after(wait)),
        })
    }

    /// The party of a live key: remembered, or from the state.
    async fn owner(&self, handle: &Handle, key: KeyId) -> Result<Option<PartyId>, Problem> {
        let owners = self.pass.door.owners();
        if let Some(party) = owners.find(&key) {
            return Ok(Some(party));
        }
        let asked = handle.intake.ask(move |law| live(law, &key))?;
        let party = asked.await.map_err(|_| stopped())?;
        if let Some(party) = party {
            owners.learn(&[key], party);
        }
        Ok(party)
    }

    /// The law made an entry of it: its keys are whose the event says.
    pub(super) fn logged(&self, submission: &Signers) {
        self.pass.door.owners().learn(&submission.keys, submission.party);
    }

    /// The law refused it. If the keys are not the party's, it was not the party that asked.
    pub(super) fn refused(&mut self, submission: &Signers, refusal: &Refusal) {
        let is_stranger = matches!(
            refusal,
            Refusal::UnknownKey { .. } | Refusal::ForeignKey { .. } | Refusal::EndedKey { .. }
        );
        if !is_stranger {
            return;
        }
        self.pass.door.owners().forget(&submission.keys);
        let of_party = |share: &Share| matches!(share, Share::Organisation(_));
        if let Some(place) = self.taken.iter().position(of_party) {
            let share = self.taken.swap_remove(place);
            self.pass.door.give_back(share);
            let newcomers = Share::Newcomers(self.pass.group);
            // If nothing is left of it, the next one is refused.
            if self.pass.door.take(newcomers).is_ok() {
                self.taken.push(newcomers);
            }
        }
    }

    /// Ends the account: what was our fault is given back, and what is exempt.
    pub(super) fn end(self, answer: Result<Response, Problem>) -> Result<Response, Problem> {
        let status = answer.as_ref().map_or_else(Problem::status, Response::status);
        // One that is only repeated is counted: else the same bytes could be sent for ever.
        let is_exempt = self.withdraws && status == StatusCode::CREATED;
        let is_entry = status == StatusCode::CREATED;
        for share in self.taken {
            let was_replayed = matches!(share, Share::Organisation(_)) && !is_entry;
            if is_exempt || was_replayed || status.is_server_error() {
                self.pass.door.give_back(share);
            }
        }
        answer.map(|mut response| {
            if is_exempt {
                response.extensions_mut().insert(Exempt);
            }
            response
        })
    }
}

/// Who signs a submission, kept while the submission itself is in line.
#[derive(Debug)]
pub(super) struct Signers {
    keys: Vec<KeyId>,
    party: PartyId,
}

impl Signers {
    pub(super) fn of(submission: &CheckedSubmission) -> Self {
        let event = submission.envelope.event();
        let keys = match &event.body {
            // The operator may sign an invitation, and its keys are not the new party's.
            event::Body::PartyCreate { keys, .. } => keys.iter().map(|key| key.id).collect(),
            _ => event.signers.clone(),
        };
        Self { keys, party: event.party.unwrap_or(PartyId(submission.envelope.event_hash().0)) }
    }
}

fn stopped() -> Problem {
    Problem::new("stopping", "the registry stopped before it answered")
}

/// The party of a key that has not ended.
fn live(law: &RegistryLaw, key: &KeyId) -> Option<PartyId> {
    match law.ledger().state().record(&StateKey::key(key)) {
        Some(Record::Key(record)) if record.to.is_none() => Some(record.party),
        _ => None,
    }
}

/// Whether an event withdraws an endorsement that stands, under live keys of its party. Only a hint for the
/// line it may stand in: the law decides.
fn stands(law: &RegistryLaw, event: &Event) -> bool {
    let (event::Body::Withdraw { version, .. }, Some(party)) = (&event.body, event.party) else {
        return false;
    };
    let is_own = event.signers.iter().all(|key| live(law, key) == Some(party));
    let record = law.ledger().state().record(&StateKey::endorsement(version, &party));
    is_own && matches!(record, Some(Record::Endorsement(record)) if record.status == Status::Active)
}
