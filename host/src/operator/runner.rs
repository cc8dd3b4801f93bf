//! Operators that survive their rows: tasks whose poison rows are found and rejected alone.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::UInt32Array;

use arrow::record_batch::RecordBatch;

use super::aggregate::{Aggregate, AggregateTask};
use super::instance::{CallError, LogLevel, Usage, Verdict};
use super::isolate::{Attempt, isolate};
use super::transform::{Applied, Reject, Transform, TransformTask};
use crate::rows::{concat as concat_rows, of_columns, take as take_rows};
use crate::time::BatchTime;

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
    batch: BatchTime,
    isolation: Isolation,
    task: Option<(TransformTask, bool)>,
    meter: Meter,
}

impl TransformRunner {
    /// Starts work; the instance is made with the first chunk.
    pub fn new(transform: Arc<Transform>, batch: BatchTime, isolation: Isolation) -> Self {
        Self { transform, batch, isolation, task: None, meter: Meter::default() }
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
                Err(verdict) => outcome.rejects.push(Reject { row: units.start, reason: verdict.to_string() }),
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
        let (mut task, _) = match runner.task.take() {
            Some(task) => task,
            None => (runner.transform.task(runner.batch).map_err(about_no_row)?, false),
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

/// What a fold gave, group by group.
#[derive(Debug)]
pub struct Folded {
    /// A row for each group that survived.
    pub rows: RecordBatch,
    /// Which groups survived, in order; row i of `rows` is group `groups[i]`.
    pub groups: Vec<usize>,
    /// From `create`: rows not taken. From `merge` and `finish`: groups lost, by their index.
    pub rejects: Vec<Reject>,
}

/// An [`Aggregate`] at work on one partition of one batch.
pub struct AggregateRunner {
    aggregate: Arc<Aggregate>,
    task: Option<(AggregateTask, bool)>,
    meter: Meter,
}

#[derive(Clone, Copy)]
enum Fold {
    Create,
    Merge,
    Finish,
}

impl AggregateRunner {
    /// Starts work; the instance is made with the first call.
    pub fn new(aggregate: Arc<Aggregate>) -> Self {
        Self { aggregate, task: None, meter: Meter::default() }
    }

    /// Folds rows, sorted by group: group g is rows `groups[g] .. groups[g + 1]`. `rows` has just the columns of
    /// [`Aggregate::reads`].
    pub fn create(&mut self, groups: &[u32], rows: &RecordBatch) -> Result<Folded, CallError> {
        self.fold(Fold::Create, groups, rows)
    }

    /// Merges accumulators, sorted by group.
    pub fn merge(&mut self, groups: &[u32], accumulators: &RecordBatch) -> Result<Folded, CallError> {
        self.fold(Fold::Merge, groups, accumulators)
    }

    /// Accumulators to results, row by row.
    pub fn finish(&mut self, accumulators: &RecordBatch) -> Result<Folded, CallError> {
        let groups: Vec<u32> = (0..=accumulators.num_rows() as u32).collect();
        self.fold(Fold::Finish, &groups, accumulators)
    }

    fn fold(&mut self, fold: Fold, groups: &[u32], rows: &RecordBatch) -> Result<Folded, CallError> {
        let mut parts = Vec::new();
        let mut survivors = Vec::new();
        let mut rejects = Vec::new();
        let mut broken = Vec::new();
        let count = groups.len().saturating_sub(1);
        let mut attempt = Groups { runner: self, fold, groups, rows };
        isolate(&mut attempt, 0..count, &mut |units, answer: Result<Part, Verdict>| {
            match answer {
                Ok(part) => {
                    survivors.extend(part.survivors.iter().map(|g| units.start + g));
                    parts.push((units.start, part.rows));
                    rejects.extend(part.rejects);
                }
                Err(verdict) => broken.push((units.start, verdict)),
            }
            Ok(())
        })?;
        for (group, verdict) in broken {
            match fold {
                Fold::Create => {
                    let rows_of_group = groups[group] as usize..groups[group + 1] as usize;
                    if let Some(part) = self.rescue(rows, rows_of_group, verdict, &mut rejects)? {
                        let at = survivors.partition_point(|&g| g < group);
                        survivors.insert(at, group);
                        parts.push((group, part));
                    }
                }
                Fold::Merge | Fold::Finish => rejects.push(Reject { row: group, reason: verdict.to_string() }),
            }
        }
        parts.sort_by_key(|(start, _)| *start);
        rejects.sort_by_key(|r| r.row);
        let schema = match fold {
            Fold::Create | Fold::Merge => self.aggregate.accumulator(),
            Fold::Finish => self.aggregate.output(),
        };
        let rows = join(schema, parts.into_iter().map(|(_, rows)| rows).collect(), survivors.len())?;
        Ok(Folded { rows, groups: survivors, rejects })
    }

    /// A group went wrong as a whole: rejects the rows that go wrong alone and folds the others. What still goes wrong
    /// then is rejected together.
    fn rescue(
        &mut self,
        rows: &RecordBatch,
        group: Range<usize>,
        verdict: Verdict,
        rejects: &mut Vec<Reject>,
    ) -> Result<Option<RecordBatch>, CallError> {
        let mut poison = Vec::new();
        if group.len() == 1 {
            rejects.push(Reject { row: group.start, reason: verdict.to_string() });
            return Ok(None);
        }
        let mut one_group = OneGroup { runner: self, rows };
        isolate(&mut one_group, group.clone(), &mut |units, answer: Result<(), Verdict>| {
            if let Err(verdict) = answer {
                poison.push(Reject { row: units.start, reason: verdict.to_string() });
            }
            Ok(())
        })?;
        let healthy: Vec<usize> = group.filter(|row| poison.binary_search_by_key(row, |p| p.row).is_err()).collect();
        rejects.append(&mut poison);
        if healthy.is_empty() {
            return Ok(None);
        }
        let indices = UInt32Array::from_iter_values(healthy.iter().map(|&r| r as u32));
        let left = take_rows(rows, &indices).map_err(|e| CallError::Host(e.to_string()))?;
        self.retire();
        let answer = self.task().and_then(|task| task.create(&[0, left.num_rows() as u32], &left));
        match answer {
            Ok(created) => {
                let all_rejected = created.rejects.len() == left.num_rows();
                rejects.extend(created.rejects.into_iter().map(|r| Reject { row: healthy[r.row], ..r }));
                Ok((!all_rejected).then_some(created.accumulators))
            }
            Err(CallError::Verdict(verdict)) => {
                self.retire();
                let reason = format!("{verdict} (with the other rows of its key; no row does so alone)");
                rejects.extend(healthy.into_iter().map(|row| Reject { row, reason: reason.clone() }));
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }

    /// Ends the work.
    pub fn into_meter(mut self) -> Meter {
        self.retire();
        self.meter
    }

    fn retire(&mut self) {
        if let Some((mut task, _)) = self.task.take() {
            self.meter.add(task.used(), task.take_log());
        }
    }

    fn task(&mut self) -> Result<&mut AggregateTask, CallError> {
        let (task, called) = match &mut self.task {
            Some(task) => task,
            empty => empty.insert((self.aggregate.task().map_err(about_no_row)?, false)),
        };
        *called = true;
        Ok(task)
    }

    fn is_fresh(&self) -> bool {
        !self.task.as_ref().is_some_and(|(_, called)| *called)
    }
}

fn join(schema: &arrow::datatypes::SchemaRef, parts: Vec<RecordBatch>, rows: usize) -> Result<RecordBatch, CallError> {
    if parts.len() == 1 {
        return parts.into_iter().next().ok_or_else(|| CallError::Host("no part".into()));
    }
    if schema.fields().is_empty() {
        return of_columns(schema.clone(), vec![], rows).map_err(|e| CallError::Host(e.to_string()));
    }
    concat_rows(schema, &parts).map_err(|e| CallError::Host(e.to_string()))
}

/// The answer for a range of groups.
struct Part {
    rows: RecordBatch,
    survivors: Vec<usize>,
    rejects: Vec<Reject>,
}

struct Groups<'r> {
    runner: &'r mut AggregateRunner,
    fold: Fold,
    groups: &'r [u32],
    rows: &'r RecordBatch,
}

impl Attempt for Groups<'_> {
    type Answer = Part;

    fn call(&mut self, units: Range<usize>) -> Result<Part, CallError> {
        let bounds = &self.groups[units.start..=units.end];
        let first = bounds[0];
        let rows = self.rows.slice(first as usize, (bounds[bounds.len() - 1] - first) as usize);
        let groups: Vec<u32> = bounds.iter().map(|b| b - first).collect();
        let task = self.runner.task()?;
        let (mut answer, rejects) = match self.fold {
            Fold::Create => {
                let created = task.create(&groups, &rows)?;
                (created.accumulators, created.rejects)
            }
            Fold::Merge => (task.merge(&groups, &rows)?, Vec::new()),
            Fold::Finish => (task.finish(&rows)?, Vec::new()),
        };
        let mut survivors: Vec<usize> = (0..units.len()).collect();
        if !rejects.is_empty() {
            // A group whose rows are all rejected has an accumulator that stands for nothing.
            let mut taken: Vec<u32> = groups.windows(2).map(|w| w[1] - w[0]).collect();
            for reject in &rejects {
                taken[groups.partition_point(|&g| g as usize <= reject.row) - 1] -= 1;
            }
            survivors.retain(|&g| taken[g] > 0);
            if survivors.len() < units.len() {
                let keep = UInt32Array::from_iter_values(survivors.iter().map(|&g| g as u32));
                answer = take_rows(&answer, &keep).map_err(|e| CallError::Host(e.to_string()))?;
            }
        }
        let rejects = rejects.into_iter().map(|r| Reject { row: first as usize + r.row, ..r }).collect();
        Ok(Part { rows: answer, survivors, rejects })
    }

    fn is_fresh(&self) -> bool {
        self.runner.is_fresh()
    }

    fn refresh(&mut self) {
        self.runner.retire();
    }
}

/// Tries rows of one group, only to see which go wrong alone.
struct OneGroup<'r> {
    runner: &'r mut AggregateRunner,
    rows: &'r RecordBatch,
}

impl Attempt for OneGroup<'_> {
    type Answer = ();

    fn call(&mut self, units: Range<usize>) -> Result<(), CallError> {
        let rows = self.rows.slice(units.start, units.len());
        self.runner.task()?.create(&[0, units.len() as u32], &rows).map(drop)
    }

    fn is_fresh(&self) -> bool {
        self.runner.is_fresh()
    }

    fn refresh(&mut self) {
        self.runner.retire();
    }
}
