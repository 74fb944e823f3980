//! The door: the limits in force, and what each address and organisation has used up of them.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use undersigned_registry::id::PartyId;

use super::arriving::{Arriving, Body};
use super::{Group, Limits, NoRoom, Owners, Rate, Rates, SharedLimits};

/// Whose share something is taken from, and which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// Requests to write of an address.
    Writes(Group),
    /// Submissions from an address under keys that the registry does not know.
    Newcomers(Group),
    /// Entries of an organisation.
    Organisation(PartyId),
    /// Looks at withdrawals from an address that is over its limit.
    WithdrawalLooks(Group),
}

/// What is used up. One for each registry that is served; all its handlers share it.
#[derive(Debug)]
pub struct Door {
    limits: Arc<SharedLimits>,
    writes: Rates<Group>,
    newcomers: Rates<Group>,
    organisations: Rates<PartyId>,
    looks: Rates<Group>,
    arriving: Arc<Arriving>,
    owners: Owners,
    /// Whether the operator was told of a proxy that is not named.
    was_told: AtomicBool,
}

impl Door {
    /// A door under these limits; nothing is used up.
    #[must_use]
    pub fn new(limits: Arc<SharedLimits>) -> Self {
        Self {
            limits,
            writes: Rates::default(),
            newcomers: Rates::default(),
            organisations: Rates::default(),
            looks: Rates::default(),
            arriving: Arc::default(),
            owners: Owners::default(),
            was_told: AtomicBool::new(false),
        }
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> Arc<Limits> {
        self.limits.current()
    }

    /// The group of whoever asks.
    #[must_use]
    pub fn group<'a>(&self, peer: IpAddr, lines: impl DoubleEndedIterator<Item = &'a [u8]>) -> Group {
        Group::of(self.limits().client(peer, lines))
    }

    /// Somebody says for whom he asks. If he stands on this machine and nobody trusts him, he is most likely
    /// a proxy that was not named, and all of its clients count as one: the operator is told, once.
    pub fn note_proxy(&self, peer: IpAddr) {
        if peer.to_canonical().is_loopback()
            && !self.limits().is_trusted_proxy(peer)
            && !self.was_told.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                %peer,
                "a proxy on this machine says for whom it asks, but is not trusted: all of its clients count as one address; name it with --trusted-proxies"
            );
        }
    }

    /// Takes one from a share.
    ///
    /// # Errors
    /// Nothing is left of it; something will be after this time.
    pub fn take(&self, share: Share) -> Result<(), Duration> {
        let (rate, now) = (self.rate(share), Instant::now());
        match share {
            Share::Writes(group) => self.writes.take(group, rate, now),
            Share::Newcomers(group) => self.newcomers.take(group, rate, now),
            Share::Organisation(party) => self.organisations.take(party, rate, now),
            Share::WithdrawalLooks(group) => self.looks.take(group, rate, now),
        }
    }

    /// Gives one back that was taken, because it was our fault or is exempt.
    pub fn give_back(&self, share: Share) {
        let rate = self.rate(share);
        match share {
            Share::Writes(group) => self.writes.give_back(&group, rate),
            Share::Newcomers(group) => self.newcomers.give_back(&group, rate),
            Share::Organisation(party) => self.organisations.give_back(&party, rate),
            Share::WithdrawalLooks(group) => self.looks.give_back(&group, rate),
        }
    }

    /// A body begins to arrive.
    #[must_use]
    pub fn body(&self, group: Group) -> Body {
        self.arriving.begin(group)
    }

    /// Counts bytes of a body that have arrived.
    ///
    /// # Errors
    /// There is no room for them.
    pub fn add(&self, body: &mut Body, bytes: u64) -> Result<(), NoRoom> {
        let limits = self.limits();
        body.add(bytes, limits.arriving_bytes_max, limits.address_arriving_bytes_max)
    }

    /// Whose keys are whose, as far as that was seen.
    #[must_use]
    pub const fn owners(&self) -> &Owners {
        &self.owners
    }

    fn rate(&self, share: Share) -> Rate {
        let limits = self.limits();
        match share {
            Share::Writes(_) => Rate::per_minute(limits.address_writes_per_minute),
            Share::Newcomers(_) => Rate::per_hour(limits.address_newcomers_per_hour),
            Share::Organisation(_) => Rate::per_minute(limits.organisation_writes_per_minute),
            Share::WithdrawalLooks(_) => Rate::per_minute(limits.address_withdrawal_looks_per_minute),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_apart_and_follow_the_limits_in_force() {
        let limits = Limits {
            address_writes_per_minute: 1,
            address_newcomers_per_hour: 1,
            address_withdrawal_looks_per_minute: 1,
            ..Limits::default()
        };
        let shared = Arc::new(SharedLimits::new(limits));
        let door = Door::new(Arc::clone(&shared));
        let group = door.group(IpAddr::from([192, 0, 2, 1]), std::iter::empty());
        for share in [Share::Writes(group), Share::Newcomers(group), Share::WithdrawalLooks(group)] {
            assert_eq!(door.take(share), Ok(()));
            assert!(door.take(share).is_err());
            door.give_back(share);
            assert_eq!(door.take(share), Ok(()));
        }
        assert!(door.take(Share::Writes(group)).is_err());
        shared.replace(Limits::without_rates());
        for _ in 0..1_000 {
            assert_eq!(door.take(Share::Writes(group)), Ok(()));
        }
    }
}
