//! What a batch's tasks tell the driver beside their rows: rows rejected, and what operators used.

use std::collections::BTreeMap;
use std::time::Duration;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Float64Type;
use arrow::json::writer::{LineDelimited, WriterBuilder};
use arrow::record_batch::RecordBatch;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::fingerprint::{Fingerprint, Fingerprints};
use crate::operator::{Digest, LogLevel, LogLine, Meter, Usage, both_fuels};
use crate::pipeline::OnReject;

/// A row that an operator, or a source's format, did not take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// The operator or source.
    pub operator: String,
    /// The component's name; none for a source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// The component's digest; none for a source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Why.
    pub reason: String,
    /// The segment of the operator's input that the row is in.
    pub segment: u32,
    /// Its place in that segment.
    pub position: u64,
    /// Why it cannot be sent through again, if it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stays: Option<Stays>,
    /// The row as a JSON object, or the raw record of a source.
    pub row: serde_json::Value,
}

/// Why what was rejected cannot be sent through again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stays {
    /// It is no row but a key, of whose rows nobody knows any more which they were.
    Key,
    /// The row was late for its windows, or does not say when it happened, and would be so again.
    Time,
    /// The record was long, or no text, and was not kept whole.
    Part,
    /// The component that rejected it was taken back, and what ran in its place took it, or was never given it: states and
    /// windows have it, and sinks do not.
    Redone,
    /// The component that took it was taken back, and what ran in its place did not: sinks have it, and states and windows do
    /// not.
    Delivered,
}

/// Puts rejects in an order that does not depend on which task came first.
pub fn in_order(rejects: &mut [Rejected]) {
    rejects.sort_by(|a, b| {
        let place = |r: &Rejected| (r.segment, r.position);
        let first = (&a.operator, place(a), &a.reason).cmp(&(&b.operator, place(b), &b.reason));
        // Rows of two inputs of one operator may have the same place.
        first.then_with(|| a.row.to_string().cmp(&b.row.to_string()))
    });
}

/// The first row, in the canonical order, that an operator or source rejected in a batch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FirstReject {
    /// Its segment, and its place in that.
    place: (u32, u64),
    /// Why.
    pub reason: String,
    /// The row, cut short.
    pub row: String,
}

/// Who does not take a row, where that is no component; and what becomes of the row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal<'a> {
    /// "source" or "operator".
    pub(super) kind: &'static str,
    /// Its name.
    pub(super) name: &'a str,
    /// Its policy; none where there can be no other than to fail.
    pub(super) on_reject: Option<OnReject>,
}

/// What one operator did in a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorMeter {
    /// Rows in.
    pub rows_in: u64,
    /// Rows out.
    pub rows_out: u64,
    /// Bytes of the rows in; none for a query, which takes what it needs.
    #[serde(default)]
    pub bytes_in: u64,
    /// Bytes of the rows out.
    #[serde(default)]
    pub bytes_out: u64,
    /// Rows rejected, whatever became of them.
    pub rejected: u64,
    /// Those of them on which the operator went wrong: it trapped, or overran a limit.
    #[serde(default)]
    pub trapped: u64,
    /// Rows that came after their event-time windows had been emitted, whatever became of them.
    #[serde(default)]
    pub late: u64,
    /// Fuel consumed; none for what is not a component, or where the fuel of a call was not counted.
    pub fuel: u64,
    /// The largest linear memory of any instance, in bytes.
    pub peak_memory: u64,
    /// Calls made.
    pub calls: u64,
    /// How long all calls took, on all threads together; the one figure that is another in each run.
    #[serde(default)]
    pub time: Duration,
}

impl OperatorMeter {
    /// Adds another meter of the same operator.
    pub fn add(&mut self, other: &Self) {
        self.rows_in += other.rows_in;
        self.rows_out += other.rows_out;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.rejected += other.rejected;
        self.trapped += other.trapped;
        self.late += other.late;
        self.fuel = both_fuels((self.fuel, self.calls), (other.fuel, other.calls));
        self.calls += other.calls;
        self.time += other.time;
        self.peak_memory = self.peak_memory.max(other.peak_memory);
    }
}

/// Everything that a batch's tasks reported.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Rows to be kept as dead letters.
    pub dead_letters: Vec<Rejected>,
    /// By operator or source that has rejected any.
    pub first_rejects: BTreeMap<String, FirstReject>,
    /// By operator that has gone wrong on any: the first of those.
    pub first_traps: BTreeMap<String, FirstReject>,
    /// By operator or source.
    pub meters: BTreeMap<String, OperatorMeter>,
    /// By operator or source, of all the rows that it gave.
    pub fingerprints: Fingerprints,
}

impl Report {
    /// Counts rows of an operator or source.
    pub(super) fn count(&mut self, operator: &str, rows_in: u64, rows_out: u64, rejected: u64) {
        let meter = self.meter(operator);
        meter.rows_in += rows_in;
        meter.rows_out += rows_out;
        meter.rejected += rejected;
    }

    /// Counts rejected rows on which an operator went wrong.
    pub(super) fn trapped(&mut self, operator: &str, rows: u64) {
        self.meter(operator).trapped += rows;
    }

