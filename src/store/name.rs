//! The names of objects, and which verb may touch which.
//!
//! A name below `public/` is the path under which everybody reads the object; a name below `private/` is
//! never served. Names are built from checked parts or parsed strictly, so that none can leave its folder.

use std::fmt;

use undersigned_tlog::hash::Hash;
use undersigned_tlog::tile::TilePath;

/// The longest name: a private one; a tile has at most 59 bytes, a blob 83.
pub const NAME_BYTES_MAX: usize = 200;

/// The digits of 2^64-1, so that batches sort by size.
const BATCH_DIGITS: usize = 20;
const PRIVATE_COMPONENTS_MAX: usize = 6;

const BATCHES: &str = "private/batch/";
const CHECKPOINT: &str = "public/checkpoint";
const TILES: &str = "public/tile/";
const BLOBS: &str = "public/blobs/";
const PRIVATE: &str = "private/";
const PUBLIC: &str = "public/";

/// The name of an object, relative to the data folder, with slashes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    text: String,
    kind: Kind,
}

/// Names that begin alike, up to a slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix(String);

/// Why a text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Longer than any name.
    #[error("longer than {NAME_BYTES_MAX} bytes")]
    TooLong,
    /// Neither a batch, a blob, a tile, the checkpoint nor a private name.
    #[error("not the name of an object")]
    Unknown,
    /// A private name with a component that is empty, hidden, or has other characters than a-z, 0-9, dot,
    /// hyphen and underscore; or too many components.
    #[error("not components of a-z, 0-9, dot, hyphen and underscore")]
    Component,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Batch,
    Checkpoint,
    FullTile,
    PartialTile,
    Blob,
    Private,
}

impl Name {
    /// The batch that extends a tree of `old_size` leaves.
    #[must_use]
    pub fn batch(old_size: u64) -> Self {
        Self { text: format!("{BATCHES}{old_size:0BATCH_DIGITS$}"), kind: Kind::Batch }
    }

    /// The published checkpoint.
    #[must_use]
    pub fn checkpoint() -> Self {
        Self { text: CHECKPOINT.to_owned(), kind: Kind::Checkpoint }
    }

    /// A tile of hashes or a bundle of entries.
    #[must_use]
    pub fn tile(path: &TilePath) -> Self {
        let (TilePath::Hashes { width, .. } | TilePath::Entries { width, .. }) = path;
        let kind = if width.is_full() { Kind::FullTile } else { Kind::PartialTile };
        Self { text: format!("{PUBLIC}{path}"), kind }
    }

    /// The blob with this SHA-256.
    #[must_use]
    pub fn blob(hash: &Hash) -> Self {
        let hex = hash.to_hex();
        let first: String = hex.chars().take(2).collect();
        let second: String = hex.chars().skip(2).take(2).collect();
        Self { text: format!("{BLOBS}{first}/{second}/{hex}"), kind: Kind::Blob }
    }

    /// A private object that is no batch, such as a marker file; `path` is what follows `private/`.
    ///
    /// # Errors
    /// The rule that `path` breaks.
    pub fn private(path: &str) -> Result<Self, NameError> {
        let text = format!("{PRIVATE}{path}");
        if text.len() > NAME_BYTES_MAX {
            return Err(NameError::TooLong);
        }
        // Neither below these two directories nor instead of them.
        if ["batch", "tmp"].contains(&path.split('/').next().unwrap_or_default()) {
            return Err(NameError::Unknown);
        }
        if path.split('/').count() > PRIVATE_COMPONENTS_MAX || !path.split('/').all(is_component) {
            return Err(NameError::Component);
        }
        Ok(Self { text, kind: Kind::Private })
    }

    /// Reads a name: the strict inverse of [`Self::as_str`].
    ///
    /// # Errors
    /// The rule that `text` breaks.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.len() > NAME_BYTES_MAX {
            return Err(NameError::TooLong);
        }
        let name = if text == CHECKPOINT {
            Self::checkpoint()
        } else if let Some(digits) = text.strip_prefix(BATCHES) {
            Self::batch(digits.parse().map_err(|_| NameError::Unknown)?)
        } else if text.starts_with(TILES) {
            let path = text.strip_prefix(PUBLIC).ok_or(NameError::Unknown)?;
            Self::tile(&TilePath::parse(path).map_err(|_| NameError::Unknown)?)
        } else if text.starts_with(BLOBS) {
            let hex = text.rsplit('/').next().ok_or(NameError::Unknown)?;
            Self::blob(&Hash::from_hex(hex).map_err(|_| NameError::Unknown)?)
        } else if let Some(path) = text.strip_prefix(PRIVATE) {
            Self::private(path)?
        } else {
            return Err(NameError::Unknown);
        };
        // A second spelling of the same parts is no name.
        if name.text == text { Ok(name) } else { Err(NameError::Unknown) }
    }

    /// The size that a batch extends; none for other objects.
    #[must_use]
    pub fn batch_old_size(&self) -> Option<u64> {
        self.text.strip_prefix(BATCHES).and_then(|digits| digits.parse().ok())
    }

    /// The hash that names a blob; none for other objects.
    #[must_use]
    pub fn blob_hash(&self) -> Option<Hash> {
        self.text.strip_prefix(BLOBS)?.rsplit('/').next().and_then(|hex| Hash::from_hex(hex).ok())
    }

    /// The name as text, relative to the data folder.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) const fn kind(&self) -> Kind {
        self.kind
    }
}

