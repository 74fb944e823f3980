//! Key files of other programs are read, and nothing secret is where others can read it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::*;

/// `openssl genpkey -algorithm ed25519`, and the same key locked by
/// `openssl pkcs8 -topk8 -v2 aes-256-cbc -iter 2048` with the passphrase `correct horse`.
const PEM: &str = include_str!("../../tests/fixtures/keys/plain.pem");
const PEM_LOCKED: &str = include_str!("../../tests/fixtures/keys/locked.pem");
const PEM_PUBLIC: &str = include_str!("../../tests/fixtures/keys/public.pem");
/// `openssl genpkey -algorithm x25519`: of the same length, and no signing key.
const PEM_X25519: &str = include_str!("../../tests/fixtures/keys/x25519.pem");
/// `ssh-keygen -t ed25519 -a 4 -N 'correct horse'`.
const OPENSSH_LOCKED: &str = include_str!("../../tests/fixtures/keys/locked.openssh");
const OPENSSH_LOCKED_PUBLIC: &str = include_str!("../../tests/fixtures/keys/locked.openssh.pub");

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        mode(&path, 0o600);
        path
    }

    fn word(&self, text: &str) -> PassphraseSource {
        PassphraseSource::File(self.file("word", text))
    }
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn told(result: Result<PartyKey, KeyError>) -> String {
    result.map(|key| key.id()).unwrap_err().to_string()
}

#[test]
fn pem_is_the_same_key_locked_and_plain() {
    let place = Place::new();
    let plain = PartyKey::read(&place.file("plain", PEM)).unwrap();
    let public = read_public_key(&place.file("public", PEM_PUBLIC)).unwrap();
    assert_eq!(plain.public(), public);
    let locked = place.file("locked", PEM_LOCKED);
    let (opened, word) = PartyKey::unlock(&locked, &place.word("correct horse\n")).unwrap();
    assert_eq!(opened.public(), public);
    assert_eq!(word.unwrap().bytes(), b"correct horse");
    assert!(matches!(PartyKey::read(&locked), Err(KeyError::Locked { .. })));
    let wrong = PartyKey::unlock(&locked, &place.word("wrong horse"));
    assert!(matches!(wrong, Err(KeyError::WrongPassphrase { .. })), "{wrong:?}");
}

#[test]
fn a_locked_openssh_file_opens_with_its_passphrase_only() {
    let place = Place::new();
    let locked = place.file("locked", OPENSSH_LOCKED);
    let public = read_public_key(&place.file("locked.pub", OPENSSH_LOCKED_PUBLIC)).unwrap();
    let (opened, _) = PartyKey::unlock(&locked, &place.word("correct horse")).unwrap();
    assert_eq!(opened.public(), public);
    // The file tells its public key without the passphrase.
    assert_eq!(PartyKey::read_public(&locked, &PassphraseSource::Nowhere).unwrap(), public);
    assert!(matches!(PartyKey::read(&locked), Err(KeyError::Locked { .. })));
    for wrong in ["correct hors", "correct horse ", "Correct horse"] {
        let refused = PartyKey::unlock(&locked, &place.word(wrong));
        assert!(matches!(refused, Err(KeyError::WrongPassphrase { .. })), "{wrong:?}");
    }
}

#[test]
fn what_is_written_is_locked_is_the_owners_alone_and_is_never_replaced() {
    let place = Place::new();
    let key = PartyKey::generate("a comment").unwrap();
    let path = place.path("new");
    let source = place.word("correct horse");
    key.write_new(&path, Some(&source.choose(&path).unwrap())).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(ssh_key::PrivateKey::from_openssh(&text).unwrap().is_encrypted());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    let (again, word) = PartyKey::unlock(&path, &source).unwrap();
    assert_eq!((again.id(), again.public_line()), (key.id(), key.public_line()));
    assert!(word.is_some());
    assert!(matches!(key.write_new(&path, None), Err(KeyError::Exists { .. })));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    // Nor is a public key that another private one belongs to.
    std::fs::remove_file(&path).unwrap();
    let other = PartyKey::generate("").unwrap().write_new(&path, None);
    assert!(matches!(other, Err(KeyError::Exists { path }) if path.ends_with("new.pub")));
    assert!(!path.exists());
}

#[test]
fn a_secret_that_others_can_read_is_refused_as_ssh_does() {
    let place = Place::new();
    let path = place.file("key", PEM);
    for (bits, is_read) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o620, false)] {
        mode(&path, bits);
        let read = PartyKey::read(&path);
        assert_eq!(read.is_ok(), is_read, "{bits:o}: {read:?}");
        if !is_read {
            assert!(matches!(read, Err(KeyError::Open { mode, .. }) if mode == bits));
        }
    }
    // The same for the file that holds a passphrase.
    let locked = place.file("locked", PEM_LOCKED);
    let word = place.file("word", "correct horse");
    mode(&word, 0o644);
    let refused = PartyKey::unlock(&locked, &PassphraseSource::File(word.clone()));
    assert!(matches!(refused, Err(KeyError::Open { path, .. }) if path == word));
}

#[test]
fn other_files_are_refused_with_what_to_do() {
    let place = Place::new();
    let cut = &PEM_LOCKED[..PEM_LOCKED.len() / 2];
    for (text, expected) in [
        (PEM_X25519, "not an Ed25519 key, the only kind"),
        ("-----BEGIN RSA PRIVATE KEY-----\n", "not an Ed25519 key, the only kind"),
        ("-----BEGIN EC PRIVATE KEY-----\n", "not an Ed25519 key, the only kind"),
        (PEM_PUBLIC, "is the public key, which cannot sign\nname the"),
        (OPENSSH_LOCKED_PUBLIC, "is the public key, which cannot sign\nname the"),
        ("PuTTY-User-Key-File-3: ssh-ed25519\n", "puttygen"),
        (cut, "cut off or damaged"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", "damaged"),
        ("", "not a private key file"),
        ("hello\n", "not a private key file"),
    ] {
        let said = told(PartyKey::read(&place.file("key", text)));
        assert!(said.contains(expected), "{text:?}: {said}");
        assert!(said.contains('\n'), "it says what to do: {said}");
    }
    std::fs::write(place.path("key"), [0xff; 64]).unwrap();
    assert!(told(PartyKey::read(&place.path("key"))).contains("not a text file"));
    std::fs::write(place.path("key"), vec![b'a'; 100_000]).unwrap();
    assert!(told(PartyKey::read(&place.path("key"))).contains("too large"));
    assert!(told(PartyKey::read(&place.path("none"))).starts_with("there is no key file "));
}

#[test]
fn a_passphrase_file_needs_a_passphrase() {
    let place = Place::new();
    let locked = place.file("locked", PEM_LOCKED);
    for empty in ["", "\n", "\ncorrect horse\n"] {
        let refused = PartyKey::unlock(&locked, &place.word(empty));
        assert!(matches!(refused, Err(KeyError::Form { path, .. }) if path.ends_with("word")), "{empty:?}");
    }
    let absent = PassphraseSource::File(place.path("none"));
    assert!(told(PartyKey::unlock(&locked, &absent).map(|(key, _)| key)).contains("none"));
}
