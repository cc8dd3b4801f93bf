//! The schema of a source's rows: as declared, or inferred from a file's first rows.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use arrow::csv::reader::Format as CsvFormat;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use indexmap::IndexMap;
use serde_json::Value;

use super::framing::Framing;
use super::records::{Input, Records};
use crate::pipeline::Format;
use crate::rows::ColumnType;
use crate::source::file::list_files;

/// How many rows are looked at.
const INFER_ROWS: usize = 1000;
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The schema of text: one column, `line utf8`.
pub(super) fn text_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("line", DataType::Utf8, false)]))
}

/// The schema of these columns, all of them nullable.
pub fn declared_schema(columns: &IndexMap<String, ColumnType>) -> SchemaRef {
    let field = |(name, column_type): (&String, &ColumnType)| Field::new(name, column_type.arrow(), true);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// The schema of a file's rows, told from its first 1,000; of a folder, from its first file that has any.
///
/// JSON numbers are int64 unless one of them is not an integer; columns of mixed types, and those that are null
/// throughout, are utf8. In CSV, times of day with a date are timestamps, all else that is no number or boolean is
/// utf8. Every column is nullable, as later rows may leave it out.
pub fn infer_schema(path: &Path, format: Format) -> Result<SchemaRef> {
    if format == Format::Text {
        return Ok(text_schema());
    }
    for file in list_files(path)? {
        let schema = match format {
            Format::Csv => infer_csv(&file),
            _ => infer_json(&file),
        };
        if let Some(schema) = schema.with_context(|| format!("telling the columns of {}", file.display()))? {
            return Ok(schema);
        }
    }
    bail!("{} holds no rows to tell the columns from: declare them in `schema`", path.display())
}

/// Where the first record of a file lies: after a byte order mark, and in CSV after the header line.
pub(in crate::source) fn records_start(path: &Path, format: Format, length: u64) -> Result<u64> {
    let mark = byte_order_mark(path)?;
    if format != Format::Csv {
        return Ok(mark);
    }
    let mut records = Records::new(Input::file(path, mark, length)?, Framing::Csv, false);
    let header = records.next_chunk(1)?;
    Ok(header.and_then(|chunk| chunk.spans.first()).map_or(length, |span| mark + span.end))
}

/// The names in a CSV file's header line; none in an empty file.
pub(in crate::source) fn csv_header(path: &Path, length: u64) -> Result<Vec<String>> {
    let mut records = Records::new(Input::file(path, byte_order_mark(path)?, length)?, Framing::Csv, false);
    let Some(chunk) = records.next_chunk(1)? else { return Ok(Vec::new()) };
    let [header] = chunk.spans else { return Ok(Vec::new()) };
    if header.too_long {
        bail!("the header line of {} is {}", path.display(), super::reader::too_long());
    }
    header_names(chunk.text(header)).with_context(|| format!("reading the header line of {}", path.display()))
}

/// The names in a CSV header line.
pub(in crate::source) fn header_names(line: &[u8]) -> Result<Vec<String>> {
    let (schema, _) = CsvFormat::default().with_header(true).infer_schema(line, Some(0))?;
    Ok(schema.fields().iter().map(|field| field.name().clone()).collect())
}

/// How many bytes a byte order mark takes at the start of the file.
fn byte_order_mark(path: &Path) -> Result<u64> {
    let mut start = Vec::new();
    File::open(path)
        .and_then(|file| file.take(BYTE_ORDER_MARK.len() as u64).read_to_end(&mut start))
        .with_context(|| format!("reading {}", path.display()))?;
    Ok(if start == BYTE_ORDER_MARK { BYTE_ORDER_MARK.len() as u64 } else { 0 })
}

fn infer_csv(path: &Path) -> Result<Option<SchemaRef>> {
    let length = path.metadata()?.len();
    let names = csv_header(path, length)?;
    if names.is_empty() {
        return Ok(None);
    }
    check_names(&names)?;
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(byte_order_mark(path)?))?;
    // Lines of another length than the header's are rejected when they are read; here they only tell less.
    let format = CsvFormat::default().with_header(true).with_truncated_rows(true);
    let (schema, rows) = format.infer_schema(file, Some(INFER_ROWS))?;
    if rows == 0 {
        return Ok(None);
    }
    let types = schema.fields().iter().map(|field| csv_type(field.data_type()).arrow());
    let fields = names.iter().zip(types).map(|(name, t)| Field::new(name, t, true)).collect::<Vec<_>>();
    Ok(Some(Arc::new(Schema::new(fields))))
}

