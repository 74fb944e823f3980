//! What the signing verbs share: build an event, sign it, submit it, check the receipt that comes back.

use std::path::{Path, PathBuf};

use serde_json::json;
use undersigned_client::{Client, ClientError, PrepareRequest, Prepared, Submitted};
use undersigned_registry::envelope::{Envelope, Proof, Submission};
use undersigned_registry::event::{Body, Event};
use undersigned_registry::id::RegistryId;
use undersigned_registry::verify::{Trust, Verified};

use super::output::Output;
use super::verify;
use super::{CliError, RegistryArgs, files, naming, words};
use crate::keyring::{PartyKey, PassphraseSource};

/// Options of every verb that signs.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct SigningArgs {
    #[command(flatten)]
    pub(super) registry: RegistryArgs,
    /// Trust anchor to check the receipt against; without it the one that the registry serves
    #[arg(long, value_name = "FILE", env = "UNDERSIGNED_POLICY")]
    pub(super) policy: Option<PathBuf>,
    /// File to write the receipt to [default: INDEX.tlog-proof, or the next free name]
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
}

/// How locked keys are opened.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct UnlockArgs {
    /// File whose first line is the passphrase of the key [default: asked for on the terminal]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl UnlockArgs {
    pub(super) fn source(&self) -> PassphraseSource {
        self.passphrase_file.clone().map_or(PassphraseSource::Terminal, PassphraseSource::File)
    }

    /// Reads a private key, and asks for its passphrase where it is locked.
    pub(super) fn read(&self, path: &Path) -> Result<PartyKey, CliError> {
        Ok(PartyKey::unlock(path, &self.source())?.0)
    }
}

/// A registry to sign for: how to reach it, and what to check its answers against.
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) trust: Trust,
    /// Whether the anchor came from a file of the user's rather than from the registry itself.
    pub(super) anchored: bool,
}

impl Session {
    pub(super) fn open(args: &SigningArgs) -> Result<Self, CliError> {
        // Told before anything is signed: a receipt is not written over another one.
        if let Some(path) = args.out.as_deref().filter(|path| files::is_taken(path)) {
            return Err(receipt_exists(path, "; nothing was signed"));
        }
        let client = args.registry.client()?;
        let (trust, anchored) = match &args.policy {
            Some(path) => (verify::read_trust(path, None)?, true),
            None => (verify::served_trust(&client, None)?, false),
        };
        Ok(Self { client, trust, anchored })
    }

    /// Which registry events are signed for: the anchor's.
    pub(super) fn registry(&self) -> Result<RegistryId, CliError> {
        self.trust.registry().cloned().ok_or_else(|| {
            CliError::refused("the policy does not say which registry is meant\nfetch it again with: undersigned policy --out FILE")
        })
    }

    /// Asks where a thread stands, and whether it is the anchor's registry that answers: nothing is signed
    /// for one and sent to another.
    pub(super) fn prepare(
        &self,
        request: &PrepareRequest,
        explain: impl FnOnce(ClientError) -> CliError,
    ) -> Result<Prepared, CliError> {
        let prepared = self.client.prepare(request).map_err(explain)?;
        let meant = self.registry()?;
        if prepared.registry != meant {
            return Err(CliError::refused(format!(
                "the policy is that of the registry {meant}, but at {} there is the registry {}\n\
                 nothing was signed; name the other policy with --policy, or the other address with --registry",
                self.client.base_url(),
                prepared.registry
            )));
        }
        Ok(prepared)
    }

    /// Submits an event with its proofs, and checks the receipt: under the anchor, and for this event.
    pub(super) fn submit(
        &self,
        event: Vec<u8>,
        proofs: Vec<Proof>,
        blobs: Vec<Vec<u8>>,
    ) -> Result<(Submitted, Verified), CliError> {
        let unfit = |error: String| {
            CliError::refused(format!(
                "the event cannot be sent: {error}\nnothing was signed; name other keys or texts"
            ))
        };
        let envelope = Envelope::new(event, proofs).map_err(|error| unfit(error.to_string()))?;
        let event = envelope.event().clone();
        let submission = Submission::new(envelope, blobs).map_err(|error| unfit(error.to_string()))?;
        let submitted = self.client.submit(&submission).map_err(|error| refused(error, &event))?;
        let verified = verify::check(&submitted.receipt, &self.trust).map_err(|error| {
            CliError::refused(format!(
                "the registry's receipt does not verify: {error}\nkeep the file and tell the registry's auditors; do not rely on this registry"
            ))
        })?;
        if verified.event != event {
            return Err(CliError::refused(
                "the registry's receipt is for another event\nkeep the file and tell the registry's auditors",
            ));
        }
        Ok((submitted, verified))
    }

