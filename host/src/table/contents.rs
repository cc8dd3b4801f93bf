//! The rows of a table at one moment.

use std::io::Write;

use arrow::compute::BatchCoalescer;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::writer::FileWriter;
use arrow::record_batch::RecordBatch;

use crate::operator::{Digest, DigestWriter};
use crate::rows::QUERY_ROWS;

/// The rows of a table at one moment, in batches of [`QUERY_ROWS`]. Cheap to clone: rows are shared.
#[derive(Debug, Clone)]
pub struct Contents {
    schema: SchemaRef,
    rows: Vec<RecordBatch>,
    digest: Digest,
}

impl Contents {
    /// Puts rows of one schema together. The result depends on their order and on nothing else.
    pub fn new(schema: SchemaRef, rows: Vec<RecordBatch>) -> Result<Self, ArrowError> {
        let mut coalescer = BatchCoalescer::new(schema.clone(), QUERY_ROWS);
        let mut whole = Vec::new();
        for batch in rows {
            coalescer.push_batch(batch)?;
            whole.extend(std::iter::from_fn(|| coalescer.next_completed_batch()));
        }
        coalescer.finish_buffered_batch()?;
        whole.extend(std::iter::from_fn(|| coalescer.next_completed_batch()));
        let mut digest = DigestWriter::default();
        write(&schema, &whole, &mut digest)?;
        Ok(Self { schema, rows: whole, digest: digest.finish() })
    }

    /// Rows that were read back under the digest that they have.
    pub(super) fn known(schema: SchemaRef, rows: Vec<RecordBatch>, digest: Digest) -> Self {
        Self { schema, rows, digest }
    }

    /// The columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The rows.
    pub fn rows(&self) -> &[RecordBatch] {
        &self.rows
    }

    /// Identifies the rows: the digest of the bytes that are written to disk.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Writes the rows down, as a file of Arrow's IPC format.
    pub(super) fn write(&self, to: impl Write) -> Result<(), ArrowError> {
        write(&self.schema, &self.rows, to)
    }
}

fn write(schema: &SchemaRef, rows: &[RecordBatch], to: impl Write) -> Result<(), ArrowError> {
    let mut writer = FileWriter::try_new(to, schema)?;
    rows.iter().try_for_each(|batch| writer.write(batch))?;
    writer.finish()
}
