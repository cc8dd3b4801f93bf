//! `weir plugin show`: what a component is.

use std::path::Path;

use anyhow::{Context, Result};
use bytesize::ByteSize;

use crate::data_dir::DataDir;
use crate::operator::{Digest, Reference, componentize, identity, inspect};

/// What to show.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// A registered component, or a file
    #[arg(value_name = "NAME@VERSION or FILE")]
    component: String,
}

pub(super) fn run(args: &Args, data: &DataDir) -> Result<()> {
    let path = Path::new(&args.component);
    let bytes = if path.exists() {
        std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?
    } else {
        let reference: Reference =
            args.component.parse().with_context(|| format!("there is no file {}", path.display()))?;
        let registry = data.registry();
        registry.bytes(registry.resolve(&reference)?)?
    };
    let component = componentize(&bytes).with_context(|| args.component.clone())?;
    let kind = inspect(&component).with_context(|| args.component.clone())?;
    if let Some(own) = identity(&component) {
        outln!("name     {}@{}", own.name, own.version)?;
    }
    outln!("world    {}, of weir:operator@{}", kind.world, kind.version.number())?;
    if kind.wasi {
        outln!("wasi     without a network; clocks stand, randomness is seeded, nothing is open")?;
    }
    outln!("digest   {}", Digest::of(&component))?;
    outln!("size     {}", ByteSize::b(component.len() as u64).display().iec())?;
    for entry in data.registry().list()?.iter().filter(|e| e.digest == Digest::of(&component)) {
        outln!("known as {}", entry.name)?;
    }
    Ok(())
}
