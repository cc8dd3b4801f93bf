//! Rows as bytes, in Arrow's row format: the same values have the same bytes, and bytes sort as the values do.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Float64Array, Int64Array, StringArray,
    TimestampMicrosecondArray, new_null_array,
};
use arrow::datatypes::{DataType, Field, Float64Type, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use arrow::row::{RowConverter, Rows, SortField};

use crate::rows::of_columns;

/// Brings rows of one schema to bytes and back.
#[derive(Debug)]
pub struct RowBytes {
    schema: SchemaRef,
    converter: RowConverter,
    /// A row of zeros and empty texts, null where that is allowed.
    blank: Box<[u8]>,
}

impl RowBytes {
    /// For rows with these columns, of the six types.
    pub fn new(schema: SchemaRef) -> Result<Self, ArrowError> {
        let fields = schema.fields().iter().map(|f| SortField::new(f.data_type().clone())).collect();
        let converter = RowConverter::new(fields)?;
        let blank = schema.fields().iter().map(|f| blank(f)).collect::<Result<Vec<_>, _>>()?;
        let blank =
            if blank.is_empty() { Box::default() } else { converter.convert_columns(&blank)?.row(0).data().into() };
        Ok(Self { schema, converter, blank })
    }

    /// The columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// A row that stands for none.
    pub fn blank(&self) -> &[u8] {
        &self.blank
    }

    /// Rows to bytes.
    pub fn encode(&self, columns: &[ArrayRef]) -> Result<Rows, ArrowError> {
        self.converter.convert_columns(columns)
    }

    /// Each row by itself, as bytes of a kind.
    pub fn encode_each<B: Default + Clone + for<'a> From<&'a [u8]>>(
        &self,
        rows: &RecordBatch,
    ) -> Result<Vec<B>, ArrowError> {
        if rows.num_columns() == 0 {
            return Ok(vec![B::default(); rows.num_rows()]);
        }
        Ok(self.encode(rows.columns())?.iter().map(|row| row.data().into()).collect())
    }

    /// Bytes that [`RowBytes::encode`] gave, to rows.
    pub fn decode<'a>(&self, rows: impl ExactSizeIterator<Item = &'a [u8]>) -> Result<RecordBatch, ArrowError> {
        let count = rows.len();
        if self.schema.fields().is_empty() {
            return of_columns(self.schema.clone(), Vec::new(), count);
        }
        let parser = self.converter.parser();
        // The parser's rows cannot outlive it, so they are gathered first.
        let rows: Vec<_> = rows.collect();
        let columns = self.converter.convert_rows(rows.iter().map(|bytes| parser.parse(bytes)))?;
        of_columns(self.schema.clone(), columns, count)
    }
}

fn blank(field: &Field) -> Result<ArrayRef, ArrowError> {
    if field.is_nullable() {
        return Ok(new_null_array(field.data_type(), 1));
    }
    Ok(match field.data_type() {
        DataType::Boolean => Arc::new(BooleanArray::from(vec![false])),
        DataType::Int64 => Arc::new(Int64Array::from(vec![0])),
        DataType::Float64 => Arc::new(Float64Array::from(vec![0.0])),
        DataType::Timestamp(..) => Arc::new(TimestampMicrosecondArray::from(vec![0]).with_timezone("UTC")),
        DataType::Utf8 => Arc::new(StringArray::from(vec![""])),
        DataType::Binary => Arc::new(BinaryArray::from(vec![&b""[..]])),
        other => return Err(ArrowError::NotYetImplemented(format!("a state column of type {other}"))),
    })
}

/// A key's column as keys are compared: zero has two signs and what is not a number has many forms, but each is one key.
pub fn comparable(column: &ArrayRef) -> ArrayRef {
    if column.data_type() != &DataType::Float64 {
        return column.clone();
    }
    let values = column.as_primitive::<Float64Type>();
    let one = |v: f64| if v.is_nan() { f64::NAN } else { v + 0.0 };
    Arc::new(values.unary::<_, Float64Type>(one))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot set up its case should fail there")]

    use arrow::datatypes::Schema;
    use proptest::prelude::*;

    use super::*;

    fn schema(nullable: bool) -> SchemaRef {
        Arc::new(Schema::new(vec![
            Field::new("user", DataType::Utf8, nullable),
            Field::new("n", DataType::Int64, nullable),
            Field::new("x", DataType::Float64, nullable),
        ]))
    }

    #[test]
    fn a_blank_row_is_zeros_or_nulls() {
        let zeros = RowBytes::new(schema(false)).unwrap();
        let row = zeros.decode([zeros.blank()].into_iter()).unwrap();
        assert_eq!(row.column(0).as_string::<i32>().value(0), "");
        let nulls = RowBytes::new(schema(true)).unwrap();
        let row = nulls.decode([nulls.blank()].into_iter()).unwrap();
        assert!((0..3).all(|i| row.column(i).is_null(0)));
    }

    #[test]
    fn rows_without_columns_are_counted() {
        let bytes = RowBytes::new(Arc::new(Schema::empty())).unwrap();
        assert_eq!(bytes.decode([&b""[..], b""].into_iter()).unwrap().num_rows(), 2);
    }

    #[test]
    fn every_zero_is_the_same_key() {
        let column: ArrayRef = Arc::new(Float64Array::from(vec![0.0, -0.0, f64::NAN, -f64::NAN]));
        let column = comparable(&column);
        let bits: Vec<u64> = column.as_primitive::<Float64Type>().values().iter().map(|v| v.to_bits()).collect();
        assert_eq!((bits[0], bits[2]), (bits[1], bits[3]));
    }

    proptest! {
        #[test]
        fn rows_survive(rows in proptest::collection::vec((any::<Option<String>>(), any::<Option<i64>>(), any::<Option<f64>>()), 0..20)) {
            let bytes = RowBytes::new(schema(true)).unwrap();
            let columns: Vec<ArrayRef> = vec![
                Arc::new(StringArray::from_iter(rows.iter().map(|r| r.0.as_deref()))),
                Arc::new(Int64Array::from_iter(rows.iter().map(|r| r.1))),
                Arc::new(Float64Array::from_iter(rows.iter().map(|r| r.2))),
            ];
            let encoded = bytes.encode(&columns).unwrap();
            let decoded = bytes.decode(encoded.iter().map(|r| r.data()).collect::<Vec<_>>().into_iter()).unwrap();
            prop_assert_eq!(decoded.num_rows(), rows.len());
            for (found, given) in decoded.columns().iter().zip(&columns) {
                prop_assert_eq!(&found.to_data(), &given.to_data());
            }
        }
    }
}
