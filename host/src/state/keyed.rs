//! A state for each key of an operator.
//!
//! Keys lie in the same key groups as a shuffle's, so a task needs the groups of its partition only. A group is shared
//! between the store and whoever reads it, and copied when a batch changes it while somebody still reads: reading never
//! waits for a batch, nor a batch for a reader.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::datatypes::SchemaRef;
use rayon::iter::{IndexedParallelIterator, IntoParallelRefMutIterator, ParallelIterator};

use super::group::{Changes, Group};
use super::marks::Marks;

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

/// All states of an operator, as of one commit.
#[derive(Debug, Clone)]
pub struct Keyed {
    spec: KeyedSpec,
    groups: Vec<Arc<Group>>,
}

impl Keyed {
    /// States that were had from elsewhere.
    pub fn new(spec: KeyedSpec, groups: Vec<Arc<Group>>) -> Self {
        Self { spec, groups }
    }

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

/// What of an operator's states has changed.
#[derive(Debug, Clone)]
pub struct Changed {
    /// The operator.
    pub operator: String,
    /// What it keeps.
    pub spec: KeyedSpec,
    /// Each group that has changed, and its keys that have, as they are now.
    pub groups: Vec<(u32, Changes)>,
}

/// The states of all operators.
#[derive(Debug, Default)]
pub struct Keyring {
    shelves: Mutex<Shelves>,
}

#[derive(Debug, Default)]
struct Shelves {
    operators: HashMap<String, Shelf>,
    /// Whether anybody wants to know what has changed.
    tracked: bool,
    /// Whether all of some operator's states have, since that was last asked.
    replaced: bool,
}

/// The states of one operator.
#[derive(Debug)]
struct Shelf {
    keyed: Arc<Keyed>,
    /// Which keys of each group have changed since that was last asked; none where nobody asks.
    changed: Vec<Marks>,
}

impl Keyring {
    /// Makes room for an operator's states, in so many groups. What is there under the same spec stays; whether there
    /// was nothing.
    pub fn open(&self, operator: &str, spec: KeyedSpec, groups: u32) -> bool {
        let mut shelves = self.lock();
        let is_new = shelves.operators.get(operator).is_none_or(|shelf| shelf.keyed.spec != spec);
        if is_new {
            let changed = (0..groups).map(|_| Marks::default()).collect();
            let groups = (0..groups).map(|_| Arc::default()).collect();
            let keyed = Arc::new(Keyed { spec, groups });
            shelves.operators.insert(operator.to_owned(), Shelf { keyed, changed });
        }
        is_new
    }

    /// An operator's states as of the last commit.
    pub fn get(&self, operator: &str) -> Option<Arc<Keyed>> {
        self.lock().operators.get(operator).map(|shelf| shelf.keyed.clone())
    }

    /// The operators that keep states, in order of their names.
    pub fn operators(&self) -> Vec<String> {
        let mut names: Vec<String> = self.lock().operators.keys().cloned().collect();
        names.sort();
        names
    }

    /// The states of every operator.
    pub(super) fn all(&self) -> HashMap<String, Arc<Keyed>> {
        self.lock().operators.iter().map(|(name, shelf)| (name.clone(), shelf.keyed.clone())).collect()
    }

    /// From now on, remembers which keys change.
    pub(super) fn track(&self) {
        self.lock().tracked = true;
    }

    /// What has changed since this was last asked, in order of the operators' names; none where that is everything. Uses
    /// the threads of the pool that it is called on.
    pub(super) fn take_changed(&self) -> Option<Vec<Changed>> {
        let mut shelves = self.lock();
        if shelves.replaced {
            return None;
        }
        let mut all: Vec<Changed> =
            shelves.operators.iter_mut().map(|(name, shelf)| shelf.take_changed(name)).collect();
        all.sort_by(|a, b| a.operator.cmp(&b.operator));
        Some(all)
    }

    /// Forgets what has changed.
    pub(super) fn forget_changed(&self) {
        let mut shelves = self.lock();
        shelves.replaced = false;
        for shelf in shelves.operators.values_mut() {
            shelf.changed.iter_mut().for_each(Marks::clear);
        }
    }

    /// Puts other states in the place of all that an operator has.
    pub(super) fn replace(&self, operator: &str, keyed: Keyed) {
        let mut shelves = self.lock();
        shelves.replaced = true;
        if let Some(shelf) = shelves.operators.get_mut(operator) {
            shelf.keyed = Arc::new(keyed);
        }
    }

    /// A second keyring with the same states, which changes on its own from now on. Nobody asks it what has changed.
    pub(super) fn fork(&self) -> Self {
        let shelf = |(name, shelf): (&String, &Shelf)| {
            let changed = shelf.changed.iter().map(|_| Marks::default()).collect();
            (name.clone(), Shelf { keyed: shelf.keyed.clone(), changed })
        };
        let operators = self.lock().operators.iter().map(shelf).collect();
        Self { shelves: Mutex::new(Shelves { operators, ..Shelves::default() }) }
    }

