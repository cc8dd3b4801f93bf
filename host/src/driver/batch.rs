//! One batch, from its cut to its commit.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use anyhow::{Result, anyhow, bail};
use arrow::array::AsArray;
use arrow::datatypes::UInt64Type;
use arrow::record_batch::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, collect};
use datafusion::prelude::SessionConfig;
use futures::StreamExt;
use indexmap::IndexMap;
use tokio::runtime::Handle;
use tokio::task::{JoinSet, spawn_blocking};
use tokio_util::sync::CancellationToken;

use super::budget;
use super::clock::Clock;
use super::dead_letters::DeadLetters;
use super::log::Cut;
use super::outage::{Attempts, Outages};
use super::planner::{KeptStream, Plans, plan};
use super::typed::{Typed, TypedOperator};
use crate::fingerprint::Fingerprints;
use crate::operator::Metering;
use crate::plan::migration::migrate;
use crate::plan::{
    BatchRoom, Bound, ComponentCall, FirstReject, OperatorMeter, QUERY_ROWS, Report, Rooms, past, segment,
};
use crate::sink::{Sink, SinkError, SinkFailed};
use crate::state::{Kept, Staged};
use crate::time::BatchTime;

/// What a batch came to.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// Rows written to each sink.
    pub rows_out: Vec<(String, u64)>,
    /// What each operator and source did.
    pub meters: BTreeMap<String, OperatorMeter>,
    /// What rows each gave.
    pub fingerprints: Fingerprints,
    /// The first row that each has rejected; of those that have gone wrong on any, the first of these.
    pub first_rejects: BTreeMap<String, FirstReject>,
    /// The rows of the streams that somebody wants to see.
    pub seen: BTreeMap<String, Vec<RecordBatch>>,
}

/// Why a batch is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It is to happen.
    Run,
    /// It has happened: only what it left behind is wanted again.
    Recompute,
    /// It has happened, but with a component that was taken back: what it leaves behind is another, and told anew.
    Redo,
    /// It has not happened like this: a component is tried in another's place. What it comes to is looked at.
    Try,
}

#[derive(Clone, Copy)]
enum Step {
    Begin,
    Commit,
}

impl Step {
    async fn take(self, sink: &dyn Sink, batch: BatchTime) -> Result<(), SinkError> {
        match self {
            Self::Begin => sink.begin(batch).await,
            Self::Commit => sink.commit(batch).await,
        }
    }

    /// Takes it with a sink of this name, on a thread that may block on the disk or a server.
    async fn with(self, name: &str, sink: &Arc<dyn Sink>, batch: BatchTime) -> Result<()> {
        let (sink, runtime) = (sink.clone(), Handle::current());
        let taken = spawn_blocking(move || runtime.block_on(self.take(&*sink, batch))).await?;
        Ok(taken.map_err(|error| SinkFailed { sink: name.to_owned(), error })?)
    }
}

/// A batch failed when its rows were computed, not when they were written or kept.
#[derive(Debug, thiserror::Error)]
#[error("{0:#}")]
pub(super) struct Uncomputed(anyhow::Error);

/// A batch that was run and staged, and is not committed.
pub(super) struct Ran {
    pub(super) room: Arc<BatchRoom>,
    pub(super) report: Report,
    rows_out: Vec<(String, u64)>,
    kept: Vec<KeptStream>,
}

impl Ran {
    fn done(self, typed: &Typed) -> Result<Done> {
        let seen = typed.wanted.iter().map(|stream| Ok((stream.clone(), self.rows(stream)?))).collect::<Result<_>>()?;
        let Report { meters, fingerprints, mut first_rejects, first_traps, .. } = self.report;
        first_rejects.extend(first_traps);
        Ok(Done { rows_out: self.rows_out, meters, fingerprints, first_rejects, seen })
    }

