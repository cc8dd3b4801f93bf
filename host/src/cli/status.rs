//! `weir status`: what a running host is doing.

use anyhow::Result;
use bytesize::ByteSize;

use super::progress::{fuel, line};
use super::swap::{difference, origins};
use crate::control::{Client, Delivers, Outage, RolledBack, Status, Trying, Watching};
use crate::counted::counted;
use crate::data_dir::DataDir;

/// Which host.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The pipeline, where several hosts run with the same data folder
    #[arg(long, value_name = "NAME")]
    pipeline: Option<String>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, data: &DataDir) -> Result<()> {
    let status = Client::find(data, args.pipeline.as_deref())?.status()?;
    if args.json {
        outln!("{}", serde_json::to_string_pretty(&status)?)?;
    } else {
        print(&status)?;
    }
    Ok(())
}

fn print(status: &Status) -> Result<()> {
    outln!(
        "pipeline {}: {} of {}, {} in, {} out, {} rejected",
        status.pipeline,
        counted(status.batches, "batch"),
        humantime::format_duration(status.interval),
        counted(status.rows_in, "row"),
        status.rows_out,
        status.rejected
    )?;
    if let Some(last) = &status.last {
        outln!("last {}", line(last))?;
    }
    for (source, rate) in &status.rates {
        outln!("source {source}: at most {rate:.0} rows a second, by the rate controller")?;
    }
    for (source, watermark) in &status.watermarks {
        outln!("source {source}: watermark {watermark}")?;
    }
    for (name, meter) in &status.meters {
        let running = status.operators.iter().find(|r| r.operator == *name);
        let what = running.map(|r| format!(" ({}, {})", r.component, r.digest.short())).unwrap_or_default();
        out!("{name}{what}: ")?;
        // How many rows a query takes is its own affair.
        if running.is_some() || meter.rows_in > 0 {
            out!("{} in", counted(meter.rows_in, "row"))?;
            // Of a source, rows are known as they are made of records.
            if running.is_some() {
                out!(", {}", ByteSize::b(meter.bytes_in).display().iec())?;
            }
            out!("; ")?;
        }
        out!("{} out, {}, {} rejected", meter.rows_out, ByteSize::b(meter.bytes_out).display().iec(), meter.rejected)?;
        if meter.trapped > 0 {
            out!(", on {} of which it went wrong", meter.trapped)?;
        }
        if meter.late > 0 {
            out!(", {} late", meter.late)?;
        }
        if meter.calls > 0 {
            out!(
                "; {} in {:.1?}{}, at most {} of memory",
                counted(meter.calls, "call"),
                meter.time,
                fuel(meter),
                ByteSize::b(meter.peak_memory).display().iec()
            )?;
        }
        outln!()?;
    }
    if let Some(Outage { sink, batch, reason, .. }) = &status.waiting {
        outln!("sink {sink} is not available, and batch {batch} waits for it: {reason}")?;
    }
    for (name, Delivers { component, digest, allow }) in &status.sinks {
        outln!("sink {name} ({component}, {}): may send to {}", digest.short(), origins(allow))?;
    }
    for (name, state) in &status.states {
        let size = ByteSize::b(state.bytes).display().iec();
        outln!("{name}: keys {}, state {size}", grouped(state.keys))?;
    }
    for (name, kept) in &status.kept {
        let (batches, rows) = (grouped(kept.batches), grouped(kept.rows));
        outln!("{name}: batches kept {batches}, rows kept {rows}")?;
    }
    if let Some(Trying { from, to, limits, shown }) = &status.trial {
        outln!(
            "operator {}: {} is tried beside {}, {} of {} with rows so far: {}",
            to.operator,
            to.component,
            from.component,
            shown.batches,
            counted(limits.batches.get().into(), "batch"),
            difference(shown)
        )?;
    }
    if let Some(Watching { from, to, limits, batches, trapped }) = &status.watch {
        outln!(
            "operator {}: {} is watched, {batches} of {} with rows so far: it went wrong on {}, and is rolled back to {} on \
             more than {}",
            to.operator,
            to.component,
            counted(limits.batches.into(), "batch"),
            counted(*trapped, "row"),
            from.component,
            limits.max_traps
        )?;
    }
    if let Some(RolledBack { from, to, first_batch, why }) = &status.rolled_back {
        outln!(
            "operator {}: {} was rolled back to {}, from batch {first_batch} on: {why}",
            to.operator,
            from.component,
            to.component
        )?;
    }
    Ok(())
}

/// A number with its thousands marked: `12,345`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_marked() {
        let texts = [0, 999, 1000, 12_345, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "12,345", "1,234,567"]);
    }
}
