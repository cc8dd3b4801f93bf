//! Rows from JSON, as strictly as they were written: the inverse of how dead letters keep rows.
//!
//! Every column must be there and no other, and a value must have its column's form exactly: a time as RFC 3339, bytes in
//! hexadecimal, a float with a point or as `NaN`, `inf` or `-inf`. So rows of other columns are noticed, not bent.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Field, SchemaRef};
use arrow::record_batch::RecordBatch;
use chrono::DateTime;
use serde_json::Value;

use super::{ColumnType, of_columns};

/// A row that does not have the columns asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Misfit {
    /// Which row.
    pub row: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// Rows of these columns.
pub fn from_json(schema: &SchemaRef, rows: &[&Value]) -> Result<RecordBatch, Misfit> {
    for (row, value) in rows.iter().enumerate() {
        let misfit = |reason: String| Misfit { row, reason };
        let values = value.as_object().ok_or_else(|| misfit("it is not kept column by column".to_owned()))?;
        if let Some(unknown) = values.keys().find(|name| schema.column_with_name(name).is_none()) {
            return Err(misfit(format!("there is no column `{unknown}` any more")));
        }
        if let Some(missing) = schema.fields().iter().find(|field| !values.contains_key(field.name())) {
            return Err(misfit(format!("it has no column `{}`", missing.name())));
        }
    }
    let arrays = schema.fields().iter().map(|field| column(field, rows)).collect::<Result<_, _>>()?;
    of_columns(schema.clone(), arrays, rows.len()).map_err(|e| Misfit { row: 0, reason: e.to_string() })
}

fn column(field: &Field, rows: &[&Value]) -> Result<ArrayRef, Misfit> {
    let Some(kind) = ColumnType::of(field.data_type()) else {
        let reason = format!("`{}` has a type that no stream can have: {}", field.name(), field.data_type());
        return Err(Misfit { row: 0, reason });
    };
    let text = Value::as_str;
    Ok(match kind {
        ColumnType::Boolean => Arc::new(BooleanArray::from(values(field, kind, rows, Value::as_bool)?)),
        ColumnType::Int64 => Arc::new(Int64Array::from(values(field, kind, rows, Value::as_i64)?)),
        ColumnType::Float64 => Arc::new(Float64Array::from(values(field, kind, rows, float)?)),
        ColumnType::Timestamp => {
            let micros = |v: &Value| DateTime::parse_from_rfc3339(text(v)?).ok().map(|at| at.timestamp_micros());
            Arc::new(TimestampMicrosecondArray::from(values(field, kind, rows, micros)?).with_timezone("UTC"))
        }
        ColumnType::Utf8 => Arc::new(StringArray::from(values(field, kind, rows, |v| text(v).map(str::to_owned))?)),
        ColumnType::Binary => {
            let bytes = values(field, kind, rows, |v| hex::decode(text(v)?).ok())?;
            Arc::new(BinaryArray::from_iter(bytes))
        }
    })
}

fn float(value: &Value) -> Option<f64> {
    match value.as_str() {
        Some("NaN") => Some(f64::NAN),
        Some("inf") => Some(f64::INFINITY),
        Some("-inf") => Some(f64::NEG_INFINITY),
        Some(_) => None,
        None => value.as_f64().filter(|_| value.is_f64()),
    }
}

/// The values of a column, which the check has found in every row.
fn values<T>(
    field: &Field,
    kind: ColumnType,
    rows: &[&Value],
    of: impl Fn(&Value) -> Option<T>,
) -> Result<Vec<Option<T>>, Misfit> {
    let value = |(row, value): (usize, &&Value)| {
        let value = &value[field.name().as_str()];
        if value.is_null() && field.is_nullable() {
            return Ok(None);
        }
        let misfit = || Misfit { row, reason: format!("{value} is no {kind}, which `{}` is", field.name()) };
        of(value).map(Some).ok_or_else(misfit)
    };
    rows.iter().enumerate().map(value).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test should say where")]

    use arrow::datatypes::Schema;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn schema(nullable: bool) -> SchemaRef {
        let columns = [
            ("b", ColumnType::Boolean),
            ("i", ColumnType::Int64),
            ("f", ColumnType::Float64),
            ("t", ColumnType::Timestamp),
            ("s", ColumnType::Utf8),
            ("x", ColumnType::Binary),
        ];
        let fields = columns.map(|(name, kind)| Field::new(name, kind.arrow(), nullable));
        Arc::new(Schema::new(fields.to_vec()))
    }

    fn good() -> Value {
        json!({"b": true, "i": 1, "f": 1.0, "t": "2026-01-31T00:00:00Z", "s": "é", "x": "00ff"})
    }

    #[test]
    fn rows_with_other_columns_or_values_are_named_with_the_reason() {
        let check = |column: &str, value: Option<Value>, reason: &str| {
            let mut row = good();
            match value {
                Some(value) => drop(row.as_object_mut().unwrap().insert(column.to_owned(), value)),
                None => drop(row.as_object_mut().unwrap().remove(column)),
            }
            let misfit = from_json(&schema(false), &[&good(), &row]).unwrap_err();
            assert_eq!((misfit.row, misfit.reason.as_str()), (1, reason));
        };
        check("y", Some(json!(1)), "there is no column `y` any more");
        check("s", None, "it has no column `s`");
        check("i", Some(json!(null)), "null is no int64, which `i` is");
        check("i", Some(json!(1.5)), "1.5 is no int64, which `i` is");
        check("i", Some(json!("1")), "\"1\" is no int64, which `i` is");
        check("f", Some(json!(1)), "1 is no float64, which `f` is");
        check("f", Some(json!("much")), "\"much\" is no float64, which `f` is");
        check("t", Some(json!("today")), "\"today\" is no timestamp, which `t` is");
        check("x", Some(json!("0g")), "\"0g\" is no binary, which `x` is");
        let text = json!("a record");
        let misfit = from_json(&schema(false), &[&text]).unwrap_err();
        assert_eq!(misfit, Misfit { row: 0, reason: "it is not kept column by column".to_owned() });
    }

    /// Values as they are in a column of some rows, or null.
    fn maybe<T: std::fmt::Debug>(of: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
        proptest::option::weighted(0.8, of)
    }

    fn floats() -> impl Strategy<Value = f64> {
        let special = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MIN_POSITIVE, f64::MAX];
        prop_oneof![
            prop::num::f64::ANY.prop_filter("one NaN is enough", |f| !f.is_nan()),
            prop::sample::select(special.to_vec())
        ]
    }

    proptest! {
        #[test]
        fn what_a_letter_keeps_is_the_row_again(
            b in maybe(any::<bool>()),
            i in maybe(any::<i64>()),
            f in maybe(floats()),
            t in maybe(0_i64..253_402_300_800_000_000),
            s in maybe(any::<String>()),
            x in maybe(prop::collection::vec(any::<u8>(), 0..9)),
        ) {
            let columns: Vec<ArrayRef> = vec![
                Arc::new(BooleanArray::from(vec![b])),
                Arc::new(Int64Array::from(vec![i])),
                Arc::new(Float64Array::from(vec![f])),
                Arc::new(TimestampMicrosecondArray::from(vec![t]).with_timezone("UTC")),
                Arc::new(StringArray::from(vec![s])),
                Arc::new(BinaryArray::from_iter([x])),
            ];
            let row = RecordBatch::try_new(schema(true), columns).unwrap();
            let letter: Value = serde_json::from_str(&crate::plan::row_text(&row, 0)).unwrap();
            prop_assert_eq!(from_json(&schema(true), &[&letter]).unwrap(), row);
        }
    }
}
