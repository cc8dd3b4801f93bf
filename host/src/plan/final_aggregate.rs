//! Accumulators to results after the shuffle: all accumulators of a key are here, in canonical order; they are merged
//! and finished.

use std::sync::Arc;

use arrow::array::{Array, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::group::{Grouper, calls, rebased};
use super::metered::Metered;
use super::node::{Node, Task};
use super::rooms::{BatchRoom, ComponentCall, execution};
use super::segment::{attach, detach, with_segment};
use crate::operator::{AggregateRunner, Folded, Reject};
use crate::rows::{Columns, concat as concat_rows, of_columns, take as take_rows};

/// How much of the work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Accumulators of a key become one accumulator.
    Merge,
    /// Accumulators, one for each key, become results.
    Finish,
    /// Both.
    Both,
}

/// Merges the accumulators of each key and finishes them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FinalAggregate {
    /// The component.
    pub call: ComponentCall,
    /// The key's columns.
    pub key: Columns,
    /// The columns of an accumulator.
    pub accumulator: Columns,
    /// The columns of a result, without the key.
    pub output: Columns,
    /// Whether to merge, to finish, or both.
    pub step: Step,
}

impl Node for FinalAggregate {
    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef> {
        if self.step == Step::Merge {
            return Ok(inputs[0].clone());
        }
        let fields = [self.key.schema(), self.output.schema()].map(|s| s.fields().iter().cloned().collect::<Vec<_>>());
        Ok(with_segment(&Schema::new(fields.concat())))
    }

    fn partitions(&self, inputs: &[usize]) -> usize {
        inputs[0]
    }

    fn run(&self, task: Task<'_>) -> Result<SendableRecordBatchStream> {
        let (rooms, batch, input) = (task.rooms()?, task.batch()?, task.input_stream()?);
        let (node, schema, partials) = (self.clone(), task.schema.clone(), task.input()?.schema());
        let partition = task.partition;
        let rows = async move {
            let batches: Vec<RecordBatch> = input.try_collect().await?;
            if batches.is_empty() {
                return Ok(None);
            }
            let aggregate = rooms.operators.aggregate(&node.call).map_err(execution)?;
            let runner = AggregateRunner::new(aggregate, batch.moment(&node.call, partition))
                .within(batch.allowance(&node.call))
                .metered(batch.metering());
            let runner = Metered::new(runner, &node.call, batch.clone());
            Worker { node, runner, batch }.run(&schema, &concat_rows(&partials, &batches)?).map(Some)
        };
        let rows = stream::once(rows).try_filter_map(|rows: Option<RecordBatch>| std::future::ready(Ok(rows)));
        Ok(Box::pin(RecordBatchStreamAdapter::new(task.schema, rows)))
    }
}

struct Worker {
    node: FinalAggregate,
    runner: Metered<AggregateRunner>,
    batch: Arc<BatchRoom>,
}

/// Keys with a row each: accumulators, or results.
struct Keyed {
    keys: RecordBatch,
    segments: UInt32Array,
    rows: RecordBatch,
}

impl Worker {
    fn run(mut self, schema: &SchemaRef, partials: &RecordBatch) -> Result<RecordBatch> {
        let (partials, segments) = detach(partials)?;
        let merged = match self.node.step {
            Step::Finish => self.whole(&partials, segments)?,
            Step::Merge | Step::Both => self.merge(&partials, &segments)?,
        };
        let finished = match self.node.step {
            Step::Merge => merged,
            Step::Finish | Step::Both => {
                let finished = self.finish(merged)?;
                self.batch.report().count(&self.node.call.operator, 0, finished.rows.num_rows() as u64, 0);
                finished
            }
        };
        let columns = [finished.keys.columns(), finished.rows.columns()].concat();
        let rows = of_columns(super::segment::without_segment(schema), columns, finished.keys.num_rows())?;
        attach(rows, finished.segments)
    }

