//! The interface as a project has it, for generators of bindings.

use std::path::Path;

use anyhow::{Context, Result};
use wit_bindgen_core::wit_parser::{Resolve, WorldId};

use crate::operator::World;

/// Reads it from the folder, and finds a world in it.
pub(super) fn read(wit: &Path, world: World) -> Result<(Resolve, WorldId)> {
    let mut resolve = Resolve::default();
    let read = resolve
        .push_path(wit)
        .and_then(|(package, _)| resolve.select_world(&[package], Some(&format!("{world}-operator"))));
    let world = read.with_context(|| format!("cannot make bindings of {}", wit.display()))?;
    Ok((resolve, world))
}
