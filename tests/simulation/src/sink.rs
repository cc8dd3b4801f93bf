//! A sink that keeps batches as text, fails when it is told to, and notices when what was visible changes.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use anyhow::{Context, anyhow};
use arrow::json::LineDelimitedWriter;
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use weir::driver::{Clock, ManualClock};
use weir::sink::{PartWriter, Sink, SinkError, Staged};
use weir::storage::SimulatedDisk;
use weir::time::BatchTime;

/// What a sink has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Written {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    visible: BTreeMap<u64, Vec<String>>,
    staged: BTreeMap<u64, BTreeMap<usize, Vec<String>>>,
    /// Batches that were something else before they were visible for the last time.
    changed: Vec<u64>,
}

impl Written {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no panic while it is held")
    }

    /// The rows of each batch that has some.
    pub(crate) fn rows(&self) -> BTreeMap<u64, Vec<String>> {
        self.inner().visible.iter().filter(|(_, rows)| !rows.is_empty()).map(|(t, rows)| (*t, rows.clone())).collect()
    }

    pub(crate) fn changed(&self) -> Vec<u64> {
        self.inner().changed.clone()
    }

    /// What was staged is gone with the host.
    pub(crate) fn host_died(&self) {
        self.inner().staged.clear();
    }
}

/// What goes wrong at a sink, with which batch of the life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SinkFault {
    pub(crate) batch: BatchTime,
    pub(crate) kind: SinkFaultKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SinkFaultKind {
    Begin,
    Stage,
    Write,
    Finish,
    Commit,
    /// The batch is visible, and yet the commit says that it failed.
    CommitAfter,
    /// The commit takes some intervals.
    Slow(u64),
}

/// The sink as a host has it open.
#[derive(Debug, Clone)]
pub(crate) struct SimulatedSink {
    pub(crate) written: Written,
    pub(crate) disk: SimulatedDisk,
    pub(crate) clock: ManualClock,
    pub(crate) fault: Option<SinkFault>,
}

impl SimulatedSink {
    fn check(&self, batch: BatchTime, kind: SinkFaultKind) -> Result<(), SinkError> {
        if self.disk.has_stopped() {
            return Err(anyhow!("simulated: the host is dead").into());
        }
        if self.fault == Some(SinkFault { batch, kind }) {
            return Err(anyhow!("simulated: {kind:?} fails").into());
        }
        Ok(())
    }
}

#[async_trait]
impl Sink for SimulatedSink {
    async fn begin(&self, batch: BatchTime) -> Result<(), SinkError> {
        self.check(batch, SinkFaultKind::Begin)?;
        self.written.inner().staged.insert(batch.as_millis(), BTreeMap::new());
        Ok(())
    }

    async fn stage(&self, batch: BatchTime, part: usize) -> Result<Box<dyn PartWriter>, SinkError> {
        self.check(batch, SinkFaultKind::Stage)?;
        Ok(Box::new(Part { sink: self.clone(), batch, part, rows: Vec::new() }))
    }

    async fn commit(&self, batch: BatchTime) -> Result<(), SinkError> {
        if let Some(SinkFault { batch: slow, kind: SinkFaultKind::Slow(intervals) }) = self.fault
            && slow == batch
        {
            let until = Duration::from_millis(batch.as_millis()) + Duration::from_secs(intervals);
            self.clock.until(until.as_millis() as u64).await;
        }
        self.check(batch, SinkFaultKind::Commit)?;
        let mut inner = self.written.inner();
        if let Some(parts) = inner.staged.remove(&batch.as_millis()) {
            let rows: Vec<String> = parts.into_values().flatten().collect();
            let before = inner.visible.insert(batch.as_millis(), rows.clone());
            if before.is_some_and(|before| before != rows) {
                inner.changed.push(batch.as_millis());
            }
        }
        drop(inner);
        self.check(batch, SinkFaultKind::CommitAfter)
    }
}

struct Part {
    sink: SimulatedSink,
    batch: BatchTime,
    part: usize,
    rows: Vec<String>,
}

#[async_trait]
impl PartWriter for Part {
    async fn write(&mut self, rows: RecordBatch) -> Result<(), SinkError> {
        self.sink.check(self.batch, SinkFaultKind::Write)?;
        let mut writer = LineDelimitedWriter::new(Vec::new());
        writer.write(&rows).and_then(|()| writer.finish()).context("rows as text")?;
        let text = String::from_utf8(writer.into_inner()).context("rows as text")?;
        self.rows.extend(text.lines().map(str::to_owned));
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<Staged, SinkError> {
        self.sink.check(self.batch, SinkFaultKind::Finish)?;
        let rows = mem::take(&mut self.rows);
        let staged = Staged { rows: rows.len() as u64, bytes: 0 };
        match self.sink.written.inner().staged.get_mut(&self.batch.as_millis()) {
            Some(parts) => drop(parts.insert(self.part, rows)),
            None => return Err(anyhow!("part {} was staged before the batch was begun", self.part).into()),
        }
        Ok(staged)
    }
}
