//! The world `transform`: rows in, rows out.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use wasmtime::component::{ComponentType, Lift, TypedFunc};

use super::columns::{BatchIn, ColumnOut, Lowered, WitField, WitReject, arrow_field, wit_fields};
use super::compiled::Compiled;
use super::instance::{Export, Guest, Limits, LogLevel, Metering, Usage, configured};
use super::lift::{self, Cuttable};
use super::moment::Moment;
use super::verdict::{CallError, Verdict, bounded, contract, failure};
use crate::rows::{ColumnType, of_columns};
use crate::units::Size;

#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift)]
#[component(record)]
struct WitShape {
    reads: Option<Vec<u32>>,
    keeps: Vec<u32>,
    adds: Vec<WitField>,
}

#[derive(Debug, ComponentType, Lift)]
#[component(variant)]
enum WitOrigin {
    #[component(name = "same")]
    Same,
    #[component(name = "from")]
    From(Vec<u32>),
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
struct WitEmitted {
    origin: WitOrigin,
    columns: Vec<ColumnOut>,
    rejects: Vec<WitReject>,
}

type Apply<'a> = TypedFunc<(u64, BatchIn<'a>), (Result<WitEmitted, String>,)>;

/// A row of a call that the operator does not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// The row's index in the rows of the call.
    pub row: usize,
    /// Why.
    pub reason: String,
    /// Whether the operator went wrong on it, and did not say itself that it does not take it.
    pub trapped: bool,
}

impl Reject {
    /// A row that somebody knows why not to take.
    pub fn refused(row: usize, reason: String) -> Self {
        Self { row, reason, trapped: false }
    }

    /// A row on which the operator went wrong.
    pub(super) fn trapped(row: usize, verdict: impl ToString) -> Self {
        Self { row, reason: verdict.to_string(), trapped: true }
    }
}

/// The answer to one chunk.
#[derive(Debug)]
pub(super) struct Applied {
    /// Columns kept, then columns added.
    pub(super) rows: RecordBatch,
    /// Rows not taken, in order.
    pub(super) rejects: Vec<Reject>,
}

/// A transform that has been configured for a config and an input schema: fully typed, ready to make tasks.
#[derive(Debug, Clone)]
pub struct Transform {
    compiled: Arc<Compiled>,
    config: String,
    input: Vec<WitField>,
    types: Vec<ColumnType>,
    shape: WitShape,
    reads: Vec<usize>,
    keeps: Vec<usize>,
    adds: Vec<Arc<Field>>,
    output: SchemaRef,
    limits: Limits,
}

impl Transform {
    /// Asks the component for its shape under this config and input, and checks the answer.
    pub fn configure(compiled: Arc<Compiled>, config: &str, input: &Schema, limits: Limits) -> Result<Self, CallError> {
        let fields = wit_fields(input)?;
        let (_, shape) = configured::<WitShape>(&compiled, Metering::Always, limits, Moment::NONE, config, &fields)?;
        let reads = read_columns(shape.reads.as_deref(), input)?;
        let keeps = indices("keeps", &shape.keeps, input)?;
        let adds: Vec<Arc<Field>> = shape.adds.iter().map(|f| Arc::new(arrow_field(f))).collect();
        let kept = keeps.iter().map(|&i| Arc::new(input.field(i).clone()));
        let output = Arc::new(Schema::new(kept.chain(adds.iter().cloned()).collect::<Vec<_>>()));
        unique_names(&output)?;
        let types = reads.iter().map(|&i| fields[i].data_type.into()).collect();
        let config = config.to_owned();
        Ok(Self { compiled, config, input: fields, types, shape, reads, keeps, adds, output, limits })
    }

    /// The columns of its output.
    pub fn output(&self) -> &SchemaRef {
        &self.output
    }

    pub(super) fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    /// A fresh instance for one task.
    pub(super) fn task(self: &Arc<Self>, metering: Metering, moment: Moment) -> Result<TransformTask, CallError> {
        let (mut guest, shape) =
            configured::<WitShape>(&self.compiled, metering, self.limits, moment, &self.config, &self.input)?;
        if shape != self.shape {
            return Err(contract("`configure` answered differently from the time before: it is not a pure function"));
        }
        let apply = guest.export(self.compiled.interface(), "apply")?;
        Ok(TransformTask { transform: self.clone(), guest, apply, moment })
    }
}

/// One instance at work on one partition.
pub(super) struct TransformTask {
    transform: Arc<Transform>,
    guest: Guest,
    apply: Export,
    moment: Moment,
}

