//! `party keys`: adds, retires and revokes keys, and says what that changes.

use std::path::{Path, PathBuf};

use serde_json::json;
use undersigned_registry::event::{Body, EndedKey, Ending, Event, NewKey};
use undersigned_registry::id::{KeyId, PartyId};
use undersigned_registry::key::{KeyType, Role, key_id};

use super::super::CliError;
use super::super::output::Output;
use super::super::signing::{Session, SigningArgs, UnlockArgs, report_with};
use super::super::words::count;
use super::{party_of, thread};
use crate::keyring::{PartyKey, read_public_key};

const EXAMPLE: &str = "Example:
  undersigned party keys --key ~/.ssh/example-org \\
      --add sign=~/.ssh/second-officer
  undersigned party keys --key ~/.ssh/example-org --retire 5d41402a
  undersigned party keys --key /media/safe/example-org-recovery \\
      --add admin=~/.ssh/new --revoke old.pub

Retire a key that is no longer needed, revoke one that somebody else may have. Both end it for what \
comes; what it signed before stands, and the log keeps which of the two it was.

Every key that is added signs, too, so its private file is needed here. Sign and admin keys are added \
and ended by an admin key, recovery keys by a recovery key; every key may end itself.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(in super::super) struct Args {
    #[command(flatten)]
    signing: SigningArgs,
    /// Private key that allows the change (role admin or recovery)
    #[arg(long, value_name = "FILE", env = "UNDERSIGNED_KEY")]
    key: PathBuf,
    #[command(flatten)]
    unlock: UnlockArgs,
    /// Key to add, with its role: sign=FILE, admin=FILE or recovery=FILE
    #[arg(long = "add", value_name = "ROLE=FILE")]
    add: Vec<String>,
    /// Key that is no longer used: its id, the beginning of it, or its public key file
    #[arg(long, value_name = "KEY")]
    retire: Vec<String>,
    /// Key that is no longer trusted: its id, the beginning of it, or its public key file
    #[arg(long, value_name = "KEY")]
    revoke: Vec<String>,
}

pub(super) fn run(args: &Args, output: Output) -> Result<(), CliError> {
    if args.add.is_empty() && args.retire.is_empty() && args.revoke.is_empty() {
        return Err(CliError::refused("nothing to change\nname a key with --add, --retire or --revoke"));
    }
    let acting = args.unlock.read(&args.key)?;
    let added = args.add.iter().map(|text| added_key(text, &args.unlock)).collect::<Result<Vec<_>, _>>()?;
    let session = Session::open(&args.signing)?;
    let prepared = thread(&session, "party.keys", acting.id())?;
    let party = party_of(&prepared)?;
    let mut end = Vec::new();
    for (names, how) in [(&args.retire, Ending::Retire), (&args.revoke, Ending::Revoke)] {
        for name in names {
            end.push(EndedKey { id: ended_key(&session, party, name)?, how });
        }
    }
    let add: Vec<NewKey> = added
        .iter()
        .map(|(role, key)| NewKey { id: key.id(), role: *role, key_type: KeyType::Ed25519 })
        .collect();
    let event = Event {
        registry: Some(session.registry()?),
        party: Some(party),
        signers: std::iter::once(acting.id()).chain(add.iter().map(|key| key.id)).collect(),
        after: prepared.after,
        log_before: Some(prepared.log_before),
        body: Body::PartyKeys { add: add.clone(), end: end.clone() },
    };
    let signing: Vec<&PartyKey> = std::iter::once(&acting).chain(added.iter().map(|(_, key)| key)).collect();
    let (submitted, verified) = session.sign_and_submit(&event, &signing, Vec::new())?;
    let further = [
        (
            "added",
            json!(
                add.iter()
                    .map(|key| json!({"key": key.id.to_string(), "role": key.role.name()}))
                    .collect::<Vec<_>>()
            ),
        ),
        (
            "ended",
            json!(
                end.iter()
                    .map(|key| json!({"key": key.id.to_string(), "how": how(key.how)}))
                    .collect::<Vec<_>>()
            ),
        ),
    ];
    report_with(&args.signing, &session, &submitted, &verified, &further, output)?;
    explain(&add, &end, verified.index, output);
    what_is_left(&session, party, output);
    Ok(())
}

