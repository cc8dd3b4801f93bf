//! `weir plugin build`: an operator project to a component.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use bytesize::ByteSize;
use serde::Deserialize;

use crate::operator::{componentize, inspect};

const TARGET: &str = "wasm32-unknown-unknown";

/// What to build.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The project's folder
    #[arg(value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
}

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

pub(super) fn run(args: &Args) -> Result<()> {
    let manifest = args.folder.join("Cargo.toml");
    if !manifest.exists() {
        bail!(
            "{} is no operator project: it has no Cargo.toml; `weir plugin new NAME` writes one",
            args.folder.display()
        );
    }
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics"]);
    cargo.current_dir(&args.folder).stderr(std::process::Stdio::inherit());
    let built = cargo.output().context("cannot start cargo; is Rust installed (https://rustup.rs)?")?;
    if !built.status.success() {
        bail!("the build failed; if the compiler cannot find `std`, run `rustup target add {TARGET}`");
    }
    let messages = String::from_utf8_lossy(&built.stdout);
    let artifacts = messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok());
    // What a project depends on is built, and told of, before the project itself.
    let mut files = artifacts.filter(Message::is_of_cdylib).flat_map(|m| m.filenames);
    let wasm = files.rfind(|f| f.extension().is_some_and(|e| e == "wasm"));
    let wasm =
        wasm.context("the project builds no .wasm: Cargo.toml needs `[lib] crate-type = [\"cdylib\", \"rlib\"]`")?;
    let bytes = std::fs::read(&wasm).with_context(|| format!("cannot read {}", wasm.display()))?;
    let component = componentize(&bytes).with_context(|| wasm.display().to_string())?;
    let world = inspect(&component).with_context(|| wasm.display().to_string())?.world;
    let out = wasm.with_extension("component.wasm");
    std::fs::write(&out, &component).with_context(|| format!("cannot write {}", out.display()))?;
    outln!("{} ({world}, {})", out.display(), ByteSize::b(component.len() as u64).display().iec())?;
    outln!("register it with: weir plugin register {}", out.display())?;
    Ok(())
}
