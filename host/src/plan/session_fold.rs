//! Sessions of keys: accumulators whose stretches of time meet merged, with those kept open, and the sessions that the
//! watermark has passed let go.
//!
//! A key's state is its open sessions, in order: the first in columns, whose end is the key's timer; the others, of which
//! there rarely are any, packed into bytes behind it: see [`super::sessions`].

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
use super::assign::timestamps;
use super::event_fold::delta;
use super::key_group::owned;
use super::node::{Node, Task};
use super::rooms::{BatchRoom, ComponentCall, Rooms};
use super::segment::{attach, without_segment};
use super::sessions::Packing;
use super::state_update::not_open;
use crate::event_time::{Span, Watermark};
use crate::rows::{Columns, concat as concat_rows, of_columns, take as take_rows};
use crate::state::{Change, Key, Keyed, RowBytes};

/// Keeps the open sessions of an aggregate. Its input is a batch's accumulators, one for each key and event time; it gives
/// those of the sessions that close.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionFold {
    /// The component.
    pub call: ComponentCall,
    /// The columns of an accumulator.
    pub accumulator: Columns,
    /// The name under which open sessions are kept.
    pub windows: String,
    /// The sources whose watermark closes them.
    pub sources: Vec<String>,
}

impl Node for SessionFold {
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
    node: SessionFold,
    batch: Arc<BatchRoom>,
    watermark: Watermark,
    merger: Merger,
    keyed: Arc<Keyed>,
    keys: RowBytes,
    packing: Packing,
}

/// Stretches that become one session: whose they are, when it is, and which rows.
struct Overlap {
    key: usize,
    span: Span,
    rows: Vec<u32>,
}

impl Worker {
    fn new(
        node: SessionFold,
        rooms: &Rooms,
        batch: Arc<BatchRoom>,
        watermark: Watermark,
        partition: usize,
    ) -> Result<Self> {
        let keyed = rooms.state.keyed.get(&node.windows).ok_or_else(|| not_open(&node.windows))?;
        let keys = RowBytes::new(keyed.spec().key.clone())?;
        let accumulator = node.accumulator.schema();
        let packing = Packing::new(&accumulator)?;
        let merger = Merger::new(rooms, batch.clone(), node.call.clone(), partition, Arc::new(accumulator))?;
        Ok(Self { node, batch, watermark, merger, keyed, keys, packing })
    }

    fn run(mut self, partition: usize, groups: &[u32], partials: &RecordBatch) -> Result<RecordBatch> {
        let schema = without_segment(&partials.schema());
        let keyed = self.keyed.clone();
        let new = ByKey::new(partials, &self.keys)?;
        let mut keys = new.keys.clone();
        let with_rows: HashSet<&(u32, Key)> = new.keys.iter().collect();
        for &group in groups {
            let due = keyed.groups()[group as usize].due(self.watermark.as_millis(), None);
            keys.extend(due.into_iter().map(|(key, ..)| (group, key.clone())).filter(|key| !with_rows.contains(key)));
        }
        let states: Vec<Option<&[u8]>> = keys
            .iter()
            .map(|(group, key)| keyed.groups()[*group as usize].get(key).map(|entry| &*entry.state))
            .collect();
        let (open, owners) = self.packing.unpack(&states)?;
        let rows = of_columns(open.schema(), new.rows.columns().to_vec(), new.rows.num_rows())?;
        let new_owners =
            new.bounds.windows(2).enumerate().flat_map(|(key, range)| vec![key; (range[1] - range[0]) as usize]);
        // What a key has from earlier batches goes before what comes to it.
        let owners: Vec<usize> = owners.into_iter().chain(new_owners).collect();
        let all = concat_rows(&open.schema(), &[open, rows])?;
        let (sessions, spans) = self.merged(&all, &owners, &keys)?;
        let mut changes: BTreeMap<(u32, Key), Option<Change>> = BTreeMap::new();
        let kept = self.packing.pack(&sessions, &spans, |span| !self.watermark.passed(span.end))?;
        for (key, place) in keys.iter().enumerate() {
            let last = self.batch.time.as_millis();
            match kept.get(&key) {
                Some((state, end)) => {
                    let change = Change { state: state.clone(), last, timer: end.unsigned_abs() };
                    changes.insert(place.clone(), Some(change));
                }
                None if states[key].is_some() => drop(changes.insert(place.clone(), None)),
                None => {}
            }
        }
        let closed = self.closed(&schema, &keys, &sessions, &spans)?;
        let Self { node, batch, watermark, merger, keyed: held, .. } = self;
        drop(merger);
        // The states must not be held any more when the batch commits, or it would have to copy them.
        drop(states);
        drop((keyed, held));
        batch.stage(partition, delta(node.windows, watermark, groups, changes));
        Ok(closed)
    }

