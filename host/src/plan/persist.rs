//! Rows computed once for several readers: where two sinks or operators share a stream.

use arrow::datatypes::SchemaRef;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::node::{Node, Task};

/// Keeps each partition's rows until the batch is done.
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
        let kept = task.batch()?.persisted(&self.stream, task.partition);
        // Started by whoever comes first, and only then: an input can be run once.
        let (input, context, partition) = (task.input()?.clone(), task.context(), task.partition);
        let rows = async move {
            let compute = || async { input.execute(partition, context)?.try_collect().await };
            let rows = kept.get_or_try_init(compute).await?.clone();
            Ok::<_, DataFusionError>(stream::iter(rows.into_iter().map(Ok)))
        };
        let rows = stream::once(rows).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(task.schema, rows)))
    }
}
