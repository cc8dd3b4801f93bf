//! Trials: another component runs beside that of an operator for some batches, before it is swapped in or refused.
//!
//! It has the same input, works on a fork of what batches leave behind, and no sink sees anything of it. Of each batch the
//! operator's rows are compared, and what they cost. It runs a batch when the stream has run it, so what it may use is known:
//! a component that loops or traps again and again is stopped, and refused. A batch of a trial is done when both are: the
//! stream is not to run away from what is tried.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use super::batch::{Done, Purpose, Runner};
use super::handle::{Swapped, WatchLimits};
use super::log::{Cut, Running};
use super::replay::Difference;
use super::status::Trying;
use super::typed::{Fitting, Typed};
use crate::counted::counted;
use crate::operator::{Allowance, Metering};
use crate::plan::{Bound, OperatorMeter};

/// How many rows that differ are shown.
const EXAMPLES: usize = 10;

/// A component is stopped in a batch in which it uses more than so many times the fuel of the one that runs; where its limits
/// grant it more, it has that.
const MOST_TIMES: f64 = 10.0;

/// It always has so much, about five milliseconds: of few rows, what it costs to begin may be most.
const FREE_FUEL: u64 = 10_000_000;

/// How a component is tried.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialLimits {
    /// For how many batches in which the operator has rows.
    pub batches: NonZeroU32,
    /// Most rows that may differ, as a share of all.
    pub max_diff: f64,
    /// Most fuel that it may use in all of them, as a multiple of what the one before uses.
    pub max_cost: Option<f64>,
}

/// What a trial has shown.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Trialled {
    /// Batches in which the operator had rows.
    pub batches: u32,
    /// Rows that it read in them.
    pub rows_in: u64,
    /// Rows that it answered with: the more of both.
    pub rows: u64,
    /// How many of them differ.
    pub differing: u64,
    /// How many of those that it read the one before has rejected, and how many the other.
    #[serde(default)]
    pub rejected: (u64, u64),
    /// The first row that the other has rejected, and why, where it has rejected more.
    #[serde(default)]
    pub first_reject: Option<String>,
    /// What the one before has used, and what the other.
    pub fuel: (u64, u64),
    /// How long the one before took, and how long the other.
    pub time: (Duration, Duration),
    /// The first rows that only the one before gave, marked with `-`, or the other, with `+`.
    pub examples: Vec<String>,
}

impl Trialled {
    /// Rows that differ, as a share of all.
    pub fn diff(&self) -> f64 {
        if self.rows == 0 { 0.0 } else { self.differing as f64 / self.rows as f64 }
    }

    /// How many rows differ, for people.
    pub fn differ(&self) -> String {
        let verb = if self.rows == 1 { "differs" } else { "differ" };
        format!("{} of {} {verb} ({:.3} %)", self.differing, counted(self.rows, "row"), self.diff() * 100.0)
    }

    /// What the other uses, as a multiple of what the one before does.
    pub fn cost(&self) -> f64 {
        if self.fuel.0 == self.fuel.1 { 1.0 } else { self.fuel.1 as f64 / self.fuel.0 as f64 }
    }

    fn add(&mut self, shown: &Shown) {
        let Shown { before, after, difference, first_reject } = shown;
        let (rows, differing) = difference.counted();
        self.batches += 1;
        self.rows_in += before.rows_in;
        self.rows += rows;
        self.differing += differing;
        self.rejected = (self.rejected.0 + before.rejected, self.rejected.1 + after.rejected);
        if after.rejected > before.rejected && self.first_reject.is_none() {
            self.first_reject.clone_from(first_reject);
        }
        self.fuel = (self.fuel.0 + before.fuel, self.fuel.1 + after.fuel);
        self.time = (self.time.0 + before.time, self.time.1 + after.time);
        let marked = |sign: char| move |row: &String| format!("{sign} {row}");
        let room = EXAMPLES.saturating_sub(self.examples.len());
        let shown = difference.removed.iter().map(marked('-')).chain(difference.added.iter().map(marked('+')));
        self.examples.extend(shown.take(room));
    }
}

/// A trial that is under way.
#[derive(Debug)]
pub(super) struct Trial {
    from: Running,
    pub(super) to: Fitting,
    limits: TrialLimits,
    pub(super) watch: WatchLimits,
    shown: Trialled,
    /// Rows so far on which it has gone wrong beyond those of the one that runs.
    trapped: u64,
    /// Runs batches beside the stream; none before the first.
    beside: Option<Runner>,
    reply: oneshot::Sender<Result<Swapped, String>>,
}

impl Trial {
    pub(super) fn new(
        from: Running,
        to: Fitting,
        limits: TrialLimits,
        watch: WatchLimits,
        reply: oneshot::Sender<Result<Swapped, String>>,
    ) -> Self {
        Self { from, to, limits, watch, shown: Trialled::default(), trapped: 0, beside: None, reply }
    }

    /// Whether whoever asked for it has gone away.
    pub(super) fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    /// How far it is.
    pub(super) fn trying(&self) -> Trying {
        let Self { from, limits, shown, .. } = self;
        Trying { from: from.clone(), to: self.to.running.clone(), limits: *limits, shown: shown.clone() }
    }

    /// What runs beside the next batch of the stream.
    pub(super) fn beside(&mut self, runner: &Runner, typed: &Typed, cut: &Cut) -> Beside {
        let runner = self.beside.get_or_insert_with(|| runner.fork()).clone();
        let (mut typed, mut cut) = (typed.clone(), cut.clone());
        typed.wanted.insert(self.to.running.operator.clone());
        cut.replace(&self.to.running);
        Beside {
            runner,
            typed: Arc::new(typed),
            cut: Arc::new(cut),
            from: self.from.clone(),
            to: self.to.running.clone(),
            times: self.limits.max_cost.unwrap_or(MOST_TIMES).max(MOST_TIMES),
            traps: self.watch.max_traps.saturating_sub(self.trapped),
        }
    }

