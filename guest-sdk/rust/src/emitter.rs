//! The answer to a chunk as it grows: output rows, where each comes from, and the rows that are rejected.

use std::fmt;
use std::iter::repeat_n;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::bindings::rows::Reject;
use crate::bindings::transform::{Emitted, Origin};
use crate::builder::{Plan, Sources};
use crate::chunk::Chunk;
use crate::record::{self, Record};

/// How many rows the last answer had. The next has room for as many from the start: where a row becomes several, vectors
/// with room for one of each would grow step by step, and leave the cache.
static LAST: AtomicUsize = AtomicUsize::new(0);

/// Takes the output rows of a call, in the order of the input rows that they come from.
pub struct Emitter<'a, R: Record<'a>> {
    origins: Origins,
    builders: R::Builders,
    rejects: Vec<Reject>,
}

impl<'a, R: Record<'a>> Emitter<'a, R> {
    pub(crate) fn new(chunk: &'a Chunk) -> Self {
        let rows = chunk.rows().max(LAST.load(Ordering::Relaxed));
        let plan = Plan { rows, sources: Sources::of(chunk) };
        Self { origins: Origins::new(chunk.rows(), rows), builders: R::builders(plan), rejects: Vec::new() }
    }

    /// Answers with a row that comes from input row `from`.
    ///
    /// Rows must be emitted in the order of the rows that they come from; where they are not, the call fails.
    #[inline]
    pub fn emit(&mut self, from: usize, row: R) {
        self.origins.push(from);
        row.push(&mut self.builders);
    }

    /// Answers with rows that all come from input row `from`, as [`emit`](Self::emit) with each of them would.
    #[inline]
    pub fn emit_all(&mut self, from: usize, rows: impl IntoIterator<Item = R>) {
        let mut count = 0;
        rows.into_iter().for_each(|row| {
            row.push(&mut self.builders);
            count += 1;
        });
        self.origins.push_all(from, count);
    }

    /// Says that input row `row` cannot be taken, and why. Such a row should have no output.
    pub fn reject(&mut self, row: usize, reason: impl fmt::Display) {
        self.rejects.push(Reject { row: row as u32, reason: reason.to_string() });
    }

    pub(crate) fn finish(self) -> Result<Emitted, String> {
        let columns = record::finish::<R>(self.builders)?;
        Ok(Emitted { origin: self.origins.finish()?, columns, rejects: in_order(self.rejects) })
    }
}

impl<'a, R: Record<'a>> fmt::Debug for Emitter<'a, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emitter")
            .field("origins", &self.origins)
            .field("rejects", &self.rejects)
            .finish_non_exhaustive()
    }
}

/// Each row at most once, in order.
pub(crate) fn in_order(mut rejects: Vec<Reject>) -> Vec<Reject> {
    rejects.sort_by_key(|reject| reject.row);
    rejects.dedup_by_key(|reject| reject.row);
    rejects
}

/// Where output rows come from.
#[derive(Debug)]
pub(crate) struct Origins {
    input: usize,
    from: Vec<u32>,
}

impl Origins {
    /// Of so many input rows, with room for so many output rows.
    pub(crate) fn new(input: usize, room: usize) -> Self {
        Self { input, from: Vec::with_capacity(room) }
    }

    #[inline]
    pub(crate) fn push(&mut self, from: usize) {
        self.from.push(from as u32);
    }

    #[inline]
    fn push_all(&mut self, from: usize, rows: usize) {
        self.from.extend(repeat_n(from as u32, rows));
    }

    /// Checks all of them at once, which is cheaper than one by one.
    pub(crate) fn finish(self) -> Result<Origin, String> {
        let Self { input, from } = self;
        LAST.store(from.len(), Ordering::Relaxed);
        if !from.is_sorted()
            && let Some(i) = from.windows(2).position(|w| w[1] < w[0])
        {
            return Err(format!(
                "the operator emitted a row from input row {} after one from {}",
                from[i + 1],
                from[i]
            ));
        }
        if let Some(&last) = from.last()
            && last as usize >= input
        {
            return Err(format!("the operator emitted a row from input row {last} of {input} rows"));
        }
        let same = from.len() == input && from.iter().zip(0..).all(|(&from, row)| from == row);
        Ok(if same { Origin::Same } else { Origin::From(from) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn origin(input: usize, from: &[usize]) -> Result<Origin, String> {
        let mut origins = Origins::new(input, 0);
        from.iter().for_each(|&row| origins.push(row));
        origins.finish()
    }

    #[test]
    fn one_row_for_each_is_the_same() {
        assert_eq!(origin(0, &[]), Ok(Origin::Same));
        assert_eq!(origin(3, &[0, 1, 2]), Ok(Origin::Same));
        assert_eq!(origin(3, &[0, 1]), Ok(Origin::From(vec![0, 1])));
        assert_eq!(origin(3, &[0, 1, 1]), Ok(Origin::From(vec![0, 1, 1])));
    }

    #[test]
    fn rows_from_one_row_are_as_one_after_the_other() {
        let mut origins = Origins::new(3, 0);
        for (from, rows) in [(0, 2), (1, 0), (2, 1)] {
            origins.push_all(from, rows);
        }
        assert_eq!(origins.finish(), origin(3, &[0, 0, 2]));
    }

    #[test]
    fn rows_out_of_order_or_from_nowhere_fail() {
        assert!(origin(3, &[0, 2, 1]).unwrap_err().contains("input row 1 after one from 2"));
        assert!(origin(3, &[3]).unwrap_err().contains("input row 3 of 3 rows"));
    }

    #[test]
    fn a_row_is_rejected_once() {
        let reject = |row, reason: &str| Reject { row, reason: reason.to_owned() };
        let rejects = vec![reject(2, "a"), reject(1, "b"), reject(2, "c")];
        assert_eq!(in_order(rejects), [reject(1, "b"), reject(2, "a")]);
    }
}
