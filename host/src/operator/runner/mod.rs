//! Operators that survive their rows: tasks whose poison rows are found and rejected alone. A file a world.

mod aggregate;
mod instances;
mod state;
mod transform;

pub use aggregate::{AggregateRunner, Folded, Retracted};
pub use state::{StateRunner, Updates};
pub use transform::{Outcome, TransformRunner};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use super::instance::{LogLevel, Usage};
use super::verdict::CallError;
use crate::rows::{concat as concat_rows, of_columns};

/// What becomes of rows on which an operator goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Stop at the first: its verdict is all that is needed.
    First,
    /// Find every one.
    Every,
}

/// A message of a guest's log, with its level.
pub type LogLine = (LogLevel, String);

/// What a runner has used and logged, over all its instances.
#[derive(Debug, Default)]
pub struct Meter {
    /// Fuel, memory, calls.
    pub used: Usage,
    /// What the operator logged.
    pub log: Vec<LogLine>,
}

/// An operator of any world at work.
pub trait Runner {
    /// What it has used and logged since the last time; the instance at hand is dropped.
    fn take_meter(&mut self) -> Meter;
}

impl Meter {
    fn add(&mut self, used: Usage, mut log: Vec<LogLine>) {
        self.used.add(used);
        self.log.append(&mut log);
    }
}

/// A verdict reached while an instance was being made is not about any row.
fn about_no_row(error: CallError) -> CallError {
    match error {
        CallError::Verdict(verdict) => CallError::Failure(format!("`configure` {verdict}")),
        other => other,
    }
}

/// The answers of several calls, one after the other.
fn join(schema: &SchemaRef, parts: Vec<RecordBatch>, rows: usize) -> Result<RecordBatch, CallError> {
    if parts.len() == 1 {
        return parts.into_iter().next().ok_or_else(|| CallError::Host("no part".into()));
    }
    if schema.fields().is_empty() {
        return of_columns(schema.clone(), vec![], rows).map_err(|e| CallError::Host(e.to_string()));
    }
    concat_rows(schema, &parts).map_err(|e| CallError::Host(e.to_string()))
}
