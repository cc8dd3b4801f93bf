//! The driver: the loop that cuts the stream into batches, runs them in order and commits them.
//!
//! All that can happen is an `Event`, and [`Driver::run`] is the one place where events are taken. A cut fixes all
//! that a batch's result depends on and is logged before the batch runs; a swap takes effect between two cuts.

mod batch;
mod budget;
mod bundle;
mod checkpointing;
mod clock;
mod dead_letters;
mod definition;
mod delivery;
#[cfg(test)]
mod event_tests;
mod handle;
mod initial;
mod log;
mod misfits;
mod outage;
mod parts;
mod placement;
mod planner;
mod ran;
mod rate;
mod received;
mod recovery;
#[cfg(test)]
mod recovery_tests;
mod replay;
mod retry;
mod rooms;
mod setup;
mod shortening;
mod sources;
mod sql;
mod status;
mod swap;
mod tables;
#[cfg(test)]
mod tests;
mod trial;
mod typed;
mod watch;

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use self::checkpointing::Checkpointing;
use self::parts::Parts;
use self::retry::Retries;
use self::trial::{Shown, Trial};
use self::watch::{Before, Watch};

pub use batch::{Done, Purpose, Runner};
pub use bundle::{Bundle, Unbundled};
pub use clock::{Clock, ManualClock, SystemClock};
pub use dead_letters::{DeadLetters, Letter};
pub use delivery::{Delivering, Delivers, NewSink, Redirected, WaitingBatch};
pub use handle::{Care, Handle, Request, Swapped, Target, WatchLimits};
pub use log::{BatchLog, Cut, LogLimits, Record, Retried, Running, Shortened};
pub use outage::{Outage, Outages};
pub use planner::{KeptStream, Plans, plan};
pub use rate::{Measured, PidRateEstimator};
pub use recovery::forget;
pub use replay::{Compared, Difference, Past, Recomputed, Replay, Side, Tried};
pub use retry::{Resent, Sent, Wanted};
pub use setup::{Ground, OpenSource, Setup, cores};
pub use sources::{Shares, Sources};
pub use sql::Query;
pub(crate) use sql::readable;
pub use status::{BatchStats, KeptSize, RolledBack, StateSize, Status, Trying, Watching};
pub use tables::{Table, Tables};
pub use trial::{TrialLimits, Trialled};
pub use typed::{BatchWindow, EventWindow, Fitting, SourceTime, Typed, TypedOperator, TypedSource, Windows};

use crate::block::{BlockId, BlockStore};
use crate::operator::Metering;
use crate::pipeline::OnReject;
use crate::sink::Sink;
use crate::source::{MAX_RECORD_BYTES, Mode};
use crate::storage::Storage;
use crate::time::BatchTime;

/// Batches that may wait to be run; the stream is not cut further before there are fewer.
const MOST_QUEUED: usize = 1000;

/// Everything that can happen to a driver.
enum Event {
    /// The interval of a batch is over.
    Tick,
    /// The batch at work came to its end.
    Ran(Ended),
    /// A checkpoint was written; the oldest that is kept holds what all batches up to this one have left behind.
    Checkpointed(BatchTime),
    /// Somebody wants something.
    Asked(Request),
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
    task: Task,
}

