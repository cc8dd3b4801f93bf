//! A component that answers its own questions for the network. For a toolchain whose library imports the making of sockets whether the
//! code wants any or not.

use std::collections::BTreeMap;
use std::convert::Infallible;

use anyhow::{Context, Result, anyhow, bail};
use wasm_encoder::reencode::{Error, Reencode, ReencodeComponent};
use wasm_encoder::{
    Alias, CodeSection, Component, ComponentAliasSection, ComponentExportKind, ComponentExportSection,
    ComponentImportSection, ComponentInstanceSection, ComponentSectionId, ConstExpr, DataSection, ExportKind,
    ExportSection, Function, FunctionSection, MemorySection, MemoryType, Module, RawSection, TypeSection, ValType,
};
use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, DecodedWasm, StringEncoding, decode, embed_component_metadata};
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{
    LiftLowerAbi, ManglingAndAbi, Resolve, Type, TypeDefKind, WasmExport, WasmExportKind, WorldId, WorldItem, WorldKey,
};

/// What makes a socket, or asks a server.
const DENIED: [&str; 3] =
    ["wasi:sockets/tcp-create-socket", "wasi:sockets/udp-create-socket", "wasi:sockets/ip-name-lookup"];

/// The answer to all of it, at address 0: the second case of a `result`, with the second `error-code`, which is
/// `access-denied`, wherever alignment puts it.
const ACCESS_DENIED: [u8; 16] = [1; 16];

/// Where strings that are passed go.
const SCRATCH: i32 = 64;

/// The component with its imports of the network's interfaces answered by components beside it, all of them in one that
/// imports the rest. (A component within it could not be called by it.)
pub(super) fn without_network(component: &[u8]) -> Result<Vec<u8>> {
    let DecodedWasm::Component(resolve, world) = decode(component)? else { bail!("it is not a component") };
    let mut denials = Vec::new();
    for key in resolve.worlds[world].imports.keys() {
        let name = resolve.name_world_key(key);
        if DENIED.contains(&name.split('@').next().unwrap_or_default()) {
            denials.push(Denial::of(&resolve, world, key).with_context(|| format!("`{name}` cannot be denied"))?);
        }
    }
    let mut whole = Whole::importing(component, &denials).map_err(|error| anyhow!("{error}"))?;
    for part in denials.iter().map(|denial| &denial.component[..]).chain([component]) {
        whole.component.section(&RawSection { id: ComponentSectionId::Component.into(), data: part });
    }
    for (part, denial) in denials.iter().enumerate() {
        let instance = whole.instantiate(part, &outside(&denial.component)?.0)?;
        let answers = whole.export_of(instance, &denial.interface);
        whole.known.insert(denial.interface.clone(), answers);
    }
    let (imports, exports) = outside(component)?;
    let instance = whole.instantiate(denials.len(), &imports)?;
    // Operators export interfaces.
    for name in exports {
        let exported = whole.export_of(instance, &name);
        let mut section = ComponentExportSection::new();
        section.export(&name[..], ComponentExportKind::Instance, exported, None);
        whole.component.section(&section);
        // An export is an instance of its own.
        whole.instances += 1;
    }
    Ok(whole.component.finish())
}

/// A component that stands in for an interface.
struct Denial {
    interface: String,
    component: Vec<u8>,
}

impl Denial {
    fn of(resolve: &Resolve, id: WorldId, interface: &WorldKey) -> Result<Self> {
        let mut resolve = resolve.clone();
        let world = &mut resolve.worlds[id];
        let item = world.imports.shift_remove(interface).context("it is not imported")?;
        world.exports = [(interface.clone(), item)].into_iter().collect();
        let mut module = denying_module(&resolve, id);
        embed_component_metadata(&mut module, &resolve, id, StringEncoding::UTF8)?;
        let component = ComponentEncoder::default().module(&module)?.encode()?;
        Ok(Self { interface: resolve.name_world_key(interface), component })
    }
}

