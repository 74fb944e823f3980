//! What stands around every page: whose registry it is, how large, and where the style lies.

use super::assets;
use crate::node::Handle;

/// The frame of a page.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) origin: String,
    pub(super) tree_size: u64,
    pub(super) style: String,
    pub(super) icon: String,
    /// Where the log is, if this is a mirror.
    pub(super) mirror_of: Option<String>,
}

impl Frame {
    /// The frame of a registry as it is now.
    pub(super) fn of(handle: &Handle) -> Self {
        Self {
            origin: handle.registry.origin().to_owned(),
            tree_size: handle.published.borrow().head.size.get(),
            style: assets::style(),
            icon: assets::icon(),
            mirror_of: handle.upstream.as_ref().map(|upstream| upstream.url.clone()),
        }
    }
}
