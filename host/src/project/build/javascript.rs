//! JavaScript and TypeScript: esbuild makes one module of the project, its packages and the SDK, and componentize-qjs makes a
//! component of it, which has the engine QuickJS within. Both are packages of the project's own, so that its lock file holds
//! their versions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::Module;
use super::source_map::SourceMap;
use crate::operator::World;
use crate::project::{Language, Project, tool};

/// How a person gets what is missing.
pub(super) const INSTALL: &str =
    "run `npm install` in the project's folder (Node.js, 20 or later, is at https://nodejs.org)";

pub(super) fn build(project: &Project) -> Result<Module> {
    let folder = project.folder().canonicalize().with_context(|| project.folder().display().to_string())?;
    let package = |name: &str, arguments: &[&str]| {
        let mut command = Command::new(folder.join("node_modules/.bin").join(name));
        command.args(arguments).current_dir(&folder);
        command
    };
    let run = |name: &str, arguments: &[&str]| tool::run(&mut package(name, arguments), INSTALL);
    let operator = match project.manifest().language {
        Language::TypeScript => "src/index.ts",
        _ => "src/index.js",
    };
    ensure!(folder.join(operator).exists(), "the operator is the default export of {operator}, which is not there");
    if project.manifest().language == Language::TypeScript && folder.join("tsconfig.json").exists() {
        // esbuild takes types away without a look at them. What tsc finds, it prints to standard output.
        let mut tsc = package("tsc", &["--noEmit"]);
        ensure!(Path::new(tsc.get_program()).exists(), "TypeScript's compiler is not there: {INSTALL}");
        tool::run(tsc.stdout(std::io::stderr()), INSTALL).context("the types do not fit")?;
    }

    let out = project.out();
    fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    let world = project.world()?;
    let (entry, bundle) = (out.join("entry.js"), out.join("operator.js"));
    fs::write(&entry, entry_of(world, operator)).with_context(|| format!("cannot write {}", entry.display()))?;
    let bundling = [
        "build/entry.js",
        "--bundle",
        "--format=esm",
        "--platform=neutral",
        "--main-fields=module,main",
        "--target=es2023",
        "--external:weir:*",
        "--log-level=warning",
        "--sourcemap=external",
        "--sources-content=false",
        "--outfile=build/operator.js",
    ];
    run("esbuild", &bundling)?;
    append_source_map(&bundle)?;

    let component = tempfile::NamedTempFile::new_in(&out).context("cannot write to build/")?;
    let wit = project.wit();
    let wit = wit.canonicalize().with_context(|| format!("the interface should be in {}", wit.display()))?;
    let text = |path: &PathBuf| path.to_string_lossy().into_owned();
    let making = [
        "--js",
        "build/operator.js",
        "--wit",
        &text(&wit),
        "--world",
        &format!("{world}-operator"),
        // Neither futures nor streams, and nothing of WASI: an operator has only its rows.
        "--sync",
        "--stub-wasi",
        "--output",
        &text(&component.path().canonicalize()?),
    ];
    run("componentize-qjs", &making).with_context(|| format!("its lines are those of {}", bundle.display()))?;
    let bytes = fs::read(component.path()).context("cannot read what componentize-qjs wrote")?;
    Ok(Module { bytes, out: super::out(project)? })
}

/// Lets the SDK tell of an exception in terms of the source.
fn append_source_map(bundle: &Path) -> Result<()> {
    let text = |path: &Path| fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
    let map: SourceMap =
        serde_json::from_str(&text(&bundle.with_extension("js.map"))?).context("esbuild's source map")?;
    let lines = serde_json::to_string(&map.lines())?;
    let module = format!("{}globalThis.weirSourceMap = {lines};\n", text(bundle)?);
    fs::write(bundle, module).with_context(|| format!("cannot write {}", bundle.display()))
}

/// The module that is the component: what the host calls, made of the operator.
fn entry_of(world: World, operator: &str) -> String {
    let (http, host) = match world {
        World::Sink => ("import { send } from 'weir:operator/http@0.1.0';\n", "{ log, send }"),
        _ => ("", "{ log }"),
    };
    format!(
        "import 'weir-guest/ambient';\nimport {{ component }} from 'weir-guest/component';\nimport {{ log }} from \
         'weir:operator/log@0.1.0';\n{http}import operator from '../{operator}';\n\nexport const {world} = \
         component(operator, '{world}', {host});\n"
    )
}
