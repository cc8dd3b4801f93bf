//! How made-up rows are made, column by column.

use std::ops::Range;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use arrow::array::{ArrayRef, Float64Array, Int64Array, StringBuilder};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::words::{Lines, MAX_VOCABULARY};
use crate::pipeline::GeneratedColumn;
use crate::rows::ColumnType;
use crate::source::MAX_RECORD_BYTES;

/// How many bytes of rows are made at once, whatever number of rows was asked for.
const MAX_CHUNK_BYTES: u64 = 4 << 20;
const DEFAULT_VOCABULARY: usize = 10_000;

/// A seed and columns: all that there is to know about a generator's rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    seed: u64,
    columns: Vec<(String, RecipeColumn)>,
}

/// How a column is made; the pipeline file's `GeneratedColumn` with its defaults filled in and checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum RecipeColumn {
    /// The row's number.
    Sequence,
    /// Evenly spread over `min ..= max`.
    Integer {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// Evenly spread over `min .. max`.
    Float {
        /// The smallest.
        min: f64,
        /// Just past the largest.
        max: f64,
    },
    /// One of these, evenly.
    Choice {
        /// The candidates.
        of: Vec<String>,
    },
    /// A line of words.
    Words {
        /// Its bytes.
        length: usize,
        /// How many different words there are.
        vocabulary: usize,
    },
}

impl Recipe {
    /// Checks the columns as the pipeline file has them.
    pub fn new(seed: u64, columns: &IndexMap<String, GeneratedColumn>) -> Result<Self> {
        if columns.is_empty() {
            bail!("a generator needs at least one column");
        }
        let columns = columns.iter().map(|(name, spec)| {
            let column = RecipeColumn::new(spec).with_context(|| format!("column `{name}`"))?;
            Ok((name.clone(), column))
        });
        Ok(Self { seed, columns: columns.collect::<Result<_>>()? })
    }

    /// The schema of the rows; no column is nullable.
    pub fn schema(&self) -> SchemaRef {
        let field = |(name, column): &(String, RecipeColumn)| Field::new(name, column.column_type().arrow(), false);
        Arc::new(Schema::new(self.columns.iter().map(field).collect::<Vec<_>>()))
    }

    /// About how many bytes a row takes: no less than it does.
    pub(super) fn row_bytes(&self) -> u64 {
        self.columns.iter().map(|(_, column)| column.bytes() as u64).sum()
    }

    /// Makes the rows of a range of row numbers.
    pub(in crate::source) fn rows(&self, rows: Range<u64>) -> RowMaker {
        let columns = self.columns.iter().map(|(name, column)| ColumnMaker::new(self.seed, name, column));
        let max_rows = (MAX_CHUNK_BYTES / self.row_bytes().max(1)).max(1);
        RowMaker { schema: self.schema(), columns: columns.collect(), rows, max_rows }
    }
}

impl RecipeColumn {
    fn new(spec: &GeneratedColumn) -> Result<Self> {
        Ok(match spec {
            GeneratedColumn::Sequence => Self::Sequence,
            GeneratedColumn::Integer { min, max } if min <= max => Self::Integer { min: *min, max: *max },
            GeneratedColumn::Integer { min, max } => bail!("`min` {min} is above `max` {max}"),
            // The width must be finite too.
            GeneratedColumn::Float { min, max } if min < max && (max - min).is_finite() => {
                Self::Float { min: *min, max: *max }
            }
            GeneratedColumn::Float { min, max } => bail!("`min` {min} must be below `max` {max}, and both finite"),
            GeneratedColumn::Choice { of } if of.is_empty() => bail!("`of` lists nothing to choose from"),
            GeneratedColumn::Choice { of } => Self::Choice { of: of.clone() },
            GeneratedColumn::Words { length, vocabulary } => {
                let vocabulary = vocabulary.map_or(DEFAULT_VOCABULARY, |v| v.get());
                if length.get() > MAX_RECORD_BYTES {
                    bail!("`length` is {length}, and a line has at most {MAX_RECORD_BYTES} bytes");
                }
                if vocabulary > MAX_VOCABULARY {
                    bail!("`vocabulary` is {vocabulary}, and at most {MAX_VOCABULARY} words can be made");
                }
                Self::Words { length: length.get(), vocabulary }
            }
        })
    }

