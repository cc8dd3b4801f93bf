//! A row to at most one row.

use std::fmt;

use super::{Emitted, Keep, Shape};
use crate::bindings::rows::Field;
use crate::chunk::Chunk;
use crate::emitter::Emitter;
use crate::record::Record;
use crate::rows::Rows;

/// What a [`#[map]`](macro@crate::map) function returns: a record, an `Option` of one, or a `Result` of either.
#[diagnostic::on_unimplemented(
    message = "a map function cannot return `{Self}`",
    note = "it returns a record, an `Option` of one, or a `Result` of either whose error can be displayed"
)]
pub trait Answer<'a> {
    /// The output row.
    type Row: Record<'a>;

    /// The output row, if there is one, or why the input row is rejected.
    fn settle(self) -> Result<Option<Self::Row>, String>;
}

impl<'a, R: Record<'a>> Answer<'a> for R {
    type Row = R;

    #[inline]
    fn settle(self) -> Result<Option<R>, String> {
        Ok(Some(self))
    }
}

impl<'a, R: Record<'a>> Answer<'a> for Option<R> {
    type Row = R;

    #[inline]
    fn settle(self) -> Result<Option<R>, String> {
        Ok(self)
    }
}

impl<'a, A: Answer<'a>, E: fmt::Display> Answer<'a> for Result<A, E> {
    type Row = A::Row;

    #[inline]
    fn settle(self) -> Result<Option<A::Row>, String> {
        self.map_err(|e| e.to_string())?.settle()
    }
}

/// What the function reads and answers with.
pub fn shape<'a, I, A>(_: impl Fn(I) -> A, keep: Keep, input: &[Field]) -> Result<Shape, String>
where
    I: Record<'a>,
    A: Answer<'a>,
{
    super::shape::<I, A::Row>(keep, input)
}

/// Runs the function over each row.
pub fn apply<'a, I, A>(f: impl Fn(I) -> A, chunk: &'a Chunk) -> Result<Emitted, String>
where
    I: Record<'a>,
    A: Answer<'a>,
{
    let mut out = Emitter::new(chunk);
    for (row, record) in Rows::<I>::new(chunk)?.iter() {
        let answer = match record {
            Ok(record) => f(record).settle(),
            Err(null) => Err(null.to_string()),
        };
        match answer {
            Ok(Some(answer)) => out.emit(row, answer),
            Ok(None) => {}
            Err(reason) => out.reject(row, reason),
        }
    }
    out.finish()
}
