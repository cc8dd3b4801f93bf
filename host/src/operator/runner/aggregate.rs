//! An aggregate at work: its groups are the units that may go wrong, and then the rows of a group.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::UInt32Array;
use arrow::buffer::BooleanBuffer;
use arrow::record_batch::RecordBatch;

use super::super::aggregate::Aggregate;
use super::super::allowance::{Account, Allowance};
use super::super::instance::Metering;
use super::super::isolate::{Attempt, isolate};
use super::super::moment::Moment;
use super::super::transform::Reject;
use super::super::verdict::{CallError, Verdict};
use super::instances::Instances;
use super::{Meter, Runner, join};
use crate::rows::take as take_rows;

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

/// What is left of totals, row by row.
#[derive(Debug)]
pub struct Retracted {
    /// A row for each total that survived.
    pub rows: RecordBatch,
    /// Which totals survived, in order; row i of `rows` is of total `groups[i]`.
    pub groups: Vec<usize>,
    /// For each row, whether nothing is left.
    pub nothing: Vec<bool>,
    /// Totals on which the operator went wrong, by their index.
    pub rejects: Vec<Reject>,
}

/// An [`Aggregate`] at work on one partition of one batch.
pub struct AggregateRunner {
    instances: Instances<Aggregate>,
}

#[derive(Clone, Copy)]
enum Fold {
    Create,
    Merge,
    Finish,
}

impl AggregateRunner {
    /// Starts work; the instance is made with the first call.
    pub fn new(aggregate: Arc<Aggregate>, moment: Moment) -> Self {
        Self { instances: Instances::of(aggregate, moment) }
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

    /// Takes parts out of totals, row by row.
    pub fn retract(&mut self, totals: &RecordBatch, parts: &RecordBatch) -> Result<Retracted, CallError> {
        let (mut left, mut groups, mut nothing, mut rejects) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut attempt = Totals { runner: self, totals, parts };
        isolate(&mut attempt, 0..totals.num_rows(), &mut |units, answer: Result<_, Verdict>| {
            match answer {
                Ok((rows, gone)) => {
                    let gone: &BooleanBuffer = &gone;
                    groups.extend(units);
                    nothing.extend(gone.iter());
                    left.push(rows);
                }
                Err(verdict) => rejects.push(Reject::trapped(units.start, verdict)),
            }
            Ok(())
        })?;
        let rows = join(self.instances.operator().accumulator(), left, groups.len())?;
        Ok(Retracted { rows, groups, nothing, rejects })
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
                Fold::Merge | Fold::Finish => rejects.push(Reject::trapped(group, verdict)),
            }
        }
        parts.sort_by_key(|(start, _)| *start);
        rejects.sort_by_key(|r| r.row);
        let schema = match fold {
            Fold::Create | Fold::Merge => self.instances.operator().accumulator(),
            Fold::Finish => self.instances.operator().output(),
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
            rejects.push(Reject::trapped(group.start, verdict));
            return Ok(None);
        }
        let mut one_group = OneGroup { runner: self, rows };
        isolate(&mut one_group, group.clone(), &mut |units, answer: Result<(), Verdict>| {
            if let Err(verdict) = answer {
                poison.push(Reject::trapped(units.start, verdict));
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
        self.instances.retire();
        let answer = self.instances.call(|task| task.create(&[0, left.num_rows() as u32], &left));
        match answer {
            Ok(created) => {
                let all_rejected = created.rejects.len() == left.num_rows();
                rejects.extend(created.rejects.into_iter().map(|r| Reject { row: healthy[r.row], ..r }));
                Ok((!all_rejected).then_some(created.accumulators))
            }
            Err(CallError::Verdict(verdict)) => {
                self.instances.retire();
                let reason = format!("{verdict} (with the other rows of its key; no row does so alone)");
                rejects.extend(healthy.into_iter().map(|row| Reject::trapped(row, &reason)));
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }
}

impl Runner for AggregateRunner {
    fn take_meter(&mut self) -> Meter {
        self.instances.take_meter()
    }
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
        let fold = self.fold;
        let (mut answer, rejects) = self.runner.instances.call(|task| {
            Ok(match fold {
                Fold::Create => {
                    let created = task.create(&groups, &rows)?;
                    (created.accumulators, created.rejects)
                }
                Fold::Merge => (task.merge(&groups, &rows)?, Vec::new()),
                Fold::Finish => (task.finish(&rows)?, Vec::new()),
            })
        })?;
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
        self.runner.instances.is_fresh()
    }

    fn refresh(&mut self) {
        self.runner.instances.retire();
    }
}

struct Totals<'r> {
    runner: &'r mut AggregateRunner,
    totals: &'r RecordBatch,
    parts: &'r RecordBatch,
}

impl Attempt for Totals<'_> {
    type Answer = (RecordBatch, BooleanBuffer);

    fn call(&mut self, units: Range<usize>) -> Result<Self::Answer, CallError> {
        let of = |rows: &RecordBatch| rows.slice(units.start, units.len());
        let (totals, parts) = (of(self.totals), of(self.parts));
        self.runner.instances.call(|task| task.retract(&totals, &parts))
    }

    fn is_fresh(&self) -> bool {
        self.runner.instances.is_fresh()
    }

    fn refresh(&mut self) {
        self.runner.instances.retire();
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
        self.runner.instances.call(|task| task.create(&[0, units.len() as u32], &rows)).map(drop)
    }

    fn is_fresh(&self) -> bool {
        self.runner.instances.is_fresh()
    }

    fn refresh(&mut self) {
        self.runner.instances.retire();
    }
}
