//! Go: the stock compiler, for WASI preview 1 as a library.
//!
//! What the component exports is generated anew for each build, into a folder that Go itself passes over, and laid over the
//! SDK's module for the compiler alone (`go build -overlay`): so the SDK is plain Go, which is tested without a component,
//! and one copy of it serves operators of all worlds.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use wit_bindgen_core::Files;
use wit_bindgen_go::Opts;

use super::{Module, interface};
use crate::operator::World;
use crate::project::{Project, tool};

const INSTALL: &str = "install Go 1.25 or later from https://go.dev/dl";

/// Where the bindings are imported from: a folder of the SDK's module that exists for the compiler only.
const BINDINGS: &str = "internal/bindings";
/// Where they are while the compiler runs, among what is built: `go vet ./...` must not find them.
const BINDINGS_WRITTEN: &str = "_bindings";
/// The compiler's file that says so.
const LAID_OVER: &str = "overlay.json";
/// What the bindings are written in, and the package of the SDK that stands for it, so that nothing is downloaded.
const SUPPORT: [&str; 2] = ["go.bytecodealliance.org/pkg/wit/", "weir/internal/abi/"];
/// The SDK's folder of what goes with the bindings, which Go itself passes over.
const COMPONENT: &str = "_component";

/// What is built, in the project's folder.
const MODULE: &str = "build/module.wasm";

/// What the SDK exports in every component.
const ALLOCATOR: &[u8] = b"cabi_realloc";

/// The compiler's file of files that stand elsewhere than they seem to.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Overlay {
    replace: BTreeMap<PathBuf, PathBuf>,
}

pub(super) fn build(project: &Project) -> Result<Module> {
    let world = project.world()?;
    let built = compile(project, world);
    for written in [LAID_OVER, BINDINGS_WRITTEN] {
        let path = project.out().join(written);
        let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    }
    let module = built?;
    let allocator = module.bytes.windows(ALLOCATOR.len()).any(|name| name == ALLOCATOR);
    ensure!(
        allocator,
        "the project does not import `weir`: `func init() {{ weir.Export(operator) }}` in its package main"
    );
    Ok(module)
}

fn compile(project: &Project, world: World) -> Result<Module> {
    let written = overlay(project, world).context("cannot make the bindings")?;
    let mut command = Command::new("go");
    command.current_dir(project.folder()).env("GOOS", "wasip1").env("GOARCH", "wasm");
    // Neither paths of this machine nor symbols that a component has no use for. Stacks keep their lines.
    command.args(["build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w"]);
    command.arg("-overlay").arg(written).args(["-o", MODULE, "."]);
    tool::run(&mut command, INSTALL)?;
    let module = Module::read(project, Path::new(MODULE));
    let _ = fs::remove_file(project.folder().join(MODULE));
    module
}

/// Writes the bindings and the overlay, and answers with where that is.
fn overlay(project: &Project, world: World) -> Result<PathBuf> {
    let found = |path: PathBuf| path.canonicalize().with_context(|| format!("there is no {}", path.display()));
    let sdk = found(project.sdk())?;
    fs::create_dir_all(project.out().join(BINDINGS_WRITTEN))?;
    let out = found(project.out())?;
    let mut replace = BTreeMap::new();
    for (name, contents) in generated(&project.wit(), world)?.iter() {
        // An empty assembly file, which this compiler needs no more.
        if !name.ends_with(".go") {
            continue;
        }
        let path = out.join(BINDINGS_WRITTEN).join(name);
        fs::create_dir_all(path.parent().unwrap_or(&out))?;
        fs::write(&path, String::from_utf8_lossy(contents).replace(SUPPORT[0], SUPPORT[1]))?;
        replace.insert(sdk.join(BINDINGS).join(name), path);
    }
    let exports = format!("{BINDINGS}/export_weir_operator_{world}/{world}.go");
    let (rows, log) = (format!("{BINDINGS}/rows/rows.go"), format!("{BINDINGS}/log/log.go"));
    for (seen, lies) in [
        ("component.go", "weir.go"),
        (&rows, "rows/rows.go"),
        (&log, "log/log.go"),
        (&exports, &format!("{world}/{world}.go")),
    ] {
        replace.insert(sdk.join(seen), sdk.join(COMPONENT).join(lies));
    }
    let path = out.join(LAID_OVER);
    fs::write(&path, serde_json::to_vec_pretty(&Overlay { replace })?)?;
    Ok(path)
}

fn generated(wit: &Path, world: World) -> Result<Files> {
    let (mut resolve, world) = interface::read(wit, world)?;
    let mut files = Files::default();
    let options = Opts { pkg_name: Some(format!("weir/{BINDINGS}")), ..Opts::default() };
    options.build().generate(&mut resolve, world, &mut files)?;
    Ok(files)
}
