//! Rows in the binary form of `COPY`, as PostgreSQL's manual has it under "Binary Format" of `COPY`.

use anyhow::{Context, Result, bail};
use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BooleanArray, StringArray};
use arrow::datatypes::{Float64Type, Int64Type, Schema, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, SecondsFormat};

use crate::rows::ColumnType;

/// What comes before the first row.
pub(super) const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What comes after the last row.
pub(super) const TRAILER: &[u8] = &(-1_i16).to_be_bytes();

const NULL: [u8; 4] = (-1_i32).to_be_bytes();
/// 2000-01-01, from which PostgreSQL counts microseconds, after 1970.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;
/// The range of a `timestamptz`, from 4714-11-24 BC to the end of the year 294276, in microseconds after 2000.
const TIMESTAMPS: std::ops::Range<i64> = -211_813_488_000_000_000..9_223_371_331_200_000_000;
/// Rows of one part are numbered from the part's number times this.
const PART_ROWS: u64 = 1 << 40;

/// Encodes rows of one schema, and says which value the server would not take.
#[derive(Debug, Clone)]
pub(super) struct Encoder {
    columns: Vec<Column>,
    /// The number of the next row, where rows have one as their first column.
    next: Option<u64>,
}

#[derive(Debug, Clone)]
struct Column {
    name: String,
    refuses_null: bool,
}

impl Encoder {
    /// For rows of this schema; `numbered`: with their numbers before them.
    pub(super) fn new(schema: &Schema, refuses_null: impl Fn(&str) -> bool, numbered: bool) -> Self {
        let column = |name: &String| Column { name: name.clone(), refuses_null: refuses_null(name) };
        let columns = schema.fields().iter().map(|field| column(field.name())).collect();
        Self { columns, next: numbered.then_some(0) }
    }

    /// The same for the rows of a part, whose numbers follow those of the parts before it.
    pub(super) fn of_part(&self, part: usize) -> Self {
        Self { next: self.next.map(|_| part as u64 * PART_ROWS), ..self.clone() }
    }

    /// The rows, one after the other.
    pub(super) fn encode(&mut self, rows: &RecordBatch) -> Result<Vec<u8>> {
        let values: Vec<Values<'_>> = rows.columns().iter().map(Values::of).collect::<Result<_>>()?;
        let fields = i16::try_from(values.len() + usize::from(self.next.is_some())).context("too many columns")?;
        let mut out = Vec::with_capacity(rows.get_array_memory_size());
        for row in 0..rows.num_rows() {
            out.extend(fields.to_be_bytes());
            if let Some(next) = &mut self.next {
                put(&mut out, &next.to_be_bytes())?;
                *next += 1;
            }
            for (values, column) in values.iter().zip(&self.columns) {
                values.encode(row, column, &mut out).with_context(|| format!("column `{}`", column.name))?;
            }
        }
        Ok(out)
    }
}

