//! Rows in batches of one size, whatever batches they came in.
//!
//! What a query answers may depend on where batches end: a sum of floating-point numbers is taken batch by batch. So
//! rows are brought to batches that depend on nothing but their order before a query sees them.

use arrow::compute::BatchCoalescer;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::node::{Node, Task};
pub use crate::rows::QUERY_ROWS;

/// Brings rows to batches of [`QUERY_ROWS`], the last one smaller.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rechunk;

impl Node for Rechunk {
    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef> {
        Ok(inputs[0].clone())
    }

    fn partitions(&self, inputs: &[usize]) -> usize {
        inputs[0]
    }

    fn run(&self, task: Task<'_>) -> Result<SendableRecordBatchStream> {
        let coalescer = BatchCoalescer::new(task.schema.clone(), QUERY_ROWS);
        let state = (Some(coalescer), task.input_stream()?);
        let rows = stream::try_unfold(state, |(coalescer, mut input)| async move {
            let Some(mut coalescer) = coalescer else { return Ok::<_, DataFusionError>(None) };
            let next = input.next().await.transpose()?;
            let last = next.is_none();
            match next {
                Some(batch) => coalescer.push_batch(batch)?,
                None => coalescer.finish_buffered_batch()?,
            }
            let ready: Vec<RecordBatch> = std::iter::from_fn(|| coalescer.next_completed_batch()).collect();
            Ok(Some((stream::iter(ready.into_iter().map(Ok)), ((!last).then_some(coalescer), input))))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(task.schema, rows.try_flatten())))
    }
}
