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

use super::node::{Node, Task};
use super::rooms::{BatchRoom, ComponentCall, execution};
use super::segment::{Position, attach, detach, runs, with_segment};
use crate::operator::TransformRunner;
use crate::rows::Columns;

/// Calls a transform on every row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transform {
    /// The component.
    pub call: ComponentCall,
    /// The columns that it answers with.
    pub output: Columns,
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
        let call = self.call.clone();
        let start = async move {
            let (rooms2, call2, batch2) = (rooms.clone(), call.clone(), batch.clone());
            // The first use of a component may compile it.
            let transform = rooms.pool.run(move || rooms2.operators.transform(&call2)).await?.map_err(execution)?;
            let runner = TransformRunner::new(transform, batch2.time, call.isolation());
            let worker = Worker { runner, call, batch, position: Position::default() };
            Ok::<_, DataFusionError>(run_all(worker, input, rooms.pool.clone()))
        };
        let rows = stream::once(start).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(task.schema, rows)))
    }
}

fn run_all(
    worker: Worker,
    input: SendableRecordBatchStream,
    pool: super::Pool,
) -> impl futures::Stream<Item = Result<RecordBatch>> + Send {
    stream::try_unfold((Some(worker), input), move |(worker, mut input)| {
        let pool = pool.clone();
        async move {
            let Some(mut worker) = worker else { return Ok::<_, DataFusionError>(None) };
            match input.next().await.transpose()? {
                Some(batch) => {
                    let (worker, rows) = pool
                        .run(move || {
                            let rows = worker.run(&batch);
                            (worker, rows)
                        })
                        .await?;
                    Ok(Some((rows?, (Some(worker), input))))
                }
                None => {
                    // Dropping an instance gives its memory back, which takes a while: not on the reactor.
                    pool.run(move || worker.finish()).await?;
                    Ok(None)
                }
            }
        }
    })
    .map_ok(|rows: Vec<RecordBatch>| stream::iter(rows.into_iter().map(Ok)))
    .try_flatten()
}

struct Worker {
    runner: TransformRunner,
    call: ComponentCall,
    batch: Arc<BatchRoom>,
    position: Position,
}

impl Worker {
    fn run(&mut self, batch: &RecordBatch) -> Result<Vec<RecordBatch>> {
        let (rows, segments) = detach(batch)?;
        let mut out = Vec::new();
        let mut rejected = 0;
        for (segment, run) in runs(&segments) {
            for start in run.clone().step_by(self.call.chunk_rows.max(1)) {
                let length = self.call.chunk_rows.max(1).min(run.end - start);
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
        self.batch.report().count(&self.call.operator, rows.num_rows() as u64, rows_out as u64, rejected as u64);
        Ok(out)
    }

    fn finish(self) {
        self.batch.meter(&self.call, &self.runner.finish());
    }
}
