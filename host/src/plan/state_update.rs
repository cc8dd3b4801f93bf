//! Rows and states of keys through a component of the world `state`.
//!
//! A task owns the key groups of its partition. It finds the keys that have rows and those that are due, asks the
//! component what becomes of each, and stages the answer, which the batch's commit makes visible. Within a group, keys
//! with rows come first, in order of their first row, then the others in the order of their bytes: an order that no
//! partitioning changes.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use arrow::row::Rows;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::group::Grouper;
use super::key_group::owned;
use super::metered::Metered;
use super::node::{Node, Task};
use super::rooms::{BatchRoom, ComponentCall, Rooms, execution};
use super::segment::{attach, detach, with_segment};
use crate::fingerprint::size_of;
use crate::operator::{Cause, Fate, Reject, State, StateRunner, Touched, Updates};
use crate::pipeline::Touch;
use crate::rows::{Columns, concat as concat_rows, of_columns, take as take_rows};
use crate::state::row_bytes::comparable;
use crate::state::{Change, Changes, Delta, Due, Entry, Key, Keyed, RowBytes};

/// Calls a state operator on the keys that a batch touches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StateUpdate {
    /// The component.
    pub call: ComponentCall,
    /// Indices of the key's columns in the input.
    pub key: Vec<usize>,
    /// The columns of an output row, without the key.
    pub output: Columns,
    /// Which keys it is called with.
    pub touch: Touch,
}

impl StateUpdate {
    fn key_schema(&self) -> Result<Schema> {
        Ok(self.call.input.schema().project(&self.key)?)
    }
}

/// A plan reads states that nobody has made room for.
pub(super) fn not_open(operator: &str) -> DataFusionError {
    DataFusionError::Internal(format!("there is no room for the states of `{operator}`"))
}

impl Node for StateUpdate {
    fn schema(&self, _: &[SchemaRef]) -> Result<SchemaRef> {
        let fields = [self.key_schema()?, self.output.schema()].map(|s| s.fields().iter().cloned().collect::<Vec<_>>());
        Ok(with_segment(&Schema::new(fields.concat())))
    }

    fn partitions(&self, inputs: &[usize]) -> usize {
        inputs[0]
    }

    fn run(&self, task: Task<'_>) -> Result<SendableRecordBatchStream> {
        let (rooms, batch, input, node) = (task.rooms()?, task.batch()?, task.input_stream()?, self.clone());
        let (partition, partitions) = (task.partition, task.partition_count()?);
        let (schema, input_schema) = (task.schema.clone(), task.input()?.schema());
        let rows = async move {
            let batches: Vec<RecordBatch> = input.try_collect().await?;
            let rows = concat_rows(&input_schema, &batches)?;
            let keyed = rooms.state.keyed.get(&node.call.operator).ok_or_else(|| not_open(&node.call.operator))?;
            let (worker, input) = Worker::new(node, &rooms, batch, schema, &keyed, &rows, partition)?;
            let out = worker.run(keyed, &input, partition, &owned(partition, partitions)?)?;
            Ok::<_, DataFusionError>(stream::iter(out.into_iter().map(Ok)))
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(task.schema, stream::once(rows).try_flatten())))
    }
}

struct Worker {
    node: StateUpdate,
    batch: Arc<BatchRoom>,
    schema: SchemaRef,
    runner: Metered<StateRunner>,
    keys: RowBytes,
    states: RowBytes,
}

/// The rows of a partition, by key.
struct Input {
    /// In canonical order.
    rows: RecordBatch,
    segments: UInt32Array,
    /// The keys that have rows, in order of their first.
    keys: RecordBatch,
    /// Their bytes; none if a key has no columns.
    key_bytes: Option<Rows>,
    /// Where each key's rows are in `sorted`.
    bounds: Vec<u32>,
    /// The place in `rows` of each row of `sorted`.
    order: UInt32Array,
    /// The columns that cross, sorted by key.
    sorted: RecordBatch,
}

