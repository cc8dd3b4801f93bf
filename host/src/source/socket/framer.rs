//! One connection's bytes to lines, in bounded memory.

use memchr::{memchr, memchr_iter};

use crate::source::MAX_RECORD_BYTES;
use crate::source::format::framing::{is_blank, trim_line_end};

/// Cuts what arrives into lines.
#[derive(Debug)]
pub(super) struct Framer {
    keep_blank: bool,
    /// The start of a line whose end has not come.
    partial: Vec<u8>,
    /// Whether the line is already too long, so that the rest of it is dropped.
    skipping: bool,
}

/// Whole lines, each ended by a newline.
#[derive(Debug, Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    rows: u64,
    /// Lines that were too long.
    refused: u64,
}

impl Framer {
    /// A framer that passes blank lines on only with `keep_blank`.
    pub(super) fn new(keep_blank: bool) -> Self {
        Self { keep_blank, partial: Vec::new(), skipping: false }
    }

    /// Takes in what has arrived, and adds the lines that are whole now.
    pub(super) fn feed(&mut self, mut received: &[u8], lines: &mut Lines) {
        while let Some(newline) = memchr(b'\n', received) {
            let (end_of_line, rest) = received.split_at(newline + 1);
            self.end_line(end_of_line, lines);
            received = rest;
        }
        // Two more bytes, as a line end may be among them.
        if self.partial.len() + received.len() > MAX_RECORD_BYTES + 2 {
            self.skipping = true;
            self.partial = Vec::new();
        }
        if !self.skipping {
            self.partial.extend_from_slice(received);
        }
    }

    /// Takes what is left as the last line, when the peer has closed.
    pub(super) fn finish(&mut self, lines: &mut Lines) {
        if self.skipping || !self.partial.is_empty() {
            self.end_line(b"\n", lines);
        }
    }

    fn end_line(&mut self, end: &[u8], lines: &mut Lines) {
        if std::mem::take(&mut self.skipping) {
            lines.refused += 1;
        } else if self.partial.is_empty() {
            lines.add(end, self.keep_blank);
        } else {
            self.partial.extend_from_slice(end);
            lines.add(&self.partial, self.keep_blank);
            self.partial.clear();
        }
    }
}

impl Lines {
    fn add(&mut self, line: &[u8], keep_blank: bool) {
        if trim_line_end(line).len() > MAX_RECORD_BYTES {
            self.refused += 1;
        } else if keep_blank || !is_blank(line) {
            self.bytes.extend_from_slice(line);
            self.rows += 1;
        }
    }

    /// How many lines there are.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// How many lines were too long since the last call.
    pub(super) fn take_refused(&mut self) -> u64 {
        std::mem::take(&mut self.refused)
    }

    /// Takes the first `rows` lines out.
    pub(super) fn take(&mut self, rows: u64) -> Vec<u8> {
        if rows >= self.rows {
            self.rows = 0;
            return std::mem::take(&mut self.bytes);
        }
        self.rows -= rows;
        let last = usize::try_from(rows).unwrap_or(usize::MAX).checked_sub(1);
        let end = last.and_then(|last| memchr_iter(b'\n', &self.bytes).nth(last)).map_or(0, |newline| newline + 1);
        let rest = self.bytes.split_off(end);
        std::mem::replace(&mut self.bytes, rest)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(keep_blank: bool, pieces: &[&[u8]]) -> Lines {
        let (mut framer, mut lines) = (Framer::new(keep_blank), Lines::default());
        for piece in pieces {
            framer.feed(piece, &mut lines);
        }
        framer.finish(&mut lines);
        lines
    }

    #[test]
    fn given_lines_in_pieces_when_fed_then_they_are_whole_and_the_last_needs_no_newline() {
        let mut lines = frame(true, &[b"a", b"b\n\nc\r", b"\nd"]);
        assert_eq!((lines.rows(), lines.take(9)), (4, b"ab\n\nc\r\nd\n".to_vec()));
        let mut lines = frame(false, &[b"a\n \r", b"\n\nb\n"]);
        assert_eq!((lines.rows(), lines.take(2)), (2, b"a\nb\n".to_vec()));
    }

    #[test]
    fn given_a_line_that_is_too_long_when_fed_then_it_is_refused_and_its_bytes_are_not_kept() {
        let (mut framer, mut lines) = (Framer::new(true), Lines::default());
        framer.feed(b"a\n", &mut lines);
        for _ in 0..100 {
            framer.feed(&[b'x'; 64 << 10], &mut lines);
            assert!(framer.partial.capacity() <= 2 * MAX_RECORD_BYTES + 4);
        }
        framer.feed(b"x\nb\n", &mut lines);
        assert_eq!((lines.take_refused(), lines.take(9)), (1, b"a\nb\n".to_vec()));
        // The limit is on the line without its end.
        for (extra, refused) in [(0, 0), (1, 1)] {
            let line = vec![b'x'; MAX_RECORD_BYTES + extra];
            for pieces in [[&line[..], b"\r\n"], [&line[..], b""]] {
                assert_eq!(frame(true, &pieces).take_refused(), refused, "{extra} more");
            }
        }
    }

    #[test]
    fn given_lines_when_some_are_taken_then_the_others_stay() {
        let mut lines = frame(true, &[b"a\nbb\nc\n"]);
        assert_eq!((lines.take(2), lines.rows()), (b"a\nbb\n".to_vec(), 1));
        assert_eq!((lines.take(1), lines.rows()), (b"c\n".to_vec(), 0));
    }

    proptest! {
        #[test]
        fn given_any_bytes_when_fed_in_any_pieces_then_lines_are_those_of_the_whole(
            input in prop::collection::vec(prop::sample::select(&b"ab\n\r "[..]), 0..100),
            piece in 1usize..30,
            keep_blank: bool,
        ) {
            let pieces: Vec<&[u8]> = input.chunks(piece).collect();
            let (mut whole, mut in_pieces) = (frame(keep_blank, &[&input]), frame(keep_blank, &pieces));
            let rows = whole.rows();
            prop_assert_eq!(in_pieces.rows(), rows);
            let text = whole.take(u64::MAX);
            prop_assert_eq!(memchr_iter(b'\n', &text).count() as u64, rows);
            prop_assert_eq!(in_pieces.take(u64::MAX), text);
        }
    }
}
