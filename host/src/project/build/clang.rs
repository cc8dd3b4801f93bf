//! The compilers of C and C++ that make wasm: clang with a C library for WASI, or zig, which brings its own.
//!
//! A compiler runs in the project's folder, so that messages name files as the programmer knows them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::Module;
use super::bindings::{Bindings, DEFINED};
use crate::project::{Project, tool};

const TARGET: &str = "--target=wasm32-wasi";
const OPTIMIZED: [&str; 3] = [TARGET, "-O3", "-msimd128"];

/// A reactor has no `main`. Assertions hold whatever a compiler makes of `-O3`.
const LINKED: [&str; 5] = ["-mexec-model=reactor", "-UNDEBUG", "-Wall", "-Wextra", "-Wl,-z,stack-size=1048576"];
/// A stack that comes first traps where it overflows; zig does that by itself. The names of functions are for the backtrace
/// of a trap. The default `printf` says on a standard error that it cannot print a `long double`, which brings all of stdio
/// along.
const LINKED_BY_CLANG: [&str; 3] = ["-Wl,--stack-first", "-Wl,--strip-debug", "-lc-printscan-long-double"];
const LINKED_BY_ZIG: [&str; 1] = ["-s"];

/// Newest first; one without a version may be anybody's.
const VERSIONS: [&str; 5] = ["-21", "-20", "-19", "-18", ""];
/// The second is what PyPI's `ziglang` puts on the path.
pub(super) const ZIGS: [&str; 2] = ["zig", "python-zig"];

/// A language that these compilers know.
pub(super) struct Dialect {
    /// clang's command for it, up to the version.
    pub clang: &'static str,
    /// zig's subcommand.
    pub zig: &'static str,
    /// The libraries that clang must have.
    pub libraries: &'static [&'static str],
    pub flags: &'static [&'static str],
    /// What its files are called.
    pub extensions: &'static [&'static str],
    /// What those of the SDK that an operator includes are called.
    pub header: &'static str,
    /// How to get a compiler.
    pub install: &'static str,
}

/// One that has all that it needs.
struct Compiler {
    program: String,
    subcommand: Option<&'static str>,
    linked: &'static [&'static str],
}

impl Compiler {
    fn command(&self, project: &Project) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(project.folder()).args(self.subcommand).args(OPTIMIZED);
        command
    }
}

impl Dialect {
    /// Compiles and links the SDK's files, the project's, and bindings.
    pub(super) fn build(&self, project: &Project) -> Result<Module> {
        let compiler = self.compiler()?;
        let own = self.files(project, Path::new("src"))?;
        if own.is_empty() {
            bail!("there is no .{} in {}", self.extensions[0], project.folder().join("src").display());
        }
        let bindings = Bindings::generate(project, "include/weir", self.header)?;
        let bound = bindings.folder.join("wit.o");
        // C, whatever the dialect.
        let mut bind = compiler.command(project);
        bind.args(["-x", "c", DEFINED, "-c"]).arg(bindings.source()).arg("-o").arg(&bound);
        tool::run(&mut bind, self.install)?;

        let sdk = &project.manifest.sdk;
        let module = PathBuf::from("build/module.wasm");
        let mut link = compiler.command(project);
        link.args(LINKED).args(compiler.linked).args(self.flags);
        link.arg("-I").arg(sdk.join("include")).arg("-I").arg(&bindings.folder);
        // The SDK first: it has functions that are to be had in the place of the C library's.
        link.args(self.files(project, &sdk.join("src"))?);
        link.args(self.files(project, &sdk.join("src/worlds").join(bindings.world.to_string()))?);
        link.args(own).arg(bound).arg(bindings.types()).arg("-o").arg(&module);
        tool::run(&mut link, self.install)?;
        Module::read(project, &module)
    }

    /// The files of a folder, in order. A folder that is not there has none.
    fn files(&self, project: &Project, folder: &Path) -> Result<Vec<PathBuf>> {
        let Ok(entries) = fs::read_dir(project.folder().join(folder)) else { return Ok(Vec::new()) };
        let files = entries.map(|entry| Ok(folder.join(entry?.file_name()))).collect::<Result<Vec<_>>>();
        let mut files = files.with_context(|| format!("cannot read {}", folder.display()))?;
        files.retain(|file| self.extensions.iter().any(|known| file.extension().is_some_and(|e| e == *known)));
        files.sort();
        Ok(files)
    }

    fn compiler(&self) -> Result<Compiler> {
        let mut clangs = VERSIONS.iter().map(|version| format!("{}{version}", self.clang));
        if let Some(program) = clangs.find(|clang| self.is_whole(clang)) {
            return Ok(Compiler { program, subcommand: None, linked: &LINKED_BY_CLANG });
        }
        let Some(zig) = tool::first(&ZIGS) else {
            bail!("there is no compiler of this language that makes wasm: {}", self.install)
        };
        Ok(Compiler { program: zig.to_owned(), subcommand: Some(self.zig), linked: &LINKED_BY_ZIG })
    }

    /// Whether a clang is there, with a linker and the libraries.
    fn is_whole(&self, clang: &str) -> bool {
        let has = |question: &str| {
            let answer = Command::new(clang).args([TARGET, question]).output();
            // What it does not find, it answers with as it was asked for.
            answer.is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_file())
        };
        has("-print-prog-name=wasm-ld")
            && has("-print-libgcc-file-name")
            && self.libraries.iter().all(|library| has(&format!("-print-file-name={library}")))
    }
}
