//! `party`: an organisation enters the registry, and its keys come and go.

mod history;
mod keys;
mod recovery;

use std::path::PathBuf;

use undersigned_client::PrepareRequest;
use undersigned_registry::event::{BlobRef, Body, Event, Name, NewKey, is_language};
use undersigned_registry::id::{KeyId, PartyId};
use undersigned_registry::key::{KeyType, Role};

use super::CliError;
use super::naming::check_domain;
use super::output::Output;
use super::signing::{Session, SigningArgs, UnlockArgs, report_with};
use crate::admission::check_text;
use crate::keyring::PartyKey;

pub(super) use history::keys_of;

const CREATE_EXAMPLE: &str = "Example:
  undersigned party create --name \"Example Foundation\" --domain example.org \\
      --key ~/.ssh/example-org

The key may sign and change the organisation's keys (role admin). A recovery key is made beside it \
(here ~/.ssh/example-org-recovery). It only matters when the others are lost or stolen: put it away, off \
this machine.";

const GROUP_EXAMPLE: &str = "Examples:
  undersigned party create --name \"Example Foundation\" --key ~/.ssh/example-org
  undersigned party keys --key ~/.ssh/example-org \\
      --add sign=~/.ssh/second-officer";

/// Enter the registry as an organisation, and change its keys
#[derive(Debug, clap::Subcommand)]
#[command(after_help = GROUP_EXAMPLE)]
pub(super) enum Verb {
    /// Enter the registry as an organisation
    #[command(after_help = CREATE_EXAMPLE)]
    Create(CreateArgs),
    /// Add, retire and revoke keys
    Keys(keys::Args),
}

#[derive(Debug, clap::Args)]
pub(super) struct CreateArgs {
    #[command(flatten)]
    signing: SigningArgs,
    /// Name of the organisation; again for another language: LANGUAGE=NAME
    #[arg(long = "name", value_name = "NAME", required = true)]
    names: Vec<String>,
    /// Language of the names without one
    #[arg(long, default_value = "en")]
    language: String,
    /// Domain of the organisation (claimed; checks come later)
    #[arg(long)]
    domain: Option<String>,
    /// Private key with the role admin
    #[arg(long, value_name = "FILE", env = "UNDERSIGNED_KEY")]
    key: PathBuf,
    /// Further private keys that may only endorse and withdraw
    #[arg(long = "sign-key", value_name = "FILE")]
    sign_keys: Vec<PathBuf>,
    /// Private key to be put away for emergencies; made where it is not there [default: KEY-recovery]
    #[arg(long, value_name = "FILE")]
    recovery_key: Option<PathBuf>,
    /// Enter without a recovery key: if all keys are lost, so is the party
    #[arg(long, conflicts_with = "recovery_key")]
    no_recovery_key: bool,
    /// Operator's admin key, where the registry admits by invitation
    #[arg(long, value_name = "FILE")]
    operator_key: Option<PathBuf>,
    #[command(flatten)]
    unlock: UnlockArgs,
}

pub(super) fn run(verb: &Verb, output: Output) -> Result<(), CliError> {
    match verb {
        Verb::Create(args) => create(args, output),
        Verb::Keys(args) => keys::run(args, output),
    }
}

/// A party in the making.
#[derive(Debug)]
pub(super) struct NewParty<'a> {
    pub(super) names: Vec<(String, String)>,
    pub(super) domain: Option<String>,
    pub(super) keys: Vec<(Role, &'a PartyKey)>,
    /// A key of somebody else who signs along: the operator's invitation.
    pub(super) invitation: Option<&'a PartyKey>,
    pub(super) log_before: u64,
}

