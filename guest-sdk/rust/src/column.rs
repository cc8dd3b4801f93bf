//! Typed views of input columns, for functions that take a whole chunk at a time.

use crate::Timestamp;
use crate::bindings::rows::{Column, Values, VarLen};
pub use crate::bitmap::Validity;
use crate::bitmap::bit;

/// A column of numbers: `i64` or `f64`.
#[derive(Debug, Clone, Copy)]
pub struct Numbers<'a, T> {
    values: &'a [T],
    validity: Validity<'a>,
}

impl<'a, T: Copy> Numbers<'a, T> {
    fn new(values: &'a [T], column: &'a Column) -> Self {
        Self { values, validity: validity(column) }
    }

    /// The value of each row; where the row is null, anything.
    pub fn values(self) -> &'a [T] {
        self.values
    }

    /// Which rows have a value.
    pub fn validity(self) -> Validity<'a> {
        self.validity
    }

    /// The row's value, unless it is null.
    ///
    /// # Panics
    /// Where there is no such row.
    #[inline]
    pub fn get(self, row: usize) -> Option<T> {
        self.validity.is_valid(row).then(|| self.values[row])
    }
}

/// A column of timestamps.
#[derive(Debug, Clone, Copy)]
pub struct Timestamps<'a>(Numbers<'a, i64>);

impl<'a> Timestamps<'a> {
    /// The value of each row in microseconds since the Unix epoch; where the row is null, anything.
    pub fn micros(self) -> &'a [i64] {
        self.0.values
    }

    /// Which rows have a value.
    pub fn validity(self) -> Validity<'a> {
        self.0.validity
    }

    /// The row's value, unless it is null.
    ///
    /// # Panics
    /// Where there is no such row.
    #[inline]
    pub fn get(self, row: usize) -> Option<Timestamp> {
        self.0.get(row).map(Timestamp::from_micros)
    }
}

/// A column of truth values.
#[derive(Debug, Clone, Copy)]
pub struct Bools<'a> {
    bits: &'a [u8],
    validity: Validity<'a>,
}

impl<'a> Bools<'a> {
    /// Which rows have a value.
    pub fn validity(self) -> Validity<'a> {
        self.validity
    }

    /// The row's value, unless it is null.
    #[inline]
    pub fn get(self, row: usize) -> Option<bool> {
        self.validity.is_valid(row).then(|| bit(self.bits, row))
    }
}

/// A column of bytes.
#[derive(Debug, Clone, Copy)]
pub struct Bytes<'a> {
    offsets: &'a [i32],
    data: &'a [u8],
    validity: Validity<'a>,
}

impl<'a> Bytes<'a> {
    fn new(values: &'a VarLen, column: &'a Column) -> Self {
        Self { offsets: &values.offsets, data: &values.data, validity: validity(column) }
    }

    /// The bytes of all rows, one after the other; a row that is null may have some too.
    pub fn data(self) -> &'a [u8] {
        self.data
    }

    /// One more than there are rows: row `i` is `data[offsets[i] .. offsets[i + 1]]`.
    pub fn offsets(self) -> &'a [i32] {
        self.offsets
    }

    /// Which rows have a value.
    pub fn validity(self) -> Validity<'a> {
        self.validity
    }

    /// The row's value, unless it is null.
    ///
    /// # Panics
    /// Where there is no such row.
    #[inline]
    pub fn get(self, row: usize) -> Option<&'a [u8]> {
        self.validity.is_valid(row).then(|| &self.data[self.offsets[row] as usize..self.offsets[row + 1] as usize])
    }
}

/// A column of text.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a>(Bytes<'a>);

impl<'a> Text<'a> {
    /// The text of all rows, one after the other; a row that is null may have some too.
    pub fn data(self) -> &'a str {
        // SAFETY: a `Chunk` has only text that is valid UTF-8 as a whole, and only a `Chunk`'s columns become `Text`.
        unsafe { std::str::from_utf8_unchecked(self.0.data) }
    }

    /// One more than there are rows: row `i` is `data[offsets[i] .. offsets[i + 1]]`.
    pub fn offsets(self) -> &'a [i32] {
        self.0.offsets
    }

    /// Which rows have a value.
    pub fn validity(self) -> Validity<'a> {
        self.0.validity
    }

    /// The row's value, unless it is null.
    ///
    /// # Panics
    /// Where there is no such row.
    #[inline]
    pub fn get(self, row: usize) -> Option<&'a str> {
        // SAFETY: as in `data`; and a `Chunk`'s offsets into text are at character boundaries.
        self.0.get(row).map(|bytes| unsafe { std::str::from_utf8_unchecked(bytes) })
    }
}

// A caller hands in columns of a `Chunk` only: see `Text`.

fn validity(column: &Column) -> Validity<'_> {
    Validity::new(column.validity.as_deref())
}

pub(crate) fn ints(column: &Column) -> Option<Numbers<'_, i64>> {
    match &column.values {
        Values::Int64(values) => Some(Numbers::new(values, column)),
        _ => None,
    }
}

pub(crate) fn floats(column: &Column) -> Option<Numbers<'_, f64>> {
    match &column.values {
        Values::Float64(values) => Some(Numbers::new(values, column)),
        _ => None,
    }
}

pub(crate) fn timestamps(column: &Column) -> Option<Timestamps<'_>> {
    match &column.values {
        Values::Timestamp(values) => Some(Timestamps(Numbers::new(values, column))),
        _ => None,
    }
}

pub(crate) fn bools(column: &Column) -> Option<Bools<'_>> {
    match &column.values {
        Values::Boolean(bits) => Some(Bools { bits, validity: validity(column) }),
        _ => None,
    }
}

pub(crate) fn text(column: &Column) -> Option<Text<'_>> {
    match &column.values {
        Values::Utf8(values) => Some(Text(Bytes::new(values, column))),
        _ => None,
    }
}

pub(crate) fn bytes(column: &Column) -> Option<Bytes<'_>> {
    match &column.values {
        Values::Binary(values) => Some(Bytes::new(values, column)),
        _ => None,
    }
}
