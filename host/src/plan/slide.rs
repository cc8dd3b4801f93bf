//! The totals of a window, moved on from one window to the next: what came in is merged into the totals, what fell out is
//! retracted. The cost follows what comes, what goes and the keys that are there, not the length of the window (the
//! inverse form of Spark's `reduceByKeyAndWindow`).

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::group::{Grouper, calls, rebased};
use super::key_group::owned;
use super::metered::Metered;
use super::node::{Node, Task};
use super::rooms::{BatchRoom, ComponentCall, Rooms, execution};
use super::segment::{attach, detach};
use super::state_update::not_open;
use super::with_past::WithPast;
use crate::operator::{AggregateRunner, Reject};
use crate::rows::{Columns, concat as concat_rows, of_columns, take as take_rows};
use crate::state::row_bytes::comparable;
use crate::state::{Change, Delta, Key, Keyed, RowBytes, StateBytes};

/// Moves the totals of one operator on. Its input is this batch's accumulators, one for each key; it gives all totals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slide {
    /// The component.
    pub call: ComponentCall,
    /// The key's columns.
    pub key: Columns,
    /// The columns of an accumulator.
    pub accumulator: Columns,
    /// The name under which the totals are kept.
    pub totals: String,
    /// What comes into the window.
    pub comes: WithPast,
    /// What falls out of it.
    pub goes: WithPast,
}

impl Node for Slide {
    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef> {
        Ok(inputs[0].clone())
    }

    fn partitions(&self, inputs: &[usize]) -> usize {
        inputs[0]
    }

    fn run(&self, task: Task<'_>) -> Result<SendableRecordBatchStream> {
        let (rooms, batch, input, node) = (task.rooms()?, task.batch()?, task.input_stream()?, self.clone());
        let (partition, partitions, schema) = (task.partition, task.partition_count()?, task.schema.clone());
        let rows = async move {
            let present: Vec<RecordBatch> = input.try_collect().await?;
            let aggregate = rooms.operators.aggregate(&node.call).map_err(execution)?;
            let runner = AggregateRunner::new(aggregate, batch.moment(&node.call, partition))
                .within(batch.allowance(&node.call))
                .metered(batch.metering());
            let runner = Metered::new(runner, &node.call, batch.clone());
            let keyed = rooms.state.keyed.get(&node.totals).ok_or_else(|| not_open(&node.totals))?;
            let groups = owned(partition, partitions)?;
            let keys = RowBytes::new(keyed.spec().key.clone())?;
            let accumulators = RowBytes::new(keyed.spec().state.clone())?;
            let worker =
                Worker { node, rooms, batch, runner, keyed, groups, keys, accumulators, changes: HashMap::default() };
            worker.run(partition, &schema, present)
        };
        let rows = stream::once(rows).try_filter(|rows| std::future::ready(rows.num_rows() > 0));
        Ok(Box::pin(RecordBatchStreamAdapter::new(task.schema, rows)))
    }
}

struct Worker {
    node: Slide,
    rooms: Arc<Rooms>,
    batch: Arc<BatchRoom>,
    runner: Metered<AggregateRunner>,
    keyed: Arc<Keyed>,
    groups: Vec<u32>,
    keys: RowBytes,
    accumulators: RowBytes,
    /// The totals that change, each with its group; none where nothing is left.
    changes: HashMap<Key, (u32, Option<StateBytes>), ahash::RandomState>,
}

/// Accumulators sorted by key: those of key k are rows `bounds[k] .. bounds[k + 1]`.
struct Sorted {
    keys: RecordBatch,
    encoded: Vec<(u32, Key)>,
    bounds: Vec<u32>,
    rows: RecordBatch,
}

