//! An aggregate's life: create in parts, merge, perhaps retract, finish.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use super::cell::Cell;
use super::{Answer, Table, check, table};
use crate::aggregate::fold;
use crate::bindings::aggregate::Shape;
use crate::bindings::rows::Field;
use crate::bitmap::bit;
use crate::chunk::Chunk;
use crate::log::native::capture;
use crate::record::Record;

/// An aggregate to be run.
pub fn aggregate<A: crate::Aggregate + DeserializeOwned>() -> Aggregate<A> {
    Aggregate { config: "{}".to_owned(), part: 2, aggregate: PhantomData }
}

/// How an aggregate is to be run. Start with [`aggregate`].
#[derive(Debug, Clone)]
pub struct Aggregate<A> {
    config: String,
    part: usize,
    aggregate: PhantomData<fn() -> A>,
}

/// A row of cells.
type Row = Vec<Cell>;

impl<A: crate::Aggregate + DeserializeOwned> Aggregate<A> {
    /// With a config, as JSON. The default is `{}`.
    pub fn config(mut self, json: impl Into<String>) -> Self {
        self.config = json.into();
        self
    }

    /// With so many rows of a group in one `create`, at least one; the parts are merged. The default is 2, so that
    /// larger groups need `merge`; the answer must be the same.
    pub fn part(mut self, rows: usize) -> Self {
        self.part = rows.max(1);
        self
    }

    /// Folds groups of records: an output row for each group, but none for one without a row that was taken. Rejects
    /// count rows over all groups.
    ///
    /// # Errors
    /// What the aggregate fails with, or which of the host's rules its answer breaks.
    pub fn run<'a, R: Record<'a>>(
        &self,
        groups: impl IntoIterator<Item: IntoIterator<Item = R>>,
    ) -> Result<Answer, String> {
        let (result, log) = capture(|| {
            let (rows, ends) = flat(groups)?;
            let mut task = Task::<A>::new(&self.config, &rows)?;
            let totals = task.totals(&ends, self.part)?;
            task.answer(&totals.into_iter().flatten().collect::<Vec<_>>())
        });
        let (table, rejects) = result?;
        Ok(Answer { table, rejects, log })
    }

    /// Folds groups of records as a sliding window does: first with the rows that are `gone`, which are then taken out
    /// again. There must be as many groups of both; one of which nothing remains has no output row.
    ///
    /// # Errors
    /// What the aggregate fails with, or which of the host's rules its answer breaks; also that it has no `retract`.
    pub fn run_window<'a, R: Record<'a>>(
        &self,
        gone: impl IntoIterator<Item: IntoIterator<Item = R>>,
        groups: impl IntoIterator<Item: IntoIterator<Item = R>>,
    ) -> Result<Answer, String> {
        let (result, log) = capture(|| {
            let (gone, gone_ends) = flat(gone)?;
            let mut task = Task::<A>::new(&self.config, &gone)?;
            let gone = task.totals(&gone_ends, self.part)?;
            task.rejects.clear();
            let (rows, ends) = flat(groups)?;
            task.input = rows.cells()?;
            let totals = task.totals(&ends, self.part)?;
            let windows = gone.iter().zip(totals).map(|(gone, total)| task.window(gone.as_ref(), total));
            let windows = windows.collect::<Result<Vec<_>, _>>()?;
            task.answer(&windows.into_iter().flatten().collect::<Vec<_>>())
        });
        let (table, rejects) = result?;
        Ok(Answer { table, rejects, log })
    }
}

/// All rows, and where each group ends.
fn flat<'a, R: Record<'a>>(
    groups: impl IntoIterator<Item: IntoIterator<Item = R>>,
) -> Result<(Table, Vec<usize>), String> {
    let (mut rows, mut ends) = (Vec::new(), Vec::new());
    for group in groups {
        rows.extend(group);
        ends.push(rows.len());
    }
    Ok((Table::of(rows)?, ends))
}

/// One instance at work.
struct Task<A> {
    aggregate: A,
    shape: Shape,
    reads: Vec<(Field, usize)>,
    input: Vec<Vec<Cell>>,
    rejects: Vec<(usize, String)>,
}

impl<A: crate::Aggregate + DeserializeOwned> Task<A> {
    fn new(config: &str, input: &Table) -> Result<Self, String> {
        let (aggregate, shape) = fold::configure::<A>(config, input.fields())?;
        let reads = table::reads(shape.reads.as_deref(), input.fields().len()).into_iter();
        let reads = reads.map(|index| (input.fields()[index].clone(), index)).collect();
        Ok(Self { aggregate, shape, reads, input: input.cells()?, rejects: Vec::new() })
    }

    /// The accumulator of each group; none where no row was taken.
    fn totals(&mut self, ends: &[usize], part: usize) -> Result<Vec<Option<Row>>, String> {
        let mut start = 0;
        let mut totals = Vec::new();
        for &end in ends {
            let mut parts = Vec::new();
            while start < end {
                let next = start.saturating_add(part).min(end);
                parts.extend(self.create(start, next)?);
                start = next;
            }
            totals.push(if parts.is_empty() { None } else { Some(self.merge(&parts)?) });
        }
        Ok(totals)
    }

    fn create(&mut self, start: usize, end: usize) -> Result<Option<Row>, String> {
        let rows = end - start;
        let (fields, cells): (Vec<_>, Vec<_>) =
            self.reads.iter().map(|(field, column)| (field.clone(), self.input[*column][start..end].to_vec())).unzip();
        let chunk = Chunk::new(table::batch(&fields, rows, &cells)?)?;
        let created = fold::create(&self.aggregate, &[0, rows as u32], &chunk)?;
        let row = check::rows(&self.shape.accumulator, &created.accumulators, 1)?.into_iter().next();
        let rejected = created.rejects.len();
        self.rejects.extend(created.rejects.into_iter().map(|reject| (start + reject.row as usize, reject.reason)));
        Ok(row.filter(|_| rejected < rows))
    }

    fn merge(&self, parts: &[Row]) -> Result<Row, String> {
        let merged = fold::merge(&self.aggregate, &[0, parts.len() as u32], &self.accumulators(parts)?)?;
        one(check::rows(&self.shape.accumulator, &merged, 1)?)
    }

    /// What remains of a window after the rows that are gone have been in it too.
    fn window(&self, gone: Option<&Row>, total: Option<Row>) -> Result<Option<Row>, String> {
        let Some(gone) = gone else { return Ok(total) };
        let parts: Vec<Row> = std::iter::once(gone.clone()).chain(total).collect();
        let all = self.accumulators(&[self.merge(&parts)?])?;
        let (left, nothing) = fold::retract(&self.aggregate, &all, &self.accumulators(std::slice::from_ref(gone))?)?;
        let left = one(check::rows(&self.shape.accumulator, &left, 1)?)?;
        Ok((!bit(&nothing, 0)).then_some(left))
    }

    fn answer(self, totals: &[Row]) -> Result<(Table, Vec<(usize, String)>), String> {
        let finished = fold::finish(&self.aggregate, &self.accumulators(totals)?)?;
        check::rows(&self.shape.output, &finished, totals.len())?;
        Ok((Table::new(self.shape.output, finished)?, self.rejects))
    }

    fn accumulators(&self, rows: &[Row]) -> Result<Chunk, String> {
        let cells = table::columns(self.shape.accumulator.len(), rows);
        Chunk::new(table::batch(&self.shape.accumulator, rows.len(), &cells)?)
    }
}

fn one(rows: Vec<Row>) -> Result<Row, String> {
    rows.into_iter().next().ok_or_else(|| "no accumulator".to_owned())
}
