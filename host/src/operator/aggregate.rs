//! The world `aggregate`: the rows of a key folded into one.

use std::sync::Arc;

use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use wasmtime::component::{ComponentType, Lift, TypedFunc};

use super::columns::{BatchIn, BatchOut, Lowered, WitField, WitReject, arrow_field, wit_fields};
use super::compiled::Compiled;
use super::instance::{Export, Guest, Limits, LogLevel, Metering, Usage, configured};
use super::lift;
use super::moment::Moment;
use super::transform::{Reject, read_columns, rejects, unique_names};
use super::verdict::{CallError, contract, failure};

#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift)]
#[component(record)]
struct WitShape {
    reads: Option<Vec<u32>>,
    accumulator: Vec<WitField>,
    output: Vec<WitField>,
    retracts: bool,
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
struct WitCreated {
    accumulators: BatchOut,
    rejects: Vec<WitReject>,
}

type Create<'a> = TypedFunc<(&'a [u32], BatchIn<'a>), (Result<WitCreated, String>,)>;
type Merge<'a> = TypedFunc<(&'a [u32], BatchIn<'a>), (Result<BatchOut, String>,)>;
type Retract<'a> = TypedFunc<(BatchIn<'a>, BatchIn<'a>), (Result<(BatchOut, Vec<u8>), String>,)>;
type Finish<'a> = TypedFunc<(BatchIn<'a>,), (Result<BatchOut, String>,)>;

/// The answer to `create`.
#[derive(Debug)]
pub(super) struct Created {
    /// One row for each group.
    pub(super) accumulators: RecordBatch,
    /// Rows not taken, in order.
    pub(super) rejects: Vec<Reject>,
}

/// An aggregate that has been configured for a config and an input schema.
#[derive(Debug, Clone)]
pub struct Aggregate {
    compiled: Arc<Compiled>,
    config: String,
    input: Vec<WitField>,
    shape: WitShape,
    reads: Vec<usize>,
    accumulator: SchemaRef,
    output: SchemaRef,
    limits: Limits,
}

impl Aggregate {
    /// Asks the component for its shape under this config and input, and checks the answer.
    pub fn configure(compiled: Arc<Compiled>, config: &str, input: &Schema, limits: Limits) -> Result<Self, CallError> {
        let fields = wit_fields(input)?;
        let (_, shape) = configured::<WitShape>(&compiled, Metering::Always, limits, Moment::NONE, config, &fields)?;
        let reads = read_columns(shape.reads.as_deref(), input)?;
        let schema = |fields: &[WitField]| Arc::new(Schema::new(fields.iter().map(arrow_field).collect::<Vec<_>>()));
        let (accumulator, output) = (schema(&shape.accumulator), schema(&shape.output));
        unique_names(&accumulator)?;
        unique_names(&output)?;
        let config = config.to_owned();
        Ok(Self { compiled, config, input: fields, shape, reads, accumulator, output, limits })
    }

    /// The columns of an accumulator.
    pub fn accumulator(&self) -> &SchemaRef {
        &self.accumulator
    }

    /// The columns of a result, without the key.
    pub fn output(&self) -> &SchemaRef {
        &self.output
    }

    /// Indices of the input columns that `create` reads.
    pub fn reads(&self) -> &[usize] {
        &self.reads
    }

    /// Whether accumulators can be taken out of a total again.
    pub fn retracts(&self) -> bool {
        self.shape.retracts
    }

    pub(super) fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    /// A fresh instance for one task.
    pub(super) fn task(self: &Arc<Self>, metering: Metering, moment: Moment) -> Result<AggregateTask, CallError> {
        let (mut guest, shape) =
            configured::<WitShape>(&self.compiled, metering, self.limits, moment, &self.config, &self.input)?;
        if shape != self.shape {
            return Err(contract("`configure` answered differently from the time before: it is not a pure function"));
        }
        let interface = self.compiled.interface();
        let create = guest.export(interface, "create")?;
        let merge = guest.export(interface, "merge")?;
        let retract = guest.export(interface, "retract")?;
        let finish = guest.export(interface, "finish")?;
        Ok(AggregateTask { aggregate: self.clone(), guest, create, merge, retract, finish })
    }
}

