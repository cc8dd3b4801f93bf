//! What a guest prints: standard output and standard error, line by line into the task's log.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::io::{AsyncWrite, sink};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::operator::instance::{LOG_BOUND, LogLevel};

/// Most bytes of one write.
const PERMIT: usize = 64 << 10;

/// How much is kept of the beginning, and of the end, of what a call writes to standard error: Go says first why it
/// panics, Python last.
const SAID: usize = 512;

/// Standard output and standard error of an instance.
#[derive(Clone, Default)]
pub(super) struct Stdio(Arc<Mutex<Printed>>);

#[derive(Default)]
struct Printed {
    /// Lines that nobody has taken yet.
    lines: Vec<(LogLevel, String)>,
    /// Lines that have begun.
    out: Vec<u8>,
    err: Vec<u8>,
    /// Bytes printed, of which the log keeps the first [`LOG_BOUND`].
    bytes: usize,
    said: Said,
}

impl Stdio {
    /// A stream whose lines are of this level: `Error` is standard error.
    pub(super) fn writer(&self, level: LogLevel) -> Writer {
        Writer { stdio: self.clone(), level }
    }

    pub(super) fn begin(&self) {
        self.printed().said = Said::default();
    }

    pub(super) fn said(&self) -> Option<String> {
        self.printed().said.text()
    }

    pub(super) fn take_lines(&self, all: bool) -> Vec<(LogLevel, String)> {
        let mut printed = self.printed();
        if all {
            printed.end_line(LogLevel::Info);
            printed.end_line(LogLevel::Error);
        }
        std::mem::take(&mut printed.lines)
    }

    fn printed(&self) -> MutexGuard<'_, Printed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Printed {
    fn write(&mut self, level: LogLevel, bytes: &[u8]) {
        if level == LogLevel::Error {
            self.said.write(bytes);
        }
        if self.bytes > LOG_BOUND {
            return;
        }
        self.bytes += bytes.len();
        let mut pieces = bytes.split(|byte| *byte == b'\n');
        let first = pieces.next().unwrap_or_default();
        self.line(level).extend_from_slice(first);
        for piece in pieces {
            let line = std::mem::replace(self.line(level), piece.to_vec());
            self.lines.push((level, String::from_utf8_lossy(&line).into_owned()));
        }
    }

    fn line(&mut self, level: LogLevel) -> &mut Vec<u8> {
        if level == LogLevel::Error { &mut self.err } else { &mut self.out }
    }

    /// What has begun is a line, too, when nothing follows.
    fn end_line(&mut self, level: LogLevel) {
        let line = std::mem::take(self.line(level));
        if !line.is_empty() {
            self.lines.push((level, String::from_utf8_lossy(&line).into_owned()));
        }
    }
}

/// The beginning and the end of a text.
#[derive(Default)]
struct Said {
    beginning: Vec<u8>,
    end: VecDeque<u8>,
    left_out: bool,
}

impl Said {
    fn write(&mut self, bytes: &[u8]) {
        let room = (SAID - self.beginning.len()).min(bytes.len());
        let (beginning, rest) = bytes.split_at(room);
        self.beginning.extend_from_slice(beginning);
        self.end.extend(rest);
        let over = self.end.len().saturating_sub(SAID);
        self.left_out |= over > 0;
        self.end.drain(..over);
    }

    fn text(&self) -> Option<String> {
        let gap: &[u8] = if self.left_out { "\n…\n".as_bytes() } else { b"" };
        let end: Vec<u8> = self.end.iter().copied().collect();
        let text = [&self.beginning, gap, &end].concat();
        let text = String::from_utf8_lossy(&text).trim().to_owned();
        (!text.is_empty()).then_some(text)
    }
}

/// One of the two streams.
#[derive(Clone)]
pub(super) struct Writer {
    stdio: Stdio,
    level: LogLevel,
}

impl IsTerminal for Writer {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Writer {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    /// Of later WASI, which is not served.
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(sink())
    }
}

#[async_trait]
impl Pollable for Writer {
    async fn ready(&mut self) {}
}

#[async_trait]
impl OutputStream for Writer {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.stdio.printed().write(self.level, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PERMIT)
    }
}

#[cfg(test)]
mod tests {
    use super::{LOG_BOUND, LogLevel, Stdio};

    fn line(level: LogLevel, text: &str) -> (LogLevel, String) {
        (level, text.to_owned())
    }

    #[test]
    fn given_pieces_of_text_when_lines_are_taken_then_each_is_whole() {
        let stdio = Stdio::default();
        let print = |level, text: &str| stdio.printed().write(level, text.as_bytes());
        print(LogLevel::Info, "to ");
        print(LogLevel::Error, "oh\n\nno");
        print(LogLevel::Info, "be\nor");
        let lines = [line(LogLevel::Error, "oh"), line(LogLevel::Error, ""), line(LogLevel::Info, "to be")];
        assert_eq!(stdio.take_lines(false), lines);
        assert_eq!(stdio.take_lines(true), [line(LogLevel::Info, "or"), line(LogLevel::Error, "no")]);
        assert_eq!(stdio.take_lines(true), []);
    }

    #[test]
    fn given_a_long_trace_when_a_call_traps_then_its_beginning_and_its_end_are_told() {
        let stdio = Stdio::default();
        let print = |text: &str| stdio.printed().write(LogLevel::Error, text.as_bytes());
        assert_eq!(stdio.said(), None);
        print("panic: first\n");
        for _ in 0..1000 {
            print("somewhere\n");
        }
        print("ValueError: last\n");
        let said = stdio.said().unwrap_or_default();
        assert!(said.starts_with("panic: first\n") && said.ends_with("\nValueError: last"), "{said}");
        assert!(said.len() < 1100 && said.contains('…'), "{said}");
        stdio.begin();
        print("another\n");
        assert_eq!(stdio.said().as_deref(), Some("another"));
    }

    #[test]
    fn given_a_guest_that_prints_without_end_when_lines_are_kept_then_they_are_bounded() {
        let stdio = Stdio::default();
        for _ in 0..1000 {
            stdio.printed().write(LogLevel::Info, &[b'x'; 4096]);
        }
        let kept: usize = stdio.take_lines(true).iter().map(|(_, line)| line.len()).sum();
        assert!(kept > LOG_BOUND && kept <= LOG_BOUND + 4096, "{kept}");
    }
}