    /// The sessions that come of stretches of time: a row each, and whose each is and when.
    fn merged(
        &mut self,
        all: &RecordBatch,
        owners: &[usize],
        keys: &[(u32, Key)],
    ) -> Result<(RecordBatch, Vec<(usize, Span)>)> {
        let overlaps = overlaps(all, owners);
        let mut bounds = vec![0];
        let order: Vec<u32> = overlaps.iter().flat_map(|overlap| overlap.rows.iter().copied()).collect();
        for overlap in &overlaps {
            bounds.push(bounds[bounds.len() - 1] + overlap.rows.len() as u32);
        }
        let accumulators: Vec<usize> = (2..all.num_columns()).collect();
        let sorted = take_rows(&all.project(&accumulators)?, &UInt32Array::from(order))?;
        let merged = self.merger.merge(&bounds, &sorted)?;
        let lost: Vec<&(u32, Key)> = merged.lost.iter().map(|lost| &keys[overlaps[lost.row].key]).collect();
        let lost_keys = self.keys.decode(lost.iter().map(|(_, key)| &**key))?;
        self.merger.lost(&lost_keys, &lost.iter().map(|(group, _)| *group).collect::<Vec<_>>(), &merged.lost)?;
        let spans: Vec<(usize, Span)> = merged.units.iter().map(|&u| (overlaps[u].key, overlaps[u].span)).collect();
        let times = [
            timestamps(spans.iter().map(|(_, span)| span.start * 1000).collect()),
            timestamps(spans.iter().map(|(_, span)| span.end * 1000).collect()),
        ];
        let rows = [&times, merged.rows.columns()].concat();
        Ok((of_columns(all.schema(), rows, spans.len())?, spans))
    }

    /// The sessions that the watermark has passed, by key group, key and end.
    fn closed(
        &self,
        schema: &SchemaRef,
        keys: &[(u32, Key)],
        sessions: &RecordBatch,
        spans: &[(usize, Span)],
    ) -> Result<RecordBatch> {
        let mut closed: Vec<(&(u32, Key), i64, u32)> = (0..)
            .zip(spans)
            .filter(|(_, (_, span))| self.watermark.passed(span.end))
            .map(|(row, (key, span))| (&keys[*key], span.end, row))
            .collect();
        closed.sort_unstable();
        let key_rows = self.keys.decode(closed.iter().map(|((_, key), ..)| &**key).collect::<Vec<_>>().into_iter())?;
        let rows = take_rows(sessions, &UInt32Array::from_iter_values(closed.iter().map(|(_, _, row)| *row)))?;
        let columns = [key_rows.columns(), rows.columns()].concat();
        let segments = UInt32Array::from_iter_values(closed.iter().map(|((group, _), ..)| *group));
        attach(of_columns(schema.clone(), columns, closed.len())?, segments)
    }
}