    /// Signs an event with some keys and submits it.
    pub(super) fn sign_and_submit(
        &self,
        event: &Event,
        keys: &[&PartyKey],
        blobs: Vec<Vec<u8>>,
    ) -> Result<(Submitted, Verified), CliError> {
        let bytes = event.encode();
        let proofs = event
            .signers
            .iter()
            .filter_map(|signer| keys.iter().find(|key| key.id() == *signer))
            .map(|key| key.prove(&bytes))
            .collect();
        self.submit(bytes, proofs, blobs)
    }
}

/// A refusal, with the exact command that helps, where the event says which.
fn refused(error: ClientError, event: &Event) -> CliError {
    let next = match (error.code(), &event.body, event.after) {
        (Some("already-endorsed"), Body::Endorse { not_after: Some(_), .. }, Some(head)) => Some(format!(
            "when it ends cannot be moved: withdraw and endorse again, or wait until it has ended; its receipt again: undersigned receipt {head} --out FILE"
        )),
        (Some("already-endorsed" | "already-withdrawn"), _, Some(head)) => {
            Some(format!("nothing to do; its receipt again: undersigned receipt {head} --out FILE"))
        }
        (
            Some("unknown-version" | "language-not-listed"),
            Body::Endorse { statement, .. } | Body::Withdraw { statement, .. },
            _,
        ) => Some(naming::find_version(&statement.to_string())),
        _ => None,
    };
    let told = CliError::from(error);
    match next {
        Some(next) => told.with_next(next),
        None => told,
    }
}

/// Saves the receipt and says what happened.
pub(super) fn report(
    args: &SigningArgs,
    session: &Session,
    submitted: &Submitted,
    verified: &Verified,
    output: Output,
) -> Result<PathBuf, CliError> {
    report_with(args, session, submitted, verified, &[], output)
}

/// As [`report`], with further members of the object for machines.
pub(super) fn report_with(
    args: &SigningArgs,
    session: &Session,
    submitted: &Submitted,
    verified: &Verified,
    further: &[(&str, serde_json::Value)],
    output: Output,
) -> Result<PathBuf, CliError> {
    let path = save(args.out.as_deref(), submitted)?;
    if !submitted.is_new {
        output.line("(this event was in the log already; here is its receipt again)");
    }
    output.line(words::act(verified));
    output.line(format!("entry    {} of {}", verified.index, verified.origin));
    output.line(format!("event    {}", verified.event_hash));
    output.line(format!("receipt  {} (keep it: it proves this for ever, offline)", path.display()));
    if !session.anchored {
        note_unanchored(output);
    }
    let mut object = json!({
        "index": verified.index,
        "event": verified.event_hash.to_string(),
        "party": verified.party.map(|party| party.to_string()),
        "is_new": submitted.is_new,
        "receipt": path,
        "anchored": session.anchored,
    });
    if let Some(members) = object.as_object_mut() {
        members.extend(further.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    }
    output.object(&object);
    Ok(path)
}

/// Says that the registry vouched for itself, and how to do better.
pub(super) fn note_unanchored(output: Output) {
    output.line(
        "note     checked against the policy that this registry serves of itself; from now on do better:",
    );
    output.line(
        "         undersigned policy --out registry.policy     (once; then compare the fingerprint that",
    );
    output.line("         it prints with the one that the operator publishes elsewhere)");
    output.line("         and add to every command: --policy registry.policy");
}

/// Writes a receipt file.
pub(super) fn save(out: Option<&Path>, submitted: &Submitted) -> Result<PathBuf, CliError> {
    let path = out.map_or_else(|| free_name(submitted.index), Path::to_owned);
    write_receipt(&path, &submitted.receipt).map_err(|error| {
        error.with_next(format!(
            "the entry is logged; fetch its receipt again with: undersigned receipt {} --out FILE",
            submitted.index
        ))
    })?;
    Ok(path)
}

/// Writes a receipt to a new file.
pub(super) fn write_receipt(path: &Path, receipt: &[u8]) -> Result<(), CliError> {
    files::write_new(path, receipt).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => receipt_exists(path, ""),
        _ => CliError::file("write", path, &error),
    })
}

/// A receipt is not written over another one.
pub(super) fn receipt_exists(path: &Path, so: &str) -> CliError {
    CliError::local(format!(
        "{} exists already, and a receipt is never overwritten\nname another file with --out{so}",
        path.display()
    ))
}

/// A name for the receipt of an entry that no file has yet: `12.tlog-proof`, `12-2.tlog-proof` and so on.
fn free_name(index: u64) -> PathBuf {
    let names = std::iter::once(format!("{index}.tlog-proof"))
        .chain((2u32..).map(|number| format!("{index}-{number}.tlog-proof")));
    names.map(PathBuf::from).find(|path| !path.exists()).unwrap_or_default()
}
