//! The typed, blocking HTTP client of a registry.
//!
//! It asks, and gives back what was answered, in types. **Nothing here believes or checks the server**:
//! whether a receipt, a proof, a checkpoint or a list is true is for `undersigned_registry::verify` and
//! `undersigned_tlog` to say, with a policy that came from elsewhere. The only things checked here are that
//! an answer has the form and at most the size of what was asked for, and that a blob is the one its hash
//! names.
//!
//! - [`Client`]: the address, the limits, the retries;
//! - [`ClientError`]: refused, not now, or fault, each with what to do next;
//! - files: checkpoint, tiles, bundles, blobs, as bytes;
//! - [`Submitted`], [`Prepared`]: what signatories need;
//! - [`EntryAnswer`], [`Inclusion`], [`Consistency`], [`StateQuestion`]: what auditors need;
//! - [`Statement`], [`Signatory`], [`Party`], [`KeyInfo`]: what everybody asks, in pages ([`all_pages`]);
//! - [`RegistryInfo`]: what a registry says of itself.
//!
//! Members that a newer server adds to an answer are skipped; a member that is missing is an error.
#![forbid(unsafe_code)]

mod about;
mod address;
mod client;
mod error;
#[cfg(test)]
mod fake_server;
mod files;
mod lists;
mod members;
mod pages;
mod prepare;
mod proofs;
mod submit;
#[cfg(test)]
mod tests;
mod transport;

pub use about::{ProblemCode, RegistryInfo};
pub use client::{
    ATTEMPTS_MAX, CALL_TIMEOUT, CONNECT_TIMEOUT, Client, PAUSE_AFTER_BROKEN_CONNECTION,
    RETRY_AFTER_SECONDS_MAX,
};
pub use error::{ClientError, Problem};
pub use files::{BLOB_BYTES_MAX, BUNDLE_BYTES_MAX, CHECKPOINT_BYTES_MAX, FILE_BYTES_MAX, TILE_BYTES_MAX};
pub use lists::{
    Blob, Claim, Claims, Count, KeyInfo, Name, Party, Signatories, Signatory, Statement, StatementItem,
    Statements, Text, Version,
};
pub use pages::{AllPages, Listing, PAGE_LIMIT_MAX, Page, all_pages};
pub use prepare::{PrepareRequest, Prepared};
pub use proofs::{Consistency, EntryAnswer, Inclusion, StateOf, StateQuestion};
pub use submit::Submitted;
pub use transport::{ANSWER_BYTES_MAX, LIST_BYTES_MAX, PROBLEM_BYTES_MAX};