    /// Accumulators that are one for each key already.
    fn whole(&self, partials: &RecordBatch, segments: UInt32Array) -> Result<Keyed> {
        let columns = self.node.key.schema().fields().len();
        let part = |schema: Schema, columns: &[arrow::array::ArrayRef]| {
            of_columns(Arc::new(schema), columns.to_vec(), partials.num_rows())
        };
        Ok(Keyed {
            keys: part(self.node.key.schema(), &partials.columns()[..columns])?,
            rows: part(self.node.accumulator.schema(), &partials.columns()[columns..])?,
            segments,
        })
    }

    fn merge(&mut self, partials: &RecordBatch, segments: &UInt32Array) -> Result<Keyed> {
        let key = self.node.key.schema();
        let columns = key.fields().len();
        let mut grouper = Grouper::new(key)?;
        grouper.add_segments(&partials.columns()[..columns], segments)?;
        let grouping = grouper.finish()?;
        let bounds = grouping.bounds();
        let order = grouping.order(&bounds);
        let accumulator = Arc::new(self.node.accumulator.schema());
        let accumulators =
            of_columns(accumulator.clone(), partials.columns()[columns..].to_vec(), partials.num_rows())?;
        let sorted = grouping.sorted(accumulators, || &order)?;
        // A key is in one segment, its key group: the first of its rows tells.
        let firsts: UInt32Array = bounds[..bounds.len() - 1].iter().map(|&b| order.value(b as usize)).collect();
        let segments = take(segments, &firsts, None)?;
        let segments = UInt32Array::from(segments.to_data());
        let keyed = Keyed { keys: grouping.keys, segments, rows: sorted };
        if keyed.keys.num_rows() == partials.num_rows() {
            // Every key has one accumulator: nothing to merge.
            return Ok(keyed);
        }
        let mut folds = Vec::new();
        for units in calls(&bounds, self.node.call.chunk_rows) {
            let first = bounds[units.start];
            let rows = keyed.rows.slice(first as usize, (bounds[units.end] - first) as usize);
            let folded = self.runner.merge(&rebased(&bounds, &units), &rows).map_err(|e| self.node.call.error(&e))?;
            folds.push((units.start, folded));
        }
        self.survivors(&keyed, folds, &accumulator)
    }

    fn finish(&mut self, merged: Keyed) -> Result<Keyed> {
        let size = self.node.call.chunk_rows.max(1);
        let mut folds = Vec::new();
        for start in (0..merged.rows.num_rows()).step_by(size) {
            let rows = merged.rows.slice(start, size.min(merged.rows.num_rows() - start));
            folds.push((start, self.runner.finish(&rows).map_err(|e| self.node.call.error(&e))?));
        }
        self.survivors(&merged, folds, &Arc::new(self.node.output.schema()))
    }

    /// Puts the answers together again, without the keys on which the operator went wrong.
    fn survivors(&self, keyed: &Keyed, folds: Vec<(usize, Folded)>, schema: &SchemaRef) -> Result<Keyed> {
        let (mut rows, mut left, mut rejects) = (Vec::new(), Vec::new(), Vec::new());
        for (start, folded) in folds {
            left.extend(folded.groups.iter().map(|g| (start + g) as u32));
            rejects.extend(folded.rejects.into_iter().map(|r| Reject { row: start + r.row, ..r }));
            rows.push(folded.rows);
        }
        self.batch.report().count(&self.node.call.operator, 0, 0, rejects.len() as u64);
        self.batch.reject_keys(&self.node.call, &keyed.keys, &rejects, |row| {
            let segment = keyed.segments.value(row);
            // Counted within the segment: what comes before it in this partition depends on the partitioning.
            let first = keyed.segments.values().partition_point(|&s| s < segment);
            (segment, (row - first) as u64)
        })?;
        let rows = concat_rows(schema, &rows)?;
        if left.len() == keyed.keys.num_rows() {
            return Ok(Keyed { keys: keyed.keys.clone(), segments: keyed.segments.clone(), rows });
        }
        let left = UInt32Array::from(left);
        let segments = UInt32Array::from(take(&keyed.segments, &left, None)?.to_data());
        Ok(Keyed { keys: take_rows(&keyed.keys, &left)?, segments, rows })
    }
}
