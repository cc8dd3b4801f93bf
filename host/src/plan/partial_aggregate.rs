//! Rows to accumulators before the shuffle (map-side combine).
//!
//! Rows are folded segment by segment, never across segments, and a key's rows of a segment are folded in one call, or
//! in runs of a fixed length where there are very many. So the tree in which rows are folded depends on the segments
//! alone: not on partitions, threads or the size of a call. Floating-point sums come out the same.
//!
//! Where a segment has hardly a key twice, which a sample of its rows tells, there is nothing to fold: each of its rows
//! becomes an accumulator of its own, and nobody looks for keys before the shuffle has brought those of all segments
//! together.

use std::sync::Arc;

use arrow::array::UInt32Array;
use arrow::compute::take_arrays;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::group::{Grouper, Grouping, calls, rebased};
use super::metered::Metered;
use super::node::{Node, Task};
use super::offload::{Work, through};
use super::rooms::{BatchRoom, ComponentCall, execution};
use super::segment::{attach_constant, detach, runs, with_segment};
use crate::fingerprint::size_of;
use crate::operator::{Aggregate, AggregateRunner};
use crate::rows::{Columns, concat as concat_rows, of_columns, take as take_rows};

/// Most rows of a key that one accumulator is made from at first.
const RUN: u32 = 65_536;

/// How many rows of a segment are looked at to tell whether keys come twice.
const SAMPLE: usize = 4096;

/// Folds rows to one accumulator for each key of each segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartialAggregate {
    /// The component.
    pub call: ComponentCall,
    /// Indices of the key's columns in the rows, which are the component's input or more.
    pub key: Vec<usize>,
    /// The columns of an accumulator.
    pub accumulator: Columns,
}

impl PartialAggregate {
    fn key_schema(&self, rows: &Schema) -> Result<Schema> {
        Ok(rows.project(&self.key)?)
    }
}

/// The columns of a row under way between the two halves of an aggregate: `__key_0`, … and the accumulator's, renamed
/// so that they cannot collide.
pub(super) fn partial_schema(key: &Schema, accumulator: &Schema) -> Schema {
    let rename = |prefix: &'static str, schema: &Schema| {
        let fields = schema.fields().iter().enumerate();
        fields.map(move |(i, f)| f.as_ref().clone().with_name(format!("{prefix}{i}"))).collect::<Vec<_>>()
    };
    Schema::new([rename("__key_", key), rename("__acc_", accumulator)].concat())
}

impl Node for PartialAggregate {
    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef> {
        Ok(with_segment(&partial_schema(&self.key_schema(&inputs[0])?, &self.accumulator.schema())))
    }

    fn partitions(&self, inputs: &[usize]) -> usize {
        inputs[0]
    }

    fn run(&self, task: Task<'_>) -> Result<SendableRecordBatchStream> {
        let (rooms, batch, input) = (task.rooms()?, task.batch()?, task.input_stream()?);
        let (node, partition) = (self.clone(), task.partition);
        let key = self.key_schema(&task.input()?.schema())?;
        let partial = Arc::new(partial_schema(&key, &self.accumulator.schema()));
        let start = async move {
            let aggregate = rooms.operators.aggregate(&node.call).map_err(execution)?;
            let runner = AggregateRunner::new(aggregate.clone(), batch.moment(&node.call, partition))
                .within(batch.allowance(&node.call))
                .metered(batch.metering());
            let runner = Metered::new(runner, &node.call, batch.clone());
            let worker =
                Worker { node, key, aggregate, runner, batch, partial, segment: None, rows: Vec::new(), keys: 0 };
            Ok::<_, DataFusionError>(through(worker, input))
        };
        let rows = stream::once(start).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(task.schema, rows)))
    }
}

struct Worker {
    node: PartialAggregate,
    key: Schema,
    aggregate: Arc<Aggregate>,
    runner: Metered<AggregateRunner>,
    batch: Arc<BatchRoom>,
    partial: SchemaRef,
    /// The segment whose rows are being collected.
    segment: Option<u32>,
    rows: Vec<RecordBatch>,
    /// How many keys the segment before had.
    keys: usize,
}

