//! `weir check`: a pipeline file checked and typed, and nothing run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};

use super::swap::origins;
use crate::data_dir::DataDir;
use crate::driver::Typed;
use crate::operator::{Components, Engine};
use crate::pipeline::{Loaded, OperatorKind, OperatorSpec, Pipeline, SinkSpec};
use crate::plan::Operators;
use crate::rows::describe;
use crate::sink::SinkComponent;

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
    let operators = operators(data, Engine::counting()?);
    let typed = runtime.block_on(Typed::new(loaded, &operators))?;
    check_sinks(&typed, &operators)?;
    outln!("{} is sound. Its streams:", args.file.display())?;
    for name in typed.sources.keys() {
        outln!("  source {name}: {}", describe(&typed.streams[name]))?;
    }
    for (name, operator) in &typed.operators {
        let what = operator.call().map_or_else(|| native(&typed.loaded.pipeline.operators[name]), |c| &c.component);
        outln!("  operator {name} ({what}): {}", describe(&typed.streams[name]))?;
    }
    for (name, sink) in &typed.loaded.pipeline.sinks {
        let (what, more) = described(sink);
        outln!("  sink {name} ({what}): takes {}; {}{more}", sink.inputs().join(", "), sink.delivery())?;
    }
    Ok(())
}

/// What a sink is; and what it may do, if it is a component.
fn described(sink: &SinkSpec) -> (&str, String) {
    let SinkSpec::Component { component, allow, .. } = sink else { return (sink.kind(), String::new()) };
    (component, format!("; may send to {}", origins(allow)))
}

/// Compiles the sinks that are components, and asks them whether they take their rows.
fn check_sinks(typed: &Typed, operators: &Operators) -> Result<()> {
    for (name, sink) in &typed.loaded.pipeline.sinks {
        let input = typed.union(sink.inputs())?;
        SinkComponent::of(&typed.loaded.name, name, sink, &input, operators.components())
            .with_context(|| format!("sink `{name}`"))?;
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

/// The components of a data folder, on an engine.
pub(super) fn operators(data: &DataDir, engine: Engine) -> Arc<Operators> {
    Arc::new(Operators::new(Components::new(engine, data.registry(), data.cache())))
}
