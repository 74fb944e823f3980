//! `export`: files for other programs.
//!
//! `signatories` writes a list for a spreadsheet or a program. The other two write what stock tools need to
//! check the log's signatures without this program: `allowed-signers` the file of ssh-keygen(1), ALLOWED
//! SIGNERS, and `signature` one entry's signed bytes and signature. Of those nothing is exported that was
//! not checked first.

mod signatories;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;
use ssh_key::{HashAlg, LineEnding, Signature, SshSig, public};
use undersigned_registry::entry::{Entry, leaf};
use undersigned_registry::envelope::{CheckedEnvelope, Proof};
use undersigned_registry::event::{Body, Ending, NewKey, signable};
use undersigned_registry::id::{KeyId, PartyId};
use undersigned_registry::key::{Method, PUBLIC_KEY_BYTES, Role, SSHSIG_NAMESPACE, SshHash};
use undersigned_tlog::codec;
use undersigned_tlog::tile::{TILE_WIDTH, entries_width};

use super::audit::{AnchorArgs, Subject, failed, open, replay};
use super::output::Output;
use super::{CliError, REGISTRY_DEFAULT, files};
use crate::audit::{AuditError, Replayed, Report, is_included, open_checkpoint};
use crate::keyring::public_line;

const EXAMPLE: &str = "Example:
  undersigned export allowed-signers https://registry.example \\
      --policy registry.policy --out allowed_signers
  undersigned export signature 12 https://registry.example \\
      --policy registry.policy \\
      --out-event 12.event --out-signature 12.sig
  ssh-keygen -Y verify -f allowed_signers -I PARTY -n undersigned \\
      -Overify-time=TIME -s 12.sig < 12.event

The second command prints PARTY and TIME. With them a log can be checked by OpenSSH or OpenSSL alone.";

const GROUP_EXAMPLE: &str = "Examples:
  undersigned export signatories open-source-pledge --out signatories.csv";

