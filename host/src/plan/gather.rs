//! Rows put back in canonical order after a shuffle: by key group, and within it by origin. The key group is the new
//! segment.
//!
//! A shuffle mixes the rows of its inputs in the order in which they happen to arrive, so all rows of the partition are
//! collected before the first goes on.

use std::sync::Arc;

use arrow::array::{AsArray, UInt32Array};

use arrow::datatypes::{Int32Type, Schema, SchemaRef, UInt64Type};
use arrow::record_batch::RecordBatch;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::node::{Node, Task};
use super::scatter::{KEY_GROUP, ORIGIN};
use super::segment::{attach, with_segment};
use crate::rows::{concat as concat_rows, of_columns, take as take_rows};

/// Restores the order that a shuffle destroyed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gather;

impl Node for Gather {
    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef> {
        Ok(with_segment(&rows_schema(&inputs[0])))
    }

    fn partitions(&self, inputs: &[usize]) -> usize {
        inputs[0]
    }

    fn run(&self, task: Task<'_>) -> Result<SendableRecordBatchStream> {
        let (rooms, input, scattered) = (task.rooms()?, task.input_stream()?, task.input()?.schema());
        let rows = async move {
            let batches: Vec<RecordBatch> = input.try_collect().await?;
            rooms.pool.run(move || in_order(&scattered, &batches)).await?
        };
        let rows = stream::once(rows).try_filter(|b| std::future::ready(b.num_rows() > 0));
        Ok(Box::pin(RecordBatchStreamAdapter::new(task.schema, rows)))
    }
}

fn rows_schema(scattered: &Schema) -> Schema {
    let fields = scattered.fields().iter().filter(|f| f.name() != KEY_GROUP && f.name() != ORIGIN).cloned();
    Schema::new(fields.collect::<Vec<_>>())
}

fn in_order(scattered: &SchemaRef, batches: &[RecordBatch]) -> Result<RecordBatch> {
    let all = concat_rows(scattered, batches)?;
    let missing = |name| DataFusionError::Internal(format!("a shuffled batch has no column `{name}`"));
    let groups = all.column_by_name(KEY_GROUP).ok_or_else(|| missing(KEY_GROUP))?.as_primitive::<Int32Type>();
    let origins = all.column_by_name(ORIGIN).ok_or_else(|| missing(ORIGIN))?.as_primitive::<UInt64Type>();
    let mut order: Vec<(i32, u64, u32)> =
        (0..all.num_rows()).map(|i| (groups.value(i), origins.value(i), i as u32)).collect();
    order.sort_unstable();
    let segments = UInt32Array::from_iter_values(order.iter().map(|(group, _, _)| *group as u32));
    let schema = Arc::new(rows_schema(scattered));
    let kept = all.num_columns() - 2;
    let rows = of_columns(schema, all.columns()[..kept].to_vec(), all.num_rows())?;
    let order = UInt32Array::from_iter_values(order.iter().map(|(_, _, i)| *i));
    attach(take_rows(&rows, &order)?, segments)
}
