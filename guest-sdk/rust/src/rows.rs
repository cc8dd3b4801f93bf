//! A chunk's rows as records.

use std::fmt;

use crate::chunk::Chunk;
use crate::record::{self, Null, Record};

/// The rows of a call: one by one as records, or column by column.
///
/// What a [`#[batch]`](macro@crate::batch) function takes.
pub struct Rows<'a, R: Record<'a>> {
    /// The columns that `R` names: a struct with the same fields, each of them a view of a column.
    ///
    /// See [`Value`](crate::Value) for the views.
    pub columns: R::Columns,
    rows: usize,
}

impl<'a, R: Record<'a>> Rows<'a, R> {
    /// The rows of a chunk whose columns are the record's, in the order of its fields and under whatever names: for an
    /// [`Operator`](crate::transform::Operator) that is written by hand.
    ///
    /// # Errors
    /// Which column did not cross, or is of another type.
    pub fn new(chunk: &'a Chunk) -> Result<Self, String> {
        Ok(Self { columns: record::columns::<R>(chunk)?, rows: chunk.rows() })
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// A row as a record.
    ///
    /// # Errors
    /// Which column is null though its field is no `Option`.
    ///
    /// # Panics
    /// Where there is no such row.
    #[inline]
    pub fn get(&self, row: usize) -> Result<R, Null> {
        R::get(&self.columns, row)
    }

    /// All rows in order, each with its index.
    pub fn iter(&self) -> impl Iterator<Item = (usize, Result<R, Null>)> {
        (0..self.rows).map(|row| (row, self.get(row)))
    }
}

impl<'a, R: Record<'a>> fmt::Debug for Rows<'a, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("rows", &self.rows).finish_non_exhaustive()
    }
}
