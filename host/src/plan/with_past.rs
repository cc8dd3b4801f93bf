//! The accumulators of past batches put before those of this one, key group by key group: what a windowed aggregate
//! folds.

use std::collections::BTreeSet;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::key_group::owned;
use super::node::{Node, Task};
use super::persist::past;
use super::recall;
use super::rooms::Rooms;
use crate::rows::concat as concat_rows;
use crate::time::BatchTime;

/// Adds past batches of a stream that was shuffled in the same way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WithPast {
    /// The stream whose past it is.
    pub stream: String,
    /// The batches, the oldest first.
    pub batches: Vec<BatchTime>,
    /// Whether the batch at hand is in the window.
    pub present: bool,
}

impl Node for WithPast {
    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef> {
        Ok(inputs[0].clone())
    }

    fn partitions(&self, inputs: &[usize]) -> usize {
        inputs[0]
    }

    fn run(&self, task: Task<'_>) -> Result<SendableRecordBatchStream> {
        let (rooms, input, node) = (task.rooms()?, task.input_stream()?, self.clone());
        let (partition, schema, partitions) = (task.partition, task.schema.clone(), task.partition_count()?);
        let rows = async move {
            let present: Vec<RecordBatch> = input.try_collect().await?;
            node.together(&rooms, &schema, present, &owned(partition, partitions)?)
        };
        let rows = stream::once(rows).try_filter(|rows| std::future::ready(rows.num_rows() > 0));
        Ok(Box::pin(RecordBatchStreamAdapter::new(task.schema, rows)))
    }
}

impl WithPast {
    pub(super) fn together(
        &self,
        rooms: &Rooms,
        schema: &SchemaRef,
        present: Vec<RecordBatch>,
        groups: &[u32],
    ) -> Result<RecordBatch> {
        let mut batches = Vec::with_capacity(self.batches.len() + 1);
        for batch in &self.batches {
            batches.push(recall::past(rooms, &self.stream, *batch)?);
        }
        if self.present {
            batches.push(past(vec![present], super::KEY_GROUPS)?.into());
        }
        let wanted: BTreeSet<u32> =
            batches.iter().flat_map(|b| b.runs.iter().map(|(segment, _, _)| *segment)).collect();
        let wanted = groups.iter().filter(|group| wanted.contains(group));
        let pieces: Vec<RecordBatch> =
            wanted.flat_map(|group| batches.iter().flat_map(|b| b.segment(*group))).collect();
        Ok(concat_rows(schema, &pieces)?)
    }
}
