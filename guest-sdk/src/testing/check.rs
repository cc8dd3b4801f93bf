//! The host's rules for an answer, which an operator's glue must keep.

use super::cell::{self, Cell};
use crate::bindings::rows::{Batch, Column, Field, Values};
use crate::bindings::transform::Origin;
use crate::chunk::Chunk;

/// The cells of an answer's columns, each of which must be what was announced. `input` is what slices are parts of.
pub(super) fn columns(
    fields: &[Field],
    columns: &[Column],
    rows: usize,
    input: &[Column],
) -> Result<Vec<Vec<Cell>>, String> {
    if fields.len() != columns.len() {
        return Err(format!("{} columns where {} were announced", columns.len(), fields.len()));
    }
    let checked = |(field, column): (&Field, &Column)| {
        sound(column, rows).map_err(|e| format!("column `{}`: {e}", field.name))?;
        let cells = cell::cells(column, rows, input)?;
        // Only cells that fit the field can be built into a column again.
        cell::column(field, &cells)?;
        Ok(cells)
    };
    fields.iter().zip(columns).map(checked).collect()
}

fn sound(column: &Column, rows: usize) -> Result<(), String> {
    if let Values::Slices(slices) = &column.values {
        let lengths = (slices.starts.len(), slices.lengths.len());
        return if lengths == (rows, rows) { Ok(()) } else { Err(format!("{lengths:?} slices for {rows} rows")) };
    }
    Chunk::new(Batch { row_count: rows as u32, columns: vec![column.clone()] }).map(drop)
}

/// Which input row each output row comes from.
pub(super) fn origin(origin: Origin, rows: usize) -> Result<Vec<usize>, String> {
    let from: Vec<usize> = match origin {
        Origin::Same => (0..rows).collect(),
        Origin::From(from) => from.iter().map(|&row| row as usize).collect(),
    };
    if !from.is_sorted() {
        return Err("origins go back".to_owned());
    }
    if from.last().is_some_and(|&last| last >= rows) {
        return Err(format!("an output row comes from beyond the {rows} input rows"));
    }
    Ok(from)
}
