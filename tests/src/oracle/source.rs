//! Bytes to rows, and which of them belong to which batch.

use serde_json::{Map, Value};

use super::columns::Kind;
use super::pipeline::{Format, Policy, Source};
use super::{Letter, Stream};
use crate::output::Row;

/// The columns of sources that are JSON, all of which may be null.
pub const JSON_COLUMNS: [(&str, Kind); 5] =
    [("user", Kind::Utf8), ("text", Kind::Utf8), ("line", Kind::Utf8), ("value", Kind::Int64), ("flag", Kind::Boolean)];

/// The records of each batch, up to the one in which the file comes to its end.
pub fn batches(source: &Source, interval: u64) -> Vec<Vec<&str>> {
    let records = records(source);
    let Some(rate) = source.rate else { return vec![records] };
    let mut batches = Vec::new();
    let mut given = 0;
    loop {
        // Due at the end of batch n are the first n · interval · rate rows.
        let batch = batches.len() as u64 + 1;
        let due = usize::try_from(batch * interval * rate / 1000).expect("a test's rows can be counted");
        let end = due.min(records.len());
        batches.push(records[given..end].to_vec());
        given = end;
        // Blank lines after the last record are looked at when another record is wanted.
        if due > records.len() || (due == records.len() && !ends_in_blank(source)) {
            return batches;
        }
    }
}

fn ends_in_blank(source: &Source) -> bool {
    let lines = source.file.strip_suffix('\n').unwrap_or(&source.file);
    let last = lines.rsplit('\n').next().unwrap_or_default();
    source.format == Format::Json && !source.file.is_empty() && last.trim_ascii().is_empty()
}

/// What the file's newlines set apart.
fn records(source: &Source) -> Vec<&str> {
    let mut records: Vec<&str> = source.file.split('\n').collect();
    if records.last() == Some(&"") {
        records.pop();
    }
    let records = records.into_iter().map(|record| record.strip_suffix('\r').unwrap_or(record));
    match source.format {
        Format::Text => records.collect(),
        Format::Json => records.filter(|record| !record.trim_ascii().is_empty()).collect(),
    }
}

/// Records to rows.
pub fn rows(source: &Source, records: &[&str], letters: &mut Vec<Letter>) -> Stream {
    let mut rows = Vec::new();
    for record in records {
        let row = match source.format {
            Format::Text => Some(Map::from_iter([("line".to_owned(), Value::from(*record))])),
            Format::Json => json_row(record),
        };
        match row {
            Some(row) => rows.push(row),
            None if source.policy == Policy::Skip => {}
            None => {
                let operator = source.name.clone();
                letters.push(Letter { operator, row: Value::from(*record), reason: String::new() });
            }
        }
    }
    Stream { rows, ordered: true }
}

/// An object with the columns of the schema, null where it does not have them; none for what is no such object.
fn json_row(record: &str) -> Option<Row> {
    let object: Map<String, Value> = serde_json::from_str(record).ok()?;
    let columns = JSON_COLUMNS.iter().map(|(name, kind)| {
        let value = object.get(*name).cloned().unwrap_or(Value::Null);
        Some((name.to_string(), column_value(value, *kind)?))
    });
    columns.collect()
}

fn column_value(value: Value, kind: Kind) -> Option<Value> {
    match (&value, kind) {
        (Value::Null, _) | (Value::String(_), Kind::Utf8) | (Value::Bool(_), Kind::Boolean) => Some(value),
        // Where text is expected, numbers and booleans are taken as written.
        (Value::Bool(_) | Value::Number(_), Kind::Utf8) => Some(value.to_string().into()),
        (Value::Number(number), Kind::Int64) if number.is_i64() => Some(value),
        _ => None,
    }
}
