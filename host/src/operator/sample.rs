//! A component for tests that need a real one.
#![allow(clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

/// An aggregate as text: a core module, which does not say which world it is for.
pub(crate) const FOLD: &str = include_str!("sample/fold.wat");

/// The interface of today.
pub(crate) const INTERFACE: &str = include_str!("../../../wit/operator.wit");

/// An aggregate: a core module that says which world it is for, as those made by wit-bindgen do.
pub(crate) fn fold() -> Vec<u8> {
    of(FOLD, INTERFACE)
}

/// A core module that says of itself that it is an aggregate as an interface has them.
pub(crate) fn of(module: &str, interface: &str) -> Vec<u8> {
    let mut module = wat::parse_str(module).expect("a module");
    let mut resolve = wit_parser::Resolve::default();
    let package = resolve.push_str("operator.wit", interface).expect("the interface");
    let world = resolve.select_world(&[package], Some("aggregate-operator")).expect("a world");
    wit_component::embed_component_metadata(&mut module, &resolve, world, wit_component::StringEncoding::UTF8)
        .expect("can be embedded");
    module
}
