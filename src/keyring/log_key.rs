//! The log key: one line in the form that Go's `sumdb/note` uses (`PRIVATE+KEY+name+hash+base64`), so that
//! other tools can read it. It has no passphrase, as the server must start by itself.

use undersigned_tlog::codec;
use undersigned_tlog::note::{KeyName, NoteSigner};
use zeroize::Zeroizing;

use super::files::disk;
use super::{KeyError, random_bytes};
use crate::disk::Folder;

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
