//! Rows as JSON, whatever their columns: for sinks that pass on what they are given.
//!
//! It is the JSON that the host's own sinks write: an object a line, nulls written out, timestamps as RFC 3339, bytes in
//! hexadecimal, and null for what is no number.

use std::fmt::Write;

use crate::bindings::rows::{Column, Field, Values};
use crate::chunk::Chunk;
use crate::column;

/// The rows, an object a line. `fields` names the chunk's columns.
///
/// ```
/// use weir_guest::bindings::rows::{Batch, Column, DataType, Field, Values};
/// use weir_guest::{Chunk, json};
///
/// let fields = [Field { name: "n".into(), data_type: DataType::Int64, nullable: true }];
/// let column = Column { values: Values::Int64(vec![7, 0]), validity: Some(vec![0b01]) };
/// let chunk = Chunk::new(Batch { row_count: 2, columns: vec![column] })?;
/// assert_eq!(json::lines(&fields, &chunk), "{\"n\":7}\n{\"n\":null}\n");
/// # Ok::<(), String>(())
/// ```
pub fn lines(fields: &[Field], chunk: &Chunk) -> String {
    let names: Vec<String> = fields.iter().map(|field| text(&field.name)).collect();
    let mut out = String::new();
    for row in 0..chunk.rows() {
        out.push('{');
        for (index, (name, column)) in names.iter().zip(chunk.columns()).enumerate() {
            if index > 0 {
                out.push(',');
            }
            out.push_str(name);
            out.push(':');
            value(&mut out, column, row);
        }
        out.push_str("}\n");
    }
    out
}

fn value(out: &mut String, column: &Column, row: usize) {
    let written = match &column.values {
        Values::Boolean(_) => {
            column::bools(column).and_then(|bools| bools.get(row)).map(|value| write!(out, "{value}"))
        }
        Values::Int64(_) => column::ints(column).and_then(|ints| ints.get(row)).map(|value| write!(out, "{value}")),
        Values::Float64(_) => {
            let value = column::floats(column).and_then(|floats| floats.get(row)).filter(|value| value.is_finite());
            value.map(|value| write!(out, "{}", serde_json::Value::from(value)))
        }
        Values::Timestamp(_) => {
            let at = column::timestamps(column).and_then(|timestamps| timestamps.get(row));
            at.map(|at| write!(out, "\"{}\"", rfc3339(at.as_micros())))
        }
        Values::Utf8(_) => {
            column::text(column).and_then(|texts| texts.get(row)).map(|value| out.write_str(&text(value)))
        }
        Values::Binary(_) => column::bytes(column).and_then(|all| all.get(row)).map(|bytes| {
            out.write_char('"')?;
            bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}"))?;
            out.write_char('"')
        }),
        Values::Slices(_) => None,
    };
    // Writing to a string does not fail.
    if !matches!(written, Some(Ok(()))) {
        out.push_str("null");
    }
}

fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A point in time as RFC 3339 has it, in UTC, with as many digits of a second as it needs: none, three or six.
fn rfc3339(micros: i64) -> String {
    const DAY: i64 = 86_400;
    let (seconds, fraction) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    let (days, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let fraction = match fraction {
        0 => String::new(),
        whole if whole % 1000 == 0 => format!(".{:03}", whole / 1000),
        _ => format!(".{fraction:06}"),
    };
    let sign = if year > 9999 { "+" } else { "" };
    format!("{sign}{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// Year, month and day of so many days since the Unix epoch, in the proleptic Gregorian calendar: Howard Hinnant's
/// `civil_from_days`.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::rows::{Batch, DataType, VarLen};

    #[test]
    fn a_value_of_each_type_is_written_as_the_host_writes_it() -> Result<(), String> {
        let field = |name: &str, data_type| Field { name: name.to_owned(), data_type, nullable: true };
        let bytes = |data: &[u8]| VarLen { offsets: vec![0, data.len() as i32], data: data.to_vec() };
        let columns = [
            (field("b", DataType::Boolean), Values::Boolean(vec![1]), "true"),
            (field("i", DataType::Int64), Values::Int64(vec![i64::MIN]), "-9223372036854775808"),
            (field("f", DataType::Float64), Values::Float64(vec![2.0]), "2.0"),
            (field("nan", DataType::Float64), Values::Float64(vec![f64::NAN]), "null"),
            (
                field("t", DataType::Timestamp),
                Values::Timestamp(vec![1_700_000_000_123_000]),
                "\"2023-11-14T22:13:20.123Z\"",
            ),
            (field("s \"", DataType::Utf8), Values::Utf8(bytes("a\n\"é\"".as_bytes())), r#""a\n\"é\"""#),
            (field("x", DataType::Binary), Values::Binary(bytes(&[0, 255])), "\"00ff\""),
        ];
        let (mut fields, mut all, mut expected) = (Vec::new(), Vec::new(), Vec::new());
        for (field, values, written) in columns {
            expected.push(format!("{}:{written}", text(&field.name)));
            fields.push(field);
            all.push(Column { values, validity: None });
        }
        let chunk = Chunk::new(Batch { row_count: 1, columns: all })?;
        assert_eq!(lines(&fields, &chunk), format!("{{{}}}\n", expected.join(",")));
        Ok(())
    }

    #[test]
    fn times_are_written_as_dates() {
        for (micros, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00Z"),
            (1_709_251_199_500_000, "2024-02-29T23:59:59.500Z"),
            (1_740_787_200_000_001, "2025-03-01T00:00:00.000001Z"),
            (253_402_300_799_000_000, "9999-12-31T23:59:59Z"),
            (-62_135_596_800_000_000, "0001-01-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(micros), expected);
        }
    }
}