impl NewParty<'_> {
    /// The event and its blobs, to be signed by all its keys.
    pub(super) fn event(&self, registry: undersigned_registry::id::RegistryId) -> (Event, Vec<Vec<u8>>) {
        let keys: Vec<NewKey> = self
            .keys
            .iter()
            .map(|(role, key)| NewKey { id: key.id(), role: *role, key_type: KeyType::Ed25519 })
            .collect();
        let signers = keys.iter().map(|key| key.id).chain(self.invitation.map(PartyKey::id)).collect();
        let names = self
            .names
            .iter()
            .map(|(language, name)| Name { language: language.clone(), text: BlobRef::of(name.as_bytes()) })
            .collect();
        let event = Event {
            registry: Some(registry),
            party: None,
            signers,
            after: None,
            log_before: Some(self.log_before),
            body: Body::PartyCreate { domain: self.domain.clone(), names, keys },
        };
        let named = event.blobs();
        let blobs = named
            .iter()
            .filter_map(|blob| self.names.iter().find(|(_, name)| blob.names(name.as_bytes())))
            .map(|(_, name)| name.as_bytes().to_vec())
            .collect();
        (event, blobs)
    }
}

fn create(args: &CreateArgs, output: Output) -> Result<(), CliError> {
    args.domain.as_deref().map_or(Ok(()), check_domain)?;
    let names = args.names.iter().map(|name| named(name, &args.language)).collect::<Result<Vec<_>, _>>()?;
    let read = |path: &PathBuf| args.unlock.read(path);
    let admin = read(&args.key)?;
    let sign = args.sign_keys.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let operator = args.operator_key.as_ref().map(read).transpose()?;
    let session = Session::open(&args.signing)?;
    let prepared = thread(&session, "party.create", admin.id())?;
    // Made only now, when the registry has been reached: less is left behind by an attempt that fails.
    let recovery = match args.no_recovery_key {
        true => None,
        false => Some(recovery::ready(args.recovery_key.as_deref(), &args.key, &args.unlock)?),
    };
    let mut keys = vec![(Role::Admin, &admin)];
    keys.extend(sign.iter().map(|key| (Role::Sign, key)));
    keys.extend(recovery.iter().map(|recovery| (Role::Recovery, &recovery.key)));
    let party = NewParty {
        names,
        domain: args.domain.clone(),
        keys,
        invitation: operator.as_ref(),
        log_before: prepared.log_before,
    };
    let (event, blobs) = party.event(session.registry()?);
    let signing: Vec<&PartyKey> = party.keys.iter().map(|(_, key)| *key).chain(operator.as_ref()).collect();
    let (submitted, verified) = session.sign_and_submit(&event, &signing, blobs)?;
    let path = recovery.as_ref().map(|recovery| &recovery.path);
    let further = [("recovery_key", serde_json::json!(path))];
    report_with(&args.signing, &session, &submitted, &verified, &further, output)?;
    output.line(format!("party    {} (this is how the registry names you)", PartyId(verified.event_hash.0)));
    match &recovery {
        Some(recovery) if submitted.is_new => recovery.explain(output),
        // Told already, when the party entered.
        Some(recovery) => output.line(format!("recovery {}", recovery.path.display())),
        None => output
            .line("There is no recovery key: if all keys are lost, nobody can act for this party again."),
    }
    Ok(())
}

fn named(text: &str, language: &str) -> Result<(String, String), CliError> {
    let (language, name) = match text.split_once('=') {
        Some((tag, name)) if is_language(tag) => (tag, name),
        _ => (language, text),
    };
    if !is_language(language) {
        return Err(CliError::refused(format!(
            "{language:?} is no language tag\nuse one such as en, pl or zh-Hant"
        )));
    }
    check_text(name.as_bytes(), true).map_err(|rule| {
        CliError::refused(format!("the name {name:?}: {rule}\nwrite the name as it should be read"))
    })?;
    Ok((language.to_owned(), name.to_owned()))
}

/// Asks what cannot be known without the registry: where the thread stands, and until when to sign.
pub(super) fn thread(
    session: &Session,
    kind: &str,
    key: KeyId,
) -> Result<undersigned_client::Prepared, CliError> {
    session.prepare(&PrepareRequest::new(kind, key), CliError::from)
}

/// The party that an answer names.
pub(super) fn party_of(prepared: &undersigned_client::Prepared) -> Result<PartyId, CliError> {
    prepared.party.ok_or_else(|| {
        CliError::refused(
            "the registry knows no party with this key\nenter it first: undersigned party create",
        )
    })
}
