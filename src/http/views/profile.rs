//! A party as somebody looks at it: who it says it is, its keys, and everything it did.

use std::sync::Arc;

use undersigned_registry::id::PartyId;
use undersigned_tlog::tree::TreeSize;

use super::act::{Act, Deed, Lookup};
use super::party::{PartyView, party};
use crate::http::answer::{blocking, published};
use crate::http::problem::Problem;
use crate::http::query::PageQuery;
use crate::node::Handle;

/// A key that a party ended.
pub(in crate::http) struct EndedKey {
    pub(in crate::http) key: String,
    pub(in crate::http) is_revoked: bool,
    pub(in crate::http) entry: u64,
}

/// A party, looked at.
pub(in crate::http) struct Profile {
    pub(in crate::http) party: PartyView,
    /// A page of what it did, oldest first.
    pub(in crate::http) acts: Vec<Act>,
    /// The keys that ended in these acts.
    pub(in crate::http) ended: Vec<EndedKey>,
}

/// A party by its id, with a page of what it did.
pub(in crate::http) async fn profile(
    handle: &Handle,
    id: PartyId,
    query: &PageQuery,
) -> Result<Profile, Problem> {
    let party = party(handle, id, query).await?;
    let size: TreeSize = published(handle).head.size;
    handle.index.wait_for(size).await?;
    let (index, reader) = (Arc::clone(&handle.index), Arc::clone(&handle.reader));
    blocking(move || {
        let lookup = Lookup { index: &index, reader: &reader, size };
        let acts = party.entries.iter().map(|at| lookup.act(*at)).collect::<Result<Vec<_>, _>>()?;
        let ended = acts
            .iter()
            .filter_map(|act| match &act.deed {
                Deed::ChangedKeys { ended, .. } => Some((act.index, ended)),
                _ => None,
            })
            .flat_map(|(entry, ended)| {
                ended.iter().map(move |(key, how)| EndedKey {
                    key: key.clone(),
                    is_revoked: *how == "revoke",
                    entry,
                })
            })
            .collect();
        Ok(Profile { party, acts, ended })
    })
    .await
}
