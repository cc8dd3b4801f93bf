//! Tables: data at rest, read once, that queries can join.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use arrow::record_batch::RecordBatch;
use datafusion::catalog::{MemTable, TableProvider};

use crate::block::BlockStore;
use crate::operator::Digest;
use crate::pipeline::TableSpec;
use crate::source::{BlockReader, Decoding, declared_schema, infer_schema, whole_file};

/// A table in memory.
#[derive(Debug, Clone)]
pub struct Table {
    provider: Arc<MemTable>,
    digest: Digest,
}

impl Table {
    /// Reads the table's file. A record that cannot be read is an error: a table is either right or not there.
    pub fn read(spec: &TableSpec) -> Result<Self> {
        let format = spec.format.records().context("Parquet")?;
        let schema = match &spec.schema {
            Some(columns) => declared_schema(columns),
            None => infer_schema(&spec.path, format)?,
        };
        let decoding = Decoding::records(format, &schema)?;
        let rows = rows(spec, &decoding)?;
        let bytes = std::fs::read(&spec.path).with_context(|| unreadable(&spec.path))?;
        let provider = Arc::new(MemTable::try_new(decoding.schema(), vec![rows])?);
        Ok(Self { provider, digest: Digest::of(&bytes) })
    }

    /// The table as DataFusion takes it.
    pub fn provider(&self) -> Arc<dyn TableProvider> {
        self.provider.clone()
    }

    /// Identifies its contents.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

fn unreadable(path: &Path) -> String {
    format!("cannot read {}", path.display())
}

fn rows(spec: &TableSpec, decoding: &Decoding) -> Result<Vec<RecordBatch>> {
    const CHUNK: NonZeroUsize = NonZeroUsize::new(8192).unwrap();
    // A file's blocks are read where they lie: nothing is put into this store.
    let store = BlockStore::new(0);
    let mut rows = Vec::new();
    let format = spec.format.records().context("Parquet")?;
    for block in whole_file(&spec.path, format, &decoding.schema())? {
        for decoded in BlockReader::open(&block, decoding, &store, CHUNK)? {
            let decoded = decoded?;
            if let Some(bad) = decoded.rejects.first() {
                bail!(
                    "record {} of {} cannot be read: {}\n  the record: {}",
                    bad.row + 1,
                    spec.path.display(),
                    bad.reason,
                    bad.record
                );
            }
            rows.push(decoded.rows);
        }
    }
    Ok(rows)
}