/// A core module that exports the world's functions. They say that access is denied; those that are given a handle, which
/// they would have to drop, trap.
fn denying_module(resolve: &Resolve, world: WorldId) -> Vec<u8> {
    let legacy = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);
    let (mut types, mut functions, mut exports, mut code) =
        (TypeSection::new(), FunctionSection::new(), ExportSection::new(), CodeSection::new());
    let mut export = |name: &str, parameters: &[WasmType], results: &[WasmType], answer: Option<i32>| {
        let index = functions.len();
        types.ty().function(parameters.iter().copied().map(val_type), results.iter().copied().map(val_type));
        functions.function(index);
        exports.export(name, ExportKind::Func, index);
        let mut body = Function::new([]);
        match answer {
            Some(answer) => body.instructions().i32_const(answer).end(),
            None => body.instructions().unreachable().end(),
        };
        code.function(&body);
    };
    for (key, item) in &resolve.worlds[world].exports {
        let WorldItem::Interface { id, .. } = item else { continue };
        for func in resolve.interfaces[*id].functions.values() {
            let signature = resolve.wasm_signature(AbiVariant::GuestExport, func);
            let function = WasmExport::Func { interface: Some(key), func, kind: WasmExportKind::Normal };
            let is_handle =
                |ty: Type| matches!(ty, Type::Id(id) if matches!(resolve.types[id].kind, TypeDefKind::Handle(_)));
            let answer = func.params.iter().all(|parameter| !is_handle(parameter.ty)).then_some(0);
            export(&resolve.wasm_export_name(legacy, function), &signature.params, &signature.results, answer);
        }
    }
    export(
        &resolve.wasm_export_name(legacy, WasmExport::Realloc),
        &[WasmType::I32; 4],
        &[WasmType::I32],
        Some(SCRATCH),
    );
    exports.export(&resolve.wasm_export_name(legacy, WasmExport::Memory), ExportKind::Memory, 0);
    let mut memory = MemorySection::new();
    memory.memory(MemoryType { minimum: 1, maximum: Some(1), memory64: false, shared: false, page_size_log2: None });
    let mut data = DataSection::new();
    data.active(0, &ConstExpr::i32_const(0), ACCESS_DENIED);

    let mut module = Module::new();
    module.section(&types).section(&functions).section(&memory).section(&exports).section(&code).section(&data);
    module.finish()
}

fn val_type(of: WasmType) -> ValType {
    match of {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => ValType::I32,
        WasmType::I64 | WasmType::PointerOrI64 => ValType::I64,
        WasmType::F32 => ValType::F32,
        WasmType::F64 => ValType::F64,
    }
}