/// Runs a batch, which is given up when this is dropped, as it would be with the process.
struct Task(JoinHandle<Ended>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a batch at work came to.
struct Ended {
    done: Result<Done>,
    /// What the component that is tried came to beside it.
    tried: Option<Result<Shown>>,
}

/// A pipeline at work.
pub struct Driver {
    typed: Arc<Typed>,
    sources: Option<Sources>,
    tables: Arc<Tables>,
    runner: Runner,
    log: BatchLog,
    storage: Arc<dyn Storage>,
    checkpointing: Option<Checkpointing>,
    retries: Retries,
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
    before: HashMap<String, Vec<Fitting>>,
    /// Sinks that take the place of others as soon as no batch is at work.
    new_sinks: Vec<(String, Arc<dyn Sink>)>,
    /// A component that is tried.
    trial: Option<Trial>,
    /// The last swap, while it may be taken back.
    watch: Option<Watch>,
    /// Records that each source has refused.
    refused: HashMap<String, u64>,
    requests: mpsc::Receiver<Request>,
    /// How many committed batches were computed again.
    recomputed: usize,
    started: Instant,
    /// What the log is to say of this run.
    started_record: Record,
    /// The pipeline as it is now, for those outside.
    shown: Arc<RwLock<Arc<Typed>>>,
    status: Arc<RwLock<Status>>,
    on_batch: Box<dyn FnMut(&BatchStats) + Send>,
}

impl Driver {
    /// Whether there is nothing left to do: all input was read to its end before.
    pub fn has_ended(&self) -> bool {
        self.ended && self.queue.is_empty()
    }

    /// Runs until the sources have ended or somebody asks to stop, and all that was received is processed.
    pub async fn run(mut self) -> Result<Status> {
        self.log.append(&self.started_record)?;
        let ran = self.work().await;
        self.see_off().await;
        if let Some(trial) = self.trial.take() {
            let why = ran.as_ref().err().map(|error| format!(": {error:#}")).unwrap_or_default();
            trial.give_up(&format!("the host has stopped{why}"));
        }
        // What is committed need not be computed again, however the run came to its end.
        let rooms = self.runner.rooms.clone();
        let may_go_back = self.may_go_back();
        let written = match &mut self.checkpointing {
            // The next run computes again what is watched, and goes on watching.
            Some(checkpointing) if may_go_back => checkpointing.wait().await.map(drop),
            Some(checkpointing) => checkpointing.finish(&rooms.state, &rooms.pool).await,
            None => Ok(()),
        };
        if let Err(error) = written {
            tracing::warn!("cannot write the last checkpoint; the next start will compute it again: {error:#}");
        }
        ran.map_err(|error| self.with_swaps(error))?;
        if !self.draining {
            self.log.append(&Record::Ended)?;
        }
        Ok(self.status.read().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// What ended the stream, and what ran that the pipeline file does not name: the next start runs it, too.
    fn with_swaps(&self, error: anyhow::Error) -> anyhow::Error {
        let swaps = self.typed.swapped_in().into_iter();
        let swaps: Vec<String> = swaps.map(|(name, component)| format!("{component} in `{name}`")).collect();
        if swaps.is_empty() || self.mode == Mode::Once {
            return error;
        }
        error.context(format!(
            "with {} swapped in (--drop-swaps starts with what the pipeline file names)",
            swaps.join(", ")
        ))
    }

    /// Waits for the batch at work, where the stream ends because of something else: what it still does to sinks must not
    /// meet with what the next run does. A sink that is down is not waited for.
    async fn see_off(&mut self) {
        let Some(AtWork { queued, mut task, .. }) = self.at_work.take() else { return };
        self.runner.ending.cancel();
        if let Ok(Ended { done: Err(error), .. }) = (&mut task.0).await {
            tracing::debug!(batch = %queued.cut.batch, "the batch at work when the stream ended failed, too: {error:#}");
        }
    }

    async fn work(&mut self) -> Result<()> {
        loop {
            self.start_next();
            self.look_ahead().await?;
            if self.at_work.is_none() && self.has_ended() {
                return Ok(());
            }
            match self.event().await? {
                // What a stopped host has not received stays where it is, for the next run.
                Event::Tick if self.draining && self.sources.as_ref().is_none_or(Sources::ended) => self.ended = true,
                Event::Tick => self.cut().await?,
                Event::Ran(ended) => self.ran(ended).await?,
                Event::Checkpointed(batch) => self.checkpointed(batch)?,
                Event::Asked(Request::Stop) => self.stop(),
                Event::Asked(Request::Redirect { to, reply }) => {
                    let redirected = self.redirect(to);
                    let _ = reply.send(redirected.map_err(|e| format!("{e:#}")));
                }
                Event::Asked(Request::Swap { to, care, reply }) => self.asked_to_swap(to, care, reply),
                Event::Asked(Request::Retry { wanted, reply }) => {
                    let resent = self.retry(wanted).await;
                    let _ = reply.send(resent.map_err(|e| format!("{e:#}")));
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
                Some(at_work) => (&mut at_work.task.0).await,
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
            ended = ran => ended.map(Event::Ran).map_err(|e| anyhow!("a batch was lost: {e}")),
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
        let (retried, letters) = self.retries.take(&self.typed, batch);
        let cut = move |sources: &mut Sources| anyhow::Ok((tables.cut(batch, &letters)?, sources.cut(batch)?));
        let (tables, Shares { cuts: sources, exhausted: ended }) = self.with_sources(cut).await??;
        self.count_refused()?;
        // What a cut names must be there to be read again.
        self.blocks().durable(&sources::stored(&sources)).await?;
        let cut = Cut { batch, sources, ended, operators: self.typed.running(), tables, retried };
        self.log.append(&Record::Cut(cut.clone()))?;
        self.queue.push_back(Queued { typed: self.typed.clone(), cut: Arc::new(cut), purpose: Purpose::Run });
        self.ended = self.sources.as_ref().is_some_and(Sources::ended);
        Ok(())
    }

    /// Looks at what the next batch will get, while another is at work.
    async fn look_ahead(&mut self) -> Result<()> {
        let batch = self.next;
        let is_of_use = self.mode == Mode::Once && self.at_work.is_some() && !self.ended;
        if is_of_use && self.sources.as_ref().is_some_and(Sources::may_cut_ahead) {
            self.with_sources(move |sources| sources.cut_ahead(batch)).await?;
        }
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
        self.runner.outages.forget();
        if !self.new_sinks.is_empty() {
            self.runner = self.runner.with_sinks(self.new_sinks.drain(..));
        }
        let scheduling = match self.mode {
            Mode::Live => Duration::from_millis(self.clock.now().saturating_sub(queued.cut.batch.as_millis())),
            // There is no schedule to be behind.
            Mode::Once => Duration::ZERO,
        };
        let Queued { typed, cut, purpose } = &queued;
        if let Some(watch) = self.watch.as_mut().filter(|watch| watch.before.is_none() && watch.covers(cut)) {
            let positions = self.checkpointing.as_ref().map(Checkpointing::positions).cloned().unwrap_or_default();
            watch.before = Some(Before { store: Arc::new(self.runner.rooms.state.fork()), positions });
        }
        if self.trial.take_if(|trial| trial.is_abandoned()).is_some() {
            tracing::info!("a trial was given up by whoever asked for it");
            self.show_care();
        }
        let trial = self.trial.as_mut().filter(|_| *purpose == Purpose::Run);
        let beside = trial.map(|trial| trial.beside(&self.runner, typed, cut));
        // A trial compares the fuel of both.
        let metering = if beside.is_some() { Metering::Always } else { self.runner.metering };
        let typed = beside.as_ref().map_or(typed, |beside| &beside.typed).clone();
        let bound = self.watch.as_ref().filter(|watch| watch.covers(cut)).map(Watch::bound);
        let (runner, cut, purpose) = (Runner { bound, metering, ..self.runner.clone() }, cut.clone(), *purpose);
        let task = Task(tokio::spawn(async move {
            let done = runner.run(typed, cut, purpose).await;
            let tried = match (&done, beside) {
                (Ok(done), Some(beside)) => Some(beside.run(done).await),
                _ => None,
            };
            Ended { done, tried }
        }));
        self.at_work = Some(AtWork { queued, started: Instant::now(), scheduling, task });
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

    /// Has dead letters sent through again, with the next batch that takes them.
    async fn retry(&mut self, wanted: Wanted) -> Result<Resent> {
        if self.mode == Mode::Once {
            bail!(
                "a run over all input takes none of its dead letters again: mend what they lack, and run it once more"
            );
        }
        if self.draining || self.ended {
            bail!("no batch comes that dead letters could go with: the host is stopping, or all its input has ended");
        }
        let queued = self.at_work.iter().map(|at_work| &at_work.queued).chain(&self.queue);
        let running = queued.filter(|queued| queued.purpose != Purpose::Recompute).map(|queued| queued.cut.batch);
        let watched = self.watch.as_ref().map(|watch| watch.first);
        self.retries.ask(wanted, running.min(), watched, &self.typed, self.next).await
    }
}
