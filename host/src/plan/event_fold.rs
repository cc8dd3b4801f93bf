//! Accumulators of event-time windows: those of a batch merged with those kept open, and the ones whose window the
//! watermark has passed let go.
//!
//! An open window is a key of its own in the state store, whose timer is the window's end: which windows are due is found
//! as due timers are, with the watermark in place of the clock.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::{AsArray, UInt32Array};
use arrow::datatypes::{SchemaRef, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::accumulators::{ByKey, Merger};
use super::key_group::owned;
use super::node::{Node, Task};
use super::rooms::{BatchRoom, ComponentCall, Rooms};
use super::segment::{attach, without_segment};
use super::state_update::not_open;
use crate::event_time::Watermark;
use crate::rows::{concat as concat_rows, of_columns, take as take_rows};
use crate::state::{Change, Delta, Key, Keyed, RowBytes, StateBytes};

/// Keeps the open windows of an aggregate. Its input is a batch's accumulators; it gives those of the windows that close.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventFold {
    /// The component.
    pub call: ComponentCall,
    /// The name under which open windows are kept.
    pub windows: String,
    /// The sources whose watermark closes them.
    pub sources: Vec<String>,
}

impl Node for EventFold {
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
            let batches: Vec<RecordBatch> = input.try_collect().await?;
            let watermark = batch.watermarks().least(&node.sources).await;
            let groups = owned(partition, partitions)?;
            let partials = concat_rows(&schema, &batches)?;
            Worker::new(node, &rooms, batch, watermark, partition)?.run(partition, &groups, &partials)
        };
        let rows = stream::once(rows).try_filter(|rows| std::future::ready(rows.num_rows() > 0));
        Ok(Box::pin(RecordBatchStreamAdapter::new(task.schema, rows)))
    }
}

struct Worker {
    node: EventFold,
    batch: Arc<BatchRoom>,
    watermark: Watermark,
    merger: Merger,
    keyed: Arc<Keyed>,
    keys: RowBytes,
    accumulators: RowBytes,
    /// What becomes of windows that are kept, by group and key; none: forgotten.
    changes: BTreeMap<(u32, Key), Option<Change>>,
    /// The accumulators of windows that close.
    closed: BTreeMap<(u32, Key), StateBytes>,
}

