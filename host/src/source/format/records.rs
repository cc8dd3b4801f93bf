//! Walking over the records of a block in chunks, with no more than a window of its bytes in memory.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use memchr::{memchr, memchr_iter, memrchr};

use super::MAX_RECORD_BYTES;
use super::framing::{Framing, Scanner, is_blank, trim_line_end};
use super::schema::BYTE_ORDER_MARK;

/// A chunk ends after the record that reaches this many bytes, however many rows were asked for: what comes of it, stage
/// after stage, is to stay in a core's cache.
const MAX_CHUNK_BYTES: usize = 256 << 10;
/// How much is read from a file at once.
const READ_BYTES: usize = 256 << 10;
/// How much of a record that is too long is kept to show.
const HEAD_BYTES: usize = 4 << 10;
/// How errors about a file that is not what it was when it was cut go on.
pub(in crate::source) const MUST_NOT_CHANGE: &str =
    ": an input file must not change; put it back as it was, or begin anew with `weir run --fresh`";

/// Where the bytes of a block come from, a window of them at a time.
#[derive(Debug)]
pub(in crate::source) enum Input {
    /// All there at once.
    Memory { bytes: Bytes, at: usize },
    /// A range of a file.
    File(FileRange),
}

/// Opens an input file.
pub(in crate::source) fn open_file(path: &Path) -> Result<File> {
    File::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => anyhow!(
            "{} is gone, and a batch still has to read it: an input file must stay until its batches are done; put it back, or \
             begin anew with `weir run --fresh`",
            path.display()
        ),
        _ => anyhow!(error).context(format!("opening {}", path.display())),
    })
}

/// Fails where a line of the file began at `start` when blocks were cut, and none does now.
pub(super) fn check_line_start(path: &Path, start: u64) -> Result<()> {
    // What is before the first line is nothing, or a byte order mark.
    if start <= BYTE_ORDER_MARK.len() as u64 {
        return Ok(());
    }
    let mut file = open_file(path)?;
    let mut before = Vec::new();
    file.seek(SeekFrom::Start(start - 1))
        .and_then(|_| file.take(1).read_to_end(&mut before))
        .with_context(|| format!("reading {} before byte {start}", path.display()))?;
    if before != b"\n" {
        bail!("no line of {} begins at byte {start} any more{MUST_NOT_CHANGE}", path.display());
    }
    Ok(())
}

/// A range of a file, of which `buffer[start..end]` is in memory.
#[derive(Debug)]
pub(in crate::source) struct FileRange {
    path: PathBuf,
    file: File,
    /// Bytes of the range that have not been read.
    left: u64,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    pub(in crate::source) fn memory(bytes: Bytes) -> Self {
        Self::Memory { bytes, at: 0 }
    }

    /// The bytes `start .. end` of a file.
    pub(in crate::source) fn file(path: &Path, start: u64, end: u64) -> Result<Self> {
        let mut file = open_file(path)?;
        file.seek(SeekFrom::Start(start)).with_context(|| format!("reading {} from byte {start}", path.display()))?;
        let left = end.saturating_sub(start);
        Ok(Self::File(FileRange { path: path.to_owned(), file, left, buffer: Vec::new(), start: 0, end: 0 }))
    }

    /// What is in memory and has not been consumed.
    fn window(&self) -> &[u8] {
        match self {
            Self::Memory { bytes, at } => &bytes[*at..],
            Self::File(range) => &range.buffer[range.start..range.end],
        }
    }

    fn consume(&mut self, bytes: usize) {
        match self {
            Self::Memory { at, .. } => *at += bytes,
            Self::File(range) => range.start += bytes,
        }
    }

    /// Adds to the window; false at the end.
    fn fill(&mut self) -> Result<bool> {
        match self {
            Self::Memory { .. } => Ok(false),
            Self::File(range) => range.fill(),
        }
    }
}

impl FileRange {
    fn fill(&mut self) -> Result<bool> {
        if self.left == 0 {
            return Ok(false);
        }
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.buffer.len() - self.end < READ_BYTES {
            // Doubling, so that a chunk of several reads is not moved with every one of them.
            self.buffer.resize((self.end + READ_BYTES).max(2 * self.buffer.len()), 0);
        }
        let room = &mut self.buffer[self.end..];
        let wanted = room.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = loop {
            match self.file.read(&mut room[..wanted]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => break result.with_context(|| format!("reading {}", self.path.display()))?,
            }
        };
        if read == 0 {
            bail!("{} is {} bytes shorter than it was{MUST_NOT_CHANGE}", self.path.display(), self.left);
        }
        self.left -= read as u64;
        self.end += read;
        Ok(true)
    }
}