    /// Goes back to the states of a fork, which are those of a checkpoint: nothing has changed since.
    pub(super) fn go_back(&self, fork: &Self) {
        for (name, keyed) in fork.all() {
            if let Some(shelf) = self.lock().operators.get_mut(&name) {
                shelf.keyed = keyed;
            }
        }
        self.forget_changed();
    }

    /// Makes changes visible.
    pub(super) fn apply(&self, deltas: Vec<Delta>) {
        let mut shelves = self.lock();
        let tracked = shelves.tracked;
        for delta in deltas {
            if let Some(shelf) = shelves.operators.get_mut(&delta.operator) {
                shelf.apply(delta, tracked);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    fn apply(&mut self, delta: Delta, tracked: bool) {
        let keyed = Arc::make_mut(&mut self.keyed);
        let timeout = keyed.spec.timeout;
        let mut changes: Vec<Option<Changes>> = vec![None; keyed.groups.len()];
        for (group, keys) in delta.groups {
            if let Some(place) = changes.get_mut(group as usize) {
                *place = Some(keys);
            }
        }
        let groups = keyed.groups.par_iter_mut().zip(&mut changes).zip(&mut self.changed);
        groups.for_each(|((group, changes), changed)| {
            let Some(changes) = changes else { return };
            if !(changes.is_empty() && group.is_quiet(delta.now)) {
                Arc::make_mut(group).apply(delta.now, timeout, changes, tracked.then_some(changed));
            }
        });
    }

    fn take_changed(&mut self, operator: &str) -> Changed {
        let groups = &self.keyed.groups;
        let now = self
            .changed
            .par_iter_mut()
            .enumerate()
            .map(|(index, changed)| (index as u32, changed.take(&groups[index])));
        let groups = now.filter(|(_, changes)| !changes.is_empty()).collect();
        Changed { operator: operator.to_owned(), spec: self.keyed.spec.clone(), groups }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot set up its case should fail there")]

    use std::collections::{BTreeMap, BTreeSet};

    use arrow::datatypes::Schema;
    use proptest::prelude::*;

    use super::super::group::{Change, Due, Key, StateBytes};
    use super::*;

    fn ring(timeout: Option<u64>) -> Keyring {
        let ring = Keyring::default();
        let empty = Arc::new(Schema::empty());
        ring.open("op", KeyedSpec { key: empty.clone(), state: empty, version: 1, timeout }, 2);
        ring
    }

    fn set(last: u64, timer: u64) -> Option<Change> {
        Some(Change { state: StateBytes::default(), last, timer })
    }

    fn apply(ring: &Keyring, now: u64, keys: Vec<(Key, Option<Change>)>) {
        ring.apply(vec![Delta { operator: "op".into(), now, groups: vec![(0, keys)] }]);
    }

    fn due(ring: &Keyring, now: u64) -> Vec<(u8, Due)> {
        let keyed = ring.get("op").unwrap();
        keyed.groups()[0].due(now, keyed.spec.timeout).into_iter().map(|(key, _, due)| (key[0], due)).collect()
    }

    fn key(name: u8) -> Key {
        Key::from_slice(&[name])
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
        let state = |length| Some(Change { state: StateBytes::from_elem(0, length), last: 1, timer: 0 });
        apply(&ring, 1, vec![(key(1), state(10)), (key(2), state(0))]);
        assert_eq!(bytes(), 12);
        apply(&ring, 2, vec![(key(1), state(3)), (key(2), None), (key(3), None)]);
        assert_eq!(bytes(), 4);
    }

    proptest! {
        /// Whoever follows the changes knows all states, and is told of no key that was left alone.
        #[test]
        fn changes_followed_are_the_states(
            steps in prop::collection::vec((
                prop::collection::btree_map(0_u8..150, prop::option::of(0_usize..3), 0..40), any::<bool>(),
            ), 1..20),
        ) {
            let ring = ring(None);
            ring.track();
            let (mut followed, mut touched) = (BTreeMap::new(), BTreeSet::new());
            for (now, (changes, is_asked)) in (1..).zip(steps) {
                touched.extend(changes.keys().copied());
                let state = |length| Change { state: StateBytes::from_elem(0, length), last: now, timer: 0 };
                apply(&ring, now, changes.into_iter().map(|(k, length)| (key(k), length.map(state))).collect());
                if is_asked {
                    for (key, change) in ring.take_changed().unwrap().into_iter().flat_map(|c| c.groups).flat_map(|g| g.1) {
                        prop_assert!(touched.contains(&key[0]));
                        match change {
                            Some(change) => followed.insert(key, (change.state, change.last)),
                            None => followed.remove(&key),
                        };
                    }
                    let keyed = ring.get("op").unwrap();
                    let states = keyed.groups()[0].iter().map(|(k, e)| (k.clone(), (e.state.clone(), e.last)));
                    prop_assert_eq!(&followed, &states.collect::<BTreeMap<_, _>>());
                    touched.clear();
                }
            }
        }

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
