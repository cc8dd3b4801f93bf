//! The host's rules for an answer, which an operator's glue must keep.

use super::cell::{self, Cell};
use super::table;
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

/// The rows of an answer, of which there must be so many, as announced.
pub(super) fn rows(fields: &[Field], answer: &Batch, rows: usize) -> Result<Vec<Vec<Cell>>, String> {
    if answer.row_count as usize != rows {
        return Err(format!("{} rows where {rows} were due", answer.row_count));
    }
    Ok(table::rows(&columns(fields, &answer.columns, rows, &[])?, rows))
}

/// Sees to it that columns have names of their own. `what` they are, for the message.
pub(super) fn names<'f>(fields: impl IntoIterator<Item = &'f Field>, what: &str) -> Result<(), String> {
    let mut seen = Vec::new();
    for Field { name, .. } in fields {
        if seen.contains(&name) {
            return Err(format!("two {what} named `{name}`"));
        }
        seen.push(name);
    }
    Ok(())
}

/// Which input row each output row comes from.
pub(super) fn origin(origin: Origin, rows: usize) -> Result<Vec<usize>, String> {
    match origin {
        Origin::Same => Ok((0..rows).collect()),
        Origin::From(origins) => from(&origins, rows),
    }
}

/// What each output row comes from, of so many.
pub(super) fn from(from: &[u32], count: usize) -> Result<Vec<usize>, String> {
    let from: Vec<usize> = from.iter().map(|&index| index as usize).collect();
    if !from.is_sorted() {
        return Err("origins go back".to_owned());
    }
    match from.last() {
        Some(&last) if last >= count => Err(format!("an output row comes from {last} of {count}")),
        _ => Ok(from),
    }
}
