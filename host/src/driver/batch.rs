//! One batch, from its cut to its commit.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use arrow::array::AsArray;
use arrow::datatypes::UInt64Type;
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, collect};
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::StreamExt;
use tokio::runtime::Handle;
use tokio::task::{JoinSet, spawn_blocking};

use super::dead_letters::DeadLetters;
use super::log::Cut;
use super::planner::{KeptStream, Plans, plan};
use super::typed::Typed;
use crate::plan::{BatchRoom, OperatorMeter, QUERY_ROWS, Rooms, past};
use crate::state::{Kept, Staged};
use crate::time::BatchTime;

/// What a batch came to.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// Rows written to each sink.
    pub rows_out: Vec<(String, u64)>,
    /// What each operator and source did.
    pub meters: BTreeMap<String, OperatorMeter>,
}

#[derive(Clone, Copy)]
enum Step {
    Begin,
    Commit,
}

/// All that batches run with.
#[derive(Debug, Clone)]
pub struct Runner {
    /// Stores and compute pool.
    pub rooms: Arc<Rooms>,
    /// Where rejected rows go.
    pub dead_letters: DeadLetters,
    /// How many partitions a stream has.
    pub partitions: NonZeroUsize,
}

impl Runner {
    /// Runs the batch: stages every sink's output, then makes all of it visible. Nothing is visible when it fails before.
    pub async fn run(&self, typed: Arc<Typed>, cut: Arc<Cut>) -> Result<Done> {
        let batch = cut.batch;
        let done = self.stage_and_commit(typed, cut).await;
        if done.is_err() {
            // What was staged may be what fills the disk. The batch's own error is the one to tell.
            let _ = self.each_sink(batch, Step::Begin).await;
        }
        done
    }

    async fn stage_and_commit(&self, typed: Arc<Typed>, cut: Arc<Cut>) -> Result<Done> {
        self.each_sink(cut.batch, Step::Begin).await?;
        let room = Arc::new(BatchRoom::new(cut.batch));
        let done = self.stage(typed, &cut, &room).await;
        if done.is_err() {
            room.abandon();
        }
        let (rows_out, kept) = done?;
        let mut report = room.take_report();
        let letters = std::mem::take(&mut report.dead_letters);
        let (dead_letters, batch) = (self.dead_letters.clone(), cut.batch);
        spawn_blocking(move || dead_letters.keep(batch, &letters)).await??;
        let read = cut.tables.iter().map(|(name, digest)| Ok((name.clone(), self.rooms.tables.get(*digest)?)));
        let tables = read.collect::<Result<_>>()?;
        let (deltas, kept, watermarks) = (room.take_deltas(), kept_rows(&room, kept)?, room.known_watermarks());
        let staged = Staged { deltas, kept, tables, watermarks };
        self.each_sink(cut.batch, Step::Commit).await?;
        let state = self.rooms.state.clone();
        self.rooms.pool.run(move || state.commit(batch, staged)).await?;
        Ok(Done { rows_out, meters: report.meters })
    }

    /// Runs the batch's plans: the rows staged for each sink, and the streams whose rows are to outlive the batch.
    async fn stage(
        &self,
        typed: Arc<Typed>,
        cut: &Cut,
        room: &Arc<BatchRoom>,
    ) -> Result<(Vec<(String, u64)>, Vec<KeptStream>)> {
        let context = self.context(room.clone());
        let mut tasks = JoinSet::new();
        let Plans { sinks, drains, kept } = plan(&typed, cut, self.partitions, &self.rooms.state).await?;
        for (name, plan) in sinks {
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

    /// Takes a step with every sink, on a thread that may block on the disk.
    async fn each_sink(&self, batch: BatchTime, step: Step) -> Result<()> {
        let (rooms, runtime) = (self.rooms.clone(), Handle::current());
        let all = async move {
            for (name, sink) in &rooms.sinks {
                let done = match step {
                    Step::Begin => sink.begin(batch).await,
                    Step::Commit => sink.commit(batch).await,
                };
                done.with_context(|| format!("sink `{name}`"))?;
            }
            Ok(())
        };
        spawn_blocking(move || runtime.block_on(all)).await?
    }

    fn context(&self, room: Arc<BatchRoom>) -> Arc<TaskContext> {
        let config =
            SessionConfig::new().with_batch_size(QUERY_ROWS).with_extension(self.rooms.clone()).with_extension(room);
        SessionContext::new_with_config(config).task_ctx()
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
fn kept_rows(room: &BatchRoom, streams: Vec<KeptStream>) -> Result<Vec<Kept>> {
    let kept = streams.into_iter().map(|KeptStream { stream, segments, forget }| {
        let past = past(room.take_persisted(&stream), segments).map_err(readable)?;
        Ok(Kept { stream, past, forget })
    });
    kept.collect()
}

async fn staged_rows(plan: Arc<dyn ExecutionPlan>, context: Arc<TaskContext>) -> Result<u64> {
    let counts = collect(plan, context).await.map_err(readable)?;
    let Some(count) = counts.first() else { bail!("a sink's plan answered nothing") };
    Ok(count.column(0).as_primitive::<UInt64Type>().values().iter().sum())
}

/// DataFusion's wrapping says how an error travelled; people want to know what it was.
fn readable(error: DataFusionError) -> anyhow::Error {
    match error.find_root() {
        DataFusionError::Execution(text) => anyhow!(text.clone()),
        DataFusionError::External(inner) => anyhow!("{inner}"),
        other => anyhow!(other.strip_backtrace()),
    }
}
