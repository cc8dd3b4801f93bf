//! What a guest answered, checked and made Arrow arrays. A guest may lie about anything: every length, offset, index
//! and byte of text is checked here, and nowhere else.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{Field, SchemaRef};
use arrow::record_batch::RecordBatch;

use super::columns::{BatchOut, ColumnOut, Lowered, SlicesOut, ValuesOut, VarLenOut};
use super::verdict::{CallError, Verdict, contract};
use crate::rows::{ColumnType, of_columns};
use crate::units::Size;

/// The input that `slices` may cut: the columns as lowered, and their types.
pub(super) struct Cuttable<'a> {
    pub(super) columns: &'a Lowered<'a>,
    pub(super) types: &'a [ColumnType],
    pub(super) limit: Size,
}

/// Checks the columns of an answer against the fields agreed in `configure`.
pub(super) fn columns(
    what: &str,
    fields: &[Arc<Field>],
    columns: Vec<ColumnOut>,
    rows: usize,
    input: Option<&Cuttable<'_>>,
) -> Result<Vec<ArrayRef>, CallError> {
    if columns.len() != fields.len() {
        return Err(contract(format!(
            "`{what}` answered with {} columns where `configure` had announced {}",
            columns.len(),
            fields.len()
        )));
    }
    fields.iter().zip(columns).map(|(field, column)| lift(what, field, column, rows, input)).collect()
}

/// Checks a whole batch of an answer.
pub(super) fn batch(what: &str, schema: &SchemaRef, answer: BatchOut, rows: usize) -> Result<RecordBatch, CallError> {
    if answer.row_count as usize != rows {
        return Err(contract(format!("`{what}` answered with {} rows where {rows} were due", answer.row_count)));
    }
    let arrays = columns(what, schema.fields(), answer.columns, rows, None)?;
    of_columns(schema.clone(), arrays, rows).map_err(|e| contract(e.to_string()))
}

fn lift(
    what: &str,
    field: &Field,
    column: ColumnOut,
    rows: usize,
    input: Option<&Cuttable<'_>>,
) -> Result<ArrayRef, CallError> {
    let broken = |text: String| contract(format!("`{what}`, column `{}`: {text}", field.name()));
    let nulls = validity(column.validity, rows).map_err(broken)?;
    if let Some(nulls) = &nulls
        && !field.is_nullable()
    {
        return Err(broken(format!("{} nulls in a column announced as never null", nulls.null_count())));
    }
    let counted = |found: usize| {
        if found == rows { Ok(()) } else { Err(broken(format!("{found} values for {rows} rows"))) }
    };
    let announced = ColumnType::of(field.data_type());
    let array: ArrayRef = match (announced, column.values) {
        (Some(ColumnType::Boolean), ValuesOut::Boolean(bits)) => {
            if bits.len() != rows.div_ceil(8) {
                return Err(broken(format!("{} bytes of bits for {rows} rows", bits.len())));
            }
            Arc::new(BooleanArray::new(BooleanBuffer::new(Buffer::from_vec(bits), 0, rows), nulls))
        }
        (Some(ColumnType::Int64), ValuesOut::Int64(values)) => {
            counted(values.len())?;
            Arc::new(Int64Array::new(ScalarBuffer::from(values), nulls))
        }
        (Some(ColumnType::Float64), ValuesOut::Float64(values)) => {
            counted(values.len())?;
            Arc::new(Float64Array::new(ScalarBuffer::from(values), nulls))
        }
        (Some(ColumnType::Timestamp), ValuesOut::Timestamp(values)) => {
            counted(values.len())?;
            Arc::new(TimestampMicrosecondArray::new(ScalarBuffer::from(values), nulls).with_timezone("UTC"))
        }
        (Some(ColumnType::Utf8), ValuesOut::Utf8(text)) => {
            let (offsets, data) = var_len(text, rows).map_err(broken)?;
            check_text(&offsets, &data).map_err(broken)?;
            // SAFETY: `check_text` has just found the whole of `data` to be UTF-8 and every offset a character boundary.
            Arc::new(unsafe { StringArray::new_unchecked(offsets, Buffer::from_vec(data), nulls) })
        }
        (Some(ColumnType::Binary), ValuesOut::Binary(bytes)) => {
            let (offsets, data) = var_len(bytes, rows).map_err(broken)?;
            Arc::new(BinaryArray::new(offsets, Buffer::from_vec(data), nulls))
        }
        (Some(kind @ (ColumnType::Utf8 | ColumnType::Binary)), ValuesOut::Slices(slices)) => {
            counted(slices.starts.len())?;
            counted(slices.lengths.len())?;
            let input = input.ok_or_else(|| broken("slices, which only a transform may answer with".to_owned()))?;
            let (offsets, data) = gather(&slices, kind, input, &broken)?;
            if kind == ColumnType::Utf8 {
                // SAFETY: `gather` cut each value out of valid UTF-8 at character boundaries.
                Arc::new(unsafe { StringArray::new_unchecked(offsets, Buffer::from_vec(data), nulls) })
            } else {
                Arc::new(BinaryArray::new(offsets, Buffer::from_vec(data), nulls))
            }
        }
        (Some(announced), values) => {
            return Err(broken(format!("{} where `configure` had announced {announced}", kind_of(&values))));
        }
        (None, _) => return Err(broken(format!("type {} is not of the interface", field.data_type()))),
    };
    Ok(array)
}

