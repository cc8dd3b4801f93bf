//! Rows into a sink's staging area. Nothing is visible before the driver commits the batch.

use std::sync::Arc;

use arrow::array::UInt64Array;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use super::node::{Node, Task};
use super::segment::detach;
use crate::sink::{Sink, SinkError, SinkFailed};
use crate::time::BatchTime;

/// Stages each partition as a part of the batch; answers with the number of rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Write {
    /// The sink's name.
    pub sink: String,
}

impl Node for Write {
    fn schema(&self, _: &[SchemaRef]) -> Result<SchemaRef> {
        Ok(Arc::new(Schema::new(vec![Field::new("rows", DataType::UInt64, false)])))
    }

    fn partitions(&self, inputs: &[usize]) -> usize {
        inputs[0]
    }

    fn run(&self, task: Task<'_>) -> Result<SendableRecordBatchStream> {
        let (rooms, batch, input) = (task.rooms()?, task.batch()?, task.input_stream()?);
        let (name, part, schema) = (self.sink.clone(), task.partition, task.schema.clone());
        let count = async move {
            let sink = rooms.sinks.get(&name).cloned();
            let sink = sink.ok_or_else(|| DataFusionError::Internal(format!("there is no sink `{name}`")))?;
            // A sink may block on the disk, so it has a thread to itself.
            let runtime = Handle::current();
            let write = move || runtime.block_on(stage(&name, sink.as_ref(), batch.time, part, input));
            let rows = spawn_blocking(write)
                .await
                .map_err(|e| DataFusionError::Execution(format!("a sink's task was lost: {e}")))??;
            Ok(RecordBatch::try_new(schema, vec![Arc::new(UInt64Array::from(vec![rows]))])?)
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(task.schema, stream::once(count))))
    }
}

async fn stage(
    name: &str,
    sink: &dyn Sink,
    batch: BatchTime,
    part: usize,
    mut input: SendableRecordBatchStream,
) -> Result<u64> {
    // The driver looks whether it passes.
    let failed = |error: SinkError| DataFusionError::External(Box::new(SinkFailed { sink: name.to_owned(), error }));
    let mut writer = sink.stage(batch, part).await.map_err(failed)?;
    while let Some(rows) = input.next().await.transpose()? {
        let (rows, _) = detach(&rows)?;
        writer.write(rows).await.map_err(failed)?;
    }
    Ok(writer.finish().await.map_err(failed)?.rows)
}