/// The records of a block or a file, in order.
#[derive(Debug)]
pub(in crate::source) struct Records {
    input: Input,
    framing: Framing,
    keep_blank: bool,
    /// How many bytes lie before the window.
    base: u64,
    /// Bytes of the window that the last chunk took.
    taken: usize,
    spans: Vec<Span>,
    /// The chunk's bytes, when it is the start of a record too long for the window; else empty.
    head: Vec<u8>,
}

/// A record of a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::source) struct Span {
    /// Where its bytes lie in the chunk, without the line end; the first of them only, where it is too long.
    pub(in crate::source) text: Range<usize>,
    /// How many bytes of the input lie before its end, line end included.
    pub(in crate::source) end: u64,
    /// Whether it is longer than [`MAX_RECORD_BYTES`].
    pub(in crate::source) too_long: bool,
}

/// Which bytes of a window are records.
#[derive(Debug, Clone, Copy)]
struct Layout {
    /// How many bytes lie before the window.
    base: u64,
    keep_blank: bool,
}

impl Layout {
    /// The span of a record, unless it is blank and none is to be kept.
    #[inline]
    fn span(self, window: &[u8], record: Range<usize>) -> Option<Span> {
        let bytes = &window[record.clone()];
        let length = trim_line_end(bytes).len();
        let too_long = length > MAX_RECORD_BYTES;
        // A blank record that is too long counts, since not all of it need be in memory to be looked at.
        if !too_long && !self.keep_blank && is_blank(bytes) {
            return None;
        }
        let shown = if too_long { HEAD_BYTES } else { length };
        let end = self.base + record.end as u64;
        Some(Span { text: record.start..record.start + shown, end, too_long })
    }
}

/// Records that were not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) struct Passed {
    pub(in crate::source) records: u64,
    /// How many bytes of the input lie before their end.
    pub(in crate::source) end: u64,
}

/// Records that lie together in memory.
#[derive(Debug, Clone, Copy)]
pub(in crate::source) struct Chunk<'a> {
    pub(in crate::source) bytes: &'a [u8],
    pub(in crate::source) spans: &'a [Span],
}

impl<'a> Chunk<'a> {
    /// The bytes of a record.
    pub(in crate::source) fn text(&self, span: &Span) -> &'a [u8] {
        &self.bytes[span.text.clone()]
    }
}

impl Records {
    /// The records of `input`; blank ones only with `keep_blank`.
    pub(in crate::source) fn new(input: Input, framing: Framing, keep_blank: bool) -> Self {
        Self { input, framing, keep_blank, base: 0, taken: 0, spans: Vec::new(), head: Vec::new() }
    }

