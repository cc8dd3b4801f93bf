//! A transform at work: its rows are the units that may go wrong.

use std::ops::Range;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;

use super::super::allowance::{Account, Allowance};
use super::super::isolate::{Attempt, isolate};
use super::super::moment::Moment;
use super::super::transform::{Applied, Reject, Transform, TransformTask};
use super::super::verdict::{CallError, Verdict};
use super::{Isolation, Meter, about_no_row};

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
    transform: Arc<Transform>,
    moment: Moment,
    isolation: Isolation,
    task: Option<(TransformTask, bool)>,
    meter: Meter,
    account: Account,
}

impl TransformRunner {
    /// Starts work; the instance is made with the first chunk.
    pub fn new(transform: Arc<Transform>, moment: Moment, isolation: Isolation) -> Self {
        Self { transform, moment, isolation, task: None, meter: Meter::default(), account: Account::default() }
    }

    /// Uses no more than is allowed.
    pub fn within(mut self, allowance: Option<Arc<Allowance>>) -> Self {
        self.account = Account::with(allowance);
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

    /// Ends the work.
    pub fn finish(mut self) -> Meter {
        self.retire();
        self.meter
    }

    fn retire(&mut self) {
        if let Some((mut task, _)) = self.task.take() {
            self.meter.add(task.used(), task.take_log());
        }
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
        let runner = &mut *self.runner;
        let now = runner.task.as_ref().map_or(0, |(task, _)| task.used().fuel);
        runner.account.check(runner.meter.used.fuel + now)?;
        let (mut task, _) = match runner.task.take() {
            Some(task) => task,
            None => (runner.transform.task(runner.moment).map_err(about_no_row)?, false),
        };
        let answer = task.apply(&self.chunk.slice(units.start, units.len()));
        runner.task = Some((task, true));
        answer
    }

    fn is_fresh(&self) -> bool {
        !self.runner.task.as_ref().is_some_and(|(_, called)| *called)
    }

    fn refresh(&mut self) {
        self.runner.retire();
    }
}