impl Worker {
    fn new(
        node: EventFold,
        rooms: &Rooms,
        batch: Arc<BatchRoom>,
        watermark: Watermark,
        partition: usize,
    ) -> Result<Self> {
        let keyed = rooms.state.keyed.get(&node.windows).ok_or_else(|| not_open(&node.windows))?;
        let keys = RowBytes::new(keyed.spec().key.clone())?;
        let accumulators = RowBytes::new(keyed.spec().state.clone())?;
        let merger = Merger::new(rooms, batch.clone(), node.call.clone(), partition, accumulators.schema().clone())?;
        let (changes, closed) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { node, batch, watermark, merger, keyed, keys, accumulators, changes, closed })
    }

    fn run(mut self, partition: usize, groups: &[u32], partials: &RecordBatch) -> Result<RecordBatch> {
        let schema = partials.schema();
        self.add(&ByKey::new(partials, &self.keys)?)?;
        self.close(groups);
        let Self { node, batch, watermark, merger, keyed, keys, accumulators, changes, closed } = self;
        drop(merger);
        // The states must not be held any more when the batch commits, or it would have to copy them.
        drop(keyed);
        batch.stage(partition, delta(node.windows, watermark, groups, changes));
        let key_rows = keys.decode(closed.keys().map(|(_, key)| &**key).collect::<Vec<_>>().into_iter())?;
        let rows = accumulators.decode(closed.values().map(|bytes| &**bytes).collect::<Vec<_>>().into_iter())?;
        let columns = [key_rows.columns(), rows.columns()].concat();
        let segments = UInt32Array::from_iter_values(closed.keys().map(|(group, _)| *group));
        attach(of_columns(without_segment(&schema), columns, closed.len())?, segments)
    }

    /// Merges what a batch gives into its windows.
    fn add(&mut self, new: &ByKey) -> Result<()> {
        let keyed = self.keyed.clone();
        let open: Vec<Option<&[u8]>> = new
            .keys
            .iter()
            .map(|(group, key)| keyed.groups()[*group as usize].get(key).map(|entry| &*entry.state))
            .collect();
        let before = self.accumulators.decode(open.iter().copied().flatten().collect::<Vec<_>>().into_iter())?;
        let rows = of_columns(before.schema(), new.rows.columns().to_vec(), new.rows.num_rows())?;
        // What a window has from earlier batches goes before what comes to it.
        let (mut order, mut bounds, mut next) = (Vec::new(), vec![0], 0);
        let first = before.num_rows() as u32;
        for (key, range) in new.bounds.windows(2).enumerate() {
            if open[key].is_some() {
                order.push(next);
                next += 1;
            }
            order.extend((range[0]..range[1]).map(|row| first + row));
            bounds.push(order.len() as u32);
        }
        let all = concat_rows(&before.schema(), &[before, rows])?;
        let merged = self.merger.merge(&bounds, &take_rows(&all, &UInt32Array::from(order))?)?;
        let keys = self.keys.decode(new.keys.iter().map(|(_, key)| &**key).collect::<Vec<_>>().into_iter())?;
        let ends = ends(&keys);
        for (&unit, bytes) in merged.units.iter().zip(self.accumulators.encode_each(&merged.rows)?) {
            let (end, was_open) = (ends[unit], open[unit].is_some());
            let key = new.keys[unit].clone();
            if !self.watermark.passed(end) {
                let (last, timer) = (self.batch.time.as_millis(), end.unsigned_abs());
                self.changes.insert(key, Some(Change { state: bytes, last, timer }));
                continue;
            }
            if was_open {
                self.changes.insert(key.clone(), None);
            }
            self.closed.insert(key, bytes);
        }
        for lost in merged.lost.iter().filter(|lost| open[lost.row].is_some()) {
            self.changes.insert(new.keys[lost.row].clone(), None);
        }
        let rows = UInt32Array::from_iter_values(merged.lost.iter().map(|lost| lost.row as u32));
        let groups: Vec<u32> = merged.lost.iter().map(|lost| new.keys[lost.row].0).collect();
        self.merger.lost(&take_rows(&keys, &rows)?, &groups, &merged.lost)
    }

    /// Lets go of windows that got nothing in this batch and whose end the watermark has passed.
    fn close(&mut self, groups: &[u32]) {
        let keyed = self.keyed.clone();
        let touched: HashSet<(u32, Key)> = self.changes.keys().cloned().collect();
        for &group in groups {
            for (key, entry, _) in keyed.groups()[group as usize].due(self.watermark.as_millis(), None) {
                let place = (group, key.clone());
                if !touched.contains(&place) {
                    self.closed.insert(place.clone(), entry.state.clone());
                    self.changes.insert(place, None);
                }
            }
        }
    }
}

/// What a task changes, with the watermark as the time until which timers have been dealt with.
pub(super) fn delta(
    windows: String,
    watermark: Watermark,
    groups: &[u32],
    changes: BTreeMap<(u32, Key), Option<Change>>,
) -> Delta {
    let mut by_group: Vec<(u32, Vec<_>)> = groups.iter().map(|group| (*group, Vec::new())).collect();
    for ((group, key), change) in changes {
        if let Ok(place) = by_group.binary_search_by_key(&group, |(g, _)| *g) {
            by_group[place].1.push((key, change));
        }
    }
    Delta { operator: windows, now: watermark.as_millis(), groups: by_group }
}

/// The ends of windows, the last column of their keys, in milliseconds.
fn ends(keys: &RecordBatch) -> Vec<i64> {
    let last = keys.columns().last().map(|ends| ends.as_primitive::<TimestampMicrosecondType>().values());
    last.into_iter().flatten().map(|micros| micros / 1000).collect()
}
