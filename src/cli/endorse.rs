//! `endorse` and `withdraw`: what the registry is for.

use std::path::PathBuf;

use undersigned_client::{Client, PrepareRequest, Prepared};
use undersigned_registry::event::{Body, Event};
use undersigned_registry::id::{KeyId, StatementId, VersionId};

use super::CliError;
use super::naming::{about_statement, version_id};
use super::output::Output;
use super::signing::{Session, SigningArgs, UnlockArgs, report};
use crate::keyring::PartyKey;

const ENDORSE_EXAMPLE: &str = "Example:
  undersigned endorse open-source-pledge --key ~/.ssh/example-org \\
      --policy registry.policy
  undersigned endorse open-source-pledge --key ~/.ssh/example-org \\
      --not-after 2030-12-31

Your key stays on this machine. Another program may sign instead: see undersigned prepare.";
const WITHDRAW_EXAMPLE: &str = "Example:
  undersigned withdraw open-source-pledge --key ~/.ssh/example-org

Nobody can refuse a withdrawal: any live key of the party will do. The endorsement stays visible as \
withdrawn.";

/// Endorse a statement as an organisation
#[derive(Debug, clap::Args)]
#[command(after_help = ENDORSE_EXAMPLE)]
pub(super) struct EndorseArgs {
    /// Slug or id of the statement
    statement: String,
    #[command(flatten)]
    signing: SigningArgs,
    /// Private key of the organisation (OpenSSH or PEM)
    #[arg(long, value_name = "FILE", env = "UNDERSIGNED_KEY")]
    key: PathBuf,
    #[command(flatten)]
    unlock: UnlockArgs,
    /// Version to endorse [default: the newest]
    #[arg(long, value_name = "ID")]
    version: Option<String>,
    /// Language in which you read it [default: the first of the version]
    #[arg(long)]
    language: Option<String>,
    /// Last day (2030-12-31) or second (2030-12-31T12:00:00Z) in which it stands [default: no end]
    #[arg(long, value_name = "DATE", value_parser = not_after)]
    not_after: Option<u64>,
}

/// Withdraw an endorsement
#[derive(Debug, clap::Args)]
#[command(after_help = WITHDRAW_EXAMPLE)]
pub(super) struct WithdrawArgs {
    /// Slug or id of the statement
    statement: String,
    #[command(flatten)]
    signing: SigningArgs,
    /// Any live private key of the organisation (OpenSSH or PEM)
    #[arg(long, value_name = "FILE", env = "UNDERSIGNED_KEY")]
    key: PathBuf,
    #[command(flatten)]
    unlock: UnlockArgs,
    /// Version [default: the newest]
    #[arg(long, value_name = "ID")]
    version: Option<String>,
}

pub(super) fn endorse(args: &EndorseArgs, output: Output) -> Result<(), CliError> {
    let wish = Wish {
        kind: "endorse",
        statement: &args.statement,
        version: args.version.as_deref(),
        language: args.language.as_deref(),
        not_after: args.not_after,
    };
    act(&args.signing, &args.unlock.read(&args.key)?, &wish, output)
}

pub(super) fn withdraw(args: &WithdrawArgs, output: Output) -> Result<(), CliError> {
    let wish = Wish {
        kind: "withdraw",
        statement: &args.statement,
        version: args.version.as_deref(),
        language: None,
        not_after: None,
    };
    act(&args.signing, &args.unlock.read(&args.key)?, &wish, output)
}

/// What somebody wants to do with an endorsement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish<'a> {
    pub(super) kind: &'static str,
    pub(super) statement: &'a str,
    pub(super) version: Option<&'a str>,
    pub(super) language: Option<&'a str>,
    /// The last second in which the endorsement is to stand.
    pub(super) not_after: Option<u64>,
}

/// The last second of a day in UTC, or a second, in POSIX time.
pub(super) fn not_after(text: &str) -> Result<u64, String> {
    let is_day = text.len() == "2030-12-31".len();
    let moment = if is_day { format!("{text}T23:59:59Z") } else { text.to_owned() };
    humantime::parse_rfc3339(&moment)
        .ok()
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
        .map(|since| since.as_secs())
        .ok_or_else(|| {
            "write a day as 2030-12-31 (it stands to the end of it, UTC) or a second as 2030-12-31T12:00:00Z"
                .to_owned()
        })
}

fn act(signing: &SigningArgs, key: &PartyKey, wish: &Wish<'_>, output: Output) -> Result<(), CliError> {
    let session = Session::open(signing)?;
    let event = prepare(&session, key.id(), wish)?;
    let (submitted, verified) = session.sign_and_submit(&event, &[key], Vec::new())?;
    report(signing, &session, &submitted, &verified, output)?;
    Ok(())
}

/// Asks where the thread stands and builds the event here: what is signed is what was asked for, in the
/// registry that the anchor names, whatever the answer says.
pub(super) fn prepare(session: &Session, key: KeyId, wish: &Wish<'_>) -> Result<Event, CliError> {
    let asked = wish.version.map(|version| version_id(wish.statement, version)).transpose()?;
    let prepared = ask(session, key, wish, asked)?;
    let (Some(party), Some(statement), Some(version)) =
        (prepared.party, prepared.statement, prepared.version)
    else {
        return Err(CliError::refused(
            "the registry's answer does not name the party, statement and version\nnothing was signed; check that the address is the registry's",
        ));
    };
    check_asked("version", wish.version, &version.to_string())?;
    if StatementId::from_hex(wish.statement).is_ok() {
        check_asked("statement", Some(wish.statement), &statement.to_string())?;
    }
    let withdraws = wish.kind == "withdraw";
    let body = if withdraws {
        Body::Withdraw { statement, version }
    } else {
        let language = match wish.language {
            Some(language) => language.to_owned(),
            None => first_language(&session.client, wish.statement)?,
        };
        Body::Endorse { statement, version, language, not_after: wish.not_after }
    };
    Ok(Event {
        registry: Some(session.registry()?),
        party: Some(party),
        signers: vec![key],
        after: prepared.after,
        log_before: (!withdraws).then_some(prepared.log_before),
        body,
    })
}

fn ask(
    session: &Session,
    key: KeyId,
    wish: &Wish<'_>,
    version: Option<VersionId>,
) -> Result<Prepared, CliError> {
    let request = PrepareRequest {
        statement: Some(wish.statement.to_owned()),
        version,
        language: wish.language.map(str::to_owned),
        not_after: wish.not_after,
        ..PrepareRequest::new(wish.kind, key)
    };
    session.prepare(&request, |error| about_statement(&session.client, wish.statement, error))
}

/// What the user named must come back, not something else of the registry's choosing.
fn check_asked(what: &str, asked: Option<&str>, answered: &str) -> Result<(), CliError> {
    match asked {
        Some(asked) if asked != answered => Err(CliError::refused(format!(
            "the registry answered for another {what}: {answered}\nnothing was signed"
        ))),
        _ => Ok(()),
    }
}

fn first_language(client: &Client, statement: &str) -> Result<String, CliError> {
    let statement = client.statement(statement)?;
    statement
        .version
        .and_then(|version| version.texts.into_iter().next())
        .map(|text| text.language)
        .ok_or_else(|| {
            CliError::refused("the statement has no text yet\nwait until its sponsor publishes a version")
        })
}
