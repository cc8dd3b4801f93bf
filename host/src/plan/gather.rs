//! Rows put back in canonical order after a shuffle: by key group, and within it by origin. The key group is the new
//! segment.
//!
//! A shuffle mixes the rows of its inputs in the order in which they happen to arrive, so all rows of the partition are
//! collected before the first goes on.

use std::iter::repeat_n;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Capacities, MutableArrayData, UInt32Array, make_array, new_empty_array};
use arrow::datatypes::{BinaryType, ByteArrayType, DataType, Int32Type, Schema, SchemaRef, UInt64Type, Utf8Type};
use arrow::record_batch::RecordBatch;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::node::{Node, Task};
use super::scatter::{KEY_GROUP, ORIGIN};
use super::segment::{attach, with_segment};
use crate::rows::of_columns;

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

/// Rows that lie side by side in a batch, of one group and one segment, and whose origins rise.
struct Stretch {
    group: i32,
    /// Their first origin, and their last.
    origins: (u64, u64),
    batch: usize,
    rows: Range<usize>,
}

fn in_order(scattered: &SchemaRef, batches: &[RecordBatch]) -> Result<RecordBatch> {
    let mut stretches = Vec::new();
    for (number, batch) in batches.iter().enumerate() {
        find_stretches(number, batch, &mut stretches)?;
    }
    stretches.sort_unstable_by_key(|stretch| (stretch.group, stretch.origins.0));
    // A shuffle keeps the order of each of its inputs, and a segment is in one of them: should stretches mix after all.
    if stretches.windows(2).any(|pair| pair[0].group == pair[1].group && pair[0].origins.1 > pair[1].origins.0) {
        stretches = single_rows(batches, &stretches)?;
    }

    let rows = stretches.iter().map(|stretch| stretch.rows.len()).sum();
    let schema = Arc::new(rows_schema(scattered));
    let columns = (0..schema.fields().len()).map(|column| {
        let parts: Vec<&ArrayRef> = batches.iter().map(|batch| batch.column(column)).collect();
        joined(schema.field(column).data_type(), &parts, &stretches, rows)
    });
    let columns = columns.collect::<Result<_>>()?;
    let groups = stretches.iter().flat_map(|stretch| repeat_n(stretch.group as u32, stretch.rows.len()));
    attach(of_columns(schema, columns, rows)?, UInt32Array::from_iter_values(groups))
}

/// The key groups and origins of a batch's rows.
fn places(batch: &RecordBatch) -> Result<(&[i32], &[u64])> {
    let column = |name| {
        let missing = || DataFusionError::Internal(format!("a shuffled batch has no column `{name}`"));
        batch.column_by_name(name).ok_or_else(missing)
    };
    let groups = column(KEY_GROUP)?.as_primitive::<Int32Type>();
    Ok((groups.values(), column(ORIGIN)?.as_primitive::<UInt64Type>().values()))
}

fn find_stretches(number: usize, batch: &RecordBatch, stretches: &mut Vec<Stretch>) -> Result<()> {
    let (groups, origins) = places(batch)?;
    let ends = |row: usize| {
        groups[row - 1] != groups[row]
            || origins[row - 1] >= origins[row]
            || origins[row - 1] >> 32 != origins[row] >> 32
    };
    let mut start = 0;
    for end in 1..=groups.len() {
        if end == groups.len() || ends(end) {
            let origins = (origins[start], origins[end - 1]);
            stretches.push(Stretch { group: groups[start], origins, batch: number, rows: start..end });
            start = end;
        }
    }
    Ok(())
}

/// The rows of stretches, in order, each by itself.
fn single_rows(batches: &[RecordBatch], stretches: &[Stretch]) -> Result<Vec<Stretch>> {
    let mut single = Vec::new();
    for &Stretch { group, batch, ref rows, .. } in stretches {
        let (_, origins) = places(&batches[batch])?;
        let row = |row: usize| Stretch { group, origins: (origins[row], origins[row]), batch, rows: row..row + 1 };
        single.extend(rows.clone().map(row));
    }
    single.sort_unstable_by_key(|row| (row.group, row.origins.0));
    Ok(single)
}

