//! Why bytes are not an operator, and the way out: which switch of which toolchain drops what is in the way.

use super::surface::WASIP1;
use super::{InterfaceVersion, LARGEST, World};

/// Why bytes are not an operator.
#[derive(Debug, thiserror::Error)]
pub enum NotAnOperator {
    /// Something else altogether.
    #[error("not a WebAssembly file; `weir plugin build` says where it leaves the component")]
    NotWasm,
    /// More than a registry should hold.
    #[error(
        "larger than {}, which is the most that is taken: strip it (`wasm-tools strip`, `-ldflags=\"-s -w\"`, `-s`), \
         or leave out what it brings along",
        LARGEST
    )]
    TooLarge,
    /// WebAssembly, but damaged.
    #[error("not a valid WebAssembly file: {0}; was it built for wasm32 (`weir plugin build`)?")]
    Invalid(String),
    /// A core module that starts, runs and ends.
    #[error(
        "a program, with a function `_start`, and not a library: build it with `-buildmode=c-shared` (Go), \
         `-mexec-model=reactor` (C, C++, Zig), `crate-type = [\"cdylib\"]` (Rust)"
    )]
    Program,
    /// It is of no world that is served, and says of none how.
    #[error("exports none of the operator interfaces ({}); it exports: {found}{hint}", served())]
    NoWorld {
        /// What it does export.
        found: String,
        /// What that may mean.
        hint: &'static str,
    },
    /// It exports several.
    #[error("exports more than one operator interface: {0}; split it into a component for each")]
    ManyWorlds(String),
    /// It was built against a version that this host does not serve.
    #[error(
        "{verb} `{interface}`, of a version of the interface that this host does not serve: it serves {}. Build it again \
         with the SDK, or against the WIT, of one of these; a newer host may serve it.",
        versions()
    )]
    OtherVersion {
        /// Imports or exports.
        verb: &'static str,
        /// The interface.
        interface: String,
    },
    /// It wants something from outside.
    #[error("imports `{import}`, which {rule}.{way_out}")]
    Import {
        /// The import's name.
        import: String,
        /// What it may import.
        rule: String,
        /// How to get rid of it.
        way_out: &'static str,
    },
    /// A function of its world is not there.
    #[error("seems to be of the world `{world}`, but `{interface}` has no function `{function}`: export it, too")]
    NoFunction {
        /// The world.
        world: World,
        /// Its interface.
        interface: String,
        /// The function.
        function: String,
    },
    /// A core module without what every component needs.
    #[error(
        "a core module of the world `{world}` that exports no `{export}`, through which rows cross: export its memory as \
         `memory`, and its allocator as `cabi_realloc` (old address, old size, alignment, new size; it answers with the \
         new address)"
    )]
    NoMemory {
        /// The world.
        world: World,
        /// What is missing.
        export: &'static str,
    },
    /// A function has another type than the interface says.
    #[error(
        "{verb} `{interface}`, but its function `{function}` has another type there than in the interface: make the bindings \
         again from the WIT of weir:operator@{}",
        .version.number()
    )]
    OtherType {
        /// Imports or exports.
        verb: &'static str,
        /// The interface.
        interface: String,
        /// The function.
        function: String,
        /// The version that it should be of.
        version: InterfaceVersion,
    },
    /// A core module that does not do what it says.
    #[error("a core module of which no component can be made: {0}")]
    NoComponent(String),
}

fn served() -> String {
    let [.., newest] = InterfaceVersion::SERVED;
    World::ALL.map(|world| world.interface(newest)).join(", ")
}

fn versions() -> String {
    InterfaceVersion::SERVED.map(InterfaceVersion::number).join(", ")
}

