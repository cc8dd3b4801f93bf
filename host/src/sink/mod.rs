//! Where results go. A batch's output is staged where no reader sees it, and becomes visible at commit.
//!
//! Staging and committing the same batch again leaves the same result: a re-run batch overwrites.

mod files;
mod stdout;

pub(crate) use files::encode::json_writer;
pub use stdout::SharedWriter;

use std::sync::Arc;

use anyhow::{Context, Result};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;

use crate::pipeline::SinkSpec;
use crate::time::BatchTime;

/// What has been staged of one part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Staged {
    /// Rows written.
    pub rows: u64,
    /// Bytes written; of a sink that stages rows in memory, the bytes that they take there.
    pub bytes: u64,
}

/// A destination, shared by all tasks that write to it.
///
/// The methods are async for sinks that write over a network. Those here encode and write to local files within the
/// call, so they are to be called where blocking does no harm, not on a reactor thread.
#[async_trait]
pub trait Sink: Send + Sync + std::fmt::Debug {
    /// Removes whatever an earlier attempt at this batch staged.
    async fn begin(&self, batch: BatchTime) -> Result<()>;

    /// Opens part `part` of the batch for writing.
    async fn stage(&self, batch: BatchTime, part: usize) -> Result<Box<dyn PartWriter>>;

    /// Makes everything staged for the batch visible at once. A batch that was not begun, or is committed already, is
    /// left as it is, so that a commit may be tried again.
    async fn commit(&self, batch: BatchTime) -> Result<()>;
}

/// Writes one part of a batch.
#[async_trait]
pub trait PartWriter: Send {
    /// Appends rows.
    async fn write(&mut self, rows: RecordBatch) -> Result<()>;

    /// Flushes and closes the part; it is then ready to be committed.
    async fn finish(self: Box<Self>) -> Result<Staged>;
}

/// Opens a sink for rows of `schema`. What is for standard output goes to `writer`, which all such sinks share.
pub fn open(name: &str, spec: &SinkSpec, schema: SchemaRef, writer: SharedWriter) -> Result<Arc<dyn Sink>> {
    Ok(match spec {
        SinkSpec::Stdout { format, .. } => Arc::new(stdout::StdoutSink::new(*format, schema, writer)),
        SinkSpec::Files { path, format, .. } => {
            let sink = files::FilesSink::open(path, *format, schema).with_context(|| format!("sink `{name}`"))?;
            Arc::new(sink)
        }
    })
}