/// One instance at work on one partition. After an error it must be dropped.
pub(super) struct AggregateTask {
    aggregate: Arc<Aggregate>,
    guest: Guest,
    create: Export,
    merge: Export,
    retract: Export,
    finish: Export,
}

impl AggregateTask {
    /// Folds rows, sorted by group: group g is rows `groups[g] .. groups[g + 1]`. `rows` has just the columns of
    /// [`Aggregate::reads`].
    pub(super) fn create(&mut self, groups: &[u32], rows: &RecordBatch) -> Result<Created, CallError> {
        let a = &self.aggregate;
        let lowered = Lowered::new(rows, &all(rows))?;
        let columns = lowered.columns();
        let create: Create<'_> = self.guest.typed(self.create)?;
        let (answer,) = self.guest.call(create, (groups, lowered.batch(&columns)))?;
        let created = answer.map_err(failure)?;
        Ok(Created {
            accumulators: lift::batch("create", &a.accumulator, created.accumulators, count(groups))?,
            rejects: rejects(created.rejects, rows.num_rows())?,
        })
    }

    /// Merges accumulators, sorted by group, to one for each group.
    pub(super) fn merge(&mut self, groups: &[u32], accumulators: &RecordBatch) -> Result<RecordBatch, CallError> {
        let lowered = Lowered::new(accumulators, &all(accumulators))?;
        let columns = lowered.columns();
        let merge: Merge<'_> = self.guest.typed(self.merge)?;
        let (answer,) = self.guest.call(merge, (groups, lowered.batch(&columns)))?;
        let merged = answer.map_err(failure)?;
        lift::batch("merge", &self.aggregate.accumulator, merged, count(groups))
    }

    /// Takes parts out of totals, row by row: what is left, and which totals are back to nothing.
    pub(super) fn retract(
        &mut self,
        totals: &RecordBatch,
        parts: &RecordBatch,
    ) -> Result<(RecordBatch, BooleanBuffer), CallError> {
        let rows = totals.num_rows();
        let (lowered_totals, lowered_parts) = (Lowered::new(totals, &all(totals))?, Lowered::new(parts, &all(parts))?);
        let (t, p) = (lowered_totals.columns(), lowered_parts.columns());
        let retract: Retract<'_> = self.guest.typed(self.retract)?;
        let (answer,) = self.guest.call(retract, (lowered_totals.batch(&t), lowered_parts.batch(&p)))?;
        let (left, nothing) = answer.map_err(failure)?;
        if nothing.len() != rows.div_ceil(8) {
            return Err(contract(format!(
                "`retract` answered with a bitmap of {} bytes for {rows} totals",
                nothing.len()
            )));
        }
        let left = lift::batch("retract", &self.aggregate.accumulator, left, rows)?;
        Ok((left, BooleanBuffer::new(nothing.into(), 0, rows)))
    }

    /// Accumulators to results, row by row.
    pub(super) fn finish(&mut self, accumulators: &RecordBatch) -> Result<RecordBatch, CallError> {
        let lowered = Lowered::new(accumulators, &all(accumulators))?;
        let columns = lowered.columns();
        let finish: Finish<'_> = self.guest.typed(self.finish)?;
        let (answer,) = self.guest.call(finish, (lowered.batch(&columns),))?;
        let finished = answer.map_err(failure)?;
        lift::batch("finish", &self.aggregate.output, finished, accumulators.num_rows())
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

fn all(batch: &RecordBatch) -> Vec<usize> {
    (0..batch.num_columns()).collect()
}

fn count(groups: &[u32]) -> usize {
    groups.len().saturating_sub(1)
}
