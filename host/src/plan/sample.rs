//! Some of the rows, chosen by a hash of batch, place and seed: at random, but the same in every run and however the rows
//! are partitioned.

use std::sync::Arc;

use arrow::array::BooleanArray;
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::node::{Node, Task};
use super::rooms::BatchRoom;
use super::segment::{Position, runs, segments_of};
use crate::fingerprint::size_of;

/// Keeps each row with the same probability (Bernoulli sampling).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The operator's name, under which its rows are counted.
    pub operator: String,
    /// How likely a row is to be kept.
    pub fraction: f64,
    /// Another seed keeps other rows.
    pub seed: u64,
}

impl Node for Sample {
    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef> {
        Ok(inputs[0].clone())
    }

    fn partitions(&self, inputs: &[usize]) -> usize {
        inputs[0]
    }

    fn run(&self, task: Task<'_>) -> Result<SendableRecordBatchStream> {
        let (batch_room, node) = (task.batch()?, self.clone());
        let mut position = Position::default();
        let rows = task.input_stream()?.map(move |rows| node.sample(&rows?, &batch_room, &mut position));
        Ok(Box::pin(RecordBatchStreamAdapter::new(task.schema, rows)))
    }
}

impl Sample {
    fn sample(&self, rows: &RecordBatch, batch: &Arc<BatchRoom>, position: &mut Position) -> Result<RecordBatch> {
        let mut kept = Vec::with_capacity(rows.num_rows());
        for (segment, run) in runs(segments_of(rows)?) {
            let first = position.advance(segment, run.len());
            kept.extend((first..first + run.len() as u64).map(|place| self.keeps(batch, segment, place)));
        }
        let sampled = filter_record_batch(rows, &BooleanArray::from(kept))?;
        batch.report().count(&self.operator, rows.num_rows() as u64, sampled.num_rows() as u64, 0);
        batch.report().read(&self.operator, size_of(rows));
        Ok(sampled)
    }

    fn keeps(&self, batch: &BatchRoom, segment: u32, place: u64) -> bool {
        let mut bytes = [0; 20];
        bytes[..8].copy_from_slice(&batch.time.as_millis().to_le_bytes());
        bytes[8..12].copy_from_slice(&segment.to_le_bytes());
        bytes[12..].copy_from_slice(&place.to_le_bytes());
        // Below 2^53 every number is a double: the draw is from 0 to just under 1.
        let draw = (xxh3_64_with_seed(&bytes, self.seed) >> 11) as f64 / (1_u64 << 53) as f64;
        draw < self.fraction
    }
}