/// The parts' values in the order of the stretches, so many in all.
fn joined(data_type: &DataType, parts: &[&ArrayRef], stretches: &[Stretch], rows: usize) -> Result<ArrayRef> {
    if stretches.is_empty() {
        return Ok(new_empty_array(data_type));
    }
    let capacity = match data_type {
        DataType::Utf8 => Capacities::Binary(rows, Some(bytes::<Utf8Type>(parts))),
        DataType::Binary => Capacities::Binary(rows, Some(bytes::<BinaryType>(parts))),
        _ => Capacities::Array(rows),
    };
    let parts: Vec<_> = parts.iter().map(|part| part.to_data()).collect();
    let mut joined = MutableArrayData::with_capacities(parts.iter().collect(), false, capacity);
    for Stretch { batch, rows, .. } in stretches {
        joined.try_extend(*batch, rows.start, rows.end)?;
    }
    Ok(make_array(joined.freeze()))
}

fn bytes<T: ByteArrayType<Offset = i32>>(parts: &[&ArrayRef]) -> usize {
    let length = |part: &&ArrayRef| {
        let offsets = part.as_bytes::<T>().value_offsets();
        (offsets[offsets.len() - 1] - offsets[0]) as usize
    };
    parts.iter().map(length).sum()
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int32Array, StringArray, UInt64Array};
    use arrow::datatypes::{Field, UInt32Type};
    use proptest::prelude::*;

    use super::super::scatter::scattered;
    use super::*;

    proptest! {
        #[test]
        fn rows_come_by_group_and_then_by_origin(
            stretches in prop::collection::vec((0u64..4, 0u64..50, 0usize..20, any::<bool>()), 0..12),
            salt: u64,
        ) {
            let row = Arc::new(Schema::new(vec![
                Field::new("text", DataType::Utf8, true),
                Field::new("number", DataType::UInt64, false),
            ]));
            let scattered = scattered(&row);
            let (mut batches, mut expected) = (Vec::new(), Vec::new());
            for (segment, first, length, sorted) in stretches {
                let origins: Vec<u64> = (first..).take(length).map(|place| segment << 32 | place).collect();
                let group = |origin: &u64| ((origin ^ salt).wrapping_mul(0x9E37_79B9) >> 8 & 127) as i32;
                let mut rows: Vec<_> = origins.iter().map(|origin| (group(origin), *origin)).collect();
                if sorted {
                    rows.sort_unstable();
                }
                expected.extend(rows.iter().copied());
                let text = |origin: u64| (!origin.is_multiple_of(3)).then(|| "x".repeat(origin as usize % 7));
                let columns: Vec<ArrayRef> = vec![
                    Arc::new(rows.iter().map(|(_, origin)| text(*origin)).collect::<StringArray>()),
                    Arc::new(rows.iter().map(|(_, origin)| *origin).collect::<UInt64Array>()),
                    Arc::new(rows.iter().map(|(group, _)| *group).collect::<Int32Array>()),
                    Arc::new(rows.iter().map(|(_, origin)| *origin).collect::<UInt64Array>()),
                ];
                batches.push(RecordBatch::try_new(scattered.clone(), columns).expect("columns of these types"));
            }
            expected.sort_unstable();
            let found = in_order(&scattered, &batches).expect("whole batches");
            let texts: Vec<_> = found.column(0).as_string::<i32>().iter().map(|text| text.map(str::len)).collect();
            let numbers = found.column(1).as_primitive::<UInt64Type>().values().to_vec();
            let segments = found.column(2).as_primitive::<UInt32Type>().values().to_vec();
            let length = |origin: u64| (!origin.is_multiple_of(3)).then_some(origin as usize % 7);
            prop_assert_eq!(texts, expected.iter().map(|(_, origin)| length(*origin)).collect::<Vec<_>>());
            prop_assert_eq!(numbers, expected.iter().map(|(_, origin)| *origin).collect::<Vec<_>>());
            prop_assert_eq!(segments, expected.iter().map(|(group, _)| *group as u32).collect::<Vec<_>>());
        }
    }
}
