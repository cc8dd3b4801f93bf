//! What a component is, read from its bytes before anything of it is compiled: its world, its imports, its name.

#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};
use wasmparser::{Encoding, Parser, Payload};

use super::http::HTTP_INTERFACE;
use super::instance::LOG_INTERFACE;

/// The version of the interface that this host serves.
const INTERFACE_VERSION: &str = "0.1.0";

/// The types, an interface without a function.
const ROWS_INTERFACE: &str = "weir:operator/rows@0.1.0";

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

    /// The interface that a component of the world `state` exports where it can take over the states of earlier versions.
    pub(super) fn migrate() -> String {
        format!("weir:operator/migrate@{INTERFACE_VERSION}")
    }

    /// Whether a component of this world may import an interface: any the log and the types, a sink also what the
    /// pipeline can grant.
    fn may_import(self, import: &str) -> bool {
        matches!(import, LOG_INTERFACE | ROWS_INTERFACE) || (self == Self::Sink && import == HTTP_INTERFACE)
    }

    /// The interface that a component of this world exports.
    pub(super) fn interface(self) -> String {
        format!("weir:operator/{}@{INTERFACE_VERSION}", self.name())
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why bytes are not an operator.
#[derive(Debug, thiserror::Error)]
pub enum NotAnOperator {
    /// Something else altogether.
    #[error("not a WebAssembly file; `weir plugin build` says where it leaves the component")]
    NotWasm,
    /// WebAssembly, but damaged.
    #[error("not a valid WebAssembly file: {0}; was it built for wasm32 (`weir plugin build`)?")]
    Invalid(String),
    /// A core module whose toolchain left no component type.
    #[error(
        "a core module without a component type: build it with Weir's SDK or another wit-bindgen, or make a component of it first"
    )]
    NoComponentType,
    /// It wants something from outside.
    #[error("imports `{import}`, which {rule}.{hint}")]
    Import {
        /// The import's name.
        import: String,
        /// What it may import.
        rule: String,
        /// How to get rid of it.
        hint: &'static str,
    },
    /// It exports nothing that Weir calls.
    #[error("exports none of the operator interfaces ({}); it exports: {found}", World::ALL.map(World::interface).join(", "))]
    NoWorld {
        /// What it does export.
        found: String,
    },
    /// It exports several.
    #[error("exports more than one operator interface: {0}; split it into a component for each")]
    ManyWorlds(String),
}

/// Reads the world of a component and refuses imports outside it.
pub fn inspect(bytes: &[u8]) -> Result<World, NotAnOperator> {
    let surface = Surface::read(bytes)?;
    let worlds = surface.worlds();
    surface.check_imports(&worlds)?;
    match worlds[..] {
        [world] => Ok(world),
        [] => Err(NotAnOperator::NoWorld {
            found: if surface.exports.is_empty() { "nothing".to_owned() } else { surface.exports.join(", ") },
        }),
        _ => Err(NotAnOperator::ManyWorlds(worlds.iter().map(|w| w.name()).collect::<Vec<_>>().join(", "))),
    }
}

/// Turns a core module with an embedded component type into a component; a component passes through.
pub fn componentize(bytes: &[u8]) -> Result<Vec<u8>, NotAnOperator> {
    if Parser::is_component(bytes) {
        return Ok(bytes.to_vec());
    }
    let module = Surface::read(bytes)?;
    let worlds = module.worlds();
    if !module.sections.iter().any(|s| s.starts_with("component-type")) {
        return Err(match module.imports.iter().find(|i| i.starts_with("wasi")) {
            Some(import) => refused(import, &worlds),
            None => NotAnOperator::NoComponentType,
        });
    }
    module.check_imports(&worlds)?;
    wit_component::ComponentEncoder::default()
        .validate(true)
        .module(bytes)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|e| NotAnOperator::Invalid(format!("{e:#}")))
}

fn refused(import: &str, worlds: &[World]) -> NotAnOperator {
    let rule = if worlds == [World::Sink] {
        format!("sinks may not: a sink may import only `{HTTP_INTERFACE}` and `{LOG_INTERFACE}`")
    } else {
        format!("operators may not: an operator is a pure function and may import only `{LOG_INTERFACE}`")
    };
    let hint = if import.starts_with("wasi") {
        " For Rust, build for wasm32-unknown-unknown instead of a wasi target."
    } else if import == HTTP_INTERFACE {
        " What is to be sent goes through a sink: a component of the world `sink` may import it."
    } else if import.starts_with("weir:operator/") {
        " It was built against another version of the interface: rebuild it with this host's SDK."
    } else {
        ""
    };
    NotAnOperator::Import { import: import.to_owned(), rule, hint }
}

/// The names on the outside of a component or core module.
#[derive(Default)]
struct Surface {
    imports: Vec<String>,
    /// Of a core module, `INTERFACE#FUNCTION`.
    exports: Vec<String>,
    sections: Vec<String>,
}

impl Surface {
    fn read(bytes: &[u8]) -> Result<Self, NotAnOperator> {
        let invalid = |e: wasmparser::BinaryReaderError| NotAnOperator::Invalid(e.to_string());
        if !bytes.starts_with(b"\0asm") {
            return Err(NotAnOperator::NotWasm);
        }
        let mut surface = Self::default();
        // Parts nested in a component bring their own imports and exports, which are not the component's.
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.map_err(invalid)? {
                Payload::Version { encoding, .. } => {
                    depth += 1;
                    if encoding == Encoding::Component && depth == 1 {
                        wasmparser::Validator::new().validate_all(bytes).map_err(invalid)?;
                    }
                }
                Payload::End(_) => depth -= 1,
                Payload::ComponentImportSection(section) if depth == 1 => {
                    for import in section {
                        surface.imports.push(import.map_err(invalid)?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 1 => {
                    for export in section {
                        surface.exports.push(export.map_err(invalid)?.name.name.to_owned());
                    }
                }
                Payload::ExportSection(section) if depth == 1 => {
                    for export in section {
                        surface.exports.push(export.map_err(invalid)?.name.to_owned());
                    }
                }
                Payload::ImportSection(section) if depth == 1 => {
                    for import in section.into_imports() {
                        surface.imports.push(import.map_err(invalid)?.module.to_owned());
                    }
                }
                Payload::CustomSection(section) if depth == 1 => surface.sections.push(section.name().to_owned()),
                _ => {}
            }
        }
        Ok(surface)
    }

    /// The worlds of which it exports the interface.
    fn worlds(&self) -> Vec<World> {
        let exports = |world: &World| {
            let interface = world.interface();
            self.exports.iter().any(|export| export.split('#').next() == Some(&interface))
        };
        World::ALL.into_iter().filter(exports).collect()
    }

    fn check_imports(&self, worlds: &[World]) -> Result<(), NotAnOperator> {
        // What is of no world, or of several, is held to the strictest.
        let world = if let [world] = worlds { *world } else { World::Transform };
        match self.imports.iter().find(|import| !world.may_import(import)) {
            Some(import) => Err(refused(import, worlds)),
            None => Ok(()),
        }
    }
}