/// Which stretches of a key overlap or touch: rows just a gap apart are in one session, as in Spark and Flink.
fn overlaps(all: &RecordBatch, owners: &[usize]) -> Vec<Overlap> {
    let millis = |column: usize| all.column(column).as_primitive::<TimestampMicrosecondType>().values();
    let (starts, ends) = (millis(0), millis(1));
    let mut order: Vec<(usize, i64, u32)> =
        (0..).zip(owners).map(|(row, &owner)| (owner, starts[row as usize] / 1000, row)).collect();
    // The rows of a key are in canonical order, which stays where they start together.
    order.sort_unstable();
    let mut overlaps: Vec<Overlap> = Vec::new();
    for (key, start, row) in order {
        let end = ends[row as usize] / 1000;
        match overlaps.last_mut().filter(|last| last.key == key && start <= last.span.end) {
            Some(last) => {
                last.span.end = last.span.end.max(end);
                last.rows.push(row);
            }
            None => overlaps.push(Overlap { key, span: Span { start, end }, rows: vec![row] }),
        }
    }
    overlaps
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field, Schema};
    use proptest::prelude::*;

    use super::*;

    fn stretches(of: &[(usize, i64, i64)]) -> (RecordBatch, Vec<usize>) {
        let kind = || timestamps(vec![]).data_type().clone();
        let fields = ["start", "end"].map(|name| Field::new(name, kind(), false));
        let columns = vec![
            timestamps(of.iter().map(|s| s.1 * 1000).collect()),
            timestamps(of.iter().map(|s| s.2 * 1000).collect()),
        ];
        assert!(matches!(kind(), DataType::Timestamp(..)));
        let rows = RecordBatch::try_new(Arc::new(Schema::new(fields.to_vec())), columns).expect("two columns");
        (rows, of.iter().map(|s| s.0).collect())
    }

    fn sessions(of: &[(usize, i64, i64)]) -> Vec<(usize, i64, i64, Vec<u32>)> {
        let (rows, owners) = stretches(of);
        overlaps(&rows, &owners).into_iter().map(|o| (o.key, o.span.start, o.span.end, o.rows)).collect()
    }

    #[test]
    fn stretches_that_overlap_or_touch_are_one_session() {
        assert_eq!(sessions(&[(0, 0, 10), (0, 9, 19)]), [(0, 0, 19, vec![0, 1])]);
        assert_eq!(sessions(&[(0, 0, 10), (0, 10, 20)]), [(0, 0, 20, vec![0, 1])]);
        assert_eq!(sessions(&[(0, 0, 10), (0, 11, 21)]), [(0, 0, 10, vec![0]), (0, 11, 21, vec![1])]);
        assert_eq!(sessions(&[(0, 0, 30), (1, 5, 9), (0, 5, 9)]), [(0, 0, 30, vec![0, 2]), (1, 5, 9, vec![1])]);
    }

    #[test]
    fn a_stretch_between_two_sessions_makes_them_one() {
        assert_eq!(sessions(&[(0, 0, 10), (0, 15, 25), (0, 8, 18)]), [(0, 0, 25, vec![0, 2, 1])]);
    }

    proptest! {
        /// Two moments of a key are in one session just when no gap lies between them.
        #[test]
        fn sessions_are_what_a_walk_over_each_moment_finds(of in proptest::collection::vec((0_usize..3, 0_i64..60, 1_i64..8), 0..20)) {
            let of: Vec<_> = of.into_iter().map(|(key, start, length)| (key, start, start + length)).collect();
            let mut expected = Vec::new();
            for key in 0..3 {
                let inside = |at: i64| of.iter().any(|(k, s, e)| *k == key && *s <= at && at < *e);
                let mut at = 0;
                while at < 80 {
                    if inside(at) {
                        let start = at;
                        while inside(at) { at += 1; }
                        expected.push((key, start, at));
                    } else {
                        at += 1;
                    }
                }
            }
            let found: Vec<_> = sessions(&of).into_iter().map(|(key, start, end, _)| (key, start, end)).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
