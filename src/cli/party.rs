//! `party`: an organisation enters the registry, and its keys come and go.

use std::path::{Path, PathBuf};

use undersigned_client::PrepareRequest;
use undersigned_registry::event::{
    BlobRef, Body, EndedKey, Ending, Event, Name, NewKey, is_domain, is_language,
};
use undersigned_registry::id::{KeyId, PartyId};
use undersigned_registry::key::{KeyType, Role};

use super::CliError;
use super::output::Output;
use super::signing::{Session, SigningArgs, event_hash, report};
use crate::admission::check_text;
use crate::keyring::PartyKey;

const CREATE_EXAMPLE: &str = "Example:
  undersigned party create --name \"Example Foundation\" --domain example.org \\
      --key ~/.ssh/example-org --recovery-key ~/example-org-recovery

The key may sign and change the organisation's keys (role admin). The recovery key only matters when
the others are lost: put it away, off this machine.";
const KEYS_EXAMPLE: &str = "Example:
  undersigned party keys --key ~/.ssh/example-org --add sign=~/.ssh/second-officer
  undersigned party keys --key ~/.ssh/example-org --retire 5d41...

Every key that is added signs, too, so its private file is needed here.";

/// Enter the registry as an organisation, and change its keys
#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Enter the registry as an organisation
    #[command(after_help = CREATE_EXAMPLE)]
    Create(CreateArgs),
    /// Add, retire and revoke keys
    #[command(after_help = KEYS_EXAMPLE)]
    Keys(KeysArgs),
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
    /// Private key to be put away for emergencies
    #[arg(long, value_name = "FILE")]
    recovery_key: Option<PathBuf>,
    /// Operator's admin key, where the registry admits by invitation
    #[arg(long, value_name = "FILE")]
    operator_key: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct KeysArgs {
    #[command(flatten)]
    signing: SigningArgs,
    /// Private key that allows the change (role admin or recovery)
    #[arg(long, value_name = "FILE", env = "UNDERSIGNED_KEY")]
    key: PathBuf,
    /// Key to add, with its role: sign=FILE, admin=FILE or recovery=FILE
    #[arg(long = "add", value_name = "ROLE=FILE")]
    add: Vec<String>,
    /// Id of a key that is no longer used
    #[arg(long, value_name = "KEY-ID")]
    retire: Vec<String>,
    /// Id of a key that is no longer trusted
    #[arg(long, value_name = "KEY-ID")]
    revoke: Vec<String>,
}

pub(super) fn run(verb: &Verb, output: Output) -> Result<(), CliError> {
    match verb {
        Verb::Create(args) => create(args, output),
        Verb::Keys(args) => keys(args, output),
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
    if let Some(domain) = args.domain.as_deref().filter(|domain| !is_domain(domain)) {
        return Err(CliError::refused(format!(
            "{domain:?} is no domain of the log\nuse lower case and A-labels (xn--...), such as example.org"
        )));
    }
    let names = args.names.iter().map(|name| named(name, &args.language)).collect::<Result<Vec<_>, _>>()?;
    let admin = PartyKey::read(&args.key)?;
    let sign = args.sign_keys.iter().map(|path| PartyKey::read(path)).collect::<Result<Vec<_>, _>>()?;
    let recovery = args.recovery_key.as_deref().map(PartyKey::read).transpose()?;
    let operator = args.operator_key.as_deref().map(PartyKey::read).transpose()?;
    let mut keys = vec![(Role::Admin, &admin)];
    keys.extend(sign.iter().map(|key| (Role::Sign, key)));
    keys.extend(recovery.iter().map(|key| (Role::Recovery, key)));
    let session = Session::open(&args.signing)?;
    let prepared = thread(&session, "party.create", admin.id())?;
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
    report(&args.signing, &session, &submitted, &verified, output)?;
    output.line(format!("party    {} (this is how the registry names you)", verified.party));
    if let Some(path) = &args.recovery_key {
        output.line(format!("Put {} away, off this machine; nobody can replace it.", path.display()));
    } else {
        output.line("There is no recovery key: if all keys are lost, nobody can act for this party again.");
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
    check_text(name.as_bytes(), true)
        .map_err(|rule| CliError::refused(format!("the name {name:?}: {rule}")))?;
    Ok((language.to_owned(), name.to_owned()))
}

/// Asks what cannot be known without the registry: where the thread stands, and until when to sign.
pub(super) fn thread(
    session: &Session,
    kind: &str,
    key: KeyId,
) -> Result<undersigned_client::Prepared, CliError> {
    Ok(session.client.prepare(&PrepareRequest::new(kind, key))?)
}

/// The party that an answer names.
pub(super) fn party_of(prepared: &undersigned_client::Prepared) -> Result<PartyId, CliError> {
    prepared.party.ok_or_else(|| {
        CliError::refused(
            "the registry knows no party with this key\nenter it first: undersigned party create",
        )
    })
}

fn keys(args: &KeysArgs, output: Output) -> Result<(), CliError> {
    let acting = PartyKey::read(&args.key)?;
    let added = args.add.iter().map(|text| added_key(text)).collect::<Result<Vec<_>, _>>()?;
    let mut end = Vec::new();
    for (ids, how) in [(&args.retire, Ending::Retire), (&args.revoke, Ending::Revoke)] {
        for id in ids {
            end.push(EndedKey { id: KeyId(event_hash("key id", id)?.0), how });
        }
    }
    if added.is_empty() && end.is_empty() {
        return Err(CliError::refused("nothing to change\nname a key with --add, --retire or --revoke"));
    }
    let session = Session::open(&args.signing)?;
    let prepared = thread(&session, "party.keys", acting.id())?;
    let add: Vec<NewKey> = added
        .iter()
        .map(|(role, key)| NewKey { id: key.id(), role: *role, key_type: KeyType::Ed25519 })
        .collect();
    let event = Event {
        registry: Some(session.registry()?),
        party: Some(party_of(&prepared)?),
        signers: std::iter::once(acting.id()).chain(add.iter().map(|key| key.id)).collect(),
        after: prepared.after,
        log_before: Some(prepared.log_before),
        body: Body::PartyKeys { add, end },
    };
    let signing: Vec<&PartyKey> = std::iter::once(&acting).chain(added.iter().map(|(_, key)| key)).collect();
    let (submitted, verified) = session.sign_and_submit(&event, &signing, Vec::new())?;
    report(&args.signing, &session, &submitted, &verified, output)?;
    Ok(())
}

fn added_key(text: &str) -> Result<(Role, PartyKey), CliError> {
    let parsed = text.split_once('=').and_then(|(role, path)| Some((Role::from_name(role)?, path)));
    let (role, path) = parsed.ok_or_else(|| {
        CliError::refused(format!("{text:?} is no key to add\nwrite sign=FILE, admin=FILE or recovery=FILE"))
    })?;
    Ok((role, PartyKey::read(Path::new(path))?))
}