impl NotAnOperator {
    /// An import that is not offered to a component that exports these worlds.
    pub(super) fn import(import: &str, function: &str, worlds: &[World]) -> Self {
        if let Some((name, _)) = InterfaceVersion::named(import)
            && InterfaceVersion::of(import).is_none()
            && matches!(name, "log" | "rows" | "http")
        {
            return Self::OtherVersion { verb: "imports", interface: import.to_owned() };
        }
        let sink = worlds == [World::Sink];
        let rule = if sink {
            "sinks may not: a sink may import only `weir:operator/log`, `weir:operator/http`, and WASI without a network"
        } else {
            "operators may not: an operator is a pure function and may import only `weir:operator/log`, and WASI without a \
             network"
        };
        Self::Import {
            import: shown(import, function),
            rule: rule.to_owned(),
            way_out: way_out(import, function, sink),
        }
    }

    /// Exports of which none is an operator's.
    pub(super) fn no_world(exports: &[String], component: bool) -> Self {
        const SHOWN: usize = 10;
        let more = if exports.len() > SHOWN { ", …" } else { "" };
        let found = match exports {
            [] => "nothing".to_owned(),
            _ => exports.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ") + more,
        };
        let nothing = exports.is_empty();
        let exports = |start: &str| exports.iter().any(|export| export.starts_with(start));
        let hint = if exports("wasi:cli/run") {
            ". It is a program, which is run once; an operator is called"
        } else if exports("wasi:http/incoming-handler") {
            ". It is a server; an operator is called with rows"
        } else if nothing || exports("__data_end") {
            ". In Rust, put `#[weir_guest::map]` or one of its like on a function; in other languages, build it with bindings \
             made from the WIT (wit-bindgen)"
        } else if component {
            ""
        } else {
            ". It is a core module without a component type: build it with bindings made from the WIT (wit-bindgen), or \
             name its functions as the canonical ABI does, as in `weir:operator/transform@0.1.0#apply`"
        };
        Self::NoWorld { found, hint }
    }
}

fn shown(import: &str, function: &str) -> String {
    if function.is_empty() || import.contains(':') { import.to_owned() } else { format!("{import}.{function}") }
}

/// What to do about an import.
fn way_out(import: &str, function: &str, sink: bool) -> &'static str {
    let package = import.split('/').next().unwrap_or(import);
    match package {
        "wasi:sockets" | "wasi:http" if sink => {
            " What a sink sends goes through `weir:operator/http`. Leave the toolchain's own out: `--stub-wasi` \
             (componentize-py), `--disable all` (jco), no package `net` (Go), no `std::net` (Rust)."
        }
        "wasi:sockets" | "wasi:http" => {
            " What is to be sent goes through a sink. Leave the network out: `--stub-wasi` (componentize-py), `--disable all` \
             (jco), no package `net` (Go), no `std::net` (Rust)."
        }
        _ if package.starts_with("wasi:") => {
            " Of WASI there is 0.2: cli, clocks, filesystem (without a file), io and random."
        }
        WASIP1 if function.starts_with("sock_") => " That is for sockets: what is to be sent goes through a sink.",
        WASIP1 => {
            " WASI as it was released has no such function: build with the toolchain's own libraries for wasip1 or wasip2."
        }
        "wasi_unstable" => " That is WASI from before its release: build with a newer toolchain, for wasip1 or wasip2.",
        "gojs" | "go" => " It was built for a browser: use `GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared`.",
        "env" if matches!(function, "abort" | "seed" | "trace" | "console.log") => {
            " AssemblyScript wants it of JavaScript: give asc `--use abort=FILE/FUNCTION` with a function of your own \
             (`unreachable()`), leave `trace` and `console` out, and seed `Math.random` yourself."
        }
        "env" => " The linker did not find it: link the library that has it, and without `--allow-undefined`.",
        _ if package.starts_with("__wb") || package.contains("wasm-bindgen") => {
            " A crate expects JavaScript: turn its feature for it off (`js` of getrandom, `wasmbind` of chrono)."
        }
        _ if InterfaceVersion::of(import).is_some_and(|(_, name)| name == "http") => {
            " What is to be sent goes through a sink: a component of the world `sink` may import it."
        }
        _ => "",
    }
}
