//! `weir replay`: a past batch computed again, as it was or with another component.

use std::num::NonZeroUsize;
use std::sync::Arc;

use anyhow::{Result, bail};
use bytesize::ByteSize;

use super::check::operators;
use super::progress::fuel;
use crate::counted::counted;
use crate::data_dir::{DataDir, PipelineCopy};
use crate::driver::{Compared, Difference, Recomputed, Replay, Side, Tried, cores};
use crate::operator::{Engine, Reference};
use crate::plan::Operators;
use crate::time::BatchTime;

/// Which batch, and how.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The batch: its time, as in 2026-01-31T12:00:00.500Z, or in milliseconds since 1970, as in `batch_time=…`
    batch: BatchTime,

    /// Run another component in an operator's place, and show which rows differ
    #[arg(long, value_name = "OPERATOR=NAME@VERSION", value_parser = replacement)]
    with: Option<(String, Reference)>,

    /// Show at most so many rows that differ
    #[arg(long, value_name = "N", default_value_t = 20)]
    rows: usize,

    #[command(flatten)]
    past: PastArgs,
}

/// Whose past, and on how many threads.
#[derive(Debug, clap::Args)]
pub(super) struct PastArgs {
    /// The pipeline, where the data folder knows several
    #[arg(long, value_name = "NAME")]
    pipeline: Option<String>,

    /// The last run with --once, not the live ones
    #[arg(long)]
    once: bool,

    /// Threads on which operators run [default: one for each core]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

impl PastArgs {
    /// A copy of what the pipeline's runs have left.
    pub(super) fn copy(&self, data: &DataDir) -> Result<PipelineCopy> {
        data.copy(&pipeline(self.pipeline.as_deref(), data)?, self.once)
    }

    pub(super) fn threads(&self) -> NonZeroUsize {
        self.threads.unwrap_or_else(cores)
    }
}

/// The pipeline that is asked for, or the only one that was run.
pub(super) fn pipeline(named: Option<&str>, data: &DataDir) -> Result<String> {
    let known = data.pipelines()?;
    Ok(match (named, known.as_slice()) {
        (Some(name), _) => name.to_owned(),
        (None, [only]) => only.clone(),
        (None, []) => bail!("no pipeline was run with the data folder {}", data.root().display()),
        (None, several) => {
            bail!("several pipelines were run here: say which with --pipeline ({})", several.join(", "))
        }
    })
}

fn replacement(text: &str) -> Result<(String, Reference), String> {
    let (operator, reference) = text.split_once('=').ok_or("write OPERATOR=NAME@VERSION, as in words=words@0.2.0")?;
    let reference = reference.parse::<Reference>().map_err(|e| e.to_string())?;
    Ok((operator.to_owned(), reference))
}

pub(super) fn run(args: &Args, data: &DataDir) -> Result<()> {
    let folder = args.past.copy(data)?;
    let operators = operators(data, Engine::counting()?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(replay(args, &folder, operators)).map_err(|error| folder.told(error))
}

async fn replay(args: &Args, folder: &PipelineCopy, operators: Arc<Operators>) -> Result<()> {
    let mut replay = Replay::open(folder, operators, args.past.threads(), args.batch).await?;
    if let Some((operator, reference)) = &args.with {
        let tried = replay.with(operator, reference).await?;
        return show_tried(operator, &tried, args.rows);
    }
    let done = replay.step().await?;
    show(&done)?;
    let differing: Vec<&str> = differing(&done).collect();
    if !differing.is_empty() {
        bail!("batch {} gives other rows than it did: {}", done.batch, differing.join(", "));
    }
    Ok(())
}

/// The streams whose rows are others than they were.
pub(super) fn differing(done: &Recomputed) -> impl Iterator<Item = &str> {
    done.streams.iter().filter(|(_, compared)| compared.differs()).map(|(name, _)| name.as_str())
}

fn show(done: &Recomputed) -> Result<()> {
    outln!("batch {}", done.batch)?;
    for (name, compared) in &done.streams {
        let Compared { ran, then, now } = compared;
        let what = ran.as_ref().map(|ran| format!(" ({}, {})", ran.component, ran.digest.short())).unwrap_or_default();
        let verdict = match then {
            None => "nobody read it then",
            Some(_) if compared.differs() => "OTHER ROWS than then",
            Some(_) => "the same rows as then",
        };
        outln!("{name}{what}: {verdict}; {}", costs(now))?;
    }
    Ok(())
}

fn costs(side: &Side) -> String {
    let meter = &side.meter;
    let mut text = format!("{} out, {}", meter.rows_out, ByteSize::b(meter.bytes_out).display().iec());
    if meter.calls > 0 {
        text.push_str(&format!(
            "; {}{}, at most {} of memory, {:.1?}",
            counted(meter.calls, "call"),
            fuel(meter),
            ByteSize::b(meter.peak_memory).display().iec(),
            meter.time
        ));
    }
    text
}

fn show_tried(operator: &str, tried: &Tried, most: usize) -> Result<()> {
    for (label, (running, side)) in [("before", &tried.before), ("after", &tried.after)] {
        outln!("{label}: {operator} ({}, {}): {}", running.component, running.digest.short(), costs(side))?;
    }
    let (before, after) = (&tried.before.1.meter, &tried.after.1.meter);
    outln!(
        "change: fuel {}, memory {}, time {}, rejected {} to {}",
        change(before.fuel, after.fuel),
        change(before.peak_memory, after.peak_memory),
        change(nanos(before), nanos(after)),
        before.rejected,
        after.rejected
    )?;
    let difference = Difference::of(&tried.rows.0, &tried.rows.1);
    let Difference { removed, added, common } = &difference;
    if removed.is_empty() && added.is_empty() {
        return match tried.before.1.rows == tried.after.1.rows {
            true => outln!("rows: all {common} are the same"),
            false => outln!("rows: all {common} are the same, in another order"),
        };
    }
    outln!("rows: {common} the same, {} gone, {} new", removed.len(), added.len())?;
    let shown = removed.iter().map(|row| ("-", row)).chain(added.iter().map(|row| ("+", row)));
    for (sign, row) in shown.take(most) {
        outln!("{sign} {row}")?;
    }
    let hidden = (removed.len() + added.len()).saturating_sub(most);
    if hidden > 0 {
        outln!("… {hidden} more; show them with --rows {}", removed.len() + added.len())?;
    }
    Ok(())
}

fn nanos(meter: &crate::plan::OperatorMeter) -> u64 {
    u64::try_from(meter.time.as_nanos()).unwrap_or(u64::MAX)
}

/// A change in percent.
fn change(before: u64, after: u64) -> String {
    match before {
        0 if after == 0 => "+0.0 %".to_owned(),
        0 => "from nothing".to_owned(),
        _ => format!("{:+.1} %", (after as f64 / before as f64 - 1.0) * 100.0),
    }
}