impl Kind {
    pub(super) const fn may_create(self) -> bool {
        matches!(self, Self::Batch | Self::Blob | Self::Private)
    }

    pub(super) const fn may_create_pending(self) -> bool {
        matches!(self, Self::FullTile | Self::PartialTile | Self::Blob)
    }

    pub(super) const fn may_replace_from_batch(self) -> bool {
        matches!(self, Self::FullTile | Self::PartialTile)
    }

    pub(super) const fn may_put_marker(self) -> bool {
        matches!(self, Self::Private)
    }

    pub(super) const fn may_delete(self) -> bool {
        matches!(self, Self::Batch | Self::PartialTile | Self::Blob | Self::Private)
    }
}

impl Prefix {
    /// All batches.
    #[must_use]
    pub fn batches() -> Self {
        Self(BATCHES.to_owned())
    }

    /// All tiles and bundles.
    #[must_use]
    pub fn tiles() -> Self {
        Self(TILES.to_owned())
    }

    /// The partial forms of one tile or bundle, whatever the width in `path`.
    #[must_use]
    pub fn partials(path: &TilePath) -> Self {
        let text = path.to_string();
        let full = text.split_once(".p/").map_or(text.as_str(), |(full, _)| full);
        Self(format!("{PUBLIC}{full}.p/"))
    }

    /// All blobs.
    #[must_use]
    pub fn blobs() -> Self {
        Self(BLOBS.to_owned())
    }

    /// The private objects in one directory below `private/` and the directories below it.
    ///
    /// # Errors
    /// As [`Name::private`].
    pub fn private(directory: &str) -> Result<Self, NameError> {
        Name::private(directory).map(|name| Self(format!("{name}/")))
    }

    /// The prefix as text, with the slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_component(text: &str) -> bool {
    let is_allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
    !text.is_empty() && !text.starts_with('.') && text.bytes().all(is_allowed)
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_the_design_says() {
        // docs/spec/storage.md, SO-1, SO-2 and SO-11.
        let hash = Hash::from_bytes([0xab; 32]);
        let hex = "ab".repeat(32);
        assert_eq!(Name::batch(70_000).as_str(), "private/batch/00000000000000070000");
        assert_eq!(Name::batch(u64::MAX).as_str(), "private/batch/18446744073709551615");
        assert_eq!(Name::blob(&hash).as_str(), format!("public/blobs/ab/ab/{hex}"));
        let tile = TilePath::parse("tile/entries/x001/067.p/5").expect("a tile path");
        assert_eq!(Name::tile(&tile).as_str(), "public/tile/entries/x001/067.p/5");
        assert_eq!(Prefix::partials(&tile).as_str(), "public/tile/entries/x001/067.p/");
        assert_eq!(Name::private("guard.json").map(|name| name.to_string()), Ok("private/guard.json".into()));
        assert_eq!(Name::batch(5).batch_old_size(), Some(5));
        assert_eq!(Name::checkpoint().batch_old_size(), None);
    }

    #[test]
    fn every_name_reads_back() {
        let blob = format!("public/blobs/00/ff/00ff{}", "1".repeat(60));
        for text in [
            "private/batch/00000000000000000000",
            "public/checkpoint",
            "public/tile/0/000",
            "public/tile/7/x012/345.p/255",
            "public/tile/entries/000.p/1",
            blob.as_str(),
            "private/format",
            "private/cosigned/00000000000000000005",
        ] {
            assert_eq!(Name::parse(text).as_ref().map(Name::as_str), Ok(text));
        }
    }

    #[test]
    fn nothing_else_is_a_name() {
        let long = format!("private/{}", "a".repeat(NAME_BYTES_MAX));
        let blob_elsewhere = format!("public/blobs/00/00/00ff{}", "1".repeat(60));
        let blob_upper = format!("public/blobs/FF/FF/FFFF{}", "1".repeat(60));
        let deep = format!("private/{}a", "a/".repeat(PRIVATE_COMPONENTS_MAX));
        for text in [
            "",
            "/",
            "public",
            "public/",
            "public/index.html",
            "public/checkpoint/",
            "public/../private/key",
            "/public/checkpoint",
            "private/",
            "private//a",
            "private/../a",
            "private/a/..",
            "private/.hidden",
            "private/A",
            "private/a b",
            "private/a\0",
            "private/tmp",
            "private/tmp/1-2",
            "private/batch",
            "private/batch/5",
            "private/batch/+0000000000000000005",
            "private/batch/99999999999999999999",
            "private/batch/00000000000000000005/",
            "public/tile/0/00",
            "public/tile/0/000.p/256",
            "public/tile/0/x000/001",
            "public/tile/64/000",
            "public/tile/0/000/..",
            long.as_str(),
            blob_elsewhere.as_str(),
            blob_upper.as_str(),
            deep.as_str(),
        ] {
            assert!(Name::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(Name::private("batch/00000000000000000000"), Err(NameError::Unknown));
    }
}
