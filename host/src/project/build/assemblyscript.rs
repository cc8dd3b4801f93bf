//! AssemblyScript: its compiler, a package of the project's own, to a core module that imports nothing but the log.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::Module;
use super::javascript::INSTALL;
use crate::operator::World;
use crate::project::{Project, tool};

const OPERATOR: &str = "assembly/index.ts";

pub(super) fn build(project: &Project) -> Result<Module> {
    let folder = project.folder().canonicalize().with_context(|| project.folder().display().to_string())?;
    ensure!(folder.join(OPERATOR).exists(), "the operator is the default export of {OPERATOR}, which is not there");
    let world = project.world()?;
    let out = project.out();
    fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    let entry = out.join("entry.ts");
    fs::write(&entry, entry_of(world)?).with_context(|| format!("cannot write {}", entry.display()))?;
    let module = tempfile::NamedTempFile::new_in(&out).context("cannot write to build/")?;
    let mut asc = Command::new(folder.join("node_modules/.bin/asc"));
    asc.args(["build/entry.ts", "--transform", "weir-guest/export-names.js", "-O3", "--enable", "simd"]);
    // Garbage is collected at the end of a call, when no object is on the stack.
    asc.args(["--runtime", "minimal"]);
    // What is thrown goes to the log.
    asc.args(["--use", "abort=~lib/weir-guest/assembly/abort/abort"]);
    asc.arg("--outFile").arg(module.path().canonicalize()?);
    tool::run(asc.current_dir(&folder), INSTALL)?;
    let bytes = fs::read(module.path()).context("cannot read what asc wrote")?;
    Ok(Module { bytes, out: super::out(project)? })
}

/// The module that is compiled: what the host calls, made of the operator.
fn entry_of(world: World) -> Result<String> {
    let functions = match world {
        World::Transform => "apply",
        World::Aggregate => "create, finish, merge, retract",
        World::State => "update",
        World::Sink => bail!("sinks cannot be written in AssemblyScript; in TypeScript and Rust they can"),
    };
    let exports = format!("weir-guest/assembly/exports/{world}");
    Ok(format!(
        "import {{ use }} from \"{exports}\";\nimport Operator from \"../assembly/index\";\n\nuse(new Operator());\n\n\
         export {{ answered, configure, reallocate, {functions} }} from \"{exports}\";\n"
    ))
}
