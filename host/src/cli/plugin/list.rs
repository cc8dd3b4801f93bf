//! `weir plugin list`: what is registered.

use anyhow::Result;
use bytesize::ByteSize;

use crate::data_dir::DataDir;

/// How to list.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Print whole digests
    #[arg(long)]
    digests: bool,
}

pub(super) fn run(args: &Args, data: &DataDir) -> Result<()> {
    let entries = data.registry().list()?;
    if entries.is_empty() {
        outln!("no components are registered in {}; `weir plugin register FILE` adds one", data.root().display())?;
    }
    let width = entries.iter().map(|e| e.name.to_string().len()).max().unwrap_or(0);
    for entry in entries {
        let digest = if args.digests { entry.digest.to_string() } else { entry.digest.short() };
        let size = ByteSize::b(entry.size).display().iec().to_string();
        outln!("{:<width$}  {:<9}  {size:>10}  {digest}", entry.name.to_string(), entry.world.to_string())?;
    }
    Ok(())
}
