//! `prepare` and `submit`: signing with somebody else's tool. The registry's program never sees the key.

use std::path::{Path, PathBuf};

use serde_json::json;
use ssh_key::{HashAlg, SshSig};
use undersigned_registry::envelope::Proof;
use undersigned_registry::event::{event_of_signable, signable};
use undersigned_registry::key::{KeyType, Method, SSHSIG_NAMESPACE, SshHash, key_id};
use undersigned_tlog::codec;

use super::CliError;
use super::endorse::{Wish, not_after, prepare as prepare_event};
use super::export::write_new;
use super::naming;
use super::output::{Output, time};
use super::signing::{Session, SigningArgs, report};
use crate::keyring;

const PREPARE_EXAMPLE: &str = "Example:
  undersigned prepare endorse open-source-pledge \\
      --public-key ~/.ssh/id_ed25519.pub --out event.txt
  ssh-keygen -Y sign -n undersigned -f ~/.ssh/id_ed25519 event.txt
  undersigned submit event.txt --signature event.txt.sig

With openssl instead of ssh-keygen:
  openssl pkeyutl -sign -rawin -inkey key.pem -in event.txt -out event.sig
  undersigned submit event.txt --signature event.sig --public-key key.pub.pem";
const SUBMIT_EXAMPLE: &str = "Example:
  undersigned submit event.txt --signature event.txt.sig

An OpenSSH signature names its key; a raw Ed25519 signature (64 bytes, or base64 of them) needs \
--public-key.";

