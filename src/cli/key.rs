//! `key`: keys of an organisation, in OpenSSH's own files.

use std::path::PathBuf;

use serde_json::json;
use undersigned_registry::key::{KeyType, key_id};

use super::CliError;
use super::output::Output;
use crate::keyring::{self, PartyKey};

const NEW_EXAMPLE: &str = "Example:
  undersigned key new ~/.config/undersigned/example-org

A key that ssh-keygen made (ssh-keygen -t ed25519) serves as well; this is the same kind of file.";
const SHOW_EXAMPLE: &str = "Example:
  undersigned key show ~/.ssh/id_ed25519.pub";

/// Make and look at keys (OpenSSH key files are taken as they are)
#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Make a new Ed25519 key, readable by you alone
    #[command(after_help = NEW_EXAMPLE)]
    New {
        /// File for the private key; the public one gets the ending .pub
        file: PathBuf,
        /// A word that helps you to tell keys apart
        #[arg(long, default_value = "")]
        comment: String,
    },
    /// Show a key's id and public key
    #[command(after_help = SHOW_EXAMPLE)]
    Show {
        /// A private or public key file
        file: PathBuf,
    },
}

pub(super) fn run(verb: &Verb, output: Output) -> Result<(), CliError> {
    match verb {
        Verb::New { file, comment } => {
            let key = PartyKey::generate(comment)?;
            key.write_new(file)?;
            output.line(format!("private key  {} (keep it; nobody can make it again)", file.display()));
            output.line(format!("public key   {}.pub", file.display()));
            print(&key.public(), output);
        }
        Verb::Show { file } => {
            let public = match keyring::read_public_key(file) {
                Ok(public) => public,
                Err(_) => PartyKey::read(file)?.public(),
            };
            print(&public, output);
        }
    }
    Ok(())
}

fn print(public: &[u8; 32], output: Output) {
    let id = key_id(KeyType::Ed25519, public);
    let line = keyring::public_line(public, "");
    output.line(format!("key id       {id}"));
    output.line(format!("openssh      {line}"));
    output.object(&json!({"key": id.to_string(), "openssh": line, "type": "ed25519"}));
}
