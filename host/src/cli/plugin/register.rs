//! `weir plugin register`: a component into the registry.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use bytesize::ByteSize;

use crate::data_dir::DataDir;

/// What to register, and as what.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// A component, or a core module that can be made one (.wasm), of whatever language
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Its name [default: the one that the SDK wrote into it]
    #[arg(long)]
    name: Option<String>,

    /// Its version [default: the one that the SDK wrote into it]
    #[arg(long = "version", value_name = "VERSION")]
    plugin_version: Option<String>,
}

pub(super) fn run(args: &Args, data: &DataDir) -> Result<()> {
    let at = || format!("{}", args.file.display());
    let folder = args.file.display();
    ensure!(!args.file.is_dir(), "{folder} is a folder: `weir plugin build {folder}` says where the component is");
    let bytes = std::fs::read(&args.file).with_context(|| format!("cannot read {}", at()))?;
    let (name, version) = (args.name.as_deref(), args.plugin_version.as_deref());
    let entry = data.registry().register(&bytes, name, version).with_context(at)?;
    outln!(
        "{} registered: {}, {}, {}",
        entry.name,
        entry.world,
        ByteSize::b(entry.size).display().iec(),
        entry.digest
    )?;
    Ok(())
}
