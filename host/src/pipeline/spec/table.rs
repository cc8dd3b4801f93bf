//! `[tables.NAME]`: data at rest.

use std::path::PathBuf;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Format;
use crate::rows::ColumnType;
use crate::units::Refresh;

/// Data at rest: a file, or the files of a folder in the order of their names.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableSpec {
    /// The file or folder; relative to the pipeline file.
    pub path: PathBuf,
    /// How bytes become rows.
    pub format: TableFormat,
    /// Column names and types; by default inferred from the first rows. A Parquet file says itself.
    #[serde(default)]
    pub schema: Option<IndexMap<String, ColumnType>>,
    /// When it is read again: "once" (at the start), "every batch", "when changed", or a time as in "every 10m".
    /// Default "once".
    #[serde(default)]
    pub refresh: Refresh,
}

/// How the bytes of a table become rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TableFormat {
    /// A line is a row of one column, `line utf8`.
    Text,
    /// A line is a JSON object.
    Json,
    /// RFC 4180 with a header line.
    Csv,
    /// Apache Parquet.
    Parquet,
}

impl TableFormat {
    /// The format of its records, where it is made of records one after the other.
    pub fn records(self) -> Option<Format> {
        match self {
            Self::Text => Some(Format::Text),
            Self::Json => Some(Format::Json),
            Self::Csv => Some(Format::Csv),
            Self::Parquet => None,
        }
    }
}
