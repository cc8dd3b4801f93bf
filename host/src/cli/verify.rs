//! `weir verify`: past batches computed again, to see that the same rows come out.

use std::sync::Arc;

use anyhow::{Result, bail, ensure};

use super::check::operators;
use super::replay::{PastArgs, differing};
use crate::counted::counted;
use crate::data_dir::{DataDir, PipelineCopy};
use crate::driver::{Past, Replay};
use crate::operator::Engine;
use crate::plan::Operators;
use crate::time::BatchTime;

/// Which batches.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// From this batch on [default: from the oldest that can be computed again]
    #[arg(long, value_name = "BATCH")]
    from: Option<BatchTime>,

    /// Up to this batch [default: the last that is committed]
    #[arg(long, value_name = "BATCH")]
    to: Option<BatchTime>,

    #[command(flatten)]
    past: PastArgs,
}

pub(super) fn run(args: &Args, data: &DataDir) -> Result<()> {
    let folder = args.past.copy(data)?;
    let operators = operators(data, Engine::counting()?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let verified = runtime.block_on(verify(args, &folder, operators));
    let (batches, differing) = verified.map_err(|error| folder.told(error))?;
    outln!("batches {batches} differing {differing}")?;
    if differing > 0 {
        let give = if differing == 1 { "gives other rows than it did" } else { "give other rows than they did" };
        bail!("{differing} of {} {give}", counted(batches, "batch"));
    }
    Ok(())
}

async fn verify(args: &Args, folder: &PipelineCopy, operators: Arc<Operators>) -> Result<(u64, u64)> {
    let past = Past::read(folder).await?;
    let wanted = |batch: &BatchTime| Some(*batch) >= args.from && args.to.is_none_or(|to| *batch <= to);
    let mut todo = past.replayable().filter(wanted).peekable();
    if todo.peek().is_none() {
        match past.replayable().next() {
            Some(oldest) => bail!("there is no such batch; the oldest that can be computed again is {oldest}"),
            None => bail!("no batch can be computed again"),
        }
    }
    let (mut batches, mut different) = (0, 0);
    while let Some(first) = todo.peek().copied() {
        // One that the pipeline was changed before begins anew, from the checkpoint that was made then.
        let mut replay = Replay::open(folder, operators.clone(), args.past.threads(), first).await?;
        ensure!(replay.next() == Some(first), "batch {first} cannot be computed again: begin after it, with --from");
        while let Some(batch) = todo.next_if(|batch| replay.next() == Some(*batch)) {
            let done = replay.step().await?;
            let streams: Vec<&str> = differing(&done).collect();
            batches += 1;
            if !streams.is_empty() {
                different += 1;
                outln!("batch {batch}: other rows than then: {}", streams.join(", "))?;
            }
        }
    }
    Ok((batches, different))
}
