//! Rates: so many in a time for each key, in bounded memory, with permits that can be given back.
//!
//! The generic cell rate algorithm: for each key one moment is remembered, at which it owes nothing any
//! more. A permit moves the moment on by one part of the time; a moment more than the whole time ahead
//! means that nothing is left.
//!
//! Own code, because the crate for it (`governor`) can neither give a permit back nor bound the number of
//! keys, and both are needed here.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many keys are remembered: at some 50 bytes each, 4 MB. Who comes with more addresses than that
/// makes those forgotten who owe least.
pub const KEYS_MAX: usize = 65_536;

/// So many in a time. A count of 0 means any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    period: Duration,
}

impl Rate {
    /// So many in a minute, all at once if need be.
    #[must_use]
    pub const fn per_minute(count: u32) -> Self {
        Self { count, period: Duration::from_secs(60) }
    }

    /// So many in an hour, all at once if need be.
    #[must_use]
    pub const fn per_hour(count: u32) -> Self {
        Self { count, period: Duration::from_secs(3_600) }
    }

    /// The time after which one more is allowed; `None` without a limit.
    fn interval(self) -> Option<Duration> {
        self.period.checked_div(self.count)
    }
}

/// What each key has used up.
#[derive(Debug)]
pub struct Rates<K> {
    /// The moment at which a key owes nothing; held for one look-up, or for one sweep of a full map.
    owing: Mutex<HashMap<K, Instant>>,
    keys_max: usize,
}

impl<K: Hash + Eq> Default for Rates<K> {
    fn default() -> Self {
        Self::with_keys_max(KEYS_MAX)
    }
}

impl<K: Hash + Eq> Rates<K> {
    /// Nothing is used up yet; at most so many keys are remembered.
    #[must_use]
    pub fn with_keys_max(keys_max: usize) -> Self {
        Self { owing: Mutex::new(HashMap::new()), keys_max: keys_max.max(1) }
    }

    /// Takes a permit.
    ///
    /// # Errors
    /// None is left; one will be after this time.
    pub fn take(&self, key: K, rate: Rate, now: Instant) -> Result<(), Duration> {
        let Some(interval) = rate.interval() else { return Ok(()) };
        let mut owing = self.lock();
        let until = match owing.get(&key) {
            // A rate that was made higher must not wait for what was owed under the lower one.
            Some(until) => (*until).clamp(now, now + rate.period),
            None => {
                if owing.len() >= self.keys_max {
                    forget(&mut owing, self.keys_max, now);
                }
                now
            }
        };
        let next = until + interval;
        let ahead = next.saturating_duration_since(now);
        // The whole period may be a little more than all its parts.
        if ahead > rate.period {
            // What was owed beyond the period, under a lower rate, is let off.
            owing.insert(key, until);
            return Err(ahead - rate.period);
        }
        owing.insert(key, next);
        Ok(())
    }

    /// Gives a permit back that was taken at this rate.
    pub fn give_back(&self, key: &K, rate: Rate) {
        let Some(interval) = rate.interval() else { return };
        if let Some(until) = self.lock().get_mut(key) {
            *until = until.checked_sub(interval).unwrap_or(*until);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Instant>> {
        self.owing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes room: who owes nothing is as good as unknown; then an eighth of all, those who owe least.
fn forget<K: Hash + Eq>(owing: &mut HashMap<K, Instant>, keys_max: usize, now: Instant) {
    owing.retain(|_, until| *until > now);
    let surplus = owing.len().saturating_sub(keys_max - keys_max.div_ceil(8));
    let Some(last) = surplus.checked_sub(1) else { return };
    let mut moments: Vec<Instant> = owing.values().copied().collect();
    let (_, limit, _) = moments.select_nth_unstable(last);
    let limit = *limit;
    owing.retain(|_, until| *until > limit);
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate::per_minute(3);
    const PART: Duration = Duration::from_secs(20);

    #[test]
    fn so_many_at_once_and_then_one_by_one() {
        let (rates, now) = (Rates::default(), Instant::now());
        for _ in 0..3 {
            assert_eq!(rates.take(1, RATE, now), Ok(()));
        }
        assert_eq!(rates.take(1, RATE, now), Err(PART));
        assert_eq!(rates.take(1, RATE, now + PART / 2), Err(PART / 2), "asking costs nothing");
        assert_eq!(rates.take(1, RATE, now + PART), Ok(()));
        assert_eq!(rates.take(1, RATE, now + PART), Err(PART));
        assert_eq!(rates.take(2, RATE, now), Ok(()), "another key has its own");
        let later = now + 9 * PART;
        for _ in 0..3 {
            assert_eq!(rates.take(1, RATE, later), Ok(()), "what is not used is not saved beyond the count");
        }
        assert_eq!(rates.take(1, RATE, later), Err(PART));
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let (rates, now) = (Rates::default(), Instant::now());
        for _ in 0..100 {
            assert_eq!(rates.take(1, RATE, now), Ok(()));
            rates.give_back(&1, RATE);
        }
        for _ in 0..3 {
            assert_eq!(rates.take(1, RATE, now), Ok(()));
        }
        assert_eq!(rates.take(1, RATE, now), Err(PART));
    }

    #[test]
    fn no_limit_remembers_nobody() {
        let rates = Rates::default();
        for key in 0..1_000 {
            assert_eq!(rates.take(key, Rate::per_hour(0), Instant::now()), Ok(()));
        }
        assert_eq!(rates.lock().len(), 0);
    }

    #[test]
    fn a_higher_rate_holds_at_once() {
        let (rates, now) = (Rates::default(), Instant::now());
        assert_eq!(rates.take(1, Rate::per_hour(1), now), Ok(()));
        assert_eq!(rates.take(1, RATE, now), Err(PART), "not an hour");
        assert_eq!(rates.take(1, RATE, now + PART), Ok(()));
    }

    #[test]
    fn a_count_that_does_not_divide_the_time_is_whole() {
        let (rates, now) = (Rates::default(), Instant::now());
        let taken = (0..1_000).filter(|_| rates.take(1, Rate::per_minute(7), now).is_ok()).count();
        assert_eq!(taken, 7);
    }

    #[test]
    fn a_flood_of_keys_stays_in_its_room_and_forgets_those_who_owe_least() {
        let (rates, now) = (Rates::with_keys_max(64), Instant::now());
        for _ in 0..3 {
            assert_eq!(rates.take(0, RATE, now), Ok(()));
        }
        for key in 1..10_000 {
            assert_eq!(rates.take(key, RATE, now), Ok(()), "a newcomer is never refused for want of room");
            assert!(rates.lock().len() <= 64);
        }
        assert_eq!(rates.take(0, RATE, now), Err(PART), "who used up most is remembered");
    }
}