impl TransformTask {
    /// Runs a chunk through the operator. After an error the task must be dropped.
    pub(super) fn apply(&mut self, chunk: &RecordBatch) -> Result<Applied, CallError> {
        let t = &self.transform;
        let lowered = Lowered::new(chunk, &t.reads)?;
        let columns = lowered.columns();
        let apply: Apply<'_> = self.guest.typed(self.apply)?;
        let (answer,) = self.guest.call(apply, (self.moment.batch_time().as_millis(), lowered.batch(&columns)))?;
        let emitted = answer.map_err(failure)?;
        let rejects = rejects(emitted.rejects, chunk.num_rows())?;
        let origin = match emitted.origin {
            WitOrigin::Same => None,
            WitOrigin::From(from) => Some(origin(from, chunk.num_rows())?),
        };
        let rows = origin.as_ref().map_or(chunk.num_rows(), |from| from.len());
        let input = Cuttable { columns: &lowered, types: &t.types, limit: t.limits.output };
        let added = lift::columns("apply", &t.adds, emitted.columns, rows, Some(&input))?;
        let mut arrays = Vec::with_capacity(t.keeps.len() + added.len());
        for &i in &t.keeps {
            arrays.push(carry(chunk.column(i), origin.as_ref(), t.limits.output)?);
        }
        arrays.extend(added);
        let rows = of_columns(t.output.clone(), arrays, rows).map_err(|e| contract(e.to_string()))?;
        Ok(Applied { rows, rejects })
    }

    /// What the instance has used so far.
    pub(super) fn used(&self) -> Usage {
        self.guest.used()
    }

    /// Takes the operator's log lines since the last time.
    pub(super) fn take_log(&mut self) -> Vec<(LogLevel, String)> {
        self.guest.take_log()
    }
}

/// A column that is kept, with the rows that the answer has of it.
pub(super) fn carry(column: &ArrayRef, origin: Option<&UInt32Array>, limit: Size) -> Result<ArrayRef, CallError> {
    let Some(from) = origin else { return Ok(column.clone()) };
    take(column, from, None).map_err(|error| match error {
        // A few rows, answered with many times over.
        ArrowError::OffsetOverflowError(_) => Verdict::Output { limit }.into(),
        error => CallError::Host(error.to_string()),
    })
}

pub(super) fn origin(from: Vec<u32>, rows: usize) -> Result<UInt32Array, CallError> {
    if !from.is_sorted()
        && let Some(i) = from.windows(2).position(|w| w[1] < w[0])
    {
        return Err(contract(format!(
            "`apply`: origin decreases from {} to {} at output row {}",
            from[i],
            from[i + 1],
            i + 1
        )));
    }
    match from.last() {
        Some(&last) if last as usize >= rows => {
            Err(contract(format!("`apply`: an output row comes from row {last} of a chunk of {rows}")))
        }
        _ => Ok(UInt32Array::from(from)),
    }
}

/// Checks rejects and puts them in order; each row at most once.
pub(super) fn rejects(rejects: Vec<WitReject>, rows: usize) -> Result<Vec<Reject>, CallError> {
    let mut seen = HashSet::new();
    let mut out = Vec::with_capacity(rejects.len());
    for WitReject { row, reason } in rejects {
        if row as usize >= rows {
            return Err(contract(format!("row {row} rejected of a chunk of {rows} rows")));
        }
        if !seen.insert(row) {
            return Err(contract(format!("row {row} rejected twice")));
        }
        out.push(Reject::refused(row as usize, bounded(reason)));
    }
    out.sort_by_key(|r| r.row);
    Ok(out)
}

/// The columns that cross; none named means all.
pub(super) fn read_columns(reads: Option<&[u32]>, input: &Schema) -> Result<Vec<usize>, CallError> {
    match reads {
        None => Ok((0..input.fields().len()).collect()),
        Some(reads) => indices("reads", reads, input),
    }
}

fn indices(what: &str, indices: &[u32], input: &Schema) -> Result<Vec<usize>, CallError> {
    let columns = input.fields().len();
    indices
        .iter()
        .map(|&i| {
            let i = i as usize;
            if i < columns {
                Ok(i)
            } else {
                Err(contract(format!("`configure` {what} column {i} of an input of {columns} columns")))
            }
        })
        .collect()
}

pub(super) fn unique_names(schema: &Schema) -> Result<(), CallError> {
    let mut seen = HashSet::new();
    for field in schema.fields() {
        if !seen.insert(field.name()) {
            return Err(contract(format!("`configure` answers with two columns named `{}`", field.name())));
        }
        if field.name().is_empty() || field.name().starts_with("__") {
            return Err(contract(format!(
                "`configure` answers with a column named `{}`; names must not be empty or begin with `__`",
                field.name()
            )));
        }
    }
    Ok(())
}
