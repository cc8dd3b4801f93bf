//! From the files of a table to its contents.
//!
//! A record that cannot be read is an error: a table is either right or not there.

use std::fs;
use std::num::NonZeroUsize;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use super::{Contents, parquet};
use crate::block::BlockStore;
use crate::pipeline::{Format, TableSpec};
use crate::source::{BlockReader, Decoding, declared_schema, infer_schema, list_files, whole_file};

/// What tells whether files have changed, without reading them: of each its path, size, time of last change in
/// nanoseconds, and inode. A file that is replaced by rename has another inode, so no replacement goes unseen; one that is
/// written over within the clock's grain and keeps its size does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(Vec<(PathBuf, u64, i128, u64)>);

impl Fingerprint {
    /// Looks at a file, or at the files of a folder.
    pub fn of(path: &Path) -> Result<Self> {
        let look = |file: PathBuf| {
            let found = fs::metadata(&file).with_context(|| format!("looking at {}", file.display()))?;
            let changed = i128::from(found.mtime()) * 1_000_000_000 + i128::from(found.mtime_nsec());
            Ok((file, found.len(), changed, found.ino()))
        };
        Ok(Self(list_files(path)?.into_iter().map(look).collect::<Result<_>>()?))
    }
}

/// Reads a table, and tells what its files were then.
///
/// Once its columns are `known` they stay: files with others are an error. Blocks on files.
pub fn read(spec: &TableSpec, known: Option<&SchemaRef>) -> Result<(Contents, Fingerprint)> {
    let before = Fingerprint::of(&spec.path)?;
    let files: Vec<&Path> = before.0.iter().map(|(file, ..)| file.as_path()).collect();
    let contents = match spec.format.records() {
        Some(format) => records(spec, format, known, &files),
        None => parquet_files(&spec.path, known, &files),
    };
    if Fingerprint::of(&spec.path)? != before {
        bail!(
            "{} was changed while it was being read; write the new one beside it, under a name that begins with `.`, and \
             rename it into place",
            spec.path.display()
        );
    }
    Ok((contents?, before))
}

fn records(spec: &TableSpec, format: Format, known: Option<&SchemaRef>, files: &[&Path]) -> Result<Contents> {
    let schema = match (known, &spec.schema) {
        (Some(known), _) => known.clone(),
        (None, Some(declared)) => declared_schema(declared),
        (None, None) => infer_schema(&spec.path, format)?,
    };
    let decoding = Decoding::records(format, &schema)?;
    let mut rows = Vec::new();
    for file in files {
        file_records(file, format, &decoding, &mut rows)?;
    }
    Ok(Contents::new(decoding.schema(), rows)?)
}

fn file_records(file: &Path, format: Format, decoding: &Decoding, rows: &mut Vec<RecordBatch>) -> Result<()> {
    const CHUNK: NonZeroUsize = NonZeroUsize::new(8192).unwrap();
    // A file's blocks are read where they lie: nothing is put into this store.
    let store = BlockStore::new(0);
    let mut read = 0;
    for block in whole_file(file, format, &decoding.schema())? {
        let before = read;
        for decoded in BlockReader::open(&block, decoding, &store, CHUNK)? {
            let decoded = decoded?;
            if let Some(bad) = decoded.rejects.first() {
                bail!(
                    "record {} of {} cannot be read: {}\n  the record: {}\n  Correct it or take it out: a table is read \
                     whole or not at all.",
                    before + bad.row + 1,
                    file.display(),
                    bad.reason,
                    bad.record
                );
            }
            read += decoded.rows.num_rows() as u64;
            rows.push(decoded.rows);
        }
    }
    Ok(())
}

fn parquet_files(path: &Path, known: Option<&SchemaRef>, files: &[&Path]) -> Result<Contents> {
    let mut schema = known.cloned();
    let mut rows = Vec::new();
    for file in files {
        let columns = parquet::read(file, schema.as_ref(), &mut rows)?;
        schema.get_or_insert(columns);
    }
    let Some(schema) = schema else {
        bail!(
            "there is no Parquet file in {} to tell the columns from: put one there, without rows if need be",
            path.display()
        );
    };
    Ok(Contents::new(schema, rows)?)
}

#[cfg(test)]
mod tests;
