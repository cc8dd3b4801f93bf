//! The names on the outside of a component or core module.

use wasmparser::{BinaryReaderError, Encoding, Parser, Payload, Validator};

use super::{InterfaceVersion, LARGEST, NotAnOperator, World};
use crate::operator::wasi;

/// The module that a core module of WASI's first version imports from, until the adapter stands in.
pub(super) const WASIP1: &str = "wasi_snapshot_preview1";

/// Something imported.
#[derive(Debug)]
pub(super) struct Import {
    /// An interface, or the name of a module that is none.
    pub(super) interface: String,
    /// What of it; of a component nothing is told.
    function: String,
}

/// The outside of a component or core module.
#[derive(Default)]
pub(super) struct Surface {
    pub(super) component: bool,
    pub(super) imports: Vec<Import>,
    /// Interfaces of a component; functions and memories of a core module.
    pub(super) exports: Vec<String>,
    sections: Vec<String>,
}

impl Surface {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, NotAnOperator> {
        let invalid = |e: BinaryReaderError| NotAnOperator::Invalid(e.to_string());
        if !bytes.starts_with(b"\0asm") {
            return Err(NotAnOperator::NotWasm);
        }
        if bytes.len() as u64 > LARGEST.0 {
            return Err(NotAnOperator::TooLarge);
        }
        let mut surface = Self::default();
        // Parts nested in a component bring their own imports and exports, which are not the component's.
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.map_err(invalid)? {
                Payload::Version { encoding, .. } => {
                    depth += 1;
                    if encoding == Encoding::Component && depth == 1 {
                        Validator::new().validate_all(bytes).map_err(invalid)?;
                        surface.component = true;
                    }
                }
                Payload::End(_) => depth -= 1,
                Payload::ComponentImportSection(section) if depth == 1 => {
                    for import in section {
                        let interface = import.map_err(invalid)?.name.name.to_owned();
                        surface.imports.push(Import { interface, function: String::new() });
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
                        let import = import.map_err(invalid)?;
                        let module = import.module;
                        let interface = module.strip_prefix("cm32p2|").unwrap_or(module).to_owned();
                        surface.imports.push(Import { interface, function: import.name.to_owned() });
                    }
                }
                Payload::CustomSection(section) if depth == 1 => surface.sections.push(section.name().to_owned()),
                _ => {}
            }
        }
        Ok(surface)
    }

    /// Whether a toolchain left word of which world a core module is of.
    pub(super) fn has_component_type(&self) -> bool {
        self.sections.iter().any(|section| section.starts_with("component-type"))
    }

    pub(super) fn imports_wasip1(&self) -> bool {
        self.imports.iter().any(|import| import.interface == WASIP1)
    }

    pub(super) fn exports(&self, name: &str) -> bool {
        self.exports.iter().any(|export| export == name)
    }

    /// The one world that it is of, by the interfaces that it exports.
    pub(super) fn world(&self) -> Result<(World, InterfaceVersion), NotAnOperator> {
        match self.worlds()[..] {
            [only] => Ok(only),
            [] => match self.exports.iter().find_map(|export| self.of_another_version(export)) {
                Some(interface) => Err(NotAnOperator::OtherVersion { verb: "exports", interface }),
                None => Err(NotAnOperator::no_world(&self.exports, self.component)),
            },
            ref several => Err(NotAnOperator::ManyWorlds(
                several.iter().map(|(world, version)| world.interface(*version)).collect::<Vec<_>>().join(", "),
            )),
        }
    }

    fn worlds(&self) -> Vec<(World, InterfaceVersion)> {
        let mut worlds = Vec::new();
        for world in World::ALL {
            for version in InterfaceVersion::SERVED {
                let exported = |export: &String| InterfaceVersion::of(split(export).0) == Some((version, world.name()));
                if self.exports.iter().any(exported) {
                    worlds.push((world, version));
                }
            }
        }
        worlds
    }

    fn of_another_version(&self, export: &str) -> Option<String> {
        let interface = split(export).0;
        let (name, _) = InterfaceVersion::named(interface)?;
        World::ALL.iter().any(|world| world.name() == name).then(|| interface.to_owned())
    }

    /// Whether a core module exports a function of an interface.
    pub(super) fn has_function(&self, version: InterfaceVersion, interface: &str, function: &str) -> bool {
        self.exports.iter().any(|export| {
            let (exported, name) = split(export);
            name == Some(function) && InterfaceVersion::of(exported) == Some((version, interface))
        })
    }

    /// An import from WASI's first version that its `adapter` does not have.
    pub(super) fn not_of_wasip1(&self, adapter: &[u8]) -> Option<NotAnOperator> {
        let adapter = Self::read(adapter).ok()?;
        let worlds: Vec<World> = self.worlds().into_iter().map(|(world, _)| world).collect();
        let mut imports = self.imports.iter().filter(|import| import.interface == WASIP1);
        let missing = imports.find(|import| !adapter.exports(&import.function))?;
        Some(NotAnOperator::import(WASIP1, &missing.function, &worlds))
    }

    /// Refuses what is not offered to a component of its world.
    pub(super) fn check_imports(&self) -> Result<(), NotAnOperator> {
        let worlds: Vec<World> = self.worlds().into_iter().map(|(world, _)| world).collect();
        let offered = |import: &&Import| match InterfaceVersion::of(&import.interface) {
            Some((_, "log" | "rows")) => true,
            // What is of no world, or of several, is held to the strictest.
            Some((_, "http")) => worlds == [World::Sink],
            _ => is_wasi(&import.interface) || !self.component && import.interface == WASIP1,
        };
        match self.imports.iter().find(|import| !offered(import)) {
            Some(import) => Err(NotAnOperator::import(&import.interface, &import.function, &worlds)),
            None => Ok(()),
        }
    }
}

fn is_wasi(import: &str) -> bool {
    let Some((interface, version)) = import.split_once('@') else { return false };
    (version == "0.2" || version.starts_with("0.2.")) && wasi::INTERFACES.contains(&interface)
}

/// Interface and function of a core module's export, in either mangling; of a component's, the interface.
fn split(export: &str) -> (&str, Option<&str>) {
    let parts = match export.strip_prefix("cm32p2|") {
        Some(export) => export.split_once('|'),
        None => export.split_once('#'),
    };
    parts.map_or((export, None), |(interface, function)| (interface, Some(function)))
}
