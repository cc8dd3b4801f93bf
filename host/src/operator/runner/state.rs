//! A state operator at work: its keys are the units that may go wrong, and then the rows of a key.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::UInt32Array;
use arrow::buffer::BooleanBuffer;
use arrow::record_batch::RecordBatch;

use super::super::allowance::{Account, Allowance};
use super::super::instance::Metering;
use super::super::isolate::{Attempt, isolate};
use super::super::moment::Moment;
use super::super::state::{Cause, Fate, State, Touched, Updated};
use super::super::transform::Reject;
use super::super::verdict::{CallError, Verdict};
use super::instances::Instances;
use super::{Meter, Runner, join};
use crate::rows::take as take_rows;

/// What became of the keys of a call.
#[derive(Debug)]
pub struct Updates {
    /// A row for each key; only that of a key to be kept means anything.
    pub next: RecordBatch,
    /// What becomes of each key.
    pub fates: Vec<Fate>,
    /// When to wake each key that is kept, in milliseconds; 0 for never.
    pub timers: Vec<u64>,
    /// Output rows.
    pub output: RecordBatch,
    /// Which key each output row comes from; never decreasing.
    pub output_from: Vec<u32>,
    /// Rows of the input not taken, in order.
    pub rejects: Vec<Reject>,
    /// Keys on which the operator went wrong without any row of theirs, in order. They stay as they were.
    pub broken: Vec<Reject>,
}

/// A [`State`] at work on one partition of one batch.
pub struct StateRunner {
    instances: Instances<State>,
}