/// A key of a call.
struct Unit<'k> {
    group: u32,
    key: &'k [u8],
    /// What is kept of it.
    known: Option<&'k Entry>,
    /// Which of [`Input::keys`] it is, if it has rows.
    place: Option<usize>,
    cause: Cause,
    /// Its rows in [`Input::sorted`].
    rows: Range<u32>,
}

impl Worker {
    fn new(
        node: StateUpdate,
        rooms: &Rooms,
        batch: Arc<BatchRoom>,
        schema: SchemaRef,
        keyed: &Keyed,
        rows: &RecordBatch,
        partition: usize,
    ) -> Result<(Self, Input)> {
        let operator = rooms.operators.state(&node.call, &node.key_schema()?).map_err(execution)?;
        let keys = RowBytes::new(keyed.spec().key.clone())?;
        let states = RowBytes::new(keyed.spec().state.clone())?;
        let input = Input::new(&node, &operator, &keys, rows)?;
        let runner = StateRunner::new(operator, batch.moment(&node.call, partition))
            .within(batch.allowance(&node.call))
            .metered(batch.metering());
        let runner = Metered::new(runner, &node.call, batch.clone());
        Ok((Self { node, batch, schema, runner, keys, states }, input))
    }

    fn run(mut self, keyed: Arc<Keyed>, input: &Input, partition: usize, groups: &[u32]) -> Result<Vec<RecordBatch>> {
        let units = self.units(&keyed, input, groups);
        let count = |group| units.partition_point(|u| u.group <= group) - units.partition_point(|u| u.group < group);
        let mut delta: Vec<(u32, Changes)> =
            groups.iter().map(|&group| (group, Vec::with_capacity(count(group)))).collect();
        let mut out = Vec::new();
        let mut rejected = 0;
        for call in calls(&units, self.node.call.chunk_rows.max(1)) {
            let units = &units[call];
            let keys = self.keys_of(units, input)?;
            let updates = self.update(units, &keys, input)?;
            rejected += updates.rejects.len() + updates.broken.len();
            out.extend(self.output(units, &keys, &updates)?);
            self.changes(units, &updates, &mut delta)?;
            self.reject(units, &keys, input, updates)?;
        }
        let rows_out = out.iter().map(RecordBatch::num_rows).sum::<usize>() as u64;
        let rows_in = input.rows.num_rows() as u64;
        let mut report = self.batch.report();
        report.count(&self.node.call.operator, rows_in, rows_out, rejected as u64);
        report.read(&self.node.call.operator, size_of(&input.rows));
        drop(report);
        drop(units);
        let Self { node, batch, runner, .. } = self;
        drop(runner);
        // The states must not be held any more when the batch commits, or it would have to copy them.
        drop(keyed);
        let now = batch.time.as_millis();
        batch.stage(partition, Delta { operator: node.call.operator, now, groups: delta });
        Ok(out)
    }

