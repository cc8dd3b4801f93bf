//! What outlives a batch: the states of keys, the rows of past batches, and what its tables held.
//!
//! A batch reads both as they were when the batch before it committed, and changes neither: its tasks stage what is to
//! change, and [`Store::commit`] makes all of it visible at once. So a batch that fails leaves nothing behind.
//!
//! Who reads from outside takes a [`Snapshot`]: all of the last commit, nothing of the batch at work.
//!
//! - [`keyed`]: a state for each key of an operator; [`group`]: the keys of one group, and when each is to be woken;
//!   `marks`: which of them have changed.
//! - [`history`]: the rows of a stream's past batches, which windows are made of.
//! - [`watermarks`]: how far each source has come in event time.
//! - [`row_bytes`]: rows as bytes, the form in which keys and states are kept.

pub mod group;
pub mod history;
pub mod keyed;
mod marks;
pub mod row_bytes;
pub mod watermarks;

pub use group::{Change, Changes, Due, Entry, Group, Key, StateBytes};
pub use history::{Batches, History, Past};
pub use keyed::{Changed, Delta, Keyed, KeyedSpec, Keyring};
pub use row_bytes::RowBytes;
pub use watermarks::Watermarks;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use crate::event_time::Watermark;
use crate::table::Contents;
use crate::time::BatchTime;

/// All that outlives a batch.
#[derive(Debug, Default)]
pub struct Store {
    /// The states of keys, by operator.
    pub keyed: Keyring,
    /// The rows of past batches, by stream.
    pub history: History,
    /// How far sources have come in event time.
    pub watermarks: Watermarks,
    /// Written for as long as a commit takes, so that nobody outside sees half of one.
    committed: RwLock<Committed>,
}

/// The last commit.
#[derive(Debug, Clone, Default)]
struct Committed {
    batch: Option<BatchTime>,
    tables: HashMap<String, Arc<Contents>>,
}

/// All that the last commit left, for reading. Taking it copies references, not data. A commit does not wait for it to be
/// dropped, but has to copy what it changes of what is still held: the key groups that it touches, once.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The batch that was committed last.
    pub batch: Option<BatchTime>,
    /// The states of keys, by operator.
    pub keyed: HashMap<String, Arc<Keyed>>,
    /// Past batches, by stream.
    pub history: HashMap<String, Arc<Batches>>,
    /// The tables that the batch read, as it read them.
    pub tables: HashMap<String, Arc<Contents>>,
}

/// What a checkpoint writes down.
#[derive(Debug, Clone)]
pub struct Saved {
    /// The batch that was committed last.
    pub batch: BatchTime,
    /// The states of keys.
    pub states: SavedStates,
    /// Past batches.
    pub history: Vec<(String, BatchTime, Arc<Past>)>,
    /// Of each stream of which batches are kept, the oldest.
    pub oldest: BTreeMap<String, BatchTime>,
    /// How far sources have come in event time.
    pub watermarks: BTreeMap<String, Watermark>,
}

/// States of keys, to be written down.
#[derive(Debug, Clone)]
pub enum SavedStates {
    /// All of them.
    All(BTreeMap<String, Arc<Keyed>>),
    /// Those that have changed.
    Changed(Vec<Changed>),
}

/// What a batch changes.
#[derive(Debug, Default)]
pub struct Staged {
    /// The changes of keyed states; of each operator, no group twice.
    pub deltas: Vec<Delta>,
    /// The rows of streams that are kept.
    pub kept: Vec<Kept>,
    /// What it read of tables.
    pub tables: HashMap<String, Arc<Contents>>,
    /// How far sources have come in event time.
    pub watermarks: BTreeMap<String, Watermark>,
}

/// The rows of a batch of a stream that is kept.
#[derive(Debug)]
pub struct Kept {
    /// The stream.
    pub stream: String,
    /// The rows.
    pub past: Past,
    /// Batches up to this one are needed no more.
    pub forget: Option<BatchTime>,
}

impl Store {
    /// Makes all changes of a batch visible. Uses the threads of the pool that it is called on.
    pub fn commit(&self, batch: BatchTime, staged: Staged) {
        let mut committed = self.committed.write().unwrap_or_else(PoisonError::into_inner);
        self.keyed.apply(staged.deltas);
        self.watermarks.advance(staged.watermarks);
        for kept in staged.kept {
            self.history.keep(&kept.stream, batch, kept.past, kept.forget);
        }
        *committed = Committed { batch: Some(batch), tables: staged.tables };
    }

    /// From now on, remembers what changes, for [`saved`](Self::saved).
    pub fn track(&self) {
        self.keyed.track();
    }