/// Write an event to a file for another tool to sign
#[derive(Debug, clap::Args)]
#[command(after_help = PREPARE_EXAMPLE)]
pub(super) struct PrepareArgs {
    /// What to do
    #[arg(value_parser = ["endorse", "withdraw"])]
    act: String,
    /// Slug or id of the statement
    statement: String,
    #[command(flatten)]
    registry: super::RegistryArgs,
    /// Trust anchor; without it the one that the registry serves
    #[arg(long, value_name = "FILE", env = "UNDERSIGNED_POLICY")]
    policy: Option<PathBuf>,
    /// Public key that will sign (OpenSSH .pub or PEM)
    #[arg(long, value_name = "FILE", required_unless_present = "key_id")]
    public_key: Option<PathBuf>,
    /// Id of the key that will sign
    #[arg(long, value_name = "ID", conflicts_with = "public_key")]
    key_id: Option<String>,
    /// Version [default: the newest]
    #[arg(long, value_name = "ID")]
    version: Option<String>,
    /// Language in which you read it [default: the first of the version]
    #[arg(long)]
    language: Option<String>,
    /// Last day (2030-12-31) or second (2030-12-31T12:00:00Z) in which it stands [default: no end]
    #[arg(long, value_name = "DATE", value_parser = not_after)]
    not_after: Option<u64>,
    /// File to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Send an event that another tool has signed
#[derive(Debug, clap::Args)]
#[command(after_help = SUBMIT_EXAMPLE)]
pub(super) struct SubmitArgs {
    /// File that prepare wrote
    event: PathBuf,
    #[command(flatten)]
    signing: SigningArgs,
    /// Signature file; once for each signer, in their order
    #[arg(long = "signature", value_name = "FILE", required = true)]
    signatures: Vec<PathBuf>,
    /// Public key of a raw signature (OpenSSH .pub or PEM)
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
}

pub(super) fn prepare(args: &PrepareArgs, output: Output) -> Result<(), CliError> {
    let key = match (&args.public_key, &args.key_id) {
        (Some(path), _) => key_id(KeyType::Ed25519, &keyring::read_public_key(path)?),
        (None, Some(id)) => naming::key_id(id)?,
        (None, None) => {
            return Err(CliError::refused("which key will sign?\nname it with --public-key or --key-id"));
        }
    };
    let signing = SigningArgs { registry: args.registry.clone(), policy: args.policy.clone(), out: None };
    let session = Session::open(&signing)?;
    let wish = Wish {
        kind: if args.act == "withdraw" { "withdraw" } else { "endorse" },
        statement: &args.statement,
        version: args.version.as_deref(),
        language: args.language.as_deref(),
        not_after: args.not_after,
    };
    let event = prepare_event(&session, key, &wish)?;
    let bytes = event.encode();
    write_new(&args.out, &signable(&bytes))?;
    let until = event.log_before.map(time);
    output.line(format!("wrote {} for the key {key} to sign", args.out.display()));
    output.line(format!("  {} {} in the registry {}", args.act, args.statement, session.registry()?));
    if let Some(until) = &until {
        output.line(format!("  to be submitted before {until}"));
    }
    output.line("Sign exactly this file, for example:");
    output.line(format!("  ssh-keygen -Y sign -n {SSHSIG_NAMESPACE} -f KEY {}", args.out.display()));
    output.line(format!("  undersigned submit {0} --signature {0}.sig", args.out.display()));
    output.object(&json!({"file": args.out, "key": key.to_string(), "submit_before": until}));
    Ok(())
}

pub(super) fn submit(args: &SubmitArgs, output: Output) -> Result<(), CliError> {
    let bytes = std::fs::read(&args.event).map_err(|error| CliError::file("read", &args.event, &error))?;
    let event = event_of_signable(&bytes)
        .map_err(|error| CliError::refused(format!(
            "{} is not what prepare wrote: {error}\nprepare it again: undersigned prepare; not a byte of it may change",
            args.event.display()
        )))?
        .to_vec();
    let public = args.public_key.as_deref().map(keyring::read_public_key).transpose()?;
    let proofs =
        args.signatures.iter().map(|path| read_signature(path, public)).collect::<Result<Vec<_>, _>>()?;
    let session = Session::open(&args.signing)?;
    let (submitted, verified) = session.submit(event, proofs, Vec::new())?;
    report(&args.signing, &session, &submitted, &verified, output)?;
    Ok(())
}

/// Reads a signature: an armoured OpenSSH one, or a raw Ed25519 one together with its key.
fn read_signature(path: &Path, public: Option<[u8; 32]>) -> Result<Proof, CliError> {
    let bytes = std::fs::read(path).map_err(|error| CliError::file("read", path, &error))?;
    let form = |expected: &str| CliError::refused(format!("{} is not {expected}", path.display()));
    if bytes.starts_with(b"-----BEGIN SSH SIGNATURE-----") {
        return ssh_proof(&bytes).map_err(|reason| form(&reason));
    }
    let raw = match <[u8; 64]>::try_from(bytes.as_slice()) {
        Ok(raw) => Some(raw),
        Err(_) => std::str::from_utf8(&bytes)
            .ok()
            .and_then(|text| codec::base64_decode(text.trim()).ok())
            .and_then(|raw| <[u8; 64]>::try_from(raw.as_slice()).ok()),
    };
    let signature = raw.ok_or_else(|| {
        form("a signature\nan OpenSSH signature (ssh-keygen -Y sign), 64 raw bytes (openssl pkeyutl), or base64 of them")
    })?;
    let key = public.ok_or_else(|| {
        CliError::refused("a raw signature does not say whose it is\nname its public key with --public-key")
    })?;
    Ok(Proof { method: Method::Ed25519, key, signature })
}

fn ssh_proof(bytes: &[u8]) -> Result<Proof, String> {
    let signature = SshSig::from_pem(bytes).map_err(|error| {
        format!("an OpenSSH signature: {error}\nmake one with: ssh-keygen -Y sign -n undersigned ...")
    })?;
    if signature.namespace() != SSHSIG_NAMESPACE {
        return Err(format!(
            "a signature for this registry: its namespace is {:?}\nsign with: ssh-keygen -Y sign -n {SSHSIG_NAMESPACE} ...",
            signature.namespace()
        ));
    }
    let hash = match signature.hash_alg() {
        HashAlg::Sha256 => SshHash::Sha256,
        HashAlg::Sha512 => SshHash::Sha512,
        _ => {
            return Err(
                "a signature over SHA-256 or SHA-512\nsign with: ssh-keygen -Y sign -n undersigned ..."
                    .to_owned(),
            );
        }
    };
    let key = signature.public_key().ed25519().map(|key| key.0);
    let raw = <[u8; 64]>::try_from(signature.signature_bytes()).ok();
    match (key, raw) {
        (Some(key), Some(raw)) => Ok(Proof { method: Method::SshSig(hash), key, signature: raw }),
        _ => Err("a signature by an Ed25519 key\nmake one with: ssh-keygen -t ed25519".to_owned()),
    }
}
