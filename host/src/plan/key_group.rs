//! Key groups: keys are hashed into a fixed number of groups, and groups, not keys, are dealt out to partitions (the
//! scheme of Flink's rescalable state). The order of groups is the canonical order of a shuffled stream.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array};
use arrow::datatypes::{DataType, Field, Float64Type, Int32Type, Int64Type, Schema, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use datafusion::error::{DataFusionError, Result};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::metrics::Time;
use datafusion::physical_plan::repartition::BatchPartitioner;
use xxhash_rust::xxh3::xxh3_64;

use crate::rows::of_columns;
use crate::state::row_bytes::comparable;
use crate::state::{Key, RowBytes};

/// How many key groups there are: the most partitions that a shuffled stream can use.
pub const KEY_GROUPS: u32 = 128;

/// The key group of each row. The same key has the same group on every machine and in every version.
pub(super) fn key_groups(keys: &[ArrayRef], rows: usize) -> Result<Vec<i32>> {
    if keys.is_empty() {
        return Ok(vec![0; rows]);
    }
    let keys: Vec<ArrayRef> = keys.iter().map(comparable).collect();
    let writers = keys.iter().map(writer).collect::<Result<Vec<_>>>()?;
    let mut bytes = Vec::new();
    let groups = (0..rows).map(|row| {
        bytes.clear();
        for write in &writers {
            write(row, &mut bytes);
        }
        (xxh3_64(&bytes) % u64::from(KEY_GROUPS)) as i32
    });
    Ok(groups.collect())
}

/// The rows by group, those of a group in the order that they have.
pub(super) fn by_group(groups: &[i32]) -> Vec<u32> {
    let mut next = [0; KEY_GROUPS as usize + 1];
    for &group in groups {
        next[group as usize + 1] += 1;
    }
    for group in 0..KEY_GROUPS as usize {
        next[group + 1] += next[group];
    }
    let mut order = vec![0; groups.len()];
    for (row, &group) in (0..).zip(groups) {
        let place = &mut next[group as usize];
        order[*place] = row;
        *place += 1;
    }
    order
}

/// Where the states of these keys lie: the group of each, and the bytes that it is known by there.
pub fn locate(keys: &RecordBatch) -> Result<Vec<(u32, Key)>> {
    let groups = key_groups(keys.columns(), keys.num_rows())?;
    let columns = keys.columns().iter().map(comparable).collect();
    let keys = of_columns(keys.schema(), columns, keys.num_rows())?;
    let bytes = RowBytes::new(keys.schema())?.encode_each::<Key>(&keys)?;
    Ok(groups.into_iter().map(|group| group as u32).zip(bytes).collect())
}

/// The key groups whose rows a shuffle into `partitions` sends to `partition`, in order.
pub(super) fn owned(partition: usize, partitions: usize) -> Result<Vec<u32>> {
    // Asked of DataFusion's own partitioner, which is who sends them.
    let group = Arc::new(Field::new("group", DataType::Int32, false));
    let all = Int32Array::from_iter_values(0..KEY_GROUPS as i32);
    let batch = RecordBatch::try_new(Arc::new(Schema::new(vec![group])), vec![Arc::new(all)])?;
    let column = Arc::new(Column::new("group", 0));
    let mut partitioner = BatchPartitioner::new_hash_partitioner(vec![column], partitions, Time::new())?;
    let mut owned = Vec::new();
    partitioner.partition(batch, |to, groups| {
        if to == partition {
            owned.extend(groups.column(0).as_primitive::<Int32Type>().values().iter().map(|&g| g as u32));
        }
        Ok(())
    })?;
    owned.sort_unstable();
    Ok(owned)
}

type Write<'a> = Box<dyn Fn(usize, &mut Vec<u8>) + 'a>;

/// Feeds a value to the hash: a zero byte for null, else a one and the value, text and bytes with their length.
fn writer(array: &ArrayRef) -> Result<Write<'_>> {
    fn fixed<'a>(array: &'a ArrayRef, bytes: impl Fn(usize) -> [u8; 8] + 'a) -> Write<'a> {
        Box::new(move |row, to| present(array, row, to, |to| to.extend_from_slice(&bytes(row))))
    }
    fn varying<'a>(array: &'a ArrayRef, bytes: impl Fn(usize) -> &'a [u8] + 'a) -> Write<'a> {
        Box::new(move |row, to| {
            present(array, row, to, |to| {
                to.extend_from_slice(&(bytes(row).len() as u64).to_le_bytes());
                to.extend_from_slice(bytes(row));
            });
        })
    }
    Ok(match array.data_type() {
        DataType::Boolean => {
            let values = array.as_boolean();
            fixed(array, move |row| u64::from(values.value(row)).to_le_bytes())
        }
        DataType::Int64 => {
            let values = array.as_primitive::<Int64Type>();
            fixed(array, move |row| values.value(row).to_le_bytes())
        }
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>();
            fixed(array, move |row| values.value(row).to_le_bytes())
        }
        DataType::Timestamp(..) => {
            let values = array.as_primitive::<TimestampMicrosecondType>();
            fixed(array, move |row| values.value(row).to_le_bytes())
        }
        DataType::Utf8 => {
            let values = array.as_string::<i32>();
            varying(array, move |row| values.value(row).as_bytes())
        }
        DataType::Binary => {
            let values = array.as_binary::<i32>();
            varying(array, move |row| values.value(row))
        }
        other => return Err(DataFusionError::Internal(format!("a key cannot have type {other}"))),
    })
}

fn present(array: &ArrayRef, row: usize, to: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    if array.is_null(row) {
        to.push(0);
    } else {
        to.push(1);
        write(to);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};

    use super::*;

    #[test]
    fn a_key_keeps_its_group_for_ever() {
        let text: ArrayRef = Arc::new(StringArray::from(vec![Some("weir"), Some(""), None]));
        let number: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        let groups = |keys: &[ArrayRef]| key_groups(keys, 3).expect("supported types");
        assert_eq!(groups(std::slice::from_ref(&text)), GROUPS_OF_TEXT);
        assert_eq!(groups(std::slice::from_ref(&number)), GROUPS_OF_NUMBER);
        assert_eq!(groups(&[text, number]), GROUPS_OF_BOTH);
    }

    // State and files are laid out by these: they may never change.
    const GROUPS_OF_TEXT: [i32; 3] = [63, 0, 91];
    const GROUPS_OF_NUMBER: [i32; 3] = [119, 46, 43];
    const GROUPS_OF_BOTH: [i32; 3] = [31, 32, 63];
}
