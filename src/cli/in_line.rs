//! Many submissions at once, by a program that runs the registry itself: what `replay` and `bench` fill it
//! with.

use super::CliError;
use crate::admission::CheckedSubmission;
use crate::node::Handle;
use crate::sequencer::NotLogged;

/// How many submissions are in line at once; the intake takes more.
pub(super) const IN_LINE_MAX: usize = 2_048;

/// Puts submissions (with the bytes of each) in line, in order, and waits until all are published.
///
/// # Errors
/// One of them was refused, which is a fault of whoever made it, or the log stopped.
pub(super) fn log_all(
    handle: &Handle,
    submissions: impl IntoIterator<Item = Result<(CheckedSubmission, usize), CliError>>,
) -> Result<(), CliError> {
    let mut submissions = submissions.into_iter().peekable();
    while submissions.peek().is_some() {
        let mut waiting = Vec::new();
        for submission in submissions.by_ref().take(IN_LINE_MAX) {
            let (submission, bytes) = submission?;
            waiting.push(handle.intake.submit(submission, bytes).map_err(CliError::fault)?);
        }
        for reply in waiting {
            match reply.blocking_recv() {
                Ok(Ok(_)) => {}
                Ok(Err(NotLogged::Refused(refusal))) => return Err(CliError::broken(refusal)),
                Ok(Err(NotLogged::Later(later))) => return Err(CliError::fault(later)),
                Err(_) => return Err(CliError::fault("the log stopped; see the line above")),
            }
        }
    }
    Ok(())
}
