//! `verify`: checks proof files of every kind with the network off, and says what they prove.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::json;
use undersigned_client::Client;
use undersigned_registry::id::RegistryId;
use undersigned_registry::proof_file::{PROOF_FILE_BYTES_MAX, ProofFile};
use undersigned_registry::receipt::Receipt;
use undersigned_registry::record::LEVEL_MAX;
use undersigned_registry::verify::{
    StateAnswer, Trust, Verified, VerifiedEntries, VerifiedState, verify, verify_entries, verify_state,
};
use undersigned_tlog::policy::POLICY_BYTES_MAX;

use super::CliError;
use super::output::{Output, time};
use super::progress::Progress;
use super::words;

const NO_POLICY: &str = "a proof is worth something only to somebody who knows the registry's key, and no policy is named
name the policy file with --policy; get one from the operator or with: undersigned policy --out registry.policy, and compare its fingerprint with what the operator publishes elsewhere (more with --help)";

const EXAMPLE: &str = "Examples:
  undersigned verify 12.tlog-proof --policy registry.policy
  undersigned verify count.tlog-proof left.tlog-proof --policy registry.policy

The first sentence says who did what, and where it stands. Needs no network. The policy is the trust anchor: get it once, compare its fingerprint by another way \
(undersigned policy), and keep it.";

/// Check receipts and other proofs offline
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Args {
    /// Receipts, state proofs, multi-proofs
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Trust anchor: a tlog-policy file
    #[arg(long, value_name = "FILE", env = "UNDERSIGNED_POLICY", required = false)]
    policy: Option<PathBuf>,
    /// Which registry is meant, if the policy does not say so: origin#hash
    #[arg(long, value_name = "ORIGIN#HASH")]
    registry: Option<String>,
}

/// A proof file of any kind that was checked.
#[derive(Debug)]
pub(super) enum Checked {
    Receipt(Box<Verified>),
    State(Box<VerifiedState>),
    Entries(VerifiedEntries),
}

pub(super) fn run(args: &Args, output: Output) -> Result<(), CliError> {
    let policy = args.policy.as_deref().ok_or_else(|| CliError::usage(NO_POLICY))?;
    let trust = read_trust(policy, args.registry.as_deref())?;
    let bar = Progress::of(u64::try_from(args.files.len()).unwrap_or(u64::MAX), "files", output);
    let (mut receipts, mut states, mut entries) = (Vec::new(), Vec::new(), Vec::new());
    let mut failed = Vec::new();
    for file in &args.files {
        let checked = match check_file(file, &trust) {
            Ok(checked) => checked,
            Err(error) if args.files.len() == 1 => return Err(error),
            Err(error) => {
                bar.advance(1);
                bar.aside(|| {
                    // Its first line names the file.
                    output.line(error.message().replace('\n', "\n  "));
                });
                failed.push((file, error));
                continue;
            }
        };
        bar.advance(1);
        bar.aside(|| say(file, &words_of(&checked), output));
        let list = match &checked {
            Checked::Receipt(_) => &mut receipts,
            Checked::State(_) => &mut states,
            Checked::Entries(_) => &mut entries,
        };
        list.push(object(&checked, file));
    }
    let not_verified: Vec<_> = failed
        .iter()
        .map(|(file, error)| {
            let (what, next) = error.message().split_once('\n').unwrap_or((error.message(), ""));
            json!({"file": file, "verified": false, "error": what, "next": next})
        })
        .collect();
    output.object(&json!({
        "receipts": receipts,
        "state_proofs": states,
        "multi_proofs": entries,
        "not_verified": not_verified,
    }));
    if failed.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = failed.iter().map(|(file, _)| file.display().to_string()).collect();
    Err(CliError::refused(format!(
        "{} of {} files are not verified: {}\nwhat is wrong with each is said above; the others hold",
        failed.len(),
        args.files.len(),
        names.join(", ")
    )))
}

fn words_of(checked: &Checked) -> words::Words {
    match checked {
        Checked::Receipt(verified) => words::explain(verified),
        Checked::State(verified) => words::state::explain(verified),
        Checked::Entries(verified) => words::entries::explain(verified),
    }
}

/// What was checked, for machines.
pub(super) fn object(checked: &Checked, file: &Path) -> serde_json::Value {
    let words = words_of(checked);
    let mut object = match checked {
        Checked::Receipt(verified) => json!({
            "kind": "receipt",
            "index": verified.index,
            "tree_size": verified.tree_size,
            "event": verified.event_hash.to_string(),
            "type": verified.event.body.type_name(),
            "party": verified.party.map(|party| party.to_string()),
            "registry": verified.registry.as_ref().map(RegistryId::to_text),
            "received": time(verified.received),
        }),
        Checked::State(verified) => json!({
            "kind": verified.question.kind(),
            "version": verified.question.version().to_string(),
            "party": verified.question.party().map(|party| party.to_string()),
            "size": verified.size,
            "tree_size": verified.tree_size,
            "is_newest": verified.is_newest(),
            "next_due": verified.next_due.map(time),
            "state": verified.state.to_hex(),
            "status": match &verified.answer {
                StateAnswer::Status(record) => Some(record.status.name()),
                StateAnswer::Count | StateAnswer::Absent => None,
            },
            "active": verified.active(),
            "active_by_level": (0..=LEVEL_MAX).map(|level| verified.tally.count(level)).collect::<Vec<_>>(),
            "withdrawn": verified.withdrawn(),
            "lapsed": verified.lapsed(),
            "registry": verified.registry.as_ref().map(RegistryId::to_text),
        }),
        Checked::Entries(verified) => json!({
            "kind": "entries",
            "tree_size": verified.tree_size,
            "registry": verified.registry.as_ref().map(RegistryId::to_text),
            "entries": verified.entries.iter().map(|entry| json!({
                "index": entry.index,
                "event": entry.event_hash.to_string(),
                "type": entry.event.body.type_name(),
                "party": entry.party.map(|party| party.to_string()),
                "received": time(entry.received),
            })).collect::<Vec<_>>(),
        }),
    };
    if let Some(members) = object.as_object_mut() {
        members.extend([
            ("file".to_owned(), json!(file)),
            ("verified".to_owned(), json!(true)),
            ("summary".to_owned(), json!(words.summary.join(" "))),
            ("proved".to_owned(), json!(words.proved)),
            ("stated".to_owned(), json!(words.stated)),
            ("not_proved".to_owned(), json!(words.not_proved)),
        ]);
    }
    object
}

