//! One part of a batch: one file, made when its first row comes.

use std::fs::File;
use std::path::PathBuf;

use anyhow::{Context, Result};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;

use super::encode::Encoder;
use super::manifest::Parts;
use crate::fault;
use crate::pipeline::FileFormat;
use crate::sink::{PartWriter, SinkError, Staged};

/// Writes a part's file. A part without rows leaves none.
pub(super) struct FilePart {
    path: PathBuf,
    /// Where the file is listed once it is closed.
    parts: Parts,
    format: FileFormat,
    schema: SchemaRef,
    encoder: Option<Encoder>,
    rows: u64,
}

impl FilePart {
    pub(super) fn new(path: PathBuf, parts: Parts, format: FileFormat, schema: SchemaRef) -> Self {
        Self { path, parts, format, schema, encoder: None, rows: 0 }
    }

    fn append(&mut self, rows: &RecordBatch) -> Result<()> {
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            None => {
                fault::point("a part is made");
                let file = File::create(&self.path)?;
                self.encoder.insert(Encoder::new(file, self.format, &self.schema)?)
            }
        };
        encoder.write(rows)
    }

    fn close(self) -> Result<u64> {
        let Some(encoder) = self.encoder else { return Ok(0) };
        let file = encoder.finish()?;
        fault::point("a part is synced");
        file.sync_all()?;
        Ok(file.metadata()?.len())
    }
}

#[async_trait]
impl PartWriter for FilePart {
    async fn write(&mut self, rows: RecordBatch) -> Result<(), SinkError> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        self.append(&rows).with_context(|| format!("writing {}", self.path.display()))?;
        self.rows += rows.num_rows() as u64;
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<Staged, SinkError> {
        let (rows, path, parts) = (self.rows, self.path.clone(), self.parts.clone());
        let bytes = self.close().with_context(|| format!("writing {}", path.display()))?;
        let staged = Staged { rows, bytes };
        if let Some(name) = path.file_name().filter(|_| rows > 0) {
            parts.add(name.to_string_lossy().into_owned(), staged);
        }
        Ok(staged)
    }
}