    /// The rows of a stream that was wanted, in the canonical order.
    pub(super) fn rows(&self, stream: &str) -> Result<Vec<RecordBatch>> {
        let mut pieces = Vec::new();
        for batch in self.room.take_persisted(stream).into_iter().flatten() {
            for (segment, run) in segment::runs(segment::segments_of(&batch)?) {
                pieces.push((segment, segment::detach(&batch.slice(run.start, run.len()))?.0));
            }
        }
        pieces.sort_by_key(|(segment, _)| *segment);
        Ok(pieces.into_iter().map(|(_, rows)| rows).collect())
    }
}

/// All that batches run with.
#[derive(Debug, Clone)]
pub struct Runner {
    /// Stores and compute pool.
    pub rooms: Arc<Rooms>,
    /// Where rejected rows go.
    pub dead_letters: DeadLetters,
    /// Times the pauses in which a batch waits for a sink that is down.
    pub clock: Arc<dyn Clock>,
    /// Which sink that is down the batch at work waits for.
    pub outages: Arc<Outages>,
    /// Ends the waiting for sinks: the stream is about to end.
    pub ending: CancellationToken,
    /// For how many cores batches are planned.
    pub cores: NonZeroUsize,
    /// Fails batches in which an operator does what it may not.
    pub(super) bound: Option<Bound>,
    /// How often the fuel of calls is counted.
    pub(super) metering: Metering,
}

impl Runner {
    /// Runs the batch: stages every sink's output, then makes all of it visible. Nothing is visible when it fails before.
    /// A sink that is down is waited for. A batch that is computed again touches no sink, and of dead letters only those
    /// that are others now.
    pub async fn run(&self, typed: Arc<Typed>, cut: Arc<Cut>, purpose: Purpose) -> Result<Done> {
        match purpose {
            Purpose::Run => {
                let done = self.stage_and_commit(typed, &cut).await;
                if done.is_err() {
                    self.unstage(cut.batch).await;
                }
                done
            }
            Purpose::Recompute | Purpose::Redo | Purpose::Try => {
                let mut ran = self.compute(typed.clone(), &cut, purpose).await?;
                if purpose == Purpose::Redo {
                    let (dead_letters, batch) = (self.dead_letters.clone(), cut.batch);
                    let letters = std::mem::take(&mut ran.report.dead_letters);
                    let typed = typed.clone();
                    spawn_blocking(move || dead_letters.redo(batch, letters, |name| typed.lasts(name))).await??;
                }
                let staged = self.staged(&cut, &ran)?;
                let done = ran.done(&typed)?;
                self.leave(cut.batch, staged).await?;
                Ok(done)
            }
        }
    }

    /// The same, with other sinks in the place of some.
    pub(super) fn with_sinks(&self, new: impl Iterator<Item = (String, Arc<dyn Sink>)>) -> Self {
        let mut rooms = Rooms::clone(&self.rooms);
        rooms.sinks.extend(new);
        Self { rooms: Arc::new(rooms), ..self.clone() }
    }

    /// Runs batches beside the stream: on what was left behind so far, which changes on its own from now on, and without
    /// sinks.
    pub(super) fn fork(&self) -> Self {
        let state = Arc::new(self.rooms.state.fork());
        let rooms = Rooms { sinks: IndexMap::new(), state, ..Rooms::clone(&self.rooms) };
        Self { rooms: Arc::new(rooms), ..self.clone() }
    }

    async fn stage_and_commit(&self, typed: Arc<Typed>, cut: &Cut) -> Result<Done> {
        let batch = cut.batch;
        let mut attempts = Attempts::new(&*self.clock, &self.outages, &self.ending, batch);
        let mut ran = loop {
            let ran = self.begin_and_stage(typed.clone(), cut).await;
            if let Some(ran) = attempts.ended(ran).await? {
                break ran;
            }
        };
        let (dead_letters, letters) = (self.dead_letters.clone(), std::mem::take(&mut ran.report.dead_letters));
        spawn_blocking(move || dead_letters.keep(batch, &letters)).await??;
        let staged = self.staged(cut, &ran)?;
        let done = ran.done(&typed)?;
        attempts.staged();
        for (name, sink) in &self.rooms.sinks {
            self.commit(name, sink, batch, &mut attempts).await?;
        }
        self.leave(batch, staged).await?;
        Ok(done)
    }

