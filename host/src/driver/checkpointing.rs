//! When checkpoints are made: in the background, some time after the one before, and when a run ends.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, spawn_blocking};

use super::log::Cut;
use super::watch::Before;
use crate::checkpoint::Checkpoints;
use crate::plan::Pool;
use crate::source::Position;
use crate::state::{SavedStates, Store};
use crate::time::{BatchTime, millis};

/// The checkpoints of a run.
#[derive(Debug)]
pub(super) struct Checkpointing {
    /// Elsewhere while one is written.
    checkpoints: Option<Checkpoints>,
    writing: Option<JoinHandle<Written>>,
    interval: Duration,
    /// When the last was begun, in milliseconds of the driver's clock.
    begun: u64,
    /// How far each source has come with the last committed batch.
    positions: BTreeMap<String, Position>,
    /// The last batch that was committed, if no checkpoint holds it.
    open: Option<BatchTime>,
}

#[derive(Debug)]
struct Written {
    checkpoints: Checkpoints,
    batch: BatchTime,
    result: Result<()>,
}

impl Checkpointing {
    /// Goes on from a checkpoint with these positions, begun at `begun`.
    pub(super) fn new(
        checkpoints: Checkpoints,
        interval: Duration,
        positions: BTreeMap<String, Position>,
        begun: u64,
    ) -> Self {
        Self { checkpoints: Some(checkpoints), writing: None, interval, begun, positions, open: None }
    }

    /// A batch was committed.
    pub(super) fn committed(&mut self, cut: &Cut) {
        for (source, cut) in &cut.sources {
            self.positions.entry(source.clone()).or_default().follow(&cut.moved);
        }
        self.open = Some(cut.batch);
    }

    /// Begins a checkpoint if it is time for one and none is being written.
    pub(super) async fn begin_if_due(&mut self, now: u64, store: &Arc<Store>, pool: &Pool) -> Result<()> {
        let due = self.begun.saturating_add(u64::try_from(self.interval.as_millis()).unwrap_or(u64::MAX));
        if now < due || self.writing.is_some() {
            return Ok(());
        }
        self.begun = now;
        self.begin(store, pool).await
    }

    /// The batch of the oldest checkpoint that is there, while none is being written.
    pub(super) fn oldest(&self) -> Option<BatchTime> {
        self.checkpoints.as_ref().and_then(Checkpoints::oldest)
    }

    /// How far each source has come with the last committed batch.
    pub(super) fn positions(&self) -> &BTreeMap<String, Position> {
        &self.positions
    }

    /// Goes back to what was before some batches, of which there is no checkpoint.
    pub(super) async fn go_back(&mut self, before: &Before) -> Result<()> {
        // One that is being written is of before; when it fails, the next makes up for it.
        let _ = self.wait().await?;
        if let Some(checkpoints) = &mut self.checkpoints {
            checkpoints.begin_anew();
        }
        self.positions.clone_from(&before.positions);
        self.open = None;
        Ok(())
    }

    async fn begin(&mut self, store: &Arc<Store>, pool: &Pool) -> Result<()> {
        let Some(mut checkpoints) = self.checkpoints.take() else { return Ok(()) };
        let (since, positions, store) = (checkpoints.since(), self.positions.clone(), store.clone());
        let begun = Instant::now();
        let Some(saved) = pool.run(move || store.saved(since)).await? else {
            self.checkpoints = Some(checkpoints);
            return Ok(());
        };
        if Some(saved.batch) != self.open {
            // A run that fails may leave a batch that has changed states, and is not in the log as committed. States after
            // it with positions before it would have the next run read its rows twice.
            bail!("batch {} is not known to be committed", saved.batch);
        }
        let (batch, taking, runtime) = (saved.batch, begun.elapsed(), Handle::current());
        self.writing = Some(spawn_blocking(move || {
            let (begun, everything) = (Instant::now(), matches!(saved.states, SavedStates::All(_)));
            let result = runtime.block_on(checkpoints.write(saved, positions)).map(|bytes| {
                let (taking_ms, writing_ms) = (millis(taking), millis(begun.elapsed()));
                tracing::debug!(%batch, everything, bytes, taking_ms, writing_ms, "checkpoint written");
            });
            Written { checkpoints, batch, result }
        }));
        Ok(())
    }

    /// Resolves when a checkpoint has been written: the batch of the oldest that is kept. A checkpoint that cannot be written ends
    /// nothing: it is tried again when the next is due.
    pub(super) async fn written(&mut self) -> Result<BatchTime> {
        loop {
            match self.wait().await? {
                Some((batch, Ok(()))) => return Ok(self.oldest().unwrap_or(batch)),
                Some((batch, Err(error))) => {
                    tracing::warn!(%batch, "cannot write a checkpoint, and will try again: {error:#}");
                }
                None => pending().await,
            }
        }
    }

    /// Sees to it that a checkpoint holds all that was committed.
    pub(super) async fn finish(&mut self, store: &Arc<Store>, pool: &Pool) -> Result<()> {
        // One that fails here is made up for by the next.
        let _ = self.wait().await?;
        if self.open.is_some() {
            self.begin(store, pool).await?;
        }
        match self.wait().await? {
            Some((_, written)) => written,
            None => Ok(()),
        }
    }

    /// Waits for the checkpoint that is being written, if there is one: its batch, and whether it was.
    pub(super) async fn wait(&mut self) -> Result<Option<(BatchTime, Result<()>)>> {
        let Some(writing) = &mut self.writing else { return Ok(None) };
        let written = writing.await;
        self.writing = None;
        let Written { checkpoints, batch, result } =
            written.map_err(|e| anyhow!("the task that writes checkpoints was lost: {e}"))?;
        self.checkpoints = Some(checkpoints);
        if result.is_ok() {
            self.open = self.open.filter(|open| *open > batch);
        }
        Ok(Some((batch, result)))
    }
}
