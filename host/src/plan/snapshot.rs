//! All keys of an operator with their states as they are after the batch.

use std::sync::Arc;

use arrow::array::UInt32Array;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::key_group::owned;
use super::node::{Node, Task};
use super::rooms::{BatchRoom, Rooms};
use super::segment::{attach, with_segment};
use super::state_update::not_open;
use crate::rows::{Columns, of_columns};
use crate::state::{Delta, RowBytes};

/// Rows of a snapshot that go on together.
const ROWS: usize = 8192;

/// Reads the states of an operator after its update, which is its input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The operator's name, under which its rows are counted.
    pub operator: String,
    /// The operator whose states they are.
    pub of: String,
    /// The key's columns, then the state's.
    pub columns: Columns,
}

impl Node for Snapshot {
    fn schema(&self, _: &[SchemaRef]) -> Result<SchemaRef> {
        Ok(with_segment(&self.columns.schema()))
    }

    fn partitions(&self, inputs: &[usize]) -> usize {
        inputs[0]
    }

    fn run(&self, task: Task<'_>) -> Result<SendableRecordBatchStream> {
        let (rooms, batch, mut input, node) = (task.rooms()?, task.batch()?, task.input_stream()?, self.clone());
        let (partition, partitions) = (task.partition, task.partition_count()?);
        let rows = async move {
            // Once the update's last row is there, what it changes is staged.
            while let Some(rows) = input.next().await {
                rows?;
            }
            let delta = batch.staged(&node.of, partition);
            let rows = node.take(&rooms, &batch, &owned(partition, partitions)?, delta.as_deref())?;
            Ok::<_, datafusion::error::DataFusionError>(stream::iter(rows.into_iter().map(Ok)))
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(task.schema, stream::once(rows).try_flatten())))
    }
}

impl Snapshot {
    fn take(
        &self,
        rooms: &Rooms,
        batch: &BatchRoom,
        groups: &[u32],
        delta: Option<&Delta>,
    ) -> Result<Vec<RecordBatch>> {
        let keyed = rooms.state.keyed.get(&self.of).ok_or_else(|| not_open(&self.of))?;
        let (keys, states) = (RowBytes::new(keyed.spec().key.clone())?, RowBytes::new(keyed.spec().state.clone())?);
        let none = Vec::new();
        let mut all: Vec<(u32, &[u8], &[u8])> = Vec::new();
        for &group in groups {
            let changed = delta.and_then(|delta| delta.groups.iter().find(|(g, _)| *g == group));
            let changes = changed.map_or(&none, |(_, changes)| changes);
            let after = keyed.groups()[group as usize].after(changes);
            all.extend(after.into_iter().map(|(key, state)| (group, key, state)));
        }
        batch.report().count(&self.operator, 0, all.len() as u64, 0);
        let schema: Arc<Schema> = Arc::new(self.columns.schema());
        let piece = |rows: &[(u32, &[u8], &[u8])]| {
            let keys = keys.decode(rows.iter().map(|(_, key, _)| *key))?;
            let states = states.decode(rows.iter().map(|(_, _, state)| *state))?;
            let columns = [keys.columns(), states.columns()].concat();
            let segments = UInt32Array::from_iter_values(rows.iter().map(|(group, _, _)| *group));
            attach(of_columns(schema.clone(), columns, rows.len())?, segments)
        };
        all.chunks(ROWS).map(piece).collect()
    }
}
