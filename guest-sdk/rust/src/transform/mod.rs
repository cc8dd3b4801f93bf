//! Transforms: rows in, rows out.
//!
//! An attribute turns a function into an [`Operator`], a type with the function's name; each kind of function has its
//! glue here: [`map`], [`filter`], [`flat_map`], [`batch`]. The glue is plain Rust, the same natively and in a sandbox.

pub mod batch;
mod export;
pub mod filter;
pub mod flat_map;
mod keep;
pub mod map;

pub use crate::bindings::transform::{Emitted, Origin, Shape};
/// Reads a config, for an [`Operator`] that is written by hand.
#[doc(inline)]
pub use crate::config::parse as config;
pub use keep::Keep;

use crate::bindings::rows::Field;
use crate::chunk::Chunk;
use crate::record::Record;
use crate::schema::{announce, resolve};

/// A transform, ready for [`export_transform!`](crate::export_transform) and [`testing`](crate::testing).
///
/// The attributes implement it; implement it by hand for an operator whose columns are known only from its config.
pub trait Operator: Sized {
    /// Makes an operator for a config, as JSON, and an input; says what it reads and answers with.
    ///
    /// # Errors
    /// Why it cannot work with them.
    fn configure(config: &str, input: &[Field]) -> Result<(Self, Shape), String>;

    /// Transforms a chunk, whose columns are those of [`Shape::reads`].
    ///
    /// # Errors
    /// Why the job must stop.
    fn apply(&self, chunk: &Chunk) -> Result<Emitted, String>;
}

/// The shape of an operator that reads `I` and answers with `O` beside what it keeps.
fn shape<'i, 'o, I: Record<'i>, O: Record<'o>>(keep: Keep, input: &[Field]) -> Result<Shape, String> {
    let reads = resolve(I::FIELDS, input)?;
    Ok(Shape { reads: Some(reads), keeps: keep.indices(input, O::FIELDS)?, adds: announce(O::FIELDS) })
}
