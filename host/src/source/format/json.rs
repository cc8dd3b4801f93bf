//! JSON: a line is an object. Fields that the schema does not name are passed over, missing ones are null.
//!
//! Numbers and booleans where text is expected are taken as written, and numbers may be given as strings. Timestamps are
//! RFC 3339 strings or microseconds; bytes are hexadecimal strings. Arrow's reader lets surplus commas pass.

use std::sync::Arc;

use anyhow::Result;
use arrow::array::{Array, ArrayRef, AsArray, Int64Builder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use arrow::json::reader::Decoder;
use arrow::record_batch::RecordBatch;

use super::structured::RowDecoder;

/// Turns JSON objects into rows.
#[derive(Debug)]
pub(super) struct JsonRows {
    schema: SchemaRef,
    /// The schema with text for integers: Arrow's reader would silently cut `1.5` to `1`.
    wire: SchemaRef,
    decoder: Decoder,
    max_rows: usize,
}

impl JsonRows {
    pub(super) fn new(schema: SchemaRef, max_rows: usize) -> Result<Self> {
        let wire = Arc::new(Schema::new(schema.fields().iter().map(|f| wire_field(f)).collect::<Vec<_>>()));
        let decoder = decoder(&wire, max_rows)?;
        Ok(Self { schema, wire, decoder, max_rows })
    }
}

fn wire_field(field: &Field) -> Field {
    match field.data_type() {
        DataType::Int64 => field.clone().with_data_type(DataType::Utf8),
        _ => field.clone(),
    }
}

fn decoder(wire: &SchemaRef, max_rows: usize) -> Result<Decoder> {
    // One more than will be pushed, so that a second value in a record is seen and not left over.
    let builder = ReaderBuilder::new(Arc::clone(wire)).with_batch_size(max_rows + 1).with_coerce_primitive(true);
    Ok(builder.build_decoder()?)
}

impl RowDecoder for JsonRows {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn push(&mut self, record: &[u8]) -> Result<(), String> {
        let before = self.decoder.len();
        self.decoder.decode(record).map_err(|error| message(&error))?;
        // A bare number ends only with what follows it.
        self.decoder.decode(b"\n").map_err(|error| message(&error))?;
        if self.decoder.has_partial_record() {
            return Err("the JSON object is not complete".into());
        }
        if self.decoder.len() != before + 1 {
            return Err("more than one JSON value in a line".into());
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<RecordBatch, String> {
        let rows = self.decoder.flush().map_err(|error| message(&error))?;
        let Some(rows) = rows else { return Ok(RecordBatch::new_empty(self.schema())) };
        let columns = rows.columns().iter().zip(self.schema.fields());
        let columns = columns.map(|(column, field)| from_wire(column, field)).collect::<Result<Vec<_>, _>>()?;
        RecordBatch::try_new(self.schema(), columns).map_err(|error| message(&error))
    }

    fn reset(&mut self) -> Result<()> {
        self.decoder = decoder(&self.wire, self.max_rows)?;
        Ok(())
    }
}

fn from_wire(column: &ArrayRef, field: &Field) -> Result<ArrayRef, String> {
    if *field.data_type() != DataType::Int64 {
        return Ok(Arc::clone(column));
    }
    let mut integers = Int64Builder::with_capacity(column.len());
    for text in column.as_string::<i32>() {
        let integer =
            text.map(|text| text.parse().map_err(|_| format!("column `{}`: {text} is not an int64", field.name())));
        integers.append_option(integer.transpose()?);
    }
    Ok(Arc::new(integers.finish()))
}

fn message(error: &ArrowError) -> String {
    match error {
        ArrowError::JsonError(message) => message.clone(),
        other => other.to_string(),
    }
}
