//! Where an audited log is read from: over HTTP, or from a folder with its static files (C2SP tlog-tiles).
//!
//! A source gives bytes and checks their form and length, nothing else. It is called from several threads.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use undersigned_client::{BUNDLE_BYTES_MAX, CHECKPOINT_BYTES_MAX, Client, ClientError, TILE_BYTES_MAX};
use undersigned_tlog::hash::HASH_BYTES;
use undersigned_tlog::tile::{Bundle, TileCoordinate, TilePath, Width};

/// A log's static files. Nothing of them is believed.
pub trait Source: Sync {
    /// The published checkpoint.
    ///
    /// # Errors
    /// It cannot be read.
    fn checkpoint(&self) -> Result<Vec<u8>, SourceError>;

    /// The first `width` entries of a bundle, whether it has more by now or not.
    ///
    /// # Errors
    /// It cannot be read, or has fewer.
    fn bundle(&self, index: u64, width: Width) -> Result<Vec<Vec<u8>>, SourceError>;

    /// The bytes of the first `width` hashes of a tile, whether it has more by now or not.
    ///
    /// # Errors
    /// It cannot be read, or has fewer.
    fn tile(&self, coordinate: TileCoordinate, width: Width) -> Result<Vec<u8>, SourceError>;

    /// What to call it in a message.
    fn name(&self) -> String;
}

/// Why a file of a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It is not there.
    #[error("{name} has no {path}")]
    Missing {
        /// The source.
        name: String,
        /// The file.
        path: String,
    },
    /// It is there, but is no such file.
    #[error("{path} of {name} is cut off or damaged")]
    Damaged {
        /// The source.
        name: String,
        /// The file.
        path: String,
    },
    /// The checkpoint is there, but the log is still empty.
    #[error("{name} has a checkpoint of an empty tree: the registry has not opened yet")]
    Empty {
        /// The source.
        name: String,
    },
    /// The registry did not answer.
    #[error(transparent)]
    Http(#[from] ClientError),
    /// The file system said no.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
}

/// A log that a server serves: a registry, a mirror, or any web server with a copy.
#[derive(Debug)]
pub struct HttpSource {
    client: Client,
}

impl HttpSource {
    /// Reads through this client.
    #[must_use]
    pub const fn new(client: Client) -> Self {
        Self { client }
    }

    /// The client that it reads through.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    fn get(&self, path: &TilePath) -> Result<Vec<u8>, SourceError> {
        let found = self.client.tile(path)?;
        found.ok_or_else(|| SourceError::Missing { name: self.name(), path: path.to_string() })
    }
}

impl Source for HttpSource {
    fn checkpoint(&self) -> Result<Vec<u8>, SourceError> {
        Ok(self.client.checkpoint()?)
    }

    fn bundle(&self, index: u64, width: Width) -> Result<Vec<Vec<u8>>, SourceError> {
        let path = TilePath::Entries { index, width };
        entries(&self.get(&path)?, width).ok_or_else(|| damaged(self, &path))
    }

    fn tile(&self, coordinate: TileCoordinate, width: Width) -> Result<Vec<u8>, SourceError> {
        let path = TilePath::Hashes { coordinate, width };
        hashes(self.get(&path)?, width).ok_or_else(|| damaged(self, &path))
    }

    fn name(&self) -> String {
        self.client.base_url().to_owned()
    }
}

/// A log that lies in a folder.
#[derive(Debug)]
pub struct FolderSource {
    folder: PathBuf,
}

impl FolderSource {
    /// Reads from a data folder, its `public` folder, or any copy of that.
    ///
    /// # Errors
    /// There is no checkpoint.
    pub fn open(folder: &Path) -> Result<Self, SourceError> {
        let places = [folder.join("public"), folder.to_owned()];
        match places.into_iter().find(|place| place.join(CHECKPOINT).is_file()) {
            Some(folder) => Ok(Self { folder }),
            None => {
                Err(SourceError::Missing { name: folder.display().to_string(), path: CHECKPOINT.to_owned() })
            }
        }
    }

    /// A file of at most `bytes_max` bytes; `None` if there is none.
    fn read(&self, path: &str, bytes_max: usize) -> Result<Option<Vec<u8>>, SourceError> {
        let file = self.folder.join(path);
        let failed = |source| SourceError::File { path: file.clone(), source };
        let opened = match File::open(&file) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other.map_err(failed)?,
        };
        let mut bytes = Vec::new();
        let one_more = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
        opened.take(one_more).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() <= bytes_max {
            Ok(Some(bytes))
        } else {
            Err(SourceError::Damaged { name: self.name(), path: path.to_owned() })
        }
    }

    /// A partial tile or bundle, or the full one that took its place.
    fn read_either(
        &self,
        path: &TilePath,
        full: &TilePath,
        bytes_max: usize,
    ) -> Result<Vec<u8>, SourceError> {
        if let Some(bytes) = self.read(&path.to_string(), bytes_max)? {
            return Ok(bytes);
        }
        self.read(&full.to_string(), bytes_max)?
            .ok_or_else(|| SourceError::Missing { name: self.name(), path: path.to_string() })
    }
}

impl Source for FolderSource {
    fn checkpoint(&self) -> Result<Vec<u8>, SourceError> {
        self.read(CHECKPOINT, CHECKPOINT_BYTES_MAX)?
            .ok_or_else(|| SourceError::Missing { name: self.name(), path: CHECKPOINT.to_owned() })
    }

    fn bundle(&self, index: u64, width: Width) -> Result<Vec<Vec<u8>>, SourceError> {
        let path = TilePath::Entries { index, width };
        let full = TilePath::Entries { index, width: Width::FULL };
        entries(&self.read_either(&path, &full, BUNDLE_BYTES_MAX)?, width).ok_or_else(|| damaged(self, &path))
    }

    fn tile(&self, coordinate: TileCoordinate, width: Width) -> Result<Vec<u8>, SourceError> {
        let path = TilePath::Hashes { coordinate, width };
        let full = TilePath::Hashes { coordinate, width: Width::FULL };
        hashes(self.read_either(&path, &full, TILE_BYTES_MAX)?, width).ok_or_else(|| damaged(self, &path))
    }

    fn name(&self) -> String {
        self.folder.display().to_string()
    }
}

const CHECKPOINT: &str = "checkpoint";

fn damaged(source: &dyn Source, path: &TilePath) -> SourceError {
    SourceError::Damaged { name: source.name(), path: path.to_string() }
}

/// The first entries of a bundle; `None` if there are not so many, or it is no bundle.
fn entries(bytes: &[u8], width: Width) -> Option<Vec<Vec<u8>>> {
    let entries = Bundle::parse(bytes).ok()?;
    let entries = entries.get(..usize::try_from(width.get()).ok()?)?;
    Some(entries.iter().map(|entry| entry.to_vec()).collect())
}

/// The first hashes of a tile; `None` if there are not so many.
fn hashes(mut bytes: Vec<u8>, width: Width) -> Option<Vec<u8>> {
    let length = usize::try_from(width.get()).ok()?.checked_mul(HASH_BYTES)?;
    if bytes.len() < length || !bytes.len().is_multiple_of(HASH_BYTES) {
        return None;
    }
    bytes.truncate(length);
    Some(bytes)
}
