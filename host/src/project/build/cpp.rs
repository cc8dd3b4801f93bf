//! C++: clang or zig, on the bindings for C.

use anyhow::Result;

use super::Module;
use super::clang::Dialect;
use crate::project::Project;

const CPP: Dialect = Dialect {
    clang: "clang++",
    zig: "c++",
    libraries: &["crt1-reactor.o", "libc-printscan-long-double.a", "libc++.a"],
    // Exceptions do not exist there. Hardened, the standard library sees an index that is out of range.
    flags: &[
        "-std=c++20",
        "-fno-exceptions",
        "-fno-rtti",
        "-U_LIBCPP_HARDENING_MODE",
        "-D_LIBCPP_HARDENING_MODE=_LIBCPP_HARDENING_MODE_FAST",
    ],
    extensions: &["cpp", "cc", "cxx"],
    header: "hpp",
    install: "run `apt-get install clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32 libc++-19-dev-wasm32 \
              libc++abi-19-dev-wasm32`, or `pip install 'ziglang==0.17.*'` in a virtual \
              environment that is active",
};

pub(super) fn build(project: &Project) -> Result<Module> {
    CPP.build(project)
}
