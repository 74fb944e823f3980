//! SIGHUP: the configuration is read again, and what can change while it is served changes.
//!
//! A file that cannot be used changes nothing. What needs a restart is named and stays as it was, in the
//! program and in what `/settings` shows.

use tokio::signal::unix::Signal;
use tokio::sync::watch;

use crate::cli::config::Configuration;
use crate::settings::{Change, Effective, Settings};
use crate::telemetry::meters;

/// Reads the configuration at each signal, hands settings that changed to `apply`, and shows them.
pub(super) async fn on_hangup(
    mut hangup: Signal,
    configuration: Configuration,
    mut current: Effective,
    shown: watch::Sender<serde_json::Value>,
    apply: impl Fn(&Settings),
) {
    while hangup.recv().await.is_some() {
        match configuration.read() {
            Ok(read) => {
                meters::RELOADS.add(&["taken"], 1);
                let changes = read.changes(&current);
                tracing::info!(changes = changes.len(), "configuration read again");
                changes.iter().for_each(say);
                current = read.keeping(&current);
                apply(&current.settings);
                shown.send_replace(current.to_json());
            }
            Err(error) => {
                meters::RELOADS.add(&["refused"], 1);
                tracing::error!(%error, "configuration refused; everything stays as it was");
            }
        }
    }
}

fn say(change: &Change) {
    let Change { name, old, new, is_live } = change;
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "unset".to_owned());
    let (old, new) = (text(old), text(new));
    if *is_live {
        tracing::info!(setting = name, old, new, "setting changed");
    } else {
        tracing::warn!(setting = name, old, new, "setting needs a restart");
    }
}