fn check_names(names: &[String]) -> Result<()> {
    for (i, name) in names.iter().enumerate() {
        if name.is_empty() {
            bail!("column {} has no name in the header line: name it there", i + 1);
        }
        if names[..i].contains(name) {
            bail!("the header line names column `{name}` twice");
        }
    }
    Ok(())
}

/// What Arrow saw in a column; a type that is none of ours is read as text.
fn csv_type(seen: &DataType) -> ColumnType {
    match seen {
        DataType::Timestamp(TimeUnit::Second | TimeUnit::Millisecond | TimeUnit::Microsecond, _) => {
            ColumnType::Timestamp
        }
        other => ColumnType::of(other).unwrap_or(ColumnType::Utf8),
    }
}

fn infer_json(path: &Path) -> Result<Option<SchemaRef>> {
    let length = path.metadata()?.len();
    let mut records = Records::new(Input::file(path, byte_order_mark(path)?, length)?, Framing::Lines, false);
    let mut columns: IndexMap<String, Option<ColumnType>> = IndexMap::new();
    let (mut rows, mut objects) = (0, 0);
    while rows < INFER_ROWS {
        let Some(chunk) = records.next_chunk(INFER_ROWS - rows)? else { break };
        for span in chunk.spans.iter().filter(|span| !span.too_long) {
            // A line that is no object is rejected when it is read; the others tell the columns.
            let Ok(object) = serde_json::from_slice::<IndexMap<String, Value>>(chunk.text(span)) else { continue };
            objects += 1;
            for (name, value) in &object {
                add_json_value(&mut columns, name, value)?;
            }
        }
        rows += chunk.spans.len();
    }
    if rows > 0 && objects == 0 {
        bail!("none of its first {rows} lines is a JSON object: if it is of another format, say so in `format`");
    }
    if columns.is_empty() {
        return Ok(None);
    }
    let fields = columns.iter().map(|(name, t)| Field::new(name, t.unwrap_or(ColumnType::Utf8).arrow(), true));
    Ok(Some(Arc::new(Schema::new(fields.collect::<Vec<_>>()))))
}

fn add_json_value(columns: &mut IndexMap<String, Option<ColumnType>>, name: &str, value: &Value) -> Result<()> {
    let seen = json_type(value).ok_or_else(|| {
        let kind = if value.is_array() { "a list" } else { "an object" };
        anyhow!(
            "column `{name}` holds {kind}, which rows cannot have: declare the columns in `schema`, \
             and leave it out or unfold it before"
        )
    })?;
    match columns.get_mut(name) {
        Some(so_far) => *so_far = widest(*so_far, seen),
        None => {
            columns.insert(name.to_owned(), seen);
        }
    }
    Ok(())
}

/// The type of a value: `Some(None)` for null, `None` for what no column can hold.
fn json_type(value: &Value) -> Option<Option<ColumnType>> {
    match value {
        Value::Null => Some(None),
        Value::Bool(_) => Some(Some(ColumnType::Boolean)),
        Value::Number(n) if n.is_i64() => Some(Some(ColumnType::Int64)),
        Value::Number(_) => Some(Some(ColumnType::Float64)),
        Value::String(_) => Some(Some(ColumnType::Utf8)),
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn widest(a: Option<ColumnType>, b: Option<ColumnType>) -> Option<ColumnType> {
    match (a, b) {
        (None, other) | (other, None) => other,
        (Some(a), Some(b)) if a == b => Some(a),
        (Some(ColumnType::Int64 | ColumnType::Float64), Some(ColumnType::Int64 | ColumnType::Float64)) => {
            Some(ColumnType::Float64)
        }
        _ => Some(ColumnType::Utf8),
    }
}
