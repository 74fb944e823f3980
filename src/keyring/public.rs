//! Public keys as OpenSSH and OpenSSL write them. Nothing here is secret.

use std::path::Path;

use undersigned_tlog::codec;

use super::KeyError;
use super::files::read_text;

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
        expected: "an Ed25519 public key (an OpenSSH .pub line, or PEM from openssl pkey -pubout)\nname the file that ends in .pub, or make it: ssh-keygen -y -f KEY, or: openssl pkey -in KEY -pubout",
    };
    if let Ok(key) = ssh_key::PublicKey::from_openssh(text.trim()) {
        return key.key_data().ed25519().map(|key| key.0).ok_or_else(form);
    }
    // Looked at before anything is copied out of what may be the private file.
    if !text.contains("BEGIN PUBLIC KEY") {
        return Err(form());
    }
    let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = codec::base64_decode(body.trim()).map_err(|_| form())?;
    der.strip_prefix(&SPKI_PREFIX).and_then(|raw| <[u8; 32]>::try_from(raw).ok()).ok_or_else(form)
}