/// What a receipt proves, what the registry states, and what neither says.
fn say(file: &Path, words: &words::Words, output: Output) {
    output.line(format!("{}: VERIFIED", file.display()));
    words.summary.iter().for_each(|line| output.line(format!("  {line}")));
    output.line("  What of this is proved, what the registry only states, and what is open:");
    for (title, list) in [
        ("proved", &words.proved),
        ("stated by the registry, checkable by replay", &words.stated),
        ("not proved", &words.not_proved),
    ] {
        output.line(format!("  {title}:"));
        list.iter().for_each(|line| output.line(format!("    - {line}")));
    }
}

/// The trust anchor that a registry serves of itself, for what it is worth.
pub(super) fn served_trust(client: &Client, registry: Option<RegistryId>) -> Result<Trust, CliError> {
    Trust::parse(&client.policy()?, registry).map_err(|error| {
        CliError::refused(format!(
            "the registry's policy cannot be used: {error}\ncheck the address, or name a trust anchor with --policy"
        ))
    })
}

/// Reads a trust anchor.
pub(super) fn read_trust(policy: &Path, registry: Option<&str>) -> Result<Trust, CliError> {
    let mut text = String::new();
    // One byte more than a policy has: what is longer is no policy, and its end need not be found.
    let bytes_max = u64::try_from(POLICY_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    std::fs::File::open(policy)
        .and_then(|file| file.take(bytes_max).read_to_string(&mut text))
        .map_err(|error| CliError::file("read the policy", policy, &error))?;
    let registry = registry
        .map(|text| {
            RegistryId::parse(text).ok_or_else(|| {
                CliError::refused(format!(
                    "{text:?} names no registry\nwrite the origin, \"#\" and 64 hex digits"
                ))
            })
        })
        .transpose()?;
    Trust::parse(&text, registry).map_err(|error| {
        if text.contains('\r') {
            return changed(policy, "no trust anchor");
        }
        CliError::refused(format!(
            "{} is no trust anchor: {error}\nask whoever gave it to you for the file again, or fetch it: undersigned policy --out FILE",
            policy.display()
        ))
    })
}

fn check_file(file: &Path, trust: &Trust) -> Result<Checked, CliError> {
    let bytes = read_file(file)?;
    check_any(&bytes, trust).map_err(|message| {
        if bytes.contains(&b'\r') {
            return changed(file, "NOT VERIFIED");
        }
        CliError::refused(format!(
            "{}: NOT VERIFIED: {message}\nthis file proves nothing under this policy; ask for it again (by mail: as an attachment), and check that the policy is the registry's",
            file.display()
        ))
    })
}

/// A file came with other line ends than it was made with, as text in a mail does. It is not mended here:
/// what is verified are the bytes that came.
fn changed(file: &Path, what: &str) -> CliError {
    CliError::refused(format!(
        "{}: {what}: its line ends were changed (CR LF), as mail programs and editors do\n\
         ask for it again as an attachment, packed (zip) if that does not help",
        file.display()
    ))
}

fn read_file(file: &Path) -> Result<Vec<u8>, CliError> {
    use std::io::Read as _;
    let failed = |error: std::io::Error| CliError::file("read", file, &error);
    let opened = std::fs::File::open(file).map_err(failed)?;
    let mut bytes = Vec::new();
    let limit = u64::try_from(PROOF_FILE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    opened.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// Checks the bytes of a proof file of any kind; the error is the rule that does not hold.
pub(super) fn check_any(bytes: &[u8], trust: &Trust) -> Result<Checked, String> {
    let checked = match ProofFile::parse(bytes).map_err(|error| error.to_string())? {
        ProofFile::Receipt(receipt) => {
            verify(&receipt, trust).map(|verified| Checked::Receipt(Box::new(verified)))
        }
        ProofFile::State(proof) => {
            verify_state(&proof, trust).map(|verified| Checked::State(Box::new(verified)))
        }
        ProofFile::Entries(proof) => verify_entries(&proof, trust).map(Checked::Entries),
    };
    checked.map_err(|error| error.to_string())
}

/// Checks the bytes of a receipt; the error is the rule that does not hold.
pub(super) fn check(bytes: &[u8], trust: &Trust) -> Result<Verified, String> {
    let receipt = Receipt::parse(bytes).map_err(|error| error.to_string())?;
    verify(&receipt, trust).map_err(|error| error.to_string())
}
