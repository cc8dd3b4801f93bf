//! Accumulators by key, and merged: what the folds of event-time windows share.

use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;

use super::group::{Grouper, calls, rebased};
use super::metered::Metered;
use super::rooms::{BatchRoom, ComponentCall, Rooms, execution};
use super::segment::detach;
use crate::operator::{AggregateRunner, Reject};
use crate::rows::{concat as concat_rows, of_columns, take as take_rows};
use crate::state::row_bytes::comparable;
use crate::state::{Key, RowBytes};

/// Rows of accumulators sorted by key: those of key k are rows `bounds[k] .. bounds[k + 1]`.
pub(super) struct ByKey {
    /// Each key's group and bytes, in order of first occurrence.
    pub(super) keys: Vec<(u32, Key)>,
    pub(super) bounds: Vec<u32>,
    /// What comes behind the key's columns.
    pub(super) rows: RecordBatch,
}

impl ByKey {
    /// Sorts what a shuffle gives: the key's columns, others, and the segment, which is the key's group.
    pub(super) fn new(shuffled: &RecordBatch, keys: &RowBytes) -> Result<Self> {
        let (rows, segments) = detach(shuffled)?;
        let columns = keys.schema().fields().len();
        let key: Vec<ArrayRef> = rows.columns()[..columns].iter().map(comparable).collect();
        let mut grouper = Grouper::new(Schema::clone(keys.schema()))?;
        grouper.add_segments(&key, &segments)?;
        let grouping = grouper.finish()?;
        let bounds = grouping.bounds();
        let order = grouping.order(&bounds);
        let encoded: Vec<Key> = keys.encode_each(&grouping.keys)?;
        let groups =
            bounds.iter().take(encoded.len()).map(|&first| segments.value(order.value(first as usize) as usize));
        let keys = groups.zip(encoded).collect();
        let others: Vec<usize> = (columns..rows.num_columns()).collect();
        let rows = grouping.sorted(rows.project(&others)?, || &order)?;
        Ok(Self { keys, bounds, rows })
    }
}

/// Merges accumulators with a component.
pub(super) struct Merger {
    call: ComponentCall,
    batch: Arc<BatchRoom>,
    runner: Metered<AggregateRunner>,
    accumulator: SchemaRef,
}

/// What became of accumulators, unit by unit.
pub(super) struct Merged {
    /// An accumulator for each unit that survived.
    pub(super) rows: RecordBatch,
    /// Which units these are, in order.
    pub(super) units: Vec<usize>,
    /// The units on which the component went wrong.
    pub(super) lost: Vec<Reject>,
}

impl Merger {
    pub(super) fn new(
        rooms: &Rooms,
        batch: Arc<BatchRoom>,
        call: ComponentCall,
        partition: usize,
        accumulator: SchemaRef,
    ) -> Result<Self> {
        let aggregate = rooms.operators.aggregate(&call).map_err(execution)?;
        let runner = AggregateRunner::new(aggregate, batch.moment(&call, partition))
            .within(batch.allowance(&call))
            .metered(batch.metering());
        let runner = Metered::new(runner, &call, batch.clone());
        Ok(Self { call, batch, runner, accumulator })
    }

    /// Merges the accumulators of each unit; a unit with a single one keeps it as it is. `rows` has the accumulator's
    /// columns, under whatever names.
    pub(super) fn merge(&mut self, bounds: &[u32], rows: &RecordBatch) -> Result<Merged> {
        let rows = of_columns(self.accumulator.clone(), rows.columns().to_vec(), rows.num_rows())?;
        let several: Vec<usize> = (0..bounds.len() - 1).filter(|&unit| bounds[unit + 1] - bounds[unit] > 1).collect();
        if several.is_empty() {
            return Ok(Merged { rows, units: (0..bounds.len() - 1).collect(), lost: Vec::new() });
        }
        let places: Vec<u32> = several.iter().flat_map(|&unit| bounds[unit]..bounds[unit + 1]).collect();
        let mut among = vec![0];
        for &unit in &several {
            among.push(among[among.len() - 1] + bounds[unit + 1] - bounds[unit]);
        }
        let (folded, kept, lost) = self.fold(&among, &take_rows(&rows, &UInt32Array::from(places))?)?;
        // Those that were alone, then those that were merged, put in the order of the units.
        let mut places: Vec<(usize, u32)> = Vec::with_capacity(bounds.len());
        places
            .extend((0..bounds.len() - 1).filter(|&u| bounds[u + 1] - bounds[u] == 1).map(|unit| (unit, bounds[unit])));
        let first = rows.num_rows() as u32;
        places.extend(kept.iter().zip(first..).map(|(&unit, place)| (several[unit], place)));
        places.sort_unstable();
        let all = concat_rows(&self.accumulator, &[rows, folded])?;
        let rows = take_rows(&all, &UInt32Array::from_iter_values(places.iter().map(|(_, place)| *place)))?;
        let lost = lost.into_iter().map(|reject| Reject { row: several[reject.row], ..reject }).collect();
        Ok(Merged { rows, units: places.into_iter().map(|(unit, _)| unit).collect(), lost })
    }

    fn fold(&mut self, bounds: &[u32], rows: &RecordBatch) -> Result<(RecordBatch, Vec<usize>, Vec<Reject>)> {
        let (mut folded, mut kept, mut lost) = (Vec::new(), Vec::new(), Vec::new());
        for units in calls(bounds, self.call.chunk_rows) {
            let first = bounds[units.start];
            let rows = rows.slice(first as usize, (bounds[units.end] - first) as usize);
            let merged = self.runner.merge(&rebased(bounds, &units), &rows).map_err(|e| self.call.error(&e))?;
            kept.extend(merged.groups.iter().map(|unit| units.start + unit));
            lost.extend(merged.rejects.into_iter().map(|r| Reject { row: units.start + r.row, ..r }));
            folded.push(merged.rows);
        }
        Ok((concat_rows(&self.accumulator, &folded)?, kept, lost))
    }

    /// Deals with units that were lost, by the operator's policy. `keys` has a row for each.
    pub(super) fn lost(&self, keys: &RecordBatch, groups: &[u32], lost: &[Reject]) -> Result<()> {
        self.batch.report().count(&self.call.operator, 0, 0, lost.len() as u64);
        let lost: Vec<Reject> = lost.iter().enumerate().map(|(row, reject)| Reject { row, ..reject.clone() }).collect();
        self.batch.reject_keys(&self.call, keys, &lost, |row| (groups[row], u64::MAX))
    }
}
