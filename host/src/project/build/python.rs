//! Python: componentize-py puts CPython, the SDK and the project's modules into a component, of which the network is denied.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::Module;
use super::no_network::without_network;
use crate::project::{Project, tool};

const INSTALL: &str = "run `pip install 'componentize-py==0.25.*'`, best in a virtual environment that is active";

/// What is made, in the project's folder.
const COMPONENT: &str = "build/component.wasm";

pub(super) fn build(project: &Project) -> Result<Module> {
    let world = project.world()?;
    fs::create_dir_all(project.out()).with_context(|| format!("cannot make {}", project.out().display()))?;
    let made = project.folder().join(COMPONENT);
    let mut command = Command::new("componentize-py");
    command.env("RUST_BACKTRACE", "0").arg("--quiet");
    command.arg("--wit-path").arg(project.wit()).args(["--world", &format!("weir:operator/{world}-operator")]);
    command.arg("componentize");
    command.arg("--python-path").arg(project.folder()).arg("--python-path").arg(project.sdk());
    command.arg("--output").arg(&made).arg(format!("weir.component.{world}"));
    tool::run_telling(&mut command, INSTALL, of_the_project)?;
    let module = Module::read(project, Path::new(COMPONENT));
    let _ = fs::remove_file(&made);
    let Module { bytes, out } = module?;
    Ok(Module { bytes: without_network(&bytes).with_context(|| made.display().to_string())?, out })
}

/// The trace of the project's modules, in the midst of the tool's own.
fn of_the_project(messages: &str) -> &str {
    let from = messages.split_once("AssertionError: ").map_or(messages, |(_, from)| from);
    from.split_once("\n\nCaused by:").map_or(from, |(told, _)| told).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_tools_messages_the_projects_are_told() {
        let messages = "Traceback (most recent call last):\n  File \"tool\"\nAssertionError: SyntaxError: no\n\n\nCaused by:\n  0: x\n";
        assert_eq!(of_the_project(messages), "SyntaxError: no");
        assert_eq!(of_the_project("error: no such world\n"), "error: no such world");
    }
}
