//! A query's rows as text.

use std::collections::HashSet;

use anyhow::{Result, bail};
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
    if format != AnswerFormat::Table {
        let mut names = HashSet::new();
        if let Some(twice) = schema.fields().iter().find(|field| !names.insert(field.name())) {
            bail!(
                "two columns of the answer are named `{0}`: give one another name, as in `x.{0} as other`",
                twice.name()
            );
        }
    }
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
            if let Some(nested) = schema.fields().iter().find(|field| field.data_type().is_nested()) {
                bail!("column `{}` is no single value, which CSV cannot hold: ask with --format json", nested.name());
            }
            let mut writer = csv::WriterBuilder::new().with_header(true).build(Vec::new());
            for rows in std::iter::once(&header).chain(rows) {
                writer.write(rows)?;
            }
            Ok(writer.into_inner())
        }
    }
}
