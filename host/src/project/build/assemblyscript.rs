//! AssemblyScript: its compiler, a package of the project's own, to a core module that imports nothing but the log.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::Module;
use super::javascript::INSTALL;
use crate::project::{Project, tool};

const OPERATOR: &str = "assembly/index.ts";

/// The module that is compiled: what the host calls, made of the operator.
const ENTRY: &str = r#"import { use } from "weir-guest/assembly/exports/transform";
import Operator from "../assembly/index";

use(new Operator());

export { apply, applied, configure, configured, reallocate } from "weir-guest/assembly/exports/transform";
"#;

pub(super) fn build(project: &Project) -> Result<Module> {
    let folder = project.folder().canonicalize().with_context(|| project.folder().display().to_string())?;
    ensure!(folder.join(OPERATOR).exists(), "the operator is the default export of {OPERATOR}, which is not there");
    let out = project.out();
    fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    let entry = out.join("entry.ts");
    fs::write(&entry, ENTRY).with_context(|| format!("cannot write {}", entry.display()))?;
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
    let (name, _) = project.manifest().identity.as_ref().context("plugin.toml does not say `name`")?;
    Ok(Module { bytes, out: out.join(name).with_extension("wasm") })
}
