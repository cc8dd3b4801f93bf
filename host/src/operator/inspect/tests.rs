//! Bytes that may be a component: what toolchains leave behind, anything at all, and real ones that are damaged.
#![allow(clippy::unwrap_used, reason = "a failed test should say where")]

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::operator::{Identity, identity, sample, with_identity};
use crate::testing::{damage, largest_allocation};

/// A core module, with and without word of its world, a component with a name, and a component that imports WASI.
static REAL: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let module = sample::fold();
    let named = with_identity(&componentize(&module).unwrap(), "fold", "1.0.0");
    let foreign = wat::parse_str(include_str!("../../../../tests/wat/wasi-importer.wat")).unwrap();
    vec![module, wat::parse_str(sample::FOLD).unwrap(), named, foreign]
});

/// The validator makes room for as many items as a section says that it has, up to a million: a constant, and nothing is
/// written there.
const ROOM: usize = 256 << 20;

/// All that is asked of bytes before they are registered. None of it may panic, or make room for what is not there.
fn ask(bytes: &[u8]) -> Result<Kind, NotAnOperator> {
    let (asked, most) = largest_allocation(|| {
        identity(bytes);
        let inspected = inspect(bytes);
        let component = componentize(bytes)?;
        identity(&component);
        // What has become a component is inspected as it will be when it is loaded.
        if component == bytes { inspected } else { inspect(&component) }
    });
    assert!(most <= ROOM, "{most} bytes at once for {} bytes", bytes.len());
    asked
}

fn kind(world: World, wasi: bool) -> Kind {
    Kind { world, version: InterfaceVersion::V0_1, wasi }
}

#[test]
fn given_a_component_that_exports_nothing_when_asked_then_the_attribute_is_named() {
    let told = ask(&wat::parse_str("(component)").unwrap()).unwrap_err().to_string();
    assert!(told.contains("it exports: nothing. In Rust, put `#[weir_guest::map]`"), "{told}");
}

#[test]
fn given_real_components_when_asked_then_they_are_what_they_are() {
    let [module, bare, named, foreign] = &REAL[..] else { panic!("four") };
    for aggregate in [module, bare, named] {
        assert_eq!(ask(aggregate).unwrap(), kind(World::Aggregate, false));
    }
    assert_eq!(identity(named), Some(Identity { name: "fold".into(), version: "1.0.0".into() }));
    assert_eq!(ask(foreign).unwrap(), kind(World::Transform, true));
}

/// What is said of a core module that is the sample with some of its text replaced.
fn bare(replaced: &str, by: &str) -> String {
    assert!(sample::FOLD.contains(replaced));
    let module = wat::parse_str(sample::FOLD.replace(replaced, by)).unwrap();
    ask(&module).unwrap_err().to_string()
}

#[test]
fn given_a_core_module_that_is_not_all_of_an_operator_when_asked_then_what_is_missing_is_named() {
    let cases = [
        (
            "0.1.0#finish",
            "0.1.0#end",
            "of the world `aggregate`, but `weir:operator/aggregate@0.1.0` has no function `finish`",
        ),
        ("\"cabi_realloc\"", "\"malloc\"", "of the world `aggregate` that exports no `cabi_realloc`"),
        ("(export \"memory\")", "", "exports no `memory`"),
        ("operator/aggregate@0.1.0", "operator/aggregate@0.2.0", "`weir:operator/aggregate@0.2.0`, of a version"),
        ("weir:operator/", "acme:operator/", "core module without a component type"),
        ("(param i32 i32 i32 i32 i32 i32) (result i32)\n    unreachable", "", "type mismatch"),
        ("(func (export \"cabi", "(func (export \"_start\")) (func (export \"cabi", "-mexec-model=reactor"),
    ];
    for (replaced, by, says) in cases {
        let said = bare(replaced, by);
        assert!(said.contains(says), "{said}");
    }
    // One that says of itself of which world it is lacks it in the same words.
    let lacking = sample::of(&sample::FOLD.replace("0.1.0#finish", "0.1.0#end"), sample::INTERFACE);
    let said = ask(&lacking).unwrap_err().to_string();
    assert!(said.contains(cases[0].2), "{said}");
}

