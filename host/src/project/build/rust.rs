//! Rust: cargo for `wasm32-unknown-unknown`, which imports nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::Module;
use crate::project::{Project, tool};

const TARGET: &str = "wasm32-unknown-unknown";

/// A line of what cargo prints.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    filenames: Vec<PathBuf>,
    #[serde(default)]
    target: Option<Target>,
}

#[derive(Deserialize)]
struct Target {
    crate_types: Vec<String>,
}

impl Message {
    fn is_of_cdylib(&self) -> bool {
        let is_cdylib = |t: &Target| t.crate_types.iter().any(|kind| kind == "cdylib");
        self.reason == "compiler-artifact" && self.target.as_ref().is_some_and(is_cdylib)
    }
}

pub(super) fn build(project: &Project) -> Result<Module> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics"]);
    let built = match tool::run(cargo.current_dir(project.folder()), "install Rust from https://rustup.rs") {
        Err(error) if lacks_target(project) => {
            return Err(
                error.context(format!("the compiler has no `std` for {TARGET}: run `rustup target add {TARGET}`"))
            );
        }
        built => built?,
    };
    let messages = String::from_utf8_lossy(&built);
    let artifacts = messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok());
    // What a project depends on is built, and told of, before the project itself.
    let mut files = artifacts.filter(Message::is_of_cdylib).flat_map(|m| m.filenames);
    let wasm = files.rfind(|f| f.extension().is_some_and(|e| e == "wasm"));
    let wasm =
        wasm.context("the project builds no .wasm: Cargo.toml needs `[lib] crate-type = [\"cdylib\", \"rlib\"]`")?;
    let bytes = std::fs::read(&wasm).with_context(|| format!("cannot read {}", wasm.display()))?;
    Ok(Module { bytes, out: wasm.with_extension("component.wasm") })
}

/// Whether the compiler that a project is built with has no standard library for the target; not where there is none.
fn lacks_target(project: &Project) -> bool {
    let mut rustc = Command::new("rustc");
    rustc.current_dir(project.folder()).args(["--print", "target-libdir", "--target", TARGET]);
    rustc.output().is_ok_and(|answer| {
        answer.status.success() && !Path::new(String::from_utf8_lossy(&answer.stdout).trim()).is_dir()
    })
}
