//! A row to any number of rows.

use std::fmt;

use super::{Emitted, Keep, Shape};
use crate::bindings::rows::Field;
use crate::chunk::Chunk;
use crate::emitter::Emitter;
use crate::record::Record;
use crate::rows::Rows;

/// What the function reads and answers with.
pub fn shape<'a, I, O, E>(_: impl Fn(I) -> Result<O, E>, keep: Keep, input: &[Field]) -> Result<Shape, String>
where
    I: Record<'a>,
    O: IntoIterator<Item: Record<'a>>,
    E: fmt::Display,
{
    super::shape::<I, O::Item>(keep, input)
}

/// Runs the function over each row.
pub fn apply<'a, I, O, E>(f: impl Fn(I) -> Result<O, E>, chunk: &'a Chunk) -> Result<Emitted, String>
where
    I: Record<'a>,
    O: IntoIterator<Item: Record<'a>>,
    E: fmt::Display,
{
    let mut out = Emitter::new(chunk);
    for (row, record) in Rows::<I>::new(chunk)?.iter() {
        match record {
            Ok(record) => match f(record) {
                Ok(answers) => out.emit_all(row, answers),
                Err(reason) => out.reject(row, reason),
            },
            Err(null) => out.reject(row, null),
        }
    }
    out.finish()
}
