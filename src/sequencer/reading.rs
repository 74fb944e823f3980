//! The law without a sequencer: over a log that somebody else extends, it answers questions to the state.
//!
//! Nothing is decided here. What stands in line for an entry is told that it will not be one.

use std::sync::{Mutex, PoisonError};

use super::law::Law;
use super::queue::{Intake, Later, NotLogged, QUESTIONS_MAX};

/// Answers questions until the intake is closed. The law is held while a round of them is answered; who
/// extends the log holds it from the first entry of a tree until that tree is published, so that nobody sees
/// a state in between.
pub fn answer<L: Law>(intake: &Intake<L>, law: &Mutex<L>) {
    while let Some(taken) = intake.take(QUESTIONS_MAX, usize::MAX, None) {
        for waiting in taken.waiting {
            // Who waited may have gone.
            let _ = waiting.reply.send(Err(NotLogged::Later(Later::Stopping)));
        }
        let mut law = law.lock().unwrap_or_else(PoisonError::into_inner);
        for question in taken.questions {
            question(&mut law);
        }
    }
    intake.abandon();
}
