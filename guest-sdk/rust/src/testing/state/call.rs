//! One instance at work: a few keys at a time.

use serde::de::DeserializeOwned;

use super::key::Key;
use super::{Cell, Columns};
use crate::bindings::rows::{Batch, Field};
use crate::bindings::state::{self, Cause, Fate, Shape};
use crate::bitmap::Bits;
use crate::state::Touched;
use crate::state::update::{self, Operator};
use crate::testing::{check, table};

/// A key to be called with.
pub(super) struct Unit {
    pub(super) key: Key,
    pub(super) cause: Cause,
    pub(super) rows: Rows,
    pub(super) state: Option<Vec<Cell>>,
}

/// A key's rows among those of the batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Rows {
    pub(super) fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// The answer to a call, which keeps the host's rules.
pub(super) struct Updates {
    /// For each key its state, if it is kept, its fate and its timer.
    pub(super) nexts: Vec<(Vec<Cell>, Fate, u64)>,
    /// With the key before each row.
    pub(super) output: Vec<Vec<Cell>>,
    /// By their place in the batch.
    pub(super) rejects: Vec<(usize, String)>,
}

/// One instance.
pub(super) struct Call<'b, S> {
    operator: Operator<S>,
    shape: Shape,
    key: &'b [Field],
    /// The columns that cross.
    reads: Vec<Field>,
    input: Vec<&'b [Cell]>,
}

impl<'b, S: crate::State + DeserializeOwned> Call<'b, S> {
    pub(super) fn new(config: &str, columns: &'b Columns, input: &'b [Vec<Cell>]) -> Result<Self, String> {
        let (operator, shape) = update::configure::<S>(config, &columns.key, &columns.input)?;
        check::names(&shape.state, "columns of a state")?;
        check::names(columns.key.iter().chain(&shape.output), "output columns")?;
        let reads = table::reads(shape.reads.as_deref(), columns.input.len());
        let input = reads.iter().map(|&column| &*input[column]).collect();
        let reads = reads.iter().map(|&column| columns.input[column].clone()).collect();
        Ok(Self { operator, shape, key: &columns.key, reads, input })
    }

    pub(super) fn into_shape(self) -> Shape {
        self.shape
    }

    pub(super) fn update(&self, units: &[Unit]) -> Result<Updates, String> {
        let first = units.first().map_or(0, |unit| unit.rows.start);
        let touched = self.touched(units, first)?;
        let rows = touched.input.row_count as usize;
        let updated = update::update(&self.operator, &Touched::new(touched)?)?;
        let nexts = self.nexts(units.len(), updated.next, &updated.fates, &updated.timers)?;
        let from = check::from(&updated.output_from, units.len())?;
        let output = check::rows(&self.shape.output, &updated.output, from.len())?;
        let output = from.iter().zip(output).map(|(&key, row)| [units[key].key.cells(), &row].concat()).collect();
        if !updated.rejects.is_sorted_by(|a, b| a.row < b.row) {
            return Err("rejects that are out of order or there twice".to_owned());
        }
        let mut rejects = Vec::new();
        for reject in updated.rejects {
            if reject.row as usize >= rows {
                return Err(format!("row {} rejected of {rows}", reject.row));
            }
            rejects.push((first + reject.row as usize, reject.reason));
        }
        Ok(Updates { nexts, output, rejects })
    }

    fn touched(&self, units: &[Unit], first: usize) -> Result<state::Touched, String> {
        let last = units.last().map_or(first, |unit| unit.rows.end);
        let keys: Vec<_> = units.iter().map(|unit| unit.key.cells()).collect();
        let input: Vec<_> = self.input.iter().map(|column| column[first..last].to_vec()).collect();
        let blank: Vec<_> = self.shape.state.iter().map(Cell::blank).collect();
        let previous: Vec<_> = units.iter().map(|unit| unit.state.as_ref().unwrap_or(&blank)).collect();
        let mut present = Bits::with_capacity(units.len());
        units.iter().for_each(|unit| present.push(unit.state.is_some()));
        Ok(state::Touched {
            keys: batch_of(self.key, &keys)?,
            groups: std::iter::once(0).chain(units.iter().map(|unit| (unit.rows.end - first) as u32)).collect(),
            input: table::batch(&self.reads, last - first, &input)?,
            previous: batch_of(&self.shape.state, &previous)?,
            present: present.into_bytes(),
            causes: units.iter().map(|unit| unit.cause).collect(),
        })
    }

    fn nexts(
        &self,
        keys: usize,
        next: Batch,
        fates: &[Fate],
        timers: &[u64],
    ) -> Result<Vec<(Vec<Cell>, Fate, u64)>, String> {
        if (fates.len(), timers.len()) != (keys, keys) {
            return Err(format!("{} fates and {} timers for {keys} keys", fates.len(), timers.len()));
        }
        let next = check::rows(&self.shape.state, &next, keys)?;
        Ok(next.into_iter().zip(fates).zip(timers).map(|((state, fate), timer)| (state, *fate, *timer)).collect())
    }
}

fn batch_of(fields: &[Field], rows: &[impl AsRef<[Cell]>]) -> Result<Batch, String> {
    table::batch(fields, rows.len(), &table::columns(fields.len(), rows))
}
