//! Where results go. A batch's output is staged where no reader sees it, and becomes visible at commit.
//!
//! A batch may be staged and committed again, after a crash or because a sink was down: the outcome is as if it had been
//! done once, as far as the sink's [`Delivery`](crate::pipeline::Delivery) promises. An error says whether trying again
//! can help.

mod component;
mod error;
mod files;
mod http;
mod postgres;
mod spool;
mod stdout;

pub use component::{ComponentSink, Granted, SinkComponent, Tally, Undelivered, sound};
pub use error::{SinkError, SinkFailed};
pub(crate) use files::encode::json_writer;
pub use stdout::SharedWriter;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;

use self::spool::Spool;
use crate::operator::{Components, Http};
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
/// The methods encode rows, write to local files and wait for servers within the call, so they are to be called where
/// blocking does no harm, within the runtime, and not on a reactor thread.
#[async_trait]
pub trait Sink: Send + Sync + std::fmt::Debug {
    /// Removes whatever an earlier attempt at this batch staged.
    async fn begin(&self, batch: BatchTime) -> Result<(), SinkError>;

    /// Opens part `part` of the batch for writing.
    async fn stage(&self, batch: BatchTime, part: usize) -> Result<Box<dyn PartWriter>, SinkError>;

    /// Makes everything staged for the batch visible at once. A batch that was not begun, or is committed already, is
    /// left as it is, so that a commit may be tried again.
    async fn commit(&self, batch: BatchTime) -> Result<(), SinkError>;

    /// What was staged of a batch and is not delivered, where another sink could go on with it.
    fn undelivered(&self, _: BatchTime) -> Option<Undelivered> {
        None
    }

    /// Goes on, when it is asked to commit the batch, with what another sink has staged of it, after what that has
    /// delivered; whether it can.
    fn take_over(&self, _: BatchTime, _: Undelivered) -> bool {
        false
    }
}

/// Writes one part of a batch.
#[async_trait]
pub trait PartWriter: Send {
    /// Appends rows.
    async fn write(&mut self, rows: RecordBatch) -> Result<(), SinkError>;

    /// Flushes and closes the part; it is then ready to be committed.
    async fn finish(self: Box<Self>) -> Result<Staged, SinkError>;
}

/// What sinks are opened with.
pub struct SinkContext<'c> {
    /// The pipeline's name.
    pub pipeline: String,
    /// Where what is for standard output goes.
    pub output: SharedWriter,
    /// A folder for rows that wait for their commit.
    pub spool: PathBuf,
    /// Where sinks that are components come from.
    pub components: &'c Components,
    /// How far behind the batch at work one may be that runs again. None: without end, as a job may be repeated from its
    /// beginning at any time; a live run goes forward.
    pub horizon: Option<Duration>,
}

/// Opens a sink for rows of `schema`, and checks that what it writes to takes them. One that is down is an error.
pub async fn open(name: &str, spec: &SinkSpec, schema: SchemaRef, context: &SinkContext<'_>) -> Result<Arc<dyn Sink>> {
    opened(name, spec, schema, context).await.with_context(|| format!("sink `{name}`"))
}

/// A sink that is this component. What it sends goes through `http`, whatever the pipeline grants it.
pub fn of_component(component: SinkComponent, http: Arc<dyn Http>, spool: &Path) -> Result<ComponentSink> {
    Ok(ComponentSink::new(component, http, Spool::at(spool)?))
}

/// Opens a pipeline's sink that is a component. What it sends goes through `http`, whatever the pipeline grants it.
pub fn open_component(
    pipeline: &str,
    name: &str,
    spec: &SinkSpec,
    schema: &Schema,
    components: &Components,
    http: Arc<dyn Http>,
    spool: &Path,
) -> Result<ComponentSink> {
    let component = SinkComponent::of(pipeline, name, spec, schema, components)?;
    let component = component.with_context(|| format!("a sink of the type `{}` is no component", spec.kind()))?;
    of_component(component, http, spool)
}

async fn opened(name: &str, spec: &SinkSpec, schema: SchemaRef, context: &SinkContext<'_>) -> Result<Arc<dyn Sink>> {
    Ok(match spec {
        SinkSpec::Stdout { format, .. } => Arc::new(stdout::StdoutSink::new(*format, schema, context.output.clone())),
        SinkSpec::Files { path, format, .. } => {
            let owner = format!("sink `{name}` of pipeline `{}`", context.pipeline);
            Arc::new(files::FilesSink::open(path, &owner, *format, schema)?)
        }
        SinkSpec::Postgres { url, table, key, create, .. } => {
            let target = postgres::Target {
                pipeline: &context.pipeline,
                sink: name,
                url,
                table,
                key,
                create: *create,
                horizon: context.horizon,
            };
            Arc::new(postgres::PostgresSink::open(&target, &schema, Spool::at(&context.spool)?).await?)
        }
        SinkSpec::Http { url, headers, timeout, max_rows, max_bytes, .. } => {
            let endpoint = http::Endpoint {
                url: url.clone(),
                headers: headers.clone(),
                key: format!("{}/{name}", context.pipeline),
                timeout: timeout.0,
                limits: http::Limits {
                    rows: max_rows.get(),
                    bytes: usize::try_from(max_bytes.0).unwrap_or(usize::MAX),
                },
            };
            Arc::new(http::HttpSink::new(endpoint, Spool::at(&context.spool)?))
        }
        SinkSpec::Component { allow, timeout, .. } => {
            let http = Granted::of_sink(name, allow, timeout.0);
            let SinkContext { pipeline, components, spool, .. } = context;
            Arc::new(open_component(pipeline, name, spec, &schema, components, Arc::new(http), spool)?)
        }
    })
}
