//! What a call with a key knows beside the rows, and what it gives beside the next state.

use std::fmt;

use super::Cause;
use crate::Timestamp;
use crate::answer::Answer;
use crate::bindings::rows::Batch;
use crate::record::Record;

/// A key's turn: why it is called, its output rows, and when it wants to be called again.
pub struct Turn<'a, R: Record<'a>> {
    cause: Cause,
    timer: u64,
    key: u32,
    rows: Answer<'a, R>,
    from: Vec<u32>,
}

impl<'a, R: Record<'a>> Turn<'a, R> {
    pub(super) fn new(keys: usize) -> Self {
        Self { cause: Cause::Rows, timer: 0, key: 0, rows: Answer::new(keys), from: Vec::with_capacity(keys) }
    }

    pub(super) fn start(&mut self, key: usize, cause: Cause) {
        self.key = key as u32;
        self.cause = cause;
        self.timer = 0;
    }

    /// The timer that the key asked for, in milliseconds since the Unix epoch; 0 for none.
    pub(super) fn timer(&self) -> u64 {
        self.timer
    }

    /// The output rows, and the key of each.
    pub(super) fn finish(self) -> Result<(Batch, Vec<u32>), String> {
        Ok((self.rows.finish()?, self.from))
    }

    /// Why the key is called.
    pub fn cause(&self) -> Cause {
        self.cause
    }

    /// Answers with a row of this key.
    #[inline]
    pub fn emit(&mut self, row: R) {
        self.from.push(self.key);
        self.rows.push(row);
    }

    /// Asks for a call in the first batch at or after `time`, even without rows. Only with [`Next::Keep`]; a later call
    /// that keeps the key asks anew, or there is no timer any more. The last of several in one call counts.
    ///
    /// Timers have whole milliseconds: `time` is rounded up. What is past already is due in the next batch.
    ///
    /// [`Next::Keep`]: super::Next::Keep
    pub fn wake_at(&mut self, time: Timestamp) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(0);
        // 0 is no timer.
        self.timer = micros.div_ceil(1000).max(1);
    }
}

impl<'a, R: Record<'a>> fmt::Debug for Turn<'a, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn")
            .field("cause", &self.cause)
            .field("timer", &self.timer)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
