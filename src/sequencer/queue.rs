//! The intake: a queue with limits, in front of the one thread that decides.
//!
//! Nothing waits in line beyond the limits: a full queue says so at once, and the caller answers "later".

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::law::Law;
use crate::publish::Answer;

/// How many submissions may wait: 16 full batches would take longer than a client should wait.
pub const QUEUE_ENTRIES_MAX: usize = 4_096;

/// How many bytes of submissions may wait.
pub const QUEUE_BYTES_MAX: usize = 64 << 20;

/// How many questions may wait.
pub const QUESTIONS_MAX: usize = 1_024;

/// How many submissions may wait in the reserved line. It is emptied with the next batch, a quarter of it
/// at most: 256 organisations that leave at the same moment.
pub const RESERVED_ENTRIES_MAX: usize = 256;

/// How many bytes may wait there: 256 withdrawals of 16 KiB.
pub const RESERVED_BYTES_MAX: usize = 4 << 20;

/// How many submissions are a batch that is worth its writes whatever else is coming: what one batch costs is
/// then a tenth of what its entries do.
const TOGETHER_ENTRIES: usize = 32;

/// How long what stands in line waits for what is coming: less than the writes of a batch take, so that nobody
/// who sends nothing but what is refused can keep others waiting.
const COMING_WAIT_MAX: Duration = Duration::from_millis(2);

/// How many questions may wait beyond [`QUESTIONS_MAX`] if they are about the reserved line.
const RESERVED_QUESTIONS_MAX: usize = 256;

/// What becomes of a submission.
pub type Reply<L> = Result<Answer<<L as Law>::Cut>, NotLogged<<L as Law>::Refusal>>;

/// Why a submission has no entry.
#[derive(Debug, Clone)]
pub enum NotLogged<R> {
    /// The law refuses it.
    Refused(R),
    /// Nothing happened, for a reason that passes.
    Later(Later),
}

/// Why intake is closed or full; nothing was logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Later {
    /// The queue is full.
    #[error("too many submissions are waiting")]
    Full,
    /// The disk has no room, no inodes or no descriptors.
    #[error("the disk has no room for another entry")]
    Storage,
    /// The clock cannot be believed.
    #[error("the registry's clock moved in a way that nobody has explained yet")]
    Clock,
    /// The process is stopping.
    #[error("the registry is stopping")]
    Stopping,
}

/// A question to the state between two batches.
pub(super) type Question<L> = Box<dyn FnOnce(&mut L) + Send>;

/// A submission in line.
pub(super) struct Waiting<L: Law> {
    pub(super) submission: L::Submission,
    pub(super) bytes: usize,
    pub(super) reply: oneshot::Sender<Reply<L>>,
}

struct Line<L: Law> {
    ordinary: Lane<L>,
    /// Taken first, with room of its own.
    reserved: Lane<L>,
    questions: VecDeque<Question<L>>,
    /// How many are being checked by some core at this moment, and will stand in line next.
    coming: usize,
    is_closed: bool,
}

impl<L: Law> Line<L> {
    fn entries(&self) -> usize {
        self.ordinary.waiting.len().saturating_add(self.reserved.waiting.len())
    }

    /// Whether to begin with what is there: with each batch come writes that cost the same for one entry
    /// and for many, and on a busy machine the next submissions are a moment away.
    fn is_worth_taking(&self) -> bool {
        let entries = self.entries();
        !self.questions.is_empty() || entries >= TOGETHER_ENTRIES || (entries > 0 && self.coming == 0)
    }
}

/// Submissions of one kind, in their order.
struct Lane<L: Law> {
    waiting: VecDeque<Waiting<L>>,
    bytes: usize,
}

impl<L: Law> Lane<L> {
    const fn new() -> Self {
        Self { waiting: VecDeque::new(), bytes: 0 }
    }

    fn has_room(&self, bytes: usize, entries_max: usize, bytes_max: usize) -> bool {
        self.waiting.len() < entries_max && self.bytes.saturating_add(bytes) <= bytes_max
    }

    fn push(&mut self, waiting: Waiting<L>) {
        self.bytes = self.bytes.saturating_add(waiting.bytes);
        self.waiting.push_back(waiting);
    }

