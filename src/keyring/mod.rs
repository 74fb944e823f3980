//! Keys at rest: the only reader and writer of secret files.
//!
//! The log key ([`read_log_key`]) is a line of its own form. An organisation's key ([`PartyKey`]) is read
//! from the private key files of OpenSSH and OpenSSL as they are, with or without a passphrase, and is
//! always written in OpenSSH's form. Secrets are never printed and never logged, and a passphrase never
//! stands in an argument or in the environment, where other processes can read it.
//!
//! As ssh does, a private key that other users can read is refused: it may be anybody's by now.

mod files;
mod log_key;
mod party_key;
mod passphrase;
mod private_file;
mod public;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use log_key::{create_log_key, read_log_key};
pub use party_key::PartyKey;
pub use passphrase::{Passphrase, PassphraseSource};
pub use public::{public_line, read_public_key};

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// No such file.
    #[error("there is no key file {path}\nmake one with: undersigned key new {path}")]
    Absent {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// It exists already.
    #[error("{path} exists already, and a key is never overwritten\nchoose another name")]
    Exists {
        /// Where.
        path: PathBuf,
    },
    /// It cannot be read or written.
    #[error("{path} cannot be used: {source}\ncheck the path and its permissions")]
    Disk {
        /// Where.
        path: PathBuf,
        /// What the disk said.
        source: std::io::Error,
    },
    /// Others can read what is secret.
    #[error(
        "other users of this machine can read {path} (mode {mode:04o}), so it is not used, as ssh would not\nif nobody has copied it, make it yours alone: chmod 600 {path}"
    )]
    Open {
        /// Where.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The public half, where the private one is needed.
    #[error("{path} is the public key, which cannot sign\n{}", private_beside(path))]
    PublicHalf {
        /// Where.
        path: PathBuf,
    },
    /// Not a key of the form that belongs there.
    #[error("{path} is not {expected}")]
    Form {
        /// Where.
        path: PathBuf,
        /// What belongs there, and on a second line what to do.
        expected: &'static str,
    },
    /// It is locked with a passphrase, and there is none here.
    #[error("{path} is locked with a passphrase\nname a file that holds it with --passphrase-file")]
    Locked {
        /// Where.
        path: PathBuf,
    },
    /// The passphrase does not open it.
    #[error("the passphrase does not open {path}\ntry again; nobody can open it without the right one")]
    WrongPassphrase {
        /// Where.
        path: PathBuf,
    },
    /// There is no terminal to ask for a passphrase on.
    #[error(
        "the passphrase of {path} cannot be asked for, as there is no terminal: {source}\nname a file that holds it with --passphrase-file"
    )]
    NoTerminal {
        /// Whose passphrase.
        path: PathBuf,
        /// What the terminal said.
        source: std::io::Error,
    },
    /// The new passphrase is none.
    #[error("the passphrase for {path} is {what}\nnothing was written; try again")]
    Unfit {
        /// Whose passphrase.
        path: PathBuf,
        /// The rule it breaks.
        what: &'static str,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gives no random bytes: {0}\ntry again when the machine is up")]
    Random(String),
}

/// Which file to name instead of a public key.
fn private_beside(public: &Path) -> String {
    match public.extension() {
        Some(ending) if ending == "pub" => {
            format!(
                "name the private key file, the one without .pub: {}",
                public.with_extension("").display()
            )
        }
        _ => "name the file of the private key".to_owned(),
    }
}

/// 32 random bytes of the operating system.
///
/// # Errors
/// There are none.
pub fn random_bytes() -> Result<[u8; 32], KeyError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| KeyError::Random(error.to_string()))?;
    Ok(bytes)
}
