//! A driver from a pipeline and a data folder: everything opened, checked and put together.

mod open;
mod settle;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use indexmap::IndexMap;
use tokio_util::sync::CancellationToken;

use self::open::{open_sinks, open_sources, open_tables};
use super::batch::Purpose;
use super::checkpointing::Checkpointing;
use super::definition::{self, Definitions};
use super::delivery::is_named;
use super::misfits::Misfits;
use super::placement::{self, Placement};
use super::recovery::{Recovery, check_reach, tell_dropped};
use super::rooms::{open_rooms, restore, rooms, start_states};
use super::watch::Watch;
use super::{
    BatchLog, BatchStats, Clock, Cut, DeadLetters, Driver, Handle, LogLimits, Parts, Record, Runner, Sources, Tables,
    Typed, received, retry,
};
use crate::block::BlockStore;
use crate::checkpoint::{Checkpoints, Location, Restored};
use crate::data_dir::PipelineDir;
use crate::fault;
use crate::operator::Metering;
use crate::pipeline::{Missed, Pipeline};
use crate::place::Place;
use crate::plan::{Operators, Pool, Rooms};
use crate::sink::{SharedWriter, Sink};
use crate::source::{Mode, Source, SourceContext};
use crate::state::Store;
use crate::storage::{Disk, Storage};
use crate::table::TableStore;
use crate::time::BatchTime;

/// How much of a pipeline is to be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// Everything.
    Everything {
        /// What was left from before was settled for it.
        settled: bool,
    },
    /// Only what is to be computed again of batches that were committed.
    Settling,
}

/// For so many batches a live run's sinks remember what they have written.
const HORIZON_BATCHES: u32 = 1000;

/// Opens a source.
pub type OpenSource = Arc<dyn Fn(&SourceContext) -> Result<Box<dyn Source>> + Send + Sync>;

/// What a run is put on. A simulation gives it a disk, sources and sinks of its own.
#[derive(Clone)]
pub struct Ground {
    /// Where logs, definitions and dead letters lie.
    pub storage: Arc<dyn Storage>,
    /// Where checkpoints lie; none: where the pipeline says.
    pub checkpoints: Option<Location>,
    /// Sinks that are open already, by name; the others are opened as the pipeline says.
    pub sinks: IndexMap<String, Arc<dyn Sink>>,
    /// How sources are opened, by name; the others are opened as the pipeline says.
    pub sources: IndexMap<String, OpenSource>,
    /// When the batch log is shortened.
    pub log: LogLimits,
}

impl Default for Ground {
    fn default() -> Self {
        let (sinks, sources) = Default::default();
        let log = if fault::short_log() { LogLimits { bytes: 0, batches: 2 } } else { LogLimits::default() };
        Self { storage: Arc::new(Disk), checkpoints: None, sinks, sources, log }
    }
}

impl Ground {
    /// The checkpoints that the runs before have left, and the newest.
    async fn checkpoints(
        &self,
        folder: &PipelineDir,
        keep: Duration,
        wanted: Option<&Place>,
    ) -> Result<(Checkpoints, Option<Restored>)> {
        match &self.checkpoints {
            Some(location) => Checkpoints::open(location.clone(), keep).await,
            None => Placement::of(self.storage.clone(), folder)?.checkpoints(keep, wanted).await,
        }
    }
}

/// How a pipeline is to be run.
pub struct Setup {
    /// What it is put on.
    pub ground: Ground,
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
    /// Operators and sources of which nothing that cannot be kept is asked for.
    pub give_up: Vec<String>,
    /// Whether operators and sinks run what the pipeline names, though something else was swapped in.
    pub drop_swaps: bool,
    /// Called with each batch that is committed.
    pub on_batch: Box<dyn FnMut(&BatchStats) + Send>,
}

impl Setup {
    /// Opens logs, sinks and sources, in this order: nothing is received before it can be kept. A live run goes on where
    /// the one before left off.
    pub async fn open(self, typed: Typed, operators: Arc<Operators>, folder: &PipelineDir) -> Result<(Driver, Handle)> {
        let settled = self.mode == Mode::Live && self.settle(&typed, &operators, folder).await?;
        self.open_for(Extent::Everything { settled }, typed, operators, folder).await
    }

