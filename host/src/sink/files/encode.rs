//! Rows to the bytes of a file. The bytes depend on the rows alone, not on how they came in batches.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::Arc;

use anyhow::Result;
use arrow::compute::BatchCoalescer;
use arrow::csv;
use arrow::datatypes::SchemaRef;
use arrow::json::writer::{LineDelimited, Writer as JsonWriter, WriterBuilder as JsonWriterBuilder};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use crate::pipeline::FileFormat;

const BUFFER_BYTES: usize = 256 << 10;
/// Parquet ends pages by what it has seen after each call, so it is given calls of one size.
const PARQUET_CALL_ROWS: usize = 8192;
/// A row group is closed at this size, as it is held in memory until then.
const PARQUET_GROUP_BYTES: usize = 64 << 20;

/// The ending of a file's name.
pub(super) fn extension(format: FileFormat) -> &'static str {
    match format {
        FileFormat::Json => "json",
        FileFormat::Csv => "csv",
        FileFormat::Parquet => "parquet",
    }
}

/// Writes an object a line. Nulls are written, so that every row has the same keys; timestamps are RFC 3339 strings, and
/// bytes are in hexadecimal.
pub(crate) fn json_writer<W: Write>(writer: W) -> JsonWriter<W, LineDelimited> {
    JsonWriterBuilder::new().with_explicit_nulls(true).build(writer)
}

type Output = BufWriter<Arc<File>>;

/// Writes one file.
pub(super) struct Encoder {
    file: Arc<File>,
    writer: Writer,
}

enum Writer {
    Json(JsonWriter<Output, LineDelimited>),
    Csv(Box<csv::Writer<Output>>),
    Parquet(Box<ParquetEncoder>),
}

impl Encoder {
    pub(super) fn new(file: File, format: FileFormat, schema: &SchemaRef) -> Result<Self> {
        let file = Arc::new(file);
        let output = BufWriter::with_capacity(BUFFER_BYTES, Arc::clone(&file));
        let writer = match format {
            FileFormat::Json => Writer::Json(json_writer(output)),
            FileFormat::Csv => Writer::Csv(Box::new(csv::WriterBuilder::new().with_header(true).build(output))),
            FileFormat::Parquet => Writer::Parquet(Box::new(ParquetEncoder::new(output, schema)?)),
        };
        Ok(Self { file, writer })
    }

    pub(super) fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        match &mut self.writer {
            Writer::Json(writer) => Ok(writer.write(rows)?),
            Writer::Csv(writer) => Ok(writer.write(rows)?),
            Writer::Parquet(writer) => writer.write(rows),
        }
    }

    /// Writes what is left, and gives the file back.
    pub(super) fn finish(self) -> Result<Arc<File>> {
        match self.writer {
            Writer::Json(writer) => writer.into_inner().flush()?,
            // Flushed with every call; its `into_inner` panics where a flush fails.
            Writer::Csv(writer) => drop(writer),
            Writer::Parquet(writer) => writer.finish()?.flush()?,
        }
        Ok(self.file)
    }
}

/// Writes Parquet.
pub(super) struct ParquetEncoder {
    writer: ArrowWriter<Output>,
    pending: BatchCoalescer,
}

impl ParquetEncoder {
    fn new(output: Output, schema: &SchemaRef) -> Result<Self> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(concat!("weir ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let writer = ArrowWriter::try_new(output, schema.clone(), Some(properties))?;
        Ok(Self { writer, pending: BatchCoalescer::new(schema.clone(), PARQUET_CALL_ROWS) })
    }

    fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        self.pending.push_batch(rows.clone())?;
        self.write_completed()
    }

    fn write_completed(&mut self) -> Result<()> {
        while let Some(rows) = self.pending.next_completed_batch() {
            self.writer.write(&rows)?;
            if self.writer.in_progress_size() >= PARQUET_GROUP_BYTES {
                self.writer.flush()?;
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Output> {
        self.pending.finish_buffered_batch()?;
        self.write_completed()?;
        Ok(self.writer.into_inner()?)
    }
}
