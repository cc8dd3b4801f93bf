//! Rows grouped by key: which group each row is in, in order of first occurrence, and the rows sorted by group.

use arrow::array::{ArrayRef, UInt32Array};
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
    scratch: Vec<usize>,
}

enum Table {
    /// Without a key all rows are one group.
    None,
    Text(TextGroups),
    Any(Box<dyn GroupValues>),
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
            _ => Table::Any(new_group_values(schema.clone(), &GroupOrdering::None)?),
        };
        Ok(Self { schema, table, ids: Vec::new(), scratch: Vec::new() })
    }

    /// Adds rows with these key columns.
    pub(super) fn add(&mut self, keys: &[ArrayRef], rows: usize) -> Result<()> {
        match &mut self.table {
            Table::None => self.ids.resize(self.ids.len() + rows, 0),
            Table::Text(groups) => groups.add(&keys[0], &mut self.ids)?,
            Table::Any(values) => {
                values.intern(keys, &mut self.scratch)?;
                self.ids.extend(self.scratch.iter().map(|&id| id as u32));
            }
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
            Table::Any(mut values) => {
                let count = values.len();
                (values.emit(EmitTo::All)?, count)
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

    /// Rows sorted by group, of those that were added.
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