    fn pop(&mut self) -> Option<Waiting<L>> {
        let waiting = self.waiting.pop_front()?;
        self.bytes = self.bytes.saturating_sub(waiting.bytes);
        Some(waiting)
    }
}

/// The intake of a sequencer. Cheap to clone; all clones are one queue.
pub struct Intake<L: Law> {
    shared: Arc<Shared<L>>,
}

struct Shared<L: Law> {
    /// The line; every holder leaves it in a state from which work can go on, and none holds it long.
    line: Mutex<Line<L>>,
    /// Rings when the line is no longer empty, or closes.
    ring: Condvar,
    /// Why the newest batch could not be committed; none once one was. Set by the sequencer alone.
    closed_for: Mutex<Option<Later>>,
}

impl<L: Law> Clone for Intake<L> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<L: Law> std::fmt::Debug for Intake<L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake").finish_non_exhaustive()
    }
}

/// What the sequencer takes at once.
pub(super) struct Taken<L: Law> {
    pub(super) waiting: Vec<Waiting<L>>,
    pub(super) questions: Vec<Question<L>>,
}

impl<L: Law> Intake<L> {
    /// An open, empty intake.
    #[must_use]
    pub fn new() -> Self {
        let line = Line {
            ordinary: Lane::new(),
            reserved: Lane::new(),
            questions: VecDeque::new(),
            coming: 0,
            is_closed: false,
        };
        let (line, closed_for) = (Mutex::new(line), Mutex::new(None));
        Self { shared: Arc::new(Shared { line, ring: Condvar::new(), closed_for }) }
    }

    /// Says that a submission is being checked, until what is returned is dropped: what stands in line waits
    /// for it, a moment and no longer.
    #[must_use]
    pub fn coming(&self) -> Coming<L> {
        let mut line = self.lock();
        line.coming = line.coming.saturating_add(1);
        drop(line);
        Coming(self.clone())
    }

    /// Puts a submission of so many bytes in line; the reply comes once its entry is published.
    ///
    /// A receiver that is dropped unanswered means that the process stops and the outcome is unknown.
    ///
    /// # Errors
    /// The line is full or closed; nothing happened.
    pub fn submit(
        &self,
        submission: L::Submission,
        bytes: usize,
    ) -> Result<oneshot::Receiver<Reply<L>>, Later> {
        self.push(submission, bytes, |line| {
            let has_room = line.ordinary.has_room(bytes, QUEUE_ENTRIES_MAX, QUEUE_BYTES_MAX);
            has_room.then_some(&mut line.ordinary)
        })
    }

    /// The same in the reserved line, which is small and taken first: for what must get through when all
    /// others are told to wait. Who asks for it has made sure of that ([`Intake::ask_reserved`]).
    ///
    /// # Errors
    /// As [`Intake::submit`].
    pub fn submit_reserved(
        &self,
        submission: L::Submission,
        bytes: usize,
    ) -> Result<oneshot::Receiver<Reply<L>>, Later> {
        self.push(submission, bytes, |line| {
            let has_room = line.reserved.has_room(bytes, RESERVED_ENTRIES_MAX, RESERVED_BYTES_MAX);
            has_room.then_some(&mut line.reserved)
        })
    }

    fn push(
        &self,
        submission: L::Submission,
        bytes: usize,
        room: impl FnOnce(&mut Line<L>) -> Option<&mut Lane<L>>,
    ) -> Result<oneshot::Receiver<Reply<L>>, Later> {
        let mut line = self.lock();
        if line.is_closed {
            return Err(Later::Stopping);
        }
        let (reply, receiver) = oneshot::channel();
        room(&mut line).ok_or(Later::Full)?.push(Waiting { submission, bytes, reply });
        let is_worth_taking = line.is_worth_taking();
        drop(line);
        if is_worth_taking {
            self.shared.ring.notify_one();
        }
        Ok(receiver)
    }