const fn how(how: Ending) -> &'static str {
    match how {
        Ending::Retire => "retired",
        Ending::Revoke => "revoked",
    }
}

fn explain(add: &[NewKey], end: &[EndedKey], index: u64, output: Output) {
    for key in add {
        let may = match key.role {
            Role::Sign => "may endorse and withdraw",
            Role::Admin => "may endorse, withdraw, publish, and add and end sign and admin keys",
            Role::Recovery => "may do everything, and is for emergencies: put it away, off this machine",
        };
        output.line(format!("added    {} ({})", key.id, key.role.name()));
        output.line(format!("         it {may}, in every entry after {index}"));
    }
    for key in end {
        output.line(format!("{:<8} {}", how(key.how), key.id));
        output.line(format!(
            "         it signs nothing after entry {index}; what it signed before stands, and it never comes back"
        ));
        if key.how == Ending::Revoke {
            output.line(
                "         look for entries that are not yours, and withdraw or publish anew what is wrong",
            );
        }
    }
}

/// How the party stands now, as the registry tells it. The change itself is done: failing to ask is no
/// failure of it.
fn what_is_left(session: &Session, party: PartyId, output: Output) {
    let Ok(found) = session.client.party(&party) else { return };
    let live = |role| found.keys.iter().filter(|key| key.role == role && key.to.is_none()).count();
    let (recovery, admin, sign) = (live("recovery"), live("admin"), live("sign"));
    output.line(format!(
        "now      {} live: {recovery} recovery, {admin} admin, {sign} sign (undersigned show party {party})",
        count(recovery + admin + sign, "key")
    ));
    if recovery == 0 {
        output.line(
            "note     there is no recovery key: if all keys are lost, nobody can act for this party again",
        );
    }
}

fn added_key(text: &str, unlock: &UnlockArgs) -> Result<(Role, PartyKey), CliError> {
    let parsed = text.split_once('=').and_then(|(role, path)| Some((Role::from_name(role)?, path)));
    let (role, path) = parsed.ok_or_else(|| {
        CliError::refused(format!("{text:?} is no key to add\nwrite sign=FILE, admin=FILE or recovery=FILE"))
    })?;
    Ok((role, unlock.read(Path::new(path))?))
}

/// The key to end, as its public key file, its id, or the beginning of the id of one live key of the party.
fn ended_key(session: &Session, party: PartyId, name: &str) -> Result<KeyId, CliError> {
    if let Ok(id) = KeyId::from_hex(name) {
        return Ok(id);
    }
    let path = Path::new(name);
    if path.exists() {
        return Ok(key_id(KeyType::Ed25519, &read_public_key(path)?));
    }
    let is_prefix = name.len() >= PREFIX_LENGTH_MIN
        && name.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if !is_prefix {
        return Err(CliError::refused(format!(
            "{name:?} is neither a key id, nor the beginning of one, nor a file\n\
             write the id (64 lower-case hex digits), its first {PREFIX_LENGTH_MIN} or more, or name the .pub file"
        )));
    }
    let found = session.client.party(&party)?;
    let mut fitting = found.keys.iter().filter(|key| key.key.to_string().starts_with(name));
    let list = format!("list the keys with: undersigned show party {party}");
    match (fitting.next(), fitting.next()) {
        (Some(key), None) => Ok(key.key),
        (None, _) => Err(CliError::refused(format!("no live key of the party begins with {name}\n{list}"))),
        (Some(_), Some(_)) => {
            Err(CliError::refused(format!("several keys of the party begin with {name}\n{list}")))
        }
    }
}

/// The fewest digits of an id that name a key: of 32 keys two share the first 8 by chance once in 8 million.
const PREFIX_LENGTH_MIN: usize = 8;
