//! The life of an operator with state: batch after batch, and what is kept between them.

mod call;
mod key;
mod migrate;

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::cell::Cell;
use super::{Answer, Table, table};
use crate::bindings::rows::Field;
use crate::bindings::state::{Cause, Fate};
use crate::log::native::capture;
use crate::record::Record;
use crate::{Timestamp, set_batch_time};
use call::{Call, Rows, Unit, Updates};
use key::Key;

/// An operator with state to be run.
pub fn state<S: crate::State + DeserializeOwned>() -> State<S> {
    State {
        config: "{}".to_owned(),
        timeout: None,
        touch_all: false,
        chunk: usize::MAX,
        columns: None,
        now: None,
        known: BTreeMap::new(),
        kept: Vec::new(),
        operator: PhantomData,
    }
}

/// An operator with state, and what is kept of each key. Start with [`state`].
#[derive(Debug, Clone)]
pub struct State<S> {
    config: String,
    timeout: Option<u64>,
    touch_all: bool,
    chunk: usize,
    columns: Option<Columns>,
    /// The last batch's time.
    now: Option<u64>,
    known: BTreeMap<Key, Entry>,
    /// The columns of a state.
    kept: Vec<Field>,
    operator: PhantomData<fn() -> S>,
}

/// The columns of a stream, the same in all batches.
#[derive(Debug, Clone, PartialEq)]
struct Columns {
    key: Vec<Field>,
    input: Vec<Field>,
}

/// What is kept of a key.
#[derive(Debug, Clone)]
struct Entry {
    state: Vec<Cell>,
    /// When it last had rows.
    last: u64,
    /// When it asked to be woken; 0 for never.
    timer: u64,
}

impl Entry {
    fn due(&self, now: u64, timeout: Option<u64>) -> Option<Cause> {
        if self.timer != 0 && self.timer <= now {
            return Some(Cause::Timer);
        }
        let idle = timeout.is_some_and(|timeout| self.last.saturating_add(timeout) <= now);
        idle.then_some(Cause::Idle)
    }
}

impl<S: crate::State + DeserializeOwned> State<S> {
    /// With a config, as JSON. The default is `{}`.
    pub fn config(mut self, json: impl Into<String>) -> Self {
        self.config = json.into();
        self
    }