impl Work for Worker {
    /// Collects rows; folds each segment that is complete.
    fn take(&mut self, batch: &RecordBatch) -> Result<Vec<RecordBatch>> {
        let (rows, segments) = detach(batch)?;
        let mut out = Vec::new();
        for (segment, run) in runs(&segments) {
            if self.segment != Some(segment) {
                out.extend(self.flush()?);
                self.segment = Some(segment);
            }
            self.rows.push(rows.slice(run.start, run.len()));
        }
        Ok(out)
    }

    fn finish(mut self) -> Result<Vec<RecordBatch>> {
        let last = self.flush()?;
        Ok(last.into_iter().collect())
    }
}

impl Worker {
    /// Folds the rows collected.
    fn flush(&mut self) -> Result<Option<RecordBatch>> {
        let rows = std::mem::take(&mut self.rows);
        match self.segment.take() {
            Some(segment) => self.fold(segment, &rows),
            None => Ok(None),
        }
    }

    fn fold(&mut self, segment: u32, batches: &[RecordBatch]) -> Result<Option<RecordBatch>> {
        let keys: Vec<RecordBatch> = batches.iter().map(|b| b.project(&self.node.key)).collect::<Result<_, _>>()?;
        let count = keys.iter().map(RecordBatch::num_rows).sum();
        let grouping = if hardly_any_twice(&self.key, &keys, count)? {
            Grouping::of_each(concat_rows(&Arc::new(self.key.clone()), &keys)?)
        } else {
            let mut grouper = Grouper::expecting(self.key.clone(), self.keys)?;
            for keys in &keys {
                grouper.add(keys.columns(), keys.num_rows())?;
            }
            let grouping = grouper.finish()?;
            self.keys = grouping.keys.num_rows();
            grouping
        };
        let group_bounds = grouping.bounds();
        let (bounds, group_of) = units(&group_bounds);
        let order = std::cell::OnceCell::new();
        let order = || order.get_or_init(|| grouping.order(&group_bounds));
        let reads = self.aggregate.reads();
        let sorted = if reads.is_empty() {
            of_columns(Arc::new(Schema::empty()), vec![], count)?
        } else {
            let parts = batches.iter().map(|b| b.project(reads)).collect::<Result<Vec<_>, _>>()?;
            grouping.sorted(concat_rows(parts[0].schema_ref(), &parts)?, order)?
        };

        let call = &self.node.call;
        let mut accumulators = Vec::new();
        let mut survivors = Vec::new();
        let mut rejected = 0;
        let mut rows_of_segment = None;
        // Without columns a call's size is that of its groups alone.
        let sizes: Vec<u32> = if reads.is_empty() { (0..bounds.len() as u32).collect() } else { bounds.clone() };
        for units in calls(&sizes, call.chunk_rows) {
            let first = bounds[units.start];
            let rows = sorted.slice(first as usize, (bounds[units.end] - first) as usize);
            let folded = self.runner.create(&rebased(&bounds, &units), &rows).map_err(|e| call.error(&e))?;
            survivors.extend(folded.groups.iter().map(|&unit| group_of[units.start + unit]));
            accumulators.push(folded.rows);
            if !folded.rejects.is_empty() {
                rejected += folded.rejects.len();
                let all = match rows_of_segment.take() {
                    Some(all) => all,
                    None => concat_rows(batches[0].schema_ref(), batches)?,
                };
                let mut rejects = folded.rejects;
                for reject in &mut rejects {
                    reject.row = order().value(first as usize + reject.row) as usize;
                }
                rejects.sort_by_key(|r| r.row);
                self.batch.reject(call, &all, &rejects, |row| (segment, row as u64))?;
                rows_of_segment = Some(all);
            }
        }
        let mut report = self.batch.report();
        report.count(&call.operator, count as u64, 0, rejected as u64);
        report.read(&call.operator, batches.iter().map(size_of).sum());
        drop(report);
        if survivors.is_empty() {
            return Ok(None);
        }
        let all_left = survivors.iter().copied().eq(0..grouping.keys.num_rows() as u32);
        let keys = if all_left { grouping.keys } else { take_rows(&grouping.keys, &UInt32Array::from(survivors))? };
        let accumulators = concat_rows(&Arc::new(self.node.accumulator.schema()), &accumulators)?;
        let columns = [keys.columns(), accumulators.columns()].concat();
        let rows = of_columns(self.partial.clone(), columns, keys.num_rows())?;
        attach_constant(rows, segment).map(Some)
    }
}

