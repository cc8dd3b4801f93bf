//! Rows outside an operator: columns with their names.

use super::cell::{self, Cell};
use crate::bindings::rows::{Batch, Column, Field};
use crate::builder::{Plan, Sources};
use crate::chunk::Chunk;
use crate::record::{self, Reader, Record};
use crate::schema::{announce, resolve};

/// Columns with their names, as an operator's input or output.
///
/// ```
/// use weir_guest::{Record, testing::Table};
///
/// #[derive(Record, Debug, PartialEq)]
/// struct Line<'a> {
///     line: Option<&'a str>,
/// }
///
/// let table = Table::of([Line { line: Some("a") }, Line { line: None }])?;
/// assert_eq!(table.len(), 2);
/// assert_eq!(table.rows::<Line>()?[1], Line { line: None });
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    fields: Vec<Field>,
    chunk: Chunk,
}

impl Table {
    /// Records as columns. All of them are of one type, so an input with columns that the operator does not read wants
    /// a record of its own.
    ///
    /// # Errors
    /// Why they do not fit in columns.
    pub fn of<'a, R: Record<'a>>(rows: impl IntoIterator<Item = R>) -> Result<Self, String> {
        let mut builders = R::builders(Plan { rows: 0, sources: Sources::NONE });
        let mut row_count = 0;
        for row in rows {
            row.push(&mut builders);
            row_count += 1;
        }
        Self::new(announce(R::FIELDS), Batch { row_count, columns: record::finish::<R>(builders)? })
    }

    /// Columns under their names.
    ///
    /// # Errors
    /// What is unsound about them.
    pub fn new(fields: Vec<Field>, batch: Batch) -> Result<Self, String> {
        if fields.len() != batch.columns.len() {
            return Err(format!("{} columns under {} names", batch.columns.len(), fields.len()));
        }
        Ok(Self { fields, chunk: Chunk::new(batch)? })
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.chunk.rows()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The columns' names and types.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The columns.
    pub fn columns(&self) -> &[Column] {
        self.chunk.columns()
    }

    /// The rows, read as records by column name.
    ///
    /// # Errors
    /// Which column is not there, has another type or a null.
    pub fn rows<'a, R: Record<'a>>(&'a self) -> Result<Vec<R>, String> {
        let order = resolve(R::FIELDS, &self.fields)?;
        let columns = R::columns(&mut Reader::selecting(&self.chunk, order))?;
        (0..self.len()).map(|row| R::get(&columns, row).map_err(|null| format!("row {row}: {null}"))).collect()
    }

    pub(super) fn cells(&self) -> Result<Vec<Vec<Cell>>, String> {
        self.columns().iter().map(|column| cell::cells(column, self.len(), &[])).collect()
    }

    /// Cells, column by column, under their names.
    pub(super) fn of_cells(fields: Vec<Field>, rows: usize, cells: &[Vec<Cell>]) -> Result<Self, String> {
        let batch = batch(&fields, rows, cells)?;
        Self::new(fields, batch)
    }
}

/// Cells, column by column, as the interface has them.
pub(super) fn batch(fields: &[Field], rows: usize, cells: &[Vec<Cell>]) -> Result<Batch, String> {
    let columns =
        fields.iter().zip(cells).map(|(field, cells)| cell::column(field, cells)).collect::<Result<_, _>>()?;
    Ok(Batch { row_count: rows as u32, columns })
}

/// Rows of so many cells as columns.
pub(super) fn columns(count: usize, rows: &[impl AsRef<[Cell]>]) -> Vec<Vec<Cell>> {
    (0..count).map(|column| rows.iter().map(|row| row.as_ref()[column].clone()).collect()).collect()
}

/// Columns of so many cells as rows.
pub(super) fn rows(columns: &[Vec<Cell>], count: usize) -> Vec<Vec<Cell>> {
    (0..count).map(|row| columns.iter().map(|column| column[row].clone()).collect()).collect()
}

/// Indices of the columns that cross, of so many.
pub(super) fn reads(reads: Option<&[u32]>, columns: usize) -> Vec<usize> {
    match reads {
        Some(reads) => reads.iter().map(|&index| index as usize).collect(),
        None => (0..columns).collect(),
    }
}