    /// With a last call for keys that had no rows for so long, in whole milliseconds. By default there is none.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout.as_millis().try_into().unwrap_or(u64::MAX));
        self
    }

    /// With every known key in every batch. By default only those that have rows or are due.
    pub fn touch_all(mut self) -> Self {
        self.touch_all = true;
        self
    }

    /// With so many keys a call, at least one. The default is all in one call; the answer must be the same.
    pub fn chunk(mut self, keys: usize) -> Self {
        self.chunk = keys.max(1);
        self
    }

    /// Runs a batch that ends at `time`: keys, no key twice, with the rows of each. A key's record has all its columns, a
    /// row's has the columns of the stream; they are the same in all batches.
    ///
    /// Keys with rows are called in the order given, then those that are due. The output has the key's columns, then the
    /// operator's. Rejects count rows over all keys. After an error everything is as it was before the batch.
    ///
    /// # Errors
    /// What the operator fails with, which of the host's rules its answer breaks, or what is wrong with the batch.
    pub fn batch<'k, 'r, K: Record<'k>, R: Record<'r>>(
        &mut self,
        time: Timestamp,
        groups: impl IntoIterator<Item = (K, impl IntoIterator<Item = R>)>,
    ) -> Result<Answer, String> {
        let (mut keys, mut rows, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for (key, group) in groups {
            keys.push(key);
            rows.extend(group);
            ends.push(rows.len());
        }
        let (keys, rows) = (Table::of(keys)?, Table::of(rows)?);
        let columns = Columns { key: keys.fields().to_vec(), input: rows.fields().to_vec() };
        if self.columns.as_ref().is_some_and(|before| *before != columns) {
            return Err("the batch has other columns than the one before".to_owned());
        }
        let keys = table::rows(&keys.cells()?, keys.len());
        self.run(time, &columns, keys.into_iter().map(Key::new).zip(ends).collect(), rows.cells()?)
    }

    /// Runs a batch that ends at `time` and has no rows: only keys that are due are called, or all with
    /// [`touch_all`](Self::touch_all). There must be a batch with rows before, which says what columns there are.
    ///
    /// # Errors
    /// As for [`batch`](Self::batch).
    pub fn batch_without_rows(&mut self, time: Timestamp) -> Result<Answer, String> {
        let columns =
            self.columns.clone().ok_or("the first batch must be one with rows: they say what columns there are")?;
        let input = vec![Vec::new(); columns.input.len()];
        self.run(time, &columns, Vec::new(), input)
    }

    /// The keys that have a state, in order, with the columns of key and state.
    ///
    /// # Errors
    /// Why they do not fit in columns.
    pub fn states(&self) -> Result<Table, String> {
        let key = self.columns.iter().flat_map(|columns| &columns.key);
        let fields: Vec<Field> = key.chain(&self.kept).cloned().collect();
        let rows: Vec<_> = self.known.iter().map(|(key, entry)| [key.cells(), &entry.state].concat()).collect();
        let cells = table::columns(fields.len(), &rows);
        Table::of_cells(fields, rows.len(), &cells)
    }

    fn run(
        &mut self,
        time: Timestamp,
        columns: &Columns,
        groups: Vec<(Key, usize)>,
        input: Vec<Vec<Cell>>,
    ) -> Result<Answer, String> {
        let now = u64::try_from(time.as_millis()).map_err(|_| format!("{time} is before the Unix epoch"))?;
        if self.now.is_some_and(|before| now <= before) {
            return Err("the batch is not after the one before".to_owned());
        }
        let units = self.units(now, groups)?;
        let (result, log) = capture(|| {
            set_batch_time(time);
            let call = Call::<S>::new(&self.config, columns, &input)?;
            let updates = units.chunks(self.chunk).map(|units| call.update(units)).collect::<Result<Vec<_>, _>>()?;
            Ok::<_, String>((call.into_shape(), updates))
        });
        let (shape, updates) = result?;
        let fields: Vec<Field> = columns.key.iter().chain(&shape.output).cloned().collect();
        let output: Vec<_> = updates.iter().flat_map(|updates| updates.output.iter().cloned()).collect();
        let table =
            Table::of_cells(fields, output.len(), &table::columns(columns.key.len() + shape.output.len(), &output))?;
        let rejects = updates.iter().flat_map(|updates| updates.rejects.iter().cloned()).collect();

        (self.columns, self.kept, self.now) = (Some(columns.clone()), shape.state, Some(now));
        let mut units = units.into_iter();
        for Updates { nexts, .. } in updates {
            for ((state, fate, timer), unit) in nexts.into_iter().zip(&mut units) {
                self.settle(now, unit, fate, state, timer);
            }
        }
        Ok(Answer { table, rejects, log })
    }

    /// The keys to be called with: those that have rows, then the others.
    fn units(&self, now: u64, groups: Vec<(Key, usize)>) -> Result<Vec<Unit>, String> {
        let mut units: BTreeMap<Key, Unit> = BTreeMap::new();
        let mut order = Vec::new();
        let mut start = 0;
        for (key, end) in groups {
            let rows = Rows { start, end };
            start = end;
            if rows.is_empty() {
                continue;
            }
            let entry = self.known.get(&key);
            let timer = entry.and_then(|entry| entry.due(now, None));
            let unit = Unit { key: key.clone(), cause: timer.unwrap_or(Cause::Rows), rows, state: state_of(entry) };
            if units.insert(key.clone(), unit).is_some() {
                return Err(format!("key {key} is there twice"));
            }
            order.push(key);
        }
        let due = |entry: &Entry| entry.due(now, self.timeout).or(self.touch_all.then_some(Cause::All));
        let rows = Rows { start, end: start };
        let others: Vec<Unit> = self
            .known
            .iter()
            .filter(|(key, _)| !units.contains_key(key))
            .filter_map(|(key, entry)| {
                Some(Unit { key: key.clone(), cause: due(entry)?, rows, state: state_of(Some(entry)) })
            })
            .collect();
        Ok(order.iter().filter_map(|key| units.remove(key)).chain(others).collect())
    }

    /// Keeps or forgets what there is of a key.
    fn settle(&mut self, now: u64, unit: Unit, fate: Fate, state: Vec<Cell>, timer: u64) {
        // A key's last call, whatever it answered.
        if unit.cause == Cause::Idle || fate == Fate::Remove {
            self.known.remove(&unit.key);
            return;
        }
        let before = self.known.get_mut(&unit.key);
        let last = before.as_ref().filter(|_| unit.rows.is_empty()).map_or(now, |entry| entry.last);
        match (fate, before) {
            (Fate::Keep, _) => drop(self.known.insert(unit.key, Entry { state, last, timer })),
            (_, Some(entry)) => {
                entry.last = last;
                // A timer that is due has had its call.
                if unit.cause == Cause::Timer {
                    entry.timer = 0;
                }
            }
            (_, None) => {}
        }
    }
}

fn state_of(entry: Option<&Entry>) -> Option<Vec<Cell>> {
    entry.map(|entry| entry.state.clone())
}
