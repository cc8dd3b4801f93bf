//! The rows of a Parquet file.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::rows::{NotAdoptable, adopt, adopted_schema, describe};

/// Reads a file's rows, and tells the columns: those of `known`, in its order, where the file must have the same.
pub(super) fn read(file: &Path, known: Option<&SchemaRef>, rows: &mut Vec<RecordBatch>) -> Result<SchemaRef> {
    read_file(file, known, rows).with_context(|| format!("reading {} as Parquet", file.display()))
}

fn read_file(file: &Path, known: Option<&SchemaRef>, rows: &mut Vec<RecordBatch>) -> Result<SchemaRef> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(file)?)?;
    let own = Arc::new(adopted_schema(builder.schema()).map_err(|e| match e {
        NotAdoptable::Type { column, found } => anyhow!(
            "column `{column}` has type {found}, which a table cannot have: write the file without it, or with its parts as \
             columns"
        ),
        other => anyhow!("{other}: rename it where the file is written"),
    })?);
    if own.fields().is_empty() {
        bail!("it has no columns");
    }
    let schema = known.unwrap_or(&own).clone();
    let places = places(&own, &schema)?;
    for batch in builder.build()? {
        rows.push(adopt(&batch?.project(&places)?, &schema)?);
    }
    Ok(schema)
}

/// Where each column of `known` is in the file.
fn places(own: &Schema, known: &Schema) -> Result<Vec<usize>> {
    let place = |name: &String, kind| {
        let (place, field) = own.column_with_name(name)?;
        (field.data_type() == kind).then_some(place)
    };
    let places: Option<Vec<usize>> = known.fields().iter().map(|f| place(f.name(), f.data_type())).collect();
    match places {
        Some(places) if places.len() == own.fields().len() => Ok(places),
        _ => bail!(
            "its columns are {}, but the table's are {}: bring it to these, or start the host anew",
            describe(own),
            describe(known)
        ),
    }
}
