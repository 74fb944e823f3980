//! Passphrases of key files: where they come from. Never from an argument or the environment, which other
//! processes can read and shells remember.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::KeyError;
use super::files::read_secret;

/// A passphrase, wiped from memory after use.
pub struct Passphrase(Zeroizing<String>);

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase")
    }
}

impl Passphrase {
    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Where passphrases come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PassphraseSource {
    /// There are none: locked keys are refused.
    Nowhere,
    /// The person at the terminal is asked, whatever standard input is.
    Terminal,
    /// The first line of a file, for every locked key.
    File(PathBuf),
}

/// How often a person may try, as with ssh.
const ATTEMPTS_MAX: u32 = 3;

impl PassphraseSource {
    /// Opens something with the passphrase; a person at the terminal may try again.
    pub(super) fn unlock<T>(
        &self,
        path: &Path,
        open: impl Fn(&Passphrase) -> Option<T>,
    ) -> Result<(T, Passphrase), KeyError> {
        let attempts = if *self == Self::Terminal { ATTEMPTS_MAX } else { 1 };
        for _ in 0..attempts {
            let passphrase = match self {
                Self::Nowhere => return Err(KeyError::Locked { path: path.to_owned() }),
                Self::Terminal => ask(path, &format!("Passphrase of {}: ", path.display()))?,
                Self::File(file) => read_file(file)?,
            };
            if let Some(opened) = open(&passphrase) {
                return Ok((opened, passphrase));
            }
        }
        Err(KeyError::WrongPassphrase { path: path.to_owned() })
    }

    /// The passphrase for a new key; a person is asked twice.
    ///
    /// # Errors
    /// There is none, it is empty, or the two differ.
    pub fn choose(&self, path: &Path) -> Result<Passphrase, KeyError> {
        let unfit = |what| KeyError::Unfit { path: path.to_owned(), what };
        let passphrase = match self {
            Self::Nowhere => return Err(unfit("missing")),
            Self::File(file) => read_file(file)?,
            Self::Terminal => {
                let first = ask(path, &format!("New passphrase for {}: ", path.display()))?;
                let again = ask(path, "The same again: ")?;
                if first.0 != again.0 {
                    return Err(unfit("not the same both times"));
                }
                first
            }
        };
        if passphrase.0.is_empty() { Err(unfit("empty")) } else { Ok(passphrase) }
    }
}

fn ask(path: &Path, prompt: &str) -> Result<Passphrase, KeyError> {
    rpassword::prompt_password(prompt)
        .map(|text| Passphrase(Zeroizing::new(text)))
        .map_err(|source| KeyError::NoTerminal { path: path.to_owned(), source })
}

fn read_file(file: &Path) -> Result<Passphrase, KeyError> {
    let text = read_secret(file).map_err(|error| match error {
        KeyError::Absent { path } => KeyError::Disk { path, source: std::io::ErrorKind::NotFound.into() },
        error => error,
    })?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(KeyError::Form {
            path: file.to_owned(),
            expected: "a passphrase file: its first line is empty\nwrite the passphrase into the first line",
        });
    }
    Ok(Passphrase(Zeroizing::new(line.to_owned())))
}
