//! Building: by each language's own toolchain to a module or component, then by Weir to the component that is registered.

mod assemblyscript;
mod bindings;
mod c;
mod clang;
mod cpp;
mod go;
mod interface;
mod javascript;
mod no_network;
mod python;
mod rust;
mod source_map;
mod zig;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::{Language, Project};
use crate::operator::{World, componentize, inspect, with_identity};

/// What came of a build.
#[derive(Debug)]
pub struct Built {
    /// Where the component is.
    pub path: PathBuf,
    /// What it is.
    pub world: World,
    /// Its size in bytes.
    pub size: u64,
}

/// What a toolchain leaves.
struct Module {
    /// A core module, or a component.
    bytes: Vec<u8>,
    /// Where the component goes.
    out: PathBuf,
}

impl Module {
    /// That which a toolchain left in a file of the project's folder.
    fn read(project: &Project, file: &Path) -> Result<Self> {
        let path = project.folder().join(file);
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self { bytes, out: out(project)? })
    }
}

/// Where the component of a project goes that says its name in plugin.toml.
fn out(project: &Project) -> Result<PathBuf> {
    let own = project.manifest.identity.as_ref().context("plugin.toml does not say `name`")?;
    Ok(project.out().join(format!("{}.wasm", own.name())))
}

pub(super) fn build(project: &Project) -> Result<Built> {
    let Module { bytes, out } = match project.manifest.language {
        Language::Rust => rust::build(project)?,
        Language::C => c::build(project)?,
        Language::Cpp => cpp::build(project)?,
        Language::Zig => zig::build(project)?,
        Language::Python => python::build(project)?,
        Language::Go => go::build(project)?,
        Language::AssemblyScript => assemblyscript::build(project)?,
        Language::JavaScript | Language::TypeScript => javascript::build(project)?,
    };
    let at = || out.display().to_string();
    let mut component = componentize(&bytes).with_context(at)?;
    if let Some(own) = &project.manifest.identity {
        component = with_identity(&component, own.name(), own.version());
    }
    let world = inspect(&component).with_context(at)?.world;
    if let Some(meant) = project.manifest.world {
        ensure!(
            meant == world,
            "plugin.toml says that this is an operator of the world `{meant}`, and what was built is one of the world `{world}`"
        );
    }
    fs::write(&out, &component).with_context(|| format!("cannot write {}", out.display()))?;
    Ok(Built { path: out, world, size: component.len() as u64 })
}
