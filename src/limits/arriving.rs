//! Bodies that are arriving: their bytes are counted as they come, in all and for each group.
//!
//! Counted are bytes that are here, not bytes that were announced: who announces much and sends little
//! takes nothing from others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Group;

/// The bytes of all bodies that are arriving.
#[derive(Debug, Default)]
pub struct Arriving {
    /// Held for one addition. A group has an entry only while a body of it is arriving.
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: u64,
    by_group: HashMap<Group, u64>,
}

/// One body that is arriving; its bytes are given back when this is dropped.
#[derive(Debug)]
pub struct Body {
    arriving: Arc<Arriving>,
    group: Group,
    bytes: u64,
}

/// Why no more bytes are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoom {
    /// Too many bytes are arriving from this group.
    Group,
    /// Too many bytes are arriving in all.
    All,
}

impl Arriving {
    /// A body begins to arrive.
    #[must_use]
    pub fn begin(self: &Arc<Self>, group: Group) -> Body {
        Body { arriving: Arc::clone(self), group, bytes: 0 }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Body {
    /// Counts bytes that have arrived. A maximum of 0 is none.
    ///
    /// # Errors
    /// There is no room for them; they are not counted.
    pub fn add(&mut self, bytes: u64, all_max: u64, group_max: u64) -> Result<(), NoRoom> {
        let mut counts = self.arriving.lock();
        let is_over = |now: u64, max: u64| max != 0 && now.saturating_add(bytes) > max;
        if is_over(counts.by_group.get(&self.group).copied().unwrap_or(0), group_max) {
            return Err(NoRoom::Group);
        }
        if is_over(counts.all, all_max) {
            return Err(NoRoom::All);
        }
        counts.all = counts.all.saturating_add(bytes);
        let of_group = counts.by_group.entry(self.group).or_default();
        *of_group = of_group.saturating_add(bytes);
        self.bytes = self.bytes.saturating_add(bytes);
        Ok(())
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if self.bytes == 0 {
            return;
        }
        let mut counts = self.arriving.lock();
        counts.all = counts.all.saturating_sub(self.bytes);
        if let Some(of_group) = counts.by_group.get_mut(&self.group) {
            *of_group = of_group.saturating_sub(self.bytes);
            if *of_group == 0 {
                counts.by_group.remove(&self.group);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(last: u8) -> Group {
        Group::of(std::net::IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn each_group_has_a_part_and_all_have_a_limit() {
        let arriving = Arc::new(Arriving::default());
        let mut one = arriving.begin(group(1));
        let mut other = arriving.begin(group(1));
        let mut stranger = arriving.begin(group(2));
        assert_eq!(one.add(6, 15, 10), Ok(()));
        assert_eq!(other.add(5, 15, 10), Err(NoRoom::Group));
        assert_eq!(other.add(4, 15, 10), Ok(()));
        assert_eq!(stranger.add(6, 15, 10), Err(NoRoom::All));
        assert_eq!(stranger.add(5, 15, 10), Ok(()));
        drop(one);
        assert_eq!(other.add(6, 15, 10), Ok(()), "what has gone makes room");
        drop((other, stranger));
        let counts = arriving.lock();
        assert_eq!((counts.all, counts.by_group.len()), (0, 0), "nothing stays behind");
    }

    #[test]
    fn without_a_limit_all_fits() {
        let arriving = Arc::new(Arriving::default());
        let mut body = arriving.begin(group(1));
        assert_eq!(body.add(u64::MAX, 0, 0), Ok(()));
        assert_eq!(body.add(u64::MAX, 0, 0), Ok(()));
        assert_eq!(body.add(1, 0, 1), Err(NoRoom::Group));
    }
}
