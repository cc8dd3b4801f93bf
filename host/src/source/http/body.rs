//! A request's body to records, each ended by a newline: a pure function.
//!
//! What is wrong here is wrong with the request, and its sender is told. Whether a record is a row is decided when its
//! batch is run, as for every source.

use memchr::memchr;
use thiserror::Error;

use super::Rules;
use crate::pipeline::Format;
use crate::source::MAX_RECORD_BYTES;
use crate::source::format::framing::{Framing, Scanner, blank_is_row, is_blank, trim_line_end};
use crate::source::format::header_names;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Records of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Records {
    /// Each ended by a newline: at most one byte more than the body.
    pub(super) bytes: Vec<u8>,
    pub(super) rows: u64,
}

/// Why a body cannot be cut into records.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum BadBody {
    #[error("the body is not UTF-8 at byte {0}")]
    NotUtf8(usize),
    #[error("the body has a NUL at byte {0}: it is not text")]
    Nul(usize),
    #[error("the body has no rows: send {0}")]
    Empty(&'static str),
    #[error("line {line} is longer than {} MiB, which no row may be", MAX_RECORD_BYTES >> 20)]
    TooLong { line: usize },
    #[error("the first line must be the header `{expected}`, with the columns of the schema in their order")]
    Header { expected: String },
    #[error("line {line} has a quote that is not closed in it: a field of a posted row cannot have a line break")]
    LineBreak { line: usize },
    #[error("the body is a JSON array: send its objects, one a line")]
    Array,
    #[error("the first object does not end in its line: send an object a line")]
    SpreadOut,
}

/// Cuts a body into records.
pub(super) fn records(mut body: Vec<u8>, rules: &Rules) -> Result<Records, BadBody> {
    if let Err(error) = simdutf8::compat::from_utf8(&body) {
        return Err(BadBody::NotUtf8(error.valid_up_to()));
    }
    if let Some(at) = memchr(0, &body) {
        return Err(BadBody::Nul(at));
    }
    if body.last().is_some_and(|last| *last != b'\n') {
        body.push(b'\n');
    }
    let mut lines = Lines { at: if body.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 }, line: 0 };
    match rules.format {
        Format::Text => {}
        Format::Json => look_at_json(lines.clone().skip_blank(&body))?,
        Format::Csv => header(lines.next(&body).map_or(&[], |line| &body[line]), &rules.columns)?,
    }
    let keep_blank = blank_is_row(rules.format);
    let (mut kept, mut rows) = (0, 0);
    while let Some(range) = lines.next(&body) {
        let line = &body[range.clone()];
        if trim_line_end(line).len() > MAX_RECORD_BYTES {
            return Err(BadBody::TooLong { line: lines.line });
        }
        if !keep_blank && is_blank(line) {
            continue;
        }
        if rules.format == Format::Csv && Scanner::new(Framing::Csv).end(line) != Some(line.len()) {
            return Err(BadBody::LineBreak { line: lines.line });
        }
        // What is dropped leaves a gap, which is closed in place.
        let length = range.len();
        if range.start != kept {
            body.copy_within(range, kept);
        }
        kept += length;
        rows += 1;
    }
    body.truncate(kept);
    if rows == 0 {
        return Err(BadBody::Empty(match rules.format {
            Format::Text => "a line a row",
            Format::Json => "a JSON object a line",
            Format::Csv => "a header line, and a line a row",
        }));
    }
    Ok(Records { bytes: body, rows })
}

/// Walks over lines that all end with a newline.
#[derive(Debug, Clone)]
struct Lines {
    at: usize,
    /// The number of the last line given, from 1.
    line: usize,
}

impl Lines {
    fn next(&mut self, body: &[u8]) -> Option<std::ops::Range<usize>> {
        let start = self.at;
        let newline = memchr(b'\n', body.get(start..)?)?;
        self.at = start + newline + 1;
        self.line += 1;
        Some(start..self.at)
    }

    fn skip_blank(mut self, body: &[u8]) -> &[u8] {
        while let Some(range) = self.next(body) {
            let line = body[range].trim_ascii();
            if !line.is_empty() {
                return line;
            }
        }
        &[]
    }
}

fn header(line: &[u8], columns: &[String]) -> Result<(), BadBody> {
    match header_names(trim_line_end(line)) {
        Ok(names) if names == columns => Ok(()),
        _ => Err(BadBody::Header { expected: columns.join(",") }),
    }
}

