//! The driver: the loop that cuts the stream into batches, runs them in order and commits them.
//!
//! All that can happen is an `Event`, and [`Driver::run`] is the one place where events are taken. A cut fixes all
//! that a batch's result depends on and is logged before the batch runs; a swap takes effect between two cuts.

mod batch;
mod checkpointing;
mod clock;
mod dead_letters;
mod definition;
#[cfg(test)]
mod event_tests;
mod handle;
mod initial;
mod log;
mod outage;
mod planner;
mod rate;
mod received;
mod recovery;
#[cfg(test)]
mod recovery_tests;
mod replay;
mod setup;
mod sources;
mod sql;
mod status;
mod tables;
#[cfg(test)]
mod tests;
mod typed;

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use self::checkpointing::Checkpointing;

pub use batch::{Done, Purpose, Runner};
pub use clock::{Clock, ManualClock, SystemClock};
pub use dead_letters::DeadLetters;
pub use handle::{Handle, Request, Swapped, Target};
pub use log::{BatchLog, Cut, Record, Running};
pub use planner::{KeptStream, Plans, plan};
pub use rate::{Measured, PidRateEstimator};
pub use recovery::forget;
pub use replay::{Compared, Difference, Past, Recomputed, Replay, Side, Tried};
pub use setup::{Ground, OpenSource, Setup, cores};
pub use sources::Sources;
pub use sql::Query;
pub(crate) use sql::readable;
pub use status::{BatchStats, KeptSize, StateSize, Status};
pub use tables::{Table, Tables};
pub use typed::{BatchWindow, EventWindow, SourceTime, Typed, TypedOperator, TypedSource, Windows};

use crate::block::{BlockId, BlockStore};
use crate::pipeline::OnReject;
use crate::source::{MAX_RECORD_BYTES, Mode};
use crate::time::BatchTime;

/// Batches that may wait to be run; the stream is not cut further before there are fewer.
const MOST_QUEUED: usize = 1000;

/// Everything that can happen to a driver.
enum Event {
    /// The interval of a batch is over.
    Tick,
    /// The batch at work came to its end.
    Ran(Result<Done>),
    /// A checkpoint was written; the oldest that is kept holds what all batches up to this one have left behind.
    Checkpointed(BatchTime),
    /// Somebody wants something.
    Asked(Request),
}

/// What a driver is made of.
pub struct Parts {
    /// The pipeline.
    pub typed: Typed,
    /// Its sources, opened.
    pub sources: Sources,
    /// What its batches read beside the stream.
    pub tables: Tables,
    /// What batches run with.
    pub runner: Runner,
    /// Where cuts and commits are written.
    pub log: BatchLog,
    /// Cuts the stream.
    pub clock: Arc<dyn Clock>,
    /// Whether to follow the clock, or to read all input at once.
    pub mode: Mode,
    /// The first batch.
    pub first: BatchTime,
    /// Batches that earlier runs have cut: to be run, or computed again, before the first.
    backlog: Vec<(Cut, Purpose)>,
    /// Whether no batch is to be cut.
    ended: bool,
    /// Where what batches leave behind is written down, if it is to be.
    checkpointing: Option<Checkpointing>,
    /// Received blocks of batches that some checkpoint holds, but not the oldest.
    unforgotten: VecDeque<(BatchTime, Vec<BlockId>)>,
    /// What the log is to say of this run, before all else.
    started: Record,
    /// Called with each batch that is committed.
    pub on_batch: Box<dyn FnMut(&BatchStats) + Send>,
}

struct Queued {
    typed: Arc<Typed>,
    cut: Arc<Cut>,
    purpose: Purpose,
}

struct AtWork {
    queued: Queued,
    started: Instant,
    scheduling: Duration,
    task: JoinHandle<Result<Done>>,
}

