//! Trials: another component runs beside that of an operator for some batches, before it is swapped in or refused.
//!
//! It has the same input, works on a fork of what batches leave behind, and no sink sees anything of it. Of each batch the
//! operator's rows are compared, and what they cost. A batch of a trial is done when both are: the stream is not to run
//! away from what is tried.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use super::batch::{Done, Purpose, Runner};
use super::handle::{Swapped, WatchLimits};
use super::log::{Cut, Running};
use super::replay::Difference;
use super::typed::{Fitting, Typed};
use crate::plan::OperatorMeter;

/// How many rows that differ are shown.
const EXAMPLES: usize = 10;

/// How a component is tried.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialLimits {
    /// For how many batches in which the operator has rows.
    pub batches: NonZeroU32,
    /// Most rows that may differ, as a share of all.
    pub max_diff: f64,
    /// Most fuel that it may use, as a multiple of what the one before uses.
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

    /// What the other uses, as a multiple of what the one before does.
    pub fn cost(&self) -> f64 {
        if self.fuel.0 == self.fuel.1 { 1.0 } else { self.fuel.1 as f64 / self.fuel.0 as f64 }
    }

    fn add(&mut self, shown: &Shown) {
        let Shown { before, after, difference } = shown;
        let (rows, differing) = difference.counted();
        self.batches += 1;
        self.rows_in += before.rows_in;
        self.rows += rows;
        self.differing += differing;
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
    pub(super) to: Fitting,
    limits: TrialLimits,
    pub(super) watch: WatchLimits,
    pub(super) shown: Trialled,
    /// Runs batches beside the stream; none before the first.
    beside: Option<Runner>,
    reply: oneshot::Sender<Result<Swapped, String>>,
}

impl Trial {
    pub(super) fn new(
        to: Fitting,
        limits: TrialLimits,
        watch: WatchLimits,
        reply: oneshot::Sender<Result<Swapped, String>>,
    ) -> Self {
        Self { to, limits, watch, shown: Trialled::default(), beside: None, reply }
    }

    /// Whether whoever asked for it has gone away.
    pub(super) fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    /// What runs beside the next batch of the stream.
    pub(super) fn beside(&mut self, runner: &Runner, typed: &Typed, cut: &Cut) -> Beside {
        let runner = self.beside.get_or_insert_with(|| runner.fork()).clone();
        let (mut typed, mut cut) = (typed.clone(), cut.clone());
        typed.wanted.insert(self.to.running.operator.clone());
        cut.replace(&self.to.running);
        Beside { runner, typed: Arc::new(typed), cut: Arc::new(cut), to: self.to.running.clone() }
    }

    /// Takes what a batch has shown. Answers when the trial is over: whether it was good enough.
    pub(super) fn judge(&mut self, shown: Result<Shown>) -> Option<Result<(), String>> {
        let to = &self.to.running;
        match shown {
            Ok(shown) if shown.before.rows_in == 0 => return None,
            Ok(shown) => self.shown.add(&shown),
            Err(error) => {
                return Some(Err(format!("nothing was swapped: in its trial {} failed: {error:#}", to.component)));
            }
        }
        if self.shown.batches < self.limits.batches.get() {
            return None;
        }
        let mut against = Vec::new();
        let (shown, limits) = (&self.shown, &self.limits);
        if shown.diff() > limits.max_diff {
            against.push(format!(
                "{} of {} rows differ ({:.3} %), more than the {:.3} % of --max-diff",
                shown.differing,
                shown.rows,
                shown.diff() * 100.0,
                limits.max_diff * 100.0
            ));
        }
        if let Some(most) = limits.max_cost.filter(|most| shown.cost() > *most) {
            against.push(format!("it uses {:.3} times the fuel, more than the {most} of --max-cost", shown.cost()));
        }
        if against.is_empty() {
            return Some(Ok(()));
        }
        let mut text = format!(
            "nothing was swapped: over {} batches with {} rows {} was not good enough: {}",
            shown.batches,
            shown.rows_in,
            to.component,
            against.join("; ")
        );
        shown.examples.iter().for_each(|row| text.push_str(&format!("\n{row}")));
        Some(Err(text))
    }

    /// Tells whoever asked.
    pub(super) fn answer(self, end: Result<Swapped, String>) {
        // They may have gone away.
        let _ = self.reply.send(end);
    }
}

/// A batch as it would be with the component that is tried.
#[derive(Debug)]
pub(super) struct Beside {
    runner: Runner,
    /// As the stream has it, but that the operator's rows are looked at.
    pub(super) typed: Arc<Typed>,
    cut: Arc<Cut>,
    to: Running,
}

impl Beside {
    /// Runs it.
    pub(super) async fn run(&self) -> Result<Done> {
        self.runner.run(self.typed.clone(), self.cut.clone(), Purpose::Recompute).await
    }

    /// Compares it with the batch as it was.
    pub(super) async fn compare(self, before: &Done, after: Result<Done>) -> Result<Shown> {
        let after = after.with_context(|| format!("batch {}", self.cut.batch))?;
        let operator = &self.to.operator;
        let of = |done: &Done| {
            let meter = done.meters.get(operator).cloned().unwrap_or_default();
            (meter, done.fingerprints.get(operator).copied(), done.seen.get(operator).cloned().unwrap_or_default())
        };
        let ((before, first, rows), (after, second, others)) = (of(before), of(&after));
        let difference = if first == second {
            Difference { common: rows.iter().map(|rows| rows.num_rows() as u64).sum(), ..Difference::default() }
        } else {
            spawn_blocking(move || Difference::of(&rows, &others)).await?
        };
        Ok(Shown { before, after, difference })
    }
}

/// What a batch of a trial has shown.
#[derive(Debug)]
pub(super) struct Shown {
    before: OperatorMeter,
    after: OperatorMeter,
    difference: Difference,
}
