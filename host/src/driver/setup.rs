//! A driver from a pipeline and a data folder: everything opened, checked and put together.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use indexmap::IndexMap;

use super::planner::totals;
use super::typed::TypedOperator;
use super::{
    BatchLog, BatchStats, Clock, DeadLetters, Driver, Handle, Parts, Record, Runner, Sources, Tables, Typed, initial,
};
use crate::block::BlockStore;
use crate::data_dir::PipelineDir;
use crate::plan::{KEY_GROUPS, Operators, Pool, Rooms};
use crate::sink::{self, SharedWriter, Sink};
use crate::source::{self, Mode, SourceContext};
use crate::state::{KeyedSpec, Staged, Store};
use crate::table::TableStore;
use crate::time::BatchTime;
use crate::units::Refresh;

/// How a pipeline is to be run.
pub struct Setup {
    /// Whether to follow the clock, or to read all input at once.
    pub mode: Mode,
    /// Compute threads.
    pub threads: NonZeroUsize,
    /// The first batch, when all input is read at once.
    pub start: BatchTime,
    /// Cuts the stream.
    pub clock: Arc<dyn Clock>,
    /// Where `stdout` sinks print.
    pub output: SharedWriter,
    /// Called with each batch that is committed.
    pub on_batch: Box<dyn FnMut(&BatchStats) + Send>,
}

impl Setup {
    /// Opens sinks, log and sources, in this order: nothing is received before it can be kept.
    pub fn open(self, mut typed: Typed, operators: Arc<Operators>, folder: &PipelineDir) -> Result<(Driver, Handle)> {
        let pipeline = &typed.loaded.pipeline;
        let batch = &pipeline.batch;
        let interval = batch.interval.0;
        let partitions = batch.partitions.unwrap_or_else(cores);
        let mut sinks: IndexMap<String, Arc<dyn Sink>> = IndexMap::new();
        for (name, spec) in &pipeline.sinks {
            let schema = typed.union(spec.inputs())?;
            sinks.insert(name.clone(), sink::open(name, spec, schema, self.output.clone())?);
        }
        let (log, records) = BatchLog::open(&folder.log())?;
        let first = match self.mode {
            Mode::Once => self.start,
            Mode::Live => first_batch(&records, self.clock.now(), interval),
        };
        let blocks = BlockStore::new(batch.block_memory.0);
        let context = SourceContext {
            store: blocks.clone(),
            interval,
            block_interval: batch.block_interval.0,
            block_size: batch.block_size.0,
            mode: self.mode,
            runtime: tokio::runtime::Handle::current(),
        };
        let mut opened = Vec::with_capacity(typed.sources.len());
        for (name, source) in &typed.sources {
            opened.push((name.clone(), source::open(name, &pipeline.sources[name], &source.decoding, &context)?));
        }
        let controlled = self.mode == Mode::Live && batch.backpressure.enabled;
        let sources = Sources::new(opened, interval, controlled.then_some(&batch.backpressure))?;
        let table_store = Arc::new(TableStore::at(&folder.tables()));
        let tables = open_tables(&mut typed, &table_store, self.mode, &records)?;
        let pool = Pool::new(self.threads.get())?;
        let state = Arc::new(Store::default());
        let before_first = first.as_millis().saturating_sub(u64::try_from(interval.as_millis()).unwrap_or(u64::MAX));
        make_room(&typed, &state, &tables, BatchTime::from_millis(before_first), &pool)?;
        let runner = Runner {
            rooms: Arc::new(Rooms { operators, blocks, sinks, state, tables: table_store, pool }),
            dead_letters: DeadLetters::at(&folder.dead_letters()),
            partitions,
        };
        let Self { mode, clock, on_batch, .. } = self;
        Ok(Driver::new(Parts { typed, sources, tables, runner, log, clock, mode, first, on_batch }))
    }
}

/// Takes over the tables that are of use. One that no query reads is never read again.
fn open_tables(typed: &mut Typed, store: &Arc<TableStore>, mode: Mode, records: &[Record]) -> Result<Tables> {
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
    Tables::open(used, store.clone(), mode, typed.windows.longest_kept(), records)
}

/// Makes room for the states that operators keep, with what keys start with.
fn make_room(typed: &Typed, state: &Store, tables: &Tables, before_first: BatchTime, pool: &Pool) -> Result<()> {
    for (name, spec) in typed.kept_windows()? {
        state.keyed.open(&name, spec, KEY_GROUPS);
    }
    for (name, operator) in &typed.operators {
        match operator {
            TypedOperator::State { keyed, .. } => {
                let is_new = state.keyed.open(name, keyed.clone(), KEY_GROUPS);
                let Some(table) = typed.initial(name).filter(|_| is_new) else { continue };
                let contents = tables.now(table).with_context(|| format!("table `{table}` was not read"))?;
                let states = initial::states(name, table, &contents, keyed, before_first.as_millis());
                let delta = states.with_context(|| format!("operator `{name}`"))?;
                let staged = Staged { deltas: vec![delta], ..Staged::default() };
                pool.install(|| state.commit(before_first, staged));
            }
            TypedOperator::Aggregate { key_columns, accumulator, retracts: true, .. }
                if typed.windows.folded(name, &typed.loaded.pipeline).is_some() =>
            {
                let (key, state_columns) = (Arc::new(key_columns.schema()), Arc::new(accumulator.schema()));
                let spec = KeyedSpec { key, state: state_columns, version: 0, timeout: None };
                state.keyed.open(&totals(name), spec, KEY_GROUPS);
            }
            _ => {}
        }
    }
    Ok(())
}

/// How many cores there are.
pub fn cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// The end of the interval that is going on, but never a batch time that a live run has used before.
fn first_batch(records: &[Record], now: u64, interval: Duration) -> BatchTime {
    let first = BatchTime::after(now, interval);
    let mut live = false;
    let mut last = None;
    for record in records {
        match record {
            Record::Started { live: follows_the_clock, .. } => live = *follows_the_clock,
            Record::Cut(cut) if live => last = last.max(Some(cut.batch)),
            _ => {}
        }
    }
    match last {
        Some(last) if last >= first => {
            let next = last.next(interval);
            tracing::warn!(first_batch = %next, "the clock is behind the batches of the run before; waiting for it");
            next
        }
        _ => first,
    }
}
