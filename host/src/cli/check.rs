//! `weir check`: a pipeline file checked and typed, and nothing run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;

use crate::data_dir::DataDir;
use crate::driver::Typed;
use crate::operator::{Components, Engine};
use crate::pipeline::{Loaded, OperatorKind, OperatorSpec, Pipeline};
use crate::plan::Operators;
use crate::rows::describe;

/// What to check.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The pipeline file
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) fn run(args: &Args, data: &DataDir) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let loaded = load(&args.file)?;
    let operators = operators(data)?;
    let typed = runtime.block_on(Typed::new(loaded, &operators))?;
    outln!("{} is sound. Its streams:", args.file.display())?;
    for name in typed.sources.keys() {
        outln!("  source {name}: {}", describe(&typed.streams[name]))?;
    }
    for (name, operator) in &typed.operators {
        let what = operator.call().map_or_else(|| native(&typed.loaded.pipeline.operators[name]), |c| &c.component);
        outln!("  operator {name} ({what}): {}", describe(&typed.streams[name]))?;
    }
    for (name, sink) in &typed.loaded.pipeline.sinks {
        outln!("  sink {name} ({}): takes {}; {}", sink.kind(), sink.inputs().join(", "), sink.delivery())?;
    }
    Ok(())
}

/// What an operator is that is no component.
fn native(operator: &OperatorSpec) -> &'static str {
    match operator.kind() {
        Some(OperatorKind::Sample(_)) => "sample",
        Some(OperatorKind::Repartition(_)) => "repartition",
        Some(OperatorKind::Snapshot(_)) => "snapshot",
        Some(OperatorKind::Window) => "window",
        _ => "sql",
    }
}

/// Reads a pipeline file and prints what is probably a mistake in it.
pub(super) fn load(file: &Path) -> Result<Loaded> {
    let loaded = Pipeline::load(file)?;
    for warning in &loaded.warnings {
        eprintln!("warning: {warning}");
    }
    Ok(loaded)
}

/// The components of a data folder.
pub(super) fn operators(data: &DataDir) -> Result<Arc<Operators>> {
    Ok(Arc::new(Operators::new(Components::new(Engine::new()?, data.registry(), data.cache()))))
}