/// A pipeline at work.
pub struct Driver {
    typed: Arc<Typed>,
    sources: Option<Sources>,
    tables: Arc<Tables>,
    runner: Runner,
    log: BatchLog,
    checkpointing: Option<Checkpointing>,
    /// Received blocks of committed batches that not every checkpoint holds.
    unforgotten: VecDeque<(BatchTime, Vec<BlockId>)>,
    clock: Arc<dyn Clock>,
    mode: Mode,
    interval: Duration,
    next: BatchTime,
    queue: VecDeque<Queued>,
    at_work: Option<AtWork>,
    /// No more input is wanted: what was received is cut as soon as there is nothing else to do.
    draining: bool,
    /// There is no more input.
    ended: bool,
    /// The components that each operator ran before, the last one last.
    before: HashMap<String, Vec<Running>>,
    /// Records that each source has refused.
    refused: HashMap<String, u64>,
    requests: mpsc::Receiver<Request>,
    started: Instant,
    /// What the log is to say of this run.
    started_record: Record,
    status: Arc<RwLock<Status>>,
    on_batch: Box<dyn FnMut(&BatchStats) + Send>,
}

impl Driver {
    /// Puts a driver together.
    pub fn new(parts: Parts) -> (Self, Handle) {
        let Parts { typed, sources, tables, runner, log, clock, mode, first, .. } = parts;
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
            meters: Default::default(),
            rates: sources.rates(),
            states: Default::default(),
            kept: Default::default(),
            watermarks: runner.rooms.state.watermarks.all(),
            checkpoint: None,
        };
        let status = Arc::new(RwLock::new(status));
        let (sender, requests) = mpsc::channel(16);
        let handle = Handle { requests: sender, status: status.clone(), store: runner.rooms.state.clone() };
        let typed = Arc::new(typed);
        let queued = |(cut, purpose)| Queued { typed: typed.clone(), cut: Arc::new(cut), purpose };
        let driver = Self {
            queue: backlog.into_iter().map(queued).collect(),
            typed,
            sources: Some(sources),
            tables: Arc::new(tables),
            runner,
            log,
            checkpointing,
            unforgotten: parts.unforgotten,
            clock,
            mode,
            interval,
            next: first,
            at_work: None,
            draining: false,
            ended: parts.ended,
            before: HashMap::new(),
            refused: HashMap::new(),
            requests,
            started: Instant::now(),
            started_record: parts.started,
            status,
            on_batch,
        };
        (driver, handle)
    }

    /// Whether there is nothing left to do: all input was read to its end before.
    pub fn has_ended(&self) -> bool {
        self.ended && self.queue.is_empty()
    }

    /// Runs until the sources have ended or somebody asks to stop, and all that was received is processed.
    pub async fn run(mut self) -> Result<Status> {
        self.log.append(&self.started_record)?;
        let ran = self.work().await;
        // What is committed need not be computed again, however the run came to its end.
        let rooms = self.runner.rooms.clone();
        let written = match &mut self.checkpointing {
            Some(checkpointing) => checkpointing.finish(&rooms.state, &rooms.pool).await,
            None => Ok(()),
        };
        if let Err(error) = written {
            tracing::warn!("cannot write the last checkpoint; the next start will compute it again: {error:#}");
        }
        ran?;
        if !self.draining {
            self.log.append(&Record::Ended)?;
        }
        Ok(self.status.read().unwrap_or_else(PoisonError::into_inner).clone())
    }

    async fn work(&mut self) -> Result<()> {
        loop {
            self.start_next();
            if self.at_work.is_none() && self.has_ended() {
                return Ok(());
            }
            match self.event().await? {
                // What a stopped host has not received stays where it is, for the next run.
                Event::Tick if self.draining && self.sources.as_ref().is_none_or(Sources::ended) => self.ended = true,
                Event::Tick => self.cut().await?,
                Event::Ran(done) => self.committed(done).await?,
                Event::Checkpointed(batch) => self.checkpointed(batch),
                Event::Asked(Request::Stop) => self.stop(),
                Event::Asked(Request::Swap { to, reply }) => {
                    let swapped = self.swap(to);
                    // Who asked may have gone away; the swap holds all the same.
                    let _ = reply.send(swapped.map_err(|e| format!("{e:#}")));
                }
            }
        }
    }

    /// Waits for what happens next.
    async fn event(&mut self) -> Result<Event> {
        let idle = self.at_work.is_none() && self.queue.is_empty();
        let full = self.queue.len() >= MOST_QUEUED;
        let Self { at_work, requests, clock, sources, draining, ended, mode, next, runner, checkpointing, .. } = self;
        let tick = async {
            match (mode, sources) {
                _ if *ended || full => pending().await,
                (Mode::Live, _) if !*draining => clock.until(next.as_millis()).await,
                (_, Some(sources)) if idle => sources.ready().await?,
                _ => pending().await,
            }
            Ok::<_, anyhow::Error>(())
        };
        let ran = async {
            match at_work {
                Some(at_work) => (&mut at_work.task).await,
                None => pending().await,
            }
        };
        let checkpointed = async {
            match checkpointing {
                Some(checkpointing) => checkpointing.written().await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            done = ran => Ok(Event::Ran(done.map_err(|e| anyhow!("a batch was lost: {e}")).and_then(|done| done))),
            failed = runner.rooms.blocks.failed() => Err(failed.into()),
            Some(request) = requests.recv() => Ok(Event::Asked(request)),
            written = checkpointed => written.map(Event::Checkpointed),
            ready = tick => ready.map(|()| Event::Tick),
        }
    }

    /// Fixes what belongs to the next batch, logs it and queues it.
    async fn cut(&mut self) -> Result<()> {
        let batch = self.next;
        self.next = batch.next(self.interval);
        let tables = self.tables.clone();
        let cut =
            move |sources: &mut Sources| anyhow::Ok((tables.cut(batch)?, sources.cut(batch)?, sources.exhausted()));
        let (tables, sources, ended) = self.with_sources(cut).await??;
        self.count_refused()?;
        // What a cut names must be there to be read again.
        self.blocks().durable(&sources::stored(&sources)).await?;
        let cut = Cut { batch, sources, ended, operators: self.typed.running(), tables };
        self.log.append(&Record::Cut(cut.clone()))?;
        self.queue.push_back(Queued { typed: self.typed.clone(), cut: Arc::new(cut), purpose: Purpose::Run });
        self.ended = self.sources.as_ref().is_some_and(Sources::ended);
        Ok(())
    }

    /// Records too long to be received are gone: all that can be done for them is to count them, or to stop.
    fn count_refused(&mut self) -> Result<()> {
        let Some(sources) = &self.sources else { return Ok(()) };
        let mut status = self.status.write().unwrap_or_else(PoisonError::into_inner);
        for (name, refused) in sources.refused() {
            if self.typed.sources[name].on_reject == OnReject::Fail {
                bail!(
                    "source `{name}` received a record longer than {} MiB; to go on without such records, set `on_reject` \
                     of [sources.{name}] to \"skip\"",
                    MAX_RECORD_BYTES >> 20
                );
            }
            let before = self.refused.insert(name.to_owned(), refused).unwrap_or(0);
            status.meters.entry(name.to_owned()).or_default().rejected += refused - before;
            status.rejected += refused - before;
        }
        Ok(())
    }

    /// Lends the sources to a thread that may block on files.
    async fn with_sources<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Sources) -> T + Send + 'static,
    ) -> Result<T> {
        let mut sources = self.sources.take().context("the sources are gone: an earlier cut failed")?;
        let lent = tokio::task::spawn_blocking(move || {
            let result = work(&mut sources);
            (sources, result)
        });
        let (sources, result) = lent.await.context("cutting the sources failed")?;
        self.sources = Some(sources);
        Ok(result)
    }

    fn start_next(&mut self) {
        if self.at_work.is_some() {
            return;
        }
        let Some(queued) = self.queue.pop_front() else { return };
        let scheduling = match self.mode {
            Mode::Live => Duration::from_millis(self.clock.now().saturating_sub(queued.cut.batch.as_millis())),
            // There is no schedule to be behind.
            Mode::Once => Duration::ZERO,
        };
        let (runner, typed, cut, purpose) =
            (self.runner.clone(), queued.typed.clone(), queued.cut.clone(), queued.purpose);
        let task = tokio::spawn(async move { runner.run(typed, cut, purpose).await });
        self.at_work = Some(AtWork { queued, started: Instant::now(), scheduling, task });
    }

    /// Logs that the batch at work is done, and lets go of its input.
    async fn committed(&mut self, done: Result<Done>) -> Result<()> {
        let Some(AtWork { queued, started, scheduling, .. }) = self.at_work.take() else { return Ok(()) };
        let cut = &queued.cut;
        let done = done.with_context(|| format!("batch {} failed", cut.batch))?;
        if queued.purpose == Purpose::Run {
            self.tell(&queued, done, started, scheduling)?;
        }
        let blocks = sources::stored(&cut.sources);
        match &mut self.checkpointing {
            Some(checkpointing) => {
                self.runner.rooms.blocks.release(blocks.iter().copied());
                self.unforgotten.push_back((cut.batch, blocks));
                self.tables.committed(cut.batch);
                let rooms = &self.runner.rooms;
                checkpointing.committed(cut, self.clock.now(), &rooms.state, &rooms.pool).await
            }
            None => {
                self.runner.rooms.blocks.forget(&blocks);
                self.tables.committed(cut.batch);
                Ok(())
            }
        }
    }

    /// The oldest checkpoint holds what these batches left: their input is needed no more.
    fn checkpointed(&mut self, batch: BatchTime) {
        while let Some((_, blocks)) = self.unforgotten.pop_front_if(|(committed, _)| *committed <= batch) {
            self.runner.rooms.blocks.forget(&blocks);
        }
        self.tables.checkpointed(batch);
        self.status.write().unwrap_or_else(PoisonError::into_inner).checkpoint = Some(batch);
    }

    /// Logs that a batch is committed, and tells whoever wants to know.
    fn tell(&mut self, queued: &Queued, done: Done, started: Instant, scheduling: Duration) -> Result<()> {
        let cut = &queued.cut;
        let rows_in = cut.sources.iter().map(|(_, cut)| sources::rows(cut)).sum();
        let stats = BatchStats {
            batch: cut.batch,
            rows_in,
            rows_out: done.rows_out.iter().map(|(_, rows)| rows).sum(),
            rejected: done.meters.values().map(|m| m.rejected).sum(),
            processing: started.elapsed(),
            scheduling,
            queued: self.queue.len(),
        };
        let Done { rows_out, meters, fingerprints } = done;
        self.log.append(&Record::Committed {
            batch: cut.batch,
            rows_in,
            rows_out,
            meters: meters.clone(),
            fingerprints,
        })?;
        if let Some(sources) = &mut self.sources {
            let finished = self.started.elapsed();
            let measured = Measured { finished, rows: 0, processing: stats.processing, scheduling };
            sources.measured(&cut.sources, measured);
        }
        let rates = self.sources.as_ref().map(Sources::rates).unwrap_or_default();
        {
            let mut status = self.status.write().unwrap_or_else(PoisonError::into_inner);
            status.add(&stats, &meters);
            status.rates = rates;
            status.measure(&queued.typed, &self.runner.rooms.state);
            status.watermarks = self.runner.rooms.state.watermarks.all();
        }
        (self.on_batch)(&stats);
        Ok(())
    }

    fn blocks(&self) -> &BlockStore {
        &self.runner.rooms.blocks
    }

    /// Stops receiving; the batches of what was received are still to come.
    fn stop(&mut self) {
        self.draining = true;
        if let Some(sources) = &mut self.sources {
            sources.stop();
        }
    }

    fn swap(&mut self, to: Target) -> Result<Swapped> {
        let (operator, to, back) = match to {
            Target::Component(running) => (running.operator.clone(), running, false),
            Target::Back(operator) => {
                let before = self.before.get(&operator).and_then(|b| b.last()).cloned();
                let before = before.with_context(|| {
                    format!(
                        "operator `{operator}` runs what it ran when the host started: there is nothing to go back to"
                    )
                })?;
                (operator, before, true)
            }
        };
        let mut typed = Typed::clone(&self.typed);
        let from = typed.swap(&to).with_context(|| format!("there is no component to swap in `{operator}`"))?;
        self.log.append(&Record::Swapped { from: from.clone(), to: to.clone() })?;
        let history = self.before.entry(operator).or_default();
        if back {
            history.pop();
        } else {
            history.push(from.clone());
        }
        self.status.write().unwrap_or_else(PoisonError::into_inner).operators = typed.running();
        self.typed = Arc::new(typed);
        Ok(Swapped { from, to, first_batch: self.next })
    }
}
