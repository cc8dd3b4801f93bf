//! The canonical order of a stream's rows, which no partitioning changes.
//!
//! A stream's rows lie in numbered *segments*: a segment is a block of a source, or, after a shuffle, a key group. Every
//! partition holds whole segments, in increasing order. So the order (segment, row in segment) is the same however many
//! partitions or threads there are, and what is folded segment by segment gives the same bits.
//!
//! Between our plan nodes the segment is a last column, `__segment`. SQL never sees it.

use std::ops::Range;
use std::sync::Arc;

use crate::rows::of_columns;
use arrow::array::{ArrayRef, AsArray, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt32Type};
use arrow::record_batch::RecordBatch;
use datafusion::error::{DataFusionError, Result};

/// The name of the segment column.
pub const SEGMENT: &str = "__segment";

/// The schema of a stream whose rows have these columns.
pub fn with_segment(schema: &Schema) -> SchemaRef {
    let segment = Arc::new(Field::new(SEGMENT, DataType::UInt32, false));
    Arc::new(Schema::new(schema.fields().iter().cloned().chain([segment]).collect::<Vec<_>>()))
}

/// The columns of a stream's rows.
pub fn without_segment(schema: &Schema) -> SchemaRef {
    let fields: Vec<_> = schema.fields().iter().filter(|f| f.name() != SEGMENT).cloned().collect();
    Arc::new(Schema::new(fields))
}

/// Puts the segment column behind the rows.
pub fn attach(rows: RecordBatch, segments: UInt32Array) -> Result<RecordBatch> {
    let schema = with_segment(rows.schema_ref());
    let columns = rows.columns().iter().cloned().chain([Arc::new(segments) as ArrayRef]).collect();
    Ok(RecordBatch::try_new(schema, columns)?)
}

/// Puts the same segment behind all rows.
pub fn attach_constant(rows: RecordBatch, segment: u32) -> Result<RecordBatch> {
    let segments = UInt32Array::from_value(segment, rows.num_rows());
    attach(rows, segments)
}

/// The segment column.
pub fn segments_of(batch: &RecordBatch) -> Result<&UInt32Array> {
    let last = batch.num_columns().checked_sub(1).ok_or_else(no_segment)?;
    if batch.schema_ref().field(last).name() != SEGMENT {
        return Err(no_segment());
    }
    Ok(batch.column(last).as_primitive::<UInt32Type>())
}

/// Takes the segment column off.
pub fn detach(batch: &RecordBatch) -> Result<(RecordBatch, UInt32Array)> {
    let segments = segments_of(batch)?.clone();
    let last = batch.num_columns() - 1;
    let schema = without_segment(batch.schema_ref());
    let rows = of_columns(schema, batch.columns()[..last].to_vec(), batch.num_rows())?;
    Ok((rows, segments))
}

fn no_segment() -> DataFusionError {
    DataFusionError::Internal(format!("a stream's batch has no last column `{SEGMENT}`"))
}

/// The runs of equal segments, in order.
pub fn runs(segments: &UInt32Array) -> Vec<(u32, Range<usize>)> {
    let values = segments.values();
    let mut runs = Vec::new();
    let mut start = 0;
    while start < values.len() {
        let segment = values[start];
        // Most batches lie in one segment.
        let length = if values[values.len() - 1] == segment {
            values.len() - start
        } else {
            values[start..].partition_point(|&s| s == segment)
        };
        runs.push((segment, start..start + length));
        start += length;
    }
    runs
}

/// Numbers the rows of each segment as they go by.
#[derive(Debug, Default)]
pub struct Position {
    segment: Option<u32>,
    next: u64,
}

impl Position {
    /// The place in its segment of the first row of the next `rows` rows, all of `segment`.
    pub fn advance(&mut self, segment: u32, rows: usize) -> u64 {
        if self.segment != Some(segment) {
            self.segment = Some(segment);
            self.next = 0;
        }
        let first = self.next;
        self.next += rows as u64;
        first
    }
}