/// Write lists for spreadsheets and programs, and what stock tools need to check signatures
#[derive(Debug, clap::Subcommand)]
#[command(after_help = GROUP_EXAMPLE)]
pub(super) enum Verb {
    /// Every key that may sign, as OpenSSH's allowed_signers file; audits the whole log first
    #[command(after_help = EXAMPLE)]
    AllowedSigners(AllowedSignersArgs),
    /// A list of signatories for a spreadsheet (CSV) or a program (JSON lines)
    Signatories(signatories::Args),
    /// One entry's signed bytes and signature
    #[command(after_help = EXAMPLE)]
    Signature(SignatureArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct AllowedSignersArgs {
    /// Address of a registry or mirror, or a folder with its files
    #[arg(value_name = "SOURCE", env = "UNDERSIGNED_REGISTRY", default_value = REGISTRY_DEFAULT)]
    source: String,
    #[command(flatten)]
    anchor: AnchorArgs,
    /// File to write it to [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct SignatureArgs {
    /// Index of the entry
    entry: u64,
    /// Address of a registry or mirror, or a folder with its files
    #[arg(value_name = "SOURCE", env = "UNDERSIGNED_REGISTRY", default_value = REGISTRY_DEFAULT)]
    source: String,
    #[command(flatten)]
    anchor: AnchorArgs,
    /// Which of the entry's signatures, counted from 0
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    signer: usize,
    /// File for the signed bytes
    #[arg(long, value_name = "FILE")]
    out_event: PathBuf,
    /// File for the signature: armoured for the method sshsig, else 64 raw bytes
    #[arg(long, value_name = "FILE")]
    out_signature: PathBuf,
    /// File for the public key: an OpenSSH line for the method sshsig, else PEM
    #[arg(long, value_name = "FILE")]
    out_key: Option<PathBuf>,
}

pub(super) fn run(verb: &Verb, output: Output) -> Result<(), CliError> {
    match verb {
        Verb::AllowedSigners(args) => allowed_signers(args, output),
        Verb::Signature(args) => signature(args, output),
        Verb::Signatories(args) => signatories::run(args, output),
    }
}

fn allowed_signers(args: &AllowedSignersArgs, output: Output) -> Result<(), CliError> {
    let subject = open(&args.source, &args.anchor)?;
    let mut keys = Keys::default();
    let report = replay(&subject, output, &mut |replayed| keys.take(&replayed))?;
    let text = keys.write(&report);
    match &args.out {
        Some(path) => {
            write(path, text.as_bytes())?;
            output.line(format!(
                "{} keys of {} parties as of {} audited entries: {}",
                keys.lives.len(),
                report.parties,
                report.tree_size,
                path.display()
            ));
            warn_unanchored(&subject, output);
            output.object(&json!({
                "registry": report.registry.to_text(),
                "tree_size": report.tree_size,
                "keys": keys.lives.len(),
                "anchored": subject.anchored,
                "allowed_signers": path,
            }));
        }
        None => output.raw(text.as_bytes()),
    }
    Ok(())
}

/// From when to when each key may sign.
#[derive(Debug, Default)]
struct Keys {
    /// By party, then key: the order of the lines.
    lives: BTreeMap<(PartyId, KeyId), Life>,
}

#[derive(Debug)]
struct Life {
    public: [u8; PUBLIC_KEY_BYTES],
    role: Role,
    from: Moment,
    to: Option<(Moment, Ending)>,
}

#[derive(Debug, Clone, Copy)]
struct Moment {
    entry: u64,
    received: u64,
}

impl Keys {
    fn take(&mut self, replayed: &Replayed<'_>) {
        let envelope = replayed.envelope;
        let event = envelope.event();
        let Some(party) = event.actor(envelope.event_hash()) else { return };
        let now = Moment { entry: replayed.index, received: replayed.received };
        if let Body::PartyKeys { end, .. } = &event.body {
            for ended in end {
                if let Some(life) = self.lives.get_mut(&(party, ended.id)) {
                    life.to = Some((now, ended.how));
                }
            }
        }
        for NewKey { id, role, .. } in event.added_keys() {
            // Every key that is added signs the event that adds it, so its raw key stands in a proof.
            if let Some(proof) = envelope.proofs().iter().find(|proof| proof.key_id() == *id) {
                self.lives.insert((party, *id), Life { public: proof.key, role: *role, from: now, to: None });
            }
        }
    }

    fn write(&self, report: &Report) -> String {
        let mut text = format!(
            "# OpenSSH allowed_signers of the registry {}\n\
             # as of {} audited entries, root {}\n\
             # principal: party id; times: the registry's clock when the key was added and ended (UTC)\n\
             # ssh-keygen -Y verify -f THIS -I PARTY -n {SSHSIG_NAMESPACE} -Overify-time=TIME -s SIGNATURE < EVENT\n",
            report.registry, report.tree_size, report.root
        );
        for ((party, _), life) in &self.lives {
            text.push_str(&life.line(party));
        }
        text
    }
}

impl Life {
    fn line(&self, party: &PartyId) -> String {
        let mut options =
            format!("namespaces=\"{SSHSIG_NAMESPACE}\",valid-after=\"{}\"", openssh_time(self.from.received));
        let mut comment = format!("{} key, added by entry {}", self.role, self.from.entry);
        if let Some((end, how)) = &self.to {
            options.push_str(&format!(",valid-before=\"{}\"", openssh_time(end.received)));
            comment.push_str(&format!(", {} by entry {}", past(*how), end.entry));
        }
        format!("{party} {options} {}\n", public_line(&self.public, &comment))
    }
}

const fn past(how: Ending) -> &'static str {
    match how {
        Ending::Retire => "retired",
        Ending::Revoke => "revoked",
    }
}

/// `YYYYMMDDHHMMSSZ`, as ssh-keygen reads UTC.
fn openssh_time(seconds: u64) -> String {
    super::output::time(seconds).chars().filter(char::is_ascii_alphanumeric).filter(|c| *c != 'T').collect()
}

fn signature(args: &SignatureArgs, output: Output) -> Result<(), CliError> {
    let subject = open(&args.source, &args.anchor)?;
    let (envelope, received) = checked_entry(&subject, args.entry)?;
    let proof = envelope.proofs().get(args.signer).ok_or_else(|| {
        CliError::refused(format!(
            "entry {} has {} signatures, counted from 0\nchoose one of them with --signer",
            args.entry,
            envelope.proofs().len()
        ))
    })?;
    // It has a signature, so somebody acts.
    let party = envelope.event().actor(envelope.event_hash()).unwrap_or(PartyId(envelope.event_hash().0));
    write_new(&args.out_event, &signable(envelope.event_bytes()))?;
    write_new(&args.out_signature, &signature_file(proof)?)?;
    if let Some(path) = &args.out_key {
        write_new(path, key_file(proof).as_bytes())?;
    }
    let time = openssh_time(received);
    let how = check_with(args, proof.method, &party, &time);
    output.line(format!(
        "entry   {} is in the tree that the log key signed, and its signatures hold",
        args.entry
    ));
    output.line(format!("party   {party}"));
    output.line(format!("key     {} ({})", proof.key_id(), proof.method.name()));
    output.line(format!("time    {time}"));
    output.line(format!("Check it with stock tools:\n  {how}"));
    warn_unanchored(&subject, output);
    output.object(&json!({
        "entry": args.entry,
        "party": party.to_string(),
        "key": proof.key_id().to_string(),
        "method": proof.method.name(),
        "received": received,
        "verify_time": time,
        "signed": args.out_event,
        "signature": args.out_signature,
        "anchored": subject.anchored,
        "check": how,
    }));
    Ok(())
}

/// Reads one entry and checks that it is in the signed tree and that its signatures hold. Whether the law
/// admits it is for an audit to say.
fn checked_entry(subject: &Subject, index: u64) -> Result<(CheckedEnvelope, u64), CliError> {
    let source = subject.source.as_ref();
    let signed = open_checkpoint(source, &subject.trust).map_err(failed)?;
    let size = signed.size().get();
    let outside = || {
        CliError::refused(format!(
            "there is no entry {index} in the tree of {size} entries\nname one of 0 to {}",
            size.saturating_sub(1)
        ))
    };
    if index >= size {
        return Err(outside());
    }
    let width = entries_width(index / TILE_WIDTH, signed.size()).ok_or_else(outside)?;
    let unread = |error| failed(AuditError::Source(error));
    let bundle = source.bundle(index / TILE_WIDTH, width).map_err(unread)?;
    let position = usize::try_from(index % TILE_WIDTH).map_err(|_| outside())?;
    let bytes = bundle.get(position).ok_or_else(outside)?;
    if !is_included(source, &signed, index, &leaf(bytes)).map_err(unread)? {
        return Err(CliError::refused(format!(
            "entry {index} as it is served is not in the tree that the log key signed\naudit the log: undersigned audit"
        )));
    }
    let wrong = |error: String| {
        CliError::refused(format!("entry {index}: {error}\naudit the log: undersigned audit"))
    };
    let entry = Entry::parse(bytes).map_err(|error| wrong(error.to_string()))?;
    let envelope = entry.envelope.check().map_err(|error| wrong(error.to_string()))?;
    Ok((envelope, entry.received))
}

/// The signature as the tool of its method reads it.
fn signature_file(proof: &Proof) -> Result<Vec<u8>, CliError> {
    let hash = match proof.method {
        Method::Ed25519 => return Ok(proof.signature.to_vec()),
        Method::SshSig(SshHash::Sha256) => HashAlg::Sha256,
        Method::SshSig(SshHash::Sha512) => HashAlg::Sha512,
    };
    let key = public::KeyData::Ed25519(public::Ed25519PublicKey(proof.key));
    let armoured = Signature::new(ssh_key::Algorithm::Ed25519, proof.signature)
        .and_then(|signature| SshSig::new(key, SSHSIG_NAMESPACE, hash, signature))
        .and_then(|signature| signature.to_pem(LineEnding::LF));
    armoured.map(String::into_bytes).map_err(|error| {
        CliError::refused(format!(
            "the signature has no OpenSSH form: {error}\naudit the log: undersigned audit"
        ))
    })
}

fn key_file(proof: &Proof) -> String {
    match proof.method {
        Method::SshSig(_) => format!("{}\n", public_line(&proof.key, "")),
        Method::Ed25519 => {
            let der = [&SPKI_PREFIX[..], &proof.key[..]].concat();
            format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", codec::base64_encode(&der))
        }
    }
}

/// A SubjectPublicKeyInfo of Ed25519 up to the raw key (RFC 8410, section 4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

fn check_with(args: &SignatureArgs, method: Method, party: &PartyId, time: &str) -> String {
    let (event, signature) = (args.out_event.display(), args.out_signature.display());
    match method {
        Method::SshSig(_) => format!(
            "ssh-keygen -Y verify -f allowed_signers -I {party} -n {SSHSIG_NAMESPACE} -Overify-time={time} -s {signature} < {event}"
        ),
        Method::Ed25519 => {
            let key =
                args.out_key.as_ref().map_or("KEY (--out-key)".to_owned(), |path| path.display().to_string());
            format!("openssl pkeyutl -verify -pubin -inkey {key} -rawin -in {event} -sigfile {signature}")
        }
    }
}

fn warn_unanchored(subject: &Subject, output: Output) {
    if !subject.anchored {
        output.line("The trust anchor came from the registry itself: fetch it once (undersigned policy --out registry.policy), compare the fingerprint with the one that the operator publishes elsewhere, and give it with --policy.");
    }
}

pub(super) fn exists(path: &Path) -> CliError {
    CliError::local(format!(
        "{} exists already, and it was left as it is\nname another file with --out",
        path.display()
    ))
}

/// Writes a new file.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    files::write_new(path, bytes).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => exists(path),
        _ => CliError::file("write", path, &error),
    })
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    std::fs::write(path, bytes).map_err(|error| CliError::file("write", path, &error))
}