/// The names of what a component imports, and of what it exports.
fn outside(component: &[u8]) -> Result<(Vec<String>, Vec<String>)> {
    let (mut imports, mut exports, mut depth) = (Vec::new(), Vec::new(), 0_usize);
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    imports.push(import?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    exports.push(export?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok((imports, exports))
}

/// A component that is being written.
struct Whole {
    component: Component,
    /// How many instances there are in it.
    instances: u32,
    /// Those that are interfaces, by name.
    known: BTreeMap<String, u32>,
}

impl Whole {
    /// One that imports what another does, but what is denied. Imports come before everything but their types, as every
    /// encoder writes them.
    fn importing(component: &[u8], denials: &[Denial]) -> Result<Self, Error<Infallible>> {
        let mut whole = Self { component: Component::new(), instances: 0, known: BTreeMap::new() };
        let mut moved = Moved(Vec::new());
        for payload in Parser::new(0).parse_all(component) {
            match payload? {
                Payload::Version { .. } => {}
                Payload::ComponentImportSection(section) => {
                    for import in section {
                        let import = import?;
                        let name = import.name.name;
                        moved.0.push(whole.instances);
                        if denials.iter().all(|denial| denial.interface != name) {
                            let mut imports = ComponentImportSection::new();
                            imports.import(import.name, moved.component_type_ref(import.ty)?);
                            whole.component.section(&imports);
                            whole.known.insert(name.to_owned(), whole.instances);
                            whole.instances += 1;
                        }
                    }
                }
                types @ (Payload::ComponentTypeSection(_) | Payload::ComponentAliasSection(_)) => {
                    moved.parse_component_payload(&mut whole.component, types, component)?;
                }
                _ => break,
            }
        }
        Ok(whole)
    }

    /// An instance of one of its components, given what is known.
    fn instantiate(&mut self, part: usize, imports: &[String]) -> Result<u32> {
        let mut arguments = Vec::new();
        for name in imports {
            let instance =
                self.known.get(name).with_context(|| format!("`{name}` is not imported where it is expected"))?;
            arguments.push((name.as_str(), ComponentExportKind::Instance, *instance));
        }
        let mut instances = ComponentInstanceSection::new();
        instances.instantiate(part as u32, arguments);
        self.component.section(&instances);
        self.instances += 1;
        Ok(self.instances - 1)
    }

    /// An instance that an instance exports.
    fn export_of(&mut self, instance: u32, name: &str) -> u32 {
        let mut aliases = ComponentAliasSection::new();
        aliases.alias(Alias::InstanceExport { instance, kind: ComponentExportKind::Instance, name });
        self.component.section(&aliases);
        self.instances += 1;
        self.instances - 1
    }
}

/// Where the instances are now that a component imports.
struct Moved(Vec<u32>);

impl Reencode for Moved {
    type Error = Infallible;
}

impl ReencodeComponent for Moved {
    fn component_instance_index(&mut self, index: u32) -> u32 {
        self.0.get(index as usize).copied().unwrap_or(index)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot set up its case should fail there")]

    use wasmtime::component::Linker;
    use wasmtime::{Engine, Store};

    use super::*;

    const WIT: &str = "
        package test:asks;

        package wasi:sockets@0.2.0 {
            interface network {
                resource network;
                enum error-code { unknown, access-denied, not-supported }
                enum ip-address-family { ipv4, ipv6 }
            }
            interface tcp {
                resource tcp-socket;
            }
            interface tcp-create-socket {
                use network.{error-code, ip-address-family};
                use tcp.{tcp-socket};
                create-tcp-socket: func(address-family: ip-address-family) -> result<tcp-socket, error-code>;
            }
        }

        world asks {
            import wasi:sockets/tcp-create-socket@0.2.0;
            export runs: interface { go: func() -> u32; }
        }";

    /// Asks for a socket; answers with the case of the result, and ten times that of the error.
    const CODE: &str = r#"
        (module
            (import "wasi:sockets/tcp-create-socket@0.2.0" "create-tcp-socket" (func $create (param i32 i32)))
            (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
            (func (export "runs#go") (result i32)
                (call $create (i32.const 0) (i32.const 64))
                (i32.add
                    (i32.load8_u (i32.const 64))
                    (i32.mul (i32.const 10) (i32.load8_u (i32.const 68))))))"#;

    #[test]
    fn given_a_component_that_makes_sockets_when_they_are_denied_then_it_imports_none_and_is_told_so() {
        let mut resolve = Resolve::default();
        let package = resolve.push_str("asks.wit", WIT).unwrap();
        let world = resolve.select_world(&[package], Some("asks")).unwrap();
        let mut module = wat::parse_str(CODE).unwrap();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        let asks = ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap();
        let maker = "wasi:sockets/tcp-create-socket@0.2.0".to_owned();
        assert!(outside(&asks).unwrap().0.contains(&maker));

        let denied = without_network(&asks).unwrap();
        assert_eq!(outside(&denied).unwrap().0, ["wasi:sockets/network@0.2.0", "wasi:sockets/tcp@0.2.0"]);
        let engine = Engine::default();
        let component = wasmtime::component::Component::new(&engine, &denied).unwrap();
        let (mut linker, mut store) = (Linker::new(&engine), Store::new(&engine, ()));
        linker.define_unknown_imports_as_traps(&component).unwrap();
        let instance = linker.instantiate(&mut store, &component).unwrap();
        let runs = instance.get_export_index(&mut store, None, "runs").unwrap();
        let go = instance.get_export_index(&mut store, Some(&runs), "go").unwrap();
        let go = instance.get_typed_func::<(), (u32,)>(&mut store, go).unwrap();
        assert_eq!(go.call(&mut store, ()).unwrap(), (11,));
    }
}
