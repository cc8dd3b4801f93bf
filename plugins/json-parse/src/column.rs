//! Columns whose types are known only from the config, a value at a time.

use serde_json::Value;
use weir_guest::bindings::rows::{Column, Values, VarLen};

use crate::fields::Type;
use crate::timestamp;

/// A value that fits its column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cell<'v> {
    Boolean(bool),
    /// An integer, or a timestamp in microseconds.
    Int(i64),
    Float(f64),
    Text(&'v str),
}

impl<'v> Cell<'v> {
    /// A value of JSON as one of the type. Nothing is turned into something else, but integers into floats.
    pub(crate) fn of(value: &'v Value, wanted: Type) -> Option<Self> {
        match wanted {
            Type::Boolean => value.as_bool().map(Self::Boolean),
            Type::Int64 => value.as_i64().map(Self::Int),
            Type::Float64 => value.as_f64().map(Self::Float),
            Type::Timestamp => value.as_str().and_then(timestamp::parse).map(Self::Int),
            Type::Utf8 => value.as_str().map(Self::Text),
        }
    }
}

/// A column on its way out.
#[derive(Debug)]
pub(crate) struct Builder {
    values: Values,
    rows: usize,
    /// One bit a row, set for a value.
    valid: Vec<u8>,
    has_nulls: bool,
}

/// Sets the bit of the next row, least significant bit of each byte first.
fn push_bit(bytes: &mut Vec<u8>, row: usize, set: bool) {
    match bytes.last_mut() {
        Some(last) if !row.is_multiple_of(8) => *last |= u8::from(set) << (row % 8),
        _ => bytes.push(u8::from(set)),
    }
}

impl Builder {
    pub(crate) fn new(data_type: Type) -> Self {
        let values = match data_type {
            Type::Boolean => Values::Boolean(Vec::new()),
            Type::Int64 => Values::Int64(Vec::new()),
            Type::Float64 => Values::Float64(Vec::new()),
            Type::Timestamp => Values::Timestamp(Vec::new()),
            Type::Utf8 => Values::Utf8(VarLen { offsets: vec![0], data: Vec::new() }),
        };
        Self { values, rows: 0, valid: Vec::new(), has_nulls: false }
    }

    /// Appends a value of the column's type, or a null.
    pub(crate) fn push(&mut self, cell: Option<Cell<'_>>) -> Result<(), String> {
        push_bit(&mut self.valid, self.rows, cell.is_some());
        self.has_nulls |= cell.is_none();
        match (&mut self.values, cell) {
            (Values::Boolean(bits), cell) => push_bit(bits, self.rows, cell == Some(Cell::Boolean(true))),
            (Values::Int64(ints) | Values::Timestamp(ints), Some(Cell::Int(int))) => ints.push(int),
            (Values::Int64(ints) | Values::Timestamp(ints), _) => ints.push(0),
            (Values::Float64(floats), Some(Cell::Float(float))) => floats.push(float),
            (Values::Float64(floats), _) => floats.push(0.0),
            (Values::Utf8(text) | Values::Binary(text), cell) => {
                if let Some(Cell::Text(value)) = cell {
                    text.data.extend_from_slice(value.as_bytes());
                }
                let end = i32::try_from(text.data.len()).map_err(|_| "a column has more than 2 GiB of text")?;
                text.offsets.push(end);
            }
            (Values::Slices(_), _) => {}
        }
        self.rows += 1;
        Ok(())
    }

    pub(crate) fn finish(self) -> Column {
        Column { values: self.values, validity: self.has_nulls.then_some(self.valid) }
    }
}