    /// The keys to be called with, in canonical order.
    fn units<'k>(&self, keyed: &'k Keyed, input: &'k Input, groups: &[u32]) -> Vec<Unit<'k>> {
        let (now, timeout) = (self.batch.time.as_millis(), keyed.spec().timeout);
        let count = input.keys.num_rows();
        let mut units = Vec::with_capacity(count);
        let mut next = 0;
        for &group in groups {
            let states = &keyed.groups()[group as usize];
            let first = next;
            while next < count && input.group(next) == group {
                let key = input.key(next);
                let known = states.get(key);
                let timer = known.is_some_and(|entry| entry.due(now, None) == Some(Due::Timer));
                let cause = if timer { Cause::Timer } else { Cause::Rows };
                let rows = input.bounds[next]..input.bounds[next + 1];
                units.push(Unit { group, key, known, place: Some(next), cause, rows });
                next += 1;
            }
            let at = input.bounds[next];
            let due = match self.node.touch {
                Touch::Changed => states.due(now, timeout),
                Touch::All => Vec::new(),
            };
            if due.is_empty() && self.node.touch == Touch::Changed {
                continue;
            }
            let has_rows: HashSet<&[u8]> = (first..next).map(|place| input.key(place)).collect();
            let cause = |due| match due {
                Some(Due::Timer) => Cause::Timer,
                Some(Due::Idle) => Cause::Idle,
                None => Cause::All,
            };
            let mut others: Vec<(&Key, &Entry, Cause)> = match self.node.touch {
                Touch::Changed => due.into_iter().map(|(key, entry, due)| (key, entry, cause(Some(due)))).collect(),
                Touch::All => states.iter().map(|(key, entry)| (key, entry, cause(entry.due(now, timeout)))).collect(),
            };
            others.retain(|(key, _, _)| !has_rows.contains(&***key));
            others.sort_unstable_by_key(|(key, _, _)| *key);
            let others = others.into_iter();
            units.extend(others.map(|(key, entry, cause)| Unit {
                group,
                key,
                known: Some(entry),
                place: None,
                cause,
                rows: at..at,
            }));
        }
        units
    }

