//! Rows from elsewhere (a query, a Parquet file) brought to the six column types.

use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

use super::{ColumnType, of_columns};

/// Columns that a stream or table cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAdoptable {
    /// Two columns have this name.
    #[error("two columns are named `{0}`")]
    Twice(String),
    /// A name that nothing may have.
    #[error("a column is named `{0}`; names must not be empty or begin with `__`")]
    Name(String),
    /// A type that none of the six stands for.
    #[error("column `{column}` has type {found}, which is none of the six and becomes none")]
    Type {
        /// The column's name.
        column: String,
        /// Its Arrow type.
        found: DataType,
    },
}

/// The schema after adoption: each type becomes the nearest of the six.
pub fn adopted_schema(found: &Schema) -> Result<Schema, NotAdoptable> {
    let mut fields: Vec<Field> = Vec::with_capacity(found.fields().len());
    for field in found.fields() {
        let name = field.name();
        if fields.iter().any(|before| before.name() == name) {
            return Err(NotAdoptable::Twice(name.clone()));
        }
        if name.is_empty() || name.starts_with("__") {
            return Err(NotAdoptable::Name(name.clone()));
        }
        let kind = adopted_type(field.data_type())
            .ok_or_else(|| NotAdoptable::Type { column: name.clone(), found: field.data_type().clone() })?;
        fields.push(Field::new(name, kind.arrow(), field.is_nullable()));
    }
    Ok(Schema::new(fields))
}

fn adopted_type(found: &DataType) -> Option<ColumnType> {
    if let Some(same) = ColumnType::of(found) {
        return Some(same);
    }
    Some(match found {
        t if t.is_integer() => ColumnType::Int64,
        DataType::Float16 | DataType::Float32 | DataType::Decimal128(..) | DataType::Decimal256(..) => {
            ColumnType::Float64
        }
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => ColumnType::Timestamp,
        DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => ColumnType::Utf8,
        DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => ColumnType::Binary,
        DataType::Dictionary(_, value) => return adopted_type(value),
        _ => return None,
    })
}

/// Brings rows, column by column, to `schema`, which [`adopted_schema`] made of theirs.
///
/// # Errors
///
/// A value that does not fit, such as an unsigned integer from 2^63 on, or a null in a column that has none. Decimals and
/// nanoseconds are rounded.
pub fn adopt(rows: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = rows.columns().iter().zip(schema.fields()).map(|(column, field)| {
        let lossless = CastOptions { safe: false, ..Default::default() };
        cast_with_options(column, field.data_type(), &lossless)
            .map_err(|e| ArrowError::CastError(format!("column `{}`: {e}", field.name())))
    });
    of_columns(schema.clone(), columns.collect::<Result<Vec<_>, _>>()?, rows.num_rows())
}
