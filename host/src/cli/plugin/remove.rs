//! `weir plugin remove`: a name out of the registry.

use anyhow::{Result, bail};

use crate::data_dir::DataDir;
use crate::operator::Reference;

/// What to forget.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The component
    #[arg(value_name = "NAME@VERSION")]
    name: String,
}

pub(super) fn run(args: &Args, data: &DataDir) -> Result<()> {
    let Reference::Name(name) = args.name.parse()? else {
        bail!("give the name to be forgotten, as `weir plugin list` shows it: name@version");
    };
    data.registry().remove(&name)?;
    outln!("{name} removed")?;
    Ok(())
}
