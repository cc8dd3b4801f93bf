//! `weir swap`: another component in an operator's place, between two batches.

use anyhow::Result;

use crate::control::{Client, SwapRequest};
use crate::data_dir::DataDir;

/// What to put where.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The operator's name in the pipeline file
    operator: String,

    /// The component: name@version, or sha256:… and its digest
    #[arg(value_name = "NAME@VERSION", required_unless_present = "back", conflicts_with = "back")]
    component: Option<String>,

    /// Go back to the component that ran before the last swap
    #[arg(long)]
    back: bool,

    /// The pipeline, where several hosts run with the same data folder
    #[arg(long, value_name = "NAME")]
    pipeline: Option<String>,
}

pub(super) fn run(args: &Args, data: &DataDir) -> Result<()> {
    let request = SwapRequest { operator: args.operator.clone(), component: args.component.clone() };
    let swapped = Client::find(data, args.pipeline.as_deref())?.swap(&request)?;
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