#[test]
fn given_a_core_module_that_imports_what_is_not_there_when_asked_then_the_way_out_is_that_of_its_toolchain() {
    let cases = [
        ("env", "abort", "--use abort="),
        ("env", "puts", "--allow-undefined"),
        ("gojs", "runtime.wasmExit", "-buildmode=c-shared"),
        ("__wbindgen_placeholder__", "__wbindgen_throw", "getrandom"),
        ("wasi_unstable", "fd_write", "newer toolchain"),
        ("wasi_snapshot_preview1", "sock_open", "sockets: what is to be sent goes through a sink"),
        ("wasi_snapshot_preview1", "thread_spawn", "WASI as it was released has no such function"),
        ("wasi:sockets/tcp-create-socket@0.2.6", "create-tcp-socket", "--stub-wasi"),
        ("wasi:http/outgoing-handler@0.2.6", "handle", "goes through a sink"),
        ("wasi:keyvalue/store@0.2.0", "open", "Of WASI there is 0.2"),
        ("wasi:clocks/wall-clock@0.3.0", "now", "Of WASI there is 0.2"),
        ("weir:operator/http@0.1.0", "send", "a component of the world `sink` may import it"),
        ("weir:operator/log@0.0.9", "log", "`weir:operator/log@0.0.9`, of a version"),
    ];
    for (module, function, says) in cases {
        let said = bare("(module", &format!("(module (import \"{module}\" \"{function}\" (func))"));
        assert!(said.contains(&format!("imports `{module}")) && said.contains(says), "{said}");
    }
}

#[test]
fn given_a_component_of_other_types_when_asked_then_the_function_is_named() {
    let cases = [
        ("    retracts: bool,", "    retracts: u8,", "exports", "its function `configure` has another type"),
        (
            "merge: func(groups: list<u32>",
            "merge: func(groups: list<s32>",
            "exports",
            "its function `merge` has another",
        ),
        ("  enum level {", "  enum level {\n    trace,", "imports", "its function `log` has another type"),
    ];
    for (replaced, by, verb, says) in cases {
        assert!(sample::INTERFACE.contains(replaced), "{replaced}");
        let import = "(module (import \"weir:operator/log@0.1.0\" \"log\" (func (param i32 i32 i32)))";
        let module = sample::of(&sample::FOLD.replace("(module", import), &sample::INTERFACE.replace(replaced, by));
        let said = ask(&module).unwrap_err().to_string();
        assert!(said.contains(&format!("{verb} `weir:operator/")) && said.contains(says), "{said}");
    }
    let finish = "  finish: func(accumulators: batch) -> result<batch, failure>;";
    assert!(sample::INTERFACE.contains(finish));
    let said = ask(&sample::of(sample::FOLD, &sample::INTERFACE.replace(finish, ""))).unwrap_err().to_string();
    assert!(said.contains("has no function `finish`"), "{said}");
}

#[test]
fn given_a_core_module_of_the_first_wasi_when_asked_then_the_adapter_stands_in() {
    let import =
        "(module (import \"wasi_snapshot_preview1\" \"random_get\" (func $random (param i32 i32) (result i32)))";
    let module = sample::FOLD
        .replace("(module", import)
        .replace("    unreachable)", "    (call $random (i32.const 0) (i32.const 8)))");
    assert_eq!(ask(&wat::parse_str(module).unwrap()).unwrap(), kind(World::Aggregate, true));
}

#[test]
fn given_more_than_a_registry_should_hold_when_asked_then_it_is_refused_at_once() {
    let mut large = vec![0; LARGEST.0 as usize + 1];
    large[..8].copy_from_slice(b"\0asm\x01\0\0\0");
    assert!(ask(&large).unwrap_err().to_string().contains("larger than 128 MiB"));
}

proptest! {
    #[test]
    fn given_any_bytes_as_a_component_then_they_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for start in [&b""[..], b"\0asm\x01\0\0\0", b"\0asm\x0d\0\x01\0"] {
            prop_assert!(ask(&[start, &bytes].concat()).is_err());
        }
    }

    #[test]
    fn given_a_damaged_component_when_asked_then_nothing_panics(real: Index, damage in damage()) {
        let real = &REAL[real.index(REAL.len())];
        let _ = ask(&damage.to(real));
    }
}
