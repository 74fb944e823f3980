//! `key`: keys of an organisation. Those of OpenSSH and OpenSSL are taken as they are; new ones are
//! OpenSSH's own files.

use std::path::{Path, PathBuf};

use serde_json::json;
use undersigned_registry::key::{KeyType, key_id};

use super::CliError;
use super::output::Output;
use super::signing::UnlockArgs;
use crate::keyring::{self, PartyKey, Passphrase, PassphraseSource};

const NEW_EXAMPLE: &str = "Example:
  undersigned key new ~/.config/undersigned/example-org --passphrase

A key that ssh-keygen made (ssh-keygen -t ed25519) serves as well; this is the same kind of file, and \
ssh-keygen -p -f FILE changes its passphrase.";
const IMPORT_EXAMPLE: &str = "Example:
  openssl genpkey -algorithm ed25519 -out key.pem
  undersigned key import key.pem ~/.config/undersigned/example-org

Taken are PEM (PKCS#8, as openssl writes it) and OpenSSH files, locked or not. Every verb that signs \
takes such files also without an import. A new file is locked with the passphrase of the old one, where \
that has one.";
const SHOW_EXAMPLE: &str = "Example:
  undersigned key show ~/.ssh/id_ed25519.pub";

const GROUP_EXAMPLE: &str = "Examples:
  undersigned key new ~/.config/undersigned/example-org --passphrase
  undersigned key show ~/.ssh/id_ed25519.pub";

/// Make, import and look at keys (key files of OpenSSH and OpenSSL are taken as they are)
#[derive(Debug, clap::Subcommand)]
#[command(after_help = GROUP_EXAMPLE)]
pub(super) enum Verb {
    /// Make a new Ed25519 key, readable by you alone
    #[command(after_help = NEW_EXAMPLE)]
    New {
        /// File for the private key; the public one gets the ending .pub
        file: PathBuf,
        /// A word that helps you to tell keys apart
        #[arg(long, default_value = "")]
        comment: String,
        /// Lock it with a passphrase, which is asked for on the terminal
        #[arg(long, conflicts_with = "passphrase_file")]
        passphrase: bool,
        /// Lock it with the first line of this file
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
    /// Copy a private key of OpenSSL or OpenSSH into a new key file, readable by you alone
    #[command(after_help = IMPORT_EXAMPLE)]
    Import {
        /// Private key file: PEM (PKCS#8) or OpenSSH, locked or not
        source: PathBuf,
        /// File for the private key; the public one gets the ending .pub
        file: PathBuf,
        /// A word that helps you to tell keys apart
        #[arg(long)]
        comment: Option<String>,
        /// Lock the new file with another passphrase, which is asked for on the terminal
        #[arg(long)]
        passphrase: bool,
        #[command(flatten)]
        unlock: UnlockArgs,
    },
    /// Show a key's id and public key
    #[command(after_help = SHOW_EXAMPLE)]
    Show {
        /// A private or public key file
        file: PathBuf,
        #[command(flatten)]
        unlock: UnlockArgs,
    },
}

pub(super) fn run(verb: &Verb, output: Output) -> Result<(), CliError> {
    match verb {
        Verb::New { file, comment, passphrase, passphrase_file } => {
            let source = match passphrase_file {
                Some(file) => PassphraseSource::File(file.clone()),
                None if *passphrase => PassphraseSource::Terminal,
                None => PassphraseSource::Nowhere,
            };
            let word = match source {
                PassphraseSource::Nowhere => None,
                source => Some(source.choose(file)?),
            };
            write(&PartyKey::generate(comment)?, file, word.as_ref(), output)
        }
        Verb::Import { source, file, comment, passphrase, unlock } => {
            let (key, word) = PartyKey::unlock(source, &unlock.source())?;
            let key = match comment {
                Some(comment) => key.with_comment(comment),
                None => key,
            };
            let word = if *passphrase { Some(PassphraseSource::Terminal.choose(file)?) } else { word };
            write(&key, file, word.as_ref(), output)?;
            output.line(format!("{} is left as it was; delete it if one copy is enough", source.display()));
            Ok(())
        }
        Verb::Show { file, unlock } => {
            print(&PartyKey::read_public(file, &unlock.source())?, false, output);
            Ok(())
        }
    }
}

fn write(
    key: &PartyKey,
    file: &Path,
    passphrase: Option<&Passphrase>,
    output: Output,
) -> Result<(), CliError> {
    key.write_new(file, passphrase)?;
    output.line(format!("private key  {} (keep it; nobody can make it again)", file.display()));
    output.line(match passphrase {
        Some(_) => "             locked: whoever has the file needs the passphrase too; nobody can reset it",
        None => "             without a passphrase: whoever copies the file can sign with it",
    });
    output.line(format!("public key   {}.pub", file.display()));
    print(&key.public(), passphrase.is_some(), output);
    Ok(())
}

fn print(public: &[u8; 32], locked: bool, output: Output) {
    let id = key_id(KeyType::Ed25519, public);
    let line = keyring::public_line(public, "");
    output.line(format!("key id       {id}"));
    output.line(format!("openssh      {line}"));
    output.object(&json!({"key": id.to_string(), "openssh": line, "type": "ed25519", "locked": locked}));
}