impl StateRunner {
    /// Starts work; the instance is made with the first call.
    pub fn new(state: Arc<State>, moment: Moment) -> Self {
        Self { instances: Instances::of(state, moment) }
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

    /// Asks what becomes of some keys.
    pub fn update(&mut self, touched: &Touched<'_>) -> Result<Updates, CallError> {
        let mut parts = Vec::new();
        let mut broken = Vec::new();
        let mut attempt = Keys { runner: self, touched };
        isolate(&mut attempt, 0..touched.causes.len(), &mut |units, answer: Result<Updated, Verdict>| {
            match answer {
                Ok(updated) => parts.push((units, updated)),
                Err(verdict) => broken.push((units.start, verdict)),
            }
            Ok(())
        })?;
        let mut rejects = Vec::new();
        let mut broken_keys = Vec::new();
        for (key, verdict) in broken {
            if touched.groups[key] == touched.groups[key + 1] {
                broken_keys.push(Reject::trapped(key, verdict));
            } else if let Some(updated) = self.rescue(touched, key, verdict, &mut rejects)? {
                parts.push((key..key + 1, updated));
            }
        }
        parts.sort_by_key(|(units, _)| units.start);
        self.together(touched, parts, rejects, broken_keys)
    }

    /// A key went wrong as a whole: rejects the rows that go wrong alone and tries the others. What still goes wrong then
    /// is rejected together.
    fn rescue(
        &mut self,
        touched: &Touched<'_>,
        key: usize,
        verdict: Verdict,
        rejects: &mut Vec<Reject>,
    ) -> Result<Option<Updated>, CallError> {
        let rows = touched.groups[key] as usize..touched.groups[key + 1] as usize;
        let mut poison = Vec::new();
        if rows.len() == 1 {
            poison.push(Reject::trapped(rows.start, verdict));
        } else {
            let mut one_key = OneKey { runner: self, touched, key };
            isolate(&mut one_key, rows.clone(), &mut |units, answer: Result<(), Verdict>| {
                if let Err(verdict) = answer {
                    poison.push(Reject::trapped(units.start, verdict));
                }
                Ok(())
            })?;
        }
        let healthy: Vec<u32> =
            rows.filter(|row| poison.binary_search_by_key(row, |p| p.row).is_err()).map(|row| row as u32).collect();
        rejects.append(&mut poison);
        if healthy.is_empty() && touched.causes[key] == Cause::Rows {
            // As if its rows had not come.
            return Ok(None);
        }
        let input = take_rows(touched.input, &UInt32Array::from(healthy.clone()));
        let input = input.map_err(|e| CallError::Host(e.to_string()))?;
        self.instances.retire();
        let call = KeyCall::new(touched, key, input.num_rows());
        match self.call(&call.touched(&input)) {
            Ok(mut updated) => {
                for reject in &mut updated.rejects {
                    reject.row = healthy[reject.row] as usize;
                }
                rejects.append(&mut updated.rejects);
                Ok(Some(updated))
            }
            Err(CallError::Verdict(verdict)) => {
                self.instances.retire();
                let reason = format!("{verdict} (with the other rows of its key; no row does so alone)");
                rejects.extend(healthy.into_iter().map(|row| Reject::trapped(row as usize, &reason)));
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }

    /// Puts the answers for ranges of keys together; keys without an answer are unchanged.
    fn together(
        &self,
        touched: &Touched<'_>,
        parts: Vec<(Range<usize>, Updated)>,
        mut rejects: Vec<Reject>,
        broken: Vec<Reject>,
    ) -> Result<Updates, CallError> {
        let keys = touched.causes.len();
        let (mut fates, mut timers) = (vec![Fate::Unchanged; keys], vec![0; keys]);
        let (mut next, mut output, mut output_from) = (Vec::new(), Vec::new(), Vec::new());
        let mut answered = 0;
        for (units, updated) in parts {
            // A state stands in for that of a key without an answer, which nobody reads.
            next.push(touched.previous.slice(answered, units.start - answered));
            answered = units.end;
            next.push(updated.next);
            fates[units.clone()].copy_from_slice(&updated.fates);
            timers[units.clone()].copy_from_slice(&updated.timers);
            output.push(updated.output);
            output_from.extend(updated.output_from.iter().map(|key| key + units.start as u32));
            let first = touched.groups[units.start] as usize;
            rejects.extend(updated.rejects.into_iter().map(|r| Reject { row: first + r.row, ..r }));
        }
        next.push(touched.previous.slice(answered, keys - answered));
        next.retain(|rows| rows.num_rows() > 0);
        rejects.sort_by_key(|reject| reject.row);
        Ok(Updates {
            next: join(self.instances.operator().state(), next, keys)?,
            fates,
            timers,
            output: join(self.instances.operator().output(), output, output_from.len())?,
            output_from,
            rejects,
            broken,
        })
    }

    fn call(&mut self, touched: &Touched<'_>) -> Result<Updated, CallError> {
        self.instances.call(|task| task.update(touched))
    }
}

impl Runner for StateRunner {
    fn take_meter(&mut self) -> Meter {
        self.instances.take_meter()
    }
}

/// What a call on one key is given.
struct KeyCall {
    keys: RecordBatch,
    groups: [u32; 2],
    previous: RecordBatch,
    present: BooleanBuffer,
    causes: [Cause; 1],
}

impl KeyCall {
    fn new(touched: &Touched<'_>, key: usize, rows: usize) -> Self {
        Self {
            keys: touched.keys.slice(key, 1),
            groups: [0, rows as u32],
            previous: touched.previous.slice(key, 1),
            present: touched.present.slice(key, 1),
            causes: [touched.causes[key]],
        }
    }

    fn touched<'a>(&'a self, input: &'a RecordBatch) -> Touched<'a> {
        let Self { keys, groups, previous, present, causes } = self;
        Touched { keys, groups, input, previous, present, causes }
    }
}

struct Keys<'r, 't> {
    runner: &'r mut StateRunner,
    touched: &'r Touched<'t>,
}

impl Attempt for Keys<'_, '_> {
    type Answer = Updated;

    fn call(&mut self, units: Range<usize>) -> Result<Updated, CallError> {
        let all = self.touched;
        if units.len() == all.causes.len() {
            return self.runner.call(all);
        }
        let bounds = &all.groups[units.start..=units.end];
        let first = bounds[0];
        let groups: Vec<u32> = bounds.iter().map(|b| b - first).collect();
        self.runner.call(&Touched {
            keys: &all.keys.slice(units.start, units.len()),
            groups: &groups,
            input: &all.input.slice(first as usize, (bounds[bounds.len() - 1] - first) as usize),
            previous: &all.previous.slice(units.start, units.len()),
            present: &all.present.slice(units.start, units.len()),
            causes: &all.causes[units],
        })
    }

    fn is_fresh(&self) -> bool {
        self.runner.instances.is_fresh()
    }

    fn refresh(&mut self) {
        self.runner.instances.retire();
    }
}

/// Tries rows of one key, only to see which go wrong alone.
struct OneKey<'r, 't> {
    runner: &'r mut StateRunner,
    touched: &'r Touched<'t>,
    key: usize,
}

impl Attempt for OneKey<'_, '_> {
    type Answer = ();

    fn call(&mut self, units: Range<usize>) -> Result<(), CallError> {
        let input = self.touched.input.slice(units.start, units.len());
        let call = KeyCall::new(self.touched, self.key, units.len());
        self.runner.call(&call.touched(&input)).map(drop)
    }

    fn is_fresh(&self) -> bool {
        self.runner.instances.is_fresh()
    }

    fn refresh(&mut self) {
        self.runner.instances.retire();
    }
}
