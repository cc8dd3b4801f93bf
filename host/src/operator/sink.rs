//! The world `sink`: rows to the outside, through what is granted.
//!
//! Unlike the other worlds it is no pure function: what it answers may hang on who answers it. So nothing that it answers
//! becomes rows, and its instances are made only when a batch is committed.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use wasmtime::component::{ComponentType, Lift, Lower, TypedFunc};

use super::columns::{BatchIn, Lowered, WitField, WitReject, wit_fields};
use super::compiled::Compiled;
use super::http::Http;
use super::instance::{Export, Guest, Limits, LogLevel, Metering, Usage, configured};
use super::moment::Moment;
use super::transform::{Reject, read_columns, rejects};
use super::verdict::{CallError, bounded, contract};
use crate::time::BatchTime;

#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift)]
#[component(record)]
struct WitShape {
    reads: Option<Vec<u32>>,
}

#[derive(Debug, Clone, Copy, ComponentType, Lower)]
#[component(record)]
struct WitPart<'a> {
    pipeline: &'a str,
    sink: &'a str,
    #[component(name = "batch-time")]
    batch_time: u64,
    partition: u32,
    partitions: u32,
    #[component(name = "first-row")]
    first_row: u64,
    #[component(name = "last-row")]
    last_row: u64,
}

#[derive(Debug, ComponentType, Lift)]
#[component(variant)]
enum WitFailure {
    #[component(name = "retry")]
    Retry(String),
    #[component(name = "fatal")]
    Fatal(String),
}

type Write<'a> = TypedFunc<(WitPart<'a>, BatchIn<'a>), (Result<Vec<WitReject>, WitFailure>,)>;

/// Which rows a call has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part<'a> {
    /// The pipeline that they are of.
    pub pipeline: &'a str,
    /// The sink that they are for.
    pub sink: &'a str,
    /// Their batch.
    pub batch: BatchTime,
    /// Their partition, from 0.
    pub partition: u32,
    /// How many partitions the batch has.
    pub partitions: u32,
    /// The first one's index in the partition.
    pub first_row: u64,
    /// The last one's.
    pub last_row: u64,
}

/// Why rows were not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotDelivered {
    /// The same call may go well later.
    Retry(String),
    /// It will not, or not for all one knows.
    Fatal(CallError),
}

impl From<CallError> for NotDelivered {
    fn from(error: CallError) -> Self {
        Self::Fatal(error)
    }
}

/// A sink that has been configured for a config and an input schema: ready to make tasks.
#[derive(Debug)]
pub struct SinkOperator {
    compiled: Arc<Compiled>,
    config: String,
    input: Vec<WitField>,
    shape: WitShape,
    reads: Vec<usize>,
    columns: SchemaRef,
    limits: Limits,
}

impl SinkOperator {
    /// Asks the component whether it takes this config and input, and what it reads.
    pub fn configure(compiled: Arc<Compiled>, config: &str, input: &Schema, limits: Limits) -> Result<Self, CallError> {
        let fields = wit_fields(input)?;
        let (_, shape) = configured::<WitShape>(&compiled, Metering::Always, limits, Moment::NONE, config, &fields)?;
        let reads = read_columns(shape.reads.as_deref(), input)?;
        let columns = input.project(&reads).map_err(|e| CallError::Host(e.to_string()))?;
        let (config, columns) = (config.to_owned(), Arc::new(columns));
        Ok(Self { compiled, config, input: fields, shape, reads, columns, limits })
    }

    /// Indices of the input's columns that it reads, in this order.
    pub fn reads(&self) -> &[usize] {
        &self.reads
    }

    /// These columns.
    pub fn columns(&self) -> &SchemaRef {
        &self.columns
    }

    /// A fresh instance for one partition, which sends through `http`.
    pub fn task(&self, moment: Moment, http: Arc<dyn Http>) -> Result<SinkTask, CallError> {
        let (mut guest, shape) =
            configured::<WitShape>(&self.compiled, Metering::Always, self.limits, moment, &self.config, &self.input)?;
        if shape != self.shape {
            return Err(contract("`configure` answered differently from the time before"));
        }
        let write = guest.export(self.compiled.interface(), "write")?;
        guest.grant(http);
        Ok(SinkTask { guest, write })
    }
}

/// One instance at work on one partition. Its calls block for as long as what they send takes.
pub struct SinkTask {
    guest: Guest,
    write: Export,
}

impl SinkTask {
    /// Delivers rows of the columns that the sink reads; answers with those that it does not take. After a fatal error the
    /// task must be dropped.
    pub fn write(&mut self, part: Part<'_>, rows: &RecordBatch) -> Result<Vec<Reject>, NotDelivered> {
        let Part { pipeline, sink, batch, partition, partitions, first_row, last_row } = part;
        let batch_time = batch.as_millis();
        let part = WitPart { pipeline, sink, batch_time, partition, partitions, first_row, last_row };
        let all: Vec<usize> = (0..rows.num_columns()).collect();
        let lowered = Lowered::new(rows, &all)?;
        let columns = lowered.columns();
        let write: Write<'_> = self.guest.typed(self.write)?;
        match self.guest.call(write, (part, lowered.batch(&columns)))?.0 {
            Ok(rejected) => Ok(rejects(rejected, rows.num_rows())?),
            Err(WitFailure::Retry(text)) => Err(NotDelivered::Retry(bounded(text))),
            Err(WitFailure::Fatal(text)) => Err(CallError::Failure(bounded(text)).into()),
        }
    }

    /// What the instance has used so far.
    pub fn used(&self) -> Usage {
        self.guest.used()
    }

    /// Takes the operator's log lines since the last time.
    pub fn take_log(&mut self) -> Vec<(LogLevel, String)> {
        self.guest.take_log()
    }
}
