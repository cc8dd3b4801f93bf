//! When the rows of a source happened: rows that do not say are refused, and how far the source has come is told to
//! whoever waits for its watermark.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Int64Type, SchemaRef, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, stream};
use serde::{Deserialize, Serialize};

use super::node::{Node, Task};
use super::report::Refusal;
use super::rooms::BatchRoom;
use super::segment::{Position, runs, segments_of, without_segment};
use crate::event_time::{LATEST, Watermark};
use crate::operator::Reject;
use crate::pipeline::OnReject;
use crate::rows::of_columns;

/// Looks at the event times of a source, all of whose partitions must be run to their end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventTime {
    /// The source.
    pub source: String,
    /// The index of the column.
    pub column: usize,
    /// How far the watermark is behind the latest row, in milliseconds.
    pub delay: u64,
    /// The watermark as of the batch before.
    pub before: Watermark,
    /// Whether no row will come in any later batch.
    pub ended: bool,
    /// What becomes of rows without an event time.
    pub on_reject: OnReject,
}

impl Node for EventTime {
    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef> {
        Ok(inputs[0].clone())
    }

    fn partitions(&self, inputs: &[usize]) -> usize {
        inputs[0]
    }

    fn run(&self, task: Task<'_>) -> Result<SendableRecordBatchStream> {
        let (batch, input) = (task.batch()?, task.input_stream()?);
        let (partition, partitions) = (task.partition, task.partition_count()?);
        let reader = Reader { node: self.clone(), batch, position: Position::default(), latest: 0 };
        let rows = stream::try_unfold((input, reader), move |(mut input, mut reader)| async move {
            if let Some(rows) = input.next().await.transpose()? {
                let rows = reader.take(rows)?;
                return Ok::<_, DataFusionError>(Some((rows, (input, reader))));
            }
            reader.batch.watermarks().read(&reader.node, partition, partitions, reader.latest);
            Ok(None)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(task.schema, rows)))
    }
}

struct Reader {
    node: EventTime,
    batch: Arc<BatchRoom>,
    position: Position,
    /// The latest event time so far; 0 where there was none.
    latest: u64,
}

impl Reader {
    fn take(&mut self, rows: RecordBatch) -> Result<RecordBatch> {
        let mut refused = Vec::new();
        for (row, time) in times(rows.column(self.node.column))?.into_iter().enumerate() {
            match time {
                Ok(time) => self.latest = self.latest.max(time.unsigned_abs()),
                Err(reason) => refused.push(Reject::refused(row, reason)),
            }
        }
        let places = places(&rows, &mut self.position)?;
        if refused.is_empty() {
            return Ok(rows);
        }
        self.batch.report().take_back(&self.node.source, refused.len() as u64);
        let refusal = Refusal { kind: "source", name: &self.node.source, on_reject: Some(self.node.on_reject) };
        self.batch.refuse(&refusal, &without_segments(&rows)?, &refused, |row| places[row])?;
        let mut kept = vec![true; rows.num_rows()];
        refused.iter().for_each(|reject| kept[reject.row] = false);
        Ok(filter_record_batch(&rows, &BooleanArray::from(kept))?)
    }
}

/// The segment of each row, and its place in that.
pub(super) fn places(rows: &RecordBatch, position: &mut Position) -> Result<Vec<(u32, u64)>> {
    let mut places = Vec::with_capacity(rows.num_rows());
    for (segment, run) in runs(segments_of(rows)?) {
        let first = position.advance(segment, run.len());
        places.extend((first..first + run.len() as u64).map(|place| (segment, place)));
    }
    Ok(places)
}

/// Rows as people know them.
fn without_segments(rows: &RecordBatch) -> Result<RecordBatch> {
    let schema = without_segment(rows.schema_ref());
    let columns = rows.columns()[..schema.fields().len()].to_vec();
    Ok(of_columns(schema, columns, rows.num_rows())?)
}

/// When each row happened, from 0 to [`LATEST`]; or why that cannot be said.
pub(super) fn times(column: &ArrayRef) -> Result<Vec<Result<i64, String>>> {
    let (values, per_milli) = match column.data_type() {
        DataType::Int64 => (column.as_primitive::<Int64Type>().values(), 1),
        DataType::Timestamp(..) => (column.as_primitive::<TimestampMicrosecondType>().values(), 1000),
        other => return Err(DataFusionError::Internal(format!("an event time cannot have type {other}"))),
    };
    let time = |row: usize| {
        if column.is_null(row) {
            return Err("its event time is null".to_owned());
        }
        match values[row].div_euclid(per_milli) {
            millis @ 0..=LATEST => Ok(millis),
            ..0 => Err("its event time is before 1970".to_owned()),
            _ => Err("its event time is after the year 9999; an int64 event time is in milliseconds".to_owned()),
        }
    };
    Ok((0..column.len()).map(time).collect())
}
