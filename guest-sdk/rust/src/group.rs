//! The rows of one group of a call: a key's, or a part of them; all rows of a sink's call.

use std::fmt;
use std::ops::Range;

use crate::bindings::rows;
use crate::chunk::Chunk;
use crate::record::{self, Record};
use crate::reject::Reject;

/// The rows of a group in order, for [`Aggregate::create_group`](crate::Aggregate::create_group),
/// [`State::update`](crate::State::update) and [`Sink::write`](crate::Sink::write).
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
    pub(crate) fn new(chunk: &'a Chunk) -> Result<Self, String> {
        Ok(Self { columns: record::columns::<R>(chunk)?, rows: 0..0, next: 0, rejects: Vec::new() })
    }

    pub(crate) fn start(&mut self, rows: Range<usize>) {
        self.next = rows.start;
        self.rows = rows;
    }

    pub(crate) fn into_rejects(self) -> Vec<rows::Reject> {
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

    /// Rejects the row that was yielded last. It must not be in what comes of the group.
    pub fn reject(&mut self, reject: impl Into<Reject>) {
        if self.next > self.rows.start {
            self.reject_row(self.next - 1, reject);
        }
    }

    /// Rejects a row by its index in the chunk.
    pub fn reject_row(&mut self, row: usize, reject: impl Into<Reject>) {
        self.rejects.push(reject.into().at(row));
    }

    /// Rejects every row.
    pub(crate) fn reject_all(&mut self, reject: &Reject) {
        self.rejects.extend(self.rows.clone().map(|row| reject.clone().at(row)));
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
                Err(null) => self.reject_row(row, null),
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

/// The row ranges of groups, which must cover the rows.
pub(crate) fn ranges(groups: &[u32], rows: usize) -> Result<impl Iterator<Item = Range<usize>>, String> {
    let sound =
        groups.is_sorted() && groups.first() == Some(&0) && groups.last().is_some_and(|&end| end as usize == rows);
    if !sound {
        return Err(format!("groups that do not cut {rows} rows into parts"));
    }
    Ok(groups.windows(2).map(|group| group[0] as usize..group[1] as usize))
}
