//! The rows of a stream's past batches, as the oldest segments of a window.

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
use super::rooms::Rooms;
use super::segment::{attach, detach, with_segment};
use crate::rows::Columns;
use crate::state::Past;
use crate::time::BatchTime;

/// Reads past batches of one stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recall {
    /// The stream.
    pub stream: String,
    /// Its columns.
    pub columns: Columns,
    /// The batches of each partition, the oldest first, each with the number that its segments begin at.
    pub partitions: Vec<Vec<(BatchTime, u32)>>,
}

impl Node for Recall {
    fn schema(&self, _: &[SchemaRef]) -> Result<SchemaRef> {
        Ok(with_segment(&self.columns.schema()))
    }

    fn partitions(&self, _: &[usize]) -> usize {
        self.partitions.len()
    }

    fn run(&self, task: Task<'_>) -> Result<SendableRecordBatchStream> {
        let rooms = task.rooms()?;
        let stream = self.stream.clone();
        let batches = self.partitions[task.partition].clone();
        let read = move |(batch, shift): (BatchTime, u32)| {
            let past = past(&rooms, &stream, batch)?;
            let pieces = past.runs.iter().map(|(_, index, run)| past.rows[*index].slice(run.start, run.len()));
            let shifted = pieces.map(|piece| {
                let (rows, segments) = detach(&piece)?;
                attach(rows, UInt32Array::from_iter_values(segments.values().iter().map(|s| s + shift)))
            });
            shifted.collect::<Result<Vec<RecordBatch>>>()
        };
        let rows = stream::iter(batches)
            .map(move |batch| Ok::<_, DataFusionError>(stream::iter(read(batch)?.into_iter().map(Ok))));
        let rows = rows.try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(task.schema, rows)))
    }
}

/// A past batch that a plan counts on.
pub(super) fn past(rooms: &Rooms, stream: &str, batch: BatchTime) -> Result<Arc<Past>> {
    rooms.state.history.batch(stream, batch).ok_or_else(|| {
        DataFusionError::Internal(format!("batch {batch} of stream `{stream}` is wanted for a window but was not kept"))
    })
}