    async fn open_for(
        self,
        extent: Extent,
        mut typed: Typed,
        operators: Arc<Operators>,
        folder: &PipelineDir,
    ) -> Result<(Driver, Handle)> {
        let pipeline = typed.loaded.pipeline.clone();
        let (batch, interval) = (&pipeline.batch, pipeline.batch.interval.0);
        let (mut log, records) = BatchLog::open(&*self.ground.storage, &folder.log())?;
        let wanted = place(&pipeline)?;
        let (mut checkpoints, mut restored) = match self.mode {
            Mode::Once => (None, None),
            Mode::Live => {
                let keep = pipeline.checkpoint.keep.map_or(Duration::ZERO, |keep| keep.0);
                let (checkpoints, restored) = self.ground.checkpoints(folder, keep, wanted.as_ref()).await?;
                (Some(checkpoints), restored)
            }
        };
        check_reach(&records, restored.as_ref().map(|restored| restored.batch))?;
        let oldest = checkpoints.as_ref().and_then(Checkpoints::oldest);
        let checkpointed = restored.as_ref().map(|restored| restored.batch);
        let unforgotten = received::unforgotten(&records, oldest, checkpointed);
        let mut recovery = Recovery::of(&records, restored.as_ref());
        let definition = definition::digest(&pipeline)?;
        let is_same = recovery.definition == Some(definition);
        let goes_on = is_same && !(self.drop_swaps && recovery.has_swaps(&pipeline));
        let (mut before, mut dropped) = (HashMap::new(), Vec::new());
        if goes_on {
            // What was swapped in stays, as it would have without the restart.
            before = typed.resume(&recovery.running, &recovery.before, &operators)?;
            for (sink, with) in recovery.delivering.iter().filter(|(sink, with)| !is_named(&pipeline, sink, with)) {
                tracing::info!(
                    sink,
                    delivers = with.component,
                    "the sink goes on with the component and the grants of the last swap, not with those of the pipeline file"
                );
                typed.deliver(sink, with);
            }
        } else if extent != Extent::Settling {
            let first = recovery.last.map_or(BatchTime::from_millis(0), |last| last.next(interval));
            dropped = recovery.dropped(&typed, operators.components().registry(), first)?;
        }
        let rooms = rooms(&typed)?;
        let kept = restored.as_ref().map(|restored| restored.specs.clone()).unwrap_or_default();
        let mut misfits = Misfits::of(&typed, &rooms, &kept, &recovery, &operators)?;
        misfits.add_streams(&typed, restored.iter().flat_map(Restored::kept_columns));
        match extent {
            // What is given up need not have left anything.
            Extent::Everything { settled: true } => misfits.refuse(&typed.loaded.name, &self.give_up)?,
            _ => misfits.check(&typed.loaded.name, &self.give_up)?,
        }
        dropped.iter().for_each(tell_dropped);
        // Opened when nothing is refused any more: some make what they write to.
        let sinks = match extent {
            Extent::Everything { .. } => {
                // Only the last batch of a live run can run again, as a batch is begun when the one before is known to be
                // committed; the rest is for people who look.
                let horizon = (self.mode == Mode::Live).then(|| interval.saturating_mul(HORIZON_BATCHES));
                open_sinks(&self.ground, &typed, &operators, &folder.spool(), self.output.clone(), horizon).await?
            }
            // What is computed again is for no sink. The definition stays whole: it is kept until this is done.
            Extent::Settling => IndexMap::new(),
        };
        recovery.leave_out(&misfits);
        restored.iter_mut().for_each(|restored| restored.leave_out(&misfits.names()));
        if let Some(checkpoints) =
            checkpoints.as_mut().filter(|_| extent != Extent::Settling && self.ground.checkpoints.is_none())
        {
            let placement = Placement::of(self.ground.storage.clone(), folder)?;
            placement.move_to(wanted.as_ref(), &typed.loaded.name, checkpoints).await?;
        }
        let first = match self.mode {
            Mode::Once => self.start,
            Mode::Live => {
                // Where all was forgotten, no batch was missed.
                let missed = if recovery.begun { batch.missed } else { Missed::Coalesce };
                first_batch(recovery.last, self.clock.now(), interval, missed)
            }
        };
        let blocks = match self.mode {
            Mode::Once => BlockStore::new(batch.block_memory.0),
            Mode::Live => {
                let cuts = received::cut_blocks(&records, oldest);
                BlockStore::open(self.ground.storage.clone(), &folder.blocks(), batch.block_memory.0, &cuts)?
            }
        };
        let sources = match extent {
            Extent::Everything { .. } => open_sources(&self.ground, &typed, &recovery, &blocks, self.mode)?,
            Extent::Settling => Sources::new(Vec::new(), interval, None)?,
        };
        let table_store = Arc::new(TableStore::at(&folder.tables()));
        let tables = open_tables(&mut typed, &table_store, self.mode, &records, oldest)?;
        let pool = Pool::new(self.threads.get())?;
        let state = Arc::new(Store::default());
        open_rooms(&state, rooms, restored.as_ref());
        let known: Vec<String> = restored.iter().flat_map(|restored| restored.specs.keys().cloned()).collect();
        if let Some(restored) = restored {
            restore(restored, &state, &pool);
        }
        // A host that was killed before its first checkpoint starts as it started then.
        let begun = recovery.recompute.first().or(recovery.unfinished.first());
        let begun = begun.filter(|_| checkpointed.is_none() && goes_on);
        let contents = |table: &str| match begun.and_then(|cut| cut.tables.iter().find(|(name, _)| name == table)) {
            Some((_, digest)) => table_store.get(*digest),
            None => tables.now(table).with_context(|| format!("table `{table}` was not read")),
        };
        start_states(&typed, &state, contents, &known, begun.map_or(first, |cut| cut.batch), &pool)?;
        let checkpointing = checkpoints.map(|checkpoints| {
            state.track();
            let every = pipeline.checkpoint.interval.0;
            // What was given up is wanted again until a checkpoint is without it.
            let begun = if misfits.names().is_empty() { self.clock.now() } else { 0 };
            Checkpointing::new(checkpoints, every, recovery.checkpointed.clone(), begun)
        });
        // From here on, what is cut is of this definition.
        Definitions::at(self.ground.storage.clone(), &folder.definitions()).keep(&pipeline, &records)?;
        // The first batch comes whatever there is; after that, a batch for which no source has anything left does not.
        let ended = extent == Extent::Settling || (recovery.begun && sources.ended());
        let watched = recovery.watch.take().filter(|_| extent != Extent::Settling);
        let watch = watched.and_then(|watched| {
            let from = before.get(&watched.from.operator).filter(|before| before.running == watched.from)?;
            Some(Watch::resumed(from.clone(), watched, first))
        });
        let started = Record::Started {
            engine: operators.components().engine().identity(),
            definition,
            after: recovery.last.unwrap_or(BatchTime::from_millis(0)),
        };
        let dead_letters = DeadLetters::at(self.ground.storage.clone(), &folder.dead_letters());
        if extent != Extent::Settling {
            retry::catch_up(&dead_letters, &records)?;
        }
        let runner = Runner {
            rooms: Arc::new(Rooms { operators, blocks, sinks, state, tables: table_store, pool }),
            dead_letters,
            clock: self.clock.clone(),
            outages: Arc::default(),
            ending: CancellationToken::new(),
            cores: cores(),
            bound: None,
            metering: Metering::WhenLong,
        };
        if extent == Extent::Settling {
            recovery.unfinished.clear();
            recovery.leave_out_redone();
        } else if !goes_on {
            // What is cut again is of this definition and runs what it names, and the log must say so before.
            log.append(&started)?;
            if is_same {
                dropped.iter().try_for_each(|record| log.append(record))?;
            }
            recut(recovery.open_cuts(), &typed, &tables, &mut log)?;
        }
        let backlog = recovery.backlog();
        let Self { mode, clock, on_batch, .. } = self;
        let log = log.with_limits(self.ground.log);
        let storage = self.ground.storage.clone();
        let deliveries = typed.deliveries(runner.rooms.operators.components().registry())?;
        let parts = Parts {
            typed,
            sources,
            tables,
            runner,
            log,
            storage,
            clock,
            mode,
            first,
            backlog,
            ended,
            before,
            watch,
            checkpointing,
            unforgotten,
            started,
            deliveries,
            on_batch,
        };
        Ok(Driver::new(parts))
    }
}

