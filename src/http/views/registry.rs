//! The registry: which one it is, its keys, its rules, and the tree head of now.

use serde::Serialize;
use undersigned_registry::event::Policy;
use undersigned_tlog::hash::sha256;
use utoipa::ToSchema;

use crate::http::answer::ask;
use crate::http::problem::Problem;
use crate::node::Handle;

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct RegistryView {
    pub(in crate::http) registry: String,
    pub(in crate::http) origin: String,
    pub(in crate::http) genesis: String,
    pub(in crate::http) log_keys: Vec<String>,
    pub(in crate::http) operator: String,
    pub(in crate::http) admission: &'static str,
    pub(in crate::http) log_window: u64,
    pub(in crate::http) max_lag: u64,
    pub(in crate::http) v: u64,
    pub(in crate::http) retention: &'static str,
    pub(in crate::http) tree_size: u64,
    pub(in crate::http) received: u64,
    pub(in crate::http) checkpoint: String,
    pub(in crate::http) mirrors: Vec<String>,
    pub(in crate::http) witnesses: Vec<String>,
}

/// What the registry says of itself.
pub(in crate::http) async fn registry(handle: &Handle) -> Result<RegistryView, Problem> {
    let (size, (policy, received)) =
        ask(handle, |law| (law.ledger().policy(), law.ledger().received())).await?;
    let Policy { admission, log_window, max_lag, v } =
        policy.ok_or_else(|| Problem::internal(&"the log has no policy"))?;
    let published = handle.published.borrow().clone();
    Ok(RegistryView {
        registry: handle.registry.to_text(),
        origin: handle.registry.origin().to_owned(),
        genesis: handle.registry.genesis().to_string(),
        log_keys: vec![handle.log_key.to_string()],
        operator: handle.registry.operator().to_string(),
        admission: admission.name(),
        log_window,
        max_lag,
        v,
        retention: "never-prune",
        tree_size: size.get(),
        received,
        checkpoint: String::from_utf8_lossy(&published.checkpoint).into_owned(),
        mirrors: Vec::new(),
        witnesses: Vec::new(),
    })
}

/// The SHA-256 of the trust anchor, in groups that can be read out: what `undersigned policy` prints.
pub(in crate::http) fn anchor_fingerprint(handle: &Handle) -> String {
    let hex = sha256(&[handle.policy.as_bytes()]).to_hex();
    hex.as_bytes().chunks(8).map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ")
}
