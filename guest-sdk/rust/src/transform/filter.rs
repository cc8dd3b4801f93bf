//! Rows that stay, with all their columns.

use std::fmt;

use super::{Emitted, Keep, Shape};
use crate::bindings::rows::Field;
use crate::chunk::Chunk;
use crate::emitter::Emitter;
use crate::record::Record;
use crate::rows::Rows;

/// What a [`#[filter]`](macro@crate::filter) function returns: a `bool` or a `Result` of it.
#[diagnostic::on_unimplemented(
    message = "a filter function cannot return `{Self}`",
    note = "it returns a `bool`, or a `Result` of it whose error can be displayed"
)]
pub trait Answer {
    /// Whether the row stays, or why it is rejected.
    fn settle(self) -> Result<bool, String>;
}

impl Answer for bool {
    #[inline]
    fn settle(self) -> Result<bool, String> {
        Ok(self)
    }
}

impl<E: fmt::Display> Answer for Result<bool, E> {
    #[inline]
    fn settle(self) -> Result<bool, String> {
        self.map_err(|e| e.to_string())
    }
}

/// What the function reads; all columns are kept.
pub fn shape<'a, I, A>(_: impl Fn(I) -> A, input: &[Field]) -> Result<Shape, String>
where
    I: Record<'a>,
    A: Answer,
{
    super::shape::<I, ()>(Keep::All, input)
}

/// Runs the function over each row.
pub fn apply<'a, I, A>(f: impl Fn(I) -> A, chunk: &'a Chunk) -> Result<Emitted, String>
where
    I: Record<'a>,
    A: Answer,
{
    let mut out = Emitter::<()>::new(chunk);
    for (row, record) in Rows::<I>::new(chunk)?.iter() {
        let answer = match record {
            Ok(record) => f(record).settle(),
            Err(null) => Err(null.to_string()),
        };
        match answer {
            Ok(true) => out.emit(row, ()),
            Ok(false) => {}
            Err(reason) => out.reject(row, reason),
        }
    }
    out.finish()
}
