//! A driver put together, from what was opened for it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, RwLock};
use std::time::Instant;

use tokio::sync::mpsc;

use super::checkpointing::Checkpointing;
use super::retry::Retries;
use super::watch::Watch;
use super::{
    BatchLog, BatchStats, Clock, Cut, Delivers, Driver, Fitting, Handle, Purpose, Queued, Record, Runner, Sources,
    Status, Tables, Typed,
};
use crate::block::BlockId;
use crate::source::Mode;
use crate::storage::Storage;
use crate::time::BatchTime;

/// What a driver is made of.
pub(super) struct Parts {
    /// The pipeline.
    pub(super) typed: Typed,
    /// Its sources, opened.
    pub(super) sources: Sources,
    /// What its batches read beside the stream.
    pub(super) tables: Tables,
    /// What batches run with.
    pub(super) runner: Runner,
    /// Where cuts and commits are written.
    pub(super) log: BatchLog,
    /// What the log lies on.
    pub(super) storage: Arc<dyn Storage>,
    /// Cuts the stream.
    pub(super) clock: Arc<dyn Clock>,
    /// Whether to follow the clock, or to read all input at once.
    pub(super) mode: Mode,
    /// The first batch.
    pub(super) first: BatchTime,
    /// Batches that earlier runs have cut: to be run, or computed again, before the first.
    pub(super) backlog: Vec<(Cut, Purpose)>,
    /// Whether no batch is to be cut.
    pub(super) ended: bool,
    /// What operators ran before their last swap, as long as the pipeline is the same.
    pub(super) before: HashMap<String, Fitting>,
    /// A swap that may be taken back.
    pub(super) watch: Option<Watch>,
    /// Where what batches leave behind is written down, if it is to be.
    pub(super) checkpointing: Option<Checkpointing>,
    /// Received blocks of batches that some checkpoint holds, but not the oldest.
    pub(super) unforgotten: VecDeque<(BatchTime, Vec<BlockId>)>,
    /// What the log is to say of this run, before all else.
    pub(super) started: Record,
    /// What delivers the rows of each sink that is a component.
    pub(super) deliveries: BTreeMap<String, Delivers>,
    /// Called with each batch that is committed.
    pub(super) on_batch: Box<dyn FnMut(&BatchStats) + Send>,
}

impl Driver {
    /// Puts a driver together.
    pub(super) fn new(parts: Parts) -> (Self, Handle) {
        let Parts { typed, sources, tables, runner, log, storage, clock, mode, first, .. } = parts;
        let (backlog, checkpointing, on_batch) = (parts.backlog, parts.checkpointing, parts.on_batch);
        let interval = typed.loaded.pipeline.batch.interval.0;
        let status = Status {
            pipeline: typed.loaded.name.clone(),
            interval,
            batches: 0,
            rows_in: 0,
            rows_out: 0,
            rejected: 0,
            last: None,
            operators: typed.running(),
            sinks: parts.deliveries,
            meters: Default::default(),
            rates: sources.rates(),
            states: Default::default(),
            kept: Default::default(),
            watermarks: runner.rooms.state.watermarks.all(),
            checkpoint: None,
            waiting: None,
            trial: None,
            watch: None,
            rolled_back: None,
        };
        let status = Arc::new(RwLock::new(status));
        let (sender, requests) = mpsc::channel(16);
        let typed = Arc::new(typed);
        let shown = Arc::new(RwLock::new(typed.clone()));
        let store = runner.rooms.state.clone();
        let outages = runner.outages.clone();
        let handle = Handle { requests: sender, status: status.clone(), outages, store, typed: shown.clone() };
        let unfinished = backlog.iter().filter(|(_, purpose)| *purpose == Purpose::Run).map(|(cut, _)| cut);
        let retries = Retries::new(runner.dead_letters.clone(), unfinished);
        let queued = |(cut, purpose)| Queued { typed: typed.clone(), cut: Arc::new(cut), purpose };
        let driver = Self {
            queue: backlog.into_iter().map(queued).collect(),
            typed,
            sources: Some(sources),
            tables: Arc::new(tables),
            runner,
            log,
            storage,
            checkpointing,
            retries,
            unforgotten: parts.unforgotten,
            clock,
            mode,
            interval,
            next: first,
            at_work: None,
            draining: false,
            ended: parts.ended,
            before: parts.before.into_iter().map(|(operator, before)| (operator, vec![before])).collect(),
            new_sinks: Vec::new(),
            trial: None,
            watch: parts.watch,
            refused: HashMap::new(),
            requests,
            recomputed: 0,
            started: Instant::now(),
            started_record: parts.started,
            shown,
            status,
            on_batch,
        };
        (driver, handle)
    }
}
