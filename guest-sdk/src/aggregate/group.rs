//! The rows of one group.

use std::fmt;
use std::ops::Range;

use super::Reject;
use crate::bindings::rows;
use crate::chunk::Chunk;
use crate::record::{self, Record};

/// The rows of a group in order, for [`Aggregate::create_group`](super::Aggregate::create_group).
///
/// As an iterator it yields the rows; one with a null in a field that is no `Option` is rejected and left out.
pub struct Group<'a, R: Record<'a>> {
    /// The columns of the whole chunk: a struct with the record's fields, each of them a view of a column.
    pub columns: R::Columns,
    rows: Range<usize>,
    next: usize,
    rejects: Vec<rows::Reject>,
}

impl<'a, R: Record<'a>> Group<'a, R> {
    pub(super) fn new(chunk: &'a Chunk) -> Result<Self, String> {
        Ok(Self { columns: record::columns::<R>(chunk)?, rows: 0..0, next: 0, rejects: Vec::new() })
    }

    pub(super) fn start(&mut self, rows: Range<usize>) {
        self.next = rows.start;
        self.rows = rows;
    }

    pub(super) fn into_rejects(self) -> Vec<rows::Reject> {
        self.rejects
    }

    /// Which rows of the chunk are the group's.
    pub fn range(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// How many rows the group has, whether or not they have been yielded.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Rejects the row that was yielded last. It must not be in the accumulator.
    pub fn reject(&mut self, reject: Reject) {
        if self.next > self.rows.start {
            self.reject_row(self.next - 1, reject);
        }
    }

    /// Rejects a row by its index in the chunk.
    pub fn reject_row(&mut self, row: usize, reject: Reject) {
        self.rejects.push(rows::Reject { row: row as u32, reason: reject.reason });
    }
}

impl<'a, R: Record<'a>> Iterator for Group<'a, R> {
    type Item = R;

    #[inline]
    fn next(&mut self) -> Option<R> {
        while self.next < self.rows.end {
            let row = self.next;
            self.next += 1;
            match R::get(&self.columns, row) {
                Ok(record) => return Some(record),
                Err(null) => self.reject_row(row, null.into()),
            }
        }
        None
    }
}

impl<'a, R: Record<'a>> fmt::Debug for Group<'a, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("rows", &self.rows).field("rejects", &self.rejects).finish_non_exhaustive()
    }
}