    /// Asks the state something between two batches, when all that was decided is committed.
    ///
    /// # Errors
    /// Too many questions wait, or the process is stopping.
    pub fn ask<A: Send + 'static>(
        &self,
        question: impl FnOnce(&L) -> A + Send + 'static,
    ) -> Result<oneshot::Receiver<A>, Later> {
        self.ask_up_to(QUESTIONS_MAX, |law: &mut L| question(law))
    }

    /// Asks whether something may stand in the reserved line; there is room for it when there is none for
    /// other questions.
    ///
    /// # Errors
    /// As [`Intake::ask`].
    pub fn ask_reserved<A: Send + 'static>(
        &self,
        question: impl FnOnce(&L) -> A + Send + 'static,
    ) -> Result<oneshot::Receiver<A>, Later> {
        self.ask_up_to(QUESTIONS_MAX + RESERVED_QUESTIONS_MAX, |law: &mut L| question(law))
    }

    /// Asks the law for the next piece of a copy of its state, which is no question of anybody's: its one asker
    /// waits for each answer before it asks again.
    pub(super) fn ask_for_copy<A: Send + 'static>(
        &self,
        question: impl FnOnce(&mut L) -> A + Send + 'static,
    ) -> Result<oneshot::Receiver<A>, Later> {
        self.ask_up_to(usize::MAX, question)
    }

    fn ask_up_to<A: Send + 'static>(
        &self,
        questions_max: usize,
        question: impl FnOnce(&mut L) -> A + Send + 'static,
    ) -> Result<oneshot::Receiver<A>, Later> {
        let mut line = self.lock();
        if line.is_closed {
            return Err(Later::Stopping);
        }
        if line.questions.len() >= questions_max {
            return Err(Later::Full);
        }
        let (reply, receiver) = oneshot::channel();
        line.questions.push_back(Box::new(move |law| {
            // Who asked may have gone.
            let _ = reply.send(question(law));
        }));
        drop(line);
        self.shared.ring.notify_one();
        Ok(receiver)
    }

    /// Closes the intake: what waits is still decided, nothing more comes in.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.shared.ring.notify_all();
    }

    /// Closes the intake for want of anybody who decides: whoever stands in line is told that nothing
    /// happened, and the answer to a question never comes.
    pub(super) fn abandon(&self) {
        let mut line = self.lock();
        line.is_closed = true;
        let reserved = std::mem::replace(&mut line.reserved, Lane::new());
        let ordinary = std::mem::replace(&mut line.ordinary, Lane::new());
        let questions = std::mem::take(&mut line.questions);
        drop(line);
        for waiting in reserved.waiting.into_iter().chain(ordinary.waiting) {
            // Who waited may have gone.
            let _ = waiting.reply.send(Err(NotLogged::Later(Later::Stopping)));
        }
        drop(questions);
    }

    /// How many submissions and bytes wait.
    #[must_use]
    pub fn depth(&self) -> (usize, usize) {
        let line = self.lock();
        (line.entries(), line.ordinary.bytes.saturating_add(line.reserved.bytes))
    }

    /// How many questions wait.
    #[must_use]
    pub fn questions(&self) -> usize {
        self.lock().questions.len()
    }

    /// Why the newest batch could not be committed; none if it was.
    #[must_use]
    pub fn closed_for(&self) -> Option<Later> {
        *self.shared.closed_for.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note_closed_for(&self, reason: Option<Later>) {
        *self.shared.closed_for.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }

    /// Waits for work, and a moment for what is coming beside it, and takes up to a batch of it, what is
    /// reserved first; nothing once `patience` is over, `None` when closed and empty.
    pub(super) fn take(
        &self,
        entries_max: usize,
        bytes_max: usize,
        patience: Option<Duration>,
    ) -> Option<Taken<L>> {
        let mut until = patience.and_then(|patience| Instant::now().checked_add(patience));
        let mut line = self.lock();
        let mut has_seen_some = false;
        while !line.is_worth_taking() {
            let is_empty = line.entries() == 0;
            match (line.is_closed, is_empty) {
                (true, true) => return None,
                (true, false) => break,
                (false, _) => {}
            }
            if !is_empty && !has_seen_some {
                has_seen_some = true;
                until = Instant::now().checked_add(COMING_WAIT_MAX);
            }
            line = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                None => self.shared.ring.wait(line).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => break,
                Some(left) => {
                    self.shared.ring.wait_timeout(line, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        let mut waiting = Vec::new();
        let mut bytes = 0usize;
        while waiting.len() < entries_max {
            let Line { reserved, ordinary, .. } = &mut *line;
            let lane = if reserved.waiting.is_empty() { ordinary } else { reserved };
            let Some(next) = lane.waiting.front() else { break };
            if !waiting.is_empty() && bytes.saturating_add(next.bytes) > bytes_max {
                break;
            }
            bytes = bytes.saturating_add(next.bytes);
            waiting.extend(lane.pop());
        }
        let questions = line.questions.drain(..).collect();
        Some(Taken { waiting, questions })
    }

    fn lock(&self) -> MutexGuard<'_, Line<L>> {
        self.shared.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A submission that is being checked.
pub struct Coming<L: Law>(Intake<L>);

impl<L: Law> std::fmt::Debug for Coming<L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Coming")
    }
}

impl<L: Law> Drop for Coming<L> {
    fn drop(&mut self) {
        let mut line = self.0.lock();
        line.coming = line.coming.saturating_sub(1);
        let is_worth_taking = line.is_worth_taking();
        drop(line);
        if is_worth_taking {
            self.0.shared.ring.notify_one();
        }
    }
}

impl<L: Law> Default for Intake<L> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sequencer::law::{Outcome, Rejected};

    /// Never asked anything: what is tested here stands before the law.
    struct NoLaw;

    impl Law for NoLaw {
        type Submission = ();
        type Refusal = ();
        type Cut = ();

        fn identity(&self) -> String {
            String::new()
        }
        fn size(&self) -> u64 {
            0
        }
        fn received(&self) -> u64 {
            0
        }
        fn max_lag(&self) -> u64 {
            0
        }
        fn decide(&mut self, (): (), _: u64) -> Result<Outcome<()>, Rejected<()>> {
            Err(Rejected::Refused(()))
        }
        fn keep(&mut self) {}
        fn undo(&mut self) -> Result<(), String> {
            Ok(())
        }
        fn blobs(&self, _: &[u8]) -> Vec<undersigned_tlog::hash::Hash> {
            Vec::new()
        }
        fn follow(&mut self, _: &[u8], _: bool) -> Result<(), String> {
            Ok(())
        }
    }

    #[test]
    fn one_alone_is_taken_at_once_and_waits_for_what_is_coming() {
        let intake = Intake::<NoLaw>::new();
        assert!(!intake.lock().is_worth_taking(), "nothing is there");
        let reply = intake.submit((), 1);
        assert!(reply.is_ok() && intake.lock().is_worth_taking(), "nothing else is coming");
        let (one, other) = (intake.coming(), intake.coming());
        assert!(!intake.lock().is_worth_taking(), "two are coming");
        drop(one);
        assert!(!intake.lock().is_worth_taking(), "one is coming");
        drop(other);
        assert!(intake.lock().is_worth_taking());
    }

    #[test]
    fn a_batch_that_is_large_enough_waits_for_nobody_and_neither_does_a_question() {
        let intake = Intake::<NoLaw>::new();
        let _coming = intake.coming();
        for _ in 1..TOGETHER_ENTRIES {
            assert!(intake.submit((), 1).is_ok() && !intake.lock().is_worth_taking());
        }
        assert!(intake.submit((), 1).is_ok() && intake.lock().is_worth_taking());
        let intake = Intake::<NoLaw>::new();
        let _coming = intake.coming();
        assert!(intake.ask(|_| ()).is_ok() && intake.lock().is_worth_taking());
    }

    #[test]
    fn what_waits_is_taken_though_something_is_coming_for_ever() {
        let intake = Intake::<NoLaw>::new();
        let _coming = intake.coming();
        assert!(intake.submit((), 1).is_ok());
        assert_eq!(intake.take(8, 8, None).map(|taken| taken.waiting.len()), Some(1));
        assert!(intake.submit((), 1).is_ok());
        intake.close();
        assert_eq!(intake.take(8, 8, None).map(|taken| taken.waiting.len()), Some(1), "closed, not lost");
        assert!(intake.take(8, 8, None).is_none());
    }
}
