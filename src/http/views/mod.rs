//! Views: what an answer says, before anybody decides how it looks.
//!
//! Each is built here from the state, the index and the tiles, as of one tree size, and shown twice: as
//! JSON by the handlers for programs, as HTML by the pages for people. No handler knows both its form and
//! the storage.

pub(super) mod act;
pub(super) mod entry;
pub(super) mod find;
pub(super) mod overview;
pub(super) mod party;
pub(super) mod profile;
pub(super) mod reading;
pub(super) mod register;
pub(super) mod registry;
pub(super) mod signatory;
pub(super) mod statement;

use serde::Serialize;
use undersigned_registry::entry::Entry;
use undersigned_registry::event::Name;
use undersigned_tlog::tree::TreeSize;
use utoipa::ToSchema;

use super::answer::text_blob;
use super::problem::Problem;
use crate::tiles::LogReader;

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct BlobView {
    pub(in crate::http) sha256: String,
    pub(in crate::http) size: u64,
    pub(in crate::http) url: String,
}

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct NameView {
    pub(in crate::http) language: String,
    /// Left out where the text was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) text: Option<String>,
    pub(in crate::http) blob: BlobView,
}

pub(in crate::http) fn blob_view(blob: &undersigned_registry::event::BlobRef) -> BlobView {
    let hex = blob.sha256.to_hex();
    let (first, rest) = hex.split_at_checked(2).unwrap_or_default();
    let (second, _) = rest.split_at_checked(2).unwrap_or_default();
    BlobView { url: format!("/blobs/{first}/{second}/{hex}"), sha256: hex.clone(), size: blob.size }
}

pub(in crate::http) fn name_views(reader: &LogReader, names: &[Name]) -> Vec<NameView> {
    names
        .iter()
        .map(|name| NameView {
            language: name.language.clone(),
            text: text_blob(reader, &name.text),
            blob: blob_view(&name.text),
        })
        .collect()
}

/// Reads an entry that the index names.
pub(in crate::http) fn indexed_entry(
    reader: &LogReader,
    index: u64,
    size: TreeSize,
) -> Result<Entry, Problem> {
    let bytes = reader
        .entry(index, size)?
        .ok_or_else(|| Problem::internal(&format!("the index names entry {index} past the tree")))?;
    Entry::parse(&bytes).map_err(|error| Problem::internal(&format!("entry {index}: {error}")))
}
