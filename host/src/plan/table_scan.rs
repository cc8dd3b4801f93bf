//! The rows of a table in a query, by their digest.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use super::node::{Node, Task};
use super::rooms::{Rooms, execution};
use crate::operator::Digest;
use crate::rows::Columns;
use crate::table::Contents;

/// Reads the contents of a table. They are not copied: each batch of rows is the one in memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableScan {
    /// The table's name in the pipeline.
    pub table: String,
    /// Which contents.
    pub digest: Digest,
    /// The table's columns.
    pub columns: Columns,
}

impl Node for TableScan {
    fn schema(&self, _: &[SchemaRef]) -> Result<SchemaRef> {
        Ok(SchemaRef::new(self.columns.schema()))
    }

    fn partitions(&self, _: &[usize]) -> usize {
        1
    }

    fn run(&self, task: Task<'_>) -> Result<SendableRecordBatchStream> {
        let (rooms, table, digest) = (task.rooms()?, self.table.clone(), self.digest);
        let rows = async move {
            let contents = contents(rooms, digest, format!("table `{table}`")).await?;
            // Shares what is in memory, and holds it for as long as it is read.
            let rows = contents.rows().to_vec();
            Ok::<_, DataFusionError>(stream::iter(rows.into_iter().map(Ok)))
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(task.schema, stream::once(rows).try_flatten())))
    }
}

/// What is kept under a digest; `what` that is, for an error.
pub(super) async fn contents(rooms: Arc<Rooms>, digest: Digest, what: String) -> Result<Arc<Contents>> {
    if let Some(contents) = rooms.tables.in_memory(digest) {
        return Ok(contents);
    }
    let read = spawn_blocking(move || rooms.tables.get(digest)).await;
    let read = read.map_err(|e| DataFusionError::External(Box::new(e)))?;
    read.map_err(|e| execution(e.context(what)))
}
