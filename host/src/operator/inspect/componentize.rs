//! A core module made a component, whichever toolchain it comes from.
//!
//! | the module | what is done |
//! |---|---|
//! | has sections `component-type*`, as wit-bindgen leaves them | it is a component in all but form |
//! | has none (AssemblyScript, by hand) | the world is told from the names of its exports, and written into it |
//! | imports `wasi_snapshot_preview1` (Go, wasi-libc) | wasmtime's adapter stands in, and imports WASI 0.2 |

use std::borrow::Cow;

use wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER;
use wasmparser::Parser;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

use super::surface::{Surface, WASIP1};
use super::{NotAnOperator, World};

/// Turns a core module into a component; a component passes through.
pub fn componentize(bytes: &[u8]) -> Result<Vec<u8>, NotAnOperator> {
    if Parser::is_component(bytes) {
        return Ok(bytes.to_vec());
    }
    let module = Surface::read(bytes)?;
    module.check_imports()?;
    if module.exports("_start") && !module.exports("_initialize") {
        return Err(NotAnOperator::Program);
    }
    let mut bytes = Cow::Borrowed(bytes);
    if !module.has_component_type() {
        embed_world(&module, bytes.to_mut())?;
    }
    encode(&module, &bytes).map_err(|error| why_not(&module, &error))
}

/// Why no component could be made of a module: in the words for components, where it imports or lacks something.
fn why_not(module: &Surface, error: &anyhow::Error) -> NotAnOperator {
    if let Some(refused) = module.not_of_wasip1(WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER) {
        return refused;
    }
    match complete(module) {
        Err(lacking @ (NotAnOperator::NoFunction { .. } | NotAnOperator::NoMemory { .. })) => lacking,
        _ => NotAnOperator::NoComponent(format!("{error:#}")),
    }
}

fn encode(module: &Surface, bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut encoder = ComponentEncoder::default();
    encoder.validate(true).module(bytes)?;
    if module.imports_wasip1() {
        encoder.adapter(WASIP1, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)?;
    }
    encoder.encode()
}

/// Checks that a core module exports all that its world asks for.
fn complete(module: &Surface) -> Result<(), NotAnOperator> {
    let (world, version) = module.world()?;
    let (resolve, package) = version.read().map_err(|error| NotAnOperator::NoComponent(format!("{error:#}")))?;
    let interface = resolve.packages[package].interfaces.get(world.name());
    for function in interface.into_iter().flat_map(|id| resolve.interfaces[*id].functions.keys()) {
        if !module.has_function(version, world.name(), function) {
            let interface = world.interface(version);
            return Err(NotAnOperator::NoFunction { world, interface, function: function.clone() });
        }
    }
    for (export, newer) in [("memory", "cm32p2_memory"), ("cabi_realloc", "cm32p2_realloc")] {
        if !module.exports(export) && !module.exports(newer) {
            return Err(NotAnOperator::NoMemory { world, export });
        }
    }
    Ok(())
}

/// Writes into a core module of which world it is, which its exports show.
fn embed_world(module: &Surface, bytes: &mut Vec<u8>) -> Result<(), NotAnOperator> {
    complete(module)?;
    let (world, version) = module.world()?;
    let (resolve, package) = version.read().map_err(|error| NotAnOperator::NoComponent(format!("{error:#}")))?;
    let migrates = world == World::State && module.has_function(version, "migrate", "migrate");
    let name = world.wit_name(migrates);
    resolve
        .select_world(&[package], Some(&name))
        .and_then(|world| embed_component_metadata(bytes, &resolve, world, StringEncoding::UTF8))
        .map_err(|error| NotAnOperator::NoComponent(format!("{error:#}")))
}
