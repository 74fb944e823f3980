//! Small blobs that were just read, for receipts: the same title stands in thousands of them.
//!
//! Kept for a moment only, so that a text that is erased leaves soon after its file, and checked against its
//! hash before it is kept.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use undersigned_tlog::hash::Hash;

/// How many are kept, each of at most [`TEXT_BYTES_MAX`]: 1 MB.
const TEXTS_MAX: usize = 1_024;

/// The largest that is kept: no receipt carries a larger one.
const TEXT_BYTES_MAX: usize = 1_024;

/// How long one is kept.
const KEPT_FOR: Duration = Duration::from_secs(5);

/// Small blobs by their hash.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// With the time of reading; held for a look-up or an insertion only.
    kept: Mutex<HashMap<Hash, (Instant, Vec<u8>)>>,
}

impl Texts {
    /// The blob with this hash, if it was read a moment ago.
    pub(super) fn find(&self, hash: &Hash, now: Instant) -> Option<Vec<u8>> {
        let kept = self.lock();
        let (read, bytes) = kept.get(hash)?;
        (now.saturating_duration_since(*read) < KEPT_FOR).then(|| bytes.clone())
    }

    /// Keeps a blob that was read and has this hash.
    pub(super) fn keep(&self, hash: Hash, bytes: &[u8], now: Instant) {
        if bytes.len() > TEXT_BYTES_MAX {
            return;
        }
        let mut kept = self.lock();
        if kept.len() >= TEXTS_MAX {
            // What is asked for often is read again at once.
            kept.clear();
        }
        kept.insert(hash, (now, bytes.to_vec()));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Hash, (Instant, Vec<u8>)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use undersigned_tlog::hash::sha256;

    use super::*;

    #[test]
    fn a_text_is_kept_for_a_moment() {
        let (texts, now) = (Texts::default(), Instant::now());
        let hash = sha256(&[b"a title"]);
        assert_eq!(texts.find(&hash, now), None);
        texts.keep(hash, b"a title", now);
        assert_eq!(texts.find(&hash, now).as_deref(), Some(&b"a title"[..]));
        assert_eq!(texts.find(&hash, now + KEPT_FOR), None, "it may have been erased");
    }

    #[test]
    fn what_is_large_is_not_kept_and_many_are_let_go() {
        let (texts, now) = (Texts::default(), Instant::now());
        let hash = sha256(&[b"large"]);
        texts.keep(hash, &[0; TEXT_BYTES_MAX + 1], now);
        assert_eq!(texts.find(&hash, now), None);
        for number in 0..=TEXTS_MAX {
            texts.keep(sha256(&[&number.to_be_bytes()]), b"x", now);
        }
        assert!(texts.lock().len() <= TEXTS_MAX);
    }
}
