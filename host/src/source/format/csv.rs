//! CSV: RFC 4180, fields in the order of the schema. An empty field is null; timestamps are RFC 3339 or ISO 8601, UTC where
//! they name no zone.

use std::sync::Arc;

use anyhow::Result;
use arrow::array::{Array, AsArray};
use arrow::csv::ReaderBuilder;
use arrow::csv::reader::Decoder;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

use super::structured::RowDecoder;
use crate::rows::ColumnType;

/// Turns CSV records into rows.
#[derive(Debug)]
pub(super) struct CsvRows {
    schema: SchemaRef,
    decoder: Decoder,
    max_rows: usize,
}

impl CsvRows {
    pub(super) fn new(schema: SchemaRef, max_rows: usize) -> Result<Self> {
        let decoder = decoder(&schema, None, max_rows)?;
        Ok(Self { schema, decoder, max_rows })
    }

    /// Field `column` of a well-formed record, read as a column of `schema`.
    fn field(&self, schema: &SchemaRef, column: usize, record: &[u8]) -> Result<RecordBatch> {
        let mut decoder = decoder(schema, Some(column), 1)?;
        decoder.decode(record)?;
        decoder.decode(b"\n")?;
        Ok(decoder.flush()?.unwrap_or_else(|| RecordBatch::new_empty(Arc::clone(schema))))
    }
}

fn decoder(schema: &SchemaRef, column: Option<usize>, max_rows: usize) -> Result<Decoder, ArrowError> {
    // Only a newline ends a record, as in the framing; one row more than will be pushed, so that it would be seen.
    let mut builder = ReaderBuilder::new(Arc::clone(schema)).with_terminator(b'\n').with_batch_size(max_rows + 1);
    if let Some(column) = column {
        builder = builder.with_projection(vec![column]);
    }
    let mut decoder = builder.build_decoder();
    // The parser drops a byte order mark from the first bytes it sees: those must not be a record's.
    decoder.decode(b"\n")?;
    Ok(decoder)
}

impl RowDecoder for CsvRows {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn push(&mut self, record: &[u8]) -> Result<(), String> {
        let before = self.decoder.capacity();
        let wrong_count =
            |_: ArrowError| format!("does not have {} fields, as the schema says", self.schema.fields().len());
        self.decoder.decode(record).map_err(wrong_count)?;
        self.decoder.decode(b"\n").map_err(wrong_count)?;
        if self.decoder.capacity() + 1 != before {
            return Err("a quote is never closed".into());
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<RecordBatch, String> {
        match self.decoder.flush() {
            Ok(Some(rows)) => Ok(rows),
            Ok(None) => Ok(RecordBatch::new_empty(self.schema())),
            Err(error) => Err(error.to_string()),
        }
    }

    fn reset(&mut self) -> Result<()> {
        self.decoder = decoder(&self.schema, None, self.max_rows)?;
        Ok(())
    }

    /// Arrow's message counts lines from where its decoder started; this one names the column and the value.
    fn explain(&self, record: &[u8], reason: String) -> String {
        let fields = self.schema.fields();
        let Some(column) = (0..fields.len()).find(|&i| self.field(&self.schema, i, record).is_err()) else {
            return reason;
        };
        let text = fields.iter().map(|f| Field::new(f.name(), DataType::Utf8, true)).collect::<Vec<_>>();
        let value = match self.field(&Arc::new(Schema::new(text)), column, record) {
            Ok(row) if row.num_rows() == 1 && row.column(0).is_valid(0) => {
                row.column(0).as_string::<i32>().value(0).to_owned()
            }
            _ => return reason,
        };
        let field = &fields[column];
        let expected =
            ColumnType::of(field.data_type()).map_or_else(|| field.data_type().to_string(), |t| t.to_string());
        format!("column `{}`: {value:?} is not a {expected}", field.name())
    }
}
