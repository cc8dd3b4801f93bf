//! `weir_commits`, the table beside a table that says which batches are in it.
//!
//! A batch is known by pipeline, sink, table and time. What a live run has put there goes once its batch is far behind; a
//! job may run again from its beginning, so what it has put there stays.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio_postgres::Transaction;
use tokio_postgres::types::{ToSql, Type};

use super::Target;
use super::connection::sink_error;
use super::table::{Name, query, quoted};
use crate::sink::SinkError;
use crate::time::BatchTime;

/// A sink's batches in one table; the values are those of `Commits::place`.
const PLACE: &str = "pipeline = $1 AND sink = $2 AND table_name = $3";

/// A value of a statement, with its type.
type Value<'v> = (&'v (dyn ToSql + Sync), Type);

/// The batches of one sink in one table.
#[derive(Debug)]
pub(super) struct Commits {
    /// As SQL names it.
    table: String,
    pipeline: String,
    sink: String,
    table_name: String,
    /// How far back a batch may run again; none: without end.
    horizon: Option<Duration>,
}

impl Commits {
    /// Finds `weir_commits` beside the table `name`, or makes it.
    pub(super) async fn open(setup: &Transaction<'_>, target: &Target<'_>, name: &Name) -> Result<Self> {
        let table = format!("{}.weir_commits", quoted(&name.schema));
        // It is looked for first: to make it "if not exists" takes the right to make it, though it exists.
        let there = query(setup, "SELECT to_regclass($1) IS NOT NULL", &[(&table, Type::TEXT)]).await?;
        if there.first().map(|row| row.try_get(0)).transpose()? != Some(true) {
            make(setup, &table).await?;
        }
        Ok(Self::of(target, name, table))
    }

    /// The batches of a sink, kept in a table that is there, as SQL names it.
    pub(super) fn of(target: &Target<'_>, name: &Name, table: String) -> Self {
        let (pipeline, sink) = (target.pipeline.to_owned(), target.sink.to_owned());
        Self { table, pipeline, sink, table_name: name.table.clone(), horizon: target.horizon }
    }

    /// Whether batches only go forward, but for the last.
    pub(super) fn are_live(&self) -> bool {
        self.horizon.is_some()
    }

    /// Forgets all batches of the table, whoever wrote them: it was just made.
    pub(super) async fn begin_anew(&self, setup: &Transaction<'_>) -> Result<(), SinkError> {
        let text = format!("DELETE FROM {} WHERE table_name = $1", self.table);
        setup.execute_typed(&text, &[(&self.table_name, Type::TEXT)]).await.map_err(sink_error)?;
        Ok(())
    }

    /// Notes the batch; whether it was not there.
    pub(super) async fn add(
        &self,
        transaction: &Transaction<'_>,
        batch: BatchTime,
        rows: u64,
        digest: &str,
    ) -> Result<bool, SinkError> {
        let text = format!(
            "INSERT INTO {} (pipeline, sink, table_name, batch_time, rows, digest, live) VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (pipeline, sink, table_name, batch_time) DO NOTHING",
            self.table
        );
        let (time, rows, live) = (signed(batch.as_millis()), signed(rows), self.are_live());
        let values: [Value<'_>; 4] =
            [(&time, Type::INT8), (&rows, Type::INT8), (&digest, Type::TEXT), (&live, Type::BOOL)];
        let added = transaction.execute_typed(&text, &self.with_place(&values)).await.map_err(sink_error)?;
        Ok(added == 1)
    }

    /// Whether the batch that is there has the rows with this digest.
    pub(super) async fn is_same(
        &self,
        transaction: &Transaction<'_>,
        batch: BatchTime,
        digest: &str,
    ) -> Result<bool, SinkError> {
        let text = format!("SELECT digest FROM {} WHERE {PLACE} AND batch_time = $4", self.table);
        let time = signed(batch.as_millis());
        let values = self.with_place(&[(&time, Type::INT8)]);
        let there = transaction.query_typed(&text, &values).await.map_err(sink_error)?;
        Ok(there.first().is_some_and(|row| row.try_get::<_, &str>(0).is_ok_and(|there| there == digest)))
    }

    /// Forgets the batches of live runs that are so far before this one that none of them runs again; those before
    /// `forgotten` are gone already. Up to which time they are gone now.
    pub(super) async fn forget(
        &self,
        transaction: &Transaction<'_>,
        batch: BatchTime,
        forgotten: i64,
    ) -> Result<i64, SinkError> {
        let Some(horizon) = self.horizon else { return Ok(forgotten) };
        let horizon = i64::try_from(horizon.as_millis()).unwrap_or(i64::MAX);
        let before = signed(batch.as_millis()).saturating_sub(horizon);
        if before <= forgotten {
            return Ok(forgotten);
        }
        let text =
            format!("DELETE FROM {} WHERE {PLACE} AND live AND batch_time >= $4 AND batch_time < $5", self.table);
        let values = self.with_place(&[(&forgotten, Type::INT8), (&before, Type::INT8)]);
        transaction.execute_typed(&text, &values).await.map_err(sink_error)?;
        Ok(before)
    }

    /// The values of `PLACE`, and more.
    fn with_place<'v>(&'v self, more: &[Value<'v>]) -> Vec<Value<'v>> {
        let place =
            [&self.pipeline, &self.sink, &self.table_name].map(|text| (text as &(dyn ToSql + Sync), Type::TEXT));
        [&place, more].concat()
    }
}

async fn make(setup: &Transaction<'_>, table: &str) -> Result<()> {
    let statement = format!(
        "CREATE TABLE {table} (pipeline text, sink text, table_name text, batch_time bigint, rows bigint NOT NULL, digest \
         text NOT NULL, live boolean NOT NULL, committed_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (pipeline, \
         sink, table_name, batch_time))"
    );
    let made = setup.batch_execute(&statement).await.map_err(sink_error);
    made.with_context(|| format!("making the table of committed batches; somebody who may can do so: `{statement}`"))?;
    let comment = "Batches that Weir has written, by time in ms since 1970. Those of live runs go by themselves; another \
                   may go when its run is never repeated.";
    setup.batch_execute(&format!("COMMENT ON TABLE {table} IS '{comment}'")).await.map_err(sink_error)?;
    Ok(())
}

/// PostgreSQL's integers have a sign; what comes near the end of them is not a time or a number of rows.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
