//! Where a record ends. The one rule that cutting blocks and reading them must share, so it stands alone.
//!
//! A record ends after a newline. In a CSV file a newline within quotes is part of its field, where a quote opens a
//! field only as the field's first byte (RFC 4180; the same automaton as the `csv-core` crate, with which records are then
//! parsed). Received CSV is framed by lines: on a socket, a quote that is never closed must not swallow what follows.

use memchr::{memchr, memchr2};

use crate::pipeline::Format;

/// How records are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) enum Framing {
    /// Every newline ends a record.
    Lines,
    /// A newline outside quotes ends a record.
    Csv,
}

impl Framing {
    /// The framing of a file's records.
    pub(in crate::source) fn of_file(format: Format) -> Self {
        match format {
            Format::Text | Format::Json => Self::Lines,
            Format::Csv => Self::Csv,
        }
    }
}

/// Whether a record of nothing but white space is a row: a text line is, in other formats it is only layout.
pub(in crate::source) fn blank_is_row(format: Format) -> bool {
    format == Format::Text
}

/// Whether these bytes, a record or a part of it, are only white space.
pub(in crate::source) fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_whitespace)
}

/// A record without its line end, `\n` or `\r\n`.
pub(in crate::source) fn trim_line_end(record: &[u8]) -> &[u8] {
    let record = record.strip_suffix(b"\n").unwrap_or(record);
    record.strip_suffix(b"\r").unwrap_or(record)
}

/// Finds the ends of records in bytes that arrive in pieces.
#[derive(Debug, Clone)]
pub(in crate::source) struct Scanner {
    framing: Framing,
    quotes: Quotes,
    /// The last byte seen of the record: a quote opens a field only after a comma or as the record's first byte.
    last: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quotes {
    Outside,
    Inside,
    /// After a quote within quotes: the next byte tells whether it closed the field or was the first of a doubled one.
    Closing,
}

impl Scanner {
    /// A scanner that stands at the start of a record.
    pub(in crate::source) fn new(framing: Framing) -> Self {
        Self { framing, quotes: Quotes::Outside, last: None }
    }

    /// How many of `bytes`, which follow those of the last call, belong to the current record; `None` when it does not
    /// end in them. After an end the scanner stands at the start of the next record.
    pub(in crate::source) fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let end = match self.framing {
            Framing::Lines => memchr(b'\n', bytes).map(|newline| newline + 1),
            Framing::Csv => self.csv_end(bytes),
        };
        self.last = match end {
            Some(_) => None,
            None => bytes.last().copied().or(self.last),
        };
        end
    }

    fn csv_end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
            match self.quotes {
                Quotes::Inside => {
                    at += memchr(b'"', rest)? + 1;
                    self.quotes = Quotes::Closing;
                }
                Quotes::Closing if rest.first() == Some(&b'"') => {
                    at += 1;
                    self.quotes = Quotes::Inside;
                }
                Quotes::Closing => self.quotes = Quotes::Outside,
                Quotes::Outside => {
                    let found = at + memchr2(b'"', b'\n', rest)?;
                    at = found + 1;
                    if bytes[found] == b'\n' {
                        return Some(at);
                    }
                    let before = if found == 0 { self.last } else { Some(bytes[found - 1]) };
                    if matches!(before, None | Some(b',')) {
                        self.quotes = Quotes::Inside;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The records of `bytes`, seen in pieces of `piece` bytes.
    fn split(framing: Framing, bytes: &[u8], piece: usize) -> Vec<Vec<u8>> {
        let mut scanner = Scanner::new(framing);
        let (mut records, mut record) = (vec![], vec![]);
        for mut piece in bytes.chunks(piece) {
            while let Some(end) = scanner.end(piece) {
                record.extend_from_slice(&piece[..end]);
                records.push(std::mem::take(&mut record));
                piece = &piece[end..];
            }
            record.extend_from_slice(piece);
        }
        if !record.is_empty() {
            records.push(record);
        }
        records
    }

    fn check(framing: Framing, input: &str, expected: &[&str]) {
        for piece in 1..=input.len().max(1) {
            let records = split(framing, input.as_bytes(), piece);
            let records: Vec<_> = records.iter().map(|r| String::from_utf8_lossy(r).into_owned()).collect();
            assert_eq!(records, expected, "{framing:?} of {input:?} in pieces of {piece}");
        }
    }

    #[test]
    fn given_lines_when_scanned_then_every_newline_ends_a_record() {
        check(Framing::Lines, "a\n\n\"b\nc\"\r\nd", &["a\n", "\n", "\"b\n", "c\"\r\n", "d"]);
    }

    #[test]
    fn given_csv_when_scanned_then_a_newline_within_quotes_does_not_end_the_record() {
        check(Framing::Csv, "a,\"b\nc\",d\ne\n", &["a,\"b\nc\",d\n", "e\n"]);
        check(Framing::Csv, "\"a\n\"\"\n\"\n\"\"\nb", &["\"a\n\"\"\n\"\n", "\"\"\n", "b"]);
    }

    #[test]
    fn given_csv_when_a_quote_is_not_the_first_byte_of_a_field_then_it_means_nothing() {
        check(Framing::Csv, "a\"b\nc, \"d\n", &["a\"b\n", "c, \"d\n"]);
        check(Framing::Csv, "\"a\"x\"\nb\n", &["\"a\"x\"\n", "b\n"]);
    }

    /// A byte at a time, as RFC 4180 tells it.
    fn naive_csv(bytes: &[u8]) -> Vec<Vec<u8>> {
        let (mut records, mut record) = (vec![], vec![]);
        let (mut quoted, mut field_start) = (false, true);
        for (i, &byte) in bytes.iter().enumerate() {
            record.push(byte);
            if quoted {
                // A doubled quote is left and entered again, which comes to the same.
                quoted = byte != b'"';
                field_start = byte == b'"' && bytes.get(i + 1) == Some(&b'"');
            } else if byte == b'"' && field_start {
                (quoted, field_start) = (true, false);
            } else {
                field_start = byte == b',' || byte == b'\n';
                if byte == b'\n' {
                    records.push(std::mem::take(&mut record));
                }
            }
        }
        if !record.is_empty() {
            records.push(record);
        }
        records
    }

    proptest! {
        #[test]
        fn given_any_csv_when_scanned_in_any_pieces_then_records_are_those_of_the_naive_reading(
            input in prop::collection::vec(prop::sample::select(&b"\"\",,\n\nab\r "[..]), 0..80),
            piece in 1usize..20,
        ) {
            prop_assert_eq!(split(Framing::Csv, &input, piece), naive_csv(&input));
        }
    }
}
