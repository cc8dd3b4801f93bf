//! `[sinks.NAME]`: where results go.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A destination of rows.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum SinkSpec {
    /// Prints each batch.
    Stdout {
        /// Sources and operators whose rows are printed.
        #[schemars(length(min = 1), extend("uniqueItems" = true))]
        inputs: Vec<String>,
        /// How. Default "table".
        #[serde(default)]
        format: StdoutFormat,
    },
    /// A folder a batch, `batch_time=MILLIS`, which appears whole or not at all.
    Files {
        /// Sources and operators whose rows are written.
        #[schemars(length(min = 1), extend("uniqueItems" = true))]
        inputs: Vec<String>,
        /// The folder; relative to the pipeline file. Made if it is not there.
        path: PathBuf,
        /// How rows are written. Default "json".
        #[serde(default)]
        format: FileFormat,
    },
}

impl SinkSpec {
    /// Sources and operators whose rows go into the sink.
    pub fn inputs(&self) -> &[String] {
        match self {
            Self::Stdout { inputs, .. } | Self::Files { inputs, .. } => inputs,
        }
    }
}

/// How rows are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StdoutFormat {
    /// A table, for people.
    #[default]
    Table,
    /// An object a line.
    Json,
}

/// How rows are written to files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FileFormat {
    /// An object a line.
    #[default]
    Json,
    /// RFC 4180 with a header line.
    Csv,
    /// Apache Parquet, snappy.
    Parquet,
}
