//! A transform's task: configure, then its chunks.

use std::marker::PhantomData;
use std::ops::Range;

use super::cell::Cell;
use super::{Answer, Table, check, table};
use crate::bindings::rows::Field;
use crate::chunk::Chunk;
use crate::log::native::capture;
use crate::record::Record;
use crate::transform::{Operator, Shape};
use crate::{Timestamp, set_batch_time};

/// A transform to be run: by a function's name, if an attribute made it an operator.
pub fn transform<O: Operator>() -> Transform<O> {
    Transform { config: "{}".to_owned(), at: Timestamp::default(), chunk: usize::MAX, operator: PhantomData }
}

/// How a transform is to be run. Start with [`transform`].
#[derive(Debug, Clone)]
pub struct Transform<O> {
    config: String,
    at: Timestamp,
    chunk: usize,
    operator: PhantomData<fn() -> O>,
}

impl<O: Operator> Transform<O> {
    /// With a config, as JSON. The default is `{}`.
    pub fn config(mut self, json: impl Into<String>) -> Self {
        self.config = json.into();
        self
    }

    /// In a batch that ends at `time`. The default is the Unix epoch.
    pub fn at(mut self, time: Timestamp) -> Self {
        self.at = time;
        self
    }

    /// With so many rows a call, at least one. The default is all in one call; the answer must be the same.
    pub fn chunk(mut self, rows: usize) -> Self {
        self.chunk = rows.max(1);
        self
    }

    /// Runs it over records.
    ///
    /// # Errors
    /// What the operator fails with, or which of the host's rules its answer breaks.
    pub fn run<'a, R: Record<'a>>(&self, rows: impl IntoIterator<Item = R>) -> Result<Answer, String> {
        self.run_table(&Table::of(rows)?)
    }

    /// Runs it over columns.
    ///
    /// # Errors
    /// What the operator fails with, or which of the host's rules its answer breaks.
    pub fn run_table(&self, input: &Table) -> Result<Answer, String> {
        let (result, log) = capture(|| self.task(input));
        let (table, rejects) = result?;
        Ok(Answer { table, rejects, log })
    }

    fn task(&self, input: &Table) -> Result<(Table, Vec<(usize, String)>), String> {
        let (operator, shape) = O::configure(&self.config, input.fields())?;
        set_batch_time(self.at);
        let mut task = Task::new(&operator, shape, input)?;
        let mut start = 0;
        while start < input.len() {
            let end = start.saturating_add(self.chunk).min(input.len());
            task.call(start..end)?;
            start = end;
        }
        Ok((Table::of_cells(task.fields, task.rows, &task.cells)?, task.rejects))
    }
}

/// One instance at work, and what it has answered so far.
struct Task<'t, O> {
    operator: &'t O,
    shape: Shape,
    reads: Vec<usize>,
    input_fields: &'t [Field],
    input: Vec<Vec<Cell>>,
    fields: Vec<Field>,
    rows: usize,
    cells: Vec<Vec<Cell>>,
    rejects: Vec<(usize, String)>,
}

impl<'t, O: Operator> Task<'t, O> {
    fn new(operator: &'t O, shape: Shape, input: &'t Table) -> Result<Self, String> {
        let field = |&index: &u32| input.fields().get(index as usize).cloned().ok_or(format!("no column {index}"));
        let kept = shape.keeps.iter().map(field).collect::<Result<Vec<_>, _>>()?;
        let fields: Vec<Field> = kept.into_iter().chain(shape.adds.iter().cloned()).collect();
        check::names(&fields, "output columns")?;
        let reads = table::reads(shape.reads.as_deref(), input.fields().len());
        Ok(Self {
            operator,
            shape,
            reads,
            input_fields: input.fields(),
            input: input.cells()?,
            cells: vec![Vec::new(); fields.len()],
            fields,
            rows: 0,
            rejects: Vec::new(),
        })
    }

    fn call(&mut self, rows: Range<usize>) -> Result<(), String> {
        let fields: Vec<Field> = self.reads.iter().map(|&column| self.input_fields[column].clone()).collect();
        let cells: Vec<_> = self.reads.iter().map(|&column| self.input[column][rows.clone()].to_vec()).collect();
        let chunk = Chunk::new(table::batch(&fields, rows.len(), &cells)?)?;
        let emitted = self.operator.apply(&chunk)?;

        let from = check::origin(emitted.origin, rows.len())?;
        let added = check::columns(&self.shape.adds, &emitted.columns, from.len(), chunk.columns())?;
        let kept = self.shape.keeps.iter().map(|&column| {
            from.iter().map(|&row| self.input[column as usize][rows.start + row].clone()).collect::<Vec<_>>()
        });
        for (all, new) in self.cells.iter_mut().zip(kept.chain(added)) {
            all.extend(new);
        }
        self.rows += from.len();
        for reject in emitted.rejects {
            if reject.row as usize >= rows.len() {
                return Err(format!("row {} rejected of {}", reject.row, rows.len()));
            }
            self.rejects.push((rows.start + reject.row as usize, reject.reason));
        }
        Ok(())
    }
}