/// Where the pipeline wants its checkpoints.
fn place(pipeline: &Pipeline) -> Result<Option<Place>> {
    pipeline.checkpoint.location.as_ref().map(placement::absolute).transpose()
}

/// Batches that are open are batches of the pipeline as it is now: what made one fail may be mended. What they read of sources
/// stays.
fn recut<'c>(
    open: impl Iterator<Item = (&'c mut Cut, Purpose)>,
    typed: &Typed,
    tables: &Tables,
    log: &mut BatchLog,
) -> Result<()> {
    for (cut, purpose) in open {
        cut.operators = typed.running();
        cut.tables = tables.cut(cut.batch, &[])?;
        if !cut.retried.is_empty() {
            ensure!(
                purpose == Purpose::Run,
                "batch {} is to be made anew after a rollback, and took dead letters that the pipeline as it is now need not \
                 take: put the pipeline back as it was, or start with --fresh, which begins anew and forgets all states",
                cut.batch
            );
            // They need not fit any more, and nothing is lost.
            tracing::warn!(batch = %cut.batch, "dead letters do not go with a batch that was cut before the pipeline changed: they stay");
            cut.retried.clear();
        }
        log.append(&Record::Cut(cut.clone()))?;
    }
    Ok(())
}

/// How many cores there are.
pub fn cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// The batch after the last, however long ago that was; where missed batches are not to be run, or there was none, the
/// one whose interval is going on.
fn first_batch(last: Option<BatchTime>, now: u64, interval: Duration, missed: Missed) -> BatchTime {
    let current = BatchTime::after(now, interval);
    let Some(next) = last.filter(|last| last.as_millis() > 0).map(|last| BatchTime::after(last.as_millis(), interval))
    else {
        return current;
    };
    if next > current {
        tracing::warn!(first_batch = %next, "the clock is behind the batches of the run before; waiting for it");
    }
    match missed {
        Missed::Run => next,
        Missed::Coalesce => next.max(current),
    }
}