    /// The next records: at least one and at most `max_records`, or `None` at the end.
    pub(in crate::source) fn next_chunk(&mut self, max_records: usize) -> Result<Option<Chunk<'_>>> {
        self.spans.clear();
        self.head.clear();
        // A stretch of blank lines alone makes no chunk.
        while self.spans.is_empty() {
            let taken = std::mem::take(&mut self.taken);
            self.consume(taken);
            if !self.gather(max_records.max(1))? {
                break;
            }
        }
        if self.spans.is_empty() {
            return Ok(None);
        }
        let bytes = if self.head.is_empty() { &self.input.window()[..self.taken] } else { &self.head };
        Ok(Some(Chunk { bytes, spans: &self.spans }))
    }

    /// Passes over lines that end among the next `max_bytes` bytes, at most `max_records` of them, without a look at each;
    /// `None` where that cannot be done: [`next_chunk`](Self::next_chunk) must go on.
    pub(in crate::source) fn pass_lines(&mut self, max_records: u64, max_bytes: u64) -> Result<Option<Passed>> {
        if self.framing != Framing::Lines || !self.keep_blank {
            return Ok(None);
        }
        let taken = std::mem::take(&mut self.taken);
        self.consume(taken);
        if memchr(b'\n', self.input.window()).is_none() && !self.input.fill()? {
            return Ok(None);
        }
        let window = self.input.window();
        let window = &window[..window.len().min(usize::try_from(max_bytes).unwrap_or(usize::MAX))];
        let Some(last) = memrchr(b'\n', window) else { return Ok(None) };
        let records = memchr_iter(b'\n', &window[..=last]).count() as u64;
        if records > max_records {
            return Ok(None);
        }
        self.consume(last + 1);
        Ok(Some(Passed { records, end: self.base }))
    }

    /// Collects the spans of records at the start of the window; false when there was nothing left to look at.
    fn gather(&mut self, max_records: usize) -> Result<bool> {
        let mut scanner = Scanner::new(self.framing);
        // The current record lies at `start ..`, and has no end before `seen`.
        let (mut start, mut seen) = (0, 0);
        loop {
            start = self.push_whole(&mut scanner, start, seen, max_records);
            if self.spans.len() >= max_records || start >= MAX_CHUNK_BYTES {
                break;
            }
            seen = self.input.window().len();
            // Two more bytes, as the line end may be among them.
            if seen - start > MAX_RECORD_BYTES + 2 {
                if self.spans.is_empty() {
                    self.skip_long_record(start, scanner)?;
                    return Ok(true);
                }
                break;
            }
            if !self.input.fill()? {
                if seen > start {
                    self.spans.extend(self.layout().span(self.input.window(), start..seen));
                }
                start = seen;
                break;
            }
        }
        self.taken = start;
        Ok(start > 0)
    }

    /// Collects the spans of records that end in the window, the first of which starts at `start` and has no end before
    /// `seen`, up to the end of a chunk; where the last of them ends.
    fn push_whole(&mut self, scanner: &mut Scanner, start: usize, mut seen: usize, max_records: usize) -> usize {
        let layout = self.layout();
        let Self { input, spans, framing, .. } = self;
        let window = input.window();
        let mut at = start;
        let mut push = |end: usize| {
            spans.extend(layout.span(window, at..end));
            at = end;
            spans.len() < max_records && end < MAX_CHUNK_BYTES
        };
        match framing {
            Framing::Lines => _ = memchr_iter(b'\n', &window[seen..]).all(|newline| push(seen + newline + 1)),
            Framing::Csv => {
                while let Some(length) = scanner.end(&window[seen..]) {
                    seen += length;
                    if !push(seen) {
                        break;
                    }
                }
            }
        }
        at
    }

    fn layout(&self) -> Layout {
        Layout { base: self.base, keep_blank: self.keep_blank }
    }

    /// Passes over a record that starts at `start` and has no end in the window, keeping its first bytes.
    fn skip_long_record(&mut self, start: usize, mut scanner: Scanner) -> Result<()> {
        self.head.extend_from_slice(&self.input.window()[start..start + HEAD_BYTES]);
        loop {
            self.consume(self.input.window().len());
            if !self.input.fill()? {
                break;
            }
            if let Some(length) = scanner.end(self.input.window()) {
                self.consume(length);
                break;
            }
        }
        self.spans.push(Span { text: 0..HEAD_BYTES, end: self.base, too_long: true });
        Ok(())
    }

    fn consume(&mut self, bytes: usize) {
        self.input.consume(bytes);
        self.base += bytes as u64;
    }
}

/// Records that are told apart already: nothing in one of them can swallow the next.
#[derive(Debug)]
pub(super) struct Listed {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    /// The first record of the next chunk.
    next: usize,
}

impl Listed {
    pub(super) fn new(records: &[&str]) -> Self {
        let mut listed = Self { bytes: Vec::new(), spans: Vec::with_capacity(records.len()), next: 0 };
        for record in records {
            let start = listed.bytes.len();
            listed.bytes.extend_from_slice(record.as_bytes());
            let end = listed.bytes.len();
            listed.spans.push(Span { text: start..end, end: end as u64, too_long: record.len() > MAX_RECORD_BYTES });
        }
        listed
    }

    /// The next records, at most so many; `None` at the end.
    pub(super) fn next_chunk(&mut self, max_records: usize) -> Option<Chunk<'_>> {
        let rest = &self.spans[self.next..];
        let spans = &rest[..rest.len().min(max_records.max(1))];
        self.next += spans.len();
        (!spans.is_empty()).then_some(Chunk { bytes: &self.bytes, spans })
    }
}

#[cfg(test)]
mod tests;
