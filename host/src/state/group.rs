//! The keys of one key group, each with its state, and when each is due.
//!
//! What is due is found through an index from times to keys, in which a key stands once, at its wake time or earlier;
//! found too early, it is put back. So a key that is touched often costs the index nothing.

use std::collections::{BTreeMap, HashSet};

use indexmap::IndexMap;
use smallvec::SmallVec;

use super::marks::Marks;

/// A key's values, as [`super::RowBytes`] gives them. Names, numbers and the like lie where the key's entry lies, so that
/// finding one is one look at the memory.
pub type Key = SmallVec<[u8; 24]>;

/// A state, as bytes: counts, sums and the like lie where the key's entry lies, too.
pub type StateBytes = SmallVec<[u8; 24]>;

/// The state of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The state's values, as bytes.
    pub state: StateBytes,
    /// When the key last had rows, in milliseconds.
    pub last: u64,
    /// When it asked to be woken; 0 for never.
    pub timer: u64,
    /// Where it stands in the index; 0 for nowhere.
    indexed: u64,
}

/// Why a key is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// It asked to be woken.
    Timer,
    /// It had no rows for its timeout.
    Idle,
}

impl Entry {
    /// Why the key is due at `now`, if it is. A timer goes before idleness.
    pub fn due(&self, now: u64, timeout: Option<u64>) -> Option<Due> {
        if self.timer != 0 && self.timer <= now {
            return Some(Due::Timer);
        }
        let idle = timeout.is_some_and(|timeout| self.last.saturating_add(timeout) <= now);
        idle.then_some(Due::Idle)
    }

    /// When the key is due next; 0 for never.
    fn wake(&self, timeout: Option<u64>) -> u64 {
        let idle = timeout.map_or(u64::MAX, |timeout| self.last.saturating_add(timeout));
        let timer = if self.timer == 0 { u64::MAX } else { self.timer };
        match idle.min(timer) {
            u64::MAX => 0,
            wake => wake.max(1),
        }
    }
}

/// The keys of one key group.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// One behind the other, and a table of their places: to find a key takes one look at what lies far away.
    entries: IndexMap<Key, Entry, ahash::RandomState>,
    /// Of all keys and states.
    bytes: u64,
    index: BTreeMap<u64, Vec<Key>>,
}

impl Group {
    /// A key's state.
    pub fn get(&self, key: &[u8]) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// The key at a place, of which there are as many as keys.
    pub(super) fn at(&self, place: usize) -> Option<(&Key, &Entry)> {
        self.entries.get_index(place)
    }

    /// All keys, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Entry)> {
        self.entries.iter()
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many bytes keys and states have, without what it takes to find them.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The keys that are due at `now`, in the order of their bytes.
    pub fn due(&self, now: u64, timeout: Option<u64>) -> Vec<(&Key, &Entry, Due)> {
        let mut due: Vec<_> = self
            .index
            .range(..=now)
            .flat_map(|(at, keys)| keys.iter().map(move |key| (at, key)))
            .filter_map(|(at, key)| {
                let (key, entry) = self.entries.get_key_value(key)?;
                // A key that was forgotten and came again may stand twice.
                (entry.indexed == *at).then_some((key, entry, entry.due(now, timeout)?))
            })
            .collect();
        due.sort_by(|a, b| a.0.cmp(b.0));
        due.dedup_by(|a, b| a.0 == b.0);
        due
    }