fn kind_of(values: &ValuesOut) -> &'static str {
    match values {
        ValuesOut::Boolean(_) => "boolean",
        ValuesOut::Int64(_) => "int64",
        ValuesOut::Float64(_) => "float64",
        ValuesOut::Timestamp(_) => "timestamp",
        ValuesOut::Utf8(_) => "utf8",
        ValuesOut::Binary(_) => "binary",
        ValuesOut::Slices(_) => "slices of the input",
    }
}

/// A validity bitmap as Arrow's; none where every bit is set.
fn validity(bits: Option<Vec<u8>>, rows: usize) -> Result<Option<NullBuffer>, String> {
    let Some(bits) = bits else { return Ok(None) };
    if bits.len() != rows.div_ceil(8) {
        return Err(format!("{} bytes of validity for {rows} rows", bits.len()));
    }
    let nulls = NullBuffer::new(BooleanBuffer::new(Buffer::from_vec(bits), 0, rows));
    Ok((nulls.null_count() > 0).then_some(nulls))
}

fn var_len(values: VarLenOut, rows: usize) -> Result<(OffsetBuffer<i32>, Vec<u8>), String> {
    let VarLenOut { offsets, data } = values;
    if offsets.len() != rows + 1 {
        return Err(format!("{} offsets for {rows} rows; there must be one more than rows", offsets.len()));
    }
    if offsets[0] != 0 {
        return Err(format!("offsets start at {} instead of 0", offsets[0]));
    }
    if let Some(i) = offsets.windows(2).position(|w| w[1] < w[0]) {
        return Err(format!("offsets decrease from {} to {} at row {i}", offsets[i], offsets[i + 1]));
    }
    let last = offsets[rows];
    if usize::try_from(last).ok() != Some(data.len()) {
        return Err(format!("offsets end at {last} but there are {} bytes of data", data.len()));
    }
    Ok((OffsetBuffer::new(ScalarBuffer::from(offsets)), data))
}

fn check_text(offsets: &OffsetBuffer<i32>, data: &[u8]) -> Result<(), String> {
    if simdutf8::basic::from_utf8(data).is_err() {
        let row = offsets.windows(2).position(|w| std::str::from_utf8(&data[w[0] as usize..w[1] as usize]).is_err());
        return Err(format!("not UTF-8 at row {}", row.unwrap_or(0)));
    }
    if data.is_ascii() {
        return Ok(());
    }
    match offsets.iter().position(|&o| !is_boundary(data, o as usize)) {
        Some(row) => Err(format!("not UTF-8 at row {}: it starts inside a character", row)),
        None => Ok(()),
    }
}

/// Whether a cut at `at` splits no character of valid UTF-8.
fn is_boundary(data: &[u8], at: usize) -> bool {
    data.get(at).is_none_or(|&b| b & 0xC0 != 0x80)
}

/// Copies the parts of an input column that a guest named.
fn gather(
    slices: &SlicesOut,
    kind: ColumnType,
    input: &Cuttable<'_>,
    broken: &dyn Fn(String) -> CallError,
) -> Result<(OffsetBuffer<i32>, Vec<u8>), CallError> {
    let index = slices.column as usize;
    let data = input.columns.data(index).ok_or_else(|| {
        broken(format!("slices of input column {index}, which is not a text or binary column that was read"))
    })?;
    if kind == ColumnType::Utf8 && input.types[index] != ColumnType::Utf8 {
        return Err(broken(format!("text cut from input column {index}, which is binary")));
    }
    let total: u64 = slices.lengths.iter().map(|&l| u64::from(l)).sum();
    if total > input.limit.0 || total > i32::MAX as u64 {
        return Err(Verdict::Output { limit: input.limit }.into());
    }
    let ranges =
        || slices.starts.iter().zip(&slices.lengths).map(|(&start, &length)| (start as usize, length as usize));
    // At first without a way out, which would keep the loop from being vectorized.
    if ranges().fold(false, |wrong, (start, length)| wrong | (start + length > data.len()))
        && let Some((row, (start, length))) =
            ranges().enumerate().find(|(_, (start, length))| start + length > data.len())
    {
        let (end, len) = (start + length, data.len());
        return Err(broken(format!("row {row} is bytes {start} to {end} of an input column of {len} bytes")));
    }
    let splits = |(start, length)| !(is_boundary(data, start) && is_boundary(data, start + length));
    if kind == ColumnType::Utf8
        && !data.is_ascii()
        && let Some(row) = ranges().position(splits)
    {
        return Err(broken(format!("row {row} cuts the input inside a character: not UTF-8")));
    }
    // Room for the fixed-size copies below to run over the end.
    let mut out = Vec::with_capacity(total as usize + SHORT);
    let mut offsets = vec![0; ranges().len() + 1];
    let (room, mut at) = (out.spare_capacity_mut(), 0);
    for ((start, length), end) in ranges().zip(&mut offsets[1..]) {
        if length <= SHORT && start + SHORT <= data.len() {
            room[at..at + SHORT].write_copy_of_slice(&data[start..start + SHORT]);
        } else {
            room[at..at + length].write_copy_of_slice(&data[start..start + length]);
        }
        at += length;
        *end = at as i32;
    }
    // SAFETY: each range has written its bytes into the capacity, one behind the other, up to `at`.
    unsafe { out.set_len(at) };
    // SAFETY: the first is 0, and none is below the one before it or above `i32::MAX`, which `total` is not.
    let offsets = unsafe { OffsetBuffer::new_unchecked(ScalarBuffer::from(offsets)) };
    Ok((offsets, out))
}

/// Values up to this length are copied with one fixed-size move: words and tags are mostly shorter.
const SHORT: usize = 16;
