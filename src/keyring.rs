//! Keys at rest: the only reader and writer of secret files.
//!
//! The log key is one line in the form that Go's `sumdb/note` uses
//! (`PRIVATE+KEY+name+hash+base64`), so that other tools can read it. An organisation's key is an
//! OpenSSH private key file, taken as it is. Secrets are never printed and never logged.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use ed25519_dalek::{Signer as _, SigningKey};
use ssh_key::{LineEnding, PrivateKey};
use undersigned_registry::envelope::Proof;
use undersigned_registry::event;
use undersigned_registry::id::KeyId;
use undersigned_registry::key::{KeyType, Method, key_id};
use undersigned_tlog::codec;
use undersigned_tlog::note::{KeyName, NoteSigner};
use zeroize::Zeroizing;

use crate::disk::{Access, DiskError, Folder};

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
    #[error("the key file {path} cannot be used: {source}")]
    Disk {
        /// Where.
        path: PathBuf,
        /// What the disk said.
        source: std::io::Error,
    },
    /// Not a key of the form that belongs there.
    #[error("{path} is not {expected}")]
    Form {
        /// Where.
        path: PathBuf,
        /// What belongs there.
        expected: &'static str,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gives no random bytes: {0}")]
    Random(String),
}

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

    /// Reads an OpenSSH private key file.
    ///
    /// # Errors
    /// Absent, unreadable, encrypted, or not an Ed25519 key.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let form = |expected| KeyError::Form { path: path.to_owned(), expected };
        let text = Zeroizing::new(read_text(path)?);
        let key =
            PrivateKey::from_openssh(text.as_bytes()).map_err(|_| form("an OpenSSH private key file"))?;
        if key.is_encrypted() {
            return Err(form(
                "an unencrypted key file\nsign with ssh-keygen instead: undersigned prepare, ssh-keygen -Y sign, undersigned submit",
            ));
        }
        let pair = key.key_data().ed25519().ok_or_else(|| form("an Ed25519 key"))?;
        let signing = SigningKey::from_bytes(&pair.private.to_bytes());
        Ok(Self { signing, comment: key.comment().to_string() })
    }

    /// Writes an OpenSSH private key file, readable by the owner alone, and its `.pub` file.
    ///
    /// # Errors
    /// The file exists, or cannot be written.
    pub fn write_new(&self, path: &Path) -> Result<(), KeyError> {
        let text = self.to_openssh(path)?;
        write_new(path, text.as_bytes())?;
        let public = path.with_file_name(format!("{}.pub", file_name(path)));
        write_new_public(&public, format!("{}\n", self.public_line()).as_bytes())
    }

    fn to_openssh(&self, path: &Path) -> Result<Zeroizing<String>, KeyError> {
        let pair = ssh_key::private::Ed25519Keypair::from_seed(&self.signing.to_bytes());
        let form = |_| KeyError::Form { path: path.to_owned(), expected: "a key that OpenSSH can hold" };
        let key = PrivateKey::new(pair.into(), self.comment.as_str()).map_err(form)?;
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

/// A public key as a line of OpenSSH: `ssh-ed25519 AAAA... comment`.
#[must_use]
pub fn public_line(key: &[u8; 32], comment: &str) -> String {
    let mut blob = Vec::with_capacity(51);
    for part in [&b"ssh-ed25519"[..], key] {
        // Both parts are shorter than 2^32 bytes by far.
        blob.extend_from_slice(&u32::try_from(part.len()).unwrap_or(0).to_be_bytes());
        blob.extend_from_slice(part);
    }
    let line = format!("ssh-ed25519 {}", codec::base64_encode(&blob));
    if comment.is_empty() { line } else { format!("{line} {comment}") }
}

/// Reads a public key: an OpenSSH line (`ssh-ed25519 ...`), or a PEM file as `openssl pkey -pubout`
/// writes it.
///
/// # Errors
/// Absent, unreadable, or another kind of key.
pub fn read_public_key(path: &Path) -> Result<[u8; 32], KeyError> {
    const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    let text = read_text(path)?;
    let form = || KeyError::Form {
        path: path.to_owned(),
        expected: "an Ed25519 public key (an OpenSSH .pub line, or PEM from openssl pkey -pubout)",
    };
    if let Ok(key) = ssh_key::PublicKey::from_openssh(text.trim()) {
        return key.key_data().ed25519().map(|key| key.0).ok_or_else(form);
    }
    let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = codec::base64_decode(body.trim()).map_err(|_| form())?;
    der.strip_prefix(&SPKI_PREFIX)
        .and_then(|raw| <[u8; 32]>::try_from(raw).ok())
        .filter(|_| text.contains("BEGIN PUBLIC KEY"))
        .ok_or_else(form)
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

/// Reads the log key.
///
/// # Errors
/// Absent, unreadable, or not a log key of this origin.
pub fn read_log_key(folder: &Folder, rel: &str, origin: &str) -> Result<NoteSigner, KeyError> {
    let path = folder.path().join(rel);
    let form = || KeyError::Form { path: path.clone(), expected: "the log key of this origin" };
    let bytes = folder.read(rel).map_err(|error| disk(&path, error))?;
    let bytes = Zeroizing::new(bytes.ok_or_else(|| KeyError::Absent { path: path.clone() })?);
    let text = std::str::from_utf8(&bytes).map_err(|_| form())?.trim_end_matches('\n');
    let rest = text.strip_prefix("PRIVATE+KEY+").ok_or_else(form)?;
    let mut parts = rest.splitn(3, '+');
    let (Some(name), Some(hash), Some(base64)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(form());
    };
    let raw = Zeroizing::new(codec::base64_decode(base64).map_err(|_| form())?);
    let seed: [u8; 32] = match raw.split_first() {
        Some((1, seed)) => seed.try_into().map_err(|_| form())?,
        _ => return Err(form()),
    };
    let key_name = KeyName::new(name).map_err(|_| form())?;
    let signer = NoteSigner::from_seed(key_name, &seed).map_err(|_| form())?;
    let fits = name == origin && hash == format!("{:08x}", signer.verifier_key().key_id());
    if fits { Ok(signer) } else { Err(form()) }
}

/// Makes a new log key for an origin and writes it, readable by the owner alone.
///
/// # Errors
/// It exists already, or cannot be written.
pub fn create_log_key(folder: &Folder, rel: &str, origin: &str) -> Result<NoteSigner, KeyError> {
    let path = folder.path().join(rel);
    let seed = Zeroizing::new(random_bytes()?);
    let form = || KeyError::Form { path: path.clone(), expected: "an origin that can name a key" };
    let key_name = KeyName::new(origin).map_err(|_| form())?;
    let signer = NoteSigner::from_seed(key_name, &seed).map_err(|_| form())?;
    let mut raw = Zeroizing::new(vec![1u8]);
    raw.extend_from_slice(seed.as_slice());
    let line = Zeroizing::new(format!(
        "PRIVATE+KEY+{origin}+{:08x}+{}\n",
        signer.verifier_key().key_id(),
        codec::base64_encode(&raw)
    ));
    match folder.create_secret(rel, line.as_bytes()).map_err(|error| disk(&path, error))? {
        crate::disk::Created::Different => Err(KeyError::Exists { path }),
        crate::disk::Created::New | crate::disk::Created::Equal => Ok(signer),
    }
}

fn disk(path: &Path, error: DiskError) -> KeyError {
    KeyError::Disk { path: path.to_owned(), source: error.source }
}

fn read_text(path: &Path) -> Result<String, KeyError> {
    std::fs::read_to_string(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => KeyError::Absent { path: path.to_owned() },
        _ => KeyError::Disk { path: path.to_owned(), source },
    })
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), KeyError> {
    create(path, bytes, Access::Secret)
}

fn write_new_public(path: &Path, bytes: &[u8]) -> Result<(), KeyError> {
    create(path, bytes, Access::Public)
}

fn create(path: &Path, bytes: &[u8], access: Access) -> Result<(), KeyError> {
    let parent =
        path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let failed = |error| disk(path, error);
    // The temporary file stands beside the key, so that the rename stays on one file system.
    // Named by process and call, so that two of them in one folder do not sweep each other's away.
    let temporary = format!(
        ".undersigned-tmp-{}-{}",
        std::process::id(),
        TEMPORARY_NUMBER.fetch_add(1, Ordering::Relaxed)
    );
    let folder = Folder::open(parent, &temporary).map_err(failed)?;
    folder.sweep_temp().map_err(failed)?;
    let name = file_name(path);
    let created = match access {
        Access::Secret => folder.create_secret(&name, bytes),
        Access::Public => folder.create_durable(&name, bytes),
    };
    let swept = std::fs::remove_dir(parent.join(&temporary));
    match created.map_err(failed)? {
        crate::disk::Created::New => {
            drop(swept);
            Ok(())
        }
        _ => Err(KeyError::Exists { path: path.to_owned() }),
    }
}

/// Numbers the temporary folders of this process; order is of no matter.
static TEMPORARY_NUMBER: AtomicU64 = AtomicU64::new(0);
