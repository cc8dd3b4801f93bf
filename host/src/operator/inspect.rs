//! What a component is, read from its bytes before anything of it is compiled: its world, its imports, its name.
//!
//! Whatever toolchain made it: [`componentize`] makes a component of a core module, and [`inspect`] holds what comes out
//! against the interface as it was released, names and types. What is wrong is told here, in words of whoever built it.

mod componentize;
mod refusal;
mod surface;
#[cfg(test)]
mod tests;
mod types;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::componentize::componentize;
pub use self::refusal::NotAnOperator;
use self::surface::Surface;
use super::version::InterfaceVersion;
use crate::units::Size;

/// The largest file that is taken: several times what the largest languages bring.
const LARGEST: Size = Size(128 << 20);

/// What a component implements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum World {
    /// Rows in, rows out.
    Transform,
    /// Many rows of a key to one.
    Aggregate,
    /// State for each key across batches.
    State,
    /// Rows to the outside.
    Sink,
}

impl World {
    const ALL: [Self; 4] = [Self::Transform, Self::Aggregate, Self::State, Self::Sink];

    fn name(self) -> &'static str {
        match self {
            Self::Transform => "transform",
            Self::Aggregate => "aggregate",
            Self::State => "state",
            Self::Sink => "sink",
        }
    }

    /// The interface that a component of this world exports.
    pub(super) fn interface(self, version: InterfaceVersion) -> String {
        version.interface(self.name())
    }

    /// The world's name in the interface's text.
    fn wit_name(self, migrates: bool) -> String {
        format!("{}{}-operator", if migrates { "migrating-" } else { "" }, self.name())
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What kind of operator a component is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The world that it implements.
    pub world: World,
    /// The version of the interface that it was built against.
    pub version: InterfaceVersion,
    /// Whether it imports WASI.
    pub wasi: bool,
}

/// Reads what kind of operator a component is, and refuses what does not fit the interface.
pub fn inspect(bytes: &[u8]) -> Result<Kind, NotAnOperator> {
    let surface = Surface::read(bytes)?;
    surface.check_imports()?;
    let (world, version) = surface.world()?;
    let kind =
        Kind { world, version, wasi: surface.imports.iter().any(|import| import.interface.starts_with("wasi:")) };
    types::check(bytes, kind)?;
    Ok(kind)
}
