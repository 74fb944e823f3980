//! Round after round: looks at the log, takes what is new, and goes on after whatever passes by itself.
//!
//! A log that broke a rule is told of once, and looked at more seldom: it may have been a broken proxy or an
//! old copy. What was mirrored before is served on.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::{Log, Mirror, MirrorError, Round};

/// How a mirror stands to its log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Standing {
    /// It has what the log has, or is about to.
    #[default]
    Follows,
    /// The log cannot be read; in words.
    Waits(String),
    /// The log broke a rule; in words.
    Refuses(String),
}

/// An error and what caused it, in one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text.replace('\n', "; ")
}

/// How many times as long a mirror waits before it looks at a log again that broke a rule: verifying again
/// costs, and no lie becomes true.
const REFUSED_PAUSE_FACTOR: u32 = 30;

/// Follows a log until `stop` is told or dropped; gives how it stood to it at the end. `adopted` is called
/// whenever the mirror has a newer checkpoint, with everything that it names durable; `stands` whenever it
/// stands otherwise than before.
///
/// # Errors
/// The mirror's own folder is at fault, or `adopted` failed: the process must end.
pub fn follow<E: From<MirrorError>>(
    mirror: &mut Mirror,
    log: &dyn Log,
    pause: Duration,
    stop: &Receiver<()>,
    stands: &mut dyn FnMut(&Standing),
    adopted: &mut dyn FnMut(&Mirror) -> Result<(), E>,
) -> Result<Standing, E> {
    let mut standing = Standing::default();
    loop {
        let (now, wait) = match mirror.round(log) {
            Ok(round) => {
                if round == Round::Newer {
                    adopted(mirror)?;
                }
                (Standing::Follows, pause)
            }
            Err(error) if error.is_later() => (Standing::Waits(with_causes(&error)), pause),
            Err(error) if error.is_refusal() => {
                let now = Standing::Refuses(error.to_string());
                if standing != now {
                    let kept = mirror.keep_evidence(log, &error).unwrap_or_default().join(", ");
                    tracing::error!(
                        log = log.name(),
                        evidence = kept,
                        "refused: {error}; the last good copy is served on"
                    );
                }
                (now, pause.saturating_mul(REFUSED_PAUSE_FACTOR))
            }
            Err(error) => return Err(error.into()),
        };
        if standing != now {
            match (&now, &standing) {
                (Standing::Waits(why), _) => {
                    tracing::warn!(log = log.name(), why, "the log cannot be followed now; trying again");
                }
                (Standing::Follows, _) => tracing::info!(log = log.name(), "the log is followed again"),
                (Standing::Refuses(_), _) => {}
            }
            stands(&now);
            standing = now;
        }
        if stop.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
            return Ok(standing);
        }
    }
}
