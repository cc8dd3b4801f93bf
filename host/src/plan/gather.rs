//! Rows put back in canonical order after a shuffle: by key group, and within it by origin. The key group is the new
//! segment.
//!
//! A shuffle mixes the rows of its inputs in the order in which they happen to arrive, so all rows of the partition are
//! collected before the first goes on.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{AsArray, UInt32Array};

use arrow::datatypes::{Int32Type, Schema, SchemaRef, UInt64Type};
use arrow::record_batch::RecordBatch;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::key_group::KEY_GROUPS;
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
        let (input, scattered) = (task.input_stream()?, task.input()?.schema());
        let rows = async move {
            let batches: Vec<RecordBatch> = input.try_collect().await?;
            in_order(&scattered, &batches)
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
    let order = canonical(groups.values(), origins.values());
    let segments = UInt32Array::from_iter_values(order.iter().map(|&row| groups.value(row as usize) as u32));
    let schema = Arc::new(rows_schema(scattered));
    let kept = all.num_columns() - 2;
    let rows = of_columns(schema, all.columns()[..kept].to_vec(), all.num_rows())?;
    attach(take_rows(&rows, &UInt32Array::from(order))?, segments)
}

/// Rows by (group, origin).
///
/// A shuffle keeps the order of each of its inputs, and a segment is in one of them. So rows lie in stretches, within
/// which origins rise and between which they do not mix, and to put stretches in order and then count rows out into groups
/// is all there is to do.
fn canonical(groups: &[i32], origins: &[u64]) -> Vec<u32> {
    let segment = |row: usize| origins[row] >> 32;
    let mut stretches: Vec<Range<usize>> = Vec::new();
    for row in 0..origins.len() {
        match stretches.last_mut() {
            Some(last) if origins[row - 1] < origins[row] && segment(row - 1) == segment(row) => last.end = row + 1,
            _ => stretches.push(row..row + 1),
        }
    }
    stretches.sort_unstable_by_key(|stretch| origins[stretch.start]);

    let mut bounds = [0; KEY_GROUPS as usize + 1];
    for &group in groups {
        bounds[group as usize + 1] += 1;
    }
    for group in 0..KEY_GROUPS as usize {
        bounds[group + 1] += bounds[group];
    }
    let (mut next, mut order) = (bounds, vec![0; groups.len()]);
    for row in stretches.into_iter().flatten() {
        let place = &mut next[groups[row] as usize];
        order[*place] = row as u32;
        *place += 1;
    }
    for group in bounds.windows(2).map(|ends| ends[0]..ends[1]) {
        let rows = &mut order[group];
        // Should stretches mix after all.
        if !rows.is_sorted_by_key(|&row| origins[row as usize]) {
            rows.sort_unstable_by_key(|&row| origins[row as usize]);
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_come_by_group_and_then_by_origin(
            stretches in prop::collection::vec((0u64..4, 0u64..50, 0usize..20), 0..12),
            salt: u64,
        ) {
            let mut origins: Vec<u64> = Vec::new();
            for (segment, first, length) in stretches {
                origins.extend((first..).take(length).map(|place| segment << 32 | place));
            }
            let groups: Vec<i32> =
                (0..).take(origins.len()).map(|row: u64| ((row ^ salt).wrapping_mul(0x9E37_79B9) >> 8 & 127) as i32).collect();
            let mut expected: Vec<usize> = (0..origins.len()).collect();
            expected.sort_by_key(|&row| (groups[row], origins[row]));
            let place = |row: usize| (groups[row], origins[row]);
            let found: Vec<_> = canonical(&groups, &origins).into_iter().map(|row| place(row as usize)).collect();
            prop_assert_eq!(found, expected.into_iter().map(place).collect::<Vec<_>>());
        }
    }
}
