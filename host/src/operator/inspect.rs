//! What a component is, read from its bytes before anything of it is compiled: its world, its imports, its name.

use std::fmt;

use serde::{Deserialize, Serialize};
use wasmparser::{Encoding, Parser, Payload};

use super::instance::LOG_INTERFACE;

/// The version of the interface that this host serves.
const INTERFACE_VERSION: &str = "0.1.0";

/// Interfaces that a component may import: the log, and the types, which hold no function.
const ALLOWED_IMPORTS: [&str; 2] = [LOG_INTERFACE, "weir:operator/rows@0.1.0"];

/// The custom section in which an SDK writes the plugin's name and version, with a zero byte between.
const NAME_SECTION: &str = "weir-plugin";

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
    #[error(
        "imports `{import}`, which operators may not: an operator is a pure function and may import only `{LOG_INTERFACE}`.{hint}"
    )]
    Import {
        /// The import's name.
        import: String,
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

/// What `weir plugin show` tells of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The plugin's own name.
    pub name: String,
    /// Its own version.
    pub version: String,
}

/// Reads the world of a component and refuses imports outside it.
pub fn inspect(bytes: &[u8]) -> Result<World, NotAnOperator> {
    let surface = Surface::read(bytes)?;
    if let Some(import) = surface.imports.iter().find(|i| !ALLOWED_IMPORTS.contains(&i.as_str())) {
        return Err(refused(import));
    }
    let worlds: Vec<World> =
        World::ALL.into_iter().filter(|w| surface.exports.iter().any(|e| *e == w.interface())).collect();
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
    if !module.sections.iter().any(|s| s.starts_with("component-type")) {
        return Err(match module.imports.iter().find(|i| i.starts_with("wasi")) {
            Some(import) => refused(import),
            None => NotAnOperator::NoComponentType,
        });
    }
    if let Some(import) = module.imports.iter().find(|i| !ALLOWED_IMPORTS.contains(&i.as_str())) {
        return Err(refused(import));
    }
    wit_component::ComponentEncoder::default()
        .validate(true)
        .module(bytes)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|e| NotAnOperator::Invalid(format!("{e:#}")))
}

/// The name and version that the SDK wrote into the component, if it did.
pub fn identity(bytes: &[u8]) -> Option<Identity> {
    for payload in Parser::new(0).parse_all(bytes) {
        if let Ok(Payload::CustomSection(section)) = payload
            && section.name() == NAME_SECTION
        {
            let text = std::str::from_utf8(section.data()).ok()?;
            let (name, version) = text.split_once('\0')?;
            return Some(Identity { name: name.to_owned(), version: version.to_owned() });
        }
    }
    None
}

fn refused(import: &str) -> NotAnOperator {
    let hint = if import.starts_with("wasi") {
        " For Rust, build for wasm32-unknown-unknown instead of a wasi target."
    } else if import.starts_with("weir:operator/") {
        " It was built against another version of the interface: rebuild it with this host's SDK."
    } else {
        ""
    };
    NotAnOperator::Import { import: import.to_owned(), hint }
}

/// The names on the outside of a component or core module.
#[derive(Default)]
struct Surface {
    imports: Vec<String>,
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
}
