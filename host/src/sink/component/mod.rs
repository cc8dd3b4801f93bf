//! A component that delivers: the rows of a batch wait in the spool, and at commit are given to it in calls of bounded
//! size, each of which names its rows.
//!
//! Which rows are in which call follows from the rows and `max_rows` alone, so a batch that is committed again, after a
//! crash, is delivered in the same calls. Within one host, a batch that is tried again goes on after the last call that
//! went well. Calls go one after the other, in an instance for each partition and attempt, on the thread that commits: it
//! may block for as long as an answer takes.

mod chunks;
mod granted;

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, anyhow, bail};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use tokio::sync::Mutex as AsyncMutex;

use self::chunks::{Chunks, Encoder};
pub use self::granted::{Granted, sound};
use super::files::encode::json_writer;
use super::spool::{Begun, Part as Spooled, Spool};
use super::{PartWriter, Sink, SinkError, Staged};
use crate::operator::{
    CallError, Components, Digest, Http, Limits, LogLevel, Moment, NotDelivered, Part, Reference, Reject, SinkOperator,
    SinkTask, Usage, World,
};
use crate::pipeline::{OnSinkReject, SinkSpec};
use crate::time::BatchTime;

/// A sink's component, resolved to its digest and configured for the rows that it will get.
#[derive(Debug)]
pub struct SinkComponent {
    pipeline: String,
    sink: String,
    reference: Reference,
    digest: Digest,
    operator: SinkOperator,
    max_rows: NonZeroUsize,
    on_reject: OnSinkReject,
}

impl SinkComponent {
    /// The component of a pipeline's sink, if it is one; `input` are the columns of its rows. Blocks while it compiles.
    pub fn of(
        pipeline: &str,
        name: &str,
        spec: &SinkSpec,
        input: &Schema,
        components: &Components,
    ) -> Result<Option<Self>> {
        let SinkSpec::Component { component, .. } = spec else { return Ok(None) };
        let reference: Reference = component.parse()?;
        let digest = components.registry().resolve(&reference)?;
        Self::with(pipeline, name, spec, reference, digest, input, components).map(Some)
    }

    /// The same with this component in the place of the one that the pipeline names; `reference` is what people call it.
    pub fn with(
        pipeline: &str,
        name: &str,
        spec: &SinkSpec,
        reference: Reference,
        digest: Digest,
        input: &Schema,
        components: &Components,
    ) -> Result<Self> {
        let SinkSpec::Component { config, max_rows, on_reject, limits, .. } = spec else {
            bail!("a sink of the type `{}` is no component", spec.kind())
        };
        let compiled = components.get(digest)?;
        let named = named(&reference, digest);
        let world = compiled.world();
        if world != World::Sink {
            bail!(
                "{named} is a component of the world `{world}`, not `sink`: it fits an operator with `{world} = \
                 \"{reference}\"`"
            );
        }
        let config = serde_json::to_string(&config.clone().unwrap_or_default())?;
        let limits = Limits { memory: limits.memory, fuel: limits.fuel, output: limits.output };
        let operator =
            SinkOperator::configure(compiled, &config, input, limits).map_err(|error| anyhow!("{named} {error}"))?;
        let (pipeline, sink) = (pipeline.to_owned(), name.to_owned());
        let (max_rows, on_reject) = (*max_rows, *on_reject);
        Ok(Self { pipeline, sink, reference, digest, operator, max_rows, on_reject })
    }

    fn named(&self) -> String {
        named(&self.reference, self.digest)
    }
}

fn named(reference: &Reference, digest: Digest) -> String {
    format!("{reference} ({})", digest.short())
}

/// What one component has staged of a batch, and how far it has delivered it.
#[derive(Debug)]
pub struct Undelivered {
    begun: Arc<AsyncMutex<Begun>>,
    columns: SchemaRef,
}

/// What a sink's component has done so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    /// Rows that it was given in calls that went well.
    pub rows: u64,
    /// Those of them that it rejected.
    pub rejected: u64,
    /// What its instances used.
    pub used: Usage,
}

/// Gives each batch to a component.
#[derive(Debug)]
pub struct ComponentSink {
    component: SinkComponent,
    http: Arc<dyn Http>,
    spool: Arc<Spool>,
    tally: Mutex<Tally>,
}

impl ComponentSink {
    /// Rows wait in `spool`; what the component sends goes through `http`.
    pub(super) fn new(component: SinkComponent, http: Arc<dyn Http>, spool: Spool) -> Self {
        Self { component, http, spool: Arc::new(spool), tally: Mutex::default() }
    }