    /// The keys of a call as rows.
    fn keys_of(&self, units: &[Unit<'_>], input: &Input) -> Result<RecordBatch> {
        let first = units.first().and_then(|unit| unit.place);
        let mut expected = first.into_iter().flat_map(|first| first..);
        // Units with rows follow one another in the input, too.
        if units.iter().all(|unit| unit.place.is_some() && unit.place == expected.next()) {
            return Ok(input.keys.slice(first.unwrap_or(0), units.len()));
        }
        Ok(self.keys.decode(units.iter().map(|unit| unit.key))?)
    }

    fn update(&mut self, units: &[Unit<'_>], keys: &RecordBatch, input: &Input) -> Result<Updates> {
        let first = units.first().map_or(0, |unit| unit.rows.start);
        let last = units.last().map_or(first, |unit| unit.rows.end);
        let input = input.sorted.slice(first as usize, (last - first) as usize);
        let mut groups = vec![0];
        groups.extend(units.iter().map(|unit| unit.rows.end - first));
        let blank = self.states.blank();
        let previous = units.iter().map(|unit| unit.known.map_or(blank, |entry| &*entry.state));
        let previous = self.states.decode(previous)?;
        let present: BooleanBuffer = units.iter().map(|unit| unit.known.is_some()).collect();
        let causes: Vec<Cause> = units.iter().map(|unit| unit.cause).collect();
        let touched =
            Touched { keys, groups: &groups, input: &input, previous: &previous, present: &present, causes: &causes };
        self.runner.update(&touched).map_err(|e| self.node.call.error(&e))
    }

    /// The output rows of a call, each with its key before it.
    fn output(&self, units: &[Unit<'_>], keys: &RecordBatch, updates: &Updates) -> Result<Option<RecordBatch>> {
        let from = &updates.output_from;
        if updates.output.num_rows() == 0 {
            return Ok(None);
        }
        let is_one_each = from.len() == units.len() && from.iter().zip(0..).all(|(from, unit)| *from == unit);
        let keys = if is_one_each { keys.clone() } else { take_rows(keys, &UInt32Array::from(from.clone()))? };
        let segments = UInt32Array::from_iter_values(from.iter().map(|&k| units[k as usize].group));
        let columns = [keys.columns(), updates.output.columns()].concat();
        let rows = of_columns(super::segment::without_segment(&self.schema), columns, updates.output.num_rows())?;
        attach(rows, segments).map(Some)
    }

    fn changes(&self, units: &[Unit<'_>], updates: &Updates, delta: &mut [(u32, Changes)]) -> Result<()> {
        let now = self.batch.time.as_millis();
        let next = self.states.encode_each(&updates.next)?;
        let mut at = 0;
        for (((unit, fate), timer), state) in units.iter().zip(&updates.fates).zip(&updates.timers).zip(next) {
            let last = if unit.rows.is_empty() { unit.known.map_or(now, |entry| entry.last) } else { now };
            let change = match (fate, unit.known) {
                // Called for the last time, whatever it answered.
                _ if unit.cause == Cause::Idle => None,
                (Fate::Remove, _) => None,
                (Fate::Keep, _) => Some(Change { state, last, timer: *timer }),
                // The timer has had its call, which must not come again and again.
                (Fate::Unchanged, Some(entry)) => {
                    let timer = if unit.cause == Cause::Timer { 0 } else { entry.timer };
                    Some(Change { state: entry.state.clone(), last, timer })
                }
                (Fate::Unchanged, None) => continue,
            };
            if change.is_none() && unit.known.is_none() {
                continue;
            }
            // Both are in the order of groups.
            at += delta[at..].iter().take_while(|(group, _)| *group < unit.group).count();
            delta[at].1.push((Key::from(unit.key), change));
        }
        Ok(())
    }

    fn reject(&self, units: &[Unit<'_>], keys: &RecordBatch, input: &Input, updates: Updates) -> Result<()> {
        let first = units.first().map_or(0, |unit| unit.rows.start);
        let place = |row: usize| input.order.value(first as usize + row) as usize;
        let mut rejects: Vec<Reject> =
            updates.rejects.into_iter().map(|reject| Reject { row: place(reject.row), ..reject }).collect();
        rejects.sort_by_key(|reject| reject.row);
        self.batch.reject(&self.node.call, &input.rows, &rejects, |row| {
            let segment = input.segments.value(row);
            // Counted within the segment: what comes before it in this partition depends on the partitioning.
            let first = input.segments.values().partition_point(|&s| s < segment);
            (segment, (row - first) as u64)
        })?;
        if updates.broken.is_empty() {
            return Ok(());
        }
        self.batch.reject_keys(&self.node.call, keys, &updates.broken, |key| (units[key].group, u64::MAX))
    }
}

impl Input {
    fn new(node: &StateUpdate, operator: &State, keys: &RowBytes, rows: &RecordBatch) -> Result<Self> {
        let (rows, segments) = detach(rows)?;
        let columns: Vec<ArrayRef> = node.key.iter().map(|&i| comparable(rows.column(i))).collect();
        let mut grouper = Grouper::new(node.key_schema()?)?;
        grouper.add_segments(&columns, &segments)?;
        let grouping = grouper.finish()?;
        let bounds = grouping.bounds();
        let order = grouping.order(&bounds);
        let sorted = if operator.reads().is_empty() {
            of_columns(Arc::new(Schema::empty()), vec![], rows.num_rows())?
        } else {
            grouping.sorted(rows.project(operator.reads())?, || &order)?
        };
        let key_bytes = (grouping.keys.num_columns() > 0).then(|| keys.encode(grouping.keys.columns())).transpose()?;
        Ok(Self { keys: grouping.keys, key_bytes, rows, segments, bounds, order, sorted })
    }

    /// The bytes of a key that has rows.
    fn key(&self, place: usize) -> &[u8] {
        self.key_bytes.as_ref().map_or(&[], |rows| rows.row(place).data())
    }

    /// The key group of a key that has rows.
    fn group(&self, key: usize) -> u32 {
        self.segments.value(self.order.value(self.bounds[key] as usize) as usize)
    }
}

/// Cuts keys into calls of at most `size` keys and rows, or of one key that has more rows.
fn calls(units: &[Unit<'_>], size: usize) -> Vec<Range<usize>> {
    let mut calls = Vec::new();
    let mut start = 0;
    for (index, unit) in units.iter().enumerate() {
        let rows = (unit.rows.end - units[start].rows.start) as usize;
        if index > start && (rows > size || index - start >= size) {
            calls.push(start..index);
            start = index;
        }
    }
    if start < units.len() {
        calls.push(start..units.len());
    }
    calls
}
