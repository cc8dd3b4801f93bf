//! Rows made ready for a shuffle by key: each gets the key's group, by which DataFusion's hash repartitioning sends it,
//! and its origin, by which [`super::Gather`] puts rows back in canonical order.
//!
//! Rows that come together are sorted by group while they are in the cache. So who gathers the rows of many batches finds
//! those of a group side by side in each, and need not look for every single one far away.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, UInt32Array, UInt64Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use super::key_group::{by_group, key_groups};
use super::node::{Node, Task};
use super::segment::{Position, detach, runs, without_segment};

/// The column with a row's key group.
pub(super) const KEY_GROUP: &str = "__key_group";
/// The column with a row's segment (upper 32 bits) and place in it.
pub(super) const ORIGIN: &str = "__origin";

/// Adds key group and origin, and sorts rows that come together by group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scatter {
    /// Indices of the key's columns.
    pub key: Vec<usize>,
}

/// The schema of rows under way in a shuffle.
pub(super) fn scattered(rows: &Schema) -> SchemaRef {
    let group = Arc::new(Field::new(KEY_GROUP, DataType::Int32, false));
    let origin = Arc::new(Field::new(ORIGIN, DataType::UInt64, false));
    Arc::new(Schema::new(rows.fields().iter().cloned().chain([group, origin]).collect::<Vec<_>>()))
}

impl Node for Scatter {
    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef> {
        Ok(scattered(&without_segment(&inputs[0])))
    }

    fn partitions(&self, inputs: &[usize]) -> usize {
        inputs[0]
    }

    fn run(&self, task: Task<'_>) -> Result<SendableRecordBatchStream> {
        let (input, schema, key) = (task.input_stream()?, task.schema.clone(), self.key.clone());
        let mut position = Position::default();
        let rows = input.map(move |batch| scatter(&batch?, &schema, &key, &mut position));
        Ok(Box::pin(RecordBatchStreamAdapter::new(task.schema, rows)))
    }
}

fn scatter(batch: &RecordBatch, schema: &SchemaRef, key: &[usize], position: &mut Position) -> Result<RecordBatch> {
    let (rows, segments) = detach(batch)?;
    let keys: Vec<ArrayRef> = key.iter().map(|&i| rows.column(i).clone()).collect();
    let groups = key_groups(&keys, rows.num_rows())?;
    let order = (!groups.is_sorted()).then(|| UInt32Array::from(by_group(&groups)));
    let mut origins = Vec::with_capacity(rows.num_rows());
    for (segment, run) in runs(&segments) {
        let first = position.advance(segment, run.len());
        origins.extend((first..first + run.len() as u64).map(|place| u64::from(segment) << 32 | place));
    }
    let mut columns = rows.columns().to_vec();
    columns.push(Arc::new(Int32Array::from(groups)));
    columns.push(Arc::new(UInt64Array::from(origins)));
    let rows = RecordBatch::try_new(schema.clone(), columns)?;
    Ok(match order {
        Some(order) => take_record_batch(&rows, &order)?,
        None => rows,
    })
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::{Int32Type, Int64Type, UInt64Type};

    use super::super::segment::attach;
    use super::*;

    #[test]
    fn rows_that_come_together_are_sorted_by_group_and_know_where_they_were() {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values((0..1000).map(|row| row * 7919 % 300)));
        let rows = RecordBatch::try_from_iter([("number", numbers.clone())]).expect("one column");
        let schema = scattered(rows.schema_ref());
        let segments = UInt32Array::from_iter_values((0..1000).map(|row| if row < 400 { 3 } else { 5 }));
        let batch = attach(rows, segments).expect("as many segments as rows");

        let sent = scatter(&batch, &schema, &[0], &mut Position::default()).expect("a key of numbers");

        let groups = sent.column(1).as_primitive::<Int32Type>().values();
        let origins = sent.column(2).as_primitive::<UInt64Type>().values();
        assert!(groups.iter().zip(origins).is_sorted());
        let was_at = |origin: u64| (origin as u32 as usize) + if origin >> 32 == 3 { 0 } else { 400 };
        let (then, now) = (numbers.as_primitive::<Int64Type>(), sent.column(0).as_primitive::<Int64Type>());
        let found: Vec<_> = origins.iter().map(|origin| then.value(was_at(*origin))).collect();
        assert_eq!(now.values().to_vec(), found);
        let of_rows = key_groups(&[sent.column(0).clone()], 1000).expect("a key of numbers");
        assert_eq!(groups.to_vec(), of_rows);
    }
}
