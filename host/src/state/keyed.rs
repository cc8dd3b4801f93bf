//! A state for each key of an operator.
//!
//! Keys lie in the same key groups as a shuffle's, so a task needs the groups of its partition only. A group is shared
//! between the store and whoever reads it, and copied when a batch changes it while somebody still reads: reading never
//! waits for a batch, nor a batch for a reader.
//!
//! What is due is found through an index from times to keys, in which a key stands once, at its wake time or earlier;
//! found too early, it is put back. So a key that is touched often costs the index nothing.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::datatypes::SchemaRef;
use rayon::iter::{IndexedParallelIterator, IntoParallelRefMutIterator, ParallelIterator};

/// A key's values, as [`super::RowBytes`] gives them.
pub type Key = Arc<[u8]>;

/// What an operator keeps for each key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedSpec {
    /// The key's columns.
    pub key: SchemaRef,
    /// The state's columns.
    pub state: SchemaRef,
    /// The component's word for what the state means.
    pub version: u32,
    /// After how many milliseconds without rows a key is due.
    pub timeout: Option<u64>,
}

/// The state of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The state's values, as bytes.
    pub state: Box<[u8]>,
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
    entries: HashMap<Key, Entry, ahash::RandomState>,
    /// Of all keys and states.
    bytes: u64,
    index: BTreeMap<u64, Vec<Key>>,
}

