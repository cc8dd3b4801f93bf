//! HTTP: at commit the rows of a batch are sent as JSON lines, in requests of bounded size.
//!
//! Which rows are in which request follows from the rows and the sink's limits alone. A request's `Idempotency-Key` says
//! which rows of which batch it has. So a request that is sent again, because its answer was lost or the host died, is the
//! same request under the same key, and a receiver that remembers keys takes each row once. Where the limits were changed
//! in between, other rows have other keys: some are sent twice, and none is taken for another.
//!
//! Requests go one after the other; within one host, a batch that is tried again goes on after the last request that was
//! answered.

mod requests;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use indexmap::IndexMap;
use ureq::Agent;

pub(super) use self::requests::Limits;
use self::requests::{Request, Requests};
pub(super) use self::verdict::passes;
use super::files::encode::json_writer;
use super::spool::{Begun, Part, Spool};
use super::{PartWriter, Sink, SinkError, Staged};
use crate::time::BatchTime;

/// Where rows are sent, and how.
#[derive(Debug)]
pub(super) struct Endpoint {
    /// The address.
    pub(super) url: String,
    /// Headers of every request.
    pub(super) headers: IndexMap<String, String>,
    /// What every idempotency key begins with.
    pub(super) key: String,
    /// How long an answer may take.
    pub(super) timeout: Duration,
    /// What a request may have.
    pub(super) limits: Limits,
}

/// The client of all that is sent over HTTP; an answer may take as long as `timeout`.
pub(super) fn agent(timeout: Duration) -> Agent {
    // A redirect is an answer like others: the rows of a POST do not follow it.
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(timeout))
        .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")));
    config.build().into()
}

/// Sends each batch.
#[derive(Debug)]
pub(super) struct HttpSink {
    endpoint: Endpoint,
    agent: Agent,
    spool: Arc<Spool>,
}

impl HttpSink {
    /// Nothing is sent to see whether somebody is there: a receiver need not have anything that may be asked.
    pub(super) fn new(endpoint: Endpoint, spool: Spool) -> Self {
        Self { agent: agent(endpoint.timeout), endpoint, spool: Arc::new(spool) }
    }

    fn send(&self, batch: BatchTime, begun: &mut Begun) -> Result<(), SinkError> {
        let Begun { parts, sent, .. } = begun;
        let mut number = 0;
        for (part, rows) in parts {
            let reading = || format!("reading what was staged of batch {batch}");
            let mut requests = Requests::of(rows.read().with_context(reading)?, self.endpoint.limits);
            while let Some(Request { first, last, body }) = requests.next().with_context(reading)? {
                if number == *sent {
                    let key = format!("{}/{}/{part}/{first}-{last}", self.endpoint.key, batch.as_millis());
                    self.post(&key, body)?;
                    *sent += 1;
                }
                number += 1;
            }
        }
        Ok(())
    }

    fn post(&self, key: &str, body: &[u8]) -> Result<(), SinkError> {
        let mut request = self.agent.post(&self.endpoint.url);
        for (name, value) in &self.endpoint.headers {
            request = request.header(name, value);
        }
        let request = request.header("Content-Type", "application/x-ndjson").header("Idempotency-Key", key);
        match request.send(body) {
            Ok(answer) => verdict::of_answer(answer),
            Err(error) => Err(verdict::of_error(error)),
        }
    }
}

#[async_trait]
impl Sink for HttpSink {
    async fn begin(&self, batch: BatchTime) -> Result<(), SinkError> {
        self.spool.begin(batch);
        Ok(())
    }

    async fn stage(&self, batch: BatchTime, part: usize) -> Result<Box<dyn PartWriter>, SinkError> {
        Ok(Box::new(HttpPart { batch, number: part, rows: self.spool.part(), spool: self.spool.clone() }))
    }

    async fn commit(&self, batch: BatchTime) -> Result<(), SinkError> {
        let Some(begun) = self.spool.begun(batch) else { return Ok(()) };
        // Without what may be secret in it.
        let place = self.endpoint.url.split('?').next().unwrap_or_default();
        let sent = self.send(batch, &mut *begun.lock().await);
        sent.map_err(|error| error.context(format!("sending batch {batch} to {place}")))?;
        self.spool.committed(batch);
        Ok(())
    }
}

/// Stages a part as JSON lines.
struct HttpPart {
    batch: BatchTime,
    number: usize,
    rows: Part,
    spool: Arc<Spool>,
}

#[async_trait]
impl PartWriter for HttpPart {
    async fn write(&mut self, rows: RecordBatch) -> Result<(), SinkError> {
        let mut lines = json_writer(Vec::new());
        lines.write(&rows).context("writing rows as JSON")?;
        Ok(self.rows.append(rows.num_rows(), &lines.into_inner())?)
    }

    async fn finish(self: Box<Self>) -> Result<Staged, SinkError> {
        Ok(self.spool.keep(self.batch, self.number, self.rows).await?)
    }
}

#[cfg(test)]
mod tests;
