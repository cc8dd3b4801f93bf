//! Single values, of any type: slow, and hard to get wrong.

use crate::Timestamp;
use crate::bindings::rows::{Column, DataType, Field, Slices, Values, VarLen};
use crate::bitmap::bit;
use crate::builder::{Builder, Plan, Sources};
use crate::value::Value;

/// A value, or none for a null.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Null,
    Boolean(bool),
    Int64(i64),
    Float64(f64),
    Timestamp(i64),
    Utf8(String),
    Binary(Vec<u8>),
}

impl Cell {
    /// Some value that a column can have, which nobody will read.
    pub(super) fn blank(field: &Field) -> Self {
        match field.data_type {
            _ if field.nullable => Self::Null,
            DataType::Boolean => Self::Boolean(false),
            DataType::Int64 => Self::Int64(0),
            DataType::Float64 => Self::Float64(0.0),
            DataType::Timestamp => Self::Timestamp(0),
            DataType::Utf8 => Self::Utf8(String::new()),
            DataType::Binary => Self::Binary(Vec::new()),
        }
    }
}

/// The cells of a column. `input` is what slices are parts of.
pub(super) fn cells(column: &Column, rows: usize, input: &[Column]) -> Result<Vec<Cell>, String> {
    let cell = |row: usize| match &column.validity {
        Some(validity) if !bit(validity, row) => Ok(Cell::Null),
        _ => value(&column.values, row, input).map_err(|e| format!("row {row}: {e}")),
    };
    (0..rows).map(cell).collect()
}

fn value(values: &Values, row: usize, input: &[Column]) -> Result<Cell, String> {
    Ok(match values {
        Values::Boolean(bits) => Cell::Boolean(bit(bits, row)),
        Values::Int64(values) => Cell::Int64(values[row]),
        Values::Float64(values) => Cell::Float64(values[row]),
        Values::Timestamp(values) => Cell::Timestamp(values[row]),
        Values::Utf8(text) => Cell::Utf8(utf8(part(text, row))?),
        Values::Binary(bytes) => Cell::Binary(part(bytes, row).to_vec()),
        Values::Slices(slices) => return cut(slices, row, input),
    })
}

fn part(values: &VarLen, row: usize) -> &[u8] {
    &values.data[values.offsets[row] as usize..values.offsets[row + 1] as usize]
}

fn utf8(bytes: &[u8]) -> Result<String, String> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|e| e.to_string())
}

fn cut(slices: &Slices, row: usize, input: &[Column]) -> Result<Cell, String> {
    let (start, length) = (slices.starts[row] as usize, slices.lengths[row] as usize);
    let column = input.get(slices.column as usize).ok_or("a slice of a column that did not cross")?;
    let of = |values: &VarLen| {
        values.data.get(start..start + length).map(<[u8]>::to_vec).ok_or("a slice out of range".to_owned())
    };
    match &column.values {
        Values::Utf8(text) => Ok(Cell::Utf8(utf8(&of(text)?)?)),
        Values::Binary(bytes) => Ok(Cell::Binary(of(bytes)?)),
        _ => Err("a slice of a column that is neither text nor bytes".to_owned()),
    }
}

/// Cells as a column of the field's type.
pub(super) fn column(field: &Field, cells: &[Cell]) -> Result<Column, String> {
    match field.data_type {
        DataType::Boolean => build(field, cells, |cell| match cell {
            Cell::Boolean(value) => Some(*value),
            _ => None,
        }),
        DataType::Int64 => build(field, cells, |cell| match cell {
            Cell::Int64(value) => Some(*value),
            _ => None,
        }),
        DataType::Float64 => build(field, cells, |cell| match cell {
            Cell::Float64(value) => Some(*value),
            _ => None,
        }),
        DataType::Timestamp => build(field, cells, |cell| match cell {
            Cell::Timestamp(value) => Some(Timestamp::from_micros(*value)),
            _ => None,
        }),
        DataType::Utf8 => build(field, cells, |cell| match cell {
            Cell::Utf8(value) => Some(value.clone()),
            _ => None,
        }),
        DataType::Binary => build(field, cells, |cell| match cell {
            Cell::Binary(value) => Some(value.clone()),
            _ => None,
        }),
    }
}

fn build<T>(field: &Field, cells: &[Cell], get: impl Fn(&Cell) -> Option<T>) -> Result<Column, String>
where
    Option<T>: for<'a> Value<'a>,
{
    let mut builder = <Option<T> as Value<'_>>::builder(Plan { rows: cells.len(), sources: Sources::NONE });
    for (row, cell) in cells.iter().enumerate() {
        let value = get(cell);
        if value.is_none() && *cell != Cell::Null {
            return Err(format!("row {row} of column `{}` has another type than announced: {cell:?}", field.name));
        }
        if value.is_none() && !field.nullable {
            return Err(format!("row {row} of column `{}` is null, which was announced as never null", field.name));
        }
        value.push(&mut builder);
    }
    builder.finish()
}
