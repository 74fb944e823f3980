//! An organisation's private key: made, read, written, and put to its one use.

use std::path::Path;

use ed25519_dalek::{Signer as _, SigningKey};
use getrandom::SysRng;
use ssh_key::{LineEnding, PrivateKey};
use undersigned_registry::envelope::Proof;
use undersigned_registry::event;
use undersigned_registry::id::KeyId;
use undersigned_registry::key::{KeyType, Method, key_id};
use zeroize::Zeroizing;

use super::files::{create, file_name, read_secret};
use super::private_file::{Opened, open, public_part};
use super::{KeyError, Passphrase, PassphraseSource, public_line, random_bytes, read_public_key};
use crate::disk::Access;

/// An organisation's private key.
pub struct PartyKey {
    signing: SigningKey,
    comment: String,
}

impl std::fmt::Debug for PartyKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PartyKey").field("id", &self.id()).finish_non_exhaustive()
    }
}

impl PartyKey {
    /// A new key from the operating system's random bytes.
    ///
    /// # Errors
    /// There are none.
    pub fn generate(comment: &str) -> Result<Self, KeyError> {
        Ok(Self { signing: SigningKey::from_bytes(&random_bytes()?), comment: comment.to_owned() })
    }

    /// A key from a seed: for replays and fixtures, whose keys are made again from the same bytes.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32], comment: &str) -> Self {
        Self { signing: SigningKey::from_bytes(seed), comment: comment.to_owned() }
    }

    /// Reads a private key file that is not locked.
    ///
    /// # Errors
    /// Absent, unreadable, readable by others, locked, or not an Ed25519 key.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        Self::unlock(path, &PassphraseSource::Nowhere).map(|(key, _)| key)
    }

    /// Reads a private key file, and says what it was locked with.
    ///
    /// # Errors
    /// As [`PartyKey::read`], or the passphrase is not the right one.
    pub fn unlock(path: &Path, source: &PassphraseSource) -> Result<(Self, Option<Passphrase>), KeyError> {
        let text = read_secret(path)?;
        let Opened { signing, comment, passphrase } = open(path, &text, source)?;
        Ok((Self { signing, comment }, passphrase))
    }

    /// The same key with another comment.
    #[must_use]
    pub fn with_comment(self, comment: &str) -> Self {
        Self { comment: comment.to_owned(), ..self }
    }

    /// The public key of a key file, private or public. A passphrase is asked for only where the file does
    /// not tell without.
    ///
    /// # Errors
    /// As [`PartyKey::unlock`].
    pub fn read_public(path: &Path, source: &PassphraseSource) -> Result<[u8; 32], KeyError> {
        if let Ok(public) = read_public_key(path) {
            return Ok(public);
        }
        match public_part(&read_secret(path)?) {
            Some(public) => Ok(public),
            None => Ok(Self::unlock(path, source)?.0.public()),
        }
    }

    /// Writes an OpenSSH private key file, readable by the owner alone, and its `.pub` file.
    ///
    /// # Errors
    /// One of them exists, or cannot be written.
    pub fn write_new(&self, path: &Path, passphrase: Option<&Passphrase>) -> Result<(), KeyError> {
        let public = path.with_file_name(format!("{}.pub", file_name(path)));
        // Looked at before the private key is written, so that the two always fit each other.
        if let Some(path) = [path, public.as_path()].into_iter().find(|path| path.exists()) {
            return Err(KeyError::Exists { path: path.to_owned() });
        }
        let text = self.to_openssh(path, passphrase)?;
        create(path, text.as_bytes(), Access::Secret)?;
        create(&public, format!("{}\n", self.public_line()).as_bytes(), Access::Public)
    }

    fn to_openssh(
        &self,
        path: &Path,
        passphrase: Option<&Passphrase>,
    ) -> Result<Zeroizing<String>, KeyError> {
        let pair = ssh_key::private::Ed25519Keypair::from_seed(&self.signing.to_bytes());
        let form = |_| KeyError::Form {
            path: path.to_owned(),
            expected: "a key that OpenSSH can hold\nleave out the comment",
        };
        let mut key = PrivateKey::new(pair.into(), self.comment.as_str()).map_err(form)?;
        if let Some(passphrase) = passphrase {
            key = key.encrypt(&mut SysRng, passphrase.bytes()).map_err(form)?;
        }
        key.to_openssh(LineEnding::LF).map_err(form)
    }

    /// The raw public key.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.signing.verifying_key().to_bytes()
    }

    /// The key's id in the registry.
    #[must_use]
    pub fn id(&self) -> KeyId {
        key_id(KeyType::Ed25519, &self.public())
    }

    /// The public key as a line of OpenSSH.
    #[must_use]
    pub fn public_line(&self) -> String {
        public_line(&self.public(), &self.comment)
    }

    /// Signs an event's canonical bytes by the method `ed25519`.
    #[must_use]
    pub fn prove(&self, event: &[u8]) -> Proof {
        let signature = self.signing.sign(&event::signable(event)).to_bytes();
        Proof { method: Method::Ed25519, key: self.public(), signature }
    }
}
