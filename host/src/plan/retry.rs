//! Dead letters, sent through again: rows behind those of the batch, in a segment of their own; records for a source to read.
//!
//! A plan names them by the digest of their contents, as it names a table's rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, StringArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::event_time::times;
use super::node::{Node, Task};
use super::rooms::BatchRoom;
use super::segment::{attach_constant, with_segment};
use super::table_scan::contents;
use crate::event_time::Watermark;
use crate::operator::{Digest, Reject};
use crate::rows::{Columns, of_columns};
use crate::table::Contents;

/// Reads the rows of an operator's dead letters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// The operator.
    pub operator: String,
    /// Which rows.
    pub rows: Digest,
    /// Their columns.
    pub columns: Columns,
    /// Of rows that are in windows on event time.
    pub windows: Option<Windowed>,
}

/// Where rows say how long their windows are open.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Windowed {
    /// The index of the column with the window's end.
    pub end: usize,
    /// The watermark as of the batch before: windows that end before it have been emitted.
    pub watermark: Watermark,
}

impl Node for Retry {
    fn schema(&self, _: &[SchemaRef]) -> Result<SchemaRef> {
        Ok(with_segment(&self.columns.schema()))
    }

    fn partitions(&self, _: &[usize]) -> usize {
        1
    }

    fn run(&self, task: Task<'_>) -> Result<SendableRecordBatchStream> {
        let (rooms, batch, node) = (task.rooms()?, task.batch()?, self.clone());
        let rows = async move {
            let what = format!("the dead letters of operator `{}`", node.operator);
            let contents = contents(rooms, node.rows, what).await?;
            let mut before = 0;
            let pieces = contents.rows().to_vec().into_iter().map(move |rows| {
                let first = before;
                before += rows.num_rows() as u64;
                attach_constant(node.open(rows, first, &batch)?, 0)
            });
            Ok::<_, datafusion::error::DataFusionError>(stream::iter(pieces))
        };
        let rows = stream::once(rows).try_flatten();
        let rows = rows.try_filter(|rows| std::future::ready(rows.num_rows() > 0));
        Ok(Box::pin(RecordBatchStreamAdapter::new(task.schema, rows)))
    }
}

impl Retry {
    /// The rows whose windows are open. The others are late, and never just dropped: they are letters again.
    fn open(&self, rows: RecordBatch, first: u64, batch: &Arc<BatchRoom>) -> Result<RecordBatch> {
        let Some(Windowed { end, watermark }) = self.windows else { return Ok(rows) };
        let ends = times(rows.column(end))?;
        let open: Vec<bool> = ends.iter().map(|end| end.as_ref().is_ok_and(|end| !watermark.passed(*end))).collect();
        let reason = || format!("late: its window has ended, and the watermark was {watermark}");
        let late = open.iter().enumerate().filter(|(_, open)| !**open);
        let late: Vec<Reject> = late.map(|(row, _)| Reject::refused(row, reason())).collect();
        if late.is_empty() {
            return Ok(rows);
        }
        batch.report().late(&self.operator, late.len() as u64);
        batch.keep_letters(&self.operator, &rows, &late, |row| (0, first + row as u64));
        Ok(filter_record_batch(&rows, &BooleanArray::from(open))?)
    }
}

/// Records of a source, as contents that can be kept.
pub fn records(texts: Vec<String>) -> Result<Contents, ArrowError> {
    let schema = Arc::new(Schema::new(vec![Field::new("record", DataType::Utf8, false)]));
    let count = texts.len();
    let column: ArrayRef = Arc::new(StringArray::from(texts));
    let rows = of_columns(schema.clone(), vec![column], count)?;
    Contents::new(schema, vec![rows])
}

/// The records that were kept so.
pub fn texts(records: &Contents) -> anyhow::Result<Vec<&str>> {
    let mut texts = Vec::new();
    for rows in records.rows() {
        let Some(column) = rows.columns().first().and_then(|column| column.as_string_opt::<i32>()) else {
            anyhow::bail!("the contents {} are no records", records.digest());
        };
        texts.extend(column.iter().flatten());
    }
    Ok(texts)
}
