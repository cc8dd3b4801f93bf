//! Rows computed once for several readers: where two sinks or operators share a stream.
//!
//! They are computed by a task of their own, which no reader that goes away early, as a query with a `limit` does, can end
//! half-way: an input can be run only once.

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::node::{Node, Task};
use super::segment::{runs, segments_of};
use crate::rows::concat;
use crate::state::Past;

/// Keeps each partition's rows until the batch is done; longer, where the stream's past is wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Persist {
    /// The stream's name.
    pub stream: String,
}

impl Node for Persist {
    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef> {
        Ok(inputs[0].clone())
    }

    fn partitions(&self, inputs: &[usize]) -> usize {
        inputs[0]
    }

    fn run(&self, task: Task<'_>) -> Result<SendableRecordBatchStream> {
        let (batch, stream) = (task.batch()?, self.stream.clone());
        let (input, context, partition) = (task.input()?.clone(), task.context(), task.partition);
        let rows = async move {
            let compute = async move { input.execute(partition, context)?.try_collect().await };
            let rows = batch.persisted(&stream, partition, compute).await.map_err(DataFusionError::Shared)?;
            Ok::<_, DataFusionError>(stream::iter(rows.into_iter().map(Ok)))
        };
        let rows = stream::once(rows).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(task.schema, rows)))
    }
}

/// The rows of all partitions as a past batch.
pub fn past(partitions: Vec<Vec<RecordBatch>>, segments: u32) -> Result<Past> {
    let mut rows: Vec<RecordBatch> = partitions.into_iter().flatten().collect();
    let mut runs = ordered_runs(&rows)?;
    if let Some(first) = rows.first()
        && runs.len() > rows.len()
    {
        // Many small pieces, as after a shuffle: put together once, here, not each time that a window reads them.
        let pieces: Vec<RecordBatch> = runs.iter().map(|(_, i, r)| rows[*i].slice(r.start, r.len())).collect();
        rows = vec![concat(first.schema_ref(), &pieces)?];
        runs = ordered_runs(&rows)?;
    }
    Ok(Past { rows, runs, segments })
}

fn ordered_runs(rows: &[RecordBatch]) -> Result<Vec<(u32, usize, std::ops::Range<usize>)>> {
    let mut all = Vec::new();
    for (index, batch) in rows.iter().enumerate() {
        all.extend(runs(segments_of(batch)?).into_iter().map(|(segment, run)| (segment, index, run)));
    }
    // A segment's rows are in one partition, and there in order.
    all.sort_by_key(|(segment, _, _)| *segment);
    Ok(all)
}