    /// Takes what a batch has shown. Answers when the trial is over: whether it was good enough.
    pub(super) fn judge(&mut self, shown: Result<Shown>) -> Option<Result<(), String>> {
        let to = &self.to.running;
        match shown {
            Ok(shown) if shown.before.rows_in == 0 => return None,
            Ok(shown) => {
                self.trapped += shown.after.trapped.saturating_sub(shown.before.trapped);
                self.shown.add(&shown);
            }
            Err(error) => {
                return Some(Err(format!("nothing was swapped: in its trial {} failed: {error:#}", to.component)));
            }
        }
        let (shown, limits) = (&self.shown, &self.limits);
        let hopeless = limits.max_diff == 0.0 && shown.differing > 0;
        if shown.batches < limits.batches.get() && !hopeless {
            return None;
        }
        let mut against = Vec::new();
        if shown.diff() > limits.max_diff {
            against.push(format!("{}, more than the {:.3} % of --max-diff", shown.differ(), limits.max_diff * 100.0));
        }
        if let Some(most) = limits.max_cost.filter(|most| shown.cost() > *most) {
            against.push(format!("it uses {:.3} times the fuel, more than the {most} of --max-cost", shown.cost()));
        }
        if against.is_empty() {
            return Some(Ok(()));
        }
        let mut text = format!(
            "nothing was swapped: over {} with {} {} was not good enough: {}",
            counted(shown.batches.into(), "batch"),
            counted(shown.rows_in, "row"),
            to.component,
            against.join("; ")
        );
        if let Some(first) = &shown.first_reject {
            text.push_str(&format!(
                "\nit rejected {} instead of {}; the first in {first}",
                counted(shown.rejected.1, "row"),
                shown.rejected.0
            ));
        }
        shown.examples.iter().for_each(|row| text.push_str(&format!("\n{row}")));
        Some(Err(text))
    }

    /// Tells whoever asked.
    pub(super) fn answer(self, end: Result<Swapped, String>) {
        let shown = self.shown;
        // They may have gone away.
        let _ = self.reply.send(end.map(|swapped| Swapped { trial: Some(shown), ..swapped }));
    }

    /// Tells whoever asked that it has come to no end, and why.
    pub(super) fn give_up(self, why: &str) {
        let (so_far, of) = (self.shown.batches, self.limits.batches.get());
        let text = format!(
            "nothing was swapped: {why}, when {} had been tried for {so_far} of {}",
            self.to.running.component,
            counted(of.into(), "batch")
        );
        self.answer(Err(text));
    }
}

/// A batch as it would be with the component that is tried.
#[derive(Debug)]
pub(super) struct Beside {
    runner: Runner,
    /// As the stream has it, but that the operator's rows are looked at.
    pub(super) typed: Arc<Typed>,
    cut: Arc<Cut>,
    from: Running,
    to: Running,
    /// Most fuel that it may use, as a multiple of what the one that runs has used.
    times: f64,
    /// On how many rows it may go wrong beyond those on which the one that runs does.
    traps: u64,
}

impl Beside {
    /// Runs it when the stream has, and compares the two.
    pub(super) async fn run(self, before: &Done) -> Result<Shown> {
        let Self { runner, typed, cut, from, to, times, traps } = self;
        let of = |done: &Done| {
            let meter = done.meters.get(&to.operator).cloned().unwrap_or_default();
            let rows = done.seen.get(&to.operator).cloned().unwrap_or_default();
            (meter, done.fingerprints.get(&to.operator).copied(), rows)
        };
        let (before, first, rows) = of(before);
        let fuel = Arc::new(Allowance::of(((before.fuel as f64 * times) as u64).max(FREE_FUEL)));
        let bound = Bound {
            operator: to.operator.clone(),
            fuel: Some(fuel.clone()),
            traps: before.trapped.saturating_add(traps),
            trapped: 0,
        };
        let runner = Runner { bound: Some(bound), metering: Metering::Always, ..runner };
        let stopped = |used: u64| {
            format!(
                "it was stopped when it had used {used} fuel, more than it may, which is {} ({times} times the {} of {}, and \
                 at least {FREE_FUEL})",
                fuel.most(),
                before.fuel,
                from.component
            )
        };
        let at = || format!("batch {}", cut.batch);
        let after = match runner.run(typed, cut.clone(), Purpose::Try).await {
            Ok(after) => after,
            Err(error) if fuel.is_overspent() => return Err(error.context(stopped(fuel.used()))).with_context(at),
            Err(error) => return Err(error).with_context(at),
        };
        let reject = after.first_rejects.get(&to.operator);
        let first_reject = reject.map(|first| format!("{}: {}\n  the row: {}", at(), first.reason, first.row));
        let (after, second, others) = of(&after);
        if after.fuel > fuel.most() {
            // Its last calls did it.
            return Err(anyhow!(stopped(after.fuel))).with_context(at);
        }
        let difference = if first == second {
            Difference { common: rows.iter().map(|rows| rows.num_rows() as u64).sum(), ..Difference::default() }
        } else {
            spawn_blocking(move || Difference::of(&rows, &others)).await?
        };
        Ok(Shown { before, after, difference, first_reject })
    }
}

/// What a batch of a trial has shown.
#[derive(Debug)]
pub(super) struct Shown {
    before: OperatorMeter,
    after: OperatorMeter,
    difference: Difference,
    /// The first row that the component has rejected.
    first_reject: Option<String>,
}
