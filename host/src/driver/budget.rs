//! How many rows a batch may reject: what `max_rejects` allows, held against what the whole batch has rejected.
//!
//! It looks at counts of a batch that has been computed, so how rows were partitioned does not show; and it looks before
//! anything is committed, so a batch that rejects too much leaves nothing behind.

use anyhow::{Result, bail};

use super::log::Cut;
use super::typed::Typed;
use crate::plan::Report;
use crate::units::Budget;

/// Fails where a source or operator has rejected more than the pipeline allows.
pub(super) fn check(typed: &Typed, cut: &Cut, report: &Report) -> Result<()> {
    let pipeline = &typed.loaded.pipeline;
    let sources = pipeline.sources.iter().map(|(name, spec)| ("source", name, spec.max_rejects()));
    let operators = pipeline.operators.iter().map(|(name, spec)| ("operator", name, spec.max_rejects));
    for (kind, name, budget) in sources.chain(operators) {
        if let Some(budget) = budget {
            within(budget, kind, name, cut, report)?;
        }
    }
    Ok(())
}

fn within(budget: Budget, kind: &str, name: &str, cut: &Cut, report: &Report) -> Result<()> {
    let Some(meter) = report.meters.get(name) else { return Ok(()) };
    // Letters that were sent through again are known to be bad, and not held against the batch.
    let again = cut.retried.iter().filter(|retried| retried.operator == name).map(|retried| retried.letters).sum();
    if budget.allows(meter.rejected.saturating_sub(again), meter.rows_in.saturating_sub(again)) {
        return Ok(());
    }
    let running = cut.operators.iter().find(|running| running.operator == name);
    let component = running.map(|r| format!(" ({}, {})", r.component, r.digest.short())).unwrap_or_default();
    let first = report.first_rejects.get(name);
    let first = first.map(|first| format!("; the first: {}\n  the row: {}", first.reason, first.row));
    let (what, mend) = match kind {
        "source" => ("records", "mend the input"),
        _ => ("rows", "mend the input or the operator"),
    };
    bail!(
        "{kind} `{name}`{component} rejected {} of {} {what} of batch {}, more than its `max_rejects` of {budget}{}\n  To go \
         on, {mend}, or raise `max_rejects` of [{kind}s.{name}].",
        meter.rejected,
        meter.rows_in,
        cut.batch,
        first.unwrap_or_default()
    )
}
