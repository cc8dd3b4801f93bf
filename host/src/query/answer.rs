//! A query's rows as text.

use anyhow::Result;
use arrow::csv;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use arrow::util::display::FormatOptions;
use arrow::util::pretty::pretty_format_batches_with_options;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::sink::json_writer;
use crate::time::BatchTime;

/// How rows are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum AnswerFormat {
    /// Drawn, for people.
    Table,
    /// An object a line, as the files sink writes it.
    #[default]
    Json,
    /// With a header, as the files sink writes it.
    Csv,
}

/// What came of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The batch that was committed last.
    pub as_of: Option<BatchTime>,
    /// How many rows there are in `text`.
    pub rows: usize,
    /// Whether there were more than the limit.
    pub more: bool,
    /// The rows.
    pub text: Vec<u8>,
}

/// Rows as text.
pub(super) fn text(schema: &SchemaRef, rows: &[RecordBatch], format: AnswerFormat) -> Result<Vec<u8>> {
    // Without rows there is a header all the same.
    let header = RecordBatch::new_empty(schema.clone());
    match format {
        AnswerFormat::Table => {
            let options = FormatOptions::default().with_null("null");
            let rows = if rows.is_empty() { std::slice::from_ref(&header) } else { rows };
            Ok(format!("{}\n", pretty_format_batches_with_options(rows, &options)?).into_bytes())
        }
        AnswerFormat::Json => {
            let mut writer = json_writer(Vec::new());
            for rows in rows {
                writer.write(rows)?;
            }
            Ok(writer.into_inner())
        }
        AnswerFormat::Csv => {
            let mut writer = csv::WriterBuilder::new().with_header(true).build(Vec::new());
            for rows in std::iter::once(&header).chain(rows) {
                writer.write(rows)?;
            }
            Ok(writer.into_inner())
        }
    }
}