impl Worker {
    fn run(mut self, partition: usize, schema: &SchemaRef, present: Vec<RecordBatch>) -> Result<RecordBatch> {
        let goes = self.node.goes.together(&self.rooms, schema, Vec::new(), &self.groups)?;
        let comes = self.node.comes.together(&self.rooms, schema, present, &self.groups)?;
        self.add(&comes)?;
        self.take_out(&goes)?;
        let Self { batch, runner, keyed, groups, keys, accumulators, changes, node, .. } = self;
        drop(runner);
        let now = batch.time.as_millis();
        let mut delta: Vec<(u32, crate::state::Changes)> = groups.iter().map(|g| (*g, Vec::new())).collect();
        for (key, (group, total)) in changes {
            if let Ok(place) = delta.binary_search_by_key(&group, |(g, _)| *g) {
                delta[place].1.push((key, total.map(|state| Change { state, last: now, timer: 0 })));
            }
        }
        let mut all: Vec<(u32, &[u8], &[u8])> = Vec::new();
        for (group, changes) in &delta {
            let after = keyed.groups()[*group as usize].after(changes);
            all.extend(after.into_iter().map(|(key, total)| (*group, key, total)));
        }
        let key_rows = keys.decode(all.iter().map(|(_, key, _)| *key))?;
        let totals = accumulators.decode(all.iter().map(|(_, _, total)| *total))?;
        let columns = [key_rows.columns(), totals.columns()].concat();
        let rows = of_columns(super::segment::without_segment(schema), columns, all.len())?;
        let segments = UInt32Array::from_iter_values(all.iter().map(|(group, _, _)| *group));
        // The states must not be held any more when the batch commits, or it would have to copy them.
        drop(keyed);
        batch.stage(partition, Delta { operator: node.totals, now, groups: delta });
        attach(rows, segments)
    }

    /// Merges what comes into the window into the totals.
    fn add(&mut self, comes: &RecordBatch) -> Result<()> {
        let comes = self.sorted(comes)?;
        let totals: Vec<Option<&[u8]>> = comes.encoded.iter().map(|(group, key)| self.total(*group, key)).collect();
        let there: Vec<&[u8]> = totals.iter().copied().flatten().collect();
        let before = self.accumulators.decode(there.into_iter())?;
        let all = concat_rows(self.accumulators.schema(), &[before, comes.rows.clone()])?;
        // Each key's total goes before what comes to it.
        let (mut order, mut bounds, mut total) = (Vec::with_capacity(all.num_rows()), vec![0], 0);
        let first = all.num_rows() as u32 - comes.rows.num_rows() as u32;
        for (key, range) in comes.bounds.windows(2).enumerate() {
            if totals[key].is_some() {
                order.push(total);
                total += 1;
            }
            order.extend((range[0]..range[1]).map(|row| first + row));
            bounds.push(order.len() as u32);
        }
        let rows = take_rows(&all, &UInt32Array::from(order))?;
        self.merged(&Sorted { rows, bounds, ..comes })
    }

    /// Takes what falls out of the window out of the totals.
    fn take_out(&mut self, goes: &RecordBatch) -> Result<()> {
        let goes = self.sorted(goes)?;
        let (parts, kept) = self.fold(&goes)?;
        let keyed: Vec<(u32, Key)> = kept.iter().map(|&key| goes.encoded[key].clone()).collect();
        // A key that was lost on its way has no total any more, and nothing to be taken out of.
        let known: Vec<usize> = (0..keyed.len()).filter(|&i| self.total(keyed[i].0, &keyed[i].1).is_some()).collect();
        let totals: Vec<&[u8]> = known.iter().filter_map(|&i| self.total(keyed[i].0, &keyed[i].1)).collect();
        let totals = self.accumulators.decode(totals.into_iter())?;
        let parts = take_rows(&parts, &UInt32Array::from_iter_values(known.iter().map(|&i| i as u32)))?;
        let size = self.node.call.chunk_rows.max(1);
        for start in (0..totals.num_rows()).step_by(size) {
            let length = size.min(totals.num_rows() - start);
            let (totals, parts) = (totals.slice(start, length), parts.slice(start, length));
            let left = self.runner.retract(&totals, &parts).map_err(|e| self.node.call.error(&e))?;
            let bytes = self.accumulators.encode_each(&left.rows)?;
            for ((row, nothing), total) in left.groups.iter().zip(left.nothing).zip(bytes) {
                let (group, key) = keyed[known[start + row]].clone();
                self.changes.insert(key, (group, (!nothing).then_some(total)));
            }
            let lost = left.rejects.into_iter().map(|r| Reject { row: kept[known[start + r.row]], ..r }).collect();
            self.lost(&goes, lost)?;
        }
        Ok(())
    }