    /// Notes a row on which an operator went wrong, if no other comes before it. `row` shows it.
    pub(super) fn traps(&mut self, operator: &str, place: (u32, u64), reason: &str, row: impl FnOnce() -> String) {
        note(&mut self.first_traps, operator, place, reason, row);
    }

    /// Counts the bytes of rows that an operator was given.
    pub(super) fn read(&mut self, operator: &str, bytes: u64) {
        self.meter(operator).bytes_in += bytes;
    }

    /// Notes the rows of a partition of a stream, or of some.
    pub(super) fn made(&mut self, stream: &str, fingerprint: Fingerprint, bytes: u64) {
        self.meter(stream).bytes_out += bytes;
        let all = self.fingerprints.entry(stream.to_owned()).or_default();
        *all = all.with(fingerprint);
    }

    /// Counts rows that came too late for an operator's windows.
    pub(super) fn late(&mut self, operator: &str, rows: u64) {
        self.meter(operator).late += rows;
    }

    /// Notes a row that is rejected, if no other comes before it. `row` shows it.
    pub(super) fn rejects(&mut self, operator: &str, place: (u32, u64), reason: &str, row: impl FnOnce() -> String) {
        note(&mut self.first_rejects, operator, place, reason, row);
    }

    /// Rows of a source, counted as they were read, turn out to be none.
    pub(super) fn take_back(&mut self, source: &str, rows: u64) {
        let meter = self.meter(source);
        meter.rows_out = meter.rows_out.saturating_sub(rows);
        meter.rejected += rows;
    }

    /// Adds what a component used.
    pub(super) fn used(&mut self, operator: &str, used: Usage) {
        let meter = self.meter(operator);
        meter.fuel = both_fuels((meter.fuel, meter.calls), (used.fuel, used.calls));
        meter.calls += used.calls;
        meter.time += used.time;
        meter.peak_memory = meter.peak_memory.max(used.peak_memory);
    }

    fn meter(&mut self, operator: &str) -> &mut OperatorMeter {
        if !self.meters.contains_key(operator) {
            self.meters.insert(operator.to_owned(), OperatorMeter::default());
        }
        self.meters.entry(operator.to_owned()).or_default()
    }

    /// Puts the dead letters in an order that does not depend on which task came first.
    pub fn in_order(mut self) -> Self {
        in_order(&mut self.dead_letters);
        self
    }
}

fn note(
    firsts: &mut BTreeMap<String, FirstReject>,
    operator: &str,
    place: (u32, u64),
    reason: &str,
    row: impl FnOnce() -> String,
) {
    let known = firsts.get(operator);
    if known.is_some_and(|known| known.place < place) {
        return;
    }
    let found = FirstReject { place, reason: reason.to_owned(), row: row() };
    if known.is_none_or(|known| found < *known) {
        firsts.insert(operator.to_owned(), found);
    }
}

/// Passes an operator's log on to the host's. What it said again and again, as it does when poison rows are looked
/// for, is passed on once.
pub(super) fn trace_log(operator: &str, meter: &Meter) {
    let mut times: IndexMap<&LogLine, u64> = IndexMap::new();
    for line in &meter.log {
        *times.entry(line).or_default() += 1;
    }
    for ((level, message), times) in times {
        match level {
            LogLevel::Debug => tracing::debug!(operator, times, "{message}"),
            LogLevel::Info => tracing::info!(operator, times, "{message}"),
            LogLevel::Warn => tracing::warn!(operator, times, "{message}"),
            LogLevel::Error => tracing::error!(operator, times, "{message}"),
        }
    }
}

/// One row as a JSON object.
pub(super) fn row_json(rows: &RecordBatch, row: usize) -> serde_json::Value {
    let mut text = Vec::new();
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(&mut text);
    let written = writer.write(&rows.slice(row, 1)).and_then(|()| writer.finish());
    drop(writer);
    match written.map(|()| serde_json::from_slice(&text)) {
        Ok(Ok(serde_json::Value::Object(mut values))) => {
            name_floats(rows, row, &mut values);
            serde_json::Value::Object(values)
        }
        _ => serde_json::Value::String("<this row cannot be shown as JSON>".to_owned()),
    }
}

/// JSON has no form for infinities and what is no number: they are written as texts, not as null.
fn name_floats(rows: &RecordBatch, row: usize, values: &mut serde_json::Map<String, serde_json::Value>) {
    for (field, column) in rows.schema_ref().fields().iter().zip(rows.columns()) {
        if let Some(floats) = column.as_primitive_opt::<Float64Type>().filter(|floats| floats.is_valid(row)) {
            let value = floats.value(row);
            if !value.is_finite() {
                values.insert(field.name().clone(), serde_json::Value::String(value.to_string()));
            }
        }
    }
}

/// One row as a line of JSON.
pub fn row_text(rows: &RecordBatch, row: usize) -> String {
    row_json(rows, row).to_string()
}

/// Most bytes of a row that an error message shows.
const SHOWN: usize = 1024;

/// One row, for an error message.
pub(super) fn shown_row(rows: &RecordBatch, row: usize) -> String {
    shown(row_json(rows, row).to_string())
}

/// A row or record, for an error message.
pub(super) fn shown(text: String) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
