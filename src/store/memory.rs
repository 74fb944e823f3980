//! A store in memory, for tests: of the sequencer, of recovery, of whatever builds on [`Store`].
//!
//! It keeps the promises of the trait and no others: what is pending is lost or torn by a
//! [`MemoryStore::restart`] with a power cut, failures come where a test puts them, in each of the kinds
//! that differ for the caller, and after an uncertain one every write fails until the restart.
//!
//! Not for serving: nothing here outlives the process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{
    Cause, Created, LIST_NAMES_MAX, Name, Prefix, Shortage, Space, Store, StoreError, check_use, name::Kind,
};

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A write is refused for want of space, a read is unreadable: nothing happened, the store goes on.
    Refused,
    /// A write happened and is durable, but is reported as uncertain. A read is unreadable.
    Happened,
    /// A write did not happen and is reported as uncertain. A read is unreadable.
    Lost,
}

/// What a restart finds of the objects that were pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PowerCut {
    /// All of them: the process ended, the machine did not.
    None,
    /// None of them.
    Absent,
    /// Their names without their bytes.
    Empty,
    /// Their names with the first half of their bytes.
    Torn,
}

/// Objects in memory, with failures on demand.
#[derive(Debug, Default)]
pub struct MemoryStore {
    /// The one lock; held for the whole of each call, so calls are one after the other.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<Name, Object>,
    calls: u64,
    faults: BTreeMap<u64, Fault>,
    /// Names whose next write is refused.
    refusals: BTreeSet<Name>,
    is_stopped: bool,
}

#[derive(Debug)]
struct Object {
    bytes: Vec<u8>,
    is_durable: bool,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many calls of the trait there have been: the number of the next one.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Lets the call with this number fail; see [`Self::calls`].
    pub fn fail_call(&self, number: u64, fault: Fault) {
        self.state().faults.insert(number, fault);
    }

    /// Lets the next write of this name be refused, whichever call it is: several loops share a store, and
    /// which of them makes the next call is not for a test to say.
    pub fn refuse_write(&self, name: &Name) {
        self.state().refusals.insert(name.clone());
    }

    /// Starts anew: no faults, writes allowed, and what was pending is what `power_cut` left of it.
    pub fn restart(&self, power_cut: PowerCut) {
        let mut state = self.state();
        state.faults.clear();
        state.refusals.clear();
        state.is_stopped = false;
        state.objects.retain(|_, object| object.is_durable || power_cut != PowerCut::Absent);
        for object in state.objects.values_mut().filter(|object| !object.is_durable) {
            match power_cut {
                PowerCut::None => continue,
                PowerCut::Absent | PowerCut::Empty => object.bytes.clear(),
                PowerCut::Torn => object.bytes.truncate(object.bytes.len() / 2),
            }
            object.is_durable = true;
        }
    }

    /// Puts an object there behind everybody's back, as another writer or a failing disk does; none
    /// removes it. Not a call, never fails.
    pub fn plant(&self, name: &Name, bytes: Option<&[u8]>) {
        let mut state = self.state();
        match bytes {
            Some(bytes) => state.put(name, bytes, true),
            None => drop(state.objects.remove(name)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, subject: &str, read: impl FnOnce(&mut State) -> T) -> Result<T, StoreError> {
        let mut state = self.state();
        match state.next_fault() {
            None => Ok(read(&mut state)),
            Some(_) => Err(StoreError::Unreadable { subject: subject.to_owned(), source: injected() }),
        }
    }

    fn write<T>(
        &self,
        name: &Name,
        write: impl FnOnce(&mut State) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut state = self.state();
        let fault = state.next_fault();
        let fault = if state.refusals.remove(name) { Some(Fault::Refused) } else { fault };
        if state.is_stopped {
            let source = "an earlier write failed with an unknown outcome".into();
            return Err(StoreError::Uncertain { name: name.clone(), source });
        }
        match fault {
            None => {
                let written = write(&mut state);
                state.is_stopped = written.as_ref().is_err_and(StoreError::is_fatal);
                written
            }
            Some(Fault::Refused) => {
                Err(StoreError::Refused { name: name.clone(), shortage: Shortage::Space, source: injected() })
            }
            Some(fault) => {
                if fault == Fault::Happened {
                    write(&mut state).map(drop)?;
                }
                state.is_stopped = true;
                Err(StoreError::Uncertain { name: name.clone(), source: injected() })
            }
        }
    }
}

impl Store for MemoryStore {
    fn get(&self, name: &Name) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(name.as_str(), |state| state.objects.get(name).map(|object| object.bytes.clone()))
    }

    fn get_settled(&self, name: &Name) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(name.as_str(), |state| {
            let object = state.objects.get_mut(name)?;
            object.is_durable = true;
            Some(object.bytes.clone())
        })
    }