    /// Has a sink deliver the batch, or whatever is put in its place while it is down.
    async fn commit(
        &self,
        name: &str,
        sink: &Arc<dyn Sink>,
        batch: BatchTime,
        attempts: &mut Attempts<'_>,
    ) -> Result<()> {
        let mut sink = sink.clone();
        loop {
            let committed = attempts.ended(Step::Commit.with(name, &sink, batch).await).await?.is_some();
            match self.outages.other(name) {
                // It goes on where the one before is; where that is done, with nothing.
                Some(other) => sink = other,
                None if committed => return Ok(()),
                None => {}
            }
        }
    }

    /// What the batch leaves behind for those that follow.
    pub(super) fn staged(&self, cut: &Cut, ran: &Ran) -> Result<Staged> {
        let Ran { room, kept, .. } = ran;
        let read = cut.tables.iter().map(|(name, digest)| Ok((name.clone(), self.rooms.tables.get(*digest)?)));
        let tables = read.collect::<Result<_>>()?;
        Ok(Staged {
            deltas: room.take_deltas(),
            kept: kept_rows(room, kept)?,
            tables,
            watermarks: room.known_watermarks(),
        })
    }

    /// Makes it visible to them.
    pub(super) async fn leave(&self, batch: BatchTime, staged: Staged) -> Result<()> {
        let state = self.rooms.state.clone();
        Ok(self.rooms.pool.run(move || state.commit(batch, staged)).await?)
    }

    /// Stages the batch from its beginning, whatever an earlier attempt left. When it fails, nothing is left staged.
    async fn begin_and_stage(&self, typed: Arc<Typed>, cut: &Cut) -> Result<Ran> {
        for (name, sink) in &self.rooms.sinks {
            Step::Begin.with(name, sink, cut.batch).await?;
        }
        let ran = self.compute(typed, cut, Purpose::Run).await;
        if ran.is_err() {
            self.unstage(cut.batch).await;
        }
        ran
    }

    /// Runs a batch, and leaves nothing behind. One that is to happen fails when it rejects more rows than it may; one that
    /// has happened does not fail any more for a row that is rejected.
    pub(super) async fn compute(&self, typed: Arc<Typed>, cut: &Cut, purpose: Purpose) -> Result<Ran> {
        let room = BatchRoom::bounded(cut.batch, self.bound.clone()).metered(self.metering);
        let room = Arc::new(match purpose {
            Purpose::Run | Purpose::Try => room,
            Purpose::Recompute | Purpose::Redo => room.of_a_committed_batch(),
        });
        match self.stage(typed.clone(), cut, &room, purpose).await {
            Ok((rows_out, kept)) => {
                let report = room.take_report();
                if purpose == Purpose::Run {
                    budget::check(&typed, cut, &report, &self.rooms.tables).map_err(Uncomputed)?;
                }
                Ok(Ran { report, room, rows_out, kept })
            }
            Err(error) => {
                room.abandon();
                Err(if error.is::<SinkFailed>() { error } else { Uncomputed(error).into() })
            }
        }
    }

    /// A batch's plans, on states of the versions of the components that it runs.
    pub(super) async fn planned(&self, typed: &Typed, cut: &Cut) -> Result<Plans> {
        self.migrate(typed, cut).await.map_err(Uncomputed)?;
        plan(typed, cut, self.cores, &self.rooms.state).await
    }

    /// Brings an operator's states to the version of its component.
    pub(super) async fn migrate_call(&self, call: ComponentCall) -> Result<()> {
        let rooms = self.rooms.clone();
        self.rooms.pool.run(move || migrate(&rooms, &call)).await?
    }

    /// Brings states to the versions of the components that the batch runs.
    async fn migrate(&self, typed: &Typed, cut: &Cut) -> Result<()> {
        let states = typed.operators.values().filter(|operator| matches!(operator, TypedOperator::State { .. }));
        for call in states.filter_map(TypedOperator::call) {
            self.migrate_call(cut.call(call)).await?;
        }
        Ok(())
    }

