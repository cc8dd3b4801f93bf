//! PostgreSQL: a batch's rows go in one transaction, together with the batch's time.
//!
//! The table `weir_commits`, beside the table that is written to, has a row for each batch that is in it. A commit first
//! puts its own row there; when that row is there already, the batch is, too, and nothing is done. Whether an earlier
//! commit went through need never be known: it is tried again, and the server decides.
//!
//! Rows wait in the binary form of `COPY`, so values arrive as they are, and the connection is needed at commit only.

mod commits;
mod connection;
mod encode;
mod table;

use std::io::Read;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use bytes::Bytes;
use futures::SinkExt;
use tokio::sync::Mutex;
use tokio_postgres::{Client, Config, Transaction};
use tracing::{info, warn};

use self::connection::{connect, place, sink_error};
use self::encode::{Encoder, HEADER, TRAILER};
use self::table::Table;
use super::spool::{Begun, Part, Spool};
use super::{PartWriter, Sink, SinkError, Staged};
use crate::fault;
use crate::time::BatchTime;

/// What is sent at once.
const PIECE_BYTES: usize = 256 << 10;
/// How long a commit waits for somebody who holds a lock, before it is told as an outage.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '30s'";

/// Which table a sink writes to, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'t> {
    /// The pipeline's name.
    pub(super) pipeline: &'t str,
    /// The sink's name.
    pub(super) sink: &'t str,
    /// Where the database is.
    pub(super) url: &'t str,
    /// The table, as the user writes it.
    pub(super) table: &'t str,
    /// Columns in which no two rows are the same; none: rows are added.
    pub(super) key: &'t [String],
    /// Whether to make the table.
    pub(super) create: bool,
    /// How far back a batch may run again; none: without end.
    pub(super) horizon: Option<Duration>,
}

/// A table.
#[derive(Debug)]
pub(super) struct PostgresSink {
    pipeline: String,
    name: String,
    config: Config,
    table: Table,
    encoder: Encoder,
    spool: Arc<Spool>,
    progress: Mutex<Progress>,
}

/// How far this sink has come.
#[derive(Debug, Default)]
struct Progress {
    /// Kept from one batch to the next, while nothing goes wrong.
    session: Option<Client>,
    /// Whether a batch was written; those that follow are new.
    has_written: bool,
    /// `weir_commits` has no batches of live runs before this time.
    forgotten: i64,
}

impl PostgresSink {
    /// Connects, makes what is to be made, and checks that the table takes the rows.
    pub(super) async fn open(target: &Target<'_>, rows: &SchemaRef, spool: Spool) -> Result<Self> {
        let config: Config = target.url.parse().context("`url` is no address of a PostgreSQL database")?;
        let place = place(&config);
        let client = connect(&config).await;
        let mut client = client.with_context(|| format!("{place}: start the server, or correct `url`"))?;
        let table = Table::open(&mut client, target, rows).await.with_context(|| place)?;
        let encoder = Encoder::new(rows, |column| table.refuses_null(column), !target.key.is_empty());
        Ok(Self {
            pipeline: target.pipeline.to_owned(),
            name: target.sink.to_owned(),
            config,
            table,
            encoder,
            spool: Arc::new(spool),
            // Another session is made for the first batch: it may be a long time until then.
            progress: Mutex::default(),
        })
    }

    /// Writes the batch, unless it is there.
    async fn write(&self, batch: BatchTime, begun: &mut Begun) -> Result<(), SinkError> {
        let mut progress = self.progress.lock().await;
        let mut client = match progress.session.take() {
            Some(client) if !client.is_closed() => client,
            _ => self.new_session().await?,
        };
        let digest = begun.digest();
        let transaction = client.transaction().await.map_err(sink_error)?;
        transaction.batch_execute(LOCK_TIMEOUT).await.map_err(sink_error)?;
        if self.table.commits.add(&transaction, batch, begun.rows(), &digest).await? {
            self.copy(&transaction, begun).await?;
            if let Some(merge) = &self.table.merge {
                transaction.batch_execute(merge).await.map_err(sink_error)?;
            }
            let forgotten = self.table.commits.forget(&transaction, batch, progress.forgotten).await?;
            fault::point("a transaction is committed");
            transaction.commit().await.map_err(sink_error)?;
            fault::point("a transaction has been committed");
            (progress.has_written, progress.forgotten) = (true, forgotten);
        } else {
            let same = self.table.commits.is_same(&transaction, batch, &digest).await?;
            transaction.rollback().await.map_err(sink_error)?;
            self.tell_of_what_is_there(batch, same, progress.has_written)?;
        }
        progress.session = Some(client);
        Ok(())
    }

