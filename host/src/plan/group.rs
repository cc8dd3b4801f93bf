//! Rows grouped by key: which group each row is in, in order of first occurrence, and the rows sorted by group.

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take_arrays;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use datafusion::logical_expr::EmitTo;
use datafusion::physical_plan::aggregates::group_values::{GroupValues, new_group_values};
use datafusion::physical_plan::aggregates::order::GroupOrdering;

use super::segment::runs;
use super::text_groups::TextGroups;
use crate::rows::{of_columns, take as take_rows};

/// Groups rows as they come.
pub(super) struct Grouper {
    schema: SchemaRef,
    table: Table,
    ids: Vec<u32>,
}

enum Table {
    /// Without a key all rows are one group.
    None,
    Text(TextGroups),
    Any(Numbered),
}

/// DataFusion's groups, numbered in order of first occurrence: its own numbers depend on which rows are added together, where
/// hashes collide.
struct Numbered {
    values: Box<dyn GroupValues>,
    /// By DataFusion's number, ours.
    numbers: Vec<Option<u32>>,
    /// By our number, DataFusion's.
    theirs: Vec<u32>,
    scratch: Vec<usize>,
}

impl Numbered {
    fn new(key: SchemaRef) -> Result<Self> {
        let values = new_group_values(key, &GroupOrdering::None)?;
        Ok(Self { values, numbers: Vec::new(), theirs: Vec::new(), scratch: Vec::new() })
    }

    fn add(&mut self, keys: &[ArrayRef], groups: &mut Vec<u32>) -> Result<()> {
        self.values.intern(keys, &mut self.scratch)?;
        self.numbers.resize(self.values.len(), None);
        for &their in &self.scratch {
            let ours = *self.numbers[their].get_or_insert_with(|| {
                self.theirs.push(their as u32);
                self.theirs.len() as u32 - 1
            });
            groups.push(ours);
        }
        Ok(())
    }

    fn keys(mut self) -> Result<Vec<ArrayRef>> {
        let keys = self.values.emit(EmitTo::All)?;
        if self.theirs.is_sorted() {
            return Ok(keys);
        }
        Ok(take_arrays(&keys, &UInt32Array::from(self.theirs), None)?)
    }
}

impl Grouper {
    /// For keys of these columns; without columns all rows are one group.
    pub(super) fn new(key: Schema) -> Result<Self> {
        Self::expecting(key, 0)
    }

    /// The same, made for so many keys; there may be more.
    pub(super) fn expecting(key: Schema, keys: usize) -> Result<Self> {
        let schema = SchemaRef::new(key);
        let table = match &schema.fields()[..] {
            [] => Table::None,
            [key] if TextGroups::takes(key.data_type()) => Table::Text(TextGroups::expecting(keys)),
            _ => Table::Any(Numbered::new(schema.clone())?),
        };
        Ok(Self { schema, table, ids: Vec::new() })
    }

    /// Adds rows with these key columns.
    pub(super) fn add(&mut self, keys: &[ArrayRef], rows: usize) -> Result<()> {
        match &mut self.table {
            Table::None => self.ids.resize(self.ids.len() + rows, 0),
            Table::Text(groups) => groups.add(&keys[0], &mut self.ids)?,
            Table::Any(groups) => groups.add(keys, &mut self.ids)?,
        }
        Ok(())
    }

    /// Adds the rows of a shuffled stream, each of whose keys is in one segment.
    pub(super) fn add_segments(&mut self, keys: &[ArrayRef], segments: &UInt32Array) -> Result<()> {
        for (_, run) in runs(segments) {
            if let Table::Text(groups) = &mut self.table {
                groups.pass();
            }
            let keys: Vec<_> = keys.iter().map(|column| column.slice(run.start, run.len())).collect();
            self.add(&keys, run.len())?;
        }
        Ok(())
    }

    /// All rows added, by group.
    pub(super) fn finish(self) -> Result<Grouping> {
        let (columns, count) = match self.table {
            Table::None => (Vec::new(), usize::from(!self.ids.is_empty())),
            Table::Text(groups) => {
                let count = groups.len();
                (vec![groups.keys(self.schema.field(0).data_type())?], count)
            }
            Table::Any(groups) => {
                let count = groups.theirs.len();
                (groups.keys()?, count)
            }
        };
        let keys = of_columns(self.schema, columns, count)?;
        Ok(Grouping { keys, ids: self.ids })
    }
}

/// Rows by group.
pub(super) struct Grouping {
    /// The key of each group, in order of first occurrence.
    pub(super) keys: RecordBatch,
    ids: Vec<u32>,
}

impl Grouping {
    /// Each row a group of its own.
    pub(super) fn of_each(keys: RecordBatch) -> Self {
        let ids = (0..keys.num_rows() as u32).collect();
        Self { keys, ids }
    }