    /// Removes what was staged: it may be what fills the disk.
    async fn unstage(&self, batch: BatchTime) {
        for (name, sink) in &self.rooms.sinks {
            // The error for which this is done is the one to tell.
            let _ = Step::Begin.with(name, sink, batch).await;
        }
    }

    /// Runs the batch's plans: the rows staged for each sink, and the streams whose rows are to outlive the batch.
    async fn stage(
        &self,
        typed: Arc<Typed>,
        cut: &Cut,
        room: &Arc<BatchRoom>,
        purpose: Purpose,
    ) -> Result<(Vec<(String, u64)>, Vec<KeptStream>)> {
        let context = self.context(room.clone());
        let mut tasks = JoinSet::new();
        let Plans { sinks, drains, kept, given: _ } = self.planned(&typed, cut).await?;
        for (name, plan) in sinks.into_iter().filter(|_| purpose == Purpose::Run) {
            let context = context.clone();
            tasks.spawn(async move { Ok::<_, anyhow::Error>(Some((name, staged_rows(plan, context).await?))) });
        }
        for plan in drains {
            for partition in 0..plan.output_partitioning().partition_count() {
                let (plan, context) = (plan.clone(), context.clone());
                tasks.spawn(async move { drain(plan, partition, context).await.map(|()| None) });
            }
        }
        let mut rows_out = Vec::with_capacity(self.rooms.sinks.len());
        while let Some(finished) = tasks.join_next().await {
            // Leaving here drops the set, which ends the other tasks.
            rows_out.extend(finished.map_err(|e| anyhow!("a task was lost: {e}"))??);
        }
        rows_out.sort();
        Ok((rows_out, kept))
    }

    pub(super) fn context(&self, room: Arc<BatchRoom>) -> Arc<TaskContext> {
        let config =
            SessionConfig::new().with_batch_size(QUERY_ROWS).with_extension(self.rooms.clone()).with_extension(room);
        Arc::new(TaskContext::default().with_session_config(config))
    }
}

/// Runs a partition to its end.
async fn drain(plan: Arc<dyn ExecutionPlan>, partition: usize, context: Arc<TaskContext>) -> Result<()> {
    let mut rows = plan.execute(partition, context).map_err(readable)?;
    while let Some(batch) = rows.next().await {
        batch.map_err(readable)?;
    }
    Ok(())
}

/// The rows of the streams that are kept, once all tasks are done.
fn kept_rows(room: &BatchRoom, streams: &[KeptStream]) -> Result<Vec<Kept>> {
    let kept = streams.iter().map(|KeptStream { stream, segments, forget }| {
        let past = past(room.take_persisted(stream), *segments).map_err(readable)?;
        Ok(Kept { stream: stream.clone(), past, forget: *forget })
    });
    kept.collect()
}

async fn staged_rows(plan: Arc<dyn ExecutionPlan>, context: Arc<TaskContext>) -> Result<u64> {
    let counts = collect(plan, context).await.map_err(of_sink)?;
    let Some(count) = counts.first() else { bail!("a sink's plan answered nothing") };
    Ok(count.column(0).as_primitive::<UInt64Type>().values().iter().sum())
}

/// An error of a sink stays what it is, so that the batch can wait for the sink.
fn of_sink(error: DataFusionError) -> anyhow::Error {
    match error {
        DataFusionError::External(inner) => match inner.downcast::<SinkFailed>() {
            Ok(failed) => (*failed).into(),
            Err(inner) => readable(DataFusionError::External(inner)),
        },
        other => readable(other),
    }
}

/// DataFusion's wrapping says how an error travelled; people want to know what it was.
pub(super) fn readable(error: DataFusionError) -> anyhow::Error {
    match error.find_root() {
        DataFusionError::Execution(text) => anyhow!(text.clone()),
        DataFusionError::External(inner) => anyhow!("{inner}"),
        other => anyhow!(other.strip_backtrace()),
    }
}