impl Group {
    /// A key's state.
    pub fn get(&self, key: &[u8]) -> Option<&Entry> {
        self.entries.get(key)
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

    fn apply(&mut self, now: u64, timeout: Option<u64>, changes: &mut [(Key, Option<Change>)]) {
        for (key, change) in changes {
            match change.take() {
                None => {
                    let gone = self.entries.remove(key);
                    self.bytes -= gone.map_or(0, |entry| size(key, &entry));
                }
                Some(Change { state, last, timer }) => {
                    let entry = match self.entries.get_mut(key) {
                        Some(entry) => {
                            self.bytes -= size(key, entry);
                            (entry.state, entry.last, entry.timer) = (state, last, timer);
                            entry
                        }
                        None => self.entries.entry(key.clone()).or_insert(Entry { state, last, timer, indexed: 0 }),
                    };
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

/// All states of an operator, as of one commit.
#[derive(Debug, Clone)]
pub struct Keyed {
    spec: KeyedSpec,
    groups: Vec<Arc<Group>>,
}

impl Keyed {
    /// What is kept.
    pub fn spec(&self) -> &KeyedSpec {
        &self.spec
    }

    /// The groups.
    pub fn groups(&self) -> &[Arc<Group>] {
        &self.groups
    }

    /// How many keys there are.
    pub fn keys(&self) -> usize {
        self.groups.iter().map(|group| group.len()).sum()
    }

    /// How many bytes keys and states have, without what it takes to find them.
    pub fn bytes(&self) -> u64 {
        self.groups.iter().map(|group| group.bytes()).sum()
    }
}

/// What becomes of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its state, as bytes.
    pub state: Box<[u8]>,
    /// When it last had rows.
    pub last: u64,
    /// When to wake it; 0 for never.
    pub timer: u64,
}

/// What one task changes: it owns some groups, and nobody else changes them in the same batch.
#[derive(Debug, Clone)]
pub struct Delta {
    /// The operator.
    pub operator: String,
    /// What was due until then has been dealt with.
    pub now: u64,
    /// The groups that the task owns, and what changes in each.
    pub groups: Vec<(u32, Changes)>,
}

/// What becomes of keys of one group; none: it is forgotten. No key twice.
pub type Changes = Vec<(Key, Option<Change>)>;

/// The states of all operators.
#[derive(Debug, Default)]
pub struct Keyring {
    operators: Mutex<HashMap<String, Arc<Keyed>>>,
}

impl Keyring {
    /// Makes room for an operator's states, in so many groups. What is there under the same spec stays; whether there
    /// was nothing.
    pub fn open(&self, operator: &str, spec: KeyedSpec, groups: u32) -> bool {
        let mut operators = self.lock();
        let is_new = operators.get(operator).is_none_or(|keyed| keyed.spec != spec);
        if is_new {
            let groups = (0..groups).map(|_| Arc::default()).collect();
            operators.insert(operator.to_owned(), Arc::new(Keyed { spec, groups }));
        }
        is_new
    }

    /// An operator's states as of the last commit.
    pub fn get(&self, operator: &str) -> Option<Arc<Keyed>> {
        self.lock().get(operator).cloned()
    }

    /// The operators that keep states, in order of their names.
    pub fn operators(&self) -> Vec<String> {
        let mut names: Vec<String> = self.lock().keys().cloned().collect();
        names.sort();
        names
    }

    /// The states of every operator.
    pub(super) fn all(&self) -> HashMap<String, Arc<Keyed>> {
        self.lock().clone()
    }

    /// Makes changes visible.
    pub(super) fn apply(&self, deltas: Vec<Delta>) {
        let mut operators = self.lock();
        for delta in deltas {
            let Some(keyed) = operators.get_mut(&delta.operator) else { continue };
            let keyed = Arc::make_mut(keyed);
            let timeout = keyed.spec.timeout;
            let mut changes: Vec<Option<Vec<_>>> = vec![None; keyed.groups.len()];
            for (group, keys) in delta.groups {
                if let Some(place) = changes.get_mut(group as usize) {
                    *place = Some(keys);
                }
            }
            keyed.groups.par_iter_mut().zip(&mut changes).for_each(|(group, changes)| {
                let Some(changes) = changes else { return };
                let untouched = changes.is_empty() && group.index.range(..=delta.now).next().is_none();
                if !untouched {
                    Arc::make_mut(group).apply(delta.now, timeout, changes);
                }
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Keyed>>> {
        self.operators.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot set up its case should fail there")]

    use arrow::datatypes::Schema;
    use proptest::prelude::*;

    use super::*;

    fn ring(timeout: Option<u64>) -> Keyring {
        let ring = Keyring::default();
        let empty = Arc::new(Schema::empty());
        ring.open("op", KeyedSpec { key: empty.clone(), state: empty, version: 1, timeout }, 2);
        ring
    }

    fn set(last: u64, timer: u64) -> Option<Change> {
        Some(Change { state: Box::default(), last, timer })
    }

    fn apply(ring: &Keyring, now: u64, keys: Vec<(Key, Option<Change>)>) {
        ring.apply(vec![Delta { operator: "op".into(), now, groups: vec![(0, keys)] }]);
    }

    fn due(ring: &Keyring, now: u64) -> Vec<(u8, Due)> {
        let keyed = ring.get("op").unwrap();
        keyed.groups()[0].due(now, keyed.spec.timeout).into_iter().map(|(key, _, due)| (key[0], due)).collect()
    }

    fn key(name: u8) -> Key {
        Arc::from([name])
    }

    #[test]
    fn a_timer_is_due_at_its_time_and_a_key_is_idle_after_its_timeout() {
        let ring = ring(Some(100));
        apply(&ring, 10, vec![(key(1), set(10, 50)), (key(2), set(10, 0))]);
        assert_eq!(due(&ring, 49), []);
        assert_eq!(due(&ring, 50), [(1, Due::Timer)]);
        apply(&ring, 50, vec![(key(1), set(10, 0))]);
        assert_eq!(due(&ring, 109), []);
        assert_eq!(due(&ring, 110), [(1, Due::Idle), (2, Due::Idle)]);
    }

    #[test]
    fn a_key_that_is_touched_again_is_due_later_and_once() {
        let ring = ring(Some(100));
        apply(&ring, 10, vec![(key(1), set(10, 0))]);
        apply(&ring, 60, vec![(key(1), set(60, 0))]);
        assert_eq!(due(&ring, 110), []);
        apply(&ring, 110, vec![]);
        assert_eq!(due(&ring, 160), [(1, Due::Idle)]);
        apply(&ring, 160, vec![(key(1), None)]);
        apply(&ring, 170, vec![(key(1), set(170, 0))]);
        assert_eq!(due(&ring, 270), [(1, Due::Idle)]);
    }

    #[test]
    fn who_reads_sees_one_commit() {
        let ring = ring(None);
        apply(&ring, 1, vec![(key(1), set(1, 0))]);
        let before = ring.get("op").unwrap();
        apply(&ring, 2, vec![(key(2), set(2, 0)), (key(1), None)]);
        assert_eq!((before.keys(), before.groups()[0].get(&[1]).is_some()), (1, true));
        assert_eq!(ring.get("op").unwrap().groups()[0].get(&[1]), None);
    }

    #[test]
    fn bytes_are_counted_as_keys_come_change_and_go() {
        let ring = ring(None);
        let bytes = || ring.get("op").unwrap().bytes();
        let state = |length| Some(Change { state: vec![0; length].into(), last: 1, timer: 0 });
        apply(&ring, 1, vec![(key(1), state(10)), (key(2), state(0))]);
        assert_eq!(bytes(), 12);
        apply(&ring, 2, vec![(key(1), state(3)), (key(2), None), (key(3), None)]);
        assert_eq!(bytes(), 4);
    }

    proptest! {
        /// What the index finds is what looking at every key would find, whatever happened before.
        #[test]
        fn the_index_misses_nothing(
            timeout in proptest::option::of(1_u64..20),
            steps in proptest::collection::vec(proptest::collection::vec((0_u8..6, proptest::option::of((any::<bool>(), 0_u64..12))), 0..4), 1..30),
        ) {
            let ring = ring(timeout);
            for (step, changes) in steps.into_iter().enumerate() {
                let now = step as u64 + 1;
                let keyed = ring.get("op").unwrap();
                let mut expected: Vec<_> =
                    keyed.groups()[0].iter().filter_map(|(k, e)| Some((k[0], e.due(now, timeout)?))).collect();
                expected.sort_by_key(|(k, _)| *k);
                prop_assert_eq!(due(&ring, now), expected.clone());
                drop(keyed);
                let mut all: BTreeMap<u8, Option<Change>> = expected.into_iter().map(|(k, _)| (k, None)).collect();
                for (name, change) in changes {
                    let last = |rows: bool| if rows { now } else { now.saturating_sub(3) };
                    all.insert(name, change.and_then(|(rows, after)| set(last(rows), if after == 0 { 0 } else { now + after })));
                }
                apply(&ring, now, all.into_iter().map(|(k, c)| (key(k), c)).collect());
            }
        }
    }
}
