//! `weir swap`: another component in an operator's place, between two batches.

use std::num::NonZeroU32;

use anyhow::{Context, Result, ensure};

use crate::control::{Client, RedirectRequest, Redirected, SwapRequest, TrialLimits, Trialled, WatchLimits};
use crate::data_dir::DataDir;
use crate::origin::Origin;

/// What to put where.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The name of the operator, or of a sink that is a component, in the pipeline file
    operator: String,

    /// The component: name@version, or sha256:… and its digest
    #[arg(value_name = "NAME@VERSION", required_unless_present = "back", conflicts_with = "back")]
    component: Option<String>,

    /// Go back to the component that ran before the last swap
    #[arg(long)]
    back: bool,

    /// Run it beside the one before for so many batches with rows, its output set aside; then swap it in or refuse it
    #[arg(long, value_name = "BATCHES", conflicts_with = "back")]
    trial: Option<NonZeroU32>,

    /// Most rows that may differ in the trial, as in 2% or 0.02
    #[arg(long, value_name = "SHARE", default_value = "0%", value_parser = share, requires = "trial")]
    max_diff: f64,

    /// Most fuel that it may use in the trial, as in 1.2 for a fifth more than the one before [default: no limit]
    #[arg(long, value_name = "TIMES", value_parser = times, requires = "trial")]
    max_cost: Option<f64>,

    /// Watch it for so many batches with rows after the swap: when one fails, it is rolled back by itself; 0 for not at all
    #[arg(long, value_name = "BATCHES", default_value_t = 10, conflicts_with = "back")]
    watch: u32,

    /// Most rows on which it may go wrong in these batches (trap, or overrun a limit) before it is rolled back
    #[arg(long, value_name = "ROWS", default_value_t = 0, conflicts_with = "back")]
    max_traps: u64,

    /// The origins to which a sink may send from now on, in place of those that it may; none after it: to none
    #[arg(long, value_name = "ORIGIN", num_args = 0.., conflicts_with_all = ["back", "trial"])]
    allow: Option<Vec<Origin>>,

    /// The pipeline, where several hosts run with the same data folder
    #[arg(long, value_name = "NAME")]
    pipeline: Option<String>,
}

fn share(text: &str) -> Result<f64, String> {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let share = match text.strip_suffix('%') {
        Some(percent) => number(percent).map(|percent| percent / 100.0),
        None => number(text),
    };
    share
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| "write a share of all rows, as in 2% or 0.02".to_owned())
}

fn times(text: &str) -> Result<f64, String> {
    let times = text.parse::<f64>().ok().filter(|times| times.is_finite() && *times > 0.0);
    times.ok_or_else(|| "write how many times as much, as in 1.2".to_owned())
}

pub(super) fn run(args: &Args, data: &DataDir) -> Result<()> {
    let Args { max_diff, max_cost, max_traps, .. } = *args;
    let request = SwapRequest {
        operator: args.operator.clone(),
        component: args.component.clone(),
        trial: args.trial.map(|batches| TrialLimits { batches, max_diff, max_cost }),
        watch: WatchLimits { batches: args.watch, max_traps },
    };
    let client = Client::find(data, args.pipeline.as_deref())?;
    if client.status()?.sinks.contains_key(&args.operator) {
        return redirect(args, &client);
    }
    ensure!(args.allow.is_none(), "`{}` is no sink that is a component: --allow is for sinks", args.operator);
    if let (Some(batches), Some(component)) = (args.trial, &args.component) {
        eprintln!(
            "{component} is tried in operator `{}` for {batches} batches; end this command to give up",
            args.operator
        );
    }
    let swapped = client.swap(&request)?;
    if let Some(trial) = &swapped.trial {
        show(trial)?;
    }
    outln!(
        "operator `{}` runs {} ({}) from batch {} on; before: {} ({})",
        swapped.to.operator,
        swapped.to.component,
        swapped.to.digest.short(),
        swapped.first_batch,
        swapped.from.component,
        swapped.from.digest.short()
    )?;
    Ok(())
}

/// Swaps a sink's component.
fn redirect(args: &Args, client: &Client) -> Result<()> {
    let sink = &args.operator;
    ensure!(args.trial.is_none(), "`{sink}` is a sink, which cannot be tried: rows that were sent are sent");
    let component =
        args.component.clone().with_context(|| format!("name the component that `{sink}` is to go back to"))?;
    let request = RedirectRequest { sink: sink.clone(), component, allow: args.allow.clone() };
    let Redirected { from, to, .. } = client.redirect(&request)?;
    outln!(
        "sink `{sink}` runs {} ({}) from the next batch on that begins; before: {} ({})",
        to.component,
        to.digest.short(),
        from.component,
        from.digest.short()
    )?;
    if from.allow == to.allow {
        return outln!("it may send to {}, as before", origins(&to.allow));
    }
    to.allow.iter().filter(|o| !from.allow.contains(o)).try_for_each(|origin| outln!("+ it may send to {origin}"))?;
    from.allow
        .iter()
        .filter(|o| !to.allow.contains(o))
        .try_for_each(|origin| outln!("- it may not send to {origin} any more"))
}

/// Origins, for people.
pub(super) fn origins(allow: &[Origin]) -> String {
    if allow.is_empty() {
        return "nobody: `allow` is empty".to_owned();
    }
    allow.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn show(trial: &Trialled) -> Result<()> {
    outln!(
        "tried over {} batches with {} rows: {} of {} rows differ ({:.3} %), {:.3} times the fuel, {:.1?} instead of {:.1?}",
        trial.batches,
        trial.rows_in,
        trial.differing,
        trial.rows,
        trial.diff() * 100.0,
        trial.cost(),
        trial.time.1,
        trial.time.0
    )?;
    trial.examples.iter().try_for_each(|row| outln!("{row}"))
}
