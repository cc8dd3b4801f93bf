//! `weir bundle`: what an operator was given in a past batch, in a file that runs anywhere.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use bytesize::ByteSize;

use super::check::operators;
use super::replay::PastArgs;
use crate::data_dir::DataDir;
use crate::driver::Replay;
use crate::operator::Engine;
use crate::time::BatchTime;

/// Of which operator, in which batch, and where to.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The batch: its time, as in 2026-01-31T12:00:00.500Z, or in milliseconds since 1970; it may have failed
    batch: BatchTime,

    /// The operator's name in the pipeline file
    operator: String,

    /// The file, which must not be there yet [default: OPERATOR-BATCH.bundle]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,

    #[command(flatten)]
    past: PastArgs,
}

pub(super) fn run(args: &Args, data: &DataDir) -> Result<()> {
    let Args { batch, operator, to, past } = args;
    let to = to.clone().unwrap_or_else(|| format!("{operator}-{}.bundle", batch.as_millis()).into());
    ensure!(!to.exists(), "{} is there already: name another file with --to", to.display());
    let folder = past.copy(data)?;
    let operators = operators(data, Engine::counting()?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let bundle = runtime.block_on(async {
        let replay = Replay::open(&folder, operators, past.threads(), *batch).await?;
        replay.bundle(*batch, operator).await
    });
    let bundle = bundle.map_err(|error| folder.told(error))?;
    let bytes = bundle.to_bytes()?;
    let size = ByteSize::b(bytes.len() as u64).display().iec();
    std::fs::write(&to, bytes).with_context(|| format!("cannot write {}", to.display()))?;
    let to = to.display();
    outln!("{to} ({size}) has what {} was given in batch {batch}; run it with `weir plugin test {to}`", bundle.call())
}
