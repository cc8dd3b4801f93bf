//! Zig, on the bindings for C, which zig translates.
//!
//! The module's root is the SDK's, which exports what the operator's own module declares, so that the operator need not say
//! how panics and `std.log` are handled.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::Module;
use super::bindings::{Bindings, DEFINED};
use super::clang::ZIGS;
use crate::project::{Project, tool};

const INSTALL: &str = "run `pip install 'ziglang==0.17.*'` in a virtual environment that is active, or get Zig 0.17 from https://ziglang.org/download";

const TARGET: [&str; 2] = ["-target", "wasm32-wasi"];

/// Safe: what is wrong panics, with a message. A reactor has no `main`, and a stack's protector asks WASI for randomness.
const FLAGS: [&str; 11] = [
    "-OReleaseSafe",
    "-mcpu=generic+simd128",
    "-mexec-model=reactor",
    "-fno-stack-protector",
    "-fstrip",
    "--stack",
    "1048576",
    "-cflags",
    "-O3",
    DEFINED,
    "--",
];

pub(super) fn build(project: &Project) -> Result<Module> {
    let zig = tool::first(&ZIGS).unwrap_or(ZIGS[0]);
    let command = |verb: &str| {
        let mut command = Command::new(zig);
        command.current_dir(project.folder()).arg(verb).args(TARGET);
        command
    };
    let bindings = Bindings::generate(project, "src", "zig")?;
    let translated = tool::run(command("translate-c").arg("-lc").arg(bindings.header()), INSTALL)?;
    let wit = bindings.folder.join("wit.zig");
    fs::write(project.folder().join(&wit), translated).with_context(|| format!("cannot write {}", wit.display()))?;

    let sdk = project.manifest.sdk.join("src");
    let (component, weir) = (sdk.join("component.zig"), sdk.join("weir.zig"));
    let modules = [
        ("root", component, &["weir"][..]),
        ("weir", weir, &["wit", "operator"]),
        ("operator", PathBuf::from("src/main.zig"), &["weir"]),
        ("wit", wit, &[]),
    ];
    let module = PathBuf::from("build/module.wasm");
    let mut compiler = command("build-exe");
    compiler.args(FLAGS).args([bindings.source(), bindings.types()]);
    for (name, root, imports) in modules {
        compiler.args(imports.iter().flat_map(|import| ["--dep", import]));
        // Each module that has to do with C says so.
        compiler.arg("-lc").arg(format!("-M{name}={}", root.display()));
    }
    compiler.arg(format!("-femit-bin={}", module.display()));
    tool::run(&mut compiler, INSTALL)?;
    Module::read(project, &module)
}
