//! The types that a row may have between two operators: a closed set of six, each with one Arrow type.

mod adopted;
mod from_json;

use std::fmt;

pub use adopted::{NotAdoptable, adopt, adopted_schema};
use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
pub use from_json::{Misfit, from_json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rows of a batch that a query sees, of a stream or of a table. Results depend on it: it may not follow any setting.
pub const QUERY_ROWS: usize = 8192;

/// A column type of the operator interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    /// True or false.
    Boolean,
    /// A signed 64-bit integer.
    Int64,
    /// An IEEE 754 double.
    Float64,
    /// Microseconds since the Unix epoch, UTC.
    Timestamp,
    /// Text.
    Utf8,
    /// Bytes.
    Binary,
}

impl ColumnType {
    /// The Arrow type that holds it on the host.
    pub fn arrow(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Int64 => DataType::Int64,
            Self::Float64 => DataType::Float64,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Utf8 => DataType::Utf8,
            Self::Binary => DataType::Binary,
        }
    }

    /// The column type whose Arrow type this is, if it is one of the six.
    pub fn of(data_type: &DataType) -> Option<Self> {
        [Self::Boolean, Self::Int64, Self::Float64, Self::Timestamp, Self::Utf8, Self::Binary]
            .into_iter()
            .find(|t| t.arrow() == *data_type)
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Boolean => "boolean",
            Self::Int64 => "int64",
            Self::Float64 => "float64",
            Self::Timestamp => "timestamp",
            Self::Utf8 => "utf8",
            Self::Binary => "binary",
        })
    }
}

/// A schema as people read it: `user utf8, amount int64?`, where `?` marks a nullable column.
pub fn describe(schema: &Schema) -> String {
    schema.fields().iter().map(|f| describe_field(f)).collect::<Vec<_>>().join(", ")
}

fn describe_field(field: &Field) -> String {
    let name = match ColumnType::of(field.data_type()) {
        Some(t) => t.to_string(),
        None => field.data_type().to_string(),
    };
    format!("{} {}{}", field.name(), name, if field.is_nullable() { "?" } else { "" })
}

/// A schema of the six types, in a form that can be written down.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Columns(Vec<Column>);

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Column {
    name: String,
    kind: ColumnType,
    nullable: bool,
}

impl Columns {
    /// The same columns as an Arrow schema has; refuses types outside the six.
    pub fn of(schema: &Schema) -> Result<Self, UnsupportedType> {
        let column = |field: &std::sync::Arc<Field>| {
            let kind = ColumnType::of(field.data_type())
                .ok_or_else(|| UnsupportedType { column: field.name().clone(), found: field.data_type().clone() })?;
            Ok(Column { name: field.name().clone(), kind, nullable: field.is_nullable() })
        };
        Ok(Self(schema.fields().iter().map(column).collect::<Result<_, _>>()?))
    }

    /// The Arrow schema.
    pub fn schema(&self) -> Schema {
        Schema::new(self.0.iter().map(|c| Field::new(&c.name, c.kind.arrow(), c.nullable)).collect::<Vec<_>>())
    }
}

/// A column whose type no stream can have.
#[derive(Debug, thiserror::Error)]
#[error(
    "column `{column}` has type {found}; a stream's columns are boolean, int64, float64, timestamp (µs, UTC), utf8 or binary"
)]
pub struct UnsupportedType {
    /// The column's name.
    pub column: String,
    /// Its Arrow type.
    pub found: DataType,
}

/// Rows of a schema that may have no columns: Arrow must then be told how many rows there are.
pub fn of_columns(schema: SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, ArrowError> {
    RecordBatch::try_new_with_options(schema, columns, &RecordBatchOptions::new().with_row_count(Some(rows)))
}

/// The rows at these places.
pub fn take(rows: &RecordBatch, places: &UInt32Array) -> Result<RecordBatch, ArrowError> {
    if rows.num_columns() == 0 {
        return of_columns(rows.schema(), Vec::new(), places.len());
    }
    take_record_batch(rows, places)
}

/// One batch after the other.
pub fn concat(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<RecordBatch, ArrowError> {
    if schema.fields().is_empty() {
        return of_columns(schema.clone(), Vec::new(), batches.iter().map(RecordBatch::num_rows).sum());
    }
    concat_batches(schema, batches)
}
