//! Rows through a component of the world `transform`.
//!
//! A task is one instance; its chunks go through it on the compute pool, one after the other. Rows come out in the
//! order of the rows they come from, and in the same segment.

use std::sync::Arc;

use arrow::array::UInt32Array;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::metered::Metered;
use super::node::{Node, Task};
use super::offload::{Work, through};
use super::rooms::{BatchRoom, ComponentCall, execution};
use super::segment::{Position, attach, detach, runs, segments_of, with_segment};
use crate::fingerprint::size_of;
use crate::operator::TransformRunner;
use crate::rows::{Columns, concat as concat_rows};

/// Calls a transform on every row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transform {
    /// The component.
    pub call: ComponentCall,
    /// The columns that it answers with.
    pub output: Columns,
    /// Whether it is called once for each segment, with all its rows.
    pub whole: bool,
}

impl Node for Transform {
    fn schema(&self, _: &[SchemaRef]) -> Result<SchemaRef> {
        Ok(with_segment(&self.output.schema()))
    }

    fn partitions(&self, inputs: &[usize]) -> usize {
        inputs[0]
    }

    fn run(&self, task: Task<'_>) -> Result<SendableRecordBatchStream> {
        let (rooms, batch, input) = (task.rooms()?, task.batch()?, task.input_stream()?);
        let (call, whole, partition) = (self.call.clone(), self.whole, task.partition);
        let start = async move {
            // The first use of a component may compile it.
            let transform = rooms.operators.transform(&call).map_err(execution)?;
            let runner = TransformRunner::new(transform, batch.moment(&call, partition), call.isolation())
                .within(batch.allowance(&call))
                .metered(batch.metering());
            let runner = Metered::new(runner, &call, batch.clone());
            let chunk_rows = if whole { usize::MAX } else { call.chunk_rows.max(1) };
            let worker = Worker { runner, call, batch, position: Position::default(), chunk_rows };
            let input = if whole { segment_by_segment(input) } else { input };
            Ok::<_, DataFusionError>(through(worker, input))
        };
        let rows = stream::once(start).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(task.schema, rows)))
    }
}

/// The rows of each segment in one batch.
fn segment_by_segment(input: SendableRecordBatchStream) -> SendableRecordBatchStream {
    let schema = input.schema();
    let collecting = (input, Vec::<RecordBatch>::new(), false);
    let whole = stream::try_unfold(collecting, |(mut input, mut waiting, ended)| async move {
        if ended {
            return Ok::<_, DataFusionError>(None);
        }
        let mut ready = Vec::new();
        let next = input.next().await.transpose()?;
        let ended = next.is_none();
        if let Some(batch) = next {
            for (segment, run) in runs(segments_of(&batch)?) {
                let other = match waiting.first() {
                    Some(first) => segments_of(first)?.value(0) != segment,
                    None => false,
                };
                if other {
                    ready.push(concat_rows(batch.schema_ref(), &std::mem::take(&mut waiting))?);
                }
                waiting.push(batch.slice(run.start, run.len()));
            }
        } else if let Some(first) = waiting.first() {
            ready.push(concat_rows(first.schema_ref(), &waiting)?);
        }
        Ok(Some((stream::iter(ready.into_iter().map(Ok)), (input, waiting, ended))))
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, whole.try_flatten()))
}

struct Worker {
    runner: Metered<TransformRunner>,
    call: ComponentCall,
    batch: Arc<BatchRoom>,
    position: Position,
    chunk_rows: usize,
}

impl Work for Worker {
    fn take(&mut self, batch: &RecordBatch) -> Result<Vec<RecordBatch>> {
        let (rows, segments) = detach(batch)?;
        let mut out = Vec::new();
        let mut rejected = 0;
        for (segment, run) in runs(&segments) {
            for start in run.clone().step_by(self.chunk_rows) {
                let length = self.chunk_rows.min(run.end - start);
                let chunk = rows.slice(start, length);
                let first = self.position.advance(segment, length);
                let outcome = self.runner.run(&chunk).map_err(|e| self.call.error(&e))?;
                rejected += outcome.rejects.len();
                self.batch.reject(&self.call, &chunk, &outcome.rejects, |row| (segment, first + row as u64))?;
                for rows in outcome.rows.into_iter().filter(|r| r.num_rows() > 0) {
                    let segments = UInt32Array::from_value(segment, rows.num_rows());
                    out.push(attach(rows, segments)?);
                }
            }
        }
        let rows_out = out.iter().map(RecordBatch::num_rows).sum::<usize>();
        let mut report = self.batch.report();
        report.count(&self.call.operator, rows.num_rows() as u64, rows_out as u64, rejected as u64);
        report.read(&self.call.operator, size_of(&rows));
        drop(report);
        Ok(out)
    }

    fn finish(self) -> Result<Vec<RecordBatch>> {
        Ok(Vec::new())
    }
}
