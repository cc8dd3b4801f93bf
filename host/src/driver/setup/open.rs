//! Sinks, sources and tables, opened each where the runs before have left it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use indexmap::IndexMap;

use super::Ground;
use crate::block::BlockStore;
use crate::driver::recovery::Recovery;
use crate::driver::{Record, Sources, Tables, Typed};
use crate::plan::Operators;
use crate::sink::{self, SharedWriter, Sink, SinkContext};
use crate::source::{self, Mode, SourceContext};
use crate::table::TableStore;
use crate::time::BatchTime;
use crate::units::Refresh;

/// Opens the sinks, each with what was swapped in to deliver its rows.
pub(super) async fn open_sinks(
    ground: &Ground,
    typed: &Typed,
    operators: &Operators,
    spool: &Path,
    output: SharedWriter,
    horizon: Option<Duration>,
) -> Result<IndexMap<String, Arc<dyn Sink>>> {
    let context = SinkContext {
        pipeline: typed.loaded.name.clone(),
        output,
        spool: spool.to_owned(),
        components: operators.components(),
        horizon,
    };
    let mut sinks: IndexMap<String, Arc<dyn Sink>> = IndexMap::new();
    for (name, spec) in &typed.loaded.pipeline.sinks {
        let sink = match (ground.sinks.get(name), typed.delivering.get(name)) {
            (Some(sink), _) => sink.clone(),
            (None, Some(with)) => {
                let sink = typed.swapped_sink(name, with, operators, spool);
                sink.with_context(|| format!("sink `{name}`, with {}, which was swapped in", with.component))?
            }
            (None, None) => sink::open(name, spec, typed.union(spec.inputs())?, &context).await?,
        };
        sinks.insert(name.clone(), sink);
    }
    Ok(sinks)
}

/// Opens the sources, each where it was left.
pub(super) fn open_sources(
    ground: &Ground,
    typed: &Typed,
    recovery: &Recovery,
    blocks: &BlockStore,
    mode: Mode,
) -> Result<Sources> {
    let pipeline = &typed.loaded.pipeline;
    let batch = &pipeline.batch;
    let context = SourceContext {
        store: blocks.clone(),
        interval: batch.interval.0,
        block_interval: batch.block_interval.0,
        block_size: batch.block_size.0,
        mode,
        runtime: tokio::runtime::Handle::current(),
    };
    let mut opened = Vec::with_capacity(typed.sources.len());
    for (name, source) in &typed.sources {
        let mut running = match ground.sources.get(name) {
            Some(open) => open(&context)?,
            None => source::open(name, &pipeline.sources[name], &source.decoding, &context)?,
        };
        if let Some(position) = recovery.positions.get(name) {
            running.resume(position).with_context(|| {
                format!(
                    "source `{name}` cannot go on where it was; mend that, or start with --fresh, which begins anew and \
                     forgets all states"
                )
            })?;
        }
        opened.push((name.clone(), running));
    }
    for (name, rows) in blocks.unclaimed() {
        tracing::warn!(
            source = name,
            rows,
            "rows wait for a source that the pipeline does not have, or that receives nothing: they stay in the block log \
             until it has it again"
        );
    }
    let controlled = mode == Mode::Live && batch.backpressure.enabled;
    Sources::new(opened, batch.interval.0, controlled.then_some(&batch.backpressure))
}

/// Takes over the tables that are of use. One that no query reads is never read again.
pub(super) fn open_tables(
    typed: &mut Typed,
    store: &Arc<TableStore>,
    mode: Mode,
    records: &[Record],
    oldest: Option<BatchTime>,
) -> Result<Tables> {
    let mut used = Vec::new();
    for (name, table) in &typed.tables {
        let mut spec = typed.loaded.pipeline.tables[name].clone();
        if !typed.is_queried(name) {
            if !typed.operators.keys().any(|operator| typed.initial(operator) == Some(name)) {
                continue;
            }
            spec.refresh = Refresh::Once;
        }
        used.push((name.clone(), spec, table.clone()));
    }
    typed.forget_rows();
    Tables::open(used, store.clone(), mode, typed.windows.longest_kept(), records, oldest)
}
