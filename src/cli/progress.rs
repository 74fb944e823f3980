//! How far a long step is, with rate and time left, on standard error.
//!
//! Nothing is shown before two seconds have passed, nor where nobody looks at it: with `--json`, or where
//! standard error is no terminal.

use std::cell::Cell;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::Output;

/// What is done sooner needs no bar.
const SHOWN_AFTER: Duration = Duration::from_secs(2);

/// The progress of one step.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    begun: Instant,
    /// Whether it waits to be shown.
    waits: Cell<bool>,
}

impl Progress {
    /// A step of unknown length, of things called so.
    pub(super) fn new(things: &str, output: Output) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        bar.set_message(things.to_owned());
        style(&bar, "{msg}: {pos}, {per_sec}, {elapsed} so far");
        Self { bar, begun: Instant::now(), waits: Cell::new(!output.is_json()) }
    }

    /// A step of known length.
    pub(super) fn of(length: u64, things: &str, output: Output) -> Self {
        let progress = Self::new(things, output);
        progress.lengthen(length);
        progress
    }

    fn lengthen(&self, length: u64) {
        if self.bar.length() != Some(length) {
            self.bar.set_length(length);
            style(&self.bar, "{msg} {bar:40} {pos}/{len}, {per_sec}, {eta} left");
        }
    }

    /// So many more are done.
    pub(super) fn advance(&self, more: u64) {
        self.bar.inc(more);
        self.show();
    }

    /// So many of so many are done.
    pub(super) fn at(&self, done: u64, of: u64) {
        self.lengthen(of);
        self.bar.set_position(done);
        self.show();
    }

    fn show(&self) {
        if self.waits.get() && self.begun.elapsed() >= SHOWN_AFTER {
            self.waits.set(false);
            // Hidden by itself where standard error is no terminal.
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }

    /// Prints something without the bar in between.
    pub(super) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    /// Takes it off the screen.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // A step that failed leaves no half line before its error.
        self.bar.finish_and_clear();
    }
}

fn style(bar: &ProgressBar, template: &str) {
    // The templates are constants with known keys; without one the bar is plain.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_shown_before_two_seconds_have_passed() {
        let mut progress = Progress::of(10, "things", Output::new(false));
        progress.advance(1);
        assert!(progress.waits.get() && progress.bar.is_hidden());
        progress.begun = progress.begun.checked_sub(SHOWN_AFTER).unwrap();
        progress.at(2, 10);
        assert!(!progress.waits.get(), "from here on it is for the terminal to show");
        assert_eq!((progress.bar.position(), progress.bar.length()), (2, Some(10)));
    }

    #[test]
    fn programs_are_shown_nothing() {
        let mut progress = Progress::new("things", Output::new(true));
        progress.begun = progress.begun.checked_sub(SHOWN_AFTER).unwrap();
        progress.advance(1);
        assert!(progress.bar.is_hidden());
    }
}