    /// Merges the accumulators of each key and makes the results its totals.
    fn merged(&mut self, sorted: &Sorted) -> Result<()> {
        let (totals, kept) = self.fold(sorted)?;
        let bytes = self.accumulators.encode_each(&totals)?;
        for (key, total) in kept.into_iter().zip(bytes) {
            let (group, key) = sorted.encoded[key].clone();
            self.changes.insert(key, (group, Some(total)));
        }
        Ok(())
    }

    /// One accumulator for each key that survives, and which keys these are.
    fn fold(&mut self, sorted: &Sorted) -> Result<(RecordBatch, Vec<usize>)> {
        let (mut folded, mut kept, mut lost) = (Vec::new(), Vec::new(), Vec::new());
        for units in calls(&sorted.bounds, self.node.call.chunk_rows) {
            let first = sorted.bounds[units.start];
            let rows = sorted.rows.slice(first as usize, (sorted.bounds[units.end] - first) as usize);
            let merged = self.runner.merge(&rebased(&sorted.bounds, &units), &rows);
            let merged = merged.map_err(|e| self.node.call.error(&e))?;
            kept.extend(merged.groups.iter().map(|key| units.start + key));
            lost.extend(merged.rejects.into_iter().map(|r| Reject { row: units.start + r.row, ..r }));
            folded.push(merged.rows);
        }
        self.lost(sorted, lost)?;
        Ok((concat_rows(self.accumulators.schema(), &folded)?, kept))
    }

    /// Keys on which the operator went wrong lose their totals.
    fn lost(&mut self, sorted: &Sorted, lost: Vec<Reject>) -> Result<()> {
        for reject in &lost {
            let (group, key) = sorted.encoded[reject.row].clone();
            self.changes.insert(key, (group, None));
        }
        self.batch.report().count(&self.node.call.operator, 0, 0, lost.len() as u64);
        self.batch.reject_keys(&self.node.call, &sorted.keys, &lost, |row| (sorted.encoded[row].0, row as u64))
    }

    fn total(&self, group: u32, key: &Key) -> Option<&[u8]> {
        match self.changes.get(key) {
            Some((_, changed)) => changed.as_deref(),
            None => self.keyed.groups()[group as usize].get(key).map(|entry| &*entry.state),
        }
    }

    fn sorted(&self, partials: &RecordBatch) -> Result<Sorted> {
        let (partials, segments) = detach(partials)?;
        let key = self.node.key.schema();
        let columns = key.fields().len();
        let comparable: Vec<ArrayRef> = partials.columns()[..columns].iter().map(comparable).collect();
        let mut grouper = Grouper::new(key)?;
        grouper.add_segments(&comparable, &segments)?;
        let grouping = grouper.finish()?;
        let bounds = grouping.bounds();
        let order = grouping.order(&bounds);
        let rows = of_columns(
            self.accumulators.schema().clone(),
            partials.columns()[columns..].to_vec(),
            partials.num_rows(),
        )?;
        let rows = take_rows(&rows, &order)?;
        let encoded: Vec<Key> = self.keys.encode_each(&grouping.keys)?;
        let groups = bounds.iter().take(encoded.len()).map(|&b| segments.value(order.value(b as usize) as usize));
        let encoded = groups.zip(encoded).collect();
        Ok(Sorted { keys: grouping.keys, encoded, bounds, rows })
    }
}
