//! Lines dealt to requests of bounded size, in order: a pure function of the lines.

use std::io::{self, BufRead, BufReader, Read};

/// What a request may have; a line that is longer goes alone.
#[derive(Debug, Clone, Copy)]
pub(in crate::sink) struct Limits {
    /// Rows, at least one.
    pub(in crate::sink) rows: usize,
    /// Bytes.
    pub(in crate::sink) bytes: usize,
}

/// Some of the rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'r> {
    /// The number of its first row.
    pub(super) first: u64,
    /// The number of its last row.
    pub(super) last: u64,
    /// Its rows, a line each.
    pub(super) body: &'r [u8],
}

/// Requests, one after the other.
pub(super) struct Requests<R> {
    lines: BufReader<R>,
    limits: Limits,
    /// Rows of all requests before.
    before: u64,
    body: Vec<u8>,
    /// A line that had no room in the request before.
    line: Vec<u8>,
}

impl<R: Read> Requests<R> {
    pub(super) fn of(lines: R, limits: Limits) -> Self {
        Self { lines: BufReader::new(lines), limits, before: 0, body: Vec::new(), line: Vec::new() }
    }

    /// The next request, until there is none.
    pub(super) fn next(&mut self) -> io::Result<Option<Request<'_>>> {
        self.body.clear();
        let mut rows = 0;
        while rows < self.limits.rows {
            if self.line.is_empty() && self.lines.read_until(b'\n', &mut self.line)? == 0 {
                break;
            }
            if rows > 0 && self.body.len() + self.line.len() > self.limits.bytes {
                break;
            }
            self.body.append(&mut self.line);
            rows += 1;
        }
        let first = self.before;
        self.before += rows as u64;
        Ok((rows > 0).then(|| Request { first, last: self.before - 1, body: &self.body }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test should say where")]

    use super::*;

    #[track_caller]
    fn check(lines: &str, rows: usize, bytes: usize, expected: &[&str]) {
        let mut requests = Requests::of(lines.as_bytes(), Limits { rows, bytes });
        let (mut bodies, mut rows) = (Vec::new(), 0);
        while let Some(Request { first, last, body }) = requests.next().unwrap() {
            let body = String::from_utf8(body.to_vec()).unwrap();
            assert_eq!((first, last + 1), (rows, rows + body.lines().count() as u64), "{body}");
            rows = last + 1;
            bodies.push(body);
        }
        assert_eq!(bodies, expected);
    }

    #[test]
    fn given_lines_when_dealt_then_a_request_has_as_many_as_go_in_and_at_least_one() {
        check("", 10, 10, &[]);
        check("a\nb\nc\n", 10, 100, &["a\nb\nc\n"]);
        check("a\nb\nc\n", 2, 100, &["a\nb\n", "c\n"]);
        check("a\nb\nc\nd\n", 2, 100, &["a\nb\n", "c\nd\n"]);
        check("aa\nbb\ncc\n", 10, 6, &["aa\nbb\n", "cc\n"]);
        check("aa\nbb\ncc\n", 10, 5, &["aa\n", "bb\n", "cc\n"]);
        check("a\nlong, long\nb\nc\n", 10, 4, &["a\n", "long, long\n", "b\nc\n"]);
    }
}
