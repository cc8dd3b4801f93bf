//! Rows posted over HTTP/1.1: a receiver whose senders know what it has.
//!
//! A POST is answered 200 when its rows are on disk, and not before; so who got no answer sends again, with the same
//! `Idempotency-Key` if the rows must not come twice. There is one answer for each way in which it can be refused, and
//! the text says what to do. When memory is full, or the rate controller has it, the answer is 429 and the sender keeps
//! the rows: nothing waits here but what has a place.
//!
//! - [`server`]: one request, from its head to its answer; [`refusal`]: the answers that are not 200.
//! - [`connections`]: how many there may be.
//! - [`body`]: a body to records.
//! - [`requests`]: which requests are known.
//! - [`collector`]: records to blocks, in groups.

mod body;
mod collector;
mod connections;
mod refusal;
mod requests;
mod server;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use async_trait::async_trait;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::timeout;
use tracing::info;

use self::collector::Collector;
use self::server::Endpoint;
use super::socket;
use super::{Mode, Moved, Source, SourceContext, SourceCut};
use crate::block::Block;
use crate::pipeline::Format;
use crate::time::BatchTime;
use crate::units::Rate;

/// How long connections may take to read their last answers when the host stops.
const LINGER: Duration = Duration::from_secs(5);

/// How many requests may wait to be put into a block.
const QUEUE: usize = 1024;

/// What may be posted.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    /// Where.
    pub(super) path: String,
    /// How a body becomes rows.
    pub(super) format: Format,
    /// The columns, in order.
    pub(super) columns: Vec<String>,
    /// In bytes.
    pub(super) max_body: u64,
    /// Rows a second.
    pub(super) max_rate: Option<Rate>,
}

/// A server and what it has received.
#[derive(Debug)]
pub(super) struct HttpSource {
    endpoint: Arc<Endpoint>,
    /// Blocks for the next cut.
    sealed: Arc<Mutex<Vec<Block>>>,
    /// Ends when the source is stopped, and all that was taken is answered.
    receiving: JoinHandle<()>,
    server: AbortHandle,
    stopping: bool,
    ended: bool,
}

impl HttpSource {
    /// Starts to listen. Blocks that an earlier run has received, and no batch has taken, come first.
    pub(super) fn open(name: &str, listen: &str, rules: Rules, context: &SourceContext) -> Result<Self> {
        if context.mode == Mode::Once {
            bail!(
                "rows that are posted (here to {listen}) have no end, so they cannot be run to their end: run the \
                 pipeline live"
            );
        }
        let listener = socket::bind(listen, &context.runtime)?;
        let address = listener.local_addr().with_context(|| format!("cannot listen on {listen}"))?;
        info!(source = name, "rows are taken at http://{address}{}", rules.path);
        Ok(Self::serve(name, listener, rules, context))
    }

    fn serve(name: &str, listener: TcpListener, rules: Rules, context: &SourceContext) -> Self {
        let store = context.store.clone();
        let (submit, submissions) = mpsc::channel(QUEUE);
        let endpoint = Arc::new(Endpoint::new(name, rules, submit, context));
        let sealed = Arc::new(Mutex::new(store.take_waiting(name)));
        let block_size = usize::try_from(context.block_size).unwrap_or(usize::MAX);
        let collector = Collector { store, source: name.into(), block_size, sealed: sealed.clone() };
        let (drained, until_drained) = oneshot::channel();
        let serving = context.runtime.spawn(server::serve(listener, endpoint.clone(), until_drained));
        let server = serving.abort_handle();
        let receiving = context.runtime.spawn(async move {
            collector.run(submissions).await;
            // Answers are under way; a client that does not read its own is not waited for.
            let _ = drained.send(());
            let _ = timeout(LINGER, serving).await;
        });
        Self { endpoint, sealed, receiving, server, stopping: false, ended: false }
    }

    fn sealed(&self) -> MutexGuard<'_, Vec<Block>> {
        self.sealed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Source for HttpSource {
    async fn ready(&mut self) -> Result<()> {
        if self.stopping && !self.ended {
            let end = (&mut self.receiving).await;
            self.ended = true;
            end.context("taking posted rows failed")?;
        }
        Ok(())
    }

    fn cut(&mut self, _batch: BatchTime, _limit: Option<u64>) -> Result<SourceCut> {
        Ok(SourceCut { blocks: std::mem::take(&mut *self.sealed()), moved: Moved::Nowhere })
    }

    fn set_rate(&mut self, rows_per_second: f64) {
        self.endpoint.throttle.set_rate(rows_per_second);
    }

    fn ended(&self) -> bool {
        self.ended && self.sealed().is_empty()
    }

    fn stop(&mut self) {
        self.stopping = true;
        self.endpoint.stop();
    }
}

impl Drop for HttpSource {
    fn drop(&mut self) {
        self.receiving.abort();
        self.server.abort();
    }
}
