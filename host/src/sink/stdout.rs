//! Standard output: each batch is printed whole when it is committed, as a table or as JSON lines.
//!
//! The rows of a batch wait in memory until then.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, anyhow};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use arrow::util::display::FormatOptions;
use arrow::util::pretty::pretty_format_batches_with_options;
use async_trait::async_trait;

use super::files::encode::json_writer;
use super::{PartWriter, Sink, SinkError, Staged};
use crate::pipeline::StdoutFormat;
use crate::time::BatchTime;

/// Where all that is printed goes.
pub type SharedWriter = Arc<Mutex<dyn Write + Send>>;

/// Prints each batch.
pub(super) struct StdoutSink {
    format: StdoutFormat,
    schema: SchemaRef,
    writer: SharedWriter,
    staged: Arc<Mutex<StagedBatches>>,
}

/// The rows of each part of each batch that was begun.
type StagedBatches = BTreeMap<BatchTime, BTreeMap<usize, Vec<RecordBatch>>>;

impl StdoutSink {
    pub(super) fn new(format: StdoutFormat, schema: SchemaRef, writer: SharedWriter) -> Self {
        Self { format, schema, writer, staged: Arc::default() }
    }

    fn render(&self, batch: BatchTime, rows: &[RecordBatch]) -> Result<Vec<u8>> {
        match self.format {
            StdoutFormat::Json => {
                let mut writer = json_writer(Vec::new());
                for rows in rows {
                    writer.write(rows)?;
                }
                Ok(writer.into_inner())
            }
            StdoutFormat::Table => {
                let count: usize = rows.iter().map(RecordBatch::num_rows).sum();
                let noun = if count == 1 { "row" } else { "rows" };
                let mut text = format!("-- batch {batch} ({count} {noun})\n");
                if count > 0 {
                    let options = FormatOptions::default().with_null("null");
                    text += &pretty_format_batches_with_options(rows, &options)?.to_string();
                    text.push('\n');
                }
                Ok(text.into_bytes())
            }
        }
    }
}

impl std::fmt::Debug for StdoutSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StdoutSink").field("format", &self.format).field("schema", &self.schema).finish_non_exhaustive()
    }
}

#[async_trait]
impl Sink for StdoutSink {
    async fn begin(&self, batch: BatchTime) -> Result<(), SinkError> {
        lock(&self.staged).insert(batch, BTreeMap::new());
        Ok(())
    }

    async fn stage(&self, batch: BatchTime, part: usize) -> Result<Box<dyn PartWriter>, SinkError> {
        Ok(Box::new(StdoutPart { staged: Arc::clone(&self.staged), batch, part, rows: Vec::new() }))
    }

    async fn commit(&self, batch: BatchTime) -> Result<(), SinkError> {
        let Some(parts) = lock(&self.staged).remove(&batch) else { return Ok(()) };
        let rows: Vec<RecordBatch> = parts.into_values().flatten().collect();
        let text = self.render(batch, &rows).with_context(|| format!("printing batch {batch}"))?;
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.write_all(&text).and_then(|()| writer.flush()).map_err(|error| {
            // Never to be tried again, though the disk be full: some of it may have been printed.
            SinkError::Fatal(match error.kind() {
                ErrorKind::BrokenPipe => anyhow!("standard output is closed: whoever read it has gone"),
                _ => anyhow!(error).context(format!("printing batch {batch}")),
            })
        })
    }
}

/// Rows of one part, until it is finished.
struct StdoutPart {
    staged: Arc<Mutex<StagedBatches>>,
    batch: BatchTime,
    part: usize,
    rows: Vec<RecordBatch>,
}

#[async_trait]
impl PartWriter for StdoutPart {
    async fn write(&mut self, rows: RecordBatch) -> Result<(), SinkError> {
        self.rows.push(rows);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<Staged, SinkError> {
        let rows = self.rows.iter().map(|rows| rows.num_rows() as u64).sum();
        let bytes = self.rows.iter().map(|rows| rows.get_array_memory_size() as u64).sum();
        match lock(&self.staged).get_mut(&self.batch) {
            Some(parts) => parts.insert(self.part, self.rows),
            None => {
                let error = anyhow!("part {} of batch {} was staged before the batch was begun", self.part, self.batch);
                return Err(error.into());
            }
        };
        Ok(Staged { rows, bytes })
    }
}

/// Each change under the lock is one call, so a panic elsewhere leaves the map whole.
fn lock(staged: &Mutex<StagedBatches>) -> MutexGuard<'_, StagedBatches> {
    staged.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
