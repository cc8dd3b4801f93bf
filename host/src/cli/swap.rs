//! `weir swap`: another component in an operator's place, between two batches.

use std::num::NonZeroU32;

use anyhow::{Context, Result, ensure};

use crate::control::{
    Client, Delivering, RedirectRequest, Redirected, SwapRequest, TrialLimits, Trialled, WaitingBatch, WatchLimits,
};
use crate::counted::counted;
use crate::data_dir::DataDir;
use crate::origin::{NotAnOrigin, Origin};

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

    /// Most fuel that it may use in the trial, as in 1.2 for a fifth more than the one before [default: no limit over all
    /// batches, and ten times in each: then it is stopped]
    #[arg(long, value_name = "TIMES", value_parser = times, requires = "trial")]
    max_cost: Option<f64>,

    /// Watch it for so many batches with rows after the swap: when one fails, it is rolled back by itself; 0 for not at all
    /// [default: 10]
    #[arg(long, value_name = "BATCHES", conflicts_with = "back")]
    watch: Option<u32>,

    /// Most rows on which it may go wrong in these batches (trap, or overrun a limit) before it is rolled back, and in its
    /// trial, beyond those of the one before [default: 0]
    #[arg(long, value_name = "ROWS", conflicts_with = "back")]
    max_traps: Option<u64>,

    /// An origin to which a sink may send from now on, in place of all those that it may; several with commas, or given
    /// again; none: to nobody
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',', value_parser = grant, conflicts_with_all = ["back", "trial"])]
    allow: Vec<Grant>,

    /// The pipeline, where several hosts run with the same data folder
    #[arg(long, value_name = "NAME")]
    pipeline: Option<String>,
}

/// What a sink is granted.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Grant {
    Nobody,
    To(Origin),
}

fn grant(text: &str) -> Result<Grant, String> {
    match text {
        "none" => Ok(Grant::Nobody),
        origin => origin.parse().map(Grant::To).map_err(|error: NotAnOrigin| error.to_string()),
    }
}

/// The origins that are granted, if anything is said of them.
fn granted(grants: &[Grant]) -> Result<Option<Vec<Origin>>> {
    let origins: Vec<Origin> = grants
        .iter()
        .filter_map(|grant| match grant {
            Grant::To(origin) => Some(origin.clone()),
            Grant::Nobody => None,
        })
        .collect();
    ensure!(
        grants.len() == origins.len() || origins.is_empty(),
        "--allow none goes with no other origin: it grants nothing"
    );
    Ok((!grants.is_empty()).then_some(origins))
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

/// Batches with rows for which a swap is watched.
pub(super) const WATCHED: u32 = 10;

pub(super) fn run(args: &Args, data: &DataDir) -> Result<()> {
    let Args { max_diff, max_cost, .. } = *args;
    let request = SwapRequest {
        operator: args.operator.clone(),
        component: args.component.clone(),
        trial: args.trial.map(|batches| TrialLimits { batches, max_diff, max_cost }),
        watch: WatchLimits { batches: args.watch.unwrap_or(WATCHED), max_traps: args.max_traps.unwrap_or(0) },
    };
    let client = Client::find(data, args.pipeline.as_deref())?;
    let status = client.status()?;
    if status.sinks.contains_key(&args.operator) {
        return redirect(args, &client);
    }
    ensure!(args.allow.is_empty(), "`{}` is no sink that is a component: --allow is for sinks", args.operator);
    let before = status.operators.iter().find(|running| running.operator == args.operator);
    if let (Some(batches), Some(component), Some(before)) = (args.trial, &args.component, before) {
        eprintln!(
            "trying {component} beside {} for {} with rows in operator `{}`; end this command to give up",
            before.component,
            counted(batches.get().into(), "batch"),
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
    ensure!(
        args.watch.is_none() && args.max_traps.is_none(),
        "`{sink}` is a sink, which is not watched, since rows that were sent are sent: leave --watch and --max-traps out; a call \
         that goes wrong stops the host, and is made again when it is started"
    );
    let component =
        args.component.clone().with_context(|| format!("name the component that `{sink}` is to go back to"))?;
    let request = RedirectRequest { sink: sink.clone(), component, allow: granted(&args.allow)? };
    let Delivering { swap: Redirected { from, to, .. }, waiting } = client.redirect(&request)?;
    outln!(
        "sink `{sink}` runs {} ({}) from the next batch on that begins; before: {} ({})",
        to.component,
        to.digest.short(),
        from.component,
        from.digest.short()
    )?;
    match waiting {
        None => {}
        Some(WaitingBatch { batch, taken_over: true }) => {
            outln!("batch {batch}, which waits for the sink, is delivered by {} from here on", to.component)?;
        }
        Some(WaitingBatch { batch, taken_over: false }) => outln!(
            "batch {batch}, which waits for the sink, stays with {}: {} reads columns that were not staged for it; to have it \
             deliver that batch, too, stop the host and start it again",
            from.component,
            to.component
        )?,
    }
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
        "tried over {} with {}: {}, {:.1?} instead of {:.1?}",
        counted(trial.batches.into(), "batch"),
        counted(trial.rows_in, "row"),
        difference(trial),
        trial.time.1,
        trial.time.0
    )?;
    if let Some(first) = &trial.first_reject {
        outln!("the first row that it rejected, in {first}")?;
    }
    trial.examples.iter().try_for_each(|row| outln!("{row}"))
}

/// What a trial has shown, in a line.
pub(super) fn difference(trial: &Trialled) -> String {
    let (before, now) = trial.rejected;
    let rejected =
        if before == now { String::new() } else { format!(", {} rejected instead of {before}", counted(now, "row")) };
    format!("{}, {:.3} times the fuel{rejected}", trial.differ(), trial.cost())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test should say where")]

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Swap {
        #[command(flatten)]
        args: Args,
    }

    /// The component and the origins that a command line means.
    fn meant(line: &str) -> Result<(Option<String>, Option<Vec<String>>)> {
        let args = Swap::try_parse_from(line.split(' '))?.args;
        let origins = granted(&args.allow)?.map(|origins| origins.iter().map(ToString::to_string).collect());
        Ok((args.component, origins))
    }

    #[test]
    fn an_origin_is_granted_with_each_allow_and_the_component_may_stand_behind_it() {
        let two = || Some(vec!["http://a".to_owned(), "http://b:81".to_owned()]);
        for (line, origins) in [
            ("swap s c@1", None),
            ("swap s --allow http://a c@1", Some(vec!["http://a".to_owned()])),
            ("swap s --allow http://a --allow http://b:81 c@1", two()),
            ("swap s --allow http://a,http://b:81 c@1", two()),
            ("swap s c@1 --allow none", Some(vec![])),
        ] {
            assert_eq!(meant(line).unwrap(), (Some("c@1".to_owned()), origins), "{line}");
        }
        for line in ["swap s c@1 --allow", "swap s c@1 --allow none,http://a", "swap s c@1 --allow c@2"] {
            assert!(meant(line).is_err(), "{line}");
        }
    }
}
