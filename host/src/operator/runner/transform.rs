//! A transform at work: its rows are the units that may go wrong.

use std::ops::Range;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;

use super::super::allowance::{Account, Allowance};
use super::super::instance::Metering;
use super::super::isolate::{Attempt, isolate};
use super::super::moment::Moment;
use super::super::transform::{Applied, Reject, Transform};
use super::super::verdict::{CallError, Verdict};
use super::instances::Instances;
use super::{Isolation, Meter, Runner};

/// Rows out and rows rejected of one chunk.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The operator's output, in order.
    pub rows: Vec<RecordBatch>,
    /// In order of the chunk's rows.
    pub rejects: Vec<Reject>,
}

/// A [`Transform`] at work on one partition of one batch.
pub struct TransformRunner {
    instances: Instances<Transform>,
    isolation: Isolation,
}

impl TransformRunner {
    /// Starts work; the instance is made with the first chunk.
    pub fn new(transform: Arc<Transform>, moment: Moment, isolation: Isolation) -> Self {
        Self { instances: Instances::of(transform, moment), isolation }
    }

    /// Uses no more than is allowed.
    pub fn within(mut self, allowance: Option<Arc<Allowance>>) -> Self {
        self.instances.account = Account::with(allowance);
        self
    }

    /// Counts fuel so often.
    pub fn metered(mut self, metering: Metering) -> Self {
        self.instances.metering = metering;
        self
    }

    /// Runs a chunk through the operator.
    pub fn run(&mut self, chunk: &RecordBatch) -> Result<Outcome, CallError> {
        let mut outcome = Outcome::default();
        let first = self.isolation == Isolation::First;
        let mut attempt = Chunk { runner: self, chunk };
        isolate(&mut attempt, 0..chunk.num_rows(), &mut |units, answer: Result<Applied, Verdict>| {
            match answer {
                Ok(applied) => {
                    outcome.rows.push(applied.rows);
                    let moved = applied.rejects.into_iter().map(|r| Reject { row: units.start + r.row, ..r });
                    outcome.rejects.extend(moved);
                }
                Err(verdict) => outcome.rejects.push(Reject::trapped(units.start, verdict)),
            }
            if first && !outcome.rejects.is_empty() { Err(stop()) } else { Ok(()) }
        })
        .or_else(unless_stopped)?;
        Ok(outcome)
    }
}

impl Runner for TransformRunner {
    fn take_meter(&mut self) -> Meter {
        self.instances.take_meter()
    }
}

/// Ends isolation early; never leaves this file.
fn stop() -> CallError {
    CallError::Host(String::new())
}

fn unless_stopped(error: CallError) -> Result<(), CallError> {
    if error == stop() { Ok(()) } else { Err(error) }
}

struct Chunk<'r> {
    runner: &'r mut TransformRunner,
    chunk: &'r RecordBatch,
}

impl Attempt for Chunk<'_> {
    type Answer = Applied;

    fn call(&mut self, units: Range<usize>) -> Result<Applied, CallError> {
        let chunk = self.chunk.slice(units.start, units.len());
        self.runner.instances.call(|task| task.apply(&chunk))
    }

    fn is_fresh(&self) -> bool {
        self.runner.instances.is_fresh()
    }

    fn refresh(&mut self) {
        self.runner.instances.retire();
    }
}
