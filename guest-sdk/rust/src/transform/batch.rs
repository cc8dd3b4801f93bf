//! A whole chunk at a time.

use std::fmt;

use super::{Emitted, Keep, Shape};
use crate::bindings::rows::Field;
use crate::chunk::Chunk;
use crate::emitter::Emitter;
use crate::record::Record;
use crate::rows::Rows;

/// What a [`#[batch]`](macro@crate::batch) function returns: nothing, or a `Result` of it whose error stops the job.
#[diagnostic::on_unimplemented(
    message = "a batch function cannot return `{Self}`",
    note = "it returns `()`, or `Result<(), E>` whose error can be displayed"
)]
pub trait Answer {
    /// Why the job must stop, if it must.
    fn settle(self) -> Result<(), String>;
}

impl Answer for () {
    fn settle(self) -> Result<(), String> {
        Ok(())
    }
}

impl<E: fmt::Display> Answer for Result<(), E> {
    fn settle(self) -> Result<(), String> {
        self.map_err(|e| e.to_string())
    }
}

/// What the function reads and answers with.
pub fn shape<'a, I, O, A>(
    _: impl Fn(Rows<'a, I>, &mut Emitter<'a, O>) -> A,
    keep: Keep,
    input: &[Field],
) -> Result<Shape, String>
where
    I: Record<'a>,
    O: Record<'a>,
    A: Answer,
{
    super::shape::<I, O>(keep, input)
}

/// Runs the function over the chunk.
pub fn apply<'a, I, O, A>(
    f: impl Fn(Rows<'a, I>, &mut Emitter<'a, O>) -> A,
    chunk: &'a Chunk,
) -> Result<Emitted, String>
where
    I: Record<'a>,
    O: Record<'a>,
    A: Answer,
{
    let mut out = Emitter::new(chunk);
    f(Rows::new(chunk)?, &mut out).settle()?;
    out.finish()
}
