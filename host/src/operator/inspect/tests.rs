//! Bytes that may be a component: anything at all, and real ones that are damaged.
#![allow(clippy::unwrap_used, reason = "a failed test should say where")]

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::operator::{Identity, identity, sample, with_identity};
use crate::testing::{damage, largest_allocation};

/// A core module and a component, with a name, and a component that is none of ours.
static REAL: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let module = sample::fold();
    let named = with_identity(&componentize(&module).unwrap(), "fold", "1.0.0");
    let foreign = wat::parse_str(include_str!("../../../../tests/wat/wasi-importer.wat")).unwrap();
    vec![module, named, foreign]
});

/// The validator makes room for as many items as a section says that it has, up to a million: a constant, and nothing is
/// written there.
const ROOM: usize = 256 << 20;

/// All that is asked of bytes before they are registered. None of it may panic, or make room for what is not there.
fn ask(bytes: &[u8]) -> Result<World, NotAnOperator> {
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

#[test]
fn given_real_components_when_asked_then_they_are_what_they_are() {
    let [module, named, foreign] = &REAL[..] else { panic!("three") };
    assert_eq!(ask(module).unwrap(), World::Aggregate);
    assert_eq!(ask(named).unwrap(), World::Aggregate);
    assert_eq!(identity(named), Some(Identity { name: "fold".into(), version: "1.0.0".into() }));
    let import = "imports `wasi:clocks/wall-clock@0.2.6`";
    assert!(ask(foreign).unwrap_err().to_string().starts_with(import));
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
