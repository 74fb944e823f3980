//! The places for connections, and whose is given away when all are taken.
//!
//! A newcomer is worth more than a connection that waits for its client: the place that is given away is
//! one of the group that has most of those, and of that group the one that got on longest ago. So whoever
//! opens thousands and leaves them idle takes places from himself, and an honest newcomer is served.
//! A connection for which we work is never given away.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::task::{AbortHandle, Id};

use super::activity::Activity;
use crate::limits::{Group, Limits};

/// The part of all places that is given away at once, so that a flood of newcomers does not look through
/// all of them for each.
const GIVEN_AWAY_DIVISOR: usize = 32;

/// The places that are taken.
#[derive(Debug, Default)]
pub(super) struct Places {
    taken: HashMap<Id, Place>,
    /// How many each group has; those of trusted proxies are not counted.
    counts: HashMap<Group, usize>,
}

#[derive(Debug)]
struct Place {
    /// None behind a trusted proxy: each of its connections may serve somebody else.
    group: Option<Group>,
    activity: Arc<Activity>,
    cut: AbortHandle,
}

/// What becomes of a newcomer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Newcomer {
    /// There is a place.
    Admitted,
    /// The group has all it may have, and we work for every one of them.
    Refused,
    /// We work for all; a place will come free.
    Waits,
}

impl Places {
    /// How many are taken.
    pub(super) fn len(&self) -> usize {
        self.taken.len()
    }

    /// The group in which a peer counts.
    pub(super) fn group(limits: &Limits, peer: IpAddr) -> Option<Group> {
        (!limits.is_trusted_proxy(peer)).then(|| Group::of(peer))
    }

    /// Decides about a newcomer, and cuts others where that makes a place.
    pub(super) fn ask(&mut self, group: Option<Group>, limits: &Limits) -> Newcomer {
        if let (Some(group), Some(max)) = (group, maximum(limits.address_connections_max)) {
            let count = self.counts.get(&group).copied().unwrap_or(0);
            if count >= max && self.give_away(share(max), Some(group)) == 0 {
                return Newcomer::Refused;
            }
        }
        match maximum(limits.connections_max) {
            Some(max) if self.len() >= max && self.give_away(share(max), None) == 0 => Newcomer::Waits,
            _ => Newcomer::Admitted,
        }
    }

    /// A newcomer takes a place.
    pub(super) fn take(&mut self, group: Option<Group>, activity: Arc<Activity>, cut: AbortHandle) {
        if let Some(group) = group {
            let count = self.counts.entry(group).or_default();
            *count = count.saturating_add(1);
        }
        self.taken.insert(cut.id(), Place { group, activity, cut });
    }

    /// A connection has ended.
    pub(super) fn free(&mut self, id: Id) {
        let Some(Place { group: Some(group), .. }) = self.taken.remove(&id) else { return };
        if let Some(count) = self.counts.get_mut(&group) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.counts.remove(&group);
            }
        }
    }

    /// Cuts up to so many connections that wait for their client; returns how many.
    fn give_away(&mut self, most: usize, only: Option<Group>) -> usize {
        let waiting = self
            .taken
            .iter()
            .filter(|(_, place)| only.is_none() || place.group == only)
            .filter(|(_, place)| place.activity.waits_for_client())
            .map(|(id, place)| (*id, place.group, place.activity.got_on()));
        let chosen = choose(waiting.collect(), most);
        for id in &chosen {
            if let Some(place) = self.taken.get(id) {
                place.cut.abort();
            }
            self.free(*id);
        }
        chosen.len()
    }
}

/// A limit of 0 is none.
fn maximum(limit: u32) -> Option<usize> {
    usize::try_from(limit).ok().filter(|max| *max > 0)
}

fn share(max: usize) -> usize {
    max.div_ceil(GIVEN_AWAY_DIVISOR)
}

/// Up to so many of those who wait: each has the rank at which it stands in its group, newest first; the
/// highest ranks go first, and among equals who got on longest ago. So the largest group shrinks first.
fn choose<I: Copy>(mut waiting: Vec<(I, Option<Group>, u64)>, most: usize) -> Vec<I> {
    waiting.sort_unstable_by_key(|(_, group, got_on)| (*group, std::cmp::Reverse(*got_on)));
    let mut ranked = Vec::with_capacity(waiting.len());
    let mut rank = 0usize;
    let mut last = None;
    for (id, group, got_on) in waiting {
        rank = if group.is_some() && group == last { rank.saturating_add(1) } else { 0 };
        last = group;
        ranked.push((std::cmp::Reverse(rank), got_on, id));
    }
    ranked.sort_unstable_by_key(|(rank, got_on, _)| (*rank, *got_on));
    ranked.into_iter().take(most).map(|(.., id)| id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_group_gives_and_of_it_the_stillest() {
        let group = |last: u8| Some(Group::of(IpAddr::from([192, 0, 2, last])));
        let waiting = vec![
            (1, group(1), 10),
            (2, group(2), 50),
            (3, group(2), 20),
            (4, group(2), 30),
            (5, group(3), 5),
            (6, group(3), 40),
            // Two of a proxy: each stands alone.
            (7, None, 1),
            (8, None, 2),
        ];
        assert_eq!(choose(waiting.clone(), 1), [3], "the oldest of the largest group");
        assert_eq!(choose(waiting.clone(), 3), [3, 5, 4], "then both large ones are equally large");
        assert_eq!(choose(waiting, 9), [3, 5, 4, 7, 8, 1, 6, 2], "then by time alone");
    }
}
