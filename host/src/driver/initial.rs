//! The states that keys start with, from a table.
//!
//! Every row is a key with its state, as if the key had had rows in the batch before the first, and asked for no timer.

use std::collections::HashSet;

use anyhow::{Context, Result, bail};
use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use arrow::util::display::array_value_to_string;

use crate::plan::{KEY_GROUPS, locate};
use crate::rows::{describe, of_columns};
use crate::state::{Change, Changes, Delta, Key, KeyedSpec, RowBytes, StateBytes};
use crate::table::Contents;

/// Checks that a table has the columns of the key and of the state, in any order, and no other.
pub(super) fn check(table: &str, found: &Schema, keyed: &KeyedSpec) -> Result<()> {
    let wanted = || keyed.key.fields().iter().chain(keyed.state.fields());
    let has = |name: &String, data_type| found.column_with_name(name).is_some_and(|(_, f)| f.data_type() == data_type);
    let shown = |field: &arrow::datatypes::FieldRef| describe(&Schema::new(vec![field.clone()]));
    let missing: Vec<String> = wanted()
        .filter(|field| !has(field.name(), field.data_type()))
        .map(|field| match found.fields().find(field.name()) {
            Some((_, other)) => format!("{}, which it has as {}", shown(field), shown(other)),
            None => shown(field),
        })
        .collect();
    let extra = found.fields().iter().filter(|field| !wanted().any(|w| w.name() == field.name()));
    let extra: Vec<String> = extra.map(|field| format!("`{}`", field.name())).collect();
    if missing.is_empty() && extra.is_empty() {
        return Ok(());
    }
    let mut wrong = Vec::new();
    if !missing.is_empty() {
        wrong.push(format!("it lacks {}", missing.join(", ")));
    }
    if !extra.is_empty() {
        wrong.push(format!("{} is no column of either", extra.join(", ")));
    }
    bail!(
        "table `{table}` cannot be its `initial` states: {}. The table has {}; a row must be the key ({}) and the state ({}) \
         and nothing else, with these types: bring the file to this, or say the types in `schema` of [tables.{table}]",
        wrong.join("; "),
        describe(found),
        describe(&keyed.key),
        describe(&keyed.state)
    );
}

/// The rows of a table, found fitting, as what a batch at `last` would have changed.
pub(super) fn states(operator: &str, table: &str, contents: &Contents, keyed: &KeyedSpec, last: u64) -> Result<Delta> {
    let states = RowBytes::new(keyed.state.clone())?;
    let mut groups: Vec<(u32, Changes)> = (0..KEY_GROUPS).map(|group| (group, Vec::new())).collect();
    let mut seen: HashSet<Key> = HashSet::new();
    let mut before = 0;
    for rows in contents.rows() {
        let key_columns = columns(table, rows, &keyed.key, before)?;
        let state_columns = columns(table, rows, &keyed.state, before)?;
        let keys = locate(&of_columns(keyed.key.clone(), key_columns.clone(), rows.num_rows())?)?;
        let state_rows = (!state_columns.is_empty()).then(|| states.encode(&state_columns)).transpose()?;
        for (row, (group, key)) in keys.into_iter().enumerate() {
            if !seen.insert(key.clone()) {
                bail!(
                    "row {} of table `{table}` has the key {} again: a key can start with one state only; take one of the \
                     rows out",
                    before + row + 1,
                    shown(&keyed.key, &key_columns, row)
                );
            }
            let state = state_rows.as_ref().map_or_else(StateBytes::default, |states| states.row(row).data().into());
            let (_, changes) = groups.get_mut(group as usize).context("a key is in no group")?;
            changes.push((key, Some(Change { state, last, timer: 0 })));
        }
        before += rows.num_rows();
    }
    Ok(Delta { operator: operator.to_owned(), now: last, groups })
}

/// The columns of the table that are these.
fn columns(table: &str, rows: &RecordBatch, wanted: &SchemaRef, before: usize) -> Result<Vec<ArrayRef>> {
    let column = |field: &arrow::datatypes::FieldRef| {
        let name = field.name();
        let column = rows.column_by_name(name).with_context(|| format!("table `{table}` has no column `{name}`"))?;
        if !field.is_nullable()
            && let Some(row) = (0..column.len()).find(|row| column.is_null(*row))
        {
            bail!(
                "row {} of table `{table}` has no `{name}`, and a key or state cannot be without it: give it a value, or take \
                 the row out",
                before + row + 1
            );
        }
        Ok(column.clone())
    };
    wanted.fields().iter().map(column).collect()
}

/// A key as people read it: `user = ann, day = 3`.
fn shown(schema: &Schema, key: &[ArrayRef], row: usize) -> String {
    let value = |column: &ArrayRef| {
        if column.is_null(row) { "null".to_owned() } else { array_value_to_string(column, row).unwrap_or_default() }
    };
    let pairs = schema.fields().iter().zip(key).map(|(field, column)| format!("{} = {}", field.name(), value(column)));
    pairs.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
