//! How bytes become rows: the pure half of a source.
//!
//! [`Decoding`] says how, as data that a plan can carry; [`BlockReader`] does it, block by block, in bounded memory. The
//! rows of a block depend on nothing but the block and the decoding: not on how reads or chunks fall. A record that
//! cannot be read becomes a [`RejectedRecord`], and the records around it are not affected.
//!
//! - [`framing`]: where a record ends.
//! - [`records`]: walking over the records of a block in chunks.
//! - [`text`], [`json`], [`csv`]: a chunk of records to rows; [`structured`] is what the last two share.
//! - [`schema`]: the rows' schema, declared or inferred.

mod csv;
pub(super) mod framing;
mod json;
mod reader;
pub(super) mod records;
mod schema;
mod structured;
mod text;

pub use reader::{BlockReader, Decoded, RejectedRecord};
pub(super) use schema::{csv_header, header_names, records_start};
pub use schema::{declared_schema, infer_schema};

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::generator::Recipe;
use crate::pipeline::{Format, SourceSpec};
use crate::rows::{ColumnType, Columns};

/// A longer record is rejected, so that memory stays bounded whatever comes in.
pub const MAX_RECORD_BYTES: usize = 1 << 20;

/// How the bytes of a source's blocks become rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Decoding {
    /// Records of a format.
    Records {
        /// How a record is written.
        format: Format,
        /// The columns, in order.
        columns: Columns,
    },
    /// Rows that are made up when they are read.
    Generated(Recipe),
}

impl Decoding {
    /// How the blocks of a source are to be read: by its declared schema, or else by one inferred from its first rows.
    ///
    /// Reads at most the first 1,000 rows of a file, and nothing when the schema is declared or the format is text.
    pub fn of(name: &str, source: &SourceSpec) -> Result<Self> {
        let decoding = match source {
            SourceSpec::File { path, format, schema, .. } => {
                Self::of_records(*format, schema.as_ref(), || infer_schema(path, *format))
            }
            SourceSpec::Socket { format, schema, .. } => Self::of_records(*format, schema.as_ref(), || {
                bail!("what comes over a socket is not known beforehand: declare its columns in `schema`")
            }),
            SourceSpec::Http { format, schema, .. } => Self::of_records(*format, schema.as_ref(), || {
                bail!("what is posted is not known beforehand: declare its columns in `schema`")
            }),
            SourceSpec::Generator { seed, columns, .. } => Recipe::new(*seed, columns).map(Self::Generated),
        };
        decoding.with_context(|| format!("source `{name}`"))
    }

    fn of_records(
        format: Format,
        declared: Option<&IndexMap<String, ColumnType>>,
        infer: impl FnOnce() -> Result<SchemaRef>,
    ) -> Result<Self> {
        let schema = match (format, declared) {
            (Format::Text, None) => schema::text_schema(),
            (Format::Text, Some(_)) => {
                bail!("text has the one column `line`: leave `schema` out, or choose the format json or csv")
            }
            (_, Some(declared)) => declared_schema(declared),
            (_, None) => infer()?,
        };
        Self::records(format, &schema)
    }

    /// Records of `format` with the columns of `schema`, which must be of the six column types.
    pub fn records(format: Format, schema: &Schema) -> Result<Self> {
        if format == Format::Csv
            && let Some(field) = schema.fields().iter().find(|f| *f.data_type() == DataType::Binary)
        {
            bail!(
                "column `{}` is binary, which CSV cannot carry: declare it as utf8, or use json (bytes in hex)",
                field.name()
            );
        }
        Ok(Self::Records { format, columns: Columns::of(schema)? })
    }

    /// The schema of the rows.
    pub fn schema(&self) -> SchemaRef {
        match self {
            Self::Records { columns, .. } => Arc::new(columns.schema()),
            Self::Generated(recipe) => recipe.schema(),
        }
    }
}

#[cfg(test)]
mod tests;
