//! The rows of an answer that stands by itself: nothing in it is a part of the input.

use crate::bindings::rows::Batch;
use crate::builder::{Plan, Sources};
use crate::record::{self, Record};

/// Rows on their way out, all of them copied.
pub(crate) struct Answer<'a, R: Record<'a>> {
    builders: R::Builders,
    rows: u32,
}

impl<'a, R: Record<'a>> Answer<'a, R> {
    /// With room for so many rows.
    pub(crate) fn new(rows: usize) -> Self {
        Self { builders: R::builders(Plan { rows, sources: Sources::NONE }), rows: 0 }
    }

    #[inline]
    pub(crate) fn push(&mut self, row: R) {
        row.push(&mut self.builders);
        self.rows += 1;
    }

    /// Appends a row that nobody will read.
    #[inline]
    pub(crate) fn push_blank(&mut self) {
        R::push_blank(&mut self.builders);
        self.rows += 1;
    }

    pub(crate) fn finish(self) -> Result<Batch, String> {
        Ok(Batch { row_count: self.rows, columns: record::finish::<R>(self.builders)? })
    }
}
