//! The rows of a stream, fingerprinted as they pass: what a batch gave is told apart by it from what it gives when it is
//! computed again.

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, stream};
use serde::{Deserialize, Serialize};

use super::node::{Node, Task};
use super::segment::{detach, runs};
use crate::fingerprint::Fingerprinter;

/// Passes rows on, and reports their fingerprint and bytes once the last has passed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The stream's name.
    pub stream: String,
}

impl Node for Fingerprint {
    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef> {
        Ok(inputs[0].clone())
    }

    fn partitions(&self, inputs: &[usize]) -> usize {
        inputs[0]
    }

    fn run(&self, task: Task<'_>) -> Result<SendableRecordBatchStream> {
        let (batch, name) = (task.batch()?, self.stream.clone());
        let passing = (task.input_stream()?, Some(Fingerprinter::default()));
        let rows = stream::unfold(passing, move |(mut input, mut hashing)| {
            let (batch, name) = (batch.clone(), name.clone());
            async move {
                match input.next().await {
                    Some(rows) => {
                        let rows = rows.and_then(|rows| {
                            hashing.iter_mut().try_for_each(|hashing| take(hashing, &rows))?;
                            Ok(rows)
                        });
                        Some((rows, (input, hashing)))
                    }
                    None => {
                        let (fingerprint, bytes) = hashing.take()?.finish();
                        batch.report().made(&name, fingerprint, bytes);
                        None
                    }
                }
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(task.schema, rows)))
    }
}

fn take(hashing: &mut Fingerprinter, rows: &RecordBatch) -> Result<()> {
    let (rows, segments) = detach(rows)?;
    for (segment, run) in runs(&segments) {
        hashing.take(segment, &rows, run);
    }
    Ok(())
}
