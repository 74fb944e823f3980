//! What an auditor's machine does without the server: receipts verified on one core, and the whole folder
//! audited, with tiles, signatures, law and state.

use std::path::Path;
use std::time::{Duration, Instant};

use undersigned_registry::verify::Trust;

use super::super::{CliError, audit, verify};
use crate::audit::{AuditError, FolderSource, Follower, SourceError};

/// How long receipts are verified.
pub(super) const VERIFY_TIME: Duration = Duration::from_secs(3);
/// How long the audit takes at most; the rate is of what was replayed by then.
const AUDIT_MAX: Duration = Duration::from_secs(60);

/// Receipts a second on one core: the receipts of the rows, in turns.
pub(super) fn receipts_per_second(
    receipts: &[Vec<u8>],
    trust: &Trust,
    time: Duration,
) -> Result<f64, CliError> {
    let (begun, mut verified) = (Instant::now(), 0u32);
    while !receipts.is_empty() && begun.elapsed() < time {
        for receipt in receipts {
            verify::check(receipt, trust).map_err(|error| {
                CliError::broken(format!("a receipt of this run does not verify: {error}"))
            })?;
            verified = verified.saturating_add(1);
            if begun.elapsed() >= time {
                break;
            }
        }
    }
    Ok(f64::from(verified) / begun.elapsed().as_secs_f64())
}

/// Why an audit ended before the last entry.
enum Ended {
    Time,
    Audit(AuditError),
}

impl From<AuditError> for Ended {
    fn from(error: AuditError) -> Self {
        Self::Audit(error)
    }
}

/// Entries a second of an audit from entry 0 on.
pub(super) fn audit(folder: &Path, trust: &Trust) -> Result<f64, CliError> {
    let unread = |error: SourceError| audit::failed(AuditError::Source(error));
    let source = FolderSource::open(folder).map_err(unread)?;
    let (begun, mut entries) = (Instant::now(), 0u64);
    let mut follower = Follower::new(trust.clone());
    follower.look(&source).map_err(audit::failed)?;
    let ended = follower.advance(&source, &|_, _| {}, &mut |batch| {
        entries = batch.replayed().last().map_or(entries, |entry| entry.index.saturating_add(1));
        if begun.elapsed() < AUDIT_MAX { Ok(()) } else { Err(Ended::Time) }
    });
    match ended {
        Ok(()) | Err(Ended::Time) => {}
        Err(Ended::Audit(error)) => return Err(audit::failed(error)),
    }
    Ok(f64::from(u32::try_from(entries).unwrap_or(u32::MAX)) / begun.elapsed().as_secs_f64())
}
