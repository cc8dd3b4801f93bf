//! C: clang or zig.

use anyhow::Result;

use super::Module;
use super::clang::Dialect;
use crate::project::Project;

const C: Dialect = Dialect {
    clang: "clang",
    zig: "cc",
    libraries: &["crt1-reactor.o", "libc-printscan-long-double.a"],
    flags: &["-std=c17"],
    extensions: &["c"],
    header: "h",
    install: "run `apt-get install clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32`, or `pip install 'ziglang==0.17.*'` in a virtual \
              environment that is active",
};

pub(super) fn build(project: &Project) -> Result<Module> {
    C.build(project)
}