/// Two mistakes that many make, and that would only show as rejected rows.
fn look_at_json(first: &[u8]) -> Result<(), BadBody> {
    match first {
        [b'[', ..] => Err(BadBody::Array),
        [b'{'] => Err(BadBody::SpreadOut),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test should say where")]

    use proptest::prelude::*;

    use super::*;

    fn rules(format: Format) -> Rules {
        let columns = vec!["a".to_owned(), "b".to_owned()];
        Rules { path: "/".into(), format, columns, max_body: 1 << 20, max_rate: None }
    }

    fn check(format: Format, body: &str, expected: Result<(&str, u64), BadBody>) {
        let found = records(body.as_bytes().to_vec(), &rules(format));
        let found = found.map(|records| (String::from_utf8(records.bytes).unwrap(), records.rows));
        assert_eq!(found, expected.map(|(bytes, rows)| (bytes.to_owned(), rows)), "{format:?} of {body:?}");
    }

    #[test]
    fn given_bodies_when_framed_then_records_end_with_newlines_and_layout_is_gone() {
        check(Format::Text, "a\r\n\nb", Ok(("a\r\n\nb\n", 3)));
        check(Format::Text, "\u{FEFF}a\n", Ok(("a\n", 1)));
        check(Format::Json, "\n {}\n \r\n{\"a\":1}\n\n", Ok((" {}\n{\"a\":1}\n", 2)));
        check(
            Format::Json,
            "not JSON, which is for the batch to say",
            Ok(("not JSON, which is for the batch to say\n", 1)),
        );
        check(Format::Csv, "\u{FEFF}a,b\r\n1,\"x,\"\"y\"\n\n,\n", Ok(("1,\"x,\"\"y\"\n,\n", 2)));
        check(Format::Csv, "\"a\",b\n1", Ok(("1\n", 1)));
    }

    #[test]
    fn given_bodies_that_are_not_rows_when_framed_then_the_sender_is_told() {
        for format in [Format::Text, Format::Json] {
            check(
                format,
                "",
                Err(BadBody::Empty(if format == Format::Text { "a line a row" } else { "a JSON object a line" })),
            );
            check(format, "a\0b", Err(BadBody::Nul(1)));
        }
        assert_eq!(records(b"ab\xFF".to_vec(), &rules(Format::Text)), Err(BadBody::NotUtf8(2)));
        check(Format::Json, " \n\n", Err(BadBody::Empty("a JSON object a line")));
        check(Format::Json, "\n[{}]", Err(BadBody::Array));
        check(Format::Json, "{\n\"a\": 1\n}", Err(BadBody::SpreadOut));
        let wrong = || BadBody::Header { expected: "a,b".into() };
        for body in ["", "\n", "b,a\n1,2\n", "1,2\n", "a\n1\n", "a,b,c\n"] {
            check(Format::Csv, body, Err(wrong()));
        }
        check(Format::Csv, "a,b\n", Err(BadBody::Empty("a header line, and a line a row")));
        check(Format::Csv, "a,b\n1,2\n1,\"x\ny\"\n", Err(BadBody::LineBreak { line: 3 }));
        let long = "x".repeat(MAX_RECORD_BYTES + 1);
        check(Format::Text, &format!("a\n{long}\n"), Err(BadBody::TooLong { line: 2 }));
        check(Format::Text, &long[1..], Ok((&format!("{}\n", &long[1..]), 1)));
    }

    proptest! {
        #[test]
        fn given_any_body_when_framed_then_its_records_are_the_lines_that_a_naive_reading_finds(
            body in "[ab{\\r\\n ]{0,60}",
            text: bool,
        ) {
            let format = if text { Format::Text } else { Format::Json };
            let mut lines: Vec<&str> = body.split('\n').collect();
            if lines.last() == Some(&"") {
                lines.pop();
            }
            let naive: String = lines.iter().filter(|line| text || !line.trim().is_empty()).map(|line| format!("{line}\n")).collect();
            match records(body.clone().into_bytes(), &rules(format)) {
                Ok(records) => {
                    prop_assert_eq!(records.rows, naive.matches('\n').count() as u64);
                    prop_assert!(records.bytes.len() <= body.len() + 1);
                    prop_assert_eq!(records.bytes, naive.into_bytes());
                }
                Err(BadBody::Empty(_)) => prop_assert_eq!(naive, ""),
                Err(BadBody::SpreadOut) => prop_assert_eq!(naive.trim_start().as_bytes()[0], b'{'),
                Err(other) => prop_assert!(false, "{}", other),
            }
        }

        #[test]
        fn given_any_bytes_when_framed_then_nothing_panics(body in prop::collection::vec(any::<u8>(), 0..200)) {
            for format in [Format::Text, Format::Json, Format::Csv] {
                let _ = records(body.clone(), &rules(format));
                let _ = records([b"a,b\n", &body[..]].concat(), &rules(format));
            }
        }
    }
}