    /// All keys with their states as they will be after `changes`, in the order of the keys' bytes.
    pub fn after<'a>(&'a self, changes: &'a [(Key, Option<Change>)]) -> Vec<(&'a [u8], &'a [u8])> {
        let mut after: Vec<(&[u8], &[u8])> = Vec::with_capacity(self.len());
        if changes.is_empty() {
            after.extend(self.entries.iter().map(|(key, entry)| (&**key, &*entry.state)));
        } else {
            let changed: HashSet<&[u8], ahash::RandomState> = changes.iter().map(|(key, _)| &**key).collect();
            let untouched = self.entries.iter().filter(|(key, _)| !changed.contains(&***key));
            after.extend(untouched.map(|(key, entry)| (&**key, &*entry.state)));
            after.extend(changes.iter().filter_map(|(key, change)| Some((&**key, &*change.as_ref()?.state))));
        }
        after.sort_unstable();
        after
    }

    /// The same keys, each with another state.
    pub fn with_states(&self, states: impl IntoIterator<Item = (Key, StateBytes)>) -> Self {
        let mut group = self.clone();
        for (key, state) in states {
            let Some(entry) = group.entries.get_mut(&key) else { continue };
            group.bytes = group.bytes - entry.state.len() as u64 + state.len() as u64;
            entry.state = state;
        }
        group
    }

    /// Whether a batch that changes nothing leaves the group as it is.
    pub(super) fn is_quiet(&self, now: u64) -> bool {
        self.index.range(..=now).next().is_none()
    }

    /// Changes keys, and marks those that it has changed, if somebody wants to know.
    pub(super) fn apply(
        &mut self,
        now: u64,
        timeout: Option<u64>,
        changes: &mut [(Key, Option<Change>)],
        mut marks: Option<&mut Marks>,
    ) {
        for (key, change) in changes {
            match change.take() {
                None => {
                    let Some((place, key, entry)) = self.entries.swap_remove_full(key) else { continue };
                    self.bytes -= size(&key, &entry);
                    if let Some(marks) = &mut marks {
                        marks.remove(key, place, self.entries.len());
                    }
                }
                Some(Change { state, last, timer }) => {
                    let place = match self.entries.get_full_mut(key) {
                        Some((place, _, entry)) => {
                            self.bytes -= size(key, entry);
                            (entry.state, entry.last, entry.timer) = (state, last, timer);
                            place
                        }
                        None => self.entries.insert_full(key.clone(), Entry { state, last, timer, indexed: 0 }).0,
                    };
                    if let Some(marks) = &mut marks {
                        marks.set(place);
                    }
                    let entry = &mut self.entries[place];
                    self.bytes += size(key, entry);
                    let wake = entry.wake(timeout);
                    if wake != 0 && (entry.indexed == 0 || wake < entry.indexed) {
                        entry.indexed = wake;
                        self.index.entry(wake).or_default().push(key.clone());
                    }
                }
            }
        }
        self.advance(now, timeout);
    }

    /// Takes keys that were found at `now` out of the index; those that are due later are put where they belong.
    fn advance(&mut self, now: u64, timeout: Option<u64>) {
        let later = self.index.split_off(&now.saturating_add(1));
        for (at, keys) in std::mem::replace(&mut self.index, later) {
            for key in keys {
                let Some(entry) = self.entries.get_mut(&key).filter(|entry| entry.indexed == at) else { continue };
                // What is still due was not dealt with, and is found again in the next batch.
                entry.indexed = match entry.wake(timeout) {
                    0 => 0,
                    wake => wake.max(now.saturating_add(1)),
                };
                if entry.indexed != 0 {
                    self.index.entry(entry.indexed).or_default().push(key);
                }
            }
        }
    }
}

fn size(key: &Key, entry: &Entry) -> u64 {
    (key.len() + entry.state.len()) as u64
}

/// What becomes of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its state, as bytes.
    pub state: StateBytes,
    /// When it last had rows.
    pub last: u64,
    /// When to wake it; 0 for never.
    pub timer: u64,
}

impl Change {
    /// A key stays as it is.
    pub fn of(entry: &Entry) -> Self {
        Self { state: entry.state.clone(), last: entry.last, timer: entry.timer }
    }
}

/// What becomes of keys of one group; none: it is forgotten. No key twice.
pub type Changes = Vec<(Key, Option<Change>)>;
