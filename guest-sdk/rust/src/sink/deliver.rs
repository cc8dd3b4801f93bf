//! A [`Sink`] over columns: what the component exports, as plain functions.

use serde::de::DeserializeOwned;

use super::{Failure, Group, Part, Shape, Sink};
use crate::bindings::rows::{Field, Reject};
use crate::chunk::Chunk;
use crate::config;
use crate::emitter::in_order;
use crate::record::Record;
use crate::schema::{FieldSpec, resolve};

/// Makes a sink for a config, as JSON, and an input; says what it reads.
///
/// # Errors
/// Why it cannot work with them.
pub fn configure<S: Sink + DeserializeOwned>(config: &str, input: &[Field]) -> Result<(S, Shape), String> {
    let sink = config::parse::<S>(config)?;
    Ok((sink, Shape { reads: Some(resolve(fields::<S::Input<'_>>(), input)?) }))
}

fn fields<'a, R: Record<'a>>() -> &'static [FieldSpec] {
    R::FIELDS
}

/// Has the rows delivered; those that the sink does not take, in order.
///
/// # Errors
/// What the sink fails with.
pub fn write<S: Sink>(sink: &S, part: Part, chunk: &Chunk) -> Result<Vec<Reject>, Failure> {
    let mut rows = Group::<S::Input<'_>>::new(chunk).map_err(Failure::Fatal)?;
    rows.start(0..chunk.rows());
    sink.write(part, &mut rows)?;
    Ok(in_order(rows.into_rejects()))
}
