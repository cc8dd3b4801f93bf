//! Python: componentize-py puts CPython, the SDK and the project's modules into a component that imports nothing of WASI.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::Module;
use crate::project::{Project, tool};

const INSTALL: &str = "run `pip install 'componentize-py==0.25.*'`, best in a virtual environment that is active";

/// What is made, in the project's folder.
const COMPONENT: &str = "build/component.wasm";

pub(super) fn build(project: &Project) -> Result<Module> {
    let world = project.manifest.world.context("plugin.toml does not say `world`")?;
    fs::create_dir_all(project.out()).with_context(|| format!("cannot make {}", project.out().display()))?;
    let made = project.folder().join(COMPONENT);
    let mut command = Command::new("componentize-py");
    // The trace of the project's modules is in the message; the tool's own tells nobody anything.
    command.env("RUST_BACKTRACE", "0").arg("--quiet");
    command.arg("--wit-path").arg(project.wit()).args(["--world", &format!("weir:operator/{world}-operator")]);
    command.args(["componentize", "--stub-wasi"]);
    command.arg("--python-path").arg(project.folder()).arg("--python-path").arg(project.sdk());
    command.arg("--output").arg(&made).arg(format!("weir.component.{world}"));
    tool::run(&mut command, INSTALL)?;
    let module = Module::read(project, Path::new(COMPONENT));
    let _ = fs::remove_file(made);
    module
}