    /// What a checkpoint writes down: what has changed since the one before, at batch `since`; without one, everything.
    /// None before the first commit. Uses the threads of the pool that it is called on.
    pub fn saved(&self, since: Option<BatchTime>) -> Option<Saved> {
        let committed = self.committed.write().unwrap_or_else(PoisonError::into_inner);
        let batch = committed.batch?;
        let (since, states) = match since.and_then(|since| Some((since, self.keyed.take_changed()?))) {
            Some((since, changed)) => (Some(since), SavedStates::Changed(changed)),
            None => {
                self.keyed.forget_changed();
                (None, SavedStates::All(self.keyed.all().into_iter().collect()))
            }
        };
        let (mut history, mut oldest) = (Vec::new(), BTreeMap::new());
        for (stream, batches) in self.history.all() {
            oldest.extend(batches.keys().next().map(|first| (stream.clone(), *first)));
            let new = batches.iter().filter(|(batch, _)| since.is_none_or(|since| **batch > since));
            history.extend(new.map(|(batch, past)| (stream.clone(), *batch, past.clone())));
        }
        history.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        Some(Saved { batch, states, history, oldest, watermarks: self.watermarks.all() })
    }

    /// Gives keys the states that they start with, before the batch after `before_first`. Uses the threads of the pool that
    /// it is called on.
    pub fn start(&self, before_first: BatchTime, states: Delta) {
        let mut committed = self.committed.write().unwrap_or_else(PoisonError::into_inner);
        self.keyed.apply(vec![states]);
        committed.batch.get_or_insert(before_first);
    }

    /// Puts other states in the place of all that an operator has: they mean the same, in another form.
    pub fn replace(&self, operator: &str, keyed: Keyed) {
        let _nobody_sees_half = self.committed.write().unwrap_or_else(PoisonError::into_inner);
        self.keyed.replace(operator, keyed);
    }

    /// A second store with all that the last commit left, which changes on its own from now on. It costs references, and
    /// then what either changes of what both have.
    pub fn fork(&self) -> Self {
        let committed = self.committed.read().unwrap_or_else(PoisonError::into_inner);
        Self {
            keyed: self.keyed.fork(),
            history: self.history.fork(),
            watermarks: self.watermarks.fork(),
            committed: RwLock::new(committed.clone()),
        }
    }

    /// Goes back to what a fork has. What changes from here on is told as a change since then.
    pub fn go_back(&self, fork: &Self) {
        let mut committed = self.committed.write().unwrap_or_else(PoisonError::into_inner);
        self.keyed.go_back(&fork.keyed);
        self.history.go_back(&fork.history);
        self.watermarks.go_back(&fork.watermarks);
        *committed = fork.committed.read().unwrap_or_else(PoisonError::into_inner).clone();
    }

    /// The batch that was committed last.
    pub fn batch(&self) -> Option<BatchTime> {
        self.committed.read().unwrap_or_else(PoisonError::into_inner).batch
    }

    /// All that the last commit left. Waits for a commit that is being made.
    pub fn snapshot(&self) -> Snapshot {
        let committed = self.committed.read().unwrap_or_else(PoisonError::into_inner);
        let Committed { batch, tables } = &*committed;
        Snapshot { batch: *batch, keyed: self.keyed.all(), history: self.history.all(), tables: tables.clone() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot set up its case should fail there")]

    use std::thread;

    use arrow::datatypes::Schema;

    use super::*;

    /// Every batch sets a key of each of two operators, and keeps one batch of a stream; whoever looks in between must
    /// find all three to be of the batch that the snapshot says.
    #[test]
    fn a_snapshot_has_all_of_a_commit_or_nothing() {
        let store = Store::default();
        let empty = Arc::new(Schema::empty());
        for operator in ["a", "b"] {
            let spec = KeyedSpec { key: empty.clone(), state: empty.clone(), version: 1, timeout: None };
            store.keyed.open(operator, spec, 1);
        }
        let delta = |operator: &str, now: u64| {
            let change = Change { state: now.to_le_bytes()[..].into(), last: now, timer: 0 };
            Delta { operator: operator.to_owned(), now, groups: vec![(0, vec![(Key::default(), Some(change))])] }
        };
        let commit = |now: u64| {
            let kept = Kept {
                stream: "s".to_owned(),
                past: Past::default(),
                forget: now.checked_sub(1).map(BatchTime::from_millis),
            };
            let deltas = vec![delta("a", now), delta("b", now)];
            store.commit(BatchTime::from_millis(now), Staged { deltas, kept: vec![kept], ..Staged::default() });
        };
        commit(1);
        let last = 2_000;
        thread::scope(|scope| {
            scope.spawn(|| (2..=last).for_each(commit));
            loop {
                let snapshot = store.snapshot();
                let batch = snapshot.batch.unwrap();
                for operator in ["a", "b"] {
                    let entry = snapshot.keyed[operator].groups()[0].get(&[]).unwrap();
                    assert_eq!(entry.last, batch.as_millis(), "the state of `{operator}`");
                }
                assert_eq!(snapshot.history["s"].keys().collect::<Vec<_>>(), [&batch]);
                if batch.as_millis() == last {
                    break;
                }
            }
        });
    }
}