    /// What was done so far.
    pub fn tally(&self) -> Tally {
        *self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deliver(&self, batch: BatchTime, begun: &mut Begun) -> Result<(), SinkError> {
        let reading = || format!("reading what was staged of batch {batch}");
        let size = self.component.max_rows.get();
        let Begun { parts, count, sent, .. } = begun;
        let partitions = number(*count)?;
        let mut call = 0;
        for (&partition, rows) in parts {
            let mut task = None;
            let mut chunks = Chunks::of(rows.read().with_context(reading)?, size).with_context(reading)?;
            let mut first_row = 0;
            while let Some(rows) = chunks.next().with_context(reading)? {
                let rows = read(rows, self.component.operator.columns()).with_context(reading)?;
                if call == *sent {
                    let part = Part {
                        pipeline: &self.component.pipeline,
                        sink: &self.component.sink,
                        batch,
                        partition: number(partition)?,
                        partitions,
                        first_row,
                        last_row: first_row + (rows.num_rows() as u64).saturating_sub(1),
                    };
                    self.write(&mut task, part, &rows)?;
                    *sent += 1;
                }
                call += 1;
                first_row += rows.num_rows() as u64;
            }
        }
        Ok(())
    }

    /// One call, in the partition's instance, which the first one makes.
    fn write(&self, task: &mut Option<SinkTask>, part: Part<'_>, rows: &RecordBatch) -> Result<(), SinkError> {
        let failed = |error: CallError| failed(part, &error);
        let before = task.as_ref().map(SinkTask::used).unwrap_or_default();
        let task = match task {
            Some(task) => task,
            None => task.insert(self.component.operator.task(moment(part), self.http.clone()).map_err(failed)?),
        };
        let written = task.write(part, rows);
        self.log(task.take_log());
        self.count(|tally| tally.used.add(since(before, task.used())));
        let rejects = match written {
            Ok(rejects) => rejects,
            Err(NotDelivered::Retry(reason)) => return Err(SinkError::unavailable(reason)),
            Err(NotDelivered::Fatal(error)) => return Err(failed(error)),
        };
        self.rejected(part, rows, &rejects)?;
        self.count(|tally| {
            tally.rows += rows.num_rows() as u64;
            tally.rejected += rejects.len() as u64;
        });
        Ok(())
    }

    /// Deals with rows that the component does not take, by the sink's policy.
    fn rejected(&self, part: Part<'_>, rows: &RecordBatch, rejects: &[Reject]) -> Result<(), SinkError> {
        let Some(first) = rejects.first() else { return Ok(()) };
        let sink = part.sink;
        match self.component.on_reject {
            OnSinkReject::Fail => Err(SinkError::Fatal(anyhow!(
                "the component does not take a row: {}\n  the row: {}\n  To go on without such rows, set `on_reject` of \
                 [sinks.{sink}] to \"skip\".",
                first.reason,
                shown(rows, first.row)
            ))),
            OnSinkReject::Skip => {
                let (batch, rejected, reason) = (part.batch, rejects.len(), &first.reason);
                let row = shown(rows, first.row);
                tracing::warn!(sink, %batch, rejected, reason, row, "rows that the sink does not take are left out");
                Ok(())
            }
        }
    }

    /// Passes on what the component logged.
    fn log(&self, lines: Vec<(LogLevel, String)>) {
        let sink = &self.component.sink;
        for (level, message) in lines {
            match level {
                LogLevel::Debug => tracing::debug!(sink, "{message}"),
                LogLevel::Info => tracing::info!(sink, "{message}"),
                LogLevel::Warn => tracing::warn!(sink, "{message}"),
                LogLevel::Error => tracing::error!(sink, "{message}"),
            }
        }
    }

    fn count(&self, change: impl FnOnce(&mut Tally)) {
        change(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The moment of the partition that a part is of.
fn moment(part: Part<'_>) -> Moment {
    Moment::of(part.batch, &[part.pipeline.as_bytes(), part.sink.as_bytes(), &part.partition.to_le_bytes()])
}

fn failed(part: Part<'_>, error: &CallError) -> SinkError {
    let Part { sink, partition, first_row, last_row, .. } = part;
    SinkError::Fatal(anyhow!(
        "rows {first_row} to {last_row} of partition {partition}: the component {error}\n  A live run delivers the batch \
         again when it is started again: mend what is told here, or name a version in `component` of [sinks.{sink}] that \
         does it."
    ))
}

/// The columns that the component reads, where others were staged by the one that was in its place.
fn read(rows: RecordBatch, columns: &SchemaRef) -> Result<RecordBatch> {
    let staged = rows.schema();
    if staged.fields() == columns.fields() {
        return Ok(rows);
    }
    Ok(rows.project(&places(columns, &staged)?)?)
}

/// Where the columns are among those that were staged.
fn places(columns: &Schema, staged: &Schema) -> Result<Vec<usize>> {
    columns.fields().iter().map(|field| Ok(staged.index_of(field.name())?)).collect()
}

/// What was used after `before`.
fn since(before: Usage, now: Usage) -> Usage {
    Usage {
        fuel: now.fuel - before.fuel,
        peak_memory: now.peak_memory,
        calls: now.calls - before.calls,
        time: now.time.saturating_sub(before.time),
    }
}

/// A partition, as components count them.
fn number(partition: usize) -> Result<u32> {
    u32::try_from(partition).context("more partitions than a component can count")
}

/// A row, for people.
fn shown(rows: &RecordBatch, row: usize) -> String {
    let mut line = json_writer(Vec::new());
    let written = line.write(&rows.slice(row, 1)).ok().and_then(|()| String::from_utf8(line.into_inner()).ok());
    written.map_or_else(|| "<it cannot be shown as JSON>".to_owned(), |line| line.trim_end().to_owned())
}

#[async_trait]
impl Sink for ComponentSink {
    async fn begin(&self, batch: BatchTime) -> Result<(), SinkError> {
        self.spool.begin(batch);
        Ok(())
    }

    async fn stage(&self, batch: BatchTime, part: usize) -> Result<Box<dyn PartWriter>, SinkError> {
        let operator = &self.component.operator;
        Ok(Box::new(ComponentPart {
            batch,
            number: part,
            reads: operator.reads().to_vec(),
            encoder: Encoder::new(operator.columns())?,
            rows: self.spool.part(),
            spool: self.spool.clone(),
        }))
    }

    async fn commit(&self, batch: BatchTime) -> Result<(), SinkError> {
        let Some(begun) = self.spool.begun(batch) else { return Ok(()) };
        let delivered = self.deliver(batch, &mut *begun.lock().await);
        delivered
            .map_err(|error| error.context(format!("delivering batch {batch} with {}", self.component.named())))?;
        self.spool.committed(batch);
        Ok(())
    }

    fn undelivered(&self, batch: BatchTime) -> Option<Undelivered> {
        Some(Undelivered { begun: self.spool.begun(batch)?, columns: self.component.operator.columns().clone() })
    }

    fn take_over(&self, batch: BatchTime, Undelivered { begun, columns }: Undelivered) -> bool {
        let can = places(self.component.operator.columns(), &columns).is_ok();
        if can {
            self.spool.share(batch, begun);
        }
        can
    }
}

/// Stages the columns of a part that the component reads.
struct ComponentPart {
    batch: BatchTime,
    number: usize,
    reads: Vec<usize>,
    encoder: Encoder,
    rows: Spooled,
    spool: Arc<Spool>,
}

#[async_trait]
impl PartWriter for ComponentPart {
    async fn write(&mut self, rows: RecordBatch) -> Result<(), SinkError> {
        let read = rows.project(&self.reads).context("staging rows")?;
        Ok(self.encoder.write(&mut self.rows, &read)?)
    }

    async fn finish(mut self: Box<Self>) -> Result<Staged, SinkError> {
        self.encoder.finish(&mut self.rows)?;
        Ok(self.spool.keep(self.batch, self.number, self.rows).await?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test should say where")]

    use arrow::array::{ArrayRef, AsArray, Int64Array};
    use arrow::datatypes::{DataType, Field, Int64Type};

    use super::*;

    #[test]
    fn given_rows_staged_by_another_component_when_read_then_columns_are_found_by_name_or_are_not_there() {
        let column = |n: i64| Arc::new(Int64Array::from(vec![n])) as ArrayRef;
        let staged = RecordBatch::try_from_iter([("a", column(1)), ("b", column(2)), ("c", column(3))]).unwrap();
        let columns = |names: &[&str]| {
            let fields: Vec<_> = names.iter().map(|name| Field::new(*name, DataType::Int64, false)).collect();
            Arc::new(Schema::new(fields))
        };
        for (names, values) in [(&["a", "b", "c"][..], &[1, 2, 3][..]), (&["c", "a"], &[3, 1]), (&[], &[])] {
            let read = read(staged.clone(), &columns(names)).unwrap();
            let found: Vec<i64> = read.columns().iter().map(|c| c.as_primitive::<Int64Type>().value(0)).collect();
            assert_eq!((found.as_slice(), read.num_rows()), (values, 1), "{names:?}");
        }
        assert!(places(&columns(&["a", "d"]), &staged.schema()).is_err());
    }
}
