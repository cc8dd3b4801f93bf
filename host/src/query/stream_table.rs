//! The past batches of a stream as a table. Nothing is copied but the batch's time, which is put in front of each row.

use std::sync::Arc;

use arrow::array::{AsArray, TimestampMicrosecondArray};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::{TryStreamExt, stream};

use super::catalog::own_column;
use crate::plan::QUERY_ROWS;
use crate::plan::segment::detach;
use crate::rows::of_columns;
use crate::state::{Batches, Past};
use crate::time::BatchTime;

/// A stream's kept batches.
#[derive(Debug)]
pub(super) struct StreamTable {
    schema: SchemaRef,
    batches: Arc<Batches>,
}

impl StreamTable {
    pub(super) fn new(columns: &Schema, batches: Arc<Batches>) -> Self {
        Self { schema: Arc::new(Self::columns(columns)), batches }
    }

    /// The columns of the table of a stream with these columns.
    pub(super) fn columns(columns: &Schema) -> Schema {
        let time = Arc::new(own_column("batch_time", columns));
        Schema::new([time].into_iter().chain(columns.fields().iter().cloned()).collect::<Vec<_>>())
    }

    fn time_column(&self) -> &str {
        self.schema.field(0).name()
    }

    /// Whether a condition is on the batch time alone.
    fn on_time(&self, filter: &Expr) -> bool {
        let columns = filter.column_refs();
        !columns.is_empty() && columns.iter().all(|column| column.name == self.time_column()) && !filter.is_volatile()
    }

    /// The batches for which these conditions hold, the oldest first.
    fn wanted(&self, session: &dyn Session, filters: &[Expr]) -> Result<Vec<(BatchTime, Arc<Past>)>> {
        let all = self.batches.iter().map(|(batch, past)| (*batch, past.clone()));
        if filters.is_empty() {
            return Ok(all.collect());
        }
        let schema = Arc::new(self.schema.project(&[0])?);
        let times = RecordBatch::try_new(schema.clone(), vec![Arc::new(times(self.batches.keys().copied()))])?;
        let schema = DFSchema::try_from(schema)?;
        let mut held = vec![true; times.num_rows()];
        for filter in filters {
            let holds = session.create_physical_expr(filter.clone(), &schema)?.evaluate(&times)?;
            let holds = holds.into_array(times.num_rows())?;
            let holds = holds.as_boolean();
            held.iter_mut().zip(holds.iter()).for_each(|(held, holds)| *held &= holds == Some(true));
        }
        Ok(all.zip(held).filter_map(|(batch, held)| held.then_some(batch)).collect())
    }
}

#[async_trait]
impl TableProvider for StreamTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let how = |filter: &&Expr| match self.on_time(filter) {
            true => TableProviderFilterPushDown::Exact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(how).collect())
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let part = Part { schema: self.schema.clone(), batches: self.wanted(session, filters)? };
        let parts: Vec<Arc<dyn PartitionStream>> = vec![Arc::new(part)];
        Ok(Arc::new(StreamingTableExec::try_new(self.schema.clone(), parts, projection, None, false, limit)?))
    }
}

#[derive(Debug)]
struct Part {
    schema: SchemaRef,
    batches: Vec<(BatchTime, Arc<Past>)>,
}

impl PartitionStream for Part {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let schema = self.schema.clone();
        let rows = self.batches.clone().into_iter().flat_map(move |(batch, past)| {
            let schema = schema.clone();
            past.pieces().into_iter().flat_map(chunks).map(move |piece| with_time(&schema, batch, &piece))
        });
        let rows = stream::iter(rows).into_stream();
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), rows))
    }
}

/// Cut small enough that a time limit is noticed in between.
fn chunks(piece: RecordBatch) -> impl Iterator<Item = RecordBatch> {
    let rows = piece.num_rows();
    (0..rows).step_by(QUERY_ROWS).map(move |from| piece.slice(from, QUERY_ROWS.min(rows - from)))
}

fn with_time(schema: &SchemaRef, batch: BatchTime, piece: &RecordBatch) -> Result<RecordBatch> {
    let (rows, _) = detach(piece)?;
    let time = times(std::iter::repeat_n(batch, rows.num_rows()));
    let columns = std::iter::once(Arc::new(time) as _).chain(rows.columns().iter().cloned()).collect();
    Ok(of_columns(schema.clone(), columns, rows.num_rows())?)
}

/// Batch times as a column.
fn times(batches: impl Iterator<Item = BatchTime>) -> TimestampMicrosecondArray {
    super::state_rows::micros(batches.map(BatchTime::as_millis))
}