    fn column_type(&self) -> ColumnType {
        match self {
            Self::Sequence | Self::Integer { .. } => ColumnType::Int64,
            Self::Float { .. } => ColumnType::Float64,
            Self::Choice { .. } | Self::Words { .. } => ColumnType::Utf8,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Sequence | Self::Integer { .. } | Self::Float { .. } => 8,
            Self::Choice { of } => of.iter().map(String::len).max().unwrap_or(0),
            Self::Words { length, .. } => *length,
        }
    }
}

/// Makes rows, a chunk at a time.
#[derive(Debug)]
pub(in crate::source) struct RowMaker {
    schema: SchemaRef,
    columns: Vec<ColumnMaker>,
    rows: Range<u64>,
    max_rows: u64,
}

impl RowMaker {
    /// The next at most `max_rows` rows; `None` at the end.
    pub(in crate::source) fn next_chunk(&mut self, max_rows: usize) -> Result<Option<RecordBatch>> {
        if self.rows.is_empty() {
            return Ok(None);
        }
        let count = self.max_rows.min(max_rows.max(1) as u64);
        let chunk = self.rows.start..self.rows.end.min(self.rows.start.saturating_add(count));
        self.rows.start = chunk.end;
        let columns = self.columns.iter().map(|column| column.make(chunk.clone())).collect::<Result<_>>()?;
        Ok(Some(RecordBatch::try_new(Arc::clone(&self.schema), columns)?))
    }
}

#[derive(Debug)]
struct ColumnMaker {
    draws: Draws,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Sequence,
    Integer { min: i64, span: u128 },
    Float { min: f64, max: f64 },
    Choice { of: Vec<String> },
    Words(Lines),
}

impl ColumnMaker {
    fn new(seed: u64, name: &str, column: &RecipeColumn) -> Self {
        let kind = match column {
            RecipeColumn::Sequence => Kind::Sequence,
            RecipeColumn::Integer { min, max } => {
                Kind::Integer { min: *min, span: (i128::from(*max) - i128::from(*min) + 1).unsigned_abs() }
            }
            RecipeColumn::Float { min, max } => Kind::Float { min: *min, max: *max },
            RecipeColumn::Choice { of } => Kind::Choice { of: of.clone() },
            RecipeColumn::Words { length, vocabulary } => Kind::Words(Lines::new(*length, *vocabulary)),
        };
        Self { draws: Draws::new(seed, name), kind }
    }

    fn make(&self, rows: Range<u64>) -> Result<ArrayRef> {
        Ok(match &self.kind {
            Kind::Sequence => Arc::new(Int64Array::from_iter_values(rows.map(|n| n as i64))),
            Kind::Integer { min, span } => Arc::new(Int64Array::from_iter_values(
                rows.map(|n| min.wrapping_add(below(self.draws.of_row(n), *span) as i64)),
            )),
            Kind::Float { min, max } => Arc::new(Float64Array::from_iter_values(
                rows.map(|n| (min + unit(self.draws.of_row(n)) * (max - min)).min(max.next_down())),
            )),
            Kind::Choice { of } => {
                let mut column = StringBuilder::new();
                for n in rows {
                    // Below the length, so it fits.
                    column.append_value(&of[below(self.draws.of_row(n), of.len() as u128) as usize]);
                }
                Arc::new(column.finish())
            }
            Kind::Words(lines) => Arc::new(lines.make(rows.map(|n| self.draws.of_row(n)))?),
        })
    }
}

/// Random numbers by row number, after splitmix64 (Steele, Lea and Flood 2014), which can be entered at any place.
#[derive(Debug, Clone, Copy)]
struct Draws {
    key: u64,
}

impl Draws {
    /// By name, so that a column stays the same when others come and go.
    fn new(seed: u64, column: &str) -> Self {
        Self { key: mix(seed ^ xxh3_64(column.as_bytes())) }
    }

    fn of_row(self, row: u64) -> u64 {
        mix(self.key.wrapping_add(row.wrapping_mul(GOLDEN)))
    }
}

pub(super) const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The output function of splitmix64.
pub(super) fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(GOLDEN);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A number evenly spread over `0 .. bound`, for bounds up to 2^64.
fn below(random: u64, bound: u128) -> u64 {
    ((u128::from(random) * bound) >> 64) as u64
}

/// A number evenly spread over `0.0 .. 1.0`.
pub(super) fn unit(random: u64) -> f64 {
    (random >> 11) as f64 / (1u64 << 53) as f64
}