    async fn new_session(&self) -> Result<Client, SinkError> {
        let client = connect(&self.config).await?;
        if let Some(staging) = &self.table.staging {
            client.batch_execute(staging).await.map_err(sink_error)?;
        }
        Ok(client)
    }

    /// A batch that runs again is there. Any other is not to be there: its rows would be lost without a word.
    fn tell_of_what_is_there(&self, batch: BatchTime, same: bool, has_written: bool) -> Result<(), SinkError> {
        let sink = &self.name;
        if same {
            info!(%batch, sink, "the batch is in the table already");
            return Ok(());
        }
        if self.table.commits.are_live() && has_written {
            return Err(SinkError::Fatal(anyhow!(
                "another host has written a batch of this time for the sink `{sink}` of a pipeline `{}`: stop it, or give \
                 one of the pipelines another `name`",
                self.pipeline
            )));
        }
        warn!(
            %batch,
            sink,
            "the batch is in the table already, with other rows, and is left as it is: to write the input of another run \
             beside it, give the pipeline another `name`, or the run another --start"
        );
        Ok(())
    }

    async fn copy(&self, transaction: &Transaction<'_>, begun: &mut Begun) -> Result<(), SinkError> {
        let copy = transaction.copy_in::<_, Bytes>(&self.table.copy).await.map_err(sink_error)?;
        let mut copy = pin!(copy);
        copy.feed(Bytes::from_static(HEADER)).await.map_err(sink_error)?;
        for part in begun.parts.values_mut() {
            let reading = "reading staged rows";
            let mut rows = part.read().context(reading)?;
            loop {
                let mut piece = Vec::with_capacity(PIECE_BYTES);
                if rows.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut piece).context(reading)? == 0 {
                    break;
                }
                fault::point("rows are sent to a table");
                copy.send(piece.into()).await.map_err(sink_error)?;
            }
        }
        copy.feed(Bytes::from_static(TRAILER)).await.map_err(sink_error)?;
        copy.finish().await.map_err(sink_error)?;
        Ok(())
    }
}

#[async_trait]
impl Sink for PostgresSink {
    async fn begin(&self, batch: BatchTime) -> Result<(), SinkError> {
        self.spool.begin(batch);
        Ok(())
    }

    async fn stage(&self, batch: BatchTime, part: usize) -> Result<Box<dyn PartWriter>, SinkError> {
        let (encoder, rows, spool) = (self.encoder.of_part(part), self.spool.part(), self.spool.clone());
        Ok(Box::new(PostgresPart { batch, number: part, encoder, rows, spool }))
    }

    async fn commit(&self, batch: BatchTime) -> Result<(), SinkError> {
        let Some(begun) = self.spool.begun(batch) else { return Ok(()) };
        let mut begun = begun.lock().await;
        // A batch without rows leaves nothing behind, whether it is known to the server or not.
        if begun.rows() > 0 {
            let writing = || format!("writing batch {batch} to the table {} at {}", self.table, place(&self.config));
            self.write(batch, &mut begun).await.map_err(|error| error.context(writing()))?;
        }
        self.spool.committed(batch);
        Ok(())
    }
}

/// Stages a part in the form in which it is sent.
struct PostgresPart {
    batch: BatchTime,
    number: usize,
    encoder: Encoder,
    rows: Part,
    spool: Arc<Spool>,
}

#[async_trait]
impl PartWriter for PostgresPart {
    async fn write(&mut self, rows: RecordBatch) -> Result<(), SinkError> {
        let encoded = self.encoder.encode(&rows).context("rows that PostgreSQL cannot take")?;
        Ok(self.rows.append(rows.num_rows(), &encoded)?)
    }

    async fn finish(self: Box<Self>) -> Result<Staged, SinkError> {
        Ok(self.spool.keep(self.batch, self.number, self.rows).await?)
    }
}