/// A column's values by type.
enum Values<'r> {
    Boolean(&'r BooleanArray),
    Int64(&'r arrow::array::Int64Array),
    Float64(&'r arrow::array::Float64Array),
    Timestamp(&'r arrow::array::TimestampMicrosecondArray),
    Utf8(&'r StringArray),
    Binary(&'r BinaryArray),
}

impl<'r> Values<'r> {
    fn of(column: &'r ArrayRef) -> Result<Self> {
        let kind = ColumnType::of(column.data_type());
        Ok(match kind.with_context(|| format!("rows of a stream have no {}", column.data_type()))? {
            ColumnType::Boolean => Self::Boolean(column.as_boolean()),
            ColumnType::Int64 => Self::Int64(column.as_primitive::<Int64Type>()),
            ColumnType::Float64 => Self::Float64(column.as_primitive::<Float64Type>()),
            ColumnType::Timestamp => Self::Timestamp(column.as_primitive::<TimestampMicrosecondType>()),
            ColumnType::Utf8 => Self::Utf8(column.as_string()),
            ColumnType::Binary => Self::Binary(column.as_binary()),
        })
    }

    fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Boolean(values) => values.is_null(row),
            Self::Int64(values) => values.is_null(row),
            Self::Float64(values) => values.is_null(row),
            Self::Timestamp(values) => values.is_null(row),
            Self::Utf8(values) => values.is_null(row),
            Self::Binary(values) => values.is_null(row),
        }
    }

    fn encode(&self, row: usize, column: &Column, out: &mut Vec<u8>) -> Result<()> {
        if self.is_null(row) {
            if column.refuses_null {
                bail!(
                    "a row has null here, which the table's key or a NOT NULL refuses: leave such rows out with a query"
                );
            }
            out.extend(NULL);
            return Ok(());
        }
        match self {
            Self::Boolean(values) => put(out, &[u8::from(values.value(row))]),
            Self::Int64(values) => put(out, &values.value(row).to_be_bytes()),
            Self::Float64(values) => put(out, &values.value(row).to_be_bytes()),
            Self::Timestamp(values) => put(out, &timestamp(values.value(row))?.to_be_bytes()),
            Self::Utf8(values) => put(out, text(values.value(row))?.as_bytes()),
            Self::Binary(values) => put(out, values.value(row)),
        }
    }
}

fn put(out: &mut Vec<u8>, value: &[u8]) -> Result<()> {
    let length = i32::try_from(value.len()).context("a value has more than 2 GiB")?;
    out.extend(length.to_be_bytes());
    out.extend_from_slice(value);
    Ok(())
}

fn timestamp(micros: i64) -> Result<i64> {
    let since = micros.checked_sub(POSTGRES_EPOCH).filter(|since| TIMESTAMPS.contains(since));
    since.with_context(|| {
        let shown = DateTime::from_timestamp_micros(micros).map(|t| t.to_rfc3339_opts(SecondsFormat::Micros, true));
        let shown = shown.unwrap_or_else(|| format!("{micros} µs after 1970"));
        format!("{shown} is no time that PostgreSQL knows (4713 BC to 294276): leave such rows out with a query")
    })
}

fn text(text: &str) -> Result<&str> {
    if let Some(at) = text.find('\0') {
        let before: String = text[..at].chars().rev().take(20).collect::<Vec<_>>().into_iter().rev().collect();
        bail!(
            "a text has a NUL character (U+0000), after {before:?}: PostgreSQL's text has none; take it out with a query, \
             as in regexp_replace(…, '\\x00', '', 'g'), or write the column as binary"
        );
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test should say where")]

    use std::sync::Arc;

    use arrow::array::{Float64Array, Int64Array, TimestampMicrosecondArray};

    use super::*;

    fn encoder(rows: &RecordBatch, numbered: bool) -> Encoder {
        Encoder::new(&rows.schema(), |column| column == "k", numbered)
    }

    fn rows(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, values)| (name, values, true)))
            .unwrap()
    }

    fn timestamps(values: Vec<Option<i64>>) -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC"))
    }

    #[test]
    fn given_rows_of_every_type_when_encoded_then_each_field_has_its_length_and_its_bytes() {
        let rows = rows(vec![
            ("b", Arc::new(BooleanArray::from(vec![Some(true), None]))),
            ("i", Arc::new(Int64Array::from(vec![Some(-2), None]))),
            ("f", Arc::new(Float64Array::from(vec![Some(1.5), None]))),
            ("t", timestamps(vec![Some(POSTGRES_EPOCH + 1), None])),
            ("s", Arc::new(StringArray::from(vec![Some("é"), None]))),
            ("x", Arc::new(BinaryArray::from(vec![Some(&[0, 255][..]), None]))),
        ]);
        let first = [
            &[0, 6][..],
            &[0, 0, 0, 1, 1],
            &[0, 0, 0, 8, 255, 255, 255, 255, 255, 255, 255, 254],
            &[0, 0, 0, 8, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0],
            &[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1],
            &[0, 0, 0, 2, 0xc3, 0xa9],
            &[0, 0, 0, 2, 0, 255],
        ];
        let second = [&[0, 6][..], &[255; 24]];
        assert_eq!(encoder(&rows, false).encode(&rows).unwrap(), [first.concat(), second.concat()].concat());
    }

    #[test]
    fn given_numbered_rows_when_encoded_in_pieces_then_numbers_go_on_and_parts_follow_each_other() {
        let rows = rows(vec![("i", Arc::new(Int64Array::from(vec![None, None])))]);
        let numbered = encoder(&rows, true);
        let mut part = numbered.of_part(1);
        let encoded = [part.encode(&rows).unwrap(), part.encode(&rows.slice(0, 1)).unwrap()].concat();
        let row = |number: u8| [&[0, 2, 0, 0, 0, 8, 0, 0, 1, 0, 0, 0, 0, number][..], &[255; 4]].concat();
        assert_eq!(encoded, [row(0), row(1), row(2)].concat());
    }

    #[track_caller]
    fn refused(columns: Vec<(&str, ArrayRef)>, says: &str) {
        let rows = rows(columns);
        let error = format!("{:#}", encoder(&rows, false).encode(&rows).unwrap_err());
        assert!(error.contains(says), "{error}");
    }

    #[test]
    fn given_values_that_the_server_has_no_place_for_when_encoded_then_the_error_names_column_value_and_way_out() {
        refused(
            vec![("s", Arc::new(StringArray::from(vec!["fine", "é\0b"])))],
            "column `s`: a text has a NUL character",
        );
        refused(vec![("s", Arc::new(StringArray::from(vec!["é\0b"])))], "after \"é\"");
        refused(vec![("k", Arc::new(Int64Array::from(vec![Some(1), None])))], "column `k`: a row has null here");
        let early = POSTGRES_EPOCH + TIMESTAMPS.start - 1;
        refused(vec![("t", timestamps(vec![Some(early)]))], "column `t`: -4713-11-23T23:59:59.999999Z is no time");
        refused(
            vec![("t", timestamps(vec![Some(i64::MIN)]))],
            "column `t`: -9223372036854775808 µs after 1970 is no time",
        );
    }
}
