//! A key as people write it.
//!
//! As texts, one for each column of the key: plain text, `true`, numbers, RFC 3339 for a time, hexadecimal for bytes. Or as
//! JSON: an array with a value for each column, an object by column, or, for a key of one column, the value alone. In
//! JSON a value may be null, and values that JSON has no form for are written as strings, as texts are.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use chrono::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::rows::{ColumnType, describe, of_columns};
use crate::sink::json_writer;

/// A key that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GivenKey {
    /// A text for each column.
    Texts(Vec<String>),
    /// Array, object, or value.
    Json(Value),
}

impl GivenKey {
    /// The key as a row; else what is wrong with it.
    pub(super) fn row(&self, operator: &str, columns: &SchemaRef) -> Result<RecordBatch, String> {
        let is = || format!("the key of operator `{operator}` is {}", describe(columns));
        let values = self.values(columns).map_err(|wrong| format!("{}: {wrong}", is()))?;
        let arrays = columns.fields().iter().zip(&values).map(|(field, value)| array(field, value));
        let arrays = arrays.collect::<Result<_, _>>().map_err(|wrong| format!("{}: {wrong}", is()))?;
        of_columns(columns.clone(), arrays, 1).map_err(|e| e.to_string())
    }

    /// A value for each column.
    fn values(&self, columns: &Schema) -> Result<Vec<Value>, String> {
        let count = columns.fields().len();
        let values: Vec<Value> = match self {
            Self::Texts(texts) => texts.iter().cloned().map(Value::String).collect(),
            Self::Json(Value::Array(values)) => values.clone(),
            Self::Json(Value::Object(object)) => {
                if let Some(unknown) = object.keys().find(|name| columns.column_with_name(name).is_none()) {
                    return Err(format!("there is no column `{unknown}` in it"));
                }
                let value = |field: &Arc<Field>| {
                    object.get(field.name()).cloned().ok_or_else(|| format!("the column `{}` is missing", field.name()))
                };
                columns.fields().iter().map(value).collect::<Result<_, _>>()?
            }
            Self::Json(value) => vec![value.clone()],
        };
        if values.len() == count {
            return Ok(values);
        }
        let plural = if count == 1 { "" } else { "s" };
        Err(format!("give {count} value{plural}, not {}", values.len()))
    }
}

fn array(field: &Field, value: &Value) -> Result<ArrayRef, String> {
    let kind = ColumnType::of(field.data_type()).ok_or_else(|| format!("`{}` cannot be a key", field.name()))?;
    if value.is_null() && !field.is_nullable() {
        return Err(format!("`{}` is never null", field.name()));
    }
    let wrong = || format!("{value} is no {kind}, which `{}` is", field.name());
    fn parsed<T>(
        value: &Value,
        of: impl FnOnce(&Value) -> Option<T>,
        wrong: impl Fn() -> String,
    ) -> Result<Option<T>, String> {
        if value.is_null() { Ok(None) } else { of(value).map(Some).ok_or_else(wrong) }
    }
    let text = Value::as_str;
    Ok(match kind {
        ColumnType::Boolean => {
            let of = |v: &Value| v.as_bool().or_else(|| text(v)?.parse().ok());
            Arc::new(BooleanArray::from(vec![parsed(value, of, wrong)?]))
        }
        ColumnType::Int64 => {
            let of = |v: &Value| v.as_i64().or_else(|| text(v)?.parse().ok());
            Arc::new(Int64Array::from(vec![parsed(value, of, wrong)?]))
        }
        ColumnType::Float64 => {
            let of = |v: &Value| v.as_f64().or_else(|| text(v)?.parse().ok());
            Arc::new(Float64Array::from(vec![parsed(value, of, wrong)?]))
        }
        ColumnType::Timestamp => {
            let of = |v: &Value| DateTime::parse_from_rfc3339(text(v)?).ok().map(|at| at.timestamp_micros());
            let time = || format!("{}; write it as \"2026-01-31T00:00:00Z\"", wrong());
            Arc::new(TimestampMicrosecondArray::from(vec![parsed(value, of, time)?]).with_timezone("UTC"))
        }
        ColumnType::Utf8 => Arc::new(StringArray::from(vec![parsed(value, |v| text(v).map(str::to_owned), wrong)?])),
        ColumnType::Binary => {
            let of = |v: &Value| hex::decode(text(v)?).ok();
            let bytes = parsed(value, of, || format!("{}; write it in hexadecimal", wrong()))?;
            Arc::new(BinaryArray::from(vec![bytes.as_deref()]))
        }
    })
}

/// A key of one row, for a message.
pub(super) fn shown(key: &RecordBatch) -> String {
    let mut writer = json_writer(Vec::new());
    match writer.write(key) {
        Ok(()) => String::from_utf8_lossy(writer.into_inner().trim_ascii_end()).into_owned(),
        Err(_) => "that was given".to_owned(),
    }
}
