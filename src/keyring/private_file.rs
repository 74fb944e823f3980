//! The forms of private key files: OpenSSH's own and PKCS#8 in PEM (RFC 8410, RFC 5958), each plain or
//! locked with a passphrase. Other forms are refused with the command that converts them.

use std::path::Path;

use ed25519_dalek::SigningKey;
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef, SecretDocument};
use ssh_key::PrivateKey;

use super::{KeyError, Passphrase, PassphraseSource};

/// What a private key file holds.
pub(super) struct Opened {
    pub(super) signing: SigningKey,
    pub(super) comment: String,
    /// What it was locked with.
    pub(super) passphrase: Option<Passphrase>,
}

/// Reads the text of a private key file, and asks for the passphrase where it is locked.
pub(super) fn open(path: &Path, text: &str, source: &PassphraseSource) -> Result<Opened, KeyError> {
    let label = text.lines().find_map(|line| line.trim().strip_prefix("-----BEGIN ")?.strip_suffix("-----"));
    let refused = |expected| Err(KeyError::Form { path: path.to_owned(), expected });
    match label {
        Some("OPENSSH PRIVATE KEY") => openssh(path, text, source),
        Some("PRIVATE KEY") => {
            let (_, document) = SecretDocument::from_pem(text).map_err(|_| malformed(path))?;
            Ok(Opened { signing: ed25519(path, &document)?, comment: String::new(), passphrase: None })
        }
        Some("ENCRYPTED PRIVATE KEY") => encrypted_pem(path, text, source),
        Some("PUBLIC KEY") => Err(KeyError::PublicHalf { path: path.to_owned() }),
        // The older forms of OpenSSL have no Ed25519.
        Some(label) if label.ends_with("PRIVATE KEY") => refused(NOT_ED25519),
        _ if text.starts_with("ssh-") => Err(KeyError::PublicHalf { path: path.to_owned() }),
        _ if text.starts_with("PuTTY-User-Key-File") => {
            refused("in OpenSSH's form or PEM\nconvert it: puttygen FILE -O private-openssh-new -o NEW-FILE")
        }
        _ => refused(
            "a private key file in OpenSSH's form or PEM (PKCS#8)\nmake one with: undersigned key new FILE, or: openssl genpkey -algorithm ed25519 -out FILE",
        ),
    }
}

/// The public key of a private key file, without its passphrase where the file tells.
pub(super) fn public_part(text: &str) -> Option<[u8; 32]> {
    let key = PrivateKey::from_openssh(text.as_bytes()).ok()?;
    key.public_key().key_data().ed25519().map(|key| key.0)
}

fn openssh(path: &Path, text: &str, source: &PassphraseSource) -> Result<Opened, KeyError> {
    let key = PrivateKey::from_openssh(text.as_bytes()).map_err(|_| malformed(path))?;
    // Asked before the passphrase is: nobody types it for a key that is then refused.
    if key.public_key().key_data().ed25519().is_none() {
        return Err(KeyError::Form { path: path.to_owned(), expected: NOT_ED25519 });
    }
    let (key, passphrase) = if key.is_encrypted() {
        let (key, passphrase) = source.unlock(path, |word| key.decrypt(word.bytes()).ok())?;
        (key, Some(passphrase))
    } else {
        (key, None)
    };
    let pair = key.key_data().ed25519().ok_or_else(|| malformed(path))?;
    let signing = SigningKey::from_bytes(&pair.private.to_bytes());
    Ok(Opened { signing, comment: key.comment().to_string(), passphrase })
}

fn encrypted_pem(path: &Path, text: &str, source: &PassphraseSource) -> Result<Opened, KeyError> {
    let (_, document) = SecretDocument::from_pem(text).map_err(|_| malformed(path))?;
    let locked = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes()).map_err(|_| KeyError::Form {
        path: path.to_owned(),
        expected: "locked in a way that this program can open (PBES2)\nlock it anew: openssl pkcs8 -topk8 -v2 aes-256-cbc -in FILE -out NEW-FILE",
    })?;
    let (document, passphrase) = source.unlock(path, |word| locked.decrypt(word.bytes()).ok())?;
    Ok(Opened { signing: ed25519(path, &document)?, comment: String::new(), passphrase: Some(passphrase) })
}

fn ed25519(path: &Path, document: &SecretDocument) -> Result<SigningKey, KeyError> {
    let info = PrivateKeyInfoRef::try_from(document.as_bytes()).map_err(|_| malformed(path))?;
    if info.algorithm.oid != pkcs8::ObjectIdentifier::new_unwrap(ED25519_OID) {
        return Err(KeyError::Form { path: path.to_owned(), expected: NOT_ED25519 });
    }
    SigningKey::try_from(info).map_err(|_| malformed(path))
}

fn malformed(path: &Path) -> KeyError {
    KeyError::Form {
        path: path.to_owned(),
        expected: "a whole private key file: it is cut off or damaged\ntake it from a backup",
    }
}

/// `id-Ed25519` of RFC 8410, section 3.
const ED25519_OID: &str = "1.3.101.112";
const NOT_ED25519: &str = "an Ed25519 key, the only kind that the registry takes\nmake one with: undersigned key new FILE, or: ssh-keygen -t ed25519 -f FILE";