    fn create(&self, name: &Name, bytes: &[u8]) -> Result<Created, StoreError> {
        check_use(name.kind().may_create(), name, "create")?;
        self.write(name, |state| Ok(state.create(name, bytes, true)))
    }

    fn create_pending(&self, name: &Name, bytes: &[u8]) -> Result<Created, StoreError> {
        check_use(name.kind().may_create_pending(), name, "create_pending")?;
        self.write(name, |state| Ok(state.create(name, bytes, false)))
    }

    fn settle(&self, names: &[Name]) -> Result<(), StoreError> {
        let Some(first) = names.first() else { return Ok(()) };
        self.write(first, |state| {
            for name in names {
                let Some(object) = state.objects.get_mut(name) else {
                    return Err(StoreError::Uncertain { name: name.clone(), source: "absent".into() });
                };
                object.is_durable = true;
            }
            Ok(())
        })
    }

    fn replace_from_batch(&self, name: &Name, bytes: &[u8]) -> Result<(), StoreError> {
        check_use(name.kind().may_replace_from_batch(), name, "replace_from_batch")?;
        self.write(name, |state| {
            state.put(name, bytes, true);
            Ok(())
        })
    }

    fn put_checkpoint(&self, bytes: &[u8]) -> Result<(), StoreError> {
        let name = Name::checkpoint();
        self.write(&name, |state| {
            state.put(&name, bytes, true);
            Ok(())
        })
    }

    fn put_marker(&self, name: &Name, bytes: &[u8]) -> Result<(), StoreError> {
        check_use(name.kind().may_put_marker(), name, "put_marker")?;
        self.write(name, |state| {
            state.put(name, bytes, true);
            Ok(())
        })
    }

    fn put_hint(&self, name: &Name, bytes: &[u8]) -> Result<(), StoreError> {
        check_use(name.kind().may_put_marker(), name, "put_hint")?;
        self.write(name, |state| {
            state.put(name, bytes, false);
            Ok(())
        })
    }

    fn list(&self, prefix: &Prefix, after: Option<&Name>, limit: usize) -> Result<Vec<Name>, StoreError> {
        let limit = limit.min(LIST_NAMES_MAX);
        self.read(prefix.as_str(), |state| {
            let is_listed = |name: &&Name| name.as_str().starts_with(prefix.as_str()) && Some(*name) > after;
            state.objects.keys().filter(is_listed).take(limit).cloned().collect()
        })
    }

    fn delete(&self, name: &Name) -> Result<(), StoreError> {
        check_use(name.kind().may_delete(), name, "delete")?;
        self.write(name, |state| {
            state.objects.remove(name);
            Ok(())
        })
    }

    fn free_space(&self) -> Result<Option<Space>, StoreError> {
        self.read("the free space", |_| None)
    }
}

impl State {
    fn next_fault(&mut self) -> Option<Fault> {
        let number = self.calls;
        self.calls = number.saturating_add(1);
        self.faults.get(&number).copied()
    }

    fn create(&mut self, name: &Name, bytes: &[u8], is_durable: bool) -> Created {
        match self.objects.get_mut(name) {
            Some(object) if object.bytes == bytes => {
                object.is_durable |= is_durable;
                Created::Equal
            }
            Some(_) => Created::Different,
            None => {
                self.put(name, bytes, is_durable);
                Created::New
            }
        }
    }

    fn put(&mut self, name: &Name, bytes: &[u8], is_durable: bool) {
        debug_assert!(is_durable || name.kind() != Kind::Batch, "a batch is never pending");
        self.objects.insert(name.clone(), Object { bytes: bytes.to_owned(), is_durable });
    }
}

fn injected() -> Cause {
    "a fault that a test asked for".into()
}