/// Whether so few rows of a segment have the key of another that they are not worth looking for: folded by key, it would
/// have about three quarters of its rows at least. Told from rows here and there in the segment, always the same of as many:
/// it matters neither what batches they come in nor in what order keys do.
fn hardly_any_twice(key: &Schema, batches: &[RecordBatch], count: usize) -> Result<bool> {
    if key.fields().is_empty() || count < 4 * SAMPLE {
        return Ok(false);
    }
    let mut rows: Vec<usize> =
        (0..SAMPLE as u64).map(|number| (xxh3_64(&number.to_le_bytes()) % count as u64) as usize).collect();
    rows.sort_unstable();
    rows.dedup();
    let mut grouper = Grouper::new(key.clone())?;
    let (mut rest, mut before) = (&rows[..], 0);
    for batch in batches {
        let end = before + batch.num_rows();
        let (here, others) = rest.split_at(rest.partition_point(|row| *row < end));
        let places = UInt32Array::from_iter_values(here.iter().map(|row| (row - before) as u32));
        grouper.add(&take_arrays(batch.columns(), &places, None)?, here.len())?;
        (rest, before) = (others, end);
    }
    let seen = rows.len();
    let twice = seen - grouper.finish()?.keys.num_rows();
    // Pairs of rows grow with the square of the rows: `twice` of `seen` are (count / seen)² times as many of all.
    Ok(4 * twice * count <= seen * seen)
}

/// Cuts groups into runs of at most [`RUN`] rows: their bounds, and each run's group.
fn units(group_bounds: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let mut bounds = vec![0];
    let mut group_of = Vec::new();
    for (group, range) in group_bounds.windows(2).enumerate() {
        let mut at = range[0];
        while at < range[1] {
            at = (at + RUN).min(range[1]);
            bounds.push(at);
            group_of.push(group as u32);
        }
    }
    (bounds, group_of)
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, StringArray};
    use proptest::prelude::*;

    use super::*;

    const ROWS: usize = 40_000;

    fn users(user: impl Fn(usize) -> usize) -> RecordBatch {
        let users: StringArray = (0..ROWS).map(|row| Some(format!("u{}", user(row)))).collect();
        RecordBatch::try_from_iter([("user", Arc::new(users) as ArrayRef)]).expect("a column of as many rows")
    }

    fn is_left_alone(batches: &[RecordBatch]) -> bool {
        let count = batches.iter().map(RecordBatch::num_rows).sum();
        hardly_any_twice(batches[0].schema_ref(), batches, count).expect("keys of text")
    }

    #[test]
    fn rows_are_folded_by_key_where_that_takes_many_of_them_away() {
        assert!(is_left_alone(&[users(|row| row)]));
        assert!(is_left_alone(&[users(|row| row * 7919 % 100_003)]));
        for keys in [5_000, 7_000, 12_000, 20_000] {
            assert!(!is_left_alone(&[users(|row| row % keys)]), "{keys} keys by turns");
        }
        assert!(!is_left_alone(&[users(|row| row / 2)]), "each key twice in a row");
        assert!(!is_left_alone(&[users(|row| row * 7919 % 20_011)]), "half of the rows have the key of another");
        assert!(!is_left_alone(&[users(|row| row.min(ROWS / 3))]), "one key in all rows but the first");
        assert!(!is_left_alone(&[users(|row| if row % 10 == 0 { 0 } else { row })]), "one key in every tenth row");
        assert!(!is_left_alone(&[users(|row| row).slice(0, 16_000)]), "few rows");
        assert!(!is_left_alone(&[users(|row| row).project(&[]).expect("no columns")]), "no key");
    }

    proptest! {
        #[test]
        fn whether_rows_are_folded_by_key_does_not_depend_on_the_batches_that_they_come_in(
            mut ends in prop::collection::vec(0..ROWS, 0..20),
            keys in 40_000usize..200_000,
        ) {
            let rows = users(|row| row * row % keys);
            ends.extend([0, ROWS]);
            ends.sort_unstable();
            let batches: Vec<_> = ends.windows(2).map(|ends| rows.slice(ends[0], ends[1] - ends[0])).collect();
            prop_assert_eq!(is_left_alone(&batches), is_left_alone(&[rows]));
        }
    }
}