    /// The rows that were added, or columns of them, sorted by group. `order` is asked only where they are not sorted already.
    pub(super) fn sorted<'a>(&self, rows: RecordBatch, order: impl FnOnce() -> &'a UInt32Array) -> Result<RecordBatch> {
        // Groups are in order of their first row: where each has one, they are in order already.
        Ok(if self.keys.num_rows() == self.ids.len() { rows } else { take_rows(&rows, order())? })
    }

    /// Where each group starts among the rows sorted by group, and where the last one ends.
    pub(super) fn bounds(&self) -> Vec<u32> {
        let mut bounds = vec![0; self.keys.num_rows() + 1];
        for &id in &self.ids {
            bounds[id as usize + 1] += 1;
        }
        for group in 1..bounds.len() {
            bounds[group] += bounds[group - 1];
        }
        bounds
    }

    /// The rows sorted by group: entry i is the index, among the rows added, of sorted row i.
    pub(super) fn order(&self, bounds: &[u32]) -> UInt32Array {
        let mut next = bounds.to_vec();
        let mut order = vec![0; self.ids.len()];
        for (row, &id) in self.ids.iter().enumerate() {
            let place = &mut next[id as usize];
            order[*place as usize] = row as u32;
            *place += 1;
        }
        UInt32Array::from(order)
    }
}

/// Cuts units, whose sizes are given by `bounds`, into calls of at most `size` rows, or of one unit that is larger.
pub(super) fn calls(bounds: &[u32], size: usize) -> Vec<std::ops::Range<usize>> {
    let mut calls = Vec::new();
    let mut start = 0;
    for unit in 0..bounds.len().saturating_sub(1) {
        if unit > start && (bounds[unit + 1] - bounds[start]) as usize > size {
            calls.push(start..unit);
            start = unit;
        }
    }
    if start + 1 < bounds.len() {
        calls.push(start..bounds.len() - 1);
    }
    calls
}

/// The bounds of some units, counted from the first of them.
pub(super) fn rebased(bounds: &[u32], units: &std::ops::Range<usize>) -> Vec<u32> {
    let first = bounds[units.start];
    bounds[units.start..=units.end].iter().map(|b| b - first).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use arrow::array::{BooleanArray, Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field};
    use proptest::prelude::*;

    use super::*;

    type Row = (Option<i64>, Option<bool>, Option<bool>, Option<String>);

    fn columns(rows: &[Row]) -> [ArrayRef; 4] {
        [
            Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>()),
            Arc::new(rows.iter().map(|row| row.1).collect::<BooleanArray>()),
            Arc::new(rows.iter().map(|row| row.2).collect::<BooleanArray>()),
            Arc::new(rows.iter().map(|row| row.3.as_deref()).collect::<StringArray>()),
        ]
    }

    /// Groups rows of so many of the columns that are added so many at a time, and holds that against a map.
    #[track_caller]
    fn check(rows: &[Row], key: std::ops::Range<usize>, at_a_time: usize) {
        let types = [DataType::Int64, DataType::Boolean, DataType::Boolean, DataType::Utf8];
        let fields: Vec<_> = types.into_iter().map(|data_type| Field::new("x", data_type, true)).collect();
        let mut grouper = Grouper::new(Schema::new(fields[key.clone()].to_vec())).expect("keys of these types");
        for rows in rows.chunks(at_a_time) {
            grouper.add(&columns(rows)[key.clone()], rows.len()).expect("columns of these types");
        }
        let grouping = grouper.finish().expect("few keys");

        let of_key = |row: &Row| {
            let mut only: Row = (None, None, None, None);
            key.clone().for_each(|column| match column {
                0 => only.0 = row.0,
                1 => only.1 = row.1,
                2 => only.2 = row.2,
                _ => only.3.clone_from(&row.3),
            });
            only
        };
        let (mut ids, mut keys, mut expected) = (HashMap::new(), Vec::new(), Vec::new());
        for row in rows.iter().map(of_key) {
            expected.push(*ids.entry(row.clone()).or_insert_with(|| {
                keys.push(row);
                keys.len() as u32 - 1
            }));
        }
        assert_eq!(grouping.ids, expected);
        assert_eq!(grouping.keys.columns(), &columns(&keys)[key]);
    }

    #[test]
    fn keys_whose_hashes_collide_come_in_order_of_first_occurrence() {
        let row = |n, a, b| (Some(n), a, b, None);
        let rows = [row(7, Some(true), None), row(7, None, Some(true)), row(8, Some(true), Some(true))];
        for at_a_time in [1, 2, 3] {
            check(&rows, 0..3, at_a_time);
        }
    }

    proptest! {
        #[test]
        fn groups_are_those_of_a_map_whatever_rows_are_added_together(
            rows in prop::collection::vec((
                prop::option::of(0i64..3), any::<Option<bool>>(), any::<Option<bool>>(), prop::option::of("[ab]{0,2}"),
            ), 1..60),
            key in prop::sample::select(vec![0..1, 1..2, 0..3, 1..4, 0..4, 3..4]),
            at_a_time in 1usize..60,
        ) {
            check(&rows, key, at_a_time);
        }
    }
}
