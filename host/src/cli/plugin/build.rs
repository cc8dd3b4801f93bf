//! `weir plugin build`: an operator project to a component.

use std::path::PathBuf;

use anyhow::Result;
use bytesize::ByteSize;

use crate::project::{Built, Project};

/// What to build.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The project's folder
    #[arg(value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let Built { path, world, size } = Project::at(&args.folder)?.build()?;
    outln!("{} ({world}, {})", path.display(), ByteSize::b(size).display().iec())?;
    outln!("register it with: weir plugin register {}", path.display())?;
    Ok(())
}
