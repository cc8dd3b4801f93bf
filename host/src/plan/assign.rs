//! Rows to the event-time windows that they are in: a row for each, with the window's start and end behind it.
//!
//! A row is late for a window when the watermark of the batch before had passed the window's end: the window has been
//! emitted. It still goes into those of its windows that are open.

use std::sync::Arc;

use arrow::array::{ArrayRef, TimestampMicrosecondArray, UInt32Array};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use serde::{Deserialize, Serialize};

use super::event_time::{places, times};
use super::node::{Node, Task};
use super::offload::{Work, through};
use super::report::Refusal;
use super::rooms::BatchRoom;
use super::segment::{Position, attach, detach, with_segment, without_segment};
use crate::event_time::{EventWindows, Span, Watermark, with_window};
use crate::operator::Reject;
use crate::pipeline::{Late, OnReject};
use crate::rows::{of_columns, take as take_rows};
use crate::time::BatchTime;

/// Rows that go on together: a row may be in a thousand windows.
const ROWS: usize = 8192;

/// Finds the windows of each row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assign {
    /// The operator whose windows they are.
    pub operator: String,
    /// The index of the column that says when a row happened.
    pub column: usize,
    /// The windows.
    pub windows: EventWindows,
    /// The watermark as of the batch before.
    pub watermark: Watermark,
    /// What becomes of rows that are late for all their windows.
    pub late: Late,
    /// What becomes of rows without an event time; none where there can be no policy.
    pub on_reject: Option<OnReject>,
}

impl Node for Assign {
    fn schema(&self, inputs: &[SchemaRef]) -> Result<SchemaRef> {
        Ok(with_segment(&with_window(&without_segment(&inputs[0]))))
    }

    fn partitions(&self, inputs: &[usize]) -> usize {
        inputs[0]
    }

    fn run(&self, task: Task<'_>) -> Result<SendableRecordBatchStream> {
        let (batch, input) = (task.batch()?, task.input_stream()?);
        let schema = without_segment(&task.schema);
        let worker = Worker { node: self.clone(), batch, schema, position: Position::default() };
        let rows = through(worker, input);
        Ok(Box::pin(RecordBatchStreamAdapter::new(task.schema, rows)))
    }
}

struct Worker {
    node: Assign,
    batch: Arc<BatchRoom>,
    schema: SchemaRef,
    position: Position,
}

impl Work for Worker {
    fn take(&mut self, batch: &RecordBatch) -> Result<Vec<RecordBatch>> {
        let places = places(batch, &mut self.position)?;
        let (rows, segments) = detach(batch)?;
        let (mut out, mut assigned) = (Vec::new(), Assigned::default());
        let (mut late, mut refused) = (Vec::new(), Vec::new());
        for (row, time) in times(rows.column(self.node.column))?.into_iter().enumerate() {
            let time = match time {
                Ok(time) => time,
                Err(reason) => {
                    refused.push(Reject::refused(row, reason));
                    continue;
                }
            };
            let (mut open, mut last) = (false, None);
            for span in self.node.windows.of(time) {
                last = Some(span);
                if !self.node.watermark.passed(span.end) {
                    open = true;
                    assigned.push(row, span);
                }
            }
            if let Some(last) = last.filter(|_| !open) {
                late.push(Reject::refused(row, self.lateness(last)));
            }
            if assigned.rows.len() >= ROWS {
                out.push(std::mem::take(&mut assigned).finish(&self.schema, &rows, &segments)?);
            }
        }
        out.push(assigned.finish(&self.schema, &rows, &segments)?);
        out.retain(|rows| rows.num_rows() > 0);
        self.report(&rows, &late, &refused, &places)?;
        Ok(out)
    }

    fn finish(self) -> Result<Vec<RecordBatch>> {
        Ok(Vec::new())
    }
}

impl Worker {
    fn lateness(&self, last: Span) -> String {
        let (end, watermark) = (last.end.unsigned_abs(), self.node.watermark);
        let window = match self.node.windows {
            EventWindows::Sliding { .. } => "the last window that it is in",
            EventWindows::Session { .. } => "a session of this row alone",
        };
        let ended = BatchTime::from_millis(end);
        if watermark == Watermark::END {
            return format!("late: {window} ended at {ended}, and its sources had ended");
        }
        let by = std::time::Duration::from_millis(watermark.as_millis() - end);
        format!(
            "late by {}: {window} ended at {ended}, and the watermark was {watermark}",
            humantime::format_duration(by)
        )
    }

    fn report(&self, rows: &RecordBatch, late: &[Reject], refused: &[Reject], places: &[(u32, u64)]) -> Result<()> {
        let Assign { operator, late: policy, on_reject, .. } = &self.node;
        if !late.is_empty() {
            self.batch.report().late(operator, late.len() as u64);
            if *policy == Late::DeadLetter {
                self.batch.keep_letters(operator, rows, late, |row| places[row]);
            }
        }
        if refused.is_empty() {
            return Ok(());
        }
        self.batch.report().count(operator, 0, 0, refused.len() as u64);
        let refusal = Refusal { kind: "operator", name: operator, on_reject: *on_reject };
        self.batch.refuse(&refusal, rows, refused, |row| places[row])
    }
}

/// Rows with their windows.
#[derive(Default)]
struct Assigned {
    rows: Vec<u32>,
    starts: Vec<i64>,
    ends: Vec<i64>,
}

impl Assigned {
    fn push(&mut self, row: usize, span: Span) {
        self.rows.push(row as u32);
        self.starts.push(span.start * 1000);
        self.ends.push(span.end * 1000);
    }

    fn finish(self, schema: &SchemaRef, rows: &RecordBatch, segments: &UInt32Array) -> Result<RecordBatch> {
        let places = UInt32Array::from(self.rows);
        let segments = places.values().iter().map(|&row| segments.value(row as usize));
        let segments = UInt32Array::from_iter_values(segments);
        let windows = [self.starts, self.ends].map(timestamps);
        let columns = [take_rows(rows, &places)?.columns(), &windows].concat();
        attach(of_columns(schema.clone(), columns, places.len())?, segments)
    }
}

/// A column of timestamps, from microseconds.
pub(super) fn timestamps(micros: Vec<i64>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(micros).with_timezone("UTC"))
}
